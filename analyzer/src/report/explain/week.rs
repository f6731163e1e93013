//! When sessions start: each day of the week as one line of bars.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::arrivals::{Arrivals, Burstiness, DAY_S, WEEK_S, WeekCurve, Weeks};
use shared::units::{Weekday, time_of_week};

use super::page::{Page, amount};
use crate::report::{grouped, percent, seconds};

/// Parts of a day that get a bar each.
const PARTS: usize = 48;

/// Weeks whose level is shown.
const WEEKS_SHOWN: usize = 8;

/// When sessions start.
#[derive(Debug, Serialize)]
pub(super) struct WeekShape {
    /// Sessions per second over the week.
    sessions_per_s_mean: f64,
    sessions_per_s_peak: f64,
    /// Day and civil time.
    peak_at: String,
    requests_per_s_mean: f64,
    requests_per_s_peak: f64,
    days: Vec<Day>,
    shared_shape: BTreeMap<String, bool>,
    burstiness: Option<Burstiness>,
    day_level_cv: Option<f64>,
    weeks: Option<Weeks>,
}

/// One day.
#[derive(Debug, Serialize)]
struct Day {
    day: &'static str,
    /// Expected in all of it.
    sessions: f64,
    peak_per_s: f64,
    /// Civil time of the peak.
    peak_at: String,
    /// Sessions per second in each half hour.
    half_hours: Vec<f64>,
}

impl WeekShape {
    pub(super) fn of(arrivals: &Arrivals) -> Self {
        let curve = arrivals.curve();
        let days = curve.iter().flat_map(|curve| Weekday::ALL.map(|day| Day::of(day, arrivals, curve)));
        Self {
            sessions_per_s_mean: curve.as_ref().map_or(0.0, |curve| curve.per_week() / f64::from(WEEK_S)),
            sessions_per_s_peak: arrivals.peak.rate_per_s,
            peak_at: arrivals.peak.at.clone(),
            requests_per_s_mean: arrivals.requests_per_s.mean,
            requests_per_s_peak: arrivals.requests_per_s.peak,
            days: days.collect(),
            shared_shape: arrivals.shared_shape.clone(),
            burstiness: arrivals.burstiness.clone(),
            day_level_cv: arrivals.day_level_cv,
            weeks: arrivals.weeks.clone(),
        }
    }

    pub(super) fn print(&self, page: &mut Page) {
        page.heading("Sessions through the week");
        page.row(
            "mean",
            &format!(
                "{} sessions/s, {} requests/s",
                amount(self.sessions_per_s_mean),
                amount(self.requests_per_s_mean)
            ),
        );
        page.row(
            "peak",
            &format!(
                "{} sessions/s, {} requests/s, at {}",
                amount(self.sessions_per_s_peak),
                amount(self.requests_per_s_peak),
                self.peak_at
            ),
        );
        if let Some(cv) = self.day_level_cv {
            page.row("days", &format!("differ by {} from week to week (one deviation)", percent(cv)));
        }
        if let Some(Weeks { levels, next }) = &self.weeks {
            // The latest say most.
            let shown = &levels[levels.len().saturating_sub(WEEKS_SHOWN)..];
            let shown: Vec<String> = shown.iter().map(|level| format!("{level:.2}")).collect();
            let before = if levels.len() > WEEKS_SHOWN { "… " } else { "" };
            page.row("weeks", &format!("{before}{} of the mean; the next: {next:.2}", shown.join(" ")));
        }
        if let Some(burstiness) = &self.burstiness {
            let scales = burstiness.time_constants_s.iter().zip(&burstiness.variances);
            let scales: Vec<String> =
                scales.map(|(scale_s, variance)| format!("{variance} at {}", seconds(*scale_s))).collect();
            page.row("bursts", &format!("variance of the rate around the curve: {}", scales.join(", ")));
        }
        let shared: Vec<String> =
            self.shared_shape.iter().filter(|(_, is)| **is).map(|(days, _)| days.replace('_', " ")).collect();
        if !shared.is_empty() {
            page.row("alike", &format!("{}: one shape, each day its own level", shared.join(", ")));
        }
        let largest = self.days.iter().flat_map(|day| &day.half_hours).copied().fold(0.0, f64::max);
        page.line(&format!(
            "      {:<12}{:<12}{:<12}{:<11}24{:>8}{:>11}",
            "0", "6", "12", "18", "a day", "peak"
        ));
        for day in &self.days {
            let bars: String = day.half_hours.iter().map(|rate| bar(*rate, largest)).collect();
            page.line(&format!(
                "  {} {bars}{:>9} {:>7}/s {}",
                day.day,
                grouped(day.sessions.round() as u64),
                amount(day.peak_per_s),
                day.peak_at
            ));
        }
    }
}

impl Day {
    fn of(day: Weekday, arrivals: &Arrivals, curve: &WeekCurve) -> Self {
        let from = day.index() as f64 * f64::from(DAY_S);
        let width = f64::from(DAY_S) / PARTS as f64;
        let expected = |from: f64, to: f64| curve.cumulative(to) - curve.cumulative(from);
        let half_hours = (0..PARTS).map(|part| {
            let start = from + part as f64 * width;
            expected(start, start + width) / width
        });
        let knots = arrivals.week.day(day);
        let top = knots.iter().copied().fold(0.0, f64::max);
        let at = knots.iter().position(|rate| *rate >= top).unwrap_or(0);
        let at = time_of_week(at as f64 * f64::from(arrivals.knots_every_s));
        Self {
            day: day.name(),
            sessions: expected(from, from + f64::from(DAY_S)),
            peak_per_s: top,
            peak_at: at.split_once(' ').map_or(at.clone(), |(_, time)| time.to_owned()),
            half_hours: half_hours.collect(),
        }
    }
}

/// A bar of one to eight eighths, a blank for nothing.
fn bar(rate: f64, largest: f64) -> char {
    const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let eighths = if largest > 0.0 { (8.0 * rate / largest).ceil() } else { 0.0 };
    EIGHTHS[(eighths as usize).min(8)]
}
