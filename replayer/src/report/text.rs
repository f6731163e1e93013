//! Plan and result as text, for 80 columns without colour.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::units::format_duration;

use super::results::{Baseline, EndpointReport, Quantiles, Requests, RunReport};
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
    let canary = match outline.canary_s {
        canary_s if canary_s > 0.0 => format!(", the first {} at 1 % of the load", seconds(canary_s)),
        _ => String::new(),
    };
    let mut lines = vec![
        format!(
            "curve      {} to {}, speedup {}, scale {}",
            outline.from, outline.to, outline.speedup, outline.scale
        ),
        format!("duration   {}{ramp_up}{canary}", seconds(outline.duration_s)),
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
    lines.extend(baselines(&report.endpoints));
    lines.push(String::new());
    lines.push(EXPLANATION.to_owned());
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Answers below which the ratio of two medians is chance rather than a finding.
const FEWEST_ANSWERS: u64 = 20;

/// What the three times are.
const EXPLANATION: &str = "\
Response time counts from the moment a request was due, service time from the
moment it was sent: when the target stalls, requests that were due meanwhile
show it in the response time. Send delay is how late the generator itself was.";

fn heading(report: &RunReport, lines: &mut Vec<String>) {
    let took = format_duration(Duration::from_secs_f64(report.elapsed_s.max(0.0)));
    lines.push(format!("{} for {took}", report.target));
    if let Some(stopped) = &report.stopped {
        lines.push(format!("STOPPED after {:.1} s by {}: {}", stopped.at_s, stopped.rule, stopped.found));
    } else if report.interrupted {
        lines.push("INTERRUPTED: the figures cover the part that was sent".to_owned());
    }
    if report.logins_failed > 0 {
        lines.push(format!("{} sessions ended because their login failed", report.logins_failed));
    }
    let Requests { sent, completed, .. } = report.requests;
    if sent > 0 && completed == 0 {
        let requests = if sent == 1 { "the one request" } else { &format!("all {sent} requests") };
        lines.push(format!("NOTHING WAS ANSWERED: {requests} sent got no answer"));
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

/// The comparison with production, where the profile has one; endpoints with too few answers are only counted.
fn baselines(reports: &[EndpointReport]) -> Vec<String> {
    let known = reports.iter().filter_map(|report| {
        let baseline = report.baseline.filter(|baseline| baseline.p50_s > 0.0)?;
        Some((report, baseline))
    });
    let (enough, few): (Vec<_>, Vec<_>) =
        known.partition(|(report, _)| report.statuses.values().sum::<u64>() >= FEWEST_ANSWERS);
    let mut lines = Vec::new();
    if !enough.is_empty() || !few.is_empty() {
        lines.extend([String::new(), "Median service time against production:".to_owned()]);
    }
    lines.extend(enough.into_iter().map(|(report, baseline)| against(report, baseline)));
    if !few.is_empty() {
        let are = if few.len() == 1 { "endpoint is" } else { "endpoints are" };
        lines.push(format!("  {} {are} left out: fewer than {FEWEST_ANSWERS} answers here", few.len()));
    }
    lines
}

fn against(report: &EndpointReport, baseline: Baseline) -> String {
    let here_s = report.service_time_s.p50_s;
    format!(
        "  {:NAME_WIDTH$}{:>8} ms here, {:>8} ms in production, x{:.2}",
        shortened(&report.id),
        ms(here_s),
        ms(baseline.p50_s),
        here_s / baseline.p50_s
    )
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Schedule;
    use crate::plan::Plan;
    use crate::record::{Failure, Outcome, Recorder, Sample};
    use crate::report::results::Circumstances;
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;

    const ANSWERED: Outcome = Outcome::Completed { status: 200, body_bytes: 1 };
    const BROKEN: Outcome = Outcome::Failed(Failure::Broken);

    /// The text of a run of the example in which these requests were sent, as endpoint, number and outcome.
    fn text_of(sent: &[(usize, u64, Outcome)]) -> String {
        let mut profile = from_yaml(EXAMPLE).unwrap();
        profile.endpoints[1].service_time_s = profile.endpoints[0].service_time_s.clone();
        let plan = Plan::new(&profile, &Schedule::default(), &[]).unwrap();
        let mut recorder = Recorder::new(2, std::sync::Arc::default());
        for (endpoint, count, outcome) in sent {
            for _ in 0..*count {
                recorder.sent(*endpoint);
                recorder.ended(&Sample {
                    endpoint: *endpoint,
                    scheduled_at: 1_000,
                    chain_due_at: 1_000,
                    released_at: 1_000,
                    sent_at: Some(1_000),
                    connecting: None,
                    first_byte_at: Some(5_001_000),
                    completed_at: 10_001_000,
                    outcome: *outcome,
                });
            }
        }
        let mut counted = recorder.snapshot();
        counted.requests.planned = counted.requests.sent;
        let circumstances = Circumstances {
            target: "http://127.0.0.1:9".to_owned(),
            address: ([127, 0, 0, 1], 9).into(),
            began_at_s: 0.0,
            elapsed_s: 1.0,
            interrupted: false,
            stopped: None,
            run: String::new(),
            logins_failed: 0,
            max_in_flight: 1,
        };
        text(&RunReport::new(circumstances, &plan, &profile, &counted))
    }

    #[track_caller]
    fn check(sent: &[(usize, u64, Outcome)], expected: &[&str], unexpected: &[&str]) {
        let text = text_of(sent);
        assert!(expected.iter().all(|words| text.contains(words)), "{text}");
        assert!(!unexpected.iter().any(|words| text.contains(words)), "{text}");
    }

    #[test]
    fn few_answers_are_not_compared_with_production() {
        let (title, home, item) = (
            "against production",
            "get_home                  10.0 ms here",
            "get_item                  10.0 ms here",
        );
        check(&[(0, 20, ANSWERED), (1, 20, ANSWERED)], &[title, home, item], &["left out"]);
        let one = "  1 endpoint is left out: fewer than 20 answers here\n";
        check(&[(0, 20, ANSWERED), (1, 19, ANSWERED)], &[title, home, one], &[item]);
        // Requests that failed are no answers.
        check(&[(0, 20, ANSWERED), (1, 19, ANSWERED), (1, 30, BROKEN)], &[title, home, one], &[item]);
        let both = "  2 endpoints are left out: fewer than 20 answers here\n";
        check(&[(0, 1, ANSWERED), (1, 1, ANSWERED)], &[title, both], &[home, item]);
        check(&[], &[], &[title, "left out"]);
    }

    #[test]
    fn a_run_without_an_answer_says_so_at_the_top() {
        let title = "http://127.0.0.1:9 for 1s\n";
        let all = format!("{title}NOTHING WAS ANSWERED: all 30 requests sent got no answer\nvalid: ");
        check(&[(0, 10, BROKEN), (1, 20, Outcome::TimedOut)], &[&all], &[" ms here"]);
        let one = format!("{title}NOTHING WAS ANSWERED: the one request sent got no answer\nvalid: ");
        check(&[(0, 1, BROKEN)], &[&one], &[]);
        for sent in [&[(0, 30, BROKEN), (1, 1, ANSWERED)][..], &[]] {
            check(sent, &[&format!("{title}valid: ")], &["NOTHING"]);
        }
    }
}
