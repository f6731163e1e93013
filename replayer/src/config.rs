//! Settings: what the command line says, resolved once and checked before anything happens.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use shared::arrivals::DAY_S;
use shared::units::Weekday;

use crate::condition::Condition;
pub use crate::connect::settings::WireSettings;
use crate::error::Error;
use crate::guard::Safety;
use crate::pace::Pace;

/// How to run a profile against a target.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to send to, such as `http://127.0.0.1:8080`; a path in it is put in front of every route.
    pub target: String,
    /// Hosts that may be loaded although they are not this machine.
    pub allow_targets: Vec<String>,
    /// The host that may be loaded although the profile was made from it, typed again.
    pub own_production: Option<String>,
    /// Methods that may be sent besides `GET`, `HEAD` and `OPTIONS`: `POST`, or `POST:create_order` for one endpoint.
    pub allow_methods: Vec<String>,
    /// Files of values, by the name that templates use: CSV with a line of names. Columns that are called like parameters
    /// give their values.
    pub feeds: BTreeMap<String, PathBuf>,
    /// The directory from which the profile sees the files that it names.
    pub profile_directory: PathBuf,
    /// How careful the run is.
    pub safety: Safety,
    /// What to send when.
    pub schedule: Schedule,
    /// How long one request may take, connecting included.
    pub timeout: Duration,
    /// How long sessions that have begun may go on after the last one has started.
    pub drain: Duration,
    /// Most requests that may wait for an answer at once; sessions that would exceed it are dropped and counted.
    pub max_in_flight: usize,
    /// Event loops, each on a thread of its own.
    pub threads: usize,
    /// How connections are made.
    pub wire: WireSettings,
    /// How exactly moments are kept, where a core is to spare.
    pub pace: Pace,
    /// Whether each of several event loops stays on one core, where there are enough.
    pub pin: bool,
    /// When to start; at once, if nothing is said.
    pub start_at: Option<StartAt>,
    /// How long requests are sent at first that no condition counts.
    pub warm_up: Duration,
    /// Conditions that the run must meet, besides those of the profile.
    pub thresholds: Vec<Condition>,
    /// Where to write the interval log, if anywhere.
    pub interval_log: Option<PathBuf>,
}

/// When several processes start together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartAt {
    /// The moment, as time since the Unix epoch.
    pub since_epoch: Duration,
    /// Whether one that comes too late joins the others where they are. What it missed counts as lost.
    pub join_late: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            target: "http://127.0.0.1:8080".to_owned(),
            allow_targets: Vec::new(),
            own_production: None,
            allow_methods: Vec::new(),
            feeds: BTreeMap::new(),
            profile_directory: PathBuf::new(),
            safety: Safety::default(),
            schedule: Schedule::default(),
            timeout: Duration::from_secs(30),
            drain: Duration::from_secs(30),
            max_in_flight: 10_000,
            threads: 1,
            wire: WireSettings::default(),
            pace: Pace::Spin,
            pin: true,
            start_at: None,
            warm_up: Duration::ZERO,
            thresholds: Vec::new(),
            interval_log: None,
        }
    }
}

impl Settings {
    /// Checks everything that can be checked without the profile and the network.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first setting that makes no sense.
    pub fn check(&self) -> Result<(), Error> {
        self.schedule.check()?;
        self.safety.check()?;
        let wrong = |name, found: &dyn std::fmt::Display, expected| {
            Err(Error::Setting { name, found: found.to_string(), expected })
        };
        if self.timeout.is_zero() || self.timeout > LONGEST_TIMEOUT {
            return wrong("--timeout", &format!("{:?}", self.timeout), "a duration above 0 and at most 1h");
        }
        if self.drain > LONGEST_DURATION {
            return wrong("--drain", &format!("{:?}", self.drain), "at most 31d");
        }
        if self.wire.keep_alive > LONGEST_DURATION {
            return wrong("--keep-alive", &format!("{:?}", self.wire.keep_alive), "at most 31d");
        }
        if self.max_in_flight == 0 {
            return wrong("--max-in-flight", &self.max_in_flight, "at least 1");
        }
        check_threads(self.threads)
    }
}

