//! A header, compiled: which cell of a line fills which slot, and what the cells mean.

use shared::profile::Stamp;

use super::super::Cache;
use super::super::escape::Escape;
use super::super::meaning::{Meaning, Numbers};
use super::super::number::Unit;
use super::super::time::TimeFormat;
use super::super::values::{Slot, Values};
use super::super::{Options, map};
use super::columns::{self, Known};
use crate::reject::Reject;
use crate::session::identity::Identity;
use crate::source::HeaderLines;

/// Who writes logs of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Producer {
    Iis,
    CloudFront,
    /// Another one of W3C extended logs.
    W3c,
    Zeek,
    /// A table with names in its first line.
    Table,
}

/// How a line is cut into cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cells {
    /// At this byte.
    At(u8),
    /// At blanks or at tabs, whichever comes first in the line.
    AtBlankOrTab,
}

/// One column.
#[derive(Debug, Clone)]
struct Column {
    slot: Option<Slot>,
    /// Another column counts for the same slot, where it is not empty.
    second: bool,
    /// The column is what `--identity` names.
    identity: bool,
    /// What the producer does to its text.
    escape: Escape,
}

/// A compiled header.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) producer: Producer,
    /// The names of the columns.
    pub(super) names: Box<[Box<str>]>,
    columns: Vec<Column>,
    cells: Cells,
    /// Cells in double quotes may hold the separator.
    quotes: bool,
    /// Cells that must be there; those that come later may be missing.
    least: usize,
    /// How a missing value is printed.
    absent: Box<[u8]>,
    /// The date, where only the header has it.
    date: Option<Box<[u8]>>,
    pub(super) meaning: Meaning,
    /// The meaning of lines whose duration has a decimal point, where no name or producer tells the unit:
    /// the standard has seconds with a fraction, most producers have whole milliseconds.
    with_point: Option<Meaning>,
}

/// The fields of CloudFront, in the order it writes them; later ones were added at the end over the years.
pub(super) const CLOUDFRONT: &str = "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem \
    sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header \
    cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type \
    cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type \
    sc-content-type sc-content-len sc-range-start sc-range-end";
/// `time-taken` is the 19th.
const CLOUDFRONT_LEAST: usize = 19;

/// The fields of IIS where nobody chose any, or somebody chose all: IIS 8 and later, 7, 6, all of them, and Azure App
/// Service.
pub(super) const IIS: [&str; 5] = [
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) \
     sc-status sc-substatus sc-win32-status time-taken",
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status \
     sc-substatus sc-win32-status time-taken",
    "#Fields: date time s-sitename s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) \
     sc-status sc-substatus sc-win32-status",
    "#Fields: date time s-sitename s-computername s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip \
     cs-version cs(User-Agent) cs(Cookie) cs(Referer) cs-host sc-status sc-substatus sc-win32-status sc-bytes cs-bytes \
     time-taken",
    "#Fields: date time s-sitename cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Cookie) \
     cs(Referer) cs-host sc-status sc-substatus sc-win32-status sc-bytes cs-bytes time-taken",
];

impl Layout {
    /// The layout that the header lines in force describe; `None` where they describe no requests.
    pub(super) fn of_directives(lines: &HeaderLines, options: &Options) -> Option<Self> {
        let fields = lines.value("fields")?;
        match lines.value("separator").is_some() || memchr::memmem::find(fields, b"id.orig_h").is_some() {
            true => Self::zeek(lines, fields, options),
            false => Self::w3c(lines, fields, options),
        }
    }

