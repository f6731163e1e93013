//! What a run leaves: its verdict, its thresholds, and the log of its seconds, even if it is killed.

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::{TargetProcess, directory, hurried, output, replayer, run};

fn number(report: &Value, pointer: &str) -> f64 {
    report.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer}: {report:#}"))
}

/// The interval log in `directory`, as data.
fn intervals(directory: &str) -> Value {
    let output = output(&["intervals", directory, "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn missed_thresholds_exit_with_1_and_met_ones_with_0() {
    let (_directory, profile) = directory(&hurried());
    let target = TargetProcess::start(&profile, &[]);
    #[track_caller]
    fn check(profile: &std::path::Path, url: &str, threshold: &str, met: bool) {
        let flags = ["--duration", "500ms", "--scale", "500", "--threshold", threshold];
        let (code, report) = run(profile, url, &flags);
        // A busy machine may make the generator late, and then no threshold says anything.
        if report["verdict"]["valid"] == true {
            assert_eq!(code, Some(i32::from(!met)), "{report:#}");
        } else {
            assert_eq!(code, Some(3), "{report:#}");
        }
        assert_eq!(report["thresholds"][0]["met"], met, "{report:#}");
    }
    check(&profile, &target.url, "error_rate < 1%", true);
    check(&profile, &target.url, "p99(response_time) < 1ms on get_home", false);
    check(&profile, &target.url, "p50(response_time) < 100 x baseline", true);
}

#[test]
fn the_seconds_of_the_log_add_up_to_the_run() {
    let (home, profile) = directory(&hurried());
    let target = TargetProcess::start(&profile, &[]);
    let out = home.path().join("out");
    let out = out.to_str().unwrap();
    let (_, report) = run(&profile, &target.url, &["--duration", "3s", "--scale", "1250", "--out", out]);
    let log = intervals(out);
    let total = |name: &str| number(&log, &format!("/total/{name}"));
    assert!((total("sent") - number(&report, "/requests/sent")).abs() < 0.5, "{log:#}");
    for time in ["response_time_s", "service_time_s", "send_delay_s"] {
        for of in ["n", "p50_s", "p99_s", "max_s", "mean_s"] {
            let (in_log, in_run) =
                (total(&format!("{time}/{of}")), number(&report, &format!("/{time}/{of}")));
            assert!((in_log - in_run).abs() < 1e-12, "{time} {of}: {in_log} {in_run}");
        }
    }
    let seconds = log["seconds"].as_array().unwrap();
    let sent: f64 = seconds.iter().map(|second| number(second, "/sent")).sum();
    assert!(seconds.len() >= 3 && (sent - total("sent")).abs() < 0.5, "{log:#}");
    assert_eq!(number(&report, "/interval_log/lost") as u64, 0);
}

#[test]
fn a_killed_run_loses_no_more_than_its_last_second() {
    let (home, profile) = directory(&hurried());
    let target = TargetProcess::start(&profile, &[]);
    let out = home.path().join("out");
    let out = out.to_str().unwrap();
    let arguments = ["run", profile.to_str().unwrap(), "--target", &target.url, "--out", out];
    let more = ["--duration", "1m", "--scale", "1250"];
    let mut child = replayer(&[&arguments[..], &more].concat()).stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(Duration::from_millis(4500));
    child.kill().unwrap();
    child.wait().unwrap();
    let log = intervals(out);
    // 100 sessions of two requests per second; it took a moment to start, and the machine may be busy.
    assert!(log["seconds"].as_array().unwrap().len() >= 3, "{log:#}");
    assert!(number(&log, "/total/sent") > 300.0, "{log:#}");
}

#[test]
fn the_sessions_of_a_shard_that_was_killed_are_missing_to_the_last_one() {
    let (home, profile) = directory(&hurried());
    let target = TargetProcess::start(&profile, &[]);
    let outs = ["0", "1", "2"].map(|shard| home.path().join(shard).to_str().unwrap().to_owned());
    let start = |shard: &str, out: &str| {
        let arguments = ["run", profile.to_str().unwrap(), "--target", &target.url, "--out", out];
        let more = ["--duration", "5s", "--scale", "1250", "--shard", shard];
        replayer(&[&arguments[..], &more].concat())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let planned = |shard: &str| {
        let arguments = ["plan", profile.to_str().unwrap(), "--duration", "5s", "--scale", "1250"];
        let output = output(&[&arguments[..], &["--shard", shard, "--format", "json"]].concat());
        let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
        plan["sessions"].as_u64().unwrap()
    };
    // Of three shards one runs to its end, one is killed, and one never starts.
    let (mut whole, mut killed) = (start("0/3", &outs[0]), start("1/3", &outs[1]));
    thread::sleep(Duration::from_millis(3500));
    killed.kill().unwrap();
    killed.wait().unwrap();
    whole.wait().unwrap();
    let output = output(&["intervals", &outs[0], &outs[1], "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |shard: usize, name: &str| log["shards"][shard][name].as_u64();
    for (shard, name) in ["0/3", "1/3", "2/3"].into_iter().enumerate() {
        assert_eq!(of(shard, "sessions"), Some(planned(name)), "{log:#}");
        assert_eq!(
            of(shard, "begun").zip(of(shard, "missing")).map(|(begun, missing)| begun + missing),
            of(shard, "sessions")
        );
    }
    assert_eq!((of(0, "missing"), of(2, "begun")), (Some(0), Some(0)), "{log:#}");
    assert!(of(1, "begun").unwrap() > 30 && of(1, "missing").unwrap() > 30, "{log:#}");
    let sums = [&outs[0], &outs[1]].map(|out| number(&intervals(out), "/total/sent") as u64);
    assert_eq!(log["total"]["sent"], sums[0] + sums[1]);
    // The same shard twice is no run.
    let twice = crate::support::output(&["intervals", &outs[0], &outs[0]]);
    assert_eq!(twice.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&twice.stderr).contains("each of its shards once"));
}

#[test]
fn the_log_of_something_else_is_refused() {
    let (_directory, profile) = directory(&hurried());
    let output = output(&["intervals", profile.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("expected an interval log"));
}
