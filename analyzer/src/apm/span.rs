//! From spans to requests: which of them are requests to a server, and what those say.
//!
//! A request is a span of kind SERVER that has no SERVER span of the same service above it: a framework that makes a
//! span inside the web server's, or a service that calls itself, adds none. What a tracer calls a server but says to
//! be of another protocol (databases, messages, remote calls) is no request either.

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use std::hash::BuildHasher as _;

use super::convention::{Facts, Field};
use crate::document::Sink;
use crate::format::meaning::without_port;
use crate::format::number::{self, Unit};
use crate::format::time::{TimeCache, TimeFormat};
use crate::reject::Reject;
use crate::request::{KNOWN_METHODS, Request};
use crate::route;

/// What a span stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A request as the server saw it.
    Server,
    /// A step inside a service.
    Internal,
    /// Anything else: a request as the client saw it, a message.
    Other,
}

impl Kind {
    /// The kind that a name says: `SERVER`, `server`, `SPAN_KIND_SERVER`.
    pub(super) fn named(name: &str) -> Self {
        match name.rsplit('_').next().unwrap_or_default() {
            kind if kind.eq_ignore_ascii_case("server") => Self::Server,
            kind if kind.eq_ignore_ascii_case("internal") || kind.is_empty() => Self::Internal,
            _ => Self::Other,
        }
    }
}

/// One span, or one record of a product that keeps requests alone.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) trace: Box<str>,
    pub(super) id: Box<str>,
    pub(super) parent: Box<str>,
    pub(super) service: Box<str>,
    pub(super) kind: Kind,
    /// Nanoseconds since 1970.
    pub(super) start_ns: Option<i64>,
    /// What the last digit of the start stands for.
    pub(super) resolution_ns: i64,
    pub(super) duration_ns: Option<i64>,
    pub(super) name: Box<str>,
    pub(super) facts: Facts,
    /// How many requests the span stands for, where it says so.
    pub(super) weight: Option<f64>,
}

impl Span {
    /// Takes the start, as `format` prints it.
    pub(super) fn started(&mut self, text: Option<&str>, format: &TimeFormat) {
        let instant = text.and_then(|text| TimeCache::default().read(format, text.as_bytes()));
        self.start_ns = instant.map(|instant| instant.utc_ns);
        self.resolution_ns = instant.map_or(1, |instant| instant.resolution_ns);
    }

    /// Takes the end, as `format` prints it.
    pub(super) fn ended(&mut self, text: Option<&str>, format: &TimeFormat) {
        let end = text.and_then(|text| TimeCache::default().read(format, text.as_bytes()));
        self.duration_ns = end.and_then(|end| end.utc_ns.checked_sub(self.start_ns?));
    }

    /// Takes the duration, printed in `unit`.
    pub(super) fn lasted(&mut self, text: Option<&str>, unit: Unit) {
        self.duration_ns = text.and_then(|text| number::duration_ns(text.as_bytes(), unit)).flatten();
    }

    /// A request of which nothing is known.
    pub(super) fn request() -> Self {
        Self {
            trace: Box::default(),
            id: Box::default(),
            parent: Box::default(),
            service: Box::default(),
            kind: Kind::Server,
            start_ns: None,
            resolution_ns: 1,
            duration_ns: None,
            name: Box::default(),
            facts: Facts::default(),
            weight: None,
        }
    }
}

/// The spans of a document, in its order.
#[derive(Debug, Default)]
pub(super) struct Spans {
    records: Vec<Result<Box<Span>, Reject>>,
    /// Of each span by trace, id and service: what it is, and the id of its parent.
    known: HashMap<u64, (Kind, u64), FixedState>,
    /// Of each trace: the weight that one of its spans says.
    weights: HashMap<u64, f64, FixedState>,
    /// Of each trace: who caused it.
    origins: HashMap<u64, Origin, FixedState>,
}

/// A text, and when it was said, in nanoseconds.
type Said = (i64, Box<str>);

/// Who caused a trace: what its first server spans say. Behind the edge, clients are other services.
#[derive(Debug, Default)]
struct Origin {
    person: Option<Said>,
    client: Option<Said>,
    user_agent: Option<Said>,
}

impl Origin {
    fn add(&mut self, span: &Span) {
        let at = span.start_ns.unwrap_or(i64::MAX);
        let earlier = |slot: &mut Option<Said>, value: Option<&str>| {
            if let Some(value) = value.filter(|_| slot.as_ref().is_none_or(|(known, _)| at < *known)) {
                *slot = Some((at, value.into()));
            }
        };
        earlier(&mut self.person, person(&span.facts));
        earlier(&mut self.client, span.facts.get(Field::Client));
        earlier(&mut self.user_agent, span.facts.get(Field::UserAgent));
    }
}

