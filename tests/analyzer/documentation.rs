//! What `docs/formats.md` says, tried: every sample on the page is read as the page says, and every row of its tables
//! is compared with what was read.
//!
//! All samples show one request, so that what must come out of them is the same everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Value;

use crate::nginx;
use crate::support::{repository, run_with};

/// Of the request that all samples show: the moment of the stamp (whole seconds, or with a fraction), the moment of
/// the other one where a log has both, the seconds that it took.
const STAMP: [&str; 2] = ["2026-11-02T00:00:01.000", "2026-11-02T00:00:01.250"];
const BOTH_END: &str = "2026-11-02T00:00:01.375";
const DURATION_S: f64 = 0.125;
const CLIENT: &str = "192.0.2.4";

/// Formats that are no text.
const BINARY: [&str; 2] = ["otlp:proto", "parquet"];
/// Blocks that hold what a server is configured with, in a form that `--from` reads.
const CONFIGURATIONS: [&str; 4] = ["nginx", "apache", "haproxy", "squid"];

/// What stands under the heading of a format.
struct Section<'p> {
    /// What `inspect` calls it; with a document around the lines, the name of that and a blank in front.
    label: &'p str,
    /// What stands outside the blocks.
    prose: String,
    /// The blocks: language and text.
    blocks: Vec<(&'p str, String)>,
}

impl<'p> Section<'p> {
    fn new(text: &'p str) -> Self {
        let (label, text) = text.split_once('\n').unwrap();
        let mut section = Self { label: label.trim(), prose: String::new(), blocks: Vec::new() };
        for (number, part) in text.split("\n```").enumerate() {
            match number % 2 {
                0 => section.prose.push_str(part),
                _ => {
                    let (language, block) = part.split_once('\n').unwrap();
                    section.blocks.push((language, format!("{block}\n")));
                }
            }
        }
        section
    }

    fn configuration(&self) -> Option<&str> {
        let found = self.blocks.iter().find(|(language, _)| CONFIGURATIONS.contains(language));
        found.map(|(_, text)| text.as_str())
    }

    fn sample(&self) -> &str {
        let sample = self.blocks.iter().find(|(language, _)| ["log", "json"].contains(language));
        &sample.unwrap_or_else(|| panic!("`{}` has no sample", self.label)).1
    }

    /// The flags that the page says are needed: a line of their own, as code.
    fn flags(&self) -> Vec<&str> {
        let line = self.prose.lines().find(|line| line.starts_with("`--") && line.ends_with('`'));
        line.map_or_else(Vec::new, |line| line.trim_matches('`').split(' ').collect())
    }
}

/// A row of a table.
struct Claim<'p> {
    stamp: &'p str,
    finest_s: f64,
    duration: bool,
    clients: &'p str,
}

/// The row in `line`, by its label.
fn claim(line: &str) -> Option<(&str, Claim<'_>)> {
    let cells: Vec<&str> = line.strip_prefix("| `")?.strip_suffix(" |")?.split(" | ").collect();
    let [label, stamp, finest, duration, clients] = *cells.as_slice() else { return None };
    let (number, unit) = finest.split_once(' ')?;
    let unit = match unit {
        "s" => 1.0,
        "ms" => 1e-3,
        "µs" => 1e-6,
        "ns" => 1e-9,
        _ => panic!("`{finest}` is no time"),
    };
    let finest_s = number.parse::<f64>().unwrap() * unit;
    let duration = match duration {
        "yes" => true,
        "no" => false,
        _ => panic!("`{duration}` is neither yes nor no"),
    };
    Some((label.strip_suffix('`')?, Claim { stamp, finest_s, duration, clients }))
}

/// What `inspect` makes of the sample of `section`.
fn inspected(section: &Section<'_>, log: &str) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let mut arguments = vec!["inspect", "-", "--format", "json", "--records", "9", "--raw"];
    arguments.extend(section.flags());
    let path = directory.path().join("server.conf");
    if let Some(configuration) = section.configuration() {
        fs_err::write(&path, configuration).unwrap();
        arguments.extend(["--from", path.to_str().unwrap()]);
    }
    run_with(&arguments, log.as_bytes()).ok().json()["inputs"][0].take()
}

#[track_caller]
fn check(section: &Section<'_>, claim: Option<&Claim<'_>>) {
    let label = section.label;
    let input = inspected(section, section.sample());
    let format = input["format"].as_str().unwrap();
    let found =
        input["envelope"].as_str().map_or_else(|| format.to_owned(), |outer| format!("{outer} {format}"));
    assert_eq!(found, label);
    // Headers and records of another kind are no requests; anything else was not understood.
    let rejects = input["rejects"].as_object().unwrap();
    assert!(rejects.keys().all(|reason| reason == "not_a_request"), "{label}: {rejects:?}");
    let records = input["records"].as_array().unwrap_or_else(|| panic!("{label}: no request"));
    for record in records {
        let status = if section.prose.contains("there is no status") { 0 } else { 200 };
        let asked = (&record["method"], &record["path"], &record["status"]);
        assert_eq!(asked, (&"GET".into(), &"/items/7".into(), &status.into()), "{label}");
        if let Some(claim) = claim {
            check_claim(label, claim, record);
        }
    }
}

