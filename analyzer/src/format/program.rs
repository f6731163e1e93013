//! A compiled format: a list of fields, each with the literal text that follows it.
//!
//! A line is read once, from left to right, by searching the next literal; no regular expression, no allocation.

use shared::profile::Stamp;

use super::{Cache, number, time};
use crate::reject::Reject;
use crate::request::{Request, SECOND_NS};

/// What a field of a line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Client,
    User,
    TimeLocal,
    TimeIso8601,
    Msec,
    RequestLine,
    Method,
    Target,
    Path,
    Query,
    Host,
    Scheme,
    Protocol,
    Status,
    BytesOut,
    BytesIn,
    DurationS,
    Referer,
    UserAgent,
    Cookies,
    Identity,
}

const SLOTS: usize = Slot::Identity as usize + 1;

/// How far a field reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// To the first byte of the literal that follows, which the field never holds.
    Token,
    /// To the next occurrence of the whole literal that follows.
    Text,
    /// To the closing quote; quotes inside are escaped by a backslash.
    Quoted,
    /// A list of items joined by `, ` or ` : `, as nginx writes one item per upstream tried.
    List,
}

/// One field and the literal text after it.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) slot: Option<Slot>,
    pub(crate) extent: Extent,
    pub(crate) then: Literal,
    /// The same field in a second meaning, when `--identity` names a field that also has one of its own.
    pub(crate) also_identity: bool,
}

/// Text that stands between fields.
///
/// Nearly always a few bytes, so it is compared as one masked word: a call that compares that little
/// costs more than the comparison.
#[derive(Debug, Clone, Default)]
pub(crate) struct Literal {
    bytes: Box<[u8]>,
    word: u64,
    mask: u64,
}

impl Literal {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut word = [0; 8];
        let mut mask = [0; 8];
        for (i, byte) in bytes.iter().take(8).enumerate() {
            (word[i], mask[i]) = (*byte, u8::MAX);
        }
        Self { bytes: bytes.into(), word: u64::from_le_bytes(word), mask: u64::from_le_bytes(mask) }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What follows the literal at the start of `text`.
    #[inline]
    fn strip_from<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        match text.first_chunk::<8>() {
            Some(chunk) if self.bytes.len() <= 8 => {
                (u64::from_le_bytes(*chunk) & self.mask == self.word).then(|| &text[self.bytes.len()..])
            }
            _ => text.strip_prefix(&*self.bytes),
        }
    }
}

/// What may follow the last field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing.
    Nothing,
    /// Anything after a space: fields that somebody added at the end.
    Anything,
}

/// A compiled format.
#[derive(Debug, Clone)]
pub struct Program {
    pub(crate) lead: Literal,
    pub(crate) fields: Vec<Field>,
    pub(crate) tail: Tail,
    pub(crate) stamp: Stamp,
    pub(crate) resolution_ns: i64,
    /// Cookie to take out of the whole cookie header, when `--identity cookie:NAME` asks for one.
    pub(crate) cookie: Option<Box<[u8]>>,
}

/// Whether blanks in the format stand for exactly themselves.
///
/// People paste formats whose blanks were lined up by hand, so a format that does not fit exactly is
/// tried again with every run of blanks standing for any run of blanks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blanks {
    Exact,
    Any,
}

#[derive(Debug)]
struct Fields<'a> {
    values: [Option<&'a [u8]>; SLOTS],
    truncated: bool,
}

impl<'a> Fields<'a> {
    /// The field's text; `None` when it is absent or printed as `-`, which both servers do for what is missing.
    fn get(&self, slot: Slot) -> Option<&'a [u8]> {
        self.values[slot as usize].filter(|value| *value != b"-")
    }

    fn printed(&self, slot: Slot) -> Option<&'a [u8]> {
        self.values[slot as usize]
    }
}

impl Program {
    /// Which moment the stamps mark.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// How fine the stamps are, in nanoseconds.
    pub fn resolution_ns(&self) -> i64 {
        self.resolution_ns
    }

    /// Whether lines say how long requests took.
    pub fn has_duration(&self) -> bool {
        self.fields.iter().any(|field| field.slot == Some(Slot::DurationS))
    }

