//! One JSON object per line: the wanted values out of the text, without building a tree of it.
//!
//! A producer writes its keys in nearly the same order again and again, so every key remembers which keys came after
//! it: the next one is recognised by one comparison, whether anybody wants its value or not. What nobody wants is
//! passed over. Of a key that is there twice, the last value counts, as in most readers of JSON; of an array, the
//! first element; of several keys for one slot, the one listed first that has a value. Missing commas and values are
//! no error: nginx writes `"rt":,` where a variable is empty.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::Cache;
use super::marks::LineMarks;
use super::meaning::Meaning;
use super::program::Literal;
use super::values::{SLOTS, Slot, Values};
use crate::reject::Reject;
use crate::request::Request;

/// A format of JSON lines.
#[derive(Debug, Clone)]
pub struct Json {
    tree: Arc<Tree>,
    pub(super) meaning: Meaning,
    /// How sure the names of the keys are to mean what was made of them, 0..=1.
    pub(super) certainty: f64,
}

/// What a line must say to be a request of the format.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// Where: any of these.
    pub(super) paths: &'static [&'static str],
    pub(super) test: Test,
}

/// What the value at a path is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
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
    fn decides(self, value: &[u8]) -> bool {
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
struct Tree {
    places: Vec<Place>,
    /// Bits of the marks that must be found, and of those that must not.
    required: u32,
    forbidden: u32,
    /// The slots that some key fills.
    slots: u64,
}

/// A place in the object: what is done with the value there.
#[derive(Debug, Default)]
struct Place {
    /// Slots it fills, each with the rank of the key among those for the slot.
    slots: Vec<(Slot, u8)>,
    tests: Vec<(Test, u32)>,
    keys: Vec<(Box<[u8]>, u32)>,
}

/// The place of what nobody wants.
const NOWHERE: u32 = u32::MAX;

impl Tree {
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

    fn is_request(&self, found: u32) -> bool {
        found & self.required == self.required && found & self.forbidden == 0
    }
}

impl Place {
    fn find(&self, key: &[u8]) -> Option<u32> {
        self.keys.iter().find(|(name, _)| **name == *key).map(|(_, child)| *child)
    }
}

/// The keys seen so far, each with what came after it. It makes reading cheaper and never different.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// The format that the keys are of.
    tree: Option<Arc<Tree>>,
    /// The first stands for the start of a line.
    keys: Vec<Seen>,
    by_text: HashTable<u32>,
}

#[derive(Debug)]
struct Seen {
    /// The key with its quotes, the comma before it, the colon and the blanks: everything from value to value.
    text: Literal,
    /// Quotes and backslashes in it.
    marks: u32,
    /// The place of the object it is in, and of its value.
    parent: u32,
    place: u32,
    /// What came after it, the last first; 0 where nothing did.
    next: [u32; 2],
}

impl Shape {
    /// Keys remembered; a log in which every line has keys of its own must not fill the memory.
    const KEYS: usize = 4096;
    /// Longest key remembered, in bytes.
    const KEY_BYTES: usize = 256;

    fn of(&mut self, tree: &Arc<Tree>) -> &mut Self {
        if !self.tree.as_ref().is_some_and(|known| Arc::ptr_eq(known, tree)) {
            let start =
                Seen { text: Literal::default(), marks: 0, parent: NOWHERE, place: NOWHERE, next: [0; 2] };
            *self = Self { tree: Some(Arc::clone(tree)), keys: vec![start], by_text: HashTable::new() };
        }
        self
    }

    /// The number of a key; 0 where there is no room to remember it.
    fn number(&mut self, text: &[u8], parent: u32, place: impl FnOnce() -> u32) -> u32 {
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
        let number = self.keys.len() as u32;
        let marks = memchr::memchr2_iter(b'"', b'\\', text).count() as u32;
        self.keys.push(Seen { text: Literal::new(text), marks, parent, place: place(), next: [0; 2] });
        let keys = &self.keys;
        self.by_text.insert_unique(hash(text, parent), number, |number| {
            let seen = &keys[*number as usize];
            hash(seen.text.bytes(), seen.parent)
        });
        number
    }
}

/// Why reading a line stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// At its end, inside the object.
    Cut,
    /// Where no JSON can go on.
    Broken,
    /// Behind the object, where more text follows.
    Trailing,
}

