//! The interval log: what happened in each second, on disk as soon as the second is over.
//!
//! ```text
//! file  = "loadprint intervals 2\n" head "\n" { frame }
//! head  = JSON: {"run": name, "shard": number, "shards": number, "sessions": [number, …] or null,
//!                "endpoints": [id, …], "timeout_ns": number}
//! frame = length of the rest in bytes (u32, little-endian), CRC-32 of the rest (the same), loop, second, snapshot
//! ```
//!
//! `sessions` is what the plan has for each shard, so that the logs of some tell what is missing of the others.
//! Statuses of answers are numbers: those of HTTP as they are, those of gRPC with 1000 added.
//! Loop (which event loop it was), second and all of the snapshot are whole numbers in seven bits per byte, the lowest
//! first (LEB128); histograms are lists of the bins that are not empty. All frames added up are exactly what the run counted. A frame is written
//! at once: a process that is killed loses the second it was in, and a torn frame at the end is left out by its length
//! or its checksum.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};

use fs_err::File;
use serde::{Deserialize, Serialize};

use super::Snapshot;
use super::codec::{decode, encode, put, take};
use super::note::Note;
use crate::error::Error;

/// Name of the log in the directory of results.
pub const FILE_NAME: &str = "intervals.bin";

const MAGIC: &str = "loadprint intervals 2\n";

/// A frame longer than this is no frame: 10,000 endpoints do not need as much.
const LONGEST_FRAME: u32 = 1 << 30;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// Which run it is of.
    pub(crate) run: String,
    /// Which part of it, and of how many.
    pub(crate) shard: u64,
    pub(crate) shards: u64,
    /// Sessions that the plan has for each shard; none where it has too many to be counted beforehand.
    pub(crate) sessions: Option<Vec<u64>>,
    pub(crate) endpoints: Vec<String>,
    pub(crate) timeout_ns: u64,
}

/// What became of the log.
#[derive(Debug)]
pub(crate) struct LogOutcome {
    pub(crate) intervals: u64,
    /// Intervals that could not be written, and why the first could not.
    pub(crate) lost: Option<(u64, io::Error)>,
}

/// Writes the log. A full disk loses intervals, not the run.
#[derive(Debug)]
pub(crate) struct Writer {
    file: File,
    head: Head,
    /// Length of what is whole.
    length: u64,
    outcome: LogOutcome,
}

impl Writer {
    /// A new log at `path`, in place of what was there.
    ///
    /// # Errors
    /// [`Error::Write`] when not even the head can be written: better before the run than after it.
    pub(crate) fn create(path: &Path, head: Head) -> Result<Self, Error> {
        let wrong = |source| Error::Write { path: path.to_owned(), source };
        let text = format!("{MAGIC}{}\n", serde_json::to_string(&head).expect("names and a number"));
        let mut file = File::create(path).map_err(wrong)?;
        file.write_all(text.as_bytes()).map_err(wrong)?;
        let outcome = LogOutcome { intervals: 0, lost: None };
        Ok(Self { file, head, length: text.len() as u64, outcome })
    }

    /// Adds what `shard` noted up to `second`; nothing if it noted nothing.
    pub(crate) fn add(&mut self, shard: usize, second: u64, notes: &[Note]) {
        if notes.is_empty() {
            return;
        }
        let mut snapshot = Snapshot::new(self.head.endpoints.len());
        notes.iter().for_each(|note| snapshot.add(note, self.head.timeout_ns));
        let frame = frame(shard, second, &snapshot);
        match self.file.write_all(&frame) {
            Ok(()) => {
                self.length += frame.len() as u64;
                self.outcome.intervals += 1;
            }
            Err(error) => {
                // What was written of the frame would hide all frames after it. If that fails too, so will they.
                let _ = self.file.set_len(self.length).and_then(|()| rewind(&mut self.file, self.length));
                let (lost, first) = self.outcome.lost.take().unwrap_or((0, error));
                self.outcome.lost = Some((lost + 1, first));
            }
        }
    }

    /// What became of it.
    pub(crate) fn finish(self) -> LogOutcome {
        self.outcome
    }
}

fn rewind(file: &mut File, to: u64) -> io::Result<()> {
    io::Seek::seek(file, io::SeekFrom::Start(to)).map(drop)
}

fn frame(shard: usize, second: u64, snapshot: &Snapshot) -> Vec<u8> {
    let mut rest = Vec::new();
    put(&mut rest, shard as u64);
    put(&mut rest, second);
    rest.extend(encode(snapshot));
    let mut frame = (rest.len() as u32).to_le_bytes().to_vec();
    frame.extend(crc32fast::hash(&rest).to_le_bytes());
    frame.extend(rest);
    frame
}

/// A log that is being read, frame by frame, in the order of the file.
#[derive(Debug)]
pub(crate) struct Frames {
    path: PathBuf,
    file: BufReader<File>,
    pub(crate) head: Head,
    /// Bytes at the end that are no whole frame: the second in which the process was killed. Known at the end.
    pub(crate) torn_bytes: u64,
}

