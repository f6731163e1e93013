//! The search for the highest load, against targets whose highest load is known by construction.

use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use replayer::capacity::{Capacity, CapacitySettings};
use replayer::report::{CapacityReport, Conclusion, Trial, TrialOutcome};
use replayer::{Budget, Settings};
use serde_json::Value;
use shared::io::from_yaml;
use shared::profile::EXAMPLE;

use crate::support::{
    TargetProcess, answer, directory, hurried, interrupt, output, replayer, request_head, server,
};

/// The example profile, whose sessions are of one request, about 0.08 per second at the peak.
fn single() -> String {
    let single = "next: {END: 1.0}";
    EXAMPLE
        .replace("next: {END: 0.4, get_home: 0.2, get_item: 0.4}", single)
        .replace("next: {END: 0.6667, get_home: 0.3333}", single)
}

/// One request at a time in the order in which they came, 20 ms each: 50 per second, and no more.
const SERVICE: Duration = Duration::from_millis(20);
const PER_S: f64 = 50.0;

/// A queue with one counter, which is fair: tickets are called in the order in which they were drawn.
#[derive(Default)]
struct Counter {
    drawn: AtomicU64,
    called: Mutex<u64>,
    next: Condvar,
}

impl Counter {
    fn serve(&self) {
        let ticket = self.drawn.fetch_add(1, Ordering::SeqCst);
        let mut called = self.called.lock().unwrap();
        while *called < ticket {
            called = self.next.wait(called).unwrap();
        }
        drop(called);
        thread::sleep(SERVICE);
        *self.called.lock().unwrap() += 1;
        self.next.notify_all();
    }
}

fn one_at_a_time() -> String {
    let counter = Arc::<Counter>::default();
    let address = server(move |mut stream| {
        while request_head(&mut stream).is_some() {
            counter.serve();
            answer(&mut stream);
        }
    });
    format!("http://{address}")
}

/// A search with trials of 2 s, 1 s of warm-up and hardly a rest.
#[track_caller]
fn search(yaml: &str, target: &str, threshold: &str, edit: impl Fn(&mut CapacitySettings)) -> CapacityReport {
    let mut settings = CapacitySettings {
        run: Settings {
            target: target.to_owned(),
            thresholds: vec![replayer::condition::parse(threshold).unwrap()],
            timeout: Duration::from_secs(5),
            ..Settings::default()
        },
        from: 100.0,
        resolution: 0.15,
        trial: Duration::from_secs(2),
        warm_up: Duration::from_secs(1),
        rest: Duration::from_millis(200),
        ..CapacitySettings::default()
    };
    edit(&mut settings);
    let profile = from_yaml(yaml).unwrap();
    Capacity::prepare(&profile, &settings).unwrap().execute(&mut ()).unwrap()
}

/// On a machine that is too busy for the plan the generator is the limit, and nothing else is said.
fn is_too_busy(report: &CapacityReport) -> bool {
    let not_valid = |trials: &[Trial]| trials.iter().all(|trial| trial.outcome == TrialOutcome::NotValid);
    let is_limit = report.conclusion == Conclusion::GeneratorLimit;
    assert!(!is_limit || report.trials.windows(3).any(not_valid), "{report:#?}");
    is_limit
}

/// Half of the requests wait for less than 250 ms as long as the target can work off what comes: the queue of 12 that takes
/// is not there below its capacity, and above it grows without end.
#[test]
fn a_target_that_serves_one_at_a_time_is_found_to_serve_as_many_as_it_can() {
    let report = search(&single(), &one_at_a_time(), "p50(response_time) < 250ms", |settings| {
        settings.from = 150.0;
    });
    let text = replayer::report::capacity_text(&report);
    println!("{text}");
    if is_too_busy(&report) {
        return;
    }
    assert_eq!(report.conclusion, Conclusion::Found, "{text}");
    let (held, failed) = (report.held.unwrap(), report.failed.unwrap());
    // Short trials of a Poisson process: 10 % of its load is chance, and so is the queue that it leaves.
    assert!((0.6 * PER_S..1.25 * PER_S).contains(&held.requests_per_s), "{text}");
    assert!(failed.scale / held.scale < 1.16 && held.held >= 3 && failed.failed >= 1, "{text}");
    assert!(report.confirmed && text.contains("CAPACITY: "), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    // Each trial is another one.
    let mut seeds: Vec<u64> = report.trials.iter().map(|trial| trial.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), report.trials.len());
}

