//! One HTTP exchange: a path in, a [`Sample`] out.

use std::cell::RefCell;

use http_body_util::Full;
use hyper::Method;
use hyper::header::ACCEPT;
use shared::status::Status;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::clock;
use crate::connect::{Lanes, Request2, Site, Stamps, Wanted};
use crate::feed::template::Carried;
use crate::grpc::frame;
use crate::http::cookies::Jar;
use crate::http::redirect;
use crate::http::request::{self, Request};
use crate::http::response::{Head, Kept};
use crate::http::retry_after::RetryAfter;
use crate::record::{Failure, Outcome, Sample};
use crate::timer::Timer;

/// The header that tells the sessions of a replay apart, since all of them come from one address.
pub const SESSION_HEADER: &str = "x-loadprint-session";

/// The header that tells the requests of one run from those of others.
pub const RUN_HEADER: &str = "x-load-run";

/// What `User-Agent` says.
const AGENT: &str = concat!("loadprint-replayer/", env!("CARGO_PKG_VERSION"));

/// Redirects that are followed in a row, as many as browsers do at least (`fetch`, 4.4: 20).
const MOST_REDIRECTS: u64 = 20;

/// Connections that browsers open at once to one host.
const MOST_CONNECTIONS: usize = 6;
/// Requests that they have under way at once on one connection of HTTP/2.
const MOST_STREAMS: usize = 100;

/// What all requests of a run have in common.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) site: Site,
    /// Headers that are always the same, as they are sent.
    common: Box<[u8]>,
    /// What stands before every path: nothing, or the site for a proxy that has to know it.
    before_path: String,
    /// What marks all requests of the run.
    run: Box<str>,
    /// How long a request may take, in nanoseconds.
    timeout_ns: u64,
    follow_redirects: bool,
}

/// Who asks: a session, with its connections and what it has been told to remember.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) name: Box<str>,
    pub(crate) lanes: Lanes,
    /// Connections that may still be used at once.
    free: Semaphore,
    jar: RefCell<Jar>,
}

impl Visitor {
    /// Somebody new.
    pub(crate) fn new(name: String, lanes: Lanes) -> Self {
        let free = Semaphore::new(if lanes.are_http2() { MOST_STREAMS } else { MOST_CONNECTIONS });
        Self { name: name.into(), lanes, free, jar: RefCell::default() }
    }

    /// Waits until one request more may be under way at once; that is waiting for a connection.
    pub(crate) async fn lane(&self, stamps: &Stamps) -> Option<SemaphorePermit<'_>> {
        if let Ok(free) = self.free.try_acquire() {
            return Some(free);
        }
        stamps.wait();
        // It is never closed, so that there is always one some time.
        self.free.acquire().await.ok()
    }
}

/// One request, not sent yet.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) endpoint: usize,
    pub(crate) method: Method,
    pub(crate) path: String,
    /// Its headers and body; none if the values at hand give none.
    pub(crate) carried: Option<Carried>,
    /// Whether the answer is wanted in full.
    pub(crate) keeps: bool,
    /// When it is due.
    pub(crate) scheduled_at: u64,
    /// When it would be due if all answers before it had taken what they take in production.
    pub(crate) chain_due_at: u64,
}

/// How an order went.
#[derive(Debug)]
pub(crate) struct Exchanged {
    pub(crate) sample: Sample,
    /// Requests that followed from where the answer led, not counting the one ordered.
    pub(crate) redirects: u64,
    /// How long the target asks to wait before the next one.
    pub(crate) retry_after_ns: Option<u64>,
    /// The answer in full, where that was wanted.
    pub(crate) kept: Option<Box<Kept>>,
}

/// A request as it is to be put together.
#[derive(Debug)]
struct Asked {
    method: Method,
    path: String,
    carried: Carried,
    keeps: bool,
}

impl Envelope {
    /// For requests of the run called `run` to `site` that may take `timeout_ns` each, through a proxy that is told whole
    /// URLs or not.
    pub(crate) fn new(site: Site, run: &str, timeout_ns: u64, proxied: bool, follow_redirects: bool) -> Self {
        let common = format!("host: {}\r\nuser-agent: {AGENT}\r\n{RUN_HEADER}: {run}\r\n", site.authority);
        let before_path =
            if proxied && !site.secure { format!("http://{}", site.authority) } else { String::new() };
        Self {
            site,
            common: common.into_bytes().into(),
            before_path,
            run: run.into(),
            timeout_ns,
            follow_redirects,
        }
    }

