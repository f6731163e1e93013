//! Kinds of user: how many they are, how long they stay, which ways they take.

use serde::Serialize;
use shared::Profile;
use shared::session::{Class, Context};

use super::lengths::Lengths;
use super::page::{Page, plural};
use super::walks::{Walk, most_usual};
use crate::report::{grouped, percent, seconds};

/// Ways shown.
const WALKS: usize = 6;
/// Contexts and their continuations shown.
const CONTEXTS: usize = 5;
const CONTINUATIONS: usize = 3;

/// One kind of user.
#[derive(Debug, Serialize)]
pub(super) struct ClassRow {
    id: String,
    /// Share of sessions.
    share: f64,
    sessions: u64,
    lengths: Option<Lengths>,
    /// The most usual whole sessions.
    walks: Vec<Walk>,
    contexts: Vec<Context>,
    pace: Option<f64>,
}

impl ClassRow {
    pub(super) fn of(class: &Class, profile: &Profile) -> Self {
        Self {
            id: class.id.clone(),
            share: class.weight,
            sessions: class.sessions,
            lengths: Lengths::of(class, profile),
            walks: most_usual(class, WALKS),
            contexts: class.contexts.clone(),
            pace: class.pace,
        }
    }

    pub(super) fn print(&self, page: &mut Page) {
        let (share, sessions) = (percent(self.share), grouped(self.sessions));
        page.heading(&format!("Class `{}`: {share} of sessions, {sessions}", self.id));
        match &self.lengths {
            None => page.row("length", "its sessions hardly ever end"),
            Some(lengths) => {
                page.row(
                    "length",
                    &format!(
                        "{:.1} requests in the mean, half at most {}, nine of ten at most {}",
                        lengths.requests_mean, lengths.requests_p50, lengths.requests_p90
                    ),
                );
                if let Some(duration_s) = lengths.duration_mean_s {
                    page.row("duration", &format!("{} in the mean", seconds(duration_s)));
                }
            }
        }
        if let Some(pace) = self.pace {
            page.row("pace", &format!("{pace:.2}, the correlation of the pauses of one session"));
        }
        if !self.walks.is_empty() {
            page.line("  most usual sessions, whole:");
        }
        for walk in &self.walks {
            page.wrapped(&format!("{:>9}  ", percent(walk.share)), &walk.steps.join(" → "));
        }
        if !self.contexts.is_empty() {
            page.line(&format!("  a longer memory: {}", plural(self.contexts.len() as u64, "context")));
        }
        for context in self.contexts.iter().take(CONTEXTS) {
            let after = context.after.join(" → ");
            let front = format!("{:>9}  ", grouped(context.visits));
            page.wrapped(&front, &format!("after {after}: {}", likeliest(&context.next, CONTINUATIONS)));
        }
    }
}

/// The `most` likeliest of a row, as `get_home 55 %, END 24 %, …`.
pub(super) fn likeliest(row: &std::collections::BTreeMap<String, f64>, most: usize) -> String {
    let mut sorted: Vec<(&String, f64)> = row.iter().map(|(to, share)| (to, *share)).collect();
    sorted.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(other.0)));
    let named = sorted.iter().take(most).map(|(to, share)| format!("{to} {}", percent(*share)));
    let more = if sorted.len() > most { vec!["…".to_owned()] } else { Vec::new() };
    named.chain(more).collect::<Vec<_>>().join(", ")
}
