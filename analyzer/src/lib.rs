//! Loadprint's analyzer: access logs in, a profile of the traffic out.
//!
//! ```text
//! source → lines → format → Request → pseudonym → Event → sessions → Tally → model → gate → Profile
//! ```
//!
//! Everything up to `Event` streams; everything from `Tally` on is a pure function of integers. Raw identifiers
//! end in [`privacy`], and everything that leaves passes its gate.
//!
//! | module | answers |
//! |---|---|
//! | `source` | which bytes: files, directories, standard input, compressed or not |
//! | [`format`] | which fields: format strings compiled to programs; detection |
//! | [`document`], `apm`, `recording` | inputs that are no lines: exports of spans, HAR, GoReplay |
//! | [`request`], [`reject`] | the canonical record; why a line gave none |
//! | `given`, `local` | what the lines leave open: zone, stamp, sampling |
//! | `duplicate` | which records are one request in two logs |
//! | `table` | the same in CSV and Parquet; behind the cargo feature `tabular` |
//! | [`counts`] | how many requests, bytes, statuses, by hour |
//! | [`privacy`] | who (nobody): pseudonyms, the gate |
//! | `route` | which endpoint: segments, hints, inference |
//! | [`query`] | which query parameters: names and kinds of values |
//! | [`kind`] | pages, static files, bots, health checks |
//! | [`part`] | what several machines read, put together |
//! | `store` | where events wait until all are there |
//! | [`session`] | which session: identity and gap |
//! | `tally` | how many: counts that add up over any split |
//! | [`model`] | what law: rate curve, think time, flow of a session |
//! | [`statistic`] | how sure: intervals, tests, distances |
//! | [`record`] | one request as people and other programs see it |
//! | [`audit`] | who stands behind each literal of a profile, counted again |
//! | [`drift`] | how far two profiles are apart |
//! | [`report`], [`cli`] | what people see |

mod apm;
pub mod audit;
pub mod cli;
pub mod counts;
pub mod document;
pub mod drift;
mod duplicate;
pub mod error;
mod event;
pub mod events;
pub mod format;
mod given;
pub mod kind;
mod local;
pub mod model;
pub mod part;
pub mod privacy;
pub mod query;
pub mod read;
mod recent;
pub mod record;
mod recording;
pub mod reject;
pub mod report;
pub mod request;
mod resource;
mod route;
pub mod session;
pub mod settings;
mod source;
#[doc(hidden)]
pub mod stages;
pub mod statistic;
mod store;
mod table;
mod tally;
mod weight;

pub use error::Error;
pub use read::Reading;
pub use route::Hint;
pub use route::given::{GivenRoute, GivenRoutes};
pub use route::rules::text as rules;
pub use settings::Settings;

use std::path::{Path, PathBuf};

use format::Whole;
use model::flow::perplexity::Perplexity;
use part::Shard;
use privacy::pseudonym::Key;
use query::QuerySettings;
use reject::Reject;
use settings::ReadSettings;
use shared::Profile;
use shared::profile::GapRule;
use tally::civil::CivilClock;

/// A profile, and what it was made from.
#[derive(Debug)]
pub struct Analysis {
    /// The profile.
    pub profile: Profile,
    /// What was found in the inputs.
    pub reading: Reading,
    /// How well models foretell clients that they have not seen, where that was asked for and there is enough.
    pub held_out: Option<Perplexity>,
}

/// Reads the inputs of `settings` and makes a profile of them. `on_bytes` hears of every block read.
///
/// The key that tells clients apart is made here and gone when this returns; nothing in the profile depends on it.
///
/// # Errors
/// What keeps an input from being read or a profile from being made.
pub fn analyze(settings: &Settings, on_bytes: &(dyn Fn(u64) + Sync)) -> Result<Analysis, Error> {
    let key = Key::ephemeral()?;
    let pool = threads(settings.read.threads)?;
    pool.install(|| {
        let reading = read::read(&with_queries(settings), &key, on_bytes)?;
        model(reading, settings)
    })
}

/// How to read what a profile is made of.
fn with_queries(settings: &Settings) -> ReadSettings {
    let queries = QuerySettings { k: settings.model.k, kinds: tally::modelled_kinds(&settings.model) };
    ReadSettings { queries: Some(queries), ..settings.read.clone() }
}

/// Reads the inputs of `settings` into a part at `output`, with the clients of `shard`. `on_bytes` hears of every block
/// read.
///
/// # Errors
/// What keeps an input from being read or the part from being written.
pub fn tally(
    settings: &Settings,
    key: &Key,
    shard: Shard,
    output: &Path,
    on_bytes: &(dyn Fn(u64) + Sync),
) -> Result<Reading, Error> {
    threads(settings.read.threads)?.install(|| {
        let settings = with_queries(settings);
        let reading = read::read(&settings, key, on_bytes)?;
        part::write(output, &reading, &settings, key, shard)?;
        Ok(reading)
    })
}

/// Makes a profile of parts, the same that one run over all their inputs would make. Of `settings.read` only threads
/// and memory are looked at.
///
/// # Errors
/// [`part::PartError`], and what keeps a profile from being made.
pub fn merge(parts: &[PathBuf], settings: &Settings) -> Result<Analysis, Error> {
    let mut settings = settings.clone();
    threads(settings.read.threads)?.install(|| {
        let reading = part::merge(parts, &mut settings.read, settings.model.k)?;
        model(reading, &settings)
    })
}

