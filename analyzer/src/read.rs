//! Reading inputs into events: the one place where lines, formats, pseudonyms and threads meet.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::Mutex;

use foldhash::fast::FixedState;
use rayon::prelude::*;

use crate::counts::{Counts, Hour};
use crate::document::Document;
use crate::error::Error;
use crate::event::Event;
use crate::format::builtin::{Builtin, Evidence};
use crate::format::detect::{self, Detection};
use crate::format::{self, Cache, Format, Options, Reader};
use crate::kind::{self, Kind};
use crate::privacy::pseudonym::{ClientResolver, Key};
use crate::record::Record;
use crate::reject::{Position, Reject, Rejects};
use crate::request::Request;
use crate::resource::{self, Interner, Resource};
use crate::settings::ReadSettings;
use crate::source::{Block, Ending, Input, Located, Queue, Waiting, archive, locate};
pub use crate::source::{PassedOver, Why};
use crate::store::{Events, Store};
use crate::tally::Requested;

/// What was found in one input.
#[derive(Debug, Clone)]
pub struct InputSummary {
    /// The path as given, or `-`.
    pub path: String,
    /// The format, such as `nginx:combined`.
    pub format: Format,
    /// How sure the format is, 0..=1; 1 when it was given.
    pub confidence: f64,
    /// How the input is compressed, such as `gzip`.
    pub compressed: Option<String>,
    /// What the lines were unpacked from, such as `cloudwatch`.
    pub envelope: Option<&'static str>,
    /// Lines read.
    pub lines: u64,
    /// Requests understood.
    pub requests: u64,
    /// Lines refused.
    pub rejects: Rejects,
    /// Lines that ended early and were kept.
    pub recovered: u64,
    /// Requests that do not say how many they stand for.
    pub unweighted: u64,
    /// Requests of which nobody knows the client, so that their trace passes for one.
    pub clients_by_trace: u64,
    /// How fine the stamps are: the coarsest of them, in nanoseconds.
    pub resolution_ns: i64,
    /// What the text says about who wrote it.
    pub evidence: Evidence,
    /// Why the input ended before its end.
    pub broken: Option<String>,
    /// What was odd about its bytes, although nothing is lost.
    pub odd: Option<String>,
    /// The first requests, as many as were asked for.
    pub records: Vec<Record>,
}

/// Everything read: counts, and events without anybody in them.
#[derive(Debug)]
pub struct Reading {
    /// What was found in each input, in the order given.
    pub inputs: Vec<InputSummary>,
    /// Files that were not read, and why.
    pub passed_over: Vec<PassedOver>,
    /// Counts over all inputs.
    pub counts: Counts,
    pub(crate) resources: Vec<Resource>,
    /// How often each of `resources` was requested, by kind of request.
    pub(crate) requested: Vec<[Requested; Kind::ALL.len()]>,
    events: Events,
}

impl Reading {
    /// Events of one partition: all requests of its clients, by client and then in the order of [`Event::order_ms`].
    ///
    /// Requests of the same moment stay in the order of their lines.
    ///
    /// # Errors
    /// [`Error::Spill`].
    pub(crate) fn partition(&self, partition: usize) -> Result<Vec<Event>, Error> {
        self.events.partition(partition).map_err(|source| Error::Spill { source })
    }
}

/// Inputs with their formats.
pub(crate) struct Opened {
    pub(crate) sources: Vec<Source>,
    /// Files that are not read, and why.
    pub(crate) passed_over: Vec<PassedOver>,
}

/// An input whose format is known.
pub(crate) struct Source {
    pub(crate) input: Waiting,
    pub(crate) found: Found,
}

/// What is known of an input before it is read.
pub(crate) struct Found {
    name: String,
    pub(crate) detection: Detection,
    compressed: Option<String>,
    envelope: Option<&'static str>,
}