    fn w3c(lines: &HeaderLines, fields: &[u8], options: &Options) -> Option<Self> {
        let text = std::str::from_utf8(fields).ok()?;
        let names: Vec<&str> = text.split_ascii_whitespace().collect();
        let has =
            |wanted: &[&str]| names.iter().any(|name| wanted.iter().any(|w| name.eq_ignore_ascii_case(w)));
        let software = lines.value("software").unwrap_or_default();
        let written_by = |name: &[u8]| memchr::memmem::find(software, name).is_some();
        let unsigned_iis =
            || software.is_empty() && has(&["sc-win32-status", "s-computername", "s-sitename"]);
        let producer = if names.iter().any(|name| name.starts_with("x-edge-")) {
            Producer::CloudFront
        } else if written_by(b"Internet Information Services")
            || written_by(b"Microsoft HTTP")
            || unsigned_iis()
        {
            Producer::Iis
        } else {
            Producer::W3c
        };
        // FTP servers of IIS write the same kind of log.
        if has(&["x-session", "x-fullpath"]) {
            return None;
        }
        let (columns, found) = bind(&names, &columns::w3c, options)?;
        let (unit, escape, header_escape) = match producer {
            Producer::CloudFront => (Some(Unit::Seconds), Escape::PercentOfPercent, Some(Escape::Percent)),
            Producer::Iis => (Some(Unit::Milliseconds), Escape::None, Some(Escape::Plus)),
            _ => (None, Escape::DoubledQuote, Some(Escape::Plus)),
        };
        let mut layout = Self::new(producer, &names, columns, Cells::AtBlankOrTab, &found, unit);
        layout.quotes = producer == Producer::W3c;
        layout.meaning.stamp = Stamp::End;
        layout.meaning.time = match (found.time_with_date, found.local) {
            (true, false) => TimeFormat::Iso8601Utc,
            (true, true) => TimeFormat::Iso8601,
            (false, _) => TimeFormat::Any,
        };
        layout.meaning.escape = escape;
        layout.meaning.header_escape = header_escape;
        layout.meaning.client_port = true;
        if found.time_of_day_only {
            let date = lines.value("date")?.trim_ascii();
            layout.date = Some(date.get(..10)?.into());
            layout.meaning.time = TimeFormat::Iso8601Utc;
        }
        Some(layout.settled(found.unit.or(unit), options))
    }

    fn zeek(lines: &HeaderLines, fields: &[u8], options: &Options) -> Option<Self> {
        let mut separator = Vec::new();
        Escape::Backslash.decode(lines.value("separator").unwrap_or(b"\\x09").trim_ascii(), &mut separator);
        let [separator] = *separator.as_slice() else { return None };
        let names: Vec<&str> = std::str::from_utf8(fields).ok()?.split(char::from(separator)).collect();
        let (columns, found) = bind(&names, &columns::zeek, options)?;
        let mut layout = Self::new(Producer::Zeek, &names, columns, Cells::At(separator), &found, None);
        layout.meaning.time = TimeFormat::EpochSeconds;
        layout.meaning.escape = Escape::Backslash;
        if let Some(unset) = lines.value("unset_field") {
            layout.absent = unset.into();
        }
        Some(layout.settled(found.unit, options))
    }

    /// The layout of a table whose first line is `header`; `None` where that names no columns of requests.
    pub(super) fn of_table(header: &[u8], options: &Options) -> Option<Self> {
        let layouts = [b'\t', b';', b'|', b','].into_iter().filter_map(|separator| {
            let cells: Vec<&[u8]> = QuotedCells { rest: Some(header), separator }.collect::<Option<_>>()?;
            let names: Option<Vec<&str>> = cells.iter().map(|cell| std::str::from_utf8(cell).ok()).collect();
            let names: Vec<&str> = names?.into_iter().map(str::trim).collect();
            let (columns, found) = bind(&names, &columns::table, options)?;
            let mut layout =
                Self::new(Producer::Table, &names, columns, Cells::At(separator), &found, found.unit);
            layout.quotes = true;
            layout.meaning.time = TimeFormat::Any;
            layout.meaning.escape = Escape::DoubledQuote;
            layout.meaning.client_port = true;
            Some(layout.settled(found.unit, options))
        });
        layouts.max_by_key(Self::richness)
    }

    fn new(
        producer: Producer,
        names: &[&str],
        columns: Vec<Column>,
        cells: Cells,
        found: &Found,
        unit: Option<Unit>,
    ) -> Self {
        let meaning = Meaning {
            duration: unit.unwrap_or(Unit::Milliseconds),
            first_byte: found.first_byte_unit.or(unit).unwrap_or(Unit::Milliseconds),
            ..Meaning::default()
        };
        let least = columns.len();
        Self {
            producer,
            names: names.iter().map(|name| (*name).into()).collect(),
            columns,
            cells,
            quotes: false,
            least,
            absent: (*b"-").into(),
            date: None,
            meaning,
            with_point: None,
        }
    }

    /// What follows from the meaning, once that is complete but for what people say; `unit` is that of the durations,
    /// where it is known.
    fn settled(mut self, unit: Option<Unit>, options: &Options) -> Self {
        if let Identity::Cookie(name) = &options.identity {
            self.meaning.cookie = Some(name.as_bytes().into());
        }
        map::apply(&options.map, &mut self.meaning);
        self.meaning.trusted = options.trusted.as_slice().into();
        if self.producer == Producer::CloudFront {
            self.least = self.least.min(CLOUDFRONT_LEAST);
        }
        for column in &mut self.columns {
            column.escape = column.slot.map_or(Escape::None, |slot| self.meaning.escape_of(slot));
        }
        if unit.is_none() {
            let seconds = Unit::Seconds;
            let mut with_point = Meaning { duration: seconds, first_byte: seconds, ..self.meaning.clone() };
            map::apply(&options.map, &mut with_point);
            self.with_point = Some(with_point);
        }
        self
    }

