//! Jaeger's JSON: what its query service answers and its page saves, traces or bare spans.
//!
//! Source: jaegertracing/jaeger, `internal/uimodel/model.go`. Times are microseconds.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;

use super::convention::Field;
use super::json::{self, ITEMS, Outline, Scalar};
use super::span::{Kind, Span, Spans};
use crate::document::Sink;
use crate::format::number::{self, Unit};
use crate::format::time::TimeFormat;
use crate::reject::Reject;

pub(super) fn recognise(outline: &Outline) -> bool {
    ["data.spans.", "spans.", "data.", ""].iter().any(|place| {
        outline.all(&[&format!("{place}spanID"), &format!("{place}traceID")])
            && outline.any(&[&format!("{place}operationName"), &format!("{place}startTime")])
    })
}

pub(super) fn read(text: &str, sink: &mut Sink<'_>) -> Result<(), String> {
    let path: &[&str] = match Outline::of(text.as_bytes()).has("data") {
        true => &["data", ITEMS],
        false => &[],
    };
    let mut spans = Spans::default();
    let end = json::each(text, path, &mut |record| match record {
        Ok(record) => take(record, &mut spans),
        Err(reject) => spans.reject(reject),
    });
    spans.give(sink);
    end
}

/// Takes a trace, or a span that stands alone.
fn take(record: &str, spans: &mut Spans) {
    let Ok(trace) = serde_json::from_str::<Trace<'_>>(record) else {
        return spans.reject(Reject::OtherFormat);
    };
    let services = trace.processes.unwrap_or_default();
    let mut one = |text: &str| match serde_json::from_str::<JaegerSpan<'_>>(text) {
        Ok(span) => spans.push(span.into_span(&services)),
        Err(_) => spans.reject(Reject::OtherFormat),
    };
    match trace.spans {
        Some(all) => all.iter().for_each(|span| one(span.get())),
        None => one(record),
    }
}

#[derive(Deserialize)]
struct Trace<'a> {
    #[serde(borrow)]
    spans: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    processes: Option<HashMap<Cow<'a, str>, Process<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Process<'a> {
    #[serde(borrow, default)]
    service_name: Scalar<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JaegerSpan<'a> {
    #[serde(borrow, default, rename = "traceID")]
    trace_id: Scalar<'a>,
    #[serde(borrow, default, rename = "spanID")]
    span_id: Scalar<'a>,
    #[serde(borrow, default, rename = "parentSpanID")]
    parent_span_id: Scalar<'a>,
    #[serde(borrow, default)]
    operation_name: Scalar<'a>,
    #[serde(borrow)]
    references: Option<Vec<Reference<'a>>>,
    #[serde(borrow, default)]
    start_time: Scalar<'a>,
    #[serde(borrow, default)]
    duration: Scalar<'a>,
    #[serde(borrow)]
    tags: Option<Vec<Tag<'a>>>,
    #[serde(borrow, default, rename = "processID")]
    process_id: Scalar<'a>,
    #[serde(borrow)]
    process: Option<Process<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference<'a> {
    #[serde(borrow, default)]
    ref_type: Scalar<'a>,
    #[serde(borrow, default, rename = "spanID")]
    span_id: Scalar<'a>,
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow, default)]
    value: Scalar<'a>,
}

impl JaegerSpan<'_> {
    fn into_span(self, services: &HashMap<Cow<'_, str>, Process<'_>>) -> Span {
        let references = self.references.unwrap_or_default();
        let above = references.iter().find(|reference| reference.ref_type.text() == Some("CHILD_OF"));
        let parent = above.and_then(|above| above.span_id.text()).or(self.parent_span_id.text());
        let process = self.process.as_ref().or_else(|| services.get(self.process_id.text()?));
        let service = process.and_then(|process| process.service_name.text());
        let text = |text: Option<&str>| text.unwrap_or_default().into();
        let mut span = Span {
            trace: text(self.trace_id.text()),
            id: text(self.span_id.text()),
            parent: text(parent),
            service: text(service),
            name: text(self.operation_name.text()),
            ..Span::request()
        };
        for tag in self.tags.iter().flatten() {
            span.facts.attribute(&tag.key, tag.value.text().unwrap_or_default());
        }
        span.kind = Kind::named(span.facts.get(Field::Kind).unwrap_or_default());
        span.weight = weight(span.facts.get(Field::SamplerType), span.facts.get(Field::SamplerParameter));
        span.started(self.start_time.text(), &TimeFormat::EpochMicroseconds);
        span.lasted(self.duration.text(), Unit::Microseconds);
        span
    }
}

/// What the sampler tells: each of them, or one in so many. Samplers that limit rates tell no probability.
fn weight(sampler: Option<&str>, parameter: Option<&str>) -> Option<f64> {
    match (sampler?, parameter?) {
        ("const", "true" | "1") => Some(1.0),
        ("probabilistic", parameter) => number::decimal(parameter.as_bytes())
            .filter(|share| *share > 0.0 && *share <= 1.0)
            .map(f64::recip),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apm::tests::check;

    const TRACE: &str = r#"{"traceID":"a1","spans":[
      {"traceID":"a1","spanID":"1","operationName":"GET /items/:id","startTime":1793574001250000,"duration":50000,
       "references":[],"processID":"p1","tags":[{"key":"span.kind","type":"string","value":"server"},
       {"key":"http.url","value":"http://shop.example.com/items/7?x=1"},{"key":"http.status_code","type":"int64","value":200},
       {"key":"sampler.type","value":"probabilistic"},{"key":"sampler.param","type":"float64","value":0.25}]},
      {"traceID":"a1","spanID":"2","operationName":"GET","startTime":1793574001260000,"duration":9,"processID":"p2",
       "references":[{"refType":"CHILD_OF","traceID":"a1","spanID":"1"}],
       "tags":[{"key":"span.kind","value":"server"},{"key":"http.method","value":"GET"}]},
      {"traceID":"a1","spanID":"3","operationName":"GET","startTime":1793574001260000,"processID":"p1",
       "references":[{"refType":"CHILD_OF","traceID":"a1","spanID":"1"}],"tags":[{"key":"span.kind","value":"server"}]},
      {"traceID":"a1","spanID":"4","operationName":"wait","tags":null}],
      "processes":{"p1":{"serviceName":"shop","tags":[]},"p2":{"serviceName":"stock"}}}"#;

    #[test]
    fn traces_come_wrapped_bare_and_as_spans() {
        let given = [
            "2026-11-01T23:00:01.250Z 0.05s GET /items/7?x=1 200 trace:a1 route=/items/:id weight=4",
            "2026-11-01T23:00:01.260Z 0.000009s GET - 0 trace:a1 weight=4",
            "not_a_request",
            "not_a_request",
        ];
        check(read, TRACE, &given);
        check(read, &format!("{{\"data\":[{TRACE}],\"total\":0}}"), &given);
        check(read, &format!("[{TRACE}]"), &given);
        let one = r#"[{"traceID":"b","spanID":"1","operationName":"x","startTime":1793574001250000,
          "process":{"serviceName":"s"},"tags":[{"key":"span.kind","value":"server"}]}]"#;
        check(read, one, &["2026-11-01T23:00:01.250Z - - - 0 trace:b"]);
    }
}
