//! How many distinct clients stand behind each literal of a profile, counted again from the log.
//!
//! Nothing that made the profile is asked: no gate, no tally, no inference of routes. The reader gives requests, each
//! is put beside the routes that the profile names, and a plain set per literal holds who made it. Clients are
//! pseudonyms under a key of this run.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use shared::Profile;
use shared::clients::{Clients, OTHER};
use shared::endpoint::Endpoint;

use crate::error::Error;
use crate::format::{Cache, escape};
use crate::kind::{self, AgentClass, Kind};
use crate::privacy::pseudonym::{Domain, Key, Pseudonym, canonical};
use crate::read;
use crate::request::Request;
use crate::session::identity::Identity;
use crate::settings::ReadSettings;
use crate::source::{Block, Blocks};

/// What kind of text a literal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A method and a route.
    Endpoint,
    /// A method.
    Method,
    /// A word of a route.
    Word,
    /// The name of a placeholder.
    Placeholder,
    /// The name of a query parameter.
    Query,
    /// A status code.
    Status,
    /// The name of a class or a think time that holds the id of an endpoint.
    Name,
    /// A program that clients are.
    Browser,
    /// A kind of device that they are on.
    Device,
    /// A system that they run on.
    System,
    /// A country that they are in.
    Country,
}

impl What {
    /// As it is called in outputs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Method => "method",
            Self::Word => "word",
            Self::Placeholder => "placeholder",
            Self::Query => "query",
            Self::Status => "status",
            Self::Name => "name",
            Self::Browser => "browser",
            Self::Device => "device",
            Self::System => "system",
            Self::Country => "country",
        }
    }
}

/// A literal of a profile, and who stands behind it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Literal {
    /// Distinct clients, up to [`MOST_CLIENTS`].
    pub clients: u64,
    /// What kind of text it is.
    pub what: What,
    /// The text.
    pub text: String,
    /// The id of the endpoint that it belongs to, if it is one's own.
    pub endpoint: Option<String>,
}

/// All literals of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Fewest clients that must stand behind each.
    pub k: u64,
    /// Requests in the inputs of the kinds that the profile models.
    pub requests: u64,
    /// Those of them that fit one of its endpoints.
    pub matched: u64,
    /// The literals, those with fewest clients first.
    pub literals: Vec<Literal>,
}

impl Audit {
    /// The literals that fewer than k clients stand behind.
    pub fn below(&self) -> impl Iterator<Item = &Literal> {
        self.literals.iter().filter(|literal| literal.clients < self.k)
    }
}

/// Beyond this many clients a set is not counted further: it is far above any threshold, and memory is finite.
pub const MOST_CLIENTS: u64 = 100_000;

/// What clients are collected by: a kind of literal, its text, and the number of its endpoint if it is one's own.
type Place = (What, String, Option<usize>);

/// Counts the clients behind each literal of `profile` in the inputs of `settings`, whose identity is the profile's.
/// `on_bytes` hears of every block read.
///
/// A request belongs to the endpoint of its method whose route it fits with most literal words. Statuses of an endpoint
/// with 200 alone are not listed: that is said where no status may be, too. Behind what clients are stand all that made
/// requests of the kinds that the profile models, and behind `other` those of all that is not named.
///
/// # Errors
/// What keeps an input from being read.
pub fn audit(
    profile: &Profile,
    k: u64,
    settings: &ReadSettings,
    on_bytes: &dyn Fn(u64),
) -> Result<Audit, Error> {
    let key = Key::ephemeral()?;
    let routes: Vec<Template<'_>> = profile.endpoints.iter().map(Template::new).collect();
    let is_modelled =
        Kind::ALL.map(|kind| kind == Kind::Page || !profile.source.excluded.contains_key(kind.name()));
    // Files count where pages bring them along, and as nothing else.
    let brought: HashSet<&str> = profile
        .endpoints
        .iter()
        .flat_map(|page| &page.companions)
        .map(|file| file.endpoint.as_str())
        .collect();
    let may_be_asked = |kind: Kind, endpoint: &Endpoint| match kind {
        Kind::Static => is_modelled[kind as usize] || brought.contains(endpoint.id.as_str()),
        _ => true,
    };
    let mut clients: BTreeMap<Place, HashSet<Pseudonym>> =
        places(profile, &routes).into_iter().map(|place| (place, HashSet::new())).collect();
    let (mut requests, mut matched) = (0, 0);
    for source in read::open(settings)?.sources {
        let format = source.found.detection.format;
        let name = source.found.name;
        let input =
            source.input.open(settings.limits()).map_err(|source| Error::Read { input: name, source })?;
        let blocks = Blocks::new(input, format.framing(), settings.block_bytes, settings.line_limit);
        let (mut block, mut cache) = (Block::default(), Cache::default());
        while blocks.next(&mut block) {
            on_bytes(block.bytes.len() as u64);
            // Where a document breaks off is what `inspect` is for.
            let _ = read::records(&block, &format, settings.line_limit, &mut cache, |_, record| {
                let Ok(request) = record else { return };
                let agent = request.user_agent.map_or(Kind::Page, kind::of_user_agent);
                let kind = kind::of_request(request, request.path(), agent);
                if !is_modelled[kind as usize] && kind != Kind::Static {
                    return;
                }
                let endpoint = fitting(request, &routes);
                let endpoint = endpoint.filter(|at| may_be_asked(kind, &profile.endpoints[*at]));
                if endpoint.is_none() && !is_modelled[kind as usize] {
                    return;
                }
                requests += 1;
                let client = client(request, &settings.identity, &key);
                let mut count = |place: &Place| {
                    let Some(known) = clients.get_mut(place) else { return false };
                    if (known.len() as u64) < MOST_CLIENTS {
                        known.insert(client);
                    }
                    true
                };
                if is_modelled[kind as usize] {
                    for (what, name) in of_client(request, agent, settings) {
                        // What is not named is among the others.
                        let _ = count(&(what, name, None)) || count(&(what, OTHER.to_owned(), None));
                    }
                }
                let Some(endpoint) = endpoint else { return };
                matched += 1;
                for place in behind(request, endpoint, &routes[endpoint]) {
                    count(&place);
                }
            });
        }
    }
    Ok(Audit { k, requests, matched, literals: literals(profile, &clients) })
}

