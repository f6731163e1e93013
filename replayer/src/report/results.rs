//! The result of a run as data. Units are in the names; every quantile stands beside the number of times it is of.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Serialize;
use shared::Profile;

use crate::guard::Stopped;
use crate::plan::{Outline, Plan};
use crate::record::{EndpointSnapshot, Snapshot, Times};

/// What a run came to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RunReport {
    /// Version of the replayer.
    pub replayer: String,
    /// The target's URL.
    pub target: String,
    /// The address that all connections went to.
    pub address: String,
    /// When the run began, in Unix time.
    pub began_at_s: f64,
    /// How long it took, waiting for the last answers included.
    pub elapsed_s: f64,
    /// Whether somebody ended it early.
    pub interrupted: bool,
    /// Why it ended before its time, where the run itself found a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
    /// The value of the header `X-Load-Run` on all its requests: the same for the same profile, schedule and seed.
    pub run: String,
    /// Whether the generator kept its own plan; if not, the figures say nothing about the target.
    pub verdict: Verdict,
    /// What was planned.
    pub plan: Outline,
    /// Fingerprint of the sessions that fell due: equal to that of `replayer plan` if the run was not interrupted.
    pub digest: String,
    /// Sessions, by what became of them.
    pub sessions: Sessions,
    /// Requests, by what became of them.
    pub requests: Requests,
    /// Requests without an answer, by reason.
    pub failures: BTreeMap<String, u64>,
    /// Answers by status code.
    pub statuses: BTreeMap<String, u64>,
    /// Sessions that ended because the answer to their login did not hold what it should.
    #[serde(skip_serializing_if = "is_zero")]
    pub logins_failed: u64,
    /// Bytes of all bodies.
    pub body_bytes: u64,
    /// How late the generator was: from due to sent, without connecting.
    pub send_delay_s: Quantiles,
    /// What users would have waited: from due to the end of the answer.
    pub response_time_s: Quantiles,
    /// What the target took: from sent to the end of the answer.
    pub service_time_s: Quantiles,
    /// What opening a connection took, where a request had to wait for it.
    pub connect_time_s: Quantiles,
    /// The same for each endpoint that was requested, in the profile's order.
    pub endpoints: Vec<EndpointReport>,
}

/// Whether the generator kept its own plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Verdict {
    /// It did.
    pub valid: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Sessions, by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Sessions {
    /// Fell due.
    pub planned: u64,
    /// Of these, not begun because too many requests waited for an answer.
    pub dropped: u64,
}

/// Requests, by what became of them: planned = sent + dropped + cut, sent = completed + failed + timed_out + unfinished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Requests {
    /// In the sessions that fell due.
    pub planned: u64,
    /// Sent, or at least tried.
    pub sent: u64,
    /// Answered, whatever the status.
    pub completed: u64,
    /// Ended without an answer.
    pub failed: u64,
    /// Given up after the time that a request may take.
    pub timed_out: u64,
    /// Still waiting when the run was cut.
    pub unfinished: u64,
    /// Not sent because too many waited for an answer.
    pub dropped: u64,
    /// Not sent because the run ended before they were due.
    pub cut: u64,
    /// Passed without a request and not among the planned: rare endpoints, and methods that are not allowed.
    pub skipped: u64,
}

/// Quantiles of a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Quantiles {
    /// Number of times; all else is 0 when it is.
    pub n: u64,
    /// Mean, in seconds.
    pub mean_s: f64,
    /// Median.
    pub p50_s: f64,
    /// 90th percentile.
    pub p90_s: f64,
    /// 95th percentile.
    pub p95_s: f64,
    /// 99th percentile.
    pub p99_s: f64,
    /// 99.9th percentile.
    pub p999_s: f64,
    /// The longest.
    pub max_s: f64,
}

/// What happened at one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct EndpointReport {
    /// Its id.
    pub id: String,
    /// HTTP method.
    pub method: String,
    /// Route template.
    pub route: String,
    /// Requests sent.
    pub sent: u64,
    /// Of these, ended without an answer.
    pub failed: u64,
    /// Of these, given up.
    pub timed_out: u64,
    /// Answers by status code.
    pub statuses: BTreeMap<String, u64>,
    /// Bytes of all bodies.
    pub body_bytes: u64,
    /// How late the generator was.
    pub send_delay_s: Quantiles,
    /// What users would have waited.
    pub response_time_s: Quantiles,
    /// What they would have waited, were all waits before as in production.
    pub chain_time_s: Quantiles,
    /// What the target took.
    pub service_time_s: Quantiles,
    /// Of that, until the first bytes of the answer.
    pub first_byte_time_s: Quantiles,
    /// What the service took in production, where the profile knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
}

/// The service time in production, as the profile has it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Baseline {
    /// Median.
    pub p50_s: f64,
    /// 95th percentile, where enough clients lie beyond it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_s: Option<f64>,
}

/// Is it nothing that a result need say?
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What a report says besides what was counted.
#[derive(Debug)]
pub(crate) struct Circumstances {
    pub(crate) target: String,
    pub(crate) address: SocketAddr,
    pub(crate) began_at_s: f64,
    pub(crate) elapsed_s: f64,
    pub(crate) interrupted: bool,
    pub(crate) stopped: Option<Stopped>,
    pub(crate) run: String,
    pub(crate) logins_failed: u64,
    pub(crate) max_in_flight: usize,
}

