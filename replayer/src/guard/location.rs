//! Where a URL points, in one form however it is spelt.
//!
//! The URL is read as browsers read it (WHATWG URL): capitals, other scripts, full-width digits, and addresses written
//! in decimal, octal or hexadecimal all come out in one form, and it is that form which is checked and connected to.

use std::fmt;
use std::net::IpAddr;

use url::Url;

use crate::error::Error;

/// Where a URL points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) host: Host,
    pub(crate) port: u16,
    /// Over TLS.
    pub(crate) secure: bool,
    /// Host, and port where it is not the usual one: what the `Host` header says.
    pub(crate) authority: String,
    /// What stands in front of every path, without a slash at its end.
    pub(crate) prefix: String,
}

/// A host: an address, or a name in lower case, in ASCII, without a dot at its end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Host {
    Name(String),
    Address(IpAddr),
}

impl Host {
    /// The host that `text` spells, as it may stand in a URL; none if it cannot.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match url::Host::parse(text).ok()? {
            url::Host::Domain(name) => Self::name(&name),
            url::Host::Ipv4(address) => Some(Self::Address(address.into())),
            // An address of the old kind in the clothes of the new is what it is.
            url::Host::Ipv6(address) => Some(Self::Address(IpAddr::V6(address).to_canonical())),
        }
    }

    /// A name that the resolver gave, or that a URL holds; none if nothing is left of it without its dots.
    pub(crate) fn name(text: &str) -> Option<Self> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let labels_are_there = !name.is_empty() && name.split('.').all(|label| !label.is_empty());
        labels_are_there.then_some(Self::Name(name))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name}"),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl Location {
    /// What `--target` may be: a host, perhaps a port, perhaps a path that comes before every route.
    ///
    /// # Errors
    /// [`Error::TargetUrl`].
    pub(crate) fn of_target(text: &str) -> Result<Self, Error> {
        let url = Url::parse(text).map_err(|_| wrong(text, "a URL such as `http://127.0.0.1:8080`"))?;
        if url.query().is_some() {
            return Err(wrong(text, "a URL without a query: the profile says what is asked for"));
        }
        if url.fragment().is_some() {
            return Err(wrong(text, "a URL without a `#`"));
        }
        Self::of(&url)
    }

    /// Where `url` points, whatever path and query it has.
    ///
    /// # Errors
    /// [`Error::TargetUrl`].
    fn of(url: &Url) -> Result<Self, Error> {
        let wrong = |expected| Err(wrong(url.as_str(), expected));
        let secure = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return wrong("a URL that starts with `http://` or `https://`"),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return wrong("a URL without a user name: it would end up in the report");
        }
        let Some(host) = url.host_str().and_then(Host::parse) else { return wrong("a URL with a host") };
        let port = url.port_or_known_default().filter(|port| *port > 0);
        let Some(port) = port else { return wrong("a port from 1 to 65535") };
        let authority = url.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
        let prefix = url.path().trim_end_matches('/').to_owned();
        Ok(Self { host, port, secure, authority, prefix })
    }
}

/// What is wrong with a URL, which is shown without what stands before an `@`: that may be a password.
fn wrong(text: &str, expected: &'static str) -> Error {
    let found = match text.rsplit_once('@') {
        Some((_, after)) => format!("…@{after}"),
        None => text.to_owned(),
    };
    Error::TargetUrl { found, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_or_refused() {
        #[track_caller]
        fn check(url: &str, expected: Result<(&str, u16, &str), &str>) {
            match (Location::of_target(url), expected) {
                (Ok(found), Ok((host, port, prefix))) => {
                    let host_found = found.host.to_string();
                    assert_eq!((&*host_found, found.port, &*found.prefix), (host, port, prefix));
                }
                (Err(found), Err(expected)) => {
                    let text = found.to_string();
                    assert!(text.contains(expected) && !text.contains("secret"), "{text}");
                }
                (found, _) => panic!("{url}: {found:?}"),
            }
        }
        check("http://127.0.0.1:8080", Ok(("127.0.0.1", 8080, "")));
        check("http://LocalHost/", Ok(("localhost", 80, "")));
        check("http://[::1]:9000/shop/", Ok(("[::1]", 9000, "/shop")));
        check("https://Staging.Example.", Ok(("staging.example", 443, "")));
        check("http://bücher.example", Ok(("xn--bcher-kva.example", 80, "")));
        check("http://BÜCHER。example", Ok(("xn--bcher-kva.example", 80, "")));
        check("http://2130706433", Ok(("127.0.0.1", 80, "")));
        check("http://0x7f.1", Ok(("127.0.0.1", 80, "")));
        check("http://0177.0.0.01", Ok(("127.0.0.1", 80, "")));
        check("http://[::ffff:203.0.113.9]", Ok(("203.0.113.9", 80, "")));
        check("http://１２７.0.0.1", Ok(("127.0.0.1", 80, "")));
        check("ftp://localhost", Err("starts with `http://`"));
        check("localhost:8080", Err("starts with `http://`"));
        check("/only/a/path", Err("a URL such as"));
        check("", Err("a URL such as"));
        check("http://", Err("a URL such as"));
        check("http://..", Err("a URL with a host"));
        check("http://me:secret@localhost", Err("without a user name"));
        check("http://me:secret@localhost/?a", Err("without a query"));
        check("http://me:secret@ho st/", Err("a URL such as"));
        check("http://localhost/?a=1", Err("query"));
        check("http://localhost/#a", Err("`#`"));
        check("http://localhost:99999", Err("a URL such as"));
        check("http://localhost:0", Err("port"));
    }
}