    /// Whether a column holds what `--identity` asks for.
    pub(super) fn has_identity(&self) -> bool {
        let cookies = |column: &Column| column.slot == Some(Slot::Cookies) && self.meaning.cookie.is_some();
        self.columns
            .iter()
            .any(|column| column.identity || column.slot == Some(Slot::Identity) || cookies(column))
    }

    /// The name shown to people.
    pub(super) fn label(&self) -> &'static str {
        match (self.producer, self.cells) {
            (Producer::Iis, _) => "iis:w3c",
            (Producer::CloudFront, _) => "aws:cloudfront",
            (Producer::W3c, _) => "w3c:extended",
            (Producer::Zeek, _) => "zeek:http",
            (Producer::Table, Cells::At(b'\t')) => "tsv:header",
            (Producer::Table, _) => "csv:header",
        }
    }

    pub(super) fn richness(&self) -> usize {
        self.columns.iter().filter(|column| column.slot.is_some()).count()
    }

    /// Everything of a line that is a number; its text as it stands in it goes to `values`.
    pub(super) fn read<'a>(
        &self,
        line: &'a [u8],
        values: &mut Values<'a>,
        cache: &mut Cache,
    ) -> Result<Numbers, Reject> {
        self.split(line, values)?;
        let meaning = match (&self.with_point, values.printed(Slot::Duration)) {
            (Some(with_point), Some(duration)) if duration.contains(&b'.') => with_point,
            _ => &self.meaning,
        };
        match &self.date {
            None => meaning.numbers(values, cache),
            Some(date) => {
                let mut dated = *values;
                dated.set(Slot::Date, date);
                meaning.numbers(&dated, cache)
            }
        }
    }

    fn split<'a>(&self, line: &'a [u8], values: &mut Values<'a>) -> Result<(), Reject> {
        let separator = match self.cells {
            Cells::At(byte) => byte,
            Cells::AtBlankOrTab => memchr::memchr2(b' ', b'\t', line).map_or(b' ', |at| line[at]),
        };
        if self.quotes && memchr::memchr(b'"', line).is_some() {
            let cells = QuotedCells { rest: Some(line), separator };
            let found = self.fill(cells, values);
            // Not all producers that write quotes as they come are known.
            return if self.producer == Producer::W3c && found.is_err() {
                self.fill(plain_cells(line, separator), values)
            } else {
                found
            };
        }
        let found = self.fill(plain_cells(line, separator), values);
        match separator {
            // The standard lets any number of blanks stand between two fields.
            b' ' if found.is_err() && memchr::memmem::find(line, b"  ").is_some() => {
                let cells = plain_cells(line, separator);
                self.fill(cells.filter(|cell| cell.is_some_and(|cell| !cell.is_empty())), values)
            }
            _ => found,
        }
    }

    /// Fills `values` from the cells of a line; a cell that cannot be read is `None`.
    #[inline]
    fn fill<'a>(
        &self,
        mut cells: impl Iterator<Item = Option<&'a [u8]>>,
        values: &mut Values<'a>,
    ) -> Result<(), Reject> {
        *values = Values::NONE;
        for (at, column) in self.columns.iter().enumerate() {
            let cell = match cells.next() {
                Some(cell) => cell.ok_or(Reject::Truncated)?,
                None if at >= self.least => break,
                None => return Err(Reject::Truncated),
            };
            let Some(slot) = column.slot else {
                if column.identity {
                    values.set(Slot::Identity, cell);
                }
                continue;
            };
            if cell.is_empty() || *cell == *self.absent {
                continue;
            }
            if column.identity {
                values.set(Slot::Identity, cell);
            }
            if column.second && values.has(slot) {
                continue;
            }
            values.set(slot, cell);
            if column.escape.is_in(cell) {
                values.set_escaped(slot);
            }
        }
        // Where a value can hold the separator, a cell too many means that all before it may be wrong. Producers
        // that write tabs or quotes add columns at the end.
        let may_have_more = self.cells != Cells::AtBlankOrTab || self.producer == Producer::CloudFront;
        match may_have_more || cells.all(|cell| cell.is_some_and(<[u8]>::is_empty)) {
            true => Ok(()),
            false => Err(Reject::TrailingText),
        }
    }
}

