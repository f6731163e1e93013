//! How different two distributions over the same categories are.
//!
//! Both are given as weights, one per category in the same order: counts or shares, not negative, of any sum above
//! zero. Natural logarithms throughout.

/// Total variation: the share that would have to move, 0..=1.
pub fn total_variation(a: &[f64], b: &[f64]) -> f64 {
    0.5 * shares(a, b).map(|(p, q)| (p - q).abs()).sum::<f64>()
}

/// The divergence of Jensen and Shannon (Lin 1991), both sides weighted alike: 0 to ln 2.
///
/// The divergence itself, not its square root, which some programs call the Jensen-Shannon distance.
pub fn jensen_shannon(a: &[f64], b: &[f64]) -> f64 {
    weighted_jensen_shannon(a, b, 0.5)
}

/// The divergence of Jensen and Shannon of two sets of counts, each weighted by its share of all.
///
/// `2 N` times it is the statistic G of a test for equal shares, with `N` all counts together.
pub fn jensen_shannon_pooled(a: &[f64], b: &[f64]) -> f64 {
    let (n, m) = (a.iter().sum::<f64>(), b.iter().sum::<f64>());
    weighted_jensen_shannon(a, b, n / (n + m))
}

fn weighted_jensen_shannon(a: &[f64], b: &[f64], weight: f64) -> f64 {
    let terms = shares(a, b).map(|(p, q)| {
        let mixed = weight * p + (1.0 - weight) * q;
        weight * relative_entropy(p, mixed) + (1.0 - weight) * relative_entropy(q, mixed)
    });
    terms.sum::<f64>().max(0.0)
}

/// The population stability index: `Σ (p - q) ln(p/q)`, the symmetric divergence of Kullback and Leibler (1951).
///
/// Infinite when a category is empty on one side only: pool such categories first.
pub fn population_stability(a: &[f64], b: &[f64]) -> f64 {
    shares(a, b).map(|(p, q)| if p <= 0.0 && q <= 0.0 { 0.0 } else { (p - q) * (p / q).ln() }).sum()
}

/// `p ln(p/q)`, 0 for nothing.
fn relative_entropy(p: f64, q: f64) -> f64 {
    if p > 0.0 { p * (p / q).ln() } else { 0.0 }
}

/// Weights as shares of their sums.
fn shares<'w>(a: &'w [f64], b: &'w [f64]) -> impl Iterator<Item = (f64, f64)> + 'w {
    let (n, m) = (a.iter().sum::<f64>(), b.iter().sum::<f64>());
    a.iter().zip(b).map(move |(x, y)| (x / n, y / m))
}
