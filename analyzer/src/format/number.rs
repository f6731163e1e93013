//! Numbers of log lines, read from bytes without going through floating point.

/// Decimal digits only; `None` for anything else, for nothing, and beyond 19 digits.
pub(crate) fn unsigned(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > 19 {
        return None;
    }
    bytes.iter().try_fold(0_u64, |n, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| n * 10 + u64::from(digit))
    })
}

/// A decimal number such as `12.345` in billionths: seconds in, nanoseconds out. Digits beyond nine are cut off.
pub(crate) fn billionths(bytes: &[u8]) -> Option<i64> {
    let point = memchr::memchr(b'.', bytes).unwrap_or(bytes.len());
    let whole = i64::try_from(unsigned(&bytes[..point])?).ok()?;
    let fraction = bytes.get(point + 1..).unwrap_or_default();
    if point < bytes.len() && fraction.is_empty() {
        return None;
    }
    let kept = &fraction[..fraction.len().min(9)];
    let digits = if kept.is_empty() { 0 } else { i64::try_from(unsigned(kept)?).ok()? };
    let scale = 10_i64.pow(9 - kept.len() as u32);
    fraction[kept.len()..].iter().all(u8::is_ascii_digit).then_some(())?;
    whole.checked_mul(1_000_000_000)?.checked_add(digits * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_seconds_become_nanoseconds() {
        let cases: [(&[u8], Option<i64>); 9] = [
            (b"0.000", Some(0)),
            (b"12.345", Some(12_345_000_000)),
            (b"1502787600.123", Some(1_502_787_600_123_000_000)),
            (b"3", Some(3_000_000_000)),
            (b"0.1234567891", Some(123_456_789)),
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
    fn numbers_that_do_not_fit_are_refused_not_wrapped() {
        assert_eq!(unsigned(b"18446744073709551616"), None);
        assert_eq!(billionths(b"9999999999999999999"), None);
    }
}
