//! From a line to a [`Request`]: formats are programs of field operations, compiled once.
//!
//! | module | answers |
//! |---|---|
//! | [`program`] | how a compiled format reads a line |
//! | [`nginx_format`] | the grammar of nginx `log_format` |
//! | [`nginx_conf`] | which format a server's configuration uses |
//! | [`builtin`] | *combined* and *common*, which nginx and Apache share |
//! | [`detect`] | which format an unknown input is in |
//! | [`escape`] | what the producers' escapes mean |

use crate::reject::Reject;
use crate::request::Request;

pub mod builtin;
pub mod detect;
pub mod escape;
pub mod nginx_conf;
pub mod nginx_format;
mod number;
mod program;
mod time;

pub use builtin::Producer;
pub use program::Program;

/// A format that lines can be read with.
#[derive(Debug, Clone)]
pub struct Format {
    /// Name shown to people, such as `nginx:combined`.
    pub label: String,
    /// How a line is read.
    pub program: Program,
    /// nginx and Apache write the same text here, and only the text of many lines can tell them apart.
    pub producer_unknown: bool,
}

/// State that makes reading a line cheaper when it is like the one before. One per thread.
#[derive(Debug, Default)]
pub struct Cache {
    time: time::TimeCache,
}

impl Format {
    /// Reads one line, without its line end.
    ///
    /// # Errors
    /// Why the line is no request of this format.
    pub fn parse<'a>(&self, line: &'a [u8], cache: &mut Cache) -> Result<Request<'a>, Reject> {
        // Windows editors put a byte order mark in front of the first line.
        self.program.parse(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line), cache)
    }
}
