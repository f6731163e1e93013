//! Compressed streams: which compression the first bytes announce, and a reader of everything in such a stream.
//!
//! A stream is any number of members: gzip members (BGZF is many small ones), zstd and lz4 frames, bzip2 and xz
//! streams. They are read one by one, because only the border between two members tells a stream that ends there
//! from one that is cut off. Sources: RFC 1952 (gzip), RFC 8878 (zstd; skippable frames), the lz4 frame format
//! 1.6.4, the .xz file format 1.2.1 (stream padding).

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::flaw::Flaw;

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
    Lz4,
}

impl Compression {
    const ALL: [Self; 5] = [Self::Gzip, Self::Zstd, Self::Bzip2, Self::Xz, Self::Lz4];

    /// The compression that the first bytes of a stream announce.
    pub(crate) fn of(mut head: &[u8]) -> Option<Self> {
        let skipped = head;
        while let Some(size) = skippable(head) {
            head = head.get(size..).unwrap_or_default();
        }
        // What follows a long skippable frame is out of sight; they are zstd's more often than lz4's.
        let unseen = head.is_empty() && !skipped.is_empty();
        Self::ALL.into_iter().find(|one| one.starts(head)).or(unseen.then_some(Self::Zstd))
    }

    /// The name shown to people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Lz4 => "lz4",
        }
    }

    fn magics(self) -> &'static [&'static [u8]] {
        match self {
            Self::Gzip => &[&[0x1f, 0x8b]],
            Self::Zstd => &[&[0x28, 0xb5, 0x2f, 0xfd]],
            // `BZh`, a level, and what a block or the end of an empty stream starts with.
            Self::Bzip2 => &[b"BZh"],
            Self::Xz => &[&[0xfd, b'7', b'z', b'X', b'Z', 0]],
            // The frame format, and the legacy format of `lz4 -l`.
            Self::Lz4 => &[&[0x04, 0x22, 0x4d, 0x18], &[0x02, 0x21, 0x4c, 0x18]],
        }
    }

    /// A member starts here.
    fn starts(self, head: &[u8]) -> bool {
        let follows = match (self, head.get(3), head.get(4..10)) {
            (Self::Bzip2, Some(level), rest) => {
                let known = |rest: &[u8]| {
                    [[0x31, 0x41, 0x59, 0x26, 0x53, 0x59], [0x17, 0x72, 0x45, 0x38, 0x50, 0x90]]
                        .contains(&rest.try_into().unwrap_or_default())
                };
                (b'1'..=b'9').contains(level) && rest.is_none_or(known)
            }
            _ => true,
        };
        follows && self.magics().iter().any(|magic| head.starts_with(magic))
    }

    /// The first bytes of a member, of which the rest is missing.
    fn starts_cut(self, head: &[u8]) -> bool {
        self.magics().iter().any(|magic| head.len() < magic.len() && magic.starts_with(head))
    }

    fn has_skippable_frames(self) -> bool {
        matches!(self, Self::Zstd | Self::Lz4)
    }
}

/// The size of the skippable frame at the start of `head`, which holds no data.
fn skippable(head: &[u8]) -> Option<usize> {
    let (&[magic, 0x2a, 0x4d, 0x18, a, b, c, d], _) = head.split_first_chunk::<8>()? else { return None };
    (magic & 0xf0 == 0x50).then(|| 8 + u32::from_le_bytes([a, b, c, d]) as usize)
}

