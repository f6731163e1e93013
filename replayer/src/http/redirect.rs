//! Where an answer that sends its client elsewhere leads: on the same site, or nowhere.

use hyper::{Method, Uri};

/// The request that follows an answer with `status` and `location` to a request with `method` for `path`; none if it
/// sends nobody anywhere, or to another site than the one at `authority`, whose addresses nobody has checked.
///
/// `path` and the result begin with a slash. RFC 9110, 15.4: after 303, and after 301 and 302 in answer to `POST`, the
/// next request is a `GET`.
pub(crate) fn next(
    status: u16,
    location: &str,
    (method, path): (&Method, &str),
    (secure, authority): (bool, &str),
) -> Option<(Method, String)> {
    let method = match status {
        303 if *method != Method::HEAD => Method::GET,
        301 | 302 if *method == Method::POST => Method::GET,
        301..=303 | 307 | 308 => method.clone(),
        _ => return None,
    };
    let location = location.split('#').next().unwrap_or_default();
    let directory = &path[..path.split('?').next()?.rfind('/')? + 1];
    let path = if location.is_empty() {
        return None;
    } else if location.starts_with("//") || location.contains("://") && !location.starts_with('/') {
        let scheme = if secure { "https:" } else { "http:" };
        let absolute =
            if location.starts_with("//") { format!("{scheme}{location}") } else { location.to_owned() };
        let uri: Uri = absolute.parse().ok()?;
        let same = uri.scheme_str().is_some_and(|found| scheme.trim_end_matches(':') == found)
            && same_authority(uri.authority()?.as_str(), authority, secure);
        same.then(|| uri.path_and_query().map_or("/".to_owned(), |path| path.as_str().to_owned()))?
    } else if location.starts_with('/') {
        location.to_owned()
    } else if let Some(query) = location.strip_prefix('?') {
        format!("{}?{query}", path.split('?').next()?)
    } else {
        format!("{directory}{location}")
    };
    Some((method, path))
}

/// The same host and port, where one may leave out the port that the scheme has anyway.
fn same_authority(one: &str, other: &str, secure: bool) -> bool {
    let default = if secure { ":443" } else { ":80" };
    one.trim_end_matches(default).eq_ignore_ascii_case(other.trim_end_matches(default))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, location: &str, method: Method, expected: Option<(Method, &str)>) {
        let found = next(status, location, (&method, "/shop/cart?step=1"), (false, "Shop.test:80"));
        let expected = expected.map(|(method, path)| (method, path.to_owned()));
        assert_eq!(found, expected, "{status} {location}");
    }

    #[test]
    fn redirects_are_followed_on_the_same_site() {
        let get = |path| Some((Method::GET, path));
        check(302, "/login", Method::GET, get("/login"));
        check(301, "pay?a=1#top", Method::GET, get("/shop/pay?a=1"));
        check(302, "?step=2", Method::GET, get("/shop/cart?step=2"));
        check(308, "http://shop.test/x?y=1", Method::GET, get("/x?y=1"));
        check(307, "//SHOP.test", Method::GET, get("/"));
        check(302, "/next?url=http://other.test/", Method::GET, get("/next?url=http://other.test/"));
    }

    #[test]
    fn other_sites_are_not() {
        for location in [
            "http://other.test/",
            "https://shop.test/",
            "//other.test/x",
            "http://shop.test:8080/",
            "http://shop.test.evil.test/",
            "http://me@shop.test/",
            "ftp://shop.test/",
            "javascript://shop.test/%0a",
            "",
        ] {
            check(302, location, Method::GET, None);
        }
        check(200, "/x", Method::GET, None);
        check(304, "/x", Method::GET, None);
    }

    #[test]
    fn what_was_posted_is_not_posted_again_unless_that_is_meant() {
        check(303, "/x", Method::PUT, Some((Method::GET, "/x")));
        check(302, "/x", Method::POST, Some((Method::GET, "/x")));
        check(302, "/x", Method::DELETE, Some((Method::DELETE, "/x")));
        check(307, "/x", Method::POST, Some((Method::POST, "/x")));
        check(303, "/x", Method::HEAD, Some((Method::HEAD, "/x")));
    }
}
