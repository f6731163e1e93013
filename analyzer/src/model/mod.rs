//! Pure functions from counts to a model: no files, no clock, and no random numbers but those that
//! the counts themselves seed.

pub mod arrivals;
pub mod em;
pub mod nnls;
pub(crate) mod optimise;
pub mod seed;
pub(crate) mod think;
