//! What happened: notes in, histograms and counts out.

mod codec;
pub(crate) mod intervals;
mod keeper;
mod live;
mod measured;
mod note;
mod sample;
mod times;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};

pub(crate) use keeper::{Batch, Kept, keep};
pub(crate) use live::Live;
pub use live::Progress;
pub(crate) use measured::Measured;
pub(crate) use note::{Note, Waiting};
pub use sample::Failure;
pub(crate) use sample::{Outcome, Sample};
pub(crate) use times::{Bound, Times, Waits};

use shared::status::Status;

use crate::plan::{Digest, Place, Plan, PlannedSession, Walk};

/// Sole owner of the histograms and counts of one event loop.
#[derive(Debug)]
pub(crate) struct Recorder {
    snapshot: Snapshot,
    live: Arc<Live>,
    /// How long a request may take.
    timeout_ns: u64,
    /// Requests that wait for an answer; of equal ones, how many.
    waiting: BTreeMap<Waiting, u32>,
    /// What happened since the last batch, for whoever reads along.
    notes: Vec<Note>,
    reader: Option<(usize, SyncSender<Batch>)>,
}

/// Everything counted so far. Those of several event loops, or of several seconds, add up to exactly that of one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Snapshot {
    pub(crate) sessions: SessionCounts,
    pub(crate) requests: RequestCounts,
    /// Requests that followed from where answers led; part of the requests they followed from, and not counted there.
    pub(crate) redirects: u64,
    /// Fingerprint of the sessions that fell due.
    pub(crate) digest: Digest,
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

/// Requests, by what became of them.
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
    /// Not sent because the run ended before they were due.
    pub(crate) cut: u64,
    /// Sent, and still waiting when the run ended.
    pub(crate) unfinished: u64,
    /// Passed without a request: `other`, and methods that are not allowed. Not among the planned.
    pub(crate) skipped: u64,
}

/// What happened at one endpoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct EndpointSnapshot {
    pub(crate) planned: u64,
    pub(crate) sent: u64,
    pub(crate) failed: u64,
    pub(crate) timed_out: u64,
    pub(crate) dropped: u64,
    pub(crate) cut: u64,
    pub(crate) body_bytes: u64,
    pub(crate) statuses: BTreeMap<Status, u64>,
    pub(crate) failures: BTreeMap<Failure, u64>,
    pub(crate) response: Waits,
    pub(crate) chain: Waits,
    pub(crate) service: Waits,
    pub(crate) send_delay: Times,
    pub(crate) connecting: Times,
    pub(crate) first_byte: Times,
}

impl EndpointSnapshot {
    /// Its times that may be censored.
    fn waits(&self) -> [&Waits; 3] {
        [&self.response, &self.chain, &self.service]
    }

    /// Its other times.
    fn times(&self) -> [&Times; 3] {
        [&self.send_delay, &self.connecting, &self.first_byte]
    }

    /// Counts how a request ended.
    ///
    /// One that failed is answered never: it counts as longer than any request may take, however quickly it failed. So
    /// does one that was not sent because too many waited. One that nobody waits for any more counts as longer than
    /// what was waited.
    fn ended(&mut self, sample: &Sample, timeout_ns: u64) {
        let service = sample.service_time();
        let add = |waits: &mut Waits, waited: u64| match sample.outcome {
            Outcome::Completed { .. } => waits.ended.add(waited),
            Outcome::Failed(_) => waits.unended.add(waited.max(timeout_ns)),
            Outcome::TimedOut => waits.unended.add(waited),
        };
        add(&mut self.response, sample.response_time());
        add(&mut self.chain, sample.chain_time());
        service.into_iter().for_each(|time| add(&mut self.service, time));
        self.send_delay.add(sample.send_delay());
        sample.connecting.into_iter().for_each(|time| self.connecting.add(time));
        sample.first_byte_time().into_iter().for_each(|time| self.first_byte.add(time));
        match sample.outcome {
            Outcome::Completed { status, body_bytes } => {
                *self.statuses.entry(status).or_insert(0) += 1;
                self.body_bytes += body_bytes;
            }
            Outcome::Failed(failure) => {
                self.failed += 1;
                *self.failures.entry(failure).or_insert(0) += 1;
            }
            Outcome::TimedOut => self.timed_out += 1,
        }
    }
}

