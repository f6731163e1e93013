//! Named ways to run a profile: what each scenario means as a course.
//!
//! A profile may name its own; those that it does not are derived here, the same for every profile.

use std::collections::BTreeMap;

use shared::Profile;
use shared::arrivals::{DAY_S, WEEK_S, WeekCurve};
use shared::profile::Scenario;
use shared::units::{Weekday, parse_duration};

use super::course::{self, Base, Envelope};
use crate::config::Schedule;
use crate::error::Error;

/// What a run follows, and when it should be stopped.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Resolved {
    pub(super) base: Base,
    pub(super) duration_s: f64,
    pub(super) envelope: Envelope,
    pub(super) ramp_up_s: f64,
    /// The rule that ends the run early, as the scenario words it.
    pub(super) stop: Option<String>,
}

/// The scenarios of every profile that names none of its own by these names.
pub fn derived(profile: &Profile) -> BTreeMap<String, Scenario> {
    let text = |text: &str| Some(text.to_owned());
    let peak = profile.arrivals.curve().map(|curve| curve.peak().1 / f64::from(DAY_S));
    let busiest = Weekday::ALL[(peak.unwrap_or(0.0) as usize).min(6)];
    let scenarios = [
        (
            "baseline",
            Scenario {
                follow: text(MEDIAN_HOUR),
                duration: text("30m"),
                ramp_up: text("2m"),
                ..Scenario::default()
            },
        ),
        (
            "peak",
            Scenario {
                follow: text(PEAK_HOUR),
                duration: text("1h"),
                ramp_up: text("5m"),
                ..Scenario::default()
            },
        ),
        (
            "day",
            Scenario {
                follow: text(WEEK),
                day: text(busiest.name()),
                speedup: Some(24.0),
                ..Scenario::default()
            },
        ),
        (
            "stress",
            Scenario {
                from: text("peak"),
                steps: vec![1.0, 1.5, 2.0, 3.0],
                step: text("5m"),
                stop: text("error_rate > 5% for 30s"),
                ..Scenario::default()
            },
        ),
        (
            "spike",
            Scenario {
                base: text(MEDIAN_HOUR),
                to: text("3 x peak"),
                over: text("90s"),
                hold: text("5m"),
                ..Scenario::default()
            },
        ),
        ("soak", Scenario { follow: text(MEDIAN_HOUR), duration: text("8h"), ..Scenario::default() }),
    ];
    scenarios.map(|(name, scenario)| (name.to_owned(), scenario)).into()
}

const MEDIAN_HOUR: &str = "median_hour";
const PEAK_HOUR: &str = "peak_hour";
const WEEK: &str = "week";
const HOUR_S: f64 = 3600.0;
/// How long a scenario lasts that does not say so, in seconds.
const DEFAULT_DURATION_S: f64 = 600.0;
/// Part of a step of a stress test in which the load climbs to it.
const CLIMB: f64 = 0.1;

/// What `schedule` means for `profile`, whose curve this is.
///
/// # Errors
/// [`Error::UnknownName`] for a scenario that there is not, [`Error::Scenario`] for one that makes no sense,
/// [`Error::Setting`] for settings that do not go together.
pub(super) fn resolve(schedule: &Schedule, profile: &Profile, curve: &WeekCurve) -> Result<Resolved, Error> {
    let artificial = &schedule.artificial;
    let asked_s = schedule.duration.map(|duration| duration.as_secs_f64());
    let (mut resolved, ramp_up_s) = match (&schedule.scenario, artificial.constant_rate_per_s) {
        (Some(_), Some(rate)) => {
            return Err(Error::Setting {
                name: "--constant-rate",
                found: format!("{rate} together with a scenario"),
                expected: "one of the two",
            });
        }
        (Some(name), None) => {
            let mut known = derived(profile);
            known.extend(profile.scenarios.clone());
            let reader = Reader { name, known: &known, curve, schedule };
            reader.read()?
        }
        (None, Some(rate)) => {
            goes_without(schedule, true)?;
            (plain(Base::Level(rate), asked_s.unwrap_or(DEFAULT_DURATION_S)), None)
        }
        (None, None) => {
            let (base, duration_s) = course::of_curve(schedule, curve);
            (plain(base, duration_s), None)
        }
    };
    if !artificial.instant_step {
        let ramp_up_s = schedule.ramp_up.map(|ramp_up| ramp_up.as_secs_f64()).or(ramp_up_s).unwrap_or(0.0);
        let ramp_down_s = schedule.ramp_down.as_secs_f64();
        resolved.ramp_up_s = ramp_up_s;
        resolved.envelope =
            resolved.envelope.ramped(ramp_up_s, ramp_down_s).ok_or_else(|| Error::Setting {
                name: "--ramp-up",
                found: format!("{ramp_up_s}s, and --ramp-down {ramp_down_s}s"),
                expected: "ramps that end before the load changes on its own",
            })?;
    }
    Ok(resolved)
}

