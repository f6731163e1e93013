//! One JSON object per line: the wanted values out of the text, without building a tree of it.
//!
//! A producer writes its keys in nearly the same order again and again, so every key remembers which keys came after
//! it: the next one is recognised by one comparison, whether anybody wants its value or not. What nobody wants is
//! passed over. Of a key that is there twice, the last value counts, as in most readers of JSON; of an array, the
//! first element; of several keys for one slot, the one listed first that has a value. Missing commas and values are
//! no error: nginx writes `"rt":,` where a variable is empty.

use std::sync::Arc;

use super::Cache;
use super::marks::LineMarks;
use super::meaning::Meaning;
use super::values::{Slot, Values};
use crate::reject::Reject;
use crate::request::Request;

mod scan;
mod shape;
mod tree;

use scan::{Scan, Stop};
pub(super) use shape::Shape;
use tree::Tree;
pub(super) use tree::{Condition, Test};

/// A format of JSON lines.
#[derive(Debug, Clone)]
pub struct Json {
    tree: Arc<Tree>,
    pub(super) meaning: Meaning,
    /// How sure the names of the keys are to mean what was made of them, 0..=1.
    pub(super) certainty: f64,
}

impl Json {
    /// The format that takes `fields` (the value at a path fills a slot; the first listed counts) out of lines that
    /// meet all `conditions`.
    pub(super) fn new<P: AsRef<str>>(
        fields: &[(P, Slot)],
        conditions: &[Condition],
        meaning: Meaning,
    ) -> Self {
        Self { tree: Arc::new(Tree::new(fields, conditions)), meaning, certainty: 1.0 }
    }

    /// The format that takes `fields` out of lines that have one of them for what was asked.
    pub(super) fn of_fields(fields: &[(String, Slot)], meaning: Meaning) -> Self {
        Self { tree: Arc::new(Tree::of_fields(fields)), meaning, certainty: 1.0 }
    }

    /// How many slots it can fill.
    pub(super) fn richness(&self) -> usize {
        self.tree.richness()
    }