impl Recorder {
    /// A recorder of a plan with this many endpoints, whose requests may take `timeout_ns`. What happens is told to
    /// `reader`, batch by batch, under the number that goes with it.
    pub(crate) fn new(
        endpoints: usize,
        timeout_ns: u64,
        live: Arc<Live>,
        reader: Option<(usize, SyncSender<Batch>)>,
    ) -> Self {
        let snapshot = Snapshot::new(endpoints);
        Self { snapshot, live, timeout_ns, waiting: BTreeMap::new(), notes: Vec::new(), reader }
    }

    /// A session fell due, and is taken up at `released_at`.
    pub(crate) fn session(&mut self, plan: &Plan, session: &PlannedSession, walk: &Walk, released_at: u64) {
        let (planned, skipped, digest) = outlook(plan, session, walk);
        let (starts_at, is_under_way) = (session.starts_at_ns, session.is_under_way());
        self.note(Note::Session { starts_at, released_at, is_under_way, planned, skipped, digest });
        self.live.session();
    }

    /// A session was not even begun, because too many requests are waiting at `at`.
    pub(crate) fn session_dropped(&mut self, plan: &Plan, walk: &Walk, at: u64) {
        self.note(Note::SessionDropped);
        self.dropped(plan, &walk.places, at);
    }

    /// A session fell due before this process was there.
    pub(crate) fn session_lost(&mut self, plan: &Plan, session: &PlannedSession, walk: &Walk) {
        let (planned, skipped, digest) = outlook(plan, session, walk);
        self.note(Note::SessionLost { planned, skipped, digest });
        self.live.session();
    }

    /// The rest of a session is not sent, because too many requests are waiting at `at`.
    pub(crate) fn dropped(&mut self, plan: &Plan, rest: &[Place], at: u64) {
        for endpoint in requested(plan, rest) {
            self.note(Note::Dropped { endpoint, at });
            self.live.dropped(1);
        }
    }

    /// The rest of a session is not sent, because the run ends.
    pub(crate) fn cut(&mut self, plan: &Plan, rest: &[Place]) {
        requested(plan, rest).for_each(|endpoint| self.note(Note::Cut { endpoint }));
    }

    /// A request is being sent.
    pub(crate) fn sent(&mut self, waiting: Waiting) {
        *self.waiting.entry(waiting).or_insert(0) += 1;
        self.note(Note::Sent(waiting));
        self.live.sent();
    }

    /// A request ended.
    pub(crate) fn ended(&mut self, sample: &Sample) {
        let Sample { endpoint, scheduled_at, chain_due_at, .. } = *sample;
        self.answered(Waiting { scheduled_at, chain_due_at, endpoint });
        self.note(Note::Ended(*sample));
        self.live.ended(matches!(sample.outcome, Outcome::Completed { .. }));
    }

    /// A request was planned that is no step of a session: what a page brings along, a call by the clock.
    pub(crate) fn planned_more(&mut self, endpoint: usize) {
        self.note(Note::Planned { endpoint });
    }

    /// Such a request is not sent, because too many are waiting at `at`.
    pub(crate) fn shed(&mut self, endpoint: usize, at: u64) {
        self.note(Note::Dropped { endpoint, at });
        self.live.dropped(1);
    }

    /// Such a request is not sent, because the run ends.
    pub(crate) fn cut_short(&mut self, endpoint: usize) {
        self.note(Note::Cut { endpoint });
    }

    /// So many requests followed from where an answer led. The plan does not know them.
    pub(crate) fn redirected(&mut self, requests: u64) {
        if requests > 0 {
            self.note(Note::Redirected { requests });
        }
    }

    /// The first pause of a session is over; `rank` is the share of pauses that would have been shorter.
    pub(crate) fn paused(&mut self, rank: f64) {
        self.note(Note::Paused { rank });
    }

    /// Hands what happened so far to the reader. If that is still busy with what it has, next time will do.
    pub(crate) fn hand_over(&mut self, now: u64) {
        let Some((shard, reader)) = &self.reader else { return };
        let batch = Batch { shard: *shard, until: now, notes: std::mem::take(&mut self.notes) };
        if let Err(TrySendError::Full(batch)) = reader.try_send(batch) {
            self.notes = batch.notes;
        }
    }

