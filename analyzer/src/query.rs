//! Which query parameters requests for a resource carry, by name and kind of value. Values are looked at, never kept.
//!
//! On the hot path only what tells one set of parameters from another is worked out: a *signature*, the names as they
//! stand in the line and the kind of each value. What that means follows once per signature. Counts are per resource
//! and signature, each with its distinct clients up to k, so that everything published can be gated exactly; they
//! add up over any split of the lines.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use shared::endpoint::ValueKind;

use crate::format::escape::percent_decode;
use crate::kind::Kind;
use crate::privacy::name;
use crate::privacy::pseudonym::Pseudonym;
use crate::recent::Recent;
use crate::tally::cell::Bin;
use crate::weight::REQUEST;

/// What is counted of queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuerySettings {
    /// Distinct clients that are told apart behind each name.
    pub k: u64,
    /// Kinds of requests whose queries count.
    pub kinds: Vec<Kind>,
}

/// One parameter: its name, and the kind of its value as a number of [`ValueKind`].
type Parameter = (String, u8);

/// What one thread saw.
#[derive(Debug)]
pub(crate) struct Queries {
    k: u64,
    kinds: [bool; Kind::ALL.len()],
    signatures: Signatures,
    /// By resource and signature, in this thread's numbers.
    counts: HashMap<(u32, u32), Bin, FixedState>,
    /// The signature of a line as it stands there; kept to save its allocation.
    key: Vec<u8>,
}

/// Sets of parameters, numbered.
#[derive(Debug)]
struct Signatures {
    recent: Recent<u32>,
    numbers: HashMap<Vec<Parameter>, u32, FixedState>,
}

/// The number of the signature without a single parameter that may be named.
const NOTHING: u32 = 0;
/// 1,024 ways to write a query: most sites have fewer.
const RECENT_BITS: u32 = 10;
/// Ways with a dozen names are longer, and rare.
const RECENT_BYTES: u16 = 160;
/// Parameters of one query that are looked at.
const MOST_PARAMETERS: usize = 32;

impl Queries {
    pub(crate) fn new(settings: &QuerySettings) -> Self {
        let numbers = std::iter::once((Vec::new(), NOTHING)).collect();
        Self {
            k: settings.k,
            kinds: Kind::ALL.map(|kind| settings.kinds.contains(&kind)),
            signatures: Signatures { recent: Recent::new(RECENT_BITS, RECENT_BYTES), numbers },
            counts: HashMap::default(),
            key: Vec::new(),
        }
    }

    /// Whether requests of `kind` count.
    #[inline]
    pub(crate) fn counts(&self, kind: Kind) -> bool {
        self.kinds[kind as usize]
    }

    /// Counts a request of `client` for `resource`, which a thread numbers for itself.
    pub(crate) fn add(&mut self, resource: u32, query: &[u8], client: Pseudonym) {
        self.key.clear();
        for (name, value) in pairs(query) {
            self.key.extend_from_slice(name);
            self.key.extend_from_slice(&[b'=', kind_of_value(value) as u8]);
        }
        let Signatures { recent, numbers } = &mut self.signatures;
        let signature = recent.get(0, &self.key, || {
            let next = numbers.len() as u32;
            *numbers.entry(parameters(query)).or_insert(next)
        });
        if signature != NOTHING {
            self.counts.entry((resource, signature)).or_default().add(client, REQUEST, self.k);
        }
    }
}

/// Names and values of `query`. What has no `=` is no name but a value without one: `?jo.smith` is a search.
fn pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query.split(|byte| matches!(byte, b'&' | b';')).take(MOST_PARAMETERS).filter_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        Some((&pair[..equals], &pair[equals + 1..]))
    })
}

/// The parameters of `query` that may be named, in order, each once.
fn parameters(query: &[u8]) -> Vec<Parameter> {
    let mut found: Vec<Parameter> = Vec::new();
    for (name, value) in pairs(query) {
        let mut name = percent_decode(name);
        for _ in 1..DECODINGS {
            name = percent_decode(&name).into_owned().into();
        }
        if name::may_be_spelled_out(&name) {
            found.push((String::from_utf8_lossy(&name).into_owned(), kind_of_value(value) as u8));
        }
    }
    found.sort_unstable();
    found.dedup_by(|one, other| one.0 == other.0);
    found
}

/// Times that a name is percent-decoded at most.
const DECODINGS: usize = 3;

/// The kind of a value as it stands in the line, by one look at each byte.
fn kind_of_value(value: &[u8]) -> ValueKind {
    // Five counts side by side in one number, each with room for the longest value that is looked at.
    let counts = value.iter().take(LONGEST_VALUE).fold(0_u64, |sum, byte| sum + CLASSES[usize::from(*byte)]);
    let count = |class: u32| (counts >> (class * COUNT_BITS) & ((1 << COUNT_BITS) - 1)) as usize;
    let [digits, hex, letters, joints, others] = [0, 1, 2, 3, 4].map(count);
    let plain = others == 0 && !value.is_empty();
    let text = letters + hex;
    if plain && digits == value.len() {
        ValueKind::Int
    } else if plain && letters == 0 && value.len() == 36 && joints == 4 {
        ValueKind::Uuid
    } else if plain && text == 0 && value.len() == 10 && joints == 2 && digits == 8 {
        ValueKind::Date
    } else if plain && letters == 0 && joints == 0 && value.len() >= 7 {
        ValueKind::Hex
    } else if others > 0 && is_email(value) {
        ValueKind::Email
    } else if plain && digits == 0 && joints == 0 && text <= LONGEST_WORD {
        ValueKind::Word
    } else if plain && joints > 0 && digits <= text {
        ValueKind::Slug
    } else if value.len() >= SHORTEST_TOKEN && digits > 0 && value.iter().all(|byte| byte.is_ascii_graphic())
    {
        ValueKind::Token
    } else {
        ValueKind::Opaque
    }
}

