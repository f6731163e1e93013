//! `analyzer profile`: logs to a profile.

use std::path::{Path, PathBuf};

use anyhow::Error;
use clap::Args;
use shared::Profile;

use super::flags::{GeoFlags, InputFlags, ModelFlags, settings, share};
use super::{Outcome, print, progress, say};
use crate::read::Reading;
use crate::report::{holdout, percent, summary};

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
    #[command(flatten)]
    geo: GeoFlags,
    /// Try models on this share of the clients, having fitted them to the others, and say how well they do
    #[arg(long, value_name = "SHARE", help_heading = "Model", value_parser = share)]
    holdout: Option<f64>,
    /// Where the profile goes; `-` is standard output
    #[arg(long, short, value_name = "FILE", default_value = "-", help_heading = "Output")]
    output: PathBuf,
    /// Write the routes of the profile, to be edited and read by --templates
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    templates_out: Option<PathBuf>,
}

pub(crate) fn run(arguments: Arguments) -> Result<Outcome, Error> {
    let mut settings = settings(&arguments.input, &arguments.model)?;
    settings.model.holdout = arguments.holdout;
    settings.read.countries = arguments.geo.countries()?;
    let bar = progress::bar(&settings.read.inputs, arguments.input.quiet);
    let analysis = crate::analyze(&settings, &|bytes| bar.inc(bytes));
    bar.finish_and_clear();
    let analysis = analysis?;
    write(&analysis.profile, &arguments.output, arguments.input.quiet)?;
    if let Some(path) = &arguments.templates_out {
        shared::io::write_atomically(path, &crate::rules(&analysis.profile))?;
    }
    if arguments.holdout.is_some() {
        say(&holdout::text(analysis.held_out.as_ref()));
    }
    Ok(verdict(&analysis.reading, &arguments.input))
}

/// Writes `profile` to where it goes, and says what is in it unless `quiet`.
pub(crate) fn write(profile: &Profile, output: &Path, quiet: bool) -> Result<(), Error> {
    let yaml = shared::io::to_yaml(profile);
    let to_file = output.as_os_str() != "-";
    if to_file {
        shared::io::write_atomically(output, &yaml)?;
    } else {
        print(&yaml)?;
    }
    if !quiet {
        say(&summary::text(profile));
        if to_file {
            say(&format!("\nprofile written to {}", output.display()));
        }
    }
    Ok(())
}

/// Says what was wrong with the inputs; negative when they are damaged.
pub(crate) fn complaints(reading: &Reading, quiet: bool) -> Outcome {
    let mut outcome = Outcome::Done;
    if !quiet {
        for warning in summary::warnings(reading) {
            say(&format!("warning: {warning}"));
        }
    }
    for damage in summary::broken(reading) {
        say(&format!("error: {damage}"));
        outcome = Outcome::Negative;
    }
    outcome
}

/// Says what was wrong with the inputs; negative when they are damaged or too little was understood.
pub(crate) fn verdict(reading: &Reading, flags: &InputFlags) -> Outcome {
    let mut outcome = complaints(reading, flags.quiet);
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
