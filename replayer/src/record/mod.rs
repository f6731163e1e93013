//! What happened: samples in, histograms and counts out.

mod live;
mod sample;

use std::collections::BTreeMap;
use std::sync::Arc;

use hdrhistogram::Histogram;

pub(crate) use live::Live;
pub use live::Progress;
pub(crate) use sample::{Failure, Outcome, Sample};

use crate::clock::SECOND_NS;
use crate::plan::{Digest, Place, Plan, PlannedSession, Walk};

/// Sole owner of the histograms and counts of one event loop.
#[derive(Debug)]
pub(crate) struct Recorder {
    snapshot: Snapshot,
    live: Arc<Live>,
}

/// Everything counted so far. Those of several event loops add up to exactly that of one.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) sessions: SessionCounts,
    pub(crate) requests: RequestCounts,
    /// Requests that followed from where answers led; part of the requests they followed from, and not counted there.
    pub(crate) redirects: u64,
    pub(crate) failures: BTreeMap<Failure, u64>,
    /// Fingerprint of the sessions that fell due.
    pub(crate) digest: Digest,
    pub(crate) connecting: Times,
    pub(crate) endpoints: Vec<EndpointSnapshot>,
}

/// Sessions, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SessionCounts {
    pub(crate) planned: u64,
    pub(crate) dropped: u64,
    /// Fell due before this process was there.
    pub(crate) lost: u64,
}

/// Requests, by what became of them. What is neither sent nor dropped was cut off when the run ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RequestCounts {
    pub(crate) planned: u64,
    pub(crate) sent: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) timed_out: u64,
    /// Not sent because too many were waiting for an answer.
    pub(crate) dropped: u64,
    /// Of sessions that fell due before this process was there.
    pub(crate) lost: u64,
    /// Passed without a request: `other`, and methods that are not allowed. Not among the planned.
    pub(crate) skipped: u64,
}

/// What happened at one endpoint.
#[derive(Debug, Clone, Default)]
pub(crate) struct EndpointSnapshot {
    pub(crate) sent: u64,
    pub(crate) failed: u64,
    pub(crate) timed_out: u64,
    pub(crate) body_bytes: u64,
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) response: Times,
    pub(crate) chain: Times,
    pub(crate) service: Times,
    pub(crate) first_byte: Times,
    pub(crate) send_delay: Times,
}

/// A histogram of times in whole microseconds, to three digits, up to an hour.
#[derive(Debug, Clone)]
pub(crate) struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new(3).expect("three digits are among the allowed"))
    }
}

impl Times {
    /// Longer times count as this.
    const LONGEST_US: u64 = 3_600_000_000;

    /// Adds a time of `ns` nanoseconds.
    pub(crate) fn add(&mut self, ns: u64) {
        let us = (ns / (SECOND_NS / 1_000_000)).min(Self::LONGEST_US);
        self.0.record(us).expect("it grows to any value below its cut");
    }

    /// Adds all times of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("it grows to any value below its cut");
    }

    /// Number of times.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The `q`-quantile in seconds.
    pub(crate) fn quantile_s(&self, q: f64) -> f64 {
        self.0.value_at_quantile(q) as f64 / 1e6
    }

    /// Mean in seconds.
    pub(crate) fn mean_s(&self) -> f64 {
        self.0.mean() / 1e6
    }

    /// The longest, in seconds.
    pub(crate) fn max_s(&self) -> f64 {
        self.0.max() as f64 / 1e6
    }
}

impl Recorder {
    /// A recorder of a plan with this many endpoints.
    pub(crate) fn new(endpoints: usize, live: Arc<Live>) -> Self {
        Self { snapshot: Snapshot::new(endpoints), live }
    }

    /// A session fell due.
    pub(crate) fn session(&mut self, plan: &Plan, session: &PlannedSession, walk: &Walk) {
        let requests = requests_in(plan, &walk.places);
        self.snapshot.sessions.planned += 1;
        self.snapshot.requests.planned += requests;
        self.snapshot.requests.skipped += walk.places.len() as u64 - requests;
        self.snapshot.digest.add(session, walk);
        self.live.session();
    }

