//! Streams that must be unpacked before there are lines: documents around the lines of a log, as shippers and
//! command-line tools write them. Read as a stream, with one message in memory at a time.
//!
//! | envelope | who writes it | one line per |
//! |---|---|---|
//! | `cloudwatch` | CloudWatch Logs subscriptions and Firehose, `aws logs filter-log-events` and `get-log-events` | line of a `message` |
//! | `azure-records` | Azure Monitor: Event Hubs and blobs, `{"records":[…]}` | record |
//! | `gcp-entries` | `gcloud logging read --format json` | entry |
//! | `journald-export` | `journalctl -o export` | line of a `MESSAGE` |
//!
//! Documents follow each other with or without anything between them. The stamps of the envelope are dropped: the
//! line inside has its own. Sources: Amazon CloudWatch Logs User Guide, "Log group-level subscription filters"; AWS
//! CLI reference, `logs`; Azure Monitor, "Stream to Event Hubs"; systemd, "Journal Export Formats".

use std::io::{self, BufRead, BufReader, Read};

use serde::de::{Deserialize, Deserializer, Visitor};

use super::flaw::Flaw;

/// What lies around the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Envelope {
    CloudWatch,
    AzureRecords,
    GcpEntries,
    JournaldExport,
}

impl Envelope {
    /// The envelope that the first bytes of a stream show.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        match head.trim_ascii_start() {
            head @ [b'{', ..] => object(head).ok().flatten(),
            head @ [b'[', ..] => entries(head).ok().flatten(),
            head if head.starts_with(b"__CURSOR=") => Some(Self::JournaldExport),
            _ => None,
        }
    }

    /// The name shown to people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CloudWatch => "cloudwatch",
            Self::AzureRecords => "azure-records",
            Self::GcpEntries => "gcp-entries",
            Self::JournaldExport => "journald-export",
        }
    }
}

/// The envelope of a document that is an object: what its first known array holds.
fn object(head: &[u8]) -> io::Result<Option<Envelope>> {
    let mut scanner = Scanner::new(head);
    scanner.expect(b'{')?;
    while let Some(key) = scanner.key()? {
        let array = scanner.peek()? == Some(b'[');
        match key.as_slice() {
            b"logEvents" | b"events" if array => {
                scanner.expect(b'[')?;
                let keys = first_keys(&mut scanner)?;
                let empty = key == b"logEvents" && keys.is_empty();
                let both = ["timestamp", "message"].iter().all(|name| keys.iter().any(|key| key == name));
                return Ok((empty || both).then_some(Envelope::CloudWatch));
            }
            b"records" if array => {
                scanner.expect(b'[')?;
                let keys = first_keys(&mut scanner)?;
                let azure =
                    keys.iter().any(|key| key.eq_ignore_ascii_case("resourceId") || key == "category");
                return Ok(azure.then_some(Envelope::AzureRecords));
            }
            _ => scanner.value(&mut Nowhere)?,
        }
    }
    Ok(None)
}

fn entries(head: &[u8]) -> io::Result<Option<Envelope>> {
    let mut scanner = Scanner::new(head);
    scanner.expect(b'[')?;
    let keys = first_keys(&mut scanner)?;
    let entry = ["logName", "insertId"].iter().all(|name| keys.iter().any(|key| key == name));
    Ok(entry.then_some(Envelope::GcpEntries))
}

/// The keys of the first element of an array, as far as the text goes.
fn first_keys(scanner: &mut Scanner<&[u8]>) -> io::Result<Vec<String>> {
    let mut keys = Vec::new();
    if scanner.peek()? == Some(b'{') {
        scanner.expect(b'{')?;
        // The head may end inside the element: the keys that are there must do.
        while let Ok(Some(key)) = scanner.key() {
            keys.push(String::from_utf8_lossy(&key).into_owned());
            if scanner.value(&mut Nowhere).is_err() {
                break;
            }
        }
    }
    Ok(keys)
}

