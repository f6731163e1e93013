//! Mixtures of one to three log-normals by maximum likelihood, with the gradient in closed form.
//!
//! With `m = exp(μ + σ²/2)` and `z = (ln x - μ)/σ`, the log-normal's `H(x) = x Φ(z) - m Φ(z - σ)` has
//! `∂H/∂μ = -m Φ(z - σ)` and `∂H/∂σ = m (φ(z - σ) - σ Φ(z - σ))`, because `x φ(z) = m φ(z - σ)`.

use shared::distribution::{Law, LognormalComponent, normal_cdf};

use super::family::DENSITY_FROM_S;
use super::gaps::{Gaps, LEAST_PROBABILITY, Seen, ZERO_S};
use crate::model::optimise::{MOST_STEPS, descend};

/// A component of less than one percent describes a few odd gaps, not a kind of pause.
const LEAST_WEIGHT: f64 = 0.01;
/// Widths of components: beyond these they describe no gaps of people, or collapse onto one bin.
const SIGMAS: std::ops::Range<f64> = 0.05..5.0;

/// Steps that each start is given, and how many of them are followed to their end: the rest hardly ever catch up.
const FIRST_STEPS: usize = 15;
const FOLLOWED: usize = 2;

/// The most likely mixture of one, two and three log-normals, each with its mean negative log-likelihood: as long as one
/// component more pays, and every component has a weight.
pub(super) fn fit(gaps: &Gaps) -> Vec<(Law, f64)> {
    let mut best: Vec<(Vec<LognormalComponent>, f64)> = Vec::new();
    for _ in 1..=3 {
        let starts = match best.last() {
            None => vec![vec![part(1.0, gaps.log_mean, gaps.log_sd)]],
            Some((smaller, _)) => larger(smaller),
        };
        let cost = |p: &[f64]| cost_and_slope(p, gaps);
        let mut tried: Vec<(Vec<f64>, f64)> =
            starts.iter().map(|start| descend(cost, pack(start), FIRST_STEPS)).collect();
        tried.sort_by(|a, b| a.1.total_cmp(&b.1));
        let fits = tried.into_iter().take(FOLLOWED).map(|(point, _)| {
            let (point, cost) = descend(cost, point, MOST_STEPS);
            (unpack(&point), cost)
        });
        let matter = |components: &[LognormalComponent]| components.iter().all(|c| c.weight >= LEAST_WEIGHT);
        let proper = fits.filter(|(components, cost)| cost.is_finite() && matter(components));
        let Some((mut components, cost)) = proper.min_by(|a, b| a.1.total_cmp(&b.1)) else { break };
        components.sort_by(|a, b| a.mu.total_cmp(&b.mu));
        // By the Bayesian information criterion; what does not pay for one component more does not for two either.
        let pays = best.last().is_none_or(|(_, smaller)| 2.0 * gaps.n * (smaller - cost) > 3.0 * gaps.n.ln());
        best.push((components, cost));
        if !pays {
            break;
        }
    }
    let law = |components: Vec<LognormalComponent>| match components.as_slice() {
        [one] => Law::Lognormal { mu: one.mu, sigma: one.sigma },
        _ => Law::LognormalMixture { components },
    };
    best.into_iter().map(|(components, cost)| (law(components), cost)).collect()
}

fn part(weight: f64, mu: f64, sigma: f64) -> LognormalComponent {
    LognormalComponent { weight, mu, sigma }
}

/// Starts with one component more: each one split in halves, and each one with a tail on either side.
fn larger(smaller: &[LognormalComponent]) -> Vec<Vec<LognormalComponent>> {
    let mut starts = Vec::new();
    for at in 0..smaller.len() {
        let LognormalComponent { weight, mu, sigma } = smaller[at];
        for (share, off_one, off_other, width) in
            [(0.5, -1.0, 1.0, 0.6), (0.9, 0.0, 2.0, 0.8), (0.9, 0.0, -2.0, 0.8)]
        {
            let mut start = smaller.to_vec();
            start[at] = part(weight * share, mu + off_one * sigma, (sigma * width).max(2.0 * SIGMAS.start));
            start.push(part(
                weight * (1.0 - share),
                mu + off_other * sigma,
                (sigma * width).max(2.0 * SIGMAS.start),
            ));
            starts.push(start);
        }
    }
    starts
}

