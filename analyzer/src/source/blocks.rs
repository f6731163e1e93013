//! Blocks of whole lines, handed to any number of threads.
//!
//! A line belongs to the block in which it starts, so that blocks need nothing from each other, and no result
//! depends on where they are cut.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use super::flaw::{Ending, Flaw};
use super::header::Follower;
use super::open::{Body, Input};
use super::stream::{Decoder, Stream};

/// Whole lines of an input; of a line longer than the limit, at least one byte more than the limit.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Position among the input's blocks.
    pub(crate) index: u64,
    /// Offset of the first byte in the uncompressed input.
    pub(crate) offset: u64,
    pub(crate) bytes: Vec<u8>,
    /// The header lines in force at the first byte, where the format has some.
    pub(crate) header: Option<Arc<[u8]>>,
}

/// How an input is cut into blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Blocks of whole lines.
    Lines,
    /// The same, each with the header lines in force at its start; handed out in order.
    Headed,
    /// One block with everything.
    Whole,
}

/// The blocks of one input.
pub(crate) struct Blocks {
    block_bytes: usize,
    line_limit: usize,
    kind: Kind,
    ending: Arc<Mutex<Ending>>,
    /// Held while a block is taken, so that blocks come in order.
    headed: Option<Mutex<Follower>>,
}

enum Kind {
    Seekable {
        file: fs_err::File,
        length: u64,
        next: AtomicU64,
    },
    Stream(Stream),
    /// Everything in one block; taken by the first who asks.
    Whole(Mutex<Option<Box<dyn Read + Send>>>),
}

/// What asking for a block gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// The block holds the next lines.
    Filled,
    /// Another thread reads the next lines, and one thread is all that can.
    Busy,
    /// There are no more lines.
    End,
}

impl Blocks {
    /// The blocks of `input`.
    pub(crate) fn new(input: Input, framing: Framing, block_bytes: usize, line_limit: usize) -> Self {
        let ending = Arc::default();
        if framing == Framing::Whole {
            let kind = Kind::Whole(Mutex::new(Some(input.into_reader())));
            return Self { block_bytes, line_limit, kind, ending, headed: None };
        }
        let kind = match input.body {
            Body::Seekable { file, length } => Kind::Seekable { file, length, next: AtomicU64::new(0) },
            Body::Stream(reader) => {
                let decoder = Decoder::new(reader, input.head, block_bytes, line_limit, Arc::clone(&ending));
                Kind::Stream(Stream::new(decoder))
            }
        };
        let headed = (framing == Framing::Headed).then(Mutex::default);
        Self { block_bytes, line_limit, kind, ending, headed }
    }

    /// Fills `block` with the next lines; `false` at the end. May be called from any thread.
    ///
    /// An input that breaks ends there, and [`Blocks::ending`] tells: nothing good is lost.
    pub(crate) fn next(&self, block: &mut Block) -> bool {
        block.header = None;
        match &self.headed {
            None => self.take(block),
            Some(headed) => self.followed(&mut lock(headed), block) == Next::Filled,
        }
    }

    /// As [`Blocks::next`], but does not wait for other threads.
    pub(crate) fn try_next(&self, block: &mut Block) -> Next {
        block.header = None;
        match self.headed.as_ref().map(Mutex::try_lock) {
            None => self.try_take(block),
            Some(Ok(mut headed)) => self.followed(&mut headed, block),
            Some(Err(TryLockError::Poisoned(poisoned))) => self.followed(&mut poisoned.into_inner(), block),
            Some(Err(TryLockError::WouldBlock)) => Next::Busy,
        }
    }

    /// The next block, with the header lines in force at its start.
    fn followed(&self, headed: &mut Follower, block: &mut Block) -> Next {
        if !self.take(block) {
            return Next::End;
        }
        block.header = headed.in_force();
        headed.pass(&block.bytes, self.line_limit);
        Next::Filled
    }

    fn take(&self, block: &mut Block) -> bool {
        match &self.kind {
            Kind::Stream(stream) => stream.next(block) == Next::Filled,
            _ => self.try_take(block) == Next::Filled,
        }
    }

    fn try_take(&self, block: &mut Block) -> Next {
        let filled = match &self.kind {
            Kind::Seekable { file, length, next } => {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let start = index * self.block_bytes as u64;
                block.index = index;
                start < *length && self.read_at(file, start, *length, block)
            }
            Kind::Stream(stream) => return stream.try_next(block),
            Kind::Whole(reader) => {
                let reader = lock(reader).take();
                (block.index, block.offset) = (0, 0);
                block.bytes.clear();
                reader.is_some_and(|mut reader| {
                    let end = reader.read_to_end(&mut block.bytes);
                    self.note(end.err());
                    true
                })
            }
        };
        if filled { Next::Filled } else { Next::End }
    }

    /// How the input ended, as far as it has been read.
    pub(crate) fn ending(&self) -> &Arc<Mutex<Ending>> {
        &self.ending
    }

    fn note(&self, error: Option<std::io::Error>) {
        if let Some(error) = error {
            lock(&self.ending).add(&error);
        }
    }

