//! `replayer capacity`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use indicatif::ProgressBar;
use replayer::capacity::{Capacity, CapacitySettings, Purpose, Upcoming, Watcher};
use replayer::condition::Condition;
use replayer::report::{self, CapacityReport, Conclusion, RunReport, Trial};
use replayer::{Progress, Settings, Wish};
use shared::units::{format_duration, parse_duration};

use super::output::{Format, OutputFlags, say};
use super::run::{bar, in_words, parse_condition, warn_of_plan, warn_of_too_few_files, wish};
use super::schedule::TrafficFlags;
use super::sending::SendingFlags;
use super::signals::Interrupts;

/// Flags of `capacity`.
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// The profile
    profile: PathBuf,
    #[command(flatten)]
    sending: SendingFlags,
    /// Condition that must hold, such as `p99(response_time) < 200ms` or `error_rate < 1% on ENDPOINT`; repeat it for
    /// several; those of the profile count as well
    #[arg(long, value_name = "CONDITION", value_parser = parse_condition, help_heading = "Search")]
    threshold: Vec<Condition>,
    /// Lowest load, as a multiple of the profile's peak
    #[arg(long, value_name = "SCALE", default_value_t = 0.1, help_heading = "Search")]
    from: f64,
    /// Highest load
    ///
    /// Default: twice the profile's peak, or `--raise-ceiling`, against other machines; no end against this one.
    #[arg(long, value_name = "SCALE", help_heading = "Search")]
    to: Option<f64>,
    /// How finely loads are told apart
    #[arg(long, value_name = "SHARE", value_parser = parse_share, default_value = "5%", help_heading = "Search")]
    resolution: f64,
    /// How often the load that was found must hold again
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "Search")]
    confirm: u32,
    /// How long each trial lasts, the warm-up not counted
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "60s", help_heading = "Search")]
    trial: Duration,
    /// How long each load is sent before it counts
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "15s", help_heading = "Search")]
    warm_up: Duration,
    /// How long nothing is sent between two trials
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "10s", help_heading = "Search")]
    rest: Duration,
    #[command(flatten)]
    traffic: TrafficFlags,
    #[command(flatten)]
    output: OutputFlags,
    /// Directory for capacity.json, and the result of each trial as soon as it is over; it is made if there is none
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    out: Option<PathBuf>,
    /// No plan and no progress on stderr
    #[arg(long, help_heading = "Output")]
    quiet: bool,
}

/// Searches, and writes what was found.
pub(super) fn capacity(flags: Flags) -> anyhow::Result<ExitCode> {
    let profile = super::read_profile(&flags.profile)?;
    let (schedule, methods) = (flags.traffic.schedule(), flags.traffic.allow_method);
    let dry_run = flags.sending.dry_run;
    let run = flags.sending.settings(&profile, &flags.profile, schedule, methods)?;
    let settings = CapacitySettings {
        machine: Some(super::machine::machine(&run)),
        run: Settings { thresholds: flags.threshold, ..run },
        from: flags.from,
        to: flags.to,
        resolution: flags.resolution,
        confirmations: flags.confirm,
        trial: flags.trial,
        warm_up: flags.warm_up,
        rest: flags.rest,
    };
    let capacity = Capacity::prepare(&profile, &settings)?;
    warn_of_plan(capacity.outline());
    warn_of_too_few_files(capacity.outline(), settings.run.wire.keep_alive);
    if !flags.quiet || dry_run {
        say(&preview(&capacity, &settings));
    }
    super::machine::refuse_the_impossible(capacity.outline(), &settings.run)?;
    if dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(directory) = &flags.out {
        fs_err::create_dir_all(directory)?;
    }
    let mut watcher = Trials {
        interrupts: Interrupts::watch().context("cannot watch for Ctrl-C")?,
        quiet: flags.quiet,
        bar: ProgressBar::hidden(),
        directory: flags.out.as_deref(),
        failed_to_write: None,
    };
    let report = capacity.execute(&mut watcher)?;
    watcher.bar.finish_and_clear();
    if let Some(directory) = &flags.out {
        fs_err::write(directory.join("capacity.json"), report::json(&report))?;
    }
    flags.output.write(&match flags.output.format {
        Format::Text => report::capacity_text(&report),
        Format::Json => report::json(&report),
    })?;
    match watcher.failed_to_write {
        Some(error) => Err(error.into()),
        None => Ok(exit_code(&report)),
    }
}

