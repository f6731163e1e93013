//! Which gaps were seen: integer counts, made ready for a fit.

use std::collections::BTreeMap;

use shared::distribution::Law;

use super::family;

/// From what, besides its law, the likelihood of a gap follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// The longest pause that does not end a session, in seconds; infinite where there is none.
    pub longest_s: f64,
    /// Share of gaps, 0..1, that are no pauses but returns within the session gap ([`super::sideband`]): these are
    /// spread evenly over it.
    pub background: f64,
}

impl Window {
    /// All gaps are pauses, however long.
    pub const OPEN: Self = Self { longest_s: f64::INFINITY, background: 0.0 };
}

/// How a gap was seen, and with it how its likelihood is found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Seen {
    /// Between whole-second stamps: seconds, the duration between the stamps taken off.
    Whole(f64),
    /// Exactly: the logarithm of seconds.
    Exact(f64),
    /// Exactly, and too short for the resolution of the stamps.
    Zero,
}

/// Resolution in seconds that a gap of zero stands for, between stamps finer than a second.
pub(super) const ZERO_S: f64 = 0.001;

/// A gap, how often it was seen, and how likely it is as part of the background.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    pub(super) seen: Seen,
    pub(super) count: f64,
    pub(super) flat: f64,
}

/// Gaps of one kind of pause.
#[derive(Debug, Clone)]
pub struct Gaps {
    pub(super) counted: Vec<Counted>,
    pub(super) window: Window,
    pub(super) n: f64,
    /// Mean and standard deviation of the logarithms, from which fits set out.
    pub(super) log_mean: f64,
    pub(super) log_sd: f64,
}

/// A gap that a law makes less likely than this counts as if it were this likely: one odd gap, or the last digits of a
/// difference, shall not decide a fit.
pub(super) const LEAST_PROBABILITY: f64 = 1e-12;

impl Gaps {
    /// Gaps between whole-second stamps: counts by milliseconds, which may be negative; those of a second and more below
    /// zero are impossible and left out. `None` for fewer than two.
    pub fn whole(counts: &BTreeMap<i64, u64>, window: Window) -> Option<Self> {
        let mut pooled: BTreeMap<(bool, i64), (f64, f64)> = BTreeMap::new();
        for (gap_ms, count) in counts.iter().filter(|(gap_ms, _)| **gap_ms > -1000) {
            let (x, count) = (*gap_ms as f64 / 1000.0, *count as f64);
            let (sum, n) = pooled.entry(bin(*gap_ms)).or_insert((0.0, 0.0));
            *sum += x * count;
            *n += count;
        }
        let counted = pooled.into_values().map(|(sum, count)| {
            let x = sum / count;
            Counted { seen: Seen::Whole(x), count, flat: flat_triangular(x, window.longest_s) }
        });
        // What rounding made zero or less stands for a third of a second.
        Self::new(counted.collect(), window, |seen| match seen {
            Seen::Whole(x) => x.max(0.3).ln(),
            Seen::Exact(y) => y,
            Seen::Zero => ZERO_S.ln(),
        })
    }

    /// Gaps known exactly: counts by bin of a log-histogram of seconds whose bins are `log_width` wide; `None` is zero.
    /// `None` for fewer than two.
    pub fn exact(counts: &BTreeMap<Option<i32>, u64>, log_width: f64, window: Window) -> Option<Self> {
        let counted = counts.iter().filter(|(_, count)| **count > 0).map(|(bin, count)| {
            let seen = bin.map_or(Seen::Zero, |bin| Seen::Exact((f64::from(bin) - 0.5) * log_width));
            let flat = match seen {
                Seen::Exact(y) => y.exp() / window.longest_s,
                Seen::Whole(_) | Seen::Zero => 0.5 * ZERO_S / window.longest_s,
            };
            Counted { seen, count: *count as f64, flat }
        });
        Self::new(counted.collect(), window, |seen| match seen {
            Seen::Exact(y) => y,
            Seen::Whole(_) | Seen::Zero => ZERO_S.ln(),
        })
    }

    fn new(counted: Vec<Counted>, window: Window, log: impl Fn(Seen) -> f64) -> Option<Self> {
        let n: f64 = counted.iter().map(|gap| gap.count).sum();
        let moment =
            |f: &dyn Fn(f64) -> f64| counted.iter().map(|gap| f(log(gap.seen)) * gap.count).sum::<f64>() / n;
        let log_mean = moment(&|y| y);
        let log_sd = moment(&|y| (y - log_mean).powi(2)).sqrt().max(0.1);
        (n >= 2.0).then_some(Self { counted, window, n, log_mean, log_sd })
    }

    /// The mean negative log-likelihood of `law`.
    pub(super) fn cost(&self, law: &Law) -> f64 {
        let Window { longest_s, background } = self.window;
        let kept = if longest_s.is_finite() { law.cdf(longest_s) } else { 1.0 };
        // A law with its middle beyond the cut is not what the gaps below the cut are evidence for.
        if kept < 0.5 {
            return f64::INFINITY;
        }
        let probability = |seen: Seen| match seen {
            Seen::Whole(x) => family::triangular(law, x),
            Seen::Exact(y) => family::log_density(law, y),
            Seen::Zero => family::integrated_cdf(law, ZERO_S) / ZERO_S,
        };
        let cost = self.counted.iter().map(|gap| {
            let p = (1.0 - background) * probability(gap.seen) / kept + background * gap.flat;
            -gap.count * p.max(LEAST_PROBABILITY).ln()
        });
        cost.sum::<f64>() / self.n
    }
}

/// Gaps that are counted as one: within 20 ms, or two percent, where the kernel is flat.
fn bin(gap_ms: i64) -> (bool, i64) {
    const FINEST_MS: i64 = 20;
    const PER_LOG: f64 = 50.0;
    let long = gap_ms >= FINEST_MS * 50;
    (long, if long { ((gap_ms as f64).ln() * PER_LOG) as i64 } else { gap_ms.div_euclid(FINEST_MS) })
}

/// The triangular kernel of gaps spread evenly up to `longest_s`.
fn flat_triangular(x: f64, longest_s: f64) -> f64 {
    let h = |x: f64| 0.5 * x.max(0.0).powi(2) / longest_s;
    if x > 1.0 { 1.0 / longest_s } else { h(x + 1.0) - 2.0 * h(x) + h(x - 1.0) }
}
