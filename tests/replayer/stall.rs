//! Targets that stall, hang up or go away: everything that was due shows, and nothing is left out.

use std::net::Shutdown;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use shared::profile::EXAMPLE;

use crate::support::{answer, directory, hurried, output, request_head, run, server};

fn number(report: &Value, pointer: &str) -> f64 {
    report.pointer(pointer).and_then(Value::as_f64).unwrap()
}

/// A second in which nothing is answered, in a run of about three: a third of all requests fall due in it and wait
/// 0.5 s in the mean. A generator that waits for answers before it sends on would have seen it once per connection.
#[test]
fn a_stall_weighs_as_much_as_the_requests_that_were_due_in_it() {
    let answered = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(Mutex::new(()));
    let address = server(move |mut stream| {
        while request_head(&mut stream).is_some() {
            let passing = gate.lock().unwrap();
            if answered.fetch_add(1, Ordering::Relaxed) == 200 {
                thread::sleep(Duration::from_secs(1));
            }
            drop(passing);
            answer(&mut stream);
        }
    });
    let (_directory, profile) = directory(&hurried());
    // 100 sessions of two requests per second.
    let flags = ["--duration", "3s", "--scale", "1250"];
    let (_, report) = run(&profile, &format!("http://{address}"), &flags);
    assert!(number(&report, "/requests/failed") < 1.0, "{report:#}");
    let response = |quantile: &str| number(&report, &format!("/response_time_s/{quantile}"));
    assert!(response("p50_s") < 0.25 && response("p99_s") > 0.8, "{report:#}");
    // A sixth of all requests wait longer than half of the stall, so the 90th percentile lies in it.
    assert!(response("p90_s") > 0.3, "{report:#}");
    // It was the target's doing, and the generator went on sending.
    assert!(number(&report, "/send_delay_s/p90_s") < 0.1, "{report:#}");
}

/// What the target of the next test takes, and when it takes nothing, counted from its first request. Long enough that
/// what a busy machine adds to it, some milliseconds, is less than 5 % of it.
const ANSWER_S: f64 = 0.2;
const STALL_S: std::ops::Range<f64> = 1.0..3.0;

/// How long it takes to answer a request that comes `into_s` seconds after the first one.
fn takes_s(into_s: f64) -> f64 {
    if STALL_S.contains(&into_s) { ANSWER_S.max(STALL_S.end - into_s) } else { ANSWER_S }
}

/// Goal G8: within 5 % of the truth, which follows from when sessions are planned to start. All have one request, since
/// second ones fall due after the answers to the first, and so would depend on what is measured.
#[test]
fn a_stall_of_two_seconds_is_reported_as_long_as_it_was() {
    let begun = Arc::new(Mutex::new(None));
    let address = server(move |mut stream| {
        while request_head(&mut stream).is_some() {
            let first = *begun.lock().unwrap().get_or_insert_with(now);
            thread::sleep(Duration::from_secs_f64(takes_s(first.elapsed().as_secs_f64())));
            answer(&mut stream);
        }
    });
    let single = "next: {END: 1.0}";
    let yaml = EXAMPLE
        .replace("next: {END: 0.4, get_home: 0.2, get_item: 0.4}", single)
        .replace("next: {END: 0.6667, get_home: 0.3333}", single);
    let (_directory, profile) = directory(&yaml);
    // 100 sessions per second.
    let schedule = ["--duration", "10s", "--scale", "1250"];
    let plan = ["plan", profile.to_str().unwrap(), "--format", "json", "--sessions", "100000"];
    let plan: Value = serde_json::from_slice(&output(&[&plan[..], &schedule].concat()).stdout).unwrap();
    let starts = plan["first"].as_array().unwrap().iter().map(|session| number(session, "/starts_at_s"));
    let starts: Vec<f64> = starts.collect();
    let mut truth: Vec<f64> = starts.iter().map(|start_s| takes_s(start_s - starts[0])).collect();
    truth.sort_by(f64::total_cmp);

    let (_, report) = run(&profile, &format!("http://{address}"), &schedule);
    assert!((number(&report, "/response_time_s/n") - truth.len() as f64).abs() < 0.5, "{report:#}");
    for (name, q) in [("p50_s", 0.5), ("p90_s", 0.9), ("p95_s", 0.95), ("p99_s", 0.99), ("max_s", 1.0)] {
        let truth_s = truth[(q * truth.len() as f64).ceil() as usize - 1];
        let [response_s, service_s] =
            ["response", "service"].map(|time| number(&report, &format!("/{time}_time_s/{name}")));
        assert!((response_s / truth_s - 1.0).abs() < 0.05, "{name}: {response_s} {truth_s} {report:#}");
        // Each session has a connection of its own, so that here nothing hides from the service time either.
        assert!(service_s <= response_s, "{name}: {report:#}");
    }
}