fn model(reading: Reading, settings: &Settings) -> Result<Analysis, Error> {
    if reading.counts.requests == 0 {
        return Err(nothing_understood(&reading));
    }
    let settings = &with_gap(&reading, settings)?;
    let counted = Counted::new(&reading, settings)?;
    let profile = privacy::publish::publish(&reading, &counted, settings)?;
    let gate = privacy::gate::Gate::new(settings.model.k);
    let hold_out = |share| privacy::publish::holdout::hold_out(&counted, share, gate);
    let held_out = settings.model.holdout.and_then(hold_out);
    Ok(Analysis { profile, reading, held_out })
}

/// The same settings with the session gap that is to be found in the log.
fn with_gap(reading: &Reading, settings: &Settings) -> Result<Settings, Error> {
    let mut settings = settings.clone();
    if settings.model.gap_rule == GapRule::Auto {
        settings.model.gap_ms = tally::pauses::session_gap_ms(reading, &settings.model)?;
    }
    Ok(settings)
}

/// Why the paths of `settings`' inputs that look like `path` have the route that they have: the evidence for each
/// segment, as text for people. It may name what few clients asked for, so it is for the owner of the log alone.
///
/// # Errors
/// What keeps an input from being read.
pub fn explain_route(
    settings: &Settings,
    path: &str,
    on_bytes: &(dyn Fn(u64) + Sync),
) -> Result<String, Error> {
    let key = Key::ephemeral()?;
    let pool = threads(settings.read.threads)?;
    pool.install(|| {
        let reading = read::read(&settings.read, &key, on_bytes)?;
        let (counts, files) = tally::requested(&reading, &settings.model);
        let hints = &settings.model.routes;
        let routes = route::find(&reading.resources, &counts, &files, hints, settings.read.templates);
        Ok(route::explain::text(path, &settings.read.routes, &routes))
    })
}

/// Routes and counts: what lies between reading and publishing.
pub(crate) struct Counted {
    pub(crate) routes: route::Routes,
    pub(crate) clock: CivilClock,
    pub(crate) tally: tally::Tally,
    /// The sample of sessions.
    pub(crate) walks: Vec<model::sample::Walk>,
}

impl Counted {
    /// # Errors
    /// [`Error::Spill`].
    pub(crate) fn new(reading: &Reading, settings: &Settings) -> Result<Self, Error> {
        let (counts, files) = tally::requested(reading, &settings.model);
        let hints = &settings.model.routes;
        let routes = route::find(&reading.resources, &counts, &files, hints, settings.read.templates);
        let clock = match &settings.model.time_zone {
            Some(zone) => {
                let (from_s, to_s) = privacy::publish::span_s(reading);
                CivilClock::of_zone(zone, from_s.div_euclid(3600)..=to_s.div_euclid(3600))
            }
            None => CivilClock::of_log(&reading.counts.offset_s_by_hour),
        };
        let mut tally = tally::tally(reading, &routes, &settings.model)?;
        let walks = tally.sample.take().map(tally::sample::Sample::walks).unwrap_or_default();
        Ok(Self { routes, clock, tally, walks })
    }
}

pub(crate) fn threads(count: usize) -> Result<rayon::ThreadPool, Error> {
    let build = rayon::ThreadPoolBuilder::new().num_threads(count).build();
    build.map_err(|source| Error::Threads { threads: count, source })
}

fn nothing_understood(reading: &Reading) -> Error {
    let mut reasons = std::collections::BTreeMap::new();
    for (reject, found) in reading.inputs.iter().flat_map(|input| &input.rejects.0) {
        *reasons.entry(reject.name()).or_insert(0) += found.count;
    }
    let listed: Vec<String> = reasons.iter().map(|(name, count)| format!("{name} {count}")).collect();
    let first = reading.inputs.first();
    if let Some(error) = first.and_then(no_requests) {
        return error;
    }
    Error::NothingUnderstood {
        lines: reading.inputs.iter().map(|input| input.lines).sum(),
        reasons: if listed.is_empty() { String::new() } else { format!("\n  found: {}", listed.join(", ")) },
        format: first.map_or_else(String::new, |input| input.format.label.clone()),
    }
}

/// That a document holds no request, and what it holds instead.
pub(crate) fn no_requests(input: &read::InputSummary) -> Option<Error> {
    let request = match input.format.whole? {
        Whole::Document(document) => document.request_name(),
        Whole::Table => "row of requests",
    };
    if input.requests > 0 {
        return None;
    }
    let records = input.lines;
    let failed = input.rejects.0.iter().filter(|(reject, _)| **reject != Reject::NotARequest);
    let failed: Vec<String> = failed
        .map(|(reject, found)| {
            let first = found.positions.first().map_or(0, |at| at.line);
            format!("{} {} (first: record {first})", reject.name(), found.count)
        })
        .collect();
    Some(Error::NoRequests {
        input: input.path.clone(),
        found: match &input.broken {
            Some(why) => why.clone(),
            None if failed.is_empty() => format!("{records} records, none of them a request to a server"),
            None => format!("{records} records, none of them a request: {}", failed.join(", ")),
        },
        format: input.format.label.clone(),
        request,
    })
}
