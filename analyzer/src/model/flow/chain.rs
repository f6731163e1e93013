//! A chain as probabilities, and how often its sessions visit each endpoint.

use std::collections::BTreeMap;

use super::END;
use super::counts::Counts;
use super::mixture::Class;

/// A Markov chain that sessions start in, walk through and leave.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// The numbers of its endpoints, ascending; everything else goes by place in this list.
    endpoints: Vec<u32>,
    pub(super) start: Vec<f64>,
    pub(super) rows: Vec<Row>,
}

/// What follows an endpoint: adds up to 1 with `end`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Row {
    pub(super) next: Vec<(usize, f64)>,
    pub(super) end: f64,
}

impl Chain {
    /// The chain of `starts` and `rows`, which may be counts or shares: each is divided by its sum.
    ///
    /// An endpoint that nothing followed ends the session. Without starts no session starts: there are no visits.
    pub fn new(starts: &BTreeMap<u32, f64>, rows: &BTreeMap<u32, BTreeMap<u32, f64>>) -> Self {
        let to = rows.values().flat_map(BTreeMap::keys).filter(|to| **to != END);
        let mut endpoints: Vec<u32> = starts.keys().chain(rows.keys()).chain(to).copied().collect();
        endpoints.sort_unstable();
        endpoints.dedup();
        let place = |endpoint: &u32| endpoints.partition_point(|known| known < endpoint);
        let mut start = vec![0.0; endpoints.len()];
        let all: f64 = starts.values().sum();
        starts.iter().for_each(|(endpoint, count)| start[place(endpoint)] = count / all);
        let row = |endpoint: &u32| {
            let counts = rows.get(endpoint);
            let all: f64 = counts.into_iter().flat_map(BTreeMap::values).sum();
            let mut row = Row { next: Vec::new(), end: if all > 0.0 { 0.0 } else { 1.0 } };
            for (to, count) in counts.into_iter().flatten().filter(|(_, count)| **count > 0.0) {
                match *to {
                    END => row.end = count / all,
                    _ => row.next.push((place(to), count / all)),
                }
            }
            row
        };
        let rows = endpoints.iter().map(row).collect();
        Self { start, rows, endpoints }
    }

    /// The chain that was counted: its most likely probabilities.
    pub fn of(counts: &Counts) -> Self {
        let mass = |cells: &BTreeMap<u32, super::counts::Cell>| -> BTreeMap<u32, f64> {
            cells.iter().map(|(endpoint, cell)| (*endpoint, cell.mass as f64)).collect()
        };
        let rows = counts.rows.iter().map(|(endpoint, row)| (*endpoint, mass(&row.next))).collect();
        Self::new(&mass(&counts.starts), &rows)
    }

    /// The chain of a class.
    pub fn of_class(class: &Class) -> Self {
        Self::new(&class.starts, &class.rows)
    }

    /// Visits to each endpoint per session: `v = a (I - Q)^-1`, with a the starts and Q the steps between endpoints.
    ///
    /// `None` when sessions can come to where they cannot end. For the chain of sessions that all ended this is, up to
    /// rounding, what was counted: each visit is a start or follows one, so the most likely probabilities give the
    /// visits back whatever the sessions were.
    pub fn visits(&self) -> Option<BTreeMap<u32, f64>> {
        let (reached, ends_from) = (self.reached(), self.ends_from());
        if reached.iter().zip(ends_from).any(|(reached, ends)| *reached && !ends) {
            return None;
        }
        let visits = self.solve(&reached);
        Some(self.endpoints.iter().copied().zip(visits).filter(|(_, visits)| *visits > 0.0).collect())
    }

    /// Requests per session in the mean; infinite when sessions can come to where they cannot end.
    pub fn mean_length(&self) -> f64 {
        self.visits().map_or(f64::INFINITY, |visits| visits.values().sum())
    }

    /// Which endpoints a session can come to.
    fn reached(&self) -> Vec<bool> {
        let starts = (0..self.start.len()).filter(|at| self.start[*at] > 0.0);
        flood(starts.collect(), self.rows.len(), |at| self.rows[at].next.iter().map(|(to, _)| *to))
    }

    /// From which endpoints a session can end.
    fn ends_from(&self) -> Vec<bool> {
        let mut before = vec![Vec::new(); self.rows.len()];
        for (from, row) in self.rows.iter().enumerate() {
            row.next.iter().for_each(|(to, _)| before[*to].push(from));
        }
        let ends = (0..self.rows.len()).filter(|at| self.rows[*at].end > 0.0);
        flood(ends.collect(), self.rows.len(), |at| before[at].iter().copied())
    }

