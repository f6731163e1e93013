//! How the timer keeps its moments: how long before one it has itself woken, and how fast it may catch up after a hitch.
//!
//! Pure: moments come in as numbers, and decisions go out.

use schemars::JsonSchema;
use serde::Serialize;

use crate::clock::SECOND_NS;

/// How the last microseconds before a moment are passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// Awake, looking at the clock and for answers: within microseconds, for a core's time.
    #[default]
    Spin,
    /// Asleep: late by what the kernel takes to wake a thread, for hardly any time.
    Eco,
}

impl Pace {
    /// The pace for `threads` event loops on `cores`: where none is to spare, spinning would take its time from the
    /// target or from another event loop.
    pub(crate) fn affordable(self, threads: usize, cores: usize) -> Self {
        if threads < cores { self } else { Self::Eco }
    }
}

/// How much too late the kernel wakes, learnt from how late it was.
#[derive(Debug)]
pub(crate) struct Slack {
    errors_ns: Box<[u64; Self::REMEMBERED]>,
    seen: usize,
    slack_ns: u64,
}

impl Slack {
    /// More spinning than this is not worth its core (`replaying.md`, 6.2).
    const MOST_NS: u64 = 150_000;
    /// When one wake-up in a hundred is later than this, others want the core as well; then the system lets those
    /// wait longest who use it most, and spinning makes everything later (seen: 200 ms instead of 10).
    const CONTENDED_NS: u64 = 1_000_000;
    /// What a quiet machine takes for 99 of 100 wake-ups, until it is known better.
    const AT_FIRST_NS: u64 = 70_000;
    /// Wake-ups that the percentile is taken of: enough to have one.
    const REMEMBERED: usize = 256;
    /// Wake-ups between two looks.
    const EVERY: usize = 64;

    /// Nothing known yet.
    pub(crate) fn new() -> Self {
        Self { errors_ns: Box::new([0; Self::REMEMBERED]), seen: 0, slack_ns: Self::AT_FIRST_NS }
    }

    /// How long before a moment to have oneself woken, in nanoseconds: the 99th percentile of the last errors, or 0
    /// where the core is not ours to spin on.
    pub(crate) fn ns(&self) -> u64 {
        self.slack_ns
    }

    /// Notes that a wake-up came `error_ns` too late.
    pub(crate) fn note(&mut self, error_ns: u64) {
        self.errors_ns[self.seen % Self::REMEMBERED] = error_ns;
        self.seen += 1;
        if self.seen >= Self::REMEMBERED && self.seen.is_multiple_of(Self::EVERY) {
            let mut sorted = *self.errors_ns;
            sorted.sort_unstable();
            let late_ns = sorted[Self::REMEMBERED * 99 / 100];
            self.slack_ns = if late_ns > Self::CONTENDED_NS { 0 } else { late_ns.min(Self::MOST_NS) };
        }
    }
}

/// Keeps a generator that was held up from sending at once all that has fallen due meanwhile: such a burst is in
/// nobody's plan. In any second it lets at most 1.2 seconds of the plan pass.
///
/// A store of plan time, of at most [`Self::STORE_NS`], is filled 1.1 times as fast as the clock passes, and drawn on
/// by what of the plan passes: in a second at most the store and what flows in, 1.2 s together. So a hitch shorter
/// than the store is made up for at once, however many there are, and a longer one at 1.1 times the planned rate.
#[derive(Debug)]
pub(crate) struct CatchUp {
    /// The last moment of the plan that was let pass.
    planned_ns: u64,
    /// When it was.
    released_ns: u64,
    store_ns: u64,
}

impl CatchUp {
    const STORE_NS: u64 = SECOND_NS / 10;
    /// Of the clock's time, one part in so many flows in besides.
    const INFLOW: u64 = 10;

    /// With a full store.
    pub(crate) fn new() -> Self {
        Self { planned_ns: 0, released_ns: 0, store_ns: Self::STORE_NS }
    }

    /// When what is due at `planned_ns` may pass: then, or later if too much has just passed.
    pub(crate) fn release_at(&self, planned_ns: u64) -> u64 {
        // After `e`, a gap `g` takes from a store of `s + 1.1 e`: so e = (g - s) / 1.1.
        let lacking_ns = planned_ns.saturating_sub(self.planned_ns).saturating_sub(self.store_ns);
        let wait_ns = lacking_ns.saturating_mul(Self::INFLOW).div_ceil(Self::INFLOW + 1);
        planned_ns.max(self.released_ns.saturating_add(wait_ns))
    }

