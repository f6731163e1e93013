//! The pseudonyms of those who asked last: a page and its files come from one client within a moment, and a keyed hash
//! costs more than looking it up.
//!
//! Unlike [`Recent`](crate::recent::Recent) it holds no texts but numbers: an IPv4 address as it stands in a line is its
//! first and its last eight bytes, which overlap, and its length. What is shorter or longer is worked out every time.

use super::pseudonym::Pseudonym;

/// Clients by address and user agent.
#[derive(Debug)]
pub(super) struct RecentClients {
    slots: Vec<Slot>,
}

/// What a client is recognised by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Known {
    first: u64,
    last: u64,
    /// No address has none.
    length: u64,
    user_agent: Pseudonym,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    known: Known,
    client: Pseudonym,
}

/// 8,192 clients: those of some seconds of a busy site.
const BITS: u32 = 13;
/// The longest text whose first and last eight bytes are all of it.
const LONGEST: usize = 16;

impl RecentClients {
    pub(super) fn new() -> Self {
        Self { slots: vec![Slot::default(); 1 << BITS] }
    }

    /// The client at `address` with `user_agent`, worked out by `make` when it is not at hand.
    #[inline]
    pub(super) fn get(
        &mut self,
        address: &[u8],
        user_agent: Pseudonym,
        make: impl FnOnce() -> Pseudonym,
    ) -> Pseudonym {
        let Some(known) = Known::of(address, user_agent) else { return make() };
        let slot = &mut self.slots[known.place()];
        if slot.known != known {
            *slot = Slot { known, client: make() };
        }
        slot.client
    }
}

impl Known {
    #[inline]
    fn of(address: &[u8], user_agent: Pseudonym) -> Option<Self> {
        let (first, last) = (address.first_chunk()?, address.last_chunk()?);
        (address.len() <= LONGEST).then(|| Self {
            first: u64::from_le_bytes(*first),
            last: u64::from_le_bytes(*last),
            length: address.len() as u64,
            user_agent,
        })
    }

    /// Its place in the table, by the upper bits of a product: 2^64 over the golden ratio spreads what differs little.
    #[inline]
    fn place(&self) -> usize {
        let mixed = self.first ^ self.last.rotate_left(23) ^ self.user_agent;
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - BITS)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_what_was_made_of_it_and_no_other_ones() {
        let mut recent = RecentClients::new();
        let mut made = 0;
        let addresses: Vec<String> = (0..20_000_u32)
            .map(|i| format!("10.{}.{}.{}", i % 7, i / 250, i % 250))
            .chain(
                ["1.2.3.4", "1.1.1.1", "11.1.1.1", "11.11.11.11", "1.1.1.1.1.1.1.1.1", "", "::1"]
                    .map(str::to_owned),
            )
            .collect();
        for round in 0..2 {
            for (number, address) in (0..).zip(&addresses) {
                for agent in [0, 1, u64::MAX] {
                    let expected = number ^ agent;
                    for _ in 0..2 {
                        let found = recent.get(address.as_bytes(), agent, || {
                            made += 1;
                            expected
                        });
                        assert_eq!(found, expected, "{address}, round {round}");
                    }
                }
            }
        }
        // The second time each is at hand, but for the four that are too short or too long.
        let calls = 2 * addresses.len() * 3 * 2;
        assert!(made <= calls / 2 + 100, "{made} of {calls}");
    }
}
