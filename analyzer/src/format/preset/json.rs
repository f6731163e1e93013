//! Access logs that products write as JSON, one object per line.
//!
//! Sources: Caddy `modules/caddyhttp/server.go` and `logging.go`; Traefik `pkg/middlewares/accesslog/logdata.go`; Envoy
//! and Istio access log documentation; Google Cloud `LogEntry` and `HttpRequest`; Azure Monitor schemas of Application
//! Gateway and Front Door; Cloudflare Logpush `http_requests`; Kong `pdk/log.lua`; Zeek `base/protocols/http`;
//! Suricata `output-json-http.c`; Akamai DataStream 2 and SIEM integration; AWS WAF log fields;
//! ModSecurity audit log (`msc_logging.c` of version 2, `transaction.cc` of version 3); Zscaler NSS feed output.

use std::sync::Arc;

use shared::profile::Stamp;

use super::super::escape::Escape;
use super::super::json::{Condition, Json, Test};
use super::super::meaning::Meaning;
use super::super::number::Unit;
use super::super::time::TimeFormat;
use super::super::time_pattern::TimePattern;
use super::super::values::Slot;
use super::super::{Format, Options, Reader};
use crate::session::identity::Identity;

/// What a product writes.
struct Preset {
    label: &'static str,
    /// The keys and what they hold; of several for one slot, the first that has a value.
    fields: &'static [(&'static str, Slot)],
    /// What tells a request from other records of the product.
    conditions: Vec<Condition>,
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
        modsecurity_v2(TimeFormat::Clf),
        modsecurity_v2(clf_with_microseconds()),
        modsecurity_v3(),
        zscaler(),
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
        let mut json = Json::new(&fields, &self.conditions, meaning);
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

const fn there(paths: &'static [&'static str]) -> Condition {
    Condition { paths, test: Test::There }
}

