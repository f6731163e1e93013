//! The sessions that would be under way when a run starts, had it been going on before.
//!
//! A run that starts in the middle of the day would otherwise begin with first requests only, and reach its load just
//! as late as sessions are long. So the seconds before the start are drawn like all others, their sessions walked
//! through at the pace of production, and those that are not over enter with the first request that is due.

use super::arrivals::block_name;
use super::survey::{Survey, expected_times};
use super::{Plan, PlannedSession};
use crate::clock::SECOND_NS;

/// Seconds before the start that are looked at, at most: four hours.
const LONGEST_S: f64 = 14_400.0;

/// The sessions under way at the start of `plan`, whose sessions are as `survey` says, by when their next request is due.
pub(super) fn sessions(plan: &Plan, survey: &Survey) -> Vec<PlannedSession> {
    let before_s = survey.p99_duration_s.min(LONGEST_S);
    let end_ns = plan.end_ns();
    let mut warm = Vec::new();
    for block in -(before_s.ceil() as i64)..0 {
        for (index, within_ns) in plan.arrivals.block(block).into_iter().enumerate() {
            let began_ns_ago = block.unsigned_abs() * SECOND_NS - within_ns;
            let mut session = plan.session(block_name(block), index as u64, 0);
            let mut walk = plan.walk(&session);
            let (dues_ns, _) = expected_times(plan, &mut walk);
            let begun = dues_ns.partition_point(|due_ns| *due_ns < began_ns_ago);
            let Some(due_ns) = dues_ns.get(begun) else { continue };
            (session.begun, session.starts_at_ns) = (begun, due_ns - began_ns_ago);
            if session.starts_at_ns < end_ns {
                warm.push(session);
            }
        }
    }
    warm.sort_by_key(|session| (session.starts_at_ns, session.block, session.index));
    warm
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Schedule, WarmStart};
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;
    use std::time::Duration;

    /// Requests due in each second, at the pace of production.
    fn requests_per_s(plan: &Plan, seconds: usize) -> Vec<f64> {
        let mut counts = vec![0.0; seconds];
        for session in plan.sessions() {
            let mut walk = plan.walk(&session);
            let (dues_ns, _) = expected_times(plan, &mut walk);
            for due_ns in dues_ns {
                let second = ((session.starts_at_ns + due_ns) / SECOND_NS) as usize;
                counts.get_mut(second).into_iter().for_each(|count| *count += 1.0);
            }
        }
        counts
    }

    #[test]
    fn a_warm_run_has_its_request_rate_from_the_start() {
        let schedule = |warm_start| Schedule {
            scale: 2000.0,
            duration: Some(Duration::from_secs(60)),
            warm_start,
            ..Schedule::default()
        };
        let profile = from_yaml(EXAMPLE).unwrap();
        let [warm, cold] = [WarmStart::On, WarmStart::Off]
            .map(|warm_start| Plan::new(&profile, &schedule(warm_start), &[]).unwrap());
        let expected = warm.outline().peak_requests_per_s;
        let first = |plan: &Plan| requests_per_s(plan, 3).iter().sum::<f64>() / 3.0;
        // 900 requests or so: three standard deviations of a clustered count are 15 %.
        assert!((first(&warm) / expected - 1.0).abs() < 0.15, "{} {expected}", first(&warm));
        assert!(first(&cold) / expected < 0.85, "{} {expected}", first(&cold));
        // Those that begin during the run are the same either way.
        let fresh: Vec<PlannedSession> = warm.sessions().filter(|session| !session.is_under_way()).collect();
        assert_eq!(fresh, cold.sessions().collect::<Vec<_>>());
        assert!(warm.sessions().map(|session| session.starts_at_ns).is_sorted());
        assert_eq!(warm.outline().under_way as usize, warm.sessions().count() - fresh.len());
    }
}
