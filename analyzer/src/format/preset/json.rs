//! Access logs that products write as JSON, one object per line.
//!
//! Sources: Caddy `modules/caddyhttp/server.go` and `logging.go`; Traefik `pkg/middlewares/accesslog/logdata.go`; Envoy
//! and Istio access log documentation; Google Cloud `LogEntry` and `HttpRequest`; Azure Monitor schemas of Application
//! Gateway and Front Door; Cloudflare Logpush `http_requests`; Kong `pdk/log.lua`; Zeek `base/protocols/http`;
//! Suricata `output-json-http.c`; Akamai DataStream 2 and SIEM integration; AWS WAF log fields.

use shared::profile::Stamp;

use super::super::escape::Escape;
use super::super::json::{Json, Mark, Test};
use super::super::meaning::Meaning;
use super::super::number::Unit;
use super::super::time::TimeFormat;
use super::super::values::Slot;
use super::super::{Format, Options, Reader};
use crate::session::identity::Identity;

/// What a product writes.
struct Preset {
    label: &'static str,
    /// The keys and what they hold; of several for one slot, the first that has a value.
    fields: &'static [(&'static str, Slot)],
    /// What tells a request from other records of the product.
    marks: Vec<Mark>,
    /// Where request headers are, with `{}` for the name.
    headers: &'static str,
    meaning: Meaning,
    /// How sure it is that such a log is what people want to read.
    certainty: f64,
}

pub(super) fn formats(options: &Options) -> Vec<Format> {
    let presets = [
        caddy(Unit::Seconds),
        caddy(Unit::Nanoseconds),
        traefik(),
        envoy(),
        gcp(),
        azure_gateway_v2(),
        azure_gateway_v1(),
        azure_front_door(),
        cloudflare(),
        kong(),
        zeek(),
        suricata(&["http"], "suricata:http", 1.0),
        suricata(&["alert"], "suricata:alert", 0.9),
        akamai_datastream(),
        akamai_siem(),
        aws_waf(),
    ];
    presets.into_iter().map(|preset| preset.format(&options.identity)).collect()
}

impl Preset {
    fn format(self, identity: &Identity) -> Format {
        let mut fields: Vec<(String, Slot)> =
            self.fields.iter().map(|(path, slot)| ((*path).to_owned(), *slot)).collect();
        let mut meaning = self.meaning;
        match identity {
            Identity::Cookie(name) => {
                meaning.cookie = Some(name.as_bytes().into());
                // Cloudflare logs chosen cookies one by one.
                fields.push((format!("Cookies.{name}"), Slot::Identity));
            }
            Identity::Field(name) => {
                let headers = [name.clone(), name.to_ascii_lowercase()];
                fields.push((name.clone(), Slot::Identity));
                fields.extend(headers.map(|name| (self.headers.replace("{}", &name), Slot::Identity)));
            }
            Identity::Ip | Identity::IpAndUserAgent => {}
        }
        let mut json = Json::new(&fields, &self.marks, meaning);
        json.certainty = self.certainty;
        Format::new(self.label, Reader::Json(json))
    }
}

/// What nearly all of them share.
fn json(time: TimeFormat, stamp: Stamp, duration: Unit) -> Meaning {
    Meaning {
        other_time: time.clone(),
        time,
        stamp,
        duration,
        first_byte: Unit::Milliseconds,
        escape: Escape::Json,
        client_port: true,
        ..Meaning::default()
    }
}

const fn there(paths: &'static [&'static str]) -> Mark {
    Mark { paths, test: Test::There }
}

const fn is(paths: &'static [&'static str], texts: &'static [&'static str]) -> Mark {
    Mark { paths, test: Test::Is(texts) }
}

const CADDY: [(&str, Slot); 16] = [
    ("ts", Slot::Time),
    ("request.client_ip", Slot::Client),
    ("request.remote_ip", Slot::Client),
    ("request.remote_addr", Slot::Client),
    ("request.proto", Slot::Protocol),
    ("request.method", Slot::Method),
    ("request.host", Slot::Host),
    ("request.uri", Slot::Target),
    ("request.headers.User-Agent[0]", Slot::UserAgent),
    ("request.headers.Referer[0]", Slot::Referer),
    ("request.headers.Cookie[0]", Slot::Cookies),
    ("bytes_read", Slot::BytesIn),
    ("user_id", Slot::User),
    ("duration", Slot::Duration),
    ("size", Slot::BytesOut),
    ("status", Slot::Status),
];

