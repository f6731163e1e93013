//! What must never leave the analyzer: made-up secrets in all the places where real ones turn up in logs.

use std::collections::BTreeMap;

use crate::random::{Random, Stream};
use crate::site::State;

/// Share of the pages that carry a secret.
const SHARE: f64 = 0.01;

const HEX: &[u8] = b"0123456789abcdef";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const URL_SAFE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const FIRST_NAMES: [&str; 12] =
    ["erika", "jonas", "lena", "paul", "mia", "felix", "ida", "emil", "clara", "oskar", "frida", "anton"];
const LAST_NAMES: [&str; 12] = [
    "vogt", "brandt", "keller", "lorenz", "albers", "winter", "seidel", "busch", "kranz", "thoma", "ebert",
    "haas",
];

/// The parts of a request in which secrets hide.
pub(crate) struct Carrier<'a> {
    pub(crate) target: &'a mut Vec<u8>,
    pub(crate) referer: &'a mut Vec<u8>,
    pub(crate) user: &'a mut Option<String>,
}

/// Makes secrets and remembers them all.
pub(crate) struct Secrets {
    random: Random,
    planted: BTreeMap<&'static str, Vec<String>>,
}

impl Secrets {
    /// Returns a maker that has made none.
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed, Stream::Secrets), planted: BTreeMap::new() }
    }

    /// Puts a secret into some requests; each page has its own kind. The route of the request stays as it is.
    pub(crate) fn plant(&mut self, state: State, carrier: Carrier) {
        if !self.random.chance(SHARE) {
            return;
        }
        match state {
            State::Home => push_parameter(carrier.target, "token=", &self.token("token in a query")),
            State::Category => push_parameter(carrier.target, "email=", &self.email("e-mail in a query")),
            State::Product if self.random.chance(0.5) => {
                let key = self.jwt("web token as the name of a parameter");
                push_parameter(carrier.target, "", &key);
            }
            State::Product => {
                let password = self.text("password in a referer", URL_SAFE, 14);
                let name = self.user_name("user name in a referer");
                *carrier.referer = format!("https://{name}:{password}@partner.example/list").into_bytes();
            }
            State::Search => {
                let address = self.email("e-mail in a query, percent-encoded");
                let encoded = address.replace('@', "%40");
                push_parameter(carrier.target, "contact=", &encoded);
                self.keep("e-mail in a query, percent-encoded", encoded);
            }
            State::Cart => {
                let id = self.text("session id in a path", &UPPER[..26], 32);
                carrier.target.extend_from_slice(b";jsessionid=");
                carrier.target.extend_from_slice(id.as_bytes());
            }
            State::AddToCart => {
                let key = self.access_key();
                push_parameter(carrier.target, "AWSAccessKeyId=", &key);
            }
            State::Checkout => push_parameter(carrier.target, "card=", &self.card_number()),
            State::PlaceOrder => {
                push_parameter(carrier.target, "access_token=", &self.jwt("web token in a query"))
            }
            State::Order => {
                let signature = self.text("signature in a query", URL_SAFE, 43);
                push_parameter(carrier.target, "sig=", &signature);
            }
            State::Account => *carrier.user = Some(self.user_name("user name")),
        }
    }

    /// Returns 40 hexadecimal digits.
    pub(crate) fn token(&mut self, kind: &'static str) -> String {
        self.text(kind, HEX, 40)
    }

    /// Returns an address of someone who does not exist.
    pub(crate) fn email(&mut self, kind: &'static str) -> String {
        let address = format!("{}@mail.example", self.name());
        self.keep(kind, address)
    }

    /// Returns the key of a programming interface.
    pub(crate) fn api_key(&mut self, kind: &'static str) -> String {
        let key = format!("sk_live_{}", self.draw(URL_SAFE, 24));
        self.keep(kind, key)
    }

    /// Adds another way in which a secret was written.
    pub(crate) fn keep(&mut self, kind: &'static str, value: String) -> String {
        self.planted.entry(kind).or_default().push(value.clone());
        value
    }

    /// Returns all secrets by kind.
    pub(crate) fn into_planted(self) -> BTreeMap<&'static str, Vec<String>> {
        self.planted
    }

    fn user_name(&mut self, kind: &'static str) -> String {
        let name = self.name();
        self.keep(kind, name)
    }

    fn jwt(&mut self, kind: &'static str) -> String {
        // The first two parts begin like the base64 of `{"`, which is how such tokens are recognised.
        let token =
            format!("eyJhbGciOiJIUzI1NiJ9.eyJ{}.{}", self.draw(URL_SAFE, 32), self.draw(URL_SAFE, 43));
        self.keep(kind, token)
    }

    fn access_key(&mut self) -> String {
        let key = format!("AKIA{}", self.draw(UPPER, 16));
        self.keep("access key in a query", key)
    }

    fn card_number(&mut self) -> String {
        let mut digits = [4_u32; 16];
        digits[1..15].fill_with(|| self.random.below(10) as u32);
        // Luhn's formula: every second digit from the first is doubled and cast out nines; the last makes tens.
        let sum: u32 = digits[..15]
            .iter()
            .enumerate()
            .map(|(i, &d)| if i % 2 == 0 { d * 2 / 10 + d * 2 % 10 } else { d })
            .sum();
        digits[15] = (10 - sum % 10) % 10;
        let number = digits.iter().filter_map(|&digit| char::from_digit(digit, 10)).collect();
        self.keep("card number in a query", number)
    }

    fn text(&mut self, kind: &'static str, alphabet: &[u8], length: usize) -> String {
        let text = self.draw(alphabet, length);
        self.keep(kind, text)
    }

    fn name(&mut self) -> String {
        let first = *self.random.pick(&FIRST_NAMES);
        let last = *self.random.pick(&LAST_NAMES);
        format!("{first}.{last}{:05}", self.random.below(100_000))
    }

    fn draw(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(*self.random.pick(alphabet))).collect()
    }
}

fn push_parameter(target: &mut Vec<u8>, name: &str, value: &str) {
    target.push(if target.contains(&b'?') { b'&' } else { b'?' });
    target.extend_from_slice(name.as_bytes());
    target.extend_from_slice(value.as_bytes());
}
