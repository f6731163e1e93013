//! Who is a person and what is a person's request, on traffic whose every request is known: bots that call themselves
//! browsers, timers, redirects, calls of pages, files, and an office behind one address.
//!
//! Each test prints what it found beside its goal. The short form is one log; the long form many, by their seeds.

use std::fmt::Write as _;
use std::io::Write as _;

use analyzer::Settings;
use analyzer::format::Options;
use analyzer::settings::{ModelSettings, ReadSettings, given_format};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use shared::Profile;
use shared::endpoint::Endpoint;

use crate::support::analyze;

/// nginx with milliseconds, and the same with whole seconds.
const FINE: &str =
    r#"$remote_addr $msec "$request" $status $body_bytes_sent "$http_user_agent" $request_time"#;
const COARSE: &str =
    r#"$remote_addr [$time_local] "$request" $status $body_bytes_sent "$http_user_agent" $request_time"#;
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:152.0) Gecko/20100101 Firefox/152.0";
/// 2026-11-02T00:00:00Z.
const START_S: f64 = 1_793_577_600.0;
const DAY_S: f64 = 86_400.0;
const DAYS: f64 = 2.0;
/// Median and sigma of the think time.
const THINK: (f64, f64) = (6.0, 0.7);
/// Seconds between two calls of an open page for news.
const POLL_S: f64 = 15.0;
/// Share of pages that call for data.
const CALL_SHARE: f64 = 0.8;

/// Random draws of one log.
struct Random(ChaCha8Rng);

impl Random {
    fn uniform(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -self.uniform().ln() * mean
    }

    /// By Box and Muller.
    fn log_normal(&mut self, (median, sigma): (f64, f64)) -> f64 {
        let (u, v) = (self.uniform(), self.uniform());
        median * (sigma * (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()).exp()
    }
}

/// One line: who, start and duration in seconds, request, status, user agent.
struct Line {
    client: String,
    at_s: f64,
    lasted_s: f64,
    target: String,
    status: u16,
    agent: &'static str,
}

/// Requests that were made, by what they are.
#[derive(Debug, Default, PartialEq)]
struct Made {
    sessions: u64,
    pages: u64,
    logins: u64,
    calls: u64,
    polls: u64,
    bots: u64,
    office: u64,
}

struct Traffic {
    random: Random,
    lines: Vec<Line>,
    made: Made,
}

impl Traffic {
    fn new(seed: u64, people: usize) -> Self {
        let mut traffic = Self {
            random: Random(ChaCha8Rng::seed_from_u64(seed)),
            lines: Vec::new(),
            made: Made::default(),
        };
        for person in 0..people {
            let at_s = traffic.random.between(0.05, DAYS - 0.1) * DAY_S;
            traffic.visit(&format!("10.1.{}.{}", person / 250, person % 250 + 1), at_s, person % 5 == 0);
        }
        for number in 0..12 {
            traffic.bots(number);
        }
        traffic.office();
        traffic
    }

    fn request(&mut self, client: &str, at_s: f64, lasted_s: f64, target: &str, status: u16) -> f64 {
        let (client, target) = (client.to_owned(), target.to_owned());
        self.lines.push(Line { client, at_s, lasted_s, target, status, agent: BROWSER });
        at_s + lasted_s
    }

