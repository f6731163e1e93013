//! Plan and result as text, for 80 columns without colour.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::units::format_duration;

use super::results::{
    AfterWarmUp, Baseline, EndpointReport, IntervalLog, Pacing, Quantiles, Ratio, Requests, RunReport,
    Sessions,
};
use super::thresholds::Threshold;
use crate::pace::Pace;
use crate::plan::Outline;
use crate::verdict::{Dispersion, Lateness, Machine, Pauses, SelfCheck, Starts, Window};

/// Endpoint names are cut to this many characters, so that the table fits.
const NAME_WIDTH: usize = 22;

/// The plan, one figure per line.
pub fn outline(outline: &Outline) -> String {
    let seconds = |s: f64| format_duration(Duration::from_secs_f64(s.max(0.0)));
    let ramps = [(outline.ramp_up_s, "ramp-up"), (outline.ramp_down_s, "ramp-down")];
    let ramps = ramps.iter().filter(|(ramp_s, _)| *ramp_s > 0.0);
    let ramps: String =
        ramps.map(|(ramp_s, name)| format!(", of which {name} {}", seconds(*ramp_s))).collect();
    let mut lines: Vec<String> = outline.scenario.iter().map(|name| format!("scenario   {name}")).collect();
    let followed = match (&outline.from, &outline.to, outline.level_per_s) {
        _ if outline.trace.is_some() => "trace      every request at its own moment".to_owned(),
        (Some(from), Some(to), _) => {
            format!("curve      {from} to {to}, speedup {}, scale {}", outline.speedup, outline.scale)
        }
        (_, _, level) => {
            let level = amount(level.unwrap_or(0.0));
            format!("level      {level} sessions/s, scale {}", outline.scale)
        }
    };
    let canary = match outline.canary_s {
        canary_s if canary_s > 0.0 => format!(", the first {} at 1 % of the load", seconds(canary_s)),
        _ => String::new(),
    };
    lines.extend([
        followed,
        format!("duration   {}{ramps}{canary}", seconds(outline.duration_s)),
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
    ]);
    if let Some(trace) = outline.trace {
        let stamps = if trace.unrounded { "whole seconds, un-rounded" } else { "as they stand" };
        lines.push(format!("stamps     {stamps}"));
        let missing = trace.without_route + trace.without_stamp;
        if missing > 0 {
            lines.push(format!(
                "passed     {missing} of {} requests in the log have no route or no stamp",
                trace.requests
            ));
        }
    }
    if outline.under_way > 0 {
        lines.push(format!("warm       {} sessions are under way at the start", outline.under_way));
    }
    if outline.companions + outline.background > 0.0 {
        lines.push(format!(
            "besides    {} fetched by pages, {} called by the clock",
            amount(outline.companions),
            amount(outline.background)
        ));
    }
    if outline.shards > 1 {
        lines.push(format!(
            "shard      {} of {}; the figures are those of all",
            outline.shard, outline.shards
        ));
    }
    lines.extend(outline.stop.iter().map(|stop| format!("stop       {stop}")));
    lines.extend(outline.flattening.map(|flattening| {
        format!(
            "flattening requests keep {:.3} of the day's swing, {} late",
            flattening.amplitude_kept,
            seconds(flattening.lag_s)
        )
    }));
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

/// The result: whether it counts, what was sent against the plan, and how long it took.
pub fn text(report: &RunReport) -> String {
    let mut lines = Vec::new();
    heading(report, &mut lines);
    lines.push(String::new());
    sent(report, &mut lines);
    self_check(&report.self_check, &report.send_delay_s, &mut lines);
    lines.push(String::new());
    times(report, &mut lines);
    lines.push(String::new());
    lines.extend(endpoints(&report.endpoints));
    lines.extend(intervals(&report.endpoints));
    lines.extend(baselines(&report.endpoints));
    failures(report, &mut lines);
    lines.push(String::new());
    lines.push(EXPLANATION.to_owned());
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Answers below which the ratio of two medians is chance rather than a finding.
const FEWEST_ANSWERS: u64 = 20;

/// What the times are.
const EXPLANATION: &str = "\
Response time counts from the moment a request was due, service time from the
moment it was sent: when the target stalls, requests that were due meanwhile
show it in the response time. Chain time counts from when a request would have
been due after production's answers. Requests without an answer count as longer
than what was waited, failed and dropped ones as longer than any may take; `>`
stands before what a time is at least. Send delay is how late the generator was.";

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
    if report.insecure {
        lines.push("INSECURE: any certificate was trusted".to_owned());
    }
    let mut reasons = report.verdict.findings.iter().map(|finding| finding.reason.as_str());
    let worst = reasons.next().unwrap_or("the load was the one that was planned");
    lines.extend(wrapped(report.verdict.level.name().to_owned() + ": ", worst));
    reasons.for_each(|reason| lines.extend(wrapped("also: ".to_owned(), reason)));
    if let Some(AfterWarmUp { warm_up_s, .. }) =
        report.after_warm_up.filter(|_| !report.thresholds.is_empty())
    {
        let warm_up = format_duration(Duration::from_secs_f64(warm_up_s));
        lines.push(format!("of what was due after the first {warm_up}:"));
    }
    for Threshold { condition, met, found } in &report.thresholds {
        let start = if *met { "met: " } else { "NOT MET: " };
        lines.extend(wrapped(start.to_owned(), &format!("{condition} (found {found})")));
    }
    if let Some(IntervalLog { lost: lost @ 1.., reason: Some(reason), .. }) = &report.interval_log {
        let intervals = if *lost == 1 { "interval" } else { "intervals" };
        lines.extend(wrapped(
            "LOG INCOMPLETE: ".to_owned(),
            &format!("{lost} {intervals} could not be written: {reason}"),
        ));
    }
    if !report.plan.not_replayed.is_empty() {
        lines.push(format!("not replayed by this version: {}", report.plan.not_replayed.join(", ")));
    }
}

/// `start` and the words of `text`, on lines of at most 80 columns of which all but the first are indented.
pub(super) fn wrapped(start: String, text: &str) -> Vec<String> {
    const WIDTH: usize = 80;
    let mut lines = vec![start];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is one from the beginning");
        let space = if last.ends_with(' ') { "" } else { " " };
        if last.chars().count() + space.len() + word.chars().count() > WIDTH {
            lines.push(format!("  {word}"));
        } else {
            last.push_str(space);
            last.push_str(word);
        }
    }
    lines
}

