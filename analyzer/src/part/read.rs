//! Putting parts together again.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::header::{Header, ReadAs};
use super::{MAGIC, PartError, Shard, VERSION};
use crate::counts::Counts;
use crate::error::Error;
use crate::event::{EVENT_BYTES, Event};
use crate::privacy::host::{self, HostCounts};
use crate::query::{self, QueryCounts};
use crate::read::{InputSummary, Reading, ranks};
use crate::resource;
use crate::settings::ReadSettings;
use crate::store::{EventBlock, PARTITIONS, Store};
use crate::tally::Requested;

/// The header of a part may not be longer: what claims to be is no part.
const LONGEST_HEADER: u64 = 1 << 32;
/// Events that are taken in at a time.
const BLOCK: usize = 1 << 15;

/// What was read when the parts were made, all of it together; `settings` say how much memory events may fill, and
/// `k` is the threshold that parts must have been made with.
/// What identifies clients in all of them is left in `settings`.
///
/// # Errors
/// [`PartError`], [`Error::Spill`].
pub(crate) fn merge(paths: &[PathBuf], settings: &mut ReadSettings, k: u64) -> Result<Reading, Error> {
    let store = Store::new(settings.event_bytes);
    let mut headers: Vec<Header> = Vec::new();
    let mut first_input = 0;
    for (number, path) in paths.iter().enumerate() {
        let header = part(
            path,
            headers.first().map(|first| (paths[0].as_path(), first)),
            number,
            first_input,
            &store,
        )?;
        first_input += header.inputs.len();
        headers.push(header);
    }
    check_shards(&headers)?;
    if let Some(first) = headers.first() {
        let ReadAs { identity, templates, keep_duplicates, queries_k, .. } = first.read_as.clone();
        if let Some(found) = queries_k.filter(|found| *found != k) {
            return Err(PartError::Threshold { path: paths[0].clone(), found, k }.into());
        }
        settings.identity =
            identity.parse().map_err(|_| damaged(&paths[0], "an identity that nobody knows"))?;
        (settings.templates, settings.keep_duplicates) = (templates, keep_duplicates);
    }
    let mut counts = Counts::default();
    let mut inputs: Vec<InputSummary> = Vec::new();
    let (mut resources, mut requested_of, mut queries_of) = (Vec::new(), Vec::new(), Vec::new());
    let mut hosts = HostCounts::new();
    for header in headers {
        let first = header.shard.is_first();
        if first {
            counts.merge(header.counts);
            host::merge(&mut hosts, &header.hosts, k);
        }
        inputs.extend(header.inputs.into_iter().map(|input| input.into_summary(first)));
        resources.push(header.resources);
        queries_of.push(if first { header.queries } else { QueryCounts::new() });
        requested_of.push(if first { header.requested } else { Vec::new() });
    }
    let (resources, numbers) = resource::unite(resources);
    let requested = Requested::unite(&requested_of, &numbers, resources.len());
    let mut queries = QueryCounts::new();
    queries_of
        .into_iter()
        .zip(&numbers)
        .for_each(|(from, numbers)| query::merge(&mut queries, from, numbers, k));
    let events = store.finish(&ranks(&inputs), numbers);
    Reading::of_parts(inputs, counts, resources, requested, queries, hosts, events)
}

/// Takes the events of the part at `path` into `store`, and gives what it says of itself.
fn part(
    path: &Path,
    first: Option<(&Path, &Header)>,
    number: usize,
    first_input: usize,
    store: &Store,
) -> Result<Header, Error> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
            damaged(path, "a file that is not whole")
        }
        _ => PartError::Read { path: path.to_owned(), source },
    };
    let file = fs_err::File::open(path).map_err(failed)?;
    let end = file.metadata().map_err(failed)?.len().saturating_sub(SUM_BYTES as u64);
    let mut input = Summed { file: BufReader::new(file).take(end), sum: Sha256::new() };
    let header = header(&mut input, path).map_err(|error| error.unwrap_or_else(failed))?;
    if let Some((other, known)) = first {
        check_like(path, &header, other, known)?;
    }
    let mut unpacked = zstd::Decoder::new(&mut input).map_err(failed)?;
    let mut index = vec![0_u64; header.inputs.len()];
    for partition in (0..PARTITIONS).filter(|partition| header.shard.holds(*partition)) {
        for _ in 0..u32::from_le_bytes(bytes(&mut unpacked).map_err(failed)?) {
            let from = u32::from_le_bytes(bytes(&mut unpacked).map_err(failed)?) as usize;
            let mut left = u64::from_le_bytes(bytes(&mut unpacked).map_err(failed)?);
            let Some(index) = index.get_mut(from) else {
                return Err(damaged(path, "events of an input that it does not have").into());
            };
            while left > 0 {
                let count = left.min(BLOCK as u64) as usize;
                let mut text = vec![0; count * EVENT_BYTES];
                unpacked.read_exact(&mut text).map_err(failed)?;
                let events: Vec<Event> =
                    text.as_chunks::<EVENT_BYTES>().0.iter().map(Event::from_bytes).collect();
                if events.iter().any(|event| event.resource() as usize >= header.resources.len()) {
                    return Err(damaged(path, "events of a resource that it does not have").into());
                }
                let block = EventBlock::group(
                    (first_input + from, *index),
                    number,
                    &events,
                    &vec![partition as u8; events.len()],
                );
                store.add(block).map_err(|source| Error::Spill { source })?;
                *index += 1;
                left -= count as u64;
            }
        }
    }
    drop(unpacked);
    // The sum is over all bytes, also those that the decoder had no need for.
    io::copy(&mut input, &mut io::sink()).map_err(failed)?;
    let mut expected = [0; SUM_BYTES];
    let Summed { file, sum } = input;
    file.into_inner().read_exact(&mut expected).map_err(failed)?;
    match <[u8; SUM_BYTES]>::from(sum.finalize()) == expected {
        true => Ok(header),
        false => Err(damaged(path, "a file whose checksum is wrong").into()),
    }
}

