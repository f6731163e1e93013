//! Histograms of times, also of those that nobody saw the end of.
//!
//! A request that got no answer waited longer than it was let: its time is right-censored. Left out, or counted as it
//! is, the slowest would make a target look fast. The estimator is the product limit (Kaplan & Meier 1958): who is
//! still waiting when counting ends says only that the time is longer. Without censored times it is the plain
//! distribution. Quantiles that lie where hardly anybody got an answer have no value, only a bound.

use hdrhistogram::Histogram;

use crate::clock::SECOND_NS;

/// A histogram of times in whole microseconds, to three digits, up to an hour.
///
/// It takes memory only once there is a time: most endpoints of a long profile are hardly requested, and of most
/// requests the end is seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Times(Option<Histogram<u64>>);

impl Times {
    /// Longer times count as this.
    const LONGEST_US: u64 = 3_600_000_000;

    /// Adds a time of `ns` nanoseconds.
    pub(crate) fn add(&mut self, ns: u64) {
        self.add_us(ns / (SECOND_NS / 1_000_000), 1);
    }

    /// Adds `count` times of `us` microseconds.
    pub(crate) fn add_us(&mut self, us: u64, count: u64) {
        let added = self.histogram().record_n(us.min(Self::LONGEST_US), count);
        added.expect("it grows to any value below its cut");
    }

    /// Adds all times of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        if let Some(other) = &other.0 {
            self.histogram().add(other).expect("it grows to any value below its cut");
        }
    }

    fn histogram(&mut self) -> &mut Histogram<u64> {
        self.0.get_or_insert_with(|| Histogram::new(3).expect("three digits are among the allowed"))
    }

    /// Number of times.
    pub(crate) fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
    }

    /// Number of times of at least `ns` nanoseconds, to the width of a bin.
    pub(crate) fn count_from(&self, ns: u64) -> u64 {
        let us = ns / (SECOND_NS / 1_000_000);
        self.bins().filter(|(at_us, _)| *at_us >= us).map(|(_, count)| count).sum()
    }

    /// The `q`-quantile in seconds; 0 without times.
    pub(crate) fn quantile_s(&self, q: f64) -> f64 {
        self.0.as_ref().map_or(0.0, |times| times.value_at_quantile(q) as f64 / 1e6)
    }

    /// The longest, in seconds; 0 without times.
    pub(crate) fn max_s(&self) -> f64 {
        self.0.as_ref().map_or(0.0, |times| times.max() as f64 / 1e6)
    }

    /// What is not empty, ascending: the largest time of a bin in microseconds, and how many times it holds.
    pub(crate) fn bins(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let bins = self.0.iter().flat_map(Histogram::iter_recorded);
        bins.map(|bin| (bin.value_iterated_to(), bin.count_at_value()))
    }

    fn sum_s(&self) -> f64 {
        self.0.as_ref().map_or(0.0, |times| times.mean() * times.len() as f64 / 1e6)
    }
}

/// Times of which some are only known to be longer than what was waited.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Waits {
    /// Those that ended.
    pub(crate) ended: Times,
    /// What the others had got to when nobody waited any more.
    pub(crate) unended: Times,
}

impl Waits {
    /// Adds all times of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.ended.merge(&other.ended);
        self.unended.merge(&other.unended);
    }

    /// Number of times, ended or not.
    pub(crate) fn count(&self) -> u64 {
        self.ended.count() + self.unended.count()
    }

    /// Mean in seconds of what was waited: a lower bound if some did not end; 0 without times.
    pub(crate) fn mean_s(&self) -> f64 {
        (self.ended.sum_s() + self.unended.sum_s()) / self.count().max(1) as f64
    }

    /// The longest wait in seconds, ended or not.
    pub(crate) fn max_s(&self) -> f64 {
        self.ended.max_s().max(self.unended.max_s())
    }

    /// The distribution.
    pub(crate) fn curve(&self) -> Curve {
        let mut unended = self.unended.bins().peekable();
        let mut at_risk = self.count() as f64;
        let mut surviving = 1.0;
        let mut steps = Vec::new();
        for (us, count) in self.ended.bins() {
            // Who waited exactly as long as an answer took was still waiting then.
            while let Some((_, gone)) = unended.next_if(|(waited_us, _)| *waited_us < us) {
                at_risk -= gone as f64;
            }
            surviving *= 1.0 - count as f64 / at_risk;
            at_risk -= count as f64;
            steps.push((us, 1.0 - surviving));
        }
        // Products leave crumbs: if the longest wait ended, all is known.
        let known_share = if unended.peek().is_none() && !steps.is_empty() { 1.0 } else { 1.0 - surviving };
        let mut waited = self.ended.clone();
        waited.merge(&self.unended);
        Curve { n: self.count(), steps, known_share, waited }
    }
}

/// The distribution function of a time.
#[derive(Debug, Clone)]
pub(crate) struct Curve {
    pub(crate) n: u64,
    /// Time in microseconds, and the share of times up to it.
    steps: Vec<(u64, f64)>,
    /// Share of times that is known; of quantiles beyond is only known what they are at least.
    pub(crate) known_share: f64,
    /// All times as if they had ended when nobody waited any more: none is shorter.
    waited: Times,
}

