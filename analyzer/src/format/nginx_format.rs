//! The grammar of nginx `log_format`, and what its variables mean.
//!
//! Source: nginx `ngx_http_log_module.c` and `ngx_http_variables.c`. Every stamp is the moment the line is
//! written, hence the END of the request; `$request_time` runs from the first byte read to that moment.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::combinator::map;
use nom::multi::many0;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser as _};
use shared::profile::Stamp;

use super::escape::Escape;
use super::meaning::Meaning;
use super::number::Unit;
use super::program::{Extent, Field, Literal, Program, Tail};
use super::time::TimeFormat;
use super::values::Slot;
use super::{Format, Reader, nginx_conf};
use crate::error::Error;
use crate::session::identity::Identity;

/// One piece of a format string.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Variable(&'a str),
}

/// Compiles a format given verbatim: the string alone, or the whole `log_format NAME '…' '…';` directive.
///
/// # Errors
/// [`Error::LogFormat`] when it is no format, or leaves out what no profile can be made without.
pub fn compile(text: &str, identity: &Identity) -> Result<Format, Error> {
    match nginx_conf::log_format_directive(text) {
        Some((name, format)) => compile_named(&format!("nginx:{name}"), &format, identity),
        // Typed into a shell, a tab comes as a backslash and a `t`, as it stands in the configuration.
        None => compile_named("nginx:log_format", &text.replace("\\t", "\t"), identity),
    }
}

/// Compiles the format string of a directive under the name that people know it by.
///
/// # Errors
/// As [`compile`].
pub(crate) fn compile_named(label: &str, format: &str, identity: &Identity) -> Result<Format, Error> {
    let wrong = |problem: String, hint: &str| Error::LogFormat { problem, hint: hint.to_owned() };
    let (rest, pieces) =
        pieces(format).map_err(|_| wrong("cannot be read".to_owned(), "check its quotes"))?;
    if !rest.is_empty() {
        let at = format.len() - rest.len();
        return Err(wrong(
            format!("at byte {at}: found `$` without a name, expected a variable such as `$status`"),
            "write the format as it stands in the nginx configuration",
        ));
    }
    let program = program(&pieces, identity).map_err(|problem| {
        wrong(problem, "put the character that separates them in the log into the format")
    })?;
    for (missing, slots) in [
        ("a time (`$time_local`, `$time_iso8601` or `$msec`)", &[Slot::Time][..]),
        (
            "the request (`$request`, or `$request_method` and `$request_uri`)",
            &[Slot::RequestLine, Slot::Target, Slot::Path],
        ),
        ("the status (`$status`)", &[Slot::Status]),
    ] {
        if !program.fields.iter().any(|field| field.slot.is_some_and(|slot| slots.contains(&slot))) {
            return Err(wrong(format!("found no field for {missing}"), "no profile can be made without it"));
        }
    }
    let tells_clients_apart = |field: &Field| field.slot == Some(Slot::Client) || field.also_identity;
    if !program.fields.iter().any(tells_clients_apart) && program.meaning.cookie.is_none() {
        return Err(wrong(
            "found no field for the client (`$remote_addr`, `$realip_remote_addr`, `$http_x_real_ip` or `$http_x_forwarded_for`)".to_owned(),
            "without it all requests would be one client's; or name another field with --identity",
        ));
    }
    if let Identity::Field(name) | Identity::Cookie(name) = identity
        && program.meaning.cookie.is_none()
        && !program.fields.iter().any(|field| field.also_identity)
    {
        return Err(wrong(
            format!("has no field for `{identity}`"),
            &format!("add `$cookie_{name}` or `$http_{name}` to the log, or choose another --identity"),
        ));
    }
    Ok(Format::new(label, Reader::Text(program)))
}

fn pieces(format: &str) -> IResult<&str, Vec<Piece<'_>>> {
    let name = || take_while1(|c: char| c.is_ascii_alphanumeric() || c == '_');
    many0(alt((
        map(delimited(tag("${"), name(), tag("}")), Piece::Variable),
        map(preceded(tag("$"), name()), Piece::Variable),
        map(take_while1(|c: char| c != '$'), Piece::Text),
    )))
    .parse(format)
}

