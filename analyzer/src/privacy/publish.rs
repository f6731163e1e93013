//! The profile, put together from what the gate lets through.

use std::collections::{BTreeMap, BTreeSet};

use shared::arrivals::{Arrivals, Peak, RequestsPerSecond, Week, WeekCurve};
use shared::distribution::{Law, LognormalComponent, Unit};
use shared::endpoint::{Endpoint, Parameter};
use shared::profile::{GapRule, Privacy, Profile, SessionRule, Source, Stamp, Suppressed, VERSION};
use shared::session::{Class, END, OTHER, State, ThinkTimes};
use shared::think::{GapKind, ThinkTime};
use shared::units::{Weekday, round_count, round_probability, round_shares, round_significant, time_of_week};

use super::gate::Gate;
use crate::error::Error;
use crate::event::SIZE_RELATIVE_ERROR;
use crate::format::builtin::Evidence;
use crate::kind::Kind;
use crate::model::{arrivals, think};
use crate::read::{Reading, label};
use crate::request::SECOND_NS;
use crate::route::Routes;
use crate::settings::Settings;
use crate::tally::cell::Cell;
use crate::tally::civil::CivilClock;
use crate::tally::{DURATION_RELATIVE_ERROR, GAP_RELATIVE_ERROR, GapTally, RouteNumber, Tally};

/// Name of the only class, until classes are told apart.
const CLASS: &str = "all";
/// Name of the think time that applies where no other does.
const DEFAULT_THINK: &str = "default";
/// Gaps from which on an endpoint has a think time of its own, where it differs.
const OWN_THINK_GAPS: u64 = 200;
/// How far the median must be off the common one for that: ten percent.
const OWN_THINK_EFFECT: f64 = 0.1;

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
    let endpoints = endpoints(tally, routes, &named, gate);
    let (think_times, think_time) = think_times(tally, &id, gate);
    let (class, transitions_dropped) = class(tally, &id, gate, think_time);
    let (suppressed, suppressed_requests) = suppressed(tally, &named);
    let arrivals = arrivals(reading, tally, clock, gate, &class);
    let profile = Profile {
        loadprint: VERSION,
        source: source(reading, tally, clock, settings),
        privacy: Privacy {
            k: u32::try_from(gate.k()).unwrap_or(u32::MAX),
            pseudonyms: "hmac-sha256/ephemeral".to_owned(),
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
        .map(|input| match evidence.producer().filter(|_| input.format.producer_unknown) {
            Some(producer) => producer.stamp(),
            None => input.format.program.stamp(),
        })
        .collect();
    let mut stamps = stamps.into_iter();
    let stamp = match (stamps.next(), stamps.next()) {
        (Some(stamp), None) => stamp,
        _ => Stamp::Mixed,
    };
    let resolution_ns =
        reading.inputs.iter().map(|input| input.format.program.resolution_ns()).max().unwrap_or(1);
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
        resolution_s: resolution_ns as f64 / SECOND_NS as f64,
        timezone: clock.name().to_owned(),
        // To five minutes, because the exact moment of a request can identify who made it.
        from: clock.rfc3339(from_s.div_euclid(300) * 300),
        to: clock.rfc3339((to_s.div_euclid(300) + 1) * 300),
        lines: reading.inputs.iter().map(|input| input.lines).sum(),
        requests: reading.counts.requests,
        rejected,
        excluded: excluded(tally, settings),
        sessions: tally.sessions.count,
        session_rule: SessionRule {
            identity: settings.read.identity.to_string(),
            gap_s: settings.model.gap_ms as f64 / 1000.0,
            gap_rule: GapRule::Fixed,
        },
    }
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

fn endpoints(tally: &Tally, routes: &Routes, named: &BTreeSet<RouteNumber>, gate: Gate) -> Vec<Endpoint> {
    let published = || tally.endpoints.iter().filter(|(route, _)| named.contains(route));
    // Shares of the requests that a replay can make: unnamed endpoints are no part of the whole.
    let total: u64 = published().map(|(_, endpoint)| endpoint.requests.count).sum();
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
            let requests = endpoint.requests.count;
            let published = Endpoint {
                id: route.id.clone(),
                method: route.method.clone(),
                route: route.template.clone(),
                weight: round_probability(requests as f64 / total.max(1) as f64),
                requests: round_count(requests),
                parameters: route
                    .parameters
                    .iter()
                    .map(|(name, kind)| {
                        let parameter = Parameter {
                            kind: kind.0,
                            cardinality: None,
                            distinct: None,
                            popularity: None,
                            length: BTreeMap::new(),
                        };
                        (name.clone(), parameter)
                    })
                    .collect(),
                query: Vec::new(),
                status: status.into_keys().zip(shares).collect(),
                response_bytes: sizes.and_then(|histogram| gate.summary(histogram)),
                service_time_s: durations.and_then(|histogram| gate.summary(histogram)),
                companions: Vec::new(),
            };
            (requests, published)
        })
        .collect();
    endpoints.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.id.cmp(&other.id)));
    endpoints.into_iter().map(|(_, endpoint)| endpoint).collect()
}

