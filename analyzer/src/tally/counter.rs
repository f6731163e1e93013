//! Counting itself, one client after the other: tables that are quick to add to, which end as a [`Tally`].

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::cell::{Bin, Cell};
use super::companion::Companion;
use super::origins::OriginCounter;
use super::sample::{self, Sample, Walked};
use super::start::Start;
use super::survey::{Survey, Surveyed};
use super::whole::WholeCounter;
use super::{
    BackgroundTally, Context, DURATION_RELATIVE_ERROR, EndpointTally, RouteNumber, Table, Tally, ordered,
    period_bin,
};
use crate::event::Event;
use crate::kind::Kind;
use crate::session::behaviour::{Habits, LONGEST_MS, MOST_REQUESTS, is_regular, is_tireless};
use crate::session::group::{self, PAGE_MS};
use crate::session::polling::Polling;
use crate::session::shared_key::{LEAST_IN_FLIGHT, has_too_many_sessions, most_in_flight};
use crate::session::{pauses_ms, sessions};
use crate::weight::REQUEST;

/// Events of clients that wait for the survey, in all threads together some hundred megabytes at most. Where more
/// would have to wait, everything is counted again.
const MOST_WAITING: usize = 1 << 20;

/// Starts of sessions that are kept together.
const STARTS_PER_PIECE: usize = 1 << 13;

/// Counts of some of the clients.
pub(super) struct Counter<'a> {
    context: Context<'a>,
    /// What is known of all clients; before it is, those that depend on it wait.
    surveyed: Option<Surveyed>,
    pub(super) survey: Survey,
    waiting: Vec<Event>,
    /// More would have to wait than may.
    pub(super) has_too_many_waiting: bool,
    clients: u64,
    all_clients: u64,
    sessions: Cell,
    kinds: [u64; Kind::ALL.len()],
    /// By number of the route, as far as any was counted.
    by_route: Vec<RouteCounter>,
    steps: Table<(RouteNumber, RouteNumber)>,
    companions: HashMap<(RouteNumber, RouteNumber), Companion, FixedState>,
    background: HashMap<(RouteNumber, i32), BackgroundTally, FixedState>,
    polled: u64,
    shared: u64,
    long_pauses: u64,
    sample: Sample,
    sideband: Table<(RouteNumber, RouteNumber)>,
    /// In pieces, so that they never move.
    starts_at: Vec<Vec<Start>>,
    starts_mass: u64,
    steps_in_sessions: u64,
    whole: WholeCounter,
    origins: OriginCounter,
    first_start_s: Option<i64>,
    /// Steps so far: the number of the latest.
    step: u64,
    /// Away while a client is counted.
    kept: Option<Box<Kept>>,
}

/// Kept from client to client to save allocations.
#[derive(Default)]
struct Kept {
    /// The client's requests that are in the model, and where they stand among all of its requests; the latter only
    /// where files have to find their pages by it.
    modelled: Vec<Event>,
    at: Vec<u32>,
    /// Positions of steps in a session.
    steps: Vec<u32>,
    polling: Polling,
    ends_ms: Vec<i64>,
    /// The client's steps in order, for the files that they bring along.
    pages: Vec<Page>,
}

/// A step, as far as its companions need it.
#[derive(Debug, Clone, Copy)]
struct Page {
    /// Where it stands among all requests of the client.
    at: u32,
    route: RouteNumber,
    number: u64,
    mass: u64,
    start_ms: i64,
    end_ms: i64,
}

/// Counts of one route.
#[derive(Default)]
struct RouteCounter {
    starts: Cell,
    ends: Cell,
    requests: Cell,
    steps: Cell,
    /// A route has few statuses.
    statuses: Vec<(u16, Cell)>,
    sizes: Bins,
    durations: Bins,
}

/// Bins of a log-histogram by number; `None` is zero.
type Bins = HashMap<Option<i32>, Bin, FixedState>;

impl<'a> Counter<'a> {
    pub(super) fn new(context: Context<'a>, surveyed: Option<Surveyed>) -> Self {
        Self {
            context,
            surveyed,
            survey: Survey::default(),
            waiting: Vec::new(),
            has_too_many_waiting: false,
            clients: 0,
            all_clients: 0,
            sessions: Cell::default(),
            kinds: Default::default(),
            by_route: Vec::new(),
            steps: Table::default(),
            companions: HashMap::default(),
            background: HashMap::default(),
            polled: 0,
            shared: 0,
            long_pauses: 0,
            sample: Sample::new(sample::MOST),
            sideband: Table::default(),
            starts_at: Vec::new(),
            starts_mass: 0,
            steps_in_sessions: 0,
            whole: WholeCounter::default(),
            origins: OriginCounter::default(),
            first_start_s: None,
            step: 0,
            kept: None,
        }
    }