    /// A person: pages with their files and calls, a login that is redirected, and perhaps a page that stays open and
    /// asks for news by the clock.
    fn visit(&mut self, client: &str, start_s: f64, polls: bool) {
        self.made.sessions += 1;
        let mut at_s = start_s;
        for step in 0..4 + (self.random.uniform() * 9.0) as usize {
            let lasted_s = self.random.log_normal((0.04, 0.4));
            self.made.pages += 1;
            let end_s = match step {
                2 => {
                    // The form is sent; the page it leads to comes by itself.
                    self.made.logins += 1;
                    let end_s = self.request(client, at_s, lasted_s, "POST /login", 302);
                    let pause_s = self.random.between(0.03, 0.25);
                    self.request(client, end_s + pause_s, 0.03, "GET /account", 200);
                    end_s
                }
                _ => {
                    let item = (self.random.uniform() * 300.0) as u32;
                    let page = ["GET /", "GET /list", "", "GET /cart"].get(step).copied().unwrap_or_default();
                    let page = if page.is_empty() { format!("GET /items/{item}") } else { page.to_owned() };
                    self.request(client, at_s, lasted_s, &page, 200)
                }
            };
            for file in ["GET /static/app.css", "GET /static/app.js", "GET /img/logo.png"] {
                let from_s = self.random.between(0.02, 0.25);
                self.request(client, end_s + from_s, 0.01, file, 200);
            }
            if step != 2 && self.random.uniform() < CALL_SHARE {
                self.made.calls += 1;
                let from_s = self.random.between(0.05, 0.2);
                self.request(client, end_s + from_s, 0.02, "GET /api/basket", 200);
            }
            // Nobody acts before the page has come to rest.
            at_s = end_s + self.random.log_normal(THINK).max(0.9);
        }
        if polls {
            for call in 0..20 {
                let late_s = self.random.between(0.0, 0.4);
                self.made.polls += 1;
                self.request(
                    client,
                    start_s + 1.0 + f64::from(call) * POLL_S + late_s,
                    0.005,
                    "GET /api/news",
                    200,
                );
            }
        }
    }

    /// Five kinds of programs that call themselves a browser.
    fn bots(&mut self, number: u32) {
        let before = self.lines.len();
        let at_s = self.random.between(0.05, 0.5) * DAY_S;
        let page = |i: u32| format!("GET /items/{}", i * 7 % 300);
        // Reads what is there for robots, and then a few pages.
        let polite = format!("10.2.0.{}", number + 1);
        self.request(&polite, at_s, 0.01, "GET /robots.txt", 200);
        for i in 0..9 {
            self.request(&polite, at_s + f64::from(i * i + 30), 0.04, &page(i), 200);
        }
        // A page every ten seconds.
        let regular = format!("10.2.1.{}", number + 1);
        for i in 0..120 {
            let late_s = self.random.between(0.0, 0.5);
            let page = if i % 3 == 0 { "GET /list".to_owned() } else { page(i) };
            self.request(&regular, at_s + f64::from(i) * 10.0 + late_s, 0.04, &page, 200);
        }
        // Twenty pages a minute for twenty minutes.
        let (tireless, mut at) = (format!("10.2.2.{}", number + 1), at_s);
        for i in 0..400 {
            self.request(&tireless, at, 0.04, &page(i), 200);
            at += 0.5 + self.random.exponential(2.5);
        }
        // Guesses at what is not there, and at what should not be.
        let guesser = format!("10.2.3.{}", number + 1);
        (0..30).for_each(|i| {
            let status = if i % 4 == 0 { 200 } else { 404 };
            self.request(&guesser, at_s + f64::from(i * i), 0.01, &format!("GET /guess{i}"), status);
        });
        let prying = format!("10.2.4.{}", number + 1);
        self.request(&prying, at_s, 0.01, "GET /.env", 404);
        self.request(&prying, at_s + 5.0, 0.01, "GET /", 200);
        self.made.bots += (self.lines.len() - before) as u64;
    }

    /// An office behind one address, with slow pages: thirty are on their way at any time.
    fn office(&mut self) {
        let mut at_s = 0.4 * DAY_S;
        for i in 0..3_000 {
            self.made.office += 1;
            self.request("10.3.0.1", at_s, 6.0, &format!("GET /items/{}", i % 300), 200);
            if i % 3 == 0 {
                self.request("10.3.0.1", at_s + 6.1, 0.01, "GET /static/app.css", 200);
            }
            at_s += self.random.exponential(0.2);
        }
    }

