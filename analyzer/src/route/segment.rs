//! What one segment of a path is: a word of the route, or a value that somebody put there.
//!
//! Context-free, on the hot path: `/items/4711/Blue%20mug` becomes `/items/{int}/{opaque}`. Which of the
//! remaining words are values as well (slugs) shows only when all paths are known ([`super::trie`]).
//! A word stays only when it looks like one ([`is_word`]) and no [`secret`] shows in it: this is the allow-list of what a
//! profile may ever spell out. A known extension may follow it; any other dot makes it a value, because the
//! `.smith` of `alice.smith` is a name. The one exception are services of a package before one of their methods.

use std::borrow::Cow;

use shared::endpoint::ValueKind;

use super::vocabulary;
use crate::format::escape::percent_decode;
use crate::privacy::secret::{self, Secret};
use crate::privacy::stage::Stage;

/// The longest segment that may stand in a profile.
const LONGEST_WORD: usize = 48;
/// The longest name of a service with its package, which has several words.
const LONGEST_SERVICE: usize = 96;
/// Digits in a row beyond which a segment is a number with decoration, not a word.
const DIGITS_IN_A_ROW: usize = 3;
/// Letters without a break beyond which a run must not look random.
const LONG_RUN: usize = 16;
/// Letters without a break beyond which a run of both sizes must be put together of capitalised words.
const LONG_MIXED_RUN: usize = 10;
/// Abbreviations without a vowel that stand inside names of programs.
const ABBREVIATIONS: [&[u8]; 12] =
    [b"css", b"csv", b"ftp", b"html", b"http", b"https", b"js", b"pdf", b"php", b"rss", b"sql", b"xml"];
/// Bits per character that ordinary words of that length stay below.
const ENTROPY_BITS: f64 = 3.5;
/// Digits in all beyond which a segment is a number with decoration, such as a telephone number.
const DIGITS_IN_ALL: usize = 6;
/// What follows one of these is a capability: whoever holds the link may act.
const CAPABILITIES: [&[u8]; 10] = [
    b"reset",
    b"verify",
    b"invite",
    b"unsubscribe",
    b"share",
    b"download",
    b"confirm",
    b"activate",
    b"magic",
    b"recover",
];
/// Times that a segment is percent-decoded at most.
const DECODINGS: usize = 3;
/// The longest of [`EXTENSIONS`].
const LONGEST_EXTENSION: usize = 6;
/// Extensions of files, in order. The list is closed: the `.smith` of `alice.smith` is a name.
const EXTENSIONS: [&[u8]; 114] = [
    b"7z", b"action", b"apk", b"ashx", b"asmx", b"asp", b"aspx", b"atom", b"avi", b"avif", b"axd", b"bak",
    b"bmp", b"bz2", b"cfm", b"cgi", b"conf", b"css", b"csv", b"cur", b"deb", b"dmg", b"do", b"doc", b"docx",
    b"eot", b"epub", b"exe", b"fcgi", b"flac", b"gif", b"gz", b"htm", b"html", b"ico", b"ics", b"inc",
    b"ini", b"iso", b"jar", b"jpeg", b"jpg", b"js", b"jsf", b"json", b"jsonl", b"jsp", b"jspx", b"log",
    b"m3u8", b"m4a", b"m4v", b"map", b"md", b"mjs", b"mov", b"mp3", b"mp4", b"mpeg", b"mpg", b"msi", b"ods",
    b"odt", b"oga", b"ogg", b"ogv", b"otf", b"pdf", b"php", b"php3", b"php4", b"php5", b"phtml", b"pl",
    b"png", b"ppt", b"pptx", b"py", b"rar", b"rpm", b"rss", b"rtf", b"sh", b"shtml", b"sql", b"svg", b"swf",
    b"tar", b"tgz", b"tif", b"tiff", b"ts", b"tsv", b"ttf", b"txt", b"vcf", b"war", b"wasm", b"wav", b"webm",
    b"webp", b"woff", b"woff2", b"xhtml", b"xls", b"xlsx", b"xml", b"xsd", b"xsl", b"xz", b"yaml", b"yml",
    b"zip", b"zst",
];

