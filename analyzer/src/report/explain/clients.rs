//! How long sessions are and what makes them: the first things that people ask of a log.

use serde::Serialize;
use shared::Profile;
use shared::clients::Clients;
use shared::session::Sessions;

use super::page::Page;
use crate::report::{largest_first, seconds};

/// How long sessions are, and what the clients are.
#[derive(Debug, Serialize)]
pub(super) struct People {
    sessions: Option<Sessions>,
    clients: Option<Clients>,
}

impl People {
    pub(super) fn of(profile: &Profile) -> Self {
        Self { sessions: profile.sessions.clone(), clients: profile.clients.clone() }
    }

    pub(super) fn print(&self, page: &mut Page) {
        if self.sessions.is_none() && self.clients.is_none() {
            return;
        }
        page.heading("All sessions, and shares of them by client");
        if let Some(Sessions { requests, duration_s }) = &self.sessions {
            let mean = format!("{} in the mean", requests.mean);
            let far = [("95 %", requests.p95), ("99 %", requests.p99)];
            let far = far.map(|(share, most)| (share, most.map(|most| most.to_string())));
            page.row("requests", &format!("{mean}, {}", at_most(&requests.p50.to_string(), far)));
            let far = [("95 %", duration_s.p95), ("99 %", duration_s.p99)];
            let far = far.map(|(share, most)| (share, most.map(seconds)));
            page.row("duration", &at_most(&seconds(duration_s.p50), far));
        }
        let Some(clients) = &self.clients else { return };
        for (label, of) in rows(clients) {
            page.row(label, &of);
        }
    }
}

/// `half at most 3, 95 % at most 14`.
fn at_most(half: &str, far: [(&str, Option<String>); 2]) -> String {
    let far = far.into_iter().filter_map(|(share, most)| Some(format!(", {share} at most {}", most?)));
    format!("half at most {half}{}", far.collect::<String>())
}

/// Names shown of each.
const SHOWN: usize = 12;

/// What clients are by shares of sessions, a row for each way to tell them apart.
fn rows(clients: &Clients) -> Vec<(&'static str, String)> {
    let Clients { browsers, devices, systems, countries } = clients;
    let rows = [
        ("browsers", browsers.iter().map(|(is, share)| (is.name(), share.sessions)).collect()),
        ("devices", devices.iter().map(|(is, share)| (is.name(), share.sessions)).collect()),
        ("systems", systems.iter().map(|(is, share)| (is.name(), share.sessions)).collect()),
        ("countries", countries.iter().map(|(code, share)| (code.as_str(), share.sessions)).collect()),
    ];
    let known = rows.into_iter().filter(|(_, shares): &(_, Vec<_>)| !shares.is_empty());
    known.map(|(label, shares)| (label, largest_first(shares, SHOWN))).collect()
}
