//! The connections of one session: opened when they are needed, kept while they are used, gone with the session.

mod destination;
mod h1;
mod h2;
pub(crate) mod settings;
mod stamps;
pub(crate) mod tls;
mod way;
mod wire;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use hyper::Method;

pub(crate) use destination::{Destination, Site};
pub(crate) use h1::Scratch;
pub(crate) use h2::{Request as Request2, Wanted};
pub(crate) use stamps::Stamps;
pub(crate) use way::Way;

use crate::http::response::Head;
use crate::record::Failure;
use h2::Sender;
use wire::Wire;

/// What all connections of one event loop share.
#[derive(Debug)]
pub(crate) struct Station {
    pub(crate) way: Arc<Way>,
    pub(crate) scratch: Scratch,
}

/// The connections of one session.
#[derive(Debug)]
pub(crate) struct Lanes {
    station: Rc<Station>,
    /// Those that nobody uses, the last one that was used at the end.
    idle: RefCell<Vec<Wire>>,
    /// The one that all use, in HTTP/2.
    shared: RefCell<Option<Sender>>,
}

impl Lanes {
    /// No connection yet.
    pub(crate) fn new(station: Rc<Station>) -> Self {
        Self { station, idle: RefCell::default(), shared: RefCell::default() }
    }

    /// Whether requests are to be made for HTTP/2.
    pub(crate) fn are_http2(&self) -> bool {
        self.station.way.http2
    }

    /// Ends all connections that nobody uses; the next request opens another.
    pub(crate) fn close(&self) {
        self.idle.borrow_mut().clear();
        self.shared.borrow_mut().take();
    }

    /// Sends `bytes`, a request with this method, and reads the answer: its head, and how many bytes its body had.
    ///
    /// A request is sent again, over another connection, only if not one byte of it had been written on one that was
    /// used before: then nobody can have acted on it. A connection on which anything went wrong is closed, as it is
    /// when nobody waits for the answer any more.
    pub(crate) async fn exchange(
        &self,
        (method, keeps): (&Method, bool),
        bytes: &[u8],
        stamps: &Stamps,
    ) -> Result<(Head, u64), Failure> {
        loop {
            let used = self.take();
            let fresh = used.is_none();
            let mut wire = match used {
                Some(wire) => wire,
                None => {
                    stamps.wait();
                    self.station.way.open().await.map_err(|error| Failure::of_connecting(&error))?
                }
            };
            stamps.connected();
            match h1::write(&mut wire, bytes, stamps).await {
                Ok(()) => {}
                Err((_, false)) if !fresh => {
                    stamps.unsent();
                    continue;
                }
                Err((error, _)) => return Err(Failure::of_exchange(&error)),
            }
            let answer = h1::read(&mut wire, (method, keeps), &self.station.scratch, stamps).await;
            let (head, body_bytes) = answer.map_err(|error| Failure::of_exchange(&error))?;
            if head.keeps_alive {
                self.idle.borrow_mut().push(wire);
            }
            return Ok((head, body_bytes));
        }
    }

    /// The same over HTTP/2, where a request that nobody waits for any more is given up alone.
    pub(crate) async fn exchange2(
        &self,
        mut request: Request2,
        wanted: Wanted,
        stamps: &Stamps,
    ) -> Result<(Head, u64), Failure> {
        loop {
            let used = self.shared.borrow().clone().filter(|sender| !sender.is_closed());
            let fresh = used.is_none();
            let mut sender = match used {
                Some(sender) => sender,
                None => {
                    stamps.wait();
                    let wire =
                        self.station.way.open().await.map_err(|error| Failure::of_connecting(&error))?;
                    let sender = h2::begin(wire).await.map_err(|error| Failure::of_exchange(&error))?;
                    self.shared.replace(Some(sender.clone()));
                    sender
                }
            };
            stamps.connected();
            match h2::exchange(&mut sender, request, wanted, stamps).await {
                Ok(answer) => return Ok(answer),
                Err((_, Some(unsent))) if !fresh => {
                    stamps.unsent();
                    self.shared.take();
                    request = unsent;
                }
                Err((error, _)) => {
                    self.shared.take();
                    return Err(Failure::of_exchange(&error));
                }
            }
        }
    }

    /// The connection used last that is still good.
    fn take(&self) -> Option<Wire> {
        let mut idle = self.idle.borrow_mut();
        while let Some(mut wire) = idle.pop() {
            if !wire.is_over() {
                return Some(wire);
            }
        }
        None
    }
}
