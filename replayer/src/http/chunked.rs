//! Bodies in chunks (RFC 9112, 7.1).

use super::Malformed;

/// How far a body in chunks has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunks {
    /// In the size of a chunk, after this many digits.
    Size { bytes: u64, digits: u8 },
    /// Between the size and the end of its line.
    Extension { bytes: u64 },
    /// In the data, of which this much is left.
    Data { left: u64 },
    /// After the data: its end of line is due.
    DataEnd,
    /// In the lines after the last chunk; whether the present one is empty so far.
    Trailer { empty: bool },
    /// After the last byte.
    Done,
}

/// More hexadecimal digits than any size has.
const MOST_DIGITS: u8 = 15;

impl Chunks {
    /// Before the first byte.
    pub(crate) fn new() -> Self {
        Self::Size { bytes: 0, digits: 0 }
    }

    /// Reads on in `bytes`: how many of them belong to the body, and how many of those are data, which `each` gets.
    ///
    /// # Errors
    /// [`Malformed`] for what is no chunk.
    pub(crate) fn take(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(&[u8]),
    ) -> Result<(usize, u64), Malformed> {
        let (mut at, mut data) = (0, 0);
        while at < bytes.len() && *self != Self::Done {
            if let Self::Data { left } = *self {
                let here = left.min((bytes.len() - at) as u64);
                each(&bytes[at..at + here as usize]);
                at += here as usize;
                data += here;
                *self = if here == left { Self::DataEnd } else { Self::Data { left: left - here } };
                continue;
            }
            *self = self.step(bytes[at])?;
            at += 1;
        }
        Ok((at, data))
    }

    /// What follows `byte`, outside of data. Carriage returns are skipped: line feeds end lines.
    fn step(self, byte: u8) -> Result<Self, Malformed> {
        let after_size = |bytes| match bytes {
            0 => Self::Trailer { empty: true },
            left => Self::Data { left },
        };
        Ok(match (self, byte) {
            (Self::Size { bytes, digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F')
                if digits < MOST_DIGITS =>
            {
                let digit = char::from(byte).to_digit(16).ok_or(Malformed)?;
                Self::Size { bytes: bytes * 16 + u64::from(digit), digits: digits + 1 }
            }
            (Self::Size { bytes, digits: 1.. }, b';' | b' ' | b'\t' | b'\r') => Self::Extension { bytes },
            (Self::Size { bytes, digits: 1.. } | Self::Extension { bytes }, b'\n') => after_size(bytes),
            (Self::Extension { bytes }, _) => Self::Extension { bytes },
            (Self::DataEnd, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::new(),
            (Self::Trailer { empty: true }, b'\n') => Self::Done,
            (Self::Trailer { .. }, b'\n') => Self::Trailer { empty: true },
            (Self::Trailer { empty }, byte) => Self::Trailer { empty: empty && byte == b'\r' },
            _ => return Err(Malformed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same for any way of cutting the bytes in two, and one byte at a time.
    #[track_caller]
    fn check(text: &str, expected: Result<(usize, u64, bool), Malformed>) {
        let bytes = text.as_bytes();
        let read = |parts: Vec<&[u8]>| {
            let (mut chunks, mut used, mut data) = (Chunks::new(), 0, 0);
            for part in parts {
                let (here, of_data) = chunks.take(part, |_| {})?;
                (used, data) = (used + here, data + of_data);
            }
            Ok((used, data, chunks == Chunks::Done))
        };
        for cut in 0..=bytes.len() {
            assert_eq!(read(vec![&bytes[..cut], &bytes[cut..]]), expected, "{text:?} cut at {cut}");
        }
        assert_eq!(read(bytes.chunks(1).collect()), expected, "{text:?}");
    }

    #[test]
    fn bodies_in_chunks() {
        check("5\r\nhello\r\n0\r\n\r\n", Ok((15, 5, true)));
        check("a;name=1\r\n0123456789\r\n1\r\nx\r\n0\r\nlast: 1\r\n\r\nHTTP", Ok((42, 11, true)));
        check("1F\r\n0123456789012345678901234567890\r\n", Ok((37, 31, false)));
        check("", Ok((0, 0, false)));
        check("\r\n", Err(Malformed));
        check("g\r\n", Err(Malformed));
        check("1\r\nxy\r\n", Err(Malformed));
        check("1234567890123456\r\n", Err(Malformed));
    }
}
