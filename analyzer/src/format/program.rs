//! A compiled format: a list of fields, each with the literal text that follows it.
//!
//! A line is read once, from left to right, by searching the next literal; no regular expression, no allocation.

use super::Cache;
use super::escape::Escape;
use super::extent;
use super::marks::{LineMarks, Walk};
use super::meaning::{Meaning, Numbers};
use super::near::near;
use super::other_record::OtherRecords;
use super::search;
use super::values::{Slot, Values};
use crate::reject::Reject;
use crate::request::Request;

/// How far a field reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// To the first byte of the literal that follows, which the field never holds.
    Token,
    /// To the next occurrence of the whole literal that follows.
    Text,
    /// To the closing quote; quotes inside are escaped by a backslash.
    Quoted,
    /// A list of items joined by `, ` or ` : `, as nginx writes one item per upstream tried.
    List,
    /// As far as the digits of a number, or the `-` of a missing one, go.
    Number,
    /// As far as the stamp of its slot goes.
    Stamp,
    /// A host or an address before its port or a path: to the last occurrence of the literal inside the word, as
    /// addresses hold colons themselves; to the first slash, where no literal follows.
    Host,
    /// To the end of the line, where the literal stands once more.
    Rest,
    /// As [`Extent::Token`], after blanks that pad it on the left.
    Padded,
    /// As [`Extent::Token`], and capitals, digits and `_` only, such as `TCP_MISS`.
    Capitals,
    /// Quoted where it has a value, bare where it has none; the quotes belong to the field.
    Wrapped,
    /// Nothing at all, not even the literal that follows, unless it starts with this byte. A `{` ends at its `}`.
    Optional(u8),
}

/// One field and the literal text after it.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) slot: Option<Slot>,
    pub(crate) extent: Extent,
    pub(crate) then: Literal,
    /// The same field in a second meaning, when `--identity` names a field that also has one of its own.
    pub(crate) also_identity: bool,
    first_end: FirstEnd,
}

/// Where the first place is that a field may end at.
#[derive(Debug, Clone, Copy)]
enum FirstEnd {
    /// At the first of this byte.
    Byte(u8),
    /// At the first quote.
    Quote,
    /// At the first quote without a backslash before it.
    ClosingQuote,
    /// That takes more than a search for a byte.
    Elsewhere,
}

impl Field {
    pub(crate) fn new(slot: Option<Slot>, extent: Extent, then: Literal, also_identity: bool) -> Self {
        let first_end = match (extent, then.bytes().first()) {
            (Extent::Quoted, Some(_)) => FirstEnd::ClosingQuote,
            (Extent::Token | Extent::Text, Some(b'"')) => FirstEnd::Quote,
            (Extent::Token | Extent::Text, Some(first)) => FirstEnd::Byte(*first),
            _ => FirstEnd::Elsewhere,
        };
        Self { slot, extent, then, also_identity, first_end }
    }

    /// Whether the field is not at the start of `rest`, as it may be.
    #[inline]
    fn is_left_out(&self, rest: &[u8]) -> bool {
        matches!(self.extent, Extent::Optional(first) if rest.first() != Some(&first))
    }

    /// Whether a backslash was passed on the way to the closing quote.
    fn has_backslash(&self, value: &[u8]) -> bool {
        self.extent == Extent::Quoted && memchr::memchr(b'\\', value).is_some()
    }
}

/// Text that stands between fields.
///
/// Nearly always a few bytes, so it is compared as words: a call that compares that little costs more than the
/// comparison.
#[derive(Debug, Clone, Default)]
pub(crate) struct Literal {
    bytes: Box<[u8]>,
    /// The first eight bytes, and which of them there are.
    word: u64,
    mask: u64,
    /// The last eight bytes, where there are so many. They may overlap with the first.
    last: u64,
    /// Quotes and backslashes in it.
    pub(super) marks: usize,
}

/// Bytes of a word.
const WORD: usize = 8;

