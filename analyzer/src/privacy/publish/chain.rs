//! The chain, from what the gate lets through: every state leads on, and every session can end.

use std::collections::{BTreeMap, BTreeSet};

use shared::session::{END, State};
use shared::units::{round_count, round_shares, round_significant};

use crate::model::think::sideband::{self, Corrected};
use crate::privacy::gate::Gate;
use crate::tally::cell::Cell;
use crate::tally::{RouteNumber, Tally};
use crate::weight::requests;

/// What sessions of one kind did, as counted.
#[derive(Debug, Default)]
pub(super) struct Flow {
    pub(super) sessions: Cell,
    pub(super) starts: BTreeMap<RouteNumber, Cell>,
    /// By where a step begins and where it leads; `None` is the end of the session.
    pub(super) rows: BTreeMap<RouteNumber, BTreeMap<Option<RouteNumber>, Cell>>,
}

impl Flow {
    /// All sessions, over states instead of routes.
    pub(super) fn of(tally: &Tally, state: &impl Fn(RouteNumber) -> RouteNumber) -> Self {
        let mut flow = Self { sessions: tally.sessions, ..Self::default() };
        for ((from, to), cell) in &tally.steps {
            add(flow.rows.entry(state(*from)).or_default(), Some(state(*to)), *cell);
        }
        for (route, cell) in &tally.ends {
            add(flow.rows.entry(state(*route)).or_default(), None, *cell);
        }
        for (route, cell) in &tally.starts {
            add(&mut flow.starts, state(*route), *cell);
        }
        flow
    }

    /// The same without sessions that were taken for one because somebody came back within the gap: `returns` are
    /// those that came back within one more gap. Gives what was found out about pauses as well.
    pub(super) fn corrected(&mut self, returns: &BTreeMap<(RouteNumber, RouteNumber), u64>) -> Corrected {
        let count = |cells: &BTreeMap<RouteNumber, Cell>| {
            cells.iter().map(|(route, cell)| (*route, cell.count)).collect::<BTreeMap<_, _>>()
        };
        let steps = self
            .rows
            .iter()
            .flat_map(|(from, row)| row.iter().filter_map(|(to, cell)| Some(((*from, (*to)?), cell.count))));
        let ends = self.rows.iter().filter_map(|(from, row)| Some((*from, row.get(&None)?.count)));
        let observed =
            sideband::Counts { starts: count(&self.starts), steps: steps.collect(), ends: ends.collect() };
        let corrected = sideband::correct(&observed, returns);
        let sessions = |counts: &sideband::Counts| counts.starts.values().sum::<u64>();
        self.sessions = scaled(self.sessions, sessions(&corrected.counts), sessions(&observed));
        for (route, cell) in &mut self.starts {
            let of = |counts: &sideband::Counts| counts.starts.get(route).copied().unwrap_or(0);
            *cell = scaled(*cell, of(&corrected.counts), of(&observed));
        }
        for (from, row) in &mut self.rows {
            for (to, cell) in row {
                let of = |counts: &sideband::Counts| match to {
                    Some(to) => counts.steps.get(&(*from, *to)).copied().unwrap_or(0),
                    None => counts.ends.get(from).copied().unwrap_or(0),
                };
                *cell = scaled(*cell, of(&corrected.counts), of(&observed));
            }
        }
        corrected
    }
}

/// A cell as if `corrected` had been counted where `observed` was; behind it are the clients that were seen.
fn scaled(cell: Cell, corrected: u64, observed: u64) -> Cell {
    let scale = |of: u64| (u128::from(of) * u128::from(corrected) / u128::from(observed.max(1))) as u64;
    Cell::of_sample(scale(cell.count), scale(cell.mass), if corrected == 0 { 0 } else { cell.clients })
}

/// A chain that can be walked.
pub(super) struct Chain {
    pub(super) start: BTreeMap<String, f64>,
    pub(super) rows: BTreeMap<String, State>,
    /// Steps counted, and those of them that were dropped, in thousandths.
    pub(super) steps: f64,
    pub(super) dropped_steps: f64,
}

