//! From a line to a [`Request`]: formats are programs of field operations, compiled once.
//!
//! | module | answers |
//! |---|---|
//! | [`values`] | what a line is split into |
//! | [`program`] | how a compiled format splits a line |
//! | [`meaning`] | what the fields become: units, stamps, escapes |
//! | [`language`] | which product's language a format string is written in |
//! | [`configuration`] | which format a server's configuration uses |
//! | [`preset`] | the fixed formats |
//! | [`nginx_format`] | the grammar of nginx `log_format` |
//! | [`nginx_conf`] | the `log_format` in a configuration of nginx |
//! | [`builtin`] | *combined* and *common*, which nginx and Apache share |
//! | [`detect`] | which format an unknown input is in |
//! | [`escape`] | what the producers' escapes mean |

use crate::document::Document;
use crate::reject::Reject;
use crate::request::Request;
use crate::session::identity::Identity;
use crate::source::Framing;

pub mod builtin;
pub mod configuration;
pub mod detect;
pub mod escape;
pub mod language;
pub(crate) mod meaning;
pub mod nginx_conf;
pub mod nginx_format;
pub(crate) mod number;
mod preset;
mod program;
pub(crate) mod time;
pub(crate) mod values;

use shared::profile::Stamp;

pub use builtin::Producer;
pub use program::Program;

/// A format that lines can be read with.
#[derive(Debug, Clone)]
pub struct Format {
    /// Name shown to people, such as `nginx:combined`.
    pub label: String,
    /// How a line is read.
    pub reader: Reader,
    /// nginx and Apache write the same text here, and only the text of many lines can tell them apart.
    pub producer_unknown: bool,
}

/// What people say about the formats of their logs.
#[derive(Debug, Clone)]
pub struct Options {
    /// What one client is recognised by: a format that logs it must keep it.
    pub identity: Identity,
    /// Who wrote *combined* or *common* logs, where the text leaves it open.
    pub producer: Option<Producer>,
}

impl Default for Options {
    fn default() -> Self {
        Self { identity: Identity::IpAndUserAgent, producer: None }
    }
}

/// How the requests of an input are read.
#[derive(Debug, Clone)]
pub enum Reader {
    /// Lines of text, by a compiled format string.
    Text(Program),
    /// The input as a whole.
    Document(Document),
}

/// State that makes reading a line cheaper when it is like the one before. One per thread.
#[derive(Debug, Default)]
pub struct Cache {
    time: time::TimeCache,
    /// Text of the last line whose escapes had to be undone.
    scratch: Vec<u8>,
}

impl Format {
    pub(crate) fn new(label: &str, reader: Reader) -> Self {
        Self { label: label.to_owned(), reader, producer_unknown: false }
    }

    /// Which moment the stamps mark.
    pub fn stamp(&self) -> Stamp {
        match &self.reader {
            Reader::Text(program) => program.meaning.stamp,
            // Spans and recordings are stamped at their start.
            Reader::Document(_) => Stamp::Start,
        }
    }

    /// How inputs in this format are cut into blocks.
    pub(crate) fn framing(&self) -> Framing {
        match &self.reader {
            Reader::Text(_) => Framing::Lines,
            Reader::Document(_) => Framing::Whole,
        }
    }

    /// How many of the things a log can tell the format has fields for: what ranks formats that fit equally well.
    pub(crate) fn richness(&self) -> usize {
        match &self.reader {
            Reader::Text(program) => program.fields.len(),
            Reader::Document(_) => usize::MAX,
        }
    }

    /// Reads one line, without its line end.
    ///
    /// # Errors
    /// Why the line is no request of this format.
    pub fn parse<'a>(&self, line: &'a [u8], cache: &'a mut Cache) -> Result<Request<'a>, Reject> {
        // Windows editors put a byte order mark in front of the first line.
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        match &self.reader {
            Reader::Text(program) => program.parse(line, cache),
            Reader::Document(_) => Err(Reject::OtherFormat),
        }
    }
}
