//! What rate of sessions a run follows, from its start to its end: part of the week's curve or a level, times an
//! envelope that builds up, climbs steps and falls away.

use shared::arrivals::{DAY_S, WEEK_S, WeekCurve};
use shared::units::Weekday;

use crate::config::{DayWindow, Schedule};

/// How long a run lasts when nothing says otherwise, in seconds.
const DEFAULT_DURATION_S: f64 = 600.0;

/// What rate of sessions a run follows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Course {
    pub(crate) seed: u64,
    pub(crate) base: Base,
    pub(crate) duration_s: f64,
    pub(crate) scale: f64,
    pub(crate) envelope: Envelope,
}

/// What the envelope multiplies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Base {
    /// The week's curve: at run time `t`, at `from_s + speedup t` after Monday 00:00.
    Curve {
        /// Time of the week at the run's start.
        from_s: f64,
        /// How many times faster than the clock the curve is followed.
        speedup: f64,
    },
    /// The same rate all along, in sessions per second.
    Level(f64),
}

/// A factor over the time of a run: stretches, on each of which it is linear; outside of all, the nearest end holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Envelope(Vec<Stretch>);

/// A part of an envelope.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stretch {
    pub(crate) from_s: f64,
    pub(crate) to_s: f64,
    /// The factor at both ends.
    pub(crate) factors: [f64; 2],
}

impl Stretch {
    fn at(&self, t_s: f64) -> f64 {
        let [first, last] = self.factors;
        match t_s {
            _ if t_s <= self.from_s => first,
            _ if t_s >= self.to_s => last,
            _ => first + (last - first) * ((t_s - self.from_s) / (self.to_s - self.from_s)),
        }
    }
}

impl Envelope {
    /// The factor 1 for `duration_s`.
    pub(crate) fn even(duration_s: f64) -> Self {
        Self::of(&[(duration_s, [1.0, 1.0])])
    }

    /// Stretches of these lengths in seconds, with the factors at their ends, one after the other.
    pub(crate) fn of(stretches: &[(f64, [f64; 2])]) -> Self {
        let mut from_s = 0.0;
        let placed = stretches.iter().filter(|(length_s, _)| *length_s > 0.0).map(|(length_s, factors)| {
            let stretch = Stretch { from_s, to_s: from_s + length_s, factors: *factors };
            from_s = stretch.to_s;
            stretch
        });
        Self(placed.collect())
    }

    /// The same, with a load that builds up from 0 over the first `up_s` seconds and dies away over the last `down_s`.
    ///
    /// `None` when the factor changes on its own meanwhile, or the time is too short for both.
    pub(crate) fn ramped(mut self, up_s: f64, down_s: f64) -> Option<Self> {
        let fits = |stretch: &Stretch, ramp_s: f64| {
            let [first, last] = stretch.factors;
            (first - last).abs() <= f64::EPSILON && ramp_s <= stretch.to_s - stretch.from_s
        };
        if up_s > 0.0 {
            // A ramp longer than the run is one that never ends.
            let only = self.0.len() == 1;
            let stretch = self.0.first_mut().filter(|stretch| only || fits(stretch, up_s))?;
            let level = stretch.factors[0];
            let up = Stretch { from_s: 0.0, to_s: up_s, factors: [0.0, level] };
            stretch.from_s = up_s;
            stretch.to_s = stretch.to_s.max(up_s);
            self.0.insert(0, up);
            self.0.retain(|stretch| stretch.to_s > stretch.from_s);
        }
        if down_s > 0.0 {
            let stretch = self.0.last_mut().filter(|stretch| fits(stretch, down_s))?;
            let level = stretch.factors[1];
            let down = Stretch { from_s: stretch.to_s - down_s, to_s: stretch.to_s, factors: [level, 0.0] };
            stretch.to_s = down.from_s;
            self.0.push(down);
            self.0.retain(|stretch| stretch.to_s > stretch.from_s);
        }
        Some(self)
    }