    /// A session was not even begun, because too many requests are waiting.
    pub(crate) fn session_dropped(&mut self, plan: &Plan, walk: &Walk) {
        self.snapshot.sessions.dropped += 1;
        self.dropped(plan, &walk.places);
    }

    /// A session fell due before this process was there.
    pub(crate) fn session_lost(&mut self, plan: &Plan, session: &PlannedSession, walk: &Walk) {
        self.session(plan, session, walk);
        self.snapshot.sessions.lost += 1;
        self.snapshot.requests.lost += requests_in(plan, &walk.places);
    }

    /// The rest of a session is not sent, because too many requests are waiting.
    pub(crate) fn dropped(&mut self, plan: &Plan, rest: &[Place]) {
        self.shed(requests_in(plan, rest));
    }

    /// A request is being sent.
    pub(crate) fn sent(&mut self, endpoint: usize) {
        self.snapshot.requests.sent += 1;
        self.snapshot.endpoints[endpoint].sent += 1;
        self.live.sent();
    }

    /// A request ended. Those given up count with the time until then: without them, the slowest would look fast.
    pub(crate) fn ended(&mut self, sample: &Sample) {
        let Snapshot { requests, failures, connecting, endpoints, .. } = &mut self.snapshot;
        let endpoint = &mut endpoints[sample.endpoint];
        match sample.outcome {
            Outcome::Completed { status, body_bytes } => {
                requests.completed += 1;
                *endpoint.statuses.entry(status).or_insert(0) += 1;
                endpoint.body_bytes += body_bytes;
            }
            Outcome::Failed(failure) => {
                requests.failed += 1;
                endpoint.failed += 1;
                *failures.entry(failure).or_insert(0) += 1;
            }
            Outcome::TimedOut => {
                requests.timed_out += 1;
                endpoint.timed_out += 1;
            }
        }
        endpoint.response.add(sample.response_time());
        endpoint.chain.add(sample.chain_time());
        sample.first_byte_time().into_iter().for_each(|time| endpoint.first_byte.add(time));
        endpoint.send_delay.add(sample.send_delay());
        sample.service_time().into_iter().for_each(|time| endpoint.service.add(time));
        sample.connecting.into_iter().for_each(|time| connecting.add(time));
        self.live.ended(matches!(sample.outcome, Outcome::Completed { .. }));
    }

    /// Requests were planned that are no steps of a session.
    pub(crate) fn planned_more(&mut self, requests: u64) {
        self.snapshot.requests.planned += requests;
    }

    /// Such requests are not sent, because too many are waiting.
    pub(crate) fn shed(&mut self, requests: u64) {
        self.snapshot.requests.dropped += requests;
        self.live.dropped(requests);
    }

    /// So many requests followed from where an answer led. The plan does not know them.
    pub(crate) fn redirected(&mut self, requests: u64) {
        self.snapshot.redirects += requests;
    }

    /// Everything counted so far.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.snapshot.clone()
    }
}

/// Visits in `places` that are requests.
fn requests_in(plan: &Plan, places: &[Place]) -> u64 {
    places.iter().filter(|place| plan.requested(**place).is_some()).count() as u64
}

impl Snapshot {
    /// Nothing counted yet.
    pub(crate) fn new(endpoints: usize) -> Self {
        Self {
            sessions: SessionCounts::default(),
            requests: RequestCounts::default(),
            redirects: 0,
            failures: BTreeMap::new(),
            digest: Digest::default(),
            connecting: Times::default(),
            endpoints: vec![EndpointSnapshot::default(); endpoints],
        }
    }

