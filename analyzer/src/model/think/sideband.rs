//! How many pauses are none: people who came back within the session gap, and whose sessions were taken for one.
//!
//! Where somebody leaves and comes back within the gap T, the log shows a transition that nobody made. Such returns
//! cannot be told from pauses one by one, but their number can: returns after more than T and up to 2T are seen as what
//! they are, a new session of the same client, and returns hardly depend on T. (As physics takes the background
//! under a peak from the sideband next to it.)
//!
//! With the same chance h to come back within T after leaving, and within another T after that, of X people who leave
//! h X are merged and h (1 - h) X are seen; X (1 - h) ends are seen. So h is what is seen over the ends that are seen, and
//! merged are 1/(1 - h) times as many as are seen in the sideband.

use std::collections::BTreeMap;

use statrs::function::gamma::gamma_lr;

/// Sessions counted: where they start, where they go, where they end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// First requests by endpoint.
    pub starts: BTreeMap<u32, u64>,
    /// Transitions.
    pub steps: BTreeMap<(u32, u32), u64>,
    /// Last requests by endpoint.
    pub ends: BTreeMap<u32, u64>,
}

/// Counts without merged sessions.
#[derive(Debug, Clone, PartialEq)]
pub struct Corrected {
    /// Sessions as if none had been merged.
    pub counts: Counts,
    /// Share of the pauses of each transition that are returns, above 0 and up to 1: the background of a fit
    /// ([`super::gaps::Window`]).
    pub background: BTreeMap<(u32, u32), f64>,
    /// The same of all pauses. Above 0.05, a shorter session gap is better than a correction.
    pub share: f64,
}

/// Takes merged sessions out of `observed`.
///
/// `returns` counts pairs of (last request, first request) of consecutive sessions of a client with a gap above T and
/// up to 2T. All counts are of what was logged, not of what it stands for: how sure they are matters. A transition that
/// returns alone explain (at five percent) is taken out whole, so that nobody walks where nobody ever went. Results are
/// integers, and the same whatever the order of anything.
pub fn correct(observed: &Counts, returns: &BTreeMap<(u32, u32), u64>) -> Corrected {
    let expected = Returns::new(observed, returns);
    let mut counts = observed.clone();
    let mut background = BTreeMap::new();
    let (mut all, mut of_them) = (0, 0);
    for ((from, to), step) in &mut counts.steps {
        let merged = merged(*step, expected.between(*from, *to));
        all += *step;
        of_them += merged;
        if merged > 0 {
            background.insert((*from, *to), merged as f64 / *step as f64);
        }
        *step -= merged;
        *counts.starts.entry(*to).or_insert(0) += merged;
        *counts.ends.entry(*from).or_insert(0) += merged;
    }
    counts.steps.retain(|_, count| *count > 0);
    counts.starts.retain(|_, count| *count > 0);
    counts.ends.retain(|_, count| *count > 0);
    Corrected { counts, background, share: of_them as f64 / all.max(1) as f64 }
}

/// How many of `step` transitions are returns, of which `expected` are.
fn merged(step: u64, expected: f64) -> u64 {
    if expected <= 0.0 {
        return 0;
    }
    // Poisson: chance of as many or more returns.
    let as_many = if step == 0 { 1.0 } else { gamma_lr(step as f64, expected) };
    if as_many > 0.05 { step } else { (expected.round() as u64).min(step) }
}

/// Returns that are expected within the session gap, by pair of endpoints.
///
/// Where people start again hardly depends on where they left, and then the pairs follow from where returns leave from and
/// where they come to, which is far surer than the pairs' own counts. As far as the chi-squared statistic exceeds what
/// chance makes of it, the pairs' own counts are heard (as James & Stein 1961 weigh a model against data).
struct Returns<'r> {
    pairs: &'r BTreeMap<(u32, u32), u64>,
    from: BTreeMap<u32, u64>,
    to: BTreeMap<u32, u64>,
    total: f64,
    /// Merged returns for each one seen.
    scale: f64,
    /// Weight of a pair's own count, 0..=1.
    own: f64,
}

