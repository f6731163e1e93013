//! Sessions: what the clients are, where their sessions lead, and that every one of them can end.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::clients::{ClientShare, Clients, is_country};
use crate::error::Violation;
use crate::session::{Class, END, LEADS_TO, OTHER};

impl Check {
    pub(super) fn clients(&mut self, clients: &Clients) {
        let Clients { browsers, devices, systems, countries } = clients;
        let named = |(name, share): (&'static str, &ClientShare)| (name.to_owned(), *share);
        self.client_shares("browsers", browsers.iter().map(|(is, share)| named((is.name(), share))));
        self.client_shares("devices", devices.iter().map(|(is, share)| named((is.name(), share))));
        self.client_shares("systems", systems.iter().map(|(is, share)| named((is.name(), share))));
        self.client_shares("countries", countries.iter().map(|(code, share)| (code.clone(), *share)));
        for code in countries.keys().filter(|code| !is_country(code)) {
            let found = format!("`{}`", code.escape_debug());
            let expected = "two capital letters, `unknown` or `other`";
            self.wrong(&format!("/clients/countries/{code}"), found, expected);
        }
    }

    fn client_shares(&mut self, by: &str, shares: impl Iterator<Item = (String, ClientShare)>) {
        let shares: Vec<(String, ClientShare)> = shares.collect();
        if shares.is_empty() {
            return;
        }
        for (name, share) in &shares {
            self.share(&format!("/clients/{by}/{name}/sessions"), share.sessions);
            self.share(&format!("/clients/{by}/{name}/requests"), share.requests);
        }
        let place = format!("/clients/{by}");
        self.sum(&place, "the shares of sessions", shares.iter().map(|(_, share)| share.sessions));
        self.sum(&place, "the shares of requests", shares.iter().map(|(_, share)| share.requests));
    }

    pub(super) fn class(
        &mut self,
        place: &str,
        class: &Class,
        ids: &BTreeSet<&str>,
        think_times: &BTreeSet<&str>,
    ) {
        self.share(&format!("{place}/weight"), class.weight);
        self.row(&format!("{place}/start"), &class.start, class, ids);
        for (id, state) in &class.chain {
            if id != OTHER {
                self.reference(&format!("{place}/chain/{id}"), id, ids, "endpoint");
            }
            self.row(&format!("{place}/chain/{id}/next"), &state.next, class, ids);
        }
        for (i, context) in class.contexts.iter().enumerate() {
            let here = format!("{place}/contexts/{i}");
            for id in &context.after {
                self.reference(&format!("{here}/after"), id, ids, "endpoint");
            }
            self.row(&format!("{here}/next"), &context.next, class, ids);
        }
        self.reference(
            &format!("{place}/think_time/default"),
            &class.think_time.default,
            think_times,
            "think time",
        );
        for (id, name) in &class.think_time.on {
            let here = format!("{place}/think_time/on/{id}");
            let (from, to) =
                id.split_once(LEADS_TO).map_or((id.as_str(), None), |(from, to)| (from, Some(to)));
            for id in std::iter::once(from).chain(to).filter(|id| *id != OTHER) {
                self.reference(&here, id, ids, "endpoint");
            }
            self.reference(&here, name, think_times, "think time");
        }
        if let Some(pace) = class.pace.filter(|pace| !(-1.0..=1.0).contains(pace)) {
            self.wrong(&format!("{place}/pace"), pace, "a correlation from -1 to 1");
        }
        for id in endless(class) {
            self.violations.push(
                Violation::new(
                    format!("{place}/chain/{id}"),
                    "a state that never reaches `END`",
                    "a way to `END`",
                )
                .hint("a session that comes here would never end; give `END` a share in one of the rows"),
            );
        }
    }

    /// A row of probabilities: known targets, each with a row of its own, adding up to 1.
    fn row(&mut self, place: &str, row: &BTreeMap<String, f64>, class: &Class, ids: &BTreeSet<&str>) {
        for (id, probability) in row {
            let here = format!("{place}/{id}");
            self.share(&here, *probability);
            if id == END {
                continue;
            }
            if id != OTHER {
                self.reference(&here, id, ids, "endpoint");
            }
            let known = id == OTHER || ids.contains(id.as_str());
            if known && !class.chain.contains_key(id) {
                self.wrong(&here, format!("`{id}`, which has no row in `chain`"), "a state that leads on");
            }
        }
        self.sum(place, "the probabilities of the row", row.values().copied());
    }
}

/// States from which `END` cannot be reached.
fn endless(class: &Class) -> Vec<&str> {
    let mut ending: BTreeSet<&str> = BTreeSet::from([END]);
    loop {
        let before = ending.len();
        for (id, state) in &class.chain {
            if state.next.iter().any(|(to, probability)| *probability > 0.0 && ending.contains(to.as_str())) {
                ending.insert(id);
            }
        }
        if ending.len() == before {
            return class.chain.keys().map(String::as_str).filter(|id| !ending.contains(id)).collect();
        }
    }
}
