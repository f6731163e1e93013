//! The truth beside the log: what every line was drawn from, and what came of it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::arrivals::{DAYS, KNOT_SPACING_S, RateCurve};
use crate::clients::{Clients, REST_S, RETURNING_SHARE};
use crate::log::{Class, Log};
use crate::mail_links::MAIL_LINKS;
use crate::page::{CATEGORIES, PRODUCTS, PRODUCTS_ZIPF, Pages};
use crate::random::LogNormal;
use crate::robots::TOOL_ROUTE;
use crate::site::{CHAIN, Endpoint, STATES, State, THINK_TIMES, think_time_after};
use crate::visits::{Tally, ThinkTimes};

/// All that is known about the log.
#[derive(Serialize)]
pub(crate) struct Truth {
    about: &'static str,
    seed: u64,
    window: Window,
    counts: Counts,
    endpoints: Vec<EndpointTruth>,
    categories: Vec<CategoryTruth>,
    products: ProductsTruth,
    chain: ChainTruth,
    think_times: Vec<ThinkTimeTruth>,
    arrivals: ArrivalsTruth,
    other_routes: Vec<OtherRoute>,
    secrets: BTreeMap<&'static str, Vec<String>>,
}

#[derive(Serialize)]
struct Window {
    start: &'static str,
    end: &'static str,
    time_zone: &'static str,
    stamp_marks: &'static str,
    stamp_grain_s: u32,
    duration_grain_s: f64,
}

#[derive(Serialize)]
struct Counts {
    lines: u64,
    bytes: u64,
    human_pages: u64,
    static_files: u64,
    mail_links: u64,
    bots: u64,
    health_checks: u64,
    scanner: u64,
    tools: u64,
    broken_lines: u64,
    broken_lines_by_kind: BTreeMap<&'static str, u64>,
    sessions: u64,
    sessions_by_day: BTreeMap<&'static str, u64>,
    returning_sessions: u64,
    returning_share: f64,
    least_rest_between_sessions_s: u64,
    human_clients: u64,
    clients_behind_shared_addresses: usize,
    clients_over_ipv6: u64,
}

#[derive(Serialize)]
struct EndpointTruth {
    method: &'static str,
    route: &'static str,
    requests: u64,
    service_time_s: LogNormal,
    response_bytes: LogNormal,
    status: BTreeMap<u16, f64>,
    status_counts: BTreeMap<u16, u64>,
}

#[derive(Serialize)]
struct CategoryTruth {
    path: String,
    probability: f64,
    requests: u64,
}

#[derive(Serialize)]
struct ProductsTruth {
    slugs: usize,
    zipf_exponent: f64,
}

#[derive(Serialize)]
struct ChainTruth {
    about: &'static str,
    start: BTreeMap<String, f64>,
    next: BTreeMap<String, BTreeMap<String, f64>>,
    counts: ChainCounts,
}

#[derive(Serialize)]
struct ChainCounts {
    start: BTreeMap<String, u64>,
    next: BTreeMap<String, BTreeMap<String, u64>>,
}

#[derive(Serialize)]
struct ThinkTimeTruth {
    name: &'static str,
    after: Vec<String>,
    median_s: f64,
    mu: f64,
    sigma: f64,
    pauses: usize,
    realised_median_s: f64,
    realised_median_after_files_s: f64,
}

#[derive(Serialize)]
struct ArrivalsTruth {
    about: &'static str,
    knots_every_s: u32,
    expected_sessions: f64,
    /// Sessions per second.
    week: BTreeMap<&'static str, Vec<f64>>,
}

#[derive(Serialize)]
struct OtherRoute {
    method: &'static str,
    route: &'static str,
    class: &'static str,
    requests: u64,
}

/// What the parts of the shop leave behind when the log is complete.
pub(crate) struct Made<'a> {
    pub(crate) seed: u64,
    pub(crate) log: &'a Log,
    pub(crate) clients: &'a Clients,
    pub(crate) pages: &'a Pages,
    pub(crate) curve: &'a RateCurve,
    pub(crate) tally: Tally,
    pub(crate) broken: BTreeMap<&'static str, u64>,
    pub(crate) secrets: BTreeMap<&'static str, Vec<String>>,
}