/// The generator may be this late for one request in a hundred; beyond, it did not follow its plan.
const LATEST_P99_S: f64 = 0.010;

impl RunReport {
    pub(crate) fn new(
        circumstances: Circumstances,
        plan: &Plan,
        profile: &Profile,
        counted: &Snapshot,
    ) -> Self {
        let send_delay = counted.all(|endpoint| &endpoint.send_delay);
        let mut statuses = BTreeMap::new();
        for (status, count) in counted.endpoints.iter().flat_map(|endpoint| &endpoint.statuses) {
            *statuses.entry(status.to_string()).or_insert(0) += count;
        }
        let requests = Requests::of(counted);
        Self {
            replayer: env!("CARGO_PKG_VERSION").to_owned(),
            verdict: Verdict::of(&requests, &send_delay, circumstances.max_in_flight),
            target: circumstances.target,
            address: circumstances.address.to_string(),
            began_at_s: circumstances.began_at_s,
            elapsed_s: circumstances.elapsed_s,
            interrupted: circumstances.interrupted,
            stopped: circumstances.stopped,
            run: circumstances.run,
            logins_failed: circumstances.logins_failed,
            plan: plan.outline().clone(),
            digest: counted.digest.to_string(),
            sessions: Sessions { planned: counted.sessions.planned, dropped: counted.sessions.dropped },
            requests,
            failures: counted.failures.iter().map(|(reason, n)| (reason.name().to_owned(), *n)).collect(),
            statuses,
            body_bytes: counted.endpoints.iter().map(|endpoint| endpoint.body_bytes).sum(),
            send_delay_s: Quantiles::of(&send_delay),
            response_time_s: Quantiles::of(&counted.all(|endpoint| &endpoint.response)),
            service_time_s: Quantiles::of(&counted.all(|endpoint| &endpoint.service)),
            connect_time_s: Quantiles::of(&counted.connecting),
            endpoints: profile
                .endpoints
                .iter()
                .zip(&counted.endpoints)
                .filter(|(_, counted)| counted.sent > 0)
                .map(|(endpoint, counted)| EndpointReport::new(endpoint, counted))
                .collect(),
        }
    }
}

impl Verdict {
    fn of(requests: &Requests, send_delay: &Times, max_in_flight: usize) -> Self {
        let late_s = send_delay.quantile_s(0.99);
        let dropped = requests.dropped;
        let reason = if dropped > 0 {
            Some(format!("{dropped} requests were not sent because {max_in_flight} waited for an answer"))
        } else if late_s > LATEST_P99_S {
            let (late_ms, latest_ms) = (late_s * 1e3, LATEST_P99_S * 1e3);
            Some(format!(
                "1 % of requests were sent {late_ms:.1} ms late or later, allowed are {latest_ms:.0} ms"
            ))
        } else {
            None
        };
        Self { valid: reason.is_none(), reason }
    }
}

impl Requests {
    fn of(counted: &Snapshot) -> Self {
        let counts = counted.requests;
        Self {
            planned: counts.planned,
            sent: counts.sent,
            completed: counts.completed,
            failed: counts.failed,
            timed_out: counts.timed_out,
            unfinished: counts.sent - counts.completed - counts.failed - counts.timed_out,
            dropped: counts.dropped,
            cut: counts.planned - counts.sent - counts.dropped,
            skipped: counts.skipped,
        }
    }
}

impl Quantiles {
    fn of(times: &Times) -> Self {
        if times.count() == 0 {
            let none = 0.0;
            return Self {
                n: 0,
                mean_s: none,
                p50_s: none,
                p90_s: none,
                p95_s: none,
                p99_s: none,
                p999_s: none,
                max_s: none,
            };
        }
        Self {
            n: times.count(),
            mean_s: times.mean_s(),
            p50_s: times.quantile_s(0.5),
            p90_s: times.quantile_s(0.9),
            p95_s: times.quantile_s(0.95),
            p99_s: times.quantile_s(0.99),
            p999_s: times.quantile_s(0.999),
            max_s: times.max_s(),
        }
    }
}

impl EndpointReport {
    fn new(endpoint: &shared::endpoint::Endpoint, counted: &EndpointSnapshot) -> Self {
        Self {
            id: endpoint.id.clone(),
            method: endpoint.method.clone(),
            route: endpoint.route.clone(),
            sent: counted.sent,
            failed: counted.failed,
            timed_out: counted.timed_out,
            statuses: counted.statuses.iter().map(|(status, n)| (status.to_string(), *n)).collect(),
            body_bytes: counted.body_bytes,
            send_delay_s: Quantiles::of(&counted.send_delay),
            response_time_s: Quantiles::of(&counted.response),
            chain_time_s: Quantiles::of(&counted.chain),
            service_time_s: Quantiles::of(&counted.service),
            first_byte_time_s: Quantiles::of(&counted.first_byte),
            baseline: endpoint
                .service_time_s
                .as_ref()
                .map(|time| Baseline { p50_s: time.p50, p95_s: time.p95 }),
        }
    }
}
