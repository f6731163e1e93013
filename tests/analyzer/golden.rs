//! Lines of twenty products, with the fields that another project's parser finds in them.

use serde_json::Value;

use crate::support::{corpus, run_with};

/// What a row of the corpus says, where ours may differ, and why.
struct Exception {
    format: &'static str,
    field: &'static str,
    /// Text that the line holds.
    holds: &'static str,
    why: &'static str,
}

const EXCEPTIONS: [Exception; 0] = [];

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
        let header =
            expected["fields_header"].as_str().map_or_else(String::new, |header| format!("{header}\n"));
        let input = format!("{header}{raw}\n");
        let run =
            run_with(&["inspect", "-", "--records", "1", "--raw", "--format", "json"], input.as_bytes());
        let found = match run.code {
            2 => vec![("parse", run.stderr.lines().next().unwrap_or_default().to_owned())],
            _ => match &run.json()["inputs"][0] {
                input if input["records"][0].is_null() => {
                    vec![("parse", format!("no record: {}", input["rejects"]))]
                }
                input => differences(&expected, &input["records"][0]),
            },
        };
        let excuse = |field: &str| {
            EXCEPTIONS.iter().find(|exception| {
                exception.format == format && exception.field == field && raw.contains(exception.holds)
            })
        };
        let (excusable, inexcusable): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|(field, _)| excuse(field).is_some());
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
