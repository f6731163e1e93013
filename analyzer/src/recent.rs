//! What was worked out of a text, kept until other texts need the place: for work that costs more than looking it up.
//!
//! Logs repeat a few texts very often and most texts never, so a table of fixed size with two places for each text
//! keeps nearly all that is worth keeping. Its memory is bounded whatever a log holds. A text is compared in full:
//! its hash only finds the places.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;

/// The texts seen last, each with a value.
#[derive(Debug)]
pub(crate) struct Recent<V> {
    slots: Vec<Slot<V>>,
    /// The texts of the slots, each in its own `longest` bytes: where one stands follows from the number of the slot,
    /// so that both are fetched from memory at once.
    texts: Vec<u8>,
    longest: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot<V> {
    hash: u64,
    salt: u64,
    value: V,
    length: u16,
    /// It was asked for again since it was kept, or since others last wanted its place.
    again: bool,
}

impl<V: Copy + Default> Recent<V> {
    /// A table of `1 << bits` texts of at most `longest` bytes; longer ones are not kept.
    pub(crate) fn new(bits: u32, longest: u16) -> Self {
        let longest = usize::from(longest);
        Self { slots: vec![Slot::default(); 1 << bits], texts: vec![0; longest << bits], longest }
    }

    /// The value of `text` in the context `salt`, worked out by `make` when it is not at hand.
    #[inline]
    pub(crate) fn get(&mut self, salt: u64, text: &[u8], make: impl FnOnce() -> V) -> V {
        if text.len() > self.longest {
            return make();
        }
        // Zero marks a place that was never used.
        let hash = FixedState::with_seed(salt).hash_one(text) | 1;
        let first = (hash >> 32) as usize & (self.slots.len() - 1);
        for place in [first, first ^ 1] {
            let slot = &self.slots[place];
            if slot.hash == hash && slot.salt == salt && self.text(place) == text {
                let value = slot.value;
                self.slots[place].again = true;
                return value;
            }
        }
        let value = make();
        self.keep(first, Slot { hash, salt, value, length: text.len() as u16, again: false }, text);
        value
    }

    fn text(&self, place: usize) -> &[u8] {
        &self.texts[place * self.longest..][..usize::from(self.slots[place].length)]
    }

    /// Takes one of the two places, if it can one whose text came but once: most texts do, and would push out those that
    /// come back.
    fn keep(&mut self, first: usize, new: Slot<V>, text: &[u8]) {
        let place = match self.slots[first].again {
            false => first,
            true => first ^ 1,
        };
        self.slots[first].again = false;
        let from = place * self.longest;
        self.texts[from..from + text.len()].copy_from_slice(text);
        self.slots[place] = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_the_value_that_was_made_of_it_however_many_others_come() {
        let mut recent: Recent<u64> = Recent::new(4, 8);
        let mut made = 0;
        for round in 0..3 {
            for number in 0..200_u64 {
                let text = number.to_string();
                let found = recent.get(0, text.as_bytes(), || {
                    made += 1;
                    number
                });
                assert_eq!(found, number, "round {round}");
            }
        }
        assert!(made >= 200);
        let before = made;
        for _ in 0..9 {
            recent.get(0, b"7", || {
                made += 1;
                7
            });
        }
        assert!(made <= before + 1, "what was just worked out is at hand");
    }

    #[test]
    fn salt_tells_contexts_apart_and_long_texts_are_not_kept() {
        let mut recent: Recent<u8> = Recent::new(1, 100);
        assert_eq!([recent.get(1, b"a", || 1), recent.get(2, b"a", || 2)], [1, 2]);
        let long = [b'x'; 101];
        assert_eq!([recent.get(0, &long, || 3), recent.get(0, &long, || 4)], [3, 4]);
    }
}
