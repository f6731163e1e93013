//! Reading inputs into events: the one place where lines, formats, pseudonyms and threads meet.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::sync::Mutex;

use foldhash::fast::FixedState;
use rayon::prelude::*;
use shared::profile::{Sampling, Stamp, StampCheck};

use crate::counts::{Counts, Hour};
use crate::document::Document;
use crate::duplicate::{self, Identified};
use crate::error::Error;
use crate::event::Event;
use crate::format::builtin::Evidence;
use crate::format::detect::{self, Detection};
use crate::format::{self, Cache, Format, Options, Reader};
use crate::given::Given;
use crate::kind::{self, Kind};
use crate::local::{LocalStamps, SecondPasses, Understood};
use crate::privacy::pseudonym::{ClientResolver, Key};
use crate::record::Record;
use crate::reject::{Position, Reject, Rejects};
use crate::request::{Request, SECOND_NS};
use crate::resource::{self, Interner, Resource};
use crate::session::stamps::Overlaps;
use crate::settings::ReadSettings;
use crate::source::{Block, Ending, Input, Located, Queue, Waiting, archive, locate};
pub use crate::source::{PassedOver, Why};
use crate::store::{Change, Changed, EventBlock, Events, PARTITIONS, Place, Store};
use crate::tally::Requested;
use crate::weight::{REQUEST, Weight};

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
    /// What was odd about its bytes, although nothing is lost.
    pub odd: Option<String>,
    /// The first requests, as many as were asked for.
    pub records: Vec<Record>,
    pub(crate) second_passes: SecondPasses,
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
    /// Input, block and line of the requests that another record tells of as well.
    pub(crate) duplicates: HashSet<(usize, u64, u64)>,
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

    /// What the inputs' own durations say about their stamps. Where the log contradicts what is known of its format,
    /// its durations are not subtracted: stamps then count as neither start nor end. What people said stands.
    fn check_stamps(&mut self) -> Result<(), Error> {
        let mut of_format: BTreeMap<(String, Stamp), Vec<usize>> = BTreeMap::new();
        for (number, input) in self.inputs.iter().enumerate().filter(|(_, input)| input.timed > 0) {
            of_format.entry((input.label(), input.stamp())).or_default().push(number);
        }
        for ((_, stamp), inputs) in of_format {
            let resolution_ns = inputs.iter().map(|number| self.inputs[*number].resolution_ns).max();
            let mut chosen = vec![false; self.inputs.len()];
            inputs.iter().for_each(|number| chosen[*number] = true);
            let resolution_ms = resolution_ns.unwrap_or(1) / 1_000_000;
            let check = (0..PARTITIONS)
                .into_par_iter()
                .map(|partition| {
                    let events = self.events.of_inputs(&chosen, partition)?;
                    Ok(Overlaps::of_slow_clients(events.iter().copied(), stamp, resolution_ms))
                })
                .try_reduce(Overlaps::default, |one, other| Ok(one.plus(other)))
                .map_err(|source| Error::Spill { source })?
                .verdict(stamp);
            inputs.iter().for_each(|number| self.inputs[*number].stamp_check = Some(check));
            if check == StampCheck::Disagrees && self.inputs[inputs[0]].stamp_given.is_none() {
                self.events.pace(&inputs, stamp);
            }
        }
        Ok(())
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
    let mut reading = assemble(queue.endings(), sources, into_inner(results), workers, store, settings);
    reading.check_stamps()?;
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
    timed: u64,
    /// What the requests whose weight is known stand for, in thousandths.
    mass: u64,
    local: LocalStamps,
    identified: Vec<Identified>,
    evidence: Evidence,
    span_ns: Option<(i64, i64)>,
    /// Sum of the hashes of all lines, where there are inputs to be put in order: tells contents apart, whatever
    /// the blocks.
    content: u64,
    records: Vec<Record>,
    /// Why a document ended before its end.
    broken: Option<String>,
    /// Whose numbers the resources of `records` and `identified` have.
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
            given: Given::new(settings),
            find_duplicates: !settings.keep_duplicates,
            scratch: Vec::new(),
            partitions: Vec::new(),
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
        self.partitions.clear();
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
            timed: 0,
            mass: 0,
            local: LocalStamps::default(),
            identified: Vec::new(),
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
                Ok(mut request) => {
                    let local = self.given.complete(&mut request);
                    if format.producer_unknown {
                        result.evidence.add(format.as_produced(line), &request);
                    }
                    self.accept(&request, local, &mut result);
                }
            }
        });
        if !self.scratch.is_empty() {
            let grouped =
                EventBlock::group((input, block.index), self.number, &self.scratch, &self.partitions);
            if !result.identified.is_empty() || result.local.ambiguous().next().is_some() {
                let position = grouped.positions(&self.partitions);
                result.local.renumber(&position);
                result.identified.iter_mut().for_each(|found| *found = found.renumbered(&position));
            }
            store.add(grouped).map_err(|source| Error::Spill { source })?;
        }
        Ok(result)
    }

    /// Takes one request into the result of its block.
    fn accept(&mut self, request: &Request<'_>, local: Option<Understood>, result: &mut BlockResult) {
        result.requests += 1;
        result.recovered += u64::from(request.truncated);
        result.unweighted += u64::from(request.weight.is_none());
        result.clients_by_trace += u64::from(request.client_is_trace);
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
            result.mass += Weight::nearest(request.weight).mass();
        }
        // One server logs each request once, unless it is one of a mesh, where each host has two that log.
        let may_come_twice = self.find_duplicates
            && request.request_id.is_some()
            && (self.several_inputs || request.inbound.is_some());
        // Durations tell what stamps mark, and ids what came twice, whether or not anything else is asked of events.
        let event = (self.events || may_come_twice || request.duration_ns.is_some())
            .then(|| (self.scratch.len(), self.event(request)));
        if let Some(understood) = local {
            let number = event.and_then(|(number, _)| u32::try_from(number).ok());
            result.local.add(request, understood, (result.index, result.lines), number);
        }
        if may_come_twice && let Some((number, _)) = event {
            let found = Identified::new(request, self.key, self.scratch[number], number, result.lines);
            result.identified.extend(found);
        }
        let resource = event.map_or(0, |(_, resource)| resource);
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
        self.partitions.push((client >> 56) as u8);
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
    settings: &ReadSettings,
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
    let mut changes: Vec<(Place, Change)> = Vec::new();
    let mut identified = Vec::new();
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
            timed: 0,
            zoneless: 0,
            skipped_hour: 0,
            zone_given: settings.time_zone.is_some(),
            stamp_given: settings.stamp,
            stamp_check: None,
            sampling: None,
            duplicates: 0,
            evidence: Evidence::default(),
            broken: ending.damage,
            odd: ending.oddity,
            records: Vec::new(),
            second_passes: SecondPasses::find(results.iter().map(|result| &result.local)),
        };
        let mut mass = 0;
        let first = results.iter().find_map(|result| result.span_ns).map(|span| span.0);
        let last = results.iter().filter_map(|result| result.span_ns).map(|span| span.1).max();
        let content = results.iter().fold(0_u64, |sum, result| sum.wrapping_add(result.content));
        let key = (first, last, content);
        for mut result in results {
            changes.extend(settle(&mut result, &summary.second_passes, &mut counts));
            summary.rejects.append(&result.rejects, summary.lines);
            let room = settings.records.saturating_sub(summary.records.len());
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
            summary.timed += result.timed;
            summary.zoneless += result.local.zoneless;
            summary.skipped_hour += result.local.skipped;
            mass += result.mass;
            summary.evidence.merge(result.evidence);
            summary.broken = summary.broken.or(result.broken);
            if !result.identified.is_empty() {
                identified.push(((result.input, result.index), result.worker, result.identified));
            }
        }
        let by = summary.evidence.producer().filter(|_| summary.format.producer_unknown);
        if by.is_some_and(|by| by.stamp() != summary.format.stamp()) {
            // Nothing is known of these requests but the stamp, which marks the other moment.
            for record in &mut summary.records {
                std::mem::swap(&mut record.started_at, &mut record.ended_at);
            }
        }
        summary.sampling = sampling(summary.requests, summary.unweighted, mass);
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
    identified.sort_unstable_by_key(|((input, index), ..)| (ranks[*input], *index));
    let mut duplicates = HashSet::new();
    for (place, numbers, record) in repeated(&identified, &inputs, &numbers) {
        let event = record.event;
        let resource = numbers[event.resource() as usize];
        requested[resource as usize][event.kind() as usize].remove(event.status());
        inputs[place.0].duplicates += 1;
        duplicates.insert((place.0, place.1, record.line()));
        changes.push((place, Change { event: record.number, to: Changed::LeftOut }));
    }
    let mut events = store.finish(&ranks, numbers);
    events.change(changes.into_iter());
    Reading { inputs, passed_over: Vec::new(), counts, resources, requested, duplicates, events }
}

