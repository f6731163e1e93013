//! Lines of twenty products, with the fields that another project's parser finds in them.

use serde_json::Value;

use crate::support::{corpus, corpus_files, run, run_with};

/// What a row of the corpus says, where ours may differ, and why.
struct Exception {
    format: &'static str,
    field: &'static str,
    /// Text that the line holds.
    holds: &'static str,
    why: &'static str,
}

const EXCEPTIONS: [Exception; 13] = [
    exception("weblogic", "referer", "", "the other parser repeats the URL; the line has no referer"),
    exception(
        "traefik",
        "ts",
        "StartUTC",
        "the other parser takes the time of writing, we that of the request",
    ),
    exception(
        "cloudflare",
        "parse",
        "edgeWorkerFetch",
        "a worker asked, not a client: a record of another kind",
    ),
    exception("istio", "bytes", "", "the other parser gives the bytes received"),
    exception("envoy", "bytes", "", "the other parser gives the bytes received"),
    exception("istio", "duration", "", "the other parser gives the time that the upstream took"),
    exception("akamai", "url", "", "the other parser puts the host before the path"),
    exception("apache", "parse", "TLSv1.2", "a log of TLS connections without statuses makes no profile"),
    exception(
        "nginx",
        "client",
        "10.5.102.222, ",
        "the first public address of a chain may be made up by the client",
    ),
    exception(
        "nginx",
        "client",
        "localhost, localhost",
        "names are not known to be private, so the last counts",
    ),
    exception("iis", "url", "/${#context", "a path ends at `#`: no browser sends what follows"),
    exception("iis", "client", "", "connected from inside: the chain of the proxy in front names the client"),
    exception("zscaler", "url", "CONNECT", "CONNECT names a host; the other parser makes a URL of it"),
];

const fn exception(
    format: &'static str,
    field: &'static str,
    holds: &'static str,
    why: &'static str,
) -> Exception {
    Exception { format, field, holds, why }
}

/// Header lines that servers write, for rows whose own is not in the corpus or is another row's: one line does not
/// tell its columns.
const HEADERS: [&str; 9] = [
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken",
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken X-Forwarded-For",
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status sc-substatus sc-win32-status time-taken",
    "#Fields: date time s-sitename s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs-version cs(User-Agent) cs(Cookie) cs(Referer) sc-status sc-substatus sc-win32-status sc-bytes cs-bytes time-taken",
    "#Fields: date time s-sitename s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs-version cs(User-Agent) cs(Cookie) cs(Referer) sc-status sc-substatus sc-win32-status sc-bytes cs-bytes time-taken X-Forwarded-For",
    "#Fields: date time s-sitename s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs-version cs(User-Agent) cs(Cookie) cs-host sc-status sc-substatus sc-win32-status sc-bytes cs-bytes time-taken",
    "#Fields: date time s-sitename s-computername s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs-version cs(User-Agent) cs(Cookie) cs(Referer) cs-host sc-status sc-substatus sc-win32-status sc-bytes cs-bytes time-taken X-Forwarded-For",
    "#Fields: date time s-sitename cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Cookie) cs(Referer) cs-host sc-status sc-substatus sc-win32-status sc-bytes cs-bytes time-taken",
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Cookie) cs(Referer) sc-status sc-substatus sc-win32-status time-taken",
];

/// Formats that people made up, as their owners would give them: how the line starts, and its `--log-format`.
const GIVEN: [(&str, &str); 2] = [
    (
        "1.128.3.4 2a02:",
        r#"$server_addr $http_x_forwarded_for $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#,
    ),
    (
        "example.com localhost, localhost",
        r#"$host $http_x_forwarded_for - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$gzip_ratio""#,
    ),
];

/// `192.0.2.1:80` and `[2001:db8::1]:80` without the port.
fn without_port(client: &str) -> &str {
    match client.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None if client.matches(':').count() == 1 => client.split(':').next().unwrap_or_default(),
        None => client,
    }
}

/// Path and query of a URL; the path alone where `expected` has no query.
fn target(url: &str, expected: &str) -> String {
    let after_scheme =
        url.split_once("://").map_or(url, |(_, rest)| rest.find(['/', '?']).map_or("/", |at| &rest[at..]));
    match expected.contains('?') {
        true => after_scheme.to_owned(),
        false => after_scheme.split('?').next().unwrap_or_default().to_owned(),
    }
}

