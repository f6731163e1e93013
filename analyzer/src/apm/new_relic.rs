//! New Relic: rows of `Transaction` that NRQL gives, as JSON or CSV.
//!
//! Source: New Relic's data dictionary. Stamps are milliseconds since 1970 and starts; durations are seconds, without the
//! time in the queue before the server. Events are sampled, and a query gives no more than its limit of rows: how many
//! requests a row stands for is not known.

use super::convention::Field;
use super::json::{ITEMS, Row};
use super::span::Span;
use crate::format::number::Unit;
use crate::format::time::TimeFormat;
use crate::reject::Reject;
use crate::request::KNOWN_METHODS;

pub(super) const PATHS: [&[&str]; 4] = [
    &["results", ITEMS, "events", ITEMS],
    &["results", ITEMS],
    &["data", "actor", "account", "nrql", "results", ITEMS],
    &["data", "actor", "nrql", "results", ITEMS],
];

const STATUS: [&str; 4] = ["http.statusCode", "httpResponseCode", "response.status", "response.statusCode"];

pub(super) fn is_transaction(has: &dyn Fn(&str) -> bool) -> bool {
    let answered = STATUS.into_iter().any(has);
    has("timestamp")
        && has("duration")
        && (has("request.uri") || has("transactionType") || has("name") && answered)
}

pub(super) fn transaction(row: &Row<'_>) -> Result<Span, Reject> {
    if row.get("transactionType").is_some_and(|kind| kind != "Web") {
        return Err(Reject::NotARequest);
    }
    let text = |names: &[&str]| row.first(names).unwrap_or_default().into();
    let (method, route) = row.get("name").map_or((None, None), named);
    let mut span = Span {
        trace: text(&["traceId", "trace.id", "tripId", "guid"]),
        service: text(&["appName", "entity.name"]),
        name: route.unwrap_or_default().into(),
        ..Span::request()
    };
    span.started(row.get("timestamp"), &TimeFormat::Any);
    span.lasted(row.get("duration"), Unit::Seconds);
    for (field, value) in [
        (Field::Method, row.first(&["request.method", "http.method"]).or(method)),
        (Field::Path, row.get("request.uri")),
        (Field::Url, row.get("http.url")),
        (Field::Host, row.first(&["request.headers.host", "request.headers.Host"])),
        (Field::Status, row.first(&STATUS)),
        (Field::UserAgent, row.first(&["request.headers.userAgent", "request.headers.user-agent"])),
        (Field::User, row.first(&["enduser.id", "userId", "user.id"])),
        (Field::Session, row.first(&["session.id", "session", "sessionId"])),
        (Field::BytesOut, row.first(&["response.headers.contentLength", "response.headers.content-length"])),
    ] {
        span.facts.set(field, value);
    }
    Ok(span)
}

/// Method and route in the name of a transaction: `WebTransaction/Expressjs/GET//users/:id`, or
/// `WebTransaction/SpringController/users/{id} (GET)`; other names are of code.
fn named(name: &str) -> (Option<&str>, Option<String>) {
    let rest =
        name.strip_prefix("WebTransaction/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest);
    let Some(rest) = rest else { return (None, None) };
    let known = |method: &str| KNOWN_METHODS.contains(&method.as_bytes());
    let before = rest.split_once(['/', ' ']).filter(|(method, _)| known(method));
    let after =
        rest.strip_suffix(')').and_then(|rest| rest.rsplit_once(" (")).filter(|(_, method)| known(method));
    match before.or(after.map(|(path, method)| (method, path))) {
        Some((method, path)) => (Some(method), Some(format!("/{}", path.trim_start_matches('/')))),
        None => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use crate::apm::rows::Product;
    use crate::apm::tests::check_rows;

    #[test]
    fn rows_come_from_all_interfaces() {
        let row = r#"{"timestamp":1793574001250,"duration":0.0505,"transactionType":"Web","name":"WebTransaction/Expressjs/GET//items/:id","request.uri":"/items/7","http.statusCode":404,"traceId":"a","appName":"shop"}"#;
        let java = r#"{"timestamp":1793574001250,"duration":1,"name":"WebTransaction/SpringController/items/{id} (PUT)","httpResponseCode":"200","guid":"b"}"#;
        let other = r#"{"timestamp":1793574001250,"duration":1,"transactionType":"Other","name":"OtherTransaction/x"}"#;
        let expected = [
            "2026-11-01T23:00:01.250Z 0.0505s GET /items/7 404 trace:a route=/items/:id",
            "2026-11-01T23:00:01.250Z 1s PUT /items/{id} 200 trace:b route=/items/{id}",
            "not_a_request",
        ];
        let rows = format!("[{row},\n{java},{other}]");
        check_rows(Product::NewRelic, &rows, &expected);
        check_rows(
            Product::NewRelic,
            &format!("{{\"results\":[{{\"events\":{rows}}}],\"metadata\":{{}}}}"),
            &expected,
        );
        let graph = format!("{{\"data\":{{\"actor\":{{\"account\":{{\"nrql\":{{\"results\":{rows}}}}}}}}}}}");
        check_rows(Product::NewRelic, &graph, &expected);
    }
}
