//! What goes over the wire besides messages: their lengths, the headers of a call, the status behind an answer. Pure.

use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE};
use shared::status::GrpcCode;

use crate::http::Malformed;

/// Bytes in front of a message: whether it is compressed, and its length, the highest byte first.
pub(super) const PREFIX: usize = 5;

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// What every call has among its headers, unless the profile says otherwise; it may take `timeout_ns`.
pub(crate) fn headers(timeout_ns: u64) -> [(HeaderName, HeaderValue); 3] {
    [
        (CONTENT_TYPE, HeaderValue::from_static("application/grpc+proto")),
        (TE, HeaderValue::from_static("trailers")),
        (TIMEOUT, HeaderValue::try_from(timeout(timeout_ns)).expect("digits and a letter")),
    ]
}

/// A time in at most eight digits and the finest unit that has room for it.
fn timeout(ns: u64) -> String {
    const MOST: u64 = 99_999_999;
    [("n", 1), ("u", 1_000), ("m", 1_000_000)]
        .into_iter()
        .find(|(_, unit)| ns.div_ceil(*unit) <= MOST)
        .map_or_else(
            || format!("{}S", (ns / 1_000_000_000).min(MOST)),
            |(name, unit)| format!("{}{name}", ns.div_ceil(unit)),
        )
}

/// An answer that is being read.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    status: Option<GrpcCode>,
    /// Messages of which the prefix has been read.
    messages: u64,
    /// Bytes read of the next prefix, and what its last four say so far.
    prefix: usize,
    length: u32,
    /// Bytes of the present message that are still to come.
    left: u32,
}

impl Reading {
    /// Takes in headers: those before the answer, where a call that failed at once has its status, or those behind it.
    pub(crate) fn headers(&mut self, headers: &HeaderMap) {
        let Some(value) = headers.get(STATUS) else { return };
        let number = value.to_str().ok().and_then(|text| text.parse().ok());
        // What is no code of gRPC counts as that it is not known how it went.
        self.status = Some(number.and_then(GrpcCode::from_number).unwrap_or(GrpcCode::Unknown));
    }

    /// Reads on in the body.
    pub(crate) fn body(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let here = (self.left as usize).min(bytes.len());
                self.left -= here as u32;
                bytes = &bytes[here..];
                continue;
            }
            // The flag before them is shifted out by the four of the length.
            self.length = (self.length << 8) | u32::from(*first);
            self.prefix += 1;
            if self.prefix == PREFIX {
                (self.prefix, self.left) = (0, self.length);
                self.messages += 1;
            }
            bytes = rest;
        }
    }

    /// How the call ended, after the last byte of an answer with this status of HTTP; none if the answer is not one of
    /// gRPC and its status of HTTP says why.
    ///
    /// # Errors
    /// [`Malformed`] without a status, and for one that is fine without one whole message.
    pub(crate) fn finish(self, http: u16) -> Result<Option<GrpcCode>, Malformed> {
        let is_one_message = (self.messages, self.left, self.prefix) == (1, 0, 0);
        match self.status {
            Some(GrpcCode::Ok) if !is_one_message => Err(Malformed),
            None if http == 200 => Err(Malformed),
            status => Ok(status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_fit_into_eight_digits() {
        for (ns, expected) in [
            (1, "1n"),
            (99_999_999, "99999999n"),
            (100_000_000, "100000u"),
            (30_000_000_000, "30000000u"),
            (100_000_000_000, "100000m"),
            (3_600_000_000_000, "3600000m"),
            (u64::MAX, "99999999S"),
        ] {
            assert_eq!(timeout(ns), expected);
        }
    }

    /// How an answer ends, with its body cut in two anywhere: statuses before and behind it, as they stand there.
    #[track_caller]
    fn check(
        before: &str,
        body: &[u8],
        behind: &str,
        http: u16,
        expected: Result<Option<GrpcCode>, Malformed>,
    ) {
        let headers = |status: &str| -> HeaderMap {
            let value = (!status.is_empty()).then(|| (STATUS, HeaderValue::from_str(status).unwrap()));
            value.into_iter().collect()
        };
        for cut in 0..=body.len() {
            let mut reading = Reading::default();
            reading.headers(&headers(before));
            reading.body(&body[..cut]);
            reading.body(&body[cut..]);
            reading.headers(&headers(behind));
            assert_eq!(reading.finish(http), expected, "{body:?} cut at {cut}");
        }
    }

    #[test]
    fn every_way_an_answer_can_end() {
        const ONE: &[u8] = b"\0\0\0\0\x05hello";
        check("", ONE, "0", 200, Ok(Some(GrpcCode::Ok)));
        check("", b"\0\0\0\0\0", "0", 200, Ok(Some(GrpcCode::Ok)));
        check("", b"", "5", 200, Ok(Some(GrpcCode::NotFound)));
        check("14", b"", "", 200, Ok(Some(GrpcCode::Unavailable)));
        // A status that is none, or of another age.
        check("", b"", "17", 200, Ok(Some(GrpcCode::Unknown)));
        check("", b"", "fine", 200, Ok(Some(GrpcCode::Unknown)));
        // Fine, but without the message, with half of it, or with two.
        check("", b"", "0", 200, Err(Malformed));
        check("0", b"", "", 200, Err(Malformed));
        check("", &ONE[..9], "0", 200, Err(Malformed));
        check("", &ONE[..4], "0", 200, Err(Malformed));
        check("", &[ONE, ONE].concat(), "0", 200, Err(Malformed));
        // No word about how it went: the answer of something else, or of a proxy that says so itself.
        check("", b"", "", 200, Err(Malformed));
        check("", ONE, "", 200, Err(Malformed));
        check("", b"<html>", "", 502, Ok(None));
        check("13", b"<html>", "", 502, Ok(Some(GrpcCode::Internal)));
    }
}
