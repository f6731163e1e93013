//! Whether a fast visitor stays fast: the correlation of the pauses of one session.
//!
//! Each pause counts by its normal score in the law of its place: the quantile of the standard normal at its mid-rank. If
//! scores are `√ρ b + √(1-ρ) e` with `b` the session's own and `e` new at each pause, pairs of one session correlate by
//! ρ. Of a session with n pauses, `((Σ r)² - Σ r²)/(n - 1)` has the expectation n ρ: sums of these and of `n` add up over
//! any split, and a session of a thousand pauses weighs a thousand, not a million.
//!
//! Whole-second stamps blur short pauses, and what is blurred correlates less. How much of a score is pause and how
//! much is blur follows from the law, and is taken out.

use std::collections::BTreeMap;

use shared::distribution::{Law, normal_quantile};

use super::pooling::Pooling;
use crate::model::sample::Walk;

/// How the pauses of one session hang together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Correlation, above 0 and at most 1.
    pub rho: f64,
    /// Its standard error, by clients.
    pub standard_error: f64,
    /// Pauses of sessions with two and more.
    pub n: u64,
}

/// Normal scores of the pauses of one place, by milliseconds.
#[derive(Debug, Clone)]
struct Scores {
    by_gap: BTreeMap<i64, f64>,
    /// Correlation of the score with that of the pause without the blur.
    reliability: f64,
}

/// Standard errors from 0 below which a correlation cannot be told from chance: once in a hundred.
const TOLD_FROM_ZERO: f64 = 2.58;

impl Scores {
    /// Scores of pauses known exactly, counted by milliseconds.
    fn exact(counts: &BTreeMap<i64, u64>) -> Self {
        Self { by_gap: normal_scores(counts), reliability: 1.0 }
    }

    /// Scores of pauses between whole-second stamps, counted by milliseconds, that follow `law`.
    fn whole(counts: &BTreeMap<i64, u64>, law: &Law) -> Self {
        let by_gap = normal_scores(counts);
        let phased = counts.keys().any(|gap_ms| gap_ms % 1000 != 0);
        let reliability = reliability(&by_gap, law, phased);
        Self { by_gap, reliability }
    }

    /// The score of a gap of this length, as far as it is the pause's; `None` when no such gap was counted.
    fn of(&self, gap_ms: i64) -> Option<f64> {
        self.by_gap.get(&gap_ms).map(|score| score / self.reliability)
    }
}

/// A session's pauses: which group each belongs to, and its length in milliseconds.
type Pauses = Vec<(usize, i64)>;

/// The pace of each class, where it can be told from zero. `class_of` is that of `pooling`, and `laws` are those of its
/// groups, in order; pauses between whole-second stamps without a law are left out.
///
/// The same for any order of `walks`.
pub fn of_classes(
    walks: &[Walk],
    class_of: impl Fn(usize) -> u32,
    pooling: &Pooling,
    laws: &[Option<Law>],
) -> BTreeMap<u32, Pace> {
    let mut counts: Vec<BTreeMap<i64, u64>> = vec![BTreeMap::new(); pooling.groups.len()];
    let mut by_class: BTreeMap<u32, BTreeMap<u32, Vec<Pauses>>> = BTreeMap::new();
    for (at, walk) in walks.iter().enumerate() {
        let class = class_of(at);
        let pauses = walk.steps.windows(2).filter_map(|pair| {
            let gap = pair[1].gap.filter(|gap| gap.coarse == pooling.coarse)?;
            Some((pooling.group(class, pair[0].endpoint, pair[1].endpoint)?, gap.ms))
        });
        let pauses: Pauses = pauses.collect();
        pauses.iter().for_each(|(group, gap_ms)| *counts[*group].entry(*gap_ms).or_insert(0) += 1);
        by_class.entry(class).or_default().entry(walk.client).or_default().push(pauses);
    }
    let scores = counts.iter().zip(laws).map(|(counts, law)| match law {
        _ if !pooling.coarse => Scores::exact(counts),
        Some(law) => Scores::whole(counts, law),
        None => Scores::exact(&BTreeMap::new()),
    });
    let scores: Vec<Scores> = scores.collect();
    let estimates = by_class.into_iter().map(|(class, clients)| {
        // Sums of floating-point numbers depend on their order, so clients come by what they did, not by their numbers.
        let mut clients: Vec<Vec<Pauses>> = clients.into_values().collect();
        clients.iter_mut().for_each(|sessions| sessions.sort());
        clients.sort();
        (class, estimate(clients, &scores))
    });
    estimates.filter_map(|(class, pace)| Some((class, pace?))).collect()
}

