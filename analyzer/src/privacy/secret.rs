//! Secrets, and what names a person, recognised by their form.
//!
//! The gate lets through what many clients have in common, and a shared secret is just that: a key in the link of a
//! newsletter has ten thousand clients behind it. So whatever would be spelled out is looked at here as well.
//! The forms are those that their issuers document; gitleaks' rules (MIT) were the checklist.

use super::stage::Stage;

/// What a text was recognised as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secret {
    /// The key of a service, by how its issuer begins them; a JSON web token among them.
    ServiceKey,
    /// `-----BEGIN …`.
    PrivateKey,
    /// `Bearer …`, `Basic …`.
    Credentials,
    /// `user:password@host`.
    UserInfo,
    /// A mail address.
    Email,
    /// The number of a payment card: 13 to 19 digits with Luhn's check digit (ISO/IEC 7812-1).
    Card,
    /// A bank account: an IBAN whose remainder by 97 is 1 (ISO 13616).
    Account,
    /// A telephone number as E.164 writes it: `+` and 7 to 15 digits.
    Telephone,
    /// `token=…` and other names whose values are secrets.
    Named,
    /// Twenty characters or more without a break that look drawn by lot.
    Random,
}

/// How keys of services begin, and how many letters, digits, `-`, `_` or `.` follow at least: `sk-SK` is a language,
/// and `ASIA` a continent.
const SERVICE_KEYS: [(&[u8], usize); 35] = [
    (b"eyJ", 8),
    (b"AKIA", 8),
    (b"ASIA", 8),
    (b"ABIA", 12),
    (b"ACCA", 12),
    (b"AROA", 12),
    (b"AIDA", 12),
    (b"AIza", 8),
    (b"ya29.", 8),
    (b"ghp_", 8),
    (b"gho_", 8),
    (b"ghu_", 8),
    (b"ghs_", 8),
    (b"ghr_", 8),
    (b"github_pat_", 8),
    (b"glpat-", 8),
    (b"glsa_", 8),
    (b"xoxa-", 8),
    (b"xoxb-", 8),
    (b"xoxe-", 8),
    (b"xoxp-", 8),
    (b"xoxr-", 8),
    (b"xoxs-", 8),
    (b"xapp-", 8),
    (b"sk_live_", 8),
    (b"sk_test_", 8),
    (b"rk_live_", 8),
    (b"pk_live_", 8),
    (b"pk_test_", 8),
    (b"sk-", 8),
    (b"whsec_", 8),
    (b"shpat_", 8),
    (b"SG.", 16),
    (b"npm_", 30),
    (b"hf_", 30),
];

/// Names whose values are secrets: those that RFC 6749, OpenTelemetry's semantic conventions and the frameworks'
/// session modules use.
const SECRET_NAMES: [&str; 36] = [
    "access_key",
    "access_token",
    "accesstoken",
    "api_key",
    "apikey",
    "auth",
    "authorization",
    "awsaccesskeyid",
    "client_secret",
    "code",
    "email",
    "id_token",
    "jsessionid",
    "key",
    "otp",
    "pass",
    "passwd",
    "password",
    "phone",
    "phpsessid",
    "private_key",
    "pwd",
    "refresh_token",
    "secret",
    "session",
    "session_id",
    "sessionid",
    "sid",
    "sig",
    "signature",
    "ssn",
    "state",
    "token",
    "x-amz-security-token",
    "x-amz-signature",
    "x-goog-signature",
];

/// Characters without a break from which on a run must not look drawn by lot.
const LONG: usize = 20;

