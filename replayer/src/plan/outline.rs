//! A run in figures, before it happens.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use shared::Profile;
use shared::arrivals::DAY_S;
use shared::units::time_of_week;

use super::background::Callers;
use super::chain::Chains;
use super::course::Base;
use super::scenario::Resolved;
use super::survey::Survey;
use super::trace::{Trace, TraceSummary};
use super::{Plan, course, survey};
use crate::clock::SECOND_NS;
use crate::config::{Artificial, Schedule};
use crate::error::Error;

/// A run in figures, before it happens. Expectations, except for what was asked for, over all shards.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Outline {
    /// The scenario asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// The rule that should end the run early, as the scenario words it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
    /// Time of the week at which the run starts on the curve, in the profile's time zone; none when it follows no curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Time of the week at which it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The level that is multiplied instead of a curve, in sessions per second before scaling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level_per_s: Option<f64>,
    /// How long sessions start.
    pub duration_s: f64,
    /// How many times faster than the clock the curve is followed.
    pub speedup: f64,
    /// What that does to the day's swing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flattening: Option<Flattening>,
    /// Multiple of the curve's rates.
    pub scale: f64,
    /// How long only a hundredth of the load is sent at first.
    pub canary_s: f64,
    /// How long the load takes to build up.
    pub ramp_up_s: f64,
    /// How long it takes to die away at the end.
    pub ramp_down_s: f64,
    /// What everything random follows from.
    pub seed: u64,
    /// Which part of the sessions is ours, counted from 0.
    pub shard: u64,
    /// Of how many.
    pub shards: u64,
    /// Expected sessions that begin during the run.
    pub sessions: f64,
    /// Sessions that began before the run and are under way at its start: a number, not an expectation.
    pub under_way: u64,
    /// Expected requests of the sessions that begin, of the methods that are sent.
    pub requests: f64,
    /// Requests of a session in the mean.
    pub requests_per_session: f64,
    /// Expected requests that pages make besides.
    pub companions: f64,
    /// Expected calls by periodic callers.
    pub background: f64,
    /// Sessions expected in the busiest second.
    pub peak_sessions_per_s: f64,
    /// Requests that these sessions bring, with what pages and periodic callers add; where a run is over before its
    /// sessions are, those that it has until then.
    pub peak_requests_per_s: f64,
    /// Requests waiting for an answer at the peak, by Little's law and the profile's own service times.
    pub peak_in_flight: f64,
    /// Sessions under way at the peak, pauses included; no more than the run has.
    pub peak_open_sessions: f64,
    /// Parts of the profile that this version does not execute.
    pub not_replayed: Vec<String>,
    /// Endpoints that sessions pass without a request, because their method is not allowed.
    pub skipped: Vec<SkippedEndpoint>,
    /// What is unlike production because somebody wished it so, and what that hides.
    pub artificial: Vec<String>,
    /// The log that is played as it was, in place of a profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceSummary>,
}

/// What following a curve too fast does to it: sessions last as long as ever, and so the requests lag and blur.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Flattening {
    /// Share of the swing of a day that is left in the requests.
    pub amplitude_kept: f64,
    /// How much later than the sessions they swing, in seconds of the run.
    pub lag_s: f64,
    /// How long after its session's start a request comes, in the mean; from drawn sessions.
    pub mean_request_age_s: f64,
}

impl Flattening {
    /// Less than this of the swing is not the same day any more.
    const LEAST: f64 = 0.8;
    /// Less than this should be known.
    const NOTABLE: f64 = 0.95;

    fn of(plan: &Plan, survey: &Survey) -> Option<Self> {
        let Base::Curve { speedup, .. } = plan.course.base else { return None };
        if speedup <= 1.0 {
            return None;
        }
        let age_s = survey.mean_request_age_s;
        let turns_per_s = std::f64::consts::TAU * speedup / f64::from(DAY_S);
        Some(Self {
            amplitude_kept: survey::amplitude_kept(speedup, age_s),
            lag_s: (turns_per_s * age_s).atan() / turns_per_s,
            mean_request_age_s: age_s,
        })
    }

