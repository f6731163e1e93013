//! `analyzer inspect`: how inputs are understood; writes nothing.

use anyhow::Error;
use clap::Args;

use super::flags::{InputFlags, ModelFlags, OutputFormat, settings};
use super::{Outcome, print, profile, progress};
use crate::privacy::pseudonym::Key;
use crate::report::inspect::inspection;

/// Show the format of logs, what was understood, and what was not.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  analyzer inspect access.log
  analyzer inspect access.log --records 3 --raw --format json")]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: InputFlags,
    #[command(flatten)]
    model: ModelFlags,
    /// Show the first N requests of each input
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Output")]
    records: usize,
    /// Name who made the requests: for the eyes of the one who owns the log
    #[arg(long, help_heading = "Output")]
    raw: bool,
    /// Count clients, statuses, hours, sessions and transitions exactly
    #[arg(long, help_heading = "Output")]
    stats: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: OutputFormat,
}

pub(crate) fn run(arguments: Arguments) -> Result<Outcome, Error> {
    let mut settings = settings(&arguments.input, &arguments.model)?;
    settings.read.records = arguments.records;
    settings.read.raw = arguments.raw;
    // Statistics need all requests, and so do the templates that stand for paths in records.
    settings.read.events = arguments.stats || arguments.records > 0 && !arguments.raw;
    let bar = progress::bar(&settings.read.inputs, arguments.input.quiet);
    let key = Key::ephemeral()?;
    let (inspection, outcome) = crate::threads(settings.read.threads)?.install(|| -> Result<_, Error> {
        let reading = crate::read::read(&settings.read, &key, &|bytes| bar.inc(bytes))?;
        bar.finish_and_clear();
        let outcome = profile::verdict(&reading, &arguments.input);
        Ok((inspection(reading, &settings, arguments.stats)?, outcome))
    })?;
    match arguments.format {
        OutputFormat::Text => print(&inspection.text(&settings.read.identity))?,
        OutputFormat::Json => print(&format!("{}\n", serde_json::to_string_pretty(&inspection)?))?,
    }
    Ok(outcome)
}
