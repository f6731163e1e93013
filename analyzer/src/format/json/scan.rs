//! One pass over the text of an object.

use super::super::marks::{LineMarks, Walk};
use super::super::values::{SLOTS, Values};
use super::shape::{self, Shape};
use super::tree::{NOWHERE, Place, Tree, Use};

/// Why reading a line stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// At its end, inside the object.
    Cut,
    /// Where no JSON can go on.
    Broken,
    /// Behind the object, where more text follows.
    Trailing,
}

/// One pass over one line.
pub(super) struct Scan<'a, 's> {
    tree: &'s Tree,
    shape: &'s mut Shape,
    line: &'a [u8],
    quotes: Walk<'a, 's>,
    at: usize,
    /// The key before this one.
    last: u32,
    taken: Taken<'a, 's>,
}

/// What was taken out of a line.
struct Taken<'a, 's> {
    values: &'s mut Values<'a>,
    /// Of each slot, the rank of the key that has filled it.
    ranks: [u8; SLOTS],
    /// Bits of the conditions that some value decided.
    found: u32,
}

impl<'a, 's> Scan<'a, 's> {
    /// Of `line`, which has these marks, for what `tree` wants.
    pub(super) fn new(
        tree: &'s Tree,
        shape: &'s mut Shape,
        line: &'a [u8],
        marks: LineMarks<'s>,
        values: &'s mut Values<'a>,
    ) -> Self {
        let quotes = Walk::new(line, marks);
        let taken = Taken { values, ranks: [u8::MAX; SLOTS], found: 0 };
        Self { tree, shape, line, quotes, at: 0, last: 0, taken }
    }

    /// Bits of the conditions that some value decided.
    pub(super) fn found(&self) -> u32 {
        self.taken.found
    }

