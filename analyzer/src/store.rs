//! Events between reading and counting: in memory, and beyond a budget in a temporary file.
//!
//! All events of a client are in one of [`PARTITIONS`], and counting needs one partition at a time. Blocks of events
//! are kept as they come, each grouped by partition. When they fill the budget, all that are held go to the file as
//! one *run*, partition by partition, so that a partition is read back in a few long pieces. The order of events
//! does not depend on what was written when, and so neither does anything that is counted.
//!
//! What only all lines together tell of an event is kept beside it, as a [`Change`], and made when it is read back.
//!
//! The file holds what memory holds, pseudonyms of this run. It has no name where the system allows that, is
//! readable by its owner alone and gone with the process.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use shared::profile::Stamp;

use crate::event::{CLIENT_BITS, EVENT_BYTES, Event, Words};

/// Partitions by client: small enough to sort in cache, many enough for any number of threads.
pub(crate) const PARTITIONS: usize = 256;

/// Where a block stands: the number of its input, and its own in that.
pub(crate) type Place = (usize, u64);

/// The events of one block of input, grouped by partition, in the order of their lines inside each.
#[derive(Debug)]
pub(crate) struct EventBlock {
    place: Place,
    /// Whose numbers its resources have.
    worker: usize,
    /// Where each partition starts among its events; one more than there are partitions.
    starts: Box<[u32]>,
    /// Empty when they are in a run. Plain numbers, since the system hands out memory full of zeros: a block of events
    /// would be filled twice.
    events: Vec<Words>,
    /// By event.
    changes: Vec<Change>,
}

/// What is to be done to one event when it is read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Change {
    /// Its number among the events of its block, as they are grouped.
    pub(crate) event: u32,
    pub(crate) to: Changed,
}

/// What becomes of an event. Where several hold, the first does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Changed {
    /// It tells of what another one tells of, and is left out.
    LeftOut,
    /// It happened that many seconds later.
    Later(i32),
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

    /// Takes the events of one block.
    ///
    /// # Errors
    /// The temporary file cannot be made or written.
    pub(crate) fn add(&self, block: EventBlock) -> io::Result<()> {
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
                for words in events {
                    bytes.extend_from_slice(&Event::from_words(*words).to_bytes());
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
        Events { order, held, runs: state.runs, file: self.file, numbers, paced: vec![None; ranks.len()] }
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
    /// Of each input: how stamps were read that are to count as neither start nor end.
    paced: Vec<Option<Stamp>>,
}

impl Events {
    /// Events of one partition: all requests of its clients, by client and then in the order of [`Event::order_ms`].
    ///
    /// Requests of the same moment stay in the order of their lines.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub(crate) fn partition(&self, partition: usize) -> io::Result<Vec<Event>> {
        let runs = self.read_all(partition)?;
        let piece = |source: &Source| {
            let block = self.block(*source);
            let events = block.changed(partition, self.stored(*source, &runs, partition));
            let events = match self.paced[block.place.0] {
                Some(stamp) => {
                    events.iter().map(|words| Event::from_words(*words).paced(stamp).to_words()).collect()
                }
                None => events,
            };
            (events, self.numbers[block.worker].as_slice())
        };
        let pieces: Vec<Piece<'_>> = self.order.iter().map(piece).collect();
        Ok(sorted(&pieces))
    }

    /// Events of one partition and the chosen inputs, in the order of their lines, as they were stamped and with the
    /// resources of their workers.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub(crate) fn of_inputs(&self, chosen: &[bool], partition: usize) -> io::Result<Vec<Event>> {
        let runs = self.read_all(partition)?;
        let mut found = Vec::new();
        for source in &self.order {
            let block = self.block(*source);
            if chosen[block.place.0] {
                let events = block.changed(partition, self.stored(*source, &runs, partition));
                found.extend(events.iter().map(|words| Event::from_words(*words)));
            }
        }
        Ok(found)
    }

    /// Events of one partition as they were stamped, by input: in the order of the inputs' ranks, and of their lines.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub(crate) fn pieces(&self, partition: usize) -> io::Result<Vec<(usize, Vec<Event>)>> {
        let runs = self.read_all(partition)?;
        let mut pieces: Vec<(usize, Vec<Event>)> = Vec::new();
        for source in &self.order {
            let block = self.block(*source);
            let numbers = &self.numbers[block.worker];
            let renumbered = |words: &Words| Event::from_words(*words).renumbered(numbers);
            let events = block.changed(partition, self.stored(*source, &runs, partition));
            match pieces.last_mut().filter(|(input, _)| *input == block.place.0) {
                Some((_, piece)) => piece.extend(events.iter().map(renumbered)),
                None => pieces.push((block.place.0, events.iter().map(renumbered).collect())),
            }
        }
        pieces.retain(|(_, events)| !events.is_empty());
        Ok(pieces)
    }

    /// Makes `changes` to the events of the blocks at their places.
    pub(crate) fn change(&mut self, changes: impl Iterator<Item = (Place, Change)>) {
        let mut of_block: HashMap<Place, Vec<Change>> = HashMap::new();
        changes.for_each(|(place, change)| of_block.entry(place).or_default().push(change));
        if of_block.is_empty() {
            return;
        }
        let in_runs = self.runs.iter_mut().flat_map(|run| &mut run.blocks);
        for block in self.held.iter_mut().chain(in_runs) {
            if let Some(mut changes) = of_block.remove(&block.place) {
                changes.sort_unstable();
                changes.dedup_by_key(|change| change.event);
                block.changes = changes;
            }
        }
    }

    /// Start and end of requests in `inputs` are both their stamp, which was read as `stamp`.
    pub(crate) fn pace(&mut self, inputs: &[usize], stamp: Stamp) {
        inputs.iter().for_each(|input| self.paced[*input] = Some(stamp));
    }

    fn block(&self, source: Source) -> &EventBlock {
        match source {
            Source::Held(number) => &self.held[number],
            Source::Run(run, number) => &self.runs[run].blocks[number],
        }
    }

    /// What a block has of one partition, `runs` being what the runs have.
    fn stored<'e>(&'e self, source: Source, runs: &'e [RunPart], partition: usize) -> &'e [Words] {
        match source {
            Source::Held(number) => {
                let block = &self.held[number];
                &block.events[block.range(partition)]
            }
            Source::Run(run, number) => {
                let part = &runs[run];
                &part.events[part.starts[number]..part.starts[number + 1]]
            }
        }
    }

    /// What the runs have of one partition.
    fn read_all(&self, partition: usize) -> io::Result<Vec<RunPart>> {
        self.runs.iter().map(|run| self.read(run, partition)).collect()
    }

    /// What a run has of one partition.
    fn read(&self, run: &Run, partition: usize) -> io::Result<RunPart> {
        let (start, end) = (run.starts[partition], run.starts[partition + 1]);
        let mut bytes = vec![0; (end - start) as usize * EVENT_BYTES];
        if let Some(file) = &mut *lock(&self.file) {
            file.seek(SeekFrom::Start(start * EVENT_BYTES as u64))?;
            file.read_exact(&mut bytes)?;
        }
        let events = bytes.as_chunks::<EVENT_BYTES>().0.iter();
        let events = events.map(|bytes| Event::from_bytes(bytes).to_words()).collect();
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
    events: Vec<Words>,
    starts: Vec<usize>,
}

