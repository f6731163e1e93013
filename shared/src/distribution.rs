//! Distributions of positive quantities: a mergeable log-histogram, parametric laws, and sampling by inversion.
//!
//! The histogram has the layout of DDSketch (Masson, Rim, Lee, VLDB 2019): bin `i` holds the values in
//! `(g^(i-1), g^i]` with `g = (1 + a)/(1 - a)`, so that any value is known within the relative error `a`.
//! Counts are integers and merge by addition, in any order.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{Continuous as _, ContinuousCDF as _};

use crate::flow;

/// The unit of a histogram's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Seconds.
    S,
    /// Bytes.
    Bytes,
}

/// Counts of positive values in bins of constant relative width.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogHistogram {
    /// Largest relative error of a value read back, such as 0.01.
    pub relative_error: f64,
    /// Unit of the values.
    pub unit: Unit,
    /// Values that are zero, or too small to matter.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub zeros: u64,
    /// Count per bin index.
    #[serde(serialize_with = "flow::map")]
    pub bins: BTreeMap<i32, u64>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl LogHistogram {
    /// An empty histogram.
    pub fn new(relative_error: f64, unit: Unit) -> Self {
        Self { relative_error, unit, zeros: 0, bins: BTreeMap::new() }
    }

    /// Natural logarithm of the ratio between two neighbouring bin edges.
    pub fn log_width(&self) -> f64 {
        log_width(self.relative_error)
    }

    /// Adds `count` values; values that are not positive are counted as zero.
    pub fn add(&mut self, value: f64, count: u64) {
        if value > 0.0 {
            *self.bins.entry(bin_index(value, self.log_width())).or_insert(0) += count;
        } else {
            self.zeros += count;
        }
    }

    /// Number of values; `u64::MAX` when there are more, which [`crate::validate`] refuses.
    pub fn count(&self) -> u64 {
        self.bins.values().fold(self.zeros, |sum, count| sum.saturating_add(*count))
    }

    /// The value that stands for bin `index`, within the relative error of all values in it.
    pub fn value(&self, index: i32) -> f64 {
        let ratio = self.log_width().exp();
        2.0 * (f64::from(index) * self.log_width()).exp() / (ratio + 1.0)
    }

    /// The mean, within the relative error; 0 when empty.
    pub fn mean(&self) -> f64 {
        let sum: f64 = self.bins.iter().map(|(index, count)| self.value(*index) * *count as f64).sum();
        sum / (self.count().max(1)) as f64
    }

    /// The `q`-quantile (0..=1): the value of rank `ceil(q n)`, within the relative error; `None` when empty.
    ///
    /// It is the one value of its bin that no other in the bin is further from than the relative error. What a
    /// [`Sampler`] draws lies anywhere in the bin, and so up to twice as far from what was counted.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let n = self.count();
        let rank = ((q.clamp(0.0, 1.0) * n as f64).ceil() as u64).clamp(1, n.max(1));
        let mut below = self.zeros;
        if rank <= below {
            return Some(0.0);
        }
        let of_rank = |(_, count): &(&i32, &u64)| {
            below = below.saturating_add(**count);
            below >= rank
        };
        self.bins.iter().find(of_rank).map(|(index, _)| self.value(*index))
    }
}

/// Natural logarithm of `(1 + a)/(1 - a)`.
pub fn log_width(relative_error: f64) -> f64 {
    ((1.0 + relative_error) / (1.0 - relative_error)).ln()
}

/// The bin that holds a positive `value`: `ceil(ln value / width)`.
pub fn bin_index(value: f64, log_width: f64) -> i32 {
    (value.ln() / log_width).ceil() as i32
}

/// A parametric law of a positive quantity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "family", rename_all = "snake_case", deny_unknown_fields)]
pub enum Law {
    /// The logarithm is normal.
    Lognormal {
        /// Mean of the logarithm.
        mu: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// Gamma.
    Gamma {
        /// Shape.
        shape: f64,
        /// Scale.
        scale: f64,
    },
    /// Weibull.
    Weibull {
        /// Shape.
        shape: f64,
        /// Scale.
        scale: f64,
    },
    /// Exponential.
    Exponential {
        /// Rate: the inverse of the mean.
        rate: f64,
    },
    /// Several log-normals.
    LognormalMixture {
        /// The parts; their weights add up to 1.
        components: Vec<LognormalComponent>,
    },
}

/// One part of a mixture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LognormalComponent {
    /// Share, 0..=1.
    pub weight: f64,
    /// Mean of the logarithm.
    pub mu: f64,
    /// Standard deviation of the logarithm.
    pub sigma: f64,
}

