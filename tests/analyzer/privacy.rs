//! Nothing that says who somebody is, or that somebody typed, comes out: not by name, not in an error, not at `--k 1`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use analyzer::Settings;
use analyzer::kind::{Kind, of_user_agent};
use analyzer::settings::{ModelSettings, ReadSettings};
use shared::Profile;
use shared::clients::{Browser, Device, System};
use shared::session::{END, OTHER};

use crate::support::{
    RawLine, Run, analyze, corpus, gzip, log_text, run, sample, sample_conf, sample_gz, sample_settings,
    truth,
};

/// What a value is, for messages: the values themselves are not printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum What {
    Client,
    User,
    UserAgent,
    Referer,
    QueryValue,
    OtherField,
    Secret,
}

/// Values to look for.
struct Needles {
    values: Vec<(What, Vec<u8>)>,
    by_start: HashMap<[u8; START], Vec<usize>>,
    /// A bit per hash of a start: nearly all places of a haystack are passed over by it.
    starts: Vec<bool>,
}

/// Bytes by which values are found; no value is shorter.
const START: usize = 6;

fn hash(start: &[u8]) -> usize {
    start.iter().fold(0_usize, |hash, byte| hash.wrapping_mul(0x0100_0193) ^ usize::from(*byte)) & 0xf_ffff
}

impl Needles {
    fn new(values: BTreeSet<(What, Vec<u8>)>) -> Self {
        let values: Vec<(What, Vec<u8>)> = values.into_iter().collect();
        let mut by_start: HashMap<[u8; START], Vec<usize>> = HashMap::new();
        let mut starts = vec![false; 1 << 20];
        for (at, (_, value)) in values.iter().enumerate() {
            by_start.entry(value[..START].try_into().unwrap()).or_default().push(at);
            starts[hash(&value[..START])] = true;
        }
        Self { values, by_start, starts }
    }

    /// The values in `haystack`, as words of their own: letters or digits on neither side. Secrets count anywhere.
    fn in_text(&self, haystack: &[u8]) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        for (at, start) in haystack.windows(START).enumerate() {
            if !self.starts[hash(start)] {
                continue;
            }
            for number in self.by_start.get(start).into_iter().flatten() {
                let (what, value) = &self.values[*number];
                let letter = |at: Option<usize>| {
                    at.and_then(|at| haystack.get(at)).is_some_and(|byte| byte.is_ascii_alphanumeric())
                };
                let alone = !letter(at.checked_sub(1)) && !letter(Some(at + value.len()));
                if haystack[at..].starts_with(value) && (alone || *what == What::Secret) {
                    found.insert(*number);
                }
            }
        }
        found
    }

    fn without(self, numbers: &BTreeSet<usize>) -> Self {
        let kept = self.values.into_iter().enumerate().filter(|(at, _)| !numbers.contains(at));
        Self::new(kept.map(|(_, value)| value).collect())
    }

    #[track_caller]
    fn check(&self, output: &[u8], whence: &str) {
        let found = self.in_text(output);
        let mut kinds: BTreeMap<What, usize> = BTreeMap::new();
        found.iter().for_each(|at| *kinds.entry(self.values[*at].0).or_insert(0) += 1);
        // An example is what one needs to find the leak; the corpus is public, the sample made up.
        let example = found.first().map(|at| String::from_utf8_lossy(&self.values[*at].1).into_owned());
        assert!(found.is_empty(), "{whence} holds {kinds:?}, such as {example:?}");
    }
}

