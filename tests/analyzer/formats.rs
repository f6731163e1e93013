//! Lines of other projects' test suites, with the fields that those projects' parsers find in them.

use serde_json::Value;

use crate::support::{RawLine, corpus, run, run_with};

/// The format of `nginx-custom-request_time.log`, as its server's configuration has it.
pub(crate) const CUSTOM: &str = r#"$remote_addr  $remote_user $http_x_real_ip [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for" "$http_X_REQUEST_ID" "$http_X_RB_USER" $request_time"#;

/// *Combined* and what the other project's configuration adds to it.
const ALP: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for" $request_time"#;

/// In *combined* or *common*: one line that begins with one client, an identity and a user, and has the request next.
/// The others have a virtual host or a list of forwarded addresses in front, no status, or more lines than one.
fn is_plain(raw: &str) -> bool {
    let front = raw.split_once(" [").map_or("", |(front, _)| front);
    let words: Vec<&str> = front.split(' ').collect();
    words.len() == 3 && words[1] == "-" && !raw.contains('\n') && RawLine::new(raw).is_some()
}

/// `-` stands for what is missing, in the log and so in some of the expected fields.
fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| *text != "-")
}

fn target(record: &Value) -> String {
    let query = record["query"].as_str().map_or_else(String::new, |query| format!("?{query}"));
    format!("{}{query}", record["path"].as_str().unwrap())
}

#[track_caller]
fn check(expected: &Value, record: &Value) {
    let raw = &expected["raw"];
    assert_eq!(record["method"], expected["method"], "{raw}");
    assert_eq!(target(record), expected["url"].as_str().unwrap(), "{raw}");
    assert_eq!(record["status"], expected["status"], "{raw}");
    assert_eq!(record["bytes_out"], expected["bytes"], "{raw}");
    assert_eq!(record["client"], expected["client"], "{raw}");
    assert_eq!(text(&record["referer"]), text(&expected["referer"]), "{raw}");
    assert_eq!(text(&record["user_agent"]), text(&expected["ua"]), "{raw}");
    let stamp = text(&record["ended_at"]).or_else(|| text(&record["started_at"])).unwrap();
    assert_eq!(stamp[..23], expected["ts"].as_str().unwrap()[..23], "{raw}");
}

#[test]
fn fields_are_those_that_another_parser_finds() {
    let Some(path) = corpus("golden/elastic.jsonl") else { return };
    let (mut compared, mut skipped) = (0, 0);
    for row in fs_err::read_to_string(path).unwrap().lines() {
        let expected: Value = serde_json::from_str(row).unwrap();
        let raw = expected["raw"].as_str().unwrap();
        if !matches!(expected["format"].as_str(), Some("nginx" | "apache")) {
            continue;
        }
        if !is_plain(raw) {
            skipped += 1;
            continue;
        }
        let run = run_with(&["inspect", "-", "--records", "1", "--raw", "--format", "json"], raw.as_bytes());
        check(&expected, &run.ok().json()["inputs"][0]["records"][0]);
        compared += 1;
    }
    eprintln!("{compared} lines compared, {skipped} skipped: not in combined or common");
    assert!(compared >= 40 && skipped <= 20, "{compared} {skipped}");
}

/// The requests of `log`, of which `rejected` lines are none.
fn records(log: &std::path::Path, flags: &[&str], rejected: u64) -> Vec<Value> {
    let arguments = ["inspect", log.to_str().unwrap(), "--records", "1000", "--raw", "--format", "json"];
    let inspected = run(&[&arguments[..], flags].concat()).ok().json();
    let input = &inspected["inputs"][0];
    assert_eq!(input["rejected"], rejected, "{input}");
    input["records"].as_array().unwrap().clone()
}

/// The same fourteen requests as JSON say what *combined* with the time at its end must give.
#[test]
fn combined_with_a_time_gives_the_durations() {
    let Some(directory) = corpus("golden/alp") else { return };
    // The last line has one time more than the format.
    let records = records(&directory.join("combined_access.log"), &["--log-format", ALP], 1);
    let json = fs_err::read_to_string(directory.join("json_access.log")).unwrap();
    let mut expected: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(expected.pop().is_some_and(|last| last["request_time"] == 0.321));
    assert_eq!(records.len(), expected.len());
    for (record, expected) in records.iter().zip(&expected) {
        assert_eq!(record["method"], expected["method"]);
        assert_eq!(target(record), expected["uri"].as_str().unwrap());
        assert_eq!(record["status"], expected["status"]);
        assert_eq!(record["bytes_out"], expected["body_bytes"]);
        assert_eq!(record["duration_s"].as_f64(), expected["response_time"].as_f64());
        assert_eq!(record["user_agent"], "curl/7.54.0");
    }
}

#[test]
fn a_real_custom_format_is_read_with_its_durations() {
    let Some(log) = corpus("access_logs/nginx-custom-request_time.log") else { return };
    let records = records(&log, &["--log-format", CUSTOM], 0);
    let text = fs_err::read_to_string(&log).unwrap();
    assert_eq!(records.len(), text.lines().count());
    for (record, line) in records.iter().zip(text.lines()) {
        let raw = RawLine::new(line).unwrap();
        let duration: f64 = raw.rest.rsplit_once(' ').unwrap().1.parse().unwrap();
        assert_eq!(record["duration_s"].as_f64(), Some(duration), "{line}");
        assert_eq!(
            (record["client"].as_str(), target(record).as_str()),
            (Some(raw.client), raw.target),
            "{line}"
        );
        assert_eq!(record["status"].to_string(), raw.status, "{line}");
        // The stamp is of the end, in whole seconds; the start is earlier by the duration.
        assert!(record["ended_at"].as_str().unwrap().ends_with(".000000000Z"), "{record}");
        assert!(record["started_at"].as_str().unwrap() <= record["ended_at"].as_str().unwrap(), "{record}");
    }
}
