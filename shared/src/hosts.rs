//! The hosts that a profile was made from, as fingerprints: so that a replay can refuse to load them.
//!
//! A profile names no host, but whoever knows one can ask whether it is among these. That is all a replayer needs, and
//! all that is protected: the hash is slow (PBKDF2-HMAC-SHA256, RFC 8018) and salted, so that a list of names made for
//! one profile says nothing of another and each guess costs milliseconds. It does not protect a name that somebody
//! guesses. Host names are short, public in DNS and in certificates, and few enough to be tried: treat the fingerprints
//! as a lock against reading along, not as anonymity. The salt is no secret and follows from the profile's own source,
//! so that the same input gives the same bytes.

use std::net::IpAddr;

use pbkdf2::pbkdf2_hmac_array;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Fingerprints of the hosts that most of the traffic was for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hosts {
    /// What the hashes are salted with: 32 hexadecimal digits that follow from the rest of `source`.
    pub salt: String,
    /// A slow hash of each host, cut to 12 hexadecimal digits, in ascending order: with it a replay refuses to load
    /// the host, and whoever guesses a host can check the guess.
    pub hashes: Vec<String>,
}

/// A host before it is salted: 16 bytes from which nobody reads it, and everybody can check a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostDigest([u8; 16]);

/// Iterations of the slow hash: one guess was measured to take 16 ms of one core.
const ITERATIONS: u32 = 100_000;
/// Bytes of a published hash: two hosts in 2^24 share one by chance, and nobody can be sure of a guess beyond that.
const HASH_BYTES: usize = 6;
/// Bytes of a salt.
const SALT_BYTES: usize = 16;
/// The longest name in DNS, in characters.
const LONGEST_NAME: usize = 253;

impl HostDigest {
    /// The digest of `host` as it stands in a `Host` header or a URL: without its port and the dot at its end, in lower
    /// case. None for what cannot be a host in ASCII, and for this machine's own names, which say nothing.
    pub fn of(host: &str) -> Option<Self> {
        Some(Self(Sha256::digest(normal(host)?)[..16].try_into().ok()?))
    }

    /// The digest again, from the bytes that [`Self::bytes`] gave.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl Hosts {
    /// The fingerprints of `digests`, salted with what follows from `source`: any text that the same input gives again.
    pub fn new(source: &str, digests: impl IntoIterator<Item = HostDigest>) -> Self {
        let salt = hex(&Sha256::digest(format!("loadprint hosts\n{source}"))[..SALT_BYTES]);
        let mut hashes: Vec<String> = digests.into_iter().map(|digest| hash(&salt, digest)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        Self { salt, hashes }
    }

    /// Is the host with this digest one of them? Takes milliseconds, which is the point.
    pub fn contain(&self, digest: HostDigest) -> bool {
        self.hashes.contains(&hash(&self.salt, digest))
    }

    /// Whether salt and hashes look like what [`Self::new`] makes.
    pub(crate) fn is_proper(&self) -> bool {
        let is_hex = |text: &str, bytes: usize| {
            text.len() == 2 * bytes && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        is_hex(&self.salt, SALT_BYTES)
            && !self.hashes.is_empty()
            && self.hashes.iter().all(|hash| is_hex(hash, HASH_BYTES))
    }
}

fn hash(salt: &str, digest: HostDigest) -> String {
    hex(&pbkdf2_hmac_array::<Sha256, HASH_BYTES>(&digest.0, salt.as_bytes(), ITERATIONS))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `host` in the one form that is hashed.
fn normal(host: &str) -> Option<String> {
    let bare = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        // An IPv6 address has more colons than the one before a port.
        None if host.matches(':').count() == 1 => host.split_once(':')?.0,
        None => host,
    };
    if let Ok(address) = bare.parse::<IpAddr>() {
        let address = address.to_canonical();
        return (!address.is_loopback() && !address.is_unspecified()).then(|| address.to_string());
    }
    let name = bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase();
    let plain = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let own = name == "localhost" || name.ends_with(".localhost");
    (name.len() <= LONGEST_NAME && name.split('.').all(plain) && !own).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_has_one_form() {
        #[track_caller]
        fn check(host: &str, expected: Option<&str>) {
            assert_eq!(normal(host).as_deref(), expected, "{host}");
        }
        check("Shop.Example", Some("shop.example"));
        check("shop.example.:8443", Some("shop.example"));
        check("xn--bcher-kva.example", Some("xn--bcher-kva.example"));
        check("203.0.113.7:80", Some("203.0.113.7"));
        check("[2001:DB8::7]:80", Some("2001:db8::7"));
        check("2001:db8:0::7", Some("2001:db8::7"));
        check("[::ffff:203.0.113.7]", Some("203.0.113.7"));
        for none in [
            "",
            "-:",
            "a b",
            "a..b",
            ".",
            "shop.example/",
            "<script>",
            "bücher.example",
            "localhost:80",
            "127.0.0.1",
            "[::1]",
            "app.localhost",
            "0.0.0.0",
        ] {
            check(none, (none == "-:").then_some("-"));
        }
        check(&"a".repeat(254), None);
    }

    #[test]
    fn a_host_is_recognised_by_whoever_knows_it() {
        let digest = |host| HostDigest::of(host).unwrap();
        let hosts =
            Hosts::new("one", [digest("shop.example"), digest("api.shop.example"), digest("SHOP.example")]);
        assert!(hosts.is_proper() && hosts.hashes.len() == 2, "{hosts:?}");
        assert!(hosts.contain(digest("Shop.Example:443")) && !hosts.contain(digest("www.shop.example")));
        // The fingerprints are part of the contract: profiles are read by later versions.
        assert_eq!(
            (hosts.salt.as_str(), hosts.hashes[0].as_str()),
            ("28785c212e42985701d997537ab3fb8c", "3ac2df46efeb")
        );
        let other = Hosts::new("two", [digest("shop.example")]);
        assert!(other.salt != hosts.salt && !hosts.hashes.contains(&other.hashes[0]));
    }
}
