//! One session, from its first request to its last.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::companions::{self, PageDue};
use crate::connect::{Lanes, Stamps, Station};
use crate::exchange::{Envelope, Exchanged, Order, Visitor};
use crate::feed::extract::Extracts;
use crate::feed::template::{Carried, Client, Templates};
use crate::guard::{Outbox, Purse};
use crate::http::response::Kept;
use crate::plan::{Paths, Place, Plan, PlannedSession, Walk};
use crate::record::{Live, Recorder, Waiting};
use crate::timer::Timer;

/// What the sessions of one event loop share.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) plan: Arc<Plan>,
    pub(crate) envelope: Envelope,
    pub(crate) station: Rc<Station>,
    /// How long a session keeps a connection that it does not use.
    pub(crate) keep_alive_ns: u64,
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
    pub(crate) fn dress(
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
#[derive(Debug)]
pub(crate) struct Presence(Rc<Stage>);

impl Presence {
    /// One more that has to be over before the run is.
    pub(crate) fn new(stage: Rc<Stage>) -> Self {
        stage.open.count.set(stage.open.count.get() + 1);
        Self(stage)
    }

    /// Where it is present.
    pub(crate) fn stage(&self) -> &Rc<Stage> {
        &self.0
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
    let now = stage.timer.now_ns();
    let walk = stage.plan.walk(&session);
    let mut recorder = stage.recorder.borrow_mut();
    recorder.session(&stage.plan, &session, &walk, now);
    if stage.live.has_room(stage.max_in_flight) {
        tokio::task::spawn_local(play(Presence::new(Rc::clone(stage)), session, walk));
    } else {
        recorder.session_dropped(&stage.plan, &walk, now);
    }
}

async fn play(presence: Presence, session: PlannedSession, mut walk: Walk) {
    let stage = presence.stage();
    let plan = &*stage.plan;
    let visitor = Rc::new(Visitor::new(plan.session_name(&session), Lanes::new(Rc::clone(&stage.station))));
    let places = Rc::clone(&walk.places);
    let mut paths = plan.paths(&session);
    let mut client = stage
        .templates
        .as_ref()
        .map(|templates| templates.client(plan.session_name(&session), &mut plan.rows(&session)));
    let mut due_ns = session.starts_at_ns;
    let mut chain_due_ns = due_ns;
    let mut before_ns = due_ns;
    let mut retry_after_ns = None;
    for (at, place) in places.iter().enumerate() {
        if !reach(stage, &visitor, due_ns).await {
            stage.recorder.borrow_mut().cut(plan, &places[at..]);
            return;
        }
        // What is passed without a request takes no time of its own; the pause after it does.
        let (mut completed_at, mut chain_completed_at) = (due_ns, chain_due_ns);
        if let Some(endpoint) = plan.requested(*place) {
            if !stage.live.has_room(stage.max_in_flight) {
                stage.recorder.borrow_mut().dropped(plan, &places[at..], stage.timer.now_ns());
                return;
            }
            if !stage.purse.pay_request() {
                stage.recorder.borrow_mut().cut(plan, &places[at..]);
                return;
            }
            let page = PageDue { at_ns: due_ns, chain_ns: chain_due_ns };
            let (path, carried) = stage.dress(endpoint, &mut paths, client.as_ref());
            let companions = plan.companions(&mut walk, at).into_iter();
            let companions: Vec<_> = companions
                .map(|companion| (companion, stage.dress(companion.endpoint, &mut paths, client.as_ref())))
                .collect();
            companions::fetch(stage, &visitor, page, companions);
            let login = stage.extracts.as_ref().filter(|_| at == 0 && plan.login == Some(endpoint));
            let order = Order {
                endpoint,
                method: plan.endpoints[endpoint].method.clone(),
                path,
                carried,
                keeps: login.is_some(),
                scheduled_at: due_ns,
                chain_due_at: chain_due_ns,
            };
            let exchanged = send(stage, &visitor, order, Stamps::new(stage.timer.clock())).await;
            let Exchanged { sample, kept, .. } = exchanged;
            let was_as_planned = retry_after_ns.is_none();
            retry_after_ns = exchanged.retry_after_ns;
            if let Some(rank) = first_pause(stage, &walk, &places[..=at], before_ns, sample.released_at)
                .filter(|_| was_as_planned)
            {
                stage.recorder.borrow_mut().paused(rank);
            }
            if let Some(extracts) = login {
                let Kept { headers, body } = kept.map(|kept| *kept).unwrap_or_default();
                let body = match &stage.templates {
                    Some(templates) => templates.legible(endpoint, body),
                    None => body,
                };
                let Ok(variables) = extracts.take(&headers, &body) else {
                    // What follows would be the requests of somebody who is not logged in: another load than planned.
                    stage.logins_failed.fetch_add(1, Ordering::Relaxed);
                    stage.recorder.borrow_mut().cut(plan, &places[at + 1..]);
                    return;
                };
                client = client.map(|client| client.after_login(&variables));
            }
            completed_at = sample.completed_at;
            chain_completed_at = chain_due_ns.saturating_add(plan.expected_service_ns(endpoint));
        }
        before_ns = completed_at;
        if let Some(next) = places.get(at + 1) {
            let gap = plan.gap_between(&mut walk, *place, *next);
            due_ns = gap.due_ns(due_ns, completed_at);
            if let Some(wait_ns) = retry_after_ns {
                due_ns = due_ns.max(completed_at.saturating_add(wait_ns));
            }
            chain_due_ns = gap.due_ns(chain_due_ns, chain_completed_at);
        }
    }
}

/// The rank in the planned law of the pause before the last of `places`, if it was the first of the session: it began
/// when the answer before came, and ended when this request was taken up.
fn first_pause(stage: &Stage, walk: &Walk, places: &[Place], from_ns: u64, to_ns: u64) -> Option<f64> {
    let [from, to] = places.try_into().ok()?;
    let cut_ns = stage.curtain_ns.saturating_sub(from_ns);
    stage.plan.pause_rank(walk, [from, to], to_ns.saturating_sub(from_ns), cut_ns)
}

/// Sends one request and has it recorded.
pub(crate) async fn send(stage: &Stage, visitor: &Visitor, order: Order, stamps: Stamps) -> Exchanged {
    let Order { scheduled_at, chain_due_at, endpoint, .. } = order;
    stage.recorder.borrow_mut().sent(Waiting { scheduled_at, chain_due_at, endpoint });
    // On the heap, and so gone as soon as it is over: sessions spend most of their time thinking, and there are many.
    let exchange = Box::pin(stage.envelope.exchange(&stage.timer, visitor, order, stamps));
    let exchanged = exchange.await;
    let mut recorder = stage.recorder.borrow_mut();
    recorder.ended(&exchanged.sample);
    recorder.redirected(exchanged.redirects);
    stage.outbox.leave(&exchanged.sample);
    stage.purse.pay_bytes(exchanged.sample.body_bytes());
    exchanged
}

/// Waits until `due_ns`, as a browser does: connections that are not used for too long are closed. False if the
/// moment will not come any more.
async fn reach(stage: &Stage, visitor: &Visitor, due_ns: u64) -> bool {
    let closes_at = stage.timer.now_ns().saturating_add(stage.keep_alive_ns);
    if closes_at < due_ns.min(stage.curtain_ns) {
        tokio::select! {
            biased;
            () = stage.timer.rest_until(closes_at) => visitor.lanes.close(),
            () = stage.closing.wait() => return false,
        }
    }
    due(stage, due_ns).await
}

/// Waits until `due_ns`; false if that will not come any more.
pub(crate) async fn due(stage: &Stage, due_ns: u64) -> bool {
    if due_ns > stage.curtain_ns || stage.closing.said.get() {
        return false;
    }
    tokio::select! {
        biased;
        () = stage.timer.sleep_until(due_ns) => true,
        () = stage.closing.wait() => false,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;
    use crate::config::{Schedule, Settings};
    use crate::connect::{Destination, Scratch};
    use crate::event_loop;
    use crate::guard::targets::Guard;
    use crate::guard::{Budget, Production};
    use crate::pace::Pace;
    use crate::record::Snapshot;

    #[test]
    fn a_session_that_thinks_is_small() {
        let (counted, _) = on_stage(0, async |stage| {
            let session = stage.plan.sessions().next().unwrap();
            let walk = stage.plan.walk(&session);
            let play = play(Presence::new(Rc::clone(stage)), session, walk);
            // With its place in the timer, its connection list and what the runtime adds, within 3 KB.
            assert!(size_of_val(&play) <= 2048, "{}", size_of_val(&play));
        });
        assert_eq!(counted.requests.sent, 0);
    }

    /// A visitor without a connection.
    pub(crate) fn visitor(stage: &Stage) -> Rc<Visitor> {
        Rc::new(Visitor::new("0123456789abcdef".to_owned(), Lanes::new(Rc::clone(&stage.station))))
    }

    /// Lets `act` happen on a stage where ten requests may wait for an answer, before a server that answers after
    /// `takes_ms`; what was counted, and how many connections were used.
    pub(crate) fn on_stage(takes_ms: u64, act: impl AsyncFnOnce(&Rc<Stage>)) -> (Snapshot, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let settings =
            Settings { target: format!("http://{}", listener.local_addr().unwrap()), ..Settings::default() };
        let used = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&used);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let count = Arc::clone(&count);
                std::thread::spawn(move || {
                    let mut request = [0; 1024];
                    let mut first = true;
                    while stream.read(&mut request).is_ok_and(|length| length > 0) {
                        count.fetch_add(usize::from(std::mem::take(&mut first)), Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(takes_ms));
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                        stream.write_all(answer).unwrap();
                    }
                });
            }
        });
        let profile = shared::io::from_yaml(shared::profile::EXAMPLE).unwrap();
        let plan = Arc::new(Plan::new(&profile, &Schedule::default(), &[]).unwrap());
        let (site, way) = Destination::new(&settings, &Guard::new(&[], Production::default()).unwrap())
            .unwrap()
            .connect()
            .unwrap();
        let counted = event_loop::block_on(Clock::start(), Pace::Eco, async |timer| {
            let live = Arc::new(Live::default());
            let stage = Rc::new(Stage {
                envelope: Envelope::new(site, "", 10_000_000_000, false, false),
                station: Rc::new(Station { way: Arc::new(way), scratch: Scratch::default() }),
                keep_alive_ns: u64::MAX,
                timer,
                recorder: RefCell::new(Recorder::new(
                    plan.endpoints.len(),
                    10_000_000_000,
                    Arc::clone(&live),
                    None,
                )),
                live,
                max_in_flight: 10,
                templates: None,
                extracts: None,
                logins_failed: Arc::default(),
                purse: Arc::new(Purse::new(Budget::default())),
                outbox: Arc::new(Outbox::new(false)),
                curtain_ns: u64::MAX,
                closing: Closing::default(),
                open: Open::default(),
                plan,
            });
            act(&stage).await;
            stage.recorder.borrow_mut().finish(stage.timer.now_ns())
        });
        (counted.unwrap(), used.load(Ordering::Relaxed))
    }
}
