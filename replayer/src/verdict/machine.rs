//! What the machine had to do meanwhile: a generator at its limit is late before it says so, and time that the host
//! takes from a virtual machine is taken from the generator as well.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Finding, Level};

/// What the machine had to do during a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Machine {
    /// Processor time that this process used, per event loop and second.
    pub generator_share: f64,
    /// Share of all processors' time that was used by anybody.
    pub busy_share: f64,
    /// Share that the host of this virtual machine gave to others.
    pub stolen_share: f64,
}

/// An event loop that works this share of the time has no more room for what comes at the same moment.
const FULL: f64 = 0.95;

/// More time stolen than this shows in lateness.
const STOLEN: f64 = 0.05;

impl Machine {
    /// What is wrong with it.
    pub(super) fn finding(&self) -> Option<Finding> {
        let percent = |share: f64| (100.0 * share).round();
        if self.generator_share > FULL {
            return Finding::of_generator(Level::Degraded, || {
                format!(
                    "the generator used {} % of its processors: add --threads or machines",
                    percent(self.generator_share)
                )
            });
        }
        let level = if self.stolen_share > STOLEN { Level::Degraded } else { Level::Valid };
        Finding::of_generator(level, || {
            format!("the host took {} % of this virtual machine's time", percent(self.stolen_share))
        })
    }
}

/// Ticks of all processors since the system started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    all: u64,
    idle: u64,
    stolen: u64,
}

impl Ticks {
    /// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal, and guests, which are
    /// counted among the users already (proc(5)).
    fn of(text: &str) -> Option<Self> {
        let numbers = text.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace().take(8);
        let numbers: Vec<u64> = numbers.map(|number| number.parse().ok()).collect::<Option<_>>()?;
        let [_, _, _, idle, iowait, _, _, stolen] = numbers[..] else { return None };
        Some(Self { all: numbers.iter().sum(), idle: idle + iowait, stolen })
    }
}

/// Reads what the machine has done so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    used_s: f64,
    ticks: Ticks,
}

impl Meter {
    /// As of now; none where the system does not say.
    pub(crate) fn read() -> Option<Self> {
        let ticks = Ticks::of(&fs_err::read_to_string("/proc/stat").ok()?)?;
        Some(Self { used_s: process_s()?, ticks })
    }

    /// What the machine had to do since then, in a run of `elapsed_s` with this many event loops.
    pub(crate) fn until_now(&self, elapsed_s: f64, threads: usize) -> Option<Machine> {
        let now = Self::read()?;
        let all = (now.ticks.all - self.ticks.all).max(1) as f64;
        let since = |now: u64, then: u64| now.saturating_sub(then) as f64 / all;
        Some(Machine {
            generator_share: (now.used_s - self.used_s) / (elapsed_s * threads as f64),
            busy_share: 1.0 - since(now.ticks.idle, self.ticks.idle),
            stolen_share: since(now.ticks.stolen, self.ticks.stolen),
        })
    }
}

/// Processor time that this process has used.
#[cfg(unix)]
fn process_s() -> Option<f64> {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(used.tv_sec as f64 + used.tv_nsec as f64 / 1e9)
}

/// Elsewhere nobody says.
#[cfg(not(unix))]
fn process_s() -> Option<f64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_holds_all_processors() {
        let text = "cpu  10 1 20 300 9 0 5 55 3 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(Ticks::of(text), Some(Ticks { all: 400, idle: 309, stolen: 55 }));
        assert_eq!(Ticks::of("cpu  1 2 3\n"), None);
        assert_eq!(Ticks::of(""), None);
    }

    #[test]
    fn a_full_generator_and_a_greedy_host_are_named() {
        let reason = |generator_share, stolen_share| {
            Machine { generator_share, busy_share: 1.0, stolen_share }.finding().map(|finding| finding.reason)
        };
        assert_eq!(reason(0.9, 0.01), None);
        assert!(reason(0.99, 0.0).unwrap().contains("99 % of its processors"));
        assert!(reason(0.5, 0.2).unwrap().contains("20 % of this virtual machine"));
    }
}
