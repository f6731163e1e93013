//! Reading an answer: its head, and how many bytes its body has.

use hyper::Method;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use shared::status::GrpcCode;

use super::Malformed;
use super::chunked::Chunks;
use super::retry_after::RetryAfter;

/// A longer head is refused, as servers and browsers do.
const LONGEST_HEAD: usize = 64 * 1024;
/// More lines in a head are refused.
const MOST_HEADERS: usize = 128;

/// What is kept of the head of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// What it says as the answer to a call of gRPC.
    pub(crate) grpc: Option<GrpcCode>,
    /// Whether another request may follow on the connection.
    pub(crate) keeps_alive: bool,
    /// Where it sends its client.
    pub(crate) location: Option<Box<str>>,
    /// What it wants to have remembered, as it spells it.
    pub(crate) set_cookies: Vec<Box<str>>,
    /// How long an overloaded target asks to wait.
    pub(crate) retry_after: Option<RetryAfter>,
    /// The answer in full, where somebody wants it.
    pub(crate) kept: Option<Box<Kept>>,
}

/// An answer in full.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// An answer that is being read.
#[derive(Debug)]
pub(crate) struct Reading {
    asked_for_head: bool,
    keeps: bool,
    /// What was read of a head that has not ended yet: rarely anything, since heads come in one piece.
    unfinished: Vec<u8>,
    head: Head,
    body: Body,
    body_bytes: u64,
}

/// What of an answer is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    /// All of it.
    Head,
    /// This many bytes.
    Length(u64),
    Chunked(Chunks),
    /// All until the connection is closed.
    UntilClose,
    /// Nothing.
    Done,
}

impl Reading {
    /// An answer to a request with this method, of which nothing has been read, and which may be kept in full.
    pub(crate) fn new(method: &Method, keeps: bool) -> Self {
        Self {
            asked_for_head: *method == Method::HEAD,
            keeps,
            unfinished: Vec::new(),
            head: Head::default(),
            body: Body::Head,
            body_bytes: 0,
        }
    }

