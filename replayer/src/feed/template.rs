//! Headers and bodies as templates, compiled once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use minijinja::{Environment, UndefinedBehavior, Value, context};
use serde::Serialize;
use shared::request::{GraphqlOperation, RequestTemplate};

use super::extract::Variables;
use super::{Feeds, secret};
use crate::error::Error;
use crate::grpc;
use crate::random::Stream;

/// The templates of all endpoints.
#[derive(Clone)]
pub(crate) struct Templates {
    environment: Arc<Environment<'static>>,
    secrets: Value,
    feeds: Feeds,
    endpoints: Vec<Option<Parts>>,
}

/// Without the secrets, which is why it is not derived.
impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

/// What the requests of one endpoint carry.
#[derive(Debug, Clone, Default)]
struct Parts {
    headers: Vec<(HeaderName, Part)>,
    body: Option<Body>,
}

/// One template, by its name in the environment, which is its place in the profile.
#[derive(Debug, Clone)]
struct Part {
    place: String,
    has_secrets: bool,
}

#[derive(Debug, Clone)]
enum Body {
    Text(Part),
    Graphql { operation: String, document: String, variables: Option<Part> },
    Grpc { method: grpc::Method, message: Option<Part> },
}

/// What the templates of one endpoint are made from.
#[derive(Debug, Default)]
pub(crate) struct Source<'a> {
    pub(crate) request: Option<&'a RequestTemplate>,
    /// The names of what stands in its path.
    pub(crate) parameters: Vec<String>,
    /// The method that it calls, if it is a call of gRPC.
    pub(crate) method: Option<grpc::Method>,
}

/// What a request carries besides method and path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether it is a call of gRPC, whose answer says behind its body how it went.
    pub(crate) is_call: bool,
}

/// What stands for a value that is only known in the run: a number, a text, and four characters of base64, so that it fits
/// where most values do.
const STAND_IN: &str = "1000";

/// What templates know of the session that they are filled in for: the same rows of the feeds from its first request to
/// its last.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    session: String,
    feeds: Value,
    variables: Value,
}

/// The body of a GraphQL request, in the words of its specification for HTTP.
#[derive(Serialize)]
struct GraphqlBody<'a> {
    #[serde(rename = "operationName")]
    operation: &'a str,
    query: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    variables: Option<&'a serde_json::value::RawValue>,
}

impl Templates {
    /// Compiles `sources`, those of the endpoints in the profile's order, and fills each in once to see that it can be;
    /// `variables` are the names of what a login will give.
    ///
    /// # Errors
    /// [`Error::Template`] and [`Error::Secret`] with the place in the profile.
    pub(crate) fn new(sources: Vec<Source<'_>>, feeds: Feeds, variables: &[&str]) -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut compiler = Compiler { environment, secrets: Vec::new() };
        let (mut endpoints, mut trials) = (Vec::new(), Vec::new());
        for (at, Source { request, parameters, method }) in sources.into_iter().enumerate() {
            let place = format!("/endpoints/{at}/request");
            endpoints.push(request.map(|request| compiler.parts(&place, request, method)).transpose()?);
            trials.push(parameters);
        }
        let Compiler { environment, secrets } = compiler;
        let (environment, secrets) = (Arc::new(environment), Value::from(secrets));
        let templates = Self { environment, secrets, feeds, endpoints };
        // Whatever a value will be, whether there is one is known now.
        let known = variables.iter().map(|name| ((*name).to_owned(), STAND_IN.to_owned())).collect();
        let client = templates.client_in_rows(STAND_IN.to_owned(), |_| 0).after_login(&known);
        for (endpoint, parameters) in trials.into_iter().enumerate() {
            let parameters: BTreeMap<String, String> =
                parameters.into_iter().map(|name| (name, STAND_IN.to_owned())).collect();
            templates.fill(endpoint, &client, &parameters)?;
        }
        Ok(templates)
    }

    /// The client that is called `session`; `stream` decides on its rows, evenly.
    pub(crate) fn client(&self, session: String, stream: &mut Stream) -> Client {
        self.client_in_rows(session, |rows| stream.below(rows as u64) as usize)
    }

