//! `schemas/run.schema.json` is what the types say, and results are what the schema says.

use std::path::PathBuf;

use crate::support::{TargetProcess, directory, hurried, run};

/// `UPDATE_SCHEMA=1` writes the file; the difference is for people to read.
#[test]
fn the_schema_file_is_up_to_date() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../schemas/run.schema.json");
    let expected = replayer::report::schema_text();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs_err::write(&path, &expected).unwrap();
    }
    let found = fs_err::read_to_string(&path).unwrap();
    assert!(found == expected, "schemas/run.schema.json is out of date: run this test with UPDATE_SCHEMA=1");
}

#[test]
fn a_result_is_what_the_schema_says() {
    let (_directory, profile) = directory(&hurried());
    let target = TargetProcess::start(&profile, &[]);
    let (_, report) = run(&profile, &target.url, &["--duration", "300ms", "--scale", "500"]);
    let validator = jsonschema::validator_for(&replayer::report::schema()).unwrap();
    let errors: Vec<String> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{report:#}");
}
