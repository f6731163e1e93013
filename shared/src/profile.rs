//! The profile file as a whole, and where it came from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arrivals::Arrivals;
use crate::clients::Clients;
use crate::endpoint::Endpoint;
use crate::flow;
use crate::hosts::Hosts;
use crate::request::Login;
use crate::session::{Class, Sessions};
use crate::think::ThinkTime;

/// The version of the file format that this build reads and writes.
pub const VERSION: u32 = 1;

/// A complete, small, valid profile: what documentation and tests start from.
pub const EXAMPLE: &str = include_str!("example.yaml");

/// Traffic, as measured: the contract between the analyzer and the replayer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Version of the file format.
    pub loadprint: u32,
    /// What this was made from, and how much of it was understood.
    pub source: Source,
    /// What was done so that nobody can be recognised.
    pub privacy: Privacy,
    /// What can be requested; heaviest first.
    pub endpoints: Vec<Endpoint>,
    /// How long sessions are, of all classes together. For people to read: a replay follows the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Sessions>,
    /// Which programs the clients are, on what they run, and where they are. For people to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<Clients>,
    /// Kinds of user, each a Markov chain over endpoints; heaviest first.
    pub classes: Vec<Class>,
    /// Distributions of the gaps inside sessions, by the name that classes refer to.
    pub think_times: BTreeMap<String, ThinkTime>,
    /// When sessions start.
    pub arrivals: Arrivals,
    /// Periodic callers (polling, cron), which are not sessions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub background: Vec<Background>,
    /// Named ways to run the profile.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scenarios: BTreeMap<String, Scenario>,
    /// Files of values (CSV with a line of names), by the name that templates use; paths are seen from the profile.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub feeds: BTreeMap<String, String>,
    /// What a session does before everything else; written by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
    /// Conditions that a run must meet, such as `p95(response_time) < 2 x baseline`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<String>,
}

impl Profile {
    /// The endpoint with this id, if there is one.
    pub fn endpoint(&self, id: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.id == id)
    }
}

/// Which moment of a request the log's time stamp marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stamp {
    /// The request was received (Apache `%t`).
    Start,
    /// The line was written, after the response (nginx `$time_local`, `$msec`).
    End,
    /// Inputs with different meanings.
    Mixed,
}

/// What the log itself says about the moment that its stamps mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StampCheck {
    /// Read the other way, requests of one client would overlap far more often.
    Agrees,
    /// Read the other way, requests of one client would overlap far less often: durations were not subtracted.
    Disagrees,
    /// Too few requests overlap either way to tell.
    Undecided,
}

/// How a sampled log was weighted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// How many requests one logged request stands for, in the mean.
    pub weight_mean: f64,
    /// Share of requests whose weight is not known; they count once.
    pub unknown_share: f64,
}

/// What a profile was made from, and how much of it was understood. Counts are exact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Log formats, joined by ` + ` when there are several.
    pub format: String,
    /// Which moment the time stamps mark.
    pub stamp: Stamp,
    /// What the log itself says about that, where it has durations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp_check: Option<StampCheck>,
    /// The coarsest time stamp, in seconds.
    pub resolution_s: f64,
    /// Civil time of the arrival curve: an IANA zone, or the offsets that the log itself printed.
    pub timezone: String,
    /// Start of the log, rounded down to five minutes (RFC 3339).
    pub from: String,
    /// End of the log, rounded up to five minutes (RFC 3339).
    pub to: String,
    /// Lines read.
    pub lines: u64,
    /// Requests understood.
    pub requests: u64,
    /// Lines not understood, by reason, and their `total`.
    #[serde(serialize_with = "flow::map")]
    pub rejected: BTreeMap<String, u64>,
    /// Requests understood and left out of the model, by reason.
    #[serde(serialize_with = "flow::map")]
    pub excluded: BTreeMap<String, u64>,
    /// How the log was sampled: everything in the model that counts requests or sessions is weighted.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "flow::map")]
    pub sampling: Option<Sampling>,
    /// How the routes of the requests in the model were known, as shares of them.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "flow::map")]
    pub routes: Option<RouteSources>,
    /// Sessions that the model was made from.
    pub sessions: u64,
    /// Share of the requests in the model of clients that several people share: they count for weights and arrivals, but
    /// say nothing of what one person does next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_clients_share: Option<f64>,
    /// How requests became sessions.
    #[serde(serialize_with = "flow::map")]
    pub session_rule: SessionRule,
    /// Fingerprints of the hosts that most of the traffic was for, where the log says: a replay refuses to load them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Hosts>,
}

/// How routes were known, as shares of requests that add up to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteSources {
    /// Given beforehand, as an OpenAPI document or a list.
    pub given: f64,
    /// Said by the log itself, as the `http.route` of spans does.
    pub export: f64,
    /// Inferred from the paths of all requests.
    pub inferred: f64,
}

/// How requests became sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionRule {
    /// What one client was recognised by.
    pub identity: String,
    /// The longest pause inside a session, in seconds.
    pub gap_s: f64,
    /// Where the gap came from.
    pub gap_rule: GapRule,
    /// How much hangs on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<GapSensitivity>,
}

/// How many sessions there would be with another gap, for each one that there is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GapSensitivity {
    /// With half the gap: 1 or more.
    pub half_gap: f64,
    /// With twice the gap: 1 or less.
    pub double_gap: f64,
}

/// Where the session gap came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapRule {
    /// Set by a flag or by default.
    Fixed,
    /// Found in the log.
    Auto,
}

/// What was done so that nobody can be recognised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Privacy {
    /// The fewest distinct clients behind anything that the profile names.
    pub k: u32,
    /// How clients were told apart while the log was read; no pseudonym is in the profile.
    pub pseudonyms: String,
    /// What was left out because too few clients stood behind it.
    #[serde(serialize_with = "flow::map")]
    pub suppressed: Suppressed,
}

/// What was left out because too few clients stood behind it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suppressed {
    /// Endpoints not named.
    pub endpoints: u64,
    /// Their share of all requests in sessions.
    pub requests_share: f64,
    /// Share of steps inside sessions that are not in the chain.
    #[serde(default)]
    pub transitions_share: f64,
}

/// A periodic caller: polling, cron.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Background {
    /// Id of the endpoint called.
    pub endpoint: String,
    /// Seconds between two calls of one client.
    pub period_s: f64,
    /// Clients that call at any one time, in the mean over the log; at least 1.
    pub clients: u64,
}

/// A named way to run the profile; derived by the analyzer, edited by people.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// Part of the curve to follow: `median_hour`, `peak_hour` or `week`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follow: Option<String>,
    /// Day of the week to follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// How long it lasts, such as `30m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// How long the load takes to build up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ramp_up: Option<String>,
    /// How many times faster than the clock the curve is followed; think times are never compressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speedup: Option<f64>,
    /// Scenario that the steps multiply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Multiples of the load, one after the other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<f64>,
    /// How long each step lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// When to stop, such as `error_rate > 5% for 30s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
    /// Load before and after a spike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Height of a spike, such as `3 x peak`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// How long a spike takes to build up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    /// How long a spike stays up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
}
