//! The connection of one session: opened when it is first needed, kept until the session ends.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper::header::RETRY_AFTER;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::clock::{Clock, SECOND_NS};
use crate::record::{Failure, Stamps};

/// The connection of one session, open or not.
#[derive(Debug)]
pub(crate) struct Link {
    address: SocketAddr,
    clock: Clock,
    open: Option<Open>,
    stamps: Rc<Stamps>,
    /// When opening began and when it was done, if the present request had to wait for it.
    opening: Option<(u64, Option<u64>)>,
    first_byte_at: Option<u64>,
    retry_after_ns: Option<u64>,
    /// Whether to keep the next answer, and the one that was kept.
    keeps: bool,
    kept: Option<Kept>,
}

/// An answer in full.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// An open connection. It is driven by whoever uses it, not by a task of its own: that saves two changes of tasks per
/// request, and with them their place in the queue, exactly where time is measured.
#[derive(Debug)]
struct Open {
    sender: SendRequest<Full<Bytes>>,
    driver: Driver,
}

/// An answer, read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body_bytes: u64,
}

impl Link {
    /// A connection to `address`, not open yet.
    pub(crate) fn new(address: SocketAddr, clock: Clock) -> Self {
        Self {
            address,
            clock,
            open: None,
            stamps: Rc::new(Stamps::new(clock)),
            opening: None,
            first_byte_at: None,
            retry_after_ns: None,
            keeps: false,
            kept: None,
        }
    }

    /// Sends `request` and reads the answer, over a new connection if there is none or the target has closed it.
    ///
    /// A request is sent again only if not one byte of it had been written: then nobody can have acted on it.
    pub(crate) async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        self.stamps.clear();
        self.opening = None;
        self.first_byte_at = None;
        self.retry_after_ns = None;
        loop {
            let fresh = self.make_ready().await.map_err(|_| Failure::Connect)?;
            let Open { sender, driver } = self.open.as_mut().ok_or(Failure::Connect)?;
            let reply = sender.try_send_request(request);
            match driver.beside(reply).await {
                Ok(response) => {
                    self.first_byte_at = Some(self.clock.now_ns());
                    self.retry_after_ns = retry_after_ns(response.status(), response.headers());
                    let mut kept = std::mem::take(&mut self.keeps)
                        .then(|| Kept { headers: response.headers().clone(), body: Vec::new() });
                    let answer = driver.read(response, kept.as_mut()).await;
                    self.kept = kept;
                    return answer.map_err(|_| Failure::Broken);
                }
                Err(mut error) => {
                    let unsent = error.take_message().filter(|_| !fresh && self.stamps.sent_at().is_none());
                    self.close();
                    request = unsent.ok_or(Failure::Broken)?;
                }
            }
        }
    }

    /// Ends the connection; the next request opens another.
    pub(crate) fn close(&mut self) {
        self.open = None;
    }

    /// Keeps the next answer in full.
    pub(crate) fn keep_next(&mut self) {
        (self.keeps, self.kept) = (true, None);
    }

    /// The answer that was kept.
    pub(crate) fn take_kept(&mut self) -> Option<Kept> {
        self.kept.take()
    }

    /// How long the last answer asked to wait before the next request.
    pub(crate) fn retry_after_ns(&self) -> Option<u64> {
        self.retry_after_ns
    }

    /// When the first byte of the last request was written.
    pub(crate) fn sent_at(&self) -> Option<u64> {
        self.stamps.sent_at()
    }

    /// When the head of the last answer had been read.
    pub(crate) fn first_byte_at(&self) -> Option<u64> {
        self.first_byte_at
    }

    /// How long the last request waited for a connection, which may still not be open at `now`.
    pub(crate) fn connecting(&self, now: u64) -> Option<u64> {
        self.opening.map(|(from, to)| to.unwrap_or(now).saturating_sub(from))
    }

    /// Sees to it that a request can be sent; says whether that took a new connection.
    async fn make_ready(&mut self) -> io::Result<bool> {
        if let Some(Open { sender, driver }) = &mut self.open {
            // Driving it also notices if the target has closed it during the pause.
            if driver.beside(sender.ready()).await.is_ok() {
                return Ok(false);
            }
            self.close();
        }
        let from = self.clock.now_ns();
        self.opening = Some((from, None));
        let stream = TcpStream::connect(self.address).await?;
        // A request is one write; waiting for more to send with it would only make it late.
        stream.set_nodelay(true)?;
        let wire = Wire { stream: TokioIo::new(stream), stamps: Rc::clone(&self.stamps) };
        let (sender, connection) = http1::handshake(wire).await.map_err(io::Error::other)?;
        self.opening = Some((from, Some(self.clock.now_ns())));
        self.open = Some(Open { sender, driver: Driver { connection: Some(connection) } });
        Ok(true)
    }
}

/// Moves bytes between a socket and hyper's two ends of a connection, while somebody waits for them.
#[derive(Debug)]
struct Driver {
    /// Gone when it has ended: only that tells whoever still waits for an answer on it.
    connection: Option<Connection<Wire, Full<Bytes>>>,
}

impl Driver {
    /// Drives the connection until `work` ends.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            if self
                .connection
                .as_mut()
                .is_some_and(|connection| Pin::new(connection).poll(context).is_ready())
            {
                self.connection = None;
            }
            work.as_mut().poll(context)
        })
        .await
    }

    /// Reads `response` to its end, into `kept` as well if that is wanted.
    async fn read(
        &mut self,
        response: hyper::Response<hyper::body::Incoming>,
        mut kept: Option<&mut Kept>,
    ) -> hyper::Result<Answer> {
        let status = response.status().as_u16();
        let mut body = response.into_body();
        let mut body_bytes = 0;
        while let Some(frame) = self.beside(body.frame()).await {
            let frame = frame?;
            let data = frame.data_ref().map_or(&[][..], |data| &data[..]);
            body_bytes += data.len() as u64;
            if let Some(kept) = &mut kept {
                kept.body.extend_from_slice(data);
            }
        }
        Ok(Answer { status, body_bytes })
    }
}

/// How long an answer asks to wait: `Retry-After` in seconds on 429 and 503 (RFC 9110, 10.2.3), at most an hour. The
/// other form, a date, is rare and needs the target's clock; it asks for nothing here.
fn retry_after_ns(status: StatusCode, headers: &HeaderMap) -> Option<u64> {
    const LONGEST_S: u64 = 3600;
    if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(seconds.min(LONGEST_S) * SECOND_NS)
}

/// A socket that notes when the first byte of a request is written: later than hyper is told to, and what counts.
#[derive(Debug)]
struct Wire {
    stream: TokioIo<TcpStream>,
    stamps: Rc<Stamps>,
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stamps.writing();
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overloaded_targets_say_how_long_to_wait() {
        let asks = |status: u16, value: &str| {
            let headers = [(RETRY_AFTER, value.parse().unwrap())].into_iter().collect();
            retry_after_ns(StatusCode::from_u16(status).unwrap(), &headers)
        };
        assert_eq!(asks(429, "2"), Some(2 * SECOND_NS));
        assert_eq!(asks(503, " 0 "), Some(0));
        assert_eq!(asks(503, "99999999999"), Some(3600 * SECOND_NS));
        assert_eq!(asks(200, "2"), None);
        assert_eq!(asks(503, "Fri, 31 Dec 1999 23:59:59 GMT"), None);
        assert_eq!(retry_after_ns(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new()), None);
    }
}
