//! Which machine may be loaded: this one, unless another is named.
//!
//! A URL is taken apart, its name resolved once, and every address of it must pass. What passed is pinned: a name that
//! changes its mind during the run changes nothing. Redirects that lead elsewhere are not followed.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::address::{is_loopback, never};
use super::allowed::Allowed;
use super::location::{Host, Location};
use super::production::Production;
use super::resolve::{Answer, Resolve, System};
use crate::error::{Error, Refusal};

/// How long the one connection before the run may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a URL leads, all of it allowed, and from now on the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pinned {
    pub(crate) location: Location,
    pub(crate) addresses: Vec<SocketAddr>,
}

/// Hosts and ports that were resolved: their addresses, or why they may not be loaded.
type Judged = BTreeMap<(Host, u16), Result<Vec<IpAddr>, Refusal>>;

/// Says which URLs may be loaded.
pub(crate) struct Guard {
    allowed: Vec<Allowed>,
    production: Production,
    resolver: Box<dyn Resolve>,
    pinned: Mutex<Judged>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

impl Guard {
    /// A guard that lets through this machine and `allowed`, but not `production`, asking the system's resolver.
    ///
    /// # Errors
    /// [`Error::Setting`] for what names neither a host nor a network.
    pub(crate) fn new(allowed: &[String], production: Production) -> Result<Self, Error> {
        Self::asking(Box::new(System), allowed, production)
    }

    fn asking(resolver: Box<dyn Resolve>, allowed: &[String], production: Production) -> Result<Self, Error> {
        let parse = |text: &String| {
            let wrong =
                |expected| Error::Setting { name: "--allow-target", found: format!("`{text}`"), expected };
            text.parse().map_err(wrong)
        };
        let allowed = allowed.iter().map(parse).collect::<Result<_, Error>>()?;
        Ok(Self { allowed, production, resolver, pinned: Mutex::default() })
    }

    /// Where `target`, the URL of `--target`, leads, if it may be loaded.
    ///
    /// # Errors
    /// [`Error::TargetUrl`], [`Error::Resolve`], [`Error::TargetRefused`].
    pub(crate) fn target(&self, target: &str) -> Result<Pinned, Error> {
        self.pin(Location::of_target(target)?)
    }

    fn pin(&self, location: Location) -> Result<Pinned, Error> {
        let host = &location.host;
        let key = (host.clone(), location.port);
        // Nothing is half done when a thread dies in between.
        let lock = || self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().get(&key).cloned();
        let judged = match known {
            Some(judged) => judged,
            None => {
                let answer = self.resolve(host)?;
                let judged = self.judge(host, location.port, &answer).map(|()| answer.addresses);
                lock().insert(key, judged.clone());
                judged
            }
        };
        let addresses = judged.map_err(|refusal| Error::TargetRefused { host: host.to_string(), refusal })?;
        let addresses = addresses.into_iter().map(|ip| SocketAddr::new(ip, location.port)).collect();
        Ok(Pinned { location, addresses })
    }

    fn resolve(&self, host: &Host) -> Result<Answer, Error> {
        let failed = |source| Error::Resolve { host: host.to_string(), source };
        match host {
            Host::Address(address) => Ok(Answer { canonical: None, addresses: vec![*address] }),
            Host::Name(name) => {
                let answer = self.resolver.resolve(name).map_err(failed)?;
                let nothing = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                if answer.addresses.is_empty() { Err(failed(nothing)) } else { Ok(answer) }
            }
        }
    }

    /// Every address must be this machine's or allowed: a name with one address of each kind is refused, because
    /// nobody can say which one gets the load.
    fn judge(&self, host: &Host, port: u16, answer: &Answer) -> Result<(), Refusal> {
        let refused = |address: &IpAddr| never(*address).map(|why| Refusal::Never { address: *address, why });
        if let Some(refusal) = answer.addresses.iter().find_map(refused) {
            return Err(refusal);
        }
        let canonical = answer.canonical.as_deref().and_then(Host::name);
        if let Some(production) =
            [Some(host), canonical.as_ref()].into_iter().flatten().find(|host| self.production.forbids(host))
        {
            return Err(Refusal::Production { host: production.to_string() });
        }
        let passes = |ip: &IpAddr| is_loopback(*ip) || self.names(&Host::Address(ip.to_canonical()), port);
        let Some(stranger) = answer.addresses.iter().find(|ip| !passes(ip)) else { return Ok(()) };
        if !self.names(host, port) {
            return Err(Refusal::NotAllowed { address: SocketAddr::new(*stranger, port) });
        }
        match canonical.filter(|canonical| !is_same_name(host, canonical) && !self.names(canonical, port)) {
            Some(canonical) => Err(Refusal::Alias { of: canonical.to_string() }),
            None => Ok(()),
        }
    }

