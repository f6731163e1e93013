//! Callers that follow a clock and not a person: polling, cron. Each calls once per period, from a phase of its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use shared::profile::Background;

use crate::clock::from_s;
use crate::config::Share;
use crate::random::{Key, Purpose, Stream};

/// A call of a periodic caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedCall {
    /// When it is due, in nanoseconds of run time.
    pub at_ns: u64,
    /// Position of its endpoint in the profile.
    pub endpoint: usize,
    /// Who calls: a number among all periodic callers.
    pub caller: u64,
}

/// Callers of one endpoint with one period.
#[derive(Debug, Clone, Copy)]
pub(super) struct Callers {
    endpoint: usize,
    period_s: f64,
    count: u64,
}

impl Callers {
    /// Those of `background`, at `scale` times as many as measured, that call the endpoint at this position.
    pub(super) fn new(background: &Background, endpoint: usize, scale: f64) -> Self {
        let count = (background.clients as f64 * scale).round() as u64;
        Self { endpoint, period_s: background.period_s, count }
    }

    /// Calls per second of all of them.
    pub(super) fn rate_per_s(&self) -> f64 {
        self.count as f64 / self.period_s
    }
}

/// The calls of those of `groups` that are in `share`, before `end_ns`, in order.
pub(super) fn calls(
    groups: &[Callers],
    seed: u64,
    share: Share,
    end_ns: u64,
) -> impl Iterator<Item = PlannedCall> + use<> {
    // By time, then by caller, so that calls at one moment have an order too.
    let mut due: BinaryHeap<Reverse<(u64, u64, usize, u64)>> = BinaryHeap::new();
    let mut caller = 0;
    for (block, callers) in groups.iter().enumerate() {
        for index in 0..callers.count {
            if share.has(0, caller) {
                let key = Key { seed, block: block as u64, index };
                let phase = Stream::new(key, Purpose::Background).uniform();
                let period_ns = from_s(callers.period_s).max(1);
                due.push(Reverse((from_s(phase * callers.period_s), caller, callers.endpoint, period_ns)));
            }
            caller += 1;
        }
    }
    std::iter::from_fn(move || {
        let Reverse((at_ns, caller, endpoint, period_ns)) = due.pop()?;
        if at_ns >= end_ns {
            // All others are later still.
            due.clear();
            return None;
        }
        due.push(Reverse((at_ns + period_ns, caller, endpoint, period_ns)));
        Some(PlannedCall { at_ns, endpoint, caller })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: [Callers; 2] =
        [Callers { endpoint: 1, period_s: 5.0, count: 40 }, Callers { endpoint: 0, period_s: 0.7, count: 3 }];

    fn of(share: Share) -> Vec<PlannedCall> {
        calls(&GROUPS, 7, share, from_s(60.0)).collect()
    }

    #[test]
    fn everybody_calls_once_per_period() {
        let all = of(Share::ALL);
        assert!(all.is_sorted_by_key(|call| call.at_ns) && all.iter().all(|call| call.at_ns < from_s(60.0)));
        assert_eq!(all.iter().filter(|call| call.endpoint == 1).count(), 40 * 12);
        for caller in 0..43 {
            let period_ns = if caller < 40 { from_s(5.0) } else { from_s(0.7) };
            let times: Vec<u64> =
                all.iter().filter(|call| call.caller == caller).map(|call| call.at_ns).collect();
            assert!(times[0] < period_ns && times.windows(2).all(|pair| pair[1] - pair[0] == period_ns));
        }
        // Phases are spread over the period: of 40, no fifth of it is empty.
        let in_first = |fifth: u64| {
            let within = from_s(fifth as f64)..from_s(fifth as f64 + 1.0);
            all.iter().take_while(|call| call.at_ns < from_s(5.0)).any(|call| within.contains(&call.at_ns))
        };
        assert!((0..5).all(in_first));
    }

    #[test]
    fn shards_share_the_callers() {
        for of_shards in [1, 2, 3, 4, 8] {
            let shards = (0..of_shards).map(|index| Share { index, of: of_shards });
            let mut union: Vec<PlannedCall> = shards.flat_map(of).collect();
            union.sort_by_key(|call| (call.at_ns, call.caller));
            assert_eq!(union, of(Share::ALL));
        }
    }
}
