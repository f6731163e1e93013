//! `analyzer merge`: parts to a profile.

use std::path::PathBuf;

use anyhow::Error;
use clap::Args;

use super::flags::{FitFlags, event_bytes};
use super::{Outcome, profile};
use crate::settings::{ReadSettings, Settings};

/// Make a profile of parts that `tally` counted.
///
/// It is the profile that `analyzer profile` would make of all their inputs, byte for byte, however they were cut.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  analyzer merge *.tally -o profile.yaml")]
pub(crate) struct Arguments {
    /// Parts, in any order
    #[arg(required = true, value_name = "PART")]
    parts: Vec<PathBuf>,
    #[command(flatten)]
    fit: FitFlags,
    /// Worker threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Memory to stay within, such as 512M [default: half of all]; what does not fit waits in a temporary file (TMPDIR)
    #[arg(long, value_name = "SIZE", value_parser = shared::units::parse_bytes)]
    memory: Option<u64>,
    /// No summary
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
    /// Where the profile goes; `-` is standard output
    #[arg(long, short, value_name = "FILE", default_value = "-", help_heading = "Output")]
    output: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Error> {
    let defaults = ReadSettings::default();
    let read = ReadSettings {
        threads: arguments.threads.map_or(defaults.threads, usize::from),
        event_bytes: event_bytes(arguments.memory),
        ..defaults
    };
    let settings = Settings { read, model: arguments.fit.settings()? };
    let analysis = crate::merge(&arguments.parts, &settings)?;
    profile::write(&analysis.profile, &arguments.output, arguments.quiet)?;
    Ok(profile::complaints(&analysis.reading, arguments.quiet))
}
