//! `analyzer tally`: a part of a log, for `analyzer merge`.

use std::path::PathBuf;

use anyhow::Error;
use clap::Args;

use super::flags::{GeoFlags, InputFlags, ModelFlags, settings};
use super::{Outcome, profile, progress, say};
use crate::part::Shard;
use crate::privacy::key::{Key, others_can_read};

/// Count a part of a log, to be merged with others.
///
/// A part holds pseudonyms of clients and no addresses, but also words of paths that few asked for: it is material to
/// work with, written for its owner alone. The profile that `merge` makes of parts is the one that a single run would
/// make.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  head -c 32 /dev/urandom > key && chmod 600 key
  analyzer tally access.log.1.gz --key-file key -o 1.tally
  analyzer tally access.log.2.gz --key-file key -o 2.tally
  analyzer merge 1.tally 2.tally -o profile.yaml

By clients instead of files, each machine reading everything:
  analyzer tally logs/ --key-file key --shard 1/8 -o 1.tally

Logs that tell of the same requests, such as those of a CDN and of the server behind it, belong in one part.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: InputFlags,
    #[command(flatten)]
    model: ModelFlags,
    #[command(flatten)]
    geo: GeoFlags,
    /// The secret that clients are told apart under, the same for all parts: 32 bytes, or 64 hexadecimal digits
    ///
    /// Whoever has it can test whether an address is in a part. Destroy it when the parts are merged.
    #[arg(long, value_name = "FILE", help_heading = "Privacy")]
    key_file: PathBuf,
    /// Keep the clients of one shard, such as 1/8
    #[arg(long, value_name = "K/OF", default_value_t = Shard::ALL)]
    shard: Shard,
    /// Where the part goes
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    output: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Error> {
    let mut settings = settings(&arguments.input, &arguments.model)?;
    settings.read.countries = arguments.geo.countries()?;
    let key = Key::from_file(&arguments.key_file)?;
    if others_can_read(&arguments.key_file) {
        say(&format!(
            "warning: others can read the key in `{path}`, and test with it who is in a part\n  hint: chmod 600 {path}",
            path = arguments.key_file.display()
        ));
    }
    let bar = progress::bar(&settings.read.inputs, arguments.input.quiet);
    let tallied = crate::tally(&settings, &key, arguments.shard, &arguments.output, &|bytes| bar.inc(bytes));
    bar.finish_and_clear();
    let reading = tallied?;
    if !arguments.input.quiet {
        let requests = reading.counts.requests;
        say(&format!("{requests} requests read; part written to {}", arguments.output.display()));
    }
    Ok(profile::verdict(&reading, &arguments.input))
}
