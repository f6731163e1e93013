//! How long a pause may be before it ends a session.
//!
//! Pauses within visits and absences between them show as two humps in the logarithm of the gaps between a client's
//! requests; the session gap belongs where a gap is as likely one as the other (Halfaker et al., WWW 2015).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use shared::distribution::{Law, LognormalComponent};

use super::family::log_density;
use super::gaps::{Gaps, Window};
use super::lognormals;

/// The session gap where nothing else is known, in seconds.
pub const USUAL_S: f64 = 1800.0;
/// Session gaps that the humps may choose, in seconds: beyond, they are not what separates visits.
const RANGE_S: RangeInclusive<f64> = 300.0..=7200.0;
/// What two humps must explain better than one: a difference of this much is very strong evidence (Raftery 1995).
const LEAST_DELTA_BIC: f64 = 10.0;
/// Shorter gaps are a page's, or lost in whole-second stamps.
const SHORTEST_S: f64 = 1.0;

/// A session gap, and how it was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SessionGap {
    /// The session gap in seconds.
    pub gap_s: f64,
    /// Where pauses and absences are equally likely, in seconds; `None` where there are no two humps, and the usual gap
    /// is kept.
    pub crossing_s: Option<f64>,
    /// How much better two humps explain the gaps than one.
    pub delta_bic: f64,
}

/// The session gap that the gaps between consecutive requests of all clients ask for.
///
/// `counts` is by bin of a log-histogram of seconds whose bins are `log_width` wide; `None` is zero. Gaps of less than a
/// second are not looked at. [`USUAL_S`] where the gaps have one hump, or are too few to tell.
pub fn find(counts: &BTreeMap<Option<i32>, u64>, log_width: f64) -> SessionGap {
    let shortest = (SHORTEST_S.ln() / log_width) as i32;
    let counts: BTreeMap<Option<i32>, u64> =
        counts.iter().filter(|(bin, _)| **bin > Some(shortest)).map(|(bin, count)| (*bin, *count)).collect();
    let usual = |delta_bic| SessionGap { gap_s: USUAL_S, crossing_s: None, delta_bic };
    let window = Window { shortest_s: (f64::from(shortest) * log_width).exp(), ..Window::OPEN };
    let Some(gaps) = Gaps::exact(&counts, log_width, window) else { return usual(0.0) };
    let fits = lognormals::fit(&gaps);
    let [(_, one), (Law::LognormalMixture { components }, two), ..] = fits.as_slice() else {
        return usual(0.0);
    };
    let delta_bic = 2.0 * gaps.n * (one - two) - 3.0 * gaps.n.ln();
    if delta_bic < LEAST_DELTA_BIC {
        return usual(delta_bic);
    }
    match crossing_s(&components[0], &components[1]) {
        Some(crossing_s) => SessionGap {
            gap_s: crossing_s.clamp(*RANGE_S.start(), *RANGE_S.end()),
            crossing_s: Some(crossing_s),
            delta_bic,
        },
        None => usual(delta_bic),
    }
}

/// Where `long` becomes more likely than `short`, between their middles; `None` when it is so, or is not, all the way.
fn crossing_s(short: &LognormalComponent, long: &LognormalComponent) -> Option<f64> {
    let density =
        |c: &LognormalComponent, y| c.weight * log_density(&Law::Lognormal { mu: c.mu, sigma: c.sigma }, y);
    let is_long = |y: f64| density(long, y) > density(short, y);
    let (mut low, mut high) = (short.mu, long.mu);
    if is_long(low) || !is_long(high) {
        return None;
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if is_long(middle) { high = middle } else { low = middle }
    }
    Some((0.5 * (low + high)).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG_WIDTH: f64 = 0.02;

    fn counts(parts: &[(f64, f64, u32)]) -> BTreeMap<Option<i32>, u64> {
        let mut counts = BTreeMap::new();
        for (median, sigma, n) in parts {
            let law = Law::Lognormal { mu: median.ln(), sigma: *sigma };
            for i in 0..*n {
                let gap = law.quantile((f64::from(i) + 0.5) / f64::from(*n));
                *counts.entry(Some(shared::distribution::bin_index(gap, LOG_WIDTH))).or_insert(0) += 1;
            }
        }
        counts
    }

    #[test]
    fn the_gap_lies_between_two_humps() {
        // Equal widths and weights cross in the middle of the logarithms.
        let found = find(&counts(&[(10.0, 1.0, 5000), (36_000.0, 1.0, 5000)]), LOG_WIDTH);
        assert!((found.gap_s / 600.0 - 1.0).abs() < 0.1, "{found:?}");
    }

    #[test]
    fn one_hump_keeps_the_usual_gap_and_far_humps_do_not_stretch_it() {
        let one = find(&counts(&[(10.0, 1.0, 5000)]), LOG_WIDTH);
        assert!((one.gap_s - USUAL_S).abs() < 1e-9 && one.crossing_s.is_none(), "{one:?}");
        assert_eq!(find(&BTreeMap::new(), LOG_WIDTH).crossing_s, None);
        assert_eq!(find(&BTreeMap::from([(None, 50), (Some(9), 1)]), LOG_WIDTH).crossing_s, None);
        let short = find(&counts(&[(1.5, 0.3, 5000), (30.0, 0.5, 5000)]), LOG_WIDTH);
        assert!((short.gap_s - 300.0).abs() < 1e-9 && short.crossing_s.unwrap() < 30.0, "{short:?}");
    }
}
