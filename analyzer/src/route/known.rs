//! Routes that the producer of a log knows, in the spelling of any framework, as templates such as `/users/{id}`.
//!
//! What is no placeholder is treated as a segment of a path is: instrumentation that puts the path where the route
//! belongs must not bring values into a profile.

use super::name::number_placeholders;
use super::segment;

/// The longest route that is looked at.
const LONGEST: usize = 512;
/// The longest name of a placeholder.
const LONGEST_NAME: usize = 32;
/// The name of a placeholder that has none.
const UNNAMED: &str = "id";
/// The name of a placeholder for the rest of a path.
pub(crate) const REST: &str = "path";
/// Converters of Flask and Django, which stand before the name.
const CONVERTERS: [&str; 8] = ["int", "float", "string", "str", "path", "uuid", "slug", "any"];

/// Whether `route` has a place for a value.
pub(crate) fn has_placeholder(route: &str) -> bool {
    template(route).is_some_and(|template| {
        // Of segments, those that are placeholders but would be none as text.
        route.contains(['{', ':', '<', '[', '*', '(']) && template.contains('{')
    })
}

/// Whether `route` is made of words alone.
pub(crate) fn is_words(route: &str) -> bool {
    super::shape_of(route) == route
}

/// The template that `route` says: `:id`, `<int:id>`, `[id]` and the like are `{id}`, `*` is `{path}`.
///
/// `None` for what is no route.
pub(crate) fn template(route: &str) -> Option<String> {
    let pieces = pieces(route)?;
    let literals: String = pieces
        .iter()
        .map(|piece| format!("/{}", if let Piece::Literal(text) = piece { text.as_str() } else { "X" }))
        .collect();
    // Shaped together, because what follows `/reset/` is no word.
    let shape = super::shape_of(&literals);
    let mut shapes = shape.split('/').filter(|segment| !segment.is_empty());
    let segments: Option<Vec<String>> = pieces
        .iter()
        .map(|piece| {
            let shape = shapes.next()?;
            Some(match piece {
                Piece::Literal(_) => shape.to_owned(),
                Piece::Placeholder { name, .. } => format!("{{{name}}}"),
            })
        })
        .collect();
    Some(joined(&segments?, route))
}

/// The same, with words as they are, and with what stands around a placeholder in its segment: for routes of those who
/// run the service.
pub(crate) fn verbatim(route: &str) -> Option<String> {
    let segment = |piece: &Piece| match piece {
        Piece::Literal(text) => text.clone(),
        Piece::Placeholder { rest: true, .. } => format!("{{{REST}}}"),
        Piece::Placeholder { before, name, after, .. } => format!("{before}{{{name}}}{after}"),
    };
    let segments: Vec<String> = pieces(route)?.iter().map(segment).collect();
    Some(joined(&segments, route))
}

fn joined(segments: &[String], route: &str) -> String {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let end = if segments.is_empty() || ends(route).ends_with('/') { "/" } else { "" };
    number_placeholders(&segments) + end
}

/// A segment of a route.
enum Piece {
    Literal(String),
    /// `before` and `after` stand around braces, as the `.json` of `{id}.json` does.
    Placeholder {
        before: String,
        name: String,
        after: String,
        /// It takes all that follows.
        rest: bool,
    },
}

fn ends(route: &str) -> &str {
    route.trim().trim_start_matches('^').trim_end_matches('$').trim_end_matches("\\Z")
}

fn pieces(route: &str) -> Option<Vec<Piece>> {
    let route = ends(route);
    if route.is_empty() || route.len() > LONGEST || route.contains("://") {
        return None;
    }
    let piece = |segment: &str| match placeholder(segment) {
        Some(name) => {
            let around = segment.split_once('{').zip(segment.rsplit_once('}'));
            let (before, after) = around.map_or(("", ""), |((before, _), (_, after))| (before, after));
            let text = |text: &str| {
                text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-=@".contains(&byte))
            };
            let (before, after) = if text(before) && text(after) { (before, after) } else { ("", "") };
            Piece::Placeholder {
                before: before.to_owned(),
                name: identifier(&name).to_owned(),
                after: after.to_owned(),
                rest: ["*", "...", "<path:"].iter().any(|mark| segment.contains(mark)),
            }
        }
        None => Piece::Literal(segment.to_owned()),
    };
    Some(split(&without_groups(route)).into_iter().map(piece).collect())
}

/// The route without its groups in parentheses: optional parts such as the `(.:format)` of Rails, and patterns of
/// values. A group with a name, as in Django's regular expressions, stays; one that is a whole segment has no name.
fn without_groups(route: &str) -> String {
    let mut kept = String::with_capacity(route.len());
    let (mut depth, mut named) = (0_u32, None);
    let mut hidden = None;
    for (at, c) in route.char_indices() {
        if c == '(' {
            depth += 1;
            let group = &route[at..];
            if group.starts_with("(?P<") {
                named = named.or(Some(depth));
            } else if named.is_none() && hidden.is_none() {
                hidden = Some(depth);
                if kept.ends_with('/') && !group.starts_with("(/") {
                    kept.push_str("{}");
                }
            }
        }
        if hidden.is_none() {
            kept.push(c);
        }
        if c == ')' {
            named = named.filter(|named| *named != depth);
            hidden = hidden.filter(|hidden| *hidden != depth);
            depth = depth.saturating_sub(1);
        }
    }
    kept
}

