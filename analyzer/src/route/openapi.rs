//! Routes of an OpenAPI document: versions 3.x, and 2.0 when it was called Swagger.

use serde_json::Value;

use super::given::GivenRoute;

/// Keys of a path item that are methods.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// The routes of the document `text`, YAML or JSON: each under the base path of each server, and after all of those as
/// it is in the document, for servers that stand behind a proxy that takes the base path away.
///
/// # Errors
/// What was found and expected, when it is no such document.
pub(crate) fn routes(text: &str) -> Result<Vec<GivenRoute>, String> {
    let document = parse(text)?;
    let paths = document.get("paths").and_then(Value::as_object);
    let paths = paths.ok_or_else(|| "found no `paths`, expected an OpenAPI document".to_owned())?;
    let (mut based, mut bare) = (Vec::new(), Vec::new());
    for (path, item) in paths.iter().filter(|(path, _)| path.starts_with('/')) {
        let item = resolve(&document, item);
        let template = path.split(['?', '#']).next().unwrap_or(path);
        let methods: Vec<String> = METHODS
            .iter()
            .filter(|method| item.get(**method).is_some())
            .map(|m| m.to_ascii_uppercase())
            .collect();
        let route =
            |base: &str| GivenRoute { template: format!("{base}{template}"), methods: methods.clone() };
        for base in bases(&document, item) {
            let is_bare = base.is_empty();
            based.push(route(&base));
            // What has no word of its own would match anything.
            if !is_bare && template.split('/').any(|segment| !segment.is_empty() && !segment.contains('{')) {
                bare.push(route(""));
            }
        }
    }
    if based.is_empty() {
        return Err("found an OpenAPI document without paths, expected at least one".to_owned());
    }
    based.append(&mut bare);
    Ok(based)
}

fn parse(text: &str) -> Result<Value, String> {
    let document: Result<Value, String> = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| error.to_string())
    } else {
        let options = serde_yaml::options! {
            // Documents of large services are larger than the default takes.
            budget: serde_yaml::budget! { max_nodes: 20_000_000, max_events: 60_000_000 },
        };
        serde_yaml::from_str_with_options(text, options).map_err(|error| error.to_string())
    };
    document
        .map_err(|error| format!("found neither JSON nor YAML: {}", error.lines().next().unwrap_or_default()))
}

/// What `item` refers to in the document, or itself.
fn resolve<'d>(document: &'d Value, item: &'d Value) -> &'d Value {
    let pointer = item.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(item)
}

/// The base paths that stand before a path, each once; at least the empty one.
fn bases(document: &Value, item: &Value) -> Vec<String> {
    let mut bases: Vec<String> = Vec::new();
    let servers = item.get("servers").or_else(|| document.get("servers")).and_then(Value::as_array);
    for server in servers.into_iter().flatten() {
        let Some(url) = server.get("url").and_then(Value::as_str) else { continue };
        bases.push(path_of(&with_defaults(url, server)).to_owned());
    }
    if let Some(base) = document.get("basePath").and_then(Value::as_str) {
        bases.push(path_of(base).to_owned());
    }
    if bases.is_empty() {
        bases.push(String::new());
    }
    bases.sort();
    bases.dedup();
    bases
}

/// `url` with the defaults of its variables.
fn with_defaults(url: &str, server: &Value) -> String {
    let variables = server.get("variables").and_then(Value::as_object).into_iter().flatten();
    variables.fold(url.to_owned(), |url, (name, variable)| {
        let default = variable.get("default").and_then(Value::as_str).unwrap_or_default();
        url.replace(&format!("{{{name}}}"), default)
    })
}

/// The path of a URL, without the slash at its end.
fn path_of(url: &str) -> &str {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |slash| &rest[slash..]),
        None => url,
    };
    let path = path.trim_end_matches('/');
    if path.starts_with('/') { path } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &[&str])]) {
        let found = routes(text).unwrap();
        let found: Vec<(&str, Vec<&str>)> = found
            .iter()
            .map(|route| (route.template.as_str(), route.methods.iter().map(String::as_str).collect()))
            .collect();
        let expected: Vec<(&str, Vec<&str>)> =
            expected.iter().map(|(template, methods)| (*template, methods.to_vec())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn version_3_in_yaml() {
        check(
            "openapi: 3.1.0
servers:
  - url: https://{host}/{stage}/v2/
    variables: { host: { default: api.example.com }, stage: { default: live } }
paths:
  /users/{id}:
    parameters: []
    get: {}
    delete: {}
  /{any}: { $ref: '#/components/pathItems/any' }
components:
  pathItems:
    any: { put: {} }
",
            &[
                ("/live/v2/users/{id}", &["GET", "DELETE"]),
                ("/live/v2/{any}", &["PUT"]),
                ("/users/{id}", &["GET", "DELETE"]),
            ],
        );
    }

    #[test]
    fn version_2_in_json() {
        check(
            r#"{"swagger": "2.0", "basePath": "/api", "paths": {"/a/{b}.json": {"get": {}}}}"#,
            &[("/api/a/{b}.json", &["GET"]), ("/a/{b}.json", &["GET"])],
        );
        check(r#"{"openapi": "3.0.0", "paths": {"/a?b=c": {}}}"#, &[("/a", &[])]);
    }

    #[test]
    fn other_documents_are_refused() {
        assert!(routes("a: 1").unwrap_err().contains("no `paths`"));
        assert!(routes("{").unwrap_err().starts_with("found neither"));
        assert!(routes("paths: {}").unwrap_err().contains("without paths"));
    }
}
