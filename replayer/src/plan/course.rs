//! Where on the week's curve a run is, from its start to its end.

use shared::arrivals::{DAY_S, WEEK_S, WeekCurve};
use shared::units::Weekday;

use crate::config::{DayWindow, Schedule};

/// How long a run lasts when nothing says otherwise, in seconds.
const DEFAULT_DURATION_S: f64 = 600.0;

/// Where on the week's curve a run is: at run time `t`, at `from_s + speedup t` after Monday 00:00.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Course {
    pub(crate) seed: u64,
    pub(crate) from_s: f64,
    pub(crate) duration_s: f64,
    pub(crate) speedup: f64,
    pub(crate) scale: f64,
    pub(crate) ramp_up_s: f64,
}

impl Course {
    /// The course that `schedule` means on `curve`.
    ///
    /// A window is followed from its beginning to its end, as long as that takes at the speedup. Without a window, a
    /// speedup is for going through a day, so the run starts at 00:00; without one, the run is centred on the peak.
    pub(crate) fn resolve(schedule: &Schedule, curve: &WeekCurve) -> Self {
        let speedup = schedule.speedup.unwrap_or(1.0);
        let asked_s = schedule.duration.map(|duration| duration.as_secs_f64());
        let peak_s = peak_of(curve, schedule.day);
        let midnight_s = (peak_s / f64::from(DAY_S)).floor() * f64::from(DAY_S);
        let (from_s, duration_s) = match (schedule.window, schedule.speedup) {
            (Some(DayWindow { from_s, length_s }), _) => {
                (midnight_s + f64::from(from_s), asked_s.unwrap_or(f64::from(length_s) / speedup))
            }
            (None, Some(_)) if schedule.day.is_some() => {
                (midnight_s, asked_s.unwrap_or(f64::from(DAY_S) / speedup))
            }
            (None, Some(_)) => (midnight_s, asked_s.unwrap_or(DEFAULT_DURATION_S)),
            (None, None) => {
                let duration_s = asked_s.unwrap_or(DEFAULT_DURATION_S);
                (peak_s - duration_s / 2.0, duration_s)
            }
        };
        Self {
            seed: schedule.seed,
            from_s,
            duration_s,
            speedup,
            scale: schedule.scale,
            ramp_up_s: schedule.ramp_up.as_secs_f64(),
        }
    }

    /// Time of the week at run time `t_s`.
    pub(crate) fn week_s(&self, t_s: f64) -> f64 {
        self.from_s + self.speedup * t_s
    }

    /// Share of the load that has built up at run time `t_s`.
    pub(crate) fn ramp(&self, t_s: f64) -> f64 {
        if t_s < self.ramp_up_s { t_s / self.ramp_up_s } else { 1.0 }
    }
}

/// When the curve is highest, of the week or of one day: seconds after Monday 00:00, the first of several.
fn peak_of(curve: &WeekCurve, day: Option<Weekday>) -> f64 {
    let Some(day) = day else { return curve.peak().1 };
    let midnight_s = day.index() as f64 * f64::from(DAY_S);
    let knots = (f64::from(DAY_S) / curve.spacing_s()).round() as u32;
    let times = (0..knots).map(|i| midnight_s + f64::from(i) * curve.spacing_s());
    times.rev().max_by(|a, b| curve.rate_per_s(*a).total_cmp(&curve.rate_per_s(*b))).unwrap_or(midnight_s)
}

/// Seconds after Monday 00:00, within the week.
pub(crate) fn in_week(t_s: f64) -> f64 {
    t_s.rem_euclid(f64::from(WEEK_S))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const HOUR_S: f64 = 3600.0;

    /// Peaks: Monday 16:00 (the week's), every other day 08:00.
    fn curve() -> WeekCurve {
        let day = |peak: usize, height: f64| (0..6).map(move |i| if i == peak { height } else { 0.1 });
        let knots = day(4, 9.0).chain((0..6).flat_map(|_| day(2, 5.0))).collect();
        WeekCurve::new(4.0 * HOUR_S, knots).unwrap()
    }

    #[track_caller]
    fn check(edit: impl Fn(&mut Schedule), from_s: f64, duration_s: f64) {
        let mut schedule = Schedule::default();
        edit(&mut schedule);
        let course = Course::resolve(&schedule, &curve());
        assert!((course.from_s - from_s).abs() < 1e-6, "{course:?}");
        assert!((course.duration_s - duration_s).abs() < 1e-9, "{course:?}");
    }

    #[test]
    fn the_start_follows_from_what_was_asked_for() {
        let day_s = f64::from(DAY_S);
        check(|_| {}, 16.0 * HOUR_S - 300.0, 600.0);
        check(|s| s.day = Some(Weekday::Tue), day_s + 8.0 * HOUR_S - 300.0, 600.0);
        check(|s| s.speedup = Some(2880.0), 0.0, 600.0);
        check(
            |s| {
                s.speedup = Some(2880.0);
                s.duration = Some(Duration::from_secs(30));
            },
            0.0,
            30.0,
        );
        check(
            |s| {
                s.speedup = Some(2880.0);
                s.day = Some(Weekday::Sun);
            },
            6.0 * day_s,
            30.0,
        );
        check(|s| s.window = "17:00-19:00".parse().ok(), 17.0 * HOUR_S, 7200.0);
        check(
            |s| {
                s.window = "17:00-19:00".parse().ok();
                s.speedup = Some(24.0);
                s.day = Some(Weekday::Wed);
            },
            2.0 * day_s + 17.0 * HOUR_S,
            300.0,
        );
    }

    #[test]
    fn the_load_builds_up_linearly() {
        let schedule = Schedule { ramp_up: Duration::from_secs(10), ..Schedule::default() };
        let course = Course::resolve(&schedule, &curve());
        let shares = [0.0, 5.0, 10.0, 11.0].map(|t_s| course.ramp(t_s));
        assert_eq!(shares.map(|share| (share * 10.0) as u32), [0, 5, 10, 10]);
    }
}
