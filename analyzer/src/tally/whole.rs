//! Sessions that the log has as a whole, by their length: neither had they begun before it nor did they go on after it.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::cell::Bin;
use super::counter::time_bin;
use super::{DURATION_RELATIVE_ERROR, merge_bins, ordered};
use crate::event::Event;

/// Lengths of whole sessions, while they are counted.
#[derive(Debug, Default)]
pub(super) struct WholeCounter {
    /// Those of one step that took no time: in some logs nearly all.
    moments: Bin,
    requests: HashMap<u64, Bin, FixedState>,
    durations: HashMap<Option<i32>, Bin, FixedState>,
}

/// Lengths of whole sessions.
#[derive(Debug, Default)]
pub(crate) struct WholeSessions {
    /// By their number of steps.
    pub(crate) requests: BTreeMap<u64, Bin>,
    /// By bin of a log-histogram of seconds from the first start to the last end; `None` is zero.
    pub(crate) durations: BTreeMap<Option<i32>, Bin>,
}

impl WholeCounter {
    /// Counts a session of so many steps that stands for `mass`.
    pub(super) fn add(&mut self, session: &[Event], steps: usize, mass: u64, k: u64) {
        let Some(first) = session.first() else { return };
        let end_ms = session.iter().map(Event::end_ms).max().unwrap_or_default();
        if steps == 1 && end_ms == first.start_ms() {
            self.moments.add(first.client(), mass, k);
            return;
        }
        let lasted_s = (end_ms - first.start_ms()) as f64 * 1e-3;
        self.requests.entry(steps as u64).or_default().add(first.client(), mass, k);
        let bin = time_bin(lasted_s, DURATION_RELATIVE_ERROR);
        self.durations.entry(bin).or_default().add(first.client(), mass, k);
    }

    /// What was counted, in order.
    pub(super) fn finish(mut self, k: u64) -> WholeSessions {
        if self.moments.count > 0 {
            self.requests.entry(1).or_default().merge(&self.moments, k);
            self.durations.entry(None).or_default().merge(&self.moments, k);
        }
        WholeSessions { requests: ordered(self.requests), durations: ordered(self.durations) }
    }
}

impl WholeSessions {
    /// Adds those of other clients.
    pub(super) fn merge(&mut self, other: Self, k: u64) {
        merge_bins(&mut self.requests, other.requests, k);
        merge_bins(&mut self.durations, other.durations, k);
    }
}
