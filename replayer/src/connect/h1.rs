//! HTTP/1.1 over a wire: one request and its answer.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};

use hyper::Method;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::stamps::Stamps;
use super::wire::Wire;
use crate::http::Malformed;
use crate::http::response::{Head, Reading};

/// Where the connections of one event loop read to: what an answer says is looked at and forgotten at once, so that
/// a hundred thousand of them need no more room than one.
#[derive(Debug)]
pub(crate) struct Scratch(RefCell<Box<[u8]>>);

impl Default for Scratch {
    fn default() -> Self {
        Self(RefCell::new(vec![0; Self::BYTES].into_boxed_slice()))
    }
}

impl Scratch {
    /// Most answers come in one piece.
    const BYTES: usize = 64 * 1024;
}

/// Writes `request`. On failure, the reason and whether any byte of it had been written.
pub(crate) async fn write(wire: &mut Wire, request: &[u8], stamps: &Stamps) -> Result<(), (io::Error, bool)> {
    let mut left = request;
    stamps.writing();
    while !left.is_empty() {
        let begun = left.len() < request.len();
        match poll_fn(|context| Pin::new(&mut *wire).poll_write(context, left)).await {
            Ok(0) => return Err((io::ErrorKind::WriteZero.into(), begun)),
            Ok(written) => left = &left[written..],
            Err(error) => return Err((error, begun)),
        }
    }
    // Only encryption holds anything back.
    poll_fn(|context| Pin::new(&mut *wire).poll_flush(context)).await.map_err(|error| (error, true))
}

/// Reads the answer to a request with this method: its head, and how many bytes its body had. It can be kept in full.
///
/// # Errors
/// The system's, `UnexpectedEof` when the connection ends before the answer, `InvalidData` when that is no HTTP.
pub(crate) async fn read(
    wire: &mut Wire,
    (method, keeps): (&Method, bool),
    scratch: &Scratch,
    stamps: &Stamps,
) -> io::Result<(Head, u64)> {
    let mut reading = Reading::new(method, keeps);
    poll_fn(|context| {
        let mut scratch = scratch.0.borrow_mut();
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut *wire).poll_read(context, &mut buffer))?;
            let bytes = buffer.filled();
            if bytes.is_empty() {
                let end: io::Result<()> =
                    if reading.closed() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
                return Poll::Ready(end);
            }
            stamps.read();
            match reading.take(bytes) {
                Ok(true) => return Poll::Ready(Ok(())),
                Ok(false) => {}
                Err(Malformed) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            }
        }
    })
    .await?;
    Ok(reading.finish())
}
