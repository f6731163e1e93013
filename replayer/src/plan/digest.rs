//! What a plan comes to, in sixteen hexadecimal digits.

use super::{Place, PlannedSession, Walk};

/// A fingerprint of sessions, the same in whichever order they are added: two people can see that they ran one plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest(u64);

impl Digest {
    /// Adds a session: when it starts and where it goes.
    pub fn add(&mut self, session: &PlannedSession, walk: &Walk) {
        let head = [session.block, session.index, session.starts_at_ns, session.class as u64];
        let places = walk.places.iter().map(|place| match place {
            Place::Endpoint(at) => *at as u64,
            Place::Other => u64::MAX,
        });
        let words = head.into_iter().chain(places);
        self.0 = self.0.wrapping_add(fnv(words.flat_map(u64::to_le_bytes)));
    }

    /// The fingerprint as a number.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// The fingerprint that is this number.
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Adds everything that was added to `other`.
    pub fn merge(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// FNV-1a, 64 bits: for fingerprints, where nobody tries to find a collision.
pub(crate) fn fnv(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
