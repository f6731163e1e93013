//! What people and programs see of the analyzer's work.

pub mod inspect;
mod number;
pub mod summary;

pub(crate) use number::{grouped, percent, seconds};