fn sent(report: &RunReport, lines: &mut Vec<String>) {
    let requests = &report.requests;
    let Sessions { planned, dropped, lost } = report.sessions;
    let lost = if lost > 0 { format!(", {lost} lost by joining late") } else { String::new() };
    lines.push(format!("sessions   {planned} planned, {dropped} dropped{lost}"));
    lines.push(format!(
        "requests   {} planned, {} sent, {} completed",
        requests.planned, requests.sent, requests.completed
    ));
    let lost = [
        (requests.failed, "failed"),
        (requests.timed_out, "timed out"),
        (requests.unfinished, "unfinished"),
        (requests.dropped, "dropped"),
        (requests.lost, "lost by joining late"),
        (requests.cut, "cut at the end"),
    ];
    let lost: Vec<String> =
        lost.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if !lost.is_empty() {
        lines.push(format!("           {}", lost.join(", ")));
    }
    if report.redirects > 0 {
        lines.push(format!("           {} more followed from redirects", report.redirects));
    }
    if requests.skipped > 0 {
        lines.push(format!("           {} passed without a request", requests.skipped));
    }
    lines.push(format!("plan       {}, seed {}", report.digest, report.plan.seed));
    lines.push(pacing(report));
}

/// How moments were kept.
fn pacing(report: &RunReport) -> String {
    let Pacing { mode, slack_s, held_back, .. } = report.pacing;
    let mode = match mode {
        Pace::Spin if slack_s <= 0.0 => "spin, given up at last: others wanted the core".to_owned(),
        Pace::Spin => format!("spin, the last {:.0} us before each moment", slack_s * 1e6),
        Pace::Eco => "eco, asleep until each moment".to_owned(),
    };
    match held_back {
        0 => format!("pace       {mode}"),
        held_back => format!(
            "pace       {mode}\n           {held_back} held back after a hitch, so that there was no burst"
        ),
    }
}

