//! One wake-up at a moment given in nanoseconds.
//!
//! Tokio's own timer counts in milliseconds and is a millisecond late in the mean, which is more than many services
//! take to answer; nothing that sends ever waits on it. On Linux a timer descriptor (`timerfd`) wakes the event loop
//! within some tens of microseconds. Elsewhere a thread sleeps until the moment and then wakes the loop, which is as
//! fine as that system's condition variables are.

#[cfg(any(not(target_os = "linux"), test))]
mod thread;
#[cfg(target_os = "linux")]
mod timerfd;

#[cfg(not(target_os = "linux"))]
pub(crate) use thread::Alarm;
#[cfg(target_os = "linux")]
pub(crate) use timerfd::Alarm;
