//! Counters that may be read while the run goes on, without holding up whoever counts.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What all event loops of a run share.
///
/// Relaxed everywhere: the numbers are for the eye and for the cap, nothing else is published through them.
#[derive(Debug, Default)]
pub(crate) struct Live {
    in_flight: AtomicUsize,
    sessions: AtomicU64,
    sent: AtomicU64,
    completed: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Seconds since the run began.
    pub elapsed_s: f64,
    /// Sessions started.
    pub sessions: u64,
    /// Requests sent.
    pub sent: u64,
    /// Requests answered.
    pub completed: u64,
    /// Requests that failed or timed out.
    pub failed: u64,
    /// Requests not sent because too many were waiting.
    pub dropped: u64,
    /// Requests waiting for an answer.
    pub in_flight: usize,
}

impl Live {
    /// Is there room for one more request, when `most` may wait?
    pub(crate) fn has_room(&self, most: usize) -> bool {
        self.in_flight.load(Ordering::Relaxed) < most
    }

    /// A session started.
    pub(crate) fn session(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
    }

    /// A request is being sent.
    pub(crate) fn sent(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// A request ended.
    pub(crate) fn ended(&self, completed: bool) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        let counter = if completed { &self.completed } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests were not sent.
    pub(crate) fn dropped(&self, requests: u64) {
        self.dropped.fetch_add(requests, Ordering::Relaxed);
    }

    /// All counters, at `elapsed_s`.
    pub(crate) fn progress(&self, elapsed_s: f64) -> Progress {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Progress {
            elapsed_s,
            sessions: read(&self.sessions),
            sent: read(&self.sent),
            completed: read(&self.completed),
            failed: read(&self.failed),
            dropped: read(&self.dropped),
            in_flight: self.in_flight.load(Ordering::Relaxed),
        }
    }
}
