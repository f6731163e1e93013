//! Growth: the level of each week of a log, and where it goes next.
//!
//! Traffic of a week is level of the week × curve. What one week more would bring is the curve at the level of the
//! last week, carried on by the last growth where the log itself shows that growth goes on.

use shared::arrivals::WeekCurve;
use shared::units::Weekday;

use super::days;
use super::expectation::Expectation;
use super::exposure::{BINS_PER_WEEK, Coverage, bin_of_week};
use super::rate::{self, Curve};
use crate::tally::civil::CivilClock;

const WEEK_S: i64 = 604_800;
/// Share of a week below which it has no level, and is left out: the curve tells what its days would be in a whole
/// week, so that a few of them are enough.
const LEAST: f64 = 1.0 / 7.0;
/// Turns of levels and curve.
const TURNS: usize = 4;

/// Weeks, counted back from the end of a log.
#[derive(Debug, Clone)]
pub struct Weeks {
    /// The curve at level 1.
    pub curve: Curve,
    /// Levels of the weeks, the oldest first; the last is that of the last seven days.
    pub levels: Vec<f64>,
}

impl Weeks {
    /// The level that the week after the log is expected to have; `None` when no week has one.
    pub fn next_level(&self) -> Option<f64> {
        next_level(&self.levels)
    }

    /// The curve that the week after the log is expected to have; `None` when no week has a level.
    pub fn next(&self) -> Option<WeekCurve> {
        self.next_level().and_then(|level| self.at_level(level))
    }

    /// The curve of the last seven days of the log; `None` when no week has a level.
    pub fn last(&self) -> Option<WeekCurve> {
        self.levels.last().and_then(|level| self.at_level(*level))
    }

    fn at_level(&self, level: f64) -> Option<WeekCurve> {
        let days = Weekday::ALL.into_iter().flat_map(|day| self.curve.day(day));
        WeekCurve::new(f64::from(self.curve.knots_every_s), days.map(|rate| level * rate).collect())
    }
}

/// Fits curve and levels in turns to `counts`: what happened by second since 1970, in order. Days that turn out to be
/// unlike the others of their kind are left out. `None` when nothing is covered, or no week has a level.
pub fn fit(counts: &[(i64, f64)], coverage: &Coverage, clock: &CivilClock) -> Option<Weeks> {
    let end_s = coverage.stretches().last()?.end;
    let sums = |coverage: &Coverage| coverage.sums(counts.iter().copied());
    let of_all = sums(coverage);
    let first = Folded::new(&of_all, coverage, clock, end_s).fit(1.0)?;
    let by_day = |sums: &[f64], coverage: &Coverage| {
        let expectation = Expectation::new(&first.curve.week(), clock, coverage, |_| 1.0);
        days::by_day(clock, sums, &expectation)
    };
    let coverage = days::without(coverage, clock, &days::outliers(&by_day(&of_all, coverage)));
    let of_usual = sums(&coverage);
    let dispersion = days::hourly_dispersion(&by_day(&of_usual, &coverage)).unwrap_or(1.0);
    Folded::new(&of_usual, &coverage, clock, end_s).fit(dispersion)
}

/// Counts and exposures by week, and in it by bin of the civil week.
struct Folded {
    found: Vec<Vec<f64>>,
    exposure_s: Vec<Vec<f64>>,
}

impl Folded {
    fn new(sums: &[f64], coverage: &Coverage, clock: &CivilClock, end_s: i64) -> Self {
        let start_s = coverage.stretches().first().map_or(end_s, |stretch| stretch.start);
        let weeks = ((end_s - start_s + WEEK_S - 1) / WEEK_S) as usize;
        let week = |at_s: i64| weeks - 1 - ((end_s - 1 - at_s) / WEEK_S) as usize;
        let mut folded = Self {
            found: vec![vec![0.0; BINS_PER_WEEK]; weeks],
            exposure_s: vec![vec![0.0; BINS_PER_WEEK]; weeks],
        };
        for (piece, sum) in coverage.pieces().zip(sums) {
            let (week, bin) = (week(piece.start), bin_of_week(clock, piece.start));
            folded.exposure_s[week][bin] += (piece.end - piece.start) as f64;
            folded.found[week][bin] += sum;
        }
        folded
    }

    fn fit(mut self, dispersion: f64) -> Option<Weeks> {
        let least_s = LEAST * WEEK_S as f64;
        let enough: Vec<bool> =
            self.exposure_s.iter().map(|week| week.iter().sum::<f64>() >= least_s).collect();
        let mut keep = enough.iter();
        self.exposure_s.retain(|_| *keep.next().unwrap_or(&false));
        let mut keep = enough.iter();
        self.found.retain(|_| *keep.next().unwrap_or(&false));
        let all = fold(&self.found, &vec![1.0; self.found.len()]);
        let mut levels = vec![1.0; self.found.len()];
        let mut curve = rate::fit(&all, &fold(&self.exposure_s, &levels), dispersion);
        for _ in 0..TURNS {
            let week = curve.week();
            let level = |(found, exposure_s): (&Vec<f64>, &Vec<f64>)| {
                found.iter().sum::<f64>() / rate::expected(&week, exposure_s).iter().sum::<f64>()
            };
            levels = self.found.iter().zip(&self.exposure_s).map(level).collect();
            curve = rate::fit(&all, &fold(&self.exposure_s, &levels), dispersion);
        }
        (!levels.is_empty()).then_some(Weeks { curve, levels })
    }
}

/// All weeks in one, each times its factor.
fn fold(weeks: &[Vec<f64>], factors: &[f64]) -> Vec<f64> {
    (0..BINS_PER_WEEK)
        .map(|bin| weeks.iter().zip(factors).map(|(week, factor)| week[bin] * factor).sum())
        .collect()
}

/// The level that follows `levels` (positive, oldest first); `None` of none.
///
/// Either the last one, or the last one times its growth over the one before: whichever of the two would have been
/// nearer to the levels that are known, by mean absolute logarithm. The last one while there are fewer than three.
fn next_level(levels: &[f64]) -> Option<f64> {
    let logs: Vec<f64> = levels.iter().map(|level| level.ln()).collect();
    let last = *logs.last()?;
    let (mut staying, mut growing) = (0.0, 0.0);
    for known in logs.windows(3) {
        staying += (known[2] - known[1]).abs();
        growing += (known[2] - known[1] - (known[1] - known[0])).abs();
    }
    let growth = if growing < staying { last - logs[logs.len() - 2] } else { 0.0 };
    Some((last + growth).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_carried_on_where_it_went_on_before() {
        let check = |levels: &[f64], expected: f64| {
            let found = next_level(levels).unwrap();
            assert!((found / expected - 1.0).abs() < 1e-9, "{levels:?}: {found}");
        };
        check(&[1.0], 1.0);
        check(&[1.0, 2.0], 2.0);
        check(&[1.0, 2.0, 4.0], 8.0);
        check(&[1.0, 2.0, 1.0, 2.0], 2.0);
        assert_eq!(next_level(&[]), None);
    }
}