/// Every value of `text` that could name somebody, or that somebody typed.
///
/// | value | looked for when |
/// |---|---|
/// | client | it has 7 characters, as the shortest IPv4 address |
/// | user agent, referer | it has 12 characters; shorter ones are words |
/// | query value, also of referers; user; extra fields | it has 6 characters, and 12 if it is a number |
///
/// Whatever stands in a path as well, as a word of its own, is left out unless it is a client: routes spell out words
/// of paths, and that somebody typed `lamps` into a search as well does not make them secret.
fn values(text: &[u8]) -> Needles {
    let mut values: BTreeSet<(What, Vec<u8>)> = BTreeSet::new();
    let mut paths: HashSet<String> = HashSet::new();
    let mut add = |what, value: &str| {
        let number = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let least = match what {
            What::Client => 7,
            What::UserAgent | What::Referer => 12,
            _ if number => 12,
            _ => START,
        };
        if value.len() >= least {
            values.insert((what, value.as_bytes().to_vec()));
        }
    };
    for line in String::from_utf8_lossy(text).lines() {
        let Some(raw) = RawLine::new(line) else { continue };
        add(What::Client, raw.client);
        raw.user.split_whitespace().for_each(|user| add(What::User, user));
        add(What::UserAgent, raw.user_agent);
        add(What::Referer, raw.referer);
        let referer_query = raw.referer.split_once('?').map(|(_, query)| query);
        for pair in
            [raw.query(), referer_query].into_iter().flatten().flat_map(|query| query.split(['&', ';']))
        {
            let value = pair.split_once('=').map_or(pair, |(_, value)| value);
            add(What::QueryValue, value);
            add(What::QueryValue, &decoded(value));
        }
        raw.rest.split('"').map(str::trim).for_each(|field| add(What::OtherField, field));
        paths.insert(raw.path().to_owned());
    }
    let needles = Needles::new(values);
    // Ids of endpoints are made of the same words in small letters.
    let spellings = |path: &String| [path.clone(), decoded(path), path.to_ascii_lowercase()];
    let paths: Vec<String> = paths.iter().flat_map(spellings).collect();
    let in_paths = needles.in_text(paths.join("\n").as_bytes());
    let spelt_out = in_paths.into_iter().filter(|at| needles.values[*at].0 != What::Client).collect();
    needles.without(&spelt_out)
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| bytes[at] == b'%') {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// All that the analyzer says about the log at `path`: results, words and failures, by the command that said it.
fn outputs(path: &Path, flags: &[&str]) -> Vec<(String, Run)> {
    let log = path.to_str().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let text = log_text(path);
    let file = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        fs_err::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let whole = gzip(&text);
    let cut = file("cut.log.gz", &whole[..whole.len() * 2 / 3]);
    let plain = file("plain.log", &text);
    let first_line = String::from_utf8_lossy(text.split(|byte| *byte == b'\n').next().unwrap()).into_owned();
    let mut commands: Vec<Vec<&str>> = vec![
        vec!["profile", log],
        vec!["profile", log, "--k", "1"],
        vec!["profile", log, "--k", "1", "--keep", "all"],
        vec!["inspect", log, "--records", "50", "--stats", "--k", "1"],
        vec!["inspect", log, "--records", "50", "--stats", "--format", "json"],
        vec!["inspect", log, "--records", "50", "--stats", "--k", "1", "--format", "json"],
        vec!["events", log, "--k", "1"],
        // Failures of all kinds.
        vec!["profile", log, "--k", "1000000000"],
        vec!["inspect", log, "--min-parsed", "100%"],
        vec!["profile", &cut, "--k", "1"],
        vec!["profile", log, "--max-line", "20"],
    ];
    commands.iter_mut().for_each(|command| command.extend(flags));
    commands.extend([
        vec!["profile", log, "--log-format", "$remote_addr [$time_local] \"$request\" $status"],
        vec!["profile", log, "--log-format", &first_line],
        vec!["profile", log, "--from", &plain],
        vec!["validate", &plain],
        vec!["validate", &plain, "--format", "json"],
    ]);
    let paths = [log.to_owned(), directory.path().to_str().unwrap().to_owned()];
    let said = commands.into_iter().map(|command| {
        let mut run = run(&command);
        // The user said these; they are no part of the log.
        paths.iter().for_each(|path| run.stderr = run.stderr.replace(path, "PATH"));
        (command[..2].join(" "), run)
    });
    said.collect()
}

/// What the analyzer says of a log that holds none of the values, and what it calls clients: its own words.
static OWN_WORDS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("own.log");
    let lines: String = (0..60)
        .map(|i| {
            let client = i % 20;
            format!("127.9.8.{client} - - [03/Oct/2000:00:00:{i:02} +0000] \"GET /a HTTP/1.1\" 200 1 \"-\" \"-\"\n")
        })
        .collect();
    fs_err::write(&log, lines).unwrap();
    let said = outputs(&log, &[]).into_iter().flat_map(|(_, run)| [run.stdout, run.stderr.into_bytes()]);
    let names = Browser::ALL.map(Browser::name).into_iter().chain(Device::ALL.map(Device::name));
    let names = names.chain(System::ALL.map(System::name)).map(|name| format!(" {name} ").into_bytes());
    said.chain(names).flatten().collect()
});

