//! Undoing what producers do to bytes that would break a line.
//!
//! nginx (`escape=default`) writes `"`, `\`, controls and everything from 0x7f as `\xHH`.
//! Apache (since 2.0.46) writes `\"`, `\\`, C escapes such as `\n`, and `\xhh` for the rest.
//! Both are undone by one rule, because what either writes is never ambiguous with the other.

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
    /// JSON: `\u00HH`, `\"`, `\n`.
    Json,
    /// HTML forms: `+` for a blank, `%HH`.
    Form,
}

impl Escape {
    /// The byte that every escape holds; text without it stands for itself.
    pub(crate) fn mark(self) -> Option<u8> {
        match self {
            Self::None => None,
            Self::Backslash | Self::Json => Some(b'\\'),
            Self::Plus => Some(b'+'),
            Self::PercentOfPercent | Self::Percent | Self::Form => Some(b'%'),
            Self::DoubledQuote => Some(b'"'),
        }
    }

    /// Appends `text` with its escapes undone. What is no escape stays as it is.
    pub(crate) fn decode(self, text: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::None => out.extend_from_slice(text),
            Self::Backslash => backslash(text, out),
            // Text with a blank of its own was not written by somebody who replaces them.
            Self::Plus if memchr::memchr(b' ', text).is_some() => out.extend_from_slice(text),
            Self::Plus => out.extend(text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte })),
            Self::PercentOfPercent => percent_of_percent(text, out),
            Self::Percent => {
                let once = percent_decode(text);
                let twice = memchr::memmem::find(&once, b"%20").map(|_| percent_decode(&once));
                out.extend_from_slice(twice.as_deref().unwrap_or(&once));
            }
            Self::DoubledQuote => doubled_quote(text, out),
            Self::Json => json(text, out),
            Self::Form => {
                let blanks: Vec<u8> =
                    text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
                out.extend_from_slice(&percent_decode(&blanks));
            }
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
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        match (byte, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                out.push(hex(*high).unwrap_or(0) * 16 + hex(*low).unwrap_or(0));
                rest = after;
            }
            _ => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
    Cow::Owned(out)
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
    fn percent_escapes() {
        assert_eq!(&*percent_decode(b"a%20b%2"), b"a b%2");
        assert_eq!(&*percent_decode(b"%zz"), b"%zz");
    }
}
