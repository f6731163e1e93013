//! The rate of session starts over the civil week, as a piecewise-linear curve.
//!
//! Counts in bins of five minutes are Poisson with mean exposure × rate; knots and the levels of days are fitted by
//! [`em`], in turns. How fine the curve is depends on how much traffic there is: a knot should stand on a hundred
//! sessions. Monday to Friday have one shape and the weekend another, unless the days are unlike ([`super::alike`]);
//! where there is too little for two shapes, all days have one.

use shared::arrivals::WeekCurve;
use shared::units::Weekday;

use super::alike;
use super::exposure::BINS_PER_WEEK;
use crate::model::em::{self, Row};
use crate::tally::ARRIVAL_BIN_S;

/// Sessions that a knot, and the level of a day, should stand on.
const SESSIONS_PER_KNOT: f64 = 100.0;
/// The widest that knots are spaced, however few sessions there are.
const WIDEST_S: i64 = 21_600;
const DAY_S: i64 = 86_400;
const BINS_PER_DAY: usize = BINS_PER_WEEK / 7;
/// Turns of levels and knots: they hardly depend on each other.
const TURNS: usize = 4;
/// Share of a day's bins that must be covered before it has a level of its own.
const WHOLE: f64 = 0.9;

/// Which days have one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Each day its own.
    None,
    /// Monday to Friday one, Saturday and Sunday another; each day its own level.
    Weekdays,
    /// All days one.
    All,
}

impl Sharing {
    /// The shape of each day, by number.
    fn shapes(self) -> [usize; 7] {
        match self {
            Self::None => [0, 1, 2, 3, 4, 5, 6],
            Self::Weekdays => [0, 0, 0, 0, 0, 1, 1],
            Self::All => [0; 7],
        }
    }
}

/// The curve: shapes, and how busy each day is.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Seconds from knot to knot.
    pub knots_every_s: u32,
    /// Which days have one shape.
    pub sharing: Sharing,
    /// Sessions per second at each knot of each shape, before levels.
    pub shapes: Vec<Vec<f64>>,
    /// How busy each day is, Monday first; the days of one shape have a mean of 1.
    pub levels: [f64; 7],
    /// Seconds that each knot stands on, as `shapes`: what rates are multiplied by to give expected sessions.
    pub weights_s: Vec<Vec<f64>>,
}

impl Curve {
    /// Sessions per second at each knot of `day`.
    pub fn day(&self, day: Weekday) -> Vec<f64> {
        let shape = &self.shapes[self.sharing.shapes()[day.index()]];
        shape.iter().map(|rate| rate * self.levels[day.index()]).collect()
    }

    /// The days that have shape number `shape`.
    pub fn days_of(&self, shape: usize) -> impl Iterator<Item = Weekday> {
        let shapes = self.sharing.shapes();
        Weekday::ALL.into_iter().filter(move |day| shapes[day.index()] == shape)
    }

    /// The curve through all knots of the week.
    pub fn week(&self) -> WeekCurve {
        let knots = Weekday::ALL.into_iter().flat_map(|day| self.day(day)).collect();
        WeekCurve::new(f64::from(self.knots_every_s), knots)
            .expect("seven days of finite knots fill the week")
    }

    /// The same sharing and spacing for other counts, which should not be far from what the curve expects.
    pub fn refit(&self, counts: &[f64], exposure_s: &[f64]) -> Self {
        let mut curve = self.clone();
        curve.take_turns(counts, exposure_s);
        curve
    }

    fn columns(&self) -> usize {
        self.shapes.iter().map(Vec::len).sum()
    }

    /// Columns of the two knots next to a bin, the share of the second, and the day whose level it has: over
    /// midnight the curve goes to the first knot of the next day.
    fn sides(&self, bin: usize) -> [(usize, usize, f64); 2] {
        let per_day = self.shapes[0].len();
        let bins_per_knot = BINS_PER_DAY / per_day;
        let knot = bin / bins_per_knot;
        // The mean of a straight line over a bin is its middle.
        let share = ((bin % bins_per_knot) as f64 + 0.5) / bins_per_knot as f64;
        let shapes = self.sharing.shapes();
        let side = |knot: usize, share: f64| {
            let day = knot / per_day % 7;
            (shapes[day] * per_day + knot % per_day, day, share)
        };
        [side(knot, 1.0 - share), side(knot + 1, share)]
    }

