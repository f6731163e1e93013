//! Reading inputs into events: the one place where lines, formats, pseudonyms and threads meet.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::fast::FixedState;
use rayon::prelude::*;
use shared::profile::{Sampling, Stamp, StampCheck};

use crate::counts::Counts;
use crate::duplicate::{self, Identified};
use crate::error::Error;
use crate::event::Event;
use crate::format::builtin::{Builtin, Evidence};
use crate::format::detect::{self, Detection};
use crate::format::{Cache, Format, Options, Reader};
use crate::given::Given;
use crate::kind;
use crate::local::{LocalStamps, SecondPasses, Understood};
use crate::privacy::pseudonym::{ClientResolver, Key};
use crate::record::Record;
use crate::reject::{Position, Reject, Rejects};
use crate::request::{Request, SECOND_NS};
use crate::resource::{self, Interner, Resource};
use crate::session::stamps;
use crate::settings::ReadSettings;
use crate::source::{Block, Blocks, Compression, Input, open_all};
use crate::weight::{REQUEST, Weight};

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
    /// Requests with a duration.
    pub timed: u64,
    /// Requests whose stamp was printed without its zone.
    pub zoneless: u64,
    /// Those of them in an hour that the clocks of `--tz` skipped.
    pub skipped_hour: u64,
    /// `--tz` says in which zone they are.
    pub zone_given: bool,
    /// The moment that the stamps mark, where `--stamp` says.
    pub stamp_given: Option<Stamp>,
    /// What the log says about the moment that its stamps mark, where it has durations.
    pub stamp_check: Option<StampCheck>,
    /// How the input was sampled, where anything says that it was.
    pub sampling: Option<Sampling>,
    /// Requests that another record tells of as well, and that are left out.
    pub duplicates: u64,
    /// What the text says about who wrote it.
    pub evidence: Evidence,
    /// Why the input ended before its end.
    pub broken: Option<String>,
    /// The first requests, as many as were asked for.
    pub records: Vec<Record>,
    pub(crate) second_passes: SecondPasses,
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
    /// Input, block and line of the requests that another record tells of as well.
    pub(crate) duplicates: HashSet<(usize, u64, u64)>,
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
    input: usize,
    /// Number of the block in its input.
    index: u64,
    identified: Vec<Identified>,
    /// How stamps were read that are to count as neither start nor end.
    paced: Option<Stamp>,
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
            block.events[range].iter().map(|event| {
                let event = event.with_resource(numbers[event.resource() as usize]);
                block.paced.map_or(event, |stamp| event.paced(stamp))
            })
        })
    }

    /// What the inputs' own durations say about their stamps. Where the log contradicts what is known of its format,
    /// its durations are not subtracted: stamps then count as neither start nor end. What people said stands.
    fn check_stamps(&mut self) {
        let mut of_format: BTreeMap<(String, Stamp), Vec<usize>> = BTreeMap::new();
        for (number, input) in self.inputs.iter().enumerate().filter(|(_, input)| input.timed > 0) {
            of_format.entry((input.label(), input.stamp())).or_default().push(number);
        }
        for ((_, stamp), inputs) in of_format {
            let resolution_ns = inputs.iter().map(|number| self.inputs[*number].resolution_ns).max();
            let mut chosen = vec![false; self.inputs.len()];
            inputs.iter().for_each(|number| chosen[*number] = true);
            let resolution_ms = resolution_ns.unwrap_or(1) / 1_000_000;
            let overlaps = (0..PARTITIONS)
                .into_par_iter()
                .map(|partition| {
                    let events = self.events.of_inputs(&chosen, partition);
                    stamps::Overlaps::of_slow_clients(events, stamp, resolution_ms)
                })
                .reduce(stamps::Overlaps::default, stamps::Overlaps::plus);
            let check = overlaps.verdict(stamp);
            inputs.iter().for_each(|number| self.inputs[*number].stamp_check = Some(check));
            if check == StampCheck::Disagrees && self.inputs[inputs[0]].stamp_given.is_none() {
                let blocks = self.events.blocks.iter_mut().filter(|block| chosen[block.input]);
                blocks.for_each(|block| block.paced = Some(stamp));
            }
        }
    }
}

