//! Which words of paths are values: those that stand in a place where new words keep coming.
//!
//! The test is on each node of the tree of paths, by the Good-Turing estimate of what has not been seen yet:
//! where many of the words under a node were seen only once or twice, the next request will bring another.
//! A fixed set of pages stays literal however often it is requested. Result and evidence depend on counts alone.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::{self, Candidate, Position};
use super::name::number_placeholders;
use super::segment::split_extension;
use super::vocabulary::{self, Form};

/// A typed value joins the open set beside it when it is at most this share of it.
const ABSORBED_SHARE: f64 = 0.1;
#[derive(Debug, Default)]
pub(crate) struct Trie {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    /// Requests for paths through here.
    count: u64,
    /// Resources whose path ends here.
    ends: Vec<usize>,
    children: BTreeMap<String, Node>,
}

impl Trie {
    /// Adds a resource by its shape.
    pub(crate) fn insert(&mut self, shape: &str, resource: usize, count: u64) {
        let mut node = &mut self.root;
        node.count += count;
        for segment in shape.strip_prefix('/').unwrap_or(shape).split('/') {
            node = node.children.entry(segment.to_owned()).or_default();
            node.count += count;
        }
        node.ends.push(resource);
    }

    /// Turns open sets into placeholders, from the root down.
    pub(crate) fn collapse(&mut self) {
        self.root.collapse(Position { first: true, ..Position::default() });
    }

    /// The template that a shape fits, literal words first; the shape itself where it fits none.
    pub(crate) fn resolve(&self, shape: &str) -> String {
        let segments: Vec<&str> = shape.strip_prefix('/').unwrap_or(shape).split('/').collect();
        let mut path = Vec::new();
        let fits = self.root.resolve(&segments, &mut path);
        number_placeholders(if fits { &path } else { &segments })
    }

    /// The template of each resource.
    pub(crate) fn templates(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        self.root.templates(&mut Vec::new(), &mut found);
        found
    }
}

impl Node {
    fn collapse(&mut self, position: Position) {
        let mut by_extension: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for word in self.children.keys().filter(|word| !word.is_empty() && !word.starts_with('{')) {
            let extension = String::from_utf8_lossy(split_extension(word.as_bytes()).1).into_owned();
            by_extension.entry(extension).or_default().push(word.clone());
        }
        for (extension, words) in by_extension {
            self.group(&extension, &words, position);
        }
        self.unify();
        for (segment, child) in &mut self.children {
            let below = Position {
                after_plural: vocabulary::is_plural(segment),
                after_parameter: segment.starts_with('{'),
                first: position.first && vocabulary::is_prefix(segment) || vocabulary::is_version(segment),
                ..Position::default()
            };
            child.collapse(below);
        }
    }

    /// A position has one parameter: text in several forms is one.
    fn unify(&mut self) {
        const TEXT: [&str; 6] = ["{word}", "{slug}", "{opaque}", "{token}", "{hex}", "{email}"];
        let mut by_extension: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
        for (segment, node) in &self.children {
            if let Some(kind) = TEXT.iter().find(|kind| segment.starts_with(**kind)) {
                by_extension.entry(segment[kind.len()..].to_owned()).or_default().push((node.count, segment.clone()));
            }
        }
        for (extension, mut kinds) in by_extension {
            kinds.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            let main = kinds[0].1.clone();
            let Some(mut merged) = self.children.remove(&main) else { continue };
            for (_, kind) in &kinds[1..] { merged.merge(self.children.remove(kind).unwrap_or_default()); }
            let limit = (merged.count as f64 * ABSORBED_SHARE) as u64;
            for exact in ["{int}", "{uuid}"] {
                let key = format!("{exact}{extension}");
                if self.children.get(&key).is_some_and(|node| node.count <= limit) {
                    merged.merge(self.children.remove(&key).unwrap_or_default());
                }
            }
            self.children.insert(main, merged);
        }
    }

    /// Makes one parameter of those of `words` that are values.
    fn group(&mut self, extension: &str, words: &[String], mut position: Position) {
        let mass = |kinds: &[&str]| -> u64 { kinds.iter().filter_map(|kind| self.children.get(&format!("{kind}{extension}"))).map(|node| node.count).sum() };
        let words_mass: u64 = words.iter().filter(|word| !matches!(Form::of(split_extension(word.as_bytes()).0.iter().map(|b| *b as char).collect::<String>().as_str()), Form::Route | Form::Phrase)).map(|word| self.children[word].count).sum();
        position.exact_values = mass(&["{int}", "{uuid}", "{date}"]) > words_mass;
        position.random_values = mass(&["{token}", "{hex}"]) > words_mass;
        position.text_values = 5 * mass(&["{opaque}", "{slug}", "{word}", "{email}"]) > words_mass;
        let texts = ["{token}", "{hex}", "{opaque}", "{slug}", "{word}"];
        let beside_next: BTreeSet<&str> = texts.iter().filter_map(|kind| self.children.get(&format!("{kind}{extension}"))).flat_map(|node| node.children.keys().map(String::as_str)).collect();
        let candidates: Vec<Candidate<'_>> = words
            .iter()
            .filter_map(|word| {
                let (word, node) = self.children.get_key_value(word)?;
                let stem = String::from_utf8_lossy(split_extension(word.as_bytes()).0).into_owned();
                let after = node.children.values().take(64).flat_map(|child| child.children.keys().take(64));
                Some(Candidate {
                    word,
                    form: Form::of(&stem),
                    count: node.count,
                    next: node.children.keys().take(64).map(String::as_str).collect(),
                    after_next: after.map(String::as_str).collect(),
                })
            })
            .collect();
        let finding = evidence::weigh(&candidates, &beside_next, position);
        if std::env::var("DEBUG").is_ok() && (candidates.len() >= 1) {
            eprintln!("{:?} prev words {:.1} open {:.1} place {:.1} => {:.1}; {} words of which values {} e.g. {:?} statics {:?}", position, finding.words, finding.open, finding.place, finding.bits(), candidates.len(), finding.is_value.iter().filter(|v| **v).count(), words.iter().zip(&finding.is_value).filter(|(_, v)| **v).map(|(w, _)| w).take(8).collect::<Vec<_>>(), words.iter().zip(&finding.is_value).filter(|(_, v)| !**v).map(|(w, _)| w).take(12).collect::<Vec<_>>());
        }
        if finding.bits() <= 0.0 || !finding.is_value.contains(&true) {
            return;
        }
        let values: Vec<String> =
            words.iter().zip(&finding.is_value).filter(|(_, is_value)| **is_value).map(|(word, _)| word.clone()).collect();
        self.merge_words(extension, &values);
    }

    fn merge_words(&mut self, extension: &str, words: &[String]) {
        let jointed =
            |word: &String| word.contains(['-', '_']) || word.contains(|c: char| c.is_ascii_digit());
        let jointed_share = words.iter().filter(|word| jointed(word)).count() as f64 / words.len() as f64;
        let placeholder = if jointed_share > 0.5 { "{slug}" } else { "{word}" };
        let mut merged = self.children.remove(&format!("{placeholder}{extension}")).unwrap_or_default();
        for word in words {
            merged.merge(self.children.remove(word).unwrap_or_default());
        }
        self.children.insert(format!("{placeholder}{extension}"), merged);
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
        let extension = String::from_utf8_lossy(split_extension(segment.as_bytes()).1);
        let open = ["{slug}", "{word}"].map(|placeholder| format!("{placeholder}{extension}"));
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