    /// Everything counted, at the end of the run: what still waits `now` has waited until now.
    pub(crate) fn finish(&mut self, now: u64) -> Snapshot {
        for (waiting, count) in std::mem::take(&mut self.waiting) {
            (0..count).for_each(|_| self.note(Note::Unfinished { waiting, at: now }));
        }
        if let Some((shard, reader)) = self.reader.take() {
            // If nobody reads any more, it is not for want of trying.
            let _ = reader.send(Batch { shard, until: u64::MAX, notes: std::mem::take(&mut self.notes) });
        }
        self.snapshot.clone()
    }

    fn answered(&mut self, waiting: Waiting) {
        if let Some(count) = self.waiting.get_mut(&waiting) {
            *count -= 1;
            if *count == 0 {
                self.waiting.remove(&waiting);
            }
        }
    }

    fn note(&mut self, note: Note) {
        self.snapshot.add(&note, self.timeout_ns);
        if self.reader.is_some() {
            self.notes.push(note);
        }
    }
}

/// What a session means to do: the positions of the endpoints it requests, the places that it passes, its fingerprint.
fn outlook(plan: &Plan, session: &PlannedSession, walk: &Walk) -> (Box<[u32]>, u64, Digest) {
    let planned: Box<[u32]> = requested(plan, &walk.places).map(|endpoint| endpoint as u32).collect();
    let skipped = (walk.places.len() - planned.len()) as u64;
    let mut digest = Digest::default();
    digest.add(session, walk);
    (planned, skipped, digest)
}

/// The endpoints that visits of `places` request.
fn requested<'a>(plan: &'a Plan, places: &'a [Place]) -> impl Iterator<Item = usize> + 'a {
    places.iter().filter_map(|place| plan.requested(*place))
}

impl Snapshot {
    /// Nothing counted yet.
    pub(crate) fn new(endpoints: usize) -> Self {
        Self {
            sessions: SessionCounts::default(),
            requests: RequestCounts::default(),
            redirects: 0,
            digest: Digest::default(),
            endpoints: vec![EndpointSnapshot::default(); endpoints],
        }
    }

    /// Counts what `note` tells of a run whose requests may take `timeout_ns`.
    pub(crate) fn add(&mut self, note: &Note, timeout_ns: u64) {
        let Self { sessions, requests, redirects, digest, endpoints } = self;
        match note {
            Note::Session { planned, skipped, digest: of_session, .. } => {
                sessions.planned += 1;
                requests.planned += planned.len() as u64;
                requests.skipped += skipped;
                digest.merge(*of_session);
                planned.iter().for_each(|endpoint| endpoints[*endpoint as usize].planned += 1);
            }
            Note::SessionLost { planned, skipped, digest: of_session } => {
                sessions.planned += 1;
                sessions.lost += 1;
                requests.planned += planned.len() as u64;
                requests.lost += planned.len() as u64;
                requests.skipped += skipped;
                digest.merge(*of_session);
            }
            Note::Planned { endpoint } => {
                requests.planned += 1;
                endpoints[*endpoint].planned += 1;
            }
            Note::SessionDropped => sessions.dropped += 1,
            Note::Dropped { endpoint, .. } => {
                requests.dropped += 1;
                let endpoint = &mut endpoints[*endpoint];
                endpoint.dropped += 1;
                endpoint.response.unended.add(timeout_ns);
                endpoint.chain.unended.add(timeout_ns);
            }
            Note::Cut { endpoint } => {
                requests.cut += 1;
                endpoints[*endpoint].cut += 1;
            }
            Note::Sent(waiting) => {
                requests.sent += 1;
                endpoints[waiting.endpoint].sent += 1;
            }
            Note::Ended(sample) => {
                *match sample.outcome {
                    Outcome::Completed { .. } => &mut requests.completed,
                    Outcome::Failed(_) => &mut requests.failed,
                    Outcome::TimedOut => &mut requests.timed_out,
                } += 1;
                endpoints[sample.endpoint].ended(sample, timeout_ns);
            }
            Note::Unfinished { waiting, at } => {
                requests.unfinished += 1;
                let endpoint = &mut endpoints[waiting.endpoint];
                let [response, chain] = waiting.waited(*at);
                endpoint.response.unended.add(response);
                endpoint.chain.unended.add(chain);
            }
            Note::Redirected { requests } => *redirects += requests,
            Note::Paused { .. } => {}
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
        ours.cut += theirs.cut;
        ours.unfinished += theirs.unfinished;
        ours.skipped += theirs.skipped;
        self.redirects += other.redirects;
        self.digest.merge(other.digest);
        for (ours, theirs) in self.endpoints.iter_mut().zip(&other.endpoints) {
            ours.merge(theirs);
        }
    }

    /// All endpoints' times of one sort together, of those that may be censored.
    pub(crate) fn all_waits(&self, waits: impl Fn(&EndpointSnapshot) -> &Waits) -> Waits {
        let mut all = Waits::default();
        self.endpoints.iter().for_each(|endpoint| all.merge(waits(endpoint)));
        all
    }

    /// All endpoints' times of one sort together.
    pub(crate) fn all_times(&self, times: impl Fn(&EndpointSnapshot) -> &Times) -> Times {
        let mut all = Times::default();
        self.endpoints.iter().for_each(|endpoint| all.merge(times(endpoint)));
        all
    }
}

impl EndpointSnapshot {
    /// Adds all that `other` counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.planned += other.planned;
        self.sent += other.sent;
        self.failed += other.failed;
        self.timed_out += other.timed_out;
        self.dropped += other.dropped;
        self.cut += other.cut;
        self.body_bytes += other.body_bytes;
        add_counts(&mut self.statuses, &other.statuses);
        add_counts(&mut self.failures, &other.failures);
        self.response.merge(&other.response);
        self.chain.merge(&other.chain);
        self.service.merge(&other.service);
        self.send_delay.merge(&other.send_delay);
        self.connecting.merge(&other.connecting);
        self.first_byte.merge(&other.first_byte);
    }
}

