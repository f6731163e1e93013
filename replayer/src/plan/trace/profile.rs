//! A profile that holds what a trace knows of its endpoints, for reports; its sessions are nobody's.

use std::collections::BTreeMap;

use shared::Profile;
use shared::arrivals::{Arrivals, Peak, RequestsPerSecond, Week};
use shared::distribution::{Law, LogHistogram, Unit};
use shared::endpoint::{Endpoint, Summary};
use shared::profile::{GapRule, Privacy, SessionRule, Source, Stamp, Suppressed, VERSION};
use shared::session::{Class, END, OTHER, State, ThinkTimes};
use shared::think::{GapKind, ThinkTime};

use super::events::Events;

/// Relative error of the service times' histograms.
const RELATIVE_ERROR: f64 = 0.01;

/// The profile of what was read.
pub(super) fn of(events: &Events) -> Profile {
    let mut times: Vec<LogHistogram> =
        events.endpoints.iter().map(|_| LogHistogram::new(RELATIVE_ERROR, Unit::S)).collect();
    let mut statuses: Vec<BTreeMap<u16, u64>> = vec![BTreeMap::new(); events.endpoints.len()];
    for event in &events.rows {
        let Some(endpoint) = event.endpoint else { continue };
        event.duration_s.into_iter().for_each(|duration_s| times[endpoint].add(duration_s, 1));
        *statuses[endpoint].entry(event.status).or_default() += 1;
    }
    let steps: u64 = statuses.iter().flat_map(BTreeMap::values).sum();
    let endpoints =
        events.endpoints.iter().zip(times).zip(statuses).map(|(([id, method, route], times), statuses)| {
            let requests: u64 = statuses.values().sum();
            let share = |count: u64, of: u64| count as f64 / of.max(1) as f64;
            let quantile = |q| times.quantile(q);
            Endpoint {
                request: None,
                id: id.clone(),
                method: method.clone(),
                route: route.clone(),
                weight: share(requests, steps),
                requests,
                parameters: BTreeMap::new(),
                query: Vec::new(),
                status: statuses.iter().map(|(code, n)| (code.to_string(), share(*n, requests))).collect(),
                response_bytes: None,
                service_time_s: (times.count() > 0).then(|| Summary {
                    p50: quantile(0.5).unwrap_or(0.0),
                    p95: quantile(0.95),
                    p99: quantile(0.99),
                    histogram: times.clone(),
                }),
                companions: Vec::new(),
            }
        });
    let endpoints: Vec<Endpoint> = endpoints.collect();
    let first = endpoints.first().map_or(OTHER, |endpoint| endpoint.id.as_str()).to_owned();
    let rows = events.rows.len() as u64;
    let end = State { visits: rows, next: [(END.to_owned(), 1.0)].into() };
    Profile {
        loadprint: VERSION,
        feeds: BTreeMap::new(),
        login: None,
        source: source(rows),
        privacy: Privacy { k: 1, pseudonyms: "none".to_owned(), suppressed: Suppressed::default() },
        endpoints,
        sessions: None,
        clients: None,
        classes: vec![Class {
            id: "trace".to_owned(),
            weight: 1.0,
            sessions: rows,
            start: [(first.clone(), 1.0)].into(),
            chain: [(first, end)].into(),
            contexts: Vec::new(),
            think_time: ThinkTimes { default: "none".to_owned(), on: BTreeMap::new() },
            pace: None,
        }],
        think_times: [(
            "none".to_owned(),
            ThinkTime {
                kind: GapKind::Pacing,
                n: 0,
                law: Some(Law::Exponential { rate: 1.0 }),
                histogram: None,
            },
        )]
        .into(),
        arrivals: Arrivals {
            weeks: None,
            knots_every_s: shared::arrivals::DAY_S,
            week: Week::from_days([const { [1.0] }; 7].map(Vec::from)),
            shared_shape: BTreeMap::new(),
            burstiness: None,
            day_level_cv: None,
            outlier_days: Vec::new(),
            peak: Peak { rate_per_s: 1.0, at: "mon 00:00".to_owned() },
            requests_per_s: RequestsPerSecond { mean: 1.0, peak: 1.0 },
        },
        background: Vec::new(),
        scenarios: BTreeMap::new(),
        thresholds: Vec::new(),
    }
}

fn source(rows: u64) -> Source {
    Source {
        hosts: None,
        format: "events".to_owned(),
        stamp: Stamp::Start,
        stamp_check: None,
        resolution_s: 0.0,
        timezone: "UTC".to_owned(),
        from: String::new(),
        to: String::new(),
        lines: rows,
        requests: rows,
        rejected: BTreeMap::new(),
        excluded: BTreeMap::new(),
        sampling: None,
        routes: None,
        sessions: rows,
        shared_clients_share: None,
        session_rule: SessionRule {
            identity: "client".to_owned(),
            gap_s: 1800.0,
            gap_rule: GapRule::Fixed,
            sensitivity: None,
        },
    }
}
