//! What the target answers: drawn from the profile, one stream per request.

use std::collections::BTreeMap;

use hyper::StatusCode;
use shared::Profile;
use shared::distribution::Sampler;
use shared::endpoint::{Endpoint, Summary};

use super::routes::Routes;
use crate::clock;
use crate::plan::Choice;
use crate::random::{Key, Purpose, Stream};

/// What the target answers to which request.
#[derive(Debug)]
pub(super) struct Answers {
    routes: Routes,
    endpoints: Vec<EndpointAnswers>,
    seed: u64,
    largest_body_bytes: usize,
}

#[derive(Debug)]
struct EndpointAnswers {
    statuses: Option<Choice<StatusCode>>,
    service_time_s: Option<Sampler>,
    body_bytes: Option<Sampler>,
}

/// One answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) takes_ns: u64,
    pub(super) body_bytes: usize,
}

impl Answers {
    /// The answers that `profile` describes.
    pub(super) fn of(profile: &Profile, seed: u64, largest_body_bytes: usize) -> Self {
        let routes =
            profile.endpoints.iter().map(|endpoint| (endpoint.method.as_str(), endpoint.route.as_str()));
        Self {
            routes: Routes::new(routes),
            endpoints: profile.endpoints.iter().map(EndpointAnswers::of).collect(),
            seed,
            largest_body_bytes,
        }
    }

    /// The answer to the request with this `number`; 404 at once for what the profile does not know.
    pub(super) fn to(&self, number: u64, method: &str, path: &str) -> Answer {
        let Some(endpoint) = self.routes.find(method, path).map(|at| &self.endpoints[at]) else {
            return Answer { status: StatusCode::NOT_FOUND, takes_ns: 0, body_bytes: 0 };
        };
        let mut stream = Stream::new(Key { seed: self.seed, block: 0, index: number }, Purpose::Answer);
        // Always three numbers, so that each means the same whatever the profile holds.
        let draws = [stream.uniform(), stream.uniform(), stream.uniform()];
        let status = endpoint.statuses.as_ref().map_or(StatusCode::OK, |statuses| statuses.pick(draws[0]));
        let draw = |sampler: &Option<Sampler>, u| sampler.as_ref().map_or(0.0, |sampler| sampler.quantile(u));
        // `as` cuts what no memory could hold to the largest number, and that to what is allowed.
        let body_bytes = (draw(&endpoint.body_bytes, draws[2]) as usize).min(self.largest_body_bytes);
        Answer {
            status,
            takes_ns: clock::from_s(draw(&endpoint.service_time_s, draws[1])),
            body_bytes: if may_have_body(status) { body_bytes } else { 0 },
        }
    }
}

impl EndpointAnswers {
    fn of(endpoint: &Endpoint) -> Self {
        let sampler = |summary: &Option<Summary>| {
            summary.as_ref().and_then(|summary| Sampler::of_histogram(&summary.histogram))
        };
        Self {
            statuses: statuses(&endpoint.status),
            service_time_s: sampler(&endpoint.service_time_s),
            body_bytes: sampler(&endpoint.response_bytes),
        }
    }
}

/// The statuses that can end a request: one below 200 announces another answer, and 499 is what nginx writes for a
/// client that left, which is nothing that a server sends.
fn statuses(shares: &BTreeMap<String, f64>) -> Option<Choice<StatusCode>> {
    let final_ones = shares.iter().filter_map(|(code, share)| {
        let status: StatusCode = code.parse().ok()?;
        (status.as_u16() >= 200 && status.as_u16() != 499).then_some((status, *share))
    });
    Choice::new(final_ones)
}

/// RFC 9110, 6.4.1.
fn may_have_body(status: StatusCode) -> bool {
    status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;

    #[test]
    fn answers_are_distributed_as_in_the_profile() {
        let answers = Answers::of(&from_yaml(EXAMPLE).unwrap(), 5, 20_000);
        let n = 20_000;
        let drawn: Vec<Answer> = (0..n).map(|number| answers.to(number, "GET", "/items/a-b")).collect();
        let missing = drawn.iter().filter(|answer| answer.status == StatusCode::NOT_FOUND).count();
        assert!((missing as f64 / n as f64 - 0.03).abs() < 0.005, "{missing}");
        assert!(drawn.iter().all(|answer| answer.takes_ns == 0 && answer.body_bytes <= 20_000));
        let homes: Vec<Answer> = (0..n).map(|number| answers.to(number, "GET", "/")).collect();
        // 20,000 of 25,000 service times are in the bin around 0.0198 s.
        let quick = homes.iter().filter(|answer| answer.takes_ns < 30_000_000).count();
        assert!((quick as f64 / n as f64 - 0.8).abs() < 0.015, "{quick}");
        assert_eq!(homes[7], answers.to(7, "GET", "/"));
        assert_eq!(answers.to(0, "GET", "/nowhere").status, StatusCode::NOT_FOUND);
    }

    #[test]
    fn statuses_without_a_body_have_none() {
        let mut profile = from_yaml(EXAMPLE).unwrap();
        profile.endpoints[1].status = BTreeMap::from([("304".to_owned(), 0.5), ("499".to_owned(), 0.5)]);
        let answer = Answers::of(&profile, 5, 1000).to(1, "GET", "/items/a-b");
        assert_eq!((answer.status.as_u16(), answer.body_bytes), (304, 0));
    }
}