const SUM_BYTES: usize = 32;

/// What the part says of itself.
fn header(input: &mut impl Read, path: &Path) -> Result<Header, HeaderError> {
    if bytes::<8>(input)? != *MAGIC {
        return Err(damaged(path, "another kind of file").into());
    }
    let version = u32::from_le_bytes(bytes(input)?);
    if version != VERSION {
        return Err(PartError::Damaged {
            path: path.to_owned(),
            found: format!("version {version} of the format; this program writes and reads {VERSION}"),
            hint: "make all parts and the profile with one version of the program",
        }
        .into());
    }
    let length = u64::from_le_bytes(bytes(input)?);
    if length > LONGEST_HEADER {
        return Err(damaged(path, "a header of impossible length").into());
    }
    let mut text = Vec::new();
    input.take(length).read_to_end(&mut text)?;
    let header: Header =
        serde_json::from_slice(&text).map_err(|_| damaged(path, "a header that cannot be read"))?;
    let known = |resource: &u32| (*resource as usize) < header.resources.len();
    match header.requested.len() <= header.resources.len() && header.queries.keys().all(known) {
        true => Ok(header),
        false => Err(damaged(path, "counts of resources that it does not have").into()),
    }
}

/// What is wrong with a header, or what the system says.
enum HeaderError {
    Part(PartError),
    Io(io::Error),
}

impl HeaderError {
    fn unwrap_or_else(self, failed: impl Fn(io::Error) -> PartError) -> PartError {
        match self {
            Self::Part(error) => error,
            Self::Io(error) => failed(error),
        }
    }
}

impl From<PartError> for HeaderError {
    fn from(error: PartError) -> Self {
        Self::Part(error)
    }
}

impl From<io::Error> for HeaderError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn bytes<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn damaged(path: &Path, found: &str) -> PartError {
    PartError::Damaged {
        path: path.to_owned(),
        found: found.to_owned(),
        hint: "copy it again, or make it again with `analyzer tally`",
    }
}

/// That two parts are of one key and were read alike.
fn check_like(path: &Path, header: &Header, other: &Path, known: &Header) -> Result<(), PartError> {
    let unlike = |found: String, expected: String, hint| PartError::Unlike {
        path: path.to_owned(),
        other: other.to_owned(),
        found,
        expected,
        hint,
    };
    if header.key != known.key {
        return Err(unlike(
            "clients under another key".to_owned(),
            "one key for all parts, so that a client of two parts is one".to_owned(),
            "make all parts with the same --key-file",
        ));
    }
    if header.read_as != known.read_as {
        let said = |read: &ReadAs| {
            let ReadAs { identity, templates, keep_duplicates, queries_k, given, countries } = read;
            let k = queries_k.unwrap_or(0);
            let geoip = countries.map_or("none".to_owned(), |database| format!("{database:016x}"));
            format!(
                "--identity {identity}, --k {k}, templates: {templates}, duplicates kept: {keep_duplicates}, given routes and proxies: {given:016x}, --geoip: {geoip}"
            )
        };
        let hint = "make all parts with the same flags";
        return Err(unlike(said(&header.read_as), said(&known.read_as), hint));
    }
    if header.shard.of != known.shard.of {
        let said = |shard: Shard| format!("shard {shard}");
        let hint = "cut all parts into the same number of shards";
        return Err(unlike(said(header.shard), said(known.shard), hint));
    }
    Ok(())
}

/// That no shard is missing: of every set that the parts were cut into, all are there.
fn check_shards(headers: &[Header]) -> Result<(), PartError> {
    let mut times: BTreeMap<u32, usize> = BTreeMap::new();
    let of = headers.first().map_or(1, |header| header.shard.of);
    headers.iter().for_each(|header| *times.entry(header.shard.number).or_default() += 1);
    let times = |number| times.get(&number).copied().unwrap_or(0);
    let expected = times(1).max(1);
    match (1..=of).find(|number| times(*number) != expected) {
        Some(number) => Err(PartError::Shards { number, of, found: times(number), expected }),
        None => Ok(()),
    }
}

/// Reads on, and sums up what was read.
struct Summed<R> {
    file: R,
    sum: Sha256,
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.sum.update(&buffer[..read]);
        Ok(read)
    }
}
