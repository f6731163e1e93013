//! Formats that no format string describes: their columns, one after the other.

use crate::format::meaning::Meaning;
use crate::format::program::{Extent, Field, Literal, Program, Tail};
use crate::format::values::Slot;
use crate::format::{Format, Options, Reader};
use crate::session::identity::Identity;

/// A column, and the text after it.
pub(super) struct Column {
    /// As the producer's documentation calls it.
    name: &'static str,
    slot: Option<Slot>,
    extent: Extent,
    then: &'static str,
}

pub(super) const fn column(
    name: &'static str,
    slot: Option<Slot>,
    extent: Extent,
    then: &'static str,
) -> Column {
    Column { name, slot, extent, then }
}

/// The format of these columns.
pub(super) fn format(
    label: &str,
    columns: &[Column],
    tail: Tail,
    meaning: Meaning,
    options: &Options,
) -> Format {
    let fields = columns.iter().map(|column| {
        let is_identity = matches!(&options.identity, Identity::Field(name) if name == column.name);
        Field::new(column.slot, column.extent, Literal::new(column.then.as_bytes()), is_identity)
    });
    let program = Program { lead: Literal::default(), fields: fields.collect(), tail, meaning };
    Format::new(label, Reader::Text(program))
}
