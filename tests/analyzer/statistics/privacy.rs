//! Goal: nobody in what leaves. Canaries in every field and spelling do not come out, a profile does not change when
//! everybody gets another name, one client more or less changes no name, every literal stands on k clients, and a
//! profile hardly tells who was in its log.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use analyzer::Settings;
use analyzer::audit::{Audit, What, audit};
use analyzer::kind::{Kind, of_user_agent};
use analyzer::settings::{ModelSettings, ReadSettings};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use shared::Profile;
use shared::session::{Class, END, OTHER};

use crate::canary::{Canaries, Search, plant};
use crate::support::{RawLine, analyze, command, run, sample, sample_conf, sample_settings};

/// A directory with files in it.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs_err::write(&path, content).unwrap();
        path
    }
}

/// Writes down what was found beside its goal.
fn figure(goal: &str, found: impl std::fmt::Display) {
    eprintln!("goal 19: {goal}: {found}");
}

// Canaries.

/// Everything that the program says about `log`: the command, and all that it wrote.
fn said_of(log: &Path, files: &Files) -> Vec<(String, Vec<u8>)> {
    let log = log.to_str().unwrap();
    let profile = files.0.path().join("profile.yaml");
    let profile = profile.to_str().unwrap();
    let mut said = Vec::new();
    for arguments in [
        &["profile", log][..],
        &["profile", log, "--no-templates"],
        &["profile", log, "-o", profile, "--memory", "64K"],
        &["audit", profile, log],
        &["audit", profile, log, "--format", "json"],
        &["inspect", log, "--records", "1000000", "--stats"],
        &["inspect", log, "--records", "1000000", "--stats", "--format", "json"],
        &["events", log],
        // Failures.
        &["profile", log, "--k", "1000000000"],
        &["inspect", log, "--min-parsed", "100%"],
        &["profile", log, "--max-line", "40"],
        &["profile", log, "--log-format", "$remote_addr [$time_local] \"$request\" $status"],
        &["profile", log, "--from", log],
        &["validate", log],
        &["audit", log, log],
    ] {
        let run = run(arguments);
        said.push((arguments.join(" "), [run.stdout, run.stderr.into_bytes()].concat()));
    }
    said.push(("profile.yaml".to_owned(), fs_err::read(profile).unwrap()));
    said
}

fn check_canaries(rare_each: usize, common_clients: usize, least: usize) {
    let Canaries { combined, json, planted } = plant(7, rare_each, common_clients);
    assert!(planted.len() >= least, "{} canaries", planted.len());
    let search = Search::new(&planted);
    let files = Files::new();
    let mut hits = 0;
    for (name, text) in [("combined.log", &combined), ("caddy.json", &json)] {
        let log = files.write(name, text);
        let raw = ["inspect", log.to_str().unwrap(), "--raw", "--records", "1000000", "--format", "json"];
        let known = search.found(&run(&raw).stdout).len();
        assert!(known > planted.len() / 2, "the search finds only {known} canaries in raw records");
        for (whence, text) in said_of(&log, &files) {
            let found = search.found(&text);
            hits += found.len();
            assert!(found.is_empty(), "`{whence}`: {:?}", found.iter().take(9).collect::<Vec<_>>());
        }
    }
    figure(&format!("0 hits of {} canaries, common ones of {common_clients} clients", planted.len()), hits);
}

#[test]
fn canaries_do_not_come_out() {
    check_canaries(3, 30, 700);
}

#[test]
#[ignore = "ten thousand canaries, and common ones of a thousand clients each: by `cargo statistics`"]
fn ten_thousand_canaries_do_not_come_out() {
    check_canaries(50, 1_000, 10_000);
}

/// What is in files that the program has open and that have no name, and in files of `directory`.
#[cfg(target_os = "linux")]
fn temporary(pid: u32, directory: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let open = fs_err::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    for file in open.map(|entry| entry.path()) {
        let points_into = std::fs::read_link(&file).is_ok_and(|target| target.starts_with(directory));
        if points_into {
            found.push(fs_err::read(&file).unwrap());
        }
    }
    let named = fs_err::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    found.extend(named.filter(|path| path.is_file()).map(|path| fs_err::read(path).unwrap()));
    found
}

