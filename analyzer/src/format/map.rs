//! `--map FIELD=ROLE[:UNIT][:start|end]`: what the fields of a log mean, as its owner says it.

use std::str::FromStr;

use shared::profile::Stamp;

use super::meaning::Meaning;
use super::number::Unit;
use super::time::TimeFormat;
use super::values::Slot;

/// What one field of a log means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapRule {
    /// The field's name; in JSON, the keys down to it with dots between them.
    pub field: String,
    role: Slot,
    unit: Option<MapUnit>,
    stamp: Option<Stamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum MapUnit {
    Time(TimeFormat),
    Duration(Unit),
}

/// What a field can be, by the name people give it.
const ROLES: [(&str, Slot); 27] = [
    ("time", Slot::Time),
    ("other_time", Slot::OtherTime),
    ("request", Slot::RequestLine),
    ("method", Slot::Method),
    ("url", Slot::Target),
    ("path", Slot::Path),
    ("query", Slot::Query),
    ("status", Slot::Status),
    ("duration", Slot::Duration),
    ("first_byte", Slot::FirstByte),
    ("client", Slot::Client),
    ("forwarded_for", Slot::ForwardedFor),
    ("user", Slot::User),
    ("session", Slot::Session),
    ("identity", Slot::Identity),
    ("host", Slot::Host),
    ("scheme", Slot::Scheme),
    ("protocol", Slot::Protocol),
    ("bytes_out", Slot::BytesOut),
    ("bytes_in", Slot::BytesIn),
    ("referer", Slot::Referer),
    ("user_agent", Slot::UserAgent),
    ("cookies", Slot::Cookies),
    ("request_id", Slot::RequestId),
    ("route", Slot::Route),
    ("weight", Slot::Weight),
    ("sample_rate", Slot::SampleRate),
];

const TIMES: [(&str, TimeFormat); 7] = [
    ("iso", TimeFormat::Iso8601),
    ("clf", TimeFormat::Clf),
    ("epoch_s", TimeFormat::EpochSeconds),
    ("epoch_ms", TimeFormat::EpochMilliseconds),
    ("epoch_us", TimeFormat::EpochMicroseconds),
    ("epoch_ns", TimeFormat::EpochNanoseconds),
    ("any", TimeFormat::Any),
];

const DURATIONS: [(&str, Unit); 4] =
    [("s", Unit::Seconds), ("ms", Unit::Milliseconds), ("us", Unit::Microseconds), ("ns", Unit::Nanoseconds)];

impl FromStr for MapRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A field may hold `=` itself, a role never does.
        let (field, meaning) = text
            .rsplit_once('=')
            .filter(|(field, _)| !field.is_empty())
            .ok_or_else(|| format!("found `{text}`, expected `FIELD=ROLE`, such as `rt=duration:ms`"))?;
        let mut parts = meaning.split(':');
        let name = parts.next().unwrap_or_default();
        let role = named(&ROLES, name)
            .ok_or_else(|| format!("found the role `{name}`, expected one of {}", names(&ROLES)))?;
        let mut rule = Self { field: field.to_owned(), role, unit: None, stamp: None };
        let is_time = matches!(role, Slot::Time | Slot::OtherTime);
        for part in parts {
            match (role, part) {
                (Slot::Time, "start") => rule.stamp = Some(Stamp::Start),
                (Slot::Time, "end") => rule.stamp = Some(Stamp::End),
                _ if is_time => {
                    let expected = || {
                        format!("found `{part}` for a time, expected one of {}, start, end", names(&TIMES))
                    };
                    rule.unit = Some(MapUnit::Time(named(&TIMES, part).ok_or_else(expected)?));
                }
                (Slot::Duration | Slot::FirstByte, _) => {
                    let expected =
                        || format!("found the unit `{part}`, expected one of {}", names(&DURATIONS));
                    rule.unit = Some(MapUnit::Duration(named(&DURATIONS, part).ok_or_else(expected)?));
                }
                _ => return Err(format!("found `:{part}`, expected nothing: `{name}` has no unit")),
            }
        }
        Ok(rule)
    }
}

fn named<T: Clone>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
}

fn names<T>(table: &[(&str, T)]) -> String {
    table.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// The fields that `rules` name with the slots they fill; what else the rules say goes into `meaning`. Of several
/// rules for one role, the first counts where its field has a value.
pub(super) fn apply(rules: &[MapRule], meaning: &mut Meaning) -> Vec<(String, Slot)> {
    for rule in rules.iter().rev() {
        match (rule.role, rule.unit.clone()) {
            (Slot::Time, unit) => {
                meaning.time = match unit {
                    Some(MapUnit::Time(format)) => format,
                    _ => TimeFormat::Any,
                };
                meaning.stamp = rule.stamp.unwrap_or(meaning.stamp);
            }
            (Slot::OtherTime, Some(MapUnit::Time(format))) => meaning.other_time = format,
            (Slot::OtherTime, _) => meaning.other_time = TimeFormat::Any,
            (Slot::FirstByte, Some(MapUnit::Duration(unit))) => meaning.first_byte = unit,
            (Slot::Duration, Some(MapUnit::Duration(unit))) => meaning.duration = unit,
            _ => {}
        }
    }
    rules.iter().map(|rule| (rule.field.clone(), rule.role)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_say_what_a_field_is() {
        let rules: Vec<MapRule> = ["t=time:epoch_ms:end", "a=b=duration:us", "ua=user_agent"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let mut meaning = Meaning::default();
        let fields = apply(&rules, &mut meaning);
        assert_eq!(
            fields,
            [
                ("t".to_owned(), Slot::Time),
                ("a=b".to_owned(), Slot::Duration),
                ("ua".to_owned(), Slot::UserAgent)
            ]
        );
        assert_eq!((meaning.time, meaning.stamp), (TimeFormat::EpochMilliseconds, Stamp::End));
        assert_eq!(meaning.duration, Unit::Microseconds);
    }

    #[test]
    fn wrong_rules_say_what_was_expected() {
        for (text, expected) in [
            ("status", "expected `FIELD=ROLE`"),
            ("=status", "expected `FIELD=ROLE`"),
            ("rt=latency", "expected one of time, other_time, request"),
            ("rt=duration:minutes", "expected one of s, ms, us, ns"),
            ("t=time:ms", "expected one of iso, clf, epoch_s"),
            ("s=status:ms", "`status` has no unit"),
        ] {
            let error = text.parse::<MapRule>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
