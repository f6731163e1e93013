//! Plan and result as text, for 80 columns without colour.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::units::format_duration;

use super::results::{EndpointReport, Quantiles, RunReport};
use crate::plan::Outline;

/// Endpoint names are cut to this many characters, so that the table fits.
const NAME_WIDTH: usize = 22;

/// The plan, one figure per line.
pub fn outline(outline: &Outline) -> String {
    let seconds = |s: f64| format_duration(Duration::from_secs_f64(s.max(0.0)));
    let ramp_up = match outline.ramp_up_s {
        ramp_up_s if ramp_up_s > 0.0 => format!(", of which ramp-up {}", seconds(ramp_up_s)),
        _ => String::new(),
    };
    let mut lines = vec![
        format!(
            "curve      {} to {}, speedup {}, scale {}",
            outline.from, outline.to, outline.speedup, outline.scale
        ),
        format!("duration   {}{ramp_up}", seconds(outline.duration_s)),
        format!(
            "sessions   {} expected, at most {}/s, about {} open at once",
            amount(outline.sessions),
            amount(outline.peak_sessions_per_s),
            amount(outline.peak_open_sessions)
        ),
        format!(
            "requests   {} expected, at most {}/s, about {} in flight",
            amount(outline.requests),
            amount(outline.peak_requests_per_s),
            amount(outline.peak_in_flight)
        ),
        format!("seed       {}", outline.seed),
    ];
    let skipped = outline.skipped.iter().fold(BTreeMap::<&str, usize>::new(), |mut counts, skipped| {
        *counts.entry(&skipped.method).or_default() += 1;
        counts
    });
    for (method, endpoints) in skipped {
        let are = if endpoints == 1 { "endpoint is" } else { "endpoints are" };
        lines.push(format!(
            "skipped    {endpoints} {method} {are} passed without a request (--allow-method {method})"
        ));
    }
    lines.join("\n") + "\n"
}

