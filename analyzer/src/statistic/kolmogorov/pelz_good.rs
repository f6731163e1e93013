//! The expansion of the law of the one-sample distance in powers of `1/sqrt(n)`, for many values.
//!
//! Pelz & Good, "Approximating the lower tail-areas of the Kolmogorov-Smirnov one-sample statistic" (J. R. Stat. Soc.
//! B 38, 1976), after Li-Chien (1956) and Korolyuk (1960).

use std::f64::consts::PI;

/// Terms of the sums: enough for any distance that is not certain to be exceeded.
const TERMS: u32 = 60;

/// Probability of at most `d` for `n` values; the error is of the order `1/n²`.
pub(super) fn cdf(d: f64, n: f64) -> f64 {
    let z = n.sqrt() * d;
    let z2 = z * z;
    let z4 = z2 * z2;
    let z6 = z4 * z2;
    let pi2 = PI * PI;
    if z <= 0.0 {
        return 0.0;
    }
    let mut k = [0.0; 4];
    // The rarest terms first, because they are the smallest.
    for m in (0..TERMS).rev().map(|i| f64::from(2 * i + 1)) {
        // (π m / 2)² in all of them.
        let a = 0.25 * pi2 * m * m;
        let weight = (-a / (2.0 * z2)).exp();
        k[0] += weight;
        k[1] += weight * (a - z2);
        k[2] += weight * (6.0 * z6 + 2.0 * z4 + a * (2.0 * z4 - 5.0 * z2) + a * a * (1.0 - 2.0 * z2));
        k[3] += weight
            * (-30.0 * z6 - 90.0 * z4 * z4
                + a * (135.0 * z4 - 96.0 * z6)
                + a * a * (212.0 * z4 - 60.0 * z2)
                + a * a * a * (5.0 - 30.0 * z2));
    }
    k[0] /= z;
    k[1] /= 6.0 * z4;
    k[2] /= 72.0 * z6 * z;
    k[3] /= 6480.0 * z6 * z4;
    for m in (1..=TERMS).rev().map(f64::from) {
        let a = pi2 * m * m;
        let weight = (-a / (2.0 * z2)).exp();
        k[2] -= weight * a / (36.0 * z2 * z);
        k[3] += weight * a * (3.0 * z2 - a) / (216.0 * z6);
    }
    let by_size = k.iter().rev().fold(0.0, |sum, term| sum / n.sqrt() + term);
    (2.0 * PI).sqrt() * by_size
}
