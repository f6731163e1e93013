//! HAR 1.2 and 1.3: what the developer tools of a browser, or a proxy, recorded of one session.
//!
//! Source: the HAR 1.2 specification, and what Chrome, Firefox and Charles write. Entries are stamped at their START;
//! times are milliseconds, -1 where they do not apply. A file is one session of one client. What the browser took
//! from its own cache, or blocked, never reached a server, and is no request.

use std::fmt;
use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::document::Sink;
use crate::format::time::iso8601;
use crate::reject::Reject;
use crate::request::Request;

/// How sure the first bytes make that an input is a HAR file.
pub(crate) fn recognise(head: &[u8]) -> f64 {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let inside = (|| {
        let text = head.trim_ascii_start().strip_prefix(b"{")?.trim_ascii_start().strip_prefix(b"\"log\"")?;
        text.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"{")
    })();
    let holds = |text: &[u8], name: &[u8]| memchr::memmem::find(text, name).is_some();
    match inside {
        Some(text) if [&b"\"entries\""[..], b"\"creator\""].iter().any(|name| holds(text, name)) => 1.0,
        _ => 0.0,
    }
}

/// Gives every entry to `sink`.
///
/// # Errors
/// Where the JSON cannot be read further.
pub(crate) fn read(bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // A file is a client: two recordings are two people, the same file twice is one.
    let client = format!("har-{:016x}", FixedState::default().hash_one(bytes));
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let file =
        Member { name: "log", then: Member { name: "entries", then: Entries { client: &client, sink } } };
    let read = file.deserialize(&mut json).and_then(|()| json.end());
    // The words of the library may repeat the document's.
    read.map_err(|error| format!("is no HAR from line {}, column {}", error.line(), error.column()))
}

/// One member of an object is read, all others are skipped.
struct Member<S> {
    name: &'static str,
    then: S,
}

impl<'de, S: DeserializeSeed<'de, Value = ()>> DeserializeSeed<'de> for Member<S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, S: DeserializeSeed<'de, Value = ()>> Visitor<'de> for Member<S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with `{}`", self.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut then = Some(self.then);
        while let Some(key) = map.next_key::<String>()? {
            match then.take_if(|_| key == self.name) {
                Some(seed) => map.next_value_seed(seed)?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// The entries go to the sink as they come, so that a file that breaks off gives what it has.
struct Entries<'c, 's, 'f> {
    client: &'c str,
    sink: &'s mut Sink<'f>,
}

impl<'de> DeserializeSeed<'de> for Entries<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element::<Entry>()? {
            entry.give(self.client, self.sink);
        }
        Ok(())
    }
}

/// One request and its response. Scalars are taken as they come: tools do not agree on numbers and strings.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    started_date_time: Value,
    #[serde(default)]
    time: Value,
    #[serde(default)]
    timings: Value,
    request: Option<Asked>,
    response: Option<Answered>,
    /// Chrome's, where the response came from memory or disk.
    #[serde(default, rename = "_fromCache")]
    from_cache: Value,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Asked {
    #[serde(default)]
    method: Value,
    #[serde(default)]
    url: Value,
    #[serde(default)]
    http_version: Value,
    headers: Option<Vec<Header>>,
    #[serde(default)]
    body_size: Value,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Answered {
    #[serde(default)]
    status: Value,
    #[serde(default)]
    headers_size: Value,
    #[serde(default)]
    body_size: Value,
    #[serde(default, rename = "_transferSize")]
    transfer_size: Value,
    content: Option<Content>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    size: Value,
}

#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    name: Value,
    #[serde(default)]
    value: Value,
}

impl Entry {
    fn give(self, client: &str, sink: &mut Sink<'_>) {
        let (request, response) = (self.request.unwrap_or_default(), self.response.unwrap_or_default());
        let status = number(&response.status).unwrap_or(0.0);
        let url = request.url.as_str().unwrap_or_default();
        let Some((scheme, host, target)) =
            split_url(url).filter(|_| status >= 1.0 && self.from_cache.is_null())
        else {
            return sink(Err(Reject::NotARequest));
        };
        let Some(stamp) = self.started_date_time.as_str().and_then(|text| iso8601(text.as_bytes())) else {
            return sink(Err(Reject::BadTime));
        };
        if status >= 1000.0 {
            return sink(Err(Reject::BadStatus));
        }
        let timing = |name: &str| self.timings.get(name).and_then(size);
        let sum = |names: &[&str]| {
            let parts: Vec<f64> = names.iter().filter_map(|name| timing(name)).collect();
            (!parts.is_empty()).then(|| parts.iter().sum::<f64>())
        };
        // `ssl` is a part of `connect`.
        let until_first_byte = ["blocked", "dns", "connect", "send", "wait"];
        let total = || sum(&[&until_first_byte[..], &["receive"]].concat());
        let header = |wanted: &str| {
            let named =
                |header: &&Header| header.name.as_str().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
            request.headers.iter().flatten().find(named)?.value.as_str().map(str::as_bytes)
        };
        let transferred =
            || Some(size(&response.transfer_size)? - size(&response.headers_size).unwrap_or(0.0));
        let bytes_out =
            size(&response.body_size).or_else(transferred).or_else(|| size(&response.content.as_ref()?.size));
        let protocol = request.http_version.as_str().map(|version| match version {
            "h2" => "HTTP/2".to_owned(),
            "h3" => "HTTP/3".to_owned(),
            other => other.to_ascii_uppercase(),
        });
        sink(Ok(Request {
            stamp_ns: stamp.utc_ns,
            offset_s: stamp.offset_s.unwrap_or(0),
            zone_printed: stamp.offset_s.is_some(),
            resolution_ns: stamp.resolution_ns,
            duration_ns: size(&self.time).or_else(total).map(nanoseconds),
            first_byte_ns: timing("wait").and_then(|_| sum(&until_first_byte)).map(nanoseconds),
            method: request.method.as_str().map(str::as_bytes),
            target: target.as_bytes(),
            scheme: Some(scheme.as_bytes()),
            host: Some(host.as_bytes()),
            protocol: protocol.as_deref().map(str::as_bytes).filter(|protocol| !protocol.is_empty()),
            status: status as u16,
            bytes_out: bytes_out.map(|bytes| bytes as u64),
            bytes_in: size(&request.body_size).map(|bytes| bytes as u64),
            client: client.as_bytes(),
            session: Some(client.as_bytes()),
            referer: header("referer"),
            user_agent: header("user-agent"),
            ..Request::default()
        }));
    }
}

