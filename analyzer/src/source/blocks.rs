//! Blocks of whole lines, handed to any number of threads.
//!
//! A line belongs to the block in which it starts, so that blocks need nothing from each other, and no result
//! depends on where they are cut.

use std::io::Read;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::open::{Body, Input};

/// Whole lines of an input; of a line longer than the limit, at least one byte more than the limit.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Position among the input's blocks.
    pub(crate) index: u64,
    /// Offset of the first byte in the uncompressed input.
    pub(crate) offset: u64,
    pub(crate) bytes: Vec<u8>,
}

/// How an input is cut into blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Blocks of whole lines.
    Lines,
    /// One block with everything.
    Whole,
}

/// The blocks of one input.
pub(crate) struct Blocks {
    name: String,
    block_bytes: usize,
    line_limit: usize,
    kind: Kind,
}

enum Kind {
    Seekable {
        file: fs_err::File,
        length: u64,
        next: AtomicU64,
    },
    Stream(Mutex<Stream>),
    /// Everything in one block; taken by the first who asks.
    Whole(Mutex<Option<Box<dyn Read + Send>>>),
}

struct Stream {
    reader: Box<dyn Read + Send>,
    /// Read, but not handed out: the start of a line whose end has not come yet.
    carry: Vec<u8>,
    next_index: u64,
    offset: u64,
    /// Inside a line longer than the limit, whose bytes are skipped.
    skipping: bool,
    ended: bool,
    failure: Option<std::io::Error>,
}

impl Blocks {
    pub(crate) fn new(input: Input, framing: Framing, block_bytes: usize, line_limit: usize) -> Self {
        if framing == Framing::Whole {
            let (name, reader) = (input.name.clone(), input.into_reader());
            return Self { name, block_bytes, line_limit, kind: Kind::Whole(Mutex::new(Some(reader))) };
        }
        let kind = match input.body {
            Body::Seekable { file, length } => Kind::Seekable { file, length, next: AtomicU64::new(0) },
            Body::Stream(reader) => Kind::Stream(Mutex::new(Stream {
                reader,
                carry: input.head,
                next_index: 0,
                offset: 0,
                skipping: false,
                ended: false,
                failure: None,
            })),
        };
        Self { name: input.name, block_bytes, line_limit, kind }
    }

    /// The input's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Fills `block` with the next lines; `false` at the end. May be called from any thread.
    ///
    /// # Errors
    /// What the file says. A stream that breaks ends instead, and [`Blocks::failure`] tells: nothing good is lost.
    pub(crate) fn next(&self, block: &mut Block) -> std::io::Result<bool> {
        match &self.kind {
            Kind::Seekable { file, length, next } => {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let start = index * self.block_bytes as u64;
                if start >= *length {
                    return Ok(false);
                }
                block.index = index;
                self.read_at(file, start, *length, block)?;
                Ok(true)
            }
            Kind::Stream(stream) => {
                let mut stream = stream.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                Ok(stream.next(block, self.block_bytes, self.line_limit))
            }
            Kind::Whole(reader) => {
                let reader = reader.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
                let Some(mut reader) = reader else { return Ok(false) };
                (block.index, block.offset) = (0, 0);
                block.bytes.clear();
                reader.read_to_end(&mut block.bytes)?;
                Ok(true)
            }
        }
    }

    /// Why a stream ended before its end, if it did.
    pub(crate) fn failure(self) -> Option<std::io::Error> {
        match self.kind {
            Kind::Seekable { .. } | Kind::Whole(_) => None,
            Kind::Stream(stream) => {
                stream.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).failure
            }
        }
    }

    /// The lines that start in `start..start + block_bytes`.
    fn read_at(
        &self,
        file: &fs_err::File,
        start: u64,
        length: u64,
        block: &mut Block,
    ) -> std::io::Result<()> {
        let end = (start + self.block_bytes as u64).min(length);
        let from = match start {
            0 => 0,
            _ => line_start(file, start, end)?,
        };
        block.offset = from;
        block.bytes.resize((end - from) as usize, 0);
        let got = read_full_at(file, &mut block.bytes, from)?;
        block.bytes.truncate(got);
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
        Ok(())
    }
}

/// Where the first line starts that starts in `start..end`; `end` where none does.
fn line_start(file: &fs_err::File, start: u64, end: u64) -> std::io::Result<u64> {
    let mut buffer = [0; 4096];
    // One byte in front: whether it is a line end decides if a line starts here.
    let mut from = start - 1;
    while from < end {
        let got = read_full_at(file, &mut buffer, from)?;
        match memchr::memchr(b'\n', &buffer[..got]) {
            Some(at) => return Ok((from + at as u64 + 1).min(end)),
            None if got == 0 => return Ok(end),
            None => from += got as u64,
        }
    }
    Ok(end)
}

/// Bytes fetched at a time to find the end of a line that crosses the edge of a block.
const EXTENSION_BYTES: usize = 16 * 1024;

impl Stream {
    fn next(&mut self, block: &mut Block, block_bytes: usize, line_limit: usize) -> bool {
        block.bytes.clear();
        block.bytes.append(&mut self.carry);
        loop {
            self.fill(&mut block.bytes, block_bytes);
            if self.skipping {
                let end = memchr::memchr(b'\n', &block.bytes);
                let skipped = end.map_or(block.bytes.len(), |at| at + 1);
                block.bytes.drain(..skipped);
                self.offset += skipped as u64;
                self.skipping = end.is_none() && !self.ended;
                continue;
            }
            if block.bytes.is_empty() {
                return false;
            }
            let cut = match memchr::memrchr(b'\n', &block.bytes) {
                Some(at) => at + 1,
                None if self.ended => block.bytes.len(),
                None if block.bytes.len() > line_limit => {
                    self.skipping = true;
                    block.bytes.len()
                }
                None => {
                    let more = block.bytes.len() + block_bytes;
                    self.fill(&mut block.bytes, more);
                    continue;
                }
            };
            self.carry.extend_from_slice(&block.bytes[cut..]);
            block.bytes.truncate(cut);
            block.index = self.next_index;
            block.offset = self.offset;
            self.next_index += 1;
            self.offset += cut as u64;
            return true;
        }
    }

    /// Reads until `bytes` holds `target` bytes or the stream ends.
    fn fill(&mut self, bytes: &mut Vec<u8>, target: usize) {
        let mut have = bytes.len();
        bytes.resize(target.max(have), 0);
        while have < target && !self.ended {
            match self.reader.read(&mut bytes[have..]) {
                Ok(got) => {
                    have += got;
                    self.ended = got == 0;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failure = Some(error);
                    self.ended = true;
                }
            }
        }
        bytes.truncate(have);
    }
}

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
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::super::open::open_all;
    use super::*;

    fn lines_of(blocks: &Blocks, line_limit: usize) -> Vec<(u64, String)> {
        let mut found = Vec::new();
        let mut block = Block::default();
        while blocks.next(&mut block).unwrap() {
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
                let (input, _) = open_all(&[file.path().to_owned()], None).unwrap().remove(0);
                let held = Arc::from(text.as_bytes());
                let (stream, _) = open_all(&[PathBuf::from("-")], Some(&held)).unwrap().remove(0);
                for input in [input, stream] {
                    let blocks = Blocks::new(input, Framing::Lines, block_bytes, 64);
                    assert_eq!(lines_of(&blocks, 64), expected, "{text:?} in blocks of {block_bytes}");
                }
            }
        }
    }
}
