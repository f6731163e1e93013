//! Why a path has the route that it has: the evidence for each of its segments.
//!
//! For the owner of the log: words are named however few asked for them.

use super::given::GivenRoutes;
use super::segment::{parse_placeholder, placeholder};
use super::trie::{Decision, Trie, extension};
use super::{Routes, shape_of};

/// Words that are named; of more there is only the number.
const NAMED: usize = 8;

/// The route of `path`, and why each of its segments is a word or a value, for people.
pub(crate) fn text(path: &str, given: &GivenRoutes, routes: &Routes) -> String {
    if let Some(found) = given.of(b"", path.as_bytes()) {
        return format!("{path}\n  route: {} (given)\n", found.template);
    }
    let shape = shape_of(path);
    let shapes: Vec<&str> = shape.strip_prefix('/').unwrap_or(&shape).split('/').collect();
    let becomes = routes.inferred.way(&shapes);
    let steps = becomes.as_ref().unwrap_or(&shapes);
    let mut text = format!("{path}\n  route: {} (inferred)\n", routes.inferred.resolve(&shape));
    if becomes.is_none() {
        text.push_str("  no such path was answered: it stands for itself\n");
    }
    let mut before = String::new();
    for (shape, becomes) in shapes.iter().zip(steps).filter(|(shape, _)| !shape.is_empty()) {
        text.push_str(&format!("  {becomes}\n"));
        for why in why(&routes.inferred, &before, shape, becomes) {
            text.push_str(&format!("    {why}\n"));
        }
        before.push('/');
        before.push_str(becomes);
    }
    text
}

/// Why the segment `shape` behind `before` became `becomes`.
fn why(trie: &Trie, before: &str, shape: &str, becomes: &str) -> Vec<String> {
    let mut why = Vec::new();
    if let Some((kind, _)) = parse_placeholder(shape) {
        why.push(format!("looks like {}: never a word of a route", placeholder(kind)));
        if becomes != shape {
            why.push("one parameter with the other text at this position".to_owned());
        }
        return why;
    }
    match trie.decision(before, &extension(shape)) {
        Some(decision) => why.extend(evidence(decision, shape)),
        None => why.push("no word was answered here".to_owned()),
    }
    why
}

fn evidence(decision: &Decision, word: &str) -> Vec<String> {
    let finding = &decision.finding;
    let mut lines = vec![match decision.pages.iter().find(|(page, _)| page == word) {
        Some((_, requests)) => format!("a word of the route: {requests} requests"),
        None => "a value".to_owned(),
    }];
    lines.push(format!(
        "for a parameter: {:+.1} bits (forms {:+.1}, what follows {:+.1}, openness {:+.1}, place {:+.1})",
        finding.bits(),
        finding.forms,
        finding.structure,
        finding.open,
        finding.place
    ));
    if decision.values > 0 {
        lines.push(format!(
            "values: {} in {} requests, {} of them seen at most twice",
            decision.values, decision.value_requests, decision.rare
        ));
    }
    let named: Vec<&str> = decision.pages.iter().take(NAMED).map(|(page, _)| page.as_str()).collect();
    if !named.is_empty() {
        let more = decision.pages.len() - named.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        lines.push(format!("words: {}{more}", named.join(", ")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Resource;
    use crate::tally::Requested;

    #[test]
    fn the_evidence_for_each_segment_is_said() {
        let paths: Vec<String> = (0..60).map(|i| format!("/users/karo{i}/posts")).collect();
        let mut paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        paths.extend(["/about", "/users/{int}"]);
        let resource = |path: &&str| Resource {
            method: "GET".into(),
            shape: (*path).to_owned(),
            route: None,
            given: false,
        };
        let resources: Vec<Resource> = paths.iter().map(resource).collect();
        let counts = vec![Requested { requests: 2, answered: 2 }; resources.len()];
        let routes = super::super::find(&resources, &counts, &counts, &[], true);
        let text = |path| text(path, &GivenRoutes::default(), &routes);
        let values = text("/users/karo1/posts");
        assert!(values.contains("route: /users/{slug}/posts (inferred)"), "{values}");
        assert!(values.contains("values: 60 in 120 requests, 60 of them seen at most twice"), "{values}");
        assert!(values.contains("  users\n    a word of the route: 122 requests"), "{values}");
        assert!(text("/users/4711").contains("looks like {int}: never a word"));
        assert!(text("/nowhere").contains("no such path was answered"));
    }
}