/// Caddy logs when the response is done; errors of the same request are records of their own. Durations are seconds
/// with a fraction or text with a unit; with `duration_format nano`, whole nanoseconds.
fn caddy(unit: Unit) -> Preset {
    const HANDLED: Mark = is(&["msg"], &["handled request"]);
    let nano = unit == Unit::Nanoseconds;
    Preset {
        label: if nano { "caddy:json_nano" } else { "caddy:json" },
        fields: &CADDY,
        marks: match nano {
            true => vec![HANDLED, Mark { paths: &["duration"], test: Test::Whole }],
            false => vec![HANDLED, Mark { paths: &["duration"], test: Test::NotWhole }],
        },
        headers: "request.headers.{}[0]",
        meaning: json(TimeFormat::Any, Stamp::End, unit),
        certainty: 1.0,
    }
}

/// Traefik: `time` is when the line was written, `StartUTC` when the request came.
fn traefik() -> Preset {
    Preset {
        label: "traefik:json",
        fields: &[
            ("StartUTC", Slot::Time),
            ("StartLocal", Slot::Time),
            ("Duration", Slot::Duration),
            ("RequestLine", Slot::RequestLine),
            ("RequestMethod", Slot::Method),
            ("RequestPath", Slot::Target),
            ("RequestHost", Slot::Host),
            ("RequestScheme", Slot::Scheme),
            ("RequestProtocol", Slot::Protocol),
            ("DownstreamStatus", Slot::Status),
            ("OriginStatus", Slot::Status),
            ("DownstreamContentSize", Slot::BytesOut),
            ("RequestContentSize", Slot::BytesIn),
            ("ClientHost", Slot::Client),
            ("ClientAddr", Slot::Client),
            ("ClientUsername", Slot::User),
            ("request_User-Agent", Slot::UserAgent),
            ("request_Referer", Slot::Referer),
            ("request_Cookie", Slot::Cookies),
            ("request_X-Request-Id", Slot::RequestId),
        ],
        marks: vec![there(&["StartUTC", "StartLocal"]), there(&["DownstreamStatus", "OriginStatus"])],
        headers: "request_{}",
        meaning: json(TimeFormat::Iso8601, Stamp::Start, Unit::Nanoseconds),
        certainty: 1.0,
    }
}

/// Istio, Envoy Gateway, and whoever names the keys after the operators. A connection that is no HTTP has no protocol.
fn envoy() -> Preset {
    Preset {
        label: "envoy:json",
        fields: &[
            ("start_time", Slot::Time),
            ("duration", Slot::Duration),
            ("method", Slot::Method),
            ("path", Slot::Target),
            ("x-envoy-origin-path", Slot::Target),
            ("x-envoy-original-path", Slot::Target),
            ("protocol", Slot::Protocol),
            ("response_code", Slot::Status),
            ("authority", Slot::Host),
            (":authority", Slot::Host),
            ("bytes_received", Slot::BytesIn),
            ("bytes_sent", Slot::BytesOut),
            ("x_forwarded_for", Slot::ForwardedFor),
            ("x-forwarded-for", Slot::ForwardedFor),
            ("downstream_remote_address", Slot::Client),
            ("user_agent", Slot::UserAgent),
            ("user-agent", Slot::UserAgent),
            ("referer", Slot::Referer),
            ("request_id", Slot::RequestId),
            ("x-request-id", Slot::RequestId),
        ],
        marks: vec![
            there(&["start_time"]),
            there(&["response_code"]),
            there(&["response_flags", "upstream_cluster", "upstream_host"]),
            Mark { paths: &["protocol"], test: Test::Not(&["", "-"]) },
        ],
        headers: "{}",
        meaning: json(TimeFormat::Iso8601Utc, Stamp::Start, Unit::Milliseconds),
        certainty: 1.0,
    }
}

