//! Ctrl-C, and what else asks a program to end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Runtime};

/// Counts how often the program was asked to end.
#[derive(Debug)]
pub(super) struct Interrupts(Arc<AtomicUsize>);

impl Interrupts {
    /// Begins to count, on a thread of its own.
    pub(super) fn watch() -> io::Result<Self> {
        let runtime = runtime()?;
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        // Registered before this returns, so that no signal meets the default, which is to die.
        let mut asked = runtime.block_on(async { Asked::listen() })?;
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                while asked.next().await.is_some() {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            });
        })?;
        Ok(Self(count))
    }

    /// How often it was asked.
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Waits until the program is asked to end. `ready` is called as soon as that is noticed.
pub(super) fn wait<E>(ready: impl FnOnce() -> Result<(), E>) -> io::Result<Result<(), E>> {
    runtime()?.block_on(async {
        let mut asked = Asked::listen()?;
        let outcome = ready();
        if outcome.is_ok() {
            asked.next().await;
        }
        Ok(outcome)
    })
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_io().build()
}

/// The signals that ask a program to end.
#[cfg(unix)]
struct Asked {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Asked {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Option<()> {
        tokio::select! {
            asked = self.interrupt.recv() => asked,
            asked = self.terminate.recv() => asked,
        }
    }
}

/// Ctrl-C, where there are no other signals.
#[cfg(not(unix))]
struct Asked;

#[cfg(not(unix))]
impl Asked {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Option<()> {
        tokio::signal::ctrl_c().await.ok()
    }
}
