//! The command line: flags in, library calls, results and exit codes out.

mod capacity;
mod feeds;
mod intervals;
mod limits;
mod machine;
mod output;
mod plan;
mod rank;
mod run;
mod safety;
mod schedule;
mod sending;
mod signals;
mod target;
mod wire;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use replayer::plan::{Form, PARQUET_MAGIC, Trace};
use shared::Profile;

use output::ClosedPipe;

/// Ran, and what came of it is bad: a threshold was missed, a rule stopped it, or not everything could be written.
const NEGATIVE: u8 = 1;
/// Could not run: usage, input, profile, target.
const COULD_NOT_RUN: u8 = 2;
/// The generator did not keep its own plan.
const NOT_VALID: u8 = 3;
/// Somebody ended it early; what there was has been reported.
const INTERRUPTED: u8 = 130;

/// Plays a profile back: the sessions of production, against a service under test.
#[derive(Debug, Parser)]
#[command(name = "replayer", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  replayer target profile.yaml --listen 127.0.0.1:8080 --access-log access.log
  replayer run profile.yaml --target http://127.0.0.1:8080 --window 17:00-19:00 --speedup 24
  replayer capacity profile.yaml --target http://127.0.0.1:8080 --threshold 'p99(response_time) < 200ms'";

#[derive(Debug, Subcommand)]
enum Command {
    /// Send the load.
    Run(Box<run::Flags>),
    /// Search for the highest load at which conditions hold.
    ///
    /// Trials at one load after the other, each with a warm-up before it and a rest after it: up by factors of two until a
    /// condition fails, then between what held and what failed, then the highest that held several times more. Exit code
    /// 0: found, or all loads held; 1: not even the lowest did; 3: the generator was the limit, or the search did not come
    /// to its end.
    Capacity(Box<capacity::Flags>),
    /// Show what `run` would send; sends nothing.
    Plan(Box<plan::Flags>),
    /// Show what the interval log of a run holds, even of one that was killed.
    Intervals(intervals::Flags),
    /// Serve a profile's endpoints as slowly as they were.
    Target(target::Flags),
}

/// Does what the command line says, and says what went wrong.
pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help goes to stdout, usage errors to stderr; if nobody listens there, there is nobody to tell.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { COULD_NOT_RUN } else { 0 });
        }
    };
    let outcome = match arguments.command {
        Command::Run(flags) => run::run(*flags),
        Command::Capacity(flags) => capacity::capacity(*flags),
        Command::Plan(flags) => plan::plan(&flags),
        Command::Intervals(flags) => intervals::intervals(&flags),
        Command::Target(flags) => target::target(flags),
    };
    match outcome {
        Ok(code) => code,
        Err(error) if error.is::<ClosedPipe>() => ExitCode::SUCCESS,
        Err(error) => {
            output::say(&describe(&error));
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// The error with its causes, and what to do about it.
fn describe(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error}");
    for cause in error.chain().skip(1) {
        text.push_str(&format!("\n  caused by: {cause}"));
    }
    let hint = error.chain().find_map(|cause| cause.downcast_ref::<replayer::Error>()?.hint());
    hint.iter().for_each(|hint| text.push_str(&format!("\n  hint: {hint}")));
    text
}

/// Reads the events at `path`, which are to be played as they were.
fn read_trace(path: &Path, seed: u64) -> anyhow::Result<Trace> {
    let mut input = BufReader::new(fs_err::File::open(path)?);
    if input.fill_buf()?.starts_with(PARQUET_MAGIC) {
        return read_parquet(input.into_inner(), path, seed);
    }
    let form = match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Form::Csv,
        Some("ndjson" | "jsonl") => Form::Ndjson,
        _ => anyhow::bail!(
            "`{}`: found another extension, expected `.csv` or `.ndjson`, or a Parquet file\n  \
             hint: write the events with `analyzer events LOG -o LOG.events.csv`",
            path.display()
        ),
    };
    Trace::read(input, form, seed).with_context(|| format!("cannot replay `{}`", path.display()))
}

#[cfg(feature = "parquet")]
fn read_parquet(file: fs_err::File, path: &Path, seed: u64) -> anyhow::Result<Trace> {
    Trace::read_parquet(file.into_parts().0, seed)
        .with_context(|| format!("cannot replay `{}`", path.display()))
}

#[cfg(not(feature = "parquet"))]
fn read_parquet(_: fs_err::File, path: &Path, _: u64) -> anyhow::Result<Trace> {
    anyhow::bail!(
        "`{}`: found a Parquet file, which this build does not read, expected `.csv` or `.ndjson`\n  \
         hint: build with the feature `parquet`, or write the events with `analyzer events LOG -o LOG.events.csv`",
        path.display()
    )
}

/// Reads and checks the profile at `path`.
fn read_profile(path: &Path) -> anyhow::Result<Profile> {
    match shared::io::read(path) {
        // It names the file itself.
        Err(error @ shared::Error::Io { .. }) => Err(error.into()),
        other => other.with_context(|| format!("cannot use profile `{}`", path.display())),
    }
}
