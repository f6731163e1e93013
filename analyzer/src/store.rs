//! Events between reading and counting: in memory, and beyond a budget in a temporary file.
//!
//! All events of a client are in one of [`PARTITIONS`], and counting needs one partition at a time. Blocks of events
//! are kept as they come, each grouped by partition. When they fill the budget, all that are held go to the file as
//! one *run*, partition by partition, so that a partition is read back in a few long pieces. The order of events
//! does not depend on what was written when, and so neither does anything that is counted.
//!
//! The file holds what memory holds, pseudonyms of this run. It has no name where the system allows that, is
//! readable by its owner alone and gone with the process.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::event::{EVENT_BYTES, Event};

/// Partitions by client: small enough to sort in cache, many enough for any number of threads.
pub(crate) const PARTITIONS: usize = 256;

/// Where a block stands: the number of its input, and its own in that.
pub(crate) type Place = (usize, u64);

/// The events of one block of input, grouped by partition, in the order of their lines inside each.
#[derive(Debug)]
struct EventBlock {
    place: Place,
    /// Whose numbers its resources have.
    worker: usize,
    /// Where each partition starts among its events; one more than there are partitions.
    starts: Box<[u32]>,
    /// Empty when they are in a run.
    events: Vec<Event>,
}

/// Blocks that were written to the file together, in the order of their places.
#[derive(Debug)]
struct Run {
    blocks: Vec<EventBlock>,
    /// Where each partition starts in the file, in events; one more than there are partitions.
    starts: Vec<u64>,
}

/// Takes events in, from any thread.
#[derive(Debug)]
pub(crate) struct Store {
    /// Events held in memory at most.
    budget: usize,
    state: Mutex<State>,
    file: Mutex<Option<File>>,
}

#[derive(Debug, Default)]
struct State {
    held: Vec<EventBlock>,
    held_events: usize,
    runs: Vec<Run>,
    /// Events in the file, or about to be.
    written: u64,
}

impl Store {
    /// A store that holds events of at most `budget_bytes` in memory.
    pub(crate) fn new(budget_bytes: u64) -> Self {
        let budget = usize::try_from(budget_bytes).unwrap_or(usize::MAX) / EVENT_BYTES;
        Self { budget, state: Mutex::default(), file: Mutex::default() }
    }

    /// Takes the events of one block, in the order of its lines.
    ///
    /// # Errors
    /// The temporary file cannot be made or written.
    pub(crate) fn add(&self, place: Place, worker: usize, events: &[Event]) -> io::Result<()> {
        let block = group(place, worker, events);
        let mut state = lock(&self.state);
        state.held_events += block.events.len();
        state.held.push(block);
        if state.held_events <= self.budget {
            return Ok(());
        }
        let blocks = std::mem::take(&mut state.held);
        let start = state.written;
        state.written += state.held_events as u64;
        state.held_events = 0;
        // Others read on meanwhile.
        drop(state);
        let run = self.write(blocks, start)?;
        lock(&self.state).runs.push(run);
        Ok(())
    }

    /// Writes `blocks` to the file, `start` events from its beginning.
    fn write(&self, mut blocks: Vec<EventBlock>, start: u64) -> io::Result<Run> {
        /// Events that are written at a time.
        const CHUNK: usize = 1 << 14;
        blocks.sort_unstable_by_key(|block| block.place);
        let mut starts = vec![start];
        let (mut written, mut end) = (start, start);
        let mut bytes = Vec::with_capacity(CHUNK * EVENT_BYTES);
        for partition in 0..PARTITIONS {
            for events in blocks.iter().map(|block| &block.events[block.range(partition)]) {
                end += events.len() as u64;
                for event in events {
                    bytes.extend_from_slice(&event.to_bytes());
                    if bytes.len() == CHUNK * EVENT_BYTES {
                        self.write_at(written, &bytes)?;
                        written += CHUNK as u64;
                        bytes.clear();
                    }
                }
            }
            starts.push(end);
        }
        self.write_at(written, &bytes)?;
        blocks.iter_mut().for_each(|block| block.events = Vec::new());
        Ok(Run { blocks, starts })
    }