/// What `text` would give away, its percent escapes undone.
///
/// `None` says that no form was recognised, not that the text is harmless: a password may be any word.
pub(crate) fn find(text: &[u8]) -> Option<Secret> {
    if !Stage::Secrets.is_on() {
        return None;
    }
    let Glance { digits, classes, may_begin_a_key } = Glance::at(text);
    let has = |class| classes & class != 0;
    let found = |is_there: bool, secret| is_there.then_some(secret);
    found(may_begin_a_key && tokens(text).any(is_service_key), Secret::ServiceKey)
        .or_else(|| {
            found(has(HYPHEN) && memchr::memmem::find(text, b"-----BEGIN").is_some(), Secret::PrivateKey)
        })
        .or_else(|| found(has(SPACE) && is_credentials(text), Secret::Credentials))
        .or_else(|| if has(AT) { address(text) } else { None })
        .or_else(|| found(digits >= 13 && holds_card(text), Secret::Card))
        .or_else(|| found(digits >= 7 && has(PLUS) && holds_telephone(text), Secret::Telephone))
        .or_else(|| found(digits >= 4 && text.len() >= SHORTEST_IBAN && is_iban(text), Secret::Account))
        .or_else(|| found(has(EQUALS) && names_a_secret(text), Secret::Named))
        .or_else(|| found(text.len() >= LONG && runs(text).any(is_random), Secret::Random))
}

/// What one pass over a text tells: enough to be done with nearly all of them.
struct Glance {
    digits: usize,
    /// Of all bytes together.
    classes: u8,
    /// A word begins as a service's key does.
    may_begin_a_key: bool,
}

const WORD: u8 = 1;
const HYPHEN: u8 = 4;
const SPACE: u8 = 8;
const AT: u8 = 16;
const PLUS: u8 = 32;
const EQUALS: u8 = 64;

/// The classes of each byte.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if (byte as u8).is_ascii_alphanumeric() {
            classes[byte] |= WORD;
        }
        byte += 1;
    }
    classes[b'-' as usize] |= HYPHEN;
    classes[b' ' as usize] |= SPACE;
    classes[b'@' as usize] |= AT;
    classes[b'+' as usize] |= PLUS;
    classes[b'=' as usize] |= EQUALS;
    classes
};

/// Which bytes follow each as the second one of a key, as bits by their last six: many words begin with the first
/// letter of a key, few with the first two.
const SECONDS: [u64; 256] = {
    let mut seconds = [0; 256];
    let mut at = 0;
    while at < SERVICE_KEYS.len() {
        let start = SERVICE_KEYS[at].0;
        seconds[start[0] as usize] |= 1 << (start[1] & 63);
        at += 1;
    }
    seconds
};

/// Whether a key of a service may begin as `word` does: no more than a reason to look.
pub(crate) fn begins_like_a_key(word: &[u8]) -> bool {
    matches!(word, [first, second, ..] if SECONDS[usize::from(*first)] >> (second & 63) & 1 == 1)
}

impl Glance {
    fn at(text: &[u8]) -> Self {
        let (mut all, mut digits, mut may_begin_a_key) = (0, 0, 0);
        // The class of the last byte, and what may come second in a key that it may begin.
        let (mut before, mut seconds) = (0, 0);
        for byte in text {
            let classes = CLASSES[usize::from(*byte)];
            all |= classes;
            digits += usize::from(byte.is_ascii_digit());
            may_begin_a_key |= seconds >> (byte & 63) & 1;
            seconds = if before & WORD == 0 { SECONDS[usize::from(*byte)] } else { 0 };
            before = classes;
        }
        Self { digits, classes: all, may_begin_a_key: may_begin_a_key == 1 }
    }
}

/// The rests of `text` from where a word starts: at its beginning, and after what is neither letter nor digit.
fn tokens(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts = |at: &usize| *at == 0 || !text[at - 1].is_ascii_alphanumeric();
    (0..text.len()).filter(starts).map(|at| &text[at..])
}

fn is_service_key(token: &[u8]) -> bool {
    let follows = |rest: &[u8]| {
        rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte)).count()
    };
    let starts = |(start, least): &(&[u8], usize)| {
        token.first() == start.first()
            && token.strip_prefix(*start).is_some_and(|rest| follows(rest) >= *least)
    };
    SERVICE_KEYS.iter().any(starts)
}