    /// Does it make what is due at `planned_ns` wait, besides for its moment and for what passes before it?
    pub(crate) fn holds_back(&self, planned_ns: u64) -> bool {
        self.release_at(planned_ns) > planned_ns.max(self.released_ns)
    }

    /// Notes that what was due at `planned_ns` passes at `now_ns`.
    pub(crate) fn release(&mut self, planned_ns: u64, now_ns: u64) {
        let elapsed_ns = now_ns.saturating_sub(self.released_ns);
        let inflow_ns = elapsed_ns.saturating_add(elapsed_ns / Self::INFLOW);
        let passed_ns = planned_ns.saturating_sub(self.planned_ns);
        let store_ns = self.store_ns.saturating_add(inflow_ns).saturating_sub(passed_ns);
        self.store_ns = store_ns.min(Self::STORE_NS);
        self.planned_ns = self.planned_ns.max(planned_ns);
        self.released_ns = self.released_ns.max(now_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn the_slack_is_the_99th_percentile_and_has_an_end() {
        #[track_caller]
        fn check(errors_ns: impl Iterator<Item = u64>, expected_ns: u64) {
            let mut slack = Slack::new();
            errors_ns.for_each(|error_ns| slack.note(error_ns));
            assert_eq!(slack.ns(), expected_ns);
        }
        check(std::iter::empty(), Slack::AT_FIRST_NS);
        check((0..256).map(|i| i * 100), 25_300);
        check((0..256).map(|i| if i % 64 == 0 { 900_000 } else { 20_000 }), Slack::MOST_NS);
        check((0..256).map(|i| if i % 64 == 0 { 9 * MS } else { 20_000 }), 0);
        // What was long ago is forgotten.
        check((0..512).map(|i| if i < 256 { 90_000 } else { 30_000 }), 30_000);
    }

    /// One event every `gap_ns` for ten seconds, nothing released in `stall`; when each was.
    fn released(gap_ns: u64, stall: std::ops::Range<u64>) -> Vec<(u64, u64)> {
        let (mut catch_up, mut now_ns) = (CatchUp::new(), 0);
        let plan = (1..=10 * SECOND_NS / gap_ns).map(|k| k * gap_ns);
        plan.map(|planned_ns| {
            now_ns = now_ns.max(catch_up.release_at(planned_ns));
            if stall.contains(&now_ns) {
                now_ns = stall.end;
                now_ns = now_ns.max(catch_up.release_at(planned_ns));
            }
            catch_up.release(planned_ns, now_ns);
            (planned_ns, now_ns)
        })
        .collect()
    }

    #[test]
    fn what_is_in_time_passes_in_time() {
        assert!(released(MS, 0..0).iter().all(|(planned_ns, now_ns)| planned_ns == now_ns));
    }

    #[test]
    fn no_second_holds_more_than_six_fifths_of_its_plan_after_any_stall() {
        for stall_ms in [50, 150, 500, 2000] {
            let stall = SECOND_NS..SECOND_NS + stall_ms * MS;
            let released = released(MS, stall.clone());
            let moments: Vec<u64> = released.iter().map(|(_, now_ns)| *now_ns).collect();
            for (first, from_ns) in moments.iter().enumerate() {
                let within = moments[first..].partition_point(|at_ns| *at_ns < from_ns + SECOND_NS);
                assert!(within <= 1201, "{within} in the second after {from_ns}, stall {stall_ms} ms");
            }
            // A short hitch is made up for at once.
            let next = released.iter().find(|(planned_ns, _)| *planned_ns > stall.end + MS).unwrap();
            assert_eq!(next.0 == next.1, stall_ms <= 100, "{next:?} {stall_ms}");
        }
    }

    #[test]
    fn a_generator_that_has_half_of_a_core_keeps_up() {
        let (mut catch_up, mut now_ns) = (CatchUp::new(), 0);
        for planned_ns in (1..10_000).map(|k| k * MS) {
            now_ns = now_ns.max(catch_up.release_at(planned_ns));
            // Of every 40 ms, 20 belong to somebody else.
            if now_ns % (40 * MS) < 20 * MS {
                now_ns = now_ns / (40 * MS) * 40 * MS + 20 * MS;
            }
            catch_up.release(planned_ns, now_ns);
            assert!(now_ns - planned_ns <= 20 * MS, "{planned_ns} at {now_ns}");
        }
    }

    #[test]
    fn spinning_needs_a_core_to_spare() {
        assert_eq!(Pace::Spin.affordable(1, 2), Pace::Spin);
        assert_eq!(Pace::Spin.affordable(2, 2), Pace::Eco);
        assert_eq!(Pace::Eco.affordable(1, 8), Pace::Eco);
    }
}