    /// Reads on in `bytes`; true when they complete the answer.
    ///
    /// # Errors
    /// [`Malformed`] for what is no answer, and for bytes that nobody asked for behind it.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<bool, Malformed> {
        if self.body != Body::Head {
            return self.take_body(bytes);
        }
        if self.unfinished.is_empty() {
            return match self.take_head(bytes)? {
                Some(length) => self.take_body(&bytes[length..]),
                None => {
                    self.unfinished = bytes.to_vec();
                    Ok(false)
                }
            };
        }
        let mut all = std::mem::take(&mut self.unfinished);
        all.extend_from_slice(bytes);
        match self.take_head(&all)? {
            Some(length) => self.take_body(&all[length..]),
            None if all.len() > LONGEST_HEAD => Err(Malformed),
            None => {
                self.unfinished = all;
                Ok(false)
            }
        }
    }

    /// The connection was closed; true when that completes the answer.
    pub(crate) fn closed(&mut self) -> bool {
        if self.body == Body::UntilClose {
            self.body = Body::Done;
        }
        self.body == Body::Done
    }

    /// Head and bytes of body of the complete answer.
    pub(crate) fn finish(self) -> (Head, u64) {
        (self.head, self.body_bytes)
    }

    /// Bytes of the head of the answer, if it is there to its end. Announcements (1xx) before it are passed over.
    fn take_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let mut from = 0;
        loop {
            let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
            let mut answer = httparse::Response::new(&mut headers);
            let httparse::Status::Complete(length) = answer.parse(&bytes[from..]).map_err(|_| Malformed)?
            else {
                return if bytes.len() > LONGEST_HEAD { Err(Malformed) } else { Ok(None) };
            };
            from += length;
            match answer.code {
                // Nobody asked for another protocol.
                Some(101) | None => return Err(Malformed),
                Some(100..200) => {}
                Some(status) => {
                    self.understand(status, answer.version == Some(1), answer.headers)?;
                    return Ok(Some(from));
                }
            }
        }
    }

    /// How long the body is and whether the connection stays (RFC 9112, 6.3 and 9.3).
    fn understand(
        &mut self,
        status: u16,
        newer: bool,
        headers: &[httparse::Header<'_>],
    ) -> Result<(), Malformed> {
        let (mut length, mut chunked, mut coded) = (None, false, false);
        let (mut retry_after, mut date) = (None, None);
        self.head = Head { status, keeps_alive: newer, ..Head::default() };
        self.head.kept = self.keeps.then(|| Box::new(Kept { headers: map(headers), body: Vec::new() }));
        for httparse::Header { name, value } in headers {
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            if is("content-length") {
                let said: u64 = text(value).trim().parse().map_err(|_| Malformed)?;
                if length.is_some_and(|length| length != said) {
                    return Err(Malformed);
                }
                length = Some(said);
            } else if is("transfer-encoding") {
                coded = true;
                chunked = words(value).last().is_some_and(|word| word.eq_ignore_ascii_case("chunked"));
            } else if is("connection") {
                for word in words(value) {
                    if word.eq_ignore_ascii_case("close") {
                        self.head.keeps_alive = false;
                    } else if word.eq_ignore_ascii_case("keep-alive") {
                        self.head.keeps_alive = true;
                    }
                }
            } else if is("retry-after") {
                retry_after = Some(text(value));
            } else if is("date") {
                date = Some(text(value));
            } else if is("location") {
                self.head.location = Some(text(value).into());
            } else if is("set-cookie") {
                self.head.set_cookies.push(text(value).into());
            }
        }
        self.head.retry_after = retry_after.and_then(|value| RetryAfter::of(status, value, date));
        self.body = match length {
            _ if self.asked_for_head || matches!(status, 204 | 304) => Body::Done,
            _ if chunked => Body::Chunked(Chunks::new()),
            Some(length) if !coded => Body::Length(length),
            _ => Body::UntilClose,
        };
        // Both lengths at once are how requests are smuggled: what follows on the connection is not to be trusted.
        self.head.keeps_alive &= self.body != Body::UntilClose && !(coded && length.is_some());
        Ok(())
    }

    fn take_body(&mut self, bytes: &[u8]) -> Result<bool, Malformed> {
        let used = match &mut self.body {
            Body::Length(left) => {
                let here = (*left).min(bytes.len() as u64);
                self.head
                    .kept
                    .iter_mut()
                    .for_each(|kept| kept.body.extend_from_slice(&bytes[..here as usize]));
                *left -= here;
                self.body_bytes += here;
                if *left == 0 {
                    self.body = Body::Done;
                }
                here as usize
            }
            Body::Chunked(chunks) => {
                let kept = &mut self.head.kept;
                let (used, data) = chunks.take(bytes, |data| {
                    kept.iter_mut().for_each(|kept| kept.body.extend_from_slice(data));
                })?;
                self.body_bytes += data;
                if *chunks == Chunks::Done {
                    self.body = Body::Done;
                }
                used
            }
            Body::UntilClose => {
                self.head.kept.iter_mut().for_each(|kept| kept.body.extend_from_slice(bytes));
                self.body_bytes += bytes.len() as u64;
                bytes.len()
            }
            Body::Head | Body::Done => 0,
        };
        if used < bytes.len() { Err(Malformed) } else { Ok(self.body == Body::Done) }
    }
}

/// Headers as a map, without those that are none.
fn map(headers: &[httparse::Header<'_>]) -> HeaderMap {
    let pair = |header: &httparse::Header<'_>| {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(header.value).ok()?))
    };
    headers.iter().filter_map(pair).collect()
}

/// A header's value; what is no text has nothing to say to us.
fn text(value: &[u8]) -> &str {
    std::str::from_utf8(value).unwrap_or_default()
}

