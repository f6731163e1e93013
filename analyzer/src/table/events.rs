//! The table of events: CSV and Parquet with the columns that the lines of JSON have.

use std::io::Write;

use anyhow::{Context as _, Error};
use polars::io::parquet::write::BatchedWriter;
use polars::prelude::{
    Column, CsvWriter, DataFrame, DataType, NamedFrom as _, ParquetWriter, SerWriter as _, Series, TimeUnit,
};

use crate::events::EventRecord;
use crate::record::rfc3339_ns;

/// Some events, by column.
#[derive(Default)]
pub(crate) struct Events {
    started_ns: Vec<Option<i64>>,
    ended_ns: Vec<Option<i64>>,
    duration_s: Vec<Option<f64>>,
    client: Vec<String>,
    method: Vec<Option<String>>,
    route: Vec<Option<String>>,
    endpoint: Vec<Option<String>>,
    status: Vec<u32>,
    bytes_out: Vec<Option<u64>>,
    kind: Vec<&'static str>,
    weight: Vec<Option<f64>>,
}

impl Events {
    pub(crate) fn push(&mut self, event: &EventRecord<'_>) {
        self.started_ns.push(event.started_ns);
        self.ended_ns.push(event.ended_ns);
        self.duration_s.push(event.duration_s);
        self.client.push(event.client.clone());
        self.method.push(event.method.map(str::to_owned));
        self.route.push(event.route.map(str::to_owned));
        self.endpoint.push(event.endpoint.map(str::to_owned));
        self.status.push(u32::from(event.status));
        self.bytes_out.push(event.bytes_out);
        self.kind.push(event.kind.name());
        self.weight.push(event.weight);
    }

    /// The table; `instant` makes a column of moments.
    fn frame(
        self,
        instant: fn(&'static str, Vec<Option<i64>>) -> Result<Column, Error>,
    ) -> Result<DataFrame, Error> {
        let height = self.status.len();
        let columns = vec![
            instant("started_at", self.started_ns)?,
            instant("ended_at", self.ended_ns)?,
            Series::new("duration_s".into(), self.duration_s).into(),
            Series::new("client".into(), self.client).into(),
            Series::new("method".into(), self.method).into(),
            Series::new("route".into(), self.route).into(),
            Series::new("endpoint".into(), self.endpoint).into(),
            Series::new("status".into(), self.status).into(),
            Series::new("bytes_out".into(), self.bytes_out).into(),
            Series::new("kind".into(), self.kind).into(),
            Series::new("weight".into(), self.weight).into(),
        ];
        DataFrame::new(height, columns).context("cannot make a table of events")
    }
}

/// Moments as RFC 3339.
fn as_text(name: &'static str, ns: Vec<Option<i64>>) -> Result<Column, Error> {
    let text: Vec<Option<String>> = ns.into_iter().map(|ns| ns.map(rfc3339_ns)).collect();
    Ok(Series::new(name.into(), text).into())
}

/// Moments as nanoseconds of UTC.
fn as_instants(name: &'static str, ns: Vec<Option<i64>>) -> Result<Column, Error> {
    let instants = Series::new(name.into(), ns).cast(&DataType::Datetime(TimeUnit::Nanoseconds, None));
    Ok(instants.context("cannot make a column of moments")?.into())
}

/// Writes tables of events one after the other as one.
pub(crate) enum EventsWriter<'w> {
    Csv { out: &'w mut dyn Write, with_names: bool },
    Parquet(Box<BatchedWriter<&'w mut dyn Write>>),
}

impl<'w> EventsWriter<'w> {
    pub(crate) fn csv(out: &'w mut dyn Write) -> Self {
        Self::Csv { out, with_names: true }
    }

    pub(crate) fn parquet(out: &'w mut dyn Write) -> Result<Self, Error> {
        let empty = Events::default().frame(as_instants)?;
        let writer = ParquetWriter::new(out).batched(empty.schema());
        Ok(Self::Parquet(Box::new(writer.context("cannot write a table of events")?)))
    }

    pub(crate) fn write(&mut self, events: Events) -> Result<(), Error> {
        if events.status.is_empty() && !matches!(self, Self::Csv { with_names: true, .. }) {
            return Ok(());
        }
        match self {
            Self::Csv { out, with_names } => {
                let mut frame = events.frame(as_text)?;
                let names = std::mem::take(with_names);
                CsvWriter::new(&mut *out).include_header(names).finish(&mut frame)
            }
            Self::Parquet(writer) => writer.write_batch(&events.frame(as_instants)?),
        }
        .context("cannot write a table of events")
    }

    pub(crate) fn finish(self) -> Result<(), Error> {
        match self {
            Self::Csv { out, .. } => Ok(out.flush()?),
            Self::Parquet(writer) => writer.finish().map(drop).context("cannot write a table of events"),
        }
    }
}