fn person(facts: &Facts) -> Option<&str> {
    facts.get(Field::Session).or_else(|| facts.get(Field::User))
}

/// Steps up from a span to look for its server.
const HIGHEST: usize = 64;

impl Spans {
    /// Takes the next span.
    pub(super) fn push(&mut self, span: Span) {
        let trace = hash(&span.trace);
        if !span.id.is_empty() {
            let found = (span.kind, hash(&span.parent));
            let known = self.known.entry(place(trace, hash(&span.id), &span.service)).or_insert(found);
            // Client and server of a Zipkin span have the same id; the server is what counts below it.
            if span.kind == Kind::Server {
                *known = found;
            }
        }
        if let Some(weight) = span.weight.filter(|_| !span.trace.is_empty()) {
            self.weights.entry(trace).or_insert(weight);
        }
        if span.kind == Kind::Server && !span.trace.is_empty() {
            self.origins.entry(trace).or_default().add(&span);
        }
        self.records.push(match span.kind {
            Kind::Server => Ok(Box::new(span)),
            Kind::Internal | Kind::Other => Err(Reject::NotARequest),
        });
    }

    /// Takes a record that is no span.
    pub(super) fn reject(&mut self, reject: Reject) {
        self.records.push(Err(reject));
    }

    /// Gives everything to `sink`, as requests or as what is none.
    pub(super) fn give(self, sink: &mut Sink<'_>) {
        let mut seen: HashSet<u64, FixedState> = HashSet::default();
        for record in &self.records {
            let span = match record {
                Err(reject) => {
                    sink(Err(*reject));
                    continue;
                }
                Ok(span) => span,
            };
            let trace = hash(&span.trace);
            // Spans of one id are parts of one span, or the same sent twice.
            let again = !span.id.is_empty() && !seen.insert(place(trace, hash(&span.id), &span.service));
            let foreign = span.facts.get(Field::OtherProtocol).is_some() && !span.facts.is_http();
            if again || foreign || self.is_inside_a_server(span, trace) {
                sink(Err(Reject::NotARequest));
            } else {
                let weight = span.weight.or_else(|| self.weights.get(&trace).copied());
                give(span, weight, self.origins.get(&trace), sink);
            }
        }
    }

    /// Gives every record as a request of its own: for products whose records are no spans of a trace.
    pub(super) fn give_each(self, sink: &mut Sink<'_>) {
        for record in &self.records {
            match record {
                Err(reject) => sink(Err(*reject)),
                Ok(span) => give(span, span.weight, None, sink),
            }
        }
    }

    /// Whether a server span of the same service is above, with nothing but its own steps between.
    fn is_inside_a_server(&self, span: &Span, trace: u64) -> bool {
        if span.parent.is_empty() {
            return false;
        }
        let mut parent = hash(&span.parent);
        for _ in 0..HIGHEST {
            match self.known.get(&place(trace, parent, &span.service)) {
                Some((Kind::Server, _)) => return true,
                Some((Kind::Internal, above)) => parent = *above,
                Some((Kind::Other, _)) | None => return false,
            }
        }
        false
    }
}

/// Ids are hexadecimal in any case.
fn hash(id: &str) -> u64 {
    FixedState::default().hash_one(id.to_ascii_lowercase())
}

fn place(trace: u64, id: u64, service: &str) -> u64 {
    FixedState::default().hash_one((trace, id, service))
}

/// Gives the request that `span` is, of a trace that came from `origin`.
fn give(span: &Span, weight: Option<f64>, origin: Option<&Origin>, sink: &mut Sink<'_>) {
    let Some(start_ns) = span.start_ns.filter(|start_ns| *start_ns >= 0) else {
        return sink(Err(Reject::BadTime));
    };
    let facts = &span.facts;
    let (named_method, named_path) = method_and_path(&span.name);
    let method = match facts.get(Field::Method) {
        Some("_OTHER") => facts.get(Field::OriginalMethod),
        method => method,
    };
    let method = method.map(str::to_ascii_uppercase).or(named_method);
    let method = method.filter(|method| method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-'));
    let url = Url::of(facts);
    let route = facts.get(Field::Route).or_else(|| named_route(named_path?, url.target.as_deref()));
    let target = url.target.as_deref().or(route).or(named_path).unwrap_or_default();
    let bytes = |field| number::unsigned(facts.get(field)?.as_bytes());
    let of_trace =
        |pick: fn(&Origin) -> &Option<Said>| pick(origin?).as_ref().map(|(_, value)| value.as_ref());
    let client = of_trace(|origin| &origin.client).or(facts.get(Field::Client));
    let client = client.map_or(&b""[..], |client| without_port(client.as_bytes()));
    let user_agent = of_trace(|origin| &origin.user_agent).or(facts.get(Field::UserAgent));
    let person = person(facts).or(of_trace(|origin| &origin.person));
    let client_is_trace = person.is_none() && client.is_empty() && !span.trace.is_empty();
    sink(Ok(Request {
        stamp_ns: start_ns,
        resolution_ns: span.resolution_ns,
        duration_ns: span.duration_ns.filter(|duration_ns| *duration_ns >= 0),
        method: method.as_deref().map(str::as_bytes),
        target: target.as_bytes(),
        scheme: url.scheme.map(str::as_bytes),
        host: url.host.map(str::as_bytes),
        status: facts.status().unwrap_or(0),
        bytes_in: bytes(Field::BytesIn),
        bytes_out: bytes(Field::BytesOut),
        client,
        user: facts.get(Field::User).map(str::as_bytes),
        user_agent: user_agent.map(str::as_bytes),
        session: if client_is_trace { Some(span.trace.as_bytes()) } else { person.map(str::as_bytes) },
        client_is_trace,
        request_id: Some(span.trace.as_bytes()).filter(|trace| !trace.is_empty()),
        route: route.map(str::as_bytes),
        weight: weight.filter(|weight| weight.is_finite() && *weight > 0.0),
        ..Request::default()
    }));
}

/// The parts of the URL, wherever the span keeps them.
struct Url<'a> {
    /// Path and query.
    target: Option<String>,
    scheme: Option<&'a str>,
    host: Option<&'a str>,
}