/// Unnamed endpoints, and their share of requests.
fn suppressed(tally: &Tally, named: &BTreeSet<RouteNumber>) -> (u64, f64) {
    let requests = |of_named: bool| -> u64 {
        let chosen = tally.endpoints.iter().filter(|(route, _)| named.contains(route) == of_named);
        chosen.map(|(_, endpoint)| endpoint.requests.count).sum()
    };
    let hidden = requests(false);
    ((tally.endpoints.len() - named.len()) as u64, hidden as f64 / (hidden + requests(true)).max(1) as f64)
}

/// The chain of all sessions, and the share of steps that were dropped from it.
fn class<'n>(
    tally: &Tally,
    id: &impl Fn(RouteNumber) -> &'n str,
    gate: Gate,
    think_time: ThinkTimes,
) -> (Class, f64) {
    let mut starts: BTreeMap<String, Cell> = BTreeMap::new();
    for (route, cell) in &tally.starts {
        join(&mut starts, id(*route), *cell);
    }
    let mut rows: BTreeMap<String, BTreeMap<String, Cell>> = BTreeMap::new();
    for ((from, to), cell) in &tally.steps {
        join(rows.entry(id(*from).to_owned()).or_default(), id(*to), *cell);
    }
    for (route, cell) in &tally.ends {
        join(rows.entry(id(*route).to_owned()).or_default(), END, *cell);
    }
    let (start, _) = gate.shares(starts);
    let (mut steps, mut dropped_steps) = (0.0, 0.0);
    let mut chain: BTreeMap<String, State> = BTreeMap::new();
    for (from, row) in rows {
        let visits: u64 = row.values().map(|cell| cell.count).sum();
        let end = row.get(END).copied().unwrap_or_default();
        let (mut next, dropped) = gate.shares(row);
        keep_small_end(&mut next, gate, end, visits);
        steps += visits as f64;
        dropped_steps += dropped * visits as f64;
        if next.is_empty() {
            next.insert(END.to_owned(), 1.0);
        }
        chain.insert(from, State { visits: round_count(visits), next });
    }
    let start = if start.is_empty() { heaviest_state(&chain) } else { start };
    open_dead_ends(&mut chain);
    let reachable = reachable(&start, &chain);
    chain.retain(|state, _| reachable.contains(state));
    let class = Class {
        id: CLASS.to_owned(),
        weight: 1.0,
        sessions: round_count(tally.sessions.count),
        start,
        chain,
        contexts: Vec::new(),
        think_time,
        pace: None,
    };
    (class, dropped_steps / f64::max(steps, 1.0))
}

/// Sessions of thousands of requests end with a probability that rounding to 1e-4 distorts or loses, and with it
/// the length of every session. So a small share of END keeps three significant digits, at the largest one's cost.
fn keep_small_end(next: &mut BTreeMap<String, f64>, gate: Gate, end: Cell, visits: u64) {
    const SMALL: f64 = 0.01;
    let Some(admitted) = gate.admit(end) else { return };
    let exact = round_significant(admitted.count() as f64 / visits.max(1) as f64, 3);
    if exact <= 0.0 || exact >= SMALL {
        return;
    }
    let rounded = next.insert(END.to_owned(), exact).unwrap_or(0.0);
    let largest = next.iter_mut().filter(|(to, _)| *to != END).max_by(|one, other| one.1.total_cmp(other.1));
    if let Some((_, share)) = largest {
        *share = round_significant(*share + rounded - exact, 8);
    }
}

fn join(row: &mut BTreeMap<String, Cell>, name: &str, cell: Cell) {
    let known = row.entry(name.to_owned()).or_default();
    *known = known.join(cell);
}

/// Where no single start passed the gate, sessions start where most visits are.
fn heaviest_state(chain: &BTreeMap<String, State>) -> BTreeMap<String, f64> {
    let heaviest =
        chain.iter().max_by_key(|(name, state)| (state.visits, std::cmp::Reverse((*name).clone())));
    heaviest.map(|(name, _)| (name.clone(), 1.0)).into_iter().collect()
}

/// Every state leads to END: where the way there was too thin to be published, one visit in a hundred ends.
fn open_dead_ends(chain: &mut BTreeMap<String, State>) {
    const EXIT: f64 = 0.01;
    let mut comes_from: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, state) in chain.iter() {
        for to in state.next.keys() {
            comes_from.entry(to.clone()).or_default().push(name.clone());
        }
    }
    let mut ending: BTreeSet<String> = BTreeSet::new();
    let add = |name: &str, ending: &mut BTreeSet<String>| {
        let mut open = vec![name.to_owned()];
        while let Some(name) = open.pop() {
            if ending.insert(name.clone()) {
                open.extend(comes_from.get(&name).into_iter().flatten().cloned());
            }
        }
    };
    add(END, &mut ending);
    for (name, state) in chain.iter_mut() {
        if ending.contains(name) {
            continue;
        }
        let mut names: Vec<String> = state.next.keys().cloned().collect();
        let mut shares: Vec<f64> = state.next.values().map(|share| share * (1.0 - EXIT)).collect();
        names.push(END.to_owned());
        shares.push(EXIT);
        state.next = names.into_iter().zip(round_shares(&shares)).collect();
        add(name, &mut ending);
    }
}