/// The plan against what was sent, one check per line.
fn self_check(check: &SelfCheck, send_delay: &Quantiles, lines: &mut Vec<String>) {
    let percent = |share: f64| format!("{} %", shared::units::round_significant(100.0 * share, 2));
    let Lateness { share_1ms, share_10ms, share_100ms, .. } = check.lateness;
    let [one, ten, hundred] = [share_1ms, share_10ms, share_100ms].map(percent);
    lines.push(format!(
        "lateness   p99 {} ms; {one} beyond 1 ms, {ten} beyond 10, {hundred} beyond 100",
        ms(send_delay.p99_s)
    ));
    if let Some(Window { from_s, due, sent, error, .. }) = check.rate.worst {
        lines.push(format!(
            "rate       worst minute from {from_s} s: {sent} sent, {due} due, {} off",
            percent(error)
        ));
    }
    if let Some(Starts { tested, a2, ks_d, .. }) = check.starts {
        lines.push(format!("starts     A² {a2:.2} (below 3.92 is as planned), KS {ks_d:.3}, of {tested}"));
    }
    if !check.dispersion.is_empty() {
        let index = |at: &Dispersion| {
            format!(
                "{:.2}/{:.2} at {}",
                at.sent,
                at.planned,
                format_duration(Duration::from_secs_f64(at.window_s))
            )
        };
        let indices: Vec<String> = check.dispersion.iter().map(index).collect();
        lines.push(format!("bursts     sent/planned {}", indices.join(", ")));
    }
    if let Some(Pauses { tested, distance, .. }) = check.pauses {
        lines.push(format!("pauses     {} from the plan's, of {tested}", percent(distance)));
    }
    if let Some(Machine { generator_share, busy_share, stolen_share }) = check.machine {
        let [generator, busy, stolen] = [generator_share, busy_share, stolen_share].map(percent);
        lines
            .push(format!("machine    generator {generator} of its loops, all {busy} busy, {stolen} stolen"));
    }
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
        let columns = [
            (0.5, times.p50_s),
            (0.9, times.p90_s),
            (0.99, times.p99_s),
            (0.999, times.p999_s),
            (1.0, times.max_s),
        ];
        let columns = columns.map(|(q, time_s)| format!("{:>9}", bounded(times, q, time_s))).concat();
        lines.push(format!("{name:<16}{columns}{:>10}", times.n));
    }
}

/// A quantile in milliseconds, with `>` before it where it is a lower bound.
pub(super) fn bounded(times: &Quantiles, q: f64, time_s: f64) -> String {
    if times.knows(q) { ms(time_s) } else { format!(">{}", ms(time_s)) }
}

fn endpoints(reports: &[EndpointReport]) -> Vec<String> {
    let title = ["response, ms", "chain, ms", "service, ms"];
    let mut lines = vec![
        format!("{:NAME_WIDTH$}{:>7}{:>14}{:>14}{:>14}{:>7}", "", "", title[0], title[1], title[2], ""),
        format!(
            "{:NAME_WIDTH$}{:>7}{:>7}{:>7}{:>7}{:>7}{:>7}{:>7}{:>7}",
            "endpoint", "sent", "p50", "p99", "p50", "p99", "p50", "p99", "errors"
        ),
    ];
    lines.extend(reports.iter().map(|report| {
        let times = |times: &Quantiles| {
            [(0.5, times.p50_s), (0.99, times.p99_s)]
                .map(|(q, time_s)| format!("{:>7}", bounded(times, q, time_s)))
                .concat()
        };
        format!(
            "{:NAME_WIDTH$}{:>7}{}{}{}{:>7}",
            shortened(&report.id),
            report.sent,
            times(&report.response_time_s),
            times(&report.chain_time_s),
            times(&report.service_time_s),
            report.errors
        )
    }));
    lines
}

