//! Kinds of users: a mixture of Markov chains, found by expectation-maximisation, their number by BIC.
//!
//! The method is that of Cadez, Heckerman, Meek, Smyth & White (Data Mining and Knowledge Discovery 7, 2003). Counts
//! of visits or transitions, clustered by distance, take long sessions for another kind of session; a likelihood does
//! not. Sessions with the same start and the same transitions are one to the model, so they are pooled first.
//!
//! Every number of classes is tried from several starting points on part of the sessions; the best go on to the end,
//! the best of those over all sessions (the short runs of Biernacki, Celeux & Govaert 2003).

mod climb;
mod pool;

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::model::sample::Walk;
use crate::model::seed::{hash, uniform};
use climb::{Chains, Climbed};
use pool::{Pattern, Pool};

/// The most classes that are looked for.
pub const MOST_CLASSES: usize = 8;

/// How classes are looked for.
#[derive(Debug, Clone, Copy)]
pub struct Search {
    /// Numbers of classes that are tried: 1 up to this, at most [`MOST_CLASSES`].
    pub most_classes: usize,
    /// Starting points for each number of classes.
    pub starting_points: usize,
    /// Share of sessions below which a class is merged into the others.
    pub least_share: f64,
    /// Distinct clients below which a class is merged into the others.
    pub least_clients: usize,
    /// Determines the starting points, and the draws of [`Mixture::draw`].
    pub seed: u64,
}

impl Search {
    /// Up to eight classes from ten starting points, each with 1 % of the sessions and `least_clients` clients.
    pub fn new(least_clients: usize, seed: u64) -> Self {
        Self { most_classes: MOST_CLASSES, starting_points: 10, least_share: 0.01, least_clients, seed }
    }
}

/// The classes that were found, the heaviest first, and how much of each walk belongs to each.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture {
    /// At least one, unless there were no walks.
    pub classes: Vec<Class>,
    /// BIC of each number of classes that was tried, from one on: the smallest won, before merging.
    pub bic: Vec<f64>,
    responsibilities: Vec<f64>,
    seed: u64,
}

/// A kind of user: counts of what its sessions are expected to have done.
///
/// Expected counts are those of a last maximisation without pseudo-counts, so that the visits of its chain are exactly
/// its visits.
#[derive(Debug, Clone, PartialEq)]
pub struct Class {
    /// Share of all sessions.
    pub weight: f64,
    /// Expected sessions by first endpoint.
    pub starts: BTreeMap<u32, f64>,
    /// Expected transitions by endpoint and next, [`END`](super::END) included.
    pub rows: BTreeMap<u32, BTreeMap<u32, f64>>,
}

impl Mixture {
    /// How much lower than one chain's the BIC is; zero where one was best.
    pub fn bic_gain(&self) -> f64 {
        self.bic.first().map_or(0.0, |one| one - self.bic.iter().copied().fold(*one, f64::min))
    }

    /// The probability that walk number `walk` is of each class; adds up to 1.
    pub fn of(&self, walk: usize) -> &[f64] {
        &self.responsibilities[walk * self.classes.len()..][..self.classes.len()]
    }

    /// The most probable class of each walk; the heavier of two that are equally probable.
    pub fn most_probable(&self) -> Vec<usize> {
        let most =
            |of: &[f64]| (1..of.len()).fold(0, |best, class| if of[class] > of[best] { class } else { best });
        self.responsibilities.chunks(self.classes.len().max(1)).map(most).collect()
    }

    /// A class for each of `walks`, the ones this was fitted to, drawn with its probability.
    ///
    /// Unlike the most probable class, a draw leaves the law of each class as it is: giving every session to the class
    /// that it looks like most makes classes purer, and their sessions shorter or less mixed, than they are. The draw
    /// depends on what a walk is, not on where it stands or whose it is.
    pub fn draw(&self, walks: &[Walk]) -> Vec<usize> {
        let class = |(at, walk): (usize, &Walk)| drawn(self.of(at), uniform(walk.hash(self.seed)));
        walks.iter().enumerate().map(class).collect()
    }

    /// `walks`, the ones this was fitted to, by the class that was drawn for each.
    pub fn partition(&self, walks: &[Walk]) -> Vec<Vec<Walk>> {
        let mut parts = vec![Vec::new(); self.classes.len()];
        for (class, walk) in self.draw(walks).into_iter().zip(walks) {
            parts[class].push(walk.clone());
        }
        parts
    }
}

