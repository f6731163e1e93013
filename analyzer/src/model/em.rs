//! Non-negative solution of a Poisson linear inverse problem, by expectation-maximisation.
//!
//! Counts `n_b` are Poisson with means `(A y)_b`, `y >= 0`. The update of Richardson (1972) and Lucy (1974),
//! which Shepp & Vardi (1982) showed to be EM: `y_k ← y_k · Σ_b A_bk n_b/(A y)_b / Σ_b A_bk`.
//! Every step raises the likelihood, keeps `y` non-negative and preserves the total exactly.

/// A row of the matrix: two columns and their weights, zero elsewhere. A point on a line between knots has no more.
pub type Row = [(usize, f64); 2];

/// Steps after which the solution is as good as the data.
const MOST_STEPS: usize = 500;
/// Relative change per step below which it has converged.
const CONVERGED: f64 = 1e-7;

/// Fits `columns` values to `counts` through `rows`; the values' unit is counts per unit of weight.
///
/// Columns that no row reaches get the mean rate: nothing is known of them.
pub fn fit(rows: &[Row], counts: &[f64], columns: usize) -> Vec<f64> {
    let exposure: f64 = rows.iter().flatten().map(|(_, a)| a).sum();
    let mean = if exposure > 0.0 { counts.iter().sum::<f64>() / exposure } else { 0.0 };
    let mut y = vec![mean; columns];
    improve(rows, counts, &mut y);
    y
}

/// Goes on from values that are already near; those that are zero stay zero.
pub fn improve(rows: &[Row], counts: &[f64], y: &mut [f64]) {
    let weight = weights(rows, y.len());
    let scale = y.iter().sum::<f64>() / y.len().max(1) as f64;
    let mut gain = vec![0.0; y.len()];
    for _ in 0..MOST_STEPS {
        gain.fill(0.0);
        for (row, count) in rows.iter().zip(counts) {
            let expected: f64 = row.iter().map(|(column, a)| a * y[*column]).sum();
            if expected > 0.0 {
                row.iter().for_each(|(column, a)| gain[*column] += a * count / expected);
            }
        }
        let mut change: f64 = 0.0;
        for k in (0..y.len()).filter(|k| weight[*k] > 0.0) {
            let next = y[k] * gain[k] / weight[k];
            change = change.max((next - y[k]).abs() / scale.max(f64::MIN_POSITIVE));
            y[k] = next;
        }
        if change < CONVERGED {
            break;
        }
    }
}

/// What the rows put on each column, `Σ_b A_bk`.
pub fn weights(rows: &[Row], columns: usize) -> Vec<f64> {
    let mut weight = vec![0.0; columns];
    for (column, a) in rows.iter().flatten() {
        weight[*column] += a;
    }
    weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_kept_exactly_and_the_truth_comes_back() {
        let truth = [2.0, 8.0, 5.0, 0.5];
        let rows: Vec<Row> = (0..400)
            .map(|b| {
                let (k, x) = (b / 100, f64::from(b % 100) / 100.0);
                [(k as usize, 30.0 * (1.0 - x)), ((k as usize + 1) % 4, 30.0 * x)]
            })
            .collect();
        let counts: Vec<f64> = rows.iter().map(|row| row.iter().map(|(k, a)| a * truth[*k]).sum()).collect();
        let found = fit(&rows, &counts, 4);
        for (found, truth) in found.iter().zip(truth) {
            assert!((found / truth - 1.0).abs() < 1e-3, "{found} {truth}");
        }
        let refit: f64 = rows.iter().flatten().map(|(k, a)| a * found[*k]).sum();
        assert!((refit / counts.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }
}
