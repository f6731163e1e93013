//! From one client's requests to sessions: a pause longer than the gap ends one.

use crate::error::Error;
use crate::event::Event;
use crate::kind::Kind;
use crate::read::Reading;
use crate::store::PARTITIONS;

pub(crate) mod behaviour;
pub(crate) mod group;
pub mod identity;
pub(crate) mod polling;
pub(crate) mod shared_key;
pub(crate) mod stamps;

/// The sessions in `events`, which are one client's, by start.
///
/// The pause runs from the end of the last response so far to the start of the next request; only one that is
/// strictly longer than `gap_ms` separates.
pub(crate) fn sessions(events: &[Event], gap_ms: i64) -> impl Iterator<Item = &[Event]> {
    let mut rest = events;
    std::iter::from_fn(move || {
        let mut end_ms = rest.first()?.end_ms();
        let mut count = 1;
        for event in &rest[1..] {
            if event.start_ms() - end_ms > gap_ms {
                break;
            }
            end_ms = end_ms.max(event.end_ms());
            count += 1;
        }
        let (session, after) = rest.split_at(count);
        rest = after;
        Some(session)
    })
}

/// The pauses between the requests of one client, in milliseconds: from the end of the last response so far to the start
/// of the next request, negative where that did not wait.
pub(crate) fn pauses_ms(events: &[Event]) -> impl Iterator<Item = i64> {
    let mut end_ms = events.first().map_or(0, Event::end_ms);
    events.iter().skip(1).map(move |event| {
        let pause_ms = event.start_ms() - end_ms;
        end_ms = end_ms.max(event.end_ms());
        pause_ms
    })
}

/// `events`, client by client.
pub(crate) fn by_client(events: &[Event]) -> impl Iterator<Item = &[Event]> {
    events.chunk_by(|one, next| one.client() == next.client())
}

/// One session, with nothing of who it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session {
    /// Shape of the first path, as the templates setting of the reading left it.
    pub first_path: String,
    /// Start of the first request, in milliseconds since 1970.
    pub start_ms: i64,
    /// Start of the last request, in milliseconds since 1970.
    pub last_start_ms: i64,
    /// Requests.
    pub requests: u64,
}

/// All sessions of requests of `kinds`, sorted.
///
/// # Errors
/// [`Error::Spill`].
pub fn list(reading: &Reading, kinds: &[Kind], gap_ms: i64) -> Result<Vec<Session>, Error> {
    let mut found = Vec::new();
    for partition in 0..PARTITIONS {
        let mut events = reading.partition(partition)?;
        events.retain(|event| kinds.contains(&event.kind()));
        for session in by_client(&events).flat_map(|client| sessions(client, gap_ms)) {
            found.push(Session {
                first_path: reading.resources[session[0].resource() as usize].shape.clone(),
                start_ms: session[0].start_ms(),
                last_start_ms: session[session.len() - 1].start_ms(),
                requests: session.len() as u64,
            });
        }
    }
    found.sort();
    Ok(found)
}