impl Law {
    /// Share of values at most `x`.
    pub fn cdf(&self, x: f64) -> f64 {
        if x <= 0.0 {
            return 0.0;
        }
        match self {
            Self::Lognormal { mu, sigma } => normal_cdf((x.ln() - mu) / sigma),
            Self::Gamma { shape, scale } => statrs::function::gamma::gamma_lr(*shape, x / scale),
            Self::Weibull { shape, scale } => -(-(x / scale).powf(*shape)).exp_m1(),
            Self::Exponential { rate } => -(-rate * x).exp_m1(),
            Self::LognormalMixture { components } => {
                components.iter().map(|c| c.weight * normal_cdf((x.ln() - c.mu) / c.sigma)).sum()
            }
        }
    }

    /// The value below which the share `q` lies; `q` is clamped away from 0 and 1 by 1e-12.
    pub fn quantile(&self, q: f64) -> f64 {
        let q = q.clamp(1e-12, 1.0 - 1e-12);
        match self {
            Self::Lognormal { mu, sigma } => (mu + sigma * normal_quantile(q)).exp(),
            Self::Weibull { shape, scale } => scale * (-(-q).ln_1p()).powf(1.0 / shape),
            Self::Exponential { rate } => -(-q).ln_1p() / rate,
            Self::Gamma { .. } | Self::LognormalMixture { .. } => self.quantile_by_bisection(q),
        }
    }

    /// Every parameter finite and in its range.
    pub fn is_proper(&self) -> bool {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        match self {
            Self::Lognormal { mu, sigma } => mu.is_finite() && positive(*sigma),
            Self::Gamma { shape, scale } | Self::Weibull { shape, scale } => {
                positive(*shape) && positive(*scale)
            }
            Self::Exponential { rate } => positive(*rate),
            Self::LognormalMixture { components } => {
                let total: f64 = components.iter().map(|c| c.weight).sum();
                (total - 1.0).abs() < 1e-3
                    && components.iter().all(|c| c.weight >= 0.0 && c.mu.is_finite() && positive(c.sigma))
            }
        }
    }

    fn quantile_by_bisection(&self, q: f64) -> f64 {
        // In the logarithm, because the law may span many decades: e^±60 holds any time or size there is.
        let (mut low, mut high) = (-60.0_f64, 60.0_f64);
        for _ in 0..100 {
            let middle = 0.5 * (low + high);
            if self.cdf(middle.exp()) < q {
                low = middle;
            } else {
                high = middle;
            }
        }
        (0.5 * (low + high)).exp()
    }
}

/// Distribution function of the standard normal.
pub fn normal_cdf(z: f64) -> f64 {
    statrs::distribution::Normal::standard().cdf(z)
}

/// Density of the standard normal.
pub fn normal_pdf(z: f64) -> f64 {
    statrs::distribution::Normal::standard().pdf(z)
}

/// Inverse of [`normal_cdf`]; `q` strictly between 0 and 1.
pub fn normal_quantile(q: f64) -> f64 {
    statrs::distribution::Normal::standard().inverse_cdf(q)
}

/// Draws values by inversion: feed it uniform numbers.
#[derive(Debug, Clone)]
pub struct Sampler(Inner);

#[derive(Debug, Clone)]
enum Inner {
    Law(Law),
    Steps { log_width: f64, total: f64, zeros: f64, steps: Vec<Step> },
}

/// A bin, and how many values lie in it and below.
#[derive(Debug, Clone, Copy)]
struct Step {
    index: i32,
    count: f64,
    cumulative: f64,
}

impl Sampler {
    /// A sampler of `law`.
    pub fn of_law(law: Law) -> Self {
        Self(Inner::Law(law))
    }

