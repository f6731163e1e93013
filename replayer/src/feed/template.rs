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
}

/// What a request carries besides method and path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

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
    /// Compiles `requests`, those of the endpoints in the profile's order, and fills each in once to see that it can be;
    /// `variables` are the names of what a login will give, `parameters` those of each endpoint's path.
    ///
    /// # Errors
    /// [`Error::Template`] and [`Error::Secret`] with the place in the profile.
    pub(crate) fn new(
        requests: &[(Option<&RequestTemplate>, Vec<String>)],
        feeds: Feeds,
        variables: &[&str],
    ) -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut compiler = Compiler { environment, secrets: Vec::new() };
        let parts = requests.iter().enumerate().map(|(at, (request, _))| {
            request.map(|request| compiler.parts(&format!("/endpoints/{at}/request"), request)).transpose()
        });
        let endpoints = parts.collect::<Result<_, Error>>()?;
        let Compiler { environment, secrets } = compiler;
        let (environment, secrets) = (Arc::new(environment), Value::from(secrets));
        let templates = Self { environment, secrets, feeds, endpoints };
        // Whatever a value will be, whether there is one is known now.
        let known = variables.iter().map(|name| ((*name).to_owned(), "0".to_owned())).collect();
        let client = templates.client_in_rows(String::from("0"), |_| 0).after_login(&known);
        for (endpoint, (_, parameters)) in requests.iter().enumerate() {
            let parameters: BTreeMap<String, String> =
                parameters.iter().map(|name| (name.clone(), "0".to_owned())).collect();
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
    fn parts(&mut self, place: &str, request: &RequestTemplate) -> Result<Parts, Error> {
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
            (None, None) => None,
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
        Templates::new(&[(None, vec![]), (Some(request), vec!["slug".to_owned()])], feeds(), &["token"])
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
