//! The grammar of Envoy's access log format strings, and what their operators mean.
//!
//! Source: Envoy `docs/root/configuration/observability/access_log/usage.rst`; Istio `pilot/pkg/model/log.go`.
//! `%START_TIME%` is the START of a request in UTC, `%DURATION%` milliseconds from there to the last byte sent.
//! Values stand in the line as they are: a quote in a header is not escaped.

use std::sync::Arc;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{char, digit1};
use nom::combinator::{map, opt, value, verify};
use nom::multi::many0;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser as _};
use shared::profile::Stamp;

use super::assemble::{self, Item, Piece, Quotes, Words};
use super::meaning::Meaning;
use super::number::Unit;
use super::other_record::OtherRecords;
use super::program::Extent;
use super::time::TimeFormat;
use super::time_pattern::TimePattern;
use super::values::Slot;
use super::{Format, Options, Reader, header, map as rules, request_line};
use crate::error::Error;
use crate::session::identity::Identity;

/// What Envoy writes where nothing is said.
pub(crate) const DEFAULT: &str = concat!(
    r#"[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" "#,
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% ",
    r#"%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "#,
    r#""%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%""#
);

/// What Istio has Envoy write. Before 1.8, one quoted field stood where the two details stand, which are read as one
/// text; the name of the route, since 1.4, is read with the name of the server.
pub(crate) const ISTIO: &str = concat!(
    r#"[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" "#,
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% ",
    r#""%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "#,
    r#"%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "#,
    r#""%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER% "#,
    "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% ",
    "%REQUESTED_SERVER_NAME%"
);

/// One piece of a format string, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Written<'a> {
    Text(&'a str),
    Operator(Operator<'a>),
}

/// `%NAME(ARGUMENT):LENGTH%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operator<'a> {
    name: &'a str,
    argument: Option<&'a str>,
}

/// Whether `text` is written in this language rather than in another that has percent signs.
pub(crate) fn recognise(text: &str) -> bool {
    ["%START_TIME", "%REQ(", "%RESPONSE_CODE%", "%DURATION%"].iter().any(|own| text.contains(own))
}

/// Compiles a format given verbatim.
///
/// # Errors
/// [`Error::LogFormat`] when it is no format, or leaves out what no profile can be made without.
pub(crate) fn compile(text: &str, options: &Options) -> Result<Format, Error> {
    compile_named("envoy:format", text, options)
}

/// Compiles a format string under the name that people know it by.
///
/// # Errors
/// As [`compile`].
pub(crate) fn compile_named(label: &str, format: &str, options: &Options) -> Result<Format, Error> {
    let identity = &options.identity;
    let wrong = |problem: String, hint: &str| Error::LogFormat { problem, hint: hint.to_owned() };
    // Typed into a shell, a line end comes as a backslash and an `n`, as it stands in the configuration.
    let format = format.trim_end().trim_end_matches("\\n");
    let (rest, written) =
        pieces(format).map_err(|_| wrong("cannot be read".to_owned(), "check its quotes"))?;
    if !rest.is_empty() {
        let at = format.len() - rest.len();
        return Err(wrong(
            format!("at byte {at}: found `%` and no operator, expected one such as `%RESPONSE_CODE%`"),
            "write the format as it stands in the configuration, with `%%` for a percent sign",
        ));
    }
    let time = written.iter().find_map(|piece| match piece {
        Written::Operator(operator) if operator.name == "START_TIME" => Some(operator.argument),
        _ => None,
    });
    let time = time.flatten().map_or(Ok(TimeFormat::Iso8601Utc), time_format).map_err(|problem| {
        wrong(
            format!("has a time that cannot be read: {problem}"),
            "leave the argument of `%START_TIME%` out",
        )
    })?;
    let mut pieces = meanings(&written, identity);
    request_line::join(&mut pieces, b" ", Extent::Text);
    let has_cookies =
        |piece: &Piece| matches!(piece, Piece::Item(item) if item.claim == Some((Slot::Cookies, 0)));
    let cookie = match identity {
        Identity::Cookie(name) if pieces.iter().any(has_cookies) => Some(name.as_bytes().into()),
        _ => None,
    };
    let mut meaning = Meaning {
        time,
        stamp: Stamp::Start,
        duration: written.iter().find_map(duration_unit).unwrap_or(Unit::Milliseconds),
        first_byte: Unit::Milliseconds,
        client_port: true,
        forwarded_first: true,
        others: OtherRecords::Envoy,
        cookie,
        ..Meaning::default()
    };
    rules::claim(&options.map, label, &mut pieces, &mut meaning)?;
    let program = assemble::program(pieces, Quotes::Raw, meaning).map_err(|problem| {
        wrong(problem, "put the character that separates them in the log into the format")
    })?;
    assemble::check(&program, &WORDS, identity)?;
    Ok(Format::new(label, Reader::Text(program)))
}

