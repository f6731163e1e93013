//! The non-central chi-squared distribution: a Poisson mixture of central ones.
//!
//! `F(x; df, ncp) = Σ_j Poisson(j; ncp/2) F(x; df + 2j)`. Only the terms around the largest one count, so the sum is
//! of about `18 sqrt(ncp/2)` terms. The central parts of it follow from one another by adding, never by subtracting:
//! downwards from the largest `j` for the lower tail, upwards from the smallest for the upper tail.

use std::ops::RangeInclusive;

use super::saddle_point::poisson;
use super::{incomplete_gamma, root};

/// Probability of at most `x` with `df > 0` degrees of freedom and non-centrality `ncp >= 0`; 0 for `x <= 0`.
pub fn cdf(x: f64, df: f64, ncp: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let (half_df, y, mean) = (0.5 * df, 0.5 * x, 0.5 * ncp);
    let around = that_matter(mean, half_df, y);
    let mut central = incomplete_gamma::lower(half_df + *around.end() as f64, y);
    let mut sum = 0.0;
    for j in around.rev() {
        let j = j as f64;
        sum += poisson(j, mean) * central;
        central += poisson(half_df + j - 1.0, y);
    }
    sum.min(1.0)
}

/// Probability of more than `x`, exact also where it is tiny; 1 for `x <= 0`. Arguments as in [`cdf`].
pub fn survival(x: f64, df: f64, ncp: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let (half_df, y, mean) = (0.5 * df, 0.5 * x, 0.5 * ncp);
    let around = that_matter(mean, half_df, y);
    let mut central = incomplete_gamma::upper(half_df + *around.start() as f64, y);
    let mut sum = 0.0;
    for j in around {
        let j = j as f64;
        sum += poisson(j, mean) * central;
        central += poisson(half_df + j, y);
    }
    sum.min(1.0)
}

/// The value below which the share `p` lies, 0 < `p` < 1.
pub fn quantile(p: f64, df: f64, ncp: f64) -> f64 {
    root::of_rising(|x| cdf(x, df, ncp), p, df + ncp)
}

/// The value exceeded with probability `p`, 0 < `p` < 1.
pub fn upper_quantile(p: f64, df: f64, ncp: f64) -> f64 {
    root::of_rising(|x| -survival(x, df, ncp), -p, df + ncp)
}

/// All `j` whose term matters.
///
/// The weight of `j` is largest at the mean of the Poisson law, a term far out in a tail where
/// `j (j + df/2) = mean · x/2`. Below either, terms fall off at least as fast as a normal law; above, the logarithmic
/// part makes the tail longer, which the constant covers where the mean is small.
fn that_matter(mean: f64, half_df: f64, y: f64) -> RangeInclusive<u64> {
    let in_the_tail = 0.5 * ((half_df * half_df + 4.0 * mean * y).sqrt() - half_df);
    let (low, high) = (mean.min(in_the_tail), mean.max(in_the_tail));
    let first = (low - 9.0 * low.sqrt()).max(0.0).floor();
    first as u64..=(high + 9.0 * high.sqrt() + 40.0).ceil() as u64
}
