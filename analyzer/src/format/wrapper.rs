//! What container runtimes and log shippers put around a line: peeled off before the line is read.
//!
//! Sources: Docker `json-file` driver; Kubernetes CRI log format; RFC 3164, RFC 5424 and RFC 6587 (octet counting);
//! rsyslog's file formats; `journalctl -o json`; GELF 1.1; `kubectl logs --prefix`; `docker compose logs`; Fluentd
//! `out_file`; `logcli -o jsonl`; Google Cloud `LogEntry`; Splunk HEC; `aws logs tail`. The stamps that wrappers print are when the line was shipped, so they are not used.

use crate::reject::Reject;

/// What is around a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapper {
    /// `{"log":"…\n","stream":"stdout","time":"…"}`.
    Docker,
    /// A JSON object that holds the line under one key, as text or as an object of its own.
    Json(Envelope),
    /// `2026-11-02T00:00:00.1Z stdout F …`.
    Cri,
    /// `<134>Feb  6 12:14:14 host nginx[7]: …`, with or without the priority, also with an ISO stamp.
    Syslog,
    /// `<134>1 2026-11-02T00:00:00Z host nginx 7 - - …`.
    Syslog5424,
    /// `[pod/web-1/nginx] …`.
    Kubectl,
    /// `web-1  | …`.
    Compose,
    /// `2026-11-02T00:00:00Z<tab>tag<tab>{…}`.
    Fluentd,
    /// `2026-11-02T00:00:00.1Z …`, as `docker logs -t` and `kubectl logs --timestamps` print.
    Stamped,
    /// `2026-11-02T00:00:00.1Z name …`: a host without a program, or the stream that `aws logs tail` prints.
    Named,
    /// `host nginx: …`: what is left of syslog in the messages of others.
    Tagged,
}

/// Which key of a JSON object holds the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Envelope {
    /// `log`: Fluent Bit and Fluentd.
    Log,
    /// `MESSAGE`: journald.
    Journald,
    /// `full_message`: GELF.
    GelfFull,
    /// `short_message`: GELF.
    GelfShort,
    /// `message`: Filebeat, Vector, Logstash and many more.
    Message,
    /// `line`: Loki.
    Line,
    /// `textPayload`: Google Cloud Logging.
    TextPayload,
    /// `jsonPayload`: the same, where the line is JSON.
    JsonPayload,
    /// `event`: Splunk.
    Event,
}

impl Envelope {
    fn key(self) -> &'static [u8] {
        match self {
            Self::Log => b"log",
            Self::Journald => b"MESSAGE",
            Self::GelfFull => b"full_message",
            Self::GelfShort => b"short_message",
            Self::Message => b"message",
            Self::Line => b"line",
            Self::TextPayload => b"textPayload",
            Self::JsonPayload => b"jsonPayload",
            Self::Event => b"event",
        }
    }
}

impl Wrapper {
    /// All of them, the more specific first.
    pub(crate) const ALL: [Self; 19] = [
        Self::Docker,
        Self::Cri,
        Self::Syslog5424,
        Self::Syslog,
        Self::Kubectl,
        Self::Fluentd,
        Self::Compose,
        Self::Json(Envelope::Log),
        Self::Json(Envelope::Journald),
        Self::Json(Envelope::GelfFull),
        Self::Json(Envelope::GelfShort),
        Self::Json(Envelope::Message),
        Self::Json(Envelope::Line),
        Self::Json(Envelope::TextPayload),
        Self::Json(Envelope::JsonPayload),
        Self::Json(Envelope::Event),
        Self::Stamped,
        Self::Named,
        Self::Tagged,
    ];