    /// An object; a bracket before it or a comma behind it are those of an array with one element per line.
    pub(super) fn line(&mut self) -> Result<(), Stop> {
        self.skip(|byte| byte.is_ascii_whitespace() || matches!(byte, b'[' | b','));
        match self.byte() {
            Some(b'{') => self.at += 1,
            _ => return Err(Stop::Broken),
        }
        self.object(0)?;
        self.skip(|byte| byte.is_ascii_whitespace() || matches!(byte, b']' | b','));
        if self.at == self.line.len() { Ok(()) } else { Err(Stop::Trailing) }
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    #[inline]
    fn skip(&mut self, passed: impl Fn(u8) -> bool) {
        while self.byte().is_some_and(&passed) {
            self.at += 1;
        }
    }

    /// The members of the object at `place`, from behind its opening brace to behind its closing one.
    fn object(&mut self, place: u32) -> Result<(), Stop> {
        loop {
            self.expected_members(place)?;
            let start = self.at;
            self.skip(|byte| byte == b',' || byte.is_ascii_whitespace());
            match self.byte().ok_or(Stop::Cut)? {
                b'"' => {
                    let below = self.unexpected_key(start, place)?;
                    self.value(below)?;
                }
                b'}' => break,
                _ => return Err(Stop::Broken),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Passes members as long as their keys came next before: nearly all of most lines.
    #[inline]
    fn expected_members(&mut self, parent: u32) -> Result<(), Stop> {
        while let Some(place) = self.expected_strings(parent)? {
            self.other_value(place)?;
        }
        Ok(())
    }

    /// As [`Scan::expected_members`], as long as their values are strings: the place of the first that is none, whose
    /// key is passed.
    // In variables of its own: those of `self` would be stored and loaded again for every member.
    #[inline(always)]
    fn expected_strings(&mut self, parent: u32) -> Result<Option<u32>, Stop> {
        let (line, keys) = (self.line, self.shape.keys.as_slice());
        let (mut rest, mut last, mut quotes) = (&line[self.at..], self.last, self.quotes);
        let other_value = loop {
            let Some((number, seen, after)) = shape::expected(keys, last, parent, rest) else { break None };
            (rest, last) = (after, number);
            quotes.pass(seen.text.marks);
            let [b'"', from_value @ ..] = rest else { break Some(seen.place) };
            let (start, mut escaped) = (line.len() - from_value.len(), false);
            let end = quotes.closing_quote(start, &mut escaped).ok_or(Stop::Cut)?;
            quotes.pass(1);
            let text = &line[start..end];
            rest = &line[end + 1..];
            match seen.used {
                Use::Passed => {}
                Use::Fills(_) if matches!(text, [] | b"-") => {}
                Use::Fills(slot) => self.taken.values.set_present(slot, text, escaped),
                Use::Several => self.taken.take(&self.tree.places[seen.place as usize], text, escaped),
            }
        };
        (self.at, self.last, self.quotes) = (line.len() - rest.len(), last, quotes);
        Ok(other_value)
    }

    /// Passes a key, its colon and the blanks around it; what is before it starts at `start`.
    #[cold]
    fn unexpected_key(&mut self, start: usize, parent: u32) -> Result<u32, Stop> {
        let (key, _) = self.string()?;
        self.skip(|byte| byte.is_ascii_whitespace());
        match self.byte().ok_or(Stop::Cut)? {
            b':' => self.at += 1,
            _ => return Err(Stop::Broken),
        }
        self.skip(|byte| byte.is_ascii_whitespace());
        let place = || self.tree.places[parent as usize].find(key).unwrap_or(NOWHERE);
        let number = self.shape.number(&self.line[start..self.at], parent, place);
        let [before, _] = self.shape.keys[self.last as usize].next;
        self.shape.keys[self.last as usize].next = [number, before];
        self.last = number;
        Ok(if number == 0 { place() } else { self.shape.keys[number as usize].place })
    }

    #[inline]
    fn value(&mut self, place: u32) -> Result<(), Stop> {
        if self.byte() != Some(b'"') {
            return self.other_value(place);
        }
        let (text, escaped) = self.string()?;
        if let Some(wanted) = self.tree.places.get(place as usize) {
            self.taken.take(wanted, text, escaped);
        }
        Ok(())
    }

    /// A value that is no string, or has blanks before it.
    #[inline(never)]
    fn other_value(&mut self, place: u32) -> Result<(), Stop> {
        self.skip(|byte| byte.is_ascii_whitespace());
        let wanted = self.tree.places.get(place as usize);
        match self.byte().ok_or(Stop::Cut)? {
            b'"' => self.value(place),
            opening @ (b'{' | b'[') => {
                self.at += 1;
                let Some(wanted) = wanted else { return self.pass_over(1) };
                self.taken.test(wanted, b"{");
                match opening {
                    b'{' if !wanted.keys.is_empty() => self.object(place),
                    b'[' => self.first_of_array(place),
                    _ => self.pass_over(1),
                }
            }
            _ => {
                let start = self.at;
                self.skip(|byte| !matches!(byte, b',' | b'}' | b']') && !byte.is_ascii_whitespace());
                self.byte().ok_or(Stop::Cut)?;
                if let Some(wanted) = wanted {
                    let text = &self.line[start..self.at];
                    self.taken.take(wanted, if text == b"null" { b"" } else { text }, false);
                }
                Ok(())
            }
        }
    }

    /// Arrays within arrays are counted: a line of brackets must not fill the stack.
    fn first_of_array(&mut self, place: u32) -> Result<(), Stop> {
        let mut depth = 1;
        while let Some(byte) = self.byte()
            && (byte == b'[' || byte.is_ascii_whitespace())
        {
            depth += usize::from(byte == b'[');
            self.at += 1;
        }
        if self.byte().ok_or(Stop::Cut)? != b']' {
            self.value(place)?;
        }
        self.pass_over(depth)
    }

    /// A string, without its quotes, and whether it holds escapes.
    #[inline]
    fn string(&mut self) -> Result<(&'a [u8], bool), Stop> {
        let (start, mut escaped) = (self.at + 1, false);
        let end = self.quotes.closing_quote(start, &mut escaped).ok_or(Stop::Cut)?;
        self.quotes.pass(1);
        self.at = end + 1;
        Ok((&self.line[start..end], escaped))
    }

    /// Passes what nobody wants, up to the bracket that closes `depth` open ones.
    fn pass_over(&mut self, mut depth: usize) -> Result<(), Stop> {
        loop {
            match self.byte().ok_or(Stop::Cut)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

impl<'a> Taken<'a, '_> {
    #[inline(never)]
    fn take(&mut self, wanted: &Place, text: &'a [u8], escaped: bool) {
        self.test(wanted, text);
        if matches!(text, [] | b"-") {
            return;
        }
        for (slot, rank) in &wanted.slots {
            if *rank <= self.ranks[*slot as usize] {
                self.ranks[*slot as usize] = *rank;
                self.values.set_present(*slot, text, escaped);
            }
        }
    }

    #[inline]
    fn test(&mut self, wanted: &Place, text: &[u8]) {
        for (test, bit) in &wanted.tests {
            if test.decides(text) {
                self.found |= bit;
            }
        }
    }
}
