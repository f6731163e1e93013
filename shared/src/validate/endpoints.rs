//! Endpoints: what is asked for, what people add to it, and how it is answered.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::endpoint::Endpoint;
use crate::request::{Extract, Login, RequestTemplate};
use crate::session::{END, LEADS_TO, OTHER};
use crate::status::{self, Status};

/// Headers that follow from the connection, the target and the run.
const OWN_HEADERS: [&str; 9] = [
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Upgrade",
    "TE",
    "User-Agent",
    "X-Load-Run",
    "X-Loadprint-Session",
];

/// What a name in a template may be.
pub(super) const NAME: &str = "a name of letters, digits and `_` that begins with a letter";

impl Check {
    pub(super) fn endpoints(&mut self, endpoints: &[Endpoint], ids: &BTreeSet<&str>) {
        if endpoints.is_empty() {
            self.wrong("/endpoints", "an empty list", "at least one endpoint");
        }
        let mut seen = BTreeSet::new();
        for (i, endpoint) in endpoints.iter().enumerate() {
            let place = format!("/endpoints/{i}");
            if !seen.insert(endpoint.id.as_str()) {
                self.wrong(
                    &format!("{place}/id"),
                    format!("`{}` a second time", endpoint.id),
                    "ids used once",
                );
            }
            let reserved = endpoint.id == END || endpoint.id == OTHER || endpoint.id.contains(LEADS_TO);
            if reserved || endpoint.id.is_empty() {
                self.wrong(
                    &format!("{place}/id"),
                    format!("`{}`", endpoint.id),
                    "a name other than `END` and `other`, without ` > `",
                );
            }
            if let Some(expected) = wrong_route(&endpoint.route) {
                self.wrong(
                    &format!("{place}/route"),
                    format!("`{}`", endpoint.route.escape_debug()),
                    expected,
                );
            }
            if !is_token(&endpoint.method) {
                self.wrong(&format!("{place}/method"), format!("`{}`", endpoint.method), "an HTTP method");
            }
            self.share(&format!("{place}/weight"), endpoint.weight);
            self.status(&format!("{place}/status"), &endpoint.status);
            for (name, summary) in
                [("response_bytes", &endpoint.response_bytes), ("service_time_s", &endpoint.service_time_s)]
            {
                summary.iter().for_each(|summary| self.summary(&format!("{place}/{name}"), summary));
            }
            if let Some(request) = &endpoint.request {
                self.request(&format!("{place}/request"), request, endpoint);
            }
            for (j, companion) in endpoint.companions.iter().enumerate() {
                let here = format!("{place}/companions/{j}");
                self.reference(&format!("{here}/endpoint"), &companion.endpoint, ids, "endpoint");
                self.share(&format!("{here}/probability"), companion.probability);
                if endpoint.companions[..j].iter().any(|before| before.endpoint == companion.endpoint) {
                    let found = format!("`{}` a second time", companion.endpoint);
                    self.wrong(&format!("{here}/endpoint"), found, "companions named once");
                }
                if let Some(count) = companion.count.filter(|count| !(count.is_finite() && *count >= 1.0)) {
                    self.wrong(&format!("{here}/count"), count, "a number >= 1");
                }
                for (quantile, offset_s) in &companion.offset_s {
                    let here = format!("{here}/offset_s/{quantile}");
                    self.not_negative(&here, *offset_s);
                    if !matches!(quantile.as_str(), "p50" | "p95") {
                        self.wrong(&here, format!("`{quantile}`"), "`p50` or `p95`");
                    }
                }
            }
        }
    }

