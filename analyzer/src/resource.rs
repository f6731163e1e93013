//! Resources: method and shape of path, numbered. Each thread numbers its own; the numbers are made one at the end.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::event::MOST_RESOURCES;
use crate::kind::PathKind;
use crate::recent::Recent;
use crate::request::Request;
use crate::route::given::GivenRoutes;
use crate::route::{known, segment};

/// A thread's own numbers.
#[derive(Debug)]
pub(crate) struct Interner {
    templates: bool,
    given: Arc<GivenRoutes>,
    numbers: HashMap<Box<[u8]>, u32, FixedState>,
    /// Of the methods and paths seen last.
    recent: Recent<Asked>,
    key: Vec<u8>,
}

/// What follows from the method and the path of a request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    /// The number of the resource.
    pub(crate) resource: u32,
    pub(crate) path: PathKind,
}

/// 8,192 paths: more than most sites have pages that are asked for often.
const RECENT_BITS: u32 = 13;
/// Longer paths are rare.
const RECENT_BYTES: u16 = 128;

impl Interner {
    /// No numbers yet; given routes and shapes of other paths are resources, or without `templates` paths are.
    pub(crate) fn new(templates: bool, given: Arc<GivenRoutes>) -> Self {
        let (numbers, recent) = (HashMap::default(), Recent::new(RECENT_BITS, RECENT_BYTES));
        Self { templates, given, numbers, recent, key: Vec::new() }
    }

    /// What `request` asks for, whose path is given.
    #[inline]
    pub(crate) fn asked(&mut self, request: &Request<'_>, path: &[u8]) -> Asked {
        let Self { templates, given, numbers, recent, key } = self;
        let mut make = || {
            key.clear();
            write_key(request, *templates, given, key);
            Asked { resource: number(numbers, key), path: PathKind::of(path) }
        };
        // A route that the log names is no work to find, and the path does not say which it is.
        match method_word(request.method).filter(|_| request.route.is_none()) {
            Some(method) => recent.get(method, path, make),
            None => make(),
        }
    }
}

/// A method as one number; `None` for the long ones, which are rare.
#[inline]
fn method_word(method: Option<&[u8]>) -> Option<u64> {
    let method = method.unwrap_or_default();
    let mut word = [0; 8];
    word.get_mut(..method.len())?.copy_from_slice(method);
    Some(u64::from_le_bytes(word))
}

/// The number of the resource with this text; the next one for a new text.
fn number(numbers: &mut HashMap<Box<[u8]>, u32, FixedState>, key: &[u8]) -> u32 {
    match numbers.get(key) {
        Some(number) => *number,
        None => {
            let next = u32::try_from(numbers.len()).unwrap_or(MOST_RESOURCES);
            numbers.insert(key.into(), next);
            next
        }
    }
}

/// Method and shape, such as `GET /items/{int}`, and the route where it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Resource {
    pub(crate) method: String,
    /// Of a given route: the shapes of its parameters alone.
    pub(crate) shape: String,
    pub(crate) route: Option<String>,
    /// The route was given beforehand; otherwise the producer of the log says it.
    pub(crate) given: bool,
}

/// Marks the length of a route that was given. Routes are far shorter.
const GIVEN: u16 = 1 << 15;

/// Stands for a method that is missing or made up; an endpoint with it is never published.
const UNKNOWN_METHOD: &[u8] = b"-";

/// Appends the text of a resource: method, space, and shape of the path, or without `templates` the path itself.
/// A known route stands in front, after its length. Of a given one only the kinds of its values follow.
///
/// A method that nobody knows is text that a client made up: it stays only where paths stay as they are.
fn write_key(request: &Request<'_>, templates: bool, given: &GivenRoutes, out: &mut Vec<u8>) {
    if templates
        && let Some(found) = given.of(request.known_method().unwrap_or_default(), request.path())
        && let Ok(length) = u16::try_from(found.template.len())
        && length < GIVEN
    {
        out.extend_from_slice(&(length | GIVEN).to_le_bytes());
        out.extend_from_slice(found.template.as_bytes());
        out.extend_from_slice(request.known_method().unwrap_or(UNKNOWN_METHOD));
        out.push(b' ');
        found.values.iter().for_each(|value| segment::value_shape(value, out));
        return;
    }
    let route = request.route.filter(|_| templates).and_then(|route| std::str::from_utf8(route).ok());
    let route = route.and_then(known::template).unwrap_or_default();
    out.extend_from_slice(&(route.len() as u16).to_le_bytes());
    out.extend_from_slice(route.as_bytes());
    let method = if templates { request.known_method() } else { request.method };
    out.extend_from_slice(method.unwrap_or(UNKNOWN_METHOD));
    out.push(b' ');
    if templates { segment::shape(request.path(), out) } else { out.extend_from_slice(request.path()) }
}

impl Resource {
    /// The resource that `request` asks for.
    pub(crate) fn of(request: &Request<'_>, templates: bool, given: &GivenRoutes) -> Self {
        let mut key = Vec::new();
        write_key(request, templates, given, &mut key);
        Self::from_key(&key)
    }

    fn from_key(key: &[u8]) -> Self {
        let (length, key) = key.split_first_chunk().unwrap_or((&[0; 2], key));
        let length = u16::from_le_bytes(*length);
        let (route, key) = key.split_at(usize::from(length & !GIVEN).min(key.len()));
        let space = memchr::memchr(b' ', key).unwrap_or(key.len());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            method: text(&key[..space]),
            shape: text(key.get(space + 1..).unwrap_or_default()),
            route: (!route.is_empty()).then(|| text(route)),
            given: length & GIVEN != 0,
        }
    }
}

/// All resources in the order of their text, and each thread's numbers in these.
///
/// Text that is no UTF-8 is replaced, so that two shapes may become one.
pub(crate) fn unify(threads: Vec<Interner>) -> (Vec<Resource>, Vec<Vec<u32>>) {
    let numbered = |thread: Interner| {
        let mut resources = vec![Resource::default(); thread.numbers.len()];
        thread.numbers.into_iter().for_each(|(key, number)| {
            resources[number as usize] = Resource::from_key(&key);
        });
        resources
    };
    unite(threads.into_iter().map(numbered).collect())
}

/// All resources of several lists in the order of their text, and each list's numbers in these.
pub(crate) fn unite(lists: Vec<Vec<Resource>>) -> (Vec<Resource>, Vec<Vec<u32>>) {
    let mut all: Vec<Resource> = lists.iter().flatten().cloned().collect();
    all.sort_unstable();
    all.dedup();
    let number = |resource: &Resource| all.binary_search(resource).unwrap_or_default() as u32;
    let numbers = lists.iter().map(|list| list.iter().map(number).collect()).collect();
    (all, numbers)
}