/// What packs several files into one: the name of such an archive, and a command that prints the files in it.
pub(crate) fn archive(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let archives: [(usize, &[u8], &str, &str); 6] = [
        (257, b"ustar", "a tar archive", "tar -xOf"),
        (0, b"PK\x03\x04", "a zip archive", "unzip -p"),
        (0, b"PK\x05\x06", "an empty zip archive", "unzip -p"),
        (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x -so"),
        (0, b"Rar!\x1a\x07", "a rar archive", "unrar p -inul"),
        (0, b"\x1f\x9d", "a file of `compress`", "zcat"),
    ];
    archives
        .iter()
        .find(|(at, magic, ..)| head.get(*at..).is_some_and(|rest| rest.starts_with(magic)))
        .map(|&(_, _, name, command)| (name, command))
}

/// How far a stream may swell.
#[derive(Debug, Clone)]
pub(crate) struct Swelling {
    /// Most decompressed bytes per compressed byte.
    pub(crate) most: u64,
    /// Bytes of the outermost stream taken so far.
    pub(crate) taken: Arc<AtomicU64>,
}

impl Swelling {
    /// Bytes that any stream may give: small files of one line over and over are no attack.
    const FREE_BYTES: u64 = 64 << 20;

    fn check(&self, given: u64) -> Result<(), Flaw> {
        let most = self.most.saturating_mul(self.taken.load(Ordering::Relaxed));
        if given > most.max(Self::FREE_BYTES) { Err(Flaw::Ratio(self.most)) } else { Ok(()) }
    }
}

/// Everything in a compressed stream.
pub(crate) struct Decompressed {
    compression: Compression,
    state: State,
    swelling: Swelling,
    given: u64,
}

enum State {
    /// Before a member or the end.
    Border(Bytes),
    Inside(Box<Member>),
    Over,
}

enum Member {
    Gzip(Gzip),
    Zstd(zstd::Decoder<'static, Bytes>),
    Bzip2(bzip2::bufread::BzDecoder<Bytes>),
    Xz(liblzma::bufread::XzDecoder<Bytes>),
    Lz4(lz4_flex::frame::FrameDecoder<Bytes>),
}

/// Bytes decompressed at a time by decoders of which what they wrote before they found an error in the same step is lost.
const STEP_BYTES: usize = 128 * 1024;
/// What an xz decoder may use: the largest preset needs 65 MiB.
const XZ_MEMORY_BYTES: u64 = 512 << 20;

impl Decompressed {
    pub(crate) fn new(
        compression: Compression,
        reader: impl Read + Send + 'static,
        swelling: Swelling,
    ) -> Self {
        Self { compression, state: State::Border(Bytes::new(Box::new(reader))), swelling, given: 0 }
    }

    /// Takes off what may stand between members; the next member, if there is one.
    fn next_member(&self, mut bytes: Bytes) -> io::Result<Option<Member>> {
        let name = self.compression.name();
        loop {
            let head = bytes.peek(10)?;
            if head.is_empty() {
                return Ok(None);
            }
            if self.compression.has_skippable_frames()
                && let Some(size) = skippable(head)
            {
                if io::copy(&mut (&mut bytes).take(size as u64), &mut io::sink())? < size as u64 {
                    return Err(Flaw::Cut(name).into());
                }
            } else if self.compression == Compression::Xz && head.starts_with(&[0; 4]) {
                bytes.consume(4);
            } else if self.compression.starts(head) {
                return Member::new(self.compression, bytes).map(Some);
            } else if self.compression.starts_cut(head) {
                return Err(Flaw::Cut(name).into());
            } else {
                return Err(trailing(name, bytes)?.into());
            }
        }
    }

    fn flaw(&self, error: io::Error) -> io::Error {
        let known = error.get_ref().is_some_and(|inner| inner.is::<Flaw>());
        if known || error.raw_os_error().is_some() {
            return error;
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Flaw::Cut(self.compression.name()).into(),
            _ => Flaw::Corrupt(self.compression.name(), error.to_string()).into(),
        }
    }
}

impl Read for Decompressed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Over => return Ok(0),
                State::Border(bytes) => match self.next_member(bytes)? {
                    Some(member) => self.state = State::Inside(Box::new(member)),
                    None => return Ok(0),
                },
                State::Inside(mut member) => match member.read(out) {
                    Ok(0) => self.state = State::Border(member.into_bytes(self.compression)?),
                    Ok(got) => {
                        self.given += got as u64;
                        self.swelling.check(self.given)?;
                        self.state = State::Inside(member);
                        return Ok(got);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                        self.state = State::Inside(member);
                    }
                    Err(error) => return Err(self.flaw(error)),
                },
            }
        }
    }
}

/// Reads what follows a whole stream and is none.
fn trailing(stream: &'static str, mut bytes: Bytes) -> io::Result<Flaw> {
    let (mut count, mut zeros) = (0, true);
    loop {
        let rest = bytes.fill_buf()?;
        if rest.is_empty() {
            break;
        }
        zeros &= rest.iter().all(|byte| *byte == 0);
        count += rest.len() as u64;
        let taken = rest.len();
        bytes.consume(taken);
    }
    let what = if zeros { "all zero" } else { "not compressed data of this kind" };
    Ok(Flaw::Trailing { stream, bytes: count, what })
}

impl Member {
    fn new(compression: Compression, bytes: Bytes) -> io::Result<Self> {
        Ok(match compression {
            Compression::Gzip => Self::Gzip(Gzip::new(bytes)),
            Compression::Zstd => Self::Zstd(zstd::Decoder::with_buffer(bytes)?.single_frame()),
            Compression::Bzip2 => Self::Bzip2(bzip2::bufread::BzDecoder::new(bytes)),
            Compression::Xz => {
                let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY_BYTES, 0)?;
                Self::Xz(liblzma::bufread::XzDecoder::new_stream(bytes, stream))
            }
            Compression::Lz4 => {
                // Its end is not marked: a legacy frame ends with the file.
                let bytes = Bytes { may_end: bytes.rest().starts_with(&[0x02]), ..bytes };
                Self::Lz4(lz4_flex::frame::FrameDecoder::new(bytes))
            }
        })
    }

    fn into_bytes(self, compression: Compression) -> io::Result<Bytes> {
        match self {
            Self::Gzip(decoder) => Ok(decoder.bytes),
            Self::Zstd(decoder) => Ok(decoder.finish()),
            Self::Bzip2(decoder) => Ok(decoder.into_inner()),
            Self::Xz(decoder) => Ok(decoder.into_inner()),
            Self::Lz4(decoder) => {
                // This decoder takes a missing end for the end.
                let bytes = decoder.into_inner();
                let cut = bytes.asked_beyond_end && !bytes.may_end;
                if cut { Err(Flaw::Cut(compression.name()).into()) } else { Ok(bytes) }
            }
        }
    }
}

