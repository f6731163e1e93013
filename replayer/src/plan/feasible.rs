//! Whether a machine can send a plan at all: reasons against it, before anything is sent.

use std::time::Duration;

use super::Outline;

/// What there is to send with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Machine {
    /// Processor cores that may be used.
    pub cores: usize,
    /// Memory that is free, in bytes, where the system says so.
    pub free_memory_bytes: Option<f64>,
    /// Connections that its addresses can have to one other, where the system says so.
    pub ports: Option<f64>,
}

/// Why a plan cannot be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Obstacle {
    /// What would be needed, and what there is.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
    /// How many times more is needed than there is.
    times: f64,
}

/// What an open session takes, in bytes: the goal that the engine is held to.
const SESSION_BYTES: f64 = 3_000.0;
/// What a request takes of a core, in seconds: the goal that the engine is held to.
const REQUEST_CPU_S: f64 = 50e-6;

/// Everything that keeps `machine` from sending its share of the plan that `outline` describes, where sessions keep a
/// connection that they do not use for `keep_alive`; the worst first, empty when nothing does.
pub fn obstacles(outline: &Outline, keep_alive: Duration, machine: &Machine) -> Vec<Obstacle> {
    let shards = outline.shards as f64;
    let sessions = outline.peak_open_sessions / shards;
    let connections = outline.peak_connections(keep_alive) / shards;
    let memory_bytes = sessions * SESSION_BYTES;
    let cores = outline.peak_requests_per_s / shards * REQUEST_CPU_S;
    let checks = [
        (
            memory_bytes,
            machine.free_memory_bytes,
            format!("{sessions:.0} sessions open at once take {:.1} GB of memory", memory_bytes / 1e9),
            format!("{:.1} GB are free", machine.free_memory_bytes.unwrap_or(0.0) / 1e9),
        ),
        (
            cores,
            Some(machine.cores as f64),
            format!("{:.0} requests/s take {cores:.1} cores", outline.peak_requests_per_s / shards),
            format!("{} may be used", machine.cores),
        ),
        (
            connections,
            machine.ports,
            format!("{connections:.0} connections open at once take a port each"),
            format!("there are {:.0} of them", machine.ports.unwrap_or(0.0)),
        ),
    ];
    let lacking = checks.into_iter().filter_map(|(needed, there, needs, has)| {
        let times = needed / there.filter(|there| needed > *there)?;
        let scale = shared::units::round_significant(0.99 * outline.scale / times, 2);
        let machines = (shards * times).ceil();
        Some(Obstacle {
            reason: format!("{needs}, and {has}"),
            // A trace cannot be scaled.
            hint: match outline.trace {
                Some(_) => format!("share the plan among {machines:.0} machines with `--shard`"),
                None => format!(
                    "lower `--scale` to {scale}, or share the plan among {machines:.0} machines with `--shard`"
                ),
            },
            times,
        })
    });
    let mut lacking: Vec<Obstacle> = lacking.collect();
    lacking.sort_by(|one, other| other.times.total_cmp(&one.times));
    lacking
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Schedule, Share};
    use crate::plan::Plan;
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;

    #[track_caller]
    fn check(scale: f64, share: Share, keep_alive_s: u64, expected: &[&str]) {
        let profile = from_yaml(EXAMPLE).unwrap();
        let plan = Plan::new(&profile, &Schedule { scale, share, ..Schedule::default() }, &[]).unwrap();
        let machine = Machine { cores: 2, free_memory_bytes: Some(0.5e9), ports: Some(28_000.0) };
        let found = obstacles(plan.outline(), Duration::from_secs(keep_alive_s), &machine);
        let text = format!("{found:?}");
        assert_eq!(found.len(), expected.len(), "{text}");
        assert!(expected.iter().all(|words| text.contains(words)), "{text}");
    }

    #[test]
    fn what_a_machine_lacks_is_said_with_what_to_do() {
        // A session per second is 2 requests/s and 2 open sessions, and the peak is 0.08 sessions/s.
        check(1000.0, Share::ALL, 75, &[]);
        check(200_000.0, Share::ALL, 75, &["a port each"]);
        // Who pauses for longer than connections are kept has none meanwhile.
        check(200_000.0, Share::ALL, 0, &[]);
        check(400_000.0, Share::ALL, 75, &["cores, and 2 may be used", "a port each"]);
        check(1_000_000.0, Share::ALL, 75, &["GB of memory", "cores", "port"]);
        check(400_000.0, Share { index: 3, of: 64 }, 75, &[]);
    }
}
