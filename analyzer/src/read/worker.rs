//! What a thread makes of a block of an input: events, counts, and what only the whole input settles.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;

use crate::counts::{Counts, Hour};
use crate::duplicate::Identified;
use crate::error::Error;
use crate::event::Event;
use crate::format::builtin::Evidence;
use crate::format::marks::LineMarks;
use crate::format::{self, Cache, Format, Reader};
use crate::given::Given;
use crate::kind::{self, Kind};
use crate::local::{LocalStamps, Understood};
use crate::privacy::host::HostCounter;
use crate::privacy::pseudonym::{ClientResolver, Key, Requester};
use crate::query::Queries;
use crate::record::Record;
use crate::reject::{Position, Reject, Rejects};
use crate::request::Request;
use crate::resource::Interner;
use crate::settings::ReadSettings;
use crate::source::Block;
use crate::store::{EventBlock, Store};
use crate::tally::Requested;
use crate::weight::Weight;

/// Bytes of an input whose requests are asked what stamps mark, where nothing else is asked of them: hundreds of
/// thousands, and 50 of them can say it.
const STAMP_CHECK_BYTES: u64 = 64 << 20;

/// What one block gave.
pub(super) struct BlockResult {
    pub(super) input: usize,
    pub(super) index: u64,
    pub(super) lines: u64,
    pub(super) requests: u64,
    pub(super) recovered: u64,
    pub(super) unweighted: u64,
    pub(super) clients_by_trace: u64,
    pub(super) rejects: Rejects,
    pub(super) resolution_ns: i64,
    pub(super) timed: u64,
    /// What the requests whose weight is known stand for, in thousandths.
    pub(super) mass: u64,
    pub(super) local: LocalStamps,
    pub(super) identified: Vec<Identified>,
    pub(super) evidence: Evidence,
    pub(super) span_ns: Option<(i64, i64)>,
    /// Sum of the hashes of all lines, where there are inputs to be put in order: tells contents apart, whatever
    /// the blocks.
    pub(super) content: u64,
    pub(super) records: Vec<Record>,
    /// Why a document ended before its end.
    pub(super) broken: Option<String>,
    /// Whose numbers the resources of `records` and `identified` have.
    pub(super) worker: usize,
}

