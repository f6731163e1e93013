//! `shop`: one week of the shop, and the truth about it.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use flate2::{Compression, GzBuilder};
use fs_err::File;

use crate::arrivals::{DAY_S, RateCurve};
use crate::clients::Clients;
use crate::line::SECOND_US;
use crate::log::Log;
use crate::page::Pages;
use crate::random::{Random, Stream};
use crate::secrets::Secrets;
use crate::truth::{Made, Truth};
use crate::visits::Visits;
use crate::{broken, mail_links, robots};

/// Sessions expected in the week: as many as keep the compressed log below 4 MB.
const SESSIONS: f64 = 15_000.0;
/// Length of the log.
const SPAN_US: u64 = 7 * DAY_S as u64 * SECOND_US;

/// Writes the log and its truth to `directory`, and returns a line about them.
pub(crate) fn write(directory: &Path, seed: u64) -> anyhow::Result<String> {
    let pages = Pages::new();
    let mut secrets = Secrets::new(seed);
    let mut clients = Clients::new(seed);
    let mut log = Log::new();

    let curve = RateCurve::week(SESSIONS, 7);
    let mut visits = Visits::new(seed, &pages, &mut clients, &mut secrets, &mut log);
    for start_us in arrivals(&curve, seed) {
        visits.visit(start_us);
    }
    let tally = visits.into_tally();
    mail_links::follow(seed, SPAN_US, &mut clients, &mut secrets, &mut log);
    robots::run(seed, SPAN_US, &pages, &mut secrets, &mut log);
    let broken = broken::strew(seed, SPAN_US, &mut secrets, &mut log);

    let log_path = directory.join("shop.access.log.gz");
    // The header holds neither a file name nor a time, so the bytes depend on the log alone.
    let mut gzip = GzBuilder::new().write(BufWriter::new(File::create(&log_path)?), Compression::new(9));
    log.write_sorted(&mut gzip).with_context(|| format!("cannot write `{}`", log_path.display()))?;
    gzip.finish()?.flush()?;

    let truth = Truth::new(Made {
        seed,
        log: &log,
        clients: &clients,
        pages: &pages,
        curve: &curve,
        tally,
        broken,
        secrets: secrets.into_planted(),
    });
    let mut json = serde_json::to_string_pretty(&truth)?;
    json.push('\n');
    fs_err::write(directory.join("shop.truth.json"), json)?;
    Ok(format!(
        "wrote {}: {} lines, {} bytes before compression",
        log_path.display(),
        log.lines(),
        log.bytes()
    ))
}

/// Returns the starts of all sessions of the week, ascending.
fn arrivals(curve: &RateCurve, seed: u64) -> impl Iterator<Item = u64> {
    let mut random = Random::new(seed, Stream::Arrivals);
    let mut at_s = 0.0;
    std::iter::from_fn(move || {
        at_s = curve.next_after(at_s, &mut random);
        Some((at_s * SECOND_US as f64) as u64)
    })
    .take_while(|&at_us| at_us < SPAN_US)
}
