//! Tests by the squared distance between distribution functions, with the tails weighted up (Anderson & Darling 1952).

use std::f64::consts::PI;

use super::Test;

/// Tests whether `values` were drawn from the continuous law with distribution function `cdf`, all of it known.
///
/// The statistic is A²; `df` of the result is the number of values. The p-value is that of infinitely many values, which
/// few values only come near to. `None` without values.
pub fn one_sample(values: &[f64], cdf: impl Fn(f64) -> f64) -> Option<Test> {
    let mut shares: Vec<f64> = values.iter().map(|x| cdf(*x)).collect();
    shares.sort_by(f64::total_cmp);
    let n = shares.len() as f64;
    let terms = shares
        .iter()
        .zip(shares.iter().rev())
        .enumerate()
        .map(|(i, (low, high))| (2.0 * i as f64 + 1.0) * (low.ln() + (-high).ln_1p()));
    let statistic = -n - terms.sum::<f64>() / n;
    (!shares.is_empty()).then(|| Test { statistic, df: n, p_value: limit_survival(statistic) })
}

/// Probability of A² above `a2` for infinitely many values of a known law.
///
/// The series of Anderson & Darling (1954), integrated by the trapezoidal rule, which for such integrands converges
/// faster than any power of its step. Absolute error 1e-14; 0 beyond 40.
pub fn limit_survival(a2: f64) -> f64 {
    /// Step and reach in standard deviations of the Gaussian factor.
    const STEP: f64 = 1.0 / 64.0;
    const POINTS: u32 = 64 * 9;
    const TERMS: u32 = 14;
    if a2 <= 0.0 {
        return 1.0;
    }
    if a2 > 40.0 {
        return 0.0;
    }
    let mut sum = 0.0;
    // (-1)^j Γ(j + 1/2)/(Γ(1/2) j!), the binomial coefficient of -1/2.
    let mut coefficient = 1.0;
    for j in 0..TERMS {
        let odd = 4.0 * f64::from(j) + 1.0;
        // The Gaussian factor in w has the standard deviation 2 sqrt(A²)/(odd π).
        let deviation = 2.0 * a2.sqrt() / (odd * PI);
        let at = |i: u32| {
            let u = STEP * f64::from(i);
            let w = deviation * u;
            (a2 / (8.0 * (w * w + 1.0)) - odd * odd * PI * PI / (8.0 * a2) - 0.5 * u * u).exp()
        };
        let integral = STEP * deviation * (0.5 * at(0) + (1..POINTS).map(at).sum::<f64>());
        sum += coefficient * odd * integral;
        coefficient *= -(f64::from(j) + 0.5) / (f64::from(j) + 1.0);
    }
    (1.0 - (2.0 * PI).sqrt() / a2 * sum).clamp(0.0, 1.0)
}

/// Tests whether all `samples` are of one law, whichever (Scholz & Stephens 1987, midranks for ties).
///
/// The statistic is standardised: 0 in the mean, 1 in deviation, and may be negative; `df` of the result is the number
/// of samples less one. The p-value is interpolated in the table of the article, and so is one of 0.001 to 0.25: what
/// lies beyond is given as the nearer end. `None` unless there are two samples, none empty, with at least four values
/// in all, not all equal.
pub fn k_samples(samples: &[&[f64]]) -> Option<Test> {
    let mut all: Vec<f64> = samples.iter().flat_map(|sample| sample.iter().copied()).collect();
    all.sort_by(f64::total_cmp);
    let total = all.len();
    let differ = all.first().zip(all.last()).is_some_and(|(first, last)| first < last);
    if samples.len() < 2 || samples.iter().any(|sample| sample.is_empty()) || total < 4 || !differ {
        return None;
    }
    let n = total as f64;
    let distance: f64 = samples.iter().map(|sample| distance_to_all(sample, &all)).sum();
    let more = samples.len() as f64 - 1.0;
    let sizes = samples.iter().map(|sample| sample.len() as f64);
    let standardised = (distance * (n - 1.0) / n - more) / variance(sizes, total).sqrt();
    Some(Test { statistic: standardised, df: more, p_value: interpolated(standardised, more) })
}

