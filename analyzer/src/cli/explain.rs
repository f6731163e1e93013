//! `analyzer explain`: a profile in words and tables.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Error};
use clap::Args;
use serde::Serialize;

use super::flags::OutputFormat;
use super::{Outcome, print};
use crate::error::Error as AnalyzerError;
use crate::format::Options;
use crate::report::explain::{Style, endpoint_explanation, explanation};
use crate::settings::{ReadSettings, RouteFiles, Settings, given_format};

/// Say in words what a profile says: traffic, endpoints, sessions, pauses, the week.
///
/// Everything comes from the profile alone. Headings are bold on a terminal, unless NO_COLOR is set.
///
/// With --route it says of a log instead why a path becomes the route it does, segment by segment. That may name what
/// few clients asked for: it is for the owner of the log alone.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  analyzer explain profile.yaml
  analyzer explain profile.yaml get_checkout
  analyzer explain profile.yaml 'GET /p/{slug}' --format json
  analyzer explain access.log --route /p/blue-mug")]
pub(crate) struct Arguments {
    /// The profile; with --route, a log
    profile: PathBuf,
    /// One endpoint of it: its id, its route, or both method and route
    endpoint: Option<String>,
    /// Why this path of the log becomes the route it does
    #[arg(long, value_name = "PATH", conflicts_with_all = ["endpoint", "format", "top"])]
    route: Option<String>,
    /// With --route: take the format out of a server's configuration
    #[arg(long, value_name = "FILE[:NAME]", requires = "route")]
    from: Option<String>,
    /// With --route: take routes from an OpenAPI document; may be repeated
    #[arg(long, value_name = "FILE", requires = "route")]
    openapi: Vec<PathBuf>,
    /// Endpoints listed
    #[arg(long, value_name = "N", default_value_t = 15, help_heading = "Output")]
    top: usize,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: OutputFormat,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Error> {
    if let Some(path) = &arguments.route {
        print(&evidence(arguments, path)?)?;
        return Ok(Outcome::Done);
    }
    let profile = shared::io::read(&arguments.profile)
        .with_context(|| format!("`{}` is not a valid profile", arguments.profile.display()))?;
    let style = style();
    let text = match &arguments.endpoint {
        None => {
            let explanation = explanation(&profile);
            in_format(arguments.format, &explanation, || explanation.text(style, arguments.top))?
        }
        Some(wanted) => {
            let explanation = endpoint_explanation(&profile, wanted).map_err(|nearest| {
                let quoted: Vec<String> = nearest.iter().map(|id| format!("`{id}`")).collect();
                AnalyzerError::NoEndpoint {
                    wanted: wanted.clone(),
                    endpoints: profile.endpoints.len(),
                    nearest: quoted.join(", "),
                }
            })?;
            in_format(arguments.format, &explanation, || explanation.text(style))?
        }
    };
    print(&text)?;
    Ok(Outcome::Done)
}

/// Why `path` becomes the route it does.
fn evidence(arguments: &Arguments, path: &str) -> Result<String, Error> {
    let format = given_format(None, arguments.from.as_deref(), &Options::default())?;
    let files = RouteFiles { openapi: arguments.openapi.clone(), ..RouteFiles::default() };
    let routes = Arc::new(files.read(&[])?);
    let read =
        ReadSettings { inputs: vec![arguments.profile.clone()], format, routes, ..ReadSettings::default() };
    let settings = Settings { read, ..Settings::default() };
    Ok(crate::explain_route(&settings, path, &|_| {})?)
}

fn in_format(
    format: OutputFormat,
    value: &impl Serialize,
    text: impl FnOnce() -> String,
) -> Result<String, Error> {
    Ok(match format {
        OutputFormat::Text => text(),
        OutputFormat::Json => format!("{}\n", serde_json::to_string_pretty(value)?),
    })
}

/// Bold headings where somebody sees them and has not asked for none (no-color.org).
fn style() -> Style {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if std::io::stdout().is_terminal() && !no_color { Style::Terminal } else { Style::Plain }
}
