//! `replayer run`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use replayer::plan::Outline;
use replayer::report::{self, RunReport};
use replayer::{Observer, Progress, Run, Settings, StoppedBy, Wish};
use shared::Profile;
use shared::units::parse_duration;

use super::limits;
use super::output::{Format, OutputFlags, say};
use super::safety::SafetyFlags;
use super::schedule::ScheduleFlags;
use super::signals::Interrupts;

/// Flags of `run`.
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// The profile
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
    #[command(flatten)]
    output: OutputFlags,
    /// Directory for results.json; it is made if there is none
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    out: Option<PathBuf>,
    /// No plan and no progress on stderr
    #[arg(long, help_heading = "Output")]
    quiet: bool,
}

/// Sends the load and writes the result.
pub(super) fn run(flags: Flags) -> anyhow::Result<ExitCode> {
    let profile = super::read_profile(&flags.profile)?;
    let settings = Settings {
        target: flags.target,
        allow_targets: flags.allow_target,
        own_production: flags.i_own_this_production,
        feeds: feeds(&profile, &flags.profile, &flags.feed)?,
        safety: flags.safety.safety(),
        allow_methods: flags.schedule.allow_method.clone(),
        schedule: flags.schedule.schedule(),
        timeout: flags.timeout,
        drain: flags.drain,
        max_in_flight: flags.max_in_flight,
        threads: flags.threads,
    };
    let run = Run::prepare(&profile, &settings)?;
    let outline = run.outline();
    warn_of_not_replayed(outline);
    warn_of_too_few_files(outline);
    if !flags.quiet || flags.dry_run {
        say(&format!("target     {}\n{}", settings.target, report::outline(outline)));
    }
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

/// The feeds of `profile`, whose paths are seen from where it is, and those that flags name.
fn feeds(profile: &Profile, path: &Path, flags: &[String]) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let beside = path.parent().unwrap_or(Path::new(""));
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

/// Says which parts of the profile are left out: never silently.
pub(super) fn warn_of_not_replayed(outline: &Outline) {
    if !outline.not_replayed.is_empty() {
        let parts = outline.not_replayed.join("`, `");
        say(&format!("warning: this version does not replay these parts of the profile: `{parts}`"));
    }
}

/// Says when the system will refuse connections before the target does.
fn warn_of_too_few_files(outline: &Outline) {
    let needed = outline.peak_open_sessions * ABOVE_MEAN;
    if let Some(files) = limits::raise_open_files().filter(|files| *files < needed) {
        say(&format!(
            "warning: {needed:.0} connections may be open at once, but only {files:.0} files can be\n  \
             hint: raise the limit (`ulimit -n`), or lower `--scale`"
        ));
    }
}

/// Room above the mean number of open sessions: Poisson numbers of a hundred or more stay below, with other files.
const ABOVE_MEAN: f64 = 1.5;

fn exit_code(report: &RunReport) -> ExitCode {
    let stopped = report.stopped.as_ref().map(|stopped| stopped.by);
    if report.interrupted {
        ExitCode::from(super::INTERRUPTED)
    } else if matches!(stopped, Some(StoppedBy::Rule | StoppedBy::Canary)) {
        ExitCode::from(super::NEGATIVE)
    } else if !report.verdict.valid {
        ExitCode::from(super::NOT_VALID)
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