impl Json {
    /// The format that takes `fields` (the value at a path fills a slot; the first listed counts) out of lines that
    /// bear all `marks`.
    pub(super) fn new<P: AsRef<str>>(fields: &[(P, Slot)], marks: &[Mark], meaning: Meaning) -> Self {
        let mut tree = Tree { places: vec![Place::default()], ..Tree::default() };
        for (rank, (path, slot)) in fields.iter().enumerate() {
            tree.slots |= 1 << *slot as u32;
            for place in tree.reach(path.as_ref()) {
                let rank = u8::try_from(rank).unwrap_or(u8::MAX - 1);
                tree.places[place as usize].slots.push((*slot, rank));
            }
        }
        for (number, mark) in marks.iter().enumerate() {
            let bit = 1 << number;
            if mark.test.forbids() {
                tree.forbidden |= bit
            } else {
                tree.required |= bit
            }
            for path in mark.paths {
                for place in tree.reach(path) {
                    tree.places[place as usize].tests.push((mark.test, bit));
                }
            }
        }
        Self { tree: Arc::new(tree), meaning, certainty: 1.0 }
    }

    /// The format that takes `fields` out of lines that have one of them for what was asked.
    pub(super) fn of_fields(fields: &[(String, Slot)], meaning: Meaning) -> Self {
        let mut json = Self::new(fields, &[], meaning);
        let tree = Arc::get_mut(&mut json.tree).expect("nobody else has it yet");
        tree.required = 1;
        for (path, slot) in fields {
            if matches!(slot, Slot::RequestLine | Slot::Target | Slot::Path) {
                for place in tree.reach(path) {
                    tree.places[place as usize].tests.push((Test::There, 1));
                }
            }
        }
        json
    }

    /// How many slots it can fill.
    pub(super) fn richness(&self) -> usize {
        self.tree.slots.count_ones() as usize
    }

    pub(super) fn parse<'a>(
        &self,
        line: &'a [u8],
        marks: Option<LineMarks<'_>>,
        cache: &'a mut Cache,
    ) -> Result<Request<'a>, Reject> {
        let mut values = Values::NONE;
        let marks = marks.unwrap_or_else(|| cache.marks.of(line));
        let (is_request, stopped) = self.split(line, marks, &mut values, &mut cache.shape);
        if self.meaning.header_escape.is_some() {
            for slot in [Slot::UserAgent, Slot::Cookies] {
                if values.printed(slot).is_some_and(|text| memchr::memchr2(b'%', b'+', text).is_some()) {
                    values.set_escaped(slot);
                }
            }
        }
        match stopped {
            Ok(()) if is_request => {}
            Ok(()) => return Err(Reject::NotARequest),
            Err(_) if is_request && self.has_essentials(&values) => values.truncated = true,
            Err(Stop::Cut) => return Err(Reject::Truncated),
            Err(Stop::Trailing) => return Err(Reject::TrailingText),
            Err(Stop::Broken) if line.iter().all(u8::is_ascii_whitespace) => return Err(Reject::Blank),
            Err(Stop::Broken) if memchr::memchr(0, line).is_some() => return Err(Reject::Binary),
            Err(Stop::Broken) => return Err(Reject::OtherFormat),
        }
        let numbers = self.meaning.numbers(&values, cache)?;
        Ok(self.meaning.texts(&mut values, numbers, &mut cache.scratch))
    }

    /// Fills the slots with the values of `line`; whether it bears the marks of a request, and was read to its end.
    fn split<'a>(
        &self,
        line: &'a [u8],
        marks: LineMarks<'_>,
        values: &mut Values<'a>,
        shape: &mut Shape,
    ) -> (bool, Result<(), Stop>) {
        let mut scan = Scan {
            tree: &self.tree,
            shape: shape.of(&self.tree),
            line,
            marks,
            at: 0,
            next_mark: 0,
            last: 0,
            values,
            ranks: [u8::MAX; SLOTS],
            found: 0,
        };
        let stopped = scan.line();
        (self.tree.is_request(scan.found), stopped)
    }

    /// Time and outcome are there: what is missing at the end of a cut line can be done without.
    fn has_essentials(&self, values: &Values<'_>) -> bool {
        let wanted = |slot: Slot| self.tree.slots >> slot as u32 & 1 == 1;
        let asked = values.has(Slot::RequestLine) || values.has(Slot::Target) || values.has(Slot::Path);
        let lasted =
            [Slot::Duration, Slot::OtherTime].into_iter().all(|slot| !wanted(slot) || values.has(slot));
        values.has(Slot::Time) && asked && values.has(Slot::Status) && lasted
    }
}

