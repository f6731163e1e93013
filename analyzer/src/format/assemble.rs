//! From the pieces of a format string to a [`Program`]: what all languages of format strings have in common.

use super::meaning::Meaning;
use super::program::{Extent, Field, Literal, Program, Tail};
use super::values::Slot;
use crate::error::Error;
use crate::session::identity::Identity;

/// One piece of a format string.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Text(Vec<u8>),
    Item(Item),
}

/// The fields among `pieces`.
pub(super) fn items(pieces: &mut [Piece]) -> Vec<&mut Item> {
    pieces
        .iter_mut()
        .filter_map(|piece| match piece {
            Piece::Item(item) => Some(item),
            Piece::Text(_) => None,
        })
        .collect()
}

/// A field, as its language has it.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// What people call it, such as `$status` or `%>s`.
    pub(super) name: String,
    /// The slot it would fill, and how well: of several items for one slot the lowest rank gets it.
    pub(super) claim: Option<(Slot, u8)>,
    pub(super) extent: Extent,
    /// `--identity` names it.
    pub(super) is_identity: bool,
}

/// Whether text between quotes has its own quotes escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    Escaped,
    /// They stand as the client sent them.
    Raw,
}

/// Puts the pieces in a row: who gets which slot, and how far each field reaches.
///
/// # Errors
/// Two items that cannot be told apart.
pub(super) fn program(pieces: Vec<Piece>, quotes: Quotes, meaning: Meaning) -> Result<Program, String> {
    let mut pieces = pieces;
    give_slots(&mut pieces);
    let mut lead = Vec::new();
    let mut fields: Vec<(Item, Vec<u8>)> = Vec::new();
    for piece in pieces {
        match (piece, fields.last_mut()) {
            (Piece::Text(text), None) => lead.extend_from_slice(&text),
            (Piece::Text(text), Some((_, then))) => then.extend_from_slice(&text),
            (Piece::Item(item), Some((before, then))) if then.is_empty() && !parts(before, &item) => {
                return Err(format!("`{}` and `{}` touch and cannot be told apart", before.name, item.name));
            }
            (Piece::Item(item), _) => fields.push((item, Vec::new())),
        }
    }
    for at in 0..fields.len() {
        let next = fields.get(at + 1).map(|(item, _)| item.extent);
        let before = if at == 0 { lead.last() } else { fields[at - 1].1.last() }.copied();
        let (item, then) = &mut fields[at];
        let is_text = matches!(item.extent, Extent::Token | Extent::Text | Extent::List);
        item.extent = match (then.as_slice(), next) {
            ([b'"', ..], _) if is_text && before == Some(b'"') && quotes == Quotes::Escaped => Extent::Quoted,
            ([_, ..], None) if is_text && quotes == Quotes::Raw => Extent::Rest,
            ([], None) if item.claim.is_some_and(|(slot, _)| is_number(slot)) => Extent::Number,
            ([b':'], Some(Extent::Number)) if is_host(item) => Extent::Host,
            ([], Some(_)) if is_host(item) => Extent::Host,
            _ => item.extent,
        };
    }
    let fields = fields.into_iter().map(|(item, then)| {
        Field::new(item.claim.map(|(slot, _)| slot), item.extent, Literal::new(&then), item.is_identity)
    });
    Ok(Program { lead: Literal::new(&lead), fields: fields.collect(), tail: Tail::Nothing, meaning })
}

/// Each slot goes to the item that fills it best, and of equals to the first.
fn give_slots(pieces: &mut [Piece]) {
    let mut items = items(pieces);
    for at in 0..items.len() {
        let Some((slot, rank)) = items[at].claim else { continue };
        let beaten = items.iter().enumerate().any(|(other, item)| {
            item.claim.is_some_and(|(claimed, better)| claimed == slot && (better, other) < (rank, at))
        });
        if beaten {
            items[at].claim = None;
        }
    }
}

/// Where `one` ends can be told although no text stands between it and `other`.
fn parts(one: &Item, other: &Item) -> bool {
    let path = matches!(other.claim, Some((Slot::Target | Slot::Path, _)));
    match one.extent {
        Extent::Stamp => true,
        // The connection's state is one of `X`, `+` and `-`.
        Extent::Number => path || other.name == "%X",
        _ => is_host(one) && path,
    }
}

/// Has no slash and no blank in it.
fn is_host(item: &Item) -> bool {
    match item.claim {
        Some((slot, _)) => matches!(slot, Slot::Host | Slot::Client),
        None => item.extent == Extent::Token,
    }
}

fn is_number(slot: Slot) -> bool {
    use Slot::{BytesIn, BytesOut, Duration, FirstByte, Status};
    matches!(slot, Status | BytesOut | BytesIn | Duration | FirstByte)
}

/// What a language calls the fields that no format may lack.
pub(super) struct Words {
    pub(super) time: &'static str,
    pub(super) request: &'static str,
    pub(super) status: &'static str,
    pub(super) client: &'static str,
    /// How to log a cookie or a header of a name.
    pub(super) identity: fn(&str) -> String,
}

/// Checks that a profile can be made of what `program` reads.
///
/// # Errors
/// [`Error::LogFormat`] with the first field that is missing.
pub(super) fn check(program: &Program, words: &Words, identity: &Identity) -> Result<(), Error> {
    let wrong = |problem: String, hint: String| Err(Error::LogFormat { problem, hint });
    for (what, names, slots) in [
        ("a time", words.time, &[Slot::Time][..]),
        ("the request", words.request, &[Slot::RequestLine, Slot::Target, Slot::Path]),
        ("the status", words.status, &[Slot::Status]),
    ] {
        if !slots.iter().any(|slot| program.has(*slot)) {
            return wrong(
                format!("found no field for {what} ({names})"),
                "no profile can be made without it".to_owned(),
            );
        }
    }
    let names_identity = program.fields.iter().any(|field| field.also_identity);
    let by_address = program.has(Slot::Client) || program.has(Slot::ForwardedFor);
    if !by_address && !names_identity && program.meaning.cookie.is_none() {
        return wrong(
            format!("found no field for the client ({})", words.client),
            "clients cannot be told apart without one".to_owned(),
        );
    }
    match identity {
        Identity::Cookie(name) | Identity::Field(name)
            if !names_identity && program.meaning.cookie.is_none() =>
        {
            wrong(
                format!("has no field for `{identity}`"),
                format!("add {} to the log, or choose another --identity", (words.identity)(name)),
            )
        }
        _ => Ok(()),
    }
}
