//! A [`Snapshot`] as bytes, and back, exactly: whole numbers of seven bits per byte, and of histograms what is not empty.

use std::collections::BTreeMap;

use shared::status::{GrpcCode, Status};

use super::times::{Times, Waits};
use super::{EndpointSnapshot, Failure, RequestCounts, SessionCounts, Snapshot};
use crate::plan::Digest;

/// Appends `number` in groups of seven bits, the lowest first; the top bit says that more follow (LEB128).
pub(super) fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number that [`put`] wrote; none if there is no whole one.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// `snapshot` as bytes.
pub(super) fn encode(snapshot: &Snapshot) -> Vec<u8> {
    let mut bytes = Vec::new();
    let SessionCounts { planned, dropped, lost } = snapshot.sessions;
    [planned, dropped, lost].into_iter().for_each(|count| put(&mut bytes, count));
    let RequestCounts {
        planned,
        sent,
        completed,
        failed,
        timed_out,
        dropped,
        lost,
        cut,
        unfinished,
        skipped,
    } = snapshot.requests;
    [planned, sent, completed, failed, timed_out, dropped, lost, cut, unfinished, skipped]
        .into_iter()
        .for_each(|count| put(&mut bytes, count));
    put(&mut bytes, snapshot.redirects);
    put(&mut bytes, snapshot.digest.bits());
    for endpoint in &snapshot.endpoints {
        let EndpointSnapshot { planned, sent, failed, timed_out, dropped, cut, body_bytes, .. } = endpoint;
        [planned, sent, failed, timed_out, dropped, cut, body_bytes]
            .into_iter()
            .for_each(|count| put(&mut bytes, *count));
        put_counts(&mut bytes, endpoint.statuses.iter().map(|(status, count)| (number(*status), *count)));
        put_counts(&mut bytes, endpoint.failures.iter().map(|(failure, count)| (*failure as u64, *count)));
        for waits in endpoint.waits() {
            put_times(&mut bytes, &waits.ended);
            put_times(&mut bytes, &waits.unended);
        }
        endpoint.times().into_iter().for_each(|times| put_times(&mut bytes, times));
    }
    bytes
}

/// What [`encode`] made `bytes` of; none if it did not.
pub(super) fn decode(mut bytes: &[u8], endpoints: usize) -> Option<Snapshot> {
    let bytes = &mut bytes;
    let mut snapshot = Snapshot::new(endpoints);
    snapshot.sessions = SessionCounts { planned: take(bytes)?, dropped: take(bytes)?, lost: take(bytes)? };
    snapshot.requests = RequestCounts {
        planned: take(bytes)?,
        sent: take(bytes)?,
        completed: take(bytes)?,
        failed: take(bytes)?,
        timed_out: take(bytes)?,
        dropped: take(bytes)?,
        lost: take(bytes)?,
        cut: take(bytes)?,
        unfinished: take(bytes)?,
        skipped: take(bytes)?,
    };
    snapshot.redirects = take(bytes)?;
    snapshot.digest = Digest::from_bits(take(bytes)?);
    for endpoint in &mut snapshot.endpoints {
        *endpoint = EndpointSnapshot {
            planned: take(bytes)?,
            sent: take(bytes)?,
            failed: take(bytes)?,
            timed_out: take(bytes)?,
            dropped: take(bytes)?,
            cut: take(bytes)?,
            body_bytes: take(bytes)?,
            statuses: take_counts(bytes, status)?,
            failures: take_counts(bytes, |number| Failure::ALL.get(usize::try_from(number).ok()?).copied())?,
            response: take_waits(bytes)?,
            chain: take_waits(bytes)?,
            service: take_waits(bytes)?,
            send_delay: take_times(bytes)?,
            connecting: take_times(bytes)?,
            first_byte: take_times(bytes)?,
        };
    }
    bytes.is_empty().then_some(snapshot)
}

/// Codes of HTTP, which have at most three digits, as they are; those of gRPC from here on.
const GRPC: u64 = 1000;

fn number(status: Status) -> u64 {
    match status {
        Status::Http(code) => u64::from(code),
        Status::Grpc(code) => GRPC + code as u64,
    }
}

fn status(number: u64) -> Option<Status> {
    match number.checked_sub(GRPC) {
        Some(code) => GrpcCode::from_number(code).map(Status::Grpc),
        None => Some(Status::Http(number as u16)),
    }
}

fn put_counts(bytes: &mut Vec<u8>, counts: impl ExactSizeIterator<Item = (u64, u64)>) {
    put(bytes, counts.len() as u64);
    counts.for_each(|(key, count)| {
        put(bytes, key);
        put(bytes, count);
    });
}

fn take_counts<K: Ord>(bytes: &mut &[u8], key: impl Fn(u64) -> Option<K>) -> Option<BTreeMap<K, u64>> {
    let length = take(bytes)?;
    (0..length).map(|_| Some((key(take(bytes)?)?, take(bytes)?))).collect()
}

/// Bins as the distance from the one before and the count.
fn put_times(bytes: &mut Vec<u8>, times: &Times) {
    put(bytes, times.bins().count() as u64);
    let mut before = 0;
    for (us, count) in times.bins() {
        put(bytes, us - before);
        put(bytes, count);
        before = us;
    }
}

fn take_times(bytes: &mut &[u8]) -> Option<Times> {
    let mut times = Times::default();
    let mut us = 0_u64;
    for _ in 0..take(bytes)? {
        us = us.checked_add(take(bytes)?)?;
        times.add_us(us, take(bytes)?);
    }
    Some(times)
}

fn take_waits(bytes: &mut &[u8]) -> Option<Waits> {
    Some(Waits { ended: take_times(bytes)?, unended: take_times(bytes)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, 127, 128, 300, 1 << 35, u64::MAX] {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            assert_eq!(take(&mut &bytes[..]), Some(number));
            assert_eq!(take(&mut &bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(take(&mut &[0xff; 20][..]), None);
    }
}
