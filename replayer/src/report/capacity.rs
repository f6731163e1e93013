//! What a search for the highest load came to, as data and as text.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use shared::units::format_duration;

use super::results::Quantiles;
use super::text::{amount, bounded, wrapped};
use super::thresholds::Threshold;
use crate::capacity::Purpose;
use crate::guard::Stopped;
use crate::verdict::Verdict;

/// What a search for the highest load came to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CapacityReport {
    /// Version of the replayer.
    pub replayer: String,
    /// The target's URL.
    pub target: String,
    /// When the search began, in Unix time.
    pub began_at_s: f64,
    /// How long it took.
    pub elapsed_s: f64,
    /// What was found.
    pub conclusion: Conclusion,
    /// Why the search ended, in words.
    pub reason: String,
    /// Whether somebody ended it early.
    pub interrupted: bool,
    /// Whether the load in `held` has held as often as asked after it had been found.
    pub confirmed: bool,
    /// The highest load at which all conditions held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Bound>,
    /// The lowest load above it at which one did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Bound>,
    /// Scales that had held, and did not when that was to be confirmed.
    pub stepped_down: Vec<f64>,
    /// The conditions, as they read.
    pub conditions: Vec<String>,
    /// Requests that a trial needs so that no condition on its slowest or failed few holds by chance.
    pub fewest_requests: u64,
    /// How the search was made.
    pub settings: TrialSettings,
    /// All trials, in their order.
    pub trials: Vec<Trial>,
}

/// What a search found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// The highest load: it held, and the next one failed.
    Found,
    /// All loads that may be sent held: the highest one is above.
    NeverFailed,
    /// Not even the lowest load held.
    NeverHeld,
    /// The generator came to its end before the target: the highest load is at least what held.
    GeneratorLimit,
    /// The target did not come back after a trial.
    TargetGone,
    /// The search ended before it knew.
    Unfinished,
}

/// A load that bounds the answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Bound {
    /// Multiple of the profile's rates.
    pub scale: f64,
    /// Sessions expected to start per second.
    pub sessions_per_s: f64,
    /// Requests expected per second.
    pub requests_per_s: f64,
    /// Requests sent per second, in the mean over the trials at this load.
    pub sent_per_s: f64,
    /// Trials in which all conditions held.
    pub held: u32,
    /// Trials in which one did not.
    pub failed: u32,
}

/// How a search was made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct TrialSettings {
    /// What the seeds of all trials follow from.
    pub seed: u64,
    /// The lowest scale.
    pub from: f64,
    /// The highest scale.
    pub to: f64,
    /// How finely loads are told apart.
    pub resolution: f64,
    /// How often a load had to hold again.
    pub confirmations: u32,
    /// How long each trial counts.
    pub trial_s: f64,
    /// How long each load is sent before.
    pub warm_up_s: f64,
    /// How long nothing is sent between two trials.
    pub rest_s: f64,
}

/// One trial.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Trial {
    /// Counted from 1.
    pub number: usize,
    /// What it was for.
    pub purpose: Purpose,
    /// Multiple of the profile's rates.
    pub scale: f64,
    /// Its own seed: with it, the scale and the duration, `replayer run` sends the same.
    pub seed: u64,
    /// Sessions expected to start per second.
    pub sessions_per_s: f64,
    /// Requests expected per second.
    pub requests_per_s: f64,
    /// Requests sent per second, after the warm-up.
    pub sent_per_s: f64,
    /// What it came to.
    pub outcome: TrialOutcome,
    /// Whether the load was the one that was planned.
    pub verdict: Verdict,
    /// Requests that failed because this machine had no port, file or memory left: then it is not valid either.
    pub exhausted: u64,
    /// Why it ended early, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
    /// The conditions, and what was found.
    pub thresholds: Vec<Threshold>,
    /// What users would have waited, after the warm-up.
    pub response_time_s: Quantiles,
    /// The value of the header `X-Load-Run` on all its requests.
    pub run: String,
    /// Fingerprint of its sessions.
    pub digest: String,
    /// When it began, in Unix time.
    pub began_at_s: f64,
    /// How long it took, waiting for the last answers included.
    pub elapsed_s: f64,
}

/// What a trial came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrialOutcome {
    /// All conditions held.
    Held,
    /// One did not, or a stop rule came true, or the target let too many wait.
    Failed,
    /// The generator did not keep its plan: it says nothing about the target.
    NotValid,
    /// It was ended before its time, and says nothing.
    Cut,
}

impl Trial {
    /// What it came to, in words: the condition that did not hold, or why it does not count.
    pub fn in_words(&self) -> String {
        let worst = || self.verdict.findings.first().map_or("", |finding| finding.reason.as_str());
        let missed = self.thresholds.iter().find(|threshold| !threshold.met);
        match (self.outcome, &self.stopped, missed) {
            (TrialOutcome::Held, ..) => "held".to_owned(),
            (TrialOutcome::NotValid, ..) if self.exhausted > 0 => {
                format!(
                    "not valid: this machine had nothing left to connect {} requests with",
                    self.exhausted
                )
            }
            (TrialOutcome::NotValid, ..) => format!("not valid: {}", worst()),
            (TrialOutcome::Cut, ..) => "cut".to_owned(),
            (TrialOutcome::Failed, Some(stopped), _) => {
                format!("FAILED: {}, {}", stopped.rule, stopped.found)
            }
            (TrialOutcome::Failed, None, Some(missed)) => {
                format!("FAILED: {} (found {})", missed.condition, missed.found)
            }
            (TrialOutcome::Failed, None, None) => format!("FAILED: {}", worst()),
        }
    }
}

