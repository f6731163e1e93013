//! Which classes, endpoints and transitions share a law of pauses.
//!
//! From the whole down: classes of users are held against all others together, then endpoints against the rest of
//! their class, then transitions against the rest of their endpoint. What differs by more than chance (two-sample
//! Anderson-Darling, false discoveries held at one percent by Benjamini & Hochberg 1995) and by more than ten percent
//! of the length (mean distance of the logarithms' quantiles) is taken out, the farthest first, because it also blurs
//! what it is held against. In the end, what was taken out from different places but is alike is put together again.
//!
//! Some of what looks like a pause is a return within the session gap ([`super::sideband`]): long, and most frequent where
//! sessions end and start. As many as are expected are left out of the tests, so that they do not set places apart.
//!
//! Pauses of one session depend on each other, so tests take one of each session on either side, chosen without looking
//! at its length; effects are measured on all of them.

mod compare;
mod pauses;

use std::collections::{BTreeMap, BTreeSet};

use compare::{Histogram, distance, p_value};
use pauses::{Pause, TEST_LOG_WIDTH, count};

use crate::model::sample::Walk;
use crate::statistic::multiple::benjamini_hochberg;
use crate::tally::GapTally;

/// Fewest pauses of something with a law of its own.
pub const LEAST_PAUSES: u64 = 200;
/// How far apart laws must be to be told apart: mean difference of the logarithms of their quantiles.
const LEAST_EFFECT: f64 = 0.1;
/// Share of false ones among the differences found.
const FALSE_DISCOVERIES: f64 = 0.01;

/// Where a law applies within a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Everywhere that nothing else is said of.
    Anywhere,
    /// After this endpoint.
    After(u32),
    /// Between these two endpoints.
    Between(u32, u32),
}

/// Pauses that share a law.
#[derive(Debug, Clone)]
pub struct Group {
    /// The pauses counted, for fits and for the gate.
    pub(crate) gaps: GapTally,
    /// Pauses by transition.
    steps: BTreeMap<(u32, u32), u64>,
}

impl Group {
    /// Pauses.
    pub fn n(&self) -> u64 {
        self.gaps.gaps.count
    }

    /// Share of them that are no pauses but returns, given that of each transition
    /// ([`super::sideband::Corrected::background`]).
    pub fn background(&self, of_steps: &BTreeMap<(u32, u32), f64>) -> f64 {
        let returns =
            self.steps.iter().map(|(step, n)| of_steps.get(step).copied().unwrap_or(0.0) * *n as f64);
        returns.sum::<f64>() / self.n().max(1) as f64
    }

    /// Distinct clients behind them.
    pub fn clients(&self) -> u64 {
        self.gaps.gaps.clients
    }

    /// Pauses between whole-second stamps: counts in thousandths by milliseconds.
    pub fn whole(&self) -> &BTreeMap<i64, u64> {
        &self.gaps.coarse
    }
}

/// Which law applies where.
#[derive(Debug, Clone)]
pub struct Pooling {
    /// What shares a law, the most pauses first.
    pub groups: Vec<Group>,
    /// Positions in `groups` by class and place. Each class that has pauses has an entry for [`Place::Anywhere`], and
    /// others only where they differ from it.
    pub places: BTreeMap<u32, BTreeMap<Place, usize>>,
    /// Whether they are pauses between whole-second stamps; of a mixed sample, the kind that is rarer is left out.
    pub coarse: bool,
}

impl Pooling {
    /// Position of the group of pauses of `class` between two endpoints; `None` for a class without pauses.
    pub fn group(&self, class: u32, from: u32, to: u32) -> Option<usize> {
        let places = self.places.get(&class)?;
        let found = [Place::Between(from, to), Place::After(from), Place::Anywhere];
        found.iter().find_map(|place| places.get(place)).copied()
    }
}

