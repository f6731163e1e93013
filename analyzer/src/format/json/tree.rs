//! Where in an object the wanted values are, and what its other values must say.

use super::super::values::Slot;

/// What a line must say to be a request of the format.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Condition {
    /// Where: any of these.
    pub(in super::super) paths: &'static [&'static str],
    pub(in super::super) test: Test,
}

/// What the value at a path is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Test {
    /// The key is there, whatever it holds.
    There,
    /// The key is not there, or holds nothing.
    Missing,
    /// One of these texts.
    Is(&'static [&'static str]),
    /// One of these texts, or nothing.
    Only(&'static [&'static str]),
    /// None of these texts.
    Not(&'static [&'static str]),
    /// A number without a fraction.
    Whole,
    /// Anything but a number without a fraction; 0 may be either.
    NotWhole,
}

impl Test {
    /// The line is a request unless some value fails the test; otherwise it is one if some value passes.
    fn forbids(self) -> bool {
        matches!(self, Self::Missing | Self::Only(_) | Self::Not(_) | Self::NotWhole)
    }

    /// Whether `value` decides: by passing a test that must be passed, or failing one that must not be failed.
    pub(super) fn decides(self, value: &[u8]) -> bool {
        let whole = || value.iter().all(u8::is_ascii_digit) && !value.is_empty();
        let among = |texts: &[&str]| texts.iter().any(|text| text.as_bytes() == value);
        match self {
            Self::There => true,
            Self::Missing => !value.is_empty(),
            Self::Is(texts) | Self::Not(texts) => among(texts),
            Self::Only(texts) => !value.is_empty() && !among(texts),
            Self::Whole => whole(),
            Self::NotWhole => whole() && value != b"0",
        }
    }
}

/// The places of the wanted values: the first is the object that the line is.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) places: Vec<Place>,
    /// Bits of the conditions that must be met, and of those that must not be broken.
    required: u32,
    forbidden: u32,
    /// The slots that some key fills.
    slots: u64,
}

/// A place in the object: what is done with the value there.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// Slots it fills, each with the rank of the key among those for the slot.
    pub(super) slots: Vec<(Slot, u8)>,
    pub(super) tests: Vec<(Test, u32)>,
    pub(super) keys: Vec<(Box<[u8]>, u32)>,
}

/// What is done with a value, as far as its place alone says it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Use {
    /// Nothing: nobody wants it.
    Passed,
    /// It fills this slot, which no other place fills.
    Fills(Slot),
    /// It is tested, or fills several slots, or competes with other values for one.
    Several,
}

/// The place of what nobody wants.
pub(super) const NOWHERE: u32 = u32::MAX;

impl Tree {
    /// Of `fields` (the value at a path fills a slot; the first listed counts) in lines that meet all `conditions`.
    pub(super) fn new<P: AsRef<str>>(fields: &[(P, Slot)], conditions: &[Condition]) -> Self {
        let mut tree = Self { places: vec![Place::default()], ..Self::default() };
        for (rank, (path, slot)) in fields.iter().enumerate() {
            tree.slots |= 1 << *slot as u32;
            for place in tree.reach(path.as_ref()) {
                let rank = u8::try_from(rank).unwrap_or(u8::MAX - 1);
                tree.places[place as usize].slots.push((*slot, rank));
            }
        }
        for (number, condition) in conditions.iter().enumerate() {
            let bit = 1 << number;
            match condition.test.forbids() {
                true => tree.forbidden |= bit,
                false => tree.required |= bit,
            }
            tree.test(condition.paths, condition.test, bit);
        }
        tree
    }

    /// As [`Tree::new`], of lines that have one of the fields for what was asked.
    pub(super) fn of_fields(fields: &[(String, Slot)]) -> Self {
        const ASKED: u32 = 1;
        let mut tree = Self::new(fields, &[]);
        tree.required = ASKED;
        let asked = |slot: &Slot| matches!(slot, Slot::RequestLine | Slot::Target | Slot::Path);
        for (path, _) in fields.iter().filter(|(_, slot)| asked(slot)) {
            tree.test(&[path], Test::There, ASKED);
        }
        tree
    }

    /// Has the values at `paths` tested for what sets `bit`.
    fn test(&mut self, paths: &[&str], test: Test, bit: u32) {
        for path in paths {
            for place in self.reach(path) {
                self.places[place as usize].tests.push((test, bit));
            }
        }
    }

    /// How many slots some key fills.
    pub(super) fn richness(&self) -> usize {
        self.slots.count_ones() as usize
    }

    /// What is done with the value at `place`.
    pub(super) fn used_for(&self, place: u32) -> Use {
        let Some(place) = self.places.get(place as usize) else { return Use::Passed };
        let fillers =
            |slot| self.places.iter().flat_map(|place| &place.slots).filter(|(of, _)| *of == slot).count();
        match *place.slots {
            [(slot, _)] if place.tests.is_empty() && fillers(slot) == 1 => Use::Fills(slot),
            _ => Use::Several,
        }
    }

    /// Whether some key fills `slot`.
    pub(super) fn wants(&self, slot: Slot) -> bool {
        self.slots >> slot as u32 & 1 == 1
    }

    /// The places that `path` names: `a.b` is the key `b` of the object `a`, and the key `a.b`.
    fn reach(&mut self, path: &str) -> Vec<u32> {
        /// Beyond this, the keys of a path are one inside the other: the ways to read it double with every dot.
        const AMBIGUOUS_KEYS: usize = 6;
        let path = path.replace("[0]", "");
        let keys: Vec<&str> = path.split('.').collect();
        let mut reached = vec![(0, 0_u32)];
        let mut ends = Vec::new();
        while let Some((used, place)) = reached.pop() {
            if used == keys.len() {
                ends.push(place);
                continue;
            }
            let longest = if keys.len() <= AMBIGUOUS_KEYS { keys.len() } else { used + 1 };
            for end in used + 1..=longest {
                let key = keys[used..end].join(".");
                reached.push((end, self.child(place, key.as_bytes())));
            }
        }
        ends
    }

    fn child(&mut self, place: u32, key: &[u8]) -> u32 {
        if let Some(child) = self.places[place as usize].find(key) {
            return child;
        }
        let child = self.places.len() as u32;
        self.places.push(Place::default());
        self.places[place as usize].keys.push((key.into(), child));
        child
    }

    pub(super) fn is_request(&self, found: u32) -> bool {
        found & self.required == self.required && found & self.forbidden == 0
    }
}

impl Place {
    pub(super) fn find(&self, key: &[u8]) -> Option<u32> {
        self.keys.iter().find(|(name, _)| **name == *key).map(|(_, child)| *child)
    }
}
