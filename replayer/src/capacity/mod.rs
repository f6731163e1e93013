//! The highest load at which conditions hold: runs at one load after the other, until it is known and confirmed.
//!
//! ```text
//! Search → Step → Run → RunReport → Outcome → Search → … → CapacityReport
//! ```
//!
//! Each trial is a run of its own, with a seed of its own that follows from the search's, and a warm-up that does not count;
//! at its end sending stops, what is under way is answered, and the target rests, so that the backlog of one trial is no
//! load of the next. What guards a run guards the search: the target is resolved once, the ceiling bounds what is tried,
//! a canary comes before the first trial, budgets are those of all trials together, and stop rules end a trial early,
//! which then has failed. The idea is that of mutilate's `--search` (the rate at which a quantile holds), with what a noisy
//! service needs besides: confirmation by repetition.

mod answer;
mod outcome;
mod search;
mod settings;

use std::thread;
use std::time::Duration;

use shared::Profile;

use crate::clock::{self, Clock};
use crate::condition::Condition;
use crate::connect::Destination;
use crate::dispatch::Wish;
use crate::error::Error;
use crate::guard::{Budget, StoppedBy, canary, ceiling};
use crate::plan::{Outline, obstacles};
use crate::record::Progress;
use crate::report::{CapacityReport, RunReport, Trial, TrialOutcome, thresholds};
use crate::run::{self, Observer, Run};
use answer::Halt;
pub use search::Purpose;
use search::{Ladder, Outcome, Search, Step};
pub use settings::CapacitySettings;
use settings::{HIGHEST_SCALE, check_conditions};

/// Requests below which a trial says nothing about anything.
const FEWEST_REQUESTS: f64 = 20.0;
/// How often whoever watches is asked while the target rests.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Rests that a target gets to come back after a trial that it did not survive.
const RECOVERIES: u32 = 5;

/// Somebody who watches a search, and may end it.
pub trait Watcher {
    /// A trial begins.
    fn begins(&mut self, trial: &Upcoming) {
        let _ = trial;
    }

    /// Called a few times per second while one is under way.
    fn progress(&mut self, progress: &Progress) -> Wish {
        let _ = progress;
        Wish::GoOn
    }

    /// Called a few times per second while the target rests, for so much longer.
    fn rests(&mut self, left: Duration) -> Wish {
        let _ = left;
        Wish::GoOn
    }

    /// A trial is over.
    fn ended(&mut self, trial: &Trial, report: &RunReport) {
        let _ = (trial, report);
    }
}

/// Nobody watches.
impl Watcher for () {}

/// A trial that is about to begin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Upcoming {
    /// Its number, counted from 1; 0 is the canary.
    pub number: usize,
    /// What it is for.
    pub purpose: Purpose,
    /// Multiple of the profile's rates.
    pub scale: f64,
    /// Requests expected per second.
    pub requests_per_s: f64,
    /// How long it is sent.
    pub duration_s: f64,
}

/// A search that could begin.
#[derive(Debug)]
pub struct Capacity<'a> {
    profile: &'a Profile,
    settings: CapacitySettings,
    destination: Destination,
    conditions: Vec<Condition>,
    ladder: Ladder,
    /// What bounds the ladder, in words.
    highest: String,
    canary: Duration,
    /// The lowest load.
    outline: Outline,
}

/// What all trials together have cost.
#[derive(Debug, Default)]
struct Spent {
    requests: u64,
    bytes: u64,
}

impl<'a> Capacity<'a> {
    /// Checks the settings, finds the target, and makes the plan of the lowest load; sends nothing.
    ///
    /// # Errors
    /// Whatever makes the search impossible, except that nobody answers at the target.
    pub fn prepare(profile: &'a Profile, settings: &CapacitySettings) -> Result<Self, Error> {
        settings.check()?;
        let destination = run::destination(profile, &settings.run)?;
        let conditions = thresholds::of(profile, &settings.run.thresholds)?;
        check_conditions(&conditions)?;
        let lowest = settings.trial(settings.from, 0, Budget::default());
        let outline = Run::prepare_for(profile, &lowest, &destination)?.outline().clone();
        let is_loopback = destination.is_loopback();
        let (to, highest) = bound(profile, settings, &outline, is_loopback)?;
        let canary = if is_loopback { Duration::ZERO } else { canary::DEFAULT };
        let capacity = Self {
            profile,
            settings: settings.clone(),
            destination,
            conditions,
            ladder: Ladder::new(settings.from, to, settings.resolution),
            highest,
            canary: settings.run.safety.canary.unwrap_or(canary),
            outline,
        };
        let requests = capacity.requests_per_s(settings.from) * settings.trial.as_secs_f64();
        if requests < FEWEST_REQUESTS {
            return Err(Error::Setting {
                name: "--trial",
                found: format!("one with {requests:.1} requests at `--from {}`", settings.from),
                expected: "at least 20: longer trials, or a higher `--from`",
            });
        }
        Ok(capacity)
    }

