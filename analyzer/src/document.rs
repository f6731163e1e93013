//! Inputs that are read as a whole, because a request is more than a line of them.

use crate::apm::Export;
use crate::recording::{goreplay, har};
use crate::reject::Reject;
use crate::request::Request;

/// A kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// A session that a browser recorded.
    Har,
    /// Traffic that GoReplay recorded.
    GoReplay,
    /// Spans and transactions of application performance monitoring.
    Apm(Export),
}

/// Takes one record of a document: a request, or why it is none.
pub type Sink<'s> = dyn FnMut(Result<Request<'_>, Reject>) + 's;

impl Document {
    /// All kinds, the more specific first.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Har, Self::GoReplay].into_iter().chain(Export::all().map(Self::Apm))
    }

    /// The name shown to people, such as `jaeger:json`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Har => "browser:har",
            Self::GoReplay => "goreplay:gor",
            Self::Apm(export) => export.label(),
        }
    }

    /// What a request is called in it, as in "found no …".
    pub(crate) fn request_name(self) -> &'static str {
        match self {
            Self::Har | Self::GoReplay => "request",
            Self::Apm(export) => export.request_name(),
        }
    }

    /// How sure the first bytes make that an input is of this kind, 0..=1.
    pub fn recognise(self, head: &[u8]) -> f64 {
        match self {
            Self::Har => har::recognise(head),
            Self::GoReplay => goreplay::recognise(head),
            Self::Apm(export) => export.recognise(head),
        }
    }

    /// Gives every record of `bytes` to `sink`, in their order.
    ///
    /// # Errors
    /// Why the document cannot be read further, in a sentence without a word of its text. What came before the
    /// fault has been given.
    pub fn read(self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), String> {
        match self {
            Self::Har => har::read(bytes, sink),
            Self::GoReplay => goreplay::read(bytes, sink),
            Self::Apm(export) => export.read(bytes, sink),
        }
    }
}
