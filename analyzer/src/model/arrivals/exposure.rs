//! For how long a log could have seen sessions start, at each time of the week.
//!
//! A rate is a count over the time in which it could be counted: the time of the log, less its gaps, less what
//! follows each edge. There a session that was already running looks as if it began, because what came before it
//! is not in the log.

use std::ops::Range;

use crate::tally::ARRIVAL_BIN_S;
use crate::tally::civil::CivilClock;

const DAY_S: i64 = 86_400;
/// Bins of [`ARRIVAL_BIN_S`] in a week.
pub const BINS_PER_WEEK: usize = (7 * DAY_S / ARRIVAL_BIN_S) as usize;
/// A stretch gives up at most one part in so many of itself to its edge, so that short logs keep something.
const LEAST_PART: i64 = 10;

/// When sessions started, in whole seconds since 1970. A busy log has many in each second, so they are kept by second.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Starts {
    /// Seconds with at least one, in order.
    seconds: Vec<i64>,
    /// How many started before each of these, and how many there are.
    before: Vec<u64>,
}

impl Starts {
    /// Of sorted seconds.
    pub fn of(sorted: impl IntoIterator<Item = i64>) -> Self {
        let mut starts = Self { seconds: Vec::new(), before: vec![0] };
        let mut count = 0;
        for second in sorted {
            if starts.seconds.last() == Some(&second) {
                starts.before.pop();
            } else {
                starts.seconds.push(second);
            }
            count += 1;
            starts.before.push(count);
        }
        starts
    }

    /// Of seconds in any order: counted in a table where they lie densely enough, which is far quicker than sorting
    /// millions.
    pub(crate) fn of_any_order(seconds: impl Iterator<Item = i64> + Clone) -> Self {
        /// Seconds for each start in the mean beyond which most places of the table would be empty.
        const SPARSE: usize = 4;
        let (first, last, count) =
            seconds.clone().fold((i64::MAX, i64::MIN, 0), |(first, last, count), at_s| {
                (first.min(at_s), last.max(at_s), count + 1)
            });
        let span = usize::try_from(last.saturating_sub(first)).map_or(usize::MAX, |span| span + 1);
        if span / SPARSE > count {
            let mut sorted: Vec<i64> = seconds.collect();
            sorted.sort_unstable();
            return Self::of(sorted);
        }
        let mut counts = vec![0_u32; span];
        seconds.for_each(|at_s| counts[(at_s - first) as usize] += 1);
        let filled = counts.iter().filter(|count| **count > 0).count();
        let mut starts = Self { seconds: Vec::with_capacity(filled), before: Vec::with_capacity(filled + 1) };
        let mut before = 0;
        starts.before.push(before);
        for (second, count) in (first..).zip(counts).filter(|(_, count)| *count > 0) {
            before += u64::from(count);
            starts.seconds.push(second);
            starts.before.push(before);
        }
        starts
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.before.last().copied().unwrap_or(0)
    }

    /// How many come before the second `limit`.
    pub fn before(&self, limit: i64) -> u64 {
        let at = self.seconds.partition_point(|second| *second < limit);
        self.before.get(at).copied().unwrap_or(0)
    }

    /// Seconds with the number of starts in each, in order.
    pub fn by_second(&self) -> impl Iterator<Item = (i64, f64)> {
        self.among(0..self.seconds.len())
    }

    /// The seconds of `stretch` in which any start.
    fn within(&self, stretch: &Range<i64>) -> Range<usize> {
        let at = |limit: i64| self.seconds.partition_point(|second| *second < limit);
        at(stretch.start)..at(stretch.end)
    }

    fn among(&self, range: Range<usize>) -> impl Iterator<Item = (i64, f64)> {
        range.map(|at| (self.seconds[at], (self.before[at + 1] - self.before[at]) as f64))
    }
}

/// The seconds since 1970 in which session starts can be seen: stretches in order, apart from each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    stretches: Vec<Range<i64>>,
}

