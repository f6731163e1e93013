//! What only some profiles have: periodic callers, scenarios, thresholds.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::Profile;
use shared::profile::{Background, Scenario};

use super::page::{Page, plural};
use crate::report::seconds;

/// What only some profiles have.
#[derive(Debug, Serialize)]
pub(super) struct Others {
    background: Vec<Background>,
    scenarios: BTreeMap<String, Scenario>,
    thresholds: Vec<String>,
}

impl Others {
    pub(super) fn of(profile: &Profile) -> Self {
        Self {
            background: profile.background.clone(),
            scenarios: profile.scenarios.clone(),
            thresholds: profile.thresholds.clone(),
        }
    }

    pub(super) fn print(&self, page: &mut Page) {
        if !self.background.is_empty() {
            page.heading("Periodic callers");
        }
        for caller in &self.background {
            let (clients, period) = (plural(caller.clients, "client"), seconds(caller.period_s));
            page.line(&format!("  {}: {clients}, each every {period}", caller.endpoint));
        }
        if !self.scenarios.is_empty() {
            page.heading("Scenarios");
            let names: Vec<&str> = self.scenarios.keys().map(String::as_str).collect();
            page.wrapped("  ", &names.join(", "));
        }
        if !self.thresholds.is_empty() {
            page.heading("Thresholds");
        }
        self.thresholds.iter().for_each(|threshold| page.wrapped("  ", threshold));
    }
}
