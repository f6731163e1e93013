//! Routes that whoever runs the service knows: of an OpenAPI document, of a framework's list, of an earlier profile.
//!
//! They are matched against paths as they are in the log, before anything is made of their segments: a route may have
//! words in it that no path could bring into a profile. Literal segments come before those with a value in them, those
//! before parameters, and what takes the rest of a path comes last; a longer route wins over a rest.

use std::collections::BTreeMap;

use shared::endpoint::ValueKind;

use super::known;
use super::segment;
use crate::format::escape::percent_decode;

/// A route, and the methods that it is for where they are known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GivenRoute {
    /// Such as `/users/{id}`: what endpoints are named by.
    pub template: String,
    /// Such as `GET`; empty for any.
    pub methods: Vec<String>,
}

/// Given routes by their segments.
#[derive(Debug, Clone, Default)]
pub struct GivenRoutes {
    templates: Vec<String>,
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    literals: BTreeMap<Box<[u8]>, usize>,
    /// Segments with something around the value, those with most around it first.
    around: Vec<Around>,
    /// Parameters, those that take fewer values first.
    parameters: Vec<(Takes, usize)>,
    /// The route that takes whatever follows.
    rest: Option<End>,
    end: Option<End>,
}

/// What stands before and after a value in its segment, and the node behind it.
type Around = (Box<[u8]>, Box<[u8]>, usize);

#[derive(Debug, Clone, Default)]
struct End {
    template: usize,
    /// None for any method.
    methods: Vec<Box<[u8]>>,
}

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Kind(ValueKind),
    Anything,
}

/// What a path was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Matched<'g, 'p> {
    pub(crate) template: &'g str,
    pub(crate) values: Vec<&'p [u8]>,
}

impl GivenRoutes {
    /// The table of `routes`; of two for one position, the first counts. In routes of an earlier profile a parameter
    /// such as `{int}` takes values of its kind alone, which is what `by_kind` says.
    pub fn new(routes: impl IntoIterator<Item = GivenRoute>, by_kind: bool) -> Self {
        let mut table = Self { templates: Vec::new(), nodes: vec![Node::default()] };
        routes.into_iter().for_each(|route| table.insert(route, by_kind));
        table
    }

    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.templates.is_empty()
    }

    /// How many templates there are.
    pub fn len(&self) -> usize {
        self.templates.len()
    }

    /// Adds the routes of `other`, after these.
    pub fn extend(&mut self, routes: impl IntoIterator<Item = GivenRoute>, by_kind: bool) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        routes.into_iter().for_each(|route| self.insert(route, by_kind));
    }

    fn insert(&mut self, route: GivenRoute, by_kind: bool) {
        let template = self.templates.len();
        let mut at = 0;
        let segments = route.template.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned);
        let segments: Vec<String> = segments.collect();
        let mut takes_rest = false;
        for (number, segment) in segments.iter().enumerate() {
            let (Some(open), Some(close)) = (segment.find('{'), segment.rfind('}')) else {
                at = self.child(
                    at,
                    |node| node.literals.get(segment.as_bytes()).copied(),
                    |node, next| {
                        node.literals.insert(segment.as_bytes().into(), next);
                    },
                );
                continue;
            };
            let (before, name, after) =
                (&segment[..open], &segment[open + 1..close.max(open + 1)], &segment[close + 1..]);
            if number + 1 == segments.len() && before.is_empty() && after.is_empty() && name == known::REST {
                takes_rest = true;
            } else if before.is_empty() && after.is_empty() {
                let kind = if by_kind { super::name::exact_kind(name) } else { None };
                let takes = kind.map_or(Takes::Anything, Takes::Kind);
                at = self.child(
                    at,
                    |node| node.parameters.iter().find(|(other, _)| *other == takes).map(|(_, next)| *next),
                    |node, next| {
                        node.parameters.push((takes, next));
                        node.parameters.sort_by_key(|(takes, _)| *takes == Takes::Anything);
                    },
                );
            } else {
                let (before, after): (Box<[u8]>, Box<[u8]>) =
                    (before.as_bytes().into(), after.as_bytes().into());
                at = self.child(
                    at,
                    |node| {
                        node.around
                            .iter()
                            .find(|(b, a, _)| *b == before && *a == after)
                            .map(|(_, _, next)| *next)
                    },
                    |node, next| {
                        node.around.push((before.clone(), after.clone(), next));
                        node.around
                            .sort_by_key(|(before, after, _)| std::cmp::Reverse(before.len() + after.len()));
                    },
                );
            }
        }
        let methods = route.methods.iter().map(|method| method.as_bytes().into()).collect();
        let node = &mut self.nodes[at];
        let end = if takes_rest { &mut node.rest } else { &mut node.end };
        match end {
            None => {
                *end = Some(End { template, methods });
                self.templates.push(route.template);
            }
            // Another method of a route that is there.
            Some(end) if !end.methods.is_empty() => {
                if methods.is_empty() {
                    end.methods = methods
                } else {
                    end.methods.extend(methods)
                }
            }
            Some(_) => {}
        }
    }

    /// The child that `find` finds, else a new one that `add` adds.
    fn child(
        &mut self,
        at: usize,
        find: impl Fn(&Node) -> Option<usize>,
        add: impl FnOnce(&mut Node, usize),
    ) -> usize {
        if let Some(next) = find(&self.nodes[at]) {
            return next;
        }
        let next = self.nodes.len();
        self.nodes.push(Node::default());
        add(&mut self.nodes[at], next);
        next
    }

    /// The route of `path` and what stands in its parameters; one for `method` where there are several.
    pub(crate) fn of<'p>(&self, method: &[u8], path: &'p [u8]) -> Option<Matched<'_, 'p>> {
        if self.is_empty() {
            return None;
        }
        let segments: Vec<&[u8]> =
            path.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()).collect();
        let mut values = Vec::new();
        let template = [Some(method), None].into_iter().find_map(|method| {
            values.clear();
            self.find(0, method, &segments, &mut values, &mut MOST_STEPS.clone())
        })?;
        Some(Matched { template: &self.templates[template], values })
    }

    fn find<'p>(
        &self,
        at: usize,
        method: Option<&[u8]>,
        segments: &[&'p [u8]],
        values: &mut Vec<&'p [u8]>,
        steps: &mut u32,
    ) -> Option<usize> {
        *steps = steps.checked_sub(1)?;
        let node = &self.nodes[at];
        let for_method = |end: &&End| {
            end.methods.is_empty()
                || method.is_none_or(|method| end.methods.iter().any(|known| **known == *method))
        };
        let [segment, rest @ ..] = segments else {
            return node.end.as_ref().or(node.rest.as_ref()).filter(for_method).map(|end| end.template);
        };
        let decoded = percent_decode(segment);
        if let Some(next) = node.literals.get(&*decoded)
            && let Some(found) = self.find(*next, method, rest, values, steps)
        {
            return Some(found);
        }
        let so_far = values.len();
        let around = node.around.iter().filter(|(before, after, _)| {
            decoded.len() > before.len() + after.len()
                && decoded.starts_with(before)
                && decoded.ends_with(after)
        });
        let parameters = node.parameters.iter().filter(|(takes, _)| match takes {
            Takes::Anything => true,
            Takes::Kind(kind) => segment::kind_of(&decoded) == Some(*kind),
        });
        for next in around.map(|(_, _, next)| next).chain(parameters.map(|(_, next)| next)) {
            values.push(segment);
            if let Some(found) = self.find(*next, method, rest, values, steps) {
                return Some(found);
            }
            values.truncate(so_far);
        }
        let end = node.rest.as_ref().filter(for_method)?;
        values.push(segment);
        Some(end.template)
    }
}

