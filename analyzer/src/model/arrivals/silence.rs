//! Holes in a log: silences that its own rate makes incredible.

use std::ops::Range;

use super::expectation::Expectation;
use super::exposure::{Coverage, Starts};

/// Probability, for the log as a whole, of taking one quiet moment for a hole.
const INCREDIBLE: f64 = 1e-6;
/// The shortest hole in seconds: less than a bin makes no difference to the exposure of one.
const SHORTEST_S: i64 = 300;
/// Seconds on either side in which the level of the traffic around a silence is measured.
const AROUND_S: i64 = 43_200;

/// Stretches of covered time without a start that a Poisson process of the expected rate would not leave.
///
/// Between two of n starts nothing happens with probability `exp(-Λ)`; a silence is a hole when `n exp(-Λ)` is below
/// 1e-6, and five minutes long. Λ is lowered where the half days around the silence had fewer starts than expected,
/// so that a quiet holiday is not taken for a log that was cut.
pub fn silences(starts: &Starts, coverage: &Coverage, expectation: &Expectation) -> Vec<Range<i64>> {
    let incredible = ((starts.count() + 1) as f64 / INCREDIBLE).ln();
    let mut found = Vec::new();
    for (stretch, seconds) in coverage.covered(starts) {
        let mut from_s = stretch.start;
        for next_s in seconds.map(|(second, _)| second).chain([stretch.end]) {
            let silence = from_s..next_s;
            let level = || level_around(&silence, &stretch, starts, expectation);
            if next_s - from_s >= SHORTEST_S && expected(&silence, expectation) * level() > incredible {
                found.push(silence);
            }
            from_s = next_s + 1;
        }
    }
    found
}

fn expected(range: &Range<i64>, expectation: &Expectation) -> f64 {
    expectation.before(range.end as f64) - expectation.before(range.start as f64)
}

/// Starts around a silence in the same `stretch` over those expected there; at most 1.
fn level_around(
    silence: &Range<i64>,
    stretch: &Range<i64>,
    starts: &Starts,
    expectation: &Expectation,
) -> f64 {
    let around = silence.start - AROUND_S..silence.end + AROUND_S;
    let before = |limit: i64| starts.before(limit.clamp(stretch.start, stretch.end));
    let found = (before(around.end) - before(around.start)) as f64;
    let expected = expected(&around, expectation) - expected(silence, expectation);
    if expected > 0.0 { (found / expected).min(1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use shared::arrivals::WeekCurve;

    use super::*;
    use crate::tally::civil::CivilClock;

    #[track_caller]
    fn check(every_s: usize, silent: Range<i64>, expected: Option<Range<i64>>) {
        let clock = CivilClock::of_log(&BTreeMap::from([(0, 0)]));
        let curve = WeekCurve::new(86_400.0, vec![0.1; 7]).unwrap();
        let coverage = Coverage::new(0, 200_000, &[], 0);
        let expectation = Expectation::new(&curve, &clock, &coverage, |_| 1.0);
        let starts = Starts::of((0..200_000).step_by(every_s).filter(|at| !silent.contains(at)));
        assert_eq!(silences(&starts, &coverage, &expectation), expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn an_incredible_silence_is_a_hole_and_a_quiet_holiday_is_none() {
        check(10, 100_000..100_600, Some(99_991..100_600));
        // Twenty expected: one in 5e8 for one silence, but there are 20,000.
        check(10, 100_000..100_200, None);
        // At a tenth of the rate, ten minutes without a start are nothing.
        check(100, 100_000..100_600, None);
    }
}
