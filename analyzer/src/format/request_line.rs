//! What languages print as METHOD, TARGET and PROTOCOL between quotes is one request line.
//!
//! A target may hold blanks and a broken request has no target at all: only the whole line between its quotes can be
//! told from what follows.

use super::assemble::{Item, Piece};
use super::program::Extent;
use super::values::Slot;

/// Makes one field of `"METHOD TARGET PROTOCOL"`. `before_protocol` is the text between target and protocol.
pub(super) fn join(pieces: &mut Vec<Piece>, before_protocol: &[u8], extent: Extent) {
    if let Some(at) = pieces.windows(7).position(|window| is_request_line(window, before_protocol)) {
        let line = Item {
            name: "request line".to_owned(),
            claim: Some((Slot::RequestLine, 0)),
            extent,
            is_identity: false,
        };
        pieces.splice(at + 1..at + 6, [Piece::Item(line)]);
    }
}

fn is_request_line(window: &[Piece], before_protocol: &[u8]) -> bool {
    let text = |at: usize| match &window[at] {
        Piece::Text(text) => text.as_slice(),
        Piece::Item(_) => b"",
    };
    let slot = |at: usize| match &window[at] {
        Piece::Item(item) => item.claim.map(|(slot, _)| slot),
        Piece::Text(_) => None,
    };
    text(0).ends_with(b"\"")
        && slot(1) == Some(Slot::Method)
        && text(2) == b" "
        && matches!(slot(3), Some(Slot::Target | Slot::Path))
        && text(4) == before_protocol
        && slot(5) == Some(Slot::Protocol)
        && text(6).starts_with(b"\"")
}
