//! How much more or less than its curve says each second brings: the burstiness of the profile.
//!
//! The factor is the product of one log-normal process per time constant, of mean 1 and variance v: `exp(s z - s²/2)`
//! with `s² = ln(1 + v)` and z an autoregression over seconds, correlated by `exp(-Δ/c)` (statistics: the dispersion
//! spectrum of a Cox process). z at any second is a function of the seed and the second alone, so that all shards of a
//! run share one modulator and none has to go through the seconds before.
//!
//! That works because the autoregression is a Markov process: on a grid so wide that the correlation from point to
//! point is below what a double resolves, values are independent; and between two known points, the middle follows a
//! known normal law, so halving the interval again and again leads to every second, exactly.

use shared::arrivals::Burstiness;
use shared::distribution::normal_quantile;

use crate::random::{Key, Purpose, Stream};

/// The factor on the rate, second by second.
#[derive(Debug, Clone)]
pub(crate) struct Modulator {
    seed: u64,
    parts: Vec<Part>,
}

/// The process of one time constant.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// Position among the profile's time constants.
    index: u64,
    time_constant_s: f64,
    /// Standard deviation of the logarithm.
    sigma: f64,
    /// Seconds between independent points, a power of two.
    span: i64,
}

/// Time constants between independent points: `exp(-40)` is 4e-18, less than the last digit of a double.
const INDEPENDENT: f64 = 40.0;
/// The widest grid, as a power of two: 10^13 seconds.
const WIDEST: f64 = 43.0;

impl Modulator {
    /// The modulator of a run with this seed; without burstiness its factor is always 1.
    pub(crate) fn new(seed: u64, burstiness: Option<&Burstiness>) -> Self {
        let pairs = burstiness.into_iter().flat_map(|b| b.time_constants_s.iter().zip(&b.variances));
        let parts = pairs.enumerate().filter(|(_, (_, variance))| **variance > 0.0);
        let part = |(index, (time_constant_s, variance)): (usize, (&f64, &f64))| Part {
            index: index as u64,
            time_constant_s: *time_constant_s,
            sigma: variance.ln_1p().sqrt(),
            span: 1 << (INDEPENDENT * time_constant_s).log2().ceil().clamp(0.0, WIDEST) as u32,
        };
        Self { seed, parts: parts.map(part).collect() }
    }

    /// The factor in the second that begins `at_s` seconds into the run; before its start, seconds are negative.
    pub(crate) fn factor(&self, at_s: i64) -> f64 {
        let logarithms =
            self.parts.iter().map(|part| part.sigma * self.score(part, at_s) - 0.5 * part.sigma * part.sigma);
        logarithms.sum::<f64>().exp()
    }

    /// Whether the factor is always 1.
    pub(crate) fn is_constant(&self) -> bool {
        self.parts.is_empty()
    }

    /// What the index of dispersion of counts in windows of this length exceeds 1 by, per unit of their rate: the
    /// covariances of the factors of all pairs of seconds of a window, divided by its length.
    pub(crate) fn excess_dispersion_s(&self, window_s: u32) -> f64 {
        let covariance = |lag_s: u32| {
            let exponent =
                |part: &Part| part.sigma * part.sigma * (-f64::from(lag_s) / part.time_constant_s).exp();
            self.parts.iter().map(exponent).sum::<f64>().exp_m1()
        };
        let pairs = |lag_s: u32| 2.0 * f64::from(window_s - lag_s) * covariance(lag_s);
        covariance(0) + (1..window_s).map(pairs).sum::<f64>() / f64::from(window_s)
    }

    /// The standard normal value of `part` at `at_s`, by bridges between ever closer points.
    fn score(&self, part: &Part, at_s: i64) -> f64 {
        let mut left = at_s.div_euclid(part.span) * part.span;
        let mut scores = [self.innovation(part, left), self.innovation(part, left + part.span)];
        let mut half = part.span / 2;
        while left != at_s {
            let middle = left + half;
            // Given both ends, the middle is normal: its correlation with each is `a`, theirs with each other `a²`.
            let a = (-(half as f64) / part.time_constant_s).exp();
            let [mean, variance] =
                [a / (1.0 + a * a) * (scores[0] + scores[1]), (1.0 - a * a) / (1.0 + a * a)];
            let score = mean + variance.sqrt() * self.innovation(part, middle);
            if at_s < middle {
                scores[1] = score;
            } else {
                (left, scores[0]) = (middle, score);
            }
            half /= 2;
        }
        scores[0]
    }

