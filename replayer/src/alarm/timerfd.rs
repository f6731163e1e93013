//! The alarm on Linux: a timer descriptor, waited for like any socket.

use std::io;
use std::os::fd::OwnedFd;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use crate::clock::{Clock, SECOND_NS};

/// An alarm clock of the kernel. Its moments are exact: the kernel's timer slack applies to sleeping, not to these.
#[derive(Debug)]
pub(crate) struct Alarm {
    descriptor: AsyncFd<OwnedFd>,
    clock: Clock,
}

impl Alarm {
    /// An alarm that is not set; belongs to the event loop that it is made in.
    #[expect(
        deprecated,
        reason = "its successor is unsafe because of types that may change their descriptor, as an `OwnedFd` cannot"
    )]
    pub(crate) fn new(clock: Clock) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let descriptor = AsyncFd::new(timerfd_create(TimerfdClockId::Monotonic, flags)?)?;
        Ok(Self { descriptor, clock })
    }

    /// Lets it ring at `at_ns`, at once if that is past; replaces what was set.
    pub(crate) fn set(&self, at_ns: u64) {
        let at_ns = self.clock.in_kernel_ns(at_ns);
        let moment = Timespec {
            tv_sec: (at_ns / SECOND_NS).cast_signed(),
            tv_nsec: (at_ns % SECOND_NS).cast_signed(),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: moment };
        timerfd_settime(self.descriptor.get_ref(), TimerfdTimerFlags::ABSTIME, &once)
            .expect("the descriptor is a timer and the moment is positive and well formed");
    }

    /// Returns when it has rung.
    pub(crate) async fn rung(&self) -> io::Result<()> {
        loop {
            let mut ready = self.descriptor.readable().await?;
            let mut expirations = [0; 8];
            // Reading takes the expiration away; without it the descriptor would stay ready for ever.
            match ready.try_io(|descriptor| Ok(rustix::io::read(descriptor.get_ref(), &mut expirations)?)) {
                Ok(read) => return read.map(drop),
                Err(_not_ready) => {}
            }
        }
    }
}
