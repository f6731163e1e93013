//! One civil day beside the others: which are unlike the rest, and how far the same weekday varies.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::civil::Date;
use shared::units::Weekday;

use super::expectation::Expectation;
use super::exposure::Coverage;
use crate::tally::civil::CivilClock;

const HOURS: usize = 24;
const HOUR_S: f64 = 3600.0;
/// How many times the noise floor a day's shape must be off.
const TIMES_NOISE: f64 = 3.0;
/// How many robust standard deviations a day's level must be off, and by which factor at least.
const DEVIATIONS: f64 = 5.0;
const FACTOR: f64 = 1.25;
/// From the median absolute deviation to the standard deviation of a normal law.
const MAD_TO_SD: f64 = 1.4826;
/// Days of one kind without which there is nothing to compare with.
const LEAST_DAYS: usize = 4;
/// Days of the same kind on either side, which tell a day's usual level: two weeks or so, because
/// traffic grows.
const NEIGHBOURS: usize = 5;
/// Neighbours without which a slope would be chance.
const LEAST_FOR_SLOPE: usize = 6;
/// Share of a day that must be covered before it is judged.
const JUDGED: f64 = 0.5;
/// Share of a day that must be covered to count as whole.
const WHOLE: f64 = 0.99;
/// Expected sessions below which a day is not judged.
const LEAST_SESSIONS: f64 = 100.0;

/// Session starts of one civil day.
#[derive(Debug, Clone, PartialEq)]
pub struct Day {
    /// Days since 1970-01-01, civil time.
    pub number: i64,
    /// Starts by hour of the clock.
    pub counts: [f64; HOURS],
    /// Seconds covered by hour of the clock; 7200 in the hour that comes twice.
    pub exposure_s: [f64; HOURS],
    /// Starts that the curve expects of this day's covered time.
    pub expected: f64,
}

/// A day unlike the others of its kind.
#[derive(Debug, Clone, PartialEq)]
pub struct OutlierDay {
    /// Days since 1970-01-01, civil time.
    pub number: i64,
    /// Session starts on it.
    pub sessions: f64,
    /// Share of its sessions at another hour than on the median day of its kind.
    pub moved: f64,
    /// What chance makes of that share on usual days.
    pub noise: f64,
    /// Its sessions over those of the same kind of day around it.
    pub level: f64,
}

