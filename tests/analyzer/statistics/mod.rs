//! The statistical goals: every test prints what it reached beside its goal.
//!
//! `cargo statistics` runs the long forms, which are left out of an ordinary run.

mod arrivals;
mod flow;
mod oracle;
mod privacy;
mod routes;
mod sessions;
mod think;