fn plain_cells(line: &[u8], separator: u8) -> impl Iterator<Item = Option<&[u8]>> {
    let mut start = 0;
    memchr::memchr_iter(separator, line).chain(std::iter::once(line.len())).map(move |end| {
        let cell = &line[start..end];
        start = end + 1;
        Some(cell)
    })
}

/// Cells of which some stand in double quotes, as RFC 4180 has them; their quotes are cut off.
struct QuotedCells<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Iterator for QuotedCells<'a> {
    /// `None` where a quote is not closed.
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let Some(text) = rest.strip_prefix(b"\"") else {
            let end = memchr::memchr(self.separator, rest).unwrap_or(rest.len());
            self.rest = rest.get(end + 1..);
            return Some(Some(&rest[..end]));
        };
        let mut from = 0;
        loop {
            let Some(quote) = memchr::memchr(b'"', &text[from..]) else { return Some(None) };
            let end = from + quote;
            match text.get(end + 1) {
                Some(b'"') => from = end + 2,
                None => return Some(Some(&text[..end])),
                Some(byte) if *byte == self.separator => {
                    self.rest = Some(&text[end + 2..]);
                    return Some(Some(&text[..end]));
                }
                Some(_) => return Some(None),
            }
        }
    }
}

/// What was found among the names of a header.
#[derive(Debug, Default)]
struct Found {
    unit: Option<Unit>,
    first_byte_unit: Option<Unit>,
    /// The time is one of day, and a date stands in the line.
    time_with_date: bool,
    /// The time is one of day, and no date stands in the line.
    time_of_day_only: bool,
    /// The time is that of the server's zone.
    local: bool,
}

/// The columns of the names of a header; `None` when they lack what no profile can be made without.
fn bind(
    names: &[&str],
    known: &dyn Fn(&str) -> Option<Known>,
    options: &Options,
) -> Option<(Vec<Column>, Found)> {
    let rules = &options.map;
    let said = |name: &str| {
        rules.iter().enumerate().find_map(|(rank, rule)| {
            let (slot, unit) = rule.of_column(name)?;
            Some(Known { slot, rank, unit: unit.or_else(|| known(name)?.unit) })
        })
    };
    let by_name = |name: &str| known(name).filter(|known| !map::overrule(rules, known.slot));
    let all: Vec<Option<Known>> = names.iter().map(|name| said(name).or_else(|| by_name(name))).collect();
    let best = |slot: Slot| {
        let of_slot = all
            .iter()
            .enumerate()
            .filter_map(|(at, known)| known.filter(|known| known.slot == slot).map(|known| (known.rank, at)));
        of_slot.min().map(|(_, at)| at)
    };
    let has = |slots: &[Slot]| slots.iter().any(|slot| best(*slot).is_some());
    if !has(&[Slot::Status]) || !has(&[Slot::RequestLine, Slot::Target, Slot::Path]) {
        return None;
    }
    let time = best(Slot::Time)?;
    // `time` is a time of day where there is a date beside it; W3C has no other.
    let is = |name: &str| said(names[time]).is_none() && names[time].eq_ignore_ascii_case(name);
    let local = is("time-local");
    let time_of_day = local || is("time");
    let with_date = time_of_day && has(&[Slot::Date]);
    let unit_of = |slot| best(slot).and_then(|at| all[at]).and_then(|known| known.unit);
    let found = Found {
        unit: unit_of(Slot::Duration),
        first_byte_unit: unit_of(Slot::FirstByte),
        time_with_date: with_date,
        time_of_day_only: time_of_day && !with_date,
        local,
    };
    let columns = names.iter().zip(&all).enumerate().map(|(at, (name, known))| {
        let slot = known.map(|known| known.slot);
        let first = slot.and_then(best) == Some(at);
        // Two stamps or two durations are two different things; two names of a host are one.
        let alternatives = [Slot::Client, Slot::Host, Slot::BytesOut, Slot::User, Slot::RequestId];
        let slot = slot.filter(|slot| first || alternatives.contains(slot));
        Column {
            slot: slot.filter(|slot| *slot != Slot::Date || with_date),
            second: !first,
            identity: matches!(&options.identity, Identity::Field(field) if names_field(name, field)),
            escape: Escape::None,
        }
    });
    Some((columns.collect(), found))
}

/// Whether column `name` is what `--identity field:FIELD` means.
fn names_field(name: &str, field: &str) -> bool {
    let inner = name.split_once('(').and_then(|(_, inner)| inner.strip_suffix(')'));
    name.eq_ignore_ascii_case(field) || inner.is_some_and(|inner| inner.eq_ignore_ascii_case(field))
}
