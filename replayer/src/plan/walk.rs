//! What one session does: which places it visits, and how long it pauses between them.

use std::collections::VecDeque;
use std::rc::Rc;

use shared::distribution::normal_quantile;
use shared::think::GapKind;

use super::chain::{Chains, Gaps, Place};
use crate::clock;
use crate::random::{Key, Purpose, Stream};

/// A session of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedSession {
    /// Second of the run in which it starts.
    pub block: u64,
    /// Its place among the sessions of that second.
    pub index: u64,
    /// When it starts, in nanoseconds of run time; when it goes on, if it is under way.
    pub starts_at_ns: u64,
    /// Position of its class in the profile.
    pub class: usize,
    /// Places that it had visited before the run began.
    pub begun: usize,
}

impl PlannedSession {
    /// Whether it began before the run did.
    pub fn is_under_way(&self) -> bool {
        self.begun > 0
    }

    /// What its random streams are keyed by.
    pub(crate) fn key(&self, seed: u64) -> Key {
        Key { seed, block: self.block, index: self.index }
    }
}

/// A pause between two requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// What it is measured from.
    pub kind: GapKind,
    /// Its length in nanoseconds.
    pub length_ns: u64,
    /// The moment at which it ends, where the plan is a trace.
    pub at_ns: Option<u64>,
}

impl Gap {
    /// When the next request is due, given when the one before was scheduled and completed.
    ///
    /// Pacing was measured from start to start, with the service time inside: adding it to the end would count that
    /// twice. But nobody asks for the next page before having seen this one, so the end is the earliest.
    pub(crate) fn due_ns(self, scheduled_ns: u64, completed_ns: u64) -> u64 {
        if let Some(at_ns) = self.at_ns {
            // Not from the request before: what one late answer moved would stay moved.
            return at_ns.max(completed_ns);
        }
        match self.kind {
            GapKind::Think => completed_ns.saturating_add(self.length_ns),
            GapKind::Pacing => scheduled_ns.saturating_add(self.length_ns).max(completed_ns),
        }
    }
}

/// The places that one session visits, in order.
#[derive(Debug, Clone)]
pub struct Walk {
    /// Where it goes.
    pub places: Rc<[Place]>,
    key: Key,
    class: usize,
    /// How slow the session is as a whole, as a normal score.
    tempo: f64,
    gaps: Stream,
    /// Of what its pages fetch; made when first asked for.
    /// Made when the first page with companions is reached; most sessions are small, and there are many.
    companions: Option<Box<Stream>>,
    /// When each place was visited, where the plan is a trace; of those to come, the first is the next.
    moments_ns: Option<VecDeque<u64>>,
}

impl Walk {
    /// Places after which a walk is cut without a word, so that a chain that hardly ever ends does not fill the memory.
    ///
    /// With one `END` in 10,000 steps, no session in 10^43 comes this far. `Chain::visits`, and with it the expected
    /// requests, ends here too.
    pub(crate) const LONGEST: usize = 1_000_000;

    /// The walk of the session with this `key` and `class`.
    pub(crate) fn new(chains: &Chains, key: Key, class: usize) -> Self {
        let chain = &chains.chains[class];
        let mut stream = Stream::new(key, Purpose::Walk);
        let mut places = Vec::new();
        let mut here = chain.start.pick(stream.uniform());
        let mut node = None;
        while let Some(place) = here.filter(|_| places.len() < Self::LONGEST) {
            places.push(place);
            let now = node.map_or_else(|| chain.begin(place), |node| chain.then(node, place));
            here = chain.row(now).and_then(|row| row.pick(stream.uniform()));
            node = Some(now);
        }
        let tempo = match chain.pace {
            pace if pace > 0.0 => normal_quantile(Stream::new(key, Purpose::Tempo).uniform()),
            _ => 0.0,
        };
        let gaps = Stream::new(key, Purpose::Gaps);
        Self { places: places.into(), key, class, tempo, gaps, companions: None, moments_ns: None }
    }

    /// The walk of a session with this `key` that went to `steps` at these moments.
    pub(crate) fn literal(key: Key, steps: &[(Place, u64)]) -> Self {
        Self {
            places: steps.iter().map(|(place, _)| *place).collect(),
            key,
            class: 0,
            tempo: 0.0,
            gaps: Stream::new(key, Purpose::Gaps),
            companions: None,
            moments_ns: Some(steps.iter().map(|(_, at_ns)| *at_ns).collect()),
        }
    }

    /// Has it begin at `place`, before all else.
    pub(crate) fn begin_at(&mut self, place: Place) {
        self.places = std::iter::once(place).chain(self.places.iter().copied()).collect();
    }

