//! Inputs: files, directories, patterns, standard input and objects in; blocks of whole lines with their positions
//! out.
//!
//! ```text
//! locate → open (decompress, unpack) → look at the head → wait → open again → blocks
//! ```
//!
//! Plain files are read in parallel at block offsets by positional reads into a buffer of each thread. A memory
//! map would save one copy, but it faults the process when a log is truncated under it, counts the whole file
//! into its memory, and needs `unsafe`.
//! Everything else is a stream, which one thread at a time decodes for the others. So are inputs whose header lines may
//! change in mid-file, because each block comes with those in force.
//!
//! | module | answers |
//! |---|---|
//! | [`locate`] | which inputs a command names |
//! | [`open`] | what is at a place, without its layers |
//! | [`compression`] | how to decompress a stream |
//! | [`unpack`] | where the lines are in documents of shippers |
//! | `store` | what is in an object store; behind the feature `object-store` |
//! | [`blocks`] | which lines a thread reads next |
//! | [`stream`] | the same, where only one thread can decode |
//! | [`header`] | which header lines are in force |
//! | [`queue`] | whose turn it is |
//! | [`flaw`] | what is wrong with the bytes |

mod blocks;
mod compression;
mod flaw;
mod header;
mod locate;
mod open;
mod queue;
#[cfg(feature = "object-store")]
mod store;
mod stream;
mod unpack;

pub(crate) use blocks::{Block, Blocks, Framing};
pub(crate) use compression::archive;
pub(crate) use flaw::Ending;
pub(crate) use header::HeaderLines;
pub(crate) use locate::{Located, locate};
pub use locate::{PassedOver, Why};
pub(crate) use open::{Input, Limits, Waiting};
pub(crate) use queue::Queue;
