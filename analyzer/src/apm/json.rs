//! JSON of exports: where the records are, and what they hold.
//!
//! Exports come as one document, as documents one after the other, or as one per line. Records are parsed one at a
//! time, so that a bad one costs only itself and a document that breaks off gives what came before.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::reject::Reject;

/// Arrays inside arrays and objects inside objects beyond which nothing is read.
const DEEPEST: usize = 32;

/// On the way to the records: opens an array.
pub(super) const ITEMS: &str = "[]";

/// Gives the text of every record of `text` that stands at `path`, keys and [`ITEMS`]; and a reject for what is none.
///
/// # Errors
/// Where and how the document breaks off.
pub(super) fn each<'a>(
    text: &'a str,
    path: &[&str],
    take: &mut dyn FnMut(Result<&'a str, Reject>),
) -> Result<(), String> {
    // A byte order mark, which Windows tools put in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if is_lines(text) {
        for line in text.trim_end().lines() {
            match line.trim() {
                "" => take(Err(Reject::Blank)),
                line => walk_line(line, path, take),
            }
        }
        return Ok(());
    }
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        let ended = values.next();
        match ended {
            Some(Err(error)) => {
                // What stands before the fault is good.
                let _ = walk(rest, path, take);
                let lines_before = text[..text.len() - rest.len()].matches('\n').count();
                let line = lines_before + error.line();
                return Err(match error.is_eof() {
                    true => format!("the end of the file inside JSON (line {line})"),
                    false => format!("no JSON in line {line}"),
                });
            }
            Some(Ok(_)) | None => {
                let end = values.byte_offset().max(1);
                if walk(&rest[..end], path, take).is_ok_and(|found| found == 0) {
                    take(Err(Reject::NotARequest));
                }
                rest = rest[end..].trim_start();
            }
        }
    }
    Ok(())
}

/// One document per line: one of the first lines that are not blank is a whole one.
fn is_lines(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let whole = |line: &str| line.len() > 2 && serde_json::from_str::<IgnoredAny>(line).is_ok();
    match lines.next() {
        None | Some("[" | "{") => false,
        Some(first) => {
            first.starts_with(['{', '['])
                && (whole(first)
                    || lines.next().is_some_and(|second| second.starts_with(['{', '[']) && whole(second)))
        }
    }
}

fn walk_line<'a>(line: &'a str, path: &[&str], take: &mut dyn FnMut(Result<&'a str, Reject>)) {
    match walk(line, path, take) {
        Ok(0) => take(Err(Reject::NotARequest)),
        Ok(_) => {}
        Err(error) if error.is_eof() => take(Err(Reject::Truncated)),
        Err(_) => take(Err(Reject::OtherFormat)),
    }
}

/// Gives the records of one document, and how many there were.
fn walk<'a>(
    text: &'a str,
    path: &[&str],
    take: &mut dyn FnMut(Result<&'a str, Reject>),
) -> serde_json::Result<usize> {
    walk_in(0, text, path, take)
}

/// The same inside so many arrays.
fn walk_in<'a>(
    depth: usize,
    text: &'a str,
    path: &[&str],
    take: &mut dyn FnMut(Result<&'a str, Reject>),
) -> serde_json::Result<usize> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut found = 0;
    // An array is opened wherever one stands in for a single record: arrays of arrays, arrays of documents.
    let opened = [&[ITEMS], path].concat();
    let path = if text.trim_start().starts_with('[') { &opened } else { path };
    Walk { depth, path, take, found: &mut found }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(found)
}

struct Walk<'p, 't, 'a> {
    depth: usize,
    path: &'p [&'p str],
    take: &'t mut dyn FnMut(Result<&'a str, Reject>),
    found: &'t mut usize,
}

impl<'de: 'a, 'a> DeserializeSeed<'de> for Walk<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if !self.path.is_empty() {
            return deserializer.deserialize_any(self);
        }
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        match raw.as_bytes().first() {
            Some(b'[') if self.depth < DEEPEST => {
                // The text was just found to be JSON.
                *self.found += walk_in(self.depth + 1, raw, &[], self.take).unwrap_or(0);
            }
            Some(b'{') => {
                *self.found += 1;
                (self.take)(Ok(raw));
            }
            _ => (self.take)(Err(Reject::OtherFormat)),
        }
        Ok(())
    }
}

