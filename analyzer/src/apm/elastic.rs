//! Elastic APM: the stream that agents send to its server (intake, version 2), and the documents that Elasticsearch
//! keeps.
//!
//! Source: elastic/apm-data, `input/elasticapm/docs/spec/v2`; the field reference of Elastic APM. A transaction of type
//! `request` is a request. The start is in microseconds; where an agent sent none, the server took the moment of
//! arrival, which no file tells. `sample_rate` 0 stands for a transaction that was not sampled: how many there were is
//! not known.

use super::convention::Field;
use super::json::{self, ITEMS, Outline, Row};
use super::span::{Span, Spans};
use crate::document::Sink;
use crate::format::meaning::forwarded_client;
use crate::format::number::{self, Unit};
use crate::format::time::TimeFormat;
use crate::reject::Reject;

/// The kinds of events in a stream, but for transactions.
const OTHER_EVENTS: [&str; 5] = ["metadata", "span", "error", "metricset", "log"];
/// What events are called in the compressed form that browsers send.
const RUM_EVENTS: [&str; 4] = ["m", "x", "y", "e"];

pub(super) fn recognise_intake(outline: &Outline) -> bool {
    let metadata =
        outline.has("metadata") && outline.any(&["metadata.service", "metadata.user", "metadata.system"]);
    let transaction = outline.all(&["transaction.id", "transaction.trace_id", "transaction.span_count"]);
    metadata || transaction || outline.has("metricset.samples") || is_rum(outline)
}

fn is_rum(outline: &Outline) -> bool {
    outline.all(&["m.se", "m.se.n"])
}

pub(super) fn read_intake(text: &str, sink: &mut Sink<'_>) -> Result<(), String> {
    if is_rum(&Outline::of(text.as_bytes())) {
        return Err(
            "the compressed form that browsers send (RUM intake, version 3), where version 2 is expected"
                .to_owned(),
        );
    }
    let mut spans = Spans::default();
    let mut service = String::new();
    let end = json::each(text, &[], &mut |record| {
        let record = match record {
            Err(reject) => return spans.reject(reject),
            Ok(record) => record,
        };
        match first_key(record) {
            Some("transaction") => match Row::parse(record)
                .ok_or(Reject::OtherFormat)
                .and_then(|row| transaction(&row, &service))
            {
                Ok(span) => spans.push(span),
                Err(reject) => spans.reject(reject),
            },
            Some(key) if OTHER_EVENTS.contains(&key) || RUM_EVENTS.contains(&key) => {
                if let Some(row) = Row::parse(record).filter(|_| key == "metadata") {
                    row.get("metadata.service.name").unwrap_or_default().clone_into(&mut service);
                }
                spans.reject(Reject::NotARequest);
            }
            Some(_) | None => spans.reject(Reject::OtherFormat),
        }
    });
    spans.give_each(sink);
    end
}

fn first_key(record: &str) -> Option<&str> {
    record.strip_prefix('{')?.trim_start().strip_prefix('"')?.split('"').next()
}

fn transaction(row: &Row<'_>, service: &str) -> Result<Span, Reject> {
    let get = |name: &str| row.get(&format!("transaction.{name}"));
    if get("type") != Some("request") {
        return Err(Reject::NotARequest);
    }
    let header = |name: &str| {
        let name = format!("transaction.context.request.headers.{name}");
        row.fields().find(|(known, _)| known.eq_ignore_ascii_case(&name)).map(|(_, value)| value)
    };
    let text = |text: Option<&str>| text.unwrap_or_default().into();
    let mut span = Span {
        trace: text(get("trace_id")),
        service: text(get("context.service.name").or(Some(service))),
        name: text(get("name")),
        weight: get("sample_rate").and_then(weight),
        ..Span::request()
    };
    span.started(get("timestamp"), &TimeFormat::EpochMicroseconds);
    span.lasted(get("duration"), Unit::Milliseconds);
    let user = ["context.user.id", "context.user.email", "context.user.username"].into_iter().find_map(get);
    let chain = header("x-forwarded-for").map(|chain| forwarded_client(chain.as_bytes()));
    let chain = chain.and_then(|client| std::str::from_utf8(client).ok());
    for (field, value) in [
        (Field::Method, get("context.request.method")),
        (Field::Path, get("context.request.url.pathname")),
        (Field::Query, get("context.request.url.search")),
        (Field::Url, get("context.request.url.full").or_else(|| get("context.request.url.raw"))),
        (Field::Host, get("context.request.url.hostname")),
        (Field::Status, get("context.response.status_code").or_else(|| get("result"))),
        (Field::BytesOut, get("context.response.transfer_size")),
        (Field::Client, chain.or_else(|| get("context.request.socket.remote_address"))),
        (Field::UserAgent, header("user-agent")),
        (Field::User, user),
        (Field::Session, get("session.id")),
    ] {
        span.facts.set(field, value);
    }
    Ok(span)
}

/// How many transactions one stands for that was sampled with this probability.
fn weight(rate: &str) -> Option<f64> {
    number::decimal(rate.as_bytes()).filter(|rate| *rate > 0.0 && *rate <= 1.0).map(f64::recip)
}

/// Where documents may stand: alone, in the answer of a search.
pub(super) const DOCUMENT_PATHS: [&[&str]; 3] = [
    &["hits", "hits", ITEMS],
    &["rawResponse", "hits", "hits", ITEMS],
    &["responses", ITEMS, "hits", "hits", ITEMS],
];
/// Names in front of the fields of a document.
const PLACES: [&str; 3] = ["_source.", "fields.", ""];

