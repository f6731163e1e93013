//! When sessions start: a Poisson process whose rate follows the curve, drawn block by block.
//!
//! A block is one second of the run. Its count is a Poisson number whose mean is the integral of the rate over it,
//! and given the count, the starts are independent draws from the rate: sorted uniform numbers, sent through the
//! inverse of the cumulative rate. That is exact, needs no memory from block to block, and so any block of any run
//! can be drawn by itself, in any order and on any machine (statistics: conditional uniformity of Poisson processes;
//! the inverse on linear pieces: Klein & Roberts 1984).
//!
//! Where the profile is bursty, the rate of each block is multiplied by that second's factor of the modulator. Where
//! the number of sessions is given, the counts of all blocks are drawn together beforehand.

use shared::arrivals::{DAY_S, WeekCurve};

use super::busyness::Busyness;
use super::course::{Base, Course};
use super::modulator::Modulator;
use crate::clock::{SECOND_NS, from_s};
use crate::random::{Key, Purpose, Stream};

/// When sessions start.
#[derive(Debug, Clone)]
pub(crate) struct Arrivals {
    course: Course,
    curve: WeekCurve,
    modulator: Modulator,
    busyness: Busyness,
    /// Sessions of each block, where their sum is given.
    counts: Option<Vec<u32>>,
}

/// The block that begins `at_s` seconds into the run, as keys name it; those before the start are negative.
pub(crate) fn block_name(at_s: i64) -> u64 {
    at_s as u64
}

impl Arrivals {
    /// The process that follows `curve` along `course`.
    pub(crate) fn new(course: Course, curve: WeekCurve, modulator: Modulator, busyness: Busyness) -> Self {
        Self { course, curve, modulator, busyness, counts: None }
    }

    /// The same process, given that the number of sessions is the expected one, rounded.
    ///
    /// Given their number, the starts of a Poisson process are independent draws from its rate (conditional
    /// uniformity); here it is drawn for each which block it falls into.
    pub(crate) fn with_exact_count(mut self) -> Self {
        let blocks = self.course.duration_s.ceil() as i64;
        let mut cumulative = Vec::new();
        let (mut sum, mut expected) = (0.0, 0.0);
        for block in 0..blocks {
            let of_block = self.expected_in(block);
            expected += of_block;
            sum += of_block * self.modulator.factor(block);
            cumulative.push(sum);
        }
        let key = Key { seed: self.course.seed, block: 0, index: 0 };
        let mut stream = Stream::new(key, Purpose::Counts);
        let mut counts = vec![0; cumulative.len()];
        for _ in 0..expected.round() as u64 {
            let area = stream.uniform() * sum;
            counts[cumulative.partition_point(|sum| *sum <= area).min(cumulative.len() - 1)] += 1;
        }
        self.counts = Some(counts);
        self
    }

    /// Starts in the block that begins `block` seconds into the run, in nanoseconds after that, ascending.
    pub(crate) fn block(&self, block: i64) -> Vec<u64> {
        let pieces = self.pieces(block);
        let key = Key { seed: self.course.seed, block: block_name(block), index: 0 };
        let mut stream = Stream::new(key, Purpose::Arrivals);
        let given = usize::try_from(block).ok().and_then(|at| self.counts.as_ref()?.get(at));
        let (area, count) = match given {
            Some(count) => (self.expected_in(block), u64::from(*count)),
            None => {
                let area = pieces.iter().map(|piece| piece.area).sum();
                (area, stream.poisson(self.modulated(area, block)))
            }
        };
        let mut areas: Vec<f64> = (0..count).map(|_| stream.uniform() * area).collect();
        areas.sort_by(f64::total_cmp);
        areas.into_iter().map(|area| from_s(invert(&pieces, area)).min(SECOND_NS - 1)).collect()
    }

    /// Sessions expected in `block`, as far as it lies before the run's end; the mean over all that the modulator can do.
    pub(crate) fn expected_in(&self, block: i64) -> f64 {
        self.area_within(block, self.course.duration_s - block as f64)
    }

