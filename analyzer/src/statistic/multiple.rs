//! Many tests at once: p-values adjusted so that one of them can be compared with the level that holds for all.

/// Adjusted p-values that control the expected share of false discoveries (Benjamini & Hochberg 1995).
///
/// In the order of `p_values`; an adjusted value at most q is a discovery at false discovery rate q. Valid for
/// independent tests and for positively dependent ones.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let n = p_values.len() as f64;
    let mut adjusted = vec![0.0; p_values.len()];
    let mut smallest = 1.0_f64;
    for (rank, at) in ascending(p_values).into_iter().enumerate().rev() {
        smallest = smallest.min(p_values[at] * n / (rank + 1) as f64);
        adjusted[at] = smallest;
    }
    adjusted
}

/// Adjusted p-values that control the probability of any false rejection, whatever the dependence (Holm 1979).
///
/// In the order of `p_values`.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, at) in ascending(p_values).into_iter().enumerate() {
        largest = largest.max(p_values[at] * (p_values.len() - rank) as f64).min(1.0);
        adjusted[at] = largest;
    }
    adjusted
}

/// Places of `p_values` from the smallest to the largest; equal ones keep their order.
fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    order
}
