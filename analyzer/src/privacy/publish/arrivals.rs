//! When sessions start, from what the gate lets through.

use std::collections::BTreeMap;
use std::ops::Range;

use shared::arrivals::{Arrivals, Burstiness, Peak, RequestsPerSecond, WEEK_S, Week, WeekCurve, Weeks};
use shared::session::Class;
use shared::units::{Weekday, round_significant, time_of_week};

use super::crowd::Crowd;
use super::span_s;
use crate::model::arrivals::dispersion::{TIME_CONSTANTS_S, Variances};
use crate::model::arrivals::exposure::{Coverage, Starts};
use crate::model::arrivals::gated::gated;
use crate::model::arrivals::rate::{Curve, Sharing};
use crate::model::arrivals::weeks;
use crate::model::arrivals::{self};
use crate::read::Reading;
use crate::settings::Settings;
use crate::tally::Tally;
use crate::tally::civil::CivilClock;
use crate::tally::start::Start;
use crate::weight::REQUEST;

/// When sessions start, as fitted to those that were counted, with what the gate lets through of it.
pub(super) struct Fitted {
    curve: Curve,
    variances: Variances,
    day_level_cv: Option<f64>,
    weeks: Option<Weeks>,
    outlier_days: Vec<String>,
    /// Sessions that a start stands for where the log was sampled.
    mass: f64,
}

impl Fitted {
    /// Dates are named where at least k clients came on them, and a rate tells of no fewer.
    pub(super) fn of(reading: &Reading, tally: &Tally, clock: &CivilClock, settings: &Settings) -> Self {
        let k = settings.model.k;
        let crowd = Crowd { starts: &tally.starts_at, k };
        let starts = Starts::of_any_order(crowd.starts().map(Start::at_s));
        let blind_s = settings.model.gap_ms.div_euclid(1000);
        let fitted = arrivals::fit(&starts, &coverage(reading, tally), blind_s, clock);
        Self {
            outlier_days: crowd.named_days(&fitted.outliers, clock),
            curve: gated(fitted.curve, &crowd.of_week(&fitted.coverage, clock), k),
            variances: fitted.variances,
            day_level_cv: fitted.day_level_cv,
            weeks: levels(&starts, &crowd, &fitted.coverage, clock),
            mass: tally.starts_mass as f64 / (REQUEST * starts.count().max(1)) as f64,
        }
    }

    /// The arrival curve and what varies around it. `merged` is how many sessions there are for each one that was
    /// counted, because several were taken for one.
    pub(super) fn published(self, merged: f64, classes: &[Class]) -> Arrivals {
        let Self { curve, variances, day_level_cv, weeks, outlier_days, mass } = self;
        let scale = merged * mass;
        let days = Weekday::ALL.map(|day| {
            curve.day(day).into_iter().map(|rate| round_significant(rate * scale, 3)).collect::<Vec<f64>>()
        });
        let shared_shape = match curve.sharing {
            Sharing::None => BTreeMap::new(),
            Sharing::Weekdays => BTreeMap::from([("weekdays".to_owned(), true)]),
            Sharing::All => BTreeMap::from([("all_days".to_owned(), true)]),
        };
        let all_knots = Weekday::ALL.iter().flat_map(|day| days[day.index()].iter().copied()).collect();
        let week_curve = WeekCurve::new(f64::from(curve.knots_every_s), all_knots);
        let (peak_per_s, peak_at_s) = week_curve.as_ref().map_or((0.0, 0.0), WeekCurve::peak);
        let mean_per_s =
            week_curve.as_ref().map_or(0.0, |curve| curve.per_week() / f64::from(shared::arrivals::WEEK_S));
        let requests: f64 =
            classes.iter().map(|class| class.weight * class.mean_requests_per_session()).sum();
        Arrivals {
            knots_every_s: curve.knots_every_s,
            week: Week::from_days(days),
            shared_shape,
            burstiness: burstiness(variances),
            day_level_cv: day_level_cv.map(|cv| round_significant(cv, 3)),
            weeks,
            outlier_days,
            peak: Peak { rate_per_s: peak_per_s, at: time_of_week(peak_at_s) },
            requests_per_s: RequestsPerSecond {
                mean: round_significant(mean_per_s * requests, 3),
                peak: round_significant(peak_per_s * requests, 3),
            },
        }
    }
}

/// The time that the log covers.
///
/// A log covers the hours around its requests, of any kind: between two files that are weeks apart there was no
/// service to arrive at, nor between a line with a broken clock and the others. A pause of some hours in between is
/// a quiet night, not a gap.
fn coverage(reading: &Reading, tally: &Tally) -> Coverage {
    /// The longest pause that still counts as quiet.
    const QUIET_HOURS: i64 = 12;
    let (first_s, last_s) = span_s(reading);
    // Stamps mark the end of a request, sessions begin at the start of one, which may be earlier.
    let first_s = tally.first_start_s.map_or(first_s, |start_s| start_s.min(first_s));
    // Starts soon after the beginning of a long log are not counted, so that time does not count either.
    let first_s = tally.began_from_s.map_or(first_s, |began_s| began_s.max(first_s));
    let hours = reading.counts.offset_s_by_hour.keys().copied().collect::<Vec<i64>>();
    let pauses = hours.windows(2).filter(|pair| pair[1] - pair[0] > QUIET_HOURS);
    let gaps: Vec<Range<i64>> = pauses.map(|pair| (pair[0] + 1) * 3600..pair[1] * 3600).collect();
    Coverage::new(first_s, last_s + 1, &gaps, 0)
}

/// The levels of the log's weeks; `None` of fewer than two, and where fewer than k clients came in one of them.
fn levels(starts: &Starts, crowd: &Crowd<'_>, coverage: &Coverage, clock: &CivilClock) -> Option<Weeks> {
    let (first, last) = (coverage.stretches().first()?, coverage.stretches().last()?);
    if last.end - first.start < 2 * i64::from(WEEK_S) {
        return None;
    }
    let of_week = |at_s: i64| (last.end - 1 - at_s).div_euclid(i64::from(WEEK_S));
    if !crowd.is_in_each(of_week) {
        return None;
    }
    let counts: Vec<(i64, f64)> = starts.by_second().collect();
    let found = weeks::fit(&counts, coverage, clock).filter(|found| found.levels.len() >= 2)?;
    let mean = found.levels.iter().sum::<f64>() / found.levels.len() as f64;
    let relative = |level: f64| round_significant(level / mean, 3);
    Some(Weeks {
        levels: found.levels.iter().map(|level| relative(*level)).collect(),
        next: relative(found.next_level()?),
    })
}

fn burstiness(variances: Variances) -> Option<Burstiness> {
    variances.iter().any(|variance| *variance > 0.0).then(|| Burstiness {
        time_constants_s: TIME_CONSTANTS_S.to_vec(),
        variances: variances.iter().map(|variance| round_significant(*variance, 3)).collect(),
    })
}
