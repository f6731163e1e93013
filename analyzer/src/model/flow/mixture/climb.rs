//! Expectation-maximisation of a mixture of Markov chains (Cadez, Heckerman, Meek, Smyth & White 2003).
//!
//! Rows are maximum a posteriori with pseudo-counts that add up to half a visit, spread as the row of all sessions is:
//! nothing that was never seen becomes possible, and a class that never came to an endpoint has the row of all there.
//! Every step raises the penalised likelihood.

use rayon::prelude::*;

use super::MOST_CLASSES;
use super::pool::{Pattern, Pool};
use crate::model::seed::{hash, uniform};

/// Pseudo-count of a row, in visits.
const PRIOR: f64 = 0.5;
/// A class this far behind in log-likelihood has no share in a session: e^-40 is below the last digit.
const HOPELESS: f64 = -40.0;
/// Expected times from which on a class does something.
const DONE: f64 = 0.5;

/// Patterns that one thread takes at a time.
const PART: usize = 1024;

/// One number per class; those beyond the last class are not looked at. The inner loops go over two,
/// four, six or all lanes, as many as there are classes, which the compiler knows: processors then take several at once.
pub(super) type Lanes = [f64; MOST_CLASSES];

/// The parameters, as logarithms, because every step of every session adds them up.
#[derive(Debug, Clone)]
pub(super) struct Chains {
    pub(super) classes: usize,
    weight: Lanes,
    start: Vec<Lanes>,
    step: Vec<Lanes>,
    /// What the pseudo-counts add to the log-likelihood.
    prior: f64,
}

/// Expected counts, in sessions of the sample.
struct Expected {
    weight: Lanes,
    start: Vec<Lanes>,
    step: Vec<Lanes>,
}

impl Expected {
    fn add(&mut self, other: &Self) {
        let tables = [(&mut self.start, &other.start), (&mut self.step, &other.step)];
        for (ours, theirs) in tables {
            ours.iter_mut().zip(theirs).for_each(|(ours, theirs)| add::<MOST_CLASSES>(ours, theirs));
        }
        add::<MOST_CLASSES>(&mut self.weight, &other.weight);
    }
}

fn add<const WIDTH: usize>(ours: &mut Lanes, theirs: &Lanes) {
    (0..WIDTH).for_each(|lane| ours[lane] += theirs[lane]);
}

impl Chains {
    /// Chains over the transitions of `pool`, drawn around the chain of all by numbers that `seed` determines.
    pub(super) fn drawn(pool: &Pool, classes: usize, seed: u64) -> Self {
        // Exponential factors on the shares: a Dirichlet draw of each row.
        let factor = |place: usize, lane: usize| -uniform(hash([seed, place as u64, lane as u64])).ln();
        let draw = |shares: &[f64], from: usize| -> Vec<Lanes> {
            let at = |(place, share): (usize, &f64)| {
                std::array::from_fn(|lane| share * factor(from + place, lane))
            };
            shares.iter().enumerate().map(at).collect()
        };
        let expected = Expected {
            weight: [1.0; MOST_CLASSES],
            start: draw(&pool.starts, 0),
            step: draw(&pool.cells, pool.starts.len()),
        };
        Self::fitted(pool, classes, &expected)
    }

    /// The parameters that make `expected` most probable.
    fn fitted(pool: &Pool, classes: usize, expected: &Expected) -> Self {
        let mut prior = 0.0;
        let mut logarithms = |counts: &[Lanes], shares: &[f64], into: &mut Vec<Lanes>| {
            let mut total = [PRIOR; MOST_CLASSES];
            for count in counts {
                (0..MOST_CLASSES).for_each(|lane| total[lane] += count[lane]);
            }
            for (count, share) in counts.iter().zip(shares) {
                let mut row = [0.0; MOST_CLASSES];
                for lane in 0..classes {
                    row[lane] = ((count[lane] + PRIOR * share) / total[lane]).ln();
                    prior += PRIOR * share * row[lane];
                }
                into.push(row);
            }
        };
        let (mut start, mut step) = (Vec::new(), Vec::with_capacity(expected.step.len()));
        logarithms(&expected.start, &pool.starts, &mut start);
        for row in &pool.rows {
            logarithms(&expected.step[row.clone()], &pool.cells[row.clone()], &mut step);
        }
        let all: f64 = expected.weight[..classes].iter().sum();
        let weight = expected.weight.map(|weight| (weight / all).max(f64::MIN_POSITIVE).ln());
        Self { classes, weight, start, step, prior }
    }

