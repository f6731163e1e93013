//! Unary calls of gRPC over HTTP/2 (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md): one message there, one back, and after it
//! a status.
//!
//! What a profile's calls mean is found out once, before the run; per call, JSON becomes protobuf.
//!
//! | module | answers |
//! |---|---|
//! | [`frame`] | what of a call and its answer goes over the wire besides the messages |
//! | `method` | which method a call means, and its messages; behind the cargo feature `grpc` |
//! | `absent` | what is said instead, where the feature is off |

#[cfg(not(feature = "grpc"))]
mod absent;
pub(crate) mod frame;
#[cfg(feature = "grpc")]
mod method;

use shared::Profile;

#[cfg(not(feature = "grpc"))]
use absent::Library;
#[cfg(not(feature = "grpc"))]
pub(crate) use absent::Method;
#[cfg(feature = "grpc")]
use method::Library;
#[cfg(feature = "grpc")]
pub(crate) use method::Method;

use crate::config::Settings;
use crate::error::Error;

/// Why a text is not the message that it should be, without a word of any value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The line of the text, where it is one.
    pub(crate) line: Option<usize>,
    pub(crate) found: String,
}

/// The methods that the endpoints of `profile` call, in their order; none where an endpoint is asked otherwise.
///
/// # Errors
/// [`Error::Http2Needed`], [`Error::Read`] and [`Error::Proto`] for the file that describes the service, [`Error::Grpc`] for
/// a call that it does not describe, or one that is not unary.
pub(crate) fn methods(profile: &Profile, settings: &Settings) -> Result<Vec<Option<Method>>, Error> {
    let mut library = Library::new(&settings.profile_directory);
    let method = |(at, endpoint): (usize, &shared::endpoint::Endpoint)| {
        let Some(call) = endpoint.request.as_ref().and_then(|request| request.grpc.as_ref()) else {
            return Ok(None);
        };
        let place = format!("/endpoints/{at}/request/grpc");
        if !settings.wire.http2 {
            return Err(Error::Http2Needed { place });
        }
        library.method(call, &endpoint.route, place).map(Some)
    };
    profile.endpoints.iter().enumerate().map(method).collect()
}
