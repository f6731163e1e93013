//! The grammar of HAProxy `log-format`, and what its variables mean.
//!
//! Source: HAProxy `src/log.c` and chapter 8.2 of its configuration manual. `%tr` is the START of a request, in local
//! time without its zone; `%Ta` runs from there to the last byte. `%t`, `%T`, `%Tl` and `%Ts` are the moment the
//! connection was ready for a request, from where `%Tt` counts.

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take_while, take_while1};
use nom::combinator::{map, opt, recognize, value, verify};
use nom::multi::many0;
use nom::sequence::{delimited, preceded};
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
use super::values::Slot;
use super::{Format, Options, Reader, haproxy_cfg, header, map as rules};
use crate::error::Error;
use crate::session::identity::Identity;

/// `option httplog`.
pub(crate) const HTTPLOG: &str = concat!(
    "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc ",
    "%ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r"
);

/// `option httpslog`.
pub(crate) const HTTPSLOG: &str = concat!(
    "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc ",
    "%ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r ",
    "%[fc_err]/%[ssl_fc_err,hex]/%[ssl_c_err]/%[ssl_c_ca_err]/%[ssl_fc_is_resumed] %[ssl_fc_sni]/%sslv/%sslc"
);

/// `option httplog clf`.
pub(crate) const CLF: &str = concat!(
    r#"%{+Q}o %{-Q}ci - - [%trg] %r %ST %B "" "" %cp %ms %ft %b %s %TR %Tw %Tc %Tr %Ta %tsc "#,
    "%ac %fc %bc %sc %rc %sq %bq %CC %CS %hrl %hsl"
);

/// One piece of a format string, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Written {
    Text(String),
    Variable(Variable),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Variable {
    /// `%(NAME)`, the key in JSON.
    key: Option<String>,
    /// `{+Q,-E}`.
    flags: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// `%ci`.
    Alias(String),
    /// `%[req.hdr(host)]`.
    Sample(String),
}

/// Whether `text` is written in this language rather than in another that has percent signs.
pub(crate) fn recognise(text: &str) -> bool {
    const OWN: [&str; 13] =
        ["%ci", "%tr", "%ST", "%ft", "%HM", "%HU", "%HP", "%Ta", "%Tt", "%tsc", "%{+Q}", "%{-Q}", "%["];
    haproxy_cfg::log_format_directive(text).is_some() || OWN.iter().any(|own| text.contains(own))
}

/// Compiles a format given verbatim: the string alone, or the whole `log-format "…"` directive.
///
/// # Errors
/// [`Error::LogFormat`] when it is no format, or leaves out what no profile can be made without.
pub(crate) fn compile(text: &str, options: &Options) -> Result<Format, Error> {
    let directive = haproxy_cfg::log_format_directive(text);
    compile_named("haproxy:log-format", directive.as_deref().unwrap_or(text), &[], options)
}

/// Compiles a format string under the name that people know it by. `captured` are the names of the request headers
/// that `%hr` prints.
///
/// # Errors
/// As [`compile`].
pub(crate) fn compile_named(
    label: &str,
    format: &str,
    captured: &[String],
    options: &Options,
) -> Result<Format, Error> {
    let identity = &options.identity;
    let wrong = |problem: String, hint: &str| Error::LogFormat { problem, hint: hint.to_owned() };
    let (rest, written) =
        pieces(format).map_err(|_| wrong("cannot be read".to_owned(), "check its quotes"))?;
    if !rest.is_empty() {
        let at = format.len() - rest.len();
        return Err(wrong(
            format!("at byte {at}: found `%` without a name, expected a variable such as `%ST`"),
            "write the format as it stands in haproxy.cfg, with `%%` for a percent sign",
        ));
    }
    let (mut pieces, mut meaning) = meanings(written, identity);
    let (time, coarse_time) = stamps(&mut pieces);
    (meaning.time, meaning.coarse_time) = (time, coarse_time);
    duration(&mut pieces);
    let captured_slot = |name: &String| match header::is_identity(identity, name) {
        true => Some(Slot::Identity),
        false => header::slot(name),
    };
    meaning.captured = captured.iter().map(captured_slot).collect();
    let quotes = if meaning.escape.escapes_quotes() { Quotes::Escaped } else { Quotes::Raw };
    let tail = optional_tail(&mut pieces);
    rules::claim(&options.map, label, &mut pieces, &mut meaning)?;
    let mut program = assemble::program(pieces, quotes, meaning).map_err(|problem| {
        wrong(problem, "put the character that separates them in the log into the format")
    })?;
    program.tail = tail;
    // Captured headers are as good as fields of their own.
    let identity = match program.meaning.captured.contains(&Some(Slot::Identity)) {
        true => &Identity::Ip,
        false => identity,
    };
    assemble::check(&program, &WORDS, identity)?;
    Ok(Format::new(label, Reader::Text(program)))
}

