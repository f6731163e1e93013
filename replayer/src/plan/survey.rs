//! What sessions of a plan are like in time: how long they last, and how long after its start a session requests.
//!
//! Some sessions are drawn and walked through at the pace of production; the numbers are means over these, the same for
//! every seed of the plan.

use super::{Plan, Walk};
use crate::clock::to_s;
use crate::random::{Key, Purpose, Stream};

/// What sessions are like in time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Survey {
    /// From a session's start to a request of it, in the mean over requests.
    pub(super) mean_request_age_s: f64,
    /// Share of the requests of a session that fall into as long a time from its start as new ones start in the run.
    pub(super) share_in_run: f64,
    /// What all but one in a hundred sessions last at most.
    pub(super) p99_duration_s: f64,
}

/// Sessions drawn: their mean age of a request is known to a few percent.
const SESSIONS: u64 = 2_000;
/// Places after which no further session is drawn, so that a plan of endless sessions is there in time.
const PLACES: usize = 200_000;

impl Survey {
    /// Draws sessions of `plan`.
    pub(super) fn of(plan: &Plan) -> Self {
        let (mut ages_s, mut requests, mut in_run, mut places) = (0.0, 0_u64, 0_u64, 0);
        let mut durations_s = Vec::new();
        for index in 0..SESSIONS {
            // A block of its own, which no run has.
            let key = Key { seed: 0, block: u64::from(u32::MAX), index };
            let class = plan.chains.classes.pick(Stream::new(key, Purpose::Survey).uniform());
            let mut walk = Walk::new(&plan.chains, key, class);
            let (dues_ns, ends_ns) = expected_times(plan, &mut walk);
            for (place, due_ns) in walk.places.iter().zip(&dues_ns) {
                if plan.requested(*place).is_some() {
                    ages_s += to_s(*due_ns);
                    requests += 1;
                    in_run += u64::from(*due_ns <= plan.end_ns());
                }
            }
            durations_s.push(to_s(ends_ns));
            places += walk.places.len();
            if places > PLACES {
                break;
            }
        }
        durations_s.sort_by(f64::total_cmp);
        Self {
            mean_request_age_s: ages_s / requests.max(1) as f64,
            share_in_run: in_run as f64 / requests.max(1) as f64,
            p99_duration_s: durations_s[(durations_s.len() - 1) * 99 / 100],
        }
    }
}

/// When each place of `walk` is due, in nanoseconds after the first, and when the last ends, were all answers to take
/// what they take in production in the mean. Draws all pauses.
pub(super) fn expected_times(plan: &Plan, walk: &mut Walk) -> (Vec<u64>, u64) {
    let mut dues_ns = Vec::with_capacity(walk.places.len());
    let (mut due_ns, mut end_ns) = (0, 0);
    for at in 0..walk.places.len() {
        dues_ns.push(due_ns);
        let service_ns = plan.requested(walk.places[at]).map_or(0, |at| plan.expected_service_ns(at));
        end_ns = due_ns + service_ns;
        if let Some(next) = walk.places.get(at + 1).copied() {
            due_ns = plan.gap_between(walk, walk.places[at], next).due_ns(due_ns, end_ns);
        }
    }
    (dues_ns, end_ns)
}

/// Share of a day's swing that is left in the requests of a run that follows the curve `speedup` times too fast, where
/// requests come `age_s` after their session's start in the mean: `1/√(1 + (wA)²)` with `w = 2π κ/24 h`.
///
/// Exact for exponential ages and a sinusoidal day.
pub(super) fn amplitude_kept(speedup: f64, age_s: f64) -> f64 {
    let turned = std::f64::consts::TAU * speedup / f64::from(shared::arrivals::DAY_S) * age_s;
    1.0 / turned.hypot(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Schedule;
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;

    #[test]
    fn the_swing_that_is_kept_is_that_of_the_formula() {
        // Reference values of the method's table.
        for (speedup, minutes, kept) in [
            (6.0, 2.0, 0.999),
            (6.0, 20.0, 0.886),
            (24.0, 5.0, 0.886),
            (24.0, 10.0, 0.691),
            (96.0, 20.0, 0.119),
        ] {
            let found = amplitude_kept(speedup, 60.0 * minutes);
            assert!((found - kept).abs() < 6e-4, "{speedup} {minutes}: {found}");
        }
    }

    #[test]
    fn ages_are_those_of_the_chain() {
        let mut profile = from_yaml(EXAMPLE).unwrap();
        // One place that ends half of all sessions: the n-th request comes after n-1 pauses and answers, and a request
        // is the n-th with probability 2^-n, so the mean is one pause and one answer.
        profile.endpoints[0].service_time_s = None;
        profile.classes[0].start = [("get_home".to_owned(), 1.0)].into();
        for state in profile.classes[0].chain.values_mut() {
            state.next = [("get_home".to_owned(), 0.5), ("END".to_owned(), 0.5)].into();
        }
        let plan = Plan::new(&profile, &Schedule::default(), &[]).unwrap();
        let survey = Survey::of(&plan);
        let pause_s = plan.chains.gaps[0].mean_s();
        assert!((survey.mean_request_age_s / pause_s - 1.0).abs() < 0.1, "{survey:?} {pause_s}");
        assert!(
            survey.p99_duration_s > 3.0 * pause_s && survey.p99_duration_s < 12.0 * pause_s,
            "{survey:?}"
        );
    }
}
