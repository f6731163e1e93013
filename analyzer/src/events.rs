//! The canonical requests of logs, without anybody in them: a table for other programs.

use std::collections::HashMap;
use std::io::Write;

use anyhow::Error;
use rayon::prelude::*;
use serde::Serialize;

use crate::format::{Cache, Format};
use crate::given::Given;
use crate::kind::{self, Kind};
use crate::local::{Understood, second_pass};
use crate::privacy::gate::Gate;
use crate::privacy::pseudonym::{ClientResolver, Key};
use crate::read::{self, Reading};
use crate::resource::Resource;
use crate::settings::Settings;
use crate::source::{Block, Blocks};
use crate::{Counted, record};

/// One request.
#[derive(Serialize)]
struct EventRecord<'a> {
    started_at: Option<String>,
    ended_at: Option<String>,
    duration_s: Option<f64>,
    client: String,
    /// Null where it is none of the methods that everybody knows.
    method: Option<&'a str>,
    /// Route template; null where fewer than k clients used it.
    route: Option<&'a str>,
    endpoint: Option<&'a str>,
    status: u16,
    bytes_out: Option<u64>,
    kind: Kind,
    /// How many requests this one stands for, where anything says.
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<f64>,
}

/// Writes one JSON object per request, in the order of the inputs; gives what was read and how many were written.
///
/// Inputs are read twice: routes are known only when all lines were seen.
///
/// # Errors
/// What keeps an input from being read or the output from being written.
pub fn write_ndjson(
    settings: &Settings,
    out: &mut dyn Write,
    on_bytes: &(dyn Fn(u64) + Sync),
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
            let texts: Vec<(Vec<u8>, u64)> = pool.install(|| {
                batch
                    .par_iter()
                    .map(|block| ndjson(block, number, &detection.format, &reading, settings, &key, &routes))
                    .collect()
            });
            for (text, count) in texts {
                out.write_all(&text)?;
                written += count;
            }
        }
    }
    out.flush()?;
    Ok((reading, written))
}

fn ndjson(
    block: &Block,
    input: usize,
    format: &Format,
    reading: &Reading,
    settings: &Settings,
    key: &Key,
    routes: &HashMap<&Resource, (&str, &str)>,
) -> (Vec<u8>, u64) {
    let mut cache = Cache::default();
    let mut clients = ClientResolver::new(key, &settings.read.identity);
    let mut given = Given::new(&settings.read);
    let (mut text, mut count, mut line) = (Vec::new(), 0, 0);
    // A document that breaks off was reported when it was read for the routes.
    let _ = read::records(block, format, settings.read.line_limit, &mut cache, |_, _, record| {
        line += 1;
        let Ok(mut request) = record else { return };
        if reading.duplicates.contains(&(input, block.index, line)) {
            return;
        }
        if let Some(Understood::Twice(fold)) = given.complete(&mut request)
            && reading.inputs[input].second_passes.is_second(fold, (block.index, line))
        {
            second_pass(&mut request, fold);
        }
        let resource = Resource::of(&request, settings.read.templates);
        let route = routes.get(&resource);
        let (client, agent) = clients.client(&request);
        let event = EventRecord {
            started_at: request.started_at_ns().map(record::rfc3339_ns),
            ended_at: request.ended_at_ns().map(record::rfc3339_ns),
            duration_s: request.duration_ns.map(|ns| ns as f64 * 1e-9),
            client: format!("{client:016x}"),
            kind: kind::of_request(&request, request.path(), agent),
            method: request.known_method().and_then(|method| std::str::from_utf8(method).ok()),
            route: route.map(|(template, _)| *template),
            endpoint: route.map(|(_, id)| *id),
            status: request.status,
            bytes_out: request.bytes_out,
            weight: request.weight,
        };
        if serde_json::to_writer(&mut text, &event).is_ok() {
            text.push(b'\n');
            count += 1;
        }
    });
    (text, count)
}