const WORDS: Words = Words {
    time: "`%tr` or `%t`",
    request: "`%{+Q}r`, or `%HM` and `%HU`",
    status: "`%ST`",
    client: "`%ci`",
    identity: |name| format!("`%[req.hdr({name})]` or `%[req.cook({name})]`"),
};

/// Gives up optional fields at the end, as nothing behind them can be told apart.
fn optional_tail(pieces: &mut Vec<Piece>) -> Tail {
    let mut tail = Tail::Nothing;
    while let Some(last) = pieces.last() {
        match last {
            Piece::Item(item) if matches!(item.extent, Extent::Optional(_)) => tail = Tail::Anything,
            Piece::Text(text) if text == b" " => {}
            _ => break,
        }
        pieces.pop();
    }
    tail
}

fn pieces(format: &str) -> IResult<&str, Vec<Written>> {
    let name = || take_while1(|c: char| c.is_ascii_alphanumeric());
    let key = delimited(tag("("), is_not(")"), tag(")"));
    let flags = delimited(tag("{"), is_not("}"), tag("}"));
    let kind = alt((
        map(delimited(tag("["), sample, tag("]")), |text: &str| Kind::Sample(text.trim().to_owned())),
        map(verify(name(), |name: &str| !name.starts_with(|c: char| c.is_ascii_digit())), |name: &str| {
            Kind::Alias(name.to_owned())
        }),
    ));
    let variable = preceded(tag("%"), (opt(key), opt(flags), kind));
    many0(alt((
        value(Written::Text("%".to_owned()), tag("%%")),
        map(variable, |(key, flags, kind): (Option<&str>, Option<&str>, Kind)| {
            let key = key.map(|key| key.split(':').next().unwrap_or_default().to_owned());
            Written::Variable(Variable { key, flags: flags.unwrap_or_default().to_owned(), kind })
        }),
        map(take_while1(|c: char| c != '%'), |text: &str| Written::Text(text.to_owned())),
    )))
    .parse(format)
}

/// A sample expression, up to the bracket that closes it; arguments in parentheses may hold brackets.
fn sample(text: &str) -> IResult<&str, &str> {
    let argument = delimited(tag("("), take_while(|c: char| c != ')'), tag(")"));
    recognize(many0(alt((recognize(argument), take_while1(|c: char| !"(]".contains(c)))))).parse(text)
}

/// The pieces of a format with what they mean, and what does not depend on its times.
fn meanings(written: Vec<Written>, identity: &Identity) -> (Vec<Piece>, Meaning) {
    let mut pieces = Vec::new();
    let (mut quoted_by_default, mut json) = (false, false);
    let mut meaning = Meaning {
        stamp: Stamp::Start,
        duration: Unit::Milliseconds,
        escape: Escape::Hash,
        others: OtherRecords::HaProxy,
        ..Meaning::default()
    };
    for piece in written {
        match piece {
            Written::Text(_) if json => {}
            Written::Text(text) => push_text(&mut pieces, &text),
            Written::Variable(Variable { flags, kind: Kind::Alias(name), .. }) if name == "o" => {
                quoted_by_default = quoted(&flags, quoted_by_default);
                json |= flags.contains("+json");
            }
            Written::Variable(variable) if json => {
                let Some(key) = &variable.key else { continue };
                let open = if pieces.is_empty() { "{" } else { ", " };
                pieces.push(Piece::Text(format!("{open}\"{key}\": ").into_bytes()));
                let item = Item { extent: Extent::Wrapped, ..item(&variable, true, identity, &mut meaning) };
                pieces.push(Piece::Item(item));
            }
            Written::Variable(variable) => {
                let quoted = quoted(&variable.flags, quoted_by_default);
                pieces.push(Piece::Item(item(&variable, quoted, identity, &mut meaning)));
            }
        }
    }
    if json {
        pieces.push(Piece::Text(b"}".to_vec()));
        meaning.escape = Escape::HashAndJson;
    }
    join_items(&mut pieces);
    let has_cookies = |piece: &Piece| matches!(piece, Piece::Item(item) if item.claim.is_some_and(|(slot, _)| slot == Slot::Cookies));
    if let Identity::Cookie(name) = identity
        && pieces.iter().any(has_cookies)
    {
        meaning.cookie = Some(name.as_bytes().into());
    }
    (pieces, meaning)
}

