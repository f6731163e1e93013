//! The grammar of Squid `logformat`, and what its codes mean.
//!
//! Source: Squid `src/format/Token.cc`, `src/format/Format.cc`, `src/cf.data.pre`. The stamps are the moment the line
//! is written, hence the END of the request, but for `%tS`; `%tr` is in milliseconds.

use std::sync::Arc;

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take_while1};
use nom::character::complete::{char, digit0, digit1, one_of};
use nom::combinator::{map, opt, recognize, value};
use nom::multi::many0;
use nom::sequence::{delimited, pair, preceded};
use nom::{IResult, Parser as _};
use shared::profile::Stamp;

use super::assemble::{self, Item, Piece, Quotes, Words};
use super::escape::Escape;
use super::extent::set_of;
use super::meaning::Meaning;
use super::number::Unit;
use super::other_record::OtherRecords;
use super::program::{Extent, Tail};
use super::time::TimeFormat;
use super::time_pattern::TimePattern;
use super::values::Slot;
use super::{Format, Options, Reader, header, map as rules, request_line, squid_conf};
use crate::error::Error;
use crate::session::identity::Identity;

/// The format called `squid`: what is used where nothing is said.
pub(crate) const NATIVE: &str = "%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt";

/// The format called `common`.
pub(crate) const COMMON: &str = r#"%>a %[ui %[un [%tl] "%rm %ru HTTP/%rv" %>Hs %<st %Ss:%Sh"#;

/// The format called `combined`.
pub(crate) const COMBINED: &str =
    r#"%>a %[ui %[un [%tl] "%rm %ru HTTP/%rv" %>Hs %<st "%{Referer}>h" "%{User-Agent}>h" %Ss:%Sh"#;

/// One piece of a format string, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Written {
    Text(String),
    Code(Code),
}

/// `%[encoding][-][[0]width][.precision][{argument}]code[{argument}]`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Code {
    encoding: Option<char>,
    /// Blanks may stand before the value.
    padded: bool,
    argument: Option<String>,
    name: String,
}

/// Whether `text` is written in this language rather than in another that has percent signs.
pub(crate) fn recognise(text: &str) -> bool {
    const OWN: [&str; 10] = ["%>a", "%>A", "%<st", "%>st", "%>Hs", "%Ss", "%Sh", "%ru", "%>ru", "%[un"];
    squid_conf::logformat_directive(text).is_some() || OWN.iter().any(|own| text.contains(own))
}

/// Compiles a format given verbatim: the string alone, or the whole `logformat NAME …` directive.
///
/// # Errors
/// [`Error::LogFormat`] when it is no format, or leaves out what no profile can be made without.
pub(crate) fn compile(text: &str, options: &Options) -> Result<Format, Error> {
    match squid_conf::logformat_directive(text) {
        Some((name, format)) => compile_named(&format!("squid:{name}"), &format, Tail::Nothing, options),
        None => compile_named("squid:logformat", text, Tail::Nothing, options),
    }
}

/// Compiles a format string under the name that people know it by.
///
/// # Errors
/// As [`compile`].
pub(crate) fn compile_named(
    label: &str,
    format: &str,
    tail: Tail,
    options: &Options,
) -> Result<Format, Error> {
    let identity = &options.identity;
    let wrong = |problem: String, hint: &str| Error::LogFormat { problem, hint: hint.to_owned() };
    let (rest, written) =
        pieces(format).map_err(|_| wrong("cannot be read".to_owned(), "check its quotes"))?;
    if !rest.is_empty() {
        let at = format.len() - rest.len();
        return Err(wrong(
            format!("at byte {at}: found `%` and no code, expected one such as `%>Hs`"),
            "write the format as it stands in squid.conf, with `%%` for a percent sign",
        ));
    }
    let mut pieces = meanings(written, identity);
    request_line::join(&mut pieces, b" HTTP/", Extent::Quoted);
    request_line::join(&mut pieces, b" ", Extent::Quoted);
    let (time, stamp) = stamp(&mut pieces).map_err(|problem| {
        wrong(format!("has a time that cannot be read: {problem}"), "use `%tl` or `%ts.%03tu`")
    })?;
    let has_cookies =
        |piece: &Piece| matches!(piece, Piece::Item(item) if item.claim == Some((Slot::Cookies, 0)));
    let cookie = match identity {
        Identity::Cookie(name) if pieces.iter().any(has_cookies) => Some(name.as_bytes().into()),
        _ => None,
    };
    let mut meaning = Meaning {
        time,
        other_time: TimeFormat::EpochSeconds,
        stamp,
        duration: Unit::Milliseconds,
        escape: Escape::PercentAndBackslash,
        // Escapes of a URL belong to it.
        plain: set_of(&[Slot::RequestLine, Slot::Target, Slot::Path, Slot::Referer]),
        others: OtherRecords::Squid,
        cookie,
        ..Meaning::default()
    };
    rules::claim(&options.map, label, &mut pieces, &mut meaning)?;
    let mut program = assemble::program(pieces, Quotes::Escaped, meaning).map_err(|problem| {
        wrong(problem, "put the character that separates them in the log into the format")
    })?;
    program.tail = tail;
    assemble::check(&program, &WORDS, identity)?;
    Ok(Format::new(label, Reader::Text(program)))
}

