//! The rate of session starts over the civil week, as a piecewise-linear curve.
//!
//! Counts in bins of five minutes are Poisson with mean exposure × rate; the knots are fitted by [`super::em`].
//! How fine the curve is depends on how much traffic there is: a knot should stand on a hundred sessions, so
//! sparse logs share one shape between days that are usually alike, and space their knots wider.

use std::collections::BTreeMap;

use shared::units::Weekday;

use super::em::{self, Row};
use crate::tally::ARRIVAL_BIN_S;
use crate::tally::cell::{Bin, runs_of_enough};
use crate::tally::civil::CivilClock;
use crate::weight::REQUEST;

/// Sessions that a knot should stand on.
const SESSIONS_PER_KNOT: f64 = 100.0;
const DAY_S: i64 = 86_400;
const BINS_PER_DAY: usize = (DAY_S / ARRIVAL_BIN_S) as usize;
const BINS_PER_WEEK: usize = 7 * BINS_PER_DAY;

/// Which days have one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Each day its own.
    None,
    /// Monday to Friday one, Saturday and Sunday another; each day its own level.
    Weekdays,
    /// All days one.
    All,
}

impl Sharing {
    fn groups(self) -> Vec<Vec<Weekday>> {
        match self {
            Self::None => Weekday::ALL.iter().map(|day| vec![*day]).collect(),
            Self::Weekdays => vec![Weekday::ALL[..5].to_vec(), Weekday::ALL[5..].to_vec()],
            Self::All => vec![Weekday::ALL.to_vec()],
        }
    }
}

/// The curve.
#[derive(Debug, Clone)]
pub(crate) struct Curve {
    pub(crate) knots_every_s: u32,
    pub(crate) sharing: Sharing,
    /// Sessions per second at each knot, by day.
    pub(crate) days: [Vec<f64>; 7],
}

/// Seconds that a log was running in each bin of the civil week, from `from_s` to `to_s` (UTC).
pub(crate) fn exposure_s(clock: &CivilClock, from_s: i64, to_s: i64) -> Vec<f64> {
    let mut exposure = vec![0.0; BINS_PER_WEEK];
    let mut at = from_s;
    while at < to_s {
        // Offsets are whole minutes, so bins of civil time begin at whole minutes of UTC too.
        let into = clock.second_of_week(at).rem_euclid(ARRIVAL_BIN_S);
        let end = (at + ARRIVAL_BIN_S - into).min(to_s);
        exposure[(clock.second_of_week(at) / ARRIVAL_BIN_S) as usize] += (end - at) as f64;
        at = end;
    }
    exposure
}

/// Fits the curve to session starts by bin of the civil week, `k` clients behind every knot.
pub(crate) fn fit(starts: &BTreeMap<i64, Bin>, exposure_s: &[f64], k: u64) -> Curve {
    let total: u64 = starts.values().map(|bin| bin.count).sum();
    let (sharing, knots_every_s) = resolution(total as f64, exposure_s);
    let mut days: [Vec<f64>; 7] = Default::default();
    for group in sharing.groups() {
        let shape = fit_shape(starts, exposure_s, &group, knots_every_s, k);
        for (day, level) in levels(starts, exposure_s, &group, &shape, knots_every_s) {
            days[day.index()] = shape.iter().map(|rate| rate * level).collect();
        }
    }
    Curve { knots_every_s: knots_every_s as u32, sharing, days }
}

/// The finest curve of which every knot stands on enough sessions.
fn resolution(total: f64, exposure_s: &[f64]) -> (Sharing, i64) {
    let candidates = [
        (Sharing::None, 1800),
        (Sharing::None, 3600),
        (Sharing::Weekdays, 1800),
        (Sharing::Weekdays, 3600),
        (Sharing::All, 1800),
        (Sharing::All, 3600),
        (Sharing::All, 7200),
        (Sharing::All, 14_400),
        (Sharing::All, 21_600),
    ];
    let seen_share =
        exposure_s.iter().filter(|seconds| **seconds > 0.0).count() as f64 / BINS_PER_WEEK as f64;
    let days_seen = (seen_share * 7.0).max(1.0 / 48.0);
    let fits = |(sharing, spacing): &(Sharing, i64)| {
        let knots_per_day = (DAY_S / spacing) as f64;
        let days = match sharing {
            Sharing::None => days_seen,
            Sharing::Weekdays => days_seen.min(2.0),
            Sharing::All => days_seen.min(1.0),
        };
        // A week with days that the log does not hold cannot have shapes of its own for them.
        let whole_week = seen_share > 0.99 || *sharing == Sharing::All;
        whole_week && total / (days * knots_per_day) >= SESSIONS_PER_KNOT
    };
    candidates.into_iter().find(fits).unwrap_or((Sharing::All, 21_600))
}