/// Appends the shape of `path` to `out`: literal words, and placeholders for values.
///
/// Empty segments are dropped, a trailing slash is kept, and `;jsessionid=…` and other path parameters are cut off.
pub(crate) fn shape(path: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let mut after_capability = false;
    let mut end = 0;
    for segment in path.split(|byte| *byte == b'/') {
        end += segment.len() + 1;
        if segment.is_empty() {
            continue;
        }
        out.push(b'/');
        if after_capability {
            out.extend_from_slice(placeholder(ValueKind::Token).as_bytes());
        } else if segment.len() < LONG_RUN && segment.iter().all(u8::is_ascii_lowercase) {
            out.extend_from_slice(segment);
            after_capability = CAPABILITIES.contains(&segment) && Stage::Capabilities.is_on();
        } else if segment.iter().all(u8::is_ascii_digit) {
            out.extend_from_slice(placeholder(ValueKind::Int).as_bytes());
        } else if is_uuid(segment) {
            // Nothing else that a value may be looks like one, and ids are most of what is new in a log.
            out.extend_from_slice(placeholder(ValueKind::Uuid).as_bytes());
        } else if let Some(mut words) = plain_words(segment) {
            out.extend_from_slice(segment);
            after_capability = words.any(|word| CAPABILITIES.contains(&word)) && Stage::Capabilities.is_on();
        } else {
            let decoded = decode(&segment[..memchr::memchr(b';', segment).unwrap_or(segment.len())]);
            if is_service(&decoded, path.get(end..).unwrap_or_default()) {
                out.extend_from_slice(&decoded);
            } else {
                whole_segment(&decoded, out);
            }
            after_capability = names_capability(&decoded) && Stage::Capabilities.is_on();
        }
    }
    if out.len() == start || path.ends_with(b"/") {
        out.push(b'/');
    }
}

/// The words of `segment` where it is nothing but short words of small letters joined by hyphens, as most names of pages
/// are, and so the word of a route by every rule of [`whole_segment`].
fn plain_words(segment: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let words = segment.split(|byte| *byte == b'-');
    // Of all secrets, only the key of a service can be made of such words.
    let is_plain = |word: &[u8]| {
        word.len() < LONG_RUN && word.iter().all(u8::is_ascii_lowercase) && !secret::begins_like_a_key(word)
    };
    let any_letter = segment.iter().any(|byte| *byte != b'-');
    // As long as that, it may be a UUID without a digit.
    let plain = any_letter && segment.len() < UUID_BYTES && words.clone().all(is_plain);
    plain.then_some(words)
}

/// Appends the shape of a value, which is no word whatever it looks like.
pub(crate) fn value_shape(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'/');
    out.extend_from_slice(placeholder(kind_of(&decode(value)).unwrap_or(ValueKind::Word)).as_bytes());
}

/// Percent escapes undone, and those that this brings to light.
fn decode(segment: &[u8]) -> Cow<'_, [u8]> {
    if !Stage::Decoding.is_on() {
        return Cow::Borrowed(segment);
    }
    let mut decoded = percent_decode(segment);
    for _ in 1..DECODINGS {
        let Cow::Owned(again) = percent_decode(&decoded) else { break };
        decoded = Cow::Owned(again);
    }
    decoded
}

/// Whether one of the words that `segment` is made of, up to a dot, is a capability: `reset.php`, `password-reset`,
/// `resetPassword`.
fn names_capability(segment: &[u8]) -> bool {
    let name = &segment[..memchr::memchr(b'.', segment).unwrap_or(segment.len())];
    let mut start = 0;
    for at in 0..=name.len() {
        let joint = name.get(at).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        let hump = || at > start && name[at - 1].is_ascii_lowercase() && name[at].is_ascii_uppercase();
        if joint || hump() {
            let word = &name[start..at];
            if CAPABILITIES.iter().any(|capability| capability.eq_ignore_ascii_case(word)) {
                return true;
            }
            start = at + usize::from(joint);
        }
    }
    false
}

fn whole_segment(segment: &[u8], out: &mut Vec<u8>) {
    let secret = secret::find(segment);
    // The `.org` of a mail address is no extension, and neither is the end of a key.
    let (stem, extension) = match memchr::memchr(b'@', segment) {
        None if secret != Some(Secret::ServiceKey) => split_extension(segment),
        _ => (segment, &b""[..]),
    };
    let kind = match secret {
        Some(Secret::ServiceKey) => Some(ValueKind::Token),
        Some(Secret::Email) => Some(ValueKind::Email),
        // Long numbers pass for cards by chance: what is no word anyway keeps its own kind.
        Some(_) => value_kind(stem).or(Some(ValueKind::Token)),
        None => value_kind(stem),
    };
    match kind {
        None if segment.len() <= LONGEST_WORD => out.extend_from_slice(segment),
        None => out.extend_from_slice(placeholder(ValueKind::Opaque).as_bytes()),
        Some(kind) => {
            out.extend_from_slice(placeholder(kind).as_bytes());
            out.extend_from_slice(extension);
        }
    }
}

