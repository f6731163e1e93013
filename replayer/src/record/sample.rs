//! One request, as it went.

use std::io;

use shared::status::Status;

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
        /// Its status.
        status: Status,
        /// Bytes of its body.
        body_bytes: u64,
    },
    /// Without one.
    Failed(Failure),
    /// Without one in the time a request may take.
    TimedOut,
}

/// Why a request got no answer. The numbers are part of the interval log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// No connection could be opened, for a reason not named below.
    Connect = 0,
    /// The connection broke, for a reason not named below.
    Broken = 1,
    /// The target's name has no address any more.
    Dns = 2,
    /// Nobody listens.
    Refused = 3,
    /// There is no way to the target.
    Unreachable = 4,
    /// This machine has no port, file or memory left for another connection.
    Exhausted = 5,
    /// The target, or somebody between, cut the connection hard.
    Reset = 6,
    /// The target closed the connection before the answer was whole.
    Closed = 7,
    /// No agreement on encryption, or a certificate that is not trusted.
    Tls = 8,
    /// The answer was not HTTP; or, to a call of gRPC, none that has one message and says how it went.
    Protocol = 9,
    /// The request could not be written as HTTP: a route or value edited by hand.
    Unsendable = 10,
}

impl Failure {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 11] = [
        Self::Connect,
        Self::Broken,
        Self::Dns,
        Self::Refused,
        Self::Unreachable,
        Self::Exhausted,
        Self::Reset,
        Self::Closed,
        Self::Tls,
        Self::Protocol,
        Self::Unsendable,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Broken => "broken",
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Exhausted => "exhausted",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
            Self::Unsendable => "unsendable",
        }
    }

    /// What the system's `error` on opening a connection comes to.
    pub(crate) fn of_connecting(error: &io::Error) -> Self {
        if error.get_ref().is_some_and(|cause| cause.is::<tokio_rustls::rustls::Error>()) {
            return Self::Tls;
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Self::Reset,
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown => Self::Unreachable,
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse | io::ErrorKind::OutOfMemory => {
                Self::Exhausted
            }
            // No descriptors left, in the process or in the system, has no kind of its own: EMFILE and ENFILE.
            _ if matches!(error.raw_os_error(), Some(23 | 24)) => Self::Exhausted,
            _ => Self::Connect,
        }
    }

    /// What `error` on an open connection comes to: the system's, or hyper's inside of one.
    pub(crate) fn of_exchange(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => return Self::Reset,
            io::ErrorKind::UnexpectedEof => return Self::Closed,
            io::ErrorKind::InvalidData => return Self::Protocol,
            _ => {}
        }
        let Some(hyper) = error.get_ref().and_then(|cause| cause.downcast_ref::<hyper::Error>()) else {
            return Self::Broken;
        };
        let cause = std::error::Error::source(hyper).and_then(|cause| cause.downcast_ref::<io::Error>());
        match cause {
            Some(cause) => Self::of_exchange(cause),
            None if hyper.is_incomplete_message() || hyper.is_closed() || hyper.is_canceled() => Self::Closed,
            None if hyper.is_parse() => Self::Protocol,
            None => Self::Broken,
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
    /// Where they were shorter than that, the request was due sooner, and the time is the response time.
    pub(crate) fn chain_time(&self) -> u64 {
        self.completed_at.saturating_sub(self.chain_due_at.min(self.scheduled_at))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_numbered_as_in_the_interval_log() {
        for (number, failure) in Failure::ALL.into_iter().enumerate() {
            assert_eq!(failure as usize, number);
        }
        let of = |error| Failure::of_connecting(&io::Error::from_raw_os_error(error)).name();
        assert_eq!(
            [111, 104, 113, 99, 24, 13].map(of),
            ["refused", "reset", "unreachable", "exhausted", "exhausted", "connect"]
        );
    }

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
            outcome: Outcome::Completed { status: Status::Http(200), body_bytes: 0 },
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
