//! A profile's classes, compiled: names become positions, rows become cumulative sums.

use std::collections::BTreeMap;

use shared::Profile;
use shared::distribution::{Sampler, normal_cdf};
use shared::session::{Class, END, LEADS_TO, OTHER, State};
use shared::think::GapKind;

use super::memory::Memory;
use super::walk::Walk;

/// Where a session can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At the endpoint with this position in the profile.
    Endpoint(usize),
    /// At one too rare to be named: the session passes without a request.
    Other,
}

/// One of several things, each with its probability.
#[derive(Debug, Clone)]
pub(crate) struct Choice<T> {
    /// Running sums, scaled so that the last one is 1.
    cumulative: Vec<f64>,
    items: Vec<T>,
}

impl<T: Copy> Choice<T> {
    /// A choice among `items` in proportion to their weights; `None` when no weight is positive.
    pub(crate) fn new(items: impl IntoIterator<Item = (T, f64)>) -> Option<Self> {
        let (items, weights): (Vec<T>, Vec<f64>) =
            items.into_iter().filter(|(_, weight)| *weight > 0.0).unzip();
        // Profiles are published rounded and edited by hand: sums near 1 are scaled to it.
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let cumulative = weights.iter().map(|weight| {
            sum += weight / total;
            sum
        });
        let cumulative: Vec<f64> = cumulative.collect();
        (!items.is_empty()).then_some(Self { cumulative, items })
    }

    /// The item at `u` in (0, 1).
    pub(crate) fn pick(&self, u: f64) -> T {
        let at = self.cumulative.partition_point(|sum| *sum < u);
        self.items[at.min(self.items.len() - 1)]
    }

    /// Items with their probabilities.
    pub(crate) fn shares(&self) -> impl Iterator<Item = (T, f64)> + '_ {
        let before = std::iter::once(0.0).chain(self.cumulative.iter().copied());
        let widths = self.cumulative.iter().zip(before).map(|(sum, before)| sum - before);
        self.items.iter().copied().zip(widths)
    }
}

/// The pauses of one think time of the profile.
#[derive(Debug, Clone)]
pub(crate) struct Gaps {
    pub(crate) kind: GapKind,
    sampler: Sampler,
    longest_s: f64,
    /// Share of the law that lies below the session gap.
    shorter: f64,
}

impl Gaps {
    fn new(kind: GapKind, sampler: Sampler, longest_s: f64) -> Self {
        // A law that lies beyond the session gap altogether is cut there.
        let shorter = Some(sampler.cdf(longest_s)).filter(|share| *share > 0.0).unwrap_or(1.0);
        Self { kind, sampler, longest_s, shorter }
    }

    /// The pause in seconds at `u` in (0, 1), of those up to the profile's session gap: beyond, it would be another
    /// session, and no pause of one was that long.
    pub(crate) fn at(&self, u: f64) -> f64 {
        self.sampler.quantile(u * self.shorter).clamp(0.0, self.longest_s)
    }

    /// The pause at a normal score: that of the same rank.
    pub(crate) fn at_score(&self, score: f64) -> f64 {
        self.at(normal_cdf(score))
    }

    /// The share of pauses shorter than `length_s` among those up to `cut_s`; none for pacing, and if there are none.
    pub(crate) fn rank(&self, length_s: f64, cut_s: f64) -> Option<f64> {
        let among = self.sampler.cdf(cut_s.min(self.longest_s));
        let known = self.kind == GapKind::Think && among > 0.0;
        known.then(|| (self.sampler.cdf(length_s) / among).min(1.0))
    }

    /// Mean pause in seconds: the average over even quantiles, since the cut has no closed form.
    pub(crate) fn mean_s(&self) -> f64 {
        const POINTS: u32 = 500;
        let points = (0..POINTS).map(|i| self.at((f64::from(i) + 0.5) / f64::from(POINTS)));
        points.sum::<f64>() / f64::from(POINTS)
    }
}

/// Where to next; `None` ends the session.
type Row = Choice<Option<Place>>;

/// One class: a chain over slots, where slot `i` is endpoint `i` and the last slot is [`Place::Other`].
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    /// Where sessions begin; `None` ends a session before its first request.
    pub(crate) start: Row,
    /// How far back it matters where a session has been.
    memory: Memory,
    /// Where sessions go from each node of the memory; one without a row ends the session.
    rows: Vec<Option<Row>>,
    /// Number of slots.
    slots: usize,
    /// Correlation of the pauses of one session, 0 to 1.
    pub(crate) pace: f64,
    /// Position of the pauses after each slot.
    gaps: Vec<usize>,
    /// Position of the pauses between two slots, where they are not those after the first.
    gaps_between: BTreeMap<(usize, usize), usize>,
}