impl Literal {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut word = [0; WORD];
        let mut mask = [0; WORD];
        for (i, byte) in bytes.iter().take(WORD).enumerate() {
            (word[i], mask[i]) = (*byte, u8::MAX);
        }
        Self {
            bytes: bytes.into(),
            word: u64::from_le_bytes(word),
            mask: u64::from_le_bytes(mask),
            last: bytes.last_chunk().map_or(0, |last| u64::from_le_bytes(*last)),
            marks: memchr::memchr2_iter(b'"', b'\\', bytes).count(),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What follows the literal at the start of `text`.
    #[inline]
    pub(super) fn strip_from<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        let Some(chunk) = text.first_chunk::<WORD>() else { return text.strip_prefix(&*self.bytes) };
        if u64::from_le_bytes(*chunk) & self.mask != self.word {
            return None;
        }
        let (here, after) = text.split_at_checked(self.bytes.len())?;
        if here.len() <= WORD {
            return Some(after);
        }
        let last = here.last_chunk::<WORD>().is_some_and(|last| u64::from_le_bytes(*last) == self.last);
        (last && (here.len() <= 2 * WORD || here == &*self.bytes)).then_some(after)
    }
}

/// What may follow the last field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing.
    Nothing,
    /// Anything after a space: fields that somebody added at the end.
    Anything,
    /// Anything, and the field of this number and those after it may be missing: fields that the producer added
    /// over the years.
    AnythingFrom(usize),
}

/// A compiled format.
#[derive(Debug, Clone)]
pub struct Program {
    pub(crate) lead: Literal,
    pub(crate) fields: Vec<Field>,
    pub(crate) tail: Tail,
    pub(crate) meaning: Meaning,
}

/// Whether blanks in the format stand for exactly themselves.
///
/// People paste formats whose blanks were lined up by hand, so a format that does not fit exactly is
/// tried again with every run of blanks standing for any run of blanks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blanks {
    Exact,
    Any,
}

impl Program {
    /// Whether some field of the format fills `slot`.
    pub(crate) fn has(&self, slot: Slot) -> bool {
        self.fields.iter().any(|field| field.slot == Some(slot))
    }

