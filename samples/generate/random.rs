//! Random draws that depend on the seed alone.
//!
//! The samplers are written out here because the crates that offer them may change their stream of values between
//! versions; the sample files must not change with them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Serialize;

/// What a generator is used for; each purpose draws from its own stream, so that one does not disturb the others.
#[derive(Clone, Copy)]
pub(crate) enum Stream {
    Arrivals,
    Visits,
    Clients,
    Robots,
    MailLinks,
    Secrets,
    Broken,
    Corpus,
    CorpusTrial,
}

/// A seeded generator with the draws used here.
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// Returns the generator of one purpose.
    pub(crate) fn new(seed: u64, stream: Stream) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream as u64);
        Self(generator)
    }

    /// Returns 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Returns a number in [0, 1), a multiple of 2^-53.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Returns a number in [low, high).
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Returns a number below `n`, by multiply and shift: its bias of n / 2^64 is far below anything measurable here.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Returns one of `items`, each equally likely.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Returns true with the given probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// Returns an exponential variate of mean 1, by inversion.
    pub(crate) fn exponential(&mut self) -> f64 {
        // 1 - u lies in (0, 1], so the logarithm is finite.
        -(1.0 - self.uniform()).ln()
    }

    /// Returns a standard normal variate (Box & Muller 1958; the second of the pair is left).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Returns a log-normal variate.
    pub(crate) fn log_normal(&mut self, law: LogNormal) -> f64 {
        law.median * (law.sigma * self.normal()).exp()
    }
}

/// A log-normal law: `median` has the unit of the value, `sigma` is the standard deviation of its natural logarithm.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct LogNormal {
    pub(crate) median: f64,
    pub(crate) sigma: f64,
}

/// A law over 0..n given by weights, drawn by inversion of its cumulative sum.
pub(crate) struct Weighted {
    cumulative: Vec<f64>,
}

impl Weighted {
    /// Returns the law in which `i` has a probability proportional to `weights[i]`.
    pub(crate) fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        let cumulative = weights
            .into_iter()
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        Self { cumulative }
    }

    /// Returns Zipf's law over 0..n: the probability of `i` is proportional to `(i + 1)^-exponent`.
    pub(crate) fn zipf(n: usize, exponent: f64) -> Self {
        Self::new((1..=n).map(|rank| (rank as f64).powf(-exponent)))
    }

    /// Returns one index.
    pub(crate) fn draw(&self, random: &mut Random) -> usize {
        let last = self.cumulative.len() - 1;
        let at = random.uniform() * self.cumulative[last];
        self.cumulative[..last].partition_point(|&sum| sum <= at)
    }

    /// Returns the probability of `index`.
    pub(crate) fn probability(&self, index: usize) -> f64 {
        let before = if index == 0 { 0.0 } else { self.cumulative[index - 1] };
        (self.cumulative[index] - before) / self.cumulative[self.cumulative.len() - 1]
    }
}