    /// Refuses a swing that is hardly there.
    pub(super) fn check(&self, speedup: f64) -> Result<(), Error> {
        if self.amplitude_kept >= Self::LEAST {
            return Ok(());
        }
        let turned = (Self::LEAST.powi(-2) - 1.0).sqrt();
        let at_most = turned * f64::from(DAY_S) / (std::f64::consts::TAU * self.mean_request_age_s);
        Err(Error::Flattened { speedup, kept: self.amplitude_kept, least: Self::LEAST, at_most })
    }

    /// Whether it should be warned of.
    pub fn is_notable(&self) -> bool {
        self.amplitude_kept < Self::NOTABLE
    }
}

/// An endpoint that sessions pass without a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SkippedEndpoint {
    /// Its id.
    pub endpoint: String,
    /// The method that would have to be allowed.
    pub method: String,
}

impl Outline {
    pub(super) fn of(
        plan: &Plan,
        profile: &Profile,
        schedule: &Schedule,
        resolved: &Resolved,
        survey: &Survey,
    ) -> Self {
        let course = &plan.course;
        let blocks = 0..course.duration_s.ceil() as i64;
        let (sessions, peak) = blocks.fold((0.0, 0.0_f64), |(sum, peak), block| {
            let expected = plan.canary.share(block as u64) * plan.arrivals.expected_in(block);
            (sum + expected, peak.max(expected))
        });
        let mean = MeanSession::of(plan, &plan.chains);
        // A run that starts with nobody, and is over before its sessions are, does not come to the rest of them.
        let reached = if plan.warm.is_empty() { survey.share_in_run } else { 1.0 };
        let calls_per_s: f64 = plan.background.iter().map(Callers::rate_per_s).sum();
        let at = |t_s| course.week_s(t_s).map(|t_s| time_of_week(course::in_week(t_s)));
        Self {
            scenario: schedule.scenario.clone(),
            stop: resolved.stop.clone(),
            from: at(0.0),
            to: at(course.duration_s),
            level_per_s: match course.base {
                Base::Curve { .. } => None,
                Base::Level(level) => Some(level),
            },
            duration_s: course.duration_s,
            speedup: course.speedup(),
            flattening: Flattening::of(plan, survey),
            scale: course.scale,
            canary_s: plan.canary.length_s(),
            ramp_up_s: resolved.ramp_up_s,
            ramp_down_s: if schedule.artificial.instant_step {
                0.0
            } else {
                schedule.ramp_down.as_secs_f64()
            },
            seed: course.seed,
            shard: schedule.share.index,
            shards: schedule.share.of,
            sessions,
            under_way: plan.warm.len() as u64,
            requests: sessions * mean.requests,
            requests_per_session: mean.requests,
            companions: sessions * mean.companions,
            background: calls_per_s * course.duration_s,
            peak_sessions_per_s: peak,
            peak_requests_per_s: reached * peak * (mean.requests + mean.companions) + calls_per_s,
            peak_in_flight: reached * peak * mean.service_s,
            peak_open_sessions: (peak * (mean.service_s + mean.pauses_s))
                .min(sessions + plan.warm.len() as f64),
            not_replayed: not_replayed(profile),
            skipped: plan
                .endpoints
                .iter()
                .filter(|endpoint| !endpoint.allowed)
                .map(|endpoint| SkippedEndpoint {
                    endpoint: endpoint.id.clone(),
                    method: endpoint.method.to_string(),
                })
                .collect(),
            artificial: artificial(&schedule.artificial),
            trace: None,
        }
    }

    /// Connections open at the peak, where a session keeps one that it does not use for `keep_alive`.
    pub fn peak_connections(&self, keep_alive: Duration) -> f64 {
        let used = self.peak_in_flight + self.peak_requests_per_s * keep_alive.as_secs_f64();
        used.min(self.peak_open_sessions)
    }

