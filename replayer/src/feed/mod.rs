//! Values that people give: rows of files, secrets, templates of headers and bodies, and what a login gives back.
//!
//! Everything here is read and compiled once, before the run: a file that is not there, a variable that is not set, a
//! template that cannot be filled in are errors then, with the place where they stand, and never in the middle of a load.

pub(crate) mod extract;
mod secret;
pub(crate) mod template;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Error;

/// Files of values, by name.
#[derive(Debug, Clone, Default)]
pub struct Feeds {
    feeds: Vec<Feed>,
}

/// One file of values: a line of names, and rows.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    name: String,
    columns: BTreeMap<String, Arc<[Box<str>]>>,
    rows: usize,
}

/// A column of a feed.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// Number of the feed: columns of the same one stand beside each other.
    pub(crate) feed: usize,
    values: Arc<[Box<str>]>,
}

impl Feeds {
    /// Reads `files`, by name: CSV with a line of names first, then at least one row.
    ///
    /// # Errors
    /// [`Error::Read`], or [`Error::Feed`], which names the file and the line but shows nothing of its values.
    pub fn read(files: &BTreeMap<String, PathBuf>) -> Result<Self, Error> {
        let feeds = files.iter().map(|(name, path)| Feed::read(name, path)).collect::<Result<_, Error>>()?;
        Ok(Self { feeds })
    }

    /// The column for the parameter `parameter` of `endpoint`: one that is called `endpoint.parameter`, or else just
    /// `parameter`, of the first feed that has it.
    pub(crate) fn column(&self, endpoint: &str, parameter: &str) -> Option<Column> {
        let of = |name: &str| {
            self.feeds.iter().enumerate().find_map(|(feed, Feed { columns, .. })| {
                columns.get(name).map(|values| Column { feed, values: Arc::clone(values) })
            })
        };
        of(&format!("{endpoint}.{parameter}")).or_else(|| of(parameter))
    }

    /// The feeds, in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Feed> {
        self.feeds.iter()
    }
}

impl Feed {
    fn read(name: &str, path: &Path) -> Result<Self, Error> {
        let wrong = |line: Option<u64>, found: String, expected: &'static str| Error::Feed {
            path: path.to_owned(),
            line,
            found,
            expected,
        };
        let unreadable = |error: csv::Error| match error.kind() {
            csv::ErrorKind::UnequalLengths { pos, expected_len, len } => wrong(
                pos.as_ref().map(csv::Position::line),
                format!("{len} values where the first line has {expected_len} names"),
                "as many values as names",
            ),
            csv::ErrorKind::Utf8 { pos, .. } => {
                wrong(pos.as_ref().map(csv::Position::line), "bytes that are not UTF-8".to_owned(), "UTF-8")
            }
            _ => wrong(None, "a file that cannot be read".to_owned(), "a CSV file"),
        };
        let text = fs_err::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(text.as_slice());
        // Spreadsheets write a mark in front of the first name that nobody sees.
        let names: Vec<String> = reader
            .headers()
            .map_err(unreadable)?
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').to_owned())
            .collect();
        if let Some(at) =
            (0..names.len()).find(|at| names[*at].is_empty() || names[..*at].contains(&names[*at]))
        {
            return Err(wrong(Some(1), format!("name {} empty or a second time", at + 1), "every name once"));
        }
        let mut values: Vec<Vec<Box<str>>> = names.iter().map(|_| Vec::new()).collect();
        for record in reader.records() {
            let record = record.map_err(unreadable)?;
            values.iter_mut().zip(&record).for_each(|(column, value)| column.push(value.into()));
        }
        let rows = values.first().map_or(0, Vec::len);
        if rows == 0 {
            return Err(wrong(None, "no row".to_owned(), "a line of names and at least one row"));
        }
        let columns = names.into_iter().zip(values.into_iter().map(Arc::from)).collect();
        Ok(Self { name: name.to_owned(), columns, rows })
    }

    /// Its name in templates.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Number of rows, at least one.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Names and values of one row.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (&str, &str)> {
        self.columns.iter().map(move |(name, values)| (name.as_str(), &*values[row % values.len()]))
    }
}

impl Column {
    /// The value of the given rank, counted from 0: rows stand in the order of their popularity, the most popular
    /// first. Beyond the last row they begin again.
    pub(crate) fn value(&self, rank: u64) -> &str {
        &self.values[(rank % self.values.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Feeds, Error> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("items.csv");
        fs_err::write(&path, text).unwrap();
        Feeds::read(&[("items".to_owned(), path)].into())
    }

    #[test]
    fn columns_are_found_by_the_names_of_parameters() {
        let feeds = read(
            "\u{feff}slug, get_item.id ,\"na,me\"\nblue-mug,7,\"a \"\"b\"\"\"\r\nred-mug,8,ü\n".as_bytes(),
        )
        .unwrap();
        let value = |endpoint: &str, parameter: &str, rank: u64| {
            feeds.column(endpoint, parameter).map(|column| column.value(rank).to_owned())
        };
        assert_eq!(value("get_item", "slug", 0).as_deref(), Some("blue-mug"));
        assert_eq!(value("get_other", "slug", 3).as_deref(), Some("red-mug"));
        assert_eq!(value("get_item", "id", 1).as_deref(), Some("8"));
        assert_eq!(value("get_other", "id", 1), None);
        assert_eq!(value("get_item", "na,me", 0).as_deref(), Some("a \"b\""));
        let feed = feeds.iter().next().unwrap();
        assert_eq!((feed.name(), feed.rows()), ("items", 2));
    }

    #[test]
    fn what_is_no_feed_is_an_error_that_shows_no_values() {
        #[track_caller]
        fn check(text: &[u8], words: &[&str]) {
            let message = read(text).unwrap_err().to_string();
            assert!(
                words.iter().all(|word| message.contains(word)) && !message.contains("secret"),
                "{message}"
            );
        }
        check(b"", &["items.csv", "no row"]);
        check(b"a,b\n", &["no row"]);
        check(b"a,b\n1,2\nsecret\n", &["items.csv", "line 3", "1 values", "2 names"]);
        check(b"a,a\n1,secret\n", &["line 1", "name 2"]);
        check(b"a,\n1,secret\n", &["name 2"]);
        check(b"a\nsecret\xff\n", &["line 2", "UTF-8"]);
        let missing = Feeds::read(&[("x".to_owned(), "no/such.csv".into())].into()).unwrap_err();
        assert!(missing.to_string().contains("no/such.csv"));
    }
}