    /// The share that each class has in the sessions of `pattern`, and the log-likelihood of one of them.
    pub(super) fn share(&self, pool: &Pool, pattern: &Pattern) -> (Lanes, f64) {
        self.share_of::<MOST_CLASSES>(pool, pattern)
    }

    #[inline]
    fn share_of<const WIDTH: usize>(&self, pool: &Pool, pattern: &Pattern) -> (Lanes, f64) {
        let mut share = self.weight;
        if let Some(start) = pattern.start {
            add::<WIDTH>(&mut share, &self.start[start]);
        }
        for (cell, count) in &pool.steps[pattern.steps.clone()] {
            let step = &self.step[*cell as usize];
            (0..WIDTH).for_each(|lane| share[lane] += count * step[lane]);
        }
        let most = share[..self.classes].iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for (lane, share) in share.iter_mut().enumerate() {
            *share = if lane < self.classes { *share - most } else { f64::NEG_INFINITY };
        }
        share = exponentials::<WIDTH>(share);
        let all: f64 = share.iter().sum();
        share.iter_mut().for_each(|share| *share /= all);
        (share, most + all.ln())
    }

    /// One step of expectation-maximisation: the next parameters, and the log-likelihood of these.
    fn step(&self, pool: &Pool, patterns: &[Pattern]) -> (Self, f64) {
        let (expected, log_likelihood) = self.expected(pool, patterns);
        (Self::fitted(pool, self.classes, &expected), log_likelihood)
    }

    /// What the classes are expected to have done, and the log-likelihood.
    ///
    /// Parts of a fixed length are added up in order, so that the digits do not depend on the number of threads.
    fn expected(&self, pool: &Pool, patterns: &[Pattern]) -> (Expected, f64) {
        let part = |patterns: &[Pattern]| self.expected_of(pool, patterns);
        let parts: Vec<(Expected, f64)> = patterns.par_chunks(PART).map(part).collect();
        let mut parts = parts.into_iter();
        let (mut expected, mut log_likelihood) = parts.next().unwrap_or_else(|| self.expected_of(pool, &[]));
        for (other, likelihood) in parts {
            expected.add(&other);
            log_likelihood += likelihood;
        }
        (expected, log_likelihood)
    }

    fn expected_of(&self, pool: &Pool, patterns: &[Pattern]) -> (Expected, f64) {
        match self.classes {
            ..=2 => self.expected_in::<2>(pool, patterns),
            3..=4 => self.expected_in::<4>(pool, patterns),
            5..=6 => self.expected_in::<6>(pool, patterns),
            _ => self.expected_in::<MOST_CLASSES>(pool, patterns),
        }
    }

    fn expected_in<const WIDTH: usize>(&self, pool: &Pool, patterns: &[Pattern]) -> (Expected, f64) {
        let mut expected = Expected {
            weight: [0.0; MOST_CLASSES],
            start: vec![[0.0; MOST_CLASSES]; self.start.len()],
            step: vec![[0.0; MOST_CLASSES]; self.step.len()],
        };
        let mut log_likelihood = 0.0;
        for pattern in patterns {
            let (share, each) = self.share_of::<WIDTH>(pool, pattern);
            log_likelihood += pattern.sessions * each;
            let sessions = share.map(|share| share * pattern.sessions);
            add::<WIDTH>(&mut expected.weight, &sessions);
            if let Some(start) = pattern.start {
                add::<WIDTH>(&mut expected.start[start], &sessions);
            }
            for (cell, count) in &pool.steps[pattern.steps.clone()] {
                let step = &mut expected.step[*cell as usize];
                (0..WIDTH).for_each(|lane| step[lane] += count * sessions[lane]);
            }
        }
        (expected, log_likelihood)
    }

    /// How many probabilities can be chosen freely: of each class only those of what it did. What a class never does
    /// is no parameter of it, so classes that have little in common do not pay for each other's transitions.
    pub(super) fn parameters(&self, pool: &Pool) -> usize {
        let (expected, _) = self.expected(pool, &pool.patterns);
        let free = |counts: &[Lanes], class: usize| {
            counts.iter().filter(|count| count[class] >= DONE).count().saturating_sub(1)
        };
        let of_class = |class: usize| {
            let rows = pool.rows.iter().map(|row| free(&expected.step[row.clone()], class));
            free(&expected.start, class) + rows.sum::<usize>()
        };
        (0..self.classes).map(of_class).sum::<usize>() + self.classes - 1
    }