    /// Counts all requests of one client, which are in order, or lets them wait for the survey.
    pub(super) fn client(&mut self, client: &[Event]) {
        let mut kept = self.kept.take().unwrap_or_default();
        self.client_with(client, &mut kept);
        self.kept = Some(kept);
    }

    /// Counts those that waited for what the survey of all clients says.
    pub(super) fn settle(mut self, surveyed: &Surveyed) -> Self {
        self.surveyed = Some(surveyed.clone());
        let waiting = std::mem::take(&mut self.waiting);
        crate::session::by_client(&waiting).for_each(|client| self.client(client));
        self
    }

    fn client_with(&mut self, client: &[Event], kept: &mut Kept) {
        let context = self.context;
        let Kept { modelled, at, polling, ends_ms, pages, .. } = kept;
        modelled.clear();
        at.clear();
        pages.clear();
        let mut habits = Habits::default();
        let mut kinds = [0; Kind::ALL.len()];
        for event in client {
            let kind = event.kind();
            kinds[kind as usize] += 1;
            habits.add(kind, event.status());
            if context.modelled[kind as usize] {
                modelled.push(*event);
            }
        }
        let has_files = habits.files > 0 && context.has_companions;
        if has_files {
            let is_modelled = |(_, event): &(u32, &Event)| context.modelled[event.kind() as usize];
            at.extend((0..).zip(client).filter(is_modelled).map(|(place, _)| place));
        }
        let is_bot = context.tells_bots && habits.are_a_bots();
        let mut in_flight = 0;
        if context.folds && !is_bot {
            in_flight = most_in_flight(modelled, ends_ms);
            if self.surveyed.is_none() {
                self.survey.in_flight.add(in_flight);
                let redirected =
                    self.survey.redirects(modelled, |event| context.route(event), context.gap_ms);
                if redirected || in_flight >= LEAST_IN_FLIGHT {
                    self.wait(client);
                    return;
                }
            }
        }
        if self.has_too_many_waiting {
            return;
        }
        self.all_clients += 1;
        self.kinds.iter_mut().zip(kinds).for_each(|(sum, count)| *sum += count);
        if is_bot {
            self.count_as_bot(client);
            return;
        }
        let is_browser = context.tells_bots && habits.pages == modelled.len();
        let goes_around = || modelled.iter().any(|event| context.route(event) != context.route(&modelled[0]));
        if is_browser && is_regular(modelled) && goes_around() {
            self.count_as_bot(client);
            return;
        }
        if context.folds {
            self.take_out_background(modelled, at, polling);
        }
        if is_browser && habits.files == 0 && context.files_are_logged && is_tireless(modelled) {
            self.count_as_bot(modelled);
            return;
        }
        self.clients += u64::from(!modelled.is_empty());
        let is_shared = self.is_shared(in_flight, modelled);
        let mut rest = 0;
        let mut before: Option<&[Event]> = None;
        for session in sessions(modelled, context.gap_ms) {
            let places = if has_files { &at[rest..rest + session.len()] } else { &[] };
            rest += session.len();
            let lasted_ms = session[session.len() - 1].start_ms() - session[0].start_ms();
            let is_too_long = context.folds && (session.len() > MOST_REQUESTS || lasted_ms > LONGEST_MS);
            // Who loads files is no machine, but may be many people.
            if is_too_long && context.tells_bots && context.files_are_logged && habits.files == 0 {
                self.count_as_bot(session);
                continue;
            }
            let is_shared = is_shared || is_too_long;
            self.session(session, places, is_shared, &mut kept.steps, pages);
            if let Some(before) = before.filter(|_| !is_shared) {
                self.between(before, session);
            }
            before = Some(session);
        }
        if has_files {
            self.files(client, pages);
        }
    }

    #[inline]
    fn starts(&mut self, start: Start) {
        match self.starts_at.last_mut().filter(|piece| piece.len() < STARTS_PER_PIECE) {
            Some(piece) => piece.push(start),
            None => {
                let mut piece = Vec::with_capacity(STARTS_PER_PIECE);
                piece.push(start);
                self.starts_at.push(piece);
            }
        }
    }

