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
    /// The directory that `run --out` wrote to, or the log itself
    path: PathBuf,
    #[command(flatten)]
    output: OutputFlags,
}

/// Shows what the log holds.
pub(super) fn intervals(flags: &Flags) -> anyhow::Result<ExitCode> {
    let path = if flags.path.is_dir() { flags.path.join(FILE_NAME) } else { flags.path.clone() };
    let intervals = Intervals::read(&path)?;
    flags.output.write(&match flags.output.format {
        Format::Text => intervals.text(),
        Format::Json => report::json(&intervals),
    })?;
    Ok(ExitCode::SUCCESS)
}
