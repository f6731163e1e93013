//! Pure functions from counts to a model: no files, no clock, and no random numbers but those that
//! the counts themselves seed.

pub mod arrivals;
pub mod em;
pub mod flow;
pub(crate) mod optimise;
pub(crate) mod popularity;
pub mod sample;
pub mod seed;
pub mod think;
