//! Were as many requests sent as fell due, minute by minute? Totals can agree where no minute does.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Finding, Level};

/// Length of a window.
pub(super) const WINDOW_S: u64 = 60;

/// What fell due and what was sent in one window.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) due: u64,
    pub(crate) sent: u64,
    /// Sessions expected by the plan's rate.
    pub(crate) sessions_expected: f64,
    /// Sessions taken up.
    pub(crate) sessions: u64,
}

/// Requests sent against requests due, in windows of a minute.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Rate {
    /// Number of windows.
    pub windows: u64,
    /// The one with the largest error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst: Option<Window>,
    /// Sessions taken up against the integral of the planned rate, in standard deviations of a Poisson number.
    pub sessions_z: f64,
}

/// One window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Window {
    /// When it begins, in seconds of the run.
    pub from_s: u64,
    /// Requests due in it.
    pub due: u64,
    /// Requests sent in it.
    pub sent: u64,
    /// `|sent - due| / due`.
    pub error: f64,
    /// `(sent - due) / sqrt(due)`.
    pub z: f64,
}

/// Above this, the load is not quite the planned one: goal G3.
const DEGRADED_ERROR: f64 = 0.001;

/// Above this, it is another one.
const INVALID_ERROR: f64 = 0.01;

/// Requests that may be due on one side of a window's edge and sent on the other, whatever the rate.
const AT_EDGES: u64 = 3;

/// So many standard deviations are never chance: one run in a million.
const SESSIONS_Z: f64 = 5.0;

impl Rate {
    /// Of all windows, in order.
    pub(crate) fn of(tallies: &[Tally]) -> Self {
        let windows = tallies.iter().zip(0..).filter(|(tally, _)| tally.due > 0).map(|(tally, number)| {
            let (due, sent) = (tally.due as f64, tally.sent as f64);
            Window {
                from_s: number * WINDOW_S,
                due: tally.due,
                sent: tally.sent,
                error: (sent - due).abs() / due,
                z: (sent - due) / due.sqrt(),
            }
        });
        let expected: f64 = tallies.iter().map(|tally| tally.sessions_expected).sum();
        let sessions: u64 = tallies.iter().map(|tally| tally.sessions).sum();
        Self {
            windows: tallies.len() as u64,
            worst: windows.max_by(|a, b| a.gravity().total_cmp(&b.gravity())),
            sessions_z: if expected > 0.0 { (sessions as f64 - expected) / expected.sqrt() } else { 0.0 },
        }
    }

    /// What is wrong with it.
    pub(super) fn finding(&self) -> Option<Finding> {
        let of_window = self.worst.and_then(|worst| {
            let level = match worst.gravity() {
                gravity if gravity > INVALID_ERROR => Level::Invalid,
                gravity if gravity > DEGRADED_ERROR => Level::Degraded,
                _ => Level::Valid,
            };
            Finding::of_generator(level, || {
                let Window { from_s, due, sent, error, .. } = worst;
                format!(
                    "in the minute from {from_s} s, {sent} requests were sent where {due} were due ({:.2} %)",
                    100.0 * error
                )
            })
        });
        let level = if self.sessions_z.abs() > SESSIONS_Z { Level::Degraded } else { Level::Valid };
        of_window.or_else(|| {
            Finding::of_generator(level, || {
                format!("sessions started {:.1} standard deviations off the planned rate", self.sessions_z)
            })
        })
    }
}

impl Window {
    /// The error beyond what the edges of the window explain.
    fn gravity(&self) -> f64 {
        self.sent.abs_diff(self.due).saturating_sub(AT_EDGES) as f64 / self.due as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_minute_counts() {
        #[track_caller]
        fn check(tallies: &[[u64; 2]], expected: Option<Level>) {
            let tally = |[due, sent]: &[u64; 2]| Tally { due: *due, sent: *sent, ..Tally::default() };
            let rate = Rate::of(&tallies.iter().map(tally).collect::<Vec<_>>());
            assert_eq!(rate.finding().map(|finding| finding.level), expected, "{rate:?}");
        }
        check(&[], None);
        check(&[[10, 10], [0, 0], [10, 9]], None);
        // One in 60 s at 1,000/s more or less is the edge; 1 in 200 is not; and what one minute lost, the next has.
        check(&[[60_000, 59_999], [60_000, 60_001]], None);
        check(&[[60_000, 59_700], [60_000, 60_300]], Some(Level::Degraded));
        check(&[[60_000, 60_000], [60_000, 59_000]], Some(Level::Invalid));
    }

    #[test]
    fn a_rate_that_is_not_the_plan_s_shows() {
        let of = |sessions| {
            Rate::of(&[Tally { sessions_expected: 10_000.0, sessions, ..Tally::default() }]).finding()
        };
        assert!(of(10_300).is_none() && of(9_700).is_none() && of(10_600).is_some() && of(9_400).is_some());
    }
}
