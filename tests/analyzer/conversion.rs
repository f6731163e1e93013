//! The same requests written in many formats give the same profile, up to what a format cannot carry.
//!
//! The records are cut out of a log by hand and written again by the code below, each format as its producer writes
//! it. A row of [`FORMATS`] lists the parts of the profile that may differ, and why; all else must be equal.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use analyzer::Settings;
use analyzer::format::{Options, language};
use analyzer::settings::{ModelSettings, ReadSettings};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::support::{RawLine, analyze, corpus, log_text, sample_gz};

/// One request, as whole as *combined* has it. A text that is missing is `-`.
struct Record {
    client: String,
    at: Timestamp,
    method: String,
    target: String,
    protocol: String,
    status: u16,
    bytes: u64,
    referer: String,
    user_agent: String,
    /// Milliseconds, where the log has them.
    duration_ms: Option<u64>,
}

impl Record {
    /// `None` for lines that need more than cutting, and for what several formats write alike: an empty query, a target
    /// without a path, text with escapes.
    fn new(line: &str) -> Option<Self> {
        let raw = RawLine::new(line)?;
        let plain = line.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\');
        if !plain || raw.user != "- -" && raw.user != "-" || !raw.target.starts_with('/') {
            return None;
        }
        let (_, stamp) = line.split_once('[')?;
        let (stamp, rest) = stamp.split_once(']')?;
        let (_, rest) = rest.split_once(&format!("{} HTTP/", raw.target))?;
        let (version, rest) = rest.split_once("\" ")?;
        let mut numbers = rest.split(' ');
        let (status, bytes) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        let blank = |text: &str| text.is_empty() || text.contains([' ', '"', '\'']);
        if blank(raw.target)
            || raw.target.ends_with('?')
            || raw.target.contains('#')
            || raw.user_agent.is_empty()
        {
            return None;
        }
        let seconds: Option<f64> = raw.rest.trim().parse().ok();
        Some(Self {
            client: raw.client.to_owned(),
            at: jiff::Zoned::strptime("%d/%b/%Y:%H:%M:%S %z", stamp).ok()?.timestamp(),
            method: raw.method.to_owned(),
            target: raw.target.to_owned(),
            protocol: format!("HTTP/{version}"),
            status,
            bytes,
            referer: Some(raw.referer).filter(|text| !blank(text)).unwrap_or("-").to_owned(),
            user_agent: raw.user_agent.to_owned(),
            duration_ms: seconds.map(|seconds| (seconds * 1e3).round() as u64),
        })
    }

    fn time(&self, format: &str) -> String {
        self.at.strftime(format).to_string()
    }

    fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    fn seconds(&self) -> String {
        self.duration_ms.map_or("-".to_owned(), |ms| format!("{}.{:03}", ms / 1000, ms % 1000))
    }

