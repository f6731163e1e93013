//! Sleeping until a moment, for any number of sleepers on one event loop and one [`Alarm`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use crate::alarm::Alarm;
use crate::clock::Clock;
use crate::pace::{CatchUp, Pace, Slack};

/// Wakes sleepers of one event loop.
#[derive(Debug)]
pub(crate) struct Timer {
    clock: Clock,
    alarm: Alarm,
    pace: Pace,
    sleepers: RefCell<Sleepers>,
}

/// Who sleeps until when.
#[derive(Debug)]
struct Sleepers {
    /// Those that want to be woken at their moment: what is due.
    due: Wakers,
    /// Those to whom a little later is all the same: limits, most of whom leave long before.
    limits: Wakers,
    next_number: u64,
    /// What the alarm is set to, if it is.
    set_to_ns: Option<u64>,
    /// Whether [`Timer::run`] is awake and will set the alarm itself.
    awake: bool,
    slack: Slack,
    catch_up: CatchUp,
    held_back: u64,
}

/// A sorted map rather than a heap: who leaves before the moment could not leave a heap.
type Wakers = BTreeMap<Ticket, Waker>;

/// Moment and number: sleepers of one moment wake in the order in which they went to sleep.
type Ticket = (u64, u64);

/// How a timer kept its moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Kept {
    /// How long before a moment it has itself woken at last; 0 without spinning.
    pub(crate) slack_ns: u64,
    /// Sleepers that were woken late so that there was no burst.
    pub(crate) held_back: u64,
}

impl Timer {
    /// A timer of the current event loop. Nobody wakes before [`Timer::run`] is polled.
    pub(crate) fn new(clock: Clock, pace: Pace) -> io::Result<Self> {
        let sleepers = Sleepers {
            due: Wakers::new(),
            limits: Wakers::new(),
            next_number: 0,
            set_to_ns: None,
            awake: false,
            slack: Slack::new(),
            catch_up: CatchUp::new(),
            held_back: 0,
        };
        Ok(Self { clock, alarm: Alarm::new(clock)?, pace, sleepers: RefCell::new(sleepers) })
    }

    /// The clock that the moments are given on.
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Nanoseconds since the clock was started.
    pub(crate) fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// How it has kept its moments so far.
    pub(crate) fn kept(&self) -> Kept {
        let sleepers = self.sleepers.borrow();
        Kept { slack_ns: self.slack_ns(&sleepers), held_back: sleepers.held_back }
    }