/// Bits of one count in [`CLASSES`].
const COUNT_BITS: u32 = 12;
/// Characters of a value that are looked at.
const LONGEST_VALUE: usize = (1 << COUNT_BITS) - 1;
/// Of each byte a one in the place of its class: digit, letter up to `f`, other letter, `-` or `_`, anything else.
const CLASSES: [u64; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let class = match byte as u8 {
            b'0'..=b'9' => 0,
            b'a'..=b'f' | b'A'..=b'F' => 1,
            b'g'..=b'z' | b'G'..=b'Z' => 2,
            b'-' | b'_' => 3,
            _ => 4,
        };
        classes[byte] = 1 << (class * COUNT_BITS);
        byte += 1;
    }
    classes
};
/// Letters of the longest word.
const LONGEST_WORD: usize = 24;
/// Characters of the shortest token.
const SHORTEST_TOKEN: usize = 16;

/// `jo@example.org`, or `jo%40example.org`.
fn is_email(value: &[u8]) -> bool {
    let at = memchr::memchr(b'@', value).or_else(|| memchr::memmem::find(value, b"%40"));
    at.is_some_and(|at| at > 0 && value[at..].contains(&b'.'))
}

/// What all threads saw: by resource, and by the name and kind of a parameter, requests and their distinct clients.
pub(crate) type QueryCounts = BTreeMap<u32, BTreeMap<String, BTreeMap<u8, Bin>>>;

/// Puts together what each thread saw; `numbers` are those of each thread's resources.
pub(crate) fn unify(threads: Vec<Queries>, numbers: &[Vec<u32>]) -> QueryCounts {
    let mut all = QueryCounts::new();
    for (thread, numbers) in threads.into_iter().zip(numbers) {
        let mut signatures: Vec<(u32, Vec<Parameter>)> =
            thread.signatures.numbers.into_iter().map(|(parameters, number)| (number, parameters)).collect();
        signatures.sort_unstable_by_key(|(number, _)| *number);
        for ((resource, signature), seen) in thread.counts {
            let of_resource = all.entry(numbers[resource as usize]).or_default();
            for (name, kind) in &signatures[signature as usize].1 {
                let kinds = of_resource.entry(name.clone()).or_default();
                kinds.entry(*kind).or_default().merge(&seen, thread.k);
            }
        }
    }
    all
}

/// Adds what was seen elsewhere, by clients of whom at least `k` are told apart; `numbers` are those of its resources.
pub(crate) fn merge(into: &mut QueryCounts, from: QueryCounts, numbers: &[u32], k: u64) {
    for (resource, names) in from {
        let of_resource = into.entry(numbers[resource as usize]).or_default();
        for (name, kinds) in names {
            let joined = of_resource.entry(name).or_default();
            kinds.iter().for_each(|(kind, seen)| joined.entry(*kind).or_default().merge(seen, k));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, expected: &[(&str, ValueKind)]) {
        let found = parameters(query.as_bytes());
        let found: Vec<(&str, u8)> = found.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
        let expected: Vec<(&str, u8)> = expected.iter().map(|(name, kind)| (*name, *kind as u8)).collect();
        assert_eq!(found, expected, "{query}");
    }

    #[test]
    fn a_query_is_its_names_and_the_kinds_of_their_values() {
        use ValueKind::{Date, Email, Hex, Int, Opaque, Slug, Token, Uuid, Word};
        check("q=red+mug&page=2&sort=price", &[("page", Int), ("q", Opaque), ("sort", Word)]);
        check("page=2;page=3", &[("page", Int)]);
        check("id=0b6a3c1e-5d2f-4d1c-9a3b-2f1e0d9c8b7a&rev=4f2a9c1e", &[("id", Uuid), ("rev", Hex)]);
        check(
            "day=2026-11-02&mail=jo%40example.org&p=blue-mug",
            &[("day", Date), ("mail", Email), ("p", Slug)],
        );
        check("t=eyJhbGciOiJIUzI1NiJ9.e30", &[("t", Token)]);
        check("filter%5Bcolor%5D=red&empty=", &[("empty", Opaque), ("filter[color]", Word)]);
        check("jo.smith&=1&4711=x&ghp_abcdefghijkl=1&AKIAIOSFODNN7EXAMPLE=", &[]);
        check("", &[]);
    }

    #[test]
    fn counts_do_not_depend_on_who_saw_what() {
        let settings = QuerySettings { k: 3, kinds: vec![Kind::Page] };
        let queries = ["page=1&q=a", "q=b&page=2", "q=c", "", "x", "q=1"];
        let mut one = Queries::new(&settings);
        let mut two = [Queries::new(&settings), Queries::new(&settings)];
        for client in 0..12_u64 {
            let (resource, query) =
                ((client % 2) as u32, queries[client as usize % queries.len()].as_bytes());
            one.add(resource, query, client);
            two[usize::from(client > 5)].add(1 - resource, query, client);
        }
        let together = unify(vec![one], &[vec![5, 7]]);
        assert_eq!(together, unify(two.into(), &[vec![7, 5], vec![7, 5]]));
        let of = |resource: u32, name: &str, kind: ValueKind| &together[&resource][name][&(kind as u8)];
        assert_eq!(of(5, "q", ValueKind::Word).count, 4);
        assert!(of(5, "q", ValueKind::Word).has_enough());
        assert!(!of(7, "q", ValueKind::Int).has_enough());
    }
}