/// The result: the highest load, what bounds it, and every trial.
pub fn capacity_text(report: &CapacityReport) -> String {
    let seconds = |s: f64| format_duration(Duration::from_secs_f64(s.max(0.0)));
    let mut lines = vec![format!(
        "{}, {} trials in {}",
        report.target,
        report.trials.len(),
        seconds(report.elapsed_s.round())
    )];
    if report.interrupted {
        lines.push("INTERRUPTED: the figures cover the trials that came to their end".to_owned());
    }
    lines.push(answer(report));
    if let Some(held) = report.held {
        let again = if report.confirmed { "" } else { ": not confirmed" };
        let of = held.held + held.failed;
        lines.push(format!("held    at {} x in {} of {of} trials{again}", scale_text(held.scale), held.held));
    }
    if let Some(failed) = report.failed {
        let of = failed.held + failed.failed;
        let rate = amount(failed.sent_per_s);
        let scale = scale_text(failed.scale);
        lines.push(format!("failed  at {scale} x, {rate} requests/s, in {} of {of}", failed.failed));
    }
    if !report.stepped_down.is_empty() {
        let scales: Vec<String> = report.stepped_down.iter().map(|scale| scale_text(*scale)).collect();
        let scales = scales.join(", ");
        lines.extend(wrapped(
            "stepped down from ".to_owned(),
            &format!("{scales}, where one trial held and a later one did not"),
        ));
    }
    lines.extend(wrapped("ended   ".to_owned(), &report.reason));
    let of_trial = report.held.map(|held| held.sent_per_s * report.settings.trial_s);
    if let Some(requests) = of_trial.filter(|requests| *requests < report.fewest_requests as f64) {
        let needed = report.fewest_requests;
        let few = format!(
            "a trial had {requests:.0} requests; with fewer than {needed} it may hold by chance: --trial"
        );
        lines.extend(wrapped("FEW: ".to_owned(), &few));
    }
    lines.push(String::new());
    lines.extend(report.conditions.iter().map(|condition| format!("condition  {condition}")));
    let TrialSettings { seed, from, to, resolution, confirmations, trial_s, warm_up_s, rest_s } =
        report.settings;
    lines.push(format!(
        "trials     {} after {} of warm-up, {} of rest, {confirmations} to confirm",
        seconds(trial_s),
        seconds(warm_up_s),
        seconds(rest_s)
    ));
    let percent = shared::units::round_significant(100.0 * resolution, 3);
    lines.push(format!(
        "scales     {} to {}, told apart by {percent} %; seed {seed}",
        scale_text(from),
        scale_text(to)
    ));
    lines.push(String::new());
    lines.push(format!(
        "{:>5}{:>9}{:>10}{:>10}{:>9}{:>9}  outcome",
        "trial", "scale", "due/s", "sent/s", "p50 ms", "p99 ms"
    ));
    for trial in &report.trials {
        let times = &trial.response_time_s;
        let row = format!(
            "{:>5}{:>9}{:>10}{:>10}{:>9}{:>9}  ",
            trial.number,
            scale_text(trial.scale),
            amount(trial.requests_per_s),
            amount(trial.sent_per_s),
            bounded(times, 0.5, times.p50_s),
            bounded(times, 0.99, times.p99_s)
        );
        let words = trial.in_words();
        if words.chars().count() <= 26 {
            lines.push(row + &words);
        } else {
            let (outcome, why) = words.split_once(": ").unwrap_or((&words, ""));
            lines.push(row + outcome);
            lines.extend(wrapped(" ".repeat(7), why));
        }
    }
    lines.push("p50 and p99 are of the response time of what was due after the warm-up.".to_owned());
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The answer in one line.
fn answer(report: &CapacityReport) -> String {
    let held = report.held.map_or("nothing".to_owned(), |held| load(&held));
    match report.conclusion {
        Conclusion::Found => format!("CAPACITY: {held}"),
        Conclusion::NeverFailed => format!("AT LEAST: {held}"),
        Conclusion::GeneratorLimit if report.held.is_some() => format!("AT LEAST: {held}"),
        Conclusion::GeneratorLimit => "NOT KNOWN: the generator came to its end first".to_owned(),
        Conclusion::NeverHeld => "NOT EVEN THE LOWEST LOAD HELD".to_owned(),
        Conclusion::TargetGone => "THE TARGET DID NOT COME BACK".to_owned(),
        Conclusion::Unfinished => format!("UNFINISHED: {held} held so far"),
    }
}

/// A load in words.
fn load(bound: &Bound) -> String {
    format!(
        "{} x the profile, {} requests/s, {} sessions/s",
        scale_text(bound.scale),
        amount(bound.sent_per_s),
        amount(bound.sessions_per_s)
    )
}

/// A scale with three digits that mean something.
fn scale_text(scale: f64) -> String {
    shared::units::round_significant(scale, 3).to_string()
}
