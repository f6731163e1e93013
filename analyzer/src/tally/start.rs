//! When sessions start, one by one: what arrivals are fitted to, and who stands behind them.

use crate::event::CLIENT_BITS;
use crate::privacy::pseudonym::Pseudonym;

/// When a session starts, in 34 bits, and 30 bits of whose it is: enough to tell whether k clients came at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Start(u64);

impl Start {
    const CLIENT_BITS: u32 = 30;

    pub(crate) fn new(at_s: i64, client: Pseudonym) -> Self {
        let at_s = at_s.clamp(0, (1 << (64 - Self::CLIENT_BITS)) - 1) as u64;
        Self(at_s << Self::CLIENT_BITS | client >> (CLIENT_BITS - Self::CLIENT_BITS))
    }

    /// Seconds since 1970.
    pub(crate) fn at_s(self) -> i64 {
        (self.0 >> Self::CLIENT_BITS) as i64
    }

    /// Tells clients apart, but for two in a thousand million.
    pub(crate) fn client(self) -> Pseudonym {
        self.0 & ((1 << Self::CLIENT_BITS) - 1)
    }
}