impl Truth {
    /// Gathers the truth about a complete log.
    pub(crate) fn new(made: Made) -> Self {
        let Made { seed, log, clients, pages, curve, tally, broken, secrets } = made;
        Self {
            about: "Synthetic. Routes use the placeholders {category}, {slug}, {int} and {uuid}. {category} stands \
                    for the twelve literal paths under `categories`, drawn independently of the way there; the \
                    other placeholders stand for open sets. Sessions begun in the window are complete, so the last may end \
                    shortly after it. Sizes and service times follow their law whatever the status.",
            seed,
            window: Window {
                start: "2026-11-02T00:00:00+01:00",
                end: "2026-11-09T00:00:00+01:00",
                time_zone: "Europe/Berlin",
                stamp_marks: "end of the request",
                stamp_grain_s: 1,
                duration_grain_s: 0.001,
            },
            counts: counts(log, clients, &tally, broken),
            endpoints: State::ALL.map(|state| endpoint(state, &tally)).into(),
            categories: CATEGORIES
                .iter()
                .enumerate()
                .map(|(index, name)| CategoryTruth {
                    path: format!("/c/{name}"),
                    probability: pages.category_probability(index),
                    requests: tally.categories[index],
                })
                .collect(),
            products: ProductsTruth { slugs: PRODUCTS, zipf_exponent: PRODUCTS_ZIPF },
            chain: chain(&tally),
            think_times: tally
                .think_times
                .iter()
                .enumerate()
                .map(|(kind, times)| think_time(kind, times))
                .collect(),
            arrivals: ArrivalsTruth {
                about: "Session starts per second: a Poisson process whose rate is linear between knots and repeats \
                        every week; knot 0 of a day is its midnight, local time.",
                knots_every_s: KNOT_SPACING_S,
                expected_sessions: curve.expected(7),
                week: DAYS.iter().enumerate().map(|(index, &day)| (day, curve.day(index).to_vec())).collect(),
            },
            other_routes: other_routes(log),
            secrets,
        }
    }
}

fn counts(log: &Log, clients: &Clients, tally: &Tally, broken: BTreeMap<&'static str, u64>) -> Counts {
    Counts {
        lines: log.lines(),
        bytes: log.bytes(),
        human_pages: log.count(Class::Page),
        static_files: log.count(Class::Static),
        mail_links: log.count(Class::MailLink),
        bots: log.count(Class::Crawler),
        health_checks: log.count(Class::HealthCheck),
        scanner: log.count(Class::Scanner),
        tools: log.count(Class::Tool),
        broken_lines: broken.values().sum(),
        broken_lines_by_kind: broken,
        sessions: tally.sessions,
        sessions_by_day: DAYS.into_iter().zip(tally.sessions_by_day).collect(),
        returning_sessions: tally.returning_sessions,
        returning_share: RETURNING_SHARE,
        least_rest_between_sessions_s: REST_S,
        human_clients: tally.sessions - tally.returning_sessions,
        clients_behind_shared_addresses: clients.behind_nat(),
        clients_over_ipv6: clients.over_ipv6(),
    }
}

fn endpoint(state: State, tally: &Tally) -> EndpointTruth {
    let &Endpoint { method, route, service_time_s, response_bytes, statuses } = state.endpoint();
    EndpointTruth {
        method,
        route,
        requests: tally.requests[state as usize],
        service_time_s,
        response_bytes,
        status: statuses.iter().copied().collect(),
        status_counts: tally.statuses[state as usize].clone(),
    }
}

fn chain(tally: &Tally) -> ChainTruth {
    let states = || State::ALL.iter().map(|&state| name(state)).zip(1..=STATES);
    ChainTruth {
        about: "First order. `start` and `next` are the probabilities drawn from, `counts` what was drawn.",
        start: named(&CHAIN[0]),
        next: states().map(|(from, row)| (from, named(&CHAIN[row]))).collect(),
        counts: ChainCounts {
            start: named(&tally.transitions[0]),
            next: states().map(|(from, row)| (from, named(&tally.transitions[row]))).collect(),
        },
    }
}

/// Returns the entries of a row of the chain that are not zero, by the state they lead to.
fn named<T: Copy + Default + PartialEq>(row: &[T; STATES + 1]) -> BTreeMap<String, T> {
    let names = State::ALL.iter().map(|&state| name(state)).chain(["END".to_owned()]);
    names.zip(row.iter().copied()).filter(|(_, value)| *value != T::default()).collect()
}

fn name(state: State) -> String {
    let Endpoint { method, route, .. } = state.endpoint();
    format!("{method} {route}")
}

fn think_time(kind: usize, times: &ThinkTimes) -> ThinkTimeTruth {
    let LogNormal { median, sigma } = THINK_TIMES[kind].law_s;
    ThinkTimeTruth {
        name: THINK_TIMES[kind].name,
        after: State::ALL
            .iter()
            .filter(|&&state| think_time_after(state) == kind)
            .map(|&state| name(state))
            .collect(),
        median_s: median,
        mu: median.ln(),
        sigma,
        pauses: times.after_page_s.len(),
        realised_median_s: median_of(&times.after_page_s),
        realised_median_after_files_s: median_of(&times.after_files_s),
    }
}

/// Returns the upper median, in the unit of `values`, which are not empty.
fn median_of(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn other_routes(log: &Log) -> Vec<OtherRoute> {
    let tools =
        OtherRoute { method: "GET", route: TOOL_ROUTE, class: "tool", requests: log.count(Class::Tool) };
    let health_checks = OtherRoute {
        method: "GET",
        route: "/healthz",
        class: "health check",
        requests: log.count(Class::HealthCheck),
    };
    let mail_links = MAIL_LINKS.map(|link| OtherRoute {
        method: "GET",
        route: link.route,
        class: "mail link",
        requests: link.visits,
    });
    mail_links.into_iter().chain([tools, health_checks]).collect()
}