/// A route as the profile writes it.
struct Template<'p> {
    endpoint: &'p Endpoint,
    segments: Vec<Segment<'p>>,
    ends_with_slash: bool,
}

enum Segment<'p> {
    Literal(&'p str),
    /// A value, and what must follow it, such as `.json`.
    Value {
        name: &'p str,
        suffix: &'p str,
    },
}

impl<'p> Template<'p> {
    fn new(endpoint: &'p Endpoint) -> Self {
        let segment = |text: &'p str| match text.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((name, suffix)) => Segment::Value { name, suffix },
            None => Segment::Literal(text),
        };
        let segments = endpoint.route.split('/').filter(|text| !text.is_empty()).map(segment).collect();
        Self { endpoint, segments, ends_with_slash: endpoint.route.ends_with('/') }
    }

    /// How many literal words of the route a path has, if it fits.
    fn literals_of(&self, path: &[Vec<u8>], ends_with_slash: bool) -> Option<usize> {
        let fits = |(segment, text): (&Segment<'_>, &Vec<u8>)| match segment {
            Segment::Literal(word) => word.as_bytes() == text,
            Segment::Value { suffix, .. } => text.len() > suffix.len() && text.ends_with(suffix.as_bytes()),
        };
        let same_form = path.len() == self.segments.len() && ends_with_slash == self.ends_with_slash;
        let is_literal = |segment: &&Segment<'_>| matches!(segment, Segment::Literal(_));
        (same_form && self.segments.iter().zip(path).all(fits))
            .then(|| self.segments.iter().filter(is_literal).count())
    }
}