    /// Sessions expected in `block` before `into_s` seconds of it have passed, given what the modulator does; were there
    /// no end to the run.
    pub(crate) fn expected_within(&self, block: i64, into_s: f64) -> f64 {
        self.modulated(self.area_within(block, into_s), block)
    }

    fn area_within(&self, block: i64, into_s: f64) -> f64 {
        let before = |piece: &Piece| piece.area_to((into_s - piece.at_s).clamp(0.0, piece.width_s));
        self.pieces(block).iter().map(before).sum()
    }

    /// What the index of dispersion of counts in windows of this length exceeds 1 by, per session per second.
    pub(crate) fn excess_dispersion_s(&self, window_s: u32) -> f64 {
        self.modulator.excess_dispersion_s(window_s)
    }

    fn modulated(&self, area: f64, block: i64) -> f64 {
        if self.modulator.is_constant() { area } else { area * self.modulator.factor(block) }
    }

    /// The block cut at the curve's knots and at the seams of the envelope: inside, both are linear.
    fn pieces(&self, block: i64) -> Vec<Piece> {
        let course = &self.course;
        let start_s = block as f64;
        let mut cuts = vec![0.0];
        if let Base::Curve { from_s, speedup } = course.base {
            let spacing_s = self.curve.spacing_s();
            let (from_s, to_s) = (from_s + speedup * start_s, from_s + speedup * (start_s + 1.0));
            let mut knot = (from_s / spacing_s).floor() + 1.0;
            while knot * spacing_s < to_s {
                cuts.push((knot * spacing_s - from_s) / speedup);
                knot += 1.0;
            }
        }
        let seams = course.envelope.seams().map(|seam_s| seam_s - start_s);
        cuts.extend(seams.filter(|seam_s| *seam_s > 0.0 && *seam_s < 1.0));
        cuts.sort_by(f64::total_cmp);
        cuts.push(1.0);
        let ends = cuts.windows(2).filter(|ends| ends[1] > ends[0]);
        ends.map(|ends| {
            let rates = match course.base {
                Base::Level(level) => [course.scale * level; 2],
                Base::Curve { from_s, speedup } => {
                    let from_s = from_s + speedup * start_s;
                    // Midnight is a knot, so that a piece lies within one day.
                    let middle_s = from_s + speedup * 0.5 * (ends[0] + ends[1]);
                    let busy = self.busyness.of_day((middle_s / f64::from(DAY_S)).floor() as i64);
                    [ends[0], ends[1]]
                        .map(|at_s| course.scale * self.curve.rate_per_s(from_s + speedup * at_s) * busy)
                }
            };
            let factors = course.envelope.between(start_s + ends[0], start_s + ends[1]);
            Piece::new(ends[0], ends[1] - ends[0], rates, factors)
        })
        .collect()
    }
}

