//! Flags that say what to send when, the same for `run` and `plan`.

use std::time::Duration;

use clap::Args;
use replayer::config::{DayWindow, Schedule};
use shared::units::{Weekday, parse_duration};

/// What to send when.
#[derive(Debug, Args)]
#[command(next_help_heading = "Schedule")]
pub(super) struct ScheduleFlags {
    /// How long sessions start, such as `90s` or `5m`
    ///
    /// Default: as long as the window takes at the speedup, or 10m.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// Multiple of the profile's rates
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    scale: f64,
    /// How many times faster than the clock the curve is followed; rates and think times stay as they are
    #[arg(long, value_name = "FACTOR")]
    speedup: Option<f64>,
    /// How long the load takes to build up
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s")]
    ramp_up: Duration,
    /// Day of the week to be on
    ///
    /// Default: the day with the peak.
    #[arg(long, value_name = "DAY")]
    day: Option<Weekday>,
    /// Part of the day to follow, such as `17:00-19:00`
    ///
    /// Default: from 00:00 on with a speedup, around the peak without.
    #[arg(long, value_name = "FROM-TO")]
    window: Option<DayWindow>,
    /// What everything random follows from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Send this method too, or to this endpoint; repeat it or separate several by commas
    #[arg(long, value_name = "METHOD[:ENDPOINT]", value_delimiter = ',', help_heading = "Safety")]
    pub(super) allow_method: Vec<String>,
}

impl ScheduleFlags {
    /// The schedule that the flags mean.
    pub(super) fn schedule(&self) -> Schedule {
        Schedule {
            seed: self.seed,
            day: self.day,
            window: self.window,
            duration: self.duration,
            scale: self.scale,
            speedup: self.speedup,
            canary: Duration::ZERO,
            ramp_up: self.ramp_up,
        }
    }
}
