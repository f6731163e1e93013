//! Clients become pseudonyms here, and their addresses go no further.
//!
//! A pseudonym is a keyed hash. A plain one would be no protection: there are only 2^32 IPv4 addresses to try.
//! The secret is 32 random bytes, made for one run, never written and wiped at its end; HMAC-SHA256 derives of it
//! a key for every kind of identifier, so that the same text in two fields cannot be joined.
//!
//! The hash itself is SipHash-2-4 (Aumasson & Bernstein 2012), a pseudorandom function with keys of 128 bits made
//! for short inputs: without the key its values cannot be told from chance, which is all that is asked of a
//! pseudonym. Where a log has millions of clients nearly every line needs one, and HMAC would cost as much as
//! everything else that is done to a line.

use std::net::{IpAddr, Ipv6Addr};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use siphasher::sip::SipHasher24;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::kind::{self, Kind};
use crate::recent::Recent;
use crate::request::Request;
use crate::session::identity::Identity;

/// A client, unlinkable to anything outside the run. 64 bits: 1e8 clients give 3e-4 expected collisions.
pub type Pseudonym = u64;

/// The kind of an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Domain {
    Address,
    UserAgent,
    Identity,
    User,
    Referer,
    Host,
    /// A client that is named where others have an address.
    ClientName,
    /// The id that a request carries from log to log.
    Request,
}

/// The secret of one run: a key for each [`Domain`].
#[derive(Clone)]
pub struct Key {
    keys: Zeroizing<[[u64; 2]; TAGS.len()]>,
}

/// What tells the domains apart, in their order.
const TAGS: [&[u8]; 8] =
    [b"address", b"user_agent", b"identity", b"user", b"referer", b"host", b"client_name", b"request"];

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// A fresh random key.
    ///
    /// # Errors
    /// [`Error::Random`] when the system gives no random bytes.
    pub fn ephemeral() -> Result<Self, Error> {
        let mut secret = Zeroizing::new([0_u8; 32]);
        getrandom::fill(secret.as_mut_slice()).map_err(|_| Error::Random)?;
        Ok(Self::from_secret(&secret))
    }

    /// A key per domain, derived from `secret` and the domain's tag.
    fn from_secret(secret: &[u8; 32]) -> Self {
        let mut keys = Zeroizing::new([[0; 2]; TAGS.len()]);
        for (key, tag) in keys.iter_mut().zip(TAGS) {
            let mut derive = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
            derive.update(b"loadprint|v2|");
            derive.update(tag);
            let derived = Zeroizing::new(<[u8; 32]>::from(derive.finalize().into_bytes()));
            for (word, bytes) in key.iter_mut().zip(derived.as_chunks::<8>().0) {
                *word = u64::from_le_bytes(*bytes);
            }
        }
        Self { keys }
    }

    /// The pseudonym of `value`, which need not be text.
    #[inline]
    pub fn pseudonym(&self, domain: Domain, value: &[u8]) -> Pseudonym {
        let [one, other] = self.keys[domain as usize];
        SipHasher24::new_with_keys(one, other).hash(value)
    }
}

/// The client of each request as a pseudonym. One per thread.
#[derive(Debug)]
pub struct ClientResolver<'k> {
    key: &'k Key,
    with_user_agent: bool,
    agents: Recent<Agent>,
    /// Kept to save its allocation.
    name: Vec<u8>,
}

/// What a request's user agent says.
#[derive(Debug, Clone, Copy)]
struct Agent {
    pseudonym: Pseudonym,
    kind: Kind,
}

impl Default for Agent {
    /// None.
    fn default() -> Self {
        Self { pseudonym: 0, kind: Kind::Page }
    }
}

/// 32,768 user agents: to tell bots apart costs more than all else that is done to a line.
const AGENTS_BITS: u32 = 15;

impl<'k> ClientResolver<'k> {
    /// A resolver that recognises clients by `identity`.
    pub fn new(key: &'k Key, identity: &Identity) -> Self {
        Self {
            key,
            with_user_agent: *identity != Identity::Ip,
            agents: Recent::new(AGENTS_BITS),
            name: Vec::new(),
        }
    }

    /// The client of `request`, by the identity field or the session that the log holds, else by address (and user agent);
    /// and what the user agent says of the kind of the request.
    #[inline]
    pub fn client(&mut self, request: &Request<'_>) -> (Pseudonym, Kind) {
        let agent = match request.user_agent {
            None => Agent::default(),
            Some(text) => self.agents.get(0, text, || Agent {
                pseudonym: self.key.pseudonym(Domain::UserAgent, text),
                kind: kind::of_user_agent(text),
            }),
        };
        let client = match request.identity.or(request.session) {
            Some(identity) => self.key.pseudonym(Domain::Identity, identity),
            None if self.with_user_agent => self.by_address(request.client, agent.pseudonym),
            None => self.by_address(request.client, 0),
        };
        (client, agent.kind)
    }