    pub(crate) fn parse<'a>(&self, line: &'a [u8], cache: &mut Cache) -> Result<Request<'a>, Reject> {
        match self.split(line, Blanks::Exact).and_then(|fields| self.interpret(&fields, cache)) {
            Ok(request) => Ok(request),
            Err(exact) => {
                if line.iter().all(u8::is_ascii_whitespace) {
                    return Err(Reject::Blank);
                }
                if memchr::memchr(0, line).is_some() {
                    return Err(Reject::Binary);
                }
                let loose = self.split(line, Blanks::Any).and_then(|fields| self.interpret(&fields, cache));
                loose.map_err(|_| exact)
            }
        }
    }

    fn split<'a>(&self, line: &'a [u8], blanks: Blanks) -> Result<Fields<'a>, Reject> {
        let mut fields = Fields { values: [None; SLOTS], truncated: false };
        let mut rest = match_literal(&self.lead, line, blanks).ok_or(Reject::OtherFormat)?;
        for field in &self.fields {
            let (value, after) = match field.extent {
                _ if field.then.bytes.is_empty() => (rest, &rest[rest.len()..]),
                Extent::Token => token(rest, &field.then, blanks).ok_or(Reject::OtherFormat)?,
                Extent::Text | Extent::Quoted | Extent::List => match search(rest, field, blanks) {
                    Some(found) => found,
                    None if self.has_essentials(&fields) => {
                        fields.truncated = true;
                        (rest, &rest[rest.len()..])
                    }
                    None => return Err(Reject::Truncated),
                },
            };
            if let Some(slot) = field.slot {
                fields.values[slot as usize] = Some(value);
            }
            if field.also_identity {
                fields.values[Slot::Identity as usize] = Some(value);
            }
            if fields.truncated {
                return Ok(fields);
            }
            rest = after;
        }
        match (rest, self.tail) {
            ([], _) | ([b' ', ..], Tail::Anything) => Ok(fields),
            (blanks, Tail::Nothing) if blanks.iter().all(u8::is_ascii_whitespace) => Ok(fields),
            // Two writers of one file: the next line begins inside this one, which has all that it needs.
            (_, Tail::Anything) if self.has_essentials(&fields) => {
                fields.truncated = true;
                Ok(fields)
            }
            _ => Err(Reject::TrailingText),
        }
    }

    /// Time and outcome are there: what is missing at the end of a cut line can be done without.
    fn has_essentials(&self, fields: &Fields<'_>) -> bool {
        let has = |slot: Slot| fields.values[slot as usize].is_some();
        let timed = has(Slot::Msec) || has(Slot::TimeIso8601) || has(Slot::TimeLocal);
        let asked = has(Slot::RequestLine) || has(Slot::Target) || has(Slot::Path);
        let durations_read = !self.has_duration() || has(Slot::DurationS);
        timed && asked && has(Slot::Status) && durations_read
    }

    fn interpret<'a>(&self, fields: &Fields<'a>, cache: &mut Cache) -> Result<Request<'a>, Reject> {
        // No web server is older than 1970: a clock that says so is broken.
        let (stamp_ns, offset_s) =
            stamp(fields, cache).filter(|stamp| stamp.0 >= 0).ok_or(Reject::BadTime)?;
        let line = match fields.printed(Slot::RequestLine) {
            Some(text) => request_line(text),
            None => RequestLine {
                method: fields.get(Slot::Method).filter(|method| is_method(method)),
                target: fields.get(Slot::Target).or(fields.get(Slot::Path)).unwrap_or_default(),
                protocol: fields.get(Slot::Protocol),
            },
        };
        let number = |slot| match fields.printed(slot) {
            None => Ok(None),
            Some(b"-") => Ok(Some(0)),
            Some(text) => number::unsigned(text).map(Some).ok_or(Reject::BadNumber),
        };
        let status = match fields.printed(Slot::Status) {
            None | Some(b"-") => 0,
            Some(text) => number::unsigned(text)
                .and_then(|status| u16::try_from(status).ok())
                .filter(|status| *status < 1000)
                .ok_or(Reject::BadStatus)?,
        };
        let duration_ns = match fields.get(Slot::DurationS) {
            None | Some(b"") => None,
            Some(text) => Some(number::billionths(text).ok_or(Reject::BadNumber)?),
        };
        let cookie = self.cookie.as_deref().and_then(|name| cookie(fields.get(Slot::Cookies)?, name));
        Ok(Request {
            stamp_ns,
            offset_s,
            stamp: self.stamp,
            resolution_ns: self.resolution_ns,
            duration_ns,
            method: line.method,
            target: line.target,
            scheme: fields.get(Slot::Scheme),
            host: fields.get(Slot::Host),
            protocol: line.protocol,
            status,
            bytes_out: number(Slot::BytesOut)?,
            bytes_out_is_dash: fields.printed(Slot::BytesOut) == Some(b"-"),
            bytes_in: number(Slot::BytesIn)?,
            client: fields.printed(Slot::Client).unwrap_or_default(),
            user: fields.get(Slot::User).filter(|user| !user.is_empty()),
            referer: fields.get(Slot::Referer).filter(|referer| !referer.is_empty()),
            user_agent: fields.get(Slot::UserAgent).filter(|agent| !agent.is_empty()),
            identity: fields.get(Slot::Identity).or(cookie).filter(|identity| !identity.is_empty()),
            truncated: fields.truncated,
        })
    }
}

