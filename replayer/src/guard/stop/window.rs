//! What happened in the last so many seconds.

use std::collections::VecDeque;

/// Something that is counted over a window: what is new is added, what has become old is taken away again.
pub(super) trait Count: Default {
    /// Adds what `other` counted.
    fn add(&mut self, other: &Self);
    /// Takes away what `other` counted, which was added before.
    fn subtract(&mut self, other: &Self);
}

/// A window that slides with time, in steps of [`STEP_NS`].
#[derive(Debug)]
pub(super) struct Window<C> {
    steps: u64,
    /// The counts of single steps, by their number, ascending.
    buckets: VecDeque<(u64, C)>,
    total: C,
}

/// A quarter of a second: how late a condition may be noticed for being counted in steps.
pub(super) const STEP_NS: u64 = 250_000_000;

impl<C: Count> Window<C> {
    /// The last `length_ns`, rounded up to whole steps.
    pub(super) fn new(length_ns: u64) -> Self {
        Self { steps: length_ns.div_ceil(STEP_NS).max(1), buckets: VecDeque::new(), total: C::default() }
    }

    /// Adds what happened at `at_ns`. What comes out of order counts to the newest step.
    pub(super) fn add(&mut self, at_ns: u64, count: &C) {
        let step = at_ns / STEP_NS;
        self.total.add(count);
        match self.buckets.back_mut() {
            Some((newest, sum)) if *newest >= step => sum.add(count),
            _ => {
                let mut sum = C::default();
                sum.add(count);
                self.buckets.push_back((step, sum));
            }
        }
    }

    /// All that happened in the window that ends at `now_ns`; none before it is full.
    pub(super) fn at(&mut self, now_ns: u64) -> Option<&C> {
        let step = now_ns / STEP_NS;
        while let Some((_, old)) = self.buckets.pop_front_if(|(at, _)| *at + self.steps < step) {
            self.total.subtract(&old);
        }
        (step >= self.steps).then_some(&self.total)
    }

    /// Its length in seconds.
    pub(super) fn length_s(&self) -> f64 {
        crate::clock::to_s(self.steps * STEP_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Default, PartialEq, Eq)]
    struct Sum(u64);

    impl Count for Sum {
        fn add(&mut self, other: &Self) {
            self.0 += other.0;
        }

        fn subtract(&mut self, other: &Self) {
            self.0 -= other.0;
        }
    }

    #[test]
    fn nothing_is_said_before_the_window_is_full() {
        let mut window = Window::new(2 * STEP_NS);
        window.add(0, &Sum(1));
        assert_eq!(window.at(2 * STEP_NS - 1), None);
        assert_eq!(window.at(2 * STEP_NS), Some(&Sum(1)));
        assert_eq!(window.at(3 * STEP_NS), Some(&Sum(0)));
    }

    proptest! {
        /// The oracle adds up everything again each time.
        #[test]
        fn the_total_is_that_of_the_steps_in_the_window(steps in 1..20_u64, gaps in prop::collection::vec(0..3 * STEP_NS, 1..100)) {
            let mut window = Window::new(steps * STEP_NS);
            let (mut now_ns, mut all) = (0, Vec::new());
            for (number, gap) in gaps.into_iter().enumerate() {
                now_ns += gap;
                window.add(now_ns, &Sum(number as u64));
                all.push((now_ns / STEP_NS, number as u64));
                let newest = now_ns / STEP_NS;
                let expected: u64 = all.iter().filter(|(at, _)| at + steps >= newest).map(|(_, n)| n).sum();
                let found = window.at(now_ns).map(|sum| sum.0);
                prop_assert_eq!(found, (newest >= steps).then_some(expected));
            }
        }
    }
}
