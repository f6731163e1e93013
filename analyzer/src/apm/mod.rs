//! Exports of application performance monitoring: spans and transactions in, requests out.
//!
//! ```text
//! document → records → Span or row of a product → entry spans → Request
//! ```
//!
//! | module | answers |
//! |---|---|
//! | [`json`] | where the records are in JSON, and what they hold |
//! | [`convention`] | what the attributes of spans mean |
//! | [`span`] | which spans are requests, and what those say |
//! | [`otlp`], [`otlp_proto`], [`protobuf`] | OpenTelemetry |
//! | [`jaeger`], [`zipkin`], [`xray`], [`elastic`] | exports that are more than a table |
//! | [`rows`] | exports that are tables: which product's, and where the rows are |
//! | [`app_insights`], [`datadog`], [`dynatrace`], [`new_relic`] | what their columns mean |

mod app_insights;
mod convention;
mod datadog;
mod dynatrace;
mod elastic;
mod jaeger;
mod json;
mod new_relic;
mod otlp;
mod otlp_proto;
mod protobuf;
mod rows;
mod span;
mod xray;
mod zipkin;

use crate::document::Sink;
use crate::table;
use json::Outline;
pub(crate) use rows::Product;

/// An export, by what it is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// OpenTelemetry's protocol as JSON.
    OtlpJson,
    /// OpenTelemetry's protocol as Protocol Buffers.
    OtlpProto,
    /// Jaeger's JSON.
    Jaeger,
    /// Zipkin's JSON.
    Zipkin,
    /// What agents of Elastic APM send.
    ElasticIntake,
    /// Segments of AWS X-Ray.
    XRay,
    /// A table of a product.
    Rows(Product),
    /// Parquet: whose it is shows in its columns, which stand at its end.
    Parquet,
}

