//! The order in which a producer writes its keys.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::super::program::Literal;
use super::tree::{NOWHERE, Tree, Use};

/// The keys seen so far, each with what came after it. It makes reading cheaper and never different.
#[derive(Debug, Default)]
pub(in super::super) struct Shape {
    /// The format that the keys are of.
    tree: Option<Arc<Tree>>,
    /// The first stands for the start of a line.
    pub(super) keys: Vec<Seen>,
    by_text: HashTable<u32>,
}

#[derive(Debug)]
pub(super) struct Seen {
    /// The key with its quotes, the comma before it, the colon and the blanks: everything from value to value.
    pub(super) text: Literal,
    /// The place of the object it is in, and of its value.
    pub(super) parent: u32,
    pub(super) place: u32,
    /// What is done with its value.
    pub(super) used: Use,
    /// What came after it, the last first; 0 where nothing did.
    pub(super) next: [u32; 2],
}

impl Shape {
    /// Keys remembered; a log in which every line has keys of its own must not fill the memory.
    const KEYS: usize = 4096;
    /// Longest key remembered, in bytes.
    const KEY_BYTES: usize = 256;

    pub(super) fn of(&mut self, tree: &Arc<Tree>) -> &mut Self {
        if !self.tree.as_ref().is_some_and(|known| Arc::ptr_eq(known, tree)) {
            let start = Seen {
                text: Literal::default(),
                parent: NOWHERE,
                place: NOWHERE,
                used: Use::Passed,
                next: [0; 2],
            };
            *self = Self { tree: Some(Arc::clone(tree)), keys: vec![start], by_text: HashTable::new() };
        }
        self
    }

    /// The number of a key; 0 where there is no room to remember it.
    pub(super) fn number(&mut self, text: &[u8], parent: u32, place: impl FnOnce() -> u32) -> u32 {
        let hash = |text: &[u8], parent: u32| FixedState::default().hash_one((parent, text));
        let keys = &self.keys;
        let same = |number: &u32| {
            let seen = &keys[*number as usize];
            seen.parent == parent && seen.text.bytes() == text
        };
        if let Some(number) = self.by_text.find(hash(text, parent), same) {
            return *number;
        }
        if self.keys.len() >= Self::KEYS || text.len() > Self::KEY_BYTES {
            return 0;
        }
        let (number, place) = (self.keys.len() as u32, place());
        let used = self.tree.as_ref().map_or(Use::Passed, |tree| tree.used_for(place));
        self.keys.push(Seen { text: Literal::new(text), parent, place, used, next: [0; 2] });
        let keys = &self.keys;
        self.by_text.insert_unique(hash(text, parent), number, |number| {
            let seen = &keys[*number as usize];
            hash(seen.text.bytes(), seen.parent)
        });
        number
    }
}

/// The key at the start of `text` in the object at `parent`, if it is one of those of `keys` that came next after `last`
/// before: its number, the key, and the text behind it.
// Always inlined: whoever asks knows most of what it would be called with.
#[inline(always)]
pub(super) fn expected<'k, 'a>(
    keys: &'k [Seen],
    last: u32,
    parent: u32,
    text: &'a [u8],
) -> Option<(u32, &'k Seen, &'a [u8])> {
    for number in keys[last as usize].next {
        let seen = &keys[number as usize];
        if seen.parent == parent
            && let Some(after) = seen.text.strip_from(text)
        {
            return Some((number, seen, after));
        }
    }
    None
}