    /// The name used in labels.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Json(Envelope::Log) => "fluentbit",
            Self::Json(Envelope::Journald) => "journald",
            Self::Json(Envelope::GelfFull | Envelope::GelfShort) => "gelf",
            Self::Json(Envelope::Message) => "json",
            Self::Json(Envelope::Line) => "loki",
            Self::Json(Envelope::TextPayload | Envelope::JsonPayload) => "gcp",
            Self::Json(Envelope::Event) => "splunk",
            Self::Cri => "cri",
            Self::Syslog | Self::Syslog5424 => "syslog",
            Self::Kubectl => "kubectl",
            Self::Compose => "compose",
            Self::Fluentd => "fluentd",
            Self::Stamped => "stamped",
            Self::Named => "named",
            Self::Tagged => "tagged",
        }
    }

    /// The line may be written with escapes that are not its producer's.
    pub(crate) fn escapes(self) -> bool {
        matches!(self, Self::Docker | Self::Json(_))
    }

    /// What is inside: a part of `line`, or in `scratch` where it had to be decoded.
    ///
    /// # Errors
    /// [`Reject::OtherFormat`] when `line` does not wear the wrapper, [`Reject::Partial`] when it holds a piece of a
    /// line, [`Reject::Truncated`] when it ends inside.
    pub(crate) fn peel<'a>(self, line: &'a [u8], scratch: &'a mut Vec<u8>) -> Result<&'a [u8], Reject> {
        match self {
            Self::Docker => {
                let text = line.strip_prefix(b"{\"log\":\"").ok_or(Reject::OtherFormat)?;
                // Docker cuts lines at 16 KiB; only the last piece ends in a newline.
                let (inner, after) = string(text, scratch).ok_or(Reject::Truncated)?;
                let (inner, whole) = match inner.strip_suffix(b"\n") {
                    Some(inner) => (inner.strip_suffix(b"\r").unwrap_or(inner), true),
                    None => (inner, false),
                };
                match after.starts_with(b",\"stream\":\"") {
                    true if whole => Ok(inner),
                    true => Err(Reject::Partial),
                    false => Err(Reject::OtherFormat),
                }
            }
            Self::Json(envelope) => {
                let value = member(line, envelope.key()).ok_or(Reject::OtherFormat)?;
                let inner = match value {
                    [b'"', text @ ..] => string(text, scratch).ok_or(Reject::Truncated)?.0,
                    [b'[', numbers @ ..] => byte_array(numbers, scratch).ok_or(Reject::OtherFormat)?,
                    // The line was JSON, and somebody has parsed it already.
                    [b'{', ..] => &value[..value.len() - skip(value).ok_or(Reject::Truncated)?.len()],
                    _ => return Err(Reject::OtherFormat),
                };
                Ok(inner.trim_ascii_end())
            }
            other => other.peel_text(line),
        }
    }

    /// What is inside a wrapper that changes nothing of the line.
    fn peel_text(self, line: &[u8]) -> Result<&[u8], Reject> {
        let inner = match self {
            Self::Cri => return cri(line),
            Self::Syslog => syslog(line),
            Self::Syslog5424 => syslog_5424(line),
            Self::Kubectl => line
                .strip_prefix(b"[pod/")
                .and_then(|text| Some(&text[memchr::memchr(b']', text)? + 1..]))
                .and_then(|text| text.strip_prefix(b" ")),
            Self::Compose => compose(line),
            Self::Fluentd => fluentd(line),
            Self::Stamped => iso_stamp(line),
            Self::Named => stamp(priority(line).unwrap_or(line))
                .and_then(|text| Some(&text[memchr::memchr(b' ', text)? + 1..])),
            Self::Tagged => tag(line, 2),
            Self::Docker | Self::Json(_) => None,
        };
        inner.ok_or(Reject::OtherFormat)
    }
}

