//! Tables: CSV and Parquet in, and out. The one place that names polars, behind the cargo feature `tabular`.
//!
//! | module | answers |
//! |---|---|
//! | [`columns`] | what the columns of tables mean that hold access logs |
//! | `frame` | how tables are read |
//! | `events` | how the table of events is written |
//! | `absent` | what is said instead, where the feature is off |

pub(crate) mod columns;

#[cfg(not(feature = "tabular"))]
mod absent;
#[cfg(feature = "tabular")]
mod events;
#[cfg(feature = "tabular")]
mod frame;

#[cfg(not(feature = "tabular"))]
pub(crate) use absent::{Table, read_csv, read_parquet};
#[cfg(feature = "tabular")]
pub(crate) use events::{Events, EventsWriter};
#[cfg(feature = "tabular")]
pub(crate) use frame::{Table, read_csv, read_parquet};

/// Whether `head` begins a Parquet file.
pub(crate) fn is_parquet(head: &[u8]) -> bool {
    head.starts_with(b"PAR1")
}

/// What may stand between the columns of a CSV file.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// The separator that a CSV file uses most in its first line.
fn separator(line: &[u8]) -> u8 {
    let count = |separator: &u8| line.iter().filter(|byte| *byte == separator).count();
    // Ties, as where there is none, go to the comma.
    SEPARATORS.into_iter().rev().max_by_key(count).unwrap_or(b',')
}

/// The names in the first line of a CSV file.
pub(crate) fn csv_names(head: &[u8]) -> Vec<String> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let end = memchr::memchr2(b'\n', b'\r', head).unwrap_or(head.len());
    let line = &head[..end];
    let separator = separator(line);
    let (mut names, mut name, mut quoted) = (Vec::new(), Vec::new(), false);
    for byte in line {
        match byte {
            b'"' => quoted = !quoted,
            byte if *byte == separator && !quoted => names.push(std::mem::take(&mut name)),
            byte => name.push(*byte),
        }
    }
    names.push(name);
    names.iter().map(|name| String::from_utf8_lossy(name.trim_ascii()).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_the_first_line() {
        assert_eq!(csv_names(b"a,\"b, c\",d\r\n1,2,3"), ["a", "b, c", "d"]);
        assert_eq!(csv_names(b"\xef\xbb\xbftime;path;a,b"), ["time", "path", "a,b"]);
        assert_eq!(csv_names(b"one"), ["one"]);
    }
}