/// The chain of `flow`.
pub(super) fn chain<'n>(flow: &Flow, id: &impl Fn(RouteNumber) -> &'n str, gate: Gate) -> Chain {
    let mut starts: BTreeMap<String, Cell> = BTreeMap::new();
    for (route, cell) in &flow.starts {
        join(&mut starts, id(*route), *cell);
    }
    let mut rows: BTreeMap<String, BTreeMap<String, Cell>> = BTreeMap::new();
    for (from, row) in &flow.rows {
        for (to, cell) in row {
            join(rows.entry(id(*from).to_owned()).or_default(), to.map_or(END, id), *cell);
        }
    }
    let (start, _) = gate.shares(starts);
    let (mut steps, mut dropped_steps) = (0.0, 0.0);
    let mut chain: BTreeMap<String, State> = BTreeMap::new();
    for (from, row) in rows {
        let visits: u64 = row.values().map(|cell| cell.mass).sum();
        let end = row.get(END).copied().unwrap_or_default();
        let (mut next, dropped) = gate.shares(row);
        keep_small_end(&mut next, gate, end, visits);
        steps += visits as f64;
        dropped_steps += dropped * visits as f64;
        if next.is_empty() {
            next.insert(END.to_owned(), 1.0);
        }
        chain.insert(from, State { visits: round_count(requests(visits)), next });
    }
    let start = if start.is_empty() { heaviest_state(&chain) } else { start };
    open_dead_ends(&mut chain);
    let reachable = reachable(&start, &chain);
    chain.retain(|state, _| reachable.contains(state));
    Chain { start, rows: chain, steps, dropped_steps }
}

/// Sessions of thousands of requests end with a probability that rounding to 1e-4 distorts or loses, and with it
/// the length of every session. So a small share of END keeps three significant digits, at the largest one's cost.
fn keep_small_end(next: &mut BTreeMap<String, f64>, gate: Gate, end: Cell, visits: u64) {
    const SMALL: f64 = 0.01;
    let Some(admitted) = gate.admit(end) else { return };
    let exact = round_significant(admitted.mass() as f64 / visits.max(1) as f64, 3);
    if exact <= 0.0 || exact >= SMALL {
        return;
    }
    let rounded = next.insert(END.to_owned(), exact).unwrap_or(0.0);
    let largest = next.iter_mut().filter(|(to, _)| *to != END).max_by(|one, other| one.1.total_cmp(other.1));
    if let Some((_, share)) = largest {
        *share = round_significant(*share + rounded - exact, 8);
    }
}

pub(super) fn join(row: &mut BTreeMap<String, Cell>, name: &str, cell: Cell) {
    add(row, name.to_owned(), cell);
}

fn add<K: Ord>(row: &mut BTreeMap<K, Cell>, key: K, cell: Cell) {
    let known = row.entry(key).or_default();
    *known = known.join(cell);
}

/// Where no single start passed the gate, sessions start where most visits are.
fn heaviest_state(chain: &BTreeMap<String, State>) -> BTreeMap<String, f64> {
    let heaviest =
        chain.iter().max_by_key(|(name, state)| (state.visits, std::cmp::Reverse((*name).clone())));
    heaviest.map(|(name, _)| (name.clone(), 1.0)).into_iter().collect()
}

/// Every state leads to END: where the way there was too thin to be published, one visit in a hundred ends.
fn open_dead_ends(chain: &mut BTreeMap<String, State>) {
    const EXIT: f64 = 0.01;
    let mut comes_from: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, state) in chain.iter() {
        for to in state.next.keys() {
            comes_from.entry(to.clone()).or_default().push(name.clone());
        }
    }
    let mut ending: BTreeSet<String> = BTreeSet::new();
    let add = |name: &str, ending: &mut BTreeSet<String>| {
        let mut open = vec![name.to_owned()];
        while let Some(name) = open.pop() {
            if ending.insert(name.clone()) {
                open.extend(comes_from.get(&name).into_iter().flatten().cloned());
            }
        }
    };
    add(END, &mut ending);
    for (name, state) in chain.iter_mut() {
        if ending.contains(name) {
            continue;
        }
        let mut names: Vec<String> = state.next.keys().cloned().collect();
        let mut shares: Vec<f64> = state.next.values().map(|share| share * (1.0 - EXIT)).collect();
        names.push(END.to_owned());
        shares.push(EXIT);
        state.next = names.into_iter().zip(round_shares(&shares)).collect();
        add(name, &mut ending);
    }
}

/// States that a session can come to.
fn reachable(start: &BTreeMap<String, f64>, chain: &BTreeMap<String, State>) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<String> = start.keys().cloned().collect();
    while let Some(state) = open.pop() {
        if found.insert(state.clone()) {
            open.extend(chain.get(&state).into_iter().flat_map(|state| state.next.keys().cloned()));
        }
    }
    found
}