/// The words of a list with commas.
fn words(value: &[u8]) -> impl Iterator<Item = &str> {
    text(value).split(',').map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `parts`, then the end of the connection if the answer is not complete: status, bytes of body, whether
    /// the connection stays; none if the end came too early.
    fn read(method: &Method, parts: &[&[u8]]) -> Result<Option<(u16, u64, bool)>, Malformed> {
        let mut reading = Reading::new(method, false);
        let mut done = false;
        for part in parts.iter().filter(|part| !part.is_empty()) {
            done = reading.take(part)?;
        }
        let complete = done || reading.closed();
        let (head, body_bytes) = reading.finish();
        Ok(complete.then_some((head.status, body_bytes, head.keeps_alive)))
    }

    /// The same for any way of cutting the bytes in two, and one byte at a time.
    #[track_caller]
    fn check(method: &Method, text: &str, expected: Result<Option<(u16, u64, bool)>, Malformed>) {
        let bytes = text.as_bytes();
        for cut in 0..=bytes.len() {
            assert_eq!(read(method, &[&bytes[..cut], &bytes[cut..]]), expected, "{text:?} cut at {cut}");
        }
        assert_eq!(read(method, &bytes.chunks(1).collect::<Vec<_>>()), expected, "{text:?}");
    }

    #[test]
    fn every_way_to_say_how_long_a_body_is() {
        let get = |text, expected| check(&Method::GET, text, Ok(expected));
        get("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", Some((200, 5, true)));
        get("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Some((200, 0, true)));
        get("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell", None);
        get(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            Some((200, 3, true)),
        );
        get("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", None);
        get("HTTP/1.1 200 OK\r\n\r\nuntil the end", Some((200, 13, false)));
        get("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx", Some((200, 1, false)));
        get("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\nx", Some((200, 1, true)));
        get("HTTP/1.1 200 OK\r\nconnection: Foo, Close\r\ncontent-length: 1\r\n\r\nx", Some((200, 1, false)));
        get("HTTP/1.1 304 Not Modified\r\ncontent-length: 900\r\n\r\n", Some((304, 0, true)));
        get("HTTP/1.1 204 No Content\r\n\r\n", Some((204, 0, true)));
        get(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 201 C\r\n\
             content-length: 2\r\n\r\nok",
            Some((201, 2, true)),
        );
        check(&Method::HEAD, "HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n", Ok(Some((200, 0, true))));
        // Chunks win over a length, but the connection ends there (RFC 9112, 6.3).
        get(
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            Some((200, 0, false)),
        );
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for text in [
            "SSH-2.0-OpenSSH_9\r\n",
            "HTTP/1.1 101 Switching\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nz",
        ] {
            assert_eq!(read(&Method::GET, &[text.as_bytes()]), Err(Malformed), "{text:?}");
        }
        // More than was announced.
        let two = b"HTTP/1.1 204 None\r\n\r\nHTTP/1.1 200 OK\r\n";
        assert_eq!(read(&Method::GET, &[two]), Err(Malformed));
        let endless = [b"HTTP/1.1 200 OK\r\nx: ".as_slice(), &vec![b'a'; LONGEST_HEAD]].concat();
        assert_eq!(read(&Method::GET, &[&endless]), Err(Malformed));
        assert_eq!(read(&Method::GET, &endless.chunks(1000).collect::<Vec<_>>()), Err(Malformed));
    }

    #[test]
    fn cookies_and_where_to_go_are_kept() {
        let mut reading = Reading::new(&Method::GET, false);
        let text = "HTTP/1.1 302 Found\r\nSet-Cookie: a=1\r\nset-cookie: b=2; Path=/\r\nLocation: /next\r\n\
                    content-length: 0\r\n\r\n";
        assert_eq!(reading.take(text.as_bytes()), Ok(true));
        let (head, _) = reading.finish();
        assert_eq!(head.location.as_deref(), Some("/next"));
        assert_eq!(head.set_cookies, ["a=1".into(), "b=2; Path=/".into()]);
    }

    #[test]
    fn an_answer_can_be_kept_in_full() {
        let mut reading = Reading::new(&Method::GET, true);
        for part in [
            &b"HTTP/1.1 200 OK\r\nX-Token: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"[..],
            b"c\r\n1\r\nd\r\n",
        ] {
            assert_eq!(reading.take(part), Ok(false));
        }
        assert_eq!(reading.take(b"0\r\n\r\n"), Ok(true));
        let kept = reading.finish().0.kept.unwrap();
        assert_eq!(
            (&kept.body[..], &kept.headers["x-token"]),
            (&b"abcd"[..], &HeaderValue::from_static("t"))
        );
    }
}
