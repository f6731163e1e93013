//! What can only be known of one client when all are: which redirects browsers follow, and how much one person does.
//!
//! Both are sums over all clients. Few clients depend on them, so the rest are counted while the sums are made, and
//! those few wait for them. Where too many would have to wait, everything is counted a second time instead: what is
//! counted is the same either way.

use std::collections::BTreeMap;

use super::RouteNumber;
use crate::event::Event;
use crate::session::group::{is_followed, is_redirect};
use crate::session::shared_key::InFlight;

/// Redirects that were followed by anything from which on it shows what usually follows.
const ENOUGH_REDIRECTS: u64 = 20;
/// Share of them that must be followed at once.
const FOLLOWED_SHARE: f64 = 0.8;

/// Sums over clients.
#[derive(Debug, Clone, Default)]
pub(crate) struct Survey {
    pub(crate) in_flight: InFlight,
    /// By the route that redirected: redirects followed by any request in the session, and those followed at once.
    redirects: BTreeMap<RouteNumber, (u64, u64)>,
}

/// What the sums say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surveyed {
    /// Pages in flight beyond which a key is several people's.
    pub(crate) most_in_flight: u32,
    /// Routes whose redirects browsers follow by themselves, in order.
    followed: Vec<RouteNumber>,
}

impl Survey {
    /// Adds a client's pages; gives whether any of its redirects may have been followed at once.
    pub(crate) fn redirects(
        &mut self,
        pages: &[Event],
        route: impl Fn(&Event) -> RouteNumber,
        gap_ms: i64,
    ) -> bool {
        let mut any = false;
        for pair in pages.windows(2) {
            let (before, event) = (&pair[0], &pair[1]);
            if is_redirect(before) && event.start_ms() - before.end_ms() <= gap_ms {
                let (all, at_once) = self.redirects.entry(route(before)).or_default();
                *all += 1;
                let followed = is_followed(before, event);
                *at_once += u64::from(followed);
                any |= followed;
            }
        }
        any
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.in_flight.merge(&other.in_flight);
        for (route, (all, at_once)) in other.redirects {
            let sum = self.redirects.entry(route).or_default();
            *sum = (sum.0 + all, sum.1 + at_once);
        }
    }

    /// What the sums say.
    ///
    /// A redirect is followed by browsers where nearly every request after it comes at once: where people take their
    /// time after it, what comes within a second is the quickest of their clicks.
    pub(crate) fn result(self) -> Surveyed {
        let follows = |(all, at_once): (u64, u64)| {
            all >= ENOUGH_REDIRECTS && at_once as f64 >= FOLLOWED_SHARE * all as f64
        };
        let followed = self.redirects.iter().filter(|(_, counts)| follows(**counts)).map(|(route, _)| *route);
        Surveyed { most_in_flight: self.in_flight.most_of_one_person(), followed: followed.collect() }
    }
}

impl Surveyed {
    /// Whether browsers follow the redirects of `route`.
    pub(crate) fn follows(&self, route: RouteNumber) -> bool {
        self.followed.binary_search(&route).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use crate::request::Request;

    #[test]
    fn redirects_are_followed_by_browsers_where_nearly_all_are_at_once() {
        // Two requests of a client: a redirect of `route`, and another request `pause_ms` later.
        let pages = |route: u32, pause_ms: i64| {
            [(0, route, 302), (pause_ms, 9, 200)].map(|(start_ms, resource, status)| {
                let request = Request { stamp_ns: start_ms * 1_000_000, status, ..Request::default() };
                Event::new(&request, 1, resource, Kind::Page)
            })
        };
        let (mut one, mut other) = (Survey::default(), Survey::default());
        for i in 0..100 {
            let sums = if i % 2 == 0 { &mut one } else { &mut other };
            assert!(sums.redirects(&pages(1, 80), Event::resource, 1_800_000));
            sums.redirects(&pages(2, if i < 75 { 80 } else { 5_000 }), Event::resource, 1_800_000);
            // What comes after the gap is another session.
            assert!(!sums.redirects(&pages(3, 2_000_000), Event::resource, 1_800_000));
            if i < 19 {
                sums.redirects(&pages(4, 80), Event::resource, 1_800_000);
            }
        }
        one.merge(other);
        let surveyed = one.result();
        assert_eq!([1, 2, 3, 4].map(|route| surveyed.follows(route)), [true, false, false, false]);
    }
}
