//! Faults that the target has on purpose: what goes wrong in production, at moments that a test can count on.

use std::time::Duration;

/// What goes wrong, for requests that have these numbers: the first one has number 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The requests concerned.
    pub requests: std::ops::Range<u64>,
    /// What happens to them.
    pub kind: FaultKind,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The answer takes this much longer.
    Stall(Duration),
    /// The connection is cut hard, without an answer.
    Reset,
    /// The body comes in so many bytes per second; it takes a tenth of a second at least.
    Slow {
        /// How many.
        bytes_per_s: u32,
    },
    /// The answer has this status, and no body.
    Status(u16),
    /// From the first of these requests on nobody listens any more, and open connections end with their next answer.
    /// It does not end with the last of them: a process that is gone stays gone.
    Refuse,
}

/// What the target does wrong, all in all.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn new(faults: &[Fault]) -> Self {
        Self(faults.to_vec())
    }

    /// What happens to the request with this `number`; the first fault named counts.
    pub(super) fn at(&self, number: u64) -> Option<FaultKind> {
        let concerns = |fault: &&Fault| match fault.kind {
            FaultKind::Refuse => fault.requests.start <= number,
            _ => fault.requests.contains(&number),
        };
        self.0.iter().find(concerns).map(|fault| fault.kind)
    }

    /// Whether connections are ever cut hard.
    pub(super) fn resets(&self) -> bool {
        self.0.iter().any(|fault| fault.kind == FaultKind::Reset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fault_that_concerns_a_request_counts() {
        let fault = |requests, kind| Fault { requests, kind };
        let faults = Faults::new(&[
            fault(10..20, FaultKind::Reset),
            fault(15..30, FaultKind::Status(503)),
            fault(40..41, FaultKind::Refuse),
        ]);
        let at = [9, 10, 19, 20, 30, 40, 1000].map(|number| faults.at(number));
        let (reset, busy, refuse) = (FaultKind::Reset, FaultKind::Status(503), FaultKind::Refuse);
        assert_eq!(at, [None, Some(reset), Some(reset), Some(busy), None, Some(refuse), Some(refuse)]);
        assert!(faults.resets() && !Faults::default().resets());
    }
}