/// Squared distance of one sample to all values, sorted, with weights of the tails; ties count half on either side.
fn distance_to_all(sample: &[f64], all: &[f64]) -> f64 {
    let mut sample = sample.to_vec();
    sample.sort_by(f64::total_cmp);
    let (size, n) = (sample.len() as f64, all.len() as f64);
    let (mut sum, mut before, mut own_before) = (0.0, 0, 0);
    for tied in all.chunk_by(|x, y| x.total_cmp(y).is_eq()) {
        let own = sample[own_before..].iter().take_while(|x| **x <= tied[0]).count();
        let ties = tied.len() as f64;
        let rank = before as f64 + 0.5 * ties;
        let own_rank = own_before as f64 + 0.5 * own as f64;
        let difference = n * own_rank - rank * size;
        sum += ties / n * difference * difference / (rank * (n - rank) - 0.25 * n * ties);
        before += tied.len();
        own_before += own;
    }
    sum / size
}

/// Variance of the sum of distances where all samples are of one law (Scholz & Stephens 1987, equation 4).
fn variance(sizes: impl ExactSizeIterator<Item = f64>, total: usize) -> f64 {
    let (k, n) = (sizes.len() as f64, total as f64);
    let reciprocals: f64 = sizes.map(|size| 1.0 / size).sum();
    let (mut h, mut g) = (0.0, 0.0);
    for i in 2..total {
        h += 1.0 / (total - i + 1) as f64;
        g += h / i as f64;
    }
    h += 1.0;
    let a = (4.0 * g - 6.0) * (k - 1.0) + (10.0 - 6.0 * g) * reciprocals;
    let b = (2.0 * g - 4.0) * k * k + 8.0 * h * k + (2.0 * g - 14.0 * h - 4.0) * reciprocals - 8.0 * h
        + 4.0 * g
        - 6.0;
    let c = (6.0 * h + 2.0 * g - 2.0) * k * k
        + (4.0 * h - 4.0 * g + 6.0) * k
        + (2.0 * h - 6.0) * reciprocals
        + 4.0 * h;
    let d = (2.0 * h + 6.0) * k * k - 4.0 * h * k;
    (((a * n + b) * n + c) * n + d) / ((n - 1.0) * (n - 2.0) * (n - 3.0))
}

/// The p-value of a standardised statistic: a parabola through the logarithm of the tabulated levels.
fn interpolated(statistic: f64, more: f64) -> f64 {
    const LEVELS: [f64; 7] = [0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.001];
    /// Table 2 of the article: critical values are `b0 + b1/sqrt(k - 1) + b2/(k - 1)`.
    const TABLE: [[f64; 3]; 7] = [
        [0.675, -0.245, -0.105],
        [1.281, 0.25, -0.305],
        [1.645, 0.678, -0.362],
        [1.96, 1.149, -0.391],
        [2.326, 1.822, -0.396],
        [2.573, 2.364, -0.345],
        [3.085, 3.615, -0.154],
    ];
    let critical = TABLE.map(|[b0, b1, b2]| b0 + b1 / more.sqrt() + b2 / more);
    if statistic <= critical[0] {
        return LEVELS[0];
    }
    if statistic >= critical[6] {
        return LEVELS[6];
    }
    // Orthogonal polynomials over the seven points, so that no system of equations has to be solved.
    let centre = critical.iter().sum::<f64>() / 7.0;
    let first = |x: f64| x - centre;
    let norm = critical.iter().map(|x| first(*x).powi(2)).sum::<f64>();
    let skew = critical.iter().map(|x| first(*x).powi(3)).sum::<f64>() / norm;
    let second = |x: f64| first(x) * (first(x) - skew) - norm / 7.0;
    let second_norm = critical.iter().map(|x| second(*x).powi(2)).sum::<f64>();
    let logs = LEVELS.map(f64::ln);
    let along = |f: &dyn Fn(f64) -> f64| critical.iter().zip(logs).map(|(x, log)| f(*x) * log).sum::<f64>();
    let fitted = logs.iter().sum::<f64>() / 7.0
        + along(&first) / norm * first(statistic)
        + along(&second) / second_norm * second(statistic);
    fitted.exp()
}
