//! A run from beginning to end: prepare, send, report.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use shared::Profile;
use tokio::sync::watch;

use crate::background;
use crate::clock::{self, Clock};
use crate::config::{Settings, StartAt};
use crate::connect::{Destination, Scratch, Site, Station, Way};
use crate::cores;
use crate::dispatch::{Wish, dispatch};
use crate::error::Error;
use crate::event_loop;
use crate::exchange::Envelope;
use crate::pace::Pace;
use crate::plan::{Outline, Plan, Trace};
use crate::record::{Live, Progress, Recorder, Snapshot};
use crate::report::{Circumstances, Pacing, RunReport};
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
    destination: Destination,
    /// Cores at hand, counted before an event loop is kept on one.
    cores: usize,
}

impl<'a> Run<'a> {
    /// Checks the settings, makes the plan and finds the target; sends nothing.
    ///
    /// # Errors
    /// Whatever makes the run impossible, except that nobody answers at the target.
    pub fn prepare(profile: &'a Profile, settings: &Settings) -> Result<Self, Error> {
        settings.check()?;
        start_clock(settings.start_at)?;
        let plan = Plan::new(profile, &settings.schedule, &settings.allow_methods)?;
        let destination = Destination::new(settings)?;
        Ok(Self {
            profile,
            settings: settings.clone(),
            plan: Arc::new(plan),
            destination,
            cores: cores::available(),
        })
    }

    /// The same for a log that is played as it was.
    ///
    /// # Errors
    /// Whatever makes the run impossible, except that nobody answers at the target.
    pub fn prepare_trace(trace: &'a Arc<Trace>, settings: &Settings) -> Result<Self, Error> {
        settings.check()?;
        start_clock(settings.start_at)?;
        let plan = Plan::of_trace(Arc::clone(trace), &settings.schedule, &settings.allow_methods)?;
        Ok(Self {
            profile: &trace.profile,
            settings: settings.clone(),
            plan: Arc::new(plan),
            destination: Destination::new(settings)?,
            cores: cores::available(),
        })
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
        let (site, way) = self.destination.connect()?;
        let way = Arc::new(way);
        let clock = start_clock(self.settings.start_at)?;
        let joins_at_ns = if clock.now_ns() > 0 { clock.now_ns() + clock::to_ns(LEAD) } else { 0 };
        let (wishes, wish) = watch::channel(Wish::GoOn);
        let live = Arc::new(Live::default());
        let (merged, pacing) = thread::scope(|scope| {
            let (ended, loops_ended) = mpsc::channel();
            for shard in 0..self.settings.threads {
                let (ended, wish, live) = (ended.clone(), wish.clone(), Arc::clone(&live));
                let (site, way) = (site.clone(), Arc::clone(&way));
                let generate = move || {
                    drop(ended.send(self.generate(shard, clock, joins_at_ns, (site, way), live, wish)))
                };
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
            address: way.address().to_string(),
            began_at_s: clock.since_epoch(0).as_secs_f64(),
            elapsed_s: clock::to_s(clock.now_ns()),
            interrupted: *wish.borrow() > Wish::GoOn,
            max_in_flight: self.settings.max_in_flight,
            pacing,
            insecure: self.settings.wire.insecure && site.secure,
        };
        Ok(RunReport::new(circumstances, &self.plan, self.profile, &merged))
    }

    /// Calls the observer until all event loops have ended, and adds up what they counted.
    fn watch(
        &self,
        loops_ended: &mpsc::Receiver<io::Result<(Snapshot, Pacing)>>,
        wishes: &watch::Sender<Wish>,
        progress: impl Fn() -> Progress,
        observer: &mut dyn Observer,
    ) -> Result<(Snapshot, Pacing), Error> {
        let mut merged = Snapshot::new(self.plan.endpoints.len());
        let mut paced = Pacing::new(self.pace());
        loop {
            match loops_ended.recv_timeout(PROGRESS_EVERY) {
                Ok(Ok((snapshot, pacing))) => {
                    merged.merge(&snapshot);
                    paced.merge(pacing);
                }
                Ok(Err(source)) => {
                    // The others would go on for the whole duration with a part of the load missing.
                    wishes.send_replace(Wish::Cut);
                    return Err(Error::EventLoop { source });
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok((merged, paced)),
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

    /// The pace that was asked for, or what can be afforded of it.
    fn pace(&self) -> Pace {
        self.settings.pace.affordable(self.settings.threads, self.cores)
    }

    /// Sends this shard's share of the sessions from one event loop.
    fn generate(
        &self,
        shard: usize,
        clock: Clock,
        joins_at_ns: u64,
        (site, way): (Site, Arc<Way>),
        live: Arc<Live>,
        wish: watch::Receiver<Wish>,
    ) -> io::Result<(Snapshot, Pacing)> {
        let plan = Arc::clone(&self.plan);
        let threads = self.settings.threads as u64;
        let wire = &self.settings.wire;
        let pinned = self.settings.pin && cores::pin(shard, self.settings.threads);
        event_loop::block_on(clock, self.pace(), async |timer| {
            let stage = Rc::new(Stage {
                plan: Arc::clone(&plan),
                envelope: Envelope::new(
                    site,
                    clock::to_ns(self.settings.timeout),
                    wire.proxy.is_some(),
                    wire.follow_redirects,
                ),
                station: Rc::new(Station { way, scratch: Scratch::default() }),
                keep_alive_ns: clock::to_ns(wire.keep_alive),
                timer,
                recorder: RefCell::new(Recorder::new(plan.endpoints.len(), Arc::clone(&live))),
                live,
                max_in_flight: self.settings.max_in_flight,
                curtain_ns: plan.end_ns().saturating_add(clock::to_ns(self.settings.drain)),
                closing: Closing::default(),
                open: Open::default(),
            });
            let (shard, missed) = (shard as u64, 0..joins_at_ns);
            background::begin(&stage, shard, threads, joins_at_ns);
            dispatch(&stage, plan.part_of_ours(shard, threads, joins_at_ns..u64::MAX), wish).await;
            // Only now: counting takes time, and what falls due meanwhile would be late.
            for session in plan.part_of_ours(shard, threads, missed) {
                stage.recorder.borrow_mut().session_lost(&plan, &session, &plan.walk(&session));
            }
            let snapshot = stage.recorder.borrow().snapshot();
            (snapshot, Pacing::of(self.pace(), stage.timer.kept(), pinned))
        })
    }
}

/// The clock of a run that starts when that is wished for, or in a moment.
fn start_clock(start_at: Option<StartAt>) -> Result<Clock, Error> {
    let Some(StartAt { since_epoch, join_late }) = start_at else {
        return Ok(Clock::start_in(LEAD));
    };
    let ago = clock::since_epoch_now().checked_sub(since_epoch);
    let over = || Error::StartIsOver { ago_s: ago.unwrap_or_default().as_secs_f64() };
    match ago {
        Some(_) if !join_late => Err(over()),
        _ => Clock::start_at(since_epoch).ok_or_else(over),
    }
}

/// Runs `profile` as `settings` say: [`Run::prepare`], then [`Run::execute`].
///
/// # Errors
/// Whatever makes the run impossible; see the two.
pub fn run(profile: &Profile, settings: &Settings, observer: &mut dyn Observer) -> Result<RunReport, Error> {
    Run::prepare(profile, settings)?.execute(observer)
}
