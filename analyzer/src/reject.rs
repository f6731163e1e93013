//! Why a line was not understood. A bad line is data: counted, classed, and shown by position, never by its text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Why a line gave no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reject {
    /// Nothing but white space.
    Blank,
    /// Longer than the line limit.
    TooLong,
    /// Ends before the fields that every request needs.
    Truncated,
    /// Holds NUL bytes.
    Binary,
    /// Literal text of the format is not where it should be.
    OtherFormat,
    /// More text after the end of the format.
    TrailingText,
    /// The time stamp cannot be read.
    BadTime,
    /// The status is not a number.
    BadStatus,
    /// A size or a duration is not a number.
    BadNumber,
    /// A record of another kind: a header, a comment, something that is no request.
    NotARequest,
    /// A piece of a line that a container runtime cut.
    Partial,
}

impl Reject {
    /// What keeps `line` from being a request in any format.
    pub(crate) fn in_any_format(line: &[u8]) -> Option<Self> {
        match line {
            _ if line.iter().all(u8::is_ascii_whitespace) => Some(Self::Blank),
            _ if memchr::memchr(0, line).is_some() => Some(Self::Binary),
            _ => None,
        }
    }

    /// The name used in files and outputs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::TooLong => "too_long",
            Self::Truncated => "truncated",
            Self::Binary => "binary",
            Self::OtherFormat => "other_format",
            Self::TrailingText => "trailing_text",
            Self::BadTime => "bad_time",
            Self::BadStatus => "bad_status",
            Self::BadNumber => "bad_number",
            Self::NotARequest => "not_a_request",
            Self::Partial => "partial",
        }
    }
}

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Line number, from 1.
    pub line: u64,
    /// Offset of the line's first byte in the uncompressed input.
    pub byte: u64,
}

/// How many lines were refused for one reason, and where the first of them stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectCount {
    /// Lines.
    pub count: u64,
    /// The first of them.
    pub positions: Vec<Position>,
}

/// Refused lines by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rejects(pub BTreeMap<Reject, RejectCount>);

impl Rejects {
    /// Positions kept per reason.
    const POSITIONS: usize = 3;

    /// Counts one line.
    pub fn add(&mut self, reject: Reject, position: Position) {
        let entry = self.0.entry(reject).or_default();
        entry.count += 1;
        if entry.positions.len() < Self::POSITIONS {
            entry.positions.push(position);
        }
    }

    /// Adds the rejects of the block that follows, whose positions count from its own first line.
    pub fn append(&mut self, next: &Self, lines_before: u64) {
        for (reject, more) in &next.0 {
            let entry = self.0.entry(*reject).or_default();
            entry.count += more.count;
            let room = Self::POSITIONS.saturating_sub(entry.positions.len());
            let shifted = more.positions.iter().map(|at| Position { line: at.line + lines_before, ..*at });
            entry.positions.extend(shifted.take(room));
        }
    }

    /// Lines that should have been requests: records of another kind are no failure.
    pub fn not_understood(&self) -> u64 {
        self.total() - self.0.get(&Reject::NotARequest).map_or(0, |found| found.count)
    }

    /// Lines refused.
    pub fn total(&self) -> u64 {
        self.0.values().map(|entry| entry.count).sum()
    }
}
