//! Logs full of canaries: made-up values of which none may ever come out again, in whatever spelling.
//!
//! *Rare* canaries are sent by one client each, in every field of two formats. *Common* ones are secrets that very
//! many clients share, and pass any threshold. Each stands in the log in one of twelve spellings, and is looked for in all
//! of them.

use std::collections::{BTreeMap, HashMap};

use md5::Md5;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};

/// Where in a request a canary stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    Path,
    PathParameter,
    AfterReset,
    Name,
    Value,
    Bare,
    Referer,
    UserAgent,
    User,
    Method,
    Protocol,
    BrokenLine,
    Cookie,
    Host,
    Header,
    Depth3,
    BrokenJson,
}

use Field::{
    AfterReset, Bare, BrokenJson, BrokenLine, Cookie, Depth3, Header, Host, Method, Name, Path,
    PathParameter, Protocol, Referer, User, UserAgent, Value,
};

/// All of them; from [`Cookie`] on in the log of JSON.
const FIELDS: [Field; 17] = [
    Path,
    PathParameter,
    AfterReset,
    Name,
    Value,
    Bare,
    Referer,
    UserAgent,
    User,
    Method,
    Protocol,
    BrokenLine,
    Cookie,
    Host,
    Header,
    Depth3,
    BrokenJson,
];

/// Ways to write a text.
pub(crate) const SPELLINGS: usize = 12;

/// `text` as it is, percent-encoded once and twice, with `\x`, in base64 at three places of a longer text, in hexadecimal
/// digits, in capitals, reversed, and its two digests.
pub(crate) fn spellings(text: &str) -> [String; SPELLINGS] {
    let each = |form: fn(u8) -> String| text.bytes().map(form).collect::<String>();
    [
        text.to_owned(),
        each(|byte| format!("%{byte:02X}")),
        each(|byte| format!("%25{byte:02X}")),
        each(|byte| format!("\\x{byte:02X}")),
        base64(text.as_bytes(), 0),
        base64(text.as_bytes(), 1),
        base64(text.as_bytes(), 2),
        hexadecimal(text.as_bytes()),
        text.to_uppercase(),
        text.chars().rev().collect(),
        hexadecimal(&Sha256::digest(text)),
        hexadecimal(&Md5::digest(text)),
    ]
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What base64 has of `bytes` when `before` others stand in front: only digits that are of `bytes` alone.
fn base64(bytes: &[u8], before: usize) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits: Vec<bool> = std::iter::repeat_n(0, before)
        .chain(bytes.iter().copied())
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1))
        .collect();
    let digits = bits.as_chunks::<6>().0.iter().skip((before * 8).div_ceil(6));
    let value = |digit: &[bool; 6]| digit.iter().fold(0, |value, bit| value << 1 | usize::from(*bit));
    digits.map(|digit| char::from(DIGITS[value(digit)])).collect()
}

/// Two logs, and what was planted in them.
pub(crate) struct Canaries {
    /// In nginx's *combined*.
    pub(crate) combined: Vec<u8>,
    /// In Caddy's JSON.
    pub(crate) json: Vec<u8>,
    /// All canaries, each as it is before any spelling, with what to call it.
    pub(crate) planted: Vec<(String, String)>,
}

/// Canaries of one client each: `rare_each` in every field and spelling; and common ones of `common_clients` each.
pub(crate) fn plant(seed: u64, rare_each: usize, common_clients: usize) -> Canaries {
    let mut maker = Maker {
        random: ChaCha8Rng::seed_from_u64(seed),
        canaries: Canaries { combined: Vec::new(), json: Vec::new(), planted: Vec::new() },
        clients: 0,
        second: 0,
    };
    // Pages of which the rare ones are neighbours: with fewer words under each than an open set has.
    for _ in 0..30 {
        let client = maker.client();
        for parent in 0..PARENTS {
            maker.request(&client, &format!("/{}", parent_name(parent)), &BTreeMap::new());
        }
    }
    for field in FIELDS {
        for spelling in 0..SPELLINGS {
            for number in 0..rare_each {
                maker.rare(field, spelling, number);
            }
        }
    }
    for kind in KINDS {
        for spelling in 0..SPELLINGS {
            maker.common(kind, spelling, common_clients);
        }
    }
    for (path, what) in [
        ("/gift/ghp_", "a key of letters alone"),
        ("/gift/sk_live_", "a payment key of letters alone"),
        ("/r%2565set/", "after reset, in escapes of escapes"),
        ("/account/resetPassword/", "after resetPassword"),
        ("/unsubscribe/", "after unsubscribe"),
    ] {
        maker.common_word(path, what, common_clients);
    }
    maker.common_method(common_clients);
    maker.canaries
}

