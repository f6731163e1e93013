//! A histogram in a few rows, at round edges.

use serde::Serialize;
use shared::distribution::{LogHistogram, Sampler};

use super::page::Page;
use crate::report::percent;

/// Values from one edge to the next.
#[derive(Debug, Serialize)]
pub(super) struct Bar {
    from: f64,
    to: f64,
    /// Share of all values.
    share: f64,
}

/// Rows at edges 1, 2, 5, 10, 20, … that hold anything; zeros are in the first.
pub(super) fn bars(histogram: &LogHistogram) -> Vec<Bar> {
    let Some(sampler) = Sampler::of_histogram(histogram) else { return Vec::new() };
    let Some((first, last)) = histogram.bins.keys().next().zip(histogram.bins.keys().next_back()) else {
        return Vec::new();
    };
    let (low, high) = (histogram.value(*first), histogram.value(*last));
    let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let edges = decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|digit| digit * 10.0_f64.powi(decade)));
    let mut bars: Vec<Bar> = Vec::new();
    let mut from = 0.0;
    let mut below = 0.0;
    for to in edges {
        let until = sampler.cdf(to);
        if until > below || !bars.is_empty() && below < 1.0 {
            bars.push(Bar { from, to, share: until - below });
        }
        (from, below) = (to, until);
    }
    bars
}

/// Rows as `10 ms to 20 ms  ████  31 %`, with `name` for the edges.
pub(super) fn print(bars: &[Bar], name: impl Fn(f64) -> String, page: &mut Page) {
    const LONGEST: f64 = 38.0;
    let largest = bars.iter().map(|bar| bar.share).fold(f64::MIN_POSITIVE, f64::max);
    for bar in bars {
        // Whole blocks, rounded up where there is anything.
        let length = (bar.share / largest * LONGEST).ceil() as usize;
        page.line(&format!(
            "  {:>9} to {:<9}{:>8}  {}",
            name(bar.from),
            name(bar.to),
            percent(bar.share),
            "█".repeat(length)
        ));
    }
}