#[cfg(target_os = "linux")]
#[test]
fn temporary_files_hold_no_canary_while_the_program_runs() {
    let Canaries { combined, planted, .. } = plant(8, 3, 60);
    let search = Search::new(&planted);
    let directory = tempfile::tempdir().unwrap();
    let mut child = command(&["profile", "-", "--memory", "64K", "--threads", "1"])
        .env("TMPDIR", directory.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Four times over, so that whole blocks are read while the end has not come.
    (0..4).for_each(|_| stdin.write_all(&combined).unwrap());
    let limits = fs_err::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    let mut held = 0;
    for _ in 0..200 {
        let files = temporary(child.id(), directory.path());
        held = files.iter().map(Vec::len).sum::<usize>();
        for text in &files {
            let found = search.found(text);
            assert!(found.is_empty(), "{:?}", found.iter().take(9).collect::<Vec<_>>());
        }
        if held > 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(held > 0, "no temporary file was seen");
    assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 0, "something was left behind");
    figure("0 hits in temporary files", format!("0 in {held} bytes"));
}

// Relabelling.

/// The same identifier gives the same other one of the same form, and no two give the same.
struct Relabel {
    random: ChaCha8Rng,
    given: HashMap<String, String>,
    taken: HashSet<String>,
}

impl Relabel {
    fn new(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), given: HashMap::new(), taken: HashSet::new() }
    }

    fn of(&mut self, text: &str, make: impl Fn(&mut ChaCha8Rng, &str) -> String) -> String {
        if let Some(known) = self.given.get(text) {
            return known.clone();
        }
        let mut other = make(&mut self.random, text);
        for _ in 0..1000 {
            if self.taken.insert(other.clone()) {
                break;
            }
            other = make(&mut self.random, text);
        }
        self.given.insert(text.to_owned(), other.clone());
        other
    }
}

fn below(random: &mut ChaCha8Rng, n: usize) -> usize {
    (random.next_u64() % n as u64) as usize
}

/// Another address of the same family.
fn other_address(random: &mut ChaCha8Rng, text: &str) -> String {
    match text.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => std::net::Ipv4Addr::from(random.next_u32() | 1).to_string(),
        Ok(std::net::IpAddr::V6(_)) => {
            let bits = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
            std::net::Ipv6Addr::from(bits | 1 << 127).to_string()
        }
        Err(_) => other_text(random, text),
    }
}

/// Another text of the same form: digits for digits (none in front becomes 0), and letters for letters of the same
/// class. Escapes stay.
fn other_text(random: &mut ChaCha8Rng, text: &str) -> String {
    const CLASSES: [&str; 6] = ["ae", "bcdf", "iouy", "ghjklmnpqrstvwxz", "123456789", "0"];
    let escaped = |at: usize| text.as_bytes()[at.saturating_sub(2)..at].contains(&b'%');
    text.char_indices()
        .map(|(at, c)| {
            let lower = c.to_ascii_lowercase();
            let Some(class) = CLASSES.iter().find(|class| class.contains(lower) && !escaped(at)) else {
                return c;
            };
            let other = char::from(class.as_bytes()[below(random, class.len())]);
            if c.is_ascii_uppercase() { other.to_ascii_uppercase() } else { other }
        })
        .collect()
}

/// Another user agent of the same program: other digits in all versions but the one that Safari writes apart, which tells
/// a browser from the pages of an application.
fn other_agent(random: &mut ChaCha8Rng, text: &str) -> String {
    let product = |product: &str| match product.split_once('/') {
        Some((name, version)) if name != "Version" && version.starts_with(|c: char| c.is_ascii_digit()) => {
            let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
            format!("{name}/{}{}", other_text(random, &version[..end]), &version[end..])
        }
        _ => product.to_owned(),
    };
    text.split(' ').map(product).collect::<Vec<String>>().join(" ")
}

