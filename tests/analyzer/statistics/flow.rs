//! Flow: chains, contexts and classes give back the laws that sessions were drawn from.
//!
//! Each goal is one function of how many logs it takes: a few in every run, as many as the goal asks for in the long
//! form. Every figure is printed beside its goal.

use std::collections::BTreeMap;

use analyzer::model::flow::chain::Chain;
use analyzer::model::flow::choice::classes_explain_more;
use analyzer::model::flow::contexts::{Admission, select};
use analyzer::model::flow::counts::Counts;
use analyzer::model::flow::length::{self, Lengths};
use analyzer::model::flow::mixture::{self, Mixture, Search};
use analyzer::model::flow::perplexity::{Perplexity, held_out};
use analyzer::model::flow::{END, order};
use analyzer::model::sample::{Step, Walk};
use analyzer::statistic::interval::wilson;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// What a longer context needs.
const ADMISSION: Admission = Admission { visits: 30, clients: 10 };
/// Visits from which on a row is judged.
const JUDGED: u64 = 30;

/// The law that sessions are drawn from: a chain, some of whose transitions depend on the step before.
#[derive(Clone)]
struct Law {
    start: Vec<f64>,
    /// By endpoint; the last probability is the end's.
    rows: Vec<Vec<f64>>,
    /// Rows that apply after one endpoint and then another.
    odd: BTreeMap<(usize, usize), Vec<f64>>,
}

impl Law {
    /// Rows over `endpoints`, each of whose transitions is there with probability `density`; sessions end with
    /// probability `end` after every request.
    fn random(random: &mut Random, endpoints: usize, density: f64, end: f64) -> Self {
        let start = random.shares(endpoints, 1.0);
        let rows = (0..endpoints).map(|_| random.row(endpoints, density, end)).collect();
        Self { start, rows, odd: BTreeMap::new() }
    }

    /// The same, with a share of the pairs of endpoints followed by rows of their own.
    fn with_memory(mut self, random: &mut Random, share: f64) -> Self {
        let endpoints = self.rows.len();
        for pair in (0..endpoints).flat_map(|one| (0..endpoints).map(move |other| (one, other))) {
            if random.uniform() < share {
                let end = self.rows[pair.1][endpoints];
                self.odd.insert(pair, random.row(endpoints, 1.0, end));
            }
        }
        self
    }

    fn row(&self, before: Option<u32>, last: u32) -> &[f64] {
        let odd = before.and_then(|before| self.odd.get(&(before as usize, last as usize)));
        odd.unwrap_or(&self.rows[last as usize])
    }

    fn walk(&self, random: &mut Random, client: u32) -> Walk {
        let mut steps: Vec<Step> = Vec::new();
        let mut at = random.pick(&self.start);
        while at < self.rows.len() {
            let before = steps.last().map(|step| step.endpoint);
            steps.push(Step { endpoint: at as u32, gap: None });
            at = random.pick(self.row(before, at as u32));
        }
        Walk { start_s: i64::from(client), steps, ended: true, mass: 1000, client }
    }

    fn walks(&self, random: &mut Random, sessions: u32) -> Vec<Walk> {
        (0..sessions).map(|client| self.walk(random, client)).collect()
    }

    /// Log-probabilities of the steps of `walk` after the first.
    fn steps(&self, walk: &Walk) -> impl Iterator<Item = f64> {
        (0..walk.steps.len()).map(|at| {
            let before = at.checked_sub(1).map(|before| walk.steps[before].endpoint);
            let next = walk.steps.get(at + 1).map_or(self.rows.len(), |step| step.endpoint as usize);
            self.row(before, walk.steps[at].endpoint)[next].ln()
        })
    }

    fn log_likelihood(&self, walk: &Walk) -> f64 {
        self.start[walk.steps[0].endpoint as usize].ln() + self.steps(walk).sum::<f64>()
    }
}

/// Random numbers of a test, from its seed.
struct Random(ChaCha8Rng);

