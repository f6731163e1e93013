//! The grammar of nginx `log_format`, and what its variables mean.
//!
//! Source: nginx `ngx_http_log_module.c`, `ngx_http_variables.c` and `ngx_http_upstream.c`. Every stamp is the moment
//! the line is written, hence the END of the request; `$request_time` runs from the first byte read to that moment.
//! A variable without a value is printed as `-`, or as nothing with `escape=json` and `escape=none`.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::combinator::map;
use nom::multi::many0;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser as _};
use shared::profile::Stamp;

use super::assemble::{self, Item, Piece, Quotes, Words};
use super::escape::Escape;
use super::meaning::Meaning;
use super::number::Unit;
use super::program::Extent;
use super::time::TimeFormat;
use super::values::Slot;
use super::{Format, Options, Reader, map as rules, nginx_conf};
use crate::error::Error;
use crate::session::identity::Identity;

/// A `log_format` directive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFormat {
    /// Its name.
    pub name: String,
    /// The format, its strings joined.
    pub format: String,
    pub(crate) escape: Escape,
}

/// The escaping that `escape=NAME` asks for.
pub(crate) fn escape(name: &str) -> Option<Escape> {
    match name {
        "default" => Some(Escape::Backslash),
        "json" => Some(Escape::Json),
        "none" => Some(Escape::None),
        _ => None,
    }
}

const WORDS: Words = Words {
    time: "`$time_local`, `$time_iso8601` or `$msec`",
    request: "`$request`, or `$request_method` and `$request_uri`",
    status: "`$status`",
    client: "`$remote_addr`, `$http_x_real_ip` or `$http_x_forwarded_for`",
    identity: |name| format!("`$cookie_{name}` or `$http_{name}`"),
};

/// The text has variables in it.
pub(crate) fn recognise(text: &str) -> bool {
    let name = |rest: &str| rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '{');
    text.split('$').skip(1).any(name) || nginx_conf::log_format_directive(text).is_some()
}

/// Compiles a format given verbatim: the string alone, bare or in single quotes, with `escape=json` or the like in front
/// where the directive has it, or the whole `log_format NAME '…' '…';` directive.
///
/// # Errors
/// [`Error::LogFormat`] when it is no format, or leaves out what no profile can be made without.
pub fn compile(text: &str, options: &Options) -> Result<Format, Error> {
    let quoted = text.strip_prefix("escape=").and_then(|rest| rest.split_once(' '));
    let quoted = quoted.map_or(text, |(_, rest)| rest).trim();
    let whole = match quoted.starts_with('\'') && quoted.trim_end_matches(';').ends_with('\'') {
        true => nginx_conf::log_format_directive(&format!("log_format log_format {text}")),
        false => nginx_conf::log_format_directive(text),
    };
    match whole {
        Some(directive) => compile_directive(&directive, options),
        None => {
            let given = text.strip_prefix("escape=").and_then(|rest| rest.split_once(' '));
            let given = given.and_then(|(name, rest)| Some((escape(name)?, rest.trim_start())));
            let (escape, text) = given.unwrap_or((Escape::Backslash, text));
            // Typed into a shell, a tab comes as a backslash and a `t`, as it stands in the configuration.
            compile_escaped("nginx:log_format", &text.replace("\\t", "\t"), escape, options)
        }
    }
}

/// Compiles a directive under its own name.
///
/// # Errors
/// As [`compile`].
pub(crate) fn compile_directive(directive: &LogFormat, options: &Options) -> Result<Format, Error> {
    let label = format!("nginx:{}", directive.name);
    compile_escaped(&label, &directive.format, directive.escape, options)
}

/// Compiles a format string with the usual escapes under the name that people know it by.
///
/// # Errors
/// As [`compile`].
pub(crate) fn compile_named(label: &str, format: &str, options: &Options) -> Result<Format, Error> {
    compile_escaped(label, format, Escape::Backslash, options)
}

