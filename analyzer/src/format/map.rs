//! `--map FIELD=ROLE[:UNIT][:start|end]`: what the fields of a log mean, as its owner says it.

use std::str::FromStr;

use shared::profile::Stamp;

use super::assemble::{Piece, items};
use super::meaning::Meaning;
use super::number::Unit;
use super::time::TimeFormat;
use super::values::Slot;
use crate::error::Error;
use crate::table::columns::Columns;

/// What one field of a log means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapRule {
    /// The field's name: in JSON, the keys down to it with dots between them; in a format string, the variable as it
    /// stands there.
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
            (Slot::Client, _) => meaning.forwarded_first = false,
            (Slot::Duration, Some(MapUnit::Duration(unit))) => meaning.duration = unit,
            _ => {}
        }
    }
    rules.iter().map(|rule| (rule.field.clone(), rule.role)).collect()
}

impl MapRule {
    /// The slot that column `name` of a table fills, where the rule is about it, and the unit of a duration.
    pub(super) fn of_column(&self, name: &str) -> Option<(Slot, Option<Unit>)> {
        self.field.eq_ignore_ascii_case(name).then_some(())?;
        match self.unit {
            Some(MapUnit::Duration(unit)) => Some((self.role, Some(unit))),
            _ => Some((self.role, None)),
        }
    }

    /// Whether `variable` of a format string is what the rule is about; the dollar sign of nginx may be left out.
    fn names_variable(&self, variable: &str) -> bool {
        self.field == variable || variable.strip_prefix('$') == Some(&self.field)
    }
}

/// What `rules` say of the columns of a table, where there are any.
pub(super) fn columns(rules: &[MapRule]) -> Option<Columns> {
    let mut meaning = Meaning { time: TimeFormat::Any, client_port: true, ..Meaning::default() };
    let slots = apply(rules, &mut meaning);
    (!slots.is_empty()).then_some(Columns { slots, meaning })
}

/// Whether a field that holds `slot` by its name does not count, as a rule says where that stands.
pub(super) fn overrule(rules: &[MapRule], slot: Slot) -> bool {
    use Slot::{
        CoarseTime, Date, Duration, Duration2, Duration3, OtherTime, Path, RequestLine, Target, Time,
    };
    rules.iter().any(|rule| match rule.role {
        RequestLine | Target | Path => matches!(slot, RequestLine | Target | Path),
        Time => matches!(slot, Time | Date | CoarseTime | OtherTime),
        Duration => matches!(slot, Duration | Duration2 | Duration3),
        role => role == slot,
    })
}

/// Gives the fields of a format string the slots that `rules` say.
///
/// # Errors
/// [`Error::MapField`] where a rule names a field that the format does not have.
pub(super) fn claim(
    rules: &[MapRule],
    label: &str,
    pieces: &mut [Piece],
    meaning: &mut Meaning,
) -> Result<(), Error> {
    let mut items = items(pieces);
    if let Some(rule) = rules.iter().find(|rule| !items.iter().any(|item| rule.names_variable(&item.name))) {
        return Err(rule.unknown_field(label, items.iter().map(|item| item.name.as_str())));
    }
    for item in &mut items {
        let found = rules.iter().enumerate().find(|(_, rule)| rule.names_variable(&item.name));
        match (found, item.claim) {
            (Some((_, MapRule { role: Slot::Identity, .. })), _) => item.is_identity = true,
            (Some((rank, rule)), before) => {
                // The unit that the format's own durations have need not be that of another field.
                match rule.role {
                    Slot::Duration if before.is_none() => meaning.duration = Unit::Seconds,
                    Slot::FirstByte if before.is_none() => meaning.first_byte = Unit::Seconds,
                    _ => {}
                }
                item.claim = Some((rule.role, u8::try_from(rank).unwrap_or(u8::MAX)));
            }
            (None, Some((slot, _))) if overrule(rules, slot) => item.claim = None,
            (None, _) => {}
        }
    }
    apply(rules, meaning);
    Ok(())
}

