//! The table of endpoints.

use serde::Serialize;
use shared::endpoint::Endpoint;

use super::page::{Page, WIDTH, cut};
use crate::report::{grouped, percent, seconds};

/// One endpoint of the table.
#[derive(Debug, Serialize)]
pub(super) struct EndpointRow {
    id: String,
    method: String,
    route: String,
    /// Share of requests.
    share: f64,
    requests: u64,
    service_time_p50_s: Option<f64>,
    service_time_p95_s: Option<f64>,
    /// Share of answers with a status of 400 or more.
    errors: f64,
}

impl EndpointRow {
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        let time = endpoint.service_time_s.as_ref();
        Self {
            id: endpoint.id.clone(),
            method: endpoint.method.clone(),
            route: endpoint.route.clone(),
            share: endpoint.weight,
            requests: endpoint.requests,
            service_time_p50_s: time.map(|time| time.p50),
            service_time_p95_s: time.and_then(|time| time.p95),
            errors: errors(endpoint),
        }
    }
}

/// Share of answers with a status of 400 or more.
pub(super) fn errors(endpoint: &Endpoint) -> f64 {
    endpoint.status.iter().filter(|(code, _)| code.as_str() >= "400").map(|(_, share)| share).sum()
}

pub(super) fn print(rows: &[EndpointRow], top: usize, page: &mut Page) {
    page.heading("Endpoints");
    let shown = &rows[..top.min(rows.len())];
    let id_width = shown.iter().map(|row| row.id.chars().count()).max().unwrap_or(0).max(2);
    page.line(&format!(
        "{:>7}{:>10}{:>8}{:>8}{:>8}  {:<id_width$} route",
        "share", "requests", "p50", "p95", "errors", "id"
    ));
    for row in shown {
        let time = |time_s: Option<f64>| time_s.map_or_else(|| "-".to_owned(), seconds);
        let front = format!(
            "{:>7}{:>10}{:>8}{:>8}{:>8}  {:<id_width$} ",
            percent(row.share),
            grouped(row.requests),
            time(row.service_time_p50_s),
            time(row.service_time_p95_s),
            percent(row.errors),
            row.id
        );
        let left = WIDTH.saturating_sub(front.chars().count());
        // An id is what one asks with, so it stays whole; a route of which little is left tells nothing.
        let route =
            if left < 6 { String::new() } else { cut(&format!("{} {}", row.method, row.route), left) };
        page.line(&(front + &route));
    }
    if rows.len() > shown.len() {
        page.line(&format!("{:>41}  … and {} more", "", rows.len() - shown.len()));
    }
}
