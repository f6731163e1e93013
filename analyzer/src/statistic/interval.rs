//! Intervals for shares and for the difference of two shares.

use shared::distribution::normal_quantile;

/// A confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `x` lies in it, ends included.
    pub fn contains(&self, x: f64) -> bool {
        (self.low..=self.high).contains(&x)
    }
}

/// The score interval of a binomial share (Wilson 1927), without continuity correction.
///
/// `successes` of `n` trials, 0 ≤ `successes` ≤ `n`; both may be effective sizes and need not be whole. `confidence`
/// lies strictly between 0 and 1. Nothing is known of a share without trials: 0 to 1.
pub fn wilson(successes: f64, n: f64, confidence: f64) -> Interval {
    if n <= 0.0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let z = normal_quantile(0.5 + 0.5 * confidence);
    let p = successes / n;
    let z2 = z * z / n;
    let centre = (p + 0.5 * z2) / (1.0 + z2);
    let half = (z2 * (p * (1.0 - p) + 0.25 * z2)).sqrt() / (1.0 + z2);
    Interval { low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
}

/// The hybrid score interval of the difference of two independent shares, first − second (Newcombe 1998, method 10).
///
/// Each sample is `[successes, n]` as in [`wilson`]; where one has no trials its interval is the whole range.
pub fn newcombe(first: [f64; 2], second: [f64; 2], confidence: f64) -> Interval {
    let share = |[successes, n]: [f64; 2]| if n > 0.0 { successes / n } else { 0.5 };
    let (p, q) = (share(first), share(second));
    let (a, b) = (wilson(first[0], first[1], confidence), wilson(second[0], second[1], confidence));
    Interval { low: p - q - (p - a.low).hypot(b.high - q), high: p - q + (a.high - p).hypot(q - b.low) }
}