/// Opens the inputs and finds their formats, without reading further.
///
/// # Errors
/// What keeps an input from being read; [`Error::Empty`], [`Error::UnknownFormat`], [`Error::NoLogs`].
/// A file that was found in a directory or by a pattern and is no log is passed over, and so is any empty file
/// beside others.
pub(crate) fn open(settings: &ReadSettings) -> Result<Opened, Error> {
    let (located, mut passed_over) = locate(&settings.inputs, settings.stdin.as_ref())?;
    let looked_at: Vec<(bool, Result<Source, Error>)> =
        located.into_par_iter().map(|input| (input.found, source(input, settings))).collect();
    let mut sources = Vec::new();
    let mut first_error = None;
    for (found, source) in looked_at {
        let error = match source {
            Ok(source) => {
                sources.push(source);
                continue;
            }
            Err(error) => error,
        };
        let (path, why) = match &error {
            Error::Empty { input } => (input, Why::Empty),
            Error::Read { input, source } if found => (input, Why::Unreadable(source.kind().to_string())),
            Error::UnknownFormat { input, .. } | Error::Archive { input, .. } if found => (input, Why::NoLog),
            _ => return Err(error),
        };
        passed_over.push(PassedOver { path: path.clone(), why });
        if !found || matches!(error, Error::Read { .. }) {
            first_error.get_or_insert(error);
        }
    }
    match (sources.is_empty(), first_error, settings.inputs.first()) {
        (true, Some(error), _) => Err(error),
        (true, None, Some(path)) => Err(Error::NoLogs { path: path.clone() }),
        _ => Ok(Opened { sources, passed_over }),
    }
}

fn source(located: Located, settings: &ReadSettings) -> Result<Source, Error> {
    let name = located.place.name();
    let input = Input::open(located.place, settings.limits())
        .map_err(|source| Error::Read { input: name.clone(), source })?;
    let detection = recognise(&input, settings)?;
    let (compressed, envelope) = (input.compressed(), input.envelope());
    Ok(Source { input: input.wait(), found: Found { name, detection, compressed, envelope } })
}

fn recognise(input: &Input, settings: &ReadSettings) -> Result<Detection, Error> {
    if input.head.is_empty() {
        return Err(Error::Empty { input: input.name.clone() });
    }
    if let Some((found, unpack)) = archive(&input.head) {
        return Err(Error::Archive { input: input.name.clone(), found, unpack });
    }
    if let Some(format) = &settings.format {
        return Ok(detect::with_wrappers(format, input.sample()));
    }
    let options = Options {
        identity: settings.identity.clone(),
        producer: settings.producer,
        map: settings.map.clone(),
    };
    let detection = detect::detect(input.sample(), &options).into_iter().next().ok_or_else(|| {
        let found = match &input.head {
            head if head.contains(&0) => "binary data",
            head if head.starts_with(b"{") => "JSON",
            _ => "text in another format",
        };
        Error::UnknownFormat { input: input.name.clone(), found }
    })?;
    detection.format.check_map()?;
    match detection.format.can_hold(&settings.identity) {
        true => Ok(detection),
        false => Err(Error::NoIdentity {
            input: input.name.clone(),
            identity: settings.identity.to_string(),
            format: detection.format.label,
        }),
    }
}

/// Reads all inputs, on all threads of the current pool. `on_bytes` hears of every block read.
///
/// # Errors
/// What [`open`] gives, a file that cannot be read.
pub fn read(settings: &ReadSettings, key: &Key, on_bytes: &(dyn Fn(u64) + Sync)) -> Result<Reading, Error> {
    let Opened { sources, passed_over } = open(settings)?;
    let (turns, sources): (Vec<_>, Vec<Found>) = sources
        .into_iter()
        .map(|Source { input, found }| ((input, found.detection.format.framing()), found))
        .unzip();
    let queue = Queue::new(turns, settings.block_bytes, settings.limits());
    let store = Store::new(settings.event_bytes);
    let failure: Mutex<Option<Error>> = Mutex::new(None);
    let results: Mutex<Vec<BlockResult>> = Mutex::new(Vec::new());
    let workers: Vec<Worker<'_>> = rayon::broadcast(|context| {
        let mut worker = Worker::new(context.index(), settings, key, sources.len() > 1);
        let (mut block, mut cache) = (Block::default(), Cache::default());
        while lock(&failure).is_none()
            && let Some(input) = queue.next(&mut block)
        {
            on_bytes(block.bytes.len() as u64);
            match worker.block(input, &block, &sources[input].detection.format, &mut cache, &store) {
                Ok(result) => lock(&results).push(result),
                Err(error) => *lock(&failure) = Some(error),
            }
        }
        worker
    });
    if let Some(error) = into_inner(failure) {
        return Err(error);
    }
    let reading = assemble(queue.endings(), sources, into_inner(results), workers, store, settings.records);
    Ok(Reading { passed_over, ..reading })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What one block gave.