/// Steps after which the search for the route of one path ends: made-up paths must not cost more than others.
const MOST_STEPS: u32 = 10_000;

/// `route` in the spelling of any framework, as a template: words stay as they are. `None` for what is no route.
pub(crate) fn template(route: &str) -> Option<String> {
    known::verbatim(route)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(routes: &[&str], by_kind: bool) -> GivenRoutes {
        let routes = routes.iter().map(|route| {
            let (method, template) = route.split_once(' ').unwrap_or(("", route));
            let methods = method.split('|').filter(|method| !method.is_empty()).map(str::to_owned).collect();
            GivenRoute { template: template.to_owned(), methods }
        });
        GivenRoutes::new(routes, by_kind)
    }

    #[track_caller]
    fn check(routes: &[&str], path: &str, expected: Option<&str>) {
        let table = table(routes, false);
        assert_eq!(table.of(b"GET", path.as_bytes()).map(|found| found.template), expected, "{path}");
    }

    #[test]
    fn words_come_before_values_and_long_routes_before_short_ones() {
        const ROUTES: [&str; 9] = [
            "/users/{id}",
            "/users/me",
            "/users/{id}/posts",
            "/files/{path}",
            "/files/new/{name}.json",
            "/files/new/{id}",
            "/apis/networking.k8s.io/v1",
            "/",
            "POST /users/{id}/{action}",
        ];
        for (path, expected) in [
            ("/users/me", Some("/users/me")),
            ("/users/me/posts", Some("/users/{id}/posts")),
            ("/users/7", Some("/users/{id}")),
            ("/users/7/", Some("/users/{id}")),
            ("/users%2F7", None),
            ("/us%65rs/me", Some("/users/me")),
            ("/files/a/b/c", Some("/files/{path}")),
            ("/files/new/a.json", Some("/files/new/{name}.json")),
            ("/files/new/.json", Some("/files/new/{id}")),
            ("/files/new/a/b", Some("/files/{path}")),
            ("/files", Some("/files/{path}")),
            ("/apis/networking.k8s.io/v1", Some("/apis/networking.k8s.io/v1")),
            ("/apis/other.k8s.io/v1", None),
            ("/", Some("/")),
            ("/users", None),
            // Whoever asks with another method is refused by the same route.
            ("/users/7/ban", Some("/users/{id}/{action}")),
        ] {
            check(&ROUTES, path, expected);
        }
    }

    #[test]
    fn methods_tell_routes_apart_where_paths_do_not() {
        let table = table(&["POST /users/search", "GET /users/{id}"], false);
        let of = |method: &str| table.of(method.as_bytes(), b"/users/search").unwrap().template;
        assert_eq!([of("POST"), of("GET"), of("PUT")], ["/users/search", "/users/{id}", "/users/search"]);
    }

    #[test]
    fn parameters_of_earlier_profiles_take_values_of_their_kind() {
        let routes = ["/items/{int}", "/items/{uuid}/x", "/tags/{slug}"];
        let of = |path: &str, by_kind| table(&routes, by_kind).of(b"GET", path.as_bytes()).is_some();
        assert!(of("/items/7", true) && !of("/items/new", true) && of("/tags/anything", true));
        assert!(of("/items/new", false));
    }

    #[test]
    fn values_are_those_of_the_parameters() {
        let table = table(&["/a/{x}/b/{y}.json"], false);
        let found = table.of(b"GET", b"/a/7/b/c.json").unwrap();
        assert_eq!(found.values, [&b"7"[..], b"c.json"]);
    }
}
