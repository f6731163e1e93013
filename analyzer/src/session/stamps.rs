//! Which moment do the stamps of a log mark? What the log itself says about it.
//!
//! Of a client that asks one thing after the other, no request begins before the response to the one before has
//! ended. So the wrong reading of its stamps makes requests overlap, and the right one does not. Overlaps under both
//! are counted between neighbouring requests of a client: the earlier one lasting longer than from stamp to stamp
//! if stamps are starts, the later one if they are ends.
//!
//! Clients that fetch in parallel overlap either way, and can make the right reading look like the wrong one: of two
//! requests sent together, the slow one ends last. What is sent together begins together, so overlaps of requests
//! that begin within [`TOGETHER_MS`] of each other do not count, nor do static files. What can be blamed on the
//! resolution does not count either. That leaves little where all requests are fast; but there the direction does
//! not matter much.

use foldhash::fast::FixedState;
use hashbrown::HashSet;
use shared::profile::{Stamp, StampCheck};

use crate::event::Event;
use crate::kind::Kind;
use crate::privacy::pseudonym::Pseudonym;
use crate::session::by_client;

/// Requests that begin so close to each other may have been sent in parallel: what load testing tools batch.
const TOGETHER_MS: i64 = 500;
/// Fewest overlaps that say something.
const ENOUGH_OVERLAPS: u64 = 50;
/// Fewest clients that they must be of.
const ENOUGH_CLIENTS: u64 = 10;
/// How many times more overlaps one reading must give than the other.
const FAR_FEWER: u64 = 10;
/// Overlaps of one client that count: a machine that never stops does not decide alone.
const MOST_OF_A_CLIENT: u64 = 50;

/// Overlaps under either reading, and their clients. They add up over any split of the clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Overlaps {
    /// If stamps mark the start, and the clients that have any.
    pub(crate) of_starts: (u64, u64),
    /// If stamps mark the end.
    pub(crate) of_ends: (u64, u64),
}

impl Overlaps {
    /// Of requests read as stamped at `stamp`, in the order of their lines.
    ///
    /// No overlap counts but beside a request that took longer than [`TOGETHER_MS`], so only clients that made one are
    /// looked at: few, where requests are fast.
    pub(crate) fn of_slow_clients(
        events: impl Iterator<Item = Event> + Clone,
        stamp: Stamp,
        resolution_ms: i64,
    ) -> Self {
        let counts = |event: &Event| event.kind() != Kind::Static && event.duration_us().is_some();
        let is_slow = |event: &Event| event.duration_us() > Some(TOGETHER_MS as u64 * 1_000);
        let slow: HashSet<Pseudonym, FixedState> = events
            .clone()
            .filter(|event| counts(event) && is_slow(event))
            .map(|event| event.client())
            .collect();
        if slow.is_empty() {
            return Self::default();
        }
        let mut events: Vec<Event> =
            events.filter(|event| counts(event) && slow.contains(&event.client())).collect();
        events.sort_by_key(Event::client);
        Self::count(&events, stamp, resolution_ms)
    }

    /// Of requests read as stamped at `stamp`, client by client.
    fn count(events: &[Event], stamp: Stamp, resolution_ms: i64) -> Self {
        let mut overlaps = Self::default();
        let mut stamped: Vec<(i64, i64)> = Vec::new();
        for client in by_client(events) {
            stamped.clear();
            stamped.extend(client.iter().filter_map(|event| {
                let at_ms = if stamp == Stamp::Start { event.start_ms() } else { event.end_ms() };
                Some((at_ms, (event.duration_us()? / 1_000) as i64))
            }));
            stamped.sort_by_key(|(at_ms, _)| *at_ms);
            let (mut starts, mut ends) = (0, 0);
            for pair in stamped.windows(2) {
                let ((at, lasted), (next_at, next_lasted)) = (pair[0], pair[1]);
                let gap = next_at - at;
                // Stamps and durations are cut off, each at its last digit.
                let least = gap + resolution_ms + 1;
                starts += u64::from(lasted > least && gap > TOGETHER_MS);
                ends += u64::from(next_lasted > least && (gap + lasted - next_lasted).abs() > TOGETHER_MS);
            }
            overlaps = overlaps.plus(Self {
                of_starts: (starts.min(MOST_OF_A_CLIENT), starts.min(1)),
                of_ends: (ends.min(MOST_OF_A_CLIENT), ends.min(1)),
            });
        }
        overlaps
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        let sum = |one: (u64, u64), other: (u64, u64)| (one.0 + other.0, one.1 + other.1);
        Self { of_starts: sum(self.of_starts, other.of_starts), of_ends: sum(self.of_ends, other.of_ends) }
    }

