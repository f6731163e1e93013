//! What was observed of load: the busiest moments, and quantiles of integer histograms.

use std::collections::BTreeMap;

/// Widths in seconds over which requests per second are averaged.
pub const WINDOWS_S: [i64; 3] = [1, 10, 60];
/// The quantiles that describe a distribution.
pub const QUANTILES: [f64; 7] = [0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99];

/// The busiest window of one width.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Busiest {
    /// Width in seconds.
    pub window_s: i64,
    /// Requests per second in it.
    pub per_s: f64,
    /// Its first second, since 1970: whose clients the caller must count before this figure is published.
    pub from_s: i64,
}

/// The busiest windows, of each of [`WINDOWS_S`]; the first of several. `by_second` is requests by second since 1970.
/// Empty for no requests.
pub fn busiest(by_second: &BTreeMap<i64, u64>) -> Vec<Busiest> {
    let seconds: Vec<(i64, u64)> = by_second.iter().map(|(second, count)| (*second, *count)).collect();
    WINDOWS_S.into_iter().filter_map(|window_s| busiest_of(&seconds, window_s)).collect()
}

/// A window that holds most can be moved until it ends with a second that has requests.
fn busiest_of(seconds: &[(i64, u64)], window_s: i64) -> Option<Busiest> {
    let (mut first, mut inside, mut best) = (0, 0, None);
    for (second, count) in seconds {
        inside += count;
        while seconds[first].0 <= second - window_s {
            inside -= seconds[first].1;
            first += 1;
        }
        if best.is_none_or(|(most, _)| inside > most) {
            best = Some((inside, second - window_s + 1));
        }
    }
    best.map(|(most, from_s)| Busiest { window_s, per_s: most as f64 / window_s as f64, from_s })
}

/// The values of [`QUANTILES`] in a histogram of whole numbers (seconds of a session, requests of one): each the
/// smallest value that at least that share does not exceed.
///
/// Quantiles with fewer than `least` entries up to their rank, or beyond it, are left out: they would be somebody's own
/// value. With `least` at 1 or more, neither the smallest nor the largest entry is told.
pub fn quantiles(histogram: &BTreeMap<u64, u64>, least: u64) -> Vec<(f64, u64)> {
    let n: u64 = histogram.values().sum();
    let mut found = Vec::new();
    for q in QUANTILES {
        let rank = ((q * n as f64).ceil() as u64).max(1);
        if rank >= least.max(1) && rank + least.max(1) <= n {
            let mut below = 0;
            let value = histogram.iter().find(|(_, count)| {
                below += **count;
                below >= rank
            });
            found.extend(value.map(|(value, _)| (q, *value)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_windows_are_found_wherever_they_begin() {
        let by_second = BTreeMap::from([(5, 7), (18, 4), (19, 4), (23, 4), (27, 4), (100, 6)]);
        let found: Vec<(f64, i64)> =
            busiest(&by_second).iter().map(|window| (window.per_s, window.from_s)).collect();
        assert_eq!(found, [(7.0, 5), (1.6, 18), (23.0 / 60.0, -32)]);
        assert_eq!(busiest(&BTreeMap::new()), []);
    }

    #[test]
    fn quantiles_end_where_few_are_left() {
        let histogram: BTreeMap<u64, u64> = (1..=100).map(|value| (value, 1)).collect();
        let at = |least| quantiles(&histogram, least).iter().map(|(_, value)| *value).collect::<Vec<u64>>();
        assert_eq!(at(1), [5, 25, 50, 75, 90, 95, 99]);
        assert_eq!(at(10), [25, 50, 75, 90]);
        assert_eq!(quantiles(&BTreeMap::from([(3, 5)]), 10), []);
    }
}