#[test]
fn all_that_may_be_tried_may_hold_and_the_lowest_load_may_not() {
    let quick = server(|mut stream| {
        while request_head(&mut stream).is_some() {
            answer(&mut stream)
        }
    });
    let quick = format!("http://{quick}");
    let never_failed = search(&single(), &quick, "p50(response_time) < 4s", |settings| {
        settings.from = 200.0;
        settings.to = Some(400.0);
    });
    let text = replayer::report::capacity_text(&never_failed);
    if !is_too_busy(&never_failed) {
        assert_eq!(never_failed.conclusion, Conclusion::NeverFailed, "{text}");
        assert!(text.contains("AT LEAST: 400 x") && text.contains("nothing failed up to `--to`"), "{text}");
        assert!(never_failed.failed.is_none() && never_failed.held.unwrap().held == 4, "{text}");
    }

    let never_held = search(&single(), &quick, "p50(response_time) < 0.001ms", |settings| {
        settings.trial = Duration::from_secs(3);
    });
    let text = replayer::report::capacity_text(&never_held);
    if !is_too_busy(&never_held) {
        assert_eq!(never_held.conclusion, Conclusion::NeverHeld, "{text}");
        assert!(never_held.held.is_none() && never_held.failed.unwrap().failed == 2, "{text}");
        assert!(text.contains("NOT EVEN THE LOWEST LOAD HELD"), "{text}");
    }
}

/// Budgets are those of all trials together.
#[test]
fn a_budget_ends_the_search_and_not_a_trial() {
    let asked = Arc::<AtomicU64>::default();
    let count = Arc::clone(&asked);
    let address = server(move |mut stream| {
        while request_head(&mut stream).is_some() {
            count.fetch_add(1, Ordering::SeqCst);
            answer(&mut stream);
        }
    });
    let report = search(&single(), &format!("http://{address}"), "error_rate < 1%", |settings| {
        settings.from = 300.0;
        settings.run.safety.budget = Budget { requests: Some(200), ..Budget::default() };
    });
    let text = replayer::report::capacity_text(&report);
    assert_eq!((report.conclusion, asked.load(Ordering::SeqCst)), (Conclusion::Unfinished, 200), "{text}");
    assert!(text.contains("`--budget-requests` was spent"), "{text}");
    assert_eq!(report.trials.last().unwrap().outcome, TrialOutcome::Cut, "{text}");
    assert!(report.trials.len() > 1 && !report.confirmed, "{text}");
}

/// A hundredth of the load is sent before the first trial, and all that comes if that fails is the report.
#[test]
fn a_failing_canary_keeps_all_trials_away() {
    let asked = Arc::<AtomicU64>::default();
    let count = Arc::clone(&asked);
    let address = server(move |stream| {
        count.fetch_add(1, Ordering::SeqCst);
        drop(stream);
    });
    let report = search(&single(), &format!("http://{address}"), "error_rate < 99%", |settings| {
        settings.from = 20_000.0;
        settings.run.safety.canary = Some(Duration::from_secs(1));
    });
    let text = replayer::report::capacity_text(&report);
    assert_eq!((report.conclusion, report.trials.len()), (Conclusion::NeverHeld, 0), "{text}");
    assert!((2..80).contains(&asked.load(Ordering::SeqCst)), "{text}");
}

/// The flags of a short search.
const SHORT: [&str; 10] =
    ["--from", "200", "--to", "300", "--trial", "1s", "--warm-up", "500ms", "--rest", "100ms"];

