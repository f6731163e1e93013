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
    /// Share of the pauses after each endpoint that are returns, 0..=1: the background of a fit
    /// ([`super::gaps::Window`]).
    pub background: BTreeMap<u32, f64>,
    /// The same of all pauses. Above 0.05, a shorter session gap is better than a correction.
    pub share: f64,
}

/// Takes merged sessions out of `observed`.
///
/// `returns` counts pairs of (last request, first request) of consecutive sessions of a client with a gap above T and
/// up to 2T, in the same unit as `observed`. Counts may be in thousandths. Results are rounded to integers, so that they do
/// not depend on the order of anything; no transition gets below zero.
pub fn correct(observed: &Counts, returns: &BTreeMap<(u32, u32), u64>) -> Corrected {
    let ends: u128 = observed.ends.values().map(|count| u128::from(*count)).sum();
    let seen: u128 = returns.values().map(|count| u128::from(*count)).sum();
    // More returns than ends cannot be; were it so, the chance to come back would be unknown, and is taken as one half.
    let left = ends.saturating_sub(seen).max(seen).max(1);
    let scale = |count: u64| ((u128::from(count) * ends + left / 2) / left) as u64;
    let mut counts = observed.clone();
    let mut after: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for ((from, _), count) in &observed.steps {
        after.entry(*from).or_default().0 += count;
    }
    for ((from, to), seen) in returns {
        let Some(step) = counts.steps.get_mut(&(*from, *to)) else { continue };
        // What is not there cannot be taken out, so it did not start or end anything either.
        let merged = scale(*seen).min(*step);
        *step -= merged;
        *counts.starts.entry(*to).or_insert(0) += merged;
        *counts.ends.entry(*from).or_insert(0) += merged;
        after.entry(*from).or_default().1 += merged;
    }
    counts.steps.retain(|_, count| *count > 0);
    let (all, merged) = after.values().fold((0, 0), |(all, merged), of| (all + of.0, merged + of.1));
    let share = |merged: u64, all: u64| merged as f64 / all.max(1) as f64;
    let background = after
        .iter()
        .filter(|(_, (_, merged))| *merged > 0)
        .map(|(from, (all, merged))| (*from, share(*merged, *all)))
        .collect();
    Corrected { counts, background, share: share(merged, all) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_sessions_are_taken_apart() {
        let observed = Counts {
            starts: BTreeMap::from([(0, 900), (1, 100)]),
            steps: BTreeMap::from([((0, 1), 500), ((1, 0), 130), ((1, 1), 7)]),
            ends: BTreeMap::from([(0, 300), (1, 700)]),
        };
        let returns = BTreeMap::from([((1, 0), 90), ((1, 1), 10), ((0, 0), 0)]);
        let found = correct(&observed, &returns);
        // One in ten came back: 100 of 1,000 seen, 111 merged.
        assert_eq!(found.counts.steps, BTreeMap::from([((0, 1), 500), ((1, 0), 30)]));
        assert_eq!(found.counts.starts, BTreeMap::from([(0, 1000), (1, 107)]));
        assert_eq!(found.counts.ends, BTreeMap::from([(0, 300), (1, 807)]));
        assert_eq!(found.background.keys().collect::<Vec<_>>(), [&1]);
        assert!((found.background[&1] - 107.0 / 137.0).abs() < 1e-12);
        assert!((found.share - 107.0 / 637.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_is_taken_where_nobody_came_back_or_nothing_was_counted() {
        let observed = Counts {
            starts: BTreeMap::from([(0, 9)]),
            steps: BTreeMap::from([((0, 0), 5)]),
            ends: BTreeMap::from([(0, 9)]),
        };
        let found = correct(&observed, &BTreeMap::new());
        assert_eq!((found.counts, found.background.len()), (observed, 0));
        let found = correct(&Counts::default(), &BTreeMap::from([((0, 0), 3)]));
        assert_eq!(found.counts, Counts::default());
        assert!(found.share < f64::MIN_POSITIVE);
    }
}
