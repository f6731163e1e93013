//! What can be wrong with the bytes of an input, in words for people.
//!
//! A reader that meets a flaw gives everything before it and then this, as an [`io::Error`]: whoever reads the
//! stream learns of it there, however many readers lie between.

use std::io;

/// What is wrong with the bytes of an input.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Flaw {
    #[error("the {0} stream is cut off")]
    Cut(&'static str),
    #[error("the {0} data is corrupt ({1})")]
    Corrupt(&'static str, String),
    #[error("it decompresses to more than {0} times its size (--max-ratio allows more)")]
    Ratio(u64),
    #[error("the file shrank from {from} to {to} bytes while it was read")]
    Shrunk { from: u64, to: u64 },
    #[error("another file took its place while the inputs were read")]
    Replaced,
    /// The stream before it is whole.
    #[error("{bytes} bytes after the end of the {stream} stream were passed over: {what}")]
    Trailing { stream: &'static str, bytes: u64, what: &'static str },
}

impl From<Flaw> for io::Error {
    fn from(flaw: Flaw) -> Self {
        Self::other(flaw)
    }
}

/// How an input ended, where that is worth a word.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ending {
    /// Why the input ended before its end.
    pub(crate) damage: Option<String>,
    /// What was odd, although nothing is lost.
    pub(crate) oddity: Option<String>,
}

impl Ending {
    /// Keeps the first thing of each kind.
    pub(crate) fn add(&mut self, error: &io::Error) {
        let flaw = error.get_ref().and_then(|inner| inner.downcast_ref::<Flaw>());
        let place = match flaw {
            Some(Flaw::Trailing { .. }) => &mut self.oddity,
            _ => &mut self.damage,
        };
        place.get_or_insert_with(|| error.to_string());
    }
}
