//! Rows of the table that `analyzer events` writes.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read};

use jiff::Timestamp;
use serde::Deserialize;

use crate::clock::SECOND_NS;
use crate::error::{Error, EventsPlace};

/// How events are written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A table of text, with the names of its columns in the first line.
    Csv,
    /// One JSON object per line.
    Ndjson,
}

/// A request that can be placed in time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    pub(super) client: u32,
    /// Position of its endpoint, where it has a route.
    pub(super) endpoint: Option<usize>,
    /// What the log says, in nanoseconds of Unix time.
    pub(super) stamp_ns: i64,
    /// How long before the stamp it began.
    before_ns: i64,
    pub(super) duration_s: Option<f64>,
    pub(super) status: u16,
}

impl Event {
    pub(super) fn starts_at_ns(&self) -> i64 {
        self.stamp_ns.saturating_sub(self.before_ns)
    }
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) rows: Vec<Event>,
    /// Id, method and route of each endpoint, in the order in which they were met.
    pub(super) endpoints: Vec<[String; 3]>,
    pub(super) without_stamp: u64,
}

/// The columns that a replay has a use for; others are passed over.
#[derive(Debug)]
pub(super) struct Row {
    /// Nanoseconds of Unix time.
    pub(super) started_ns: Option<i64>,
    pub(super) ended_ns: Option<i64>,
    pub(super) duration_s: Option<f64>,
    pub(super) client: String,
    pub(super) method: Option<String>,
    pub(super) route: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) status: u16,
}

/// A row as text has it.
#[derive(Debug, Deserialize)]
struct TextRow {
    started_at: Option<String>,
    ended_at: Option<String>,
    duration_s: Option<f64>,
    client: String,
    method: Option<String>,
    route: Option<String>,
    endpoint: Option<String>,
    status: u16,
}

impl TextRow {
    fn row(self, line: u64) -> Result<Row, Error> {
        let place = EventsPlace::Line(line);
        let moment = |text: Option<String>| match text.filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => moment_ns(&text, place).map(Some),
        };
        Ok(Row {
            started_ns: moment(self.started_at)?,
            ended_ns: moment(self.ended_at)?,
            duration_s: self.duration_s,
            client: self.client,
            method: self.method,
            route: self.route,
            endpoint: self.endpoint,
            status: self.status,
        })
    }
}

/// A moment in RFC 3339 as nanoseconds of Unix time; `place` is where it stands.
pub(super) fn moment_ns(text: &str, place: EventsPlace) -> Result<i64, Error> {
    match text.parse::<Timestamp>().map(|moment| i64::try_from(moment.as_nanosecond())) {
        Ok(Ok(moment_ns)) => Ok(moment_ns),
        _ => Err(wrong(place, "a stamp that is none", "a moment in RFC 3339")),
    }
}

/// What is wrong with the events at `place`.
pub(super) fn wrong(place: EventsPlace, found: &str, expected: &'static str) -> Error {
    Error::Events { place, found: found.to_owned(), expected }
}

/// Reads all rows.
pub(super) fn read(input: impl Read, form: Form) -> Result<Events, Error> {
    let mut reader = Reader::default();
    match form {
        Form::Csv => {
            let mut table = csv::Reader::from_reader(input);
            let wrong_row = |line| wrong(EventsPlace::Line(line), "something else", "a row of events");
            let names = table.headers().map_err(|_| wrong_row(1))?;
            if !names.iter().any(|name| name == "client") {
                let expected = "a column `client`, as `analyzer events` writes";
                return Err(wrong(EventsPlace::Line(1), "another table", expected));
            }
            for (at, row) in table.deserialize::<TextRow>().enumerate() {
                let line = at as u64 + 2;
                reader.add(row.map_err(|_| wrong_row(line))?.row(line)?);
            }
        }
        Form::Ndjson => {
            for (at, line) in BufReader::new(input).lines().enumerate() {
                let number = at as u64 + 1;
                let wrong_line = || wrong(EventsPlace::Line(number), "something else", "an event in JSON");
                let line = line.map_err(|_| wrong_line())?;
                if !line.trim().is_empty() {
                    let row: TextRow = serde_json::from_str(&line).map_err(|_| wrong_line())?;
                    reader.add(row.row(number)?);
                }
            }
        }
    }
    Ok(reader.events)
}

/// Numbers clients and endpoints as they come.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) events: Events,
    clients: HashMap<String, u32>,
    endpoints: HashMap<(String, String), usize>,
}

impl Reader {
    pub(super) fn add(&mut self, row: Row) {
        let is_whole = |ns: &i64| ns % SECOND_NS as i64 == 0;
        // Of an end and a start that was reckoned from it, the end is what the log says.
        let (stamp_ns, before_ns) = match (row.started_ns, row.ended_ns) {
            (Some(started_ns), Some(ended_ns)) if is_whole(&ended_ns) && !is_whole(&started_ns) => {
                (ended_ns, ended_ns.saturating_sub(started_ns))
            }
            (Some(started_ns), _) => (started_ns, 0),
            (None, Some(ended_ns)) => {
                let known_s = row.duration_s.filter(|duration_s| (0.0..1e6).contains(duration_s));
                (ended_ns, (known_s.unwrap_or(0.0) * SECOND_NS as f64) as i64)
            }
            (None, None) => {
                self.events.without_stamp += 1;
                return;
            }
        };
        let clients = self.clients.len() as u32;
        let client = *self.clients.entry(row.client).or_insert(clients);
        let text = |text: Option<String>| text.filter(|text| !text.is_empty());
        let endpoint = match (text(row.method), text(row.route)) {
            (Some(method), Some(route)) => Some(self.endpoint(method, route, text(row.endpoint))),
            _ => None,
        };
        let (duration_s, status) = (row.duration_s, row.status);
        self.events.rows.push(Event { client, endpoint, stamp_ns, before_ns, duration_s, status });
    }

    fn endpoint(&mut self, method: String, route: String, id: Option<String>) -> usize {
        let Self { events, endpoints, .. } = self;
        *endpoints.entry((method, route)).or_insert_with_key(|(method, route)| {
            let id = id.unwrap_or_else(|| format!("{method} {route}"));
            events.endpoints.push([id, method.clone(), route.clone()]);
            events.endpoints.len() - 1
        })
    }
}
