//! Concrete paths: what stands in the placeholders of a route, and which query it carries.
//!
//! A profile knows kinds and frequencies, never values; so values are made up, of the right kind and as often repeated
//! as in production: a popular item is asked for often, and always under the same name.

use std::borrow::Cow;

use shared::endpoint::{Cardinality, Endpoint, Parameter, Popularity, QueryParameter, ValueKind};

use super::zipf::Zipf;
use crate::feed::{Column, Feeds};
use crate::random::{Key, Purpose, Stream};

/// A route, ready to be filled in.
#[derive(Debug, Clone)]
pub(crate) struct PathMaker {
    parts: Vec<Part>,
    query: Vec<QueryMaker>,
}

#[derive(Debug, Clone)]
enum Part {
    Literal(String),
    Placeholder(String, ValueMaker),
}

#[derive(Debug, Clone)]
struct QueryMaker {
    plain_name: String,
    name: String,
    presence: f64,
    value: ValueMaker,
}

impl PathMaker {
    /// The paths of `endpoint`.
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        let mut parts = Vec::new();
        let call = endpoint.request.as_ref().and_then(|request| request.grpc.as_ref());
        let route = call.map_or(Cow::Borrowed(&*endpoint.route), |call| call.path(&endpoint.route));
        let mut rest = &*route;
        while let Some((before, name, after)) = next_placeholder(rest) {
            parts.push(Part::Literal(before.to_owned()));
            let parameter = endpoint.parameters.get(name);
            let value = ValueMaker::new(&endpoint.id, name, parameter);
            parts.push(Part::Placeholder(name.to_owned(), value));
            rest = after;
        }
        parts.push(Part::Literal(rest.to_owned()));
        let query = endpoint.query.iter().map(|query| QueryMaker {
            plain_name: query.name.clone(),
            name: escape(&query.name),
            presence: query.presence,
            value: ValueMaker::of_query(&endpoint.id, query),
        });
        Self { parts, query: query.collect() }
    }

    /// From now on values come from `feeds` where these have a column that is called like the parameter.
    pub(crate) fn feed(&mut self, endpoint: &str, feeds: &Feeds) {
        for part in &mut self.parts {
            if let Part::Placeholder(name, value) = part {
                value.fed = feeds.column(endpoint, name);
            }
        }
        for query in &mut self.query {
            query.value.fed = feeds.column(endpoint, &query.plain_name);
        }
    }

    /// The names of the placeholders.
    pub(crate) fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Placeholder(name, _) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// Does the path hold values that were made up?
    pub(crate) fn is_invented(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Placeholder(_, value) if value.fed.is_none()))
    }

    /// A path with its query, drawn from `stream`. Tells `tell` of each placeholder what stands there.
    ///
    /// Columns of one feed are of one row: a product stands in its own category.
    pub(crate) fn make(&self, stream: &mut Stream, tell: &mut dyn FnMut(&str, &str)) -> String {
        let mut path = String::new();
        let mut rows = Vec::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => path.push_str(text),
                Part::Placeholder(name, maker) => {
                    let value = maker.draw(stream, &mut rows);
                    tell(name, &value);
                    match &maker.fed {
                        Some(_) => path.push_str(&escape(&value)),
                        None => path.push_str(&value),
                    }
                }
            }
        }
        let mut separator = '?';
        for query in &self.query {
            if stream.uniform() < query.presence {
                path.push(separator);
                let value = query.value.draw(stream, &mut rows);
                let value = if query.value.fed.is_some() { escape(&value) } else { value };
                path.push_str(&format!("{}={value}", query.name));
                separator = '&';
            }
        }
        path
    }
}

