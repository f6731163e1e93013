//! What `analyzer inspect` shows: how inputs were understood.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use shared::profile::{Sampling, Stamp, StampCheck};

use super::{grouped, percent, resolution, sampled};
use crate::Counted;
use crate::error::Error;
use crate::privacy::gate::Gate;
use crate::read::{InputSummary, Reading};
use crate::record::Record;
use crate::reject::Rejects;
use crate::request::SECOND_NS;
use crate::session::identity::Identity;
use crate::settings::Settings;

/// How inputs were understood.
#[derive(Debug, Serialize)]
pub struct Inspection {
    /// One entry per input.
    pub inputs: Vec<InspectedInput>,
    /// Exact counts over all inputs, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<Stats>,
}

/// How one input was understood.
#[derive(Debug, Serialize)]
pub struct InspectedInput {
    /// The path as given, or `-`.
    pub path: String,
    /// The format, such as `nginx:combined`.
    pub format: String,
    /// How sure the format is, 0..=1; 1 when it was given.
    pub confidence: f64,
    /// How the input is compressed, such as `gzip` or `zstd in gzip`, or null.
    pub compressed: Option<String>,
    /// What the lines were unpacked from, such as `cloudwatch`, or null.
    pub envelope: Option<&'static str>,
    /// Lines read.
    pub lines: u64,
    /// Requests understood.
    pub requests: u64,
    /// Lines refused.
    pub rejected: u64,
    /// Lines refused by reason, and where the first of them stand.
    pub rejects: Rejects,
    /// Lines that ended early and were kept.
    pub recovered: u64,
    /// Which moment the time stamps mark.
    pub stamp: Stamp,
    /// What the log itself says about that; null where it has no durations.
    pub stamp_check: Option<StampCheck>,
    /// The coarsest time stamp, in seconds.
    pub resolution_s: f64,
    /// Requests with a duration.
    pub timed: u64,
    /// Requests whose stamp was printed without its zone.
    pub zoneless: u64,
    /// Those of them in an hour that the clocks of `--tz` skipped.
    pub skipped_hour: u64,
    /// How the input was sampled; null where nothing says that it was.
    pub sampling: Option<Sampling>,
    /// Requests left out because another record tells of them as well.
    pub duplicates: u64,
    /// Why the input ended before its end, or null.
    pub broken: Option<String>,
    /// What was odd about its bytes, although nothing is lost, or null.
    pub odd: Option<String>,
    /// The first requests, when asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<Record>,
}

/// Exact counts, for the eyes of the one who owns the log.
#[derive(Debug, Serialize)]
pub struct Stats {
    /// Requests understood.
    pub requests: u64,
    /// Bytes of all responses.
    pub bytes_out: u64,
    /// Distinct clients, as the identity tells them apart.
    pub clients: u64,
    /// Requests by status.
    pub statuses: BTreeMap<String, u64>,
    /// Requests by hour of the day as printed in the log, from midnight.
    pub requests_by_local_hour: [u64; 24],
    /// Requests by hour of the day, UTC, from midnight.
    pub requests_by_utc_hour: [u64; 24],
    /// Sessions.
    pub sessions: u64,
    /// Requests per session in the mean.
    pub mean_session_length: f64,
    /// Sessions by first endpoint; the most frequent ones.
    pub top_starts: Vec<(String, u64)>,
    /// Steps from endpoint to endpoint; the most frequent ones.
    pub top_transitions: Vec<(String, String, u64)>,
}

/// Rows of the top lists.
const TOP: usize = 20;

