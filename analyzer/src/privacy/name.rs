//! Names of query parameters that a profile may spell out.
//!
//! A name is chosen by whoever writes the program, but anybody can put anything in its place, and links with secrets
//! for names exist.

use super::secret;
use super::stage::Stage;
use crate::route::segment;

/// The longest name that is spelled out.
const LONGEST: usize = 48;

/// Whether `name`, its escapes undone, looks like the name of a parameter, and not like a value or a secret.
///
/// Real programs use `q`, `sortBy`, `utm_source`, `filter[color]`, `ids[]`, `user.name`, `$top` and `_`: so a name
/// starts with a letter, `_` or `$`, its parts are separated by any of `-_.:[]$`, and the parts together are what a
/// word of a route is ([`segment::is_word`]).
pub(crate) fn may_be_spelled_out(name: &[u8]) -> bool {
    if !Stage::QueryNames.is_on() {
        return name.first().is_some_and(u8::is_ascii_graphic) && name.is_ascii();
    }
    let separator = |byte: &u8| b"-_.:[]$".contains(byte);
    let starts_well = name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || b"_$".contains(byte));
    if !starts_well
        || name.len() > LONGEST
        || !name.iter().all(|byte| byte.is_ascii_alphanumeric() || separator(byte))
    {
        return false;
    }
    let parts: Vec<&[u8]> = name.split(separator).filter(|part| !part.is_empty()).collect();
    parts.is_empty() || secret::find(name).is_none() && segment::is_word(&parts.join(&b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(names: &[&str], expected: bool) {
        for name in names {
            assert_eq!(may_be_spelled_out(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn names_that_programs_use_may_be_spelled_out() {
        check(
            &[
                "q",
                "page",
                "sortBy",
                "utm_source",
                "filter[color]",
                "ids[]",
                "user.name",
                "$top",
                "_",
                "__hstc",
            ],
            true,
        );
        check(
            &["X-Amz-Signature", "fields[articles]", "a:b", "address1", "token", "ctl00$Main$Search"],
            true,
        );
    }

    #[test]
    fn what_somebody_put_in_place_of_a_name_may_not() {
        check(&["", "1699999999", "4711a", "jo@example.org", "a b", "M\u{fc}ller", "%71"], false);
        check(
            &["ghp_abcdefghijkl", "sk_live_abcdefgh", "eyJhbGciOiJIUzI1NiJ9", "deadbeef0", "k4x9z2q7"],
            false,
        );
        check(&["4111111111111111", "DE89370400440532013000", "dGhpcyBpcyBhIHNlY3JldCB2YWx1ZQ"], false);
    }
}
