//! Inputs that are read as a whole, because a request is more than a line of them.

use crate::reject::Reject;
use crate::request::Request;

/// A kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {}

/// Takes one record of a document: a request, or why it is none.
pub(crate) type Sink<'s> = dyn FnMut(Result<Request<'_>, Reject>) + 's;

impl Document {
    /// All kinds, the more specific first.
    pub(crate) const ALL: [Self; 0] = [];

    /// The name shown to people, such as `jaeger:json`.
    pub(crate) fn label(self) -> &'static str {
        match self {}
    }

    /// How sure the first bytes make that an input is of this kind, 0..=1.
    pub(crate) fn recognise(self, _head: &[u8]) -> f64 {
        match self {}
    }

    /// Gives every record of `bytes` to `sink`, in their order.
    ///
    /// # Errors
    /// Why the document cannot be read further, in a sentence without a word of its text. What came before the
    /// fault has been given.
    pub(crate) fn read(self, _bytes: &[u8], _sink: &mut Sink<'_>) -> Result<(), String> {
        match self {}
    }
}
