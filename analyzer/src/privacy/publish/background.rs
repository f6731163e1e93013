//! Periodic callers, from what the gate lets through.

use std::collections::BTreeSet;

use shared::profile::Background;
use shared::units::{round_count, round_significant};

use crate::privacy::gate::Gate;
use crate::read::Reading;
use crate::route::Routes;
use crate::tally::{BackgroundTally, RouteNumber, Tally};

/// Who calls what by the clock: of each endpoint and period, where at least k clients do.
///
/// A profile is of a state that lasts, so clients are those that call at any one time: the time that all of them went
/// on with it, over the length of the log.
pub(super) fn background(
    reading: &Reading,
    tally: &Tally,
    routes: &Routes,
    named: &BTreeSet<RouteNumber>,
    gate: Gate,
) -> Vec<Background> {
    let (first_s, last_s) = super::span_s(reading);
    let span_ms = ((last_s - first_s).max(1) * 1000) as f64;
    let published = periods(tally).into_iter().filter(|(route, _)| named.contains(route));
    let mut background: Vec<Background> = published
        .filter_map(|(route, tally)| {
            gate.admit(tally.clients)?;
            let period_ms = tally.period_ms as f64 / tally.clients.count.max(1) as f64;
            Some(Background {
                endpoint: routes.routes[route as usize].id.clone(),
                period_s: round_significant(period_ms * 1e-3, 3),
                clients: round_count((tally.lasted_ms as f64 / span_ms).round() as u64).max(1),
            })
        })
        .collect();
    background.sort_by(|one, other| {
        one.endpoint.cmp(&other.endpoint).then_with(|| one.period_s.total_cmp(&other.period_s))
    });
    background
}

/// Periods of each route, neighbouring bins put together: a period near the edge of a bin is in both.
fn periods(tally: &Tally) -> Vec<(RouteNumber, BackgroundTally)> {
    let mut together: Vec<(RouteNumber, i32, BackgroundTally)> = Vec::new();
    for ((route, bin), counted) in &tally.background {
        match together.last_mut().filter(|(known, last, _)| known == route && last + 1 == *bin) {
            Some((_, last, sum)) => {
                *last = *bin;
                // A client calls an endpoint at one period only.
                sum.clients.merge(counted.clients);
                sum.period_ms += counted.period_ms;
                sum.lasted_ms += counted.lasted_ms;
            }
            None => together.push((*route, *bin, *counted)),
        }
    }
    together.into_iter().map(|(route, _, tally)| (route, tally)).collect()
}
