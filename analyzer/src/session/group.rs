//! What a person did, and what the page did then: requests of a session as steps and their companions.
//!
//! A page makes requests of its own: for data, for what a redirect leads to. Nobody decides on them, so they are no
//! states of a chain, and the time before them is no time to think. A request belongs to the step before it when
//!
//! - it began while a request of the step was still running,
//! - it began within [`MACHINE_MS`] of the end of the last one: no person is that fast (the distinction is that of
//!   active and inactive off times in Barford & Crovella 1998, SURGE), or
//! - it followed a redirect at once, where that is what nearly always comes after that redirect.
//!
//! The first request of the step stays what the person did. After a redirect that is the request that was redirected,
//! so that a form that was sent stays a state of the chain, and the page that shows its result comes along.
//!
//! Stamps of whole seconds know neither overlaps of less than a second nor pauses of less: there, two requests are two
//! steps unless one surely ran into the other. Programs that are no browsers have no pages: what they ask for, they
//! decide on.

use crate::event::Event;
use crate::kind::Kind;

/// A pause in which no person sees a page and acts, in milliseconds.
pub(crate) const MACHINE_MS: i64 = 300;
/// A redirect is followed within this time or by somebody, in milliseconds; a stamp of whole seconds is as good as that.
pub(crate) const AT_ONCE_MS: i64 = 1_000;
/// The longest that a page goes on with requests of its own, from the end of its response, in milliseconds: one after
/// the other for longer than that, they are a program's.
pub(crate) const PAGE_MS: i64 = 10_000;

/// Positions of the requests in `session` that somebody decided on; those in between are their companions.
///
/// `session` is not empty and in order; the first request is always a step. `follows` says whether the redirect of the
/// resource of a request is followed by the browser.
pub(crate) fn steps(session: &[Event], follows: impl Fn(&Event) -> bool, steps: &mut Vec<u32>) {
    steps.clear();
    steps.push(0);
    let mut first = &session[0];
    let mut end_ms = first.end_ms();
    for (at, pair) in session.windows(2).enumerate() {
        let (before, event) = (&pair[0], &pair[1]);
        let together = event.kind() == Kind::Page
            && event.start_ms() - first.end_ms() <= PAGE_MS
            && (is_machine(event.start_ms() - end_ms, first, event)
                || is_followed(before, event) && follows(before));
        if together {
            end_ms = end_ms.max(event.end_ms());
        } else {
            steps.push(at as u32 + 1);
            first = event;
            end_ms = event.end_ms();
        }
    }
}

/// Whether a pause of `gap_ms` is shorter than a person's can be.
fn is_machine(gap_ms: i64, one: &Event, other: &Event) -> bool {
    // Two stamps cut to seconds can make a gap look up to one second shorter than it was.
    let surely_below_ms = if one.is_coarse() || other.is_coarse() { -1_000 } else { MACHINE_MS };
    gap_ms < surely_below_ms
}

/// Whether `event` came at once after `before`, which was a redirect.
pub(crate) fn is_followed(before: &Event, event: &Event) -> bool {
    is_redirect(before) && event.start_ms() - before.end_ms() <= AT_ONCE_MS
}

/// Whether a browser would follow the answer to `event`.
pub(crate) fn is_redirect(event: &Event) -> bool {
    event.kind() == Kind::Page && matches!(event.status(), 301 | 302 | 303 | 307 | 308)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;

    /// Requests as (start, duration, status) in milliseconds, and the positions of the steps among them.
    #[track_caller]
    fn check(requests: &[(i64, i64, u16)], coarse: bool, follows: bool, expected: &[u32]) {
        let event = |(start_ms, lasted_ms, status): &(i64, i64, u16)| {
            let request = Request {
                stamp_ns: (1_700_000_000_000 + start_ms) * 1_000_000,
                duration_ns: Some(lasted_ms * 1_000_000),
                resolution_ns: if coarse { 1_000_000_000 } else { 1_000_000 },
                status: *status,
                ..Request::default()
            };
            Event::new(&request, 1, 0, Kind::Page)
        };
        let session: Vec<Event> = requests.iter().map(event).collect();
        let mut found = Vec::new();
        steps(&session, |_| follows, &mut found);
        assert_eq!(found, expected, "{requests:?}");
    }

    #[test]
    fn what_begins_before_the_page_is_there_or_right_after_is_the_pages() {
        check(&[(0, 500, 200), (200, 100, 200), (700, 50, 200), (3_000, 20, 200)], false, false, &[0, 3]);
        // The second call of the page is still running when the third begins, though the page has ended.
        check(&[(0, 100, 200), (150, 900, 200), (1_000, 20, 200)], false, false, &[0]);
        check(&[(0, 100, 200), (400, 20, 200)], false, false, &[0, 1]);
        check(&[(0, 100, 200), (399, 20, 200)], false, false, &[0]);
    }

    #[test]
    fn whole_seconds_join_only_what_surely_overlaps() {
        check(&[(0, 100, 200), (0, 20, 200), (1_000, 20, 200)], true, false, &[0, 1, 2]);
        check(&[(0, 5_000, 200), (2_000, 20, 200), (6_000, 20, 200)], true, false, &[0, 2]);
    }

    #[test]
    fn a_redirect_and_what_it_leads_to_are_one_step() {
        check(&[(0, 100, 302), (600, 20, 200), (9_000, 20, 200)], false, true, &[0, 2]);
        check(&[(0, 0, 302), (1_000, 0, 301), (2_000, 0, 200), (9_000, 0, 200)], true, true, &[0, 3]);
        check(&[(0, 100, 302), (600, 20, 200)], false, false, &[0, 1]);
        check(&[(0, 100, 302), (1_101, 20, 200)], false, true, &[0, 1]);
        check(&[(0, 100, 304), (600, 20, 200)], false, true, &[0, 1]);
    }

    #[test]
    fn a_page_does_not_go_on_forever() {
        let endless: Vec<(i64, i64, u16)> = (0..300).map(|i| (i * 100, 50, 200)).collect();
        check(&endless, false, false, &[0, 101, 202]);
    }
}