/// `line` with all identifiers replaced: address, user, numbers and words in the places of values, query values, user
/// agent.
fn relabelled(line: &str, labels: &mut Relabel) -> String {
    let Some(raw) = RawLine::new(line) else { return line.to_owned() };
    let client = labels.of(raw.client, other_address);
    let user: Vec<String> = raw
        .user
        .split(' ')
        .map(|user| if user == "-" { user.to_owned() } else { labels.of(user, other_text) })
        .collect();
    let (path, query) =
        raw.target.split_once('?').map_or((raw.target, None), |(path, query)| (path, Some(query)));
    let mut before = "";
    let path: Vec<String> = path
        .split('/')
        .map(|segment| {
            let is_value = ["p", "orders", "account"].contains(&before) && segment != "items";
            before = segment;
            if is_value { labels.of(segment, other_text) } else { segment.to_owned() }
        })
        .collect();
    let query = query.map(|query| {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, value)) => format!("{name}={}", labels.of(value, other_text)),
            None => pair.to_owned(),
        });
        format!("?{}", pairs.collect::<Vec<String>>().join("&"))
    });
    let target = format!("{}{}", path.join("/"), query.unwrap_or_default());
    let (front, rest) = line.split_once(" [").unwrap();
    assert!(front.starts_with(raw.client));
    let agent = labels.of(raw.user_agent, other_agent);
    let rest = rest.replacen(raw.target, &target, 1).replacen(
        &format!("\"{}\"", raw.user_agent),
        &format!("\"{agent}\""),
        1,
    );
    format!("{client} {} [{rest}", user.join(" "))
}

fn lines_of(text: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(text).lines().map(str::to_owned).collect()
}

/// The profile of `lines` in the sample's format, as it is written.
fn profile_of(lines: &[String], files: &Files, k: u64) -> Profile {
    let log = files.write("some.log", (lines.join("\n") + "\n").as_bytes());
    let mut settings = sample_settings(vec![log]);
    settings.model.k = k;
    settings.model.routes = vec!["/c/{category}".parse().unwrap(), "/p/{slug}".parse().unwrap()];
    analyze(&settings)
}

fn check_relabelling(share: usize, seeds: std::ops::Range<u64>) {
    let files = Files::new();
    let lines = lines_of(&sample());
    // A mail link is a token after /unsubscribe/, and stays; broken lines say nothing that could be replaced.
    let lines = &lines[..lines.len() / share];
    let expected = shared::io::to_yaml(&profile_of(lines, &files, 10));
    let mut identical = 0;
    for seed in seeds.clone() {
        let mut labels = Relabel::new(seed);
        let others: Vec<String> = lines.iter().map(|line| relabelled(line, &mut labels)).collect();
        assert!(labels.given.iter().filter(|(one, other)| one != other).count() > 1_000);
        let agents = labels.given.iter().filter(|(one, other)| one != other && one.starts_with("Mozilla/"));
        assert!(agents.count() > 40, "user agents are other ones");
        let found = shared::io::to_yaml(&profile_of(&others, &files, 10));
        let difference = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
        assert!(found == expected, "seed {seed}: {difference:?}");
        identical += 1;
    }
    figure(
        "profiles byte-identical after relabelling, of 100 %",
        format!("{identical} of {}", seeds.end - seeds.start),
    );
}

#[test]
fn everybody_under_another_name_gives_the_same_profile() {
    check_relabelling(8, 0..1);
}

#[test]
#[ignore = "the whole sample under ten other sets of names: by `cargo statistics`"]
fn everybody_under_ten_other_names_gives_the_same_profile() {
    check_relabelling(1, 0..10);
}

// Neighbours.

/// A name that a profile spells out, by where it stands.
fn names(profile: &Profile) -> BTreeSet<(String, String)> {
    let mut names = BTreeSet::new();
    for endpoint in &profile.endpoints {
        names.insert(("endpoint".to_owned(), endpoint.id.clone()));
        names.extend(endpoint.status.keys().map(|code| (format!("status of {}", endpoint.id), code.clone())));
        names.extend(
            endpoint.query.iter().map(|query| (format!("query of {}", endpoint.id), query.name.clone())),
        );
    }
    names.extend(profile.think_times.keys().map(|name| ("think time".to_owned(), name.clone())));
    names
}