/// That a rule names a column which a table with the columns `names` does not have.
///
/// # Errors
/// [`Error::MapField`].
pub(super) fn check_columns(rules: &[MapRule], label: &str, names: &[Box<str>]) -> Result<(), Error> {
    let known = |rule: &MapRule| names.iter().any(|name| rule.of_column(name).is_some());
    match rules.iter().find(|rule| !known(rule)) {
        Some(rule) => Err(rule.unknown_field(label, names.iter().map(|name| &**name))),
        None => Ok(()),
    }
}

impl MapRule {
    fn unknown_field<'a>(&self, label: &str, fields: impl Iterator<Item = &'a str>) -> Error {
        let fields: Vec<String> = fields.map(|field| format!("`{field}`")).collect();
        Error::MapField { field: self.field.clone(), format: label.to_owned(), fields: fields.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Cache, Options, detect, language};
    use crate::request::Request;

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

    /// Start in milliseconds, duration in milliseconds, client, method, target and status.
    fn shown(request: &Request<'_>) -> String {
        let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        format!(
            "{} {:?} {} {} {} {}",
            request.stamp_ns / 1_000_000,
            request.duration_ns.map(|ns| ns as f64 / 1e6),
            text(request.client),
            text(request.method.unwrap_or(b"~")),
            text(request.target),
            request.status
        )
    }

    fn options(rules: &[&str]) -> Options {
        Options { map: rules.iter().map(|rule| rule.parse().unwrap()).collect(), ..Options::default() }
    }

    #[track_caller]
    fn check_string(format: &str, rules: &[&str], line: &str, expected: Result<&str, &str>) {
        let found = language::compile(format, &options(rules))
            .map(|format| shown(&format.parse(line.as_bytes(), &mut Cache::default()).unwrap()))
            .map_err(|error| error.to_string());
        match (found, expected) {
            (Err(message), Err(expected)) => assert!(message.contains(expected), "{message}"),
            (found, expected) => assert_eq!(found.as_deref(), Ok(expected.unwrap())),
        }
    }

    #[test]
    fn rules_give_the_fields_of_format_strings_their_roles() {
        let nginx = r#"$remote_addr [$time_local] "$request" $status $request_time $upstream_response_time "$shop_client""#;
        let line = r#"10.0.0.1 [02/Nov/2026:10:05:03 +0100] "GET /a HTTP/1.1" 200 0.250 12.5 "192.0.2.9""#;
        let line_again = line.replace("12.5", "1.5, 2.0 : -");
        for (rules, line, expected) in [
            (&[][..], line, Ok("1793610303000 Some(250.0) 10.0.0.1 GET /a 200")),
            (
                &["$upstream_response_time=duration:ms", "shop_client=client"],
                line,
                Ok("1793610303000 Some(12.5) 192.0.2.9 GET /a 200"),
            ),
            (
                &["upstream_response_time=duration"],
                line,
                Ok("1793610303000 Some(12500.0) 10.0.0.1 GET /a 200"),
            ),
            (
                &["upstream_response_time=duration:s"],
                &line_again,
                Ok("1793610303000 Some(3500.0) 10.0.0.1 GET /a 200"),
            ),
            (&["request_time=duration:ms"], line, Ok("1793610303000 Some(0.25) 10.0.0.1 GET /a 200")),
            (&["upstream_time=duration"], line, Err("no field `upstream_time`")),
            (&["upstream_time=duration"], line, Err("found: `$remote_addr`, `$time_local`, `$request`")),
        ] {
            check_string(nginx, rules, line, expected);
        }
        let epoch = r#"$remote_addr $began [$time_local] "$request" $status"#;
        let line = r#"192.0.2.1 1793610303250 [02/Nov/2026:10:05:04 +0100] "GET /a HTTP/1.1" 200"#;
        check_string(
            epoch,
            &["began=time:epoch_ms:start"],
            line,
            Ok("1793610303250 None 192.0.2.1 GET /a 200"),
        );
        let apache = r#"%h %t "%r" %>s %D "%{X-Real-IP}i" %{runtime}n"#;
        let line = r#"10.0.0.1 [02/Nov/2026:10:05:03 +0100] "GET /a HTTP/1.1" 200 2500 "192.0.2.9" 0.75"#;
        for (rules, expected) in [
            (&[][..], Ok("1793610303000 Some(2.5) 10.0.0.1 GET /a 200")),
            (&["%{X-Real-IP}i=client", "%D=duration"], Ok("1793610303000 Some(2.5) 192.0.2.9 GET /a 200")),
            (&["%{runtime}n=duration"], Ok("1793610303000 Some(750.0) 10.0.0.1 GET /a 200")),
            (&["%{Other}i=client"], Err("no field `%{Other}i`")),
        ] {
            check_string(apache, rules, line, expected);
        }
        let haproxy = "%ci [%tr] %ST %TR %{+Q}r %[var(txn.took)]";
        let line = r#"192.0.2.1 [02/Nov/2026:10:05:03.000] 200 1 "GET /a HTTP/1.1" 17"#;
        let rules = ["%[var(txn.took)]=duration:ms"];
        check_string(haproxy, &rules, line, Ok("1793613903000 Some(17.0) 192.0.2.1 GET /a 200"));
        check_string("combined", &["$status=status"], "", Err("says itself what its fields are"));
        check_string("aws:alb", &["$status=status"], "", Err("says itself what its fields are"));
    }

    #[track_caller]
    fn check_table(text: &str, rules: &[&str], expected: Result<&str, &str>) {
        let format = detect::detect(text.as_bytes(), &options(rules)).remove(0).format;
        let mut cache = Cache::default();
        let found = format.check_map().map(|()| {
            let mut requests = text.lines().filter_map(|line| {
                format.parse(line.as_bytes(), &mut cache).ok().map(|request| shown(&request))
            });
            requests.next().unwrap()
        });
        match (found.map_err(|error| error.to_string()), expected) {
            (Err(message), Err(expected)) => assert!(message.contains(expected), "{message}"),
            (found, expected) => assert_eq!(found.as_deref(), Ok(expected.unwrap())),
        }
    }

    #[test]
    fn rules_give_the_columns_of_tables_their_roles() {
        let own = "wann;wer;was;wie;code;dauer\n1793610303250;192.0.2.1;/a;GET;200;7\n";
        let rules =
            ["wann=time:epoch_ms", "WER=client", "was=url", "wie=method", "code=status", "dauer=duration:us"];
        check_table(own, &rules, Ok("1793610303250 Some(0.007) 192.0.2.1 GET /a 200"));
        let known = "timestamp,method,url,status,ip,duration_ms,upstream\n\
                     2026-11-02T09:05:03Z,GET,/a,200,192.0.2.1,7,0.5\n";
        check_table(known, &[], Ok("1793610303000 Some(7.0) 192.0.2.1 GET /a 200"));
        check_table(known, &["upstream=duration:s"], Ok("1793610303000 Some(500.0) 192.0.2.1 GET /a 200"));
        check_table(known, &["duration_ms=duration"], Ok("1793610303000 Some(7.0) 192.0.2.1 GET /a 200"));
        check_table(
            known,
            &["backend=duration:s"],
            Err("no field `backend`\n  found: `timestamp`, `method`"),
        );
        let w3c = "#Software: Microsoft Internet Information Services 10.0\n\
                   #Fields: date time cs-method cs-uri-stem sc-status c-ip time-taken x-client began\n\
                   2026-11-02 09:05:03 GET /a 200 10.0.0.1 7 192.0.2.9 1793610302.5\n";
        check_table(w3c, &[], Ok("1793610303000 Some(7.0) 10.0.0.1 GET /a 200"));
        let rules = ["x-client=client", "began=time:epoch_s:start", "time-taken=duration:s"];
        check_table(w3c, &rules, Ok("1793610302500 Some(7000.0) 192.0.2.9 GET /a 200"));
        check_table(w3c, &["cs-host=host"], Err("no field `cs-host`"));
    }
}
