//! Events in a Parquet file, written as the analyzer's polars writes them, are the trace that the same events in CSV are.

use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use replayer::plan::Trace;

use crate::support::output;

/// What polars 0.55 makes of the columns of `analyzer events`.
const SCHEMA: &str = "message root {
  optional int64 started_at (TIMESTAMP(NANOS,false));
  optional int64 ended_at (TIMESTAMP(NANOS,false));
  optional double duration_s;
  optional binary client (STRING);
  optional binary method (STRING);
  optional binary route (STRING);
  optional binary endpoint (STRING);
  optional int32 status (INTEGER(32,false));
  optional int64 bytes_out (INTEGER(64,false));
  optional binary kind (STRING);
  optional double weight;
}";

const HEAD: &str =
    "started_at,ended_at,duration_s,client,method,route,endpoint,status,bytes_out,kind,weight\n";

/// Twenty thousand events of three hundred clients: with both stamps, with an end only, without a route, without a stamp.
fn events() -> String {
    let mut text = HEAD.to_owned();
    for i in 0..20_000_u64 {
        let at = |ms: u64| {
            let (minute, second) = (ms / 60_000, ms / 1000 % 60);
            format!("2026-11-02T08:{minute:02}:{second:02}.{:03}000000Z", ms % 1000)
        };
        let (began, ended) = (at(i * 37), at(i * 37 + 20));
        let [began, ended] = match i % 50 {
            7 => [String::new(), ended],
            8 => [String::new(), String::new()],
            _ => [began, ended],
        };
        let duration = if i % 3 == 0 { "" } else { "0.02" };
        let route = match i % 5 {
            0 => "GET,/,get_home",
            1 => ",,",
            _ => "GET,/items/{id},get_item",
        };
        let client = i * i % 300;
        text.push_str(&format!("{began},{ended},{duration},c{client},{route},200,{i},pages,\n"));
    }
    text
}

