//! What a part says of itself in front of its events.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};
use shared::profile::Stamp;

use super::Shard;
use crate::counts::Counts;
use crate::format::Description;
use crate::format::builtin::Evidence;
use crate::kind::Kind;
use crate::local::SecondPasses;
use crate::privacy::country::Countries;
use crate::privacy::host::HostCounts;
use crate::query::QueryCounts;
use crate::read::{InputSummary, OrderKey, Reading, sampling};
use crate::reject::Rejects;
use crate::resource::Resource;
use crate::settings::ReadSettings;
use crate::tally::Requested;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    /// Tells keys apart without telling what they are.
    pub(super) key: u64,
    pub(super) read_as: ReadAs,
    pub(super) shard: Shard,
    pub(super) inputs: Vec<PartInput>,
    pub(super) counts: Counts,
    pub(super) resources: Vec<Resource>,
    pub(super) queries: QueryCounts,
    pub(super) hosts: HostCounts,
    pub(super) requested: Vec<[Requested; Kind::ALL.len()]>,
}

/// The settings that must be the same in all parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReadAs {
    pub(super) identity: String,
    pub(super) templates: bool,
    pub(super) keep_duplicates: bool,
    /// Distinct clients that are told apart behind the names of query parameters; `None` where those do not count.
    pub(super) queries_k: Option<u64>,
    /// Tells given routes and trusted proxies from others.
    pub(super) given: u64,
    /// Tells databases of countries from others; `None` where countries were not looked for.
    pub(super) countries: Option<u64>,
}

impl ReadAs {
    pub(super) fn of(settings: &ReadSettings) -> Self {
        Self {
            identity: settings.identity.to_string(),
            templates: settings.templates,
            keep_duplicates: settings.keep_duplicates,
            queries_k: settings.queries.as_ref().map(|queries| queries.k),
            given: FixedState::default()
                .hash_one(format!("{:?} {:?}", settings.routes, settings.trusted_proxies)),
            countries: settings.countries.as_deref().map(Countries::fingerprint),
        }
    }
}

/// One input, as far as the profile needs it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PartInput {
    path: String,
    format: Description,
    order: OrderKey,
    lines: u64,
    requests: u64,
    rejects: Rejects,
    recovered: u64,
    unweighted: u64,
    mass: u64,
    clients_by_trace: u64,
    resolution_ns: i64,
    timed: u64,
    zoneless: u64,
    skipped_hour: u64,
    zone_given: bool,
    stamp_given: Option<Stamp>,
    duplicates: u64,
    evidence: Evidence,
    broken: Option<String>,
}

impl Header {
    /// Of what was read, for the clients of `shard`.
    pub(super) fn of(reading: &Reading, settings: &ReadSettings, key: u64, shard: Shard) -> Self {
        Self {
            key,
            read_as: ReadAs::of(settings),
            shard,
            inputs: reading.inputs.iter().map(PartInput::of).collect(),
            counts: reading.counts.clone(),
            resources: reading.resources.clone(),
            queries: reading.queries.clone(),
            hosts: reading.hosts.clone(),
            requested: reading.requested.clone(),
        }
    }
}

impl PartInput {
    fn of(input: &InputSummary) -> Self {
        Self {
            path: input.path.clone(),
            format: input.format.clone(),
            order: input.order,
            lines: input.lines,
            requests: input.requests,
            rejects: input.rejects.clone(),
            recovered: input.recovered,
            unweighted: input.unweighted,
            mass: input.mass,
            clients_by_trace: input.clients_by_trace,
            resolution_ns: input.resolution_ns,
            timed: input.timed,
            zoneless: input.zoneless,
            skipped_hour: input.skipped_hour,
            zone_given: input.zone_given,
            stamp_given: input.stamp_given,
            duplicates: input.duplicates,
            evidence: input.evidence,
            broken: input.broken.clone(),
        }
    }

    /// The input again; what it counted where the part is the `first` of its shards, and else only what it is.
    pub(super) fn into_summary(self, first: bool) -> InputSummary {
        let counted = |count: u64| if first { count } else { 0 };
        InputSummary {
            path: self.path,
            confidence: 1.0,
            compressed: None,
            envelope: None,
            lines: counted(self.lines),
            requests: counted(self.requests),
            rejects: if first { self.rejects } else { Rejects::default() },
            recovered: counted(self.recovered),
            unweighted: counted(self.unweighted),
            clients_by_trace: counted(self.clients_by_trace),
            resolution_ns: self.resolution_ns,
            timed: self.timed,
            zoneless: counted(self.zoneless),
            skipped_hour: counted(self.skipped_hour),
            zone_given: self.zone_given,
            stamp_given: self.stamp_given,
            stamp_check: None,
            sampling: sampling(self.requests, self.unweighted, self.mass),
            duplicates: counted(self.duplicates),
            evidence: self.evidence,
            counted: first,
            broken: self.broken,
            odd: None,
            records: Vec::new(),
            second_passes: SecondPasses::default(),
            order: self.order,
            mass: counted(self.mass),
            format: self.format,
        }
    }
}
