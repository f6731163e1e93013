//! Companions of pages, from what the gate lets through.

use std::collections::{BTreeMap, BTreeSet};

use shared::endpoint;
use shared::units::{round_probability, round_significant};

use crate::privacy::gate::Gate;
use crate::route::Routes;
use crate::tally::{RouteNumber, Tally};

/// Share of a page's steps below which what comes along is an accident.
const LEAST_PROBABILITY: f64 = 0.01;
/// Companions of one page; a profile is read by people.
const MOST_OF_A_PAGE: usize = 24;

/// What may be published of one companion of a page.
pub(super) struct Companion {
    pub(super) route: RouteNumber,
    published: endpoint::Companion,
}

/// The companions of each page, most frequent first: of those that at least k clients fetched with it.
pub(super) fn companions(
    tally: &Tally,
    routes: &Routes,
    named: &BTreeSet<RouteNumber>,
    gate: Gate,
) -> BTreeMap<RouteNumber, Vec<Companion>> {
    let pages = tally.endpoints.iter().filter(|(page, _)| named.contains(page));
    pages
        .map(|(page, endpoint)| {
            let named = endpoint.companions.iter().filter(|(route, _)| named.contains(route));
            let mut companions: Vec<Companion> = named
                .filter_map(|(route, counted)| {
                    let mass = gate.admit(counted.pages)?.mass();
                    let probability = mass as f64 / endpoint.steps.mass.max(1) as f64;
                    let count = round_significant(counted.mass as f64 / mass.max(1) as f64, 3);
                    // No quantile is further out than k of the values.
                    let quantiles = [("p50", 0.5), ("p95", 0.95)].into_iter();
                    let offset_s = quantiles
                        .filter(|(_, q)| (1.0 - q) * counted.count() as f64 >= gate.k() as f64 || *q <= 0.5)
                        .map(|(name, q)| (name.to_owned(), round_significant(counted.offset_s(q), 2)))
                        .collect();
                    let published = endpoint::Companion {
                        endpoint: routes.routes[*route as usize].id.clone(),
                        probability: round_probability(probability.min(1.0)),
                        count: (count > 1.0).then_some(count),
                        offset_s,
                    };
                    (probability >= LEAST_PROBABILITY).then_some(Companion { route: *route, published })
                })
                .collect();
            companions.sort_by(|one, other| {
                let (one, other) = (&one.published, &other.published);
                other.probability.total_cmp(&one.probability).then_with(|| one.endpoint.cmp(&other.endpoint))
            });
            companions.truncate(MOST_OF_A_PAGE);
            (*page, companions)
        })
        .collect()
}

/// As they stand in the profile.
pub(super) fn published(companions: Vec<Companion>) -> Vec<endpoint::Companion> {
    companions.into_iter().map(|companion| companion.published).collect()
}