impl<'de: 'a, 'a> Visitor<'de> for Walk<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let path = self.path.strip_prefix(&[ITEMS]).unwrap_or(self.path);
        while items
            .next_element_seed(Walk { depth: self.depth, path, take: self.take, found: self.found })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Scalar(key)) = map.next_key()? {
            let key: Cow<'de, str> = key.unwrap_or_default();
            match self.path.split_first() {
                Some((wanted, path)) if *wanted == key => {
                    map.next_value_seed(Walk {
                        depth: self.depth,
                        path,
                        take: self.take,
                        found: self.found,
                    })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

/// The text of a value: a string, a number, a boolean; of a list its first. Nothing for null and for objects.
///
/// Numbers keep their digits: the shortest text of a float is the one that was printed, but for trailing zeros.
#[derive(Debug, Clone, Default)]
pub(super) struct Scalar<'a>(pub(super) Option<Cow<'a, str>>);

impl Scalar<'_> {
    /// The text where it says something.
    pub(super) fn text(&self) -> Option<&str> {
        self.0.as_deref().filter(|text| !text.is_empty())
    }

    /// The text as a number.
    pub(super) fn integer(&self) -> Option<i64> {
        self.text()?.parse().ok()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalars;
        impl<'de> Visitor<'de> for Scalars {
            type Value = Scalar<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Scalar(Some(Cow::Borrowed(text))))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Scalar(Some(Cow::Owned(text.to_owned()))))
            }

            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(Scalar(Some(Cow::Owned(text))))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Scalar(Some(Cow::Borrowed(if value { "true" } else { "false" }))))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Scalar(Some(Cow::Owned(value.to_string()))))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Scalar(Some(Cow::Owned(value.to_string()))))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Scalar(Some(Cow::Owned(value.to_string()))))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Scalar(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let first = items.next_element()?.unwrap_or_default();
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(first)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar(None))
            }
        }
        deserializer.deserialize_any(Scalars)
    }
}

/// A record as a flat table: the names of nested values are joined with dots.
#[derive(Debug, Default)]
pub(crate) struct Row<'a> {
    fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Row<'a> {
    /// The row that a JSON object holds.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut fields = Vec::new();
        let mut deserializer = serde_json::Deserializer::from_str(text);
        Flatten { depth: 0, prefix: "", fields: &mut fields }.deserialize(&mut deserializer).ok()?;
        Some(Self { fields })
    }

    /// A row of a table.
    pub(crate) fn of(fields: Vec<(Cow<'a, str>, Cow<'a, str>)>) -> Self {
        Self { fields }
    }

    /// The value of that name, where it says something.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.as_ref())
    }

    /// The first of the names that has a value.
    pub(crate) fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }
}

struct Flatten<'p, 'f, 'a> {
    depth: usize,
    prefix: &'p str,
    fields: &'f mut Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'de> DeserializeSeed<'de> for Flatten<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        if raw.starts_with('{') {
            if self.depth > DEEPEST {
                return Ok(());
            }
            // The text was just found to be JSON.
            let _ = serde_json::Deserializer::from_str(raw).deserialize_map(self);
        } else if let Ok(Scalar(Some(value))) = serde_json::from_str::<Scalar<'de>>(raw) {
            self.fields.push((Cow::Owned(self.prefix.to_owned()), value));
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Flatten<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Scalar(key)) = map.next_key()? {
            let key: Cow<'de, str> = key.unwrap_or_default();
            if self.prefix.is_empty() {
                let raw = map.next_value::<&'de RawValue>()?.get();
                if raw.starts_with('{') {
                    let nested = Flatten { depth: 1, prefix: &key, fields: self.fields };
                    let _ = nested.deserialize(&mut serde_json::Deserializer::from_str(raw));
                } else if let Ok(Scalar(Some(value))) = serde_json::from_str::<Scalar<'de>>(raw) {
                    self.fields.push((key, value));
                }
            } else {
                let prefix = format!("{}.{key}", self.prefix);
                map.next_value_seed(Flatten { depth: self.depth + 1, prefix: &prefix, fields: self.fields })?;
            }
        }
        Ok(())
    }
}

/// The names in the first bytes of a document, joined with dots; arrays add nothing.
#[derive(Debug, Default)]
pub(super) struct Outline(BTreeSet<String>);

/// Bytes looked at: the names that tell a format stand in its first record.
const OUTLINE_BYTES: usize = 64 << 10;

