//! What the columns of logs with a header hold, by name.
//!
//! Sources: W3C "Extended Log File Format" (WD-logfile-960323); Microsoft "W3C Logging" and the IIS `logFile`
//! schema; AWS "Standard logging reference" of CloudFront; Blue Coat ELFF; Tomcat `ExtendedAccessLogValve`; the Zeek
//! script reference of `http.log`.

use super::super::number::Unit;
use super::super::values::Slot;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) slot: Slot,
    /// Of several columns for one slot, the one with the lowest rank counts.
    pub(super) rank: usize,
    /// Unit of a duration, where the name says it.
    pub(super) unit: Option<Unit>,
}

/// Columns of W3C extended logs, in lower case. Of several for one slot, the first listed counts.
const W3C: &[(&str, Slot)] = &[
    ("timestamp(ms)", Slot::Time),
    ("timestamp", Slot::Time),
    ("x-timestamp", Slot::Time),
    ("time", Slot::Time),
    ("time-local", Slot::Time),
    ("date", Slot::Date),
    ("date-local", Slot::Date),
    ("c-ip", Slot::Client),
    ("cs-ip", Slot::Client),
    ("x-client-ip", Slot::Client),
    ("c-dns", Slot::Client),
    ("x-forwarded-for", Slot::ForwardedFor),
    ("cs(x-forwarded-for)", Slot::ForwardedFor),
    ("cs-username", Slot::User),
    ("cs-user", Slot::User),
    ("cs-method", Slot::Method),
    ("s-operation", Slot::Method),
    ("cs-uri-stem", Slot::Path),
    ("cs-uri-path", Slot::Path),
    ("cs-uri", Slot::Target),
    ("cs-uri-query", Slot::Query),
    ("x-host-header", Slot::Host),
    ("cs-host", Slot::Host),
    ("cs(host)", Slot::Host),
    ("cs-uri-host", Slot::Host),
    ("cs-uri-scheme", Slot::Scheme),
    ("cs-protocol", Slot::Scheme),
    ("cs-protocol-version", Slot::Protocol),
    ("cs-version", Slot::Protocol),
    ("sc-status", Slot::Status),
    ("sc-http-status", Slot::Status),
    ("sc-content-len", Slot::BytesOut),
    ("sc-bytes", Slot::BytesOut),
    ("bytes", Slot::BytesOut),
    ("cs-bytes", Slot::BytesIn),
    ("time-taken", Slot::Duration),
    ("time-to-first-byte", Slot::FirstByte),
    ("cs(referer)", Slot::Referer),
    ("cs(referrer)", Slot::Referer),
    ("cs-referred", Slot::Referer),
    ("cs(user-agent)", Slot::UserAgent),
    ("c-agent", Slot::UserAgent),
    ("cs(cookie)", Slot::Cookies),
    ("x-edge-request-id", Slot::RequestId),
    ("cs(x-request-id)", Slot::RequestId),
    ("x-request-id", Slot::RequestId),
];

/// Columns of Zeek's `http.log`. Its `uid` names a connection, which is neither a client nor a request.
const ZEEK: &[(&str, Slot)] = &[
    ("ts", Slot::Time),
    ("id.orig_h", Slot::Client),
    ("method", Slot::Method),
    ("host", Slot::Host),
    ("uri", Slot::Target),
    ("referrer", Slot::Referer),
    ("user_agent", Slot::UserAgent),
    ("request_body_len", Slot::BytesIn),
    ("response_body_len", Slot::BytesOut),
    ("status_code", Slot::Status),
    ("username", Slot::User),
];

