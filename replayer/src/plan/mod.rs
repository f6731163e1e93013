//! What will be sent when: a pure function of profile, schedule and seed. No clock, no network.
//!
//! The same three give the same plan, bit for bit, for any number of threads: every random number comes from a stream
//! named after what it is for (see `random`), and a session can be drawn without drawing those before it.

mod arrivals;
mod background;
mod busyness;
mod chain;
mod companions;
mod course;
mod digest;
mod feasible;
mod memory;
mod mix;
mod modulator;
mod outline;
mod paths;
mod scenario;
mod survey;
mod trace;
mod value;
mod walk;
mod warm;
mod zipf;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use shared::Profile;

pub use background::PlannedCall;
pub(crate) use chain::Choice;
pub use chain::Place;
pub use companions::PlannedCompanion;
pub use digest::Digest;
pub(crate) use digest::fnv;
pub use feasible::{Machine, Obstacle, obstacles};
pub use outline::{Flattening, Outline, SkippedEndpoint};
pub(crate) use paths::Paths;
pub use scenario::derived as derived_scenarios;
pub use trace::{Form, PARQUET_MAGIC, Trace, TraceSummary};
pub(crate) use value::next_placeholder;
pub use walk::{Gap, PlannedSession, Walk};

use crate::clock::SECOND_NS;
use crate::config::{Busy, Counts, Schedule, Share, WarmStart};
use crate::error::Error;
use crate::feed::Feeds;
use crate::guard::Canary;
use crate::guard::methods::Methods;
use crate::random::{Key, Purpose, Resting, Stream};
use arrivals::{Arrivals, block_name};
use background::Callers;
use busyness::Busyness;
use chain::Chains;
use companions::Companions;
use course::Course;
use modulator::Modulator;
use survey::Survey;
use value::PathMaker;

/// What will be sent when.
#[derive(Debug, Clone)]
pub struct Plan {
    course: Course,
    canary: Canary,
    /// The endpoint that every session requests first.
    pub(crate) login: Option<usize>,
    arrivals: Arrivals,
    chains: Chains,
    companions: Companions,
    background: Vec<Callers>,
    pub(crate) endpoints: Vec<PlannedEndpoint>,
    /// Sessions under way at the start, by when they go on.
    warm: Vec<PlannedSession>,
    share: Share,
    /// What is played instead of drawn sessions.
    trace: Option<Arc<Trace>>,
    outline: Option<Outline>,
}

/// An endpoint as the replayer needs it.
#[derive(Debug, Clone)]
pub(crate) struct PlannedEndpoint {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) allowed: bool,
    mean_service_s: f64,
    paths: PathMaker,
}