    /// The stretch that holds around `t_s`.
    pub(crate) fn around(&self, t_s: f64) -> &Stretch {
        let at = self.0.partition_point(|stretch| stretch.to_s <= t_s);
        &self.0[at.min(self.0.len() - 1)]
    }

    /// The factors at `from_s` and `to_s`, of the one stretch that both are on.
    pub(crate) fn between(&self, from_s: f64, to_s: f64) -> [f64; 2] {
        let stretch = self.around(0.5 * (from_s + to_s));
        [stretch.at(from_s), stretch.at(to_s)]
    }

    /// Where one stretch ends and the next begins, in seconds of the run.
    pub(crate) fn seams(&self) -> impl Iterator<Item = f64> + '_ {
        self.0[1..].iter().map(|stretch| stretch.from_s)
    }

    /// When the last stretch ends.
    pub(crate) fn end_s(&self) -> f64 {
        self.0[self.0.len() - 1].to_s
    }
}

impl Course {
    /// How many times faster than the clock the curve is followed.
    pub(crate) fn speedup(&self) -> f64 {
        match self.base {
            Base::Curve { speedup, .. } => speedup,
            Base::Level(_) => 1.0,
        }
    }

    /// Time of the week at run time `t_s`, where the run follows the curve.
    pub(crate) fn week_s(&self, t_s: f64) -> Option<f64> {
        match self.base {
            Base::Curve { from_s, speedup } => Some(from_s + speedup * t_s),
            Base::Level(_) => None,
        }
    }
}

/// Which part of the curve `schedule` means, and for how long.
///
/// A window is followed from its beginning to its end, as long as that takes at the speedup. Without a window, a
/// speedup is for going through a day, so the run starts at 00:00; without one, the run is centred on the peak.
pub(crate) fn of_curve(schedule: &Schedule, curve: &WeekCurve) -> (Base, f64) {
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
    (Base::Curve { from_s, speedup }, duration_s)
}

/// When the curve is highest, of the week or of one day: seconds after Monday 00:00, the first of several.
pub(crate) fn peak_of(curve: &WeekCurve, day: Option<Weekday>) -> f64 {
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
        let (base, found_s) = of_curve(&schedule, &curve());
        let Base::Curve { from_s: found_from_s, .. } = base else { panic!("{base:?}") };
        assert!((found_from_s - from_s).abs() < 1e-6, "{base:?}");
        assert!((found_s - duration_s).abs() < 1e-9, "{found_s}");
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
    fn the_load_builds_up_and_dies_away_linearly() {
        #[track_caller]
        fn check(envelope: Option<Envelope>, expected: &[(f64, f64)]) {
            let envelope = envelope.unwrap();
            for (t_s, factor) in expected {
                let [found, _] = envelope.between(*t_s, *t_s);
                assert!((found - factor).abs() < 1e-12, "{t_s}: {found}");
            }
        }
        let even = || Envelope::even(60.0);
        check(even().ramped(10.0, 0.0), &[(-5.0, 0.0), (0.0, 0.0), (5.0, 0.5), (10.0, 1.0), (99.0, 1.0)]);
        check(even().ramped(10.0, 20.0), &[(5.0, 0.5), (30.0, 1.0), (50.0, 0.5), (60.0, 0.0), (70.0, 0.0)]);
        // A run shorter than its ramp never reaches the top.
        check(even().ramped(120.0, 0.0), &[(30.0, 0.25), (60.0, 0.5)]);
        let steps = || Envelope::of(&[(10.0, [1.0, 1.0]), (2.0, [1.0, 3.0]), (10.0, [3.0, 3.0])]);
        check(steps().ramped(4.0, 5.0), &[(2.0, 0.5), (4.0, 1.0), (11.0, 2.0), (17.0, 3.0), (19.5, 1.5)]);
        assert_eq!(steps().ramped(11.0, 0.0), None);
        assert_eq!(steps().ramped(0.0, 11.0), None);
        assert_eq!(even().ramped(50.0, 20.0), None);
    }
}
