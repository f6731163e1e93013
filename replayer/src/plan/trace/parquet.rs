//! Events in a Parquet file: those that `analyzer events` writes, or the same columns by somebody else's program.

use std::fs::File;
use std::panic;

use parquet::basic::{CompressionCodec, ConvertedType, LogicalType, TimeUnit, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader as _, RowGroupReader, SerializedFileReader};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use super::events::{Events, Reader, Row, moment_ns, wrong};
use crate::clock::SECOND_NS;
use crate::error::{Error, EventsPlace};

/// Rows put together at a time: a file has its columns one after the other, and may have more rows than memory.
const BATCH: usize = 8192;

/// What is unpacked: ZSTD is what polars writes if not told otherwise, SNAPPY what most others do.
const UNPACKED: [CompressionCodec; 3] =
    [CompressionCodec::UNCOMPRESSED, CompressionCodec::SNAPPY, CompressionCodec::ZSTD];

/// Reads all rows.
pub(super) fn read(file: File) -> Result<Events, Error> {
    // Most damage is an error of the library; the rest, such as a page before the beginning of the file, is a panic.
    panic::catch_unwind(|| read_undamaged(file)).unwrap_or_else(|panic| Err(damaged(panic)))
}

fn read_undamaged(file: File) -> Result<Events, Error> {
    let file = SerializedFileReader::new(file).map_err(damaged)?;
    let metadata = file.metadata();
    let columns = Columns::of(metadata.file_metadata().schema_descr())?;
    let mut chunks = metadata.row_groups().iter().flat_map(RowGroupMetaData::columns);
    if let Some(chunk) = chunks.find(|chunk| !UNPACKED.contains(&chunk.compression_codec())) {
        let (found, expected) =
            (format!("compression {}", chunk.compression_codec()), "none, SNAPPY or ZSTD");
        return Err(Error::Events { place: EventsPlace::All, found, expected });
    }
    let mut reader = Reader::default();
    let mut rows = 0;
    for group in 0..file.num_row_groups() {
        let group = file.get_row_group(group).map_err(damaged)?;
        let mut cells = columns.cells(&*group)?;
        let before = rows;
        loop {
            let batch = cells.batch(rows)?;
            if batch.is_empty() {
                break;
            }
            rows += batch.len() as u64;
            batch.into_iter().for_each(|row| reader.add(row));
        }
        if u64::try_from(group.metadata().num_rows()) != Ok(rows - before) {
            return Err(wrong(EventsPlace::All, "another number of rows than the file says", "all of them"));
        }
    }
    Ok(reader.events)
}

/// Whatever the library says is about bytes, and people cannot mend those.
fn damaged<T>(_: T) -> Error {
    wrong(EventsPlace::All, "a damaged file", "a Parquet file from its first byte to its last")
}

/// A column of the file: where it is, and what one unit of it is worth where that is a moment.
#[derive(Debug, Clone, Copy)]
struct Column {
    at: usize,
    name: &'static str,
    unit_ns: i64,
    is_nullable: bool,
}

/// The columns that a replay has a use for, by their places in [`Row`].
#[derive(Debug)]
struct Columns {
    started: Option<Column>,
    ended: Option<Column>,
    duration: Option<Column>,
    client: Column,
    method: Option<Column>,
    route: Option<Column>,
    endpoint: Option<Column>,
    status: Column,
}

