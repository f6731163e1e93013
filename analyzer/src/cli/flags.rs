//! Flags that several commands share, and what they resolve to.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Error;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use shared::profile::{GapRule, Stamp};
use shared::units::parse_duration;

use super::memory;
use crate::error::Error as AnalyzerError;
use crate::format::{MapRule, Network, Options, Producer};
use crate::kind::Kind;
use crate::privacy::country::Countries;
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
    /// A network whose proxies are believed when they say for whom they ask, such as 203.0.113.0/24; may be repeated
    ///
    /// The client is then the last address in `X-Forwarded-For` that is not trusted. Private addresses always are.
    #[arg(long, value_name = "CIDR", help_heading = "Input", value_delimiter = ',')]
    trusted_proxy: Vec<Network>,
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
    /// Refuse lines longer than this many bytes, at most 1 GiB
    #[arg(long, value_name = "BYTES", help_heading = "Input", default_value_t = 1 << 20, value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    max_line: u32,
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
    #[command(flatten)]
    clients: ClientFlags,
    #[command(flatten)]
    fit: FitFlags,
}

/// What stays of who asked for what: settled while reading.
#[derive(Debug, Args)]
struct ClientFlags {
    /// What one client is recognised by: ip, ip+ua, cookie:NAME or field:NAME
    #[arg(long, value_name = "WHAT", help_heading = "Model", default_value = "ip+ua")]
    identity: Identity,
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
}

/// What tells where clients are.
#[derive(Debug, Args)]
pub(crate) struct GeoFlags {
    /// Tell the countries of clients by a database in MaxMind's format, such as GeoLite2-Country.mmdb
    ///
    /// It is yours to bring along; DB-IP and others write the format, too. Addresses are looked up while a log is read,
    /// and go no further than their country.
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    geoip: Option<PathBuf>,
}

impl GeoFlags {
    /// The database that the flag names.
    pub(crate) fn countries(&self) -> Result<Option<Arc<Countries>>, AnalyzerError> {
        self.geoip.as_deref().map(|path| Countries::open(path).map(Arc::new)).transpose()
    }
}

/// What is made of everything that was read.
#[derive(Debug, Args)]
pub(crate) struct FitFlags {
    /// The longest pause inside a session; `auto` finds where pauses end and absences begin
    #[arg(long, value_name = "DURATION|auto", help_heading = "Model", default_value = "30m")]
    session_gap: SessionGap,
    /// A known route such as `/users/{id}`; may be repeated
    #[arg(long, value_name = "ROUTE", help_heading = "Model")]
    route: Vec<Hint>,
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

/// What `--session-gap` says.
#[derive(Debug, Clone, Copy)]
enum SessionGap {
    Auto,
    Fixed(Duration),
}

impl FromStr for SessionGap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => parse_duration(text).map(Self::Fixed).map_err(|error| format!("{error}, or `auto`")),
        }
    }
}

impl SessionGap {
    fn rule(self) -> GapRule {
        match self {
            Self::Auto => GapRule::Auto,
            Self::Fixed(_) => GapRule::Fixed,
        }
    }

    /// The gap itself; with `auto` the one to be replaced.
    fn ms(self) -> i64 {
        match self {
            Self::Auto => ModelSettings::default().gap_ms,
            Self::Fixed(gap) => i64::try_from(gap.as_millis()).unwrap_or(i64::MAX),
        }
    }
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
    /// Crawlers, scanners, monitors, and what behaves like them
    Bots,
    /// Probes of load balancers and orchestrators
    Health,
    /// Everything, each request a step of its own
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

/// Bytes of memory that events may fill, where all that is used is to stay within `memory`.
pub(crate) fn event_bytes(memory: Option<u64>) -> u64 {
    memory.unwrap_or_else(memory::default_bytes) / EVENTS_SHARE
}

impl FitFlags {
    /// The settings that the flags ask for.
    pub(crate) fn settings(&self) -> Result<ModelSettings, Error> {
        let zone =
            |name: &String| TimeZone::get(name).map_err(|_| AnalyzerError::TimeZone { name: name.clone() });
        let time_zone = self.tz.as_ref().map(zone).transpose()?;
        let keep = match self.keep.contains(&KeepName::All) {
            true => Kind::ALL.to_vec(),
            false => self
                .keep
                .iter()
                .map(|name| match name {
                    KeepName::Static | KeepName::All => Kind::Static,
                    KeepName::Bots => Kind::Bot,
                    KeepName::Health => Kind::HealthCheck,
                })
                .collect(),
        };
        Ok(ModelSettings {
            gap_ms: self.session_gap.ms(),
            gap_rule: self.session_gap.rule(),
            k: self.k,
            keep,
            routes: self.route.clone(),
            holdout: None,
            time_zone,
        })
    }
}

/// The settings that flags ask for.
pub(crate) fn settings(input: &InputFlags, model: &ModelFlags) -> Result<Settings, Error> {
    let fit = model.fit.settings()?;
    let clients = &model.clients;
    let read = read_settings(input, clients.identity.clone(), fit.time_zone.clone())?;
    let files = RouteFiles {
        openapi: clients.openapi.clone(),
        lists: clients.routes.clone(),
        templates: clients.templates.clone(),
    };
    let routes = Arc::new(files.read(&fit.routes)?);
    Ok(Settings { read: ReadSettings { templates: !clients.no_templates, routes, ..read }, model: fit })
}

/// How to read what the flags name, telling clients apart by `identity`.
pub(crate) fn read_settings(
    input: &InputFlags,
    identity: Identity,
    time_zone: Option<TimeZone>,
) -> Result<ReadSettings, Error> {
    let options = Options {
        identity: identity.clone(),
        producer: input.producer,
        map: input.map.clone(),
        trusted: input.trusted_proxy.clone(),
    };
    let format = given_format(input.log_format.as_deref(), input.from.as_deref(), &options)?;
    let defaults = ReadSettings::default();
    Ok(ReadSettings {
        inputs: input.inputs.clone(),
        format,
        producer: input.producer,
        identity,
        trusted_proxies: input.trusted_proxy.clone(),
        map: input.map.clone(),
        threads: input.threads.map_or(defaults.threads, usize::from),
        event_bytes: event_bytes(input.memory),
        line_limit: input.max_line as usize,
        ratio_limit: input.max_ratio,
        time_zone,
        stamp: input.stamp.map(|name| match name {
            StampName::Start => Stamp::Start,
            StampName::End => Stamp::End,
        }),
        sample_rate: input.sample_rate,
        keep_duplicates: input.keep_duplicates,
        ..defaults
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
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let number = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse(),
    };
    number
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| format!("found `{text}`, expected a share such as `99%`"))
}
