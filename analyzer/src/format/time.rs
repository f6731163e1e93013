//! Time stamps of log lines, with a cache: neighbouring lines share their minute and zone.

use crate::request::SECOND_NS;

use super::number;

/// A stamp: an instant, and the offset it was printed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant {
    /// Nanoseconds since 1970 UTC.
    pub(crate) utc_ns: i64,
    /// Seconds east of UTC.
    pub(crate) offset_s: i32,
}

/// Remembers the last minute read, so that most lines cost two comparisons and two digits.
#[derive(Debug, Default)]
pub(crate) struct TimeCache {
    clf_minute: [u8; 17],
    clf_zone: [u8; 6],
    clf: Option<(i64, i32)>,
}

impl TimeCache {
    /// `17/May/2015:10:05:03 +0000`, as nginx `$time_local` and Apache `%t` print it.
    pub(crate) fn clf(&mut self, text: &[u8]) -> Option<Instant> {
        let text: &[u8; 26] = text.try_into().ok()?;
        let seconds = two_digits(text[18], text[19]).filter(|seconds| *seconds <= 60 && text[17] == b':')?;
        if self.clf.is_none() || self.clf_minute != text[..17] || self.clf_zone != text[20..] {
            self.clf = clf_minute(text);
            self.clf_minute.copy_from_slice(&text[..17]);
            self.clf_zone.copy_from_slice(&text[20..]);
        }
        let (minute_s, offset_s) = self.clf?;
        // Years that 64 bits of nanoseconds do not reach (1677 to 2262) are no time of a log.
        let utc_ns = (minute_s + i64::from(seconds)).checked_mul(SECOND_NS)?;
        Some(Instant { utc_ns, offset_s })
    }
}

/// UTC seconds of the minute, and the offset in seconds.
fn clf_minute(text: &[u8; 26]) -> Option<(i64, i32)> {
    const MONTHS: [&[u8]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    if [text[2], text[6], text[11], text[14], text[20]] != *b"//:: " {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == &text[3..6])? as u32 + 1;
    let year = i64::try_from(number::unsigned(&text[7..11])?).ok()?;
    let day = two_digits(text[0], text[1])?;
    let date_s = days_from_civil(year, month, day)? * 86_400;
    let hour = two_digits(text[12], text[13]).filter(|hour| *hour < 24)?;
    let minute = two_digits(text[15], text[16]).filter(|minute| *minute < 60)?;
    let offset_s = offset(&text[21..])?;
    Some((date_s + i64::from(hour * 3600 + minute * 60) - i64::from(offset_s), offset_s))
}

/// `1970-09-28T12:00:00+06:00`, with optional fraction, `Z` or `+0600`: nginx `$time_iso8601` and most JSON logs.
pub(crate) fn iso8601(text: &[u8]) -> Option<Instant> {
    if text.len() < 20
        || [text[4], text[7], text[13], text[16]] != *b"--::"
        || !matches!(text[10], b'T' | b' ')
    {
        return None;
    }
    let year = i64::try_from(number::unsigned(&text[..4])?).ok()?;
    let days = days_from_civil(year, two_digits(text[5], text[6])?, two_digits(text[8], text[9])?)?;
    let hour = two_digits(text[11], text[12]).filter(|hour| *hour < 24)?;
    let minute = two_digits(text[14], text[15]).filter(|minute| *minute < 60)?;
    let second = two_digits(text[17], text[18]).filter(|second| *second <= 60)?;
    let zone_at = 19 + text[19..].iter().position(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-'))?;
    let fraction_ns = match &text[19..zone_at] {
        [] => 0,
        [b'.' | b',', digits @ ..] => number::billionths(&[b"0.", digits].concat())?,
        _ => return None,
    };
    let offset_s = match &text[zone_at..] {
        b"Z" | b"z" => 0,
        [sign, h1, h2, b':', m1, m2] => offset(&[*sign, *h1, *h2, *m1, *m2])?,
        short => offset(short)?,
    };
    let local_s = days * 86_400 + i64::from(hour * 3600 + minute * 60 + second);
    let utc_ns = (local_s - i64::from(offset_s)).checked_mul(SECOND_NS)?.checked_add(fraction_ns)?;
    Some(Instant { utc_ns, offset_s })
}

/// `+0130` in seconds; at most 18 hours, like no zone on earth.
fn offset(text: &[u8]) -> Option<i32> {
    let [sign, h1, h2, m1, m2] = *<&[u8; 5]>::try_from(text).ok()?;
    let size = (two_digits(h1, h2)? * 3600 + two_digits(m1, m2).filter(|minutes| *minutes < 60)? * 60) as i32;
    match sign {
        _ if size > 18 * 3600 => None,
        b'+' => Some(size),
        b'-' => Some(-size),
        _ => None,
    }
}

fn two_digits(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u32::from(tens) * 10 + u32::from(ones))
}

/// Days since 1970-01-01 of a Gregorian date; `None` when there is no such day.
///
/// The algorithm of Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2013).
fn days_from_civil(year: i64, month: u32, day: u32) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day == 0 || day > length {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = i64::from((153 * ((month + 9) % 12) + 2) / 5 + day - 1);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: Option<Instant>, expected: Option<(&str, i32)>) {
        let expected = expected.map(|(utc, offset_s)| Instant {
            utc_ns: utc.parse::<jiff::Timestamp>().unwrap().as_nanosecond() as i64,
            offset_s,
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn common_log_stamps() {
        let mut cache = TimeCache::default();
        check(cache.clf(b"17/May/2015:10:05:03 +0000"), Some(("2015-05-17T10:05:03Z", 0)));
        check(cache.clf(b"17/May/2015:10:05:47 +0000"), Some(("2015-05-17T10:05:47Z", 0)));
        check(cache.clf(b"17/May/2015:10:05:47 +0330"), Some(("2015-05-17T06:35:47Z", 12_600)));
        check(cache.clf(b"29/Feb/2016:23:59:60 -0500"), Some(("2016-03-01T05:00:00Z", -18_000)));
        for wrong in
            ["29/Feb/2015:10:05:03 +0000", "17/Mai/2015:10:05:03 +0000", "17/May/2015:24:05:03 +0000", "x"]
        {
            check(cache.clf(wrong.as_bytes()), None);
        }
    }

    #[test]
    fn a_wrong_line_does_not_spoil_the_cache() {
        let mut cache = TimeCache::default();
        check(cache.clf(b"17/Mai/2015:10:05:03 +0000"), None);
        check(cache.clf(b"17/May/2015:10:05:03 +0000"), Some(("2015-05-17T10:05:03Z", 0)));
        check(cache.clf(b"17/Mai/2015:10:05:03 +0000"), None);
    }

    #[test]
    fn iso_stamps() {
        check(iso8601(b"1970-09-28T12:00:00+06:00"), Some(("1970-09-28T06:00:00Z", 21_600)));
        check(iso8601(b"2026-11-02T00:00:00.123456789Z"), Some(("2026-11-02T00:00:00.123456789Z", 0)));
        check(iso8601(b"2018-07-05T15:43:47.690014-0400"), Some(("2018-07-05T19:43:47.690014Z", -14_400)));
        check(iso8601(b"2026-13-02T00:00:00Z"), None);
    }

    #[test]
    fn dates_agree_with_a_calendar_library() {
        let start = jiff::civil::date(1969, 12, 25);
        for days in 0..60_000_i64 {
            let date = start.checked_add(jiff::Span::new().days(days)).unwrap();
            let found = days_from_civil(i64::from(date.year()), date.month() as u32, date.day() as u32);
            assert_eq!(found, Some(days - 7));
        }
    }
}