impl Columns {
    fn of(schema: &SchemaDescriptor) -> Result<Self, Error> {
        let column = |name, expected, kind: fn(&ColumnDescriptor) -> Option<i64>| {
            let mut columns = schema.columns().iter().enumerate();
            let Some((at, found)) = columns.find(|(_, column)| column.path().parts() == [name]) else {
                return Ok(None);
            };
            let unit_ns = kind(found).filter(|_| found.max_rep_level() == 0);
            let unit_ns = unit_ns.ok_or_else(|| Error::Events {
                place: EventsPlace::Column(name),
                found: format!("values of type {}", found.physical_type()),
                expected,
            })?;
            Ok(Some(Column { at, name, unit_ns, is_nullable: found.max_def_level() > 0 }))
        };
        let moments = |name| column(name, "moments (TIMESTAMP, or text in RFC 3339)", unit_ns);
        let texts =
            |name| column(name, "text", |column| (column.physical_type() == Type::BYTE_ARRAY).then_some(1));
        let missing = |name, expected| wrong(EventsPlace::Column(name), "no such column", expected);
        let columns = Self {
            started: moments("started_at")?,
            ended: moments("ended_at")?,
            duration: column("duration_s", "seconds (DOUBLE or FLOAT)", |column| {
                matches!(column.physical_type(), Type::DOUBLE | Type::FLOAT).then_some(1)
            })?,
            client: texts("client")?.ok_or_else(|| {
                missing("client", "one with a name for each client, as `analyzer events` writes")
            })?,
            method: texts("method")?,
            route: texts("route")?,
            endpoint: texts("endpoint")?,
            status: column("status", "whole numbers (INT32 or INT64)", |column| {
                matches!(column.physical_type(), Type::INT32 | Type::INT64).then_some(1)
            })?
            .ok_or_else(|| missing("status", "one with the status of each answer"))?,
        };
        if columns.started.is_none() && columns.ended.is_none() {
            return Err(missing("started_at", "it, or `ended_at`"));
        }
        Ok(columns)
    }

    /// The cells of `group`, to be read from the first row on.
    fn cells(&self, group: &dyn RowGroupReader) -> Result<Cells, Error> {
        let open = |column: Column| match group.get_column_reader(column.at) {
            Ok(reader) => Ok((column, reader)),
            Err(error) => Err(damaged(error)),
        };
        Ok(Cells {
            started: self.started.map(open).transpose()?,
            ended: self.ended.map(open).transpose()?,
            duration: self.duration.map(open).transpose()?,
            client: open(self.client)?,
            method: self.method.map(open).transpose()?,
            route: self.route.map(open).transpose()?,
            endpoint: self.endpoint.map(open).transpose()?,
            status: open(self.status)?,
        })
    }
}

/// Nanoseconds that one unit of a column of moments is worth; 1 where it is text, nothing where it is neither.
fn unit_ns(column: &ColumnDescriptor) -> Option<i64> {
    let second_ns = SECOND_NS as i64;
    match (column.physical_type(), column.logical_type_ref(), column.converted_type()) {
        (Type::BYTE_ARRAY, ..) => Some(1),
        (Type::INT64, Some(LogicalType::Timestamp(stamp)), _) => Some(match stamp.unit {
            TimeUnit::MILLIS => second_ns / 1_000,
            TimeUnit::MICROS => second_ns / 1_000_000,
            TimeUnit::NANOS => 1,
        }),
        // Files of before 2018 have no other word for it.
        (Type::INT64, None, ConvertedType::TIMESTAMP_MILLIS) => Some(second_ns / 1_000),
        (Type::INT64, None, ConvertedType::TIMESTAMP_MICROS) => Some(second_ns / 1_000_000),
        _ => None,
    }
}

/// The columns of a row group, being read.
struct Cells {
    started: Option<(Column, ColumnReader)>,
    ended: Option<(Column, ColumnReader)>,
    duration: Option<(Column, ColumnReader)>,
    client: (Column, ColumnReader),
    method: Option<(Column, ColumnReader)>,
    route: Option<(Column, ColumnReader)>,
    endpoint: Option<(Column, ColumnReader)>,
    status: (Column, ColumnReader),
}

impl Cells {
    /// The next rows, of which there are `before` in front of them; none at the end of the group.
    fn batch(&mut self, before: u64) -> Result<Vec<Row>, Error> {
        let mut client = texts(&mut self.client)?.into_iter();
        let mut status = wholes(&mut self.status)?.into_iter();
        let rows = client.len();
        let optional = |column: &mut Option<(Column, ColumnReader)>| match column {
            Some(column) => texts(column),
            None => Ok(vec![None; rows]),
        };
        let [mut method, mut route, mut endpoint] =
            [optional(&mut self.method)?, optional(&mut self.route)?, optional(&mut self.endpoint)?]
                .map(Vec::into_iter);
        let moments = |column: &mut Option<(Column, ColumnReader)>| match column {
            Some(column) => moments(column, before),
            None => Ok(vec![None; rows]),
        };
        let [mut started, mut ended] =
            [moments(&mut self.started)?, moments(&mut self.ended)?].map(Vec::into_iter);
        let mut duration = match &mut self.duration {
            Some(column) => numbers(column)?,
            None => vec![None; rows],
        }
        .into_iter();
        let lengths = [status.len(), method.len(), route.len(), endpoint.len(), started.len(), ended.len()];
        if lengths.iter().any(|length| *length != rows) || duration.len() != rows {
            return Err(wrong(EventsPlace::All, "columns of different lengths", "as many values in each"));
        }
        (0..rows as u64)
            .map(|row| {
                let place = EventsPlace::Row(before + row + 1);
                let status = status.next().flatten().and_then(|status| u16::try_from(status).ok());
                Ok(Row {
                    started_ns: started.next().flatten(),
                    ended_ns: ended.next().flatten(),
                    duration_s: duration.next().flatten(),
                    client: client
                        .next()
                        .flatten()
                        .ok_or_else(|| wrong(place, "no client", "a name for it"))?,
                    method: method.next().flatten(),
                    route: route.next().flatten(),
                    endpoint: endpoint.next().flatten(),
                    status: status.ok_or_else(|| wrong(place, "no status", "a number of three digits"))?,
                })
            })
            .collect()
    }
}

