//! Undoing what producers do to bytes that would break a line.
//!
//! nginx (`escape=default`) writes `"`, `\`, controls and everything from 0x7f as `\xHH`.
//! Apache (since 2.0.46) writes `\"`, `\\`, C escapes such as `\n`, and `\xhh` for the rest.
//! Both are undone by one rule, because what either writes is never ambiguous with the other.
//! HAProxy (`log.c`, `lf_encode_string`) writes `#HH`, and what JSON wants where the format asks for it.
//! Squid (`format/Quoting.cc`) writes `%HH` outside quotes, and a backslash before `"`, `\`, `r`, `n`, `t` inside.
//! With `escape=json`, nginx writes what JSON wants: `\"`, `\\`, `\n` and the like, and other controls as `\u00HH`.

use std::borrow::Cow;

/// What a producer does to bytes that would break a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// Nothing.
    None,
    /// nginx and Apache: `\xHH`, `\"`, `\n`.
    Backslash,
    /// IIS: `+` for every blank.
    Plus,
    /// CloudFront, in URLs: the `%` of an escape of the client's own is `%25`.
    PercentOfPercent,
    /// CloudFront, in headers: `%HH`, and until about 2019 twice, so that a blank was `%2520`.
    Percent,
    /// RFC 4180: `""` for a quote inside quotes.
    DoubledQuote,
    /// HTML forms: `+` for a blank, `%HH`.
    Form,
    /// HAProxy: `#HH`.
    Hash,
    /// HAProxy, where the format converts values to JSON: `#HH`, `\"`, `\/`.
    HashAndJson,
    /// Squid: `%HH` or `\"`.
    PercentAndBackslash,
    /// JSON: `\u00HH`, `\"`, `\n`.
    Json,
}

impl Escape {
    /// Whether `text` holds what could be an escape; text without stands for itself.
    #[inline]
    pub(crate) fn is_in(self, text: &[u8]) -> bool {
        match self {
            Self::None => false,
            Self::Backslash | Self::Json => memchr::memchr(b'\\', text).is_some(),
            Self::Plus => memchr::memchr(b'+', text).is_some(),
            Self::PercentOfPercent | Self::Percent => memchr::memchr(b'%', text).is_some(),
            Self::DoubledQuote => memchr::memchr(b'"', text).is_some(),
            Self::Form => memchr::memchr2(b'%', b'+', text).is_some(),
            Self::Hash => memchr::memchr(b'#', text).is_some(),
            Self::HashAndJson => memchr::memchr2(b'#', b'\\', text).is_some(),
            Self::PercentAndBackslash => memchr::memchr2(b'%', b'\\', text).is_some(),
        }
    }

    /// Whether a quote inside quotes has a backslash before it.
    pub(crate) fn escapes_quotes(self) -> bool {
        matches!(self, Self::Backslash | Self::Json | Self::HashAndJson | Self::PercentAndBackslash)
    }

    /// Appends `text` with its escapes undone. What is no escape stays as it is.
    pub(crate) fn decode(self, text: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::None => out.extend_from_slice(text),
            Self::Backslash => backslash(text, out),
            // Text with a blank of its own was not written by somebody who replaces them.
            Self::Plus if memchr::memchr(b' ', text).is_some() => out.extend_from_slice(text),
            Self::Plus => {
                let start = out.len();
                out.extend_from_slice(text);
                out[start..].iter_mut().filter(|byte| **byte == b'+').for_each(|byte| *byte = b' ');
            }
            Self::PercentOfPercent => percent_of_percent(text, out),
            Self::Percent => {
                let start = out.len();
                hexadecimal(text, b'%', out);
                if memchr::memmem::find(&out[start..], b"%20").is_some() {
                    let once = out.split_off(start);
                    hexadecimal(&once, b'%', out);
                }
            }
            Self::DoubledQuote => doubled_quote(text, out),
            Self::Json => json(text, out),
            Self::Form => {
                let start = out.len();
                out.extend_from_slice(text);
                out[start..].iter_mut().filter(|byte| **byte == b'+').for_each(|byte| *byte = b' ');
                let blanks = out.split_off(start);
                hexadecimal(&blanks, b'%', out);
            }
            Self::Hash => hexadecimal(text, b'#', out),
            Self::HashAndJson => json(&without_hexadecimal(text, b'#'), out),
            Self::PercentAndBackslash => backslash(&without_hexadecimal(text, b'%'), out),
        }
    }
}

