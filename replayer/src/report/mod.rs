//! What a run came to, as data and as text. Everything here only formats: the numbers come from the recorder.

mod capacity;
mod picture;
mod preview;
mod results;
mod schema;
mod text;
pub(crate) mod thresholds;

pub use capacity::{Bound, CapacityReport, Conclusion, Trial, TrialOutcome, TrialSettings, capacity_text};
pub use preview::{Dispersion, Preview, PreviewSession, PreviewStep, Regime};
pub(crate) use results::Circumstances;
pub use results::{
    AfterWarmUp, Baseline, EndpointReport, IntervalLog, Pacing, Quantiles, Ratio, Requests, RunReport,
    Sessions,
};
pub use schema::{capacity_schema, capacity_schema_text, schema, schema_text};
pub use text::{outline, text};
pub use thresholds::Threshold;

/// A result as JSON, indented, with a final newline.
pub fn json(result: &impl serde::Serialize) -> String {
    let text = serde_json::to_string_pretty(result);
    text.expect("results hold only numbers, strings, lists and maps with string keys") + "\n"
}
