//! Time stamps of log lines, with a cache: neighbouring lines share their minute and zone.

use std::sync::Arc;

use crate::request::SECOND_NS;

use super::near::near;
use super::number;
use super::time_pattern::TimePattern;

/// A stamp: an instant, and the offset it was printed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant {
    /// Nanoseconds since 1970 UTC; of local time, where no offset is printed.
    pub(crate) utc_ns: i64,
    /// Seconds east of UTC; `None` where the text leaves the zone open.
    pub(crate) offset_s: Option<i32>,
    /// What the last digit printed stands for, in nanoseconds.
    pub(crate) resolution_ns: i64,
}

impl Instant {
    /// The instant of a stamp that was printed without its zone.
    pub(crate) fn in_zone(self, offset_s: i32) -> Self {
        Self { utc_ns: self.utc_ns - i64::from(offset_s) * SECOND_NS, offset_s: Some(offset_s), ..self }
    }
}

/// How a stamp is printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TimeFormat {
    /// `17/May/2015:10:05:03 +0000`.
    Clf,
    /// `17/May/2015:10:05:03.655`; the fraction may be missing.
    ClfLocal,
    /// The same, of a producer that prints UTC without saying so.
    ClfUtc,
    /// `2026-11-02T00:00:00.123Z`; the fraction, the zone and the `T` may be missing.
    Iso8601,
    /// The same, of a producer whose stamps without a zone are UTC.
    Iso8601Utc,
    /// `1502787600.123`.
    EpochSeconds,
    /// `1502787600123`.
    EpochMilliseconds,
    /// Microseconds since 1970.
    EpochMicroseconds,
    /// Nanoseconds since 1970.
    EpochNanoseconds,
    /// Any of the above, told apart by its text.
    Any,
    /// A layout of somebody's own.
    Pattern(Arc<TimePattern>),
}

impl TimeFormat {
    /// How many bytes at the start of `text` are a stamp, where the format says without a look at what follows.
    pub(crate) fn extent(&self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Clf => (text.len() >= 26).then_some(26),
            Self::Pattern(pattern) => pattern.extent(text),
            _ => None,
        }
    }
}

/// Remembers the last minute read, so that most lines cost a few comparisons and two digits.
#[derive(Debug, Default)]
pub(crate) struct TimeCache {
    /// The last stamp looked at, without its seconds; zeros, which are no stamp, where there was none.
    clf_text: [u64; 4],
    /// When its minute began, and its offset; `None` where it is no stamp.
    clf: Option<(i64, i32)>,
    /// As `clf_text`, of stamps by ISO 8601: date, hour and minute.
    iso_text: [u64; 2],
    /// As `clf`, without an offset, in seconds.
    iso_s: Option<i64>,
}

impl TimeCache {
    /// The instant that `text` prints in `format`.
    #[inline]
    pub(crate) fn read(&mut self, format: &TimeFormat, text: &[u8]) -> Option<Instant> {
        match format {
            TimeFormat::Clf => self.clf(text),
            TimeFormat::ClfLocal => self.clf_local(text),
            TimeFormat::ClfUtc => self.clf_local(text).map(|stamp| stamp.in_zone(0)),
            TimeFormat::Iso8601 => self.iso8601(text),
            TimeFormat::Iso8601Utc => {
                self.iso8601(text).map(|stamp| Instant { offset_s: stamp.offset_s.or(Some(0)), ..stamp })
            }
            TimeFormat::EpochSeconds => epoch(text, 1_000_000_000),
            TimeFormat::EpochMilliseconds => epoch(text, 1_000_000),
            TimeFormat::EpochMicroseconds => epoch(text, 1_000),
            TimeFormat::EpochNanoseconds => epoch(text, 1),
            TimeFormat::Any => self.any(text),
            TimeFormat::Pattern(pattern) => pattern.read(text),
        }
    }