const fn is(paths: &'static [&'static str], texts: &'static [&'static str]) -> Condition {
    Condition { paths, test: Test::Is(texts) }
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
    const HANDLED: Condition = is(&["msg"], &["handled request"]);
    let nano = unit == Unit::Nanoseconds;
    Preset {
        label: if nano { "caddy:json_nano" } else { "caddy:json" },
        fields: &CADDY,
        conditions: match nano {
            true => vec![HANDLED, Condition { paths: &["duration"], test: Test::Whole }],
            false => vec![HANDLED, Condition { paths: &["duration"], test: Test::NotWhole }],
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
        conditions: vec![there(&["StartUTC", "StartLocal"]), there(&["DownstreamStatus", "OriginStatus"])],
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
        conditions: vec![
            there(&["start_time"]),
            there(&["response_code"]),
            there(&["response_flags", "upstream_cluster", "upstream_host"]),
            Condition { paths: &["protocol"], test: Test::Not(&["", "-"]) },
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
        conditions: vec![
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

const GATEWAY_RECORD: Condition = is(&["category"], &["ApplicationGatewayAccessLog"]);
/// Probes and calls of the gateway itself.
const GATEWAY_OWN: Condition =
    Condition { paths: &["properties.clientIP", "properties.clientIp"], test: Test::Not(&["127.0.0.1"]) };
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
        conditions: vec![GATEWAY_RECORD, GATEWAY_OWN, there(&GATEWAY_V2)],
        headers: "properties.{}",
        meaning: json(TimeFormat::Iso8601Utc, Stamp::End, Unit::Seconds),
        certainty: 1.0,
    }
}

/// The first version prints milliseconds, and its own routing as the query.
fn azure_gateway_v1() -> Preset {
    const NOT_V2: Condition = Condition { paths: &GATEWAY_V2, test: Test::Missing };
    Preset {
        label: "azure:application_gateway_v1",
        fields: GATEWAY.split_last().expect("there are fields").1,
        conditions: vec![GATEWAY_RECORD, GATEWAY_OWN, NOT_V2],
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
        conditions: vec![
            is(&["category"], &["FrontDoorAccessLog", "FrontdoorAccessLog", "AzureCdnAccessLog"]),
            Condition { paths: &["properties.isReceivedFromClient"], test: Test::Not(&["false", "False"]) },
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
        conditions: vec![
            there(&["EdgeStartTimestamp"]),
            there(&["ClientRequestURI", "ClientRequestPath"]),
            Condition { paths: &["ParentRayID"], test: Test::Only(&["00", "0000000000000000", "-"]) },
            Condition { paths: &["WorkerSubrequest"], test: Test::Not(&["true"]) },
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
        conditions: vec![there(&["started_at"]), there(&["latencies"]), there(&["request.method"])],
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
        conditions: vec![there(&["uid"]), there(&["id.orig_h"]), there(&["trans_depth"]), there(&["method"])],
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
        conditions: vec![is(&["event_type"], event), there(&["http.http_method"])],
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
        conditions: vec![there(&["reqTimeSec"]), there(&["statusCode"]), there(&["reqPath"])],
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
        conditions: vec![there(&["httpMessage.start"]), there(&["attackData"])],
        headers: "httpMessage.{}",
        meaning: json(TimeFormat::EpochSeconds, Stamp::Start, Unit::Milliseconds),
        certainty: 1.0,
    }
}

/// The audit log of ModSecurity 2, inside Apache; some of its versions print microseconds.
fn modsecurity_v2(time: TimeFormat) -> Preset {
    Preset {
        label: "modsecurity:json_v2",
        fields: &[
            ("transaction.time", Slot::Time),
            ("transaction.remote_address", Slot::Client),
            ("transaction.transaction_id", Slot::RequestId),
            ("request.request_line", Slot::RequestLine),
            ("request.headers.Host", Slot::Host),
            ("request.headers.User-Agent", Slot::UserAgent),
            ("request.headers.Referer", Slot::Referer),
            ("request.headers.Cookie", Slot::Cookies),
            ("response.status", Slot::Status),
            ("response.headers.Content-Length", Slot::BytesOut),
        ],
        conditions: vec![there(&["transaction.time"]), there(&["request.request_line"])],
        headers: "request.headers.{}",
        meaning: json(time, Stamp::Start, Unit::Seconds),
        certainty: 1.0,
    }
}

/// The audit log of libmodsecurity 3, inside nginx; its stamps are local and carry no zone.
fn modsecurity_v3() -> Preset {
    Preset {
        label: "modsecurity:json_v3",
        fields: &[
            ("transaction.time_stamp", Slot::Time),
            ("transaction.client_ip", Slot::Client),
            ("transaction.unique_id", Slot::RequestId),
            ("transaction.request.method", Slot::Method),
            ("transaction.request.uri", Slot::Target),
            ("transaction.request.headers.Host", Slot::Host),
            ("transaction.request.headers.User-Agent", Slot::UserAgent),
            ("transaction.request.headers.Referer", Slot::Referer),
            ("transaction.request.headers.Cookie", Slot::Cookies),
            ("transaction.response.http_code", Slot::Status),
        ],
        conditions: vec![there(&["transaction.time_stamp"]), there(&["transaction.request.uri"])],
        headers: "transaction.request.headers.{}",
        meaning: json(pattern("%a %b %d %H:%M:%S %Y"), Stamp::Start, Unit::Seconds),
        certainty: 1.0,
    }
}

/// The web log of Zscaler's NSS feed; URLs come without their scheme.
fn zscaler() -> Preset {
    Preset {
        label: "zscaler:nss_web",
        fields: &[
            ("event.time", Slot::Time),
            ("event.reqmethod", Slot::Method),
            ("event.eurl", Slot::Target),
            ("event.respcode", Slot::Status),
            ("event.cip", Slot::Client),
            ("event.login", Slot::User),
            ("event.reqsize", Slot::BytesIn),
            ("event.respsize", Slot::BytesOut),
            ("event.eua", Slot::UserAgent),
            ("event.ereferer", Slot::Referer),
        ],
        conditions: vec![there(&["event.eurl"]), there(&["event.reqmethod"])],
        headers: "event.{}",
        meaning: Meaning {
            bare_urls: true,
            ..json(pattern("%a %b %d %H:%M:%S %Y"), Stamp::End, Unit::Seconds)
        },
        certainty: 1.0,
    }
}

fn pattern(layout: &str) -> TimeFormat {
    TimeFormat::Pattern(Arc::new(strftime(layout)))
}

fn clf_with_microseconds() -> TimeFormat {
    let fraction = TimePattern::token("usec_frac").expect("a token of Apache");
    let pattern = strftime("%d/%b/%Y:%H:%M:%S").joined(b".", &fraction).joined(b" ", &strftime("%z"));
    TimeFormat::Pattern(Arc::new(pattern))
}

fn strftime(layout: &str) -> TimePattern {
    TimePattern::strftime(layout).expect("the layouts of products are known")
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
        conditions: vec![
            there(&["webaclId"]),
            there(&["httpRequest.uri"]),
            there(&["httpRequest.httpMethod"]),
        ],
        headers: "httpRequest.{}",
        meaning: json(TimeFormat::EpochMilliseconds, Stamp::Start, Unit::Milliseconds),
        certainty: 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Cache;
    use super::super::super::detect::detect;
    use super::*;
    use crate::reject::Reject;

    /// What the first line of `log` says, in the format that is found for all of it.
    #[track_caller]
    fn check(label: &str, log: &str, expected: Result<&str, Reject>) {
        let detected = detect(log.as_bytes(), &Options::default());
        let found = &detected.first().unwrap_or_else(|| panic!("nothing found in {log}")).format;
        assert_eq!(found.label, label);
        let first = log.lines().next().unwrap();
        let mut cache = Cache::default();
        let request = found.parse(first.as_bytes(), &mut cache).map(|request| {
            let text = |text: Option<&[u8]>| String::from_utf8_lossy(text.unwrap_or(b"-")).into_owned();
            let us = |ns: Option<i64>| ns.map_or_else(|| "-".to_owned(), |ns| (ns / 1000).to_string());
            format!(
                "{} {} {} {} {} {:?} {} {}us {}",
                text(request.method),
                text(Some(request.target)),
                request.status,
                text(Some(request.client)),
                text(request.user_agent),
                request.stamp,
                request.stamp_ns / 1_000_000,
                us(request.duration_ns),
                request.bytes_out.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string()),
            )
        });
        assert_eq!(request, expected.map(str::to_owned), "{first}");
    }

    const CADDY_LINE: &str = r#"{"level":"info","ts":1700000000.25,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"10.0.0.1","client_ip":"192.0.2.1","proto":"HTTP/2.0","method":"GET","host":"example.com","uri":"/a?b=\u0026","headers":{"Accept":["*/*"],"User-Agent":["agent/1"]}},"bytes_read":0,"user_id":"","duration":0.25,"size":12,"status":200,"resp_headers":{"Server":["Caddy"]}}"#;

    #[test]
    fn caddy() {
        let expected = "GET /a?b=& 200 192.0.2.1 agent/1 End 1700000000250 250000us 12";
        check("caddy:json", CADDY_LINE, Ok(expected));
        let text = CADDY_LINE
            .replace("1700000000.25", "\"2023-11-14T22:13:20.250Z\"")
            .replace("0.25,", "\"250ms\",");
        check("caddy:json", &text, Ok(expected));
        check(
            "caddy:json_nano",
            &CADDY_LINE.replace("\"duration\":0.25", "\"duration\":250000000"),
            Ok(expected),
        );
        check(
            "caddy:json",
            &CADDY_LINE.replace(r#""client_ip":"192.0.2.1","#, ""),
            Ok(&expected.replace("192.0.2.1", "10.0.0.1")),
        );
        let error = r#"{"level":"error","ts":1700000000.3,"logger":"http.log.error","msg":"dial failed","request":{"uri":"/a"},"duration":0.1,"status":502}"#;
        let mostly_errors = format!("{error}\n{error}\n{error}\n{error}\n{CADDY_LINE}\n");
        check("caddy:json", &mostly_errors, Err(Reject::NotARequest));
    }

    #[test]
    fn traefik() {
        const LINE: &str = r#"{"ClientAddr":"192.0.2.1:40000","ClientHost":"192.0.2.1","ClientUsername":"-","DownstreamContentSize":357,"DownstreamStatus":200,"Duration":1357313,"RequestHost":"example.com","RequestMethod":"GET","RequestPath":"/x?y=1","RequestProtocol":"HTTP/1.1","ServiceURL":{"Scheme":"http","User":null},"StartLocal":"2023-11-14T23:13:20.5+01:00","StartUTC":"2023-11-14T22:13:20.500000001Z","level":"info","msg":"","request_User-Agent":"agent/1","time":"2023-11-14T22:13:21Z"}"#;
        check("traefik:json", LINE, Ok("GET /x?y=1 200 192.0.2.1 agent/1 Start 1700000000500 1357us 357"));
        let own = r#"{"level":"warning","msg":"no certificate","time":"2023-11-14T22:13:21Z"}"#;
        check("traefik:json", &format!("{own}\n{LINE}\n"), Err(Reject::NotARequest));
    }

    #[test]
    fn envoy() {
        const LINE: &str = r#"{"start_time":"2023-11-14T22:13:20.500Z","method":"GET","path":"/x","protocol":"HTTP/1.1","response_code":200,"response_flags":"-","bytes_received":0,"bytes_sent":5,"duration":7,"x_forwarded_for":null,"user_agent":"agent/1","request_id":"r","authority":"example.com","upstream_host":"10.0.0.2:80","downstream_remote_address":"192.0.2.1:40000"}"#;
        check("envoy:json", LINE, Ok("GET /x 200 192.0.2.1 agent/1 Start 1700000000500 7000us 5"));
        let gateway =
            LINE.replace(r#""path""#, r#""x-envoy-origin-path""#).replace("user_agent", "user-agent");
        check("envoy:json", &gateway, Ok("GET /x 200 192.0.2.1 agent/1 Start 1700000000500 7000us 5"));
        let tcp = LINE.replace(r#""HTTP/1.1""#, "null").replace(r#""GET""#, "null");
        check("envoy:json", &format!("{tcp}\n{LINE}\n"), Err(Reject::NotARequest));
    }

    #[test]
    fn clouds() {
        check(
            "gcp:http",
            r#"{"httpRequest":{"status":200,"userAgent":"agent/1","responseSize":"1750","latency":"0.248406s","remoteIp":"192.0.2.1:99","requestMethod":"POST","requestUrl":"https://example.com/graphql"},"insertId":"i","resource":{"type":"http_load_balancer"},"timestamp":"2023-11-14T22:13:20.5Z"}"#,
            Ok("POST https://example.com/graphql 200 192.0.2.1 agent/1 Start 1700000000500 248406us 1750"),
        );
        check(
            "azure:application_gateway_v2",
            r#"{"timeStamp":"2023-11-14T22:13:20+00:00","listenerName":"l","category":"ApplicationGatewayAccessLog","properties":{"clientIP":"192.0.2.1","httpMethod":"GET","originalRequestUriWithArgs":"\/a?b=c","requestUri":"\/rewritten","requestQuery":"","userAgent":"agent\/1","httpStatus":"200","sentBytes":466,"timeTaken":"0.034"}}"#,
            Ok("GET /a?b=c 200 192.0.2.1 agent/1 End 1700000000000 34000us 466"),
        );
        check(
            "azure:application_gateway_v1",
            r#"{"time":"2023-11-14T22:13:20Z","category":"ApplicationGatewayAccessLog","properties":{"instanceId":"appgw_1","clientIP":"192.0.2.1","httpMethod":"GET","requestUri":"/a","requestQuery":"SERVER-ROUTED=10.0.0.1","userAgent":"-","httpStatus":404,"sentBytes":553,"timeTaken":205}}"#,
            Ok("GET /a 404 192.0.2.1 - End 1700000000000 205000us 553"),
        );
        const FRONT_DOOR: &str = r#"{"category":"FrontDoorAccessLog","properties":{"clientIp":"192.0.2.1","httpMethod":"GET","httpStatusCode":"200","isReceivedFromClient":true,"requestUri":"https://example.com:443/a","responseBytes":"1205","timeTaken":"0.384","userAgent":"agent/1"},"time":"2023-11-14T22:13:20.5000000Z"}"#;
        let expected = "GET https://example.com:443/a 200 192.0.2.1 agent/1 End 1700000000500 384000us 1205";
        check("azure:front_door", FRONT_DOOR, Ok(expected));
        let shield = FRONT_DOOR.replace("true", "false");
        check("azure:front_door", &format!("{shield}\n{FRONT_DOOR}\n"), Err(Reject::NotARequest));
        check(
            "aws:waf",
            r#"{"timestamp":1700000000500,"webaclId":"arn:aws:wafv2:x","action":"ALLOW","httpRequest":{"clientIp":"192.0.2.1","headers":[{"name":"Host","value":"example.com"}],"uri":"/a","args":"b=c","httpVersion":"HTTP/1.1","httpMethod":"GET","requestId":"r"}}"#,
            Ok("GET /a?b=c 0 192.0.2.1 - Start 1700000000500 -us -"),
        );
    }

    #[test]
    fn edges() {
        const CLOUDFLARE: &str = r#"{"ClientIP":"192.0.2.1","ClientRequestHost":"example.com","ClientRequestMethod":"GET","ClientRequestURI":"/a?b","ClientRequestUserAgent":"agent/1","EdgeEndTimestamp":1700000001500000000,"EdgeResponseBytes":9,"EdgeResponseStatus":200,"EdgeStartTimestamp":1700000000500000000,"ParentRayID":"00","RayID":"r","WorkerSubrequest":false}"#;
        let expected = "GET /a?b 200 192.0.2.1 agent/1 Start 1700000000500 1000000us 9";
        check("cloudflare:http_requests", CLOUDFLARE, Ok(expected));
        let text = CLOUDFLARE
            .replace("1700000001500000000", "\"2023-11-14T22:13:21.5Z\"")
            .replace("1700000000500000000", "\"2023-11-14T22:13:20.5Z\"");
        check("cloudflare:http_requests", &text, Ok(expected));
        let of_worker = CLOUDFLARE.replace("\"00\"", "\"710e98d93d50357d\"");
        check("cloudflare:http_requests", &format!("{of_worker}\n{CLOUDFLARE}\n"), Err(Reject::NotARequest));
        check(
            "akamai:datastream2",
            r#"{"version":"2","cliIP":"192.0.2.1","statusCode":"200","reqTimeSec":"1700000000.500","reqMethod":"GET","reqPath":"/a","queryStr":"b=c","reqHost":"example.com","proto":"https","bytes":"4995","UA":"Mozilla%2F5.0+%28X11%29","turnAroundTimeMSec":"11","transferTimeMSec":"125","cookie":"-"}"#,
            Ok("GET /a?b=c 200 192.0.2.1 Mozilla/5.0 (X11) Start 1700000000500 136000us 4995"),
        );
        check(
            "akamai:siem",
            r#"{"type":"akamai_siem","attackData":{"clientIP":"192.0.2.1"},"httpMessage":{"start":"1700000000","host":"example.com","method":"GET","path":"/","query":"a=b","status":"403","bytes":"266"}}"#,
            Ok("GET /?a=b 403 192.0.2.1 - Start 1700000000000 -us 266"),
        );
        check(
            "kong:json",
            r#"{"request":{"uri":"/a?b=c","size":"139","method":"GET","url":"http://example.com:8000/a","headers":{"user-agent":"agent/1","authorization":"Basic x"}},"response":{"size":"9982","status":200},"latencies":{"kong":1,"proxy":171,"request":173},"started_at":1700000000500,"client_ip":"192.0.2.1","route":{"paths":["/a"]}}"#,
            Ok("GET /a?b=c 200 192.0.2.1 agent/1 Start 1700000000500 173000us 9982"),
        );
    }

    #[test]
    fn sensors() {
        const ZEEK: &str = r#"{"ts":1700000000.5,"uid":"C1","id.orig_h":"192.0.2.1","id.orig_p":1,"trans_depth":1,"method":"GET","host":"example.com","uri":"/a","user_agent":"agent/1","response_body_len":39,"status_code":200,"tags":[]}"#;
        let expected = "GET /a 200 192.0.2.1 agent/1 Start 1700000000500 -us 39";
        check("zeek:json", ZEEK, Ok(expected));
        check("zeek:json", &ZEEK.replace("1700000000.5", "\"2023-11-14T22:13:20.500000Z\""), Ok(expected));
        let answer_alone = ZEEK.replace(r#""method":"GET","#, "");
        check("zeek:json", &format!("{answer_alone}\n{ZEEK}\n"), Err(Reject::NotARequest));
        const SURICATA: &str = r#"{"timestamp":"2023-11-14T23:13:20.500000+0100","event_type":"http","src_ip":"192.0.2.1","http":{"hostname":"example.com","url":"\/a","http_user_agent":"agent\/1","http_method":"GET","status":"200","length":1155}}"#;
        let expected = "GET /a 200 192.0.2.1 agent/1 End 1700000000500 -us 1155";
        check("suricata:http", SURICATA, Ok(expected));
        let alert = SURICATA.replace("\"http\",", "\"alert\",");
        check("suricata:http", &format!("{alert}\n{alert}\n{SURICATA}\n"), Err(Reject::NotARequest));
        check("suricata:alert", &alert, Ok(expected));
    }

    #[test]
    fn names_that_everybody_knows() {
        check(
            "json:generic",
            r#"{"time_local":"14/Nov/2023:22:13:20 +0000","remote_addr":"192.0.2.1","request":"GET /a HTTP/1.1","status":"200","body_bytes_sent":"5","request_time":"0.250","http_user_agent":"agent/1","rt":}"#,
            Ok("GET /a 200 192.0.2.1 agent/1 End 1700000000000 250000us 5"),
        );
        check(
            "json:generic",
            r#"{"@timestamp":"2023-11-14T22:13:20Z","http":{"request":{"method":"GET"},"response":{"status_code":200,"body":{"bytes":5}}},"url":{"original":"/a"},"source":{"ip":"192.0.2.1"},"user_agent":{"original":"agent/1"},"event":{"duration":250000000}}"#,
            Ok("GET /a 200 192.0.2.1 agent/1 End 1700000000000 250000us 5"),
        );
        check(
            "json:generic",
            r#"{"ts":1700000000000,"method":"GET","path":"/a","status":200,"duration_ms":250,"ip":"192.0.2.1","ua":"agent/1","bytes":5}"#,
            Ok("GET /a 200 192.0.2.1 agent/1 End 1700000000000 250000us 5"),
        );
    }

    #[test]
    fn a_field_named_by_its_owner_tells_clients_apart() {
        let line = CADDY_LINE.replace(r#""Accept":["*/*"]"#, r#""X-User":["u1"],"Cookie":["sid=s1; x=y"]"#);
        for (identity, expected) in [
            (Identity::Field("request.headers.X-User[0]".to_owned()), Some(&b"u1"[..])),
            (Identity::Field("X-User".to_owned()), Some(b"u1")),
            (Identity::Cookie("sid".to_owned()), Some(b"s1")),
            (Identity::Cookie("other".to_owned()), None),
        ] {
            let options = Options { identity, ..Options::default() };
            let detected = detect(line.as_bytes(), &options);
            let mut cache = Cache::default();
            let request = detected[0].format.parse(line.as_bytes(), &mut cache).unwrap();
            assert_eq!(request.identity, expected, "{}", options.identity);
        }
    }

    #[test]
    fn the_owner_says_what_fields_mean() {
        let line = r#"{"when":1700000000500,"q":{"m":"GET","u":"/a"},"code":200,"took":{"ms":250},"ip":"192.0.2.1"}"#;
        let map = ["when=time:epoch_ms:start", "q.m=method", "q.u=url", "code=status", "took.ms=duration:ms"];
        let options =
            Options { map: map.iter().map(|rule| rule.parse().unwrap()).collect(), ..Options::default() };
        let detected = detect(line.as_bytes(), &options);
        assert_eq!(detected[0].format.label, "json:map");
        let mut cache = Cache::default();
        let request = detected[0].format.parse(line.as_bytes(), &mut cache).unwrap();
        assert_eq!((request.target, request.status, request.client), (&b"/a"[..], 200, &b"192.0.2.1"[..]));
        assert_eq!((request.stamp, request.duration_ns), (Stamp::Start, Some(250_000_000)));
    }

    #[test]
    fn firewalls_and_proxies_of_companies() {
        let v2 = r#"{"transaction":{"time":"14/Nov/2023:22:13:20 +0000","remote_address":"192.0.2.1"},"request":{"request_line":"GET /a HTTP/1.1","headers":{"User-Agent":"agent/1"}},"response":{"status":200,"headers":{"Content-Length":"5"}}}"#;
        check("modsecurity:json_v2", v2, Ok("GET /a 200 192.0.2.1 agent/1 Start 1700000000000 -us 5"));
        check(
            "modsecurity:json_v2",
            &v2.replace("20 +0000", "20.250000 +0000"),
            Ok("GET /a 200 192.0.2.1 agent/1 Start 1700000000250 -us 5"),
        );
        check(
            "modsecurity:json_v3",
            r#"{"transaction":{"client_ip":"192.0.2.1","time_stamp":"Tue Nov 14 22:13:20 2023","request":{"method":"GET","uri":"/a","headers":{"User-Agent":"agent/1"}},"response":{"http_code":200}}}"#,
            Ok("GET /a 200 192.0.2.1 agent/1 Start 1700000000000 -us -"),
        );
        check(
            "zscaler:nss_web",
            r#"{ "sourcetype" : "zscalernss-web", "event" :{"time":"Tue Nov 14 22:13:20 2023","eurl":"www.example.com/a","reqmethod":"GET","respcode":"200","cip":"192.0.2.1","respsize":"5","eua":"agent/1"}}"#,
            Ok("GET /a 200 192.0.2.1 agent/1 End 1700000000000 -us 5"),
        );
    }

    #[test]
    fn batches_are_read_record_by_record() {
        let batch = format!("[{CADDY_LINE},{CADDY_LINE}]\n");
        let detected = detect(batch.as_bytes(), &Options::default());
        assert_eq!(detected[0].format.label, "caddy:json");
        assert!(matches!(detected[0].format.reader, Reader::Records(_)));
    }
}