/// Kinds of secrets that many clients share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    WebToken,
    Email,
    Card,
    Account,
    Telephone,
    AccessKey,
    ServiceKey,
    SlackKey,
    Random,
    Code,
}

const KINDS: [Kind; 10] = [
    Kind::WebToken,
    Kind::Email,
    Kind::Card,
    Kind::Account,
    Kind::Telephone,
    Kind::AccessKey,
    Kind::ServiceKey,
    Kind::SlackKey,
    Kind::Random,
    Kind::Code,
];

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const DIGITS: &[u8] = b"0123456789";
const CAPITALS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ANY: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Parents of rare words of paths.
const PARENTS: usize = 40;

fn parent_name(number: usize) -> String {
    format!("shelf{}{}", char::from(LETTERS[number / 26]), char::from(LETTERS[number % 26]))
}

struct Maker {
    random: ChaCha8Rng,
    canaries: Canaries,
    clients: u32,
    second: u32,
}

impl Maker {
    fn draw(&mut self, alphabet: &[u8], length: usize) -> String {
        let one = |random: &mut ChaCha8Rng| alphabet[random.next_u32() as usize % alphabet.len()];
        (0..length).map(|_| char::from(one(&mut self.random))).collect()
    }

    fn client(&mut self) -> String {
        self.clients += 1;
        let [_, a, b, c] = self.clients.to_be_bytes();
        format!("10.{a}.{b}.{c}")
    }

    fn stamp(&mut self) -> (String, u32) {
        self.second += 1;
        let (day, second) = (2 + self.second / 86_400, self.second % 86_400);
        let text = format!(
            "{day:02}/Nov/2026:{:02}:{:02}:{:02} +0000",
            second / 3600,
            second / 60 % 60,
            second % 60
        );
        (text, 1_793_577_600 + self.second)
    }

    /// A canary as it is, remembered.
    fn keep(&mut self, what: String, text: String) -> String {
        self.canaries.planted.push((what, text.clone()));
        text
    }

    fn rare(&mut self, field: Field, spelling: usize, number: usize) {
        // Half of them could be words, and only how rare they are keeps them in.
        let text = if number.is_multiple_of(2) { self.draw(LETTERS, 12) } else { self.draw(ANY, 20) };
        let text = self.keep(format!("rare, {field:?}, spelling {spelling}, {number}"), text);
        let client = self.client();
        let parent = parent_name((spelling * 31 + number) % PARENTS);
        let written = spellings(&text)[spelling].clone();
        self.request(&client, &format!("/{parent}"), &BTreeMap::from([(field, written)]));
    }

    fn common(&mut self, kind: Kind, spelling: usize, clients: usize) {
        let name = format!("common {kind:?}, spelling {spelling}");
        let mut fields = BTreeMap::new();
        for field in
            FIELDS.into_iter().filter(|field| ![UserAgent, Method, BrokenLine, BrokenJson].contains(field))
        {
            let secret = self.secret(kind);
            let secret = self.keep(format!("{name}, {field:?}"), secret);
            fields.insert(field, spellings(&secret)[spelling].clone());
        }
        for _ in 0..clients {
            let client = self.client();
            let parent = format!("/{}", format!("{kind:?}").to_lowercase());
            for together in [
                &[Path, Name, Value, Referer, User, Cookie][..],
                &[PathParameter, Bare, Host, Protocol],
                &[AfterReset, Header, Depth3],
            ] {
                let some = fields.iter().filter(|(field, _)| together.contains(field));
                let some = some.map(|(field, written)| (*field, written.clone())).collect();
                self.request(&client, &parent, &some);
            }
        }
    }