    /// The client at `address`. Its bytes and the agent's are hashed as one; what has another length has another form.
    fn by_address(&mut self, address: &[u8], user_agent: Pseudonym) -> Pseudonym {
        let agent = user_agent.to_le_bytes();
        match canonical_address(address) {
            Some(IpAddr::V4(v4)) => {
                let mut bytes = [0; 12];
                bytes[..4].copy_from_slice(&v4.octets());
                bytes[4..].copy_from_slice(&agent);
                self.key.pseudonym(Domain::Address, &bytes)
            }
            Some(IpAddr::V6(v6)) => {
                let mut bytes = [0; 24];
                bytes[..16].copy_from_slice(&v6.octets());
                bytes[16..].copy_from_slice(&agent);
                self.key.pseudonym(Domain::Address, &bytes)
            }
            None => {
                self.name.clear();
                self.name.extend_from_slice(address);
                self.name.make_ascii_lowercase();
                self.name.extend_from_slice(&agent);
                self.key.pseudonym(Domain::ClientName, &self.name)
            }
        }
    }
}

/// The address that `text` writes, one way of many (RFC 5952); an IPv4 address mapped into IPv6 is itself.
#[inline]
fn canonical_address(text: &[u8]) -> Option<IpAddr> {
    match ipv4(text) {
        Some(octets) => Some(IpAddr::from(octets)),
        None => other_address(text),
    }
}

/// The address that `text` writes as four numbers, as [`std::net::Ipv4Addr`] reads it: most of what is ever read.
#[inline]
fn ipv4(text: &[u8]) -> Option<[u8; 4]> {
    let mut octets = [0; 4];
    let (mut place, mut number, mut digits) = (0, 0_u32, 0);
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            // Three digits at most, and no zeros in front: `010` is eight to some and ten to others.
            if digits == 3 || digits == 1 && number == 0 {
                return None;
            }
            number = number * 10 + u32::from(digit);
            digits += 1;
        } else if *byte == b'.' && place < 3 && digits > 0 {
            octets[place] = u8::try_from(number).ok()?;
            (place, number, digits) = (place + 1, 0, 0);
        } else {
            return None;
        }
    }
    octets[3] = u8::try_from(number).ok()?;
    (place == 3 && digits > 0).then_some(octets)
}

fn other_address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    match text.parse::<IpAddr>().ok()? {
        IpAddr::V6(v6) => Some(v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4)),
        v4 @ IpAddr::V4(_) => Some(v4),
    }
    .filter(|address| *address != IpAddr::V6(Ipv6Addr::UNSPECIFIED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_pseudonym_per_key_and_domain() {
        let (a, b) = (Key::from_secret(&[1; 32]), Key::from_secret(&[2; 32]));
        let of = |key: &Key, domain| key.pseudonym(domain, b"192.0.2.1");
        assert_eq!(of(&a, Domain::Address), of(&a, Domain::Address));
        assert_ne!(of(&a, Domain::Address), of(&b, Domain::Address));
        assert_ne!(of(&a, Domain::Address), of(&a, Domain::User));
    }

    #[test]
    fn addresses_are_compared_not_their_spelling() {
        for (one, other) in
            [("2001:DB8::1", "2001:db8:0:0:0:0:0:1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("[::1]", "::1")]
        {
            assert_eq!(canonical_address(one.as_bytes()), canonical_address(other.as_bytes()), "{one}");
        }
        assert_eq!(canonical_address(b"proxy.example"), None);
    }

    #[test]
    fn four_numbers_are_read_as_the_standard_library_reads_them() {
        for text in [
            "192.0.2.1",
            "0.0.0.0",
            "255.255.255.255",
            "256.1.1.1",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.",
            ".1.2.3",
            "1..2.3",
            "01.2.3.4",
            "1.2.3.04",
            "00.0.0.0",
            "1.2.3.4 ",
            "1.2.3.4444",
            "a.b.c.d",
            "",
        ] {
            let expected = text.parse::<std::net::Ipv4Addr>().ok().map(|address| address.octets());
            assert_eq!(ipv4(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_client_is_its_address_and_agent_however_the_address_is_written() {
        let key = Key::from_secret(&[1; 32]);
        let mut clients = ClientResolver::new(&key, &Identity::IpAndUserAgent);
        let mut of = |client: &str, agent: &str| {
            let (client, user_agent) = (client.as_bytes(), Some(agent.as_bytes()));
            clients.client(&Request { client, user_agent, ..Request::default() }).0
        };
        assert_eq!(of("192.0.2.1", "a"), of("::ffff:192.0.2.1", "a"));
        assert_eq!(of("Proxy.example", "a"), of("proxy.example", "a"));
        assert_ne!(of("192.0.2.1", "a"), of("192.0.2.1", "b"));
        // The bytes of 97.98.99.100 spell a name.
        assert_ne!(of("97.98.99.100", "a"), of("abcd", "a"));
    }

    #[test]
    fn a_key_shows_nothing_when_printed() {
        assert_eq!(format!("{:?}", Key::from_secret(&[7; 32])), "Key(..)");
    }
}