pub(super) fn is_document(has: &dyn Fn(&str) -> bool) -> bool {
    PLACES.iter().any(|place| {
        has(&format!("{place}processor.event"))
            || has(&format!("{place}transaction.duration.us"))
            || has(&format!("{place}data_stream.type")) && has(&format!("{place}transaction.id"))
    })
}

/// The request of a document of Elasticsearch.
pub(super) fn document(row: &Row<'_>) -> Result<Span, Reject> {
    let get = |name: &str| PLACES.iter().find_map(|place| row.get(&format!("{place}{name}")));
    let first = |names: &[&str]| names.iter().find_map(|name| get(name));
    if get("transaction.type") != Some("request")
        || get("processor.event").is_some_and(|kind| kind != "transaction")
    {
        return Err(Reject::NotARequest);
    }
    let text = |text: Option<&str>| text.unwrap_or_default().into();
    let mut span = Span {
        trace: text(get("trace.id")),
        service: text(get("service.name")),
        name: text(get("transaction.name")),
        weight: get("transaction.representative_count").and_then(|count| number::decimal(count.as_bytes())),
        ..Span::request()
    };
    match get("timestamp.us") {
        Some(us) => span.started(Some(us), &TimeFormat::EpochMicroseconds),
        None => span.started(get("@timestamp"), &TimeFormat::Any),
    }
    span.lasted(get("transaction.duration.us"), Unit::Microseconds);
    for (field, value) in [
        (Field::Method, get("http.request.method")),
        (Field::Path, get("url.path")),
        (Field::Query, get("url.query")),
        (Field::Url, first(&["url.full", "url.original"])),
        (Field::Scheme, get("url.scheme")),
        (Field::Host, get("url.domain")),
        (Field::Status, first(&["http.response.status_code", "transaction.result"])),
        (Field::BytesIn, first(&["http.request.bytes", "http.request.body.bytes"])),
        (Field::BytesOut, first(&["http.response.body.bytes", "http.response.transfer_size"])),
        (Field::Client, first(&["client.ip", "source.ip"])),
        (Field::UserAgent, get("user_agent.original")),
        (Field::User, first(&["user.id", "user.email", "user.name"])),
        (Field::Session, get("session.id")),
    ] {
        span.facts.set(field, value);
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apm::rows::Product;
    use crate::apm::tests::{check, check_rows, refused};

    #[test]
    fn transactions_of_type_request_are_read() {
        let stream = r#"{"metadata":{"service":{"name":"shop"}}}
{"transaction":{"id":"1","trace_id":"a","type":"request","name":"GET /items/:id","timestamp":1793574001250000,"duration":50.5,"sample_rate":0.2,"context":{"request":{"method":"GET","url":{"pathname":"/items/7","search":"?x=1","hostname":"shop.example.com"},"headers":{"User-Agent":["curl/8"],"X-Forwarded-For":"192.0.2.1, 10.0.0.1"},"socket":{"remote_address":"10.0.0.2"}},"response":{"status_code":404}}}}

{"span":{"id":"2","trace_id":"a"}}
{"transaction":{"id":"3","trace_id":"a","type":"request","duration":1,"timestamp":1793574002250000,"sample_rate":0,"result":"HTTP 5xx","context":{"user":{"id":7}}}}
{"transaction":{"id":"3","trace_id":"a","type":"request","duration":1}}
{"transaction":{"type":"messaging"}}
{"umpire":{}}
{"transaction":
"#;
        let given = [
            "not_a_request",
            "2026-11-01T23:00:01.250Z 0.0505s GET /items/7?x=1 404 192.0.2.1 route=/items/:id weight=5",
            "blank",
            "not_a_request",
            "2026-11-01T23:00:02.250Z 0.001s - - 500 session:7",
            "bad_time",
            "not_a_request",
            "other_format",
            "truncated",
        ];
        check(read_intake, stream, &given);
    }

    #[test]
    fn the_form_that_browsers_send_is_refused() {
        let stream = "{\"m\":{\"se\":{\"n\":\"shop\",\"a\":{\"n\":\"js\"}}}}\n{\"x\":{\"id\":\"1\"}}\n";
        assert!(recognise_intake(&Outline::of(stream.as_bytes())));
        refused(
            read_intake,
            stream,
            "the compressed form that browsers send (RUM intake, version 3), where version 2 is expected",
        );
    }

    #[test]
    fn documents_come_from_searches_and_in_lines() {
        let document = r#"{"_id":"1","_source":{"@timestamp":"2026-11-01T23:00:01.250Z","processor":{"event":"transaction"},"transaction":{"type":"request","name":"ItemsController#show","duration":{"us":50000},"representative_count":2.5,"result":"HTTP 2xx"},"trace":{"id":"a"},"http":{"request":{"method":"GET"}},"url":{"path":"/items/7"},"client":{"ip":"192.0.2.1"}}}"#;
        let given = "2026-11-01T23:00:01.250Z 0.05s GET /items/7 200 192.0.2.1 weight=2.5";
        let span = r#"{"_source":{"processor":{"event":"span"}}}"#;
        let expected = [given, "not_a_request"];
        check_rows(
            Product::Elasticsearch,
            &format!("{{\"hits\":{{\"hits\":[{document},\n{span}]}}}}"),
            &expected,
        );
        check_rows(Product::Elasticsearch, &format!("{document}\n{span}\n"), &expected);
        let flat = r#"[{"@timestamp":["2026-11-01T23:00:01.250Z"],"transaction.type":["request"],"transaction.duration.us":[50000],"url.path":["/items/7"],"http.request.method":["GET"]}]"#;
        check_rows(Product::Elasticsearch, flat, &["2026-11-01T23:00:01.250Z 0.05s GET /items/7 0 -"]);
    }
}
