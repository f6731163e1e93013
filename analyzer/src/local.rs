//! When requests were made whose stamps were printed without their zone.
//!
//! Local time is read in the zone of `--tz`. Twice a year it does not say when: an hour that clocks skipped is put
//! where they would have been without the change, and counted; an hour that they went through twice is told apart by
//! the order of the lines, which needs all lines of an input. So the stamps of that hour are taken for the first
//! pass while lines are read, noted down, and settled at the end.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::request::{Request, SECOND_NS};

/// The clock of a zone. Neighbouring lines share their minute, and clocks change at whole minutes.
#[derive(Debug)]
pub(crate) struct LocalClock {
    zone: TimeZone,
    minute: i64,
    offset: Offset,
}

/// Seconds east of UTC at some local time.
#[derive(Debug, Clone, Copy)]
enum Offset {
    Sure(i32),
    Skipped(i32),
    /// The local time came twice.
    Twice(i32, i32),
}

/// How a local time was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Understood {
    Sure,
    /// Clocks skipped that hour.
    Skipped,
    /// The time came twice; taken for the first.
    Twice(Fold),
}

/// A change of clocks backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fold {
    /// Local day, since 1970: no zone has two such changes in a day.
    day: i64,
    /// How much later the second pass was.
    shift_s: i32,
}

/// Where a line stands: its block and its number there.
pub(crate) type Place = (u64, u64);

impl LocalClock {
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self { zone, minute: i64::MIN, offset: Offset::Sure(0) }
    }

    /// Puts a request whose stamp is local time at its time in UTC.
    pub(crate) fn place(&mut self, request: &mut Request<'_>) -> Understood {
        let local_s = request.stamp_ns.div_euclid(SECOND_NS);
        let minute = local_s.div_euclid(60);
        if minute != self.minute {
            self.minute = minute;
            self.offset = offset(&self.zone, minute * 60);
        }
        let (offset_s, understood) = match self.offset {
            Offset::Sure(offset_s) => (offset_s, Understood::Sure),
            Offset::Skipped(offset_s) => (offset_s, Understood::Skipped),
            Offset::Twice(first_s, second_s) => {
                let fold = Fold { day: local_s.div_euclid(86_400), shift_s: first_s - second_s };
                (first_s, Understood::Twice(fold))
            }
        };
        request.stamp_ns -= i64::from(offset_s) * SECOND_NS;
        request.offset_s = offset_s;
        understood
    }
}

fn offset(zone: &TimeZone, local_s: i64) -> Offset {
    let civil = jiff::Timestamp::from_second(local_s).map(|utc| TimeZone::UTC.to_datetime(utc));
    match zone.to_ambiguous_timestamp(civil.unwrap_or(DateTime::MIN)).offset() {
        AmbiguousOffset::Unambiguous { offset } => Offset::Sure(offset.seconds()),
        AmbiguousOffset::Gap { before, .. } => Offset::Skipped(before.seconds()),
        AmbiguousOffset::Fold { before, after } => Offset::Twice(before.seconds(), after.seconds()),
    }
}

/// The second pass of a request that was taken for one of the first.
pub(crate) fn second_pass(request: &mut Request<'_>, fold: Fold) {
    request.stamp_ns += i64::from(fold.shift_s) * SECOND_NS;
    request.offset_s -= fold.shift_s;
}

/// What the stamps without a zone were like in a part of an input, in the order of its lines.
#[derive(Debug, Default)]
pub(crate) struct LocalStamps {
    /// Requests whose stamp had no zone.
    pub(crate) zoneless: u64,
    /// Those of an hour that clocks skipped.
    pub(crate) skipped: u64,
    /// The stamps of hours that came twice, and the stamps before and after each run of them.
    marks: Vec<Mark>,
}

#[derive(Debug, Clone, Copy)]
enum Mark {
    Sure(i64),
    Twice(Ambiguous),
}

/// A request of an hour that came twice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ambiguous {
    fold: Fold,
    /// Its line.
    pub(crate) place: Place,
    /// Its stamp in nanoseconds since 1970, and its offset, in the first pass.
    pub(crate) stamp_ns: i64,
    pub(crate) offset_s: i32,
    /// The number of its event among those of its block, where it has one.
    pub(crate) event: Option<u32>,
}

