//! How late requests were sent, by the generator's own doing: from due to the first byte written, without connecting.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Finding, Level};
use crate::record::Times;

/// How late requests were sent. The quantiles stand with the other times of the run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Lateness {
    /// Share of requests sent at least 1 ms late.
    pub share_1ms: f64,
    /// Share sent at least 10 ms late.
    pub share_10ms: f64,
    /// Share sent at least 100 ms late.
    pub share_100ms: f64,
    /// The 99th percentile of lateness.
    pub p99_s: f64,
}

/// Later than this at the 99th percentile, the load is not quite the planned one: goal G2 at the highest rate.
const DEGRADED_P99_S: f64 = 0.001;

/// Later than this, it is another one: ten times the goal.
pub(super) const INVALID_P99_S: f64 = 0.010;

impl Lateness {
    /// Of the send delays of all requests.
    pub(crate) fn of(send_delays: &Times) -> Self {
        let share = |ns| send_delays.count_from(ns) as f64 / send_delays.count().max(1) as f64;
        Self {
            share_1ms: share(1_000_000),
            share_10ms: share(10_000_000),
            share_100ms: share(100_000_000),
            p99_s: send_delays.quantile_s(0.99),
        }
    }

    /// What is wrong with it.
    pub(super) fn finding(&self) -> Option<Finding> {
        let (level, allowed_s) = match self.p99_s {
            p99_s if p99_s > INVALID_P99_S => (Level::Invalid, INVALID_P99_S),
            p99_s if p99_s > DEGRADED_P99_S => (Level::Degraded, DEGRADED_P99_S),
            _ => (Level::Valid, DEGRADED_P99_S),
        };
        Finding::of_generator(level, || {
            let [late_ms, allowed_ms] = [self.p99_s, allowed_s].map(|s| 1e3 * s);
            format!("1 % of requests were sent {late_ms:.1} ms late or later, allowed are {allowed_ms:.0} ms")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_late_request_in_a_hundred_is_enough() {
        #[track_caller]
        fn check(late: u64, late_us: u64, expected: Option<Level>) {
            let mut times = Times::default();
            times.add_us(20, 1000 - late);
            times.add_us(late_us, late);
            let lateness = Lateness::of(&times);
            assert_eq!(lateness.finding().map(|finding| finding.level), expected, "{lateness:?}");
        }
        check(0, 1, None);
        check(9, 500_000, None);
        check(11, 900, None);
        check(11, 2_000, Some(Level::Degraded));
        check(11, 12_000, Some(Level::Invalid));
        let mut times = Times::default();
        [500, 2_000, 20_000, 200_000].into_iter().for_each(|us| times.add_us(us, 1));
        let Lateness { share_1ms, share_10ms, share_100ms, .. } = Lateness::of(&times);
        assert_eq!([share_1ms, share_10ms, share_100ms].map(|share| (4.0 * share) as u32), [3, 2, 1]);
    }
}
