//! The profile, put together from what the gate lets through.

use std::collections::{BTreeMap, BTreeSet};

use shared::distribution::Unit;
use shared::endpoint::{Endpoint, QueryParameter};
use shared::profile::{
    GapSensitivity, Privacy, Profile, RouteSources, Sampling, SessionRule, Source, Stamp, StampCheck,
    Suppressed, VERSION,
};
use shared::session::OTHER;
use shared::units::{round_count, round_probability, round_shares, round_significant};

mod arrivals;
mod background;
mod chain;
mod classes;
mod clients;
mod companions;
mod crowd;
pub(crate) mod holdout;
mod parameters;
mod queries;
mod think_times;

use chain::Flow;
use classes::{Kinds, Ways};

use super::gate::Gate;
use super::host;
use crate::Counted;
use crate::error::Error;
use crate::event::SIZE_RELATIVE_ERROR;
use crate::format::builtin::Evidence;
use crate::kind::Kind;
use crate::model::popularity::Use;
use crate::read::Reading;
use crate::request::SECOND_NS;
use crate::route::Routes;
use crate::settings::Settings;
use crate::tally::cell::logged;
use crate::tally::civil::CivilClock;
use crate::tally::{DURATION_RELATIVE_ERROR, EndpointTally, RouteNumber, Tally};
use crate::weight::requests;

/// The profile of what was counted.
///
/// # Errors
/// [`Error::TooLittle`] when not one endpoint was used by k clients.
pub(crate) fn publish(reading: &Reading, counted: &Counted, settings: &Settings) -> Result<Profile, Error> {
    let Counted { routes, clock, tally, walks } = counted;
    let gate = Gate::new(settings.model.k);
    let named = gate.routes(tally, routes);
    if named.iter().all(|route| routes.routes[*route as usize].is_file) {
        let left_out = excluded(tally, settings).into_iter().filter(|(_, count)| *count > 0);
        let left_out: Vec<String> =
            left_out.map(|(kind, count)| format!("{count} {}", kind.replace('_', " "))).collect();
        let left_out = if left_out.is_empty() {
            String::new()
        } else {
            format!("\n  left out: {}", left_out.join(", "))
        };
        return Err(Error::TooLittle {
            sessions: tally.sessions.count,
            clients: tally.clients,
            k: gate.k(),
            left_out,
        });
    }
    let id = |route: RouteNumber| -> &str {
        if named.contains(&route) { &routes.routes[route as usize].id } else { OTHER }
    };
    let mut queries = queries::queries(reading, tally, routes, gate);
    let uses = parameters::uses(reading, routes, &settings.model);
    let endpoints = endpoints(tally, routes, &named, &mut queries, &uses, gate);
    let state = |route: RouteNumber| if named.contains(&route) { route } else { classes::UNNAMED };
    // Neither needs anything of the other, and each has parts that only one thread can work at.
    let (arrivals, kinds) = rayon::join(
        || arrivals::Fitted::of(reading, tally, clock, settings),
        || Kinds::find(walks, &state, &id, gate),
    );
    let mut flow = Flow::of(tally, &state);
    let mut returns = BTreeMap::new();
    for ((last, first), cell) in &tally.sideband {
        *returns.entry((state(*last), state(*first))).or_insert(0) += cell.count;
    }
    let counted_sessions = flow.sessions.mass;
    let returns = flow.corrected(&returns);
    // Sessions that were taken for one began as well.
    let merged = flow.sessions.mass as f64 / counted_sessions.max(1) as f64;
    let gap_s = settings.model.gap_ms as f64 / 1000.0;
    let ((think_times, pauses), ways) = rayon::join(
        || think_times::think_times(&kinds, &returns, gap_s, &id, gate),
        || Ways::of(&kinds, flow, &id, gate),
    );
    let (classes, transitions_dropped) = ways.classes(&kinds, pauses);
    let (suppressed, suppressed_requests) = suppressed(tally, routes, &named);
    let arrivals = arrivals.published(merged, &classes);
    let profile = Profile {
        loadprint: VERSION,
        source: source(reading, tally, routes, clock, settings),
        privacy: Privacy {
            k: u32::try_from(gate.k()).unwrap_or(u32::MAX),
            pseudonyms: "siphash-2-4/ephemeral".to_owned(),
            suppressed: Suppressed {
                endpoints: suppressed,
                requests_share: round_probability(suppressed_requests),
                transitions_share: round_probability(transitions_dropped),
            },
        },
        endpoints,
        sessions: clients::sessions(&tally.whole, gate),
        clients: clients::clients(tally, gate),
        classes,
        think_times,
        arrivals,
        background: background::background(reading, tally, routes, &named, gate),
        scenarios: BTreeMap::new(),
        feeds: BTreeMap::new(),
        login: None,
        thresholds: Vec::new(),
    };
    // What leaves can be executed; a profile that could not be read again would be found out too late.
    match shared::validate::validate(&profile) {
        violations if violations.is_empty() => Ok(profile),
        violations => Err(shared::Error::Invalid { violations }.into()),
    }
}

