//! Whoever reads along: on a thread of its own it writes the interval log and gathers what the verdict rests on, so
//! that the event loops only hand over, once per second.

use std::sync::mpsc::Receiver;

use super::Snapshot;
use super::intervals::{LogOutcome, Writer};
use super::measured::Measured;
use super::note::Note;
use crate::clock::SECOND_NS;
use crate::plan::Plan;
use crate::verdict::{Evidence, Witness};

/// What happened at one event loop since its last batch.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) shard: usize,
    /// When it was handed over; the largest number for the last one.
    pub(crate) until: u64,
    pub(crate) notes: Vec<Note>,
}

/// What came of reading along.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) evidence: Evidence,
    pub(crate) log: Option<LogOutcome>,
    /// What was due after the warm-up, if the run has one.
    pub(crate) measured: Option<Snapshot>,
}

/// Reads `batches` of `shards` event loops until all have said their last.
pub(crate) fn keep(
    batches: &Receiver<Batch>,
    shards: usize,
    plan: &Plan,
    mut log: Option<Writer>,
    mut measured: Option<Measured>,
) -> Kept {
    let mut witness = Witness::new(plan);
    let mut reached = vec![0; shards];
    let mut second = 0;
    for Batch { shard, until, notes } in batches {
        notes.iter().for_each(|note| witness.note(note));
        measured.iter_mut().for_each(|measured| notes.iter().for_each(|note| measured.note(note)));
        // What is told when a second is over is of that second. The last batch has no time: it is of the one after.
        let told = if until == u64::MAX { second + 1 } else { (until / SECOND_NS).saturating_sub(1) };
        second = told.max(second);
        log.iter_mut().for_each(|log| log.add(shard, second, &notes));
        reached[shard] = until;
        witness.settle(reached.iter().copied().min().unwrap_or(0));
    }
    Kept {
        evidence: witness.finish(),
        log: log.map(Writer::finish),
        measured: measured.map(Measured::finish),
    }
}
