//! AWS X-Ray: segments, alone or as `get-traces` gives them, in which a segment is JSON inside a string.
//!
//! Source: AWS X-Ray developer guide, "Segment documents". A segment with an HTTP request is a request to a service. A
//! segment in progress is replaced by the whole one of the same id. How much was sampled is not said.

use serde::Deserialize;
use std::borrow::Cow;

use super::convention::Field;
use super::json::{self, ITEMS, Outline, Row};
use super::span::{Span, Spans};
use crate::document::Sink;
use crate::format::time::TimeFormat;
use crate::reject::Reject;

/// Where segments stand in the answer for traces.
const IN_TRACES: [&str; 4] = ["Traces", ITEMS, "Segments", ITEMS];

pub(super) fn recognise(outline: &Outline) -> bool {
    outline.has("Traces.Segments.Document")
        || outline.all(&["trace_id", "start_time", "id"])
            && outline.any(&["http.request", "subsegments", "in_progress", "end_time", "origin"])
}

pub(super) fn read(text: &str, sink: &mut Sink<'_>) -> Result<(), String> {
    let wrapped = Outline::of(text.as_bytes()).has("Traces.Segments");
    let path: &[&str] = if wrapped { &IN_TRACES } else { &[] };
    let mut spans = Spans::default();
    let end = json::each(text, path, &mut |record| {
        let found = record.and_then(|record| match wrapped {
            true => {
                let wrapper = serde_json::from_str::<Wrapper<'_>>(record).map_err(|_| Reject::OtherFormat)?;
                segment(&Row::parse(&wrapper.document).ok_or(Reject::OtherFormat)?)
            }
            false => segment(&Row::parse(record).ok_or(Reject::OtherFormat)?),
        });
        match found {
            Ok(span) => spans.push(span),
            Err(reject) => spans.reject(reject),
        }
    });
    spans.give(sink);
    end
}

#[derive(Deserialize)]
struct Wrapper<'a> {
    #[serde(borrow, rename = "Document")]
    document: Cow<'a, str>,
}

fn segment(row: &Row<'_>) -> Result<Span, Reject> {
    let is_part = row.get("type") == Some("subsegment");
    let is_whole = row.get("in_progress") != Some("true") && row.get("end_time").is_some();
    let is_http = row.first(&["http.request.method", "http.request.url"]).is_some();
    if is_part || !is_whole || !is_http {
        return Err(Reject::NotARequest);
    }
    let text = |name: &str| row.get(name).unwrap_or_default().into();
    let mut span = Span {
        trace: text("trace_id"),
        id: text("id"),
        parent: text("parent_id"),
        service: text("name"),
        ..Span::request()
    };
    span.started(row.get("start_time"), &TimeFormat::EpochSeconds);
    span.ended(row.get("end_time"), &TimeFormat::EpochSeconds);
    for (field, name) in [
        (Field::Method, "http.request.method"),
        (Field::Url, "http.request.url"),
        (Field::UserAgent, "http.request.user_agent"),
        (Field::Client, "http.request.client_ip"),
        (Field::Status, "http.response.status"),
        (Field::BytesOut, "http.response.content_length"),
        (Field::User, "user"),
    ] {
        span.facts.set(field, row.get(name));
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apm::tests::check;

    #[test]
    fn segments_come_alone_and_inside_strings() {
        let segment = r#"{"id":"1","name":"shop","start_time":1793574001.25,"trace_id":"1-a-b","end_time":1793574001.3,"http":{"request":{"method":"GET","url":"https://shop.example.com/items/7","client_ip":"192.0.2.1"},"response":{"status":404}}}"#;
        let open = r#"{"id":"1","name":"shop","start_time":1793574001.25,"trace_id":"1-a-b","in_progress":true,"http":{"request":{"method":"GET"}}}"#;
        let queue = r#"{"id":"2","name":"worker","start_time":1793574001.25,"trace_id":"1-a-b","end_time":1793574001.3}"#;
        let given =
            ["not_a_request", "2026-11-01T23:00:01.250Z 0.05s GET /items/7 404 192.0.2.1", "not_a_request"];
        check(read, &[open, segment, queue].join("\n"), &given);
        let wrapped = |segment: &str| {
            format!("{{\"Id\":\"x\",\"Document\":{}}}", serde_json::to_string(segment).unwrap())
        };
        let segments = [open, segment, queue].map(wrapped).join(",");
        check(read, &format!("{{\"Traces\":[{{\"Id\":\"1-a-b\",\n\"Segments\":[{segments}]}}]}}"), &given);
    }
}
