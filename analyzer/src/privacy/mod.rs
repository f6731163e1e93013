//! Where people's traces end: pseudonyms on the way in, the gate on the way out.
//!
//! [`pseudonym`] turns clients into pseudonyms under a [`key`] at the earliest point. [`gate`] is the one way out: every
//! name and every figure of a profile passes it, and only what at least k distinct clients did comes through.
//! [`publish`] puts the profile together from what the gate lets through.

pub(crate) mod gate;
pub mod key;
pub mod pseudonym;
pub(crate) mod publish;