impl Events {
    /// Events of one partition and the chosen inputs, in the order of their lines, with resources of each block's own.
    fn of_inputs<'e>(
        &'e self,
        chosen: &'e [bool],
        partition: usize,
    ) -> impl Iterator<Item = Event> + Clone + 'e {
        let blocks = self.blocks.iter().filter(|block| chosen[block.input]);
        blocks.flat_map(move |block| {
            let range = block.starts[partition] as usize..block.starts[partition + 1] as usize;
            block.events[range].iter().copied()
        })
    }

    /// Leaves out what is told of twice; gives the input, block and line of each.
    fn without_duplicates(
        &mut self,
        inputs: &[InputSummary],
        numbers: &[Vec<u32>],
    ) -> HashSet<(usize, u64, u64)> {
        if self.blocks.iter().all(|block| block.identified.is_empty()) {
            return HashSet::new();
        }
        let mut formats: HashMap<&str, usize> = HashMap::new();
        let format: Vec<usize> = inputs
            .iter()
            .map(|input| {
                let next = formats.len();
                *formats.entry(&input.format.label).or_insert(next)
            })
            .collect();
        let blocks: Vec<duplicate::Block<'_>> = self
            .blocks
            .iter()
            .map(|block| duplicate::Block {
                input: block.input,
                format: format[block.input],
                identified: &block.identified,
                events: &block.events,
                numbers: &numbers[block.worker],
            })
            .collect();
        let found = duplicate::find(&blocks);
        let mut left_out = HashSet::new();
        for of_block in found.chunk_by(|(one, _), (other, _)| one == other) {
            let block = &mut self.blocks[of_block[0].0 as usize];
            let records: Vec<Identified> =
                of_block.iter().map(|(_, at)| block.identified[*at as usize]).collect();
            left_out.extend(records.iter().map(|record| (block.input, block.index, record.line())));
            block.remove(&records.iter().map(|record| record.event).collect::<HashSet<u32>>());
        }
        self.blocks.iter_mut().for_each(|block| block.identified = Vec::new());
        left_out
    }
}

