//! The only place that reads a clock.
//!
//! Time is nanoseconds since the clock was started, so that plan, samples and timers speak of the same axis.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds in a second.
pub(crate) const SECOND_NS: u64 = 1_000_000_000;

/// A clock that started at some moment and only goes forward.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
    /// The same moment as the kernel counts it, for timers that are set to a moment and not to a distance.
    #[cfg(target_os = "linux")]
    origin_in_kernel_ns: u64,
    /// The same moment in Unix time.
    origin_since_epoch: Duration,
}

impl Clock {
    /// A clock that reads 0 now.
    pub(crate) fn start() -> Self {
        Self::start_in(Duration::ZERO)
    }

    /// A clock that reads 0 until `lead` has passed: time to get ready for what is due at once.
    #[expect(clippy::disallowed_methods, reason = "this is the place the lint sends everyone to")]
    pub(crate) fn start_in(lead: Duration) -> Self {
        Self {
            origin: Instant::now() + lead,
            #[cfg(target_os = "linux")]
            origin_in_kernel_ns: kernel_ns() + to_ns(lead),
            origin_since_epoch: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + lead,
        }
    }

    /// Nanoseconds since the start.
    pub(crate) fn now_ns(&self) -> u64 {
        to_ns(self.origin.elapsed())
    }

    /// The kernel's monotonic time at `at_ns` of this clock.
    #[cfg(target_os = "linux")]
    pub(crate) fn in_kernel_ns(&self, at_ns: u64) -> u64 {
        self.origin_in_kernel_ns.saturating_add(at_ns)
    }

    /// Time since the Unix epoch at `at_ns` of this clock; a correction of the system's time later on does not show.
    pub(crate) fn since_epoch(&self, at_ns: u64) -> Duration {
        self.origin_since_epoch + Duration::from_nanos(at_ns)
    }
}

/// Whole nanoseconds of a duration; 584 years at most.
pub(crate) fn to_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds as seconds.
pub(crate) fn to_s(ns: u64) -> f64 {
    ns as f64 / SECOND_NS as f64
}

/// Seconds as nanoseconds, rounded; negative seconds give 0.
pub(crate) fn from_s(seconds: f64) -> u64 {
    (seconds * SECOND_NS as f64).round() as u64
}

/// `Instant` reads the same clock of the kernel, but does not say what it read.
#[cfg(target_os = "linux")]
fn kernel_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * SECOND_NS + now.tv_nsec as u64
}
