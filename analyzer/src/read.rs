//! Reading inputs into events: the one place where lines, formats, pseudonyms and threads meet.

use std::hash::BuildHasher as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::fast::FixedState;

use crate::counts::Counts;
use crate::error::Error;
use crate::event::Event;
use crate::format::builtin::{Builtin, Evidence};
use crate::format::detect::{self, Detection};
use crate::format::{Cache, Format, Options, Reader};
use crate::kind;
use crate::privacy::pseudonym::{ClientResolver, Key};
use crate::record::Record;
use crate::reject::{Position, Reject, Rejects};
use crate::request::Request;
use crate::resource::{self, Interner, Resource};
use crate::settings::ReadSettings;
use crate::source::{Block, Blocks, Compression, Input, open_all};

/// Partitions by client: small enough to sort in cache, many enough for any number of threads.
pub(crate) const PARTITIONS: usize = 256;

/// What was found in one input.
#[derive(Debug, Clone)]
pub struct InputSummary {
    /// The path as given, or `-`.
    pub path: String,
    /// The format, such as `nginx:combined`.
    pub format: Format,
    /// How sure the format is, 0..=1; 1 when it was given.
    pub confidence: f64,
    /// The input is compressed with gzip.
    pub compressed: Option<&'static str>,
    /// Lines read.
    pub lines: u64,
    /// Requests understood.
    pub requests: u64,
    /// Lines refused.
    pub rejects: Rejects,
    /// Lines that ended early and were kept.
    pub recovered: u64,
    /// How fine the stamps are: the coarsest of them, in nanoseconds.
    pub resolution_ns: i64,
    /// What the text says about who wrote it.
    pub evidence: Evidence,
    /// Why the input ended before its end.
    pub broken: Option<String>,
    /// The first requests, as many as were asked for.
    pub records: Vec<Record>,
}

/// Everything read: counts, and events without anybody in them.
#[derive(Debug)]
pub struct Reading {
    /// What was found in each input, in the order given.
    pub inputs: Vec<InputSummary>,
    /// Files of directories that are no logs, or in no known format.
    pub passed_over: Vec<String>,
    /// Counts over all inputs.
    pub counts: Counts,
    pub(crate) resources: Vec<Resource>,
    pub(crate) events: Events,
    /// Of each worker: its own number of a resource → number in `resources`.
    numbers: Vec<Vec<u32>>,
}

/// Events in the order of their lines, grouped by partition inside each block.
#[derive(Debug, Default)]
pub(crate) struct Events {
    blocks: Vec<EventBlock>,
}

#[derive(Debug)]
struct EventBlock {
    events: Vec<Event>,
    /// Where each partition starts in `events`; one more than there are partitions.
    starts: Box<[u32]>,
    worker: usize,
}

impl Reading {
    /// Events of one partition: all requests of its clients, by client and then in the order of [`Event::order_ms`].
    ///
    /// Requests of the same moment stay in the order of their lines.
    pub(crate) fn partition(&self, partition: usize) -> Vec<Event> {
        let mut events: Vec<Event> = self.unsorted_partition(partition).collect();
        events.sort_by_key(|event| (event.client(), event.order_ms()));
        events
    }

    /// Events of one partition in the order of their lines.
    pub(crate) fn unsorted_partition(&self, partition: usize) -> impl Iterator<Item = Event> {
        self.events.blocks.iter().flat_map(move |block| {
            let numbers = &self.numbers[block.worker];
            let range = block.starts[partition] as usize..block.starts[partition + 1] as usize;
            block.events[range].iter().map(|event| event.with_resource(numbers[event.resource() as usize]))
        })
    }
}

/// Inputs with their formats.
pub(crate) struct Opened {
    pub(crate) inputs: Vec<(Input, Detection)>,
    /// Files of directories that are no logs, or in no known format.
    pub(crate) passed_over: Vec<String>,
}

/// Opens the inputs and finds their formats, without reading further.
///
/// # Errors
/// What keeps an input from being read; [`Error::Empty`], [`Error::UnknownFormat`], [`Error::NoLogs`].
/// A file that was found in a directory and is no log is passed over.
pub(crate) fn open(settings: &ReadSettings) -> Result<Opened, Error> {
    let mut inputs = Vec::new();
    let mut passed_over = Vec::new();
    for (input, in_directory) in open_all(&settings.inputs, settings.stdin.as_ref())? {
        match recognise(&input, settings) {
            Ok(detection) => inputs.push((input, detection)),
            Err(_) if in_directory => passed_over.push(input.name),
            Err(error) => return Err(error),
        }
    }
    match settings.inputs.first() {
        Some(path) if inputs.is_empty() && !passed_over.is_empty() => {
            Err(Error::NoLogs { path: path.clone() })
        }
        _ => Ok(Opened { inputs, passed_over }),
    }
}