fn plain(base: Base, duration_s: f64) -> Resolved {
    Resolved { base, duration_s, envelope: Envelope::even(duration_s), ramp_up_s: 0.0, stop: None }
}

/// Refuses settings that choose a part of the curve, and a speedup as well if a `level` is held, where there is no use
/// for them: what is asked for is done or refused.
fn goes_without(schedule: &Schedule, level: bool) -> Result<(), Error> {
    let unused = [
        ("--speedup", level && schedule.speedup.is_some()),
        ("--day", schedule.day.is_some()),
        ("--window", schedule.window.is_some()),
    ];
    match unused.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((name, _)) => Err(Error::Setting {
            name,
            found: "it together with what does not follow the curve of a day".to_owned(),
            expected: "a plain run, or a scenario that follows the week",
        }),
    }
}

/// Reads one scenario.
struct Reader<'a> {
    name: &'a str,
    known: &'a BTreeMap<String, Scenario>,
    curve: &'a WeekCurve,
    schedule: &'a Schedule,
}

impl Reader<'_> {
    /// What it means, and how long the load builds up unless the settings say otherwise.
    fn read(&self) -> Result<(Resolved, Option<f64>), Error> {
        let scenario = self.known.get(self.name).ok_or_else(|| Error::UnknownName {
            name: "--scenario",
            found: self.name.to_owned(),
            known: self.known.keys().cloned().collect::<Vec<_>>().join("`, `"),
        })?;
        let mut resolved = if !scenario.steps.is_empty() {
            goes_without(self.schedule, true)?;
            self.stress(scenario)?
        } else if scenario.to.is_some() {
            goes_without(self.schedule, true)?;
            self.spike(scenario)?
        } else {
            self.follow(scenario)?
        };
        resolved.stop.clone_from(&scenario.stop);
        Ok((resolved, self.seconds("ramp_up", scenario.ramp_up.as_ref())?))
    }

    /// Part of the curve. An hour is followed around its middle; what shall last longer is held at its mean rate.
    fn follow(&self, scenario: &Scenario) -> Result<Resolved, Error> {
        let asked_s = self.schedule.duration.map(|duration| duration.as_secs_f64());
        let duration_s = match asked_s {
            None => self.seconds("duration", scenario.duration.as_ref())?,
            asked => asked,
        };
        let speedup = self.schedule.speedup.or(scenario.speedup);
        let day = match (self.schedule.day, &scenario.day) {
            (None, Some(day)) => {
                Some(day.parse().map_err(|_| self.wrong("day", day, "a day such as `tue`"))?)
            }
            (day, _) => day,
        };
        let follow = scenario.follow.as_deref().unwrap_or(WEEK);
        if follow == WEEK {
            let busiest = Weekday::ALL[(self.curve.peak().1 / f64::from(DAY_S)) as usize];
            let schedule = Schedule {
                day: Some(day.unwrap_or(busiest)),
                speedup: Some(speedup.unwrap_or(1.0)),
                duration: duration_s.map(std::time::Duration::from_secs_f64),
                ..self.schedule.clone()
            };
            let (base, duration_s) = course::of_curve(&schedule, self.curve);
            return Ok(plain(base, duration_s));
        }
        goes_without(self.schedule, false)?;
        let hour = Hour::named(follow, self.curve)
            .ok_or_else(|| self.wrong("follow", follow, "`median_hour`, `peak_hour` or `week`"))?;
        let (duration_s, speedup) = (duration_s.unwrap_or(DEFAULT_DURATION_S), speedup.unwrap_or(1.0));
        let base = if duration_s * speedup <= HOUR_S {
            Base::Curve { from_s: hour.from_s + 0.5 * (HOUR_S - duration_s * speedup), speedup }
        } else {
            Base::Level(hour.rate_per_s)
        };
        Ok(plain(base, duration_s))
    }

    /// Steps of the mean rate of another scenario's hour. To each, the load climbs within its first tenth.
    fn stress(&self, scenario: &Scenario) -> Result<Resolved, Error> {
        let level = self.level("from", scenario.from.as_deref().unwrap_or(PEAK_HOUR))?;
        if let Some(step) = scenario.steps.iter().find(|step| !(step.is_finite() && **step >= 0.0)) {
            return Err(self.wrong("steps", &step.to_string(), "multiples >= 0"));
        }
        let steps = scenario.steps.len() as f64;
        let length_s = match self.schedule.duration {
            Some(duration) => duration.as_secs_f64() / steps,
            None => self.seconds("step", scenario.step.as_ref())?.unwrap_or(300.0),
        };
        let climb_s = if self.schedule.artificial.instant_step { 0.0 } else { CLIMB * length_s };
        let mut stretches = vec![(length_s, [scenario.steps[0]; 2])];
        for pair in scenario.steps.windows(2) {
            stretches.push((climb_s, [pair[0], pair[1]]));
            stretches.push((length_s - climb_s, [pair[1]; 2]));
        }
        Ok(Self::level_times(level, &stretches))
    }

    /// A base, a climb, a top, the way down, and the base again for as long as the top: to see it recover.
    fn spike(&self, scenario: &Scenario) -> Result<Resolved, Error> {
        let base = self.level("base", scenario.base.as_deref().unwrap_or(MEDIAN_HOUR))?;
        let to = scenario.to.as_deref().unwrap_or_default();
        let wrong = || self.wrong("to", to, "a multiple of a level, such as `3 x peak`");
        let (times, of) = to.split_once('x').ok_or_else(wrong)?;
        let times: f64 = times.trim().parse().map_err(|_| wrong())?;
        let top = times * self.level("to", of.trim())?;
        if !(top.is_finite() && top >= 0.0) {
            return Err(wrong());
        }
        let over_s = self.seconds("over", scenario.over.as_ref())?.unwrap_or(90.0);
        let hold_s = match self.schedule.duration {
            // The base before, the climb and the way down last as long as each other.
            Some(duration) => 0.5 * (duration.as_secs_f64() - 3.0 * over_s),
            None => self.seconds("hold", scenario.hold.as_ref())?.unwrap_or(300.0),
        };
        if hold_s <= 0.0 {
            return Err(Error::Setting {
                name: "--duration",
                found: format!("{:?}", self.schedule.duration.unwrap_or_default()),
                expected: "more than three times what the spike takes to build up",
            });
        }
        let climb_s = if self.schedule.artificial.instant_step { 0.0 } else { over_s };
        let top = top / base;
        let stretches = [
            (over_s, [1.0; 2]),
            (climb_s, [1.0, top]),
            (hold_s, [top; 2]),
            (climb_s, [top, 1.0]),
            (hold_s, [1.0; 2]),
        ];
        Ok(Self::level_times(base, &stretches))
    }

    fn level_times(level: f64, stretches: &[(f64, [f64; 2])]) -> Resolved {
        let envelope = Envelope::of(stretches);
        let duration_s = envelope.end_s();
        Resolved { base: Base::Level(level), duration_s, envelope, ramp_up_s: 0.0, stop: None }
    }

    /// The mean rate of the hour of this name, or of the hour that the scenario of this name follows.
    fn level(&self, key: &str, name: &str) -> Result<f64, Error> {
        let followed = self.known.get(name).and_then(|scenario| scenario.follow.as_deref());
        let hour = Hour::named(followed.unwrap_or(name), self.curve);
        hour.map(|hour| hour.rate_per_s).ok_or_else(|| {
            self.wrong(key, name, "`median_hour`, `peak_hour`, or a scenario that follows one")
        })
    }

    fn seconds(&self, key: &str, text: Option<&String>) -> Result<Option<f64>, Error> {
        let Some(text) = text else { return Ok(None) };
        let duration = parse_duration(text).map_err(|_| self.wrong(key, text, "a duration such as `5m`"))?;
        if duration > crate::config::LONGEST_DURATION {
            return Err(self.wrong(key, text, "at most `31d`"));
        }
        Ok(Some(duration.as_secs_f64()))
    }

    fn wrong(&self, key: &str, found: &str, expected: &'static str) -> Error {
        Error::Scenario {
            place: format!("/scenarios/{}/{key}", self.name),
            found: found.to_owned(),
            expected,
        }
    }
}

