//! Sufficient statistics: integers that add up exactly, over any split of the clients.
//!
//! Everything that the model needs of the events is here, and nothing that is a person's.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::event::Event;
use crate::kind::Kind;
use crate::read::Reading;
use crate::route::Routes;
use crate::session::by_client;
use crate::settings::ModelSettings;
use crate::store::PARTITIONS;

pub(crate) mod cell;
pub(crate) mod civil;
pub(crate) mod companion;
mod counter;
pub(crate) mod origins;
pub(crate) mod pauses;
pub(crate) mod sample;
pub(crate) mod start;
mod survey;
pub(crate) mod whole;

use cell::{Bin, Cell};
use companion::Companion;
use counter::Counter;
use origins::Origins;
use sample::Sample;
use start::Start;
use survey::{Survey, Surveyed};
use whole::WholeSessions;

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
    /// Steps of these sessions.
    pub(crate) steps_in_sessions: u64,
    /// Lengths of those that the log has as a whole.
    pub(crate) whole: WholeSessions,
    /// What the clients are.
    pub(crate) origins: Origins,
    /// The earliest session start that is counted, in seconds since 1970.
    pub(crate) first_start_s: Option<i64>,
    /// The sessions that models are fitted to; `None` of nothing.
    pub(crate) sample: Option<Sample>,
    /// Sessions that begin within one gap after the gap that ended the one before, by its last and their first route.
    pub(crate) sideband: Table<(RouteNumber, RouteNumber)>,
    /// When each session that is counted starts, in any order and any number of pieces: they are too many to be copied
    /// whenever two tallies meet.
    pub(crate) starts_at: Vec<Vec<Start>>,
    /// What those stand for, in thousandths.
    pub(crate) starts_mass: u64,
    /// When counting of starts began, in seconds since 1970, where that was later than the log.
    pub(crate) began_from_s: Option<i64>,
    /// Calls by the clock, by route and [`period_bin`].
    pub(crate) background: BTreeMap<(RouteNumber, i32), BackgroundTally>,
    /// Requests that are calls by the clock.
    pub(crate) polled: u64,
    /// Requests of keys that several people share.
    pub(crate) shared: u64,
    /// Pauses inside sessions of more than half the session gap.
    pub(crate) long_pauses: u64,
}

/// What was counted of calls by the clock of about one period.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BackgroundTally {
    /// Clients; each counts once.
    pub(crate) clients: Cell,
    /// Their periods, in milliseconds, added up.
    pub(crate) period_ms: u64,
    /// How long they called, in milliseconds, added up.
    pub(crate) lasted_ms: u64,
}

/// Periods in one bin are at most a quarter of an octave apart.
pub(crate) fn period_bin(period_ms: f64) -> i32 {
    (4.0 * period_ms.max(1.0).log2()).round() as i32
}

/// What was counted of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct EndpointTally {
    pub(crate) requests: Cell,
    /// Requests that somebody decided on.
    pub(crate) steps: Cell,
    /// What these brought along.
    pub(crate) companions: BTreeMap<RouteNumber, Companion>,
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
        for (kind, count) in other.kinds {
            *self.kinds.entry(kind).or_insert(0) += count;
        }
        for (route, endpoint) in other.endpoints {
            self.endpoints.entry(route).or_default().merge(endpoint, self.k);
        }
        merge_table(&mut self.starts, other.starts);
        merge_table(&mut self.steps, other.steps);
        merge_table(&mut self.ends, other.ends);
        self.steps_in_sessions += other.steps_in_sessions;
        self.whole.merge(other.whole, self.k);
        self.origins.merge(other.origins, self.k);
        self.sample = match (self.sample.take(), other.sample) {
            (Some(mut one), Some(other)) => {
                one.merge(other);
                Some(one)
            }
            (one, other) => one.or(other),
        };
        merge_table(&mut self.sideband, other.sideband);
        self.starts_at.extend(other.starts_at);
        self.starts_mass += other.starts_mass;
        self.first_start_s = [self.first_start_s, other.first_start_s].into_iter().flatten().min();
        for (key, other) in other.background {
            let known = self.background.entry(key).or_default();
            known.clients.merge(other.clients);
            known.period_ms += other.period_ms;
            known.lasted_ms += other.lasted_ms;
        }
        self.began_from_s = self.began_from_s.or(other.began_from_s);
        self.polled += other.polled;
        self.shared += other.shared;
        self.long_pauses += other.long_pauses;
        self
    }
}

impl EndpointTally {
    fn merge(&mut self, other: Self, k: u64) {
        self.requests.merge(other.requests);
        self.steps.merge(other.steps);
        for (route, companion) in other.companions {
            self.companions.entry(route).or_default().merge(companion);
        }
        for (status, cell) in other.statuses {
            self.statuses.entry(status).or_default().merge(cell);
        }
        merge_bins(&mut self.sizes, other.sizes, k);
        merge_bins(&mut self.durations, other.durations, k);
    }
}