/// Scheme, host and target of an absolute URL that goes over HTTP.
fn split_url(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    if !["http", "https", "ws", "wss"].contains(&scheme) {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Some((scheme, host, if target.is_empty() { "/" } else { target }))
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number: &f64| number.is_finite())
}

/// A size or a time; -1 says that there is none.
fn size(value: &Value) -> Option<f64> {
    number(value).filter(|size| *size >= 0.0)
}

fn nanoseconds(milliseconds: f64) -> i64 {
    (milliseconds * 1e6).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const HAR: &str = r#"{"log":{"version":"1.2","creator":{"name":"x"},"pages":[],"entries":[
      {"startedDateTime":"2026-11-02T00:00:00.125+01:00","time":50.5,
       "request":{"method":"GET","url":"https://user:pw@example.com/a?b=1","httpVersion":"h2","bodySize":0,
         "headers":[{"name":"User-Agent","value":"Firefox"},{"name":"referer","value":"https://example.com/"}]},
       "response":{"status":200,"headersSize":100,"bodySize":-1,"_transferSize":612,"content":{"size":900}},
       "timings":{"blocked":-1,"dns":5,"connect":10,"ssl":8,"send":1,"wait":30,"receive":4.5}},
      {"startedDateTime":"2026-11-02T00:00:01Z","time":-1,"request":{"method":"POST","url":"http://example.com"},
       "response":{"status":"302","bodySize":7},"timings":{"send":1,"wait":2,"receive":3}},
      {"startedDateTime":"2026-11-02T00:00:01Z","request":{"url":"https://ads.example/"},"response":{"status":0}},
      {"startedDateTime":"2026-11-02T00:00:01Z","request":{"url":"data:text/plain,x"},"response":{"status":200}},
      {"startedDateTime":"2026-11-02T00:00:01Z","_fromCache":"disk","request":{"url":"https://example.com/c"},
       "response":{"status":200}},
      {"startedDateTime":"yesterday","request":{"url":"https://example.com/c"},"response":{"status":200}}
    ],"comment":""}}"#;

    fn records(text: &[u8]) -> (Vec<String>, Result<(), String>) {
        let mut found = Vec::new();
        let result = read(text, &mut |record| {
            found.push(match record {
                Err(reject) => reject.name().to_owned(),
                Ok(request) => {
                    assert!(request.client.starts_with(b"har-") && request.session == Some(request.client));
                    let text =
                        |text: Option<&[u8]>| String::from_utf8_lossy(text.unwrap_or(b"~")).into_owned();
                    format!(
                        "{} {} {} {} {} {} {:?} {:?} {:?} {} {}",
                        request.stamp_ns / 1_000_000,
                        text(request.method),
                        text(request.host),
                        text(Some(request.target)),
                        text(request.protocol),
                        request.status,
                        request.duration_ns,
                        request.first_byte_ns,
                        request.bytes_out,
                        text(request.user_agent),
                        text(request.referer),
                    )
                }
            });
        });
        (found, result)
    }

    #[test]
    fn entries_become_requests() {
        assert!(recognise(HAR.as_bytes()) > 0.9);
        assert!(recognise(br#"{"log":"192.0.2.1 \"entries\""}"#) < 0.1);
        let (found, result) = records(HAR.as_bytes());
        assert_eq!(result, Ok(()));
        assert_eq!(
            found,
            [
                "1793574000125 GET example.com /a?b=1 HTTP/2 200 Some(50500000) Some(46000000) Some(512) Firefox https://example.com/",
                "1793577601000 POST example.com / ~ 302 Some(6000000) Some(3000000) Some(7) ~ ~",
                "not_a_request",
                "not_a_request",
                "not_a_request",
                "bad_time",
            ]
        );
    }

    #[test]
    fn a_file_that_breaks_off_gives_what_came_before() {
        let cut = HAR.find("\"bodySize\":7").unwrap();
        let (found, result) = records(&HAR.as_bytes()[..cut]);
        assert_eq!(found.len(), 1);
        assert!(result.unwrap_err().starts_with("is no HAR from line 8"));
        assert!(records(b"{}").1.is_ok());
    }

    #[test]
    fn nothing_makes_a_recording_panic() {
        crate::format::tests::mutate(&[HAR], |text| drop(records(text)));
    }
}
