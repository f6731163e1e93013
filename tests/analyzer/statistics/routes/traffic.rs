//! Requests to the routes of a service: Zipf weights over routes, and values in the style in which the service writes
//! its ids. Routes are real, values and weights are made.

use std::collections::HashMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// The routes of a service.
pub(crate) struct Service {
    pub(crate) name: String,
    /// How it writes ids: `int`, `uuid`, `hex24` and the like.
    ids: String,
    pub(crate) routes: Vec<String>,
}

impl Service {
    /// Reads a list: one template a line, and `# ids: STYLE` above them.
    pub(crate) fn parse(name: &str, text: &str) -> Self {
        let ids = text.lines().find_map(|line| line.strip_prefix("# ids: ")).unwrap_or("int");
        let routes = text.lines().filter(|line| line.starts_with('/'));
        Self {
            name: name.to_owned(),
            ids: ids.to_owned(),
            routes: one_per_position(routes.map(str::to_owned).collect()),
        }
    }
}

/// Two templates that differ in the names of parameters are one route: no path tells them apart.
fn one_per_position(mut routes: Vec<String>) -> Vec<String> {
    let anonymous = |route: &String| -> String {
        let mut inside = false;
        let outside = route.chars().filter(|c| {
            inside = (inside || *c == '{') && *c != '}';
            !inside
        });
        outside.collect()
    };
    routes.sort_by_key(anonymous);
    routes.dedup_by_key(|route| anonymous(route));
    routes
}

/// A path, and the number of the route that it was made from.
pub(crate) type Request = (String, usize);

/// `count` requests to `service`.
pub(crate) fn requests(service: &Service, count: usize, seed: u64) -> Vec<Request> {
    let mut source = Source(ChaCha8Rng::seed_from_u64(seed));
    let mut order: Vec<usize> = (0..service.routes.len()).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, source.below(at + 1));
    }
    let mut sum = 0.0;
    let cumulated: Vec<f64> = (1..=order.len())
        .map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        })
        .collect();
    let mut pools = HashMap::new();
    (0..count)
        .map(|_| {
            let at = source.unit() * sum;
            let route = order[cumulated.partition_point(|until| *until < at).min(order.len() - 1)];
            (path(service, route, seed, &mut source, &mut pools), route)
        })
        .collect()
}

fn path(
    service: &Service,
    route: usize,
    seed: u64,
    source: &mut Source,
    pools: &mut HashMap<String, usize>,
) -> String {
    let mut path = String::new();
    let mut owner = 0;
    for (at, segment) in service.routes[route].split('/').enumerate() {
        if at > 0 {
            path.push('/');
        }
        let (Some(open), Some(close)) = (segment.find('{'), segment.find('}')) else {
            path.push_str(segment);
            continue;
        };
        let name = &segment[open + 1..close];
        let kind = kind(name, &service.ids);
        // What one name stands for has as many values wherever it stands.
        let pool = *pools.entry(name.to_owned()).or_insert_with(|| {
            let exponent = 1.0 + 3.0 * (mix(hash(name) ^ seed) % 1000) as f64 / 1000.0;
            if kind == "choice" {
                3 + (mix(hash(name)) % 8) as usize
            } else {
                20 * 10_f64.powf(exponent) as usize
            }
        });
        let rank = source.zipf(pool);
        // A name belongs to what stands before it: other owners have other repositories.
        let value = mix(hash(name) ^ seed ^ (rank as u64) << 20 ^ if kind == "name" { owner } else { 0 });
        owner = value;
        path.push_str(&segment[..open]);
        path.push_str(&text(&kind, value, rank));
        path.push_str(&segment[close + 1..]);
    }
    path
}

/// What stands for a parameter of this name.
fn kind(name: &str, ids: &str) -> String {
    const CHOICES: [&str; 16] = [
        "type", "kind", "format", "period", "lang", "locale", "category", "status", "state", "flag", "level",
        "interval", "platform", "region", "unit", "mode",
    ];
    const NAMES: [&str; 22] = [
        "name",
        "owner",
        "repo",
        "user",
        "login",
        "slug",
        "key",
        "org",
        "team",
        "workspace",
        "project",
        "branch",
        "ref",
        "tag",
        "label",
        "title",
        "path",
        "file",
        "query",
        "handle",
        "namespace",
        "group",
    ];
    let lower = name.to_ascii_lowercase();
    let is_id = ["id", "sid", "number", "pk"].iter().any(|end| lower.ends_with(end));
    let holds = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if lower.contains("uuid") {
        "uuid".to_owned()
    } else if lower.ends_with("number") || lower == "port" || lower == "index" {
        "int".to_owned()
    } else if !is_id && holds(&CHOICES) {
        "choice".to_owned()
    } else if !is_id && holds(&NAMES) {
        "name".to_owned()
    } else {
        ids.to_owned()
    }
}

