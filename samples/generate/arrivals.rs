//! When sessions begin: a Poisson process whose rate is piecewise linear over the week.

use crate::random::Random;

/// Seconds between two knots of the rate.
pub(crate) const KNOT_SPACING_S: u32 = 1_800;
/// Knots of one day.
const KNOTS_PER_DAY: usize = 48;
/// Seconds of one day.
pub(crate) const DAY_S: u32 = 86_400;

/// Days of the week, in the order of the curve.
pub(crate) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Level of each day; Monday is 1.
const LEVELS: [f64; 7] = [1.0, 0.97, 0.98, 1.04, 0.90, 1.12, 1.22];

/// Relative rates of a working day, every 30 min from midnight: commute, lunch and a peak at 20:30.
#[rustfmt::skip]
const WORKING_DAY: [f64; KNOTS_PER_DAY] = [
    0.22, 0.17, 0.13, 0.10, 0.08, 0.07, 0.06, 0.06, 0.06, 0.06, 0.07, 0.09,
    0.13, 0.19, 0.27, 0.35, 0.40, 0.42, 0.43, 0.44, 0.45, 0.46, 0.49, 0.54,
    0.60, 0.61, 0.56, 0.51, 0.48, 0.47, 0.47, 0.48, 0.50, 0.53, 0.57, 0.62,
    0.67, 0.73, 0.82, 0.91, 0.97, 1.00, 0.96, 0.87, 0.74, 0.58, 0.42, 0.30,
];

/// Relative rates of a Saturday or Sunday: a late morning, a full afternoon, a lower peak.
#[rustfmt::skip]
const WEEKEND_DAY: [f64; KNOTS_PER_DAY] = [
    0.28, 0.23, 0.19, 0.16, 0.13, 0.10, 0.08, 0.07, 0.06, 0.06, 0.06, 0.07,
    0.08, 0.09, 0.11, 0.14, 0.19, 0.25, 0.33, 0.41, 0.49, 0.55, 0.60, 0.62,
    0.62, 0.62, 0.63, 0.65, 0.68, 0.71, 0.73, 0.74, 0.74, 0.73, 0.72, 0.72,
    0.73, 0.75, 0.78, 0.82, 0.85, 0.86, 0.82, 0.73, 0.62, 0.51, 0.41, 0.33,
];

/// A rate that is linear between its knots and repeats every week.
pub(crate) struct RateCurve {
    knots_per_s: Vec<f64>,
}

impl RateCurve {
    /// Returns the week's curve, scaled to `sessions` expected in its first `days`.
    pub(crate) fn week(sessions: f64, days: u32) -> Self {
        let shape: Vec<f64> = LEVELS
            .iter()
            .enumerate()
            .flat_map(|(day, level)| {
                let shape = if day < 5 { &WORKING_DAY } else { &WEEKEND_DAY };
                shape.iter().map(move |relative| level * relative)
            })
            .collect();
        let unscaled = Self { knots_per_s: shape };
        let scale = sessions / unscaled.expected(days);
        Self { knots_per_s: unscaled.knots_per_s.iter().map(|rate| rate * scale).collect() }
    }

    /// Returns the rates at the knots of one day, 0 being Monday.
    pub(crate) fn day(&self, day: usize) -> &[f64] {
        &self.knots_per_s[day * KNOTS_PER_DAY..(day + 1) * KNOTS_PER_DAY]
    }

    /// Returns how many sessions are expected in the first `days`.
    pub(crate) fn expected(&self, days: u32) -> f64 {
        let segments = days as usize * KNOTS_PER_DAY;
        (0..segments)
            .map(|segment| (self.knot(segment) + self.knot(segment + 1)) / 2.0 * f64::from(KNOT_SPACING_S))
            .sum()
    }

    /// Returns the arrival after `from_s`, in seconds since the first Monday.
    ///
    /// Exact inversion of the integrated rate (Klein & Roberts 1984): an exponential variate is used up segment by
    /// segment, and solved for in the segment where it ends.
    pub(crate) fn next_after(&self, from_s: f64, random: &mut Random) -> f64 {
        let spacing_s = f64::from(KNOT_SPACING_S);
        let mut left = random.exponential();
        let mut segment = (from_s / spacing_s) as usize;
        let mut at_s = from_s;
        loop {
            let slope = (self.knot(segment + 1) - self.knot(segment)) / spacing_s;
            let end_s = (segment + 1) as f64 * spacing_s;
            let rate = self.knot(segment) + slope * (at_s - segment as f64 * spacing_s);
            let area = (rate + self.knot(segment + 1)) / 2.0 * (end_s - at_s);
            if left < area {
                // This form of the root is stable for a slope of zero and below.
                return at_s + 2.0 * left / (rate + (rate * rate + 2.0 * slope * left).sqrt());
            }
            left -= area;
            at_s = end_s;
            segment += 1;
        }
    }

    fn knot(&self, index: usize) -> f64 {
        self.knots_per_s[index % self.knots_per_s.len()]
    }
}