impl Frames {
    /// Opens the log at `path`.
    ///
    /// # Errors
    /// [`Error::Read`] when it cannot be read, [`Error::IntervalLog`] when it is none.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let wrong = |source| Error::Read { path: path.to_owned(), source };
        let mut file = BufReader::new(File::open(path).map_err(wrong)?);
        let mut lines = [String::new(), String::new()];
        for line in &mut lines {
            file.read_line(line).map_err(wrong)?;
        }
        let head: Option<Head> = serde_json::from_str(&lines[1]).ok().filter(|_| lines[0] == MAGIC);
        let head = head.ok_or_else(|| Error::IntervalLog { path: path.to_owned() })?;
        Ok(Self { path: path.to_owned(), file, head, torn_bytes: 0 })
    }

    /// The second and the counts of the next frame; none after the last whole one.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Snapshot)>, Error> {
        self.read().map_err(|source| Error::Read { path: self.path.clone(), source })
    }

    fn read(&mut self) -> io::Result<Option<(u64, Snapshot)>> {
        let mut start = [0; 8];
        let read = fill(&mut self.file, &mut start)?;
        let (length, sum) = start.split_at(4);
        let [length, sum] =
            [length, sum].map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        let mut rest = Vec::new();
        if read == start.len() && length <= LONGEST_FRAME {
            (&mut self.file).take(u64::from(length)).read_to_end(&mut rest)?;
            let whole = rest.len() == length as usize && crc32fast::hash(&rest) == sum;
            let found =
                Some(&rest[..]).filter(|_| whole).and_then(|rest| counted(rest, self.head.endpoints.len()));
            if found.is_some() {
                return Ok(found);
            }
        }
        self.torn_bytes += (read + rest.len()) as u64 + remaining(&mut self.file)?;
        Ok(None)
    }
}

fn counted(mut rest: &[u8], endpoints: usize) -> Option<(u64, Snapshot)> {
    let _event_loop = take(&mut rest)?;
    let second = take(&mut rest)?;
    Some((second, decode(rest, endpoints)?))
}