impl LocalStamps {
    /// Takes the next request whose stamp has no zone.
    pub(crate) fn add(
        &mut self,
        request: &Request<'_>,
        understood: Understood,
        place: Place,
        event: Option<u32>,
    ) {
        self.zoneless += 1;
        self.skipped += u64::from(understood == Understood::Skipped);
        match (understood, self.marks.as_slice()) {
            (Understood::Twice(fold), _) => {
                let (stamp_ns, offset_s) = (request.stamp_ns, request.offset_s);
                self.marks.push(Mark::Twice(Ambiguous { fold, place, stamp_ns, offset_s, event }));
            }
            // Of a run of sure stamps, only the first and the last have neighbours that are not.
            (_, [.., Mark::Sure(_), Mark::Sure(_)]) => {
                self.marks.pop();
                self.marks.push(Mark::Sure(request.stamp_ns));
            }
            _ => self.marks.push(Mark::Sure(request.stamp_ns)),
        }
    }

    /// Follows events that were put in another order.
    pub(crate) fn renumber(&mut self, position: &[u32]) {
        for mark in &mut self.marks {
            if let Mark::Twice(ambiguous) = mark {
                ambiguous.event = ambiguous.event.map(|number| position[number as usize]);
            }
        }
    }

    /// The requests of hours that came twice.
    pub(crate) fn ambiguous(&self) -> impl Iterator<Item = &Ambiguous> {
        self.marks.iter().filter_map(|mark| match mark {
            Mark::Twice(ambiguous) => Some(ambiguous),
            Mark::Sure(_) => None,
        })
    }
}

/// From which line on each hour that came twice is in its second pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SecondPasses(BTreeMap<i64, Place>);

impl SecondPasses {
    /// The second passes in one input, whose parts are given in order.
    ///
    /// The line at which time stepped back is the one that makes the way from stamp to stamp the shortest: a single
    /// late line goes back and forth and wins nothing, and the stamps before and after the hour count too.
    pub(crate) fn find<'p>(parts: impl Iterator<Item = &'p LocalStamps>) -> Self {
        let marks: Vec<Mark> = parts.flat_map(|part| part.marks.iter().copied()).collect();
        let mut ranges: BTreeMap<i64, (usize, usize)> = BTreeMap::new();
        for (at, mark) in marks.iter().enumerate() {
            if let Mark::Twice(ambiguous) = mark {
                match ranges.entry(ambiguous.fold.day) {
                    Entry::Vacant(entry) => drop(entry.insert((at, at))),
                    Entry::Occupied(mut entry) => entry.get_mut().1 = at,
                }
            }
        }
        let found = ranges.into_iter().filter_map(|(day, (first, last))| {
            let around = &marks[first.saturating_sub(1)..(last + 2).min(marks.len())];
            Some((day, shortest(around, day)?))
        });
        Self(found.collect())
    }

    /// Whether the request at `place` was in the second pass.
    pub(crate) fn is_second(&self, fold: Fold, place: Place) -> bool {
        self.0.get(&fold.day).is_some_and(|second| place >= *second)
    }

    /// How much later `ambiguous` was than first taken for, in seconds.
    pub(crate) fn shift_s(&self, ambiguous: &Ambiguous) -> i32 {
        if self.is_second(ambiguous.fold, ambiguous.place) { ambiguous.fold.shift_s } else { 0 }
    }
}

