//! Where an answer that sends its client elsewhere leads: on the same site, or nowhere.

use hyper::Method;
use url::Url;

/// The request that follows an answer with `status` and `location` to a request with `method` for `path`; none if it
/// sends nobody anywhere, or to another site than the one at `authority`, whose addresses nobody has checked.
///
/// `path` and the result begin with a slash. The location is read as browsers read it (WHATWG URL), and so as the guard
/// reads a target. RFC 9110, 15.4: after 303, and after 301 and 302 in answer to `POST`, the next request is a `GET`.
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
    if location.trim().is_empty() {
        return None;
    }
    let scheme = if secure { "https" } else { "http" };
    let here = Url::parse(&format!("{scheme}://{authority}{path}")).ok()?;
    let there = here.join(location).ok()?;
    let is_anonymous = there.username().is_empty() && there.password().is_none();
    (is_anonymous && there.origin() == here.origin()).then(|| {
        let query = there.query().map_or(String::new(), |query| format!("?{query}"));
        (method, there.path().to_owned() + &query)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::location::Location;

    /// Production-like targets, all to be refused, and others that must not be; see there.
    const CASES: &str = include_str!("../../../tests/replayer/refused_targets.txt");

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
        check(302, "../a b", Method::GET, get("/a%20b"));
        check(302, "http:pay", Method::GET, get("/shop/pay"));
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
            "javascript:alert(1)",
            "/\\other.test/",
            "\\\\other.test/",
            "http:\\\\other.test/",
            "http:/\t/other.test/",
            "///other.test/",
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

    /// What is refused as a target is nothing that a redirect leads to either: from this machine and from a host that is
    /// allowed, in full and as short as a header may say it.
    #[test]
    fn no_redirect_leads_to_a_target_that_is_refused() {
        let (mut ended, mut followed) = (0, Vec::new());
        let sites = [(false, "127.0.0.1:8080"), (false, "localhost"), (true, "replayed.test")];
        for line in CASES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let [expected, url, ..] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let short = url.strip_prefix("http:").or(url.strip_prefix("https:")).unwrap_or(url);
            for (location, site) in [url.to_owned(), short.to_owned(), url.replace('/', "\\")]
                .iter()
                .flat_map(|location| sites.map(|site| (location.clone(), site)))
            {
                let Some((_, path)) = next(302, &location, (&Method::GET, "/shop/cart"), site) else {
                    ended += u64::from(expected != "allowed");
                    continue;
                };
                assert!(path.starts_with('/'), "{location}: {path}");
                let (secure, authority) = site;
                let here =
                    Location::of_target(&format!("http{}://{authority}", if secure { "s" } else { "" }));
                let (there, here) = (Location::of_target(url), here.unwrap());
                // It is this very site, or names none: without two slashes a host is a path.
                let names_a_host = location.contains("//") || location.contains("\\\\");
                let is_here =
                    there.as_ref().is_ok_and(|there| there.host == here.host && there.port == here.port);
                if !is_here && names_a_host {
                    followed.push(format!("{expected} {location} from {authority}: {path}"));
                }
            }
        }
        assert!(followed.is_empty(), "{followed:#?}");
        assert!(ended >= 9 * 200, "{ended}");
    }
}
