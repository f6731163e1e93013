//! GoReplay (`.gor`): requests and responses as they went over the wire.
//!
//! Source: goreplay `protocol.go` and `input_raw.go`. Payloads are parted by a line of three monkeys. The first line
//! of each is its kind (1 request, 2 response, 3 response to a replay), an id that a request and its response share,
//! the moment its first packet was seen, and how long it took to come in, both in nanoseconds; versions before 1.1
//! print the time between request and response in place of a response's moment. Stamps are the START of a request.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::document::Sink;
use crate::format::meaning::forwarded_client;
use crate::reject::Reject;
use crate::request::Request;

const SEPARATOR: &[u8] = "\n🐵🙈🙉\n".as_bytes();

/// How sure the first bytes make that an input is a GoReplay file.
pub(crate) fn recognise(head: &[u8]) -> f64 {
    let starts = Payload::new(payloads(head).next().unwrap_or_default());
    match starts {
        Some(payload) if memchr::memmem::find(head, SEPARATOR).is_some() && payload.is_http() => 1.0,
        _ => 0.0,
    }
}

/// Gives every request to `sink`, in the order of the file.
///
/// # Errors
/// None: what is no payload is refused by itself.
pub(crate) fn read(bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), String> {
    let mut responses: HashMap<&[u8], Payload<'_>, FixedState> = HashMap::default();
    for payload in payloads(bytes).filter_map(Payload::new).filter(|payload| payload.kind == b'2') {
        responses.entry(payload.id).or_insert(payload);
    }
    for text in payloads(bytes) {
        match Payload::new(text) {
            Some(payload) if payload.kind == b'1' => sink(payload.request(responses.get(payload.id))),
            // Responses belong to their requests.
            Some(_) => {}
            None if text.trim_ascii().is_empty() => {}
            None => sink(Err(Reject::OtherFormat)),
        }
    }
    Ok(())
}

fn payloads(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    memchr::memmem::find_iter(bytes, SEPARATOR).chain(std::iter::once(bytes.len())).map(move |end| {
        let payload = &bytes[start.min(end)..end];
        start = end + SEPARATOR.len();
        payload
    })
}

#[derive(Debug, Clone, Copy)]
struct Payload<'a> {
    kind: u8,
    id: &'a [u8],
    timing_ns: i64,
    latency_ns: i64,
    /// Start line and headers, up to the blank line.
    head: &'a [u8],
    body: &'a [u8],
}

impl<'a> Payload<'a> {
    fn new(text: &'a [u8]) -> Option<Self> {
        let end = memchr::memchr(b'\n', text)?;
        let number = |word: &[u8]| std::str::from_utf8(word).ok()?.parse::<i64>().ok();
        let mut words = text[..end].trim_ascii_end().split(|byte| *byte == b' ');
        let kind = match words.next()? {
            [kind @ b'1'..=b'3'] => *kind,
            _ => return None,
        };
        let id = words.next()?;
        let timing_ns = number(words.next()?)?;
        let latency_ns = words.next().and_then(number).unwrap_or(0).max(0);
        let message = &text[end + 1..];
        let (head, body) = match memchr::memmem::find(message, b"\r\n\r\n") {
            Some(blank) => (&message[..blank], &message[blank + 4..]),
            None => (message, &[][..]),
        };
        Some(Self { kind, id, timing_ns, latency_ns, head, body })
    }

    fn is_http(&self) -> bool {
        memchr::memmem::find(self.head, b"HTTP/1.").is_some()
    }