/// The longest answer that the histograms can hold.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);
/// A month: longer than any soak test, short enough that offsets in nanoseconds stay exact.
pub(crate) const LONGEST_DURATION: Duration = Duration::from_secs(31 * DAY_S as u64);
/// More processes than any cluster starts for one run.
const MOST_SHARDS: u64 = 65_536;
/// More event loops than any machine has use for.
const MOST_THREADS: usize = 256;

/// Checks a number of threads.
///
/// # Errors
/// [`Error::Setting`] when it is 0 or absurd.
pub(crate) fn check_threads(threads: usize) -> Result<(), Error> {
    if (1..=MOST_THREADS).contains(&threads) {
        return Ok(());
    }
    Err(Error::Setting { name: "--threads", found: threads.to_string(), expected: "1 to 256" })
}

/// Which part of the week's curve to follow, how high, how fast and for how long.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Everything random follows from it.
    pub seed: u64,
    /// The day to be on; by default the one with the peak.
    pub day: Option<Weekday>,
    /// The time of day to be in.
    pub window: Option<DayWindow>,
    /// How long sessions start.
    pub duration: Option<Duration>,
    /// Multiple of the curve's rates.
    pub scale: f64,
    /// How many times faster than the clock the curve is followed. Rates and think times stay as they are.
    pub speedup: Option<f64>,
    /// How long only a hundredth of the load is sent at first, in whole seconds.
    pub canary: Duration,
    /// How long the load takes to build up, linearly from 0.
    pub ramp_up: Option<Duration>,
    /// How long it takes to die away again, at the end.
    pub ramp_down: Duration,
    /// Which of the profile's scenarios to run; what else is set here goes before what it says.
    pub scenario: Option<String>,
    /// How busy a day it is.
    pub busy: Busy,
    /// How many sessions there are.
    pub counts: Counts,
    /// Whether sessions that began before the run are under way at its start.
    pub warm_start: WarmStart,
    /// Shares of classes that shall not be as measured; the others keep their proportions.
    pub class_mix: Vec<(String, f64)>,
    /// Whether only what people decide on is sent: nothing that pages bring along, no calls by the clock.
    pub steps_only: bool,
    /// Whether a curve may be followed so fast that sessions blur it.
    pub allow_flattening: bool,
    /// What shall be unlike any production.
    pub artificial: Artificial,
    /// The part of the sessions that is ours.
    pub share: Share,
}

/// How busy a day it is, where the profile knows that days differ.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Busy {
    /// As busy as the curve says.
    #[default]
    Usual,
    /// As busy as the day that this share of days does not exceed.
    Quantile(f64),
    /// Each day as it comes.
    Draw,
}

impl std::str::FromStr for Busy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent = |text: &str| text.strip_prefix('p')?.parse::<f64>().ok();
        match text {
            "usual" => Ok(Self::Usual),
            "draw" => Ok(Self::Draw),
            text => percent(text)
                .filter(|percent| *percent > 0.0 && *percent < 100.0)
                .map(|percent| Self::Quantile(percent / 100.0))
                .ok_or_else(|| {
                    format!("found `{text}`, expected `usual`, `draw` or a percentile such as `p95`")
                }),
        }
    }
}

/// How many sessions there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Counts {
    /// As many as chance brings: those of a Poisson process.
    #[default]
    Random,
    /// As many as expected.
    Exact,
}

/// Whether sessions that began before the run are under way at its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WarmStart {
    /// As many as there would be, unless the load builds up from nothing.
    Auto,
    /// As many as there would be.
    On,
    /// None: the first requests are those of sessions that begin.
    #[default]
    Off,
}

/// What shall be unlike any production; each hides something, which the outline says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Artificial {
    /// The same rate all along, in sessions per second, instead of a curve with its bursts.
    pub constant_rate_per_s: Option<f64>,
    /// Every change of the load at once.
    pub instant_step: bool,
    /// Sessions of this class only.
    pub one_class: Option<String>,
    /// No pauses.
    pub no_think_time: bool,
}

