//! Exports that are tables of requests, whatever they come in: JSON, lines, CSV, Parquet.
//!
//! Each product says by which names it is known, and what its columns mean; how rows are found is the same for all.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{self, ITEMS, Outline, Row, Scalar};
use super::span::{Span, Spans};
use super::{app_insights, datadog, dynatrace, elastic, new_relic};
use crate::document::Sink;
use crate::reject::Reject;
use crate::table;

/// Whose export it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    Elasticsearch,
    AppInsights,
    DatadogRum,
    DatadogSpans,
    NewRelic,
    Dynatrace,
}

/// A table of Azure: names apart from rows.
const AZURE_TABLES: [&str; 2] = ["tables.columns.name", "tables.rows"];

impl Product {
    /// All, the more specific first.
    pub(super) const ALL: [Self; 6] = [
        Self::Elasticsearch,
        Self::AppInsights,
        Self::DatadogRum,
        Self::DatadogSpans,
        Self::NewRelic,
        Self::Dynatrace,
    ];

    /// Whether a row in which a name is there or not is one of this product.
    pub(super) fn knows(self, has: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Elasticsearch => elastic::is_document(has),
            Self::AppInsights => app_insights::is_request(has),
            Self::DatadogRum => datadog::is_rum(has),
            Self::DatadogSpans => datadog::is_span(has),
            Self::NewRelic => new_relic::is_transaction(has),
            Self::Dynatrace => dynatrace::is_span(has),
        }
    }

    /// Where rows may stand in JSON, besides alone.
    fn paths(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Elasticsearch => &elastic::DOCUMENT_PATHS,
            Self::AppInsights => &[&["records", ITEMS], &["value", ITEMS]],
            Self::DatadogRum | Self::DatadogSpans => &[&["data", ITEMS]],
            Self::NewRelic => &new_relic::PATHS,
            Self::Dynatrace => &[&["result", "records", ITEMS], &["records", ITEMS]],
        }
    }

    fn request(self, row: &Row<'_>) -> Result<Span, Reject> {
        match self {
            Self::Elasticsearch => elastic::document(row),
            Self::AppInsights => app_insights::request(row),
            Self::DatadogRum => datadog::resource(row),
            Self::DatadogSpans => datadog::span(row),
            Self::NewRelic => new_relic::transaction(row),
            Self::Dynatrace => dynatrace::span(row),
        }
    }

    /// Rows are spans of traces, of which only the entry counts; else every row is a request of its own.
    fn has_parents(self) -> bool {
        matches!(self, Self::DatadogSpans | Self::Dynatrace)
    }

    fn path(self, outline: &Outline) -> Option<&'static [&'static str]> {
        let alone: [&[&str]; 1] = [&[]];
        self.paths().iter().chain(&alone).copied().find(|path| {
            let names: Vec<&str> = path.iter().filter(|key| **key != ITEMS).copied().collect();
            let place = if names.is_empty() { String::new() } else { names.join(".") + "." };
            self.knows(&|name| outline.has(&format!("{place}{name}")))
        })
    }

    pub(super) fn recognise(self, head: &[u8], outline: &Outline) -> bool {
        if !outline.is_empty() {
            return self.path(outline).is_some() || self == Self::AppInsights && outline.all(&AZURE_TABLES);
        }
        let names = table::csv_names(head);
        names.len() > 1 && self.knows(&|name| names.iter().any(|known| known == name))
    }

    pub(super) fn read(self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), String> {
        let outline = Outline::of(bytes);
        let mut spans = Spans::default();
        let end = match outline.is_empty() {
            true => table::read_csv(bytes).map(|table| self.take_table(&table, &mut spans)),
            false => {
                let text = String::from_utf8_lossy(bytes);
                match self.path(&outline) {
                    Some(path) => json::each(&text, path, &mut |record| self.take_record(record, &mut spans)),
                    None => {
                        json::each(&text, &["tables", ITEMS], &mut |table| self.take_azure(table, &mut spans))
                    }
                }
            }
        };
        self.give(spans, sink);
        end
    }

    pub(super) fn read_table(self, table: &table::Table, sink: &mut Sink<'_>) {
        let mut spans = Spans::default();
        self.take_table(table, &mut spans);
        self.give(spans, sink);
    }

    fn give(self, spans: Spans, sink: &mut Sink<'_>) {
        if self.has_parents() { spans.give(sink) } else { spans.give_each(sink) }
    }

    fn take_record(self, record: Result<&str, Reject>, spans: &mut Spans) {
        match record.and_then(|record| Row::parse(record).ok_or(Reject::OtherFormat)) {
            Ok(row) => self.take_row(&row, spans),
            Err(reject) => spans.reject(reject),
        }
    }

    fn take_row(self, row: &Row<'_>, spans: &mut Spans) {
        match self.request(row) {
            Ok(span) => spans.push(span),
            Err(reject) => spans.reject(reject),
        }
    }

    fn take_table(self, table: &table::Table, spans: &mut Spans) {
        table.rows(|row| self.take_row(&Row::of(row), spans));
    }

    /// Names and rows apart, as the query service of Azure answers.
    fn take_azure(self, table: Result<&str, Reject>, spans: &mut Spans) {
        #[derive(Deserialize)]
        struct Table<'a> {
            #[serde(borrow)]
            columns: Vec<Column<'a>>,
            #[serde(borrow)]
            rows: Vec<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Column<'a> {
            #[serde(borrow)]
            name: Cow<'a, str>,
        }
        let table = match table.map(serde_json::from_str::<Table<'_>>) {
            Err(reject) => return spans.reject(reject),
            Ok(Err(_)) => return spans.reject(Reject::OtherFormat),
            Ok(Ok(table)) => table,
        };
        for row in table.rows {
            match serde_json::from_str::<Vec<Scalar<'_>>>(row.get()) {
                Ok(cells) => {
                    let named = table.columns.iter().zip(cells);
                    let fields =
                        named.map(|(column, cell)| (column.name.clone(), cell.0.unwrap_or_default()));
                    self.take_row(&Row::of(fields.collect()), spans);
                }
                Err(_) => spans.reject(Reject::OtherFormat),
            }
        }
    }
}
