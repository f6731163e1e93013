//! `analyzer validate`: everything that is wrong with a profile, at once.

use std::path::PathBuf;

use anyhow::{Context as _, Error};
use clap::Args;

use super::flags::OutputFormat;
use super::{Outcome, print};

/// Check a profile: keys, types and meaning, all problems at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  analyzer validate profile.yaml")]
pub(crate) struct Arguments {
    /// The profile
    profile: PathBuf,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Error> {
    let path = arguments.profile.display();
    let checked = shared::io::read(&arguments.profile);
    if arguments.format == OutputFormat::Json {
        let violations = match &checked {
            Err(shared::Error::Invalid { violations }) => violations.as_slice(),
            _ => &[],
        };
        print(&format!("{:#}\n", serde_json::json!({ "valid": checked.is_ok(), "violations": violations })))?;
    }
    let profile = checked.with_context(|| format!("`{path}` is not a valid profile"))?;
    if arguments.format == OutputFormat::Text {
        print(&format!(
            "{path}: valid, {} endpoints, {} classes, {} think times\n",
            profile.endpoints.len(),
            profile.classes.len(),
            profile.think_times.len()
        ))?;
    }
    Ok(Outcome::Done)
}