const WORDS: Words = Words {
    time: "`%START_TIME%`",
    request: "`%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%`",
    status: "`%RESPONSE_CODE%`",
    client: "`%DOWNSTREAM_REMOTE_ADDRESS%` or `%REQ(X-FORWARDED-FOR)%`",
    identity: |name| format!("`%REQ({name})%`"),
};

fn pieces(format: &str) -> IResult<&str, Vec<Written<'_>>> {
    many0(alt((
        value(Written::Text("%"), tag("%%")),
        map(operator, Written::Operator),
        map(take_while1(|c: char| c != '%'), Written::Text),
    )))
    .parse(format)
}

fn operator(text: &str) -> IResult<&str, Operator<'_>> {
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let argument = delimited(char('('), take_while(|c: char| c != ')'), char(')'));
    let length = opt(preceded(char(':'), digit1));
    let parts = (verify(take_while1(is_name), |name: &str| !name.is_empty()), opt(argument), length);
    map(delimited(char('%'), parts, char('%')), |(name, argument, _)| Operator { name, argument }).parse(text)
}

fn meanings(written: &[Written<'_>], identity: &Identity) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for piece in written {
        match piece {
            Written::Text(text) => match pieces.last_mut() {
                Some(Piece::Text(before)) => before.extend_from_slice(text.as_bytes()),
                _ => pieces.push(Piece::Text(text.as_bytes().to_vec())),
            },
            // Details in words hold blanks in old versions: both are one text up to what stands after them.
            Written::Operator(Operator { name: "CONNECTION_TERMINATION_DETAILS", .. })
                if matches!(pieces.as_slice(), [.., Piece::Item(before), Piece::Text(blank)]
                    if before.name == "%RESPONSE_CODE_DETAILS%" && blank == b" ") =>
            {
                pieces.pop();
            }
            Written::Operator(operator) => pieces.push(Piece::Item(operator.item(identity))),
        }
    }
    pieces
}

impl Operator<'_> {
    fn item(&self, identity: &Identity) -> Item {
        let claim = self.claim();
        let is_number = claim.is_some_and(|(slot, _)| {
            matches!(slot, Slot::Status | Slot::BytesIn | Slot::BytesOut | Slot::Duration | Slot::FirstByte)
        });
        let headers = || self.argument.unwrap_or_default().split('?');
        Item {
            name: match self.argument {
                Some(argument) => format!("%{}({argument})%", self.name),
                None => format!("%{}%", self.name),
            },
            claim,
            extent: match self.name {
                _ if is_number => Extent::Token,
                port if port.ends_with("_PORT") => Extent::Number,
                _ => Extent::Text,
            },
            is_identity: self.name == "REQ" && headers().any(|name| header::is_identity(identity, name)),
        }
    }

    /// What the operator prints, and how well: of several for one slot the lowest rank counts.
    pub(crate) fn claim(&self) -> Option<(Slot, u8)> {
        Some(match self.name {
            "START_TIME" => (Slot::Time, 0),
            "PROTOCOL" => (Slot::Protocol, 0),
            "RESPONSE_CODE" => (Slot::Status, 0),
            "BYTES_RECEIVED" => (Slot::BytesIn, 0),
            "BYTES_SENT" => (Slot::BytesOut, 0),
            "DURATION" => (Slot::Duration, 0),
            "COMMON_DURATION" if duration_unit(&Written::Operator(*self)).is_some() => (Slot::Duration, 1),
            "RESPONSE_DURATION" => (Slot::FirstByte, 0),
            "DOWNSTREAM_REMOTE_ADDRESS" | "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => (Slot::Client, 0),
            "DOWNSTREAM_DIRECT_REMOTE_ADDRESS" | "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT" => {
                (Slot::Client, 1)
            }
            "UPSTREAM_CLUSTER" | "UPSTREAM_CLUSTER_RAW" => (Slot::Cluster, 0),
            "REQ" => {
                let headers = self.argument?.to_ascii_uppercase();
                match headers.as_str() {
                    ":METHOD" => (Slot::Method, 0),
                    ":SCHEME" => (Slot::Scheme, 0),
                    "X-ENVOY-ORIGINAL-PATH?:PATH" => (Slot::Target, 0),
                    ":PATH" => (Slot::Target, 1),
                    _ => (headers.split('?').find_map(header::slot)?, 0),
                }
            }
            _ => return None,
        })
    }
}

