//! Exact counts of a log: what needs no sessions and no routes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::request::{Request, SECOND_NS};

/// Exact counts of a log: integers that add up over any split.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests understood.
    pub requests: u64,
    /// Bytes of all responses.
    pub bytes_out: u64,
    /// Requests by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests by hour of the day, as printed in the log.
    pub by_local_hour: [u64; 24],
    /// Requests by hour of the day, UTC.
    pub by_utc_hour: [u64; 24],
    /// The offset from UTC in force, by hour since 1970; the smallest where a log prints several.
    pub offset_s_by_hour: BTreeMap<i64, i32>,
    /// First and last stamp in nanoseconds since 1970.
    pub span_ns: Option<(i64, i64)>,
}

/// An hour by UTC, and the offset of the requests in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hour {
    since_1970: i64,
    start_ns: i64,
    offset_s: i32,
    /// The hour of the day.
    utc: usize,
    /// The same as printed; `None` where offsets are no whole hours: then two hours of the day meet in one by UTC.
    local: Option<usize>,
}

const HOUR_NS: i64 = 3600 * SECOND_NS;

impl Default for Hour {
    /// One that no request is in.
    fn default() -> Self {
        Self { since_1970: 0, start_ns: i64::MAX, offset_s: 0, utc: 0, local: None }
    }
}

impl Hour {
    fn of(stamp_ns: i64, offset_s: i32) -> Self {
        let since_1970 = stamp_ns.div_euclid(HOUR_NS);
        let hour_of_day = |hours: i64| hours.rem_euclid(24) as usize;
        let whole_hours = (offset_s % 3600 == 0).then(|| i64::from(offset_s / 3600));
        Self {
            since_1970,
            start_ns: since_1970.saturating_mul(HOUR_NS),
            offset_s,
            utc: hour_of_day(since_1970),
            local: whole_hours.map(|hours| hour_of_day(since_1970 + hours)),
        }
    }

    #[inline]
    fn holds(&self, stamp_ns: i64, offset_s: i32) -> bool {
        let since_ns = stamp_ns.wrapping_sub(self.start_ns);
        (0..HOUR_NS).contains(&since_ns) && offset_s == self.offset_s
    }

    /// The hour of the day, as printed, of a stamp in this hour.
    #[inline]
    fn local(&self, stamp_ns: i64) -> usize {
        let printed_ns = || stamp_ns.saturating_add(i64::from(self.offset_s) * SECOND_NS);
        self.local.unwrap_or_else(|| printed_ns().div_euclid(HOUR_NS).rem_euclid(24) as usize)
    }
}

impl Counts {
    /// Counts one request. `hour` is what the last one left there.
    #[inline]
    pub(crate) fn add(&mut self, request: &Request<'_>, hour: &mut Hour) {
        self.add_amounts(request);
        self.add_moment(request.stamp_ns, request.offset_s, hour);
    }

    /// Counts one request, but not when it was.
    #[inline]
    pub(crate) fn add_amounts(&mut self, request: &Request<'_>) {
        self.requests += 1;
        self.bytes_out = self.bytes_out.saturating_add(request.bytes_out.unwrap_or(0));
    }

    /// Counts when one request was.
    #[inline]
    pub(crate) fn add_moment(&mut self, stamp_ns: i64, offset_s: i32, hour: &mut Hour) {
        // Neighbouring lines nearly always share hour and offset.
        if !hour.holds(stamp_ns, offset_s) {
            *hour = Hour::of(stamp_ns, offset_s);
            let known = self.offset_s_by_hour.entry(hour.since_1970).or_insert(offset_s);
            *known = (*known).min(offset_s);
        }
        self.by_local_hour[hour.local(stamp_ns)] += 1;
        self.by_utc_hour[hour.utc] += 1;
        let (first, last) = self.span_ns.unwrap_or((stamp_ns, stamp_ns));
        self.span_ns = Some((first.min(stamp_ns), last.max(stamp_ns)));
    }

    /// Adds the counts of another part of the log.
    pub fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        self.bytes_out = self.bytes_out.saturating_add(other.bytes_out);
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_insert(0) += count;
        }
        for hour in 0..24 {
            self.by_local_hour[hour] += other.by_local_hour[hour];
            self.by_utc_hour[hour] += other.by_utc_hour[hour];
        }
        for (hour, offset_s) in other.offset_s_by_hour {
            let known = self.offset_s_by_hour.entry(hour).or_insert(offset_s);
            *known = (*known).min(offset_s);
        }
        self.span_ns = match (self.span_ns, other.span_ns) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, other) => one.or(other),
        };
    }
}