#[test]
fn the_command_says_what_it_found_and_keeps_every_trial() {
    let (directory, profile) = directory(&hurried());
    let target = TargetProcess::start(&profile, &[]);
    let out = directory.path().join("new/results");
    let command = ["capacity", profile.to_str().unwrap(), "--target", &target.url];
    let more = ["--threshold", "p50(response_time) < 5s", "--out", out.to_str().unwrap(), "--format", "json"];
    let output = output(&[&command[..], &SHORT, &more].concat());
    let errors = String::from_utf8(output.stderr).unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    // 3 is a machine too busy for the plan.
    let expected = if report["conclusion"] == "never_failed" { 0 } else { 3 };
    assert_eq!(output.status.code(), Some(expected), "{report:#} {errors}");
    let trials = report["trials"].as_array().unwrap();
    let told = errors.lines().filter(|line| line.starts_with("trial ")).count();
    assert_eq!(told, trials.len(), "{errors}");
    for word in ["condition  p50(response_time) < 5s", "scales     200 (", "up", "seed       1"] {
        assert!(errors.contains(word), "no `{word}` in {errors}");
    }
    let kept = fs_err::read_to_string(out.join("capacity.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&kept).unwrap(), report);
    let first = fs_err::read_to_string(out.join("trial-01.json")).unwrap();
    let first: Value = serde_json::from_str(&first).unwrap();
    assert_eq!((&first["run"], &first["after_warm_up"]["warm_up_s"]), (&trials[0]["run"], &0.5.into()));
    // It can be sent again.
    let [scale, seed] = ["scale", "seed"].map(|name| trials[0][name].to_string());
    let again = ["plan", profile.to_str().unwrap(), "--format", "json", "--duration", "1500ms"];
    let warm = ["--warm-start", "on", "--scale", &scale, "--seed", &seed];
    let plan = crate::support::output(&[&again[..], &warm].concat());
    let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!(plan["digest"], trials[0]["digest"]);
    let errors: Vec<String> = jsonschema::validator_for(&replayer::report::capacity_schema())
        .unwrap()
        .iter_errors(&report)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{report:#}");
    assert_eq!(target.stop(), Some(0));
}

#[test]
fn what_cannot_be_searched_is_said_before_anything_is_sent() {
    let (_directory, profile) = directory(EXAMPLE);
    let refused = |more: &[&str], words: &[&str]| {
        let command = ["capacity", profile.to_str().unwrap(), "--target", "http://127.0.0.1:9"];
        let output = output(&[&command[..], more].concat());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(words.iter().all(|word| errors.contains(word)), "{errors}");
    };
    let holds = ["--threshold", "error_rate < 1%", "--from", "100"];
    let with = |more: &[&'static str]| [&holds[..], more].concat();
    refused(&["--from", "100"], &["`--threshold`: found none", "p99(response_time)"]);
    refused(&["--threshold", "rate > 5"], &["`--threshold`: found `rate > 5/s`", "more load"]);
    refused(&["--threshold", "p50(response_time) > 5s"], &["`--threshold`", "with `<`"]);
    refused(&["--threshold", "error_rate < 1%"], &["`--trial`: found one with", "higher `--from`"]);
    refused(&with(&["--to", "99"]), &["`--to`: found 99", "`--from`"]);
    refused(&with(&["--confirm", "1"]), &["`--confirm`: found 1", "chance"]);
    refused(&with(&["--resolution", "0"]), &["`--resolution`", "0.1%"]);
    refused(&with(&["--resolution", "fine"]), &["--resolution", "`5%`"]);
    refused(&with(&["--trial", "0s"]), &["`--trial`"]);
    refused(
        &with(&["--to", "300", "--raise-ceiling", "200"]),
        &["sessions/s at the peak", "--raise-ceiling 300"],
    );
    refused(&with(&["--raise-ceiling", "50"]), &["sessions/s at the peak", "--raise-ceiling 100"]);
    refused(&with(&[]), &["cannot connect", "nothing was sent"]);
}

#[test]
fn ctrl_c_ends_the_search_with_what_is_known() {
    let (heard, requests) = std::sync::mpsc::channel();
    let address = server(move |mut stream| {
        while request_head(&mut stream).is_some() {
            let _ = heard.send(());
            answer(&mut stream);
        }
    });
    let (_directory, profile) = directory(&hurried());
    let url = format!("http://{address}");
    let flags = ["--threshold", "error_rate < 1%", "--from", "1000", "--trial", "1h", "--format", "json"];
    let mut search = replayer(&["capacity", profile.to_str().unwrap(), "--target", &url]);
    let child = search.args(flags).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    (0..20).for_each(|_| requests.recv_timeout(Duration::from_secs(60)).unwrap());
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["interrupted"]), (Some(130), &Value::Bool(true)), "{report:#}");
    assert_eq!(
        (&report["conclusion"], &report["trials"][0]["outcome"]),
        (&"unfinished".into(), &"cut".into())
    );
}
