//! Think time from whole-second stamps, without the bias that rounding brings.
//!
//! Both stamps are cut to seconds, each at a uniform phase. With `c` the logged duration between them and `d` their
//! difference, the likelihood of `x = d - c` under a gap with distribution function F has a triangular kernel:
//!
//! ```text
//! P(x) = H(x+1) - 2 H(x) + H(x-1),   H(x) = ∫₀ˣ F(u) du,   H(x) = 0 for x <= 0
//! ```
//!
//! (For a log-normal, `H = x Φ(z) - exp(μ + σ²/2) Φ(z - σ)`, `z = (ln x - μ)/σ`.) Treating `d` as a gap, or as an
//! interval [d, d+1), shifts the median of short gaps by tens of percent; this does not.

use std::collections::BTreeMap;

use shared::distribution::{Law, LognormalComponent, normal_cdf, normal_pdf};

use super::optimise::minimise;

/// A fitted law, and how well it fits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fit {
    pub(crate) law: Law,
    /// Bayesian information criterion; smaller is better.
    pub(crate) bic: f64,
}

/// Beyond this gap, gaps are pooled to three percent: the kernel is flat there.
const POOL_FROM_S: f64 = 10.0;
/// A component of less than one percent describes a few odd gaps, not a kind of pause.
const LEAST_WEIGHT: f64 = 0.01;
/// Beyond this gap, the density stands for the kernel: they differ by less than one in a thousand.
const DENSITY_FROM_S: f64 = 30.0;

/// Fits one or two log-normals to gaps of `x` seconds, whichever the BIC prefers.
///
/// `counts` is by milliseconds, which may be negative. `None` for fewer than two gaps.
///
/// Gaps are cut where sessions are, but the likelihood is not conditioned on that: where merged sessions make the
/// tail flat, conditioning lets a component drift beyond the cut, and whoever samples the law would wait there.
pub(crate) fn fit_coarse(counts: &BTreeMap<i64, u64>) -> Option<Fit> {
    let gaps = pool(counts);
    let n: f64 = gaps.iter().map(|(_, count)| count).sum();
    if n < 2.0 {
        return None;
    }
    // A start from the moments of the gaps; those that rounding made zero or less stand for a third of a second.
    let logs = || gaps.iter().map(|(x, count)| (x.max(0.3).ln(), *count));
    let mu: f64 = logs().map(|(log, count)| log * count).sum::<f64>() / n;
    let variance: f64 = logs().map(|(log, count)| (log - mu).powi(2) * count).sum::<f64>() / n;
    let sigma = variance.sqrt().max(0.1);
    let cost = |components: &[Lognormal]| negative_log_likelihood(components, &gaps);
    let one = |p: &[f64; 2]| [Lognormal { weight: 1.0, mu: p[0], sigma: p[1].exp() }];
    let (best, value) = minimise(|p| cost(&one(p)), [mu, sigma.ln()], 0.3);
    let [single] = one(&best);
    let single_fit =
        Fit { law: Law::Lognormal { mu: single.mu, sigma: single.sigma }, bic: 2.0 * value + 2.0 * n.ln() };
    let two = |p: &[f64; 5]| {
        let weight = 1.0 / (1.0 + (-p[4]).exp());
        [
            Lognormal { weight, mu: p[0], sigma: p[1].exp() },
            Lognormal { weight: 1.0 - weight, mu: p[2], sigma: p[3].exp() },
        ]
    };
    let start = [
        single.mu - single.sigma,
        (single.sigma * 0.6).ln(),
        single.mu + single.sigma,
        (single.sigma * 0.6).ln(),
        0.0,
    ];
    let (best, value) = minimise(|p| cost(&two(p)), start, 0.3);
    let mut components: Vec<LognormalComponent> = two(&best)
        .iter()
        .map(|c| LognormalComponent { weight: c.weight, mu: c.mu, sigma: c.sigma })
        .collect();
    components.sort_by(|a, b| a.mu.total_cmp(&b.mu));
    let double_fit = Fit { law: Law::LognormalMixture { components }, bic: 2.0 * value + 5.0 * n.ln() };
    let both_matter = two(&best).iter().all(|component| component.weight >= LEAST_WEIGHT);
    Some(if both_matter && double_fit.bic < single_fit.bic { double_fit } else { single_fit })
}

/// Maximum-likelihood log-normal of gaps known exactly, as (gap in seconds, count): a label for their histogram.
pub(crate) fn fit_fine(gaps: &[(f64, u64)]) -> Option<Law> {
    let positive = || gaps.iter().filter(|(gap, _)| *gap > 0.0).map(|(gap, count)| (gap.ln(), *count as f64));
    let n: f64 = positive().map(|(_, count)| count).sum();
    let mu = positive().map(|(log, count)| log * count).sum::<f64>() / n;
    let variance = positive().map(|(log, count)| (log - mu).powi(2) * count).sum::<f64>() / n;
    (n >= 2.0 && variance > 0.0).then(|| Law::Lognormal { mu, sigma: variance.sqrt() })
}