/// How the inputs of `reading` were understood; with exact counts when `with_stats`.
///
/// Endpoints are named only when k clients used them, unless the records are raw.
///
/// # Errors
/// [`Error::Spill`].
pub fn inspection(reading: Reading, settings: &Settings, with_stats: bool) -> Result<Inspection, Error> {
    let wants_routes = with_stats || settings.read.records > 0 && !settings.read.raw;
    let counted = wants_routes.then(|| Counted::new(&reading, settings)).transpose()?;
    let published = counted
        .as_ref()
        .map(|counted| Gate::new(settings.model.k).routes(&counted.tally, &counted.routes))
        .unwrap_or_default();
    let name = |counted: &Counted, route: u32| -> Option<String> {
        let may_be_named = settings.read.raw || published.contains(&route);
        let route = &counted.routes.routes[route as usize];
        may_be_named.then(|| format!("{} {}", route.method, route.template))
    };
    let stats = counted.as_ref().filter(|_| with_stats).map(|counted| {
        let hidden = || "other".to_owned();
        let named = |route: u32| name(counted, route).unwrap_or_else(hidden);
        stats(&reading, counted, named)
    });
    let template = |resource: u32| {
        let counted = counted.as_ref()?;
        let route = counted.routes.of_resource.get(resource as usize).copied().flatten()?;
        name(counted, route).map(|_| counted.routes.routes[route as usize].template.clone())
    };
    let inputs = reading.inputs.into_iter().map(|input| inspected(input, template)).collect();
    Ok(Inspection { inputs, stats })
}

fn inspected(input: InputSummary, template: impl Fn(u32) -> Option<String>) -> InspectedInput {
    let stamp = input.stamp();
    InspectedInput {
        format: input.label(),
        path: input.path,
        confidence: (input.confidence * 1e4).round() / 1e4,
        compressed: input.compressed,
        envelope: input.envelope,
        lines: input.lines,
        requests: input.requests,
        rejected: input.rejects.total(),
        rejects: input.rejects,
        recovered: input.recovered,
        stamp,
        stamp_check: input.stamp_check,
        resolution_s: input.resolution_ns as f64 / SECOND_NS as f64,
        timed: input.timed,
        zoneless: input.zoneless,
        skipped_hour: input.skipped_hour,
        sampling: input.sampling,
        duplicates: input.duplicates,
        broken: input.broken,
        odd: input.odd,
        records: input
            .records
            .into_iter()
            .map(|record| match record.resource {
                Some(resource) => Record { path: template(resource), ..record },
                None => record,
            })
            .collect(),
    }
}

fn stats(reading: &Reading, counted: &Counted, named: impl Fn(u32) -> String) -> Stats {
    let tally = &counted.tally;
    let mut starts: BTreeMap<String, u64> = BTreeMap::new();
    for (route, cell) in &tally.starts {
        *starts.entry(named(*route)).or_insert(0) += cell.count;
    }
    let mut steps: BTreeMap<(String, String), u64> = BTreeMap::new();
    for ((from, to), cell) in &tally.steps {
        *steps.entry((named(*from), named(*to))).or_insert(0) += cell.count;
    }
    Stats {
        requests: reading.counts.requests,
        bytes_out: reading.counts.bytes_out,
        clients: tally.all_clients,
        statuses: reading
            .counts
            .statuses
            .iter()
            .map(|(code, count)| (format!("{code:03}"), *count))
            .collect(),
        requests_by_local_hour: reading.counts.by_local_hour,
        requests_by_utc_hour: reading.counts.by_utc_hour,
        sessions: tally.sessions.count,
        mean_session_length: tally.steps_in_sessions as f64 / tally.sessions.count.max(1) as f64,
        top_starts: top(starts),
        top_transitions: top(steps).into_iter().map(|((from, to), count)| (from, to, count)).collect(),
    }
}

fn top<K: Ord>(counts: BTreeMap<K, u64>) -> Vec<(K, u64)> {
    let mut sorted: Vec<(K, u64)> = counts.into_iter().collect();
    sorted.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    sorted.truncate(TOP);
    sorted
}

