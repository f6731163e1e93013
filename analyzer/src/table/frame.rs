//! Tables by polars, eager: the whole file becomes columns.

use std::borrow::Cow;
use std::io::Cursor;

use jiff::Timestamp;
use polars::prelude::{
    AnyValue, Column, CsvParseOptions, CsvReadOptions, DataFrame, ParquetReader, SerReader as _, TimeUnit,
};

/// A table in memory.
pub(crate) struct Table(DataFrame);

/// The table of a CSV file with the names of its columns in the first line. All cells are text.
///
/// # Errors
/// That it is none, in a sentence without a word of it.
pub(crate) fn read_csv(bytes: &[u8]) -> Result<Table, String> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let parse = CsvParseOptions::default()
        .with_separator(super::separator(line))
        .with_truncate_ragged_lines(true)
        .with_encoding(polars::prelude::CsvEncoding::LossyUtf8);
    let options = CsvReadOptions::default()
        .with_has_header(true)
        .with_infer_schema_length(Some(0))
        .with_parse_options(parse);
    let frame = options.into_reader_with_file_handle(Cursor::new(bytes)).finish();
    frame.map(Table).map_err(|_| "something that is no CSV".to_owned())
}

/// The table of a Parquet file.
///
/// # Errors
/// That it is damaged, in a sentence without a word of it.
pub(crate) fn read_parquet(bytes: &[u8]) -> Result<Table, String> {
    let frame = ParquetReader::new(Cursor::new(bytes)).finish();
    frame.map(Table).map_err(|_| "a Parquet file that is damaged, or of columns inside columns".to_owned())
}

impl Table {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.get_column_index(name).is_some()
    }

    /// Gives every row: the names of its columns, and its cells as text.
    pub(crate) fn rows(&self, mut take: impl FnMut(Vec<(Cow<'_, str>, Cow<'_, str>)>)) {
        let columns: Vec<(&str, &Column)> =
            self.0.columns().iter().map(|column| (column.name().as_str(), column)).collect();
        for row in 0..self.0.height() {
            let cell = |(name, column): &(&'_ str, &'_ Column)| {
                let value = column.get(row).unwrap_or(AnyValue::Null);
                (Cow::Owned((*name).to_owned()), Cow::Owned(text(&value)))
            };
            take(columns.iter().map(cell).collect());
        }
    }
}

/// A cell as text; a moment as RFC 3339, a span of time in seconds.
fn text(value: &AnyValue<'_>) -> String {
    let unit_ns = |unit: &TimeUnit| match unit {
        TimeUnit::Nanoseconds => 1_i128,
        TimeUnit::Microseconds => 1_000,
        TimeUnit::Milliseconds => 1_000_000,
    };
    match value {
        AnyValue::Null => String::new(),
        AnyValue::String(text) => (*text).to_owned(),
        AnyValue::StringOwned(text) => text.to_string(),
        AnyValue::Binary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        AnyValue::Datetime(count, unit, _) => {
            let instant = Timestamp::from_nanosecond(i128::from(*count) * unit_ns(unit));
            instant.map_or_else(|_| String::new(), |instant| instant.to_string())
        }
        AnyValue::Duration(count, unit) => format!("{}s", (i128::from(*count) * unit_ns(unit)) as f64 * 1e-9),
        AnyValue::Float32(number) => number.to_string(),
        AnyValue::Float64(number) => number.to_string(),
        other => other.to_string(),
    }
}