fn source(
    reading: &Reading,
    tally: &Tally,
    routes: &Routes,
    clock: &CivilClock,
    settings: &Settings,
) -> Source {
    let evidence = reading.inputs.iter().filter(|input| input.counted && input.format.producer_unknown).fold(
        Evidence::default(),
        |mut all, input| {
            all.merge(input.evidence);
            all
        },
    );
    let labels: BTreeSet<String> =
        reading.inputs.iter().map(|input| input.format.label_by(evidence)).collect();
    let stamps: BTreeSet<Stamp> = reading
        .inputs
        .iter()
        .map(|input| input.stamp_given.unwrap_or_else(|| input.format.stamp_by(evidence)))
        .collect();
    let mut stamps = stamps.into_iter();
    let stamp = match (stamps.next(), stamps.next()) {
        (Some(stamp), None) => stamp,
        _ => Stamp::Mixed,
    };
    let resolution_ns = reading.inputs.iter().map(|input| input.resolution_ns).max().unwrap_or(1);
    let (from_s, to_s) = span_s(reading);
    let mut rejected: BTreeMap<String, u64> = BTreeMap::new();
    for input in &reading.inputs {
        for (reject, found) in &input.rejects.0 {
            *rejected.entry(reject.name().to_owned()).or_insert(0) += found.count;
        }
    }
    rejected.insert("total".to_owned(), rejected.values().sum());
    let mut source = Source {
        format: labels.into_iter().collect::<Vec<_>>().join(" + "),
        stamp,
        stamp_check: stamp_check(reading),
        resolution_s: resolution_ns as f64 / SECOND_NS as f64,
        timezone: clock.name().to_owned(),
        // To five minutes, because the exact moment of a request can identify who made it.
        from: clock.rfc3339(from_s.div_euclid(300) * 300),
        to: clock.rfc3339((to_s.div_euclid(300) + 1) * 300),
        lines: reading.inputs.iter().map(|input| input.lines).sum(),
        requests: reading.counts.requests,
        rejected,
        excluded: excluded_and_duplicates(reading, tally, settings),
        sampling: sampled(reading),
        routes: route_sources(routes),
        sessions: tally.sessions.count,
        shared_clients_share: shared_clients_share(tally),
        session_rule: SessionRule {
            identity: settings.read.identity.to_string(),
            gap_s: settings.model.gap_ms as f64 / 1000.0,
            gap_rule: settings.model.gap_rule,
            sensitivity: sensitivity(tally),
        },
        hosts: None,
    };
    // What the same input gives again, and another one hardly.
    let Source { from, to, lines, requests, sessions, .. } = &source;
    let salted_with = format!("{from} {to} {lines} {requests} {sessions}");
    source.hosts = host::fingerprints(&reading.hosts, &salted_with);
    source
}

/// How the number of sessions depends on the gap. A return within another gap would not have been one with twice the gap.
fn sensitivity(tally: &Tally) -> Option<GapSensitivity> {
    let sessions = tally.sessions.count as f64;
    let returns: u64 = tally.sideband.values().map(|cell| cell.count).sum();
    let relative = |sessions_then: f64| round_significant(sessions_then / sessions, 3);
    (sessions > 0.0).then(|| GapSensitivity {
        half_gap: relative(sessions + tally.long_pauses as f64),
        double_gap: relative(sessions - returns as f64),
    })
}

/// What the inputs say about their stamps: one that contradicts is not outvoted.
fn stamp_check(reading: &Reading) -> Option<StampCheck> {
    let checks: Vec<StampCheck> = reading.inputs.iter().filter_map(|input| input.stamp_check).collect();
    [StampCheck::Disagrees, StampCheck::Agrees, StampCheck::Undecided]
        .into_iter()
        .find(|check| checks.contains(check))
}

/// How routes were known; nothing when there was no request.
fn route_sources(routes: &Routes) -> Option<RouteSources> {
    let of = routes.sources;
    let counts = [of.given, of.export, of.inferred];
    let shares = round_shares(&counts.map(|count| count as f64));
    let [given, export, inferred] = shares.try_into().ok()?;
    (counts.iter().sum::<u64>() > 0).then_some(RouteSources { given, export, inferred })
}

/// How the inputs together were sampled.
fn sampled(reading: &Reading) -> Option<Sampling> {
    let of_requests = |of: fn(&Sampling) -> f64, otherwise: f64| {
        let sum: f64 = reading
            .inputs
            .iter()
            .map(|input| input.requests as f64 * input.sampling.as_ref().map_or(otherwise, of))
            .sum();
        sum / reading.counts.requests.max(1) as f64
    };
    reading.inputs.iter().any(|input| input.sampling.is_some()).then(|| Sampling {
        weight_mean: round_significant(of_requests(|sampling| sampling.weight_mean, 1.0), 4),
        unknown_share: round_probability(of_requests(|sampling| sampling.unknown_share, 1.0)),
    })
}

/// The share of requests in sessions of clients that several people share; `None` where there are none.
fn shared_clients_share(tally: &Tally) -> Option<f64> {
    let steps: u64 = tally.endpoints.values().map(|endpoint| endpoint.steps.count).sum();
    (tally.shared > 0).then(|| round_probability((tally.shared as f64 / steps.max(1) as f64).min(1.0)))
}

