//! `analyzer explain`: every part of a profile in a text that a person has read, at most 80 columns wide.
//!
//! `UPDATE_GOLDEN=1` rewrites the texts beside this file; the difference is for people to read.

mod command;

use std::collections::BTreeMap;

use analyzer::report::explain::{Style, endpoint_explanation, explanation};
use shared::Profile;
use shared::arrivals::Burstiness;
use shared::distribution::{Law, LogHistogram, Unit};
use shared::endpoint::{Cardinality, Companion, Popularity, QueryParameter, ValueKind};
use shared::profile::{Background, EXAMPLE, Sampling, Scenario};
use shared::session::{Class, Context};
use shared::think::{GapKind, ThinkTime};

/// The example, with everything in it that a profile may have.
fn full() -> Profile {
    let mut profile = shared::io::from_yaml(EXAMPLE).unwrap();
    profile.source.sampling = Some(Sampling { weight_mean: 10.0, unknown_share: 0.05 });
    let item = &mut profile.endpoints[1];
    let slug = item.parameters.get_mut("slug").unwrap();
    slug.cardinality = Some(Cardinality::Many);
    slug.distinct = Some(5210);
    slug.popularity = Some(Popularity::Zipf { exponent: 0.92 });
    slug.length = BTreeMap::from([("p50".to_owned(), 11.0), ("p95".to_owned(), 19.0)]);
    item.query = vec![QueryParameter {
        name: "page".to_owned(),
        presence: 0.31,
        kind: ValueKind::Int,
        cardinality: Some(Cardinality::Few),
    }];
    item.companions = vec![Companion {
        endpoint: "get_home".to_owned(),
        probability: 0.93,
        count: None,
        offset_s: BTreeMap::from([("p50".to_owned(), 0.12)]),
    }];
    let all = &mut profile.classes[0];
    all.weight = 0.8;
    all.sessions = 16_000;
    all.pace = Some(0.31);
    all.contexts = vec![Context {
        after: vec!["get_home".to_owned(), "get_item".to_owned()],
        visits: 4100,
        next: BTreeMap::from([("END".to_owned(), 0.9), ("get_home".to_owned(), 0.1)]),
    }];
    all.think_time.on = BTreeMap::from([("get_item".to_owned(), "read".to_owned())]);
    let quick = Class {
        id: "quick".to_owned(),
        weight: 0.2,
        sessions: 4000,
        contexts: Vec::new(),
        pace: None,
        ..all.clone()
    };
    profile.classes.push(quick);
    let mut histogram = LogHistogram::new(0.01, Unit::S);
    (1..=1000).for_each(|i| histogram.add(0.02 * f64::from(i), 1));
    profile.think_times.insert(
        "read".to_owned(),
        ThinkTime {
            kind: GapKind::Pacing,
            n: 1000,
            law: Some(Law::Exponential { rate: 0.1 }),
            histogram: Some(histogram),
        },
    );
    let arrivals = &mut profile.arrivals;
    arrivals.burstiness =
        Some(Burstiness { time_constants_s: vec![3.0, 300.0], variances: vec![0.11, 0.02] });
    arrivals.day_level_cv = Some(0.08);
    arrivals.shared_shape = BTreeMap::from([("weekdays".to_owned(), true)]);
    profile.background = vec![Background { endpoint: "get_home".to_owned(), period_s: 15.0, clients: 120 }];
    profile.scenarios = BTreeMap::from([("peak".to_owned(), Scenario::default())]);
    profile.thresholds = vec!["p95(response_time) < 2 x baseline".to_owned()];
    assert_eq!(shared::validate::validate(&profile), []);
    profile
}

#[track_caller]
fn check(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.parent().unwrap().join("tests/analyzer/explain").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs_err::write(&path, text).unwrap();
    }
    assert_eq!(text, fs_err::read_to_string(&path).unwrap(), "{name}: UPDATE_GOLDEN=1 rewrites it");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{name}: wider than 80 columns: {line}");
        assert!(!line.contains('\x1b') && line.trim_end() == line, "{name}: {line:?}");
    }
}

#[test]
fn all_of_a_profile_is_explained() {
    let example = shared::io::from_yaml(EXAMPLE).unwrap();
    check("example.txt", &explanation(&example).text(Style::Plain, 15));
    check("full.txt", &explanation(&full()).text(Style::Plain, 1));
}

#[test]
fn an_endpoint_is_explained() {
    let profile = full();
    for (wanted, file) in [
        ("get_item", "item.txt"),
        ("/items/{slug}", "item.txt"),
        ("GET /items/{slug}", "item.txt"),
        ("get_home", "home.txt"),
    ] {
        check(file, &endpoint_explanation(&profile, wanted).unwrap().text(Style::Plain));
    }
}

#[test]
fn other_names_are_answered_with_the_nearest() {
    let mut profile = full();
    let nearest = |profile: &Profile, wanted: &str| endpoint_explanation(profile, wanted).unwrap_err();
    assert_eq!(nearest(&profile, "get_itm"), ["get_item", "get_home"]);
    assert_eq!(nearest(&profile, "items"), ["get_item"]);
    assert!(nearest(&profile, "checkout").is_empty() && nearest(&profile, "").is_empty());
    // A route that several methods share names none of them.
    let mut post = profile.endpoints[0].clone();
    (post.id, post.method) = ("post_home".to_owned(), "POST".to_owned());
    profile.endpoints.push(post);
    assert_eq!(nearest(&profile, "/"), ["get_home", "post_home"]);
    assert!(endpoint_explanation(&profile, "POST /").is_ok());
}

#[test]
fn headings_are_bold_on_a_terminal_alone_and_names_command_nothing() {
    let mut profile = full();
    profile.source.format = "\x1b[31mred".to_owned();
    let text = explanation(&profile).text(Style::Terminal, 15);
    assert!(text.starts_with("\x1b[1mThe log\x1b[0m\n") && !text.contains("\x1b[31m"), "{text}");
}

#[test]
fn shares_of_an_endpoint_add_up() {
    let json = serde_json::to_value(endpoint_explanation(&full(), "get_item").unwrap()).unwrap();
    assert_eq!(json["id"], "get_item");
    for class in json["classes"].as_array().unwrap() {
        for row in ["from", "to"] {
            let sum: f64 =
                class[row].as_object().unwrap().values().map(|share| share.as_f64().unwrap()).sum();
            assert!((sum - 1.0).abs() < 1e-3, "{row}: {sum}");
        }
    }
    let home = serde_json::to_value(endpoint_explanation(&full(), "get_home").unwrap()).unwrap();
    let bars = home["service_time_bars"].as_array().unwrap();
    let sum: f64 = bars.iter().map(|bar| bar["share"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");
}
