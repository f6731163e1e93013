//! The limit law of `sqrt(n) D` (Kolmogorov 1933).

use std::f64::consts::PI;

/// Where the two series need the same number of terms.
const CROSSOVER: f64 = 0.82;

/// Probability of more than `x` for infinitely many values; 1 for `x <= 0`.
pub fn limit_survival(x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if x < CROSSOVER {
        // The theta function transformed: it converges where the other one does not.
        let odd = (1..40).step_by(2).map(f64::from);
        let sum: f64 = odd.map(|m| (-m * m * PI * PI / (8.0 * x * x)).exp()).sum();
        return 1.0 - (2.0 * PI).sqrt() / x * sum;
    }
    let term = |k: i32| (-2.0 * f64::from(k * k) * x * x).exp() * if k % 2 == 1 { 2.0 } else { -2.0 };
    (1..20).rev().map(term).sum()
}
