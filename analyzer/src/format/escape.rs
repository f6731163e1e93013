//! Undoing what producers do to bytes that would break a line.
//!
//! nginx (`escape=default`) writes `"`, `\`, controls and everything from 0x7f as `\xHH`.
//! Apache (since 2.0.46) writes `\"`, `\\`, C escapes such as `\n`, and `\xhh` for the rest.
//! Both are undone by one rule, because what either writes is never ambiguous with the other.

use std::borrow::Cow;

/// What a producer does to bytes that would break a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// Nothing.
    None,
    /// nginx and Apache: `\xHH`, `\"`, `\n`.
    Backslash,
}

impl Escape {
    /// The byte that every escape holds; text without it stands for itself.
    pub(crate) fn mark(self) -> Option<u8> {
        match self {
            Self::None => None,
            Self::Backslash => Some(b'\\'),
        }
    }

    /// Appends `text` with its escapes undone. What is no escape stays as it is.
    pub(crate) fn decode(self, text: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::None => out.extend_from_slice(text),
            Self::Backslash => backslash(text, out),
        }
    }
}

/// Undoes what nginx (`escape=default`) and Apache do. A backslash that starts no escape stays.
fn backslash(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let (byte, used) = match &rest[at..] {
            [_, b'x', high, low, ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high * 16 + low, 4),
                _ => (b'\\', 1),
            },
            [_, b'n', ..] => (b'\n', 2),
            [_, b't', ..] => (b'\t', 2),
            [_, b'r', ..] => (b'\r', 2),
            [_, b'v', ..] => (0x0b, 2),
            [_, b'f', ..] => (0x0c, 2),
            [_, b'b', ..] => (0x08, 2),
            [_, quoted @ (b'"' | b'\\'), ..] => (*quoted, 2),
            _ => (b'\\', 1),
        };
        out.push(byte);
        rest = &rest[at + used..];
    }
    out.extend_from_slice(rest);
}

/// `%HH` undone, once; `+` stays. Borrowed when there is none. Wrong escapes stay as they are.
pub fn percent_decode(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        match (byte, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                out.push(hex(*high).unwrap_or(0) * 16 + hex(*low).unwrap_or(0));
                rest = after;
            }
            _ => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
    Cow::Owned(out)
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_both_servers() {
        let cases: [(&str, &[u8]); 7] = [
            (r"plain", b"plain"),
            (r"\x22quoted\x22", b"\"quoted\""),
            (r#"\"quoted\""#, b"\"quoted\""),
            (r"a\\b\tc", b"a\\b\tc"),
            (r"\xC3\xa9", &[0xc3, 0xa9]),
            (r"\xZZ", br"\xZZ"),
            (r"tail\", br"tail\"),
        ];
        for (text, expected) in cases {
            let mut out = Vec::new();
            Escape::Backslash.decode(text.as_bytes(), &mut out);
            assert_eq!(out, expected, "{text}");
        }
    }

    #[test]
    fn percent_escapes() {
        assert_eq!(&*percent_decode(b"a%20b%2"), b"a b%2");
        assert_eq!(&*percent_decode(b"%zz"), b"%zz");
    }
}
