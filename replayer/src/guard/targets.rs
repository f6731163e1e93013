//! Which machine may be loaded: this one, unless another is named.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use hyper::Uri;

use crate::error::Error;

/// How long the one connection before the run may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A target that may be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    /// Whether the URL asks for TLS.
    pub(crate) secure: bool,
    /// Host and port as the URL spells them: what the `Host` header says.
    pub(crate) authority: String,
    /// What stands in front of every path, without a slash at its end.
    pub(crate) prefix: String,
    /// Where connections go. Resolved once: a name that changes its mind during the run changes nothing.
    pub(crate) address: SocketAddr,
}

/// Where a target's name leads, all of it allowed.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    location: Location,
    addresses: Vec<SocketAddr>,
}

impl Resolved {
    /// Resolves `url` and checks every address of it against the rules.
    ///
    /// # Errors
    /// [`Error::TargetUrl`], [`Error::Resolve`], [`Error::TargetNotAllowed`].
    pub(crate) fn new(url: &str, allowed_hosts: &[String]) -> Result<Self, Error> {
        let location = Location::parse(url)?;
        let Location { host, port, .. } = &location;
        let bare_host = host.trim_start_matches('[').trim_end_matches(']');
        let resolved = (bare_host, *port).to_socket_addrs();
        let addresses: Vec<SocketAddr> =
            resolved.map_err(|source| Error::Resolve { host: host.clone(), source })?.collect();
        check(host, &addresses, allowed_hosts)?;
        Ok(Self { location, addresses })
    }

    /// The first of the addresses that accepts a connection, and from then on the only one.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub(crate) fn connect(&self) -> Result<Site, Error> {
        connect(&self.location.host, &self.addresses).map(|address| self.site(address))
    }

    /// The first of the addresses, whether or not it accepts connections from here.
    ///
    /// # Errors
    /// [`Error::Resolve`] when there is none.
    pub(crate) fn first(&self) -> Result<Site, Error> {
        let address = self.addresses.first().ok_or_else(|| no_address(&self.location.host))?;
        Ok(self.site(*address))
    }

    fn site(&self, address: SocketAddr) -> Site {
        let Location { secure, authority, prefix, .. } = self.location.clone();
        Site { secure, authority, prefix, address }
    }
}

/// Where a URL points.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Location {
    secure: bool,
    host: String,
    port: u16,
    authority: String,
    prefix: String,
}

impl Location {
    fn parse(url: &str) -> Result<Self, Error> {
        let wrong = |expected| Error::TargetUrl { found: url.to_owned(), expected };
        let uri: Uri = url.parse().map_err(|_| wrong("a URL such as `http://127.0.0.1:8080`"))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("a URL that starts with `http://` or `https://`")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("a URL with a host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("a URL without a user name"));
        }
        if uri.query().is_some() {
            return Err(wrong("a URL without a query: the profile says what is asked for"));
        }
        // A port that is no number parses as none at all.
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        if authority.port().is_none() && authority.as_str().len() > authority.host().len() {
            return Err(wrong("a port from 0 to 65535"));
        }
        Ok(Self {
            secure,
            host: authority.host().to_owned(),
            port,
            authority: authority.as_str().to_owned(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

/// Every address must be this machine's, or the host must have been named: a name with one address of each kind is
/// refused, because nobody can say which one gets the load.
fn check(host: &str, addresses: &[SocketAddr], allowed_hosts: &[String]) -> Result<(), Error> {
    if allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    match addresses.iter().find(|address| !is_loopback(address.ip())) {
        Some(address) => Err(Error::TargetNotAllowed { host: host.to_owned(), address: *address }),
        None => Ok(()),
    }
}

/// Is `ip` this machine, also when written as an IPv6 address that stands for an IPv4 one?
pub(crate) fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// The first of `addresses` that accepts a connection.
fn connect(host: &str, addresses: &[SocketAddr]) -> Result<SocketAddr, Error> {
    let mut failure = None;
    for address in addresses {
        match TcpStream::connect_timeout(address, PROBE_TIMEOUT) {
            Ok(_) => return Ok(*address),
            Err(source) => {
                failure = Some(Error::Unreachable { host: host.to_owned(), address: *address, source })
            }
        }
    }
    Err(failure.unwrap_or_else(|| no_address(host)))
}

fn no_address(host: &str) -> Error {
    let source = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    Error::Resolve { host: host.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_or_refused() {
        #[track_caller]
        fn check(url: &str, expected: Result<(&str, u16, &str), &str>) {
            let found = Location::parse(url);
            match (found, expected) {
                (Ok(found), Ok((host, port, prefix))) => {
                    assert_eq!(
                        (found.host.as_str(), found.port, found.prefix.as_str()),
                        (host, port, prefix)
                    );
                }
                (Err(found), Err(expected)) => assert!(found.to_string().contains(expected), "{found}"),
                (found, _) => panic!("{url}: {found:?}"),
            }
        }
        check("http://127.0.0.1:8080", Ok(("127.0.0.1", 8080, "")));
        check("http://LocalHost/", Ok(("LocalHost", 80, "")));
        check("http://[::1]:9000/shop/", Ok(("[::1]", 9000, "/shop")));
        check("https://localhost", Ok(("localhost", 443, "")));
        check("https://localhost:8443/a", Ok(("localhost", 8443, "/a")));
        check("ftp://localhost", Err("starts with `http://`"));
        check("localhost:8080", Err("http"));
        check("/only/a/path", Err("http"));
        check("", Err("URL"));
        check("http://", Err("URL"));
        check("http://me:secret@localhost", Err("user name"));
        check("http://localhost/?a=1", Err("query"));
        check("http://localhost:99999", Err("port"));
    }

    #[test]
    fn only_this_machine_unless_the_host_is_named() {
        #[track_caller]
        fn allows(host: &str, addresses: &[&str], named: &[&str], expected: bool) {
            let addresses: Vec<SocketAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
            let named: Vec<String> = named.iter().map(|host| (*host).to_owned()).collect();
            assert_eq!(check(host, &addresses, &named).is_ok(), expected, "{host} {addresses:?}");
        }
        allows("localhost", &["127.0.0.1:80", "[::1]:80"], &[], true);
        allows("127.9.9.9", &["127.9.9.9:80"], &[], true);
        allows("[::ffff:127.0.0.1]", &["[::ffff:127.0.0.1]:80"], &[], true);
        allows("0.0.0.0", &["0.0.0.0:80"], &[], false);
        allows("10.0.0.1", &["10.0.0.1:80"], &[], false);
        // A name that leads here and elsewhere, as an alias in DNS may.
        allows("mixed.example", &["127.0.0.1:80", "203.0.113.9:80"], &[], false);
        allows("staging.example", &["203.0.113.9:80"], &["Staging.EXAMPLE"], true);
        allows("staging.example", &["203.0.113.9:80"], &["example"], false);
        allows("staging.example.evil.test", &["203.0.113.9:80"], &["staging.example"], false);
        allows("203.0.113.9", &["203.0.113.9:80"], &["staging.example"], false);
        // The port is no part of the name: whoever may load a machine may load all of it.
        allows("staging.example", &["203.0.113.9:8443"], &["staging.example"], true);
    }
}