impl Outline {
    /// The outline of `head`, which may be cut; empty when it is no JSON.
    pub(super) fn of(head: &[u8]) -> Self {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
        let mut names = BTreeSet::new();
        if !matches!(head.first(), Some(b'{' | b'[')) {
            return Self(names);
        }
        let head = &head[..head.len().min(OUTLINE_BYTES)];
        // Of each object that is open: where its name starts in `path`. Of each array: nothing.
        let mut path = String::new();
        let mut open: Vec<Option<usize>> = Vec::new();
        let mut at = 0;
        while let Some(byte) = head.get(at) {
            at += 1;
            match byte {
                b'{' => open.push(Some(path.len())),
                b'[' => open.push(None),
                b'}' | b']' => {
                    if let Some(Some(length)) = open.pop() {
                        path.truncate(length);
                    }
                }
                b'"' => {
                    let Some(end) = end_of_string(&head[at..]) else { break };
                    let text = &head[at..at + end];
                    at += end + 1;
                    let colon = head[at..].iter().find(|byte| !byte.is_ascii_whitespace());
                    if let (Some(b':'), Some(Some(length))) = (colon, open.last())
                        && open.len() <= DEEPEST
                    {
                        path.truncate(*length);
                        if !path.is_empty() {
                            path.push('.');
                        }
                        path.push_str(&String::from_utf8_lossy(text));
                        names.insert(path.clone());
                    }
                }
                _ => {}
            }
        }
        Self(names)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    pub(super) fn all(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.has(name))
    }

    pub(super) fn any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.has(name))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The length of a string whose opening quote was read.
fn end_of_string(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', &text[at..])?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
        if at > text.len() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, path: &[&str], expected: &[Result<&str, Reject>], broken: bool) {
        let mut found = Vec::new();
        let result = each(text, path, &mut |record| found.push(record));
        assert_eq!((found.as_slice(), result.is_err()), (expected, broken), "{text}");
    }

    #[test]
    fn records_are_found_in_documents_and_in_lines() {
        check(r#"{"a":1}"#, &[], &[Ok(r#"{"a":1}"#)], false);
        check("[[{\"a\":1}],\n[{\"a\":2}]]", &[], &[Ok(r#"{"a":1}"#), Ok(r#"{"a":2}"#)], false);
        check("{\"x\":[{\"d\":\n[{\"a\":1}]}]}", &["x", ITEMS, "d", ITEMS], &[Ok(r#"{"a":1}"#)], false);
        check(
            "{\"a\":1}\n\n{\"b\"\n{\"c\":",
            &[],
            &[Ok(r#"{"a":1}"#), Err(Reject::Blank), Err(Reject::Truncated), Err(Reject::Truncated)],
            false,
        );
        check("{\"d\":[{\"a\":1},\n{\"a\"", &["d", ITEMS], &[Ok(r#"{"a":1}"#)], true);
        check("{\"y\":1}\n{\"x\":{}}", &["x"], &[Err(Reject::NotARequest), Ok("{}")], false);
    }

    #[test]
    fn rows_are_flat() {
        let row =
            Row::parse(r#"{"a":{"b":{"c":1.50},"d":["x","y"]},"e.f":true,"g":null,"h":"\u00e9"}"#).unwrap();
        let found: Vec<(&str, &str)> = row.fields().collect();
        assert_eq!(found, [("a.b.c", "1.5"), ("a.d", "x"), ("e.f", "true"), ("h", "é")]);
    }

    #[test]
    fn what_is_nested_deep_does_not_exhaust_the_stack() {
        let arrays = "[".repeat(1 << 14) + &"]".repeat(1 << 14);
        check(&arrays, &[], &[Err(Reject::OtherFormat), Err(Reject::NotARequest)], false);
        let objects = r#"{"a":"#.repeat(1 << 14) + "1" + &"}".repeat(1 << 14);
        assert_eq!(Row::parse(&objects).unwrap().fields().count(), 0);
        assert!(Outline::of(objects.as_bytes()).has("a.a"));
    }

    #[test]
    fn an_outline_needs_no_end() {
        let outline = Outline::of(br#" [{"a":{"b":[{"c":"x\"}"}],"d":1},"e":"f:","g":{"h"#);
        assert_eq!(
            outline.0.iter().map(String::as_str).collect::<Vec<_>>(),
            ["a", "a.b", "a.b.c", "a.d", "e", "g"]
        );
        assert!(Outline::of(b"GET / HTTP/1.1").is_empty());
    }
}
