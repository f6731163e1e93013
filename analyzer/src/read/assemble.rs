//! Putting the blocks of all inputs together, in an order that does not depend on the threads.

use std::collections::{HashMap, HashSet};

use shared::profile::Sampling;

use super::Reading;
use super::open::Found;
use super::summary::InputSummary;
use super::worker::{BlockResult, Worker};
use crate::counts::{Counts, Hour};
use crate::duplicate::{self, Identified};
use crate::format::builtin::Evidence;
use crate::local::SecondPasses;
use crate::privacy::host::{self, HostCounts};
use crate::query;
use crate::record::Record;
use crate::reject::Rejects;
use crate::request::SECOND_NS;
use crate::resource;
use crate::settings::ReadSettings;
use crate::source::Ending;
use crate::store::{Change, Changed, Place, Store};
use crate::tally::Requested;
use crate::weight::REQUEST;

pub(super) fn assemble(
    endings: Vec<Ending>,
    sources: Vec<Found>,
    results: Vec<BlockResult>,
    workers: Vec<Worker<'_>>,
    store: Store,
    settings: &ReadSettings,
) -> Reading {
    let mut counts = Counts::default();
    let (mut interners, mut requested_of, mut queries) = (Vec::new(), Vec::new(), Vec::new());
    let mut hosts = HostCounts::new();
    let k = settings.queries.as_ref().map_or(0, |queries| queries.k);
    for worker in workers {
        let statuses = worker.statuses.iter().enumerate().filter(|(_, count)| **count > 0);
        let statuses = statuses.map(|(status, count)| (status as u16, *count)).collect();
        counts.merge(Counts { statuses, ..worker.counts });
        interners.push(worker.interner);
        requested_of.push(worker.requested);
        queries.extend(worker.queries);
        worker.hosts.into_iter().for_each(|seen| host::merge(&mut hosts, &seen.into_counts(), k));
    }
    let (resources, numbers) = resource::unify(interners);
    let mut requested = Requested::unite(&requested_of, &numbers, resources.len());
    let queries = query::unify(queries, &numbers);
    let mut per_input: Vec<Vec<BlockResult>> = sources.iter().map(|_| Vec::new()).collect();
    for result in results {
        per_input[result.input].push(result);
    }
    let mut inputs = Vec::new();
    let mut copies = HashMap::new();
    let mut changes: Vec<(Place, Change)> = Vec::new();
    let mut identified = Vec::new();
    for ((ending, source), mut results) in endings.into_iter().zip(sources).zip(per_input) {
        results.sort_by_key(|result| result.index);
        let mut summary = InputSummary {
            path: source.name,
            format: source.detection.format.description(),
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
            counted: true,
            broken: ending.damage,
            odd: ending.oddity,
            records: Vec::new(),
            second_passes: SecondPasses::find(results.iter().map(|result| &result.local)),
            order: Default::default(),
            mass: 0,
        };
        let first = results.iter().find_map(|result| result.span_ns).map(|span| span.0);
        let last = results.iter().filter_map(|result| result.span_ns).map(|span| span.1).max();
        let content = results.iter().fold(0_u64, |sum, result| sum.wrapping_add(result.content));
        summary.order = (first, last, content);
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
            summary.mass += result.mass;
            summary.evidence.merge(result.evidence);
            summary.broken = summary.broken.or(result.broken);
            if !result.identified.is_empty() {
                identified.push(((result.input, result.index), result.worker, result.identified));
            }
        }
        let by = summary.evidence.producer().filter(|_| summary.format.producer_unknown);
        if by.is_some_and(|by| by.stamp() != summary.format.stamp) {
            // Nothing is known of these requests but the stamp, which marks the other moment.
            for record in &mut summary.records {
                std::mem::swap(&mut record.started_at, &mut record.ended_at);
            }
        }
        summary.sampling = sampling(summary.requests, summary.unweighted, summary.mass);
        // Rotation that was interrupted leaves a log beside its compressed copy.
        if first.is_some()
            && let Some(other) = copies.insert((summary.order, summary.lines), summary.path.clone())
        {
            let copy = format!("it holds the same lines as `{other}`; both were counted");
            summary.odd.get_or_insert(copy);
        }
        inputs.push(summary);
    }
    let ranks = ranks(&inputs);
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
    Reading {
        inputs,
        passed_over: Vec::new(),
        counts,
        resources,
        requested,
        queries,
        hosts,
        duplicates,
        events,
    }
}

/// The rank of each input among all. Inside a second the order of lines is the only order there is, so the parts of a
/// log must be put in theirs.
pub(crate) fn ranks(inputs: &[InputSummary]) -> Vec<usize> {
    let mut ordered: Vec<usize> = (0..inputs.len()).collect();
    ordered.sort_by_key(|input| inputs[*input].order);
    let mut ranks = vec![0; inputs.len()];
    for (rank, input) in ordered.into_iter().enumerate() {
        ranks[input] = rank;
    }
    ranks
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
pub(crate) fn sampling(requests: u64, unknown: u64, mass: u64) -> Option<Sampling> {
    let share = |of: f64| of / requests.max(1) as f64;
    (unknown < requests).then(|| Sampling {
        weight_mean: share((mass + unknown * REQUEST) as f64 / REQUEST as f64),
        unknown_share: share(unknown as f64),
    })
}
