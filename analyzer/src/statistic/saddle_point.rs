//! Probabilities of the Poisson and the binomial law to nearly full precision, however large the counts.
//!
//! Factorials written as logarithms cancel to the last digits when counts are large. Loader, "Fast and accurate
//! computation of binomial probabilities" (2000), separates the error of Stirling's formula and the deviance, both of
//! which are small where the probability is not.

use statrs::function::gamma::ln_gamma;

/// Probability of `k` where `mean` is expected: `mean^k e^-mean / Γ(k + 1)`.
///
/// `k >= 0` need not be whole; `mean >= 0`.
pub fn poisson(k: f64, mean: f64) -> f64 {
    if mean <= 0.0 {
        return if k > 0.0 { 0.0 } else { 1.0 };
    }
    if k <= 0.0 {
        return (-mean).exp();
    }
    (-stirling_error(k) - deviance(k, mean)).exp() / (2.0 * std::f64::consts::PI * k).sqrt()
}

/// Probability of `k` successes in `n` trials of probability `p`; whole numbers, 0 ≤ `k` ≤ `n`, 0 ≤ `p` ≤ 1.
pub fn binomial(k: f64, n: f64, p: f64) -> f64 {
    let q = 1.0 - p;
    if k <= 0.0 {
        return (n * (-p).ln_1p()).exp();
    }
    if k >= n {
        return p.powf(n);
    }
    if p <= 0.0 || q <= 0.0 {
        return 0.0;
    }
    let exponent = stirling_error(n)
        - stirling_error(k)
        - stirling_error(n - k)
        - deviance(k, n * p)
        - deviance(n - k, n * q);
    exponent.exp() * (n / (2.0 * std::f64::consts::PI * k * (n - k))).sqrt()
}

/// `ln Γ(n + 1)` less Stirling's formula `(n + 1/2) ln n - n + ln sqrt(2π)`, for `n > 0`.
fn stirling_error(n: f64) -> f64 {
    /// From here on these terms of the series are exact to the last digit.
    const SERIES_FROM: f64 = 16.0;
    if n < SERIES_FROM {
        let half_ln_two_pi = 0.5 * (2.0 * std::f64::consts::PI).ln();
        return ln_gamma(n + 1.0) - (n + 0.5) * n.ln() + n - half_ln_two_pi;
    }
    let square = n * n;
    let series = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0];
    series.iter().rev().fold(0.0, |sum, term| sum / square + term) / n
}

/// `x ln(x/m) + m - x` for positive `x` and `m`, exact also where they are close.
fn deviance(x: f64, m: f64) -> f64 {
    let v = (x - m) / (x + m);
    if v.abs() >= 0.1 {
        return x * (x / m).ln() + m - x;
    }
    // ln(x/m) = 2 artanh v, and what is subtracted from it is its first term.
    let mut sum = (x - m) * v;
    let mut power = 2.0 * x * v;
    for j in 1..1000 {
        power *= v * v;
        let next = sum + power / f64::from(2 * j + 1);
        if next.to_bits() == sum.to_bits() {
            break;
        }
        sum = next;
    }
    sum
}
