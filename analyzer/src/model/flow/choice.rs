//! Whether sessions differ because their users do, or because of what they did before.
//!
//! Either looks like the other: a chain with memory falls apart into classes, each of which holds some of the memory, and
//! classes make the last step tell of the one before it. So both are fitted, and the one that explains more for its
//! parameters is believed first. Longer contexts may come on top of classes; classes that memory explains are not kept.

use super::contexts::Rows;
use super::mixture::Mixture;

/// Whether `mixture` explains more than the longer contexts of `rows`, both fitted to the same `sessions`: by BIC, with
/// as many observations as sessions.
///
/// `false` where one class is best.
pub fn classes_explain_more(mixture: &Mixture, rows: &Rows, sessions: usize) -> bool {
    mixture.classes.len() > 1 && mixture.bic_gain() > rows.bic_gain(sessions).max(0.0)
}
