//! What interval logs hold: the seconds of a run, and their sum, also of a run that was killed; of a run in shards, all
//! of them together, and which sessions nobody began.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Error;
pub use crate::record::intervals::FILE_NAME;
use crate::record::intervals::{Frames, Seconds, by_second};
use crate::record::{EndpointSnapshot, RequestCounts, Snapshot};
use crate::report::Quantiles;

/// What the interval logs of a run hold.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Intervals {
    /// The run, by the name that its requests bear.
    pub run: String,
    /// Bytes at the end of the logs that are no whole interval: the second in which a process was killed.
    pub torn_bytes: u64,
    /// Each shard of the run, whether its log was given or not.
    pub shards: Vec<Shard>,
    /// All seconds together.
    pub total: Interval,
    /// The sum of each endpoint that was sent to.
    pub endpoints: Vec<EndpointInterval>,
    /// The seconds in which something happened.
    pub seconds: Vec<Second>,
}

/// What became of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Shard {
    /// Its number, counted from 0.
    pub shard: u64,
    /// Sessions that the plan has for it; none where they were too many to be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u64>,
    /// Sessions that fell due while it was there.
    pub begun: u64,
    /// The others: it ended or was killed before they fell due, or came after that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<u64>,
    /// Whether its log was given.
    pub logged: bool,
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
    /// Reads the logs at `paths`, of shards of one run.
    ///
    /// # Errors
    /// [`Error::Read`] when one cannot be read, [`Error::IntervalLog`] when it is none, [`Error::OtherRun`] when two do
    /// not belong together.
    pub fn read<P: AsRef<Path>>(paths: &[P]) -> Result<Self, Error> {
        let mut logs: Vec<Frames> =
            paths.iter().map(|path| Frames::open(path.as_ref())).collect::<Result<_, Error>>()?;
        for (at, (log, path)) in logs.iter().zip(paths).enumerate() {
            let (first, ours) = (&logs[0].head, &log.head);
            let is_there = logs[..at].iter().any(|other| other.head.shard == ours.shard);
            if is_there || (&ours.run, ours.shards) != (&first.run, first.shards) {
                let (path, expected) = (path.as_ref().to_owned(), first.run.clone());
                return Err(Error::OtherRun { path, shard: ours.shard, run: ours.run.clone(), expected });
            }
        }
        let Seconds { seconds, of_log } = by_second(&mut logs, Interval::of)?;
        let head = logs.first().map(|log| log.head.clone()).expect("the command line asks for one");
        let mut total = Snapshot::new(head.endpoints.len());
        of_log.iter().for_each(|counted| total.merge(counted));
        let begun: BTreeMap<u64, u64> = logs
            .iter()
            .zip(&of_log)
            .map(|(log, counted)| (log.head.shard, counted.sessions.planned - counted.sessions.lost))
            .collect();
        let shard = |shard: u64| {
            let sessions = head.sessions.as_ref().and_then(|all| all.get(shard as usize).copied());
            let logged = begun.get(&shard).copied();
            let begun = logged.unwrap_or(0);
            let missing = sessions.map(|sessions| sessions.saturating_sub(begun));
            Shard { shard, sessions, begun, missing, logged: logged.is_some() }
        };
        Ok(Self {
            run: head.run.clone(),
            torn_bytes: logs.iter().map(|log| log.torn_bytes).sum(),
            shards: (0..head.shards).map(shard).collect(),
            total: Interval::of(&total),
            endpoints: head
                .endpoints
                .into_iter()
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
        if self.shards.len() > 1 || self.shards.iter().any(|shard| shard.missing != Some(0)) {
            text.push_str(&format!("\n{:<28}{:>12}{:>12}{:>12}\n", "shard", "sessions", "begun", "missing"));
            self.shards.iter().for_each(|shard| text.push_str(&shard.line()));
        }
        if self.torn_bytes > 0 {
            text.push_str(&format!(
                "\nthe last {} bytes are of a second that was cut off\n",
                self.torn_bytes
            ));
        }
        text
    }
}

impl Shard {
    fn line(&self) -> String {
        let known = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
        let name = format!("{}{}", self.shard, if self.logged { "" } else { " (no log)" });
        format!("{name:<28}{:>12}{:>12}{:>12}\n", known(self.sessions), self.begun, known(self.missing))
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