fn is_credentials(text: &[u8]) -> bool {
    tokens(text).any(|token| {
        let scheme = [&b"bearer "[..], b"basic "]
            .into_iter()
            .find(|scheme| token.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
        scheme.is_some_and(|scheme| {
            token[scheme.len()..].iter().take_while(|byte| byte.is_ascii_graphic()).count() >= 8
        })
    })
}

/// What stands around an `@`.
fn address(text: &[u8]) -> Option<Secret> {
    memchr::memchr_iter(b'@', text).find_map(|at| {
        let local = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-'".contains(byte) || !byte.is_ascii();
        let before = text[..at].iter().rev().take_while(|byte| local(byte)).count();
        let host = text[at + 1..]
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || b".-".contains(byte) || !byte.is_ascii())
            .count();
        let host = &text[at + 1..at + 1 + host];
        let has_password =
            text[..at].iter().rev().take_while(|byte| **byte != b'/').any(|byte| *byte == b':');
        if host.is_empty() {
            None
        } else if has_password {
            Some(Secret::UserInfo)
        } else {
            (before > 0 && host[1..].contains(&b'.')).then_some(Secret::Email)
        }
    })
}

/// Digits of `text`, with at most one space, `-` or `.` between two of them, in maximal groups.
fn digit_groups(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at += text.get(at..)?.iter().position(u8::is_ascii_digit)?;
        let mut group = Vec::new();
        while let Some(byte) = text.get(at) {
            let joint = || b" -.".contains(byte) && text.get(at + 1).is_some_and(u8::is_ascii_digit);
            match byte {
                b'0'..=b'9' => group.push(byte - b'0'),
                _ if joint() => {}
                _ => break,
            }
            at += 1;
        }
        Some(group)
    })
}

fn holds_card(text: &[u8]) -> bool {
    digit_groups(text).any(|digits| (13..=19).contains(&digits.len()) && passes_luhn(&digits))
}

/// Every second digit from the right is doubled and its digits added up; the sum of all ends in 0.
fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| if at % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { *digit })
        .map(u32::from)
        .sum();
    sum.is_multiple_of(10)
}

fn holds_telephone(text: &[u8]) -> bool {
    memchr::memchr_iter(b'+', text).any(|plus| {
        let rest = &text[plus + 1..];
        let group =
            rest.first().filter(|byte| (b'1'..=b'9').contains(byte)).and_then(|_| digit_groups(rest).next());
        group.is_some_and(|digits| (7..=15).contains(&digits.len()))
    })
}

/// Characters of the shortest IBAN, Norway's.
const SHORTEST_IBAN: usize = 15;
/// Characters of the longest that the standard allows.
const LONGEST_IBAN: usize = 34;

/// Country, check digits and account, in groups or not; an extension such as `.pdf` may follow.
fn is_iban(text: &[u8]) -> bool {
    let end = memchr::memchr(b'.', text).unwrap_or(text.len());
    let joined: Vec<u8> = text[..end].iter().filter(|byte| !b" -".contains(byte)).copied().collect();
    let [one, two, three, four, account @ ..] = joined.as_slice() else { return false };
    let form = one.is_ascii_alphabetic()
        && two.is_ascii_alphabetic()
        && three.is_ascii_digit()
        && four.is_ascii_digit();
    if !form
        || !(SHORTEST_IBAN..=LONGEST_IBAN).contains(&joined.len())
        || !account.iter().all(u8::is_ascii_alphanumeric)
    {
        return false;
    }
    let remainder = account.iter().chain(&joined[..4]).fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        letter => (rest * 100 + u32::from(letter.to_ascii_uppercase() - b'A') + 10) % 97,
    });
    remainder == 1
}

fn names_a_secret(text: &[u8]) -> bool {
    text.split(|byte| b"?&;, ".contains(byte)).any(|pair| {
        let Some(equals) = memchr::memchr(b'=', pair) else { return false };
        let (name, value) = pair.split_at(equals);
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        value.len() > 1 && SECRET_NAMES.binary_search(&name.as_str()).is_ok()
    })
}

/// Letters and digits without a break.
fn runs(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| !byte.is_ascii_alphanumeric()).filter(|run| run.len() >= LONG)
}