impl Day {
    /// All session starts.
    pub fn sessions(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// Its day of the week.
    pub fn weekday(&self) -> Weekday {
        // 1970-01-01 was a Thursday.
        Weekday::ALL[(self.number + 3).rem_euclid(7) as usize]
    }

    /// Share of 24 hours that is covered.
    fn covered(&self) -> f64 {
        self.exposure_s.iter().sum::<f64>() / (HOURS as f64 * HOUR_S)
    }

    fn is_weekend(&self) -> bool {
        self.weekday() >= Weekday::Sat
    }

    fn is_judged(&self) -> bool {
        self.covered() >= JUDGED && self.expected >= LEAST_SESSIONS
    }
}

/// The date of a day number.
pub fn date(number: i64) -> Option<Date> {
    Date::new(1970, 1, 1).ok()?.checked_add(jiff::Span::new().try_days(number).ok()?).ok()
}

/// The covered days in order, with what `expectation` expects of them. `sums` is what was counted in each of its
/// pieces ([`Coverage::sums`]).
pub fn by_day(clock: &CivilClock, sums: &[f64], expectation: &Expectation) -> Vec<Day> {
    let mut days: BTreeMap<i64, Day> = BTreeMap::new();
    for (piece, sum) in expectation.pieces().iter().zip(sums) {
        let number = clock.day(piece.from_s);
        let hour = (clock.second_of_week(piece.from_s) / 3600) as usize % HOURS;
        let day = days.entry(number).or_insert(Day {
            number,
            counts: [0.0; HOURS],
            exposure_s: [0.0; HOURS],
            expected: 0.0,
        });
        day.counts[hour] += sum;
        day.exposure_s[hour] += (piece.to_s - piece.from_s) as f64;
        day.expected += piece.expected();
    }
    days.into_values().collect()
}

/// Days whose shape or level is unlike that of the others of their kind (Monday to Friday, or weekend).
///
/// Shape: the share of sessions at another hour than on the median day is over three times the noise floor, which is
/// what Poisson counts would show, or the median of the kind where that is more. A weekday that differs from the other
/// weekdays every week is none, so the day must differ from its own weekday in other weeks as well. Level: beside what
/// its ten neighbours say, it is off by over five robust standard deviations of all days, and by a quarter.
///
/// Days with under half of their time or a hundred expected sessions are not judged, nor kinds with under four days.
/// A date may be published only when at least k clients had sessions on it: the caller counts them.
pub fn outliers(days: &[Day]) -> Vec<OutlierDay> {
    let kinds = [false, true].map(|weekend| -> Vec<&Day> {
        days.iter().filter(|day| day.is_judged() && day.is_weekend() == weekend).collect()
    });
    let off = kinds.each_ref().map(|kind| off_level(kind));
    // All days vary alike, and the weekends of a few weeks would be too few to tell how much.
    let spread = MAD_TO_SD * median(off.iter().flatten().map(|off| off.abs()).collect());
    let mut found: Vec<OutlierDay> =
        kinds.iter().zip(&off).flat_map(|(kind, off)| of_kind(kind, off, spread)).collect();
    found.sort_by_key(|day| day.number);
    found
}

/// The coverage without the civil days of `outliers`, which are in order.
pub fn without(coverage: &Coverage, clock: &CivilClock, outliers: &[OutlierDay]) -> Coverage {
    let on_outlier = |piece: &Range<i64>| {
        let day = clock.day(piece.start);
        outliers.binary_search_by_key(&day, |outlier| outlier.number).is_ok()
    };
    let left_out: Vec<Range<i64>> =
        if outliers.is_empty() { Vec::new() } else { coverage.pieces().filter(on_outlier).collect() };
    coverage.without(&left_out, 0)
}

/// The logarithm of each day's level over what its neighbours say it should be.
fn off_level(days: &[&Day]) -> Vec<f64> {
    let levels = log_levels(days);
    (0..days.len()).map(|at| levels[at] - by_neighbours(&levels, at)).collect()
}

fn of_kind(days: &[&Day], off_level: &[f64], spread: f64) -> Vec<OutlierDay> {
    if days.len() < LEAST_DAYS {
        return Vec::new();
    }
    let usual = median_shape(days.iter().copied());
    let moved: Vec<f64> = days.iter().map(|day| distance(day, &usual)).collect();
    let by_chance = median(moved.clone());
    let judge = |at: usize| {
        let (day, off) = (days[at], off_level[at]);
        let noise = poisson_noise(day, &usual, days.len()).max(by_chance);
        let same_weekday = || {
            days.iter()
                .copied()
                .filter(|other| other.weekday() == day.weekday() && other.number != day.number)
        };
        let unlike_its_own =
            same_weekday().count() < 2 || distance(day, &median_shape(same_weekday())) > TIMES_NOISE * noise;
        let shape = moved[at] > TIMES_NOISE * noise && unlike_its_own;
        let chance = 1.0 / day.expected.sqrt();
        let level = off.abs() > FACTOR.ln().max(DEVIATIONS * spread.max(chance));
        (shape || level).then(|| OutlierDay {
            number: day.number,
            sessions: day.sessions(),
            moved: moved[at],
            noise,
            level: off.exp(),
        })
    };
    (0..days.len()).filter_map(judge).collect()
}

/// Logarithms of the days' levels, less the median of the same weekday where it is there three times: one day of three
/// times its traffic raises what the curve expects of that weekday, and all others would seem low.
fn log_levels(days: &[&Day]) -> Vec<f64> {
    let of_weekday = |weekday: Weekday| {
        let same = days.iter().filter(|day| day.weekday() == weekday);
        let logs: Vec<f64> = same.map(|day| log_level(day)).collect();
        if logs.len() < 3 { 0.0 } else { median(logs) }
    };
    let usual = Weekday::ALL.map(of_weekday);
    days.iter().map(|day| log_level(day) - usual[day.weekday().index()]).collect()
}

fn log_level(day: &Day) -> f64 {
    (day.sessions() / day.expected).max(f64::MIN_POSITIVE).ln()
}

/// What the values next to one say of it: the median of a straight line through them (Theil 1950, Sen 1968), so that
/// the last days of a log that grows are not taken for unlike ones. Level where there are too few for a slope.
fn by_neighbours(values: &[f64], at: usize) -> f64 {
    let width = (2 * NEIGHBOURS + 1).min(values.len());
    let first = at.saturating_sub(NEIGHBOURS).min(values.len() - width);
    let others: Vec<usize> = (first..first + width).filter(|other| *other != at).collect();
    let distance = |from: usize, to: usize| to as f64 - from as f64;
    let slopes = others.iter().flat_map(|one| others.iter().map(move |other| (*one, *other)));
    let slopes = slopes.filter(|(one, other)| one < other);
    let slopes: Vec<f64> =
        slopes.map(|(one, other)| (values[other] - values[one]) / distance(one, other)).collect();
    let slope = if others.len() < LEAST_FOR_SLOPE { 0.0 } else { median(slopes) };
    median(others.into_iter().map(|other| values[other] + slope * distance(other, at)).collect())
}

/// The median share of each hour, adding up to 1.
fn median_shape<'d>(days: impl Iterator<Item = &'d Day> + Clone) -> [f64; HOURS] {
    let mut shape: [f64; HOURS] = std::array::from_fn(|hour| {
        let seen = days.clone().filter(|day| day.exposure_s[hour] >= JUDGED * HOUR_S);
        median(
            seen.map(|day| day.counts[hour] / day.exposure_s[hour] / (day.sessions() / day.covered()))
                .collect(),
        )
    });
    let total: f64 = shape.iter().sum();
    shape.iter_mut().for_each(|share| *share /= total.max(f64::MIN_POSITIVE));
    shape
}

