//! Machines by what they do, whatever they call themselves.
//!
//! A user agent is a claim. Beside it stand habits that people do not have: to ask for what only machines ask for
//! ([`crate::kind`] knows the paths), to miss more often than not, to act by the clock, or at a pace that nobody keeps
//! up. Every sign needs enough requests to be one, and the pace only counts where a browser would have shown itself by
//! fetching the files of its pages. What calls a single endpoint by the clock is no bot but polls ([`super::polling`]).

use crate::event::Event;
use crate::kind::Kind;

/// Requests of pages from which on misses and rhythm say something.
const ENOUGH_PAGES: usize = 10;
/// Pauses from which on their rhythm does.
const ENOUGH_PAUSES: usize = 20;
/// Coefficient of variation of the pauses below which nobody is behind them.
const LEAST_VARIATION: f64 = 0.1;
/// Pages a minute that a person does not keep up for [`SUSTAINED_MS`].
const FASTEST_PER_MINUTE: i64 = 10;
/// Requests a minute that nobody keeps up even with what pages ask for by themselves.
const FASTEST_REQUESTS_PER_MINUTE: i64 = 60;
/// Ten minutes.
const SUSTAINED_MS: i64 = 600_000;
/// A pause after which a pace begins anew, in milliseconds.
const BREATH_MS: i64 = 60_000;
/// The longest session of one person, in milliseconds: four hours.
pub(crate) const LONGEST_MS: i64 = 4 * 3_600_000;
/// The most requests of one.
pub(crate) const MOST_REQUESTS: usize = 1_000;

/// Requests of one client by what they are part of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Habits {
    /// Pages, as a browser.
    pub(crate) pages: usize,
    /// Pages that are not there.
    pub(crate) missed: usize,
    /// Files of pages.
    pub(crate) files: usize,
    /// What only machines ask for.
    pub(crate) machines: usize,
}

impl Habits {
    #[inline]
    pub(crate) fn add(&mut self, kind: Kind, status: u16) {
        match kind {
            Kind::Page => {
                self.pages += 1;
                self.missed += usize::from(matches!(status, 404 | 410));
            }
            Kind::Static => self.files += 1,
            Kind::Bot => self.machines += 1,
            Kind::HealthCheck | Kind::Unreadable | Kind::ApiClient => {}
        }
    }

    /// Whether the counts alone give a machine away.
    ///
    /// Who loads files as browsers do is one only when at least half of what it asks for is a machine's: several people
    /// and programs may be behind one address.
    pub(crate) fn are_a_bots(&self) -> bool {
        let asks_as_machine =
            self.machines > 0 && (self.files < self.pages || 2 * self.machines >= self.pages);
        let scans = self.pages >= ENOUGH_PAGES && 2 * self.missed > self.pages && self.files < self.pages;
        self.pages > 0 && (asks_as_machine || scans)
    }
}

/// Whether the pauses of one client from request to request hardly differ, the longest among them: what acts by the
/// clock has no long ones. `events` are in order.
pub(crate) fn is_regular(pages: &[Event]) -> bool {
    if pages.len() <= ENOUGH_PAUSES {
        return false;
    }
    let span_s = (pages[pages.len() - 1].start_ms() - pages[0].start_ms()) as f64 * 1e-3;
    let n = (pages.len() - 1) as f64;
    let mean_s = span_s / n;
    let squares_s2: f64 =
        pages.windows(2).map(|pair| ((pair[1].start_ms() - pair[0].start_ms()) as f64 * 1e-3).powi(2)).sum();
    let variance_s2 = (squares_s2 / n - mean_s * mean_s).max(0.0);
    mean_s > 0.0 && variance_s2.sqrt() < LEAST_VARIATION * mean_s
}

/// Whether there are ten minutes without a pause in which one client's pages come faster than a person takes them in.
/// Where pages have files it is only a sign of a machine if the client fetched none.
pub(crate) fn is_tireless(pages: &[Event]) -> bool {
    let enough = FASTEST_PER_MINUTE * SUSTAINED_MS / 60_000;
    if (pages.len() as i64) <= enough {
        return false;
    }
    // A page and what it asks for at once count as one: see `group`.
    let (mut began_ms, mut before_ms, mut steps, mut requests) = (pages[0].start_ms(), i64::MIN, 0, 0);
    for page in pages {
        let start_ms = page.start_ms();
        if before_ms != i64::MIN && start_ms - before_ms > BREATH_MS {
            (began_ms, steps, requests) = (start_ms, 0, 0);
        }
        requests += 1;
        steps += i64::from(before_ms == i64::MIN || page.is_coarse() || start_ms - before_ms >= AT_ONCE_MS);
        before_ms = start_ms;
        let lasted_ms = start_ms - began_ms;
        let faster = |count: i64, per_minute: i64| count * 60_000 > per_minute * lasted_ms;
        if lasted_ms > SUSTAINED_MS
            && (faster(steps, FASTEST_PER_MINUTE) || faster(requests, FASTEST_REQUESTS_PER_MINUTE))
        {
            return true;
        }
    }
    false
}

/// Requests that begin closer to each other may be one page's.
const AT_ONCE_MS: i64 = 300;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;

    fn pages(starts_ms: impl Iterator<Item = i64>) -> Vec<Event> {
        let event = |start_ms: i64| {
            let stamp_ns = (1_700_000_000_000 + start_ms) * 1_000_000;
            Event::new(&Request { stamp_ns, ..Request::default() }, 1, 0, Kind::Page)
        };
        starts_ms.map(event).collect()
    }

    #[test]
    fn counts_that_give_a_machine_away() {
        for (habits, expected) in [
            (Habits { pages: 5, machines: 1, ..Habits::default() }, true),
            // One robot among the people behind an address.
            (Habits { pages: 500, files: 900, machines: 1, ..Habits::default() }, false),
            (Habits { pages: 10, missed: 6, ..Habits::default() }, true),
            (Habits { pages: 9, missed: 9, ..Habits::default() }, false),
            (Habits { pages: 10, missed: 5, ..Habits::default() }, false),
            (Habits { pages: 10, missed: 6, files: 30, machines: 0 }, false),
            (Habits { machines: 40, ..Habits::default() }, false),
        ] {
            assert_eq!(habits.are_a_bots(), expected, "{habits:?}");
        }
    }

    #[test]
    fn a_clock_and_a_pace_that_nobody_keeps_up_give_a_machine_away() {
        let every = |pause_ms: i64, count: i64| pages((0..count).map(move |i| i * pause_ms));
        assert!(is_regular(&every(30_000, 40)) && !is_regular(&every(30_000, 20)));
        // Uneven pauses of three seconds in the mean, for half an hour, and for five minutes.
        let uneven = |count: i64| {
            let mut at_ms = 0;
            pages((0..count).map(move |i| {
                at_ms += i * 7_919 % 6_000;
                at_ms
            }))
        };
        assert!(is_tireless(&uneven(600)) && !is_tireless(&uneven(100)) && !is_regular(&uneven(600)));
    }

    #[test]
    fn a_page_with_many_calls_of_its_own_is_one_page() {
        // Every twelve seconds a page with five calls: thirty requests a minute, but five pages.
        let calls =
            (0..100).flat_map(|page| (0..6).map(move |call| page * 12_000 + page * 977 % 5_000 + call * 90));
        assert!(!is_tireless(&pages(calls)));
    }
}