/// States that a session can come to.
fn reachable(start: &BTreeMap<String, f64>, chain: &BTreeMap<String, State>) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<String> = start.keys().cloned().collect();
    while let Some(state) = open.pop() {
        if found.insert(state.clone()) {
            open.extend(chain.get(&state).into_iter().flat_map(|state| state.next.keys().cloned()));
        }
    }
    found
}

fn think_times<'n>(
    tally: &Tally,
    id: &impl Fn(RouteNumber) -> &'n str,
    gate: Gate,
) -> (BTreeMap<String, ThinkTime>, ThinkTimes) {
    let mut by_name: BTreeMap<&str, GapTally> = BTreeMap::new();
    let mut all = GapTally::default();
    for (route, gaps) in &tally.gaps {
        by_name.entry(id(*route)).or_default().join(gaps.clone(), gate.k());
        all.join(gaps.clone(), gate.k());
    }
    let common = think_time(&all, gate);
    let mut times = BTreeMap::new();
    let mut on = BTreeMap::new();
    let mut rest = GapTally::default();
    for (name, gaps) in by_name {
        let own =
            (name != OTHER && gaps.gaps.count >= OWN_THINK_GAPS).then(|| think_time(&gaps, gate)).flatten();
        let differs = |own: &ThinkTime| common.as_ref().is_some_and(|common| differs(own, common));
        match own.filter(differs) {
            Some(own) => {
                times.insert(format!("after_{name}"), own);
                on.insert(name.to_owned(), format!("after_{name}"));
            }
            None => rest.join(gaps, gate.k()),
        }
    }
    // Where too few gaps are left to publish, the common law stands in; where there is none at all, sessions
    // have one request, and the pause that is written down never happens.
    let never = || ThinkTime {
        kind: GapKind::Pacing,
        n: 0,
        law: Some(Law::Exponential { rate: 1.0 }),
        histogram: None,
    };
    let default = think_time(&rest, gate).or(common).unwrap_or_else(never);
    times.insert(DEFAULT_THINK.to_owned(), default);
    (times, ThinkTimes { default: DEFAULT_THINK.to_owned(), on })
}

/// Whether the median of `own` is off the common one by more than chance and ten percent.
fn differs(own: &ThinkTime, common: &ThinkTime) -> bool {
    let quantile =
        |think: &ThinkTime, q| think.sampler().map_or(f64::NAN, |sampler| sampler.quantile(q).ln());
    let spread = 0.5 * (quantile(own, 0.84) - quantile(own, 0.16));
    // The median of n normal values has a standard error of sqrt(π/2) σ/√n.
    let standard_error = (std::f64::consts::FRAC_PI_2 / own.n.max(1) as f64).sqrt() * spread;
    (quantile(own, 0.5) - quantile(common, 0.5)).abs() > OWN_THINK_EFFECT + 1.96 * standard_error
}

fn think_time(gaps: &GapTally, gate: Gate) -> Option<ThinkTime> {
    let n = gate.admit(gaps.gaps)?.count();
    let kind = if 2 * gaps.paced > n { GapKind::Pacing } else { GapKind::Think };
    let coarse: u64 = gaps.coarse.values().sum();
    let (law, histogram) = if 2 * coarse > n {
        let fit = think::fit_coarse(&gaps.coarse)?;
        (Some(fit.law), None)
    } else {
        let histogram = gate.histogram(&gaps.fine, GAP_RELATIVE_ERROR, Unit::S)?;
        let values: Vec<(f64, u64)> =
            histogram.bins.iter().map(|(bin, count)| (histogram.value(*bin), *count)).collect();
        (think::fit_fine(&values), gate.summary(histogram).map(|summary| summary.histogram))
    };
    Some(ThinkTime { kind, n: round_count(n), law: law.map(round_law), histogram })
}

/// Parameters to four significant digits: finer than any fit knows them.
fn round_law(law: Law) -> Law {
    let round = |x: f64| round_significant(x, 4);
    match law {
        Law::Lognormal { mu, sigma } => Law::Lognormal { mu: round(mu), sigma: round(sigma) },
        Law::Gamma { shape, scale } => Law::Gamma { shape: round(shape), scale: round(scale) },
        Law::Weibull { shape, scale } => Law::Weibull { shape: round(shape), scale: round(scale) },
        Law::Exponential { rate } => Law::Exponential { rate: round(rate) },
        Law::LognormalMixture { components } => {
            let weights = round_shares(&components.iter().map(|c| c.weight).collect::<Vec<_>>());
            let rounded = components.iter().zip(weights).map(|(c, weight)| LognormalComponent {
                weight,
                mu: round(c.mu),
                sigma: round(c.sigma),
            });
            Law::LognormalMixture { components: rounded.collect() }
        }
    }
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