fn ordered<K: Ord + Hash, V>(table: HashMap<K, V, FixedState>) -> BTreeMap<K, V> {
    table.into_iter().collect()
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

/// How often each resource was requested by requests that are in the model, and by files that pages bring along.
pub(crate) fn requested(reading: &Reading, settings: &ModelSettings) -> (Vec<Requested>, Vec<Requested>) {
    let of_resource = |by_kind: &[Requested; Kind::ALL.len()], counts: &dyn Fn(Kind) -> bool| {
        let mut sum = Requested::default();
        let kinds = Kind::ALL.into_iter().zip(by_kind).filter(|(kind, _)| counts(*kind));
        kinds.for_each(|(_, count)| sum.merge(*count));
        sum
    };
    let requested = |counts: &dyn Fn(Kind) -> bool| -> Vec<Requested> {
        reading.requested.iter().map(|by_kind| of_resource(by_kind, counts)).collect()
    };
    let files = settings.has_companions();
    (requested(&|kind| settings.models(kind)), requested(&|kind| files && kind == Kind::Static))
}

/// What all counting depends on.
#[derive(Clone, Copy)]
struct Context<'a> {
    of_resource: &'a [Option<RouteNumber>],
    gap_ms: i64,
    k: u64,
    /// Whether requests of each kind are in the model.
    modelled: [bool; Kind::ALL.len()],
    /// What a page does by itself is told from what people do.
    folds: bool,
    /// Clients that behave as bots are taken for bots.
    tells_bots: bool,
    has_companions: bool,
    /// So many files are in the log that who fetches none stands out.
    files_are_logged: bool,
    /// Sessions that began before had begun before the log, for all that it says.
    began_from_ms: i64,
    /// Sessions that were still going on then may have gone on after the log.
    open_from_ms: i64,
}

impl Context<'_> {
    fn route(&self, event: &Event) -> RouteNumber {
        self.of_resource[event.resource() as usize].unwrap_or_default()
    }

    /// The same, but every request is a step, and every session counts from its first to its last.
    fn without_folding(self) -> Self {
        Self { folds: false, began_from_ms: i64::MIN, open_from_ms: i64::MAX, ..self }
    }
}

/// Lengths of the session gap that a log must have for its edges to be cut off.
const LONG_GAPS: i64 = 8;
/// Files for each hundred pages from which on browsers stand out by fetching them.
const FILES_PER_100_PAGES: u64 = 20;

impl<'a> Context<'a> {
    fn new(reading: &Reading, routes: &'a Routes, settings: &'a ModelSettings) -> Self {
        let folds = !settings.is_as_logged();
        let count = |kind: Kind| -> u64 {
            reading.requested.iter().map(|by_kind| by_kind[kind as usize].requests).sum()
        };
        let (first_ns, last_ns) = reading.counts.span_ns.unwrap_or_default();
        let (first_ms, last_ms) = (first_ns.div_euclid(1_000_000), last_ns.div_euclid(1_000_000));
        let is_long = folds && last_ms - first_ms > settings.gap_ms.saturating_mul(LONG_GAPS);
        Self {
            of_resource: &routes.of_resource,
            gap_ms: settings.gap_ms,
            k: settings.k,
            modelled: Kind::ALL.map(|kind| settings.models(kind)),
            folds,
            tells_bots: folds && !settings.keep.contains(&Kind::Bot),
            has_companions: settings.has_companions(),
            files_are_logged: 100 * count(Kind::Static) >= FILES_PER_100_PAGES * count(Kind::Page),
            began_from_ms: if is_long { first_ms + settings.gap_ms } else { i64::MIN },
            open_from_ms: if is_long { last_ms - settings.gap_ms } else { i64::MAX },
        }
    }
}

/// Counts everything in `reading`.
///
/// # Errors
/// [`Error::Spill`].
pub(crate) fn tally(reading: &Reading, routes: &Routes, settings: &ModelSettings) -> Result<Tally, Error> {
    let context = Context::new(reading, routes, settings);
    let mut counters = counters(reading, context, None)?;
    let mut survey = Survey::default();
    counters.iter_mut().for_each(|counter| survey.merge(std::mem::take(&mut counter.survey)));
    let surveyed = survey.result();
    let counters = match counters.iter().any(|counter| counter.has_too_many_waiting) {
        true => self::counters(reading, context, Some(surveyed.clone()))?,
        false => counters.into_par_iter().map(|counter| counter.settle(&surveyed)).collect(),
    };
    let tally = sum(counters, settings.k);
    // Where too few are left once all is told apart, what was taken out of sessions is what there is to model.
    let too_few = tally.sessions.clients < settings.k && tally.shared + tally.polled > 0;
    if too_few || tally.starts_at.iter().all(Vec::is_empty) {
        return Ok(sum(self::counters(reading, context.without_folding(), Some(surveyed))?, settings.k));
    }
    Ok(tally)
}

/// Counts all clients, on all threads; without a survey those that depend on it wait.
fn counters<'a>(
    reading: &Reading,
    context: Context<'a>,
    surveyed: Option<Surveyed>,
) -> Result<Vec<Counter<'a>>, Error> {
    // One counter a thread, not one for each part that the partitions are split into: their tables are added up later.
    let next = AtomicUsize::new(0);
    let counted = rayon::broadcast(|_| {
        let mut counter = Counter::new(context, surveyed.clone());
        loop {
            let partition = next.fetch_add(1, Ordering::Relaxed);
            if partition >= PARTITIONS {
                return Ok(counter);
            }
            let events = reading.partition(partition)?;
            by_client(&events).for_each(|client| counter.client(client));
        }
    });
    counted.into_iter().collect()
}

fn sum(counters: Vec<Counter<'_>>, k: u64) -> Tally {
    counters.into_par_iter().map(Counter::finish).reduce(|| Tally::new(k), Tally::merge)
}

/// The kinds of requests that are in the model.
pub(crate) fn modelled_kinds(settings: &ModelSettings) -> Vec<Kind> {
    Kind::ALL.into_iter().filter(|kind| settings.models(*kind)).collect()
}
