//! One request in two logs: both sidecars of a mesh, a CDN and its origin, a load balancer and the server behind it.
//!
//! Two records are one request when all of this holds:
//!
//! 1. they have the same request id, of at least [`SHORTEST_ID`] bytes, and no more than [`MOST_RECORDS`] records do:
//!    a trace id is shared by all requests of a trace, and some clients send the same id for ever;
//! 2. they have the same method, shape of path and status: the requests of a trace differ in these, and so does the
//!    retry of what failed;
//! 3. their times overlap, give or take [`CLOCK_SKEW_MS`];
//! 4. two observers wrote them. Of a mesh that says so: one is the inbound sidecar of the server and the other an
//!    outbound one. Elsewhere: they stand in different inputs, and the formats differ, or the client does, because a
//!    server behind a proxy sees the proxy. What one observer wrote twice are two requests, such as a retry.
//!
//! The inbound record is kept, which is the one of the server that answered; else the earliest, which is the
//! outermost and saw the client itself.

use std::cmp::Reverse;

use rayon::prelude::*;

use crate::event::Event;
use crate::privacy::pseudonym::{Domain, Key, Pseudonym};
use crate::request::Request;

/// Anything shorter is a number that somebody counts up.
const SHORTEST_ID: usize = 8;
/// Logs that one request passes through, at most.
const MOST_RECORDS: usize = 16;
/// How far the clocks of two hosts may be apart, with stamps of whole seconds, and requests be one nevertheless.
const CLOCK_SKEW_MS: i64 = 2000;
/// Ids are compared in as many turns, so that no more than this share of them lies side by side in memory.
const TURNS: u64 = 32;

/// A request with an id, as it stands in its block: 40 bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identified {
    /// The id under the key of the run.
    id: Pseudonym,
    /// What is left of it, with a resource of its block's own.
    pub(crate) event: Event,
    /// Its number among the events of the block.
    pub(crate) number: u32,
    /// Its line in the block, and in the two lowest bits its side of a mesh.
    line_and_side: u32,
}

/// Where in a mesh a record was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Unknown,
    Outbound,
    Inbound,
}

impl Identified {
    /// `None` for a request without an id that could tell it from others.
    pub(crate) fn new(
        request: &Request<'_>,
        key: &Key,
        event: Event,
        number: usize,
        line: u64,
    ) -> Option<Self> {
        let id = request.request_id.filter(|id| id.len() >= SHORTEST_ID)?;
        let side = match request.inbound {
            None => Side::Unknown,
            Some(false) => Side::Outbound,
            Some(true) => Side::Inbound,
        };
        let line_and_side = u32::try_from(line << 2 | side as u64).ok()?;
        Some(Self {
            id: key.pseudonym(Domain::Request, id),
            event,
            number: u32::try_from(number).ok()?,
            line_and_side,
        })
    }

    /// The same, its event having been put in another place.
    pub(crate) fn renumbered(&self, position: &[u32]) -> Self {
        Self { number: position[self.number as usize], ..*self }
    }

    /// Its line in the block, from 1.
    pub(crate) fn line(&self) -> u64 {
        u64::from(self.line_and_side >> 2)
    }

    fn side(&self) -> Side {
        [Side::Unknown, Side::Outbound, Side::Inbound, Side::Inbound][(self.line_and_side & 3) as usize]
    }
}

/// A block as the search sees it.
pub(crate) struct Block<'b> {
    pub(crate) input: usize,
    /// Number of the format; the same for inputs in the same one.
    pub(crate) format: usize,
    pub(crate) identified: &'b [Identified],
    /// Number of a resource in the block → its number in all blocks.
    pub(crate) numbers: &'b [u32],
}

/// One record of a request.
#[derive(Debug, Clone, Copy)]
struct Sighting {
    id: Pseudonym,
    /// Number of the block, and of the record among its identified ones.
    place: (u32, u32),
    event: Event,
    resource: u32,
    side: Side,
    input: usize,
    format: usize,
}

