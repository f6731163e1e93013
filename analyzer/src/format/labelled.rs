//! Lines whose fields bear their names: LTSV (`time:…<TAB>status:200`, ltsv.org) and logfmt (`time=… status=200`).

use super::Cache;
use super::meaning::Meaning;
use super::values::{SLOTS, Slot, Values};
use crate::reject::Reject;
use crate::request::Request;

/// How names and values are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// `name:value`, tabs between. There are no escapes but those of the producer: nginx writes `\x09`.
    Ltsv,
    /// `name=value`, blanks between; a value with blanks stands in quotes, with escapes as in JSON.
    Logfmt,
}

impl Syntax {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ltsv => "ltsv",
            Self::Logfmt => "logfmt",
        }
    }

    /// Gives every field of `line` to `visit`: name, value, and whether it may hold escapes. Stops where `visit` says
    /// no; false where a quote is not closed.
    #[inline]
    pub(super) fn each<'a>(
        self,
        line: &'a [u8],
        visit: &mut impl FnMut(&'a [u8], &'a [u8], bool) -> bool,
    ) -> bool {
        match self {
            Self::Ltsv => {
                let mut rest = line;
                loop {
                    let end = memchr::memchr(b'\t', rest).unwrap_or(rest.len());
                    let field = &rest[..end];
                    if let Some(colon) = memchr::memchr(b':', field)
                        && !visit(&field[..colon], &field[colon + 1..], true)
                    {
                        return true;
                    }
                    match rest.get(end + 1..) {
                        Some(after) => rest = after,
                        None => return true,
                    }
                }
            }
            Self::Logfmt => {
                let mut rest = line;
                while let Some(end) = memchr::memchr2(b'=', b' ', rest) {
                    let name = &rest[..end];
                    let after = &rest[end + 1..];
                    if rest[end] == b' ' {
                        // A word without a value.
                        rest = after;
                        continue;
                    }
                    let (value, quoted, next) = match after {
                        [b'"', quoted @ ..] => {
                            let Some(end) = closing_quote(quoted) else { return false };
                            (&quoted[..end], true, &quoted[end + 1..])
                        }
                        _ => {
                            let end = memchr::memchr(b' ', after).unwrap_or(after.len());
                            (&after[..end], false, &after[end..])
                        }
                    };
                    if !name.is_empty() && !visit(name, value, quoted) {
                        return true;
                    }
                    rest = next;
                }
                true
            }
        }
    }
}

fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// The name of a field.
#[derive(Debug, Clone)]
struct Name {
    text: Box<[u8]>,
    /// The slots it fills, each with the rank of the name among those for the slot.
    slots: Vec<(Slot, u8)>,
}

/// A format of labelled lines.
#[derive(Debug, Clone)]
pub struct Labelled {
    syntax: Syntax,
    names: Vec<Name>,
    pub(super) meaning: Meaning,
    pub(super) certainty: f64,
}

impl Labelled {
    pub(super) fn new(syntax: Syntax, fields: &[(String, Slot)], meaning: Meaning, certainty: f64) -> Self {
        let mut names: Vec<Name> = Vec::new();
        for (rank, (name, slot)) in fields.iter().enumerate() {
            let filled = (*slot, u8::try_from(rank).unwrap_or(u8::MAX - 1));
            match names.iter_mut().find(|known| *known.text == *name.as_bytes()) {
                Some(known) => known.slots.push(filled),
                None => names.push(Name { text: name.as_bytes().into(), slots: vec![filled] }),
            }
        }
        // In logs that nginx and Apache write in this shape, escapes are theirs.
        let escape = if syntax == Syntax::Ltsv { super::escape::Escape::Backslash } else { meaning.escape };
        Self { syntax, names, meaning: Meaning { escape, ..meaning }, certainty }
    }

    /// How many names it knows.
    pub(super) fn richness(&self) -> usize {
        self.names.len()
    }

    pub(super) fn parse<'a>(&self, line: &'a [u8], cache: &'a mut Cache) -> Result<Request<'a>, Reject> {
        let mut values = Values::NONE;
        let mut ranks = [u8::MAX; SLOTS];
        let (mut fields, mut asked) = (0, false);
        let order = &mut cache.order;
        let whole = self.syntax.each(line, &mut |name, value, escapes| {
            // Producers write their fields in the same order again and again.
            let expected = order.get(fields).copied().unwrap_or(u16::MAX);
            let number = match self.names.get(usize::from(expected)) {
                Some(known) if *known.text == *name => Some(usize::from(expected)),
                _ => self.names.iter().position(|known| *known.text == *name),
            };
            if order.len() <= fields {
                order.resize(fields + 1, u16::MAX);
            }
            order[fields] = number.and_then(|number| u16::try_from(number).ok()).unwrap_or(u16::MAX);
            fields += 1;
            let Some(number) = number else { return fields < MOST_FIELDS };
            for (slot, rank) in &self.names[number].slots {
                asked |= matches!(slot, Slot::RequestLine | Slot::Target | Slot::Path);
                if *rank <= ranks[*slot as usize] && !matches!(value, [] | b"-") {
                    ranks[*slot as usize] = *rank;
                    values.set(*slot, value);
                    values.escaped &= !(1 << *slot as u32);
                    if escapes && memchr::memchr(b'\\', value).is_some() {
                        values.set_escaped(*slot);
                    }
                }
            }
            fields < MOST_FIELDS
        });
        match fields {
            0 if line.iter().all(u8::is_ascii_whitespace) => return Err(Reject::Blank),
            0 if memchr::memchr(0, line).is_some() => return Err(Reject::Binary),
            0 => return Err(Reject::OtherFormat),
            _ => {}
        }
        if !whole {
            let essential = asked && values.has(Slot::Time) && values.has(Slot::Status);
            essential.then_some(()).ok_or(Reject::Truncated)?;
            values.truncated = true;
        } else if !asked {
            return Err(Reject::NotARequest);
        } else if !values.has(Slot::Time) && !values.has(Slot::Status) {
            return Err(Reject::Truncated);
        }
        let numbers = self.meaning.numbers(&values, cache)?;
        Ok(self.meaning.request(&mut values, numbers, &mut cache.scratch))
    }
}