fn quoted(flags: &str, before: bool) -> bool {
    flags.split(',').fold(before, |quoted, flag| match flag.trim() {
        "+Q" => true,
        "-Q" => false,
        _ => quoted,
    })
}

/// Adds text as HAProxy prints it: one blank for many, none at the start.
fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    let mut before = match pieces.last() {
        Some(Piece::Text(before)) => before.last().copied(),
        Some(Piece::Item(_)) => None,
        None => Some(b' '),
    };
    let mut printed =
        text.bytes().filter(|byte| before.replace(*byte) != Some(b' ') || *byte != b' ').collect();
    match pieces.last_mut() {
        Some(Piece::Text(text)) => text.append(&mut printed),
        _ if printed.is_empty() => {}
        _ => pieces.push(Piece::Text(printed)),
    }
}

/// Joins what HAProxy prints as two variables and people read as one.
fn join_items(pieces: &mut Vec<Piece>) {
    const JOINED: [(&str, &[u8], &str, &str); 3] =
        [("%HP", b"", "%HQ", "%HU"), ("%Ts", b".", "%ms", "%Ts.%ms"), ("%Ts", b"", "%ms", "%Ts%ms")];
    let is =
        |piece: Option<&Piece>, name: &str| matches!(piece, Some(Piece::Item(item)) if item.name == name);
    for (first, between, second, both) in JOINED {
        let gap = usize::from(!between.is_empty());
        let found = (0..pieces.len()).find(|at| {
            let joined = gap == 0 || matches!(pieces.get(at + 1), Some(Piece::Text(text)) if text == between);
            joined && is(pieces.get(*at), first) && is(pieces.get(at + 1 + gap), second)
        });
        let Some(at) = found else { continue };
        pieces.drain(at + 1..at + 2 + gap);
        if let Piece::Item(item) = &mut pieces[at] {
            both.clone_into(&mut item.name);
            if both == "%HU" {
                item.claim = Some((Slot::Target, 0));
            }
        }
    }
}

fn item(variable: &Variable, quoted: bool, identity: &Identity, meaning: &mut Meaning) -> Item {
    let text = if quoted { Extent::Wrapped } else { Extent::Text };
    match &variable.kind {
        Kind::Alias(alias) => {
            let slot = if variable.flags.contains("+X") { None } else { alias_slot(alias, identity) };
            let extent = match alias.as_str() {
                "hr" | "hs" => Extent::Optional(b'{'),
                "hrl" | "hsl" => Extent::Optional(b'"'),
                "r" | "HM" | "HU" | "HP" | "HPO" | "HQ" | "HV" | "CC" | "CS" | "b" | "s" | "f" | "ft"
                | "H" | "ID" | "sslc" | "sslv" | "OG" | "ci" | "fi" | "bi" | "si" => text,
                _ => Extent::Token,
            };
            let extent = match alias.as_str() {
                "cp" => Extent::Number,
                _ => extent,
            };
            Item {
                name: format!("%{alias}"),
                claim: slot.map(|slot| (slot, 0)),
                extent,
                is_identity: header::is_identity(identity, alias),
            }
        }
        Kind::Sample(sample) => {
            let (fetch, converters) = split_sample(sample);
            let json = converters.iter().any(|converter| converter.starts_with("json"));
            let slot = sample_slot(fetch, &converters);
            let is_identity = sample_is_identity(fetch, identity);
            if json {
                meaning.escape = Escape::HashAndJson;
            } else {
                let slots = [slot, is_identity.then_some(Slot::Identity)];
                meaning.plain |= slots.into_iter().flatten().fold(0, |set, slot| set | set_of(&[slot]));
            }
            let name = alias_of_sample(fetch).map_or_else(|| format!("%[{sample}]"), str::to_owned);
            Item { name, claim: slot.map(|slot| (slot, 1)), extent: text, is_identity }
        }
    }
}

