//! Classes of users, each a Markov chain from START over endpoints to END.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::endpoint::Summary;
use crate::flow;

/// The absorbing state that ends a session.
pub const END: &str = "END";

/// The state that stands for every endpoint too rare to be named. A replay passes through it without a request.
pub const OTHER: &str = "other";

/// How long sessions are that the log has from their first request to their last, as they were counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    /// Requests that somebody decided on.
    #[serde(serialize_with = "flow::map")]
    pub requests: RequestsPerSession,
    /// Seconds from the start of the first request to the end of the last response.
    pub duration_s: Summary,
}

/// Requests per session: the mean and quantiles.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestsPerSession {
    /// Mean, to three significant digits.
    pub mean: f64,
    /// Median.
    pub p50: u64,
    /// 95th percentile; absent when fewer than k sessions are longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95: Option<u64>,
    /// 99th percentile; absent when fewer than k sessions are longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<u64>,
}

/// A kind of user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Its name.
    pub id: String,
    /// Share of sessions, 0..=1.
    pub weight: f64,
    /// Sessions, to three significant digits.
    pub sessions: u64,
    /// Where sessions begin: probability per endpoint id or `other`.
    #[serde(serialize_with = "flow::map")]
    pub start: BTreeMap<String, f64>,
    /// Where they go from each endpoint.
    pub chain: BTreeMap<String, State>,
    /// Where they go after a longer memory, only where it is proved to matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contexts: Vec<Context>,
    /// Which think time applies where.
    pub think_time: ThinkTimes,
    /// Correlation of the gaps of one session, -1..=1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<f64>,
}

/// One row of a chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Visits, to three significant digits.
    pub visits: u64,
    /// Probability of each endpoint id, `other` or `END` to come next.
    #[serde(serialize_with = "flow::map")]
    pub next: BTreeMap<String, f64>,
}

/// A row that applies after a longer history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// The last endpoints, oldest first.
    #[serde(serialize_with = "flow::list")]
    pub after: Vec<String>,
    /// Visits, to three significant digits.
    pub visits: u64,
    /// Probability of each endpoint id, `other` or `END` to come next.
    #[serde(serialize_with = "flow::map")]
    pub next: BTreeMap<String, f64>,
}

/// Stands between the endpoints of a transition where one is named; no endpoint's id holds it.
pub const LEADS_TO: &str = " > ";

/// The name of the transition between two endpoints.
pub fn transition(from: &str, to: &str) -> String {
    format!("{from}{LEADS_TO}{to}")
}

/// Which think time applies where: names from the profile's `think_times`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThinkTimes {
    /// Everywhere that `on` does not name.
    pub default: String,
    /// After a response of this endpoint, or between two: `get_cart`, `get_cart > get_checkout`. What names both
    /// endpoints counts more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", serialize_with = "flow::map")]
    pub on: BTreeMap<String, String>,
}

impl ThinkTimes {
    /// The name of the think time that follows endpoint `id`, wherever it leads.
    pub fn after(&self, id: &str) -> &str {
        self.on.get(id).unwrap_or(&self.default)
    }

    /// The name of the think time that lies between the endpoints `from` and `to`.
    pub fn between(&self, from: &str, to: &str) -> &str {
        self.on.get(&transition(from, to)).map_or_else(|| self.after(from), String::as_str)
    }
}

impl Class {
    /// Requests per session in the mean: visits summed over the chain, divided by sessions.
    ///
    /// Solved from the probabilities (`v = a + v Q`, by iteration), so that it also holds for edited profiles. Once
    /// the share of sessions still alive shrinks evenly from step to step, the rest is summed as a geometric series.
    /// A chain that cannot end gives infinity. The visits of [`OTHER`] are not requests and not counted.
    pub fn mean_requests_per_session(&self) -> f64 {
        const STEPS: usize = 2_000;
        const NEGLIGIBLE: f64 = 1e-9;
        let mut alive: BTreeMap<&str, f64> =
            self.start.iter().map(|(id, probability)| (id.as_str(), *probability)).collect();
        let (mut requests, mut shrinking) = (0.0, 0.0);
        let mut visited = 0.0;
        for _ in 0..STEPS {
            let mass: f64 = alive.values().sum();
            if mass < NEGLIGIBLE {
                return requests;
            }
            visited = mass - alive.get(OTHER).copied().unwrap_or(0.0);
            requests += visited;
            let mut next: BTreeMap<&str, f64> = BTreeMap::new();
            for (id, probability) in &alive {
                for (to, step) in self.chain.get(*id).iter().flat_map(|state| &state.next) {
                    if to != END {
                        *next.entry(to.as_str()).or_insert(0.0) += probability * step;
                    }
                }
            }
            shrinking = next.values().sum::<f64>() / mass;
            alive = next;
        }
        if shrinking < 1.0 { requests + visited * shrinking / (1.0 - shrinking) } else { f64::INFINITY }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_think_time_applies() {
        let on = [("a", "after_a"), ("a > b", "a_to_b"), ("c > a", "c_to_a")];
        let on = on.iter().map(|(place, name)| ((*place).to_owned(), (*name).to_owned())).collect();
        let times = ThinkTimes { default: "default".to_owned(), on };
        let found =
            [("a", "b"), ("a", "c"), ("c", "a"), ("c", "b")].map(|(from, to)| times.between(from, to));
        assert_eq!(found, ["a_to_b", "after_a", "c_to_a", "default"]);
    }

    #[test]
    fn very_long_sessions_have_a_mean_and_endless_ones_have_none() {
        for (end, expected) in [(0.5, 2.0), (0.0001, 10_000.0), (0.000_03, 33_333.3), (0.0, f64::INFINITY)] {
            let mut class = crate::io::from_yaml(crate::profile::EXAMPLE).unwrap().classes.remove(0);
            let next = BTreeMap::from([(END.to_owned(), end), ("get_home".to_owned(), 1.0 - end)]);
            class.chain = BTreeMap::from([("get_home".to_owned(), State { visits: 1, next })]);
            class.start = BTreeMap::from([("get_home".to_owned(), 1.0)]);
            let found = class.mean_requests_per_session();
            let same = found.is_infinite() && expected.is_infinite();
            assert!(same || (found / expected - 1.0).abs() < 1e-4, "{end}: {found}");
        }
    }
}
