//! The law of the two-sample distance.

use super::one_sample_survival;

/// Pairs up to which paths are counted one by one; more would take longer than a tenth of a second.
const MOST_PAIRS: u64 = 20_000_000;

/// Probability that samples of `n` and `m` values of one continuous law are at least `d` apart. 1 when one is empty.
///
/// Exact while `n m` is at most 20 million (Hodges 1958): a random path through the grid of both samples reaches a
/// point where the distance is `d`. Beyond, the one-sample law of the effective size `nm/(n + m)`, rounded.
pub fn two_sample_survival(d: f64, n: u64, m: u64) -> f64 {
    if n == 0 || m == 0 || d <= 0.0 {
        return 1.0;
    }
    match n.checked_mul(m) {
        Some(pairs) if pairs <= MOST_PAIRS => by_paths(d, n.min(m), n.max(m)),
        _ => {
            let (n, m) = (n as f64, m as f64);
            one_sample_survival(d, (n * m / (n + m)).round() as u64)
        }
    }
}

/// Walks back from the whole samples: the chance that a path to `(i, j)` has passed a point at least `d` apart. Every
/// path to `(i, j)` is equally likely, so `i` of `i + j` come from `(i - 1, j)`.
fn by_paths(d: f64, n: u64, m: u64) -> f64 {
    // Distances are whole multiples of 1/nm; as whole numbers they compare without rounding.
    let reached = (d * n as f64 * m as f64 - 0.5).ceil() as u64;
    let apart = |i: u64, j: u64| (i * m).abs_diff(j * n) >= reached;
    let mut row = vec![0.0; m as usize + 1];
    for i in 0..=n {
        for j in 0..=m {
            let at = j as usize;
            row[at] = if apart(i, j) {
                1.0
            } else if j == 0 {
                row[at]
            } else if i == 0 {
                row[at - 1]
            } else {
                (i as f64 * row[at] + j as f64 * row[at - 1]) / (i + j) as f64
            };
        }
    }
    row[m as usize]
}
