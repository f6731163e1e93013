//! The short summary of a profile: what was found, in a dozen lines.

use std::fmt::Write as _;

use shared::Profile;
use shared::arrivals::WEEK_S;
use shared::profile::{Stamp, StampCheck};
use shared::session::{Class, Sessions};
use shared::units::round_significant;

use super::{grouped, largest_first, percent, sampled, seconds};
use crate::read::{InputSummary, Reading};
use crate::reject::Reject;
use crate::source::{PassedOver, Why};

/// Endpoints shown.
const ENDPOINTS: usize = 8;
/// Browsers, devices and countries shown: what fits into a line.
const NAMES: usize = 4;

/// What `profile` says, at most 80 columns wide.
pub fn text(profile: &Profile) -> String {
    let mut out = String::new();
    let source = &profile.source;
    let rejected = source.rejected.get("total").copied().unwrap_or(0);
    let mut row = |label: &str, value: String| out.push_str(&format!("  {label:<11} {value}\n"));
    row("log", format!("{}, {} to {} ({})", source.format, source.from, source.to, source.timezone));
    row("lines", format!("{}, of which {} not understood", grouped(source.lines), grouped(rejected)));
    let excluded: Vec<String> = source
        .excluded
        .iter()
        .filter(|(_, n)| **n > 0)
        .map(|(kind, n)| format!("{} {}", grouped(*n), kind.replace('_', " ")))
        .collect();
    row(
        "requests",
        format!(
            "{}, left out: {}",
            grouped(source.requests),
            if excluded.is_empty() { "none".to_owned() } else { excluded.join(", ") }
        ),
    );
    if let Some(sampling) = &source.sampling {
        row("sampled", sampled(sampling));
    }
    if let Some(class) = profile.classes.first() {
        let of_class = |class: &Class| class.weight * class.mean_requests_per_session();
        let requests: f64 = profile.classes.iter().map(of_class).sum();
        let think = profile.think_times.get(&class.think_time.default).and_then(|think| think.sampler());
        let think = think.map_or_else(String::new, |sampler| {
            format!(", think time p50 {}", seconds(sampler.quantile(0.5)))
        });
        row("sessions", format!("{}, {requests:.1} requests each{think}", grouped(source.sessions)));
    }
    if let Some(Sessions { duration_s, .. }) = &profile.sessions {
        let p95 = duration_s.p95.map_or_else(String::new, |p95| format!(", p95 {}", seconds(p95)));
        row("duration", format!("p50 {}{p95}", seconds(duration_s.p50)));
    }
    if let Some(clients) = &profile.clients {
        let browsers = clients.browsers.iter().map(|(is, share)| (is.name(), share.sessions));
        let devices = clients.devices.iter().map(|(is, share)| (is.name(), share.sessions));
        let countries = clients.countries.iter().map(|(code, share)| (code.as_str(), share.sessions));
        for (label, shares) in [
            ("browsers", browsers.collect()),
            ("devices", devices.collect()),
            ("countries", countries.collect::<Vec<_>>()),
        ] {
            if !shares.is_empty() {
                row(label, largest_first(shares, NAMES));
            }
        }
    }
    let arrivals = &profile.arrivals;
    if let Some(curve) = arrivals.curve() {
        let sessions_per_s = round_significant(curve.per_week() / f64::from(WEEK_S), 3);
        let requests_per_s = arrivals.requests_per_s.mean;
        row("mean", format!("{sessions_per_s} sessions/s, {requests_per_s} requests/s"));
    }
    row(
        "peak",
        format!(
            "{} sessions/s at {}, {} requests/s",
            arrivals.peak.rate_per_s, arrivals.peak.at, arrivals.requests_per_s.peak
        ),
    );
    let suppressed = &profile.privacy.suppressed;
    let privacy = format!(
        "k = {}: {} endpoint{} ({} of requests) too rare to be named",
        profile.privacy.k,
        grouped(suppressed.endpoints),
        if suppressed.endpoints == 1 { "" } else { "s" },
        percent(suppressed.requests_share)
    );
    row("privacy", privacy);
    let _ = writeln!(out, "\n  {:>7} {:>9} {:>9}  endpoint", "share", "p50", "p95");
    for endpoint in profile.endpoints.iter().take(ENDPOINTS) {
        let time = |pick: fn(&shared::endpoint::Summary) -> Option<f64>| {
            endpoint.service_time_s.as_ref().and_then(pick).map_or("-".to_owned(), seconds)
        };
        let name = format!("{} {}", endpoint.method, endpoint.route);
        let (p50, p95) = (time(|summary| Some(summary.p50)), time(|summary| summary.p95));
        let _ = writeln!(out, "  {:>7} {p50:>9} {p95:>9}  {}", percent(endpoint.weight), shorten(&name, 50));
    }
    if profile.endpoints.len() > ENDPOINTS {
        let _ = writeln!(out, "  {:>28} … and {} more", "", profile.endpoints.len() - ENDPOINTS);
    }
    out
}

