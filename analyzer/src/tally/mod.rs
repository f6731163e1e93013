//! Sufficient statistics: integers that add up exactly, over any split of the clients.
//!
//! Everything that the model needs of the events is here, and nothing that is a person's.

use std::collections::BTreeMap;
use std::hash::Hash;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::kind::Kind;
use crate::read::Reading;
use crate::route::Routes;
use crate::session::by_client;
use crate::settings::ModelSettings;
use crate::store::PARTITIONS;

pub(crate) mod cell;
pub(crate) mod civil;
mod counter;
pub(crate) mod sample;

use cell::{Bin, Cell};
use civil::CivilClock;
use counter::Counter;
use sample::Sample;

/// Relative error of gaps in histograms.
pub(crate) const GAP_RELATIVE_ERROR: f64 = 0.01;
/// Relative error of durations in histograms.
pub(crate) const DURATION_RELATIVE_ERROR: f64 = 0.02;
/// Width of an arrival bin in seconds: the finest time of day that is ever counted.
pub(crate) const ARRIVAL_BIN_S: i64 = 300;

/// A number of routes, as [`Routes`] numbers them.
pub(crate) type RouteNumber = u32;

/// Counts by key. Order does not matter: everything published is sorted by name.
pub(crate) type Table<K> = HashMap<K, Cell, FixedState>;

/// What was counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Fewest clients that a [`Bin`] must tell apart.
    k: u64,
    /// Clients with at least one request in the model.
    pub(crate) clients: u64,
    /// Clients of any kind.
    pub(crate) all_clients: u64,
    pub(crate) sessions: Cell,
    /// Requests by kind, in the model or not.
    pub(crate) kinds: BTreeMap<Kind, u64>,
    pub(crate) endpoints: BTreeMap<RouteNumber, EndpointTally>,
    pub(crate) starts: Table<RouteNumber>,
    pub(crate) steps: Table<(RouteNumber, RouteNumber)>,
    pub(crate) ends: Table<RouteNumber>,
    /// Sessions by number of requests.
    pub(crate) lengths: BTreeMap<u64, u64>,
    /// Session starts by bin of the civil week.
    pub(crate) arrivals: BTreeMap<i64, Bin>,
    /// The earliest session start, in seconds since 1970.
    pub(crate) first_start_s: Option<i64>,
    /// The sessions that models are fitted to; `None` of nothing.
    pub(crate) sample: Option<Sample>,
    /// Sessions that begin within one gap after the gap that ended the one before, by its last and their first route.
    pub(crate) sideband: Table<(RouteNumber, RouteNumber)>,
    /// The second since 1970 in which each session starts, in no order.
    pub(crate) starts_s: Vec<i64>,
}

/// What was counted of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct EndpointTally {
    pub(crate) requests: Cell,
    pub(crate) statuses: BTreeMap<u16, Cell>,
    /// Response sizes by bin of a log-histogram; `None` is no bytes.
    pub(crate) sizes: BTreeMap<Option<i32>, Bin>,
    /// Durations by bin of a log-histogram of seconds; `None` is zero.
    pub(crate) durations: BTreeMap<Option<i32>, Bin>,
}

/// Gaps inside sessions after one endpoint.
#[derive(Debug, Clone, Default)]
pub(crate) struct GapTally {
    pub(crate) gaps: Cell,
    /// Gaps after a response whose end is not known: stamp to stamp.
    pub(crate) paced: u64,
    /// Gaps between whole-second stamps.
    pub(crate) coarse_gaps: u64,
    /// What they stand for in thousandths, by milliseconds; may be negative, by rounding.
    pub(crate) coarse: BTreeMap<i64, u64>,
    /// Gaps between finer stamps, by bin of a log-histogram of seconds; `None` is zero.
    pub(crate) fine: BTreeMap<Option<i32>, Bin>,
}

impl Tally {
    fn new(k: u64) -> Self {
        Self { k, ..Self::default() }
    }

    /// Adds the tally of other clients.
    fn merge(mut self, other: Self) -> Self {
        self.clients += other.clients;
        self.all_clients += other.all_clients;
        self.sessions.merge(other.sessions);
        add_counts(&mut self.kinds, other.kinds);
        for (route, endpoint) in other.endpoints {
            self.endpoints.entry(route).or_default().merge(endpoint, self.k);
        }
        merge_table(&mut self.starts, other.starts);
        merge_table(&mut self.steps, other.steps);
        merge_table(&mut self.ends, other.ends);
        add_counts(&mut self.lengths, other.lengths);
        merge_bins(&mut self.arrivals, other.arrivals, self.k);
        self.sample = match (self.sample.take(), other.sample) {
            (Some(mut one), Some(other)) => {
                one.merge(other);
                Some(one)
            }
            (one, other) => one.or(other),
        };
        merge_table(&mut self.sideband, other.sideband);
        self.starts_s.extend(other.starts_s);
        self.first_start_s = [self.first_start_s, other.first_start_s].into_iter().flatten().min();
        self
    }
}

