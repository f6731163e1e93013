//! Application Insights: the table `requests`, called `AppRequests` in a workspace.
//!
//! Source: Microsoft Learn, "AppRequests" and the data model of request telemetry. Stamps are starts; durations are
//! milliseconds; a row stands for `itemCount` requests. Addresses are masked as 0.0.0.0 unless asked for.

use super::convention::Field;
use super::json::Row;
use super::span::Span;
use crate::format::number::{self, Unit};
use crate::format::time::TimeFormat;
use crate::reject::Reject;

pub(super) fn is_request(has: &dyn Fn(&str) -> bool) -> bool {
    let classic = ["resultCode", "duration", "operation_Id"].into_iter().all(has);
    let workspace = ["ResultCode", "DurationMs", "OperationId"].into_iter().all(has);
    // The smallest tables that people export: what was asked for, what came back, and when.
    let smallest =
        ["timestamp", "name", "resultCode"].into_iter().all(has) && ["url", "itemCount"].into_iter().any(has);
    classic || workspace || smallest
}

pub(super) fn request(row: &Row<'_>) -> Result<Span, Reject> {
    let of_requests =
        |kind: &str| kind.eq_ignore_ascii_case("request") || kind.eq_ignore_ascii_case("AppRequests");
    if row.first(&["itemType", "Type", "category", "Category"]).is_some_and(|kind| !of_requests(kind)) {
        return Err(Reject::NotARequest);
    }
    let text = |names: &[&str]| row.first(names).unwrap_or_default().into();
    let mut span = Span {
        trace: text(&["operation_Id", "OperationId"]),
        service: text(&["cloud_RoleName", "AppRoleName"]),
        name: text(&["name", "Name"]),
        weight: row.first(&["itemCount", "ItemCount"]).and_then(|count| number::decimal(count.as_bytes())),
        ..Span::request()
    };
    span.started(
        row.first(&["timestamp", "TimeGenerated", "time", "timestamp [UTC]", "TimeGenerated [UTC]"]),
        &TimeFormat::Any,
    );
    span.lasted(row.first(&["duration", "DurationMs"]), Unit::Milliseconds);
    let client = row.first(&["client_IP", "ClientIP"]).filter(|client| *client != "0.0.0.0");
    for (field, value) in [
        (Field::Url, row.first(&["url", "Url"])),
        (Field::Status, row.first(&["resultCode", "ResultCode"])),
        (Field::Client, client),
        (Field::User, row.first(&["user_AuthenticatedId", "UserAuthenticatedId", "user_Id", "UserId"])),
        (Field::Session, row.first(&["session_Id", "SessionId"])),
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
    fn rows_come_as_tables_objects_and_records() {
        let given =
            "2026-11-01T23:00:01.250Z 0.0505s GET /items/7?x=1 404 session:s1 route=/items/{id} weight=5";
        let tables = r#"{"tables":[{"name":"PrimaryResult","columns":[{"name":"timestamp","type":"datetime"},{"name":"id"},
          {"name":"name"},{"name":"url"},{"name":"resultCode"},{"name":"duration"},{"name":"operation_Id"},{"name":"session_Id"},
          {"name":"client_IP"},{"name":"itemCount"}],"rows":[["2026-11-01T23:00:01.25Z","1","GET /items/{id}",
          "https://shop.example.com/items/7?x=1","404",50.5,"a","s1","0.0.0.0",5],["soon"],{}]}]}"#;
        check_rows(Product::AppInsights, tables, &[given, "bad_time", "other_format"]);
        let row = r#"{"timestamp":"2026-11-01T23:00:01.25Z","name":"GET /items/{id}","url":"https://shop.example.com/items/7?x=1","resultCode":404,"duration":50.5,"operation_Id":"a","session_Id":"s1","itemCount":5}"#;
        check_rows(Product::AppInsights, &format!("[{row},\n{row}]"), &[given, given]);
        let record = r#"{"records":[{"time":"2026-11-01T23:00:01.25Z","Type":"AppRequests","Name":"GET Items/Show","Url":"https://shop.example.com/items/7","ResultCode":"200","DurationMs":50.5,"OperationId":"a","ItemCount":1},
          {"time":"2026-11-01T23:00:01.25Z","Type":"AppDependencies"}]}"#;
        let masked = "2026-11-01T23:00:01.250Z 0.0505s GET /items/7 200 trace:a weight=1";
        check_rows(Product::AppInsights, record, &[masked, "not_a_request"]);
    }
}