const WORDS: Words = Words {
    time: "`%ts.%03tu` or `%tl`",
    request: "`%rm %ru`",
    status: "`%>Hs`",
    client: "`%>a`",
    identity: |name| format!("`%{{{name}}}>h`"),
};

fn pieces(format: &str) -> IResult<&str, Vec<Written>> {
    let argument = || delimited(char('{'), is_not("}"), char('}'));
    let direction = opt(one_of("<>"));
    let namespace =
        opt(pair(alt((tag("http"), tag("icap"), tag("adapt"), tag("ssl"), tag("tls"))), tag("::")));
    let name = recognize((namespace, direction, take_while1(|c: char| c.is_ascii_alphabetic() || c == '_')));
    let width = (opt(char('-')), digit0, opt(preceded(char('.'), digit1)));
    let code = preceded(char('%'), (opt(one_of("\"'[#/")), width, opt(argument()), name, opt(argument())));
    many0(alt((
        value(Written::Text("%".to_owned()), tag("%%")),
        map(
            code,
            |(encoding, (left, width, _), before, name, after): (_, (Option<char>, &str, _), _, _, _)| {
                let name: &str = name;
                let argument: Option<&str> = before.or(after);
                Written::Code(Code {
                    encoding,
                    padded: left.is_none() && !width.is_empty() && !width.starts_with('0'),
                    argument: argument.map(str::to_owned),
                    name: name.strip_prefix("http::").unwrap_or(name).to_owned(),
                })
            },
        ),
        map(take_while1(|c: char| c != '%'), |text: &str| Written::Text(text.to_owned())),
    )))
    .parse(format)
}

fn meanings(written: Vec<Written>, identity: &Identity) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(written.len());
    for piece in written {
        match piece {
            // A stamp and its fraction are one.
            Written::Code(code) if code.name == "tu" && takes_fraction(&pieces) => {
                pieces.pop();
            }
            Written::Code(code) => pieces.push(Piece::Item(item(&code, identity))),
            Written::Text(text) => pieces.push(Piece::Text(text.into_bytes())),
        }
    }
    pieces
}

fn takes_fraction(pieces: &[Piece]) -> bool {
    matches!(pieces, [.., Piece::Item(seconds), Piece::Text(point)] if seconds.name == "%ts" && point == b".")
}

fn item(code: &Code, identity: &Identity) -> Item {
    let claim = claim(code);
    let is_number = matches!(
        claim,
        Some((Slot::Duration | Slot::Status | Slot::BytesOut | Slot::BytesIn | Slot::Client, _))
    );
    let extent = match (code.name.as_str(), code.encoding) {
        ("Ss" | "Sh", _) => Extent::Capitals,
        (">p" | "<p" | ">lp" | "<lp" | "lp", _) => Extent::Number,
        (_, Some('/')) => Extent::Wrapped,
        _ if code.padded => Extent::Padded,
        _ if is_number => Extent::Token,
        _ => Extent::Text,
    };
    let is_identity = match (&code.argument, identity) {
        (Some(name), identity) if code.name == ">h" => header::is_identity(identity, name),
        (None, Identity::Field(name)) => name.trim_start_matches('%') == code.name,
        _ => false,
    };
    let argument = code.argument.as_ref().map_or_else(String::new, |argument| format!("{{{argument}}}"));
    Item { name: format!("%{argument}{}", code.name), claim, extent, is_identity }
}

fn claim(code: &Code) -> Option<(Slot, u8)> {
    Some(match (code.name.as_str(), &code.argument) {
        (">a", _) => (Slot::Client, 0),
        (">A", _) => (Slot::Client, 1),
        ("un", _) => (Slot::User, 0),
        ("ul" | "ue", _) => (Slot::User, 1),
        ("tr", _) => (Slot::Duration, 0),
        (">rm" | "rm", _) => (Slot::Method, 0),
        (">ru" | "ru", _) => (Slot::Target, 0),
        (">rp" | "rp", _) => (Slot::Target, 1),
        (">rv" | "rv", _) => (Slot::Protocol, 0),
        (">rs", _) => (Slot::Scheme, 0),
        (">rd", _) => (Slot::Host, 1),
        (">Hs" | "Hs", _) => (Slot::Status, 0),
        ("<Hs", _) => (Slot::Status, 1),
        ("<st", _) => (Slot::BytesOut, 0),
        (">st", _) => (Slot::BytesIn, 0),
        (">h", Some(name)) => (header::slot(name)?, 0),
        _ => return None,
    })
}

