//! The second reading of a line: where text holds what follows it in the format, a field ends later than it seems.
//!
//! `%u %D` on `jo ann 17`: the first blank is inside the user. The first reading takes every field as short as it can
//! be; this one makes fields longer, the last first, until all of them fit, as a regular expression would. It is tried
//! only on lines that have no first reading, and gives up after a number of steps, whatever the line.

use super::escape::Escape;
use super::program::{Extent, Field, Program, Tail};
use super::values::{Slot, Values};

/// More ends than this are not tried.
const STEPS: u32 = 2_000;

/// The first reading of `line` in which every field fits; `None` when there is none.
pub(super) fn split<'a>(program: &Program, line: &'a [u8]) -> Option<Values<'a>> {
    let is_text = |field: &Field| matches!(field.extent, Extent::Text | Extent::List);
    program.fields.iter().any(is_text).then_some(())?;
    // Products that wrap and pad their fields quote the text in them.
    let is_wrapped = |field: &Field| {
        matches!(field.extent, Extent::Padded | Extent::Capitals | Extent::Wrapped | Extent::Optional(_))
    };
    (!program.fields.iter().any(is_wrapped)).then_some(())?;
    let mut found = Vec::with_capacity(program.fields.len());
    let mut steps = STEPS;
    fields(program, 0, line.strip_prefix(program.lead.bytes())?, &mut found, &mut steps).then_some(())?;
    let mut values = Values::NONE;
    for (field, value) in program.fields.iter().zip(found) {
        let escaped = program.meaning.escape.is_in(value);
        for slot in field.slot.into_iter().chain(field.also_identity.then_some(Slot::Identity)) {
            values.set(slot, value);
            if escaped && field.extent != Extent::Token {
                values.set_escaped(slot);
            }
        }
    }
    Some(values)
}

/// Reads the fields from `at` on; `found` gets their texts.
fn fields<'a>(
    program: &Program,
    at: usize,
    text: &'a [u8],
    found: &mut Vec<&'a [u8]>,
    steps: &mut u32,
) -> bool {
    let Some(field) = program.fields.get(at) else {
        return text.iter().all(u8::is_ascii_whitespace)
            || program.tail == Tail::Anything && text.starts_with(b" ");
    };
    let then = field.then.bytes();
    let mut from = 0;
    while *steps > 0 && from <= text.len() {
        *steps -= 1;
        let end = match field.extent {
            Extent::Number | Extent::Stamp | Extent::Host => program.self_delimited(text, field),
            Extent::Rest => text.strip_suffix(then).map(<[u8]>::len),
            _ => match then.first() {
                None => Some(text.len()),
                // Short as it is, a search for its first byte is ready sooner than one for all of it.
                Some(first) => memchr::memchr_iter(*first, &text[from..])
                    .map(|next| from + next)
                    .find(|end| text[*end..].starts_with(then)),
            },
        };
        let Some(end) = end.filter(|end| text[*end..].starts_with(then)) else { return false };
        let value = &text[..end];
        if fits(program, field, value) {
            found.push(value);
            if fields(program, at + 1, &text[end + then.len()..], found, steps) {
                return true;
            }
            found.pop();
        }
        if !matches!(field.extent, Extent::Text | Extent::List | Extent::Quoted) || then.is_empty() {
            return false;
        }
        from = end + 1;
    }
    false
}

/// Whether `value` can be what `field` prints.
fn fits(program: &Program, field: &Field, value: &[u8]) -> bool {
    let numeric = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+');
    let unquoted = program.meaning.escape == Escape::None || !has_bare_quote(value);
    match field.slot {
        Some(Slot::Status | Slot::BytesOut | Slot::BytesIn | Slot::Duration | Slot::FirstByte) => {
            value.iter().all(numeric)
        }
        // A stamp inside the name of a user is the line before this one, cut short.
        Some(Slot::User) => unquoted && !value.contains(&b'['),
        Some(Slot::Method | Slot::Protocol) => unquoted && !value.contains(&b' '),
        _ => match field.extent {
            Extent::Token => !field.then.bytes().first().is_some_and(|first| value.contains(first)),
            _ => unquoted,
        },
    }
}

/// Servers that escape quotes never print one bare.
fn has_bare_quote(value: &[u8]) -> bool {
    let mut escaped = false;
    value.iter().any(|byte| {
        let bare = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        bare
    })
}
