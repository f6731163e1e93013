//! Sessions against lists made by another program, and the rule of the gap by hand.

use std::collections::HashMap;
use std::io::Write as _;

use analyzer::kind::Kind;
use analyzer::privacy::pseudonym::Key;
use analyzer::session::identity::Identity;
use analyzer::session::{self, Session};
use analyzer::settings::{ModelSettings, ReadSettings};
use analyzer::{Settings, analyze};
use shared::profile::{GapRule, SessionRule};

use crate::support::corpus;

/// A line in *common* of a client that asks for a path with its own name, so that sessions can be told apart.
fn line(client: &str, date: &str, time: &str) -> String {
    let (year, rest) = date.split_once('-').unwrap();
    let (month, day) = rest.split_once('-').unwrap();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months[month.parse::<usize>().unwrap() - 1];
    format!("{client} - - [{day}/{month}/{year}:{time} +0000] \"GET /{client} HTTP/1.1\" 200 100\n")
}

fn sessions(log: &str, gap_s: i64) -> Vec<Session> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(log.as_bytes()).unwrap();
    let settings = ReadSettings {
        inputs: vec![file.path().to_owned()],
        identity: Identity::Ip,
        templates: false,
        ..ReadSettings::default()
    };
    let key = Key::ephemeral().unwrap();
    let reading = analyzer::read::read(&settings, &key, &|_| {}).unwrap();
    assert_eq!(reading.counts.requests, log.lines().count() as u64);
    session::list(&reading, &Kind::ALL, gap_s * 1000).unwrap()
}

/// Client, first and last second as `HH:MM:SS`, seconds from the first to the last, both counted, and requests.
type Row = (String, String, String, i64, u64);

fn rows(sessions: Vec<Session>) -> Vec<Row> {
    let clock = |ms: i64| {
        let s = ms / 1000 % 86_400;
        format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    };
    let mut rows: Vec<Row> = sessions
        .into_iter()
        .map(|session| {
            let duration_s = (session.last_start_ms - session.start_ms) / 1000 + 1;
            let client = session.first_path.trim_start_matches('/').to_owned();
            (client, clock(session.start_ms), clock(session.last_start_ms), duration_s, session.requests)
        })
        .collect();
    rows.sort();
    rows
}

/// The logs of a public coding challenge: 2,500 requests each, and the sessions that its author expects.
#[test]
fn edgar_logs_have_the_sessions_that_were_expected() {
    let Some(directory) = corpus("sessions/edgar") else { return };
    let mut tests = 0;
    for entry in fs_err::read_dir(directory).unwrap() {
        let test = entry.unwrap().path();
        let text = |name: &str| fs_err::read_to_string(test.join(name)).unwrap();
        let gap_s: i64 = text("inactivity_period.txt").trim().parse().unwrap();
        let csv = text("log.csv");
        let mut lines = csv.lines();
        let columns: HashMap<&str, usize> =
            lines.next().unwrap().split(',').enumerate().map(|(at, name)| (name, at)).collect();
        let log: String = lines
            .map(|row| {
                let cells: Vec<&str> = row.split(',').collect();
                line(cells[columns["ip"]], cells[columns["date"]], cells[columns["time"]])
            })
            .collect();
        let mut expected: Vec<Row> = text("sessionization.txt")
            .lines()
            .map(|row| {
                let cells: Vec<&str> = row.split(',').collect();
                let time = |cell: &str| cell.split_once(' ').unwrap().1.to_owned();
                let (duration_s, count) = (cells[3].parse().unwrap(), cells[4].parse().unwrap());
                (cells[0].to_owned(), time(cells[1]), time(cells[2]), duration_s, count)
            })
            .collect();
        expected.sort();
        assert_eq!(rows(sessions(&log, gap_s)), expected, "{}", test.display());
        tests += 1;
    }
    assert!(tests >= 12, "{tests}");
}

#[track_caller]
fn check(times: &[&str], gap_s: i64, expected: &[u64]) {
    let log: String = times.iter().map(|time| line("192.0.2.1", "2026-11-02", time)).collect();
    let lengths: Vec<u64> = sessions(&log, gap_s).iter().map(|session| session.requests).collect();
    assert_eq!(lengths, expected, "{times:?}");
}

#[test]
fn only_a_pause_longer_than_the_gap_ends_a_session() {
    check(&["10:00:00", "10:30:00"], 1800, &[2]);
    check(&["10:00:00", "10:30:01"], 1800, &[1, 1]);
    check(&["10:00:00", "10:30:00", "11:00:00", "11:30:01"], 1800, &[3, 1]);
    check(&["23:59:59"], 1800, &[1]);
    // Lines may stand in the wrong order.
    check(&["10:20:00", "10:00:00", "10:40:00"], 1200, &[3]);
    check(&["10:00:00", "10:00:00"], 0, &[2]);
}

#[test]
fn clients_do_not_share_sessions() {
    let mut log = String::new();
    for second in 0..30 {
        for client in ["192.0.2.1", "192.0.2.2", "2001:db8::1"] {
            log += &line(client, "2026-11-02", &format!("10:00:{second:02}"));
        }
    }
    let lengths: Vec<u64> = sessions(&log, 1800).iter().map(|session| session.requests).collect();
    assert_eq!(lengths, [30, 30, 30]);
}

/// The session rule of 60 clients who come three times, for six requests some seconds apart, `absent_s` after the last.
fn rule(absent_s: i64, gap_rule: GapRule) -> SessionRule {
    let mut log = String::new();
    for client in 0..60 {
        let mut now_s = 13 * client;
        for request in 0..18 {
            let clock = format!("{:02}:{:02}:{:02}", now_s / 3600, now_s / 60 % 60, now_s % 60);
            log +=
                &line(&format!("192.0.2.{client}"), "2026-11-02", &clock).replace("GET /192", "GET /x?192");
            now_s +=
                if request % 6 == 5 { absent_s + 40 * (client % 5) } else { 4 + (client + request) % 17 };
        }
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(log.as_bytes()).unwrap();
    let read = ReadSettings {
        inputs: vec![file.path().to_owned()],
        identity: Identity::Ip,
        ..ReadSettings::default()
    };
    let model = ModelSettings { gap_rule, ..ModelSettings::default() };
    analyze(&Settings { read, model }, &|_| {}).unwrap().profile.source.session_rule
}

#[test]
fn auto_puts_the_gap_between_pauses_and_absences_and_says_what_hangs_on_it() {
    // Half an hour would make one session of all visits.
    let found = rule(1_500, GapRule::Auto);
    assert!((300.0..1_000.0).contains(&found.gap_s) && found.gap_rule == GapRule::Auto, "{found:?}");
    assert!((found.sensitivity.unwrap().half_gap - 1.0).abs() < 1e-9, "{found:?}");
    // The usual gap keeps them together, and half of it would not: one session less for each three.
    let usual = rule(1_500, GapRule::Fixed);
    assert!((usual.gap_s - 1_800.0).abs() < 1e-9 && usual.gap_rule == GapRule::Fixed, "{usual:?}");
    assert!((usual.sensitivity.unwrap().half_gap - 3.0).abs() < 1e-9, "{usual:?}");
    // A little more than the gap apart, twice the gap would make one of three.
    let apart = rule(2_400, GapRule::Fixed).sensitivity.unwrap();
    assert!((apart.double_gap - 1.0 / 3.0).abs() < 1e-3, "{apart:?}");
}