/// The text of a JSON string whose opening quote is cut off, and what follows its closing quote. The text is a part
/// of `text` where nothing in it is escaped.
fn string<'a>(text: &'a [u8], scratch: &'a mut Vec<u8>) -> Option<(&'a [u8], &'a [u8])> {
    let first = memchr::memchr2(b'"', b'\\', text)?;
    if text[first] == b'"' {
        return Some((&text[..first], &text[first + 1..]));
    }
    scratch.clear();
    scratch.extend_from_slice(&text[..first]);
    let mut rest = &text[first..];
    loop {
        match rest {
            [b'"', after @ ..] => return Some((scratch, after)),
            [b'\\', b'u', escape @ ..] => rest = unicode(escape, scratch)?,
            [b'\\', escape, after @ ..] => {
                scratch.push(match escape {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'b' => 0x08,
                    b'f' => 0x0c,
                    other => *other,
                });
                rest = after;
            }
            _ => return None,
        }
        let end = memchr::memchr2(b'"', b'\\', rest)?;
        scratch.extend_from_slice(&rest[..end]);
        rest = &rest[end..];
    }
}

/// Decodes the hexadecimal digits after `\u`, with the second half of a pair; gives what follows.
fn unicode<'a>(text: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    let unit = |text: &[u8]| {
        let digits = text.get(..4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let high = unit(text)?;
    let mut rest = &text[4..];
    let mut code = high;
    if (0xd800..0xdc00).contains(&high)
        && let Some(low) =
            rest.strip_prefix(b"\\u").and_then(unit).filter(|low| (0xdc00..0xe000).contains(low))
    {
        code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        rest = &rest[6..];
    }
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(rest)
}

/// Numbers up to `]`, each a byte: how journald prints text that is no UTF-8.
fn byte_array<'a>(text: &[u8], scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let end = memchr::memchr(b']', text)?;
    scratch.clear();
    for number in text[..end].split(|byte| *byte == b',') {
        scratch.push(std::str::from_utf8(number.trim_ascii()).ok()?.parse().ok()?);
    }
    Some(scratch)
}

/// The value of the member `key` of the JSON object that `line` is, with everything after it.
fn member<'a>(line: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let mut rest = line.trim_ascii_start().strip_prefix(b"{")?;
    loop {
        let text = rest.trim_ascii_start().strip_prefix(b"\"")?;
        let end = string_end(text)?;
        let value = text[end + 1..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        if text[..end] == *key {
            return Some(value);
        }
        rest = skip(value)?.trim_ascii_start().strip_prefix(b",")?;
    }
}

/// Where the string whose opening quote is cut off ends.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', text.get(from..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        from = at + 2;
    }
}

/// What follows the JSON value that `text` begins with.
fn skip(text: &[u8]) -> Option<&[u8]> {
    let mut depth = 0_usize;
    let mut rest = text;
    loop {
        match rest.first()? {
            b'"' => {
                let inside = &rest[1..];
                rest = &inside[string_end(inside)? + 1..];
            }
            b'{' | b'[' => {
                depth += 1;
                rest = &rest[1..];
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                rest = &rest[1..];
            }
            _ => {
                let inert = |byte: &u8| !matches!(byte, b'"' | b'{' | b'[' | b'}' | b']' | b',');
                let run = rest.iter().take_while(|byte| inert(byte)).count();
                // At depth 0 a comma or a bracket ends the value.
                rest = &rest[if run == 0 { 1 } else { run }..];
            }
        }
        if depth == 0 && rest.first().is_none_or(|byte| matches!(byte, b',' | b'}' | b']')) {
            return Some(rest);
        }
    }
}

fn cri(line: &[u8]) -> Result<&[u8], Reject> {
    let rest = iso_stamp(line).ok_or(Reject::OtherFormat)?;
    let rest =
        rest.strip_prefix(b"stdout ").or_else(|| rest.strip_prefix(b"stderr ")).ok_or(Reject::OtherFormat)?;
    // Tags are joined by colons; the first says whether the line ends here.
    let end = memchr::memchr(b' ', rest).ok_or(Reject::Truncated)?;
    match rest[..end].split(|byte| *byte == b':').next() {
        Some(b"F") => Ok(&rest[end + 1..]),
        Some(b"P") => Err(Reject::Partial),
        _ => Err(Reject::OtherFormat),
    }
}

