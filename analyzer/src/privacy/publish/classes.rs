//! Kinds of users: what the sample says of them, laid over the counts of the whole log.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use shared::session::{Class, Context, END, OTHER, ThinkTimes};
use shared::units::{round_count, round_shares};

use super::chain::{self, Chain, Flow};
use crate::model::flow::choice::classes_explain_more;
use crate::model::flow::contexts::{self, Admission};
use crate::model::flow::counts::Counts;
use crate::model::flow::mixture::{self, Search};
use crate::model::sample::{Step, Walk};
use crate::privacy::gate::Gate;
use crate::tally::RouteNumber;
use crate::tally::cell::Cell;
use crate::weight::requests;

/// Name of the only class, where there is one.
const ALL: &str = "all";
/// Visits that a context needs before it is looked at: its probabilities are then known to a tenth.
pub(super) const CONTEXT_VISITS: u64 = 100;
/// Stands for every route that has no name of its own.
pub(super) const UNNAMED: RouteNumber = RouteNumber::MAX - 1;
/// Chooses starting points and draws; any number would do.
pub(super) const SEED: u64 = 4;

/// The kinds of users in the sample.
pub(super) struct Kinds {
    /// The sample, over states instead of routes.
    pub(super) walks: Vec<Walk>,
    /// The position of the kind of each of `walks`.
    pub(super) of_walk: Vec<usize>,
    /// What each is called; at least one.
    pub(super) names: Vec<String>,
    parts: Vec<Vec<Walk>>,
    counts: Vec<Counts>,
}

impl Kinds {
    /// Finds the kinds in the sample. Routes without a name are one state to them.
    pub(super) fn find<'n>(
        walks: &[Walk],
        state: &impl Fn(RouteNumber) -> RouteNumber,
        id: &impl Fn(RouteNumber) -> &'n str,
        gate: Gate,
    ) -> Self {
        let walks = with_states(walks, state);
        let least_clients = usize::try_from(gate.k()).unwrap_or(usize::MAX);
        let mixture = mixture::fit(&walks, Search::new(least_clients, SEED));
        // Where a longer memory explains what classes seem to, there is one kind of user.
        let admission = Admission { visits: CONTEXT_VISITS, clients: gate.k() };
        let is_of_kinds = mixture.classes.len() > 1
            && classes_explain_more(&mixture, &contexts::select(&walks, admission), walks.len());
        let (of_walk, parts) = match is_of_kinds {
            false => (vec![0; walks.len()], vec![walks.clone()]),
            true => (mixture.draw(&walks), mixture.partition(&walks)),
        };
        let counts: Vec<Counts> = parts.iter().map(|part| Counts::of(part)).collect();
        let names = names(&counts, id, gate);
        Self { walks, of_walk, names, parts, counts }
    }
}

/// How each class pauses: think times by name, and pace.
pub(super) type Pauses = (ThinkTimes, Option<f64>);

/// Where the sessions of each class lead, the heaviest class first.
pub(super) struct Ways(Vec<Way>);

/// Where the sessions of a class lead.
struct Way {
    sessions: Cell,
    chain: Chain,
    contexts: Vec<Context>,
}

impl Ways {
    /// `whole` is what was counted of the whole log.
    pub(super) fn of<'n>(
        kinds: &Kinds,
        whole: Flow,
        id: &(impl Fn(RouteNumber) -> &'n str + Sync),
        gate: Gate,
    ) -> Self {
        let flows = match kinds.parts.len() {
            1 => vec![whole],
            _ => apportioned(&whole, &kinds.counts, gate),
        };
        let way = |(flow, part): (Flow, &Vec<Walk>)| {
            let chain = chain::chain(&flow, id, gate);
            let contexts = contexts(part, &chain.rows.keys().map(String::as_str).collect(), id, gate);
            Way { sessions: flow.sessions, chain, contexts }
        };
        Self(flows.into_par_iter().zip(&kinds.parts).map(way).collect())
    }