/// Load balancers, Cloud Run and App Engine of Google. What is `false` or 0 is left out.
fn gcp() -> Preset {
    Preset {
        label: "gcp:http",
        fields: &[
            ("timestamp", Slot::Time),
            ("httpRequest.latency", Slot::Duration),
            ("httpRequest.requestMethod", Slot::Method),
            ("httpRequest.requestUrl", Slot::Target),
            ("httpRequest.protocol", Slot::Protocol),
            ("httpRequest.status", Slot::Status),
            ("httpRequest.requestSize", Slot::BytesIn),
            ("httpRequest.responseSize", Slot::BytesOut),
            ("httpRequest.remoteIp", Slot::Client),
            ("httpRequest.userAgent", Slot::UserAgent),
            ("httpRequest.referer", Slot::Referer),
            ("trace", Slot::RequestId),
        ],
        marks: vec![
            there(&["httpRequest.requestUrl"]),
            there(&["timestamp"]),
            there(&["insertId", "logName", "resource", "receiveTimestamp"]),
        ],
        headers: "httpRequest.{}",
        meaning: json(TimeFormat::Iso8601Utc, Stamp::Start, Unit::Seconds),
        certainty: 1.0,
    }
}

const GATEWAY: [(&str, Slot); 21] = [
    ("timeStamp", Slot::Time),
    ("timestamp", Slot::Time),
    ("time", Slot::Time),
    ("properties.timeTaken", Slot::Duration),
    ("properties.httpMethod", Slot::Method),
    ("properties.originalRequestUriWithArgs", Slot::Target),
    ("properties.requestUri", Slot::Path),
    ("properties.httpVersion", Slot::Protocol),
    ("properties.httpStatus", Slot::Status),
    ("properties.receivedBytes", Slot::BytesIn),
    ("properties.sentBytes", Slot::BytesOut),
    ("properties.clientIP", Slot::Client),
    ("properties.clientIp", Slot::Client),
    ("properties.userAgent", Slot::UserAgent),
    ("properties.UserAgent", Slot::UserAgent),
    ("properties.originalHost", Slot::Host),
    ("properties.host", Slot::Host),
    ("properties.hostname", Slot::Host),
    ("properties.transactionId", Slot::RequestId),
    ("properties.referer", Slot::Referer),
    ("properties.requestQuery", Slot::Query),
];

const GATEWAY_RECORD: Mark = is(&["category"], &["ApplicationGatewayAccessLog"]);
/// Probes and calls of the gateway itself.
const GATEWAY_OWN: Mark =
    Mark { paths: &["properties.clientIP", "properties.clientIp"], test: Test::Not(&["127.0.0.1"]) };
/// What only the second version writes.
const GATEWAY_V2: [&str; 4] = [
    "properties.originalRequestUriWithArgs",
    "properties.transactionId",
    "listenerName",
    "backendSettingName",
];

fn azure_gateway_v2() -> Preset {
    Preset {
        label: "azure:application_gateway_v2",
        fields: &GATEWAY,
        marks: vec![GATEWAY_RECORD, GATEWAY_OWN, there(&GATEWAY_V2)],
        headers: "properties.{}",
        meaning: json(TimeFormat::Iso8601Utc, Stamp::End, Unit::Seconds),
        certainty: 1.0,
    }
}

/// The first version prints milliseconds, and its own routing as the query.
fn azure_gateway_v1() -> Preset {
    const NOT_V2: Mark = Mark { paths: &GATEWAY_V2, test: Test::Missing };
    Preset {
        label: "azure:application_gateway_v1",
        fields: GATEWAY.split_last().expect("there are fields").1,
        marks: vec![GATEWAY_RECORD, GATEWAY_OWN, NOT_V2],
        headers: "properties.{}",
        meaning: json(TimeFormat::Iso8601Utc, Stamp::End, Unit::Milliseconds),
        certainty: 1.0,
    }
}

/// Front Door stamps the moment the response was delivered. What one edge asks another for is no request of a client.
fn azure_front_door() -> Preset {
    Preset {
        label: "azure:front_door",
        fields: &[
            ("time", Slot::Time),
            ("properties.timeTaken", Slot::Duration),
            ("properties.timeToFirstByte", Slot::FirstByte),
            ("properties.httpMethod", Slot::Method),
            ("properties.requestUri", Slot::Target),
            ("properties.httpVersion", Slot::Protocol),
            ("properties.httpStatusCode", Slot::Status),
            ("properties.requestBytes", Slot::BytesIn),
            ("properties.responseBytes", Slot::BytesOut),
            ("properties.clientIp", Slot::Client),
            ("properties.clientIP", Slot::Client),
            ("properties.socketIp", Slot::Client),
            ("properties.userAgent", Slot::UserAgent),
            ("properties.referer", Slot::Referer),
            ("properties.referrer", Slot::Referer),
            ("properties.hostName", Slot::Host),
            ("properties.trackingReference", Slot::RequestId),
        ],
        marks: vec![
            is(&["category"], &["FrontDoorAccessLog", "FrontdoorAccessLog", "AzureCdnAccessLog"]),
            Mark { paths: &["properties.isReceivedFromClient"], test: Test::Not(&["false", "False"]) },
        ],
        headers: "properties.{}",
        meaning: Meaning {
            first_byte: Unit::Seconds,
            ..json(TimeFormat::Iso8601Utc, Stamp::End, Unit::Seconds)
        },
        certainty: 1.0,
    }
}

