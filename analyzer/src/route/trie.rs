//! The tree of all paths, and which of its words are values.
//!
//! From the root down, because what follows a parameter is known only when all its values are one: at each position
//! the words are weighed ([`super::evidence`]), those that are values become one placeholder, and what followed them is
//! put together. Result and evidence depend on counts alone, not on the order of paths.
//!
//! What the words of a service are shows in its tree: [`infer`] looks twice where the first look found some.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::{self, Candidate, Finding, Position};
use super::name::number_placeholders;
use super::segment::split_extension;
use super::vocabulary::{self, Form};

/// Values of another kind join a parameter of text when they are at most this share of it: ids without a letter.
const ABSORBED_SHARE: f64 = 0.1;
/// Segments that are looked at behind a word, and behind each of those.
const MOST_FOLLOWERS: usize = 64;
/// Places beside values where a word stays before it is one that the service's routes are made of.
const RECURRING: usize = 2;
/// Placeholders of text: one parameter, whatever its values look like.
const TEXT: [&str; 6] = ["{word}", "{slug}", "{opaque}", "{token}", "{hex}", "{email}"];
/// Placeholders of values that leave no doubt.
const EXACT: [&str; 3] = ["{int}", "{uuid}", "{date}"];

/// The tree of `paths`, each the shape of a resource, its number and the requests for it: what is a word of the
/// service's own in several places of a first tree is one in all places of a second.
pub(crate) fn infer<'p>(paths: impl Iterator<Item = (&'p str, usize, u64)> + Clone) -> Trie {
    let grow = |own_words| {
        let mut trie = Trie::new(own_words);
        paths.clone().for_each(|(shape, resource, count)| trie.insert(shape, resource, count));
        trie.collapse();
        trie
    };
    let trie = grow(BTreeSet::new());
    let own_words = trie.recurring_words();
    if own_words.is_empty() {
        return trie;
    }
    // One at a time: of a log with millions of paths they are large.
    drop(trie);
    grow(own_words)
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Trie {
    root: Node,
    /// Words of routes that are on no list.
    own_words: BTreeSet<String>,
    decisions: Vec<Decision>,
}

/// What was decided about the words at one position.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decision {
    /// The template up to the position, such as `/users/{slug}`.
    pub(crate) before: String,
    /// The extension that the words have, such as `.html`; mostly none.
    pub(crate) extension: String,
    /// Words that are values, and requests for them.
    pub(crate) values: usize,
    pub(crate) value_requests: u64,
    /// Values seen at most twice.
    pub(crate) rare: usize,
    /// Words that stay, and requests for each.
    pub(crate) pages: Vec<(String, u64)>,
    pub(crate) finding: Finding,
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// Requests for paths through here.
    count: u64,
    /// Resources whose path ends here.
    ends: Vec<usize>,
    children: BTreeMap<String, Node>,
}

impl Trie {
    /// A tree without paths, of a service whose routes are made of `own_words` besides those on the list.
    fn new(own_words: BTreeSet<String>) -> Self {
        Self { own_words, ..Self::default() }
    }

    /// Adds a resource by its shape.
    fn insert(&mut self, shape: &str, resource: usize, count: u64) {
        let mut node = &mut self.root;
        node.count += count;
        for segment in shape.strip_prefix('/').unwrap_or(shape).split('/') {
            node = node.children.entry(segment.to_owned()).or_default();
            node.count += count;
        }
        node.ends.push(resource);
    }

    /// Turns values into placeholders, from the root down.
    fn collapse(&mut self) {
        let first = Position { first: true, ..Position::default() };
        self.root.collapse(&first, &mut String::new(), &self.own_words, &mut self.decisions);
    }

    /// Words on no list that stayed beside values in several places.
    ///
    /// Values seldom do that, and words of routes do: what is a word of the service's own in one place is one wherever
    /// values stand beside it.
    fn recurring_words(&self) -> BTreeSet<String> {
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let beside_values = self.decisions.iter().filter(|decision| decision.values > 0);
        for (word, _) in beside_values.flat_map(|decision| &decision.pages) {
            *places.entry(word).or_default() += 1;
        }
        places.retain(|word, places| *places >= RECURRING && !form(word).is_of_routes());
        places.into_keys().map(str::to_owned).collect()
    }

