//! `analyzer audit`: who stands behind each literal of a profile, counted again from the log.

use std::path::PathBuf;

use anyhow::{Context as _, Error};
use clap::Args;

use super::flags::{GeoFlags, InputFlags, OutputFormat, read_settings};
use super::{Outcome, print, progress, say};
use crate::audit::audit;
use crate::report::audit::text;
use crate::session::identity::Identity;

/// Count again from the log how many clients stand behind each literal of a profile.
///
/// Every word, method, status, query name, name with a route in it, browser, device, system and country is listed with
/// its distinct clients. Exit code 1 when any has fewer than k.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  analyzer audit profile.yaml access.log
  analyzer audit profile.yaml access.log --k 20 --format json")]
pub(crate) struct Arguments {
    /// The profile
    profile: PathBuf,
    #[command(flatten)]
    input: InputFlags,
    #[command(flatten)]
    geo: GeoFlags,
    /// Fewest clients behind each literal [default: the profile's own k]
    #[arg(long, value_name = "CLIENTS", help_heading = "Audit", value_parser = clap::value_parser!(u64).range(1..))]
    k: Option<u64>,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: OutputFormat,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Error> {
    let path = arguments.profile.display();
    let profile =
        shared::io::read(&arguments.profile).with_context(|| format!("`{path}` is not a valid profile"))?;
    let identity: Identity = profile
        .source
        .session_rule
        .identity
        .parse()
        .map_err(|found: String| anyhow::anyhow!("cannot tell clients apart as `{path}` did: {found}"))?;
    let mut settings = read_settings(&arguments.input, identity, None)?;
    settings.countries = arguments.geo.countries()?;
    if settings.countries.is_none() && profile.clients.iter().any(|clients| !clients.countries.is_empty()) {
        return Err(anyhow::anyhow!(
            "`{path}` names countries, and the log alone does not\n  expected: --geoip FILE, with the database that the profile was made with"
        ));
    }
    let bar = progress::bar(&settings.inputs, arguments.input.quiet);
    let k = arguments.k.unwrap_or_else(|| u64::from(profile.privacy.k));
    let audit = audit(&profile, k, &settings, &|bytes| bar.inc(bytes));
    bar.finish_and_clear();
    let audit = audit?;
    match arguments.format {
        OutputFormat::Text => print(&text(&audit))?,
        OutputFormat::Json => print(&format!("{}\n", serde_json::to_string_pretty(&audit)?))?,
    }
    let below = audit.below().count();
    if below == 0 {
        return Ok(Outcome::Done);
    }
    if !arguments.input.quiet {
        say(&format!(
            "error: {below} literals stand on fewer than {k} clients\n  hint: were these the inputs, with the flags, that the profile was made of?"
        ));
    }
    Ok(Outcome::Negative)
}
