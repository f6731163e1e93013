//! Counting itself, one client after the other: tables that are quick to add to, which end as a [`Tally`].

use std::collections::BTreeMap;
use std::hash::Hash;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::cell::{Bin, Cell};
use super::civil::CivilClock;
use super::sample::{self, Sample};
use super::{ARRIVAL_BIN_S, DURATION_RELATIVE_ERROR, EndpointTally, RouteNumber, Table, Tally};
use crate::event::Event;
use crate::kind::Kind;
use crate::route::Routes;
use crate::session::sessions;
use crate::settings::ModelSettings;
use crate::weight::REQUEST;

/// Counts of some of the clients.
pub(super) struct Counter<'a> {
    routes: &'a Routes,
    clock: &'a CivilClock,
    settings: &'a ModelSettings,
    clients: u64,
    all_clients: u64,
    sessions: Cell,
    kinds: [u64; Kind::ALL.len()],
    by_route: HashMap<RouteNumber, RouteCounter, FixedState>,
    steps: Table<(RouteNumber, RouteNumber)>,
    lengths: HashMap<u64, u64, FixedState>,
    arrivals: HashMap<i64, Bin, FixedState>,
    first_start_s: Option<i64>,
    /// The last moment of the log, in milliseconds since 1970: who asked shortly before may not have ended there.
    log_end_ms: i64,
    sample: Sample,
    sideband: Table<(RouteNumber, RouteNumber)>,
    starts_s: Vec<i64>,
    /// The route of each event of a session; kept to save its allocation.
    session_routes: Vec<RouteNumber>,
}

/// Counts of one route.
#[derive(Default)]
struct RouteCounter {
    starts: Cell,
    ends: Cell,
    requests: Cell,
    /// A route has few statuses.
    statuses: Vec<(u16, Cell)>,
    sizes: Bins,
    durations: Bins,
}

/// Bins of a log-histogram by number; `None` is zero.
type Bins = HashMap<Option<i32>, Bin, FixedState>;

impl<'a> Counter<'a> {
    pub(super) fn new(
        routes: &'a Routes,
        clock: &'a CivilClock,
        settings: &'a ModelSettings,
        log_end_ms: i64,
    ) -> Self {
        Self {
            routes,
            clock,
            settings,
            clients: 0,
            all_clients: 0,
            sessions: Cell::default(),
            kinds: Default::default(),
            by_route: HashMap::default(),
            steps: Table::default(),
            lengths: HashMap::default(),
            arrivals: HashMap::default(),
            first_start_s: None,
            log_end_ms,
            sample: Sample::new(sample::MOST),
            sideband: Table::default(),
            starts_s: Vec::new(),
            session_routes: Vec::new(),
        }
    }

    /// Counts all requests of one client, which are in order; takes those that are not in the model out of them.
    pub(super) fn client(&mut self, client: &[Event], modelled: &mut Vec<Event>) {
        self.all_clients += 1;
        modelled.clear();
        for event in client {
            self.kinds[event.kind() as usize] += 1;
            if super::is_modelled(event.kind(), self.settings) {
                modelled.push(*event);
            }
        }
        self.clients += u64::from(!modelled.is_empty());
        let mut before: Option<&[Event]> = None;
        for session in sessions(modelled, self.settings.gap_ms) {
            if let Some(before) = before {
                self.between(before, session);
            }
            self.session(session);
            before = Some(session);
        }
    }

    /// Counts a return soon after the end of a session: as many come back sooner, and are not told from those who
    /// went on.
    fn between(&mut self, before: &[Event], after: &[Event]) {
        let end_ms = before.iter().map(Event::end_ms).max().unwrap_or_default();
        if after[0].start_ms() - end_ms > 2 * self.settings.gap_ms {
            return;
        }
        let route = |event: &Event| self.routes.of_resource[event.resource() as usize].unwrap_or_default();
        let pair = (route(&before[before.len() - 1]), route(&after[0]));
        self.sideband.entry(pair).or_default().add(after[0].client(), after[0].mass());
    }

