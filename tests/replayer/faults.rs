//! Whatever goes wrong with the target, every request is accounted for, and under the right name.

use std::time::Duration;

use replayer::report::RunReport;
use replayer::target::{Fault, FaultKind, Target, TargetSettings};
use replayer::verdict::{Cause, Level};
use replayer::{Settings, config::Schedule};
use shared::io::from_yaml;

use crate::support::hurried;

/// Two seconds of some 200 sessions of two requests, where the requests `numbers` meet a fault of this `kind`; planned
/// is answered, failed, timed out, shed and cut together, and each but those that were cut has its time.
#[track_caller]
fn report(kind: FaultKind, numbers: std::ops::Range<u64>) -> RunReport {
    let report = with_at_most(10_000, kind, numbers);
    // What the target does wrong does not make the load another one; that the machine is busy may.
    assert!(report.verdict.valid || is_late(&report), "{report:#?}");
    assert_ne!(report.verdict.cause, Some(Cause::Target), "{report:#?}");
    report
}

/// The generator was late by itself.
fn is_late(report: &RunReport) -> bool {
    report.self_check.lateness.p99_s > 0.002
}

/// The same, where at most so many requests may wait for an answer.
#[track_caller]
fn with_at_most(max_in_flight: usize, kind: FaultKind, numbers: std::ops::Range<u64>) -> RunReport {
    let profile = from_yaml(&hurried()).unwrap();
    let faults = vec![Fault { requests: numbers, kind }];
    let target = Target::start(&profile, &TargetSettings { faults, ..TargetSettings::default() }).unwrap();
    let schedule = Schedule { scale: 1250.0, duration: Some(Duration::from_secs(2)), ..Schedule::default() };
    let settings = Settings {
        target: format!("http://{}", target.address()),
        schedule,
        timeout: Duration::from_secs(1),
        max_in_flight,
        ..Settings::default()
    };
    let report = replayer::run(&profile, &settings, &mut ()).unwrap();
    target.stop().unwrap();
    let requests = report.requests;
    let accounted =
        requests.completed + requests.failed + requests.timed_out + requests.dropped + requests.cut;
    assert_eq!((requests.planned, requests.unfinished), (accounted, 0), "{report:#?}");
    assert!(requests.planned > 200, "{report:#?}");
    assert_eq!(report.response_time_s.n, requests.sent + requests.dropped, "{report:#?}");
    assert_eq!(report.failures.values().sum::<u64>(), requests.failed, "{report:#?}");
    report
}

#[test]
fn answers_that_stall_for_longer_than_a_request_may_take_time_out() {
    let report = report(FaultKind::Stall(Duration::from_secs(60)), 50..80);
    assert_eq!((report.requests.timed_out, report.requests.failed), (30, 0));
    assert!(report.response_time_s.p99_s >= 1.0, "{report:#?}");
}

#[test]
fn a_target_that_lets_too_many_wait_is_named() {
    let report = with_at_most(20, FaultKind::Stall(Duration::from_secs(60)), 50..200);
    assert!(report.requests.dropped > 20, "{report:#?}");
    let expected = if is_late(&report) { None } else { Some(Cause::Target) };
    assert_eq!(
        (report.verdict.level, report.verdict.cause.filter(|_| expected.is_some())),
        (Level::Invalid, expected)
    );
}

#[test]
fn answers_that_stall_for_less_are_late() {
    let report = report(FaultKind::Stall(Duration::from_millis(500)), 50..80);
    assert_eq!((report.requests.timed_out, report.requests.failed), (0, 0));
    assert!(report.service_time_s.p95_s >= 0.5 && report.service_time_s.p50_s < 0.3, "{report:#?}");
}

#[test]
fn connections_that_are_cut_fail() {
    let report = report(FaultKind::Reset, 50..80);
    assert_eq!((report.requests.failed, report.requests.timed_out), (30, 0));
}

#[test]
fn bodies_that_come_too_slowly_time_out_after_their_first_byte() {
    // 4 KB and more at 1 KB per second, where there is a body at all.
    let report = report(FaultKind::Slow { bytes_per_s: 1000 }, 50..80);
    let timed_out = report.requests.timed_out;
    assert!((10..=30).contains(&timed_out) && report.requests.failed == 0, "{report:#?}");
    let first_bytes: u64 = report.endpoints.iter().map(|endpoint| endpoint.first_byte_time_s.n).sum();
    assert_eq!(first_bytes, report.requests.sent);
}

#[test]
fn a_burst_of_errors_is_answers_with_their_status() {
    let report = report(FaultKind::Status(503), 50..80);
    assert_eq!((report.statuses["503"], report.requests.failed), (30, 0));
    assert_eq!(report.requests.completed, report.requests.sent);
}

#[test]
fn a_target_that_is_gone_refuses_the_rest() {
    let report = report(FaultKind::Refuse, 50..51);
    // What was under way is still answered, and then nothing is.
    assert!((50..150).contains(&report.requests.completed), "{report:#?}");
    assert_eq!(report.requests.completed + report.requests.failed, report.requests.sent);
}
