//! How connections are made: what the command line says about it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How connections are made, and what goes over them besides requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireSettings {
    /// HTTP/2 instead of HTTP/1.1: agreed on in TLS, or taken as known without.
    pub http2: bool,
    /// Files with certificates to trust instead of the system's, in PEM.
    pub ca: Vec<PathBuf>,
    /// File with the certificate to show, with those that vouch for it, in PEM.
    pub certificate: Option<PathBuf>,
    /// File with its private key, in PEM.
    pub key: Option<PathBuf>,
    /// Whether any certificate will do.
    pub insecure: bool,
    /// Addresses of this machine to connect from, one after the other: each has some tens of thousands of ports.
    pub source_addresses: Vec<IpAddr>,
    /// URL of the proxy to go through.
    pub proxy: Option<String>,
    /// What to call the target, in `Host` and in TLS, instead of what its URL says.
    pub host: Option<String>,
    /// How long a session keeps a connection that it does not use.
    pub keep_alive: Duration,
    /// Whether answers that lead elsewhere on the same site are followed.
    ///
    /// A profile made from a log has the requests that followed in production already, as companions or steps; following
    /// answers as well would send them twice. It is for profiles that were written by hand.
    pub follow_redirects: bool,
}

impl Default for WireSettings {
    fn default() -> Self {
        Self {
            http2: false,
            ca: Vec::new(),
            certificate: None,
            key: None,
            insecure: false,
            source_addresses: Vec::new(),
            proxy: None,
            host: None,
            keep_alive: Duration::from_secs(75),
            follow_redirects: false,
        }
    }
}