/// Groups the pauses of `walks` by law. `class_of` gives the class of the walk at a position; all the same where classes
/// are not known. Nothing with fewer than `k` distinct clients gets a law of its own, unless there is nothing else.
///
/// `background` is the share of returns among the pauses of each transition, and `longest_s` the session gap.
/// Transitions that are nothing but returns are left out altogether.
///
/// The same for any order of `walks`, and for any numbers that tell the same clients apart.
pub fn pool(
    walks: &[Walk],
    class_of: impl Fn(usize) -> u32,
    background: &BTreeMap<(u32, u32), f64>,
    longest_s: f64,
    k: u64,
) -> Pooling {
    let coarse = pauses::are_coarse(walks);
    let (mut pauses, bins) = pauses::pauses(walks, coarse, class_of);
    pauses.retain(|pause| background.get(&(pause.from, pause.to)).is_none_or(|share| *share < 1.0));
    pauses::mark_returns(&mut pauses, background, longest_s);
    let sample = Sample { pauses: &pauses, bins, k };
    let mut parts = sample.parts();
    parts.sort_by(|a, b| (&a.classes, a.place).cmp(&(&b.classes, b.place)));
    let groups = sample.join(&parts);
    let (groups, places) = named(&sample, &parts, groups);
    Pooling { groups, places, coarse }
}

/// Pauses of some classes at one place. Members are positions in the sample, ascending.
struct Part {
    classes: BTreeSet<u32>,
    place: Place,
    members: Vec<usize>,
}

/// Pauses, client by client and session by session.
struct Sample<'p> {
    pauses: &'p [Pause],
    bins: usize,
    k: u64,
}

/// Pauses as a test sees them: all of them for the effect, one of each session for the probability.
struct Seen {
    all: Histogram,
    one: Histogram,
}

impl Seen {
    fn differs_from(&self, other: &Self) -> bool {
        self.effect(other) > LEAST_EFFECT && p_value(&self.one, &other.one) <= FALSE_DISCOVERIES
    }

    fn effect(&self, other: &Self) -> f64 {
        distance(&self.all, &other.all) * TEST_LOG_WIDTH
    }
}