    /// The classes, and the share of steps that were dropped from their chains. `pauses` are those of `kinds`.
    pub(super) fn classes(self, kinds: &Kinds, pauses: Vec<Pauses>) -> (Vec<Class>, f64) {
        let Self(ways) = self;
        let weights = round_shares(&ways.iter().map(|way| way.sessions.mass as f64).collect::<Vec<_>>());
        let (mut classes, mut steps, mut dropped) = (Vec::new(), 0.0, 0.0);
        for (at, (Way { sessions, chain, contexts }, (think_time, pace))) in
            ways.into_iter().zip(pauses).enumerate()
        {
            steps += chain.steps;
            dropped += chain.dropped_steps;
            classes.push(Class {
                id: kinds.names[at].clone(),
                weight: weights[at],
                sessions: round_count(requests(sessions.mass)),
                start: chain.start,
                chain: chain.rows,
                contexts,
                think_time,
                pace,
            });
        }
        (classes, dropped / f64::max(steps, 1.0))
    }
}

/// The same sessions, over states instead of routes.
pub(super) fn with_states(walks: &[Walk], state: &impl Fn(RouteNumber) -> RouteNumber) -> Vec<Walk> {
    let steps = |walk: &Walk| {
        walk.steps.iter().map(|step| Step { endpoint: state(step.endpoint), ..*step }).collect()
    };
    walks.iter().map(|walk| Walk { steps: steps(walk), ..walk.clone() }).collect()
}

/// The flow of each class: every count of the whole log, divided as the classes of the sample have it.
///
/// Where no class has k clients behind something, its count is divided as the visits to where it begins: then it says
/// nothing of the classes, and of the log no more than the whole.
fn apportioned(whole: &Flow, classes: &[Counts], gate: Gate) -> Vec<Flow> {
    let sessions: Vec<Cell> = classes.iter().map(|class| cell(class.sessions)).collect();
    let mut flows: Vec<Flow> = divide(whole.sessions, &sessions, &sessions, gate)
        .into_iter()
        .map(|sessions| Flow { sessions, ..Flow::default() })
        .collect();
    for (route, start) in &whole.starts {
        let of_class = |class: &Counts| class.starts.get(route).copied().map(cell).unwrap_or_default();
        let starts: Vec<Cell> = classes.iter().map(of_class).collect();
        for (flow, part) in flows.iter_mut().zip(divide(*start, &starts, &sessions, gate)) {
            flow.starts.insert(*route, part);
        }
    }
    for (from, row) in &whole.rows {
        let rows: Vec<_> = classes.iter().map(|class| class.rows.get(from)).collect();
        let visits: Vec<Cell> =
            rows.iter().map(|row| row.map(|row| cell(row.visits)).unwrap_or_default()).collect();
        let visits = if visits.iter().all(|visits| visits.mass == 0) { &sessions } else { &visits };
        for (to, step) in row {
            let to_key = to.unwrap_or(crate::model::flow::END);
            let of_class = |row: &Option<&crate::model::flow::counts::Row>| {
                row.and_then(|row| row.next.get(&to_key)).copied().map(cell).unwrap_or_default()
            };
            let steps: Vec<Cell> = rows.iter().map(of_class).collect();
            for (flow, part) in flows.iter_mut().zip(divide(*step, &steps, visits, gate)) {
                flow.rows.entry(*from).or_default().insert(*to, part);
            }
        }
    }
    flows
}

fn cell(counted: crate::model::flow::counts::Cell) -> Cell {
    Cell::of_sample(counted.count, counted.mass, counted.clients)
}

/// `whole` in proportion to the parts that the sample has with k clients behind them, else to `otherwise`.
fn divide(whole: Cell, parts: &[Cell], otherwise: &[Cell], gate: Gate) -> Vec<Cell> {
    let admitted: Vec<u64> =
        parts.iter().map(|part| gate.admit(*part).map_or(0, |admitted| admitted.mass())).collect();
    let known = admitted.iter().any(|mass| *mass > 0);
    let masses = if known { admitted } else { otherwise.iter().map(|cell| cell.mass).collect() };
    let total: u128 = masses.iter().map(|mass| u128::from(*mass)).sum();
    let share = |of: u64, mass: u64| (u128::from(of) * u128::from(mass) / total.max(1)) as u64;
    let clients = |at: usize| if known { parts[at].clients } else { whole.clients };
    let divided = masses.iter().enumerate();
    divided
        .map(|(at, mass)| match mass {
            0 => Cell::default(),
            mass => Cell::of_sample(share(whole.count, *mass), share(whole.mass, *mass), clients(at)),
        })
        .collect()
}