    /// The start line in three words, of which the last may hold blanks or be missing.
    fn start_line(&self) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
        let line = self.head.split(|byte| *byte == b'\n').next()?.trim_ascii_end();
        let mut words = line.splitn(3, |byte| *byte == b' ');
        Some((words.next()?, words.next()?, words.next().unwrap_or_default()))
    }

    /// The value of header `name`.
    fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            let named = line[..colon].eq_ignore_ascii_case(name.as_bytes());
            named.then(|| line[colon + 1..].trim_ascii()).filter(|value| !value.is_empty())
        })
    }

    fn body_bytes(&self) -> u64 {
        let announced = self.header("content-length").and_then(|text| std::str::from_utf8(text).ok());
        announced.and_then(|text| text.parse().ok()).unwrap_or(self.body.len() as u64)
    }

    /// The request of this payload, and the outcome that `response` tells.
    fn request(&self, response: Option<&Self>) -> Result<Request<'a>, Reject> {
        if self.timing_ns <= 0 {
            return Err(Reject::BadTime);
        }
        let (method, target, protocol) = self.start_line().ok_or(Reject::Truncated)?;
        if !protocol.starts_with(b"HTTP/") {
            return Err(Reject::OtherFormat);
        }
        let status = match response {
            None => 0,
            Some(response) => {
                let status =
                    response.start_line().and_then(|(_, status, _)| std::str::from_utf8(status).ok());
                status.and_then(|text| text.parse().ok()).filter(|status| *status < 1000).unwrap_or(0)
            }
        };
        let first_byte_ns = response.map(|response| match response.timing_ns > self.timing_ns / 2 {
            true => response.timing_ns.saturating_sub(self.timing_ns).max(0),
            false => response.timing_ns.max(0),
        });
        Ok(Request {
            stamp_ns: self.timing_ns,
            first_byte_ns,
            duration_ns: first_byte_ns
                .zip(response)
                .map(|(first_byte_ns, response)| first_byte_ns.saturating_add(response.latency_ns)),
            method: Some(method),
            target,
            host: self.header("host"),
            protocol: Some(protocol),
            status,
            bytes_out: response.map(Self::body_bytes),
            bytes_in: Some(self.body_bytes()),
            client: self
                .header("x-real-ip")
                .or_else(|| self.header("x-forwarded-for").map(forwarded_client))
                .unwrap_or_default(),
            referer: self.header("referer"),
            user_agent: self.header("user-agent"),
            request_id: self.header("x-request-id"),
            ..Request::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOR: &str = "1 aa 1793577600000000000 1000\nGET /a?b=1 HTTP/1.1\r\nHost: example.com\r\nuser-agent: curl/8.5\r\nX-Forwarded-For: 192.0.2.1, 10.0.0.1\r\nReferer: https://example.com/\r\n\r\n\n🐵🙈🙉\n\
        1 bb 1793577601000000000\nPOST /b HTTP/1.1\r\nContent-Length: 5\r\n\r\na=b&c\n🐵🙈🙉\n\
        2 aa 1793577600050000000 2000000\nHTTP/1.1 404 Not Found\r\nContent-Length: 512\r\n\r\n(cut)\n🐵🙈🙉\n\
        3 aa 1793577600060000000 1\nHTTP/1.1 200 OK\r\n\r\n\n🐵🙈🙉\n\
        2 bb 7000000\nHTTP/1.0 302 Found\r\n\r\nab\n🐵🙈🙉\n\
        1 cc 1793577602000000000 0\nGET /c HTTP/1.1\r\n\r\n\n🐵🙈🙉\n\
        something else\n🐵🙈🙉\n";

    fn records(text: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        let result = read(text, &mut |record| {
            found.push(match record {
                Err(reject) => reject.name().to_owned(),
                Ok(request) => {
                    let text =
                        |text: Option<&[u8]>| String::from_utf8_lossy(text.unwrap_or(b"~")).into_owned();
                    format!(
                        "{} {} {} {} {} {:?} {:?} {:?} {:?} {} {}",
                        request.stamp_ns / 1_000_000,
                        text(request.method),
                        text(request.host),
                        text(Some(request.target)),
                        request.status,
                        request.duration_ns,
                        request.first_byte_ns,
                        request.bytes_out,
                        request.bytes_in,
                        text(Some(request.client)),
                        text(request.user_agent),
                    )
                }
            });
        });
        assert_eq!(result, Ok(()));
        found
    }

    #[test]
    fn requests_are_paired_with_their_responses() {
        assert!(recognise(GOR.as_bytes()) > 0.9);
        assert!(recognise(b"1 aa 17\nGET / HTTP/1.1\r\n\r\n") < 0.1);
        assert_eq!(
            records(GOR.as_bytes()),
            [
                "1793577600000 GET example.com /a?b=1 404 Some(52000000) Some(50000000) Some(512) Some(0) 192.0.2.1 curl/8.5",
                "1793577601000 POST ~ /b 302 Some(7000000) Some(7000000) Some(2) Some(5)  ~",
                "1793577602000 GET ~ /c 0 None None None Some(0)  ~",
                "other_format",
            ]
        );
    }

    #[test]
    fn nothing_makes_a_recording_panic() {
        crate::format::tests::mutate(&[GOR], |text| {
            let _ = recognise(text);
            drop(records(text));
        });
    }
}