/// What is going to be sent, before anything is.
fn preview(capacity: &Capacity<'_>, settings: &CapacitySettings) -> String {
    let [from, to] = capacity.range();
    let [lowest, highest] = [from, to].map(|scale| capacity.requests_per_s(scale));
    let mut lines = vec![format!("target     {}", settings.run.target)];
    lines.extend(capacity.conditions().iter().map(|condition| format!("condition  {condition}")));
    lines.push(format!(
        "scales     {} ({lowest:.3} requests/s) to at most {} ({highest:.3} requests/s)",
        shared::units::round_significant(from, 3),
        shared::units::round_significant(to, 3)
    ));
    lines.push(format!(
        "trials     {} each, {} before it counts, {} of rest; 10 to 25 as a rule",
        format_duration(settings.trial),
        format_duration(settings.warm_up),
        format_duration(settings.rest)
    ));
    if !capacity.canary().is_zero() {
        lines.push(format!("canary     {} at 1 % of the lowest load", format_duration(capacity.canary())));
    }
    lines.push(format!("seed       {}", settings.run.schedule.seed));
    lines.join("\n")
}

fn exit_code(report: &CapacityReport) -> ExitCode {
    if report.interrupted {
        return ExitCode::from(super::INTERRUPTED);
    }
    match report.conclusion {
        Conclusion::Found | Conclusion::NeverFailed => ExitCode::SUCCESS,
        Conclusion::NeverHeld | Conclusion::TargetGone => ExitCode::from(super::NEGATIVE),
        Conclusion::GeneratorLimit | Conclusion::Unfinished => ExitCode::from(super::NOT_VALID),
    }
}

/// A share such as `5%` or `0.05`.
fn parse_share(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.trim().strip_suffix('%') {
        Some(percent) => (percent.trim(), 0.01),
        None => (text.trim(), 1.0),
    };
    let wrong = |_| format!("found `{text}`, expected a share such as `5%`");
    number.parse::<f64>().map(|number| number * unit).map_err(wrong)
}

/// Tells of each trial on stderr, keeps its result, and turns Ctrl-C into a wish.
struct Trials<'a> {
    interrupts: Interrupts,
    quiet: bool,
    bar: ProgressBar,
    directory: Option<&'a Path>,
    failed_to_write: Option<std::io::Error>,
}

impl Watcher for Trials<'_> {
    fn begins(&mut self, trial: &Upcoming) {
        self.bar = bar(trial.duration_s, self.quiet);
        if !self.quiet {
            let why = match trial.purpose {
                _ if trial.number == 0 => "the canary",
                Purpose::Climb => "up",
                Purpose::Bisect => "between what held and what failed",
                Purpose::Confirm => "does it hold again",
                Purpose::Doubt => "does it fail again",
            };
            let scale = shared::units::round_significant(trial.scale, 3);
            let rate = shared::units::round_significant(trial.requests_per_s, 3);
            say(&format!("trial {:<3} scale {scale}, {rate} requests/s: {why}", trial.number));
        }
    }

    fn progress(&mut self, progress: &Progress) -> Wish {
        self.bar.set_position((progress.elapsed_s * 1e3) as u64);
        self.bar.set_message(in_words(progress));
        wish(self.interrupts.count())
    }

    fn rests(&mut self, _left: Duration) -> Wish {
        self.bar.finish_and_clear();
        wish(self.interrupts.count())
    }

    fn ended(&mut self, trial: &Trial, report: &RunReport) {
        self.bar.finish_and_clear();
        if !self.quiet {
            say(&format!("          {}", trial.in_words()));
        }
        if let Some(directory) = self.directory {
            let path = directory.join(format!("trial-{:02}.json", trial.number));
            if let Err(error) = fs_err::write(path, report::json(report)) {
                self.failed_to_write.get_or_insert(error);
            }
        }
    }
}