/// How the stamp that counts is printed and which moment it marks; it and the start of the request get their slots.
fn stamp(pieces: &mut [Piece]) -> Result<(TimeFormat, Stamp), String> {
    let format = if give(pieces, "ts", Slot::Time).is_some() {
        TimeFormat::EpochSeconds
    } else if let Some(layout) = give(pieces, "tl", Slot::Time) {
        layout.map_or(Ok(TimeFormat::Clf), |layout| in_layout(&layout))?
    } else if let Some(layout) = give(pieces, "tg", Slot::Time) {
        layout.map_or(Ok(TimeFormat::ClfUtc), |layout| in_layout(&layout))?
    } else {
        give(pieces, "tS", Slot::Time);
        return Ok((TimeFormat::EpochSeconds, Stamp::Start));
    };
    give(pieces, "tS", Slot::OtherTime);
    Ok((format, Stamp::End))
}

/// Gives `slot` to the first item of that code; its argument, where it has one.
fn give(pieces: &mut [Piece], code: &str, slot: Slot) -> Option<Option<String>> {
    pieces.iter_mut().find_map(|piece| match piece {
        Piece::Item(item) => {
            let argument = item.name.strip_prefix('%')?.strip_suffix(code)?;
            let layout = argument.strip_prefix('{').and_then(|layout| layout.strip_suffix('}'));
            (argument.is_empty() || layout.is_some()).then_some(())?;
            let layout = layout.map(str::to_owned);
            item.claim = Some((slot, 0));
            Some(layout)
        }
        Piece::Text(_) => None,
    })
}