fn recognise(input: &Input, settings: &ReadSettings) -> Result<Detection, Error> {
    if input.head.is_empty() {
        return Err(Error::Empty { input: input.name.clone() });
    }
    if let Some(format) = &settings.format {
        return Ok(Detection { format: format.clone(), confidence: 1.0 });
    }
    let options = Options { identity: settings.identity.clone(), producer: settings.producer };
    detect::detect(input.sample(), &options).into_iter().next().ok_or_else(|| {
        let found = match &input.head {
            head if head.contains(&0) => "binary data",
            head if head.starts_with(b"{") => "JSON",
            _ => "text in another format",
        };
        Error::UnknownFormat { input: input.name.clone(), found }
    })
}

/// Reads all inputs, on all threads of the current pool. `on_bytes` hears of every block read.
///
/// # Errors
/// What [`open`] gives, a file that cannot be read.
pub fn read(settings: &ReadSettings, key: &Key, on_bytes: &(dyn Fn(u64) + Sync)) -> Result<Reading, Error> {
    let opened = open(settings)?;
    let (blocks, sources): (Vec<Blocks>, Vec<Source>) = opened
        .inputs
        .into_iter()
        .map(|(input, detection)| {
            let compressed = input.compression.map(|Compression::Gzip| "gzip");
            let framing = detection.format.framing();
            let blocks = Blocks::new(input, framing, settings.block_bytes, settings.line_limit);
            (blocks, Source { detection, compressed })
        })
        .unzip();
    let results: Mutex<Vec<BlockResult>> = Mutex::new(Vec::new());
    let failure: Mutex<Option<Error>> = Mutex::new(None);
    let stop = AtomicBool::new(false);
    let workers: Vec<Worker<'_>> = rayon::broadcast(|context| {
        let mut worker = Worker::new(context.index(), settings, key, blocks.len() > 1);
        let (mut block, mut cache) = (Block::default(), Cache::default());
        for (input, blocks) in blocks.iter().enumerate() {
            while !stop.load(Ordering::Relaxed) {
                match blocks.next(&mut block) {
                    Ok(false) => break,
                    Ok(true) => {
                        on_bytes(block.bytes.len() as u64);
                        let result =
                            worker.block(input, &block, &sources[input].detection.format, &mut cache);
                        lock(&results).push(result);
                    }
                    Err(source) => {
                        stop.store(true, Ordering::Relaxed);
                        *lock(&failure) = Some(Error::Read { input: blocks.name().to_owned(), source });
                    }
                }
            }
        }
        worker
    });
    if let Some(error) = into_inner(failure) {
        return Err(error);
    }
    let reading = assemble(blocks, sources, into_inner(results), workers, settings.records);
    Ok(Reading { passed_over: opened.passed_over, ..reading })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

struct Source {
    detection: Detection,
    compressed: Option<&'static str>,
}

/// What one block gave.
struct BlockResult {
    input: usize,
    index: u64,
    lines: u64,
    requests: u64,
    recovered: u64,
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
    events: EventBlock,
}

/// What a thread keeps from block to block.
struct Worker<'k> {
    number: usize,
    clients: ClientResolver<'k>,
    interner: Interner,
    counts: Counts,
    statuses: Box<[u64; 1000]>,
    hour: (i64, i32),
    line_limit: usize,
    templates: bool,
    several_inputs: bool,
    records: usize,
    raw: bool,
    key: &'k Key,
    scratch: Vec<Event>,
    /// The partition of each event in `scratch`.
    partitions: Vec<u8>,
}

impl<'k> Worker<'k> {
    fn new(number: usize, settings: &ReadSettings, key: &'k Key, several_inputs: bool) -> Self {
        Self {
            number,
            clients: ClientResolver::new(key, &settings.identity),
            interner: Interner::default(),
            counts: Counts::default(),
            statuses: Box::new([0; 1000]),
            hour: (i64::MIN, 0),
            line_limit: settings.line_limit,
            templates: settings.templates,
            several_inputs,
            records: settings.records,
            raw: settings.raw,
            key,
            scratch: Vec::new(),
            partitions: Vec::new(),
        }
    }