#[derive(Debug, Clone, Copy)]
struct Lognormal {
    weight: f64,
    mu: f64,
    sigma: f64,
}

impl Lognormal {
    /// Integral of the distribution function from 0 to `x`.
    fn integrated_cdf(&self, x: f64) -> f64 {
        if x <= 0.0 {
            return 0.0;
        }
        let z = (x.ln() - self.mu) / self.sigma;
        x * normal_cdf(z) - (self.mu + 0.5 * self.sigma * self.sigma).exp() * normal_cdf(z - self.sigma)
    }

    /// Probability density of `x` under the triangular kernel.
    fn triangular(&self, x: f64) -> f64 {
        if x > DENSITY_FROM_S {
            return normal_pdf((x.ln() - self.mu) / self.sigma) / (self.sigma * x);
        }
        self.integrated_cdf(x + 1.0) - 2.0 * self.integrated_cdf(x) + self.integrated_cdf(x - 1.0)
    }
}

fn negative_log_likelihood(components: &[Lognormal], gaps: &[(f64, f64)]) -> f64 {
    // Widths beyond these describe no gaps of people, and let a component collapse onto one bin.
    let proper = |c: &Lognormal| (0.05..5.0).contains(&c.sigma) && c.mu.abs() < 20.0;
    if !components.iter().all(proper) {
        return f64::INFINITY;
    }
    let mix = |f: &dyn Fn(&Lognormal) -> f64| components.iter().map(|c| c.weight * f(c)).sum::<f64>();
    gaps.iter().map(|(x, count)| -count * mix(&|c| c.triangular(*x)).max(1e-300).ln()).sum()
}

/// Mean gaps in seconds and their counts, in bins of ten milliseconds, or three percent for long gaps.
fn pool(counts: &BTreeMap<i64, u64>) -> Vec<(f64, f64)> {
    let mut pooled: BTreeMap<(bool, i64), (f64, f64)> = BTreeMap::new();
    for (gap_ms, count) in counts {
        let (x, count) = (*gap_ms as f64 / 1000.0, *count as f64);
        let long = x >= POOL_FROM_S;
        let bin = if long { (x.ln() * 33.0) as i64 } else { gap_ms.div_euclid(10) };
        let (sum, n) = pooled.entry((long, bin)).or_insert((0.0, 0.0));
        *sum += x * count;
        *n += count;
    }
    pooled.into_values().map(|(sum, n)| (sum / n, n)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values given in the derivation of the kernel, for μ = 0 and σ = 1.
    #[test]
    fn the_kernel_has_the_reference_values() {
        let unit = Lognormal { weight: 1.0, mu: 0.0, sigma: 1.0 };
        for (x, expected) in
            [0.238_421_708_13, 0.409_286_434_57, 0.169_138_815_69, 0.076_598_699_47].into_iter().enumerate()
        {
            assert!((unit.triangular(x as f64) - expected).abs() < 1e-9, "{x}");
        }
        assert!((unit.integrated_cdf(2.0) - 0.886_129_850_84).abs() < 1e-9);
    }

    /// Gaps drawn by quantiles of a log-normal, at phases that fill the second evenly, and cut as a server cuts them.
    fn cut_gaps(law: &Law, n: u32) -> BTreeMap<i64, u64> {
        let mut counts = BTreeMap::new();
        for i in 0..n {
            let gap = law.quantile((f64::from(i) + 0.5) / f64::from(n));
            // The golden ratio spreads phases evenly, independent of the gap.
            let phase = (f64::from(i) * 0.618_033_988_749_895).fract();
            let difference = (phase + gap).floor() - phase.floor();
            *counts.entry((difference * 1000.0) as i64).or_insert(0) += 1;
        }
        counts
    }

    #[test]
    fn the_median_of_short_gaps_comes_back() {
        for (median, sigma) in [(8.0, 1.0), (3.0, 1.0), (1.0, 1.0), (0.5, 0.8)] {
            let truth = Law::Lognormal { mu: f64::ln(median), sigma };
            let fit = fit_coarse(&cut_gaps(&truth, 8000)).unwrap();
            let found = fit.law.quantile(0.5);
            assert!((found / median - 1.0).abs() < 0.01, "median {median}: found {found}");
        }
    }

    #[test]
    fn two_kinds_of_gaps_are_told_apart() {
        let truth = Law::LognormalMixture {
            components: vec![
                LognormalComponent { weight: 0.5, mu: 0.7, sigma: 0.4 },
                LognormalComponent { weight: 0.5, mu: 3.5, sigma: 0.5 },
            ],
        };
        let fit = fit_coarse(&cut_gaps(&truth, 8000)).unwrap();
        let Law::LognormalMixture { components } = &fit.law else { panic!("{:?}", fit.law) };
        assert!(
            (components[0].mu - 0.7).abs() < 0.05 && (components[1].mu - 3.5).abs() < 0.05,
            "{components:?}"
        );
    }
}
