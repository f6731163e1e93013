//! Textbook statistics: intervals, distributions of test statistics, tests and distances. Pure functions of numbers.
//!
//! Every function says where its formula is from; `tests/analyzer/statistics/oracle.rs` compares all of them with
//! scipy and statsmodels. Counts come as `f64`, so that weighted ones and effective sample sizes fit too.
//!
//! ```text
//! interval               wilson(successes, n, confidence) -> Interval
//!                        newcombe([successes, n], [successes, n], confidence) -> Interval   of first − second
//! chi_squared            cdf(x, df)  survival(x, df)  upper_quantile(p, df)
//! noncentral_chi_squared cdf(x, df, ncp)  survival(x, df, ncp)  quantile(p, df, ncp)  upper_quantile(p, df, ncp)
//! kolmogorov             limit_survival(x)  one_sample_survival(d, n)  two_sample_survival(d, n, m)
//!                        one_sample(values, cdf) -> Test  two_samples(a, b) -> Test
//!                        distance_of_histograms(a, b)
//! anderson_darling       k_samples(samples) -> Test  one_sample(values, cdf) -> Test  limit_survival(a2)
//! multiple               benjamini_hochberg(p) -> adjusted p  holm(p) -> adjusted p
//! divergence             total_variation(a, b)  jensen_shannon(a, b)  jensen_shannon_pooled(a, b)
//!                        population_stability(a, b)
//! wasserstein            of_samples(a, b)  of_weighted(a, b)  of_logs(histogram, histogram)
//! contingency            g_of_two(a, b) -> Test  pearson_of_two(a, b) -> Test
//!                        pearson_of_fit(observed, expected, fitted) -> Test
//! pool                   neighbours(expected, least)  rest(expected, least) -> groups; sums(groups, values)
//! nnls                   solve(rows, targets, price) -> [f64; N]
//! incomplete_gamma       lower(a, x)  upper(a, x)
//! saddle_point           poisson(k, mean)  binomial(k, n, p)
//! ```

pub mod anderson_darling;
pub mod chi_squared;
pub mod contingency;
pub mod divergence;
pub mod incomplete_gamma;
pub mod interval;
pub mod kolmogorov;
pub mod multiple;
pub mod nnls;
pub mod noncentral_chi_squared;
pub mod pool;
mod root;
pub mod saddle_point;
pub mod wasserstein;

/// What a test found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// The statistic: larger is further from the hypothesis.
    pub statistic: f64,
    /// Degrees of freedom of a chi-squared statistic; of others, what their own function says.
    pub df: f64,
    /// Probability of a statistic at least as large where the hypothesis holds, 0..=1.
    pub p_value: f64,
}
