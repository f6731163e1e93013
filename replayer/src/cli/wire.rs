//! Flags that say how connections are made.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use replayer::config::WireSettings;
use shared::units::parse_duration;

/// How connections are made.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connections")]
pub(super) struct WireFlags {
    /// Speak HTTP/2, as calls of gRPC need it: agreed on in TLS, or taken as known without
    #[arg(long)]
    http2: bool,
    /// Trust the certificates in this file instead of the system's; may be repeated
    #[arg(long, value_name = "FILE")]
    ca: Vec<PathBuf>,
    /// Certificate to show, with those that vouch for it
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Trust any certificate; the report says so
    #[arg(long)]
    insecure: bool,
    /// Connect from this address; repeat it to take turns, as each has some tens of thousands of ports
    #[arg(long, value_name = "ADDR", value_delimiter = ',')]
    source_address: Vec<IpAddr>,
    /// Go through this proxy, which must be allowed as a target must
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Call the target this, in `Host` and in TLS
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// How long a session keeps a connection that it does not use
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "75s")]
    keep_alive: Duration,
    /// Follow answers that lead elsewhere on the same site
    ///
    /// A profile made from a log has the requests that followed in production already, and would send them twice.
    #[arg(long)]
    follow_redirects: bool,
}

impl WireFlags {
    /// The settings that the flags mean.
    pub(super) fn settings(self) -> WireSettings {
        WireSettings {
            http2: self.http2,
            ca: self.ca,
            certificate: self.cert,
            key: self.key,
            insecure: self.insecure,
            source_addresses: self.source_address,
            proxy: self.proxy,
            host: self.host,
            keep_alive: self.keep_alive,
            follow_redirects: self.follow_redirects,
        }
    }
}