fn alias_slot(alias: &str, identity: &Identity) -> Option<Slot> {
    Some(match alias {
        "ci" => Slot::Client,
        // `NAME=value` of the one cookie that `capture cookie` names.
        "CC" if matches!(identity, Identity::Cookie(_)) => Slot::Cookies,
        "CC" => Slot::Session,
        "r" => Slot::RequestLine,
        "HM" => Slot::Method,
        "HU" => Slot::Target,
        "HP" | "HPO" => Slot::Path,
        "HQ" => Slot::Query,
        "HV" => Slot::Protocol,
        "ST" => Slot::Status,
        "B" => Slot::BytesOut,
        "U" => Slot::BytesIn,
        "ID" => Slot::RequestId,
        _ => return None,
    })
}

/// The fetch of a sample expression, and its converters.
fn split_sample(sample: &str) -> (&str, Vec<&str>) {
    let mut depth = 0_i32;
    let mut parts = sample.split(|c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    });
    (parts.next().unwrap_or_default().trim(), parts.map(str::trim).collect())
}

/// Name and first argument of a fetch: `req.hdr(host,1)`.
fn fetch_call(fetch: &str) -> (&str, &str) {
    let (name, arguments) = fetch.split_once('(').unwrap_or((fetch, ""));
    (name, arguments.trim_end_matches(')').split(',').next().unwrap_or_default().trim())
}

fn sample_slot(fetch: &str, converters: &[&str]) -> Option<Slot> {
    const KEEP_TEXT: [&str; 6] = ["json", "lower", "upper", "ltrim", "rtrim", "url_dec"];
    let keeps = |converter: &&str| KEEP_TEXT.contains(&fetch_call(converter).0);
    if !converters.iter().all(keeps) {
        return None;
    }
    match fetch_call(fetch) {
        ("req.hdr" | "req.fhdr" | "hdr" | "fhdr", header) => header::slot(header),
        ("src", _) => Some(Slot::Client),
        ("method" | "capture.req.method", _) => Some(Slot::Method),
        ("path", _) => Some(Slot::Path),
        ("query", _) => Some(Slot::Query),
        ("url" | "pathq" | "capture.req.uri", _) => Some(Slot::Target),
        ("capture.req.ver", _) => Some(Slot::Protocol),
        ("status" | "txn.status", _) => Some(Slot::Status),
        ("ssl_fc_sni" | "req.ssl_sni", _) => Some(Slot::Host),
        ("unique-id", _) => Some(Slot::RequestId),
        _ => None,
    }
}

/// The variable that prints the same number or stamp as `fetch`.
fn alias_of_sample(fetch: &str) -> Option<&'static str> {
    Some(match fetch_call(fetch) {
        ("txn.timer.total", _) => "%Ta",
        ("txn.timer.user", _) => "%Tu",
        ("fc.timer.total", _) => "%Tt",
        ("request_date", "us") => "%[request_date(us)]",
        ("request_date", "ms") => "%[request_date(ms)]",
        ("request_date", _) => "%[request_date]",
        _ => return None,
    })
}

fn sample_is_identity(fetch: &str, identity: &Identity) -> bool {
    match (fetch_call(fetch), identity) {
        (("req.cook" | "cook", name), Identity::Cookie(wanted)) => name == wanted,
        (("req.hdr" | "req.fhdr" | "hdr" | "fhdr", header), identity) => {
            header::is_identity(identity, header)
        }
        ((_, _), Identity::Field(wanted)) => fetch == wanted,
        _ => false,
    }
}