    /// Fits levels and knots in turns, from what they are; knots are last, so that the total is kept.
    fn take_turns(&mut self, counts: &[f64], exposure_s: &[f64]) {
        let free = free_levels(counts, exposure_s);
        let bins: Vec<usize> = (0..BINS_PER_WEEK).filter(|bin| exposure_s[*bin] > 0.0).collect();
        let found: Vec<f64> = bins.iter().map(|bin| counts[*bin]).collect();
        let turns = if self.sharing == Sharing::None { 1 } else { TURNS };
        let mut knots: Vec<f64> = self.shapes.concat();
        let mut rows: Vec<Row> = Vec::new();
        for _ in 0..turns {
            if self.sharing != Sharing::None {
                let of_days: Vec<Row> = bins
                    .iter()
                    .map(|bin| {
                        self.sides(*bin).map(|(at, day, share)| (day, exposure_s[*bin] * share * knots[at]))
                    })
                    .collect();
                let mut levels = self.levels;
                em::improve(&of_days, &found, &mut levels);
                self.set_levels(&levels, free);
            }
            rows.clear();
            rows.extend(bins.iter().map(|bin| {
                self.sides(*bin).map(|(at, day, share)| (at, exposure_s[*bin] * share * self.levels[day]))
            }));
            em::improve(&rows, &found, &mut knots);
        }
        let per_day = self.shapes[0].len();
        let weights_s = em::weights(&rows, knots.len());
        self.shapes = knots.chunks(per_day).map(<[f64]>::to_vec).collect();
        self.weights_s = weights_s.chunks(per_day).map(<[f64]>::to_vec).collect();
        self.fill_unseen();
    }

    /// Takes over the levels of days that have one of their own, so that each shape's have a mean of 1.
    fn set_levels(&mut self, levels: &[f64; 7], free: [bool; 7]) {
        for shape in 0..self.shapes.len() {
            let days: Vec<usize> = self.days_of(shape).map(Weekday::index).filter(|day| free[*day]).collect();
            let mean = days.iter().map(|day| levels[*day]).sum::<f64>() / days.len().max(1) as f64;
            if mean > 0.0 {
                days.iter().for_each(|day| self.levels[*day] = levels[*day] / mean);
            }
        }
    }

    /// Knots that no bin reaches get the mean rate of all that are reached: nothing is known of them.
    fn fill_unseen(&mut self) {
        let reached = || self.shapes.iter().flatten().zip(self.weights_s.iter().flatten());
        let (sum, weight) =
            reached().fold((0.0, 0.0), |(sum, all), (rate, weight)| (sum + rate * weight, all + weight));
        if weight > 0.0 {
            let knots = self.shapes.iter_mut().flatten().zip(self.weights_s.iter().flatten());
            knots.filter(|(_, weight)| **weight <= 0.0).for_each(|(rate, _)| *rate = sum / weight);
        }
    }
}

/// Fits the curve to session starts by bin of the civil week.
///
/// `counts` and `exposure_s` have one entry per bin of five minutes from Monday 00:00; a count may stand for several
/// weeks, or be a fraction. `dispersion` is the variance of counts per hour over their mean, 1 for Poisson counts:
/// it says how far days may differ by chance. Without any count all rates are 0.
///
/// The expected sessions under the curve, `Σ exposure × rate`, are exactly as many as were counted.
pub fn fit(counts: &[f64], exposure_s: &[f64], dispersion: f64) -> Curve {
    let (sharing, knots_every_s) = resolution(counts, exposure_s, dispersion);
    let per_day = (DAY_S / knots_every_s) as usize;
    let shapes = sharing.shapes()[6] + 1;
    let exposed: f64 = exposure_s.iter().sum();
    let total: f64 =
        counts.iter().zip(exposure_s).filter(|(_, seconds)| **seconds > 0.0).map(|(n, _)| n).sum();
    let mean = if exposed > 0.0 { total / exposed } else { 0.0 };
    let mut curve = Curve {
        knots_every_s: knots_every_s as u32,
        sharing,
        shapes: vec![vec![mean; per_day]; shapes],
        levels: [1.0; 7],
        weights_s: vec![vec![0.0; per_day]; shapes],
    };
    debug_assert_eq!(curve.columns(), shapes * per_day);
    curve.take_turns(counts, exposure_s);
    curve
}

/// The finest curve of which every knot stands on enough sessions.
fn resolution(counts: &[f64], exposure_s: &[f64], dispersion: f64) -> (Sharing, i64) {
    let total: f64 = counts.iter().sum();
    let seen = exposure_s.iter().filter(|seconds| **seconds > 0.0).count() as f64;
    let days_seen = (seen / BINS_PER_DAY as f64).max(1.0 / BINS_PER_DAY as f64);
    let enough = |days: f64, every_s: i64| total / (days * (DAY_S / every_s) as f64) >= SESSIONS_PER_KNOT;
    // A week with days that the log does not hold cannot have shapes of its own for them.
    if days_seen > 0.99 * 7.0 {
        let unlike = !alike::shapes_shared(counts, exposure_s, dispersion);
        let candidates = [(Sharing::None, 7.0, unlike), (Sharing::Weekdays, 2.0, true)];
        for (sharing, days, _) in candidates.into_iter().filter(|(_, _, wanted)| *wanted) {
            if let Some(every_s) = [1800, 3600].into_iter().find(|every_s| enough(days, *every_s)) {
                return (sharing, every_s);
            }
        }
    }
    let ladder = [1800, 3600, 7200, 14_400, WIDEST_S];
    (
        Sharing::All,
        ladder.into_iter().find(|every_s| enough(days_seen.min(1.0), *every_s)).unwrap_or(WIDEST_S),
    )
}

