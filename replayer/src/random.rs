//! Random streams that depend on what they are for, never on when they are used.
//!
//! Each stream is a ChaCha8 generator whose key spells out its purpose: seed, block, index and [`Purpose`].
//! So the walk of one session is the same whichever thread plays it, and whatever was drawn before it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// What a stream is drawn for; streams of different purposes are independent.
///
/// The numbers are part of the plan: changing one changes every plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// How many sessions start in a block, and when.
    Arrivals = 1,
    /// The class of a session.
    Class = 2,
    /// Where a session goes.
    Walk = 3,
    /// How long a session pauses.
    Gaps = 4,
    /// What stands in the placeholders of its paths.
    Values = 5,
    /// The name by which its requests are marked.
    Name = 6,
    /// What one value of a parameter looks like.
    Spelling = 7,
    /// What the embedded target answers.
    Answer = 8,
    /// How slow a session is as a whole.
    Tempo = 9,
    /// How much more or less than its curve says a moment brings.
    Modulator = 10,
    /// How busy a day is.
    Busyness = 11,
    /// What a page fetches.
    Companions = 12,
    /// When a periodic caller calls.
    Background = 13,
    /// How many sessions start in each block, where their sum is given.
    Counts = 14,
    /// Sessions drawn to see what sessions are like.
    Survey = 15,
    /// Moments inside a whole second.
    Unrounding = 16,
    /// Whether it is among the few that are sent first.
    Canary = 32,
    /// Which rows of the feeds it keeps.
    Feeds = 33,
    /// The seed of one of several runs that belong together.
    Trial = 34,
    /// Which starts the self-check tests, where there are more than it needs.
    Thinning = 90,
}

/// What a stream belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) seed: u64,
    pub(crate) block: u64,
    pub(crate) index: u64,
}

/// One random stream.
#[derive(Debug, Clone)]
pub(crate) struct Stream(ChaCha8Rng);

/// A stream that is seldom drawn from: where it stands, in an eighth of the memory of one that is ready to draw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resting {
    key: Key,
    purpose: Purpose,
    /// 32-bit words that were drawn.
    drawn: u64,
}

impl Resting {
    /// The stream of `key` for `purpose`.
    pub(crate) fn new(key: Key, purpose: Purpose) -> Self {
        Self { key, purpose, drawn: 0 }
    }

    /// Lets `draw` go on with the stream.
    pub(crate) fn wake<T>(&mut self, draw: impl FnOnce(&mut Stream) -> T) -> T {
        let mut stream = Stream::new(self.key, self.purpose);
        stream.0.set_word_pos(self.drawn.into());
        let drawn = draw(&mut stream);
        self.drawn = stream.0.get_word_pos() as u64;
        drawn
    }
}

impl Stream {
    /// The stream of `key` for `purpose`.
    pub(crate) fn new(key: Key, purpose: Purpose) -> Self {
        let mut bytes = [0; 32];
        let words = [key.seed, key.block, key.index, purpose as u64];
        for (slot, word) in bytes.chunks_exact_mut(8).zip(words) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(bytes))
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in (0, 1), both ends excluded.
    ///
    /// Made from the top 53 bits with the last one set, so that neither 0 nor 1 can come out.
    pub(crate) fn uniform(&mut self) -> f64 {
        const GRAIN: f64 = 1.0 / (1_u64 << 53) as f64;
        ((self.bits() >> 11) | 1) as f64 * GRAIN
    }