    fn client_in_rows(&self, session: String, mut row: impl FnMut(usize) -> usize) -> Client {
        let feeds =
            self.feeds.iter().map(|feed| (feed.name(), Value::from_pairs(feed.row(row(feed.rows())))));
        let feeds = Value::from_pairs(feeds);
        Client { session, feeds, variables: values(&Variables::new()) }
    }

    /// Does `endpoint` carry anything?
    pub(crate) fn has(&self, endpoint: usize) -> bool {
        self.endpoints.get(endpoint).is_some_and(Option::is_some)
    }

    /// The body of an answer of `endpoint` as text that values can be taken from: of a call of gRPC, its JSON form.
    pub(crate) fn legible(&self, endpoint: usize, body: Vec<u8>) -> Vec<u8> {
        match self.method(endpoint) {
            Some(method) => method.json(&body).unwrap_or_default(),
            None => body,
        }
    }

    fn method(&self, endpoint: usize) -> Option<&grpc::Method> {
        match self.endpoints.get(endpoint)?.as_ref()?.body.as_ref()? {
            Body::Grpc { method, .. } => Some(method),
            Body::Text(_) | Body::Graphql { .. } => None,
        }
    }

    /// What a request of `endpoint` by `client` carries, with `parameters` in its path.
    ///
    /// # Errors
    /// [`Error::Template`] for what comes out as no header or no JSON, or not at all.
    pub(crate) fn fill(
        &self,
        endpoint: usize,
        client: &Client,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Carried, Error> {
        let Some(parts) = self.endpoints.get(endpoint).and_then(Option::as_ref) else {
            return Ok(Carried::default());
        };
        let known = context! {
            feed => &client.feeds,
            vars => &client.variables,
            session => &client.session,
            params => values(parameters),
            secrets => &self.secrets,
        };
        let fill = |part: &Part| {
            let template = self.environment.get_template(&part.place);
            let filled = template.and_then(|template| template.render(&known));
            filled.map_err(|error| wrong(&part.place, &error))
        };
        let mut carried = Carried::default();
        for (name, part) in &parts.headers {
            let mut value = HeaderValue::from_str(&fill(part)?)
                .map_err(|_| unfit(&part.place, "characters that no header may hold"))?;
            value.set_sensitive(part.has_secrets);
            carried.headers.insert(name.clone(), value);
        }
        match &parts.body {
            None => {}
            Some(Body::Text(part)) => carried.body = fill(part)?.into(),
            Some(Body::Graphql { operation, document, variables }) => {
                let filled = variables.as_ref().map(|part| Ok((part, fill(part)?))).transpose()?;
                let variables = filled.as_ref().map(|(part, text)| {
                    serde_json::from_str(text.trim()).map_err(|_| unfit(&part.place, "text that is no JSON"))
                });
                let body = GraphqlBody { operation, query: document, variables: variables.transpose()? };
                carried.body = serde_json::to_vec(&body).expect("two texts and JSON are JSON").into();
                let json = HeaderValue::from_static("application/json");
                carried.headers.entry(CONTENT_TYPE).or_insert(json);
            }
            Some(Body::Grpc { method, message }) => {
                let filled = message.as_ref().map(|part| Ok((&*part.place, fill(part)?))).transpose()?;
                let (place, text) =
                    filled.as_ref().map_or(("", "{}"), |(place, text)| (*place, text.as_str()));
                let misfit =
                    |grpc::Misfit { line, found }| Error::Template { place: place.to_owned(), line, found };
                carried.body = method.encode(text).map_err(misfit)?.into();
                carried.is_call = true;
            }
        }
        Ok(carried)
    }
}

impl Client {
    /// The same client, which knows `variables` from now on.
    pub(crate) fn after_login(self, variables: &Variables) -> Self {
        Self { variables: values(variables), ..self }
    }
}

/// Texts by name, as templates see them.
fn values(texts: &BTreeMap<String, String>) -> Value {
    Value::from_pairs(texts.iter().map(|(name, text)| (name.as_str(), text.as_str())))
}

struct Compiler {
    environment: Environment<'static>,
    secrets: Vec<String>,
}

impl Compiler {
    fn parts(
        &mut self,
        place: &str,
        request: &RequestTemplate,
        method: Option<grpc::Method>,
    ) -> Result<Parts, Error> {
        let headers = request.headers.iter().map(|(name, text)| {
            let place = format!("{place}/headers/{name}");
            let name = name.parse().map_err(|_| unfit(&place, "the name of no header"))?;
            Ok((name, self.part(place, text)?))
        });
        let headers = headers.collect::<Result<_, Error>>()?;
        let body = match (&request.body, &request.graphql) {
            (Some(text), _) => Some(Body::Text(self.part(format!("{place}/body"), text)?)),
            (None, Some(GraphqlOperation { operation, document, variables })) => {
                let place = format!("{place}/graphql/variables");
                let variables = variables.as_ref().map(|text| self.part(place, text)).transpose()?;
                Some(Body::Graphql { operation: operation.clone(), document: document.clone(), variables })
            }
            (None, None) => {
                let call = request.grpc.as_ref().zip(method).map(|(call, method)| {
                    let place = format!("{place}/grpc/message");
                    let message = call.message.as_ref().map(|text| self.part(place, text)).transpose()?;
                    Ok(Body::Grpc { method, message })
                });
                call.transpose()?
            }
        };
        Ok(Parts { headers, body })
    }

