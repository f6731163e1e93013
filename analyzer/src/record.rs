//! One request as people and other programs see it: raw for the owner of the log, else without anybody in it.

use jiff::Timestamp;
use serde::Serialize;

use crate::privacy::pseudonym::{Domain, Key, canonical};
use crate::privacy::stage::Stage;
use crate::request::{Request, SECOND_NS};

/// One request of a log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// Start, RFC 3339 with nanoseconds; null where the log does not say.
    pub started_at: Option<String>,
    /// End of the response, RFC 3339 with nanoseconds; null where the log does not say.
    pub ended_at: Option<String>,
    /// How fine the stamp is, in seconds.
    pub resolution_s: f64,
    /// Time that the request took.
    pub duration_s: Option<f64>,
    /// Method; null when there was no readable request line.
    pub method: Option<String>,
    /// `http` or `https`.
    pub scheme: Option<String>,
    /// Host asked for, or its pseudonym.
    pub host: Option<String>,
    /// Path, or its template.
    pub path: Option<String>,
    /// Query; null when it is withheld.
    pub query: Option<String>,
    /// Status code; 0 when nothing was sent.
    pub status: u16,
    /// Bytes of the response.
    pub bytes_out: Option<u64>,
    /// Bytes of the request.
    pub bytes_in: Option<u64>,
    /// Protocol version.
    pub protocol: Option<String>,
    /// Client address, or its pseudonym.
    pub client: String,
    /// User, or their pseudonym.
    pub user: Option<String>,
    /// Referer, or its pseudonym.
    pub referer: Option<String>,
    /// User agent, or its pseudonym.
    pub user_agent: Option<String>,
    /// Line number in the input, from 1.
    pub line: u64,
    /// Number of the resource whose template becomes `path`.
    #[serde(skip)]
    pub(crate) resource: Option<u32>,
}

impl Record {
    /// Everything as it stands in the log, escapes undone, for the eyes of the one who owns it.
    pub fn raw(request: &Request<'_>, line: u64) -> Self {
        Self {
            host: request.host.map(text),
            path: request.method.map(|_| text(request.path())),
            query: request.query().map(text),
            client: text(request.client),
            user: request.user.map(text),
            referer: request.referer.map(text),
            user_agent: request.user_agent.map(text),
            ..Self::facts(request, line)
        }
    }

    /// Pseudonyms for who it was; `path` follows when the templates are known, the query never.
    pub(crate) fn pseudonymous(request: &Request<'_>, line: u64, key: &Key, resource: u32) -> Self {
        if !Stage::Pseudonyms.is_on() {
            return Self::raw(request, line);
        }
        let of = |domain, value: &[u8]| format!("{:016x}", key.pseudonym(domain, value));
        Self {
            method: request.known_method().map(text),
            protocol: request.known_protocol().map(text),
            host: request.host.map(|host| of(Domain::Host, &canonical(host))),
            client: of(Domain::Address, &canonical(request.client)),
            user: request.user.map(|user| of(Domain::User, user)),
            referer: request.referer.map(|referer| of(Domain::Referer, referer)),
            user_agent: request.user_agent.map(|agent| of(Domain::UserAgent, agent)),
            resource: Some(resource),
            ..Self::facts(request, line)
        }
    }

    /// Puts the record at a later time.
    pub(crate) fn shift(&mut self, by_s: i32) {
        for moment in [&mut self.started_at, &mut self.ended_at].into_iter().flatten() {
            if let Ok(instant) = moment.parse::<Timestamp>() {
                let ns = instant.as_nanosecond() as i64 + i64::from(by_s) * SECOND_NS;
                *moment = rfc3339_ns(ns);
            }
        }
    }

    /// What says nothing about who it was.
    fn facts(request: &Request<'_>, line: u64) -> Self {
        let seconds = |ns: i64| ns as f64 / SECOND_NS as f64;
        Self {
            started_at: request.started_at_ns().map(rfc3339_ns),
            ended_at: request.ended_at_ns().map(rfc3339_ns),
            resolution_s: seconds(request.resolution_ns),
            duration_s: request.duration_ns.map(seconds),
            method: request.method.map(text),
            scheme: request.scheme.map(text),
            host: None,
            path: None,
            query: None,
            status: request.status,
            bytes_out: request.bytes_out,
            bytes_in: request.bytes_in,
            protocol: request.protocol.map(text),
            client: String::new(),
            user: None,
            referer: None,
            user_agent: None,
            line,
            resource: None,
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An instant with all nine digits, so that columns line up.
pub(crate) fn rfc3339_ns(ns: i64) -> String {
    let instant = Timestamp::from_nanosecond(i128::from(ns)).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{instant:.9}")
}