    fn common_word(&mut self, path: &str, what: &str, clients: usize) {
        let word = self.draw(LETTERS, 12);
        let word = self.keep(format!("common, {what}"), word);
        for _ in 0..clients {
            let client = self.client();
            self.request(&client, &format!("{path}{word}"), &BTreeMap::new());
        }
    }

    fn common_method(&mut self, clients: usize) {
        let method = self.draw(&CAPITALS[..26], 12);
        let method = self.keep("common, method".to_owned(), method);
        for _ in 0..clients {
            let client = self.client();
            self.request(&client, "/", &BTreeMap::from([(Method, method.clone())]));
        }
    }

    fn secret(&mut self, kind: Kind) -> String {
        match kind {
            Kind::WebToken => {
                format!("eyJhbGciOiJIUzI1NiJ9.eyJ{}.{}", self.draw(ANY, 24), self.draw(ANY, 43))
            }
            Kind::Email => format!("{}.{}@mail.example", self.draw(LETTERS, 7), self.draw(LETTERS, 8)),
            Kind::Card => self.card(),
            Kind::Account => self.account(),
            Kind::Telephone => format!("+49{}", self.draw(&DIGITS[1..], 10)),
            Kind::AccessKey => format!("AKIA{}", self.draw(CAPITALS, 16)),
            Kind::ServiceKey => format!("ghp_{}", self.draw(ANY, 36)),
            Kind::SlackKey => format!("xoxb-{}-{}", self.draw(DIGITS, 12), self.draw(ANY, 24)),
            Kind::Random => self.draw(ANY, 40),
            Kind::Code => (0..6).map(|_| self.draw(LETTERS, 1) + &self.draw(DIGITS, 1)).collect(),
        }
    }

    /// Sixteen digits whose sum by Luhn's rule ends in 0.
    fn card(&mut self) -> String {
        let start = format!("4{}", self.draw(DIGITS, 14));
        let sum: u32 = start
            .bytes()
            .enumerate()
            .map(|(at, digit)| {
                let digit = u32::from(digit - b'0') * if at.is_multiple_of(2) { 2 } else { 1 };
                digit / 10 + digit % 10
            })
            .sum();
        format!("{start}{}", (10 - sum % 10) % 10)
    }

