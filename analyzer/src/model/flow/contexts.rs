//! Where more than the last endpoint matters: a variable-order Markov chain, one context at a time.
//!
//! A context that remembers more is kept when its successors differ from those of the visits that would be its row
//! otherwise by more than the Bayesian information criterion asks (Schwarz 1978, here per context as in Csiszár &
//! Talata 2006): `G² > df · ln N`, with G² the likelihood-ratio statistic of the two rows, df one less than the
//! successors of both, and N all transitions. Among the contexts of one endpoint the one with the most in excess is
//! taken first and its visits are set apart; the others are then compared with the visits that remain. So one odd
//! context does not make its neighbours look odd, and the shorter row is the row of what no longer context covers,
//! which is what a replay needs that takes the longest context it knows.

use std::collections::{BTreeMap, BTreeSet};

use super::counts::{Context, Counts, DEPTH, Row, after_contexts, after_each};
use crate::model::sample::{Step, Walk};

/// What a longer context needs before it is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Admission {
    /// Visits of the sample.
    pub visits: u64,
    /// Distinct clients.
    pub clients: u64,
}

/// The rows of a chain of variable order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// What came next by the longest context that was kept; those of one endpoint cover the visits that are left.
    pub rows: BTreeMap<Context, Row>,
    /// Twice the log-likelihood that the longer contexts give.
    pub g_squared: f64,
    /// The parameters that they take.
    pub parameters: u64,
}

impl Rows {
    /// How much lower than a first-order chain's the BIC is, with as many observations as there are `sessions`.
    pub fn bic_gain(&self, sessions: usize) -> f64 {
        self.g_squared - self.parameters as f64 * (sessions as f64).ln()
    }

    /// The contexts of more than one endpoint, those of one endpoint together.
    pub fn longer(&self) -> impl Iterator<Item = (Context, &Row)> {
        self.rows.iter().filter(|(context, _)| context.depth() > 1).map(|(context, row)| (*context, row))
    }

    /// Whether a longer context that ends with `endpoint` was kept.
    pub fn has_longer(&self, endpoint: u32) -> bool {
        self.rows.range(Context::extending(endpoint)).next().is_some()
    }

    /// The longest context kept that `steps` end with, and its row; `None` at an endpoint that was never left.
    pub fn at(&self, steps: &[Step]) -> Option<(Context, &Row)> {
        (1..=DEPTH).rev().find_map(|depth| {
            let context = Context::of(steps, depth)?;
            Some((context, self.rows.get(&context)?))
        })
    }
}

/// Finds the contexts of two and three endpoints that matter, and counts the rows that follow.
///
/// Without any, the rows are those of the first-order chain.
pub fn select(walks: &[Walk], admission: Admission) -> Rows {
    let first = Counts::of(walks);
    let all: u64 = first.rows.values().map(|row| row.visits.count).sum();
    let price = (all as f64).ln();
    let enough =
        |row: &Row| row.visits.count >= admission.visits.max(1) && row.visits.clients >= admission.clients;
    let [second, third] = [2, 3].map(|depth| {
        let mut rows = after_contexts(walks, depth);
        rows.retain(|_, row| enough(row));
        rows.into_iter().map(|(context, row)| (context, successors(&row))).collect::<BTreeMap<_, _>>()
    });
    let mut extensions = BTreeMap::new();
    for context in second.keys().chain(third.keys()) {
        let shorter = |context: &Context| context.parent();
        std::iter::successors(shorter(context), shorter).for_each(|parent| {
            extensions.entry(parent).or_insert_with(Vec::new).push(*context);
        });
    }
    let mut kept = Kept { price, ..Kept::default() };
    for (endpoint, row) in &first.rows {
        let endpoint = Context::endpoint(*endpoint);
        let below = |parent: Context, depth: usize| {
            let extending = extensions.get(&parent).into_iter().flatten();
            extending.filter(move |context| context.depth() == depth).copied()
        };
        let mut rest = successors(row);
        let candidates = |contexts: Vec<Context>, of: &BTreeMap<Context, Successors>| -> Vec<Candidate> {
            let known = |context: Context| Some((context, of.get(&context)?.clone()));
            contexts.into_iter().filter_map(known).collect()
        };
        let of_two = kept.take(&mut rest, candidates(below(endpoint, 2).collect(), &second));
        for context in &of_two {
            let mut covered = second[context].clone();
            kept.take(&mut covered, candidates(below(*context, 3).collect(), &third));
        }
        let has_no_parent =
            |context: &Context| context.parent().is_none_or(|parent| !of_two.contains(&parent));
        let orphans = below(endpoint, 3).filter(has_no_parent).collect();
        kept.take(&mut rest, candidates(orphans, &third));
    }
    let longest = |steps: &[Step]| {
        let known = (2..=DEPTH).rev().filter_map(|depth| Context::of(steps, depth));
        let endpoint = steps.last().map_or(super::END, |step| step.endpoint);
        known
            .into_iter()
            .find(|context| kept.contexts.contains(context))
            .unwrap_or(Context::endpoint(endpoint))
    };
    Rows { rows: after_each(walks, longest), g_squared: kept.g_squared, parameters: kept.parameters }
}

