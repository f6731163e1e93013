//! The hosts that requests were for, which become fingerprints and nothing else.
//!
//! Hosts are the operator's own machines, but a `Host` header holds whatever a client typed. So a name is hashed as
//! soon as it is read, counted with its distinct clients up to k, and published only if k of them and a good part of
//! the traffic stand behind it. The counts add up over any split of the lines.

use std::collections::BTreeMap;

use shared::hosts::{HostDigest, Hosts};

use crate::privacy::pseudonym::Pseudonym;
use crate::recent::Recent;
use crate::tally::cell::Bin;
use crate::weight::REQUEST;

/// Requests, and their distinct clients up to k, by the digest of the host.
pub(crate) type HostCounts = BTreeMap<u128, Bin>;

/// What one thread saw.
#[derive(Debug)]
pub(crate) struct HostCounter {
    k: u64,
    /// The digest of a host as it stands in the line; 0 for what is none.
    recent: Recent<u128>,
    counts: HostCounts,
}

/// 256 spellings: most logs have a handful.
const RECENT_BITS: u32 = 8;
/// A name in the DNS has 253 at most, and few have half of that.
const RECENT_BYTES: u16 = 128;
/// A host with a smaller share of the requests is not the site but something that points at it.
const SMALLEST_SHARE: f64 = 0.01;
/// Fingerprints of one profile: each takes a moment to make, and to check.
const MOST: usize = 16;

impl HostCounter {
    /// Tells apart up to `k` clients of a host.
    pub(crate) fn new(k: u64) -> Self {
        Self { k, recent: Recent::new(RECENT_BITS, RECENT_BYTES), counts: HostCounts::new() }
    }

    /// Counts a request of `client` for `host`.
    #[inline]
    pub(crate) fn add(&mut self, host: &[u8], client: Pseudonym) {
        let digest = self.recent.get(0, host, || {
            let digest = std::str::from_utf8(host).ok().and_then(HostDigest::of);
            digest.map_or(0, |digest| u128::from_be_bytes(digest.bytes()))
        });
        if digest != 0 {
            self.counts.entry(digest).or_default().add(client, REQUEST, self.k);
        }
    }

    /// What it saw.
    pub(crate) fn into_counts(self) -> HostCounts {
        self.counts
    }
}

/// Adds what was seen elsewhere, by clients of whom `k` are told apart.
pub(crate) fn merge(into: &mut HostCounts, from: &HostCounts, k: u64) {
    from.iter().for_each(|(digest, seen)| into.entry(*digest).or_default().merge(seen, k));
}

/// The fingerprints of the hosts behind which enough clients and enough of the traffic stand; none if there is none.
pub(crate) fn fingerprints(counts: &HostCounts, source: &str) -> Option<Hosts> {
    let total: u64 = counts.values().map(|seen| seen.count).sum();
    let is_site = |seen: &Bin| seen.has_enough() && seen.count as f64 >= SMALLEST_SHARE * total as f64;
    let mut sites: Vec<(u64, u128)> =
        counts.iter().filter(|(_, seen)| is_site(seen)).map(|(digest, seen)| (seen.count, *digest)).collect();
    sites.sort_unstable_by(|one, other| other.cmp(one));
    let digests = sites.iter().take(MOST).map(|(_, digest)| HostDigest::from_bytes(digest.to_be_bytes()));
    (!sites.is_empty()).then(|| Hosts::new(source, digests))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(host: &str) -> HostDigest {
        HostDigest::of(host).unwrap()
    }

    #[test]
    fn only_hosts_of_many_clients_and_much_traffic_are_fingerprinted() {
        let mut one = HostCounter::new(3);
        let mut parts = [HostCounter::new(3), HostCounter::new(3)];
        let mut add = |host: &str, client: u64| {
            one.add(host.as_bytes(), client);
            parts[client as usize % 2].add(host.as_bytes(), client);
        };
        (0..600).for_each(|i| add(if i % 2 == 0 { "shop.example" } else { "SHOP.example:443" }, i % 30));
        (0..300).for_each(|i| add("api.shop.example", i % 20));
        // Two clients are too few, however much they ask; five requests are too little, whoever asks; the rest is none.
        (0..200).for_each(|i| add("typed-by-hand.example", i % 2));
        (0..5).for_each(|i| add("scanner.example", i));
        (0..90).for_each(|i| add("<script>", i));
        let counts = one.into_counts();
        let mut merged = HostCounts::new();
        parts.into_iter().for_each(|part| merge(&mut merged, &part.into_counts(), 3));
        assert_eq!(counts, merged);
        let hosts = fingerprints(&counts, "x").unwrap();
        assert_eq!(hosts, Hosts::new("x", [digest("shop.example"), digest("api.shop.example")]));
        assert_eq!(fingerprints(&HostCounts::new(), "x"), None);
    }
}