/// The requests of one block that have ids: its place, its worker, and them.
type IdentifiedBlock = (Place, usize, Vec<Identified>);

/// The records that are left out because another one tells of the same request, with their place and the numbers of
/// their resources. `blocks` are in order, whatever order the inputs were named in.
fn repeated<'n>(
    blocks: &[IdentifiedBlock],
    inputs: &[InputSummary],
    numbers: &'n [Vec<u32>],
) -> Vec<(Place, &'n [u32], Identified)> {
    let mut formats: HashMap<&str, usize> = HashMap::new();
    let format: Vec<usize> = inputs
        .iter()
        .map(|input| {
            let next = formats.len();
            *formats.entry(&input.format.label).or_insert(next)
        })
        .collect();
    let searched: Vec<duplicate::Block<'_>> = blocks
        .iter()
        .map(|((input, _), worker, identified)| duplicate::Block {
            input: *input,
            format: format[*input],
            identified,
            numbers: &numbers[*worker],
        })
        .collect();
    let record = |(block, at): (u32, u32)| {
        let (place, worker, identified) = &blocks[block as usize];
        (*place, numbers[*worker].as_slice(), identified[at as usize])
    };
    duplicate::find(&searched).into_iter().map(record).collect()
}

/// Puts what was logged in an hour that came twice at its time, now that all lines of the input are known; gives the
/// events that happened later than they were taken for.
fn settle(
    result: &mut BlockResult,
    second_passes: &SecondPasses,
    counts: &mut Counts,
) -> Vec<(Place, Change)> {
    let mut hour = Hour::default();
    let mut later = Vec::new();
    for ambiguous in result.local.ambiguous() {
        let shift_s = second_passes.shift_s(ambiguous);
        let stamp_ns = ambiguous.stamp_ns + i64::from(shift_s) * SECOND_NS;
        counts.add_moment(stamp_ns, ambiguous.offset_s - shift_s, &mut hour);
        if shift_s == 0 {
            continue;
        }
        let line = ambiguous.place.1;
        let change = |event| ((result.input, result.index), Change { event, to: Changed::Later(shift_s) });
        later.extend(ambiguous.event.map(change));
        if let Ok(at) = result.identified.binary_search_by_key(&line, Identified::line) {
            let event = &mut result.identified[at].event;
            *event = event.later_ms(i64::from(shift_s) * 1000);
        }
        let records = result.records.iter_mut().filter(|record| record.line == line);
        records.for_each(|record| record.shift(shift_s));
    }
    later
}

/// How requests were sampled, `unknown` of which do not say what they stand for, and the others `mass` thousandths;
/// `None` where nothing says that they were.
fn sampling(requests: u64, unknown: u64, mass: u64) -> Option<Sampling> {
    let share = |of: f64| of / requests.max(1) as f64;
    (unknown < requests).then(|| Sampling {
        weight_mean: share((mass + unknown * REQUEST) as f64 / REQUEST as f64),
        unknown_share: share(unknown as f64),
    })
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
    match (format.label.rsplit_once(':'), evidence.producer().filter(|_| format.producer_unknown)) {
        (Some((_, name)), Some(producer)) => format.wrapped_label(&format!("{}:{name}", producer.name())),
        _ => format.label.clone(),
    }
}