    /// Sleeps until `at_ns`, as exactly as the pace allows; not at all if that is past, unless waking all who are
    /// late would make a burst (see [`CatchUp`]). Dropping it is free.
    pub(crate) fn sleep_until(&self, at_ns: u64) -> Sleep<'_> {
        Sleep { timer: self, at_ns, ticket: None, exact: true }
    }

    /// Sleeps until `at_ns` or a little longer; not at all if that is past. Dropping it is free.
    pub(crate) fn rest_until(&self, at_ns: u64) -> Sleep<'_> {
        Sleep { timer: self, at_ns, ticket: None, exact: false }
    }

    /// The outcome of `work`, or `None` if it takes until `at_ns`.
    pub(crate) async fn limit<T>(&self, at_ns: u64, work: impl Future<Output = T>) -> Option<T> {
        let (mut work, mut limit) = (pin!(work), self.rest_until(at_ns));
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
            self.awake();
            // Between two looks at the clock the event loop looks for answers: they are read as soon as without it.
            while self.wake_due() {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Notes how late the alarm rang.
    fn awake(&self) {
        let now_ns = self.now_ns();
        let mut sleepers = self.sleepers.borrow_mut();
        sleepers.awake = true;
        if let Some(set_to_ns) = sleepers.set_to_ns.take() {
            sleepers.slack.note(now_ns.saturating_sub(set_to_ns));
        }
    }

    /// Wakes whoever is due. True if the next one is due so soon that sleeping is not worth it; else the alarm is set.
    fn wake_due(&self) -> bool {
        let now_ns = self.now_ns();
        let mut sleepers = self.sleepers.borrow_mut();
        while let Some(waker) = sleepers.pop(now_ns) {
            // A waker only puts a task into a queue.
            waker.wake();
        }
        let soon_ns = now_ns + self.slack_ns(&sleepers);
        if sleepers.next_due_ns().is_some_and(|due_ns| due_ns <= soon_ns) && self.pace == Pace::Spin {
            return true;
        }
        sleepers.awake = false;
        drop(sleepers);
        self.set_alarm();
        false
    }

    /// Sets the alarm for the earliest sleeper, if it is not set to that or earlier.
    fn set_alarm(&self) {
        let mut sleepers = self.sleepers.borrow_mut();
        if sleepers.awake {
            return;
        }
        let due_ns = sleepers.next_due_ns().map(|due_ns| due_ns.saturating_sub(self.slack_ns(&sleepers)));
        let limit_ns = sleepers.limits.keys().next().map(|(at_ns, _)| *at_ns);
        let Some(earliest_ns) = due_ns.into_iter().chain(limit_ns).min() else { return };
        if sleepers.set_to_ns.is_none_or(|set_to_ns| earliest_ns < set_to_ns) {
            sleepers.set_to_ns = Some(earliest_ns);
            self.alarm.set(earliest_ns);
        }
    }

    fn slack_ns(&self, sleepers: &Sleepers) -> u64 {
        match self.pace {
            Pace::Spin => sleepers.slack.ns(),
            Pace::Eco => 0,
        }
    }
}

impl Sleepers {
    /// When the next of those that are due may wake.
    fn next_due_ns(&self) -> Option<u64> {
        self.due.keys().next().map(|(at_ns, _)| self.catch_up.release_at(*at_ns))
    }

    /// Takes out somebody who may wake now.
    fn pop(&mut self, now_ns: u64) -> Option<Waker> {
        if let Some(limit) = self.limits.first_entry().filter(|limit| limit.key().0 <= now_ns) {
            return Some(limit.remove());
        }
        let due = self.due.first_entry()?;
        let at_ns = due.key().0;
        if self.catch_up.release_at(at_ns) > now_ns {
            return None;
        }
        let waker = due.remove();
        self.release(at_ns, now_ns);
        Some(waker)
    }

    fn release(&mut self, at_ns: u64, now_ns: u64) {
        self.held_back += u64::from(self.catch_up.holds_back(at_ns));
        self.catch_up.release(at_ns, now_ns);
    }

    fn wakers(&mut self, exact: bool) -> &mut Wakers {
        if exact { &mut self.due } else { &mut self.limits }
    }
}

/// See [`Timer::sleep_until`] and [`Timer::rest_until`].
#[derive(Debug)]
pub(crate) struct Sleep<'a> {
    timer: &'a Timer,
    at_ns: u64,
    ticket: Option<Ticket>,
    exact: bool,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self { timer, at_ns, exact, .. } = *self;
        let mut sleepers = timer.sleepers.borrow_mut();
        if let Some(ticket) = self.ticket {
            // Somebody else may have woken the task; only the timer takes a ticket back.
            return match sleepers.wakers(exact).get_mut(&ticket) {
                Some(waker) => {
                    waker.clone_from(context.waker());
                    Poll::Pending
                }
                None => Poll::Ready(()),
            };
        }
        let now_ns = timer.now_ns();
        if at_ns <= now_ns && !exact {
            return Poll::Ready(());
        }
        if at_ns <= now_ns && sleepers.catch_up.release_at(at_ns) <= now_ns {
            sleepers.release(at_ns, now_ns);
            return Poll::Ready(());
        }
        sleepers.next_number += 1;
        let ticket = (at_ns, sleepers.next_number);
        sleepers.wakers(exact).insert(ticket, context.waker().clone());
        drop(sleepers);
        self.ticket = Some(ticket);
        timer.set_alarm();
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        // The alarm stays as it is set: it may ring for nobody once, which is cheaper than setting it each time.
        if let Some(ticket) = self.ticket {
            self.timer.sleepers.borrow_mut().wakers(self.exact).remove(&ticket);
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
        let woken = event_loop::block_on(Clock::start(), Pace::Spin, async |timer: Rc<Timer>| {
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
        let left = event_loop::block_on(Clock::start(), Pace::Spin, async |timer: Rc<Timer>| {
            let soon_ns = timer.now_ns() + 2 * MS;
            assert_eq!(timer.limit(soon_ns, std::future::pending::<()>()).await, None);
            let late_ns = timer.now_ns() + 3600 * 1000 * MS;
            assert_eq!(timer.limit(late_ns, timer.sleep_until(soon_ns + 2 * MS)).await, Some(()));
            timer.sleep_until(0).await;
            let sleepers = timer.sleepers.borrow();
            sleepers.due.len() + sleepers.limits.len()
        });
        assert_eq!(left.unwrap(), 0);
    }

    #[test]
    fn those_that_a_hitch_made_late_do_not_wake_all_at_once() {
        let (woken_ms, kept) = event_loop::block_on(Clock::start(), Pace::Eco, async |timer: Rc<Timer>| {
            let base_ns = timer.now_ns() + 5 * MS;
            timer.sleep_until(base_ns).await;
            // 600 ms in which nobody is woken, with somebody due every 20 ms.
            std::thread::sleep(std::time::Duration::from_millis(600));
            let mut woken_ms = Vec::new();
            for after_ms in (20..=600).step_by(20) {
                timer.sleep_until(base_ns + after_ms * MS).await;
                woken_ms.push((timer.now_ns() - base_ns) / MS);
            }
            (woken_ms, timer.kept())
        })
        .unwrap();
        // Five fit into the store of 100 ms and what flowed in; the last is due at 600 and 400 ms of plan lie before.
        let at_once = woken_ms.iter().filter(|at_ms| **at_ms < 615).count();
        assert!((5..=8).contains(&at_once), "{woken_ms:?}");
        assert!(woken_ms.last().unwrap() - woken_ms[0] >= 400, "{woken_ms:?}");
        assert!(kept.held_back >= 20, "{kept:?}");
    }
}