/// The unit of a duration from the first byte received to the last byte sent: `(DS_RX_BEG:DS_TX_END:us)`.
fn duration_unit(piece: &Written<'_>) -> Option<Unit> {
    match piece {
        Written::Operator(Operator { name: "COMMON_DURATION", argument: Some(argument) }) => {
            match argument.strip_prefix("DS_RX_BEG:DS_TX_END:")? {
                "ms" => Some(Unit::Milliseconds),
                "us" => Some(Unit::Microseconds),
                "ns" => Some(Unit::Nanoseconds),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The layout of `%START_TIME(LAYOUT)%`: `strftime`, and `%f`, `%3f`, `%6f` for the fraction of a second.
fn time_format(layout: &str) -> Result<TimeFormat, String> {
    match layout {
        "%s" | "%s.%f" | "%s.%3f" | "%s.%6f" | "%s.%9f" => return Ok(TimeFormat::EpochSeconds),
        "%s%3f" => return Ok(TimeFormat::EpochMilliseconds),
        "%s%6f" => return Ok(TimeFormat::EpochMicroseconds),
        "%s%f" | "%s%9f" => return Ok(TimeFormat::EpochNanoseconds),
        _ => {}
    }
    let plain = layout.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S");
    let after = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"].iter().find_map(|iso| plain.strip_prefix(iso));
    let fractions = ["", ".%f", ".%1f", ".%2f", ".%3f", ".%6f", ".%9f"];
    if after.is_some_and(|after| {
        let zone = ["Z", "%z", "%Ez"].iter().find_map(|zone| after.strip_suffix(zone)).unwrap_or(after);
        fractions.contains(&zone)
    }) {
        return Ok(TimeFormat::Iso8601Utc);
    }
    let mut pattern = TimePattern::default();
    let mut rest = layout;
    while let Some((before, token, after)) =
        [("%3f", "msec_frac"), ("%6f", "usec_frac")].iter().find_map(|(conversion, token)| {
            rest.split_once(conversion).map(|(before, after)| (before, *token, after))
        })
    {
        let fraction = TimePattern::token(token).unwrap_or_default();
        pattern = pattern.joined(b"", &strftime(layout, before)?).joined(b"", &fraction);
        rest = after;
    }
    pattern = pattern.joined(b"", &strftime(layout, rest)?);
    if !pattern.says().is_complete() {
        return Err(format!("`{layout}` lacks the date or the time of day"));
    }
    Ok(TimeFormat::Pattern(Arc::new(pattern)))
}

fn strftime(layout: &str, part: &str) -> Result<TimePattern, String> {
    TimePattern::strftime(part).map_err(|problem| format!("`{layout}` {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Cache;
    use crate::reject::Reject;
    use crate::request::Request;

    const MS: i64 = 1_000_000;

    #[track_caller]
    fn parse(format: &str, line: &str, check: impl Fn(Request<'_>)) {
        let format = compile(format, &Identity::IpAndUserAgent.into()).unwrap();
        check(format.parse(line.as_bytes(), &mut Cache::default()).unwrap());
    }

    #[test]
    fn default_lines() {
        let line = r#"[2026-11-02T00:00:01.250Z] "GET /a b?c HTTP/2" 204 - 154 7 226 100 "10.0.0.1, 192.0.2.4" "say "hi" twice" "cc21-d9b0" "www.example.com" "198.51.100.1:80""#;
        parse(DEFAULT, line, |request| {
            assert_eq!((request.client, request.status), (&b"192.0.2.4"[..], 204));
            assert_eq!((request.stamp, request.stamp_ns % 1_000_000_000), (Stamp::Start, 250 * MS));
            assert_eq!((request.bytes_in, request.bytes_out), (Some(154), Some(7)));
            assert_eq!(request.duration_ns, Some(226 * MS));
            assert_eq!((request.path(), request.query()), (&b"/a b"[..], Some(&b"c"[..])));
            assert_eq!(request.protocol, Some(&b"HTTP/2"[..]));
            assert_eq!(request.user_agent, Some(&br#"say "hi" twice"#[..]));
            assert_eq!(request.host, Some(&b"www.example.com"[..]));
            assert_eq!((request.request_id, request.inbound), (Some(&b"cc21-d9b0"[..]), None));
        });
        let gone = line.replace("204 -", "0 DC").replace("10.0.0.1, 192.0.2.4", "-");
        parse(DEFAULT, &gone, |request| assert_eq!((request.status, request.client), (0, &b""[..])));
        parse(DEFAULT, &line.replace("GET /a b?c HTTP/2", "- - HTTP/1.1"), |request| {
            assert_eq!((request.method, request.target), (None, &b""[..]));
        });
    }

    #[test]
    fn both_sidecars_of_istio() {
        let before_1_8 = r#""-" "-""#;
        for details in [r#"via_upstream - "-""#, r#"upstream error{connection failure} x "a b""#, before_1_8]
        {
            for (cluster, forwarded, address, client, inbound) in [
                ("inbound|9080||", "192.0.2.4", "198.51.100.7:0", "192.0.2.4", Some(true)),
                (
                    "outbound|80||shop.example.svc.cluster.local",
                    "-",
                    "192.0.2.4:5000",
                    "192.0.2.4",
                    Some(false),
                ),
                ("PassthroughCluster", "-", "[2001:db8::4]:5000", "2001:db8::4", Some(false)),
                ("-", "2001:db8::4, [2001:db8::5]:443", "10.0.0.1:1", "2001:db8::5", None),
            ] {
                let route = if details == before_1_8 { "" } else { " default" };
                let line = format!(
                    r#"[2026-11-02T00:00:01.250Z] "GET /a HTTP/1.1" 200 - {details} 0 42 12 - "{forwarded}" "curl/8" "id-1" "shop:80" "10.1.1.1:80" {cluster} 10.1.1.2:5 10.1.1.3:80 {address} outbound_.80_._.shop{route}"#
                );
                parse(ISTIO, &line, |request| {
                    assert_eq!((request.client, request.inbound), (client.as_bytes(), inbound), "{line}");
                    assert_eq!((request.duration_ns, request.bytes_out), (Some(12 * MS), Some(42)));
                    assert_eq!(request.request_id, Some(&b"id-1"[..]));
                });
            }
        }
    }

    #[test]
    fn connections_are_no_requests() {
        let line = r#"[2026-11-02T00:00:01.250Z] "- - -" 0 - - - "-" 78 16 33 - "-" "-" "-" "-" "10.1.1.1:80" PassthroughCluster 10.1.1.2:5 10.1.1.3:80 10.1.1.4:1 - -"#;
        let found = compile(ISTIO, &Identity::Ip.into())
            .unwrap()
            .parse(line.as_bytes(), &mut Cache::default())
            .unwrap_err();
        assert_eq!(found, Reject::NotARequest);
    }

    #[test]
    fn custom_formats() {
        for (format, line) in [
            (
                r#"%START_TIME(%s.%3f)% %REQ(:METHOD)% %REQ(:PATH):64% %RESPONSE_CODE% %COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %REQ(X-SESSION-ID)%\n"#,
                "1793574001.250 GET /a?b 200 18000 192.0.2.4 s-1",
            ),
            (
                r#"{"t":"%START_TIME(%Y-%m-%d %H:%M:%S.%3f)%","m":"%REQ(:METHOD)%","p":"%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%","c":%RESPONSE_CODE%,"d":%DURATION%,"a":"%DOWNSTREAM_REMOTE_ADDRESS%","s":"%REQ(x-session-id)%"}"#,
                r#"{"t":"2026-11-01 23:00:01.250","m":"GET","p":"/a?b","c":200,"d":18,"a":"192.0.2.4:999","s":"s-1"}"#,
            ),
            (
                "%START_TIME(%d/%b/%Y:%H:%M:%S.%3f %z)%|%REQ(:METHOD)%|%REQ(:PATH)%|%RESPONSE_CODE%|%DURATION%|%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%:%DOWNSTREAM_DIRECT_REMOTE_PORT%|100%%|%REQ(X-Session-Id)%",
                "01/Nov/2026:23:00:01.250 +0000|GET|/a?b|200|18|192.0.2.4:7|100%|s-1",
            ),
        ] {
            let compiled = compile(format, &Identity::Field("x-session-id".to_owned()).into()).unwrap();
            let mut cache = Cache::default();
            let request = compiled.parse(line.as_bytes(), &mut cache).unwrap();
            assert_eq!(request.stamp_ns, 1_793_574_001_250 * MS, "{format}");
            assert_eq!((request.client, request.status), (&b"192.0.2.4"[..], 200), "{format}");
            assert_eq!((request.path(), request.query()), (&b"/a"[..], Some(&b"b"[..])), "{format}");
            assert_eq!(
                (request.duration_ns, request.identity),
                (Some(18 * MS), Some(&b"s-1"[..])),
                "{format}"
            );
        }
    }

    #[test]
    fn what_cannot_be_a_format_is_an_error_with_a_hint() {
        for (format, expected) in [
            ("%START_TIME% %", "found `%` and no operator"),
            ("%START_TIME% %REQ(:METHOD)%%REQ(:PATH)%", "touch"),
            ("%START_TIME% %REQ(:PATH)% %DURATION%", "no field for the status"),
            ("%START_TIME% %REQ(:PATH)% %RESPONSE_CODE%", "no field for the client"),
            ("%START_TIME(%H:%M)% %REQ(:PATH)% %RESPONSE_CODE%", "lacks the date"),
        ] {
            let message = compile(format, &Identity::Ip.into()).unwrap_err().to_string();
            assert!(message.contains(expected), "{format}: {message}");
        }
    }
}
