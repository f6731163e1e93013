//! Numbers of log lines, read from bytes without going through floating point.

use super::near::near;

/// The unit of a duration that is printed as a bare number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl Unit {
    /// Nanoseconds of one unit.
    pub(crate) fn ns(self) -> i64 {
        match self {
            Self::Seconds => 1_000_000_000,
            Self::Milliseconds => 1_000_000,
            Self::Microseconds => 1_000,
            Self::Nanoseconds => 1,
        }
    }
}

/// A duration in nanoseconds: `0.390`, `17`, `8.5e-05`, `0.248406s`, `2ms`. `Some(None)` when it is printed as
/// unknown (`-1`) or as not yet complete (`+17`, which HAProxy prints when it logs early); `None` when it is no number.
pub(crate) fn duration_ns(text: &[u8], unit: Unit) -> Option<Option<i64>> {
    // As nearly all are: without sign or unit.
    if text.last().is_some_and(u8::is_ascii_digit) && text[0].is_ascii_digit() {
        return scaled(text, unit.ns()).map(Some);
    }
    let letters = text.iter().rev().take_while(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii()).count();
    let (number, unit) = match &text[text.len() - letters..] {
        [] => (text, unit),
        b"s" => (&text[..text.len() - letters], Unit::Seconds),
        b"ms" => (&text[..text.len() - letters], Unit::Milliseconds),
        b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => (&text[..text.len() - letters], Unit::Microseconds),
        b"ns" => (&text[..text.len() - letters], Unit::Nanoseconds),
        _ => return None,
    };
    match number {
        [b'-' | b'+', digits @ ..] => scaled(digits, unit.ns()).map(|_| None),
        _ => scaled(number, unit.ns()).map(Some),
    }
}

/// The sum of several durations, as nginx prints those of an upstream that was tried again: `1.000, 0.250 : -`.
#[cold]
pub(crate) fn durations_ns(text: &[u8], unit: Unit) -> Option<Option<i64>> {
    let parts = text.split(|byte| *byte == b' ').map(|part| part.strip_suffix(b",").unwrap_or(part));
    let mut sum = None;
    for part in parts.filter(|part| !matches!(*part, b"" | b":" | b"-")) {
        sum = Some(sum.unwrap_or(0_i64).checked_add(duration_ns(part, unit)??)?);
    }
    sum.map(Some)
}

/// A decimal number times `scale`, cut to an integer; exact where it is printed without an exponent.
#[inline]
pub(crate) fn scaled(text: &[u8], scale: i64) -> Option<i64> {
    match billionths(text) {
        Some(billionths) if scale == 1_000_000_000 => Some(billionths),
        billionths => scaled_otherwise(text, billionths, scale),
    }
}

fn scaled_otherwise(text: &[u8], billionths: Option<i64>, scale: i64) -> Option<i64> {
    if !text.is_empty() && text.iter().all(u8::is_ascii_digit) {
        return i64::try_from(unsigned(text)?).ok()?.checked_mul(scale);
    }
    match billionths {
        Some(billionths) => i64::try_from(i128::from(billionths) * i128::from(scale) / 1_000_000_000).ok(),
        None => {
            let value = decimal(text)? * scale as f64;
            (0.0..9e18).contains(&value).then_some(value as i64)
        }
    }
}

/// A decimal number, with exponent or without.
pub(crate) fn decimal(text: &[u8]) -> Option<f64> {
    let numeric = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E');
    let text = Some(text).filter(|text| text.iter().all(numeric))?;
    std::str::from_utf8(text).ok()?.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Decimal digits only; `None` for anything else, for nothing, and beyond 19 digits.
// Always inlined: it is hardly longer than a call of it.
#[inline(always)]
pub(crate) fn unsigned(bytes: &[u8]) -> Option<u64> {
    if matches!(bytes.len(), 1..=8) { few_digits(bytes) } else { many_digits(bytes) }
}

/// As [`unsigned`], of as many digits as a status has.
// Always inlined: it is hardly longer than a call of it.
#[inline(always)]
pub(crate) fn three_digits([a, b, c]: [u8; 3]) -> Option<u16> {
    Some((digit(a)? * 100 + digit(b)? * 10 + digit(c)?) as u16)
}

#[inline(never)]
fn many_digits(bytes: &[u8]) -> Option<u64> {
    let (first, last) = bytes.split_last_chunk::<8>().filter(|_| bytes.len() <= 19)?;
    let first = first.iter().try_fold(0, |n, byte| Some(n * 10 + digit(*byte)?))?;
    Some(first * 100_000_000 + few_digits(last)?)
}

#[inline]
fn digit(byte: u8) -> Option<u64> {
    Some(u64::from(byte.wrapping_sub(b'0'))).filter(|digit| *digit < 10)
}

/// One to eight digits, all at once: a loop that ends after a number of digits that nobody can guess costs more.
#[inline]
fn few_digits(digits: &[u8]) -> Option<u64> {
    const ZEROS: u64 = u64::from_ne_bytes([b'0'; 8]);
    let unused_bits = 64 - 8 * digits.len() as u32;
    // The last digit in the highest byte. Where parts overlap they are the same.
    let word = match (digits.first_chunk::<4>(), digits.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) << unused_bits | u64::from(u32::from_le_bytes(*last)) << 32
        }
        _ => {
            let [first, .., last] = *digits else { return digit(*digits.first()?) };
            let middle = digits[1];
            u64::from(first) << unused_bits | u64::from(middle) << (unused_bits + 8) | u64::from(last) << 56
        }
    };
    // In front of it nothing, that is zeros.
    let word = word | ZEROS.checked_shr(64 - unused_bits).unwrap_or(0);
    let values = word ^ ZEROS;
    // A byte beyond 9 has a bit in its upper half, or gets one when 6 is added to it.
    let beyond = (values | values.wrapping_add(u64::from_ne_bytes([6; 8]))) & u64::from_ne_bytes([0xf0; 8]);
    if beyond != 0 {
        return None;
    }
    // Neighbours are joined: eight digits, four numbers of two, two of four.
    let pairs = (values.wrapping_mul(10) + (values >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours.wrapping_mul(10_000) + (fours >> 32)) & 0xffff_ffff)
}