impl Chain {
    /// Whether more than the last place decides on the next.
    pub(crate) fn remembers(&self) -> bool {
        self.rows.len() > self.slots
    }

    /// The node of a session that has begun at `place`.
    pub(crate) fn begin(&self, place: Place) -> usize {
        self.slot(place)
    }

    /// The node of a session that was at `node` and went to `place`.
    pub(crate) fn then(&self, node: usize, place: Place) -> usize {
        self.memory.then(node, self.slot(place))
    }

    /// The place at which a session is at `node`.
    pub(crate) fn place(&self, node: usize) -> Place {
        match self.memory.slot(node) {
            slot if slot + 1 == self.slots => Place::Other,
            slot => Place::Endpoint(slot),
        }
    }

    /// The row that leads on from `node`.
    pub(crate) fn row(&self, node: usize) -> Option<&Row> {
        self.rows[node].as_ref()
    }

    /// Which pauses lie between `from` and `to`.
    pub(crate) fn gaps_between(&self, from: Place, to: Place) -> usize {
        let (from, to) = (self.slot(from), self.slot(to));
        self.gaps_between.get(&(from, to)).copied().unwrap_or(self.gaps[from])
    }

    /// Expected visits of each node in one session, solved from `v = start + v Q` by iteration.
    ///
    /// Of long sessions, only the beginning is iterated, window by window. Once the visits shrink evenly from one
    /// window to the next, by the ratio r, the rest is a geometric series: r + r² + … times the last window, up to
    /// [`Walk::LONGEST`].
    pub(crate) fn visits(&self) -> Vec<f64> {
        /// Steps of a window: whole turns of every chain that goes in circles of up to ten.
        const WINDOW: usize = 2_520;
        /// Windows after which the ratio is taken as it is.
        const WINDOWS: usize = 40;
        /// The ratio counts as even when what it says of the rest changes by less than this share.
        const EVEN: f64 = 1e-3;
        const NEGLIGIBLE: f64 = 1e-9;
        let mut visits = vec![0.0; self.rows.len()];
        let mut alive = vec![0.0; self.rows.len()];
        for (place, share) in self.start.shares() {
            place.into_iter().for_each(|place| alive[self.slot(place)] += share);
        }
        let (mut sum, mut ratio) = (0.0, 0.0);
        for windows in 1..=WINDOWS {
            let mut window = vec![0.0; alive.len()];
            for _ in 0..WINDOW {
                if alive.iter().sum::<f64>() < NEGLIGIBLE {
                    break;
                }
                add(&mut window, &alive, 1.0);
                alive = self.step(&alive);
            }
            add(&mut visits, &window, 1.0);
            if alive.iter().sum::<f64>() < NEGLIGIBLE {
                break;
            }
            let before = std::mem::replace(&mut sum, window.iter().sum::<f64>());
            let ratio_before = std::mem::replace(&mut ratio, sum / before);
            if windows == WINDOWS || (ratio - ratio_before).abs() <= EVEN * (1.0 - ratio) {
                let rest = Walk::LONGEST as f64 / WINDOW as f64 - windows as f64;
                add(&mut visits, &window, geometric_sum(ratio, rest));
                break;
            }
        }
        visits
    }

    /// Where sessions are one step after they were at each node with the probabilities `alive`.
    fn step(&self, alive: &[f64]) -> Vec<f64> {
        let mut next = vec![0.0; alive.len()];
        for (node, mass) in alive.iter().enumerate().filter(|(_, mass)| **mass > 0.0) {
            for (place, share) in self.rows[node].iter().flat_map(Choice::shares) {
                place.into_iter().for_each(|place| next[self.then(node, place)] += mass * share);
            }
        }
        next
    }

    fn slot(&self, place: Place) -> usize {
        match place {
            Place::Endpoint(at) => at,
            Place::Other => self.slots - 1,
        }
    }
}

/// Adds `factor` times `amounts` to `sums`.
fn add(sums: &mut [f64], amounts: &[f64], factor: f64) {
    sums.iter_mut().zip(amounts).for_each(|(sum, amount)| *sum += factor * amount);
}

/// `r + r² + … + r^n`; a ratio that does not shrink counts as 1.
fn geometric_sum(r: f64, n: f64) -> f64 {
    if r < 1.0 { r * -(n * r.ln()).exp_m1() / (1.0 - r) } else { n }
}

/// All classes of a profile, and the pauses they refer to.
#[derive(Debug, Clone)]
pub(crate) struct Chains {
    pub(crate) classes: Choice<usize>,
    pub(crate) chains: Vec<Chain>,
    pub(crate) gaps: Vec<Gaps>,
}