    /// The template that a shape fits, literal words first; the shape itself where it fits none.
    pub(crate) fn resolve(&self, shape: &str) -> String {
        let segments: Vec<&str> = shape.strip_prefix('/').unwrap_or(shape).split('/').collect();
        number_placeholders(self.way(&segments).as_ref().unwrap_or(&segments))
    }

    /// What each of `segments` of a shape became; none when no answered path fits them.
    pub(crate) fn way<'t>(&'t self, segments: &[&str]) -> Option<Vec<&'t str>> {
        let mut path = Vec::new();
        self.root.resolve(segments, &mut path).then_some(path)
    }

    /// What was decided of words with this extension behind the template `before`.
    pub(crate) fn decision(&self, before: &str, extension: &str) -> Option<&Decision> {
        self.decisions.iter().find(|decision| decision.before == before && decision.extension == extension)
    }

    /// The template of each resource.
    pub(crate) fn templates(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        self.root.templates(&mut Vec::new(), &mut found);
        found
    }
}

impl Node {
    fn collapse(
        &mut self,
        position: &Position,
        before: &mut String,
        own_words: &BTreeSet<String>,
        decisions: &mut Vec<Decision>,
    ) {
        let mut by_extension: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for word in self.children.keys().filter(|word| !word.is_empty() && !word.starts_with('{')) {
            by_extension.entry(extension(word)).or_default().push(word.clone());
        }
        for (extension, words) in by_extension {
            decisions.push(self.decide(&extension, words, position, before, own_words));
        }
        self.unify_text();
        for (segment, child) in &mut self.children {
            let below = Position {
                after_plural: vocabulary::is_plural(segment),
                after_parameter: segment.starts_with('{'),
                first: position.first && vocabulary::is_prefix(segment) || vocabulary::is_version(segment),
                ..Position::default()
            };
            let length = before.len();
            before.push('/');
            before.push_str(segment);
            child.collapse(&below, before, own_words, decisions);
            before.truncate(length);
        }
    }

    /// Makes one parameter of those of `words`, which end in `extension`, that are values.
    fn decide(
        &mut self,
        extension: &str,
        words: Vec<String>,
        position: &Position,
        before: &str,
        own_words: &BTreeSet<String>,
    ) -> Decision {
        let beside = |placeholders: &[&str]| -> Vec<&Self> {
            placeholders.iter().filter_map(|kind| self.children.get(&format!("{kind}{extension}"))).collect()
        };
        let mass = |nodes: &[&Self]| nodes.iter().map(|node| node.count).sum::<u64>();
        let candidates: Vec<Candidate<'_>> = words
            .iter()
            .filter_map(|word| self.children.get(word).map(|node| node.candidate(word, own_words)))
            .collect();
        let names = candidates.iter().filter(|candidate| !candidate.form.is_of_routes());
        let names: u64 = names.map(|candidate| candidate.count).sum();
        let texts = beside(&TEXT);
        let mut followers: Vec<&str> =
            texts.iter().flat_map(|node| node.children.keys().map(String::as_str)).collect();
        followers.sort_unstable();
        followers.dedup();
        let position = Position {
            exact_values: mass(&beside(&EXACT)) > names,
            random_values: mass(&beside(&["{token}", "{hex}"])) > names,
            random_requests: mass(&beside(&["{token}"])),
            text_values: 5 * mass(&beside(&["{opaque}", "{slug}", "{word}", "{email}"])) > names,
            ..position.clone()
        };
        let finding = evidence::weigh(&candidates, &followers, &position);
        let is_parameter = finding.is_parameter();
        let is_value = |at: usize| is_parameter && finding.is_value[at];
        let values = (0..candidates.len()).filter(|at| is_value(*at));
        let pages = (0..candidates.len()).filter(|at| !is_value(*at));
        let decision = Decision {
            before: before.to_owned(),
            extension: extension.to_owned(),
            values: values.clone().count(),
            value_requests: values.clone().map(|at| candidates[at].count).sum(),
            rare: values.clone().filter(|at| candidates[*at].count <= 2).count(),
            pages: pages.map(|at| (candidates[at].word.to_owned(), candidates[at].count)).collect(),
            finding: finding.clone(),
        };
        let values: Vec<String> = values.map(|at| candidates[at].word.to_owned()).collect();
        if !values.is_empty() {
            self.merge_words(extension, &values);
        }
        decision
    }

