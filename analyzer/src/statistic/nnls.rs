//! Least squares without negative solutions, for few unknowns.

/// The `x >= 0` that brings `Σ_j rows[i][j] x[j]` closest to `targets[i]`: of which the sum of squares is least, and
/// `price` for each unknown that is not zero. A price of 0 is plain non-negative least squares.
///
/// Tries every set of unknowns that are not zero (2^N of them, so N is small) and keeps the best solution without a
/// negative part: the optimum is the unconstrained solution over its own unknowns (Lawson & Hanson 1974, chapter 23).
/// Equations of unequal weight are scaled by the caller. Where several solutions are equally close, the one with fewer
/// unknowns wins.
pub fn solve<const N: usize>(rows: &[[f64; N]], targets: &[f64], price: f64) -> [f64; N] {
    let mut best = [0.0; N];
    let mut least = squared_error(rows, targets, &best);
    let mut sets: Vec<u32> = (1..1_u32 << N).collect();
    sets.sort_by_key(|set| (set.count_ones(), *set));
    for set in sets {
        let Some(found) = unconstrained(rows, targets, set) else { continue };
        let error = squared_error(rows, targets, &found) + price * f64::from(set.count_ones());
        if found.iter().all(|x| *x >= 0.0) && error < least {
            (best, least) = (found, error);
        }
    }
    best
}

fn squared_error<const N: usize>(rows: &[[f64; N]], targets: &[f64], x: &[f64; N]) -> f64 {
    let predicted = |row: &[f64; N]| row.iter().zip(x).map(|(a, x)| a * x).sum::<f64>();
    rows.iter().zip(targets).map(|(row, target)| (predicted(row) - target).powi(2)).sum()
}

/// Least squares over the unknowns in `set`, by orthogonalisation (modified Gram-Schmidt, Björck 1967); `None` when
/// they depend on one another.
fn unconstrained<const N: usize>(rows: &[[f64; N]], targets: &[f64], set: u32) -> Option<[f64; N]> {
    /// Part of a column's length that must be its own.
    const OWN: f64 = 1e-10;
    let chosen: Vec<usize> = (0..N).filter(|j| set & (1 << j) != 0).collect();
    let mut residual = targets.to_vec();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let mut triangle = [[0.0; N]; N];
    let mut projections = [0.0; N];
    for (at, j) in chosen.iter().enumerate() {
        let mut column: Vec<f64> = rows.iter().map(|row| row[*j]).collect();
        let length = dot(&column, &column).sqrt();
        for (i, direction) in basis.iter().enumerate() {
            triangle[i][at] = dot(direction, &column);
            column.iter_mut().zip(direction).for_each(|(x, d)| *x -= triangle[i][at] * d);
        }
        let own = dot(&column, &column).sqrt();
        if own <= OWN * length {
            return None;
        }
        triangle[at][at] = own;
        column.iter_mut().for_each(|x| *x /= own);
        projections[at] = dot(&column, &residual);
        residual.iter_mut().zip(&column).for_each(|(r, d)| *r -= projections[at] * d);
        basis.push(column);
    }
    let mut solution = [0.0; N];
    for at in (0..chosen.len()).rev() {
        let known: f64 = (at + 1..chosen.len()).map(|i| triangle[at][i] * solution[chosen[i]]).sum();
        solution[chosen[at]] = (projections[at] - known) / triangle[at][at];
    }
    Some(solution)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(targets: [f64; 4], price: f64, expected: [f64; 3]) {
        let rows = [[1.0, 0.0, 1.0], [1.0, 2.0, 0.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0]];
        let found = solve(&rows, &targets, price);
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
