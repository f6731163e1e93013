//! Whether sessions start as a Poisson process does, whose rate may change (Kim & Whitt 2014).
//!
//! Given how many there are in an interval of constant rate, the starts of a Poisson process are uniform over it;
//! where the rate changes, they are after time is stretched by the fitted curve. Uniformity itself says much of the
//! rate and little of independence; Lewis's (1965) version of Durbin's (1961) transformation, which looks at the
//! lengths of gaps, says that. Stamps in whole seconds have ties, which no Poisson process has, and are spread first.

use std::ops::Range;

use super::expectation::Expectation;
use super::exposure::Coverage;
use crate::model::seed::SplitMix;
use crate::statistic::kolmogorov;

/// Lengths of intervals in seconds, the longest first.
const LENGTHS_S: [i64; 5] = [3600, 1800, 900, 600, 300];
/// Relative change of a rate over an interval, times √n, up to which its distribution is off by less than chance is.
const CHANGE: f64 = 1.6;

/// How a test went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// Starts that it saw.
    pub n: usize,
    /// Largest distance from the uniform law.
    pub distance: f64,
    /// Probability of that distance or more, if it is a Poisson process.
    pub p: f64,
}

impl Test {
    fn of(positions: &[f64]) -> Self {
        let found = kolmogorov::one_sample(positions, |u| u);
        let (distance, p) = found.map_or((0.0, 1.0), |test| (test.statistic, test.p_value));
        Self { n: positions.len(), distance, p }
    }
}

/// `starts` (whole seconds, sorted) at moments within their seconds, sorted; the same `seed` gives the same moments.
pub fn unrounded(starts: &[i64], seed: u64) -> Vec<f64> {
    let mut random = SplitMix(seed);
    let mut moments: Vec<f64> = starts.iter().map(|start| *start as f64 + random.uniform()).collect();
    moments.sort_by(f64::total_cmp);
    moments
}

/// The longest intervals of a few common lengths over which the rate changes little enough to count as constant: from
/// `1 - s` to `1 + s` with `s < 1.6/√n` for n starts (Kim & Whitt 2014), in nine of ten intervals. In seconds; the
/// shortest when none will do.
pub fn interval_s(coverage: &Coverage, expectation: &Expectation) -> i64 {
    let constant = |interval: &Range<i64>| {
        let middle = 0.5 * (interval.start + interval.end) as f64;
        let (first, half) = (expectation.before(interval.start as f64), expectation.before(middle));
        let n = expectation.before(interval.end as f64) - first;
        // On a straight line from 1 - s to 1 + s, the first half has (1 - s/2)/2 of all.
        n <= 0.0 || (2.0 - 4.0 * (half - first) / n).abs() < CHANGE / n.sqrt()
    };
    let good = |length_s: &i64| {
        let (mut all, mut constants) = (0, 0);
        for interval in intervals(coverage, *length_s) {
            all += 1;
            constants += usize::from(constant(&interval));
        }
        all > 0 && 10 * constants >= 9 * all
    };
    LENGTHS_S.into_iter().find(good).unwrap_or(LENGTHS_S[LENGTHS_S.len() - 1])
}

/// Where the `moments` (sorted seconds since 1970) of each covered interval of `length_s` lie in it, from 0 to 1; on
/// the scale of `expectation` when there is one. Intervals without any are left out.
pub fn positions(
    moments: &[f64],
    coverage: &Coverage,
    length_s: i64,
    expectation: Option<&Expectation>,
) -> Vec<Vec<f64>> {
    let of_interval = |interval: Range<i64>| {
        let (from, to) = (interval.start as f64, interval.end as f64);
        let at = |limit: f64| moments.partition_point(|moment| *moment < limit);
        let inside = moments[at(from)..at(to)].iter();
        match expectation {
            None => inside.map(|moment| (moment - from) / (to - from)).collect(),
            Some(expectation) => {
                let (first, last) = (expectation.before(from), expectation.before(to));
                inside.map(|moment| (expectation.before(*moment) - first) / (last - first)).collect()
            }
        }
    };
    let found = intervals(coverage, length_s).map(of_interval);
    found
        .filter(|positions: &Vec<f64>| !positions.is_empty() && positions.iter().all(|u| u.is_finite()))
        .collect()
}

fn intervals(coverage: &Coverage, length_s: i64) -> impl Iterator<Item = Range<i64>> {
    coverage.stretches().iter().flat_map(move |stretch| {
        let count = (stretch.end - stretch.start) / length_s;
        let start = stretch.start;
        (0..count).map(move |i| start + i * length_s..start + (i + 1) * length_s)
    })
}

/// The conditional-uniform test: positions of all intervals together are uniform.
pub fn conditional_uniform(positions: &[Vec<f64>]) -> Test {
    Test::of(&positions.concat())
}

/// Lewis's test: so are partial sums of the normalised, ordered gaps of each interval.
pub fn lewis(positions: &[Vec<f64>]) -> Test {
    let mut sums = Vec::with_capacity(positions.iter().map(Vec::len).sum());
    for of_interval in positions {
        let n = of_interval.len();
        let edges = [0.0].iter().chain(of_interval);
        let mut gaps: Vec<f64> =
            edges.zip(of_interval.iter().chain(&[1.0])).map(|(one, next)| next - one).collect();
        gaps.sort_by(f64::total_cmp);
        let (mut sum, mut shorter) = (0.0, 0.0);
        for (at, gap) in gaps.iter().take(n).enumerate() {
            sum += (n + 1 - at) as f64 * (gap - shorter);
            shorter = *gap;
            sums.push(sum);
        }
    }
    Test::of(&sums)
}

/// The time-rescaling test: on the scale of the expected number, starts are uniform over the log.
pub fn rescaled(moments: &[f64], expectation: &Expectation) -> Test {
    let shares: Vec<f64> =
        moments.iter().map(|moment| expectation.before(*moment) / expectation.total()).collect();
    Test::of(&shares)
}