fn milliseconds(stamp: &str) -> Option<i64> {
    stamp.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !matches!(*text, "-" | ""))
}

/// What differs between what another parser found and what we did.
fn differences(expected: &Value, record: &Value) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    if let Some(ts) = text(&expected["ts"]).and_then(milliseconds) {
        let stamps = ["started_at", "ended_at"].map(|key| text(&record[key]).and_then(milliseconds));
        if !stamps.contains(&Some(ts)) {
            found.push(("ts", format!("{} but {stamps:?}", expected["ts"])));
        }
    }
    let mut compare = |field, expected: Option<String>, ours: Option<String>| {
        if expected.is_some() && expected != ours {
            found.push((field, format!("{expected:?} but {ours:?}")));
        }
    };
    let plain = |value: &Value| text(value).map(str::to_owned);
    compare("method", plain(&expected["method"]), plain(&record["method"]));
    compare(
        "client",
        text(&expected["client"]).map(|client| without_port(client).to_owned()),
        plain(&record["client"]),
    );
    let number = |value: &Value| value.as_u64().map(|number| number.to_string());
    compare("status", number(&expected["status"]), number(&record["status"]));
    compare("bytes", number(&expected["bytes"]), number(&record["bytes_out"]));
    if let Some(url) = text(&expected["url"]) {
        let query = text(&record["query"]).map_or_else(String::new, |query| format!("?{query}"));
        let ours = text(&record["path"]).map(|path| target(&format!("{path}{query}"), url));
        compare("url", Some(target(url, url)), ours);
    }
    let duration_ms = |seconds: f64| (seconds * 1e3).round().to_string();
    compare(
        "duration",
        expected["duration_ns"].as_f64().map(|ns| duration_ms(ns * 1e-9)),
        record["duration_s"].as_f64().map(duration_ms),
    );
    compare("ua", plain(&expected["ua"]), plain(&record["user_agent"]));
    compare("referer", plain(&expected["referer"]), plain(&record["referer"]));
    found
}

/// What is wrong with how `line` is read after the header line.
fn found(
    expected: &Value,
    line: &str,
    header: Option<&str>,
    given: Option<&str>,
) -> Vec<(&'static str, String)> {
    let header = header.map_or_else(String::new, |header| format!("{header}\n"));
    let arguments = ["inspect", "-", "--records", "1", "--raw", "--format", "json"];
    let given: Vec<&str> = given.into_iter().flat_map(|format| ["--log-format", format]).collect();
    let run = run_with(&[&arguments[..], &given].concat(), format!("{header}{line}\n").as_bytes());
    // As many as there are fields: whatever reads the line at all is nearer to being right.
    let refused = |why: String| vec![("parse", why); FIELDS];
    match run.code {
        2 => refused(run.stderr.lines().next().unwrap_or_default().to_owned()),
        _ => match &run.json()["inputs"][0] {
            input if input["records"][0].is_null() => refused(format!("no record: {}", input["rejects"])),
            input => differences(expected, &input["records"][0]),
        },
    }
}

/// Fields that are compared, and one more.
const FIELDS: usize = 10;

#[test]
fn every_access_record_has_the_fields_that_another_parser_finds() {
    let Some(path) = corpus("golden/elastic.jsonl") else { return };
    let (mut rows, mut equal, mut excused) = (0, 0, 0);
    let mut wrong = Vec::new();
    for (number, row) in fs_err::read_to_string(path).unwrap().lines().enumerate() {
        rows += 1;
        let expected: Value = serde_json::from_str(row).unwrap();
        let format = expected["format"].as_str().unwrap();
        let raw = expected["raw"].as_str().unwrap();
        // Some rows hold several lines, of which the fields describe the first.
        let line = if raw.starts_with('{') { raw } else { raw.lines().next().unwrap() };
        let given = GIVEN.iter().find(|(start, _)| line.starts_with(start)).map(|(_, format)| *format);
        let own = expected["fields_header"].as_str();
        let others = HEADERS.map(Some).into_iter().filter(|_| format == "iis");
        let headers = std::iter::once(own).chain(others);
        let read = headers.map(|header| found(&expected, line, header, given));
        let found = read.min_by_key(Vec::len).unwrap();
        let excuse = |field: &str| {
            EXCEPTIONS.iter().find(|exception| {
                exception.format == format && exception.field == field && raw.contains(exception.holds)
            })
        };
        let (mut excusable, mut inexcusable): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|(field, _)| excuse(field).is_some());
        excusable.dedup();
        inexcusable.dedup();
        for (field, what) in &excusable {
            excused += 1;
            eprintln!("row {} {format} {field}: {what}: {}", number + 1, excuse(field).unwrap().why);
        }
        equal += usize::from(excusable.is_empty() && inexcusable.is_empty());
        wrong.extend(
            inexcusable
                .into_iter()
                .map(|(field, what)| format!("row {} {format} {field}: {what}", number + 1)),
        );
    }
    eprintln!("{equal} of {rows} rows equal in every field, {excused} fields excused");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// Logs of many servers, some of them under attack: how many requests are in each, and in which format. No format:
