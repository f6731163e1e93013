//! Stamps in a layout of somebody's own: `strftime` strings, compiled once.
//!
//! Source: the conversions of C's `strftime` as glibc has them, in the C locale, and the tokens `sec`, `msec`,
//! `usec`, `msec_frac` and `usec_frac` of Apache's `%{…}t` (`mod_log_config`).

use super::number;
use super::time::{Instant, days_from_civil, offset};
use crate::request::SECOND_NS;

/// A compiled layout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TimePattern {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Literal(u8),
    /// A number of `least` to `most` digits; blanks may stand for leading zeros.
    Number {
        part: Part,
        least: u8,
        most: u8,
    },
    /// `Jan`.
    ShortMonth,
    /// `January`.
    LongMonth,
    /// A word that the date does not need: the day of the week.
    Word,
    /// `AM` or `PM`, in any case.
    Meridiem,
    /// `+0130`, `+01:30` or `Z`.
    Zone,
    /// `UTC`, `CEST`.
    ZoneName,
    /// That many digits of a fraction of a second.
    Fraction(u8),
    /// Units since 1970, so many nanoseconds each.
    Epoch(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    Century,
    YearOfCentury,
    Month,
    Day,
    DayOfYear,
    Hour,
    Hour12,
    Minute,
    Second,
    /// Follows from the others, such as the number of the week.
    Redundant,
}

/// What a layout says of a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Says {
    /// The day.
    pub(crate) date: bool,
    /// The time of day, to the minute at least.
    pub(crate) time: bool,
    pub(crate) fraction: bool,
    pub(crate) zone: bool,
}

impl Says {
    /// Both say the same thing, so neither can be a part of the other's stamp.
    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.date && other.date
            || self.time && other.time
            || self.fraction && other.fraction
            || self.zone && other.zone
    }

    /// The moment is determined, but for its zone.
    pub(crate) fn is_complete(self) -> bool {
        self.date && self.time
    }
}

impl TimePattern {
    /// Compiles a `strftime` string.
    ///
    /// # Errors
    /// The conversion that is not known.
    pub(crate) fn strftime(text: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        strftime(text, &mut steps)?;
        Ok(Self { steps })
    }

    /// One of Apache's tokens for what `strftime` lacks.
    pub(crate) fn token(name: &str) -> Option<Self> {
        let step = match name {
            "sec" => Step::Epoch(SECOND_NS),
            "msec" => Step::Epoch(1_000_000),
            "usec" => Step::Epoch(1_000),
            "msec_frac" => Step::Fraction(3),
            "usec_frac" => Step::Fraction(6),
            _ => return None,
        };
        Some(Self { steps: vec![step] })
    }

    /// This layout, `literal` and `other` in a row.
    pub(crate) fn joined(mut self, literal: &[u8], other: &Self) -> Self {
        self.steps.extend(literal.iter().map(|byte| Step::Literal(*byte)));
        self.steps.extend_from_slice(&other.steps);
        self
    }

    /// What the layout says of a moment.
    pub(crate) fn says(&self) -> Says {
        let has =
            |part| self.steps.iter().any(|step| matches!(step, Step::Number { part: p, .. } if *p == part));
        let step = |wanted: fn(&Step) -> bool| self.steps.iter().any(wanted);
        let epoch = step(|step| matches!(step, Step::Epoch(_)));
        let month = has(Part::Month) || step(|step| matches!(step, Step::ShortMonth | Step::LongMonth));
        let day = month && has(Part::Day) || has(Part::DayOfYear);
        let hour = has(Part::Hour) || has(Part::Hour12) && step(|step| *step == Step::Meridiem);
        Says {
            date: epoch || day && (has(Part::Year) || has(Part::YearOfCentury)),
            time: epoch || hour && has(Part::Minute),
            fraction: step(|step| match step {
                Step::Fraction(_) => true,
                Step::Epoch(unit_ns) => *unit_ns < SECOND_NS,
                _ => false,
            }),
            zone: epoch || step(|step| matches!(step, Step::Zone | Step::ZoneName)),
        }
    }

    /// The instant that `text` prints.
    pub(crate) fn read(&self, text: &[u8]) -> Option<Instant> {
        let (parts, rest) = self.parts(text)?;
        rest.is_empty().then(|| parts.instant())?
    }

    /// How many bytes at the start of `text` are in this layout.
    pub(crate) fn extent(&self, text: &[u8]) -> Option<usize> {
        self.parts(text).map(|(_, rest)| text.len() - rest.len())
    }

