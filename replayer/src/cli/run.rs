//! `replayer run`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use replayer::condition::{self, Condition};
use replayer::config::StartAt;
use replayer::plan::Outline;
use replayer::report::{self, RunReport};
use replayer::{Observer, Pace, Progress, Run, Settings, StoppedBy, Wish};
use shared::Profile;
use shared::units::parse_duration;

use super::limits;
use super::output::{Format, OutputFlags, say};
use super::safety::SafetyFlags;
use super::schedule::ScheduleFlags;
use super::signals::Interrupts;
use super::wire::WireFlags;

/// Flags of `run`.
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// The profile, or the events of a trace
    profile: PathBuf,
    /// Where to send, such as `http://127.0.0.1:8080`; a path in it comes before every route
    #[arg(long, value_name = "URL")]
    target: String,
    #[command(flatten)]
    schedule: ScheduleFlags,
    /// Load this host, or machines of this network, although they are not this machine; repeat it or separate several
    /// by commas
    #[arg(long, value_name = "HOST[:PORT]|NETWORK", value_delimiter = ',', help_heading = "Safety")]
    allow_target: Vec<String>,
    /// Load this host although the profile was made from its traffic: type its name again
    #[arg(long, value_name = "HOST", help_heading = "Safety")]
    i_own_this_production: Option<String>,
    /// Values for parameters: a CSV file whose columns are called like them; repeat it
    ///
    /// In templates it is called like the file, or NAME.
    #[arg(long, value_name = "[NAME=]FILE", help_heading = "Sending")]
    feed: Vec<String>,
    #[command(flatten)]
    safety: SafetyFlags,
    /// Show the plan and stop there
    #[arg(long, help_heading = "Safety")]
    dry_run: bool,
    /// Most requests that may wait for an answer at once; what would exceed it is dropped and counted
    #[arg(long, value_name = "N", default_value_t = 10_000, help_heading = "Safety")]
    max_in_flight: usize,
    /// How long one request may take
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "30s", help_heading = "Sending")]
    timeout: Duration,
    /// How long sessions that have begun may go on after the last one has started
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "30s", help_heading = "Sending")]
    drain: Duration,
    /// Event loops, each on a thread of its own
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Sending")]
    threads: usize,
    /// How exactly moments are kept: `spin` within microseconds, for a core's time; `eco` as the kernel wakes
    ///
    /// Where no core is to spare, it is `eco` anyway; the report says which.
    #[arg(long, value_enum, default_value_t = PaceFlag::Spin, help_heading = "Sending")]
    pace: PaceFlag,
    /// Let the system move event loops between cores, also where there is one for each
    #[arg(long, help_heading = "Sending")]
    no_pin: bool,
    #[command(flatten)]
    wire: WireFlags,
    /// When to start, in RFC 3339 or Unix seconds, so that several processes start together
    #[arg(long, value_name = "WHEN", value_parser = parse_moment, help_heading = "Sharing")]
    start_at: Option<Duration>,
    /// Join the others where they are if that is over; what was missed counts as lost
    #[arg(long, requires = "start_at", help_heading = "Sharing")]
    join_late: bool,
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

/// [`Pace`], as the command line spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PaceFlag {
    /// Awake before each moment
    Spin,
    /// Asleep until each moment
    Eco,
}

impl From<PaceFlag> for Pace {
    fn from(flag: PaceFlag) -> Self {
        match flag {
            PaceFlag::Spin => Self::Spin,
            PaceFlag::Eco => Self::Eco,
        }
    }
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
    let beside = flags.profile.parent().unwrap_or(Path::new(""));
    let settings = Settings {
        target: flags.target,
        allow_targets: flags.allow_target,
        own_production: flags.i_own_this_production,
        feeds: feeds(&profile, beside, &flags.feed)?,
        profile_directory: beside.to_owned(),
        safety: flags.safety.safety(),
        allow_methods: flags.schedule.allow_method.clone(),
        schedule,
        timeout: flags.timeout,
        drain: flags.drain,
        max_in_flight: flags.max_in_flight,
        threads: flags.threads,
        wire: flags.wire.settings(),
        pace: flags.pace.into(),
        pin: !flags.no_pin,
        start_at: flags.start_at.map(|since_epoch| StartAt { since_epoch, join_late: flags.join_late }),
        thresholds: flags.threshold,
        interval_log: flags.out.as_ref().map(|directory| directory.join(replayer::intervals::FILE_NAME)),
    };
    let run = match &trace {
        Some(trace) => Run::prepare_trace(trace, &settings)?,
        None => Run::prepare(&profile, &settings)?,
    };
    let outline = run.outline();
    warn_of_plan(outline);
    warn_of_too_few_files(outline, settings.wire.keep_alive);
    if !flags.quiet || flags.dry_run {
        say(&format!("target     {}\n{}", settings.target, report::outline(outline)));
    }
    super::machine::refuse_the_impossible(outline, &settings)?;
    if flags.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(directory) = &flags.out {
        // Before the run rather than after it: an hour of load must not end in a missing permission.
        fs_err::create_dir_all(directory)?;
    }
    let mut watcher = Watcher {
        interrupts: Interrupts::watch().context("cannot watch for Ctrl-C")?,
        bar: bar(outline, flags.quiet),
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

/// The feeds of `profile`, whose paths are seen from the directory that it is in, and those that flags name.
fn feeds(profile: &Profile, beside: &Path, flags: &[String]) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut feeds: BTreeMap<String, PathBuf> =
        profile.feeds.iter().map(|(name, file)| (name.clone(), beside.join(file))).collect();
    for flag in flags {
        let (name, file) = match flag.split_once('=') {
            Some((name, file)) => (name.to_owned(), PathBuf::from(file)),
            None => {
                let file = PathBuf::from(flag);
                let name = file.file_stem().and_then(OsStr::to_str).map(str::to_owned);
                (name.with_context(|| format!("`--feed`: found `{flag}`, expected a file"))?, file)
            }
        };
        feeds.insert(name, file);
    }
    Ok(feeds)
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
fn warn_of_too_few_files(outline: &Outline, keep_alive: Duration) {
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

fn parse_condition(text: &str) -> Result<Condition, condition::Malformed> {
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

/// Draws the progress, and turns Ctrl-C into a wish.
struct Watcher {
    interrupts: Interrupts,
    bar: ProgressBar,
}

impl Observer for Watcher {
    fn progress(&mut self, progress: &Progress) -> Wish {
        self.bar.set_position((progress.elapsed_s * 1e3) as u64);
        self.bar.set_message(format!(
            "{} sessions, {} sent, {} in flight, {} failed, {} dropped",
            progress.sessions, progress.sent, progress.in_flight, progress.failed, progress.dropped
        ));
        match self.interrupts.count() {
            0 => Wish::GoOn,
            1 => Wish::Drain,
            _ => Wish::Cut,
        }
    }
}

/// A bar over the run's duration, in milliseconds; an invisible one where nobody would see it.
fn bar(outline: &Outline, quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{wide_bar} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new((outline.duration_s * 1e3) as u64).with_style(style)
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
