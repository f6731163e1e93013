//! What will be sent when: a pure function of profile, schedule and seed. No clock, no network.
//!
//! The same three give the same plan, bit for bit, for any number of threads: every random number comes from a stream
//! named after what it is for (see `random`), and a session can be drawn without drawing those before it.

mod arrivals;
mod chain;
mod course;
mod outline;
mod value;
mod walk;
mod zipf;

use std::collections::BTreeMap;

use hyper::Method;
use shared::Profile;

pub(crate) use chain::Choice;
pub use chain::Place;
pub use outline::{Outline, SkippedEndpoint};
pub(crate) use value::next_placeholder;
pub use walk::{Gap, PlannedSession, Walk};

use crate::config::Schedule;
use crate::error::Error;
use crate::feed::Feeds;
use crate::guard::Canary;
use crate::guard::methods::Methods;
use crate::random::{Key, Purpose, Stream};
use arrivals::Arrivals;
use chain::Chains;
use course::Course;
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
    pub(crate) endpoints: Vec<PlannedEndpoint>,
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
    /// [`Error::Setting`] for settings that make no sense, [`Error::Profile`] for a profile that was not validated.
    pub fn new(profile: &Profile, schedule: &Schedule, allow_methods: &[String]) -> Result<Self, Error> {
        schedule.check()?;
        let methods = Methods::new(allow_methods, profile)?;
        let curve = profile.arrivals.curve().ok_or(Error::Profile)?;
        let course = Course::resolve(schedule, &curve);
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
        let mut plan = Self {
            course,
            canary: Canary::new(schedule.canary),
            login: profile.login.as_ref().and_then(|login| {
                profile.endpoints.iter().position(|endpoint| endpoint.id == login.endpoint)
            }),
            arrivals: Arrivals::new(course, curve),
            chains: Chains::of(profile).ok_or(Error::Profile)?,
            endpoints: endpoints.collect::<Result<_, Error>>()?,
            outline: None,
        };
        plan.outline = Some(Outline::of(&plan, profile));
        Ok(plan)
    }

    /// The same plan, with values from `feeds` where these have a column that is called like the parameter.
    #[must_use]
    pub(crate) fn fed(mut self, feeds: &Feeds) -> Self {
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

    /// The sessions that start before the end, in order.
    pub fn sessions(&self) -> impl Iterator<Item = PlannedSession> + '_ {
        let end_ns = self.end_ns();
        (0..self.course.duration_s.ceil() as u64)
            .flat_map(|block| {
                let starts = self.arrivals.block(block);
                starts.into_iter().enumerate().map(move |(index, at)| (block, index as u64, at))
            })
            .take_while(move |(_, _, starts_at_ns)| *starts_at_ns < end_ns)
            .filter(|(block, index, _)| {
                self.canary.admits(Key { seed: self.course.seed, block: *block, index: *index })
            })
            .map(|(block, index, starts_at_ns)| {
                let key = Key { seed: self.course.seed, block, index };
                let class = self.chains.classes.pick(Stream::new(key, Purpose::Class).uniform());
                PlannedSession { block, index, starts_at_ns, class }
            })
    }

    /// Where `session` goes.
    pub fn walk(&self, session: &PlannedSession) -> Walk {
        let mut walk = Walk::new(&self.chains, session.key(self.course.seed), session.class);
        self.login.into_iter().for_each(|login| walk.places.insert(0, Place::Endpoint(login)));
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

    /// Paths of `session`, to be drawn in the order of its requests.
    pub(crate) fn paths(&self, session: &PlannedSession) -> Paths<'_> {
        let stream = Stream::new(session.key(self.course.seed), Purpose::Values);
        Paths { endpoints: &self.endpoints, stream }
    }

    /// The name that marks the requests of `session`: no secret, and the same in every run of this plan.
    pub fn session_name(&self, session: &PlannedSession) -> String {
        format!("{:016x}", Stream::new(session.key(self.course.seed), Purpose::Name).bits())
    }

    /// When the last session may start, in nanoseconds of run time.
    pub(crate) fn end_ns(&self) -> u64 {
        crate::clock::from_s(self.course.duration_s)
    }

    fn places(&self) -> impl Iterator<Item = Place> + use<> {
        (0..self.endpoints.len()).map(Place::Endpoint).chain([Place::Other])
    }
}

/// The paths of one session.
#[derive(Debug, Clone)]
pub(crate) struct Paths<'a> {
    endpoints: &'a [PlannedEndpoint],
    stream: Stream,
}

impl Paths<'_> {
    /// The next path, which is one of `endpoint`.
    pub(crate) fn next(&mut self, endpoint: usize) -> String {
        self.endpoints[endpoint].paths.make(&mut self.stream, &mut |_, _| ())
    }

    /// The next path, and what stands in its placeholders.
    pub(crate) fn next_with_parameters(&mut self, endpoint: usize) -> (String, BTreeMap<String, String>) {
        let mut parameters = BTreeMap::new();
        let mut note = |name: &str, value: &str| drop(parameters.insert(name.to_owned(), value.to_owned()));
        let path = self.endpoints[endpoint].paths.make(&mut self.stream, &mut note);
        (path, parameters)
    }
}

/// A fingerprint of sessions, the same in whichever order they are added: two people can see that they ran one plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest(u64);

impl Digest {
    /// Adds a session: when it starts and where it goes.
    pub fn add(&mut self, session: &PlannedSession, walk: &Walk) {
        let head = [session.block, session.index, session.starts_at_ns, session.class as u64];
        let places = walk.places.iter().map(|place| match place {
            Place::Endpoint(at) => *at as u64,
            Place::Other => u64::MAX,
        });
        let words = head.into_iter().chain(places);
        self.0 = self.0.wrapping_add(fnv(words.flat_map(u64::to_le_bytes)));
    }

    /// Adds everything that was added to `other`.
    pub fn merge(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// FNV-1a, 64 bits: for fingerprints, where nobody tries to find a collision.
pub(crate) fn fnv(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;
    use std::time::Duration;

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
        for shards in [2, 3, 8] {
            let mut merged = Digest::default();
            for shard in (0..shards).rev() {
                let ours =
                    plan.sessions().filter(|session| (session.block + session.index) % shards == shard);
                merged.merge(digest(&plan, ours));
            }
            assert_eq!(merged, whole, "{shards}");
        }
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
        profile.classes[0].pace = Some(0.3);
        profile.thresholds = vec!["error_rate < 1 %".to_owned()];
        let plan = Plan::new(&profile, &schedule(1), &[]).unwrap();
        assert_eq!(plan.outline().not_replayed, ["pace", "thresholds"]);
    }
}
