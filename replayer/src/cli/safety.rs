//! Flags that say how careful a run is.

use std::time::Duration;

use clap::Args;
use replayer::{Budget, Safety};
use shared::units::{parse_bytes, parse_duration};

/// How careful a run is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Safety")]
pub(super) struct SafetyFlags {
    /// How long only 1 % of the load is sent at first; the run ends there if half of that fails
    ///
    /// Default: 30s, or a tenth of the run, against other machines; 0s against this one.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    canary: Option<Duration>,
    /// Most sessions per second, as a multiple of the profile's peak
    ///
    /// Default: 2 against other machines; none against this one.
    #[arg(long, value_name = "FACTOR")]
    raise_ceiling: Option<f64>,
    /// End after this many requests
    #[arg(long, value_name = "N")]
    budget_requests: Option<u64>,
    /// End after so much of answers, such as `2GB`
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    budget_bytes: Option<u64>,
    /// End after this time, whatever the schedule says
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    budget_time: Option<Duration>,
    /// End when this comes true, such as `error_rate > 5% for 30s` or `query(node_load1) > 4 for 1m`; repeat it
    #[arg(long, value_name = "RULE")]
    stop: Vec<String>,
    /// End when this URL of the target does not answer with 2xx three times in a row; over TLS with the load's `--ca`,
    /// `--cert` and `--insecure`
    #[arg(long, value_name = "URL")]
    health: Option<String>,
    /// The Prometheus server that `query(…)` in stop rules asks; over TLS as `--health` is
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
}

impl SafetyFlags {
    /// What the flags mean.
    pub(super) fn safety(self) -> Safety {
        Safety {
            canary: self.canary,
            ceiling: self.raise_ceiling,
            budget: Budget {
                requests: self.budget_requests,
                bytes: self.budget_bytes,
                time: self.budget_time,
            },
            stop: self.stop,
            health: self.health,
            prometheus: self.prometheus,
        }
    }
}
