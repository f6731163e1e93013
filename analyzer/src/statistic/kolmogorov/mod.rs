//! Tests by the largest distance between two distribution functions (Kolmogorov 1933, Smirnov 1939).

use shared::distribution::{LogHistogram, Sampler};

use super::Test;

mod limit;
mod one_sample;
mod pelz_good;
mod two_sample;

pub use limit::limit_survival;
pub use one_sample::one_sample_survival;
pub use two_sample::two_sample_survival;

/// Tests whether `values` were drawn from the continuous law with distribution function `cdf`, all of it known.
///
/// `df` of the result is the number of values. Where parameters were estimated from the same values, or where values
/// are rounded, the p-value is wrong (Lilliefors 1967). `None` without values.
pub fn one_sample(values: &[f64], cdf: impl Fn(f64) -> f64) -> Option<Test> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let distance = sorted.iter().enumerate().fold(0.0, |largest: f64, (below, x)| {
        let (below, expected) = (below as f64, cdf(*x));
        largest.max(expected - below / n).max((below + 1.0) / n - expected)
    });
    let p_value = one_sample_survival(distance, sorted.len() as u64);
    (!sorted.is_empty()).then_some(Test { statistic: distance, df: n, p_value })
}

/// Tests whether two samples are of one continuous law.
///
/// `df` of the result is the effective size `nm/(n + m)`. With ties the p-value is too large, never too small. `None`
/// when either is empty.
pub fn two_samples(a: &[f64], b: &[f64]) -> Option<Test> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (mut a, mut b) = (a.to_vec(), b.to_vec());
    a.sort_by(f64::total_cmp);
    b.sort_by(f64::total_cmp);
    let (n, m) = (a.len() as f64, b.len() as f64);
    let (mut i, mut j, mut distance) = (0, 0, 0.0_f64);
    while i < a.len() && j < b.len() {
        let x = a[i].min(b[j]);
        i += a[i..].iter().take_while(|value| **value <= x).count();
        j += b[j..].iter().take_while(|value| **value <= x).count();
        distance = distance.max((i as f64 / n - j as f64 / m).abs());
    }
    let p_value = two_sample_survival(distance, a.len() as u64, b.len() as u64);
    Some(Test { statistic: distance, df: n * m / (n + m), p_value })
}

/// The largest distance between the distribution functions of two histograms, each taken at the edges of its bins.
///
/// Bins hide where in them values lie, so the distance of what was counted may be larger by the content of one bin.
/// `None` when either is empty.
pub fn distance_of_histograms(a: &LogHistogram, b: &LogHistogram) -> Option<f64> {
    let (of_a, of_b) = (Sampler::of_histogram(a)?, Sampler::of_histogram(b)?);
    let edges = |histogram: &LogHistogram| {
        let width = histogram.log_width();
        histogram.bins.keys().map(move |index| (f64::from(*index) * width).exp()).collect::<Vec<f64>>()
    };
    let edges = edges(a).into_iter().chain(edges(b)).chain([0.0]);
    Some(edges.map(|edge| (of_a.cdf(edge) - of_b.cdf(edge)).abs()).fold(0.0, f64::max))
}