    fn block(&mut self, input: usize, block: &Block, format: &Format, cache: &mut Cache) -> BlockResult {
        self.scratch.clear();
        self.partitions.clear();
        let mut result = BlockResult {
            input,
            index: block.index,
            lines: 0,
            requests: 0,
            recovered: 0,
            rejects: Rejects::default(),
            resolution_ns: 1,
            evidence: Evidence::default(),
            span_ns: None,
            content: 0,
            records: Vec::new(),
            broken: None,
            events: EventBlock { events: Vec::new(), starts: Box::default(), worker: self.number },
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
                        result.evidence.add(line, &request);
                    }
                    self.accept(&request, &mut result);
                }
            }
        });
        result.events = group(&self.scratch, &self.partitions, self.number);
        result
    }

    /// Takes one request into the result of its block.
    fn accept(&mut self, request: &Request<'_>, result: &mut BlockResult) {
        result.requests += 1;
        result.recovered += u64::from(request.truncated);
        result.resolution_ns = result.resolution_ns.max(request.resolution_ns);
        let (first, last) = result.span_ns.unwrap_or((request.stamp_ns, request.stamp_ns));
        result.span_ns = Some((first, last.max(request.stamp_ns)));
        let resource = self.request(request);
        if result.records.len() < self.records {
            result.records.push(match self.raw {
                true => Record::raw(request, result.lines),
                false => Record::pseudonymous(request, result.lines, self.key, resource),
            });
        }
    }

    /// Counts one request and gives the number of its resource.
    fn request(&mut self, request: &Request<'_>) -> u32 {
        self.counts.add(request, &mut self.hour);
        self.statuses[usize::from(request.status).min(999)] += 1;
        let path = request.path();
        let (client, agent) = self.clients.client(request);
        let kind = kind::of_request(request, path, agent);
        let resource = self.interner.number(request, self.templates);
        self.partitions.push((client >> 56) as u8);
        self.scratch.push(Event::new(request, client, resource, kind));
        resource
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
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut start = 0;
    let open_end = !bytes.is_empty() && !bytes.ends_with(b"\n");
    memchr::memchr_iter(b'\n', bytes).chain(open_end.then_some(bytes.len())).map(move |end| {
        let line = &bytes[start..end];
        let at = start;
        start = end + 1;
        (at, line.strip_suffix(b"\r").unwrap_or(line))
    })
}

/// The events grouped by partition, in order inside each: a counting sort.
fn group(events: &[Event], partitions: &[u8], worker: usize) -> EventBlock {
    let mut starts = vec![0_u32; PARTITIONS + 1];
    for partition in partitions {
        starts[usize::from(*partition) + 1] += 1;
    }
    for i in 0..PARTITIONS {
        starts[i + 1] += starts[i];
    }
    let mut next = starts.clone();
    let mut grouped = events.to_vec();
    for (event, partition) in events.iter().zip(partitions) {
        let at = &mut next[usize::from(*partition)];
        grouped[*at as usize] = *event;
        *at += 1;
    }
    EventBlock { events: grouped, starts: starts.into(), worker }
}

fn assemble(
    blocks: Vec<Blocks>,
    sources: Vec<Source>,
    results: Vec<BlockResult>,
    workers: Vec<Worker<'_>>,
    wanted: usize,
) -> Reading {
    let mut counts = Counts::default();
    let mut interners = Vec::new();
    for worker in workers {
        let statuses = worker.statuses.iter().enumerate().filter(|(_, count)| **count > 0);
        let statuses = statuses.map(|(status, count)| (status as u16, *count)).collect();
        counts.merge(Counts { statuses, ..worker.counts });
        interners.push(worker.interner);
    }
    let (resources, numbers) = resource::unify(interners);
    let mut per_input: Vec<Vec<BlockResult>> = sources.iter().map(|_| Vec::new()).collect();
    for result in results {
        per_input[result.input].push(result);
    }
    let mut inputs = Vec::new();
    let mut ordered = Vec::new();
    for ((blocks, source), mut results) in blocks.into_iter().zip(sources).zip(per_input) {
        results.sort_by_key(|result| result.index);
        let mut summary = InputSummary {
            path: blocks.name().to_owned(),
            format: source.detection.format,
            confidence: source.detection.confidence,
            compressed: source.compressed,
            lines: 0,
            requests: 0,
            rejects: Rejects::default(),
            recovered: 0,
            resolution_ns: 1,
            evidence: Evidence::default(),
            broken: blocks.failure().map(|error| error.to_string()),
            records: Vec::new(),
        };
        let first = results.iter().find_map(|result| result.span_ns).map(|span| span.0);
        let last = results.iter().filter_map(|result| result.span_ns).map(|span| span.1).max();
        let content = results.iter().fold(0_u64, |sum, result| sum.wrapping_add(result.content));
        let mut events = Vec::new();
        for result in results {
            summary.rejects.append(&result.rejects, summary.lines);
            let room = wanted.saturating_sub(summary.records.len());
            summary.records.extend(result.records.into_iter().take(room).map(|record| Record {
                line: record.line + summary.lines,
                resource: record.resource.map(|number| numbers[result.events.worker][number as usize]),
                ..record
            }));
            summary.lines += result.lines;
            summary.requests += result.requests;
            summary.recovered += result.recovered;
            summary.resolution_ns = summary.resolution_ns.max(result.resolution_ns);
            summary.evidence.merge(result.evidence);
            summary.broken = summary.broken.or(result.broken);
            events.push(result.events);
        }
        inputs.push(summary);
        ordered.push(((first, last, content), events));
    }
    // Inside a second the order of lines is the only order there is, so the parts of a log must be put in theirs,
    // whatever order they were named in.
    ordered.sort_by_key(|(key, _)| *key);
    let events = Events { blocks: ordered.into_iter().flat_map(|(_, events)| events).collect() };
    Reading { inputs, passed_over: Vec::new(), counts, resources, events, numbers }
}

impl InputSummary {
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
        (true, Some(shape), Some(producer)) => shape.label(producer),
        _ => format.label.clone(),
    }
}