/// Warnings about the inputs: what was not understood, what was guessed, what is damaged.
pub fn warnings(reading: &Reading) -> Vec<String> {
    /// Beyond this share of refused lines somebody should look.
    const MANY: f64 = 0.01;
    let mut warnings = Vec::new();
    warnings.extend(passed_over(&reading.passed_over));
    for input in &reading.inputs {
        if let Some(error) = crate::no_requests(input) {
            if input.broken.is_none() && input.rejects.not_understood() == 0 {
                warnings.push(error.to_string());
            }
            continue;
        }
        let rejected = input.rejects.not_understood();
        if rejected as f64 > MANY * input.lines as f64 {
            let misunderstood = input.rejects.0.iter().filter(|(reject, _)| **reject != Reject::NotARequest);
            let worst = misunderstood.max_by_key(|(_, found)| found.count);
            let first = worst.and_then(|(reject, found)| Some((reject.name(), found.positions.first()?)));
            let first = first.map_or_else(String::new, |(name, at)| {
                format!("; mostly `{name}`, first at line {}", at.line)
            });
            let share = percent(rejected as f64 / input.lines.max(1) as f64);
            warnings.push(format!(
                "`{}`: {} of {} lines ({share}) were not understood{first}",
                input.path,
                grouped(rejected),
                grouped(input.lines)
            ));
        }
        warnings.extend(input.odd.as_ref().map(|what| format!("`{}`: {what}", input.path)));
        let of_all = |count: u64| format!("{} of {} requests", grouped(count), grouped(input.requests));
        if input.document().is_some() && input.unweighted > 0 {
            let count = of_all(input.unweighted);
            warnings.push(format!(
                "`{}`: {count} do not say how many they stand for; each counts once, though traces are often sampled",
                input.path
            ));
        }
        if input.clients_by_trace > 0 {
            let count = of_all(input.clients_by_trace);
            warnings.push(format!("`{}`: {count} tell no client; each trace counts as one", input.path));
        }
        warnings.extend(about_meaning(input));
        if input.format.producer_unknown && input.evidence.producer().is_none() {
            warnings.push(format!(
                "`{}`: nginx and Apache both write this format, read as {}; --producer decides",
                input.path,
                input.label()
            ));
        }
    }
    warnings
}

/// Warnings about what the fields of one input mean.
fn about_meaning(input: &InputSummary) -> Vec<String> {
    let mut warnings = Vec::new();
    let path = &input.path;
    if input.stamp_check == Some(StampCheck::Disagrees) {
        let (found, said) = match input.stamp() {
            Stamp::Start => ("end", "start"),
            Stamp::End | Stamp::Mixed => ("start", "end"),
        };
        let (by, consequence) = match input.stamp_given {
            Some(_) => (format!("--stamp {said}"), "think times are wrong if so"),
            None => {
                (format!("the format {} says {said}", input.label()), "durations are left inside the pauses")
            }
        };
        warnings.push(format!(
            "`{path}`: its stamps look like the {found} of requests, but {by}: read so, requests of one client overlap; {consequence}\n  hint: --stamp {found} or --stamp {said} decides"
        ));
    }
    if input.zoneless > 0 && !input.zone_given {
        warnings.push(format!("`{path}`: its stamps carry no zone: read as UTC\n  hint: --tz Europe/Berlin"));
    }
    if input.skipped_hour > 0 {
        warnings.push(format!(
            "`{path}`: {} requests in an hour that clocks skipped, put after it; is --tz the zone of this log?",
            grouped(input.skipped_hour)
        ));
    }
    let thinned = input.sampling.is_some_and(|sampling| sampling.weight_mean > 1.0);
    if thinned && input.document().is_none() {
        warnings.push(format!(
            "`{path}`: only a sample of the requests was logged: rates and shares are weighted, but sessions miss requests, so chains and pauses are biased"
        ));
    }
    warnings
}

/// Files that were not read: one warning for each reason, with the first of them.
fn passed_over(files: &[PassedOver]) -> Vec<String> {
    let mut reasons: Vec<(&Why, &str, usize)> = Vec::new();
    for PassedOver { path, why } in files {
        match reasons.iter_mut().find(|(known, ..)| *known == why) {
            Some((_, _, more)) => *more += 1,
            None => reasons.push((why, path, 0)),
        }
    }
    let text = |(why, first, more): (&Why, &str, usize)| {
        let others = if more == 0 { String::new() } else { format!(" and {more} more") };
        let why = match why {
            Why::NoLog => "no log, or in no known format; name a file to see why".to_owned(),
            Why::Empty => "empty".to_owned(),
            Why::Repeated => "the same as another input; read once".to_owned(),
            Why::Unreadable(reason) => format!("cannot be read ({reason})"),
        };
        format!("`{first}`{others} passed over: {why}")
    };
    reasons.into_iter().map(text).collect()
}

/// The damage of inputs that ended before their end, as errors with what was saved; documents that hold nothing good.
pub fn broken(reading: &Reading) -> Vec<String> {
    let damaged = reading.inputs.iter().filter_map(|input| Some((input, input.broken.as_ref()?)));
    let failed = |input: &&InputSummary| input.broken.is_some() || input.rejects.not_understood() > 0;
    let without_requests = reading.inputs.iter().filter(failed).filter_map(crate::no_requests);
    damaged
        .filter(|(input, _)| crate::no_requests(input).is_none())
        .map(|(input, why)| {
            let (path, lines) = (&input.path, grouped(input.lines));
            match input.document() {
                Some(_) => format!(
                    "`{path}` is damaged: found {why} after {lines} records\n  hint: everything before the damage was used; export it again for the rest"
                ),
                None => format!(
                    "`{path}` is damaged: {why}\n  found: {lines} lines before the damage, which were used\n  hint: fetch the file again for the rest"
                ),
            }
        })
        .chain(without_requests.map(|error| error.to_string()))
        .collect()
}

fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}
