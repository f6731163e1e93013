//! What the fields mean beyond one line: zones that are not printed, samples, one request in two logs, and which moment
//! a stamp marks.

use std::path::PathBuf;

use analyzer::Settings;
use analyzer::events::Format;
use analyzer::format::Options;
use analyzer::kind::Kind;
use analyzer::privacy::pseudonym::Key;
use analyzer::session::identity::Identity;
use analyzer::settings::{ModelSettings, ReadSettings, given_format};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use shared::profile::{Sampling, StampCheck};
use shared::think::GapKind;

use crate::support::{analyze, corpus, log_text, run, sample_conf, sample_gz, sample_settings};

const FORMAT: &str =
    r#"$remote_addr [$time_iso8601] "$request" $status $body_bytes_sent $request_time $request_id"#;

fn write(directory: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.path().join(name);
    fs_err::write(&path, text).unwrap();
    path
}

fn settings(inputs: Vec<PathBuf>) -> Settings {
    let format =
        given_format(Some(FORMAT), None, &Options { identity: Identity::Ip, ..Options::default() }).unwrap();
    let read = ReadSettings { inputs, format, identity: Identity::Ip, ..ReadSettings::default() };
    Settings { read, model: ModelSettings { k: 5, ..ModelSettings::default() } }
}

/// One line. `zone` is appended to the local time.
fn line(client: u32, local: &str, zone: &str, path: &str, status: u16, seconds: f64, id: &str) -> String {
    format!("198.51.100.{client} [{local}{zone}] \"GET {path} HTTP/1.1\" {status} 10 {seconds:.3} {id}\n")
}

/// Two days around each change of clocks in Berlin in 2026, a line every two minutes and a bit, some out of order.
fn around_the_changes() -> (String, String) {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let mut lines: Vec<(String, String)> = Vec::new();
    for from in ["2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z"] {
        let from: Timestamp = from.parse().unwrap();
        for i in 0..1_200_i64 {
            let instant = Timestamp::from_second(from.as_second() + i * 131).unwrap();
            let local = instant.to_zoned(zone.clone());
            let (at, offset) = (local.strftime("%FT%T").to_string(), local.strftime("%:z").to_string());
            let (client, path) = (i as u32 % 7, format!("/p{}", i % 3));
            let of = |offset: &str| line(client, &at, offset, &path, 200, 0.25 * (i % 9) as f64, "-");
            lines.push((of(&offset), of("")));
        }
    }
    for i in (0..lines.len() - 1).step_by(10) {
        lines.swap(i, i + 1);
    }
    lines.into_iter().unzip()
}

#[test]
fn local_time_in_its_zone_is_the_time_with_its_offset() {
    let (zoned, local) = around_the_changes();
    let directory = tempfile::tempdir().unwrap();
    let key = Key::ephemeral().unwrap();
    let read = |name: &str, text: &str, block_bytes: usize, threads: usize, event_bytes: u64| {
        let mut settings = settings(vec![write(&directory, name, text)]);
        settings.read.block_bytes = block_bytes;
        settings.read.threads = threads;
        settings.read.event_bytes = event_bytes;
        settings.read.time_zone = Some(TimeZone::get("Europe/Berlin").unwrap());
        settings.read.records = 5_000;
        settings.read.raw = true;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let reading = pool.install(|| analyzer::read::read(&settings.read, &key, &|_| {})).unwrap();
        let sessions = analyzer::session::list(&reading, &Kind::ALL, 600_000).unwrap();
        let moments = |event: &str| -> Vec<String> {
            let event: serde_json::Value = serde_json::from_str(event).unwrap();
            ["started_at", "ended_at", "route", "status"].map(|key| event[key].to_string()).into()
        };
        let mut events = Vec::new();
        analyzer::events::write(&settings, Format::Ndjson, &mut events, &|_| {}).unwrap();
        let events: Vec<Vec<String>> = String::from_utf8(events).unwrap().lines().map(moments).collect();
        let records: Vec<_> =
            reading.inputs[0].records.iter().map(|record| record.started_at.clone()).collect();
        (reading.counts, sessions, events, records, reading.inputs[0].zoneless)
    };
    let expected = read("zoned.log", &zoned, 1 << 20, 1, u64::MAX);
    assert_eq!((expected.2.len(), expected.4), (2_400, 0));
    for (block_bytes, threads, event_bytes) in
        [(1 << 20, 1, u64::MAX), (200, 1, 10_000), (4_000, 3, u64::MAX), (4_000, 3, 0)]
    {
        let found = read("local.log", &local, block_bytes, threads, event_bytes);
        assert_eq!(found.4, 2_400);
        assert_eq!(found.0, expected.0, "counts, blocks of {block_bytes}");
        assert!(found.1 == expected.1, "sessions, blocks of {block_bytes}");
        assert!(found.2 == expected.2, "events, blocks of {block_bytes}");
        assert!(found.3 == expected.3, "records, blocks of {block_bytes}");
    }
}