    fn write_at(&self, event: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = lock(&self.file);
        let file = match &mut *file {
            Some(file) => file,
            None => file.insert(tempfile::tempfile()?),
        };
        file.seek(SeekFrom::Start(event * EVENT_BYTES as u64))?;
        file.write_all(bytes)
    }

    /// All events. `ranks` puts the inputs in order; `numbers` are those of each worker's resources.
    pub(crate) fn finish(self, ranks: &[usize], numbers: Vec<Vec<u32>>) -> Events {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let rank = |place: Place| (ranks[place.0], place.1);
        let mut held = state.held;
        held.sort_unstable_by_key(|block| rank(block.place));
        let mut order: Vec<(usize, u64, Source)> = Vec::new();
        let mut push = |place: Place, source| {
            let (input, index) = rank(place);
            order.push((input, index, source));
        };
        for (number, block) in held.iter().enumerate() {
            push(block.place, Source::Held(number));
        }
        for (run, blocks) in state.runs.iter().enumerate() {
            for (number, block) in blocks.blocks.iter().enumerate() {
                push(block.place, Source::Run(run, number));
            }
        }
        order.sort_unstable_by_key(|(input, index, _)| (*input, *index));
        let order = order.into_iter().map(|(_, _, source)| source).collect();
        Events { order, held, runs: state.runs, file: self.file, numbers }
    }
}

/// Where the events of a block are.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// The number of the block.
    Held(usize),
    /// The number of the run, and of the block in it.
    Run(usize, usize),
}

/// All events of all inputs.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// The blocks in the order of their lines.
    order: Vec<Source>,
    held: Vec<EventBlock>,
    runs: Vec<Run>,
    file: Mutex<Option<File>>,
    /// Of each worker: its own number of a resource → the number in all.
    numbers: Vec<Vec<u32>>,
}

impl Events {
    /// Events of one partition: all requests of its clients, by client and then in the order of [`Event::order_ms`].
    ///
    /// Requests of the same moment stay in the order of their lines.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub(crate) fn partition(&self, partition: usize) -> io::Result<Vec<Event>> {
        let runs: Vec<RunPart> =
            self.runs.iter().map(|run| self.read(run, partition)).collect::<io::Result<_>>()?;
        let pieces: Vec<Piece<'_>> = self
            .order
            .iter()
            .map(|source| match *source {
                Source::Held(number) => {
                    let block = &self.held[number];
                    (&block.events[block.range(partition)], self.numbers[block.worker].as_slice())
                }
                Source::Run(run, number) => {
                    let (block, part) = (&self.runs[run].blocks[number], &runs[run]);
                    let events = &part.events[part.starts[number]..part.starts[number + 1]];
                    (events, self.numbers[block.worker].as_slice())
                }
            })
            .collect();
        Ok(sorted(&pieces))
    }

    /// What a run has of one partition.
    fn read(&self, run: &Run, partition: usize) -> io::Result<RunPart> {
        let (start, end) = (run.starts[partition], run.starts[partition + 1]);
        let mut bytes = vec![0; (end - start) as usize * EVENT_BYTES];
        if let Some(file) = &mut *lock(&self.file) {
            file.seek(SeekFrom::Start(start * EVENT_BYTES as u64))?;
            file.read_exact(&mut bytes)?;
        }
        let events = bytes.as_chunks::<EVENT_BYTES>().0.iter().map(Event::from_bytes).collect();
        let mut starts = vec![0];
        let mut next = 0;
        for block in &run.blocks {
            next += block.range(partition).len();
            starts.push(next);
        }
        Ok(RunPart { events, starts })
    }
}

/// What a run has of one partition, and where each of its blocks starts in that.
struct RunPart {
    events: Vec<Event>,
    starts: Vec<usize>,
}

/// Events of one worker, and its numbers of resources.
type Piece<'a> = (&'a [Event], &'a [u32]);

impl EventBlock {
    /// Where the events of a partition are, or were, among all of the block.
    fn range(&self, partition: usize) -> Range<usize> {
        self.starts[partition] as usize..self.starts[partition + 1] as usize
    }
}

