//! One HTTP exchange: a path in, a [`Sample`] out.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Uri};

use crate::connect::{Answer, Link};
use crate::feed::template::Carried;
use crate::guard::targets::Site;
use crate::record::{Failure, Outcome, Sample};
use crate::timer::Timer;

/// The header that tells the sessions of a replay apart, since all of them come from one address.
pub const SESSION_HEADER: &str = "x-loadprint-session";

/// The header that tells the requests of one run from those of others.
pub const RUN_HEADER: &str = "x-load-run";

/// What `User-Agent` says.
const AGENT: &str = concat!("loadprint-replayer/", env!("CARGO_PKG_VERSION"));

/// What all requests of a run have in common.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) site: Site,
    host: HeaderValue,
    run: HeaderValue,
    /// How long a request may take, in nanoseconds.
    timeout_ns: u64,
}

/// One request, not sent yet.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) endpoint: usize,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) session: HeaderValue,
    /// Its headers and body; none if the values at hand give none.
    pub(crate) carried: Option<Carried>,
    /// When it is due.
    pub(crate) scheduled_at: u64,
    /// When it would be due if all answers before it had taken what they take in production.
    pub(crate) chain_due_at: u64,
}

impl Envelope {
    /// For requests of the run called `run` to `site` that may take `timeout_ns` each.
    pub(crate) fn new(site: Site, run: &str, timeout_ns: u64) -> Self {
        // An authority that was parsed from a URL holds only characters that a header may hold.
        let host = HeaderValue::from_str(&site.authority).unwrap_or_else(|_| HeaderValue::from_static(""));
        let run = HeaderValue::from_str(run).expect("hexadecimal digits are allowed in headers");
        Self { site, host, run, timeout_ns }
    }

    /// Sends `order` over `link` and waits for the end of the answer, however it ends.
    pub(crate) async fn exchange(&self, timer: &Timer, link: &mut Link, order: Order) -> Sample {
        let Order { endpoint, scheduled_at, chain_due_at, .. } = order;
        let released_at = timer.now_ns();
        let result = match self.request(order) {
            Ok(Some(request)) => {
                let give_up_at = released_at.saturating_add(self.timeout_ns);
                timer.limit(give_up_at, link.send(request)).await
            }
            // A route edited by hand may hold what no request line can, and a feed what no header can.
            Ok(None) | Err(_) => Some(Err(Failure::Broken)),
        };
        let completed_at = timer.now_ns();
        let outcome = match result {
            Some(Ok(Answer { status, body_bytes })) => Outcome::Completed { status, body_bytes },
            Some(Err(failure)) => Outcome::Failed(failure),
            None => Outcome::TimedOut,
        };
        if !matches!(outcome, Outcome::Completed { .. }) {
            // What is still to come belongs to a request that nobody waits for any more.
            link.close();
        }
        let (sent_at, connecting) = (link.sent_at(), link.connecting(completed_at));
        let first_byte_at = link.first_byte_at();
        Sample {
            endpoint,
            scheduled_at,
            chain_due_at,
            released_at,
            sent_at,
            connecting,
            first_byte_at,
            completed_at,
            outcome,
        }
    }

    fn request(&self, order: Order) -> Result<Option<Request<Full<Bytes>>>, hyper::http::Error> {
        let uri: Uri = format!("{}{}", self.site.prefix, order.path).parse()?;
        let Some(Carried { headers, body }) = order.carried else { return Ok(None) };
        let mut request = Request::new(Full::new(body));
        *request.headers_mut() = headers;
        *request.method_mut() = order.method;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        headers.insert(HeaderName::from_static(RUN_HEADER), self.run.clone());
        headers.insert(HeaderName::from_static(SESSION_HEADER), order.session);
        Ok(Some(request))
    }
}
