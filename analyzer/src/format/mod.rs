//! From a line to a [`Request`]: formats are programs of field operations, compiled once.
//!
//! | module | answers |
//! |---|---|
//! | [`values`] | what a line is split into |
//! | [`program`] | how a compiled format splits a line |
//! | [`combined`] | the same by hand, for the format most logs are in |
//! | [`search`] | how it splits a line whose text holds what separates fields |
//! | [`meaning`] | what the fields become: units, stamps, escapes |
//! | [`language`] | which product's language a format string is written in |
//! | [`configuration`] | which format a server's configuration uses |
//! | [`preset`] | the fixed formats |
//! | [`headed`] | logs whose columns are named in the text |
//! | [`json`] | JSON lines, without a tree of each |
//! | [`labelled`] | LTSV and logfmt |
//! | [`map`] | what `--map` says of fields |
//! | [`guess`] | what the names of fields say of them |
//! | [`records`] | JSON documents that hold many records |
//! | [`wrapper`] | what shippers put around a line |
//! | [`nginx_format`] | the grammar of nginx `log_format` |
//! | [`nginx_conf`] | the `log_format` in a configuration of nginx |
//! | [`apache_format`], [`httpd_conf`] | the same of Apache, and of those who speak its language |
//! | [`haproxy_format`], [`haproxy_cfg`] | the same of HAProxy |
//! | [`squid_format`], [`squid_conf`] | the same of Squid |
//! | [`envoy_format`], [`envoy_yaml`] | the same of Envoy and Istio |
//! | [`assemble`], [`request_line`], [`header`], [`include`] | what the languages and configurations share |
//! | [`builtin`] | *combined* and *common*, which nginx and Apache share |
//! | `extended` | what people add to them |
//! | [`detect`] | which format an unknown input is in |
//! | [`escape`] | what the producers' escapes mean |
//! | `extent` | fields that are wrapped, padded or left out |
//! | `other_record` | records of access logs that are no requests |

use crate::document::Document;
use crate::error::Error;
use crate::reject::Reject;
use crate::request::Request;
use crate::session::identity::Identity;
use crate::source::Framing;

mod apache_format;
mod assemble;
pub mod builtin;
mod combined;
pub mod configuration;
pub mod detect;
mod envoy_format;
mod envoy_yaml;
pub mod escape;
mod extended;
mod extent;
mod guess;
mod haproxy_cfg;
mod haproxy_format;
mod headed;
mod header;
mod httpd_conf;
mod include;
mod json;
mod labelled;
pub mod language;
pub mod map;
pub(crate) mod marks;
pub(crate) mod meaning;
mod near;
pub mod network;
pub mod nginx_conf;
pub mod nginx_format;
pub(crate) mod number;
mod other_record;
pub mod preset;
mod program;
pub(crate) mod records;
mod request_line;
mod search;
mod squid_conf;
mod squid_format;
pub(crate) mod time;
mod time_pattern;
pub(crate) mod values;
mod wrapper;

use builtin::Evidence;
use marks::{LineMarks, Marks};
use serde::{Deserialize, Serialize};
use shared::profile::Stamp;
use wrapper::Wrapper;

pub use builtin::Producer;
pub use headed::Headed;
pub use json::Json;
pub use labelled::Labelled;
pub use map::MapRule;
pub use network::Network;
pub use program::Program;

pub use crate::table::columns::Columns;

/// A format that lines can be read with.
#[derive(Debug, Clone)]
pub struct Format {
    /// Name shown to people, such as `nginx:combined`.
    pub label: String,
    /// How a line is read.
    pub reader: Reader,
    /// nginx and Apache write the same text here, and only the text of many lines can tell them apart.
    pub producer_unknown: bool,
    /// What is around every line, from the outside in.
    pub(crate) wrappers: Vec<Wrapper>,
}

