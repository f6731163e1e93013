//! Pure functions from counts to a model: no files, no clock, no random numbers.

pub(crate) mod arrivals;
pub(crate) mod em;
pub mod flow;
pub(crate) mod optimise;
pub mod sample;
pub mod think;