/// How the stamp that counts is printed, and how the one whose offset counts is; both get their slots.
fn stamps(pieces: &mut [Piece]) -> (TimeFormat, TimeFormat) {
    // The start of the request before the moment it was waited for, fine before coarse.
    const BEST_FIRST: [(&str, TimeFormat); 12] = [
        ("%[request_date(us)]", TimeFormat::EpochMicroseconds),
        ("%[request_date(ms)]", TimeFormat::EpochMilliseconds),
        ("%tr", TimeFormat::ClfLocal),
        ("%trg", TimeFormat::Clf),
        ("%trl", TimeFormat::Clf),
        ("%[request_date]", TimeFormat::EpochSeconds),
        ("%Ts.%ms", TimeFormat::EpochSeconds),
        ("%Ts%ms", TimeFormat::EpochMilliseconds),
        ("%t", TimeFormat::ClfLocal),
        ("%Tl", TimeFormat::Clf),
        ("%T", TimeFormat::Clf),
        ("%Ts", TimeFormat::EpochSeconds),
    ];
    // Local time with its zone: what `%tr` and `%t` leave out.
    const ZONED: [&str; 2] = ["%trl", "%Tl"];
    let time = BEST_FIRST.into_iter().find(|(name, _)| give(pieces, name, Slot::Time));
    if matches!(time, Some((_, TimeFormat::ClfLocal))) {
        ZONED.into_iter().find(|name| give(pieces, name, Slot::CoarseTime));
    }
    (time.map_or(TimeFormat::Clf, |(_, format)| format), TimeFormat::Clf)
}

/// Gives the slot to the duration that counts from the stamp that counts.
fn duration(pieces: &mut [Piece]) {
    const FROM_REQUEST: [&str; 3] = ["%Ta", "%Tu", "%Tt"];
    const FROM_READINESS: [&str; 3] = ["%Tt", "%Tu", "%Ta"];
    let of_request = |item: &Item| item.name.starts_with("%tr") || item.name.contains("request");
    let from_request = pieces.iter().any(
        |piece| matches!(piece, Piece::Item(item) if item.claim == Some((Slot::Time, 0)) && of_request(item)),
    );
    let names = if from_request { FROM_REQUEST } else { FROM_READINESS };
    names.into_iter().find(|name| give(pieces, name, Slot::Duration));
}