/// μ and ln σ of each component, then the logarithm of each weight but the first, relative to the first.
fn pack(components: &[LognormalComponent]) -> Vec<f64> {
    let shapes = components.iter().flat_map(|c| [c.mu, c.sigma.ln()]);
    let weights = components[1..].iter().map(|c| (c.weight / components[0].weight).ln());
    shapes.chain(weights).collect()
}

fn unpack(point: &[f64]) -> Vec<LognormalComponent> {
    let count = (point.len() + 1) / 3;
    let odds: Vec<f64> = std::iter::once(1.0).chain(point[2 * count..].iter().map(|x| x.exp())).collect();
    let total: f64 = odds.iter().sum();
    (0..count).map(|i| part(odds[i] / total, point[2 * i], point[2 * i + 1].exp())).collect()
}

/// The mean negative log-likelihood at `point`, and its gradient.
fn cost_and_slope(point: &[f64], gaps: &Gaps) -> (f64, Vec<f64>) {
    let components = unpack(point);
    let count = components.len();
    let cuts = [gaps.window.shortest_s.ln(), gaps.window.longest_s.ln()];
    // What lies mostly beyond a cut is not what the gaps within are evidence for.
    let within = |c: &LognormalComponent| c.mu + c.sigma >= cuts[0] && c.mu <= cuts[1];
    let proper = |c: &LognormalComponent| SIGMAS.contains(&c.sigma) && c.mu.abs() < 20.0 && within(c);
    if !components.iter().all(proper) {
        return (f64::INFINITY, vec![0.0; point.len()]);
    }
    // Share between the cuts, and how it changes with μ and σ.
    let between = |c: &LognormalComponent| -> Triple {
        let (shorter, longer) = (below(c, cuts[0]), below(c, cuts[1]));
        std::array::from_fn(|i| longer[i] - shorter[i])
    };
    let kept_of: Vec<Triple> = components.iter().map(between).collect();
    let kept: f64 = components.iter().zip(&kept_of).map(|(c, kept)| c.weight * kept[0]).sum();
    let background = gaps.window.background;
    let mut cost = 0.0;
    // By component: sums of posterior weight times relative change.
    let mut sums = vec![[0.0; 3]; count];
    let mut pauses = 0.0;
    let mut found: Vec<Triple> = vec![[0.0; 3]; count];
    for gap in &gaps.counted {
        let mut mixed = 0.0;
        for (c, found) in components.iter().zip(&mut found) {
            *found = probability(c, gap.seen);
            mixed += c.weight * found[0];
        }
        let p = (1.0 - background) * mixed / kept + background * gap.flat;
        cost -= gap.count * p.max(LEAST_PROBABILITY).ln();
        if p <= LEAST_PROBABILITY {
            continue;
        }
        let per_p = gap.count * (1.0 - background) / (kept * p);
        pauses += per_p * mixed;
        for (sums, found) in sums.iter_mut().zip(&found) {
            (0..3).for_each(|i| sums[i] += per_p * found[i]);
        }
    }
    for (sums, of_cut) in sums.iter_mut().zip(&kept_of) {
        (0..3).for_each(|i| sums[i] -= pauses * of_cut[i] / kept);
    }
    let mean: f64 = components.iter().zip(&sums).map(|(c, sums)| c.weight * sums[0]).sum();
    let shapes =
        components.iter().zip(&sums).flat_map(|(c, sums)| [c.weight * sums[1], c.weight * c.sigma * sums[2]]);
    let weights = components.iter().zip(&sums).skip(1).map(|(c, sums)| c.weight * (sums[0] - mean));
    let slope = shapes.chain(weights).map(|x| -x / gaps.n).collect();
    (cost / gaps.n, slope)
}