    #[inline]
    pub(crate) fn parse<'a>(
        &self,
        line: &'a [u8],
        marks: Option<LineMarks<'_>>,
        cache: &'a mut Cache,
    ) -> Result<Request<'a>, Reject> {
        let mut values = Values::NONE;
        let marks = marks.unwrap_or_else(|| cache.marks.of(line));
        let exact = self.split(line, marks, Blanks::Exact, &mut values);
        match exact.and_then(|()| self.meaning.numbers(&values, cache)) {
            Ok(numbers) => self.finish(line, &mut values, numbers, cache),
            Err(reject) => self.parse_again(line, reject, cache),
        }
    }

    /// What can be made of a line that does not fit exactly, for the reason `exact`.
    #[cold]
    fn parse_again<'a>(
        &self,
        line: &'a [u8],
        exact: Reject,
        cache: &'a mut Cache,
    ) -> Result<Request<'a>, Reject> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Err(Reject::Blank);
        }
        if memchr::memchr(0, line).is_some() {
            return Err(Reject::Binary);
        }
        if let Some(mut values) = search::split(self, line)
            && let Ok(numbers) = self.meaning.numbers(&values, cache)
        {
            return self.finish(line, &mut values, numbers, cache);
        }
        let mut values = Values::NONE;
        let loose = self.split(line, cache.marks.of(line), Blanks::Any, &mut values);
        match loose.and_then(|()| self.meaning.numbers(&values, cache)) {
            Ok(numbers) => self.finish(line, &mut values, numbers, cache),
            Err(_) if self.meaning.others.holds(line) => Err(Reject::NotARequest),
            Err(_) => Err(exact),
        }
    }

    #[inline]
    fn finish<'a>(
        &self,
        line: &[u8],
        values: &mut Values<'a>,
        numbers: Numbers,
        cache: &'a mut Cache,
    ) -> Result<Request<'a>, Reject> {
        let request = self.meaning.request(values, numbers, &mut cache.scratch);
        let others = self.meaning.others;
        if others != OtherRecords::None && request.known_method().is_none() && others.holds(line) {
            return Err(Reject::NotARequest);
        }
        Ok(request)
    }

    /// Fills `fields`, which are empty.
    // Always inlined, so that the copy that reads nearly all lines knows its blanks.
    #[inline(always)]
    fn split<'a>(
        &self,
        line: &'a [u8],
        marks: LineMarks<'_>,
        blanks: Blanks,
        fields: &mut Values<'a>,
    ) -> Result<(), Reject> {
        let escape = match self.meaning.escape {
            Escape::Backslash | Escape::Json if !marks.may_be_backslashes() => Escape::None,
            escape => escape,
        };
        let mut quotes = Walk::new(line, marks);
        quotes.pass(self.lead.marks);
        let mut rest = match_literal(&self.lead, line, blanks).ok_or(Reject::OtherFormat)?;
        for (number, field) in self.fields.iter().enumerate() {
            let found = match shortest(line, rest, field, blanks, &mut quotes) {
                Some(found) => found,
                None => match self.find(line, rest, field, blanks, &mut quotes, fields) {
                    Some(found) => found,
                    None if field.is_left_out(rest) => continue,
                    None => return self.cut(number, rest, fields),
                },
            };
            quotes.pass(field.then.marks);
            rest = found.rest;
            keep(field, found, escape, fields);
        }
        match (rest, self.tail) {
            ([], _) | ([b' ', ..], Tail::Anything) | (_, Tail::AnythingFrom(_)) => Ok(()),
            (blanks, Tail::Nothing) if blanks.iter().all(u8::is_ascii_whitespace) => Ok(()),
            // Two writers of one file: the next line begins inside this one, which has all that it needs.
            (_, Tail::Anything) if self.has_essentials(fields) => {
                fields.truncated = true;
                Ok(())
            }
            _ => Err(Reject::TrailingText),
        }
    }

    /// The field at the start of `rest`, wherever it ends.
    #[inline(never)]
    fn find<'a>(
        &self,
        line: &[u8],
        rest: &'a [u8],
        field: &Field,
        blanks: Blanks,
        quotes: &mut Walk<'_, '_>,
        fields: &mut Values<'a>,
    ) -> Option<Found<'a>> {
        if field.is_left_out(rest) {
            return None;
        }
        let mut escaped = false;
        let end = &rest[rest.len()..];
        let (value, rest) = match field.extent {
            Extent::Number | Extent::Stamp | Extent::Host => {
                let (value, then) = rest.split_at(self.self_delimited(rest, field)?);
                (value, match_literal(&field.then, then, blanks)?)
            }
            Extent::Rest => (rest.strip_suffix(field.then.bytes())?, end),
            Extent::Padded | Extent::Capitals | Extent::Wrapped | Extent::Optional(_) => {
                extent::find(rest, field, blanks, self.meaning.escape, &mut escaped)?
            }
            Extent::Token | Extent::Text | Extent::Quoted | Extent::List => {
                match field.then.bytes().first() {
                    Some(first) => search(line, rest, field, *first, blanks, quotes)?,
                    // The last one.
                    None => (rest, end),
                }
            }
        };
        if let Extent::Optional(b'{') = field.extent {
            extent::captured(value, &self.meaning, fields);
        }
        escaped |= field.has_backslash(value);
        Some(Found { value, rest, escaped })
    }

    /// What can be made of a line that has no field of this number, but `rest` in its place.
    #[cold]
    fn cut<'a>(&self, number: usize, rest: &'a [u8], fields: &mut Values<'a>) -> Result<(), Reject> {
        let field = &self.fields[number];
        match field.extent {
            _ if matches!(self.tail, Tail::AnythingFrom(optional) if number >= optional) => return Ok(()),
            Extent::Text | Extent::Quoted | Extent::List | Extent::Rest | Extent::Wrapped => {}
            _ => return Err(Reject::OtherFormat),
        }
        // What is there of the field counts: HAProxy prints the request last, where lines are cut.
        let value = extent::opened(rest, field.extent);
        keep(
            field,
            Found { value, rest: b"", escaped: field.has_backslash(value) },
            self.meaning.escape,
            fields,
        );
        fields.truncated = true;
        if self.has_essentials(fields) { Ok(()) } else { Err(Reject::Truncated) }
    }

    /// Where a field ends that does not need the literal after it to be told from what follows.
    pub(super) fn self_delimited(&self, text: &[u8], field: &Field) -> Option<usize> {
        match field.extent {
            Extent::Stamp => match field.slot? {
                Slot::CoarseTime => self.meaning.coarse_time.extent(text),
                Slot::OtherTime => self.meaning.other_time.extent(text),
                _ => self.meaning.time.extent(text),
            },
            Extent::Host => host(text, &field.then),
            _ => {
                let sign = usize::from(matches!(text, [b'-' | b'+', ..]));
                let digit = |byte: &&u8| byte.is_ascii_digit() || **byte == b'.';
                let length = sign + text[sign..].iter().take_while(digit).count();
                // Only where text is not escaped with backslashes alone does nginx print nothing for what is missing.
                Some(length).filter(|length| *length > 0 || self.meaning.escape != Escape::Backslash)
            }
        }
    }

    /// Time and outcome are there: what is missing at the end of a cut line can be done without.
    fn has_essentials(&self, values: &Values<'_>) -> bool {
        let asked = values.has(Slot::RequestLine) || values.has(Slot::Target) || values.has(Slot::Path);
        let durations_read = !self.has(Slot::Duration) || values.has(Slot::Duration);
        values.has(Slot::Time) && asked && values.has(Slot::Status) && durations_read
    }
}