impl Plan {
    /// The plan that follows `profile` as `schedule` says, sending only `allow_methods` besides the harmless ones.
    ///
    /// # Errors
    /// [`Error::Profile`] for a profile that was not validated; [`Error::Setting`], [`Error::UnknownName`] and
    /// [`Error::Scenario`] for settings that make no sense; [`Error::Flattened`] for a curve followed too fast.
    pub fn new(profile: &Profile, schedule: &Schedule, allow_methods: &[String]) -> Result<Self, Error> {
        schedule.check()?;
        let methods = Methods::new(allow_methods, profile)?;
        let curve = profile.arrivals.curve().ok_or(Error::Profile)?;
        let resolved = scenario::resolve(schedule, profile, &curve)?;
        let course = Course {
            seed: schedule.seed,
            base: resolved.base,
            duration_s: resolved.duration_s,
            scale: schedule.scale,
            envelope: resolved.envelope.clone(),
        };
        let endpoints = profile.endpoints.iter().map(|endpoint| {
            let method: Method = endpoint.method.parse().map_err(|_| Error::Profile)?;
            Ok(PlannedEndpoint {
                id: endpoint.id.clone(),
                allowed: methods.allow(&method, &endpoint.id),
                method,
                mean_service_s: endpoint
                    .service_time_s
                    .as_ref()
                    .map_or(0.0, |summary| summary.histogram.mean()),
                paths: PathMaker::new(endpoint),
            })
        });
        let endpoints: Vec<PlannedEndpoint> = endpoints.collect::<Result<_, Error>>()?;
        let background = profile.background.iter().filter(|_| !schedule.steps_only).map(|callers| {
            let endpoint = profile.endpoints.iter().position(|endpoint| endpoint.id == callers.endpoint);
            Some(Callers::new(callers, endpoint?, schedule.scale))
        });
        let mut plan = Self {
            arrivals: arrivals(profile, schedule, course.clone(), curve)?,
            course,
            canary: Canary::new(schedule.canary),
            login: profile.login.as_ref().and_then(|login| {
                profile.endpoints.iter().position(|endpoint| endpoint.id == login.endpoint)
            }),
            chains: chains(profile, schedule)?,
            companions: Companions::of(profile, |at| endpoints[at].allowed && !schedule.steps_only)
                .ok_or(Error::Profile)?,
            background: background.collect::<Option<_>>().ok_or(Error::Profile)?,
            endpoints,
            warm: Vec::new(),
            share: schedule.share,
            trace: None,
            outline: None,
        };
        let builds_up = plan.course.envelope.between(0.0, 0.0)[0] <= 0.0;
        // Whoever is already there would be more than the hundredth that is to come first.
        let is_careful = plan.canary.ends_ns().is_some();
        let wants_warmth =
            schedule.warm_start == WarmStart::On || schedule.warm_start == WarmStart::Auto && !builds_up;
        let survey = Survey::of(&plan);
        if wants_warmth && !is_careful {
            plan.warm = warm::sessions(&plan, &survey);
        }
        let outline = Outline::of(&plan, profile, schedule, &resolved, &survey);
        if let Some(flattening) = outline.flattening.filter(|_| !schedule.allow_flattening) {
            flattening.check(plan.course.speedup())?;
        }
        plan.outline = Some(outline);
        Ok(plan)
    }

    /// The plan that plays `trace` as it was; of `schedule`, only the seed and the share count.
    ///
    /// # Errors
    /// [`Error::Setting`] for methods that are none.
    pub fn of_trace(trace: Arc<Trace>, schedule: &Schedule, allow_methods: &[String]) -> Result<Self, Error> {
        let length_s = crate::clock::to_s(trace.summary.length_ns).floor() + 1.0;
        let schedule = Schedule {
            seed: schedule.seed,
            share: schedule.share,
            duration: Some(Duration::from_secs_f64(length_s)),
            ..Schedule::default()
        };
        let mut plan = Self::new(&trace.profile, &schedule, allow_methods)?;
        let outline = plan.outline.take().expect("set by `new`");
        plan.outline = Some(outline.of_trace(&plan, &trace));
        plan.trace = Some(trace);
        Ok(plan)
    }

    /// Whether the plan is a trace: its starts follow no law.
    pub fn is_literal(&self) -> bool {
        self.trace.is_some()
    }

    /// The same plan, with values from `feeds` where these have a column that is called like the parameter.
    #[must_use]
    pub fn fed(mut self, feeds: &Feeds) -> Self {
        self.endpoints.iter_mut().for_each(|endpoint| endpoint.paths.feed(&endpoint.id, feeds));
        self
    }

    /// The names of the placeholders in the path of `endpoint`.
    pub(crate) fn placeholders(&self, endpoint: usize) -> impl Iterator<Item = &str> {
        self.endpoints[endpoint].paths.placeholders()
    }

    /// Which rows of the feeds `session` keeps.
    pub(crate) fn rows(&self, session: &PlannedSession) -> Stream {
        Stream::new(session.key(self.course.seed), Purpose::Feeds)
    }

    /// The plan in figures.
    pub fn outline(&self) -> &Outline {
        self.outline.as_ref().expect("set by `new`, the only way to get a plan")
    }

