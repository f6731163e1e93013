//! OTLP as Protocol Buffers: one message, or what the OpenTelemetry collector's file exporter writes with
//! `format: proto` or with `compression: zstd`.
//!
//! Sources: opentelemetry-proto, `trace/v1/trace.proto` (numbers of fields); the exporter's `fileexporter`: in front of
//! each message stands its length, four bytes with the highest first, and zstd compresses each message on its own, JSON
//! as well.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Read as _;

use super::convention::{Facts, Field};
use super::json::{self, ITEMS};
use super::otlp;
use super::protobuf::{self, Value, fields};
use super::span::{Kind, Span, Spans};
use crate::document::Sink;

const ZSTD_MAGIC: &[u8] = b"\x28\xb5\x2f\xfd";
/// A message that becomes larger than this is no message.
const LARGEST: u64 = 1 << 30;
const DAMAGED: &str = "a message that is damaged";
/// Of `TracesData`: the spans of a resource.
const RESOURCE_SPANS: u64 = 1;

/// Whether `head`, which may be cut, begins like the spans of a resource.
pub(super) fn recognise(head: &[u8]) -> bool {
    match framed(head) {
        Some((length, message)) => {
            let begins = message.starts_with(ZSTD_MAGIC) || is_json(message) || begins_like_spans(message);
            length > 8 && begins
        }
        None => begins_like_spans(head),
    }
}

fn is_json(message: &[u8]) -> bool {
    message.starts_with(b"{\"resource")
}

/// The length in front of a message, and what follows.
fn framed(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    // Larger ones would start with the byte that a message without a length starts with.
    let length = u32::from_be_bytes(*length) as usize;
    (length < 0x0a00_0000).then_some((length, rest))
}

