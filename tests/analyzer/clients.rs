//! What clients are and where, how long their sessions are: shares that were counted by hand, behind the gate, whatever
//! way the log was cut, and nothing of anybody.

use std::collections::BTreeMap;
use std::path::PathBuf;

use analyzer::audit::{What, audit};
use shared::Profile;
use shared::clients::ClientShare;

use crate::mmdb::{Says, database};
use crate::support::{Run, corpus, run};

const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/154.0.0.0 Safari/537.36";
const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 26_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.5 Mobile/15E148 Safari/604.1";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:152.0) Gecko/20100101 Firefox/152.0";
const EDGE: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/154.0.0.0 Safari/537.36 Edg/154.0.0.0";
const OPERA: &str = "Opera/9.80 (Windows NT 6.1; U; de) Presto/2.12.388 Version/12.16";

/// Clients of one network and one program: the front of their addresses, their number, the pages of each.
type Group = (&'static str, u32, u32, &'static str);

/// Germany, France, Norway, Austria, a private network, Switzerland.
const GROUPS: [Group; 6] = [
    ("192.0.2.", 30, 3, CHROME),
    ("2001:db8:1::", 20, 2, SAFARI),
    ("198.51.100.", 15, 2, FIREFOX),
    ("203.0.113.", 9, 4, EDGE),
    ("10.0.0.", 11, 1, "curl/8.5.0"),
    ("203.0.113.12", 5, 1, OPERA),
];

const NETWORKS: [(&str, Says); 5] = [
    ("192.0.2.0/24", Says::Country("DE")),
    ("198.51.100.0/24", Says::Country("NO")),
    ("203.0.113.0/26", Says::Country("AT")),
    ("203.0.113.64/26", Says::Country("CH")),
    ("2001:db8:1::/48", Says::Country("FR")),
];

/// The lines of `groups`, each client's a dozen seconds apart, clients half a minute.
fn log(groups: &[Group], address: impl Fn(&str) -> String) -> String {
    let mut lines: Vec<(u32, String)> = Vec::new();
    let mut started_s = 0;
    for (front, clients, pages, agent) in groups {
        for client in 0..*clients {
            started_s += 29;
            for page in 0..*pages {
                let at_s = started_s + page * (10 + client % 7);
                let who = address(&format!("{front}{client}"));
                let path = ["/", "/news", "/shop", "/contact"][page as usize];
                let (hour, minute, second) = (8 + at_s / 3600, at_s / 60 % 60, at_s % 60);
                lines.push((at_s, format!("{who} - - [02/Nov/2026:{hour:02}:{minute:02}:{second:02} +0000] \"GET {path} HTTP/1.1\" 200 512 \"-\" \"{agent}\"\n")));
            }
        }
    }
    lines.sort_by_key(|(at_s, _)| *at_s);
    lines.into_iter().map(|(_, line)| line).collect()
}

/// A directory with files in it.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs_err::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn database(&self) -> String {
        self.write("countries.mmdb", database("Test-Country", 6, &NETWORKS))
    }
}

fn yaml(arguments: &[&str]) -> String {
    let run = run(&[&["profile", "--quiet", "--producer", "nginx"], arguments].concat()).ok();
    String::from_utf8(run.stdout).unwrap()
}

fn profile(arguments: &[&str]) -> Profile {
    shared::io::from_yaml(&yaml(arguments)).unwrap()
}

/// Sessions and requests of each name as shares, of counts.
#[track_caller]
fn check<N: Ord + std::fmt::Debug>(
    found: &BTreeMap<N, ClientShare>,
    name: impl Fn(&N) -> String,
    expected: &[(&str, u32, u32)],
) {
    let sum = |count: fn(&(&str, u32, u32)) -> u32| f64::from(expected.iter().map(count).sum::<u32>());
    let (sessions, requests) = (sum(|row| row.1), sum(|row| row.2));
    let names: Vec<String> = found.keys().map(name).collect();
    assert_eq!(names, expected.iter().map(|row| row.0.to_owned()).collect::<Vec<String>>(), "{found:?}");
    for (share, (name, of_sessions, of_requests)) in found.values().zip(expected) {
        assert!((share.sessions - f64::from(*of_sessions) / sessions).abs() < 1.01e-4, "{name}: {share:?}");
        assert!((share.requests - f64::from(*of_requests) / requests).abs() < 1.01e-4, "{name}: {share:?}");
    }
}

