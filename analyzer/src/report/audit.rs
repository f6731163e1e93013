//! What `analyzer audit` shows: a row for each literal of a profile.

use std::fmt::Write as _;

use super::grouped;
use crate::audit::{Audit, Literal, MOST_CLIENTS};

/// Columns that a row may take.
const COLUMNS: usize = 80;

/// The audit for people, at most 80 columns wide.
pub fn text(audit: &Audit) -> String {
    let mut out = String::new();
    let (requests, matched) = (grouped(audit.requests), grouped(audit.matched));
    let _ = writeln!(out, "requests  {requests}, of which {matched} fit an endpoint of the profile");
    let below = audit.below().count();
    let verdict = match below {
        0 => "each stands on at least that many clients".to_owned(),
        below => format!("{} BELOW", grouped(below as u64)),
    };
    let _ = writeln!(out, "literals  {}, k = {}: {verdict}\n", audit.literals.len(), audit.k);
    let _ = writeln!(out, "{:>9}  {:<11}  literal", "clients", "what");
    for literal in &audit.literals {
        let _ = writeln!(out, "{}", row(literal, audit.k));
    }
    out.push_str(
        "\nClients were pseudonyms while they were counted. A profile is designed to hold\naggregates only; whether it may leave remains yours to assess.\n",
    );
    out
}

fn row(literal: &Literal, k: u64) -> String {
    let clients = match literal.clients {
        MOST_CLIENTS => format!("{}+", grouped(MOST_CLIENTS)),
        clients => grouped(clients),
    };
    let below = if literal.clients < k { "  BELOW k" } else { "" };
    let of = match &literal.endpoint {
        Some(endpoint) if !literal.text.contains('/') => format!(" of {endpoint}"),
        _ => String::new(),
    };
    let mut text = format!("{}{of}", literal.text);
    let room = COLUMNS - 9 - 2 - 11 - 2 - below.len();
    if text.chars().count() > room {
        text = text.chars().take(room - 1).chain(['…']).collect();
    }
    format!("{clients:>9}  {:<11}  {text}{below}", literal.what.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::What;

    #[test]
    fn rows_fit_and_say_what_is_below() {
        let literal = |clients, text: &str| Literal {
            clients,
            what: What::Query,
            text: text.to_owned(),
            endpoint: Some("get_search".to_owned()),
        };
        let literals = vec![literal(9, "page"), literal(MOST_CLIENTS, &"long".repeat(30))];
        let text = text(&Audit { k: 10, requests: 1200, matched: 1000, literals });
        assert!(text.contains("        9  query        page of get_search  BELOW k\n"), "{text}");
        assert!(text.contains(" 100,000+  query        longlong"), "{text}");
        assert!(text.contains("literals  2, k = 10: 1 BELOW\n"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
    }
}