fn in_layout(layout: &str) -> Result<TimeFormat, String> {
    if layout == "%d/%b/%Y:%H:%M:%S %z" {
        return Ok(TimeFormat::Clf);
    }
    let pattern = TimePattern::strftime(layout).map_err(|problem| format!("`{layout}` {problem}"))?;
    if !pattern.says().is_complete() {
        return Err(format!("`{layout}` lacks the date or the time of day"));
    }
    Ok(TimeFormat::Pattern(Arc::new(pattern)))
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
    fn native_lines() {
        for (line, status, duration_ms, host, user) in [
            (
                "1525344856.899  16867 192.0.2.4 TCP_TUNNEL/200 6256 CONNECT logs.example.com:443 - HIER_DIRECT/198.51.100.4 -",
                200,
                16_867,
                Some("logs.example.com:443"),
                None,
            ),
            (
                "1525344856.899      1 192.0.2.4 TCP_MISS_ABORTED/000 0 GET http://www.example.com/a?b jane%20d HIER_NONE/- text/html",
                0,
                1,
                Some("www.example.com"),
                Some("jane d"),
            ),
            (
                "1525344856.899 123456789 192.0.2.4 NONE_NONE/400 3901 NONE error:invalid-request - HIER_NONE/- text/html",
                400,
                123_456_789,
                None,
                None,
            ),
        ] {
            parse(NATIVE, line, |request| {
                assert_eq!((request.stamp, request.stamp_ns), (Stamp::End, 1_525_344_856_899 * MS));
                assert_eq!((request.client, request.status), (&b"192.0.2.4"[..], status), "{line}");
                assert_eq!(request.duration_ns, Some(duration_ms * MS), "{line}");
                assert_eq!(request.host, host.map(str::as_bytes), "{line}");
                assert_eq!(request.user, user.map(str::as_bytes), "{line}");
            });
        }
    }

    #[test]
    fn combined_lines_with_escapes_and_blanks_in_the_target() {
        let line = r#"192.0.2.4 - - [17/May/2015:10:05:03 +0200] "GET http://www.example.com/a b?c=%20 HTTP/1.1" 200 17 "http://x.example/%2F" "say \"hi\"" TCP_MISS:HIER_DIRECT"#;
        parse(COMBINED, line, |request| {
            assert_eq!((request.path(), request.query()), (&b"/a b"[..], Some(&b"c=%20"[..])));
            assert_eq!(request.referer, Some(&b"http://x.example/%2F"[..]));
            assert_eq!(request.user_agent, Some(&br#"say "hi""#[..]));
            assert_eq!((request.offset_s, request.protocol), (7200, Some(&b"HTTP/1.1"[..])));
        });
        let other = line.replace("TCP_MISS:HIER_DIRECT", "192.0.2.1:80");
        let format = compile(COMBINED, &Identity::Ip.into()).unwrap();
        assert!(format.parse(other.as_bytes(), &mut Cache::default()).is_err());
    }

    #[test]
    fn custom_formats() {
        let line_of = |time: &str| format!("{time} 00018 192.0.2.4 GET /a?b 302 Mozilla/5.0%20(X11)");
        for (time, text, expected) in [
            ("%ts", "1431857103", "2015-05-17T10:05:03Z"),
            ("%tl", "17/May/2015:10:05:03 +0200", "2015-05-17T08:05:03Z"),
            ("%tg", "17/May/2015:10:05:03", "2015-05-17T10:05:03Z"),
            ("%{%Y-%m-%d %H:%M:%S}tl", "2015-05-17 10:05:03", "2015-05-17T10:05:03Z"),
            ("%{%d/%b/%Y:%H:%M:%S %z}tl", "17/May/2015:10:05:03 +0000", "2015-05-17T10:05:03Z"),
        ] {
            let format = format!("[{time}] %05tr %>a %>rm %>rp %03>Hs %{{User-Agent}}>h");
            parse(&format, &line_of(&format!("[{text}]")), |request| {
                let expected: jiff::Timestamp = expected.parse().unwrap();
                assert_eq!(i128::from(request.stamp_ns), expected.as_nanosecond(), "{time}");
                assert_eq!((request.duration_ns, request.status), (Some(18 * MS), 302));
                assert_eq!((request.path(), request.query()), (&b"/a"[..], Some(&b"b"[..])));
                assert_eq!(request.user_agent, Some(&b"Mozilla/5.0 (X11)"[..]));
            });
        }
    }

    #[test]
    fn addresses_of_ipv6_end_before_their_port() {
        parse("%ts %>a:%>p %rm %ru %>Hs", "19 2001:db8::4:5000 GET /a 200", |request| {
            assert_eq!(request.client, b"2001:db8::4");
        });
    }

    #[test]
    fn the_start_is_used_where_it_is_printed() {
        parse("%ts.%03tu %tS %>a %rm %ru %>Hs", "20.500 19.250 192.0.2.4 GET /a 200", |request| {
            assert_eq!(request.started_at_ns(), Some(19_250 * MS));
        });
        parse("%tS %6tr %>a %rm %ru %>Hs", "19.250    250 192.0.2.4 GET /a 200", |request| {
            assert_eq!((request.stamp, request.ended_at_ns()), (Stamp::Start, Some(19_500 * MS)));
        });
    }

    #[test]
    fn what_is_no_request_is_told_from_broken_lines() {
        let format = compile(NATIVE, &Identity::Ip.into()).unwrap();
        for (line, expected) in [
            (
                "1525344856.899      0 192.0.2.4 UDP_HIT/000 66 ICP_QUERY http://x.example/ - HIER_NONE/- -",
                Reject::NotARequest,
            ),
            (
                "1525344856.899      0 192.0.2.4 NONE_NONE/000 0 - error:transaction-end-before-headers - HIER_NONE/- -",
                Reject::NotARequest,
            ),
            ("2026/11/02 00:00:01 kid1| Starting Squid Cache", Reject::OtherFormat),
        ] {
            let found = format.parse(line.as_bytes(), &mut Cache::default()).unwrap_err();
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_a_format_is_an_error_with_a_hint() {
        for (format, expected) in [
            ("%ts %>a %", "found `%` and no code"),
            ("%ts %>a%>Hs %rm %ru", "touch"),
            ("%>a %>Hs %rm %ru", "no field for a time"),
            ("%ts %>Hs %rm %ru", "no field for the client"),
            ("%{%H:%M}tl %>a %>Hs %rm %ru", "lacks the date"),
            ("%{%Q}tl %>a %>Hs %rm %ru", "holds `%Q`"),
        ] {
            let message = compile(format, &Identity::Ip.into()).unwrap_err().to_string();
            assert!(message.contains(expected), "{format}: {message}");
        }
    }

    #[test]
    fn headers_may_be_identities() {
        let identity = Identity::Field("X-Session-Id".to_owned());
        let format =
            compile(r#"%ts %>a %rm %ru %>Hs "%{X-Session-Id}>h""#, &identity.clone().into()).unwrap();
        let line = br#"19 192.0.2.4 GET /a 200 "abc""#;
        assert_eq!(format.parse(line, &mut Cache::default()).unwrap().identity, Some(&b"abc"[..]));
        assert!(compile(NATIVE, &identity.clone().into()).is_err());
    }
}
