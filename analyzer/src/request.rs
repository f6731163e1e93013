//! The canonical request: what every reader fills, borrowed from the line it was read from.
//!
//! Text fields hold what the client sent: the escapes of the producer are undone.

use shared::profile::Stamp;

use crate::privacy::stage::Stage;

/// Nanoseconds in a second.
pub const SECOND_NS: i64 = 1_000_000_000;

/// The methods of RFC 9110 and RFC 5789, and those of WebDAV that clients really send.
pub(crate) const KNOWN_METHODS: [&[u8]; 16] = [
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"PATCH",
    b"DELETE",
    b"OPTIONS",
    b"CONNECT",
    b"TRACE",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
];

/// One request of a log.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The stamp: nanoseconds since 1970 UTC.
    pub stamp_ns: i64,
    /// The offset from UTC that the stamp was printed with, in seconds; 0 where it was printed without one.
    pub offset_s: i32,
    /// The stamp was printed with its zone, or the producer always writes UTC.
    pub zone_printed: bool,
    /// Which moment the stamp marks: [`Stamp::Start`] or [`Stamp::End`].
    pub stamp: Stamp,
    /// How fine the stamp is, in nanoseconds.
    pub resolution_ns: i64,
    /// Time the request took, in nanoseconds, where the log says.
    pub duration_ns: Option<i64>,
    /// Time to the first byte of the response, in nanoseconds, where the log says.
    pub first_byte_ns: Option<i64>,
    /// Method; `None` when there was no readable request line.
    pub method: Option<&'a [u8]>,
    /// Path and query, as in the request line.
    pub target: &'a [u8],
    /// `http` or `https`, where the log says.
    pub scheme: Option<&'a [u8]>,
    /// Host asked for, where the log says.
    pub host: Option<&'a [u8]>,
    /// Protocol version such as `HTTP/1.1`.
    pub protocol: Option<&'a [u8]>,
    /// Status code; 0 when nothing was sent.
    pub status: u16,
    /// Bytes of the response body (or of the whole response, where only that is logged).
    pub bytes_out: Option<u64>,
    /// The size of the response is printed as `-`, as Apache's `%b` prints 0.
    pub bytes_out_is_dash: bool,
    /// Bytes of the request.
    pub bytes_in: Option<u64>,
    /// Address or host name of the client.
    pub client: &'a [u8],
    /// Authenticated user.
    pub user: Option<&'a [u8]>,
    /// Referer.
    pub referer: Option<&'a [u8]>,
    /// User agent.
    pub user_agent: Option<&'a [u8]>,
    /// The field that `--identity` names.
    pub identity: Option<&'a [u8]>,
    /// A session or user key that the log itself holds.
    pub session: Option<&'a [u8]>,
    /// Nobody knows the client: `session` is the trace, and every trace passes for a client of its own.
    pub client_is_trace: bool,
    /// What other logs call the same request.
    pub request_id: Option<&'a [u8]>,
    /// The route template, such as `/users/{id}`, where the producer knows it.
    pub route: Option<&'a [u8]>,
    /// Of the two sidecars of a mesh that log a request, this is the one before the server; `None` where the log does
    /// not say.
    pub inbound: Option<bool>,
    /// How many requests this one stands for: 1 / sampling probability. `None` where the log does not say.
    pub weight: Option<f64>,
    /// The line ended early, after all that a request needs.
    pub truncated: bool,
}

impl Default for Request<'_> {
    /// A request of which nothing is known.
    fn default() -> Self {
        Self {
            stamp_ns: 0,
            offset_s: 0,
            zone_printed: true,
            stamp: Stamp::Start,
            resolution_ns: 1,
            duration_ns: None,
            first_byte_ns: None,
            method: None,
            target: b"",
            scheme: None,
            host: None,
            protocol: None,
            status: 0,
            bytes_out: None,
            bytes_out_is_dash: false,
            bytes_in: None,
            client: b"",
            user: None,
            referer: None,
            user_agent: None,
            identity: None,
            session: None,
            client_is_trace: false,
            request_id: None,
            route: None,
            inbound: None,
            weight: None,
            truncated: false,
        }
    }
}

impl<'a> Request<'a> {
    /// When the request began, in nanoseconds since 1970, where the log says.
    pub fn started_at_ns(&self) -> Option<i64> {
        match self.stamp {
            Stamp::Start => Some(self.stamp_ns),
            Stamp::End | Stamp::Mixed => {
                self.duration_ns.map(|duration| self.stamp_ns.saturating_sub(duration))
            }
        }
    }

    /// When the response was complete, in nanoseconds since 1970, where the log says.
    pub fn ended_at_ns(&self) -> Option<i64> {
        match self.stamp {
            Stamp::Start => self.duration_ns.map(|duration| self.stamp_ns.saturating_add(duration)),
            Stamp::End | Stamp::Mixed => Some(self.stamp_ns),
        }
    }

    /// The method where it is one of those that everybody knows: any other is text that a client made up.
    pub(crate) fn known_method(&self) -> Option<&'a [u8]> {
        self.method.filter(|method| KNOWN_METHODS.contains(method) || !Stage::Protocol.is_on())
    }

    /// The protocol where it is `HTTP/` and a version, and not text that a client made up.
    pub(crate) fn known_protocol(&self) -> Option<&'a [u8]> {
        let version = |text: &[u8]| matches!(text, [b'0'..=b'9'] | [b'0'..=b'9', b'.', b'0'..=b'9']);
        let is_known = |protocol: &&[u8]| protocol.strip_prefix(b"HTTP/").is_some_and(version);
        self.protocol.filter(|protocol| is_known(protocol) || !Stage::Protocol.is_on())
    }

    /// The path: everything up to `?` or `#`. Scheme and host of an absolute target are cut off.
    pub fn path(&self) -> &'a [u8] {
        self.path_and_query().0
    }

    /// The query: everything after the first `?`, up to `#`.
    pub fn query(&self) -> Option<&'a [u8]> {
        self.path_and_query().1
    }

    /// [`Request::path`] and [`Request::query`], by one look at the target.
    #[inline]
    pub(crate) fn path_and_query(&self) -> (&'a [u8], Option<&'a [u8]>) {
        let target = self.origin_form();
        let Some(end) = memchr::memchr2(b'?', b'#', target) else { return (target, None) };
        let (path, rest) = (&target[..end], &target[end + 1..]);
        let query = match target[end] {
            b'?' => Some(rest),
            // A question mark in a fragment starts no query, but logs hold what clients sent.
            _ => memchr::memchr(b'?', rest).map(|mark| &rest[mark + 1..]),
        };
        (path, query.map(|query| &query[..memchr::memchr(b'#', query).unwrap_or(query.len())]))
    }

    #[inline]
    fn origin_form(&self) -> &'a [u8] {
        if self.target.first() == Some(&b'/') {
            return self.target;
        }
        let scheme =
            [&b"http://"[..], b"https://"].into_iter().find(|scheme| self.target.starts_with(scheme));
        match scheme {
            None => self.target,
            Some(scheme) => {
                let rest = &self.target[scheme.len()..];
                rest.iter().position(|byte| *byte == b'/').map_or(b"/", |slash| &rest[slash..])
            }
        }
    }
}
