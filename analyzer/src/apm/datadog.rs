//! Datadog: pages of its spans (version 2 of the interface) and events of real user monitoring.
//!
//! Sources: Datadog's API reference ("Search spans"), "Span attributes", "RUM browser data collected". The spans that
//! are kept are a choice of retention filters: how many requests one stands for is not known.

use super::convention::Field;
use super::json::Row;
use super::span::{Kind, Span};
use crate::format::number::{self, Unit};
use crate::format::time::TimeFormat;
use crate::reject::Reject;

/// Names in front of the fields of a span.
const SPAN_PLACES: [&str; 2] = ["attributes.", ""];
/// Names in front of the tags of a span.
const TAG_PLACES: [&str; 3] = ["attributes.custom.", "custom.", "attributes.attributes."];
/// Names in front of the fields of an event.
const RUM_PLACES: [&str; 3] = ["attributes.attributes.", "attributes.", ""];

pub(super) fn is_span(has: &dyn Fn(&str) -> bool) -> bool {
    SPAN_PLACES.iter().any(|place| {
        ["resource_name", "start_timestamp", "span_id"].iter().all(|name| has(&format!("{place}{name}")))
    })
}

pub(super) fn span(row: &Row<'_>) -> Result<Span, Reject> {
    let get = |name: &str| SPAN_PLACES.iter().find_map(|place| row.get(&format!("{place}{name}")));
    let text = |name: &str| get(name).unwrap_or_default().into();
    let mut span = Span {
        trace: text("trace_id"),
        id: text("span_id"),
        parent: text("parent_id"),
        service: text("service"),
        name: text("resource_name"),
        ..Span::request()
    };
    for (name, value) in row.fields() {
        let tag = TAG_PLACES.iter().find_map(|place| name.strip_prefix(place));
        match tag {
            Some("http.url_details.path") => span.facts.set(Field::Path, Some(value)),
            Some("http.url_details.host") => span.facts.set(Field::Host, Some(value)),
            Some("http.useragent") => span.facts.set(Field::UserAgent, Some(value)),
            Some("usr.id") => span.facts.set(Field::User, Some(value)),
            Some("network.client.ip") => span.facts.set(Field::Client, Some(value)),
            Some("duration") => span.lasted(Some(value), Unit::Nanoseconds),
            Some(name) => span.facts.attribute(name, value),
            None => {}
        }
    }
    span.kind = match (span.facts.get(Field::Kind), get("type")) {
        (Some(kind), _) => Kind::named(kind),
        (None, Some("web")) => Kind::Server,
        (None, Some("http" | "grpc" | "queue")) => Kind::Other,
        (None, _) => Kind::Internal,
    };
    span.started(get("start_timestamp"), &TimeFormat::Any);
    if span.duration_ns.is_none() {
        span.ended(get("end_timestamp"), &TimeFormat::Any);
    }
    Ok(span)
}

pub(super) fn is_rum(has: &dyn Fn(&str) -> bool) -> bool {
    RUM_PLACES.iter().any(|place| {
        let has = |name: &str| has(&format!("{place}{name}"));
        has("session.id")
            && has("application.id")
            && (has("resource.url") || has("view.id") || has("view.url"))
    })
}