/// A log of `clients` that all do the same, and a page that the first `k` of them see.
fn neighbours(clients: u32, k: u32) -> Vec<(u32, String)> {
    let mut lines = Vec::new();
    let mut second = 0;
    for client in 0..clients {
        let pages = ["/", "/news?page=2&sort=price", "/news/archive", "/contact"];
        let exact = (client < k).then_some("/rare/exactly");
        for path in pages.into_iter().chain(exact) {
            second += 7;
            let (hour, minute, s) = (second / 3600 % 24, second / 60 % 60, second % 60);
            lines.push((client, format!(
                "192.0.{}.{} - - [0{}/Nov/2026:{hour:02}:{minute:02}:{s:02} +0000] \"GET {path} HTTP/1.1\" 200 612 \"-\" \"Mozilla/5.0\" 0.010",
                client / 250, client % 250 + 1, 2 + second / 86_400
            )));
        }
    }
    lines
}

#[test]
fn one_client_more_or_less_changes_no_name() {
    const K: u32 = 10;
    let files = Files::new();
    let lines = neighbours(60, K);
    let text = |kept: &dyn Fn(u32) -> bool| -> Vec<String> {
        lines.iter().filter(|(client, _)| kept(*client)).map(|(_, line)| line.clone()).collect()
    };
    let all = names(&profile_of(&text(&|_| true), &files, u64::from(K)));
    assert!(all.iter().any(|(_, name)| name == "get_rare_exactly"), "{all:?}");
    assert!(all.iter().any(|(_, name)| name == "sort"), "{all:?}");
    // One more, with a path, a query name, a status and steps of its own.
    let mut more = text(&|_| true);
    for (path, status) in [("/", 200), ("/secretplan", 200), ("/contact?mykey=1", 418), ("/news", 500)] {
        more.push(format!("198.51.100.1 - - [02/Nov/2026:12:00:00 +0000] \"GET {path} HTTP/1.1\" {status} 612 \"-\" \"Mozilla/5.0\" 0.010"));
    }
    assert_eq!(names(&profile_of(&more, &files, u64::from(K))), all);
    // One less: only the cell that exactly k clients stand behind goes, and only with one of them.
    let mut changed = 0;
    for client in [0, 4, K - 1, K, 30, 59] {
        let found = names(&profile_of(&text(&|other| other != client), &files, u64::from(K)));
        let gone: Vec<&(String, String)> = all.difference(&found).collect();
        assert!(found.is_subset(&all), "{:?}", found.difference(&all));
        assert!(
            gone.iter().all(|(place, name)| format!("{place} {name}").contains("rare_exactly")),
            "{client}: {gone:?}"
        );
        assert_eq!(!gone.is_empty(), client < K, "{client}: {gone:?}");
        changed += gone.len();
    }
    figure(
        "names that change though not exactly k clients stand behind them, 0",
        format!("0 of {changed} changes"),
    );
}

// Recount.

/// The start of the sample.
fn two_days() -> Vec<String> {
    let mut lines = lines_of(&sample());
    lines.truncate(lines.len() * 2 / 7);
    lines
}

/// Clients behind statuses and query names of routes without placeholders, from the raw lines by hand.
type Counted = BTreeMap<(String, String, String), HashSet<(String, String)>>;

fn recount(lines: &[String]) -> Counted {
    let mut clients = Counted::new();
    for raw in lines.iter().filter_map(|line| RawLine::new(line)) {
        if of_user_agent(raw.user_agent.as_bytes()) != Kind::Page {
            continue;
        }
        let endpoint = format!("{} {}", raw.method, raw.path().split(';').next().unwrap_or_default());
        let who = (raw.client.to_ascii_lowercase(), raw.user_agent.to_owned());
        let pairs = raw.query().into_iter().flat_map(|query| query.split('&'));
        let names = pairs.filter_map(|pair| pair.split_once('=')).map(|(name, _)| ("query", name.to_owned()));
        for (what, text) in names.chain([("status", raw.status.to_owned()), ("endpoint", endpoint.clone())]) {
            clients.entry((what.to_owned(), endpoint.clone(), text)).or_default().insert(who.clone());
        }
    }
    clients
}

