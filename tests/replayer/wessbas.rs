//! Behaviour models of WESSBAS (Vögele et al. 2018), imported into profiles: sessions of the plan visit each state as often
//! as the chain says, and pause as long as it states.
//!
//! A model is a table: a row per state, a column per next state, in each cell the probability and the mean and standard
//! deviation of a normal think time in milliseconds. `*` marks the initial state, `$` is the end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use replayer::Settings;
use replayer::config::Schedule;
use replayer::plan::{Place, Plan};
use replayer::target::{Target, TargetSettings};
use shared::Profile;
use shared::distribution::Law;
use shared::io::from_yaml;
use shared::profile::EXAMPLE;
use shared::session::{END, State, ThinkTimes, transition};
use shared::think::{GapKind, ThinkTime};

/// An invented shop of the same shape: it branches, repeats itself, and has a state that nobody comes to.
const INVENTED: &str = "\
,INITIAL,enter,browse,basket,pay,idle,$
INITIAL*,0.0; n(0 0),1.0; n(0 0),0.0; n(0 0),0.0; n(0 0),0.0; n(0 0),0.0; n(0 0),0.0; n(0 0)
enter,0.0; n(0 0),0.0; n(0 0),0.8; n(1500 300),0.0; n(0 0),0.0; n(0 0),0.0; n(0 0),0.2; n(0 0)
browse,0.0; n(0 0),0.0; n(0 0),0.7; n(800 400),0.2; n(2500 500),0.0; n(0 0),0.0; n(0 0),0.1; n(0 0)
basket,0.0; n(0 0),0.0; n(0 0),0.5; n(900 90),0.0; n(0 0),0.4; n(6000 1800),0.0; n(0 0),0.1; n(0 0)
pay,0.0; n(0 0),0.0; n(0 0),0.0; n(0 0),0.0; n(0 0),0.0; n(0 0),0.0; n(0 0),1.0; n(0 0)
idle,0.0; n(0 0),0.0; n(0 0),0.0; n(0 0),0.0; n(0 0),0.0; n(0 0),0.0; n(0 0),0.0; n(0 0)
";

/// Where one state leads.
#[derive(Debug, Clone, Copy)]
struct Step {
    probability: f64,
    mean_s: f64,
    deviation_s: f64,
}

/// A behaviour model: states other than the initial one, and steps by their positions; past the last state is the end.
#[derive(Debug)]
struct Model {
    states: Vec<String>,
    start: Vec<f64>,
    rows: Vec<Vec<Step>>,
}

impl Model {
    fn parse(text: &str) -> Self {
        let mut lines = text.lines().map(|line| line.trim_end_matches('\r').split(',').collect::<Vec<_>>());
        let columns = lines.next().unwrap();
        let step = |cell: &str| {
            let (probability, law) = cell.split_once(';').unwrap();
            let law = law.trim().strip_prefix("n(").and_then(|law| law.strip_suffix(')')).unwrap();
            let (mean, deviation) = law.split_once(' ').unwrap();
            let seconds = |ms: &str| ms.trim().parse::<f64>().unwrap() / 1e3;
            let probability = probability.trim().parse().unwrap();
            Step { probability, mean_s: seconds(mean), deviation_s: seconds(deviation) }
        };
        let mut model = Self { states: Vec::new(), start: Vec::new(), rows: Vec::new() };
        for cells in lines.filter(|cells| cells.len() == columns.len()) {
            // The first column names the row, the second is the initial state, to which nothing leads.
            let steps: Vec<Step> = cells[2..].iter().map(|cell| step(cell)).collect();
            if cells[0].ends_with('*') {
                model.start = steps.iter().map(|step| step.probability).collect();
            } else {
                model.states.push(cells[0].to_owned());
                model.rows.push(steps);
            }
        }
        model
    }

    /// The model as a profile. Normal think times become log-normal ones with the same mean and deviation: a normal law
    /// has pauses below zero.
    fn profile(&self) -> Profile {
        let mut profile = from_yaml(EXAMPLE).unwrap();
        let pattern = profile.endpoints[0].clone();
        let names = || self.states.iter().map(|state| state.to_lowercase()).chain([END.to_owned()]);
        let row = |shares: &mut dyn Iterator<Item = f64>| -> BTreeMap<String, f64> {
            names().zip(shares).filter(|(_, share)| *share > 0.0).collect()
        };
        let mut endpoints = Vec::new();
        let class = &mut profile.classes[0];
        class.chain.clear();
        class.start = row(&mut self.start.iter().copied());
        class.think_time = ThinkTimes { default: "none".to_owned(), on: BTreeMap::new() };
        let lognormal = |mean_s: f64, deviation_s: f64| {
            let variance = (deviation_s / mean_s).powi(2).ln_1p();
            let law = Law::Lognormal { mu: mean_s.ln() - variance / 2.0, sigma: variance.sqrt() };
            ThinkTime { kind: GapKind::Think, n: 1, law: Some(law), histogram: None }
        };
        profile.think_times = [("none".to_owned(), lognormal(1e-9, 1e-12))].into();
        for (name, steps) in names().zip(&self.rows) {
            let mut endpoint = pattern.clone();
            (endpoint.id, endpoint.route) = (name.clone(), format!("/{name}"));
            endpoint.weight = 1.0 / self.states.len() as f64;
            endpoint.service_time_s = None;
            endpoints.push(endpoint);
            let next = row(&mut steps.iter().map(|step| step.probability));
            if next.is_empty() {
                continue;
            }
            class.chain.insert(name.clone(), State { visits: 1, next });
            for (to, step) in names().zip(steps).filter(|(to, step)| *to != END && step.mean_s > 0.0) {
                let between = transition(&name, &to);
                profile.think_times.insert(between.clone(), lognormal(step.mean_s, step.deviation_s));
                class.think_time.on.insert(between.clone(), between);
            }
        }
        profile.endpoints = endpoints;
        assert_eq!(shared::validate::validate(&profile), []);
        profile
    }