/// What the usual shape expects of a day's covered hours, as shares.
fn expected_shares(day: &Day, usual: &[f64; HOURS]) -> [f64; HOURS] {
    let mut shares: [f64; HOURS] = std::array::from_fn(|hour| usual[hour] * day.exposure_s[hour] / HOUR_S);
    let total: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= total.max(f64::MIN_POSITIVE));
    shares
}

/// Share of a day's sessions at another hour than usual: the total variation distance.
fn distance(day: &Day, usual: &[f64; HOURS]) -> f64 {
    let shares = expected_shares(day, usual);
    let sessions = day.sessions().max(1.0);
    0.5 * shares.iter().zip(&day.counts).map(|(share, count)| (count / sessions - share).abs()).sum::<f64>()
}

/// The mean of that distance when counts are Poisson, and the usual shape is a median of as many days.
fn poisson_noise(day: &Day, usual: &[f64; HOURS], days: usize) -> f64 {
    let variance = |share: f64| share * (1.0 - share) / day.expected;
    let absolute = |share: &f64| (variance(*share) * 2.0 / std::f64::consts::PI).sqrt();
    // A median varies π/2 times as much as a mean.
    let of_median = (1.0 + std::f64::consts::FRAC_PI_2 / days as f64).sqrt();
    0.5 * expected_shares(day, usual).iter().map(absolute).sum::<f64>() * of_median
}

/// The coefficient of variation of a day's level, from one week to the next: `c² = (s² - mean)/mean²` of the totals of
/// the same weekday, pooled over weekdays (Avramidis, Deslauriers & L'Ecuyer 2004, for call centres).
///
/// Chance alone is taken out: 0 for Poisson totals on average. `None` unless some weekday is there whole twice.
pub fn level_cv(days: &[Day]) -> Option<f64> {
    let (mut above, mut squared_mean, mut freedom) = (0.0, 0.0, 0.0);
    for weekday in Weekday::ALL {
        let whole = days.iter().filter(|day| day.weekday() == weekday && day.covered() >= WHOLE);
        // A day of 23 or 25 hours counts as if it had 24.
        let totals: Vec<f64> = whole.map(|day| day.sessions() / day.covered()).collect();
        if totals.len() < 2 {
            continue;
        }
        let n = totals.len() as f64;
        let mean = totals.iter().sum::<f64>() / n;
        let variance = totals.iter().map(|total| (total - mean).powi(2)).sum::<f64>() / (n - 1.0);
        above += (n - 1.0) * (variance - mean);
        // The squared mean of few days is too large by the variance of the mean.
        squared_mean += (n - 1.0) * (mean * mean - variance / n);
        freedom += n - 1.0;
    }
    (freedom > 0.0 && squared_mean > 0.0).then(|| (above.max(0.0) / squared_mean).sqrt())
}