impl EventBlock {
    fn remove(&mut self, positions: &HashSet<u32>) {
        let mut kept = Vec::with_capacity(self.events.len());
        let mut starts = Vec::with_capacity(self.starts.len());
        for (position, event) in (0..).zip(&self.events) {
            while self.starts.get(starts.len()).is_some_and(|start| *start <= position) {
                starts.push(kept.len() as u32);
            }
            if !positions.contains(&position) {
                kept.push(*event);
            }
        }
        starts.resize(self.starts.len(), kept.len() as u32);
        (self.events, self.starts) = (kept, starts.into());
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
    let mut reading = assemble(blocks, sources, into_inner(results), workers, settings);
    reading.check_stamps();
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
    timed: u64,
    /// Requests whose weight is known, and what they stand for in thousandths.
    weighed: u64,
    mass: u64,
    local: LocalStamps,
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
    given: Given,
    find_duplicates: bool,
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
            given: Given::new(settings),
            find_duplicates: !settings.keep_duplicates,
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
            timed: 0,
            weighed: 0,
            mass: 0,
            local: LocalStamps::default(),
            evidence: Evidence::default(),
            span_ns: None,
            content: 0,
            records: Vec::new(),
            broken: None,
            events: EventBlock {
                events: Vec::new(),
                starts: Box::default(),
                worker: self.number,
                input,
                index: block.index,
                identified: Vec::new(),
                paced: None,
            },
        };
        let several_inputs = self.several_inputs;
        result.broken = records(block, format, self.line_limit, cache, |at, line, record| {
            result.lines += 1;
            if several_inputs {
                result.content = result.content.wrapping_add(FixedState::default().hash_one(line));
            }
            match record {
                Err(reject) => result.rejects.add(reject, Position { line: result.lines, byte: at }),
                Ok(mut request) => {
                    let local = self.given.complete(&mut request);
                    if format.producer_unknown {
                        result.evidence.add(line, &request);
                    }
                    self.accept(&request, local, &mut result);
                }
            }
        });
        let identified = std::mem::take(&mut result.events.identified);
        (result.events.events, result.events.starts) = group(&self.scratch, &self.partitions);
        if !identified.is_empty() || result.local.ambiguous().next().is_some() {
            let position = positions(&self.partitions, &result.events.starts);
            result.local.renumber(&position);
            result.events.identified = identified.iter().map(|found| found.renumbered(&position)).collect();
        }
        result
    }

    /// Takes one request into the result of its block.
    fn accept(&mut self, request: &Request<'_>, local: Option<Understood>, result: &mut BlockResult) {
        result.requests += 1;
        result.recovered += u64::from(request.truncated);
        result.resolution_ns = result.resolution_ns.max(request.resolution_ns);
        let (first, last) = result.span_ns.unwrap_or((request.stamp_ns, request.stamp_ns));
        result.span_ns = Some((first, last.max(request.stamp_ns)));
        match local {
            // When it was will be known when all lines are.
            Some(Understood::Twice(_)) => self.counts.add_amounts(request),
            _ => self.counts.add(request, &mut self.hour),
        }
        self.statuses[usize::from(request.status).min(999)] += 1;
        result.timed += u64::from(request.duration_ns.is_some());
        if request.weight.is_some() {
            result.weighed += 1;
            result.mass += Weight::nearest(request.weight).mass();
        }
        if let Some(understood) = local {
            result.local.add(request, understood, (result.index, result.lines), self.scratch.len());
        }
        // One server logs each request once, unless it is one of a mesh, where each host has two that log.
        if self.find_duplicates
            && request.request_id.is_some()
            && (self.several_inputs || request.inbound.is_some())
        {
            let found = Identified::new(request, self.key, self.scratch.len(), result.lines);
            result.events.identified.extend(found);
        }
        let resource = self.event(request);
        if result.records.len() < self.records {
            result.records.push(match self.raw {
                true => Record::raw(request, result.lines),
                false => Record::pseudonymous(request, result.lines, self.key, resource),
            });
        }
    }

    /// Keeps one request as an event and gives the number of its resource.
    fn event(&mut self, request: &Request<'_>) -> u32 {
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
fn group(events: &[Event], partitions: &[u8]) -> (Vec<Event>, Box<[u32]>) {
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
    (grouped, starts.into())
}

/// Where [`group`] puts each event.
fn positions(partitions: &[u8], starts: &[u32]) -> Vec<u32> {
    let mut next = starts.to_vec();
    let place = |partition: &u8| {
        let at = &mut next[usize::from(*partition)];
        *at += 1;
        *at - 1
    };
    partitions.iter().map(place).collect()
}

fn assemble(
    blocks: Vec<Blocks>,
    sources: Vec<Source>,
    results: Vec<BlockResult>,
    workers: Vec<Worker<'_>>,
    settings: &ReadSettings,
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
            timed: 0,
            zoneless: 0,
            skipped_hour: 0,
            zone_given: settings.time_zone.is_some(),
            stamp_given: settings.stamp,
            stamp_check: None,
            sampling: None,
            duplicates: 0,
            evidence: Evidence::default(),
            broken: blocks.failure().map(|error| error.to_string()),
            records: Vec::new(),
            second_passes: SecondPasses::find(results.iter().map(|result| &result.local)),
        };
        let (mut weighed, mut mass) = (0, 0);
        let first = results.iter().find_map(|result| result.span_ns).map(|span| span.0);
        let last = results.iter().filter_map(|result| result.span_ns).map(|span| span.1).max();
        let content = results.iter().fold(0_u64, |sum, result| sum.wrapping_add(result.content));
        let mut events = Vec::new();
        for mut result in results {
            settle(&mut result, &summary.second_passes, &mut counts);
            summary.rejects.append(&result.rejects, summary.lines);
            let room = settings.records.saturating_sub(summary.records.len());
            summary.records.extend(result.records.into_iter().take(room).map(|record| Record {
                line: record.line + summary.lines,
                resource: record.resource.map(|number| numbers[result.events.worker][number as usize]),
                ..record
            }));
            summary.lines += result.lines;
            summary.requests += result.requests;
            summary.recovered += result.recovered;
            summary.resolution_ns = summary.resolution_ns.max(result.resolution_ns);
            summary.timed += result.timed;
            summary.zoneless += result.local.zoneless;
            summary.skipped_hour += result.local.skipped;
            weighed += result.weighed;
            mass += result.mass;
            summary.evidence.merge(result.evidence);
            summary.broken = summary.broken.or(result.broken);
            events.push(result.events);
        }
        summary.sampling = sampling(summary.requests, weighed, mass);
        inputs.push(summary);
        ordered.push(((first, last, content), events));
    }
    // Inside a second the order of lines is the only order there is, so the parts of a log must be put in theirs,
    // whatever order they were named in.
    ordered.sort_by_key(|(key, _)| *key);
    let mut events = Events { blocks: ordered.into_iter().flat_map(|(_, events)| events).collect() };
    let duplicates = events.without_duplicates(&inputs, &numbers);
    for (input, _, _) in &duplicates {
        inputs[*input].duplicates += 1;
    }
    Reading { inputs, passed_over: Vec::new(), counts, resources, events, duplicates, numbers }
}