#[test]
fn shares_are_those_of_a_count_by_hand_and_rare_names_are_others() {
    let files = Files::new();
    let log = files.write("access.log", log(&GROUPS, str::to_owned));
    let profile = profile(&[&log, "--geoip", &files.database()]);
    let clients = profile.clients.unwrap();
    let browsers = [
        ("chrome", 30, 90),
        ("safari", 20, 40),
        ("firefox", 15, 30),
        ("http_library", 11, 11),
        // Nine with Edge and five with Opera.
        ("other", 14, 41),
    ];
    check(&clients.browsers, |browser| browser.name().to_owned(), &browsers);
    let devices = [("desktop", 59, 161), ("mobile", 20, 40), ("unknown", 11, 11)];
    check(&clients.devices, |device| device.name().to_owned(), &devices);
    let systems = [("windows", 44, 131), ("linux", 15, 30), ("ios", 20, 40), ("unknown", 11, 11)];
    check(&clients.systems, |system| system.name().to_owned(), &systems);
    let countries = [("DE", 30, 90), ("FR", 20, 40), ("NO", 15, 30), ("other", 14, 41), ("unknown", 11, 11)];
    check(&clients.countries, String::clone, &countries);
}

#[test]
fn what_is_too_rare_even_together_is_left_out_of_the_whole() {
    let files = Files::new();
    let log = files.write("access.log", log(&GROUPS[..4], str::to_owned));
    let clients = profile(&[&log, "--geoip", &files.database()]).clients.unwrap();
    let browsers = [("chrome", 30, 90), ("safari", 20, 40), ("firefox", 15, 30)];
    check(&clients.browsers, |browser| browser.name().to_owned(), &browsers);
    check(&clients.countries, String::clone, &[("DE", 30, 90), ("FR", 20, 40), ("NO", 15, 30)]);
}

#[test]
fn nothing_is_said_of_what_was_not_asked_or_logged() {
    let files = Files::new();
    let text = log(&GROUPS, str::to_owned);
    let clients = profile(&[&files.write("access.log", &text)]).clients.unwrap();
    assert!(clients.countries.is_empty() && !clients.browsers.is_empty());
    let common: String =
        text.lines().map(|line| format!("{}\n", line.split(" \"-\"").next().unwrap())).collect();
    let common = files.write("common.log", common);
    assert_eq!(profile(&[&common]).clients, None);
    let clients = profile(&[&common, "--geoip", &files.database()]).clients.unwrap();
    assert!(clients.browsers.is_empty() && clients.countries.len() == 5, "{clients:?}");
}

#[test]
fn a_database_of_ipv4_knows_no_other_addresses() {
    let files = Files::new();
    let log = files.write("access.log", log(&GROUPS[..3], str::to_owned));
    let networks: Vec<(&str, Says)> = NETWORKS[..2].to_vec();
    let database = files.write("v4.mmdb", database("Test-Country", 4, &networks));
    let clients = profile(&[&log, "--geoip", &database]).clients.unwrap();
    check(&clients.countries, String::clone, &[("DE", 30, 90), ("NO", 15, 30), ("unknown", 20, 40)]);
}

#[test]
fn lengths_of_sessions_are_those_of_the_log() {
    let files = Files::new();
    let log = files.write("access.log", log(&GROUPS, str::to_owned));
    let sessions = profile(&[&log]).sessions.unwrap();
    // 16 sessions of one page, 35 of two, 30 of three, 9 of four: half have two, and too few are longer than 95 %.
    assert_eq!((sessions.requests.mean, sessions.requests.p50, sessions.requests.p95), (2.36, 2, None));
    let duration_s = sessions.duration_s;
    assert!(
        (10.0 * 0.98..=16.0 * 1.02).contains(&duration_s.p50) && duration_s.p95.is_none(),
        "{duration_s:?}"
    );
    assert_eq!((duration_s.histogram.count(), duration_s.histogram.zeros), (90, 16));
    let one = profile(&[&log, "--k", "4"]).sessions.unwrap();
    assert_eq!((one.requests.p50, one.requests.p95, one.requests.p99), (2, Some(4), None));
}

