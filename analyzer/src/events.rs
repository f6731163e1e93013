//! The canonical requests of logs, without anybody in them: a table for other programs.

use std::collections::HashMap;
use std::io::Write;

use anyhow::Error;
use rayon::prelude::*;
use serde::Serialize;

use crate::format::{self, Cache};
use crate::given::Given;
use crate::kind::{self, Kind};
use crate::local::{Understood, second_pass};
use crate::privacy::gate::Gate;
use crate::privacy::pseudonym::{ClientResolver, Key, Requester};
use crate::read::{self, Reading};
use crate::resource::Resource;
use crate::settings::Settings;
use crate::source::{Block, Blocks};
use crate::{Counted, record};

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line.
    Ndjson,
    /// A table of text, with the names of its columns in the first line.
    Csv,
    /// A table in columns.
    Parquet,
}

/// One request.
#[derive(Serialize)]
pub(crate) struct EventRecord<'a> {
    #[serde(rename = "started_at", serialize_with = "instant")]
    pub(crate) started_ns: Option<i64>,
    #[serde(rename = "ended_at", serialize_with = "instant")]
    pub(crate) ended_ns: Option<i64>,
    pub(crate) duration_s: Option<f64>,
    pub(crate) client: String,
    /// Null where it is none of the methods that everybody knows.
    pub(crate) method: Option<&'a str>,
    /// Route template; null where fewer than k clients used it.
    pub(crate) route: Option<&'a str>,
    pub(crate) endpoint: Option<&'a str>,
    pub(crate) status: u16,
    pub(crate) bytes_out: Option<u64>,
    pub(crate) kind: Kind,
    /// How many requests this one stands for, where anything says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) weight: Option<f64>,
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn instant<S: serde::Serializer>(ns: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    ns.map(record::rfc3339_ns).serialize(serializer)
}

/// The events of one block, as they are written.
trait Sheet: Default + Send {
    fn add(&mut self, event: &EventRecord<'_>);
}

/// Lines of JSON.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Sheet for Lines {
    fn add(&mut self, event: &EventRecord<'_>) {
        // Writing to memory does not fail, and every event is text and numbers.
        if serde_json::to_writer(&mut self.0, event).is_ok() {
            self.0.push(b'\n');
        }
    }
}

#[cfg(feature = "tabular")]
impl Sheet for crate::table::Events {
    fn add(&mut self, event: &EventRecord<'_>) {
        self.push(event);
    }
}

/// Writes the requests of the inputs, in their order; gives what was read and how many were written.
///
/// # Errors
/// What keeps an input from being read or the output from being written.
pub fn write(
    settings: &Settings,
    format: Format,
    out: &mut dyn Write,
    on_bytes: &(dyn Fn(u64) + Sync),
) -> Result<(Reading, u64), Error> {
    match format {
        Format::Ndjson => {
            let done = each_sheet(settings, on_bytes, &mut |lines: Lines| Ok(out.write_all(&lines.0)?))?;
            out.flush()?;
            Ok(done)
        }
        #[cfg(feature = "tabular")]
        Format::Csv | Format::Parquet => {
            let mut table = match format {
                Format::Parquet => crate::table::EventsWriter::parquet(out)?,
                Format::Csv | Format::Ndjson => crate::table::EventsWriter::csv(out),
            };
            let done = each_sheet(settings, on_bytes, &mut |events| table.write(events))?;
            table.finish()?;
            Ok(done)
        }
        #[cfg(not(feature = "tabular"))]
        Format::Csv | Format::Parquet => {
            anyhow::bail!("cannot write a table: this program was built without the cargo feature `tabular`")
        }
    }
}

/// Gives the events of each block, in the order of the inputs.
///
/// Inputs are read twice: routes are known only when all lines were seen.
fn each_sheet<S: Sheet>(
    settings: &Settings,
    on_bytes: &(dyn Fn(u64) + Sync),
    take: &mut dyn FnMut(S) -> Result<(), Error>,
) -> Result<(Reading, u64), Error> {
    let key = Key::ephemeral()?;
    let pool = crate::threads(settings.read.threads)?;
    let reading = pool.install(|| read::read(&settings.read, &key, on_bytes))?;
    let counted = pool.install(|| Counted::new(&reading, settings))?;
    let named = Gate::new(settings.model.k).routes(&counted.tally, &counted.routes);
    let routes: HashMap<&Resource, (&str, &str)> = reading
        .resources
        .iter()
        .zip(&counted.routes.of_resource)
        .filter_map(|(resource, route)| {
            let number = route.filter(|number| named.contains(number))?;
            let route = &counted.routes.routes[number as usize];
            Some((resource, (route.template.as_str(), route.id.as_str())))
        })
        .collect();
    let mut written = 0;
    for (number, source) in read::open(&settings.read)?.sources.into_iter().enumerate() {
        let detection = source.found.detection;
        // Whatever keeps it from being opened again was reported when it was read for the routes.
        let Ok(input) = source.input.open(settings.read.limits()) else { continue };
        let blocks = Blocks::new(
            input,
            detection.format.framing(),
            settings.read.block_bytes,
            settings.read.line_limit,
        );
        loop {
            let mut batch = Vec::new();
            for _ in 0..2 * settings.read.threads {
                let mut block = Block::default();
                if !blocks.next(&mut block) {
                    break;
                }
                on_bytes(block.bytes.len() as u64);
                batch.push(block);
            }
            if batch.is_empty() {
                break;
            }
            let sheets: Vec<(S, u64)> = pool.install(|| {
                batch
                    .par_iter()
                    .map(|block| sheet(block, number, &detection.format, &reading, settings, &key, &routes))
                    .collect()
            });
            for (sheet, count) in sheets {
                take(sheet)?;
                written += count;
            }
        }
    }
    Ok((reading, written))
}

fn sheet<S: Sheet>(
    block: &Block,
    input: usize,
    format: &format::Format,
    reading: &Reading,
    settings: &Settings,
    key: &Key,
    routes: &HashMap<&Resource, (&str, &str)>,
) -> (S, u64) {
    let mut cache = Cache::default();
    let mut clients = ClientResolver::new(key, &settings.read.identity, None);
    let mut given = Given::new(&settings.read);
    let (mut sheet, mut count, mut line) = (S::default(), 0, 0);
    // A document that breaks off was reported when it was read for the routes.
    let _ = read::records(block, format, settings.read.line_limit, &mut cache, |_, record| {
        line += 1;
        let Ok(request) = record else { return };
        if reading.duplicates.contains(&(input, block.index, line)) {
            return;
        }
        if let Some(Understood::Twice(fold)) = given.complete(request)
            && reading.inputs[input].second_passes.is_second(fold, (block.index, line))
        {
            second_pass(request, fold);
        }
        let resource = Resource::of(request, settings.read.templates, &settings.read.routes);
        let route = routes.get(&resource);
        let Requester { client, kind: agent, .. } = clients.client(request);
        let event = EventRecord {
            started_ns: request.started_at_ns(),
            ended_ns: request.ended_at_ns(),
            duration_s: request.duration_ns.map(|ns| ns as f64 * 1e-9),
            client: format!("{client:016x}"),
            kind: kind::of_request(request, request.path(), agent),
            method: request.known_method().and_then(|method| std::str::from_utf8(method).ok()),
            route: route.map(|(template, _)| *template),
            endpoint: route.map(|(_, id)| *id),
            status: request.status,
            bytes_out: request.bytes_out,
            weight: request.weight,
        };
        sheet.add(&event);
        count += 1;
    });
    (sheet, count)
}
