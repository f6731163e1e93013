//! The part of a run that is judged: what was due after its warm-up, in which caches fill and pools grow.

use super::Snapshot;
use super::note::Note;

/// What was due from some moment on.
#[derive(Debug)]
pub(crate) struct Measured {
    from_ns: u64,
    timeout_ns: u64,
    counted: Snapshot,
}

impl Measured {
    /// Of a run of this many endpoints, whose requests may take `timeout_ns`.
    pub(crate) fn new(from_ns: u64, endpoints: usize, timeout_ns: u64) -> Self {
        Self { from_ns, timeout_ns, counted: Snapshot::new(endpoints) }
    }

    /// Counts what `note` tells, if that was due late enough.
    pub(super) fn note(&mut self, note: &Note) {
        if note.due_at().is_some_and(|due_at| due_at >= self.from_ns) {
            self.counted.add(note, self.timeout_ns);
        }
    }

    pub(super) fn finish(self) -> Snapshot {
        self.counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Outcome, Sample, Waiting};

    #[test]
    fn what_was_due_before_does_not_count_however_late_it_ended() {
        let mut measured = Measured::new(100, 1, 1_000);
        for due_at in [0, 99, 100, 250] {
            let waiting = Waiting { scheduled_at: due_at, chain_due_at: due_at, endpoint: 0 };
            let sample = Sample {
                endpoint: 0,
                scheduled_at: due_at,
                chain_due_at: due_at,
                released_at: due_at,
                sent_at: Some(due_at),
                connecting: None,
                first_byte_at: Some(300),
                completed_at: 300,
                outcome: Outcome::Completed { status: shared::status::Status::Http(200), body_bytes: 0 },
            };
            measured.note(&Note::Sent(waiting));
            measured.note(&if due_at == 250 {
                Note::Unfinished { waiting, at: 300 }
            } else {
                Note::Ended(sample)
            });
            measured.note(&Note::Dropped { endpoint: 0, at: due_at });
        }
        let requests = measured.finish().requests;
        assert_eq!((requests.sent, requests.completed, requests.unfinished, requests.dropped), (2, 1, 1, 2));
    }
}