impl EndpointTally {
    fn merge(&mut self, other: Self, k: u64) {
        self.requests.merge(other.requests);
        for (status, cell) in other.statuses {
            self.statuses.entry(status).or_default().merge(cell);
        }
        merge_bins(&mut self.sizes, other.sizes, k);
        merge_bins(&mut self.durations, other.durations, k);
    }
}

fn add_counts<K: Ord>(into: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
    for (key, count) in from {
        *into.entry(key).or_insert(0) += count;
    }
}

fn merge_table<K: Eq + Hash>(into: &mut Table<K>, from: Table<K>) {
    for (key, cell) in from {
        into.entry(key).or_default().merge(cell);
    }
}

fn merge_bins<K: Ord>(into: &mut BTreeMap<K, Bin>, from: BTreeMap<K, Bin>, k: u64) {
    for (key, bin) in from {
        into.entry(key).or_default().merge(&bin, k);
    }
}

/// Requests for a resource that are in the model.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Requested {
    /// All of them.
    pub(crate) requests: u64,
    /// Those that were answered with something other than an error.
    pub(crate) answered: u64,
}

impl Requested {
    pub(crate) fn add(&mut self, status: u16) {
        self.requests += 1;
        self.answered += u64::from(is_answer(status));
    }

    /// Counts of resources, by kind of request, that several numbered each in its own way: `numbers` are those that
    /// they have in all.
    pub(crate) fn unite(
        of_each: &[Vec<[Self; Kind::ALL.len()]>],
        numbers: &[Vec<u32>],
        resources: usize,
    ) -> Vec<[Self; Kind::ALL.len()]> {
        let mut all = vec![<[Self; Kind::ALL.len()]>::default(); resources];
        for (counts, numbers) in of_each.iter().zip(numbers) {
            for (counts, number) in counts.iter().zip(numbers) {
                let sums = &mut all[*number as usize];
                sums.iter_mut().zip(counts).for_each(|(sum, count)| sum.merge(*count));
            }
        }
        all
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        self.answered += other.answered;
    }

    /// Takes one back that was added.
    pub(crate) fn remove(&mut self, status: u16) {
        self.requests -= 1;
        self.answered -= u64::from(is_answer(status));
    }
}

/// Something other than an error.
fn is_answer(status: u16) -> bool {
    (100..400).contains(&status)
}

/// How often each resource was requested by requests that are in the model.
pub(crate) fn requested(reading: &Reading, settings: &ModelSettings) -> Vec<Requested> {
    let of_resource = |by_kind: &[Requested; Kind::ALL.len()]| {
        let mut sum = Requested::default();
        let kinds = Kind::ALL.into_iter().zip(by_kind).filter(|(kind, _)| is_modelled(*kind, settings));
        kinds.for_each(|(_, count)| sum.merge(*count));
        sum
    };
    reading.requested.iter().map(of_resource).collect()
}

/// Counts everything in `reading`.
///
/// # Errors
/// [`Error::Spill`].
pub(crate) fn tally(
    reading: &Reading,
    routes: &Routes,
    clock: &CivilClock,
    settings: &ModelSettings,
) -> Result<Tally, Error> {
    let log_end_ms = reading.counts.span_ns.map_or(0, |(_, last_ns)| last_ns.div_euclid(1_000_000));
    let counter = || (Counter::new(routes, clock, settings, log_end_ms), Vec::new());
    (0..PARTITIONS)
        .into_par_iter()
        .try_fold(counter, |(mut counter, mut modelled), partition| {
            let events = reading.partition(partition)?;
            for client in by_client(&events) {
                counter.client(client, &mut modelled);
            }
            Ok((counter, modelled))
        })
        .map(|counted| counted.map(|(counter, _)| counter.finish()))
        .try_reduce(|| Tally::new(settings.k), |one, other| Ok(one.merge(other)))
}

/// The kinds of requests that are in the model.
pub(crate) fn modelled_kinds(settings: &ModelSettings) -> Vec<Kind> {
    Kind::ALL.into_iter().filter(|kind| is_modelled(*kind, settings)).collect()
}

fn is_modelled(kind: Kind, settings: &ModelSettings) -> bool {
    kind == Kind::Page || settings.keep.contains(&kind)
}