    /// A sampler of `histogram`, log-uniform inside a bin; `None` when it is empty.
    pub fn of_histogram(histogram: &LogHistogram) -> Option<Self> {
        let mut cumulative = histogram.zeros as f64;
        let steps: Vec<Step> = histogram
            .bins
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(index, count)| {
                cumulative += *count as f64;
                Step { index: *index, count: *count as f64, cumulative }
            })
            .collect();
        let inner = Inner::Steps {
            log_width: histogram.log_width(),
            total: cumulative,
            zeros: histogram.zeros as f64,
            steps,
        };
        (cumulative > 0.0).then_some(Self(inner))
    }

    /// Share of values at most `x`.
    pub fn cdf(&self, x: f64) -> f64 {
        match &self.0 {
            Inner::Law(law) => law.cdf(x),
            Inner::Steps { total, zeros, .. } if x <= 0.0 => {
                if x < 0.0 {
                    0.0
                } else {
                    zeros / total
                }
            }
            Inner::Steps { log_width, total, zeros, steps } => {
                let position = x.ln() / log_width;
                let at = steps.partition_point(|step| f64::from(step.index) < position);
                let below = if at == 0 { *zeros } else { steps[at - 1].cumulative };
                let into = steps.get(at).map_or(0.0, |step| {
                    step.count * (position - (f64::from(step.index) - 1.0)).clamp(0.0, 1.0)
                });
                (below + into) / total
            }
        }
    }

    /// The value below which the share `q` (0..=1) lies.
    pub fn quantile(&self, q: f64) -> f64 {
        match &self.0 {
            Inner::Law(law) => law.quantile(q),
            Inner::Steps { log_width, total, zeros, steps } => {
                let rank = q.clamp(0.0, 1.0) * total;
                let at =
                    steps.partition_point(|step| step.cumulative < rank).min(steps.len().saturating_sub(1));
                match steps.get(at) {
                    Some(step) if rank >= *zeros => {
                        let into = ((rank - (step.cumulative - step.count)) / step.count).clamp(0.0, 1.0);
                        ((f64::from(step.index) - 1.0 + into) * log_width).exp()
                    }
                    _ => 0.0,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_within_the_relative_error() {
        for value in [1e-6, 0.013, 1.0, 59.9, 7.2e8] {
            let mut histogram = LogHistogram::new(0.01, Unit::S);
            histogram.add(value, 1);
            let index = *histogram.bins.keys().next().unwrap();
            assert!((histogram.value(index) / value - 1.0).abs() <= 0.01 + 1e-12, "{value}");
        }
    }

    #[test]
    fn counts_beyond_the_largest_number_do_not_wrap() {
        for (zeros, bins, expected) in [(0, vec![], 0), (1, vec![2, 3], 6), (5, vec![u64::MAX, 5], u64::MAX)]
        {
            let bins = (0..).zip(bins).collect();
            let histogram = LogHistogram { zeros, bins, ..LogHistogram::new(0.01, Unit::S) };
            assert_eq!(histogram.count(), expected);
            assert!(histogram.mean().is_finite());
        }
    }

    #[test]
    fn laws_invert() {
        let laws = [
            Law::Lognormal { mu: 0.7, sigma: 0.9 },
            Law::Gamma { shape: 2.0, scale: 1.5 },
            Law::Weibull { shape: 0.8, scale: 3.0 },
            Law::Exponential { rate: 0.2 },
            Law::LognormalMixture {
                components: vec![
                    LognormalComponent { weight: 0.3, mu: -1.0, sigma: 0.5 },
                    LognormalComponent { weight: 0.7, mu: 2.0, sigma: 0.8 },
                ],
            },
        ];
        for law in laws {
            assert!(law.is_proper());
            for q in [0.001, 0.25, 0.5, 0.9, 0.9999] {
                assert!((law.cdf(law.quantile(q)) - q).abs() < 1e-9, "{law:?} at {q}");
            }
        }
    }

    #[test]
    fn quantiles_of_a_histogram_do_not_decrease_and_keep_zeros() {
        let mut histogram = LogHistogram::new(0.01, Unit::S);
        histogram.add(0.0, 5);
        histogram.add(1.0, 10);
        histogram.add(8.0, 5);
        let sampler = Sampler::of_histogram(&histogram).unwrap();
        assert!(sampler.quantile(0.2) < 1e-9);
        assert!((sampler.quantile(0.5) - 1.0).abs() < 0.02);
        assert!((sampler.quantile(0.9) - 8.0).abs() < 0.16);
        for q in [0.3, 0.5, 0.7, 0.76, 0.9] {
            assert!((sampler.cdf(sampler.quantile(q)) - q).abs() < 1e-9, "{q}");
        }
        let values: Vec<f64> = (0..=1000).map(|i| sampler.quantile(f64::from(i) / 1000.0)).collect();
        assert!(values.windows(2).all(|pair| pair[0] <= pair[1]));
    }
}
