//! From the fields of a line to a [`Request`]: units, stamps, escapes. One rule for all formats of lines.

use std::net::IpAddr;

use shared::profile::Stamp;

use super::Cache;
use super::escape::Escape;
use super::near::near;
use super::network::Network;
use super::number::{self, Unit};
use super::other_record::OtherRecords;
use super::time::{self, TimeFormat};
use super::values::{Slot, Values};
use crate::reject::Reject;
use crate::request::Request;

/// What the fields of a format mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// How [`Slot::Time`] is printed; with a [`Slot::Date`], how date, space and time together are.
    pub(crate) time: TimeFormat,
    /// How [`Slot::CoarseTime`] is printed.
    pub(crate) coarse_time: TimeFormat,
    /// How [`Slot::OtherTime`] is printed.
    pub(crate) other_time: TimeFormat,
    /// Which moment [`Slot::Time`] marks.
    pub(crate) stamp: Stamp,
    /// How fine the stamps are, where their digits do not say.
    pub(crate) resolution_ns: Option<i64>,
    /// Unit of the durations, where they are printed without one.
    pub(crate) duration: Unit,
    /// Unit of [`Slot::FirstByte`].
    pub(crate) first_byte: Unit,
    /// What the producer does to bytes that would break the line.
    pub(crate) escape: Escape,
    /// What it does to the values of request headers, where that is something else.
    pub(crate) header_escape: Option<Escape>,
    /// The client is printed with its port, `192.0.2.1:4711` or `[2001:db8::1]:4711`.
    pub(crate) client_port: bool,
    /// `X-Forwarded-For` is the better client where both are printed.
    pub(crate) forwarded_first: bool,
    /// Slots whose text the producer prints as it is, whatever it does to other text; bit n is slot n.
    pub(crate) plain: u64,
    /// What the parts of `{…|…}` are, where the producer prints several values in one field.
    pub(crate) captured: Box<[Option<Slot>]>,
    /// Records of the same log that are no requests.
    pub(crate) others: OtherRecords,
    /// The query follows its path without a `?` of the format, and is printed as `-` when there is none.
    pub(crate) dash_for_query: bool,
    /// Targets are URLs without their scheme, such as `example.com/a`.
    pub(crate) bare_urls: bool,
    /// Proxies that are believed when they say for whom they ask, besides those with private addresses.
    pub(crate) trusted: Box<[Network]>,
    /// Cookie to take out of the whole cookie header, when `--identity cookie:NAME` asks for one.
    pub(crate) cookie: Option<Box<[u8]>>,
}

impl Default for Meaning {
    fn default() -> Self {
        Self {
            time: TimeFormat::Clf,
            coarse_time: TimeFormat::Clf,
            other_time: TimeFormat::Clf,
            stamp: Stamp::Start,
            resolution_ns: None,
            duration: Unit::Seconds,
            first_byte: Unit::Seconds,
            escape: Escape::None,
            header_escape: None,
            client_port: false,
            forwarded_first: false,
            plain: 0,
            captured: Box::default(),
            others: OtherRecords::None,
            dash_for_query: false,
            bare_urls: false,
            trusted: Box::default(),
            cookie: None,
        }
    }
}

/// What of a line is a number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers {
    stamp: time::Instant,
    duration_ns: Option<i64>,
    first_byte_ns: Option<i64>,
    status: u16,
    bytes_out: Option<u64>,
    bytes_in: Option<u64>,
    weight: Option<f64>,
}

