//! Pure functions from counts to a model: no files, no clock, no random numbers.

pub mod arrivals;
pub mod em;
pub mod flow;
pub mod nnls;
pub(crate) mod optimise;
pub mod sample;
pub mod seed;
pub mod think;