    /// Counts a return soon after the end of a session: as many come back sooner, and are not told from those who
    /// went on.
    fn between(&mut self, before: &[Event], after: &[Event]) {
        let end_ms = before.iter().map(Event::end_ms).max().unwrap_or_default();
        if after[0].start_ms() - end_ms <= 2 * self.context.gap_ms {
            let pair = (self.context.route(&before[before.len() - 1]), self.context.route(&after[0]));
            self.sideband.entry(pair).or_default().add(after[0].client(), after[0].mass());
        }
    }

    fn wait(&mut self, client: &[Event]) {
        if self.waiting.len() + client.len() > MOST_WAITING {
            self.has_too_many_waiting = true;
            self.waiting = Vec::new();
        }
        if !self.has_too_many_waiting {
            self.waiting.extend_from_slice(client);
        }
    }

    /// Requests that were counted by what they are part of turn out to be a bot's.
    fn count_as_bot(&mut self, events: &[Event]) {
        for event in
            events.iter().filter(|event| matches!(event.kind(), Kind::Page | Kind::Static | Kind::ApiClient))
        {
            self.kinds[event.kind() as usize] -= 1;
            self.kinds[Kind::Bot as usize] += 1;
        }
    }

    /// Counts what the client calls by the clock and takes it out of what makes sessions.
    fn take_out_background(&mut self, modelled: &mut Vec<Event>, at: &mut Vec<u32>, polling: &mut Polling) {
        let context = self.context;
        let polls = polling.find(modelled, |event| context.route(event), context.gap_ms);
        if polls.is_empty() {
            return;
        }
        for poll in &polls {
            let tally = self.background.entry((poll.route, period_bin(poll.period_ms))).or_default();
            tally.clients.add(modelled[0].client(), modelled[0].mass());
            tally.period_ms += poll.period_ms.round() as u64;
            tally.lasted_ms += poll.lasted_ms as u64;
        }
        let is_polled =
            |event: &Event| polls.binary_search_by_key(&context.route(event), |poll| poll.route).is_ok();
        for event in modelled.iter().filter(|event| is_polled(event)) {
            self.polled += 1;
            self.route(context.route(event)).add(event, context.k);
        }
        let mut stays = modelled.iter().map(|event| !is_polled(event)).collect::<Vec<bool>>().into_iter();
        at.retain(|_| stays.next().unwrap_or(true));
        modelled.retain(|event| !is_polled(event));
    }

    /// Whether several people are behind a key with so many pages in flight at a time.
    fn is_shared(&self, in_flight: u32, modelled: &[Event]) -> bool {
        if !self.context.folds {
            return false;
        }
        if self.surveyed.as_ref().is_some_and(|surveyed| in_flight > surveyed.most_in_flight) {
            return true;
        }
        let starts = sessions(modelled, self.context.gap_ms).map(|session| session[0].start_ms());
        has_too_many_sessions(modelled.len(), || starts.collect())
    }

    /// Counts a session; one that several people share has requests and a start, but no order. Its steps go to `pages`
    /// where `places` says where its requests stand.
    fn session(
        &mut self,
        session: &[Event],
        places: &[u32],
        is_shared: bool,
        steps: &mut Vec<u32>,
        pages: &mut Vec<Page>,
    ) {
        let context = self.context;
        let k = context.k;
        let client = session[0].client();
        // A session is seen when one of its requests is, so it stands for no more than the surest of them; requests
        // of sessions sampled as a whole all weigh the same.
        let mass = session.iter().map(Event::mass).min().unwrap_or(REQUEST);
        let start_ms = session[0].start_ms();
        let began = start_ms >= context.began_from_ms;
        if began {
            let start_s = start_ms.div_euclid(1000);
            self.starts(Start::new(start_s, client));
            self.starts_mass += mass;
            self.first_start_s = Some(self.first_start_s.map_or(start_s, |first| first.min(start_s)));
        }
        // Of several people's requests nobody knows which belong together.
        match context.folds && !is_shared {
            true => {
                let surveyed = self.surveyed.as_ref();
                let follows = |event: &Event| surveyed.is_some_and(|all| all.follows(context.route(event)));
                group::steps(session, follows, steps);
            }
            false => {
                steps.clear();
                steps.extend(0..session.len() as u32);
            }
        }
        if is_shared {
            self.shared += session.len() as u64;
        } else {
            self.sessions.add(client, mass);
            self.long_pauses +=
                pauses_ms(session).filter(|pause_ms| *pause_ms > context.gap_ms / 2).count() as u64;
            self.steps_in_sessions += steps.len() as u64;
            self.origins.add_session(&session[0], mass, k);
        }
        self.origins.add_requests(steps.iter().map(|at| &session[*at as usize]), k);
        let ended = session[session.len() - 1].end_ms() < context.open_from_ms;
        if !is_shared && began && ended {
            self.whole.add(session, steps.len(), mass, k);
        }
        if !is_shared {
            let route = |event: &Event| context.route(event);
            self.sample.offer(&Walked { session, steps, route }, mass, ended);
        }
        for (number, at) in steps.iter().enumerate() {
            let event = &session[*at as usize];
            let route = context.route(event);
            let next = steps.get(number + 1).map(|at| &session[*at as usize]);
            self.step += 1;
            let page = Page {
                at: places.get(*at as usize).copied().unwrap_or_default(),
                route,
                number: self.step,
                mass: event.mass(),
                start_ms: event.start_ms(),
                end_ms: event.end_ms(),
            };
            if !places.is_empty() {
                pages.push(page);
            }
            let counter = self.route(route);
            counter.add(event, k);
            counter.steps.add(client, event.mass());
            if !is_shared {
                if number == 0 && began {
                    counter.starts.add(client, mass);
                }
                match next {
                    None if ended => counter.ends.add(client, mass),
                    None => {}
                    Some(next) => {
                        self.steps.entry((route, context.route(next))).or_default().add(client, mass);
                    }
                }
            }
            let until = steps.get(number + 1).map_or(session.len(), |next| *next as usize);
            for companion in &session[*at as usize + 1..until] {
                self.companion(&page, companion);
            }
        }
    }

