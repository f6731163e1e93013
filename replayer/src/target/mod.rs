//! The embedded target: answers a profile's requests as slowly, as large and with such statuses as production did.
//!
//! It is no model of the service: requests do not compete for anything, so it stays as fast under any load. It is there
//! to try a profile without a service, and to close the circle: what is replayed against it stands in its access log,
//! from which the analyzer can make a profile again.

mod access_log;
mod answer;
mod faults;
mod routes;
mod serve;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::{self, JoinHandle};

use shared::Profile;
use tokio::sync::watch;

pub use access_log::LOG_FORMAT;
pub use faults::{Fault, FaultKind};

use crate::clock::Clock;
use crate::config::check_threads;
use crate::error::Error;
use crate::event_loop;
use crate::guard::address::is_loopback;
use crate::pace::Pace;
use access_log::AccessLog;
use answer::Answers;
use faults::Faults;
use serve::Service;

/// How to serve a profile.
#[derive(Debug, Clone)]
pub struct TargetSettings {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether that may be an address that other machines can reach.
    pub allow_listen: bool,
    /// File for the access log, in [`LOG_FORMAT`]; none is written without it.
    pub access_log: Option<PathBuf>,
    /// Event loops, each on a thread of its own.
    pub threads: usize,
    /// What the drawn times, sizes and statuses follow from.
    pub seed: u64,
    /// Larger bodies are cut to this: the load is in the requests, not in filling the loopback.
    pub largest_body_bytes: usize,
    /// What goes wrong on purpose.
    pub faults: Vec<Fault>,
}

impl Default for TargetSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            allow_listen: false,
            access_log: None,
            threads: 1,
            seed: 1,
            largest_body_bytes: 64 * 1024,
            faults: Vec::new(),
        }
    }
}

/// A target that serves, until it is stopped or dropped.
#[derive(Debug)]
pub struct Target {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<io::Result<()>>>,
    log: Option<AccessLog>,
}

impl Target {
    /// Serves `profile` on threads of its own; connections are accepted when this returns.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::ListenNotAllowed`], [`Error::Listen`], [`Error::Write`] for the access log,
    /// [`Error::EventLoop`].
    pub fn start(profile: &Profile, settings: &TargetSettings) -> Result<Self, Error> {
        check_threads(settings.threads)?;
        if !settings.allow_listen && !is_loopback(settings.listen.ip()) {
            return Err(Error::ListenNotAllowed { address: settings.listen });
        }
        let listen_error = |source| Error::Listen { address: settings.listen, source };
        let listener = TcpListener::bind(settings.listen).map_err(listen_error)?;
        listener.set_nonblocking(true).map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let log = settings.access_log.as_deref().map(AccessLog::create).transpose()?;
        let answers = Arc::new(Answers::of(profile, settings.seed, settings.largest_body_bytes));
        let clock = Clock::start();
        let (stop, stopped) = watch::channel(false);
        let requests = Arc::new(AtomicU64::new(0));
        let gone = watch::Sender::new(false);
        let mut target = Self { address, stop, threads: Vec::new(), log };
        for number in 0..settings.threads {
            let service = Service {
                answers: Arc::clone(&answers),
                requests: Arc::clone(&requests),
                faults: Faults::new(&settings.faults),
                gone: gone.clone(),
                lines: target.log.as_ref().map(AccessLog::lines),
            };
            let (listener, stopped) = (listener.try_clone().map_err(listen_error)?, stopped.clone());
            let serve = move || {
                event_loop::block_on(clock, Pace::Eco, async |timer| {
                    service.serve(listener, timer, stopped).await
                })?
            };
            let thread = thread::Builder::new().name(format!("target {number}")).spawn(serve);
            target.threads.push(thread.map_err(|source| Error::EventLoop { source })?);
        }
        Ok(target)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it: closes all connections, and writes what is still to be written to the log.
    ///
    /// # Errors
    /// [`Error::EventLoop`] when an event loop had failed, [`Error::Write`] when the log could not be written.
    pub fn stop(mut self) -> Result<(), Error> {
        self.stop.send_replace(true);
        let mut outcome = Ok(());
        for thread in self.threads.drain(..) {
            let ended = thread.join().unwrap_or_else(|_| Err(io::Error::other("it panicked")));
            outcome = outcome.and(ended.map_err(|source| Error::EventLoop { source }));
        }
        outcome.and(self.log.take().map_or(Ok(()), AccessLog::finish))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Whoever wants to know how it ended calls `stop`.
        self.stop.send_replace(true);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
        self.log.take().map(AccessLog::finish);
    }
}
