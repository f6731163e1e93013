//! The minimum of a function of a few variables: without its derivatives (Nelder & Mead 1965), or with them (the
//! quasi-Newton method of Broyden, Fletcher, Goldfarb and Shanno, 1970).

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

/// Steps after which a descent may give up: smooth likelihoods of up to eight parameters need some dozens.
pub(crate) const MOST_STEPS: usize = 200;
/// Slope below which a descent has arrived: for mean log-likelihoods, far below what any data can tell.
const FLAT: f64 = 1e-7;

/// The point to which `f`, which returns its value and its gradient, descends from `start` in at most so many `steps`,
/// and the value there.
///
/// `f` may return infinity where it is not defined; a step never ends there. Scaled so that a slope of one is steep:
/// the first step is at most one long. Deterministic.
pub(crate) fn descend(
    f: impl Fn(&[f64]) -> (f64, Vec<f64>),
    start: Vec<f64>,
    steps: usize,
) -> (Vec<f64>, f64) {
    let n = start.len();
    let (mut value, mut slope) = f(&start);
    let mut point = start;
    let mut inverse = identity(n);
    for _ in 0..steps {
        if slope.iter().all(|x| x.abs() < FLAT) {
            break;
        }
        let mut direction: Vec<f64> = inverse.iter().map(|row| -dot(row, &slope)).collect();
        if dot(&direction, &slope) >= 0.0 {
            inverse = identity(n);
            direction = slope.iter().map(|x| -x).collect();
        }
        let Some((next, next_value, next_slope)) = step(&f, &point, value, &slope, &direction) else { break };
        let moved: Vec<f64> = next.iter().zip(&point).map(|(to, from)| to - from).collect();
        let bent: Vec<f64> = next_slope.iter().zip(&slope).map(|(to, from)| to - from).collect();
        update(&mut inverse, &moved, &bent);
        let gained = value - next_value;
        (point, value, slope) = (next, next_value, next_slope);
        if gained < f64::EPSILON * value.abs() {
            break;
        }
    }
    (point, value)
}

/// Halves the step along `direction` until the value falls by a part of what the slope promises (Armijo 1966).
fn step(
    f: impl Fn(&[f64]) -> (f64, Vec<f64>),
    point: &[f64],
    value: f64,
    slope: &[f64],
    direction: &[f64],
) -> Option<(Vec<f64>, f64, Vec<f64>)> {
    const HALVINGS: i32 = 40;
    const PART: f64 = 1e-4;
    let longest = 1.0 / dot(direction, direction).sqrt().max(1.0);
    let promised = dot(slope, direction);
    (0..HALVINGS).find_map(|halvings| {
        let length = longest * 0.5_f64.powi(halvings);
        let next: Vec<f64> = point.iter().zip(direction).map(|(x, d)| x + length * d).collect();
        let (next_value, next_slope) = f(&next);
        (next_value <= value + PART * length * promised).then_some((next, next_value, next_slope))
    })
}

/// Changes the inverse of the curvature so that it explains how the slope has `bent` where the point has `moved`.
fn update(inverse: &mut [Vec<f64>], moved: &[f64], bent: &[f64]) {
    let curvature = dot(moved, bent);
    if curvature <= 1e-12 * dot(bent, bent).max(f64::MIN_POSITIVE) {
        return;
    }
    let image: Vec<f64> = inverse.iter().map(|row| dot(row, bent)).collect();
    let along = (1.0 + dot(bent, &image) / curvature) / curvature;
    for (i, row) in inverse.iter_mut().enumerate() {
        for (j, entry) in row.iter_mut().enumerate() {
            *entry += along * moved[i] * moved[j] - (image[i] * moved[j] + moved[i] * image[j]) / curvature;
        }
    }
}

fn identity(n: usize) -> Vec<Vec<f64>> {
    (0..n).map(|i| (0..n).map(|j| if i == j { 1.0 } else { 0.0 }).collect()).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descent_ends_at_the_bottom_and_not_where_nothing_is_defined() {
        let valley = |p: &[f64]| {
            let off = p[1] - p[0] * p[0];
            let value = (1.0 - p[0]).powi(2) + 100.0 * off * off;
            (value, vec![-2.0 * (1.0 - p[0]) - 400.0 * p[0] * off, 200.0 * off])
        };
        let (point, value) = descend(valley, vec![-1.2, 1.0], MOST_STEPS);
        assert!((point[0] - 1.0).abs() < 1e-5 && (point[1] - 1.0).abs() < 1e-5 && value < 1e-10, "{point:?}");
        let cliff = |p: &[f64]| if p[0] < 0.5 { (f64::INFINITY, vec![0.0]) } else { (p[0], vec![1.0]) };
        let (point, _) = descend(cliff, vec![2.0], MOST_STEPS);
        assert!((0.5..0.51).contains(&point[0]), "{point:?}");
    }

    #[test]
    fn the_bottom_of_a_curved_valley_is_found() {
        let rosenbrock = |p: &[f64; 2]| (1.0 - p[0]).powi(2) + 100.0 * (p[1] - p[0] * p[0]).powi(2);
        let (point, value) = minimise(rosenbrock, [-1.2, 1.0], 0.5);
        assert!((point[0] - 1.0).abs() < 1e-3 && (point[1] - 1.0).abs() < 1e-3 && value < 1e-6, "{point:?}");
    }
}