    /// Solves for the visits of the endpoints that are `reached`, all of which lead to the end.
    ///
    /// Steps from an endpoint to itself are taken out first: with `l` the probability to leave it, summed and not
    /// subtracted from 1, each arrival from elsewhere stands for `1 / l` visits. What is left is solved by the
    /// stabilised bi-conjugate gradient method (van der Vorst 1992), whose steps do not grow with the length of
    /// sessions as those of plain summation do, and repeated on what it left until that is rounding.
    fn solve(&self, reached: &[bool]) -> Vec<f64> {
        let leave: Vec<f64> = (0..self.rows.len())
            .map(|at| {
                let away = self.rows[at].next.iter().filter(|(to, _)| *to != at);
                if reached[at] { self.rows[at].end + away.map(|(_, share)| share).sum::<f64>() } else { 1.0 }
            })
            .collect();
        // I - Q of arrivals, transposed.
        let apply = |x: &[f64]| -> Vec<f64> {
            let mut out = x.to_vec();
            for (from, row) in self.rows.iter().enumerate().filter(|(from, _)| reached[*from]) {
                for (to, share) in row.next.iter().filter(|(to, _)| *to != from) {
                    out[*to] -= x[from] * share / leave[from];
                }
            }
            out
        };
        let mut arrivals = vec![0.0; self.rows.len()];
        let mut left = self.start.clone();
        let mut size = norm(&left);
        for _ in 0..MOST_REPEATS {
            let more = bi_conjugate_gradient(&apply, &left);
            let next: Vec<f64> = arrivals.iter().zip(&more).map(|(one, other)| one + other).collect();
            let next_left: Vec<f64> =
                self.start.iter().zip(apply(&next)).map(|(want, have)| want - have).collect();
            let next_size = norm(&next_left);
            if next_size >= size {
                break;
            }
            (arrivals, left, size) = (next, next_left, next_size);
        }
        arrivals.iter().zip(leave).map(|(arrivals, leave)| arrivals / leave).collect()
    }
}

/// Repetitions after which a solution does not become better.
const MOST_REPEATS: usize = 30;
/// Steps of one repetition.
const MOST_STEPS: usize = 200;
/// What one repetition leaves of the right side.
const GOOD: f64 = 1e-10;

/// An approximate solution of `apply(x) = right`.
fn bi_conjugate_gradient(apply: &impl Fn(&[f64]) -> Vec<f64>, right: &[f64]) -> Vec<f64> {
    let mut x = vec![0.0; right.len()];
    let mut left = right.to_vec();
    let enough = GOOD * norm(right);
    let (mut direction, mut along) = (vec![0.0; right.len()], vec![0.0; right.len()]);
    let (mut rho, mut alpha, mut omega) = (1.0, 1.0, 1.0);
    for _ in 0..MOST_STEPS {
        let next_rho = dot(right, &left);
        let beta = next_rho / rho * alpha / omega;
        rho = next_rho;
        for at in 0..x.len() {
            direction[at] = left[at] + beta * (direction[at] - omega * along[at]);
        }
        along = apply(&direction);
        alpha = rho / dot(right, &along);
        let half: Vec<f64> = left.iter().zip(&along).map(|(left, along)| left - alpha * along).collect();
        let turned = apply(&half);
        let turned_size = dot(&turned, &turned);
        omega = if turned_size > 0.0 { dot(&turned, &half) / turned_size } else { 0.0 };
        if !alpha.is_finite() || !omega.is_finite() {
            break;
        }
        for at in 0..x.len() {
            x[at] += alpha * direction[at] + omega * half[at];
            left[at] = half[at] - omega * turned[at];
        }
        if norm(&left) <= enough || omega == 0.0 {
            break;
        }
    }
    x
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

fn norm(vector: &[f64]) -> f64 {
    dot(vector, vector).sqrt()
}

/// Everything that `next` leads to from `open`, those included.
fn flood<I: Iterator<Item = usize>>(
    mut open: Vec<usize>,
    size: usize,
    next: impl Fn(usize) -> I,
) -> Vec<bool> {
    let mut found = vec![false; size];
    while let Some(at) = open.pop() {
        if !found[at] {
            found[at] = true;
            open.extend(next(at));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(starts: &[(u32, f64)], rows: &[(u32, &[(u32, f64)])]) -> Chain {
        let rows = rows.iter().map(|(from, row)| (*from, row.iter().copied().collect())).collect();
        Chain::new(&starts.iter().copied().collect(), &rows)
    }

    #[track_caller]
    fn check(chain: &Chain, expected: &[(u32, f64)]) {
        let found = chain.visits().unwrap();
        assert!(found.keys().eq(expected.iter().map(|(endpoint, _)| endpoint)), "{found:?}");
        for ((endpoint, visits), (_, expected)) in found.iter().zip(expected) {
            assert!((visits / expected - 1.0).abs() < 1e-12, "{endpoint}: {visits}, expected {expected}");
        }
    }

    #[test]
    fn visits_are_solved_for_short_and_very_long_sessions() {
        check(&chain(&[(5, 1.0)], &[(5, &[(END, 1.0)])]), &[(5, 1.0)]);
        check(&chain(&[(5, 2.0)], &[]), &[(5, 1.0)]);
        check(&chain(&[(5, 1.0)], &[(5, &[(5, 1.0 - 1e-9), (END, 1e-9)])]), &[(5, 1e9)]);
        // Back and forth a thousand times.
        let long = chain(&[(1, 1.0)], &[(1, &[(2, 1.0)]), (2, &[(1, 999.0), (END, 1.0)])]);
        check(&long, &[(1, 1000.0), (2, 1000.0)]);
        assert!((long.mean_length() - 2000.0).abs() < 1e-8);
    }

    #[test]
    fn what_cannot_end_has_no_mean() {
        let trap = chain(&[(1, 1.0)], &[(1, &[(2, 0.01), (END, 0.99)]), (2, &[(2, 1.0)])]);
        assert_eq!(trap.visits(), None);
        assert!(trap.mean_length().is_infinite());
        let unreached = chain(&[(1, 1.0)], &[(1, &[(END, 1.0)]), (2, &[(2, 1.0)])]);
        check(&unreached, &[(1, 1.0)]);
        assert_eq!(chain(&[], &[]).visits(), Some(BTreeMap::new()));
    }
}
