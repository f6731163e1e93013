//! When sessions start, one by one: what arrivals are fitted to, and who stands behind them.

use rayon::prelude::*;

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

/// Seconds for each start in the mean, beyond which most places of a table of seconds would be empty.
const SPARSE: usize = 4;

/// All `pieces` in the order of their seconds; the order within a second is any.
///
/// A counting sort where the log is dense enough for it: sorting millions otherwise takes several times as long.
pub(crate) fn in_order(mut pieces: Vec<Vec<Start>>) -> Vec<Start> {
    let all = || pieces.iter().flatten();
    let count: usize = pieces.iter().map(Vec::len).sum();
    let (first, last) = all()
        .fold((i64::MAX, i64::MIN), |(first, last), start| (first.min(start.at_s()), last.max(start.at_s())));
    let seconds = usize::try_from(last.saturating_sub(first)).map_or(usize::MAX, |span| span + 1);
    if seconds / SPARSE > count || u32::try_from(count).is_err() {
        let mut starts = pieces.pop().unwrap_or_default();
        pieces.into_iter().for_each(|piece| starts.extend(piece));
        starts.par_sort_unstable();
        return starts;
    }
    let place = |start: &Start| (start.at_s() - first) as usize;
    let mut next = vec![0_u32; seconds + 1];
    all().for_each(|start| next[place(start) + 1] += 1);
    for second in 0..seconds {
        next[second + 1] += next[second];
    }
    // Numbers, since the system gives memory full of zeros: starts would be written twice.
    let mut ordered = vec![0_u64; count];
    for start in all() {
        let at = &mut next[place(start)];
        ordered[*at as usize] = start.0;
        *at += 1;
    }
    ordered.into_iter().map(Start).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: &[i64]) {
        let start = |(at, second): (usize, &i64)| Start::new(*second, (at as u64) << 20);
        let starts: Vec<Start> = seconds.iter().enumerate().map(start).collect();
        let mut expected = starts.clone();
        expected.sort_unstable();
        for cut in [0, seconds.len() / 3, seconds.len()] {
            let (one, other) = starts.split_at(cut);
            let mut found = in_order(vec![one.to_vec(), Vec::new(), other.to_vec()]);
            assert!(found.is_sorted_by_key(|start| start.at_s()), "{seconds:?}");
            found.sort_unstable();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn starts_come_in_order_in_dense_and_in_sparse_logs() {
        check(&[]);
        check(&[7]);
        check(&[9, 3, 3, 12, 9, 5, 3]);
        check(&[1_800_000_000, 0, 1_700_000_000, 5]);
        check(&(0..5000).map(|i| 1_793_574_000 + i * i % 1009).collect::<Vec<i64>>());
    }
}