impl Chains {
    /// Compiles the classes of `profile`; `None` when it is not one that [`shared::validate`] accepts.
    pub(crate) fn of(profile: &Profile) -> Option<Self> {
        let longest_s = profile.source.session_rule.gap_s;
        let gaps = profile
            .think_times
            .values()
            .map(|think_time| Some(Gaps::new(think_time.kind, think_time.sampler()?, longest_s)));
        let gaps: Vec<Gaps> = gaps.collect::<Option<_>>()?;
        let names: BTreeMap<&str, usize> =
            profile.think_times.keys().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let ids: Vec<&str> = profile.endpoints.iter().map(|endpoint| endpoint.id.as_str()).collect();
        let chains = profile.classes.iter().map(|class| compile(class, &ids, &names));
        Some(Self {
            classes: Choice::new(profile.classes.iter().map(|class| class.weight).enumerate())?,
            chains: chains.collect::<Option<_>>()?,
            gaps,
        })
    }

    /// The same with other shares of the classes, in proportion to `weights`; `None` when none is positive.
    pub(crate) fn weighted(self, weights: Vec<f64>) -> Option<Self> {
        Some(Self { classes: Choice::new(weights.into_iter().enumerate())?, ..self })
    }

    /// The same without any pause.
    pub(crate) fn without_pauses(mut self) -> Self {
        for gaps in &mut self.gaps {
            (gaps.kind, gaps.longest_s) = (GapKind::Think, 0.0);
        }
        self
    }
}

fn compile(class: &Class, ids: &[&str], think_times: &BTreeMap<&str, usize>) -> Option<Chain> {
    let positions: BTreeMap<&str, usize> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let place = |id: &str| match id {
        END => Some(None),
        OTHER => Some(Some(Place::Other)),
        id => positions.get(id).map(|at| Some(Place::Endpoint(*at))),
    };
    let row = |row: &BTreeMap<String, f64>| {
        let items = row.iter().map(|(id, share)| Some((place(id)?, *share)));
        Choice::new(items.collect::<Option<Vec<_>>>()?)
    };
    let slots = || ids.iter().copied().chain([OTHER]);
    let slot = |id: &str| if id == OTHER { Some(ids.len()) } else { positions.get(id).copied() };
    let gaps = slots().map(|id| think_times.get(class.think_time.after(id)).copied());
    let transitions =
        class.think_time.on.iter().filter_map(|(place, name)| Some((place.split_once(LEADS_TO)?, name)));
    let gaps_between = transitions
        .map(|((from, to), name)| Some(((slot(from)?, slot(to)?), *think_times.get(name.as_str())?)));
    let contexts = || class.contexts.iter().filter(|context| !context.after.is_empty());
    let words = contexts().map(|context| context.after.iter().map(|id| slot(id)).collect());
    let words: Vec<Vec<usize>> = words.collect::<Option<_>>()?;
    let memory = Memory::new(ids.len() + 1, &words);
    let mut rows: Vec<Option<Row>> =
        slots().map(|id| class.chain.get(id).and_then(|state| row(&uncovered(class, id, state)))).collect();
    let mut of_contexts = BTreeMap::new();
    for (context, word) in contexts().zip(&words) {
        of_contexts.insert(memory.at(word), row(&context.next)?);
    }
    // A node that is no context itself follows the longest one that it ends with; those are before it.
    for node in 0..memory.nodes() {
        let inherited = || memory.shorter(node).and_then(|shorter| rows[shorter].clone());
        let row = of_contexts.remove(&node).or_else(inherited);
        match rows.get_mut(node) {
            Some(of_slot) => *of_slot = row.or_else(|| of_slot.take()),
            None => rows.push(row),
        }
    }
    Some(Chain {
        start: row(&class.start)?,
        memory,
        rows,
        slots: ids.len() + 1,
        // Pauses cannot all be unlike each other: a correlation below 0 holds for none.
        pace: class.pace.unwrap_or(0.0).clamp(0.0, 1.0),
        gaps: gaps.collect::<Option<_>>()?,
        gaps_between: gaps_between.collect::<Option<_>>()?,
    })
}

