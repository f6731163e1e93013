//! What the fields of a log mean whose owner did not say it: by `--map` where it names them, by their names otherwise.
//!
//! JSON lines, LTSV and logfmt have names for their fields, and people choose the same names again and again: those
//! of nginx variables, of the labels that ltsv.org lists, of the Elastic Common Schema.

use std::collections::BTreeMap;

use serde_json::Value;
use shared::profile::Stamp;

use super::json::Json;
use super::labelled::{Labelled, Syntax};
use super::meaning::Meaning;
use super::number::{self, Unit};
use super::time::{TimeCache, TimeFormat};
use super::values::Slot;
use super::{Format, Options, Reader, headed, map};
use crate::session::identity::Identity;

/// Lines looked at.
const SAMPLE_LINES: usize = 200;
/// How sure names alone can be.
const BY_NAME: f64 = 0.9;
/// The same, where nothing says the unit of the durations.
const UNIT_OPEN: f64 = 0.7;

/// Names that mean a duration in seconds wherever they are used; other names leave the unit open.
const SECONDS: [&str; 6] =
    ["request_time", "reqtime", "apptime", "response_time", "upstream_response_time", "taken_sec"];

/// The fields that the sample has: name, and some of its values.
type Sampled = BTreeMap<String, Vec<String>>;

/// The formats that the names of the fields in `head` make of it: JSON lines, LTSV or logfmt. Empty where a time, a
/// request and a status cannot be found.
pub(super) fn formats(head: &[u8], options: &Options) -> Vec<Format> {
    let lines: Vec<&[u8]> =
        head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).take(SAMPLE_LINES).collect();
    let json = || {
        let sampled = json_fields(&lines);
        let guess = Guess::of(&sampled, options)?;
        let label = guess.label("json", options);
        let mut json = Json::of_fields(&guess.fields, guess.meaning);
        json.certainty = guess.certainty;
        Some(Format::new(&label, Reader::Json(json)))
    };
    let labelled = |syntax: Syntax| {
        let mut sampled = Sampled::new();
        for line in &lines {
            syntax.each(line, &mut |name, value, _| {
                add(&mut sampled, &String::from_utf8_lossy(name), &String::from_utf8_lossy(value));
                true
            });
        }
        let mut guess = Guess::of(&sampled, options)?;
        if syntax == Syntax::Ltsv {
            guess.host_is_the_client(&sampled, options);
        }
        let label = guess.label(syntax.name(), options);
        let labelled = Labelled::new(syntax, &guess.fields, guess.meaning, guess.certainty);
        Some(Format::new(&label, Reader::Labelled(labelled)))
    };
    if lines.iter().any(|line| line.starts_with(b"{")) {
        return json().into_iter().collect();
    }
    [Syntax::Ltsv, Syntax::Logfmt].into_iter().filter_map(labelled).collect()
}

fn is_request(slot: Slot) -> bool {
    matches!(slot, Slot::RequestLine | Slot::Target | Slot::Path)
}

fn add(sampled: &mut Sampled, name: &str, value: &str) {
    /// Values kept of each field.
    const VALUES: usize = 20;
    /// Fields kept: a log in which every line has its own is no log of requests.
    const FIELDS: usize = 1000;
    if sampled.len() < FIELDS || sampled.contains_key(name) {
        let values = sampled.entry(name.to_owned()).or_default();
        if values.len() < VALUES && !matches!(value, "" | "-") {
            values.push(value.to_owned());
        }
    }
}

fn json_fields(lines: &[&[u8]]) -> Sampled {
    let mut sampled = Sampled::new();
    for line in lines {
        if let Ok(value) = serde_json::from_slice::<Value>(&repaired(line)) {
            flatten("", &value, &mut sampled);
        }
    }
    sampled
}

/// `line` as JSON, where nginx wrote something close to it: nothing for an empty variable, and escapes of its own.
fn repaired(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let (mut inside, mut escaped) = (false, false);
    for byte in line {
        match byte {
            b'x' if escaped => out.extend_from_slice(b"\\x"),
            b',' | b'}' if !inside && out.ends_with(b":") => {
                out.extend_from_slice(&[b"null", &[*byte][..]].concat())
            }
            _ => out.push(*byte),
        }
        inside ^= *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
    }
    out
}

fn flatten(path: &str, value: &Value, sampled: &mut Sampled) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, sampled);
            }
        }
        Value::Array(elements) => {
            elements.iter().take(1).for_each(|element| flatten(path, element, sampled));
        }
        Value::String(text) => add(sampled, path, text),
        Value::Null => add(sampled, path, ""),
        other => add(sampled, path, &other.to_string()),
    }
}

struct Guess {
    fields: Vec<(String, Slot)>,
    meaning: Meaning,
    certainty: f64,
}