/// Start and end, in one of three notations. What a worker asks for is part of a request that has its own record.
fn cloudflare() -> Preset {
    Preset {
        label: "cloudflare:http_requests",
        fields: &[
            ("EdgeStartTimestamp", Slot::Time),
            ("EdgeEndTimestamp", Slot::OtherTime),
            ("EdgeTimeToFirstByteMs", Slot::FirstByte),
            ("ClientRequestMethod", Slot::Method),
            ("ClientRequestURI", Slot::Target),
            ("ClientRequestPath", Slot::Path),
            ("ClientRequestHost", Slot::Host),
            ("ClientRequestScheme", Slot::Scheme),
            ("ClientRequestProtocol", Slot::Protocol),
            ("ClientRequestBytes", Slot::BytesIn),
            ("ClientRequestReferer", Slot::Referer),
            ("ClientRequestUserAgent", Slot::UserAgent),
            ("ClientIP", Slot::Client),
            ("EdgeResponseStatus", Slot::Status),
            ("EdgeResponseBytes", Slot::BytesOut),
            ("RequestHeaders.cookie", Slot::Cookies),
            ("RayID", Slot::RequestId),
        ],
        marks: vec![
            there(&["EdgeStartTimestamp"]),
            there(&["ClientRequestURI", "ClientRequestPath"]),
            Mark { paths: &["ParentRayID"], test: Test::Only(&["00", "0000000000000000", "-"]) },
            Mark { paths: &["WorkerSubrequest"], test: Test::Not(&["true"]) },
        ],
        headers: "RequestHeaders.{}",
        meaning: json(TimeFormat::Any, Stamp::Start, Unit::Milliseconds),
        certainty: 1.0,
    }
}

/// The log plugins of Kong. `route.paths` are prefixes, no templates.
fn kong() -> Preset {
    Preset {
        label: "kong:json",
        fields: &[
            ("started_at", Slot::Time),
            ("latencies.request", Slot::Duration),
            ("request.method", Slot::Method),
            ("request.uri", Slot::Target),
            ("request.url", Slot::Target),
            ("request.size", Slot::BytesIn),
            ("request.headers.user-agent", Slot::UserAgent),
            ("request.headers.referer", Slot::Referer),
            ("request.headers.cookie", Slot::Cookies),
            ("request.headers.host", Slot::Host),
            ("request.id", Slot::RequestId),
            ("response.status", Slot::Status),
            ("response.size", Slot::BytesOut),
            ("client_ip", Slot::Client),
            ("consumer.id", Slot::User),
            ("authenticated_entity.id", Slot::User),
        ],
        marks: vec![there(&["started_at"]), there(&["latencies"]), there(&["request.method"])],
        headers: "request.headers.{}",
        meaning: json(TimeFormat::EpochMilliseconds, Stamp::Start, Unit::Milliseconds),
        certainty: 1.0,
    }
}

/// `http.log` as JSON. A response whose request was not seen has no method.
fn zeek() -> Preset {
    Preset {
        label: "zeek:json",
        fields: &[
            ("ts", Slot::Time),
            ("id.orig_h", Slot::Client),
            ("method", Slot::Method),
            ("host", Slot::Host),
            ("uri", Slot::Target),
            ("version", Slot::Protocol),
            ("referrer", Slot::Referer),
            ("user_agent", Slot::UserAgent),
            ("request_body_len", Slot::BytesIn),
            ("response_body_len", Slot::BytesOut),
            ("status_code", Slot::Status),
            ("username", Slot::User),
        ],
        marks: vec![there(&["uid"]), there(&["id.orig_h"]), there(&["trans_depth"]), there(&["method"])],
        headers: "{}",
        meaning: json(TimeFormat::Any, Stamp::Start, Unit::Seconds),
        certainty: 1.0,
    }
}

