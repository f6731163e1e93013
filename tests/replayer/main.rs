//! The replayer as others see it: its command line, its timing, its target, and what it does when things go wrong.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod authority;
mod capacity;
mod cli;
mod connections;
#[cfg(target_os = "linux")]
mod dns;
#[cfg(feature = "parquet")]
mod events;
mod faults;
#[cfg(feature = "grpc")]
mod grpc;
mod guard;
mod interrupted;
mod measured;
mod nginx;
mod schema;
mod stall;
mod support;
mod target;
mod timing;
mod values;
mod wessbas;