/// Undoes what JSON does inside strings. What is no escape stays; half of a surrogate pair becomes U+FFFD. `\xHH` is
/// no JSON, but what nginx writes into a format that only looks like it.
fn json(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let (byte, used) = match &rest[at..] {
            [_, b'n', ..] => (b'\n', 2),
            [_, b't', ..] => (b'\t', 2),
            [_, b'r', ..] => (b'\r', 2),
            [_, b'f', ..] => (0x0c, 2),
            [_, b'b', ..] => (0x08, 2),
            [_, quoted @ (b'"' | b'\\' | b'/'), ..] => (*quoted, 2),
            [_, b'x', high, low, ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high * 16 + low, 4),
                _ => (b'\\', 1),
            },
            escape @ [_, b'u', ..] => match unicode(escape) {
                Some((character, used)) => {
                    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = &rest[at + used..];
                    continue;
                }
                None => (b'\\', 1),
            },
            _ => (b'\\', 1),
        };
        out.push(byte);
        rest = &rest[at + used..];
    }
    out.extend_from_slice(rest);
}

/// The character that `\uHHHH`, or two of them, stand for at the start of `text`; and their length.
fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0_u32, |unit, digit| Some(unit * 16 + u32::from(hex(*digit)?)))
    };
    let first = unit(0)?;
    match (first, unit(6)) {
        (0xd800..0xdc00, Some(second @ 0xdc00..0xe000)) => {
            let character = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            char::from_u32(character).map(|character| (character, 12))
        }
        _ => Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6)),
    }
}

/// `%2520` becomes `%20`, which the client sent. Any other escape stands for a byte that no URL may hold, so it
/// stays, and the URL stays a URL.
fn percent_of_percent(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest, b"%25") {
        out.extend_from_slice(&rest[..=at]);
        let after = &rest[at + 3..];
        let inner = after.len() >= 2 && after[..2].iter().all(u8::is_ascii_hexdigit);
        rest = if inner { after } else { &rest[at + 1..] };
    }
    out.extend_from_slice(rest);
}

fn doubled_quote(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest, b"\"\"") {
        out.extend_from_slice(&rest[..=at]);
        rest = &rest[at + 2..];
    }
    out.extend_from_slice(rest);
}

/// Undoes what nginx (`escape=default`) and Apache do. A backslash that starts no escape stays.
fn backslash(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let (byte, used) = match &rest[at..] {
            [_, b'x', high, low, ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high * 16 + low, 4),
                _ => (b'\\', 1),
            },
            [_, b'n', ..] => (b'\n', 2),
            [_, b't', ..] => (b'\t', 2),
            [_, b'r', ..] => (b'\r', 2),
            [_, b'v', ..] => (0x0b, 2),
            [_, b'f', ..] => (0x0c, 2),
            [_, b'b', ..] => (0x08, 2),
            [_, quoted @ (b'"' | b'\\'), ..] => (*quoted, 2),
            _ => (b'\\', 1),
        };
        out.push(byte);
        rest = &rest[at + used..];
    }
    out.extend_from_slice(rest);
}

/// `%HH` undone, once; `+` stays. Borrowed when there is none. Wrong escapes stay as they are.
pub fn percent_decode(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    hexadecimal(text, b'%', &mut out);
    Cow::Owned(out)
}

fn without_hexadecimal(text: &[u8], introducer: u8) -> Cow<'_, [u8]> {
    if memchr::memchr(introducer, text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    hexadecimal(text, introducer, &mut out);
    Cow::Owned(out)
}