    fn profile(mut self, format: &str) -> (Profile, Made) {
        self.lines.sort_by(|one, other| (one.at_s + one.lasted_s).total_cmp(&(other.at_s + other.lasted_s)));
        let mut log = String::new();
        for Line { client, at_s, lasted_s, target, status, agent } in &self.lines {
            let end_s = START_S + at_s + lasted_s;
            let stamp = match format == FINE {
                true => format!("{end_s:.3}"),
                false => {
                    let stamp = jiff::Timestamp::from_second(end_s as i64).unwrap();
                    format!("[{}]", stamp.strftime("%d/%b/%Y:%H:%M:%S +0000"))
                }
            };
            let _ = writeln!(
                log,
                "{client} {stamp} \"{target} HTTP/1.1\" {status} 512 \"{agent}\" {lasted_s:.3}"
            );
        }
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(log.as_bytes()).unwrap();
        let read = ReadSettings {
            inputs: vec![file.path().to_owned()],
            format: given_format(Some(format), None, &Options::default()).unwrap(),
            ..ReadSettings::default()
        };
        (analyze(&Settings { read, model: ModelSettings::default() }), self.made)
    }
}

fn endpoint<'p>(profile: &'p Profile, method: &str, route: &str) -> &'p Endpoint {
    let found = profile.endpoints.iter().find(|found| found.method == method && found.route == route);
    found.unwrap_or_else(|| panic!("no {method} {route}"))
}

/// Prints the figure beside its goal, and fails when it misses it.
#[track_caller]
fn goal(what: &str, figure: f64, holds: bool, goal: &str) {
    eprintln!("{what}: goal {goal}, found {figure:.4}");
    assert!(holds, "{what}: goal {goal}, found {figure:.4}");
}

fn check(seed: u64, people: usize) {
    let (profile, made) = Traffic::new(seed, people).profile(FINE);
    let source = &profile.source;
    let left_out = |what: &str| source.excluded.get(what).copied().unwrap_or(0) as f64;

    // Bots that say nothing of it: no request of a person among them.
    let bots = left_out("bots") / made.bots as f64;
    goal("requests of disguised bots found, of all", bots, (0.98..=1.0).contains(&bots), "0.98 to 1");

    let polls = left_out("background") / made.polls as f64;
    goal("calls by the clock found, of all", polls, (0.98..=1.0).contains(&polls), "0.98 to 1");
    let news = endpoint(&profile, "GET", "/api/news");
    let [background] = profile.background.as_slice() else { panic!("{:?}", profile.background) };
    assert_eq!((&background.endpoint, news.weight), (&news.id, 0.0));
    let period = background.period_s / POLL_S;
    goal("their period, relative", period, (period - 1.0).abs() <= 0.02, "0.98 to 1.02");

    let sessions = source.sessions as f64 / made.sessions as f64;
    goal("sessions, relative", sessions, (sessions - 1.0).abs() <= 0.01, "0.99 to 1.01");
    let share = source.shared_clients_share.unwrap_or(0.0);
    let office = made.office as f64 / (made.office + made.pages) as f64;
    goal("requests of shared addresses, off", share - office, (share - office).abs() <= 0.01, "within 0.01");

    // What pages ask for is no step, and what people do is.
    let class = &profile.classes[0];
    let states: Vec<&str> = class.chain.keys().map(String::as_str).collect();
    let basket = endpoint(&profile, "GET", "/api/basket");
    let stray = class.chain.get(&basket.id).map_or(0, |state| state.visits) as f64 / made.calls as f64;
    goal("calls of pages taken for steps, of all", stray, stray <= 0.01, "at most 0.01");
    let account = endpoint(&profile, "GET", "/account");
    assert!(!states.contains(&account.id.as_str()), "{states:?}");
    let login = endpoint(&profile, "POST", "/login");
    let logins = class.chain[&login.id].visits as f64 / made.logins as f64;
    goal("redirected forms that are steps, of all", logins, (logins - 1.0).abs() <= 0.01, "0.99 to 1.01");
    let steps = class.mean_requests_per_session() * source.sessions as f64 / made.pages as f64;
    goal("steps of people, relative", steps, (steps - 1.0).abs() <= 0.02, "0.98 to 1.02");

    let think = profile.think_times[&class.think_time.default].sampler().unwrap();
    for q in [0.25, 0.5, 0.9] {
        let z = [(0.25, -0.674_49), (0.5, 0.0), (0.9, 1.281_55)]
            .iter()
            .find(|(of, _)| f64::abs(of - q) < 1e-9)
            .unwrap()
            .1;
        let ratio = think.quantile(q) / (THINK.0 * (THINK.1 * z).exp());
        goal(
            &format!("think time p{:.0}, relative", q * 100.0),
            ratio,
            (ratio - 1.0).abs() <= 0.05,
            "0.95 to 1.05",
        );
    }

    // What comes along, how often and when.
    let companion =
        |page: &Endpoint, id: &str| page.companions.iter().find(|found| found.endpoint == id).cloned();
    let list = endpoint(&profile, "GET", "/list");
    for (file, expected) in [("/static/app.css", 1.0), ("/static/app.js", 1.0), ("/img/logo.png", 1.0)] {
        let file = endpoint(&profile, "GET", file);
        let off = companion(list, &file.id).unwrap().probability - expected;
        goal(&format!("{} with a page, off", file.route), off, off.abs() <= 0.01, "within 0.01");
        assert!(file.weight <= 0.0);
    }
    let calls = companion(list, &basket.id).unwrap();
    let off = calls.probability - CALL_SHARE;
    // Three standard errors of a share of 400 pages.
    goal("a call with a page, off", off, off.abs() <= 0.06, "within 0.06");
    // From the start of the page: its response takes 0.04 s in the median, and the call waits 0.05 to 0.2 s.
    let offset_s = calls.offset_s["p50"];
    goal("its offset in seconds", offset_s, (offset_s - 0.165).abs() <= 0.03, "0.135 to 0.195");
    let led_to = companion(login, &account.id).unwrap().probability;
    goal("what a redirect leads to, with it", led_to, led_to >= 0.99, "at least 0.99");
}

