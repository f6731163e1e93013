//! When sessions start: the rate over the civil week, what varies around it, and the days that do not belong to it.
//!
//! ```text
//! starts, coverage → curve → holes → curve → unlike days → curve → dispersion
//! ```
//!
//! Sessions start as a Poisson process whose rate follows the curve, times a random factor (an open model).

pub mod alike;
pub mod days;
pub mod dispersion;
pub mod expectation;
pub mod exposure;
pub(crate) mod gated;
pub mod poisson;
pub mod rate;
pub mod silence;
pub mod weeks;

use std::ops::Range;

pub use crate::tally::civil::CivilClock;
use days::{Day, OutlierDay};
use dispersion::{Point, Variances};
use expectation::Expectation;
use exposure::{Coverage, Starts};
use rate::Curve;

/// What starts say of when sessions start.
#[derive(Debug, Clone)]
pub struct Arrivals {
    /// The rate over the week, from usual days.
    pub curve: Curve,
    /// The time that it stands on: without holes and unlike days.
    pub coverage: Coverage,
    /// Silences that the rate makes incredible.
    pub holes: Vec<Range<i64>>,
    /// Days unlike the others.
    pub outliers: Vec<OutlierDay>,
    /// Coefficient of variation of the level of the same weekday; `None` from less than two weeks.
    pub day_level_cv: Option<f64>,
    /// The dispersion by time scale.
    pub spectrum: Vec<Point>,
    /// Variances of the rate at [`dispersion::TIME_CONSTANTS_S`].
    pub variances: Variances,
}

/// Fits the model to `starts`. Those outside of `coverage` are left out.
///
/// `blind_s` is the inactivity that ends a session: for so long after a hole starts cannot be told from sessions that
/// go on. The result depends on nothing else than these: the same starts give the same bytes.
pub fn fit(starts: &Starts, coverage: &Coverage, blind_s: i64, clock: &CivilClock) -> Arrivals {
    let first = usual_curve(starts, coverage, clock, 1.0);
    let holes =
        silence::silences(starts, coverage, &Expectation::new(&first.week(), clock, coverage, |_| 1.0));
    let coverage = coverage.without(&holes, blind_s);
    let curve = usual_curve(starts, &coverage, clock, 1.0);
    let outliers = days::outliers(&by_day(starts, &coverage, clock, &curve));
    let coverage = days::without(&coverage, clock, &outliers);
    let days = by_day(starts, &coverage, clock, &curve);
    let curve = usual_curve(starts, &coverage, clock, days::hourly_dispersion(&days).unwrap_or(1.0));
    let (spectrum, variances) = dispersion::fit(starts, clock, &coverage, &curve);
    Arrivals { day_level_cv: days::level_cv(&days), variances, curve, coverage, holes, outliers, spectrum }
}

fn usual_curve(starts: &Starts, coverage: &Coverage, clock: &CivilClock, dispersion: f64) -> Curve {
    rate::fit(&coverage.week_counts(clock, starts), &coverage.week(clock), dispersion)
}

fn by_day(starts: &Starts, coverage: &Coverage, clock: &CivilClock, curve: &Curve) -> Vec<Day> {
    let expectation = Expectation::new(&curve.week(), clock, coverage, |_| 1.0);
    days::by_day(clock, &coverage.sums(starts.by_second()), &expectation)
}