#[expect(clippy::disallowed_methods, reason = "it is the target's clock, not the replayer's")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn requests_that_get_no_answer_in_time_count_with_the_time_they_waited() {
    let address = server(|mut stream| while request_head(&mut stream).is_some() {});
    let (_directory, profile) = directory(&hurried());
    let flags = ["--duration", "1s", "--scale", "500", "--timeout", "300ms"];
    let (_, report) = run(&profile, &format!("http://{address}"), &flags);
    let sent = number(&report, "/requests/sent");
    assert!(sent > 20.0 && (number(&report, "/requests/timed_out") - sent).abs() < 0.5, "{report:#}");
    assert!((number(&report, "/response_time_s/n") - sent).abs() < 0.5, "{report:#}");
    assert!(number(&report, "/response_time_s/p50_s") >= 0.299, "{report:#}");
}

#[test]
fn a_target_that_hangs_up_between_requests_costs_a_connection_and_no_request() {
    let address = server(|mut stream| {
        if request_head(&mut stream).is_some() {
            answer(&mut stream);
            // Without having said `connection: close`, as servers do whose patience with idle clients is over.
            let _ = stream.shutdown(Shutdown::Both);
        }
    });
    let (_directory, profile) = directory(&hurried());
    let (_, report) = run(&profile, &format!("http://{address}"), &["--duration", "1s", "--scale", "500"]);
    assert!(number(&report, "/requests/failed") < 1.0, "{report:#}");
    let completed = number(&report, "/requests/completed");
    assert!((number(&report, "/connect_time_s/n") - completed).abs() < 0.5, "{report:#}");
}

#[test]
fn a_target_that_goes_away_makes_failures_and_no_error() {
    let served = Arc::new(AtomicUsize::new(0));
    let address = server(move |mut stream| {
        // The first connection is the one that asks whether anybody is there.
        if served.fetch_add(1, Ordering::Relaxed) < 20 && request_head(&mut stream).is_some() {
            answer(&mut stream);
        }
    });
    let (_directory, profile) = directory(&hurried());
    let flags = ["--duration", "2s", "--scale", "500", "--drain", "5s"];
    let (code, report) = run(&profile, &format!("http://{address}"), &flags);
    assert!(matches!(code, Some(0 | 3)), "{report:#}");
    let count = |name: &str| number(&report, &format!("/requests/{name}"));
    assert!(count("failed") > 10.0 && count("completed") > 10.0, "{report:#}");
    assert!((count("sent") - count("failed") - count("completed")).abs() < 0.5, "{report:#}");
    assert!((number(&report, "/response_time_s/n") - count("sent")).abs() < 0.5, "{report:#}");
}

#[test]
fn what_exceeds_the_cap_is_dropped_counted_and_makes_the_run_invalid() {
    let address = server(|mut stream| while request_head(&mut stream).is_some() {});
    let (_directory, profile) = directory(&hurried());
    let flags = ["--duration", "1s", "--scale", "1250", "--timeout", "2s", "--max-in-flight", "10"];
    let (code, report) = run(&profile, &format!("http://{address}"), &flags);
    assert_eq!(code, Some(3), "{report:#}");
    // Ten at once; after the timeout, the second requests of those ten sessions.
    assert!((10.0..=20.0).contains(&number(&report, "/requests/sent")), "{report:#}");
    let count = |name: &str| number(&report, &format!("/requests/{name}"));
    assert!((count("planned") - count("sent") - count("dropped") - count("cut")).abs() < 0.5, "{report:#}");
    assert!(number(&report, "/sessions/dropped") > 50.0, "{report:#}");
    assert_eq!(report["verdict"]["valid"], false);
    let reason = report["verdict"]["findings"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("10 waited") && reason.contains("target saturated"), "{report:#}");
    // Neither the cap nor the end of the run hides a request: they all count as longer than the timeout.
    assert!(number(&report, "/response_time_s/n") - count("planned") + count("cut") < 0.5, "{report:#}");
    assert!(number(&report, "/response_time_s/p50_s") >= 2.0, "{report:#}");
    assert!(number(&report, "/response_time_s/known_share") < 1e-9, "{report:#}");
}
