//! Civil time of a log: by a named zone, or by the offsets that the log itself printed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Offsets from UTC through the time of a log.
#[derive(Debug, Clone)]
pub struct CivilClock {
    /// Offset in seconds from each change on, by hour since 1970.
    changes: BTreeMap<i64, i32>,
    name: String,
}

/// Seconds from Thursday 1970-01-01 back to its Monday.
const EPOCH_SINCE_MONDAY_S: i64 = 3 * 86_400;
const WEEK_S: i64 = 7 * 86_400;

impl CivilClock {
    /// The clock of `zone` between two hours since 1970.
    pub fn of_zone(zone: &TimeZone, hours: std::ops::RangeInclusive<i64>) -> Self {
        let mut changes = BTreeMap::new();
        let mut last = None;
        for hour in hours {
            let instant = Timestamp::from_second(hour * 3600).unwrap_or(Timestamp::UNIX_EPOCH);
            let offset_s = zone.to_offset(instant).seconds();
            if last != Some(offset_s) {
                last = Some(offset_s);
                changes.insert(hour, offset_s);
            }
        }
        Self { changes, name: zone.iana_name().unwrap_or("UTC").to_owned() }
    }

    /// The clock that a log printed: its offset per hour since 1970.
    pub fn of_log(offset_s_by_hour: &BTreeMap<i64, i32>) -> Self {
        let mut changes = BTreeMap::new();
        let mut last = None;
        for (hour, offset_s) in offset_s_by_hour {
            if last != Some(*offset_s) {
                last = Some(*offset_s);
                changes.insert(*hour, *offset_s);
            }
        }
        let offsets: BTreeSet<i32> = changes.values().copied().collect();
        // The prefix keeps YAML readers of the old school from taking `+10:00` for a number to the base of 60.
        let name = |offset_s: i32| {
            if offset_s == 0 { "UTC".to_owned() } else { format!("UTC{}", offset_name(offset_s)) }
        };
        let names: Vec<String> = offsets.into_iter().map(name).collect();
        Self { changes, name: if names.is_empty() { "UTC".to_owned() } else { names.join("/") } }
    }

    /// The zone, or the offsets that were in force: `Europe/Berlin`, `UTC`, `UTC+01:00/UTC+02:00`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The offset in force at an instant, in seconds.
    pub fn offset_s(&self, utc_s: i64) -> i32 {
        let hour = utc_s.div_euclid(3600);
        let before = self.changes.range(..=hour).next_back();
        before.or_else(|| self.changes.iter().next()).map_or(0, |(_, offset_s)| *offset_s)
    }

    /// Days since Thursday 1970-01-01 in civil time: the number of the date.
    pub fn day(&self, utc_s: i64) -> i64 {
        (utc_s + i64::from(self.offset_s(utc_s))).div_euclid(86_400)
    }

    /// Seconds since Monday 00:00, civil time.
    pub fn second_of_week(&self, utc_s: i64) -> i64 {
        (utc_s + i64::from(self.offset_s(utc_s)) + EPOCH_SINCE_MONDAY_S).rem_euclid(WEEK_S)
    }

    /// An instant in RFC 3339 with its civil offset.
    pub fn rfc3339(&self, utc_s: i64) -> String {
        let offset_s = self.offset_s(utc_s);
        let local = Timestamp::from_second(utc_s + i64::from(offset_s)).unwrap_or(Timestamp::UNIX_EPOCH);
        let text = local.to_string();
        let zone = if offset_s == 0 { "Z".to_owned() } else { offset_name(offset_s) };
        format!("{}{zone}", text.trim_end_matches('Z'))
    }
}

fn offset_name(offset_s: i32) -> String {
    let sign = if offset_s < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", offset_s.abs() / 3600, offset_s.abs() / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_s_own_offsets_make_a_clock() {
        let monday = 1_793_574_000; // 2026-11-02T00:00:00+01:00, a Sunday 23:00 in UTC
        let clock = CivilClock::of_log(&BTreeMap::from([(monday / 3600, 3600)]));
        assert_eq!((clock.second_of_week(monday), clock.name()), (0, "UTC+01:00"));
        assert_eq!(clock.rfc3339(monday), "2026-11-02T00:00:00+01:00");
    }

    #[test]
    fn a_zone_knows_its_changes() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let change = 1_792_890_000; // 2026-10-25T01:00:00Z, the end of summer time
        let clock = CivilClock::of_zone(&zone, change / 3600 - 48..=change / 3600 + 48);
        assert_eq!((clock.offset_s(change - 1), clock.offset_s(change)), (7200, 3600));
        assert_eq!(clock.name(), "Europe/Berlin");
    }
}
