//! What the analyzer was asked to do, resolved and checked once.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use shared::profile::{GapRule, Stamp};

use crate::error::Error;
use crate::format::builtin::Producer;
use crate::format::{Format, MapRule, Network, Options, configuration, language};
use crate::kind::Kind;
use crate::privacy::country::Countries;
use crate::query::QuerySettings;
use crate::route::Hint;
use crate::route::given::{GivenRoute, GivenRoutes};
use crate::route::{dump, openapi};
use crate::session::identity::Identity;
use crate::source::Limits;

/// How to read inputs.
#[derive(Debug, Clone)]
pub struct ReadSettings {
    /// Files, directories, patterns, objects, or `-`.
    pub inputs: Vec<PathBuf>,
    /// The format of all inputs; detected per input when absent.
    pub format: Option<Format>,
    /// Who wrote *combined* or *common* logs, where the text leaves it open.
    pub producer: Option<Producer>,
    /// What one client is recognised by.
    pub identity: Identity,
    /// Tells the countries of clients; they are not looked for when absent.
    pub countries: Option<Arc<Countries>>,
    /// Proxies that are believed when they say for whom they ask, besides those with private addresses.
    pub trusted_proxies: Vec<Network>,
    /// What fields mean that do not say it by their names.
    pub map: Vec<MapRule>,
    /// Worker threads.
    pub threads: usize,
    /// Bytes per block of work.
    pub block_bytes: usize,
    /// Bytes of memory that events may fill; those beyond wait in a temporary file.
    pub event_bytes: u64,
    /// Lines longer than this are refused.
    pub line_limit: usize,
    /// An input that decompresses to more than so many times its size ends there.
    pub ratio_limit: u64,
    /// Paths become templates; otherwise they stay as they are in the log.
    pub templates: bool,
    /// Routes known beforehand, matched against paths as they are in the log.
    pub routes: Arc<GivenRoutes>,
    /// First requests of each input to keep as records.
    pub records: usize,
    /// Records name who made the request.
    pub raw: bool,
    /// The zone of stamps that are printed without one; UTC when absent.
    pub time_zone: Option<TimeZone>,
    /// Which moment the stamps mark, whatever is known of the format.
    pub stamp: Option<Stamp>,
    /// The share of requests that were logged, above 0, where the log does not print it.
    pub sample_rate: Option<f64>,
    /// Requests stay as often as they were logged.
    pub keep_duplicates: bool,
    /// Requests become events of clients and resources; otherwise they are only counted, but for those that tell what
    /// stamps mark or what came twice.
    pub events: bool,
    /// What to count of the queries of requests; nothing when absent.
    pub queries: Option<QuerySettings>,
    /// What standard input holds, when it must be read more than once.
    pub stdin: Option<Arc<[u8]>>,
}

impl Default for ReadSettings {
    fn default() -> Self {
        Self {
            inputs: Vec::new(),
            format: None,
            producer: None,
            identity: Identity::IpAndUserAgent,
            countries: None,
            trusted_proxies: Vec::new(),
            map: Vec::new(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            block_bytes: 2 << 20,
            event_bytes: u64::MAX,
            line_limit: 1 << 20,
            ratio_limit: 1000,
            templates: true,
            routes: Arc::default(),
            records: 0,
            raw: false,
            time_zone: None,
            stamp: None,
            sample_rate: None,
            keep_duplicates: false,
            events: true,
            queries: None,
            stdin: None,
        }
    }
}

impl ReadSettings {
    pub(crate) fn limits(&self) -> Limits {
        Limits { line_bytes: self.line_limit, ratio: self.ratio_limit }
    }
}

/// How to make a profile of what was read.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// The longest pause inside a session, in milliseconds; a longer one starts the next session.
    pub gap_ms: i64,
    /// Whether that is what was asked for, or is to be replaced by what the log itself tells.
    pub gap_rule: GapRule,
    /// Fewest distinct clients behind anything published.
    pub k: u64,
    /// Kinds of requests in the model besides pages and what API clients call. With all kinds, every request is a step
    /// of a session, as it was logged.
    pub keep: Vec<Kind>,
    /// Routes known beforehand.
    pub routes: Vec<Hint>,
    /// The share of clients that models are tried on, having been fitted to the others; not tried when absent.
    pub holdout: Option<f64>,
    /// Civil time of the arrival curve; the offsets printed in the log when absent.
    pub time_zone: Option<TimeZone>,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self {
            gap_ms: 1_800_000,
            gap_rule: GapRule::Fixed,
            k: 10,
            keep: Vec::new(),
            routes: Vec::new(),
            holdout: None,
            time_zone: None,
        }
    }
}

impl ModelSettings {
    /// Whether requests of `kind` are in the model.
    pub(crate) fn models(&self, kind: Kind) -> bool {
        matches!(kind, Kind::Page | Kind::ApiClient) || self.keep.contains(&kind)
    }

    /// Whether every request is in the model, each a step of its own: then nothing is told apart or folded.
    pub(crate) fn is_as_logged(&self) -> bool {
        Kind::ALL.into_iter().all(|kind| self.models(kind))
    }

    /// Whether files come along with pages, and are no steps themselves.
    pub(crate) fn has_companions(&self) -> bool {
        !self.models(Kind::Static)
    }
}

/// Everything that `analyzer profile` needs.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How to read inputs.
    pub read: ReadSettings,
    /// How to make a profile of what was read.
    pub model: ModelSettings,
}

/// Files with routes that are known beforehand.
#[derive(Debug, Clone, Default)]
pub struct RouteFiles {
    /// OpenAPI documents.
    pub openapi: Vec<PathBuf>,
    /// Lists as frameworks print them.
    pub lists: Vec<PathBuf>,
    /// Rules of earlier profiles.
    pub templates: Vec<PathBuf>,
}

impl RouteFiles {
    /// The routes of all files behind `hints`; of two for the same paths, the first counts, documents before lists before
    /// earlier profiles.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Routes`].
    pub fn read(&self, hints: &[Hint]) -> Result<GivenRoutes, Error> {
        type Parse = fn(&str) -> Result<Vec<GivenRoute>, String>;
        let ways: [(&[PathBuf], Parse, bool); 3] = [
            (&self.openapi, openapi::routes, false),
            (&self.lists, dump::routes, false),
            (&self.templates, dump::routes, true),
        ];
        let hints = hints.iter().map(|hint| GivenRoute { template: hint.to_string(), methods: Vec::new() });
        let mut given = GivenRoutes::new(hints, false);
        for (files, parse, by_kind) in ways {
            for path in files {
                let text = fs_err::read_to_string(path)
                    .map_err(|source| Error::Read { input: path.display().to_string(), source })?;
                let routes = parse(&text).map_err(|problem| Error::Routes { path: path.clone(), problem })?;
                given.extend(routes, by_kind);
            }
        }
        Ok(given)
    }
}

/// The format given by `--log-format` or taken out of the configuration that `--from FILE[:NAME]` names.
///
/// # Errors
/// [`Error::LogFormat`], [`Error::Configuration`], [`Error::Read`].
pub fn given_format(
    log_format: Option<&str>,
    from: Option<&str>,
    options: &Options,
) -> Result<Option<Format>, Error> {
    match (log_format, from) {
        (Some(text), _) => language::compile(text, options).map(Some),
        (None, Some(from)) => configuration::format(from, options).map(Some),
        (None, None) => Ok(None),
    }
}
