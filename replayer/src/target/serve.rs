//! The target's event loop: accepts connections, answers requests, notes them in the log.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{HeaderName, REFERER, USER_AGENT};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::access_log::{Entry, Lines};
use super::answer::Answers;
use crate::clock::Clock;
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
        let accept = async {
            loop {
                match listener.accept().await {
                    Ok((stream, client)) => {
                        let (service, timer) = (Rc::clone(&service), Rc::clone(&timer));
                        tokio::task::spawn_local(service.connection(stream, client, timer));
                    }
                    Err(_) => timer.rest_until(timer.now_ns() + ACCEPT_PAUSE_NS).await,
                }
            }
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
        let answer = service_fn(|request| {
            let (service, timer) = (Rc::clone(&self), Rc::clone(&timer));
            async move { Ok::<_, Infallible>(service.answer(request, client.ip(), &timer).await) }
        });
        // A connection that breaks is the client's affair; what was answered on it is in the log.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
    }

    async fn answer(&self, request: Request<Incoming>, client: IpAddr, timer: &Timer) -> Response<Filler> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let received_ns = timer.now_ns();
        let mut note = Note::new(self.lines.clone(), timer.clock(), received_ns, client, &request);
        let answer = self.answers.to(number, request.method().as_str(), request.uri().path());
        timer.rest_until(received_ns + answer.takes_ns).await;
        let bytes = if request.method() == Method::HEAD { 0 } else { answer.body_bytes };
        note.answered(answer.status.as_u16(), bytes as u64);
        let mut response = Response::new(Filler { left: bytes, _note: note });
        *response.status_mut() = answer.status;
        response
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

/// A body of nothing but blanks.
#[derive(Debug)]
struct Filler {
    left: usize,
    _note: Note,
}

/// Blanks, to be sent over and over.
static BLANKS: [u8; 16 * 1024] = [b' '; 16 * 1024];

impl Body for Filler {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.left.min(BLANKS.len());
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
