//! Which law fits gaps best, and how much worse the others do.
//!
//! Every family is fitted by maximum likelihood; the Bayesian information criterion `2 n C + p ln n` (Schwarz 1978), with
//! the mean negative log-likelihood C and p free parameters, chooses.

use shared::distribution::Law;

use super::gaps::Gaps;
use super::{family, lognormals};
use crate::model::optimise::minimise;

/// A fitted law, and how well it fits.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// The law, of a gap in seconds; before the cut at the session gap and without the background.
    pub law: Law,
    /// Bayesian information criterion; smaller is better. Only differences between fits of the same gaps mean anything.
    pub bic: f64,
}

/// Euler's constant: minus the mean of the logarithm of an exponential quantity with mean 1.
const EULER: f64 = 0.577_215_664_901_532_9;

/// All families fitted to `gaps`, best first; never empty.
///
/// Families: log-normal, mixtures of two and three log-normals where each component has one percent at least and the
/// one before paid, gamma, Weibull, exponential. `fits[i].bic - fits[0].bic` says how much worse the others do: above
/// 10, they are hardly as likely.
pub fn families(gaps: &Gaps) -> Vec<Fit> {
    let mut found = lognormals::fit(gaps);
    let (mean, sd) = (gaps.log_mean, gaps.log_sd);
    // Starts from the moments of the logarithm: π/√6 is its standard deviation for an exponential quantity, and the
    // variance is about 1/shape for a gamma.
    let shape = 1.0 / (sd * sd);
    let weibull = std::f64::consts::PI / (6.0_f64.sqrt() * sd);
    found.push(two(gaps, [shape.ln(), mean - shape.ln()], |shape, scale| Law::Gamma { shape, scale }));
    found.push(two(gaps, [weibull.ln(), mean + EULER / weibull], |shape, scale| Law::Weibull {
        shape,
        scale,
    }));
    let exponential = |p: &[f64; 1]| Law::Exponential { rate: p[0].exp() };
    let (best, cost) = minimise(|p| bounded(p, |p| gaps.cost(&exponential(p))), [-mean - EULER], 0.3);
    found.push((exponential(&best), cost));
    let mut fits: Vec<Fit> = found
        .into_iter()
        .filter(|(_, cost)| cost.is_finite())
        .map(|(law, cost)| {
            let bic = 2.0 * gaps.n * cost + family::parameters(&law) as f64 * gaps.n.ln();
            Fit { law, bic }
        })
        .collect();
    if fits.is_empty() {
        // All gaps beyond the middle of every law that the window allows: what is left is where they are.
        fits.push(Fit { law: Law::Lognormal { mu: mean, sigma: sd }, bic: f64::INFINITY });
    }
    fits.sort_by(|a, b| a.bic.total_cmp(&b.bic));
    fits
}

/// A family with a shape and a scale, searched in their logarithms.
fn two(gaps: &Gaps, start: [f64; 2], law: impl Fn(f64, f64) -> Law) -> (Law, f64) {
    let of = |p: &[f64; 2]| law(p[0].exp(), p[1].exp());
    let (best, cost) = minimise(|p| bounded(p, |p| gaps.cost(&of(p))), start, 0.3);
    (of(&best), cost)
}