#[track_caller]
fn check_claim(label: &str, claim: &Claim<'_>, record: &Value) {
    let resolution_s = record["resolution_s"].as_f64().unwrap();
    assert!((resolution_s / claim.finest_s - 1.0).abs() < 1e-9, "{label}: finest {resolution_s} s");
    let duration_s = claim.duration.then_some(DURATION_S);
    assert_eq!(record["duration_s"].as_f64(), duration_s, "{label}: duration");
    let at = |name: &str| record[name].as_str().and_then(|text| text.get(..STAMP[0].len()));
    let stamp = STAMP[usize::from(claim.finest_s < 1.0)];
    let fits = match claim.stamp {
        "start" => at("started_at") == Some(stamp),
        "end" => at("ended_at") == Some(stamp),
        "both" => (at("started_at"), at("ended_at")) == (Some(stamp), Some(BOTH_END)),
        other => panic!("{label}: `{other}` is no moment"),
    };
    assert!(fits, "{label}: {} of {:?} to {:?}", claim.stamp, at("started_at"), at("ended_at"));
    let told: BTreeSet<&str> = claim.clients.split(", ").collect();
    let client = record["client"].as_str().unwrap();
    match told.contains("address") {
        true => assert_eq!(client, CLIENT, "{label}"),
        false => assert!(client.parse::<IpAddr>().is_err(), "{label}: {client}"),
    }
    assert_eq!(!record["user_agent"].is_null(), told.contains("user agent"), "{label}: user agent");
}

fn page() -> String {
    fs_err::read_to_string(repository("docs/formats.md")).unwrap()
}

fn sections(chapter: &str) -> Vec<Section<'_>> {
    chapter.split("\n#### ").skip(1).map(Section::new).collect()
}

#[test]
fn the_page_of_formats_tells_the_truth() {
    let page = page();
    let mut checked = 0;
    for chapter in page.split("\n## ").skip(1) {
        let claims: BTreeMap<&str, Claim<'_>> = chapter.lines().filter_map(claim).collect();
        let sections = sections(chapter);
        if !claims.is_empty() {
            let claimed: BTreeSet<&str> =
                claims.keys().copied().filter(|label| !BINARY.contains(label)).collect();
            let shown: BTreeSet<&str> = sections.iter().map(|section| section.label).collect();
            assert_eq!(claimed, shown, "every row has its sample");
        }
        for section in &sections {
            check(section, claims.get(section.label));
            checked += 1;
        }
    }
    assert!(checked > 80, "{checked} samples");
}

#[test]
fn a_real_nginx_writes_what_the_page_says() {
    let page = page();
    let all = sections(&page);
    let of_nginx = all.iter().filter(|section| section.blocks[0].0 == "nginx");
    let formats: Vec<(&Section<'_>, &str, &str)> = of_nginx
        .map(|section| {
            let directive = section.blocks[0].1.split_once("log_format ").unwrap().1;
            let (name, rest) = directive.split_once(' ').unwrap_or((directive, ""));
            (section, name, rest.split_once(";\n").unwrap().0)
        })
        .collect();
    assert_eq!(formats.len(), 2);
    let directory = tempfile::tempdir().unwrap();
    let named: Vec<(&str, &str)> = formats.iter().map(|(_, name, format)| (*name, *format)).collect();
    let Some(nginx) = nginx::start(directory.path(), &named) else {
        eprintln!("skipped: there is no nginx on this machine");
        return;
    };
    nginx.send(
        b"GET /items/7 HTTP/1.1\r\nHost: x\r\nUser-Agent: Mozilla/5.0 (X11)\r\nConnection: close\r\n\r\n",
    );
    for (section, name, _) in formats {
        let log = directory.path().join(format!("{name}.log"));
        nginx::wait_for_lines(&log, 1);
        let input = inspected(section, &fs_err::read_to_string(log).unwrap());
        assert_eq!(input["format"], section.label);
        let record = &input["records"][0];
        assert_eq!((&record["path"], &record["client"]), (&"/items/7".into(), &"127.0.0.1".into()));
        assert_eq!(
            (&record["user_agent"], &record["resolution_s"]),
            (&"Mozilla/5.0 (X11)".into(), &0.001.into())
        );
        assert!(record["duration_s"].is_f64(), "{record}");
    }
}
