//! Inputs: files, directories and standard input in; blocks of whole lines with their positions out.
//!
//! Plain files are read in parallel at block offsets by positional reads into a buffer of each thread. A memory
//! map would save one copy, but it faults the process when a log is truncated under it, counts the whole file
//! into its memory, and needs `unsafe`.
//! Compressed inputs and standard input are one stream, which the threads take blocks from in turn.
//! Formats whose header lines may change in mid-file get those in force with each block.

mod blocks;
mod header;
mod open;

pub(crate) use blocks::{Block, Blocks, Framing};
pub(crate) use header::HeaderLines;
pub(crate) use open::{Compression, Input, open_all};
