//! How often each endpoint followed each, with the distinct clients behind every count.
//!
//! Counting is sorting: what was seen is laid out, sorted and run through once, so that memory and time depend on the
//! steps of the sample and not on the number of endpoints.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use super::END;
use crate::model::sample::{Step, Walk};

/// How often something was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cell {
    /// As many as are in the sample: what tests are made of.
    pub count: u64,
    /// As many as those stand for, in thousandths: what shares are made of.
    pub mass: u64,
    /// Distinct clients among them.
    pub clients: u64,
}

/// What came next after one endpoint, or after several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// All of `next` together. Visits whose next step the log cut off are not among them.
    pub visits: Cell,
    /// By endpoint, or [`END`].
    pub next: BTreeMap<u32, Cell>,
}

/// A first-order chain as it was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// All sessions, ended or not.
    pub sessions: Cell,
    /// By first endpoint.
    pub starts: BTreeMap<u32, Cell>,
    /// By endpoint that was left.
    pub rows: BTreeMap<u32, Row>,
}

impl Counts {
    /// Counts `walks`. A walk that was cut off gives its steps and no end.
    pub fn of(walks: &[Walk]) -> Self {
        let starts = walks.iter().filter_map(|walk| {
            let first = walk.steps.first()?;
            Some(Seen { row: (), next: first.endpoint, client: walk.client, mass: walk.mass })
        });
        let started = rows(starts).remove(&()).unwrap_or_default();
        let rows = rows(transitions(walks).map(|(history, seen)| seen.after(history.last)));
        Self { sessions: started.visits, starts: started.next, rows }
    }

    /// How often each endpoint was asked for per session, from the counts alone: starts and arrivals.
    ///
    /// In sampled sessions as they weigh. Empty without sessions.
    pub fn visits_per_session(&self) -> BTreeMap<u32, f64> {
        let mut mass: BTreeMap<u32, u64> = BTreeMap::new();
        let arrivals = self.rows.values().flat_map(|row| &row.next);
        for (endpoint, cell) in self.starts.iter().chain(arrivals).filter(|(endpoint, _)| **endpoint != END) {
            *mass.entry(*endpoint).or_insert(0) += cell.mass;
        }
        let sessions = self.sessions.mass as f64;
        mass.into_iter().map(|(endpoint, mass)| (endpoint, mass as f64 / sessions)).collect()
    }
}

/// The longest memory that is looked at, in endpoints.
pub const DEPTH: usize = 3;

/// The last one to three endpoints of a session.
///
/// Sorts by the last endpoint first, so that a context comes right after those that reach further into the past.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Context {
    /// Newest first; [`END`] where the memory is shorter.
    newest_first: [u32; DEPTH],
}

impl Context {
    /// The last `depth` endpoints of `steps`; `None` when there are fewer. `depth` is 1 to [`DEPTH`].
    pub fn of(steps: &[Step], depth: usize) -> Option<Self> {
        debug_assert!((1..=DEPTH).contains(&depth));
        let mut newest_first = [END; DEPTH];
        let from = steps.len().checked_sub(depth)?;
        for (place, step) in newest_first.iter_mut().zip(steps[from..].iter().rev()) {
            *place = step.endpoint;
        }
        Some(Self { newest_first })
    }

    /// The context of one endpoint.
    pub fn endpoint(endpoint: u32) -> Self {
        let mut newest_first = [END; DEPTH];
        newest_first[0] = endpoint;
        Self { newest_first }
    }

    /// All contexts of more than one endpoint that end with `endpoint`.
    pub(super) fn extending(endpoint: u32) -> Range<Self> {
        Self { newest_first: [endpoint, 0, 0] }..Self::endpoint(endpoint)
    }

    /// How many endpoints it remembers.
    pub fn depth(self) -> usize {
        self.newest_first.iter().take_while(|endpoint| **endpoint != END).count()
    }

    /// The endpoint that the session is at.
    pub fn last(self) -> u32 {
        self.newest_first[0]
    }

    /// The context that remembers one endpoint less; `None` of one endpoint alone.
    pub fn parent(self) -> Option<Self> {
        let mut newest_first = self.newest_first;
        let depth = self.depth();
        newest_first[depth - 1] = END;
        (depth > 1).then_some(Self { newest_first })
    }

    /// What it remembers, oldest first.
    pub fn after(self) -> Vec<u32> {
        self.newest_first[..self.depth()].iter().rev().copied().collect()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Context").field(&self.after()).finish()
    }
}

/// Counts what followed every context of exactly `depth` endpoints.
pub fn after_contexts(walks: &[Walk], depth: usize) -> BTreeMap<Context, Row> {
    rows(
        transitions(walks).filter_map(|(history, seen)| Some(seen.after(Context::of(history.steps, depth)?))),
    )
}

/// Counts what followed whatever `context` makes of the steps so far, the last of which is the endpoint being left.
pub(super) fn after_each(walks: &[Walk], context: impl Fn(&[Step]) -> Context) -> BTreeMap<Context, Row> {
    rows(transitions(walks).map(|(history, seen)| seen.after(context(history.steps))))
}