impl<'r> Returns<'r> {
    fn new(observed: &Counts, pairs: &'r BTreeMap<(u32, u32), u64>) -> Self {
        let (mut from, mut to): (BTreeMap<u32, u64>, BTreeMap<u32, u64>) = Default::default();
        for ((left, came), count) in pairs.iter().filter(|(_, count)| **count > 0) {
            *from.entry(*left).or_insert(0) += count;
            *to.entry(*came).or_insert(0) += count;
        }
        let total = from.values().sum::<u64>() as f64;
        let ends = observed.ends.values().sum::<u64>() as f64;
        // More than half of the ends cannot be told from it: then the chance to come back is taken as one half.
        let scale = ends / (ends - total).max(0.5 * ends).max(1.0);
        let mut found = Self { pairs, from, to, total, scale, own: 0.0 };
        let squares: f64 = pairs
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|((left, came), count)| (*count as f64).powi(2) / found.independent(*left, *came))
            .sum();
        let df = (found.from.len().max(1) - 1) as f64 * (found.to.len().max(1) - 1) as f64;
        found.own = if df > 0.0 { (1.0 - df / (squares - total)).clamp(0.0, 1.0) } else { 0.0 };
        found
    }

    fn between(&self, from: u32, to: u32) -> f64 {
        let own = self.pairs.get(&(from, to)).copied().unwrap_or(0) as f64;
        self.scale * (self.own * own + (1.0 - self.own) * self.independent(from, to))
    }

    fn independent(&self, from: u32, to: u32) -> f64 {
        let of = |table: &BTreeMap<u32, u64>, key: u32| table.get(&key).copied().unwrap_or(0) as f64;
        of(&self.from, from) * of(&self.to, to) / self.total.max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed() -> Counts {
        Counts {
            starts: BTreeMap::from([(0, 900), (1, 100)]),
            steps: BTreeMap::from([((0, 1), 500), ((1, 0), 230), ((1, 1), 7)]),
            ends: BTreeMap::from([(0, 300), (1, 700)]),
        }
    }

    #[test]
    fn merged_sessions_are_taken_apart() {
        // One in ten came back: 100 of 1,000 seen, 111 merged; nine in ten of them to endpoint 0.
        let found = correct(&observed(), &BTreeMap::from([((1, 0), 90), ((1, 1), 10), ((0, 0), 0)]));
        assert_eq!(found.counts.steps, BTreeMap::from([((0, 1), 500), ((1, 0), 130)]));
        assert_eq!(found.counts.starts, BTreeMap::from([(0, 1000), (1, 107)]));
        assert_eq!(found.counts.ends, BTreeMap::from([(0, 300), (1, 807)]));
        assert_eq!(found.background, BTreeMap::from([((1, 0), 100.0 / 230.0), ((1, 1), 1.0)]));
        assert!((found.share - 107.0 / 737.0).abs() < 1e-12);
    }

    #[test]
    fn pairs_are_heard_as_far_as_they_are_no_chance() {
        let own = |pairs: [u64; 4]| {
            let pairs = [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().zip(pairs).collect();
            Returns::new(&observed(), &pairs).own
        };
        assert!(own([40, 60, 42, 58]) < 1e-12);
        assert!(own([90, 10, 10, 90]) > 0.98);
    }

    #[test]
    fn nothing_is_taken_where_nobody_came_back_or_nothing_was_counted() {
        let found = correct(&observed(), &BTreeMap::new());
        assert_eq!((found.counts, found.background.len()), (observed(), 0));
        let found = correct(&Counts::default(), &BTreeMap::from([((0, 0), 3)]));
        assert_eq!(found.counts, Counts::default());
        assert!(found.share < f64::MIN_POSITIVE);
    }
}
