//! Reading inputs into events: the one place where lines, formats, pseudonyms and threads meet.

mod assemble;
mod open;
mod summary;
mod worker;

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

use rayon::prelude::*;
use shared::profile::{Stamp, StampCheck};

use self::assemble::assemble;
pub(crate) use self::assemble::{ranks, sampling};
pub(crate) use self::open::{Found, Opened, Source, open};
pub use self::summary::InputSummary;
pub(crate) use self::summary::OrderKey;
pub(crate) use self::worker::records;
use self::worker::{BlockResult, Worker};
use crate::counts::Counts;
use crate::error::Error;
use crate::event::Event;
use crate::format::Cache;
use crate::kind::Kind;
use crate::privacy::country::Countries;
use crate::privacy::host::HostCounts;
use crate::privacy::pseudonym::Key;
use crate::query::QueryCounts;
use crate::resource::Resource;
use crate::session::stamps::Overlaps;
use crate::settings::ReadSettings;
use crate::source::{Block, Queue};
pub use crate::source::{PassedOver, Why};
use crate::store::{Events, PARTITIONS, Store};
use crate::tally::Requested;

/// Everything read: counts, and events without anybody in them.
#[derive(Debug)]
pub struct Reading {
    /// What was found in each input, in the order given.
    pub inputs: Vec<InputSummary>,
    /// Files that were not read, and why.
    pub passed_over: Vec<PassedOver>,
    /// Counts over all inputs.
    pub counts: Counts,
    pub(crate) resources: Vec<Resource>,
    /// How often each of `resources` was requested, by kind of request.
    pub(crate) requested: Vec<[Requested; Kind::ALL.len()]>,
    /// The query parameters of `resources`; empty unless they were asked for.
    pub(crate) queries: QueryCounts,
    /// The hosts that requests were for; empty unless queries were asked for.
    pub(crate) hosts: HostCounts,
    /// Input, block and line of the requests that another record tells of as well.
    pub(crate) duplicates: HashSet<(usize, u64, u64)>,
    events: Events,
}

impl Reading {
    /// Events of one partition: all requests of its clients, by client and then in the order of [`Event::order_ms`].
    ///
    /// Requests of the same moment stay in the order of their lines.
    ///
    /// # Errors
    /// [`Error::Spill`].
    pub(crate) fn partition(&self, partition: usize) -> Result<Vec<Event>, Error> {
        self.events.partition(partition).map_err(|source| Error::Spill { source })
    }

    /// What was read elsewhere.
    ///
    /// # Errors
    /// [`Error::Spill`].
    pub(crate) fn of_parts(
        inputs: Vec<InputSummary>,
        counts: Counts,
        resources: Vec<Resource>,
        requested: Vec<[Requested; Kind::ALL.len()]>,
        queries: QueryCounts,
        hosts: HostCounts,
        events: Events,
    ) -> Result<Self, Error> {
        let (passed_over, duplicates) = (Vec::new(), HashSet::new());
        let mut reading =
            Self { inputs, passed_over, counts, resources, requested, queries, hosts, duplicates, events };
        reading.check_stamps()?;
        Ok(reading)
    }

    /// Events of one partition as they were stamped, by input: in the order of the inputs' ranks, and of their lines.
    pub(crate) fn pieces(&self, partition: usize) -> std::io::Result<Vec<(usize, Vec<Event>)>> {
        self.events.pieces(partition)
    }

    /// What the inputs' own durations say about their stamps. Where the log contradicts what is known of its format,
    /// its durations are not subtracted: stamps then count as neither start nor end. What people said stands.
    fn check_stamps(&mut self) -> Result<(), Error> {
        let mut of_format: BTreeMap<(String, Stamp), Vec<usize>> = BTreeMap::new();
        for (number, input) in self.inputs.iter().enumerate().filter(|(_, input)| input.timed > 0) {
            of_format.entry((input.label(), input.stamp())).or_default().push(number);
        }
        for ((_, stamp), inputs) in of_format {
            let resolution_ns = inputs.iter().map(|number| self.inputs[*number].resolution_ns).max();
            let mut chosen = vec![false; self.inputs.len()];
            inputs.iter().for_each(|number| chosen[*number] = true);
            let resolution_ms = resolution_ns.unwrap_or(1) / 1_000_000;
            let check = (0..PARTITIONS)
                .into_par_iter()
                .map(|partition| {
                    let events = self.events.of_inputs(&chosen, partition)?;
                    Ok(Overlaps::of_slow_clients(events.iter().copied(), stamp, resolution_ms))
                })
                .try_reduce(Overlaps::default, |one, other| Ok(one.plus(other)))
                .map_err(|source| Error::Spill { source })?
                .verdict(stamp);
            inputs.iter().for_each(|number| self.inputs[*number].stamp_check = Some(check));
            if check == StampCheck::Disagrees && self.inputs[inputs[0]].stamp_given.is_none() {
                self.events.pace(&inputs, stamp);
            }
        }
        Ok(())
    }
}

/// Reads all inputs, on all threads of the current pool. `on_bytes` hears of every block read.
///
/// # Errors
/// What [`open`] gives, a file that cannot be read.
pub fn read(settings: &ReadSettings, key: &Key, on_bytes: &(dyn Fn(u64) + Sync)) -> Result<Reading, Error> {
    let Opened { sources, passed_over } = open(settings)?;
    let (turns, sources): (Vec<_>, Vec<Found>) = sources
        .into_iter()
        .map(|Source { input, found }| ((input, found.detection.format.framing()), found))
        .unzip();
    let queue = Queue::new(turns, settings.block_bytes, settings.limits());
    let store = Store::new(settings.event_bytes);
    let failure: Mutex<Option<Error>> = Mutex::new(None);
    let results: Mutex<Vec<BlockResult>> = Mutex::new(Vec::new());
    let workers: Vec<Worker<'_>> = rayon::broadcast(|context| {
        let mut worker = Worker::new(context.index(), settings, key, sources.len() > 1);
        let (mut block, mut cache) = (Block::default(), Cache::default());
        while lock(&failure).is_none()
            && let Some(input) = queue.next(&mut block)
        {
            on_bytes(block.bytes.len() as u64);
            match worker.block(input, &block, &sources[input].detection.format, &mut cache, &store) {
                Ok(result) => lock(&results).push(result),
                Err(error) => *lock(&failure) = Some(error),
            }
        }
        worker
    });
    if let Some(error) = into_inner(failure) {
        return Err(error);
    }
    settings.countries.as_deref().map_or(Ok(()), Countries::check)?;
    let mut reading = assemble(queue.endings(), sources, into_inner(results), workers, store, settings);
    reading.check_stamps()?;
    Ok(Reading { passed_over, ..reading })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}
