//! Recordings of traffic that are documents, not lines: HAR and GoReplay.

pub(crate) mod goreplay;
pub(crate) mod har;