impl Meaning {
    /// Everything that is a number; [`Meaning::request`] adds what is text.
    ///
    /// # Errors
    /// The first field that cannot be understood.
    #[inline]
    pub(crate) fn numbers(&self, values: &Values<'_>, cache: &mut Cache) -> Result<Numbers, Reject> {
        // No web server is older than 1970: a clock that says so is broken.
        let stamp = self.stamp(values, cache).filter(|stamp| stamp.utc_ns >= 0).ok_or(Reject::BadTime)?;
        let other = values.get(Slot::OtherTime).and_then(|text| cache.time.read(&self.other_time, text));
        let number = |slot| match values.printed(slot) {
            None | Some(b"") => Ok(None),
            Some(b"-") => Ok(Some(0)),
            // HAProxy's `+17`: not yet complete when the line was written.
            Some([b'-' | b'+', ..]) => Ok(None),
            Some(text) => number::unsigned(text).map(Some).ok_or(Reject::BadNumber),
        };
        let status = match values.get(Slot::Status) {
            None | Some([b'-', ..]) => 0,
            Some(text) => number::unsigned(text)
                .and_then(|status| u16::try_from(status).ok())
                .filter(|status| *status < 1000)
                .ok_or(Reject::BadStatus)?,
        };
        let mut duration_ns = self.duration(values)?;
        if duration_ns.is_none()
            && let Some(other) = other
        {
            duration_ns = Some((other.utc_ns - stamp.utc_ns).abs());
        }
        let first_byte_ns = match values.get(Slot::FirstByte) {
            None => None,
            Some(text) => number::duration_ns(text, self.first_byte).ok_or(Reject::BadNumber)?,
        };
        let weight = match (values.get(Slot::Weight), values.get(Slot::SampleRate)) {
            (Some(weight), _) => number::decimal(weight).filter(|weight| *weight > 0.0),
            (None, Some(rate)) => number::decimal(rate).filter(|rate| *rate > 0.0).map(|rate| 1.0 / rate),
            (None, None) => None,
        };
        Ok(Numbers {
            stamp,
            duration_ns,
            first_byte_ns,
            status,
            bytes_out: number(Slot::BytesOut)?,
            bytes_in: number(Slot::BytesIn)?,
            weight,
        })
    }

    /// The finest stamp of the line; its offset may stand in a coarser one.
    fn stamp(&self, values: &Values<'_>, cache: &mut Cache) -> Option<time::Instant> {
        let stamp = match (values.get(Slot::Date), values.get(Slot::Time)?) {
            (None, text) => cache.time.read(&self.time, text)?,
            (Some(date), text) => {
                let mut both = [b' '; 64];
                let both = both.get_mut(..date.len() + 1 + text.len())?;
                both[..date.len()].copy_from_slice(date);
                both[date.len() + 1..].copy_from_slice(text);
                cache.time.read(&self.time, both)?
            }
        };
        match (stamp.offset_s, values.get(Slot::CoarseTime)) {
            (_, None) => Some(stamp),
            (_, Some(text)) => {
                let coarse = cache.time.read(&self.coarse_time, text)?;
                Some(match (stamp.offset_s, coarse.offset_s) {
                    (None, Some(offset_s)) => stamp.in_zone(offset_s),
                    (_, offset_s) => time::Instant { offset_s: offset_s.or(stamp.offset_s), ..stamp },
                })
            }
        }
    }

    /// The sum of the parts that are printed; unknown when one of them is printed as unknown.
    fn duration(&self, values: &Values<'_>) -> Result<Option<i64>, Reject> {
        let mut sum = None;
        for slot in [Slot::Duration, Slot::Duration2, Slot::Duration3] {
            let Some(text) = values.get(slot) else { continue };
            let read = number::duration_ns(text, self.duration);
            match read.or_else(|| number::durations_ns(text, self.duration)).ok_or(Reject::BadNumber)? {
                Some(part) => sum = Some(sum.unwrap_or(0_i64).saturating_add(part)),
                None => return Ok(None),
            }
        }
        Ok(sum)
    }

