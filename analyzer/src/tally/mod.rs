//! Sufficient statistics: integers that add up exactly, over any split of the clients.
//!
//! Everything that the model needs of the events is here, and nothing that is a person's.

use std::collections::BTreeMap;
use std::hash::Hash;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rayon::prelude::*;

use crate::event::Event;
use crate::kind::Kind;
use crate::read::{PARTITIONS, Reading};
use crate::route::Routes;
use crate::session::{by_client, sessions};
use crate::settings::ModelSettings;
use crate::weight::REQUEST;

pub(crate) mod cell;
pub(crate) mod civil;

use cell::{Bin, Cell};
use civil::CivilClock;

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
    /// Gaps by the route they follow.
    pub(crate) gaps: BTreeMap<RouteNumber, GapTally>,
    /// Session starts by bin of the civil week.
    pub(crate) arrivals: BTreeMap<i64, Bin>,
    /// The earliest session start, in seconds since 1970.
    pub(crate) first_start_s: Option<i64>,
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
    /// The next request began before the response ended: made by the page, not by a person.
    pub(crate) overlaps: u64,
}

impl GapTally {
    pub(crate) fn merge(&mut self, other: Self, k: u64) {
        self.gaps.merge(other.gaps);
        self.join_counts(other, k);
    }

    /// The gaps of two endpoints together, whose clients may be the same.
    pub(crate) fn join(&mut self, other: Self, k: u64) {
        self.gaps = self.gaps.join(other.gaps);
        self.join_counts(other, k);
    }

    fn join_counts(&mut self, other: Self, k: u64) {
        self.paced += other.paced;
        self.overlaps += other.overlaps;
        self.coarse_gaps += other.coarse_gaps;
        add_counts(&mut self.coarse, other.coarse);
        merge_bins(&mut self.fine, other.fine, k);
    }
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
        for (route, gaps) in other.gaps {
            self.gaps.entry(route).or_default().merge(gaps, self.k);
        }
        merge_bins(&mut self.arrivals, other.arrivals, self.k);
        self.first_start_s = [self.first_start_s, other.first_start_s].into_iter().flatten().min();
        self
    }

    /// Counts one session, given the route of each of its events.
    fn session(&mut self, session: &[Event], route: impl Fn(&Event) -> RouteNumber, clock: &CivilClock) {
        let client = session[0].client();
        // A session is seen when one of its requests is, so it stands for no more than the surest of them; requests
        // of sessions sampled as a whole all weigh the same.
        let mass = session.iter().map(Event::mass).min().unwrap_or(REQUEST);
        self.sessions.add(client, mass);
        *self.lengths.entry(session.len() as u64).or_insert(0) += 1;
        self.starts.entry(route(&session[0])).or_default().add(client, mass);
        let start_s = session[0].start_ms().div_euclid(1000);
        self.first_start_s = Some(self.first_start_s.map_or(start_s, |first| first.min(start_s)));
        let bin = clock.second_of_week(start_s) / ARRIVAL_BIN_S;
        self.arrivals.entry(bin).or_default().add(client, mass, self.k);
        for event in session {
            let endpoint = self.endpoints.entry(route(event)).or_default();
            endpoint.add(event, self.k);
        }
        for pair in session.windows(2) {
            let (from, to) = (route(&pair[0]), route(&pair[1]));
            self.steps.entry((from, to)).or_default().add(client, mass);
            self.gaps.entry(from).or_default().add(&pair[0], &pair[1], mass, self.k);
        }
        self.ends.entry(route(&session[session.len() - 1])).or_default().add(client, mass);
    }
}