#[test]
fn an_audit_counts_what_a_count_by_hand_counts_and_nothing_is_below_k() {
    let (files, lines) = (Files::new(), two_days());
    let settings = sample_settings(vec![files.write("two_days.log", (lines.join("\n") + "\n").as_bytes())]);
    let profile = analyze(&settings);
    let found: Audit = audit(&profile, 10, &settings.read, &|_| {}).unwrap();
    assert_eq!(found.below().count(), 0, "{:?}", found.below().collect::<Vec<_>>());
    let counted = recount(&lines);
    let mut compared: BTreeMap<What, usize> = BTreeMap::new();
    for literal in &found.literals {
        let Some(endpoint) = literal.endpoint.as_ref().and_then(|id| profile.endpoint(id)) else { continue };
        let what = literal.what.name();
        if endpoint.route.contains('{') || !["endpoint", "status", "query"].contains(&what) {
            continue;
        }
        let place =
            (what.to_owned(), format!("{} {}", endpoint.method, endpoint.route), literal.text.clone());
        let by_hand = counted.get(&place).map_or(0, HashSet::len);
        assert_eq!(literal.clients, by_hand as u64, "{place:?}");
        *compared.entry(literal.what).or_insert(0) += 1;
    }
    assert!(compared[&What::Endpoint] >= 8 && compared[&What::Status] >= 5, "{compared:?}");
    assert!(compared[&What::Query] >= 2, "{compared:?}");
    let fewest = found.literals.first().map_or(0, |literal| literal.clients);
    figure("literals below k = 10, 0", format!("0 of {}, fewest clients {fewest}", found.literals.len()));
}

