//! The law of the one-sample distance for any number of values.
//!
//! Which method is exact enough where, and affordable, is the choice of Simard & L'Ecuyer, "Computing the two-sided
//! Kolmogorov-Smirnov distribution" (J. Stat. Software 39:11, 2011), as in scipy: more than ten digits up to 140
//! values, an absolute error below 1e-6 beyond.

use super::pelz_good;
use crate::statistic::saddle_point::binomial;

/// Up to this many values everything is exact.
const FEW: u64 = 140;
/// Up to this many values the matrix may be used; beyond, the expansion is as good.
const MANY: u64 = 100_000;

/// Probability that `n` values of a continuous law have an empirical distribution function further than `d` from it.
///
/// 1 for `d <= 0` and for no values, 0 for `d >= 1`.
pub fn one_sample_survival(d: f64, n: u64) -> f64 {
    let size = n as f64;
    let (nd, nd2) = (size * d, size * d * d);
    if n == 0 || nd <= 0.5 {
        return 1.0;
    }
    if d >= 1.0 {
        return 0.0;
    }
    // From here on both sides are never exceeded at once (Ruben & Gambino 1982).
    if nd >= size - 1.0 {
        return 2.0 * (1.0 - d).powf(size);
    }
    let one_sided_doubled_from = if n <= FEW { 4.0 } else { 2.2 };
    if d >= 0.5 || nd2 >= one_sided_doubled_from {
        return (2.0 * one_sided_survival(d, n)).min(1.0);
    }
    let below =
        if n <= FEW || n <= MANY && nd * d.sqrt() <= 1.4 { matrix(d, n) } else { pelz_good::cdf(d, size) };
    (1.0 - below).clamp(0.0, 1.0)
}

/// Probability that the empirical distribution function rises further than `d` above the true one, 0 < `d` < 1.
///
/// `Σ_j d/(d + j/n) Binomial(j; n, d + j/n)` (Birnbaum & Tingey 1951), all terms positive.
fn one_sided_survival(d: f64, n: u64) -> f64 {
    let size = n as f64;
    let last = (size * (1.0 - d)).floor() as u64;
    let term = |j: u64| {
        let p = d + j as f64 / size;
        d / p * binomial(j as f64, size, p.min(1.0))
    };
    (0..=last).map(term).sum()
}

/// Probability of at most `d`, by the power of a matrix (Durbin 1973; Marsaglia, Tsang & Wang, J. Stat. Software 8:18,
/// 2003). Exact; the matrix has `2 ceil(nd) - 1` rows.
fn matrix(d: f64, n: u64) -> f64 {
    let nd = n as f64 * d;
    let k = nd.ceil() as usize;
    let h = k as f64 - nd;
    let size = 2 * k - 1;
    let mut transition = Scaled { rows: vec![0.0; size * size], size, exponent: 0 };
    // Column 0 and the last row differ from the band 1/(i - j + 1)! because the path may leave through a corner.
    let inverse_factorials: Vec<f64> = (1..=size)
        .scan(1.0, |product, i| {
            *product /= i as f64;
            Some(*product)
        })
        .collect();
    for i in 0..size {
        for j in 0..=(i + 1).min(size - 1) {
            transition.rows[i * size + j] = match i + 1 - j {
                0 => 1.0,
                steps => inverse_factorials[steps - 1],
            };
        }
    }
    for (i, inverse_factorial) in inverse_factorials.iter().enumerate() {
        let cut = h.powi(i as i32 + 1) * inverse_factorial;
        transition.rows[i * size] -= cut;
        transition.rows[(size - 1) * size + (size - 1 - i)] -= cut;
    }
    let corner = (2.0 * h - 1.0).max(0.0).powi(size as i32);
    transition.rows[(size - 1) * size] += corner * inverse_factorials[size - 1];
    let power = transition.power(n);
    // n!/n^n, factor by factor, so that nothing overflows.
    let mut value = power.rows[(k - 1) * size + k - 1];
    let mut exponent = power.exponent;
    for i in 1..=n {
        value *= i as f64 / n as f64;
        if value < 2.0_f64.powi(-SCALE) {
            value *= 2.0_f64.powi(SCALE);
            exponent -= SCALE;
        }
    }
    value * 2.0_f64.powi(exponent)
}

/// Powers of two by which numbers that grow too large are divided.
const SCALE: i32 = 256;

/// A square matrix times `2^exponent`.
#[derive(Clone)]
struct Scaled {
    rows: Vec<f64>,
    size: usize,
    exponent: i32,
}

impl Scaled {
    fn times(&self, other: &Self) -> Self {
        let size = self.size;
        let mut rows = vec![0.0; size * size];
        for (row, out) in self.rows.chunks(size).zip(rows.chunks_mut(size)) {
            for (factor, line) in row.iter().zip(other.rows.chunks(size)) {
                out.iter_mut().zip(line).for_each(|(sum, x)| *sum += factor * x);
            }
        }
        let mut product = Self { rows, size, exponent: self.exponent + other.exponent };
        if product.rows[(size / 2) * size + size / 2] > 2.0_f64.powi(SCALE) {
            product.rows.iter_mut().for_each(|x| *x *= 2.0_f64.powi(-SCALE));
            product.exponent += SCALE;
        }
        product
    }

    fn power(&self, n: u64) -> Self {
        match n {
            0 | 1 => self.clone(),
            n if n.is_multiple_of(2) => {
                let half = self.power(n / 2);
                half.times(&half)
            }
            n => self.power(n - 1).times(self),
        }
    }
}