    fn clf(&self) -> String {
        let Self { client, method, target, protocol, status, bytes, .. } = self;
        let time = self.time("%d/%b/%Y:%H:%M:%S +0000");
        format!(r#"{client} - - [{time}] "{method} {target} {protocol}" {status} {bytes}"#)
    }

    fn combined(&self) -> String {
        format!(r#"{} "{}" "{}""#, self.clf(), self.referer, self.user_agent)
    }

    /// `-` is what JSON has no value for.
    fn json(text: &str) -> Value {
        if text == "-" { Value::Null } else { json!(text) }
    }
}

/// A format to write the records in.
struct Written {
    name: &'static str,
    /// What `--log-format` is given; detected where it is empty.
    log_format: &'static str,
    /// The lines in front.
    header: &'static str,
    line: fn(&Record) -> String,
    /// Whether it says how long requests took.
    durations: Durations,
    /// What may differ, each with the reason.
    lost: &'static [(&'static str, &'static str)],
}

#[derive(Clone, Copy, PartialEq)]
enum Durations {
    /// It has no field for them.
    No,
    /// It has one, which may be empty.
    Optional,
    /// A line without one would not be a line of the product.
    Always,
}

use Durations::{Always, No, Optional};

/// The base of what has no durations: all the others are compared with it, or with the same with its time at the end.
const COMBINED: Written = Written {
    name: "combined",
    log_format: "nginx:combined",
    header: "",
    line: Record::combined,
    durations: No,
    lost: &[],
};

const TIMED: Written = Written {
    name: "combined $request_time",
    log_format: r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time"#,
    line: |record| format!("{} {}", record.combined(), record.seconds()),
    durations: Optional,
    ..COMBINED
};

const FINER: &str = "its stamps have more digits than the records, so pauses count as exact";
const NO_PAUSE: &str = "what happened in the same second counts as made by one page, and so as one step";

/// What a format loses whose stamps have digits that the records do not have.
const FINER_STAMPS: &[(&str, &str)] = &[
    ("/source/resolution_s", FINER),
    ("/think_times", FINER),
    ("/classes", NO_PAUSE),
    ("/arrivals/requests_per_s", NO_PAUSE),
    ("/endpoints", NO_PAUSE),
    ("/clients/*/*/requests", NO_PAUSE),
    ("/sessions/requests", NO_PAUSE),
    ("/privacy/suppressed", NO_PAUSE),
];

const FORMATS: [Written; 14] = [
    Written {
        name: "common",
        log_format: "nginx:common",
        line: Record::clf,
        lost: &[
            ("/endpoints", "no user agent: neither robots nor clients behind one address are told apart"),
            ("/clients", "the same"),
            ("/sessions", "the same"),
            ("/classes", "the same"),
            ("/think_times", "the same"),
            ("/arrivals", "the same"),
            ("/scenarios", "the same"),
            ("/privacy", "the same"),
            ("/source/excluded", "the same"),
            ("/source/sessions", "the same"),
            ("/source/session_rule/sensitivity", "the same"),
        ],
        ..COMBINED
    },
    Written {
        name: "Apache LogFormat, by parts",
        log_format: r#"%{sec}t %a "%m" "%U" "%q" "%H" %>s %B "%{Referer}i" "%{User-Agent}i""#,
        line: |record| {
            let Record { client, method, protocol, status, bytes, referer, user_agent, .. } = record;
            let query = record.query().map_or(String::new(), |query| format!("?{query}"));
            format!(
                r#"{} {client} "{method}" "{}" "{query}" "{protocol}" {status} {bytes} "{referer}" "{user_agent}""#,
                record.at.as_second(),
                record.path()
            )
        },
        ..COMBINED
    },
    Written {
        name: "nginx escape=json",
        log_format: r#"escape=json '{"t":"$time_iso8601","c":"$remote_addr","r":"$request","s":$status,"b":$body_bytes_sent,"f":"$http_referer","a":"$http_user_agent","d":"$request_time"}'"#,
        line: |record| {
            let Record { client, method, target, protocol, status, bytes, referer, user_agent, .. } = record;
            // An unset variable is empty here.
            let [referer, user_agent] = [referer, user_agent].map(|text| if text == "-" { "" } else { text });
            format!(
                r#"{{"t":"{}","c":"{client}","r":"{method} {target} {protocol}","s":{status},"b":{bytes},"f":"{referer}","a":"{user_agent}","d":"{}"}}"#,
                record.time("%Y-%m-%dT%H:%M:%S+00:00"),
                record.seconds()
            )
        },
        durations: Optional,
        ..COMBINED
    },
    Written {
        name: "LTSV",
        log_format: "",
        line: |record| {
            let Record { client, method, target, protocol, status, bytes, referer, user_agent, .. } = record;
            format!(
                "time:{}\thost:{client}\treq:{method} {target} {protocol}\tstatus:{status}\tsize:{bytes}\treferer:{referer}\tua:{user_agent}",
                record.time("[%d/%b/%Y:%H:%M:%S +0000]"),
            )
        },
        ..COMBINED
    },
    Written {
        name: "docker",
        log_format: "",
        line: |record| {
            let log = format!("{}\n", record.combined());
            json!({"log": log, "stream": "stdout", "time": record.time("%Y-%m-%dT%H:%M:%S.5Z")}).to_string()
        },
        ..COMBINED
    },
    Written {
        name: "table with a header",
        log_format: "",
        header: "time\tclient_ip\tmethod\turl\tprotocol\tstatus\tbytes\treferer\tuser_agent\n",
        line: |record| {
            let Record { client, method, target, protocol, status, bytes, referer, user_agent, .. } = record;
            let time = record.time("%Y-%m-%dT%H:%M:%SZ");
            format!(
                "{time}\t{client}\t{method}\t{target}\t{protocol}\t{status}\t{bytes}\t{referer}\t{user_agent}"
            )
        },
        ..COMBINED
    },
    Written {
        name: "Envoy",
        log_format: "",
        line: |record| {
            let Record { client, method, target, protocol, status, bytes, user_agent, .. } = record;
            format!(
                r#"[{}] "{method} {target} {protocol}" {status} - 0 {bytes} - - "{client}" "{user_agent}" "-" "www.example.com" "198.51.100.1:80""#,
                record.time("%Y-%m-%dT%H:%M:%S.000Z")
            )
        },
        lost: FINER_STAMPS,
        ..COMBINED
    },
    Written {
        name: "Traefik JSON, without Duration",
        log_format: "",
        line: |record| {
            json!({
                "ClientHost": record.client, "DownstreamContentSize": record.bytes, "DownstreamStatus": record.status,
                "RequestMethod": record.method, "RequestPath": record.target, "RequestProtocol": record.protocol,
                "StartUTC": record.time("%Y-%m-%dT%H:%M:%SZ"), "level": "info", "msg": "",
                "request_Referer": Record::json(&record.referer),
                "request_User-Agent": Record::json(&record.user_agent),
                "time": record.time("%Y-%m-%dT%H:%M:%SZ"),
            })
            .to_string()
        },
        ..COMBINED
    },
    Written {
        name: "IIS",
        log_format: "",
        header: "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n#Date: 2026-11-02 00:00:00\n#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status sc-bytes time-taken\n",
        line: |record| {
            let Record { client, method, status, bytes, referer, .. } = record;
            let agent = record.user_agent.replace(' ', "+");
            let taken = record.duration_ms.map_or("-".to_owned(), |ms| ms.to_string());
            let time = record.time("%Y-%m-%d %H:%M:%S");
            let (path, query) = (record.path(), record.query().unwrap_or("-"));
            format!(
                "{time} 198.51.100.1 {method} {path} {query} 443 - {client} {agent} {referer} {status} 0 0 {bytes} {taken}"
            )
        },
        durations: Optional,
        ..COMBINED
    },
    Written {
        name: "CloudFront",
        log_format: "",
        header: "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken\n",
        line: |record| {
            let Record { client, method, status, bytes, referer, .. } = record;
            let agent = record.user_agent.replace('%', "%25").replace(' ', "%20");
            let (path, query) = (record.path(), record.query().unwrap_or("-"));
            format!(
                "{}\tFRA2\t{bytes}\t{client}\t{method}\td1.cloudfront.net\t{path}\t{status}\t{referer}\t{agent}\t{query}\t-\tMiss\tid==\twww.example.com\thttps\t23\t{}",
                record.time("%Y-%m-%d\t%H:%M:%S"),
                record.seconds()
            )
        },
        durations: Optional,
        ..COMBINED
    },
    Written {
        name: "Caddy",
        log_format: "",
        line: |record| {
            let header = |text: &str| if text == "-" { Value::Null } else { json!([text]) };
            json!({
                "level": "info", "ts": record.at.as_second(), "logger": "http.log.access", "msg": "handled request",
                "request": {
                    "remote_ip": record.client, "client_ip": record.client, "proto": record.protocol,
                    "method": record.method, "host": "www.example.com", "uri": record.target,
                    "headers": {"User-Agent": header(&record.user_agent), "Referer": header(&record.referer)},
                },
                "bytes_read": 0, "duration": record.duration_ms.map(|ms| ms as f64 / 1e3), "size": record.bytes,
                "status": record.status,
            })
            .to_string()
        },
        durations: Always,
        ..COMBINED
    },
    Written {
        // With the columns of its first years, and without times: stamps to the microsecond and durations together
        // would put the requests of one second in another order than that of the lines.
        name: "ALB",
        log_format: "",
        line: |record| {
            let Record { client, method, target, protocol, status, bytes, user_agent, .. } = record;
            format!(
                r#"https {}Z app/web/1 {client}:4711 198.51.100.1:80 -1 -1 -1 {status} {status} 0 {bytes} "{method} https://www.example.com:443{target} {protocol}" "{user_agent}" - - arn:x "Root=1""#,
                record.time("%Y-%m-%dT%H:%M:%S.000000"),
            )
        },
        lost: FINER_STAMPS,
        ..COMBINED
    },
    Written {
        name: "docker, timed",
        log_format: "",
        line: |record| {
            let log = format!("{} {}\n", record.combined(), record.seconds());
            json!({"log": log, "stream": "stdout", "time": record.time("%Y-%m-%dT%H:%M:%S.5Z")}).to_string()
        },
        durations: Always,
        ..COMBINED
    },
    Written {
        name: "JSON without a known producer",
        log_format: "",
        line: |record| {
            json!({
                "time": record.time("%Y-%m-%dT%H:%M:%SZ"), "client_ip": record.client, "method": record.method,
                "url": record.target, "protocol": record.protocol, "status": record.status, "bytes": record.bytes,
                "referer": Record::json(&record.referer), "user_agent": Record::json(&record.user_agent),
            })
            .to_string()
        },
        ..COMBINED
    },
];

/// The profile of `records` in that format, as a tree.
fn profile(directory: &Path, records: &[Record], written: &Written) -> Value {
    let path = directory.join("access.log");
    let mut out = std::io::BufWriter::new(fs_err::File::create(&path).unwrap());
    out.write_all(written.header.as_bytes()).unwrap();
    for record in records {
        writeln!(out, "{}", (written.line)(record)).unwrap();
    }
    drop(out);
    let format = match written.log_format {
        "" => None,
        text => Some(language::compile(text, &Options::default()).unwrap()),
    };
    let read = ReadSettings { inputs: vec![path], format, ..ReadSettings::default() };
    let model = ModelSettings { time_zone: Some(TimeZone::UTC), ..ModelSettings::default() };
    let mut profile = serde_json::to_value(analyze(&Settings { read, model })).unwrap();
    let source = profile["source"].as_object_mut().unwrap();
    // What says how it was read. Header lines are lines.
    for key in ["format", "stamp", "lines", "rejected"] {
        source.remove(key);
    }
    assert_eq!(source["requests"], records.len(), "{}", written.name);
    profile
}

/// The values of the tree by the way to them.
fn leaves(tree: &Value, at: &str, found: &mut BTreeMap<String, Value>) {
    match tree {
        Value::Object(object) => {
            object.iter().for_each(|(key, value)| leaves(value, &format!("{at}/{key}"), found));
        }
        Value::Array(array) => {
            array.iter().enumerate().for_each(|(i, value)| leaves(value, &format!("{at}/{i}"), found));
        }
        _ => drop(found.insert(at.to_owned(), tree.clone())),
    }
}

/// `pattern` is the beginning of a way, with `*` for any one step.
fn begins(way: &str, pattern: &str) -> bool {
    let mut steps = way.split('/');
    pattern.split('/').all(|wanted| steps.next().is_some_and(|step| wanted == "*" || wanted == step))
}

/// The ways to what differs, and is not listed as lost.
fn differences(base: &Value, found: &Value, written: &Written) -> Vec<String> {
    let [base, found] = [base, found].map(|tree| {
        let mut by_way = BTreeMap::new();
        leaves(tree, "", &mut by_way);
        // Only some formats say which host was asked for.
        by_way.retain(|way, _| !begins(way, "/source/hosts"));
        by_way.retain(|way, _| !written.lost.iter().any(|(pattern, _)| begins(way, pattern)));
        by_way
    });
    let ways = base.keys().chain(found.keys().filter(|way| !base.contains_key(*way)));
    ways.filter(|way| base.get(*way) != found.get(*way))
        .map(|way| format!("{way}: {:?}, {:?}", base.get(way), found.get(way)))
        .collect()
}

fn check(log: &Path, most_lines: usize) {
    let text = log_text(log);
    let lines: Vec<_> = text.split(|byte| *byte == b'\n').take(most_lines).collect();
    let records: Vec<Record> =
        lines.iter().filter_map(|line| Record::new(std::str::from_utf8(line).ok()?)).collect();
    let timed = records.iter().any(|record| record.duration_ms.is_some());
    eprintln!("{}: {} requests of {} lines", log.display(), records.len(), lines.len());
    assert!(records.len() * 10 > lines.len() * 8, "the oracle cuts {} of {}", records.len(), lines.len());
    let directory = tempfile::tempdir().unwrap();
    let plain = profile(directory.path(), &records, &COMBINED);
    let with_time = timed.then(|| profile(directory.path(), &records, &TIMED));
    let mut wrong = Vec::new();
    let mut compared = 0;
    for written in &FORMATS {
        let base = match (&with_time, written.durations) {
            (None, Always) => {
                eprintln!("  {}: left out, the log has no durations", written.name);
                continue;
            }
            (Some(with_time), Optional | Always) => with_time,
            _ => &plain,
        };
        let found = profile(directory.path(), &records, written);
        let differences = differences(base, &found, written);
        eprintln!("  {}: {} differences", written.name, differences.len());
        if timed && written.durations == No {
            eprintln!("    not carried: how long requests took");
        }
        written.lost.iter().for_each(|(way, why)| eprintln!("    not compared: {way} ({why})"));
        wrong.extend(differences.iter().take(6).map(|difference| format!("{}: {difference}", written.name)));
        compared += 1;
    }
    assert!(compared >= 8);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_real_log_gives_the_same_profile_from_every_format() {
    let Some(log) = corpus("access_logs/mountaintel-2005-2018.log.gz") else { return };
    check(&log, 30_000);
}

#[test]
fn the_sample_gives_the_same_profile_from_every_format() {
    check(&sample_gz(), 30_000);
}
