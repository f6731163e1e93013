//! Real logs give exactly the counts that an independent parser found (`reference/*.json` of the corpus).

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use analyzer::privacy::pseudonym::Key;
use analyzer::settings::ReadSettings;
use serde_json::Value;

use crate::support::{corpus_files, log_text, run};

/// The reference has endpoints of their own where the analyzer has none, or another. Each such target is rewritten into
/// one that both take for the same, so that lists of endpoints can be compared exactly.
///
/// | in the log | reference | analyzer |
/// |---|---|---|
/// | `GET http://host/path` | endpoint with scheme and host | endpoint `/path`, as in RFC 9112, 3.2.2 |
/// | `GET  HTTP/1.1` (nothing asked for) | endpoint without a path | `unreadable`, without an endpoint |
/// | `GET ?a=b` | endpoint without a path | endpoint `/` |
/// | `GET /a#b` | endpoint with the fragment | endpoint `/a` |
///
/// A target that is no path (`GET ./a`) has a `/` in front in the analyzer's routes; [`renamed`] puts one there as well.
fn as_the_reference_reads_it(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let mut quoted: Vec<String> = line.split('"').map(str::to_owned).collect();
        if let Some(request) = quoted.get_mut(1) {
            for scheme in ["http://", "https://"] {
                *request = request.replacen(&format!(" {scheme}"), &format!(" /{scheme}"), 1);
            }
            if request.starts_with("GET  HTTP/") {
                *request = request.replacen("GET  ", "GET /(nothing) ", 1);
            }
            *request = request.replacen("GET ?", "GET /(nothing)?", 1).replace('#', "%23");
        }
        out.extend_from_slice(quoted.join("\"").as_bytes());
    }
    out
}

/// The names that [`as_the_reference_reads_it`] gives to the reference's endpoints.
fn renamed(endpoint: &str) -> String {
    let (method, path) = endpoint.split_once(' ').unwrap();
    let path = if path.is_empty() { "/(nothing)".to_owned() } else { path.replace('#', "%23") };
    if path.starts_with('/') { format!("{method} {path}") } else { format!("{method} /{path}") }
}

/// Two lists of the most frequent things agree when their counts do and each thing found in both has one count;
/// which of the things that share the last count are listed is a matter of taste.
#[track_caller]
fn check_top(what: &str, ours: &BTreeMap<String, u64>, expected: &[(String, u64)]) {
    let mut counts: Vec<u64> = ours.values().copied().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    counts.truncate(expected.len());
    assert_eq!(counts, expected.iter().map(|(_, n)| *n).collect::<Vec<_>>(), "{what}: counts");
    for (name, count) in expected {
        match ours.get(name) {
            Some(found) => assert_eq!(found, count, "{what}: {name}"),
            None => assert_eq!(counts.last(), Some(count), "{what}: {name} is missing"),
        }
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn inspect(log: &Path, identity: &str) -> Value {
    let log = log.to_str().unwrap();
    let flags =
        ["--stats", "--raw", "--keep", "all", "--no-templates", "--identity", identity, "--format", "json"];
    run(&[&["inspect", log][..], &flags].concat()).ok().json()
}

#[track_caller]
fn check(log: &Path, reference: &Value, identity: &str, clients: &str, sessions: &str) {
    let inspected = inspect(log, identity);
    let stats = &inspected["stats"];
    let sessions = &reference[sessions];
    for (ours, theirs) in [
        (&stats["requests"], &reference["requests"]),
        (&stats["bytes_out"], &reference["bytes_total"]),
        (&stats["clients"], &reference[clients]),
        (&stats["statuses"], &reference["status"]),
        (&stats["requests_by_local_hour"], &reference["requests_by_local_hour"]),
        (&stats["requests_by_utc_hour"], &reference["requests_by_utc_hour"]),
        (&stats["sessions"], &sessions["sessions"]),
    ] {
        assert_eq!(ours, theirs, "{} by {identity}", log.display());
    }
    let (ours, theirs) =
        (stats["mean_session_length"].as_f64().unwrap(), sessions["mean_len"].as_f64().unwrap());
    assert!((ours - theirs).abs() < 1e-9, "{ours} {theirs}");
    let rows = |value: &Value| -> Vec<(String, u64)> {
        let rows = value.as_array().unwrap().iter().map(|row| row.as_array().unwrap());
        rows.map(|row| {
            let (count, names) = row.split_last().unwrap();
            let names: Vec<String> = names.iter().map(|name| renamed(name.as_str().unwrap())).collect();
            (names.join(" -> "), number(count))
        })
        .collect()
    };
    for (what, ours) in [("top_start", "top_starts"), ("top_transitions", "top_transitions")] {
        check_top(what, &rows(&stats[ours]).into_iter().collect(), &rows(&sessions[what]));
    }
}

#[test]
fn counts_clients_and_sessions_are_those_of_an_independent_parser() {
    for file in corpus_files("reference", ".json") {
        let reference: Value = serde_json::from_slice(&fs_err::read(&file).unwrap()).unwrap();
        let logs = file.parent().unwrap().with_file_name("access_logs");
        let plain = logs.join(reference["file"].as_str().unwrap());
        let log = if plain.exists() {
            plain
        } else {
            logs.join(format!("{}.gz", reference["file"].as_str().unwrap()))
        };
        let text = as_the_reference_reads_it(&log_text(&log));
        let mut rewritten = tempfile::Builder::new().suffix(".log").tempfile().unwrap();
        rewritten.write_all(&text).unwrap();
        check(rewritten.path(), &reference, "ip", "clients_ip", "session_ip");
        check(rewritten.path(), &reference, "ip+ua", "clients_ip_ua", "session_ip_ua");
        // As it is, the log gives the same, but for the names of those endpoints.
        let inspected = inspect(&log, "ip");
        let stats = &inspected["stats"];
        assert_eq!(stats["requests"], reference["requests"], "{}", log.display());
        assert_eq!(inspected["inputs"][0]["rejected"], 0, "{}", log.display());
        assert_eq!(stats["statuses"], reference["status"], "{}", log.display());
        assert_eq!(stats["bytes_out"], reference["bytes_total"], "{}", log.display());
        assert_eq!(stats["sessions"], reference["session_ip"]["sessions"], "{}", log.display());
        check_span(&log, &reference);
    }
}

/// First and last stamp.
#[track_caller]
fn check_span(log: &Path, reference: &Value) {
    let settings = ReadSettings { inputs: vec![log.to_owned()], ..ReadSettings::default() };
    let key = Key::ephemeral().unwrap();
    let reading = analyzer::read::read(&settings, &key, &|_| {}).unwrap();
    let second = |key: &str| reference[key].as_i64().unwrap() * 1_000_000_000;
    assert_eq!(reading.counts.span_ns, Some((second("first_utc"), second("last_utc"))), "{}", log.display());
}
