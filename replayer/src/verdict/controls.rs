//! Negative controls: runs as a broken generator would have sent them, each of which must be found, and runs as they
//! should be, which must not. What is checked are recorded streams, made from the plan without network or clock.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use shared::Profile;
use shared::distribution::Law;
use shared::io::from_yaml;
use shared::profile::EXAMPLE;
use shared::status::Status;

use super::{Context, Level, Verdict, check};
use crate::clock::SECOND_NS;
use crate::config::Schedule;
use crate::plan::{Plan, PlannedSession};
use crate::random::{Key, Purpose, Stream};
use crate::record::{Outcome, Recorder, Sample, Waiting, keep};

const SEEDS: u64 = 40;
const MS: u64 = 1_000_000;
const TIMEOUT: u64 = 30 * SECOND_NS;

/// How a generator sends.
#[derive(Clone, Copy)]
struct Generator {
    /// When it means a session to start that is due at a moment.
    start: fn(u64) -> u64,
    /// When it takes up what is due at a moment, given a uniform number.
    release: fn(u64, f64) -> u64,
    /// What it makes of a pause.
    pause: fn(u64) -> u64,
    /// Share of requests that it loses without a word.
    loses: f64,
    /// Share of requests to the second endpoint that it sends to the first.
    confuses: f64,
    /// The chain that it walks instead of the profile's.
    chain: fn(&mut Profile),
}

/// Late by up to 60 microseconds, as timers wake.
const FAITHFUL: Generator = Generator {
    start: |due| due,
    release: |due, u| due + (60_000.0 * u) as u64,
    pause: |pause| pause,
    loses: 0.0,
    confuses: 0.0,
    chain: |_| (),
};

/// The verdict on 40 s at 100 sessions per second, sent like that.
fn verdict(seed: u64, generator: Generator) -> Verdict {
    let mut profile = from_yaml(EXAMPLE).unwrap();
    // A median of 0.4 s.
    profile.think_times.get_mut("browse").unwrap().law = Some(Law::Lognormal { mu: -1.0, sigma: 0.9 });
    let schedule =
        Schedule { seed, scale: 1250.0, duration: Some(Duration::from_secs(40)), ..Schedule::default() };
    let plan = Plan::new(&profile, &schedule, &[]).unwrap();
    (generator.chain)(&mut profile);
    let walked = Plan::new(&profile, &schedule, &[]).unwrap();
    let (reader, batches) = sync_channel(1);
    let mut recorder = Recorder::new(2, TIMEOUT, std::sync::Arc::default(), Some((0, reader)));
    let mut stream = Stream::new(Key { seed, block: 9, index: 9 }, Purpose::Answer);
    walked.sessions().for_each(|session| play(&walked, &session, generator, &mut stream, &mut recorder));
    let counted = recorder.finish(u64::MAX);
    drop(recorder);
    let kept = keep(&batches, 1, &plan, None, None);
    let context = Context { ids: &["a", "b"], max_in_flight: 1000, cut_short: false, machine: None };
    check(&counted, &kept.evidence, context).0
}

fn play(
    plan: &Plan,
    session: &PlannedSession,
    generator: Generator,
    stream: &mut Stream,
    recorder: &mut Recorder,
) {
    let mut walk = plan.walk(session);
    let mut due = (generator.start)(session.starts_at_ns);
    recorder.session(plan, session, &walk, (generator.release)(due, stream.uniform()));
    let places = walk.places.clone();
    let mut before = due;
    for (at, place) in places.iter().enumerate() {
        let released_at = (generator.release)(due, stream.uniform());
        let completed_at = released_at + 20 * MS;
        let planned = plan.requested(*place).unwrap();
        let endpoint = if planned == 1 && stream.uniform() < generator.confuses { 0 } else { planned };
        if stream.uniform() >= generator.loses {
            recorder.sent(Waiting { scheduled_at: due, chain_due_at: due, endpoint });
            recorder.ended(&Sample {
                endpoint,
                scheduled_at: due,
                chain_due_at: due,
                released_at,
                sent_at: Some(released_at + 10_000),
                connecting: None,
                first_byte_at: Some(completed_at),
                completed_at,
                outcome: Outcome::Completed { status: Status::Http(200), body_bytes: 0 },
            });
        }
        if at == 1 {
            let rank = plan.pause_rank(&walk, [places[0], places[1]], released_at - before, u64::MAX);
            rank.into_iter().for_each(|rank| recorder.paused(rank));
        }
        before = completed_at;
        if let Some(next) = places.get(at + 1) {
            due = completed_at + (generator.pause)(plan.gap_between(&mut walk, *place, *next).length_ns);
        }
    }
}

/// How many of 40 runs were found not to be as planned, and the reasons of one of them.
fn flagged(generator: Generator) -> (usize, String) {
    let verdicts = (0..SEEDS).map(|seed| verdict(seed, generator));
    let found: Vec<Verdict> = verdicts.filter(|verdict| verdict.level > Level::Valid).collect();
    (found.len(), format!("{:?}", found.last().map(|verdict| &verdict.findings)))
}

/// 95 % of 40.
const MOST: usize = 38;

#[track_caller]
fn must_be_found(generator: Generator, word: &str) {
    let (found, reasons) = flagged(generator);
    assert!(found >= MOST && reasons.contains(word), "{found} of {SEEDS}: {reasons}");
}

#[test]
fn runs_as_planned_raise_no_alarm() {
    let (found, reasons) = flagged(FAITHFUL);
    assert!(found <= 2, "{found} of {SEEDS}: {reasons}");
}

#[test]
fn a_pacer_of_whole_milliseconds_is_found() {
    // What tokio's timer does: the next tick, and then some.
    must_be_found(
        Generator { release: |due, u| (due / MS + 1) * MS + (60_000.0 * u) as u64, ..FAITHFUL },
        "A²",
    );
}

#[test]
fn a_weight_that_is_five_points_off_is_found() {
    // The second endpoint has 37.5 % of all requests.
    must_be_found(Generator { confuses: 0.05 / 0.375, ..FAITHFUL }, "of `");
}

#[test]
fn a_chain_that_gives_an_endpoint_five_points_more_is_found() {
    // With x of the steps from home leading to the second endpoint, v_home = 0.8333/(0.8 - x/3) and
    // v_item = 0.25 + x v_home: its share is 37.5 % at the example's x of 0.4, and 42.5 % at this one.
    let chain = |profile: &mut Profile| {
        let next = &mut profile.classes[0].chain.get_mut("get_home").unwrap().next;
        *next = [("END".to_owned(), 0.2454), ("get_home".to_owned(), 0.2), ("get_item".to_owned(), 0.5546)]
            .into();
    };
    must_be_found(Generator { chain, ..FAITHFUL }, "in the profile");
}

#[test]
fn pauses_that_are_a_fifth_too_long_are_found() {
    must_be_found(Generator { pause: |pause| pause + pause / 5, ..FAITHFUL }, "pause");
}

#[test]
fn one_lost_request_in_a_hundred_is_found() {
    must_be_found(Generator { loses: 0.01, ..FAITHFUL }, "nobody knows why");
}

#[test]
fn starts_of_whole_seconds_are_found() {
    must_be_found(Generator { start: |due| due / SECOND_NS * SECOND_NS, ..FAITHFUL }, "unevenly");
}