impl Read for Member {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let step = out.len().min(STEP_BYTES);
        match self {
            Self::Gzip(decoder) => decoder.read(out),
            Self::Zstd(decoder) => decoder.read(&mut out[..step]),
            Self::Bzip2(decoder) => decoder.read(&mut out[..step]),
            Self::Xz(decoder) => decoder.read(&mut out[..step]),
            Self::Lz4(decoder) => decoder.read(&mut out[..step]),
        }
    }
}

/// One gzip member. Between calls it moves what it may still refer to, so that long steps are faster than short ones.
struct Gzip {
    bytes: Bytes,
    inflate: flate2::Decompress,
    /// What was found wrong behind the bytes given last.
    failure: Option<io::Error>,
    is_over: bool,
}

impl Gzip {
    /// Of `bytes`, whose next are a member's first.
    fn new(bytes: Bytes) -> Self {
        /// log2 of the farthest that the format can refer back.
        const WINDOW_BITS: u8 = 15;
        Self { bytes, inflate: flate2::Decompress::new_gzip(WINDOW_BITS), failure: None, is_over: false }
    }
}

impl Read for Gzip {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !self.is_over {
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            let input = self.bytes.fill_buf()?;
            let at_end = input.is_empty();
            let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(input, out, flate2::FlushDecompress::None);
            self.bytes.consume((self.inflate.total_in() - taken) as usize);
            let got = (self.inflate.total_out() - given) as usize;
            match status {
                Ok(flate2::Status::StreamEnd) => self.is_over = true,
                Ok(_) if at_end && got < out.len() => {
                    self.failure = Some(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(_) => {}
                Err(error) => self.failure = Some(error.into()),
            }
            // What was written before something wrong was found is good.
            if got > 0 {
                return Ok(got);
            }
        }
        Ok(0)
    }
}

/// Compressed bytes with a look ahead.
struct Bytes {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    asked_beyond_end: bool,
    may_end: bool,
}

/// Compressed bytes read at a time.
const BUFFER_BYTES: usize = 256 * 1024;

impl Bytes {
    fn new(reader: Box<dyn Read + Send>) -> Self {
        let buffer = vec![0; BUFFER_BYTES];
        Self { reader, buffer, start: 0, end: 0, asked_beyond_end: false, may_end: false }
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The next `count` bytes, fewer only at the end.
    fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.end - self.start < count {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.refill()? == 0 {
                break;
            }
        }
        Ok(self.rest())
    }

    fn refill(&mut self) -> io::Result<usize> {
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(got) => {
                    self.end += got;
                    return Ok(got);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl BufRead for Bytes {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.asked_beyond_end |= self.refill()? == 0;
        }
        Ok(self.rest())
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
    }
}

impl Read for Bytes {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let rest = self.fill_buf()?;
        let got = rest.len().min(out.len());
        out[..got].copy_from_slice(&rest[..got]);
        self.consume(got);
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_the_compression() {
        let skippable = b"\x50\x2a\x4d\x18\x02\0\0\0xx";
        let cases: [(&[u8], Option<Compression>); 13] = [
            (b"\x1f\x8b\x08\0", Some(Compression::Gzip)),
            (b"\x28\xb5\x2f\xfd", Some(Compression::Zstd)),
            (b"BZh91AY&SY", Some(Compression::Bzip2)),
            (b"BZh9\x17\x72\x45\x38\x50\x90", Some(Compression::Bzip2)),
            (b"BZh9 is not the start of a stream", None),
            (b"BZhome", None),
            (b"\xfd7zXZ\0", Some(Compression::Xz)),
            (b"\x04\x22\x4d\x18", Some(Compression::Lz4)),
            (b"\x02\x21\x4c\x18", Some(Compression::Lz4)),
            (&[&skippable[..], b"\x04\x22\x4d\x18"].concat(), Some(Compression::Lz4)),
            (&[&skippable[..], &skippable[..], b"\x28\xb5\x2f\xfd"].concat(), Some(Compression::Zstd)),
            (&skippable[..9], Some(Compression::Zstd)),
            (b"", None),
        ];
        for (head, expected) in cases {
            assert_eq!(Compression::of(head), expected, "{head:x?}");
        }
    }

    #[test]
    fn what_gzip_gave_before_it_was_damaged_is_kept() {
        const HEADER: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\xff";
        // A block of five bytes as they are, and one of a kind that there is not.
        let damaged = [HEADER, b"\0\x05\0\xfa\xffwhole", b"\x06"].concat();
        let mut gzip = Gzip::new(Bytes::new(Box::new(io::Cursor::new(damaged))));
        let mut out = [0; 64];
        assert_eq!(gzip.read(&mut out).unwrap(), 5);
        assert_eq!(&out[..5], b"whole");
        assert!(gzip.read(&mut out).is_err());
    }
}
