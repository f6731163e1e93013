//! What people write into a profile by hand, because no log holds it: bodies, headers, files of values, the login.
//!
//! Texts are templates (Jinja, as minijinja reads it). In them, `feed.products.slug` is a column of a feed in the row
//! of this client, `vars.token` what the login gave, `params.slug` what stands in the path, and `session` the name of
//! the session. Secrets are never in the file: `${NAME}` is a variable of the replayer's environment and `${file:PATH}`
//! the content of a file, without the line's end. Neither is ever printed.

use std::borrow::Cow;
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
    /// Instead of `body`: the message of a unary call of gRPC, sent as protobuf. `headers` are its metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc: Option<GrpcCall>,
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

/// A unary call of gRPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrpcCall {
    /// File that describes the service, seen from the profile: a `.proto`, or a descriptor set as `protoc
    /// --include_imports --descriptor_set_out` writes it.
    pub proto: String,
    /// Directories in which a `.proto` finds what it imports, besides its own, seen from the profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// Service and method, such as `shop.Catalog/GetProduct`, where the route does not end with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Template of the message in its JSON form (the JSON mapping of protobuf); without it, the message is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl GrpcCall {
    /// Service and method that an endpoint with this `route` calls: those that are named, else the last two segments of
    /// the route; none where those are no names.
    pub fn called<'a>(&'a self, route: &'a str) -> Option<(&'a str, &'a str)> {
        let (before, method) = self.method.as_deref().unwrap_or(route).rsplit_once('/')?;
        let service = before.rsplit('/').next()?;
        (service.split('.').all(is_identifier) && is_identifier(method)).then_some((service, method))
    }

    /// Where calls of an endpoint with this `route` go: there, or where the method that is named has its place in gRPC.
    pub fn path<'a>(&self, route: &'a str) -> Cow<'a, str> {
        let named = self.method.as_ref().and_then(|_| self.called(route));
        let path = named.map(|(service, method)| format!("/{service}/{method}"));
        path.filter(|path| !route.ends_with(path)).map_or(Cow::Borrowed(route), Cow::Owned)
    }
}

/// Is it an identifier of protobuf?
fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
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
    /// In a body of JSON, or in the JSON form of an answer of gRPC, at this JSON pointer (RFC 6901), such as `/data/token`.
    Json(String),
    /// In the body, where this regular expression matches first: its first group, or all of it without a group.
    Regex(String),
    /// In the header of this name.
    Header(String),
    /// In the cookie of this name that the answer sets.
    Cookie(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: Option<&str>) -> GrpcCall {
        let method = method.map(str::to_owned);
        GrpcCall { proto: "a.proto".into(), include: Vec::new(), method, message: None }
    }

    #[test]
    fn calls_go_where_the_route_says_or_the_named_method_is() {
        let named = call(Some("shop.Catalog/Get"));
        assert_eq!(named.path("/{token}/Get"), "/shop.Catalog/Get");
        assert_eq!(named.path("/behind/shop.Catalog/Get"), "/behind/shop.Catalog/Get");
        assert_eq!(call(None).path("/shop.Catalog/Get"), "/shop.Catalog/Get");
    }

    #[test]
    fn the_route_or_the_call_itself_says_what_is_called() {
        #[track_caller]
        fn check(method: Option<&str>, route: &str, expected: Option<(&str, &str)>) {
            assert_eq!(call(method).called(route), expected, "{route}");
        }
        check(None, "/shop.v1.Catalog/GetProduct", Some(("shop.v1.Catalog", "GetProduct")));
        check(None, "/behind/a/proxy/Catalog/Get_2", Some(("Catalog", "Get_2")));
        check(Some("shop.Catalog/Get"), "/{word}/{slug}", Some(("shop.Catalog", "Get")));
        check(Some("/shop.Catalog/Get"), "/a/b", Some(("shop.Catalog", "Get")));
        for route in
            ["/", "/about", "/shop.Catalog/{word}", "/shop.Catalog/", "/2.Shop/Get", "/shop..Catalog/Get"]
        {
            check(None, route, None);
        }
        check(Some("GetProduct"), "/shop.Catalog/GetProduct", None);
    }
}
