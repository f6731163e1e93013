//! Where a run sends to: the target's name, and the way there.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hyper::http::uri::Authority;

use super::settings::WireSettings;
use super::way::{Address, Way};
use crate::config::Settings;
use crate::error::Error;
use crate::guard::location::Location;
use crate::guard::targets::{Guard, Pinned};

/// What the target is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    /// Whether it is spoken to over TLS.
    pub(crate) secure: bool,
    /// Host and port: what the `Host` header says.
    pub(crate) authority: String,
    /// What stands in front of every path, without a slash at its end.
    pub(crate) prefix: String,
}

impl Site {
    /// The host alone, an IPv6 address in its brackets.
    pub(crate) fn host(&self) -> &str {
        let port = self.authority.rfind(':').filter(|at| !self.authority[*at..].contains(']'));
        &self.authority[..port.unwrap_or(self.authority.len())]
    }
}

/// A target that may be loaded, and the proxy before it if there is one; not connected to yet.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    place: Place,
    proxy: Option<Pinned>,
    settings: WireSettings,
}

#[derive(Debug, Clone)]
enum Place {
    Host(Pinned),
    /// A socket in the file system: this machine, whatever it is called.
    File(PathBuf),
}

/// What a socket in the file system is called in `Host`, if nobody says otherwise.
const LOCAL: &str = "localhost";

impl Destination {
    /// The destination that `settings` mean. A proxy gets all of the load, and so must be allowed as a target must.
    ///
    /// # Errors
    /// [`Error::Setting`], and what the guard says of target and proxy.
    pub(crate) fn new(settings: &Settings, guard: &Guard) -> Result<Self, Error> {
        let wire = &settings.wire;
        let wrong =
            |name, found: &str, expected| Err(Error::Setting { name, found: format!("`{found}`"), expected });
        if wire.certificate.is_some() != wire.key.is_some() {
            return wrong("--cert", "one without the other", "`--cert` and `--key` together");
        }
        if let Some(host) = wire.host.as_deref().filter(|host| !is_authority(host)) {
            return wrong("--host", host, "a host, and a port if needed");
        }
        let place = match settings.target.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') => Place::File(path.into()),
            Some(path) => return wrong("--target", path, "a path from the root, as in `unix:/run/app.sock`"),
            None => Place::Host(guard.target(&settings.target)?),
        };
        let proxy = wire.proxy.as_deref().map(|url| guard.target(url)).transpose()?;
        if let Some(proxy) = wire.proxy.as_deref().filter(|url| !url.starts_with("http://")) {
            return wrong("--proxy", proxy, "a URL that starts with `http://`");
        }
        Ok(Self { place, proxy, settings: wire.clone() })
    }

    /// Is it this machine, and nobody between?
    pub(crate) fn is_loopback(&self) -> bool {
        let is_here = match &self.place {
            Place::Host(pinned) => pinned.is_loopback(),
            Place::File(_) => true,
        };
        is_here && self.proxy.as_ref().is_none_or(Pinned::is_loopback)
    }

    /// Sees whether somebody answers, and keeps to the address that does.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Socket`], [`Error::Setting`], [`Error::Certificate`], [`Error::Tls`].
    pub(crate) fn connect(&self) -> Result<(Site, Way), Error> {
        let proxy: Option<SocketAddr> = match &self.proxy {
            Some(proxy) => Some(proxy.connect()?),
            None => None,
        };
        let (mut site, address) = match &self.place {
            Place::File(path) => {
                probe(path).map_err(|source| Error::Socket { path: path.clone(), source })?;
                let site = Site { secure: false, authority: LOCAL.to_owned(), prefix: String::new() };
                (site, Address::Unix(path.clone()))
            }
            Place::Host(pinned) => {
                // Behind a proxy this machine may have no way to the target of its own.
                let address = if proxy.is_some() { pinned.first() } else { pinned.connect()? };
                let Location { secure, authority, prefix, .. } = pinned.location.clone();
                (Site { secure, authority, prefix }, Address::Tcp(address))
            }
        };
        if let Some(host) = &self.settings.host {
            site.authority.clone_from(host);
        }
        let way = Way::new(&site, address, proxy, &self.settings)?;
        Ok((site, way))
    }
}

/// May `text` stand in `Host`?
fn is_authority(text: &str) -> bool {
    !text.contains('@') && text.parse::<Authority>().is_ok()
}

#[cfg(unix)]
fn probe(path: &Path) -> io::Result<()> {
    std::os::unix::net::UnixStream::connect(path).map(drop)
}

#[cfg(not(unix))]
fn probe(_path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Production;

    #[test]
    fn a_site_knows_its_host() {
        #[track_caller]
        fn check(authority: &str, host: &str) {
            let site = Site { secure: true, authority: authority.to_owned(), prefix: String::new() };
            assert_eq!(site.host(), host);
        }
        check("shop.test:8443", "shop.test");
        check("shop.test", "shop.test");
        check("[::1]:443", "[::1]");
        check("[::1]", "[::1]");
    }

    fn destination(settings: &Settings) -> Result<Destination, Error> {
        Destination::new(settings, &Guard::new(&[], Production::default())?)
    }

    #[test]
    fn settings_that_do_not_go_together_are_named() {
        #[track_caller]
        fn check(expected: &str, edit: impl Fn(&mut Settings)) {
            let mut settings = Settings::default();
            edit(&mut settings);
            let message = destination(&settings).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        assert!(destination(&Settings::default()).is_ok());
        check("--cert", |s| s.wire.key = Some("key.pem".into()));
        check("--host", |s| s.wire.host = Some("a b".to_owned()));
        check("--host", |s| s.wire.host = Some("me@shop.test".to_owned()));
        check("--target", |s| s.target = "unix:run/app.sock".to_owned());
        check("--proxy", |s| s.wire.proxy = Some("https://127.0.0.1:1".to_owned()));
        // A proxy is loaded as much as the target is.
        check("another machine", |s| s.wire.proxy = Some("http://203.0.113.9:3128".to_owned()));
    }
}