/// The finest stamp of the line; its offset may stand in a coarser one.
fn stamp(fields: &Fields<'_>, cache: &mut Cache) -> Option<(i64, i32)> {
    let local = fields.printed(Slot::TimeLocal).map(|text| cache.time.clf(text));
    let iso = fields.printed(Slot::TimeIso8601).map(time::iso8601);
    let coarse = iso.or(local);
    match fields.printed(Slot::Msec) {
        Some(text) => {
            let utc_ns = number::billionths(text)?;
            Some((utc_ns, coarse.flatten().map_or(0, |stamp| stamp.offset_s)))
        }
        None => coarse.flatten().map(|stamp| (stamp.utc_ns, stamp.offset_s)),
    }
}

struct RequestLine<'a> {
    method: Option<&'a [u8]>,
    target: &'a [u8],
    protocol: Option<&'a [u8]>,
}

/// Splits at the first and the last space, because raw spaces in targets do occur.
fn request_line(text: &[u8]) -> RequestLine<'_> {
    let unreadable = RequestLine { method: None, target: b"", protocol: None };
    let Some(first) = memchr::memchr(b' ', text) else { return unreadable };
    let (method, rest) = (&text[..first], &text[first + 1..]);
    if !is_method(method) {
        return unreadable;
    }
    let last = memchr::memrchr(b' ', rest).filter(|last| rest[last + 1..].starts_with(b"HTTP/"));
    let (target, protocol) = match last {
        Some(last) => (&rest[..last], Some(&rest[last + 1..])),
        // HTTP/0.9 has no version; a cut line may have lost it.
        None => (rest, None),
    };
    RequestLine { method: Some(method), target, protocol }
}

/// A method is a short run of letters; the standard allows more, but nobody uses it and line noise does.
fn is_method(text: &[u8]) -> bool {
    let letters = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_');
    (1..=20).contains(&text.len()) && text.iter().all(letters)
}

/// The value of cookie `name` in a cookie header.
fn cookie<'a>(header: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    header
        .split(|byte| *byte == b';')
        .find_map(|pair| pair.trim_ascii().strip_prefix(name)?.strip_prefix(b"="))
}

/// What follows `literal` at the start of `text`.
fn match_literal<'a>(literal: &Literal, text: &'a [u8], blanks: Blanks) -> Option<&'a [u8]> {
    match blanks {
        Blanks::Exact => literal.strip_from(text),
        Blanks::Any => {
            let (mut literal, mut text) = (&*literal.bytes, text);
            while let [byte, after @ ..] = literal {
                if *byte == b' ' {
                    let blank_count = text.iter().take_while(|byte| **byte == b' ').count();
                    if blank_count == 0 {
                        return None;
                    }
                    text = &text[blank_count..];
                    literal = literal.trim_ascii_start();
                } else {
                    text = text.strip_prefix(&[*byte])?;
                    literal = after;
                }
            }
            Some(text)
        }
    }
}

fn token<'a>(text: &'a [u8], then: &Literal, blanks: Blanks) -> Option<(&'a [u8], &'a [u8])> {
    let end = memchr::memchr(then.bytes[0], text)?;
    Some((&text[..end], match_literal(then, &text[end..], blanks)?))
}

fn search<'a>(text: &'a [u8], field: &Field, blanks: Blanks) -> Option<(&'a [u8], &'a [u8])> {
    let mut from = 0;
    loop {
        let end = from
            + match field.extent {
                Extent::Quoted => memchr::memchr2(field.then.bytes[0], b'\\', &text[from..])?,
                _ => memchr::memchr(field.then.bytes[0], &text[from..])?,
            };
        if field.extent == Extent::Quoted && text[end] == b'\\' {
            from = (end + 2).min(text.len());
            continue;
        }
        let inside_list = field.extent == Extent::List
            && (text[..end].ends_with(b",")
                || text[..end].ends_with(b" :")
                || text[end..].starts_with(b" : "));
        match match_literal(&field.then, &text[end..], blanks) {
            Some(after) if !inside_list => return Some((&text[..end], after)),
            _ => from = end + 1,
        }
    }
}

/// The resolution of stamps printed in whole seconds.
pub(crate) const WHOLE_SECONDS_NS: i64 = SECOND_NS;
/// The resolution of nginx `$msec`.
pub(crate) const MILLISECONDS_NS: i64 = 1_000_000;