/// Splits `route` around its first `{name}`.
pub(crate) fn next_placeholder(route: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = route.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

/// Values of one parameter: first which of the distinct values, then how that one is spelt.
#[derive(Debug, Clone)]
struct ValueMaker {
    kind: ValueKind,
    length: usize,
    ranks: Ranks,
    /// Where values come from instead of being made up.
    fed: Option<Column>,
    /// Separates this parameter's spellings from those of others.
    name: u64,
}

/// Which of the distinct values is used.
#[derive(Debug, Clone)]
enum Ranks {
    /// Never the same twice.
    Fresh,
    /// All equally often.
    Even { distinct: u64 },
    /// Some more often than others.
    Zipf(Zipf),
}

impl ValueMaker {
    fn new(endpoint: &str, name: &str, parameter: Option<&Parameter>) -> Self {
        let kind = parameter.map_or(ValueKind::Opaque, |parameter| parameter.kind);
        let distinct = parameter.and_then(|p| p.distinct.or_else(|| distinct_of(p.cardinality?)));
        let exponent =
            parameter.and_then(|p| p.popularity.as_ref()).map(|Popularity::Zipf { exponent }| *exponent);
        let unique = parameter.and_then(|p| p.cardinality) == Some(Cardinality::Unique);
        let ranks = match (distinct, exponent) {
            _ if unique => Ranks::Fresh,
            (Some(distinct), Some(exponent)) if exponent > 0.0 && exponent.is_finite() => {
                Ranks::Zipf(Zipf::new(distinct, exponent))
            }
            (distinct, _) => Ranks::Even { distinct: distinct.unwrap_or(DEFAULT_DISTINCT) },
        };
        let typical = parameter.and_then(|p| p.length.get("p50")).copied();
        let length = typical.map_or(default_length(kind), |length| length.clamp(1.0, LONGEST) as usize);
        Self { kind, length, ranks, fed: None, name: digest(&[endpoint, name]) }
    }

    fn of_query(endpoint: &str, query: &QueryParameter) -> Self {
        let parameter = Parameter {
            kind: query.kind,
            cardinality: query.cardinality,
            distinct: None,
            popularity: None,
            length: Default::default(),
        };
        Self::new(endpoint, &format!("?{}", query.name), Some(&parameter))
    }

    /// A value; `rows` are the ranks that the feeds of this request have been asked for.
    fn draw(&self, stream: &mut Stream, rows: &mut Vec<(usize, u64)>) -> String {
        if let Some(column) = &self.fed
            && let Some((_, rank)) = rows.iter().find(|(feed, _)| *feed == column.feed)
        {
            return column.value(*rank).to_owned();
        }
        let rank = match &self.ranks {
            Ranks::Fresh => stream.bits(),
            Ranks::Even { distinct } => stream.below(*distinct),
            Ranks::Zipf(zipf) => zipf.draw(stream) - 1,
        };
        if let Some(column) = &self.fed {
            rows.push((column.feed, rank));
            return column.value(rank).to_owned();
        }
        // Not keyed by the run's seed: two runs against one target ask for the same items.
        let spelling = Stream::new(Key { seed: self.name, block: rank, index: 0 }, Purpose::Spelling);
        spell(self.kind, self.length, rank, spelling)
    }
}

/// Distinct values of a parameter of which the profile says nothing.
const DEFAULT_DISTINCT: u64 = 1000;
/// Longer values would test the limits of the server's parser, not the service.
const LONGEST: f64 = 128.0;

/// Distinct values where the profile only says how many roughly.
fn distinct_of(cardinality: Cardinality) -> Option<u64> {
    match cardinality {
        Cardinality::One => Some(1),
        Cardinality::Few => Some(10),
        Cardinality::Many => Some(DEFAULT_DISTINCT),
        Cardinality::Unique => None,
    }
}

/// Characters of a value where the profile gives no length.
fn default_length(kind: ValueKind) -> usize {
    match kind {
        ValueKind::Hex | ValueKind::Token => 24,
        ValueKind::Opaque => 12,
        ValueKind::Slug => 16,
        ValueKind::Word => 7,
        ValueKind::Int | ValueKind::Uuid | ValueKind::Date | ValueKind::Email => 8,
    }
}

/// The value of the given rank, url-safe as it is.
fn spell(kind: ValueKind, length: usize, rank: u64, mut stream: Stream) -> String {
    match kind {
        // Far-away ranks of a unique number are folded into 15 digits, which every database can hold.
        ValueKind::Int => (rank % 1_000_000_000_000_000 + 1).to_string(),
        ValueKind::Uuid => uuid(stream.bits(), stream.bits()),
        // Without a letter it would be a number, without a digit a word.
        ValueKind::Hex => mix(&[b"abcdef", b"0123456789abcdef", b"0123456789"], length, &mut stream),
        ValueKind::Date => {
            let (year, month, day) = (2020 + stream.below(7), 1 + stream.below(12), 1 + stream.below(28));
            format!("{year:04}-{month:02}-{day:02}")
        }
        ValueKind::Slug => slug(length, &mut stream),
        ValueKind::Word => word(length, &mut stream),
        ValueKind::Email => format!("{}@example.com", word(length, &mut stream)),
        ValueKind::Token => {
            let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
            mix(&[letters, letters, b"0123456789"], length, &mut stream)
        }
        ValueKind::Opaque => mix(&[b"ghjkmnpqrstvwxyz", b"0123456789"], length, &mut stream),
    }
}

/// Characters of these alphabets in turn, so that none of them can be missing from a value by chance: whoever reads
/// the target's log must see the same kind of value again.
fn mix(alphabets: &[&[u8]], length: usize, stream: &mut Stream) -> String {
    let letter = |alphabet: &[u8], stream: &mut Stream| {
        char::from(alphabet[stream.below(alphabet.len() as u64) as usize])
    };
    alphabets.iter().cycle().take(length).map(|alphabet| letter(alphabet, stream)).collect()
}

/// A version 4 UUID of these bits.
fn uuid(high: u64, low: u64) -> String {
    let (high, low) = (high & !0xf000 | 0x4000, low & !(0b11 << 62) | (0b10 << 62));
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// A pronounceable word: consonants and vowels in turn.
fn word(length: usize, stream: &mut Stream) -> String {
    mix(&[b"bcdfghjklmnprstvwz", b"aeiou"], length, stream)
}

/// Words and a number joined by hyphens, about `length` characters in all.
fn slug(length: usize, stream: &mut Stream) -> String {
    const DIGITS: usize = 5;
    let letters = length.saturating_sub(DIGITS + 1).max(5);
    let words = letters.div_ceil(8);
    let word_length = (letters / words).max(2);
    let words: Vec<String> = (0..words).map(|_| word(word_length, stream)).collect();
    format!("{}-{:0DIGITS$}", words.join("-"), stream.below(100_000))
}

/// Percent-escapes everything but the unreserved characters (RFC 3986, 2.3).
fn escape(text: &str) -> String {
    let escaped = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    escaped.collect()
}

/// 64 bits of a list of texts (FNV-1a, with a separator).
fn digest(texts: &[&str]) -> u64 {
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0xff]));
    super::fnv(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;
    use std::collections::BTreeSet;

    fn endpoint(route: &str, parameter: &str) -> Endpoint {
        let yaml = EXAMPLE.replace("/items/{slug}", route).replace("slug: {kind: slug}", parameter);
        from_yaml(&yaml).unwrap().endpoints[1].clone()
    }

    fn paths(endpoint: &Endpoint, count: u64) -> Vec<String> {
        let maker = PathMaker::new(endpoint);
        let mut stream = Stream::new(Key { seed: 1, block: 0, index: 0 }, Purpose::Values);
        (0..count).map(|_| maker.make(&mut stream, &mut |_, _| ())).collect()
    }

    #[test]
    fn every_kind_looks_like_itself() {
        #[track_caller]
        fn check(kind: &str, looks_right: impl Fn(&str) -> bool) {
            let endpoint = endpoint("/v1/{x}/end", &format!("x: {{kind: {kind}}}"));
            for path in paths(&endpoint, 200) {
                let value = path.strip_prefix("/v1/").and_then(|rest| rest.strip_suffix("/end")).unwrap();
                let safe = |c: char| c.is_ascii_alphanumeric() || "-._~@".contains(c);
                assert!(!value.is_empty() && value.chars().all(safe) && looks_right(value), "{path}");
            }
        }
        check("int", |value| value.parse::<u64>().is_ok());
        check("uuid", |value| value.len() == 36 && value.as_bytes()[14] == b'4');
        check("hex", |value| {
            value.len() == 24 && u128::from_str_radix(value, 16).is_ok() && value.parse::<u128>().is_err()
        });
        check("date", |value| value.len() == 10 && value.starts_with("202"));
        check("slug", |value| value.contains('-') && (12..=17).contains(&value.len()));
        check("word", |value| value.chars().all(|c| c.is_ascii_lowercase()));
        check("email", |value| value.ends_with("@example.com"));
        check("token", |value| value.len() == 24);
        check("opaque", |value| value.len() == 12);
    }

    #[test]
    fn popular_values_repeat_under_one_name() {
        let few =
            endpoint("/items/{x}", "x: {kind: int, distinct: 50, popularity: {law: zipf, exponent: 1.0}}");
        let paths = paths(&few, 5000);
        let distinct: BTreeSet<&String> = paths.iter().collect();
        assert!(distinct.len() <= 50);
        // The first of 50 with exponent 1 has the share 1/H(50) = 0.2223.
        let first = paths.iter().filter(|path| *path == "/items/1").count();
        assert!((first as f64 / 5000.0 - 0.2223).abs() < 0.03, "{first}");
        let unique = endpoint("/items/{x}", "x: {kind: uuid, cardinality: unique}");
        let paths = super::tests::paths(&unique, 2000);
        assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), 2000);
    }

    #[test]
    fn routes_without_and_with_several_placeholders() {
        assert_eq!(paths(&endpoint("/about", "slug: {kind: slug}"), 1), ["/about"]);
        let several = endpoint("/a/{x}/b/{y}.json", "x: {kind: int, cardinality: one}");
        let path = &paths(&several, 1)[0];
        assert!(path.starts_with("/a/1/b/") && path.ends_with(".json"), "{path}");
    }

    #[test]
    fn rows_of_a_feed_come_as_often_as_their_rank() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("items.csv");
        let rows: String = (0..50).map(|i| format!("item/{i},{i} %\n")).collect();
        fs_err::write(&file, format!("x,page no\n{rows}")).unwrap();
        let feeds = Feeds::read(&[("items".to_owned(), file)].into()).unwrap();
        let mut endpoint =
            endpoint("/items/{x}", "x: {kind: int, distinct: 50, popularity: {law: zipf, exponent: 1.0}}");
        endpoint.query = vec![QueryParameter {
            name: "page no".to_owned(),
            presence: 1.0,
            kind: ValueKind::Int,
            cardinality: Some(Cardinality::Few),
        }];
        let mut maker = PathMaker::new(&endpoint);
        assert!(maker.is_invented());
        maker.feed(&endpoint.id, &feeds);
        assert!(!maker.is_invented());
        let mut stream = Stream::new(Key { seed: 1, block: 0, index: 0 }, Purpose::Values);
        let mut first = 0;
        for _ in 0..5000 {
            let mut told = String::new();
            let path = maker.make(&mut stream, &mut |_, value| told = value.to_owned());
            let number = told.strip_prefix("item/").unwrap();
            assert_eq!(path, format!("/items/item%2F{number}?page%20no={number}%20%25"), "one row");
            first += u32::from(number == "0");
        }
        // The first of 50 with exponent 1 has the share 1/H(50) = 0.2223.
        assert!((f64::from(first) / 5000.0 - 0.2223).abs() < 0.03, "{first}");
    }

    #[test]
    fn queries_come_as_often_as_they_did() {
        let mut endpoint = endpoint("/search", "slug: {kind: slug}");
        endpoint.query = vec![QueryParameter {
            name: "page no".to_owned(),
            presence: 0.3,
            kind: ValueKind::Int,
            cardinality: Some(Cardinality::Few),
        }];
        let with =
            paths(&endpoint, 2000).iter().filter(|path| path.starts_with("/search?page%20no=")).count();
        assert!((500..700).contains(&with), "{with}");
    }
}