/// The result: what was sent, how late, and how long it took.
pub fn text(report: &RunReport) -> String {
    let mut lines = Vec::new();
    heading(report, &mut lines);
    lines.push(String::new());
    counts(report, &mut lines);
    lines.push(String::new());
    times(report, &mut lines);
    lines.push(String::new());
    lines.extend(endpoints(&report.endpoints));
    let baselines: Vec<String> = report.endpoints.iter().filter_map(baseline).collect();
    if !baselines.is_empty() {
        lines.push(String::new());
        lines.push("Median service time against production:".to_owned());
        lines.extend(baselines);
    }
    lines.push(String::new());
    lines.push(EXPLANATION.to_owned());
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// What the three times are.
const EXPLANATION: &str = "\
Response time counts from the moment a request was due, service time from the
moment it was sent: when the target stalls, requests that were due meanwhile
show it in the response time. Send delay is how late the generator itself was.";

fn heading(report: &RunReport, lines: &mut Vec<String>) {
    let took = format_duration(Duration::from_secs_f64(report.elapsed_s.max(0.0)));
    lines.push(format!("{} for {took}", report.target));
    if report.interrupted {
        lines.push("INTERRUPTED: the figures cover the part that was sent".to_owned());
    }
    lines.push(match &report.verdict.reason {
        None => "valid: the generator kept its plan".to_owned(),
        Some(reason) => format!("NOT VALID: {reason}"),
    });
    if !report.plan.not_replayed.is_empty() {
        lines.push(format!("not replayed by this version: {}", report.plan.not_replayed.join(", ")));
    }
}

fn counts(report: &RunReport, lines: &mut Vec<String>) {
    let requests = &report.requests;
    lines
        .push(format!("sessions   {} planned, {} dropped", report.sessions.planned, report.sessions.dropped));
    lines.push(format!(
        "requests   {} planned, {} sent, {} completed",
        requests.planned, requests.sent, requests.completed
    ));
    let lost = [
        (requests.failed, "failed"),
        (requests.timed_out, "timed out"),
        (requests.unfinished, "unfinished"),
        (requests.dropped, "dropped"),
        (requests.cut, "cut at the end"),
    ];
    let lost: Vec<String> =
        lost.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if !lost.is_empty() {
        lines.push(format!("           {}", lost.join(", ")));
    }
    if requests.skipped > 0 {
        lines.push(format!("           {} passed without a request", requests.skipped));
    }
    let named = |counts: &BTreeMap<String, u64>| {
        counts.iter().map(|(name, n)| format!("{name}: {n}")).collect::<Vec<_>>().join(", ")
    };
    if !report.statuses.is_empty() {
        lines.push(format!("statuses   {}", named(&report.statuses)));
    }
    if !report.failures.is_empty() {
        lines.push(format!("failures   {}", named(&report.failures)));
    }
    lines.push(format!("plan       {}, seed {}", report.digest, report.plan.seed));
}

fn times(report: &RunReport, lines: &mut Vec<String>) {
    lines.push(format!(
        "{:<16}{:>9}{:>9}{:>9}{:>9}{:>9}{:>10}",
        "milliseconds", "p50", "p90", "p99", "p99.9", "max", "n"
    ));
    let rows = [
        ("send delay", &report.send_delay_s),
        ("response time", &report.response_time_s),
        ("service time", &report.service_time_s),
        ("connecting", &report.connect_time_s),
    ];
    for (name, times) in rows {
        let Quantiles { n, p50_s, p90_s, p99_s, p999_s, max_s, .. } = times;
        let [p50, p90, p99, p999, max] = [p50_s, p90_s, p99_s, p999_s, max_s].map(|time_s| ms(*time_s));
        lines.push(format!("{name:<16}{p50:>9}{p90:>9}{p99:>9}{p999:>9}{max:>9}{n:>10}"));
    }
}

fn endpoints(reports: &[EndpointReport]) -> Vec<String> {
    let title = ["response time, ms", "service time, ms"];
    let mut lines = vec![
        format!("{:NAME_WIDTH$}{:>8}{:>21}{:>21}{:>8}", "", "", title[0], title[1], ""),
        format!(
            "{:NAME_WIDTH$}{:>8}{:>7}{:>7}{:>7}{:>7}{:>7}{:>7}{:>8}",
            "endpoint", "sent", "p50", "p95", "p99", "p50", "p95", "p99", "errors"
        ),
    ];
    lines.extend(reports.iter().map(|report| {
        let times =
            |q: &Quantiles| [q.p50_s, q.p95_s, q.p99_s].map(|time_s| format!("{:>7}", ms(time_s))).concat();
        format!(
            "{:NAME_WIDTH$}{:>8}{}{}{:>8}",
            shortened(&report.id),
            report.sent,
            times(&report.response_time_s),
            times(&report.service_time_s),
            errors(report)
        )
    }));
    lines
}

/// Requests without an answer, and answers that say the server failed.
fn errors(report: &EndpointReport) -> u64 {
    let server_errors = report.statuses.iter().filter(|(status, _)| status.starts_with('5'));
    report.failed + report.timed_out + server_errors.map(|(_, n)| n).sum::<u64>()
}

fn baseline(report: &EndpointReport) -> Option<String> {
    let baseline = report.baseline.filter(|baseline| baseline.p50_s > 0.0)?;
    let times = report.service_time_s;
    (times.n > 0).then(|| {
        format!(
            "  {:NAME_WIDTH$}{:>8} ms here, {:>8} ms in production, x{:.2}",
            shortened(&report.id),
            ms(times.p50_s),
            ms(baseline.p50_s),
            times.p50_s / baseline.p50_s
        )
    })
}

fn shortened(name: &str) -> String {
    if name.chars().count() < NAME_WIDTH {
        return name.to_owned();
    }
    name.chars().take(NAME_WIDTH - 2).chain(['…']).collect()
}

/// Seconds as milliseconds with three digits that mean something.
fn ms(seconds: f64) -> String {
    let ms = seconds * 1e3;
    match ms {
        _ if ms < 10.0 => format!("{ms:.2}"),
        _ if ms < 100.0 => format!("{ms:.1}"),
        _ => format!("{ms:.0}"),
    }
}

/// A count or rate, with decimals only where it is small.
fn amount(x: f64) -> String {
    if x >= 100.0 { format!("{x:.0}") } else { format!("{}", shared::units::round_significant(x, 2)) }
}