/// The class at `place` of the probabilities laid end to end.
fn drawn(probabilities: &[f64], place: f64) -> usize {
    let mut below = 0.0;
    let found = probabilities.iter().position(|probability| {
        below += probability;
        place < below
    });
    found.unwrap_or(probabilities.len().saturating_sub(1))
}

/// Sessions on which starting points take their first steps: to tell which are hopeless, few will do.
const BEGUN_ON: usize = 1000;
/// Sessions on which the best of them go on.
const TRIED_ON: usize = 4000;
/// Steps after which the best starting points are chosen.
const FIRST_STEPS: usize = 12;
/// Starting points that go on.
const GO_ON: usize = 3;
/// Numbers of classes that are tried in vain before the search ends.
const GIVE_UP: usize = 2;
/// Gain of a step, relative to the log-likelihood, at which a climb ends.
const GAIN: f64 = 1e-6;
/// The same where climbs are only compared: the last steps are many and change hardly anything.
const NEAR_GAIN: f64 = 1e-5;
/// Steps after which a climb ends anyway.
const MOST_STEPS: usize = 500;
/// The mass of a session that stands for itself alone.
const MASS_OF_ONE: f64 = 1000.0;

/// Finds the classes of `walks`, each of which has at least one step.
pub fn fit(walks: &[Walk], search: Search) -> Mixture {
    if walks.is_empty() {
        return Mixture {
            classes: Vec::new(),
            bic: Vec::new(),
            responsibilities: Vec::new(),
            seed: search.seed,
        };
    }
    let pool = Pool::of(walks);
    let parts = [BEGUN_ON, TRIED_ON].map(|sessions| pool.thinned(sessions));
    let (mut best, mut tried, mut worse): (Option<(f64, Chains)>, _, _) = (None, Vec::new(), 0);
    for classes in 1..=search.most_classes.clamp(1, MOST_CLASSES) {
        let climbed = best_of(&pool, &parts, classes, search);
        let bic = bic(&pool, &climbed, walks.len());
        tried.push(bic);
        if best.as_ref().is_none_or(|(least, _)| bic < *least) {
            best = Some((bic, climbed.chains));
            worse = 0;
        } else {
            worse += 1;
        }
        if worse == GIVE_UP {
            break;
        }
    }
    let chains = best.map_or_else(|| Chains::drawn(&pool, 1, search.seed), |(_, chains)| chains);
    let shares = merged(&pool, chains, walks, search);
    mixture(&pool, &shares, tried, search.seed)
}

/// The highest place that the starting points of `search` lead to.
fn best_of(pool: &Pool, [few, some]: &[Vec<Pattern>; 2], classes: usize, search: Search) -> Climbed {
    let points = if classes == 1 { 1 } else { search.starting_points.max(1) };
    let seed = |point: usize| hash([search.seed, classes as u64, point as u64]);
    let short = |point| Chains::drawn(pool, classes, seed(point)).climb(pool, few, GAIN, FIRST_STEPS);
    let mut climbs: Vec<Climbed> = (0..points).into_par_iter().map(short).collect();
    climbs.sort_by(|one, other| other.height.total_cmp(&one.height));
    climbs.truncate(GO_ON);
    let long = |climbed: Climbed| climbed.chains.climb(pool, some, NEAR_GAIN, MOST_STEPS);
    let mut climbs: Vec<Climbed> = climbs.into_par_iter().map(long).collect();
    climbs.sort_by(|one, other| other.height.total_cmp(&one.height));
    climbs.swap_remove(0).chains.climb(pool, &pool.patterns, GAIN, MOST_STEPS)
}

/// `-2 l + d ln n` with n sessions and d [parameters](Chains::parameters).
fn bic(pool: &Pool, climbed: &Climbed, sessions: usize) -> f64 {
    let d = climbed.chains.parameters(pool) as f64;
    -2.0 * climbed.log_likelihood + d * (sessions as f64).ln()
}