    fn any(&mut self, text: &[u8]) -> Option<Instant> {
        let text = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]")).unwrap_or(text);
        let unit_ns = |point: Option<usize>| match point.unwrap_or(text.len()) {
            // Seconds reach 11 digits in the year 5138, milliseconds 14.
            ..=11 => 1_000_000_000,
            12..=14 => 1_000_000,
            15..=17 => 1_000,
            _ => 1,
        };
        match text {
            [_, _, b'/', ..] => self.clf(text),
            [_, _, _, _, b'-', ..] => self.iso8601(text),
            _ => {
                let point = near(b'.', text);
                epoch_at(text, point, unit_ns(point))
            }
        }
    }

    /// `17/May/2015:10:05:03 +0000`, as nginx `$time_local` and Apache `%t` print it.
    // Always inlined: it is hardly longer than a call of it.
    #[inline(always)]
    pub(crate) fn clf(&mut self, text: &[u8]) -> Option<Instant> {
        let text: &[u8; 26] = text.try_into().ok()?;
        let seconds = two_digits(text[18], text[19]).filter(|seconds| *seconds <= 60)?;
        let but_seconds = but_seconds(text);
        let ([a, b, c, d], [e, f, g, h]) = (self.clf_text, but_seconds);
        // As words: an array just written is not yet where a comparison of the whole would look for it.
        if (a ^ e) | (b ^ f) | (c ^ g) | (d ^ h) != 0 {
            (self.clf, self.clf_text) = (clf_minute(text), but_seconds);
        }
        let (minute_ns, offset_s) = self.clf?;
        let utc_ns = minute_ns.checked_add(i64::from(seconds) * SECOND_NS)?;
        Some(Instant { utc_ns, offset_s: Some(offset_s), resolution_ns: SECOND_NS })
    }

    /// As [`iso8601`].
    fn iso8601(&mut self, text: &[u8]) -> Option<Instant> {
        let (minute, rest) = text.split_first_chunk()?;
        let words = iso_words(minute);
        if words != self.iso_text {
            (self.iso_s, self.iso_text) = (iso_minute_s(minute), words);
        }
        in_iso_minute(self.iso_s?, rest)
    }

    /// `06/Feb/2009:12:14:14.655`, as HAProxy prints `%t` and `%tr`.
    fn clf_local(&mut self, text: &[u8]) -> Option<Instant> {
        let (whole, fraction) = text.split_at_checked(20)?;
        let mut zoned = *b"__/___/____:__:__:__ +0000";
        zoned[..20].copy_from_slice(whole);
        let (fraction_ns, resolution_ns) = fraction_ns(fraction)?;
        let stamp = self.clf(&zoned)?;
        Some(Instant { utc_ns: stamp.utc_ns.checked_add(fraction_ns)?, offset_s: None, resolution_ns })
    }
}

/// `.655`, or nothing: nanoseconds, and what the last digit stands for. Digits beyond nine are cut off.
fn fraction_ns(text: &[u8]) -> Option<(i64, i64)> {
    match text {
        [] => Some((0, SECOND_NS)),
        [b'.' | b',', digits @ ..] if !digits.is_empty() => {
            let kept = &digits[..digits.len().min(9)];
            let scale = 10_i64.pow(9 - kept.len() as u32);
            digits.iter().all(u8::is_ascii_digit).then_some(())?;
            Some((i64::try_from(number::unsigned(kept)?).ok()? * scale, scale))
        }
        _ => None,
    }
}

/// A number of units since 1970, `unit_ns` each; a fraction is finer than the unit. The zone of such a stamp is UTC.
fn epoch(text: &[u8], unit_ns: i64) -> Option<Instant> {
    epoch_at(text, near(b'.', text), unit_ns)
}