fn add_counts<K: Ord + Copy>(ours: &mut BTreeMap<K, u64>, theirs: &BTreeMap<K, u64>) {
    theirs.iter().for_each(|(key, count)| *ours.entry(*key).or_insert(0) += count);
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::status::GrpcCode;

    fn sample(i: u64) -> Sample {
        let outcome = match i % 10 {
            0 => Outcome::TimedOut,
            1 => Outcome::Failed(Failure::Broken),
            2 => Outcome::Completed { status: Status::Grpc(GrpcCode::NotFound), body_bytes: i },
            _ => Outcome::Completed {
                status: Status::Http(if i.is_multiple_of(3) { 404 } else { 200 }),
                body_bytes: i,
            },
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

    const TIMEOUT: u64 = 3_000_000_000;

    fn record(samples: impl Iterator<Item = u64>) -> Snapshot {
        let mut recorder = Recorder::new(2, TIMEOUT, Arc::default(), None);
        samples.for_each(|i| {
            let Sample { endpoint, scheduled_at, chain_due_at, .. } = sample(i);
            recorder.sent(Waiting { scheduled_at, chain_due_at, endpoint });
            if i % 50 != 7 {
                recorder.ended(&sample(i));
            }
        });
        recorder.finish(5_000_000_000)
    }

    #[test]
    fn parts_add_up_to_the_whole_in_any_order() {
        let whole = record(0..1000);
        let parts: Vec<Snapshot> =
            (0..3).map(|part| record((0..1000).filter(move |i| i % 3 == part))).collect();
        for order in [[0, 1, 2], [2, 0, 1]] {
            let mut merged = Snapshot::new(2);
            order.iter().for_each(|part| merged.merge(&parts[*part]));
            assert_eq!(merged, whole);
        }
    }

    #[test]
    fn every_request_sent_is_somewhere() {
        let counted = record(0..1000);
        let RequestCounts { sent, completed, failed, timed_out, unfinished, .. } = counted.requests;
        assert_eq!((sent, completed, failed, timed_out, unfinished), (1000, 780, 100, 100, 20));
        let all = counted.all_waits(|endpoint| &endpoint.response);
        assert_eq!((all.count(), all.unended.count()), (1000, 220));
        // Failed at once is not quick: it is at least as long as a request may take.
        assert!(all.unended.count_from(TIMEOUT) >= 100);
    }

    #[test]
    fn snapshots_survive_being_written() {
        let counted = record(0..1000);
        let bytes = codec::encode(&counted);
        assert_eq!(codec::decode(&bytes, 2).as_ref(), Some(&counted));
        assert_eq!(codec::decode(&bytes, 1), None);
        for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            assert_eq!(codec::decode(&bytes[..length], 2), None, "{length}");
        }
    }
}
