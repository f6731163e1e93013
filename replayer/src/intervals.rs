//! What an interval log holds: the seconds of a run, and their sum, also of a run that was killed.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Error;
pub use crate::record::intervals::FILE_NAME;
use crate::record::intervals::{Seconds, by_second};
use crate::record::{EndpointSnapshot, RequestCounts, Snapshot};
use crate::report::Quantiles;

/// What an interval log holds.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Intervals {
    /// Bytes at the end of the log that are no whole interval: the second in which the process was killed.
    pub torn_bytes: u64,
    /// All seconds together.
    pub total: Interval,
    /// The sum of each endpoint that was sent to.
    pub endpoints: Vec<EndpointInterval>,
    /// The seconds in which something happened.
    pub seconds: Vec<Second>,
}

/// What happened in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Interval {
    /// Requests sent.
    pub sent: u64,
    /// Requests answered.
    pub completed: u64,
    /// Requests that failed, were given up or were not sent.
    pub lost: u64,
    /// What users would have waited.
    pub response_time_s: Quantiles,
    /// What the target took.
    pub service_time_s: Quantiles,
    /// How late the generator was.
    pub send_delay_s: Quantiles,
}

/// What happened at one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct EndpointInterval {
    /// Its id.
    pub id: String,
    /// What happened.
    #[serde(flatten)]
    pub interval: Interval,
}

/// What happened in one second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Second {
    /// The second of the run.
    pub second: u64,
    /// What happened.
    #[serde(flatten)]
    pub interval: Interval,
}

impl Intervals {
    /// Reads the log at `path`.
    ///
    /// # Errors
    /// [`Error::Read`] when it cannot be read, [`Error::IntervalLog`] when it is none.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let Seconds { seconds, total, ending } = by_second(path, Interval::of)?;
        let total = total.unwrap_or_else(|| Snapshot::new(ending.head.endpoints.len()));
        let ids = ending.head.endpoints.into_iter();
        Ok(Self {
            torn_bytes: ending.torn_bytes,
            total: Interval::of(&total),
            endpoints: ids
                .zip(&total.endpoints)
                .filter(|(_, counted)| counted.sent > 0)
                .map(|(id, counted)| EndpointInterval { id, interval: Interval::of_endpoint(counted) })
                .collect(),
            seconds: seconds.into_iter().map(|(second, interval)| Second { second, interval }).collect(),
        })
    }

    /// The log for people: one line per second, then the sum of each endpoint. Times are milliseconds.
    pub fn text(&self) -> String {
        let title = |first: &str| {
            format!("{first:<28}{:>8}{:>8}{:>8}{:>9}{:>9}\n", "sent", "done", "lost", "p50 ms", "p99 ms")
        };
        let mut text = title("second");
        for Second { second, interval } in &self.seconds {
            text.push_str(&interval.line(&second.to_string()));
        }
        text.push_str(&format!("\n{}", title("endpoint")));
        self.endpoints.iter().for_each(|endpoint| text.push_str(&endpoint.interval.line(&endpoint.id)));
        text.push_str(&self.total.line("all"));
        if self.torn_bytes > 0 {
            text.push_str(&format!(
                "\nthe last {} bytes are of a second that was cut off\n",
                self.torn_bytes
            ));
        }
        text
    }
}

impl Interval {
    fn of(counted: &Snapshot) -> Self {
        let RequestCounts { sent, completed, failed, timed_out, dropped, .. } = counted.requests;
        Self {
            sent,
            completed,
            lost: failed + timed_out + dropped,
            response_time_s: Quantiles::of(&counted.all_waits(|endpoint| &endpoint.response)),
            service_time_s: Quantiles::of(&counted.all_waits(|endpoint| &endpoint.service)),
            send_delay_s: Quantiles::of_times(&counted.all_times(|endpoint| &endpoint.send_delay)),
        }
    }

    fn of_endpoint(counted: &EndpointSnapshot) -> Self {
        Self {
            sent: counted.sent,
            completed: counted.statuses.values().sum(),
            lost: counted.failed + counted.timed_out + counted.dropped,
            response_time_s: Quantiles::of(&counted.response),
            service_time_s: Quantiles::of(&counted.service),
            send_delay_s: Quantiles::of_times(&counted.send_delay),
        }
    }

    fn line(&self, name: &str) -> String {
        let name: String = name.chars().take(27).collect();
        let times = &self.response_time_s;
        let ms = |q, time_s: f64| format!("{}{:.2}", if times.knows(q) { "" } else { ">" }, 1e3 * time_s);
        let (p50, p99) = (ms(0.5, times.p50_s), ms(0.99, times.p99_s));
        format!("{name:<28}{:>8}{:>8}{:>8}{p50:>9}{p99:>9}\n", self.sent, self.completed, self.lost)
    }
}