impl EndpointTally {
    fn add(&mut self, event: &Event, k: u64) {
        let (client, mass) = (event.client(), event.mass());
        self.requests.add(client, mass);
        self.statuses.entry(event.status()).or_default().add(client, mass);
        if let Some(bin) = event.size_bin() {
            self.sizes.entry(bin).or_default().add(client, mass, k);
        }
        if let Some(duration_us) = event.duration_us() {
            self.durations
                .entry(time_bin(duration_us as f64 * 1e-6, DURATION_RELATIVE_ERROR))
                .or_default()
                .add(client, mass, k);
        }
    }

    fn merge(&mut self, other: Self, k: u64) {
        self.requests.merge(other.requests);
        for (status, cell) in other.statuses {
            self.statuses.entry(status).or_default().merge(cell);
        }
        merge_bins(&mut self.sizes, other.sizes, k);
        merge_bins(&mut self.durations, other.durations, k);
    }
}

impl GapTally {
    fn add(&mut self, from: &Event, to: &Event, mass: u64, k: u64) {
        let gap_ms = to.start_ms() - from.end_ms();
        let coarse = from.is_coarse() || to.is_coarse();
        // Two stamps cut to seconds can make a gap look up to one second shorter than it was.
        if gap_ms < 0 && !(coarse && gap_ms > -1000) {
            self.overlaps += 1;
            return;
        }
        self.gaps.add(from.client(), mass);
        self.paced += u64::from(from.is_paced());
        if coarse {
            *self.coarse.entry(gap_ms).or_insert(0) += mass;
            self.coarse_gaps += 1;
        } else {
            self.fine.entry(time_bin(gap_ms as f64 * 1e-3, GAP_RELATIVE_ERROR)).or_default().add(
                from.client(),
                mass,
                k,
            );
        }
    }
}

/// Bin of a positive time in a log-histogram of seconds; `None` for zero.
fn time_bin(seconds: f64, relative_error: f64) -> Option<i32> {
    let log_width = shared::distribution::log_width(relative_error);
    (seconds > 0.0).then(|| shared::distribution::bin_index(seconds, log_width))
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
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Requested {
    /// All of them.
    pub(crate) requests: u64,
    /// Those that were answered with something other than an error.
    pub(crate) answered: u64,
}

/// How often each resource was requested by requests that are in the model.
pub(crate) fn requested(reading: &Reading, settings: &ModelSettings) -> Vec<Requested> {
    let empty = || vec![Requested::default(); reading.resources.len()];
    (0..PARTITIONS)
        .into_par_iter()
        .fold(empty, |mut counts, partition| {
            for event in reading.unsorted_partition(partition).filter(|event| in_model(event, settings)) {
                let count = &mut counts[event.resource() as usize];
                count.requests += 1;
                count.answered += u64::from((100..400).contains(&event.status()));
            }
            counts
        })
        .reduce(empty, |mut one, other| {
            for (count, more) in one.iter_mut().zip(other) {
                count.requests += more.requests;
                count.answered += more.answered;
            }
            one
        })
}

/// Counts everything in `reading`.
pub(crate) fn tally(
    reading: &Reading,
    routes: &Routes,
    clock: &CivilClock,
    settings: &ModelSettings,
) -> Tally {
    let route = |event: &Event| routes.of_resource[event.resource() as usize].unwrap_or_default();
    (0..PARTITIONS)
        .into_par_iter()
        .fold(
            || Tally::new(settings.k),
            |mut tally, partition| {
                let mut events = reading.partition(partition);
                for client in by_client(&events) {
                    tally.all_clients += 1;
                    for event in client {
                        *tally.kinds.entry(event.kind()).or_insert(0) += 1;
                    }
                }
                events.retain(|event| in_model(event, settings));
                for client in by_client(&events) {
                    tally.clients += 1;
                    for session in sessions(client, settings.gap_ms) {
                        tally.session(session, route, clock);
                    }
                }
                tally
            },
        )
        .reduce(|| Tally::new(settings.k), Tally::merge)
}

fn in_model(event: &Event, settings: &ModelSettings) -> bool {
    event.kind() == Kind::Page || settings.keep.contains(&event.kind())
}