    fn names(&self, host: &Host, port: u16) -> bool {
        self.allowed.iter().any(|allowed| allowed.names(host, port))
    }
}

/// Is `canonical` what `host` is called in full, as by the resolver's search list?
fn is_same_name(host: &Host, canonical: &Host) -> bool {
    match (host, canonical) {
        (Host::Name(host), Host::Name(canonical)) => {
            canonical.strip_prefix(host.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        }
        _ => host == canonical,
    }
}

impl Pinned {
    /// Is it this machine, by all of its addresses?
    pub(crate) fn is_loopback(&self) -> bool {
        self.addresses.iter().all(|address| is_loopback(address.ip()))
    }

    /// The first of the addresses, for whoever cannot ask it.
    pub(crate) fn first(&self) -> SocketAddr {
        *self.addresses.first().expect("a name without an address was refused when it was resolved")
    }

    /// The first of the addresses that accepts a connection, and from then on the only one.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub(crate) fn connect(&self) -> Result<SocketAddr, Error> {
        let host = &self.location.host;
        let mut failure = None;
        for address in &self.addresses {
            match TcpStream::connect_timeout(address, PROBE_TIMEOUT) {
                Ok(_) => return Ok(*address),
                Err(source) => {
                    failure = Some(Error::Unreachable { host: host.to_string(), address: *address, source });
                }
            }
        }
        Err(failure.expect("a name without an address was refused when it was resolved"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::hosts::{HostDigest, Hosts};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Production-like targets, all to be refused, and others that must not be.
    const CASES: &str = include_str!("../../../tests/replayer/refused_targets.txt");

    /// Answers every question with the same, and counts them.
    #[derive(Clone)]
    struct Scripted {
        answer: Answer,
        asked: Arc<AtomicUsize>,
    }

    impl Resolve for Scripted {
        fn resolve(&self, _name: &str) -> io::Result<Answer> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            Ok(self.answer.clone())
        }
    }

    /// `canonical=address,address`, `address,address`, or `-`.
    fn scripted(text: &str) -> Scripted {
        let (canonical, addresses) = match text.split_once('=') {
            Some((canonical, addresses)) => (Some(canonical.to_owned()), addresses),
            None => (None, text),
        };
        let addresses = addresses.split(',').filter(|text| *text != "-").map(|text| text.parse().unwrap());
        Scripted { answer: Answer { canonical, addresses: addresses.collect() }, asked: Arc::default() }
    }

    fn guard(allowed: &str, resolver: Scripted, production: Production) -> Guard {
        let allowed: Vec<String> =
            allowed.split(',').filter(|text| *text != "-").map(str::to_owned).collect();
        Guard::asking(Box::new(resolver), &allowed, production).unwrap()
    }

    /// The word for what a target came to.
    fn outcome(result: Result<Pinned, Error>) -> &'static str {
        match result {
            Ok(_) => "allowed",
            Err(Error::TargetUrl { .. }) => "url",
            Err(Error::Resolve { .. }) => "unresolved",
            Err(Error::TargetRefused { refusal, .. }) => match refusal {
                Refusal::NotAllowed { .. } => "other-machine",
                Refusal::Never { .. } => "never",
                Refusal::Alias { .. } => "alias",
                Refusal::Production { .. } => "production",
            },
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn production_like_targets_are_refused_and_others_are_not() {
        let hosts =
            ["shop.example", "www.shop.example", "api.shop.example", "xn--bcher-kva.example", "203.0.113.80"];
        let production = Hosts::new("x", hosts.map(|host| HostDigest::of(host).unwrap()));
        let (mut refused, mut allowed, mut wrong) = (0, 0, Vec::new());
        for line in CASES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let [expected, url, allow, dns] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                panic!("{line}: expected four columns")
            };
            // Fingerprints take time: all other targets are refused without their help.
            let fingerprints = Some(&production).filter(|_| expected == "production" || allow.contains('!'));
            let (allow, owned) =
                allow.split_once('!').map_or((allow, None), |(allow, owned)| (allow, Some(owned)));
            let guard = guard(allow, scripted(dns), Production::new(fingerprints, owned).unwrap());
            let found = outcome(guard.target(url));
            if found != expected {
                wrong.push(format!("{line}: {found}"));
            }
            if expected == "allowed" { allowed += 1 } else { refused += 1 }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(refused >= 200 && allowed >= 30, "{refused} {allowed}");
    }

    #[test]
    fn a_name_is_resolved_once() {
        let resolver = scripted("127.0.0.1");
        let guard = guard("-", resolver.clone(), Production::default());
        for _ in 0..3 {
            assert_eq!(
                guard.target("http://app.test:8080/").unwrap().addresses,
                ["127.0.0.1:8080".parse().unwrap()]
            );
        }
        assert_eq!(resolver.asked.load(Ordering::Relaxed), 1);
    }
}
