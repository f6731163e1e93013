//! Unary calls of gRPC, against a server that writes its messages by hand: what is sent, what comes of every way to answer.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Request, Response, Version};
use replayer::config::{Schedule, WireSettings};
use replayer::report::RunReport;
use replayer::{Error, Settings};
use shared::io::from_yaml;
use tempfile::TempDir;
use tokio_rustls::rustls::ServerConfig;

use crate::authority::Authority;
use crate::support::{hurried, output, serve_http2, server};

const PROTO: &str = r#"
syntax = "proto3";
package shop.v1;
service Catalog {
  rpc GetProduct(GetProductRequest) returns (Product);
  rpc Watch(GetProductRequest) returns (stream Product);
}
service Accounts { rpc Login(LoginRequest) returns (Session); }
message GetProductRequest { string slug = 1; }
message Product { string slug = 1; }
message LoginRequest { string name = 1; }
message Session { string access_token = 1; }
"#;

/// A call as the server saw it: its path, the one text in its message, its headers.
#[derive(Debug, Clone)]
struct Call {
    path: String,
    text: String,
    headers: HeaderMap,
}

/// A message with `text` in its first field, in its frame.
fn message(text: &str) -> Vec<u8> {
    let [field, frame] = [text.len(), text.len() + 2].map(|length| u8::try_from(length).unwrap());
    [&[0, 0, 0, 0, frame, 0x0a, field], text.as_bytes()].concat()
}

/// The text of such a message.
fn text(body: &[u8]) -> String {
    let text = std::str::from_utf8(&body[7..]).unwrap().to_owned();
    assert_eq!(body, message(&text));
    text
}

/// Answers as what it is asked for says.
async fn answer(
    request: Request<Incoming>,
    calls: Arc<Mutex<Vec<Call>>>,
) -> Response<http_body_util::combinators::UnsyncBoxBody<Bytes, std::convert::Infallible>> {
    let (head, body) = request.into_parts();
    assert_eq!(head.version, Version::HTTP_2);
    let text = text(&body.collect().await.unwrap().to_bytes());
    calls.lock().unwrap().push(Call {
        path: head.uri.path().to_owned(),
        text: text.clone(),
        headers: head.headers,
    });
    let status = |code: &'static str| -> Option<HeaderMap> {
        let message = ("grpc-message", "as asked");
        let pairs = [("grpc-status", code), message];
        Some(
            pairs
                .into_iter()
                .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
                .collect(),
        )
    };
    let with = |body: Vec<u8>, behind: Option<HeaderMap>| {
        let behind = behind.map(Ok::<_, std::convert::Infallible>);
        let body = Full::new(Bytes::from(body)).with_trailers(std::future::ready(behind)).boxed_unsync();
        let mut response = Response::new(body);
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        response
    };
    match text.as_str() {
        "missing" => with(Vec::new(), status("5")),
        "at-once" => {
            // Its head is all of the answer.
            let mut response = Response::new(Full::default().boxed_unsync());
            response.headers_mut().extend(status("14").unwrap());
            response
        }
        "silent" => with(message("no word about how it went"), None),
        "empty" => with(Vec::new(), status("0")),
        "page" => {
            let mut response = with(b"<html>".to_vec(), None);
            *response.status_mut() = hyper::StatusCode::BAD_GATEWAY;
            response
        }
        "slow" => {
            tokio::time::sleep(Duration::from_secs(3)).await;
            with(message("too late"), status("0"))
        }
        text => with(message(&format!("for {text}")), status("0")),
    }
}

/// A server of gRPC, its URL and all that it is asked.
fn grpc_server(config: Option<Arc<ServerConfig>>) -> (String, Arc<Mutex<Vec<Call>>>) {
    let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
    let noted = Arc::clone(&calls);
    let scheme = if config.is_some() { "https" } else { "http" };
    let address = server(move |stream| {
        let noted = Arc::clone(&noted);
        serve_http2(stream, config.clone(), move |request| answer(request, Arc::clone(&noted)));
    });
    (format!("{scheme}://{address}"), calls)
}

/// The hurried example with both endpoints as calls, the second by another route; and the files that it needs.
fn profile(slugs: &[&str]) -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("shop.proto"), PROTO).unwrap();
    fs_err::write(directory.path().join("products.csv"), format!("wanted\n{}\n", slugs.join("\n"))).unwrap();
    let message = "message: '{\"slug\": {{ feed.products.wanted|tojson }}}'";
    let request = |more: &str| {
        format!(
            "\n  request: {{grpc: {{proto: shop.proto, {more}{message}}}, headers: {{X-Id: \"{{{{ session }}}}\"}}}}"
        )
    };
    let yaml = hurried()
        .replacen(
            "method: GET\n  route: /\n",
            &format!("method: POST\n  route: /shop.v1.Catalog/GetProduct{}\n", request("")),
            1,
        )
        .replacen(
            "method: GET",
            &format!("method: POST{}", request("method: shop.v1.Catalog/GetProduct, ")),
            1,
        )
        + "\nfeeds: {products: products.csv}\n";
    (directory, yaml)
}

