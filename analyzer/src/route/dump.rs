//! Routes of a list: what frameworks print, and one template a line.
//!
//! Rails, Laravel, Flask, Express, Fastify, Django's `show_urls` and Spring's mappings differ in what stands around
//! the path. A line's methods are the word that is made of methods, and its path is the first word that begins with a
//! slash, or the word after the methods. What follows a ` #` is a comment.

use super::given::{self, GivenRoute};
use crate::request::KNOWN_METHODS;

/// The routes of the list `text`.
///
/// # Errors
/// What was found and expected, when there is not one.
pub(crate) fn routes(text: &str) -> Result<Vec<GivenRoute>, String> {
    let routes: Vec<GivenRoute> = text.lines().flat_map(line).collect();
    if routes.is_empty() {
        return Err("found no route, expected lines such as `GET /users/{id}`".to_owned());
    }
    Ok(routes)
}

fn line(line: &str) -> Vec<GivenRoute> {
    let line = if line.starts_with('#') { "" } else { line };
    let line = line.split_once(" #").map_or(line, |(route, _)| route);
    let words: Vec<&str> = line.split_whitespace().collect();
    let stripped = |word: &'_ str| word.trim_matches(['{', '[', ']', ',']).to_owned();
    let methods_at = words.iter().position(|word| methods(&stripped(word)).is_some());
    let methods = methods_at.and_then(|at| methods(&stripped(words[at]))).unwrap_or_default();
    let route = |path: &str| {
        let template = given::template(path)?;
        Some(GivenRoute { template, methods: methods.clone() })
    };
    // Spring: `{GET [/a/{b}, /c]}`.
    if let Some((_, rest)) = line.split_once("[/") {
        let inside = rest.split(']').next().unwrap_or_default();
        return format!("/{inside}")
            .split([',', ' '])
            .filter(|path| path.starts_with('/'))
            .filter_map(route)
            .collect();
    }
    let path = words.iter().find(|word| word.starts_with('/') || word.starts_with("^"));
    // Laravel leaves out the slash.
    let path = path.or_else(|| words.get(methods_at? + 1));
    path.and_then(|path| route(path)).into_iter().collect()
}

/// `GET`, `GET|HEAD`, `GET,POST`; none for any other word. `ANY` and `*` stand for all.
fn methods(word: &str) -> Option<Vec<String>> {
    if ["ANY", "ALL", "*"].contains(&word) {
        return Some(Vec::new());
    }
    let names: Vec<&str> = word.split(['|', ',']).filter(|name| !name.is_empty()).collect();
    let is_method = |name: &&str| KNOWN_METHODS.contains(&name.as_bytes());
    (!names.is_empty() && names.iter().all(is_method))
        .then(|| names.iter().map(|name| (*name).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<String> = routes(text)
            .unwrap()
            .iter()
            .map(|route| format!("{} {}", route.methods.join("|"), route.template).trim().to_owned())
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn lists_of_frameworks() {
        // Rails.
        check(
            "Prefix Verb   URI Pattern               Controller#Action\n users GET    /users(.:format)          users#index\n       PATCH  /users/:id(.:format)      users#update\n",
            &["GET /users", "PATCH /users/{id}"],
        );
        // Laravel.
        check(
            "  GET|HEAD  api/users/{user} ..... users.show › UserController@show\n  POST      / ..........\n",
            &["GET|HEAD /api/users/{user}", "POST /"],
        );
        // Flask.
        check(
            "Endpoint  Methods    Rule\n--------  ---------  ----\nstatic    GET        /static/<path:filename>\nitem      GET, POST  /items/<int:id>\n",
            &["GET /static/{path}", "GET /items/{id}"],
        );
        // Django.
        check("/users/<int:pk>/\tapp.views.User\tuser-detail\n", &["/users/{pk}/"]);
        // Spring.
        check("{GET [/owners/{id}, /o/{id}], produces [text/html]}\n", &["GET /owners/{id}", "GET /o/{id}"]);
        check("{[/vets],methods=[GET]}\n", &["/vets"]);
        // Express, Fastify.
        check("GET /a/:b\nANY /c/*\n/d/{e}   # a comment\n# /no\n", &["GET /a/{b}", "/c/{path}", "/d/{e}"]);
        assert!(routes("nothing here\n").is_err());
    }

    #[test]
    fn words_of_routes_stay_as_they_are() {
        check(
            "/apis/networking.k8s.io/v1/2024\n/a/{b}.json\n",
            &["/apis/networking.k8s.io/v1/2024", "/a/{b}.json"],
        );
    }
}
