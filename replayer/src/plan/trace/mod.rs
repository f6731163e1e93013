//! A log played back as it was: every request at its own moment, in each client's order.
//!
//! A trace says nothing but itself: it cannot be scaled or bent without artefacts, which is what a profile is for. Two
//! things are done to it all the same. Stamps in whole seconds are un-rounded, because a second's requests all at once
//! are a burst that never was (Kim & Whitt 2014). And a request waits for the answer to the one before it of the same
//! client: nobody asked for it sooner.

mod events;
#[cfg(feature = "parquet")]
mod parquet;
mod profile;

use std::collections::BTreeMap;
use std::io::Read;

use shared::Profile;

pub use events::Form;
use events::{Event, Events};

use super::{Place, PlannedSession};
use crate::clock::SECOND_NS;
use crate::error::{Error, EventsPlace};
use crate::random::{Key, Purpose, Stream};

/// The longest pause inside a session, in nanoseconds: who is silent for longer comes back over a new connection.
const SESSION_GAP_NS: i64 = 1_800 * SECOND_NS as i64;

/// The first bytes of every Parquet file.
pub const PARQUET_MAGIC: &[u8] = b"PAR1";

/// A log played back as it was.
#[derive(Debug, Clone)]
pub struct Trace {
    /// The endpoints of the log, with the service times it has, as a profile for reports.
    pub profile: Profile,
    pub(super) sessions: Vec<TracedSession>,
    /// Where and when of all steps, session after session; moments are nanoseconds of run time.
    steps: Vec<(Place, u64)>,
    /// What was read.
    pub(super) summary: TraceSummary,
}

/// What a trace was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct TraceSummary {
    /// Requests in the log.
    pub requests: u64,
    /// Of these, without a route, and so without a request here.
    pub without_route: u64,
    /// Of these, without a stamp, and so not here at all.
    pub without_stamp: u64,
    /// Whether stamps were whole seconds, and moments inside them were drawn.
    pub unrounded: bool,
    /// From the first request to the last, in whole nanoseconds.
    pub length_ns: u64,
}

/// A client, from one long silence to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct TracedSession {
    pub(super) planned: PlannedSession,
    /// Its steps are those from here on.
    from: usize,
    to: usize,
}

impl Trace {
    /// Reads the events that `analyzer events` wrote; moments that stamps do not say follow from `seed`.
    ///
    /// # Errors
    /// [`Error::Events`] for a table that is none of events, or has none to replay.
    pub fn read(input: impl Read, form: Form, seed: u64) -> Result<Self, Error> {
        Self::of(events::read(input, form)?, seed)
    }

    /// The same of a Parquet file, which begins with [`PARQUET_MAGIC`].
    ///
    /// # Errors
    /// [`Error::Events`] for a file that is damaged, or a table that is none of events, or has none to replay.
    #[cfg(feature = "parquet")]
    pub fn read_parquet(file: std::fs::File, seed: u64) -> Result<Self, Error> {
        Self::of(parquet::read(file)?, seed)
    }

    fn of(mut events: Events, seed: u64) -> Result<Self, Error> {
        let requests = events.rows.len() as u64 + events.without_stamp;
        let unrounded = events.rows.iter().all(|event| event.stamp_ns % SECOND_NS as i64 == 0);
        if unrounded {
            unround(&mut events.rows, seed);
        }
        // By client and then by time; of one moment, in the order of the log.
        events.rows.sort_by_key(|event| (event.client, event.starts_at_ns()));
        let first_ns = events.rows.iter().map(Event::starts_at_ns).min();
        let Some(first_ns) = first_ns else {
            let found = match events.without_stamp {
                0 => "no request".to_owned(),
                1 => "a row without a moment".to_owned(),
                rows => format!("{rows} rows without a moment"),
            };
            return Err(Error::Events { place: EventsPlace::All, found, expected: "rows with one" });
        };
        let origin_ns = first_ns.div_euclid(SECOND_NS as i64) * SECOND_NS as i64;
        let run_ns = |event: &Event| event.starts_at_ns().abs_diff(origin_ns);
        let steps: Vec<(Place, u64)> = events
            .rows
            .iter()
            .map(|event| (event.endpoint.map_or(Place::Other, Place::Endpoint), run_ns(event)))
            .collect();
        let goes_on = |one: &Event, next: &Event| {
            one.client == next.client
                && next.starts_at_ns().saturating_sub(one.starts_at_ns()) <= SESSION_GAP_NS
        };
        let mut sessions = Vec::new();
        let mut from = 0;
        for session in events.rows.chunk_by(goes_on) {
            let to = from + session.len();
            let starts_at_ns = steps[from].1;
            let block = starts_at_ns / SECOND_NS;
            let planned = PlannedSession { block, index: 0, starts_at_ns, class: 0, begun: 0 };
            sessions.push(TracedSession { planned, from, to });
            from = to;
        }
        // By time, and within a block numbered like drawn ones.
        sessions.sort_by_key(|session| session.planned.starts_at_ns);
        let mut in_block: BTreeMap<u64, u64> = BTreeMap::new();
        for TracedSession { planned, .. } in &mut sessions {
            let next = in_block.entry(planned.block).or_default();
            planned.index = *next;
            *next += 1;
        }
        let summary = TraceSummary {
            requests,
            without_route: steps.iter().filter(|(place, _)| *place == Place::Other).count() as u64,
            without_stamp: events.without_stamp,
            unrounded,
            length_ns: steps.iter().map(|(_, at_ns)| *at_ns).max().unwrap_or(0),
        };
        Ok(Self { profile: profile::of(&events), sessions, steps, summary })
    }

