//! An event loop: one thread, its sockets and its timer. Generator and embedded target run on the same kind.

use std::io;
use std::rc::Rc;

use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::clock::Clock;
use crate::pace::Pace;
use crate::timer::Timer;

/// Runs `work` on this thread until it ends, beside whatever it spawns; what is left then is dropped. Its timer keeps
/// moments at this `pace`.
///
/// # Errors
/// When the system gives no event loop, or its timer fails.
pub(crate) fn block_on<T>(clock: Clock, pace: Pace, work: impl AsyncFnOnce(Rc<Timer>) -> T) -> io::Result<T> {
    // Looking for events after every few tasks, not after 61: a due session must not wait behind a crowd of answers.
    let runtime = Builder::new_current_thread().enable_io().event_interval(EVENT_INTERVAL).build()?;
    LocalSet::new().block_on(&runtime, async {
        let timer = Rc::new(Timer::new(clock, pace)?);
        tokio::select! {
            outcome = work(Rc::clone(&timer)) => Ok(outcome),
            error = timer.run() => Err(error),
        }
    })
}

/// Tasks between two looks for events.
const EVENT_INTERVAL: u32 = 8;