/// Takes classes away, the lightest first, until each has its share and its clients. Gives how much of each pattern
/// belongs to each of the classes that remain, the heaviest class first.
fn merged(pool: &Pool, mut chains: Chains, walks: &[Walk], search: Search) -> Vec<Vec<f64>> {
    loop {
        let (shares, sessions) = by_weight(pool, &chains);
        let mut clients: Vec<(usize, u32)> = walks
            .iter()
            .zip(&pool.of_walk)
            .map(|(walk, pattern)| (drawn(&shares[*pattern], uniform(walk.hash(search.seed))), walk.client))
            .collect();
        clients.sort_unstable();
        clients.dedup();
        let lacks = |class: &usize| {
            let clients = clients.iter().filter(|(of, _)| of == class).count();
            sessions[*class].1 < search.least_share * walks.len() as f64 || clients < search.least_clients
        };
        let lightest = (0..chains.classes).rev().find(lacks).filter(|_| chains.classes > 1);
        let Some(lightest) = lightest else { return shares };
        let gone = sessions[lightest].0;
        chains = chains.without(gone).climb(pool, &pool.patterns, GAIN, MOST_STEPS).chains;
    }
}

/// How much of each pattern belongs to each class, and the classes with their sessions: the heaviest class first.
fn by_weight(pool: &Pool, chains: &Chains) -> (Vec<Vec<f64>>, Vec<(usize, f64)>) {
    let shares: Vec<_> = pool.patterns.iter().map(|pattern| chains.share(pool, pattern).0).collect();
    let sessions = |class| {
        let of_class =
            pool.patterns.iter().zip(&shares).map(|(pattern, share)| share[class] * pattern.sessions);
        (class, of_class.sum::<f64>())
    };
    let mut classes: Vec<(usize, f64)> = (0..chains.classes).map(sessions).collect();
    classes.sort_by(|one, other| other.1.total_cmp(&one.1));
    let ordered =
        shares.iter().map(|share| classes.iter().map(|(class, _)| share[*class]).collect()).collect();
    (ordered, classes)
}

/// The classes whose `shares` of the patterns are given.
fn mixture(pool: &Pool, shares: &[Vec<f64>], bic: Vec<f64>, seed: u64) -> Mixture {
    let mut classes =
        vec![Class { weight: 0.0, starts: BTreeMap::new(), rows: BTreeMap::new() }; shares[0].len()];
    let total: u64 = pool.patterns.iter().map(|pattern| pattern.mass).sum();
    for (pattern, share) in pool.patterns.iter().zip(shares) {
        let sessions = pattern.mass as f64 / MASS_OF_ONE;
        for (class, share) in classes.iter_mut().zip(share).filter(|(_, share)| **share > 0.0) {
            let expected = share * sessions;
            class.weight += share * pattern.mass as f64 / total as f64;
            *class.starts.entry(pattern.did.start).or_insert(0.0) += expected;
            for ((from, to), count) in &pattern.did.steps {
                *class.rows.entry(*from).or_default().entry(*to).or_insert(0.0) +=
                    f64::from(*count) * expected;
            }
        }
    }
    let responsibilities = pool.of_walk.iter().flat_map(|pattern| shares[*pattern].iter().copied()).collect();
    Mixture { classes, bic, responsibilities, seed }
}

#[cfg(test)]
mod tests {
    use super::super::END;
    use super::*;
    use crate::model::sample::Step;

    /// `count` sessions over each of `paths`, every one another client's.
    fn walks(paths: &[(&[u32], u32)], ended: bool) -> Vec<Walk> {
        let sessions = paths.iter().flat_map(|(path, count)| (0..*count).map(move |_| *path));
        let walk = |(client, path): (usize, &[u32])| Walk {
            start_s: client as i64,
            steps: path.iter().map(|endpoint| Step { endpoint: *endpoint, gap: None }).collect(),
            ended,
            mass: 1000,
            client: client as u32,
        };
        sessions.enumerate().map(walk).collect()
    }

