//! Where people's traces end: pseudonyms on the way in, the gate on the way out.
//!
//! [`pseudonym`] turns clients into pseudonyms under a [`key`] at the earliest point, and [`country`] their addresses into countries. [`gate`] is the one way out: every
//! name and every figure of a profile passes it, and only what at least k distinct clients did comes through.
//! [`secret`] recognises what a crowd may share and nobody may read. [`publish`] puts the profile together from what
//! the gate lets through. [`host`] makes fingerprints of the operator's own hosts. [`stage`] names all the steps, for a test that none of them is idle.

pub mod country;
pub(crate) mod gate;
pub(crate) mod host;
pub mod key;
#[cfg(test)]
mod mutation;
pub(crate) mod name;
pub mod pseudonym;
pub(crate) mod publish;
mod recent_client;
pub(crate) mod secret;
pub(crate) mod stage;
