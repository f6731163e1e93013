//! The result of a run as data. Units are in the names; every quantile stands beside the number of times it is of.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use shared::Profile;
use shared::endpoint::{Endpoint, Summary};

use super::thresholds::{self, Threshold};
use crate::clock::to_s;
use crate::condition::Condition;
use crate::dispatch::Wish;
use crate::guard::Stopped;
use crate::pace::Pace;
use crate::plan::{Outline, Plan};
use crate::record::{Bound, EndpointSnapshot, Kept, Snapshot, Times, Waits};
use crate::timer;
use crate::verdict::{self, Context, Machine, SelfCheck, Verdict};

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
    /// Whether the load was the one that was planned; if not, the figures say nothing about the target under that load.
    pub verdict: Verdict,
    /// How the generator kept its moments.
    pub pacing: Pacing,
    /// What the verdict rests on.
    pub self_check: SelfCheck,
    /// The conditions that the run had to meet.
    pub thresholds: Vec<Threshold>,
    /// What was due after the warm-up, if there was one: all that the conditions count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_warm_up: Option<AfterWarmUp>,
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
    /// Requests that followed from where answers led, beyond those of the plan and not counted among them.
    pub redirects: u64,
    /// Whether any certificate was trusted.
    pub insecure: bool,
    /// Answers by status: the code of HTTP, or the name of that of gRPC.
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
    /// The same for each endpoint that was planned, in the profile's order.
    pub endpoints: Vec<EndpointReport>,
    /// What became of the interval log, if one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_log: Option<IntervalLog>,
}

/// Requests that were due after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct AfterWarmUp {
    /// How long that was.
    pub warm_up_s: f64,
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
    /// What users would have waited: from due to the end of the answer.
    pub response_time_s: Quantiles,
}

impl AfterWarmUp {
    fn of(counted: &Snapshot, warm_up_s: f64) -> Self {
        let requests = counted.requests;
        Self {
            warm_up_s,
            sent: requests.sent,
            completed: requests.completed,
            failed: requests.failed,
            timed_out: requests.timed_out,
            unfinished: requests.unfinished,
            dropped: requests.dropped,
            response_time_s: Quantiles::of(&counted.all_waits(|endpoint| &endpoint.response)),
        }
    }
}

/// What became of the interval log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct IntervalLog {
    /// Intervals written.
    pub intervals: u64,
    /// Intervals that could not be written.
    pub lost: u64,
    /// Why the first of them could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How the generator kept its moments.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Pacing {
    /// Spinning before each moment, or sleeping until it: what was asked for, where a core was to spare.
    pub mode: Pace,
    /// How long before a moment the slowest event loop had itself woken at last; 0 without spinning, and where others
    /// wanted the core so much that it was given up.
    pub slack_s: f64,
    /// What was sent later than it could have been, so that there was no burst after a hitch of the generator.
    pub held_back: u64,
    /// Event loops that stayed on one core.
    pub pinned: u64,
}

impl Pacing {
    /// Of no event loop yet.
    pub(crate) fn new(mode: Pace) -> Self {
        Self { mode, slack_s: 0.0, held_back: 0, pinned: 0 }
    }

    /// Of one event loop.
    pub(crate) fn of(mode: Pace, kept: timer::Kept, pinned: bool) -> Self {
        Self { mode, slack_s: to_s(kept.slack_ns), held_back: kept.held_back, pinned: u64::from(pinned) }
    }

    /// Adds those of another event loop.
    pub(crate) fn merge(&mut self, other: Self) {
        self.slack_s = self.slack_s.max(other.slack_s);
        self.held_back += other.held_back;
        self.pinned += other.pinned;
    }
}

/// Sessions, by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Sessions {
    /// Fell due.
    pub planned: u64,
    /// Of these, not begun because too many requests waited for an answer.
    pub dropped: u64,
    /// Of these, over before this process joined the others.
    pub lost: u64,
}

/// Requests, by what became of them: planned = sent + dropped + lost + cut, sent = completed + failed + timed_out + unfinished.
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
    /// Not sent because they fell due before this process joined the others.
    pub lost: u64,
    /// Not sent because the run ended before they were due.
    pub cut: u64,
    /// Passed without a request and not among the planned: rare endpoints, and methods that are not allowed.
    pub skipped: u64,
}

