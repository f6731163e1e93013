//! Whether two samples of gaps follow one law, and how far apart they are if not.

use crate::statistic::anderson_darling::limit_survival;

/// Counts of gaps by bin of their logarithm: how tests see them.
#[derive(Debug, Clone, Default)]
pub(super) struct Histogram {
    /// From the lowest bin of all histograms that are compared.
    pub(super) counts: Vec<u64>,
    pub(super) n: u64,
}

impl Histogram {
    pub(super) fn new(bins: usize) -> Self {
        Self { counts: vec![0; bins], n: 0 }
    }

    pub(super) fn add(&mut self, bin: usize) {
        self.counts[bin] += 1;
        self.n += 1;
    }

    pub(super) fn join(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.n += other.n;
    }

    /// What is left when `part`, which lies in this, is taken out.
    pub(super) fn without(&self, part: &Self) -> Self {
        let counts = self.counts.iter().zip(&part.counts).map(|(all, part)| all - part).collect();
        Self { counts, n: self.n - part.n }
    }
}

/// Mean distance between equal quantiles of two samples (the first Wasserstein distance), in bins; 0 when one is empty.
pub(super) fn distance(one: &Histogram, other: &Histogram) -> f64 {
    if one.n == 0 || other.n == 0 {
        return 0.0;
    }
    let (mut below_one, mut below_other, mut area) = (0, 0, 0.0);
    for (a, b) in one.counts.iter().zip(&other.counts) {
        below_one += a;
        below_other += b;
        area += (below_one as f64 / one.n as f64 - below_other as f64 / other.n as f64).abs();
    }
    area
}

/// Probability that two samples of one law differ as much: the Anderson-Darling test for two samples with ties (Scholz
/// & Stephens 1987, equation 7), at its limit for large samples. 1 when one sample is empty.
pub(super) fn p_value(one: &Histogram, other: &Histogram) -> f64 {
    let n = (one.n + other.n) as f64;
    if one.n == 0 || other.n == 0 {
        return 1.0;
    }
    let (mut before_one, mut before, mut sum) = (0.0, 0.0, 0.0);
    for (a, b) in one.counts.iter().zip(&other.counts).filter(|(a, b)| **a + **b > 0) {
        let (here_one, here) = (*a as f64, (a + b) as f64);
        // Ranks in the middle of ties.
        let (middle_one, middle) = (before_one + 0.5 * here_one, before + 0.5 * here);
        let weight = middle * (n - middle) - 0.25 * n * here;
        if weight > 0.0 {
            // Both samples differ by the same amount from what is common, in opposite directions.
            sum += here / n * (n * middle_one - one.n as f64 * middle).powi(2) / weight;
        }
        before_one += here_one;
        before += here;
    }
    limit_survival(sum * (n - 1.0) / n * (1.0 / one.n as f64 + 1.0 / other.n as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistic::anderson_darling::k_samples;

    fn histogram(counts: &[u64]) -> Histogram {
        Histogram { counts: counts.to_vec(), n: counts.iter().sum() }
    }

    #[test]
    fn distances_are_in_bins() {
        assert!((distance(&histogram(&[4, 0, 0]), &histogram(&[0, 0, 7])) - 2.0).abs() < 1e-12);
        assert!(distance(&histogram(&[1, 2, 3]), &histogram(&[2, 4, 6])) < 1e-12);
        assert!(distance(&histogram(&[1, 2]), &histogram(&[0, 0])) < 1e-12);
    }

    #[test]
    fn samples_of_one_law_are_alike_and_others_are_not() {
        assert!(p_value(&histogram(&[100, 200, 100]), &histogram(&[52, 98, 50])) > 0.5);
        assert!(p_value(&histogram(&[100, 200, 100]), &histogram(&[20, 98, 82])) < 1e-4);
        assert!(p_value(&histogram(&[5, 5]), &histogram(&[0, 0])) >= 1.0);
    }

    /// The statistic is that of the test on values, before it is standardised.
    #[test]
    fn binned_values_give_the_p_value_of_values() {
        let (one, other) = ([9, 0, 14, 30, 22, 8, 3], [4, 1, 8, 26, 31, 16, 9]);
        let values = |counts: &[u64]| -> Vec<f64> {
            let repeated = |(value, count): (f64, &u64)| std::iter::repeat_n(value, *count as usize);
            (0..).map(f64::from).zip(counts).flat_map(repeated).collect()
        };
        let expected = k_samples(&[&values(&one), &values(&other)]).unwrap().p_value;
        let found = p_value(&histogram(&one), &histogram(&other));
        assert!((found / expected - 1.0).abs() < 0.1, "{found} {expected}");
    }
}
