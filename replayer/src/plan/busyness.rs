//! How busy the day is: from one week to another, the same weekday brings more or less of the same curve.
//!
//! The factor is gamma distributed with mean 1 (Avramidis, Deslauriers, L'Ecuyer 2004). A test replays one day, so by
//! default that day is a usual one, and a busy one only for those who ask.

use shared::distribution::{Law, normal_quantile};

use crate::config::Busy;
use crate::random::{Key, Purpose, Stream};

/// How busy each day is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Busyness {
    /// All days the same.
    Fixed(f64),
    /// Each day drawn by itself, from a gamma law with this shape and mean 1.
    Drawn {
        /// What the draws follow from.
        seed: u64,
        /// The law's shape: the inverse of the squared coefficient of variation.
        shape: f64,
    },
}

impl Busyness {
    /// What `busy` means where days differ by the coefficient of variation `cv`.
    pub(crate) fn new(seed: u64, busy: Busy, cv: f64) -> Self {
        let shape = 1.0 / (cv * cv);
        match busy {
            _ if !shape.is_finite() => Self::Fixed(1.0),
            Busy::Usual => Self::Fixed(1.0),
            Busy::Quantile(q) => Self::Fixed(Law::Gamma { shape, scale: 1.0 / shape }.quantile(q)),
            Busy::Draw => Self::Drawn { seed, shape },
        }
    }

    /// The factor on the rate of a day, counted from the Monday on which the curve begins.
    pub(crate) fn of_day(self, day: i64) -> f64 {
        match self {
            Self::Fixed(factor) => factor,
            Self::Drawn { seed, shape } => {
                let key = Key { seed, block: day as u64, index: 0 };
                gamma(shape, &mut Stream::new(key, Purpose::Busyness)) / shape
            }
        }
    }
}

/// A gamma number of this shape and scale 1 (Marsaglia & Tsang 2000, with their boost for shapes below 1).
fn gamma(shape: f64, stream: &mut Stream) -> f64 {
    if shape < 1.0 {
        return gamma(shape + 1.0, stream) * stream.uniform().powf(1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal_quantile(stream.uniform());
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && stream.uniform().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_drawn_from_the_gamma_law() {
        for cv in [0.08, 0.5, 1.4] {
            let busyness = Busyness::new(3, Busy::Draw, cv);
            let law = Law::Gamma { shape: 1.0 / (cv * cv), scale: cv * cv };
            let mut ranks: Vec<f64> = (-1000..1000).map(|day| law.cdf(busyness.of_day(day))).collect();
            ranks.sort_by(f64::total_cmp);
            let n = ranks.len() as f64;
            let distance = ranks.iter().enumerate().map(|(i, u)| (u - (i as f64 + 0.5) / n).abs());
            // 1.95 is exceeded once in a thousand by Kolmogorov's law.
            assert!(distance.fold(0.0, f64::max) * n.sqrt() < 1.95, "{cv}");
        }
    }

    #[test]
    fn a_busy_day_is_a_quantile_and_a_usual_one_is_1() {
        let busy = Busyness::new(3, Busy::Quantile(0.95), 0.08).of_day(4);
        // Nearly normal: 1 + 1.645 * 0.08, and a little skew.
        assert!((busy - 1.1345).abs() < 0.003, "{busy}");
        assert!((Busyness::new(3, Busy::Usual, 0.08).of_day(4) - 1.0).abs() < 1e-15);
        assert!((Busyness::new(3, Busy::Draw, 0.0).of_day(4) - 1.0).abs() < 1e-15);
    }
}
