//! A run from beginning to end: prepare, send, report.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use shared::Profile;
use tokio::sync::watch;

use crate::clock::{self, Clock};
use crate::config::Settings;
use crate::dispatch::{Wish, dispatch};
use crate::error::Error;
use crate::event_loop;
use crate::exchange::Envelope;
use crate::guard::Production;
use crate::guard::targets::{Guard, Pinned, Site};
use crate::plan::{Outline, Plan};
use crate::record::{Live, Progress, Recorder, Snapshot};
use crate::report::{Circumstances, RunReport};
use crate::session::{Closing, Open, Stage};

/// Somebody who watches a run, and may end it.
pub trait Observer {
    /// Called a few times per second, on the caller's thread, while others send.
    fn progress(&mut self, progress: &Progress) -> Wish {
        let _ = progress;
        Wish::GoOn
    }
}

/// Nobody watches.
impl Observer for () {}

/// How often the observer is called.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Time for the event loops to be up before the first session is due.
const LEAD: Duration = Duration::from_millis(50);

/// A run that could begin.
#[derive(Debug)]
pub struct Run<'a> {
    profile: &'a Profile,
    settings: Settings,
    plan: Arc<Plan>,
    target: Pinned,
}

impl<'a> Run<'a> {
    /// Checks the settings, makes the plan and finds the target; sends nothing.
    ///
    /// # Errors
    /// Whatever makes the run impossible, except that nobody answers at the target.
    pub fn prepare(profile: &'a Profile, settings: &Settings) -> Result<Self, Error> {
        settings.check()?;
        let plan = Plan::new(profile, &settings.schedule, &settings.allow_methods)?;
        let target = {
            let owned = settings.own_production.as_deref();
            let production = Production::new(profile.source.hosts.as_ref(), owned)?;
            Guard::new(&settings.allow_targets, production)?.target(&settings.target)?
        };
        if target.location.secure {
            let (found, expected) =
                (settings.target.clone(), "`http://`: this version speaks plain HTTP/1.1, no TLS");
            return Err(Error::TargetUrl { found, expected });
        }
        Ok(Self { profile, settings: settings.clone(), plan: Arc::new(plan), target })
    }

    /// The run in figures.
    pub fn outline(&self) -> &Outline {
        self.plan.outline()
    }

    /// Connects once, then sends the plan and waits for the answers. Blocks; the sending is done on other threads.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when nobody answers at the target, [`Error::EventLoop`] when the system is exhausted.
    /// A target that goes away later is no error but a result: failed requests.
    pub fn execute(&self, observer: &mut dyn Observer) -> Result<RunReport, Error> {
        let site = self.target.connect()?;
        let clock = Clock::start_in(LEAD);
        let (wishes, wish) = watch::channel(Wish::GoOn);
        let live = Arc::new(Live::default());
        let merged = thread::scope(|scope| {
            let (ended, loops_ended) = mpsc::channel();
            for shard in 0..self.settings.threads {
                let (ended, wish, live, site) =
                    (ended.clone(), wish.clone(), Arc::clone(&live), site.clone());
                let generate = move || drop(ended.send(self.generate(shard, clock, site, live, wish)));
                let spawned =
                    thread::Builder::new().name(format!("generator {shard}")).spawn_scoped(scope, generate);
                // Those that run already would go on for the whole duration.
                spawned.map_err(|source| {
                    wishes.send_replace(Wish::Cut);
                    Error::EventLoop { source }
                })?;
            }
            drop(ended);
            self.watch(&loops_ended, &wishes, || live.progress(clock::to_s(clock.now_ns())), observer)
        })?;
        let circumstances = Circumstances {
            target: self.settings.target.clone(),
            address: site.address,
            began_at_s: clock.since_epoch(0).as_secs_f64(),
            elapsed_s: clock::to_s(clock.now_ns()),
            interrupted: *wish.borrow() > Wish::GoOn,
            max_in_flight: self.settings.max_in_flight,
        };
        Ok(RunReport::new(circumstances, &self.plan, self.profile, &merged))
    }

    /// Calls the observer until all event loops have ended, and adds up what they counted.
    fn watch(
        &self,
        loops_ended: &mpsc::Receiver<io::Result<Snapshot>>,
        wishes: &watch::Sender<Wish>,
        progress: impl Fn() -> Progress,
        observer: &mut dyn Observer,
    ) -> Result<Snapshot, Error> {
        let mut merged = Snapshot::new(self.plan.endpoints.len());
        loop {
            match loops_ended.recv_timeout(PROGRESS_EVERY) {
                Ok(Ok(snapshot)) => merged.merge(&snapshot),
                Ok(Err(source)) => {
                    // The others would go on for the whole duration with a part of the load missing.
                    wishes.send_replace(Wish::Cut);
                    return Err(Error::EventLoop { source });
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(merged),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let wish = observer.progress(&progress());
                    wishes.send_if_modified(|present| {
                        let stronger = wish > *present;
                        *present = wish.max(*present);
                        stronger
                    });
                }
            }
        }
    }

    /// Sends this shard's share of the sessions from one event loop.
    fn generate(
        &self,
        shard: usize,
        clock: Clock,
        site: Site,
        live: Arc<Live>,
        wish: watch::Receiver<Wish>,
    ) -> io::Result<Snapshot> {
        let plan = Arc::clone(&self.plan);
        let threads = self.settings.threads as u64;
        event_loop::block_on(clock, async |timer| {
            let stage = Rc::new(Stage {
                plan: Arc::clone(&plan),
                envelope: Envelope::new(site, clock::to_ns(self.settings.timeout)),
                timer,
                recorder: RefCell::new(Recorder::new(plan.endpoints.len(), Arc::clone(&live))),
                live,
                max_in_flight: self.settings.max_in_flight,
                curtain_ns: plan.end_ns().saturating_add(clock::to_ns(self.settings.drain)),
                closing: Closing::default(),
                open: Open::default(),
            });
            // Which sessions are whose follows from the plan alone, so that the sum is the same for any number of shards.
            let ours =
                plan.sessions().filter(|session| (session.block + session.index) % threads == shard as u64);
            dispatch(&stage, ours, wish).await;
            stage.recorder.borrow().snapshot()
        })
    }
}

/// Runs `profile` as `settings` say: [`Run::prepare`], then [`Run::execute`].
///
/// # Errors
/// Whatever makes the run impossible; see the two.
pub fn run(profile: &Profile, settings: &Settings, observer: &mut dyn Observer) -> Result<RunReport, Error> {
    Run::prepare(profile, settings)?.execute(observer)
}