    /// The sessions that start before the end, in order: those of all shards.
    pub fn sessions(&self) -> impl Iterator<Item = PlannedSession> + '_ {
        self.sessions_of(Share::ALL, 0..self.end_ns())
    }

    /// The sessions of our shard.
    pub fn our_sessions(&self) -> impl Iterator<Item = PlannedSession> + '_ {
        self.sessions_of(self.share, 0..self.end_ns())
    }

    /// How many sessions each shard has; none where so many are expected that counting them would hold up the run.
    pub(crate) fn sessions_by_shard(&self) -> Option<Vec<u64>> {
        /// Ten seconds or so of counting.
        const MOST: f64 = 1e7;
        let mut counts = vec![0; usize::try_from(self.share.of).ok()?];
        (self.outline().sessions <= MOST).then(|| {
            self.sessions().for_each(|session| {
                counts[Share::number(session.block, session.index, self.share.of) as usize] += 1;
            });
            counts
        })
    }

    /// The sessions of part `index` of `of` of our shard that start `within` some nanoseconds of run time: what one of
    /// several event loops plays.
    pub(crate) fn part_of_ours(
        &self,
        index: u64,
        of: u64,
        within: Range<u64>,
    ) -> impl Iterator<Item = PlannedSession> + '_ {
        self.sessions_of(self.share.part(index, of), within)
    }

    fn sessions_of(&self, share: Share, within: Range<u64>) -> impl Iterator<Item = PlannedSession> + '_ {
        let (from_ns, end_ns) = (within.start, within.end.min(self.end_ns()));
        let is_within = move |starts_at_ns: u64| starts_at_ns >= from_ns && starts_at_ns < end_ns;
        let ours = move |session: &PlannedSession| {
            share.has(session.block, session.index) && is_within(session.starts_at_ns)
        };
        let traced =
            self.trace.iter().flat_map(|trace| trace.sessions.iter().map(|session| &session.planned));
        let mut warm = self.warm.iter().chain(traced).copied().filter(ours).peekable();
        let end_ns = if self.is_literal() { 0 } else { end_ns };
        let mut fresh = ((from_ns / SECOND_NS) as i64..end_ns.div_ceil(SECOND_NS) as i64)
            .flat_map(|block| {
                let starts = self.arrivals.block(block);
                starts.into_iter().enumerate().map(move |(index, at)| (block, index as u64, at))
            })
            .map(|(block, index, within_ns)| (block_name(block), index, block as u64 * SECOND_NS + within_ns))
            .filter(move |(block, index, starts_at_ns)| share.has(*block, *index) && is_within(*starts_at_ns))
            .filter(|(block, index, _)| self.canary.admits(self.key(*block, *index)))
            .map(|(block, index, starts_at_ns)| self.session(block, index, starts_at_ns))
            .peekable();
        std::iter::from_fn(move || match (warm.peek(), fresh.peek()) {
            (Some(under_way), Some(next)) if under_way.starts_at_ns > next.starts_at_ns => fresh.next(),
            (None, _) => fresh.next(),
            (Some(_), _) => warm.next(),
        })
    }

    /// The session of this place in the plan.
    fn session(&self, block: u64, index: u64, starts_at_ns: u64) -> PlannedSession {
        let class = self.chains.classes.pick(Stream::new(self.key(block, index), Purpose::Class).uniform());
        PlannedSession { block, index, starts_at_ns, class, begun: 0 }
    }

    fn key(&self, block: u64, index: u64) -> Key {
        Key { seed: self.course.seed, block, index }
    }

    /// What the visit at `position` of `walk` fetches besides the page, the earliest first; draw it once per visit, in
    /// order. Nothing for a visit without a request.
    pub fn companions(&self, walk: &mut Walk, position: usize) -> Vec<PlannedCompanion> {
        match self.requested(walk.places[position]) {
            Some(page) => self.companions.draw(page, walk.companions()),
            None => Vec::new(),
        }
    }

    /// The calls of the periodic callers of part `shard` of `shards` of our shard, in order.
    pub fn background_calls(&self, shard: u64, shards: u64) -> impl Iterator<Item = PlannedCall> + '_ {
        let share = self.share.part(shard, shards);
        let calls = background::calls(&self.background, self.course.seed, share, self.end_ns());
        let begin_ns = self.canary.ends_ns().unwrap_or(0);
        calls.filter(move |call| call.at_ns >= begin_ns && self.endpoints[call.endpoint].allowed)
    }

    /// Sessions expected to begin in `block` before `into_s` seconds of it have passed, over all shards and given what the
    /// modulator does: starts rescaled by the sum over time are a Poisson process of rate 1.
    pub fn expected_starts(&self, block: u64, into_s: f64) -> f64 {
        self.canary.share(block) * self.arrivals.expected_within(block as i64, into_s)
    }

    /// Sessions expected to begin in `block`, as far as it lies before the run's end, over all shards.
    pub(crate) fn expected_in(&self, block: u64) -> f64 {
        self.canary.share(block) * self.arrivals.expected_in(block as i64)
    }

    /// The index of dispersion that counts of starts in windows of this length have, at this rate of starts.
    pub(crate) fn dispersion(&self, window_s: u32, rate_per_s: f64) -> f64 {
        1.0 + rate_per_s * self.arrivals.excess_dispersion_s(window_s)
    }

    /// Where `session` goes.
    pub fn walk(&self, session: &PlannedSession) -> Walk {
        if let Some(trace) = &self.trace {
            return Walk::literal(session.key(self.course.seed), trace.steps(session));
        }
        let mut walk = Walk::new(&self.chains, session.key(self.course.seed), session.class);
        if let Some(login) = self.login.map(Place::Endpoint) {
            walk.begin_at(login);
        }
        walk.pass(&self.chains, session.begun);
        // Whoever is under way at the start has to log in here as well.
        if let Some(login) = self.login.filter(|_| session.is_under_way()).map(Place::Endpoint) {
            walk.begin_at(login);
        }
        walk
    }

    /// Draws the pause between two neighbouring places of `walk`; once per pair, in order.
    pub fn gap_between(&self, walk: &mut Walk, from: Place, to: Place) -> Gap {
        walk.gap_between(&self.chains, from, to)
    }

    /// The name of the state that `place` is in the profile.
    pub fn name(&self, place: Place) -> &str {
        match place {
            Place::Endpoint(at) => &self.endpoints[at].id,
            Place::Other => shared::session::OTHER,
        }
    }

    /// The endpoint that a visit of `place` requests; none for `other` and for methods that are not allowed.
    pub(crate) fn requested(&self, place: Place) -> Option<usize> {
        match place {
            Place::Endpoint(at) if self.endpoints[at].allowed => Some(at),
            Place::Endpoint(_) | Place::Other => None,
        }
    }

    /// Is what `endpoint` asks for made up, so that the target may well not know it?
    pub(crate) fn is_invented(&self, endpoint: usize) -> bool {
        self.endpoints.get(endpoint).is_some_and(|endpoint| endpoint.paths.is_invented())
    }

    /// What an answer of `endpoint` takes in production, in the mean; 0 where the profile does not know.
    pub(crate) fn expected_service_ns(&self, endpoint: usize) -> u64 {
        crate::clock::from_s(self.endpoints[endpoint].mean_service_s)
    }

    /// Whether the starts of our sessions are a Poisson process: not those of a log, and not every k-th of those of all
    /// shards, which are more even.
    pub(crate) fn starts_are_poisson(&self) -> bool {
        !self.is_literal() && self.share == Share::ALL
    }

    /// Requests that one session sends to each endpoint, in the mean. None where the chains alone do not say it: where
    /// longer memory decides as well, and for a log.
    pub(crate) fn expected_visits(&self) -> Option<Vec<f64>> {
        if self.is_literal() || self.chains.chains.iter().any(chain::Chain::remembers) {
            return None;
        }
        let mut visits = vec![0.0; self.endpoints.len()];
        for (class, weight) in self.chains.classes.shares() {
            let of_class = self.chains.chains[class].visits();
            let sent =
                visits.iter_mut().zip(of_class).zip(&self.endpoints).filter(|(_, endpoint)| endpoint.allowed);
            sent.for_each(|((sum, of_class), _)| *sum += weight * of_class);
        }
        if let Some(login) = self.login.filter(|login| self.endpoints[*login].allowed) {
            visits[login] += 1.0;
        }
        Some(visits)
    }

    /// The share of pauses between `from` and `to` that are shorter than `length_ns`, among those that are shorter than
    /// `cut_ns`: uniform between 0 and 1 if pauses are as planned. None where pauses are paced: the answer before may
    /// lengthen them. None, too, where no pause is that short.
    pub(crate) fn pause_rank(
        &self,
        walk: &Walk,
        between: [Place; 2],
        length_ns: u64,
        cut_ns: u64,
    ) -> Option<f64> {
        walk.gaps_between(&self.chains, between)
            .rank(crate::clock::to_s(length_ns), crate::clock::to_s(cut_ns))
    }

    /// Paths of `session`, to be drawn in the order of its requests.
    pub(crate) fn paths(&self, session: &PlannedSession) -> Paths<'_> {
        Paths::new(&self.endpoints, Resting::new(session.key(self.course.seed), Purpose::Values))
    }

    /// Paths of a periodic caller, to be drawn in the order of its calls.
    pub(crate) fn paths_of_caller(&self, caller: u64) -> Paths<'_> {
        let key = Key { seed: self.course.seed, block: CALLERS, index: caller };
        Paths::new(&self.endpoints, Resting::new(key, Purpose::Values))
    }

    /// Which rows of the feeds a periodic caller keeps.
    pub(crate) fn rows_of_caller(&self, caller: u64) -> Stream {
        Stream::new(Key { seed: self.course.seed, block: CALLERS, index: caller }, Purpose::Feeds)
    }

    /// The name that marks the requests of `session`: no secret, and the same in every run of this plan.
    pub fn session_name(&self, session: &PlannedSession) -> String {
        format!("{:016x}", Stream::new(session.key(self.course.seed), Purpose::Name).bits())
    }

    /// When the last session may start, in nanoseconds of run time.
    pub(crate) fn end_ns(&self) -> u64 {
        crate::clock::from_s(self.course.duration_s)
    }
}

