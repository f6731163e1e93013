//! The sessions that models are fitted to: a sample by content, so that no key and no identifier can choose it.

use super::seed::hash;

/// A session of the sample, with nothing of who it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Walk {
    /// Start of the first request, in seconds since 1970.
    pub start_s: i64,
    /// The requests of people, in order; at least one.
    pub steps: Vec<Step>,
    /// Whether its end was seen: not cut off by the end of the log.
    pub ended: bool,
    /// How many sessions this one stands for, in thousandths; 1000 where the log was not sampled.
    pub mass: u64,
    /// The client's number among those of the sample: only good for telling clients apart, and different in every run.
    pub client: u32,
}

impl Walk {
    /// A number of what the session is, not of whose it is.
    pub(crate) fn hash(&self, seed: u64) -> u64 {
        let steps = self.steps.iter().flat_map(|step| {
            let gap = step.gap.map_or(u64::MAX, |gap| gap.ms as u64 ^ u64::from(gap.coarse) << 63);
            [u64::from(step.endpoint), gap]
        });
        hash([seed, self.start_s as u64, self.mass, u64::from(self.ended)].into_iter().chain(steps))
    }
}

/// One request of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// Number of the endpoint.
    pub endpoint: u32,
    /// The pause before it; `None` before the first, and where the previous response had not ended.
    pub gap: Option<Gap>,
}

/// A pause between two requests of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// From the end of the previous response to the start of this request, in milliseconds. By rounding of stamps it
    /// may be negative.
    pub ms: i64,
    /// At least one of the two stamps is in whole seconds.
    pub coarse: bool,
    /// The log has no durations, so the pause runs from stamp to stamp.
    pub paced: bool,
}
