//! The target's event loop: accepts connections, answers requests, notes them in the log.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONNECTION, HeaderName, HeaderValue, REFERER, USER_AGENT};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::access_log::{Entry, Lines};
use super::answer::Answers;
use super::faults::{FaultKind, Faults};
use crate::clock::{Clock, SECOND_NS, to_ns};
use crate::exchange::SESSION_HEADER;
use crate::timer::Timer;

/// What nginx notes when the client left before the answer.
const CLIENT_LEFT: u16 = 499;

/// How long to wait when no connection can be accepted, as when there are no descriptors left.
const ACCEPT_PAUSE_NS: u64 = 10_000_000;

/// Everything that the connections of one event loop share.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) answers: Arc<Answers>,
    /// Requests so far, over all event loops: their numbers are what answers are drawn by.
    pub(super) requests: Arc<AtomicU64>,
    pub(super) lines: Option<Lines>,
    pub(super) faults: Faults,
    /// Says that nobody listens any more.
    pub(super) gone: watch::Sender<bool>,
}

impl Service {
    /// Serves connections of `listener` until it is `stopped`.
    pub(super) async fn serve(
        self,
        listener: std::net::TcpListener,
        timer: Rc<Timer>,
        mut stopped: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        let service = Rc::new(self);
        let mut gone = service.gone.subscribe();
        let accept = async {
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    _ = gone.wait_for(|gone| *gone) => break,
                };
                match accepted {
                    Ok((stream, client)) => {
                        let (service, timer) = (Rc::clone(&service), Rc::clone(&timer));
                        tokio::task::spawn_local(service.connection(stream, client, timer));
                    }
                    Err(_) => timer.rest_until(timer.now_ns() + ACCEPT_PAUSE_NS).await,
                }
            }
            drop(listener);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = accept => {}
            // That the sender is gone means the same.
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
        Ok(())
    }

    async fn connection(self: Rc<Self>, stream: TcpStream, client: SocketAddr, timer: Rc<Timer>) {
        // Without it an answer may wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        if self.faults.resets() {
            // Whatever closes it then cuts it.
            let _ = stream.set_zero_linger();
        }
        let answer = service_fn(|request| {
            let (service, timer) = (Rc::clone(&self), Rc::clone(&timer));
            async move { service.answer(request, client.ip(), &timer).await }
        });
        // A connection that breaks is the client's affair; what was answered on it is in the log.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        client: IpAddr,
        timer: &Rc<Timer>,
    ) -> Result<Response<Filler>, Cut> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let received_ns = timer.now_ns();
        let mut note = Note::new(self.lines.clone(), timer.clock(), received_ns, client, &request);
        let mut answer = self.answers.to(number, request.method().as_str(), request.uri().path());
        let fault = self.faults.at(number);
        match fault {
            Some(FaultKind::Stall(time)) => answer.takes_ns = answer.takes_ns.saturating_add(to_ns(time)),
            Some(FaultKind::Reset) => return Err(Cut),
            Some(FaultKind::Status(status)) => {
                answer.status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                answer.body_bytes = 0;
            }
            Some(FaultKind::Refuse) => drop(self.gone.send_replace(true)),
            Some(FaultKind::Slow { .. }) | None => {}
        }
        timer.rest_until(received_ns + answer.takes_ns).await;
        let bytes = if request.method() == Method::HEAD { 0 } else { answer.body_bytes };
        note.answered(answer.status.as_u16(), bytes as u64);
        let drip = match fault {
            Some(FaultKind::Slow { bytes_per_s }) => Some(Drip::new(bytes_per_s, Rc::clone(timer))),
            _ => None,
        };
        let mut response = Response::new(Filler { left: bytes, drip, _note: note });
        *response.status_mut() = answer.status;
        if fault == Some(FaultKind::Refuse) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}

/// A line of the log in the making, written when it is dropped: with the body's last byte handed to the socket, or
/// when the client leaves before.
#[derive(Debug)]
struct Note {
    lines: Option<Lines>,
    clock: Clock,
    received_ns: u64,
    entry: Entry,
}

impl Note {
    fn new<B>(
        lines: Option<Lines>,
        clock: Clock,
        received_ns: u64,
        client: IpAddr,
        request: &Request<B>,
    ) -> Self {
        let header = |name| request.headers().get(name).map(|value| value.as_bytes().to_vec());
        let entry = Entry {
            client,
            request: format!("{} {} {:?}", request.method(), request.uri(), request.version()),
            status: CLIENT_LEFT,
            body_bytes: 0,
            referer: header(REFERER),
            agent: header(USER_AGENT),
            session: header(HeaderName::from_static(SESSION_HEADER)),
            took: Duration::ZERO,
            ended: Duration::ZERO,
        };
        Self { lines, clock, received_ns, entry }
    }

    fn answered(&mut self, status: u16, body_bytes: u64) {
        self.entry.status = status;
        self.entry.body_bytes = body_bytes;
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        if let Some(lines) = &self.lines {
            let now_ns = self.clock.now_ns();
            self.entry.took = Duration::from_nanos(now_ns.saturating_sub(self.received_ns));
            self.entry.ended = self.clock.since_epoch(now_ns);
            lines.add(&self.entry);
        }
    }
}

/// A connection is cut on purpose.
#[derive(Debug, thiserror::Error)]
#[error("cut on purpose")]
struct Cut;

/// Holds a body back.
struct Drip {
    bytes: usize,
    timer: Rc<Timer>,
    pause: Pin<Box<dyn Future<Output = ()>>>,
}

impl Drip {
    /// Pauses per second.
    const PER_S: u32 = 10;

    fn new(bytes_per_s: u32, timer: Rc<Timer>) -> Self {
        let bytes = (bytes_per_s / Self::PER_S).max(1) as usize;
        Self { bytes, pause: Self::pause(&timer), timer }
    }

    fn pause(timer: &Rc<Timer>) -> Pin<Box<dyn Future<Output = ()>>> {
        let (timer, until_ns) = (Rc::clone(timer), timer.now_ns() + SECOND_NS / u64::from(Self::PER_S));
        Box::pin(async move { timer.rest_until(until_ns).await })
    }
}

/// A body of nothing but blanks.
struct Filler {
    left: usize,
    drip: Option<Drip>,
    _note: Note,
}

/// Blanks, to be sent over and over.
static BLANKS: [u8; 16 * 1024] = [b' '; 16 * 1024];

impl Body for Filler {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut length = self.left.min(BLANKS.len());
        if let Some(drip) = self.drip.as_mut().filter(|_| length > 0) {
            ready!(drip.pause.as_mut().poll(context));
            drip.pause = Drip::pause(&drip.timer);
            length = length.min(drip.bytes);
        }
        self.left -= length;
        Poll::Ready((length > 0).then(|| Ok(Frame::data(Bytes::from_static(&BLANKS[..length])))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}
