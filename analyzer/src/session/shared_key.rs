//! Keys that several people share: an address and user agent behind which there is an office, not a person.
//!
//! Their requests are real load, but mixed into one row they tell nothing of what one person does next. One person has
//! few pages in flight at a time and few sessions a day; a key that goes far beyond all others is shared.

use crate::event::Event;

/// How many times more pages in flight than nearly all keys a shared one has.
const TIMES_MORE: u32 = 3;
/// "Nearly all": keys out of a thousand.
const NEARLY_ALL: u64 = 999;
/// Fewest pages in flight at a time that can be taken for several people's: a page with a few calls of its own in
/// flight is one person's, however small the log.
pub(crate) const LEAST_IN_FLIGHT: u32 = 12;
/// Sessions a day beyond which they are several people's.
const MOST_A_DAY: usize = 200;
/// A day in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// The most requests that were in flight at the same time; `ends_ms` is kept to save its allocation.
///
/// `events` are one client's, in order. Without durations no request is in flight beside another.
pub(crate) fn most_in_flight(events: &[Event], ends_ms: &mut Vec<i64>) -> u32 {
    if events.len() <= 1 {
        return events.len() as u32;
    }
    ends_ms.clear();
    let (mut most, mut last_end_ms) = (0, i64::MIN);
    for event in events {
        let (start_ms, end_ms) = (event.start_ms(), event.end_ms());
        // Most requests begin when everything before them has ended.
        if start_ms >= last_end_ms {
            ends_ms.clear();
        } else {
            ends_ms.retain(|end_ms| *end_ms > start_ms);
        }
        ends_ms.push(end_ms);
        last_end_ms = last_end_ms.max(end_ms);
        most = most.max(ends_ms.len());
    }
    u32::try_from(most).unwrap_or(u32::MAX)
}

/// Whether there are more sessions in 24 hours than one person has; `starts_ms` gives their starts in order. A client
/// with as few requests as `requests` need not be asked for them.
pub(crate) fn has_too_many_sessions(requests: usize, starts_ms: impl FnOnce() -> Vec<i64>) -> bool {
    requests > MOST_A_DAY && has_a_day_of_too_many(&starts_ms())
}

fn has_a_day_of_too_many(starts_ms: &[i64]) -> bool {
    starts_ms.windows(MOST_A_DAY + 1).any(|starts| starts[MOST_A_DAY] - starts[0] < DAY_MS)
}

/// Keys by the most pages that they had in flight; the last place is of all beyond. Adds up over any split.
#[derive(Debug, Clone, Default)]
pub(crate) struct InFlight {
    keys: Vec<u64>,
}

impl InFlight {
    /// Numbers that are told apart.
    const PLACES: usize = 1024;

    pub(crate) fn add(&mut self, most: u32) {
        if self.keys.is_empty() {
            self.keys.resize(Self::PLACES, 0);
        }
        self.keys[(most as usize).min(Self::PLACES - 1)] += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if self.keys.is_empty() {
            self.keys.clone_from(&other.keys);
            return;
        }
        self.keys.iter_mut().zip(&other.keys).for_each(|(sum, count)| *sum += count);
    }

    /// The number of pages in flight beyond which a key is shared: three times the 99.9th percentile of all keys.
    /// Of fewer than a thousand, the largest is left out.
    pub(crate) fn most_of_one_person(&self) -> u32 {
        let rank = self.keys.iter().sum::<u64>() * NEARLY_ALL / 1000;
        let mut below = 0;
        let nearly_all = self.keys.iter().position(|count| {
            below += count;
            below >= rank
        });
        let nearly_all = nearly_all.and_then(|place| u32::try_from(place).ok()).unwrap_or(0);
        (TIMES_MORE * nearly_all).max(LEAST_IN_FLIGHT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use crate::request::Request;

    #[test]
    fn requests_in_flight_are_those_that_have_not_ended() {
        let event = |(start_ms, lasted_ms): &(i64, i64)| {
            let request = Request {
                stamp_ns: start_ms * 1_000_000,
                duration_ns: Some(lasted_ms * 1_000_000),
                ..Request::default()
            };
            Event::new(&request, 1, 0, Kind::Page)
        };
        for (requests, expected) in [
            (vec![(0, 100), (100, 100), (300, 50)], 1),
            (vec![(0, 1000), (10, 20), (20, 100), (900, 50)], 3),
            (vec![(0, 1000), (1, 1000), (2, 1000), (1001, 5)], 3),
            (vec![], 0),
        ] {
            let events: Vec<Event> = requests.iter().map(event).collect();
            assert_eq!(most_in_flight(&events, &mut Vec::new()), expected, "{requests:?}");
        }
    }

    #[test]
    fn a_key_far_beyond_all_others_is_shared() {
        let mut keys = InFlight::default();
        (0..10_000).for_each(|i| keys.add(if i < 9_985 { 1 + i % 3 } else { 6 }));
        let mut other = InFlight::default();
        other.merge(&keys);
        assert_eq!(other.most_of_one_person(), 18);
        let mut few = InFlight::default();
        (0..100).for_each(|i| few.add(if i < 99 { 1 } else { 500 }));
        assert_eq!(few.most_of_one_person(), LEAST_IN_FLIGHT);
        assert_eq!(InFlight::default().most_of_one_person(), LEAST_IN_FLIGHT);
    }

    #[test]
    fn two_hundred_sessions_a_day_are_not_one_persons() {
        let every = |pause_ms: i64| (0..201).map(|i| i * pause_ms).collect::<Vec<i64>>();
        assert!(has_too_many_sessions(201, || every(400_000)));
        assert!(!has_too_many_sessions(201, || every(440_000)));
    }
}
