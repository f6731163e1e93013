//! Counts that know how many different clients stand behind them.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::privacy::pseudonym::Pseudonym;

/// A count, what it stands for where the log was sampled, and its distinct clients.
///
/// Exact without a set, because all of a client's events are counted in one go before the next client's:
/// a client is new when it is not the last one. Cells of disjoint clients add up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cell {
    /// As many as were logged.
    pub(crate) count: u64,
    /// As many as those stand for, in thousandths.
    pub(crate) mass: u64,
    pub(crate) clients: u64,
    last: Option<Pseudonym>,
}

impl Cell {
    pub(crate) fn add(&mut self, client: Pseudonym, mass: u64) {
        self.count += 1;
        self.mass += mass;
        if self.last != Some(client) {
            self.last = Some(client);
            self.clients += 1;
        }
    }

    /// What was counted elsewhere.
    pub(crate) fn of_sample(count: u64, mass: u64, clients: u64) -> Self {
        Self { count, mass, clients, last: None }
    }

    /// Adds a cell of other clients.
    pub(crate) fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.mass += other.mass;
        self.clients += other.clients;
        self.last = None;
    }

    /// The cell of two cells whose clients may be the same: their union is at least the larger.
    pub(crate) fn join(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            mass: self.mass + other.mass,
            clients: self.clients.max(other.clients),
            last: None,
        }
    }
}

/// A count, and its distinct clients up to a limit: for bins that are put together later, when sums would
/// count a client twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bin {
    /// As many as were logged.
    pub(crate) count: u64,
    /// As many as those stand for, in thousandths.
    pub(crate) mass: u64,
    clients: ClientSet,
}

/// Distinct clients, exactly up to a limit k that is the same wherever sets meet; beyond it, only that there are k.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ClientSet {
    Few(Vec<Pseudonym>),
    Enough,
}

impl Default for ClientSet {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Bin {
    pub(crate) fn add(&mut self, client: Pseudonym, mass: u64, k: u64) {
        self.add_all(client, 1, mass, k);
    }

    /// Adds as many events of a client, which stand for `mass` together.
    pub(crate) fn add_all(&mut self, client: Pseudonym, count: u64, mass: u64, k: u64) {
        self.count += count;
        self.mass += mass;
        self.clients.insert(client, k);
    }

    pub(crate) fn merge(&mut self, other: &Self, k: u64) {
        self.count += other.count;
        self.mass += other.mass;
        self.clients.merge(&other.clients, k);
    }

    /// At least k clients stand behind it.
    pub(crate) fn has_enough(&self) -> bool {
        self.clients == ClientSet::Enough
    }
}

impl ClientSet {
    fn insert(&mut self, client: Pseudonym, k: u64) {
        if let Self::Few(known) = self
            && let Err(at) = known.binary_search(&client)
        {
            known.insert(at, client);
            if known.len() as u64 >= k {
                *self = Self::Enough;
            }
        }
    }

    fn merge(&mut self, other: &Self, k: u64) {
        match other {
            Self::Enough => *self = Self::Enough,
            Self::Few(clients) => clients.iter().for_each(|client| self.insert(*client, k)),
        }
    }
}

/// As many as were logged, in all bins together.
pub(crate) fn logged<K>(bins: &BTreeMap<K, Bin>) -> u64 {
    bins.values().map(|bin| bin.count).sum()
}

/// Neighbouring bins put together until each run has at least `k` clients; what is left over at the end joins
/// the run before it. When all bins together have too few, they are one run, and its bin says so.
pub(crate) fn runs_of_enough<'b>(bins: impl Iterator<Item = &'b Bin>, k: u64) -> Vec<(Range<usize>, Bin)> {
    let mut runs: Vec<(Range<usize>, Bin)> = Vec::new();
    for (at, bin) in bins.enumerate() {
        match runs.last_mut().filter(|(_, run)| !run.has_enough()) {
            Some((range, run)) => {
                range.end = at + 1;
                run.merge(bin, k);
            }
            None => runs.push((at..at + 1, bin.clone())),
        }
    }
    if runs.len() > 1
        && runs.last().is_some_and(|(_, run)| !run.has_enough())
        && let Some((range, rest)) = runs.pop()
        && let Some((before, run)) = runs.last_mut()
    {
        before.end = range.end;
        run.merge(&rest, k);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weight::REQUEST;

    #[test]
    fn a_cell_counts_each_client_once_in_a_row() {
        let mut cell = Cell::default();
        [1, 1, 2, 2, 2].into_iter().for_each(|client| cell.add(client, REQUEST));
        assert_eq!((cell.count, cell.clients), (5, 2));
    }

    #[test]
    fn bins_know_when_enough_clients_stand_behind_them_in_any_order() {
        let bin = |clients: &[u64]| {
            let mut bin = Bin::default();
            clients.iter().for_each(|client| bin.add(*client, REQUEST, 3));
            bin
        };
        let (mut one, mut other) = (bin(&[1, 2]), bin(&[2, 3]));
        assert!(!one.has_enough() && !other.has_enough());
        other.merge(&one, 3);
        one.merge(&bin(&[2, 3]), 3);
        assert_eq!(one, other);
        assert!(one.has_enough() && one.count == 4);
    }
}
