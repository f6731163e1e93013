//! The inputs of a run and their turns: blocks of all of them, handed to any number of threads.
//!
//! Threads share a plain file. Of a stream only one thread can decode at a time: it does while the others parse what they
//! have decoded, or go on to the next input. An input is opened when its turn has come and closed at its end, so that no
//! more are open at a time than there are threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::blocks::{Block, Blocks, Framing, Next};
use super::flaw::Ending;
use super::open::{Limits, Waiting};

/// All inputs of a run.
pub(crate) struct Queue {
    inputs: Vec<Turn>,
    block_bytes: usize,
    limits: Limits,
}

/// One input.
struct Turn {
    framing: Framing,
    state: Mutex<State>,
    over: AtomicBool,
}

enum State {
    Waiting(Waiting),
    Reading(Arc<Blocks>),
    /// Other threads may still be reading the last blocks, and may still find something.
    Over(Arc<Mutex<Ending>>),
}

impl Queue {
    /// The turns of `inputs`.
    pub(crate) fn new(inputs: Vec<(Waiting, Framing)>, block_bytes: usize, limits: Limits) -> Self {
        let turn = |(waiting, framing)| Turn {
            framing,
            state: Mutex::new(State::Waiting(waiting)),
            over: AtomicBool::new(false),
        };
        Self { inputs: inputs.into_iter().map(turn).collect(), block_bytes, limits }
    }

    /// Fills `block` with the next lines of any input, and gives its number; `None` when all are read.
    pub(crate) fn next(&self, block: &mut Block) -> Option<usize> {
        loop {
            let mut busy = None;
            for (number, turn) in self.inputs.iter().enumerate() {
                let Some(blocks) = self.blocks(turn) else { continue };
                match blocks.try_next(block) {
                    Next::Filled => return Some(number),
                    Next::Busy => busy = busy.or(Some((number, turn, blocks))),
                    Next::End => turn.end(&blocks),
                }
            }
            let (number, turn, blocks) = busy?;
            if blocks.next(block) {
                return Some(number);
            }
            turn.end(&blocks);
        }
    }

    /// The blocks of an input that is not over; opens it when nobody has.
    fn blocks(&self, turn: &Turn) -> Option<Arc<Blocks>> {
        if turn.over.load(Ordering::Relaxed) {
            return None;
        }
        let mut state = lock(&turn.state);
        match &*state {
            State::Reading(blocks) => return Some(Arc::clone(blocks)),
            State::Over(_) => return None,
            State::Waiting(_) => {}
        }
        let State::Waiting(waiting) = std::mem::replace(&mut *state, State::Over(Arc::default())) else {
            return None;
        };
        match waiting.open(self.limits) {
            Ok(input) => {
                let (block_bytes, line_limit) = (self.block_bytes, self.limits.line_bytes);
                let blocks = Arc::new(Blocks::new(input, turn.framing, block_bytes, line_limit));
                *state = State::Reading(Arc::clone(&blocks));
                Some(blocks)
            }
            Err(error) => {
                let mut ending = Ending::default();
                ending.add(&error);
                *state = State::Over(Arc::new(Mutex::new(ending)));
                turn.over.store(true, Ordering::Relaxed);
                None
            }
        }
    }

    /// How each input ended.
    pub(crate) fn endings(&self) -> Vec<Ending> {
        let ending = |turn: &Turn| match &*lock(&turn.state) {
            State::Waiting(_) => Ending::default(),
            State::Reading(blocks) => lock(blocks.ending()).clone(),
            State::Over(ending) => lock(ending).clone(),
        };
        self.inputs.iter().map(ending).collect()
    }
}

impl Turn {
    /// Closes the input.
    fn end(&self, blocks: &Blocks) {
        *lock(&self.state) = State::Over(Arc::clone(blocks.ending()));
        self.over.store(true, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