/// Events of one worker, and its numbers of resources.
type Piece<'a> = (Cow<'a, [Words]>, &'a [u32]);

impl EventBlock {
    /// The events of a block, in the order of its lines, grouped by the partition of each: a counting sort.
    pub(crate) fn group(place: Place, worker: usize, events: &[Event], partitions: &[u8]) -> Self {
        let mut starts = vec![0_u32; PARTITIONS + 1];
        for partition in partitions {
            starts[usize::from(*partition) + 1] += 1;
        }
        sum_up(&mut starts);
        let mut next = starts.clone();
        let mut grouped = vec![Words::default(); events.len()];
        for (event, partition) in events.iter().zip(partitions) {
            let at = &mut next[usize::from(*partition)];
            grouped[*at as usize] = event.to_words();
            *at += 1;
        }
        Self { place, worker, starts: starts.into(), events: grouped, changes: Vec::new() }
    }

    /// Where [`EventBlock::group`] put each event.
    pub(crate) fn positions(&self, partitions: &[u8]) -> Vec<u32> {
        let mut next = self.starts.to_vec();
        let place = |partition: &u8| {
            let at = &mut next[usize::from(*partition)];
            *at += 1;
            *at - 1
        };
        partitions.iter().map(place).collect()
    }

    /// The block's `events` of one partition, with what was found out about them since.
    fn changed<'e>(&self, partition: usize, events: &'e [Words]) -> Cow<'e, [Words]> {
        let (start, end) = (self.starts[partition], self.starts[partition + 1]);
        let before = |number: u32| self.changes.partition_point(|change| change.event < number);
        let changes = &self.changes[before(start)..before(end)];
        if changes.is_empty() {
            return Cow::Borrowed(events);
        }
        let mut changes = changes.iter().peekable();
        let change = |(number, words): (u32, &Words)| match changes.next_if(|change| change.event == number) {
            None => Some(*words),
            Some(Change { to: Changed::LeftOut, .. }) => None,
            Some(Change { to: Changed::Later(s), .. }) => {
                Some(Event::from_words(*words).later_ms(i64::from(*s) * 1000).to_words())
            }
        };
        (start..).zip(events).filter_map(change).collect()
    }

    /// Where the events of a partition are, or were, among all of the block.
    fn range(&self, partition: usize) -> Range<usize> {
        self.starts[partition] as usize..self.starts[partition + 1] as usize
    }
}

