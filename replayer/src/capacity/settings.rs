//! What a search is given, and what each of its trials is.

use std::time::Duration;

use crate::condition::{Comparison, Condition, Metric, Value};
use crate::config::{LONGEST_DURATION, Schedule, Settings, WarmStart};
use crate::error::Error;
use crate::guard::Budget;
use crate::plan::Machine;
use crate::random::{Key, Purpose, Stream};

/// What to search, and how.
#[derive(Debug, Clone)]
pub struct CapacitySettings {
    /// How each trial is run. Of its schedule, scale, duration and seed follow from the search; of the rest of it, warm-up,
    /// drain and interval log do.
    pub run: Settings,
    /// The lowest load, as a multiple of the profile's rates.
    pub from: f64,
    /// The highest; as high as the ceiling lets it, if nothing is said.
    pub to: Option<f64>,
    /// How finely loads are told apart: 0.05 is 5 %.
    pub resolution: f64,
    /// How often a load must hold again to be the answer.
    pub confirmations: u32,
    /// How long each trial lasts, the warm-up not counted.
    pub trial: Duration,
    /// How long each load is sent before it counts.
    pub warm_up: Duration,
    /// How long nothing is sent between two trials.
    pub rest: Duration,
    /// What there is to send with; loads that it cannot send are not tried.
    pub machine: Option<Machine>,
}

impl Default for CapacitySettings {
    fn default() -> Self {
        Self {
            run: Settings::default(),
            from: 0.1,
            to: None,
            resolution: 0.05,
            confirmations: 3,
            trial: Duration::from_secs(60),
            warm_up: Duration::from_secs(15),
            rest: Duration::from_secs(10),
            machine: None,
        }
    }
}

/// The highest scale that a schedule may have.
pub(super) const HIGHEST_SCALE: f64 = 1e6;

impl CapacitySettings {
    /// Checks each value by itself.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first that makes no sense.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |name, found, expected| Err(Error::Setting { name, found, expected });
        let is_scale = |scale: f64| scale.is_finite() && scale > 0.0 && scale <= HIGHEST_SCALE;
        if !is_scale(self.from) {
            return wrong("--from", self.from.to_string(), "a number above 0 and at most 1000000");
        }
        if let Some(to) = self.to.filter(|to| !is_scale(*to) || *to < self.from) {
            return wrong("--to", to.to_string(), "a number that is not below `--from`, at most 1000000");
        }
        if !(0.001..=1.0).contains(&self.resolution) {
            let found = format!("{}%", 100.0 * self.resolution);
            return wrong("--resolution", found, "a share from 0.1% to 100%");
        }
        if !(3..=20).contains(&self.confirmations) {
            return wrong(
                "--confirm",
                self.confirmations.to_string(),
                "3 to 20: once or twice may be chance",
            );
        }
        if self.trial < Duration::from_secs(1) || self.trial > LONGEST_DURATION {
            return wrong("--trial", format!("{:?}", self.trial), "1s to 31d");
        }
        for (name, time) in [("--warm-up", self.warm_up), ("--rest", self.rest)] {
            if time > LONGEST_DURATION {
                return wrong(name, format!("{time:?}"), "at most 31d");
            }
        }
        Ok(())
    }

    /// The settings of the trial with this number.
    pub(super) fn trial(&self, scale: f64, number: u64, budget: Budget) -> Settings {
        let Self { run, trial, warm_up, .. } = self;
        let key = Key { seed: run.schedule.seed, block: number, index: 0 };
        let mut settings = Settings {
            schedule: Schedule {
                scale,
                // As long as every reader of JSON can hold.
                seed: Stream::new(key, Purpose::Trial).bits() >> 11,
                duration: Some(*warm_up + *trial),
                // Sessions last longer than trials: without those under way the load would come too late.
                warm_start: WarmStart::On,
                ..run.schedule.clone()
            },
            warm_up: *warm_up,
            // What comes after the trial is another load, and a target that is overrun must not be kept so.
            drain: Duration::ZERO,
            start_at: None,
            interval_log: None,
            ..run.clone()
        };
        settings.safety.canary = Some(Duration::ZERO);
        settings.safety.budget = budget;
        settings
    }
}

/// Only what more load can break has a highest load.
pub(super) fn check_conditions(conditions: &[Condition]) -> Result<(), Error> {
    let wrong = |found: String, expected| Err(Error::Setting { name: "--threshold", found, expected });
    if conditions.is_empty() {
        return wrong("none".to_owned(), "a condition to search by, such as `p99(response_time) < 200ms`");
    }
    let breaks = |condition: &&Condition| {
        condition.metric != Metric::Rate
            && matches!(condition.comparison, Comparison::Below | Comparison::AtMost)
    };
    match conditions.iter().find(|condition| !breaks(condition)) {
        Some(other) => wrong(
            format!("`{other}`"),
            "conditions that more load can only break: a time or a share with `<`",
        ),
        None => Ok(()),
    }
}

/// Requests that a trial needs so that no condition on its slowest or failed few holds by chance: as many as show one of them
/// with 95 % confidence, were there just as many as the condition allows. It is the least that MLPerf's early stopping takes
/// for a quantile (`early_stopping.cc` in its load generator): `ln 0.05 / ln q`.
pub(super) fn fewest_requests(conditions: &[Condition]) -> u64 {
    const CHANCE: f64 = 0.05;
    let shares = conditions.iter().filter_map(|condition| match (condition.metric, condition.value) {
        (Metric::Quantile(q, _), _) => Some(q),
        (Metric::ErrorRate | Metric::Status(_), Value::Share(share)) => Some(1.0 - share),
        _ => None,
    });
    let needed = shares.filter(|share| *share > 0.0 && *share < 1.0).map(|share| CHANCE.ln() / share.ln());
    needed.fold(0.0, f64::max).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::parse;

    #[test]
    fn each_trial_has_a_seed_of_its_own_that_follows_from_the_search_s() {
        let settings = CapacitySettings::default();
        let seeds: Vec<u64> =
            (0..50).map(|number| settings.trial(1.0, number, Budget::default()).schedule.seed).collect();
        let other = CapacitySettings {
            run: Settings { schedule: Schedule { seed: 2, ..Schedule::default() }, ..Settings::default() },
            ..settings.clone()
        };
        let others = (0..50).map(|number| other.trial(1.0, number, Budget::default()).schedule.seed);
        let mut all: Vec<u64> = seeds.iter().copied().chain(others).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 100);
        assert_eq!(seeds[7], settings.trial(3.0, 7, Budget::default()).schedule.seed);
    }

    #[test]
    fn conditions_say_how_many_requests_they_need() {
        #[track_caller]
        fn check(conditions: &[&str], expected: u64) {
            let conditions: Vec<Condition> = conditions.iter().map(|text| parse(text).unwrap()).collect();
            assert_eq!(fewest_requests(&conditions), expected);
        }
        // The table of MLPerf's inference rules rounds the same formula at 99 % confidence.
        check(&["p50(response_time) < 1s"], 5);
        check(&["p90(response_time) < 1s"], 29);
        check(&["p99(response_time) < 1s", "p50(response_time) < 1s"], 299);
        check(&["error_rate < 1%"], 299);
        check(&["mean(response_time) < 1s", "error_rate <= 0%"], 0);
    }
}
