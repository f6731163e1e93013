//! How long an overloaded target asks to be left alone: `Retry-After` (RFC 9110, 10.2.3).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nobody is waited for longer.
const LONGEST: Duration = Duration::from_secs(3600);

/// How long an answer asks to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryAfter {
    /// So long: it says seconds, or a date and what it takes for now.
    In(Duration),
    /// Until a moment; it does not say what it takes for now.
    Until(SystemTime),
}

impl RetryAfter {
    /// What an answer with this status, this `Retry-After` and this `Date` asks; nothing unless it is 429 or 503, and nothing
    /// for what is neither seconds nor a date.
    ///
    /// A date is one of the target's clock, which may go wrong: the `Date` of the same answer says by how much.
    pub(crate) fn of(status: u16, value: &str, date: Option<&str>) -> Option<Self> {
        if !matches!(status, 429 | 503) {
            return None;
        }
        let value = value.trim();
        if let Ok(seconds) = value.parse() {
            return Some(Self::In(Duration::from_secs(seconds)));
        }
        let until = httpdate::parse_http_date(value).ok()?;
        let now = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok());
        Some(now.map_or(Self::Until(until), |now| Self::In(until.duration_since(now).unwrap_or_default())))
    }

    /// How long to wait, when the Unix epoch is over for `since_epoch` by our own clock: at most an hour.
    pub(crate) fn wait(self, since_epoch: Duration) -> Duration {
        let wait = match self {
            Self::In(wait) => wait,
            Self::Until(until) => until.duration_since(UNIX_EPOCH + since_epoch).unwrap_or_default(),
        };
        wait.min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overloaded_targets_say_how_long_to_wait() {
        /// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
        const NOW_S: u64 = 784_111_777;
        #[track_caller]
        fn check(status: u16, value: &str, date: Option<&str>, expected_s: Option<u64>) {
            let found =
                RetryAfter::of(status, value, date).map(|asked| asked.wait(Duration::from_secs(NOW_S)));
            assert_eq!(found, expected_s.map(Duration::from_secs), "{status} {value} {date:?}");
        }
        check(429, "2", None, Some(2));
        check(503, " 0 ", None, Some(0));
        check(503, "99999999999", None, Some(3600));
        check(200, "2", None, None);
        check(200, "Sun, 06 Nov 1994 08:49:39 GMT", None, None);
        for value in ["", "-1", "soon", "2 s", "Sun, 06 Nov 1994", "1e3"] {
            check(429, value, None, None);
        }
        // By our own clock: to come, over, too far away, and in the forms that old servers write.
        check(503, "Sun, 06 Nov 1994 08:49:39 GMT", None, Some(2));
        check(429, " Sunday, 06-Nov-94 08:49:47 GMT", None, Some(10));
        check(503, "Sun Nov  6 08:50:37 1994", None, Some(60));
        check(503, "Sun, 06 Nov 1994 08:49:37 GMT", None, Some(0));
        check(503, "Fri, 31 Dec 1993 23:59:59 GMT", None, Some(0));
        check(503, "Fri, 31 Dec 1999 23:59:59 GMT", None, Some(3600));
        // By the target's, which is an hour ahead, a year behind, or broken.
        check(503, "Sun, 06 Nov 1994 09:49:42 GMT", Some("Sun, 06 Nov 1994 09:49:37 GMT"), Some(5));
        check(503, "Sat, 06 Nov 1993 08:49:41 GMT", Some(" Sat, 06 Nov 1993 08:49:37 GMT "), Some(4));
        check(503, "Sun, 06 Nov 1994 08:49:30 GMT", Some("Sun, 06 Nov 1994 08:49:37 GMT"), Some(0));
        check(503, "Sun, 06 Nov 1994 08:49:39 GMT", Some("today"), Some(2));
        check(503, "7", Some("Sun, 06 Nov 1994 09:49:37 GMT"), Some(7));
    }
}