/// A probability, and its derivatives by μ and by σ.
type Triple = [f64; 3];

fn probability(c: &LognormalComponent, seen: Seen) -> Triple {
    match seen {
        Seen::Whole(x) if x > DENSITY_FROM_S => log_density(c, x.ln()).map(|p| p / x),
        Seen::Whole(x) => {
            let (after, at, before) = (integrated(c, x + 1.0), integrated(c, x), integrated(c, x - 1.0));
            let p: Triple = std::array::from_fn(|i| after[i] - 2.0 * at[i] + before[i]);
            [p[0].max(0.0), p[1], p[2]]
        }
        Seen::Exact(y) => log_density(c, y),
        Seen::Zero => integrated(c, ZERO_S).map(|p| p / ZERO_S),
    }
}

fn log_density(c: &LognormalComponent, y: f64) -> Triple {
    let z = (y - c.mu) / c.sigma;
    let p = density(z) / c.sigma;
    [p, p * z / c.sigma, p * (z * z - 1.0) / c.sigma]
}

fn integrated(c: &LognormalComponent, x: f64) -> Triple {
    if x <= 0.0 {
        return [0.0; 3];
    }
    let z = (x.ln() - c.mu) / c.sigma;
    let mean = (c.mu + 0.5 * c.sigma * c.sigma).exp();
    let partial = mean * normal_cdf(z - c.sigma);
    [x * normal_cdf(z) - partial, -partial, mean * density(z - c.sigma) - c.sigma * partial]
}

/// Share below the exponential of `log_cut`, which may be infinite.
fn below(c: &LognormalComponent, log_cut: f64) -> Triple {
    if log_cut.is_infinite() {
        return [if log_cut > 0.0 { 1.0 } else { 0.0 }, 0.0, 0.0];
    }
    let z = (log_cut - c.mu) / c.sigma;
    [normal_cdf(z), -density(z) / c.sigma, -density(z) * z / c.sigma]
}

fn density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::think::gaps::Window;
    use std::collections::BTreeMap;

    #[test]
    fn the_slope_is_that_of_the_cost() {
        let whole = BTreeMap::from([(-300, 4), (0, 30), (700, 41), (1200, 22), (6000, 9), (70_000, 3)]);
        let exact = BTreeMap::from([(None, 3), (Some(-200), 10), (Some(20), 40), (Some(150), 9)]);
        let window = Window { shortest_s: 0.25, longest_s: 100.0, background: 0.1 };
        let both = [Gaps::whole(&whole, window).unwrap(), Gaps::exact(&exact, 0.02, window).unwrap()];
        for gaps in both {
            let point = [0.3, -0.2, 2.0, 0.1, -1.0, -0.5, -0.7, 0.4];
            let (_, slope) = cost_and_slope(&point, &gaps);
            for i in 0..point.len() {
                let moved = |by: f64| {
                    let mut point = point;
                    point[i] += by;
                    cost_and_slope(&point, &gaps).0
                };
                let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!((slope[i] - expected).abs() < 1e-6, "{i}: {} {expected}", slope[i]);
            }
        }
    }

    #[test]
    fn the_cost_is_that_of_the_law() {
        let counts = BTreeMap::from([(0, 30), (700, 41), (1200, 22), (6000, 9)]);
        let gaps =
            Gaps::whole(&counts, Window { shortest_s: 0.2, longest_s: 60.0, background: 0.05 }).unwrap();
        let components = vec![part(0.4, 0.1, 0.5), part(0.6, 1.5, 0.8)];
        let (cost, _) = cost_and_slope(&pack(&components), &gaps);
        assert!((cost - gaps.cost(&Law::LognormalMixture { components })).abs() < 1e-9);
    }
}
