//! `replayer plan`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use replayer::plan::Plan;
use replayer::report;
use replayer::{Feeds, Settings};

use super::feeds::FeedFlags;
use super::output::{Format, OutputFlags};
use super::schedule::ScheduleFlags;

/// Flags of `plan`.
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// The profile, or the events of a trace
    profile: PathBuf,
    #[command(flatten)]
    schedule: ScheduleFlags,
    #[command(flatten)]
    feeds: FeedFlags,
    #[command(flatten)]
    output: OutputFlags,
    /// How many sessions to spell out
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Output")]
    sessions: usize,
}

/// Shows what `run` would send.
pub(super) fn plan(flags: &Flags) -> anyhow::Result<ExitCode> {
    let (schedule, methods) = (flags.schedule.schedule()?, &flags.schedule.traffic.allow_method);
    let (plan, profile) = if flags.schedule.trace {
        let trace = Arc::new(super::read_trace(&flags.profile, schedule.seed)?);
        (Plan::of_trace(Arc::clone(&trace), &schedule, methods)?, trace.profile.clone())
    } else {
        let profile = super::read_profile(&flags.profile)?;
        (Plan::new(&profile, &schedule, methods)?, profile)
    };
    let plan = plan.fed(&Feeds::read(&flags.feeds.files(&profile, &flags.profile)?)?);
    super::run::warn_of_plan(plan.outline());
    let preview = report::Preview::of(&plan, &profile, flags.sessions);
    flags.output.write(&match flags.output.format {
        Format::Text => preview.text(),
        Format::Json => report::json(&preview),
    })?;
    // Whatever `run` is told later: all cores.
    let settings = Settings { threads: usize::MAX, ..Settings::default() };
    super::machine::refuse_the_impossible(plan.outline(), &settings)?;
    Ok(ExitCode::SUCCESS)
}
