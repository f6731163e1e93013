//! The embedded target: what it answers, and what it writes down.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use replayer::target::{Target, TargetSettings};
use replayer::{Settings, config::Schedule};
use shared::io::from_yaml;
use shared::profile::EXAMPLE;

use crate::support::hurried;

/// Sends one request on a connection of its own and returns the status and the body's length.
fn ask(target: &Target, request: &str) -> (String, usize) {
    let mut stream = TcpStream::connect(target.address()).unwrap();
    write!(stream, "{request}\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().to_owned(), body.len())
}

/// Fields of a line in the target's log format.
fn fields(line: &str) -> (Vec<&str>, Vec<&str>) {
    let quoted: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
    let bare: Vec<&str> = line.split('"').step_by(2).flat_map(str::split_whitespace).collect();
    (quoted, bare)
}

#[test]
fn requests_are_answered_and_written_down_as_nginx_would() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("access.log");
    let settings = TargetSettings { access_log: Some(log.clone()), ..TargetSettings::default() };
    let target = Target::start(&from_yaml(EXAMPLE).unwrap(), &settings).unwrap();
    assert!(matches!(ask(&target, "GET / HTTP/1.1").0.as_str(), "200" | "304"));
    let (status, bytes) = ask(&target, "GET /items/blue-mug?a=1 HTTP/1.1\r\nuser-agent: some\\one");
    assert!(matches!(status.as_str(), "200" | "404") && bytes > 1000, "{status} {bytes}");
    assert_eq!(ask(&target, "GET /nowhere HTTP/1.1").0, "404");
    assert_eq!(ask(&target, "POST / HTTP/1.1\r\ncontent-length: 0\r\nx-loadprint-session: 00ff").0, "404");
    target.stop().unwrap();

    let text = fs_err::read_to_string(&log).unwrap();
    let lines: Vec<_> = text.lines().map(fields).collect();
    let requests: Vec<&str> = lines.iter().map(|(quoted, _)| quoted[0]).collect();
    assert_eq!(
        requests,
        ["GET / HTTP/1.1", "GET /items/blue-mug?a=1 HTTP/1.1", "GET /nowhere HTTP/1.1", "POST / HTTP/1.1"]
    );
    for (quoted, bare) in &lines {
        let [client, dash, user, date, zone, _status, bytes, took, ended] = bare[..] else {
            panic!("{bare:?}");
        };
        assert_eq!((quoted.len(), client, dash, user, zone), (4, "127.0.0.1", "-", "-", "+0000]"));
        assert!(date.starts_with('[') && date.len() == 21, "{date}");
        assert!(bytes.parse::<u64>().is_ok() && took.parse::<f64>().is_ok_and(|took| took < 5.0));
        assert!(ended.split_once('.').is_some_and(|(s, ms)| s.len() == 10 && ms.len() == 3), "{ended}");
    }
    // The bin around 20 ms: the time was waited, and written down.
    assert!(lines[0].1[7].parse::<f64>().unwrap() >= 0.019, "{}", lines[0].1[7]);
    assert_eq!(lines[1].0[2..], ["some\\x5Cone", "-"]);
    assert_eq!(lines[3].0[3], "00ff");
}

#[test]
fn every_session_of_a_replay_can_be_told_from_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("access.log");
    let profile = from_yaml(&hurried()).unwrap();
    let settings = TargetSettings { access_log: Some(log.clone()), threads: 2, ..TargetSettings::default() };
    let target = Target::start(&profile, &settings).unwrap();
    let schedule = Schedule { scale: 300.0, duration: Some(Duration::from_secs(2)), ..Schedule::default() };
    let settings =
        Settings { target: format!("http://{}", target.address()), schedule, ..Settings::default() };
    let report = replayer::run(&profile, &settings, &mut ()).unwrap();
    target.stop().unwrap();

    let text = fs_err::read_to_string(&log).unwrap();
    let mut sessions = BTreeMap::<&str, Vec<&str>>::new();
    for (quoted, _) in text.lines().map(fields) {
        sessions.entry(quoted[3]).or_default().push(quoted[0]);
        assert!(quoted[2].starts_with("loadprint-replayer/"), "{}", quoted[2]);
    }
    assert_eq!(text.lines().count() as u64, report.requests.completed);
    assert_eq!(sessions.len() as u64, report.sessions.planned);
    let plan = replayer::plan::Plan::new(&profile, &settings.schedule, &[]).unwrap();
    let preview = replayer::report::Preview::of(&plan, &profile, usize::MAX);
    for planned in &preview.first {
        let asked = planned.steps.iter().flat_map(|step| &step.path);
        let expected: Vec<String> = asked.map(|path| format!("GET {path} HTTP/1.1")).collect();
        assert_eq!(sessions[planned.name.as_str()], expected);
    }
}

#[test]
fn a_busy_address_is_an_error() {
    let profile = from_yaml(EXAMPLE).unwrap();
    let target = Target::start(&profile, &TargetSettings::default()).unwrap();
    let again = TargetSettings { listen: target.address(), ..TargetSettings::default() };
    let message = Target::start(&profile, &again).unwrap_err().to_string();
    assert_eq!(message, format!("cannot listen on {}", target.address()));
}