impl Sample<'_> {
    /// Everything that differs from what surrounds it, and what is left at each level.
    fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        let (rest, apart) = self.separate((0..self.pauses.len()).collect(), |pause| pause.class);
        let of_classes = std::iter::once(rest).chain(apart.into_iter().map(|(_, members)| members));
        for members in of_classes {
            let classes: BTreeSet<u32> = members.iter().map(|at| self.pauses[*at].class).collect();
            let part = |place, members| Part { classes: classes.clone(), place, members };
            let (mut rest, apart) = self.separate(members, |pause| pause.from);
            for (from, members) in apart {
                let (after, between) = self.separate(members, |pause| pause.to);
                parts
                    .extend(between.into_iter().map(|(to, members)| part(Place::Between(from, to), members)));
                if self.is_enough(&after) {
                    parts.push(part(Place::After(from), after));
                } else {
                    rest.extend(after);
                }
            }
            rest.sort_unstable();
            let (rest, between) = self.separate(rest, |pause| (pause.from, pause.to));
            parts.extend(
                between.into_iter().map(|((from, to), members)| part(Place::Between(from, to), members)),
            );
            parts.push(part(Place::Anywhere, rest));
        }
        parts.retain(|part| !part.members.is_empty());
        parts
    }

    /// Takes those keys out of `members` whose pauses differ from the rest, the farthest first, until none does.
    fn separate<K: Ord + Copy>(
        &self,
        mut members: Vec<usize>,
        key: impl Fn(&Pause) -> K,
    ) -> (Vec<usize>, Vec<(K, Vec<usize>)>) {
        let mut by_key: BTreeMap<K, Vec<usize>> = BTreeMap::new();
        members.iter().for_each(|at| by_key.entry(key(&self.pauses[*at])).or_default().push(*at));
        let mut candidates: BTreeMap<K, Seen> = by_key
            .iter()
            .filter(|(_, members)| self.is_enough(members))
            .map(|(key, members)| (*key, self.seen(members)))
            .collect();
        let mut apart = Vec::new();
        loop {
            let pool = self.seen(&members);
            // Of each session one pause is in the pool; the part of them that has the key is not the rest's.
            let drawn = self.drawn(&members, &key);
            // What has no effect is not taken out however sure it is; one for its probability is on the safe side.
            let (p, effects): (Vec<f64>, Vec<(K, f64)>) = candidates
                .iter()
                .map(|(key, seen)| {
                    let one =
                        drawn.get(key).map_or_else(|| pool.one.clone(), |drawn| pool.one.without(drawn));
                    let rest = Seen { all: pool.all.without(&seen.all), one };
                    let effect = seen.effect(&rest);
                    let p = if effect > LEAST_EFFECT { p_value(&seen.one, &rest.one) } else { 1.0 };
                    (p, (*key, effect))
                })
                .unzip();
            let farthest = benjamini_hochberg(&p)
                .into_iter()
                .zip(effects)
                .filter(|(adjusted, _)| *adjusted <= FALSE_DISCOVERIES)
                .max_by(|(_, a), (_, b)| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
            let Some((_, (found, _))) = farthest else { return (members, apart) };
            candidates.remove(&found);
            apart.extend(by_key.remove_entry(&found));
            members.retain(|at| key(&self.pauses[*at]) != found);
        }
    }

    fn is_enough(&self, members: &[usize]) -> bool {
        let pauses = members.iter().filter(|at| !self.pauses[**at].is_return).count();
        pauses as u64 >= LEAST_PAUSES && self.clients(members) >= self.k
    }

    fn clients(&self, members: &[usize]) -> u64 {
        members.chunk_by(|a, b| self.pauses[*a].client == self.pauses[*b].client).count() as u64
    }

    fn seen(&self, members: &[usize]) -> Seen {
        let mut all = Histogram::new(self.bins);
        let pauses = members.iter().map(|at| &self.pauses[*at]).filter(|pause| !pause.is_return);
        pauses.for_each(|pause| all.add(pause.bin));
        let mut one = Histogram::new(self.bins);
        self.one_of_each_session(members).for_each(|pause| one.add(pause.bin));
        Seen { all, one }
    }

    fn drawn<K: Ord>(&self, members: &[usize], key: impl Fn(&Pause) -> K) -> BTreeMap<K, Histogram> {
        let mut drawn: BTreeMap<K, Histogram> = BTreeMap::new();
        for pause in self.one_of_each_session(members) {
            drawn.entry(key(pause)).or_insert_with(|| Histogram::new(self.bins)).add(pause.bin);
        }
        drawn
    }

    fn one_of_each_session(&self, members: &[usize]) -> impl Iterator<Item = &Pause> {
        members.chunk_by(|a, b| self.pauses[*a].session == self.pauses[*b].session).filter_map(|session| {
            let pauses = session.iter().map(|at| &self.pauses[*at]).filter(|pause| !pause.is_return);
            pauses.min_by_key(|pause| pause.lot)
        })
    }

    /// Parts that are alike put together, the closest first; what has too few pauses or clients joins the closest.
    fn join(&self, parts: &[Part]) -> Vec<Vec<usize>> {
        let mut groups = Joined::default();
        (0..parts.len()).for_each(|part| groups.add(self, parts, vec![part]));
        while let Some((one, other)) = groups.closest() {
            let of = [one, other].into_iter().flat_map(|at| groups.take(at)).collect();
            groups.add(self, parts, of);
        }
        groups.held.into_iter().flatten().map(|group| group.of).collect()
    }

    fn members(&self, parts: &[Part], of: &[usize]) -> Vec<usize> {
        let mut members: Vec<usize> =
            of.iter().flat_map(|part| parts[*part].members.iter().copied()).collect();
        members.sort_unstable();
        members
    }
}

/// Parts put together so far, and how far apart those are that may yet be.
#[derive(Default)]
struct Joined {
    held: Vec<Option<JoinedGroup>>,
    close: BTreeMap<(usize, usize), f64>,
}

/// Positions of parts, and what they are together.
struct JoinedGroup {
    of: Vec<usize>,
    seen: Seen,
    enough: bool,
}

impl Joined {
    fn add(&mut self, sample: &Sample, parts: &[Part], of: Vec<usize>) {
        let members = sample.members(parts, &of);
        let group = JoinedGroup { of, seen: sample.seen(&members), enough: sample.is_enough(&members) };
        let at = self.held.len();
        for (other_at, other) in self.held.iter().enumerate() {
            let Some(other) = other else { continue };
            if !(group.enough && other.enough && group.seen.differs_from(&other.seen)) {
                self.close.insert((other_at, at), group.seen.effect(&other.seen));
            }
        }
        self.held.push(Some(group));
    }

