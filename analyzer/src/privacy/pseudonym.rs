//! Clients become pseudonyms here, and their addresses go no further.
//!
//! A pseudonym is HMAC-SHA256 under a key of 32 random bytes that is made for one run, never written and wiped
//! at its end. A plain hash would be no protection: there are only 2^32 IPv4 addresses to try. Every kind of
//! identifier has a domain tag of its own, so that the same text in two fields cannot be joined.

use std::net::{IpAddr, Ipv6Addr};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::hash::BuildHasher as _;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::kind::{self, Kind};
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
    Request,
}

/// The secret of one run.
#[derive(Clone)]
pub struct Key {
    keyed: [Hmac<Sha256>; 7],
}

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

    /// One HMAC per domain, each under a key derived from `secret` and the domain's tag.
    fn from_secret(secret: &[u8; 32]) -> Self {
        let keyed = |tag: &[u8]| {
            let mut derive = new_hmac(secret);
            derive.update(b"loadprint|v1|");
            derive.update(tag);
            let derived = Zeroizing::new(<[u8; 32]>::from(derive.finalize().into_bytes()));
            new_hmac(&derived)
        };
        Self {
            keyed: [
                keyed(b"address"),
                keyed(b"user_agent"),
                keyed(b"identity"),
                keyed(b"user"),
                keyed(b"referer"),
                keyed(b"host"),
                keyed(b"request"),
            ],
        }
    }

    /// The pseudonym of `value`, which need not be text.
    pub fn pseudonym(&self, domain: Domain, value: &[u8]) -> Pseudonym {
        self.pseudonym_of_parts(domain, &[value])
    }

    fn pseudonym_of_parts(&self, domain: Domain, parts: &[&[u8]]) -> Pseudonym {
        let mut mac = self.keyed[domain as usize].clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        u64::from_be_bytes([
            digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7],
        ])
    }
}

fn new_hmac(secret: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes a key of any length")
}

/// The client of each request as a pseudonym, with a cache, because clients come in bursts. One per thread.
#[derive(Debug)]
pub struct ClientResolver<'k> {
    key: &'k Key,
    with_user_agent: bool,
    recent: Vec<Recent>,
    user_agents: HashMap<Box<[u8]>, Agent, FixedState>,
}

/// What a request's user agent says.
#[derive(Debug, Clone, Copy)]
struct Agent {
    pseudonym: Pseudonym,
    kind: Kind,
}

/// The last client that fell into this slot of the cache.
#[derive(Debug, Clone, Copy)]
struct Recent {
    address: [u8; ADDRESS_BYTES],
    length: u8,
    user_agent: Pseudonym,
    pseudonym: Pseudonym,
}

/// The longest textual IPv6 address has 45 bytes; longer names are not cached.
const ADDRESS_BYTES: usize = 46;
/// 4,096 slots of 64 bytes stay in the second-level cache.
const SLOTS: usize = 1 << 12;
/// Distinct user agents remembered before the table is emptied: bounds memory against made-up ones.
const USER_AGENTS: usize = 1 << 16;

impl<'k> ClientResolver<'k> {
    /// A resolver that recognises clients by `identity`.
    pub fn new(key: &'k Key, identity: &Identity) -> Self {
        let empty = Recent { address: [0; ADDRESS_BYTES], length: u8::MAX, user_agent: 0, pseudonym: 0 };
        Self {
            key,
            with_user_agent: *identity != Identity::Ip,
            recent: vec![empty; SLOTS],
            user_agents: HashMap::default(),
        }
    }

    /// The client of `request`, by the identity field or the session that the log holds, else by address (and user agent);
    /// and what the user agent says of the kind of the request.
    pub fn client(&mut self, request: &Request<'_>) -> (Pseudonym, Kind) {
        let agent = match request.user_agent {
            None => Agent { pseudonym: 0, kind: Kind::Page },
            Some(text) => self.user_agent(text),
        };
        let client = match request.identity.or(request.session) {
            Some(identity) => self.key.pseudonym(Domain::Identity, identity),
            None if self.with_user_agent => self.by_address(request.client, agent.pseudonym),
            None => self.by_address(request.client, 0),
        };
        (client, agent.kind)
    }

    fn by_address(&mut self, address: &[u8], user_agent: Pseudonym) -> Pseudonym {
        if address.len() > ADDRESS_BYTES {
            return self.resolve(address, user_agent);
        }
        let slot = (FixedState::with_seed(user_agent).hash_one(address) as usize) % SLOTS;
        let known = &self.recent[slot];
        if usize::from(known.length) == address.len()
            && known.address[..address.len()] == *address
            && known.user_agent == user_agent
        {
            return known.pseudonym;
        }
        let pseudonym = self.resolve(address, user_agent);
        let mut bytes = [0; ADDRESS_BYTES];
        bytes[..address.len()].copy_from_slice(address);
        self.recent[slot] = Recent { address: bytes, length: address.len() as u8, user_agent, pseudonym };
        pseudonym
    }

    fn user_agent(&mut self, text: &[u8]) -> Agent {
        if let Some(known) = self.user_agents.get(text) {
            return *known;
        }
        if self.user_agents.len() >= USER_AGENTS {
            self.user_agents.clear();
        }
        let agent =
            Agent { pseudonym: self.key.pseudonym(Domain::UserAgent, text), kind: kind::of_user_agent(text) };
        self.user_agents.insert(text.into(), agent);
        agent
    }

    fn resolve(&self, address: &[u8], user_agent: Pseudonym) -> Pseudonym {
        let canonical = canonical_address(address);
        let address: &[u8] = match &canonical {
            Some(IpAddr::V4(v4)) => &v4.octets(),
            Some(IpAddr::V6(v6)) => &v6.octets(),
            None => &address.to_ascii_lowercase(),
        };
        self.key.pseudonym_of_parts(Domain::Address, &[address, &user_agent.to_le_bytes()])
    }
}

/// The address that `text` writes, one way of many (RFC 5952); an IPv4 address mapped into IPv6 is itself.
fn canonical_address(text: &[u8]) -> Option<IpAddr> {
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
    fn a_key_shows_nothing_when_printed() {
        assert_eq!(format!("{:?}", Key::from_secret(&[7; 32])), "Key(..)");
    }
}
