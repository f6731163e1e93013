//! Every function of `statistic` beside scipy, statsmodels and mpmath; histograms beside the values they were made of.
//!
//! `tests/statistics.py` derives `oracle.json` and checks it against other releases of these packages.

use analyzer::statistic::{
    Test, anderson_darling, chi_squared, contingency, divergence, incomplete_gamma, interval, kolmogorov,
    multiple, nnls, noncentral_chi_squared, pool, saddle_point, wasserstein,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use serde::Deserialize;
use serde_json::Value;
use shared::distribution::{Law, LogHistogram, Unit, normal_cdf, normal_quantile};

#[derive(Deserialize)]
struct Oracle {
    source: std::collections::BTreeMap<String, String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    function: String,
    arguments: Vec<Value>,
    values: Vec<f64>,
}

fn list(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn lists<'v>(values: impl IntoIterator<Item = &'v Value>) -> Vec<Vec<f64>> {
    values.into_iter().map(list).collect()
}

/// What the function of `case` gives, in the order of the oracle's values.
fn found(case: &Case) -> Vec<f64> {
    let x: Vec<f64> = case.arguments.iter().filter_map(Value::as_f64).collect();
    let samples = if x.is_empty() { lists(&case.arguments) } else { Vec::new() };
    let statistic_and_p = |test: Option<Test>| test.map(|test| vec![test.statistic, test.p_value]).unwrap();
    let whole = |test: Option<Test>| test.map(|test| vec![test.statistic, test.df, test.p_value]).unwrap();
    let ends = |interval: interval::Interval| vec![interval.low, interval.high];
    let uniform = |x: f64| x.clamp(0.0, 1.0);
    let weighted = |values: &[f64], weights: &[f64]| -> Vec<(f64, f64)> {
        values.iter().copied().zip(weights.iter().copied()).collect()
    };
    match case.function.as_str() {
        "chi_squared.survival" => vec![chi_squared::survival(x[0], x[1])],
        "chi_squared.cdf" => vec![chi_squared::cdf(x[0], x[1])],
        "chi_squared.upper_quantile" => vec![chi_squared::upper_quantile(x[0], x[1])],
        "noncentral_chi_squared.cdf" => vec![noncentral_chi_squared::cdf(x[0], x[1], x[2])],
        "noncentral_chi_squared.survival" => vec![noncentral_chi_squared::survival(x[0], x[1], x[2])],
        "noncentral_chi_squared.quantile" => vec![noncentral_chi_squared::quantile(x[0], x[1], x[2])],
        "noncentral_chi_squared.upper_quantile" => {
            vec![noncentral_chi_squared::upper_quantile(x[0], x[1], x[2])]
        }
        "incomplete_gamma.lower" => vec![incomplete_gamma::lower(x[0], x[1])],
        "incomplete_gamma.upper" => vec![incomplete_gamma::upper(x[0], x[1])],
        "saddle_point.poisson" => vec![saddle_point::poisson(x[0], x[1])],
        "saddle_point.binomial" => vec![saddle_point::binomial(x[0], x[1], x[2])],
        "normal.quantile" => vec![normal_quantile(x[0])],
        "normal.cdf" => vec![normal_cdf(x[0])],
        "interval.wilson" => ends(interval::wilson(x[0], x[1], x[2])),
        "interval.newcombe" => ends(interval::newcombe([x[0], x[1]], [x[2], x[3]], x[4])),
        "kolmogorov.limit_survival" => vec![kolmogorov::limit_survival(x[0])],
        "kolmogorov.one_sample_survival" | "kolmogorov.one_sample_survival.exact" => {
            vec![kolmogorov::one_sample_survival(x[0], x[1] as u64)]
        }
        "kolmogorov.two_samples" => statistic_and_p(kolmogorov::two_samples(&samples[0], &samples[1])),
        "kolmogorov.one_sample" => statistic_and_p(kolmogorov::one_sample(&samples[0], uniform)),
        "anderson_darling.k_samples" => {
            let samples: Vec<&[f64]> = samples.iter().map(Vec::as_slice).collect();
            statistic_and_p(anderson_darling::k_samples(&samples))
        }
        "anderson_darling.limit_survival" => vec![anderson_darling::limit_survival(x[0])],
        "anderson_darling.one_sample" => statistic_and_p(anderson_darling::one_sample(&samples[0], uniform)),
        "divergence.total_variation" => vec![divergence::total_variation(&samples[0], &samples[1])],
        "divergence.jensen_shannon" => vec![divergence::jensen_shannon(&samples[0], &samples[1])],
        "divergence.jensen_shannon_pooled" => {
            vec![divergence::jensen_shannon_pooled(&samples[0], &samples[1])]
        }
        "divergence.population_stability" => vec![divergence::population_stability(&samples[0], &samples[1])],
        "wasserstein.of_samples" => vec![wasserstein::of_samples(&samples[0], &samples[1]).unwrap()],
        "wasserstein.of_weighted" => {
            let (a, b) = (weighted(&samples[0], &samples[1]), weighted(&samples[2], &samples[3]));
            vec![wasserstein::of_weighted(&a, &b).unwrap()]
        }
        "contingency.g_of_two" => whole(contingency::g_of_two(&samples[0], &samples[1])),
        "contingency.pearson_of_two" => whole(contingency::pearson_of_two(&samples[0], &samples[1])),
        "contingency.pearson_of_fit" => {
            whole(contingency::pearson_of_fit(&samples[0], &samples[1], samples[2][0] as u32))
        }
        "multiple.benjamini_hochberg" => multiple::benjamini_hochberg(&samples[0]),
        "multiple.holm" => multiple::holm(&samples[0]),
        "nnls.solve" => {
            let (targets, rows) = samples.split_last().unwrap();
            let rows: Vec<[f64; 4]> = rows.iter().map(|row| row.as_slice().try_into().unwrap()).collect();
            nnls::solve(&rows, targets, 0.0).to_vec()
        }
        other => panic!("no function `{other}`"),
    }
}

/// The largest error allowed against the values of one function, relative unless it says otherwise.
fn goal(function: &str) -> f64 {
    match function {
        name if name.starts_with("noncentral_chi_squared") => 1e-6,
        // Against the truth, and absolute: beyond 140 values the method is the one of scipy, which is no better.
        "kolmogorov.one_sample_survival.exact" => 1e-6,
        _ => 1e-8,
    }
}

#[test]
fn functions_agree_with_scipy_and_statsmodels() {
    let oracle: Oracle = serde_json::from_str(include_str!("oracle.json")).unwrap();
    let mut worst: std::collections::BTreeMap<&str, (f64, usize)> = std::collections::BTreeMap::new();
    for case in &oracle.cases {
        let found = found(case);
        assert_eq!(found.len(), case.values.len(), "{}", case.function);
        let entry = worst.entry(&case.function).or_insert((0.0, 0));
        entry.1 += 1;
        for (found, expected) in found.iter().zip(&case.values) {
            // Zero is zero.
            let absolute = case.function.ends_with(".exact");
            let scale = if absolute { 1.0 } else { expected.abs().max(f64::MIN_POSITIVE) };
            let error = (found - expected).abs() / scale;
            let (function, arguments) = (&case.function, &case.arguments);
            assert!(
                error <= goal(function),
                "{function}{arguments:?}: {found} is not {expected} ({error:e})"
            );
            entry.0 = entry.0.max(error);
        }
    }
    eprintln!("goal 20: relative error, beside {:?}", oracle.source);
    for (function, (error, cases)) in worst {
        eprintln!("  {function}: goal {:e}, found {error:.1e} in {cases} cases", goal(function));
    }
}

/// Values between 0 and 1.
fn uniform(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[test]
fn g_is_twice_the_divergence_of_all_counts() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut worst: f64 = 0.0;
    for categories in [2, 5, 40, 400, 4000] {
        for largest in [10, 1000, 10_000_000] {
            let mut counts =
                || -> Vec<f64> { (0..categories).map(|_| (random.next_u64() % largest) as f64).collect() };
            let (a, b) = (counts(), counts());
            let n: f64 = a.iter().chain(&b).sum();
            let g = contingency::g_of_two(&a, &b).unwrap().statistic;
            let error = (2.0 * n * divergence::jensen_shannon_pooled(&a, &b) / g - 1.0).abs();
            worst = worst.max(error);
        }
    }
    eprintln!("goal 2, G = 2 N JSD: goal 1e-9, found {worst:.1e} in 15 tables");
    assert!(worst <= 1e-9, "{worst:e}");
}

/// A histogram of `values` at a relative error of one percent, and the values sorted.
fn sketch(law: &Law, n: usize, random: &mut ChaCha8Rng) -> (LogHistogram, Vec<f64>) {
    let mut values: Vec<f64> = (0..n).map(|_| law.quantile(uniform(random))).collect();
    values.sort_by(f64::total_cmp);
    let mut histogram = LogHistogram::new(0.01, Unit::S);
    values.iter().for_each(|value| histogram.add(*value, 1));
    (histogram, values)
}

/// Quantiles of histograms, and distances between two of them, beside those of the values themselves.
///
/// Values of a continuous law, so that the bins hide no more than they must: a histogram cannot tell two laws that
/// differ inside a bin.
fn check_sketches(repetitions: u64, n: usize) {
    let laws = [
        (Law::Lognormal { mu: 2.0, sigma: 1.1 }, Law::Lognormal { mu: 2.15, sigma: 1.1 }),
        (Law::Lognormal { mu: -3.2, sigma: 0.6 }, Law::Lognormal { mu: -3.2, sigma: 0.75 }),
        (Law::Exponential { rate: 0.2 }, Law::Exponential { rate: 0.17 }),
        (Law::Weibull { shape: 0.7, scale: 20.0 }, Law::Weibull { shape: 0.9, scale: 18.0 }),
    ];
    let (mut quantile, mut ks, mut w1) = (0.0_f64, 0.0_f64, 0.0_f64);
    for seed in 0..repetitions {
        let mut random = ChaCha8Rng::seed_from_u64(1700 + seed);
        for (one, other) in &laws {
            let (a, values) = sketch(one, n, &mut random);
            let (b, others) = sketch(other, n, &mut random);
            for q in [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999] {
                let exact = values[((q * n as f64).ceil() as usize).max(1) - 1];
                quantile = quantile.max((a.quantile(q).unwrap() / exact - 1.0).abs());
            }
            let exact = kolmogorov::two_samples(&values, &others).unwrap().statistic;
            ks = ks.max((kolmogorov::distance_of_histograms(&a, &b).unwrap() - exact).abs());
            let logs = |values: &[f64]| values.iter().map(|value| value.ln()).collect::<Vec<f64>>();
            let exact = wasserstein::of_samples(&logs(&values), &logs(&others)).unwrap();
            w1 = w1.max((wasserstein::of_logs(&a, &b).unwrap() / exact - 1.0).abs());
        }
    }
    let cases = repetitions * laws.len() as u64;
    eprintln!("goal 17, {cases} pairs of {n} values, relative error of the histogram 0.01");
    eprintln!("  quantile error: goal 0.01, found {quantile:.5}");
    eprintln!("  KS difference:  goal 0.002, found {ks:.5}");
    eprintln!("  log-W1 error:   goal 0.003, found {w1:.5}");
    assert!(quantile <= 0.01 + 1e-12 && ks <= 0.002 && w1 <= 0.003, "{quantile} {ks} {w1}");
}

#[test]
fn histograms_are_as_good_as_the_values() {
    check_sketches(2, 20_000);
}

#[test]
#[ignore = "many repetitions: run by `cargo statistics`"]
fn histograms_are_as_good_as_the_values_in_many_samples() {
    check_sketches(100, 100_000);
}

#[test]
fn small_categories_are_pooled() {
    let expected = [9.0, 1.0, 3.0, 0.5, 20.0, 2.0];
    assert_eq!(pool::neighbours(&expected, 5.0), [vec![0], vec![1, 2, 3, 4, 5]]);
    assert_eq!(pool::rest(&expected, 5.0), [vec![0], vec![4], vec![1, 2, 3, 5]]);
    assert_eq!(pool::rest(&expected, 8.0), [vec![4], vec![0, 1, 2, 3, 5]]);
    assert_eq!(pool::neighbours(&[1.0, 2.0], 5.0), [vec![0, 1]]);
    assert_eq!(pool::rest(&[1.0, 2.0], 5.0), [vec![0, 1]]);
    assert_eq!(pool::sums(&pool::rest(&expected, 5.0), &expected), [9.0, 20.0, 6.5]);
    assert!(pool::neighbours(&[], 5.0).is_empty() && pool::rest(&[], 5.0).is_empty());
}

#[test]
fn what_cannot_be_tested_gives_no_test() {
    assert!(contingency::g_of_two(&[0.0, 0.0], &[1.0, 2.0]).is_none());
    assert!(contingency::pearson_of_fit(&[0.0], &[0.0], 0).is_none());
    assert!(kolmogorov::one_sample(&[], |x| x).is_none() && kolmogorov::two_samples(&[1.0], &[]).is_none());
    assert!(anderson_darling::one_sample(&[], |x| x).is_none());
    assert!(anderson_darling::k_samples(&[&[1.0, 1.0], &[1.0, 1.0]]).is_none());
    assert!(wasserstein::of_samples(&[], &[1.0]).is_none());
    // Unknown shares are anything; the same counts are no finding; one category cannot differ.
    assert_eq!(interval::wilson(0.0, 0.0, 0.95), interval::Interval { low: 0.0, high: 1.0 });
    assert!(contingency::g_of_two(&[3.0, 4.0], &[6.0, 8.0]).unwrap().p_value > 0.999);
    assert!(contingency::g_of_two(&[3.0], &[6.0]).unwrap().p_value > 0.999);
    assert!(contingency::pearson_of_fit(&[1.0, 9.0], &[0.0, 10.0], 0).unwrap().p_value <= 0.0);
}
