//! The formats that need no description: what products write out of the box, one family per file.

use super::{Format, Options};
use crate::error::Error;
use crate::session::identity::Identity;

mod aws;
mod envoy;
mod haproxy;
mod headless;
mod squid;
mod table;
mod traefik;

/// One family: its formats, the more specific first.
type Family = fn(&Options) -> Vec<Format>;

const FAMILIES: [Family; 6] = [
    aws::formats,
    envoy::formats,
    haproxy::formats,
    headless::formats,
    squid::formats,
    traefik::formats,
];

/// All fixed formats of lines, the more specific of a family first.
pub(crate) fn all(options: &Options) -> Vec<Format> {
    FAMILIES.into_iter().flat_map(|family| family(options)).collect()
}

/// The fixed format of that name, such as `alb` or `envoy:default`.
pub(crate) fn named(name: &str, options: &Options) -> Option<Format> {
    all(options).into_iter().find(|format| format.label == name)
}

/// A format that keeps what `--identity` names; one that does not have it tells clients apart by their address.
fn with_identity(options: &Options, compile: impl Fn(&Identity) -> Result<Format, Error>) -> Format {
    compile(&options.identity)
        .or_else(|_| compile(&Identity::IpAndUserAgent))
        .expect("the built-in formats have a time, a request, a status and a client")
}