/// Whether `segment` is a service of a package and `rest`, the end of the path, one of its methods: gRPC, Connect and
/// Twirp ask for `/grpc.health.v1.Health/Check`.
///
/// Nobody else writes lower case before the last dot and a capital behind it: hosts have none, and names of people have
/// one in front as well. A third of the letters are of words of routes all the same.
fn is_service(segment: &[u8], rest: &[u8]) -> bool {
    let capitalised = |text: &[u8]| {
        text.first().is_some_and(u8::is_ascii_uppercase)
            && text.iter().all(u8::is_ascii_alphanumeric)
            && looks_like_a_word(text)
    };
    let lower = |text: &[u8]| {
        let letter = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_';
        text.first().is_some_and(u8::is_ascii_lowercase) && text.iter().all(letter) && looks_like_a_word(text)
    };
    // The cheapest first: hardly any path gets further.
    rest.first().is_some_and(u8::is_ascii_uppercase)
        && segment.len() <= LONGEST_SERVICE
        && memchr::memrchr(b'.', segment).is_some_and(|dot| {
            let (package, service) = (&segment[..dot], &segment[dot + 1..]);
            capitalised(rest) && capitalised(service) && package.split(|byte| *byte == b'.').all(lower)
        })
        && secret::find(segment).is_none()
        && vocabulary::holds_words(segment)
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

/// All kinds of values.
pub(crate) const KINDS: [ValueKind; 9] = [
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

/// The kind that a segment starting with a placeholder names, and what stands after it.
pub(crate) fn parse_placeholder(segment: &str) -> Option<(ValueKind, &str)> {
    KINDS.into_iter().find_map(|kind| Some((kind, segment.strip_prefix(placeholder(kind))?)))
}

/// `name.tar.gz` is `name` and `.tar.gz`: at most two extensions, known ones only.
pub(crate) fn split_extension(segment: &[u8]) -> (&[u8], &[u8]) {
    let mut stem = segment.len();
    for _ in 0..2 {
        let Some(dot) = memchr::memrchr(b'.', &segment[..stem]) else { break };
        let extension = &segment[dot + 1..stem];
        // `app.min.js`, but `min` alone is no type of file.
        let known = is_known_extension(extension) || stem < segment.len() && extension == b"min";
        if !known || dot == 0 {
            break;
        }
        stem = dot;
    }
    segment.split_at(stem)
}

fn is_known_extension(extension: &[u8]) -> bool {
    let mut lower = [0; LONGEST_EXTENSION];
    let Some(lower) = lower.get_mut(..extension.len()) else { return extension == b"webmanifest" };
    lower.copy_from_slice(extension);
    lower.make_ascii_lowercase();
    EXTENSIONS.binary_search(&&*lower).is_ok()
}

/// Whether `text`, its escapes undone, looks like a word of a route, and not like a value or a secret.
///
/// A word has ASCII letters of either size, digits, `-` and `_`, and at least one letter. Capitals are allowed because
/// real sites have routes such as `/LongDistance/ServicesAgreement.html` and `/getUserById`, which would all become
/// one. No more than 3 digits stand in a row, 6 in all, and they change places with letters fewer than 3 times. From 16
/// letters without a break on, a run has at most 3.5 bits of entropy per character, or no digit and a third of its letters
/// from words of routes; from 10 on, one of both sizes is put together of capitalised words. Hexadecimal numbers, dates
/// and UUIDs are values although they have that form.
pub(crate) fn is_word(text: &[u8]) -> bool {
    value_kind(text).is_none() && secret::find(text).is_none()
}

/// The kind of a whole segment, or `None` for a word.
pub(crate) fn kind_of(segment: &[u8]) -> Option<ValueKind> {
    if secret::find(segment).is_some() { Some(ValueKind::Token) } else { value_kind(segment) }
}

/// The kind of a value, or `None` when the segment looks like a word of the route.
fn value_kind(stem: &[u8]) -> Option<ValueKind> {
    if !Stage::Words.is_on() {
        let plain = stem.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte));
        return (!plain).then_some(ValueKind::Opaque);
    }
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

/// Letters, few digits, `-` and `_`; no long run that looks random.
fn looks_like_a_word(stem: &[u8]) -> bool {
    // RFC 8615 has put a dot before this one.
    if stem == b".well-known" {
        return true;
    }
    if stem.len() < LONG_RUN && std::str::from_utf8(stem).is_ok_and(vocabulary::is_version) {
        return true;
    }
    // A method of its own, as in `keys:rotate`: words of routes on both sides, because anything may stand at a colon.
    if let Some(colon) = memchr::memchr(b':', stem) {
        let words = [&stem[..colon], &stem[colon + 1..]];
        return words.iter().all(|word| !word.is_empty() && vocabulary::is_made_of_words(word));
    }
    if !stem.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)) {
        return false;
    }
    if !stem.iter().any(u8::is_ascii_alphabetic) {
        return false;
    }
    let (mut in_a_row, mut in_all) = (0, 0);
    for byte in stem {
        in_a_row = if byte.is_ascii_digit() { in_a_row + 1 } else { 0 };
        in_all += usize::from(byte.is_ascii_digit());
        if in_a_row > DIGITS_IN_A_ROW || in_all > DIGITS_IN_ALL {
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
    if run.len() >= LONG_MIXED_RUN && mixed_case {
        return !is_words_together(run);
    }
    let with_digits = run.iter().any(u8::is_ascii_digit);
    run.len() >= LONG_RUN
        && entropy_bits(run) > ENTROPY_BITS
        && (with_digits || !vocabulary::holds_words(run))
}

/// `ServicesAgreement`, `XMLHttpRequest`, `getV2Users`: words of three letters in the mean. Each has a vowel, is an
/// abbreviation, or is the one letter in front of `iPhone`.
fn is_words_together(run: &[u8]) -> bool {
    let is_vowel = |byte: &u8| b"aeiouyAEIOUY".contains(byte);
    let (mut start, mut words) = (0, 0);
    for at in 1..=run.len() {
        let ends = run.get(at).is_none_or(|next| {
            let last_capital = run.get(at + 1).is_some_and(u8::is_ascii_lowercase);
            next.is_ascii_uppercase() && (run[at - 1].is_ascii_lowercase() || last_capital)
        });
        if ends {
            let word = &run[start..at];
            let version = word.len() > 1 && word[1..].iter().all(u8::is_ascii_digit);
            let abbreviation = version
                || word.len() > 1 && word.len() <= 4 && word.iter().all(u8::is_ascii_uppercase)
                || ABBREVIATIONS.iter().any(|known| word.eq_ignore_ascii_case(known));
            let spoken = word.len() > 1 && word.iter().any(is_vowel);
            if !(spoken || abbreviation || start == 0 && word.len() == 1) {
                return false;
            }
            (start, words) = (at, words + 1);
        }
    }
    run.len() >= 3 * words && run.iter().filter(|byte| is_vowel(byte)).count() * 5 >= run.len()
}

fn entropy_bits(run: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    run.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let n = run.len() as f64;
    counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / n).map(|p| -p * p.log2()).sum()
}