/// Shapes beyond e^±6 and scales beyond e^±20 seconds describe no gaps of people.
fn bounded<const N: usize>(p: &[f64; N], cost: impl Fn(&[f64; N]) -> f64) -> f64 {
    let within = p.iter().enumerate().all(|(i, x)| x.abs() < if i == 0 && N == 2 { 6.0 } else { 20.0 });
    if within { cost(p) } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::think::gaps::Window;
    use shared::distribution::LognormalComponent;
    use std::collections::BTreeMap;

    /// Gaps drawn by quantiles of a law, at phases that fill the second evenly, and cut as a server cuts them.
    fn cut_gaps(law: &Law, n: u32) -> BTreeMap<i64, u64> {
        let mut counts = BTreeMap::new();
        for i in 0..n {
            let gap = law.quantile((f64::from(i) + 0.5) / f64::from(n));
            // The golden ratio spreads phases evenly, independent of the gap.
            let phase = (f64::from(i) * 0.618_033_988_749_895).fract();
            *counts.entry(((phase + gap).floor() * 1000.0) as i64).or_insert(0) += 1;
        }
        counts
    }

    fn exact_gaps(law: &Law, n: u32, log_width: f64) -> BTreeMap<Option<i32>, u64> {
        let mut counts = BTreeMap::new();
        for i in 0..n {
            let gap = law.quantile((f64::from(i) + 0.5) / f64::from(n));
            *counts.entry(Some(shared::distribution::bin_index(gap, log_width))).or_insert(0) += 1;
        }
        counts
    }

    fn mixture() -> Law {
        let component = |mu, sigma| LognormalComponent { weight: 0.5, mu, sigma };
        Law::LognormalMixture { components: vec![component(0.7, 0.4), component(3.5, 0.5)] }
    }

    #[track_caller]
    fn check(truth: &Law, tolerance: f64) {
        let gaps = [
            Gaps::whole(&cut_gaps(truth, 8000), Window::OPEN).unwrap(),
            Gaps::exact(&exact_gaps(truth, 8000, 0.02), 0.02, Window::OPEN).unwrap(),
        ];
        for gaps in gaps {
            let fits = families(&gaps);
            assert_eq!(family::name(&fits[0].law), family::name(truth), "{fits:?}");
            for q in [0.25, 0.5, 0.9] {
                let (found, expected) = (fits[0].law.quantile(q), truth.quantile(q));
                assert!((found / expected - 1.0).abs() < tolerance, "{q}: {found} {expected} {fits:?}");
            }
        }
    }

    #[test]
    fn each_family_comes_back_from_gaps_that_are_spread_as_it_says() {
        check(&Law::Lognormal { mu: 2.0, sigma: 1.0 }, 0.01);
        check(&Law::Lognormal { mu: 0.0, sigma: 1.0 }, 0.01);
        check(&Law::Gamma { shape: 2.0, scale: 3.0 }, 0.01);
        check(&Law::Weibull { shape: 1.5, scale: 8.0 }, 0.01);
        check(&Law::Exponential { rate: 0.1 }, 0.01);
        check(&mixture(), 0.02);
    }

    #[test]
    fn the_cut_and_the_background_do_not_move_the_law() {
        let (truth, longest_s) = (Law::Lognormal { mu: 2.0, sigma: 1.0 }, 30.0);
        let mut counts = cut_gaps(&truth, 8000);
        counts.retain(|gap_ms, _| *gap_ms as f64 <= longest_s * 1000.0);
        // One gap in ten is a return, at any time within the session gap.
        let pauses: u64 = counts.values().sum();
        for i in 0..pauses / 9 {
            let gap_s = (i as f64 * 0.618_033_988_749_895).fract() * longest_s;
            *counts.entry((gap_s + 0.5) as i64 * 1000).or_insert(0) += 1;
        }
        let median = |window| {
            families(&Gaps::whole(&counts, window).unwrap())[0].law.quantile(0.5) / truth.quantile(0.5) - 1.0
        };
        assert!(median(Window { longest_s, background: 0.1, ..Window::OPEN }).abs() < 0.02);
        assert!(median(Window { longest_s, ..Window::OPEN }).abs() > 0.03);
    }

    #[test]
    fn odd_inputs_have_a_fit() {
        let inputs: [&[(i64, u64)]; 5] = [
            &[(0, 2)],
            &[(-900, 5)],
            &[(5000, 10_000)],
            &[(1000, 1), (1_800_000, 1)],
            &[(0, 50), (60_000, 50)],
        ];
        for input in inputs {
            let counts: BTreeMap<i64, u64> = input.iter().copied().collect();
            for window in [Window::OPEN, Window { longest_s: 1800.0, background: 0.02, ..Window::OPEN }] {
                let fits = families(&Gaps::whole(&counts, window).unwrap());
                assert!(
                    fits[0].law.is_proper() && fits[0].law.quantile(0.5).is_finite(),
                    "{input:?}: {fits:?}"
                );
            }
        }
        let zeros = BTreeMap::from([(None, 10), (Some(3), 1)]);
        assert!(families(&Gaps::exact(&zeros, 0.02, Window::OPEN).unwrap())[0].law.is_proper());
        assert!(Gaps::whole(&BTreeMap::from([(3000, 1)]), Window::OPEN).is_none());
    }
}
