//! What an event loop tells of: one note per thing that happened. Whatever is counted is counted from notes, by the
//! event loop as well as by whoever reads along, so that the two cannot differ.

use super::sample::Sample;
use crate::plan::Digest;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Note {
    /// A session fell due.
    Session {
        /// When it was due.
        starts_at: u64,
        /// When the event loop took it up.
        released_at: u64,
        /// It began before the run: its start is no start of the process, and its walk only the rest of one.
        is_under_way: bool,
        /// Positions of the endpoints that it means to request.
        planned: Box<[u32]>,
        /// Places that it passes without a request.
        skipped: u64,
        /// Its share of the fingerprint.
        digest: Digest,
    },
    /// A session fell due before this process was there to begin it.
    SessionLost {
        /// Positions of the endpoints that it would have requested.
        planned: Box<[u32]>,
        /// Places that it would have passed without a request.
        skipped: u64,
        /// Its share of the fingerprint.
        digest: Digest,
    },
    /// A request was planned that is no step of a session.
    Planned {
        /// Position of the endpoint.
        endpoint: usize,
    },
    /// The session was not even begun, because too many requests were waiting.
    SessionDropped,
    /// A request was not sent, because too many were waiting.
    Dropped {
        /// Position of the endpoint.
        endpoint: usize,
        /// When that was decided.
        at: u64,
    },
    /// A request was not sent, because the run ended before it was due.
    Cut {
        /// Position of the endpoint.
        endpoint: usize,
    },
    /// A request is being sent.
    Sent(Waiting),
    /// A request ended.
    Ended(Sample),
    /// The run ended before the request did.
    Unfinished {
        /// The request.
        waiting: Waiting,
        /// When the run ended.
        at: u64,
    },
    /// Requests followed from where an answer led.
    Redirected {
        /// So many.
        requests: u64,
    },
    /// The first pause of a session is over: the share of pauses that would have been shorter.
    Paused {
        /// Uniform between 0 and 1 if pauses are as planned.
        rank: f64,
    },
}

impl Note {
    /// When what it tells of was due, or decided; none where nothing was.
    pub(crate) fn due_at(&self) -> Option<u64> {
        match self {
            Self::Session { starts_at, .. } => Some(*starts_at),
            Self::Dropped { at, .. } => Some(*at),
            Self::Sent(waiting) | Self::Unfinished { waiting, .. } => Some(waiting.scheduled_at),
            Self::Ended(sample) => Some(sample.scheduled_at),
            Self::SessionLost { .. }
            | Self::Planned { .. }
            | Self::SessionDropped
            | Self::Cut { .. }
            | Self::Redirected { .. }
            | Self::Paused { .. } => None,
        }
    }
}

/// A request that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Waiting {
    /// When it was due.
    pub(crate) scheduled_at: u64,
    /// When it would have been due, had all answers before it come as in production.
    pub(crate) chain_due_at: u64,
    /// Position of the endpoint.
    pub(crate) endpoint: usize,
}

impl Waiting {
    /// What it has waited at `now`, as response time and as chain time.
    pub(crate) fn waited(&self, now: u64) -> [u64; 2] {
        [self.scheduled_at, self.chain_due_at.min(self.scheduled_at)].map(|from| now.saturating_sub(from))
    }
}
