//! Tests on counts: whether two samples have the same shares, whether one has the shares expected of it.

use super::{Test, chi_squared};

/// Tests two samples of counts, one per category in the same order, for equal shares, by the likelihood ratio (Wilks
/// 1938): `G = 2 Σ n ln(n / expected n)`.
///
/// Categories empty in both do not count. With cells of few counts the p-value is far too small: pool them first.
/// `None` unless both have counts.
pub fn g_of_two(a: &[f64], b: &[f64]) -> Option<Test> {
    of_two(a, b, |found, expected| if found > 0.0 { 2.0 * found * (found / expected).ln() } else { 0.0 })
}

/// The same by `X² = Σ (n - expected n)²/(expected n)` (Pearson 1900), which bears smaller cells.
pub fn pearson_of_two(a: &[f64], b: &[f64]) -> Option<Test> {
    of_two(a, b, |found, expected| (found - expected).powi(2) / expected)
}

fn of_two(a: &[f64], b: &[f64], term: impl Fn(f64, f64) -> f64) -> Option<Test> {
    let (n, m) = (a.iter().sum::<f64>(), b.iter().sum::<f64>());
    if n <= 0.0 || m <= 0.0 {
        return None;
    }
    let filled: Vec<(f64, f64)> =
        a.iter().copied().zip(b.iter().copied()).filter(|(x, y)| x + y > 0.0).collect();
    let share = n / (n + m);
    let cells = filled.iter().map(|(x, y)| term(*x, (x + y) * share) + term(*y, (x + y) * (1.0 - share)));
    // Equal shares can come out as less than nothing by rounding.
    let statistic = cells.sum::<f64>().max(0.0);
    let df = filled.len() as f64 - 1.0;
    Some(Test { statistic, df, p_value: chi_squared::survival(statistic, df) })
}

/// Tests `observed` counts against `expected` ones of the same sum, by Pearson's X².
///
/// `fitted` parameters of the expectation came from these very counts: each takes a degree of freedom. Categories
/// with no expectation must be empty; a count in one makes the statistic infinite and the p-value 0. `None` unless
/// something is expected.
pub fn pearson_of_fit(observed: &[f64], expected: &[f64], fitted: u32) -> Option<Test> {
    let cells =
        || observed.iter().zip(expected).filter(|(found, expected)| **expected > 0.0 || **found > 0.0);
    let statistic: f64 = cells().map(|(found, expected)| (found - expected).powi(2) / expected).sum();
    let df = (cells().count() as f64 - 1.0 - f64::from(fitted)).max(0.0);
    let p_value = chi_squared::survival(statistic, df);
    expected.iter().any(|expected| *expected > 0.0).then_some(Test { statistic, df, p_value })
}
