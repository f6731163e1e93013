//! What one segment of a path is: a word of the route, or a value that somebody put there.
//!
//! Context-free, on the hot path: `/items/4711/Blue%20mug` becomes `/items/{int}/{opaque}`. Which of the
//! remaining words are values as well (slugs) shows only when all paths are known ([`super::trie`]).
//! A word stays only when it looks like one: this is the allow-list of what a profile may ever spell out.

use shared::endpoint::ValueKind;

use crate::format::escape::{percent_decode, unescape};

/// The longest segment that may stand in a profile.
const LONGEST_WORD: usize = 48;
/// Digits in a row beyond which a segment is a number with decoration, not a word.
const DIGITS_IN_A_ROW: usize = 3;
/// Letters without a break beyond which a run must not look random.
const LONG_RUN: usize = 16;
/// Bits per character that ordinary words of that length stay below.
const ENTROPY_BITS: f64 = 3.5;
/// What follows one of these is a capability: whoever holds the link may act.
const CAPABILITIES: [&[u8]; 6] = [b"reset", b"verify", b"invite", b"unsubscribe", b"share", b"download"];

/// Appends the shape of `path` to `out`: literal words, and placeholders for values.
///
/// Empty segments are dropped, a trailing slash is kept, and `;jsessionid=…` and other path parameters are cut off.
pub(crate) fn shape(path: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let mut after_capability = false;
    for segment in path.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()) {
        out.push(b'/');
        if segment.len() < LONG_RUN && segment.iter().all(u8::is_ascii_lowercase) && !after_capability {
            out.extend_from_slice(segment);
            after_capability = CAPABILITIES.contains(&segment);
            continue;
        }
        let bare = &segment[..memchr::memchr(b';', segment).unwrap_or(segment.len())];
        if after_capability {
            out.extend_from_slice(placeholder(ValueKind::Token).as_bytes());
        } else {
            whole_segment(bare, out);
        }
        after_capability = CAPABILITIES.contains(&bare);
    }
    if out.len() == start || path.ends_with(b"/") {
        out.push(b'/');
    }
}

fn whole_segment(segment: &[u8], out: &mut Vec<u8>) {
    let unescaped = unescape(segment);
    let decoded = percent_decode(&unescaped);
    let segment = decoded.as_ref();
    // The `.org` of a mail address is no extension.
    let (stem, extension) = match memchr::memchr(b'@', segment) {
        Some(_) => (segment, &b""[..]),
        None => split_extension(segment),
    };
    match value_kind(stem) {
        None if segment.len() <= LONGEST_WORD => out.extend_from_slice(segment),
        None => out.extend_from_slice(placeholder(ValueKind::Opaque).as_bytes()),
        Some(kind) => {
            out.extend_from_slice(placeholder(kind).as_bytes());
            out.extend_from_slice(extension);
        }
    }
}

/// The placeholder that stands for a value of `kind`.
pub(crate) fn placeholder(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Int => "{int}",
        ValueKind::Uuid => "{uuid}",
        ValueKind::Hex => "{hex}",
        ValueKind::Date => "{date}",
        ValueKind::Slug => "{slug}",
        ValueKind::Word => "{word}",
        ValueKind::Email => "{email}",
        ValueKind::Token => "{token}",
        ValueKind::Opaque => "{opaque}",
    }
}

/// The kind that a segment starting with a placeholder names, and what stands after it.
pub(crate) fn parse_placeholder(segment: &str) -> Option<(ValueKind, &str)> {
    const ALL: [ValueKind; 9] = [
        ValueKind::Int,
        ValueKind::Uuid,
        ValueKind::Hex,
        ValueKind::Date,
        ValueKind::Slug,
        ValueKind::Word,
        ValueKind::Email,
        ValueKind::Token,
        ValueKind::Opaque,
    ];
    ALL.into_iter().find_map(|kind| Some((kind, segment.strip_prefix(placeholder(kind))?)))
}

/// `name.tar.gz` is `name` and `.tar.gz`: at most two extensions of up to five letters and digits, starting with a letter.
pub(crate) fn split_extension(segment: &[u8]) -> (&[u8], &[u8]) {
    let mut stem = segment.len();
    for _ in 0..2 {
        let Some(dot) = memchr::memrchr(b'.', &segment[..stem]) else { break };
        let extension = &segment[dot + 1..stem];
        let plausible = (1..=5).contains(&extension.len())
            && extension[0].is_ascii_alphabetic()
            && extension.iter().all(u8::is_ascii_alphanumeric);
        // `v1.2.json` has one extension, and the `2` before it belongs to the name.
        if !plausible || dot == 0 {
            break;
        }
        stem = dot;
    }
    segment.split_at(stem)
}

