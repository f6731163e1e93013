//! Zipkin's spans, version 2: arrays, arrays of arrays, or one per line.
//!
//! Source: openzipkin/zipkin-api, `zipkin2-api.yaml`. Times are microseconds. Brave and others tag the status only when
//! it is no success, so that a span of HTTP with neither status nor error was answered with success.

use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

use super::convention::Field;
use super::json::{self, Outline, Scalar};
use super::span::{Kind, Span, Spans};
use crate::document::Sink;
use crate::format::number::Unit;
use crate::format::time::TimeFormat;
use crate::reject::Reject;

pub(super) fn recognise(outline: &Outline) -> bool {
    let v2 = ["localEndpoint", "remoteEndpoint", "kind", "timestamp", "duration", "tags"];
    outline.all(&["traceId", "id"]) && (outline.any(&v2) || is_v1(outline))
}

fn is_v1(outline: &Outline) -> bool {
    outline.any(&["binaryAnnotations", "annotations.endpoint"])
}

pub(super) fn read(text: &str, sink: &mut Sink<'_>) -> Result<(), String> {
    if is_v1(&Outline::of(text.as_bytes())) {
        return Err("Zipkin spans of version 1, where version 2 is expected".to_owned());
    }
    let mut spans = Spans::default();
    let end = json::each(text, &[], &mut |record| match record.map(serde_json::from_str::<ZipkinSpan<'_>>) {
        Ok(Ok(span)) => spans.push(span.into_span()),
        Ok(Err(_)) => spans.reject(Reject::OtherFormat),
        Err(reject) => spans.reject(reject),
    });
    spans.give(sink);
    end
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ZipkinSpan<'a> {
    #[serde(borrow, default)]
    trace_id: Scalar<'a>,
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default)]
    parent_id: Scalar<'a>,
    #[serde(borrow, default)]
    kind: Scalar<'a>,
    #[serde(borrow, default)]
    name: Scalar<'a>,
    #[serde(borrow, default)]
    timestamp: Scalar<'a>,
    #[serde(borrow, default)]
    duration: Scalar<'a>,
    #[serde(borrow)]
    local_endpoint: Option<Endpoint<'a>>,
    #[serde(borrow)]
    remote_endpoint: Option<Endpoint<'a>>,
    #[serde(borrow)]
    tags: Option<BTreeMap<Cow<'a, str>, Scalar<'a>>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Endpoint<'a> {
    #[serde(borrow, default)]
    service_name: Scalar<'a>,
    #[serde(borrow, default)]
    ipv4: Scalar<'a>,
    #[serde(borrow, default)]
    ipv6: Scalar<'a>,
}

impl ZipkinSpan<'_> {
    fn into_span(self) -> Span {
        let text = |scalar: &Scalar<'_>| scalar.text().unwrap_or_default().into();
        let local = self.local_endpoint.unwrap_or_default();
        let remote = self.remote_endpoint.unwrap_or_default();
        let mut span = Span {
            trace: text(&self.trace_id),
            id: text(&self.id),
            parent: text(&self.parent_id),
            service: text(&local.service_name),
            kind: Kind::named(self.kind.text().unwrap_or_default()),
            name: text(&self.name),
            ..Span::request()
        };
        for (name, value) in self.tags.iter().flatten() {
            span.facts.attribute(name, value.text().unwrap_or_default());
        }
        if span.facts.is_http() && span.facts.get(Field::Status).is_none() {
            let error = span.facts.get(Field::Error).map(str::to_owned);
            span.facts.set(Field::Status, Some(error.as_deref().unwrap_or("200")));
        }
        if span.facts.get(Field::Client).is_none() {
            span.facts.set(Field::Client, remote.ipv4.text().or(remote.ipv6.text()));
        }
        span.started(self.timestamp.text(), &TimeFormat::EpochMicroseconds);
        span.lasted(self.duration.text(), Unit::Microseconds);
        span
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apm::tests::{check, refused};

    const SPANS: &str = r#"[{"traceId":"a","id":"1","kind":"SERVER","name":"get /items/:id","timestamp":1793574001250000,
       "duration":50000,"localEndpoint":{"serviceName":"shop"},"remoteEndpoint":{"ipv6":"2001:db8::1","port":4711},
       "tags":{"http.method":"GET","http.path":"/items/7"}},
      {"traceId":"a","id":"2","parentId":"1","kind":"CLIENT","localEndpoint":{"serviceName":"shop"}},
      {"traceId":"a","id":"2","parentId":"1","kind":"SERVER","shared":true,"timestamp":1793574001260000,
       "localEndpoint":{"serviceName":"stock"},"name":"post","tags":{"http.path":"/take","error":"503"}},
      {"traceId":"a","id":"2","parentId":"1","kind":"SERVER","shared":true,"timestamp":1793574001260001,
       "localEndpoint":{"serviceName":"stock"}},
      {"traceId":"a","id":"3","parentId":"2","kind":"SERVER","timestamp":1793574001260001,
       "localEndpoint":{"serviceName":"stock"}}]"#;

    #[test]
    fn shared_spans_count_once() {
        let given = [
            "2026-11-01T23:00:01.250Z 0.05s GET /items/7 200 2001:db8::1 route=/items/:id",
            "not_a_request",
            "2026-11-01T23:00:01.260Z - POST /take 503 2001:db8::1",
            "not_a_request",
            "not_a_request",
        ];
        check(read, SPANS, &given);
        check(read, &format!("[{SPANS}]"), &given);
    }

    #[test]
    fn version_1_is_refused() {
        let span = r#"[{"traceId":"a","id":"1","name":"get","annotations":[{"value":"sr","endpoint":{}}]}]"#;
        refused(read, span, "Zipkin spans of version 1, where version 2 is expected");
    }
}