    /// Leaves out the first `places`, whose pauses are over.
    pub(crate) fn pass(&mut self, chains: &Chains, places: usize) {
        if places > 0 {
            let all = Rc::clone(&self.places);
            for pair in all[..=places].windows(2) {
                self.gap_between(chains, pair[0], pair[1]);
            }
            self.places = all[places..].into();
        }
    }

    /// The stream of what its pages fetch.
    pub(crate) fn companions(&mut self) -> &mut Stream {
        let key = self.key;
        self.companions.get_or_insert_with(|| Box::new(Stream::new(key, Purpose::Companions)))
    }

    /// Draws the pause between two neighbouring places; call it once per pair, in order.
    ///
    /// Pauses of one session hang together by a Gaussian copula: the score of each is `√ρ b + √(1-ρ) e`, with `b` the
    /// session's own and `e` new, so that every pause by itself still follows its law exactly.
    pub(crate) fn gap_between(&mut self, chains: &Chains, from: Place, to: Place) -> Gap {
        if let Some(moments_ns) = &mut self.moments_ns {
            let before_ns = moments_ns.pop_front().unwrap_or(0);
            let at_ns = moments_ns.front().copied().unwrap_or(before_ns);
            let length_ns = at_ns.saturating_sub(before_ns);
            return Gap { kind: GapKind::Pacing, length_ns, at_ns: Some(at_ns) };
        }
        let chain = &chains.chains[self.class];
        let gaps = self.gaps_between(chains, [from, to]);
        let uniform = self.gaps.uniform();
        let length_s = if chain.pace > 0.0 {
            let (shared, own) = (chain.pace.sqrt(), (1.0 - chain.pace).sqrt());
            gaps.at_score(shared * self.tempo + own * normal_quantile(uniform))
        } else {
            gaps.at(uniform)
        };
        Gap { kind: gaps.kind, length_ns: clock::from_s(length_s), at_ns: None }
    }

    /// The law of the pauses between two places.
    pub(crate) fn gaps_between<'a>(&self, chains: &'a Chains, [from, to]: [Place; 2]) -> &'a Gaps {
        &chains.gaps[chains.chains[self.class].gaps_between(from, to)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;

    #[test]
    fn walks_follow_the_chain() {
        let chains = Chains::of(&from_yaml(EXAMPLE).unwrap()).unwrap();
        // Counts of home -> (END, home, item) and of first places.
        let (mut steps, mut first_home) = ([0_u32; 3], 0_u32);
        let sessions = 20_000;
        for index in 0..sessions {
            let walk = Walk::new(&chains, Key { seed: 3, block: 0, index }, 0);
            first_home += u32::from(walk.places[0] == Place::Endpoint(0));
            for (at, _) in walk.places.iter().enumerate().filter(|(_, place)| **place == Place::Endpoint(0)) {
                let to = match walk.places.get(at + 1) {
                    None => 0,
                    Some(Place::Endpoint(to)) => to + 1,
                    Some(Place::Other) => unreachable!("the example has no such step"),
                };
                steps[to] += 1;
            }
        }
        // Chi-square with two degrees of freedom; 13.8 is exceeded once in a thousand.
        let n = f64::from(steps.iter().sum::<u32>());
        let chi_square: f64 = steps
            .iter()
            .zip([0.4, 0.2, 0.4])
            .map(|(count, share)| (f64::from(*count) - n * share).powi(2) / (n * share))
            .sum();
        assert!(chi_square < 13.8, "{steps:?}");
        assert!((f64::from(first_home) - 15_000.0).abs() < 4.0 * 61.3, "{first_home}");
    }

    #[test]
    fn a_chain_that_hardly_ends_is_cut() {
        let mut profile = from_yaml(EXAMPLE).unwrap();
        for state in profile.classes[0].chain.values_mut() {
            state.next = [("get_home".to_owned(), 1.0 - 1e-12), ("END".to_owned(), 1e-12)].into();
        }
        let chains = Chains::of(&profile).unwrap();
        let walk = Walk::new(&chains, Key { seed: 3, block: 0, index: 0 }, 0);
        assert_eq!(walk.places.len(), Walk::LONGEST);
    }

    #[test]
    fn thinking_starts_at_the_answer_and_pacing_at_the_request() {
        let gap = |kind| Gap { kind, length_ns: 100, at_ns: None };
        assert_eq!(gap(GapKind::Think).due_ns(1000, 1030), 1130);
        assert_eq!(gap(GapKind::Pacing).due_ns(1000, 1030), 1100);
        assert_eq!(gap(GapKind::Pacing).due_ns(1000, 1500), 1500);
    }
}