/// The first line of the second pass of the fold of `day`; `None` when all were in the first.
fn shortest(marks: &[Mark], day: i64) -> Option<Place> {
    // Where a stamp was, in either pass.
    let at = |mark: &Mark, second: bool| match mark {
        Mark::Twice(ambiguous) if second && ambiguous.fold.day == day => {
            ambiguous.stamp_ns + i64::from(ambiguous.fold.shift_s) * SECOND_NS
        }
        Mark::Twice(ambiguous) => ambiguous.stamp_ns,
        Mark::Sure(stamp_ns) => *stamp_ns,
    };
    let step = |pair: &[Mark], before: bool, after: bool| {
        i128::from(at(&pair[1], after)).abs_diff(i128::from(at(&pair[0], before)))
    };
    // The way with all stamps in the second pass, and then with one more in the first at each turn.
    let mut way: u128 = marks.windows(2).map(|pair| step(pair, true, true)).sum();
    let mut best: Option<(u128, Option<Place>)> = None;
    for (i, mark) in marks.iter().enumerate() {
        let before = i.checked_sub(1).map(|previous| &marks[previous..=i]);
        let into = |second| before.map_or(0, |pair| step(pair, false, second));
        // Up to here `way` has this stamp, and all after it, in the second pass, and all before it in the first.
        if let Mark::Twice(ambiguous) = mark
            && ambiguous.fold.day == day
        {
            if best.is_none_or(|(shortest, _)| way <= shortest) {
                best = Some((way, Some(ambiguous.place)));
            }
            let after = marks.get(i..i + 2);
            let out = |second| after.map_or(0, |pair| step(pair, second, true));
            way = way + into(false) + out(false) - into(true) - out(true);
        }
    }
    match best {
        Some((shortest, place)) if shortest < way => place,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads local times of 25 October 2026 in Berlin, where 02:00 to 03:00 came twice, in parts of `size` lines.
    fn utc(lines: &[&str], size: usize) -> Vec<String> {
        let mut clock = LocalClock::new(TimeZone::get("Europe/Berlin").unwrap());
        let read = |line: &&str| {
            let local: DateTime = format!("2026-10-25T{line}").parse().unwrap();
            let stamp_ns = TimeZone::UTC.to_timestamp(local).unwrap().as_nanosecond() as i64;
            Request { stamp_ns, zone_printed: false, ..Request::default() }
        };
        let mut found = Vec::new();
        let mut parts = Vec::new();
        for (block, lines) in lines.chunks(size).enumerate() {
            let mut part = LocalStamps::default();
            for (line, text) in lines.iter().enumerate() {
                let mut request = read(text);
                let understood = clock.place(&mut request);
                let place = (block as u64, line as u64);
                part.add(&request, understood, place, None);
                found.push((request, understood, place));
            }
            parts.push(part);
        }
        let second = SecondPasses::find(parts.iter());
        let settled = |(mut request, understood, place): (Request<'static>, _, _)| {
            if let Understood::Twice(fold) = understood
                && second.is_second(fold, place)
            {
                second_pass(&mut request, fold);
            }
            jiff::Timestamp::from_nanosecond(request.stamp_ns.into()).unwrap().strftime("%H:%M").to_string()
        };
        found.into_iter().map(settled).collect()
    }

    #[test]
    fn an_hour_that_came_twice_is_told_apart_by_the_order_of_lines() {
        for (lines, expected) in [
            ("01:50 02:10 02:50 02:05 02:55 03:00", "23:50 00:10 00:50 01:05 01:55 02:00"),
            // Sparse lines: the step back is short, but the way on is shorter still.
            ("01:50 02:20 02:50 02:40 03:10", "23:50 00:20 00:50 01:40 02:10"),
            // A late line is no second pass.
            (
                "01:50 02:10 02:58 02:03 02:59 02:04 02:56 03:10",
                "23:50 00:10 00:58 00:03 00:59 01:04 01:56 02:10",
            ),
            // Logs that begin or end within the hour.
            ("02:30 02:40 02:58 03:00 03:10", "01:30 01:40 01:58 02:00 02:10"),
            ("01:58 01:59 02:00 02:30", "23:58 23:59 00:00 00:30"),
            // Nothing says which.
            ("02:30 02:40", "00:30 00:40"),
            ("01:30 01:40", "23:30 23:40"),
        ] {
            let lines: Vec<&str> = lines.split(' ').collect();
            for size in [1, 2, 3, 100] {
                assert_eq!(utc(&lines, size).join(" "), expected, "{lines:?} in parts of {size}");
            }
        }
    }

    #[test]
    fn an_hour_that_clocks_skipped_is_put_after_it() {
        let mut clock = LocalClock::new(TimeZone::get("Europe/Berlin").unwrap());
        let stamp_ns = 1_774_751_400 * SECOND_NS; // 2026-03-29T02:30:00
        let mut request = Request { stamp_ns, zone_printed: false, ..Request::default() };
        assert_eq!(clock.place(&mut request), Understood::Skipped);
        assert_eq!((request.stamp_ns, request.offset_s), (stamp_ns - 3600 * SECOND_NS, 3600));
    }
}
