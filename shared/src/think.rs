//! The time between two requests of a session.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::distribution::{Law, LogHistogram, Sampler};
use crate::flow;

/// What a gap was measured between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// End of a response to the start of the next request.
    Think,
    /// Stamp to stamp, because the log has no durations: the service time is inside the gap.
    Pacing,
}

/// A distribution of gaps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThinkTime {
    /// What the gaps were measured between.
    pub kind: GapKind,
    /// Gaps measured, to three significant digits.
    pub n: u64,
    /// The fitted law in seconds: what is sampled when there is no histogram, else only a label.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "flow::map")]
    pub law: Option<Law>,
    /// What is sampled when present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<LogHistogram>,
}

impl ThinkTime {
    /// A sampler of gaps in seconds: of the histogram where there is one, else of the law.
    ///
    /// `None` when the profile gives neither, which [`crate::validate`] reports.
    pub fn sampler(&self) -> Option<Sampler> {
        match (&self.histogram, &self.law) {
            (Some(histogram), _) => Sampler::of_histogram(histogram),
            (None, Some(law)) => Some(Sampler::of_law(law.clone())),
            (None, None) => None,
        }
    }
}