impl Random {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    fn uniform(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn pick(&mut self, shares: &[f64]) -> usize {
        let mut place = self.uniform();
        let last = shares.len() - 1;
        shares[..last]
            .iter()
            .position(|share| {
                place -= share;
                place < 0.0
            })
            .unwrap_or(last)
    }

    /// Shares that a flat Dirichlet law draws; each is zero with probability `1 - density`, but not all are.
    fn shares(&mut self, count: usize, density: f64) -> Vec<f64> {
        let mut shares = vec![0.0; count];
        while shares.iter().sum::<f64>() <= 0.0 {
            for share in &mut shares {
                let there = self.uniform() < density;
                *share = if there { -self.uniform().ln() } else { 0.0 };
            }
        }
        let all: f64 = shares.iter().sum();
        shares.iter().map(|share| share / all).collect()
    }

    fn row(&mut self, endpoints: usize, density: f64, end: f64) -> Vec<f64> {
        let next = self.shares(endpoints, density);
        next.into_iter().map(|share| share * (1.0 - end)).chain([end]).collect()
    }
}

/// Prints a figure beside its goal, and stops where it is missed.
#[track_caller]
fn goal(what: &str, found: f64, least: f64, most: f64) {
    let figure = if found.abs() < 1e-4 { format!("{found:.1e}") } else { format!("{found:.4}") };
    eprintln!("{what}: {figure} (goal {least} to {most})");
    assert!((least..=most).contains(&found), "{what}: {found}, goal {least} to {most}");
}

/// How many of the true transition probabilities lie in the intervals of what was counted.
fn coverage(logs: u64) {
    let (mut cells, mut covered) = (0_u64, 0_u64);
    for log in 0..logs {
        let mut random = Random::new(log);
        let law = Law::random(&mut random, 12, 0.7, 0.15);
        let counts = Counts::of(&law.walks(&mut random, 400));
        for (from, row) in counts.rows.iter().filter(|(_, row)| row.visits.count >= JUDGED) {
            let to = law.rows[*from as usize].iter().enumerate().filter(|(_, truth)| **truth > 0.0);
            for (to, truth) in to {
                let to = if to == law.rows.len() { END } else { to as u32 };
                let found = row.next.get(&to).map_or(0, |cell| cell.count);
                let interval = wilson(found as f64, row.visits.count as f64, 0.95);
                cells += 1;
                covered += u64::from(interval.contains(*truth));
            }
        }
    }
    let what = format!("share of {cells} transition probabilities of {logs} logs in their 95 % intervals");
    goal(&what, covered as f64 / cells as f64, 0.93, 0.97);
}

#[test]
fn transition_probabilities_are_covered() {
    coverage(40);
}

#[test]
#[ignore = "long form, run by `cargo statistics`: as many logs as the goal asks for"]
fn transition_probabilities_are_covered_in_many_logs() {
    coverage(1000);
}

/// The largest relative difference between the visits of a chain and those that were counted.
fn visits_apart(chain: &Chain, counted: &BTreeMap<u32, f64>) -> f64 {
    let solved = chain.visits().unwrap();
    assert!(solved.keys().eq(counted.keys()));
    solved.values().zip(counted.values()).map(|(one, other)| (one / other - 1.0).abs()).fold(0.0, f64::max)
}

/// Visits per session of what a class is expected to have done.
fn expected_visits(class: &mixture::Class) -> BTreeMap<u32, f64> {
    let sessions: f64 = class.starts.values().sum();
    let mut visits: BTreeMap<u32, f64> = BTreeMap::new();
    let arrivals = class.rows.values().flatten().filter(|(to, _)| **to != END);
    for (endpoint, count) in class.starts.iter().chain(arrivals) {
        *visits.entry(*endpoint).or_insert(0.0) += count / sessions;
    }
    visits
}

fn identity(logs: u64) {
    let (mut whole, mut classes, mut drawn) = (0.0_f64, 0.0_f64, 0.0_f64);
    for log in 0..logs {
        let mut random = Random::new(log);
        let endpoints = [3, 12, 60][log as usize % 3];
        let end = [0.5, 0.1, 0.005][(log / 3) as usize % 3];
        let mut walks = Vec::new();
        for client in 0..300 {
            let seed = if client % 2 == 0 { 1 } else { 2 };
            let law = Law::random(&mut Random::new(1000 * log + seed), endpoints, 0.5, end);
            walks.push(law.walk(&mut random, client));
        }
        let counts = Counts::of(&walks);
        whole = whole.max(visits_apart(&Chain::of(&counts), &counts.visits_per_session()));
        let mixture = mixture::fit(&walks, Search::new(10, log));
        for class in &mixture.classes {
            classes = classes.max(visits_apart(&Chain::of_class(class), &expected_visits(class)));
        }
        for part in mixture.partition(&walks) {
            let counts = Counts::of(&part);
            drawn = drawn.max(visits_apart(&Chain::of(&counts), &counts.visits_per_session()));
        }
    }
    goal(&format!("visits of the chain against those counted, {logs} logs"), whole, 0.0, 1e-9);
    goal("the same, class by class with expected counts", classes, 0.0, 1e-9);
    goal("the same, class by class with sessions drawn for each", drawn, 0.0, 1e-9);
}

#[test]
fn visits_are_those_that_were_counted() {
    identity(9);
}

#[test]
#[ignore = "long form, run by `cargo statistics`: more laws"]
fn visits_are_those_that_were_counted_in_many_logs() {
    identity(90);
}

/// How often a true chain is refused at 5 % by the lengths of its sessions, and by the permutation test.
fn sizes(logs: u64) {
    let (mut lengths_refused, mut order_refused) = (0, 0);
    for log in 0..logs {
        let mut random = Random::new(log);
        let law = Law::random(&mut random, 12, 1.0, 0.15);
        let walks = law.walks(&mut random, 400);
        let lengths = Lengths::of(&Chain::of(&Counts::of(&walks)));
        lengths_refused += u32::from(length::test(&walks, &lengths).unwrap().p_value < 0.05);
        order_refused += u32::from(order::test(&walks, 99, log).unwrap().p <= 0.05);
    }
    let share = |refused: u32| f64::from(refused) / logs as f64;
    goal(&format!("size of the length test at 5 %, {logs} logs"), share(lengths_refused), 0.02, 0.08);
    goal(&format!("size of the permutation test at 5 %, {logs} logs"), share(order_refused), 0.02, 0.08);
}

#[test]
fn tests_refuse_the_truth_as_often_as_they_say() {
    sizes(300);
}

#[test]
#[ignore = "long form, run by `cargo statistics`: more logs"]
fn tests_refuse_the_truth_as_often_as_they_say_in_many_logs() {
    sizes(3000);
}

/// Both tests find what they are for: sessions of one length, and memory.
#[test]
fn tests_refuse_what_is_no_chain() {
    let mut random = Random::new(1);
    let law = Law::random(&mut random, 12, 1.0, 0.0);
    let walk = |client| {
        let mut steps = vec![Step { endpoint: random.pick(&law.start) as u32, gap: None }];
        while steps.len() < 6 {
            let last = steps[steps.len() - 1].endpoint;
            steps.push(Step { endpoint: random.pick(law.row(None, last)) as u32, gap: None });
        }
        Walk { start_s: 0, steps, ended: true, mass: 1000, client }
    };
    let even: Vec<Walk> = (0..400).map(walk).collect();
    let lengths = Lengths::of(&Chain::of(&Counts::of(&even)));
    goal(
        "p of the length test for sessions of one length",
        length::test(&even, &lengths).unwrap().p_value,
        0.0,
        1e-6,
    );
    let law = Law::random(&mut random, 12, 1.0, 0.15).with_memory(&mut random, 0.15);
    let walks = law.walks(&mut random, 1000);
    goal(
        "p of the permutation test for 15 % of pairs with memory",
        order::test(&walks, 99, 1).unwrap().p,
        0.0,
        0.01,
    );
}

/// How often no context is kept where there is no memory.
fn no_memory(logs: u64, sessions: u32) {
    let kept = |log| {
        let mut random = Random::new(log);
        let law = Law::random(&mut random, 12, 1.0, 0.15);
        select(&law.walks(&mut random, sessions), ADMISSION).longer().count()
    };
    let none = (0..logs).filter(|log| kept(*log) == 0).count();
    let what =
        format!("share of {logs} logs of {sessions} sessions without memory in which no context is kept");
    goal(&what, none as f64 / logs as f64, 0.95, 1.0);
}

#[test]
fn no_memory_is_made_up() {
    no_memory(40, 1000);
}

#[test]
#[ignore = "long form, run by `cargo statistics`: more and larger logs"]
fn no_memory_is_made_up_in_many_logs() {
    for sessions in [200, 1000, 5000, 20_000] {
        no_memory(200, sessions);
    }
}

/// Foretells sessions that were held out; the last figure is what the true law makes of them.
fn foretold(law: &Law, random: &mut Random, sessions: u32, most_classes: usize) -> (Perplexity, f64) {
    let training = law.walks(random, sessions);
    let rest = law.walks(random, 5000);
    let search = Search { most_classes, ..Search::new(10, 1) };
    let found = held_out(&training, &rest, ADMISSION, search).unwrap();
    let log: f64 = rest.iter().flat_map(|walk| law.steps(walk)).sum();
    (found, (-log / found.steps as f64).exp())
}

/// The perplexity of variable order relative to the truth's, where 15 % of the pairs have memory.
fn memory(logs: u64, sessions: u32, most_classes: usize) {
    let mut excess = 0.0;
    for log in 0..logs {
        let mut random = Random::new(log);
        let law = Law::random(&mut random, 12, 1.0, 0.15).with_memory(&mut random, 0.15);
        let (found, truth) = foretold(&law, &mut random, sessions, most_classes);
        eprintln!(
            "log {log}: unigram {:.3}, first order {:.3}, variable order {:.3}, mixture {:.3}, both {:.3}, truth {truth:.3}",
            found.unigram, found.first_order, found.variable_order, found.mixture, found.mixture_and_contexts
        );
        assert!(found.variable_order < found.first_order && found.first_order < found.unigram);
        excess += (found.variable_order / truth - 1.0) / logs as f64;
    }
    let what =
        format!("perplexity of variable order above the truth's, {sessions} sessions, mean of {logs} logs");
    goal(&what, excess, -0.01, 0.01);
}

#[test]
fn memory_is_found() {
    memory(1, 20_000, 1);
}

#[test]
#[ignore = "long form, run by `cargo statistics`: more logs, and classes"]
fn memory_is_found_in_many_logs() {
    memory(20, 20_000, mixture::MOST_CLASSES);
}

/// Classes that sessions are drawn from, with their weights.
type Planted = Vec<(f64, Law)>;

/// Those who go forward, those who go back, and bots that go anywhere; all see each of twelve pages equally often.
fn forward_backward_bot(_: &mut Random) -> Planted {
    const PAGES: usize = 12;
    let law = |next: fn(usize) -> usize, share: f64| {
        let row = |at: usize| {
            let elsewhere = (0.87 - share) / PAGES as f64;
            let mut row = vec![elsewhere; PAGES];
            row[next(at) % PAGES] += share;
            row.push(0.13);
            row
        };
        Law {
            start: vec![1.0 / PAGES as f64; PAGES],
            rows: (0..PAGES).map(row).collect(),
            odd: BTreeMap::new(),
        }
    };
    vec![(0.5, law(|at| at + 1, 0.45)), (0.3, law(|at| at + PAGES - 1, 0.45)), (0.2, law(|at| at, 0.0))]
}

/// Six kinds of users of a site of thirty pages, each with ways of its own; the smallest is one in twenty-one.
fn six_of_thirty(random: &mut Random) -> Planted {
    (0..6).map(|class| (f64::from(6 - class) / 21.0, Law::random(random, 30, 0.2, 0.15))).collect()
}

/// No classes.
fn one_of_twelve(random: &mut Random) -> Planted {
    vec![(1.0, Law::random(random, 12, 1.0, 0.15))]
}

/// Sessions whose class was told right, under the best matching of the classes found to the true ones.
fn told_right(truth: &[usize], found: &[usize], classes: usize, found_classes: usize) -> usize {
    let mut table = vec![vec![0; found_classes]; classes];
    truth.iter().zip(found).for_each(|(truth, found)| table[*truth][*found] += 1);
    fn best(table: &[Vec<usize>], taken: u32) -> usize {
        let Some((first, rest)) = table.split_first() else { return 0 };
        let free = (0..first.len()).filter(|found| taken >> found & 1 == 0);
        let matched = free.map(|found| first[found] + best(rest, taken | 1 << found));
        matched.chain([best(rest, taken)]).max().unwrap_or(0)
    }
    best(&table, 0)
}

fn sessions_of(planted: &Planted, random: &mut Random, sessions: u32) -> (Vec<Walk>, Vec<usize>) {
    let weights: Vec<f64> = planted.iter().map(|(weight, _)| *weight).collect();
    let drawn = (0..sessions).map(|client| {
        let class = random.pick(&weights);
        (planted[class].1.walk(random, client), class)
    });
    drawn.unzip()
}

/// How well classes are told apart, beside who knows the laws, and how often their number is found.
fn classes(name: &str, planted: fn(&mut Random) -> Planted, logs: u64, sessions: u32) {
    let (mut found_right, mut best_right, mut numbers_right) = (0, 0, 0);
    for log in 0..logs {
        let mut random = Random::new(log);
        let planted = planted(&mut random);
        let (walks, truth) = sessions_of(&planted, &mut random, sessions);
        let mixture: Mixture = mixture::fit(&walks, Search::new(10, log));
        found_right += told_right(&truth, &mixture.most_probable(), planted.len(), mixture.classes.len());
        numbers_right += usize::from(mixture.classes.len() == planted.len());
        let best = |walk: &Walk| {
            let score = |class: &usize| planted[*class].0.ln() + planted[*class].1.log_likelihood(walk);
            (0..planted.len()).max_by(|one, other| score(one).total_cmp(&score(other))).unwrap()
        };
        best_right += walks.iter().zip(&truth).filter(|(walk, truth)| best(walk) == **truth).count();
    }
    let share = |right: usize| right as f64 / (logs * u64::from(sessions)) as f64;
    let (found, best) = (share(found_right), share(best_right));
    eprintln!("{name}: {found:.4} of {sessions} sessions told right, {best:.4} at best, mean of {logs} logs");
    goal(&format!("{name}: accuracy below the best possible"), best - found, -0.01, 0.01);
    goal(
        &format!("{name}: share of logs with the true number of classes"),
        numbers_right as f64 / logs as f64,
        0.9,
        1.0,
    );
}

#[test]
fn classes_are_told_apart() {
    classes("forward, backward, bot", forward_backward_bot, 3, 3000);
    classes("six kinds on thirty pages", six_of_thirty, 1, 6000);
    classes("one kind", one_of_twelve, 2, 3000);
}

#[test]
#[ignore = "long form, run by `cargo statistics`: as many logs as the goal asks for"]
fn classes_are_told_apart_in_many_logs() {
    classes("forward, backward, bot", forward_backward_bot, 100, 3000);
    classes("six kinds on thirty pages", six_of_thirty, 100, 6000);
    classes("one kind", one_of_twelve, 100, 3000);
}

/// How often memory is not taken for classes, and classes not for memory.
fn explanations(logs: u64) {
    let explained_by_classes = |walks: &[Walk]| {
        classes_explain_more(&mixture::fit(walks, Search::new(10, 1)), &select(walks, ADMISSION), walks.len())
    };
    let (mut memory, mut kinds) = (0, 0);
    for log in 0..logs {
        let mut random = Random::new(log);
        let law = Law::random(&mut random, 12, 1.0, 0.15).with_memory(&mut random, 0.15);
        memory += u32::from(!explained_by_classes(&law.walks(&mut random, 10_000)));
        let planted = forward_backward_bot(&mut random);
        kinds += u32::from(explained_by_classes(&sessions_of(&planted, &mut random, 10_000).0));
    }
    let share = |right: u32| f64::from(right) / logs as f64;
    goal(
        &format!("share of {logs} logs with memory in which it explains more than classes"),
        share(memory),
        0.95,
        1.0,
    );
    goal(
        &format!("share of {logs} logs with classes in which they explain more than memory"),
        share(kinds),
        0.95,
        1.0,
    );
}

#[test]
fn memory_and_classes_are_told_apart() {
    explanations(1);
}

#[test]
#[ignore = "long form, run by `cargo statistics`: more logs"]
fn memory_and_classes_are_told_apart_in_many_logs() {
    explanations(40);
}

/// The perplexity of a mixture relative to that of who knows the laws and learns the class as the session goes on.
fn classes_foretell(logs: u64) {
    let mut excess = 0.0;
    for log in 0..logs {
        let mut random = Random::new(log);
        let planted = six_of_thirty(&mut random);
        let (training, _) = sessions_of(&planted, &mut random, 10_000);
        let (rest, _) = sessions_of(&planted, &mut random, 3000);
        let found = held_out(&training, &rest, ADMISSION, Search::new(10, 1)).unwrap();
        let together =
            |of: &dyn Fn(&Law) -> f64| planted.iter().map(|(weight, law)| weight * of(law)).sum::<f64>().ln();
        let log: f64 = rest
            .iter()
            .map(|walk| {
                let all = together(&|law| law.log_likelihood(walk).exp());
                all - together(&|law| law.start[walk.steps[0].endpoint as usize])
            })
            .sum();
        let truth = (-log / found.steps as f64).exp();
        eprintln!(
            "unigram {:.3}, first order {:.3}, variable order {:.3}, mixture {:.3}, both {:.3}, truth {truth:.3}",
            found.unigram, found.first_order, found.variable_order, found.mixture, found.mixture_and_contexts
        );
        assert!(found.mixture < found.first_order);
        excess += (found.mixture / truth - 1.0) / logs as f64;
    }
    goal(
        &format!("perplexity of a mixture above the truth's, 10,000 sessions, mean of {logs} logs"),
        excess,
        -0.01,
        0.05,
    );
}

#[test]
#[ignore = "long form only: the number of classes must be found"]
fn classes_foretell_in_many_logs() {
    classes_foretell(10);
}

/// Seconds that this thread has run, however busy the machine is.
fn cpu_s() -> f64 {
    let stat = fs_err::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// Prints the seconds that `work` takes.
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let before = cpu_s();
    let result = work();
    goal(&format!("seconds for {what}"), cpu_s() - before, 0.0, 5.0);
    result
}

#[test]
#[ignore = "a timing"]
fn fifty_thousand_sessions_take_seconds() {
    let mut random = Random::new(1);
    for (kinds, endpoints, density) in [(1, 200, 0.1), (4, 200, 0.1), (4, 10_000, 0.001)] {
        let planted: Planted = (0..kinds)
            .map(|_| (1.0 / f64::from(kinds), Law::random(&mut random, endpoints, density, 0.15)))
            .collect();
        let (walks, _) = sessions_of(&planted, &mut random, 50_000);
        let steps: usize = walks.iter().map(|walk| walk.steps.len()).sum();
        eprintln!("{kinds} kinds, {endpoints} endpoints, {steps} steps:");
        let mixture = timed("classes", || mixture::fit(&walks, Search::new(10, 1)));
        assert!(mixture.classes.len() == kinds as usize || endpoints == 10_000);
        timed("contexts", || select(&walks, ADMISSION));
        timed("the permutation test, 99 shuffles", || order::test(&walks, 99, 1));
        timed("visits and lengths", || {
            let chain = Chain::of(&Counts::of(&walks));
            (chain.mean_length(), Lengths::of(&chain))
        });
    }
}

/// Nothing here depends on how many endpoints there are, only on how much was asked for.
#[test]
fn ten_thousand_endpoints_are_no_more_work() {
    const ENDPOINTS: u64 = 10_000;
    let mut random = Random::new(3);
    let walk = |client| {
        let length = 2 + random.0.next_u64() % 12;
        let mut at = random.0.next_u64() % ENDPOINTS;
        let mut steps = Vec::new();
        for _ in 0..length {
            steps.push(Step { endpoint: at as u32, gap: None });
            // Three ways on from everywhere.
            at = (at * 7 + random.0.next_u64() % 3) % ENDPOINTS;
        }
        Walk { start_s: i64::from(client), steps, ended: true, mass: 1000, client }
    };
    let walks: Vec<Walk> = (0..20_000).map(walk).collect();
    let counts = Counts::of(&walks);
    assert_eq!(counts.rows.len() as u64, ENDPOINTS);
    let chain = Chain::of(&counts);
    goal(
        "visits at 10,000 endpoints against those counted",
        visits_apart(&chain, &counts.visits_per_session()),
        0.0,
        1e-9,
    );
    let mean = counts.rows.values().map(|row| row.visits.count).sum::<u64>() as f64 / walks.len() as f64;
    goal("mean length against that counted", chain.mean_length() / mean - 1.0, -1e-9, 1e-9);
    assert!(Lengths::of(&chain).quantile(0.5).is_some());
    assert!(order::test(&walks, 9, 1).is_some());
    let found = held_out(&walks[..15_000], &walks[15_000..], ADMISSION, Search::new(10, 1)).unwrap();
    assert!(found.first_order < found.unigram / 10.0, "{found:?}");
}
