//! What people and programs see of the analyzer's work.

pub mod audit;
pub mod explain;
pub mod holdout;
pub mod inspect;
mod number;
pub mod summary;

pub(crate) use number::{grouped, percent, resolution, seconds};

/// How a log was sampled: `a request logged stands for 10.00 in the mean, 5 % not known`.
pub(crate) fn sampled(sampling: &shared::profile::Sampling) -> String {
    let unknown = match sampling.unknown_share {
        share if share > 0.0 => format!(", not known of {}", percent(share)),
        _ => String::new(),
    };
    format!("a request logged stands for {:.2} in the mean{unknown}", sampling.weight_mean)
}

/// `chrome 61 %, safari 24 %`, the largest share first; how many are left out of more than `most`.
pub(crate) fn largest_first(mut shares: Vec<(&str, f64)>, most: usize) -> String {
    shares.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(other.0)));
    let shown = shares.iter().take(most);
    let shown: Vec<String> =
        shown.map(|(name, share)| format!("{} {}", name.replace('_', " "), percent(*share))).collect();
    match shares.len().saturating_sub(most) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
