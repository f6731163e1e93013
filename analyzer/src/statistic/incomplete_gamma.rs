//! The regularised incomplete gamma functions, for sums of any size.

use super::saddle_point::poisson;

/// Change per term below which a sum has converged.
const CONVERGED: f64 = 1e-16;
/// Terms after which a sum is given up; it needs about `6 sqrt(a)`.
const MOST_TERMS: u32 = 10_000_000;

/// `P(a, x)`: share of a gamma law of shape `a > 0` that lies below `x`. 0 for `x <= 0`.
pub fn lower(a: f64, x: f64) -> f64 {
    match x {
        x if x <= 0.0 => 0.0,
        x if x < a + 1.0 => series(a, x),
        x => 1.0 - fraction(a, x),
    }
}

/// `Q(a, x) = 1 - P(a, x)`, computed directly where it is small. 1 for `x <= 0`.
pub fn upper(a: f64, x: f64) -> f64 {
    match x {
        x if x <= 0.0 => 1.0,
        x if x < a + 1.0 => 1.0 - series(a, x),
        x => fraction(a, x),
    }
}

/// `P` by its power series (Abramowitz & Stegun 6.5.29).
fn series(a: f64, x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 1..MOST_TERMS {
        term *= x / (a + f64::from(n));
        sum += term;
        if term < CONVERGED * sum {
            break;
        }
    }
    poisson(a, x) * sum
}

/// `Q` by its continued fraction (Abramowitz & Stegun 6.5.31), evaluated by Lentz's method.
fn fraction(a: f64, x: f64) -> f64 {
    if x.is_infinite() {
        return 0.0;
    }
    const TINY: f64 = 1e-300;
    let away_from_zero = |y: f64| if y.abs() < TINY { TINY } else { y };
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / away_from_zero(b);
    let mut value = d;
    for n in 1..MOST_TERMS {
        let n = f64::from(n);
        let numerator = -n * (n - a);
        b += 2.0;
        d = 1.0 / away_from_zero(numerator * d + b);
        c = away_from_zero(b + numerator / c);
        let change = c * d;
        value *= change;
        if (change - 1.0).abs() <= 2.0 * f64::EPSILON {
            break;
        }
    }
    poisson(a, x) * a * value
}
