//! How long the sessions of a class are, in requests and in time.
//!
//! The length of a session that follows a Markov chain is discrete phase-type: `P(L > n) = a Qⁿ 1` (Neuts 1981). The
//! chain alone decides: longer memories, where a class has them, are not followed.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::Profile;
use shared::distribution::Sampler;
use shared::session::{Class, END, OTHER};
use shared::think::GapKind;

/// How long sessions are.
#[derive(Debug, Serialize)]
pub(super) struct Lengths {
    /// Requests per session in the mean.
    pub(super) requests_mean: f64,
    /// The median of requests per session.
    pub(super) requests_p50: u64,
    /// Nine of ten sessions have at most so many requests.
    pub(super) requests_p90: u64,
    /// From the start of the first request to the end of the last, in the mean; null when a think time has no law.
    pub(super) duration_mean_s: Option<f64>,
}

/// Share of sessions still open at which counting stops.
const NEGLIGIBLE: f64 = 1e-9;
/// Requests of a session at which counting stops.
const MOST_REQUESTS: u64 = 20_000;

impl Lengths {
    /// `None` when nine of ten sessions do not end within twenty thousand requests.
    pub(super) fn of(class: &Class, profile: &Profile) -> Option<Self> {
        let Course { visits, p50, p90 } = Course::of(class);
        Some(Self {
            requests_mean: class.mean_requests_per_session(),
            requests_p50: p50?,
            requests_p90: p90?,
            duration_mean_s: duration_mean_s(class, profile, &visits),
        })
    }
}

/// What all sessions of a class do together, request by request.
pub(super) struct Course<'c> {
    /// Visits per session of each state. Solved from the probabilities, so that it also holds for edited profiles.
    pub(super) visits: BTreeMap<&'c str, f64>,
    /// Requests after which half, and nine of ten, have ended.
    p50: Option<u64>,
    p90: Option<u64>,
}

impl<'c> Course<'c> {
    pub(super) fn of(class: &'c Class) -> Self {
        let mut course = Self { visits: BTreeMap::new(), p50: None, p90: None };
        let mut alive = class.start.iter().map(|(id, share)| (id.as_str(), *share)).collect();
        for requests in 0..MOST_REQUESTS {
            // A state too rare to be named is passed without a request.
            pass_others(class, &mut alive, &mut course.visits);
            let open: f64 = alive.values().sum();
            course.p50 = course.p50.or((open <= 0.5).then_some(requests));
            course.p90 = course.p90.or((open <= 0.1).then_some(requests));
            if open < NEGLIGIBLE {
                break;
            }
            alive.iter().for_each(|(id, share)| *course.visits.entry(id).or_insert(0.0) += share);
            alive = step(class, &alive);
        }
        course
    }
}

/// One step of the chain; what reaches `END` is gone.
fn step<'c>(class: &'c Class, alive: &BTreeMap<&str, f64>) -> BTreeMap<&'c str, f64> {
    let mut next = BTreeMap::new();
    for (id, share) in alive {
        for (to, probability) in class.chain.get(*id).iter().flat_map(|state| &state.next) {
            if to != END {
                *next.entry(to.as_str()).or_insert(0.0) += share * probability;
            }
        }
    }
    next
}

/// Moves what is in `other` on, until next to nothing is there.
fn pass_others<'c>(
    class: &'c Class,
    alive: &mut BTreeMap<&'c str, f64>,
    visits: &mut BTreeMap<&'c str, f64>,
) {
    const MOST_ROUNDS: u32 = 10_000;
    for _ in 0..MOST_ROUNDS {
        let Some(hidden) = alive.remove(OTHER) else { return };
        if hidden < NEGLIGIBLE {
            return;
        }
        *visits.entry(OTHER).or_insert(0.0) += hidden;
        for (to, share) in step(class, &BTreeMap::from([(OTHER, hidden)])) {
            *alive.entry(to).or_insert(0.0) += share;
        }
    }
}

/// Service times of all requests and the pauses between them, as often as each state is visited.
fn duration_mean_s(class: &Class, profile: &Profile, visits: &BTreeMap<&str, f64>) -> Option<f64> {
    let longest_s = profile.source.session_rule.gap_s;
    let mut pauses: BTreeMap<&str, (f64, GapKind)> = BTreeMap::new();
    let mut sum = 0.0;
    for (id, visits) in visits {
        let name = class.think_time.after(id);
        if !pauses.contains_key(name) {
            let think = profile.think_times.get(name)?;
            pauses.insert(name, (mean_up_to(&think.sampler()?, longest_s), think.kind));
        }
        let (pause_s, kind) = pauses.get(name)?;
        let ends = class.chain.get(*id).and_then(|state| state.next.get(END)).copied().unwrap_or(0.0);
        let service = profile.endpoint(id).and_then(|endpoint| endpoint.service_time_s.as_ref());
        let service_s = service.map_or(0.0, |summary| summary.histogram.mean());
        // Pacing runs from stamp to stamp, the service time is inside.
        let own_s = match kind {
            GapKind::Think => service_s,
            GapKind::Pacing => service_s * ends,
        };
        sum += visits * (own_s + (1.0 - ends) * pause_s);
    }
    Some(sum)
}

/// The mean of a law, with values beyond `longest` taken as `longest`: no pause in a session is longer.
fn mean_up_to(sampler: &Sampler, longest: f64) -> f64 {
    const POINTS: u32 = 1000;
    let value = |i: u32| sampler.quantile((f64::from(i) + 0.5) / f64::from(POINTS)).min(longest);
    (0..POINTS).map(value).sum::<f64>() / f64::from(POINTS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::session::State;

    #[test]
    fn lengths_and_durations_are_those_of_the_chain() {
        let profile = shared::io::from_yaml(shared::profile::EXAMPLE).unwrap();
        let lengths = Lengths::of(&profile.classes[0], &profile).unwrap();
        // One request: 0.75 × 0.4 + 0.25 × 0.6667 = 0.467; at most two: 0.773; three: 0.889; four: 0.951.
        assert_eq!((lengths.requests_p50, lengths.requests_p90), (2, 4));
        // 1.25 visits of the home page of 21 ms each; 0.75 × 0.6 + … steps of exp(0.7 + 0.405) s each.
        let expected = 1.25 * 0.0286 + (lengths.requests_mean - 1.0) * (0.7_f64 + 0.405).exp();
        let found = lengths.duration_mean_s.unwrap();
        assert!((found / expected - 1.0).abs() < 0.02, "{found} {expected}");
    }

    #[test]
    fn what_has_no_name_is_passed_without_a_request() {
        let mut profile = shared::io::from_yaml(shared::profile::EXAMPLE).unwrap();
        let class = &mut profile.classes[0];
        let state = |to: &[(&str, f64)]| State {
            visits: 1,
            next: to.iter().map(|(to, share)| ((*to).to_owned(), *share)).collect(),
        };
        class.start = BTreeMap::from([(OTHER.to_owned(), 1.0)]);
        class.chain = BTreeMap::from([
            (OTHER.to_owned(), state(&[(OTHER, 0.5), ("get_home", 0.5)])),
            ("get_home".to_owned(), state(&[(END, 1.0)])),
        ]);
        let lengths = Lengths::of(&profile.classes[0], &profile).unwrap();
        assert_eq!((lengths.requests_p50, lengths.requests_p90), (1, 1));
    }
}
