//! When sessions start: a Poisson process whose rate follows the curve, drawn block by block.
//!
//! A block is one second of the run. Its count is a Poisson number whose mean is the integral of the rate over it,
//! and given the count, the starts are independent draws from the rate: sorted uniform numbers, sent through the
//! inverse of the cumulative rate. That is exact, needs no memory from block to block, and so any block of any run
//! can be drawn by itself, in any order and on any machine (statistics: conditional uniformity of Poisson processes;
//! the inverse on linear pieces: Klein & Roberts 1984).

use shared::arrivals::WeekCurve;

use super::course::Course;
use crate::clock::{SECOND_NS, from_s};
use crate::random::{Key, Purpose, Stream};

/// When sessions start.
#[derive(Debug, Clone)]
pub(crate) struct Arrivals {
    course: Course,
    curve: WeekCurve,
}

impl Arrivals {
    /// The process that follows `curve` along `course`.
    pub(crate) fn new(course: Course, curve: WeekCurve) -> Self {
        Self { course, curve }
    }

    /// Starts in `block`, in nanoseconds of run time, ascending.
    pub(crate) fn block(&self, block: u64) -> Vec<u64> {
        let pieces = self.pieces(block);
        let expected: f64 = pieces.iter().map(|piece| piece.area).sum();
        let mut stream = Stream::new(Key { seed: self.course.seed, block, index: 0 }, Purpose::Arrivals);
        let count = stream.poisson(expected);
        let mut areas: Vec<f64> = (0..count).map(|_| stream.uniform() * expected).collect();
        areas.sort_by(f64::total_cmp);
        let within = |area| from_s(invert(&pieces, area)).min(SECOND_NS - 1);
        areas.into_iter().map(|area| block * SECOND_NS + within(area)).collect()
    }

    /// Sessions expected in `block`, as far as it lies before the run's end.
    pub(crate) fn expected_in(&self, block: u64) -> f64 {
        self.expected_within(block, self.course.duration_s - block as f64)
    }

    /// Sessions expected in `block` before `into_s` seconds of it have passed, were there no end to the run.
    pub(crate) fn expected_within(&self, block: u64, into_s: f64) -> f64 {
        let before = |piece: &Piece| piece.area_to((into_s - piece.at_s).clamp(0.0, piece.width_s));
        self.pieces(block).iter().map(before).sum()
    }

    /// The block cut at the curve's knots and at the end of the ramp: inside, both curve and ramp are linear.
    fn pieces(&self, block: u64) -> Vec<Piece> {
        let Course { speedup, scale, ramp_up_s, .. } = self.course;
        let start_s = block as f64;
        let spacing_s = self.curve.spacing_s();
        let (from_s, to_s) = (self.course.week_s(start_s), self.course.week_s(start_s + 1.0));
        let mut cuts = vec![0.0];
        let mut knot = (from_s / spacing_s).floor() + 1.0;
        while knot * spacing_s < to_s {
            cuts.push((knot * spacing_s - from_s) / speedup);
            knot += 1.0;
        }
        let ramp_end_s = ramp_up_s - start_s;
        if ramp_end_s > 0.0 && ramp_end_s < 1.0 {
            cuts.push(ramp_end_s);
            cuts.sort_by(f64::total_cmp);
        }
        cuts.push(1.0);
        let ends = cuts.windows(2).filter(|ends| ends[1] > ends[0]);
        ends.map(|ends| {
            let rate = |at_s: f64| scale * self.curve.rate_per_s(from_s + speedup * at_s);
            let ramp = |at_s: f64| self.course.ramp(start_s + at_s);
            Piece::new(
                ends[0],
                ends[1] - ends[0],
                [rate(ends[0]), rate(ends[1])],
                [ramp(ends[0]), ramp(ends[1])],
            )
        })
        .collect()
    }
}

/// A stretch of a block on which curve and ramp are linear, so that their product is a parabola.
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// Seconds from the block's start.
    at_s: f64,
    width_s: f64,
    /// Rate `a + b x + c x^2` at `x` seconds into the piece.
    a: f64,
    b: f64,
    c: f64,
    /// Integral over the whole piece.
    area: f64,
}