/// An hour of the week.
#[derive(Debug, Clone, Copy)]
struct Hour {
    /// Seconds after Monday 00:00.
    from_s: f64,
    /// Mean rate of sessions.
    rate_per_s: f64,
}

impl Hour {
    fn named(name: &str, curve: &WeekCurve) -> Option<Self> {
        /// Hours are looked for at every quarter.
        const QUARTER_S: u32 = 900;
        let mut hours: Vec<Self> = (0..WEEK_S / QUARTER_S)
            .map(|quarter| f64::from(quarter * QUARTER_S))
            .map(|from_s| Self {
                from_s,
                rate_per_s: (curve.cumulative(from_s + HOUR_S) - curve.cumulative(from_s)) / HOUR_S,
            })
            // Where nothing was measured there is no usual hour.
            .filter(|hour| hour.rate_per_s > 0.0)
            .collect();
        // A stable sort: of several alike the first in the week.
        hours.sort_by(|one, other| other.rate_per_s.total_cmp(&one.rate_per_s));
        match name {
            PEAK_HOUR => hours.first().copied(),
            MEDIAN_HOUR => hours.get(hours.len() / 2).copied(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;
    use std::time::Duration;

    fn resolve_with(profile: &Profile, edit: impl Fn(&mut Schedule)) -> Result<Resolved, Error> {
        let mut schedule = Schedule::default();
        edit(&mut schedule);
        resolve(&schedule, profile, &profile.arrivals.curve().unwrap())
    }

    fn named(name: &str, edit: impl Fn(&mut Schedule)) -> Resolved {
        let profile = from_yaml(EXAMPLE).unwrap();
        let with_name = |schedule: &mut Schedule| {
            schedule.scenario = Some(name.to_owned());
            edit(schedule);
        };
        resolve_with(&profile, with_name).unwrap()
    }

    #[track_caller]
    fn check(resolved: &Resolved, duration_s: f64, level: Option<f64>, factors: &[(f64, f64)]) {
        assert!((resolved.duration_s - duration_s).abs() < 1e-9, "{resolved:?}");
        match (resolved.base, level) {
            (Base::Level(found), Some(level)) => assert!((found - level).abs() < 1e-4, "{found}"),
            (Base::Curve { .. }, None) => {}
            other => panic!("{other:?}"),
        }
        for (t_s, factor) in factors {
            let [found, _] = resolved.envelope.between(*t_s, *t_s);
            assert!((found - factor).abs() < 1e-9, "{t_s}: {found}");
        }
    }

    /// Mean rate of the hour around the example's peak, 0.08 at 16:00 with slopes of 0.02 and 0.03 per four hours, laid
    /// out by quarters: from 15:30 to 16:30.
    const PEAK: f64 = 0.08 - 0.5 * 0.5 * 0.5 * (0.02 + 0.03) / 4.0;

    #[test]
    fn derived_scenarios_are_those_of_the_format() {
        check(&named("baseline", |_| {}), 1800.0, None, &[(60.0, 0.5), (120.0, 1.0)]);
        check(&named("peak", |_| {}), 3600.0, None, &[(150.0, 0.5), (3000.0, 1.0)]);
        check(&named("day", |_| {}), 3600.0, None, &[(0.0, 1.0)]);
        let stress = named("stress", |_| {});
        check(&stress, 1200.0, Some(PEAK), &[(10.0, 1.0), (315.0, 1.25), (500.0, 1.5), (1199.0, 3.0)]);
        assert_eq!(stress.stop.as_deref(), Some("error_rate > 5% for 30s"));
        let spike = named("spike", |_| {});
        let median = 0.041;
        let Base::Level(base) = spike.base else { panic!("{spike:?}") };
        assert!((base - median).abs() < 0.01, "{base}");
        check(
            &spike,
            3.0 * 90.0 + 600.0,
            Some(base),
            &[(45.0, 1.0), (300.0, 3.0 * PEAK / base), (800.0, 1.0)],
        );
        check(&named("soak", |_| {}), 28_800.0, Some(base), &[(0.0, 1.0)]);
    }

    #[test]
    fn what_is_set_goes_before_what_the_scenario_says() {
        let short = named("peak", |s| {
            s.duration = Some(Duration::from_secs(60));
            s.ramp_up = Some(Duration::ZERO);
            s.ramp_down = Duration::from_secs(20);
        });
        check(&short, 60.0, None, &[(0.0, 1.0), (50.0, 0.5)]);
        let fast = named("day", |s| s.speedup = Some(96.0));
        check(&fast, 900.0, None, &[]);
        let instant = named("stress", |s| {
            s.artificial.instant_step = true;
            s.duration = Some(Duration::from_secs(40));
        });
        check(&instant, 40.0, Some(PEAK), &[(9.99, 1.0), (10.01, 1.5), (39.0, 3.0)]);
        let flat = resolve_with(&from_yaml(EXAMPLE).unwrap(), |s| {
            s.artificial.constant_rate_per_s = Some(7.0);
        });
        check(&flat.unwrap(), 600.0, Some(7.0), &[(0.0, 1.0)]);
    }

    #[test]
    fn scenarios_that_make_no_sense_are_named_with_their_place() {
        #[track_caller]
        fn check(edit: impl Fn(&mut Scenario), expected: &str) {
            let mut profile = from_yaml(EXAMPLE).unwrap();
            let mut scenario = Scenario::default();
            edit(&mut scenario);
            profile.scenarios = [("mine".to_owned(), scenario)].into();
            let found = resolve_with(&profile, |s| s.scenario = Some("mine".to_owned()));
            let message = found.unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        check(|s| s.follow = Some("noon".to_owned()), "`/scenarios/mine/follow`: found `noon`");
        check(|s| s.duration = Some("long".to_owned()), "`/scenarios/mine/duration`: found `long`");
        check(|s| s.steps = vec![1.0, -2.0], "`/scenarios/mine/steps`: found `-2`");
        check(|s| s.to = Some("high".to_owned()), "`/scenarios/mine/to`: found `high`");
        check(|s| s.to = Some("2 x day".to_owned()), "`/scenarios/mine/to`: found `day`");
        check(|s| s.day = Some("someday".to_owned()), "`/scenarios/mine/day`");
        for name in ["stress", "spike", "soak"] {
            let found = resolve_with(&from_yaml(EXAMPLE).unwrap(), |s| {
                (s.scenario, s.window) = (Some(name.to_owned()), "17:00-18:00".parse().ok());
            });
            assert!(found.unwrap_err().to_string().contains("`--window`"), "{name}");
        }
        let unknown = resolve_with(&from_yaml(EXAMPLE).unwrap(), |s| s.scenario = Some("pek".to_owned()));
        let message = unknown.unwrap_err().to_string();
        assert!(message.contains("found `pek`") && message.contains("`peak`, `soak`"), "{message}");
    }
}
