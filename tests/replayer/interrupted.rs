//! Ctrl-C: nothing new is sent, what is under way is waited for, and the report is written.

use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::support::{answer, directory, hurried, interrupt, replayer, request_head, server};

/// Runs for an hour against a server that answers as `answers` says, interrupts at the 20th request, `times` times.
fn interrupted(answers: bool, times: usize) -> (Option<i32>, Value) {
    let (heard, requests) = mpsc::channel();
    let address = server(move |mut stream| {
        while request_head(&mut stream).is_some() {
            let _ = heard.send(());
            if answers {
                answer(&mut stream);
            }
        }
    });
    let (_directory, profile) = directory(&hurried());
    let url = format!("http://{address}");
    let flags = ["--duration", "1h", "--scale", "1000", "--format", "json"];
    let mut run = replayer(&["run", profile.to_str().unwrap(), "--target", &url]);
    let child = run.args(flags).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let patience = Duration::from_secs(60);
    (0..20).for_each(|_| requests.recv_timeout(patience).unwrap());
    interrupt(&child);
    if times > 1 {
        // What was already under way may still arrive; after that there is silence, because nothing new is sent.
        while requests.recv_timeout(Duration::from_millis(500)).is_ok() {}
        interrupt(&child);
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn the_first_time_waits_for_answers_and_reports() {
    let (code, report) = interrupted(true, 1);
    assert_eq!((code, &report["interrupted"]), (Some(130), &Value::Bool(true)), "{report:#}");
    assert_eq!(report["requests"]["unfinished"], 0);
    assert_eq!(report["requests"]["sent"], report["requests"]["completed"]);
    // The 20th of some 200 a second, and nothing new after the word, but what a second brings at most.
    assert!((20..250).contains(&report["requests"]["sent"].as_u64().unwrap()), "{report:#}");
    assert!(report["elapsed_s"].as_f64().unwrap() < 5.0, "{report:#}");
}

#[test]
fn the_second_time_reports_at_once() {
    let (code, report) = interrupted(false, 2);
    assert_eq!((code, &report["interrupted"]), (Some(130), &Value::Bool(true)), "{report:#}");
    assert_eq!(report["requests"]["unfinished"], report["requests"]["sent"]);
    assert!(report["elapsed_s"].as_f64().unwrap() < 29.0, "waited for the timeout of 30 s");
}
