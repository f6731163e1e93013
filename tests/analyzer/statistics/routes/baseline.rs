//! What others do: the tree of Sentry's transaction clusterer, which makes a wildcard of all children of a node as
//! soon as there are many, on raw paths and on paths whose values were typed before.

use std::collections::BTreeMap;

use analyzer::stages;

/// Children beyond which a node's children are merged.
const THRESHOLD: usize = 100;

#[derive(Default)]
struct Node(BTreeMap<String, Node>);

impl Node {
    fn insert(&mut self, path: &str) {
        let mut node = self;
        for segment in path.split('/') {
            node = node.0.entry(segment.to_owned()).or_default();
        }
    }

    fn merge(&mut self, other: Self) {
        for (segment, child) in other.0 {
            self.0.entry(segment).or_default().merge(child);
        }
    }

    fn collapse(&mut self) {
        if self.0.len() > THRESHOLD {
            let mut merged = Self::default();
            std::mem::take(&mut self.0).into_values().for_each(|child| merged.merge(child));
            self.0.insert("*".to_owned(), merged);
        }
        self.0.values_mut().for_each(Self::collapse);
    }

    fn template(&self, path: &str) -> String {
        let mut node = self;
        let mut template = Vec::new();
        for segment in path.split('/') {
            let Some((key, child)) = node.0.get_key_value(segment).or_else(|| node.0.get_key_value("*"))
            else {
                break;
            };
            template.push(key.as_str());
            node = child;
        }
        template.join("/")
    }
}

/// The groups that the tree makes of `paths`.
pub(crate) fn tree(paths: &[String]) -> Vec<String> {
    let mut root = Node::default();
    paths.iter().for_each(|path| root.insert(path));
    root.collapse();
    paths.iter().map(|path| root.template(path)).collect()
}

/// The same, of paths whose values were replaced by their types.
pub(crate) fn typed_tree(paths: &[String]) -> Vec<String> {
    let shape = |path: &String| {
        let mut shape = Vec::new();
        stages::shape(path.as_bytes(), &mut shape);
        String::from_utf8_lossy(&shape).into_owned()
    };
    tree(&paths.iter().map(shape).collect::<Vec<_>>())
}
