//! Whether enough clients stand behind what is said of a time: of a bin of the week, a week of the log, a day.
//!
//! Sessions come client by client and not by time, and are too many to be put in order only for this.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::model::arrivals::CivilClock;
use crate::model::arrivals::days::{OutlierDay, date};
use crate::model::arrivals::exposure::{BINS_PER_WEEK, Coverage, bin_of_week};
use crate::tally::ARRIVAL_BIN_S;
use crate::tally::cell::Bin;
use crate::tally::start::Start;
use crate::weight::REQUEST;

/// When sessions started, and whose they are, as far as is needed to tell `k` clients apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crowd<'t> {
    pub(super) starts: &'t [Vec<Start>],
    pub(super) k: u64,
}

impl Crowd<'_> {
    /// The starts, in any order.
    pub(super) fn starts(&self) -> impl Iterator<Item = Start> + Clone {
        self.starts.iter().flatten().copied()
    }

    /// The clients behind each bin of the civil week, of the time that `coverage` has.
    pub(super) fn of_week(&self, coverage: &Coverage, clock: &CivilClock) -> BTreeMap<i64, Bin> {
        let of_time = TimeBins::new(coverage, clock);
        let mut bins = vec![Bin::default(); BINS_PER_WEEK];
        let mut open = of_time.covered().collect::<BTreeSet<u16>>().len();
        let mut starts = self.starts();
        while open > 0
            && let Some(start) = starts.next()
        {
            if let Some(bin) = of_time.bin(start.at_s()) {
                open -= usize::from(self.fills(&mut bins[bin], start));
            }
        }
        (0..).zip(bins).filter(|(_, bin)| *bin != Bin::default()).collect()
    }

    /// Whether at least k clients started in each of the parts into which `part` puts the seconds of starts.
    pub(super) fn is_in_each(&self, part: impl Fn(i64) -> i64) -> bool {
        let mut parts: BTreeMap<i64, Bin> = BTreeMap::new();
        for start in self.starts() {
            self.fills(parts.entry(part(start.at_s())).or_default(), start);
        }
        parts.values().all(Bin::has_enough)
    }

    /// The dates of `days` on which at least k clients came.
    pub(super) fn named_days(&self, days: &[OutlierDay], clock: &CivilClock) -> Vec<String> {
        let mut bins: BTreeMap<i64, Bin> = days.iter().map(|day| (day.number, Bin::default())).collect();
        let mut open = bins.len();
        let mut starts = self.starts();
        while open > 0
            && let Some(start) = starts.next()
        {
            if let Some(bin) = bins.get_mut(&clock.day(start.at_s())) {
                open -= usize::from(self.fills(bin, start));
            }
        }
        let named = bins.into_iter().filter(|(_, bin)| bin.has_enough());
        named.filter_map(|(day, _)| Some(date(day)?.to_string())).collect()
    }

    /// Adds the client of `start` to `bin`; whether that is the last one it needed. How many more than k there are is of
    /// no interest, so who asks can stop when nothing needs any: millions start, and of a busy time the first few say it.
    #[inline]
    fn fills(&self, bin: &mut Bin, start: Start) -> bool {
        if bin.has_enough() {
            return false;
        }
        bin.add(start.client(), REQUEST, self.k);
        bin.has_enough()
    }
}

/// The bin of the civil week that each covered moment is in, by a table: millions are asked for, in no order.
struct TimeBins<'c> {
    coverage: &'c Coverage,
    /// The first bin of UTC in the table.
    first: i64,
    /// By bin of UTC: what is covered of it, and its bin of the civil week.
    bins: Vec<(Covered, u16)>,
}

/// How much of a bin is covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Covered {
    Nothing,
    Part,
    All,
}

impl<'c> TimeBins<'c> {
    fn new(coverage: &'c Coverage, clock: &CivilClock) -> Self {
        let (first, end) = match coverage.stretches() {
            [] => (0, 0),
            [one] => (one.start, one.end),
            [one, .., last] => (one.start, last.end),
        };
        let first = first.div_euclid(ARRIVAL_BIN_S);
        let count = (end - first * ARRIVAL_BIN_S).max(0) / ARRIVAL_BIN_S + 1;
        let mut bins = vec![(Covered::Nothing, 0); count as usize];
        for Range { start, end } in coverage.pieces() {
            let covered = if end - start == ARRIVAL_BIN_S { Covered::All } else { Covered::Part };
            bins[(start.div_euclid(ARRIVAL_BIN_S) - first) as usize] =
                (covered, bin_of_week(clock, start) as u16);
        }
        Self { coverage, first, bins }
    }

    /// The bins of the week of which anything is covered, each at least once.
    fn covered(&self) -> impl Iterator<Item = u16> {
        self.bins.iter().filter(|(covered, _)| *covered != Covered::Nothing).map(|(_, bin)| *bin)
    }

    #[inline]
    fn bin(&self, at_s: i64) -> Option<usize> {
        let place = usize::try_from(at_s.div_euclid(ARRIVAL_BIN_S) - self.first).ok()?;
        let (covered, bin) = *self.bins.get(place)?;
        let is_covered = match covered {
            Covered::All => true,
            Covered::Nothing => false,
            Covered::Part => self.coverage.stretches().iter().any(|stretch| stretch.contains(&at_s)),
        };
        is_covered.then_some(usize::from(bin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_the_clients_of_the_time_that_is_covered() {
        let clock = CivilClock::of_log(&BTreeMap::from([(0, 3600)]));
        // Minute by minute, a client each, for two weeks and a bit; a hole within a bin, and one of two days.
        let starts: Vec<Start> =
            (0..21_000).rev().map(|i| Start::new(1_000 + i * 60, (i as u64).wrapping_mul(1 << 20))).collect();
        let coverage = Coverage::new(5_000, 1_255_000, &[70_000..70_150, 400_000..580_000], 0);
        let (one, other) = starts.split_at(7_000);
        let pieces = [one.to_vec(), other.to_vec()];
        let crowd = Crowd { starts: &pieces, k: 11 };
        let found = crowd.of_week(&coverage, &clock);
        let mut expected: BTreeMap<i64, u64> = BTreeMap::new();
        for start in &starts {
            if coverage.stretches().iter().any(|stretch| stretch.contains(&start.at_s())) {
                *expected.entry(bin_of_week(&clock, start.at_s()) as i64).or_insert(0) += 1;
            }
        }
        assert!(expected.values().any(|count| *count == 10) && expected.values().any(|count| *count < 6));
        assert_eq!(found.len(), expected.len());
        for (bin, clients) in expected {
            assert_eq!(found[&bin].has_enough(), clients >= 11, "{bin}: {clients}");
            if clients < 11 {
                assert_eq!(found[&bin].count, clients, "{bin}");
            }
        }
        assert!(crowd.is_in_each(|at_s| at_s / 604_800));
        assert!(!crowd.is_in_each(|at_s| at_s / 600));
    }
}
