//! How well models foretell clients that they have not seen.

use super::grouped;
use crate::model::flow::perplexity::Perplexity;

/// A table of perplexities, at most 80 columns wide; why there is none otherwise.
pub fn text(held_out: Option<&Perplexity>) -> String {
    let Some(found) = held_out else {
        return "\nheld out: too few sessions of more than one request to try models on".to_owned();
    };
    let mut out = format!(
        "\nheld out: {} steps of clients that the models have not seen\n  {:<28} perplexity (one of so many, as hard to guess)\n",
        grouped(found.steps),
        "model"
    );
    for (name, perplexity) in [
        ("mix of endpoints alone", found.unigram),
        ("the last endpoint", found.first_order),
        ("longer contexts", found.variable_order),
        ("classes", found.mixture),
        ("classes and longer contexts", found.mixture_and_contexts),
    ] {
        out.push_str(&format!("  {name:<28} {perplexity:>10.2}\n"));
    }
    out
}
