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
            let cells = columns.iter().copied().map(|(name, column)| {
                let value = column.get(row).unwrap_or(AnyValue::Null);
                (Cow::Borrowed(name), Cow::Owned(text(&value)))
            });
            take(cells.collect());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apm::Export;
    use polars::prelude::{DataType, NamedFrom as _, ParquetWriter, Series};

    fn parquet(columns: Vec<Column>) -> Vec<u8> {
        let mut frame = DataFrame::new(2, columns).unwrap();
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
        bytes
    }

    fn text_column(name: &str, cells: [&str; 2]) -> Column {
        Series::new(name.into(), cells).into()
    }

    /// Start in nanoseconds, duration in nanoseconds, method, path and query, status.
    type Given = (i64, Option<i64>, String, String, u16);

    #[track_caller]
    fn check(bytes: &[u8], expected: Result<&[Given], &str>) {
        let mut found = Vec::new();
        let end = Export::Parquet.read(bytes, &mut |record| {
            let request = record.unwrap();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let target = format!("{}?{}", text(request.path()), text(request.query().unwrap_or_default()));
            let method = text(request.method.unwrap_or_default());
            found.push((
                request.started_at_ns().unwrap(),
                request.duration_ns,
                method,
                target,
                request.status,
            ));
        });
        let found = end.as_ref().map(|()| found.as_slice()).map_err(String::as_str);
        assert_eq!(found, expected);
    }

    const START_NS: i64 = 1_793_574_001_250_000_000;

    #[test]
    fn columns_say_whose_table_it_is() {
        let instants = Series::new("timestamp".into(), [START_NS / 1000, START_NS / 1000 + 1]);
        let instants = instants.cast(&DataType::Datetime(TimeUnit::Microseconds, None)).unwrap();
        let of_product = parquet(vec![
            instants.into(),
            text_column("name", ["GET Items/Show", "POST Items/Add"]),
            text_column("url", ["https://shop.example.com/items/7?x=1", "https://shop.example.com/items"]),
            Series::new("resultCode".into(), [200_i64, 201]).into(),
            Series::new("duration".into(), [50.5, 1.0]).into(),
            text_column("operation_Id", ["a", "b"]),
        ]);
        let given = [
            (START_NS, Some(50_500_000), "GET".to_owned(), "/items/7?x=1".to_owned(), 200),
            (START_NS + 1000, Some(1_000_000), "POST".to_owned(), "/items?".to_owned(), 201),
        ];
        check(&of_product, Ok(&given));
        let of_balancer = parquet(vec![
            text_column("time", ["2026-11-01T23:00:01.300500Z", "2026-11-01T23:00:01.251001Z"]),
            text_column("client_ip", ["192.0.2.1", "192.0.2.2"]),
            Series::new("request_processing_time".into(), [0.0005, 0.0]).into(),
            Series::new("target_processing_time".into(), [0.05, 0.001]).into(),
            Series::new("response_processing_time".into(), [0.0, 0.0]).into(),
            Series::new("elb_status_code".into(), [200_i32, 201]).into(),
            text_column("request_verb", ["GET", "POST"]),
            text_column(
                "request_url",
                ["https://shop.example.com:443/items/7?x=1", "https://shop.example.com:443/items"],
            ),
        ]);
        check(&of_balancer, Ok(&given));
        let unknown = parquet(vec![text_column("a", ["1", "2"])]);
        check(&unknown, Err("a table whose columns are of no known export; --map says what they mean"));
        check(b"PAR1", Err("a Parquet file that is damaged, or of columns inside columns"));
    }
}