/// What each class is called: by the endpoint that most sets its visits apart from all.
fn names<'n>(classes: &[Counts], id: &impl Fn(RouteNumber) -> &'n str, gate: Gate) -> Vec<String> {
    if classes.len() < 2 {
        return classes.iter().map(|_| ALL.to_owned()).collect();
    }
    let visits = |counts: &Counts| {
        let mut visits: BTreeMap<&str, u64> = BTreeMap::new();
        for (route, row) in counts.rows.iter().filter(|(_, row)| gate.admit(cell(row.visits)).is_some()) {
            *visits.entry(id(*route)).or_default() += row.visits.mass;
        }
        visits.remove(OTHER);
        visits
    };
    let of_class: Vec<BTreeMap<&str, u64>> = classes.iter().map(visits).collect();
    let mut all: BTreeMap<&str, u64> = BTreeMap::new();
    of_class.iter().flatten().for_each(|(name, mass)| *all.entry(name).or_default() += mass);
    let share = |of: &BTreeMap<&str, u64>, name: &str| {
        of.get(name).copied().unwrap_or(0) as f64 / of.values().sum::<u64>().max(1) as f64
    };
    let mut taken = BTreeSet::new();
    let mut name = |(at, of): (usize, &BTreeMap<&str, u64>)| {
        // The contribution of the endpoint to how far the class is from all (its part of the Kullback-Leibler divergence).
        let apart = |name: &str| share(of, name) * (share(of, name) / share(&all, name)).ln();
        let mut ranked: Vec<&str> = of.keys().copied().collect();
        ranked.sort_by(|one, other| apart(other).total_cmp(&apart(one)).then_with(|| one.cmp(other)));
        let name = ranked.into_iter().map(|name| format!("mostly_{name}")).find(|name| !taken.contains(name));
        let name = name.unwrap_or_else(|| format!("class_{}", at + 1));
        taken.insert(name.clone());
        name
    };
    of_class.iter().enumerate().map(&mut name).collect()
}

/// The contexts of a class that matter, where all they name is published.
fn contexts<'n>(
    walks: &[Walk],
    states: &BTreeSet<&str>,
    id: &impl Fn(RouteNumber) -> &'n str,
    gate: Gate,
) -> Vec<Context> {
    let rows = contexts::select(walks, Admission { visits: CONTEXT_VISITS, clients: gate.k() });
    let is_state = |name: &str| name != OTHER && states.contains(name);
    let mut found: Vec<Context> = Vec::new();
    for (context, row) in rows.longer() {
        let after: Vec<String> = context.after().into_iter().map(|route| id(route).to_owned()).collect();
        let mut next: BTreeMap<String, Cell> = BTreeMap::new();
        for (to, counted) in &row.next {
            let name = if *to == crate::model::flow::END { END } else { id(*to) };
            chain::join(&mut next, name, cell(*counted));
        }
        let (mut next, _) = gate.shares(next);
        next.retain(|name, _| name == END || states.contains(name.as_str()));
        if gate.admit(cell(row.visits)).is_none()
            || !after.iter().all(|name| is_state(name))
            || next.is_empty()
        {
            continue;
        }
        let shares = round_shares(&next.values().copied().collect::<Vec<_>>());
        let next = next.into_keys().zip(shares).filter(|(_, share)| *share > 0.0).collect();
        found.push(Context { after, visits: round_count(requests(row.visits.mass)), next });
    }
    found.sort_by(|one, other| other.visits.cmp(&one.visits).then_with(|| one.after.cmp(&other.after)));
    found
}
