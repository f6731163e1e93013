//! Routes of an earlier profile, as a file that people read and edit: names stay the same from release to release.
//!
//! Made of a profile, so that nothing is in it that may not leave: what fewer than k clients asked for is not there,
//! and of values there is the kind alone.

use std::collections::{BTreeMap, BTreeSet};

use shared::Profile;
use shared::endpoint::{Endpoint, ValueKind};

const HEAD: &str = "\
# Routes, one a line, and what they were found from. `analyzer profile --templates FILE` takes paths by these before it
# looks for others. Edit them as you like: `{int}`, `{uuid}`, `{date}` and `{email}` take such values alone, other names
# in braces take any segment, and `{path}` at the end takes all that follows.
";

/// The routes of `profile`, sorted, each with its methods, requests, and parameters.
///
/// [`super::dump::routes`] reads them back.
pub fn text(profile: &Profile) -> String {
    let mut routes: BTreeMap<&str, Vec<&Endpoint>> = BTreeMap::new();
    for endpoint in &profile.endpoints {
        routes.entry(&endpoint.route).or_default().push(endpoint);
    }
    let width = routes.keys().map(|route| route.len()).max().unwrap_or(0).min(WIDEST);
    let mut text = HEAD.to_owned();
    for (route, endpoints) in routes {
        let methods: BTreeSet<&str> = endpoints.iter().map(|endpoint| endpoint.method.as_str()).collect();
        let methods: Vec<&str> = methods.into_iter().collect();
        let requests: u64 = endpoints.iter().map(|endpoint| endpoint.requests).sum();
        let mut line = format!("{route:width$}  # {}: {requests} requests", methods.join(", "));
        for (name, kind, distinct) in parameters(&endpoints) {
            line.push_str(&format!("; {name}: {}", word(kind)));
            if let Some(distinct) = distinct {
                line.push_str(&format!(", about {distinct} values"));
            }
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Columns after which evidence no longer stands in line.
const WIDEST: usize = 60;

/// The parameters of a route, by all its methods; of kinds, that of most requests.
fn parameters<'p>(endpoints: &[&'p Endpoint]) -> Vec<(&'p str, ValueKind, Option<u64>)> {
    let Some(most) = endpoints.iter().max_by_key(|endpoint| endpoint.requests) else { return Vec::new() };
    let distinct = |name: &str| {
        let of = endpoints.iter().filter_map(|endpoint| endpoint.parameters.get(name)?.distinct);
        of.max()
    };
    most.parameters.iter().map(|(name, parameter)| (name.as_str(), parameter.kind, distinct(name))).collect()
}

fn word(kind: ValueKind) -> &'static str {
    super::segment::placeholder(kind).trim_matches(['{', '}'])
}