/// The lines in a stream of envelopes.
pub(crate) struct Unpacked<R> {
    envelope: Envelope,
    scanner: Scanner<BufReader<R>>,
    at: At,
    line_limit: usize,
    /// Lines, not handed out before `given`.
    lines: Vec<u8>,
    given: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Between two documents.
    Border,
    /// Inside a document, before a key; of a document that holds nothing of a log when `idle`.
    Object {
        idle: bool,
    },
    /// Inside the array with the lines; in an object, or a document itself.
    Array {
        in_object: bool,
    },
    End,
}

impl<R: Read> Unpacked<R> {
    /// Lines longer than `line_limit` are handed out cut, one byte too long.
    pub(crate) fn new(envelope: Envelope, reader: R, line_limit: usize) -> Self {
        let scanner = Scanner::new(BufReader::with_capacity(128 * 1024, reader));
        Self { envelope, scanner, at: At::Border, line_limit, lines: Vec::new(), given: 0 }
    }

    /// Goes on by one token of the envelope, or one element.
    fn step(&mut self) -> io::Result<()> {
        if self.envelope == Envelope::JournaldExport {
            return self.field();
        }
        self.at = match self.at {
            At::Border => match self.scanner.peek()? {
                None => At::End,
                Some(b'[') if self.envelope == Envelope::GcpEntries => {
                    self.scanner.expect(b'[')?;
                    At::Array { in_object: false }
                }
                Some(_) => {
                    self.scanner.expect(b'{')?;
                    At::Object { idle: false }
                }
            },
            At::Object { idle } => match self.scanner.key()? {
                None => At::Border,
                Some(key) => self.member(&key, idle)?,
            },
            At::Array { in_object } => match self.scanner.element()? {
                true => {
                    self.element()?;
                    At::Array { in_object }
                }
                false if in_object => At::Object { idle: false },
                false => At::Border,
            },
            At::End => At::End,
        };
        Ok(())
    }

    /// The value of `key` in a document.
    fn member(&mut self, key: &[u8], idle: bool) -> io::Result<At> {
        let holds_lines = match self.envelope {
            Envelope::CloudWatch => key == b"logEvents" || key == b"events",
            _ => key == b"records",
        };
        if holds_lines && !idle && self.scanner.peek()? == Some(b'[') {
            self.scanner.expect(b'[')?;
            return Ok(At::Array { in_object: true });
        }
        let mut value = Capped::new(64);
        self.scanner.value(&mut value)?;
        // CloudWatch asks with such a document whether the destination is there.
        Ok(At::Object { idle: idle || key == b"messageType" && value.bytes == b"\"CONTROL_MESSAGE\"" })
    }

    fn element(&mut self) -> io::Result<()> {
        if self.envelope != Envelope::CloudWatch {
            let mut record = Capped::new(self.line_limit.saturating_add(1));
            self.scanner.value(&mut record)?;
            self.put(&record.bytes);
        } else if self.scanner.peek()? == Some(b'{') {
            self.scanner.expect(b'{')?;
            while let Some(key) = self.scanner.key()? {
                if key == b"message" && self.scanner.peek()? == Some(b'"') {
                    // An escape is at most six times as long as what it stands for.
                    let mut raw = Capped::new(self.line_limit.saturating_add(1).saturating_mul(6));
                    self.scanner.string(&mut raw)?;
                    let message = serde_json::from_slice(&raw.bytes).map_or(raw.bytes, |Text(bytes)| bytes);
                    self.put(&message);
                } else {
                    self.scanner.value(&mut Nowhere)?;
                }
            }
        } else {
            self.scanner.value(&mut Nowhere)?;
        }
        Ok(())
    }