    /// A German IBAN: 98 less the remainder by 97 of the account, `DE` in figures and two zeros.
    fn account(&mut self) -> String {
        let account = self.draw(DIGITS, 18);
        let rest = format!("{account}131400")
            .bytes()
            .fold(0, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
        format!("DE{:02}{account}", 98 - rest)
    }

    /// Writes the request of `client` for `parent`, with a canary in each of `fields`.
    fn request(&mut self, client: &str, parent: &str, fields: &BTreeMap<Field, String>) {
        let (stamp, epoch_s) = self.stamp();
        let or = |field: Field, otherwise: &str| {
            fields.get(&field).cloned().unwrap_or_else(|| otherwise.to_owned())
        };
        let mut target = parent.to_owned();
        if let Some(word) = fields.get(&Path) {
            target = format!("{}/{word}", target.trim_end_matches('/'));
        }
        if let Some(token) = fields.get(&AfterReset) {
            target = format!("/account/reset/{token}");
        }
        if let Some(id) = fields.get(&PathParameter) {
            target += &format!(";jsessionid={id}");
        }
        let named = fields.get(&Name).map(|name| format!("{name}=1"));
        let value = fields.get(&Value).map(|value| format!("q={value}"));
        let query: Vec<String> = named.into_iter().chain(value).chain(fields.get(&Bare).cloned()).collect();
        if !query.is_empty() {
            target = format!("{target}?{}", query.join("&"));
        }
        let referer = fields.get(&Referer).map(|text| format!("https://{text}.example/{text}?x={text}"));
        let referer = referer.unwrap_or_else(|| "-".to_owned());
        let agent = or(UserAgent, "Mozilla/5.0 (X11; Linux x86_64)");
        let (method, protocol) = (or(Method, "GET"), or(Protocol, "HTTP/1.1"));
        if let Some(text) = fields.get(&BrokenLine) {
            let broken = format!("{client} - {text} [{text}] \"{text}\n");
            self.canaries.combined.extend_from_slice(broken.as_bytes());
        } else {
            let user = or(User, "-");
            let line = format!(
                "{client} - {user} [{stamp}] \"{method} {target} {protocol}\" 200 612 \"{referer}\" \"{agent}\"\n"
            );
            self.canaries.combined.extend_from_slice(line.as_bytes());
        }
        let quoted = |text: String| serde_json::Value::String(text).to_string();
        let headers = format!(
            r#"{{"User-Agent":[{}],"Cookie":[{}],"X-Extra":[{}],"Referer":[{}]}}"#,
            quoted(agent),
            quoted(format!("session={}; theme=dark", or(Cookie, "none"))),
            quoted(or(Header, "none")),
            quoted(referer),
        );
        let line = format!(
            r#"{{"level":"info","ts":{epoch_s}.25,"logger":"http.log.access","msg":"handled request","request":{{"remote_ip":"{client}","client_ip":"{client}","proto":{},"method":{},"host":{},"uri":{},"headers":{headers},"extra":{{"deep":{{"deeper":{}}}}}}},"bytes_read":0,"user_id":{},"duration":0.25,"size":612,"status":200}}"#,
            quoted(protocol),
            quoted(method),
            quoted(or(Host, "shop.example")),
            quoted(target),
            quoted(or(Depth3, "none")),
            quoted(or(User, "")),
        );
        let json = match fields.get(&BrokenJson) {
            Some(text) => format!("{{\"level\":{text},\"ts\":{}\n", &line[..line.len() / 2]),
            None => line + "\n",
        };
        self.canaries.json.extend_from_slice(json.as_bytes());
    }
}

/// Finds canaries in any of their spellings.
pub(crate) struct Search {
    needles: Vec<(Vec<u8>, usize)>,
    by_start: HashMap<[u8; START], Vec<usize>>,
    /// A bit per hash of a start: nearly all places of a text are passed over by it.
    starts: Vec<bool>,
    names: Vec<String>,
}

/// Bytes by which needles are found; no needle is shorter.
const START: usize = 8;

fn hash(start: &[u8]) -> usize {
    start.iter().fold(0_usize, |hash, byte| hash.wrapping_mul(0x0100_0193) ^ usize::from(*byte)) & 0xff_ffff
}

impl Search {
    /// A search for all of `planted`.
    pub(crate) fn new(planted: &[(String, String)]) -> Self {
        let mut search = Self {
            needles: Vec::new(),
            by_start: HashMap::new(),
            starts: vec![false; 1 << 24],
            names: Vec::new(),
        };
        for (number, (name, text)) in planted.iter().enumerate() {
            search.names.push(name.clone());
            // Routes are named in small letters too.
            let lower = text.to_lowercase();
            let escaped = serde_json::Value::String(text.clone()).to_string();
            for needle in spellings(text).into_iter().chain([lower, escaped.trim_matches('"').to_owned()]) {
                let start: [u8; START] =
                    needle.as_bytes()[..START].try_into().expect("a needle has eight bytes");
                search.starts[hash(&start)] = true;
                search.by_start.entry(start).or_default().push(search.needles.len());
                search.needles.push((needle.into_bytes(), number));
            }
        }
        search
    }

    /// The canaries in `text`, by what they are called, each with how often it is there.
    pub(crate) fn found(&self, text: &[u8]) -> BTreeMap<&str, usize> {
        let mut found = BTreeMap::new();
        for (at, start) in text.windows(START).enumerate().filter(|(_, start)| self.starts[hash(start)]) {
            for number in self.by_start.get(start).into_iter().flatten() {
                let (needle, canary) = &self.needles[*number];
                if text[at..].starts_with(needle) {
                    *found.entry(self.names[*canary].as_str()).or_insert(0) += 1;
                }
            }
        }
        found
    }
}
