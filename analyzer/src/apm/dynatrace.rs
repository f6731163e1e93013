//! Dynatrace: records of spans that Grail gives for a query.
//!
//! Source: Dynatrace's semantic dictionary ("Spans", "Request"). Stamps are starts; durations are nanoseconds. The
//! threshold says what share of 2^56 was not kept, and one record may stand for several spans that were put together.

use super::convention::Field;
use super::json::Row;
use super::span::{Kind, Span};
use crate::format::number::{self, Unit};
use crate::format::time::TimeFormat;
use crate::reject::Reject;

const IS_ROOT: &str = "request.is_root_span";

pub(super) fn is_span(has: &dyn Fn(&str) -> bool) -> bool {
    has("start_time") && has("span.id") && (has("trace.id") || has("duration"))
        || has("start_time") && has(IS_ROOT)
}

pub(super) fn span(row: &Row<'_>) -> Result<Span, Reject> {
    let text = |names: &[&str]| row.first(names).unwrap_or_default().into();
    let mut span = Span {
        trace: text(&["trace.id"]),
        id: text(&["span.id"]),
        parent: text(&["span.parent_id"]),
        service: text(&["dt.service.name", "service.name", "dt.entity.service"]),
        name: text(&["endpoint.name", "span.name"]),
        weight: weight(row),
        ..Span::request()
    };
    row.fields().for_each(|(name, value)| span.facts.attribute(name, value));
    span.kind = match (row.get(IS_ROOT), span.facts.get(Field::Kind)) {
        (Some("true"), _) => Kind::Server,
        (Some(_), _) => Kind::Internal,
        (None, Some(kind)) => Kind::named(kind),
        (None, None) => Kind::Internal,
    };
    span.started(row.get("start_time"), &TimeFormat::Any);
    span.lasted(row.get("duration"), Unit::Nanoseconds);
    Ok(span)
}

fn weight(row: &Row<'_>) -> Option<f64> {
    const ALL: f64 = (1_u64 << 56) as f64;
    let number = |name: &str| row.get(name).and_then(|text| number::decimal(text.as_bytes()));
    let dropped = number("sampling.threshold").filter(|dropped| (0.0..ALL).contains(dropped))?;
    Some(ALL / (ALL - dropped) * number("aggregation.count").unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use crate::apm::rows::Product;
    use crate::apm::tests::check_rows;

    #[test]
    fn records_are_read() {
        let records = r#"[{"start_time":"2026-11-01T23:00:01.250000000Z","duration":"50000000","trace.id":"a","span.id":"1",
           "request.is_root_span":true,"endpoint.name":"GET /items/{id}","http.request.method":"GET","url.path":"/items/7",
           "http.response.status_code":404,"client.ip":"192.0.2.1","sampling.threshold":36028797018963968},
          {"start_time":"2026-11-01T23:00:01.250000000Z","trace.id":"a","span.id":"2","span.kind":"client"}]"#;
        let expected = [
            "2026-11-01T23:00:01.250Z 0.05s GET /items/7 404 192.0.2.1 route=/items/{id} weight=2",
            "not_a_request",
        ];
        check_rows(Product::Dynatrace, records, &expected);
        check_rows(
            Product::Dynatrace,
            &format!("{{\"state\":\"SUCCEEDED\",\"result\":{{\"records\":{records}}}}}"),
            &expected,
        );
    }
}
