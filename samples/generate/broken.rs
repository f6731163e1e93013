//! Lines no reader should fall over: cut off, binary, empty, foreign or far too long.

use std::collections::BTreeMap;

use crate::Format;
use crate::line::{Line, SECOND_US, Writer};
use crate::log::Log;
use crate::random::{Random, Stream};
use crate::secrets::Secrets;

/// Kinds of broken lines, and how many there are of each.
const KINDS: [(Kind, u64); 9] = [
    (Kind::CutInStamp, 4),
    (Kind::CutInRequest, 6),
    (Kind::BinaryRequest, 8),
    (Kind::NoRequest, 5),
    (Kind::Empty, 3),
    (Kind::NulBytes, 2),
    (Kind::ErrorLog, 5),
    (Kind::InvalidUtf8, 3),
    (Kind::Overlong, 2),
];

#[derive(Clone, Copy)]
enum Kind {
    /// The disk was full
    CutInStamp,
    /// The same, further on
    CutInRequest,
    /// A TLS client on the plain port; well-formed as a line
    BinaryRequest,
    /// A connection closed without a request; well-formed as a line
    NoRequest,
    Empty,
    /// What a crash leaves behind in a preallocated file
    NulBytes,
    /// The error log, written to the same file
    ErrorLog,
    /// What nginx would have escaped, and another writer did not
    InvalidUtf8,
    /// A URL of 20 kB; well-formed as a line
    Overlong,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::CutInStamp => "cut_in_stamp",
            Self::CutInRequest => "cut_in_request",
            Self::BinaryRequest => "binary_request",
            Self::NoRequest => "no_request",
            Self::Empty => "empty",
            Self::NulBytes => "nul_bytes",
            Self::ErrorLog => "error_log",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::Overlong => "overlong",
        }
    }
}

/// Strews broken lines over `span_us` and returns how many of each kind there are.
pub(crate) fn strew(
    seed: u64,
    span_us: u64,
    secrets: &mut Secrets,
    log: &mut Log,
) -> BTreeMap<&'static str, u64> {
    let mut random = Random::new(seed, Stream::Broken);
    let mut writer = Writer::new(Format::Shop);
    for (kind, count) in KINDS {
        for _ in 0..count {
            let at_us = (random.uniform() * span_us as f64) as u64;
            let line = broken_line(kind, at_us, &mut random, &mut writer, secrets);
            log.push_raw(at_us, &line);
        }
    }
    KINDS.iter().map(|&(kind, count)| (kind.name(), count)).collect()
}

fn broken_line(
    kind: Kind,
    at_us: u64,
    random: &mut Random,
    writer: &mut Writer,
    secrets: &mut Secrets,
) -> Vec<u8> {
    let address = format!("192.0.2.{}", 128 + random.below(100));
    let mut line = |request: &[u8], status, agent: &[u8]| {
        let line = Line {
            address: &address,
            user: None,
            started_us: at_us,
            ended_us: at_us,
            request,
            status,
            body_bytes: if status == 200 { 9_000 } else { 150 },
            referer: b"",
            agent,
        };
        let mut out = Vec::new();
        writer.write(&line, &mut out);
        out.pop();
        out
    };
    let mut request_with_secret =
        || format!("GET /cart?token={} HTTP/1.1", secrets.token("token in a broken line"));
    match kind {
        Kind::CutInStamp => {
            let mut whole = line(b"GET / HTTP/1.1", 200, b"Mozilla/5.0");
            whole.truncate(address.len() + 6 + random.below(20));
            whole
        }
        Kind::CutInRequest => {
            let mut whole = line(request_with_secret().as_bytes(), 200, b"Mozilla/5.0");
            let protocol = whole.windows(4).position(|bytes| bytes == b"HTTP").expect("it was just written");
            whole.truncate(protocol + random.below(5));
            whole
        }
        Kind::BinaryRequest => {
            let mut hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
            hello.extend((0..24).map(|_| random.bits() as u8));
            line(&hello, 400, b"")
        }
        Kind::NoRequest => {
            let text = String::from_utf8(line(b"", 400, b"")).expect("no byte of it is above 0x7f");
            text.replace(" 400 150 ", " 400 0 ").into_bytes()
        }
        Kind::Empty => Vec::new(),
        Kind::NulBytes => vec![0; 64 + random.below(128)],
        Kind::ErrorLog => {
            let second = at_us / SECOND_US;
            let (hour, minute) = (second / 3_600 % 24, second / 60 % 60);
            let request = request_with_secret();
            format!(
                "2026/11/{:02} {hour:02}:{minute:02}:{:02} [error] 812#812: *{} upstream timed out (110: Connection \
                 timed out) while reading response header from upstream, client: {address}, server: shop.example, \
                 request: \"{request}\", upstream: \"http://10.255.0.7:8080/cart\", host: \"shop.example\"",
                2 + second / 86_400,
                second % 60,
                random.below(1_000_000),
            )
            .into_bytes()
        }
        Kind::InvalidUtf8 => {
            let mut whole = line(b"GET / HTTP/1.1", 200, b"Mozilla/5.0 (X11) M?nchen");
            let place = whole.iter().position(|&byte| byte == b'?').expect("it was just written");
            // "Munich" in Latin-1.
            whole[place] = 0xfc;
            whole
        }
        Kind::Overlong => {
            let request = format!(
                "GET /search?q={}{} HTTP/1.1",
                secrets.token("token in a broken line"),
                "A".repeat(20_000)
            );
            line(request.as_bytes(), 414, b"Mozilla/5.0")
        }
    }
}