/// One of equal parts of all sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Which part, counted from 0.
    pub index: u64,
    /// Of how many.
    pub of: u64,
}

impl Share {
    /// All sessions.
    pub const ALL: Self = Self { index: 0, of: 1 };

    /// Whether a session is in this part, given its block and its place in it.
    ///
    /// That follows from the plan alone, so that the sum of all parts is the plan for any number of them.
    pub(crate) fn has(self, block: u64, index: u64) -> bool {
        Self::number(block, index, self.of) == self.index
    }

    /// Which of `of` parts a session is in, given its block and its place in it.
    pub(crate) fn number(block: u64, index: u64, of: u64) -> u64 {
        block.wrapping_add(index) % of
    }

    /// Part `index` of `of` of this part.
    pub(crate) fn part(self, index: u64, of: u64) -> Self {
        Self { index: self.index + self.of * index, of: self.of * of }
    }
}

impl Default for Share {
    fn default() -> Self {
        Self::ALL
    }
}

impl std::str::FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').map(|(index, of)| (index.trim().parse(), of.trim().parse()));
        match parts {
            Some((Ok(index), Ok(of))) if index < of && of <= MOST_SHARDS => Ok(Self { index, of }),
            _ => Err(format!(
                "found `{text}`, expected a part counted from 0 and how many there are, such as `0/4`"
            )),
        }
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            seed: 1,
            day: None,
            window: None,
            duration: None,
            scale: 1.0,
            speedup: None,
            canary: Duration::ZERO,
            ramp_up: None,
            ramp_down: Duration::ZERO,
            scenario: None,
            busy: Busy::Usual,
            counts: Counts::Random,
            warm_start: WarmStart::Off,
            class_mix: Vec::new(),
            steps_only: false,
            allow_flattening: false,
            artificial: Artificial::default(),
            share: Share::ALL,
        }
    }
}

impl Schedule {
    /// Checks each value by itself.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first that makes no sense.
    pub fn check(&self) -> Result<(), Error> {
        let within = |x: f64, most: f64| x.is_finite() && x > 0.0 && x <= most;
        let wrong = |name, found, expected| Err(Error::Setting { name, found, expected });
        if !within(self.scale, 1e6) {
            return wrong("--scale", self.scale.to_string(), "a number above 0 and at most 1000000");
        }
        if let Some(speedup) = self.speedup.filter(|speedup| !within(*speedup, 1e6)) {
            return wrong("--speedup", speedup.to_string(), "a number above 0 and at most 1000000");
        }
        if let Some(duration) = self.duration.filter(|d| d.is_zero() || *d > LONGEST_DURATION) {
            return wrong("--duration", format!("{duration:?}"), "a duration above 0 and at most 31d");
        }
        for (name, ramp) in [("--ramp-up", self.ramp_up.unwrap_or_default()), ("--ramp-down", self.ramp_down)]
        {
            if ramp > LONGEST_DURATION {
                return wrong(name, format!("{ramp:?}"), "at most 31d");
            }
        }
        if let Some((class, share)) = self.class_mix.iter().find(|(_, share)| !(0.0..=1.0).contains(share)) {
            return wrong("--class", format!("{class}={share}"), "a share from 0 to 1");
        }
        if let Some(rate) = self.artificial.constant_rate_per_s.filter(|rate| !within(*rate, 1e7)) {
            return wrong(
                "--constant-rate",
                rate.to_string(),
                "sessions per second, above 0 and at most 10000000",
            );
        }
        if self.share.index >= self.share.of || self.share.of > MOST_SHARDS {
            let Share { index, of } = self.share;
            return wrong("--shard", format!("{index}/{of}"), "a part counted from 0, of at most 65536");
        }
        Ok(())
    }
}

/// A part of the day, such as `17:00-19:00`; one that ends before it starts goes over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayWindow {
    /// Seconds after midnight.
    pub from_s: u32,
    /// Seconds from start to end, 1 to 86,400.
    pub length_s: u32,
}