    pub(super) fn parse<'a>(
        &self,
        line: &'a [u8],
        marks: Option<LineMarks<'_>>,
        cache: &'a mut Cache,
    ) -> Result<Request<'a>, Reject> {
        let mut values = Values::NONE;
        let marks = marks.unwrap_or_else(|| cache.marks.of(line));
        let (is_request, stopped) = self.split(line, marks, &mut values, &mut cache.shape);
        if self.meaning.header_escape.is_some() {
            for slot in [Slot::UserAgent, Slot::Cookies] {
                if values.printed(slot).is_some_and(|text| memchr::memchr2(b'%', b'+', text).is_some()) {
                    values.set_escaped(slot);
                }
            }
        }
        match stopped {
            Ok(()) if is_request => {}
            Ok(()) => return Err(Reject::NotARequest),
            Err(_) if is_request && self.has_essentials(&values) => values.truncated = true,
            Err(Stop::Cut) => return Err(Reject::Truncated),
            Err(Stop::Trailing) => return Err(Reject::TrailingText),
            Err(Stop::Broken) if line.iter().all(u8::is_ascii_whitespace) => return Err(Reject::Blank),
            Err(Stop::Broken) if memchr::memchr(0, line).is_some() => return Err(Reject::Binary),
            Err(Stop::Broken) => return Err(Reject::OtherFormat),
        }
        let numbers = self.meaning.numbers(&values, cache)?;
        Ok(self.meaning.request(&mut values, numbers, &mut cache.scratch))
    }

    /// Fills the slots with the values of `line`; whether it says that it is a request, and was read to its end.
    fn split<'a>(
        &self,
        line: &'a [u8],
        marks: LineMarks<'_>,
        values: &mut Values<'a>,
        shape: &mut Shape,
    ) -> (bool, Result<(), Stop>) {
        let mut scan = Scan::new(&self.tree, shape.of(&self.tree), line, marks, values);
        let stopped = scan.line();
        (self.tree.is_request(scan.found()), stopped)
    }

    /// Time and outcome are there: what is missing at the end of a cut line can be done without.
    fn has_essentials(&self, values: &Values<'_>) -> bool {
        let asked = values.has(Slot::RequestLine) || values.has(Slot::Target) || values.has(Slot::Path);
        let printed = |slot| !self.tree.wants(slot) || values.has(slot);
        let lasted = printed(Slot::Duration) && printed(Slot::OtherTime);
        values.has(Slot::Time) && asked && values.has(Slot::Status) && lasted
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::escape::Escape;
    use super::super::marks::Marks;
    use super::*;

    const FIELDS: [(&str, Slot); 8] = [
        ("t", Slot::Time),
        ("request.uri", Slot::Target),
        ("status", Slot::Status),
        ("client", Slot::Client),
        ("remote", Slot::Client),
        ("request.headers.User-Agent[0]", Slot::UserAgent),
        ("id.orig_h", Slot::Host),
        ("user", Slot::User),
    ];

    fn format() -> Json {
        let conditions = [Condition { paths: &["kind"], test: Test::Not(&["other"]) }];
        Json::new(&FIELDS, &conditions, Meaning { escape: Escape::Json, ..Meaning::default() })
    }

    fn decoded(values: &Values<'_>, slot: Slot) -> Option<String> {
        let mut out = Vec::new();
        let escape = if values.is_escaped(slot) { Escape::Json } else { Escape::None };
        escape.decode(values.printed(slot)?, &mut out);
        Some(String::from_utf8(out).unwrap())
    }

    #[track_caller]
    fn check(line: &str, expected: &[(Slot, &str)], stopped: Result<(), Stop>) {
        let mut values = Values::NONE;
        let mut marks = Marks::default();
        let marks = marks.of(line.as_bytes());
        let (_, found) = format().split(line.as_bytes(), marks, &mut values, &mut Shape::default());
        let taken: Vec<(Slot, String)> =
            FIELDS.iter().filter_map(|(_, slot)| Some((*slot, decoded(&values, *slot)?))).collect::<Vec<_>>();
        let mut taken: Vec<(Slot, &str)> = taken.iter().map(|(slot, text)| (*slot, text.as_str())).collect();
        taken.dedup();
        assert_eq!((taken.as_slice(), found), (expected, stopped), "{line}");
    }

    #[test]
    fn values_are_found_wherever_they_are() {
        check(
            r#"{"t":1,"x":{"status":5,"y":["}"]},"status":"200"}"#,
            &[(Slot::Time, "1"), (Slot::Status, "200")],
            Ok(()),
        );
        check(
            " { \"t\" : 1.5e3 , \"status\" :\t404\r\n} ",
            &[(Slot::Time, "1.5e3"), (Slot::Status, "404")],
            Ok(()),
        );
        check(
            r#"{"request":{"headers":{"User-Agent":["a","b"]},"uri":"\/x"}}"#,
            &[(Slot::Target, "/x"), (Slot::UserAgent, "a")],
            Ok(()),
        );
        check(
            r#"{"request.uri":"/x","id":{"orig_h":"h"}}"#,
            &[(Slot::Target, "/x"), (Slot::Host, "h")],
            Ok(()),
        );
        check(r#"{"id.orig_h":"h"}"#, &[(Slot::Host, "h")], Ok(()));
        check(r#"{"t":null,"status":"-","user":"","remote":"r"}"#, &[(Slot::Client, "r")], Ok(()));
        check(r#"{"client":"c","remote":"r"}"#, &[(Slot::Client, "c")], Ok(()));
        check(r#"{"remote":"r","client":"c","client":"d"}"#, &[(Slot::Client, "d")], Ok(()));
        check(r#"{"t":,"status":200,}"#, &[(Slot::Status, "200")], Ok(()));
        check(r#"{"user":"a\"\\\u00e9\ud83d\ude00\ud800"}"#, &[(Slot::User, "a\"\\é😀\u{fffd}")], Ok(()));
        check(r#",{"t":1},"#, &[(Slot::Time, "1")], Ok(()));
        check("{}", &[], Ok(()));
    }

    #[test]
    fn lines_that_end_early_or_late_say_so() {
        check(r#"{"t":1,"status":20"#, &[(Slot::Time, "1")], Err(Stop::Cut));
        check(r#"{"t":1,"user":"abc"#, &[(Slot::Time, "1")], Err(Stop::Cut));
        check(r#"{"t":1,"user":"abc\"#, &[(Slot::Time, "1")], Err(Stop::Cut));
        check(r#"{"t":1,"x":{"y":["#, &[(Slot::Time, "1")], Err(Stop::Cut));
        check(r#"{"t":1}{"t":2}"#, &[(Slot::Time, "1")], Err(Stop::Trailing));
        check(r#"{"t" 1}"#, &[], Err(Stop::Broken));
        check("plain", &[], Err(Stop::Broken));
    }

    #[test]
    fn lines_are_classed() {
        const WHOLE: &str = r#"{"t":"10/Oct/2000:13:55:36 -0700","request":{"uri":"/"},"status":200"#;
        for (line, expected) in [
            (format!("{WHOLE}}}"), Ok(false)),
            (format!(r#"{WHOLE},"user":"x"#), Ok(true)),
            (format!("{WHOLE}}} and more"), Ok(true)),
            (format!(r#"{WHOLE},"kind":"other"}}"#), Err(Reject::NotARequest)),
            (r#"{"t":"10/Oct/2000:13:55:36 -0700","reque"#.to_owned(), Err(Reject::Truncated)),
            (r#"{"t":"yesterday"}"#.to_owned(), Err(Reject::BadTime)),
            (r#"{"t":1} x"#.to_owned(), Err(Reject::TrailingText)),
            ("  ".to_owned(), Err(Reject::Blank)),
            ("\0{}".to_owned(), Err(Reject::Binary)),
            ("text".to_owned(), Err(Reject::OtherFormat)),
        ] {
            let found =
                format().parse(line.as_bytes(), None, &mut Cache::default()).map(|request| request.truncated);
            assert_eq!(found, expected, "{line}");
        }
    }

    /// Random numbers, the same in every run.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % limit
        }

        fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
            from[self.below(from.len())]
        }

        fn value(&mut self, deep: usize, out: &mut String) {
            const SCALARS: [&str; 12] = [
                "17",
                "-1.5e-3",
                "true",
                "null",
                r#""""#,
                r#""-""#,
                r#""plain""#,
                r#""\"q\\""#,
                r#""é\u00e9\ud83d\ude00""#,
                r#""{[,:]}""#,
                r#""a longer text that passes the words that are looked at first""#,
                r#""\/\n""#,
            ];
            const KEYS: [&str; 10] = [
                "t",
                "status",
                "client",
                "remote",
                "user",
                "request",
                "uri",
                "headers",
                "User-Agent",
                "other",
            ];
            let blank = self.pick(&["", "", " "]);
            match self.below(if deep == 0 { 1 } else { 4 }) {
                1 => {
                    out.push('[');
                    for at in 0..self.below(3) {
                        out.push_str(if at > 0 { "," } else { blank });
                        self.value(deep - 1, out);
                    }
                    out.push(']');
                }
                2 | 3 => {
                    out.push('{');
                    let mut keys = KEYS.to_vec();
                    for at in 0..self.below(7) {
                        let key = keys.remove(self.below(keys.len()));
                        out.push_str(if at > 0 { "," } else { "" });
                        out.push_str(&format!("{blank}\"{key}\"{blank}:{blank}"));
                        self.value(deep - 1, out);
                    }
                    out.push('}');
                }
                _ => out.push_str(self.pick(&SCALARS)),
            }
        }
    }

    /// What a reader that builds trees finds at `path`: of arrays, the first element.
    fn at_path(value: &Value, path: &str) -> Option<String> {
        let first = |mut value: Value| {
            while let Value::Array(elements) = value {
                value = elements.into_iter().next()?;
            }
            Some(value)
        };
        let mut value = value.clone();
        for key in path.replace("[0]", "").split('.') {
            value = first(value)?.get(key)?.clone();
        }
        match first(value)? {
            Value::String(text) => Some(text),
            Value::Null | Value::Object(_) => None,
            other => Some(other.to_string()),
        }
        .filter(|text| !matches!(text.as_str(), "" | "-"))
    }

    #[test]
    fn the_scanner_finds_what_a_tree_holds() {
        let format = format();
        let mut dice = Dice(7);
        let (mut shape, mut marks) = (Shape::default(), Marks::default());
        for _ in 0..3_000 {
            let mut line = String::new();
            while !line.starts_with('{') {
                line.clear();
                dice.value(5, &mut line);
            }
            let tree: Value = serde_json::from_str(&line).unwrap();
            let mut values = Values::NONE;
            let (_, stopped) =
                format.split(line.as_bytes(), marks.of(line.as_bytes()), &mut values, &mut shape);
            assert_eq!(stopped, Ok(()), "{line}");
            for slot in FIELDS.map(|(_, slot)| slot) {
                let mut paths = FIELDS.iter().filter(|(_, of)| *of == slot);
                let expected = paths.find_map(|(path, _)| at_path(&tree, path));
                // A reader of numbers prints them its own way.
                let found = decoded(&values, slot)
                    .map(|text| if text == "-1.5e-3" { "-0.0015".to_owned() } else { text });
                assert_eq!(found, expected, "{slot:?} of {line}");
            }
        }
    }

    #[test]
    fn a_line_of_brackets_does_not_fill_the_stack() {
        let nested =
            |depth: usize| format!(r#"{{"t":{}1{},"status":200}}"#, "[".repeat(depth), "]".repeat(depth));
        check(&nested(400_000), &[(Slot::Time, "1"), (Slot::Status, "200")], Ok(()));
        check(&format!(r#"{{"t":{}"#, "[".repeat(1 << 20)), &[], Err(Stop::Cut));
    }

    #[test]
    fn no_line_panics_and_no_line_depends_on_those_before_it() {
        let format = format();
        let mut cache = Cache::default();
        super::super::tests::mutate(
            &[
                r#"{"t":"10/Oct/2000:13:55:36 -0700","request":{"headers":{"User-Agent":["a\u00e9"]},"uri":"/"},"status":200}"#,
                r#"[{"remote": "192.0.2.1", "x": {"y": [1, {"z": "\\"}]}, "t": 1, "status": null},"#,
            ],
            |line| {
                let warm = format.parse(line, None, &mut cache).map(|request| format!("{request:?}"));
                let fresh =
                    format.parse(line, None, &mut Cache::default()).map(|request| format!("{request:?}"));
                assert_eq!(warm, fresh);
            },
        );
    }
}