    /// The plan of the lowest load; those of the others are multiples of it.
    pub fn outline(&self) -> &Outline {
        &self.outline
    }

    /// The conditions that are to hold.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// The lowest and the highest scale that may be tried.
    pub fn range(&self) -> [f64; 2] {
        [0, self.ladder.top].map(|rung| self.ladder.scale(rung))
    }

    /// How long only a hundredth of the lowest load is sent before the first trial.
    pub fn canary(&self) -> Duration {
        self.canary
    }

    /// Requests expected per second at this scale.
    pub fn requests_per_s(&self, scale: f64) -> f64 {
        let Outline { requests, companions, background, duration_s, .. } = &self.outline;
        (requests + companions + background) / duration_s * scale / self.settings.from
    }

    fn sessions_per_s(&self, scale: f64) -> f64 {
        self.outline.sessions / self.outline.duration_s * scale / self.settings.from
    }

    /// Runs one trial after the other until the answer is known. Blocks, for as long as that takes.
    ///
    /// # Errors
    /// Those of [`Run::execute`] for the first trial. What goes wrong later ends the search, and what was found until then
    /// is the result.
    pub fn execute(&self, watcher: &mut dyn Watcher) -> Result<CapacityReport, Error> {
        let clock = Clock::start();
        let mut search = Search::new(&self.ladder, self.settings.confirmations);
        let mut trials: Vec<Trial> = Vec::new();
        let halt = self.go_on(clock, &mut search, &mut trials, watcher)?;
        let began_at_s = clock.since_epoch(0).as_secs_f64();
        let elapsed_s = clock::to_s(clock.now_ns());
        Ok(self.report(&search, trials, halt, [began_at_s, elapsed_s]))
    }

    fn go_on(
        &self,
        clock: Clock,
        search: &mut Search,
        trials: &mut Vec<Trial>,
        watcher: &mut dyn Watcher,
    ) -> Result<Option<Halt>, Error> {
        let mut spent = Spent::default();
        if !self.canary.is_zero()
            && let Some(halt) = self.be_careful(clock, &mut spent, watcher)?
        {
            return Ok(Some(halt));
        }
        while let Step::Try(rung, purpose) = search.next() {
            let scale = self.ladder.scale(rung);
            let is_first = trials.is_empty() && self.canary.is_zero();
            if !is_first && self.rest(watcher) > Wish::GoOn {
                return Ok(Some(Halt::Interrupted));
            }
            let budget = match self.left(clock, &spent) {
                Ok(budget) => budget,
                Err(spent) => return Ok(Some(Halt::Spent(spent))),
            };
            let number = trials.len() + 1;
            let settings = self.settings.trial(scale, number as u64, budget);
            let run = match Run::prepare_for(self.profile, &settings, &self.destination) {
                Ok(run) => run,
                Err(error) if is_first => return Err(error),
                Err(error) => return Ok(Some(Halt::Broken(error.to_string()))),
            };
            if self.is_impossible(run.outline()) {
                search.limit();
                continue;
            }
            watcher.begins(&self.upcoming(number, purpose, scale));
            let (report, wish) = match self.run(&run, is_first, watcher)? {
                Ok(ended) => ended,
                Err(halt) => return Ok(Some(halt)),
            };
            spent.requests += report.requests.sent;
            spent.bytes += report.body_bytes;
            let trial = self.judged(&settings, purpose, number, &report, wish);
            watcher.ended(&trial, &report);
            let outcome = trial.outcome;
            trials.push(trial);
            search.observe(match outcome {
                TrialOutcome::Held => Outcome::Held,
                TrialOutcome::Failed => Outcome::Failed,
                TrialOutcome::NotValid => Outcome::NotValid,
                TrialOutcome::Cut if wish > Wish::GoOn => return Ok(Some(Halt::Interrupted)),
                TrialOutcome::Cut => {
                    let stopped = report.stopped.map_or(String::new(), |stopped| stopped.rule);
                    return Ok(Some(Halt::Spent(stopped)));
                }
            });
        }
        Ok(None)
    }