struct BlockResult {
    input: usize,
    index: u64,
    lines: u64,
    requests: u64,
    recovered: u64,
    unweighted: u64,
    clients_by_trace: u64,
    rejects: Rejects,
    resolution_ns: i64,
    evidence: Evidence,
    span_ns: Option<(i64, i64)>,
    /// Sum of the hashes of all lines, where there are inputs to be put in order: tells contents apart, whatever
    /// the blocks.
    content: u64,
    records: Vec<Record>,
    /// Why a document ended before its end.
    broken: Option<String>,
    /// Whose numbers the resources of `records` have.
    worker: usize,
}

/// What a thread keeps from block to block.
struct Worker<'k> {
    number: usize,
    clients: ClientResolver<'k>,
    interner: Interner,
    requested: Vec<[Requested; Kind::ALL.len()]>,
    counts: Counts,
    statuses: Box<[u64; 1000]>,
    hour: Hour,
    line_limit: usize,
    events: bool,
    several_inputs: bool,
    records: usize,
    raw: bool,
    key: &'k Key,
    scratch: Vec<Event>,
}

impl<'k> Worker<'k> {
    fn new(number: usize, settings: &ReadSettings, key: &'k Key, several_inputs: bool) -> Self {
        Self {
            number,
            clients: ClientResolver::new(key, &settings.identity),
            interner: Interner::new(settings.templates),
            requested: Vec::new(),
            counts: Counts::default(),
            statuses: Box::new([0; 1000]),
            hour: Hour::default(),
            line_limit: settings.line_limit,
            events: settings.events,
            several_inputs,
            records: settings.records,
            raw: settings.raw,
            key,
            scratch: Vec::new(),
        }
    }

    fn block(
        &mut self,
        input: usize,
        block: &Block,
        format: &Format,
        cache: &mut Cache,
        store: &Store,
    ) -> Result<BlockResult, Error> {
        self.scratch.clear();
        let mut result = BlockResult {
            input,
            index: block.index,
            lines: 0,
            requests: 0,
            recovered: 0,
            unweighted: 0,
            clients_by_trace: 0,
            rejects: Rejects::default(),
            resolution_ns: 1,
            evidence: Evidence::default(),
            span_ns: None,
            content: 0,
            records: Vec::new(),
            broken: None,
            worker: self.number,
        };
        let several_inputs = self.several_inputs;
        result.broken = records(block, format, self.line_limit, cache, |at, line, record| {
            result.lines += 1;
            if several_inputs {
                result.content = result.content.wrapping_add(FixedState::default().hash_one(line));
            }
            match record {
                Err(reject) => result.rejects.add(reject, Position { line: result.lines, byte: at }),
                Ok(request) => {
                    if format.producer_unknown {
                        result.evidence.add(format.as_produced(line), &request);
                    }
                    self.accept(&request, &mut result);
                }
            }
        });
        if !self.scratch.is_empty() {
            let added = store.add((input, block.index), self.number, &self.scratch);
            added.map_err(|source| Error::Spill { source })?;
        }
        Ok(result)
    }

