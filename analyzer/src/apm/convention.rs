//! What the attributes of spans mean: the one place that knows their names.
//!
//! Names of today come before those of yesterday, and those before the names of single products. Sources: OpenTelemetry
//! semantic conventions (HTTP spans, and their list of renamed attributes), OpenTracing tags as Jaeger clients set them,
//! Zipkin's and Envoy's tags.

/// What an attribute says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Field {
    Method,
    /// The method where [`Field::Method`] is `_OTHER`.
    OriginalMethod,
    Route,
    /// Path and query, or an absolute URL.
    Target,
    Path,
    Query,
    Url,
    Scheme,
    Host,
    Status,
    Client,
    UserAgent,
    User,
    Session,
    BytesIn,
    BytesOut,
    Kind,
    Service,
    Error,
    SamplerType,
    SamplerParameter,
    /// The protocol of a span that is not of HTTP.
    OtherProtocol,
}

const FIELDS: usize = Field::OtherProtocol as usize + 1;

/// The field that attribute `name` holds, and its rank: of several, the lowest counts.
fn field(name: &str) -> Option<(Field, u8)> {
    Some(match name {
        "http.request.method" => (Field::Method, 0),
        "http.method" => (Field::Method, 1),
        "http.request.method_original" => (Field::OriginalMethod, 0),
        "http.route" => (Field::Route, 0),
        "http.target" => (Field::Target, 1),
        "url.path" => (Field::Path, 0),
        "http.path" => (Field::Path, 1),
        "http.uri" => (Field::Path, 2),
        "http.uri.client" => (Field::Path, 3),
        "url.query" => (Field::Query, 0),
        "http.query.string" => (Field::Query, 1),
        "url.full" => (Field::Url, 0),
        "http.url" => (Field::Url, 1),
        "url.scheme" => (Field::Scheme, 0),
        "http.scheme" => (Field::Scheme, 1),
        "server.address" => (Field::Host, 0),
        "http.host" => (Field::Host, 1),
        "net.host.name" => (Field::Host, 2),
        "http.server_name" => (Field::Host, 3),
        "http.response.status_code" => (Field::Status, 0),
        "http.status_code" => (Field::Status, 1),
        "http.status" => (Field::Status, 2),
        "client.address" => (Field::Client, 0),
        "http.client_ip" | "client.ip" => (Field::Client, 1),
        "network.peer.address" => (Field::Client, 2),
        "net.sock.peer.addr" => (Field::Client, 3),
        "net.peer.ip" => (Field::Client, 4),
        "peer.address" => (Field::Client, 5),
        "peer.ipv4" => (Field::Client, 6),
        "peer.ipv6" => (Field::Client, 7),
        "user_agent.original" => (Field::UserAgent, 0),
        "http.user_agent" => (Field::UserAgent, 1),
        "http.request.header.user-agent" | "http.request.header.user_agent" => (Field::UserAgent, 2),
        "user_agent" => (Field::UserAgent, 3),
        "user.id" => (Field::User, 0),
        "enduser.id" => (Field::User, 1),
        "enduser.pseudo.id" => (Field::User, 2),
        "session.id" => (Field::Session, 0),
        "http.request.size" => (Field::BytesIn, 0),
        "http.request.body.size" => (Field::BytesIn, 1),
        "http.request_content_length" => (Field::BytesIn, 2),
        "request_size" => (Field::BytesIn, 3),
        "http.response.body.size" => (Field::BytesOut, 0),
        "http.response_content_length" => (Field::BytesOut, 1),
        "http.response.size" => (Field::BytesOut, 2),
        "response_size" => (Field::BytesOut, 3),
        "span.kind" => (Field::Kind, 0),
        "service.name" => (Field::Service, 0),
        "error" => (Field::Error, 0),
        "sampler.type" => (Field::SamplerType, 0),
        "sampler.param" => (Field::SamplerParameter, 0),
        "rpc.system"
        | "rpc.system.name"
        | "db.system"
        | "db.system.name"
        | "messaging.system"
        | "gen_ai.operation.name" => (Field::OtherProtocol, 0),
        _ => return None,
    })
}

/// The fields of one span, as text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    values: [Option<(u8, Box<str>)>; FIELDS],
}

impl Facts {
    /// Takes an attribute, if anything is known of it.
    pub(crate) fn attribute(&mut self, name: &str, value: &str) {
        if let Some((field, rank)) = field(name) {
            self.set_ranked(field, rank, value);
        }
    }

    /// Takes a value from a place of its own, which counts before all attributes.
    pub(crate) fn set(&mut self, field: Field, value: Option<&str>) {
        if let Some(value) = value {
            self.set_ranked(field, 0, value);
        }
    }

    fn set_ranked(&mut self, field: Field, rank: u8, value: &str) {
        let slot = &mut self.values[field as usize];
        if !value.is_empty() && slot.as_ref().is_none_or(|(known, _)| rank < *known) {
            *slot = Some((rank, value.into()));
        }
    }

    pub(crate) fn get(&self, field: Field) -> Option<&str> {
        self.values[field as usize].as_ref().map(|(_, value)| value.as_ref())
    }

    /// Anything that only HTTP has.
    pub(crate) fn is_http(&self) -> bool {
        [Field::Method, Field::Route, Field::Target, Field::Path, Field::Url, Field::Status]
            .into_iter()
            .any(|field| self.get(field).is_some())
    }

    /// The status; the first of its class where only that is known, as in `HTTP 2xx`.
    pub(crate) fn status(&self) -> Option<u16> {
        let text = self.get(Field::Status)?;
        let code = text.rsplit([' ', 'P']).next().unwrap_or(text);
        let code = match code.as_bytes() {
            [class @ b'1'..=b'5', b'x', b'x'] => u16::from(class - b'0') * 100,
            _ => code.split('.').next()?.parse().ok()?,
        };
        (100..1000).contains(&code).then_some(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_name_counts_wherever_it_stands() {
        let mut facts = Facts::default();
        for (name, value) in [
            ("net.peer.ip", "192.0.2.9"),
            ("http.method", "GET"),
            ("client.address", "192.0.2.1"),
            ("http.request.method", "PUT"),
            ("http.client_ip", "192.0.2.2"),
            ("url.path", ""),
            ("my.own", "x"),
        ] {
            facts.attribute(name, value);
        }
        assert_eq!(facts.get(Field::Client), Some("192.0.2.1"));
        assert_eq!(facts.get(Field::Method), Some("PUT"));
        assert_eq!(facts.get(Field::Path), None);
    }

    #[test]
    fn statuses_are_numbers_or_classes() {
        for (text, expected) in [
            ("200", Some(200)),
            ("404.0", Some(404)),
            ("HTTP 2xx", Some(200)),
            ("HTTP5xx", Some(500)),
            ("success", None),
            ("0", None),
            ("-1", None),
        ] {
            let mut facts = Facts::default();
            facts.set(Field::Status, Some(text));
            assert_eq!(facts.status(), expected, "{text}");
        }
    }
}
