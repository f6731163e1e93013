//! `analyzer events`: the canonical requests without anybody in them, as lines of JSON or as a table.

use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Error};
use clap::{Args, ValueEnum};

use super::flags::{InputFlags, ModelFlags, settings};
use super::{Outcome, profile, progress, say};
use crate::events::{self, Format};

/// Write the requests of logs without anybody in them, one per line.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  analyzer events access.log -o events.ndjson
  analyzer events access.log -o events.parquet")]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: InputFlags,
    #[command(flatten)]
    model: ModelFlags,
    /// Where the events go; `-` is standard output
    #[arg(long, short, value_name = "FILE", default_value = "-", help_heading = "Output")]
    output: PathBuf,
    /// How events are written [default: by the file's extension, else ndjson]
    #[arg(long, value_enum, help_heading = "Output")]
    format: Option<FormatName>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    /// One JSON object per line
    Ndjson,
    /// A table of text
    Csv,
    /// A table in columns
    Parquet,
}

impl FormatName {
    fn of_extension(path: &Path) -> Option<Self> {
        let extension = path.extension()?;
        let known = [("csv", Self::Csv), ("parquet", Self::Parquet), ("ndjson", Self::Ndjson)];
        known.into_iter().find(|(name, _)| extension.eq_ignore_ascii_case(name)).map(|(_, format)| format)
    }

    fn format(self) -> Format {
        match self {
            Self::Ndjson => Format::Ndjson,
            Self::Csv => Format::Csv,
            Self::Parquet => Format::Parquet,
        }
    }
}

pub(crate) fn run(arguments: Arguments) -> Result<Outcome, Error> {
    let format = arguments.format.or_else(|| FormatName::of_extension(&arguments.output));
    let format = format.map_or(Format::Ndjson, FormatName::format);
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
    let write = |out: &mut dyn Write| events::write(&settings, format, out, &|bytes| bar.inc(bytes / 2));
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
