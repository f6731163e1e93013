//! HTTP/1.1 as a client speaks it: bytes of a request out, bytes of an answer in. Pure: no socket, no clock.
//!
//! Our own rather than a library's, because here time is measured and here a core's time goes: a request is put
//! together in one piece and written at once, and of an answer only what the run needs to know is kept.

pub(crate) mod chunked;
pub(crate) mod cookies;
pub(crate) mod redirect;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod retry_after;

/// Bytes that are no HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;