impl Export {
    /// All, the more specific first.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let whole =
            [Self::OtlpJson, Self::OtlpProto, Self::Jaeger, Self::ElasticIntake, Self::XRay, Self::Parquet];
        whole.into_iter().chain(Product::ALL.map(Self::Rows)).chain([Self::Zipkin])
    }

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::OtlpJson => "otlp:json",
            Self::OtlpProto => "otlp:proto",
            Self::Jaeger => "jaeger:json",
            Self::Zipkin => "zipkin:v2",
            Self::ElasticIntake => "elastic-apm:intake",
            Self::XRay => "aws:xray",
            Self::Rows(Product::Elasticsearch) => "elastic-apm:documents",
            Self::Rows(Product::AppInsights) => "azure:app-insights",
            Self::Rows(Product::DatadogRum) => "datadog:rum",
            Self::Rows(Product::DatadogSpans) => "datadog:spans",
            Self::Rows(Product::NewRelic) => "newrelic:transactions",
            Self::Rows(Product::Dynatrace) => "dynatrace:spans",
            Self::Parquet => "parquet",
        }
    }

    /// What a request is called in it.
    pub(crate) fn request_name(self) -> &'static str {
        match self {
            Self::OtlpJson | Self::OtlpProto | Self::Jaeger | Self::Zipkin => "span of kind SERVER",
            Self::ElasticIntake | Self::Rows(Product::Elasticsearch) => "transaction of type `request`",
            Self::XRay => "whole segment with an HTTP request",
            Self::Rows(Product::AppInsights) => "row of requests",
            Self::Rows(Product::DatadogRum) => "resource that a user's browser loaded",
            Self::Rows(Product::DatadogSpans) => "span of type `web`",
            Self::Rows(Product::NewRelic) => "transaction of type `Web`",
            Self::Rows(Product::Dynatrace) => "root span of a request",
            Self::Parquet => "row of requests",
        }
    }

    /// How sure the first bytes make that an input is of this kind, 0..=1.
    pub(crate) fn recognise(self, head: &[u8]) -> f64 {
        let known = match self {
            Self::OtlpProto => otlp_proto::recognise(head),
            Self::Parquet => table::is_parquet(head),
            _ => {
                let outline = Outline::of(head);
                match self {
                    Self::OtlpJson => otlp::recognise(&outline),
                    Self::Jaeger => jaeger::recognise(&outline),
                    Self::Zipkin => zipkin::recognise(&outline),
                    Self::ElasticIntake => elastic::recognise_intake(&outline),
                    Self::XRay => xray::recognise(&outline),
                    Self::Rows(product) => product.recognise(head, &outline),
                    Self::OtlpProto | Self::Parquet => false,
                }
            }
        };
        f64::from(u8::from(known))
    }

    /// Gives every record of `bytes` to `sink`, in their order.
    ///
    /// # Errors
    /// Where and how the export breaks off, or what it holds instead of requests.
    pub(crate) fn read(self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), String> {
        let text = || String::from_utf8_lossy(bytes);
        match self {
            Self::OtlpJson => otlp::read(&text(), sink),
            Self::OtlpProto => otlp_proto::read(bytes, sink),
            Self::Jaeger => jaeger::read(&text(), sink),
            Self::Zipkin => zipkin::read(&text(), sink),
            Self::ElasticIntake => elastic::read_intake(&text(), sink),
            Self::XRay => xray::read(&text(), sink),
            Self::Rows(product) => product.read(bytes, sink),
            Self::Parquet => {
                let table = table::read_parquet(bytes)?;
                let has = |name: &str| table.has(name);
                if let Some(product) = Product::ALL.into_iter().find(|product| product.knows(&has)) {
                    product.read_table(&table, sink);
                } else if let Some(columns) = table::columns::known(&has) {
                    columns.read(&table, sink);
                } else {
                    return Err(
                        "a table whose columns are of no known export; --map says what they mean".to_owned()
                    );
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reject::Reject;
    use crate::request::Request;

    /// `2026-11-01T23:00:01.250Z 0.05s GET /items/7 404 192.0.2.1 route=… weight=…`.
    fn line(record: Result<Request<'_>, Reject>) -> String {
        let request = match record {
            Err(reject) => return reject.name().to_owned(),
            Ok(request) => request,
        };
        let text = |bytes: &[u8]| match bytes {
            [] => "-".to_owned(),
            bytes => String::from_utf8(bytes.to_vec()).unwrap(),
        };
        let start = jiff::Timestamp::from_nanosecond(i128::from(request.stamp_ns)).unwrap();
        let client = match (request.client_is_trace, request.session) {
            (true, Some(trace)) => format!("trace:{}", text(trace)),
            (false, Some(session)) => format!("session:{}", text(session)),
            (_, None) => text(request.client),
        };
        let duration = request.duration_ns.map_or("-".to_owned(), |ns| format!("{}s", ns as f64 * 1e-9));
        let mut line = format!(
            "{start:.3} {duration} {} {} {} {client}",
            text(request.method.unwrap_or_default()),
            text(request.target),
            request.status
        );
        if let Some(route) = request.route {
            line += &format!(" route={}", text(route));
        }
        if let Some(weight) = request.weight {
            line += &format!(" weight={weight}");
        }
        line
    }

    #[track_caller]
    fn check_given(read: impl Fn(&mut Sink<'_>) -> Result<(), String>, expected: &[&str]) {
        let mut found = Vec::new();
        read(&mut |record| found.push(line(record))).unwrap();
        assert_eq!(found, expected);
    }

    #[track_caller]
    pub(super) fn check(read: fn(&str, &mut Sink<'_>) -> Result<(), String>, text: &str, expected: &[&str]) {
        check_given(|sink| read(text, sink), expected);
    }

    #[track_caller]
    pub(super) fn check_bytes(
        read: fn(&[u8], &mut Sink<'_>) -> Result<(), String>,
        bytes: &[u8],
        expected: &[&str],
    ) {
        check_given(|sink| read(bytes, sink), expected);
    }

    /// Reads `text` as the export that it is recognised as, which must be that of `product`.
    #[track_caller]
    pub(super) fn check_rows(product: Product, text: &str, expected: &[&str]) {
        let known: Vec<Export> =
            Export::all().filter(|export| export.recognise(text.as_bytes()) > 0.0).collect();
        assert_eq!(known, [Export::Rows(product)]);
        check_given(|sink| known[0].read(text.as_bytes(), sink), expected);
    }

    #[track_caller]
    pub(super) fn refused(read: fn(&str, &mut Sink<'_>) -> Result<(), String>, text: &str, expected: &str) {
        assert_eq!(read(text, &mut |_| {}), Err(expected.to_owned()));
    }

    #[test]
    fn logs_of_lines_are_no_exports() {
        for text in [
            r#"192.0.2.1 - - [10/Oct/2026:13:55:36 -0700] "GET / HTTP/1.1" 200 5"#,
            r#"{"level":"info","ts":1646861401.5,"msg":"handled request","request":{"method":"GET","uri":"/"},"status":200}"#,
            r#"{"ClientAddr":"192.0.2.1:1","Duration":40356,"RequestMethod":"GET","RequestPath":"/","DownstreamStatus":404}"#,
            r#"{"request":{"id":"1","uri":"/a","method":"GET"},"response":{"status":200},"started_at":1726783839538}"#,
            r#"{"log":{"version":"1.2","entries":[{"startedDateTime":"2026-11-01T23:00:01Z","request":{"method":"GET"}}]}}"#,
            "time,method,path,status\n2026-11-01T23:00:01Z,GET,/,200\n",
        ] {
            let known: Vec<Export> =
                Export::all().filter(|export| export.recognise(text.as_bytes()) > 0.0).collect();
            assert_eq!(known, [], "{text}");
        }
    }

    #[test]
    fn damage_never_stops_the_reader() {
        let document = r#"{"resourceSpans":[{"resource":{"attributes":[]},"scopeSpans":[{"spans":[{"traceId":"A","spanId":"b","kind":2,"startTimeUnixNano":"1793574001250000000","name":"GET /x","attributes":[{"key":"url.path","value":{"stringValue":"/é"}}]}]}]}]}"#;
        for export in Export::all() {
            for cut in 0..document.len() {
                let _ = export.read(&document.as_bytes()[..cut], &mut |_| {});
                let mut bytes = document.as_bytes().to_vec();
                bytes[cut] ^= 0x15;
                let _ = export.recognise(&bytes);
                let _ = export.read(&bytes, &mut |_| {});
            }
        }
    }
}
