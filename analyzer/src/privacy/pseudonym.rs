//! Clients become pseudonyms here, and their addresses go no further.
//!
//! A pseudonym is a keyed hash ([`Key`]) of an identifier in its one canonical spelling. A plain hash would be no
//! protection: there are only 2^32 IPv4 addresses to try.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use super::country::{Countries, Country};
pub use super::key::{Domain, Key};
use super::recent_client::RecentClients;
use crate::kind::{self, AgentClass, Kind};
use crate::recent::Recent;
use crate::request::Request;
use crate::session::identity::Identity;

/// A client, unlinkable to anything outside the run. 64 bits: 1e8 clients give 3e-4 expected collisions.
pub type Pseudonym = u64;

/// What stays of who makes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requester {
    /// The client.
    pub client: Pseudonym,
    /// What the user agent says of the kind of the request.
    pub kind: Kind,
    /// What the client is.
    pub origin: Origin,
}

/// What a client is, in words that many share.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// What program on what system, as the user agent says.
    pub agent: AgentClass,
    /// Where the address is.
    pub country: Country,
}

/// The client of each request as a pseudonym. One per thread.
#[derive(Debug)]
pub struct ClientResolver<'k> {
    key: &'k Key,
    with_user_agent: bool,
    agents: Recent<Agent>,
    recent: RecentClients,
    countries: Option<RecentCountries<'k>>,
    /// Kept to save its allocation.
    name: Vec<u8>,
}

/// What a request's user agent says.
#[derive(Debug, Clone, Copy)]
struct Agent {
    pseudonym: Pseudonym,
    kind: Kind,
    class: AgentClass,
}

impl Default for Agent {
    /// None.
    fn default() -> Self {
        Self { pseudonym: 0, kind: Kind::Page, class: AgentClass::default() }
    }
}

/// 32,768 user agents: to tell bots apart costs more than all else that is done to a line.
const AGENTS_BITS: u32 = 15;
/// Those of applications that embed a browser come near it.
const AGENT_BYTES: u16 = 320;

/// Countries, and those of the addresses seen last.
#[derive(Debug)]
struct RecentCountries<'k> {
    countries: &'k Countries,
    recent: Recent<Country>,
}

/// 16,384 addresses: a look into the database costs as much as half a line.
const ADDRESSES_BITS: u32 = 14;
/// As long as any address is written.
const ADDRESS_BYTES: u16 = 48;

impl RecentCountries<'_> {
    /// The country of what a log says of the client's address.
    fn of(&mut self, client: &[u8]) -> Country {
        let countries = self.countries;
        self.recent.get(0, client, || countries.of(canonical_address(client)))
    }
}

impl<'k> ClientResolver<'k> {
    /// A resolver that recognises clients by `identity`, and tells their countries where there is something to tell
    /// them by.
    pub fn new(key: &'k Key, identity: &Identity, countries: Option<&'k Countries>) -> Self {
        let recent =
            |countries| RecentCountries { countries, recent: Recent::new(ADDRESSES_BITS, ADDRESS_BYTES) };
        Self {
            key,
            with_user_agent: *identity != Identity::Ip,
            agents: Recent::new(AGENTS_BITS, AGENT_BYTES),
            recent: RecentClients::new(),
            countries: countries.map(recent),
            name: Vec::new(),
        }
    }

    /// The client of `request`, by the identity field or the session that the log holds, else by address (and user agent);
    /// what the user agent says of the kind of the request; and what the client is.
    #[inline]
    pub fn client(&mut self, request: &Request<'_>) -> Requester {
        let agent = match request.user_agent {
            None => Agent::default(),
            Some(text) => self.agents.get(0, text, || {
                let kind = kind::of_user_agent(text);
                let pseudonym = self.key.pseudonym(Domain::UserAgent, text);
                Agent { pseudonym, kind, class: AgentClass::of(text, kind) }
            }),
        };
        let country = match &mut self.countries {
            None => Country::default(),
            Some(countries) => countries.of(request.client),
        };
        let client = match request.identity.or(request.session) {
            Some(identity) => self.key.pseudonym(Domain::Identity, identity),
            None => {
                let user_agent = if self.with_user_agent { agent.pseudonym } else { 0 };
                let Self { key, recent, name, .. } = self;
                recent.get(request.client, user_agent, || by_address(key, request.client, user_agent, name))
            }
        };
        Requester { client, kind: agent.kind, origin: Origin { agent: agent.class, country } }
    }
}

/// The client at `address`. Its bytes and the agent's are hashed as one; what has another length has another form.
fn by_address(key: &Key, address: &[u8], user_agent: Pseudonym, name: &mut Vec<u8>) -> Pseudonym {
    let agent = user_agent.to_le_bytes();
    match canonical_address(address) {
        Some(IpAddr::V4(v4)) => {
            let mut bytes = [0; 12];
            bytes[..4].copy_from_slice(&v4.octets());
            bytes[4..].copy_from_slice(&agent);
            key.pseudonym(Domain::Address, &bytes)
        }
        Some(IpAddr::V6(v6)) => {
            let mut bytes = [0; 24];
            bytes[..16].copy_from_slice(&v6.octets());
            bytes[16..].copy_from_slice(&agent);
            key.pseudonym(Domain::Address, &bytes)
        }
        None => {
            name.clear();
            name.extend_from_slice(address);
            name.make_ascii_lowercase();
            name.extend_from_slice(&agent);
            key.pseudonym(Domain::ClientName, name)
        }
    }
}

/// The one spelling of an identifier that can be spelled in several ways: an address as RFC 5952 writes it, an IPv4
/// address mapped into IPv6 as itself, any other name of a client or host in small letters.
pub(crate) fn canonical(text: &[u8]) -> Cow<'_, [u8]> {
    match canonical_address(text) {
        Some(address) => Cow::Owned(address.to_string().into_bytes()),
        None if text.iter().any(u8::is_ascii_uppercase) => Cow::Owned(text.to_ascii_lowercase()),
        None => Cow::Borrowed(text),
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
        let key = Key::derived_from(&[1; 32]);
        let mut clients = ClientResolver::new(&key, &Identity::IpAndUserAgent, None);
        let mut of = |client: &str, agent: &str| {
            let (client, user_agent) = (client.as_bytes(), Some(agent.as_bytes()));
            clients.client(&Request { client, user_agent, ..Request::default() }).client
        };
        assert_eq!(of("192.0.2.1", "a"), of("::ffff:192.0.2.1", "a"));
        assert_eq!(of("Proxy.example", "a"), of("proxy.example", "a"));
        assert_ne!(of("192.0.2.1", "a"), of("192.0.2.1", "b"));
        // The bytes of 97.98.99.100 spell a name.
        assert_ne!(of("97.98.99.100", "a"), of("abcd", "a"));
    }

    #[test]
    fn an_identifier_has_one_spelling() {
        for (written, expected) in [
            ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
            ("2001:0db8::0001", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1"),
            ("::FFFF:192.0.2.1", "192.0.2.1"),
            ("::ffff:c000:201", "192.0.2.1"),
            ("192.0.2.1", "192.0.2.1"),
            ("Shop.Example", "shop.example"),
            ("-", "-"),
        ] {
            assert_eq!(&*canonical(written.as_bytes()), expected.as_bytes(), "{written}");
        }
    }
}