/// Fields of a line that are looked at.
const MOST_FIELDS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::super::detect::detect;
    use super::super::{Cache, Options};
    use super::*;

    #[track_caller]
    fn check(line: &str, label: &str, expected: Result<&str, Reject>) {
        let sample = match label {
            "ltsv" => {
                "time:2026-11-02T00:00:00Z\thost:192.0.2.1\treq:GET /a HTTP/1.1\tstatus:200\treqtime:0.5\tua:x\n"
            }
            _ => "time=2026-11-02T00:00:00Z method=GET path=/a status=200 duration=12ms ua=x ip=192.0.2.1\n",
        };
        let detected = detect(format!("{sample}{sample}").as_bytes(), &Options::default());
        let format = &detected.first().unwrap().format;
        assert_eq!(format.label, label);
        let mut cache = Cache::default();
        let found = format.parse(line.as_bytes(), &mut cache).map(|request| {
            let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
            let method = request.method.map(text).unwrap_or_default();
            format!("{method} {} {} {:?}", text(request.target), request.status, request.user_agent.map(text))
        });
        assert_eq!(found, expected.map(str::to_owned), "{line}");
    }

    #[test]
    fn ltsv_lines() {
        check(
            "time:2026-11-02T00:00:00Z\treq:GET /a:b\\x22 HTTP/1.1\tstatus:404\tua:-",
            "ltsv",
            Ok("GET /a:b\" 404 None"),
        );
        check(
            "status:200\treq:POST /p HTTP/1.1\tx\tother:y\ttime:2026-11-02T00:00:00Z\tua:m:n",
            "ltsv",
            Ok("POST /p 200 Some(\"m:n\")"),
        );
        check("time:2026-11-02T00:00:00Z\tlevel:info", "ltsv", Err(Reject::NotARequest));
        check("time:soon\treq:GET / HTTP/1.1\tstatus:200", "ltsv", Err(Reject::BadTime));
        check("", "ltsv", Err(Reject::Blank));
        check("nothing of the kind", "ltsv", Err(Reject::OtherFormat));
    }

    #[test]
    fn host_is_the_client_unless_another_field_is() {
        const REST: &str = "time:2026-11-02T00:00:00Z\treq:GET / HTTP/1.1\tstatus:200";
        for (fields, client, host) in [
            ("host:192.0.2.1\tvhost:www.example.com", "192.0.2.1", Some("www.example.com")),
            ("host:192.0.2.1", "192.0.2.1", None),
            ("host:www.example.com", "", Some("www.example.com")),
            ("remote_addr:192.0.2.1\thost:www.example.com", "192.0.2.1", Some("www.example.com")),
        ] {
            let line = format!("{fields}\t{REST}");
            let detected = detect(format!("{line}\n").as_bytes(), &Options::default());
            let mut cache = Cache::default();
            let request = detected[0].format.parse(line.as_bytes(), &mut cache).unwrap();
            let found = (request.client, request.host);
            assert_eq!(found, (client.as_bytes(), host.map(str::as_bytes)), "{line}");
        }
    }

    #[test]
    fn logfmt_lines() {
        check(
            r#"time=2026-11-02T00:00:00Z method=GET path="/a b\"" status=200 ua="x y""#,
            "logfmt",
            Ok("GET /a b\" 200 Some(\"x y\")"),
        );
        check(
            "debug time=2026-11-02T00:00:00Z method= path=/a=b?c=d status=500  x=",
            "logfmt",
            Ok(" /a=b?c=d 500 None"),
        );
        check(
            r#"time=2026-11-02T00:00:00Z method=GET path=/ status=200 ua="cut"#,
            "logfmt",
            Ok("GET / 200 None"),
        );
        check(r#"time=2026-11-02T00:00:00Z msg="no request""#, "logfmt", Err(Reject::NotARequest));
        check(r#"time=2026-11-02T00:00:00Z path="/"#, "logfmt", Err(Reject::Truncated));
    }
}
