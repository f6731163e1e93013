//! What was found in one input.

use shared::profile::{Sampling, Stamp, StampCheck};

use crate::document::Document;
use crate::format::builtin::Evidence;
use crate::format::{Description, Whole};
use crate::local::SecondPasses;
use crate::record::Record;
use crate::reject::Rejects;

/// What was found in one input.
#[derive(Debug, Clone)]
pub struct InputSummary {
    /// The path as given, or `-`.
    pub path: String,
    /// The format, such as `nginx:combined`.
    pub format: Description,
    /// How sure the format is, 0..=1; 1 when it was given.
    pub confidence: f64,
    /// How the input is compressed, such as `gzip`.
    pub compressed: Option<String>,
    /// What the lines were unpacked from, such as `cloudwatch`.
    pub envelope: Option<&'static str>,
    /// Lines read.
    pub lines: u64,
    /// Requests understood.
    pub requests: u64,
    /// Lines refused.
    pub rejects: Rejects,
    /// Lines that ended early and were kept.
    pub recovered: u64,
    /// Requests that do not say how many they stand for.
    pub unweighted: u64,
    /// Requests of which nobody knows the client, so that their trace passes for one.
    pub clients_by_trace: u64,
    /// How fine the stamps are: the coarsest of them, in nanoseconds.
    pub resolution_ns: i64,
    /// Requests with a duration.
    pub timed: u64,
    /// Requests whose stamp was printed without its zone.
    pub zoneless: u64,
    /// Those of them in an hour that the clocks of `--tz` skipped.
    pub skipped_hour: u64,
    /// `--tz` says in which zone they are.
    pub zone_given: bool,
    /// The moment that the stamps mark, where `--stamp` says.
    pub stamp_given: Option<Stamp>,
    /// What the log says about the moment that its stamps mark, where it has durations.
    pub stamp_check: Option<StampCheck>,
    /// How the input was sampled, where anything says that it was.
    pub sampling: Option<Sampling>,
    /// Requests that another record tells of as well, and that are left out.
    pub duplicates: u64,
    /// What the text says about who wrote it.
    pub evidence: Evidence,
    /// Why the input ended before its end.
    pub broken: Option<String>,
    /// What was odd about its bytes, although nothing is lost.
    pub odd: Option<String>,
    /// The first requests, as many as were asked for.
    pub records: Vec<Record>,
    /// Its lines are counted here; otherwise they are with another shard of the same input, and here are only events.
    pub(crate) counted: bool,
    pub(crate) second_passes: SecondPasses,
    pub(crate) order: OrderKey,
    /// What the requests whose weight is known stand for, in thousandths.
    pub(crate) mass: u64,
}

impl InputSummary {
    /// What it was read as, where it was read as a whole.
    pub(crate) fn document(&self) -> Option<Document> {
        match self.format.whole {
            Some(Whole::Document(document)) => Some(document),
            _ => None,
        }
    }

    /// The format's label, corrected by what the whole text says about who wrote it.
    pub fn label(&self) -> String {
        self.format.label_by(self.evidence)
    }

    /// The moment that the stamps mark: as given, else as the producer writes them.
    pub fn stamp(&self) -> Stamp {
        self.stamp_given.unwrap_or_else(|| self.format.stamp_by(self.evidence))
    }
}

/// What puts inputs in order, whatever order they were named in: first and last stamp in nanoseconds since 1970, and
/// a sum over the hashes of all lines.
pub(crate) type OrderKey = (Option<i64>, Option<i64>, u64);