/// What stays known of a format once its inputs are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Name shown to people, such as `nginx:combined`.
    pub label: String,
    /// The label without the name of what is around the lines, where there is anything.
    pub(crate) bare_label: String,
    /// Which moment the stamps mark, before the text has told who wrote it.
    pub stamp: Stamp,
    /// nginx and Apache write the same text here, and only the text of many lines can tell them apart.
    pub producer_unknown: bool,
    /// The input was read as a whole: what one record of it is called.
    #[serde(skip)]
    pub(crate) whole: Option<Whole>,
}

/// An input that was read as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whole {
    /// A document.
    Document(Document),
    /// A table in a binary format.
    Table,
}

impl Description {
    /// The label, corrected by what the text says about who wrote it.
    pub(crate) fn label_by(&self, evidence: Evidence) -> String {
        match (self.bare_label.rsplit_once(':'), self.producer(evidence)) {
            (Some((_, name)), Some(producer)) => {
                let outer = self.label.strip_suffix(&self.bare_label).unwrap_or_default();
                format!("{outer}{}:{name}", producer.name())
            }
            _ => self.label.clone(),
        }
    }

    /// The moment that the stamps mark, given what the text says about who wrote it.
    pub(crate) fn stamp_by(&self, evidence: Evidence) -> Stamp {
        self.producer(evidence).map_or(self.stamp, Producer::stamp)
    }

    fn producer(&self, evidence: Evidence) -> Option<Producer> {
        evidence.producer().filter(|_| self.producer_unknown)
    }
}

/// What people say about the formats of their logs.
#[derive(Debug, Clone)]
pub struct Options {
    /// What one client is recognised by: a format that logs it must keep it.
    pub identity: Identity,
    /// Who wrote *combined* or *common* logs, where the text leaves it open.
    pub producer: Option<Producer>,
    /// What fields mean that do not say it by their names.
    pub map: Vec<MapRule>,
    /// Proxies that are believed when they say for whom they ask.
    pub trusted: Vec<Network>,
}

impl Default for Options {
    fn default() -> Self {
        Self { identity: Identity::IpAndUserAgent, producer: None, map: Vec::new(), trusted: Vec::new() }
    }
}

impl From<Identity> for Options {
    fn from(identity: Identity) -> Self {
        Self { identity, ..Self::default() }
    }
}

/// How the requests of an input are read.
#[derive(Debug, Clone)]
pub enum Reader {
    /// Lines of text, by a compiled format string.
    Text(Program),
    /// Lines in *combined*: by hand, and by the program where there is anything unusual in one.
    Combined(Program),
    /// Lines of text, by the names of their columns in the text itself.
    Headed(Headed),
    /// Lines of JSON.
    Json(Json),
    /// Lines of fields with their names.
    Labelled(Labelled),
    /// JSON documents of records that are each a line of this format.
    Records(Box<Format>),
    /// A Parquet file, by the names of its columns.
    Table(Columns),
    /// The input as a whole.
    Document(Document),
}

/// State that makes reading a line cheaper when it is like the one before. One per thread.
#[derive(Debug, Default)]
pub struct Cache {
    time: time::TimeCache,
    /// The order of keys in the last lines of JSON.
    shape: json::Shape,
    /// The order of fields in the last labelled line.
    order: Vec<u16>,
    /// Text of the last line whose escapes had to be undone.
    scratch: Vec<u8>,
    /// The header lines passed, and what they say.
    in_force: headed::InForce,
    /// The quotes and backslashes of the lines read next.
    pub(crate) marks: Marks,
    /// Text of the last line that a wrapper had escaped.
    peeled: Vec<u8>,
    /// What the line inside a wrapper is read with.
    inner: Option<Box<Cache>>,
}

impl Cache {
    /// Starts a block of lines, in front of which `header` is in force: the lines that say what the columns are.
    pub fn begin(&mut self, header: Option<&[u8]>) {
        self.in_force.begin(header);
    }
}

impl Format {
    pub(crate) fn new(label: &str, reader: Reader) -> Self {
        Self { label: label.to_owned(), reader, producer_unknown: false, wrappers: Vec::new() }
    }

