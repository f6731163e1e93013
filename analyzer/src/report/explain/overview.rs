//! What log a profile is of, how much of it was understood, and what was left out.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use shared::Profile;
use shared::profile::{GapRule, GapSensitivity, Stamp, StampCheck};
use shared::units::format_duration;

use super::page::{Page, plural};
use crate::report::{grouped, percent, resolution, sampled};

/// What log a profile is of.
#[derive(Debug, Serialize)]
pub(super) struct Overview {
    source: shared::profile::Source,
    privacy: shared::profile::Privacy,
    /// From the start to the end of the log; null when the profile does not say it in RFC 3339.
    covers_s: Option<i64>,
}

impl Overview {
    pub(super) fn of(profile: &Profile) -> Self {
        let moment = |text: &str| text.parse::<Timestamp>().ok().map(Timestamp::as_second);
        let (from, to) = (moment(&profile.source.from), moment(&profile.source.to));
        Self {
            source: profile.source.clone(),
            privacy: profile.privacy.clone(),
            covers_s: from.zip(to).map(|(from, to)| to - from),
        }
    }

    pub(super) fn print(&self, page: &mut Page) {
        let source = &self.source;
        page.heading("The log");
        page.row("format", &source.format);
        let (from, to, zone) = (&source.from, &source.to, &source.timezone);
        page.row(
            "time",
            &match self.covers_s.map(u64::try_from) {
                Some(Ok(covers_s)) => {
                    let covers = format_duration(Duration::from_secs(covers_s));
                    format!("{} to {}, {covers} ({zone})", civil(from), civil(to))
                }
                _ => format!("{from} to {to} ({zone})"),
            },
        );
        let rejected = source.rejected.get("total").copied().unwrap_or(0);
        page.row(
            "lines",
            &format!("{}, of which {} not understood", grouped(source.lines), grouped(rejected)),
        );
        page.row("requests", &grouped(source.requests));
        let left_out = source.excluded.iter().filter(|(_, count)| **count > 0);
        let left_out: Vec<String> =
            left_out.map(|(kind, count)| format!("{} {}", grouped(*count), kind.replace('_', " "))).collect();
        let nothing = || "nothing".to_owned();
        page.row("left out", &if left_out.is_empty() { nothing() } else { left_out.join(", ") });
        if let Some(sampling) = &source.sampling {
            page.row("sampled", &sampled(sampling));
        }
        page.row("stamps", &stamps(source));
        let rule = &source.session_rule;
        let gap = Duration::try_from_secs_f64(rule.gap_s).unwrap_or_default();
        let found = if rule.gap_rule == GapRule::Auto { ", as found in the log" } else { "" };
        page.row(
            "sessions",
            &format!(
                "{}: one client (by {}) without a pause longer than {}{found}{}",
                grouped(source.sessions),
                rule.identity,
                format_duration(gap),
                rule.sensitivity.map_or_else(String::new, hangs_on_gap),
            ),
        );
        let suppressed = &self.privacy.suppressed;
        page.row(
            "privacy",
            &format!(
                "at least {} behind every figure; too rare for that: {} ({} of requests) and {} of steps",
                plural(self.privacy.k.into(), "client"),
                plural(suppressed.endpoints, "endpoint"),
                percent(suppressed.requests_share),
                percent(suppressed.transitions_share)
            ),
        );
    }
}

/// `2026-11-02 20:30` of a moment in RFC 3339: the profile says its zone elsewhere.
fn civil(moment: &str) -> String {
    moment.chars().take("2026-11-02T20:30".len()).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// How many more or fewer sessions there would be with another gap.
fn hangs_on_gap(sensitivity: GapSensitivity) -> String {
    let GapSensitivity { half_gap, double_gap } = sensitivity;
    format!(
        "; half of it would make {:.1} % more, twice {:.1} % fewer",
        100.0 * (half_gap - 1.0),
        100.0 * (1.0 - double_gap)
    )
}

fn stamps(source: &shared::profile::Source) -> String {
    let moment = match source.stamp {
        Stamp::Start => "start of requests",
        Stamp::End => "end of requests",
        Stamp::Mixed => "start or end of requests",
    };
    let check = match source.stamp_check {
        Some(StampCheck::Agrees) => ", and overlaps agree",
        Some(StampCheck::Disagrees) => ", BUT overlaps disagree",
        Some(StampCheck::Undecided) | None => "",
    };
    format!("{moment}, to {}{check}", resolution(source.resolution_s))
}
