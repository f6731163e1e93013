//! The way to the target: how a connection to it is opened, from the socket to the first byte of HTTP.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::destination::Site;
use super::settings::WireSettings;
use super::tls;
use super::wire::Wire;
use crate::error::Error;

/// Where sockets connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A host and port.
    Tcp(SocketAddr),
    /// A file of this machine.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// How connections to the target are opened; the same for all event loops.
#[derive(Debug)]
pub(crate) struct Way {
    /// Where sockets connect to: the target or the proxy.
    address: Address,
    sources: Vec<IpAddr>,
    next_source: AtomicUsize,
    /// What the proxy is asked to connect to.
    tunnel: Option<SocketAddr>,
    encryption: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    pub(crate) http2: bool,
}

impl Way {
    /// The way to `address`, which is that of `site`, or to the proxy at `proxy`; `settings` say how.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings that do not go together, [`Error::Certificate`], [`Error::Tls`].
    pub(crate) fn new(
        site: &Site,
        address: Address,
        proxy: Option<SocketAddr>,
        settings: &WireSettings,
    ) -> Result<Self, Error> {
        let wrong = |name, found: &dyn fmt::Display, expected| {
            Err(Error::Setting { name, found: format!("`{found}`"), expected })
        };
        let (address, tunnel) = match (address, proxy) {
            (Address::Unix(path), Some(_)) => {
                return wrong("--proxy", &path.display(), "a target that is no socket of this machine");
            }
            (Address::Tcp(target), Some(proxy)) => (Address::Tcp(proxy), site.secure.then_some(target)),
            (address, None) => (address, None),
        };
        for source in &settings.source_addresses {
            if !matches!(address, Address::Tcp(to) if to.is_ipv4() == source.is_ipv4()) {
                return wrong("--source-address", source, "an address of the same kind as the target's");
            }
        }
        let encryption = if site.secure {
            let host = site.host().trim_start_matches('[').trim_end_matches(']');
            let Ok(name) = ServerName::try_from(host.to_owned()) else {
                return wrong("--host", &host, "a name that a certificate can have");
            };
            Some((tls::config(settings)?, name))
        } else {
            None
        };
        Ok(Self {
            address,
            sources: settings.source_addresses.clone(),
            next_source: AtomicUsize::new(0),
            tunnel,
            encryption,
            http2: settings.http2,
        })
    }

    /// Where sockets connect to.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// The system's; what goes wrong with the proxy and in agreeing on encryption as `other` and `InvalidData`.
    pub(crate) async fn open(&self) -> io::Result<Wire> {
        let mut stream = match &self.address {
            Address::Tcp(address) => self.connect(*address).await?,
            #[cfg(unix)]
            Address::Unix(path) => return Ok(Wire::Unix(tokio::net::UnixStream::connect(path).await?)),
            #[cfg(not(unix))]
            Address::Unix(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        // A request is one write; waiting for more to send with it would only make it late.
        stream.set_nodelay(true)?;
        if let Some(target) = self.tunnel {
            dig(&mut stream, target).await?;
        }
        let Some((config, name)) = &self.encryption else { return Ok(Wire::Tcp(stream)) };
        let stream = TlsConnector::from(Arc::clone(config)).connect(name.clone(), stream).await?;
        if self.http2 && stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the target does not agree to HTTP/2"));
        }
        Ok(Wire::Tls(Box::new(stream)))
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        if self.sources.is_empty() {
            return TcpStream::connect(address).await;
        }
        let source = self.sources[self.next_source.fetch_add(1, Ordering::Relaxed) % self.sources.len()];
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind(SocketAddr::new(source, 0))?;
        socket.connect(address).await
    }
}

/// The longest answer of a proxy that is read.
const LONGEST_REPLY: usize = 16 * 1024;

/// Asks the proxy at the other end of `stream` to connect to `target` (RFC 9110, 9.3.6): to the address that was
/// checked, not to a name that the proxy would look up again.
async fn dig(stream: &mut TcpStream, target: SocketAddr) -> io::Result<()> {
    stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n").as_bytes()).await?;
    let mut reply = Vec::new();
    // Byte by byte: what follows the reply belongs to the target.
    while !reply.ends_with(b"\r\n\r\n") && reply.len() < LONGEST_REPLY {
        reply.push(stream.read_u8().await?);
    }
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut answer = httparse::Response::new(&mut headers);
    match answer.parse(&reply) {
        Ok(_) if answer.code.is_some_and(|code| (200..300).contains(&code)) => Ok(()),
        _ => Err(io::Error::other("the proxy refused to connect")),
    }
}