#[track_caller]
fn check_nothing_comes_out(path: &Path, flags: &[&str], secrets: Vec<String>) {
    let needles = values(&log_text(path));
    let own = needles.in_text(&OWN_WORDS);
    let mut needles = needles.without(&own);
    let secrets = secrets.into_iter().map(|secret| (What::Secret, secret.into_bytes()));
    needles = Needles::new(needles.values.into_iter().chain(secrets).collect());
    let name = path.file_name().unwrap().to_string_lossy();
    // The search finds what is there: raw records name people, and are for the owner of the log only.
    let raw = ["inspect", path.to_str().unwrap(), "--raw", "--records", "50", "--format", "json"];
    let raw = run(&[&raw[..], flags].concat()).ok();
    let found: BTreeSet<What> =
        needles.in_text(&raw.stdout).into_iter().map(|at| needles.values[at].0).collect();
    assert!(found.contains(&What::Client), "{name}: the search finds no client in raw records");
    assert!(
        found.len() > 1 || needles.values.iter().all(|(what, _)| *what == What::Client),
        "{name}: {found:?}"
    );
    let mut done = 0;
    for (command, run) in outputs(path, flags) {
        needles.check(&run.stdout, &format!("stdout of `{command}` on {name}"));
        needles.check(run.stderr.as_bytes(), &format!("stderr of `{command}` on {name}"));
        done += usize::from(run.code == 0);
    }
    assert!(done >= 5, "{name}: only {done} commands succeeded");
}

#[test]
fn nothing_of_anybody_in_the_sample_comes_out() {
    let secrets: Vec<String> = truth()["secrets"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|kind| kind.as_array().unwrap().iter().map(|secret| secret.as_str().unwrap().to_owned()))
        .filter(|secret| secret.len() >= START)
        .collect();
    assert!(secrets.len() > 900, "{}", secrets.len());
    let conf = sample_conf();
    check_nothing_comes_out(&sample_gz(), &["--from", conf.to_str().unwrap()], secrets);
}

#[test]
fn nothing_of_anybody_in_real_logs_comes_out() {
    for (name, flags) in [
        ("mountaintel-2005-2018.log.gz", &[][..]),
        ("elastic-nginx_logs.log.gz", &[]),
        ("elastic-apache_logs.log", &[]),
        ("lab11-2009.log", &[]),
        ("lnav-shop.log", &[]),
        ("logstalgia-example.log", &[]),
        ("nginx-custom-request_time.log", &["--log-format", crate::formats::CUSTOM]),
    ] {
        let Some(path) = corpus(&format!("access_logs/{name}")) else { return };
        check_nothing_comes_out(&path, flags, Vec::new());
    }
}

/// Methods and protocols are text of the client's choice too: what is not one of the known few does not come out,
/// unless k clients chose it. (With `--k 1` one client is enough to name a method, as it is for a word of a path.)
#[test]
fn methods_and_protocols_made_up_by_a_client_do_not_come_out() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("made-up.log");
    let mut text = String::new();
    for i in 0..200 {
        let client = i % 40;
        text += &format!(
            "192.0.2.{client} - - [02/Nov/2026:00:00:01 +0100] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"\n"
        );
    }
    for request in ["ERIKAVOGT / HTTP/1.1", "GET / HTTP/erika.vogt@mail.example", "erika-vogt /x HTTP/1.1"] {
        text += &format!("192.0.2.1 - - [02/Nov/2026:00:00:01 +0100] \"{request}\" 400 1 \"-\" \"-\"\n");
    }
    fs_err::write(&log, &text).unwrap();
    let log = log.to_str().unwrap();
    for arguments in [
        &["profile", log][..],
        &["events", log],
        &["inspect", log, "--records", "500", "--stats"],
        &["inspect", log, "--records", "500", "--stats", "--format", "json"],
    ] {
        let run = run(arguments).ok();
        let said = [run.stdout, run.stderr.into_bytes()].concat();
        let said = String::from_utf8_lossy(&said).to_ascii_lowercase();
        assert!(!said.contains("erika"), "{arguments:?}");
    }
}

/// The route that `path` has when none of its segments is a value.
fn literal_route(path: &str) -> String {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let mut route: String = segments
        .map(|segment| format!("/{}", decoded(segment.split(';').next().unwrap_or_default())))
        .collect();
    if route.is_empty() || path.ends_with('/') {
        route.push('/');
    }
    route
}