#[test]
fn local_time_without_a_zone_is_utc_and_said_to_be() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(&directory, "local.log", &line(1, "2026-11-02T10:00:00", "", "/", 200, 0.0, "-"));
    let inspect = |more: &[&str]| {
        let arguments = ["inspect", path.to_str().unwrap(), "--log-format", FORMAT, "--identity", "ip"];
        run(&[&arguments[..], &["--format", "json", "--records", "1", "--raw"], more].concat()).ok()
    };
    let started = |run: &crate::support::Run| run.json()["inputs"][0]["records"][0]["started_at"].clone();
    let utc = inspect(&[]);
    assert_eq!(started(&utc), "2026-11-02T10:00:00.000000000Z");
    assert!(utc.stderr.contains("carry no zone: read as UTC\n  hint: --tz"), "{}", utc.stderr);
    let berlin = inspect(&["--tz", "Europe/Berlin"]);
    assert_eq!(started(&berlin), "2026-11-02T09:00:00.000000000Z");
    assert!(!berlin.stderr.contains("zone"), "{}", berlin.stderr);
}

#[test]
fn a_sample_counts_for_what_it_stands_for() {
    let mut settings = sample_settings(vec![sample_gz()]);
    let whole = analyze(&settings);
    settings.read.sample_rate = Some(0.1);
    let tenfold = analyze(&settings);
    assert_eq!(whole.source.sampling, None);
    assert_eq!(tenfold.source.sampling, Some(Sampling { weight_mean: 10.0, unknown_share: 0.0 }));
    assert_eq!(tenfold.source.requests, whole.source.requests);
    for (one, ten) in whole.endpoints.iter().zip(&tenfold.endpoints) {
        assert_eq!((&one.id, one.weight, &one.status), (&ten.id, ten.weight, &ten.status));
        assert_eq!(one.requests * 10, ten.requests, "{}", one.id);
    }
    for (one, ten) in whole.classes.iter().zip(&tenfold.classes) {
        assert_eq!((one.sessions * 10, &one.start), (ten.sessions, &ten.start));
        let next = |class: &shared::session::Class| -> Vec<_> {
            class.chain.values().map(|state| state.next.clone()).collect()
        };
        assert_eq!(next(one), next(ten));
    }
    // How sure a law is depends on the gaps that were seen, so the laws are the same.
    assert_eq!(whole.think_times, tenfold.think_times);
    let ratio = tenfold.arrivals.requests_per_s.mean / whole.arrivals.requests_per_s.mean;
    assert!((ratio - 10.0).abs() < 0.1, "{ratio}");
    let ratio = tenfold.arrivals.peak.rate_per_s / whole.arrivals.peak.rate_per_s;
    assert!((ratio - 10.0).abs() < 0.3, "{ratio}");
}

#[test]
fn a_sample_is_said_to_spoil_sessions() {
    let path = sample_gz();
    let conf = sample_conf();
    let arguments =
        ["inspect", path.to_str().unwrap(), "--from", conf.to_str().unwrap(), "--sample-rate", "10%"];
    let run = run(&arguments).ok();
    assert!(run.stderr.contains("chains and pauses are biased"), "{}", run.stderr);
    assert!(String::from_utf8_lossy(&run.stdout).contains("a request logged stands for 10.00"));
}

/// What a proxy logged, and what the server behind it did: one second later, and with the proxy for a client.
fn two_tiers() -> (String, String) {
    let (mut proxy, mut server) = (String::new(), String::new());
    for i in 0..300_u32 {
        let at = |s: u32| format!("2026-11-02T10:{:02}:{:02}", s / 60, s % 60);
        let (id, path) = (format!("{i:032x}"), format!("/p{}", i % 3));
        proxy += &line(i % 20, &at(i + 1), "Z", &path, 200, 1.5, &id);
        // Some answers come out of the proxy's cache, and the server has clients of its own.
        if i % 4 != 0 {
            server += &line(250, &at(i), "Z", &path, 200, 0.3, &id);
        }
        if i % 10 == 0 {
            server += &line(i / 10, &at(i), "Z", "/internal", 200, 0.3, &format!("{:032x}", i + 1_000_000));
        }
    }
    (proxy, server)
}

#[test]
fn a_request_in_two_logs_counts_once() {
    let (proxy, server) = two_tiers();
    let directory = tempfile::tempdir().unwrap();
    let (proxy, server) = (write(&directory, "proxy.log", &proxy), write(&directory, "server.log", &server));
    let yaml = |settings: &Settings| shared::io::to_yaml(&analyze(settings));
    let mut both = settings(vec![proxy.clone(), server.clone()]);
    let expected = yaml(&both);
    let profile = analyze(&both);
    assert_eq!(profile.source.excluded.get("duplicates"), Some(&225));
    let mut events = Vec::new();
    let (_, written) = analyzer::events::write(&both, Format::Ndjson, &mut events, &|_| {}).unwrap();
    assert_eq!(written, profile.source.requests - 225);
    both.read.block_bytes = 3_000;
    both.read.inputs.reverse();
    assert!(yaml(&both) == expected);
    // From the temporary file.
    both.read.event_bytes = 2_000;
    assert!(yaml(&both) == expected);
    let requests = |profile: &shared::Profile| profile.endpoints.iter().map(|e| e.requests).sum::<u64>();
    assert_eq!(requests(&profile), 330);
    let key = Key::ephemeral().unwrap();
    let fields = ReadSettings { events: false, ..both.read.clone() };
    let fields = analyzer::read::read(&fields, &key, &|_| {}).unwrap();
    assert_eq!(fields.inputs.iter().map(|input| input.duplicates).sum::<u64>(), 225);
    both.read.keep_duplicates = true;
    let twice = analyze(&both);
    assert_eq!((twice.source.excluded.get("duplicates"), requests(&twice)), (None, 555));
}

