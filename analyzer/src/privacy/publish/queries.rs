//! The query parameters of endpoints, from what the gate lets through: names, how often, and what kind of value.

use std::collections::BTreeMap;

use shared::endpoint::QueryParameter;
use shared::units::round_probability;

use crate::privacy::gate::Gate;
use crate::read::Reading;
use crate::route::Routes;
use crate::route::segment::KINDS;
use crate::tally::cell::Bin;
use crate::tally::{RouteNumber, Tally};

/// The parameters of each route that at least k clients sent, by name.
///
/// The presence of a parameter is the share of the route's requests that carry it, as they were logged. Its kind is
/// the one that most of its values have, among the kinds that at least k clients sent; where no kind has as many, any
/// value will do.
pub(super) fn queries(
    reading: &Reading,
    tally: &Tally,
    routes: &Routes,
    gate: Gate,
) -> BTreeMap<RouteNumber, Vec<QueryParameter>> {
    let mut of_route: BTreeMap<RouteNumber, BTreeMap<&str, BTreeMap<u8, Bin>>> = BTreeMap::new();
    for (resource, names) in &reading.queries {
        let Some(route) = routes.of_resource[*resource as usize] else { continue };
        let of_route = of_route.entry(route).or_default();
        for (name, kinds) in names {
            let joined = of_route.entry(name).or_default();
            kinds.iter().for_each(|(kind, seen)| joined.entry(*kind).or_default().merge(seen, gate.k()));
        }
    }
    let requests =
        |route: RouteNumber| tally.endpoints.get(&route).map_or(0, |endpoint| endpoint.requests.count);
    of_route
        .into_iter()
        .map(|(route, names)| {
            let published = |(name, kinds)| parameter(name, &kinds, requests(route), gate);
            (route, names.into_iter().filter_map(published).collect())
        })
        .collect()
}

fn parameter(name: &str, kinds: &BTreeMap<u8, Bin>, requests: u64, gate: Gate) -> Option<QueryParameter> {
    let mut all = Bin::default();
    kinds.values().for_each(|seen| all.merge(seen, gate.k()));
    let usual = kinds.iter().filter(|(_, seen)| seen.has_enough()).max_by_key(|(_, seen)| seen.count);
    let usual = usual.and_then(|(kind, _)| KINDS.into_iter().find(|known| *known as u8 == *kind));
    // Requests in two logs were counted in both here, and once there.
    let presence = round_probability((all.count as f64 / requests.max(1) as f64).min(1.0));
    (all.has_enough() && presence > 0.0).then(|| QueryParameter {
        name: name.to_owned(),
        presence,
        kind: usual.unwrap_or(shared::endpoint::ValueKind::Opaque),
        cardinality: None,
    })
}
