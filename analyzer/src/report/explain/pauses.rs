//! The pauses between requests.

use serde::Serialize;
use shared::Profile;
use shared::think::{GapKind, ThinkTime};

use super::page::{Page, cut, word};
use crate::report::{grouped, seconds};

/// One named distribution of pauses.
#[derive(Debug, Serialize)]
pub(super) struct PauseRow {
    name: String,
    kind: GapKind,
    n: u64,
    p10_s: Option<f64>,
    p50_s: Option<f64>,
    p90_s: Option<f64>,
    p99_s: Option<f64>,
    /// Endpoints that it follows; everywhere else the default of the class does.
    after: Vec<String>,
}

/// All pauses of `profile`, by name.
pub(super) fn rows(profile: &Profile) -> Vec<PauseRow> {
    profile.think_times.iter().map(|(name, pause)| PauseRow::of(name, pause, profile)).collect()
}

impl PauseRow {
    pub(super) fn of(name: &str, pause: &ThinkTime, profile: &Profile) -> Self {
        let sampler = pause.sampler();
        let quantile = |q: f64| sampler.as_ref().map(|sampler| sampler.quantile(q));
        let on = profile.classes.iter().flat_map(|class| &class.think_time.on);
        let mut after: Vec<String> =
            on.filter(|(_, used)| *used == name).map(|(endpoint, _)| endpoint.clone()).collect();
        after.sort();
        after.dedup();
        Self {
            name: name.to_owned(),
            kind: pause.kind,
            n: pause.n,
            p10_s: quantile(0.1),
            p50_s: quantile(0.5),
            p90_s: quantile(0.9),
            p99_s: quantile(0.99),
            after,
        }
    }

    /// The pause in one line: `think, p50 1.3 s, p90 3.6 s (default)`.
    pub(super) fn line(&self) -> String {
        let quantiles = [("p50", self.p50_s), ("p90", self.p90_s)];
        let quantiles =
            quantiles.iter().filter_map(|(q, time_s)| Some(format!(", {q} {}", seconds((*time_s)?))));
        format!("{}{} ({})", word(self.kind), quantiles.collect::<String>(), self.name)
    }
}

pub(super) fn print(rows: &[PauseRow], page: &mut Page) {
    page.heading("Pauses");
    let header = ["kind", "n", "p10", "p50", "p90", "p99"];
    let line = |name: &str, cells: [String; 6]| {
        let [kind, n, p10, p50, p90, p99] = cells;
        format!("  {:<25}{kind:<7}{n:>10}{p10:>9}{p50:>9}{p90:>9}{p99:>9}", cut(name, 24))
    };
    page.line(&line("name", header.map(str::to_owned)));
    for row in rows {
        let time = |time_s: Option<f64>| time_s.map_or_else(|| "-".to_owned(), seconds);
        let times = [row.p10_s, row.p50_s, row.p90_s, row.p99_s].map(time);
        let [p10, p50, p90, p99] = times;
        page.line(&line(&row.name, [word(row.kind), grouped(row.n), p10, p50, p90, p99]));
    }
    if rows.iter().any(|row| row.kind == GapKind::Pacing) {
        page.line("  pacing runs from request to request: the log has no durations to take off");
    }
}
