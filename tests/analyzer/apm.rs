//! Exports of real tracers: what is a request in each file was counted from its JSON by another program.
//!
//! The rule it counted by: spans of kind SERVER (transactions of type `request`) that have no SERVER parent in the same
//! service, each span once; spans that say to be of a database or of a model are no requests.

use serde_json::Value;

use crate::support::{corpus, run, run_with};

/// File, label, requests, and the requests that occur most: method, path, status.
type Row = (&'static str, &'static str, u64, &'static [(&'static str, &'static str, u64, usize)]);

const FILES: [Row; 30] = [
    ("otlp/trace.json", "otlp:json", 1, &[("-", "-", 0, 1)]),
    ("jaeger/testTrace.json", "jaeger:json", 2, &[("-", "-", 0, 2)]),
    (
        "jaeger/genaiTestTrace.json",
        "jaeger:json",
        25,
        &[
            ("POST", "/mcp/tools/call", 200, 7),
            ("GET", "/validate", 200, 7),
            ("GET", "/api/v1/query", 200, 3),
            ("GET", "/api/traces", 200, 3),
            ("GET", "/api/v1/pods", 200, 2),
            ("GET", "/api/v1/pods", 500, 1),
            ("POST", "/api/graphql", 200, 1),
            ("-", "-", 0, 1),
        ],
    ),
    (
        "zipkin/ascend.json",
        "zipkin:v2",
        3,
        &[
            ("GET", "/content/personal", 200, 1),
            ("GET", "/auth-service/v1/authentications/", 200, 1),
            ("GET", "/mobile-gateway/content/personal", 200, 1),
        ],
    ),
    ("zipkin/envoy.json", "zipkin:v2", 1, &[("GET", "/", 200, 1)]),
    ("zipkin/messaging.json", "zipkin:v2", 1, &[("GET", "/", 200, 1)]),
    ("zipkin/messaging-kafka.json", "zipkin:v2", 0, &[]),
    ("zipkin/messaging2.json", "zipkin:v2", 2, &[("GET", "/auth-service/v1/authentications/", 200, 1)]),
    ("zipkin/simple-db-p6.json", "zipkin:v2", 1, &[("POST", "/book", 200, 1)]),
    ("zipkin/skew.json", "zipkin:v2", 2, &[("POST", "", 0, 1), ("GET", "", 0, 1)]),
    (
        "zipkin/smartthings-oauth-authorization.json",
        "zipkin:v2",
        36,
        &[
            ("GET", "/clients/zipkin-sample-id", 200, 8),
            ("GET", "/locations/user/user_uuid:567xyz", 200, 5),
            ("GET", "/tokens/access/_token_", 200, 4),
            ("POST", "/oauth/check_token", 200, 4),
            ("GET", "/oauth/authorize", 302, 3),
            ("POST", "/deliver", 200, 2),
            ("POST", "/events", 200, 1),
        ],
    ),
    (
        "zipkin/yelp.json",
        "zipkin:v2",
        4,
        &[("POST", "/location/update/v4", 200, 3), ("GET", "/token/abcdefgh123456", 200, 1)],
    ),
    ("zipkin/zipkin2-chinese.json", "zipkin:v2", 0, &[]),
    ("zipkin/zipkin2-client.json", "zipkin:v2", 0, &[]),
    ("elastic-apm/heavy.ndjson", "elastic-apm:intake", 480, &[("-", "-", 200, 480)]),
    ("elastic-apm/ratelimit.ndjson", "elastic-apm:intake", 5, &[("-", "-", 200, 5)]),
    (
        "elastic-apm/transactions.ndjson",
        "elastic-apm:intake",
        2,
        &[("POST", "/p/a/t/h", 200, 1), ("POST", "", 0, 1)],
    ),
    ("elastic-apm/transactions-huge_traces.ndjson", "elastic-apm:intake", 1, &[("POST", "/p/a/t/h", 200, 1)]),
    (
        "elastic-apm/transactions_spans.ndjson",
        "elastic-apm:intake",
        4,
        &[("POST", "/p/a/t/h", 200, 1), ("GET", "/api/types", 200, 2), ("GET", "/api/types", 0, 1)],
    ),
    ("elastic-apm/errors.ndjson", "elastic-apm:intake", 0, &[]),
    ("elastic-apm/errors_rum.ndjson", "elastic-apm:intake", 0, &[]),
    ("elastic-apm/events.ndjson", "elastic-apm:intake", 0, &[]),
    ("elastic-apm/logs.ndjson", "elastic-apm:intake", 0, &[]),
    ("elastic-apm/metadata.ndjson", "elastic-apm:intake", 0, &[]),
    ("elastic-apm/metadata-null-values.ndjson", "elastic-apm:intake", 0, &[]),
    ("elastic-apm/minimal-service.ndjson", "elastic-apm:intake", 0, &[]),
    ("elastic-apm/otel-bridge.ndjson", "elastic-apm:intake", 0, &[]),
    ("elastic-apm/spans.ndjson", "elastic-apm:intake", 0, &[]),
    ("elastic-apm/transactions_spans_rum.ndjson", "elastic-apm:intake", 0, &[]),
    ("elastic-apm/unknown-span-type.ndjson", "elastic-apm:intake", 0, &[]),
];

/// Files that hold no request because something is wrong with them or they are of another kind: what is found.
const FAULTS: [(&str, &str); 12] = [
    ("otlp/events.json", "logs, and no traces"),
    ("otlp/logs.json", "logs, and no traces"),
    ("otlp/metrics.json", "metrics, and no traces"),
    ("elastic-apm/invalid-event.ndjson", "3 records, none of them a request: bad_time 1 (first: record 2)"),
    (
        "elastic-apm/invalid-event-type.ndjson",
        "2 records, none of them a request: other_format 1 (first: record 2)",
    ),
    (
        "elastic-apm/invalid-json-event.ndjson",
        "3 records, none of them a request: other_format 1 (first: record 2)",
    ),
    ("elastic-apm/invalid-metadata.ndjson", "2 records, none of them a request to a server"),
    (
        "elastic-apm/invalid-metadata-2.ndjson",
        "2 records, none of them a request: other_format 1 (first: record 1)",
    ),
    // The moment of a transaction without a stamp is when the server got it, which no file tells.
    ("elastic-apm/minimal.ndjson", "8 records, none of them a request: bad_time 1 (first: record 7)"),
    (
        "elastic-apm/optional-timestamps.ndjson",
        "4 records, none of them a request: bad_time 1 (first: record 2)",
    ),
    ("elastic-apm/span-links.ndjson", "3 records, none of them a request: bad_time 1 (first: record 3)"),
    ("elastic-apm/metricsets.ndjson", "8 records, none of them a request: other_format 1 (first: record 8)"),
];

#[test]
fn real_exports_give_the_requests_that_are_in_them() {
    for (file, label, requests, most) in FILES {
        let Some(path) = corpus(&format!("apm/{file}")) else { return };
        let path = path.to_str().unwrap();
        let inspected = run(&["inspect", path, "--format", "json", "--records", "1000", "--raw"]).ok().json();
        let input = &inspected["inputs"][0];
        assert_eq!(
            (input["format"].as_str(), input["requests"].as_u64()),
            (Some(label), Some(requests)),
            "{file}"
        );
        let records = input["records"].as_array().map_or(&[][..], Vec::as_slice);
        for (method, target, status, count) in most {
            let is = |record: &&Value| {
                record["method"].as_str().unwrap_or("-") == *method
                    && record["path"].as_str().unwrap_or("-") == *target
                    && record["status"].as_u64() == Some(*status)
            };
            assert_eq!(records.iter().filter(is).count(), *count, "{file}: {method} {target} {status}");
        }
    }
}

#[test]
fn exports_without_requests_say_what_they_hold() {
    for (file, found) in FAULTS {
        let Some(path) = corpus(&format!("apm/{file}")) else { return };
        let profile = run(&["profile", path.to_str().unwrap()]);
        assert_eq!(profile.code, 2, "{file}: {}", profile.stderr);
        assert!(profile.stderr.contains(&format!("found: {found}\n")), "{file}: {}", profile.stderr);
    }
}

/// Spans of twelve clients that call a route of two places, one in four traces kept.
fn spans() -> String {
    let span = |client: usize| {
        format!(
            r#"{{"traceId":"{client:032x}","spanId":"{client:016x}","name":"GET","kind":2,"startTimeUnixNano":"179357400{client:04}000000","endTimeUnixNano":"179357400{client:04}500000","traceState":"ot=th:c","attributes":[{{"key":"http.request.method","value":{{"stringValue":"GET"}}}},{{"key":"http.route","value":{{"stringValue":"/shops/:shop/items/<int:id>"}}}},{{"key":"url.path","value":{{"stringValue":"/shops/north/items/{client}"}}}},{{"key":"http.response.status_code","value":{{"intValue":"200"}}}},{{"key":"client.address","value":{{"stringValue":"192.0.2.{client}"}}}}]}}"#
        )
    };
    let spans: Vec<String> = (10..22).map(span).collect();
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#, spans.join(","))
}

#[test]
fn the_route_of_the_export_names_the_endpoint() {
    let events = run_with(&["events", "-", "--quiet"], spans().as_bytes()).ok();
    let events: Vec<Value> = String::from_utf8(events.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.len(), 12);
    for event in &events {
        assert_eq!(
            (&event["route"], &event["duration_s"]),
            (&"/shops/{shop}/items/{id}".into(), &0.0005.into())
        );
    }
}

#[test]
fn unknown_weights_and_clients_are_said() {
    let bare = spans().replace("ot=th:c", "").replace("client.address", "other");
    let said = run_with(&["inspect", "-"], bare.as_bytes()).ok().stderr;
    assert!(said.contains("12 of 12 requests do not say how many they stand for"), "{said}");
    assert!(said.contains("12 of 12 requests tell no client; each trace counts as one"), "{said}");
    let said = run_with(&["inspect", "-"], spans().as_bytes()).ok().stderr;
    assert_eq!(said, "");
}

/// Events as a table, whose first lines must be `expected`.
#[cfg(feature = "tabular")]
#[track_caller]
fn check_table(input: &std::path::Path, output: &std::path::Path, expected: &str) {
    run(&["events", input.to_str().unwrap(), "-o", output.to_str().unwrap()]).ok();
    let bytes = fs_err::read(output).unwrap();
    assert!(String::from_utf8_lossy(&bytes).starts_with(expected), "{bytes:?}");
}

#[cfg(feature = "tabular")]
#[test]
fn events_are_written_as_tables() {
    let directory = tempfile::tempdir().unwrap();
    let input = directory.path().join("spans.json");
    fs_err::write(&input, spans()).unwrap();
    let names = "started_at,ended_at,duration_s,client,method,route,endpoint,status,bytes_out,kind,weight\n";
    let csv = directory.path().join("events.csv");
    check_table(&input, &csv, names);
    let text = fs_err::read_to_string(&csv).unwrap();
    assert_eq!(text.lines().count(), 13);
    assert!(
        text.lines()
            .skip(1)
            .all(|line| line.contains("/shops/{shop}/items/{id}") && !line.contains("192.0.2"))
    );
    check_table(&input, &directory.path().join("events.parquet"), "PAR1");
}

#[cfg(feature = "tabular")]
#[test]
fn tables_of_products_are_read() {
    let csv = "timestamp,name,url,resultCode,duration,operation_Id,session_Id,itemCount\n\
        2026-11-01T23:00:01.250Z,GET /items/{id},\"https://shop.example.com/items/7?a=1,2\",404,50.5,a,s1,5\n\
        2026-11-01T23:00:02.250Z,GET /,https://shop.example.com/,200,1,b,,1\n";
    let inspected =
        run_with(&["inspect", "-", "--format", "json", "--records", "9", "--raw"], csv.as_bytes())
            .ok()
            .json();
    let input = &inspected["inputs"][0];
    assert_eq!((&input["format"], &input["requests"]), (&"azure:app-insights".into(), &2.into()));
    let record = &input["records"][0];
    assert_eq!((&record["path"], &record["query"]), (&"/items/7".into(), &"a=1,2".into()));
    assert_eq!((&record["status"], &record["duration_s"]), (&404.into(), &0.0505.into()));
}

#[cfg(not(feature = "tabular"))]
#[test]
fn without_tables_the_feature_is_named() {
    let parquet = run_with(&["profile", "-"], b"PAR1 and so on");
    assert_eq!(parquet.code, 2);
    assert!(parquet.stderr.contains("cargo feature `tabular`"), "{}", parquet.stderr);
    let events = run_with(&["events", "-", "--format", "csv"], spans().as_bytes());
    assert!(events.code == 2 && events.stderr.contains("cargo feature `tabular`"), "{}", events.stderr);
}