impl Coverage {
    /// The log from `from_s` until before `to_s`, without `gaps` (in any order) and without the first `blind_s`
    /// seconds of every stretch between them, or a tenth of the stretch where that is less.
    pub fn new(from_s: i64, to_s: i64, gaps: &[Range<i64>], blind_s: i64) -> Self {
        let log = Range { start: from_s, end: to_s.max(from_s) };
        let mut running = cut(&[log], gaps);
        for stretch in &mut running {
            stretch.start += blind_s.min((stretch.end - stretch.start) / LEAST_PART);
        }
        Self { stretches: running }
    }

    /// What is left without `holes`, after each of which `blind_s` seconds are blind as well.
    pub fn without(&self, holes: &[Range<i64>], blind_s: i64) -> Self {
        let holes: Vec<Range<i64>> = holes.iter().map(|hole| hole.start..hole.end + blind_s).collect();
        Self { stretches: cut(&self.stretches, &holes) }
    }

    /// The stretches, in order.
    pub fn stretches(&self) -> &[Range<i64>] {
        &self.stretches
    }

    /// Seconds in all.
    pub fn seconds(&self) -> i64 {
        self.stretches.iter().map(|stretch| stretch.end - stretch.start).sum()
    }

    /// Those of `starts` that are covered, stretch by stretch: the seconds, with the number of starts in each.
    pub fn covered<'s>(
        &'s self,
        starts: &'s Starts,
    ) -> impl Iterator<Item = (Range<i64>, impl Iterator<Item = (i64, f64)>)> {
        let of = |stretch: &Range<i64>| (stretch.clone(), starts.among(starts.within(stretch)));
        self.stretches.iter().map(of)
    }

    /// Pieces of the coverage that lie in one bin of UTC and so in one bin of civil time, in order.
    ///
    /// Offsets are whole quarters of an hour, so bins of civil time begin where bins of UTC do.
    pub fn pieces(&self) -> impl Iterator<Item = Range<i64>> {
        self.stretches.iter().flat_map(|stretch| {
            let (first, last) =
                (stretch.start.div_euclid(ARRIVAL_BIN_S), (stretch.end - 1).div_euclid(ARRIVAL_BIN_S));
            (first..=last).map(|bin| {
                (bin * ARRIVAL_BIN_S).max(stretch.start)..((bin + 1) * ARRIVAL_BIN_S).min(stretch.end)
            })
        })
    }

    /// Seconds covered in each bin of the civil week, Monday 00:00 first.
    pub fn week(&self, clock: &CivilClock) -> Vec<f64> {
        let mut exposure_s = vec![0.0; BINS_PER_WEEK];
        for piece in self.pieces() {
            exposure_s[bin_of_week(clock, piece.start)] += (piece.end - piece.start) as f64;
        }
        exposure_s
    }

    /// What `counts` (by second since 1970, in order) add up to in each of the [`Self::pieces`].
    pub fn sums(&self, counts: impl IntoIterator<Item = (i64, f64)>) -> Vec<f64> {
        let mut counts = counts.into_iter().peekable();
        let sum = |piece: Range<i64>| {
            while counts.next_if(|(at_s, _)| *at_s < piece.start).is_some() {}
            let mut sum = 0.0;
            while let Some((_, count)) = counts.next_if(|(at_s, _)| *at_s < piece.end) {
                sum += count;
            }
            sum
        };
        self.pieces().map(sum).collect()
    }

    /// Covered starts in each bin of the civil week.
    pub fn week_counts(&self, clock: &CivilClock, starts: &Starts) -> Vec<f64> {
        let mut counts = vec![0.0; BINS_PER_WEEK];
        for (piece, sum) in self.pieces().zip(self.sums(starts.by_second())) {
            counts[bin_of_week(clock, piece.start)] += sum;
        }
        counts
    }
}

