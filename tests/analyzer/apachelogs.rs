//! Another implementation of Apache's formats finds the same values: the Python package `apachelogs`, on lines that
//! `tests/apachelogs.py` makes up.
//!
//! Without Python and the package (`tests/run.sh` installs it and sets `LOADPRINT_PYTHON`) there is nothing to compare
//! with, and the test says so.

use std::path::Path;
use std::process::Command;

use analyzer::format::builtin::Producer;
use analyzer::format::{Cache, Options, language};
use analyzer::request::Request;
use analyzer::session::identity::Identity;
use serde_json::Value;

const FORMATS: usize = 50;
const LINES: usize = 1000;

/// Python, with the package where `tests/run.sh` puts it.
fn python() -> std::ffi::OsString {
    std::env::var_os("LOADPRINT_PYTHON").unwrap_or_else(|| "python3".into())
}

/// Bytes as the package decodes them: one character each.
fn text(bytes: &[u8]) -> Value {
    Value::String(bytes.iter().map(|byte| char::from(*byte)).collect())
}

/// What the analyzer found, under the names of the script; `None` for a name that it does not know.
fn found(name: &str, request: &Request<'_>) -> Option<Value> {
    let optional = |bytes: Option<&[u8]>| bytes.map_or(Value::Null, text);
    Some(match name {
        "client" => text(request.client),
        "target" => text(request.target),
        "method" => optional(request.method),
        "status" => request.status.into(),
        "bytes_out" => request.bytes_out.into(),
        "bytes_in" => request.bytes_in.into(),
        "duration_us" => request.duration_ns.map(|ns| ns / 1000).into(),
        "user" => optional(request.user),
        "referer" => optional(request.referer),
        "user_agent" => optional(request.user_agent),
        "identity" => optional(request.identity),
        "request_id" => optional(request.request_id),
        "stamp_us" => (request.stamp_ns / 1000).into(),
        _ => return None,
    })
}

#[track_caller]
fn compare(directory: &Path, number: usize) {
    let read = |kind: &str| fs_err::read_to_string(directory.join(format!("{number}.{kind}"))).unwrap();
    let text = read("format");
    let identity =
        if text.contains("{sid}C") { Identity::Cookie("sid".to_owned()) } else { Identity::IpAndUserAgent };
    let options = Options { identity, producer: Some(Producer::Apache), ..Options::default() };
    let format = language::compile(&text, &options).unwrap();
    let mut cache = Cache::default();
    let (lines, expected) = (read("log"), read("jsonl"));
    assert_eq!((lines.lines().count(), expected.lines().count()), (LINES, LINES));
    for (line, expected) in lines.lines().zip(expected.lines()) {
        let expected: Value = serde_json::from_str(expected).unwrap();
        let request = format
            .parse(line.as_bytes(), &mut cache)
            .unwrap_or_else(|reject| panic!("{text}\n{line}\nis refused: {reject:?}"));
        for (name, value) in expected.as_object().unwrap() {
            // An empty text and a missing one are the same to the analyzer.
            let value = if *value == "" && name != "target" { &Value::Null } else { value };
            assert_eq!(found(name, &request).as_ref(), Some(value), "{name} of\n{text}\n{line}");
        }
    }
}

#[test]
fn another_implementation_finds_the_same_values() {
    let directory = tempfile::tempdir().unwrap();
    let script = crate::support::repository("tests/apachelogs.py");
    let made = Command::new(python())
        .arg(script)
        .args(["20261102", &FORMATS.to_string(), &LINES.to_string()])
        .arg(directory.path())
        .output();
    match made {
        Ok(output) if output.status.success() => {}
        Ok(output) if output.status.code() == Some(3) => {
            eprintln!("skipped: Python has no package `apachelogs`");
            return;
        }
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => {
            eprintln!("skipped: there is no Python on this machine");
            return;
        }
    }
    (0..FORMATS).for_each(|number| compare(directory.path(), number));
}