    /// The lines that start in `start..start + block_bytes`; `false` when the file cannot be read.
    fn read_at(&self, file: &fs_err::File, start: u64, length: u64, block: &mut Block) -> bool {
        match self.lines_at(file, start, length, block) {
            Ok(end) => {
                let flaw = (end < length.min(start + self.block_bytes as u64))
                    .then_some(Flaw::Shrunk { from: length, to: end });
                self.note(flaw.map(std::io::Error::from));
                true
            }
            Err(error) => {
                self.note(Some(error));
                false
            }
        }
    }

    /// Fills `block`; gives where the file was found to end, or the end of the block.
    fn lines_at(
        &self,
        file: &fs_err::File,
        start: u64,
        length: u64,
        block: &mut Block,
    ) -> std::io::Result<u64> {
        let end = (start + self.block_bytes as u64).min(length);
        let from = match start {
            0 => 0,
            _ => line_start(file, start, end)?,
        };
        block.offset = from;
        block.bytes.resize((end - from) as usize, 0);
        let got = read_full_at(file, &mut block.bytes, from)?;
        block.bytes.truncate(got);
        let found_end = from + got as u64;
        // A newline in the last byte means that the next line starts in the next block.
        let mut line_start = memchr::memrchr(b'\n', &block.bytes).map_or(0, |at| at + 1);
        while line_start < block.bytes.len() {
            // The last line crosses the edge: fetch its rest, up to the limit.
            let have = block.bytes.len();
            if have - line_start > self.line_limit {
                break;
            }
            block.bytes.resize(have + EXTENSION_BYTES, 0);
            let got = read_full_at(file, &mut block.bytes[have..], from + have as u64)?;
            let line_end = memchr::memchr(b'\n', &block.bytes[have..have + got]).map(|at| have + at + 1);
            block.bytes.truncate(line_end.unwrap_or(have + got));
            match line_end {
                Some(end) => line_start = end,
                None if got == 0 => break,
                None => {}
            }
        }
        Ok(found_end)
    }
}

/// Where the first line starts that starts in `start..end`; `end` where none does, the file's end where that has
/// come nearer.
fn line_start(file: &fs_err::File, start: u64, end: u64) -> std::io::Result<u64> {
    let mut buffer = [0; 4096];
    // One byte in front: whether it is a line end decides if a line starts here.
    let mut from = start - 1;
    while from < end {
        let got = read_full_at(file, &mut buffer, from)?;
        match memchr::memchr(b'\n', &buffer[..got]) {
            Some(at) => return Ok((from + at as u64 + 1).min(end)),
            None if got == 0 => return Ok(from),
            None => from += got as u64,
        }
    }
    Ok(end)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes fetched at a time to find the end of a line that crosses the edge of a block.
const EXTENSION_BYTES: usize = 16 * 1024;

#[cfg(unix)]
fn read_once_at(file: &fs_err::File, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file.file(), buffer, offset)
}

#[cfg(windows)]
fn read_once_at(file: &fs_err::File, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file.file(), buffer, offset)
}

/// Fills `buffer` from `offset`; fewer bytes only at the end of the file, which may have come nearer meanwhile.
fn read_full_at(file: &fs_err::File, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match read_once_at(file, &mut buffer[got..], offset + got as u64) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use super::super::locate::Place;
    use super::super::open::Limits;
    use super::*;

    fn lines_of(blocks: &Blocks, line_limit: usize) -> Vec<(u64, String)> {
        let mut found = Vec::new();
        let mut block = Block::default();
        while blocks.next(&mut block) {
            let mut at = block.offset;
            for line in block.bytes.split_inclusive(|byte| *byte == b'\n') {
                let shown = String::from_utf8_lossy(line).trim_end().to_owned();
                found.push((at, if line.len() > line_limit { "(long)".to_owned() } else { shown }));
                at += line.len() as u64;
            }
        }
        found.sort();
        found
    }

    /// Any block size, from a file or from a stream, gives the same lines at the same offsets.
    #[test]
    fn lines_do_not_depend_on_where_blocks_are_cut() {
        let long = "x".repeat(70);
        for text in [
            "a\nbb\n\nccc\n",
            "a\nbb\nno end",
            "one",
            "\n\n\n",
            &format!("a\n{long}\nb\nc\n"),
            &format!("{long}{long}"),
        ] {
            let mut expected = Vec::new();
            let mut at = 0;
            for line in text.split_inclusive('\n') {
                let shown = if line.len() > 64 { "(long)" } else { line.trim_end() };
                expected.push((at, shown.to_owned()));
                at += line.len() as u64;
            }
            for block_bytes in [1, 2, 3, 5, 8, 13, 100, 1000] {
                let mut file = tempfile::NamedTempFile::new().unwrap();
                file.write_all(text.as_bytes()).unwrap();
                let held = Arc::from(text.as_bytes());
                for place in [Place::File(file.path().to_owned()), Place::Stdin(Some(held))] {
                    let limits = Limits { line_bytes: 64, ratio: 1000 };
                    let input = Input::open(place.clone(), limits).unwrap();
                    let blocks = Blocks::new(input, Framing::Lines, block_bytes, 64);
                    assert_eq!(lines_of(&blocks, 64), expected, "{text:?} in blocks of {block_bytes}");
                }
            }
        }
    }
}