/// The segments of a route; slashes inside brackets do not count.
fn split(route: &str) -> Vec<&str> {
    let (mut depth, mut start, mut segments) = (0_i32, 0, Vec::new());
    for (at, c) in route.char_indices() {
        match c {
            '{' | '(' | '<' | '[' => depth += 1,
            '}' | ')' | '>' | ']' => depth = (depth - 1).max(0),
            '/' if depth == 0 => {
                segments.push(&route[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    segments.push(&route[start..]);
    segments.retain(|segment| !segment.is_empty());
    segments
}

/// The name of the placeholder that a segment is or holds.
fn placeholder(segment: &str) -> Option<String> {
    let inside = |open: &str, close: char| {
        let (_, rest) = segment.split_once(open)?;
        Some(rest.split(close).next().unwrap_or_default().to_owned())
    };
    if let Some(name) = inside("(?P<", '>') {
        return Some(name);
    }
    if let Some(inner) = inside("{", '}') {
        // `{id:int?}`, `{**rest}`, `{path...}`, `{controller=Home}`.
        let inner = inner.trim_start_matches('*');
        return Some(inner.split([':', '=', '?', '.', ',']).next().unwrap_or_default().to_owned());
    }
    if let Some(inner) = inside("<", '>') {
        return Some(match inner.split_once(':') {
            Some((converter, name))
                if CONVERTERS.contains(&converter.split('(').next().unwrap_or_default()) =>
            {
                name.to_owned()
            }
            Some((name, _)) => name.to_owned(),
            None => inner,
        });
    }
    if segment.starts_with('[') {
        return Some(segment.trim_matches(['[', ']']).trim_start_matches('.').to_owned());
    }
    if let Some(at) = segment.find(':') {
        return Some(segment[at + 1..].split(|c: char| !c.is_alphanumeric() && c != '_').next()?.to_owned());
    }
    let star = segment.find('*')?;
    Some(Some(segment[star..].trim_matches('*')).filter(|name| !name.is_empty()).unwrap_or(REST).to_owned())
}

/// `name` as the name of a placeholder.
fn identifier(name: &str) -> &str {
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= LONGEST_NAME
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    // A name made of a value is none.
    let is_word = || segment::is_word(name.as_bytes());
    if is_name && is_word() { name } else { UNNAMED }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_placeholders_of_all_frameworks_are_braces() {
        for (route, expected) in [
            ("/users/{id}", "/users/{id}"),
            ("/users/:id", "/users/{id}"),
            ("/users/:id(.:format)", "/users/{id}"),
            (r"/users/:id(\d+)/edit", "/users/{id}/edit"),
            ("users/<int:pk>/", "/users/{pk}/"),
            ("/users/<id>", "/users/{id}"),
            (r"^api/(?P<version>v\d+)/users/(?P<pk>[^/.]+)/$", "/api/{version}/users/{pk}/"),
            ("/[locale]/docs/[...slug]", "/{locale}/docs/{slug}"),
            ("/users/{id:int}/orders/{orderId?}", "/users/{id}/orders/{orderId}"),
            ("/users/{id:[0-9]+/x}", "/users/{id}"),
            (r"^articles/(\d+)/$", "/articles/{id}/"),
            ("/files/*", "/files/{path}"),
            ("/files/*rest", "/files/{rest}"),
            ("/files/{rest...}", "/files/{rest}"),
            ("/a/{id}/b/{id}", "/a/{id}/b/{id_2}"),
            ("/{}", "/{id}"),
            ("/", "/"),
            ("/health", "/health"),
        ] {
            assert_eq!(template(route).as_deref(), Some(expected), "{route}");
        }
        assert_eq!(template(""), None);
        assert_eq!(template("http://example.com/x"), None);
    }

    #[test]
    fn values_in_the_place_of_a_route_stay_values() {
        for (route, expected) in [
            ("/users/4711", "/users/{int}"),
            ("/u/jo@example.com", "/u/{email}"),
            ("/reset/hunterpw", "/reset/{token}"),
            ("/x/{eyJhbGciOiJIUzI1NiJ9}", "/x/{id}"),
            ("/x/:4711", "/x/{id}"),
        ] {
            assert_eq!(template(route).as_deref(), Some(expected), "{route}");
        }
    }

    #[test]
    fn templates_are_told_from_paths() {
        assert!(has_placeholder("/users/:id") && has_placeholder("/x/*"));
        assert!(!has_placeholder("/users/4711") && !has_placeholder("/a"));
        assert!(is_words("/a/b") && !is_words("/users/4711"));
    }
}
