//! Is every planned request accounted for, endpoint by endpoint? Planned = sent + dropped + cut, exactly: with another
//! mix than the plan's walks have, or with a request lost without a word, it is not.

use super::{Cause, Finding, Level};
use crate::record::EndpointSnapshot;

/// The endpoint whose account is furthest off; `ids` are their names, in the same order.
pub(super) fn finding(endpoints: &[EndpointSnapshot], ids: &[&str]) -> Option<Finding> {
    let missing = |endpoint: &EndpointSnapshot| {
        let known = endpoint.sent + endpoint.dropped + endpoint.cut;
        i128::from(endpoint.planned) - i128::from(known)
    };
    let (missing, id) = endpoints.iter().map(missing).zip(ids).max_by_key(|(missing, _)| missing.abs())?;
    let reason = match missing {
        0 => return None,
        1.. => format!("{missing} planned requests of `{id}` were not sent, and nobody knows why"),
        _ => format!("{} requests of `{id}` were sent that were not planned", -missing),
    };
    Some(Finding { level: Level::Invalid, cause: Cause::Generator, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_planned_request_must_be_somewhere() {
        let endpoint = |[planned, sent, dropped, cut]: [u64; 4]| EndpointSnapshot {
            planned,
            sent,
            dropped,
            cut,
            ..EndpointSnapshot::default()
        };
        let reason =
            |counts: [[u64; 4]; 2]| finding(&counts.map(endpoint), &["a", "b"]).map(|finding| finding.reason);
        assert_eq!(reason([[10, 10, 0, 0], [10, 5, 3, 2]]), None);
        assert!(reason([[10, 9, 0, 0], [10, 10, 0, 0]]).unwrap().contains("1 planned requests of `a`"));
        assert!(reason([[10, 10, 0, 0], [10, 10, 0, 2]]).unwrap().contains("2 requests of `b`"));
    }
}
