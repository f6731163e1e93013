//! What stands in the placeholders of routes: of what kind, how many values, how unevenly used; never a value.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use shared::endpoint::{Parameter, Popularity};
use shared::units::{round_count, round_significant};

use crate::model::popularity::{Use, usage};
use crate::read::Reading;
use crate::route::Routes;
use crate::settings::ModelSettings;
use crate::tally::{self, RouteNumber};

/// Share of a route's requests whose value must be known for anything to be said of its use: what looked like a
/// number or a token was never told apart.
const KNOWN_SHARE: f64 = 0.95;

/// Uses of the values of each placeholder of the routes, where they are known; by route and place.
pub(super) fn uses(
    reading: &Reading,
    routes: &Routes,
    settings: &ModelSettings,
) -> BTreeMap<(RouteNumber, usize), Use> {
    let mut of_value: HashMap<(RouteNumber, usize, &str), u64, FixedState> = HashMap::default();
    let mut all: BTreeMap<(RouteNumber, usize), u64> = BTreeMap::new();
    let (requested, _) = tally::requested(reading, settings);
    for ((resource, route), count) in reading.resources.iter().zip(&routes.of_resource).zip(requested) {
        let Some(route) = *route else { continue };
        let template = &routes.routes[route as usize].template;
        let pairs =
            segments(template).zip(segments(&resource.shape)).filter(|(place, _)| place.starts_with('{'));
        for (at, (_, value)) in pairs.enumerate() {
            *all.entry((route, at)).or_insert(0) += count.requests;
            if !value.starts_with('{') {
                *of_value.entry((route, at, value)).or_insert(0) += count.requests;
            }
        }
    }
    let mut counts: BTreeMap<(RouteNumber, usize), Vec<u64>> = BTreeMap::new();
    for ((route, at, _), count) in of_value {
        counts.entry((route, at)).or_default().push(count);
    }
    let known = |place: &(RouteNumber, usize), counts: &[u64]| {
        counts.iter().sum::<u64>() as f64 >= KNOWN_SHARE * all[place] as f64
    };
    let of_place = |(place, counts): ((RouteNumber, usize), Vec<u64>)| {
        known(&place, &counts).then(|| usage(&counts)).flatten().map(|found| (place, found))
    };
    counts.into_iter().filter_map(of_place).collect()
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// The parameters of a route by name, with what is known of their use.
pub(super) fn parameters(
    number: RouteNumber,
    routes: &Routes,
    uses: &BTreeMap<(RouteNumber, usize), Use>,
) -> BTreeMap<String, Parameter> {
    let parameter = |(at, (name, kind)): (usize, &(String, crate::route::Kind))| {
        let used = uses.get(&(number, at));
        let zipf = |exponent| Popularity::Zipf { exponent: round_significant(exponent, 3) };
        let parameter = Parameter {
            kind: kind.0,
            cardinality: used.map(|used| used.cardinality),
            distinct: used.map(|used| round_count(used.distinct)),
            popularity: used.and_then(|used| used.exponent).map(zipf),
            length: BTreeMap::new(),
        };
        (name.clone(), parameter)
    };
    routes.routes[number as usize].parameters.iter().enumerate().map(parameter).collect()
}