/// Between what the quantiles of response time lie, for those endpoints that have times enough for both ends.
fn intervals(reports: &[EndpointReport]) -> Vec<String> {
    let interval = |[from, to]: [Option<f64>; 2]| Some(format!("{} to {}", ms(from?), ms(to?)));
    let rows = reports.iter().filter_map(|report| {
        let times = &report.response_time_s;
        let [p50, p95, p99] =
            [times.p50_interval_s, times.p95_interval_s, times.p99_interval_s].map(interval);
        let unknown = || "-".to_owned();
        let (p95, p99) = (p95.unwrap_or_else(unknown), p99.unwrap_or_else(unknown));
        Some(format!("{:NAME_WIDTH$}{:>19}{p95:>19}{p99:>19}", shortened(&report.id), p50?))
    });
    let rows: Vec<String> = rows.collect();
    let title =
        format!("{:NAME_WIDTH$}{:>19}{:>19}{:>19}", "95 % intervals, ms", "response p50", "p95", "p99");
    let title = (!rows.is_empty()).then_some([String::new(), title]);
    title.into_iter().flatten().chain(rows).collect()
}

/// The comparison with production, where the profile has one; endpoints with too few answers are only counted.
fn baselines(reports: &[EndpointReport]) -> Vec<String> {
    let known = reports
        .iter()
        .filter_map(|report| Some((report, report.baseline.filter(|baseline| baseline.p50_s > 0.0)?)));
    let (enough, few): (Vec<_>, Vec<_>) =
        known.partition(|(report, _)| report.statuses.values().sum::<u64>() >= FEWEST_ANSWERS);
    let mut lines = Vec::new();
    if !enough.is_empty() || !few.is_empty() {
        lines.extend([
            String::new(),
            "Service time against production, with 95 % intervals of this run:".to_owned(),
        ]);
    }
    lines.extend(enough.into_iter().map(|(report, baseline)| against(report, baseline)));
    if !few.is_empty() {
        let are = if few.len() == 1 { "endpoint is" } else { "endpoints are" };
        lines.push(format!("  {} {are} left out: fewer than {FEWEST_ANSWERS} answers here", few.len()));
    }
    lines
}

fn against(report: &EndpointReport, baseline: Baseline) -> String {
    let ratio = |name: &str, ratio: Option<Ratio>| {
        ratio.map_or(String::new(), |Ratio { ratio, interval }| {
            let [from, to] = interval.map(|end| end.map_or("?".to_owned(), |end| format!("{end:.2}")));
            format!("  {name} x{ratio:.2} ({from} to {to})")
        })
    };
    let ratios = ratio("p50", baseline.p50_ratio) + &ratio("p95", baseline.p95_ratio);
    format!("  {:NAME_WIDTH$}{ratios}", shortened(&report.id))
}

