//! How many requests a session has under a chain: a discrete phase-type law (Neuts 1981), and whether the log agrees.

use super::chain::Chain;
use crate::model::sample::Walk;
use crate::statistic::contingency::pearson_of_fit;
use crate::statistic::{Test, pool};

/// The law of the number of requests of a session: `P(L = n) = a Q^(n-1) e`.
#[derive(Debug, Clone, PartialEq)]
pub struct Lengths {
    /// `P(L = n + 1)`.
    ends: Vec<f64>,
    /// `P(L > n)`, one more.
    longer: Vec<f64>,
    /// What remains of the longer ones from step to step beyond the list.
    remains: f64,
}

/// Share of sessions that are too few to go on for.
const NEGLIGIBLE: f64 = 1e-12;
/// Relative change of what remains below which it stays as it is: the slowest way through the chain has taken over.
const SETTLED: f64 = 1e-12;
/// Steps over which what remains is compared, so that ways that go round in circles do not disturb.
const WINDOW: usize = 60;
/// Multiplications after which the rest is taken to end as the last sessions did.
const MOST_WORK: usize = 200_000_000;

impl Lengths {
    /// The lengths of the sessions of `chain`, as good as exact to the last session in 10^12.
    pub fn of(chain: &Chain) -> Self {
        let transitions: usize = chain.rows.iter().map(|row| row.next.len() + 1).sum();
        let most_steps = (MOST_WORK / transitions.max(1)).max(10 * WINDOW);
        let mut alive = chain.start.clone();
        let (mut ends, mut longer) = (Vec::new(), vec![alive.iter().sum::<f64>()]);
        let mut remains = 0.0;
        while longer[ends.len()] > NEGLIGIBLE && ends.len() < most_steps {
            let mut next = vec![0.0; alive.len()];
            let mut end = 0.0;
            for (alive, row) in alive.iter().zip(&chain.rows).filter(|(alive, _)| **alive > 0.0) {
                row.next.iter().for_each(|(to, share)| next[*to] += alive * share);
                end += alive * row.end;
            }
            ends.push(end);
            longer.push(next.iter().sum());
            alive = next;
            if ends.len().is_multiple_of(WINDOW) {
                let now = (longer[ends.len()] / longer[ends.len() - WINDOW]).powf(1.0 / WINDOW as f64);
                let settled = (now / remains - 1.0).abs() < SETTLED;
                remains = now;
                if settled {
                    break;
                }
            }
        }
        Self { ends, longer, remains }
    }

    /// The probability that a session has exactly `n` requests.
    pub fn exactly(&self, n: usize) -> f64 {
        match n.checked_sub(1) {
            None => 0.0,
            Some(before) => self
                .ends
                .get(before)
                .copied()
                .unwrap_or_else(|| self.longer_than(before) * (1.0 - self.remains)),
        }
    }

    /// The probability that a session has more than `n` requests.
    pub fn longer_than(&self, n: usize) -> f64 {
        let last = self.longer.len() - 1;
        self.longer
            .get(n)
            .copied()
            .unwrap_or_else(|| self.longer[last] * self.remains.powf((n - last) as f64))
    }

    /// The least number of requests that a share `q` of sessions do not exceed, for `q` in `0..1`.
    ///
    /// `None` where sessions do not end.
    pub fn quantile(&self, q: f64) -> Option<usize> {
        let beyond = 1.0 - q;
        let last = self.longer.len() - 1;
        if self.longer[last] <= beyond {
            return Some(self.longer.partition_point(|longer| *longer > beyond).max(1));
        }
        let steps = (beyond / self.longer[last]).ln() / self.remains.ln();
        (self.remains < 1.0 && steps.is_finite()).then(|| last + steps.ceil() as usize)
    }
}

/// Sessions that a bin should expect.
const EXPECTED: f64 = 5.0;
/// Bins below which nothing can be told.
const FEWEST_BINS: usize = 3;

/// Compares the lengths of the walks that ended with `lengths`, by Pearson's X² over bins that each expect five sessions.
///
/// `None` with fewer than three such bins, or where sessions do not end. The chain was fitted to the same walks, but it has no parameter for the
/// length as such: one degree of freedom is taken off, for the mean.
pub fn test(walks: &[Walk], lengths: &Lengths) -> Option<Test> {
    let mut found: Vec<usize> = walks.iter().filter(|walk| walk.ended).map(|walk| walk.steps.len()).collect();
    found.sort_unstable();
    let all = found.len() as f64;
    // Those beyond are too few for a bin of their own: the last category.
    let most = lengths.quantile(1.0 - EXPECTED / all.max(EXPECTED))?;
    let up_to = |n: usize| found.partition_point(|length| *length <= n) as f64;
    let observed: Vec<f64> = (1..=most).map(|n| up_to(n) - up_to(n - 1)).chain([all - up_to(most)]).collect();
    let expected: Vec<f64> =
        (1..=most).map(|n| all * lengths.exactly(n)).chain([all * lengths.longer_than(most)]).collect();
    let bins = pool::neighbours(&expected, EXPECTED);
    if bins.len() < FEWEST_BINS {
        return None;
    }
    pearson_of_fit(&pool::sums(&bins, &observed), &pool::sums(&bins, &expected), 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::END;
    use super::*;

    /// Sessions at one endpoint, each request the last with probability `end`.
    fn geometric(end: f64) -> Lengths {
        let row = BTreeMap::from([(1, 1.0 - end), (END, end)]);
        Lengths::of(&Chain::new(&BTreeMap::from([(1, 1.0)]), &BTreeMap::from([(1, row)])))
    }

    #[track_caller]
    fn check(end: f64, n: usize) {
        let lengths = geometric(end);
        let longer = (1.0 - end).powf(n as f64);
        for (found, expected) in [(lengths.longer_than(n), longer), (lengths.exactly(n + 1), longer * end)] {
            assert!((found - expected).abs() <= 1e-9 * expected, "{end} {n}: {found}, expected {expected}");
        }
    }

    #[test]
    fn one_endpoint_gives_a_geometric_law() {
        for (end, n) in [(0.5, 0), (0.5, 7), (0.01, 300), (0.01, 2500), (1e-4, 50_000), (1.0, 0)] {
            check(end, n);
        }
        let median = |end| geometric(end).quantile(0.5);
        assert_eq!([median(1.0), median(0.6), median(0.01), median(1e-5)], [1, 1, 69, 69_315].map(Some));
        assert_eq!(geometric(0.0).quantile(0.5), None);
        assert!(geometric(0.5).exactly(0).abs() < f64::MIN_POSITIVE);
    }

    #[test]
    fn a_way_that_goes_in_circles_is_followed_to_its_end() {
        let rows =
            BTreeMap::from([(1, BTreeMap::from([(2, 1.0)])), (2, BTreeMap::from([(1, 0.75), (END, 0.25)]))]);
        let lengths = Lengths::of(&Chain::new(&BTreeMap::from([(1, 1.0)]), &rows));
        assert!((lengths.exactly(40) - 0.25 * 0.75_f64.powi(19)).abs() < 1e-12);
        assert!(lengths.exactly(41) < f64::MIN_POSITIVE);
        assert_eq!(lengths.quantile(0.5), Some(6));
    }
}
