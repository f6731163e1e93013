//! One request, as it went.

use crate::clock::Clock;

/// One request, as it went. Moments are nanoseconds of run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Position of the endpoint in the profile.
    pub(crate) endpoint: usize,
    /// When it was due: computed from the plan and the answer before, never read off the clock.
    pub(crate) scheduled_at: u64,
    /// When it would have been due, had every answer of its session so far taken what it takes in production: where
    /// the chain of the session should be by now.
    pub(crate) chain_due_at: u64,
    /// When the event loop took it up.
    pub(crate) released_at: u64,
    /// When its first byte was written, after connecting if that was needed; none if it never came to that.
    pub(crate) sent_at: Option<u64>,
    /// How long it waited for a connection to be opened.
    pub(crate) connecting: Option<u64>,
    /// When the first bytes of the answer were there; none if none came.
    pub(crate) first_byte_at: Option<u64>,
    /// When the last byte of the answer was read, or the request was given up.
    pub(crate) completed_at: u64,
    pub(crate) outcome: Outcome,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With an answer, read to its end.
    Completed {
        /// Its status code.
        status: u16,
        /// Bytes of its body.
        body_bytes: u64,
    },
    /// Without one.
    Failed(Failure),
    /// Without one in the time a request may take.
    TimedOut,
}

/// Why a request got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    /// No connection could be opened.
    Connect,
    /// The connection broke, or the answer was not HTTP.
    Broken,
}

impl Failure {
    /// Its name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Broken => "broken",
        }
    }
}

impl Sample {
    /// What a user would have waited: from the moment the request was due. Includes all that follows.
    pub(crate) fn response_time(&self) -> u64 {
        self.completed_at.saturating_sub(self.scheduled_at)
    }

    /// Bytes of the body of the answer; 0 without one.
    pub(crate) fn body_bytes(&self) -> u64 {
        match self.outcome {
            Outcome::Completed { body_bytes, .. } => body_bytes,
            Outcome::Failed(_) | Outcome::TimedOut => 0,
        }
    }

    /// What the target took: from the first byte written. None if nothing was.
    pub(crate) fn service_time(&self) -> Option<u64> {
        self.sent_at.map(|sent_at| self.completed_at.saturating_sub(sent_at))
    }

    /// What a user would have waited, were all waits before it as in production: from the moment it would have been due.
    pub(crate) fn chain_time(&self) -> u64 {
        self.completed_at.saturating_sub(self.chain_due_at)
    }

    /// How long the target thought: from the first byte written to the first one read.
    pub(crate) fn first_byte_time(&self) -> Option<u64> {
        Some(self.first_byte_at?.saturating_sub(self.sent_at?))
    }

    /// How late the generator was. Connecting is the target's time, not the generator's, and not part of it.
    pub(crate) fn send_delay(&self) -> u64 {
        let acted_at = self.sent_at.unwrap_or(self.completed_at);
        acted_at.saturating_sub(self.scheduled_at).saturating_sub(self.connecting.unwrap_or(0))
    }
}

/// A pencil for the moments of one request.
#[derive(Debug)]
pub(crate) struct Stamps {
    clock: Clock,
    sent_at: std::cell::Cell<Option<u64>>,
}

impl Stamps {
    /// Nothing noted yet.
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, sent_at: std::cell::Cell::new(None) }
    }

    /// Forgets the request before.
    pub(crate) fn clear(&self) {
        self.sent_at.set(None);
    }

    /// Notes that bytes are being written; the first time counts.
    pub(crate) fn writing(&self) {
        if self.sent_at.get().is_none() {
            self.sent_at.set(Some(self.clock.now_ns()));
        }
    }

    /// When the first byte was written.
    pub(crate) fn sent_at(&self) -> Option<u64> {
        self.sent_at.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_is_send_delay_and_connecting_and_service() {
        let mut sample = Sample {
            endpoint: 0,
            scheduled_at: 1000,
            chain_due_at: 900,
            released_at: 1010,
            sent_at: Some(1150),
            connecting: Some(100),
            first_byte_at: Some(1300),
            completed_at: 1400,
            outcome: Outcome::Completed { status: 200, body_bytes: 0 },
        };
        assert_eq!(
            (sample.send_delay(), sample.service_time(), sample.response_time()),
            (50, Some(250), 400)
        );
        assert_eq!((sample.chain_time(), sample.first_byte_time()), (500, Some(150)));
        // Refused: all the time went into connecting.
        sample.sent_at = None;
        sample.connecting = Some(390);
        sample.outcome = Outcome::Failed(Failure::Connect);
        assert_eq!((sample.send_delay(), sample.service_time(), sample.response_time()), (10, None, 400));
    }
}
