//! The one way out: what fewer than k distinct clients did is not published.

use std::collections::{BTreeMap, BTreeSet};

use shared::clients::ClientShare;
use shared::distribution::{LogHistogram, Unit};
use shared::endpoint::Summary;
use shared::session::RequestsPerSession;
use shared::units::{round_count, round_shares, round_significant};

use super::stage::Stage;
use crate::request::KNOWN_METHODS;
use crate::route::Routes;
use crate::tally::cell::{Bin, Cell, logged, runs_of_enough};
use crate::tally::origins::Used;
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
        let mut histogram = LogHistogram::new(relative_error, unit);
        for (bin, mass) in self.together(bins)? {
            match bin {
                None => histogram.zeros += requests(mass),
                Some(index) => *histogram.bins.entry(index).or_insert(0) += requests(mass),
            }
        }
        (histogram.count() > 0).then_some(histogram)
    }

    /// The mean of what was counted by number, and its quantiles: neighbouring numbers are put together until at least
    /// k clients stand behind each, and no quantile is further out than k of those that were logged from the end.
    ///
    /// `None` when fewer than k clients stand behind all of them.
    pub(crate) fn quantiles(self, bins: &BTreeMap<u64, Bin>) -> Option<RequestsPerSession> {
        let together = self.together(bins)?;
        let logged = logged(bins);
        let total: u64 = together.iter().map(|(_, mass)| mass).sum();
        let sum: u128 = bins.iter().map(|(number, bin)| u128::from(*number) * u128::from(bin.mass)).sum();
        let mean = sum as f64 / total.max(1) as f64;
        let quantile = |q: f64| {
            let mut below = 0;
            let reached = together.iter().find(|(_, mass)| {
                below += mass;
                below as f64 >= q * total as f64
            });
            let is_far_enough = q <= 0.5 || (1.0 - q) * logged as f64 >= self.k as f64;
            reached.map(|(number, _)| round_count(*number)).filter(|_| is_far_enough)
        };
        Some(RequestsPerSession {
            mean: round_significant(mean, 3),
            p50: quantile(0.5)?,
            p95: quantile(0.95),
            p99: quantile(0.99),
        })
    }

    /// Neighbouring bins put together until at least k clients stand behind each, and what each stands for; `None` when
    /// fewer stand behind all of them.
    fn together<K: Ord + Copy>(self, bins: &BTreeMap<K, Bin>) -> Option<Vec<(K, u64)>> {
        let keys: Vec<K> = bins.keys().copied().collect();
        let runs = runs_of_enough(bins.values(), self.k).into_iter();
        runs.map(|(range, run)| run.has_enough().then_some((middle(&keys[range], bins)?, run.mass))).collect()
    }

    /// The shares of sessions and requests under each name that at least k clients have sessions under; the others are
    /// put together under `other`, and where that is too few as well, they spread over the rest in proportion.
    pub(crate) fn client_shares<N: Ord>(
        self,
        used: impl Iterator<Item = (N, Used)>,
        other: N,
    ) -> BTreeMap<N, ClientShare> {
        let mut rest = Used::default();
        let mut named: Vec<(N, Used)> = Vec::new();
        for (name, used) in used.filter(|(_, used)| used.requests.count > 0) {
            match name != other && used.sessions.has_enough() {
                true => named.push((name, used)),
                false => rest.merge(&used, self.k),
            }
        }
        if rest.sessions.has_enough() {
            named.push((other, rest));
        }
        let shares = |mass: fn(&Used) -> u64| {
            round_shares(&named.iter().map(|(_, used)| mass(used) as f64).collect::<Vec<_>>())
        };
        let (sessions, requests) = (shares(|used| used.sessions.mass), shares(|used| used.requests.mass));
        let shares = sessions.into_iter().zip(requests);
        let names = named.into_iter().map(|(name, _)| name);
        names.zip(shares.map(|(sessions, requests)| ClientShare { sessions, requests })).collect()
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
fn middle<K: Ord + Copy>(keys: &[K], bins: &BTreeMap<K, Bin>) -> Option<K> {
    let total: u64 = keys.iter().filter_map(|key| bins.get(key)).map(|bin| bin.mass).sum();
    let mut below = 0;
    keys.iter().copied().find(|key| {
        below += bins.get(key).map_or(0, |bin| bin.mass);
        2 * below >= total
    })
}

/// Published counts have three significant digits.
fn round_counts(mut histogram: LogHistogram) -> LogHistogram {
    histogram.bins.values_mut().for_each(|count| *count = round_count(*count));
    histogram.zeros = round_count(histogram.zeros);
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
