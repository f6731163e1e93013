//! Periodic callers: what a page or a program asks for again and again by the clock is no step of a session.
//!
//! Pauses of people vary about as much as they are long; those of a timer do not. So what one client asks of one
//! endpoint is taken for a timer's when there are enough pauses and their coefficient of variation is small. Pauses
//! that end a session are none: a page that was closed over night still called by the clock.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::event::Event;
use crate::tally::RouteNumber;

/// Fewest calls of one client that show a period.
const ENOUGH_CALLS: usize = 10;
/// Coefficient of variation below which pauses are a timer's.
const MOST_VARIATION: f64 = 0.2;
/// The shortest period in milliseconds: what comes faster is a page that loads, not a timer.
const SHORTEST_MS: i64 = 1_000;

/// One client's calls of one endpoint by the clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Poll {
    pub(crate) route: RouteNumber,
    /// Mean pause from call to call, in milliseconds.
    pub(crate) period_ms: f64,
    /// How long the client went on with it, in milliseconds: what the pauses add up to.
    pub(crate) lasted_ms: i64,
}

/// Pauses between the calls of one endpoint, from start to start.
#[derive(Debug, Clone, Copy)]
struct Pauses {
    last_ms: i64,
    count: u32,
    sum_ms: i64,
    /// Of the pauses in seconds, so that no long log overflows it.
    sum_of_squares_s2: f64,
}

/// Finds periodic callers, client by client; keeps its tables from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Polling {
    pauses: HashMap<RouteNumber, Pauses, FixedState>,
}

impl Polling {
    /// The endpoints that the client of `events` calls by the clock, in the order of their numbers; mostly none.
    pub(crate) fn find(
        &mut self,
        events: &[Event],
        route: impl Fn(&Event) -> RouteNumber,
        gap_ms: i64,
    ) -> Vec<Poll> {
        if events.len() < ENOUGH_CALLS {
            return Vec::new();
        }
        self.pauses.clear();
        for event in events {
            let start_ms = event.start_ms();
            let known = self.pauses.entry(route(event)).or_insert(Pauses {
                last_ms: start_ms,
                count: 0,
                sum_ms: 0,
                sum_of_squares_s2: 0.0,
            });
            let pause_ms = (start_ms - known.last_ms).max(0);
            known.last_ms = start_ms;
            if pause_ms <= gap_ms {
                // The first call of all makes a pause of nothing, which is taken off again below.
                known.count += 1;
                known.sum_ms += pause_ms;
                let pause_s = pause_ms as f64 * 1e-3;
                known.sum_of_squares_s2 += pause_s * pause_s;
            }
        }
        let mut polls: Vec<Poll> =
            self.pauses.iter().filter_map(|(route, pauses)| pauses.poll(*route)).collect();
        polls.sort_unstable_by_key(|poll| poll.route);
        polls
    }
}

impl Pauses {
    fn poll(&self, route: RouteNumber) -> Option<Poll> {
        let count = self.count.saturating_sub(1);
        if (count as usize) < ENOUGH_CALLS - 1 {
            return None;
        }
        let mean_ms = self.sum_ms as f64 / f64::from(count);
        let mean_s = mean_ms * 1e-3;
        let variance_s2 = (self.sum_of_squares_s2 / f64::from(count) - mean_s * mean_s).max(0.0);
        let periodic = mean_ms >= SHORTEST_MS as f64 && variance_s2.sqrt() < MOST_VARIATION * mean_s;
        periodic.then_some(Poll { route, period_ms: mean_ms, lasted_ms: self.sum_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use crate::request::Request;

    /// Calls of the endpoint 7 at these moments, in milliseconds, each followed by one of another endpoint.
    fn found(starts_ms: &[i64]) -> Vec<Poll> {
        let event = |start_ms: i64, resource: u32| {
            let stamp_ns = (1_700_000_000_000 + start_ms) * 1_000_000;
            Event::new(&Request { stamp_ns, ..Request::default() }, 1, resource, Kind::Page)
        };
        let mut events: Vec<Event> = starts_ms
            .iter()
            .enumerate()
            .flat_map(|(at, start_ms)| [event(*start_ms, 7), event(start_ms + 10, 100 + at as u32)])
            .collect();
        events.sort_by_key(Event::order_ms);
        Polling::default().find(&events, Event::resource, 1_800_000)
    }

    #[test]
    fn a_timer_is_found_through_its_jitter_and_over_a_night() {
        let jitter = |i: i64| i * 7_919 % 1_000 - 500;
        let calls: Vec<i64> = (0..12).map(|i| i * 15_000 + jitter(i)).collect();
        let polls = found(&calls);
        assert_eq!((polls.len(), polls[0].route), (1, 7));
        assert!((polls[0].period_ms - 15_000.0).abs() < 100.0, "{polls:?}");
        let two_days: Vec<i64> =
            calls.iter().copied().chain(calls.iter().map(|ms| ms + 86_400_000)).collect();
        assert!((found(&two_days)[0].period_ms - 15_000.0).abs() < 100.0);
    }

    #[test]
    fn people_few_calls_and_loading_pages_are_no_timers() {
        let calls: Vec<i64> = (0..9).map(|i| i * 15_000).collect();
        assert_eq!(found(&calls), []);
        let mut at_ms = 0;
        let by_hand: Vec<i64> = (0..60)
            .map(|i| {
                at_ms += 2_000 + i * 7_919 % 9_000;
                at_ms
            })
            .collect();
        assert_eq!(found(&by_hand), []);
        let loading: Vec<i64> = (0..60).map(|i| i * 100).collect();
        assert_eq!(found(&loading), []);
    }
}