/// Gives `slot` to the first item called `name`; whether there is one.
fn give(pieces: &mut [Piece], name: &str, slot: Slot) -> bool {
    let found = pieces.iter_mut().find_map(|piece| match piece {
        Piece::Item(item) if item.name == name => Some(item),
        _ => None,
    });
    found.is_some_and(|item| {
        item.claim = Some((slot, 0));
        true
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Cache;
    use crate::reject::Reject;
    use crate::request::Request;

    const MS: i64 = 1_000_000;
    const STAMP_NS: i64 = 1_233_922_454_655 * MS;

    #[track_caller]
    fn parse(format: &Format, line: &str, check: impl Fn(Request<'_>)) {
        check(format.parse(line.as_bytes(), &mut Cache::default()).unwrap());
    }

    fn preset(text: &str) -> Format {
        compile(text, &Identity::Ip.into()).unwrap()
    }

    /// Line of `option httplog` with other values in the places that vary.
    fn line(timers: &str, status: &str, bytes: &str, cookie: &str, conns: &str, tail: &str) -> String {
        format!(
            "192.0.2.7:33317 [06/Feb/2009:12:14:14.655] web~ app/s1 {timers} {status} {bytes} {cookie} - ---- {conns} 0/0 {tail}"
        )
    }

    #[test]
    fn httplog_with_and_without_captured_headers() {
        let format = preset(HTTPLOG);
        let request = r#""GET /a#20b?c=1 HTTP/1.1""#;
        for captured in ["", "{www.example.com} ", "{www.example.com|Mozilla/5.0 (X11; x)|} {} ", "{} {|} "] {
            let text =
                line("10/0/30/69/109", "200", "2750", "-", "1/1/1/1/0", &format!("{captured}{request}"));
            parse(&format, &text, |request| {
                assert_eq!(request.client, b"192.0.2.7");
                assert_eq!((request.stamp_ns, request.zone_printed), (STAMP_NS, false));
                assert_eq!(request.resolution_ns, MS);
                assert_eq!(request.duration_ns, Some(109 * MS));
                assert_eq!((request.status, request.bytes_out), (200, Some(2750)));
                assert_eq!((request.path(), request.query()), (&b"/a b"[..], Some(&b"c=1"[..])));
                assert_eq!((request.protocol, request.session), (Some(&b"HTTP/1.1"[..]), None));
            });
        }
    }

    #[test]
    fn what_haproxy_prints_of_broken_and_early_logged_requests() {
        let format = preset(HTTPLOG);
        parse(&format, &line("-1/-1/-1/-1/8000", "-1", "0", "-", "1/1/0/0/0", r#""<BADREQ>""#), |request| {
            assert_eq!((request.status, request.method), (0, None));
            assert_eq!(request.duration_ns, Some(8000 * MS));
        });
        let early = line("0/0/1/30/+30", "200", "+243", "SID=abc", "1/1/1/1/+3", r#""GET / HTTP/1.1""#);
        parse(&format, &early, |request| {
            assert_eq!((request.duration_ns, request.bytes_out), (None, None));
            assert_eq!(request.session, Some(&b"SID=abc"[..]));
        });
    }

    #[test]
    fn absolute_targets_addresses_of_ipv6_and_quotes_of_syslog_ng() {
        let format = preset(HTTPLOG);
        let text = line(
            "0/0/0/1/1",
            "200",
            "5",
            "-",
            "1/1/1/1/0",
            r#"\"GET http://shop.example.com/a?b HTTP/1.1\""#,
        )
        .replace("192.0.2.7:", "2001:db8::7:");
        parse(&format, &text, |request| {
            assert_eq!(request.client, b"2001:db8::7");
            assert_eq!((request.host, request.path()), (Some(&b"shop.example.com"[..]), &b"/a"[..]));
        });
        parse(&format, &text.replace("2001:db8::7:", "-:"), |request| assert_eq!(request.client, b"-"));
    }

    #[test]
    fn a_line_cut_in_its_request_keeps_what_is_there() {
        let text = line("0/0/0/1/1", "200", "5", "-", "1/1/1/1/0", r#"{x} "GET /very/long/pa"#);
        parse(&preset(HTTPLOG), &text, |request| {
            assert!(request.truncated);
            assert_eq!((request.method, request.path()), (Some(&b"GET"[..]), &b"/very/long/pa"[..]));
        });
        let early = &text[..90];
        assert!(preset(HTTPLOG).parse(early.as_bytes(), &mut Cache::default()).is_err());
    }

    #[test]
    fn httpslog_tells_the_name_asked_for() {
        let tail = r#"{} "GET / HTTP/2.0" 0/0/0/0/1 www.example.com/TLSv1.3/TLS_AES_256_GCM_SHA384"#;
        let text = line("0/0/0/1/1", "200", "5", "-", "1/1/1/1/0", tail);
        parse(&preset(HTTPSLOG), &text, |request| {
            assert_eq!(request.host, Some(&b"www.example.com"[..]));
            assert_eq!(request.path(), b"/");
        });
        assert!(preset(HTTPLOG).parse(text.as_bytes(), &mut Cache::default()).is_err());
    }

    #[test]
    fn clf_has_a_zone_and_quotes() {
        let text = r#"192.0.2.7 - - [06/Feb/2009:12:14:14 +0000] "GET /a HTTP/1.1" 200 99 "" "" 38250 655 "web~" "app" "s1" 1 0 0 3 4 ---- 1 1 0 0 0 0 0 "SID=1" "" "www.example.com" "x y""#;
        parse(&preset(CLF), text, |request| {
            assert_eq!(request.stamp_ns, STAMP_NS - 655 * MS);
            assert!(request.zone_printed);
            assert_eq!((request.duration_ns, request.session), (Some(4 * MS), Some(&b"SID=1"[..])));
        });
    }

    #[test]
    fn custom_formats() {
        for (format, line) in [
            (
                r#"%ci:%cp [%tr] %ft %b/%s %[capture.req.hdr(0)] %TR/%Tw/%Tc/%Tr/%Ta %ST %B "%r""#,
                r#"192.0.2.7:4 [06/Feb/2009:12:14:14.655] a b/c www.example.com 0/0/1/17/18 302 291 "GET /a?b HTTP/1.1""#,
            ),
            (
                r#"{"ts":"%Ts.%ms","ip":"%ci","m":"%HM","u":"%HP%HQ","st":%ST,"ms":%Tt,"ua":"%[req.hdr(User-Agent),json(utf8s)]"}"#,
                r#"{"ts":"1233922454.655","ip":"192.0.2.7","m":"GET","u":"/a?b","st":302,"ms":18,"ua":"Mozilla\/5.0 \"x\""}"#,
            ),
            (
                "%{+json}o %(ip)ci %(at)trg %(line)r %(status:int)ST %(took)Ta",
                r#"{"ip": "192.0.2.7", "at": "06/Feb/2009:12:14:14 +0000", "line": "GET /a?b HTTP/1.1", "status": 302, "took": 18}"#,
            ),
            (
                "%{+Q}[src] %[request_date(us)] %{+Q}[method] %{+Q}[pathq] %[status] %[txn.timer.total]",
                r#""192.0.2.7" 1233922454655000 "GET" "/a?b" 302 18"#,
            ),
        ] {
            parse(&preset(format), line, |request| {
                assert_eq!((request.client, request.status), (&b"192.0.2.7"[..], 302), "{format}");
                assert_eq!((request.path(), request.query()), (&b"/a"[..], Some(&b"b"[..])), "{format}");
                assert_eq!(request.duration_ns, Some(18 * MS), "{format}");
                assert!([STAMP_NS, STAMP_NS - 655 * MS].contains(&request.stamp_ns), "{format}");
                assert!(request.user_agent.is_none_or(|agent| agent == b"Mozilla/5.0 \"x\""), "{format}");
            });
        }
    }

    #[test]
    fn captured_headers_and_local_zones_are_used_where_they_are_known() {
        let captured = ["Host".to_owned(), "X-Other".to_owned(), "User-Agent".to_owned()];
        let format = compile_named(
            "haproxy:web",
            r#"%ci:%cp [%tr] [%Tl] %Ta %ST %hr %hs %{+Q}r"#,
            &captured,
            &Identity::Field("x-other".to_owned()).into(),
        )
        .unwrap();
        let text = r#"192.0.2.7:1 [06/Feb/2009:12:14:14.655] [06/Feb/2009:12:14:13 +0100] 5 200 {www.example.com|z|a#7Cb c} "GET / HTTP/1.1""#;
        parse(&format, text, |request| {
            assert_eq!((request.stamp_ns, request.offset_s), (STAMP_NS - 3_600_000 * MS, 3600));
            assert_eq!(request.host, Some(&b"www.example.com"[..]));
            assert_eq!((request.user_agent, request.identity), (Some(&b"a|b c"[..]), Some(&b"z"[..])));
        });
    }

    #[test]
    fn the_captured_cookie_is_an_identity() {
        let format = compile(HTTPLOG, &Identity::Cookie("SID".to_owned()).into()).unwrap();
        let text = line("0/0/0/1/1", "200", "5", "SID=abc", "1/1/1/1/0", r#""GET / HTTP/1.1""#);
        parse(&format, &text, |request| assert_eq!(request.identity, Some(&b"abc"[..])));
    }

    #[test]
    fn connections_without_http_are_told_from_broken_lines() {
        for (text, expected) in [
            (
                "192.0.2.7:1 [06/Feb/2009:12:12:51.443] fnt bck/s1 0/0/5007 212 -- 0/0/0/0/3 0/0",
                Reject::NotARequest,
            ),
            ("192.0.2.7:1 [28/Feb/2025:02:43:10.123] www/1: SSL handshake failure", Reject::NotARequest),
            ("192.0.2.7 something else", Reject::OtherFormat),
        ] {
            let found = preset(HTTPLOG).parse(text.as_bytes(), &mut Cache::default()).unwrap_err();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_a_format_is_an_error_with_a_hint() {
        for (format, expected) in [
            ("%ci [%tr] %", "found `%` without a name"),
            ("%ci%ST [%tr] %r", "touch"),
            ("%ci [%tr] %ST", "no field for the request"),
            ("[%tr] %ST %r", "no field for the client"),
            ("%ci %ST %r", "no field for a time"),
        ] {
            let message = compile(format, &Identity::Ip.into()).unwrap_err().to_string();
            assert!(message.contains(expected), "{format}: {message}");
        }
    }
}
