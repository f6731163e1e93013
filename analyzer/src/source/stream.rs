//! Streams, which only one thread can decode at a time: blocks are decoded ahead of the threads that parse them.
//!
//! Whoever decodes goes on for as long as the others take what it has decoded. So nobody waits for a thread to wake up
//! between two blocks, and a log that takes longer to decode than to parse takes no longer than decoding it alone.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::blocks::{Block, Next};
use super::flaw::Ending;

/// Blocks that are decoded ahead at most, for each thread that may take one.
const AHEAD_PER_THREAD: usize = 6;
/// Blocks that are decoded ahead at most, however many threads there are: one decoder keeps few of them busy.
const MOST_AHEAD: usize = 12;
/// Most bytes of a block: it is found in cache by whoever parses it.
const BLOCK_BYTES: usize = 1 << 20;
/// Bytes read at a time: small enough to be in cache when they are decoded into.
const READ_BYTES: usize = 128 * 1024;

/// The blocks of a stream.
pub(super) struct Stream {
    state: Mutex<State>,
    /// There is a block to take or a decoder, or neither will come.
    changed: Condvar,
    ahead: usize,
}

#[derive(Default)]
struct State {
    /// Away while somebody decodes, and for good at the end.
    decoder: Option<Decoder>,
    ready: VecDeque<Block>,
    /// Blocks to be filled again.
    spent: Vec<Block>,
    is_over: bool,
}

impl Stream {
    /// What `decoder` gives, for so many threads.
    pub(super) fn new(decoder: Decoder, threads: usize) -> Self {
        let ahead = (AHEAD_PER_THREAD * threads.saturating_sub(1)).min(MOST_AHEAD);
        let state = State { decoder: Some(decoder), ..State::default() };
        Self { state: Mutex::new(state), changed: Condvar::new(), ahead }
    }

    /// Fills `block` with lines that nobody has, and waits for them where another thread decodes.
    pub(super) fn next(&self, block: &mut Block) -> Next {
        let mut state = self.lock();
        loop {
            if let Some(decoder) = state.decoder.take() {
                drop(state);
                return self.decode(decoder, block);
            }
            match state.taken(block) {
                Next::Busy => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                next => return next,
            }
        }
    }

    /// As [`Stream::next`], but does not wait.
    pub(super) fn try_next(&self, block: &mut Block) -> Next {
        let mut state = self.lock();
        match state.decoder.take() {
            Some(decoder) => {
                drop(state);
                self.decode(decoder, block)
            }
            None => state.taken(block),
        }
    }

    /// Decodes blocks for the others, and when they have enough of them, one for `block`.
    fn decode(&self, mut decoder: Decoder, block: &mut Block) -> Next {
        let mut turn = Turn { stream: self, decoder: None };
        while decoder.next(block) {
            let mut state = self.lock();
            if state.ready.len() >= self.ahead {
                drop(state);
                turn.decoder = Some(decoder);
                return Next::Filled;
            }
            let next = state.spent.pop().unwrap_or_default();
            state.ready.push_back(std::mem::replace(block, next));
            drop(state);
            self.changed.notify_one();
        }
        drop(turn);
        self.lock().taken(block)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Exchanges `block` for one that is ready.
    fn taken(&mut self, block: &mut Block) -> Next {
        match self.ready.pop_front() {
            Some(ready) => {
                self.spent.push(std::mem::replace(block, ready));
                Next::Filled
            }
            None if self.is_over => Next::End,
            None => Next::Busy,
        }
    }
}

/// Somebody decodes. Gives the decoder back when dropped; where there is none, by the end of the stream or a panic, it
/// tells those who wait.
struct Turn<'s> {
    stream: &'s Stream,
    decoder: Option<Decoder>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.stream.lock();
        state.decoder = self.decoder.take();
        state.is_over = state.decoder.is_none();
        drop(state);
        self.stream.changed.notify_all();
    }
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
            let end = target.min(*filled + READ_BYTES);
            grow(bytes, end);
            match self.reader.read(&mut bytes[*filled..end]) {
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
        let stream = Stream::new(decoder, 4);
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
