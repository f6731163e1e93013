//! The statistical goals: every test prints what it reached beside its goal.
//!
//! `cargo statistics` runs the long forms, which are left out of an ordinary run.

mod flow;
mod oracle;