    fn part(&mut self, place: String, text: &str) -> Result<Part, Error> {
        let parted = secret::part(text, &mut self.secrets, &|name| std::env::var_os(name));
        let secret::Parted { text, has_secrets } = parted.map_err(|missing| Error::Secret {
            place: place.clone(),
            name: missing.name,
            found: missing.found,
            expected: missing.expected,
        })?;
        let added = self.environment.add_template_owned(place.clone(), text);
        added.map_err(|error| wrong(&place, &error))?;
        Ok(Part { place, has_secrets })
    }
}

/// What is wrong with a template, in the words of what sort of mistake it is: what it says of details may be a value.
fn wrong(place: &str, error: &minijinja::Error) -> Error {
    let found = error.kind().to_string();
    Error::Template { place: place.to_owned(), line: error.line(), found }
}

fn unfit(place: &str, found: &str) -> Error {
    Error::Template { place: place.to_owned(), line: None, found: found.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Purpose};

    fn feeds() -> Feeds {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users.csv");
        let rows: String = (0..50).map(|i| format!("user{i},\"pass \"\"{i}\"\"\"\n")).collect();
        fs_err::write(&path, format!("name,password\n{rows}")).unwrap();
        Feeds::read(&[("users".to_owned(), path)].into()).unwrap()
    }

    fn templates(request: &RequestTemplate) -> Result<Templates, Error> {
        let source = Source { request: Some(request), parameters: vec!["slug".to_owned()], method: None };
        Templates::new(vec![Source::default(), source], feeds(), &["token"])
    }

    fn stream(index: u64) -> Stream {
        Stream::new(Key { seed: 1, block: 0, index }, Purpose::Feeds)
    }

    fn header(text: &str) -> RequestTemplate {
        RequestTemplate { headers: [("X-A".to_owned(), text.to_owned())].into(), ..Default::default() }
    }

    fn body(text: &str) -> RequestTemplate {
        RequestTemplate { body: Some(text.to_owned()), ..Default::default() }
    }

    #[test]
    fn a_client_keeps_its_rows_and_others_have_others() {
        let request =
            body(r#"{"name": {{ feed.users.name|tojson }}, "password": {{ feed.users.password|tojson }}}"#);
        let templates = templates(&request).unwrap();
        let fill = |client: &Client| templates.fill(1, client, &BTreeMap::new()).unwrap().body;
        let mut names = std::collections::BTreeSet::new();
        for index in 0..200 {
            let client = templates.client("s".to_owned(), &mut stream(index));
            let filled = fill(&client);
            assert_eq!(filled, fill(&client));
            let value: serde_json::Value = serde_json::from_slice(&filled).unwrap();
            let number = value["name"].as_str().unwrap().strip_prefix("user").unwrap().to_owned();
            assert_eq!(value["password"], format!("pass \"{number}\""), "one row");
            names.insert(number);
        }
        assert!(names.len() > 45, "{}", names.len());
        assert!(templates.has(1) && !templates.has(0) && !templates.has(9));
    }

    #[test]
    fn templates_know_the_login_the_path_and_the_session() {
        let templates = templates(&header("{{ vars.token }} {{ params.slug }} {{ session }}")).unwrap();
        let client = templates.client("abc".to_owned(), &mut stream(0));
        let client = client.after_login(&[("token".to_owned(), "t0".to_owned())].into());
        let parameters = [("slug".to_owned(), "mug".to_owned())].into();
        assert_eq!(templates.fill(1, &client, &parameters).unwrap().headers["x-a"], "t0 mug abc");
    }

    #[test]
    fn a_graphql_operation_is_sent_as_json() {
        let graphql = GraphqlOperation {
            operation: "Item".to_owned(),
            document: "query Item($s: String!) { item(slug: $s) { id } }".to_owned(),
            variables: Some("{\"s\": {{ params.slug|tojson }}}".to_owned()),
        };
        let request = RequestTemplate { graphql: Some(graphql.clone()), ..Default::default() };
        let templates = templates(&request).unwrap();
        let client = templates.client("s".to_owned(), &mut stream(0));
        let carried = templates.fill(1, &client, &[("slug".to_owned(), "a\"b".to_owned())].into()).unwrap();
        let sent: serde_json::Value = serde_json::from_slice(&carried.body).unwrap();
        assert_eq!(carried.headers[CONTENT_TYPE], "application/json");
        assert_eq!((&sent["operationName"], &sent["variables"]["s"]), (&"Item".into(), &"a\"b".into()));
        assert_eq!(sent["query"], graphql.document);
        let broken = GraphqlOperation { variables: Some("{\"s\": }".to_owned()), ..graphql };
        let broken = RequestTemplate { graphql: Some(broken), ..Default::default() };
        assert!(super::tests::templates(&broken).unwrap_err().to_string().contains("no JSON"));
    }

    #[test]
    fn what_cannot_be_filled_in_is_found_before_the_run() {
        #[track_caller]
        fn check(request: &RequestTemplate, words: &[&str]) {
            let message = templates(request).unwrap_err().to_string();
            assert!(words.iter().all(|word| message.contains(word)), "{message}");
        }
        check(&body("a\nb {{ c"), &["/endpoints/1/request/body", "line 2", "syntax error"]);
        check(&body("a\n\n{{ feed.user.name }}"), &["/endpoints/1/request/body", "line 3"]);
        check(&body("{{ feed.users.nam }}"), &["/endpoints/1/request/body"]);
        check(&body("{{ vars.tokn }}"), &["line 1"]);
        check(&header("a\nb"), &["/endpoints/1/request/headers/X-A", "no header may hold"]);
        check(
            &header("Bearer ${LOADPRINT_NO_SUCH_VARIABLE}"),
            &["headers/X-A", "LOADPRINT_NO_SUCH_VARIABLE"],
        );
    }

    #[test]
    fn secrets_go_out_and_are_shown_to_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs_err::write(&path, "s3cret {{ x }}\n").unwrap();
        let templates = templates(&header(&format!("Bearer ${{file:{}}}", path.display()))).unwrap();
        let client = templates.client("s".to_owned(), &mut stream(0));
        let carried = templates.fill(1, &client, &BTreeMap::new()).unwrap();
        assert_eq!(carried.headers["x-a"], "Bearer s3cret {{ x }}");
        assert!(!format!("{carried:?}").contains("s3cret"), "{carried:?}");
        fs_err::write(&path, "two\nlines s3cret").unwrap();
        let message = super::tests::templates(&header(&format!("${{file:{}}}", path.display())))
            .unwrap_err()
            .to_string();
        assert!(!message.contains("s3cret"), "{message}");
    }
}
