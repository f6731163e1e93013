//! The one way out: what fewer than k distinct clients did is not published.

use std::collections::{BTreeMap, BTreeSet};

use shared::distribution::{LogHistogram, Unit};
use shared::endpoint::Summary;
use shared::units::{round_shares, round_significant};

use super::stage::Stage;
use crate::request::KNOWN_METHODS;
use crate::route::Routes;
use crate::tally::cell::{Bin, Cell, runs_of_enough};
use crate::tally::{RouteNumber, Tally};
use crate::weight::requests;

/// Decides what is published.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate {
    k: u64,
}

/// A count that enough clients stand behind, in thousandths. Only a [`Gate`] makes one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admitted(u64);

impl Admitted {
    pub(crate) fn mass(self) -> u64 {
        self.0
    }
}

impl Gate {
    pub(crate) fn new(k: u64) -> Self {
        Self { k: if Stage::Gate.is_on() { k } else { 1 } }
    }

    pub(crate) fn k(self) -> u64 {
        self.k
    }

    /// What `cell` stands for, if at least k clients stand behind it.
    pub(crate) fn admit(self, cell: Cell) -> Option<Admitted> {
        (cell.clients >= self.k).then_some(Admitted(cell.mass))
    }

    /// Routes that may be named: enough clients used them, and no part of their name was made up by one.
    pub(crate) fn routes(self, tally: &Tally, routes: &Routes) -> BTreeSet<RouteNumber> {
        let names_nobody = |route: RouteNumber| {
            let route = &routes.routes[route as usize];
            route.publishable
                && (KNOWN_METHODS.contains(&route.method.as_bytes()) || !Stage::Protocol.is_on())
        };
        let admitted = tally.endpoints.iter().filter(|(_, endpoint)| self.admit(endpoint.requests).is_some());
        admitted.map(|(route, _)| *route).filter(|route| names_nobody(*route)).collect()
    }

    /// The cells that may be published, as shares of what they add up to; and the share of mass that was dropped.
    ///
    /// Shares are rounded and add up to 1. The dropped mass spreads over the rest in proportion.
    pub(crate) fn shares<K: Ord>(self, cells: BTreeMap<K, Cell>) -> (BTreeMap<K, f64>, f64) {
        let total: u64 = cells.values().map(|cell| cell.mass).sum();
        let kept: Vec<(K, u64)> =
            cells.into_iter().filter_map(|(key, cell)| Some((key, self.admit(cell)?.mass()))).collect();
        let kept_total: u64 = kept.iter().map(|(_, mass)| mass).sum();
        let shares = round_shares(&kept.iter().map(|(_, mass)| *mass as f64).collect::<Vec<_>>());
        let shares =
            kept.into_iter().map(|(key, _)| key).zip(shares).filter(|(_, share)| *share > 0.0).collect();
        (shares, (total - kept_total) as f64 / total.max(1) as f64)
    }

    /// The histogram of `bins`, neighbours put together until at least k clients stand behind each.
    ///
    /// `None` when fewer than k clients stand behind all of them.
    pub(crate) fn histogram(
        self,
        bins: &BTreeMap<Option<i32>, Bin>,
        relative_error: f64,
        unit: Unit,
    ) -> Option<LogHistogram> {
        let keys: Vec<Option<i32>> = bins.keys().copied().collect();
        let mut histogram = LogHistogram::new(relative_error, unit);
        for (range, together) in runs_of_enough(bins.values(), self.k) {
            if !together.has_enough() {
                return None;
            }
            match middle(&keys[range.clone()], bins) {
                None => histogram.zeros += requests(together.mass),
                Some(index) => *histogram.bins.entry(index).or_insert(0) += requests(together.mass),
            }
        }
        (histogram.count() > 0).then_some(histogram)
    }

    /// Quantiles of a histogram of `logged` values that has passed; no further out than k of those from the end.
    pub(crate) fn summary(self, histogram: LogHistogram, logged: u64) -> Option<Summary> {
        let quantile = |q: f64| {
            let value = histogram.quantile(q)?;
            let beyond = (1.0 - q) * logged as f64;
            (beyond >= self.k as f64 || q <= 0.5).then(|| round_significant(value, 3))
        };
        let (p50, p95, p99) = (quantile(0.5)?, quantile(0.95), quantile(0.99));
        Some(Summary { p50, p95, p99, histogram: round_counts(histogram) })
    }
}

/// The bin that holds the middle value of a run of bins.
fn middle(keys: &[Option<i32>], bins: &BTreeMap<Option<i32>, Bin>) -> Option<i32> {
    let total: u64 = keys.iter().filter_map(|key| bins.get(key)).map(|bin| bin.mass).sum();
    let mut below = 0;
    for key in keys {
        below += bins.get(key).map_or(0, |bin| bin.mass);
        if 2 * below >= total {
            return *key;
        }
    }
    None
}

/// Published counts have three significant digits.
fn round_counts(mut histogram: LogHistogram) -> LogHistogram {
    histogram.bins.values_mut().for_each(|count| *count = shared::units::round_count(*count));
    histogram.zeros = shared::units::round_count(histogram.zeros);
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weight::REQUEST;

    fn cell(clients: std::ops::Range<u64>) -> Cell {
        let mut cell = Cell::default();
        clients.for_each(|client| cell.add(client, REQUEST));
        cell
    }

    #[test]
    fn only_cells_with_k_clients_pass_and_their_shares_add_up() {
        let cells = BTreeMap::from([("a", cell(0..20)), ("b", cell(0..10)), ("c", cell(0..9))]);
        let (shares, dropped) = Gate::new(10).shares(cells);
        assert_eq!(shares, BTreeMap::from([("a", 0.6667), ("b", 0.3333)]));
        assert!((dropped - 9.0 / 39.0).abs() < 1e-12);
    }

    #[test]
    fn thin_bins_join_their_neighbours_and_nothing_is_lost() {
        let bin = |clients: std::ops::Range<u64>| {
            let mut bin = Bin::default();
            clients.for_each(|client| bin.add(client, REQUEST, 10));
            bin
        };
        let bins = BTreeMap::from([
            (None, bin(0..3)),
            (Some(1), bin(3..12)),
            (Some(5), bin(0..30)),
            (Some(9), bin(0..2)),
        ]);
        let histogram = Gate::new(10).histogram(&bins, 0.01, Unit::S).unwrap();
        assert_eq!(histogram.bins, BTreeMap::from([(1, 12), (5, 32)]));
        assert_eq!(Gate::new(31).histogram(&BTreeMap::from([(Some(1), bin(0..9))]), 0.01, Unit::S), None);
    }
}