impl Piece {
    fn new(at_s: f64, width_s: f64, rate: [f64; 2], ramp: [f64; 2]) -> Self {
        let (rate_slope, ramp_slope) = ((rate[1] - rate[0]) / width_s, (ramp[1] - ramp[0]) / width_s);
        let mut piece = Self {
            at_s,
            width_s,
            a: rate[0] * ramp[0],
            b: rate[0] * ramp_slope + rate_slope * ramp[0],
            c: rate_slope * ramp_slope,
            area: 0.0,
        };
        piece.area = piece.area_to(width_s);
        piece
    }

    /// Integral over the first `x` seconds; never negative, whatever the last digits do.
    fn area_to(&self, x: f64) -> f64 {
        (x * (self.a + x * (self.b / 2.0 + x * self.c / 3.0))).max(0.0)
    }

    /// Seconds into the piece at which the integral reaches `area`.
    ///
    /// Where the rate is linear, `2 E / (a + sqrt(a^2 + 2 b E))`: no cancellation, for any sign of the slope.
    /// Inside a ramp the integral is a cubic, which grows, and is bisected down to the last digit.
    fn invert(&self, area: f64) -> f64 {
        /// Halvings after which the interval is one unit in the last place.
        const HALVINGS: usize = 54;
        let linear = self.c.abs() * self.width_s * self.width_s <= f64::EPSILON * self.a.abs();
        if linear {
            let root = (self.a * self.a + 2.0 * self.b * area).max(0.0).sqrt();
            return (2.0 * area / (self.a + root)).clamp(0.0, self.width_s);
        }
        let (mut low, mut high) = (0.0, self.width_s);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            if self.area_to(middle) < area {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }
}

/// Seconds into the block at which the integral over `pieces` reaches `area`.
fn invert(pieces: &[Piece], mut area: f64) -> f64 {
    for piece in pieces {
        if area < piece.area {
            return piece.at_s + piece.invert(area);
        }
        area -= piece.area;
    }
    // Rounding of the sum left a last crumb behind the last piece that has any area.
    let last = pieces.iter().rev().find(|piece| piece.area > 0.0);
    last.map_or(1.0, |piece| piece.at_s + piece.width_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 24 knots a day: high, up to zero and back, so that slopes of both signs and flat parts occur.
    fn curve() -> WeekCurve {
        let knots = (0..168).map(|hour| f64::from([40, 80, 0, 0, 120, 60][hour % 6])).collect();
        WeekCurve::new(3600.0, knots).unwrap()
    }

    fn arrivals(seed: u64, speedup: f64, ramp_up_s: f64) -> Arrivals {
        let course = Course { seed, from_s: 3000.0, duration_s: 60.0, speedup, scale: 0.7, ramp_up_s };
        Arrivals::new(course, curve())
    }

    #[test]
    fn the_expectation_is_the_integral_of_ramp_times_curve() {
        for (speedup, ramp_up_s) in [(1.0, 0.0), (500.0, 0.0), (20_000.0, 2.5), (300.0, 40.0)] {
            let arrivals = arrivals(1, speedup, ramp_up_s);
            for block in [0, 1, 2, 7, 30] {
                let steps = 200_000;
                let width = 1.0 / f64::from(steps);
                let rate = |i: u32| {
                    let t_s = block as f64 + (f64::from(i) + 0.5) * width;
                    0.7 * arrivals.course.ramp(t_s) * curve().rate_per_s(3000.0 + speedup * t_s)
                };
                let curve_sum: f64 = (0..steps).step_by(20).map(rate).sum::<f64>() * width * 20.0;
                let expected = arrivals.expected_in(block);
                assert!((expected - curve_sum).abs() < 1e-3 * (1.0 + expected), "{speedup} {block}");
            }
        }
    }

    #[test]
    fn counts_stay_within_poisson_bounds_of_the_integral() {
        for (seed, speedup, ramp_up_s) in [(1, 1.0, 0.0), (2, 500.0, 10.0), (3, 2880.0, 0.0)] {
            let arrivals = arrivals(seed, speedup, ramp_up_s);
            let expected: f64 = (0..60).map(|block| arrivals.expected_in(block)).sum();
            let count = (0..60).map(|block| arrivals.block(block).len()).sum::<usize>() as f64;
            assert!((count - expected).abs() < 4.0 * expected.sqrt(), "{seed}: {count} of {expected}");
        }
    }

    /// Kolmogorov-Smirnov distance of time-rescaled starts from the unit-rate process, times the root of n.
    fn rescaled_distance(arrivals: &Arrivals) -> f64 {
        let mut before = 0.0;
        let mut rescaled = Vec::new();
        for block in 0..60 {
            let pieces = arrivals.pieces(block);
            for start_ns in arrivals.block(block) {
                let at_s = (start_ns - block * SECOND_NS) as f64 / 1e9;
                let area = |piece: &Piece| piece.area_to((at_s - piece.at_s).clamp(0.0, piece.width_s));
                rescaled.push(before + pieces.iter().map(area).sum::<f64>());
            }
            before += arrivals.expected_in(block);
        }
        let n = rescaled.len() as f64;
        let distance = |(i, x): (usize, &f64)| {
            let u = x / before;
            (u - i as f64 / n).abs().max(((i + 1) as f64 / n - u).abs())
        };
        rescaled.iter().enumerate().map(distance).fold(0.0, f64::max) * n.sqrt()
    }

    #[test]
    fn rescaled_starts_are_uniform_over_many_seeds() {
        for (speedup, ramp_up_s) in [(1.0, 0.0), (2000.0, 0.0), (300.0, 50.0)] {
            let distances = (0..200).map(|seed| rescaled_distance(&arrivals(seed, speedup, ramp_up_s)));
            // 1.358 is the 95 % point of Kolmogorov's law: of 200 runs, 10 exceed it in the mean, 23 almost never.
            let beyond = distances.filter(|distance| *distance > 1.358).count();
            assert!((1..23).contains(&beyond), "{beyond} of 200 beyond the 5 % point");
        }
    }

    #[test]
    fn gaps_of_a_flat_curve_are_exponential() {
        let flat = WeekCurve::new(3600.0, vec![100.0; 168]).unwrap();
        let course =
            Course { seed: 9, from_s: 0.0, duration_s: 60.0, speedup: 1.0, scale: 1.0, ramp_up_s: 0.0 };
        let arrivals = Arrivals::new(course, flat);
        let starts: Vec<u64> = (0..100).flat_map(|block| arrivals.block(block)).collect();
        let gaps: Vec<f64> = starts.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e9).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean - 0.01).abs() < 4e-4, "{mean}");
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.05, "{variance}");
    }

    #[test]
    fn a_block_is_the_same_whatever_was_drawn_before_it() {
        let arrivals = arrivals(5, 500.0, 10.0);
        let forwards: Vec<Vec<u64>> = (0..30).map(|block| arrivals.block(block)).collect();
        let backwards: Vec<Vec<u64>> = (0..30).rev().map(|block| arrivals.block(block)).collect();
        assert!(forwards.iter().eq(backwards.iter().rev()));
        for (block, starts) in forwards.iter().enumerate() {
            let second = block as u64 * SECOND_NS..(block as u64 + 1) * SECOND_NS;
            assert!(starts.is_sorted() && starts.iter().all(|start| second.contains(start)));
        }
    }

    #[test]
    fn the_end_cuts_the_last_block() {
        let mut arrivals = arrivals(1, 1.0, 0.0);
        arrivals.course.duration_s = 2.25;
        let whole = |block| arrivals.pieces(block).iter().map(|piece| piece.area).sum::<f64>();
        let shares = [0, 2, 3].map(|block| arrivals.expected_in(block) / whole(block));
        assert!((shares[0] - 1.0).abs() < 1e-9 && (shares[1] - 0.25).abs() < 1e-3 && shares[2] < 1e-9);
    }
}
