//! `schemas/run.schema.json` and `schemas/capacity.schema.json` are what the types say, and results are what they say.

use std::path::PathBuf;

use crate::support::{TargetProcess, directory, hurried, run};

/// `UPDATE_SCHEMA=1` writes the files; the difference is for people to read.
#[test]
fn the_schema_files_are_up_to_date() {
    for (name, expected) in
        [("run", replayer::report::schema_text()), ("capacity", replayer::report::capacity_schema_text())]
    {
        let file = format!("../schemas/{name}.schema.json");
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(&file);
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            fs_err::write(&path, &expected).unwrap();
        }
        let found = fs_err::read_to_string(&path).unwrap();
        assert!(found == expected, "{file} is out of date: run this test with UPDATE_SCHEMA=1");
    }
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
