//! Categories put together until each holds enough for the chi-squared law to be true (Cochran 1954).
//!
//! A grouping is a list of groups, each a list of places. It depends on expectations alone: groups chosen by what was
//! found would bias the test.

/// Groups of neighbours, for categories with an order: each holds at least `least` of `expected`.
///
/// What is left at the end joins the last group. A single group when there is less than `least` in all.
pub fn neighbours(expected: &[f64], least: f64) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let (mut open, mut held) = (Vec::new(), 0.0);
    for (at, expected) in expected.iter().enumerate() {
        open.push(at);
        held += expected;
        if held >= least {
            groups.push(std::mem::take(&mut open));
            held = 0.0;
        }
    }
    match groups.last_mut() {
        Some(last) => last.append(&mut open),
        None if open.is_empty() => {}
        None => groups.push(open),
    }
    groups
}

/// Every category of at least `least` for itself, and one group of all others, for categories without an order.
///
/// The group of the others comes last; while it holds less than `least`, the smallest of the rest joins it.
pub fn rest(expected: &[f64], least: f64) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..expected.len()).collect();
    order.sort_by(|a, b| expected[*b].total_cmp(&expected[*a]).then(a.cmp(b)));
    let mut kept = order.iter().take_while(|at| expected[**at] >= least).count();
    let held = |kept: usize| order[kept..].iter().map(|at| expected[*at]).sum::<f64>();
    while kept > 0 && kept < order.len() && held(kept) < least {
        kept -= 1;
    }
    let mut others = order.split_off(kept);
    order.sort_unstable();
    others.sort_unstable();
    let mut groups: Vec<Vec<usize>> = order.into_iter().map(|at| vec![at]).collect();
    if !others.is_empty() {
        groups.push(others);
    }
    groups
}

/// The sum of `values` in each group.
pub fn sums(groups: &[Vec<usize>], values: &[f64]) -> Vec<f64> {
    groups.iter().map(|group| group.iter().map(|at| values[*at]).sum()).collect()
}
