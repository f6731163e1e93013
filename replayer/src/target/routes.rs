//! Which endpoint a path belongs to.

use std::collections::HashMap;

use crate::plan::next_placeholder;

/// Routes, compiled.
#[derive(Debug)]
pub(super) struct Routes {
    /// By method and number of segments; among those, the more literal first.
    groups: HashMap<(String, usize), Vec<Route>>,
}

#[derive(Debug)]
struct Route {
    endpoint: usize,
    segments: Vec<Segment>,
}

/// One segment of a route. The order of the variants is their precedence.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    /// Exactly this.
    Literal(String),
    /// Something between these literals, such as `{name}.json`.
    Around {
        /// Longest literals first, hence the sign.
        minus_length: isize,
        /// What it starts with.
        before: String,
        /// What it ends with.
        after: String,
    },
}

impl Segment {
    fn new(text: &str) -> Self {
        let Some((before, _, mut after)) = next_placeholder(text) else {
            return Self::Literal(text.to_owned());
        };
        // Of several placeholders in one segment, only what surrounds them is compared.
        while let Some((_, _, rest)) = next_placeholder(after) {
            after = rest;
        }
        let minus_length = -((before.len() + after.len()) as isize);
        Self::Around { minus_length, before: before.to_owned(), after: after.to_owned() }
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == text,
            Self::Around { before, after, .. } => {
                let inside =
                    text.strip_prefix(before.as_str()).and_then(|text| text.strip_suffix(after.as_str()));
                inside.is_some_and(|inside| !inside.is_empty())
            }
        }
    }
}

impl Routes {
    /// Compiles the routes of endpoints, given as method and template, in the profile's order.
    pub(super) fn new<'a>(endpoints: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut groups: HashMap<_, Vec<Route>> = HashMap::new();
        for (endpoint, (method, template)) in endpoints.into_iter().enumerate() {
            let segments: Vec<Segment> = template.split('/').map(Segment::new).collect();
            groups.entry((method.to_owned(), segments.len())).or_default().push(Route { endpoint, segments });
        }
        groups.values_mut().for_each(|routes| routes.sort_by(|a, b| a.segments.cmp(&b.segments)));
        Self { groups }
    }

    /// The endpoint that a request belongs to: the one whose route is literal for longest, from the left.
    pub(super) fn find(&self, method: &str, path: &str) -> Option<usize> {
        let segments: Vec<&str> = path.split('/').collect();
        let routes = self.groups.get(&(method.to_owned(), segments.len()))?;
        let matches = |route: &&Route| {
            route.segments.iter().zip(&segments).all(|(segment, text)| segment.matches(text))
        };
        routes.iter().find(matches).map(|route| route.endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_literal_route_wins() {
        let routes = Routes::new([
            ("GET", "/"),
            ("GET", "/users/{id}"),
            ("GET", "/users/me"),
            ("POST", "/users/{id}"),
            ("GET", "/users/{id}/posts/{post}"),
            ("GET", "/{page}/me"),
            ("GET", "/img/{name}.json"),
            ("GET", "/img/{name}"),
            ("GET", "/img/{name}.min.json"),
            ("GET", "/a/"),
        ]);
        #[track_caller]
        fn check(routes: &Routes, method: &str, path: &str, expected: Option<usize>) {
            assert_eq!(routes.find(method, path), expected, "{method} {path}");
        }
        check(&routes, "GET", "/", Some(0));
        check(&routes, "GET", "/users/17", Some(1));
        check(&routes, "GET", "/users/me", Some(2));
        check(&routes, "POST", "/users/me", Some(3));
        check(&routes, "GET", "/users/17/posts/4", Some(4));
        check(&routes, "GET", "/orders/me", Some(5));
        check(&routes, "GET", "/img/cat.json", Some(6));
        check(&routes, "GET", "/img/cat.png", Some(7));
        check(&routes, "GET", "/img/cat.min.json", Some(8));
        check(&routes, "GET", "/img/.json", Some(7));
        check(&routes, "GET", "/a/", Some(9));
        check(&routes, "GET", "/a", None);
        check(&routes, "GET", "/users/", None);
        check(&routes, "DELETE", "/users/17", None);
        check(&routes, "GET", "", None);
    }
}