/// How often each endpoint came next, without who was behind it.
type Successors = BTreeMap<u32, u64>;
type Candidate = (Context, Successors);

/// Relative difference below which two statistics are the same.
const ROUNDING: f64 = 1e-9;

fn successors(row: &Row) -> Successors {
    row.next.iter().map(|(next, cell)| (*next, cell.count)).collect()
}

/// The contexts that were kept, and what they give and take.
#[derive(Default)]
struct Kept {
    /// What a parameter must give, twice the log-likelihood.
    price: f64,
    contexts: BTreeSet<Context>,
    g_squared: f64,
    parameters: u64,
}

impl Kept {
    /// Takes out of `rest` the visits of each of `candidates` that differs from what remains, the most different first.
    fn take(&mut self, rest: &mut Successors, mut candidates: Vec<Candidate>) -> BTreeSet<Context> {
        let mut taken = BTreeSet::new();
        loop {
            let df = rest.values().filter(|count| **count > 0).count().saturating_sub(1);
            let mut best: Option<(usize, f64)> = None;
            for (at, (_, row)) in candidates.iter().enumerate() {
                let g_squared = g_squared(row, rest);
                // Two contexts that share all visits are equally odd; rounding must not choose between them.
                if best.is_none_or(|(_, most)| g_squared > most * (1.0 + ROUNDING)) {
                    best = Some((at, g_squared));
                }
            }
            let Some((at, g_squared)) = best.filter(|(_, most)| df > 0 && *most > df as f64 * self.price)
            else {
                return taken;
            };
            let (context, row) = candidates.remove(at);
            for (next, count) in row {
                *rest.entry(next).or_insert(count) -= count;
            }
            self.g_squared += g_squared;
            self.parameters += df as u64;
            self.contexts.insert(context);
            taken.insert(context);
        }
    }
}

/// Twice the log-likelihood that two rows give more than one: that of `part`, and that of the others of `whole`.
///
/// Zero when nothing is left beside `part`.
fn g_squared(part: &Successors, whole: &Successors) -> f64 {
    let (mut n, mut all) = (0, 0);
    let mut gain = 0.0;
    for count in whole.values() {
        all += count;
    }
    for (next, x) in part {
        let both = whole.get(next).copied().unwrap_or(0);
        n += x;
        gain += n_ln_n(*x) + n_ln_n(both - x) - n_ln_n(both);
    }
    if n == all {
        return 0.0;
    }
    2.0 * (gain - n_ln_n(n) - n_ln_n(all - n) + n_ln_n(all))
}

/// `n ln n`, zero at zero.
pub(super) fn n_ln_n(n: u64) -> f64 {
    if n == 0 { 0.0 } else { n as f64 * (n as f64).ln() }
}

#[cfg(test)]
mod tests {
    use super::super::END;
    use super::*;

    const ALL: Admission = Admission { visits: 1, clients: 1 };