fn settings(target: &str, directory: &TempDir, wire: WireSettings) -> Settings {
    let schedule =
        Schedule { scale: 2500.0, duration: Some(Duration::from_millis(500)), ..Schedule::default() };
    Settings {
        target: target.to_owned(),
        schedule,
        wire: WireSettings { http2: true, ..wire },
        allow_methods: vec!["POST".to_owned()],
        feeds: [("products".to_owned(), directory.path().join("products.csv"))].into(),
        profile_directory: directory.path().to_owned(),
        timeout: Duration::from_secs(1),
        ..Settings::default()
    }
}

fn run(yaml: &str, settings: &Settings) -> Result<RunReport, Error> {
    replayer::run(&from_yaml(yaml).unwrap(), settings, &mut ())
}

/// The account of all planned requests is exact.
#[track_caller]
fn check_account(report: &RunReport) {
    let of = &report.requests;
    assert_eq!(of.planned, of.sent + of.dropped + of.lost + of.cut, "{of:?}");
    assert_eq!(of.sent, of.completed + of.failed + of.timed_out + of.unfinished, "{of:?}");
    assert_eq!(of.completed, report.statuses.values().sum::<u64>(), "{:?}", report.statuses);
}

#[test]
fn calls_go_over_http2_with_and_without_tls() {
    let authority = Authority::new();
    for tls in [true, false] {
        let (target, calls) = grpc_server(tls.then(|| authority.server(false, b"h2")));
        let (directory, yaml) = profile(&["blue-mug", "red \\\"mug\\\"", "größe"]);
        let wire = WireSettings { ca: vec![authority.file("ca.pem")], ..WireSettings::default() };
        let report = run(&yaml, &settings(&target, &directory, wire)).unwrap();
        check_account(&report);
        let calls = calls.lock().unwrap();
        assert!(report.requests.planned > 50, "{report:#?}");
        assert_eq!(report.statuses, [("OK".to_owned(), report.requests.planned)].into());
        assert_eq!(calls.len() as u64, report.requests.planned);
        assert!(report.endpoints.iter().all(|endpoint| endpoint.planned > 10 && endpoint.errors == 0));
        for Call { path, text, headers } in calls.iter() {
            assert_eq!(path, "/shop.v1.Catalog/GetProduct");
            assert!(["blue-mug", "red \\\"mug\\\"", "größe"].contains(&text.as_str()), "{text}");
            let of = |name: &str| headers[name].to_str().unwrap();
            assert_eq!((of("content-type"), of("te")), ("application/grpc+proto", "trailers"));
            assert_eq!((of("grpc-timeout"), of("x-id")), ("1000000u", of("x-loadprint-session")));
        }
    }
}

#[test]
fn every_way_to_answer_is_counted_as_what_it_is() {
    let (target, calls) = grpc_server(None);
    let slugs = ["blue-mug", "missing", "at-once", "silent", "empty", "page", "slow"];
    let (directory, yaml) = profile(&slugs);
    let mut settings = settings(&target, &directory, WireSettings::default());
    settings.thresholds = vec![
        replayer::condition::parse("status(NOT_FOUND) > 1%").unwrap(),
        replayer::condition::parse("error_rate < 30%").unwrap(),
    ];
    let report = run(&yaml, &settings).unwrap();
    check_account(&report);
    let mut asked: BTreeMap<String, u64> = BTreeMap::new();
    calls.lock().unwrap().iter().for_each(|call| *asked.entry(call.text.clone()).or_default() += 1);
    let asked = |slug: &str| asked.get(slug).copied().unwrap_or(0);
    assert!(slugs.iter().all(|slug| asked(slug) > 3), "{asked:?}", asked = slugs.map(asked));
    let expected =
        [("OK", "blue-mug"), ("NOT_FOUND", "missing"), ("UNAVAILABLE", "at-once"), ("502", "page")];
    assert_eq!(report.statuses, expected.map(|(status, slug)| (status.to_owned(), asked(slug))).into());
    assert_eq!(report.failures, [("protocol".to_owned(), asked("silent") + asked("empty"))].into());
    assert_eq!(report.requests.timed_out, asked("slow"));
    let errors: u64 = report.endpoints.iter().map(|endpoint| endpoint.errors).sum();
    assert_eq!(errors, report.requests.sent - asked("blue-mug"));
    assert_eq!(report.thresholds.iter().map(|threshold| threshold.met).collect::<Vec<_>>(), [true, false]);
    assert!(replayer::report::text(&report).contains("NOT_FOUND: "));
}

