//! The moments of one request, noted where they happen.

use std::cell::Cell;

use crate::clock::Clock;

/// A pencil for the moments of one request.
#[derive(Debug)]
pub(crate) struct Stamps {
    clock: Clock,
    /// When waiting for a connection began, and when it was over.
    waiting: Cell<Option<(u64, Option<u64>)>>,
    sent_at: Cell<Option<u64>>,
    first_byte_at: Cell<Option<u64>>,
}

impl Stamps {
    /// Nothing noted yet.
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, waiting: Cell::new(None), sent_at: Cell::new(None), first_byte_at: Cell::new(None) }
    }

    /// Notes that there is no connection to send on. Once something was sent, waiting is part of the answer.
    pub(crate) fn wait(&self) {
        if self.sent_at.get().is_none() && self.waiting.get().is_none() {
            self.waiting.set(Some((self.clock.now_ns(), None)));
        }
    }

    /// Notes that there is one.
    pub(crate) fn connected(&self) {
        if let Some((from, None)) = self.waiting.get() {
            self.waiting.set(Some((from, Some(self.clock.now_ns()))));
        }
    }

    /// Notes that bytes are about to be written; the first time counts.
    pub(crate) fn writing(&self) {
        if self.sent_at.get().is_none() {
            self.sent_at.set(Some(self.clock.now_ns()));
        }
    }

    /// Takes that back: not one byte was.
    pub(crate) fn unsent(&self) {
        self.sent_at.set(None);
    }

    /// Notes that bytes of an answer have been read; the first time counts.
    pub(crate) fn read(&self) {
        if self.first_byte_at.get().is_none() {
            self.first_byte_at.set(Some(self.clock.now_ns()));
        }
    }

    /// When the first byte was written.
    pub(crate) fn sent_at(&self) -> Option<u64> {
        self.sent_at.get()
    }

    /// When the first bytes of the answer were read.
    pub(crate) fn first_byte_at(&self) -> Option<u64> {
        self.first_byte_at.get()
    }

    /// How long the request waited for a connection, which may still not be there at `now`.
    pub(crate) fn connecting(&self, now: u64) -> Option<u64> {
        self.waiting.get().map(|(from, to)| to.unwrap_or(now).saturating_sub(from))
    }
}