/// Quantiles of a time.
///
/// Requests that got no answer are not left out: their times are longer than what was waited, and those of requests that
/// failed or were not sent longer than any request may take. The distribution is the product limit (Kaplan & Meier 1958).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Quantiles {
    /// Number of times; all else is 0 when it is.
    pub n: u64,
    /// Of these, times of which only a lower bound is known.
    pub censored: u64,
    /// Quantiles beyond this share are lower bounds, and so are mean and maximum if it is below 1.
    pub known_share: f64,
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
    /// Between these the median lies with 95 % confidence; the second is missing where only a lower bound is known.
    pub p50_interval_s: [Option<f64>; 2],
    /// The same for the 95th percentile.
    pub p95_interval_s: [Option<f64>; 2],
    /// The same for the 99th percentile.
    pub p99_interval_s: [Option<f64>; 2],
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
    /// Requests in the sessions that fell due.
    pub planned: u64,
    /// Requests sent.
    pub sent: u64,
    /// Of these, ended without an answer.
    pub failed: u64,
    /// Of these, given up.
    pub timed_out: u64,
    /// Not sent because too many waited for an answer.
    pub dropped: u64,
    /// Requests without an answer that the profile expects: those above but for the cut ones, and answers with a status
    /// of 500 or more, or of 400 or more that the profile does not have for this endpoint. Of gRPC, all but `OK` count
    /// as the statuses of HTTP that mean the same.
    pub errors: u64,
    /// Requests that ended without an answer, by reason.
    pub failures: BTreeMap<String, u64>,
    /// Answers by status: the code of HTTP, or the name of that of gRPC.
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
    /// What opening a connection took, where a request had to wait for it.
    pub connect_time_s: Quantiles,
    /// What the service took in production, where the profile knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
}

/// The service time in production, as the profile has it, and how that of this run compares with it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Baseline {
    /// Median.
    pub p50_s: f64,
    /// 95th percentile, where enough clients lie beyond it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_s: Option<f64>,
    /// This run's median over that of production; none if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ratio: Option<Ratio>,
    /// The same for the 95th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_ratio: Option<Ratio>,
}

/// A quantile of this run over the same of production.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Ratio {
    /// The ratio.
    pub ratio: f64,
    /// The same for the ends of the 95 % interval of this run's quantile; production's own uncertainty is not in it.
    pub interval: [Option<f64>; 2],
}

/// Is it nothing that a result need say?
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What a report says besides what was counted.
#[derive(Debug)]
pub(crate) struct Circumstances {
    pub(crate) target: String,
    pub(crate) address: String,
    pub(crate) began_at_s: f64,
    pub(crate) elapsed_s: f64,
    pub(crate) warm_up_s: f64,
    pub(crate) wish: Wish,
    pub(crate) stopped: Option<Stopped>,
    pub(crate) run: String,
    pub(crate) logins_failed: u64,
    pub(crate) max_in_flight: usize,
    pub(crate) pacing: Pacing,
    pub(crate) insecure: bool,
    pub(crate) machine: Option<Machine>,
}

impl RunReport {
    pub(crate) fn new(
        circumstances: Circumstances,
        plan: &Plan,
        profile: &Profile,
        counted: &Snapshot,
        kept: Kept,
        thresholds: &[Condition],
    ) -> Self {
        let (mut statuses, mut failures) = (BTreeMap::new(), BTreeMap::new());
        for endpoint in &counted.endpoints {
            endpoint
                .statuses
                .iter()
                .for_each(|(status, n)| *statuses.entry(status.to_string()).or_insert(0) += n);
            endpoint
                .failures
                .iter()
                .for_each(|(why, n)| *failures.entry(why.name().to_owned()).or_insert(0) += n);
        }
        let ids: Vec<&str> = plan.endpoints.iter().map(|endpoint| endpoint.id.as_str()).collect();
        let context = Context {
            ids: &ids,
            max_in_flight: circumstances.max_in_flight,
            cut_short: circumstances.wish == Wish::Cut,
            machine: circumstances.machine,
        };
        let (verdict, self_check) = verdict::check(counted, &kept.evidence, context);
        let Circumstances { elapsed_s, warm_up_s, .. } = circumstances;
        let judged = kept.measured.as_ref().unwrap_or(counted);
        Self {
            replayer: env!("CARGO_PKG_VERSION").to_owned(),
            verdict,
            self_check,
            thresholds: thresholds::judge(thresholds, profile, judged, elapsed_s - warm_up_s),
            after_warm_up: kept.measured.as_ref().map(|counted| AfterWarmUp::of(counted, warm_up_s)),
            target: circumstances.target,
            address: circumstances.address,
            began_at_s: circumstances.began_at_s,
            elapsed_s,
            interrupted: circumstances.wish > Wish::GoOn && circumstances.stopped.is_none(),
            pacing: circumstances.pacing,
            stopped: circumstances.stopped,
            run: circumstances.run,
            logins_failed: circumstances.logins_failed,
            plan: plan.outline().clone(),
            digest: counted.digest.to_string(),
            sessions: Sessions {
                planned: counted.sessions.planned,
                dropped: counted.sessions.dropped,
                lost: counted.sessions.lost,
            },
            requests: Requests::of(counted),
            failures,
            redirects: counted.redirects,
            insecure: circumstances.insecure,
            statuses,
            body_bytes: counted.endpoints.iter().map(|endpoint| endpoint.body_bytes).sum(),
            send_delay_s: Quantiles::of_times(&counted.all_times(|endpoint| &endpoint.send_delay)),
            response_time_s: Quantiles::of(&counted.all_waits(|endpoint| &endpoint.response)),
            service_time_s: Quantiles::of(&counted.all_waits(|endpoint| &endpoint.service)),
            connect_time_s: Quantiles::of_times(&counted.all_times(|endpoint| &endpoint.connecting)),
            endpoints: profile
                .endpoints
                .iter()
                .zip(&counted.endpoints)
                .filter(|(_, counted)| counted.planned > 0)
                .map(|(endpoint, counted)| EndpointReport::new(endpoint, counted))
                .collect(),
            interval_log: kept.log.map(|log| IntervalLog {
                intervals: log.intervals,
                lost: log.lost.as_ref().map_or(0, |(lost, _)| *lost),
                reason: log.lost.map(|(_, error)| error.to_string()),
            }),
        }
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
            unfinished: counts.unfinished,
            dropped: counts.dropped,
            lost: counts.lost,
            // Those of sessions that were under way when the run was cut, as well as those that were counted one by one.
            cut: counts.planned - counts.sent - counts.dropped - counts.lost,
            skipped: counts.skipped,
        }
    }
}