    /// This node as the word that leads to it.
    fn candidate<'n>(&'n self, word: &'n str, own_words: &BTreeSet<String>) -> Candidate<'n> {
        let children = self.children.iter().take(MOST_FOLLOWERS);
        let later = children.clone().flat_map(|(_, child)| child.children.keys().take(MOST_FOLLOWERS));
        let mut after_next: Vec<&str> = later.map(String::as_str).collect();
        after_next.sort_unstable();
        after_next.dedup();
        Candidate {
            word,
            form: if own_words.contains(word) { Form::Route } else { form(word) },
            count: self.count,
            next: children.map(|(segment, _)| segment.as_str()).collect(),
            after_next,
        }
    }

    fn merge_words(&mut self, extension: &str, words: &[String]) {
        let jointed =
            |word: &&String| word.contains(['-', '_']) || word.contains(|c: char| c.is_ascii_digit());
        let mostly_jointed = words.iter().filter(jointed).count() * 2 > words.len();
        let placeholder = if mostly_jointed { "{slug}" } else { "{word}" };
        let key = format!("{placeholder}{extension}");
        let mut merged = self.children.remove(&key).unwrap_or_default();
        for word in words {
            merged.merge(self.children.remove(word).unwrap_or_default());
        }
        self.children.insert(key, merged);
    }

    /// Makes one parameter of text in several forms: a router has but one at a position. It goes by the form that is
    /// requested most.
    fn unify_text(&mut self) {
        let mut by_extension: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
        for (segment, node) in &self.children {
            if let Some(extension) = TEXT.iter().find_map(|kind| segment.strip_prefix(kind)) {
                let kinds = by_extension.entry(extension.to_owned()).or_default();
                kinds.push((node.count, segment.clone()));
            }
        }
        for (extension, kinds) in by_extension {
            let Some((_, most)) = kinds.iter().max() else { continue };
            let mut merged = Self::default();
            for (_, kind) in &kinds {
                merged.merge(self.children.remove(kind).unwrap_or_default());
            }
            let limit = (merged.count as f64 * ABSORBED_SHARE) as u64;
            for exact in EXACT {
                let key = format!("{exact}{extension}");
                if self.children.get(&key).is_some_and(|node| node.count <= limit) {
                    merged.merge(self.children.remove(&key).unwrap_or_default());
                }
            }
            self.children.insert(most.clone(), merged);
        }
    }

    fn merge(&mut self, other: Node) {
        self.count += other.count;
        self.ends.extend(other.ends);
        for (segment, child) in other.children {
            self.children.entry(segment).or_default().merge(child);
        }
    }

    /// Whether a path through here ends `segments`; `path` is the way.
    fn resolve<'t>(&'t self, segments: &[&str], path: &mut Vec<&'t str>) -> bool {
        let [segment, rest @ ..] = segments else { return !self.ends.is_empty() };
        let extension = extension(segment);
        let open = TEXT.map(|placeholder| format!("{placeholder}{extension}"));
        for key in [*segment].into_iter().chain(open.iter().map(String::as_str)) {
            if let Some((known, child)) = self.children.get_key_value(key) {
                path.push(known);
                if child.resolve(rest, path) {
                    return true;
                }
                path.pop();
            }
        }
        false
    }

    fn templates<'t>(&'t self, path: &mut Vec<&'t str>, found: &mut Vec<(usize, String)>) {
        if !self.ends.is_empty() {
            let template = number_placeholders(path);
            found.extend(self.ends.iter().map(|resource| (*resource, template.clone())));
        }
        for (segment, child) in &self.children {
            path.push(segment);
            child.templates(path, found);
            path.pop();
        }
    }
}

/// The form of a word without its extension.
fn form(word: &str) -> Form {
    Form::of(&word[..word.len() - extension(word).len()])
}

/// The extension of a word, with its dot.
pub(crate) fn extension(word: &str) -> String {
    String::from_utf8_lossy(split_extension(word.as_bytes()).1).into_owned()
}