    /// Takes one request into the result of its block.
    fn accept(&mut self, request: &Request<'_>, result: &mut BlockResult) {
        result.requests += 1;
        result.recovered += u64::from(request.truncated);
        result.unweighted += u64::from(request.weight.is_none());
        result.clients_by_trace += u64::from(request.client_is_trace);
        result.resolution_ns = result.resolution_ns.max(request.resolution_ns);
        let (first, last) = result.span_ns.unwrap_or((request.stamp_ns, request.stamp_ns));
        result.span_ns = Some((first, last.max(request.stamp_ns)));
        self.counts.add(request, &mut self.hour);
        self.statuses[usize::from(request.status).min(999)] += 1;
        let resource = if self.events { self.event(request) } else { 0 };
        if result.records.len() < self.records {
            result.records.push(match self.raw {
                true => Record::raw(request, result.lines),
                false => Record::pseudonymous(request, result.lines, self.key, resource),
            });
        }
    }

    /// Keeps one request as an event and gives the number of its resource.
    fn event(&mut self, request: &Request<'_>) -> u32 {
        let (client, agent) = self.clients.client(request);
        let asked = self.interner.asked(request);
        let kind = kind::of_known_path(request, asked.path, agent);
        let event = Event::new(request, client, asked.resource, kind);
        self.scratch.push(event);
        let number = event.resource() as usize;
        if number >= self.requested.len() {
            self.requested.resize(number + 1, Default::default());
        }
        self.requested[number][kind as usize].add(request.status);
        asked.resource
    }
}

/// Gives every record of `block` to `visit`: its offset in the input, its line, and the request or why it is none.
/// A document's records have neither offset nor line. Gives why a document could not be read to its end.
pub(crate) fn records(
    block: &Block,
    format: &Format,
    line_limit: usize,
    cache: &mut Cache,
    mut visit: impl FnMut(u64, &[u8], Result<Request<'_>, Reject>),
) -> Option<String> {
    if let Reader::Document(document) = format.reader {
        return document.read(&block.bytes, &mut |record| visit(0, b"", record)).err();
    }
    if let Reader::Table(columns) = &format.reader {
        return columns.read_parquet(&block.bytes, &mut |record| visit(0, b"", record)).err();
    }
    if let Reader::Records(record) = &format.reader {
        let read = format::records::each(&block.bytes, |start, text| {
            visit(block.offset + start as u64, text, record.parse(text, cache));
        });
        return read.err();
    }
    cache.begin(block.header.as_deref());
    for (start, line) in lines(&block.bytes) {
        let at = block.offset + start as u64;
        match line.len() > line_limit {
            true => visit(at, line, Err(Reject::TooLong)),
            false => visit(at, line, format.parse(line, cache)),
        }
    }
    None
}

/// Lines with the offset of their first byte, without their ends.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut start = 0;
    let open_end = !bytes.is_empty() && !bytes.ends_with(b"\n");
    memchr::memchr_iter(b'\n', bytes).chain(open_end.then_some(bytes.len())).map(move |end| {
        let line = &bytes[start..end];
        let at = start;
        start = end + 1;
        (at, line.strip_suffix(b"\r").unwrap_or(line))
    })
}