/// Variance of hourly counts over their mean, from the same hour of the same weekday in other weeks, each day at its
/// own level. `None` unless some weekday is there whole twice.
pub fn hourly_dispersion(days: &[Day]) -> Option<f64> {
    let (mut squares, mut freedom) = (0.0, 0.0);
    for weekday in Weekday::ALL {
        let whole: Vec<&Day> = days
            .iter()
            .filter(|day| day.weekday() == weekday && day.covered() >= WHOLE && day.sessions() > 0.0)
            .collect();
        if whole.len() < 2 {
            continue;
        }
        let all: f64 = whole.iter().map(|day| day.sessions()).sum();
        for hour in 0..HOURS {
            let of_hour: f64 = whole.iter().map(|day| day.counts[hour]).sum();
            let terms = whole.iter().map(|day| {
                let mean = of_hour * day.sessions() / all;
                if mean > 0.0 { (day.counts[hour] - mean).powi(2) / mean } else { 0.0 }
            });
            squares += terms.sum::<f64>();
        }
        freedom += ((whole.len() - 1) * (HOURS - 1)) as f64;
    }
    (freedom > 0.0).then(|| squares / freedom)
}

/// The middle value, or the mean of the two in the middle; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => 0.5 * (values[n / 2 - 1] + values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Day `number` with `level` × 50 sessions an hour between six and midnight, each hour `late` hours later.
    fn day(number: i64, level: f64, late: usize) -> Day {
        let counts =
            std::array::from_fn(|hour| if (hour + HOURS - late) % HOURS >= 6 { 50.0 * level } else { 0.0 });
        Day { number, counts, exposure_s: [HOUR_S; HOURS], expected: 900.0 }
    }

    #[test]
    fn a_holiday_is_found_by_shape_and_by_level() {
        // Four weeks from a Monday; on the second Wednesday all is late, on the third Friday there is little.
        let days: Vec<Day> = (4..32)
            .map(|number| {
                day(number, if number == 4 + 18 { 0.4 } else { 1.0 }, if number == 4 + 9 { 4 } else { 0 })
            })
            .collect();
        let found: Vec<i64> = outliers(&days).iter().map(|day| day.number).collect();
        assert_eq!(found, [4 + 9, 4 + 18]);
        assert_eq!(date(found[0]).unwrap().to_string(), "1970-01-14");
    }

    #[test]
    fn a_weekday_that_always_differs_is_no_outlier() {
        let days: Vec<Day> =
            (4..32).map(|number| day(number, 1.0, if number % 7 == 1 { 4 } else { 0 })).collect();
        assert_eq!(outliers(&days), []);
    }

    #[test]
    fn growth_is_no_outlier() {
        let days: Vec<Day> = (4..46).map(|number| day(number, 1.05_f64.powi(number as i32), 0)).collect();
        assert_eq!(outliers(&days), []);
    }

    #[test]
    fn the_variation_of_days_is_that_above_chance() {
        let levels = [1.1, 0.9];
        let days: Vec<Day> =
            (4..18).map(|number| day(number, levels[(number as usize - 4) / 7], 0)).collect();
        // Totals 990 and 810: s² = 16,200, mean 900.
        let expected = ((16_200.0 - 900.0) / (810_000.0 - 8_100.0_f64)).sqrt();
        assert!((level_cv(&days).unwrap() - expected).abs() < 1e-12);
        assert_eq!(level_cv(&days[..7]), None);
    }
}