/// Statuses, and requests without an answer by reason and endpoint.
fn failures(report: &RunReport, lines: &mut Vec<String>) {
    let named = |counts: &BTreeMap<String, u64>| {
        counts.iter().map(|(name, n)| format!("{name}: {n}")).collect::<Vec<_>>().join(", ")
    };
    if !report.statuses.is_empty() || !report.failures.is_empty() {
        lines.push(String::new());
    }
    if !report.statuses.is_empty() {
        lines.extend(wrapped("statuses   ".to_owned(), &named(&report.statuses)));
    }
    if !report.failures.is_empty() {
        lines.extend(wrapped("failures   ".to_owned(), &named(&report.failures)));
        for endpoint in report.endpoints.iter().filter(|endpoint| !endpoint.failures.is_empty()) {
            lines.push(format!("  {:NAME_WIDTH$}{}", shortened(&endpoint.id), named(&endpoint.failures)));
        }
    }
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
pub(super) fn amount(x: f64) -> String {
    if x >= 100.0 { format!("{x:.0}") } else { format!("{}", shared::units::round_significant(x, 2)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Schedule;
    use crate::dispatch::Wish;
    use crate::plan::Plan;
    use crate::record::{Failure, Kept, Outcome, Recorder, Sample, Waiting};
    use crate::report::results::Circumstances;
    use crate::verdict::Witness;
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;
    use shared::status::Status;

    const ANSWERED: Outcome = Outcome::Completed { status: Status::Http(200), body_bytes: 1 };
    const BROKEN: Outcome = Outcome::Failed(Failure::Broken);

    /// The text of a run of the example in which these requests were sent, as endpoint, number and outcome.
    fn text_of(sent: &[(usize, u64, Outcome)]) -> String {
        let mut profile = from_yaml(EXAMPLE).unwrap();
        profile.endpoints[1].service_time_s = profile.endpoints[0].service_time_s.clone();
        let plan = Plan::new(&profile, &Schedule::default(), &[]).unwrap();
        let mut recorder = Recorder::new(2, 30_000_000_000, std::sync::Arc::default(), None);
        for (endpoint, count, outcome) in sent {
            for _ in 0..*count {
                recorder.sent(Waiting { scheduled_at: 1_000, chain_due_at: 1_000, endpoint: *endpoint });
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
        let mut counted = recorder.finish(0);
        counted.requests.planned = counted.requests.sent;
        counted.endpoints.iter_mut().for_each(|endpoint| endpoint.planned = endpoint.sent);
        let kept = Kept { evidence: Witness::new(&plan).finish(), log: None, measured: None };
        let circumstances = Circumstances {
            target: "http://127.0.0.1:9".to_owned(),
            address: "127.0.0.1:9".to_owned(),
            began_at_s: 0.0,
            elapsed_s: 1.0,
            warm_up_s: 0.0,
            wish: Wish::GoOn,
            stopped: None,
            run: String::new(),
            logins_failed: 0,
            max_in_flight: 1,
            pacing: Pacing::new(Pace::Spin),
            insecure: false,
            machine: None,
        };
        text(&RunReport::new(circumstances, &plan, &profile, &counted, kept, &[]))
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
            "  get_home                p50 x0.50",
            "  get_item                p50 x0.50",
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
    fn no_line_is_wider_than_a_terminal() {
        let text = text_of(&[(0, 100_000, ANSWERED), (1, 20_000, Outcome::TimedOut), (1, 1_000, BROKEN)]);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        // More than 1 % of all, and nearly all of one endpoint, waited for nothing.
        assert!(text.contains(">30015") && text.contains("broken: 1000"), "{text}");
    }

    #[test]
    fn a_run_without_an_answer_says_so_at_the_top() {
        let title = "http://127.0.0.1:9 for 1s\n";
        let all = format!("{title}NOTHING WAS ANSWERED: all 30 requests sent got no answer\nVALID: ");
        check(&[(0, 10, BROKEN), (1, 20, Outcome::TimedOut)], &[&all], &["p50 x"]);
        let one = format!("{title}NOTHING WAS ANSWERED: the one request sent got no answer\nVALID: ");
        check(&[(0, 1, BROKEN)], &[&one], &[]);
        for sent in [&[(0, 30, BROKEN), (1, 1, ANSWERED)][..], &[]] {
            check(sent, &[&format!("{title}VALID: ")], &["NOTHING"]);
        }
    }
}
