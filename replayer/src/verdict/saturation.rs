//! Who was full: the target, so that the cap on waiting requests was reached while the generator was on time, or the
//! generator, which was late although few were waiting?

use super::{Cause, Finding, Lateness, Level};
use crate::record::RequestCounts;

/// More than this share of requests not sent makes the load another one; less, not quite the planned one.
const INVALID_SHARE: f64 = 0.001;

/// Why requests were dropped, if any were.
pub(super) fn finding(
    requests: &RequestCounts,
    lateness: &Lateness,
    max_in_flight: usize,
) -> Option<Finding> {
    let RequestCounts { planned, dropped, .. } = *requests;
    if dropped == 0 {
        return None;
    }
    let level =
        if dropped as f64 > INVALID_SHARE * planned as f64 { Level::Invalid } else { Level::Degraded };
    let fact = format!("{dropped} requests were not sent because {max_in_flight} waited for an answer");
    Some(if lateness.p99_s > super::lateness::INVALID_P99_S {
        let reason = format!("generator saturated: {fact}, and it was late by itself");
        Finding { level, cause: Cause::Generator, reason }
    } else {
        let reason = format!("target saturated: {fact}, while the generator was on time");
        Finding { level, cause: Cause::Target, reason }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_full_is_named() {
        let of = |dropped, p99_s| {
            let requests = RequestCounts { planned: 10_000, dropped, ..RequestCounts::default() };
            let lateness = Lateness { share_1ms: 0.0, share_10ms: 0.0, share_100ms: 0.0, p99_s };
            finding(&requests, &lateness, 7).map(|finding| (finding.level, finding.cause))
        };
        assert_eq!(of(0, 5.0), None);
        assert_eq!(of(5, 0.0001), Some((Level::Degraded, Cause::Target)));
        assert_eq!(of(500, 0.0001), Some((Level::Invalid, Cause::Target)));
        assert_eq!(of(500, 0.5), Some((Level::Invalid, Cause::Generator)));
    }
}
