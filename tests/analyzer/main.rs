//! Tests of the analyzer from outside: the binary, and the library where a test needs what the binary does not show.
//!
//! Tests on real logs run when `LOADPRINT_CORPUS` names the directory that holds them, and say so when it does not.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on should stop, and say why"
)]

mod apachelogs;
mod apm;
mod canary;
mod cli;
mod clients;
mod containers;
mod conversion;
mod determinism;
mod documentation;
mod explain;
mod formats;
mod golden;
mod layers;
mod meaning;
mod merging;
mod mmdb;
mod nginx;
mod privacy;
mod reference;
mod robust;
mod sessions;
mod statistics;
mod support;
mod truth;