impl<'a> Url<'a> {
    fn of(facts: &'a Facts) -> Self {
        let targets = [Field::Target, Field::Path, Field::Url].map(|field| facts.get(field));
        let absolute = targets.iter().flatten().find_map(|text| absolute(text));
        let target = match (targets, absolute) {
            ([Some(target), ..], _) | ([None, Some(target), _], _) if !target.contains("://") => {
                let query = facts.get(Field::Query).filter(|_| !target.contains('?'));
                Some(match query.map(|query| query.strip_prefix('?').unwrap_or(query)) {
                    Some(query) => format!("{target}?{query}"),
                    None => target.to_owned(),
                })
            }
            (_, Some((_, _, target))) => Some(target.to_owned()),
            ([_, _, Some(url)], None) => Some(url.to_owned()),
            _ => None,
        };
        let rooted = |target: String| match target.as_bytes().first() {
            Some(b'/' | b'*') => target,
            _ => format!("/{target}"),
        };
        Self {
            target: target.map(rooted),
            scheme: facts
                .get(Field::Scheme)
                .map(|scheme| scheme.trim_end_matches([':', '/']))
                .or(absolute.map(|(scheme, _, _)| scheme)),
            host: facts.get(Field::Host).or(absolute.map(|(_, host, _)| host)),
        }
    }
}

/// Scheme, authority, and path and query of an absolute URL.
fn absolute(text: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let rest = rest.split('#').next().unwrap_or(rest);
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let authority = rest[..at].rsplit('@').next().unwrap_or_default();
    Some((scheme, authority, &rest[at..]))
        .filter(|(scheme, _, _)| scheme.bytes().all(|b| b.is_ascii_alphabetic()))
}

/// What a span's name says: `GET /users/{id}`, `get`, `HTTP GET`, `/users/:id`.
fn method_and_path(name: &str) -> (Option<String>, Option<&str>) {
    let name = name.trim();
    let name = name.strip_prefix("HTTP ").or_else(|| name.strip_prefix("http ")).unwrap_or(name);
    let (first, rest) = name.split_once(' ').unwrap_or((name, ""));
    let upper = first.to_ascii_uppercase();
    let method = KNOWN_METHODS.contains(&upper.as_bytes()).then_some(upper);
    let path = if method.is_some() { rest.trim() } else { name };
    let is_path = path.starts_with('/') && !path.starts_with("//") && !path.contains([' ', '?', '#']);
    (method, is_path.then_some(path))
}

