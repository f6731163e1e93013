//! `replayer target`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use replayer::target::{LOG_FORMAT, Target, TargetSettings};

use super::limits;
use super::output;
use super::signals;

/// Flags of `target`.
#[derive(Debug, Args)]
#[command(after_help = log_help())]
pub(super) struct Flags {
    /// The profile
    profile: PathBuf,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Listen there although other machines can reach it
    #[arg(long)]
    allow_listen: bool,
    /// File for the access log
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
    /// Event loops, each on a thread of its own
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// What times, sizes and statuses follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Larger bodies are cut to this
    #[arg(long, value_name = "BYTES", default_value_t = 64 * 1024)]
    largest_body_bytes: usize,
}

fn log_help() -> String {
    format!("The access log is in nginx's format\n  {LOG_FORMAT}\nwith times in UTC.")
}

/// Serves until it is asked to end; says on stdout where.
pub(super) fn target(flags: Flags) -> anyhow::Result<ExitCode> {
    let profile = super::read_profile(&flags.profile)?;
    let settings = TargetSettings {
        listen: flags.listen,
        allow_listen: flags.allow_listen,
        access_log: flags.access_log,
        threads: flags.threads,
        seed: flags.seed,
        largest_body_bytes: flags.largest_body_bytes,
        faults: Vec::new(),
    };
    limits::raise_open_files();
    let target = Target::start(&profile, &settings)?;
    let address = target.address();
    signals::wait(|| output::print(&format!("http://{address}\n"))).context("cannot watch for Ctrl-C")??;
    target.stop()?;
    Ok(ExitCode::SUCCESS)
}
