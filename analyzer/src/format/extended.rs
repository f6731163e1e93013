//! *Combined* and *common* with what people add to them first, told by the text of the lines: an unnamed number or
//! quoted string can mean anything, so each addition has marks that its values must show.

use super::builtin::{COMBINED, COMMON, Producer};
use super::program::Tail;
use super::{Format, Options, Reader, apache_format, nginx_format};

/// What a line says for or against an addition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// The line shows it.
    Shown,
    /// The value is missing.
    Missing,
    /// The value is another.
    Other,
}

/// Looks for the mark in a line.
pub(super) type Look = fn(&[u8]) -> Mark;

/// A format, and what its lines must show: at least one [`Mark::Shown`]; those with [`Mark::Other`] do not count.
pub(super) struct Extended {
    pub(super) format: Format,
    pub(super) mark: Look,
}

/// All of them; those of producers that `options` rule out are left out.
pub(super) fn all(options: &Options) -> Vec<Extended> {
    let timed = |shape: &str| format!("{shape} $request_time");
    let forwarded = format!("{COMBINED} \"$http_x_forwarded_for\"");
    let client_last = COMBINED.replacen("$remote_addr", "$http_x_forwarded_for", 1);
    let nginx: [(&str, String, Look); 7] = [
        // nginx prints the time with three decimals; so does Tomcat's `%T`, which is of the end of the request as well.
        ("combined+request_time", timed(COMBINED), request_time),
        ("combined+forwarded+request_time", timed(&forwarded), |line| {
            and(request_time(line), forwarded_for(line))
        }),
        ("combined+forwarded", forwarded.clone(), forwarded_for),
        ("common+request_time", timed(COMMON), request_time),
        ("forwarded+combined", client_last, |line| address_list(line.split(|byte| *byte == b'-').next())),
        ("forwarded+addr+combined", format!("\"$http_x_forwarded_for\" {COMBINED}"), |line| {
            address_list(line.strip_prefix(b"\"").and_then(|rest| rest.split(|byte| *byte == b'"').next()))
        }),
        ("host+combined", format!("$host {COMBINED}"), host_in_front),
    ];
    // The unit of a bare number is not in the text, so it is left alone.
    let counted = [("common+number", format!("{COMMON} $number"), third_number as Look)];
    let apache: [(&str, Producer, String, Look); 2] = [
        ("combinedio", Producer::Apache, format!("{APACHE_COMBINED} %I %O"), bytes_of_both_ways),
        ("combined", Producer::Varnish, APACHE_COMBINED.to_owned(), absolute_target),
    ];
    let nginx = nginx.into_iter().map(|(name, text, mark)| (Producer::Nginx, name, text, mark));
    let counted = counted.into_iter().map(|(name, text, mark)| (Producer::Apache, name, text, mark));
    let by_nginx = nginx.chain(counted).filter_map(|(assumed, name, text, mark)| {
        let by = options.producer.unwrap_or(assumed);
        // A time in seconds with three decimals is nothing that Apache can print.
        let timed = name.ends_with("request_time") && by == Producer::Apache;
        let label = format!("{}:{name}", by.name());
        let mut format = nginx_format::compile_named(&label, &text, options).ok().filter(|_| !timed)?;
        if let Reader::Text(program) = &mut format.reader {
            program.meaning.stamp = by.stamp();
            // As *combined* may, the formats that end like it may have more fields at the end.
            if text.ends_with("\"$http_user_agent\"") {
                program.tail = Tail::Anything;
            }
        }
        format.producer_unknown = options.producer.is_none() && !name.ends_with("request_time");
        Some(Extended { format, mark })
    });
    let by_others = apache.into_iter().filter_map(|(name, by, text, mark)| {
        let label = format!("{}:{name}", by.name());
        let possible = options.producer.is_none_or(|producer| producer == by);
        let format = apache_format::compile_named(&label, &text, by, options).ok().filter(|_| possible)?;
        Some(Extended { format, mark })
    });
    by_nginx.chain(by_others).collect()
}

/// *Combined* in Apache's words.
const APACHE_COMBINED: &str = r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#;