/// The request that a resource is which a browser loaded: its own, not those of others, nor of tests.
pub(super) fn resource(row: &Row<'_>) -> Result<Span, Reject> {
    let get = |name: &str| RUM_PLACES.iter().find_map(|place| row.get(&format!("{place}{name}")));
    let kind =
        RUM_PLACES.iter().filter_map(|place| row.get(&format!("{place}type"))).find(|kind| *kind != "rum");
    let synthetic = get("session.type").is_some_and(|kind| kind != "user");
    let of_others = get("resource.provider.type").is_some_and(|kind| kind != "first party");
    let is_resource = kind.map_or_else(|| get("resource.url").is_some(), |kind| kind == "resource");
    if !is_resource || synthetic || of_others {
        return Err(Reject::NotARequest);
    }
    // The page's sample is of sessions, in percent.
    let share =
        get("_dd.configuration.session_sample_rate").and_then(|share| number::decimal(share.as_bytes()));
    let mut span = Span {
        trace: get("view.id").unwrap_or_default().into(),
        service: get("service").unwrap_or_default().into(),
        weight: share.filter(|share| *share > 0.0 && *share <= 100.0).map(|share| 100.0 / share),
        ..Span::request()
    };
    match get("date") {
        Some(date) => span.started(Some(date), &TimeFormat::EpochMilliseconds),
        None => span.started(get("timestamp"), &TimeFormat::Any),
    }
    span.lasted(get("resource.duration"), Unit::Nanoseconds);
    // `/items/?`: a question mark stands for a value.
    let group = get("resource.url_path_group").map(|group| group.replace("/?", "/{id}"));
    for (field, value) in [
        (Field::Method, get("resource.method").or(Some("GET"))),
        (Field::Url, get("resource.url")),
        (Field::Route, group.as_deref()),
        (Field::Status, get("resource.status_code")),
        (Field::BytesOut, get("resource.transfer_size").or_else(|| get("resource.size"))),
        (Field::UserAgent, get("http.useragent")),
        (Field::Client, get("network.client.ip")),
        (Field::User, get("usr.id")),
        (Field::Session, get("session.id")),
    ] {
        span.facts.set(field, value);
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use crate::apm::rows::Product;
    use crate::apm::tests::check_rows;

    #[test]
    fn pages_of_spans_are_read() {
        let page = r#"{"data":[{"id":"x","type":"spans","attributes":{"service":"shop","resource_name":"GET /items/:id",
          "start_timestamp":"2026-11-01T23:00:01.250Z","end_timestamp":"2026-11-01T23:00:01.300Z","trace_id":"a","span_id":"1",
          "parent_id":"0","type":"web","custom":{"http":{"method":"GET","url":"https://shop.example.com/items/7?x=1","status_code":"404",
          "url_details":{"path":"/items/7"},"useragent":"curl/8"},"usr":{"id":"u1"}}}},
          {"attributes":{"resource_name":"SELECT","start_timestamp":"2026-11-01T23:00:01.250Z","trace_id":"a","span_id":"2",
          "parent_id":"1","service":"shop","type":"sql"}},
          {"attributes":{"resource_name":"x","start_timestamp":"2026-11-01T23:00:01.250Z","trace_id":"a","span_id":"3",
          "parent_id":"2","service":"shop","type":"web"}}],"meta":{}}"#;
        let expected = [
            "2026-11-01T23:00:01.250Z 0.05s GET /items/7 404 session:u1 route=/items/:id",
            "not_a_request",
            "not_a_request",
        ];
        check_rows(Product::DatadogSpans, page, &expected);
    }

    #[test]
    fn resources_of_real_users_are_requests() {
        let event = |kind: &str, session: &str, more: &str| {
            format!(
                r#"{{"type":"{kind}","date":1793574001250,"application":{{"id":"s"}},"session":{{"id":"s1","type":"{session}"}},"view":{{"id":"v"}},"_dd":{{"configuration":{{"session_sample_rate":20}}}},"resource":{{"method":"POST","url":"https://shop.example.com/cart/9","url_path_group":"/cart/?","status_code":201,"duration":50000000{more}}}}}"#
            )
        };
        let events = [
            event("resource", "user", ""),
            event("view", "user", ""),
            event("resource", "synthetics", ""),
            event("resource", "user", r#","provider":{"type":"analytics"}"#),
        ];
        let given = "2026-11-01T23:00:01.250Z 0.05s POST /cart/9 201 session:s1 route=/cart/{id} weight=5";
        let expected = [given, "not_a_request", "not_a_request", "not_a_request"];
        check_rows(Product::DatadogRum, &events.join("\n"), &expected);
        let page = format!(
            r#"{{"data":[{{"type":"rum","id":"1","attributes":{{"service":"w","attributes":{}}}}}]}}"#,
            events[0]
        );
        check_rows(Product::DatadogRum, &page, &[given]);
    }
}