    fn parts<'a>(&self, text: &'a [u8]) -> Option<(Parts, &'a [u8])> {
        let mut parts = Parts::default();
        let mut rest = text;
        for step in &self.steps {
            rest = parts.take(*step, rest)?;
        }
        Some((parts, rest))
    }
}

/// The numbers of one stamp.
#[derive(Debug, Default)]
struct Parts {
    year: Option<i64>,
    century: Option<i64>,
    year_of_century: Option<i64>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    hour: Option<u32>,
    hour12: Option<u32>,
    afternoon: bool,
    minute: u32,
    second: Option<u32>,
    fraction: Option<(i64, i64)>,
    epoch: Option<(i64, i64)>,
    offset_s: Option<i32>,
}

impl Parts {
    /// Reads one step at the start of `text`; gives what follows.
    fn take<'a>(&mut self, step: Step, text: &'a [u8]) -> Option<&'a [u8]> {
        let letters = || text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let used = match step {
            Step::Literal(byte) => (text.first() == Some(&byte)).then_some(1)?,
            Step::Number { part, least, most } => {
                let blanks =
                    text.iter().take(usize::from(most) - 1).take_while(|byte| **byte == b' ').count();
                let room = usize::from(most) - blanks;
                let digits =
                    text[blanks..].iter().take(room).take_while(|byte| byte.is_ascii_digit()).count();
                (blanks + digits >= usize::from(least)).then_some(())?;
                self.set(part, number::unsigned(&text[blanks..blanks + digits])?)?;
                blanks + digits
            }
            Step::ShortMonth => {
                self.month = Some(month(text.get(..3)?)?);
                3
            }
            Step::LongMonth => {
                self.month = Some(month(text.get(..3)?)?);
                letters()
            }
            Step::Word => Some(letters()).filter(|letters| *letters > 0)?,
            Step::Meridiem => {
                self.afternoon = match text.get(..2)? {
                    [b'a' | b'A', b'm' | b'M'] => false,
                    [b'p' | b'P', b'm' | b'M'] => true,
                    _ => return None,
                };
                2
            }
            Step::Zone => {
                let (offset_s, used) = match *text {
                    [b'Z' | b'z', ..] => (0, 1),
                    [sign, h1, h2, b':', m1, m2, ..] => (offset(&[sign, h1, h2, m1, m2])?, 6),
                    [sign, h1, h2, m1, m2, ..] => (offset(&[sign, h1, h2, m1, m2])?, 5),
                    _ => return None,
                };
                self.offset_s = Some(offset_s);
                used
            }
            Step::ZoneName => {
                let name = &text[..Some(letters()).filter(|letters| *letters > 0)?];
                self.offset_s = self.offset_s.or(named_zone(name));
                name.len()
            }
            Step::Fraction(digits) => {
                let scale = 10_i64.pow(9 - u32::from(digits));
                let fraction = number::unsigned(text.get(..usize::from(digits))?)?;
                self.fraction = Some((i64::try_from(fraction).ok()? * scale, scale));
                usize::from(digits)
            }
            Step::Epoch(unit_ns) => {
                let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let units = i64::try_from(number::unsigned(&text[..digits])?).ok()?;
                self.epoch = Some((units.checked_mul(unit_ns)?, unit_ns));
                digits
            }
        };
        Some(&text[used..])
    }

    fn set(&mut self, part: Part, number: u64) -> Option<()> {
        let number = u32::try_from(number).ok()?;
        match part {
            Part::Year => self.year = Some(i64::from(number)),
            Part::Century => self.century = Some(i64::from(number)),
            Part::YearOfCentury => self.year_of_century = Some(i64::from(number)),
            Part::Month => self.month = Some(number),
            Part::Day => self.day = Some(number),
            Part::DayOfYear => self.day_of_year = Some(number),
            Part::Hour => self.hour = Some(number).filter(|hour| *hour < 24),
            Part::Hour12 => self.hour12 = Some(number).filter(|hour| (1..=12).contains(hour)),
            Part::Minute => self.minute = Some(number).filter(|minute| *minute < 60)?,
            Part::Second => self.second = Some(Some(number).filter(|second| *second <= 60)?),
            Part::Redundant => {}
        }
        Some(())
    }

    fn instant(&self) -> Option<Instant> {
        let (fraction_ns, fraction_grain) = self.fraction.unwrap_or((0, i64::MAX));
        if let Some((epoch_ns, unit_ns)) = self.epoch {
            let utc_ns = epoch_ns.checked_add(fraction_ns)?;
            let offset_s = Some(self.offset_s.unwrap_or(0));
            return Some(Instant { utc_ns, offset_s, resolution_ns: unit_ns.min(fraction_grain) });
        }
        let year = match (self.year, self.century, self.year_of_century) {
            (Some(year), ..) => year,
            (None, Some(century), Some(year)) => century * 100 + year,
            // As POSIX has it for `strptime`.
            (None, None, Some(year @ 69..)) => 1900 + year,
            (None, None, Some(year)) => 2000 + year,
            (None, _, None) => return None,
        };
        let days = match (self.month, self.day, self.day_of_year) {
            (Some(month), Some(day), _) => days_from_civil(year, month, day)?,
            (.., Some(day @ 1..=366)) => days_from_civil(year, 1, 1)? + i64::from(day) - 1,
            _ => return None,
        };
        let hour = match (self.hour, self.hour12) {
            (Some(hour), _) => hour,
            (None, Some(hour)) => hour % 12 + if self.afternoon { 12 } else { 0 },
            (None, None) => return None,
        };
        let clock_s = i64::from(hour * 3600 + self.minute * 60 + self.second.unwrap_or(0));
        let utc_s = days * 86_400 + clock_s - i64::from(self.offset_s.unwrap_or(0));
        let utc_ns = utc_s.checked_mul(SECOND_NS)?.checked_add(fraction_ns)?;
        let whole_grain = if self.second.is_some() { SECOND_NS } else { 60 * SECOND_NS };
        Some(Instant { utc_ns, offset_s: self.offset_s, resolution_ns: whole_grain.min(fraction_grain) })
    }
}