/// The number of the endpoint that `request` asks for.
fn fitting(request: &Request<'_>, routes: &[Template<'_>]) -> Option<usize> {
    let path = request.path();
    let segments: Vec<Vec<u8>> = path
        .split(|byte| *byte == b'/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| decoded(segment.split(|byte| *byte == b';').next().unwrap_or_default()))
        .collect();
    let ends_with_slash = segments.is_empty() || path.ends_with(b"/");
    let method = request.method.unwrap_or_default();
    let fits = |(number, route): (usize, &Template<'_>)| {
        let literals = route.literals_of(&segments, ends_with_slash)?;
        (route.endpoint.method.as_bytes() == method).then_some((literals, std::cmp::Reverse(number)))
    };
    routes.iter().enumerate().filter_map(fits).max().map(|(_, number)| number.0)
}

/// `text` with its escapes undone, and those that this brings to light.
fn decoded(text: &[u8]) -> Vec<u8> {
    (0..3).fold(text.to_vec(), |text, _| escape::percent_decode(&text).into_owned())
}

/// Who made `request`.
fn client(request: &Request<'_>, identity: &Identity, key: &Key) -> Pseudonym {
    let mut who = match request.identity.or(request.session) {
        Some(named) => return key.pseudonym(Domain::Identity, named),
        None => canonical(request.client).into_owned(),
    };
    if *identity != Identity::Ip {
        who.push(0);
        who.extend_from_slice(request.user_agent.unwrap_or_default());
    }
    key.pseudonym(Domain::Address, &who)
}

/// What the client of a request is, in the words of the profile.
fn of_client(request: &Request<'_>, kind: Kind, settings: &ReadSettings) -> Vec<(What, String)> {
    let class = AgentClass::of(request.user_agent.unwrap_or_default(), kind);
    let mut words = vec![
        (What::Browser, class.browser().name()),
        (What::Device, class.device().name()),
        (What::System, class.system().name()),
    ];
    if let Some(countries) = &settings.countries {
        let address = std::str::from_utf8(&canonical(request.client)).ok().and_then(|text| text.parse().ok());
        words.extend(countries.of(address).name().map(|name| (What::Country, name)));
    }
    words.into_iter().map(|(what, name)| (what, name.to_owned())).collect()
}

/// The literals that a request for an endpoint, its `number` in the profile, is evidence for.
fn behind(request: &Request<'_>, number: usize, route: &Template<'_>) -> Vec<Place> {
    let mut places = of_endpoint(number, route);
    places.push((What::Status, request.status.to_string(), Some(number)));
    for pair in request.query().unwrap_or_default().split(|byte| b"&;".contains(byte)) {
        if let Some(equals) = memchr::memchr(b'=', pair) {
            let name = String::from_utf8_lossy(&decoded(&pair[..equals])).into_owned();
            places.push((What::Query, name, Some(number)));
        }
    }
    places
}

/// The literals that every request for an endpoint is evidence for.
fn of_endpoint(number: usize, route: &Template<'_>) -> Vec<Place> {
    let endpoint = route.endpoint;
    let mut places = vec![
        (What::Endpoint, format!("{} {}", endpoint.method, endpoint.route), Some(number)),
        (What::Method, endpoint.method.clone(), None),
    ];
    places.extend(route.segments.iter().map(|segment| match segment {
        Segment::Literal(word) => (What::Word, (*word).to_owned(), None),
        Segment::Value { name, .. } => (What::Placeholder, (*name).to_owned(), None),
    }));
    places
}

/// All literals of endpoints, and what clients are.
fn places(profile: &Profile, routes: &[Template<'_>]) -> Vec<Place> {
    let mut places = Vec::new();
    for (number, (endpoint, route)) in profile.endpoints.iter().zip(routes).enumerate() {
        places.extend(of_endpoint(number, route));
        places.extend(endpoint.query.iter().map(|query| (What::Query, query.name.clone(), Some(number))));
        let says_something = endpoint.status.keys().any(|code| code != "200");
        let statuses = endpoint.status.keys().filter(|_| says_something);
        places.extend(statuses.map(|code| (What::Status, code.clone(), Some(number))));
    }
    if let Some(Clients { browsers, devices, systems, countries }) = &profile.clients {
        let place = |what| move |name: &str| (what, name.to_owned(), None);
        places.extend(browsers.keys().map(|browser| browser.name()).map(place(What::Browser)));
        places.extend(devices.keys().map(|device| device.name()).map(place(What::Device)));
        places.extend(systems.keys().map(|system| system.name()).map(place(What::System)));
        places.extend(countries.keys().map(String::as_str).map(place(What::Country)));
    }
    places
}

/// The literals with their clients, and the names of classes and think times that hold an endpoint's id.
fn literals(profile: &Profile, clients: &BTreeMap<Place, HashSet<Pseudonym>>) -> Vec<Literal> {
    let mut literals: Vec<Literal> = clients
        .iter()
        .map(|((what, text, number), known)| Literal {
            clients: known.len() as u64,
            what: *what,
            text: text.clone(),
            endpoint: number.map(|number| profile.endpoints[number].id.clone()),
        })
        .collect();
    let classes = profile.classes.iter().map(|class| &class.id);
    for name in profile.think_times.keys().chain(classes) {
        let in_it = |endpoint: &&Endpoint| name.contains(endpoint.id.as_str());
        let of = |endpoint: &Endpoint| {
            let own = |literal: &&Literal| {
                literal.what == What::Endpoint && literal.endpoint.as_ref() == Some(&endpoint.id)
            };
            literals.iter().find(own).map_or(0, |literal| literal.clients)
        };
        // Of ids that hold each other, the longest is meant.
        if let Some(endpoint) =
            profile.endpoints.iter().filter(in_it).max_by_key(|endpoint| endpoint.id.len())
        {
            let (clients, endpoint) = (of(endpoint), Some(endpoint.id.clone()));
            literals.push(Literal { clients, what: What::Name, text: name.clone(), endpoint });
        }
    }
    literals.sort();
    literals
}
