//! Tables of access logs: which column is which field of a request.

use super::Table;
use crate::document::Sink;
use crate::format::Cache;
use crate::format::meaning::Meaning;
use crate::format::number::Unit;
use crate::format::time::TimeFormat;
use crate::format::values::{Slot, Values};
use shared::profile::Stamp;

/// Columns by name, and what their cells mean.
#[derive(Debug, Clone)]
pub struct Columns {
    pub(crate) slots: Vec<(String, Slot)>,
    pub(crate) meaning: Meaning,
}

impl Columns {
    /// Gives every row of a Parquet file as a request, or why it is none.
    ///
    /// # Errors
    /// That the file cannot be read, or lacks one of the columns.
    pub(crate) fn read_parquet(&self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), String> {
        let table = super::read_parquet(bytes)?;
        match self.slots.iter().find(|(name, _)| !table.has(name)) {
            Some((name, _)) => Err(format!("a table without the column `{name}` that --map names")),
            None => {
                self.read(&table, sink);
                Ok(())
            }
        }
    }

    /// Gives every row of `table` as a request, or why it is none.
    pub(crate) fn read(&self, table: &Table, sink: &mut Sink<'_>) {
        let (mut cache, mut scratch) = (Cache::default(), Vec::new());
        table.rows(|row| {
            let mut values = Values::NONE;
            for (name, cell) in &row {
                let slot = self.slots.iter().find(|(column, _)| column == name).map(|(_, slot)| *slot);
                if let Some(slot) = slot {
                    values.set(slot, cell.as_bytes());
                }
            }
            match self.meaning.numbers(&values, &mut cache) {
                Ok(numbers) => sink(Ok(self.meaning.request(&mut values, numbers, &mut scratch))),
                Err(reject) => sink(Err(reject)),
            }
        });
    }
}

/// The names that AWS gives the columns of its load balancers' logs in Athena.
const ALB: [(&str, Slot); 12] = [
    ("time", Slot::Time),
    ("client_ip", Slot::Client),
    ("request_processing_time", Slot::Duration),
    ("target_processing_time", Slot::Duration2),
    ("response_processing_time", Slot::Duration3),
    ("elb_status_code", Slot::Status),
    ("received_bytes", Slot::BytesIn),
    ("sent_bytes", Slot::BytesOut),
    ("request_verb", Slot::Method),
    ("request_url", Slot::Target),
    ("user_agent", Slot::UserAgent),
    ("request_creation_time", Slot::OtherTime),
];

/// What the columns of a table mean in which each of some names is there or not, if it is one that is known.
pub(crate) fn known(has: &dyn Fn(&str) -> bool) -> Option<Columns> {
    let needed = ["time", "client_ip", "elb_status_code", "request_verb", "request_url"];
    needed.into_iter().all(has).then(|| Columns {
        slots: ALB.map(|(name, slot)| (name.to_owned(), slot)).to_vec(),
        meaning: Meaning {
            time: TimeFormat::Iso8601Utc,
            other_time: TimeFormat::Iso8601Utc,
            stamp: Stamp::End,
            duration: Unit::Seconds,
            ..Meaning::default()
        },
    })
}