/// The next values of a column, with the missing ones between them.
fn values<T: DataType>(
    column: &Column,
    reader: &mut ColumnReaderImpl<T>,
) -> Result<Vec<Option<T::T>>, Error> {
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    reader.read_records(BATCH, Some(&mut levels), None, &mut values).map_err(damaged)?;
    let mut values = values.into_iter();
    if !column.is_nullable {
        return Ok(values.map(Some).collect());
    }
    // Not repeated and not inside another column, it has the level 1 where it has a value.
    Ok(levels.iter().map(|level| if *level > 0 { values.next() } else { None }).collect())
}

fn texts((column, reader): &mut (Column, ColumnReader)) -> Result<Vec<Option<String>>, Error> {
    let ColumnReader::ByteArrayColumnReader(reader) = reader else { return Err(other_type(column)) };
    let text = |bytes: ByteArray| {
        let expected = "text in UTF-8";
        bytes
            .as_utf8()
            .map(str::to_owned)
            .map_err(|_| wrong(EventsPlace::Column(column.name), "bytes", expected))
    };
    values(column, reader)?.into_iter().map(|value| value.map(text).transpose()).collect()
}

fn wholes((column, reader): &mut (Column, ColumnReader)) -> Result<Vec<Option<i64>>, Error> {
    Ok(match reader {
        ColumnReader::Int64ColumnReader(reader) => values(column, reader)?,
        ColumnReader::Int32ColumnReader(reader) => {
            values(column, reader)?.into_iter().map(|value| value.map(i64::from)).collect()
        }
        _ => return Err(other_type(column)),
    })
}

fn numbers((column, reader): &mut (Column, ColumnReader)) -> Result<Vec<Option<f64>>, Error> {
    Ok(match reader {
        ColumnReader::DoubleColumnReader(reader) => values(column, reader)?,
        ColumnReader::FloatColumnReader(reader) => {
            values(column, reader)?.into_iter().map(|value| value.map(f64::from)).collect()
        }
        _ => return Err(other_type(column)),
    })
}

/// Moments in nanoseconds of Unix time, of rows of which there are `before` in front of them.
fn moments(cells: &mut (Column, ColumnReader), before: u64) -> Result<Vec<Option<i64>>, Error> {
    let place = |row: usize| EventsPlace::Row(before + row as u64 + 1);
    if let ColumnReader::ByteArrayColumnReader(_) = &cells.1 {
        let moment = |(row, text): (usize, Option<String>)| {
            text.filter(|text| !text.is_empty()).map(|text| moment_ns(&text, place(row))).transpose()
        };
        return texts(cells)?.into_iter().enumerate().map(moment).collect();
    }
    let unit_ns = cells.0.unit_ns;
    let moment = |(row, units): (usize, Option<i64>)| {
        let out_of_time = || wrong(place(row), "a stamp that is none", "a moment between 1678 and 2262");
        units.map(|units| units.checked_mul(unit_ns).ok_or_else(out_of_time)).transpose()
    };
    wholes(cells)?.into_iter().enumerate().map(moment).collect()
}

/// What the schema says and what the column has are two things: only a damaged file comes here.
fn other_type(column: &Column) -> Error {
    wrong(EventsPlace::Column(column.name), "values of another type than it says", "those")
}