/// The bin of the civil week that an instant is in.
pub fn bin_of_week(clock: &CivilClock, utc_s: i64) -> usize {
    (clock.second_of_week(utc_s) / ARRIVAL_BIN_S) as usize
}

/// `ranges` (in order) without `holes`.
fn cut(ranges: &[Range<i64>], holes: &[Range<i64>]) -> Vec<Range<i64>> {
    let mut holes: Vec<&Range<i64>> = holes.iter().collect();
    holes.sort_by_key(|hole| (hole.start, hole.end));
    let mut left = Vec::new();
    for range in ranges {
        let mut from = range.start;
        for hole in holes.iter().filter(|hole| hole.start < range.end && hole.end > range.start) {
            left.push(from..hole.start);
            from = from.max(hole.end);
        }
        left.push(from..range.end);
    }
    left.retain(|range| range.start < range.end);
    left
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[track_caller]
    fn check(coverage: &Coverage, expected: &[(i64, i64)]) {
        let stretches = coverage.stretches().iter().map(|stretch| (stretch.start, stretch.end));
        assert_eq!(stretches.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn edges_and_gaps_are_blind() {
        let coverage = Coverage::new(1000, 101_000, &[60_000..70_000, 50_000..55_000, 52_000..61_000], 1800);
        check(&coverage, &[(2800, 50_000), (71_800, 101_000)]);
        let less = coverage.without(&[40_000..42_000, 41_000..45_000], 100);
        check(&less, &[(2800, 40_000), (45_100, 50_000), (71_800, 101_000)]);
        // A short log gives up a tenth.
        check(&Coverage::new(0, 1000, &[], 1800), &[(100, 1000)]);
        check(&Coverage::new(0, 0, &[], 1800), &[]);
    }

    #[test]
    fn each_second_is_exposed_once() {
        let clock = CivilClock::of_log(&BTreeMap::from([(0, 0)]));
        let monday = 4 * DAY_S;
        let coverage = Coverage::new(monday + 100, monday + 10 * DAY_S + 250, &[], 0);
        let exposure_s = coverage.week(&clock);
        assert!((exposure_s.iter().sum::<f64>() - coverage.seconds() as f64).abs() < 1e-6);
        assert!((exposure_s[0] - (200.0 + 300.0)).abs() < 1e-6);
        assert!((exposure_s[BINS_PER_WEEK - 1] - 300.0).abs() < 1e-6);
        let starts = Starts::of([monday + 99, monday + 100, monday + 7 * DAY_S + 5, monday + 11 * DAY_S]);
        assert_eq!(coverage.week_counts(&clock, &starts).iter().sum::<f64>() as u64, 2);
    }

    #[test]
    fn starts_are_those_that_were_given() {
        for given in [vec![], vec![5], vec![3, 3, 3, 7, 8, 8, 100]] {
            let starts = Starts::of(given.iter().copied());
            let backwards = given.iter().rev().copied();
            assert_eq!(Starts::of_any_order(backwards.clone()), starts);
            let far = || backwards.clone().map(|at| at * 1_000_000);
            assert_eq!(Starts::of_any_order(far()), Starts::of(far().rev()));
            let each: Vec<i64> =
                starts.by_second().flat_map(|(second, count)| vec![second; count as usize]).collect();
            assert_eq!(each, given);
            assert_eq!(starts.count(), given.len() as u64);
            for limit in 0..110 {
                let expected = given.iter().filter(|at| **at < limit).count();
                assert_eq!(starts.before(limit), expected as u64, "{given:?} before {limit}");
            }
        }
        let starts = Starts::of([3, 3, 7, 8, 8, 100]);
        let covered = Coverage::new(4, 100, &[7..8, 50..51], 0);
        let found: Vec<(i64, f64)> = covered.covered(&starts).flat_map(|(_, seconds)| seconds).collect();
        assert_eq!(found, [(8, 2.0)]);
    }
}
