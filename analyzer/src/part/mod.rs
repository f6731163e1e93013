//! Parts of a log, counted on several machines or at several times, and put together exactly.
//!
//! A part is what was read, before anything is concluded from it: counts, resources, and the events of its clients.
//! Routes, sessions, classes and laws are functions of all parts together, so nothing of them can be in one: a
//! session may go on in the next part, and which segment of a path is a parameter only shows in all of them. What is
//! concluded from parts is therefore what would have been concluded in one run, byte for byte.
//!
//! A part holds pseudonyms under the key of `--key-file`. It is material to work with, readable by its owner alone;
//! only the profile made of all parts is meant to be handed on.
//!
//! ```text
//! magic, version │ length, header (JSON: integers and names) │ zstd: events by partition and input │ SHA-256
//! ```

mod header;
mod read;
mod write;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub(crate) use self::read::merge;
pub(crate) use self::write::write;

use crate::store::PARTITIONS;

/// What every part begins with.
const MAGIC: &[u8; 8] = b"LOADPART";
/// Changes with every change of the format.
const VERSION: u32 = 3;

/// Which clients a part has: those of shard `number` of `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// From 1.
    number: u32,
    of: u32,
}

impl Shard {
    /// All clients.
    pub const ALL: Self = Self { number: 1, of: 1 };

    /// Whether the clients of a partition are of this shard.
    pub(crate) fn holds(self, partition: usize) -> bool {
        partition as u32 % self.of == self.number - 1
    }

    /// Counts of lines, of all clients, go with the first shard.
    fn is_first(self) -> bool {
        self.number == 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(k, of)| Some((k.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) && of as usize <= PARTITIONS => {
                Ok(Self { number, of })
            }
            _ => Err(format!(
                "found `{text}`, expected the shard and their number, such as 2/8, up to {PARTITIONS}"
            )),
        }
    }
}

/// Why a part cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// It cannot be read.
    #[error("cannot read `{path}`", path = path.display())]
    Read {
        /// The part.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// It is something else, or not whole.
    #[error("cannot use `{path}`\n  found: {found}\n  expected: a part as `analyzer tally` writes it\n  hint: {hint}", path = path.display())]
    Damaged {
        /// The part.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
        /// What to do.
        hint: &'static str,
    },
    /// Parts that do not belong together.
    #[error("`{path}` does not go with `{other}`\n  found: {found}\n  expected: {expected}\n  hint: {hint}", path = path.display(), other = other.display())]
    Unlike {
        /// The part.
        path: PathBuf,
        /// The first part.
        other: PathBuf,
        /// What differs.
        found: String,
        /// What the other has.
        expected: String,
        /// What to do.
        hint: &'static str,
    },
    /// Another threshold than the one that clients were counted up to.
    #[error("--k {k}: `{path}` was counted with --k {found}\n  expected: the same\n  hint: say --k {found} here, or make the parts again with --k {k}", path = path.display())]
    Threshold {
        /// The part.
        path: PathBuf,
        /// The threshold it was made with.
        found: u64,
        /// The threshold asked for.
        k: u64,
    },
    /// A set of shards with a hole in it.
    #[error(
        "of {of} shards, number {number} is there {found} times\n  expected: each shard as often as the first, which is there {expected} times\n  hint: `analyzer tally --shard {number}/{of}` makes it"
    )]
    Shards {
        /// The shard.
        number: u32,
        /// Of how many.
        of: u32,
        /// How often it is there.
        found: usize,
        /// How often the first is.
        expected: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_read_and_refused() {
        assert_eq!("2/8".parse::<Shard>().unwrap().to_string(), "2/8");
        for text in ["0/8", "9/8", "1/0", "1/257", "1", "a/b", "-1/2", ""] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_partition_is_in_one_shard() {
        for of in [1, 2, 7, 64, 256] {
            let shards = || (1..=of).map(|number| Shard { number, of });
            let holding = |partition| shards().filter(|shard| shard.holds(partition)).count();
            assert!((0..PARTITIONS).all(|partition| holding(partition) == 1), "{of}");
        }
    }
}