    /// Which moment the stamps mark.
    pub fn stamp(&self) -> Stamp {
        match &self.reader {
            Reader::Text(program) | Reader::Combined(program) => program.meaning.stamp,
            Reader::Headed(headed) => headed.stamp(),
            Reader::Json(json) => json.meaning.stamp,
            Reader::Labelled(labelled) => labelled.meaning.stamp,
            Reader::Records(record) => record.stamp(),
            Reader::Table(columns) => columns.meaning.stamp,
            // Spans and recordings are stamped at their start.
            Reader::Document(_) => Stamp::Start,
        }
    }

    /// How inputs in this format are cut into blocks.
    pub(crate) fn framing(&self) -> Framing {
        match &self.reader {
            Reader::Text(_) | Reader::Combined(_) | Reader::Json(_) | Reader::Labelled(_) => Framing::Lines,
            Reader::Headed(headed) => headed.framing(),
            Reader::Records(_) | Reader::Table(_) | Reader::Document(_) => Framing::Whole,
        }
    }

    /// How many of the things a log can tell the format has fields for: what ranks formats that fit equally well.
    pub(crate) fn richness(&self) -> usize {
        match &self.reader {
            Reader::Text(program) | Reader::Combined(program) => program.fields.len(),
            Reader::Headed(headed) => headed.richness(),
            Reader::Json(json) => json.richness(),
            Reader::Labelled(labelled) => labelled.richness(),
            Reader::Records(record) => record.richness(),
            Reader::Table(_) | Reader::Document(_) => usize::MAX,
        }
    }

    /// Reads one line, without its line end.
    ///
    /// # Errors
    /// Why the line is no request of this format.
    #[inline]
    pub fn parse<'a>(&self, line: &'a [u8], cache: &'a mut Cache) -> Result<Request<'a>, Reject> {
        self.parse_marked(line, None, cache)
    }