    /// The same for a plan that plays `trace`: counted, not expected.
    pub(super) fn of_trace(self, plan: &Plan, trace: &Trace) -> Self {
        let sent =
            trace.all_steps().iter().filter_map(|(place, at_ns)| Some((plan.requested(*place)?, *at_ns)));
        let (mut requests, mut service_s) = (0.0, 0.0);
        let mut in_second: BTreeMap<u64, f64> = BTreeMap::new();
        for (endpoint, at_ns) in sent {
            requests += 1.0;
            service_s += plan.endpoints[endpoint].mean_service_s;
            *in_second.entry(at_ns / SECOND_NS).or_default() += 1.0;
        }
        let largest = |counts: &BTreeMap<u64, f64>| counts.values().copied().fold(0.0, f64::max);
        let mut starting: BTreeMap<u64, f64> = BTreeMap::new();
        // What opens and what closes at each moment.
        let mut changes: BTreeMap<u64, f64> = BTreeMap::new();
        for session in &trace.sessions {
            *starting.entry(session.planned.block).or_default() += 1.0;
            let last_ns = trace.steps(&session.planned).last().map_or(0, |(_, at_ns)| *at_ns);
            *changes.entry(session.planned.starts_at_ns).or_default() += 1.0;
            *changes.entry(last_ns + 1).or_default() -= 1.0;
        }
        let open = changes.values().scan(0.0, |open, change| {
            *open += change;
            Some(*open)
        });
        let sessions = trace.sessions.len() as f64;
        let peak_requests_per_s = largest(&in_second);
        Self {
            from: None,
            to: None,
            sessions,
            requests,
            requests_per_session: requests / sessions,
            peak_sessions_per_s: largest(&starting),
            peak_requests_per_s,
            peak_in_flight: if requests > 0.0 { peak_requests_per_s * service_s / requests } else { 0.0 },
            peak_open_sessions: open.fold(0.0, f64::max),
            trace: Some(trace.summary),
            ..self
        }
    }
}

/// What was wished to be unlike production, and what each hides.
fn artificial(wished: &Artificial) -> Vec<String> {
    let all = [
        (
            wished.constant_rate_per_s.is_some(),
            "a constant rate hides how the service takes the rise of the day, and bursts beyond mere chance",
        ),
        (
            wished.instant_step,
            "an instant step hides how the service grows with its load: caches, pools and autoscaling find no time",
        ),
        (
            wished.one_class.is_some(),
            "one class only hides how kinds of users get in each other's way, and endpoints that only others use",
        ),
        (
            wished.no_think_time,
            "without think time there are fewer sessions open than such a load has: idle connections, session stores \
             and caches that age see too little",
        ),
    ];
    all.into_iter().filter(|(asked, _)| *asked).map(|(_, hides)| hides.to_owned()).collect()
}

/// What one session comes to in the mean.
struct MeanSession {
    requests: f64,
    companions: f64,
    service_s: f64,
    pauses_s: f64,
}

impl MeanSession {
    fn of(plan: &Plan, chains: &Chains) -> Self {
        let mut mean = Self { requests: 0.0, companions: 0.0, service_s: 0.0, pauses_s: 0.0 };
        let pauses: Vec<f64> = chains.gaps.iter().map(super::chain::Gaps::mean_s).collect();
        for (class, weight) in chains.classes.shares() {
            let chain = &chains.chains[class];
            for (node, visits) in chain.visits().into_iter().enumerate() {
                let (place, visits) = (chain.place(node), weight * visits);
                // The pause after the last request is never waited for: it leads nowhere.
                for (to, share) in chain.row(node).into_iter().flat_map(|row| row.shares()) {
                    let pause_s = to.map_or(0.0, |to| pauses[chain.gaps_between(place, to)]);
                    mean.pauses_s += visits * share * pause_s;
                }
                if let Some(endpoint) = plan.requested(place) {
                    mean.requests += visits;
                    mean.companions += visits * plan.companions.mean(endpoint);
                    mean.service_s += visits * plan.endpoints[endpoint].mean_service_s;
                }
            }
        }
        // It comes before all else; the pause after it is one of those that are counted already, or as short.
        if let Some(login) = plan.login.map(|login| &plan.endpoints[login]).filter(|login| login.allowed) {
            mean.requests += 1.0;
            mean.service_s += login.mean_service_s;
        }
        mean
    }
}

/// Parts of `profile` that this version does not execute, by the names of the profile's keys.
fn not_replayed(profile: &Profile) -> Vec<String> {
    let parts =
        [("pace below 0", profile.classes.iter().any(|class| class.pace.is_some_and(|pace| pace < 0.0)))];
    parts.into_iter().filter(|(_, present)| *present).map(|(name, _)| name.to_owned()).collect()
}