/// Suricata logs a transaction when it is complete, without the time it took. Alerts repeat the transaction that
/// raised them: they are read only where a log holds nothing else.
fn suricata(event: &'static [&'static str], label: &'static str, certainty: f64) -> Preset {
    Preset {
        label,
        fields: &[
            ("timestamp", Slot::Time),
            ("http.http_method", Slot::Method),
            ("http.url", Slot::Target),
            ("http.hostname", Slot::Host),
            ("http.protocol", Slot::Protocol),
            ("http.status", Slot::Status),
            ("http.length", Slot::BytesOut),
            ("http.http_user_agent", Slot::UserAgent),
            ("http.http_refer", Slot::Referer),
            ("src_ip", Slot::Client),
        ],
        marks: vec![is(&["event_type"], event), there(&["http.http_method"])],
        headers: "http.{}",
        meaning: json(TimeFormat::Iso8601, Stamp::End, Unit::Seconds),
        certainty,
    }
}

/// DataStream 2. The time taken is that to the first byte and that from it to the last; header values are encoded as
/// in forms.
fn akamai_datastream() -> Preset {
    Preset {
        label: "akamai:datastream2",
        fields: &[
            ("reqTimeSec", Slot::Time),
            ("turnAroundTimeMSec", Slot::Duration),
            ("transferTimeMSec", Slot::Duration2),
            ("timeToFirstByte", Slot::FirstByte),
            ("reqMethod", Slot::Method),
            ("reqPath", Slot::Path),
            ("queryStr", Slot::Query),
            ("reqHost", Slot::Host),
            ("proto", Slot::Scheme),
            ("statusCode", Slot::Status),
            ("reqSize", Slot::BytesIn),
            ("bytes", Slot::BytesOut),
            ("objSize", Slot::BytesOut),
            ("cliIP", Slot::Client),
            ("UA", Slot::UserAgent),
            ("referer", Slot::Referer),
            ("cookie", Slot::Cookies),
            ("reqId", Slot::RequestId),
        ],
        marks: vec![there(&["reqTimeSec"]), there(&["statusCode"]), there(&["reqPath"])],
        headers: "{}",
        meaning: Meaning {
            header_escape: Some(Escape::Form),
            ..json(TimeFormat::EpochSeconds, Stamp::Start, Unit::Milliseconds)
        },
        certainty: 1.0,
    }
}

/// One record for every request that a security rule looked at.
fn akamai_siem() -> Preset {
    Preset {
        label: "akamai:siem",
        fields: &[
            ("httpMessage.start", Slot::Time),
            ("httpMessage.method", Slot::Method),
            ("httpMessage.path", Slot::Path),
            ("httpMessage.query", Slot::Query),
            ("httpMessage.host", Slot::Host),
            ("httpMessage.protocol", Slot::Protocol),
            ("httpMessage.status", Slot::Status),
            ("httpMessage.bytes", Slot::BytesOut),
            ("httpMessage.requestId", Slot::RequestId),
            ("attackData.clientIP", Slot::Client),
        ],
        marks: vec![there(&["httpMessage.start"]), there(&["attackData"])],
        headers: "httpMessage.{}",
        meaning: json(TimeFormat::EpochSeconds, Stamp::Start, Unit::Milliseconds),
        certainty: 1.0,
    }
}

/// The firewall does not know what was answered.
fn aws_waf() -> Preset {
    Preset {
        label: "aws:waf",
        fields: &[
            ("timestamp", Slot::Time),
            ("httpRequest.clientIp", Slot::Client),
            ("httpRequest.httpMethod", Slot::Method),
            ("httpRequest.uri", Slot::Path),
            ("httpRequest.args", Slot::Query),
            ("httpRequest.httpVersion", Slot::Protocol),
            ("httpRequest.requestId", Slot::RequestId),
            ("responseCodeSent", Slot::Status),
        ],
        marks: vec![there(&["webaclId"]), there(&["httpRequest.uri"]), there(&["httpRequest.httpMethod"])],
        headers: "httpRequest.{}",
        meaning: json(TimeFormat::EpochMilliseconds, Stamp::Start, Unit::Milliseconds),
        certainty: 1.0,
    }
}
