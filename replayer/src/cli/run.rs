//! `replayer run`.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use replayer::condition::{self, Condition};
use replayer::config::StartAt;
use replayer::plan::Outline;
use replayer::report::{self, RunReport};
use replayer::{Observer, Progress, Run, Settings, StoppedBy, Wish};
use shared::units::parse_duration;

use super::limits;
use super::output::{Format, OutputFlags, say};
use super::schedule::ScheduleFlags;
use super::sending::SendingFlags;
use super::signals::Interrupts;

/// Flags of `run`.
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// The profile, or the events of a trace
    profile: PathBuf,
    #[command(flatten)]
    sending: SendingFlags,
    #[command(flatten)]
    schedule: ScheduleFlags,
    /// How long sessions that have begun may go on after the last one has started
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "30s", help_heading = "Sending")]
    drain: Duration,
    /// When to start, in RFC 3339 or Unix seconds, so that several processes start together
    #[arg(long, value_name = "WHEN", value_parser = parse_moment, help_heading = "Sharing")]
    start_at: Option<Duration>,
    /// Join the others where they are if that is over; what was missed counts as lost
    #[arg(long, requires = "start_at", help_heading = "Sharing")]
    join_late: bool,
    /// How long requests are sent at first that no threshold counts
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s", help_heading = "Verdict")]
    warm_up: Duration,
    /// Condition that the run must meet, such as `p95(response_time) < 2 x baseline` or `error_rate < 1% on ENDPOINT`;
    /// repeat it for several
    #[arg(long, value_name = "CONDITION", value_parser = parse_condition, help_heading = "Verdict")]
    threshold: Vec<Condition>,
    #[command(flatten)]
    output: OutputFlags,
    /// Directory for results.json and the interval log; it is made if there is none
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    out: Option<PathBuf>,
    /// No plan and no progress on stderr
    #[arg(long, help_heading = "Output")]
    quiet: bool,
}

/// Sends the load and writes the result.
pub(super) fn run(flags: Flags) -> anyhow::Result<ExitCode> {
    let schedule = flags.schedule.schedule()?;
    let trace = match flags.schedule.trace {
        true => Some(Arc::new(super::read_trace(&flags.profile, schedule.seed)?)),
        false => None,
    };
    let profile = match &trace {
        Some(trace) => trace.profile.clone(),
        None => super::read_profile(&flags.profile)?,
    };
    let dry_run = flags.sending.dry_run;
    let methods = flags.schedule.traffic.allow_method;
    let settings = Settings {
        drain: flags.drain,
        warm_up: flags.warm_up,
        start_at: flags.start_at.map(|since_epoch| StartAt { since_epoch, join_late: flags.join_late }),
        thresholds: flags.threshold,
        interval_log: flags.out.as_ref().map(|directory| directory.join(replayer::intervals::FILE_NAME)),
        ..flags.sending.settings(&profile, &flags.profile, schedule, methods)?
    };
    let run = match &trace {
        Some(trace) => Run::prepare_trace(trace, &settings)?,
        None => Run::prepare(&profile, &settings)?,
    };
    let outline = run.outline();
    warn_of_plan(outline);
    warn_of_too_few_files(outline, settings.wire.keep_alive);
    if !flags.quiet || dry_run {
        say(&format!("target     {}\n{}", settings.target, report::outline(outline)));
    }
    super::machine::refuse_the_impossible(outline, &settings)?;
    if dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(directory) = &flags.out {
        // Before the run rather than after it: an hour of load must not end in a missing permission.
        fs_err::create_dir_all(directory)?;
    }
    let mut watcher = Watcher {
        interrupts: Interrupts::watch().context("cannot watch for Ctrl-C")?,
        bar: bar(outline.duration_s, flags.quiet),
    };
    let report = run.execute(&mut watcher)?;
    watcher.bar.finish_and_clear();
    if let Some(directory) = &flags.out {
        fs_err::write(directory.join("results.json"), report::json(&report))?;
    }
    flags.output.write(&match flags.output.format {
        Format::Text => report::text(&report),
        Format::Json => report::json(&report),
    })?;
    Ok(exit_code(&report))
}

