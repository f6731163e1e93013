//! A run from beginning to end: prepare, send, report.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use shared::Profile;
use tokio::sync::watch;

use crate::background;
use crate::clock::{self, Clock};
use crate::condition::Condition;
use crate::config::{Schedule, Settings, Share, StartAt};
use crate::connect::{Destination, Scratch, Site, Station, Way};
use crate::cores;
use crate::dispatch::{Wish, dispatch};
use crate::error::Error;
use crate::event_loop;
use crate::exchange::Envelope;
use crate::feed::Feeds;
use crate::feed::extract::Extracts;
use crate::feed::template::{Source, Templates};
use crate::grpc;
use crate::guard::targets::Guard;
use crate::guard::{Canary, Outbox, Production, Purse, Sentry, ceiling};
use crate::pace::Pace;
use crate::plan::{self, Outline, Plan, Trace};
use crate::record::intervals::{Head, Writer};
use crate::record::{Batch, Live, Measured, Progress, Recorder, Snapshot, keep};
use crate::report::{Circumstances, Pacing, RunReport, thresholds};
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
    destination: Destination,
    /// Cores at hand, counted before an event loop is kept on one.
    cores: usize,
    /// What its requests are marked with.
    name: String,
    templates: Option<Arc<Templates>>,
    extracts: Option<Arc<Extracts>>,
}

impl<'a> Run<'a> {
    /// Checks the settings, makes the plan and finds the target; sends nothing.
    ///
    /// # Errors
    /// Whatever makes the run impossible, except that nobody answers at the target.
    pub fn prepare(profile: &'a Profile, settings: &Settings) -> Result<Self, Error> {
        Self::of(profile, settings, None, destination(profile, settings)?)
    }

    /// The same for a destination that was found before: what one of several runs does, so that a name that changes its
    /// mind between them changes nothing.
    ///
    /// # Errors
    /// Whatever makes the run impossible, except that nobody answers at the target.
    pub(crate) fn prepare_for(
        profile: &'a Profile,
        settings: &Settings,
        destination: &Destination,
    ) -> Result<Self, Error> {
        settings.check()?;
        Self::of(profile, settings, None, destination.clone())
    }

    /// The same for a log that is played as it was.
    ///
    /// # Errors
    /// Whatever makes the run impossible, except that nobody answers at the target.
    pub fn prepare_trace(trace: &'a Arc<Trace>, settings: &Settings) -> Result<Self, Error> {
        Self::of(&trace.profile, settings, Some(trace), destination(&trace.profile, settings)?)
    }