/// Columns of tables that people export, without units and with `_` between words.
const TABLE: &[(&str, Slot)] = &[
    ("start_time", Slot::Time),
    ("started_at", Slot::Time),
    ("request_timestamp", Slot::Time),
    ("timestamp", Slot::Time),
    ("datetime", Slot::Time),
    ("date_time", Slot::Time),
    ("ts", Slot::Time),
    ("time", Slot::Time),
    ("time_iso8601", Slot::Time),
    ("time_local", Slot::Time),
    ("msec", Slot::Time),
    ("date", Slot::Date),
    ("request", Slot::RequestLine),
    ("request_line", Slot::RequestLine),
    ("req", Slot::RequestLine),
    ("method", Slot::Method),
    ("http_method", Slot::Method),
    ("request_method", Slot::Method),
    ("verb", Slot::Method),
    ("request_uri", Slot::Target),
    ("request_url", Slot::Target),
    ("url", Slot::Target),
    ("url_original", Slot::Target),
    ("uri", Slot::Target),
    ("target", Slot::Target),
    ("path", Slot::Path),
    ("url_path", Slot::Path),
    ("request_path", Slot::Path),
    ("uri_path", Slot::Path),
    ("uri_stem", Slot::Path),
    ("query", Slot::Query),
    ("query_string", Slot::Query),
    ("url_query", Slot::Query),
    ("uri_query", Slot::Query),
    ("status", Slot::Status),
    ("status_code", Slot::Status),
    ("http_status", Slot::Status),
    ("http_status_code", Slot::Status),
    ("response_status", Slot::Status),
    ("response_code", Slot::Status),
    ("response_status_code", Slot::Status),
    ("client_ip", Slot::Client),
    ("clientip", Slot::Client),
    ("client", Slot::Client),
    ("client_address", Slot::Client),
    ("remote_addr", Slot::Client),
    ("remote_ip", Slot::Client),
    ("remote_address", Slot::Client),
    ("source_ip", Slot::Client),
    ("src_ip", Slot::Client),
    ("ip", Slot::Client),
    ("ip_address", Slot::Client),
    ("remote_host", Slot::Client),
    ("source_address", Slot::Client),
    ("x_forwarded_for", Slot::ForwardedFor),
    ("forwarded_for", Slot::ForwardedFor),
    ("http_x_forwarded_for", Slot::ForwardedFor),
    ("forwardedfor", Slot::ForwardedFor),
    ("user", Slot::User),
    ("username", Slot::User),
    ("user_id", Slot::User),
    ("remote_user", Slot::User),
    ("session_id", Slot::Session),
    ("session", Slot::Session),
    ("host", Slot::Host),
    ("http_host", Slot::Host),
    ("request_host", Slot::Host),
    ("domain", Slot::Host),
    ("vhost", Slot::Host),
    ("authority", Slot::Host),
    ("server_name", Slot::Host),
    ("scheme", Slot::Scheme),
    ("protocol", Slot::Protocol),
    ("http_version", Slot::Protocol),
    ("server_protocol", Slot::Protocol),
    ("body_bytes_sent", Slot::BytesOut),
    ("response_body_size", Slot::BytesOut),
    ("response_size", Slot::BytesOut),
    ("response_bytes", Slot::BytesOut),
    ("bytes_sent", Slot::BytesOut),
    ("bytes_out", Slot::BytesOut),
    ("bytes", Slot::BytesOut),
    ("size", Slot::BytesOut),
    ("body_bytes", Slot::BytesOut),
    ("response_length", Slot::BytesOut),
    ("content_length", Slot::BytesOut),
    ("bytes_written", Slot::BytesOut),
    ("request_size", Slot::BytesIn),
    ("request_length", Slot::BytesIn),
    ("bytes_received", Slot::BytesIn),
    ("bytes_in", Slot::BytesIn),
    ("duration", Slot::Duration),
    ("request_time", Slot::Duration),
    ("response_time", Slot::Duration),
    ("time_taken", Slot::Duration),
    ("elapsed", Slot::Duration),
    ("reqtime", Slot::Duration),
    ("apptime", Slot::Duration),
    ("event_duration", Slot::Duration),
    ("took", Slot::Duration),
    ("latency", Slot::Duration),
    ("time_to_first_byte", Slot::FirstByte),
    ("ttfb", Slot::FirstByte),
    ("referer", Slot::Referer),
    ("referrer", Slot::Referer),
    ("http_referer", Slot::Referer),
    ("user_agent", Slot::UserAgent),
    ("useragent", Slot::UserAgent),
    ("http_user_agent", Slot::UserAgent),
    ("agent", Slot::UserAgent),
    ("ua", Slot::UserAgent),
    ("user_agent_original", Slot::UserAgent),
    ("cookie", Slot::Cookies),
    ("cookies", Slot::Cookies),
    ("request_id", Slot::RequestId),
    ("trace_id", Slot::RequestId),
    ("route", Slot::Route),
    ("http_route", Slot::Route),
    ("sample_rate", Slot::SampleRate),
    ("weight", Slot::Weight),
];

/// What column `name` of a W3C extended log holds.
pub(super) fn w3c(name: &str) -> Option<Known> {
    known(W3C, &name.to_ascii_lowercase(), None)
}

/// What column `name` of Zeek's `http.log` holds.
pub(super) fn zeek(name: &str) -> Option<Known> {
    known(ZEEK, name, None)
}

/// Bytes of the longest name looked up: what is longer is a line of text taken for a header.
const LONGEST_NAME: usize = 128;

/// What column `name` of a table holds: `Response Time (ms)` and `response_time_ms` are the same.
pub(super) fn table(name: &str) -> Option<Known> {
    if name.len() > LONGEST_NAME {
        return None;
    }
    let mut words = String::new();
    for character in name.trim().trim_start_matches('@').chars() {
        match character {
            '_' | '-' | '.' | ' ' | '(' | '[' => words.push('_'),
            ')' | ']' => {}
            other => words.extend(other.to_lowercase()),
        }
    }
    while words.contains("__") {
        words = words.replace("__", "_");
    }
    if let Some(found) = known(TABLE, &words, None) {
        return Some(found);
    }
    let (name, unit) = words.rsplit_once('_')?;
    let unit = match unit {
        "s" | "sec" | "secs" | "seconds" => Unit::Seconds,
        "ms" | "msec" | "millis" | "milliseconds" => Unit::Milliseconds,
        "us" | "usec" | "micros" | "microsec" | "microseconds" => Unit::Microseconds,
        "ns" | "nsec" | "nanos" | "nanoseconds" => Unit::Nanoseconds,
        _ => return None,
    };
    known(TABLE, name, Some(unit)).filter(|found| matches!(found.slot, Slot::Duration | Slot::FirstByte))
}

fn known(table: &[(&str, Slot)], name: &str, unit: Option<Unit>) -> Option<Known> {
    let rank = table.iter().position(|(known, _)| *known == name)?;
    Some(Known { slot: table[rank].1, rank, unit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_however_they_are_written() {
        for (name, slot, unit) in [
            ("@timestamp", Slot::Time, None),
            ("Status Code", Slot::Status, None),
            ("http.request_id", Slot::RequestId, None),
            ("Response Time (ms)", Slot::Duration, Some(Unit::Milliseconds)),
            ("duration_us", Slot::Duration, Some(Unit::Microseconds)),
            ("user.agent", Slot::UserAgent, None),
        ] {
            let found = table(name);
            let expected = (name != "http.request_id").then_some((slot, unit));
            assert_eq!(found.map(|found| (found.slot, found.unit)), expected, "{name}");
        }
        assert_eq!(table("status_ms"), None);
        assert_eq!(table(&format!("status{}", "_".repeat(LONGEST_NAME))), None);
        assert_eq!(w3c("cs(User-Agent)").map(|found| found.slot), Some(Slot::UserAgent));
        assert_eq!(zeek("uid"), None);
    }
}
