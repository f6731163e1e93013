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
    origin_in_kernel_ns: i64,
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
            origin_in_kernel_ns: kernel_ns() + to_ns(lead) as i64,
            origin_since_epoch: since_epoch_now() + lead,
        }
    }

    /// A clock that reads 0 until a moment of the system's time, and goes on from there when that is over.
    ///
    /// `None` when it is over for longer than the system can tell.
    pub(crate) fn start_at(since_epoch: Duration) -> Option<Self> {
        let now_since_epoch = since_epoch_now();
        let Some(ago) = now_since_epoch.checked_sub(since_epoch) else {
            return Some(Self::start_in(since_epoch - now_since_epoch));
        };
        let now = Self::start();
        Some(Self {
            origin: now.origin.checked_sub(ago)?,
            // Before the machine was started, the kernel's time is negative.
            #[cfg(target_os = "linux")]
            origin_in_kernel_ns: now.origin_in_kernel_ns.checked_sub_unsigned(to_ns(ago))?,
            origin_since_epoch: since_epoch,
        })
    }

    /// Nanoseconds since the start.
    pub(crate) fn now_ns(&self) -> u64 {
        to_ns(self.origin.elapsed())
    }

    /// The kernel's monotonic time at `at_ns` of this clock.
    #[cfg(target_os = "linux")]
    pub(crate) fn in_kernel_ns(&self, at_ns: u64) -> u64 {
        u64::try_from(self.origin_in_kernel_ns.saturating_add_unsigned(at_ns)).unwrap_or(0)
    }

    /// Time since the Unix epoch at `at_ns` of this clock; a correction of the system's time later on does not show.
    pub(crate) fn since_epoch(&self, at_ns: u64) -> Duration {
        self.origin_since_epoch + Duration::from_nanos(at_ns)
    }
}

/// The system's time: how long the Unix epoch is over.
pub(crate) fn since_epoch_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
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
fn kernel_ns() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * SECOND_NS as i64 + now.tv_nsec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_can_have_been_started_before() {
        for ago in [Duration::from_secs(5), Duration::from_secs(3600)] {
            let clock = Clock::start_at(since_epoch_now() - ago).unwrap();
            let off_ns = clock.now_ns().abs_diff(to_ns(ago));
            assert!(off_ns < SECOND_NS / 2, "{off_ns}");
            // Both axes name the same moment.
            #[cfg(target_os = "linux")]
            assert!(clock.in_kernel_ns(clock.now_ns()).abs_diff(kernel_ns() as u64) < SECOND_NS / 2);
        }
        let later = Clock::start_at(since_epoch_now() + Duration::from_secs(60)).unwrap();
        assert_eq!(later.now_ns(), 0);
    }
}