impl Guess {
    fn of(sampled: &Sampled, options: &Options) -> Option<Self> {
        let mut meaning = Meaning {
            time: TimeFormat::Any,
            stamp: Stamp::End,
            client_port: true,
            escape: super::escape::Escape::Json,
            ..Meaning::default()
        };
        let mut fields = map::apply(&options.map, &mut meaning);
        let mapped: Vec<Slot> = fields.iter().map(|(_, slot)| *slot).collect();
        let mut certainty = if covers(&mapped) { 1.0 } else { BY_NAME };
        let mut known: Vec<_> = sampled
            .iter()
            .filter_map(|(name, values)| Some((headed::known_name(name)?, name, values)))
            .filter(|((_, slot, unit), _, values)| {
                !map::overrule(&options.map, *slot) && fits(*slot, *unit, values)
            })
            .collect();
        known.sort_by_key(|((rank, _, _), name, _)| (*rank, (*name).clone()));
        let duration = known.iter().find(|((_, slot, _), ..)| *slot == Slot::Duration);
        let unit = duration.map(|((_, _, unit), name, values)| duration_unit(name, *unit, values));
        if let Some((unit, open)) = unit {
            meaning.duration = unit;
            certainty = if open { UNIT_OPEN.min(certainty) } else { certainty };
        }
        if let Some((_, name, _)) = known.iter().find(|((_, slot, _), ..)| *slot == Slot::Time)
            && name.contains("start")
        {
            meaning.stamp = Stamp::Start;
        }
        for ((_, slot, own_unit), name, values) in known {
            // Other durations of the line count where they are in the same unit.
            let same = slot != Slot::Duration || Some(duration_unit(name, own_unit, values)) == unit;
            match own_unit {
                Some(own) if slot == Slot::FirstByte => meaning.first_byte = own,
                _ => {}
            }
            if same {
                fields.push((name.clone(), slot));
            }
        }
        match &options.identity {
            Identity::Cookie(name) => {
                fields.push((format!("cookies.{name}"), Slot::Identity));
                fields.push((format!("cookie_{name}"), Slot::Identity));
                meaning.cookie = Some(name.as_bytes().into());
            }
            Identity::Field(name) => fields.push((name.clone(), Slot::Identity)),
            Identity::Ip | Identity::IpAndUserAgent => {}
        }
        let slots: Vec<Slot> = fields.iter().map(|(_, slot)| *slot).collect();
        covers(&slots).then_some(Self { fields, meaning, certainty })
    }

    /// `host` is the client where it is an address: so ltsv.org has it, which calls the other one `vhost`.
    fn host_is_the_client(&mut self, sampled: &Sampled, options: &Options) {
        let is_address = |value: &String| value.parse::<std::net::IpAddr>().is_ok();
        let host = sampled.get("host").filter(|values| !values.is_empty() && values.iter().all(is_address));
        let mapped = options.map.iter().any(|rule| rule.field == "host");
        if mapped || host.is_none() || self.fields.iter().any(|(_, slot)| *slot == Slot::Client) {
            return;
        }
        let known = self.fields.iter_mut().find(|(name, slot)| name == "host" && *slot == Slot::Host);
        if let Some((_, slot)) = known {
            *slot = Slot::Client;
        }
    }

    fn label(&self, syntax: &str, options: &Options) -> String {
        match (syntax, options.map.is_empty()) {
            ("json", true) => "json:generic".to_owned(),
            (syntax, true) => syntax.to_owned(),
            (syntax, false) => format!("{syntax}:map"),
        }
    }
}

/// Time, request and status are there.
fn covers(slots: &[Slot]) -> bool {
    slots.contains(&Slot::Time) && slots.contains(&Slot::Status) && slots.iter().any(|slot| is_request(*slot))
}

/// Whether some of the values can be what the name says.
fn fits(slot: Slot, unit: Option<Unit>, values: &[String]) -> bool {
    let any = |fits: &dyn Fn(&[u8]) -> bool| {
        values.is_empty() && slot != Slot::Time || values.iter().any(|value| fits(value.as_bytes()))
    };
    match slot {
        Slot::Time => any(&|value| TimeCache::default().read(&TimeFormat::Any, value).is_some()),
        Slot::Status => any(&|value| {
            number::unsigned(value).is_some_and(|status| status == 0 || (100..1000).contains(&status))
        }),
        Slot::BytesOut | Slot::BytesIn => any(&|value| number::unsigned(value).is_some()),
        Slot::Duration | Slot::FirstByte => {
            any(&|value| number::duration_ns(value, unit.unwrap_or(Unit::Seconds)).is_some())
        }
        Slot::RequestLine => any(&|value| value.iter().filter(|byte| **byte == b' ').count() >= 1),
        Slot::Target | Slot::Path => {
            any(&|value| value.starts_with(b"/") || value.starts_with(b"http") || value == b"*")
        }
        Slot::Method => any(&|value| value.iter().all(u8::is_ascii_uppercase)),
        _ => true,
    }
}

/// The unit of a duration, and whether that is only a guess: people print fractions of seconds and whole milliseconds.
fn duration_unit(name: &str, own: Option<Unit>, values: &[String]) -> (Unit, bool) {
    let last = name.rsplit('.').next().unwrap_or(name);
    let carried = values.iter().any(|value| value.ends_with('s'));
    match own {
        Some(unit) => (unit, false),
        None if carried => (Unit::Seconds, false),
        None if SECONDS.contains(&last) && values.iter().any(|value| value.contains('.')) => {
            (Unit::Seconds, false)
        }
        // The Elastic Common Schema.
        None if name.ends_with("event.duration") => (Unit::Nanoseconds, false),
        None if values.iter().any(|value| value.contains('.')) => (Unit::Seconds, true),
        None => (Unit::Milliseconds, true),
    }
}
