//! The connection of one session: opened when it is first needed, kept until the session ends.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::clock::Clock;
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
}

/// An open connection. It is driven by whoever uses it, not by a task of its own: that saves two changes of tasks per
/// request, and with them their place in the queue, exactly where time is measured.
#[derive(Debug)]
struct Open {
    sender: SendRequest<Empty<Bytes>>,
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
        }
    }

    /// Sends `request` and reads the answer, over a new connection if there is none or the target has closed it.
    ///
    /// A request is sent again only if not one byte of it had been written: then nobody can have acted on it.
    pub(crate) async fn send(&mut self, mut request: Request<Empty<Bytes>>) -> Result<Answer, Failure> {
        self.stamps.clear();
        self.opening = None;
        self.first_byte_at = None;
        loop {
            let fresh = self.make_ready().await.map_err(|error| Failure::of_connecting(&error))?;
            let Open { sender, driver } = self.open.as_mut().ok_or(Failure::Connect)?;
            let reply = sender.try_send_request(request);
            match driver.beside(reply).await {
                Ok(response) => {
                    self.first_byte_at = Some(self.clock.now_ns());
                    return driver.read(response).await.map_err(|error| Failure::of_exchange(&error));
                }
                Err(mut error) => {
                    let unsent = error.take_message().filter(|_| !fresh && self.stamps.sent_at().is_none());
                    self.close();
                    request = unsent.ok_or_else(|| Failure::of_exchange(error.error()))?;
                }
            }
        }
    }

    /// Ends the connection; the next request opens another.
    pub(crate) fn close(&mut self) {
        self.open = None;
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
    connection: Option<Connection<Wire, Empty<Bytes>>>,
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

    /// Reads `response` to its end.
    async fn read(&mut self, response: hyper::Response<hyper::body::Incoming>) -> hyper::Result<Answer> {
        let status = response.status().as_u16();
        let mut body = response.into_body();
        let mut body_bytes = 0;
        while let Some(frame) = self.beside(body.frame()).await {
            body_bytes += frame?.data_ref().map_or(0, |data| data.len() as u64);
        }
        Ok(Answer { status, body_bytes })
    }
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
