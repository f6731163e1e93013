//! OTLP as JSON: documents, and the lines of the OpenTelemetry collector's file exporter.
//!
//! Source: opentelemetry-proto, `docs/specification.md` and `examples/trace.json`. Numbers of 64 bits are strings, enums
//! are numbers; names of enums, which the standard forbids, are what Grafana Tempo writes. Tempo wraps the spans once
//! more, and before the scopes there were instrumentation libraries.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

use super::convention::{Facts, Field};
use super::json::{self, ITEMS, Outline, Scalar};
use super::span::{Kind, Span, Spans};
use crate::document::Sink;
use crate::format::time::TimeFormat;
use crate::reject::Reject;

/// Where the spans of a resource may stand.
const PATHS: [&[&str]; 5] = [
    &["resourceSpans", ITEMS],
    &["resource_spans", ITEMS],
    &["batches", ITEMS],
    &["trace", "resourceSpans", ITEMS],
    &["result", "resourceSpans", ITEMS],
];

pub(super) fn recognise(outline: &Outline) -> bool {
    path(outline).is_some() || other_signal(outline).is_some()
}

fn path(outline: &Outline) -> Option<&'static [&'static str]> {
    let known = |path: &&&[&str]| {
        let name = path.iter().filter(|key| **key != ITEMS).copied().collect::<Vec<_>>().join(".");
        outline.has(&name) && (name != "batches" || outline.has("batches.resource"))
    };
    PATHS.iter().find(known).copied()
}

fn other_signal(outline: &Outline) -> Option<&'static str> {
    [("resourceMetrics", "metrics"), ("resourceLogs", "logs"), ("resourceProfiles", "profiles")]
        .into_iter()
        .find_map(|(name, signal)| outline.has(name).then_some(signal))
}

pub(super) fn read(text: &str, sink: &mut Sink<'_>) -> Result<(), String> {
    let outline = Outline::of(text.as_bytes());
    let Some(path) = path(&outline) else {
        let found = other_signal(&outline).unwrap_or("something else");
        return Err(format!("{found}, and no traces"));
    };
    let mut spans = Spans::default();
    let end = json::each(text, path, &mut |record| take(record, &mut spans));
    spans.give(sink);
    end
}

/// Takes the spans of one resource.
pub(super) fn take(record: Result<&str, Reject>, spans: &mut Spans) {
    let resource = match record.map(serde_json::from_str::<ResourceSpans<'_>>) {
        Err(reject) => return spans.reject(reject),
        Ok(Err(_)) => return spans.reject(Reject::OtherFormat),
        Ok(Ok(resource)) => resource,
    };
    let mut facts = Facts::default();
    resource
        .resource
        .unwrap_or_default()
        .attributes
        .unwrap_or_default()
        .iter()
        .for_each(|it| it.tell(&mut facts));
    let service = facts.get(Field::Service).unwrap_or_default();
    for raw in resource.scopes.unwrap_or_default().iter().flat_map(|scope| scope.spans.iter().flatten()) {
        match serde_json::from_str::<OtlpSpan<'_>>(raw.get()) {
            Ok(span) => spans.push(span.into_span(service)),
            Err(_) => spans.reject(Reject::OtherFormat),
        }
    }
}

#[derive(Deserialize)]
struct ResourceSpans<'a> {
    #[serde(borrow)]
    resource: Option<Resource<'a>>,
    #[serde(borrow, rename = "scopeSpans", alias = "scope_spans", alias = "instrumentationLibrarySpans")]
    scopes: Option<Vec<ScopeSpans<'a>>>,
}

#[derive(Deserialize, Default)]
struct Resource<'a> {
    #[serde(borrow)]
    attributes: Option<Vec<KeyValue<'a>>>,
}

#[derive(Deserialize)]
struct ScopeSpans<'a> {
    #[serde(borrow)]
    spans: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OtlpSpan<'a> {
    #[serde(borrow, default, alias = "trace_id")]
    trace_id: Scalar<'a>,
    #[serde(borrow, default, alias = "span_id")]
    span_id: Scalar<'a>,
    #[serde(borrow, default, alias = "parent_span_id")]
    parent_span_id: Scalar<'a>,
    #[serde(borrow, default, alias = "trace_state")]
    trace_state: Scalar<'a>,
    #[serde(borrow, default)]
    name: Scalar<'a>,
    #[serde(borrow, default)]
    kind: Scalar<'a>,
    #[serde(borrow, default, alias = "start_time_unix_nano")]
    start_time_unix_nano: Scalar<'a>,
    #[serde(borrow, default, alias = "end_time_unix_nano")]
    end_time_unix_nano: Scalar<'a>,
    #[serde(borrow)]
    attributes: Option<Vec<KeyValue<'a>>>,
}

impl OtlpSpan<'_> {
    fn into_span(self, service: &str) -> Span {
        let text = |scalar: &Scalar<'_>| scalar.text().unwrap_or_default().into();
        let mut span = Span {
            trace: text(&self.trace_id),
            id: text(&self.span_id),
            parent: text(&self.parent_span_id),
            service: service.into(),
            kind: match self.kind.integer() {
                Some(number) => kind(number),
                None => Kind::named(self.kind.text().unwrap_or_default()),
            },
            name: text(&self.name),
            weight: self.trace_state.text().and_then(weight),
            ..Span::request()
        };
        span.started(self.start_time_unix_nano.text(), &TimeFormat::EpochNanoseconds);
        span.ended(self.end_time_unix_nano.text(), &TimeFormat::EpochNanoseconds);
        if span.kind == Kind::Server {
            self.attributes.unwrap_or_default().iter().for_each(|attribute| attribute.tell(&mut span.facts));
        }
        span
    }
}

