//! The chi-squared distribution. Degrees of freedom are positive and need not be whole.

use super::{incomplete_gamma, root};

/// Probability of at most `x` with `df` degrees of freedom; 0 for `x <= 0`.
///
/// Without degrees of freedom (`df <= 0`) everything lies at zero: 1 for `x >= 0`.
pub fn cdf(x: f64, df: f64) -> f64 {
    if df <= 0.0 {
        return if x >= 0.0 { 1.0 } else { 0.0 };
    }
    incomplete_gamma::lower(0.5 * df, 0.5 * x)
}

/// Probability of more than `x`, exact also where it is tiny; 1 for `x <= 0` (`df <= 0` as in [`cdf`]).
pub fn survival(x: f64, df: f64) -> f64 {
    if df <= 0.0 {
        return if x > 0.0 { 0.0 } else { 1.0 };
    }
    incomplete_gamma::upper(0.5 * df, 0.5 * x)
}

/// The value exceeded with probability `p`, 0 < `p` < 1; 0 when `df <= 0`.
pub fn upper_quantile(p: f64, df: f64) -> f64 {
    if df <= 0.0 {
        return 0.0;
    }
    root::of_rising(|x| -survival(x, df), -p, df)
}
