//! Conditions on what was measured, as people write them: `p95(response_time) < 2 x baseline`.
//!
//! One grammar for thresholds, which judge a run when it is over, and for stop rules, which end one that is under way.
//! Here a condition is only read and printed; what it means of which numbers is said where the numbers are.

mod parse;

use std::fmt;
use std::time::Duration;

use shared::status::Status;
use shared::units::format_duration;

pub use parse::{Malformed, parse};

/// A comparison of something measured with something given.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What is measured.
    pub metric: Metric,
    /// How the two must compare for the condition to hold.
    pub comparison: Comparison,
    /// What it is compared with.
    pub value: Value,
    /// Id of the one endpoint that is meant; all of them together without.
    pub endpoint: Option<String>,
    /// How long the condition must hold at a stretch, in a stop rule.
    pub window: Option<Duration>,
}

/// Something that is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// The quantile of a time, such as `p99.9(response_time)`: a share above 0 and below 1.
    Quantile(f64, Timing),
    /// The mean of a time.
    Mean(Timing),
    /// The longest of a time.
    Max(Timing),
    /// Share of requests that got no answer, or one that the profile does not expect.
    ErrorRate,
    /// Share of answers with this status.
    Status(Status),
    /// Requests sent per second.
    Rate,
}

/// One of the times of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// From due to the end of the answer.
    Response,
    /// From the first byte written to the end of the answer.
    Service,
    /// From where the chain of the session should be to the end of the answer.
    Chain,
    /// From due to the first byte written, without connecting.
    SendDelay,
    /// Opening a connection.
    Connect,
    /// From the first byte written to the first byte read.
    FirstByte,
}

/// How two numbers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
}

/// What a metric is compared with. Which of them goes with which metric is checked when a condition is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A time in seconds.
    Seconds(f64),
    /// A share, 0..=1.
    Share(f64),
    /// A number per second.
    PerSecond(f64),
    /// This multiple of the same quantile of the service time in production, as the profile has it.
    TimesBaseline(f64),
}

impl Comparison {
    /// Does `left` compare so with `right`?
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Below => left < right,
            Self::AtMost => left <= right,
            Self::Above => left > right,
            Self::AtLeast => left >= right,
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Above => ">",
            Self::AtLeast => ">=",
        }
    }
}

impl Timing {
    /// All times, in the order in which a request meets them.
    const ALL: [Self; 6] =
        [Self::Response, Self::Service, Self::Chain, Self::SendDelay, Self::Connect, Self::FirstByte];

    /// Its name in conditions, and with `_s` behind it in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Response => "response_time",
            Self::Service => "service_time",
            Self::Chain => "chain_time",
            Self::SendDelay => "send_delay",
            Self::Connect => "connect_time",
            Self::FirstByte => "first_byte_time",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quantile(q, timing) => write!(f, "p{}({})", rounded(100.0 * q), timing.name()),
            Self::Mean(timing) => write!(f, "mean({})", timing.name()),
            Self::Max(timing) => write!(f, "max({})", timing.name()),
            Self::ErrorRate => f.write_str("error_rate"),
            Self::Status(status) => write!(f, "status({status})"),
            Self::Rate => f.write_str("rate"),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) if *seconds < 1.0 => write!(f, "{}ms", rounded(1e3 * seconds)),
            Self::Seconds(seconds) => write!(f, "{}s", rounded(*seconds)),
            Self::Share(share) => write!(f, "{}%", rounded(100.0 * share)),
            Self::PerSecond(number) => write!(f, "{number}/s"),
            Self::TimesBaseline(factor) => write!(f, "{factor} x baseline"),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.metric, self.comparison.sign(), self.value)?;
        self.endpoint.iter().try_for_each(|endpoint| write!(f, " on {endpoint}"))?;
        self.window
            .iter()
            .try_for_each(|window| write!(f, " for {}", format_duration(*window).replace(' ', "")))
    }
}

/// Without the crumbs that a factor of 100 or 1,000 leaves in the last digits.
fn rounded(x: f64) -> f64 {
    shared::units::round_significant(x, 12)
}
