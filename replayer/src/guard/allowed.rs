//! What `--allow-target` names.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::location::Host;

/// A host or a network that may be loaded although it is not this machine, on one port or on all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allowed {
    who: Who,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Who {
    Name(String),
    Network(IpNet),
}

/// The widest networks that may be allowed: half of the internet is nobody's staging.
const WIDEST: (u8, u8) = (8, 32);

impl FromStr for Allowed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str =
            "a host such as `staging.example` or `10.1.2.3:8080`, or a network such as `10.1.0.0/16`";
        let text = text.trim();
        if let Ok(network) = text.parse::<IpNet>() {
            let widest = if network.addr().is_ipv4() { WIDEST.0 } else { WIDEST.1 };
            return if network.prefix_len() < widest {
                Err("a network of /8 or less, or /32 or less in IPv6")
            } else {
                Ok(Self { who: Who::Network(network), port: None })
            };
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self { who: Who::Network(address.to_canonical().into()), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, Some(port.parse().ok().filter(|port| *port > 0).ok_or(EXPECTED)?))
            }
            _ => (text, None),
        };
        // What a URL would make of `a/b` or `*.example` is not what whoever wrote that means.
        let plain = host
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']' | '。'));
        match Host::parse(host).filter(|_| plain).ok_or(EXPECTED)? {
            Host::Name(name) => Ok(Self { who: Who::Name(name), port }),
            Host::Address(address) => Ok(Self { who: Who::Network(address.into()), port }),
        }
    }
}

impl Allowed {
    /// Does it name `host` and `port`?
    pub(crate) fn names(&self, host: &Host, port: u16) -> bool {
        self.port.is_none_or(|own| own == port)
            && match (&self.who, host) {
                (Who::Name(own), Host::Name(name)) => own == name,
                (Who::Network(network), Host::Address(address)) => network.contains(address),
                _ => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_allowed_and_nothing_near_it() {
        #[track_caller]
        fn check(allowed: &str, host: &str, port: u16, expected: bool) {
            let allowed: Allowed = allowed.parse().unwrap();
            assert_eq!(
                allowed.names(&Host::parse(host).unwrap(), port),
                expected,
                "{allowed:?} {host}:{port}"
            );
        }
        check("staging.example", "Staging.EXAMPLE.", 80, true);
        check("STAGING.example.", "staging.example", 8443, true);
        check("staging.example:8080", "staging.example", 8080, true);
        check("staging.example:8080", "staging.example", 80, false);
        check("staging.example", "www.staging.example", 80, false);
        check("staging.example", "example", 80, false);
        check("staging.example", "staging.example.evil.test", 80, false);
        check("bücher.example", "xn--bcher-kva.example", 80, true);
        check("10.1.0.0/16", "10.1.255.9", 80, true);
        check("10.1.0.0/16", "10.2.0.1", 80, false);
        check("10.1.2.3", "[::ffff:10.1.2.3]", 80, true);
        check("::ffff:10.1.2.3", "10.1.2.3", 80, true);
        check("2001:db8::7", "[2001:db8::7]", 80, true);
        check("[2001:db8::7]:8080", "[2001:db8::7]", 80, false);
        check("[2001:db8::7]:8080", "[2001:db8::7]", 8080, true);
    }

    #[test]
    fn what_would_allow_everything_or_nothing_is_an_error() {
        for text in [
            "",
            "0.0.0.0/0",
            "10.0.0.0/7",
            "::/0",
            "*.example",
            "http://staging.example",
            "a b",
            "a:b",
            "a:0",
            ".",
        ] {
            assert!(text.parse::<Allowed>().is_err(), "{text}");
        }
    }
}
