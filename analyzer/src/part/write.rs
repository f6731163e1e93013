//! Writing a part.

use std::io::{self, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::header::Header;
use super::{MAGIC, Shard, VERSION};
use crate::error::Error;
use crate::privacy::pseudonym::Key;
use crate::read::Reading;
use crate::settings::ReadSettings;
use crate::store::PARTITIONS;

/// Fast, and events of one partition lie close to each other.
const LEVEL: i32 = 3;

/// Writes what was read of the clients of `shard` to `path`, for its owner alone.
///
/// # Errors
/// [`Error::Spill`] when events cannot be read back, [`shared::Error::Io`] when the file cannot be written.
pub(crate) fn write(
    path: &Path,
    reading: &Reading,
    settings: &ReadSettings,
    key: &Key,
    shard: Shard,
) -> Result<(), Error> {
    let header = Header::of(reading, settings, key.fingerprint(), shard);
    let written = shared::io::replace_private(path, |file| {
        let mut out = Summed { file, sum: Sha256::new() };
        let header = serde_json::to_vec(&header).map_err(io::Error::other)?;
        out.write_all(MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        let mut packed = zstd::Encoder::new(&mut out, LEVEL)?;
        for partition in (0..PARTITIONS).filter(|partition| shard.holds(*partition)) {
            let pieces = reading.pieces(partition)?;
            packed.write_all(&(pieces.len() as u32).to_le_bytes())?;
            for (input, events) in pieces {
                packed.write_all(&(input as u32).to_le_bytes())?;
                packed.write_all(&(events.len() as u64).to_le_bytes())?;
                for event in events {
                    packed.write_all(&event.to_bytes())?;
                }
            }
        }
        packed.finish()?;
        let Summed { file, sum } = out;
        file.write_all(&sum.finalize())
    });
    let error = |source| shared::Error::Io { action: "write", path: path.to_owned(), source };
    Ok(written.map_err(error)?)
}

/// Writes on, and sums up what was written.
struct Summed<'f> {
    file: &'f mut dyn Write,
    sum: Sha256,
}

impl Write for Summed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