#[test]
fn neither_threads_nor_parts_nor_names_of_clients_show() {
    let files = Files::new();
    let text = log(&GROUPS, str::to_owned);
    let (log_path, database) = (files.write("access.log", &text), files.database());
    let expected = yaml(&[&log_path, "--geoip", &database, "--threads", "1"]);
    assert!(expected.contains("\n  countries:\n"), "{expected}");
    for flags in [["--threads", "7"], ["--memory", "0"]] {
        let found = yaml(&[&[&*log_path, "--geoip", &database][..], &flags[..]].concat());
        assert!(found == expected, "{flags:?}");
    }
    // Everybody at another address of the same network.
    let elsewhere = |address: &str| match address.rsplit_once('.') {
        Some((network, last)) => format!("{network}.{}", last.parse::<u8>().unwrap() ^ 0x20),
        None => format!("{address}:7"),
    };
    let renamed = files.write("renamed.log", log(&GROUPS, elsewhere));
    assert!(yaml(&[&renamed, "--geoip", &database]) == expected, "renamed");
    let key = files.write("key", "0123456789abcdef".repeat(4));
    let tally = |name: &str, log: &str, shard: &str, geoip: Option<&str>| {
        let output = files.path(name).to_str().unwrap().to_owned();
        let arguments =
            ["tally", log, "--quiet", "--producer", "nginx", "--key-file", &key, "--shard", shard];
        let geoip = geoip.map(|path| ["--geoip", path]);
        let geoip = geoip.as_ref().map_or(&[][..], |flags| &flags[..]);
        run(&[&arguments[..], &["-o", &output], geoip].concat()).ok();
        output
    };
    let merged = |parts: &[String]| -> Run {
        let parts = parts.iter().map(String::as_str);
        run(&["merge", "--quiet"].into_iter().chain(parts).collect::<Vec<&str>>())
    };
    let mut parts: Vec<String> = ["1/3", "2/3", "3/3"]
        .map(|shard| tally(&shard.replace('/', "."), &log_path, shard, Some(&database)))
        .to_vec();
    parts.reverse();
    assert!(merged(&parts).ok().stdout == expected.as_bytes(), "shards");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut parts = Vec::new();
    for (number, slice) in lines.chunks(lines.len() / 3 + 1).enumerate() {
        let slice = files.write(&format!("{number}.log"), slice.concat());
        parts.push(tally(&format!("slice.{number}"), &slice, "1/1", Some(&database)));
    }
    assert!(merged(&parts).ok().stdout == expected.as_bytes(), "slices of time");
    let without = tally("without", &log_path, "1/1", None);
    let refused = merged(&[parts[0].clone(), without]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("--geoip: none"), "{}", refused.stderr);
}

#[test]
fn files_that_tell_no_countries_are_refused() {
    let files = Files::new();
    let log = files.write("access.log", log(&GROUPS, str::to_owned));
    let refused = |database: &str, expected: &str| {
        let run = run(&["profile", &log, "--geoip", database]);
        assert_eq!(run.code, 2, "{expected}: {}", run.stderr);
        assert!(run.stderr.contains(expected), "{expected}: {}", run.stderr);
        assert!(run.stdout.is_empty());
    };
    let operators = [("192.0.2.0/24", Says::Operator(64_496)), ("2001:db8::/32", Says::Operator(64_497))];
    let operators = files.write("asn.mmdb", database("Test-ASN", 6, &operators));
    refused(&operators, "found: a database of the type `Test-ASN`, without countries");
    refused(&log, "expected: a whole database of countries or cities in MaxMind's format");
    let whole = fs_err::read(files.database()).unwrap();
    refused(&files.write("cut.mmdb", &whole[..whole.len() / 2]), "hint: GeoLite2-Country.mmdb");
    refused(files.path("none.mmdb").to_str().unwrap(), "none.mmdb");
    // A record that was overwritten is found when an address leads to it.
    let mut damaged = whole.clone();
    let norway = damaged.windows(2).position(|two| two == b"NO").unwrap();
    damaged[norway - 1] = 0xff;
    refused(&files.write("damaged.mmdb", &damaged), "cannot tell countries by");
}