/// A span's name as a route, if it is one: with a place for a value, or of words that are not the path itself or its
/// beginning. Some tracers name spans by their paths, and some cut names off.
fn named_route<'a>(path: &'a str, target: Option<&str>) -> Option<&'a str> {
    let is_route = route::known::has_placeholder(path)
        || route::known::is_words(path) && target.is_none_or(|target| !target.starts_with(path));
    is_route.then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(kind: Kind, service: &str, id: &str, parent: &str) -> Span {
        Span {
            trace: "4BF9".into(),
            id: id.into(),
            parent: parent.into(),
            service: service.into(),
            kind,
            start_ns: Some(1),
            ..Span::request()
        }
    }

    /// Whether each span is a request.
    fn given(spans: Vec<Span>) -> Vec<bool> {
        let mut all = Spans::default();
        spans.into_iter().for_each(|span| all.push(span));
        let mut found = Vec::new();
        all.give(&mut |record| found.push(record.is_ok()));
        found
    }

    #[test]
    fn only_the_server_span_at_the_entry_of_a_service_is_a_request() {
        let found = given(vec![
            span(Kind::Server, "shop", "A1", ""),
            span(Kind::Server, "shop", "a2", "a1"),
            span(Kind::Internal, "shop", "a3", "a2"),
            span(Kind::Server, "shop", "a4", "a3"),
            span(Kind::Other, "shop", "a5", "a1"),
            span(Kind::Server, "shop", "a6", "a5"),
            span(Kind::Server, "stock", "a5", "a1"),
            span(Kind::Server, "stock", "A5", "a1"),
            span(Kind::Server, "stock", "a7", "not here"),
        ]);
        assert_eq!(found, [true, false, false, false, false, true, true, false, true]);
    }

    #[test]
    fn a_trace_has_the_client_weight_and_person_of_its_entry() {
        let mut entry = span(Kind::Server, "shop", "1", "");
        entry.facts.attribute("client.address", "192.0.2.1:4711");
        entry.facts.attribute("user.id", "u-7");
        let mut inner =
            Span { start_ns: Some(5), weight: Some(4.0), ..span(Kind::Server, "stock", "2", "1") };
        inner.facts.attribute("client.address", "10.0.0.7");
        let mut alone = span(Kind::Server, "stock", "3", "");
        alone.trace = "9".into();
        let mut spans = Spans::default();
        [inner, entry, alone].into_iter().for_each(|span| spans.push(span));
        let mut found = Vec::new();
        spans.give(&mut |record| {
            let request = record.unwrap();
            found.push((
                request.client.to_vec(),
                request.session.unwrap().to_vec(),
                request.weight,
                request.client_is_trace,
            ));
        });
        let of_entry = (b"192.0.2.1".to_vec(), b"u-7".to_vec(), Some(4.0), false);
        assert_eq!(found, [of_entry.clone(), of_entry, (Vec::new(), b"9".to_vec(), None, true)]);
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let circle = given(vec![span(Kind::Internal, "a", "1", "1"), span(Kind::Server, "a", "2", "1")]);
        assert_eq!(circle, [false, true]);
    }

    #[test]
    fn what_says_to_be_of_another_protocol_is_no_request() {
        let mut call = span(Kind::Server, "a", "1", "");
        call.facts.attribute("rpc.system", "grpc");
        let mut web = call.clone();
        (web.id, web.name) = ("2".into(), "GET".into());
        web.facts.attribute("http.route", "/x");
        assert_eq!(given(vec![call, web]), [false, true]);
    }

    /// Attributes and name to method, path and query, host, and route.
    #[track_caller]
    fn check(name: &str, attributes: &[(&str, &str)], expected: (&str, &str, &str, &str)) {
        let mut one = Span { name: name.into(), ..span(Kind::Server, "a", "1", "") };
        attributes.iter().for_each(|(name, value)| one.facts.attribute(name, value));
        let mut spans = Spans::default();
        spans.push(one);
        let mut found = None;
        spans.give(&mut |record| {
            let request = record.unwrap();
            let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap();
            found = Some([
                text(request.method),
                text(Some(request.target)),
                text(request.host),
                text(request.route),
            ]);
        });
        let expected = [expected.0, expected.1, expected.2, expected.3].map(str::to_owned);
        assert_eq!(found, Some(expected), "{name}");
    }

    #[test]
    fn attributes_and_names_make_requests() {
        let url = "https://shop.example.com:8443/items/7?page=2#top";
        check(
            "GET /items/{id}",
            &[("url.full", url)],
            ("GET", "/items/7?page=2", "shop.example.com:8443", "/items/{id}"),
        );
        check("x", &[("http.method", "get"), ("http.target", "/items?a=b")], ("GET", "/items?a=b", "", ""));
        check("x", &[("http.url", "http://u@shop.example.com")], ("", "/", "shop.example.com", ""));
        check("x", &[("url.path", "/a"), ("url.query", "?q=1"), ("http.host", "h")], ("", "/a?q=1", "h", ""));
        check("get", &[("http.path", "login")], ("GET", "/login", "", ""));
        check("HTTP GET", &[("http.route", "items/:id")], ("GET", "items/:id", "", "items/:id"));
        check("/users/:id", &[("url.path", "/users/7")], ("", "/users/7", "", "/users/:id"));
        check("post /users/7", &[("http.path", "/users/7")], ("POST", "/users/7", "", ""));
        check("get /files/read", &[("http.path", "/files/readme.txt")], ("GET", "/files/readme.txt", "", ""));
        check("GET /types", &[("url.path", "/t/h")], ("GET", "/t/h", "", "/types"));
        check("GET /users/4711", &[], ("GET", "/users/4711", "", ""));
        let other = [("http.request.method", "_OTHER"), ("http.request.method_original", "QUERY")];
        check("HTTP", &other, ("QUERY", "", "", ""));
    }
}
