//! What people and programs see of the analyzer's work.

pub mod explain;
pub mod inspect;
mod number;
pub mod summary;

pub(crate) use number::{grouped, percent, seconds};

/// How a log was sampled: `a request logged stands for 10.00 in the mean, 5 % not known`.
pub(crate) fn sampled(sampling: &shared::profile::Sampling) -> String {
    let unknown = match sampling.unknown_share {
        share if share > 0.0 => format!(", not known of {}", percent(share)),
        _ => String::new(),
    };
    format!("a request logged stands for {:.2} in the mean{unknown}", sampling.weight_mean)
}
