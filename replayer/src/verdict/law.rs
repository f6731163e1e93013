//! Did sessions start as the planned process does? Time is rescaled by the plan's cumulative rate, so that the starts
//! of a Poisson process are one of rate 1 (the time-change theorem), and thinned at random, which leaves it Poisson and
//! dilutes the few microseconds that any sender needs between two starts.
//!
//! In blocks of up to 10,000 starts: gaps against the exponential law (Anderson & Darling, scale estimated), their
//! running sums against even ones (Kolmogorov & Smirnov). Of all blocks together the smallest p-value counts, corrected
//! for their number (Holm 1979). And over the whole run, by whole seconds: starts so far against the integral so far.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Finding, Level};

/// Starts of a block.
pub(super) const BLOCK: usize = 10_000;

/// With fewer starts, no law can be told from another.
pub(super) const FEWEST: usize = 50;

/// Starts per second that are tested; of more, a random choice.
pub(super) const MOST_PER_S: f64 = 500.0;

/// Twice the point that one block in a hundred exceeds by chance: what Lancet accepts.
const LARGEST_A2: f64 = 3.92;

/// A² per start, which unlike A² does not grow with their number, from which on it is another process: a pacer of
/// whole milliseconds has 0.07 at 200/s and 0.6 at 1,000/s, tsung 0.4 at 500/s.
const INVALID_A2_PER_START: f64 = 0.05;

/// The level of all blocks together.
const SIGNIFICANT: f64 = 0.01;

/// Two tests of one block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BlockTest {
    n: usize,
    a2: f64,
    a2_p: f64,
    ks_d: f64,
    ks_p: f64,
}

/// Whether sessions started as the planned process does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Starts {
    /// Starts that were tested.
    pub tested: u64,
    /// Blocks of up to 10,000 of them.
    pub blocks: u64,
    /// The largest Anderson-Darling statistic of a block, adjusted for its size; below 3.92 is accepted.
    pub a2: f64,
    /// Its p-value, corrected for the number of blocks.
    pub a2_p: f64,
    /// The largest statistic per start of its block: how different the process is, however many starts prove it.
    pub a2_per_start: f64,
    /// The largest Kolmogorov-Smirnov distance of a block.
    pub ks_d: f64,
    /// The smallest p-value of a distance, corrected for the number of blocks.
    pub ks_p: f64,
    /// The Kolmogorov-Smirnov distance over the whole run, seen at whole seconds.
    pub overall_d: f64,
    /// Its p-value.
    pub overall_p: f64,
}

/// Rescaled time, and starts tested, up to the end of each second: 16 bytes per second of the run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Course(Vec<(f64, u64)>);

impl Course {
    /// Adds a second up to whose end there were so much time and so many starts.
    pub(super) fn second(&mut self, rescaled: f64, starts: u64) {
        self.0.push((rescaled, starts));
    }

    /// The largest distance of the share of starts from the share of time, and its probability by chance.
    ///
    /// Between whole seconds it may be larger, and so the probability smaller: this errs on the side of silence.
    fn distance(&self) -> (f64, f64) {
        let Some((time, starts)) = self.0.last().copied().filter(|(time, starts)| *time > 0.0 && *starts > 0)
        else {
            return (0.0, 1.0);
        };
        let distances =
            self.0.iter().map(|(so_far, before)| (*before as f64 / starts as f64 - so_far / time).abs());
        let d = distances.fold(0.0, f64::max);
        (d, ks_survival(d, starts as usize))
    }
}

impl BlockTest {
    /// Of the gaps between starts in rescaled time; none if they are too few.
    pub(super) fn of(gaps: &[f64]) -> Option<Self> {
        let n = gaps.len();
        let total: f64 = gaps.iter().sum();
        if n < FEWEST || total <= 0.0 {
            return None;
        }
        let a2 = anderson_darling(gaps, total / n as f64);
        let ks_d = distance(gaps, total);
        Some(Self { n, a2, a2_p: a2_survival(a2), ks_d, ks_p: ks_survival(ks_d, n - 1) })
    }
}

