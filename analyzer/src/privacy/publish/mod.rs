//! The profile, put together from what the gate lets through.

use std::collections::{BTreeMap, BTreeSet};

use shared::arrivals::{Arrivals, Peak, RequestsPerSecond, Week, WeekCurve};
use shared::distribution::Unit;
use shared::endpoint::{Endpoint, QueryParameter};
use shared::profile::{
    GapRule, Privacy, Profile, Sampling, SessionRule, Source, Stamp, StampCheck, Suppressed, VERSION,
};
use shared::session::{Class, OTHER};
use shared::units::{Weekday, round_count, round_probability, round_shares, round_significant, time_of_week};

mod chain;
mod parameters;
mod queries;
mod think_times;

use super::gate::Gate;
use crate::error::Error;
use crate::event::SIZE_RELATIVE_ERROR;
use crate::format::builtin::Evidence;
use crate::kind::Kind;
use crate::model::arrivals;
use crate::model::popularity::Use;
use crate::read::{Reading, label, stamp};
use crate::request::SECOND_NS;
use crate::route::Routes;
use crate::settings::Settings;
use crate::tally::cell::logged;
use crate::tally::civil::CivilClock;
use crate::tally::{DURATION_RELATIVE_ERROR, RouteNumber, Tally};
use crate::weight::requests;

/// The profile of what was counted.
///
/// # Errors
/// [`Error::TooLittle`] when not one endpoint was used by k clients.
pub(crate) fn publish(
    reading: &Reading,
    tally: &Tally,
    routes: &Routes,
    clock: &CivilClock,
    settings: &Settings,
) -> Result<Profile, Error> {
    let gate = Gate::new(settings.model.k);
    let named = gate.routes(tally, routes);
    if named.is_empty() {
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
    let (think_times, think_time) = think_times::think_times(tally, &id, gate);
    let (class, transitions_dropped) = chain::class(tally, &id, gate, think_time);
    let (suppressed, suppressed_requests) = suppressed(tally, &named);
    let arrivals = arrivals(reading, tally, clock, gate, &class);
    let profile = Profile {
        loadprint: VERSION,
        source: source(reading, tally, clock, settings),
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
        classes: vec![class],
        think_times,
        arrivals,
        background: Vec::new(),
        scenarios: BTreeMap::new(),
        thresholds: Vec::new(),
    };
    // What leaves can be executed; a profile that could not be read again would be found out too late.
    match shared::validate::validate(&profile) {
        violations if violations.is_empty() => Ok(profile),
        violations => Err(shared::Error::Invalid { violations }.into()),
    }
}

fn source(reading: &Reading, tally: &Tally, clock: &CivilClock, settings: &Settings) -> Source {
    let evidence = reading.inputs.iter().filter(|input| input.format.producer_unknown).fold(
        Evidence::default(),
        |mut all, input| {
            all.merge(input.evidence);
            all
        },
    );
    let labels: BTreeSet<String> =
        reading.inputs.iter().map(|input| label(&input.format, evidence)).collect();
    let stamps: BTreeSet<Stamp> = reading
        .inputs
        .iter()
        .map(|input| input.stamp_given.unwrap_or_else(|| stamp(&input.format, evidence)))
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
    Source {
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
        sessions: tally.sessions.count,
        session_rule: SessionRule {
            identity: settings.read.identity.to_string(),
            gap_s: settings.model.gap_ms as f64 / 1000.0,
            gap_rule: GapRule::Fixed,
        },
    }
}

/// What the inputs say about their stamps: one that contradicts is not outvoted.
fn stamp_check(reading: &Reading) -> Option<StampCheck> {
    let checks: Vec<StampCheck> = reading.inputs.iter().filter_map(|input| input.stamp_check).collect();
    [StampCheck::Disagrees, StampCheck::Agrees, StampCheck::Undecided]
        .into_iter()
        .find(|check| checks.contains(check))
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

/// Requests that are not in the model, by kind, and those that another record tells of as well.
fn excluded_and_duplicates(reading: &Reading, tally: &Tally, settings: &Settings) -> BTreeMap<String, u64> {
    let mut excluded = excluded(tally, settings);
    let duplicates = reading.inputs.iter().map(|input| input.duplicates).sum();
    if duplicates > 0 {
        excluded.insert("duplicates".to_owned(), duplicates);
    }
    excluded
}

/// Requests that are not in the model, by kind.
fn excluded(tally: &Tally, settings: &Settings) -> BTreeMap<String, u64> {
    let left_out = |kind: &&Kind| **kind != Kind::Page && !settings.model.keep.contains(kind);
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
    let published = || tally.endpoints.iter().filter(|(route, _)| named.contains(route));
    // Shares of the requests that a replay can make: unnamed endpoints are no part of the whole.
    let total: u64 = published().map(|(_, endpoint)| endpoint.requests.mass).sum();
    let mut endpoints: Vec<(u64, Endpoint)> = published()
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
            let mass = endpoint.requests.mass;
            let published = Endpoint {
                id: route.id.clone(),
                method: route.method.clone(),
                route: route.template.clone(),
                weight: round_probability(mass as f64 / total.max(1) as f64),
                requests: round_count(requests(mass)),
                parameters: parameters::parameters(*number, routes, uses),
                query: queries.remove(number).unwrap_or_default(),
                status: status.into_keys().zip(shares).collect(),
                response_bytes: sizes.and_then(|histogram| gate.summary(histogram, logged(&endpoint.sizes))),
                service_time_s: durations
                    .and_then(|histogram| gate.summary(histogram, logged(&endpoint.durations))),
                companions: Vec::new(),
            };
            (mass, published)
        })
        .collect();
    endpoints.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.id.cmp(&other.id)));
    endpoints.into_iter().map(|(_, endpoint)| endpoint).collect()
}

