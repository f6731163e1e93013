//! Flags that several commands share, and what they resolve to.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Error;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use shared::profile::Stamp;

use super::memory;
use crate::error::Error as AnalyzerError;
use crate::format::{MapRule, Options, Producer};
use crate::kind::Kind;
use crate::route::Hint;
use crate::session::identity::Identity;
use crate::settings::{ModelSettings, ReadSettings, RouteFiles, Settings, given_format};

/// What to read, and how.
#[derive(Debug, Args)]
pub(crate) struct InputFlags {
    /// Logs: files (plain or compressed), directories, quoted patterns, or `-` for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// A format string of the server's configuration, verbatim, or the name of a format
    ///
    /// nginx `log_format`, Apache `LogFormat`, HAProxy `log-format`, Squid `logformat`, Envoy, or the `#Fields:` line of
    /// a W3C extended log; a prefix such as `varnish:` says whose language it is where that is open. Names are those
    /// that `inspect` shows, such as `aws:alb`.
    #[arg(long, value_name = "FORMAT", help_heading = "Input", conflicts_with = "from")]
    log_format: Option<String>,
    /// Take the format out of a server's configuration
    ///
    /// Of nginx or Apache, with the files that it includes, of HAProxy, Squid or Envoy. NAME is that of the format, or
    /// of the frontend in HAProxy, where the configuration has several.
    #[arg(long, value_name = "FILE[:NAME]", help_heading = "Input")]
    from: Option<String>,
    /// What a field means, such as `took=duration:ms`; may be repeated
    ///
    /// As FIELD=ROLE[:UNIT][:start|end]; fields not named here are known by their names. FIELD is the keys down to the
    /// value in JSON, such as `request.headers.X-User[0]`, and what stands in a format string, such as
    /// `$upstream_response_time` or `%{X-Real-IP}i`.
    ///
    /// Roles: time, request, method, url, path, query, status, duration, client, user_agent, user, session, identity,
    /// cookies, host, referer, bytes_out, and more in docs/formats.md. Units of durations: s, ms, us, ns; of times: iso,
    /// clf, epoch_s, epoch_ms, epoch_us, epoch_ns, any. A time marks the `start` or the `end` of the request.
    #[arg(long, value_name = "FIELD=ROLE", help_heading = "Input", value_delimiter = ',')]
    map: Vec<MapRule>,
    /// Who wrote the logs, where the text leaves it open
    #[arg(long, value_name = "PRODUCT", help_heading = "Input", value_parser = producers())]
    producer: Option<Producer>,
    /// Which moment the time stamps mark, whatever is known of the format
    #[arg(long, value_enum, help_heading = "Input")]
    stamp: Option<StampName>,
    /// The share of requests that were logged, such as `10%`, where the log does not print it
    #[arg(long, value_name = "RATE", help_heading = "Input", value_parser = sample_rate)]
    sample_rate: Option<f64>,
    /// Count a request in two logs twice
    #[arg(long, help_heading = "Input")]
    keep_duplicates: bool,
    /// Worker threads [default: all cores]
    #[arg(long, value_name = "N", help_heading = "Input", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Memory to stay within, such as 512M [default: half of all]; what does not fit waits in a temporary file (TMPDIR)
    #[arg(long, value_name = "SIZE", help_heading = "Input", value_parser = shared::units::parse_bytes)]
    memory: Option<u64>,
    /// Refuse lines longer than this many bytes
    #[arg(long, value_name = "BYTES", help_heading = "Input", default_value_t = 1 << 20)]
    max_line: usize,
    /// Stop reading an input that decompresses to more than N times its size
    #[arg(long, value_name = "N", help_heading = "Input", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    max_ratio: u64,
    /// Fail with exit code 1 when fewer lines are understood, such as `99%`
    #[arg(long, value_name = "SHARE", help_heading = "Input", value_parser = share)]
    pub(crate) min_parsed: Option<f64>,
    /// No progress, no summary
    #[arg(long, short, help_heading = "Output")]
    pub(crate) quiet: bool,
}

