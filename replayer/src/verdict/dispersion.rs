//! How bursty were starts, at several time scales? The index of dispersion is the variance of the number of starts per
//! window over its mean: 1 for a Poisson process, 0 for a metronome, more for bursts. What was sent is compared with
//! what was planned, start by start, so that a plan that is bursty itself is no fault.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Finding, Level};

/// Cells of a second: the finest window is 10 ms.
const CELLS: usize = 100;

/// Windows in cells: 10 ms, 100 ms, 1 s, 10 s.
const SCALES: [usize; 4] = [1, 10, 100, 1000];

/// Goal G5: this share of the plan's index, where chance leaves no more.
const TOLERANCE: f64 = 0.10;

/// Beyond so many tolerances, it is another load.
const INVALID: f64 = 5.0;

/// The 99.5 % point of the normal law: a band of 99 % has it on both sides.
const Z: f64 = 2.576;

/// The index of dispersion of starts at one time scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Dispersion {
    /// Length of a window.
    pub window_s: f64,
    /// Number of windows.
    pub windows: u64,
    /// The plan's index.
    pub planned: f64,
    /// The index of what was sent.
    pub sent: f64,
    /// How far the two may lie apart: 10 % of the plan's, or the 99 % band of a Poisson process if that is wider.
    pub tolerance: f64,
}

impl Dispersion {
    /// What is wrong with it.
    pub(super) fn finding(&self) -> Option<Finding> {
        let level = match (self.sent - self.planned).abs() / self.tolerance {
            off if off > INVALID => Level::Invalid,
            off if off > 1.0 => Level::Degraded,
            _ => Level::Valid,
        };
        Finding::of_generator(level, || {
            let Self { window_s, planned, sent, .. } = self;
            format!(
                "starts were distributed unevenly: index of dispersion {sent:.2} at {window_s} s, planned {planned:.2}"
            )
        })
    }
}

/// Squared differences from the expectation at all scales, second by second.
#[derive(Debug, Clone, Default)]
pub(super) struct Counter {
    scales: [Scale; SCALES.len()],
}

#[derive(Debug, Clone, Copy, Default)]
struct Scale {
    /// The window that is being filled: cells so far, planned, sent, expected.
    cells: usize,
    counts: [f64; 2],
    expected: f64,
    windows: u64,
    squares: [f64; 2],
    expected_sum: f64,
}

impl Counter {
    /// Adds a second: moments of planned and of sent starts as shares of it, and the `expected` number.
    pub(super) fn second(&mut self, planned: &[f64], sent: &[f64], expected: f64) {
        let mut cells = [[0.0; 2]; CELLS];
        for (side, moments) in [planned, sent].into_iter().enumerate() {
            for moment in moments {
                cells[((moment * CELLS as f64) as usize).min(CELLS - 1)][side] += 1.0;
            }
        }
        for (scale, length) in self.scales.iter_mut().zip(SCALES) {
            cells.iter().for_each(|counts| scale.cell(*counts, expected / CELLS as f64, length));
        }
    }

    /// The indices; only at scales of which there are windows enough for a variance.
    pub(super) fn indices(&self) -> Vec<Dispersion> {
        /// A variance of fewer numbers is worth nothing.
        const FEWEST_WINDOWS: u64 = 10;
        let enough =
            |(scale, _): &(&Scale, usize)| scale.windows >= FEWEST_WINDOWS && scale.expected_sum > 0.0;
        let index = |(scale, length): (&Scale, usize)| {
            let windows = scale.windows as f64;
            let [planned, sent] = scale.squares.map(|squares| squares / scale.expected_sum);
            // Of a Poisson process of mean m, the index has the variance (2 + 1/m)/B over B windows.
            let band = Z * ((2.0 + windows / scale.expected_sum) / windows).sqrt();
            Dispersion {
                window_s: length as f64 / CELLS as f64,
                windows: scale.windows,
                planned,
                sent,
                tolerance: band.max(TOLERANCE * planned),
            }
        };
        self.scales.iter().zip(SCALES).filter(enough).map(index).collect()
    }
}

impl Scale {
    fn cell(&mut self, counts: [f64; 2], expected: f64, length: usize) {
        self.cells += 1;
        self.expected += expected;
        self.counts.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        if self.cells == length {
            for (squares, count) in self.squares.iter_mut().zip(self.counts) {
                *squares += (count - self.expected).powi(2);
            }
            self.expected_sum += self.expected;
            self.windows += 1;
            (self.cells, self.counts, self.expected) = (0, [0.0; 2], 0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Purpose, Stream};

    /// Indices of a Poisson process of 50/s over a minute, whose starts were sent as `sent` says of the planned moment.
    fn indices(sent: impl Fn(f64) -> f64) -> Vec<Dispersion> {
        let mut stream = Stream::new(Key { seed: 1, block: 2, index: 3 }, Purpose::Arrivals);
        let mut counter = Counter::default();
        for _ in 0..60 {
            let planned: Vec<f64> = (0..stream.poisson(50.0)).map(|_| stream.uniform()).collect();
            counter.second(&planned, &planned.iter().map(|moment| sent(*moment)).collect::<Vec<_>>(), 50.0);
        }
        counter.indices()
    }

    #[test]
    fn a_poisson_process_has_the_index_one_and_a_second_s_grain_shows_below_it() {
        let kept = indices(|moment| moment);
        assert_eq!(kept.iter().map(|index| index.windows).collect::<Vec<_>>(), [6000, 600, 60]);
        assert!(
            kept.iter().all(|index| (index.planned - 1.0).abs() < 0.6 && index.finding().is_none()),
            "{kept:?}"
        );
        let floored = indices(|_| 0.0);
        let levels: Vec<_> =
            floored.iter().map(|index| index.finding().map(|finding| finding.level)).collect();
        assert_eq!(levels, [Some(Level::Invalid), Some(Level::Invalid), None], "{floored:?}");
        // All of a second in one of its hundred cells: about 50 times the index.
        assert!((floored[0].sent - 50.0).abs() < 5.0, "{floored:?}");
    }
}
