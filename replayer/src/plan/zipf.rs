//! Zipf's law: the n-th most popular value is used in proportion to n^-s.

use crate::random::Stream;

/// Zipf's law over 1..=n, sampled by rejection-inversion (Hörmann & Derflinger 1996): no table, so `n` may be large.
#[derive(Debug, Clone)]
pub(crate) struct Zipf {
    n: f64,
    exponent: f64,
    /// Values of [`Self::hat`] between which candidates are drawn.
    range: (f64, f64),
    /// Candidates this close to their rank are accepted without a second look.
    squeeze: f64,
}

impl Zipf {
    /// The law over ranks 1..=`distinct` with this `exponent` > 0.
    pub(crate) fn new(distinct: u64, exponent: f64) -> Self {
        let n = distinct.max(1) as f64;
        let mut zipf = Self { n, exponent, range: (0.0, 0.0), squeeze: 0.0 };
        zipf.range = (zipf.hat(1.5) - 1.0, zipf.hat(n + 0.5));
        zipf.squeeze = 2.0 - zipf.hat_inverse(zipf.hat(2.5) - zipf.weight(2.0));
        zipf
    }

    /// A rank in 1..=n.
    pub(crate) fn draw(&self, stream: &mut Stream) -> u64 {
        loop {
            let area = self.range.1 + stream.uniform() * (self.range.0 - self.range.1);
            let x = self.hat_inverse(area);
            let rank = x.round().clamp(1.0, self.n);
            if rank - x <= self.squeeze || area >= self.hat(rank + 0.5) - self.weight(rank) {
                return rank as u64;
            }
        }
    }

    fn weight(&self, x: f64) -> f64 {
        (-self.exponent * x.ln()).exp()
    }

    /// Integral of `x^-s`: `(x^(1-s) - 1)/(1 - s)`, and `ln x` at s = 1, without cancellation near it.
    fn hat(&self, x: f64) -> f64 {
        let ln_x = x.ln();
        expm1_over((1.0 - self.exponent) * ln_x) * ln_x
    }

    fn hat_inverse(&self, y: f64) -> f64 {
        // Rounding may put the argument just below the pole at -1.
        let t = (y * (1.0 - self.exponent)).max(-1.0);
        (ln1p_over(t) * y).exp()
    }
}

/// `(e^x - 1)/x`, continuous at 0.
fn expm1_over(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.exp_m1() / x } else { 1.0 + x / 2.0 }
}

/// `ln(1 + x)/x`, continuous at 0.
fn ln1p_over(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.ln_1p() / x } else { 1.0 - x / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Purpose};

    #[test]
    fn ranks_come_as_often_as_the_law_says() {
        for exponent in [0.3, 0.92, 1.0, 1.7] {
            let zipf = Zipf::new(20, exponent);
            let mut stream = Stream::new(Key { seed: 8, block: 0, index: 0 }, Purpose::Values);
            let n = 50_000;
            let mut counts = [0_u32; 20];
            for _ in 0..n {
                counts[zipf.draw(&mut stream) as usize - 1] += 1;
            }
            let total: f64 = (1..=20).map(|rank| f64::from(rank).powf(-exponent)).sum();
            let chi_square: f64 = (1..=20)
                .map(|rank| {
                    let expected = f64::from(n) * f64::from(rank).powf(-exponent) / total;
                    (f64::from(counts[rank as usize - 1]) - expected).powi(2) / expected
                })
                .sum();
            // 19 degrees of freedom: 43.8 is exceeded once in a thousand.
            assert!(chi_square < 43.8, "{exponent}: {chi_square} {counts:?}");
        }
    }

    #[test]
    fn one_and_very_many_values() {
        let mut stream = Stream::new(Key { seed: 8, block: 0, index: 0 }, Purpose::Values);
        let one = Zipf::new(1, 1.2);
        assert!((0..100).all(|_| one.draw(&mut stream) == 1));
        let many = Zipf::new(u64::MAX, 0.9);
        assert!((0..1000).all(|_| many.draw(&mut stream) >= 1));
    }
}