/// How to make sessions and routes of what was read.
#[derive(Debug, Args)]
pub(crate) struct ModelFlags {
    /// What one client is recognised by: ip, ip+ua, cookie:NAME or field:NAME
    #[arg(long, value_name = "WHAT", help_heading = "Model", default_value = "ip+ua")]
    identity: Identity,
    /// The longest pause inside a session
    #[arg(long, value_name = "DURATION", help_heading = "Model", default_value = "30m", value_parser = shared::units::parse_duration)]
    session_gap: std::time::Duration,
    /// A known route such as `/users/{id}`; may be repeated
    #[arg(long, value_name = "ROUTE", help_heading = "Model")]
    route: Vec<Hint>,
    /// Take routes from an OpenAPI document (3.x, or 2.0), in YAML or JSON; may be repeated
    #[arg(long, value_name = "FILE", help_heading = "Model", conflicts_with = "no_templates")]
    openapi: Vec<PathBuf>,
    /// Take routes from a list, as frameworks print them; may be repeated
    ///
    /// Lines with a path in them, and maybe a method: `GET /users/{id}`, `/users/:id`, `users/<int:id>`. What Rails
    /// (`rails routes`), Laravel, Flask, Express, Django (`show_urls`) and Spring print is understood as it is.
    #[arg(long, value_name = "FILE", help_heading = "Model", conflicts_with = "no_templates")]
    routes: Vec<PathBuf>,
    /// Take routes that an earlier profile found, from what --templates-out wrote; may be repeated
    #[arg(long, value_name = "FILE", help_heading = "Model", conflicts_with = "no_templates")]
    templates: Vec<PathBuf>,
    /// Leave paths as they are in the log
    #[arg(long, help_heading = "Model")]
    no_templates: bool,
    /// Model these kinds of requests as well
    #[arg(long, value_enum, value_delimiter = ',', help_heading = "Model")]
    keep: Vec<KeepName>,
    /// Publish only what at least this many distinct clients did
    #[arg(long, value_name = "CLIENTS", help_heading = "Model", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    k: u64,
    /// Civil time of the arrival curve, and of stamps that are printed without a zone, such as Europe/Berlin [default: as printed in the log, and UTC]
    #[arg(long, value_name = "ZONE", help_heading = "Model")]
    tz: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StampName {
    /// When the request was received
    Start,
    /// When the response was sent
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KeepName {
    /// Files that pages bring along
    Static,
    /// Crawlers, scanners, monitors
    Bots,
    /// Probes of load balancers and orchestrators
    Health,
    /// Everything
    All,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Part of the memory that waiting events may fill: while some are written to a file others come, and there are
/// other tables.
const EVENTS_SHARE: u64 = 3;

/// The settings that flags ask for.
pub(crate) fn settings(input: &InputFlags, model: &ModelFlags) -> Result<Settings, Error> {
    let options =
        Options { identity: model.identity.clone(), producer: input.producer, map: input.map.clone() };
    let format = given_format(input.log_format.as_deref(), input.from.as_deref(), &options)?;
    let time_zone = model
        .tz
        .as_deref()
        .map(|name| TimeZone::get(name).map_err(|_| AnalyzerError::TimeZone { name: name.to_owned() }))
        .transpose()?;
    let keep = match model.keep.contains(&KeepName::All) {
        true => Kind::ALL.to_vec(),
        false => model
            .keep
            .iter()
            .map(|name| match name {
                KeepName::Static | KeepName::All => Kind::Static,
                KeepName::Bots => Kind::Bot,
                KeepName::Health => Kind::HealthCheck,
            })
            .collect(),
    };
    let files = RouteFiles {
        openapi: model.openapi.clone(),
        lists: model.routes.clone(),
        templates: model.templates.clone(),
    };
    let defaults = ReadSettings::default();
    Ok(Settings {
        read: ReadSettings {
            inputs: input.inputs.clone(),
            format,
            producer: input.producer,
            identity: model.identity.clone(),
            map: input.map.clone(),
            threads: input.threads.map_or(defaults.threads, usize::from),
            event_bytes: input.memory.unwrap_or_else(memory::default_bytes) / EVENTS_SHARE,
            line_limit: input.max_line,
            ratio_limit: input.max_ratio,
            time_zone: time_zone.clone(),
            stamp: input.stamp.map(|name| match name {
                StampName::Start => Stamp::Start,
                StampName::End => Stamp::End,
            }),
            sample_rate: input.sample_rate,
            keep_duplicates: input.keep_duplicates,
            templates: !model.no_templates,
            routes: Arc::new(files.read(&model.route)?),
            ..defaults
        },
        model: ModelSettings {
            gap_ms: i64::try_from(model.session_gap.as_millis()).unwrap_or(i64::MAX),
            k: model.k,
            keep,
            routes: model.route.clone(),
            time_zone,
        },
    })
}

/// A share above nothing.
fn sample_rate(text: &str) -> Result<f64, String> {
    share(text)
        .ok()
        .filter(|rate| *rate > 0.0)
        .ok_or_else(|| format!("found `{text}`, expected a share above 0 and up to 1, such as `10%`"))
}

fn producers() -> impl TypedValueParser<Value = Producer> {
    let names = PossibleValuesParser::new(Producer::ALL.map(Producer::name));
    names.map(|name| Producer::named(&name).expect("the parser lets only names of producers pass"))
}

/// `99%` or `0.99`.
fn share(text: &str) -> Result<f64, String> {
    let number = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse(),
    };
    number
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| format!("found `{text}`, expected a share such as `99%`"))
}
