//! What ends a run: rules, budgets, the canary, and what others say of the target.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::authority::Authority;
use crate::connections::{Seen, tls_server};
use crate::support::{answer, directory, hurried, output, request_head, run, server};

/// A target that answers with what `status` says of the milliseconds since it was made, and notes when it was last
/// asked and how often.
struct Watched {
    address: SocketAddr,
    /// Milliseconds since 1970.
    last_ms: Arc<AtomicU64>,
    requests: Arc<AtomicU64>,
}

/// What its answers hold besides the head.
const BODY: &str = "0123456789";

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

impl Watched {
    fn start(status: impl Fn(u64) -> u16 + Clone + Send + 'static) -> Self {
        let (since_ms, last_ms, requests) =
            (now_ms(), Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let (last, count) = (Arc::clone(&last_ms), Arc::clone(&requests));
        let address = server(move |mut stream| {
            while request_head(&mut stream).is_some() {
                let at_ms = now_ms();
                last.fetch_max(at_ms, Ordering::SeqCst);
                count.fetch_add(1, Ordering::SeqCst);
                respond(&mut stream, status(at_ms.saturating_sub(since_ms)), BODY);
            }
        });
        Self { address, last_ms, requests }
    }

    fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// Runs against it at about 90 requests per second, and gives the exit code and the result. If something stopped
    /// the run, the last request came within a second of that.
    #[track_caller]
    fn run(&self, more: &[&str]) -> (Option<i32>, Value) {
        let (_directory, profile) = directory(&hurried());
        let scale = if more.contains(&"--scale") { &[][..] } else { &["--scale", "600"] };
        let schedule = [scale, &["--duration", "20s", "--drain", "1s"]].concat();
        let (code, report) =
            run(&profile, &format!("http://{}", self.address), &[&schedule[..], more].concat());
        if let Some(stopped_s) = report["stopped"]["at_s"].as_f64() {
            let stopped_at_s = report["began_at_s"].as_f64().unwrap() + stopped_s;
            let last_at_s = self.last_ms.load(Ordering::SeqCst) as f64 / 1e3;
            assert!(last_at_s < stopped_at_s + 1.0, "{last_at_s} {stopped_at_s}");
            // Nobody was asked in secret, and sending went on until then.
            assert_eq!(report["requests"]["sent"].as_u64().unwrap(), self.requests());
            assert!(last_at_s > stopped_at_s - 5.0, "{last_at_s} {stopped_at_s}");
        }
        (code, report)
    }
}

fn respond(stream: &mut TcpStream, status: u16, body: &str) {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let _ = stream.write_all(head.as_bytes());
}

#[test]
fn a_rule_that_comes_true_ends_sending_within_a_second() {
    // Fine for two seconds after the first request, and then nothing but errors.
    let target = Watched::start(|at_ms| if at_ms < 3_000 { 200 } else { 500 });
    let (code, report) = target.run(&["--stop", "error_rate > 50% for 2s"]);
    assert_eq!(code, Some(1), "{report:#}");
    assert_eq!(report["stopped"]["by"], "rule");
    assert_eq!(report["stopped"]["rule"], "error_rate > 50% for 2s");
    assert_eq!(report["interrupted"], false);
    let stopped_s = report["stopped"]["at_s"].as_f64().unwrap();
    assert!((2.0..15.0).contains(&stopped_s), "{stopped_s}");
}

#[test]
fn what_production_answers_is_no_error() {
    // The profile's items are 404 in 3 of 100, and their names are made up: a target may know none of them.
    let target = Watched::start(|_| 404);
    let (code, report) =
        target.run(&["--stop", "error_rate > 50% for 1s on get_item", "--budget-time", "3s"]);
    assert!(matches!(code, Some(0 | 3)), "{report:#}");
    assert_eq!(report["stopped"]["by"], "budget");
    let target = Watched::start(|_| 404);
    let (code, report) = target.run(&["--stop", "error_rate > 50% for 1s on get_home"]);
    assert_eq!((code, &report["stopped"]["by"]), (Some(1), &"rule".into()));
}

#[test]
fn a_budget_of_requests_is_kept_to_the_last_one() {
    let target = Watched::start(|_| 200);
    let (_, report) = target.run(&["--budget-requests", "100", "--threads", "2"]);
    assert_eq!(target.requests(), 100);
    assert_eq!(report["requests"]["sent"], 100);
    assert_eq!(report["stopped"]["rule"], "--budget-requests");
    let requests = |name: &str| report["requests"][name].as_u64().unwrap();
    let accounted = requests("sent") + requests("dropped") + requests("cut");
    assert_eq!(requests("planned"), accounted, "{report:#}");
}

#[test]
fn budgets_of_time_and_of_bytes_end_sending() {
    for (budget, flag) in [("2s", "--budget-time"), ("1KB", "--budget-bytes")] {
        let target = Watched::start(|_| 200);
        let (code, report) = target.run(&[flag, budget]);
        assert!(matches!(code, Some(0 | 3)), "{report:#}");
        assert_eq!((&report["stopped"]["by"], &report["stopped"]["rule"]), (&"budget".into(), &flag.into()));
        // What was under way when the budget ran out is still answered.
        assert!((50..300).contains(&target.requests()), "{flag}: {}", target.requests());
    }
}

#[test]
fn a_failing_canary_keeps_the_load_away() {
    let target = Watched::start(|_| 500);
    // Of 600 sessions in the first seconds, 1 in 100 is sent.
    let (code, report) = target.run(&["--canary", "4s", "--scale", "2000"]);
    assert_eq!(code, Some(1), "{report:#}");
    assert_eq!((&report["stopped"]["by"], &report["plan"]["canary_s"]), (&"canary".into(), &4.0.into()));
    assert!((1..200).contains(&target.requests()), "{}", target.requests());
}

#[test]
fn the_target_s_health_ends_a_run() {
    let target = Watched::start(|_| 200);
    let health = Watched::start(|at_ms| if at_ms < 1_500 { 204 } else { 503 });
    let url = format!("http://{}/health", health.address);
    let (code, report) = target.run(&["--health", &url]);
    assert_eq!((code, &report["stopped"]["rule"]), (Some(1), &"--health".into()), "{report:#}");
    assert!(report["stopped"]["found"].as_str().unwrap().contains("status 503"));
}

#[test]
fn prometheus_ends_a_run() {
    let target = Watched::start(|_| 200);
    let asked = Arc::<AtomicU64>::default();
    let count = Arc::clone(&asked);
    let prometheus = server(move |mut stream| {
        while let Some(head) = request_head(&mut stream) {
            let is_query = head.starts_with("GET /api/v1/query?query=avg%28cpu%29+%2F+4 HTTP/1.1");
            let load = if count.fetch_add(1, Ordering::SeqCst) < 2 { 0.5 } else { 0.95 };
            let body = format!(
                r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[1,"{load}"]}}]}}}}"#
            );
            respond(&mut stream, if is_query { 200 } else { 400 }, &body);
        }
    });
    let url = format!("http://{prometheus}");
    let rule = "query(avg(cpu) / 4) > 0.9 for 1s";
    let (code, report) = target.run(&["--prometheus", &url, "--stop", rule]);
    assert_eq!((code, &report["stopped"]["rule"]), (Some(1), &rule.into()), "{report:#}");
    assert!(asked.load(Ordering::SeqCst) > 3);
}

