//! Pure functions from counts to a model: no files, no clock, no random numbers.

pub(crate) mod arrivals;
pub(crate) mod em;
pub(crate) mod optimise;
pub(crate) mod popularity;
pub(crate) mod think;
