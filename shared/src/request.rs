//! What people write into a profile by hand, because no log holds it: bodies, headers, files of values, the login.
//!
//! Texts are templates (Jinja, as minijinja reads it). In them, `feed.products.slug` is a column of a feed in the row
//! of this client, `vars.token` what the login gave, `params.slug` what stands in the path, and `session` the name of
//! the session. Secrets are never in the file: `${NAME}` is a variable of the replayer's environment and `${file:PATH}`
//! the content of a file, without the line's end. Neither is ever printed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a request of an endpoint carries besides its method and path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestTemplate {
    /// Headers: names, and templates of their values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Template of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Instead of `body`: an operation of a GraphQL document, sent as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graphql: Option<GraphqlOperation>,
}

/// An operation of a GraphQL document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GraphqlOperation {
    /// Name of the operation, which the document must hold.
    pub operation: String,
    /// The document, as it is: no template.
    pub document: String,
    /// Template of a JSON object with the variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variables: Option<String>,
}

/// What a session does before everything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Id of the endpoint that is requested, with its own `request`.
    pub endpoint: String,
    /// What is taken from the answer, by the name under which templates find it in `vars`.
    pub extract: BTreeMap<String, Extract>,
}

/// Where in an answer a value stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Extract {
    /// In a body of JSON, at this JSON pointer (RFC 6901), such as `/data/token`.
    Json(String),
    /// In the body, where this regular expression matches first: its first group, or all of it without a group.
    Regex(String),
    /// In the header of this name.
    Header(String),
    /// In the cookie of this name that the answer sets.
    Cookie(String),
}