    /// Climbs until a step gains less than `gain` of the penalised log-likelihood, at most `most_steps` steps.
    pub(super) fn climb(self, pool: &Pool, patterns: &[Pattern], gain: f64, most_steps: usize) -> Climbed {
        let mut chains = self;
        let mut reached: Option<f64> = None;
        for _ in 0..most_steps {
            let (next, log_likelihood) = chains.step(pool, patterns);
            let height = log_likelihood + chains.prior;
            if reached.is_some_and(|before| height - before <= gain * height.abs()) {
                return Climbed { chains, log_likelihood, height };
            }
            reached = Some(height);
            chains = next;
        }
        let log_likelihood = chains.log_likelihood(pool, patterns);
        let height = log_likelihood + chains.prior;
        Climbed { chains, log_likelihood, height }
    }

    fn log_likelihood(&self, pool: &Pool, patterns: &[Pattern]) -> f64 {
        patterns.iter().map(|pattern| pattern.sessions * self.share(pool, pattern).1).sum()
    }

    /// The same without class `gone`, whose sessions the others share.
    pub(super) fn without(mut self, gone: usize) -> Self {
        let drop = |lanes: &mut Lanes| lanes.copy_within(gone + 1.., gone);
        drop(&mut self.weight);
        self.start.iter_mut().chain(&mut self.step).for_each(drop);
        self.classes -= 1;
        self
    }
}

/// e to each of the first `WIDTH` of `powers`, none of them above 0; 0 below [`HOPELESS`], and in the other lanes.
///
/// Written so that the lanes are computed side by side, a fifth of the time of one call after the other, and with the
/// same digits on every machine: e^x = 2^n e^r with |r| <= ln 2 / 2, of which Taylor's series has twelve terms left of
/// interest. Relative error below 1e-14.
fn exponentials<const WIDTH: usize>(powers: Lanes) -> Lanes {
    /// Adding it leaves the nearest whole number in the last bits of a double.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    /// ln 2 in two parts: the first has zeros at its end, so that a small multiple of it is exact.
    const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
    /// 1/12! to 1/1!
    const TAYLOR: [f64; 12] = [
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        1.0 / 2.0,
        1.0,
    ];
    let mut all = [0.0; MOST_CLASSES];
    // A loop, because a closure per lane is not always inlined, and then no two lanes are computed at once.
    for lane in 0..WIDTH {
        let power = powers[lane];
        let within = if power > HOPELESS { power } else { HOPELESS };
        let rounded = within * std::f64::consts::LOG2_E + ROUND;
        let twos = rounded - ROUND;
        let rest = within - twos * LN_2[0] - twos * LN_2[1];
        let series = TAYLOR.iter().fold(0.0, |sum, term| sum * rest + term) * rest + 1.0;
        // The exponent's bits of a double, 1023 for 2^0.
        let scale = f64::from_bits((rounded.to_bits() << 52).wrapping_add(1023 << 52));
        all[lane] = if power > HOPELESS { series * scale } else { 0.0 };
    }
    all
}

/// Where a climb ended.
#[derive(Debug)]
pub(super) struct Climbed {
    pub(super) chains: Chains,
    /// Of the sessions, natural logarithm.
    pub(super) log_likelihood: f64,
    /// With what the pseudo-counts add: what is climbed.
    pub(super) height: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_those_of_the_library() {
        for at in 0..40_000 {
            let power = -f64::from(at) * 1e-3;
            for (found, power) in
                exponentials::<MOST_CLASSES>([power; MOST_CLASSES]).into_iter().zip([power; MOST_CLASSES])
            {
                let expected = power.exp();
                assert!((found / expected - 1.0).abs() < 1e-14, "{power}: {found:e}, expected {expected:e}");
            }
        }
        let edges = [0.0, -40.0, -41.0, -1e9, f64::NEG_INFINITY, -1.0, -39.999, -1e-300];
        let found = exponentials::<MOST_CLASSES>(edges);
        assert_eq!([found[0], found[7]].map(f64::to_bits), [1.0_f64; 2].map(f64::to_bits));
        assert!(found[1..5].iter().all(|share| share.to_bits() == 0), "{found:?}");
        let few = exponentials::<2>(edges);
        assert_eq!(few.map(f64::to_bits), [found[0].to_bits(), found[1].to_bits(), 0, 0, 0, 0, 0, 0]);
    }
}