#[test]
fn the_audit_command_shows_it_and_says_no() {
    let files = Files::new();
    let conf = sample_conf();
    let log = files.write("two_days.log", (two_days().join("\n") + "\n").as_bytes());
    let profile = analyze(&sample_settings(vec![log.clone()]));
    let profile = files.write("profile.yaml", shared::io::to_yaml(&profile).as_bytes());
    let (profile, log) = (profile.to_str().unwrap(), log.to_str().unwrap());
    let arguments = ["audit", profile, log, "--from", conf.to_str().unwrap()];
    let table = run(&arguments).ok();
    let text = String::from_utf8(table.stdout).unwrap();
    assert!(text.contains("endpoint     GET /cart\n"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let negative = run(&[&arguments[..], &["--k", "100000"]].concat());
    assert_eq!(negative.code, 1, "{}", negative.stderr);
    assert!(negative.stderr.contains("stand on fewer than 100000 clients"), "{}", negative.stderr);
    let json = run(&[&arguments[..], &["--format", "json"]].concat()).ok().json();
    assert!(
        json["literals"].as_array().unwrap().iter().all(|literal| literal["clients"].as_u64() >= Some(10))
    );
    assert_eq!(json["k"], 10);
}

// Membership.

/// When, what, and the line that says so.
type Asked = (i64, String, String);
/// The lines of a client, and its sessions.
type Walks = (Vec<String>, Vec<Vec<String>>);

/// The sessions of each client as endpoints of the sample, with pauses of half an hour between them.
fn walks(lines: &[String]) -> Vec<Walks> {
    let mut by_client: BTreeMap<(String, String), Vec<Asked>> = BTreeMap::new();
    for line in lines {
        let Some(raw) = RawLine::new(line) else { continue };
        if of_user_agent(raw.user_agent.as_bytes()) != Kind::Page || raw.path().contains('.') {
            continue;
        }
        let stamp = line.split_once('[').and_then(|(_, rest)| rest.split_once(']')).unwrap().0;
        let at_s = jiff::fmt::strtime::parse("%d/%b/%Y:%H:%M:%S %z", stamp)
            .unwrap()
            .to_timestamp()
            .unwrap()
            .as_second();
        let path = raw.path().split(';').next().unwrap_or_default();
        let route = match path.split('/').collect::<Vec<_>>().as_slice() {
            ["", "p", _] => "/p/{slug}",
            ["", "c", _] => "/c/{category}",
            ["", "orders", _] => "/orders/{int}",
            ["", "account", _] => "/account/{uuid}",
            _ => path,
        };
        let client = (raw.client.to_owned(), raw.user_agent.to_owned());
        by_client.entry(client).or_default().push((at_s, format!("{} {route}", raw.method), line.clone()));
    }
    by_client
        .into_values()
        .map(|requests| {
            let sessions = requests.chunk_by(|one, next| next.0 - one.0 <= 1800);
            let walks =
                sessions.map(|session| session.iter().map(|(_, endpoint, _)| endpoint.clone()).collect());
            (requests.iter().map(|(_, _, line)| line.clone()).collect(), walks.collect())
        })
        .collect()
}

/// Log-likelihood of a walk under a profile; what it does not name is `other`, and steps it does not have are rare.
fn log_likelihood(profile: &Profile, walk: &[String]) -> f64 {
    const RARE: f64 = 1e-5;
    let id = |endpoint: &String| {
        let known =
            profile.endpoints.iter().find(|known| format!("{} {}", known.method, known.route) == *endpoint);
        known.map_or(OTHER, |known| known.id.as_str())
    };
    let of_class = |class: &Class| {
        let ids: Vec<&str> = walk.iter().map(id).chain([END]).collect();
        let first = class.start.get(ids[0]).copied().unwrap_or(RARE).max(RARE).ln();
        let steps = ids.windows(2).map(|step| {
            let row = class.chain.get(step[0]);
            row.and_then(|row| row.next.get(step[1])).copied().unwrap_or(RARE).max(RARE).ln()
        });
        class.weight * (first + steps.sum::<f64>()).exp()
    };
    profile.classes.iter().map(of_class).sum::<f64>().max(f64::MIN_POSITIVE).ln()
}

/// The share of pairs of a member and another client in which the member scores higher.
fn auc(members: &[f64], others: &[f64]) -> f64 {
    let mut wins = 0.0;
    for member in members {
        for other in others {
            wins += match member.total_cmp(other) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
        }
    }
    wins / (members.len() * others.len()) as f64
}

/// An attacker has the profile of a thousand clients, another of the same traffic without any of them, and all that a
/// client did; and says by the ratio of likelihoods whether the client was among the thousand.
fn check_membership(rounds: u64) {
    const CLIENTS: usize = 1_000;
    let files = Files::new();
    let mut clients = walks(&lines_of(&sample()));
    let mut aucs = Vec::new();
    for round in 0..rounds {
        let mut random = ChaCha8Rng::seed_from_u64(round);
        for at in (1..clients.len()).rev() {
            clients.swap(at, below(&mut random, at + 1));
        }
        let [members, reference, others] =
            [0, 1, 2].map(|part| &clients[part * CLIENTS..(part + 1) * CLIENTS]);
        let profile = |clients: &[Walks]| {
            let lines: Vec<String> = clients.iter().flat_map(|(lines, _)| lines.clone()).collect();
            profile_of(&lines, &files, 10)
        };
        let (with, without) = (profile(members), profile(reference));
        let score = |(_, walks): &Walks| -> f64 {
            walks.iter().map(|walk| log_likelihood(&with, walk) - log_likelihood(&without, walk)).sum()
        };
        let scores = |clients: &[Walks]| clients.iter().map(score).collect::<Vec<f64>>();
        aucs.push(auc(&scores(members), &scores(others)));
    }
    let mean = aucs.iter().sum::<f64>() / aucs.len() as f64;
    // A thousand against a thousand: the standard error of one is 0.013 (Hanley & McNeil 1982).
    let error = 0.013 / (aucs.len() as f64).sqrt();
    figure(
        "AUC of membership at 1,000 clients, at most 0.55",
        format!("{mean:.3} ± {error:.3}, {rounds} rounds"),
    );
    assert!(mean <= 0.55, "{aucs:?}");
}

#[test]
fn a_profile_hardly_tells_who_was_in_its_log() {
    check_membership(6);
}

#[test]
#[ignore = "twenty rounds of three thousand clients: by `cargo statistics`"]
fn a_profile_hardly_tells_who_was_in_its_log_in_twenty_rounds() {
    check_membership(20);
}

/// What a run without any input file of ours reads: nothing is assumed of defaults elsewhere.
#[test]
fn defaults_keep_ten_clients_behind_everything() {
    assert_eq!(ModelSettings::default().k, 10);
    assert!(ReadSettings::default().queries.is_none() && !ReadSettings::default().raw);
    assert_eq!(Settings::default().model.k, 10);
}
