//! The command around the explanation: formats, streams, exit codes.

use shared::profile::EXAMPLE;

use crate::support::run;

fn profile() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("profile.yaml");
    fs_err::write(&path, EXAMPLE).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

#[test]
fn what_is_piped_has_no_colour_and_json_is_whole() {
    let (_directory, path) = profile();
    let text = run(&["explain", &path]).ok();
    assert_eq!(String::from_utf8_lossy(&text.stdout), include_str!("example.txt"));
    let json = run(&["explain", &path, "--format", "json", "--top", "1"]).ok().json();
    assert_eq!(json["endpoints"].as_array().unwrap().len(), 2);
    assert_eq!(json["overview"]["covers_s"], 7 * 86_400);
    let endpoint = run(&["explain", &path, "GET /", "--format", "json"]).ok().json();
    assert_eq!(endpoint["id"], "get_home");
}

#[test]
fn what_is_not_there_is_an_error_that_helps() {
    let (_directory, path) = profile();
    for (arguments, parts) in [
        (vec!["explain", &path, "get_hmoe"], vec!["`get_hmoe`", "expected:", "did you mean `get_home`?"]),
        (vec!["explain", &path, "checkout"], vec!["`checkout`", "expected:", "hint:"]),
        (vec!["explain", "/no/such.yaml"], vec!["/no/such.yaml", "No such file"]),
    ] {
        let run = run(&arguments);
        assert_eq!((run.code, run.stdout.len()), (2, 0), "{}", run.stderr);
        for part in parts {
            assert!(run.stderr.contains(part), "no `{part}` in:\n{}", run.stderr);
        }
    }
}