/// Unnamed endpoints, and their share of requests.
fn suppressed(tally: &Tally, named: &BTreeSet<RouteNumber>) -> (u64, f64) {
    let mass = |of_named: bool| -> u64 {
        let chosen = tally.endpoints.iter().filter(|(route, _)| named.contains(route) == of_named);
        chosen.map(|(_, endpoint)| endpoint.requests.mass).sum()
    };
    let hidden = mass(false);
    ((tally.endpoints.len() - named.len()) as u64, hidden as f64 / (hidden + mass(true)).max(1) as f64)
}

/// Seconds that the log covers in each bin of the civil week.
///
/// A log covers the hours around its requests, of any kind: between two files that are weeks apart there was no
/// service to arrive at, nor between a line with a broken clock and the others. A pause of some hours in between is
/// a quiet night, not a gap.
fn exposure_s(reading: &Reading, tally: &Tally, clock: &CivilClock) -> Vec<f64> {
    /// The longest pause that still counts as quiet.
    const QUIET_HOURS: i64 = 12;
    let (first_s, last_s) = span_s(reading);
    // Stamps mark the end of a request, sessions begin at the start of one, which may be earlier.
    let first_s = tally.first_start_s.map_or(first_s, |start_s| start_s.min(first_s));
    let hours = reading.counts.offset_s_by_hour.keys().copied().collect::<Vec<i64>>();
    let mut exposure_s: Vec<f64> = Vec::new();
    for stretch in hours.chunk_by(|hour, next| next - hour <= QUIET_HOURS) {
        let (from, to) = (stretch[0], stretch[stretch.len() - 1] + 1);
        let from_s = if from == hours[0] { first_s } else { from * 3600 };
        let to_s = if to == hours[hours.len() - 1] + 1 { last_s + 1 } else { to * 3600 };
        let part = arrivals::exposure_s(clock, from_s, to_s);
        exposure_s.resize(part.len(), 0.0);
        exposure_s.iter_mut().zip(part).for_each(|(sum, seconds)| *sum += seconds);
    }
    exposure_s
}

fn arrivals(reading: &Reading, tally: &Tally, clock: &CivilClock, gate: Gate, class: &Class) -> Arrivals {
    let exposure_s = exposure_s(reading, tally, clock);
    let curve = arrivals::fit(&tally.arrivals, &exposure_s, gate.k());
    let days = curve
        .days
        .map(|knots| knots.into_iter().map(|rate| round_significant(rate, 3)).collect::<Vec<f64>>());
    let shared_shape = match curve.sharing {
        arrivals::Sharing::None => BTreeMap::new(),
        arrivals::Sharing::Weekdays => BTreeMap::from([("weekdays".to_owned(), true)]),
        arrivals::Sharing::All => BTreeMap::from([("all_days".to_owned(), true)]),
    };
    let all_knots = Weekday::ALL.iter().flat_map(|day| days[day.index()].iter().copied()).collect();
    let week_curve = WeekCurve::new(f64::from(curve.knots_every_s), all_knots);
    let (peak_per_s, peak_at_s) = week_curve.as_ref().map_or((0.0, 0.0), WeekCurve::peak);
    let mean_per_s =
        week_curve.as_ref().map_or(0.0, |curve| curve.per_week() / f64::from(shared::arrivals::WEEK_S));
    let requests = class.mean_requests_per_session();
    Arrivals {
        knots_every_s: curve.knots_every_s,
        week: Week::from_days(days),
        shared_shape,
        burstiness: None,
        day_level_cv: None,
        peak: Peak { rate_per_s: peak_per_s, at: time_of_week(peak_at_s) },
        requests_per_s: RequestsPerSecond {
            mean: round_significant(mean_per_s * requests, 3),
            peak: round_significant(peak_per_s * requests, 3),
        },
    }
}
