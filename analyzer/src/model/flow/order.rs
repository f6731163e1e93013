//! Whether one step of memory is enough: a permutation test within every endpoint.
//!
//! If what follows a visit depends on the endpoint alone, then what came before and what comes after are exchangeable
//! among the visits of the endpoint. So what came after is shuffled among them, many times; the statistic is
//! `Σ n_abc ln n_abc` over what came before, the endpoint and what came after: all else in the likelihood ratio of
//! second to first order stays the same. A likelihood-ratio or chi-squared test with its asymptotic law is no use here,
//! because most of these cells are nearly empty.

use super::contexts::n_ln_n;
use super::counts::transitions;
use crate::model::sample::Walk;
use crate::model::seed::{hash, mix};

/// The outcome of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrderTest {
    /// `Σ n_abc ln n_abc` as found.
    pub statistic: f64,
    /// Its mean over the shuffles: what one step of memory gives.
    pub expected: f64,
    /// Visits that had both a step before and a step after.
    pub visits: u64,
    /// `(1 + shuffles that reached the statistic) / (1 + shuffles)`.
    pub p: f64,
}

/// Relative difference below which two statistics are the same: they are sums of the same numbers in other orders.
const ROUNDING: f64 = 1e-12;

/// Tests `walks` with `shuffles` shuffles, which `seed` determines.
///
/// `None` when no visit has a step before and after. Sampled sessions count as one each.
pub fn test(walks: &[Walk], shuffles: u32, seed: u64) -> Option<OrderTest> {
    let mut triples: Vec<[u32; 3]> = transitions(walks)
        .filter_map(|(history, seen)| {
            let before = history.steps.len().checked_sub(2)?;
            Some([history.last, history.steps[before].endpoint, seen.next])
        })
        .collect();
    triples.sort_unstable();
    let visits: Vec<Visits> = triples.chunk_by(|one, other| one[0] == other[0]).map(Visits::of).collect();
    let most = visits.iter().map(|visits| visits.after.len()).max()?;
    let table: Vec<f64> = (0..=most as u64).map(n_ln_n).collect();
    let total =
        |visits: &mut [Visits]| -> f64 { visits.iter_mut().map(|visits| visits.statistic(&table)).sum() };
    let mut shuffled = visits;
    let statistic = total(&mut shuffled);
    let (mut reached, mut sum) = (0, 0.0);
    for shuffle in 0..shuffles {
        let mut state = hash([seed, u64::from(shuffle)]);
        shuffled.iter_mut().for_each(|visits| visits.shuffle(&mut state));
        let found = total(&mut shuffled);
        reached += u32::from(found >= statistic * (1.0 - ROUNDING));
        sum += found;
    }
    Some(OrderTest {
        statistic,
        expected: sum / f64::from(shuffles.max(1)),
        visits: triples.len() as u64,
        p: f64::from(1 + reached) / f64::from(1 + shuffles),
    })
}

/// The visits of one endpoint that have a step before and after.
struct Visits {
    /// How many came from each endpoint, the visits of each lying together.
    before: Vec<usize>,
    /// What came after each visit, numbered from zero.
    after: Vec<u32>,
    /// Room to count what came after: zero between uses.
    counts: Vec<u32>,
}

impl Visits {
    /// `triples` of one endpoint: itself, before, after.
    fn of(triples: &[[u32; 3]]) -> Self {
        let mut known: Vec<u32> = triples.iter().map(|triple| triple[2]).collect();
        known.sort_unstable();
        known.dedup();
        let number = |triple: &[u32; 3]| known.partition_point(|after| *after < triple[2]) as u32;
        Self {
            before: triples.chunk_by(|one, other| one[1] == other[1]).map(<[_]>::len).collect(),
            after: triples.iter().map(number).collect(),
            counts: vec![0; known.len()],
        }
    }

    /// `Σ n ln n` over pairs of before and after.
    fn statistic(&mut self, n_ln_n: &[f64]) -> f64 {
        let mut sum = 0.0;
        let mut from = 0;
        for count in &self.before {
            let after = &self.after[from..from + count];
            from += count;
            after.iter().for_each(|after| self.counts[*after as usize] += 1);
            // Each is added where it is met first, and cleared for the next.
            for after in after {
                sum += n_ln_n[std::mem::take(&mut self.counts[*after as usize]) as usize];
            }
        }
        sum
    }

    /// Fisher and Yates's shuffle of what came after.
    fn shuffle(&mut self, state: &mut u64) {
        for at in (1..self.after.len()).rev() {
            *state = mix(*state);
            // The high bits of a product: no division, and a bias below one in 2^32.
            let with = ((u128::from(*state) * (at as u128 + 1)) >> 64) as usize;
            self.after.swap(at, with);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::Step;

    fn walks(paths: &[&[u32]], times: u32) -> Vec<Walk> {
        let walk = |(client, path): (u32, &&[u32])| Walk {
            start_s: 0,
            steps: path.iter().map(|endpoint| Step { endpoint: *endpoint, gap: None }).collect(),
            ended: true,
            mass: 1000,
            client,
        };
        (0..times).flat_map(|at| paths.iter().map(move |path| (at, path))).map(walk).collect()
    }

    #[test]
    fn two_ways_through_one_page_are_found_and_one_is_not() {
        let two_ways = test(&walks(&[&[1, 3, 4], &[2, 3, 5]], 50), 99, 1).unwrap();
        assert!((two_ways.p - 0.01).abs() < 1e-9 && two_ways.statistic > two_ways.expected, "{two_ways:?}");
        let one_way = test(&walks(&[&[1, 3, 4], &[2, 3, 4]], 50), 99, 1).unwrap();
        assert!((one_way.p - 1.0).abs() < 1e-9, "{one_way:?}");
        assert_eq!(one_way.visits, 200);
    }

    #[test]
    fn without_a_middle_there_is_nothing_to_test() {
        assert_eq!(test(&walks(&[&[1]], 1000), 9, 1), None);
        assert_eq!(test(&[], 9, 1), None);
    }

    #[test]
    fn any_order_of_walks_gives_the_same() {
        let mut some = walks(&[&[1, 3, 4, 1, 3, 5], &[2, 3, 5, 5], &[3, 3, 3]], 20);
        let found = test(&some, 50, 7);
        some.reverse();
        assert_eq!(test(&some, 50, 7), found);
    }
}
