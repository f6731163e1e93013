//! The sample of sessions that models are fitted to: those whose content hashes lowest.
//!
//! What is hashed is when the session began, what was asked for and how it was answered, never who asked: neither the
//! key of a run nor the spelling of an address can change which sessions are in. Sessions that are alike in all of
//! that are all in or all out. A sample of parts is the sample of their samples.

use std::collections::HashMap;

use crate::event::Event;
use crate::model::sample::{Gap, Step, Walk};
use crate::model::seed::mix;
use crate::privacy::pseudonym::Pseudonym;
use crate::tally::RouteNumber;

/// Sessions in the sample: classes of a hundredth of all still have 100.
pub(crate) const MOST: usize = 10_000;

/// Sessions whose content hashes lowest, of those offered.
#[derive(Debug)]
pub(crate) struct Sample {
    most: usize,
    /// Sessions above it are not among the lowest.
    limit: u64,
    held: Vec<Sampled>,
}

#[derive(Debug)]
struct Sampled {
    hash: u64,
    client: Pseudonym,
    walk: Walk,
}

impl Sample {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, limit: u64::MAX, held: Vec::new() }
    }

    /// Takes a session in where its hash is low enough.
    #[inline]
    pub(super) fn offer<R: Fn(&Event) -> RouteNumber>(
        &mut self,
        walked: &Walked<'_, R>,
        mass: u64,
        ended: bool,
    ) {
        let hash = walked.hash();
        let Some(first) = walked.events().next().filter(|_| hash <= self.limit) else { return };
        let client = first.client();
        self.held.push(Sampled { hash, client, walk: walked.walk(first, mass, ended) });
        if self.held.len() >= 2 * self.most {
            self.shrink();
        }
    }

    /// Adds the sample of other sessions.
    pub(super) fn merge(&mut self, other: Self) {
        self.limit = self.limit.min(other.limit);
        self.held.extend(other.held.into_iter().filter(|sampled| sampled.hash <= self.limit));
        self.held.retain(|sampled| sampled.hash <= self.limit);
        if self.held.len() > self.most {
            self.shrink();
        }
    }

    /// Leaves the lowest, with all that are alike to the last of them.
    fn shrink(&mut self) {
        if self.held.len() > self.most {
            let mut hashes: Vec<u64> = self.held.iter().map(|sampled| sampled.hash).collect();
            let (_, last, _) = hashes.select_nth_unstable(self.most - 1);
            self.limit = self.limit.min(*last);
            self.held.retain(|sampled| sampled.hash <= self.limit);
        }
    }

    /// The sessions by content, with clients numbered as they come.
    pub(crate) fn walks(mut self) -> Vec<Walk> {
        self.shrink();
        self.held.sort_unstable_by(|one, other| (&one.walk, one.client).cmp(&(&other.walk, other.client)));
        let mut numbers: HashMap<Pseudonym, u32> = HashMap::new();
        let number = |sampled: Sampled| {
            let next = numbers.len() as u32;
            Walk { client: *numbers.entry(sampled.client).or_insert(next), ..sampled.walk }
        };
        self.held.into_iter().map(number).collect()
    }
}

/// A session, and which of its requests are steps to which routes.
pub(super) struct Walked<'s, R> {
    pub(super) session: &'s [Event],
    pub(super) steps: &'s [u32],
    pub(super) route: R,
}

impl<R: Fn(&Event) -> RouteNumber> Walked<'_, R> {
    fn events(&self) -> impl Iterator<Item = &Event> {
        self.steps.iter().map(|at| &self.session[*at as usize])
    }

    fn walk(&self, first: &Event, mass: u64, ended: bool) -> Walk {
        let before = std::iter::once(None).chain(self.events().map(Some));
        let steps = self.events().zip(before).map(|(event, before)| Step {
            endpoint: (self.route)(event),
            gap: before.and_then(|before| gap(before, event)),
        });
        Walk { start_s: first.start_ms().div_euclid(1000), steps: steps.collect(), ended, mass, client: 0 }
    }

    /// A hash of what happened, and of nothing about who did it.
    #[inline]
    fn hash(&self) -> u64 {
        let first_ms = self.events().next().map_or(0, Event::start_ms);
        let mut hash = mix(first_ms as u64);
        for event in self.events() {
            let since_ms = (event.start_ms() - first_ms) as u64;
            let answer = u64::from(event.status()) << 10 | event.size_bin().flatten().unwrap_or(0) as u64;
            hash = mix(hash ^ mix(since_ms << 32 | u64::from((self.route)(event))) ^ answer);
        }
        mix(hash ^ self.steps.len() as u64)
    }
}

/// The pause between two requests; `None` where the second began before the first was answered.
fn gap(from: &Event, to: &Event) -> Option<Gap> {
    let ms = to.start_ms() - from.end_ms();
    let coarse = from.is_coarse() || to.is_coarse();
    // Two stamps cut to seconds can make a gap look up to one second shorter than it was.
    (ms >= 0 || coarse && ms > -1000).then(|| Gap { ms, coarse, paced: from.is_paced() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use crate::request::{Request, SECOND_NS};
    use crate::weight::REQUEST;

    /// Session `number`: of one to five requests, of a client whose pseudonym depends on `key`.
    fn session(number: u64, key: u64) -> Vec<Event> {
        let client = mix((number / 3) ^ (key << 32));
        let event = |at: u64| {
            let stamp_ns = (1_000_000 + (number * 7 + at * 11) as i64) * SECOND_NS;
            let request = Request { stamp_ns, status: 200, ..Request::default() };
            Event::new(&request, client, ((number + at) % 7) as u32, Kind::Page)
        };
        (0..number % 5 + 1).map(event).collect()
    }

    fn sampled(numbers: impl Iterator<Item = u64>, key: u64) -> Sample {
        let mut sample = Sample::new(100);
        numbers.for_each(|number| {
            let session = session(number, key);
            let steps: Vec<u32> = (0..session.len() as u32).collect();
            let walked = Walked { session: &session, steps: &steps, route: Event::resource };
            sample.offer(&walked, REQUEST, true);
        });
        sample
    }

    fn content(sample: Sample) -> Vec<Walk> {
        sample.walks().into_iter().map(|walk| Walk { client: 0, ..walk }).collect()
    }

    #[test]
    fn no_order_and_no_key_chooses_the_sample() {
        let expected = content(sampled(0..2000, 1));
        assert_eq!(expected.len(), 100);
        assert_eq!(content(sampled((0..2000).rev(), 1)), expected);
        assert_eq!(content(sampled(0..2000, 2)), expected);
        for cuts in [2, 7] {
            let mut all = Sample::new(100);
            (0..cuts).for_each(|cut| all.merge(sampled((0..2000).filter(|number| number % cuts == cut), 3)));
            assert_eq!(content(all), expected, "{cuts}");
        }
    }

    #[test]
    fn the_sample_is_as_the_whole() {
        let walks = sampled(0..20_000, 1).walks();
        let mean = walks.iter().map(|walk| walk.steps.len()).sum::<usize>() as f64 / walks.len() as f64;
        // 100 sessions of 1 to 5 requests: the mean of 3 has a standard error of 0.14.
        assert!((mean - 3.0).abs() < 0.5, "{mean}");
    }

    #[test]
    fn sessions_of_one_client_have_one_number() {
        let walks = sampled(0..90, 1).walks();
        assert_eq!(walks.len(), 90);
        let mut of_client = [0; 30];
        walks.iter().for_each(|walk| of_client[walk.client as usize] += 1);
        assert_eq!(of_client, [3; 30]);
    }
}