#[test]
fn the_parts_of_one_log_hold_no_duplicates() {
    let (proxy, _) = two_tiers();
    // Every request is retried at once, with its id.
    let retried: String = proxy.lines().map(|line| format!("{line}\n{line}\n")).collect();
    let middle = retried.len() / 2;
    let cut = middle + retried[middle..].find('\n').unwrap() + 1;
    let directory = tempfile::tempdir().unwrap();
    let whole = settings(vec![write(&directory, "whole.log", &retried)]);
    let parts = settings(vec![
        write(&directory, "2.log", &retried[cut..]),
        write(&directory, "1.log", &retried[..cut]),
    ]);
    let (whole, parts) = (analyze(&whole), analyze(&parts));
    assert_eq!(whole.source.excluded.get("duplicates"), None);
    assert!(whole == parts);
}

/// Clients that ask one thing after the other, of a slow server; stamps are starts or ends.
fn slow_log(stamp_is_end: bool) -> String {
    let mut lines = Vec::new();
    for client in 0..40_u32 {
        let mut at_ms = 1_793_612_000_000_i64 + i64::from(client) * 777;
        for i in 0..30_u32 {
            let lasted_ms =
                (20.0 * 500_f64.powf((f64::from(client * 31 + i) * 0.618_033_988_749_895).fract())) as i64;
            let stamp_ms = if stamp_is_end { at_ms + lasted_ms } else { at_ms };
            let stamp = Timestamp::from_millisecond(stamp_ms).unwrap().strftime("%FT%T").to_string();
            let path = format!("/p{}", i % 3);
            lines.push((stamp_ms, line(client, &stamp, "Z", &path, 200, lasted_ms as f64 / 1000.0, "-")));
            at_ms += lasted_ms + 300;
        }
    }
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

#[test]
fn stamps_that_contradict_the_format_are_found() {
    use shared::profile::Stamp::{End, Start};
    let directory = tempfile::tempdir().unwrap();
    let ends = write(&directory, "ends.log", &slow_log(true));
    let starts = write(&directory, "starts.log", &slow_log(false));
    // The format is nginx's, which stamps ends.
    for (path, given, check, kind) in [
        (&ends, None, StampCheck::Agrees, GapKind::Think),
        (&starts, None, StampCheck::Disagrees, GapKind::Pacing),
        (&starts, Some(Start), StampCheck::Agrees, GapKind::Think),
        (&ends, Some(Start), StampCheck::Disagrees, GapKind::Think),
        (&ends, Some(End), StampCheck::Agrees, GapKind::Think),
    ] {
        let mut settings = settings(vec![path.clone()]);
        settings.read.stamp = given;
        let profile = analyze(&settings);
        assert_eq!(profile.source.stamp_check, Some(check), "{path:?} as {given:?}");
        settings.read.event_bytes = 0;
        assert!(analyze(&settings) == profile, "{path:?} as {given:?}, from the temporary file");
        assert_eq!(profile.source.stamp, given.unwrap_or(End));
        assert_eq!(profile.think_times["default"].kind, kind, "{path:?} as {given:?}");
    }
    let arguments = ["inspect", starts.to_str().unwrap(), "--log-format", FORMAT, "--identity", "ip"];
    let run = run(&arguments).ok();
    assert!(run.stderr.contains("look like the start of requests"), "{}", run.stderr);
    assert!(run.stderr.contains("--stamp start"), "{}", run.stderr);
    assert!(String::from_utf8_lossy(&run.stdout).contains("BUT overlaps disagree"));
}

#[test]
fn logs_that_cannot_tell_raise_no_alarm() {
    let sample = sample_settings(vec![sample_gz()]);
    assert_eq!(analyze(&sample).source.stamp_check, Some(StampCheck::Undecided));
    let Some(custom) = corpus("access_logs/nginx-custom-request_time.log") else { return };
    // Slow requests sent together end one after the other: what a wrong stamp looks like.
    let format = r#"$remote_addr $x $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$y" "$z" "$a" $request_time"#;
    assert!(!log_text(&custom).is_empty());
    let arguments = ["inspect", custom.to_str().unwrap(), "--log-format", format, "--format", "json"];
    let input = run(&arguments).ok().json()["inputs"][0].clone();
    assert!(input["timed"].as_u64() > Some(40), "{input}");
    assert_eq!(input["stamp_check"], "undecided");
}
