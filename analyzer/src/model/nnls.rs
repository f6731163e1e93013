//! Least squares under `x >= 0`, for a handful of unknowns: every set of unknowns that may be positive is tried.

/// The `x >= 0` that makes `Σ_i (Σ_j a_ij x_j - b_i)² + price · (number of positive x)` smallest.
///
/// `rows` are the `a_i`, all of one length of at most eight; with a price of 0 this is plain non-negative least
/// squares. Without rows everything is 0.
pub fn solve(rows: &[Vec<f64>], b: &[f64], price: f64) -> Vec<f64> {
    let unknowns = rows.first().map_or(0, Vec::len);
    let mut best = (b.iter().map(|b| b * b).sum::<f64>(), vec![0.0; unknowns]);
    for set in 1..1_u32 << unknowns {
        let columns: Vec<usize> = (0..unknowns).filter(|column| set >> column & 1 == 1).collect();
        let Some(found) = least_squares(rows, b, &columns) else { continue };
        if found.iter().any(|x| *x < 0.0) {
            continue;
        }
        let mut x = vec![0.0; unknowns];
        columns.iter().zip(&found).for_each(|(column, found)| x[*column] = *found);
        let residual = |(row, b): (&Vec<f64>, &f64)| row.iter().zip(&x).map(|(a, x)| a * x).sum::<f64>() - b;
        let cost =
            rows.iter().zip(b).map(residual).map(|r| r * r).sum::<f64>() + price * columns.len() as f64;
        if cost < best.0 {
            best = (cost, x);
        }
    }
    best.1
}

/// The unconstrained solution in some of the columns, by the normal equations; `None` where they are singular.
fn least_squares(rows: &[Vec<f64>], b: &[f64], columns: &[usize]) -> Option<Vec<f64>> {
    let n = columns.len();
    let mut system = vec![vec![0.0; n + 1]; n];
    for (row, b) in rows.iter().zip(b) {
        for (i, column) in columns.iter().enumerate() {
            for (j, other) in columns.iter().enumerate() {
                system[i][j] += row[*column] * row[*other];
            }
            system[i][n] += row[*column] * b;
        }
    }
    for at in 0..n {
        let pivot =
            (at..n).max_by(|one, other| system[*one][at].abs().total_cmp(&system[*other][at].abs()))?;
        system.swap(at, pivot);
        if system[at][at].abs() < f64::MIN_POSITIVE {
            return None;
        }
        let (done, rest) = system.split_at_mut(at + 1);
        for row in rest {
            let factor = row[at] / done[at][at];
            row.iter_mut().zip(&done[at]).skip(at).for_each(|(x, of_pivot)| *x -= factor * of_pivot);
        }
    }
    let mut x = vec![0.0; n];
    for at in (0..n).rev() {
        let known: f64 = (at + 1..n).map(|j| system[at][j] * x[j]).sum();
        x[at] = (system[at][n] - known) / system[at][at];
    }
    x.iter().all(|x| x.is_finite()).then_some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(b: [f64; 4], price: f64, expected: [f64; 3]) {
        let rows = [[1.0, 0.0, 1.0], [1.0, 2.0, 0.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0]].map(Vec::from);
        let found = solve(&rows, &b, price);
        assert!(found.iter().zip(expected).all(|(found, x)| (found - x).abs() < 1e-12), "{found:?}");
    }

    #[test]
    fn what_is_positive_comes_back_and_what_is_not_stays_zero() {
        check([4.0, 5.0, 5.0, 6.0], 0.0, [1.0, 2.0, 3.0]);
        check([-1.0, -2.0, -1.0, -2.0], 0.0, [0.0; 3]);
        // Not worth its price.
        check([0.0, 0.2, 0.1, 0.1], 1.0, [0.0; 3]);
    }
}
