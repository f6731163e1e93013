//! The curve that may be published: no rate tells of fewer than k clients.

use std::collections::BTreeMap;

use super::exposure::BINS_PER_WEEK;
use super::rate::Curve;
use crate::tally::cell::{Bin, runs_of_enough};

/// Levels `curve` where the clients of `bins` (by bin of the civil week, the sessions that the curve was fitted to)
/// are fewer than `k`: runs of knots get one common rate, and days with too few clients the level of the others.
///
/// The expected sessions of each shape stay what they were; those of a day whose level is taken away do not.
pub(crate) fn gated(mut curve: Curve, bins: &BTreeMap<i64, Bin>, k: u64) -> Curve {
    let per_day = curve.shapes[0].len();
    let bins_per_day = BINS_PER_WEEK / 7;
    let bins_per_knot = bins_per_day / per_day;
    for shape in 0..curve.shapes.len() {
        let mut of_knots = vec![Bin::default(); per_day];
        let days: Vec<_> = curve.days_of(shape).collect();
        for day in days {
            let mut of_day = Bin::default();
            for bin in 0..bins_per_day {
                let Some(found) = bins.get(&((day.index() * bins_per_day + bin) as i64)) else { continue };
                // A bin belongs to the knot that it is nearest to.
                let knot = (2 * bin + bins_per_knot) / (2 * bins_per_knot) % per_day;
                of_knots[knot].merge(found, k);
                of_day.merge(found, k);
            }
            if !of_day.has_enough() {
                curve.levels[day.index()] = 1.0;
            }
        }
        for (run, _) in runs_of_enough(of_knots.iter(), k) {
            level_run(&mut curve.shapes[shape][run.clone()], &curve.weights_s[shape][run]);
        }
    }
    curve
}

/// One rate for all `knots`, which expects as many sessions as theirs did; knots that stand on nothing follow it.
fn level_run(knots: &mut [f64], weights_s: &[f64]) {
    let weight: f64 = weights_s.iter().sum();
    if knots.len() > 1 && weight > 0.0 {
        let mean = knots.iter().zip(weights_s).map(|(rate, weight)| rate * weight).sum::<f64>() / weight;
        knots.fill(mean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::arrivals::rate::Sharing;
    use crate::weight::REQUEST;

    #[test]
    fn a_thin_night_has_one_rate_and_a_thin_day_no_level() {
        let knots = vec![1.0, 3.0, 5.0, 100.0];
        let curve = Curve {
            knots_every_s: 21_600,
            sharing: Sharing::All,
            shapes: vec![knots],
            levels: [1.2, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0],
            weights_s: vec![vec![1.0, 2.0, 1.0, 1.0]],
        };
        let crowd = |clients: std::ops::Range<u64>| {
            let mut bin = Bin::default();
            clients.for_each(|client| bin.add(client, REQUEST, 10));
            bin
        };
        // At midnight, six, noon and eighteen on Monday; on Tuesday at eighteen by few.
        let bins = BTreeMap::from([
            (0, crowd(0..4)),
            (72, crowd(4..8)),
            (144, crowd(8..12)),
            (216, crowd(0..50)),
            (504, crowd(0..9)),
        ]);
        let curve = gated(curve, &bins, 10);
        assert_eq!(curve.shapes[0], [3.0, 3.0, 3.0, 100.0]);
        assert_eq!(curve.levels[..2], [1.2, 1.0]);
    }
}