fn month(name: &[u8]) -> Option<u32> {
    const MONTHS: [&[u8]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    MONTHS.iter().position(|known| *known == name).map(|at| at as u32 + 1)
}

/// Zones whose abbreviation means one offset only: UTC, and those that RFC 5322 (section 4.3) lists.
fn named_zone(name: &[u8]) -> Option<i32> {
    let hours = match name {
        b"UTC" | b"GMT" | b"UT" | b"Z" => 0,
        b"EDT" => -4,
        b"EST" | b"CDT" => -5,
        b"CST" | b"MDT" => -6,
        b"MST" | b"PDT" => -7,
        b"PST" => -8,
        b"CET" => 1,
        b"CEST" => 2,
        _ => return None,
    };
    Some(hours * 3600)
}

fn strftime(text: &str, steps: &mut Vec<Step>) -> Result<(), String> {
    let number = |part, digits| Step::Number { part, least: digits, most: digits };
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            steps.push(Step::Literal(*byte));
            continue;
        }
        let flags = rest.iter().take_while(|byte| matches!(byte, b'-' | b'_' | b'0' | b'^' | b'#')).count();
        let unpadded = rest[..flags].contains(&b'-');
        // `E` and `O` ask for a locale's own numerals, which the C locale does not have.
        let locale = usize::from(matches!(rest.get(flags), Some(b'E' | b'O')));
        let Some(letter) = rest.get(flags + locale) else {
            return Err("ends in `%`".to_owned());
        };
        rest = &rest[flags + locale + 1..];
        let step = match letter {
            b'Y' => number(Part::Year, 4),
            b'C' => number(Part::Century, 2),
            b'y' => number(Part::YearOfCentury, 2),
            b'm' => number(Part::Month, 2),
            b'd' | b'e' => number(Part::Day, 2),
            b'j' => number(Part::DayOfYear, 3),
            b'H' | b'k' => number(Part::Hour, 2),
            b'I' | b'l' => number(Part::Hour12, 2),
            b'M' => number(Part::Minute, 2),
            b'S' => number(Part::Second, 2),
            b'U' | b'V' | b'W' | b'g' => number(Part::Redundant, 2),
            b'G' => number(Part::Redundant, 4),
            b'u' | b'w' => number(Part::Redundant, 1),
            b'b' | b'h' => Step::ShortMonth,
            b'B' => Step::LongMonth,
            b'a' | b'A' => Step::Word,
            b'p' | b'P' => Step::Meridiem,
            b'z' => Step::Zone,
            b'Z' => Step::ZoneName,
            b's' => Step::Epoch(SECOND_NS),
            b'%' => Step::Literal(b'%'),
            b'n' => Step::Literal(b'\n'),
            b't' => Step::Literal(b'\t'),
            composed => {
                let layout = match composed {
                    b'D' | b'x' => "%m/%d/%y",
                    b'F' => "%Y-%m-%d",
                    b'T' | b'X' => "%H:%M:%S",
                    b'R' => "%H:%M",
                    b'r' => "%I:%M:%S %p",
                    b'c' => "%a %b %e %H:%M:%S %Y",
                    unknown => return Err(format!("holds `%{}`", char::from(*unknown))),
                };
                strftime(layout, steps)?;
                continue;
            }
        };
        steps.push(match step {
            Step::Number { part, most, .. } if unpadded => Step::Number { part, least: 1, most },
            step => step,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_in_many_layouts() {
        for (layout, text, expected, grain_ns, offset_s) in [
            (
                "%d/%b/%Y:%H:%M:%S %z",
                "17/May/2015:10:05:03 +0200",
                "2015-05-17T08:05:03Z",
                SECOND_NS,
                Some(7200),
            ),
            (
                "%Y-%m-%dT%H:%M:%S%z",
                "2015-05-17T10:05:03-0330",
                "2015-05-17T13:35:03Z",
                SECOND_NS,
                Some(-12_600),
            ),
            ("%F %T", "2015-05-17 10:05:03", "2015-05-17T10:05:03Z", SECOND_NS, None),
            ("%c %Z", "Sun May 17 10:05:03 2015 UTC", "2015-05-17T10:05:03Z", SECOND_NS, Some(0)),
            (
                "%A, %e %B %Y, %r",
                "Thursday,  7 May 2015, 12:05:03 AM",
                "2015-05-07T00:05:03Z",
                SECOND_NS,
                None,
            ),
            ("%D %l:%M %p", "05/17/15  1:05 pm", "2015-05-17T13:05:00Z", 60 * SECOND_NS, None),
            ("%-d.%-m.%Y %R", "7.5.2015 10:05", "2015-05-07T10:05:00Z", 60 * SECOND_NS, None),
            ("%C%y%j%H%M%S", "2016060000001", "2016-02-29T00:00:01Z", SECOND_NS, None),
            ("%s", "1431857103", "2015-05-17T10:05:03Z", SECOND_NS, Some(0)),
        ] {
            let pattern = TimePattern::strftime(layout).unwrap();
            let found = pattern.read(text.as_bytes()).expect(text);
            let expected: jiff::Timestamp = expected.parse().unwrap();
            assert_eq!(i128::from(found.utc_ns), expected.as_nanosecond(), "{layout}");
            assert_eq!((found.resolution_ns, found.offset_s), (grain_ns, offset_s), "{layout}");
            assert_eq!(pattern.extent(format!("{text}|rest").as_bytes()), Some(text.len()), "{layout}");
            assert_eq!(pattern.read(format!("{text}|").as_bytes()), None, "{layout}");
        }
    }

    #[test]
    fn layouts_are_joined() {
        let date = TimePattern::strftime("%d/%b/%Y %T").unwrap();
        let zone = TimePattern::strftime("%z").unwrap();
        let joined = date.joined(b".", &TimePattern::token("usec_frac").unwrap()).joined(b" ", &zone);
        let found = joined.read(b"17/May/2015 10:05:03.250001 +0100").unwrap();
        assert_eq!((found.utc_ns % SECOND_NS, found.resolution_ns), (250_001_000, 1_000));
        assert_eq!(found.offset_s, Some(3600));
        let says = joined.says();
        assert!(says.is_complete() && says.fraction && says.zone);
        let milliseconds = TimePattern::token("msec").unwrap();
        assert_eq!(milliseconds.read(b"1431857103250").unwrap().resolution_ns, 1_000_000);
        assert!(milliseconds.says().overlaps(says));
    }

    #[test]
    fn what_is_no_layout_or_no_stamp_is_refused() {
        assert_eq!(TimePattern::strftime("%Q").unwrap_err(), "holds `%Q`");
        assert_eq!(TimePattern::strftime("%").unwrap_err(), "ends in `%`");
        let pattern = TimePattern::strftime("%F %T").unwrap();
        for text in
            ["2015-02-29 10:05:03", "2015-05-17 24:05:03", "2015-05-17 10:05", "", "2015-05-17 10:05:61"]
        {
            assert_eq!(pattern.read(text.as_bytes()), None, "{text}");
        }
    }
}
