//! The contract of profiles from outside: the JSON Schema that editors and other programs check them with.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::{Value, json};
use shared::profile::EXAMPLE;

fn schema_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("schemas/profile.schema.json")
}

fn validator() -> Validator {
    jsonschema::validator_for(&shared::schema::value()).unwrap()
}

/// A profile as plain JSON, without going through the types.
fn example() -> Value {
    serde_yaml::from_str(EXAMPLE).unwrap()
}

/// `UPDATE_SCHEMA=1` writes the file; the difference is for people to read.
#[test]
fn the_schema_in_the_repository_is_the_one_of_the_types() {
    let expected = shared::schema::text();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs_err::write(schema_file(), &expected).unwrap();
    }
    let found = fs_err::read_to_string(schema_file()).unwrap();
    assert!(
        found == expected,
        "schemas/profile.schema.json is out of date: run this test with UPDATE_SCHEMA=1"
    );
}

#[test]
fn the_schema_is_one() {
    jsonschema::meta::validate(&shared::schema::value()).unwrap();
}

#[test]
fn the_example_conforms() {
    let errors: Vec<String> = validator().iter_errors(&example()).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// What the writer makes of a profile conforms as well, as YAML and as JSON.
#[test]
fn what_is_written_conforms() {
    let profile = shared::io::from_yaml(EXAMPLE).unwrap();
    let yaml: Value = serde_yaml::from_str(&shared::io::to_yaml(&profile)).unwrap();
    let json = serde_json::to_value(&profile).unwrap();
    for written in [yaml, json] {
        let errors: Vec<String> = validator().iter_errors(&written).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

/// Each edit of the example makes it no profile, for the schema and for the reader alike.
#[track_caller]
fn check(pointer: &str, edit: Option<Value>) {
    let mut broken = example();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = broken.pointer_mut(parent).unwrap();
    match (parent, edit) {
        (Value::Object(map), Some(value)) => drop(map.insert(key.to_owned(), value)),
        (Value::Object(map), None) => drop(map.remove(key).unwrap()),
        (Value::Array(list), Some(value)) => list[key.parse::<usize>().unwrap()] = value,
        (other, edit) => panic!("{other} {edit:?}"),
    }
    assert!(!validator().is_valid(&broken), "the schema accepts {pointer}");
    assert!(shared::io::from_yaml(&broken.to_string()).is_err(), "the reader accepts {pointer}");
}

#[test]
fn what_is_no_profile_is_refused_by_schema_and_reader() {
    check("/loadprint", None);
    check("/loadprint", Some(json!("one")));
    check("/endpoints", None);
    check("/endpoints", Some(json!({})));
    check("/endpoint", Some(json!([])));
    check("/endpoints/0/weight", Some(json!("heavy")));
    check("/endpoints/0/wieght", Some(json!(0.5)));
    check("/endpoints/1/parameters/slug/kind", Some(json!("slugg")));
    check("/classes/0/chain/get_home/visits", Some(json!(-1)));
    check("/classes/0/chain/get_home/next", None);
    check("/classes/0/chain/get_home/next/END", Some(json!(null)));
    check("/think_times/browse/law/family", Some(json!("normal")));
    check("/think_times/browse/law/mu", None);
    check("/think_times/browse/kind", Some(json!("pause")));
    check("/clients/browsers/netscape", Some(json!({"sessions": 0.0, "requests": 0.0})));
    check("/clients/countries", Some(json!({"Norway": {"sessions": 1.0, "requests": 1.0}})));
    check("/clients/devices/desktop", Some(json!(0.58)));
    check("/sessions/duration_s", None);
    check("/arrivals/week/mon", None);
    check("/arrivals/week/mon/2", Some(json!([1])));
    check("/arrivals/peak", Some(json!(0.08)));
    check("/privacy/suppressed", Some(json!(3)));
}