/// Undoes `introducer` and two hexadecimal digits. Wrong escapes stay as they are.
fn hexadecimal(text: &[u8], introducer: u8, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(introducer, rest) {
        out.extend_from_slice(&rest[..at]);
        let digits = rest.get(at + 1..at + 3).and_then(|digits| Some((hex(digits[0])?, hex(digits[1])?)));
        let (byte, used) = digits.map_or((introducer, 1), |(high, low)| (high * 16 + low, 3));
        out.push(byte);
        rest = &rest[at + used..];
    }
    out.extend_from_slice(rest);
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_both_servers() {
        let cases: [(&str, &[u8]); 7] = [
            (r"plain", b"plain"),
            (r"\x22quoted\x22", b"\"quoted\""),
            (r#"\"quoted\""#, b"\"quoted\""),
            (r"a\\b\tc", b"a\\b\tc"),
            (r"\xC3\xa9", &[0xc3, 0xa9]),
            (r"\xZZ", br"\xZZ"),
            (r"tail\", br"tail\"),
        ];
        for (text, expected) in cases {
            let mut out = Vec::new();
            Escape::Backslash.decode(text.as_bytes(), &mut out);
            assert_eq!(out, expected, "{text}");
        }
    }

    #[test]
    fn escapes_of_logs_with_a_header() {
        for (escape, text, expected) in [
            (Escape::Plus, "Mozilla/5.0+(X11)", "Mozilla/5.0 (X11)"),
            (Escape::Plus, "Mozilla/5.0 (X11; a+b)", "Mozilla/5.0 (X11; a+b)"),
            (Escape::PercentOfPercent, "/a%2520b%25zz%3c", "/a%20b%25zz%3c"),
            (Escape::PercentOfPercent, "%25", "%25"),
            (Escape::Percent, "Mozilla/5.0%20(X11)", "Mozilla/5.0 (X11)"),
            (Escape::Percent, "Mozilla/5.0%2520(X11)", "Mozilla/5.0 (X11)"),
            (Escape::Percent, "100%25", "100%"),
            (Escape::DoubledQuote, r#"say ""hi"" "#, r#"say "hi" "#),
        ] {
            let mut out = Vec::new();
            escape.decode(text.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{text}");
        }
    }

    #[test]
    fn escapes_of_proxies() {
        let cases: [(Escape, &str, &[u8]); 6] = [
            (Escape::Hash, "GET /a#20b#23c#C3#A9", b"GET /a b#c\xc3\xa9"),
            (Escape::Hash, "/#2 #zz #", b"/#2 #zz #"),
            (Escape::HashAndJson, r##"Mozilla\/5.0 (\"x\"#7C)"##, b"Mozilla/5.0 (\"x\"|)"),
            (Escape::PercentAndBackslash, "Mozilla/5.0%20(X11)", b"Mozilla/5.0 (X11)"),
            (Escape::PercentAndBackslash, r#"say \"hi\"\n"#, b"say \"hi\"\n"),
            (Escape::None, r"a#20\x20%20", br"a#20\x20%20"),
        ];
        for (escape, text, expected) in cases {
            let mut out = Vec::new();
            escape.decode(text.as_bytes(), &mut out);
            assert_eq!(out, expected, "{text}");
        }
    }

    #[test]
    fn escapes_of_json() {
        let cases: [(&str, &[u8]); 8] = [
            (r#"say \"hi\" \\ \/"#, br#"say "hi" \ /"#),
            (r"\b\f\n\r\t", b"\x08\x0c\n\r\t"),
            (r"\u0000\u001B\u001b", b"\0\x1b\x1b"),
            (r"\u00e9\uD83D\uDE00", "é😀".as_bytes()),
            (r"\uD83D alone", "\u{fffd} alone".as_bytes()),
            (r"\x41 \u12", br"A \u12"),
            ("\u{7f}é", "\u{7f}é".as_bytes()),
            (r"tail\", br"tail\"),
        ];
        for (text, expected) in cases {
            let mut out = Vec::new();
            Escape::Json.decode(text.as_bytes(), &mut out);
            assert_eq!(out, expected, "{text}");
        }
    }

    #[test]
    fn percent_escapes() {
        assert_eq!(&*percent_decode(b"a%20b%2"), b"a b%2");
        assert_eq!(&*percent_decode(b"%zz"), b"%zz");
    }
}
