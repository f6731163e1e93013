//! Flags that say what to send when, the same for `run` and `plan`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use replayer::config::{Artificial, Busy, Counts, DayWindow, Schedule, Share, WarmStart};
use shared::units::{Weekday, parse_duration};

use super::rank;

/// What the load consists of, whatever its height.
#[derive(Debug, Args)]
#[command(next_help_heading = "Schedule")]
pub(super) struct TrafficFlags {
    /// How busy a day it is: `usual`, a percentile of days such as `p95`, or `draw`
    #[arg(long, value_name = "DAY", default_value = "usual")]
    busy: Busy,
    /// How many sessions there are
    #[arg(long, value_enum, default_value_t = CountsName::Random)]
    counts: CountsName,
    /// Another share of the sessions for a class, such as `browse=0.5`; the others keep their proportions
    #[arg(long, value_name = "CLASS=SHARE", value_parser = parse_mix)]
    class: Vec<(String, f64)>,
    /// Send only what people decide on: nothing that pages bring along, no calls by the clock
    #[arg(long)]
    steps_only: bool,
    /// Artificial: sessions of this class only
    #[arg(long, value_name = "CLASS", conflicts_with = "class")]
    one_class: Option<String>,
    /// `zero` is artificial: no pauses
    #[arg(long, value_enum, value_name = "HOW", default_value_t = ThinkTimeName::Measured)]
    think_time: ThinkTimeName,
    /// What everything random follows from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Send this method too, or to this endpoint; repeat it or separate several by commas
    #[arg(long, value_name = "METHOD[:ENDPOINT]", value_delimiter = ',', help_heading = "Safety")]
    pub(super) allow_method: Vec<String>,
}

/// What to send when.
#[derive(Debug, Args)]
#[command(next_help_heading = "Schedule")]
pub(super) struct ScheduleFlags {
    #[command(flatten)]
    pub(super) traffic: TrafficFlags,
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
    /// How long the load takes to build up [default: what the scenario says, or 0s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    ramp_up: Option<Duration>,
    /// How long it takes to die away at the end
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s")]
    ramp_down: Duration,
    /// Scenario of the profile: one of its own, or `baseline`, `peak`, `day`, `stress`, `spike`, `soak`
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Whether sessions that began before the run are under way at its start; `auto` unless the load builds up
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = WarmStartName::Auto)]
    warm_start: WarmStartName,
    /// Follow the curve at a speedup at which sessions blur it
    #[arg(long)]
    allow_flattening: bool,
    /// Artificial: this many sessions per second all along
    #[arg(long, value_name = "RATE", conflicts_with = "scenario")]
    constant_rate: Option<f64>,
    /// Artificial: every change of the load at once
    #[arg(long)]
    instant_step: bool,
    /// Which part of the sessions is ours, counted from 0, such as `0/4`
    ///
    /// Default: rank and size of a Slurm task, an indexed job or an MPI process, or all.
    #[arg(long, value_name = "K/N", help_heading = "Sharing")]
    shard: Option<Share>,
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
    /// Play events as they were, those of `analyzer events` as CSV, NDJSON or Parquet, in place of a profile
    #[arg(
        long,
        conflicts_with_all = [
            "duration", "scale", "speedup", "ramp_up", "ramp_down", "scenario", "busy", "counts", "warm_start", "class",
            "allow_flattening", "steps_only", "constant_rate", "instant_step", "one_class", "think_time", "day", "window"
        ]
    )]
    pub(super) trace: bool,
}

impl TrafficFlags {
    /// The schedule that the flags mean, of the profile's own height around its peak.
    pub(super) fn schedule(&self) -> Schedule {
        Schedule {
            seed: self.seed,
            busy: self.busy,
            counts: match self.counts {
                CountsName::Random => Counts::Random,
                CountsName::Exact => Counts::Exact,
            },
            class_mix: self.class.clone(),
            steps_only: self.steps_only,
            artificial: Artificial {
                one_class: self.one_class.clone(),
                no_think_time: self.think_time == ThinkTimeName::Zero,
                ..Artificial::default()
            },
            ..Schedule::default()
        }
    }
}

impl ScheduleFlags {
    /// The schedule that the flags mean, and in a cluster the process's place there.
    pub(super) fn schedule(&self) -> anyhow::Result<Schedule> {
        let share = match self.shard {
            Some(share) => share,
            None => rank::of_this_process()?,
        };
        let traffic = self.traffic.schedule();
        Ok(Schedule {
            day: self.day,
            window: self.window,
            duration: self.duration,
            scale: self.scale,
            speedup: self.speedup,
            ramp_up: self.ramp_up,
            ramp_down: self.ramp_down,
            scenario: self.scenario.clone(),
            warm_start: match self.warm_start {
                WarmStartName::Auto => WarmStart::Auto,
                WarmStartName::On => WarmStart::On,
                WarmStartName::Off => WarmStart::Off,
            },
            allow_flattening: self.allow_flattening,
            artificial: Artificial {
                constant_rate_per_s: self.constant_rate,
                instant_step: self.instant_step,
                ..traffic.artificial
            },
            share,
            ..traffic
        })
    }
}

/// How many sessions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CountsName {
    /// As many as chance brings
    Random,
    /// As many as expected
    Exact,
}

/// Whether sessions are under way at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WarmStartName {
    /// Unless the load builds up from nothing
    Auto,
    /// Always
    On,
    /// Never
    Off,
}

/// How long people pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ThinkTimeName {
    /// As long as measured
    Measured,
    /// Not at all
    Zero,
}

/// A class and its share.
fn parse_mix(text: &str) -> Result<(String, f64), String> {
    let wrong = || format!("found `{text}`, expected a class and its share such as `browse=0.5`");
    let (class, share) = text.rsplit_once('=').ok_or_else(wrong)?;
    Ok((class.to_owned(), share.parse().map_err(|_| wrong())?))
}