    /// A whole number below `n`, or 0 when `n` is 0 (Lemire 2019 without the rejection: biased by less than n/2^64).
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// A Poisson number of the given mean; 0 when the mean is not positive.
    ///
    /// A large mean is split into equal parts of at most [`Self::POISSON_PART`], whose independent counts add up to
    /// exactly the wanted law. That takes time in proportion to the mean, as does whatever is done with the count.
    /// Own code rather than a library's, because its results must not change from version to version.
    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 {
            return 0;
        }
        let parts = (mean / Self::POISSON_PART).ceil();
        (0..parts as u64).map(|_| self.small_poisson(mean / parts)).sum()
    }

    /// Largest mean drawn at once: `exp(-16)` is far from the smallest number, so that no digit is lost.
    const POISSON_PART: f64 = 16.0;

    /// By inversion: the smallest `n` whose distribution function exceeds a uniform number.
    fn small_poisson(&mut self, mean: f64) -> u64 {
        /// Beyond this count the law of mean 16 has less than 1e-40 left, below what a uniform number resolves.
        const LARGEST: u64 = 160;
        let uniform = self.uniform();
        let mut probability = (-mean).exp();
        let mut cumulative = probability;
        let mut n = 0;
        while cumulative < uniform && n < LARGEST {
            n += 1;
            probability *= mean / n as f64;
            cumulative += probability;
        }
        n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(index: u64) -> Stream {
        Stream::new(Key { seed: 42, block: 7, index }, Purpose::Walk)
    }

    #[test]
    fn the_streams_are_part_of_the_contract() {
        let mut first = stream(0);
        let drawn = [first.bits(), first.bits(), stream(1).bits()];
        assert_eq!(drawn, GOLDEN_BITS);
        let mut counts = stream(2);
        let drawn: Vec<u64> = [0.0, 0.5, 3.0, 15.9, 100.0, 5000.0].map(|mean| counts.poisson(mean)).to_vec();
        assert_eq!(drawn, GOLDEN_COUNTS);
    }

    const GOLDEN_BITS: [u64; 3] =
        [5_873_378_412_019_854_393, 15_362_891_387_238_973_053, 1_885_619_519_276_743_998];
    const GOLDEN_COUNTS: [u64; 6] = [0, 0, 1, 10, 82, 4853];

    #[test]
    fn a_stream_goes_on_where_it_rested() {
        let mut awake = stream(4);
        let mut resting = Resting::new(Key { seed: 42, block: 7, index: 4 }, Purpose::Walk);
        for round in 0..50 {
            let expected: Vec<u64> = (0..round % 5).map(|_| awake.bits()).collect();
            let found: Vec<u64> = resting.wake(|stream| (0..round % 5).map(|_| stream.bits()).collect());
            assert_eq!(found, expected, "{round}");
        }
        assert!(size_of::<Resting>() <= 40 && size_of::<Stream>() > 200);
    }

    #[test]
    fn uniform_numbers_are_inside_the_interval_and_even() {
        let mut stream = stream(3);
        let n = 100_000;
        let mut tenths = [0_u32; 10];
        for _ in 0..n {
            let u = stream.uniform();
            assert!(u > 0.0 && u < 1.0);
            tenths[(u * 10.0) as usize] += 1;
        }
        // Five standard deviations of a binomial count.
        assert!(tenths.iter().all(|count| (f64::from(*count) - 10_000.0).abs() < 5.0 * 95.0), "{tenths:?}");
        assert!((0..1000).all(|_| stream.below(3) < 3) && stream.below(0) == 0);
    }

    #[test]
    fn poisson_counts_have_the_mean_and_the_variance_of_the_law() {
        let mut stream = stream(4);
        for mean in [0.01, 0.7, 4.0, 16.0, 16.1, 250.0, 3000.0] {
            let n = 20_000;
            let counts: Vec<f64> = (0..n).map(|_| stream.poisson(mean) as f64).collect();
            let average = counts.iter().sum::<f64>() / f64::from(n);
            let variance = counts.iter().map(|x| (x - average).powi(2)).sum::<f64>() / f64::from(n - 1);
            let error = (mean / f64::from(n)).sqrt();
            assert!((average - mean).abs() < 5.0 * error, "{mean}: {average}");
            // The variance of the sample variance of a Poisson law is (mean + 2 mean^2)/n.
            let error = ((mean + 2.0 * mean * mean) / f64::from(n)).sqrt();
            assert!((variance - mean).abs() < 5.0 * error, "{mean}: {variance}");
        }
        assert_eq!(stream.poisson(0.0) + stream.poisson(-1.0), 0);
    }
}