/// The steps up to one that is left.
pub(super) struct History<'w> {
    pub(super) steps: &'w [Step],
    pub(super) last: u32,
}

/// One thing that was seen: what came next after what, and whose it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen<K> {
    row: K,
    pub(super) next: u32,
    client: u32,
    mass: u64,
}

impl Seen<()> {
    fn after<K>(self, row: K) -> Seen<K> {
        Seen { row, next: self.next, client: self.client, mass: self.mass }
    }
}

/// All transitions of `walks`, the end of each included where it was seen.
pub(super) fn transitions(walks: &[Walk]) -> impl Iterator<Item = (History<'_>, Seen<()>)> {
    walks.iter().flat_map(|walk| {
        let end = walk.ended.then_some(END);
        let next = walk.steps.iter().skip(1).map(|step| step.endpoint).chain(end);
        next.zip(&walk.steps).enumerate().map(|(at, (next, step))| {
            let history = History { steps: &walk.steps[..=at], last: step.endpoint };
            (history, Seen { row: (), next, client: walk.client, mass: walk.mass })
        })
    })
}

/// Rows of what was seen.
fn rows<K: Ord + Copy>(seen: impl Iterator<Item = Seen<K>>) -> BTreeMap<K, Row> {
    let mut seen: Vec<Seen<K>> = seen.collect();
    seen.sort_unstable();
    seen.chunk_by(|one, other| one.row == other.row).map(|chunk| (chunk[0].row, row(chunk))).collect()
}

/// The row of what was seen after one context, sorted.
fn row<K: PartialEq>(seen: &[Seen<K>]) -> Row {
    let next = seen
        .chunk_by(|one, other| one.next == other.next)
        .map(|chunk| {
            let clients = chunk.chunk_by(|one, other| one.client == other.client).count();
            (chunk[0].next, cell(chunk, clients))
        })
        .collect();
    let mut clients: Vec<u32> = seen.iter().map(|seen| seen.client).collect();
    clients.sort_unstable();
    clients.dedup();
    Row { visits: cell(seen, clients.len()), next }
}

fn cell<K>(seen: &[Seen<K>], clients: usize) -> Cell {
    let mass = seen.iter().map(|seen| seen.mass).sum();
    Cell { count: seen.len() as u64, mass, clients: clients as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(client: u32, endpoints: &[u32], ended: bool) -> Walk {
        let steps = endpoints.iter().map(|endpoint| Step { endpoint: *endpoint, gap: None }).collect();
        Walk { start_s: 0, steps, ended, mass: 2000, client }
    }

    fn cell(count: u64, clients: u64) -> Cell {
        Cell { count, mass: 2000 * count, clients }
    }

    #[test]
    fn cells_know_their_clients_and_what_was_cut_off_has_no_end() {
        let walks = [walk(7, &[1, 2, 1, 2], true), walk(3, &[1, 2], false), walk(7, &[2], true)];
        let counts = Counts::of(&walks);
        assert_eq!(counts.sessions, cell(3, 2));
        assert_eq!(counts.starts, BTreeMap::from([(1, cell(2, 2)), (2, cell(1, 1))]));
        let from_1 = Row { visits: cell(3, 2), next: BTreeMap::from([(2, cell(3, 2))]) };
        let from_2 = Row { visits: cell(3, 1), next: BTreeMap::from([(1, cell(1, 1)), (END, cell(2, 1))]) };
        assert_eq!(counts.rows, BTreeMap::from([(1, from_1), (2, from_2)]));
        assert_eq!(counts.visits_per_session(), BTreeMap::from([(1, 1.0), (2, 4.0 / 3.0)]));
    }

    #[test]
    fn longer_contexts_are_counted_where_the_session_is_long_enough() {
        let walks = [walk(0, &[1, 2, 1, 2], true), walk(1, &[1, 2, 1], true)];
        let found = after_contexts(&walks, 3);
        let names: Vec<(Vec<u32>, u64)> =
            found.iter().map(|(context, row)| (context.after(), row.visits.count)).collect();
        assert_eq!(names, [(vec![1, 2, 1], 2), (vec![2, 1, 2], 1)]);
        let row = after_contexts(&walks, 2).remove(&Context::of(&walks[0].steps, 2).unwrap()).unwrap();
        assert_eq!(row.next, BTreeMap::from([(1, cell(2, 2)), (END, cell(1, 1))]));
    }

    #[test]
    fn a_context_knows_its_parents() {
        let steps = walk(0, &[9, 5, 6, 7], true).steps;
        let context = Context::of(&steps, 3).unwrap();
        let parent = context.parent().unwrap();
        assert_eq!((parent.after(), parent.parent().unwrap().after()), (vec![6, 7], vec![7]));
        assert_eq!((parent.parent().unwrap(), context.last()), (Context::endpoint(7), 7));
        assert_eq!(Context::endpoint(7).parent(), None);
        assert_eq!(Context::of(&steps[..2], 3), None);
    }
}