    /// Sends `order` for `visitor` and waits for the end of the answer, however it ends. What the event loop does with
    /// it counts from `stamps`, which may know already that there was no connection to send on.
    pub(crate) async fn exchange(
        &self,
        timer: &Timer,
        visitor: &Visitor,
        order: Order,
        stamps: Stamps,
    ) -> Exchanged {
        let Order { endpoint, scheduled_at, chain_due_at, method, path, carried, keeps } = order;
        let released_at = timer.now_ns();
        let give_up_at = released_at.saturating_add(self.timeout_ns);
        let mut redirects = 0;
        let (mut retry_after_ns, mut kept) = (None, None);
        let result = match carried {
            Some(carried) => {
                let asked = Asked { method, path: format!("{}{path}", self.site.prefix), carried, keeps };
                let work = self.follow(timer, visitor, asked, &stamps, &mut redirects);
                timer.limit(give_up_at, work).await
            }
            // A feed may hold what no header can.
            None => Some(Err(Failure::Unsendable)),
        };
        let result = result.map(|answer| {
            answer.map(|(head, body_bytes)| {
                let now = timer.clock().since_epoch(timer.now_ns());
                let wait = |asked: RetryAfter| clock::to_ns(asked.wait(now));
                (retry_after_ns, kept) = (head.retry_after.map(wait), head.kept);
                (head.grpc.map_or(Status::Http(head.status), Status::Grpc), body_bytes)
            })
        });
        let completed_at = timer.now_ns();
        let outcome = match result {
            Some(Ok((status, body_bytes))) => Outcome::Completed { status, body_bytes },
            Some(Err(failure)) => Outcome::Failed(failure),
            None => Outcome::TimedOut,
        };
        let sample = Sample {
            endpoint,
            scheduled_at,
            chain_due_at,
            released_at,
            sent_at: stamps.sent_at(),
            connecting: stamps.connecting(completed_at),
            first_byte_at: stamps.first_byte_at(),
            completed_at,
            outcome,
        };
        Exchanged { sample, redirects, retry_after_ns, kept }
    }

    /// Sends a request, and those that follow from where the answer leads: head of the last answer, bytes of all.
    async fn follow(
        &self,
        timer: &Timer,
        visitor: &Visitor,
        mut asked: Asked,
        stamps: &Stamps,
        redirects: &mut u64,
    ) -> Result<(Head, u64), Failure> {
        let mut all_bytes = 0;
        loop {
            let (head, body_bytes) = self.send(visitor, &asked, stamps).await?;
            all_bytes += body_bytes;
            if !head.set_cookies.is_empty() {
                let now = timer.clock().since_epoch(timer.now_ns());
                let mut jar = visitor.jar.borrow_mut();
                head.set_cookies.iter().for_each(|line| jar.set(line, self.site.host(), &asked.path, now));
            }
            let next = self.next(&head, &asked.method, &asked.path).filter(|_| *redirects < MOST_REDIRECTS);
            let Some((method, path)) = next else { return Ok((head, all_bytes)) };
            *redirects += 1;
            // Who is sent on with another method leaves behind what came with the first (RFC 9110, 15.4).
            let carried = if method == asked.method { asked.carried } else { Carried::default() };
            asked = Asked { method, path, carried, ..asked };
        }
    }

    /// Where an answer leads, if that is to be followed.
    fn next(&self, head: &Head, method: &Method, path: &str) -> Option<(Method, String)> {
        let location = head.location.as_deref().filter(|_| self.follow_redirects)?;
        redirect::next(head.status, location, (method, path), (self.site.secure, &self.site.authority))
    }

    async fn send(&self, visitor: &Visitor, asked: &Asked, stamps: &Stamps) -> Result<(Head, u64), Failure> {
        let Asked { method, path, carried, keeps } = asked;
        // A route edited by hand may hold what no request line can.
        let cookies = visitor.jar.borrow().header(path);
        if visitor.lanes.are_http2() {
            let request =
                self.request2(visitor, asked, cookies.as_deref()).map_err(|_| Failure::Unsendable)?;
            let wanted = Wanted { keeps: *keeps, is_call: carried.is_call };
            return visitor.lanes.exchange2(request, wanted, stamps).await;
        }
        let own = [(SESSION_HEADER, &*visitor.name), ("cookie", cookies.as_deref().unwrap_or_default())];
        let target = format!("{}{path}", self.before_path);
        let own = &own[..if cookies.is_some() { 2 } else { 1 }];
        let request = Request { method, target: &target, common: &self.common, own, carried };
        let bytes = request.bytes().ok_or(Failure::Unsendable)?;
        visitor.lanes.exchange((method, *keeps), &bytes, stamps).await
    }

    fn request2(
        &self,
        visitor: &Visitor,
        asked: &Asked,
        cookies: Option<&str>,
    ) -> Result<Request2, hyper::http::Error> {
        let Asked { method, path, carried: Carried { headers, body, is_call }, .. } = asked;
        let scheme = if self.site.secure { "https" } else { "http" };
        let request = hyper::Request::builder()
            .method(method.clone())
            .uri(format!("{scheme}://{}{path}", self.site.authority))
            .header("user-agent", AGENT)
            .header(RUN_HEADER, &*self.run)
            .header(SESSION_HEADER, &*visitor.name);
        let given = headers.iter().filter(|(name, _)| !request::is_ours(name));
        let request = given.fold(request, |request, (name, value)| request.header(name, value));
        let request = if headers.contains_key(ACCEPT) { request } else { request.header(ACCEPT, "*/*") };
        let of_calls = is_call.then(|| frame::headers(self.timeout_ns)).into_iter().flatten();
        let request = of_calls
            .filter(|(name, _)| !headers.contains_key(name))
            .fold(request, |request, (name, value)| request.header(name, value));
        let request = cookies.into_iter().fold(request, |request, cookies| request.header("cookie", cookies));
        request.body(Full::new(body.clone()))
    }
}