    /// Where and when of the steps of `session`, which is one of this trace.
    pub(super) fn steps(&self, session: &PlannedSession) -> &[(Place, u64)] {
        let key = |session: &PlannedSession| (session.starts_at_ns, session.block, session.index);
        let at = self.sessions.binary_search_by_key(&key(session), |session| key(&session.planned));
        at.map_or(&[], |at| &self.steps[self.sessions[at].from..self.sessions[at].to])
    }

    /// The steps of all sessions.
    pub(super) fn all_steps(&self) -> &[(Place, u64)] {
        &self.steps
    }
}

/// Puts each stamp somewhere into its second, evenly, so that each client's requests keep the order of the log.
fn unround(rows: &mut [Event], seed: u64) {
    let mut of_client: BTreeMap<(u32, i64), Vec<usize>> = BTreeMap::new();
    for (at, event) in rows.iter().enumerate() {
        of_client.entry((event.client, event.stamp_ns)).or_default().push(at);
    }
    for ((client, stamp_ns), rows_of_second) in of_client {
        let key = Key { seed, block: stamp_ns as u64, index: u64::from(client) };
        let mut stream = Stream::new(key, Purpose::Unrounding);
        let mut within: Vec<u64> = rows_of_second.iter().map(|_| stream.below(SECOND_NS)).collect();
        within.sort_unstable();
        for (at, within_ns) in rows_of_second.into_iter().zip(within) {
            rows[at].stamp_ns += within_ns as i64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::to_s;
    use crate::config::Schedule;
    use crate::plan::{Digest, Plan};

    const HEAD: &str =
        "started_at,ended_at,duration_s,client,method,route,endpoint,status,bytes_out,kind,weight\n";

    fn read(rows: &str, seed: u64) -> Trace {
        Trace::read(format!("{HEAD}{rows}").as_bytes(), Form::Csv, seed).unwrap()
    }

    fn plan(trace: Trace) -> Plan {
        Plan::of_trace(trace.into(), &Schedule::default(), &[]).unwrap()
    }

    const LITERAL: &str = "\
2026-11-02T08:00:00.250000000Z,2026-11-02T08:00:00.450000000Z,0.2,c1,GET,/,get_home,200,10,pages,
2026-11-02T08:00:00.300000000Z,2026-11-02T08:00:00.350000000Z,0.05,c2,GET,/items/{id},get_item,200,10,pages,
2026-11-02T08:00:04.750000000Z,2026-11-02T08:00:04.760000000Z,0.01,c1,GET,/items/{id},get_item,404,10,pages,
2026-11-02T08:00:05.000000000Z,,,c1,GET,,,200,10,pages,
2026-11-02T09:00:00.500000000Z,2026-11-02T09:00:00.600000000Z,0.1,c1,GET,/,get_home,200,10,pages,
";

    #[test]
    fn requests_are_due_when_they_were_made() {
        let trace = read(LITERAL, 1);
        assert_eq!(trace.summary.without_route, 1);
        assert!(!trace.summary.unrounded && shared::validate::validate(&trace.profile).is_empty());
        let ids: Vec<&str> = trace.profile.endpoints.iter().map(|endpoint| endpoint.id.as_str()).collect();
        assert_eq!(ids, ["get_home", "get_item"]);
        let plan = plan(trace);
        let sessions: Vec<PlannedSession> = plan.sessions().collect();
        // c1 until its silence, c2, and c1 again.
        let starts: Vec<f64> = sessions.iter().map(|session| to_s(session.starts_at_ns)).collect();
        assert_eq!(starts, [0.25, 0.3, 3600.5]);
        let mut walk = plan.walk(&sessions[0]);
        assert_eq!(*walk.places, [Place::Endpoint(0), Place::Endpoint(1), Place::Other]);
        let gap = plan.gap_between(&mut walk, Place::Endpoint(0), Place::Endpoint(1));
        // On time when the answer came in time, and behind the answer when it did not.
        assert_eq!(gap.due_ns(250_000_000, 450_000_000), 4_750_000_000);
        assert_eq!(gap.due_ns(9_000_000_000, 9_100_000_000), 9_100_000_000);
        assert_eq!(plan.outline().sessions as u64, 3);
        assert_eq!(plan.outline().requests as u64, 4);
        assert!(plan.is_literal() && plan.outline().from.is_none());
    }

    #[test]
    fn lines_of_json_say_the_same() {
        let rows = LITERAL.lines().map(|line| {
            let cells: Vec<String> = line
                .split(',')
                .map(|cell| if cell.is_empty() { "null".to_owned() } else { format!("\"{cell}\"") })
                .collect();
            let duration = cells[2].trim_matches('"');
            format!(
                "{{\"started_at\":{},\"ended_at\":{},\"duration_s\":{duration},\"client\":{},\"method\":{},\
                 \"route\":{},\"endpoint\":{},\"status\":{},\"kind\":\"pages\"}}\n",
                cells[0],
                cells[1],
                cells[3],
                cells[4],
                cells[5],
                cells[6],
                line.split(',').nth(7).unwrap()
            )
        });
        let json: String = rows.collect();
        let of_json = Trace::read(json.as_bytes(), Form::Ndjson, 1).unwrap();
        let of_csv = read(LITERAL, 1);
        assert_eq!(of_json.all_steps(), of_csv.all_steps());
        assert_eq!(of_json.profile, of_csv.profile);
    }

    #[test]
    fn whole_seconds_are_filled_evenly_in_each_client_s_order() {
        // Two requests per second and client, stamped at their ends, whose durations are known.
        let mut rows = String::new();
        for second in 0..50 {
            for request in 0..2 {
                for client in 0..40 {
                    let route = if request == 0 { "/a,get_a" } else { "/b,get_b" };
                    rows.push_str(&format!(
                        ",2026-11-02T08:01:{second:02}.000000000Z,0.0{request},c{client},GET,{route},200,1,pages,\n"
                    ));
                }
            }
        }
        let trace = read(&rows, 5);
        assert!(trace.summary.unrounded);
        let mut within: Vec<f64> = trace
            .all_steps()
            .iter()
            .filter(|(place, _)| *place == Place::Endpoint(0))
            .map(|(_, at_ns)| to_s(at_ns % SECOND_NS))
            .collect();
        within.sort_by(f64::total_cmp);
        // The earlier of two uniform numbers lies below u with probability 1 - (1 - u)^2.
        let n = within.len() as f64;
        let distance = within.iter().enumerate().map(|(i, u)| {
            let law = 1.0 - (1.0 - u) * (1.0 - u);
            (law - (i as f64 + 0.5) / n).abs()
        });
        assert!(distance.fold(0.0, f64::max) * n.sqrt() < 1.95);
        let digest = |trace: Trace| {
            let plan = plan(trace);
            let mut digest = Digest::default();
            plan.sessions().for_each(|session| digest.add(&session, &plan.walk(&session)));
            (plan.sessions().count(), digest)
        };
        // All of a client is one session, and in the order of the log but for the ten milliseconds of a duration.
        let (sessions, of_five) = digest(trace);
        assert_eq!(sessions, 40);
        assert_eq!(of_five, digest(read(&rows, 5)).1);
        assert_ne!(of_five, digest(read(&rows, 6)).1);
    }

    #[test]
    fn tables_that_are_none_of_events_are_named_without_what_is_in_them() {
        #[track_caller]
        fn check(text: &str, place: &str, words: &str) {
            let error = Trace::read(text.as_bytes(), Form::Csv, 1).unwrap_err().to_string();
            assert!(error.contains(place) && error.contains(words) && !error.contains("secret"), "{error}");
        }
        check("secret,b\n1,2\n", "line 1", "a column `client`");
        check(HEAD, "the events", "no request");
        check(&format!("{HEAD},,,secret,GET,/,get,200,1,pages,\n"), "the events", "a row without a moment");
        let two = ",,,secret,GET,/,get,200,1,pages,\n".repeat(2);
        check(&format!("{HEAD}{two}"), "the events", "2 rows without a moment");
        check(&format!("{HEAD}secret,,,c,GET,/,get,200,1,pages,\n"), "line 2", "a moment");
        let row = "2026-11-02T08:00:00Z,,secret,c,GET,/,g,200,1,pages,\n";
        check(&format!("{HEAD}{LITERAL}{row}"), "line 7", "a row");
    }
}