/// One day's knots for all days of `group`, from their counts together.
fn fit_shape(
    starts: &BTreeMap<i64, Bin>,
    exposure_s: &[f64],
    group: &[Weekday],
    spacing_s: i64,
    k: u64,
) -> Vec<f64> {
    let columns = (DAY_S / spacing_s) as usize;
    let bins_per_knot = BINS_PER_DAY / columns;
    let mut rows: Vec<Row> = Vec::new();
    let mut counts = Vec::new();
    let mut clients = vec![Bin::default(); columns];
    for bin in 0..BINS_PER_DAY {
        let of_days = || group.iter().map(|day| day.index() * BINS_PER_DAY + bin);
        let exposed: f64 = of_days().map(|at| exposure_s[at]).sum();
        let (knot, into) = (bin / bins_per_knot, bin % bins_per_knot);
        let x = (into as f64 + 0.5) / bins_per_knot as f64;
        let nearest = if x < 0.5 { knot } else { (knot + 1) % columns };
        let mut mass = 0;
        for found in of_days().filter_map(|at| starts.get(&(at as i64))) {
            clients[nearest].merge(found, k);
            mass += found.mass;
        }
        if exposed > 0.0 {
            rows.push(vec![(knot, exposed * (1.0 - x)), ((knot + 1) % columns, exposed * x)]);
            counts.push(sessions(mass));
        }
    }
    let seen: Vec<bool> = (0..columns)
        .map(|at| rows.iter().flatten().any(|(knot, weight)| *knot == at && *weight > 0.0))
        .collect();
    let mut knots = em::fit(&rows, &counts, columns);
    level_thin_runs(&mut knots, &clients, &seen, k);
    knots
}

/// Sessions of a count in thousandths.
fn sessions(mass: u64) -> f64 {
    mass as f64 / REQUEST as f64
}

/// Runs of knots with too few clients get one common rate, so that no rate tells of fewer than k people.
fn level_thin_runs(knots: &mut [f64], clients: &[Bin], seen: &[bool], k: u64) {
    for (run, _) in runs_of_enough(clients.iter(), k) {
        let known = run.clone().filter(|at| seen[*at]);
        let mean = known.clone().map(|at| knots[at]).sum::<f64>() / known.count().max(1) as f64;
        if run.len() > 1 {
            knots[run].iter_mut().for_each(|rate| *rate = mean);
        }
    }
}

/// How busy each day of `group` was, relative to their common shape.
fn levels(
    starts: &BTreeMap<i64, Bin>,
    exposure_s: &[f64],
    group: &[Weekday],
    shape: &[f64],
    spacing_s: i64,
) -> Vec<(Weekday, f64)> {
    if group.len() == Weekday::ALL.len() {
        return group.iter().map(|day| (*day, 1.0)).collect();
    }
    let bins_per_knot = (spacing_s / ARRIVAL_BIN_S) as usize;
    let level = |day: &Weekday| {
        let bins = || (0..BINS_PER_DAY).map(|bin| (bin, day.index() * BINS_PER_DAY + bin));
        let found: u64 = bins().filter_map(|(_, at)| starts.get(&(at as i64))).map(|bin| bin.mass).sum();
        let expected: f64 = bins()
            .map(|(bin, at)| {
                let (knot, x) =
                    (bin / bins_per_knot, ((bin % bins_per_knot) as f64 + 0.5) / bins_per_knot as f64);
                exposure_s[at] * (shape[knot] * (1.0 - x) + shape[(knot + 1) % shape.len()] * x)
            })
            .sum();
        if expected > 0.0 { sessions(found) / expected } else { 1.0 }
    };
    group.iter().map(|day| (*day, level(day))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> CivilClock {
        CivilClock::of_log(&BTreeMap::from([(0, 0)]))
    }

    #[test]
    fn exposure_counts_each_second_once() {
        let monday = 4 * DAY_S;
        let exposure = exposure_s(&clock(), monday + 100, monday + 10 * DAY_S + 250);
        assert!((exposure.iter().sum::<f64>() - (10 * DAY_S + 150) as f64).abs() < 1e-6);
        assert!((exposure[0] - (200.0 + 300.0)).abs() < 1e-6);
        assert!((exposure[BINS_PER_WEEK - 1] - 300.0).abs() < 1e-6);
    }

    #[test]
    fn a_known_curve_comes_back() {
        let monday = 4 * DAY_S;
        let exposure = exposure_s(&clock(), monday, monday + 7 * DAY_S);
        let rate =
            |bin: i64| 0.1 + 0.05 * (2.0 * std::f64::consts::PI * bin as f64 / BINS_PER_DAY as f64).sin();
        let mut starts = BTreeMap::new();
        for bin in 0..BINS_PER_WEEK as i64 {
            let mut found = Bin::default();
            (0..(rate(bin) * 300.0).round() as u64)
                .for_each(|i| found.add(bin as u64 * 1000 + i, REQUEST, 10));
            starts.insert(bin, found);
        }
        let curve = fit(&starts, &exposure, 10);
        assert_eq!((curve.sharing, curve.knots_every_s), (Sharing::None, 1800));
        for (at, found) in curve.days[2].iter().enumerate() {
            let expected = rate(at as i64 * 6);
            assert!((found / expected - 1.0).abs() < 0.03, "{at}: {found} {expected}");
        }
    }

    #[test]
    fn a_thin_night_has_one_rate() {
        let mut knots = vec![1.0, 3.0, 5.0, 100.0];
        let crowd = |clients: std::ops::Range<u64>| {
            let mut bin = Bin::default();
            clients.for_each(|client| bin.add(client, REQUEST, 10));
            bin
        };
        let clients = [crowd(0..4), crowd(4..8), crowd(8..12), crowd(0..50)];
        level_thin_runs(&mut knots, &clients, &[true; 4], 10);
        assert_eq!(knots, [3.0, 3.0, 3.0, 100.0]);
    }
}