    /// As [`Format::parse`], of a line whose marks are known.
    #[inline]
    pub(crate) fn parse_marked<'a>(
        &self,
        line: &'a [u8],
        marks: Option<LineMarks<'_>>,
        cache: &'a mut Cache,
    ) -> Result<Request<'a>, Reject> {
        // Windows editors put a byte order mark in front of the first line.
        let (line, marks) = match line.strip_prefix(b"\xef\xbb\xbf") {
            Some(line) => (line, None),
            None => (line, marks),
        };
        match self.wrappers.is_empty() {
            true => self.read(line, marks, cache),
            false => self.peel(&self.wrappers, line, cache),
        }
    }

    fn peel<'a>(
        &self,
        wrappers: &[Wrapper],
        line: &'a [u8],
        cache: &'a mut Cache,
    ) -> Result<Request<'a>, Reject> {
        let [outer, within @ ..] = wrappers else { return self.read(line, None, cache) };
        let inside = outer
            .peel(line, &mut cache.peeled)
            .map_err(|reject| Reject::in_any_format(line).unwrap_or(reject))?;
        self.peel(within, inside, cache.inner.get_or_insert_default())
    }

    /// A request is large: what reads it writes it to where the caller wants it.
    #[inline]
    fn read<'a>(
        &self,
        line: &'a [u8],
        marks: Option<LineMarks<'_>>,
        cache: &'a mut Cache,
    ) -> Result<Request<'a>, Reject> {
        match &self.reader {
            Reader::Text(program) => program.parse(line, marks, cache),
            Reader::Combined(program) => {
                let of_line = marks.unwrap_or_else(|| cache.marks.of(line));
                let usual = of_line.first().and_then(|marks| {
                    combined::parse(line, marks, program.meaning.stamp, program.tail, &mut cache.time)
                });
                match usual {
                    Some(request) => Ok(request),
                    None => program.parse(line, marks, cache),
                }
            }
            Reader::Headed(headed) => headed.parse(line, cache),
            Reader::Json(json) => json.parse(line, marks, cache),
            Reader::Labelled(labelled) => labelled.parse(line, cache),
            Reader::Records(record) => record.read(line, None, cache),
            Reader::Table(_) | Reader::Document(_) => Err(Reject::OtherFormat),
        }
    }

    /// Whether a line of the format may have the field that `identity` names.
    pub(crate) fn can_hold(&self, identity: &Identity) -> bool {
        match (&self.reader, identity) {
            (_, Identity::Ip | Identity::IpAndUserAgent) => true,
            (Reader::Text(program) | Reader::Combined(program), _) => {
                program.meaning.cookie.is_some() || program.fields.iter().any(|field| field.also_identity)
            }
            _ => true,
        }
    }

    /// # Errors
    /// [`Error::MapField`] where a rule of `--map` names a column that the log's own header does not have.
    pub(crate) fn check_map(&self) -> Result<(), Error> {
        match &self.reader {
            Reader::Headed(headed) => headed.check(&self.label),
            _ => Ok(()),
        }
    }

    /// How sure the format is that fields mean what it takes them for, 0..=1.
    pub(crate) fn certainty(&self) -> f64 {
        match &self.reader {
            Reader::Json(json) => json.certainty,
            Reader::Labelled(labelled) => labelled.certainty,
            Reader::Records(record) => record.certainty(),
            Reader::Text(_) | Reader::Combined(_) | Reader::Headed(_) => 1.0,
            Reader::Table(_) | Reader::Document(_) => 1.0,
        }
    }

    /// The format, by which the proxies in `trusted` are believed.
    pub(crate) fn trusting(mut self, trusted: &[Network]) -> Self {
        let meaning = match &mut self.reader {
            Reader::Text(program) | Reader::Combined(program) => &mut program.meaning,
            Reader::Json(json) => &mut json.meaning,
            Reader::Labelled(labelled) => &mut labelled.meaning,
            Reader::Table(columns) => &mut columns.meaning,
            Reader::Records(record) => {
                **record = (**record).clone().trusting(trusted);
                return self;
            }
            // Every header makes a meaning of its own, by the options.
            Reader::Headed(_) | Reader::Document(_) => return self,
        };
        meaning.trusted = trusted.into();
        self
    }

    /// The format with `outer` around it.
    pub(crate) fn wrapped_in(mut self, outer: Wrapper) -> Self {
        self.wrappers.insert(0, outer);
        if let Reader::Headed(headed) = &mut self.reader {
            headed.wrapped();
        }
        self.label = format!("{}+{}", outer.name(), self.label);
        self
    }

    /// What is left to know of the format once its inputs are read.
    pub(crate) fn description(&self) -> Description {
        let outer: String = self.wrappers.iter().map(|wrapper| format!("{}+", wrapper.name())).collect();
        Description {
            label: self.label.clone(),
            bare_label: self.label.strip_prefix(&outer).unwrap_or(&self.label).to_owned(),
            stamp: self.stamp(),
            producer_unknown: self.producer_unknown,
            whole: match &self.reader {
                Reader::Document(document) => Some(Whole::Document(*document)),
                Reader::Table(_) => Some(Whole::Table),
                _ => None,
            },
        }
    }

    /// Whether the escapes of a line are its producer's, and not those of a wrapper that has escaped it again.
    pub(crate) fn escapes_are_the_producers(&self) -> bool {
        !self.wrappers.iter().any(|wrapper| wrapper.escapes())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    /// Gives every seed to `read`, and many lines made from it: bytes changed, cut out, doubled and cut off.
    pub(crate) fn mutate(seeds: &[&str], mut read: impl FnMut(&[u8])) {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut below = |limit: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % limit.max(1)
        };
        const BYTES: &[u8] = b" \t\"\\-+%{}[]:,;|#<>0129a\x00\xff\n\r";
        for seed in seeds {
            read(seed.as_bytes());
            for _ in 0..4000 {
                let mut line = seed.as_bytes().to_vec();
                for _ in 0..=below(4) {
                    let at = below(line.len());
                    match below(4) {
                        0 if at < line.len() => line[at] = BYTES[below(BYTES.len())],
                        1 => drop(line.drain(at..(at + below(5)).min(line.len()))),
                        2 => line.insert(at, BYTES[below(BYTES.len())]),
                        _ => line.truncate(at),
                    }
                }
                read(&line);
            }
        }
    }
}
