//! One session, from its first request to its last.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::companions::{self, PageDue};
use crate::connect::{Lanes, Stamps, Station};
use crate::exchange::{Envelope, Exchanged, Order, Visitor};
use crate::plan::{Place, Plan, PlannedSession, Walk};
use crate::record::{Live, Recorder, Sample, Waiting};
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
    /// Requests due later are cut.
    pub(crate) curtain_ns: u64,
    pub(crate) closing: Closing,
    pub(crate) open: Open,
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
    let mut due_ns = session.starts_at_ns;
    let mut chain_due_ns = due_ns;
    let mut before_ns = due_ns;
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
            let page = PageDue { at_ns: due_ns, chain_ns: chain_due_ns };
            let path = paths.next(endpoint);
            let companions = plan.companions(&mut walk, at).into_iter();
            let companions: Vec<_> =
                companions.map(|companion| (companion, paths.next(companion.endpoint))).collect();
            companions::fetch(stage, &visitor, page, companions);
            let order = Order {
                endpoint,
                method: plan.endpoints[endpoint].method.clone(),
                path,
                scheduled_at: due_ns,
                chain_due_at: chain_due_ns,
            };
            let sample = send(stage, &visitor, order, Stamps::new(stage.timer.clock())).await;
            if let Some(rank) = first_pause(stage, &walk, &places[..=at], before_ns, sample.released_at) {
                stage.recorder.borrow_mut().paused(rank);
            }
            completed_at = sample.completed_at;
            chain_completed_at = chain_due_ns.saturating_add(plan.expected_service_ns(endpoint));
        }
        before_ns = completed_at;
        if let Some(next) = places.get(at + 1) {
            let gap = plan.gap_between(&mut walk, *place, *next);
            due_ns = gap.due_ns(due_ns, completed_at);
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
pub(crate) async fn send(stage: &Stage, visitor: &Visitor, order: Order, stamps: Stamps) -> Sample {
    let Order { scheduled_at, chain_due_at, endpoint, .. } = order;
    stage.recorder.borrow_mut().sent(Waiting { scheduled_at, chain_due_at, endpoint });
    // On the heap, and so gone as soon as it is over: sessions spend most of their time thinking, and there are many.
    let exchange = Box::pin(stage.envelope.exchange(&stage.timer, visitor, order, stamps));
    let Exchanged { sample, redirects } = exchange.await;
    let mut recorder = stage.recorder.borrow_mut();
    recorder.ended(&sample);
    recorder.redirected(redirects);
    sample
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
        let (site, way) = Destination::new(&settings).unwrap().connect().unwrap();
        let counted = event_loop::block_on(Clock::start(), Pace::Eco, async |timer| {
            let live = Arc::new(Live::default());
            let stage = Rc::new(Stage {
                envelope: Envelope::new(site, 10_000_000_000, false, false),
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