/// What follows `literal` at the start of `text`.
#[inline]
pub(super) fn match_literal<'a>(literal: &Literal, text: &'a [u8], blanks: Blanks) -> Option<&'a [u8]> {
    match blanks {
        Blanks::Exact => literal.strip_from(text),
        Blanks::Any => match_any_blanks(&literal.bytes, text),
    }
}

#[cold]
fn match_any_blanks<'a>(mut literal: &[u8], mut text: &'a [u8]) -> Option<&'a [u8]> {
    while let [byte, after @ ..] = literal {
        if *byte == b' ' {
            let blank_count = text.iter().take_while(|byte| **byte == b' ').count();
            if blank_count == 0 {
                return None;
            }
            text = &text[blank_count..];
            literal = literal.trim_ascii_start();
        } else {
            text = text.strip_prefix(&[*byte])?;
            literal = after;
        }
    }
    Some(text)
}

/// Where a host ends, with its port: at the last place inside its word where the literal after it stands.
fn host(text: &[u8], then: &Literal) -> Option<usize> {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'/' | b'|' | b',');
    let word = &text[..text.iter().position(ends).unwrap_or(text.len())];
    let [first, ..] = then.bytes() else { return Some(word.len()) };
    let mut candidates = memchr::memrchr_iter(*first, word);
    let end = candidates.find(|at| then.strip_from(&text[*at..]).is_some()).or_else(|| {
        // Nothing that a host may hold: the literal ends the word.
        then.strip_from(&text[word.len()..]).map(|_| word.len())
    });
    // A host with a colon in it is an address, which has no hyphen: a stamp in front of the line has both.
    let stamp = |end: &usize| memchr::memchr(b':', &word[..*end]).is_some() && word[..*end].contains(&b'-');
    end.filter(|end| !stamp(end))
}

#[inline]
pub(super) fn token<'a>(text: &'a [u8], then: &Literal, blanks: Blanks) -> Option<(&'a [u8], &'a [u8])> {
    let end = near(then.bytes[0], text)?;
    Some((&text[..end], match_literal(then, &text[end..], blanks)?))
}