/// The text of a value: the same for the same number.
fn text(kind: &str, value: u64, rank: usize) -> String {
    let mut source = Source(ChaCha8Rng::seed_from_u64(value));
    let length = |start: &str, otherwise: usize| {
        kind.strip_prefix(start)
            .and_then(|rest| rest.trim_start_matches('-').parse().ok())
            .unwrap_or(otherwise)
    };
    match kind {
        "uuid" => {
            let hex = source.letters("0123456789abcdef", 32);
            format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
        }
        "choice" => CHOICES[(value % CHOICES.len() as u64) as usize].to_owned(),
        "name" | "slug" => name(&mut source, rank),
        "prefixed" => format!("{}_{}", source.letters("cdeimprsu", 2), source.letters(BASE62, 14)),
        "prefixed-hex" => {
            format!("{}{}", source.letters("ACMPSU", 2), source.letters("0123456789abcdef", 32))
        }
        _ if kind.starts_with("hex") => source.letters("0123456789abcdef", length("hex", 32)),
        _ if kind.starts_with("base62") => source.letters(BASE62, length("base62", 22)),
        _ if kind.starts_with("base32") => {
            source.letters("abcdefghijkmnopqrstuwxyz13456789", length("base32", 26))
        }
        _ => {
            let digits = length("int", 0);
            if digits == 0 {
                (value % 9_000_000 + 1).to_string()
            } else {
                source.letters("123456789", digits)
            }
        }
    }
}

const BASE62: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Values of parameters that take few: words, as those of routes are.
const CHOICES: [&str; 40] = [
    "json",
    "csv",
    "daily",
    "weekly",
    "monthly",
    "active",
    "archived",
    "open",
    "closed",
    "pending",
    "en",
    "de",
    "fr",
    "pt-BR",
    "ja",
    "low",
    "medium",
    "high",
    "critical",
    "eu-west-1",
    "us-east-1",
    "linux",
    "macos",
    "windows",
    "image",
    "video",
    "audio",
    "document",
    "public",
    "private",
    "internal",
    "all",
    "draft",
    "published",
    "error",
    "warning",
    "info",
    "year",
    "hour",
    "day",
];

/// Words that people name things by.
const WORDS: [&str; 48] = [
    "blue", "red", "river", "mountain", "north", "alpha", "beta", "omega", "rocket", "coffee", "garden",
    "data", "web", "cloud", "stack", "base", "shop", "market", "street", "house", "light", "dark", "silver",
    "gold", "api", "docs", "core", "main", "test", "demo", "prod", "staging", "backend", "frontend",
    "mobile", "tools", "infra", "config", "awesome", "hello", "world", "simple", "fast", "tiny", "big",
    "open", "lumen", "team",
];

/// A name such as `karoti`, `blue-river` or `lumen42`.
fn name(source: &mut Source, rank: usize) -> String {
    let word = |source: &mut Source| WORDS[source.below(WORDS.len())];
    let invented = |source: &mut Source| -> String {
        let syllables = 2 + source.below(2);
        (0..syllables)
            .map(|_| source.letters("bcdfghklmnprstvwz", 1) + &source.letters("aeiou", 1))
            .collect::<String>()
            + ["", "n", "s", "r", "x"][source.below(5)]
    };
    match source.below(10) {
        0..4 => invented(source),
        4..6 => format!("{}-{}", word(source), word(source)),
        6 => format!("{}-{}", word(source), invented(source)),
        7 => format!("{}{}", invented(source), source.below(100)),
        8 => format!("{}-{}-{}", word(source), word(source), rank % 50),
        _ => word(source).to_owned(),
    }
}

struct Source(ChaCha8Rng);

impl Source {
    fn below(&mut self, n: usize) -> usize {
        (self.0.next_u64() % n.max(1) as u64) as usize
    }

    fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A rank in 0..n, of which the weights fall as 1 / rank does: by inversion of the integral.
    fn zipf(&mut self, n: usize) -> usize {
        (((n as f64 + 1.0).powf(self.unit()) - 1.0) as usize).min(n - 1)
    }

    fn letters(&mut self, alphabet: &str, length: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }
}

/// SplitMix64's last step.
fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// FNV-1a.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
