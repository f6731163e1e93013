//! Logs with a header and logs inside wrappers: the same requests, however they are cut and whatever is around them.

use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::Value;

use crate::support::{gzip, run, run_with, sample, sample_conf};

/// A log of IIS that was restarted with other fields again and again, and with two versions of the software.
fn restarted(lines: usize) -> String {
    const FIELDS: [&str; 3] = [
        "date time s-ip cs-method cs-uri-stem cs-uri-query c-ip cs(User-Agent) sc-status time-taken",
        "time-taken sc-status cs(User-Agent) cs-uri-query cs-uri-stem cs-method date time c-ip",
        "date time cs-uri-stem cs-method c-ip sc-status sc-bytes",
    ];
    let mut text = String::from("\u{feff}");
    for i in 0..lines {
        let fields = FIELDS[i / 97 % 3];
        if i % 97 == 0 {
            let version = 8 + i / 291 % 2;
            let _ = write!(
                text,
                "#Software: Microsoft Internet Information Services {version}.5\r\n#Fields: {fields}\r\n"
            );
        }
        for (at, field) in fields.split(' ').enumerate() {
            let cell = match field {
                "date" => "2026-11-02".to_owned(),
                "time" => format!("{:02}:{:02}:{:02}", i / 3600 % 24, i / 60 % 60, i % 60),
                "cs-method" => "GET".to_owned(),
                "cs-uri-stem" => format!("/page/{}", i % 13),
                "c-ip" => format!("192.0.2.{}", i % 29),
                "cs(User-Agent)" => "Mozilla/5.0+(X11)".to_owned(),
                "sc-status" => [200, 200, 304, 404][i % 4].to_string(),
                "sc-bytes" | "time-taken" => i.to_string(),
                _ => "-".to_owned(),
            };
            text.push_str(if at == 0 { "" } else { " " });
            text.push_str(&cell);
        }
        text.push_str("\r\n");
    }
    text
}

fn inspect(arguments: &[&str], input: &[u8]) -> Value {
    let inspect = ["inspect", "-", "--records", "100000", "--raw", "--format", "json"];
    run_with(&[&inspect[..], arguments].concat(), input).ok().json()["inputs"][0].clone()
}

#[test]
fn the_header_in_force_does_not_depend_on_blocks_or_threads() {
    let text = restarted(3000);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let mut gz = tempfile::NamedTempFile::new().unwrap();
    gz.write_all(&gzip(text.as_bytes())).unwrap();
    let expected = inspect(&["--threads", "1"], text.as_bytes());
    assert_eq!(expected["format"], "iis:w3c");
    assert_eq!(expected["requests"], 3000);
    let records = expected["records"].as_array().unwrap();
    for (i, record) in records.iter().enumerate() {
        assert_eq!(record["status"], [200, 200, 304, 404][i % 4], "{record}");
        assert_eq!(record["client"], format!("192.0.2.{}", i % 29));
    }
    let read = |block_bytes: usize, threads: usize, path: &std::path::Path| {
        let mut settings = analyzer::Settings::default();
        settings.read.inputs = vec![path.to_owned()];
        (settings.read.block_bytes, settings.read.threads, settings.read.records) =
            (block_bytes, threads, 9999);
        settings.read.raw = true;
        let analysis = analyzer::analyze(&settings, &|_| {}).unwrap();
        let input = &analysis.reading.inputs[0];
        (
            serde_json::to_value(&input.records).unwrap(),
            serde_json::to_value(&input.rejects).unwrap(),
            shared::io::to_yaml(&analysis.profile),
        )
    };
    let whole = read(100 << 20, 1, file.path());
    for (block_bytes, threads) in [(17, 1), (100, 3), (1000, 2), (4099, 7)] {
        for path in [file.path(), gz.path()] {
            let found = read(block_bytes, threads, path);
            assert!(found == whole, "{threads} threads, blocks of {block_bytes}, {}", path.display());
        }
    }
}

/// What is put around a line.
type Wrap = fn(&str) -> String;

/// `text` with something around each of its lines.
fn wrap(text: &[u8], wrapper: Wrap) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    text.lines().flat_map(|line| [wrapper(line), "\n".to_owned()]).collect::<String>().into_bytes()
}

