//! How much a run may cost the target: requests, bytes, time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock;

/// How much a run may cost; nothing is unlimited by accident, and everything is by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// Requests, exactly.
    pub requests: Option<u64>,
    /// Bytes of the bodies of answers: the answer that exceeds it is the last.
    pub bytes: Option<u64>,
    /// Time since the run began; sending ends within a second of it.
    pub time: Option<Duration>,
}

/// What of a budget has been spent, by all event loops together.
#[derive(Debug, Default)]
pub(crate) struct Purse {
    budget: Budget,
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Purse {
    /// Nothing spent yet.
    pub(crate) fn new(budget: Budget) -> Self {
        Self { budget, ..Self::default() }
    }

    /// Pays for one request; false if nothing is left for it, and then it must not be sent.
    pub(crate) fn pay_request(&self) -> bool {
        if self.budget == Budget::default() {
            return true;
        }
        // Relaxed: the numbers are all that is passed on.
        let bytes_left = self.budget.bytes.is_none_or(|most| self.bytes.load(Ordering::Relaxed) < most);
        let most = self.budget.requests.unwrap_or(u64::MAX);
        bytes_left && self.requests.fetch_add(1, Ordering::Relaxed) < most
    }

    /// Notes the bytes of an answer.
    pub(crate) fn pay_bytes(&self, bytes: u64) {
        if self.budget.bytes.is_some() {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// What has run out at `now_ns` of run time, as the command line calls it, and what there was of it.
    pub(crate) fn exhausted(&self, now_ns: u64) -> Option<(&'static str, String)> {
        let Budget { requests, bytes, time } = self.budget;
        let spent = |counter: &AtomicU64, most: &u64| counter.load(Ordering::Relaxed) >= *most;
        if let Some(most) = requests.filter(|most| spent(&self.requests, most)) {
            return Some(("--budget-requests", most.to_string()));
        }
        if let Some(most) = bytes.filter(|most| spent(&self.bytes, most)) {
            return Some(("--budget-bytes", most.to_string()));
        }
        let over = time.filter(|most| clock::to_ns(*most) <= now_ns);
        over.map(|most| ("--budget-time", shared::units::format_duration(most)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_paid_for_to_the_last_one() {
        let purse = Purse::new(Budget { requests: Some(1000), ..Budget::default() });
        let paid = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (0..400).filter(|_| purse.pay_request()).count())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(paid, 1000);
        assert_eq!(purse.exhausted(0), Some(("--budget-requests", "1000".to_owned())));
    }

    #[test]
    fn bytes_and_time_run_out_as_well() {
        let purse =
            Purse::new(Budget { bytes: Some(100), time: Some(Duration::from_secs(2)), ..Budget::default() });
        purse.pay_bytes(99);
        assert!(purse.pay_request() && purse.exhausted(1_999_999_999).is_none());
        assert_eq!(purse.exhausted(2_000_000_000).unwrap().0, "--budget-time");
        purse.pay_bytes(1);
        assert!(!purse.pay_request());
        assert_eq!(purse.exhausted(0).unwrap().0, "--budget-bytes");
        let free = Purse::default();
        free.pay_bytes(u64::MAX);
        assert!(free.pay_request() && free.exhausted(u64::MAX).is_none());
    }
}