/// The kind of a value, or `None` when the segment looks like a word of the route.
fn value_kind(stem: &[u8]) -> Option<ValueKind> {
    let all = |test: fn(&u8) -> bool| !stem.is_empty() && stem.iter().all(test);
    let any = |test: fn(&u8) -> bool| stem.iter().any(test);
    if all(u8::is_ascii_digit) {
        return Some(ValueKind::Int);
    }
    if is_uuid(stem) {
        return Some(ValueKind::Uuid);
    }
    if is_date(stem) {
        return Some(ValueKind::Date);
    }
    if all(u8::is_ascii_hexdigit) && stem.len() >= 7 && any(u8::is_ascii_digit) {
        return Some(ValueKind::Hex);
    }
    if memchr::memchr(b'@', stem).is_some_and(|at| at > 0 && stem[at..].contains(&b'.')) {
        return Some(ValueKind::Email);
    }
    if looks_like_a_word(stem) {
        return None;
    }
    if looks_like_a_slug(stem) {
        return Some(ValueKind::Slug);
    }
    let token = stem.len() >= LONG_RUN
        && any(u8::is_ascii_digit)
        && all(|byte| byte.is_ascii_alphanumeric() || b"-_=.~+".contains(byte));
    Some(if token { ValueKind::Token } else { ValueKind::Opaque })
}

/// Words and numbers joined by hyphens, such as `blue-mug-1234567`: no word among them looks random.
fn looks_like_a_slug(stem: &[u8]) -> bool {
    let mut runs = stem.split(|byte| b"-_".contains(byte));
    let ordinary = |run: &[u8]| run.iter().all(u8::is_ascii_alphanumeric) && !looks_random(run);
    let word = |run: &[u8]| run.len() >= 2 && run.iter().all(u8::is_ascii_lowercase);
    stem.contains(&b'-') && runs.clone().all(ordinary) && runs.any(word)
}

/// Letters, few digits, the usual joints; no long run that looks random.
fn looks_like_a_word(stem: &[u8]) -> bool {
    if !stem.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~+!".contains(byte)) {
        return false;
    }
    if !stem.iter().any(u8::is_ascii_alphabetic) {
        return false;
    }
    let mut digits = 0;
    for byte in stem {
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        if digits > DIGITS_IN_A_ROW {
            return false;
        }
    }
    stem.split(|byte| !byte.is_ascii_alphanumeric()).all(|run| !looks_random(run))
}

/// Letters and digits that change places often, or a long run with more entropy than words have.
fn looks_random(run: &[u8]) -> bool {
    let switches = run.windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count();
    if switches >= 3 {
        return true;
    }
    let mixed_case = run.iter().any(u8::is_ascii_lowercase) && run.iter().any(u8::is_ascii_uppercase);
    let with_digits = run.iter().any(u8::is_ascii_digit);
    let words_in_it = 1 + run
        .windows(2)
        .filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
        .count();
    if run.len() >= LONG_RUN && mixed_case && !with_digits && run.len() / words_in_it >= 4 && has_vowels(run)
    {
        // `ServicesAgreement`: capitals that start words of ordinary length.
        return false;
    }
    run.len() >= LONG_RUN && entropy_bits(run) > ENTROPY_BITS
}

fn has_vowels(run: &[u8]) -> bool {
    run.iter().filter(|byte| b"aeiouyAEIOUY".contains(byte)).count() * 5 >= run.len()
}

fn entropy_bits(run: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    run.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let n = run.len() as f64;
    counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / n).map(|p| -p * p.log2()).sum()
}

fn is_uuid(stem: &[u8]) -> bool {
    stem.len() == 36
        && stem.iter().enumerate().all(|(i, byte)| match i {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_date(stem: &[u8]) -> bool {
    let digits = |range: std::ops::Range<usize>| stem[range].iter().all(u8::is_ascii_digit);
    stem.len() == 10 && stem[4] == b'-' && stem[7] == b'-' && digits(0..4) && digits(5..7) && digits(8..10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &str) {
        let mut out = Vec::new();
        shape(path.as_bytes(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn words_stay_and_values_become_placeholders() {
        check("/", "/");
        check("", "/");
        check("//items//42/", "/items/{int}/");
        check("/LongDistance/ServicesAgreement.html", "/LongDistance/ServicesAgreement.html");
        check("/v2/teams/9f86d081884c7d65/privacy", "/v2/teams/{hex}/privacy");
        check("/orders/0b6a3c1e-5d2f-4d1c-9a3b-2f1e0d9c8b7a", "/orders/{uuid}");
        check("/archive/2026-11-02/index.html", "/archive/{date}/index.html");
        check("/img/1234567.json", "/img/{int}.json");
        check("/p/blue-mug-1234567", "/p/{slug}");
        check("/static/app.4f2a9c1e.css", "/static/{opaque}.css");
    }

    #[test]
    fn what_could_be_a_secret_never_stays() {
        check("/u/jo%40example.org", "/u/{email}");
        check("/reset/hunter", "/reset/{token}");
        check("/a;jsessionid=1A530637289A03B07199A44E8D531427/b", "/a/b");
        check("/k/AKIAIOSFODNN7EXAMPLE", "/k/{token}");
        check("/t/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "/t/{token}");
        check("/pay/4111-1111-1111-1111", "/pay/{token}");
        check("/s/%D9%85%DA%AF", "/s/{opaque}");
        check("/{int}", "/{opaque}");
        check("/\\xC3\\xA9", "/{opaque}");
    }
}
