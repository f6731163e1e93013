//! Flags that say where to send, how, and with how much care: the same for `run` and `capacity`.

use std::path::Path;
use std::time::Duration;

use clap::{Args, ValueEnum};
use replayer::config::Schedule;
use replayer::{Pace, Settings};
use shared::Profile;
use shared::units::parse_duration;

use super::feeds::FeedFlags;
use super::safety::SafetyFlags;
use super::wire::WireFlags;

/// Where to send, how, and with how much care.
#[derive(Debug, Args)]
pub(super) struct SendingFlags {
    /// Where to send, such as `http://127.0.0.1:8080`; a path in it comes before every route
    #[arg(long, value_name = "URL")]
    target: String,
    /// Load this host, or machines of this network, although they are not this machine; repeat it or separate several
    /// by commas
    #[arg(long, value_name = "HOST[:PORT]|NETWORK", value_delimiter = ',', help_heading = "Safety")]
    allow_target: Vec<String>,
    /// Load this host although the profile was made from its traffic: type its name again
    #[arg(long, value_name = "HOST", help_heading = "Safety")]
    i_own_this_production: Option<String>,
    #[command(flatten)]
    safety: SafetyFlags,
    /// Show the plan and stop there
    #[arg(long, help_heading = "Safety")]
    pub(super) dry_run: bool,
    /// Most requests that may wait for an answer at once; what would exceed it is dropped and counted
    #[arg(long, value_name = "N", default_value_t = 10_000, help_heading = "Safety")]
    max_in_flight: usize,
    #[command(flatten)]
    feeds: FeedFlags,
    /// How long one request may take
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "30s", help_heading = "Sending")]
    timeout: Duration,
    /// Event loops, each on a thread of its own
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Sending")]
    threads: usize,
    /// How exactly moments are kept: `spin` within microseconds, for a core's time; `eco` as the kernel wakes
    ///
    /// Where no core is to spare, it is `eco` anyway; the report says which.
    #[arg(long, value_enum, default_value_t = PaceFlag::Spin, help_heading = "Sending")]
    pace: PaceFlag,
    /// Let the system move event loops between cores, also where there is one for each
    #[arg(long, help_heading = "Sending")]
    no_pin: bool,
    #[command(flatten)]
    wire: WireFlags,
}

/// [`Pace`], as the command line spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PaceFlag {
    /// Awake before each moment
    Spin,
    /// Asleep until each moment
    Eco,
}

impl From<PaceFlag> for Pace {
    fn from(flag: PaceFlag) -> Self {
        match flag {
            PaceFlag::Spin => Self::Spin,
            PaceFlag::Eco => Self::Eco,
        }
    }
}

impl SendingFlags {
    /// The settings that the flags mean for `profile`, read from `path`; what is not among them is as usual.
    pub(super) fn settings(
        self,
        profile: &Profile,
        path: &Path,
        schedule: Schedule,
        allow_methods: Vec<String>,
    ) -> anyhow::Result<Settings> {
        Ok(Settings {
            target: self.target,
            allow_targets: self.allow_target,
            own_production: self.i_own_this_production,
            feeds: self.feeds.files(profile, path)?,
            profile_directory: path.parent().unwrap_or(Path::new("")).to_owned(),
            safety: self.safety.safety(),
            allow_methods,
            schedule,
            timeout: self.timeout,
            max_in_flight: self.max_in_flight,
            threads: self.threads,
            wire: self.wire.settings(),
            pace: self.pace.into(),
            pin: !self.no_pin,
            ..Settings::default()
        })
    }
}