    /// The standard normal number that belongs to a point; no point is drawn twice, whatever level it is on.
    fn innovation(&self, part: &Part, at_s: i64) -> f64 {
        let key = Key { seed: self.seed, block: at_s as u64, index: part.index };
        normal_quantile(Stream::new(key, Purpose::Modulator).uniform())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modulator(seed: u64, time_constants_s: &[f64], variances: &[f64]) -> Modulator {
        let burstiness =
            Burstiness { time_constants_s: time_constants_s.to_vec(), variances: variances.to_vec() };
        Modulator::new(seed, Some(&burstiness))
    }

    /// Mean of `value` over seeds, which are independent.
    fn mean(seeds: u64, value: impl Fn(u64) -> f64) -> f64 {
        (0..seeds).map(value).sum::<f64>() / seeds as f64
    }

    #[test]
    fn scores_are_an_autoregression() {
        let n = 4000;
        // Neighbours, a step over a wide part of the grid, over one of its points, and before the start.
        for (at_s, lag_s) in [(0, 1), (100, 30), (1279, 2), (-50, 100), (7, 600)] {
            let scores = |seed| {
                let modulator = modulator(seed, &[30.0], &[0.2]);
                [at_s, at_s + lag_s].map(|at_s| modulator.score(&modulator.parts[0], at_s))
            };
            let expected = (-(lag_s as f64) / 30.0).exp();
            let correlation = mean(n, |seed| scores(seed)[0] * scores(seed)[1]);
            // The standard error of a mean of products of normals is at most sqrt(2/n) = 0.022.
            assert!((correlation - expected).abs() < 0.09, "{at_s} {lag_s}: {correlation} {expected}");
            assert!((mean(n, |seed| scores(seed)[1].powi(2)) - 1.0).abs() < 0.09, "{at_s}");
            assert!(mean(n, |seed| scores(seed)[1]).abs() < 0.064, "{at_s}");
        }
    }

    #[test]
    fn the_factor_has_mean_1_and_the_variances_of_the_profile() {
        let n = 20_000;
        let factor = |seed| modulator(seed, &[3.0, 300.0], &[0.11, 0.3]).factor(12_345);
        let average = mean(n, factor);
        // Independent factors: the second moment of the product is that of the factors.
        let second = mean(n, |seed| factor(seed).powi(2));
        assert!((average - 1.0).abs() < 0.025, "{average}");
        assert!((second - 1.11 * 1.3).abs() < 0.08, "{second}");
    }

    #[test]
    fn the_excess_dispersion_is_that_of_the_spectrum() {
        // 2 v c [1 - (1 - exp(-tau/c)) c/tau], for processes that change slowly and little.
        for (constant_s, variance, window_s) in [(30.0, 0.01, 10), (300.0, 0.02, 60), (300.0, 0.001, 3600)] {
            let tau_s = f64::from(window_s);
            let kept: f64 = 1.0 - (1.0 - (-tau_s / constant_s).exp()) * constant_s / tau_s;
            let expected = 2.0 * variance * constant_s * kept;
            let found = modulator(1, &[constant_s], &[variance]).excess_dispersion_s(window_s);
            assert!((found / expected - 1.0).abs() < 0.01, "{found} {expected}");
        }
        assert!(Modulator::new(1, None).excess_dispersion_s(60).abs() < 1e-15);
    }

    #[test]
    fn without_burstiness_nothing_is_modulated() {
        assert!(Modulator::new(1, None).is_constant());
        let still = modulator(1, &[3.0, 30.0], &[0.0, 0.0]);
        assert!(still.is_constant() && (still.factor(17) - 1.0).abs() < 1e-15);
        let extreme = modulator(1, &[1e-3, 1e300], &[0.1, 0.1]);
        assert!(extreme.factor(-1).is_finite() && extreme.factor(2_678_400).is_finite());
    }
}
