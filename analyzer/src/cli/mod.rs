//! The command line: flags to settings, settings to library calls, results to streams. Thin.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Error;
use clap::{Parser, Subcommand};

mod events;
mod explain;
mod flags;
mod inspect;
mod memory;
mod profile;
mod progress;
mod validate;

/// Access logs in, a profile of the traffic out.
///
/// The profile says how a service is used: endpoint weights, session flows, think times and the arrival curve of a
/// week. It names nobody. `replayer` executes it.
#[derive(Debug, Parser)]
#[command(name = "analyzer", version, max_term_width = 100, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  analyzer inspect access.log
  analyzer profile access.log.gz --from /etc/nginx/nginx.conf -o profile.yaml
  analyzer explain profile.yaml

Exit codes: 0 done, 1 done with a negative verdict, 2 could not run.";

#[derive(Debug, Subcommand)]
enum Command {
    Profile(profile::Arguments),
    Inspect(inspect::Arguments),
    Events(events::Arguments),
    Validate(validate::Arguments),
    Explain(explain::Arguments),
    /// Print the JSON Schema of the profile.
    #[command(after_help = "Example:\n  analyzer schema > profile.schema.json")]
    Schema,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Exit code 0.
    Done,
    /// Exit code 1: it ran, and the answer is no.
    Negative,
}

/// Runs the program and gives its exit code.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            // Nobody listens any more when this fails.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let result = match arguments.command {
        Command::Profile(arguments) => profile::run(arguments),
        Command::Inspect(arguments) => inspect::run(arguments),
        Command::Events(arguments) => events::run(arguments),
        Command::Validate(arguments) => validate::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Schema => print(&shared::schema::text()).map(|()| Outcome::Done),
    };
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Negative) => ExitCode::from(1),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&report(&error));
            ExitCode::from(2)
        }
    }
}

/// Writes a result to standard output.
fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Writes a line for people to standard error.
fn say(text: &str) {
    let text = text.trim_end();
    // There is no other place to report that this failed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whoever read the output has stopped reading: not an error of ours.
fn is_closed_pipe(error: &Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// The error and its causes; hints, which end messages, come last.
fn report(error: &Error) -> String {
    let mut text = format!("error: {error}");
    let mut said = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !said.contains(&cause) {
            text.push_str(&format!("\n  caused by: {cause}"));
            said = cause;
        }
    }
    text
}
