//! What a session remembers for its target (RFC 6265): names and values, as long as the session lives.

use std::time::{Duration, UNIX_EPOCH};

/// The cookies of one session. All come from one target and go back to it alone, so that domains need no keeping.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Jar(Vec<Cookie>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Cookie {
    name: Box<str>,
    value: Box<str>,
    path: Box<str>,
}

/// More cookies of one target are not kept (RFC 6265, 6.1: at least 50).
const MOST: usize = 64;

impl Jar {
    /// Keeps, changes or forgets what `line` says, the value of a `Set-Cookie`, in the answer to a request for `path`
    /// at `host` that was read at `now`, since the Unix epoch. What is meant for another domain is refused.
    pub(crate) fn set(&mut self, line: &str, host: &str, path: &str, now: Duration) {
        let mut parts = line.split(';');
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let mut cookie =
            Cookie { name: name.trim().into(), value: value.trim().into(), path: directory(path).into() };
        let (mut expired, mut max_age) = (false, None);
        for part in parts {
            let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
            let (attribute, value) = (attribute.trim(), value.trim());
            let is = |name: &str| attribute.eq_ignore_ascii_case(name);
            if is("path") && value.starts_with('/') {
                cookie.path = value.into();
            } else if is("domain") && !belongs(host, value.trim_start_matches('.')) {
                return;
            } else if is("max-age") {
                max_age = value.parse::<i64>().ok().or(max_age);
            } else if is("expires") {
                expired = httpdate::parse_http_date(value).is_ok_and(|at| at <= UNIX_EPOCH + now);
            }
        }
        let same = |other: &Cookie| other.name == cookie.name && other.path == cookie.path;
        let place = self.0.iter().position(same);
        // The age is the stronger word; a session is over before any other age is reached.
        match (place, max_age.map_or(expired, |age| age <= 0)) {
            (Some(at), true) => drop(self.0.remove(at)),
            (Some(at), false) => self.0[at] = cookie,
            (None, false) if !cookie.name.is_empty() && self.0.len() < MOST => self.0.push(cookie),
            (None, _) => {}
        }
    }

    /// What `Cookie` says in a request for `path`; none if there is nothing to say.
    pub(crate) fn header(&self, path: &str) -> Option<String> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let mut matching: Vec<&Cookie> = self.0.iter().filter(|cookie| matches(path, &cookie.path)).collect();
        // Longer paths first (RFC 6265, 5.4); the sort keeps the order of those that are equal.
        matching.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<String> =
            matching.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

/// Is `host` the `domain` or below it? An address is only below itself.
fn belongs(host: &str, domain: &str) -> bool {
    let (host, domain) = (host.to_ascii_lowercase(), domain.to_ascii_lowercase());
    let address = host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok();
    host == domain || (!address && host.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.')))
}

/// RFC 6265, 5.1.4: the path up to its last slash.
fn directory(path: &str) -> &str {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    match path.rfind('/') {
        Some(at) if at > 0 && path.starts_with('/') => &path[..at],
        _ => "/",
    }
}

/// RFC 6265, 5.1.4: is `path` at or below `of`?
fn matches(path: &str, of: &str) -> bool {
    path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || of.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cookies set by answers to requests for `/shop/cart`, and what a request for `path` then says.
    #[track_caller]
    fn check(lines: &[&str], path: &str, expected: Option<&str>) {
        let mut jar = Jar::default();
        let now = Duration::from_secs(1_700_000_000);
        lines.iter().for_each(|line| jar.set(line, "shop.test", "/shop/cart?x=1", now));
        assert_eq!(jar.header(path).as_deref(), expected, "{lines:?}");
    }

    #[test]
    fn cookies_come_back_where_they_belong() {
        check(&["id=1"], "/shop/", Some("id=1"));
        check(&["id=1"], "/shop", Some("id=1"));
        check(&["id=1"], "/shopping", None);
        check(&["id=1; Path=/"], "/other?q=/shop", Some("id=1"));
        check(&["a=1; Path=/", "b=2; path=/shop; Secure; HttpOnly"], "/shop/x", Some("b=2; a=1"));
        check(&["id=1; path=/", "id=2; path=/"], "/", Some("id=2"));
        check(&["token=a=b==; path=/"], "/", Some("token=a=b=="));
        check(&["no pair", "=nameless"], "/shop/", None);
    }

    #[test]
    fn other_domains_set_nothing() {
        check(&["id=1; domain=shop.test"], "/shop/", Some("id=1"));
        check(&["id=1; Domain=.test"], "/shop/", Some("id=1"));
        check(&["id=1; domain=other.test"], "/shop/", None);
        check(&["id=1; domain=hop.test"], "/shop/", None);
    }

    #[test]
    fn what_is_over_is_forgotten() {
        check(&["id=1", "id=; Max-Age=0"], "/shop/", None);
        check(&["id=1", "id=; max-age=-1; path=/shop"], "/shop/", None);
        check(&["id=1", "id=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], "/shop/", None);
        check(&["id=1; Expires=Fri, 01 Jan 2100 00:00:00 GMT"], "/shop/", Some("id=1"));
        check(&["id=1; max-age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], "/shop/", Some("id=1"));
    }

    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let lines: Vec<String> = (0..100).map(|i| format!("c{i}={i}")).collect();
        let mut jar = Jar::default();
        lines.iter().for_each(|line| jar.set(line, "shop.test", "/", Duration::ZERO));
        assert_eq!(jar.header("/").unwrap().matches('=').count(), MOST);
    }
}
