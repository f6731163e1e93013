//! What a page brings along, and when: counts of one page and one of its companions.

use super::cell::Cell;
use crate::privacy::pseudonym::Pseudonym;

/// What one page brought along of one other endpoint.
#[derive(Debug, Clone, Default)]
pub(crate) struct Companion {
    /// Pages that brought at least one along.
    pub(crate) pages: Cell,
    /// What all that they brought along stand for, in thousandths.
    pub(crate) mass: u64,
    offsets: Offsets,
    last_page: u64,
}

/// Milliseconds from the start of the page to that of its companion: counts in bins of a quarter octave at most.
#[derive(Debug, Clone)]
struct Offsets([u64; Offsets::BINS]);

impl Default for Offsets {
    fn default() -> Self {
        Self([0; Self::BINS])
    }
}

impl Companion {
    /// Adds one request that page number `page` brought along. Numbers begin at 1, and those of one page come together.
    #[inline]
    pub(crate) fn add(&mut self, client: Pseudonym, page: u64, mass: u64, offset_ms: u64) {
        if self.last_page != page {
            self.last_page = page;
            self.pages.add(client, mass);
        }
        self.mass += mass;
        self.offsets.0[Offsets::bin(offset_ms)] += 1;
    }

    /// Adds what other clients' pages brought along.
    pub(crate) fn merge(&mut self, other: Self) {
        self.pages.merge(other.pages);
        self.mass += other.mass;
        self.offsets.0.iter_mut().zip(other.offsets.0).for_each(|(sum, count)| *sum += count);
    }

    /// As many as were logged.
    pub(crate) fn count(&self) -> u64 {
        self.offsets.0.iter().sum()
    }

    /// The `q`-quantile of the offsets in seconds: the middle of its bin, at most 12.5 % off.
    pub(crate) fn offset_s(&self, q: f64) -> f64 {
        let rank = (q * self.count() as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        let bin = self.offsets.0.iter().position(|count| {
            below += count;
            below >= rank
        });
        Offsets::middle_ms(bin.unwrap_or(0)) * 1e-3
    }
}

impl Offsets {
    /// Up to 2^16 ms, and the last bin is for all beyond.
    const BINS: usize = 60;

    fn bin(ms: u64) -> usize {
        if ms < 4 {
            return ms as usize;
        }
        // The first bit and the two after it.
        let octave = ms.ilog2();
        let quarter = (ms >> (octave - 2)) & 3;
        ((octave as usize - 1) * 4 + quarter as usize).min(Self::BINS - 1)
    }

    fn middle_ms(bin: usize) -> f64 {
        if bin < 4 {
            return bin as f64;
        }
        let octave = f64::from(1_u32 << (bin / 4 + 1));
        octave * (1.0 + ((bin % 4) as f64 + 0.5) / 4.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weight::REQUEST;

    #[test]
    fn a_bin_holds_what_is_near_its_middle() {
        for ms in [0, 1, 2, 3, 4, 5, 7, 8, 100, 333, 1_000, 9_999, 65_000] {
            let middle_ms = Offsets::middle_ms(Offsets::bin(ms));
            assert!((middle_ms - ms as f64).abs() <= 0.125 * ms as f64 + 0.51, "{ms}: {middle_ms}");
        }
        assert_eq!(Offsets::bin(u64::MAX), Offsets::BINS - 1);
    }

    #[test]
    fn a_page_counts_once_and_its_companions_each() {
        let mut companion = Companion::default();
        for (client, page, offset_ms) in [(1, 1, 50), (1, 1, 60), (1, 2, 400), (2, 3, 50)] {
            companion.add(client, page, REQUEST, offset_ms);
        }
        let mut other = companion.clone();
        other.merge(companion);
        assert_eq!((other.pages.count, other.pages.clients, other.count()), (6, 4, 8));
        assert!((other.offset_s(0.5) - 0.052).abs() < 0.01, "{}", other.offset_s(0.5));
        assert!((other.offset_s(0.95) - 0.4).abs() < 0.05, "{}", other.offset_s(0.95));
    }
}