/// errors of servers and applications, in which there is no access record.
const SERVERS: [(&str, &str, u64); 36] = [
    ("apache-cve-2021-41773__", "apache:common", 2),
    ("apache-guacamole-logs__", "", 0),
    ("apache-guacamole_user_enum__", "", 0),
    ("apache_log4j2_cve-2021-44228__", "nginx:combined", 3),
    ("aws-alb-http-bad-user-agent__", "aws:alb", 4),
    ("aws-alb-logs__", "aws:alb", 14),
    ("base-upsun-generic-test__", "json+tagged+nginx:combined", 1),
    ("base-upsun-httplog-logs__", "json+tagged+nginx:combined", 1),
    ("bunkerweb-bad-user-agent__", "nginx:host+combined", 3),
    ("bunkerweb-http-path-traversal__", "nginx:host+combined", 9),
    ("bunkerweb-http-sensitive-files__", "nginx:host+combined", 9),
    ("caddy-basic-auth-bf__", "caddy:json", 6),
    ("caddy-logs__", "caddy:json", 10),
    ("envoy-logs__", "cri+envoy:json", 6),
    ("haproxy-logs__", "haproxy:httplog", 2),
    ("http-cve-probing__", "nginx:combined", 3),
    ("http-dos-bypass-cache__", "nginx:combined", 356),
    ("http-dos-switching-ua__", "nginx:combined", 15),
    ("http-magento-bf__", "", 0),
    ("http-technology-probing__", "nginx:combined", 5),
    ("http-wordpress_wpconfig__", "syslog+nginx:combined", 14),
    ("litespeed-http-sensitive-files__", "nginx:combined", 6),
    ("modsecurity-logs__", "", 0),
    ("modsecurity__", "", 0),
    ("nginx-cve-2021-41773__", "nginx:host+combined", 2),
    ("nginx-http-backdoor__", "nginx:combined", 2),
    ("nginx-http-malformed__", "nginx:combined", 12),
    ("nginx-http-path-traversal__", "nginx:combined", 9),
    ("nginx-http-sensitive-files__", "nginx:combined", 9),
    ("nginx-http-w00twoot__", "nginx:combined", 2),
    ("nginx-proxy-manager-malformed__", "nginx:combined", 12),
    ("nginx_http-catch-npm__", "npmplus:log", 4),
    ("nginx_req_limit_exceeded__", "", 0),
    ("npmplus-logs__", "npmplus:log", 8),
    ("traefik_base-http-scenario__", "traefik:json", 80),
    ("traefik_json__", "traefik:json", 6),
];

#[test]
fn what_an_http_server_wrote_is_read_whoever_asked_it() {
    for path in corpus_files("golden/crowdsec", ".log") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let known = SERVERS.iter().find(|(start, ..)| name.starts_with(start));
        let (_, format, requests) = known.unwrap_or_else(|| panic!("{name} is not in the table"));
        let run = run(&["inspect", path.to_str().unwrap(), "--format", "json"]);
        if format.is_empty() {
            assert_eq!(run.code, 2, "{name}");
            assert!(run.stderr.contains("cannot tell the format"), "{name}: {}", run.stderr);
            continue;
        }
        let input = run.json()["inputs"][0].clone();
        assert_eq!(
            (input["format"].as_str(), input["requests"].as_u64()),
            (Some(*format), Some(*requests)),
            "{name}"
        );
        let lines = input["requests"].as_u64().unwrap() + input["rejected"].as_u64().unwrap();
        assert_eq!(Some(lines), input["lines"].as_u64(), "{name}: a line is neither read nor classed");
    }
}
