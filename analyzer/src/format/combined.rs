//! Lines in *combined* as servers nearly always write them, read from quote to quote.
//!
//! Most logs are in this format, and a compiled program costs twice as much as code that knows it. Whatever is
//! unusual in any way, be it an escape, a user with a blank in the name or a missing field, is left to the program.
//! For all lines that are read here, both give the same.

use shared::profile::Stamp;

use super::meaning::{RequestLine, request_line};
use super::near::near;
use super::number;
use super::program::Tail;
use super::time::TimeCache;
use crate::request::Request;

/// The request of `line`, when there is nothing unusual in it. Its first six quotes and backslashes are at `marks`.
#[inline]
pub(super) fn parse<'a>(
    line: &'a [u8],
    marks: [usize; 6],
    stamp: Stamp,
    tail: Tail,
    time: &mut TimeCache,
) -> Option<Request<'a>> {
    let [asked_from, asked_to, referer_from, referer_to, agent_from, agent_to] = marks;
    let (front, [b'[', text @ .., b']', b' ', b'"']) = line.get(..=asked_from)?.split_last_chunk::<30>()?
    else {
        return None;
    };
    let client_bytes = near(b' ', front)?;
    let client = &front[..client_bytes];
    let between = &front[client_bytes..];
    let user = match between {
        _ if between == b" - - " => None,
        [b' ', b'-', b' ', user @ .., b' '] if memchr::memchr(b' ', user).is_none() => present(user),
        _ => return None,
    };
    let instant = time.clf(text).filter(|instant| instant.utc_ns >= 0)?;
    let (&[quote, before, a, b, c, behind], size) = line.get(asked_to..=referer_from)?.split_first_chunk()?;
    ([quote, before, behind] == *b"\"  ").then_some(())?;
    let status = number::three_digits([a, b, c])?;
    let (size, end) = size.split_last_chunk()?;
    (end == b" \"").then_some(())?;
    let bytes_out_is_dash = size == b"-";
    let bytes_out = if bytes_out_is_dash { 0 } else { number::unsigned(size)? };
    (line.get(referer_to..=agent_from)? == b"\" \"").then_some(())?;
    let ends = match line.get(agent_to..)? {
        [b'"'] => true,
        [b'"', b' ', ..] => tail == Tail::Anything,
        _ => false,
    };
    // An absolute target names its host.
    let RequestLine { method, target, protocol } = request_line(&line[asked_from + 1..asked_to]);
    (ends && !target.starts_with(b"http")).then_some(())?;
    Some(Request {
        stamp_ns: instant.utc_ns,
        offset_s: instant.offset_s.unwrap_or(0),
        zone_printed: true,
        stamp,
        resolution_ns: instant.resolution_ns,
        method,
        target,
        protocol,
        status,
        bytes_out: Some(bytes_out),
        bytes_out_is_dash,
        client,
        user,
        referer: present(&line[referer_from + 1..referer_to]),
        user_agent: present(&line[agent_from + 1..agent_to]),
        ..Request::default()
    })
}

#[inline]
fn present(value: &[u8]) -> Option<&[u8]> {
    Some(value).filter(|value| !matches!(value, [] | [b'-']))
}

#[cfg(test)]
mod tests {
    use crate::format::builtin::Builtin;
    use crate::format::{Cache, Reader};
    use crate::session::identity::Identity;

    const LINES: [&str; 6] = [
        r#"192.0.2.1 - - [10/Oct/2026:13:55:36 -0700] "GET /a?b=c HTTP/1.1" 200 2326 "https://example.com/" "Mozilla/5.0 (X11)""#,
        r#"2001:db8::1 - frank [10/Oct/2026:13:55:37 +0000] "POST / HTTP/2.0" 304 - "-" "-" 0.012 extra"#,
        r#"proxy.example - - [10/Oct/2026:13:55:36 +0530] "GET http://example.com/x HTTP/1.0" 404 0 "" "curl/8""#,
        r#"192.0.2.1 - fr ank [10/Oct/2026:13:55:36 -0700] "\x16\x03" 400 166 "-" "a \"b\" c""#,
        r#"192.0.2.1 - - [10/Oct/2026:13:55:36 -0700] "-" 408 0 "-" "-""#,
        r#"192.0.2.1 - - [10/Oct/2026:13:55:36 -0700] "GET /a b HTTP/1.1" 499 0 "-" "Mozilla/5.0 (cut"#,
    ];

    /// The line is read here as by the program; whether it was read here at all.
    #[track_caller]
    fn check(line: &[u8]) -> bool {
        let format = Builtin::Combined.format(None, &Identity::IpAndUserAgent);
        let Reader::Combined(program) = &format.reader else { panic!("combined has a reader of its own") };
        let mut times = Cache::default();
        let found = times.marks.of(line).first().and_then(|marks| {
            super::parse(line, marks, program.meaning.stamp, program.tail, &mut times.time)
        });
        let mut cache = Cache::default();
        if let Some(found) = &found {
            let expected = program.parse(line, None, &mut cache);
            let line = String::from_utf8_lossy(line);
            assert_eq!(format!("{found:?}"), expected.map_or(String::new(), |r| format!("{r:?}")), "{line}");
        }
        found.is_some()
    }

    #[test]
    fn usual_lines_are_read_here_and_others_are_not() {
        assert_eq!(LINES.map(|line| check(line.as_bytes())), [true, true, false, false, true, false]);
    }

    /// Every line with any one byte changed, left out or doubled.
    #[test]
    fn a_line_is_never_read_in_another_way_than_by_the_program() {
        let mut read = 0;
        for line in LINES.map(str::as_bytes) {
            for at in 0..line.len() {
                for new in *b"\" \\-[]09aH\xc3" {
                    let mut changed = line.to_vec();
                    changed[at] = new;
                    read += u32::from(check(&changed));
                    changed.insert(at, line[at]);
                    read += u32::from(check(&changed));
                }
                read += u32::from(check(&[&line[..at], &line[at + 1..]].concat()));
                read += u32::from(check(&line[..at]));
            }
        }
        assert!(read > 2_500, "{read}");
    }
}