/// The table `csv` as a Parquet file of this schema, in groups of so many rows.
fn parquet(schema: &str, csv: &str, rows: usize) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let packed = Compression::ZSTD(ZstdLevel::default());
    let properties = Arc::new(WriterProperties::builder().set_compression(packed).build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    let names: Vec<&str> = HEAD.trim().split(',').collect();
    let lines: Vec<Vec<&str>> = csv.lines().skip(1).map(|line| line.split(',').collect()).collect();
    for lines in lines.chunks(rows) {
        let mut group = writer.next_row_group().unwrap();
        while let Some(mut column) = group.next_column().unwrap() {
            write(column.untyped(), &names, lines);
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

/// Writes one column of `lines`, whose cells are called `names`.
fn write(column: &mut ColumnWriter<'_>, names: &[&str], lines: &[Vec<&str>]) {
    macro_rules! batch {
        ($writer:expr, $value:expr) => {{
            let descriptor = $writer.get_descriptor().clone();
            let at = names.iter().position(|name| *name == descriptor.name()).unwrap();
            let cells: Vec<&str> = lines.iter().map(|line| line[at]).collect();
            let value: &dyn Fn(&str) -> _ = &$value(descriptor.logical_type_ref().cloned());
            let given = cells.iter().filter(|cell| descriptor.max_def_level() == 0 || !cell.is_empty());
            let values: Vec<_> = given.map(|cell| value(cell)).collect();
            let levels: Vec<i16> = cells.iter().map(|cell| i16::from(!cell.is_empty())).collect();
            $writer.write_batch(&values, Some(&levels), None).unwrap();
        }};
    }
    match column {
        ColumnWriter::Int64ColumnWriter(writer) => batch!(writer, whole),
        ColumnWriter::Int32ColumnWriter(writer) => {
            batch!(writer, |_| |cell: &str| cell.parse::<i32>().unwrap())
        }
        ColumnWriter::DoubleColumnWriter(writer) => {
            batch!(writer, |_| |cell: &str| cell.parse().unwrap_or(0.5))
        }
        ColumnWriter::FloatColumnWriter(writer) => {
            batch!(writer, |_| |cell: &str| cell.parse::<f32>().unwrap())
        }
        ColumnWriter::ByteArrayColumnWriter(writer) => batch!(writer, |_| |cell: &str| ByteArray::from(cell)),
        _ => panic!("no such column in the tests"),
    }
}

/// Reads a number, or a moment in the unit of the column.
fn whole(kind: Option<LogicalType>) -> impl Fn(&str) -> i64 {
    let unit_ns = match kind {
        Some(LogicalType::Timestamp(stamp)) => match format!("{:?}", stamp.unit).as_str() {
            "MILLIS" => Some(1_000_000),
            "MICROS" => Some(1000),
            _ => Some(1),
        },
        _ => None,
    };
    move |cell| match unit_ns {
        None => cell.parse().unwrap(),
        Some(unit_ns) => {
            let moment: jiff::Timestamp = cell.parse().unwrap();
            i64::try_from(moment.as_nanosecond()).unwrap() / unit_ns
        }
    }
}

/// What `replayer plan` says of a trace in a file that is called so and holds this.
fn plan(name: &str, bytes: &[u8]) -> (Option<i32>, String, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs_err::write(&path, bytes).unwrap();
    let output = output(&["plan", path.to_str().unwrap(), "--trace", "--sessions", "50", "--format", "json"]);
    let [said, errors] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code(), said, errors)
}

#[test]
fn parquet_and_csv_of_the_same_events_are_the_same_plan() {
    let csv = events();
    let (code, expected, errors) = plan("e.csv", csv.as_bytes());
    assert!(code == Some(0) && expected.contains("\"digest\""), "{errors}");
    // By what is in it, whatever it is called; and wherever the rows are parted.
    for (name, rows) in [("e.parquet", 20_000), ("e", 7_000), ("e.csv", 8_192)] {
        let (code, said, errors) = plan(name, &parquet(SCHEMA, &csv, rows));
        assert_eq!(code, Some(0), "{errors}");
        assert!(said == expected, "{said}\n{expected}");
    }
    // Others write other types for the same.
    for (ours, theirs) in [
        ("TIMESTAMP(NANOS,false)", "TIMESTAMP(MICROS,true)"),
        ("TIMESTAMP(NANOS,false)", "TIMESTAMP(MILLIS,true)"),
        ("int64 started_at (TIMESTAMP(NANOS,false))", "binary started_at (STRING)"),
        ("int32 status (INTEGER(32,false))", "int64 status"),
        ("optional binary client", "required binary client"),
        ("  optional binary kind (STRING);\n", ""),
    ] {
        let (code, said, errors) = plan("e.parquet", &parquet(&SCHEMA.replace(ours, theirs), &csv, 20_000));
        assert!(code == Some(0) && said == expected, "{theirs}: {errors}");
    }
}

#[test]
fn files_that_are_no_events_are_named_without_what_is_in_them() {
    #[track_caller]
    fn check(bytes: &[u8], words: &[&str]) {
        let (code, _, errors) = plan("e.parquet", bytes);
        assert_eq!(code, Some(2), "{errors}");
        assert!(words.iter().all(|word| errors.contains(word)) && !errors.contains("secret"), "{errors}");
    }
    let row = "2026-11-02T08:00:00Z,,0.5,secret,GET,/secret,secret,200,1,pages,\n";
    let of =
        |ours: &str, theirs: &str| parquet(&SCHEMA.replace(ours, theirs), &format!("{HEAD}{row}{row}"), 9);
    check(&of("  optional binary client (STRING);\n", ""), &["cannot replay", "column `client`", "no such"]);
    check(&of("  optional int32 status (INTEGER(32,false));\n", ""), &["column `status`", "no such"]);
    let stampless = SCHEMA.lines().filter(|line| !line.contains("_at ")).collect::<Vec<_>>().join("\n");
    check(&parquet(&stampless, &format!("{HEAD}{row}"), 9), &["`started_at`", "no such", "or `ended_at`"]);
    let stamp = "int64 started_at (TIMESTAMP(NANOS,false))";
    check(&of(stamp, "double started_at"), &["column `started_at`", "type DOUBLE", "moments"]);
    check(&of("int32 status (INTEGER(32,false))", "binary status (STRING)"), &["`status`", "whole numbers"]);
    let without = row.replace("2026-11-02T08:00:00Z", "");
    check(&parquet(SCHEMA, &format!("{HEAD}{without}{without}{without}"), 2), &["3 rows without a moment"]);
    let nobody = format!("{HEAD}{row}{}", row.replace(",secret,GET", ",,GET"));
    check(&parquet(SCHEMA, &nobody, 1), &["row 2 of the events", "no client"]);
    let odd = format!("{HEAD}{row}{row}{}", row.replace(",200,", ",-200,"));
    check(&parquet(SCHEMA, &odd, 9), &["row 3 of the events", "no status"]);
    check(&parquet(SCHEMA, HEAD, 9), &["no request"]);
    check(b"PAR1 and something else, but not the end that it should have", &["damaged"]);
    // Called so and not a word of it.
    check(row.as_bytes(), &["another extension", "or a Parquet file", "analyzer events"]);
}

#[test]
fn damage_is_an_error_or_another_trace_and_never_a_crash() {
    let whole = parquet(SCHEMA, &events().lines().take(300).collect::<Vec<_>>().join("\n"), 100);
    let read = |bytes: &[u8]| {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
        Trace::read_parquet(file, 1)
    };
    assert!(read(&whole).is_ok());
    for length in (0..whole.len()).step_by(41) {
        assert!(read(&whole[..length]).is_err(), "{length}");
    }
    let mut refused = 0;
    for at in (0..whole.len()).step_by(7) {
        for bit in [0x01, 0x80] {
            let mut bytes = whole.clone();
            bytes[at] ^= bit;
            refused += u32::from(read(&bytes).is_err());
        }
    }
    assert!(refused > 100, "{refused}");
}
