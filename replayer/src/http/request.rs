//! The bytes of a request.

use hyper::Method;
use hyper::header::{ACCEPT, CONNECTION, CONTENT_LENGTH, HOST, HeaderName, TRANSFER_ENCODING, USER_AGENT};

use crate::feed::template::Carried;

/// A request, in the parts that it is put together from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a Method,
    /// What is asked for, as the first line says it: a path, or a whole URL for a proxy.
    pub(crate) target: &'a str,
    /// Lines that all requests of the run have, each with its end.
    pub(crate) common: &'a [u8],
    /// Names and values that only this one has.
    pub(crate) own: &'a [(&'a str, &'a str)],
    /// What the profile wants it to carry.
    pub(crate) carried: &'a Carried,
}

/// Headers that belong to the connection, to the run or to the length of the body, whatever a profile says.
pub(crate) fn is_ours(name: &HeaderName) -> bool {
    [HOST, USER_AGENT, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(name)
}

impl Request<'_> {
    /// The bytes as they are sent; none if the target or a value holds what no head may, such as a blank or the end
    /// of a line.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        let target = self.target.as_bytes();
        let values = self.own.iter().map(|(_, value)| value.as_bytes());
        if target.is_empty() || !target.iter().all(|byte| (0x21..=0x7e).contains(byte)) {
            return None;
        }
        if values.flatten().any(|byte| *byte == 0x7f || (*byte < 0x20 && *byte != b'\t')) {
            return None;
        }
        let mut bytes = Vec::with_capacity(160 + target.len() + self.common.len());
        for part in [self.method.as_str().as_bytes(), b" ", target, b" HTTP/1.1\r\n", self.common] {
            bytes.extend_from_slice(part);
        }
        for (name, value) in self.own {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        let Carried { headers, body, .. } = self.carried;
        if !headers.contains_key(ACCEPT) {
            bytes.extend_from_slice(b"accept: */*\r\n");
        }
        for (name, value) in headers.iter().filter(|(name, _)| !is_ours(name)) {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        // A method that may have a body says so when this one has none (RFC 9110, 8.6).
        if !body.is_empty() || matches!(*self.method, Method::POST | Method::PUT | Method::PATCH) {
            bytes.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: Method, target: &str, own: &[(&str, &str)], expected: Option<&str>) {
        let carried = Carried::default();
        let request = Request { method: &method, target, common: b"host: a\r\n", own, carried: &carried };
        let bytes = request.bytes().map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(bytes.as_deref(), expected);
    }

    #[test]
    fn a_request_is_its_line_and_its_headers() {
        check(Method::GET, "/a?b=1", &[], Some("GET /a?b=1 HTTP/1.1\r\nhost: a\r\naccept: */*\r\n\r\n"));
        let cookie = [("cookie", "id=1; theme=dark")];
        check(
            Method::POST,
            "/",
            &cookie,
            Some(
                "POST / HTTP/1.1\r\nhost: a\r\ncookie: id=1; theme=dark\r\naccept: */*\r\ncontent-length: 0\r\n\r\n",
            ),
        );
    }

    #[test]
    fn a_request_carries_what_the_profile_says_but_nothing_of_the_connection() {
        let mut carried = Carried { body: "{}".into(), ..Carried::default() };
        for (name, value) in [("accept", "text/html"), ("host", "elsewhere"), ("content-length", "9")] {
            carried.headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        let request = Request {
            method: &Method::PUT,
            target: "/",
            common: b"host: a\r\n",
            own: &[],
            carried: &carried,
        };
        let expected = "PUT / HTTP/1.1\r\nhost: a\r\naccept: text/html\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(String::from_utf8(request.bytes().unwrap()).unwrap(), expected);
    }

    #[test]
    fn what_would_end_a_line_early_is_not_sent() {
        for target in ["", "/a b", "/a\r\nx: y", "/\u{e9}", "/\x7f"] {
            check(Method::GET, target, &[], None);
        }
        check(Method::GET, "/", &[("cookie", "a\r\nhost: b")], None);
    }
}