    /// Sends a hundredth of the lowest load, and ends the search if half of that fails.
    fn be_careful(
        &self,
        clock: Clock,
        spent: &mut Spent,
        watcher: &mut dyn Watcher,
    ) -> Result<Option<Halt>, Error> {
        let mut settings = self.settings.trial(self.settings.from, 0, self.settings.run.safety.budget);
        settings.safety.canary = Some(self.canary);
        settings.warm_up = Duration::ZERO;
        settings.schedule.duration = Some(self.canary);
        let run = Run::prepare_for(self.profile, &settings, &self.destination)?;
        let mut upcoming = self.upcoming(0, Purpose::Climb, self.settings.from);
        upcoming.duration_s = self.canary.as_secs_f64();
        upcoming.requests_per_s *= canary::SHARE;
        watcher.begins(&upcoming);
        let (report, wish) = match self.run(&run, true, watcher)? {
            Ok(ended) => ended,
            Err(halt) => return Ok(Some(halt)),
        };
        spent.requests += report.requests.sent;
        spent.bytes += report.body_bytes;
        Ok(match report.stopped {
            Some(stopped) if stopped.by == StoppedBy::Budget => Some(Halt::Spent(stopped.rule)),
            Some(stopped) => Some(Halt::Canary(format!("{}: {}", stopped.rule, stopped.found))),
            None if wish > Wish::GoOn => Some(Halt::Interrupted),
            None => self.left(clock, spent).err().map(Halt::Spent),
        })
    }

    fn upcoming(&self, number: usize, purpose: Purpose, scale: f64) -> Upcoming {
        Upcoming {
            number,
            purpose,
            scale,
            requests_per_s: self.requests_per_s(scale),
            duration_s: (self.settings.warm_up + self.settings.trial).as_secs_f64(),
        }
    }

    fn is_impossible(&self, outline: &Outline) -> bool {
        let keep_alive = self.settings.run.wire.keep_alive;
        self.settings.machine.is_some_and(|machine| !obstacles(outline, keep_alive, &machine).is_empty())
    }

    /// What is left of the budget; what ran out, as the command line calls it, if nothing is.
    fn left(&self, clock: Clock, spent: &Spent) -> Result<Budget, String> {
        let Budget { requests, bytes, time } = self.settings.run.safety.budget;
        let of = |most: Option<u64>, spent: u64, name: &str| match most.map(|most| most.saturating_sub(spent))
        {
            Some(0) => Err(name.to_owned()),
            left => Ok(left),
        };
        let elapsed = Duration::from_nanos(clock.now_ns());
        let time = match time.map(|most| most.saturating_sub(elapsed)) {
            Some(Duration::ZERO) => return Err("--budget-time".to_owned()),
            left => left,
        };
        Ok(Budget {
            requests: of(requests, spent.requests, "--budget-requests")?,
            bytes: of(bytes, spent.bytes, "--budget-bytes")?,
            time,
        })
    }

    /// Waits until the target has rested, and says what is wished meanwhile.
    fn rest(&self, watcher: &mut dyn Watcher) -> Wish {
        let clock = Clock::start();
        loop {
            let left = self.settings.rest.saturating_sub(Duration::from_nanos(clock.now_ns()));
            let wish = watcher.rests(left);
            if wish > Wish::GoOn || left.is_zero() {
                return wish;
            }
            thread::sleep(left.min(LOOK_EVERY));
        }
    }