/// What follows an ISO 8601 stamp and a blank.
fn iso_stamp(line: &[u8]) -> Option<&[u8]> {
    let head = line.first_chunk::<20>()?;
    let digits = [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18];
    if [head[4], head[7], head[10], head[13], head[16]] != *b"--T::"
        || !digits.iter().all(|at| head[*at].is_ascii_digit())
    {
        return None;
    }
    let zone =
        |byte: &&u8| byte.is_ascii_digit() || matches!(**byte, b'.' | b',' | b'Z' | b'+' | b'-' | b':');
    let length = 19 + line[19..].iter().take(20).take_while(zone).count();
    line[length..].strip_prefix(b" ")
}

/// What follows `<134>`, with the length that RFC 6587 puts in front of it.
fn priority(line: &[u8]) -> Option<&[u8]> {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let length = digits(line);
    let line = match length {
        0 => line,
        _ => line[length..].strip_prefix(b" ")?,
    };
    let text = line.strip_prefix(b"<")?;
    let length = digits(text);
    (1..=3).contains(&length).then(|| text[length..].strip_prefix(b">"))?
}

fn syslog(line: &[u8]) -> Option<&[u8]> {
    let text = priority(line).unwrap_or(line);
    tag(stamp(text)?, 2)
}

/// What follows a stamp of syslog.
fn stamp(text: &[u8]) -> Option<&[u8]> {
    bsd_stamp(text).or_else(|| iso_stamp(text))
}

/// What follows `Feb  6 12:14:14 `; some add a year or a fraction.
fn bsd_stamp(text: &[u8]) -> Option<&[u8]> {
    const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = text.get(..3)?;
    if !MONTHS.chunks(3).any(|name| name == month) {
        return None;
    }
    let rest = text[3..].strip_prefix(b" ")?.trim_ascii_start();
    let word = |text: &'_ [u8]| memchr::memchr(b' ', text);
    let day =
        word(rest).filter(|day| (1..=2).contains(day) && rest[..*day].iter().all(u8::is_ascii_digit))?;
    let mut rest = &rest[day + 1..];
    if let Some(4) = word(rest)
        && rest[..4].iter().all(u8::is_ascii_digit)
    {
        rest = &rest[5..];
    }
    let end = word(rest)?;
    let clock = &rest[..end];
    let well_formed = clock.len() >= 8
        && [clock[2], clock[5]] == *b"::"
        && clock.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b','));
    well_formed.then(|| &rest[end + 1..])
}

/// What follows `host prog[pid]: `, or `prog: ` alone; the colon ends one of the first `words` words.
fn tag(text: &[u8], words: usize) -> Option<&[u8]> {
    let mut rest = text;
    for _ in 0..words {
        let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
        let word = &rest[..end];
        let named = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./:@[]()".contains(byte);
        if word.is_empty() || !word.iter().all(named) {
            return None;
        }
        rest = rest.get(end + 1..).unwrap_or_default();
        if let Some(name) = word.strip_suffix(b":") {
            return (!name.is_empty()).then_some(rest);
        }
    }
    None
}

fn syslog_5424(line: &[u8]) -> Option<&[u8]> {
    let text = priority(line)?;
    let version = memchr::memchr(b' ', text).filter(|end| (1..=2).contains(end))?;
    if !text[..version].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut rest = &text[version + 1..];
    // Stamp, host, program, process and message id.
    for _ in 0..5 {
        rest = &rest[memchr::memchr(b' ', rest)? + 1..];
    }
    let message = match rest {
        [b'-'] => &[][..],
        [b'-', b' ', message @ ..] => message,
        [b'[', ..] => structured_data(rest)?,
        // Heroku leaves structured data out altogether.
        message => message,
    };
    Some(message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message))
}

/// What follows `[id name="value"][id2]`; a `]` in a value is escaped.
fn structured_data(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    while let Some(inside) = rest.strip_prefix(b"[") {
        let mut at = 0;
        let mut quoted = false;
        loop {
            match inside.get(at)? {
                b'\\' if quoted => at += 1,
                b'"' => quoted = !quoted,
                b']' if !quoted => break,
                _ => {}
            }
            at += 1;
        }
        rest = &inside[at + 1..];
    }
    Some(rest.strip_prefix(b" ").unwrap_or(rest))
}