    /// What they say to stamps having been read as `stamp`.
    pub(crate) fn verdict(self, stamp: Stamp) -> StampCheck {
        let far_fewer = |few: (u64, u64), many: (u64, u64)| {
            many.0 >= ENOUGH_OVERLAPS && many.1 >= ENOUGH_CLIENTS && few.0 * FAR_FEWER <= many.0
        };
        let found = match (far_fewer(self.of_starts, self.of_ends), far_fewer(self.of_ends, self.of_starts)) {
            (true, false) => Stamp::Start,
            (false, true) => Stamp::End,
            _ => return StampCheck::Undecided,
        };
        match stamp {
            Stamp::Mixed => StampCheck::Undecided,
            _ if stamp == found => StampCheck::Agrees,
            _ => StampCheck::Disagrees,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;

    /// Requests as (client, true start, duration) in milliseconds, stamped at `written` and read as `read`, with stamps
    /// of `resolution_ms`.
    fn events(requests: &[(u64, i64, i64)], written: Stamp, read: Stamp, resolution_ms: i64) -> Vec<Event> {
        let mut events: Vec<Event> = requests
            .iter()
            .map(|(client, start_ms, lasted_ms)| {
                let at_ms = if written == Stamp::Start { *start_ms } else { start_ms + lasted_ms };
                let request = Request {
                    stamp_ns: (1_700_000_000_000 + at_ms) / resolution_ms * resolution_ms * 1_000_000,
                    duration_ns: Some(lasted_ms * 1_000_000),
                    resolution_ns: resolution_ms * 1_000_000,
                    stamp: read,
                    ..Request::default()
                };
                Event::new(&request, *client, 0, Kind::Page)
            })
            .collect();
        events.sort_by_key(|event| (event.client(), event.order_ms()));
        events
    }

    #[track_caller]
    fn check(requests: &[(u64, i64, i64)], resolution_ms: i64, right: StampCheck, wrong: StampCheck) {
        for (written, other) in [(Stamp::Start, Stamp::End), (Stamp::End, Stamp::Start)] {
            for (read, expected) in [(written, right), (other, wrong)] {
                let overlaps = Overlaps::of_slow_clients(
                    events(requests, written, read, resolution_ms).into_iter(),
                    read,
                    resolution_ms,
                );
                assert_eq!(overlaps.verdict(read), expected, "{written:?} read as {read:?}: {overlaps:?}");
            }
        }
    }

    /// Durations from 0.02 s to `longest_ms`, their logarithms spread evenly.
    fn duration_ms(i: i64, longest_ms: f64) -> i64 {
        let u = (i as f64 * 0.618_033_988_749_895).fract();
        (20.0 * (longest_ms / 20.0).powf(u)) as i64
    }

    /// Forty clients, one request after the other.
    fn sequential(longest_ms: f64, think_ms: i64) -> Vec<(u64, i64, i64)> {
        let mut requests = Vec::new();
        for client in 0..40 {
            let mut at_ms = 0;
            for i in 0..30 {
                let lasted_ms = duration_ms(client * 31 + i, longest_ms);
                requests.push((client as u64, at_ms, lasted_ms));
                at_ms += lasted_ms + think_ms;
            }
        }
        requests
    }

    #[test]
    fn clients_that_wait_for_answers_tell_the_direction() {
        let (agrees, disagrees) = (StampCheck::Agrees, StampCheck::Disagrees);
        check(&sequential(5_000.0, 100), 1, agrees, disagrees);
        check(&sequential(10_000.0, 500), 1000, agrees, disagrees);
    }

    #[test]
    fn fast_requests_and_few_of_them_tell_nothing() {
        let undecided = StampCheck::Undecided;
        check(&sequential(400.0, 3_000), 1000, undecided, undecided);
        check(&sequential(900.0, 0), 1000, undecided, undecided);
        check(&sequential(5_000.0, 100)[..90], 1, undecided, undecided);
    }

    #[test]
    fn requests_sent_together_do_not_mislead() {
        // At each view a fast and a slow request at once, and then a pause: read right, all pairs overlap.
        for (count, spread_ms) in [(2, 0), (2, 60), (6, 30)] {
            let mut requests = Vec::new();
            for client in 0..40_i64 {
                for view in 0..20_i64 {
                    for i in 0..count {
                        let lasted_ms = duration_ms(client * 977 + view * 13 + i, 4_000.0);
                        requests.push((client as u64, view * 20_000 + i * spread_ms, lasted_ms));
                    }
                }
            }
            for stamp in [Stamp::Start, Stamp::End] {
                let overlaps =
                    Overlaps::of_slow_clients(events(&requests, stamp, stamp, 1).into_iter(), stamp, 1);
                assert_ne!(overlaps.verdict(stamp), StampCheck::Disagrees, "{stamp:?}: {overlaps:?}");
            }
        }
    }
}