/// A quantile, or what it is at least.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bound {
    pub(crate) s: f64,
    /// Is it no more than a lower bound?
    pub(crate) at_least: bool,
}

impl Curve {
    /// The `q`-quantile in seconds; 0 without times.
    pub(crate) fn quantile(&self, q: f64) -> Bound {
        /// What rounding may take from a share.
        const CRUMB: f64 = 1e-12;
        let at = self.steps.partition_point(|(_, share)| *share + CRUMB < q);
        match self.steps.get(at).or(self.steps.last().filter(|_| self.known_share + CRUMB >= q)) {
            Some((us, _)) => Bound { s: *us as f64 / 1e6, at_least: false },
            None => Bound { s: self.waited.quantile_s(q), at_least: self.n > 0 },
        }
    }

    /// Between which quantiles the true one lies with 95 % confidence: `n q ± 1.96 sqrt(n q (1 - q))` are the ranks
    /// (the binomial law of the rank, as Lancet does: Kogias, Mallon, Bugnion, ATC 2019). Where there are too few times
    /// for an upper end, it is only bounded below.
    pub(crate) fn interval(&self, q: f64) -> [Bound; 2] {
        const Z: f64 = 1.96;
        let n = self.n as f64;
        let reach = Z * (n * q * (1.0 - q)).sqrt();
        let low = (n * q - reach).floor().max(1.0);
        let high = (n * q + reach).ceil() + 1.0;
        let to = self.quantile((high / n).min(1.0));
        [self.quantile(low / n.max(1.0)), Bound { at_least: to.at_least || high > n, ..to }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Purpose, Stream};

    const MS: u64 = 1_000_000;

    fn waits(ended_ms: &[u64], unended_ms: &[u64]) -> Waits {
        let mut waits = Waits::default();
        ended_ms.iter().for_each(|ms| waits.ended.add(ms * MS));
        unended_ms.iter().for_each(|ms| waits.unended.add(ms * MS));
        waits
    }

    #[test]
    fn times_beyond_an_hour_count_as_an_hour() {
        let mut times = Times::default();
        times.add(u64::MAX);
        assert!((times.max_s() - 3600.0).abs() < 4.0);
    }

    #[test]
    fn without_censored_times_the_curve_is_the_plain_distribution() {
        let waits = waits(&(1..=1000).collect::<Vec<_>>(), &[]);
        for q in [0.001, 0.1, 0.5, 0.95, 0.99, 0.999, 1.0] {
            let bound = waits.curve().quantile(q);
            assert!(!bound.at_least && (bound.s - waits.ended.quantile_s(q)).abs() < 1e-9, "{q}: {bound:?}");
        }
        assert_eq!(Waits::default().curve().quantile(0.5), Bound { s: 0.0, at_least: false });
    }

    /// Kaplan and Meier's own kind of table, worked out by hand: 6, 6, 6, 6+, 7, 9+, 10, 10+ give
    /// S(6) = 5/8, S(7) = 5/8 · 3/4, S(10) = 5/8 · 3/4 · 1/2.
    #[test]
    fn censored_times_weigh_on_what_comes_after_them() {
        let waits = waits(&[6, 6, 6, 7, 10], &[6, 9, 10]);
        let curve = waits.curve();
        let shares: Vec<f64> = curve.steps.iter().map(|(_, share)| *share).collect();
        for (found, expected) in shares.iter().zip([0.375, 0.531_25, 0.765_625]) {
            assert!((found - expected).abs() < 1e-12, "{shares:?}");
        }
        assert!((curve.known_share - 0.765_625).abs() < 1e-12);
        assert!(!curve.quantile(0.76).at_least && (curve.quantile(0.76).s - 0.010).abs() < 1e-4);
        assert_eq!(curve.quantile(0.77), Bound { s: waits.max_s(), at_least: true });
    }

    #[test]
    fn what_never_ended_is_a_bound_at_every_quantile_beyond() {
        // One in ten given up after 30 s: the 95th percentile is not 8 ms and not 30 s, but longer than that.
        let waits = waits(&[8; 90], &[30_000; 10]);
        let curve = waits.curve();
        assert!(!curve.quantile(0.9).at_least && (curve.quantile(0.9).s - 0.008).abs() < 1e-5);
        assert!(curve.quantile(0.95).at_least && (curve.quantile(0.95).s - 30.0).abs() < 0.04);
        assert!(curve.interval(0.9)[1].at_least && !curve.interval(0.5)[1].at_least);
    }

    #[test]
    fn intervals_hold_the_true_quantile_as_often_as_they_say() {
        for (q, n) in [(0.5_f64, 200), (0.95, 400), (0.99, 2000)] {
            let covered = (0..400_u64).filter(|seed| {
                let mut stream = Stream::new(Key { seed: *seed, block: 1, index: n }, Purpose::Gaps);
                let mut waits = Waits::default();
                (0..n).for_each(|_| waits.ended.add_us((-1e5 * stream.uniform().ln()) as u64, 1));
                let truth_s = -0.1 * (1.0 - q).ln();
                let [from, to] = waits.curve().interval(q);
                from.s <= truth_s && (to.at_least || truth_s <= to.s)
            });
            let covered = covered.count();
            assert!((368..=398).contains(&covered), "{q}: {covered} of 400");
        }
    }
}