    fn of(
        profile: &'a Profile,
        settings: &Settings,
        trace: Option<&Arc<Trace>>,
        destination: Destination,
    ) -> Result<Self, Error> {
        let mut settings = settings.clone();
        let feeds = Feeds::read(&settings.feeds)?;
        let plan = match trace {
            // It is played as it was, or not at all.
            Some(trace) => Plan::of_trace(Arc::clone(trace), &settings.schedule, &settings.allow_methods)?,
            None => {
                let is_loopback = destination.is_loopback();
                settings.schedule.canary = Canary::length(&settings, profile, is_loopback)?;
                Plan::new(profile, &settings.schedule, &settings.allow_methods)?
            }
        };
        let plan = plan.fed(&feeds);
        if plan.login.is_some_and(|login| !plan.endpoints[login].allowed) {
            let found = "nothing".to_owned();
            let expected = "the method of the endpoint that logs in, such as POST:post_login";
            return Err(Error::Setting { name: "--allow-method", found, expected });
        }
        let extracts = profile.login.as_ref().map(Extracts::new).transpose()?.map(Arc::new);
        let methods = grpc::methods(profile, &settings)?;
        let templates = templates(profile, &plan, methods, feeds, extracts.as_deref())?.map(Arc::new);
        if let Some(factor) = ceiling::factor(&settings.safety, destination.is_loopback()) {
            ceiling::check(plan.outline().peak_sessions_per_s, profile, factor)?;
        }
        if settings.warm_up.as_secs_f64() >= plan.outline().duration_s {
            let (found, expected) = (format!("{:?}", settings.warm_up), "less than the run's duration");
            return Err(Error::Setting { name: "--warm-up", found, expected });
        }
        // Wrong rules are found out now and not when the load is on.
        Sentry::new(&settings, profile, &plan)?;
        Ok(Self {
            name: name(profile, &settings),
            thresholds: thresholds::of(profile, &settings.thresholds)?,
            profile,
            settings,
            plan: Arc::new(plan),
            destination,
            cores: cores::available(),
            templates,
            extracts,
        })
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
        let (site, way) = self.destination.connect()?;
        let way = Arc::new(way);
        let mut sentry = Sentry::new(&self.settings, self.profile, &self.plan)?;
        sentry.begin_to_ask()?;
        let log = self.interval_log()?;
        let measured = self.measured();
        let meter = Meter::read();
        let clock = start_clock(self.settings.start_at)?;
        let joins_at_ns = if clock.now_ns() > 0 { clock.now_ns() + clock::to_ns(LEAD) } else { 0 };
        let (wishes, wish) = watch::channel(Wish::GoOn);
        let live = Arc::new(Live::default());
        let logins_failed = Arc::<AtomicU64>::default();
        let ((merged, pacing), kept) = thread::scope(|scope| {
            let (ended, loops_ended) = mpsc::channel();
            let (reader, batches) = mpsc::sync_channel(UNREAD_BATCHES);
            let (plan, shards) = (&*self.plan, self.settings.threads);
            let keeper = thread::Builder::new().name("keeper".to_owned());
            let keeper = keeper
                .spawn_scoped(scope, move || keep(&batches, shards, plan, log, measured))
                .map_err(|source| Error::EventLoop { source })?;
            for shard in 0..self.settings.threads {
                let part = Part {
                    shard,
                    clock,
                    joins_at_ns,
                    site: site.clone(),
                    way: Arc::clone(&way),
                    live: Arc::clone(&live),
                    purse: Arc::clone(&sentry.purse),
                    outbox: Arc::clone(&sentry.outbox),
                    logins_failed: Arc::clone(&logins_failed),
                    reader: reader.clone(),
                    wish: wish.clone(),
                };
                let ended = ended.clone();
                let generate = move || drop(ended.send(self.generate(part)));
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
            let mut look = || {
                let progress = progress();
                sentry.look(clock.now_ns(), &progress).max(observer.progress(&progress))
            };
            let merged = self.watch(&loops_ended, &wishes, &mut look)?;
            // It ends with the last event loop, and panics only if it has a bug.
            let kept = keeper.join().expect("whoever reads along does not panic");
            Ok::<_, Error>((merged, kept))
        })?;
        sentry.conclude(&live.progress(clock::to_s(clock.now_ns())));
        let elapsed_s = clock::to_s(clock.now_ns());
        let circumstances = Circumstances {
            target: self.settings.target.clone(),
            address: way.address().to_string(),
            began_at_s: clock.since_epoch(0).as_secs_f64(),
            elapsed_s,
            warm_up_s: self.settings.warm_up.as_secs_f64(),
            wish: *wish.borrow(),
            insecure: self.settings.wire.insecure && (site.secure || sentry.asks_over_tls()),
            stopped: sentry.stopped,
            run: self.name.clone(),
            logins_failed: logins_failed.load(Ordering::Relaxed),
            max_in_flight: self.settings.max_in_flight,
            pacing,
            machine: meter.and_then(|meter| meter.until_now(elapsed_s, self.settings.threads)),
        };
        Ok(RunReport::new(circumstances, &self.plan, self.profile, &merged, kept, &self.thresholds))
    }

    /// Counts apart what comes after the warm-up, if there is one.
    fn measured(&self) -> Option<Measured> {
        let Settings { warm_up, timeout, .. } = &self.settings;
        let counts =
            || Measured::new(clock::to_ns(*warm_up), self.plan.endpoints.len(), clock::to_ns(*timeout));
        (!warm_up.is_zero()).then(counts)
    }

    fn interval_log(&self) -> Result<Option<Writer>, Error> {
        let share = self.settings.schedule.share;
        let head = || Head {
            run: self.name.clone(),
            shard: share.index,
            shards: share.of,
            sessions: self.plan.sessions_by_shard(),
            endpoints: self.plan.endpoints.iter().map(|endpoint| endpoint.id.clone()).collect(),
            timeout_ns: clock::to_ns(self.settings.timeout),
        };
        self.settings.interval_log.as_ref().map(|path| Writer::create(path, head())).transpose()
    }

    /// Looks what is wanted until all event loops have ended, and adds up what they counted.
    fn watch(
        &self,
        loops_ended: &mpsc::Receiver<io::Result<(Snapshot, Pacing)>>,
        wishes: &watch::Sender<Wish>,
        look: &mut dyn FnMut() -> Wish,
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
                    let wish = look();
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
    fn generate(&self, part: Part) -> io::Result<(Snapshot, Pacing)> {
        let Part { shard, clock, joins_at_ns, site, way, live, purse, outbox, logins_failed, reader, wish } =
            part;
        let plan = Arc::clone(&self.plan);
        let threads = self.settings.threads as u64;
        let wire = &self.settings.wire;
        let pinned = self.settings.pin && cores::pin(shard, self.settings.threads);
        event_loop::block_on(clock, self.pace(), async |timer| {
            let timeout_ns = clock::to_ns(self.settings.timeout);
            let recorder =
                Recorder::new(plan.endpoints.len(), timeout_ns, Arc::clone(&live), Some((shard, reader)));
            let stage = Rc::new(Stage {
                plan: Arc::clone(&plan),
                envelope: Envelope::new(
                    site,
                    &self.name,
                    timeout_ns,
                    wire.proxy.is_some(),
                    wire.follow_redirects,
                ),
                station: Rc::new(Station { way, scratch: Scratch::default() }),
                keep_alive_ns: clock::to_ns(wire.keep_alive),
                timer,
                recorder: RefCell::new(recorder),
                live,
                max_in_flight: self.settings.max_in_flight,
                templates: self.templates.clone(),
                extracts: self.extracts.clone(),
                logins_failed,
                purse,
                outbox,
                curtain_ns: plan.end_ns().saturating_add(clock::to_ns(self.settings.drain)),
                closing: Closing::default(),
                open: Open::default(),
            });
            let (shard, missed) = (shard as u64, 0..joins_at_ns);
            background::begin(&stage, shard, threads, joins_at_ns);
            tokio::select! {
                () = dispatch(&stage, plan.part_of_ours(shard, threads, joins_at_ns..u64::MAX), wish) => {}
                () = tell(&stage) => {}
            }
            // Only now: counting takes time, and what falls due meanwhile would be late.
            for session in plan.part_of_ours(shard, threads, missed) {
                stage.recorder.borrow_mut().session_lost(&plan, &session, &plan.walk(&session));
            }
            let snapshot = stage.recorder.borrow_mut().finish(stage.timer.now_ns());
            (snapshot, Pacing::of(self.pace(), stage.timer.kept(), pinned))
        })
    }
}

/// Where `profile` is to be played, if settings make sense and that may be loaded.
///
/// # Errors
/// [`Error::Setting`], [`Error::StartIsOver`], and what the guard says of target and proxy.
pub(crate) fn destination(profile: &Profile, settings: &Settings) -> Result<Destination, Error> {
    settings.check()?;
    start_clock(settings.start_at)?;
    let production = Production::new(profile.source.hosts.as_ref(), settings.own_production.as_deref())?;
    Destination::new(settings, &Guard::new(&settings.allow_targets, production)?)
}

/// What one event loop is given.
#[derive(Debug)]
struct Part {
    shard: usize,
    clock: Clock,
    /// Sessions that fell due before are lost.
    joins_at_ns: u64,
    site: Site,
    way: Arc<Way>,
    live: Arc<Live>,
    purse: Arc<Purse>,
    outbox: Arc<Outbox>,
    logins_failed: Arc<AtomicU64>,
    reader: mpsc::SyncSender<Batch>,
    wish: watch::Receiver<Wish>,
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

/// Has the recorder tell what happened, once per second and for ever.
async fn tell(stage: &Stage) {
    for second in 1.. {
        stage.timer.sleep_until(second * TELL_EVERY_NS).await;
        stage.recorder.borrow_mut().hand_over(stage.timer.now_ns());
    }
}

/// The templates of `profile`, if it has any; `methods` are those that its endpoints call.
fn templates(
    profile: &Profile,
    plan: &Plan,
    methods: Vec<Option<grpc::Method>>,
    feeds: Feeds,
    extracts: Option<&Extracts>,
) -> Result<Option<Templates>, Error> {
    if profile.endpoints.iter().all(|endpoint| endpoint.request.is_none()) {
        return Ok(None);
    }
    let sources = profile.endpoints.iter().zip(methods).enumerate();
    let sources = sources.map(|(at, (endpoint, method))| Source {
        request: endpoint.request.as_ref(),
        parameters: plan.placeholders(at).map(str::to_owned).collect(),
        method,
    });
    let variables: Vec<&str> = extracts.into_iter().flat_map(Extracts::names).collect();
    Templates::new(sources.collect(), feeds, &variables).map(Some)
}

/// What marks the requests of a run: the same for the same profile, schedule and seed, from which all else follows, and
/// for all shards.
fn name(profile: &Profile, settings: &Settings) -> String {
    let schedule = Schedule { share: Share::ALL, ..settings.schedule.clone() };
    let plan = format!("{schedule:?} {:?}", settings.allow_methods);
    let bytes = shared::io::to_yaml(profile).into_bytes().into_iter().chain(plan.into_bytes());
    format!("{:016x}", plan::fnv(bytes))
}

/// Runs `profile` as `settings` say: [`Run::prepare`], then [`Run::execute`].
///
/// # Errors
/// Whatever makes the run impossible; see the two.
pub fn run(profile: &Profile, settings: &Settings, observer: &mut dyn Observer) -> Result<RunReport, Error> {
    Run::prepare(profile, settings)?.execute(observer)
}