/// A stretch of a block on which curve and envelope are linear, so that their product is a parabola.
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
    use crate::plan::course::Envelope;
    use shared::arrivals::Burstiness;

    /// 24 knots a day: high, up to zero and back, so that slopes of both signs and flat parts occur.
    fn curve() -> WeekCurve {
        let knots = (0..168).map(|hour| f64::from([40, 80, 0, 0, 120, 60][hour % 6])).collect();
        WeekCurve::new(3600.0, knots).unwrap()
    }

    fn arrivals(seed: u64, speedup: f64, ramp_up_s: f64) -> Arrivals {
        let base = Base::Curve { from_s: 3000.0, speedup };
        let envelope = Envelope::even(60.0).ramped(ramp_up_s, 0.0).unwrap();
        of(Course { seed, base, duration_s: 60.0, scale: 0.7, envelope }, curve())
    }

    fn of(course: Course, curve: WeekCurve) -> Arrivals {
        Arrivals::new(course, curve, Modulator::new(0, None), Busyness::Fixed(1.0))
    }

    /// Starts in seconds of the run.
    fn starts_s(arrivals: &Arrivals, blocks: std::ops::Range<i64>) -> Vec<f64> {
        let starts = |block| {
            let of_block = arrivals.block(block).into_iter();
            of_block.map(move |start_ns| block as f64 + start_ns as f64 / 1e9)
        };
        blocks.flat_map(starts).collect()
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
                    0.7 * (t_s / ramp_up_s).min(1.0) * curve().rate_per_s(3000.0 + speedup * t_s)
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
        let mut before = vec![0.0];
        (0..60).for_each(|block| before.push(before[block as usize] + arrivals.expected_within(block, 1.0)));
        let rescale = |t_s: f64| {
            let block = t_s.floor();
            before[block as usize] + arrivals.expected_within(block as i64, t_s - block)
        };
        let rescaled: Vec<f64> = starts_s(arrivals, 0..60).into_iter().map(rescale).collect();
        let whole = before[60];
        let n = rescaled.len() as f64;
        let distance = |(i, x): (usize, &f64)| {
            let u = x / whole;
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
        let base = Base::Curve { from_s: 0.0, speedup: 1.0 };
        let envelope = Envelope::even(60.0);
        let arrivals = of(Course { seed: 9, base, duration_s: 60.0, scale: 1.0, envelope }, flat);
        let starts = starts_s(&arrivals, 0..100);
        let gaps: Vec<f64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
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
        for starts in forwards {
            assert!(starts.is_sorted() && starts.iter().all(|start| *start < SECOND_NS));
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

    #[test]
    fn an_exact_count_is_met_and_spread_as_the_rate_says() {
        for seed in 0..5 {
            let expected: f64 = (0..60).map(|block| arrivals(seed, 2000.0, 20.0).expected_in(block)).sum();
            let mut exact = arrivals(seed, 2000.0, 20.0).with_exact_count();
            let count = starts_s(&exact, 0..60).len();
            assert!((count as f64 - expected).abs() <= 0.5, "{count} {expected}");
            // The conditional law is that of the process without a given count.
            assert!(rescaled_distance(&exact) < 1.95);
            exact.course.duration_s = 10.25;
            let exact = exact.with_exact_count();
            let starts = starts_s(&exact, 0..11);
            assert!(starts.iter().all(|start_s| *start_s < 10.25));
        }
    }

    #[test]
    fn counts_are_as_dispersed_as_the_profile_is_bursty() {
        let (rate, variance, constant_s, tau_s, bins) = (5.0, 0.2, 10.0, 10.0, 6_000);
        let flat = WeekCurve::new(3600.0, vec![rate; 168]).unwrap();
        let base = Base::Level(rate);
        let duration_s = bins as f64 * tau_s;
        let course = Course { seed: 11, base, duration_s, scale: 1.0, envelope: Envelope::even(duration_s) };
        let burstiness = Burstiness { time_constants_s: vec![constant_s], variances: vec![variance] };
        let modulator = Modulator::new(11, Some(&burstiness));
        let arrivals = Arrivals::new(course, flat, modulator, Busyness::Fixed(1.0));
        let count =
            |bin: i64| -> usize { (10 * bin..10 * (bin + 1)).map(|block| arrivals.block(block).len()).sum() };
        let mean = rate * tau_s;
        let squares: f64 = (0..bins).map(|bin| (count(bin) as f64 - mean).powi(2)).sum();
        let found = squares / bins as f64 / mean;
        // phi(tau) = 1 + 2 lam v c [1 - (1 - exp(-tau/c)) c/tau].
        let kept = 1.0 - (1.0 - (-tau_s / constant_s).exp()) * constant_s / tau_s;
        let expected = 1.0 + 2.0 * rate * variance * constant_s * kept;
        // About 3,000 independent bins of a skew quantity: 4 % standard error.
        assert!((found / expected - 1.0).abs() < 0.16, "{found} {expected}");
    }
}