/// What a log says does not change when it is shipped through something.
#[test]
fn wrapped_logs_give_the_same_requests() {
    let text = sample();
    let text = &text[..text.iter().take(200_000).rposition(|byte| *byte == b'\n').unwrap() + 1];
    let expected = inspect(&[], &[text, b"\n"].concat());
    let wrappers: [(&str, Wrap); 9] = [
        ("docker", |line| {
            let log = serde_json::to_string(&format!("{line}\n")).unwrap();
            format!(r#"{{"log":{log},"stream":"stdout","time":"2026-11-02T00:00:00.1Z"}}"#)
        }),
        ("cri", |line| format!("2026-11-02T00:00:00.123456789Z stdout F {line}")),
        ("syslog", |line| format!("<190>Nov  2 00:00:00 web nginx: {line}")),
        ("syslog", |line| format!("<190>1 2026-11-02T00:00:00Z web nginx 7 - - {line}")),
        ("journald", |line| {
            format!(r#"{{"_PID":"7","MESSAGE":{},"PRIORITY":"6"}}"#, serde_json::to_string(line).unwrap())
        }),
        ("gelf", |line| {
            format!(r#"{{"version":"1.1","short_message":{}}}"#, serde_json::to_string(line).unwrap())
        }),
        ("kubectl", |line| format!("[pod/web-1/nginx] {line}")),
        ("compose", |line| format!("web-1  | {line}")),
        ("docker+syslog", |line| {
            let log = serde_json::to_string(&format!("<190>Nov  2 00:00:00 web nginx: {line}\n")).unwrap();
            format!(r#"{{"log":{log},"stream":"stdout","time":"2026-11-02T00:00:00.1Z"}}"#)
        }),
    ];
    for (name, wrapper) in wrappers {
        let found = inspect(&[], &[&wrap(text, wrapper)[..], b"\n"].concat());
        let format = format!("{name}+{}", expected["format"].as_str().unwrap());
        assert_eq!(found["format"], *format);
        assert_eq!(found["rejected"], expected["rejected"], "{name}");
        let blank = |input: &Value| input["rejects"]["blank"]["count"].as_u64();
        assert!(blank(&found) > Some(0) && blank(&found) == blank(&expected), "{name}");
        assert!(found["records"] == expected["records"], "{name}");
    }
}

/// A format that was given is looked for inside the wrapper, too.
#[test]
fn a_given_format_is_found_inside_a_wrapper() {
    let text = sample();
    let text = &text[..text.iter().take(50_000).rposition(|byte| *byte == b'\n').unwrap() + 1];
    let conf = sample_conf();
    let from = ["--from", conf.to_str().unwrap()];
    let expected = inspect(&from, text);
    let found = inspect(&from, &wrap(text, |line| format!("web-1  | {line}")));
    assert!(found["records"] == expected["records"]);
    assert_eq!(found["format"], format!("compose+{}", expected["format"].as_str().unwrap()));
}

#[test]
fn recordings_are_recognised() {
    let directory = tempfile::tempdir().unwrap();
    let har = r#"{"log":{"version":"1.2","entries":[{"startedDateTime":"2026-11-02T00:00:00Z","time":5,
        "request":{"method":"GET","url":"https://example.com/a"},"response":{"status":200}}]}}"#;
    let gor = "1 a 1793577600000000000 1\nGET /a HTTP/1.1\r\nHost: example.com\r\n\r\n\n🐵🙈🙉\n";
    for (name, text, format) in [("a.har", har, "browser:har"), ("a.gor", gor, "goreplay:gor")] {
        let path = directory.path().join(name);
        fs_err::write(&path, text).unwrap();
        let arguments = ["inspect", path.to_str().unwrap(), "--records", "1", "--raw", "--format", "json"];
        let input = run(&arguments).ok().json()["inputs"][0].clone();
        assert_eq!((&input["format"], &input["requests"]), (&format.into(), &1.into()), "{input}");
        assert_eq!(input["records"][0]["path"], "/a", "{input}");
    }
}