    /// `count` sessions over each of `paths`, every one another client's.
    fn walks(paths: &[(&[u32], u32)]) -> Vec<Walk> {
        let sessions = paths.iter().flat_map(|(path, count)| (0..*count).map(move |_| *path));
        let walk = |(client, path): (usize, &[u32])| Walk {
            start_s: 0,
            steps: path.iter().map(|endpoint| Step { endpoint: *endpoint, gap: None }).collect(),
            ended: true,
            mass: 1000,
            client: client as u32,
        };
        sessions.enumerate().map(walk).collect()
    }

    fn check(walks: &[Walk], admission: Admission, expected: &[&[u32]]) -> Rows {
        let rows = select(walks, admission);
        let found: Vec<Vec<u32>> = rows.longer().map(|(context, _)| context.after()).collect();
        assert_eq!(found, expected);
        rows
    }

    #[test]
    fn g_squared_is_the_textbook_statistic() {
        let part = BTreeMap::from([(1, 30), (2, 10)]);
        let whole = BTreeMap::from([(1, 50), (2, 40), (3, 10)]);
        let expect = |row: [f64; 3], share: f64| -> f64 {
            let whole = [50.0, 40.0, 10.0];
            row.iter().zip(whole).filter(|(x, _)| **x > 0.0).map(|(x, t)| x * (x / (share * t)).ln()).sum()
        };
        let expected = 2.0 * (expect([30.0, 10.0, 0.0], 0.4) + expect([20.0, 30.0, 10.0], 0.6));
        assert!((g_squared(&part, &whole) / expected - 1.0).abs() < 1e-12);
        assert!(g_squared(&whole, &whole).abs() < 1e-12);
    }

    /// Whoever came from 1 goes on to 4, whoever came from 2 to 5: two rows, of which one is a context.
    #[test]
    fn one_context_explains_two_ways() {
        let two_ways = walks(&[(&[1, 3, 4], 200), (&[2, 3, 5], 300)]);
        let rows = check(&two_ways, ALL, &[&[1, 3]]);
        let rest = &rows.rows[&Context::endpoint(3)];
        assert_eq!(rest.next.keys().collect::<Vec<_>>(), [&5], "the shorter row holds what is left");
        assert_eq!(rest.visits.count, 300);
        assert!(
            rows.parameters == 1 && (rows.g_squared - 500.0 * 2.0 * 0.673_012).abs() < 1e-3,
            "{}",
            rows.g_squared
        );
        let (context, _) = rows.at(&two_ways[0].steps[..2]).unwrap();
        assert_eq!(context.after(), [1, 3]);
    }

    #[test]
    fn memory_reaches_through_a_page_that_all_pass() {
        let through = walks(&[(&[1, 8, 9, 4], 200), (&[2, 8, 9, 5], 300)]);
        check(&through, ALL, &[&[1, 8, 9]]);
    }

    #[test]
    fn too_few_visits_or_clients_keep_nothing() {
        let two_ways = walks(&[(&[1, 3, 4], 200), (&[2, 3, 5], 300)]);
        check(&two_ways, Admission { visits: 301, clients: 1 }, &[]);
        check(&two_ways, Admission { visits: 1, clients: 301 }, &[]);
        let by_one: Vec<Walk> = two_ways.into_iter().map(|walk| Walk { client: 1, ..walk }).collect();
        let rows = check(&by_one, Admission { visits: 1, clients: 2 }, &[]);
        let first = Counts::of(&by_one).rows;
        assert!(rows.rows.iter().all(|(context, row)| first[&context.last()] == *row));
    }

    #[test]
    fn what_is_alike_needs_no_memory() {
        check(&walks(&[(&[1, 3, 4], 200), (&[2, 3, 4], 300)]), ALL, &[]);
        check(&walks(&[(&[7], 1)]), ALL, &[]);
        check(&walks(&[(&[7], 100_000)]), ALL, &[]);
        check(&walks(&[(&[7, 8, 9], 50)]), ALL, &[]);
        check(&[], ALL, &[]);
        let endless: Vec<Walk> =
            walks(&[(&[7; 40], 50)]).into_iter().map(|walk| Walk { ended: false, ..walk }).collect();
        let rows = check(&endless, ALL, &[]);
        assert!(rows.rows.values().all(|row| !row.next.contains_key(&END)));
    }
}