    /// One field of the journal: `NAME=text`, or `NAME`, a length and bytes; entries end with an empty line.
    fn field(&mut self) -> io::Result<()> {
        let mut name = Vec::new();
        let delimiter = loop {
            match self.scanner.next_byte()? {
                None if name.is_empty() => {
                    self.at = At::End;
                    return Ok(());
                }
                None => return Err(Flaw::Cut("journal").into()),
                Some(delimiter @ (b'=' | b'\n')) => break delimiter,
                Some(byte) if name.len() < LONGEST_NAME => name.push(byte),
                Some(_) => return Err(malformed("expected the name of a field")),
            }
        };
        if name.is_empty() {
            return Ok(());
        }
        let mut text = Capped::new(if name == b"MESSAGE" { self.line_limit.saturating_add(1) } else { 0 });
        if delimiter == b'=' {
            self.scanner.until(b'\n', &mut text)?;
        } else {
            let mut length = [0; 8];
            for byte in &mut length {
                *byte = self.scanner.next_byte()?.ok_or(Flaw::Cut("journal"))?;
            }
            self.scanner.bytes(u64::from_le_bytes(length), &mut text)?;
            if self.scanner.next_byte()? != Some(b'\n') {
                return Err(malformed("expected a line end after a field"));
            }
        }
        self.put(&text.bytes);
        Ok(())
    }

    /// Hands out a message: one line, or several where it holds line ends.
    fn put(&mut self, message: &[u8]) {
        let message = message.trim_ascii_end();
        if !message.is_empty() {
            self.lines.extend_from_slice(message);
            self.lines.push(b'\n');
        }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.given == self.lines.len() {
            self.lines.clear();
            self.given = 0;
            while self.lines.len() < out.len() && self.at != At::End {
                if let Err(error) = self.step() {
                    self.at = At::End;
                    self.scanner.failure = Some(error);
                }
            }
            if self.lines.is_empty() {
                return self.scanner.failure.take().map_or(Ok(0), Err);
            }
        }
        let got = (self.lines.len() - self.given).min(out.len());
        out[..got].copy_from_slice(&self.lines[self.given..self.given + got]);
        self.given += got;
        Ok(got)
    }
}

/// Longest name of a key or field that is looked at.
const LONGEST_NAME: usize = 256;

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the envelope is malformed: {what}"))
}

/// What takes the bytes of a value.
trait Sink {
    fn take(&mut self, bytes: &[u8]);
}

struct Nowhere;

impl Sink for Nowhere {
    fn take(&mut self, _: &[u8]) {}
}

/// The first bytes, up to a limit.
struct Capped {
    bytes: Vec<u8>,
    limit: usize,
}

impl Capped {
    fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit }
    }
}