/// Requests that are not in the model, by kind, those that are calls by the clock, and those that another record tells
/// of as well.
fn excluded_and_duplicates(reading: &Reading, tally: &Tally, settings: &Settings) -> BTreeMap<String, u64> {
    let mut excluded = excluded(tally, settings);
    if tally.polled > 0 {
        excluded.insert("background".to_owned(), tally.polled);
    }
    let duplicates = reading.inputs.iter().map(|input| input.duplicates).sum();
    if duplicates > 0 {
        excluded.insert("duplicates".to_owned(), duplicates);
    }
    excluded
}

/// Requests that are not in the model, by kind.
fn excluded(tally: &Tally, settings: &Settings) -> BTreeMap<String, u64> {
    let left_out = |kind: &&Kind| !settings.model.models(**kind);
    let count = |kind: &Kind| (kind.name().to_owned(), tally.kinds.get(kind).copied().unwrap_or(0));
    Kind::ALL.iter().filter(left_out).map(count).collect()
}

/// First and last second of the log, since 1970.
pub(crate) fn span_s(reading: &Reading) -> (i64, i64) {
    let (first, last) = reading.counts.span_ns.unwrap_or_default();
    (first.div_euclid(SECOND_NS), last.div_euclid(SECOND_NS))
}

fn endpoints(
    tally: &Tally,
    routes: &Routes,
    named: &BTreeSet<RouteNumber>,
    queries: &mut BTreeMap<RouteNumber, Vec<QueryParameter>>,
    uses: &BTreeMap<(RouteNumber, usize), Use>,
    gate: Gate,
) -> Vec<Endpoint> {
    let mut companions = companions::companions(tally, routes, named, gate);
    let brought: BTreeSet<RouteNumber> =
        companions.values().flatten().map(|companion| companion.route).collect();
    // A file that no published page brings along is of no use to anybody.
    let is_of_use = |route: &RouteNumber| !routes.routes[*route as usize].is_file || brought.contains(route);
    let published = || tally.endpoints.iter().filter(|(route, _)| named.contains(route) && is_of_use(route));
    // Shares of the steps that a replay can make: unnamed endpoints are no part of the whole.
    let total: u64 = published().map(|(_, endpoint)| endpoint.steps.mass).sum();
    let mut endpoints: Vec<((u64, u64), Endpoint)> = published()
        .map(|(number, endpoint)| {
            let route = &routes.routes[*number as usize];
            let (mut status, _) =
                gate.shares(endpoint.statuses.iter().map(|(code, cell)| (code.to_string(), *cell)).collect());
            // Codes outside the protocol (000: nothing was sent) are no answer that could be expected.
            status.retain(|code, _| code.len() == 3 && !code.starts_with('0'));
            if status.is_empty() {
                // Nothing was ever sent, or no code by k clients: the embedded target must answer with something.
                status.insert("200".to_owned(), 1.0);
            }
            let shares = round_shares(&status.values().copied().collect::<Vec<_>>());
            let sizes = gate.histogram(&endpoint.sizes, SIZE_RELATIVE_ERROR, Unit::Bytes);
            let durations = gate.histogram(&endpoint.durations, DURATION_RELATIVE_ERROR, Unit::S);
            let (steps, mass) = (endpoint.steps.mass, endpoint.requests.mass);
            let published = Endpoint {
                id: route.id.clone(),
                method: route.method.clone(),
                route: route.template.clone(),
                weight: round_probability(steps as f64 / total.max(1) as f64),
                requests: round_count(requests(mass)),
                parameters: parameters::parameters(*number, routes, uses),
                query: queries.remove(number).unwrap_or_default(),
                status: status.into_keys().zip(shares).collect(),
                response_bytes: sizes.and_then(|histogram| gate.summary(histogram, logged(&endpoint.sizes))),
                service_time_s: durations
                    .and_then(|histogram| gate.summary(histogram, logged(&endpoint.durations))),
                request: None,
                companions: companions::published(companions.remove(number).unwrap_or_default()),
            };
            ((steps, mass), published)
        })
        .collect();
    endpoints.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.id.cmp(&other.id)));
    endpoints.into_iter().map(|(_, endpoint)| endpoint).collect()
}

/// Unnamed endpoints, and their share of requests; files are no part of either.
fn suppressed(tally: &Tally, routes: &Routes, named: &BTreeSet<RouteNumber>) -> (u64, f64) {
    let pages = || tally.endpoints.iter().filter(|(route, _)| !routes.routes[**route as usize].is_file);
    let hidden = || pages().filter(|(route, _)| !named.contains(route));
    let mass = |endpoint: &EndpointTally| endpoint.requests.mass;
    let hidden_mass: u64 = hidden().map(|(_, endpoint)| mass(endpoint)).sum();
    let all_mass: u64 = pages().map(|(_, endpoint)| mass(endpoint)).sum();
    (hidden().count() as u64, hidden_mass as f64 / all_mass.max(1) as f64)
}