/// As [`epoch`], of a number whose point is at `point`.
fn epoch_at(text: &[u8], point: Option<usize>, unit_ns: i64) -> Option<Instant> {
    let fraction = point.map_or(0, |point| text.len() - point - 1);
    let resolution_ns = (unit_ns / number::POWERS_OF_TEN[fraction.min(9)]).max(1);
    Some(Instant { utc_ns: number::scaled(text, unit_ns)?, offset_s: Some(0), resolution_ns })
}

/// All of a stamp but its seconds, which are the bytes 18 and 19, in words that are compared at once.
#[inline]
fn but_seconds(text: &[u8; 26]) -> [u64; 4] {
    let word = |at: usize| u64::from_le_bytes(text[at..at + 8].try_into().expect("there are eight bytes"));
    // Bytes 18 and 19 are the third and fourth of the third word, and the first two of the last.
    [word(0), word(8), word(16) & !0xffff_0000, word(18) & !0xffff]
}

/// When the minute began, in nanoseconds since 1970 UTC, and the offset in seconds. `None` also for years that 64 bits
/// of nanoseconds do not reach (1677 to 2262), which are no time of a log.
#[cold]
fn clf_minute(text: &[u8; 26]) -> Option<(i64, i32)> {
    const MONTHS: [&[u8]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    if [text[2], text[6], text[11], text[14], text[17], text[20]] != *b"//::: " {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == &text[3..6])? as u32 + 1;
    let year = i64::try_from(number::unsigned(&text[7..11])?).ok()?;
    let day = two_digits(text[0], text[1])?;
    let date_s = days_from_civil(year, month, day)? * 86_400;
    let hour = two_digits(text[12], text[13]).filter(|hour| *hour < 24)?;
    let minute = two_digits(text[15], text[16]).filter(|minute| *minute < 60)?;
    let offset_s = offset(&text[21..])?;
    let minute_s = date_s + i64::from(hour * 3600 + minute * 60) - i64::from(offset_s);
    Some((minute_s.checked_mul(SECOND_NS)?, offset_s))
}

/// `1970-09-28T12:00:00+06:00`, with optional fraction, `Z`, `+0600` or no zone: nginx `$time_iso8601` and most JSON
/// logs.
pub(crate) fn iso8601(text: &[u8]) -> Option<Instant> {
    let (minute, rest) = text.split_first_chunk()?;
    in_iso_minute(iso_minute_s(minute)?, rest)
}

fn iso_words(minute: &[u8; 16]) -> [u64; 2] {
    let (words, _) = minute.as_chunks::<8>();
    [u64::from_ne_bytes(words[0]), u64::from_ne_bytes(words[1])]
}

/// `1970-09-28T12:00` in seconds since 1970, on the clock that printed it.
fn iso_minute_s(text: &[u8; 16]) -> Option<i64> {
    if [text[4], text[7], text[13]] != *b"--:" || !matches!(text[10], b'T' | b't' | b' ') {
        return None;
    }
    let year = i64::try_from(number::unsigned(&text[..4])?).ok()?;
    let days = days_from_civil(year, two_digits(text[5], text[6])?, two_digits(text[8], text[9])?)?;
    let hour = two_digits(text[11], text[12]).filter(|hour| *hour < 24)?;
    let minute = two_digits(text[14], text[15]).filter(|minute| *minute < 60)?;
    Some(days * 86_400 + i64::from(hour * 3600 + minute * 60))
}

/// The instant whose minute began at `minute_s`, and is followed by `rest`: `:00+06:00`.
fn in_iso_minute(minute_s: i64, rest: &[u8]) -> Option<Instant> {
    let [b':', tens, ones, rest @ ..] = rest else { return None };
    let second = two_digits(*tens, *ones).filter(|second| *second <= 60)?;
    let zone = |byte: &u8| matches!(byte, b'Z' | b'z' | b'+' | b'-' | b' ');
    let zone_at = rest.iter().position(zone).unwrap_or(rest.len());
    let (fraction_ns, resolution_ns) = fraction_ns(&rest[..zone_at])?;
    let offset_s = match rest[zone_at..].trim_ascii_start() {
        [] => None,
        b"Z" | b"z" => Some(0),
        [sign, h1, h2, b':', m1, m2] => Some(offset(&[*sign, *h1, *h2, *m1, *m2])?),
        short => Some(offset(short)?),
    };
    let utc_s = minute_s + i64::from(second) - i64::from(offset_s.unwrap_or(0));
    let utc_ns = utc_s.checked_mul(SECOND_NS)?.checked_add(fraction_ns)?;
    Some(Instant { utc_ns, offset_s, resolution_ns })
}

/// `+0130` in seconds; at most 18 hours, like no zone on earth.
pub(super) fn offset(text: &[u8]) -> Option<i32> {
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
pub(super) fn days_from_civil(year: i64, month: u32, day: u32) -> Option<i64> {
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
        let expected = expected.map(|(utc, offset_s)| {
            (utc.parse::<jiff::Timestamp>().unwrap().as_nanosecond() as i64, Some(offset_s))
        });
        assert_eq!(found.map(|found| (found.utc_ns, found.offset_s)), expected);
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
    fn stamps_without_their_zone_leave_it_open() {
        let mut cache = TimeCache::default();
        let stamp = cache.read(&TimeFormat::ClfLocal, b"06/Feb/2009:12:14:14.655").unwrap();
        assert_eq!((stamp.offset_s, stamp.resolution_ns), (None, 1_000_000));
        check(Some(stamp.in_zone(3600)), Some(("2009-02-06T11:14:14.655Z", 3600)));
        check(cache.read(&TimeFormat::ClfUtc, b"06/Feb/2009:12:14:14"), Some(("2009-02-06T12:14:14Z", 0)));
        check(cache.clf(b"06/Feb/2009:12:14:15 +0100"), Some(("2009-02-06T11:14:15Z", 3600)));
        for wrong in ["06/Feb/2009:12:14:14 +0000", "06/Feb/2009:12:14:14.", "06/Feb/2009:12:14", ""] {
            assert_eq!(cache.read(&TimeFormat::ClfLocal, wrong.as_bytes()), None, "{wrong}");
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
        let mut cache = TimeCache::default();
        // Whatever minute was read before, and once more in the same.
        let mut iso8601 = |text: &[u8]| {
            let found = iso8601(text);
            assert_eq!([(); 2].map(|()| cache.iso8601(text)), [found; 2]);
            found
        };
        check(iso8601(b"1970-09-28T12:00:00+06:00"), Some(("1970-09-28T06:00:00Z", 21_600)));
        check(iso8601(b"2026-11-02T00:00:00.123456789Z"), Some(("2026-11-02T00:00:00.123456789Z", 0)));
        check(iso8601(b"2018-07-05T15:43:47.690014-0400"), Some(("2018-07-05T19:43:47.690014Z", -14_400)));
        check(iso8601(b"2026-13-02T00:00:00Z"), None);
        assert_eq!(iso8601(b"2002-05-02 17:42:15").unwrap().offset_s, None);
        for (text, resolution_ns) in
            [("2026-11-02T00:00:00Z", 1_000_000_000), ("2026-11-02T00:00:00.120Z", 1_000_000)]
        {
            assert_eq!(iso8601(text.as_bytes()).unwrap().resolution_ns, resolution_ns);
        }
    }

    #[test]
    fn any_stamp_is_told_by_its_text() {
        let mut cache = TimeCache::default();
        for text in [
            "17/May/2015:10:05:03 +0000",
            "2015-05-17T10:05:03Z",
            "1431857103",
            "1431857103.000",
            "1431857103000",
            "1431857103000000",
            "1431857103000000000",
        ] {
            check(cache.read(&TimeFormat::Any, text.as_bytes()), Some(("2015-05-17T10:05:03Z", 0)));
        }
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
