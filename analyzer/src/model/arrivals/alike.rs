//! Whether the days of a working week, and the two of a weekend, have one shape.
//!
//! Under one shape per group, counts by day and hour are Poisson with mean exposure × level of the day × shape of
//! the hour. The G statistic over its degrees of freedom says how far from that they are; with enough traffic any
//! two days differ, so the question is not whether but whether by more than the gate: the test of a minimum effect
//! (Murphy & Myors 1999), with the quantile of the non-central chi-square after Patnaik (1949).

use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::exposure::BINS_PER_WEEK;

/// Share of a day's sessions at another hour than the shared shape says, up to which days pass as alike.
const GATE: f64 = 0.05;
/// How sure the test is before it gives days their own shapes.
const SURE: f64 = 0.95;
/// Expected sessions of a cell below which the approximation is poor: hours are put together until they have them.
const LEAST_EXPECTED: f64 = 10.0;
const HOURS: usize = 24;
const BINS_PER_HOUR: usize = BINS_PER_WEEK / (7 * HOURS);

/// Whether one weekday shape and one weekend shape describe the week to within the gate.
///
/// `counts` and `exposure_s` by bin of the week; `dispersion` is the variance of counts per hour over their mean, by
/// which G is divided. Days or hours without exposure say nothing.
pub fn shapes_shared(counts: &[f64], exposure_s: &[f64], dispersion: f64) -> bool {
    let cells = |of: &[f64]| -> Vec<Vec<f64>> {
        let hours: Vec<f64> = of.chunks(BINS_PER_HOUR).map(|bins| bins.iter().sum()).collect();
        hours.chunks(HOURS).map(<[f64]>::to_vec).collect()
    };
    let (counts, exposure_s) = (cells(counts), cells(exposure_s));
    [0..5, 5..7].into_iter().all(|group| {
        let (g, freedom, n) = g_statistic(&counts[group.clone()], &exposure_s[group]);
        let dispersion = dispersion.max(1.0);
        // Relative deviations that are normal with deviation s move 0.4 s of a day (half of their mean size), and
        // make the non-centrality n s².
        let s = 2.0 * GATE / (2.0 / std::f64::consts::PI).sqrt();
        freedom < 1.0 || g / dispersion <= noncentral_quantile(SURE, freedom, n / dispersion * s * s)
    })
}

/// G against level of the day × shape of the hour, its degrees of freedom, and the sessions.
fn g_statistic(counts: &[Vec<f64>], exposure_s: &[Vec<f64>]) -> (f64, f64, f64) {
    let expected = independent(counts, exposure_s);
    let days: Vec<usize> = (0..counts.len()).filter(|day| expected[*day].iter().sum::<f64>() > 0.0).collect();
    let (mut g, mut columns) = (0.0, 0);
    let mut pooled = vec![(0.0, 0.0); counts.len()];
    for hour in 0..HOURS {
        for day in &days {
            pooled[*day].0 += counts[*day][hour];
            pooled[*day].1 += expected[*day][hour];
        }
        let least = days.iter().map(|day| pooled[*day].1).fold(f64::INFINITY, f64::min);
        if least >= LEAST_EXPECTED || hour + 1 == HOURS {
            let of_cell = |(n, mean): (f64, f64)| if n > 0.0 { n * (n / mean).ln() } else { 0.0 };
            g += 2.0 * days.iter().map(|day| of_cell(pooled[*day])).sum::<f64>();
            columns += usize::from(least.is_finite() && least > 0.0);
            pooled.fill((0.0, 0.0));
        }
    }
    let freedom = days.len().saturating_sub(1) * columns.saturating_sub(1);
    (g, freedom as f64, counts.iter().flatten().sum())
}

/// Expected counts under independence, where exposures differ: rates of hours and levels of days in turns.
fn independent(counts: &[Vec<f64>], exposure_s: &[Vec<f64>]) -> Vec<Vec<f64>> {
    const TURNS: usize = 20;
    let mut levels = vec![1.0; counts.len()];
    let mut rates = vec![0.0; HOURS];
    let ratio = |found: f64, exposed: f64| if exposed > 0.0 { found / exposed } else { 0.0 };
    for _ in 0..TURNS {
        for (hour, rate) in rates.iter_mut().enumerate() {
            let exposed = exposure_s.iter().zip(&levels).map(|(day, level)| day[hour] * level).sum();
            *rate = ratio(counts.iter().map(|day| day[hour]).sum(), exposed);
        }
        for (day, level) in levels.iter_mut().enumerate() {
            let exposed = exposure_s[day].iter().zip(&rates).map(|(seconds, rate)| seconds * rate).sum();
            *level = ratio(counts[day].iter().sum(), exposed);
        }
    }
    let of_day = |(day, level): (&Vec<f64>, &f64)| {
        day.iter().zip(&rates).map(|(seconds, rate)| seconds * rate * level).collect()
    };
    exposure_s.iter().zip(&levels).map(of_day).collect()
}

/// A quantile of the non-central chi-square, by the central one with the same mean and variance (Patnaik 1949).
fn noncentral_quantile(q: f64, freedom: f64, noncentrality: f64) -> f64 {
    let scale = (freedom + 2.0 * noncentrality) / (freedom + noncentrality);
    let of_central = (freedom + noncentrality).powi(2) / (freedom + 2.0 * noncentrality);
    ChiSquared::new(of_central).map_or(f64::INFINITY, |central| scale * central.inverse_cdf(q))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantile_is_near_the_exact_one() {
        // scipy.stats.ncx2.ppf(.95, 39, 400)
        assert!((noncentral_quantile(0.95, 39.0, 400.0) / 508.019_395_596_56 - 1.0).abs() < 2e-3);
    }

    #[test]
    fn days_with_other_exposure_are_still_alike() {
        let mut exposure_s = vec![300.0; BINS_PER_WEEK];
        // Half of Tuesday morning is missing, and Saturday altogether.
        exposure_s[288..288 + 60].fill(150.0);
        exposure_s[5 * 288..6 * 288].fill(0.0);
        let rate = |bin: usize| 0.2 + 0.1 * (bin as f64 / 288.0 * std::f64::consts::TAU).cos();
        let counts: Vec<f64> =
            exposure_s.iter().enumerate().map(|(bin, seconds)| (rate(bin) * seconds).round()).collect();
        assert!(shapes_shared(&counts, &exposure_s, 1.0));
    }
}
