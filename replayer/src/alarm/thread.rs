//! The alarm where there are no timer descriptors: a thread that sleeps until the moment.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::Clock;

/// An alarm clock with a thread of its own.
#[derive(Debug)]
pub(crate) struct Alarm(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    order: Mutex<Order>,
    changed: Condvar,
    bell: Notify,
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Idle,
    RingAt(u64),
    End,
}

impl Alarm {
    /// An alarm that is not set.
    pub(crate) fn new(clock: Clock) -> io::Result<Self> {
        let order = Mutex::new(Order::Idle);
        let shared = Arc::new(Shared { order, changed: Condvar::new(), bell: Notify::new() });
        let sleeper = Arc::clone(&shared);
        std::thread::Builder::new().name("alarm".to_owned()).spawn(move || sleeper.keep(clock))?;
        Ok(Self(shared))
    }

    /// Lets it ring at `at_ns`, at once if that is past; replaces what was set.
    pub(crate) fn set(&self, at_ns: u64) {
        self.0.give(Order::RingAt(at_ns));
    }

    /// Returns when it has rung.
    pub(crate) async fn rung(&self) -> io::Result<()> {
        self.0.bell.notified().await;
        Ok(())
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.0.give(Order::End);
    }
}

impl Shared {
    fn give(&self, order: Order) {
        *self.order.lock().unwrap_or_else(PoisonError::into_inner) = order;
        self.changed.notify_one();
    }

    /// Sleeps, rings and obeys until the end.
    fn keep(&self, clock: Clock) {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            order = match *order {
                Order::End => return,
                Order::Idle => self.changed.wait(order).unwrap_or_else(PoisonError::into_inner),
                Order::RingAt(at_ns) => match at_ns.saturating_sub(clock.now_ns()) {
                    0 => {
                        *order = Order::Idle;
                        self.bell.notify_one();
                        order
                    }
                    left_ns => {
                        let waited = self.changed.wait_timeout(order, Duration::from_nanos(left_ns));
                        waited.unwrap_or_else(PoisonError::into_inner).0
                    }
                },
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rings_at_its_moment_and_at_the_last_one_set() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let clock = Clock::start();
        let alarm = Alarm::new(clock).unwrap();
        runtime.block_on(async {
            alarm.set(3_600_000_000_000);
            alarm.set(20_000_000);
            alarm.rung().await.unwrap();
            assert!(clock.now_ns() >= 20_000_000);
            alarm.set(0);
            alarm.rung().await.unwrap();
        });
    }
}