fn and(one: Mark, other: Mark) -> Mark {
    match (one, other) {
        (Mark::Other, _) | (_, Mark::Other) => Mark::Other,
        (Mark::Shown, Mark::Shown) => Mark::Shown,
        _ => Mark::Missing,
    }
}

fn shown_if(shown: bool) -> Mark {
    if shown { Mark::Shown } else { Mark::Other }
}

/// nginx prints `$request_time` with exactly three decimals. Any other number at the end of a line is something
/// else: microseconds of Apache's `%D`, a port, a length.
fn request_time(line: &[u8]) -> Mark {
    let last = line.trim_ascii_end().rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let point = last.len().saturating_sub(4);
    match last {
        b"-" => Mark::Missing,
        _ => shown_if(digits(&last[..point]) && last.get(point) == Some(&b'.') && digits(&last[point + 1..])),
    }
}

/// Status, size, and one number more.
fn third_number(line: &[u8]) -> Mark {
    let after = line.rsplit(|byte| *byte == b'"').next().unwrap_or_default().trim_ascii();
    let mut words = after.split(|byte| *byte == b' ').skip(2);
    match (words.next(), words.next()) {
        (Some(b"-"), None) => Mark::Missing,
        (Some(number), None) => shown_if(digits(number)),
        _ => Mark::Other,
    }
}

/// What follows the user agent is a chain of addresses, in quotes.
fn forwarded_for(line: &[u8]) -> Mark {
    let after = quoted(line).nth(3);
    match after {
        Some(b"-" | b"") => Mark::Missing,
        chain => shown_if(chain.is_some_and(|chain| chain.split(|byte| *byte == b',').all(is_address))),
    }
}

/// Several addresses, joined by commas; one alone says nothing.
fn address_list(text: Option<&[u8]>) -> Mark {
    match text.map(<[u8]>::trim_ascii) {
        Some(b"") => Mark::Missing,
        Some(list) if list.split(|byte| *byte == b',').all(is_address) => match list.contains(&b',') {
            true => Mark::Shown,
            false => Mark::Missing,
        },
        _ => Mark::Other,
    }
}

/// A name, and after it an address.
fn host_in_front(line: &[u8]) -> Mark {
    let mut words = line.split(|byte| *byte == b' ');
    let (host, client) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let name = host.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(byte))
        && host.iter().any(u8::is_ascii_alphabetic)
        // A port has one colon, a stamp has more.
        && memchr::memchr_iter(b':', host).count() <= 1
        && !is_address(host);
    shown_if((name || host == b"_") && is_address(client))
}

/// The request is at least as long as its first line, and the response longer than its body.
fn bytes_of_both_ways(line: &[u8]) -> Mark {
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<u64>().ok();
    let request = quoted(line).next().map_or(0, <[u8]>::len) as u64;
    let body = line.split(|byte| *byte == b'"').nth(2).unwrap_or_default().trim_ascii();
    let body = body.rsplit(|byte| *byte == b' ').next().and_then(number).unwrap_or(0);
    let mut last = line.trim_ascii_end().rsplit(|byte| *byte == b' ');
    match (last.next().and_then(number), last.next().and_then(number)) {
        (Some(written), Some(read)) => shown_if(read > request && (written > body || written == 0)),
        _ => Mark::Other,
    }
}

/// `varnishncsa` puts scheme and host in front of the path, which a client does only to ask a proxy.
fn absolute_target(line: &[u8]) -> Mark {
    let request = quoted(line).next().unwrap_or_default();
    let target = request.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    shown_if(target.starts_with(b"http://") || target.starts_with(b"https://"))
}

fn digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

fn is_address(text: &[u8]) -> bool {
    let text = std::str::from_utf8(text.trim_ascii()).unwrap_or_default();
    text == "unknown"
        || text.parse::<std::net::IpAddr>().is_ok()
        || text.parse::<std::net::SocketAddr>().is_ok()
}

/// The texts between quotes; a quote behind a backslash is inside.
fn quoted(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let start = memchr::memchr(b'"', rest)? + 1;
        let mut end = start;
        while *rest.get(end)? != b'"' {
            end += if rest[end] == b'\\' { 2 } else { 1 };
        }
        let text = &rest[start..end];
        rest = &rest[end + 1..];
        Some(text)
    })
}