    fn session(&mut self, session: &[Event]) {
        let k = self.settings.k;
        let client = session[0].client();
        // A session is seen when one of its requests is, so it stands for no more than the surest of them; requests
        // of sessions sampled as a whole all weigh the same.
        let mass = session.iter().map(Event::mass).min().unwrap_or(REQUEST);
        self.sessions.add(client, mass);
        *self.lengths.entry(session.len() as u64).or_insert(0) += 1;
        let start_s = session[0].start_ms().div_euclid(1000);
        self.first_start_s = Some(self.first_start_s.map_or(start_s, |first| first.min(start_s)));
        self.starts_s.push(start_s);
        let bin = self.clock.second_of_week(start_s) / ARRIVAL_BIN_S;
        self.arrivals.entry(bin).or_default().add(client, mass, k);

        let of_resource = &self.routes.of_resource;
        let route = |event: &Event| of_resource[event.resource() as usize].unwrap_or_default();
        self.session_routes.clear();
        self.session_routes.extend(session.iter().map(route));
        let last = session.len() - 1;
        for (at, (event, route)) in session.iter().zip(&self.session_routes).enumerate() {
            let counter = self.by_route.entry(*route).or_default();
            counter.add(event, k);
            if at == 0 {
                counter.starts.add(client, mass);
            }
            if at == last {
                counter.ends.add(client, mass);
            } else {
                self.steps.entry((*route, self.session_routes[at + 1])).or_default().add(client, mass);
            }
        }
        let end_ms = session.iter().map(Event::end_ms).max().unwrap_or_default();
        let ended = end_ms + self.settings.gap_ms <= self.log_end_ms;
        self.sample.offer(session, &self.session_routes, mass, ended);
    }

    /// What was counted, in order.
    pub(super) fn finish(self) -> Tally {
        let mut tally = Tally {
            k: self.settings.k,
            clients: self.clients,
            all_clients: self.all_clients,
            sessions: self.sessions,
            kinds: Kind::ALL.into_iter().zip(self.kinds).filter(|(_, count)| *count > 0).collect(),
            steps: self.steps,
            lengths: ordered(self.lengths),
            arrivals: ordered(self.arrivals),
            first_start_s: self.first_start_s,
            sample: Some(self.sample),
            sideband: self.sideband,
            starts_s: self.starts_s,
            ..Tally::default()
        };
        for (route, counter) in self.by_route {
            if counter.starts.count > 0 {
                tally.starts.insert(route, counter.starts);
            }
            if counter.ends.count > 0 {
                tally.ends.insert(route, counter.ends);
            }
            let endpoint = EndpointTally {
                requests: counter.requests,
                statuses: counter.statuses.into_iter().collect(),
                sizes: ordered(counter.sizes),
                durations: ordered(counter.durations),
            };
            tally.endpoints.insert(route, endpoint);
        }
        tally
    }
}

impl RouteCounter {
    #[inline]
    fn add(&mut self, event: &Event, k: u64) {
        let (client, mass) = (event.client(), event.mass());
        self.requests.add(client, mass);
        match self.statuses.iter_mut().find(|(status, _)| *status == event.status()) {
            Some((_, cell)) => cell.add(client, mass),
            None => {
                let mut cell = Cell::default();
                cell.add(client, mass);
                self.statuses.push((event.status(), cell));
            }
        }
        if let Some(bin) = event.size_bin() {
            self.sizes.entry(bin).or_default().add(client, mass, k);
        }
        if let Some(duration_us) = event.duration_us() {
            let bin = time_bin(duration_us as f64 * 1e-6, DURATION_RELATIVE_ERROR);
            self.durations.entry(bin).or_default().add(client, mass, k);
        }
    }
}

/// Bin of a positive time in a log-histogram of seconds; `None` for zero.
fn time_bin(seconds: f64, relative_error: f64) -> Option<i32> {
    let log_width = shared::distribution::log_width(relative_error);
    (seconds > 0.0).then(|| shared::distribution::bin_index(seconds, log_width))
}

fn ordered<K: Ord + Hash, V>(table: HashMap<K, V, FixedState>) -> BTreeMap<K, V> {
    table.into_iter().collect()
}