/// A moment as time since the Unix epoch.
fn parse_moment(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("found `{text}`, expected a moment such as `2026-11-02T20:30:00Z`, or Unix seconds");
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).map_err(|_| wrong());
    }
    let moment: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
    moment.as_duration().try_into().map_err(|_| wrong())
}

/// Says what is left out of the profile, and what of the plan is unlike production: never silently.
pub(super) fn warn_of_plan(outline: &Outline) {
    outline.artificial.iter().for_each(|hides| say(&format!("warning: {hides}")));
    if let Some(flattening) = outline.flattening.filter(|flattening| flattening.is_notable()) {
        say(&format!(
            "warning: at speedup {} the requests keep {:.2} of the day's swing\n  \
             hint: sessions last as long as ever; a slower day blurs less",
            outline.speedup, flattening.amplitude_kept
        ));
    }
    if !outline.not_replayed.is_empty() {
        let parts = outline.not_replayed.join("`, `");
        say(&format!("warning: this version does not replay these parts of the profile: `{parts}`"));
    }
}

/// Says when the system will refuse connections before the target does.
pub(super) fn warn_of_too_few_files(outline: &Outline, keep_alive: Duration) {
    let needed = outline.peak_connections(keep_alive) * ABOVE_MEAN;
    if let Some(files) = limits::raise_open_files().filter(|files| *files < needed) {
        say(&format!(
            "warning: {needed:.0} connections may be open at once, but only {files:.0} files can be\n  \
             hint: raise the limit (`ulimit -n`), or lower `--scale`"
        ));
    }
}

/// Room above the mean number of connections: Poisson numbers of a hundred or more stay below, with other files.
const ABOVE_MEAN: f64 = 1.5;

pub(super) fn parse_condition(text: &str) -> Result<Condition, condition::Malformed> {
    condition::parse(text)
}

/// A load that was not the planned one says nothing, not even that a threshold was met.
fn exit_code(report: &RunReport) -> ExitCode {
    let incomplete = report.interval_log.as_ref().is_some_and(|log| log.lost > 0);
    let stopped = report.stopped.as_ref().map(|stopped| stopped.by);
    if report.interrupted {
        ExitCode::from(super::INTERRUPTED)
    } else if matches!(stopped, Some(StoppedBy::Rule | StoppedBy::Canary)) {
        ExitCode::from(super::NEGATIVE)
    } else if !report.verdict.valid {
        ExitCode::from(super::NOT_VALID)
    } else if incomplete || report.thresholds.iter().any(|threshold| !threshold.met) {
        ExitCode::from(super::NEGATIVE)
    } else {
        ExitCode::SUCCESS
    }
}

/// What is wished, when Ctrl-C came `times`.
pub(super) fn wish(times: usize) -> Wish {
    match times {
        0 => Wish::GoOn,
        1 => Wish::Drain,
        _ => Wish::Cut,
    }
}

/// How far a run is.
pub(super) fn in_words(progress: &Progress) -> String {
    format!(
        "{} sessions, {} sent, {} in flight, {} failed, {} dropped",
        progress.sessions, progress.sent, progress.in_flight, progress.failed, progress.dropped
    )
}

/// Draws the progress, and turns Ctrl-C into a wish.
struct Watcher {
    interrupts: Interrupts,
    bar: ProgressBar,
}

impl Observer for Watcher {
    fn progress(&mut self, progress: &Progress) -> Wish {
        self.bar.set_position((progress.elapsed_s * 1e3) as u64);
        self.bar.set_message(in_words(progress));
        wish(self.interrupts.count())
    }
}

/// A bar over `duration_s`, in milliseconds; an invisible one where nobody would see it.
pub(super) fn bar(duration_s: f64, quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{wide_bar} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new((duration_s * 1e3) as u64).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_as_people_and_schedulers_write_them() {
        let found = ["1793651400", "1793651400.25", "2026-11-02T20:30:00Z", "2026-11-02T21:30:00.250+01:00"]
            .map(|text| parse_moment(text).map(|moment| moment.as_millis()));
        let second = 1_793_651_400_000;
        assert_eq!(found, [Ok(second), Ok(second + 250), Ok(second), Ok(second + 250)]);
        for text in ["", "soon", "2026-11-02", "20:30", "-5"] {
            assert!(parse_moment(text).is_err(), "{text}");
        }
    }
}