/// Stands for the block of what begins in none: periodic callers.
const CALLERS: u64 = u64::MAX;

/// When sessions start under `schedule`.
fn arrivals(
    profile: &Profile,
    schedule: &Schedule,
    course: Course,
    curve: shared::arrivals::WeekCurve,
) -> Result<Arrivals, Error> {
    let cv = match (profile.arrivals.day_level_cv, schedule.busy) {
        (None, Busy::Quantile(_) | Busy::Draw) => {
            return Err(Error::Setting {
                name: "--busy",
                found: "a busy day".to_owned(),
                expected: "`usual`: the profile has no `day_level_cv`",
            });
        }
        (cv, _) => cv.unwrap_or(0.0),
    };
    let is_constant = schedule.artificial.constant_rate_per_s.is_some();
    let burstiness = profile.arrivals.burstiness.as_ref().filter(|_| !is_constant);
    let modulator = Modulator::new(course.seed, burstiness);
    let busyness = Busyness::new(course.seed, schedule.busy, cv);
    let arrivals = Arrivals::new(course, curve, modulator, busyness);
    Ok(match schedule.counts {
        Counts::Random => arrivals,
        Counts::Exact => arrivals.with_exact_count(),
    })
}

/// What sessions do under `schedule`.
fn chains(profile: &Profile, schedule: &Schedule) -> Result<Chains, Error> {
    let weights = mix::weights(profile, schedule)?;
    let chains = Chains::of(profile).and_then(|chains| chains.weighted(weights)).ok_or(Error::Profile)?;
    Ok(if schedule.artificial.no_think_time { chains.without_pauses() } else { chains })
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::arrivals::Burstiness;
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;
    use shared::session::Context;

    fn schedule(seed: u64) -> Schedule {
        Schedule { seed, scale: 500.0, duration: Some(Duration::from_millis(20_500)), ..Schedule::default() }
    }

    fn plan(seed: u64) -> Plan {
        Plan::new(&from_yaml(EXAMPLE).unwrap(), &schedule(seed), &[]).unwrap()
    }

    fn digest(plan: &Plan, sessions: impl Iterator<Item = PlannedSession>) -> Digest {
        let mut digest = Digest::default();
        sessions.for_each(|session| digest.add(&session, &plan.walk(&session)));
        digest
    }

    #[test]
    fn the_plan_of_a_seed_is_part_of_the_contract() {
        let plan = plan(42);
        let first: Vec<u64> = plan.sessions().take(3).map(|session| session.starts_at_ns).collect();
        assert_eq!(first, [406_195, 8_475_294, 11_353_710]);
        assert_eq!(digest(&plan, plan.sessions()).to_string(), "7169b29464d11437");
        let session = plan.sessions().next().unwrap();
        assert_eq!(plan.session_name(&session), "112672220f9c2c5c");
    }

    #[test]
    fn other_seeds_give_other_plans() {
        let (one, two) = (plan(1), plan(2));
        assert_ne!(digest(&one, one.sessions()), digest(&two, two.sessions()));
        assert_eq!(digest(&one, one.sessions()), digest(&plan(1), plan(1).sessions()));
    }

    #[test]
    fn any_number_of_shards_in_any_order_is_the_same_plan() {
        let plan = plan(7);
        let whole = digest(&plan, plan.sessions());
        for (shards, loops) in [(1, 3), (2, 1), (3, 2), (8, 1), (4, 2)] {
            let mut merged = Digest::default();
            let mut sessions = 0;
            for index in (0..shards).rev() {
                let schedule = Schedule { share: Share { index, of: shards }, ..schedule(7) };
                let ours = Plan::new(&from_yaml(EXAMPLE).unwrap(), &schedule, &[]).unwrap();
                assert_eq!(digest(&ours, ours.sessions()), whole);
                let mut of_parts = Digest::default();
                for part in 0..loops {
                    // What somebody who came late missed, and what they did not.
                    let [missed, played] = [0..7_300_000_000, 7_300_000_000..u64::MAX];
                    of_parts.merge(digest(&ours, ours.part_of_ours(part, loops, missed)));
                    of_parts.merge(digest(&ours, ours.part_of_ours(part, loops, played)));
                }
                assert_eq!(of_parts, digest(&ours, ours.our_sessions()));
                sessions += ours.our_sessions().count();
                merged.merge(of_parts);
            }
            assert_eq!(merged, whole, "{shards} {loops}");
            assert_eq!(sessions, plan.sessions().count());
        }
    }

    #[test]
    fn warm_bursty_sessions_are_shared_out_like_all_others() {
        let mut profile = from_yaml(EXAMPLE).unwrap();
        profile.arrivals.burstiness =
            Some(Burstiness { time_constants_s: vec![3.0, 300.0], variances: vec![0.2, 0.1] });
        let of = |share| {
            let warm_start = WarmStart::On;
            let schedule = Schedule { share, warm_start, ..schedule(7) };
            let plan = Plan::new(&profile, &schedule, &[]).unwrap();
            assert!(plan.outline().under_way > 0);
            digest(&plan, plan.our_sessions())
        };
        let mut merged = Digest::default();
        (0..4).for_each(|index| merged.merge(of(Share { index, of: 4 })));
        assert_eq!(merged, of(Share::ALL));
    }

    #[test]
    fn pauses_hang_together_as_much_as_the_profile_says_and_keep_their_law() {
        let mut profile = from_yaml(EXAMPLE).unwrap();
        profile.classes[0].pace = Some(0.4);
        let paced = Plan::new(&profile, &schedule(1), &[]).unwrap();
        let law = profile.think_times["browse"].sampler().unwrap();
        let (mut products, mut pairs, mut ranks) = (0.0, 0.0, Vec::new());
        for index in 0..20_000 {
            let session = paced.session(0, index, 0);
            let mut walk = paced.walk(&session);
            let scores: Vec<f64> = (1..walk.places.len())
                .map(|_| {
                    let gap = paced.gap_between(&mut walk, Place::Endpoint(0), Place::Endpoint(1));
                    let rank = law.cdf(crate::clock::to_s(gap.length_ns));
                    ranks.push(rank);
                    shared::distribution::normal_quantile(rank.clamp(1e-9, 1.0 - 1e-9))
                })
                .collect();
            // rho = sum over sessions of [(sum r)^2 - sum r^2] / sum of n (n - 1).
            let (sum, squares) = scores.iter().fold((0.0, 0.0), |(sum, of), r| (sum + r, of + r * r));
            products += sum * sum - squares;
            pairs += scores.len() as f64 * (scores.len() as f64 - 1.0);
        }
        let rho = products / pairs;
        assert!((rho - 0.4).abs() < 0.04, "{rho}");
        let n = ranks.len() as f64;
        for tenth in 1..10 {
            let q = f64::from(tenth) / 10.0;
            let below = ranks.iter().filter(|rank| **rank < q).count() as f64 / n;
            // Ranks of one session are not independent: four standard errors of five times fewer.
            assert!((below - q).abs() < 4.0 * (5.0 * q * (1.0 - q) / n).sqrt(), "{q} {below}");
        }
    }

    #[test]
    fn walks_remember_what_contexts_say() {
        let mut profile = from_yaml(EXAMPLE).unwrap();
        let context = |after: &[&str], visits, next: &[(&str, f64)]| Context {
            after: after.iter().map(|id| (*id).to_owned()).collect(),
            visits,
            next: next.iter().map(|(id, share)| ((*id).to_owned(), *share)).collect(),
        };
        profile.classes[0].contexts = vec![
            context(&["get_home", "get_item"], 3000, &[("END", 0.1), ("get_home", 0.9)]),
            context(&["get_item", "get_home", "get_item"], 500, &[("END", 1.0)]),
        ];
        let plan = Plan::new(&profile, &schedule(1), &[]).unwrap();
        let (home, item) = (Place::Endpoint(0), Place::Endpoint(1));
        let (mut counts, mut requests) = ([[0.0; 2]; 3], 0);
        let sessions = 20_000;
        for index in 0..sessions {
            let walk = plan.walk(&plan.session(0, index, 0));
            requests += walk.places.len();
            for at in (0..walk.places.len()).filter(|at| walk.places[*at] == item) {
                let before = &walk.places[..=at];
                let row = match before {
                    _ if before.ends_with(&[item, home, item]) => 2,
                    _ if before.ends_with(&[home, item]) => 1,
                    _ => 0,
                };
                counts[row][usize::from(at + 1 == walk.places.len())] += 1.0;
            }
        }
        // Of all 15,000 visits 10,000 end; without those of the contexts, 9,200 of 11,500.
        for (row, expected) in [0.8, 0.1, 1.0].iter().enumerate() {
            let n: f64 = counts[row].iter().sum();
            let ended = counts[row][1] / n;
            let error = (expected * (1.0 - expected) / n).sqrt();
            assert!(n > 500.0 && (ended - expected).abs() <= 4.0 * error, "{row}: {counts:?}");
        }
        // The outline solves the same chain.
        let per_session = requests as f64 / f64::from(sessions as u32);
        assert!((per_session / plan.outline().requests_per_session - 1.0).abs() < 0.02, "{per_session}");
    }

    #[test]
    fn a_longer_run_begins_like_a_shorter_one() {
        let window = |duration_s| Schedule {
            window: "15:00-17:00".parse().ok(),
            duration: Some(Duration::from_secs(duration_s)),
            ..schedule(7)
        };
        let profile = from_yaml(EXAMPLE).unwrap();
        let [short, long] = [5, 9].map(|s| Plan::new(&profile, &window(s), &[]).unwrap());
        let begun: Vec<PlannedSession> = short.sessions().collect();
        assert_eq!(begun, long.sessions().take(begun.len()).collect::<Vec<_>>());
        assert!(long.sessions().nth(begun.len()).is_some_and(|next| next.starts_at_ns >= short.end_ns()));
    }

    #[test]
    fn what_is_drawn_is_what_the_outline_expects() {
        let plan = plan(3);
        let outline = plan.outline();
        let walks: Vec<Walk> = plan.sessions().map(|session| plan.walk(&session)).collect();
        let sessions = walks.len() as f64;
        let requests = walks.iter().map(|walk| walk.places.len()).sum::<usize>() as f64;
        assert!(
            (sessions - outline.sessions).abs() < 4.0 * outline.sessions.sqrt(),
            "{sessions} {outline:?}"
        );
        assert!(
            (requests / sessions / outline.requests_per_session - 1.0).abs() < 0.1,
            "{requests} {outline:?}"
        );
        assert!((outline.peak_sessions_per_s - 40.0).abs() < 0.1, "{outline:?}");
        // 1.28 visits of `get_home` at 28 ms in the mean.
        let in_flight = outline.peak_sessions_per_s * 1.25 * 0.028;
        assert!((outline.peak_in_flight / in_flight - 1.0).abs() < 0.1, "{outline:?}");
    }

    #[test]
    fn a_run_that_is_over_before_its_sessions_are_has_no_more_of_them_than_begin() {
        let yaml = EXAMPLE.replace("mu: 0.7, sigma: 0.9", "mu: 6.0, sigma: 0.1");
        let outline = |duration_s, warm_start| {
            let duration = Some(Duration::from_secs(duration_s));
            let schedule = Schedule { scale: 100.0, duration, warm_start, ..Schedule::default() };
            Plan::new(&from_yaml(&yaml).unwrap(), &schedule, &[]).unwrap().outline().clone()
        };
        let [cold, warm, long] = [(10, WarmStart::Off), (10, WarmStart::On), (100_000, WarmStart::Off)]
            .map(|(duration_s, warm_start)| outline(duration_s, warm_start));
        assert!((cold.peak_open_sessions - cold.sessions).abs() < 1e-6, "{cold:?}");
        // Each has a pause of 400 s or so after its first request.
        assert!((cold.peak_requests_per_s / cold.peak_sessions_per_s - 1.0).abs() < 0.1, "{cold:?}");
        for steady in [warm, long] {
            let requests_per_s = steady.peak_sessions_per_s * steady.requests_per_session;
            assert!((steady.peak_requests_per_s / requests_per_s - 1.0).abs() < 0.01, "{steady:?}");
            assert!(steady.peak_open_sessions > 1.5 * cold.peak_open_sessions, "{steady:?}");
        }
    }

    #[test]
    fn endpoints_whose_method_is_not_allowed_are_passed() {
        let yaml = EXAMPLE.replacen("method: GET", "method: POST", 1);
        let profile = from_yaml(&yaml).unwrap();
        let careful = Plan::new(&profile, &schedule(1), &[]).unwrap();
        assert_eq!(careful.requested(Place::Endpoint(0)), None);
        assert_eq!(careful.requested(Place::Endpoint(1)), Some(1));
        assert_eq!(careful.outline().skipped[0].method, "POST");
        let allowed = Plan::new(&profile, &schedule(1), &["POST".to_owned()]).unwrap();
        assert!(allowed.outline().requests > 2.0 * careful.outline().requests);
        // What is allowed changes what is sent, not where sessions go.
        assert_eq!(digest(&careful, careful.sessions()), digest(&allowed, allowed.sessions()));
    }

    #[test]
    fn what_is_not_replayed_is_named() {
        let mut profile = from_yaml(EXAMPLE).unwrap();
        assert!(Plan::new(&profile, &schedule(1), &[]).unwrap().outline().not_replayed.is_empty());
        profile.classes[0].pace = Some(-0.3);
        let plan = Plan::new(&profile, &schedule(1), &[]).unwrap();
        assert_eq!(plan.outline().not_replayed, ["pace below 0"]);
    }
}