    fn closest(&self) -> Option<(usize, usize)> {
        let closest = self.close.iter().min_by(|a, b| a.1.total_cmp(b.1).then(a.0.cmp(b.0)));
        closest.map(|(pair, _)| *pair)
    }

    fn take(&mut self, at: usize) -> Vec<usize> {
        self.close.retain(|(one, other), _| *one != at && *other != at);
        self.held[at].take().map_or_else(Vec::new, |group| group.of)
    }
}

/// Groups counted, and which of them each place has; places that have what they would have anyway are left out.
fn named(
    sample: &Sample,
    parts: &[Part],
    groups: Vec<Vec<usize>>,
) -> (Vec<Group>, BTreeMap<u32, BTreeMap<Place, usize>>) {
    let mut counted: Vec<(Vec<usize>, Group)> = groups
        .into_iter()
        .map(|of| {
            let members = sample.members(parts, &of);
            let gaps = count(members.iter().map(|at| &sample.pauses[*at]), sample.k);
            let mut steps = BTreeMap::new();
            for pause in members.iter().map(|at| &sample.pauses[*at]) {
                *steps.entry((pause.from, pause.to)).or_insert(0) += 1;
            }
            (of, Group { gaps, steps })
        })
        .collect();
    counted.sort_by(|a, b| b.1.n().cmp(&a.1.n()).then_with(|| a.0.iter().min().cmp(&b.0.iter().min())));
    let mut places: BTreeMap<u32, BTreeMap<Place, usize>> = BTreeMap::new();
    for (group, (of, _)) in counted.iter().enumerate() {
        for part in of.iter().map(|part| &parts[*part]) {
            for class in &part.classes {
                places.entry(*class).or_default().insert(part.place, group);
            }
        }
    }
    for of_class in places.values_mut() {
        // Where every endpoint has a law of its own, the most usual of them stands in for what was never seen.
        let most_usual = of_class.values().copied().min().unwrap_or(0);
        let anywhere = *of_class.entry(Place::Anywhere).or_insert(most_usual);
        let before = of_class.clone();
        of_class.retain(|place, group| match place {
            Place::Anywhere => true,
            Place::After(_) => *group != anywhere,
            Place::Between(from, _) => {
                *group != before.get(&Place::After(*from)).copied().unwrap_or(anywhere)
            }
        });
    }
    (counted.into_iter().map(|(_, group)| group).collect(), places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{Gap, Step};

    /// Sessions of eight requests that go round four endpoints; pauses spread evenly in the logarithm around
    /// `median_ms` of class and transition.
    fn walks(sessions: u32, coarse: bool, median_ms: impl Fn(u32, u32, u32) -> f64) -> Vec<Walk> {
        let mut draw = 0_u32;
        let mut walk = |session: u32| {
            let steps = (0..8_u32).map(|at| {
                let (endpoint, before) = ((session + at) % 4, (session + at + 3) % 4);
                draw += 1;
                let spread = (f64::from(draw) * 0.618_033_988_749_895).fract() * 3.0 - 1.5;
                let exact = median_ms(session % 2, before, endpoint) * spread.exp();
                let phase = (f64::from(draw) * std::f64::consts::SQRT_2).fract();
                let ms = if coarse { (exact / 1000.0 + phase).floor() as i64 * 1000 } else { exact as i64 };
                let gap = (at > 0).then_some(Gap { ms, coarse, paced: false });
                Step { endpoint, gap }
            });
            Walk {
                start_s: i64::from(session) * 77,
                steps: steps.collect(),
                ended: true,
                mass: 1000,
                client: session / 2,
            }
        };
        (0..sessions).map(&mut walk).collect()
    }

    fn class(at: usize) -> u32 {
        at as u32 % 2
    }

    #[track_caller]
    fn check(median_ms: impl Fn(u32, u32, u32) -> f64 + Copy, expected: &[(u32, Place)], groups: usize) {
        for coarse in [true, false] {
            let walks = walks(1200, coarse, median_ms);
            let pooling = pool(&walks, class, &BTreeMap::new(), 1800.0, 10);
            let found: Vec<(u32, Place)> = pooling
                .places
                .iter()
                .flat_map(|(class, places)| places.keys().map(|place| (*class, *place)))
                .filter(|(_, place)| *place != Place::Anywhere)
                .collect();
            assert_eq!((found.as_slice(), pooling.groups.len()), (expected, groups), "{:?}", pooling.places);
            assert_eq!(pooling.groups.iter().map(Group::n).sum::<u64>(), 1200 * 7);
        }
    }

    #[test]
    fn what_differs_has_a_law_of_its_own() {
        check(|_, _, _| 5000.0, &[], 1);
        check(|class, _, _| if class == 0 { 5000.0 } else { 9000.0 }, &[], 2);
        let after = Place::After(2);
        check(|_, from, _| if from == 2 { 9000.0 } else { 5000.0 }, &[(0, after), (1, after)], 2);
        let between = |class, from, to| if class == 0 && from == 1 && to == 2 { 15_000.0 } else { 5000.0 };
        check(between, &[(0, Place::After(1))], 2);
    }

    #[test]
    fn returns_do_not_set_a_place_apart() {
        let mut walks = walks(1200, true, |_, _, _| 5000.0);
        // After endpoint 3, one pause in three is a return at any time within half an hour.
        let (mut draw, mut returns, mut pauses) = (0_u32, 0.0, 0.0);
        for walk in &mut walks {
            for at in 1..walk.steps.len() {
                if walk.steps[at - 1].endpoint == 3 {
                    draw += 1;
                    pauses += 1.0;
                    if draw % 3 == 0 {
                        returns += 1.0;
                        let share = (f64::from(draw) * 0.618_033_988_749_895).fract();
                        let ms = (share * 1800.0) as i64 * 1000;
                        walk.steps[at].gap = Some(Gap { ms, coarse: true, paced: false });
                    }
                }
            }
        }
        let background = BTreeMap::from([((3, 0), returns / pauses)]);
        let pooling = pool(&walks, |_| 0, &background, 1800.0, 10);
        assert_eq!(pooling.groups.len(), 1, "{:?}", pooling.places);
        let share = pooling.groups[0].background(&background);
        assert!((share - returns / 8400.0).abs() < 1e-9, "{share}");
        assert_eq!(pool(&walks, |_| 0, &BTreeMap::new(), 1800.0, 10).groups.len(), 2);
        let nothing_else = BTreeMap::from([((3, 0), 1.0)]);
        let without = pool(&walks, |_| 0, &nothing_else, 1800.0, 10);
        assert_eq!(without.groups[0].n(), 8400 - pauses as u64);
    }

    #[test]
    fn few_clients_have_no_law_of_their_own() {
        let slow = |_: u32, from: u32, _: u32| if from == 2 { 9000.0 } else { 5000.0 };
        let mut walks = walks(1200, true, slow);
        walks.iter_mut().for_each(|walk| walk.client %= 9);
        assert_eq!(pool(&walks, |_| 0, &BTreeMap::new(), 1800.0, 10).groups.len(), 1);
        assert_eq!(pool(&walks, |_| 0, &BTreeMap::new(), 1800.0, 9).groups.len(), 2);
        assert!(pool(&[], |_| 0, &BTreeMap::new(), 1800.0, 10).groups.is_empty());
    }

    #[test]
    fn order_and_numbers_of_clients_do_not_matter() {
        let slow = |_: u32, from: u32, _: u32| if from == 2 { 9000.0 } else { 5000.0 };
        let mut walks = walks(600, true, slow);
        let before = format!("{:?}", pool(&walks, |_| 0, &BTreeMap::new(), 1800.0, 10));
        walks.reverse();
        walks.iter_mut().for_each(|walk| walk.client = walk.client.wrapping_mul(2_654_435_761));
        let after = format!("{:?}", pool(&walks, |_| 0, &BTreeMap::new(), 1800.0, 10));
        // The last client that a cell has seen is no result.
        let without_last = |text: &str| {
            text.split("last: ")
                .map(|part| part.split_once(')').map_or(part, |(_, rest)| rest).to_owned())
                .collect::<String>()
        };
        assert_eq!(without_last(&before), without_last(&after));
    }
}