/// The events grouped by partition, in order inside each: a counting sort.
fn group(place: Place, worker: usize, events: &[Event]) -> EventBlock {
    let partition = |event: &Event| (event.client() >> 56) as usize;
    let mut starts = vec![0_u32; PARTITIONS + 1];
    for event in events {
        starts[partition(event) + 1] += 1;
    }
    sum_up(&mut starts);
    let mut next = starts.clone();
    let mut grouped = events.to_vec();
    for event in events {
        let at = &mut next[partition(event)];
        grouped[*at as usize] = *event;
        *at += 1;
    }
    EventBlock { place, worker, starts: starts.into(), events: grouped }
}

/// The events of one partition by client, and by [`Event::order_ms`] inside that; else in the order they come in.
///
/// A counting sort by the bits of the client that the partition leaves open brings nearly every client's events
/// together; what is left is to sort a few at a time, which mostly are in order.
fn sorted(pieces: &[Piece<'_>]) -> Vec<Event> {
    /// Events in one place of the table in the mean.
    const PER_PLACE: usize = 8;
    let all = || pieces.iter().flat_map(|(events, _)| *events);
    let count: usize = pieces.iter().map(|(events, _)| events.len()).sum();
    let bits = (count / PER_PLACE).max(2).ilog2();
    let place = |event: &Event| (event.client() << 8 >> (64 - bits)) as usize;
    let mut starts = vec![0_u32; (1 << bits) + 1];
    all().for_each(|event| starts[place(event) + 1] += 1);
    sum_up(&mut starts);
    let mut next = starts.clone();
    let mut found = vec![Event::default(); count];
    for (events, numbers) in pieces {
        for event in *events {
            let at = &mut next[place(event)];
            found[*at as usize] = event.with_resource(numbers[event.resource() as usize]);
            *at += 1;
        }
    }
    for range in starts.windows(2) {
        found[range[0] as usize..range[1] as usize].sort_by_key(|event| (event.client(), event.order_ms()));
    }
    found
}

/// Counts, each moved one to the right, become starts.
fn sum_up(starts: &mut [u32]) {
    let mut sum = 0;
    for start in starts {
        sum += *start;
        *start = sum;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use crate::request::Request;

    /// Events of 40 clients, of which every third comes twice in one moment.
    fn block(number: u64) -> Vec<Event> {
        let event = |i: u64| {
            let stamp_ns = (1_000 + number * 100 + i / 2) as i64 * 1_000_000;
            let client = (i * i % 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let request = Request { stamp_ns, status: i as u16 % 500, ..Request::default() };
            Event::new(&request, client, (i % 3) as u32, Kind::Page)
        };
        (0..100 + number).map(event).collect()
    }

    /// All partitions, from blocks that came in another order than theirs.
    fn all(budget_bytes: u64) -> (usize, Vec<Event>) {
        let store = Store::new(budget_bytes);
        for (input, index) in [(1, 0), (0, 2), (0, 0), (1, 1), (0, 1)] {
            let number = (1 - input) * 3 + index;
            store.add((input as usize, index), 0, &block(number)).unwrap();
        }
        let runs = lock(&store.state).runs.len();
        // The second input comes first.
        let events = store.finish(&[1, 0], vec![vec![2, 0, 1]]);
        (runs, (0..PARTITIONS).flat_map(|partition| events.partition(partition).unwrap()).collect())
    }

    #[test]
    fn events_are_the_same_from_memory_and_from_the_file() {
        let mut expected: Vec<Event> = (0..2)
            .chain(3..6)
            .flat_map(block)
            .map(|event| event.with_resource([2, 0, 1][event.resource() as usize]))
            .collect();
        expected.sort_by_key(|event| (event.client() >> 56, event.client(), event.order_ms()));
        for (budget_bytes, expected_runs) in [(u64::MAX, 0), (6_000, 1), (3_000, 2), (0, 5)] {
            let (runs, found) = all(budget_bytes);
            assert_eq!(runs, expected_runs, "{budget_bytes}");
            assert!(found == expected, "{budget_bytes}");
        }
    }
}