/// What comes next after `id` where no longer context applies.
///
/// The row of the profile is that of all visits, those that contexts cover included; so the counts of contexts are taken
/// out of it, and all visits together still lead where they did. Contexts with more visits than there are, as somebody
/// may write them by hand, leave the row as it is.
fn uncovered(class: &Class, id: &str, state: &State) -> BTreeMap<String, f64> {
    let covering =
        || class.contexts.iter().filter(|context| context.after.last().is_some_and(|last| last == id));
    let covered: u64 = covering().map(|context| context.visits).sum();
    let mut counts = state.next.clone();
    if covered == 0 || covered >= state.visits {
        return counts;
    }
    counts.values_mut().for_each(|share| *share *= state.visits as f64);
    for context in covering() {
        for (to, share) in &context.next {
            if let Some(count) = counts.get_mut(to) {
                *count = (*count - share * context.visits as f64).max(0.0);
            }
        }
    }
    if counts.values().any(|count| *count > 0.0) { counts } else { state.next.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;

    #[test]
    fn visits_agree_with_the_contract_s_own_sum() {
        let profile = from_yaml(EXAMPLE).unwrap();
        let chains = Chains::of(&profile).unwrap();
        let visits = chains.chains[0].visits();
        let expected = profile.classes[0].mean_requests_per_session();
        assert!((visits.iter().sum::<f64>() - expected).abs() < 1e-6, "{visits:?} {expected}");
        // v_home = 0.75 + 0.2 v_home + 0.3333 v_item; v_item = 0.25 + 0.4 v_home.
        let home = (0.75 + 0.3333 * 0.25) / (1.0 - 0.2 - 0.3333 * 0.4);
        assert!((visits[0] - home).abs() < 1e-6 && visits[2].abs() < 1e-12);
    }

    #[test]
    fn visits_of_very_long_sessions_are_not_cut() {
        // Both chains start at home: one state by itself, and two in turn of which only the second can end.
        #[track_caller]
        fn check(end: f64, alone: bool, expected: [f64; 2]) {
            let mut profile = from_yaml(EXAMPLE).unwrap();
            let class = &mut profile.classes[0];
            let going_on = ("get_home".to_owned(), 1.0 - end);
            let ending = BTreeMap::from([going_on, (END.to_owned(), end)]);
            let to_item = BTreeMap::from([("get_item".to_owned(), 1.0)]);
            class.start = BTreeMap::from([("get_home".to_owned(), 1.0)]);
            for (id, state) in &mut class.chain {
                state.next = if id == "get_home" && !alone { to_item.clone() } else { ending.clone() };
            }
            let visits = Chains::of(&profile).unwrap().chains[0].visits();
            for (found, expected) in visits.iter().zip(expected) {
                assert!((found - expected).abs() <= 0.001 * expected, "{end} {alone}: {visits:?}");
            }
        }
        check(0.5, true, [2.0, 0.0]);
        check(0.01, true, [100.0, 0.0]);
        check(0.0001, true, [10_000.0, 0.0]);
        check(0.000_01, true, [100_000.0 * (1.0 - (-10.0_f64).exp()), 0.0]);
        check(0.0002, false, [5_000.0, 5_000.0]);
        // Cut where walks are.
        check(1e-12, true, [Walk::LONGEST as f64, 0.0]);
    }

    #[test]
    fn a_choice_covers_the_whole_interval() {
        let choice = Choice::new([('a', 0.5), ('b', 0.0), ('c', 1.5)]).unwrap();
        assert_eq!([1e-9, 0.249, 0.251, 1.0 - 1e-16, 2.0].map(|u| choice.pick(u)), ['a', 'a', 'c', 'c', 'c']);
        assert!(Choice::new([('a', 0.0)]).is_none());
    }

    #[test]
    fn pauses_are_of_those_up_to_the_session_gap() {
        let mut profile = from_yaml(EXAMPLE).unwrap();
        profile.source.session_rule.gap_s = 0.7_f64.exp();
        let gaps = &Chains::of(&profile).unwrap().gaps[0];
        // The gap is the median: what is left is the lower half.
        let law = profile.think_times["browse"].sampler().unwrap();
        assert!((gaps.at(0.5) - law.quantile(0.25)).abs() < 1e-9 && gaps.at(1.0) <= 0.7_f64.exp());
        assert!(gaps.mean_s() < 0.7_f64.exp());
        profile.source.session_rule.gap_s = 0.0;
        assert!(Chains::of(&profile).unwrap().gaps[0].at(0.5) <= 0.0);
    }

    #[test]
    fn a_transition_can_have_pauses_of_its_own() {
        let mut profile = from_yaml(EXAMPLE).unwrap();
        let slow = profile.think_times["browse"].clone();
        profile.think_times.insert("slow".to_owned(), slow);
        profile.classes[0].think_time.on =
            BTreeMap::from([("get_home > get_item".to_owned(), "slow".to_owned())]);
        let chain = &Chains::of(&profile).unwrap().chains[0];
        let at = |id: &str| {
            Place::Endpoint(profile.endpoints.iter().position(|endpoint| endpoint.id == id).unwrap())
        };
        let name = |from, to| profile.think_times.keys().nth(chain.gaps_between(from, to)).unwrap().as_str();
        assert_eq!(name(at("get_home"), at("get_item")), "slow");
        assert_eq!(name(at("get_item"), at("get_home")), "browse");
        assert_eq!(name(at("get_home"), Place::Other), "browse");
    }
}