#[test]
fn an_audit_counts_them_again_and_needs_the_database() {
    let files = Files::new();
    let log = files.write("access.log", log(&GROUPS, str::to_owned));
    let database = files.database();
    let profile = profile(&[&log, "--geoip", &database]);
    let yaml = files.write("profile.yaml", shared::io::to_yaml(&profile));
    let audited = run(&["audit", &yaml, &log, "--geoip", &database, "--format", "json"]).ok().json();
    let clients = |what: &str, text: &str| {
        let literals = audited["literals"].as_array().unwrap();
        let found = literals.iter().find(|literal| literal["what"] == what && literal["text"] == text);
        found.unwrap_or_else(|| panic!("{what} {text}"))["clients"].as_u64().unwrap()
    };
    for (what, text, expected) in [
        ("browser", "chrome", 30),
        ("browser", "other", 14),
        ("browser", "http_library", 11),
        ("device", "desktop", 59),
        ("system", "windows", 44),
        ("country", "FR", 20),
        ("country", "other", 14),
        ("country", "unknown", 11),
    ] {
        assert_eq!(clients(what, text), expected, "{what} {text}");
    }
    let without = run(&["audit", &yaml, &log]);
    assert_eq!(without.code, 2, "{}", without.stderr);
    assert!(without.stderr.contains("--geoip FILE"), "{}", without.stderr);
    // A name that nobody stands behind is below any threshold.
    let edited = fs_err::read_to_string(&yaml).unwrap().replace("    safari:", "    samsung:");
    let edited = files.write("edited.yaml", edited);
    let below = run(&["audit", &edited, &log, "--geoip", &database]);
    assert_eq!(below.code, 1, "{}", below.stderr);
    let text = String::from_utf8(below.stdout).unwrap();
    assert!(text.contains("        0  browser      samsung  BELOW k\n"), "{text}");
}

#[test]
fn an_explanation_shows_them_on_lines_that_fit() {
    let files = Files::new();
    let log = files.write("access.log", log(&GROUPS, str::to_owned));
    let yaml = files.write("profile.yaml", yaml(&[&log, "--geoip", &files.database()]));
    let text = String::from_utf8(run(&["explain", &yaml]).ok().stdout).unwrap();
    for line in [
        "  requests    2.36 in the mean, half at most 2\n",
        "  browsers    chrome 33 %, safari 22 %, firefox 17 %, other 16 %, http library\n              12 %\n",
        "  devices     desktop 66 %, mobile 22 %, unknown 12 %\n",
        "  countries   DE 33 %, FR 22 %, NO 17 %, other 16 %, unknown 12 %\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let summary = run(&["profile", &log, "--geoip", &files.database()]).ok().stderr;
    assert!(
        summary.contains("  browsers    chrome 33 %, safari 22 %, firefox 17 %, other 16 % and 1 more\n"),
        "{summary}"
    );
    assert!(summary.contains("  mean        "), "{summary}");
}

/// Of real logs every name stands on k clients, counted by other code.
#[test]
fn what_profiles_of_real_logs_say_of_clients_stands_on_k_of_them() {
    for (name, k) in
        [("mountaintel-2005-2018.log.gz", 10), ("elastic-apache_logs.log", 10), ("lab11-2009.log", 5)]
    {
        let Some(log) = corpus(&format!("access_logs/{name}")) else { return };
        let mut settings = analyzer::Settings::default();
        settings.read.inputs = vec![log];
        settings.model.k = k;
        let profile = crate::support::analyze(&settings);
        let named = profile.clients.as_ref().map_or(0, |clients| clients.browsers.len());
        assert!(named >= 3, "{name}: {named} browsers");
        let audited = audit(&profile, k, &settings.read, &|_| {}).unwrap();
        let of_clients = |what: What| [What::Browser, What::Device, What::System].contains(&what);
        let below: Vec<_> = audited.below().filter(|literal| of_clients(literal.what)).collect();
        assert!(below.is_empty(), "{name}: {below:?}");
    }
}
