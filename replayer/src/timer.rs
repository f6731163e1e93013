//! Sleeping until a moment, for any number of sleepers on one event loop and one [`Alarm`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use crate::alarm::Alarm;
use crate::clock::Clock;

/// Wakes sleepers of one event loop.
#[derive(Debug)]
pub(crate) struct Timer {
    clock: Clock,
    alarm: Alarm,
    sleepers: RefCell<Sleepers>,
}

/// Who sleeps until when. A sorted map rather than a heap: most sleepers are time limits of requests, which leave
/// long before their moment, and from a heap they could not.
#[derive(Debug, Default)]
struct Sleepers {
    wakers: BTreeMap<Ticket, Waker>,
    next_number: u64,
    /// What the alarm is set to, if it is.
    set_to_ns: Option<u64>,
}

/// Moment and number: sleepers of one moment wake in the order in which they went to sleep.
type Ticket = (u64, u64);

impl Timer {
    /// A timer of the current event loop. Nobody wakes before [`Timer::run`] is polled.
    pub(crate) fn new(clock: Clock) -> io::Result<Self> {
        Ok(Self { clock, alarm: Alarm::new(clock)?, sleepers: RefCell::default() })
    }

    /// The clock that the moments are given on.
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Nanoseconds since the clock was started.
    pub(crate) fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// Sleeps until `at_ns`; not at all if that is past. Dropping it is free.
    pub(crate) fn sleep_until(&self, at_ns: u64) -> Sleep<'_> {
        Sleep { timer: self, at_ns, ticket: None }
    }

    /// The outcome of `work`, or `None` if it takes until `at_ns`.
    pub(crate) async fn limit<T>(&self, at_ns: u64, work: impl Future<Output = T>) -> Option<T> {
        let (mut work, mut limit) = (pin!(work), self.sleep_until(at_ns));
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending => Pin::new(&mut limit).poll(context).map(|()| None),
        })
        .await
    }

    /// Wakes sleepers for ever; only returns when the alarm fails.
    pub(crate) async fn run(&self) -> io::Error {
        loop {
            if let Err(error) = self.alarm.rung().await {
                return error;
            }
            self.wake_due();
        }
    }

    fn wake_due(&self) {
        let due = {
            let mut sleepers = self.sleepers.borrow_mut();
            // Everyone up to now, whose ticket is then before this one.
            let later = sleepers.wakers.split_off(&(self.now_ns() + 1, 0));
            sleepers.set_to_ns = None;
            std::mem::replace(&mut sleepers.wakers, later)
        };
        due.into_values().for_each(Waker::wake);
        self.set_alarm();
    }

    /// Sets the alarm to the earliest sleeper, if it is not set to that or earlier.
    fn set_alarm(&self) {
        let mut sleepers = self.sleepers.borrow_mut();
        let Some((earliest_ns, _)) = sleepers.wakers.keys().next().copied() else { return };
        if sleepers.set_to_ns.is_none_or(|set_to_ns| earliest_ns < set_to_ns) {
            sleepers.set_to_ns = Some(earliest_ns);
            self.alarm.set(earliest_ns);
        }
    }
}

/// See [`Timer::sleep_until`].
#[derive(Debug)]
pub(crate) struct Sleep<'a> {
    timer: &'a Timer,
    at_ns: u64,
    ticket: Option<Ticket>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.timer.now_ns() >= self.at_ns {
            return Poll::Ready(());
        }
        let mut sleepers = self.timer.sleepers.borrow_mut();
        let ticket = self.ticket.unwrap_or_else(|| {
            sleepers.next_number += 1;
            (self.at_ns, sleepers.next_number)
        });
        match sleepers.wakers.get_mut(&ticket) {
            Some(waker) => waker.clone_from(context.waker()),
            None => drop(sleepers.wakers.insert(ticket, context.waker().clone())),
        }
        drop(sleepers);
        if self.ticket.is_none() {
            self.ticket = Some(ticket);
            self.timer.set_alarm();
        }
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        // The alarm stays as it is set: it may ring for nobody once, which is cheaper than setting it each time.
        if let Some(ticket) = self.ticket {
            self.timer.sleepers.borrow_mut().wakers.remove(&ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_loop;
    use std::rc::Rc;

    const MS: u64 = 1_000_000;

    #[test]
    fn sleepers_wake_in_the_order_of_their_moments_and_never_early() {
        let woken = event_loop::block_on(Clock::start(), async |timer: Rc<Timer>| {
            let woken = Rc::new(RefCell::new(Vec::new()));
            let base_ns = timer.now_ns() + 5 * MS;
            let sleepers: Vec<_> = [30, 0, 20, 10, 10]
                .into_iter()
                .map(|after_ms| {
                    let (timer, woken) = (Rc::clone(&timer), Rc::clone(&woken));
                    tokio::task::spawn_local(async move {
                        timer.sleep_until(base_ns + after_ms * MS).await;
                        assert!(timer.now_ns() >= base_ns + after_ms * MS);
                        woken.borrow_mut().push(after_ms);
                    })
                })
                .collect();
            for sleeper in sleepers {
                sleeper.await.unwrap();
            }
            woken.take()
        });
        assert_eq!(woken.unwrap(), [0, 10, 10, 20, 30]);
    }

    #[test]
    fn a_limit_ends_what_takes_too_long_and_leaves_nobody_asleep() {
        let left = event_loop::block_on(Clock::start(), async |timer: Rc<Timer>| {
            let soon_ns = timer.now_ns() + 2 * MS;
            assert_eq!(timer.limit(soon_ns, std::future::pending::<()>()).await, None);
            let late_ns = timer.now_ns() + 3600 * 1000 * MS;
            assert_eq!(timer.limit(late_ns, timer.sleep_until(soon_ns + 2 * MS)).await, Some(()));
            timer.sleep_until(0).await;
            timer.sleepers.borrow().wakers.len()
        });
        assert_eq!(left.unwrap(), 0);
    }
}