/// What follows `web-1  | `.
fn compose(line: &[u8]) -> Option<&[u8]> {
    let name = line.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte)).count();
    let rest = line[name..].strip_prefix(b" ").filter(|_| name > 0)?;
    let rest = rest.trim_ascii_start().strip_prefix(b"|")?;
    Some(rest.strip_prefix(b" ").unwrap_or(rest))
}

/// The record after the time and the tag.
fn fluentd(line: &[u8]) -> Option<&[u8]> {
    let mut parts = line.splitn(3, |byte| *byte == b'\t');
    let (time, _tag, record) = (parts.next()?, parts.next()?, parts.next()?);
    (time.first().is_some_and(u8::is_ascii_digit) && record.starts_with(b"{")).then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCESS: &str = r#"192.0.2.1 - - [02/Nov/2026:00:00:01 +0000] "GET / HTTP/1.1" 200 5"#;

    #[track_caller]
    fn check(wrapper: Wrapper, line: &str, expected: Result<&str, Reject>) {
        let mut scratch = b"left over".to_vec();
        let found = wrapper.peel(line.as_bytes(), &mut scratch);
        let found = found.map(|inner| String::from_utf8_lossy(inner).into_owned());
        assert_eq!(found.as_deref(), expected.as_ref().map(|inner| *inner), "{wrapper:?} {line}");
    }

    #[test]
    fn wrappers_are_peeled_off() {
        let log = ACCESS.replace('"', "\\\"");
        let other = Err(Reject::OtherFormat);
        for (wrapper, line, expected) in [
            (
                Wrapper::Docker,
                format!(r#"{{"log":"{log}\r\n","stream":"stdout","time":"2026"}}"#),
                Ok(ACCESS),
            ),
            (Wrapper::Docker, r#"{"log":"a\n","stream":"stderr"}"#.to_owned(), Ok("a")),
            (Wrapper::Docker, r#"{"log":"a","stream":"stdout"}"#.to_owned(), Err(Reject::Partial)),
            (Wrapper::Docker, r#"{"log":"a\n"}"#.to_owned(), other),
            (Wrapper::Docker, r#"{"log":"a\"#.to_owned(), Err(Reject::Truncated)),
            (
                Wrapper::Json(Envelope::Log),
                format!(r#"{{"k":{{"log":[1,"]"]}}, "log" : "{log}\n"}}"#),
                Ok(ACCESS),
            ),
            (
                Wrapper::Json(Envelope::Log),
                r#"{"log":"\u00e9\ud83d\ude00\ud83d\/"}"#.to_owned(),
                Ok("é😀\u{fffd}/"),
            ),
            (Wrapper::Json(Envelope::Log), r#"{"a":1}"#.to_owned(), other),
            (Wrapper::Json(Envelope::Log), r#"{"log":17}"#.to_owned(), other),
            (
                Wrapper::Json(Envelope::Journald),
                r#"{"_PID":"7","MESSAGE":[71, 69,84]}"#.to_owned(),
                Ok("GET"),
            ),
            (Wrapper::Json(Envelope::Journald), r#"{"MESSAGE":[300]}"#.to_owned(), other),
            (
                Wrapper::Json(Envelope::GelfShort),
                r#"{"version":"1.1","short_message":"a"}"#.to_owned(),
                Ok("a"),
            ),
            (
                Wrapper::Json(Envelope::JsonPayload),
                r#"{"logName":"x","jsonPayload":{"a":{"b":"}"}} ,"t":1}"#.to_owned(),
                Ok(r#"{"a":{"b":"}"}}"#),
            ),
            (Wrapper::Json(Envelope::Event), r#"{"event":{"a":1"#.to_owned(), Err(Reject::Truncated)),
            (Wrapper::Named, format!("2026-11-02T00:00:00.123000+00:00 web/1 {ACCESS}"), Ok(ACCESS)),
            (Wrapper::Named, format!("Nov  2 00:00:00 web {ACCESS}"), Ok(ACCESS)),
            (Wrapper::Cri, format!("2026-11-02T00:00:00.123456789Z stdout F {ACCESS}"), Ok(ACCESS)),
            (Wrapper::Cri, format!("2026-11-02T00:00:00.1+01:00 stderr F:x {ACCESS}"), Ok(ACCESS)),
            (Wrapper::Cri, "2026-11-02T00:00:00.1Z stdout P 192.0".to_owned(), Err(Reject::Partial)),
            (Wrapper::Cri, ACCESS.to_owned(), other),
            (Wrapper::Syslog, format!("Feb  6 12:14:14 web nginx[143]: {ACCESS}"), Ok(ACCESS)),
            (Wrapper::Syslog, format!("<134>Feb 16 2026 12:14:14.123 nginx: {ACCESS}"), Ok(ACCESS)),
            (Wrapper::Syslog, format!("2026-11-02T00:00:00.1+01:00 web nginx: {ACCESS}"), Ok(ACCESS)),
            (Wrapper::Syslog, format!("87 <134>Feb  6 12:14:14 web nginx: {ACCESS}"), Ok(ACCESS)),
            (Wrapper::Syslog, format!("Feb  6 12:14:14 web {ACCESS}"), other),
            (
                Wrapper::Syslog5424,
                format!("<134>1 2026-11-02T00:00:00Z web nginx 7 - - {ACCESS}"),
                Ok(ACCESS),
            ),
            (
                Wrapper::Syslog5424,
                format!("99 <134>1 - web nginx - id [a b=\"x]\\\"\"][c] \u{feff}{ACCESS}"),
                Ok(ACCESS),
            ),
            (
                Wrapper::Syslog5424,
                format!("<134>1 2026-11-02T00:00:00Z h heroku router - {ACCESS}"),
                Ok(ACCESS),
            ),
            (Wrapper::Syslog5424, "<134>1 - - - - - -".to_owned(), Ok("")),
            (Wrapper::Syslog5424, "<134>1 - - - - - [a".to_owned(), other),
            (Wrapper::Kubectl, format!("[pod/web-1/nginx] {ACCESS}"), Ok(ACCESS)),
            (Wrapper::Compose, format!("web_1     | {ACCESS}"), Ok(ACCESS)),
            (Wrapper::Compose, "| a".to_owned(), other),
            (
                Wrapper::Fluentd,
                "2026-11-02T00:00:00Z\tnginx.access\t{\"log\":1}".to_owned(),
                Ok("{\"log\":1}"),
            ),
            (Wrapper::Stamped, format!("2026-11-02T00:00:00.123456789Z {ACCESS}"), Ok(ACCESS)),
            (Wrapper::Tagged, format!("frontend.0 nginx: {ACCESS}"), Ok(ACCESS)),
            (Wrapper::Tagged, ACCESS.to_owned(), other),
        ] {
            check(wrapper, &line, expected);
        }
    }

    #[test]
    fn nothing_makes_a_wrapper_panic() {
        let seeds = [
            r#"{"a":{"b":[1,2,{"c":"\u00e9\\"}]},"log":"192.0.2.1 \"GET\"\n","stream":"stdout"}"#,
            r#"{"MESSAGE":[71,69,84],"x":null}"#,
            "12 <134>1 2026-11-02T00:00:00Z web nginx 7 id [a b=\"\\]\"] text",
            "<134>Feb  6 2026 12:14:14.1 web nginx[7]: text",
            "2026-11-02T00:00:00.123Z stdout F text",
            "2026-11-02T00:00:00Z\ttag\t{\"log\":\"a\"}",
            "[pod/web/nginx] text",
            "web_1  | text",
        ];
        super::super::tests::mutate(&seeds, |line| {
            for wrapper in Wrapper::ALL {
                let _ = wrapper.peel(line, &mut Vec::new());
            }
        });
    }
}