/// One pass over one line.
struct Scan<'a, 's> {
    tree: &'s Tree,
    shape: &'s mut Shape,
    line: &'a [u8],
    marks: LineMarks<'s>,
    at: usize,
    /// The number of a mark that is at most the first behind `at`.
    next_mark: usize,
    /// The key before this one.
    last: u32,
    values: &'s mut Values<'a>,
    /// Of each slot, the rank of the key that has filled it.
    ranks: [u8; SLOTS],
    /// Bits of the marks found.
    found: u32,
}

impl<'a> Scan<'a, '_> {
    /// An object; a bracket before it or a comma behind it are those of an array with one element per line.
    fn line(&mut self) -> Result<(), Stop> {
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
        while self.byte() != Some(b'}') {
            let below = match self.expected_key(place) {
                Some(below) => below,
                None => {
                    let start = self.at;
                    self.skip(|byte| byte == b',' || byte.is_ascii_whitespace());
                    match self.byte().ok_or(Stop::Cut)? {
                        b'"' => self.unexpected_key(start, place)?,
                        b'}' => break,
                        _ => return Err(Stop::Broken),
                    }
                }
            };
            self.value(below)?;
        }
        self.at += 1;
        Ok(())
    }

    /// Passes a key, if it is one of those that came next before; gives the place of its value.
    #[inline]
    fn expected_key(&mut self, parent: u32) -> Option<u32> {
        let rest = self.line.get(self.at..)?;
        for expected in self.shape.keys[self.last as usize].next {
            let seen = &self.shape.keys[expected as usize];
            if seen.parent == parent
                && let Some(after) = seen.text.strip_from(rest)
            {
                self.at = self.line.len() - after.len();
                self.next_mark += seen.marks as usize;
                self.last = expected;
                return Some(seen.place);
            }
        }
        None
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
            self.take(wanted, text, escaped);
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
                self.test(wanted, b"{");
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
                    self.take(wanted, if text == b"null" { b"" } else { text }, false);
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
        let start = self.at + 1;
        let mut number = self.next_mark;
        while self.marks.get(number).is_some_and(|at| at < start) {
            number += 1;
        }
        let mut escaped = false;
        loop {
            let end = self.marks.get(number).ok_or(Stop::Cut)?;
            number += 1;
            if self.line.get(end) == Some(&b'"') {
                (self.at, self.next_mark) = (end + 1, number);
                return Ok((&self.line[start..end], escaped));
            }
            escaped = true;
            // What stands behind a backslash is text.
            number += usize::from(self.marks.get(number) == Some(end + 1));
        }
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

    #[inline]
    fn take(&mut self, wanted: &Place, text: &'a [u8], escaped: bool) {
        if !wanted.tests.is_empty() {
            self.test(wanted, text);
        }
        if matches!(text, [] | b"-") {
            return;
        }
        for (slot, rank) in &wanted.slots {
            if *rank <= self.ranks[*slot as usize] {
                self.ranks[*slot as usize] = *rank;
                self.values.set(*slot, text);
                self.values.escaped &= !(1 << *slot as u32);
                if escaped {
                    self.values.set_escaped(*slot);
                }
            }
        }
    }

    #[inline(never)]
    fn test(&mut self, wanted: &Place, text: &[u8]) {
        for (test, bit) in &wanted.tests {
            if test.decides(text) {
                self.found |= bit;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::escape::Escape;
    use super::super::marks::Marks;
    use super::*;

    const FIELDS: [(&str, Slot); 8] = [
        ("t", Slot::Time),
        ("request.uri", Slot::Target),
        ("status", Slot::Status),
        ("client", Slot::Client),
        ("remote", Slot::Client),
        ("request.headers.User-Agent[0]", Slot::UserAgent),
        ("id.orig_h", Slot::Host),
        ("user", Slot::User),
    ];

    fn format() -> Json {
        let marks = [Mark { paths: &["kind"], test: Test::Not(&["other"]) }];
        Json::new(&FIELDS, &marks, Meaning { escape: Escape::Json, ..Meaning::default() })
    }

    fn decoded(values: &Values<'_>, slot: Slot) -> Option<String> {
        let mut out = Vec::new();
        let escape = if values.is_escaped(slot) { Escape::Json } else { Escape::None };
        escape.decode(values.printed(slot)?, &mut out);
        Some(String::from_utf8(out).unwrap())
    }

    #[track_caller]
    fn check(line: &str, expected: &[(Slot, &str)], stopped: Result<(), Stop>) {
        let mut values = Values::NONE;
        let mut marks = Marks::default();
        let marks = marks.of(line.as_bytes());
        let (_, found) = format().split(line.as_bytes(), marks, &mut values, &mut Shape::default());
        let taken: Vec<(Slot, String)> =
            FIELDS.iter().filter_map(|(_, slot)| Some((*slot, decoded(&values, *slot)?))).collect::<Vec<_>>();
        let mut taken: Vec<(Slot, &str)> = taken.iter().map(|(slot, text)| (*slot, text.as_str())).collect();
        taken.dedup();
        assert_eq!((taken.as_slice(), found), (expected, stopped), "{line}");
    }

    #[test]
    fn values_are_found_wherever_they_are() {
        check(
            r#"{"t":1,"x":{"status":5,"y":["}"]},"status":"200"}"#,
            &[(Slot::Time, "1"), (Slot::Status, "200")],
            Ok(()),
        );
        check(
            " { \"t\" : 1.5e3 , \"status\" :\t404\r\n} ",
            &[(Slot::Time, "1.5e3"), (Slot::Status, "404")],
            Ok(()),
        );
        check(
            r#"{"request":{"headers":{"User-Agent":["a","b"]},"uri":"\/x"}}"#,
            &[(Slot::Target, "/x"), (Slot::UserAgent, "a")],
            Ok(()),
        );
        check(
            r#"{"request.uri":"/x","id":{"orig_h":"h"}}"#,
            &[(Slot::Target, "/x"), (Slot::Host, "h")],
            Ok(()),
        );
        check(r#"{"id.orig_h":"h"}"#, &[(Slot::Host, "h")], Ok(()));
        check(r#"{"t":null,"status":"-","user":"","remote":"r"}"#, &[(Slot::Client, "r")], Ok(()));
        check(r#"{"client":"c","remote":"r"}"#, &[(Slot::Client, "c")], Ok(()));
        check(r#"{"remote":"r","client":"c","client":"d"}"#, &[(Slot::Client, "d")], Ok(()));
        check(r#"{"t":,"status":200,}"#, &[(Slot::Status, "200")], Ok(()));
        check(r#"{"user":"a\"\\\u00e9\ud83d\ude00\ud800"}"#, &[(Slot::User, "a\"\\é😀\u{fffd}")], Ok(()));
        check(r#",{"t":1},"#, &[(Slot::Time, "1")], Ok(()));
        check("{}", &[], Ok(()));
    }

    #[test]
    fn lines_that_end_early_or_late_say_so() {
        check(r#"{"t":1,"status":20"#, &[(Slot::Time, "1")], Err(Stop::Cut));
        check(r#"{"t":1,"user":"abc"#, &[(Slot::Time, "1")], Err(Stop::Cut));
        check(r#"{"t":1,"user":"abc\"#, &[(Slot::Time, "1")], Err(Stop::Cut));
        check(r#"{"t":1,"x":{"y":["#, &[(Slot::Time, "1")], Err(Stop::Cut));
        check(r#"{"t":1}{"t":2}"#, &[(Slot::Time, "1")], Err(Stop::Trailing));
        check(r#"{"t" 1}"#, &[], Err(Stop::Broken));
        check("plain", &[], Err(Stop::Broken));
    }

    #[test]
    fn lines_are_classed() {
        const WHOLE: &str = r#"{"t":"10/Oct/2000:13:55:36 -0700","request":{"uri":"/"},"status":200"#;
        for (line, expected) in [
            (format!("{WHOLE}}}"), Ok(false)),
            (format!(r#"{WHOLE},"user":"x"#), Ok(true)),
            (format!("{WHOLE}}} and more"), Ok(true)),
            (format!(r#"{WHOLE},"kind":"other"}}"#), Err(Reject::NotARequest)),
            (r#"{"t":"10/Oct/2000:13:55:36 -0700","reque"#.to_owned(), Err(Reject::Truncated)),
            (r#"{"t":"yesterday"}"#.to_owned(), Err(Reject::BadTime)),
            (r#"{"t":1} x"#.to_owned(), Err(Reject::TrailingText)),
            ("  ".to_owned(), Err(Reject::Blank)),
            ("\0{}".to_owned(), Err(Reject::Binary)),
            ("text".to_owned(), Err(Reject::OtherFormat)),
        ] {
            let found =
                format().parse(line.as_bytes(), None, &mut Cache::default()).map(|request| request.truncated);
            assert_eq!(found, expected, "{line}");
        }
    }

    /// Random numbers, the same in every run.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % limit
        }

        fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
            from[self.below(from.len())]
        }

        fn value(&mut self, deep: usize, out: &mut String) {
            const SCALARS: [&str; 12] = [
                "17",
                "-1.5e-3",
                "true",
                "null",
                r#""""#,
                r#""-""#,
                r#""plain""#,
                r#""\"q\\""#,
                r#""é\u00e9\ud83d\ude00""#,
                r#""{[,:]}""#,
                r#""a longer text that passes the words that are looked at first""#,
                r#""\/\n""#,
            ];
            const KEYS: [&str; 10] = [
                "t",
                "status",
                "client",
                "remote",
                "user",
                "request",
                "uri",
                "headers",
                "User-Agent",
                "other",
            ];
            let blank = self.pick(&["", "", " "]);
            match self.below(if deep == 0 { 1 } else { 4 }) {
                1 => {
                    out.push('[');
                    for at in 0..self.below(3) {
                        out.push_str(if at > 0 { "," } else { blank });
                        self.value(deep - 1, out);
                    }
                    out.push(']');
                }
                2 | 3 => {
                    out.push('{');
                    let mut keys = KEYS.to_vec();
                    for at in 0..self.below(7) {
                        let key = keys.remove(self.below(keys.len()));
                        out.push_str(if at > 0 { "," } else { "" });
                        out.push_str(&format!("{blank}\"{key}\"{blank}:{blank}"));
                        self.value(deep - 1, out);
                    }
                    out.push('}');
                }
                _ => out.push_str(self.pick(&SCALARS)),
            }
        }
    }

    /// What a reader that builds trees finds at `path`: of arrays, the first element.
    fn at_path(value: &Value, path: &str) -> Option<String> {
        let first = |mut value: Value| {
            while let Value::Array(elements) = value {
                value = elements.into_iter().next()?;
            }
            Some(value)
        };
        let mut value = value.clone();
        for key in path.replace("[0]", "").split('.') {
            value = first(value)?.get(key)?.clone();
        }
        match first(value)? {
            Value::String(text) => Some(text),
            Value::Null | Value::Object(_) => None,
            other => Some(other.to_string()),
        }
        .filter(|text| !matches!(text.as_str(), "" | "-"))
    }

    #[test]
    fn the_scanner_finds_what_a_tree_holds() {
        let format = format();
        let mut dice = Dice(7);
        let (mut shape, mut marks) = (Shape::default(), Marks::default());
        for _ in 0..3_000 {
            let mut line = String::new();
            while !line.starts_with('{') {
                line.clear();
                dice.value(5, &mut line);
            }
            let tree: Value = serde_json::from_str(&line).unwrap();
            let mut values = Values::NONE;
            let (_, stopped) =
                format.split(line.as_bytes(), marks.of(line.as_bytes()), &mut values, &mut shape);
            assert_eq!(stopped, Ok(()), "{line}");
            for slot in FIELDS.map(|(_, slot)| slot) {
                let mut paths = FIELDS.iter().filter(|(_, of)| *of == slot);
                let expected = paths.find_map(|(path, _)| at_path(&tree, path));
                // A reader of numbers prints them its own way.
                let found = decoded(&values, slot)
                    .map(|text| if text == "-1.5e-3" { "-0.0015".to_owned() } else { text });
                assert_eq!(found, expected, "{slot:?} of {line}");
            }
        }
    }

    #[test]
    fn a_line_of_brackets_does_not_fill_the_stack() {
        let nested =
            |depth: usize| format!(r#"{{"t":{}1{},"status":200}}"#, "[".repeat(depth), "]".repeat(depth));
        check(&nested(400_000), &[(Slot::Time, "1"), (Slot::Status, "200")], Ok(()));
        check(&format!(r#"{{"t":{}"#, "[".repeat(1 << 20)), &[], Err(Stop::Cut));
    }

    #[test]
    fn no_line_panics_and_no_line_depends_on_those_before_it() {
        let format = format();
        let mut cache = Cache::default();
        super::super::tests::mutate(
            &[
                r#"{"t":"10/Oct/2000:13:55:36 -0700","request":{"headers":{"User-Agent":["a\u00e9"]},"uri":"/"},"status":200}"#,
                r#"[{"remote": "192.0.2.1", "x": {"y": [1, {"z": "\\"}]}, "t": 1, "status": null},"#,
            ],
            |line| {
                let warm = format.parse(line, None, &mut cache).map(|request| format!("{request:?}"));
                let fresh =
                    format.parse(line, None, &mut Cache::default()).map(|request| format!("{request:?}"));
                assert_eq!(warm, fresh);
            },
        );
    }
}
