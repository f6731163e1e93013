//! HTTP/2 over a wire: all requests of a session at once, if need be.

use std::future::Future;
use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::header::{DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER, SET_COOKIE};
use hyper_util::rt::TokioIo;

use super::stamps::Stamps;
use super::wire::Wire;
use crate::grpc::frame::Reading;
use crate::http::response::{Head, Kept};
use crate::http::retry_after::RetryAfter;

/// The sending end of a connection; clones share it.
pub(crate) type Sender = SendRequest<Full<Bytes>>;

/// A request as HTTP/2 has it.
pub(crate) type Request = hyper::Request<Full<Bytes>>;

/// What is wanted of an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// To be kept in full.
    pub(crate) keeps: bool,
    /// To say how a call of gRPC went.
    pub(crate) is_call: bool,
}

/// Tasks of a connection run on the event loop that opened it.
#[derive(Debug, Clone, Copy)]
struct Here;

impl<F: Future + 'static> hyper::rt::Executor<F> for Here {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(async move { drop(task.await) });
    }
}

/// Speaks HTTP/2 over `wire` from now on. The connection ends with the last of its senders.
pub(crate) async fn begin(wire: Wire) -> io::Result<Sender> {
    let (sender, connection) =
        Builder::new(Here).handshake(TokioIo::new(wire)).await.map_err(io::Error::other)?;
    // That it broke, its requests tell.
    tokio::task::spawn_local(async move { drop(connection.await) });
    Ok(sender)
}

/// Sends `request` and reads the answer to its end. On failure, the reason, and the request if not a byte was sent.
///
/// Here a request counts as sent when it is handed over: the connection, which other requests share, writes it in its
/// next turn on this event loop.
pub(crate) async fn exchange(
    sender: &mut Sender,
    request: Request,
    wanted: Wanted,
    stamps: &Stamps,
) -> Result<(Head, u64), (io::Error, Option<Request>)> {
    let broken = |error: hyper::Error| (io::Error::other(error), None);
    if let Err(error) = sender.ready().await {
        return Err((io::Error::other(error), Some(request)));
    }
    stamps.writing();
    let response = match sender.try_send_request(request).await {
        Ok(response) => response,
        Err(mut error) => {
            let unsent = error.take_message();
            return Err((io::Error::other(error.into_error()), unsent));
        }
    };
    stamps.read();
    let mut head = Head { status: response.status().as_u16(), keeps_alive: true, ..Head::default() };
    remember(&mut head, response.headers());
    let mut call = wanted.is_call.then(Reading::default);
    call.iter_mut().for_each(|call| call.headers(response.headers()));
    head.kept =
        wanted.keeps.then(|| Box::new(Kept { headers: response.headers().clone(), body: Vec::new() }));
    let (mut body, mut body_bytes) = (response.into_body(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(broken)?;
        let data = frame.data_ref().map_or(&[][..], |data| &data[..]);
        body_bytes += data.len() as u64;
        head.kept.iter_mut().for_each(|kept| kept.body.extend_from_slice(data));
        if let Some(call) = &mut call {
            call.body(data);
            frame.trailers_ref().into_iter().for_each(|trailers| call.headers(trailers));
        }
    }
    if let Some(call) = call {
        let malformed = |_| (io::ErrorKind::InvalidData.into(), None);
        head.grpc = call.finish(head.status).map_err(malformed)?;
    }
    Ok((head, body_bytes))
}

fn remember(head: &mut Head, headers: &HeaderMap) {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    head.retry_after = text(RETRY_AFTER).and_then(|value| RetryAfter::of(head.status, value, text(DATE)));
    head.location = text(LOCATION).map(Into::into);
    let cookies = headers.get_all(SET_COOKIE).iter();
    head.set_cookies = cookies.filter_map(|value| value.to_str().ok()).map(Into::into).collect();
}
