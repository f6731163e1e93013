//! The minimum of a function of a few variables without its derivatives (Nelder & Mead 1965).

/// Evaluations after which the search gives up; smooth likelihoods of up to five parameters need a few hundred.
const MOST_EVALUATIONS: usize = 2000;
/// Spread of the values at the corners below which the search has arrived.
const ARRIVED: f64 = 1e-9;

/// The point near `start` at which `f` is smallest. The first simplex has edges of length `step`.
///
/// `f` may return infinity where it is not defined. Deterministic.
pub(crate) fn minimise<const N: usize>(
    f: impl Fn(&[f64; N]) -> f64,
    start: [f64; N],
    step: f64,
) -> ([f64; N], f64) {
    let mut corners: Vec<([f64; N], f64)> = vec![(start, f(&start))];
    for i in 0..N {
        let mut point = start;
        point[i] += step;
        corners.push((point, f(&point)));
    }
    let mut evaluations = N + 1;
    while evaluations < MOST_EVALUATIONS {
        corners.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (best, worst) = (corners[0].1, corners[N].1);
        if (worst - best).abs() <= ARRIVED * (best.abs() + ARRIVED) {
            break;
        }
        let mut centre = [0.0; N];
        for (point, _) in &corners[..N] {
            (0..N).for_each(|i| centre[i] += point[i] / N as f64);
        }
        let along = |factor: f64| {
            let point: [f64; N] = std::array::from_fn(|i| centre[i] + factor * (corners[N].0[i] - centre[i]));
            (point, f(&point))
        };
        let reflected = along(-1.0);
        evaluations += 1;
        let replacement = if reflected.1 < best {
            evaluations += 1;
            let expanded = along(-2.0);
            Some(if expanded.1 < reflected.1 { expanded } else { reflected })
        } else if reflected.1 < corners[N - 1].1 {
            Some(reflected)
        } else {
            evaluations += 1;
            let contracted = along(if reflected.1 < worst { -0.5 } else { 0.5 });
            (contracted.1 < worst.min(reflected.1)).then_some(contracted)
        };
        match replacement {
            Some(corner) => corners[N] = corner,
            None => {
                let towards = corners[0].0;
                for corner in &mut corners[1..] {
                    corner.0 = std::array::from_fn(|i| towards[i] + 0.5 * (corner.0[i] - towards[i]));
                    corner.1 = f(&corner.0);
                }
                evaluations += N;
            }
        }
    }
    corners.sort_by(|a, b| a.1.total_cmp(&b.1));
    corners[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bottom_of_a_curved_valley_is_found() {
        let rosenbrock = |p: &[f64; 2]| (1.0 - p[0]).powi(2) + 100.0 * (p[1] - p[0] * p[0]).powi(2);
        let (point, value) = minimise(rosenbrock, [-1.2, 1.0], 0.5);
        assert!((point[0] - 1.0).abs() < 1e-3 && (point[1] - 1.0).abs() < 1e-3 && value < 1e-6, "{point:?}");
    }
}
