//! A small part of the load first: whoever is hurt by it is hurt by little.

use std::time::Duration;

use shared::Profile;

use crate::clock::{self, SECOND_NS};
use crate::config::Settings;
use crate::error::Error;
use crate::plan::Plan;
use crate::random::{Key, Purpose, Stream};

/// The time at the beginning of a run in which only every hundredth session is sent.
///
/// Sessions are left out one by one and at random, which makes a Poisson process of the load another one; so what is
/// sent after it is what would have been sent without it, bit for bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Canary {
    /// Whole seconds, like the blocks of the plan.
    blocks: u64,
}

/// Share of the load.
pub(crate) const SHARE: f64 = 0.01;
/// How long it lasts when nobody says otherwise, unless a tenth of the run is less.
pub(crate) const DEFAULT: Duration = Duration::from_secs(30);
/// The part of a run that it may take when nobody says otherwise.
const LARGEST_PART: f64 = 0.1;

impl Canary {
    /// For `length`, in whole seconds.
    pub(crate) fn new(length: Duration) -> Self {
        Self { blocks: length.as_secs() }
    }

    /// How long it is in a run as `settings` say, against this machine or another.
    ///
    /// # Errors
    /// What keeps a plan from being made.
    pub(crate) fn length(
        settings: &Settings,
        profile: &Profile,
        is_loopback: bool,
    ) -> Result<Duration, Error> {
        match settings.safety.canary {
            Some(length) => Ok(length),
            None if is_loopback => Ok(Duration::ZERO),
            None => {
                let plan = Plan::new(profile, &settings.schedule, &settings.allow_methods)?;
                Ok(Duration::from_secs_f64(Self::of_run(plan.outline().duration_s).length_s()))
            }
        }
    }

    /// As long as becomes a run of `duration_s` seconds: none in one of less than ten.
    pub(crate) fn of_run(duration_s: f64) -> Self {
        Self::new(DEFAULT.min(Duration::from_secs_f64((LARGEST_PART * duration_s).max(0.0))))
    }

    /// Does it let the session with this `key` through?
    pub(crate) fn admits(self, key: Key) -> bool {
        key.block >= self.blocks || Stream::new(key, Purpose::Canary).uniform() < SHARE
    }

    /// The share of the sessions of `block` that it lets through.
    pub(crate) fn share(self, block: u64) -> f64 {
        if block < self.blocks { SHARE } else { 1.0 }
    }

    /// When it is over, in nanoseconds of run time; none if there is none.
    pub(crate) fn ends_ns(self) -> Option<u64> {
        (self.blocks > 0).then(|| self.blocks.saturating_mul(SECOND_NS))
    }

    /// How long it lasts, in seconds.
    pub(crate) fn length_s(self) -> f64 {
        clock::to_s(self.ends_ns().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_hundred_and_then_all() {
        let canary = Canary::of_run(600.0);
        assert_eq!((canary.ends_ns(), canary.share(29)), (Some(30 * SECOND_NS), 0.01));
        let admitted =
            |block| (0..100_000).filter(|index| canary.admits(Key { seed: 7, block, index: *index })).count();
        // Five standard deviations of a binomial count.
        assert!((845..1155).contains(&admitted(29)), "{}", admitted(29));
        assert_eq!(admitted(30), 100_000);
        assert_eq!(Canary::of_run(100.0).ends_ns(), Some(10 * SECOND_NS));
        assert_eq!(Canary::of_run(9.9).ends_ns(), None);
        assert_eq!(Canary::default().share(0).to_bits(), 1.0_f64.to_bits());
    }
}