    /// The request of `values`, whose numbers are known; `scratch` takes what had to be decoded.
    // Always inlined: a request is large, and whoever is given one would copy it.
    #[inline(always)]
    pub(crate) fn request<'a>(
        &self,
        values: &mut Values<'a>,
        numbers: Numbers,
        scratch: &'a mut Vec<u8>,
    ) -> Request<'a> {
        values.escaped &= !self.plain;
        let joins = values.has(Slot::Path) && values.get(Slot::Query).is_some() && !values.has(Slot::Target);
        if values.escaped != 0 || joins {
            self.decode(values, joins, scratch);
        }
        let line = match values.get(Slot::RequestLine) {
            Some(text) => request_line(text),
            None => RequestLine {
                method: values.get(Slot::Method).filter(|method| is_method(method)),
                target: match values.get(Slot::Target).or(values.get(Slot::Path)).unwrap_or_default() {
                    [path @ .., b'-'] if self.dash_for_query && !path.contains(&b'?') => path,
                    target => target,
                },
                protocol: values.get(Slot::Protocol),
            },
        };
        let client = match (values.get(Slot::Client), values.get(Slot::ForwardedFor)) {
            // Connected from inside: the proxy in front, which knows whom it speaks for.
            (Some(proxy), Some(chain)) if self.forwarded_first || self.trusts(without_port(proxy)) => {
                Some(self.forwarded_client(chain))
                    .filter(|client| self.forwarded_first || !self.trusts(without_port(client)))
                    .unwrap_or(proxy)
            }
            (Some(client), _) => client,
            (None, Some(chain)) => self.forwarded_client(chain),
            (None, None) => values.printed(Slot::Client).unwrap_or_default(),
        };
        let cookie = self.cookie.as_deref().and_then(|name| cookie(values.get(Slot::Cookies)?, name));
        let is_tunnel = line.method == Some(b"CONNECT");
        let (bare_host, target) = match self.bare_urls && !is_tunnel {
            true => split_bare_url(line.target),
            false => (None, line.target),
        };
        let absolute = authority(target);
        let tunnel = || Some(target).filter(|_| is_tunnel);
        Request {
            stamp_ns: numbers.stamp.utc_ns,
            offset_s: numbers.stamp.offset_s.unwrap_or(0),
            zone_printed: numbers.stamp.offset_s.is_some(),
            stamp: self.stamp,
            resolution_ns: self.resolution_ns.unwrap_or(numbers.stamp.resolution_ns),
            duration_ns: numbers.duration_ns,
            first_byte_ns: numbers.first_byte_ns,
            method: line.method,
            target,
            scheme: values.get(Slot::Scheme).or(absolute.map(|(scheme, _)| scheme)),
            host: values.get(Slot::Host).or(bare_host).or(absolute.map(|(_, host)| host)).or_else(tunnel),
            protocol: line.protocol,
            status: numbers.status,
            bytes_out: numbers.bytes_out,
            bytes_out_is_dash: values.printed(Slot::BytesOut) == Some(b"-"),
            bytes_in: numbers.bytes_in,
            client: if self.client_port { without_port(client) } else { client },
            // Apache prints a name that is empty as two quotes.
            user: values.get(Slot::User).filter(|user| user != b"\"\"" || values.is_escaped(Slot::User)),
            referer: values.get(Slot::Referer),
            user_agent: values.get(Slot::UserAgent),
            identity: values.get(Slot::Identity).or(cookie).filter(|identity| !identity.is_empty()),
            session: values.get(Slot::Session),
            client_is_trace: false,
            request_id: values.get(Slot::RequestId),
            route: values.get(Slot::Route),
            inbound: values.get(Slot::Cluster).and_then(inbound),
            weight: numbers.weight,
            truncated: values.truncated,
        }
    }

    /// Whether whoever has this address is a proxy that is believed.
    fn trusts(&self, address: &[u8]) -> bool {
        is_private(address)
            || !self.trusted.is_empty()
                && ip_address(address)
                    .is_some_and(|address| self.trusted.iter().any(|network| network.contains(address)))
    }

    fn forwarded_client<'a>(&self, chain: &'a [u8]) -> &'a [u8] {
        last_untrusted(chain, |address| self.trusts(address))
    }

    /// The values with their escapes undone and path and query joined.
    fn decode<'a>(&self, values: &mut Values<'a>, joins: bool, scratch: &'a mut Vec<u8>) {
        scratch.clear();
        // Where the text of each slot ends; it begins where that of the slot before ends.
        let mut ends = [0; TEXTS.len()];
        for (slot, end) in TEXTS.iter().zip(&mut ends) {
            let joined = joins && *slot == Slot::Path;
            if let Some(text) = values.printed(*slot).filter(|_| joined || values.is_escaped(*slot)) {
                self.append(*slot, text, values.is_escaped(*slot), scratch);
                if joined && let Some(query) = values.get(Slot::Query) {
                    if !query.starts_with(b"?") {
                        scratch.push(b'?');
                    }
                    self.append(Slot::Query, query, values.is_escaped(Slot::Query), scratch);
                }
            }
            *end = scratch.len();
        }
        let scratch: &'a [u8] = scratch;
        let mut start = 0;
        for (slot, end) in TEXTS.iter().zip(ends) {
            if start < end {
                values.set(*slot, &scratch[start..end]);
            }
            start = end;
        }
    }

    fn append(&self, slot: Slot, text: &[u8], escaped: bool, out: &mut Vec<u8>) {
        if escaped { self.escape_of(slot).decode(text, out) } else { out.extend_from_slice(text) }
    }

    /// The escape that values of `slot` are in.
    pub(crate) fn escape_of(&self, slot: Slot) -> Escape {
        match slot {
            Slot::UserAgent | Slot::Cookies => self.header_escape.unwrap_or(self.escape),
            _ => self.escape,
        }
    }
}

