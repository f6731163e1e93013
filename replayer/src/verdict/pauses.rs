//! Did sessions pause as planned? The first pause of each, by its rank in the planned law, must be anywhere between 0
//! and 1 with equal probability. Only the first, because the pauses of one person are alike; and only among the pauses
//! short enough to be over before the run is, because longer ones are never seen.

use schemars::JsonSchema;
use serde::Serialize;

use super::law::ks_survival;
use super::{Finding, Level};

/// Ranks are counted in this many equal parts.
const PARTS: usize = 1024;

/// With fewer pauses, no law can be told from another.
const FEWEST: u64 = 100;

/// A probability this small is no chance.
const SIGNIFICANT: f64 = 0.001;

/// Distances up to this do not matter, however certain they are: goal G6.
const DEGRADED_DISTANCE: f64 = 0.02;

/// With this distance, people are of another kind.
const INVALID_DISTANCE: f64 = 0.05;

/// How many pauses had which rank.
#[derive(Debug, Clone)]
pub(crate) struct Ranks(Vec<u64>);

impl Default for Ranks {
    fn default() -> Self {
        Self(vec![0; PARTS])
    }
}

impl Ranks {
    /// Adds a rank between 0 and 1.
    pub(super) fn add(&mut self, rank: f64) {
        self.0[((rank * PARTS as f64) as usize).min(PARTS - 1)] += 1;
    }
}

/// Whether sessions paused as planned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Pauses {
    /// First pauses of sessions that were compared.
    pub tested: u64,
    /// The largest distance between the distribution of pauses and the planned one.
    pub distance: f64,
    /// The probability of that distance by chance.
    pub p: f64,
}

impl Pauses {
    /// Of all ranks; none if they are too few.
    pub(crate) fn of(ranks: &Ranks) -> Option<Self> {
        let tested: u64 = ranks.0.iter().sum();
        let mut below = 0;
        let distances = ranks.0.iter().zip(1..).map(|(count, part)| {
            below += count;
            (below as f64 / tested as f64 - f64::from(part) / PARTS as f64).abs()
        });
        let distance = distances.fold(0.0, f64::max);
        (tested >= FEWEST).then(|| Self { tested, distance, p: ks_survival(distance, tested as usize) })
    }

    /// What is wrong with it.
    pub(super) fn finding(&self) -> Option<Finding> {
        let level = match self.distance {
            _ if self.p >= SIGNIFICANT => Level::Valid,
            distance if distance > INVALID_DISTANCE => Level::Invalid,
            distance if distance > DEGRADED_DISTANCE => Level::Degraded,
            _ => Level::Valid,
        };
        Finding::of_generator(level, || {
            format!(
                "sessions did not pause as planned: {:.1} % of pauses would have to be others",
                100.0 * self.distance
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_ranks_are_fine_and_shifted_ones_are_not() {
        #[track_caller]
        fn check(n: u32, rank: fn(f64) -> f64, expected: Option<Level>) {
            let mut ranks = Ranks::default();
            (0..n).for_each(|i| ranks.add(rank((f64::from(i) + 0.5) / f64::from(n))));
            let found = Pauses::of(&ranks).and_then(|pauses| pauses.finding()).map(|finding| finding.level);
            assert_eq!(found, expected);
        }
        check(99, |_| 0.5, None);
        check(10_000, |rank| rank, None);
        check(100_000, |rank| rank.powf(1.02), None);
        check(100_000, |rank| rank.powf(1.1), Some(Level::Degraded));
        check(10_000, |rank| rank.powf(1.3), Some(Level::Invalid));
        check(10_000, |_| 1.0, Some(Level::Invalid));
    }
}
