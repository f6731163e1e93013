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

use crate::clock::{self, Clock};
use crate::config::Settings;
use crate::dispatch::{Wish, dispatch};
use crate::error::Error;
use crate::event_loop;
use crate::exchange::Envelope;
use crate::feed::Feeds;
use crate::feed::extract::Extracts;
use crate::feed::template::Templates;
use crate::guard::targets::{Guard, Pinned, Site};
use crate::guard::{Canary, Outbox, Production, Purse, Sentry, ceiling};
use crate::plan::{self, Outline, Plan};
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

/// What all event loops of a run count together.
struct Shared {
    live: Arc<Live>,
    purse: Arc<Purse>,
    outbox: Arc<Outbox>,
    logins_failed: Arc<AtomicU64>,
}

/// A run that could begin.
#[derive(Debug)]
pub struct Run<'a> {
    profile: &'a Profile,
    settings: Settings,
    plan: Arc<Plan>,
    target: Pinned,
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
        settings.check()?;
        let production = Production::new(profile.source.hosts.as_ref(), settings.own_production.as_deref())?;
        let target = Guard::new(&settings.allow_targets, production)?.target(&settings.target)?;
        if target.location.secure {
            let expected = "`http://`: this version speaks plain HTTP/1.1, no TLS";
            return Err(Error::TargetUrl { found: settings.target.clone(), expected });
        }
        let mut settings = settings.clone();
        settings.schedule.canary = Canary::length(&settings, profile, target.is_loopback())?;
        let feeds = Feeds::read(&settings.feeds)?;
        let plan = Plan::new(profile, &settings.schedule, &settings.allow_methods)?.fed(&feeds);
        if plan.login.is_some_and(|login| !plan.endpoints[login].allowed) {
            let found = "nothing".to_owned();
            let expected = "the method of the endpoint that logs in, such as POST:post_login";
            return Err(Error::Setting { name: "--allow-method", found, expected });
        }
        let extracts = profile.login.as_ref().map(Extracts::new).transpose()?.map(Arc::new);
        let templates = templates(profile, &plan, feeds, extracts.as_deref())?.map(Arc::new);
        let raised = settings.safety.ceiling;
        if let Some(factor) = raised.or((!target.is_loopback()).then_some(ceiling::DEFAULT_FACTOR)) {
            ceiling::check(plan.outline(), profile, factor)?;
        }
        // Wrong rules are found out now and not when the load is on.
        Sentry::new(&settings, profile, &plan)?;
        let name = name(profile, &settings);
        Ok(Self { profile, settings, plan: Arc::new(plan), target, name, templates, extracts })
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
        let mut sentry = Sentry::new(&self.settings, self.profile, &self.plan)?;
        sentry.begin_to_ask()?;
        let clock = Clock::start_in(LEAD);
        let (wishes, wish) = watch::channel(Wish::GoOn);
        let live = Arc::new(Live::default());
        let logins_failed = Arc::<AtomicU64>::default();
        let merged = thread::scope(|scope| {
            let (ended, loops_ended) = mpsc::channel();
            for shard in 0..self.settings.threads {
                let (ended, wish, live, site) =
                    (ended.clone(), wish.clone(), Arc::clone(&live), site.clone());
                let shared = Shared {
                    live,
                    purse: Arc::clone(&sentry.purse),
                    outbox: Arc::clone(&sentry.outbox),
                    logins_failed: Arc::clone(&logins_failed),
                };
                let generate = move || {
                    drop(ended.send(self.generate(shard, clock, site, shared, wish)));
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
            let progress = || live.progress(clock::to_s(clock.now_ns()));
            let mut look = || {
                let progress = progress();
                sentry.look(clock.now_ns(), &progress).max(observer.progress(&progress))
            };
            self.watch(&loops_ended, &wishes, &mut look)
        })?;
        let circumstances = Circumstances {
            target: self.settings.target.clone(),
            address: site.address,
            began_at_s: clock.since_epoch(0).as_secs_f64(),
            elapsed_s: clock::to_s(clock.now_ns()),
            interrupted: *wish.borrow() > Wish::GoOn && sentry.stopped.is_none(),
            stopped: sentry.stopped,
            run: self.name.clone(),
            logins_failed: logins_failed.load(Ordering::Relaxed),
            max_in_flight: self.settings.max_in_flight,
        };
        Ok(RunReport::new(circumstances, &self.plan, self.profile, &merged))
    }

    /// Looks what is wanted until all event loops have ended, and adds up what they counted.
    fn watch(
        &self,
        loops_ended: &mpsc::Receiver<io::Result<Snapshot>>,
        wishes: &watch::Sender<Wish>,
        look: &mut dyn FnMut() -> Wish,
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

    /// Sends this shard's share of the sessions from one event loop.
    fn generate(
        &self,
        shard: usize,
        clock: Clock,
        site: Site,
        shared: Shared,
        wish: watch::Receiver<Wish>,
    ) -> io::Result<Snapshot> {
        let Shared { live, purse, outbox, logins_failed } = shared;
        let plan = Arc::clone(&self.plan);
        let threads = self.settings.threads as u64;
        event_loop::block_on(clock, async |timer| {
            let stage = Rc::new(Stage {
                plan: Arc::clone(&plan),
                envelope: Envelope::new(site, &self.name, clock::to_ns(self.settings.timeout)),
                timer,
                recorder: RefCell::new(Recorder::new(plan.endpoints.len(), Arc::clone(&live))),
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
            // Which sessions are whose follows from the plan alone, so that the sum is the same for any number of shards.
            let ours =
                plan.sessions().filter(|session| (session.block + session.index) % threads == shard as u64);
            dispatch(&stage, ours, wish).await;
            stage.recorder.borrow().snapshot()
        })
    }
}

/// The templates of `profile`, if it has any.
fn templates(
    profile: &Profile,
    plan: &Plan,
    feeds: Feeds,
    extracts: Option<&Extracts>,
) -> Result<Option<Templates>, Error> {
    let requests = profile.endpoints.iter().enumerate();
    let requests: Vec<_> = requests
        .map(|(at, endpoint)| (endpoint.request.as_ref(), plan.placeholders(at).map(str::to_owned).collect()))
        .collect();
    if requests.iter().all(|(request, _)| request.is_none()) {
        return Ok(None);
    }
    let variables: Vec<&str> = extracts.into_iter().flat_map(Extracts::names).collect();
    Templates::new(&requests, feeds, &variables).map(Some)
}

/// What marks the requests of a run: the same for the same profile, schedule and seed, from which all else follows.
fn name(profile: &Profile, settings: &Settings) -> String {
    let plan = format!("{:?} {:?}", settings.schedule, settings.allow_methods);
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
