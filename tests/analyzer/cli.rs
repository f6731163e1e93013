//! The command line: exit codes, errors that help, and what goes to which stream.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use shared::profile::EXAMPLE;

use crate::support::{Run, command, gzip, repository, run, run_with, sample_conf, sample_gz};

/// A small good log: `requests` requests of `clients` clients.
fn log(requests: usize, clients: usize) -> String {
    let mut text = String::new();
    for i in 0..requests {
        let (client, minute) = (i % clients, i / clients);
        let (hour, minute) = (minute / 60 % 24, minute % 60);
        let path = ["/", "/about", "/items/17"][i / clients % 3];
        writeln!(
            text,
            "192.0.2.{client} - - [02/Nov/2026:{hour:02}:{minute:02}:{:02} +0100] \"GET {path} HTTP/1.1\" 200 {} \"-\" \"Mozilla/5.0\"",
            i % 60,
            i % 7 * 100,
        )
        .unwrap();
    }
    text
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs_err::write(self.path(name), content).unwrap();
        self.name(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn files(&self) -> Vec<String> {
        let entries = fs_err::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// One error that says all of `parts`, and nothing on standard output.
#[track_caller]
fn check_error(run: &Run, code: i32, parts: &[&str]) {
    assert_eq!(run.code, code, "{}", run.stderr);
    assert_eq!(run.stderr.matches("error: ").count(), 1, "{}", run.stderr);
    assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
    for part in parts {
        assert!(run.stderr.contains(part), "no `{part}` in:\n{}", run.stderr);
    }
    assert!(!run.stderr.contains("panicked") && !run.stderr.contains("RUST_BACKTRACE"), "{}", run.stderr);
}

#[track_caller]
fn check(arguments: &[&str], code: i32, parts: &[&str]) {
    let run = run(arguments);
    check_error(&run, code, parts);
    assert!(run.stdout.is_empty(), "{}", String::from_utf8_lossy(&run.stdout));
}

#[test]
fn inputs_that_cannot_be_read_are_named_with_what_to_do() {
    let place = Place::new();
    let (missing, empty) = (place.name("no such file.log"), place.file("empty.log", ""));
    let binary: Vec<u8> = (0..20_000_u32).map(|i| ((i * 7919) >> 3) as u8).collect();
    let binary = place.file("binary.log", binary);
    let prose = place.file("prose.log", "Once upon a time\nthere was a server\n");
    let json = place.file("json.log", "{\"a\": 1}\n{\"a\": 2}\n");
    let blank = place.file("blank.log", "\n\n\n");
    fs_err::create_dir(place.path("nothing")).unwrap();
    fs_err::create_dir(place.path("others")).unwrap();
    place.file("others/notes.txt", "buy milk\n");
    fs_err::create_dir(place.path("hidden")).unwrap();
    place.file("hidden/.access.log", log(100, 20));
    for command in ["profile", "inspect", "events"] {
        check(&[command, &missing], 2, &[&missing, "No such file"]);
        check(&[command, &empty], 2, &[&empty, "is empty", "expected:"]);
        check(&[command, &binary], 2, &[&binary, "found: binary data", "expected:", "hint:"]);
        check(&[command, &prose], 2, &[&prose, "found: text in another format", "expected:", "hint:"]);
        check(&[command, &json], 2, &[&json, "found: JSON", "expected:", "hint:"]);
        check(&[command, &blank], 2, &[&blank, "expected:", "hint:"]);
        for directory in ["nothing", "others", "hidden"] {
            let directory = place.name(directory);
            check(&[command, &directory], 2, &[&directory, "no access log", "expected:", "hint:"]);
        }
    }
    // A good file does not make up for a bad one: the user named both.
    let good = place.file("good.log", log(300, 30));
    check(&["profile", &good, &missing], 2, &[&missing]);
    // What was found is said by kind, not by text.
    let run = run(&["profile", &prose]);
    assert!(!run.stderr.contains("upon a time"), "{}", run.stderr);
}

#[test]
fn flags_that_make_no_sense_are_named_with_what_is_expected() {
    let place = Place::new();
    let good = place.file("good.log", log(300, 30));
    let conf = place.file("empty.conf", "events {}\n");
    let full_conf = sample_conf();
    let unknown_name = format!("{}:nobody", full_conf.display());
    let broken = "$remote_addr$status [$time_local] $request";
    let timed = "$remote_addr [$time_local] \"$request\" $status $took";
    let timed_conf = place.file("timed.conf", format!("http {{ log_format timed '{timed}'; }}"));
    for (arguments, parts) in [
        (&["--log-format", "$"][..], &["log format", "found `$`", "expected", "hint:"][..]),
        (&["--log-format", broken], &["`$remote_addr` and `$status` touch", "hint:"]),
        (&["--log-format", "$remote_addr [$time_local] $status"], &["no field for the request", "hint:"]),
        (&["--log-format", "[$time_local] $request $status"], &["no field for the client", "hint:"]),
        (&["--log-format", ""], &["no field for a time", "hint:"]),
        (&["--from", &conf], &[&conf, "found neither", "hint:"]),
        (&["--from", &unknown_name], &["nginx.conf", "shop", "expected `nobody`", "hint:"]),
        (&["--from", "/no/such.conf"], &["/no/such.conf", "No such file"]),
        (&["--identity", "cookie:sid"], &["cookie:sid", "found", "expected", "hint:"]),
        (&["--identity", "field:uid"], &["field:uid", "found", "expected", "hint:"]),
        (&["--identity", "cookie:sid", "--from", full_conf.to_str().unwrap()], &["cookie:sid", "hint:"]),
        (&["--identity", "name"], &["--identity", "found `name`", "expected"]),
        (&["--tz", "Mars/Olympus"], &["--tz", "Mars/Olympus", "found", "expected"]),
        (&["--session-gap", "soon"], &["--session-gap", "found `soon`", "expected"]),
        (&["--route", "users"], &["--route", "found `users`", "expected"]),
        (&["--min-parsed", "110%"], &["--min-parsed", "found `110%`", "expected"]),
        (&["--k", "0"], &["--k", "0"]),
        (&["--threads", "0"], &["--threads", "0"]),
        (&["--map", "upstream=duration"], &["format of", "hint:"]),
        (
            &["--map", "$rt=duration", "--log-format", timed],
            &["no field `$rt`", "found: `$remote_addr`", "hint:"],
        ),
        (
            &["--map", "$rt=duration", "--from", &timed_conf],
            &["no field `$rt`", "found:", "expected", "hint:"],
        ),
        (&["--map", "$status=status", "--log-format", "combined"], &["--map", "found", "expected", "hint:"]),
        (&["--log-format", "x", "--from", "y"], &["--log-format", "--from"]),
        (&["--nonsense"], &["--nonsense"]),
    ] {
        check(&[&["profile", &good][..], arguments].concat(), 2, parts);
    }
    check(&["frobnicate"], 2, &["frobnicate"]);
    check(&["profile"], 2, &["INPUT"]);
    assert_eq!(run::<&str>(&[]).code, 2);
}

#[test]
fn little_traffic_is_refused_with_numbers() {
    let place = Place::new();
    let tiny = place.file("tiny.log", log(30, 3));
    check(&["profile", &tiny, "--k", "10"], 2, &["too little traffic", "3 clients", "10 clients", "hint:"]);
    // Fewer clients are enough where the user says so.
    let kept = run(&["profile", &tiny, "--k", "3"]).ok();
    let profile = shared::io::from_yaml(std::str::from_utf8(&kept.stdout).unwrap()).unwrap();
    assert_eq!(profile.privacy.k, 3);
    // Requests, but nobody who spoke HTTP.
    let noise =
        "192.0.2.1 - - [02/Nov/2026:00:00:01 +0100] \"\\x16\\x03\\x01\" 400 150 \"-\" \"-\"\n".repeat(20);
    let noise = place.file("noise.log", noise);
    check(&["profile", &noise], 2, &["too little traffic", "0 sessions", "hint:"]);
    // Lines, but no request among them.
    let format = "$remote_addr|$msec|$status|$request_method|$request_uri";
    let parts = ["understood none of 30 lines", "found: ", "expected:", "hint:"];
    check(&["profile", &tiny, "--log-format", format], 2, &parts);
}

#[test]
fn a_damaged_stream_gives_what_came_before_and_exit_code_1() {
    let place = Place::new();
    let whole = fs_err::read(sample_gz()).unwrap();
    for share in [3, 60, 97] {
        let cut = &whole[..whole.len() * share / 100];
        let mut good = Vec::new();
        let result = flate2::read::MultiGzDecoder::new(cut).read_to_end(&mut good);
        assert!(result.is_err());
        let good_lines = good.iter().filter(|byte| **byte == b'\n').count() as u64;
        let log = place.file("cut.log.gz", cut);
        let out = place.name("profile.yaml");
        let conf = sample_conf();
        let run = run(&["profile", &log, "--from", conf.to_str().unwrap(), "-o", &out]);
        assert_eq!(run.code, 1, "{}", run.stderr);
        assert!(run.stderr.contains("error: ") && run.stderr.contains("is damaged"), "{}", run.stderr);
        assert!(run.stderr.contains("hint:"), "{}", run.stderr);
        let profile = shared::io::read(Path::new(&out)).unwrap();
        // The line in which the stream breaks may count as well.
        let lines = profile.source.lines;
        assert!((good_lines..=good_lines + 1).contains(&lines), "{share} %: {lines} of {good_lines} lines");
    }
}

#[test]
fn concatenated_gzip_streams_are_one_log() {
    let place = Place::new();
    let (one, other) = (log(300, 30), log(150, 15));
    let both = [gzip(one.as_bytes()), gzip(other.as_bytes())].concat();
    let log = place.file("both.log.gz", both);
    let inspected = run(&["inspect", &log, "--format", "json"]).ok().json();
    assert_eq!(inspected["inputs"][0]["lines"], 450);
    assert_eq!(inspected["inputs"][0]["compressed"], "gzip");
}

/// 100 MB without a line end, in the middle of a good log: refused, counted, and never held in memory.
#[test]
fn an_endless_line_costs_neither_its_neighbours_nor_memory() {
    let place = Place::new();
    let mut text = log(300, 30).into_bytes();
    text.extend_from_slice(b"192.0.2.1 - - [02/Nov/2026:10:00:00 +0100] \"GET /");
    text.resize(text.len() + 100_000_000, b'a');
    text.extend_from_slice(b" HTTP/1.1\" 200 1 \"-\" \"-\"\n");
    text.extend_from_slice(log(300, 30).as_bytes());
    let log = place.file("long.log", &text);
    let check = |run: Run| {
        let inspected = run.ok().json();
        let input = &inspected["inputs"][0];
        assert_eq!(input["requests"], 600, "{input}");
        assert_eq!(input["lines"], 601, "{input}");
        assert_eq!(input["rejects"]["too_long"]["count"], 1, "{input}");
        assert_eq!(input["rejects"]["too_long"]["positions"][0]["line"], 301, "{input}");
    };
    check(run(&["inspect", &log, "--format", "json"]));
    check(run_with(&["inspect", "-", "--format", "json"], &text));
    run(&["profile", &log]).ok();
    run(&["events", &log]).ok();
    #[cfg(target_os = "linux")]
    {
        // Address space for program, threads and blocks, but not for the line. One arena, because each reserves 64 MB.
        let program = env!("CARGO_BIN_EXE_analyzer");
        let script = format!("ulimit -v 120000 && exec '{program}' inspect --threads 2 --format json \"$0\"");
        let mut limited = std::process::Command::new("sh");
        limited.args(["-c", &script, &log]).env("MALLOC_ARENA_MAX", "1");
        let output = limited.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        check(Run { code: output.status.code().unwrap_or(-1), stdout: output.stdout, stderr });
    }
}

#[test]
fn too_many_rejected_lines_fail_when_asked_for() {
    let place = Place::new();
    let text: String = log(400, 40).lines().flat_map(|line| [line, "\n", "what is this\n"]).collect();
    let log = place.file("half.log", text);
    let conf = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"";
    for command in ["profile", "inspect", "events"] {
        let passed = run(&[command, &log, "--log-format", conf, "--min-parsed", "50%"]);
        assert_eq!(passed.code, 0, "{}", passed.stderr);
        assert!(
            passed.stderr.contains("warning: ") && passed.stderr.contains("400 of 800 lines"),
            "{}",
            passed.stderr
        );
        let failed = run(&[command, &log, "--log-format", conf, "--min-parsed", "99%"]);
        assert_eq!(failed.code, 1, "{}", failed.stderr);
        for part in ["error: ", "found: 50 % of 800 lines", "expected: at least 99 %", "hint:"] {
            assert!(failed.stderr.contains(part), "{command}: no `{part}` in {}", failed.stderr);
        }
        assert!(!failed.stdout.is_empty(), "the result is there all the same");
    }
}

#[test]
fn a_broken_profile_is_told_all_that_is_wrong() {
    let place = Place::new();
    let broken = EXAMPLE
        .replace("weight: 0.625", "weight: 6.25")
        .replace("default: browse", "default: browsing")
        .replace("tue: [0.01,", "tue: [-0.01,");
    let profile = place.file("broken.yaml", &broken);
    let parts = [
        profile.as_str(),
        "3 problems",
        "`/endpoints/0/weight`: found 6.25, expected",
        "`/classes/0/think_time/default`: found `browsing`, expected",
        "hint: did you mean `browse`?",
        "`/arrivals/week/tue/0`: found -0.01, expected",
    ];
    check(&["validate", &profile], 2, &parts);
    let json = run(&["validate", &profile, "--format", "json"]);
    assert_eq!(json.code, 2);
    let json = json.json();
    assert_eq!((&json["valid"], json["violations"].as_array().unwrap().len()), (&Value::from(false), 3));
    let misspelt = place.file(
        "misspelt.yaml",
        EXAMPLE.replace("think_times:", "think_time:").replace("weight: 0.375", "wieght: 0.375"),
    );
    check(&["validate", &misspelt], 2, &["did you mean `think_times`", "did you mean `weight`"]);
    let other = place.file("other.yaml", EXAMPLE.replace("loadprint: 1", "loadprint: 2"));
    check(&["validate", &other], 2, &["`loadprint: 2`", "`loadprint: 1`", "hint:"]);
    check(&["validate", &place.file("text.yaml", "a: b: c")], 2, &["text.yaml"]);
    check(&["validate", &place.file("nothing.yaml", "")], 2, &["nothing.yaml"]);
    check(&["validate", &place.name("missing.yaml")], 2, &["missing.yaml", "No such file"]);
    let good = run(&["validate", &place.file("good.yaml", EXAMPLE)]).ok();
    assert!(String::from_utf8_lossy(&good.stdout).contains("valid, 2 endpoints"));
    let json = run(&["validate", &place.name("good.yaml"), "--format", "json"]).ok().json();
    assert_eq!(json["valid"], true);
}

#[test]
fn nobody_listening_is_no_error() {
    let (gz, conf) = (sample_gz(), sample_conf());
    let (gz, conf) = (gz.to_str().unwrap(), conf.to_str().unwrap());
    for arguments in [
        &["profile", gz, "--from", conf][..],
        &["events", gz, "--from", conf],
        &["inspect", gz, "--from", conf],
        &["schema"],
    ] {
        let mut child = command(arguments).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), stderr.as_ref()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn failed_runs_leave_no_files_and_keep_what_was_there() {
    let place = Place::new();
    let tiny = place.file("tiny.log", log(30, 3));
    let prose = place.file("prose.log", "Once upon a time\n");
    let good = place.file("good.log", log(300, 30));
    let out = place.file("kept.yaml", "precious\n");
    fs_err::create_dir(place.path("directory")).unwrap();
    place.file("directory/file", "");
    let before = place.files();
    for command in ["profile", "events"] {
        for arguments in [
            &[command, &prose, "-o", &out][..],
            &[command, &tiny, &prose, "-o", &place.name("new.yaml")],
            &[command, &good, "-o", &place.name("no such directory/new.yaml")],
            &[command, &good, "-o", &place.name("directory")],
        ] {
            let run = run(arguments);
            check_error(&run, 2, &[]);
            assert_eq!(place.files(), before, "{arguments:?}");
        }
    }
    check(&["profile", &tiny, "-o", &out], 2, &["too little traffic"]);
    assert_eq!(fs_err::read_to_string(&out).unwrap(), "precious\n");
    let run = run(&["profile", &good, "-o", &place.name("no such directory/new.yaml")]);
    assert!(run.stderr.contains("no such directory"), "{}", run.stderr);
}

#[test]
fn fields_mean_what_people_say() {
    let place = Place::new();
    let format = "$remote_addr [$time_local] \"$request\" $status $took";
    let line = "192.0.2.1 [02/Nov/2026:10:05:03 +0100] \"GET /a HTTP/1.1\" 200 250\n";
    let timed = place.file("timed.log", line);
    let conf = place.file("nginx.conf", format!("http {{ log_format timed '{format}'; }}"));
    let table =
        place.file("table.csv", "time,url,status,ip,took\n2026-11-02T09:05:03Z,/a,200,192.0.2.1,250\n");
    for arguments in [
        &[&timed, "--log-format", format, "--map", "$took=duration:ms"][..],
        &[&timed, "--from", &conf, "--map", "took=duration:ms"],
        &[&table, "--map", "took=duration:ms"],
    ] {
        let run = run(&[&["events"], arguments].concat());
        assert_eq!(run.code, 0, "{}", run.stderr);
        let event: Value = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!((&event["duration_s"], &event["status"]), (&0.25.into(), &200.into()), "{arguments:?}");
    }
    check(&["events", &table, "--map", "wait=duration:ms"], 2, &["no field `wait`", "found: `time`, `url`"]);
}

/// A full disk is found out while writing; the target is not touched.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let place = Place::new();
    let good = place.file("good.log", log(300, 30));
    for command in ["profile", "events", "inspect"] {
        let script = format!("exec '{}' {command} \"$0\" > /dev/full", env!("CARGO_BIN_EXE_analyzer"));
        let output = std::process::Command::new("sh").args(["-c", &script, &good]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command}: {stderr}");
        assert!(stderr.contains("No space left"), "{command}: {stderr}");
    }
}

#[test]
fn results_go_to_stdout_and_words_to_stderr() {
    let place = Place::new();
    let good = place.file("good.log", log(300, 30));
    let out = place.name("out");
    for command in ["profile", "events", "inspect"] {
        let loud = run(&[command, &good]).ok();
        // No terminal, no progress: neither its words nor the codes that redraw it.
        assert!(
            !loud.stderr.contains(['\r', '\u{1b}']) && !loud.stderr.contains("reading"),
            "{}",
            loud.stderr
        );
        let quiet = run(&[command, &good, "--quiet"]).ok();
        assert_eq!(quiet.stderr, "", "{command}");
        if command != "events" {
            assert_eq!(quiet.stdout, loud.stdout, "{command}");
        }
        if command != "inspect" {
            let to_file = run(&[command, &good, "-o", &out, "-q"]).ok();
            assert_eq!((to_file.stderr.as_str(), to_file.stdout.len()), ("", 0));
            assert!(fs_err::metadata(&out).unwrap().len() > 0);
        }
    }
    assert_eq!(place.files(), ["good.log", "out"]);
}

#[test]
fn the_schema_is_the_one_in_the_repository_and_the_profile_of_the_sample_conforms() {
    let printed = run(&["schema"]).ok().stdout;
    let kept = fs_err::read(repository("schemas/profile.schema.json")).unwrap();
    assert!(
        printed == kept,
        "schemas/profile.schema.json is out of date: UPDATE_SCHEMA=1 cargo test -p shared"
    );
    let validator = jsonschema::validator_for(&serde_json::from_slice(&printed).unwrap()).unwrap();
    let conf = sample_conf();
    let run = run(&["profile", sample_gz().to_str().unwrap(), "--from", conf.to_str().unwrap()]).ok();
    let profile = shared::io::from_yaml(std::str::from_utf8(&run.stdout).unwrap()).unwrap();
    let profile = serde_json::to_value(&profile).unwrap();
    let errors: Vec<String> = validator.iter_errors(&profile).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn events_are_one_object_per_request_in_the_order_of_the_log() {
    let conf = sample_conf();
    let gz = sample_gz();
    let run = run(&["events", gz.to_str().unwrap(), "--from", conf.to_str().unwrap()]).ok();
    let text = String::from_utf8(run.stdout).unwrap();
    let mut last = String::new();
    let mut requests = 0;
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let ended_at = event["ended_at"].as_str().unwrap();
        assert!(last.as_str() <= ended_at, "{last} {ended_at}");
        last = ended_at.to_owned();
        assert!(event["status"].is_u64() && event["client"].as_str().unwrap().len() == 16);
        requests += 1;
    }
    let inspected = crate::support::run(&[
        "inspect",
        gz.to_str().unwrap(),
        "--from",
        conf.to_str().unwrap(),
        "--format",
        "json",
    ]);
    assert_eq!(inspected.ok().json()["inputs"][0]["requests"], requests);
    assert!(run.stderr.contains(&format!("{requests} events written")), "{}", run.stderr);
}

/// Every command with flags shows examples, in lines that fit a terminal.
#[test]
fn help_fits_and_shows_examples() {
    for arguments in [
        &["--help"][..],
        &["profile", "--help"],
        &["inspect", "--help"],
        &["events", "--help"],
        &["validate", "--help"],
        &["schema", "--help"],
    ] {
        let help = run(arguments).ok();
        let text = String::from_utf8(help.stdout).unwrap();
        let widest = text.lines().max_by_key(|line| line.chars().count()).unwrap();
        assert!(widest.chars().count() <= 100, "{arguments:?}: {widest}");
        assert!(text.contains("Example"), "{arguments:?}\n{text}");
        assert!(help.stderr.is_empty());
    }
    for flag in ["-V", "--version"] {
        assert!(String::from_utf8(run(&[flag]).ok().stdout).unwrap().starts_with("analyzer "));
    }
}

/// Where events go that do not fit in memory leaves nothing behind, and says so when it cannot be used.
#[test]
#[cfg(unix)]
fn events_beyond_the_memory_wait_in_a_file_that_nobody_sees() {
    let (place, temporary) = (Place::new(), Place::new());
    let log = place.file("access.log", log(2_000, 20));
    let profile = |memory: &str, directory: &Path| {
        let arguments = ["profile", &log, "--memory", memory, "--quiet"];
        let output = command(&arguments).env("TMPDIR", directory).output().unwrap();
        (output.status.code(), output.stdout, String::from_utf8(output.stderr).unwrap())
    };
    let (code, expected, _) = profile("1G", &temporary.path("nowhere"));
    assert_eq!((code, expected.is_empty()), (Some(0), false), "no file is made before one is needed");
    let (code, found, _) = profile("0", temporary.0.path());
    assert_eq!((code, found == expected), (Some(0), true));
    assert_eq!(temporary.files(), Vec::<String>::new());
    let (code, _, errors) = profile("0", &temporary.path("nowhere"));
    assert_eq!(code, Some(2));
    assert!(errors.contains("cannot use a temporary file") && errors.contains("TMPDIR"), "{errors}");
    let (code, _, errors) = profile("much", temporary.0.path());
    assert_eq!(code, Some(2));
    assert!(errors.contains("expected a size such as `512M`"), "{errors}");
}