/// A² of `gaps` against the exponential law with their own `mean`, adjusted for their number: `A² (1 + 0.6/n)`
/// (Stephens 1974; D'Agostino & Stephens 1986, table 4.14).
fn anderson_darling(gaps: &[f64], mean: f64) -> f64 {
    /// Where a gap is 0, its logarithm is not; clocks have a grain.
    const LEAST: f64 = 1e-12;
    let mut sorted = gaps.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let terms = sorted.iter().zip(sorted.iter().rev()).enumerate().map(|(i, (low, high))| {
        // ln F and ln(1 - F) of the exponential law; the latter is simply -x.
        (2.0 * i as f64 + 1.0) * ((-(-low / mean).exp_m1()).max(LEAST).ln() - high / mean)
    });
    (-n - terms.sum::<f64>() / n) * (1.0 + 0.6 / n)
}

/// Probability of an adjusted A² above `a2` by chance (D'Agostino & Stephens 1986, section 4.9.4).
fn a2_survival(a2: f64) -> f64 {
    let p = match a2 {
        a2 if a2 >= 0.95 => (0.731 - 3.009 * a2 + 0.15 * a2 * a2).exp(),
        a2 if a2 > 0.51 => (0.9209 - 3.353 * a2 + 0.300 * a2 * a2).exp(),
        a2 if a2 > 0.26 => -(-6.1327 + 20.218 * a2 - 18.663 * a2 * a2).exp_m1(),
        a2 => -(-12.2204 + 67.459 * a2 - 110.3 * a2 * a2).exp_m1(),
    };
    // The parabola in the exponent turns up again far beyond the table.
    if a2 > 10.0 { 0.0 } else { p.clamp(0.0, 1.0) }
}

/// The largest distance of the running sums of `gaps` from even ones.
fn distance(gaps: &[f64], total: f64) -> f64 {
    let n = (gaps.len() - 1) as f64;
    let mut sum = 0.0;
    let distances = gaps[..gaps.len() - 1].iter().enumerate().map(|(i, gap)| {
        sum += gap / total;
        (sum - i as f64 / n).max((i + 1) as f64 / n - sum)
    });
    distances.fold(0.0, f64::max)
}

/// Probability of a distance above `d` among `n` by chance: Kolmogorov's series at Stephens' (1970) argument.
pub(super) fn ks_survival(d: f64, n: usize) -> f64 {
    let root = (n as f64).sqrt();
    let x = d * (root + 0.12 + 0.11 / root);
    // The series does not converge where the probability is 1 to all digits.
    if x < 0.2 {
        return 1.0;
    }
    let term = |k: i32| (-2.0 * f64::from(k * k) * x * x).exp() * if k % 2 == 1 { 2.0 } else { -2.0 };
    (1..100).map(term).sum::<f64>().clamp(0.0, 1.0)
}

impl Starts {
    /// Of all blocks of a run with this course; none without a block.
    pub(crate) fn of(blocks: &[BlockTest], course: &Course) -> Option<Self> {
        let (overall_d, overall_p) = course.distance();
        // The smallest of Holm's corrected p-values is the smallest times the number of tests.
        let smallest = |p: fn(&BlockTest) -> f64| {
            (blocks.iter().map(p).fold(1.0, f64::min) * blocks.len() as f64).min(1.0)
        };
        let largest = |x: fn(&BlockTest) -> f64| blocks.iter().map(x).fold(0.0, f64::max);
        (!blocks.is_empty()).then(|| Self {
            tested: blocks.iter().map(|block| block.n as u64).sum(),
            blocks: blocks.len() as u64,
            a2: largest(|block| block.a2),
            a2_p: smallest(|block| block.a2_p),
            a2_per_start: largest(|block| block.a2 / block.n as f64),
            ks_d: largest(|block| block.ks_d),
            ks_p: smallest(|block| block.ks_p),
            overall_d,
            overall_p,
        })
    }

