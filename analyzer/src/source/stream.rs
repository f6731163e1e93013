//! Streams, which only one thread can decode at a time: each decodes a block, passes the decoder on, and parses the block.
//!
//! So a block is parsed from the cache of the core that decoded it, and no thread is idle while there is something to
//! decode: where decoding takes longer than parsing, a log takes no longer than decoding it alone.

use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use super::blocks::{Block, Next};
use super::flaw::Ending;

/// Most bytes of a block: it is found in cache by whoever decoded it.
const BLOCK_BYTES: usize = 1 << 20;
/// How often a thread that waits for the decoder looks whether it is free before it sleeps: for a tenth of a millisecond
/// or a few. To sleep and be woken takes about as long, and what is waited for is seldom more than the rest of a block.
const LOOKS: u32 = 4096;

/// The blocks of a stream.
pub(super) struct Stream {
    /// Gone at the end of the stream.
    decoder: Mutex<Option<Decoder>>,
}

impl Stream {
    /// What `decoder` gives.
    pub(super) fn new(decoder: Decoder) -> Self {
        Self { decoder: Mutex::new(Some(decoder)) }
    }

    /// Fills `block` with lines that nobody has; waits while another thread decodes.
    pub(super) fn next(&self, block: &mut Block) -> Next {
        for _ in 0..LOOKS {
            match self.try_next(block) {
                Next::Busy => std::hint::spin_loop(),
                next => return next,
            }
        }
        decoded(self.decoder.lock().unwrap_or_else(over), block)
    }

    /// As [`Stream::next`], but does not wait.
    pub(super) fn try_next(&self, block: &mut Block) -> Next {
        match self.decoder.try_lock() {
            Ok(decoder) => decoded(decoder, block),
            Err(TryLockError::Poisoned(poisoned)) => decoded(over(poisoned), block),
            Err(TryLockError::WouldBlock) => Next::Busy,
        }
    }
}

fn decoded(mut decoder: MutexGuard<'_, Option<Decoder>>, block: &mut Block) -> Next {
    if decoder.as_mut().is_some_and(|decoder| decoder.next(block)) {
        return Next::Filled;
    }
    *decoder = None;
    Next::End
}

/// A decoder that panicked gives nothing more.
fn over(poisoned: PoisonError<MutexGuard<'_, Option<Decoder>>>) -> MutexGuard<'_, Option<Decoder>> {
    let mut decoder = poisoned.into_inner();
    *decoder = None;
    decoder
}

/// Cuts what a reader gives into blocks.
pub(super) struct Decoder {
    reader: Box<dyn Read + Send>,
    block_bytes: usize,
    line_limit: usize,
    ending: Arc<Mutex<Ending>>,
    /// Read, but not handed out: the start of a line whose end has not come yet.
    carry: Vec<u8>,
    next_index: u64,
    offset: u64,
    /// Inside a line longer than the limit, whose bytes are skipped.
    skipping: bool,
    ended: bool,
}

impl Decoder {
    /// Of `head` and then `reader`; what breaks it off goes into `ending`.
    pub(super) fn new(
        reader: Box<dyn Read + Send>,
        head: Vec<u8>,
        block_bytes: usize,
        line_limit: usize,
        ending: Arc<Mutex<Ending>>,
    ) -> Self {
        let block_bytes = block_bytes.min(BLOCK_BYTES);
        Self {
            reader,
            block_bytes,
            line_limit,
            ending,
            carry: head,
            next_index: 0,
            offset: 0,
            skipping: false,
            ended: false,
        }
    }

    /// Fills `block` with the next lines; `false` at the end.
    fn next(&mut self, block: &mut Block) -> bool {
        let bytes = &mut block.bytes;
        let mut filled = self.carry.len();
        grow(bytes, filled);
        bytes[..filled].copy_from_slice(&self.carry);
        self.carry.clear();
        let mut wanted = self.block_bytes;
        loop {
            self.fill(bytes, &mut filled, wanted);
            if self.skipping {
                let end = memchr::memchr(b'\n', &bytes[..filled]);
                let skipped = end.map_or(filled, |at| at + 1);
                bytes.copy_within(skipped..filled, 0);
                filled -= skipped;
                self.offset += skipped as u64;
                self.skipping = end.is_none() && !self.ended;
                if self.skipping {
                    continue;
                }
            }
            if filled == 0 {
                if self.ended {
                    return false;
                }
                continue;
            }
            let cut = match memchr::memrchr(b'\n', &bytes[..filled]) {
                Some(at) => at + 1,
                None if self.ended => filled,
                None if filled > self.line_limit => {
                    self.skipping = true;
                    filled
                }
                None => {
                    wanted = filled + self.block_bytes;
                    continue;
                }
            };
            self.carry.extend_from_slice(&bytes[cut..filled]);
            bytes.truncate(cut);
            block.index = self.next_index;
            block.offset = self.offset;
            self.next_index += 1;
            self.offset += cut as u64;
            return true;
        }
    }

    /// Reads until `target` of `bytes` are filled, or the stream ends.
    fn fill(&mut self, bytes: &mut Vec<u8>, filled: &mut usize, target: usize) {
        while *filled < target && !self.ended {
            grow(bytes, target);
            match self.reader.read(&mut bytes[*filled..target]) {
                Ok(got) => {
                    *filled += got;
                    self.ended = got == 0;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ending.lock().unwrap_or_else(PoisonError::into_inner).add(&error);
                    self.ended = true;
                }
            }
        }
    }
}

/// Makes `bytes` at least so long. What is there stays, to be written over: to clear a block before it is filled would be
/// to write it twice.
fn grow(bytes: &mut Vec<u8>, length: usize) {
    if bytes.len() < length {
        bytes.resize(length, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Lines without end that break off by a panic.
    struct Breaking(u64);

    impl Read for Breaking {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            self.0 += 1;
            assert!(self.0 < 20, "a decoder that breaks");
            out.fill(b'\n');
            Ok(out.len())
        }
    }

    #[test]
    fn nobody_waits_for_a_decoder_that_broke() {
        let decoder = Decoder::new(Box::new(Breaking(0)), Vec::new(), 1 << 10, 64, Arc::default());
        let stream = Stream::new(decoder);
        let taken = AtomicU64::new(0);
        let panics = std::thread::scope(|scope| {
            let work = || {
                let mut block = Block::default();
                while stream.next(&mut block) == Next::Filled {
                    taken.fetch_add(1, Ordering::Relaxed);
                }
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|thread| thread.join().is_err()).filter(|panicked| *panicked).count()
        });
        assert_eq!((panics, taken.into_inner()), (1, 19));
    }
}