type Client = (String, String);

/// Who asked for each literal route, and with which status, counted from the raw lines by hand.
fn recount(text: &[u8]) -> HashMap<(String, String), HashMap<String, HashSet<Client>>> {
    let mut clients: HashMap<(String, String), HashMap<String, HashSet<Client>>> = HashMap::new();
    for line in String::from_utf8_lossy(text).lines() {
        let Some(raw) = RawLine::new(line) else { continue };
        if matches!(of_user_agent(raw.user_agent.as_bytes()), Kind::Page | Kind::ApiClient) {
            let endpoint = (raw.method.to_owned(), literal_route(raw.path()));
            let of_status = clients.entry(endpoint).or_default().entry(raw.status.to_owned()).or_default();
            of_status.insert((raw.client.to_ascii_lowercase(), raw.user_agent.to_owned()));
        }
    }
    clients
}

/// Everything that `profile` names about literal routes stands on `k` clients at least. Of steps between two routes
/// this counts who used both, which is never less than who made the step.
#[track_caller]
fn check_recount(profile: &Profile, text: &[u8], k: usize, least_endpoints: usize) {
    let counted = recount(text);
    let none = HashMap::new();
    let mut by_id: BTreeMap<&str, HashSet<&Client>> = BTreeMap::new();
    for endpoint in profile.endpoints.iter().filter(|endpoint| !endpoint.route.contains('{')) {
        let key = (endpoint.method.clone(), endpoint.route.clone());
        let of_status = counted.get(&key).unwrap_or(&none);
        let clients: HashSet<&Client> = of_status.values().flatten().collect();
        assert!(clients.len() >= k, "{key:?} has {} clients", clients.len());
        // An endpoint of which no status has k clients says 200: a word, not a count.
        for status in endpoint.status.keys().filter(|_| endpoint.status.len() > 1) {
            let with_status = of_status.get(status).map_or(0, HashSet::len);
            assert!(with_status >= k, "{key:?} has {with_status} clients with {status}");
        }
        by_id.insert(&endpoint.id, clients);
    }
    assert!(by_id.len() >= least_endpoints, "{} literal endpoints", by_id.len());
    let class = &profile.classes[0];
    for (from, to) in class.chain.iter().flat_map(|(from, state)| state.next.keys().map(move |to| (from, to)))
    {
        if let (Some(one), Some(other)) = (by_id.get(from.as_str()), by_id.get(to.as_str())) {
            let both = one.intersection(other).count();
            assert!(both >= k, "{both} clients can have gone from {from} to {to}");
        }
    }
    let known = |id: &String| id == END || id == OTHER || profile.endpoint(id).is_some();
    assert!(class.start.keys().chain(class.chain.keys()).all(known));
}

#[test]
fn what_the_sample_s_profile_names_was_done_by_k_clients() {
    for k in [1, 10, 200] {
        let mut settings = sample_settings(vec![sample_gz()]);
        settings.model.k = k;
        check_recount(&analyze(&settings), &sample(), k as usize, 15);
    }
}

#[test]
fn what_profiles_of_real_logs_name_was_done_by_k_clients() {
    for (name, k, least) in [
        ("mountaintel-2005-2018.log.gz", 10, 15),
        ("elastic-apache_logs.log", 10, 15),
        ("lab11-2009.log", 5, 5),
        ("logstalgia-example.log", 10, 3),
    ] {
        let Some(path) = corpus(&format!("access_logs/{name}")) else { return };
        let settings = Settings {
            read: ReadSettings { inputs: vec![PathBuf::from(&path)], ..ReadSettings::default() },
            model: ModelSettings { k, ..ModelSettings::default() },
        };
        check_recount(&analyze(&settings), &log_text(&path), k as usize, least);
    }
}

/// The search itself.
#[test]
fn needles_are_found_as_words_and_secrets_anywhere() {
    let needles = Needles::new(BTreeSet::from([
        (What::Client, b"192.0.2.1".to_vec()),
        (What::QueryValue, b"garden".to_vec()),
        (What::Secret, b"hunter2".to_vec()),
    ]));
    let found = |text: &str| needles.in_text(text.as_bytes()).len();
    assert_eq!(found("client 192.0.2.1, q=garden&xhunter2y"), 3);
    assert_eq!(found("client 192.0.2.17, gardening"), 0);
    assert_eq!(found(""), 0);
}