    /// What is wrong with it.
    pub(super) fn finding(&self) -> Option<Finding> {
        let rejected = (self.a2 >= LARGEST_A2 && self.a2_p < SIGNIFICANT)
            || self.ks_p.min(self.overall_p) < SIGNIFICANT / 10.0;
        let level = match rejected {
            true if self.a2_per_start >= INVALID_A2_PER_START => Level::Invalid,
            true => Level::Degraded,
            false => Level::Valid,
        };
        Finding::of_generator(level, || {
            let Self { a2, overall_d, .. } = self;
            format!(
                "sessions did not start as the planned process does (A² {a2:.1}, accepted below {LARGEST_A2}; KS {overall_d:.3})"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Purpose, Stream};

    fn exponential(seed: u64, n: usize) -> Vec<f64> {
        let mut stream = Stream::new(Key { seed, block: 0, index: 5 }, Purpose::Gaps);
        (0..n).map(|_| -stream.uniform().ln()).collect()
    }

    /// Reference: the definition, term by term. In Python, with `x` sorted and `m` its mean:
    /// `F = lambda v: 1 - math.exp(-v / m)`,
    /// `-n - sum((2*i - 1)*(math.log(F(x[i-1])) + math.log(1 - F(x[n-i]))) for i in range(1, n+1))/n`.
    #[test]
    fn the_statistic_is_the_one_of_the_book() {
        let [even, doubled] = [
            [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0].as_slice(),
            [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0].as_slice(),
        ];
        for (gaps, expected) in [(even, REFERENCE[0]), (doubled, REFERENCE[1])] {
            let n = gaps.len() as f64;
            let found = anderson_darling(gaps, gaps.iter().sum::<f64>() / n) / (1.0 + 0.6 / n);
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }

    const REFERENCE: [f64; 2] = [0.876204363707, 2.912863938663];

    /// D'Agostino & Stephens 1986, table 4.14: points of the adjusted statistic.
    #[test]
    fn the_points_of_the_table_have_their_probabilities() {
        for (a2, p) in [
            (0.736, 0.25),
            (0.816, 0.20),
            (0.916, 0.15),
            (1.062, 0.10),
            (1.321, 0.05),
            (1.591, 0.025),
            (1.959, 0.01),
        ] {
            assert!((a2_survival(a2) / p - 1.0).abs() < 0.06, "{a2}: {}", a2_survival(a2));
        }
        assert!(a2_survival(100.0) < 1e-9 && a2_survival(0.1) > 0.99);
        // Kolmogorov's own: 1.358 and 1.628 are the points of 5 % and 1 %.
        for (x, p) in [(1.358, 0.05), (1.628, 0.01), (0.1, 1.0)] {
            assert!((ks_survival(x / 1e4, 100_000_000) / p - 1.0).abs() < 0.02, "{x}");
        }
    }

    #[test]
    fn exponential_gaps_pass_as_often_as_they_should() {
        let tests: Vec<BlockTest> =
            (0..400).filter_map(|seed| BlockTest::of(&exponential(seed, 500))).collect();
        let [a2, ks] = [|test: &BlockTest| test.a2_p, |test: &BlockTest| test.ks_p]
            .map(|p| tests.iter().filter(|test| p(test) < 0.05).count());
        // Twenty in the mean; five standard deviations of 4.4.
        assert!((3..=42).contains(&a2) && (3..=42).contains(&ks), "{a2} {ks}");
        let flagged = tests.iter().filter(|test| {
            Starts::of(&[**test], &Course::default()).and_then(|starts| starts.finding()).is_some()
        });
        assert!(flagged.count() <= 3);
    }

    #[test]
    fn what_is_no_poisson_process_is_found_in_one_block() {
        let flagged = |gap: fn(f64) -> f64| {
            let gaps: Vec<f64> = exponential(1, 2000).into_iter().map(gap).collect();
            Starts::of(&[BlockTest::of(&gaps).unwrap()], &Course::default())
                .unwrap()
                .finding()
                .map(|finding| finding.level)
        };
        assert_eq!(flagged(|gap| gap), None);
        assert_eq!(flagged(|_| 1.0), Some(Level::Invalid));
        assert_eq!(flagged(|gap| (5.0 * gap).round() / 5.0), Some(Level::Invalid));
        assert_eq!(flagged(|gap| gap + 0.04), Some(Level::Degraded));
        assert!(BlockTest::of(&[1.0; 10]).is_none() && BlockTest::of(&[0.0; 100]).is_none());
    }

    #[test]
    fn a_rate_that_follows_another_curve_is_found_over_the_whole_run() {
        // 100 s at 50/s; the wrong one goes from 40 to 60, which is 50 in the mean.
        let flagged = |rate: fn(f64) -> f64| {
            let mut stream = Stream::new(Key { seed: 4, block: 0, index: 1 }, Purpose::Arrivals);
            let (mut course, mut starts) = (Course::default(), 0);
            for second in 0..100 {
                starts += stream.poisson(rate(f64::from(second)));
                course.second(f64::from(second + 1) * 50.0, starts);
            }
            let kept = BlockTest::of(&exponential(1, 500)).unwrap();
            Starts::of(&[kept], &course).unwrap().finding().is_some()
        };
        assert!(!flagged(|_| 50.0) && flagged(|second| 40.0 + second / 5.0));
    }
}
