//! Routes inferred from paths alone, scored over the route lists of real services.
//!
//! `tests/routes.py` brings the lists of some twenty more. The vocabulary was written without any of them. The rules were
//! judged by those of argo, asana, digitalocean, discourse, github, jellyfin, kubernetes and mattermost, then by those of
//! bitbucket, datadog, fastly, hubspot, onfido, ory, pulp, spotify and twilio, and what is said of random texts
//! by that of okta; the lists of docusign, gitea, immich, jira, launchdarkly, phrase and stripe were scored each time
//! the rules stood, and never looked at.

use std::path::{Path, PathBuf};

use analyzer::stages;

mod baseline;
mod score;
mod traffic;

use score::Score;
use traffic::Service;

/// Goals of the long form, over all services.
const MEAN_ACCURACY: f64 = 0.90;
const WORST_ACCURACY: f64 = 0.75;
const MEAN_PRECISION: f64 = 0.95;
/// How much less a larger sample may reach than a smaller one.
const FALL: f64 = 0.01;
/// With the routes of the service given.
const GIVEN_ACCURACY: f64 = 0.995;

fn inferred(paths: &[String]) -> Vec<String> {
    stages::templates(paths, &[])
}

fn mean_score(service: &Service, count: usize, seeds: &[u64], group: fn(&[String]) -> Vec<String>) -> Score {
    let scores: Vec<Score> = seeds
        .iter()
        .map(|seed| {
            let (paths, truth): (Vec<String>, Vec<usize>) =
                traffic::requests(service, count, *seed).into_iter().unzip();
            score::score(&group(&paths), &truth)
        })
        .collect();
    Score::mean(&scores)
}

/// The lists in `folder`, by name.
fn services(folder: &Path) -> Vec<Service> {
    let mut files: Vec<PathBuf> =
        fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    let parse = |file: &PathBuf| {
        let name = file.file_stem().unwrap().to_string_lossy();
        Service::parse(&name, &fs_err::read_to_string(file).unwrap())
    };
    files.iter().map(parse).collect()
}

fn committed() -> Vec<Service> {
    [
        ("argo", include_str!("lists/argo.txt")),
        ("ory", include_str!("lists/ory.txt")),
        ("spotify", include_str!("lists/spotify.txt")),
    ]
    .map(|(name, text)| Service::parse(name, text))
    .into()
}

#[test]
fn routes_are_inferred_from_little_traffic() {
    let mut scores = Vec::new();
    let mut all = committed();
    match std::env::var_os("LOADPRINT_CORPUS") {
        Some(corpus) => all.extend(services(&Path::new(&corpus).join("routes"))),
        None => eprintln!("LOADPRINT_CORPUS is not set: only the lists that are here are scored"),
    }
    for service in all {
        let score = mean_score(&service, 20_000, &[1], inferred);
        eprintln!(
            "{}: accuracy {:.3}, precision {:.3}, F1 {:.3}",
            service.name, score.accuracy, score.precision, score.f1
        );
        scores.push(score);
    }
    let mean = Score::mean(&scores);
    let worst = scores.iter().map(|score| score.accuracy).fold(1.0, f64::min);
    eprintln!(
        "goal: accuracy >= {MEAN_ACCURACY} in the mean, >= {WORST_ACCURACY} each; reached: {:.3}, {worst:.3}",
        mean.accuracy
    );
    eprintln!("goal: precision >= {MEAN_PRECISION} in the mean; reached: {:.3}", mean.precision);
    assert!(mean.accuracy >= MEAN_ACCURACY && worst >= WORST_ACCURACY);
    assert!(mean.precision >= MEAN_PRECISION);
}

#[test]
fn given_routes_are_found_again() {
    for service in committed() {
        let accuracy = given_accuracy(&service, 20_000);
        eprintln!(
            "{}: goal: accuracy with given routes >= {GIVEN_ACCURACY}; reached: {accuracy:.4}",
            service.name
        );
        assert!(accuracy >= GIVEN_ACCURACY, "{}", service.name);
    }
}

fn given_accuracy(service: &Service, count: usize) -> f64 {
    let (paths, truth): (Vec<String>, Vec<usize>) = traffic::requests(service, count, 1).into_iter().unzip();
    score::score(&stages::templates(&paths, &service.routes), &truth).accuracy
}

#[test]
fn the_order_of_requests_does_not_matter() {
    let service = &committed()[0];
    let paths: Vec<String> = traffic::requests(service, 5_000, 1).into_iter().map(|(path, _)| path).collect();
    let backwards: Vec<String> = paths.iter().rev().cloned().collect();
    let mut templates = inferred(&backwards);
    templates.reverse();
    assert_eq!(inferred(&paths), templates);
}

#[test]
#[ignore = "minutes: three seeds of 20,000 and 200,000 requests to each list that LOADPRINT_ROUTES names"]
fn routes_are_inferred_for_services_that_no_rule_was_made_for() {
    let Some(folder) = std::env::var_os("LOADPRINT_ROUTES") else {
        println!("LOADPRINT_ROUTES is not set: tests/routes.py writes the lists, nothing is scored");
        return;
    };
    println!(
        "accuracy | precision | F1 at 20,000 / 200,000 requests; accuracy of a tree, and of types and a tree"
    );
    let (mut all, mut given) = (Vec::new(), Vec::new());
    for service in services(Path::new(&folder)) {
        let of = |count| mean_score(&service, count, &[1, 2, 3], inferred);
        let (small, large) = (of(20_000), of(200_000));
        let tree = [20_000, 200_000].map(|count| mean_score(&service, count, &[1], baseline::tree).accuracy);
        let typed =
            [20_000, 200_000].map(|count| mean_score(&service, count, &[1], baseline::typed_tree).accuracy);
        println!(
            "{:14} {:4} routes | {:.3} / {:.3} | {:.3} / {:.3} | {:.3} / {:.3} | tree {:.2} / {:.2}, typed {:.2} / {:.2} | {} / {} groups",
            service.name,
            service.routes.len(),
            small.accuracy,
            large.accuracy,
            small.precision,
            large.precision,
            small.f1,
            large.f1,
            tree[0],
            tree[1],
            typed[0],
            typed[1],
            small.groups,
            large.groups
        );
        all.push((small, large));
        given.push((given_accuracy(&service, 200_000), service.name));
    }
    given.sort_by(|a, b| a.0.total_cmp(&b.0));
    let both: Vec<Score> = all.iter().flat_map(|(small, large)| [*small, *large]).collect();
    let mean = Score::mean(&both);
    let worst = both.iter().map(|score| score.accuracy).fold(1.0, f64::min);
    let fall = all.iter().map(|(small, large)| small.accuracy - large.accuracy).fold(0.0, f64::max);
    println!("goal: mean accuracy >= {MEAN_ACCURACY}; reached: {:.3}", mean.accuracy);
    println!("goal: worst accuracy >= {WORST_ACCURACY}; reached: {worst:.3}");
    println!("goal: mean precision >= {MEAN_PRECISION}; reached: {:.3}", mean.precision);
    println!("goal: accuracy falls by <= {FALL} with ten times the traffic; reached: {fall:.3}");
    println!(
        "goal: accuracy with given routes >= {GIVEN_ACCURACY}; reached, lowest first: {:?}",
        &given[..given.len().min(4)]
    );
    assert!(mean.accuracy >= MEAN_ACCURACY && worst >= WORST_ACCURACY);
    assert!(mean.precision >= MEAN_PRECISION && fall <= FALL);
    assert!(given.iter().all(|(accuracy, _)| *accuracy >= GIVEN_ACCURACY));
}