/// Over TLS with what the load trusts and shows, although the load itself goes without.
#[test]
fn health_and_prometheus_are_asked_over_tls() {
    let authority = Authority::new();
    let seen = Seen::default();
    let address = tls_server(authority.server(true, b"http/1.1"), &seen);
    let url = format!("https://{address}/health");
    let target = Watched::start(|_| 200);
    let [ca, cert, key] = ["ca.pem", "client.pem", "client.key"].map(|name| authority.file(name));
    let [ca, cert, key] = [&ca, &cert, &key].map(|path| path.to_str().unwrap());
    let shown = ["--ca", ca, "--cert", cert, "--key", key];
    let (code, report) = target.run(&[&["--health", &url, "--budget-time", "2500ms"][..], &shown].concat());
    assert!(matches!(code, Some(0 | 3)) && report["insecure"] == false, "{report:#}");
    assert!(seen.all().len() >= 2, "{:?}", seen.all());

    let asked = Seen::default();
    let open = format!("https://{}", tls_server(authority.server(false, b"http/1.1"), &asked));
    let target = Watched::start(|_| 200);
    let (code, report) = target.run(&["--health", &open, "--insecure", "--budget-time", "1s"]);
    assert!(matches!(code, Some(0 | 3)) && report["insecure"] == true, "{report:#}");
    assert!(!asked.all().is_empty());

    let (_directory, profile) = directory(&hurried());
    let load = format!("http://{}", target.address);
    let before = target.requests();
    let refused = |more: &[&str]| {
        let arguments = ["run", profile.to_str().unwrap(), "--target", &load, "--duration", "1s"];
        let output = output(&[&arguments[..], more].concat());
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    // Nobody vouches for it; it asks for a certificate, and none is shown; the file is none.
    assert!(refused(&["--health", &open]).contains("`--health`: found no agreement on TLS"));
    let prometheus = ["--prometheus", &open, "--stop", "query(up) < 1"];
    assert!(refused(&prometheus).contains("`--prometheus`: found no agreement on TLS"));
    assert!(refused(&["--health", &url, "--ca", ca]).contains("`--health`: found"));
    assert!(refused(&["--health", &open, "--ca", key]).contains("for TLS"));
    assert_eq!(target.requests(), before);
}

#[test]
fn a_guard_that_cannot_see_is_found_out_before_the_run() {
    let target = Watched::start(|_| 200);
    let url = format!("http://{}", target.address);
    let sick = Watched::start(|_| 503);
    let health = format!("http://{}/health", sick.address);
    let (_directory, profile) = directory(&hurried());
    let refused = |more: &[&str]| {
        let arguments = ["run", profile.to_str().unwrap(), "--target", &url, "--duration", "1s"];
        let output = output(&[&arguments[..], more].concat());
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&["--health", &health]).contains("found status 503"));
    assert!(refused(&["--stop", "query(up) < 1 for 10s"]).contains("--prometheus"));
    assert!(refused(&["--stop", "query(up) < 1", "--prometheus", &health]).contains("`query(up) < 1`"));
    assert!(refused(&["--stop", "errors > 1%"]).contains("error_rate"));
    assert!(refused(&["--health", "http://me:secret@127.0.0.1/"]).contains("a URL with a user name"));
    assert!(refused(&["--raise-ceiling", "2", "--scale", "100"]).contains("--raise-ceiling 100"));
    assert!(refused(&["--allow-method", "POST:get_nothing"]).contains("id of an endpoint"));
    assert_eq!(target.requests(), 0);
}

#[test]
fn every_request_says_which_run_it_is_of() {
    let (heads, seen) = std::sync::mpsc::channel();
    let address = server(move |mut stream| {
        while let Some(head) = request_head(&mut stream) {
            let _ = heads.send(head);
            answer(&mut stream);
        }
    });
    let (_directory, profile) = directory(&hurried());
    let target = format!("http://{address}");
    let go = |seed: &str| {
        let schedule = ["--duration", "500ms", "--scale", "600", "--seed", seed, "--drain", "0s"];
        run(&profile, &target, &schedule).1["run"].as_str().unwrap().to_owned()
    };
    let [one, again, other] = [go("1"), go("1"), go("2")];
    assert!(one == again && one != other && one.len() == 16, "{one} {again} {other}");
    for head in seen.try_iter() {
        let marked =
            |name: &str| head.lines().any(|line| line.to_ascii_lowercase() == format!("x-load-run: {name}"));
        assert!(marked(&one) || marked(&other), "{head}");
        assert!(head.contains("loadprint-replayer/") && head.contains("x-loadprint-session: "), "{head}");
    }
}