/// The events of one partition by client, and by [`Event::order_ms`] inside that; else in the order they come in.
///
/// A counting sort by the bits of the client that the partition leaves open brings nearly every client's events
/// together; what is left is to sort a few at a time, which mostly are in order.
fn sorted(pieces: &[Piece<'_>]) -> Vec<Event> {
    /// Events in one place of the table in the mean.
    const PER_PLACE: usize = 3;
    let all = || pieces.iter().flat_map(|(events, _)| events.iter());
    let count: usize = pieces.iter().map(|(events, _)| events.len()).sum();
    let bits = (count / PER_PLACE).max(2).ilog2();
    let place = |event: &Event| (event.client() >> (CLIENT_BITS - bits)) as usize;
    let mut starts = vec![0_u32; (1 << bits) + 1];
    all().for_each(|words| starts[place(&Event::from_words(*words)) + 1] += 1);
    sum_up(&mut starts);
    let mut next = starts.clone();
    let mut found = vec![Event::default(); count];
    for (events, numbers) in pieces {
        for words in events.iter() {
            let event = Event::from_words(*words);
            let at = &mut next[place(&event)];
            found[*at as usize] = event.renumbered(numbers);
            *at += 1;
        }
    }
    for range in starts.windows(2) {
        let place = &mut found[range[0] as usize..range[1] as usize];
        // Moments only where they decide: most places have several clients.
        place.sort_by(|one, other| {
            one.client().cmp(&other.client()).then_with(|| one.order_ms().cmp(&other.order_ms()))
        });
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

    /// Events of 40 clients with their partitions, of which every third comes twice in one moment.
    fn block(number: u64) -> Vec<(u8, Event)> {
        let event = |i: u64| {
            let stamp_ns = (1_000 + number * 100 + i / 2) as i64 * 1_000_000;
            let client = (i * i % 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let request = Request { stamp_ns, status: i as u16 % 500, ..Request::default() };
            ((client >> 56) as u8, Event::new(&request, client, (i % 3) as u32, Kind::Page))
        };
        (0..100 + number).map(event).collect()
    }

    /// All partitions, from blocks that came in another order than theirs.
    fn all(budget_bytes: u64) -> (usize, Vec<Event>) {
        let store = Store::new(budget_bytes);
        let mut changes = Vec::new();
        for (input, index) in [(1, 0), (0, 2), (0, 0), (1, 1), (0, 1)] {
            let number = (1 - input) * 3 + index;
            let (partitions, events): (Vec<u8>, Vec<Event>) = block(number).into_iter().unzip();
            let grouped = EventBlock::group((input as usize, index), 0, &events, &partitions);
            if (input, index) == (0, 1) {
                let position = grouped.positions(&partitions);
                let to = [Changed::Later(3), Changed::LeftOut, Changed::LeftOut, Changed::Later(-1)];
                let changed = [7, 90, 7, 11].into_iter().zip(to);
                changes.extend(changed.map(|(line, to)| ((0, 1), Change { event: position[line], to })));
            }
            store.add(grouped).unwrap();
        }
        let runs = lock(&store.state).runs.len();
        // The second input comes first.
        let mut events = store.finish(&[1, 0], vec![vec![2, 0, 1]]);
        events.change(changes.into_iter());
        events.pace(&[1], Stamp::Start);
        (runs, (0..PARTITIONS).flat_map(|partition| events.partition(partition).unwrap()).collect())
    }

    #[test]
    fn events_are_the_same_from_memory_and_from_the_file() {
        let mut expected: Vec<(u8, Event)> = Vec::new();
        for number in (0..2).chain(3..6) {
            for (line, (partition, event)) in block(number).into_iter().enumerate() {
                let event = event.with_resource([2, 0, 1][event.resource() as usize]);
                match (number, line) {
                    (4, 7 | 90) => {}
                    (4, 11) => expected.push((partition, event.later_ms(-1000))),
                    (0..2, _) => expected.push((partition, event.paced(Stamp::Start))),
                    _ => expected.push((partition, event)),
                }
            }
        }
        expected.sort_by_key(|(partition, event)| (*partition, event.client(), event.order_ms()));
        let expected: Vec<Event> = expected.into_iter().map(|(_, event)| event).collect();
        for (budget_bytes, expected_runs) in [(u64::MAX, 0), (6_000, 1), (3_000, 2), (0, 5)] {
            let (runs, found) = all(budget_bytes);
            assert_eq!(runs, expected_runs, "{budget_bytes}");
            assert!(found == expected, "{budget_bytes}");
        }
    }
}
