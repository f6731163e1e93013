//! Exact counts of a log: what needs no sessions and no routes.

use std::collections::BTreeMap;

use crate::request::{Request, SECOND_NS};

/// Exact counts of a log: integers that add up over any split.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

impl Counts {
    /// Counts one request. `hour` is what the last one left there: its hour since 1970, and its offset.
    pub(crate) fn add(&mut self, request: &Request<'_>, hour: &mut (i64, i32)) {
        self.add_amounts(request);
        self.add_moment(request.stamp_ns, request.offset_s, hour);
    }

    /// Counts one request, but not when it was.
    pub(crate) fn add_amounts(&mut self, request: &Request<'_>) {
        self.requests += 1;
        self.bytes_out = self.bytes_out.saturating_add(request.bytes_out.unwrap_or(0));
    }

    /// Counts when one request was.
    pub(crate) fn add_moment(&mut self, stamp_ns: i64, offset_s: i32, hour: &mut (i64, i32)) {
        let utc_s = stamp_ns.div_euclid(SECOND_NS);
        let local_hour = (utc_s + i64::from(offset_s)).div_euclid(3600).rem_euclid(24);
        let utc_hour = utc_s.div_euclid(3600);
        self.by_local_hour[local_hour as usize] += 1;
        self.by_utc_hour[utc_hour.rem_euclid(24) as usize] += 1;
        // Neighbouring lines nearly always share hour and offset: the map is touched only when they change.
        if *hour != (utc_hour, offset_s) {
            *hour = (utc_hour, offset_s);
            let known = self.offset_s_by_hour.entry(utc_hour).or_insert(offset_s);
            *known = (*known).min(offset_s);
        }
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