/// Hexadecimal digits of which some are decimal, or letters that change places with digits or their size as often as
/// chance does. In words, digits stand at the end, and capitals at the start of parts.
fn is_random(run: &[u8]) -> bool {
    let changes =
        |class: fn(&u8) -> bool| run.windows(2).filter(|pair| class(&pair[0]) != class(&pair[1])).count();
    let digits = run.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_hex = digits > 0 && run.iter().all(u8::is_ascii_hexdigit);
    is_hex || changes(u8::is_ascii_digit) >= 4 || changes(u8::is_ascii_uppercase) * 5 >= run.len() * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expected: Option<Secret>, texts: &[&str]) {
        for text in texts {
            assert_eq!(find(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn keys_of_services_are_known_by_their_start() {
        check(
            Some(Secret::ServiceKey),
            &[
                "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
                "AKIAIOSFODNN7EXAMPLE",
                "ASIAIOSFODNN7EXAMPLE",
                "AIzaSyA-1234567890abcdefghijklmnopqrstu",
                "ghp_abcdefgh",
                "ghs_16C7e42F292c6912E7710c838347Ae178B4a",
                "github_pat_11ABCDEFG0",
                "glpat-abcdefgh",
                "xoxb-123456789012",
                "sk_live_abcdefgh",
                "sk-abcdefghijklm",
                "key-sk_test_abcdefgh",
                "app.sk_live_abcdefgh",
            ],
        );
        check(
            None,
            &[
                "sk-SK",
                "ASIA",
                "task-list-of-everyone",
                "risk-assessment",
                "eye",
                "npm_packages",
                "hf_models",
            ],
        );
    }

    #[test]
    fn people_are_known_by_address_card_account_and_telephone() {
        check(Some(Secret::Email), &["jo@example.org", "a.b+c@mail.example", "mailto:x/jo@example.org"]);
        check(Some(Secret::UserInfo), &["https://jo:hunter2@example.org/", "jo:hunter2@db"]);
        check(
            Some(Secret::Card),
            &["4111111111111111", "4111-1111-1111-1111", "card 5500 0000 0000 0004", "378282246310005"],
        );
        check(
            Some(Secret::Account),
            &["DE89370400440532013000", "GB82-WEST-1234-5698-7654-32", "no9386011117947.pdf"],
        );
        check(Some(Secret::Telephone), &["+49301234567", "+1 202-555-0143", "tel:+33123456789"]);
        check(None, &["@scope", "a@b", "4111111111111112", "NO9386011117948", "a+b", "c++", "@"]);
    }

    #[test]
    fn what_is_called_a_secret_is_one() {
        check(Some(Secret::Credentials), &["Bearer abcdefgh", "authorization: basic dXNlcjpwYXNz"]);
        check(Some(Secret::PrivateKey), &["-----BEGIN RSA PRIVATE KEY-----"]);
        check(Some(Secret::Named), &["a;jsessionid=X", "token=1", "?a=b&X-Amz-Signature=0", "Password=x"]);
        check(None, &["token=", "tokens=1", "bearer of news", "=", "a=b", "basic plan"]);
        assert!(SECRET_NAMES.is_sorted());
    }

    #[test]
    fn long_runs_drawn_by_lot_are_secrets_and_long_words_are_not() {
        check(
            Some(Secret::Random),
            &[
                "9f86d081884c7d659a2feaa0c55ad015",
                "a3f5c8d9e1b2c4d5e6f7",
                "4fzzzxjylrxq83hd92kd",
                "QmFzZTY0aXNOb3RFbmNyeXB0aW9u",
                "dGhpcyBpcyBhIHNlY3JldCB2YWx1ZQ",
                "x-aBcDeFgHiJkLmNoPqRsT",
            ],
        );
        check(
            None,
            &[
                "internationalization",
                "geschwindigkeitsbegrenzung",
                "ServicesAgreementForCustomers",
                "terms-and-conditions-of-use",
                "WEIHNACHTSGESCHENKGUTSCHEIN",
                "releasenotesofversion12",
            ],
        );
    }
}