/// A field.
struct Found<'a> {
    value: &'a [u8],
    /// What follows its literal.
    rest: &'a [u8],
    /// A backslash was passed inside quotes.
    escaped: bool,
}

/// The field at the start of `rest`, which is the end of `line`, where it is as short as it can be: nearly all are.
#[inline(always)]
fn shortest<'a>(
    line: &[u8],
    rest: &'a [u8],
    field: &Field,
    blanks: Blanks,
    quotes: &mut Walk<'_, '_>,
) -> Option<Found<'a>> {
    let passed = line.len() - rest.len();
    let mut escaped = false;
    let length = match field.first_end {
        FirstEnd::Byte(first) => near(first, rest)?,
        FirstEnd::Quote => quotes.quote(passed)? - passed,
        FirstEnd::ClosingQuote => quotes.closing_quote(passed, &mut escaped)? - passed,
        FirstEnd::Elsewhere => return None,
    };
    let (value, then) = rest.split_at(length);
    Some(Found { value, rest: match_literal(&field.then, then, blanks)?, escaped })
}

/// As [`shortest`], however long it is: its text, and what follows its literal, which starts with `first`.
fn search<'a>(
    line: &[u8],
    rest: &'a [u8],
    field: &Field,
    first: u8,
    blanks: Blanks,
    quotes: &mut Walk<'_, '_>,
) -> Option<(&'a [u8], &'a [u8])> {
    let passed = line.len() - rest.len();
    let mut from = 0;
    loop {
        let end = match first {
            b'"' if field.extent == Extent::Quoted => {
                quotes.closing_quote(passed + from, &mut false)? - passed
            }
            b'"' => quotes.quote(passed + from)? - passed,
            first => from + near(first, &rest[from..])?,
        };
        let (value, then) = rest.split_at(end);
        match match_literal(&field.then, then, blanks) {
            Some(rest) if field.extent != Extent::List || !is_inside_list(value, then, &field.then) => {
                return Some((value, rest));
            }
            _ if field.extent == Extent::Token => return None,
            _ => from = end + 1,
        }
    }
}

/// Whether the list goes on where it is broken off.
fn is_inside_list(list: &[u8], behind: &[u8], then: &Literal) -> bool {
    list.ends_with(b",")
        || list.ends_with(b" :")
        || behind.starts_with(b" : ")
        || then.bytes.len() == 1 && behind.starts_with(b", ")
}

/// Puts a field where it belongs. `escape` is what the producer does to text, unless nothing in the line can be one.
#[inline(always)]
fn keep<'a>(field: &Field, found: Found<'a>, escape: Escape, fields: &mut Values<'a>) {
    let Found { value, escaped, .. } = found;
    let Some(slot) = field.slot.or(field.also_identity.then_some(Slot::Identity)) else { return };
    fields.set(slot, value);
    if field.also_identity {
        fields.set(Slot::Identity, value);
    }
    // Tokens hold none, and those inside quotes were found with the closing one.
    let is_searched = escape != Escape::None && !matches!(field.extent, Extent::Token | Extent::Quoted);
    if escaped || is_searched && escape.is_in(value) {
        fields.set_escaped(slot);
        if field.also_identity {
            fields.set_escaped(Slot::Identity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_passed_where_every_byte_of_it_is_there() {
        let alphabet: Vec<u8> = (b' '..=b'z').collect();
        for length in 0..40 {
            let literal = Literal::new(&alphabet[..length]);
            for text_length in 0..60 {
                let text = &alphabet[..text_length];
                assert_eq!(literal.strip_from(text), text.get(length..), "{length} of {text_length}");
                for changed in 0..length.min(text_length) {
                    let mut text = text.to_vec();
                    text[changed] ^= 1;
                    assert_eq!(literal.strip_from(&text), None, "{length} of {text_length}, but {changed}");
                }
            }
        }
    }
}