/// Reads until `bytes` are full or the file ends; how many there were.
fn fill(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read(&mut bytes[read..])? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

fn remaining(file: &mut impl Read) -> io::Result<u64> {
    io::copy(file, &mut io::sink())
}

/// Logs, second by second.
#[derive(Debug)]
pub(crate) struct Seconds<T> {
    /// What was kept of each second in which something happened.
    pub(crate) seconds: BTreeMap<u64, T>,
    /// Of each log, all of its seconds together.
    pub(crate) of_log: Vec<Snapshot>,
}

/// The counts of each second of `logs`, all of them and all event loops together.
///
/// Seconds in which nothing happened are missing. `keep` says what is to be kept of a second: whole snapshots of hours
/// would not fit into memory.
///
/// # Errors
/// [`Error::Read`].
pub(crate) fn by_second<T>(logs: &mut [Frames], keep: impl Fn(&Snapshot) -> T) -> Result<Seconds<T>, Error> {
    /// Batches of several event loops of one second may stand this far apart.
    const SPREAD_S: u64 = 10;
    let (mut open, mut kept) = (BTreeMap::<u64, Snapshot>::new(), BTreeMap::new());
    let mut of_log: Vec<Snapshot> = logs.iter().map(|log| Snapshot::new(log.head.endpoints.len())).collect();
    let mut next: Vec<_> = logs.iter_mut().map(Frames::next).collect::<Result<_, Error>>()?;
    // All logs side by side, the one that is behind first.
    let behind = |next: &[Option<(u64, Snapshot)>]| {
        let seconds = next.iter().enumerate().filter_map(|(log, frame)| Some((frame.as_ref()?.0, log)));
        seconds.min().map(|(_, log)| log)
    };
    while let Some(log) = behind(&next) {
        let following = logs[log].next()?;
        let Some((second, snapshot)) = std::mem::replace(&mut next[log], following) else { continue };
        of_log[log].merge(&snapshot);
        open.entry(second).and_modify(|open| open.merge(&snapshot)).or_insert(snapshot);
        while let Some(first) = open.first_entry().filter(|first| first.key() + SPREAD_S < second) {
            let (second, snapshot) = first.remove_entry();
            kept.insert(second, keep(&snapshot));
        }
    }
    kept.extend(open.iter().map(|(second, snapshot)| (*second, keep(snapshot))));
    Ok(Seconds { seconds: kept, of_log })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Outcome, Sample, Waiting};
    use shared::status::Status;

    fn head() -> Head {
        Head {
            run: "0123456789abcdef".to_owned(),
            shard: 0,
            shards: 1,
            sessions: Some(vec![0]),
            endpoints: vec!["a".to_owned(), "b".to_owned()],
            timeout_ns: 1_000_000_000,
        }
    }

    /// What happens in one second: sent, answered, given up, failed; different in every second.
    fn notes(second: u64) -> Vec<Note> {
        let of = |i: u64| {
            let at = second * 1_000_000_000 + i * 1_000_000;
            let waiting = Waiting { scheduled_at: at, chain_due_at: at, endpoint: (i % 2) as usize };
            let sample = Sample {
                endpoint: waiting.endpoint,
                scheduled_at: at,
                chain_due_at: at,
                released_at: at,
                sent_at: Some(at + 40_000),
                connecting: Some(20_000),
                first_byte_at: Some(at + 100_000 + i * second),
                completed_at: at + 130_000 * (i + 1) * (second + 1),
                outcome: if i == 3 {
                    Outcome::TimedOut
                } else {
                    Outcome::Completed { status: Status::Http(200), body_bytes: i }
                },
            };
            [Note::Sent(waiting), Note::Ended(sample)]
        };
        (0..50).flat_map(of).chain([Note::Dropped { endpoint: 1, at: second * 1_000_000_000 }]).collect()
    }

    /// A log of 40 seconds by two event loops, and what it adds up to.
    fn written(path: &Path) -> Snapshot {
        let mut total = Snapshot::new(2);
        let mut writer = Writer::create(path, head()).unwrap();
        for second in 0..40 {
            notes(second).iter().for_each(|note| total.add(note, head().timeout_ns));
            writer.add((second % 2) as usize, second / 2, &notes(second));
        }
        let outcome = writer.finish();
        assert!(outcome.intervals == 40 && outcome.lost.is_none());
        total
    }

    #[test]
    fn all_seconds_together_are_exactly_the_run() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        let total = written(&path);
        let mut logs = [Frames::open(&path).unwrap()];
        let Seconds { seconds, of_log } = by_second(&mut logs, |counted| counted.requests.sent).unwrap();
        assert_eq!((&of_log[..], &logs[0].head, logs[0].torn_bytes), (&[total.clone()][..], &head(), 0));
        assert_eq!(seconds, (0..20).map(|second| (second, 100)).collect());
        // Those of two shards as if one had written them.
        let mut logs = [Frames::open(&path).unwrap(), Frames::open(&path).unwrap()];
        let Seconds { seconds, of_log } = by_second(&mut logs, |counted| counted.requests.sent).unwrap();
        assert_eq!(of_log, [total.clone(), total]);
        assert_eq!(seconds, (0..20).map(|second| (second, 200)).collect());
    }

    /// How many frames the log has, and how many bytes that are none.
    fn frames(path: &Path) -> (usize, u64) {
        let mut log = Frames::open(path).unwrap();
        let mut frames = 0;
        while log.next().unwrap().is_some() {
            frames += 1;
        }
        (frames, log.torn_bytes)
    }

    #[test]
    fn whatever_a_kill_leaves_is_read_up_to_the_last_whole_second() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        written(&path);
        let bytes = fs_err::read(&path).unwrap();
        let mut fewer = 40;
        for length in (bytes.len() / 2..bytes.len()).rev().step_by(997) {
            fs_err::write(&path, &bytes[..length]).unwrap();
            let (found, _) = frames(&path);
            assert!(found <= fewer, "{length}: {found}");
            fewer = found;
        }
        assert!((15..40).contains(&fewer), "{fewer}");
        // A bit that fell over is no second either.
        let mut flipped = bytes.clone();
        let last = flipped.len() - 1;
        flipped[last] ^= 1;
        fs_err::write(&path, &flipped).unwrap();
        let (found, torn_bytes) = frames(&path);
        assert!(found == 39 && torn_bytes > 0);
    }

    #[test]
    fn a_full_disk_loses_intervals_and_says_so() {
        let full = Path::new("/dev/full");
        if full.exists() {
            // It takes nothing at all, so the log cannot even begin.
            assert!(matches!(Writer::create(full, head()), Err(Error::Write { .. })));
            // As if it had filled up later.
            let file = fs_err::OpenOptions::new().write(true).open(full).unwrap();
            let outcome = LogOutcome { intervals: 0, lost: None };
            let mut writer = Writer { file, head: head(), length: 0, outcome };
            (0..3).for_each(|second| writer.add(0, second, &notes(second)));
            let (lost, error) = writer.finish().lost.unwrap();
            assert_eq!((lost, error.kind()), (3, io::ErrorKind::StorageFull));
        }
    }

    #[test]
    fn other_files_are_no_logs() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("other");
        for text in
            ["", "loadprint intervals 2\n", "loadprint intervals 1\n{\"endpoints\": [], \"timeout_ns\": 1}\n"]
        {
            fs_err::write(&path, text).unwrap();
            assert!(matches!(Frames::open(&path), Err(Error::IntervalLog { .. })), "{text}");
        }
    }
}
