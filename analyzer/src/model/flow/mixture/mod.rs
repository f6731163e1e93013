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

use super::scatter::{hash, of_walk, uniform};
use crate::model::sample::Walk;
use climb::{Chains, Climbed};
use pool::Pool;

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
        let class = |(at, walk): (usize, &Walk)| drawn(self.of(at), uniform(of_walk(walk, self.seed)));
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

/// Sessions on which starting points are tried.
const TRIED_ON: usize = 4000;
/// Steps after which the best starting points are chosen.
const FIRST_STEPS: usize = 12;
/// Starting points that go on.
const GO_ON: usize = 3;
/// Numbers of classes that are tried in vain before the search ends.
const GIVE_UP: usize = 2;
/// Gain of a step, relative to the log-likelihood, at which a climb ends.
const GAIN: f64 = 1e-6;
/// Steps after which a climb ends anyway.
const MOST_STEPS: usize = 500;

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
    let thin = pool.thinned(TRIED_ON);
    let (mut best, mut tried, mut worse): (Option<(f64, Chains)>, _, _) = (None, Vec::new(), 0);
    for classes in 1..=search.most_classes.clamp(1, MOST_CLASSES) {
        let climbed = best_of(&pool, &thin, classes, search);
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
fn best_of(pool: &Pool, thin: &[pool::Pattern], classes: usize, search: Search) -> Climbed {
    let points = if classes == 1 { 1 } else { search.starting_points.max(1) };
    let seed = |point: usize| hash([search.seed, classes as u64, point as u64]);
    let short = |point| Chains::drawn(pool, classes, seed(point)).climb(pool, thin, GAIN, FIRST_STEPS);
    let mut climbs: Vec<Climbed> = (0..points).map(short).collect();
    climbs.sort_by(|one, other| other.height.total_cmp(&one.height));
    climbs.truncate(GO_ON);
    let long = |climbed: Climbed| climbed.chains.climb(pool, thin, GAIN, MOST_STEPS);
    let mut climbs: Vec<Climbed> = climbs.into_iter().map(long).collect();
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
            .map(|(walk, pattern)| {
                (drawn(&shares[*pattern], uniform(of_walk(walk, search.seed))), walk.client)
            })
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

/// The mass of a session that stands for itself alone.
const MASS_OF_ONE: f64 = 1000.0;
