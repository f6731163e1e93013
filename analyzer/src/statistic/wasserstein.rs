//! How far values would have to move, in the mean, to turn one distribution into another: Wasserstein-1, the area
//! between the two distribution functions (Vallender 1974).

use shared::distribution::LogHistogram;

/// The distance of two samples, in the unit of their values. `None` when either is empty.
pub fn of_samples(a: &[f64], b: &[f64]) -> Option<f64> {
    let even = |values: &[f64]| values.iter().map(|x| (*x, 1.0)).collect::<Vec<_>>();
    of_weighted(&even(a), &even(b))
}

/// The distance of two samples of (value, weight). `None` unless both have weight.
pub fn of_weighted(a: &[(f64, f64)], b: &[(f64, f64)]) -> Option<f64> {
    let total = |sample: &[(f64, f64)]| sample.iter().map(|(_, weight)| weight).sum::<f64>();
    let (n, m) = (total(a), total(b));
    if n <= 0.0 || m <= 0.0 {
        return None;
    }
    let moved =
        a.iter().map(|(x, weight)| (*x, weight / n)).chain(b.iter().map(|(x, weight)| (*x, -weight / m)));
    let mut steps: Vec<(f64, f64)> = moved.collect();
    steps.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1)));
    let mut difference = 0.0;
    let area = steps.windows(2).map(|pair| {
        difference += pair[0].1;
        difference.abs() * (pair[1].0 - pair[0].0)
    });
    Some(area.sum())
}

/// The distance of the logarithms of two histograms' values: `exp` of it is a factor between them.
///
/// Every value stands at the middle of its bin, so the result is off by less than the relative error of the
/// histograms. Values of zero have no logarithm and do not count. `None` when either has no others.
pub fn of_logs(a: &LogHistogram, b: &LogHistogram) -> Option<f64> {
    let logs = |histogram: &LogHistogram| {
        let bins = histogram.bins.iter();
        bins.map(|(index, count)| (histogram.value(*index).ln(), *count as f64)).collect::<Vec<_>>()
    };
    of_weighted(&logs(a), &logs(b))
}