    /// Counts the files that `client` fetched, each with the last page before it.
    fn files(&mut self, client: &[Event], pages: &[Page]) {
        let mut next = 0;
        for (place, event) in client.iter().enumerate().filter(|(_, event)| event.kind() == Kind::Static) {
            while pages.get(next).is_some_and(|page| (page.at as usize) < place) {
                next += 1;
            }
            if let Some(page) = pages[..next].last()
                && event.start_ms() - page.end_ms <= PAGE_MS
            {
                self.companion(page, event);
            }
        }
    }

    /// Counts a request that `page` brought along.
    fn companion(&mut self, page: &Page, event: &Event) {
        let route = self.context.route(event);
        let k = self.context.k;
        self.route(route).add(event, k);
        let offset_ms = (event.start_ms() - page.start_ms).max(0) as u64;
        let known = self.companions.entry((page.route, route)).or_default();
        known.add(event.client(), page.number, page.mass, offset_ms);
    }

    #[inline]
    fn route(&mut self, number: RouteNumber) -> &mut RouteCounter {
        let number = number as usize;
        if number >= self.by_route.len() {
            self.by_route.resize_with(number + 1, RouteCounter::default);
        }
        &mut self.by_route[number]
    }

    /// What was counted, in order.
    pub(super) fn finish(self) -> Tally {
        let mut tally = Tally {
            k: self.context.k,
            clients: self.clients,
            all_clients: self.all_clients,
            sessions: self.sessions,
            kinds: Kind::ALL.into_iter().zip(self.kinds).filter(|(_, count)| *count > 0).collect(),
            steps: self.steps,
            steps_in_sessions: self.steps_in_sessions,
            whole: self.whole.finish(self.context.k),
            origins: self.origins.finish(self.context.k),
            first_start_s: self.first_start_s,
            began_from_s: (self.context.began_from_ms > i64::MIN)
                .then(|| self.context.began_from_ms.div_euclid(1000)),
            background: ordered(self.background),
            polled: self.polled,
            shared: self.shared,
            long_pauses: self.long_pauses,
            sample: Some(self.sample),
            sideband: self.sideband,
            starts_at: self.starts_at,
            starts_mass: self.starts_mass,
            ..Tally::default()
        };
        let counted = (0..).zip(self.by_route).filter(|(_, counter)| counter.requests.count > 0);
        for (route, counter) in counted {
            if counter.starts.count > 0 {
                tally.starts.insert(route, counter.starts);
            }
            if counter.ends.count > 0 {
                tally.ends.insert(route, counter.ends);
            }
            let endpoint = EndpointTally {
                requests: counter.requests,
                steps: counter.steps,
                companions: BTreeMap::new(),
                statuses: counter.statuses.into_iter().collect(),
                sizes: ordered(counter.sizes),
                durations: ordered(counter.durations),
            };
            tally.endpoints.insert(route, endpoint);
        }
        for ((page, companion), counted) in self.companions {
            tally.endpoints.entry(page).or_default().companions.insert(companion, counted);
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
pub(super) fn time_bin(seconds: f64, relative_error: f64) -> Option<i32> {
    let log_width = shared::distribution::log_width(relative_error);
    (seconds > 0.0).then(|| shared::distribution::bin_index(seconds, log_width))
}
