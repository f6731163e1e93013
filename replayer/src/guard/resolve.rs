//! Names to addresses, with the name at the end of the aliases.

use std::io;
use std::net::IpAddr;

use dns_lookup::{AddrInfoHints, getaddrinfo};

/// What a resolver says of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The name that the addresses belong to, where the resolver says: another one than asked for if that is an alias.
    pub(crate) canonical: Option<String>,
    /// All its addresses, in the resolver's order.
    pub(crate) addresses: Vec<IpAddr>,
}

/// Turns names into addresses.
pub(crate) trait Resolve: Send + Sync {
    /// The addresses of `name`. May take as long as the network does.
    ///
    /// # Errors
    /// The resolver's reason why there are none.
    fn resolve(&self, name: &str) -> io::Result<Answer>;
}

/// The resolver of the system: hosts file, DNS, whatever else it is told to ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct System;

/// `AI_CANONNAME`, which has this value on Linux, macOS, the BSDs and Windows alike.
const WITH_CANONICAL_NAME: i32 = 2;
/// `SOCK_STREAM`: without it every address would come once per protocol.
const STREAM: i32 = 1;

impl Resolve for System {
    fn resolve(&self, name: &str) -> io::Result<Answer> {
        let hints =
            AddrInfoHints { flags: WITH_CANONICAL_NAME, socktype: STREAM, ..AddrInfoHints::default() };
        let found = getaddrinfo(Some(name), None, Some(hints)).map_err(io::Error::from)?;
        let found = found.collect::<io::Result<Vec<_>>>()?;
        // Only the first entry carries it.
        let canonical = found.iter().find_map(|entry| entry.canonname.clone());
        Ok(Answer { canonical, addresses: found.iter().map(|entry| entry.sockaddr.ip()).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_its_name() {
        let answer = System.resolve("localhost").unwrap();
        assert!(
            !answer.addresses.is_empty() && answer.addresses.iter().all(|ip| ip.is_loopback()),
            "{answer:?}"
        );
        assert!(System.resolve("no-such-name.invalid").is_err());
    }
}
