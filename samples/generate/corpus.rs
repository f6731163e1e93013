//! `corpus`: a plain log of any size for the benches, streamed in the order of time.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use fs_err::File;

use crate::Format;
use crate::random::Stream;
use crate::traffic::{Traffic, Written};

/// Sessions made and thrown away to learn how many bytes one has.
const TRIAL_SESSIONS: f64 = 20_000.0;
/// Sessions planned for each that is needed on average, so that chance does not leave the log short.
const MARGIN: f64 = 1.01;

/// What is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) bytes: u64,
    pub(crate) clients: u32,
    pub(crate) seed: u64,
    pub(crate) format: Format,
    /// Sessions end with their first page, and no file is fetched for it.
    pub(crate) brief: bool,
    pub(crate) days: u32,
}

/// Writes the log to `path`, and returns a line about it.
pub(crate) fn write(path: &Path, settings: &Settings) -> anyhow::Result<String> {
    let trial_settings = Settings { bytes: 0, clients: TRIAL_SESSIONS as u32, ..*settings };
    let trial = Traffic::new(&trial_settings, Stream::CorpusTrial, TRIAL_SESSIONS).run(&mut io::sink())?;
    let bytes_per_session = trial.bytes as f64 / trial.sessions as f64;
    let sessions = (settings.bytes as f64 / bytes_per_session).max(f64::from(settings.clients)) * MARGIN;

    let mut out = BufWriter::new(File::create(path)?);
    let Written { lines, bytes, clients, sessions } = Traffic::new(settings, Stream::Corpus, sessions)
        .run(&mut out)
        .and_then(|written| out.flush().map(|()| written))
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(format!(
        "wrote {}: {lines} lines, {bytes} bytes, {clients} clients, {sessions} sessions",
        path.display()
    ))
}
