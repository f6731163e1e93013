//! How unevenly the values of a parameter are used: how many there are, and how steeply their use falls off.
//!
//! A pure function of how often each value was seen. The law is Zipf's on ranks, cut off at the number of values: the
//! value of rank r is used in proportion to r^-s. The exponent s is the maximum of the likelihood of the counts by
//! rank (as for the discrete power law of Clauset, Shalizi & Newman 2009, with the sum over ranks in place of the zeta
//! function). Ranks are known by the counts alone, and sorting makes a slope of chance: so ranks of values with few
//! uses count as one class, and where counts differ no more than chance makes them, use is even.

use shared::endpoint::Cardinality;

/// How the values of one parameter are used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Use {
    /// Different values.
    pub(crate) distinct: u64,
    /// How many there are, in words.
    pub(crate) cardinality: Cardinality,
    /// Zipf's exponent, 0 for even use and 4 at most; `None` for a single value, and where fewer than three values
    /// have uses enough to have a rank.
    pub(crate) exponent: Option<f64>,
}

/// Values up to which they are a short list.
const FEW: u64 = 20;
/// Share of uses that repeat a value below which values practically do not repeat.
const NO_REPEATS: f64 = 0.01;
/// Fewest values with a rank that an exponent is fitted to.
const LEAST_RANKS: usize = 3;
/// The steepest law that is looked for.
const STEEPEST: f64 = 4.0;

/// How values are used that were seen `counts` times each, in any order; zeros are values that nobody used.
///
/// `None` when no value was used. The exponent's standard error is about `1 / sqrt(uses * variance of ln rank)`: 0.01 at
/// ten thousand uses of a thousand values.
pub(crate) fn usage(counts: &[u64]) -> Option<Use> {
    let mut sorted: Vec<u64> = counts.iter().copied().filter(|count| *count > 0).collect();
    sorted.sort_unstable_by_key(|count| std::cmp::Reverse(*count));
    let distinct = sorted.len() as u64;
    let uses: u64 = sorted.iter().sum();
    if uses == 0 {
        return None;
    }
    // One less the share of first uses.
    let repeats = (uses - distinct) as f64 / uses as f64;
    let cardinality = match distinct {
        1 => Cardinality::One,
        2..=FEW => Cardinality::Few,
        _ if repeats < NO_REPEATS => Cardinality::Unique,
        _ => Cardinality::Many,
    };
    let exponent = exponent(&sorted, uses);
    Some(Use { distinct, cardinality, exponent })
}

/// Zipf's exponent of counts in falling order: where the likelihood of the ranks of the head, and of the tail as one
/// class with the mass that the law gives it, has no slope.
fn exponent(sorted: &[u64], uses: u64) -> Option<f64> {
    let head = sorted.iter().take_while(|count| **count >= SURE_COUNT).count();
    if head < LEAST_RANKS {
        return None;
    }
    if is_even(sorted, uses) {
        return Some(0.0);
    }
    let logs: Vec<f64> = (1..=sorted.len()).map(|rank| (rank as f64).ln()).collect();
    let head_uses: u64 = sorted[..head].iter().sum();
    let head_logs: f64 = sorted[..head].iter().zip(&logs).map(|(count, log)| *count as f64 * log).sum();
    let tail_uses = (uses - head_uses) as f64;
    // The slope of the log-likelihood: of the ranks of the head, and of the tail as one.
    let slope = |s: f64| {
        let moments = |logs: &[f64]| {
            logs.iter().fold((0.0, 0.0), |(mass, first), log| {
                let weight = (-s * log).exp();
                (mass + weight, first + weight * log)
            })
        };
        let (head_mass, head_first) = moments(&logs[..head]);
        let (tail_mass, tail_first) = moments(&logs[head..]);
        let mean = (head_first + tail_first) / (head_mass + tail_mass);
        let tail = if tail_mass > 0.0 { tail_uses * tail_first / tail_mass } else { 0.0 };
        uses as f64 * mean - head_logs - tail
    };
    let (mut low, mut high) = (0.0, STEEPEST);
    if slope(low) <= 0.0 {
        return Some(low);
    }
    if slope(high) >= 0.0 {
        return Some(high);
    }
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (low + high);
        if slope(middle) > 0.0 { low = middle } else { high = middle }
    }
    Some(0.5 * (low + high))
}

/// Whether counts differ no more than chance makes them differ: Pearson's statistic against its mean and three of its
/// standard deviations.
fn is_even(sorted: &[u64], uses: u64) -> bool {
    let mean = uses as f64 / sorted.len() as f64;
    let statistic: f64 = sorted.iter().map(|count| (*count as f64 - mean).powi(2) / mean).sum();
    let degrees = (sorted.len() - 1) as f64;
    statistic <= degrees + 3.0 * (2.0 * degrees).sqrt()
}

/// Uses of a value from which on its rank is more than chance: a standard error of a fifth.
const SURE_COUNT: u64 = 25;
/// Halvings of the interval: 4 / 2^40 is less than 1e-11.
const BISECTIONS: u32 = 40;

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

    use super::*;

    /// Counts of `uses` draws from Zipf's law over `values` values.
    fn drawn(exponent: f64, values: usize, uses: usize, seed: u64) -> Vec<u64> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut sums = vec![0.0];
        for rank in 1..=values {
            sums.push(sums[rank - 1] + (rank as f64).powf(-exponent));
        }
        let mut counts = vec![0; values];
        for _ in 0..uses {
            let u = (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 * sums[values];
            counts[sums.partition_point(|sum| *sum <= u) - 1] += 1;
        }
        counts
    }

    /// Ten thousand uses and more give the exponent back to within 0.05, most of it the chance of one log.
    #[test]
    fn the_exponent_that_values_were_drawn_with_comes_back() {
        for (exponent, values, uses) in [
            (0.3, 100, 20_000),
            (0.5, 200, 50_000),
            (0.92, 1_000, 100_000),
            (0.92, 5_000, 400_000),
            (1.2, 5_000, 100_000),
            (2.0, 500, 20_000),
        ] {
            let found: Vec<f64> = (0..5)
                .map(|seed| usage(&drawn(exponent, values, uses, seed)).unwrap().exponent.unwrap())
                .collect();
            let worst = found.iter().map(|found| (found - exponent).abs()).fold(0.0, f64::max);
            println!("goal: |exponent - {exponent}| <= 0.05 ({values} values, {uses} uses): {worst:.3}");
            assert!(worst <= 0.05, "{exponent}: {found:?}");
        }
    }

    #[test]
    fn even_use_has_no_slope_and_few_uses_have_no_exponent() {
        for seed in 0..20 {
            assert_eq!(usage(&drawn(0.0, 200, 20_000, seed)).unwrap().exponent, Some(0.0));
        }
        assert_eq!(usage(&drawn(0.9, 1_000, 200, 1)).unwrap().exponent, None);
        assert_eq!(usage(&[500]).unwrap().exponent, None);
    }

    #[test]
    fn values_are_one_few_many_or_unique() {
        let of = |counts: &[u64]| usage(counts).map(|usage| (usage.distinct, usage.cardinality));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[0, 0]), None);
        assert_eq!(of(&[0, 9]), Some((1, Cardinality::One)));
        assert_eq!(of(&[3, 9]), Some((2, Cardinality::Few)));
        assert_eq!(of(&[2; 50]), Some((50, Cardinality::Many)));
        assert_eq!(of(&[1; 50]), Some((50, Cardinality::Unique)));
    }
}
