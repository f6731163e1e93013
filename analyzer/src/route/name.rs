//! Names: of placeholders inside a template, and of endpoints.

use std::collections::{BTreeMap, BTreeSet};

use shared::endpoint::ValueKind;

use super::segment::parse_placeholder;

/// The names of the placeholders of `template`, in order.
pub(crate) fn placeholders(template: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = template;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        names.push(name);
        rest = tail;
    }
    names
}

/// The kind that a placeholder's name says: `int_2` is an int.
pub(crate) fn kind_of_placeholder(name: &str) -> ValueKind {
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_');
    parse_placeholder(&format!("{{{base}}}")).map_or(ValueKind::Opaque, |(kind, _)| kind)
}

/// The kind that a placeholder of an inferred route takes alone; none for words, among which anything may come.
pub(crate) fn exact_kind(name: &str) -> Option<ValueKind> {
    let exact = [ValueKind::Int, ValueKind::Uuid, ValueKind::Date, ValueKind::Email];
    Some(kind_of_placeholder(name)).filter(|kind| exact.contains(kind))
}

/// `template` with placeholders of the same name numbered from the second on.
pub(crate) fn number_placeholders(segments: &[&str]) -> String {
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let mut template = String::new();
    for segment in segments {
        template.push('/');
        match segment.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((name, after)) => {
                let count = seen.entry(name).or_insert(0);
                *count += 1;
                let number = if *count > 1 { format!("_{count}") } else { String::new() };
                template.push_str(&format!("{{{name}{number}}}{after}"));
            }
            None => template.push_str(segment),
        }
    }
    template
}

/// One id per (template, method), of which each was requested `requests` times: the method and the literal words.
///
/// Of routes with the same words, the one with most requests has them to itself, and the others are numbered in that
/// order (ties by text). No number takes the words of another route, so that a rare route changes no id but its own.
pub(crate) fn ids(keys: &[(String, String)], requests: &[u64]) -> Vec<String> {
    let mut ids: Vec<String> = keys.iter().map(|(template, method)| id(template, method)).collect();
    let mut most_requested_first: Vec<usize> = (0..keys.len()).collect();
    most_requested_first.sort_by_key(|at| (std::cmp::Reverse(requests[*at]), &keys[*at]));
    let mut used: BTreeSet<String> = ids.iter().cloned().collect();
    // Of each plain id: the number that its latest route has.
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    for at in most_requested_first {
        let Some(number) = numbers.get_mut(&ids[at]) else {
            numbers.insert(ids[at].clone(), 1);
            continue;
        };
        let plain = ids[at].clone();
        while used.contains(&ids[at]) {
            *number += 1;
            ids[at] = format!("{plain}_{number}");
        }
        used.insert(ids[at].clone());
    }
    ids
}

fn id(template: &str, method: &str) -> String {
    let segments: Vec<&str> = template.split('/').filter(|segment| !segment.is_empty()).collect();
    let mut words: Vec<String> = Vec::new();
    for (i, segment) in segments.iter().enumerate() {
        if !segment.starts_with('{') {
            words.push((*segment).to_owned());
        } else if i + 1 == segments.len() {
            let name = segment.trim_matches(['{', '}']).to_owned();
            match words.pop() {
                Some(word) if singular(&word) != word => words.push(singular(&word)),
                Some(word) => words.extend([word, name]),
                None => words.push(name),
            }
        }
    }
    if segments.is_empty() {
        words.push("home".to_owned());
    }
    let joined = format!("{method}_{}", words.join("_")).to_ascii_lowercase();
    let mut id = String::with_capacity(joined.len());
    for c in joined.chars() {
        let c = if c.is_ascii_alphanumeric() { c } else { '_' };
        if c != '_' || !id.ends_with('_') {
            id.push(c);
        }
    }
    id.trim_end_matches('_').to_owned()
}

/// `categories` → `category`, `boxes` → `box`, `users` → `user`; anything else as it is.
fn singular(word: &str) -> String {
    let stem = |ending: &str, instead: &str| {
        let stem = word.strip_suffix(ending).filter(|stem| stem.len() >= 2);
        stem.map(|stem| format!("{stem}{instead}"))
    };
    if word.ends_with("ss") || word.ends_with("us") || word.ends_with("is") {
        return word.to_owned();
    }
    let es =
        ["xes", "ches", "shes", "sses"].iter().find_map(|ending| stem(ending, ending.strip_suffix("es")?));
    stem("ies", "y").or(es).or_else(|| stem("s", "")).unwrap_or_else(|| word.to_owned())
}
