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
use crate::condition::Condition;
use crate::config::Settings;
use crate::dispatch::{Wish, dispatch};
use crate::error::Error;
use crate::event_loop;
use crate::exchange::Envelope;
use crate::guard::targets::{Resolved, Site};
use crate::plan::{Outline, Plan};
use crate::record::intervals::{Head, Writer};
use crate::record::{Batch, Live, Progress, Recorder, Snapshot, keep};
use crate::report::{Circumstances, RunReport, thresholds};
use crate::session::{Closing, Open, Stage};
use crate::verdict::Meter;

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

/// How often the event loops tell what happened.
const TELL_EVERY_NS: u64 = clock::SECOND_NS;

/// Seconds of telling that may wait for whoever reads along, before the event loops keep them for later.
const UNREAD_BATCHES: usize = 64;

/// A run that could begin.
#[derive(Debug)]
pub struct Run<'a> {
    profile: &'a Profile,
    settings: Settings,
    thresholds: Vec<Condition>,
    plan: Arc<Plan>,
    target: Resolved,
}

impl<'a> Run<'a> {
    /// Checks the settings, makes the plan and finds the target; sends nothing.
    ///
    /// # Errors
    /// Whatever makes the run impossible, except that nobody answers at the target.
    pub fn prepare(profile: &'a Profile, settings: &Settings) -> Result<Self, Error> {
        settings.check()?;
        let plan = Plan::new(profile, &settings.schedule, &settings.allow_methods)?;
        let target = Resolved::new(&settings.target, &settings.allow_targets)?;
        let thresholds = thresholds::of(profile, &settings.thresholds)?;
        Ok(Self { profile, settings: settings.clone(), thresholds, plan: Arc::new(plan), target })
    }

    /// The run in figures.
    pub fn outline(&self) -> &Outline {
        self.plan.outline()
    }

    /// Connects once, then sends the plan and waits for the answers. Blocks; the sending is done on other threads.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when nobody answers at the target, [`Error::EventLoop`] when the system is exhausted,
    /// [`Error::Write`] when the interval log cannot be begun.
    /// A target that goes away later is no error but a result: failed requests.
    pub fn execute(&self, observer: &mut dyn Observer) -> Result<RunReport, Error> {
        let site = self.target.connect()?;
        let log = self.interval_log()?;
        let meter = Meter::read();
        let clock = Clock::start_in(LEAD);
        let (wishes, wish) = watch::channel(Wish::GoOn);
        let live = Arc::new(Live::default());
        let (merged, kept) = thread::scope(|scope| {
            let (ended, loops_ended) = mpsc::channel();
            let (reader, batches) = mpsc::sync_channel(UNREAD_BATCHES);
            let (plan, shards) = (&*self.plan, self.settings.threads);
            let keeper = thread::Builder::new().name("keeper".to_owned());
            let keeper = keeper
                .spawn_scoped(scope, move || keep(&batches, shards, plan, log))
                .map_err(|source| Error::EventLoop { source })?;
            for shard in 0..self.settings.threads {
                let (ended, wish, live, site, reader) =
                    (ended.clone(), wish.clone(), Arc::clone(&live), site.clone(), reader.clone());
                let generate =
                    move || drop(ended.send(self.generate(shard, clock, site, live, reader, wish)));
                let spawned =
                    thread::Builder::new().name(format!("generator {shard}")).spawn_scoped(scope, generate);
                // Those that run already would go on for the whole duration.
                spawned.map_err(|source| {
                    wishes.send_replace(Wish::Cut);
                    Error::EventLoop { source }
                })?;
            }
            drop((ended, reader));
            let progress = || live.progress(clock::to_s(clock.now_ns()));
            let merged = self.watch(&loops_ended, &wishes, progress, observer)?;
            // It ends with the last event loop, and panics only if it has a bug.
            let kept = keeper.join().expect("whoever reads along does not panic");
            Ok::<_, Error>((merged, kept))
        })?;
        let elapsed_s = clock::to_s(clock.now_ns());
        let circumstances = Circumstances {
            target: self.settings.target.clone(),
            address: site.address,
            began_at_s: clock.since_epoch(0).as_secs_f64(),
            elapsed_s,
            wish: *wish.borrow(),
            max_in_flight: self.settings.max_in_flight,
            machine: meter.and_then(|meter| meter.until_now(elapsed_s, self.settings.threads)),
        };
        Ok(RunReport::new(circumstances, &self.plan, self.profile, &merged, kept, &self.thresholds))
    }

    fn interval_log(&self) -> Result<Option<Writer>, Error> {
        let head = || Head {
            endpoints: self.plan.endpoints.iter().map(|endpoint| endpoint.id.clone()).collect(),
            timeout_ns: clock::to_ns(self.settings.timeout),
        };
        self.settings.interval_log.as_ref().map(|path| Writer::create(path, head())).transpose()
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
        reader: mpsc::SyncSender<Batch>,
        wish: watch::Receiver<Wish>,
    ) -> io::Result<Snapshot> {
        let plan = Arc::clone(&self.plan);
        let threads = self.settings.threads as u64;
        event_loop::block_on(clock, async |timer| {
            let timeout_ns = clock::to_ns(self.settings.timeout);
            let recorder =
                Recorder::new(plan.endpoints.len(), timeout_ns, Arc::clone(&live), Some((shard, reader)));
            let stage = Rc::new(Stage {
                plan: Arc::clone(&plan),
                envelope: Envelope::new(site, timeout_ns),
                timer,
                recorder: RefCell::new(recorder),
                live,
                max_in_flight: self.settings.max_in_flight,
                curtain_ns: plan.end_ns().saturating_add(clock::to_ns(self.settings.drain)),
                closing: Closing::default(),
                open: Open::default(),
            });
            // Which sessions are whose follows from the plan alone, so that the sum is the same for any number of shards.
            let ours =
                plan.sessions().filter(|session| (session.block + session.index) % threads == shard as u64);
            tokio::select! {
                () = dispatch(&stage, ours, wish) => {}
                () = tell(&stage) => {}
            }
            stage.recorder.borrow_mut().finish(stage.timer.now_ns())
        })
    }
}

/// Has the recorder tell what happened, once per second and for ever.
async fn tell(stage: &Stage) {
    for second in 1.. {
        stage.timer.sleep_until(second * TELL_EVERY_NS).await;
        stage.recorder.borrow_mut().hand_over(stage.timer.now_ns());
    }
}

/// Runs `profile` as `settings` say: [`Run::prepare`], then [`Run::execute`].
///
/// # Errors
/// Whatever makes the run impossible; see the two.
pub fn run(profile: &Profile, settings: &Settings, observer: &mut dyn Observer) -> Result<RunReport, Error> {
    Run::prepare(profile, settings)?.execute(observer)
}
