//! What one trial says about its load.

use super::Purpose;
use crate::config::{Schedule, Settings};
use crate::dispatch::Wish;
use crate::guard::StoppedBy;
use crate::record::Failure;
use crate::report::{RunReport, Trial, TrialOutcome};
use crate::verdict::Cause;

impl super::Capacity<'_> {
    /// What a trial came to.
    pub(super) fn judged(
        &self,
        settings: &Settings,
        purpose: Purpose,
        number: usize,
        report: &RunReport,
        wish: Wish,
    ) -> Trial {
        let outcome = outcome(report, wish);
        let Schedule { scale, seed, .. } = settings.schedule;
        Trial {
            number,
            purpose,
            scale,
            seed,
            sessions_per_s: self.sessions_per_s(scale),
            requests_per_s: self.requests_per_s(scale),
            sent_per_s: sent(report) as f64 / self.settings.trial.as_secs_f64(),
            outcome,
            verdict: report.verdict.clone(),
            exhausted: exhausted(report),
            stopped: report.stopped.clone(),
            thresholds: report.thresholds.clone(),
            response_time_s: report
                .after_warm_up
                .map_or(report.response_time_s, |after| after.response_time_s),
            run: report.run.clone(),
            digest: report.digest.clone(),
            began_at_s: report.began_at_s,
            elapsed_s: report.elapsed_s,
        }
    }
}

/// Requests that were sent and count.
fn sent(report: &RunReport) -> u64 {
    report.after_warm_up.map_or(report.requests.sent, |after| after.sent)
}

/// Requests that failed for want of something that this machine had no more of.
fn exhausted(report: &RunReport) -> u64 {
    report.failures.get(Failure::Exhausted.name()).copied().unwrap_or(0)
}

/// What `report` says of its load. Whatever the generator did wrong says nothing about the target; that the target let too
/// many wait does.
fn outcome(report: &RunReport, wish: Wish) -> TrialOutcome {
    let stopped = report.stopped.as_ref().map(|stopped| stopped.by);
    if wish > Wish::GoOn || stopped == Some(StoppedBy::Budget) {
        TrialOutcome::Cut
    } else if !report.verdict.valid && report.verdict.cause != Some(Cause::Target) || exhausted(report) > 0 {
        TrialOutcome::NotValid
    } else if stopped.is_some()
        || !report.verdict.valid
        || report.thresholds.iter().any(|threshold| !threshold.met)
    {
        TrialOutcome::Failed
    } else {
        TrialOutcome::Held
    }
}
