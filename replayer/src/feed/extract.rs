//! What is taken from the answer to a login.

use std::collections::BTreeMap;

use hyper::HeaderMap;
use hyper::header::SET_COOKIE;
use regex::bytes::Regex;
use serde_json::Value;
use shared::request::{Extract, Login};

use crate::error::Error;

/// What a session knows since its login, by name.
pub(crate) type Variables = BTreeMap<String, String>;

/// What to take from an answer, compiled.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extracts(Vec<(String, Rule)>);

#[derive(Debug, Clone)]
enum Rule {
    Json(String),
    Regex(Regex),
    Header(String),
    Cookie(String),
}

impl Extracts {
    /// What `login` asks for.
    ///
    /// # Errors
    /// [`Error::Template`] for what is no regular expression.
    pub(crate) fn new(login: &Login) -> Result<Self, Error> {
        let rules = login.extract.iter().map(|(name, extract)| {
            let rule = match extract {
                Extract::Json(pointer) => Rule::Json(pointer.clone()),
                Extract::Header(header) => Rule::Header(header.clone()),
                Extract::Cookie(cookie) => Rule::Cookie(cookie.clone()),
                Extract::Regex(text) => Rule::Regex(Regex::new(text).map_err(|_| Error::Template {
                    place: format!("/login/extract/{name}"),
                    line: None,
                    found: "text that is no regular expression".to_owned(),
                })?),
            };
            Ok((name.clone(), rule))
        });
        Ok(Self(rules.collect::<Result<_, Error>>()?))
    }

    /// What an answer gives; or the name of the first thing that is not in it.
    pub(crate) fn take(&self, headers: &HeaderMap, body: &[u8]) -> Result<Variables, String> {
        // Parsed once, and only if somebody asks.
        let json = std::cell::LazyCell::new(|| serde_json::from_slice::<Value>(body).ok());
        let take = |rule: &Rule| match rule {
            Rule::Json(pointer) => match (*json).as_ref()?.pointer(pointer)? {
                Value::String(text) => Some(text.clone()),
                Value::Null => None,
                other => Some(other.to_string()),
            },
            Rule::Regex(regex) => {
                let found = regex.captures(body)?;
                let value = found.get(1).or_else(|| found.get(0))?;
                Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
            }
            Rule::Header(name) => Some(headers.get(name)?.to_str().ok()?.to_owned()),
            Rule::Cookie(name) => headers.get_all(SET_COOKIE).iter().find_map(|header| {
                let (found, value) = header.to_str().ok()?.split(';').next()?.split_once('=')?;
                (found.trim() == name).then(|| value.trim().to_owned())
            }),
        };
        self.0
            .iter()
            .map(|(name, rule)| Ok((name.clone(), take(rule).ok_or_else(|| name.clone())?)))
            .collect()
    }

    /// The names of all that is taken.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(extract: Extract, expected: Result<&str, &str>) {
        let login = Login { endpoint: "post_login".to_owned(), extract: [("x".to_owned(), extract)].into() };
        let mut headers = HeaderMap::new();
        headers.insert("X-Token", "from header".parse().unwrap());
        headers.append(SET_COOKIE, "a=1; Path=/".parse().unwrap());
        headers.append(SET_COOKIE, "sid = b=2 ; HttpOnly".parse().unwrap());
        let body = br#"{"data": {"token": "abc", "n": 7, "none": null, "list": ["q"]}, "html": "<i name=\"csrf\" value=\"t0\">"}"#;
        let found = Extracts::new(&login).unwrap().take(&headers, body);
        let found = found.as_ref().map(|variables| variables["x"].as_str()).map_err(String::as_str);
        assert_eq!(found, expected);
    }

    #[test]
    fn values_are_taken_from_wherever_they_stand() {
        check(Extract::Json("/data/token".into()), Ok("abc"));
        check(Extract::Json("/data/n".into()), Ok("7"));
        check(Extract::Json("/data/list/0".into()), Ok("q"));
        check(Extract::Json("/data/none".into()), Err("x"));
        check(Extract::Json("/data/nothing".into()), Err("x"));
        check(Extract::Regex(r#"csrf\\" value=\\"([^"\\]+)"#.into()), Ok("t0"));
        check(Extract::Regex("ab.".into()), Ok("abc"));
        check(Extract::Regex("nothing".into()), Err("x"));
        check(Extract::Header("x-token".into()), Ok("from header"));
        check(Extract::Header("x-other".into()), Err("x"));
        check(Extract::Cookie("sid".into()), Ok("b=2"));
        check(Extract::Cookie("id".into()), Err("x"));
    }

    #[test]
    fn what_is_no_expression_is_an_error() {
        let login = Login {
            endpoint: "a".to_owned(),
            extract: [("x".to_owned(), Extract::Regex("(".into()))].into(),
        };
        assert!(Extracts::new(&login).unwrap_err().to_string().contains("/login/extract/x"));
    }
}
