//! `analyzer events`: the canonical requests without anybody in them, one JSON object per line.

use std::io::{self, Read as _, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Error};
use clap::{Args, ValueEnum};

use super::flags::{InputFlags, ModelFlags, settings};
use super::{Outcome, profile, progress, say};
use crate::events::write_ndjson;

/// Write the requests of logs without anybody in them, one per line.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  analyzer events access.log -o events.ndjson")]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: InputFlags,
    #[command(flatten)]
    model: ModelFlags,
    /// Where the events go; `-` is standard output
    #[arg(long, short, value_name = "FILE", default_value = "-", help_heading = "Output")]
    output: PathBuf,
    /// How events are written
    #[arg(long, value_enum, default_value = "ndjson", help_heading = "Output")]
    format: EventFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EventFormat {
    /// One JSON object per line
    Ndjson,
}

pub(crate) fn run(arguments: Arguments) -> Result<Outcome, Error> {
    let EventFormat::Ndjson = arguments.format;
    let mut settings = settings(&arguments.input, &arguments.model)?;
    // Routes are known only when all lines were seen, so the lines are read twice.
    for input in settings.read.inputs.iter().filter(|input| input.as_os_str() != "-" && input.exists()) {
        if !input.is_file() && !input.is_dir() {
            anyhow::bail!(
                "cannot read `{}` twice\n  found: a pipe or a device\n  expected: a file or a directory\n  hint: send it to standard input, and give `-` as the input",
                input.display()
            );
        }
    }
    if settings.read.inputs.iter().any(|input| input.as_os_str() == "-") {
        let mut held = Vec::new();
        io::stdin().read_to_end(&mut held).context("cannot read standard input")?;
        settings.read.stdin = Some(Arc::from(held));
    }
    let bar = progress::bar(&settings.read.inputs, arguments.input.quiet);
    let write = |out: &mut dyn Write| write_ndjson(&settings, out, &|bytes| bar.inc(bytes / 2));
    let result = if arguments.output.as_os_str() == "-" {
        write(&mut io::stdout().lock())
    } else {
        shared::io::replace(&arguments.output, write)
    };
    bar.finish_and_clear();
    let (reading, written) = result?;
    if !arguments.input.quiet {
        say(&format!("{written} events written"));
    }
    Ok(profile::verdict(&reading, &arguments.input))
}