#[test]
fn a_stop_rule_sees_calls_that_went_wrong() {
    let (target, _) = grpc_server(None);
    let (directory, yaml) = profile(&["at-once"]);
    let mut settings = settings(&target, &directory, WireSettings::default());
    settings.schedule.duration = Some(Duration::from_secs(20));
    settings.schedule.scale = 500.0;
    settings.safety.stop = vec!["error_rate > 50% for 1s".to_owned()];
    let report = run(&yaml, &settings).unwrap();
    check_account(&report);
    let stopped = report.stopped.as_ref().unwrap();
    assert!((1.0..5.0).contains(&stopped.at_s), "{stopped:?}");
}

#[test]
fn a_login_takes_values_from_the_json_form_of_a_message() {
    let (target, calls) = grpc_server(None);
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("shop.proto"), PROTO).unwrap();
    fs_err::write(directory.path().join("products.csv"), "name\nada\ngrace\n").unwrap();
    let login = "method: POST\n  route: /shop.v1.Accounts/Login\n  request: {grpc: {proto: shop.proto, message: '{\"name\": {{ feed.products.name|tojson }}}'}}\n";
    let item = "method: POST\n  request:\n    grpc: {proto: shop.proto, method: shop.v1.Catalog/GetProduct, message: '{\"slug\": {{ vars.token|tojson }}}'}\n    headers: {authorization: \"Bearer {{ vars.token }}\"}\n";
    let yaml = hurried().replacen("method: GET\n  route: /\n", login, 1).replacen("method: GET\n", item, 1)
        + "\nlogin: {endpoint: get_home, extract: {token: {json: /accessToken}}}\n";
    let report = run(&yaml, &settings(&target, &directory, WireSettings::default())).unwrap();
    check_account(&report);
    assert_eq!((report.logins_failed, report.requests.failed), (0, 0), "{report:#?}");
    let calls = calls.lock().unwrap();
    let products: Vec<&Call> = calls.iter().filter(|call| call.path.ends_with("/GetProduct")).collect();
    assert!(products.len() > 10);
    for Call { text, headers, .. } in products {
        assert!(["for ada", "for grace"].contains(&text.as_str()), "{text}");
        assert_eq!(headers["authorization"], format!("Bearer {text}").as_str());
    }
}

/// A profile edited like this is refused before anything is sent, with these words.
#[track_caller]
fn check_refused(edit: impl Fn(String) -> String, flags: &[&str], words: &[&str]) {
    let (directory, yaml) = profile(&["blue-mug"]);
    let path: PathBuf = directory.path().join("profile.yaml");
    fs_err::write(&path, edit(yaml)).unwrap();
    let path = path.to_str().unwrap();
    let arguments = ["run", path, "--target", "http://127.0.0.1:9", "--allow-method", "POST", "--dry-run"];
    let output = output(&[&arguments[..], flags].concat());
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(words.iter().all(|word| message.contains(word)), "{message}");
}

#[test]
fn what_cannot_be_called_is_found_before_the_run() {
    let http2 = ["--http2"];
    check_refused(|yaml| yaml, &[], &["/endpoints/0/request/grpc", "HTTP/2", "hint: add `--http2`"]);
    check_refused(
        |yaml| yaml.replacen("/GetProduct", "/GetProducts", 1),
        &http2,
        &["`shop.v1.Catalog/GetProducts`", "such as `shop.v1.Catalog/GetProduct`"],
    );
    check_refused(
        |yaml| yaml.replacen("/GetProduct", "/Watch", 1),
        &http2,
        &["/endpoints/0/request/grpc", "a stream"],
    );
    check_refused(
        |yaml| yaml.replace("\"slug\"", "\"sulg\""),
        &http2,
        &["/endpoints/0/request/grpc/message", "unknown field", "`slug`"],
    );
    check_refused(
        |yaml| yaml.replace("|tojson", ""),
        &http2,
        &["/endpoints/0/request/grpc/message", "line 1", "no JSON"],
    );
    check_refused(|yaml| yaml.replacen("shop.proto", "none.proto", 1), &http2, &["none.proto"]);
    check_refused(|yaml| yaml.replacen("method: POST", "method: GET", 1), &http2, &["a call by `GET`"]);
}

#[test]
fn a_plan_needs_neither_the_descriptors_nor_http2() {
    let (directory, yaml) = profile(&["blue-mug"]);
    let path = directory.path().join("profile.yaml");
    fs_err::write(&path, yaml).unwrap();
    fs_err::remove_file(directory.path().join("shop.proto")).unwrap();
    let output = output(&["plan", path.to_str().unwrap(), "--allow-method", "POST"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    // Both endpoints are one method, whatever the route of the second is.
    assert!(text.contains(" /shop.v1.Catalog/GetProduct") && !text.contains(" /items/"), "{text}");
}
