//! `replayer intervals`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use replayer::intervals::{FILE_NAME, Intervals};
use replayer::report;

use super::output::{Format, OutputFlags};

/// Flags of `intervals`.
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// Directories that `run --out` wrote to, or the logs themselves: one for each shard of a run
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputFlags,
}

/// Shows what the logs hold.
pub(super) fn intervals(flags: &Flags) -> anyhow::Result<ExitCode> {
    let log = |path: &PathBuf| if path.is_dir() { path.join(FILE_NAME) } else { path.clone() };
    let logs: Vec<PathBuf> = flags.paths.iter().map(log).collect();
    let intervals = Intervals::read(&logs)?;
    flags.output.write(&match flags.output.format {
        Format::Text => intervals.text(),
        Format::Json => report::json(&intervals),
    })?;
    Ok(ExitCode::SUCCESS)
}
