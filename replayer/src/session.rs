//! One session, from its first request to its last.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::header::HeaderValue;
use tokio::sync::Notify;

use crate::connect::Link;
use crate::exchange::{Envelope, Order};
use crate::feed::extract::Extracts;
use crate::feed::template::{Carried, Client, Templates};
use crate::guard::{Outbox, Purse};
use crate::plan::{Paths, Plan, PlannedSession, Walk};
use crate::record::{Live, Recorder};
use crate::timer::Timer;

/// What the sessions of one event loop share.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) plan: Arc<Plan>,
    pub(crate) envelope: Envelope,
    pub(crate) timer: Rc<Timer>,
    pub(crate) recorder: RefCell<Recorder>,
    pub(crate) live: Arc<Live>,
    pub(crate) max_in_flight: usize,
    /// Headers and bodies, where the profile has any.
    pub(crate) templates: Option<Arc<Templates>>,
    /// What is taken from the answer to the login, where there is one.
    pub(crate) extracts: Option<Arc<Extracts>>,
    /// Sessions that ended because the answer to their login did not hold what it should.
    pub(crate) logins_failed: Arc<AtomicU64>,
    pub(crate) purse: Arc<Purse>,
    pub(crate) outbox: Arc<Outbox>,
    /// Requests due later are cut.
    pub(crate) curtain_ns: u64,
    pub(crate) closing: Closing,
    pub(crate) open: Open,
}

impl Stage {
    /// The next path of a session at `endpoint`, and what the request carries besides; none if its values do not fit.
    fn dress(
        &self,
        endpoint: usize,
        paths: &mut Paths<'_>,
        client: Option<&Client>,
    ) -> (String, Option<Carried>) {
        match (&self.templates, client) {
            (Some(templates), Some(client)) if templates.has(endpoint) => {
                let (path, parameters) = paths.next_with_parameters(endpoint);
                (path, templates.fill(endpoint, client, &parameters).ok())
            }
            _ => (paths.next(endpoint), Some(Carried::default())),
        }
    }
}

/// Says that nothing new shall be sent.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    said: Cell<bool>,
    bell: Notify,
}

impl Closing {
    /// Says it, to those that wait as well.
    pub(crate) fn say(&self) {
        self.said.set(true);
        self.bell.notify_waiters();
    }

    /// Waits until it is said.
    pub(crate) async fn wait(&self) {
        while !self.said.get() {
            self.bell.notified().await;
        }
    }
}

/// Counts the sessions that are under way.
#[derive(Debug, Default)]
pub(crate) struct Open {
    count: Cell<usize>,
    bell: Notify,
}

impl Open {
    /// Waits until no session is under way.
    pub(crate) async fn none(&self) {
        while self.count.get() > 0 {
            self.bell.notified().await;
        }
    }
}

/// A session's presence on its stage; ends however the session does.
struct Presence(Rc<Stage>);

impl Presence {
    fn new(stage: Rc<Stage>) -> Self {
        stage.open.count.set(stage.open.count.get() + 1);
        Self(stage)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let open = &self.0.open;
        open.count.set(open.count.get() - 1);
        if open.count.get() == 0 {
            open.bell.notify_one();
        }
    }
}

/// Begins `session`, which is due now, or drops it if too many requests wait for an answer.
pub(crate) fn begin(stage: &Rc<Stage>, session: PlannedSession) {
    let walk = stage.plan.walk(&session);
    let mut recorder = stage.recorder.borrow_mut();
    recorder.session(&stage.plan, &session, &walk);
    if stage.live.has_room(stage.max_in_flight) {
        tokio::task::spawn_local(play(Presence::new(Rc::clone(stage)), session, walk));
    } else {
        recorder.session_dropped(&stage.plan, &walk);
    }
}

async fn play(presence: Presence, session: PlannedSession, mut walk: Walk) {
    let stage = &presence.0;
    let plan = &*stage.plan;
    let name = HeaderValue::from_str(&plan.session_name(&session))
        .expect("hexadecimal digits are allowed in headers");
    let places = std::mem::take(&mut walk.places);
    let mut paths = plan.paths(&session);
    let mut client = stage
        .templates
        .as_ref()
        .map(|templates| templates.client(plan.session_name(&session), &mut plan.rows(&session)));
    let mut link = Link::new(stage.envelope.site.address, stage.timer.clock());
    let mut due_ns = session.starts_at_ns;
    let mut chain_due_ns = due_ns;
    for (at, place) in places.iter().enumerate() {
        if !reach(stage, due_ns).await {
            return;
        }
        // What is passed without a request takes no time of its own; the pause after it does.
        let (mut completed_at, mut chain_completed_at) = (due_ns, chain_due_ns);
        if let Some(endpoint) = plan.requested(*place) {
            if !stage.live.has_room(stage.max_in_flight) {
                stage.recorder.borrow_mut().dropped(plan, &places[at..]);
                return;
            }
            if !stage.purse.pay_request() {
                return;
            }
            stage.recorder.borrow_mut().sent(endpoint);
            let (path, carried) = stage.dress(endpoint, &mut paths, client.as_ref());
            let login = stage.extracts.as_ref().filter(|_| at == 0 && plan.login == Some(endpoint));
            login.iter().for_each(|_| link.keep_next());
            let order = Order {
                endpoint,
                method: plan.endpoints[endpoint].method.clone(),
                path,
                carried,
                session: name.clone(),
                scheduled_at: due_ns,
                chain_due_at: chain_due_ns,
            };
            let sample = stage.envelope.exchange(&stage.timer, &mut link, order).await;
            stage.recorder.borrow_mut().ended(&sample);
            stage.outbox.leave(&sample);
            stage.purse.pay_bytes(sample.body_bytes());
            if let Some(extracts) = login {
                let kept = link.take_kept().unwrap_or_default();
                let Ok(variables) = extracts.take(&kept.headers, &kept.body) else {
                    // What follows would be the requests of somebody who is not logged in: another load than planned.
                    stage.logins_failed.fetch_add(1, Ordering::Relaxed);
                    return;
                };
                client = client.map(|client| client.after_login(&variables));
            }
            completed_at = sample.completed_at;
            chain_completed_at = chain_due_ns.saturating_add(plan.expected_service_ns(endpoint));
        }
        if let Some(next) = places.get(at + 1) {
            let gap = plan.gap_between(&mut walk, *place, *next);
            due_ns = gap.due_ns(due_ns, completed_at);
            if let Some(wait_ns) = link.retry_after_ns() {
                due_ns = due_ns.max(completed_at.saturating_add(wait_ns));
            }
            chain_due_ns = gap.due_ns(chain_due_ns, chain_completed_at);
        }
    }
}

/// Waits until `due_ns`; false if that will not be any more.
async fn reach(stage: &Stage, due_ns: u64) -> bool {
    if due_ns > stage.curtain_ns || stage.closing.said.get() {
        return false;
    }
    tokio::select! {
        biased;
        () = stage.timer.sleep_until(due_ns) => true,
        () = stage.closing.wait() => false,
    }
}