#[derive(Deserialize)]
struct KeyValue<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    value: Option<AnyValue<'a>>,
}

impl KeyValue<'_> {
    fn tell(&self, facts: &mut Facts) {
        let Some(value) = &self.value else { return };
        let first = value.array.as_ref().and_then(|array| array.values.first()).map(|first| &first.value);
        if let Some(text) = value.value.text().or_else(|| first?.text()) {
            facts.attribute(&self.key, text);
        }
    }
}

#[derive(Deserialize)]
struct AnyValue<'a> {
    #[serde(borrow, default, rename = "stringValue", alias = "string_value")]
    #[serde(alias = "intValue", alias = "int_value", alias = "doubleValue", alias = "double_value")]
    #[serde(alias = "boolValue", alias = "bool_value")]
    value: Scalar<'a>,
    #[serde(borrow, rename = "arrayValue", alias = "array_value")]
    array: Option<ArrayValue<'a>>,
}

#[derive(Deserialize)]
struct ArrayValue<'a> {
    #[serde(borrow, default)]
    values: Vec<AnyValue<'a>>,
}

/// The kind that a number of `SpanKind` is.
pub(super) fn kind(number: i64) -> Kind {
    match number {
        2 => Kind::Server,
        0 | 1 => Kind::Internal,
        _ => Kind::Other,
    }
}

/// The weight that a `tracestate` tells: `ot=th:` holds the threshold below which spans were dropped, of 2^56, in
/// hexadecimal digits without the zeros at their end (OpenTelemetry, "TraceState: Probability Sampling").
///
/// Without it the weight is not known; it is not 1.
pub(super) fn weight(trace_state: &str) -> Option<f64> {
    const ALL: u64 = 1 << 56;
    const DIGITS: usize = 14;
    let entry = trace_state.split(',').find_map(|entry| entry.trim().strip_prefix("ot="))?;
    let digits = entry.split(';').find_map(|part| part.strip_prefix("th:"))?;
    if digits.is_empty() || digits.len() > DIGITS {
        return None;
    }
    let threshold = u64::from_str_radix(&format!("{digits:0<DIGITS$}"), 16).ok()?;
    Some(ALL as f64 / ALL.checked_sub(threshold)? as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apm::tests::{check, refused};

    const SPANS: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
      "scopeSpans":[{"spans":[
       {"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","name":"GET /items/{id}","kind":2,
        "startTimeUnixNano":"1793574001250000000","endTimeUnixNano":1793574001300000000,"traceState":"vendor=1,ot=th:8;rv:1",
        "attributes":[{"key":"http.request.method","value":{"stringValue":"GET"}},
          {"key":"url.path","value":{"stringValue":"/items/7"}},{"key":"client.address","value":{"stringValue":"192.0.2.1"}},
          {"key":"http.response.status_code","value":{"intValue":"404"}}]},
       {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"EEE19B7EC3C1B175","parentSpanId":"eee19b7ec3c1b174",
        "name":"GET","kind":2,"startTimeUnixNano":"1793574001260000000"},
       {"kind":3}, {"kind":[]}, 7]}]}]}"#;

    #[test]
    fn documents_lines_and_older_names_are_read() {
        let expected = "2026-11-01T23:00:01.250Z 0.05s GET /items/7 404 192.0.2.1 route=/items/{id} weight=2";
        let given = [expected, "not_a_request", "not_a_request", "not_a_request", "other_format"];
        check(read, SPANS, &given);
        let line = SPANS.replace('\n', "");
        check(
            read,
            &format!("{line}\n{{\"resourceLogs\":[]}}\n{line}"),
            &[&given[..], &["not_a_request"; 5], &["other_format"]].concat(),
        );
        let older = SPANS
            .replace("scopeSpans", "instrumentationLibrarySpans")
            .replace(":2,", ":\"SPAN_KIND_SERVER\",");
        check(read, &older.replace("resourceSpans", "batches"), &given);
    }

    #[test]
    fn other_signals_are_refused() {
        refused(read, r#"{"resourceMetrics":[]}"#, "metrics, and no traces");
        refused(read, r#"{"resourceLogs":[]}"#, "logs, and no traces");
    }

    #[test]
    fn thresholds_are_weights() {
        for (state, expected) in [
            ("ot=th:0", Some(1.0)),
            ("ot=th:8", Some(2.0)),
            ("ot=rv:1;th:c", Some(4.0)),
            ("a=b, ot=th:e66", Some(9.9902)),
            ("ot=th:", None),
            ("ot=th:xyz", None),
            ("ot=p:3", None),
            ("", None),
        ] {
            let found = weight(state);
            let same = found.zip(expected).is_some_and(|(found, expected)| (found - expected).abs() < 1e-4);
            assert!(same || found == expected, "{state}: {found:?}");
        }
    }
}