/// What a thread keeps from block to block.
pub(super) struct Worker<'k> {
    number: usize,
    clients: ClientResolver<'k>,
    pub(super) interner: Interner,
    pub(super) queries: Option<Queries>,
    pub(super) hosts: Option<HostCounter>,
    pub(super) requested: Vec<[Requested; Kind::ALL.len()]>,
    pub(super) counts: Counts,
    pub(super) statuses: Box<[u64; 1000]>,
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
    pub(super) fn new(number: usize, settings: &'k ReadSettings, key: &'k Key, several_inputs: bool) -> Self {
        Self {
            number,
            clients: ClientResolver::new(key, &settings.identity, settings.countries.as_deref()),
            interner: Interner::new(settings.templates, settings.routes.clone()),
            queries: settings.queries.as_ref().map(Queries::new),
            hosts: settings.queries.as_ref().map(|queries| HostCounter::new(queries.k)),
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

    pub(super) fn block(
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
        let escapes_are_the_producers = format.escapes_are_the_producers();
        result.broken = records(block, format, self.line_limit, cache, |line, record| {
            result.lines += 1;
            if several_inputs {
                result.content = result.content.wrapping_add(FixedState::default().hash_one(line.text));
            }
            match record {
                Err(reject) => result.rejects.add(reject, Position { line: result.lines, byte: line.at }),
                Ok(request) => {
                    let local = self.given.complete(request);
                    if format.producer_unknown {
                        let backslash = line.marks.backslash(line.text).filter(|_| escapes_are_the_producers);
                        result.evidence.add(line.text, backslash, request);
                    }
                    self.accept(line.at, request, local, &mut result);
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

    /// Takes one request, whose line is at a byte of the input, into the result of its block.
    fn accept(
        &mut self,
        at: u64,
        request: &Request<'_>,
        local: Option<Understood>,
        result: &mut BlockResult,
    ) {
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
        let tells_stamps = request.duration_ns.is_some() && at < STAMP_CHECK_BYTES;
        let event = (self.events || may_come_twice || tells_stamps)
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
        let Requester { client, kind: agent, origin } = self.clients.client(request);
        let (path, query) = request.path_and_query();
        let asked = self.interner.asked(request, path);
        let kind = kind::of_known_path(request, asked.path, agent);
        if let Some(query) = query
            && let Some(queries) = self.queries.as_mut().filter(|queries| queries.counts(kind))
        {
            queries.add(asked.resource, query, client);
        }
        if let Some(hosts) = &mut self.hosts
            && let Some(host) = request.host
        {
            hosts.add(host, client);
        }
        let event = Event::new(request, client, asked.resource, kind).of(origin);
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

/// The line that a record is of, without its end. A document's records have none.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Line<'b> {
    /// Where it starts in the input.
    pub(crate) at: u64,
    pub(crate) text: &'b [u8],
    marks: LineMarks<'b>,
}

/// Gives every record of `block` to `visit`: its line, and the request or why it is none. Gives why a document could
/// not be read to its end.
///
/// Requests are lent: they are large, and to hand one over would copy it.
pub(crate) fn records(
    block: &Block,
    format: &Format,
    line_limit: usize,
    cache: &mut Cache,
    mut visit: impl FnMut(Line<'_>, Result<&mut Request<'_>, Reject>),
) -> Option<String> {
    let mut lend = |line: Line<'_>, mut record: Result<Request<'_>, Reject>| {
        visit(line, record.as_mut().map_err(|reject| *reject));
    };
    if let Reader::Document(document) = format.reader {
        return document.read(&block.bytes, &mut |record| lend(Line::default(), record)).err();
    }
    if let Reader::Table(columns) = &format.reader {
        return columns.read_parquet(&block.bytes, &mut |record| lend(Line::default(), record)).err();
    }
    if let Reader::Records(record) = &format.reader {
        let read = format::records::each(&block.bytes, |start, text| {
            let line = Line { at: block.offset + start as u64, text, ..Line::default() };
            lend(line, record.parse(text, cache));
        });
        return read.err();
    }
    cache.begin(block.header.as_deref());
    let mut marks = std::mem::take(&mut cache.marks);
    marks.each_line(&block.bytes, |start, text, marks| {
        let line = Line { at: block.offset + start as u64, text, marks };
        match text.len() > line_limit {
            true => visit(line, Err(Reject::TooLong)),
            false => {
                visit(line, format.parse_marked(text, Some(marks), cache).as_mut().map_err(|reject| *reject))
            }
        }
    });
    cache.marks = marks;
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Options;
    use crate::format::detect::detect;
    use crate::format::tests::mutate;

    /// Where its marks are found with those of the lines around it, a line says what it says alone.
    #[test]
    fn a_line_is_read_in_a_block_as_alone() {
        for (seed, label) in [
            (
                r#"192.0.2.1 - - [10/Oct/2026:13:55:36 -0700] "GET /a?b=c HTTP/1.1" 200 2326 "-" "a \"b\" \x16 \\""#,
                "nginx:combined",
            ),
            (
                r#"{"time":"2026-10-10T13:55:36Z","remote_addr":"192.0.2.1","method":"GET","uri":"/a\"b\\","status":200,"x":{"y":["\\"]}}"#,
                "json:generic",
            ),
            (
                r#"a.example:443 192.0.2.1 - - [10/Oct/2026:13:55:36 -0700] "GET /a?b=c HTTP/1.1" 200 2326 "-" "a \"b\" \x16 \\""#,
                "apache:vhost_combined",
            ),
        ] {
            let format = detect(seed.as_bytes(), &Options::default()).remove(0).format;
            assert_eq!(format.label, label);
            let mut block = Block::default();
            mutate(&[seed], |line| {
                block.bytes.extend_from_slice(line);
                block.bytes.push(b'\n');
            });
            let (mut cache, mut other, mut requests) = (Cache::default(), Cache::default(), 0);
            let broken = records(&block, &format, 1 << 20, &mut cache, |line, record| {
                requests += u32::from(record.is_ok());
                let alone = format.parse(line.text, &mut other);
                assert_eq!(format!("{record:?}"), format!("{alone:?}"), "{}", line.text.escape_ascii());
            });
            assert_eq!(broken, None);
            assert!(requests > 100, "{requests}");
        }
    }
}