/// The correlation of pauses within the sessions of each client.
///
/// `None` where it cannot be told from zero, or is negative: nobody is fast because of having been slow.
fn estimate(clients: impl IntoIterator<Item = Vec<Pauses>>, scores: &[Scores]) -> Option<Pace> {
    let (mut product, mut weight, mut n) = (0.0, 0.0, 0);
    let mut by_client = Vec::new();
    for sessions in clients {
        let (mut of_client, mut weight_of_client) = (0.0, 0.0);
        for session in sessions {
            let found: Vec<f64> =
                session.iter().filter_map(|(place, gap_ms)| scores.get(*place)?.of(*gap_ms)).collect();
            if found.len() < 2 {
                continue;
            }
            let (sum, squares) =
                found.iter().fold((0.0, 0.0), |(sum, squares), r| (sum + r, squares + r * r));
            of_client += (sum * sum - squares) / (found.len() - 1) as f64;
            weight_of_client += found.len() as f64;
            n += found.len() as u64;
        }
        product += of_client;
        weight += weight_of_client;
        by_client.push((of_client, weight_of_client));
    }
    let rho = product / weight;
    let error = |rho: f64| {
        by_client.iter().map(|(product, weight)| (product - rho * weight).powi(2)).sum::<f64>().sqrt()
            / weight
    };
    // The error under the hypothesis that there is no correlation decides whether there is one.
    let told = weight > 0.0 && rho > TOLD_FROM_ZERO * error(0.0);
    told.then(|| Pace { rho: rho.min(1.0), standard_error: error(rho), n })
}

/// Normal quantiles at mid-ranks, scaled to a variance of one.
fn normal_scores(counts: &BTreeMap<i64, u64>) -> BTreeMap<i64, f64> {
    let n: u64 = counts.values().sum();
    let mut below = 0;
    let mut scores = BTreeMap::new();
    let mut squares = 0.0;
    for (gap, count) in counts.iter().filter(|(_, count)| **count > 0) {
        let score = normal_quantile((below as f64 + 0.5 * *count as f64) / n as f64);
        below += count;
        squares += score * score * *count as f64;
        scores.insert(*gap, score);
    }
    let sd = (squares / n.max(1) as f64).sqrt();
    if sd > 0.0 {
        scores.values_mut().for_each(|score| *score /= sd);
    }
    scores
}

/// Correlation of the scores of stamped gaps with those of the pauses behind them, by even quantiles and phases.
/// `phased`: durations shift gaps off the whole second.
fn reliability(by_gap: &BTreeMap<i64, f64>, law: &Law, phased: bool) -> f64 {
    const POINTS: u32 = 4000;
    const GOLDEN: f64 = 0.618_033_988_749_895;
    let (mut products, mut squares) = (0.0, 0.0);
    for i in 0..POINTS {
        let u = (f64::from(i) + 0.5) / f64::from(POINTS);
        let pause = law.quantile(u);
        let phase = (f64::from(i) * GOLDEN).fract();
        let duration = if phased { (f64::from(i) * std::f64::consts::SQRT_2).fract() } else { 0.0 };
        let gap_ms = ((phase + duration + pause).floor() - duration) * 1000.0;
        let score = nearest(by_gap, gap_ms.round() as i64);
        products += score * normal_quantile(u);
        squares += score * score;
    }
    // The scores of the grid need not have a variance of one: the law only fits the counts.
    if squares > 0.0 { (products / (squares * f64::from(POINTS)).sqrt()).clamp(0.1, 1.0) } else { 1.0 }
}

fn nearest(by_gap: &BTreeMap<i64, f64>, gap_ms: i64) -> f64 {
    let below = by_gap.range(..=gap_ms).next_back();
    let above = by_gap.range(gap_ms..).next();
    match (below, above) {
        (Some((low, score)), Some((high, other))) => {
            if gap_ms - low <= high - gap_ms {
                *score
            } else {
                *other
            }
        }
        (Some((_, score)), None) | (None, Some((_, score))) => *score,
        (None, None) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_normal() {
        let counts: BTreeMap<i64, u64> = (0..999).map(|i| (i * 10, 1)).collect();
        let scores = Scores::exact(&counts);
        assert!(scores.of(4990).unwrap().abs() < 1e-9);
        assert!((scores.of(8400).unwrap() - 1.0).abs() < 0.02);
        assert_eq!(scores.of(4991), None);
    }

    #[test]
    fn blur_takes_more_from_short_pauses() {
        let reliability = |median: f64| {
            let law = Law::Lognormal { mu: median.ln(), sigma: 1.0 };
            let mut counts = BTreeMap::new();
            for i in 0..4000 {
                let pause = law.quantile((f64::from(i) + 0.5) / 4000.0);
                let gap = (pause + (f64::from(i) * 0.618_033_988_749_895).fract()).floor();
                *counts.entry(gap as i64 * 1000).or_insert(0) += 1;
            }
            Scores::whole(&counts, &law).reliability
        };
        assert!(reliability(30.0) > 0.995, "{}", reliability(30.0));
        assert!((0.7..0.9).contains(&reliability(0.8)), "{}", reliability(0.8));
    }

    #[test]
    fn sessions_without_pairs_say_nothing() {
        let scores = [Scores::exact(&BTreeMap::from([(1, 50), (2, 50)]))];
        assert_eq!(estimate([vec![vec![(0, 1)], vec![(0, 2)]]], &scores), None);
        assert_eq!(estimate([], &scores), None);
        let same = (0..100).map(|i| vec![vec![(0, 1 + i % 2); 3]]);
        assert!((estimate(same, &scores).unwrap().rho - 1.0).abs() < 1e-9);
        let opposite = (0..100).map(|_| vec![vec![(0, 1), (0, 2)]]);
        assert_eq!(estimate(opposite, &scores), None);
    }
}
