//! The hosts that the profile was made from: production, which is not loaded by accident.

use shared::hosts::{HostDigest, Hosts};

use super::location::Host;
use crate::error::Error;

/// Recognises production by the profile's fingerprints.
#[derive(Debug, Clone, Default)]
pub(crate) struct Production {
    hosts: Option<Hosts>,
    /// The host of which somebody said, by typing it, that it is theirs and is meant.
    owned: Option<Host>,
}

impl Production {
    /// The hosts of a profile, of which `owned` may be loaded all the same.
    ///
    /// # Errors
    /// [`Error::Setting`] when `owned` is no host.
    pub(crate) fn new(hosts: Option<&Hosts>, owned: Option<&str>) -> Result<Self, Error> {
        let parse = |text: &str| {
            let found = format!("`{text}`");
            let expected = "the host of `--target`, typed again";
            Host::parse(text.trim()).ok_or(Error::Setting {
                name: "--i-own-this-production",
                found,
                expected,
            })
        };
        Ok(Self { hosts: hosts.cloned(), owned: owned.map(parse).transpose()? })
    }

    /// Is `host` one that the profile was made from, and nobody said that it is meant?
    ///
    /// So is a host whose `www.` is missing or added, which commonly is the same site, and one below such a host.
    pub(crate) fn forbids(&self, host: &Host) -> bool {
        self.owned.as_ref() != Some(host) && self.hosts.as_ref().is_some_and(|hosts| is_among(host, hosts))
    }
}

fn is_among(host: &Host, hosts: &Hosts) -> bool {
    let text = match host {
        Host::Name(name) => name.clone(),
        Host::Address(address) => address.to_string(),
    };
    let candidates = std::iter::once(text.clone()).chain(relatives(host));
    candidates.filter_map(|candidate| HostDigest::of(&candidate)).any(|digest| hosts.contain(digest))
}

/// Names that stand for the same site as `host`: with and without `www.`, and the domains that it is in, of two labels
/// or more. A list of public suffixes would only save guesses: nobody's production is called `co.uk`.
fn relatives(host: &Host) -> Vec<String> {
    let Host::Name(name) = host else { return Vec::new() };
    let twin = match name.strip_prefix("www.") {
        Some(bare) => bare.to_owned(),
        None => format!("www.{name}"),
    };
    let above = std::iter::successors(name.split_once('.').map(|(_, parent)| parent), |domain| {
        domain.split_once('.').map(|(_, parent)| parent)
    });
    std::iter::once(twin).chain(above.filter(|domain| domain.contains('.')).map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_is_recognised_and_can_be_owned() {
        let digests =
            ["www.shop.example", "example.org", "203.0.113.7"].map(|host| HostDigest::of(host).unwrap());
        let hosts = Hosts::new("x", digests);
        let forbids = |host: &str, owned: Option<&str>| {
            Production::new(Some(&hosts), owned).unwrap().forbids(&Host::parse(host).unwrap())
        };
        for host in
            ["www.shop.example", "shop.example", "WWW.Shop.Example.", "a.www.shop.example", "example.org"]
        {
            assert!(forbids(host, None), "{host}");
        }
        for host in ["staging.example.org", "www.example.org", "203.0.113.7", "[::ffff:203.0.113.7]"] {
            assert!(forbids(host, None), "{host}");
        }
        for host in ["staging.shop.example", "example", "org", "203.0.113.8", "localhost", "127.0.0.1"] {
            assert!(!forbids(host, None), "{host}");
        }
        assert!(!forbids("shop.example", Some("Shop.Example")));
        assert!(
            forbids("www.shop.example", Some("shop.example")),
            "another host than the one that was typed"
        );
        assert!(Production::new(None, Some("a b")).is_err());
    }
}