impl Sink for Capped {
    fn take(&mut self, bytes: &[u8]) {
        let room = self.limit - self.bytes.len();
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// Tokens of JSON and runs of bytes, from a stream.
struct Scanner<R> {
    reader: R,
    failure: Option<io::Error>,
}

impl<R: BufRead> Scanner<R> {
    fn new(reader: R) -> Self {
        Self { reader, failure: None }
    }

    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        let byte = self.reader.fill_buf()?.first().copied();
        self.reader.consume(usize::from(byte.is_some()));
        Ok(byte)
    }

    /// The next byte that is no space, left where it is.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            let rest = self.reader.fill_buf()?;
            match rest.iter().position(|byte| !byte.is_ascii_whitespace()) {
                Some(at) => {
                    let byte = rest[at];
                    self.reader.consume(at);
                    return Ok(Some(byte));
                }
                None if rest.is_empty() => return Ok(None),
                None => {
                    let spaces = rest.len();
                    self.reader.consume(spaces);
                }
            }
        }
    }

    fn must_peek(&mut self) -> io::Result<u8> {
        self.peek()?.ok_or_else(|| Flaw::Cut("JSON").into())
    }

    fn expect(&mut self, expected: u8) -> io::Result<()> {
        let found = self.must_peek()?;
        if found != expected {
            return Err(malformed(&format!("expected `{}`", char::from(expected))));
        }
        self.reader.consume(1);
        Ok(())
    }

    /// The next key of an object, up to and with its colon; `None` at the end of the object.
    fn key(&mut self) -> io::Result<Option<Vec<u8>>> {
        if !self.more(b'}')? {
            return Ok(None);
        }
        if self.must_peek()? != b'"' {
            return Err(malformed("expected a key"));
        }
        let mut key = Capped::new(LONGEST_NAME);
        self.string(&mut key)?;
        self.expect(b':')?;
        let name = key.bytes.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\""));
        Ok(Some(name.unwrap_or_default().to_vec()))
    }

    /// Goes to the next element of an array; `false` at its end.
    fn element(&mut self) -> io::Result<bool> {
        self.more(b']')
    }

    fn more(&mut self, end: u8) -> io::Result<bool> {
        while self.must_peek()? == b',' {
            self.reader.consume(1);
        }
        let more = self.must_peek()? != end;
        self.reader.consume(usize::from(!more));
        Ok(more)
    }

    /// The raw text of a value; line ends between its tokens become spaces.
    fn value(&mut self, out: &mut impl Sink) -> io::Result<()> {
        let mut depth = 0_u64;
        loop {
            match self.must_peek()? {
                b'"' => self.string(out)?,
                open @ (b'{' | b'[') => {
                    self.reader.consume(1);
                    out.take(&[open]);
                    depth += 1;
                }
                close @ (b'}' | b']') if depth > 0 => {
                    self.reader.consume(1);
                    out.take(&[close]);
                    depth -= 1;
                }
                between @ (b',' | b':') if depth > 0 => {
                    self.reader.consume(1);
                    out.take(&[between]);
                    continue;
                }
                byte if byte == b'-' || byte.is_ascii_alphanumeric() => self.word(out)?,
                _ => return Err(malformed("expected a value")),
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self, out: &mut impl Sink) -> io::Result<()> {
        loop {
            let rest = self.reader.fill_buf()?;
            let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
            let length = rest.iter().position(|byte| !is_word(byte)).unwrap_or(rest.len());
            out.take(&rest[..length]);
            let over = length < rest.len() || rest.is_empty();
            self.reader.consume(length);
            if over {
                return Ok(());
            }
        }
    }

    /// The raw text of a string, with its quotes.
    fn string(&mut self, out: &mut impl Sink) -> io::Result<()> {
        self.reader.consume(1);
        out.take(b"\"");
        loop {
            let rest = self.reader.fill_buf()?;
            if rest.is_empty() {
                return Err(Flaw::Cut("JSON").into());
            }
            let Some(at) = memchr::memchr2(b'"', b'\\', rest) else {
                out.take(rest);
                let taken = rest.len();
                self.reader.consume(taken);
                continue;
            };
            let found = rest[at];
            out.take(&rest[..=at]);
            self.reader.consume(at + 1);
            if found == b'"' {
                return Ok(());
            }
            let escaped = self.next_byte()?.ok_or(Flaw::Cut("JSON"))?;
            out.take(&[escaped]);
        }
    }

    /// Bytes up to `end`, which is taken off, or the end of the stream.
    fn until(&mut self, end: u8, out: &mut impl Sink) -> io::Result<()> {
        loop {
            let rest = self.reader.fill_buf()?;
            let at = memchr::memchr(end, rest);
            let length = at.unwrap_or(rest.len());
            out.take(&rest[..length]);
            let over = at.is_some() || rest.is_empty();
            self.reader.consume(length + usize::from(at.is_some()));
            if over {
                return Ok(());
            }
        }
    }

    /// So many bytes, whatever they are.
    fn bytes(&mut self, mut count: u64, out: &mut impl Sink) -> io::Result<()> {
        while count > 0 {
            let rest = self.reader.fill_buf()?;
            if rest.is_empty() {
                return Err(Flaw::Cut("journal").into());
            }
            let length = usize::try_from(count).map_or(rest.len(), |count| count.min(rest.len()));
            out.take(&rest[..length]);
            self.reader.consume(length);
            count -= length as u64;
        }
        Ok(())
    }
}

/// The bytes that a string in JSON stands for; halves of surrogate pairs are no reason to lose a line.
struct Text(Vec<u8>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyBytes;
        impl Visitor<'_> for AnyBytes {
            type Value = Text;

            fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                to.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Text, E> {
                Ok(Text(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(AnyBytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives a few bytes at a time.
    struct Slow<'t>(&'t [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let got = self.0.len().min(self.1).min(out.len());
            out[..got].copy_from_slice(&self.0[..got]);
            self.0 = &self.0[got..];
            Ok(got)
        }
    }

    fn unpack(envelope: Envelope, text: &[u8], step: usize) -> (String, Option<String>) {
        let mut lines = Vec::new();
        let end = Unpacked::new(envelope, Slow(text, step), 100).read_to_end(&mut lines);
        (String::from_utf8_lossy(&lines).into_owned(), end.err().map(|error| error.to_string()))
    }

    #[track_caller]
    fn check(text: &[u8], expected: Option<(Envelope, &str)>) {
        assert_eq!(Envelope::of(text), expected.map(|expected| expected.0));
        if let Some((envelope, lines)) = expected {
            for step in [1, 2, 3, 7, 1000] {
                assert_eq!(unpack(envelope, text, step), (lines.to_owned(), None), "{step} bytes at a time");
            }
        }
    }

    const SUBSCRIPTION: &str = r#"{"messageType":"DATA_MESSAGE","owner":"123456789012","logGroup":"web","logStream":"i-1","subscriptionFilters":["all"],"logEvents":[{"id":"1","timestamp":1793574001000,"message":"GET /a \"x\" \u00e9"},{"id":"2","timestamp":1793574002000,"message":"two\nlines\n","extractedFields":{"message":"not this"}}]}"#;

    #[test]
    fn cloudwatch() {
        let lines = "GET /a \"x\" é\ntwo\nlines\n";
        let control =
            r#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","timestamp":1,"message":"checking"}]}"#;
        check(SUBSCRIPTION.as_bytes(), Some((Envelope::CloudWatch, lines)));
        for between in ["", "\n", "\r\n \t"] {
            let several = [control, SUBSCRIPTION, control, SUBSCRIPTION, ""].join(between);
            check(several.as_bytes(), Some((Envelope::CloudWatch, &lines.repeat(2))));
        }
        let command = r#"
            {
                "events": [
                    { "logStreamName": "a", "timestamp": 1, "message": "one\t1", "ingestionTime": 2, "eventId": "3" },
                    { "logStreamName": "a", "timestamp": 1, "message": "", "ingestionTime": 2, "eventId": "4" },
                    { "logStreamName": "a", "timestamp": 2, "message": "\ud83d half", "ingestionTime": 2 }
                ],
                "searchedLogStreams": [ {"logStreamName": "a", "searchedCompletely": true} ],
                "nextToken": null
            }
            { "events": [] }
        "#;
        let half = String::from_utf8_lossy(b"\xed\xa0\xbd half\n").into_owned();
        check(command.as_bytes(), Some((Envelope::CloudWatch, &format!("one\t1\n{half}"))));
    }

    #[test]
    fn records_and_entries() {
        let azure = "{\"records\": [\n  {\"time\": \"t\",\n \"resourceId\": \"/X\", \"properties\": {\"a\": [1, -2.5e3, true, null], \"u\": \"\\/a b\\\\\"}},\r\n{\"category\":\"y\"}\n]}";
        let line = r#"{"time":"t","resourceId":"/X","properties":{"a":[1,-2.5e3,true,null],"u":"\/a b\\"}}"#;
        let lines = format!("{line}\n{{\"category\":\"y\"}}\n");
        check(azure.as_bytes(), Some((Envelope::AzureRecords, &lines)));
        check(format!("{azure}{azure}").as_bytes(), Some((Envelope::AzureRecords, &lines.repeat(2))));
        let google = "[\n  {\n    \"httpRequest\": {\"status\": 200},\n    \"insertId\": \"a\",\n    \"logName\": \"projects/p/logs/requests\"\n  },\n  {\"insertId\": \"b\"}\n]\n";
        let lines = "{\"httpRequest\":{\"status\":200},\"insertId\":\"a\",\"logName\":\"projects/p/logs/requests\"}\n{\"insertId\":\"b\"}\n";
        check(google.as_bytes(), Some((Envelope::GcpEntries, lines)));
    }

    #[test]
    fn journald() {
        let mut text =
            b"__CURSOR=s=1;i=1\n__REALTIME_TIMESTAMP=1\nMESSAGE=GET / HTTP/1.1\nPRIORITY=6\n\n".to_vec();
        text.extend_from_slice(b"__CURSOR=s=1;i=2\nMESSAGE\n");
        text.extend_from_slice(&7_u64.to_le_bytes());
        text.extend_from_slice(b"a=\n\xff\nb\n\n_BOOT_ID=x\nOTHER\n");
        text.extend_from_slice(&9_u64.to_le_bytes());
        text.extend_from_slice(b"MESSAGE=x\n\n\n");
        check(&text, Some((Envelope::JournaldExport, "GET / HTTP/1.1\na=\n\u{fffd}\nb\n")));
    }

    #[test]
    fn what_only_looks_alike_is_left_alone() {
        for text in [
            r#"{"events":[{"name":"click"}]}"#,
            r#"{"records":[{"key":"value"}]}"#,
            r#"{"message":"x","timestamp":"y"}"#,
            r#"{"log":{"entries":[]}}"#,
            r#"[{"traceId":"a","id":"b"}]"#,
            r#"{"events""#,
            r#"{"events":"#,
            "[info] text",
            "{",
            "[",
            "",
        ] {
            check(text.as_bytes(), None);
        }
    }

    /// Cut or bent anywhere: lines before the fault come out, the fault is told, nothing panics.
    #[test]
    fn faults_are_told() {
        let text = SUBSCRIPTION.as_bytes();
        for cut in 0..text.len() {
            let (lines, fault) = unpack(Envelope::CloudWatch, &text[..cut], 5);
            assert!("GET /a \"x\" é\ntwo\nlines\n".starts_with(&lines), "{cut}: {lines}");
            assert_eq!(fault.is_some(), cut > 0, "{cut}: {fault:?}");
            for envelope in [Envelope::AzureRecords, Envelope::GcpEntries, Envelope::JournaldExport] {
                unpack(envelope, &text[cut..], 5);
            }
        }
        let bent = SUBSCRIPTION.replace("},{", "};{");
        let (lines, fault) = unpack(Envelope::CloudWatch, bent.as_bytes(), 100);
        assert_eq!(lines, "GET /a \"x\" é\n");
        assert!(fault.is_some_and(|fault| fault.contains("malformed")));
    }

    #[test]
    fn a_message_of_any_length_takes_no_more_than_the_limit() {
        let long = "é".repeat(10_000);
        let text = SUBSCRIPTION.replace("GET /a", &long);
        let (lines, fault) = unpack(Envelope::CloudWatch, text.as_bytes(), 1000);
        let first = lines.lines().next().unwrap_or_default();
        assert!((101..=620).contains(&first.len()) && lines.ends_with("two\nlines\n"), "{}", first.len());
        assert_eq!(fault, None);
        let text = format!("__CURSOR=1\nMESSAGE={long}\nMESSAGE=short\n");
        let (lines, _) = unpack(Envelope::JournaldExport, text.as_bytes(), 1000);
        assert_eq!(lines.lines().last(), Some("short"));
        assert!(lines.len() < 200);
    }
}
