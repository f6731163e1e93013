//! How high the load may go: a slip of a digit must not become a flood.

use shared::Profile;

use super::Safety;
use crate::error::Error;

/// Multiple of the profile's own peak that may be sent when nobody says otherwise.
const DEFAULT_FACTOR: f64 = 2.0;

/// Multiple of the profile's own peak that `safety` allows against this machine or another; none is no ceiling.
pub(crate) fn factor(safety: &Safety, is_loopback: bool) -> Option<f64> {
    safety.ceiling.or((!is_loopback).then_some(DEFAULT_FACTOR))
}

/// Checks that `found` sessions per second, those of the busiest second of a plan, stay below `factor` times the peak of
/// `profile`.
///
/// # Errors
/// [`Error::Ceiling`].
pub(crate) fn check(found: f64, profile: &Profile, factor: f64) -> Result<(), Error> {
    let peak = profile.arrivals.curve().ok_or(Error::Profile)?.peak().0;
    // The last digits of a sum over the week are nobody's slip.
    if found <= factor * peak * (1.0 + 1e-9) {
        return Ok(());
    }
    Err(Error::Ceiling { found, peak, factor })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Schedule;
    use crate::plan::Plan;
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;

    #[test]
    fn twice_the_peak_and_no_more_unless_raised() {
        let profile = from_yaml(EXAMPLE).unwrap();
        let at = |scale: f64, factor: f64| {
            let plan = Plan::new(&profile, &Schedule { scale, ..Schedule::default() }, &[]).unwrap();
            check(plan.outline().peak_sessions_per_s, &profile, factor)
        };
        assert!(at(1.0, DEFAULT_FACTOR).is_ok());
        assert!(at(1.99, DEFAULT_FACTOR).is_ok());
        let refused = at(20.0, DEFAULT_FACTOR).unwrap_err();
        assert!(refused.hint().unwrap().contains("--raise-ceiling 20"), "{refused} {:?}", refused.hint());
        assert!(at(20.0, 20.0).is_ok());
    }
}
