//! How far the fields reach whose producers wrap, pad or leave them out.

use super::escape::Escape;
use super::meaning::Meaning;
use super::program::{Blanks, Extent, Field, Literal, match_literal, token};
use super::values::{Slot, Values};

type Found<'a> = Option<(&'a [u8], &'a [u8])>;

/// The field's text and what follows its literal. Sets `escaped` when an escape was passed inside quotes.
pub(super) fn find<'a>(
    text: &'a [u8],
    field: &Field,
    blanks: Blanks,
    escape: Escape,
    escaped: &mut bool,
) -> Found<'a> {
    let then = &field.then;
    match field.extent {
        Extent::Wrapped => wrapped(text, then, blanks, escape, escaped),
        Extent::Optional(b'{') => {
            let end = memchr::memchr(b'}', text)?;
            Some((&text[1..end], match_literal(then, &text[end + 1..], blanks)?))
        }
        Extent::Padded => bare(text.trim_ascii_start(), then, blanks),
        Extent::Capitals => {
            let capital = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
            let end = text.iter().position(|byte| !capital(byte)).unwrap_or(text.len());
            Some((&text[..end], match_literal(then, &text[end..], blanks)?)).filter(|_| end > 0)
        }
        _ => bare(text, then, blanks),
    }
}

/// To the literal, or to the end of the line where none follows.
fn bare<'a>(text: &'a [u8], then: &Literal, blanks: Blanks) -> Found<'a> {
    if then.bytes().is_empty() { Some((text, &text[text.len()..])) } else { token(text, then, blanks) }
}

/// Inside quotes, where there are any. syslog-ng puts a backslash before the quotes of others.
fn wrapped<'a>(
    text: &'a [u8],
    then: &Literal,
    blanks: Blanks,
    escape: Escape,
    escaped: &mut bool,
) -> Found<'a> {
    let inner = opened(text, Extent::Wrapped);
    let quote = &text[..text.len() - inner.len()];
    if quote.is_empty() {
        return bare(text, then, blanks);
    }
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(quote[0], b'\\', &inner[from..])?;
        let closes = inner[at..].starts_with(quote);
        if inner[at] == b'\\' && !closes {
            let skips = escape.escapes_quotes();
            *escaped |= skips;
            from = (at + if skips { 2 } else { 1 }).min(inner.len());
            continue;
        }
        match match_literal(then, &inner[at + quote.len()..], blanks) {
            Some(after) => return Some((&inner[..at], after)),
            None => from = at + quote.len(),
        }
    }
}

/// What there is of a field that is cut off, without the quote that opens it.
pub(super) fn opened(text: &[u8], extent: Extent) -> &[u8] {
    match text {
        [b'\\', b'"', inner @ ..] | [b'"', inner @ ..] if extent == Extent::Wrapped => inner,
        _ => text,
    }
}

/// Puts the parts of `{…|…}` where the format says they belong.
pub(super) fn captured<'a>(text: &'a [u8], meaning: &Meaning, values: &mut Values<'a>) {
    for (part, slot) in text.split(|byte| *byte == b'|').zip(&meaning.captured) {
        if let Some(slot) = slot {
            values.set(*slot, part);
            if meaning.escape.is_in(part) {
                values.set_escaped(*slot);
            }
        }
    }
}

/// Slots as a set: bit n is slot n.
pub(super) fn set_of(slots: &[Slot]) -> u64 {
    slots.iter().fold(0, |set, slot| set | 1 << *slot as u32)
}