    /// Expected visits of each state in a session: `a (I - Q)^-1`, by Gaussian elimination of `v (I - Q) = a`.
    fn visits(&self) -> Vec<f64> {
        let n = self.states.len();
        // Equations for v: column j of I - Q, and a_j.
        let mut equations: Vec<Vec<f64>> = (0..n)
            .map(|j| {
                let of_state = |i: usize| f64::from(u8::from(i == j)) - self.rows[i][j].probability;
                (0..n).map(of_state).chain([self.start[j]]).collect()
            })
            .collect();
        for pivot in 0..n {
            let best =
                (pivot..n).max_by(|a, b| equations[*a][pivot].abs().total_cmp(&equations[*b][pivot].abs()));
            equations.swap(pivot, best.unwrap());
            let row = equations[pivot].clone();
            for (at, other) in equations.iter_mut().enumerate().filter(|(at, _)| *at != pivot) {
                let factor = other[pivot] / row[pivot];
                assert!(factor.is_finite(), "{at}: the chain never ends");
                other.iter_mut().zip(&row).for_each(|(x, y)| *x -= factor * y);
            }
        }
        (0..n).map(|at| equations[at][n] / equations[at][at]).collect()
    }
}

/// Mean and standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

#[track_caller]
fn check(text: &str) {
    let model = Model::parse(text);
    let profile = model.profile();
    let rate = 10_000.0 / 600.0 / profile.arrivals.peak.rate_per_s;
    let plan = Plan::new(&profile, &Schedule { seed: 4, scale: rate, ..Schedule::default() }, &[]).unwrap();
    let mut visits: Vec<Vec<f64>> = vec![Vec::new(); model.states.len()];
    let mut pauses: BTreeMap<(usize, usize), Vec<f64>> = BTreeMap::new();
    for session in plan.sessions() {
        let mut walk = plan.walk(&session);
        let at = |place: &Place| match place {
            Place::Endpoint(at) => *at,
            Place::Other => panic!("the model has no such state"),
        };
        let states: Vec<usize> = walk.places.iter().map(at).collect();
        for (state, counts) in visits.iter_mut().enumerate() {
            counts.push(states.iter().filter(|visited| **visited == state).count() as f64);
        }
        for pair in states.windows(2) {
            let gap = plan.gap_between(&mut walk, Place::Endpoint(pair[0]), Place::Endpoint(pair[1]));
            pauses.entry((pair[0], pair[1])).or_default().push(gap.length_ns as f64 / 1e9);
        }
    }
    assert!(visits[0].len() > 9_000, "{}", visits[0].len());
    for (state, (counts, expected)) in visits.iter().zip(model.visits()).enumerate() {
        let (found, error) = mean(counts);
        assert!(
            (found - expected).abs() <= 4.0 * error + 1e-9,
            "{}: {found} {expected}",
            model.states[state]
        );
    }
    for ((from, to), lengths_s) in &pauses {
        let Step { mean_s, deviation_s, .. } = model.rows[*from][*to];
        let (found_s, error_s) = mean(lengths_s);
        let deviation_found_s = error_s * (lengths_s.len() as f64).sqrt();
        assert!((found_s - mean_s).abs() <= 4.0 * error_s + 1e-6, "{from} > {to}: {found_s} {mean_s}");
        // Of the deviation of a skew law, the standard error is a few percent at a thousand pauses.
        let off_s = (deviation_found_s - deviation_s).abs();
        assert!(
            lengths_s.len() < 1_000 || off_s <= 0.15 * deviation_s + 1e-6,
            "{from} > {to}: {deviation_found_s}"
        );
    }
    sent_is_what_the_chain_says(&model, &profile);
}

/// Replays the model without its pauses, and compares what the target was asked with the chain.
fn sent_is_what_the_chain_says(model: &Model, profile: &Profile) {
    let target = Target::start(profile, &TargetSettings::default()).unwrap();
    let mut settings = Settings { target: format!("http://{}", target.address()), ..Settings::default() };
    settings.schedule.duration = Some(Duration::from_secs(2));
    settings.schedule.scale = 150.0 / profile.arrivals.peak.rate_per_s;
    settings.schedule.artificial.no_think_time = true;
    let report = replayer::run(profile, &settings, &mut ()).unwrap();
    target.stop().unwrap();
    assert_eq!(report.requests.completed, report.requests.planned);
    for (state, expected) in model.states.iter().zip(model.visits()) {
        let sent = report.endpoints.iter().find(|endpoint| endpoint.id == state.to_lowercase());
        let found = sent.map_or(0, |endpoint| endpoint.sent) as f64 / report.sessions.planned as f64;
        // 300 sessions; visits of a state spread like a geometric number: one standard error is 6 % of 1 + visits.
        assert!(
            (found - expected).abs() <= 0.24 * expected * (1.0 + expected).sqrt().min(2.0),
            "{state}: {found}"
        );
    }
}

#[test]
fn an_invented_model_is_replayed_as_it_is_stated() {
    check(INVENTED);
}

#[test]
fn the_published_model_is_replayed_as_it_is_stated() {
    let path = "sessions/wessbas/behaviormodel0.csv";
    match std::env::var_os("LOADPRINT_CORPUS").map(|root| PathBuf::from(root).join(path)) {
        Some(path) => check(&fs_err::read_to_string(path).unwrap()),
        None => eprintln!("skipped: LOADPRINT_CORPUS does not name the directory of real data ({path})"),
    }
}