impl Inspection {
    /// The inspection for people, at most 80 columns wide where paths allow it.
    pub fn text(&self, identity: &Identity) -> String {
        let mut out = String::new();
        for input in &self.inputs {
            let _ = writeln!(out, "{}", input.path);
            let layers = input.compressed.iter().map(String::as_str).chain(input.envelope);
            let layers: String = layers.map(|name| format!(", {name}")).collect();
            let _ =
                writeln!(out, "  format    {} (confidence {:.2}{layers})", input.format, input.confidence);
            let _ = writeln!(out, "  lines     {}", grouped(input.lines));
            let _ = writeln!(out, "  requests  {}", grouped(input.requests));
            let _ = writeln!(
                out,
                "  rejected  {} ({})",
                grouped(input.rejected),
                percent(input.rejected as f64 / input.lines.max(1) as f64)
            );
            for (reject, found) in &input.rejects.0 {
                let lines: Vec<String> = found.positions.iter().map(|at| at.line.to_string()).collect();
                let more = if found.count > lines.len() as u64 { ", …" } else { "" };
                let _ = writeln!(
                    out,
                    "    {:<20} {:>8}  line {}{more}",
                    reject.name(),
                    grouped(found.count),
                    lines.join(", ")
                );
            }
            let _ = writeln!(out, "  stamps    {}", stamps(input));
            if let Some(sampling) = &input.sampling {
                let _ = writeln!(out, "  sampled   {}", sampled(sampling));
            }
            if input.duplicates > 0 {
                let _ = writeln!(out, "  twice     {} left out", grouped(input.duplicates));
            }
            if let Some(why) = &input.broken {
                let _ = writeln!(out, "  damaged   {why}");
            }
            if let Some(what) = &input.odd {
                let _ = writeln!(out, "  odd       {what}");
            }
            for record in &input.records {
                let _ = writeln!(out, "  {}", record_line(record));
            }
        }
        if let Some(stats) = &self.stats {
            let _ = writeln!(out, "all inputs");
            let _ = writeln!(out, "  clients   {} (by {identity})", grouped(stats.clients));
            let _ = writeln!(
                out,
                "  sessions  {}, {:.2} requests each",
                grouped(stats.sessions),
                stats.mean_session_length
            );
            let _ = writeln!(out, "  bytes     {}", grouped(stats.bytes_out));
            let statuses: Vec<String> =
                stats.statuses.iter().map(|(code, n)| format!("{code}: {}", grouped(*n))).collect();
            let _ = writeln!(out, "  statuses  {}", statuses.join(", "));
            for (from, to, count) in &stats.top_transitions {
                let _ = writeln!(out, "  {:>8}  {from} → {to}", grouped(*count));
            }
        }
        out
    }
}

/// What the stamps are: `end of the request, to 1 s, zone printed, durations in 100 %`.
fn stamps(input: &InspectedInput) -> String {
    let moment = match input.stamp {
        Stamp::Start => "start of the request",
        Stamp::End => "end of the request",
        Stamp::Mixed => "start or end of the request",
    };
    let check = match input.stamp_check {
        Some(StampCheck::Agrees) => " (and overlaps agree)",
        Some(StampCheck::Disagrees) => " (BUT overlaps disagree)",
        Some(StampCheck::Undecided) | None => "",
    };
    let zone = match (input.zoneless, input.skipped_hour) {
        (0, _) => "zone printed".to_owned(),
        (n, 0) => format!("{} without a zone", grouped(n)),
        (n, skipped) => format!("{} without a zone, {} in a skipped hour", grouped(n), grouped(skipped)),
    };
    let timed = match input.timed {
        0 => "no durations".to_owned(),
        n => format!("durations in {}", percent(n as f64 / input.requests.max(1) as f64)),
    };
    format!("{moment}{check}, to {}, {zone}, {timed}", resolution(input.resolution_s))
}

fn record_line(record: &Record) -> String {
    // A path may hold bytes that would command the terminal.
    let harmless = |c: char| if c.is_control() { c.escape_default().collect() } else { String::from(c) };
    let or_dash =
        |text: &Option<String>| text.as_deref().unwrap_or("-").chars().map(harmless).collect::<String>();
    format!(
        "{:>6}  {}  {} {} {}",
        record.line,
        record.started_at.as_ref().or(record.ended_at.as_ref()).map_or("-", String::as_str),
        record.status,
        or_dash(&record.method),
        or_dash(&record.path),
    )
}
