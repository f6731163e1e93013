//! Lines whose fields bear their names: LTSV (`time:…<TAB>status:200`, ltsv.org) and logfmt (`time=… status=200`).

use super::Cache;
use super::meaning::Meaning;
use super::values::{SLOTS, Slot, Values};
use crate::reject::Reject;
use crate::request::Request;

/// How names and values are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// `name:value`, tabs between. There are no escapes but those of the producer: nginx writes `\x09`.
    Ltsv,
    /// `name=value`, blanks between; a value with blanks stands in quotes, with escapes as in JSON.
    Logfmt,
}

impl Syntax {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ltsv => "ltsv",
            Self::Logfmt => "logfmt",
        }
    }

    /// Gives every field of `line` to `visit`: name, value, and whether it may hold escapes. Stops where `visit` says
    /// no; false where a quote is not closed.
    #[inline]
    pub(super) fn each<'a>(
        self,
        line: &'a [u8],
        visit: &mut impl FnMut(&'a [u8], &'a [u8], bool) -> bool,
    ) -> bool {
        match self {
            Self::Ltsv => {
                let mut rest = line;
                loop {
                    let end = memchr::memchr(b'\t', rest).unwrap_or(rest.len());
                    let field = &rest[..end];
                    if let Some(colon) = memchr::memchr(b':', field)
                        && !visit(&field[..colon], &field[colon + 1..], true)
                    {
                        return true;
                    }
                    match rest.get(end + 1..) {
                        Some(after) => rest = after,
                        None => return true,
                    }
                }
            }
            Self::Logfmt => {
                let mut rest = line;
                while let Some(end) = memchr::memchr2(b'=', b' ', rest) {
                    let name = &rest[..end];
                    let after = &rest[end + 1..];
                    if rest[end] == b' ' {
                        // A word without a value.
                        rest = after;
                        continue;
                    }
                    let (value, quoted, next) = match after {
                        [b'"', quoted @ ..] => {
                            let Some(end) = closing_quote(quoted) else { return false };
                            (&quoted[..end], true, &quoted[end + 1..])
                        }
                        _ => {
                            let end = memchr::memchr(b' ', after).unwrap_or(after.len());
                            (&after[..end], false, &after[end..])
                        }
                    };
                    if !name.is_empty() && !visit(name, value, quoted) {
                        return true;
                    }
                    rest = next;
                }
                true
            }
        }
    }
}

fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// A format of labelled lines.
#[derive(Debug, Clone)]
pub struct Labelled {
    syntax: Syntax,
    /// Every name with the slots it fills, each with the rank of the name among those for the slot.
    names: Vec<(Box<[u8]>, Vec<(Slot, u8)>)>,
    pub(super) meaning: Meaning,
    pub(super) certainty: f64,
}

impl Labelled {
    pub(super) fn new(syntax: Syntax, fields: &[(String, Slot)], meaning: Meaning, certainty: f64) -> Self {
        let mut names: Vec<(Box<[u8]>, Vec<(Slot, u8)>)> = Vec::new();
        for (rank, (name, slot)) in fields.iter().enumerate() {
            let filled = (*slot, u8::try_from(rank).unwrap_or(u8::MAX - 1));
            match names.iter_mut().find(|(known, _)| **known == *name.as_bytes()) {
                Some((_, slots)) => slots.push(filled),
                None => names.push((name.as_bytes().into(), vec![filled])),
            }
        }
        // In logs that nginx and Apache write in this shape, escapes are theirs.
        let escape = if syntax == Syntax::Ltsv { super::escape::Escape::Backslash } else { meaning.escape };
        Self { syntax, names, meaning: Meaning { escape, ..meaning }, certainty }
    }

    /// How many names it knows.
    pub(super) fn richness(&self) -> usize {
        self.names.len()
    }

    pub(super) fn parse<'a>(&self, line: &'a [u8], cache: &'a mut Cache) -> Result<Request<'a>, Reject> {
        let mut values = Values::NONE;
        let mut ranks = [u8::MAX; SLOTS];
        let (mut fields, mut asked) = (0, false);
        let order = &mut cache.order;
        let whole = self.syntax.each(line, &mut |name, value, escapes| {
            // Producers write their fields in the same order again and again.
            let expected = order.get(fields).copied().unwrap_or(u16::MAX);
            let number = match self.names.get(usize::from(expected)) {
                Some((known, _)) if **known == *name => Some(usize::from(expected)),
                _ => self.names.iter().position(|(known, _)| **known == *name),
            };
            if order.len() <= fields {
                order.resize(fields + 1, u16::MAX);
            }
            order[fields] = number.and_then(|number| u16::try_from(number).ok()).unwrap_or(u16::MAX);
            fields += 1;
            let Some(number) = number else { return fields < MOST_FIELDS };
            for (slot, rank) in &self.names[number].1 {
                asked |= matches!(slot, Slot::RequestLine | Slot::Target | Slot::Path);
                if *rank <= ranks[*slot as usize] && !matches!(value, [] | b"-") {
                    ranks[*slot as usize] = *rank;
                    values.set(*slot, value);
                    values.escaped &= !(1 << *slot as u32);
                    if escapes && memchr::memchr(b'\\', value).is_some() {
                        values.set_escaped(*slot);
                    }
                }
            }
            fields < MOST_FIELDS
        });
        match fields {
            0 if line.iter().all(u8::is_ascii_whitespace) => return Err(Reject::Blank),
            0 if memchr::memchr(0, line).is_some() => return Err(Reject::Binary),
            0 => return Err(Reject::OtherFormat),
            _ => {}
        }
        if !whole {
            let essential = asked && values.has(Slot::Time) && values.has(Slot::Status);
            essential.then_some(()).ok_or(Reject::Truncated)?;
            values.truncated = true;
        } else if !asked {
            return Err(Reject::NotARequest);
        } else if !values.has(Slot::Time) && !values.has(Slot::Status) {
            return Err(Reject::Truncated);
        }
        let numbers = self.meaning.numbers(&values, cache)?;
        Ok(self.meaning.texts(values, numbers, &mut cache.scratch))
    }
}

/// Fields of a line that are looked at.
const MOST_FIELDS: usize = 1024;