fn assemble(
    endings: Vec<Ending>,
    sources: Vec<Found>,
    results: Vec<BlockResult>,
    workers: Vec<Worker<'_>>,
    store: Store,
    wanted: usize,
) -> Reading {
    let mut counts = Counts::default();
    let (mut interners, mut requested_of) = (Vec::new(), Vec::new());
    for worker in workers {
        let statuses = worker.statuses.iter().enumerate().filter(|(_, count)| **count > 0);
        let statuses = statuses.map(|(status, count)| (status as u16, *count)).collect();
        counts.merge(Counts { statuses, ..worker.counts });
        interners.push(worker.interner);
        requested_of.push(worker.requested);
    }
    let (resources, numbers) = resource::unify(interners);
    let mut requested = vec![<[Requested; Kind::ALL.len()]>::default(); resources.len()];
    for (counts, numbers) in requested_of.iter().zip(&numbers) {
        for (counts, number) in counts.iter().zip(numbers) {
            let sums = &mut requested[*number as usize];
            sums.iter_mut().zip(counts).for_each(|(sum, count)| sum.merge(*count));
        }
    }
    let mut per_input: Vec<Vec<BlockResult>> = sources.iter().map(|_| Vec::new()).collect();
    for result in results {
        per_input[result.input].push(result);
    }
    let mut inputs = Vec::new();
    let mut ordered = Vec::new();
    let mut copies = HashMap::new();
    for ((ending, source), mut results) in endings.into_iter().zip(sources).zip(per_input) {
        results.sort_by_key(|result| result.index);
        let mut summary = InputSummary {
            path: source.name,
            format: source.detection.format,
            confidence: source.detection.confidence,
            compressed: source.compressed,
            envelope: source.envelope,
            lines: 0,
            requests: 0,
            rejects: Rejects::default(),
            recovered: 0,
            unweighted: 0,
            clients_by_trace: 0,
            resolution_ns: 1,
            evidence: Evidence::default(),
            broken: ending.damage,
            odd: ending.oddity,
            records: Vec::new(),
        };
        let first = results.iter().find_map(|result| result.span_ns).map(|span| span.0);
        let last = results.iter().filter_map(|result| result.span_ns).map(|span| span.1).max();
        let content = results.iter().fold(0_u64, |sum, result| sum.wrapping_add(result.content));
        let key = (first, last, content);
        for result in results {
            summary.rejects.append(&result.rejects, summary.lines);
            let room = wanted.saturating_sub(summary.records.len());
            summary.records.extend(result.records.into_iter().take(room).map(|record| Record {
                line: record.line + summary.lines,
                resource: record.resource.map(|number| numbers[result.worker][number as usize]),
                ..record
            }));
            summary.lines += result.lines;
            summary.requests += result.requests;
            summary.recovered += result.recovered;
            summary.unweighted += result.unweighted;
            summary.clients_by_trace += result.clients_by_trace;
            summary.resolution_ns = summary.resolution_ns.max(result.resolution_ns);
            summary.evidence.merge(result.evidence);
            summary.broken = summary.broken.or(result.broken);
        }
        // Rotation that was interrupted leaves a log beside its compressed copy.
        if first.is_some()
            && let Some(other) = copies.insert((key, summary.lines), summary.path.clone())
        {
            let copy = format!("it holds the same lines as `{other}`; both were counted");
            summary.odd.get_or_insert(copy);
        }
        ordered.push((key, inputs.len()));
        inputs.push(summary);
    }
    // Inside a second the order of lines is the only order there is, so the parts of a log must be put in theirs,
    // whatever order they were named in.
    ordered.sort_by_key(|(key, _)| *key);
    let mut ranks = vec![0; inputs.len()];
    for (rank, (_, input)) in ordered.into_iter().enumerate() {
        ranks[input] = rank;
    }
    let events = store.finish(&ranks, numbers);
    Reading { inputs, passed_over: Vec::new(), counts, resources, requested, events }
}

impl InputSummary {
    /// What it was read as, where it was read as a whole.
    pub(crate) fn document(&self) -> Option<Document> {
        match self.format.reader {
            Reader::Document(document) => Some(document),
            _ => None,
        }
    }

    /// The format's label, corrected by what the whole text says about who wrote it.
    pub fn label(&self) -> String {
        label(&self.format, self.evidence)
    }
}

/// The label of `format`, given what the text says about who wrote it.
pub(crate) fn label(format: &Format, evidence: Evidence) -> String {
    let shape =
        [Builtin::Combined, Builtin::Common].into_iter().find(|shape| format.label.ends_with(shape.name()));
    match (format.producer_unknown, shape, evidence.producer()) {
        (true, Some(shape), Some(producer)) => format.wrapped_label(&shape.label(producer)),
        _ => format.label.clone(),
    }
}