impl Quantiles {
    /// Of times that all ended.
    pub(crate) fn of_times(times: &Times) -> Self {
        Self::of(&Waits { ended: times.clone(), unended: Times::default() })
    }

    /// Of times that may not have ended.
    pub(crate) fn of(waits: &Waits) -> Self {
        let curve = waits.curve();
        let at = |q| curve.quantile(q).s;
        let interval = |q| {
            let [from, to] = curve.interval(q);
            [Some(from), Some(to)]
                .map(|end: Option<Bound>| end.filter(|end| !end.at_least && curve.n > 0).map(|end| end.s))
        };
        Self {
            n: curve.n,
            censored: waits.unended.count(),
            known_share: curve.known_share,
            mean_s: waits.mean_s(),
            p50_s: at(0.5),
            p90_s: at(0.9),
            p95_s: at(0.95),
            p99_s: at(0.99),
            p999_s: at(0.999),
            max_s: waits.max_s(),
            p50_interval_s: interval(0.5),
            p95_interval_s: interval(0.95),
            p99_interval_s: interval(0.99),
        }
    }

    /// Is the `q`-quantile known, and not just a lower bound of it?
    pub(crate) fn knows(&self, q: f64) -> bool {
        self.n == 0 || q <= self.known_share + 1e-12
    }
}

impl Baseline {
    fn of(production: &Summary, here: &Quantiles) -> Self {
        let ratio = |q, here_s: f64, interval: [Option<f64>; 2], production_s: f64| {
            (here.n > 0 && here.knows(q) && production_s > 0.0).then(|| Ratio {
                ratio: here_s / production_s,
                interval: interval.map(|end| end.map(|end_s| end_s / production_s)),
            })
        };
        Self {
            p50_s: production.p50,
            p95_s: production.p95,
            p50_ratio: ratio(0.5, here.p50_s, here.p50_interval_s, production.p50),
            p95_ratio: production.p95.and_then(|p95_s| ratio(0.95, here.p95_s, here.p95_interval_s, p95_s)),
        }
    }
}

impl EndpointReport {
    fn new(endpoint: &Endpoint, counted: &EndpointSnapshot) -> Self {
        let service_time_s = Quantiles::of(&counted.service);
        Self {
            id: endpoint.id.clone(),
            method: endpoint.method.clone(),
            route: endpoint.route.clone(),
            planned: counted.planned,
            sent: counted.sent,
            failed: counted.failed,
            timed_out: counted.timed_out,
            dropped: counted.dropped,
            errors: thresholds::errors(endpoint, counted),
            failures: counted.failures.iter().map(|(why, n)| (why.name().to_owned(), *n)).collect(),
            statuses: counted.statuses.iter().map(|(status, n)| (status.to_string(), *n)).collect(),
            body_bytes: counted.body_bytes,
            send_delay_s: Quantiles::of_times(&counted.send_delay),
            response_time_s: Quantiles::of(&counted.response),
            chain_time_s: Quantiles::of(&counted.chain),
            first_byte_time_s: Quantiles::of_times(&counted.first_byte),
            connect_time_s: Quantiles::of_times(&counted.connecting),
            baseline: endpoint
                .service_time_s
                .as_ref()
                .map(|production| Baseline::of(production, &service_time_s)),
            service_time_s,
        }
    }
}
