//! How well a grouping of requests agrees with the true one.

use std::collections::BTreeMap;

/// What is known of one grouping.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Score {
    /// Share of requests whose group holds exactly the requests of their route (Zhu et al., ICSE-SEIP 2019).
    pub(crate) accuracy: f64,
    /// Of pairs of requests in one group, the share that is of one route.
    pub(crate) precision: f64,
    /// The harmonic mean of that and of the share of pairs of one route that are in one group.
    pub(crate) f1: f64,
    pub(crate) groups: usize,
}

/// Scores `groups`, by request, against the routes `truth`.
pub(crate) fn score(groups: &[String], truth: &[usize]) -> Score {
    let (mut cells, mut found, mut real) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (group, route) in groups.iter().zip(truth) {
        *cells.entry((group.as_str(), *route)).or_insert(0_u64) += 1;
        *found.entry(group.as_str()).or_insert(0_u64) += 1;
        *real.entry(*route).or_insert(0_u64) += 1;
    }
    let exact =
        cells.iter().filter(|((group, route), count)| found[group] == **count && real[route] == **count);
    let exact: u64 = exact.map(|(_, count)| count).sum();
    let pairs =
        |counts: &mut dyn Iterator<Item = u64>| counts.map(|n| (n * n.saturating_sub(1)) as f64).sum::<f64>();
    let both = pairs(&mut cells.values().copied());
    let (precision, recall) = (
        both / pairs(&mut found.values().copied()).max(1.0),
        both / pairs(&mut real.values().copied()).max(1.0),
    );
    Score {
        accuracy: exact as f64 / truth.len() as f64,
        precision,
        f1: 2.0 * precision * recall / (precision + recall).max(f64::MIN_POSITIVE),
        groups: found.len(),
    }
}

impl Score {
    pub(crate) fn mean(scores: &[Self]) -> Self {
        let of = |field: fn(&Self) -> f64| scores.iter().map(field).sum::<f64>() / scores.len() as f64;
        Self {
            accuracy: of(|score| score.accuracy),
            precision: of(|score| score.precision),
            f1: of(|score| score.f1),
            groups: of(|score| score.groups as f64) as usize,
        }
    }
}
