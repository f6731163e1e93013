//! Quantities as people write them, and the rounding that published figures get.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Weekday {
    /// All days, Monday first.
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    /// Days since Monday.
    pub fn index(self) -> usize {
        self as usize
    }

    /// `mon` … `sun`.
    pub fn name(self) -> &'static str {
        ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][self.index()]
    }
}

impl std::str::FromStr for Weekday {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|day| text.to_ascii_lowercase().starts_with(day.name()));
        found.ok_or_else(|| format!("found `{text}`, expected a day such as `tue`"))
    }
}

/// A time of the week as `tue 20:30`, from seconds after Monday 00:00.
pub fn time_of_week(t_s: f64) -> String {
    let minutes = ((t_s / 60.0).round() as i64).rem_euclid(7 * 24 * 60);
    let day = Weekday::ALL[(minutes / (24 * 60)) as usize];
    format!("{} {:02}:{:02}", day.name(), minutes / 60 % 24, minutes % 60)
}

/// Parses `90s`, `5m`, `1h30m`, `250ms`, `2d`, or a plain number of seconds.
///
/// # Errors
/// A sentence that says what was found and expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("found `{text}`, expected a duration such as `90s`, `5m` or `1h30m`");
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).map_err(|_| wrong());
    }
    let mut total_s = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |i| digits + i);
        total_s += number
            * match &rest[digits..unit_end] {
                "ms" => 1e-3,
                "s" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                _ => return Err(wrong()),
            };
        rest = &rest[unit_end..];
    }
    if text.is_empty() { Err(wrong()) } else { Duration::try_from_secs_f64(total_s).map_err(|_| wrong()) }
}

/// Parses `512M`, `2GiB`, `1.5GB` or a plain number of bytes.
///
/// `k`, `M`, `G` and `T` are powers of 1024, with `iB` behind them or nothing; with `B`, powers of 1000.
///
/// # Errors
/// A sentence that says what was found and expected.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("found `{text}`, expected a size such as `512M` or `2G`");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().map_err(|_| wrong())?;
    let (prefix, base) = match &text[digits..] {
        "" | "B" => ("", 1.0),
        unit if unit.ends_with("iB") => (&unit[..unit.len() - 2], 1024.0),
        unit if unit.ends_with('B') => (&unit[..unit.len() - 1], 1000.0),
        unit => (unit, 1024.0),
    };
    let power = match prefix {
        "" if !text.ends_with("iB") => 0,
        "k" | "K" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        _ => return Err(wrong()),
    };
    Ok((number * f64::powi(base, power)) as u64)
}

/// Seconds as `250ms`, `41s`, `5m`, `1h 30m`: at most two units.
pub fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 {
        return format!("{:.0}ms", seconds * 1e3);
    }
    let whole = seconds.round() as u64;
    let parts = [(whole / 86_400, "d"), (whole / 3600 % 24, "h"), (whole / 60 % 60, "m"), (whole % 60, "s")];
    let first = parts.iter().position(|(n, _)| *n > 0).unwrap_or(3);
    let shown: Vec<String> = parts
        .iter()
        .skip(first)
        .take(2)
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| format!("{n}{unit}"))
        .collect();
    shown.join(" ")
}

/// `x` to `digits` significant digits, the last one rounded half away from zero.
///
/// Goes through the decimal text, so that the result prints in its shortest form.
pub fn round_significant(x: f64, digits: usize) -> f64 {
    format!("{x:.*e}", digits.saturating_sub(1)).parse().unwrap_or(x)
}

/// A published count: three significant digits (so that two profiles cannot be subtracted to find a person).
pub fn round_count(count: u64) -> u64 {
    round_significant(count as f64, 3) as u64
}

/// A published probability: a multiple of 1e-4.
pub fn round_probability(p: f64) -> f64 {
    (p * 1e4).round() / 1e4
}

/// Rounds `shares` to multiples of 1e-4 that add up to exactly 1 (largest remainder; ties go to the first).
///
/// Shares must be finite and not negative; an all-zero list stays zero.
pub fn round_shares(shares: &[f64]) -> Vec<f64> {
    const GRAINS: u64 = 10_000;
    let total: f64 = shares.iter().sum();
    if total <= 0.0 {
        return vec![0.0; shares.len()];
    }
    let exact: Vec<f64> = shares.iter().map(|share| share / total * GRAINS as f64).collect();
    let mut grains: Vec<u64> = exact.iter().map(|x| x.floor() as u64).collect();
    let missing = GRAINS.saturating_sub(grains.iter().sum()) as usize;
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|a, b| (exact[*b].fract()).total_cmp(&exact[*a].fract()).then(a.cmp(b)));
    for at in order.into_iter().take(missing) {
        grains[at] += 1;
    }
    grains.into_iter().map(|n| n as f64 / GRAINS as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("512M", Some(512 << 20)),
            ("2GiB", Some(2 << 30)),
            ("1.5GB", Some(1_500_000_000)),
            ("64k", Some(64 << 10)),
            ("1000", Some(1000)),
            ("7B", Some(7)),
            ("", None),
            ("M", None),
            ("5 MB", None),
            ("5X", None),
            ("5iB", None),
        ] {
            assert_eq!(parse_bytes(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn durations_as_people_write_them() {
        for (text, ms) in
            [("90s", 90_000), ("1h30m", 5_400_000), ("250ms", 250), ("2", 2_000), ("1.5m", 90_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "s", "5 apples", "-3s", "5x", "1e400"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert_eq!(format_duration(Duration::from_secs(5400)), "1h 30m");
        assert_eq!(format_duration(Duration::from_secs(30)), "30s");
    }

    #[test]
    fn published_figures_are_rounded() {
        assert_eq!(round_count(412_345), 412_000);
        assert_eq!(round_count(999_500), 1_000_000);
        assert_eq!(round_count(37), 37);
        assert_eq!(round_significant(0.012_345, 3).to_string(), "0.0123");
    }

    #[test]
    fn rounded_shares_add_up() {
        let shares = round_shares(&[1.0, 1.0, 1.0]);
        assert_eq!(shares, [0.3334, 0.3333, 0.3333]);
        let many = round_shares(&vec![1.0; 12_345]);
        assert!((many.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn time_of_week_names_the_day() {
        assert_eq!(time_of_week(86_400.0 + 20.5 * 3600.0), "tue 20:30");
        assert_eq!(time_of_week(-60.0), "sun 23:59");
    }
}
