//! One endpoint: a method and a route template, with all that was measured on it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::distribution::LogHistogram;
use crate::flow;
use crate::request::RequestTemplate;

/// A method and a route template, with all that was measured on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Stable name, referred to by chains: lower-case letters, digits and `_`.
    pub id: String,
    /// HTTP method.
    pub method: String,
    /// Route template: literal segments and placeholders such as `/items/{id}`.
    pub route: String,
    /// Share of the steps of sessions, 0..=1: of the requests that somebody decided on. 0 for what only comes along with
    /// pages or is only called by the clock.
    pub weight: f64,
    /// Requests, to three significant digits.
    pub requests: u64,
    /// What stands in each placeholder of the route.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Parameter>,
    /// Query parameters: names and kinds, never values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<QueryParameter>,
    /// Share of each status code.
    #[serde(serialize_with = "flow::map")]
    pub status: BTreeMap<String, f64>,
    /// Size of the response body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_bytes: Option<Summary>,
    /// Time the service took, first byte read to last byte sent: the production baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_time_s: Option<Summary>,
    /// What its requests carry besides method and path; written by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestTemplate>,
    /// Requests that the page makes, in parallel, not the person: files, calls for data, what a redirect leads to.
    /// Most frequent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub companions: Vec<Companion>,
}

/// What stands in a placeholder, or behind a query name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueKind {
    /// Decimal digits.
    Int,
    /// A UUID.
    Uuid,
    /// Hexadecimal digits.
    Hex,
    /// A date.
    Date,
    /// Words joined by hyphens.
    Slug,
    /// A word.
    Word,
    /// A mail address.
    Email,
    /// Base64, a token, a key.
    Token,
    /// Anything else.
    Opaque,
}

/// How many different values there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cardinality {
    /// Always the same.
    One,
    /// A short list.
    Few,
    /// Many, with repeats.
    Many,
    /// Practically no repeats.
    Unique,
}

/// What stands in a placeholder of a route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// The kind of value.
    pub kind: ValueKind,
    /// How many different values there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cardinality: Option<Cardinality>,
    /// Distinct values, to three significant digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<u64>,
    /// How unevenly values are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub popularity: Option<Popularity>,
    /// Length of the value in characters: quantiles.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", serialize_with = "flow::map")]
    pub length: BTreeMap<String, f64>,
}

/// How unevenly values are used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "law", rename_all = "snake_case", deny_unknown_fields)]
pub enum Popularity {
    /// The n-th most popular value is used in proportion to n^-exponent.
    Zipf {
        /// The exponent, 0 for uniform use.
        exponent: f64,
    },
}

/// A query parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryParameter {
    /// Its name.
    pub name: String,
    /// Share of the endpoint's requests that carry it, 0..=1.
    pub presence: f64,
    /// The kind of value.
    pub kind: ValueKind,
    /// How many different values there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cardinality: Option<Cardinality>,
}

/// Quantiles of a positive quantity, and the histogram they were read from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Median.
    pub p50: f64,
    /// 95th percentile; absent when fewer than k values lie beyond it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95: Option<f64>,
    /// 99th percentile; absent when fewer than k values lie beyond it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<f64>,
    /// What sampling draws from.
    pub histogram: LogHistogram,
}

/// A request that the page makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Companion {
    /// Id of the endpoint fetched.
    pub endpoint: String,
    /// Share of the page's steps that fetch it, 0..=1.
    pub probability: f64,
    /// How many times such a step fetches it in the mean, where that is more than once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<f64>,
    /// Seconds from the start of the page's request to that of this one: quantiles `p50` and `p95`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", serialize_with = "flow::map")]
    pub offset_s: BTreeMap<String, f64>,
}