fn compile_escaped(label: &str, format: &str, escape: Escape, options: &Options) -> Result<Format, Error> {
    let identity = &options.identity;
    let wrong = |problem: String, hint: &str| Error::LogFormat { problem, hint: hint.to_owned() };
    let (rest, tokens) =
        tokens(format).map_err(|_| wrong("cannot be read".to_owned(), "check its quotes"))?;
    if !rest.is_empty() {
        let at = format.len() - rest.len();
        return Err(wrong(
            format!("at byte {at}: found `$` without a name, expected a variable such as `$status`"),
            "write the format as it stands in the nginx configuration",
        ));
    }
    // Only with the usual escapes is a missing query printed, and only here does nothing else set it apart.
    let joins_query = tokens
        .windows(2)
        .any(|pair| matches!(pair, [Token::Variable("is_args"), Token::Variable("args" | "query_string")]));
    let mut pieces: Vec<Piece> = joined(&tokens).iter().map(|token| piece(token, identity)).collect();
    let (time, coarse_time) = stamps(&mut pieces);
    let logs_cookies = tokens.contains(&Token::Variable("http_cookie"));
    let cookie = match identity {
        Identity::Cookie(name) if logs_cookies => Some(name.as_bytes().into()),
        _ => None,
    };
    let mut meaning = Meaning {
        time,
        coarse_time,
        stamp: Stamp::End,
        duration: Unit::Seconds,
        escape,
        dash_for_query: joins_query && escape == Escape::Backslash,
        cookie,
        ..Meaning::default()
    };
    rules::claim(&options.map, label, &mut pieces, &mut meaning)?;
    let quotes = if escape == Escape::None { Quotes::Raw } else { Quotes::Escaped };
    let program = assemble::program(pieces, quotes, meaning).map_err(|problem| {
        wrong(problem, "put the character that separates them in the log into the format")
    })?;
    assemble::check(&program, &WORDS, identity)?;
    Ok(Format::new(label, Reader::Text(program)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Text(&'a str),
    Variable(&'a str),
}

fn tokens(format: &str) -> IResult<&str, Vec<Token<'_>>> {
    let name = || take_while1(|c: char| c.is_ascii_alphanumeric() || c == '_');
    many0(alt((
        map(delimited(tag("${"), name(), tag("}")), Token::Variable),
        map(preceded(tag("$"), name()), Token::Variable),
        map(take_while1(|c: char| c != '$'), Token::Text),
    )))
    .parse(format)
}

/// Variables that are one text together become one: they could not be told apart, and need not be.
fn joined<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    use Token::{Text, Variable};
    let mut joined = Vec::new();
    let mut rest = tokens;
    while let [first, after @ ..] = rest {
        let (next, token) = match rest {
            [
                Variable("uri" | "document_uri"),
                Variable("is_args"),
                Variable("args" | "query_string"),
                after @ ..,
            ] => (after, Variable("request_uri")),
            [
                Variable("request_method"),
                Text(" "),
                Variable("request_uri"),
                Text(" "),
                Variable("server_protocol"),
                Text(quote),
                ..,
            ] if quote.starts_with('"') => (&rest[5..], Variable("request")),
            _ => (after, *first),
        };
        joined.push(token);
        rest = next;
    }
    joined
}

fn piece(token: &Token<'_>, identity: &Identity) -> Piece {
    match token {
        Token::Text(text) => Piece::Text(text.as_bytes().to_vec()),
        Token::Variable(name) => {
            // A variable that nobody knows here, of a `map`, a `set` or a module, is text of unknown meaning.
            let claim = claim(name);
            Piece::Item(Item {
                name: format!("${name}"),
                claim,
                extent: extent(name, claim.map(|(slot, _)| slot)),
                is_identity: names_identity(name, identity),
            })
        }
    }
}

/// How the finest stamp is printed, and how the one whose offset counts is; both get their slots.
fn stamps(pieces: &mut [Piece]) -> (TimeFormat, TimeFormat) {
    let finest_first = [
        ("$msec", TimeFormat::EpochSeconds),
        ("$time_iso8601", TimeFormat::Iso8601),
        ("$time_local", TimeFormat::Clf),
    ];
    let mut slots = [Slot::Time, Slot::CoarseTime].into_iter();
    let mut formats = Vec::new();
    for (name, format) in finest_first {
        let item = pieces.iter_mut().find_map(|piece| match piece {
            Piece::Item(item) if item.name == name => Some(item),
            _ => None,
        });
        if let Some(item) = item
            && let Some(slot) = slots.next()
        {
            item.claim = Some((slot, 0));
            formats.push(format);
        }
    }
    let mut formats = formats.into_iter();
    (formats.next().unwrap_or(TimeFormat::Clf), formats.next().unwrap_or(TimeFormat::Clf))
}

/// The slot that a variable fills, and how well.
fn claim(variable: &str) -> Option<(Slot, u8)> {
    Some(match variable {
        // Of ingress-nginx until 0.26: the client, whatever is in front.
        "the_real_ip" => (Slot::Client, 0),
        "remote_addr" => (Slot::Client, 1),
        "http_x_real_ip" => (Slot::Client, 2),
        "http_cf_connecting_ip" | "http_true_client_ip" => (Slot::Client, 3),
        "proxy_protocol_addr" => (Slot::Client, 4),
        // The proxy in front, where the module that puts the client in its place is at work.
        "realip_remote_addr" => (Slot::Client, 5),
        "http_x_forwarded_for" => (Slot::ForwardedFor, 0),
        // What nginx hands on: the chain with the address it was connected from at its end.
        "proxy_add_x_forwarded_for" => (Slot::ForwardedFor, 1),
        "remote_user" => (Slot::User, 0),
        "request" => (Slot::RequestLine, 0),
        "request_method" => (Slot::Method, 0),
        "request_uri" => (Slot::Target, 0),
        "uri" | "document_uri" => (Slot::Path, 0),
        "args" | "query_string" => (Slot::Query, 0),
        "http_host" => (Slot::Host, 0),
        "host" => (Slot::Host, 1),
        "server_name" => (Slot::Host, 2),
        "scheme" => (Slot::Scheme, 0),
        "server_protocol" => (Slot::Protocol, 0),
        "status" => (Slot::Status, 0),
        "body_bytes_sent" => (Slot::BytesOut, 0),
        "bytes_sent" => (Slot::BytesOut, 1),
        "request_length" => (Slot::BytesIn, 0),
        "request_time" => (Slot::Duration, 0),
        "http_referer" => (Slot::Referer, 0),
        "http_user_agent" => (Slot::UserAgent, 0),
        "http_cookie" => (Slot::Cookies, 0),
        // The user's own key, of `ngx_http_userid_module`; the second where this answer sets it.
        "uid_got" => (Slot::Session, 0),
        "uid_set" => (Slot::Session, 1),
        // The second is what ingress-nginx sets.
        "request_id" | "req_id" => (Slot::RequestId, 0),
        "http_x_request_id" => (Slot::RequestId, 1),
        _ => return None,
    })
}

fn extent(variable: &str, slot: Option<Slot>) -> Extent {
    match variable {
        "remote_addr" | "realip_remote_addr" | "proxy_protocol_addr" | "server_addr" => Extent::Token,
        "time_local" | "time_iso8601" | "msec" => Extent::Token,
        "remote_port"
        | "server_port"
        | "request_port"
        | "realip_remote_port"
        | "proxy_protocol_port"
        | "connection"
        | "connection_requests"
        | "connection_time"
        | "pid" => Extent::Number,
        "http_x_forwarded_for" | "proxy_add_x_forwarded_for" => Extent::List,
        _ if variable.starts_with("upstream_") => Extent::List,
        _ => match slot {
            Some(Slot::Status | Slot::BytesOut | Slot::BytesIn | Slot::Duration) => Extent::Token,
            _ => Extent::Text,
        },
    }
}

fn names_identity(variable: &str, identity: &Identity) -> bool {
    match identity {
        Identity::Cookie(name) => variable.strip_prefix("cookie_") == Some(name.as_str()),
        Identity::Field(name) => {
            let name = name.trim_start_matches('$');
            variable == name
                || variable.strip_prefix("http_")
                    == Some(name.to_ascii_lowercase().replace('-', "_").as_str())
        }
        Identity::Ip | Identity::IpAndUserAgent => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Cache;

    #[track_caller]
    fn parse(format: &str, line: &str, check: impl Fn(crate::request::Request<'_>)) {
        let format = compile(format, &Identity::Ip.into()).unwrap();
        check(format.parse(line.as_bytes(), &mut Cache::default()).unwrap());
    }

    #[test]
    fn blanks_that_were_lined_up_by_hand_still_match() {
        let format =
            r#"$remote_addr  $remote_user $http_x_real_ip [$time_local] "$request" $status $request_time"#;
        parse(
            format,
            r#"10.0.0.1 -  - [29/Jun/2017:03:50:22 +0300] "GET /a HTTP/1.1" 200 0.390"#,
            |request| {
                assert_eq!(request.client, b"10.0.0.1");
                assert_eq!(request.duration_ns, Some(390_000_000));
            },
        );
    }

    #[test]
    fn upstream_lists_hold_spaces() {
        let format = r#"$remote_addr $time_iso8601 "$request" $status $upstream_addr $upstream_response_time $body_bytes_sent"#;
        let line = r#"::9 2022-08-24T18:05:41+00:00 "GET / HTTP/2.0" 502 [::7]:5000, [::8]:5000 : 10.0.0.1:80 1.000, 2.000 : - 552"#;
        parse(format, line, |request| assert_eq!(request.bytes_out, Some(552)));
    }

    #[test]
    fn the_finest_stamp_counts_and_braces_are_optional() {
        let format = r#"$http_x_real_ip [$time_local] ${msec} "$request_method $request_uri" $status"#;
        parse(
            format,
            r#"10.0.0.1 [02/Nov/2026:00:00:01 +0100] 1793574001.250 "GET /a?b=c" 200"#,
            |request| {
                assert_eq!(request.stamp_ns % SECOND, 250_000_000);
                assert_eq!(request.offset_s, 3600);
                assert_eq!(request.client, b"10.0.0.1");
                assert_eq!((request.path(), request.query()), (&b"/a"[..], Some(&b"b=c"[..])));
            },
        );
        const SECOND: i64 = 1_000_000_000;
    }

    #[test]
    fn values_are_found_whatever_is_in_them() {
        let json = r#"log_format j escape=json '{"c":"$remote_addr","t":"$msec","r":"$request","s":$status,"rt":$request_time,"up":$upstream_response_time,"b":$body_bytes_sent,"a":"$http_user_agent"}';"#;
        let raw =
            r#"log_format n escape=none '$remote_addr [$time_local] "$request" $status "$http_user_agent"';"#;
        let stamp = "[02/Nov/2026:10:05:03 +0100]";
        for (format, line, expected) in [
            (
                json,
                r#"{"c":"192.0.2.1","t":"1793610303.250","r":"GET /\"é\u0001\\ HTTP/1.1","s":200,"rt":0.250,"up":,"b":5,"a":""}"#,
                "192.0.2.1 /\"é\u{1}\\ - 200 5 0.25",
            ),
            (
                json,
                r#"{"c":"192.0.2.1","t":"1793610303.250","r":"GET / HTTP/1.1","s":000,"rt":1.000,"up":1.000, 2.000 : -,"b":0,"a":"\"a\",\"b\""}"#,
                r#"192.0.2.1 / "a","b" 0 0 1"#,
            ),
            (
                raw,
                &format!(r#"192.0.2.1 {stamp} "GET /"q" HTTP/1.1" 009 "say "hi"""#),
                r#"192.0.2.1 /"q" say "hi" 9 - -"#,
            ),
            (
                "$remote_addr:$remote_port $time_iso8601 $status $uri$is_args$args",
                "2001:db8::1:4711 2026-11-02T10:05:03+01:00 200 /a?b-",
                "2001:db8::1 /a?b- - 200 - -",
            ),
            (
                "$remote_addr:$remote_port $time_iso8601 $status $uri$is_args$args",
                "192.0.2.1:4711 2026-11-02T10:05:03+01:00 200 /a--",
                "192.0.2.1 /a- - 200 - -",
            ),
            (
                "$remote_addr,$upstream_addr,$status,$msec,$scheme://$host:$server_port$request_uri",
                "192.0.2.1,10.0.0.1:80, unix:/run/a : 10.0.0.2:80,502,1793610303.250,https://www.example.com:443/a:b",
                "192.0.2.1 /a:b - 502 - -",
            ),
            (
                r#"$remote_addr $msec $http_x_forwarded_for $status "$request""#,
                r#"10.0.0.1 1793610303.250 192.0.2.7, 203.0.113.9, 10.0.0.2 200 "GET / HTTP/1.1""#,
                "203.0.113.9 / - 200 - -",
            ),
        ] {
            parse(format, line, |request| {
                let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
                let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
                let found = format!(
                    "{} {} {} {} {} {}",
                    text(request.client),
                    text(request.target),
                    or_dash(request.user_agent.map(text)),
                    request.status,
                    or_dash(request.bytes_out.map(|bytes| bytes.to_string())),
                    or_dash(request.duration_ns.map(|ns| (ns as f64 / 1e9).to_string())),
                );
                assert_eq!(found, expected, "{format}");
            });
        }
    }

    #[test]
    fn what_cannot_be_a_format_is_an_error_with_a_hint() {
        for (format, expected) in [
            ("$", "found `$` without a name"),
            ("$remote_addr$status [$time_local] $request", "touch"),
            ("$remote_addr [$time_local] $status", "no field for the request"),
            (r#"$remote_addr [$time_local] "$request_method" $status"#, "no field for the request"),
            (r#"[$time_local] "$request" $status"#, "no field for the client"),
            ("", "no field for a time"),
        ] {
            let message = compile(format, &Identity::Ip.into()).unwrap_err().to_string();
            assert!(message.contains(expected), "{format}: {message}");
        }
    }

    #[test]
    fn a_whole_directive_may_be_pasted() {
        let directive = r#"log_format timed escape=default '$remote_addr [$time_local] '
            '"$request" $status';"#;
        assert_eq!(compile(directive, &Identity::Ip.into()).unwrap().label, "nginx:timed");
        let format = r#"escape=json {"c":"$remote_addr","t":"$msec","r":"$request","s":$status}"#;
        parse(
            format,
            r#"{"c":"192.0.2.1","t":"1793610303.250","r":"GET /\u0001 HTTP/1.1","s":200}"#,
            |request| {
                assert_eq!(request.target, b"/\x01");
            },
        );
        for text in [
            "escape=json '{\"c\":\"$remote_addr\",\"t\":\"$msec\",'\n  '\"r\":\"$request\",\"s\":$status}';",
            "'$remote_addr [$time_local] \"$request\" $status'",
        ] {
            let format = compile(text, &Identity::Ip.into()).unwrap();
            assert_eq!(format.label, "nginx:log_format", "{text}");
        }
        let quoted =
            "escape=json '{\"c\":\"$remote_addr\",\"t\":\"$msec\",' '\"r\":\"$request\",\"s\":$status}'";
        let line = r#"{"c":"192.0.2.1","t":"1793610303.250","r":"GET /a HTTP/1.1","s":200}"#;
        parse(quoted, line, |request| assert_eq!(request.target, b"/a"));
    }
}