impl std::str::FromStr for DayWindow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("found `{text}`, expected a part of the day such as `17:00-19:00`");
        let (from, to) = text.split_once('-').ok_or_else(wrong)?;
        let from_s = time_of_day(from).filter(|from_s| *from_s < DAY_S).ok_or_else(wrong)?;
        let to_s = time_of_day(to).ok_or_else(wrong)?;
        let length_s = (to_s + DAY_S - from_s) % DAY_S;
        Ok(Self { from_s, length_s: if length_s == 0 { DAY_S } else { length_s } })
    }
}

/// Seconds after midnight of `hh:mm` or `hh:mm:ss`, up to and including `24:00`.
fn time_of_day(text: &str) -> Option<u32> {
    let parts: Vec<u32> = text.trim().split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let (hours, minutes, seconds) = match parts[..] {
        [hours, minutes] => (hours, minutes, 0),
        [hours, minutes, seconds] => (hours, minutes, seconds),
        _ => return None,
    };
    // Before anything is multiplied: the numbers are as large as people type them.
    if hours > 24 || minutes >= 60 || seconds >= 60 {
        return None;
    }
    Some(hours * 3600 + minutes * 60 + seconds).filter(|total_s| *total_s <= DAY_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_as_people_write_them() {
        let window = |text: &str| text.parse::<DayWindow>().map(|window| (window.from_s, window.length_s));
        assert_eq!(window("17:00-19:00"), Ok((61_200, 7_200)));
        assert_eq!(window("22:30 - 02:00"), Ok((81_000, 12_600)));
        assert_eq!(window("00:00-24:00"), Ok((0, 86_400)));
        assert_eq!(window("23:59:59-24:00:00"), Ok((86_399, 1)));
        let wrong = [
            "",
            "17-19",
            "17:00",
            "24:00-01:00",
            "17:60-18:00",
            "aa:bb-cc:dd",
            "25:00-1:00",
            "1:00-24:01",
            "17:00-18:00:60",
            "4294967295:00-1:00",
            "17:4294967295-18:00",
            "17:00-18:00:4294967295",
            "17:00:4294967296-18:00",
        ];
        for text in wrong {
            assert!(window(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shards_and_busy_days_as_people_write_them() {
        let shard = |text: &str| text.parse::<Share>().map(|share| (share.index, share.of));
        assert_eq!([shard("0/1"), shard("3 / 4")], [Ok((0, 1)), Ok((3, 4))]);
        for text in ["", "4/4", "1", "-1/4", "0/0", "1/100000", "a/b"] {
            assert!(shard(text).is_err(), "{text}");
        }
        let busy = |text: &str| text.parse::<Busy>().ok();
        assert_eq!([busy("usual"), busy("draw")], [Some(Busy::Usual), Some(Busy::Draw)]);
        assert_eq!(busy("p95"), Some(Busy::Quantile(0.95)));
        for text in ["", "95", "p0", "p100", "pp", "busy"] {
            assert_eq!(busy(text), None, "{text}");
        }
    }

    #[test]
    fn settings_that_make_no_sense_are_named() {
        #[track_caller]
        fn check(expected: &str, edit: impl Fn(&mut Settings)) {
            let mut settings = Settings::default();
            edit(&mut settings);
            let message = settings.check().unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        assert!(Settings::default().check().is_ok());
        check("--scale", |s| s.schedule.scale = 0.0);
        check("--scale", |s| s.schedule.scale = f64::NAN);
        check("--speedup", |s| s.schedule.speedup = Some(-1.0));
        check("--duration", |s| s.schedule.duration = Some(Duration::ZERO));
        check("--duration", |s| s.schedule.duration = Some(Duration::from_secs(1 << 40)));
        check("--timeout", |s| s.timeout = Duration::ZERO);
        check("--threads", |s| s.threads = 0);
        check("--ramp-down", |s| s.schedule.ramp_down = Duration::from_secs(1 << 40));
        check("--class", |s| s.schedule.class_mix = vec![("all".to_owned(), 1.5)]);
        check("--constant-rate", |s| s.schedule.artificial.constant_rate_per_s = Some(0.0));
        check("--shard", |s| s.schedule.share = Share { index: 2, of: 2 });
        check("--max-in-flight", |s| s.max_in_flight = 0);
    }
}
