//! Which answers are errors: those that production does not give, or not as often.

use std::collections::BTreeMap;

use shared::Profile;
use shared::status::Status;

/// How often production answers with which status, per endpoint in the profile's order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    shares: Vec<BTreeMap<Status, f64>>,
}

/// Answers of one endpoint: how many, and how many with each status that is or means 400 and above.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    pub(crate) answered: u64,
    pub(crate) refused: BTreeMap<Status, u64>,
}

/// Standard deviations that a count may lie above what is expected before the rest counts as errors.
const MARGIN: f64 = 2.0;

/// Answers that make what is asked for unknown to the target, and no fault of it.
const UNKNOWN: [Status; 2] = [Status::Http(404), Status::Http(410)];

impl Expected {
    /// What `profile` measured. At endpoints for which `is_invented` holds, what is asked for was made up: that the
    /// target does not know it is what is to be expected.
    pub(crate) fn of(profile: &Profile, is_invented: impl Fn(usize) -> bool) -> Self {
        let shares = profile.endpoints.iter().enumerate().map(|(at, endpoint)| {
            let measured =
                endpoint.status.iter().filter_map(|(code, share)| Some((code.parse().ok()?, *share)));
            let unknown = UNKNOWN.into_iter().filter(|_| is_invented(at)).map(|code| (code, 1.0));
            measured.chain(unknown).collect()
        });
        Self { shares: shares.collect() }
    }

    /// How many of `answers` of `endpoint` are errors: of each status from 400 on, as many as are more than production
    /// would have given by more than chance. Redirects and all below are answers like others.
    pub(crate) fn errors(&self, endpoint: usize, answers: &Answers) -> f64 {
        let n = answers.answered as f64;
        let shares = self.shares.get(endpoint);
        let excess = |(status, count): (&Status, &u64)| {
            let share = shares.and_then(|shares| shares.get(status)).copied().unwrap_or(0.0).clamp(0.0, 1.0);
            let usual = n * share + MARGIN * (n * share * (1.0 - share)).sqrt();
            (*count as f64 - usual).max(0.0)
        };
        answers.refused.iter().map(excess).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;

    fn errors(endpoint: usize, invented: bool, answered: u64, refused: &[(u16, u64)]) -> f64 {
        let expected = Expected::of(&from_yaml(EXAMPLE).unwrap(), |_| invented);
        let refused = refused.iter().map(|(code, n)| (Status::Http(*code), *n)).collect();
        expected.errors(endpoint, &Answers { answered, refused })
    }

    #[test]
    fn only_what_production_does_not_give_is_an_error() {
        #[track_caller]
        fn check(found: f64, expected: f64) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
        check(errors(0, false, 1000, &[(500, 7)]), 7.0);
        // The item endpoint gives 3 % of 404 in production: 30 of 1,000, and 2 x 5.39 more by chance.
        check(errors(1, false, 1000, &[(404, 40)]), 0.0);
        check(errors(1, false, 1000, &[(404, 1000)]), 970.0 - 2.0 * (1000.0_f64 * 0.03 * 0.97).sqrt());
        check(errors(1, true, 1000, &[(404, 1000)]), 0.0);
        check(errors(1, true, 1000, &[(404, 990), (503, 10)]), 10.0);
        check(errors(0, false, 0, &[]), 0.0);
        check(errors(99, false, 10, &[(500, 10)]), 10.0);
    }

    proptest! {
        #[test]
        fn errors_are_never_more_than_refusals_and_grow_with_them(
            answered in 1..10_000_u64, some in 0..5_000_u64, more in 0..5_000_u64, status in 400..600_u16,
        ) {
            let few = errors(1, false, answered, &[(status, some.min(answered))]);
            let many = errors(1, false, answered, &[(status, (some + more).min(answered))]);
            prop_assert!(few <= many && many <= answered as f64 && few >= 0.0);
        }
    }
}