/// The slots whose text may hold escapes.
const TEXTS: [Slot; 17] = [
    Slot::Client,
    Slot::ForwardedFor,
    Slot::User,
    Slot::Session,
    Slot::Identity,
    Slot::RequestLine,
    Slot::Method,
    Slot::Target,
    Slot::Path,
    Slot::Host,
    Slot::Scheme,
    Slot::Protocol,
    Slot::Referer,
    Slot::UserAgent,
    Slot::Cookies,
    Slot::RequestId,
    Slot::Route,
];

pub(super) struct RequestLine<'a> {
    pub(super) method: Option<&'a [u8]>,
    pub(super) target: &'a [u8],
    pub(super) protocol: Option<&'a [u8]>,
}

/// Splits at the first and the last space, because raw spaces in targets do occur.
// Always inlined: it is hardly longer than a call of it.
#[inline(always)]
pub(super) fn request_line(text: &[u8]) -> RequestLine<'_> {
    // As nearly all are, without a search: compared as words, which patterns would not be.
    let starts = |with: &[u8; 4]| text.first_chunk() == Some(with);
    let method_bytes = if starts(b"GET ") {
        3
    } else if starts(b"POST") && text.get(4) == Some(&b' ') {
        4
    } else {
        return unusual_request_line(text);
    };
    match text[method_bytes + 1..].split_last_chunk() {
        Some((target, end)) if end == b" HTTP/1.1" || end == b" HTTP/2.0" || end == b" HTTP/1.0" => {
            RequestLine {
                method: Some(&text[..method_bytes]),
                target,
                protocol: Some(&text[text.len() - 8..]),
            }
        }
        _ => unusual_request_line(text),
    }
}

#[inline(never)]
fn unusual_request_line(text: &[u8]) -> RequestLine<'_> {
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

/// Whether the cluster that Envoy sent a request to says that it came in from elsewhere, by the names that Istio
/// gives clusters: `inbound|8080||`, `outbound|80||shop.example.svc.cluster.local`.
fn inbound(cluster: &[u8]) -> Option<bool> {
    let starts = |prefixes: [&[u8]; 3]| prefixes.iter().any(|prefix| cluster.starts_with(prefix));
    if starts([b"inbound|", b"inbound-vip|", b"InboundPassthroughCluster"]) {
        return Some(true);
    }
    starts([b"outbound|", b"PassthroughCluster", b"BlackHoleCluster"]).then_some(false)
}

/// A method is a short run of letters; the standard allows more, but nobody uses it and line noise does.
/// `NONE` is what Squid prints where no request was read.
fn is_method(text: &[u8]) -> bool {
    let letters = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_');
    (1..=20).contains(&text.len()) && text.iter().all(letters) && text != b"-" && text != b"NONE"
}

/// The value of cookie `name` in a cookie header.
fn cookie<'a>(header: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    header
        .split(|byte| *byte == b';')
        .find_map(|pair| pair.trim_ascii().strip_prefix(name)?.strip_prefix(b"="))
}

