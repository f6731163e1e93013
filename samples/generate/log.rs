//! A log in the making: lines come in session by session and go out in the order in which the requests ended.

use std::io::{self, Write};
use std::ops::Range;

use crate::Format;
use crate::line::{Line, Writer};

/// Who asked for what: every well-formed line is of one of these.
#[derive(Clone, Copy)]
pub(crate) enum Class {
    Page,
    Static,
    MailLink,
    Crawler,
    HealthCheck,
    Scanner,
    Tool,
}

/// Number of classes.
const CLASSES: usize = 7;

/// Lines, in any order, with the instant each was written.
pub(crate) struct Log {
    writer: Writer,
    bytes: Vec<u8>,
    lines: Vec<(u64, Range<usize>)>,
    counts: [u64; CLASSES],
}

impl Log {
    /// Returns an empty log in the format of the shop.
    pub(crate) fn new() -> Self {
        Self { writer: Writer::new(Format::Shop), bytes: Vec::new(), lines: Vec::new(), counts: [0; CLASSES] }
    }

    /// Adds a request.
    pub(crate) fn push(&mut self, class: Class, line: &Line) {
        let start = self.bytes.len();
        self.writer.write(line, &mut self.bytes);
        self.lines.push((line.ended_us, start..self.bytes.len()));
        self.counts[class as usize] += 1;
    }

    /// Adds bytes that stand at the place of a line; the newline is added here.
    pub(crate) fn push_raw(&mut self, at_us: u64, line: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(line);
        self.bytes.push(b'\n');
        self.lines.push((at_us, start..self.bytes.len()));
    }

    /// Returns the number of requests of one class.
    pub(crate) fn count(&self, class: Class) -> u64 {
        self.counts[class as usize]
    }

    /// Returns the number of all lines.
    pub(crate) fn lines(&self) -> u64 {
        self.lines.len() as u64
    }

    /// Returns the size of the log.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Writes all lines in the order of their instants; equal instants keep the order in which they came in.
    pub(crate) fn write_sorted(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.lines.sort_by_key(|&(at_us, _)| at_us);
        self.lines.iter().try_for_each(|(_, range)| out.write_all(&self.bytes[range.clone()]))
    }
}