pub(super) const POWERS_OF_TEN: [i64; 10] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// A decimal number such as `12.345` in billionths: seconds in, nanoseconds out. Digits beyond nine behind the point are
/// cut off.
#[inline]
pub(crate) fn billionths(text: &[u8]) -> Option<i64> {
    if text.len() > MOST_DIGITS {
        return long_billionths(text);
    }
    let (mut number, mut point) = (0_u64, None);
    for (at, byte) in text.iter().enumerate() {
        match digit(*byte) {
            Some(digit) => number = number * 10 + digit,
            None if *byte == b'.' && point.is_none() && at > 0 => point = Some(at),
            None => return None,
        }
    }
    let fraction_digits = match point {
        Some(point) => text.len() - point - 1,
        None if text.is_empty() => return None,
        None => return i64::try_from(number).ok()?.checked_mul(1_000_000_000),
    };
    match fraction_digits {
        0 => None,
        1..=9 => i64::try_from(number).ok()?.checked_mul(POWERS_OF_TEN[9 - fraction_digits]),
        _ => long_billionths(text),
    }
}

/// Digits that always fit into 64 bits.
const MOST_DIGITS: usize = 19;

/// As [`billionths`], of a number of any length that has a point; `None` without.
#[cold]
fn long_billionths(text: &[u8]) -> Option<i64> {
    let point = near(b'.', text)?;
    let whole = i64::try_from(unsigned(&text[..point])?).ok()?;
    let fraction = &text[point + 1..];
    let kept = &fraction[..fraction.len().min(9)];
    let digits = i64::try_from(unsigned(kept)?).ok()? * POWERS_OF_TEN[9 - kept.len()];
    fraction[kept.len()..].iter().all(u8::is_ascii_digit).then_some(())?;
    whole.checked_mul(1_000_000_000)?.checked_add(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_seconds_become_nanoseconds() {
        let cases: [(&[u8], Option<i64>); 14] = [
            (b"0.000", Some(0)),
            (b"12.345", Some(12_345_000_000)),
            (b"1502787600.123", Some(1_502_787_600_123_000_000)),
            (b"3", Some(3_000_000_000)),
            (b"0.1234567891", Some(123_456_789)),
            (b"1.12345678901234567890123", Some(1_123_456_789)),
            (b"9223372036.854775807", Some(i64::MAX)),
            (b"9223372036.854775808", None),
            (b"1.2.3", None),
            (b"1.2x", None),
            (b"", None),
            (b".5", None),
            (b"1.", None),
            (b"-1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(billionths(text), expected, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn durations_carry_their_unit_or_take_the_formats() {
        type Case<'t> = (&'t [u8], Unit, Option<Option<i64>>);
        let cases: [Case<'_>; 9] = [
            (b"0.390", Unit::Seconds, Some(Some(390_000_000))),
            (b"17", Unit::Milliseconds, Some(Some(17_000_000))),
            (b"0.25", Unit::Milliseconds, Some(Some(250_000))),
            (b"8.5e-05", Unit::Seconds, Some(Some(85_000))),
            (b"0.248406s", Unit::Milliseconds, Some(Some(248_406_000))),
            (b"2ms", Unit::Seconds, Some(Some(2_000_000))),
            (b"-1", Unit::Milliseconds, Some(None)),
            (b"+30", Unit::Milliseconds, Some(None)),
            (b"fast", Unit::Seconds, None),
        ];
        for (text, unit, expected) in cases {
            assert_eq!(duration_ns(text, unit), expected, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn digits_of_every_length_are_read_and_nothing_else() {
        for length in 1..=19 {
            for digits in ["9999999999999999999", "1234567890123456789", "0000000000000000000"] {
                let text = &digits[..length];
                assert_eq!(unsigned(text.as_bytes()), text.parse().ok(), "{text}");
                for at in 0..length {
                    for other in [0, b'/', b':', b'?', b'@', 0x80, 0xb0, 0xfa, 0xff] {
                        let mut text = text.as_bytes().to_vec();
                        text[at] = other;
                        assert_eq!(unsigned(&text), None, "{text:?}");
                    }
                }
            }
        }
        assert_eq!((unsigned(b""), unsigned(b"12345678901234567890")), (None, None));
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused_not_wrapped() {
        assert_eq!(unsigned(b"18446744073709551616"), None);
        assert_eq!(billionths(b"9999999999999999999"), None);
    }
}
