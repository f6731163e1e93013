//! Which words of paths are values: those that stand in a place where new words keep coming.
//!
//! The test is on each node of the tree of paths, by the Good-Turing estimate of what has not been seen yet:
//! where many of the words under a node were seen only once or twice, the next request will bring another.
//! A fixed set of pages stays literal however often it is requested. Result and evidence depend on counts alone.

use std::collections::BTreeMap;

use super::name::number_placeholders;
use super::segment::split_extension;

/// Fewest words under a node that can be an open set.
const OPEN_CHILDREN: usize = 24;
/// Share of words seen at most twice that tells an open set.
const OPEN_RARE_SHARE: f64 = 0.15;
/// Words under one node beyond which it is an open set anyway.
const OPEN_ANYWAY: usize = 150;
/// A typed value joins the open set beside it when it is at most this share of it.
const ABSORBED_SHARE: f64 = 0.1;
/// A word of another form than its open set stays when it has at least this share of the node.
const HEAVY_SHARE: f64 = 0.05;

/// Words that name a page wherever they stand.
const RESERVED: [&str; 18] = [
    "new", "edit", "me", "search", "list", "all", "latest", "popular", "index", "login", "logout",
    "register", "signup", "settings", "help", "about", "count", "export",
];

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
        self.root.collapse();
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
    fn collapse(&mut self) {
        let mut by_extension: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for word in self.children.keys().filter(|word| !word.is_empty() && !word.starts_with('{')) {
            let extension = String::from_utf8_lossy(split_extension(word.as_bytes()).1).into_owned();
            by_extension.entry(extension).or_default().push(word.clone());
        }
        for (extension, words) in by_extension {
            if self.is_open(&words) {
                self.merge_words(&extension, &words);
            }
        }
        self.children.values_mut().for_each(Node::collapse);
    }

    fn is_open(&self, words: &[String]) -> bool {
        let rare = words.iter().filter(|word| self.children[*word].count <= 2).count();
        let rare_share = rare as f64 / words.len().max(1) as f64;
        words.len() >= OPEN_CHILDREN && (rare_share >= OPEN_RARE_SHARE || words.len() >= OPEN_ANYWAY)
    }

    fn merge_words(&mut self, extension: &str, words: &[String]) {
        let jointed =
            |word: &String| word.contains(['-', '_']) || word.contains(|c: char| c.is_ascii_digit());
        let jointed_share = words.iter().filter(|word| jointed(word)).count() as f64 / words.len() as f64;
        let heavy = (self.count as f64 * HEAVY_SHARE) as u64;
        let stays = |word: &String, node: &Node| {
            let other_form = jointed_share > 0.8 && !jointed(word);
            RESERVED.contains(&word.as_str()) || other_form && node.count > heavy
        };
        let placeholder = if jointed_share > 0.5 { "{slug}" } else { "{word}" };
        let mut merged = self.children.remove(&format!("{placeholder}{extension}")).unwrap_or_default();
        for word in words {
            if self.children.get(word).is_some_and(|node| !stays(word, node)) {
                merged.merge(self.children.remove(word).unwrap_or_default());
            }
        }
        for (typed, always) in [
            ("{opaque}", true),
            ("{token}", true),
            ("{slug}", true),
            ("{word}", true),
            ("{hex}", false),
            ("{int}", false),
        ] {
            let key = format!("{typed}{extension}");
            let limit = (merged.count as f64 * ABSORBED_SHARE) as u64;
            if self.children.get(&key).is_some_and(|node| always || node.count <= limit) {
                merged.merge(self.children.remove(&key).unwrap_or_default());
            }
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