/// Characters of a UUID.
const UUID_BYTES: usize = 36;

fn is_uuid(stem: &[u8]) -> bool {
    stem.len() == UUID_BYTES
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
        check("/static/app.min.js", "/static/app.min.js");
        check("/.well-known/security.txt", "/.well-known/security.txt");
        check("/downloads/product_1", "/downloads/product_1");
        check("/shared/index.html", "/shared/index.html");
        check("/sk-SK/ASIA", "/sk-SK/ASIA");
        check("/api/getUserAccountDetails", "/api/getUserAccountDetails");
        check("/XMLHttpRequestFactory", "/XMLHttpRequestFactory");
        check("/v1/validatingadmissionpolicies", "/v1/validatingadmissionpolicies");
        check("/OAuth2Callback/getV2Users/iPhone15Pro", "/OAuth2Callback/getV2Users/iPhone15Pro");
    }

    #[test]
    fn plain_words_are_what_the_rules_say() {
        let pieces = [
            "blue",
            "sk",
            "glpat",
            "xoxb",
            "reset",
            "share",
            "",
            "a",
            "face",
            "deadbeef",
            "kxqzvwrtpsnmbd",
            "mug",
        ];
        let mut plain = 0;
        for number in 0..pieces.len().pow(4) {
            let piece = |place: u32| pieces[number / pieces.len().pow(place) % pieces.len()];
            let segment = [piece(0), piece(1), piece(2), piece(3)].join("-");
            let Some(mut words) = plain_words(segment.as_bytes()) else { continue };
            let mut out = Vec::new();
            whole_segment(segment.as_bytes(), &mut out);
            assert_eq!(out, segment.as_bytes(), "{segment}");
            let capability = words.any(|word| CAPABILITIES.contains(&word));
            assert_eq!(capability, names_capability(segment.as_bytes()), "{segment}");
            plain += 1;
        }
        // Of eight pieces that begin no key, 8^4, less what has no letter or is too long.
        assert!(plain > 3_500, "{plain}");
    }

    #[test]
    fn only_known_extensions_stay() {
        check("/dump.tar.GZ", "/dump.tar.GZ");
        check("/site.webmanifest", "/site.webmanifest");
        check("/profile/alice.smith", "/profile/{opaque}");
        check("/profile/alice.smith.html", "/profile/{opaque}.html");
        check("/u/4711.john.doe", "/u/{opaque}");
        check("/u/alice.min", "/u/{opaque}");
        assert!(EXTENSIONS.is_sorted());
        assert_eq!(EXTENSIONS.iter().map(|extension| extension.len()).max(), Some(LONGEST_EXTENSION));
    }

    #[test]
    fn services_of_a_package_stay_before_their_methods() {
        for path in [
            "/grpc.health.v1.Health/Check",
            "/acme.orders.v1.OrderService/CreateOrder",
            "/twirp/shop.Cart/AddItem",
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            "/google.pubsub.v1.Publisher/Publish",
            "/hipstershop.ProductCatalogService/ListProducts",
            "/etcdserverpb.KV/Range",
        ] {
            check(path, path);
        }
        check("/acme.orders.OrderService", "/{opaque}");
        check("/acme.orders.OrderService/create", "/{opaque}/create");
        check("/acme.orders.OrderService/Create/", "/{opaque}/Create/");
        check("/alice.Smith/Orders", "/{opaque}/Orders");
        check("/Order.Service/Create", "/{opaque}/Create");
        check("/shop.karoti.example/Orders", "/{opaque}/Orders");
        check("/order.sk_live_abcdefgh.Service/Create", "/{token}/Create");
    }

    #[test]
    fn names_of_hosts_are_values_whatever_stands_around_them() {
        // Customers' domains may stand before versions as groups of an interface do.
        for host in ["karoti.example", "shop.karoti.example", "api.example.org", "www.karoti.com"] {
            check(&format!("/tenants/{host}"), "/tenants/{opaque}");
            check(&format!("/tenants/{host}/v1/orders"), "/tenants/{opaque}/v1/orders");
        }
        check("/apis/storage.karoti.example/v1beta1/volumes", "/apis/{opaque}/v1beta1/volumes");
    }

    #[test]
    fn names_and_numbers_of_people_are_no_words() {
        check("/u/Alice+Smith", "/u/{opaque}");
        check("/user/~jdoe", "/user/{opaque}");
        check("/tel-030-123-456", "/{slug}");
        check("/DE12-345-678-901-x", "/{token}");
        check("/DE1-345-678-9", "/{opaque}");
        check("/u/friedrichkowalczyk", "/u/{opaque}");
        check(&format!("/{}", "word-".repeat(10)), "/{opaque}");
    }

    #[test]
    fn all_that_follows_a_capability_is_a_token() {
        check("/reset/hunter", "/reset/{token}");
        check("/Reset/hunterpw", "/Reset/{token}");
        check("/reset.php/hunterpw", "/reset.php/{token}");
        check("/r%2565set/hunterpw", "/reset/{token}");
        check("/reset;v=1/hunterpw", "/reset/{token}");
        check("/share/xyz/hunterpw/", "/share/{token}/{token}/");
        check("/password-reset/hunterpw", "/password-reset/{token}");
        check("/resetPassword/hunterpw", "/resetPassword/{token}");
        check("/MAGIC_LINK/hunterpw", "/MAGIC_LINK/{token}");
        check("/account/confirm/hunterpw/now.html", "/account/confirm/{token}/{token}");
    }

    #[test]
    fn what_could_be_a_secret_never_stays() {
        check("/u/jo%40example.org", "/u/{email}");
        check("/a;jsessionid=1A530637289A03B07199A44E8D531427/b", "/a/b");
        check("/k/AKIAIOSFODNN7EXAMPLE", "/k/{token}");
        check("/r/sk-abcdefghijklm", "/r/{token}");
        check("/r/ghp_abcdefgh.html", "/r/{token}");
        check("/t/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "/t/{token}");
        check("/pay/4111-1111-1111-1111", "/pay/{token}");
        check("/t/glpat-abcdefghijkl", "/t/{token}");
        check("/t/aWxvdmV5b3VhbHdheXM", "/t/{token}");
        check("/t/QWxhZGRpbkpvTGVuYUpNpYQ", "/t/{opaque}");
        check("/t/4111111111111111", "/t/{int}");
        check("/t/9f86d081884c7d659a2feaa0c55ad015.png", "/t/{hex}.png");
        check("/s/%D9%85%DA%AF", "/s/{opaque}");
        check("/{int}", "/{opaque}");
        check("/\\xC3\\xA9", "/{opaque}");
    }
}