    fn request(&mut self, place: &str, request: &RequestTemplate, endpoint: &Endpoint) {
        for name in request.headers.keys() {
            let here = format!("{place}/headers/{name}");
            let found = || format!("`{}`", name.escape_debug());
            if !is_token(name) {
                self.wrong(&here, found(), "the name of a header");
            } else if OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
                self.wrong(&here, found(), "a header that the replayer does not write itself");
            }
        }
        let bodies = [
            ("`body`", request.body.is_some()),
            ("`graphql`", request.graphql.is_some()),
            ("`grpc`", request.grpc.is_some()),
        ];
        let bodies: Vec<&str> =
            bodies.into_iter().filter_map(|(name, is_there)| is_there.then_some(name)).collect();
        if bodies.len() > 1 {
            self.wrong(place, bodies.join(" and "), "one of them");
        }
        if let Some(graphql) = &request.graphql
            && !graphql.document.contains(graphql.operation.as_str())
        {
            let found = format!("`{}`", graphql.operation);
            self.wrong(&format!("{place}/graphql/operation"), found, "an operation of the document");
        }
        if let Some(grpc) = &request.grpc {
            let here = format!("{place}/grpc");
            if endpoint.method != "POST" {
                self.wrong(
                    &here,
                    format!("a call by `{}`", endpoint.method),
                    "the method `POST`, as all calls of gRPC have",
                );
            }
            match (&grpc.method, grpc.called(&endpoint.route)) {
                (_, Some(_)) => {}
                (Some(method), None) => {
                    let found = format!("`{}`", method.escape_debug());
                    self.wrong(
                        &format!("{here}/method"),
                        found,
                        "service and method such as `shop.Catalog/GetProduct`",
                    );
                }
                (None, None) => {
                    let expected =
                        "`method`, since the route does not end with the names of a service and a method";
                    self.wrong(&here, "no `method`", expected);
                }
            }
        }
    }

    pub(super) fn login(&mut self, login: &Login, ids: &BTreeSet<&str>) {
        self.reference("/login/endpoint", &login.endpoint, ids, "endpoint");
        for (name, extract) in &login.extract {
            let here = format!("/login/extract/{name}");
            if !is_name(name) {
                self.wrong(&here, format!("`{name}`"), NAME);
            }
            match extract {
                Extract::Json(pointer) if !pointer.is_empty() && !pointer.starts_with('/') => {
                    self.wrong(&here, format!("`{pointer}`"), "a JSON pointer such as `/data/token`");
                }
                Extract::Header(header) | Extract::Cookie(header) if !is_token(header) => {
                    self.wrong(
                        &here,
                        format!("`{}`", header.escape_debug()),
                        "the name of a header or cookie",
                    );
                }
                Extract::Json(_) | Extract::Regex(_) | Extract::Header(_) | Extract::Cookie(_) => {}
            }
        }
    }

    fn status(&mut self, place: &str, status: &BTreeMap<String, f64>) {
        for code in status.keys() {
            if code.parse::<Status>().is_err() {
                self.wrong(&format!("{place}/{code}"), format!("`{code}`"), status::EXPECTED);
            }
        }
        self.sum(place, "the shares of all status codes", status.values().copied());
    }
}

/// Can templates use it as a name?
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Is it a token of HTTP (RFC 9110, 5.6.2)?
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}

/// What `route` should have been, unless it is a path as a request target can carry it (RFC 3986, 3.3), with names in
/// braces where values will stand.
fn wrong_route(route: &str) -> Option<&'static str> {
    if !route.starts_with('/') {
        return Some("a path that starts with `/`");
    }
    let (mut literal, mut rest) = (String::new(), route);
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { return Some("a `}` for every `{`") };
        if name.is_empty() || name.contains(['/', '{']) || !is_path(name) {
            return Some("a name such as `id` in every pair of braces");
        }
        // The value that will stand here separates what is around it: `%{id}20` holds no escape.
        literal.push_str(before);
        literal.push('/');
        rest = after;
    }
    literal.push_str(rest);
    (!is_path(&literal))
        .then_some("letters, digits, `/-._~!$&'()*+,;=:@`, `{names}`, and escapes such as `%20`")
}

/// Whether `text` has only the characters of a path, and two hexadecimal digits after every `%`.
fn is_path(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&byte);
    let is_escape = |after: &str| {
        after.as_bytes().first_chunk::<2>().is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    text.bytes().all(plain) && text.split('%').skip(1).all(is_escape)
}