    /// Runs a trial. A target that did not survive the one before gets some more rests to come back.
    fn run(
        &self,
        run: &Run<'_>,
        is_first: bool,
        watcher: &mut dyn Watcher,
    ) -> Result<Result<(RunReport, Wish), Halt>, Error> {
        let mut rests = 0;
        loop {
            let mut wishes = Wishes { watcher: &mut *watcher, strongest: Wish::GoOn };
            match run.execute(&mut wishes) {
                Ok(report) => return Ok(Ok((report, wishes.strongest))),
                Err(error) if is_first => return Err(error),
                Err(error) => {
                    let may_come_back = matches!(
                        error,
                        Error::Unreachable { .. } | Error::Socket { .. } | Error::Probe { .. }
                    );
                    if !may_come_back {
                        return Ok(Err(Halt::Broken(error.to_string())));
                    }
                    if rests == RECOVERIES {
                        return Ok(Err(Halt::Gone(error.to_string())));
                    }
                }
            }
            rests += 1;
            if self.rest(watcher) > Wish::GoOn {
                return Ok(Err(Halt::Interrupted));
            }
        }
    }
}

/// The highest scale that may be tried, and what bounds it, in words; `lowest` is the plan of the lowest.
fn bound(
    profile: &Profile,
    settings: &CapacitySettings,
    lowest: &Outline,
    is_loopback: bool,
) -> Result<(f64, String), Error> {
    let CapacitySettings { from, to, .. } = *settings;
    let per_scale = lowest.peak_sessions_per_s / from;
    match (to, ceiling::factor(&settings.run.safety, is_loopback)) {
        (None, None) => Ok((HIGHEST_SCALE, "the highest scale that there is".to_owned())),
        (Some(to), factor) => {
            factor.map_or(Ok(()), |factor| ceiling::check(per_scale * to, profile, factor))?;
            Ok((to, "`--to`".to_owned()))
        }
        (None, Some(factor)) => {
            let peak = profile.arrivals.curve().ok_or(Error::Profile)?.peak().0;
            let highest = (factor * peak / per_scale).clamp(from, HIGHEST_SCALE);
            Ok((highest, format!("{factor} times the profile's peak, the ceiling (`--raise-ceiling`)")))
        }
    }
}

/// Passes on what happens in a trial, and remembers what was wished.
struct Wishes<'a> {
    watcher: &'a mut dyn Watcher,
    strongest: Wish,
}

impl Observer for Wishes<'_> {
    fn progress(&mut self, progress: &Progress) -> Wish {
        let wish = self.watcher.progress(progress);
        self.strongest = self.strongest.max(wish);
        wish
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::parse;
    use crate::config::Settings;
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;

    /// A search of the example's load against a machine of TEST-NET-3, which is not asked.
    fn prepare(edit: impl Fn(&mut CapacitySettings)) -> Result<[f64; 2], Error> {
        let profile = from_yaml(EXAMPLE).unwrap();
        let mut settings = CapacitySettings {
            run: Settings {
                target: "http://203.0.113.9".to_owned(),
                allow_targets: vec!["203.0.113.9".to_owned()],
                thresholds: vec![parse("p99(response_time) < 200ms").unwrap()],
                ..Settings::default()
            },
            from: 1.0,
            trial: Duration::from_secs(600),
            ..CapacitySettings::default()
        };
        edit(&mut settings);
        Capacity::prepare(&profile, &settings).map(|capacity| {
            assert_eq!(capacity.canary(), Duration::from_secs(30));
            capacity.range()
        })
    }

    #[test]
    fn the_ceiling_bounds_what_is_tried() {
        #[track_caller]
        fn check(found: Result<[f64; 2], Error>, highest: f64) {
            let [from, to] = found.unwrap();
            assert!((from - 1.0).abs() < 1e-12 && (to / highest - 1.0).abs() < 1e-3, "{from} {to}");
        }
        check(prepare(|_| {}), 2.0);
        check(prepare(|settings| settings.run.safety.ceiling = Some(8.0)), 8.0);
        check(prepare(|settings| settings.to = Some(1.5)), 1.5);
        let refused = prepare(|settings| settings.to = Some(3.0)).unwrap_err();
        assert!(matches!(refused, Error::Ceiling { .. }), "{refused}");
        let refused = prepare(|settings| settings.from = 3.0).unwrap_err();
        assert!(matches!(refused, Error::Ceiling { .. }), "{refused}");
        let refused = prepare(|settings| settings.run.allow_targets.clear()).unwrap_err();
        assert!(matches!(refused, Error::TargetRefused { .. }), "{refused}");
    }
}
