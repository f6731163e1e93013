//! A run in figures, before it happens.

use schemars::JsonSchema;
use serde::Serialize;
use shared::Profile;
use shared::units::time_of_week;

use super::chain::Chains;
use super::{Plan, course};

/// A run in figures, before it happens. Expectations, except for what was asked for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Outline {
    /// Time of the week at which the run starts on the curve, in the profile's time zone.
    pub from: String,
    /// Time of the week at which it ends.
    pub to: String,
    /// How long sessions start.
    pub duration_s: f64,
    /// How many times faster than the clock the curve is followed.
    pub speedup: f64,
    /// Multiple of the curve's rates.
    pub scale: f64,
    /// How long only a hundredth of the load is sent at first.
    pub canary_s: f64,
    /// How long the load takes to build up.
    pub ramp_up_s: f64,
    /// What everything random follows from.
    pub seed: u64,
    /// Expected sessions.
    pub sessions: f64,
    /// Expected requests, of the methods that are sent.
    pub requests: f64,
    /// Requests of a session in the mean.
    pub requests_per_session: f64,
    /// Sessions expected in the busiest second.
    pub peak_sessions_per_s: f64,
    /// Requests that these sessions bring.
    pub peak_requests_per_s: f64,
    /// Requests waiting for an answer at the peak, by Little's law and the profile's own service times.
    pub peak_in_flight: f64,
    /// Sessions under way at the peak, pauses included.
    pub peak_open_sessions: f64,
    /// Parts of the profile that this version does not execute.
    pub not_replayed: Vec<String>,
    /// Endpoints that sessions pass without a request, because their method is not allowed.
    pub skipped: Vec<SkippedEndpoint>,
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
    pub(crate) fn of(plan: &Plan, profile: &Profile) -> Self {
        let course = plan.course;
        let blocks = 0..course.duration_s.ceil() as u64;
        let (sessions, peak) = blocks.fold((0.0, 0.0_f64), |(sum, peak), block| {
            let expected = plan.canary.share(block) * plan.arrivals.expected_in(block);
            (sum + expected, peak.max(expected))
        });
        let mean = MeanSession::of(plan, &plan.chains);
        Self {
            from: time_of_week(course::in_week(course.from_s)),
            to: time_of_week(course::in_week(course.week_s(course.duration_s))),
            duration_s: course.duration_s,
            speedup: course.speedup,
            scale: course.scale,
            ramp_up_s: course.ramp_up_s,
            canary_s: plan.canary.length_s(),
            seed: course.seed,
            sessions,
            requests: sessions * mean.requests,
            requests_per_session: mean.requests,
            peak_sessions_per_s: peak,
            peak_requests_per_s: peak * mean.requests,
            peak_in_flight: peak * mean.service_s,
            peak_open_sessions: peak * (mean.service_s + mean.pauses_s),
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
        }
    }
}

/// What one session comes to in the mean.
struct MeanSession {
    requests: f64,
    service_s: f64,
    pauses_s: f64,
}

impl MeanSession {
    fn of(plan: &Plan, chains: &Chains) -> Self {
        let mut mean = Self { requests: 0.0, service_s: 0.0, pauses_s: 0.0 };
        let pauses: Vec<f64> = chains.gaps.iter().map(super::chain::Gaps::mean_s).collect();
        for (class, weight) in chains.classes.shares() {
            let chain = &chains.chains[class];
            let visits = chain.visits();
            for (slot, place) in plan.places().enumerate() {
                let visits = weight * visits[slot];
                // The pause after the last request is never waited for: it leads nowhere.
                for (to, share) in chain.row(place).into_iter().flat_map(|row| row.shares()) {
                    let pause_s = to.map_or(0.0, |to| pauses[chain.gaps_between(place, to)]);
                    mean.pauses_s += visits * share * pause_s;
                }
                if let Some(endpoint) = plan.endpoints.get(slot).filter(|endpoint| endpoint.allowed) {
                    mean.requests += visits;
                    mean.service_s += visits * endpoint.mean_service_s;
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
    let parts = [
        ("contexts", profile.classes.iter().any(|class| !class.contexts.is_empty())),
        ("companions", profile.endpoints.iter().any(|endpoint| !endpoint.companions.is_empty())),
        ("background", !profile.background.is_empty()),
        ("burstiness", profile.arrivals.burstiness.is_some()),
        ("day_level_cv", profile.arrivals.day_level_cv.is_some()),
        ("pace", profile.classes.iter().any(|class| class.pace.is_some())),
        ("scenarios", !profile.scenarios.is_empty()),
        ("thresholds", !profile.thresholds.is_empty()),
    ];
    parts.into_iter().filter(|(_, present)| *present).map(|(name, _)| name.to_owned()).collect()
}