    /// Adds all that `other` counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.sessions.planned += other.sessions.planned;
        self.sessions.dropped += other.sessions.dropped;
        self.sessions.lost += other.sessions.lost;
        let (ours, theirs) = (&mut self.requests, &other.requests);
        ours.planned += theirs.planned;
        ours.sent += theirs.sent;
        ours.completed += theirs.completed;
        ours.failed += theirs.failed;
        ours.timed_out += theirs.timed_out;
        ours.dropped += theirs.dropped;
        ours.lost += theirs.lost;
        ours.skipped += theirs.skipped;
        self.redirects += other.redirects;
        add_counts(&mut self.failures, &other.failures);
        self.digest.merge(other.digest);
        self.connecting.merge(&other.connecting);
        for (ours, theirs) in self.endpoints.iter_mut().zip(&other.endpoints) {
            ours.sent += theirs.sent;
            ours.failed += theirs.failed;
            ours.timed_out += theirs.timed_out;
            ours.body_bytes += theirs.body_bytes;
            add_counts(&mut ours.statuses, &theirs.statuses);
            ours.response.merge(&theirs.response);
            ours.chain.merge(&theirs.chain);
            ours.first_byte.merge(&theirs.first_byte);
            ours.service.merge(&theirs.service);
            ours.send_delay.merge(&theirs.send_delay);
        }
    }

    /// All endpoints' times of one sort together.
    pub(crate) fn all(&self, times: impl Fn(&EndpointSnapshot) -> &Times) -> Times {
        let mut all = Times::default();
        self.endpoints.iter().for_each(|endpoint| all.merge(times(endpoint)));
        all
    }
}

fn add_counts<K: Ord + Copy>(ours: &mut BTreeMap<K, u64>, theirs: &BTreeMap<K, u64>) {
    theirs.iter().for_each(|(key, count)| *ours.entry(*key).or_insert(0) += count);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(i: u64) -> Sample {
        let outcome = match i % 10 {
            0 => Outcome::TimedOut,
            1 => Outcome::Failed(Failure::Broken),
            _ => Outcome::Completed { status: if i.is_multiple_of(3) { 404 } else { 200 }, body_bytes: i },
        };
        Sample {
            endpoint: (i % 2) as usize,
            scheduled_at: i * 1_000_000,
            chain_due_at: i * 1_000_000,
            released_at: i * 1_000_000 + 20_000,
            sent_at: Some(i * 1_000_000 + 30_000),
            connecting: i.is_multiple_of(4).then_some(10_000),
            first_byte_at: Some(i * 1_000_000 + 30_000 + i * 5_000),
            completed_at: i * 1_000_000 + 30_000 + i * 7_000,
            outcome,
        }
    }

    fn record(samples: impl Iterator<Item = u64>) -> Snapshot {
        let mut recorder = Recorder::new(2, Arc::default());
        samples.for_each(|i| {
            recorder.sent((i % 2) as usize);
            recorder.ended(&sample(i));
        });
        recorder.snapshot()
    }

    fn key(snapshot: &Snapshot) -> String {
        let quantiles = |times: &Times| [0.1, 0.5, 0.99, 1.0].map(|q| times.quantile_s(q));
        let endpoints = snapshot.endpoints.iter().map(|endpoint| {
            (quantiles(&endpoint.response), quantiles(&endpoint.service), quantiles(&endpoint.send_delay))
        });
        format!("{:?} {:?} {:?}", snapshot.requests, snapshot.failures, endpoints.collect::<Vec<_>>())
    }

    #[test]
    fn parts_add_up_to_the_whole_in_any_order() {
        let whole = record(0..1000);
        let parts: Vec<Snapshot> =
            (0..3).map(|part| record((0..1000).filter(move |i| i % 3 == part))).collect();
        for order in [[0, 1, 2], [2, 0, 1]] {
            let mut merged = Snapshot::new(2);
            order.iter().for_each(|part| merged.merge(&parts[*part]));
            assert_eq!(key(&merged), key(&whole));
        }
    }

    #[test]
    fn every_request_sent_is_somewhere() {
        let RequestCounts { sent, completed, failed, timed_out, .. } = record(0..1000).requests;
        assert_eq!((sent, completed, failed, timed_out), (1000, 800, 100, 100));
        let all = record(0..1000).all(|endpoint| &endpoint.response);
        assert_eq!(all.count(), 1000);
    }

    #[test]
    fn times_beyond_an_hour_count_as_an_hour() {
        let mut times = Times::default();
        times.add(u64::MAX);
        assert!((times.max_s() - 3600.0).abs() < 4.0);
    }
}