fn program(pieces: &[Piece<'_>], identity: &Identity) -> Result<Program, String> {
    let mut lead = String::new();
    let mut fields: Vec<Field> = Vec::new();
    let mut previous: Option<&str> = None;
    let mut variables: Vec<&str> = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => {
                match fields.last_mut() {
                    None => lead = (*text).to_owned(),
                    Some(field) => field.then = Literal::new(text.as_bytes()),
                }
                previous = None;
            }
            Piece::Variable(name) => {
                if let Some(before) = previous {
                    return Err(format!("`${before}` and `${name}` touch and cannot be told apart"));
                }
                previous = Some(name);
                variables.push(name);
                let slot = slot(name);
                let also_identity = names_identity(name, identity);
                fields.push(Field {
                    slot,
                    extent: extent(name, slot),
                    then: Literal::default(),
                    also_identity,
                });
            }
        }
    }
    let mut before = lead.as_bytes().last().copied();
    for field in &mut fields {
        if before == Some(b'"') && field.then.bytes().first() == Some(&b'"') {
            field.extent = Extent::Quoted;
        }
        before = field.then.bytes().last().copied();
    }
    let has = |slot| fields.iter().any(|field| field.slot == Some(slot));
    if !has(Slot::Client)
        && let Some(at) =
            CLIENT_FALLBACKS.iter().find_map(|name| variables.iter().position(|known| known == name))
    {
        fields[at].slot = Some(Slot::Client);
    }
    let cookie = match identity {
        Identity::Cookie(name) if fields.iter().any(|field| field.slot == Some(Slot::Cookies)) => {
            Some(name.as_bytes().into())
        }
        _ => None,
    };
    let (time, coarse_time) = stamps(&variables, &mut fields);
    let meaning = Meaning {
        time,
        coarse_time,
        stamp: Stamp::End,
        duration: Unit::Seconds,
        escape: Escape::Backslash,
        cookie,
        ..Meaning::default()
    };
    Ok(Program { lead: Literal::new(lead.as_bytes()), fields, tail: Tail::Nothing, meaning })
}

/// How the finest stamp is printed, and how the one whose offset counts is; both get their slots.
fn stamps(variables: &[&str], fields: &mut [Field]) -> (TimeFormat, TimeFormat) {
    const FINEST_FIRST: [(&str, TimeFormat); 3] = [
        ("msec", TimeFormat::EpochSeconds),
        ("time_iso8601", TimeFormat::Iso8601),
        ("time_local", TimeFormat::Clf),
    ];
    let mut formats = [TimeFormat::Clf; 2];
    let found = FINEST_FIRST
        .iter()
        .filter_map(|(name, format)| Some((variables.iter().position(|known| known == name)?, *format)));
    for ((at, format), (slot, place)) in
        found.zip([Slot::Time, Slot::CoarseTime].into_iter().zip(&mut formats))
    {
        fields[at].slot = Some(slot);
        *place = format;
    }
    (formats[0], formats[1])
}

/// Who the client is where `$remote_addr` is not logged, as behind a proxy; the best first.
const CLIENT_FALLBACKS: [&str; 3] = ["realip_remote_addr", "http_x_real_ip", "http_x_forwarded_for"];

fn slot(variable: &str) -> Option<Slot> {
    Some(match variable {
        "remote_addr" => Slot::Client,
        "remote_user" => Slot::User,
        "request" => Slot::RequestLine,
        "request_method" => Slot::Method,
        "request_uri" => Slot::Target,
        "uri" | "document_uri" => Slot::Path,
        "args" | "query_string" => Slot::Query,
        "host" | "http_host" => Slot::Host,
        "scheme" => Slot::Scheme,
        "server_protocol" => Slot::Protocol,
        "status" => Slot::Status,
        "body_bytes_sent" | "bytes_sent" => Slot::BytesOut,
        "request_length" => Slot::BytesIn,
        "request_time" => Slot::Duration,
        "http_referer" => Slot::Referer,
        "http_user_agent" => Slot::UserAgent,
        "http_cookie" => Slot::Cookies,
        "request_id" | "req_id" | "http_x_request_id" => Slot::RequestId,
        _ => return None,
    })
}

fn extent(variable: &str, slot: Option<Slot>) -> Extent {
    match slot {
        Some(Slot::Client | Slot::Status | Slot::BytesOut | Slot::BytesIn | Slot::Duration) => Extent::Token,
        _ if matches!(variable, "time_local" | "time_iso8601" | "msec") => Extent::Token,
        _ if variable.starts_with("upstream_") => Extent::List,
        _ => Extent::Text,
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
        let format = compile(format, &Identity::Ip).unwrap();
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
    fn what_cannot_be_a_format_is_an_error_with_a_hint() {
        for (format, expected) in [
            ("$", "found `$` without a name"),
            ("$remote_addr$status [$time_local] $request", "touch"),
            ("$remote_addr [$time_local] $status", "no field for the request"),
            (r#"$remote_addr [$time_local] "$request_method" $status"#, "no field for the request"),
            (r#"[$time_local] "$request" $status"#, "no field for the client"),
            ("", "no field for a time"),
        ] {
            let message = compile(format, &Identity::Ip).unwrap_err().to_string();
            assert!(message.contains(expected), "{format}: {message}");
        }
    }

    #[test]
    fn a_whole_directive_may_be_pasted() {
        let directive = r#"log_format timed escape=default '$remote_addr [$time_local] '
            '"$request" $status';"#;
        assert_eq!(compile(directive, &Identity::Ip).unwrap().label, "nginx:timed");
    }
}
