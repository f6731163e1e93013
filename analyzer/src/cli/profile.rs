//! `analyzer profile`: logs to a profile.

use std::path::PathBuf;

use anyhow::Error;
use clap::Args;

use super::flags::{InputFlags, ModelFlags, settings};
use super::{Outcome, print, progress, say};
use crate::read::Reading;
use crate::report::{percent, summary};

/// Make a profile of logs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  analyzer profile access.log -o profile.yaml
  analyzer profile /var/log/nginx --from /etc/nginx/nginx.conf --tz Europe/Berlin -o profile.yaml
  analyzer profile access.log --openapi openapi.yaml --templates-out templates.rules -o profile.yaml
  zcat access.log.*.gz | analyzer profile - --route '/users/{id}' > profile.yaml")]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: InputFlags,
    #[command(flatten)]
    model: ModelFlags,
    /// Where the profile goes; `-` is standard output
    #[arg(long, short, value_name = "FILE", default_value = "-", help_heading = "Output")]
    output: PathBuf,
    /// Write the routes of the profile, to be edited and read by --templates
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    templates_out: Option<PathBuf>,
}

pub(crate) fn run(arguments: Arguments) -> Result<Outcome, Error> {
    let settings = settings(&arguments.input, &arguments.model)?;
    let bar = progress::bar(&settings.read.inputs, arguments.input.quiet);
    let analysis = crate::analyze(&settings, &|bytes| bar.inc(bytes));
    bar.finish_and_clear();
    let analysis = analysis?;
    let yaml = shared::io::to_yaml(&analysis.profile);
    if arguments.output.as_os_str() == "-" {
        print(&yaml)?;
    } else {
        shared::io::write_atomically(&arguments.output, &yaml)?;
    }
    if let Some(path) = &arguments.templates_out {
        shared::io::write_atomically(path, &crate::rules(&analysis.profile))?;
    }
    if !arguments.input.quiet {
        say(&summary::text(&analysis.profile));
        if arguments.output.as_os_str() != "-" {
            say(&format!("\nprofile written to {}", arguments.output.display()));
        }
    }
    Ok(verdict(&analysis.reading, &arguments.input))
}

/// Says what was wrong with the inputs; negative when they are damaged or too little was understood.
pub(crate) fn verdict(reading: &Reading, flags: &InputFlags) -> Outcome {
    let mut outcome = Outcome::Done;
    if !flags.quiet {
        for warning in summary::warnings(reading) {
            say(&format!("warning: {warning}"));
        }
    }
    for damage in summary::broken(reading) {
        say(&format!("error: {damage}"));
        outcome = Outcome::Negative;
    }
    // Records of another kind, which an export of spans is full of, were understood for what they are.
    let lines: u64 = reading.inputs.iter().map(|input| input.requests + input.rejects.not_understood()).sum();
    let understood = reading.counts.requests as f64 / lines.max(1) as f64;
    if let Some(least) = flags.min_parsed.filter(|least| understood < *least) {
        say(&format!(
            "error: too many lines were not understood\n  found: {} of {lines} lines understood\n  expected: at least {} (--min-parsed)\n  hint: `analyzer inspect` shows where lines stop matching",
            percent(understood),
            percent(least)
        ));
        outcome = Outcome::Negative;
    }
    outcome
}
