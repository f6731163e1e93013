//! Do the sessions that fell due go where the profile says? Their visits of each endpoint, in the mean, against the
//! expected visits `a (I - Q)^-1` of the profile's chains. Sessions are independent of each other, visits of one session
//! are not: so the error of the mean comes from the spread between sessions.

use schemars::JsonSchema;
use serde::Serialize;
use shared::distribution::normal_cdf;

use super::{Finding, Level};

/// With fewer sessions, a mean is no normal number.
const FEWEST: u64 = 200;

/// A probability this small is no chance, of all endpoints together (Bonferroni).
const SIGNIFICANT: f64 = 0.001;

/// Share of requests that may go elsewhere before that matters, however certain it is: goal G6.
const DEGRADED_SHARE: f64 = 0.01;

/// With this share, it is another mix.
const INVALID_SHARE: f64 = 0.04;

/// Visits of one endpoint by all sessions so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Visits {
    sum: f64,
    squares: f64,
}

/// Where the sessions that fell due go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Walks {
    sessions: u64,
    endpoints: Vec<Visits>,
    /// Visits per session that the profile expects of each endpoint.
    expected: Vec<f64>,
}

impl Walks {
    /// No session yet, of a plan that expects so many visits per session of each endpoint.
    pub(super) fn new(expected: Vec<f64>) -> Self {
        Self { sessions: 0, endpoints: vec![Visits::default(); expected.len()], expected }
    }

    /// Adds a session that means to request the endpoints at these positions.
    pub(super) fn add(&mut self, planned: &[u32]) {
        self.sessions += 1;
        let mut sorted = planned.to_vec();
        sorted.sort_unstable();
        for equal in sorted.chunk_by(|a, b| a == b) {
            let (visits, endpoint) = (equal.len() as f64, &mut self.endpoints[equal[0] as usize]);
            endpoint.sum += visits;
            endpoint.squares += visits * visits;
        }
    }
}

/// The endpoint whose visits are furthest from what the profile expects.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Mix {
    /// Sessions that fell due.
    pub sessions: u64,
    /// Id of the endpoint.
    pub endpoint: String,
    /// Its share of the requests that the profile expects.
    pub expected_share: f64,
    /// Its share of the requests that the sessions mean to send.
    pub planned_share: f64,
    /// How far its visits per session are off, in standard errors.
    pub z: f64,
    /// The probability of that by chance, for as many endpoints as there are.
    pub p: f64,
}

impl Mix {
    /// Of all sessions; `ids` are the names of the endpoints. None if the sessions are too few.
    pub(crate) fn of(walks: &Walks, ids: &[&str]) -> Option<Self> {
        let sessions = walks.sessions as f64;
        let total: f64 = walks.endpoints.iter().map(|visits| visits.sum).sum();
        let expected_total: f64 = walks.expected.iter().sum();
        let tested = walks.expected.iter().filter(|expected| **expected > 0.0).count() as f64;
        let of_endpoint = |((visits, expected), id): ((&Visits, &f64), &&str)| {
            let mean = visits.sum / sessions;
            // Of an endpoint that is hardly visited, the spread is known better than it was seen.
            let variance = (visits.squares / sessions - mean * mean).max(*expected);
            let z = (mean - expected) / (variance / sessions).sqrt();
            Self {
                sessions: walks.sessions,
                endpoint: (*id).to_owned(),
                expected_share: expected / expected_total,
                planned_share: visits.sum / total,
                z,
                p: (2.0 * tested * normal_cdf(-z.abs())).min(1.0),
            }
        };
        let both = walks.endpoints.iter().zip(&walks.expected).zip(ids);
        let all = both.filter(|((_, expected), _)| **expected > 0.0).map(of_endpoint);
        let known = walks.sessions >= FEWEST && total > 0.0;
        all.max_by(|a, b| a.z.abs().total_cmp(&b.z.abs())).filter(|_| known)
    }

    /// What is wrong with it.
    pub(super) fn finding(&self) -> Option<Finding> {
        let level = match (self.planned_share - self.expected_share).abs() {
            _ if self.p >= SIGNIFICANT => Level::Valid,
            off if off > INVALID_SHARE => Level::Invalid,
            off if off > DEGRADED_SHARE => Level::Degraded,
            _ => Level::Valid,
        };
        Finding::of_generator(level, || {
            let [planned, expected] = [self.planned_share, self.expected_share].map(|share| 100.0 * share);
            format!("`{}` has {planned:.1} % of all requests, {expected:.1} % in the profile", self.endpoint)
        })
    }
}
