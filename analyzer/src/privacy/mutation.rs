//! Would the canaries notice? Each step that keeps people out is left out once, in a process of its own, and then
//! some canary must come through.

use std::path::Path;
use std::process::Command;

use super::stage::Stage;
use crate::read::read;
use crate::report::inspect::inspection;
use crate::settings::{ReadSettings, Settings};
use crate::{Key, analyze, events};

#[path = "../../../tests/analyzer/canary.rs"]
mod canary;

/// What is said when a canary comes through.
const CAME_THROUGH: &str = "a canary came through";

/// Everything that leaves, of one log.
fn outputs(log: &Path) -> Vec<u8> {
    let read_settings = ReadSettings {
        inputs: vec![log.to_owned()],
        records: 100_000,
        threads: 1,
        ..ReadSettings::default()
    };
    let settings = Settings { read: read_settings, ..Settings::default() };
    let analysis = analyze(&settings, &|_| {}).unwrap();
    let mut all = shared::io::to_yaml(&analysis.profile).into_bytes();
    let reading = read(&settings.read, &Key::ephemeral().unwrap(), &|_| {}).unwrap();
    let inspection = inspection(reading, &settings, true).unwrap();
    all.extend(serde_json::to_vec(&inspection).unwrap());
    all.extend(inspection.text(&settings.read.identity).into_bytes());
    events::write(&settings, events::Format::Ndjson, &mut all, &|_| {}).unwrap();
    all
}

#[test]
#[ignore = "run by the test below, once with all steps and once without each"]
fn canaries_stay_in() {
    let canaries = canary::plant(11, 2, 25);
    let search = canary::Search::new(&canaries.planted);
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [("combined.log", &canaries.combined), ("caddy.json", &canaries.json)] {
        let log = directory.path().join(name);
        fs_err::write(&log, text).unwrap();
        assert!(search.found(text).len() > 500, "the search finds what is there");
        let found = search.found(&outputs(&log));
        assert!(found.is_empty(), "{CAME_THROUGH} of {name}: {:?}", found.iter().take(9).collect::<Vec<_>>());
    }
}

#[test]
fn no_step_is_idle() {
    let with = |off: Option<Stage>| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "privacy::mutation::canaries_stay_in", "--ignored", "--test-threads", "1"]);
        off.into_iter().for_each(|stage| {
            child.env(Stage::OFF, format!("{stage:?}"));
        });
        let output = child.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    let (passes, said) = with(None);
    assert!(passes && said.contains("1 passed"), "{said}");
    for stage in Stage::ALL {
        let (passes, said) = with(Some(stage));
        println!("goal: found out, without {stage:?}: {}", if passes { "unnoticed" } else { "found out" });
        assert!(!passes && said.contains(CAME_THROUGH), "without {stage:?}: {said}");
    }
}
