//! What this machine has to send with, and the refusal of plans that need more.

use std::thread;

use anyhow::bail;
use replayer::Settings;
use replayer::plan::{Machine, Outline, obstacles};

/// Refuses a plan that this machine cannot send as `settings` say.
pub(super) fn refuse_the_impossible(outline: &Outline, settings: &Settings) -> anyhow::Result<()> {
    let found = obstacles(outline, settings.wire.keep_alive, &machine(settings));
    if let Some(first) = found.first() {
        let reasons: Vec<&str> = found.iter().map(|obstacle| obstacle.reason.as_str()).collect();
        bail!("this machine cannot send that: {}\n  hint: {}", reasons.join("; "), first.hint);
    }
    Ok(())
}

/// What there is to send with as `settings` say.
pub(super) fn machine(settings: &Settings) -> Machine {
    let all = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let addresses = settings.wire.source_addresses.len().max(1);
    Machine {
        cores: settings.threads.min(all),
        free_memory_bytes: free_memory_bytes(),
        // A socket in the file system takes none.
        ports: ports()
            .filter(|_| !settings.target.starts_with("unix:"))
            .map(|ports| ports * addresses as f64),
    }
}

/// Memory that programs can still take, as Linux estimates it.
fn free_memory_bytes() -> Option<f64> {
    let text = fs_err::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? * 1024.0)
}

/// Ports that Linux gives to connections by itself.
fn ports() -> Option<f64> {
    let text = fs_err::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let ends: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let [first, last] = ends[..] else { return None };
    Some(last - first + 1.0)
}