/// The records that are left out, as numbers of blocks and of their identified requests, in order.
pub(crate) fn find(blocks: &[Block<'_>]) -> Vec<(u32, u32)> {
    let turn = |turn: u64| {
        let mut sightings = Vec::new();
        for (number, block) in blocks.iter().enumerate() {
            let here = block.identified.iter().enumerate().filter(|(_, found)| found.id % TURNS == turn);
            sightings.extend(here.map(|(i, found)| Sighting {
                id: found.id,
                place: (number as u32, i as u32),
                event: found.event,
                resource: block.numbers[found.event.resource() as usize],
                side: found.side(),
                input: block.input,
                format: block.format,
            }));
        }
        // The inbound record first, then the earliest; blocks are in an order of their own, however inputs are named.
        sightings.sort_unstable_by_key(|sighting| {
            (sighting.id, Reverse(sighting.side == Side::Inbound), sighting.event.start_ms(), sighting.place)
        });
        let several = |records: &&[Sighting]| (2..=MOST_RECORDS).contains(&records.len());
        let groups = sightings.chunk_by(|one, other| one.id == other.id).filter(several);
        groups.flat_map(repeated).collect::<Vec<_>>()
    };
    let mut found: Vec<(u32, u32)> = (0..TURNS).into_par_iter().flat_map_iter(turn).collect();
    found.sort_unstable();
    found
}

/// The records of one id that repeat an earlier one of them.
fn repeated(records: &[Sighting]) -> Vec<(u32, u32)> {
    let mut requests: Vec<Vec<&Sighting>> = Vec::new();
    let mut repeated = Vec::new();
    for record in records {
        let same = |request: &&mut Vec<&Sighting>| request.iter().all(|known| are_one_request(known, record));
        match requests.iter_mut().find(same) {
            Some(request) => {
                request.push(record);
                repeated.push(record.place);
            }
            None => requests.push(vec![record]),
        }
    }
    repeated
}

fn are_one_request(one: &Sighting, other: &Sighting) -> bool {
    let begins_in_time =
        |a: &Sighting, b: &Sighting| a.event.start_ms() <= b.event.end_ms().saturating_add(CLOCK_SKEW_MS);
    let two_observers = match (one.side, other.side) {
        (Side::Inbound, Side::Outbound) | (Side::Outbound, Side::Inbound) => true,
        (Side::Inbound, Side::Inbound) => false,
        _ => {
            one.input != other.input
                && (one.format != other.format || one.event.client() != other.event.client())
        }
    };
    two_observers
        && one.resource == other.resource
        && one.event.status() == other.event.status()
        && begins_in_time(one, other)
        && begins_in_time(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;

    /// One record: input, format, client, side, start in seconds, duration in seconds, status, resource.
    type Line = (usize, usize, u64, Option<bool>, i64, i64, u16, u32);

    #[track_caller]
    fn check(id: &str, lines: &[Line], expected: &[usize]) {
        let key = Key::ephemeral().unwrap();
        let read = |(_, _, client, inbound, start_s, duration_s, status, resource): &Line| {
            let request = Request {
                stamp_ns: (1_700_000_000 + start_s) * 1_000_000_000,
                duration_ns: Some(duration_s * 1_000_000_000),
                status: *status,
                inbound: *inbound,
                request_id: Some(id.as_bytes()),
                ..Request::default()
            };
            let event = Event::new(&request, *client, *resource, Kind::Page);
            Identified::new(&request, &key, event, 0, 1)
        };
        let read: Vec<Option<Identified>> = lines.iter().map(read).collect();
        let numbers: Vec<u32> = (0..10).collect();
        let blocks: Vec<Block<'_>> = lines
            .iter()
            .zip(&read)
            .map(|((input, format, ..), identified)| Block {
                input: *input,
                format: *format,
                identified: identified.as_slice(),
                numbers: &numbers,
            })
            .collect();
        let found: Vec<usize> = find(&blocks).into_iter().map(|(block, _)| block as usize).collect();
        assert_eq!(found, expected, "{lines:?}");
    }

    #[test]
    fn one_request_in_two_logs_is_found() {
        let id = "6d1a1b9c-0f1e-4c69";
        // A CDN and its origin, in any order; the earlier is kept.
        check(id, &[(0, 0, 1, None, 0, 3, 200, 5), (1, 1, 2, None, 1, 1, 200, 5)], &[1]);
        check(id, &[(0, 0, 2, None, 1, 1, 200, 5), (1, 1, 1, None, 0, 3, 200, 5)], &[0]);
        // A proxy and what it asks, in one format: the client differs.
        check(id, &[(0, 0, 1, None, 0, 3, 200, 5), (1, 0, 2, None, 1, 1, 200, 5)], &[1]);
        // Both sidecars of a mesh, in one file; the inbound record is kept.
        check(id, &[(0, 0, 1, Some(false), 0, 2, 200, 5), (0, 0, 2, Some(true), 0, 2, 200, 5)], &[0]);
        // Gateway, sidecar of the caller, sidecar of the server.
        let three = [
            (0, 0, 1, Some(false), 0, 2, 200, 5),
            (1, 0, 2, Some(false), 0, 2, 200, 5),
            (2, 0, 3, Some(true), 0, 2, 200, 5),
        ];
        check(id, &three, &[0, 1]);
    }

    #[test]
    fn what_only_shares_an_id_stays() {
        let id = "6d1a1b9c-0f1e-4c69";
        let first = (0, 0, 1, None, 0, 3, 200, 5);
        for other in [
            (1, 1, 2, None, 0, 3, 200, 6),
            (1, 1, 2, None, 0, 3, 503, 5),
            (1, 1, 2, None, 60, 3, 200, 5),
            // A retry, in the same log or in its next part.
            (0, 0, 1, None, 0, 3, 200, 5),
            (1, 0, 1, None, 0, 3, 200, 5),
            (0, 0, 2, None, 0, 3, 200, 5),
        ] {
            check(id, &[first, other], &[]);
        }
        let served = |input, client| (input, 0, client, Some(true), 0, 3, 200, 5);
        check(id, &[served(0, 1), served(1, 2)], &[]);
        check("17", &[first, (1, 1, 2, None, 0, 3, 200, 5)], &[]);
        check(id, &(0..20).map(|i| (i, i, i as u64, None, 0, 3, 200, 5)).collect::<Vec<_>>(), &[]);
    }
}