/// Puts what was logged in an hour that came twice at its time, now that all lines of the input are known.
fn settle(result: &mut BlockResult, second_passes: &SecondPasses, counts: &mut Counts) {
    let mut hour = (i64::MIN, 0);
    for ambiguous in result.local.ambiguous() {
        let shift_s = second_passes.shift_s(ambiguous);
        let stamp_ns = ambiguous.stamp_ns + i64::from(shift_s) * SECOND_NS;
        counts.add_moment(stamp_ns, ambiguous.offset_s - shift_s, &mut hour);
        let event = &mut result.events.events[ambiguous.event];
        *event = event.later_ms(i64::from(shift_s) * 1000);
        let records = result.records.iter_mut().filter(|record| record.line == ambiguous.place.1);
        records.for_each(|record| record.shift(shift_s));
    }
}

/// How requests were sampled, `weighed` of which stand for `mass` thousandths; `None` where nothing says that they were.
fn sampling(requests: u64, weighed: u64, mass: u64) -> Option<Sampling> {
    let unknown = requests - weighed;
    let share = |of: f64| of / requests.max(1) as f64;
    (weighed > 0).then(|| Sampling {
        weight_mean: share((mass + unknown * REQUEST) as f64 / REQUEST as f64),
        unknown_share: share(unknown as f64),
    })
}

impl InputSummary {
    /// The format's label, corrected by what the whole text says about who wrote it.
    pub fn label(&self) -> String {
        label(&self.format, self.evidence)
    }

    /// The moment that the stamps mark: as given, else as the producer writes them.
    pub fn stamp(&self) -> Stamp {
        self.stamp_given.unwrap_or_else(|| stamp(&self.format, self.evidence))
    }
}

/// The moment that stamps of `format` mark, given what the text says about who wrote it.
pub(crate) fn stamp(format: &Format, evidence: Evidence) -> Stamp {
    let producer = evidence.producer().filter(|_| format.producer_unknown);
    producer.map_or_else(|| format.stamp(), |producer| producer.stamp())
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