/// Days that can have a level of their own: covered almost whole, with enough sessions.
fn free_levels(counts: &[f64], exposure_s: &[f64]) -> [bool; 7] {
    std::array::from_fn(|day| {
        let bins = day * BINS_PER_DAY..(day + 1) * BINS_PER_DAY;
        let seen = exposure_s[bins.clone()].iter().filter(|seconds| **seconds > 0.0).count();
        let sessions: f64 = counts[bins].iter().sum();
        seen as f64 >= WHOLE * BINS_PER_DAY as f64 && sessions >= SESSIONS_PER_KNOT
    })
}

/// Expected sessions of each bin: exposure × the curve's mean rate in the bin.
pub fn expected(curve: &WeekCurve, exposure_s: &[f64]) -> Vec<f64> {
    let middle_s = |bin: usize| (bin as f64 + 0.5) * ARRIVAL_BIN_S as f64;
    exposure_s.iter().enumerate().map(|(bin, seconds)| seconds * curve.rate_per_s(middle_s(bin))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts without chance of `weeks` weeks at a rate per second by bin.
    fn counts(weeks: f64, rate: impl Fn(usize) -> f64) -> (Vec<f64>, Vec<f64>) {
        let exposure_s = vec![weeks * ARRIVAL_BIN_S as f64; BINS_PER_WEEK];
        ((0..BINS_PER_WEEK).map(|bin| rate(bin) * exposure_s[bin]).collect(), exposure_s)
    }

    fn daily(bin: usize) -> f64 {
        0.1 + 0.05 * (2.0 * std::f64::consts::PI * bin as f64 / BINS_PER_DAY as f64).sin()
    }

    #[track_caller]
    fn check(sessions: f64, seen: f64, expected: (Sharing, i64)) {
        let mut exposure_s = vec![300.0; BINS_PER_WEEK];
        let last = (seen * BINS_PER_WEEK as f64) as usize;
        exposure_s[last..].fill(0.0);
        let counts: Vec<f64> = exposure_s.iter().map(|s| sessions * s / (300.0 * last as f64)).collect();
        assert_eq!(resolution(&counts, &exposure_s, 1.0), expected);
    }

    #[test]
    fn a_knot_stands_on_a_hundred_sessions() {
        check(20_000.0, 1.0, (Sharing::Weekdays, 1800));
        check(5_000.0, 1.0, (Sharing::Weekdays, 3600));
        check(4_700.0, 1.0, (Sharing::All, 3600));
        check(20_000.0, 0.5, (Sharing::All, 1800));
        check(10.0, 0.5, (Sharing::All, WIDEST_S));
    }

    #[test]
    fn a_known_curve_comes_back_with_the_levels_of_days() {
        let shape = (0..48).map(|knot| daily(knot * 6)).collect::<Vec<f64>>();
        let truth = Curve {
            knots_every_s: 1800,
            sharing: Sharing::Weekdays,
            shapes: vec![shape.clone(), shape.iter().map(|rate| 0.5 * rate).collect()],
            levels: [1.2, 1.0, 1.0, 1.0, 0.8, 1.1, 0.9],
            weights_s: Vec::new(),
        };
        let exposure_s = vec![600.0; BINS_PER_WEEK];
        let counts = expected(&truth.week(), &exposure_s);
        let curve = fit(&counts, &exposure_s, 1.0);
        assert_eq!((curve.sharing, curve.knots_every_s), (Sharing::Weekdays, 1800));
        let week = curve.week();
        for at in 0..7 * 48 {
            let at_s = f64::from(at) * 1800.0;
            let (found, expected) = (week.rate_per_s(at_s), truth.week().rate_per_s(at_s));
            assert!((found / expected - 1.0).abs() < 0.01, "{at}: {found} {expected}");
        }
        let total: f64 = expected(&week, &exposure_s).iter().sum();
        assert!((total / counts.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn days_that_are_unlike_have_shapes_of_their_own() {
        // On Wednesday everything happens twelve hours later.
        let shifted = |bin: usize| daily(if bin / BINS_PER_DAY == 2 { bin + BINS_PER_DAY / 2 } else { bin });
        let (counts, exposure_s) = counts(1.0, shifted);
        let curve = fit(&counts, &exposure_s, 1.0);
        assert_eq!((curve.sharing, curve.knots_every_s), (Sharing::None, 1800));
        assert!((curve.day(Weekday::Wed)[12] / daily(BINS_PER_DAY * 3 / 4) - 1.0).abs() < 0.03);
    }

    #[test]
    fn what_was_not_seen_gets_the_mean_rate() {
        let mut exposure_s = vec![0.0; BINS_PER_WEEK];
        exposure_s[..36].fill(300.0);
        let counts: Vec<f64> = exposure_s.iter().map(|seconds| seconds * 0.5).collect();
        let curve = fit(&counts, &exposure_s, 1.0);
        assert!(curve.day(Weekday::Sun).iter().all(|rate| (rate - 0.5).abs() < 1e-6), "{curve:?}");
        let nothing = fit(&vec![0.0; BINS_PER_WEEK], &vec![0.0; BINS_PER_WEEK], 1.0);
        assert!(nothing.shapes.iter().flatten().all(|rate| *rate <= 0.0));
    }
}
