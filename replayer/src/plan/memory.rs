//! How far back a session remembers: which of several histories of different length a walk has just gone through.
//!
//! A context of the profile is a word over the places of a chain, and the longest context that the walk so far ends
//! with decides where it goes next. A node is the beginning of a context, and a walk is always at the longest node that
//! it ends with (Aho & Corasick 1975): a step is a look-up however long the contexts are, and the walk is a first-order
//! chain over nodes, whose visits can be solved for.

use std::collections::BTreeMap;

/// The nodes over some number of slots; the node of a single slot has the slot's number.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    /// The slot that each node ends with.
    slots: Vec<usize>,
    /// The longest other node that each node ends with; none for single slots.
    shorter: Vec<Option<usize>>,
    /// The node that a slot makes of another.
    longer: BTreeMap<(usize, usize), usize>,
}

impl Memory {
    /// The nodes of `contexts`, each a list of `slots`, oldest first.
    pub(crate) fn new(slots: usize, contexts: &[Vec<usize>]) -> Self {
        let mut memory =
            Self { slots: (0..slots).collect(), shorter: vec![None; slots], longer: BTreeMap::new() };
        let longest = contexts.iter().map(Vec::len).max().unwrap_or(0);
        // By length, because the shorter node of a node must be there before it.
        for length in 2..=longest {
            for context in contexts.iter().filter(|context| context.len() >= length) {
                let before = memory.at(&context[..length - 1]);
                memory.extend(before, context[length - 1]);
            }
        }
        memory
    }

    fn extend(&mut self, node: usize, slot: usize) {
        if self.longer.contains_key(&(node, slot)) {
            return;
        }
        let shorter = self.shorter[node].map_or(slot, |shorter| self.then(shorter, slot));
        self.longer.insert((node, slot), self.slots.len());
        self.slots.push(slot);
        self.shorter.push(Some(shorter));
    }

    /// Where a walk is that was at `node` and went to `slot`.
    pub(crate) fn then(&self, node: usize, slot: usize) -> usize {
        let mut node = node;
        loop {
            match (self.longer.get(&(node, slot)), self.shorter[node]) {
                (Some(longer), _) => return *longer,
                (None, Some(shorter)) => node = shorter,
                (None, None) => return slot,
            }
        }
    }

    /// Where a walk is that went through `slots`, of which there is at least one.
    pub(crate) fn at(&self, slots: &[usize]) -> usize {
        slots[1..].iter().fold(slots[0], |node, slot| self.then(node, *slot))
    }

    /// The slot that `node` ends with.
    pub(crate) fn slot(&self, node: usize) -> usize {
        self.slots[node]
    }

    /// The longest other node that `node` ends with.
    pub(crate) fn shorter(&self, node: usize) -> Option<usize> {
        self.shorter[node]
    }

    /// Number of nodes.
    pub(crate) fn nodes(&self) -> usize {
        self.slots.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Purpose, Stream};

    #[test]
    fn a_walk_is_at_the_longest_beginning_of_a_context_that_it_ends_with() {
        let contexts = [vec![0, 1], vec![1, 0, 1], vec![2, 2, 2], vec![0, 2]];
        let memory = Memory::new(3, &contexts);
        let mut beginnings: Vec<Vec<usize>> = (0..3).map(|slot| vec![slot]).collect();
        for context in &contexts {
            beginnings.extend((2..=context.len()).map(|length| context[..length].to_vec()));
        }
        let mut stream = Stream::new(Key { seed: 1, block: 0, index: 0 }, Purpose::Walk);
        let mut walk = vec![0];
        let mut node = 0;
        for _ in 0..2000 {
            let slot = stream.below(3) as usize;
            walk.push(slot);
            node = memory.then(node, slot);
            let longest = beginnings.iter().filter(|word| walk.ends_with(word)).max_by_key(|word| word.len());
            assert_eq!(node, memory.at(longest.unwrap()), "{walk:?}");
            assert_eq!(memory.slot(node), slot);
        }
        // Three slots, and 01, 10, 101, 22, 222, 02.
        assert_eq!(memory.nodes(), 9);
        assert_eq!(memory.shorter(memory.at(&[1, 0, 1])), Some(memory.at(&[0, 1])));
    }
}