/// Host and target of a URL without its scheme, such as `example.com/a`.
fn split_bare_url(url: &[u8]) -> (Option<&[u8]>, &[u8]) {
    match memchr::memchr(b'/', url) {
        None if !url.is_empty() => (Some(url), b"/"),
        Some(slash) if slash > 0 && !url[..slash].ends_with(b":") => (Some(&url[..slash]), &url[slash..]),
        _ => (None, url),
    }
}

/// Scheme and authority of an absolute target, without the port that the scheme has anyway.
#[inline]
fn authority(target: &[u8]) -> Option<(&[u8], &[u8])> {
    if target.first() != Some(&b'h') {
        return None;
    }
    let scheme = [&b"http"[..], b"https"]
        .into_iter()
        .find(|scheme| target.strip_prefix(*scheme).is_some_and(|rest| rest.starts_with(b"://")))?;
    let rest = &target[scheme.len() + 3..];
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let usual: &[u8] = if scheme == b"https" { b":443" } else { b":80" };
    Some((scheme, rest[..end].strip_suffix(usual).unwrap_or(&rest[..end])))
}

/// The client that a chain of proxies names: the last address that is no private one, because anything before
/// it may be made up by the client; the first where all are private.
pub(crate) fn forwarded_client(chain: &[u8]) -> &[u8] {
    last_untrusted(chain, is_private)
}

fn last_untrusted(chain: &[u8], is_trusted: impl Fn(&[u8]) -> bool) -> &[u8] {
    let mut addresses = chain.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|a| !a.is_empty());
    let first = addresses.clone().next().unwrap_or_default();
    addresses.rfind(|address| !is_trusted(without_port(address))).unwrap_or(first)
}

fn ip_address(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn is_private(address: &[u8]) -> bool {
    match ip_address(address) {
        Some(IpAddr::V4(v4)) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        Some(IpAddr::V6(v6)) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
        None => false,
    }
}

/// `192.0.2.1:4711` and `[2001:db8::1]:4711` without their port; anything else as it is.
pub(crate) fn without_port(address: &[u8]) -> &[u8] {
    if let Some(rest) = address.strip_prefix(b"[") {
        return memchr::memchr(b']', rest).map_or(address, |end| &rest[..end]);
    }
    match near(b':', address) {
        // Two colons and no brackets: an IPv6 address alone.
        Some(first) if near(b':', &address[first + 1..]).is_none() => &address[..first],
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_that_are_trusted_are_believed_up_to_the_first_that_is_not() {
        let trusted = ["203.0.113.0/24".parse().unwrap()];
        let meaning = Meaning { trusted: trusted.into(), ..Meaning::default() };
        for (chain, expected) in [
            ("192.0.2.66, 198.51.100.7, 203.0.113.9", "198.51.100.7"),
            ("198.51.100.7, 203.0.113.9, 10.0.0.1", "198.51.100.7"),
            ("203.0.113.9:443", "203.0.113.9:443"),
            ("unknown, 203.0.113.9", "unknown"),
        ] {
            assert_eq!(meaning.forwarded_client(chain.as_bytes()), expected.as_bytes(), "{chain}");
        }
        assert!(
            meaning.trusts(b"203.0.113.9") && meaning.trusts(b"10.0.0.1") && !meaning.trusts(b"192.0.2.1")
        );
    }

    #[test]
    fn ports_are_cut_off_addresses() {
        for (text, expected) in [
            ("192.0.2.1:4711", "192.0.2.1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("proxy.example", "proxy.example"),
            ("", ""),
        ] {
            assert_eq!(without_port(text.as_bytes()), expected.as_bytes(), "{text}");
        }
    }

    #[test]
    fn the_last_public_address_of_a_chain_is_the_client() {
        for (chain, expected) in [
            ("203.0.113.9", "203.0.113.9"),
            ("1.1.1.1, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
            ("10.0.0.2, 10.0.0.1", "10.0.0.2"),
        ] {
            assert_eq!(forwarded_client(chain.as_bytes()), expected.as_bytes(), "{chain}");
        }
    }
}