#[test]
fn people_and_machines_are_told_apart() {
    check(1, 400);
}

#[test]
#[ignore = "the long form: ten logs of 2,000 people"]
fn people_and_machines_are_told_apart_in_many_logs() {
    (1..=10).for_each(|seed| check(seed, 2_000));
}

/// Whole seconds hide what is closer together, but neither bots nor timers nor redirects.
#[test]
fn whole_seconds_are_enough_for_bots_timers_and_redirects() {
    let (profile, made) = Traffic::new(2, 400).profile(COARSE);
    let source = &profile.source;
    let bots = source.excluded["bots"] as f64 / made.bots as f64;
    goal("requests of disguised bots found, of all", bots, (0.98..=1.0).contains(&bots), "0.98 to 1");
    let polls = source.excluded["background"] as f64 / made.polls as f64;
    goal("calls by the clock found, of all", polls, (0.98..=1.0).contains(&polls), "0.98 to 1");
    let (login, account) = (endpoint(&profile, "POST", "/login"), endpoint(&profile, "GET", "/account"));
    let led_to = login.companions.iter().find(|companion| companion.endpoint == account.id);
    let led_to = led_to.map_or(0.0, |companion| companion.probability);
    goal("what a redirect leads to, with it", led_to, led_to >= 0.98, "at least 0.98");
}

/// Where every key goes beyond what one person does, keys are what there is to model.
#[test]
fn keys_that_are_all_shared_still_make_a_profile() {
    let mut traffic =
        Traffic { random: Random(ChaCha8Rng::seed_from_u64(3)), lines: Vec::new(), made: Made::default() };
    for key in 0..12 {
        for i in 0..1_500 {
            let at_s = f64::from(i) * 0.4 + traffic.random.uniform();
            traffic.request(&format!("10.4.0.{key}"), at_s, 0.05, &format!("GET /p{}", i % 3), 200);
        }
    }
    let (profile, _) = traffic.profile(COARSE);
    assert_eq!(profile.source.sessions, 12);
    assert_eq!(profile.source.shared_clients_share, None);
}
