//! What a search came to: the loads that bound the answer, and why it ended.

use super::RECOVERIES;
use super::search::{self, End, Search, Step};
use super::settings::{CapacitySettings, fewest_requests};
use crate::report::{Bound, CapacityReport, Conclusion, Trial, TrialOutcome, TrialSettings};

/// What keeps a search from going on.
pub(super) enum Halt {
    /// Somebody ended it.
    Interrupted,
    /// What had been granted is spent, in words.
    Spent(String),
    /// The small load at the beginning already failed, in words.
    Canary(String),
    /// The target is not there any more, in words.
    Gone(String),
    /// Something else does not work, in words.
    Broken(String),
}

impl super::Capacity<'_> {
    /// The report of `search`, whose `trials` these are, and which `halt` ended if it did not end itself.
    pub(super) fn report(
        &self,
        search: &Search,
        trials: Vec<Trial>,
        halt: Option<Halt>,
        [began_at_s, elapsed_s]: [f64; 2],
    ) -> CapacityReport {
        let [held, failed] = search.bracket().map(|rung| {
            let rung = rung?;
            let (scale, tally) = (self.ladder.scale(rung), search.tally(rung));
            let same = |trial: &&Trial| {
                trial.scale.to_bits() == scale.to_bits()
                    && matches!(trial.outcome, TrialOutcome::Held | TrialOutcome::Failed)
            };
            let sent: Vec<f64> = trials.iter().filter(same).map(|trial| trial.sent_per_s).collect();
            Some(Bound {
                scale,
                sessions_per_s: self.sessions_per_s(scale),
                requests_per_s: self.requests_per_s(scale),
                sent_per_s: sent.iter().sum::<f64>() / sent.len().max(1) as f64,
                held: tally.held,
                failed: tally.failed,
            })
        });
        let interrupted = matches!(halt, Some(Halt::Interrupted));
        let (conclusion, reason) = self.conclusion(search, halt);
        let CapacitySettings { run, resolution, confirmations, trial, warm_up, rest, .. } = &self.settings;
        let [from, to] = self.range();
        CapacityReport {
            replayer: env!("CARGO_PKG_VERSION").to_owned(),
            target: run.target.clone(),
            began_at_s,
            elapsed_s,
            conclusion,
            reason,
            interrupted,
            confirmed: search.is_confirmed(),
            held,
            failed,
            stepped_down: search.stepped_down().iter().map(|rung| self.ladder.scale(*rung)).collect(),
            conditions: self.conditions.iter().map(ToString::to_string).collect(),
            fewest_requests: fewest_requests(&self.conditions),
            settings: TrialSettings {
                seed: run.schedule.seed,
                from,
                to,
                resolution: *resolution,
                confirmations: *confirmations,
                trial_s: trial.as_secs_f64(),
                warm_up_s: warm_up.as_secs_f64(),
                rest_s: rest.as_secs_f64(),
            },
            trials,
        }
    }

    /// What the search came to, and why it ended.
    fn conclusion(&self, search: &Search, halt: Option<Halt>) -> (Conclusion, String) {
        let limit = "the generator, or the machine it runs on, was the limit and not the target";
        match (halt, search.next()) {
            (Some(Halt::Interrupted), _) => (Conclusion::Unfinished, "somebody ended the search".to_owned()),
            (Some(Halt::Spent(what)), _) => (Conclusion::Unfinished, format!("`{what}` was spent")),
            (Some(Halt::Canary(why)), _) => {
                (Conclusion::NeverHeld, format!("a hundredth of the lowest load already failed, in {why}"))
            }
            (Some(Halt::Gone(why)), _) => {
                let rests = format!("{RECOVERIES} rests after a trial the target was not back");
                (Conclusion::TargetGone, format!("{rests}: {why}"))
            }
            (Some(Halt::Broken(why)), _) => (Conclusion::Unfinished, why),
            (None, Step::End(End::Found { .. })) if search.is_limited() => {
                (Conclusion::Found, format!("between the two, {limit}"))
            }
            (None, Step::End(End::Found { .. })) => {
                (Conclusion::Found, "one load held again and again, the next one failed".to_owned())
            }
            (None, Step::End(End::NeverFailed { .. })) if search.is_limited() => {
                (Conclusion::GeneratorLimit, format!("above it {limit}"))
            }
            (None, Step::End(End::NeverFailed { .. })) => {
                (Conclusion::NeverFailed, format!("nothing failed up to {}", self.highest))
            }
            (None, Step::End(End::NeverHeld)) => {
                (Conclusion::NeverHeld, "not even the lowest load held".to_owned())
            }
            (None, Step::End(End::NotValid)) => (Conclusion::GeneratorLimit, limit.to_owned()),
            (None, Step::End(End::TooManyTrials) | Step::Try(..)) => {
                let trials = search::MOST_TRIALS;
                (
                    Conclusion::Unfinished,
                    format!("{trials} trials did not agree: the target is never twice the same"),
                )
            }
        }
    }
}