/// A message of a resource, in it a resource or its spans, in it an attribute or a scope: text would not go so deep.
fn begins_like_spans(message: &[u8]) -> bool {
    let mut rest = message;
    let mut room = u64::MAX;
    let tags: [&[u64]; 4] = [&[0x0a], &[0x0a, 0x12], &[0x0a, 0x12], &[0x0a]];
    for allowed in tags {
        let Some(tag) = protobuf::varint(&mut rest) else { return false };
        let Some(length) = protobuf::varint(&mut rest) else { return false };
        if !allowed.contains(&tag) || length >= room || length == 0 {
            return false;
        }
        room = length;
    }
    let name = &rest[..rest.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')
}

pub(super) fn read(bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), String> {
    let mut spans = Spans::default();
    let end = messages(bytes, &mut spans);
    spans.give(sink);
    end
}

fn messages(bytes: &[u8], spans: &mut Spans) -> Result<(), String> {
    if begins_like_spans(bytes) {
        return message(bytes, spans);
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        let (length, after) = framed(rest).ok_or("no length in front of a message")?;
        let (taken, after) = after.split_at_checked(length).ok_or("the end of the file inside a message")?;
        message(taken, spans)?;
        rest = after;
    }
    Ok(())
}

/// One message, compressed or not.
fn message(bytes: &[u8], spans: &mut Spans) -> Result<(), String> {
    let mut plain = Cow::Borrowed(bytes);
    if bytes.starts_with(ZSTD_MAGIC) {
        let mut taken = Vec::new();
        let decoder = zstd::stream::read::Decoder::new(bytes);
        let read = decoder.and_then(|decoder| decoder.take(LARGEST).read_to_end(&mut taken));
        read.map_err(|_| "a message whose compression is damaged")?;
        plain = Cow::Owned(taken);
    }
    if is_json(&plain) {
        let text = String::from_utf8_lossy(&plain);
        return json::each(&text, &["resourceSpans", ITEMS], &mut |record| otlp::take(record, spans));
    }
    for field in fields(&plain) {
        if let (RESOURCE_SPANS, Value::Bytes(resource)) = field.map_err(|_| DAMAGED)? {
            resource_spans(resource, spans)?;
        }
    }
    Ok(())
}

/// `ResourceSpans`: 1 resource, 2 spans by scope; 1000 was spans by instrumentation library.
fn resource_spans(bytes: &[u8], spans: &mut Spans) -> Result<(), String> {
    let mut facts = Facts::default();
    let resource = fields(bytes).flatten().find_map(|(number, value)| value.bytes().filter(|_| number == 1));
    for (number, value) in fields(resource.unwrap_or_default()).flatten() {
        if let (1, Value::Bytes(bytes)) = (number, value) {
            attribute(bytes, &mut facts);
        }
    }
    let service = facts.get(Field::Service).unwrap_or_default();
    for field in fields(bytes) {
        if let (2 | 1000, Value::Bytes(scope)) = field.map_err(|_| DAMAGED)? {
            for field in fields(scope) {
                if let (2, Value::Bytes(bytes)) = field.map_err(|_| DAMAGED)? {
                    spans.push(span(bytes, service));
                }
            }
        }
    }
    Ok(())
}

/// `Span`: 1 trace, 2 id, 3 trace state, 4 parent, 5 name, 6 kind, 7 start, 8 end, 9 attributes.
fn span(bytes: &[u8], service: &str) -> Span {
    let mut span = Span { service: service.into(), kind: Kind::Internal, ..Span::request() };
    let (mut start, mut end) = (None, None);
    for (number, value) in fields(bytes).flatten() {
        match number {
            1 => span.trace = hexadecimal(value),
            2 => span.id = hexadecimal(value),
            3 => span.weight = value.text().and_then(otlp::weight),
            4 => span.parent = hexadecimal(value),
            5 => span.name = value.text().unwrap_or_default().into(),
            6 => {
                span.kind = otlp::kind(value.number().and_then(|kind| i64::try_from(kind).ok()).unwrap_or(-1))
            }
            7 => start = value.number().and_then(|ns| i64::try_from(ns).ok()),
            8 => end = value.number().and_then(|ns| i64::try_from(ns).ok()),
            9 => attribute(value.bytes().unwrap_or_default(), &mut span.facts),
            _ => {}
        }
    }
    span.start_ns = start;
    span.duration_ns = start.zip(end).and_then(|(start, end)| end.checked_sub(start));
    span
}

/// `KeyValue`: 1 key, 2 value; of the value 1 text, 2 yes or no, 3 integer, 4 float, 5 list.
fn attribute(bytes: &[u8], facts: &mut Facts) {
    let (mut key, mut value) = ("", &b""[..]);
    for (number, found) in fields(bytes).flatten() {
        match number {
            1 => key = found.text().unwrap_or_default(),
            2 => value = found.bytes().unwrap_or_default(),
            _ => {}
        }
    }
    if let Some(text) = any_value(value) {
        facts.attribute(key, &text);
    }
}

fn any_value(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let (number, value) = fields(bytes).flatten().next()?;
    match (number, value) {
        (1, value) => value.text().map(Cow::Borrowed),
        (2, Value::Varint(yes)) => Some(Cow::Borrowed(if yes == 0 { "false" } else { "true" })),
        (3, Value::Varint(integer)) => Some(Cow::Owned(integer.cast_signed().to_string())),
        (4, Value::Fixed64(bits)) => Some(Cow::Owned(f64::from_bits(bits).to_string())),
        // Of a list its first: that it holds no lists keeps this from going deep.
        (5, Value::Bytes(list)) => {
            let (_, first) = fields(list).flatten().next()?;
            let (1, text) = fields(first.bytes()?).flatten().next()? else { return None };
            text.text().map(Cow::Borrowed)
        }
        _ => None,
    }
}

fn hexadecimal(value: Value<'_>) -> Box<str> {
    let mut text = String::new();
    for byte in value.bytes().unwrap_or_default() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apm::tests::check_bytes;

    fn nested(number: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let mut out = vec![number << 3 | 2];
        let mut length = content.len();
        while length >= 0x80 {
            out.push(length as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend(content);
        out
    }

    fn text(key: &str, value: &str) -> Vec<u8> {
        [nested(1, &[key.as_bytes()]), nested(2, &[&nested(1, &[value.as_bytes()])])].concat()
    }

    fn fixed(number: u8, value: u64) -> Vec<u8> {
        [&[number << 3 | 1][..], &value.to_le_bytes()].concat()
    }

    fn traces() -> Vec<u8> {
        let span = nested(
            2,
            &[
                &nested(1, &[&[0xa1; 16]]),
                &nested(2, &[&[7; 8]]),
                &nested(3, &[b"ot=th:8"]),
                &nested(5, &[b"GET /items/{id}"]),
                &[6 << 3, 2],
                &fixed(7, 1_793_574_001_250_000_000),
                &fixed(8, 1_793_574_001_300_000_000),
                &nested(9, &[&text("http.request.method", "GET")]),
                &nested(9, &[&text("url.path", "/items/7")]),
                &nested(
                    9,
                    &[&nested(1, &[b"http.response.status_code"]), &nested(2, &[&[3 << 3, 0x94, 0x03]])],
                ),
                &nested(9, &[&text("session.id", "s1")]),
            ],
        );
        let client = nested(2, &[&nested(2, &[&[8; 8]]), &[6 << 3, 3]]);
        let resource = nested(1, &[&nested(1, &[&text("service.name", "shop")])]);
        nested(1, &[&resource, &nested(2, &[&span, &client])])
    }

    #[test]
    fn messages_come_bare_with_their_length_and_compressed() {
        let one = traces();
        let given = [
            "2026-11-01T23:00:01.250Z 0.05s GET /items/7 404 session:s1 route=/items/{id} weight=2",
            "not_a_request",
        ];
        let framed =
            |message: &[u8]| [&u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat();
        let zstd = zstd::encode_all(one.as_slice(), 1).unwrap();
        let json =
            zstd::encode_all(&br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":3}]}]}]}"#[..], 1)
                .unwrap();
        for (bytes, expected) in [
            (one.clone(), given.to_vec()),
            (framed(&one), given.to_vec()),
            ([framed(&zstd), framed(&json)].concat(), vec![given[0], given[1], "not_a_request"]),
        ] {
            assert!(recognise(&bytes) && recognise(&bytes[..bytes.len().min(40)]));
            check_bytes(read, &bytes, &expected);
        }
    }

    #[test]
    fn text_is_no_message_and_damage_is_said() {
        for text in ["GET / HTTP/1.1\n", "\n\n\n\n\n\n", "{\"a\":1}", "", "\0\0\0\0"] {
            assert!(!recognise(text.as_bytes()), "{text:?}");
        }
        let mut bytes = traces();
        bytes.pop();
        let message = read(&bytes, &mut |_| {}).unwrap_err();
        assert_eq!(message, "a message that is damaged");
        for cut in 0..bytes.len() {
            let _ = read(&bytes[..cut], &mut |_| {});
        }
    }
}