    #[track_caller]
    fn check(walks: &[Walk], search: Search, weights: &[f64]) -> Mixture {
        let mixture = fit(walks, search);
        let found: Vec<f64> = mixture.classes.iter().map(|class| class.weight).collect();
        let close = found.iter().zip(weights).all(|(found, weight)| (found - weight).abs() < 0.01);
        assert!(found.len() == weights.len() && close, "{found:?}, expected {weights:?}");
        for walk in 0..walks.len() {
            assert!((mixture.of(walk).iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
        let parts = mixture.partition(walks);
        assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), walks.len());
        mixture
    }

    /// Three in four alternate between two pages, the others stay on theirs; each request of either is the last one with
    /// probability 1/3.
    fn two_kinds() -> Vec<Walk> {
        let mut paths: Vec<(Vec<u32>, u32)> = Vec::new();
        for (sessions, apart) in [(300.0, 1), (100.0, 0)] {
            for (first, length) in
                [1, 2].into_iter().flat_map(|first| (1..12).map(move |length| (first, length)))
            {
                let path = (0..length as u32).map(|at| 1 + (first + apart * at) % 2);
                paths.push((path.collect(), (sessions / 3.0 * f64::powi(2.0 / 3.0, length - 1)) as u32));
            }
        }
        walks(&paths.iter().map(|(path, count)| (&path[..], *count)).collect::<Vec<_>>(), true)
    }

    #[test]
    fn two_kinds_are_two_classes() {
        let some = two_kinds();
        let mixture = check(&some, Search::new(10, 1), &[0.76, 0.24]);
        assert!(mixture.bic_gain() > 100.0 && mixture.bic.len() == 4, "{:?}", mixture.bic);
        for (walk, class) in some.iter().zip(mixture.most_probable()).filter(|(walk, _)| walk.steps.len() > 1)
        {
            assert_eq!(class, usize::from(walk.steps[0].endpoint == walk.steps[1].endpoint), "{walk:?}");
        }
    }

    #[test]
    fn small_classes_join_the_others() {
        let few_clients = Search::new(260, 1);
        check(&two_kinds(), few_clients, &[1.0]);
        check(&two_kinds(), Search { least_share: 0.3, ..Search::new(1, 1) }, &[1.0]);
        let by_few: Vec<Walk> =
            two_kinds().into_iter().map(|walk| Walk { client: walk.client % 9, ..walk }).collect();
        check(&by_few, Search::new(10, 1), &[1.0]);
    }

    /// Neither the order of walks nor the numbers of clients change a bit of the classes.
    #[test]
    fn order_and_client_numbers_change_nothing() {
        let mut some = two_kinds();
        let found = fit(&some, Search::new(10, 7));
        let drawn: BTreeMap<i64, usize> =
            some.iter().map(|walk| walk.start_s).zip(found.draw(&some)).collect();
        some.reverse();
        some.swap(3, 177);
        some.iter_mut().for_each(|walk| walk.client = 1000 - walk.client);
        let again = fit(&some, Search::new(10, 7));
        assert_eq!((&again.classes, &again.bic), (&found.classes, &found.bic));
        assert!(some.iter().zip(again.draw(&some)).all(|(walk, class)| drawn[&walk.start_s] == class));
    }

    /// Sampled sessions weigh in the classes as they do in the log.
    #[test]
    fn sessions_count_as_they_weigh() {
        let heavy: Vec<Walk> = two_kinds().into_iter().map(|walk| Walk { mass: 10_000, ..walk }).collect();
        let mixture = check(&heavy, Search::new(10, 1), &[0.76, 0.24]);
        let sessions: f64 = mixture.classes.iter().flat_map(|class| class.starts.values()).sum();
        assert!((sessions - 10.0 * heavy.len() as f64).abs() < 1e-6);
        let light = fit(&two_kinds(), Search::new(10, 1));
        assert_eq!(light.bic, mixture.bic);
    }

    #[test]
    fn what_has_no_kinds_is_one_class() {
        let any = Search::new(1, 1);
        check(&walks(&[(&[7], 1)], true), any, &[1.0]);
        check(&walks(&[(&[7, 8], 1)], false), any, &[1.0]);
        check(&walks(&[(&[7], 1)], false), any, &[1.0]);
        check(&walks(&[(&[7, 8, 9], 500)], true), any, &[1.0]);
        check(&walks(&[(&[7], 100_000)], true), any, &[1.0]);
        check(&walks(&[(&[7], 500), (&[8], 300), (&[9], 2)], true), any, &[1.0]);
        let endless = check(&walks(&[(&[7; 50], 300)], false), any, &[1.0]);
        assert!(!endless.classes[0].rows[&7].contains_key(&END));
        assert_eq!(fit(&[], any).classes, []);
    }
}
