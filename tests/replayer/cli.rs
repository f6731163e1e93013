//! Errors, exit codes, and where output goes.

use std::net::TcpListener;
use std::process::Stdio;

use shared::profile::EXAMPLE;

use crate::support::{TargetProcess, directory, hurried, output, replayer, request_head, run, server};

/// Runs with `profile.yaml` put in for `PROFILE`, and expects an exit code and words on stderr.
#[track_caller]
fn check(yaml: &str, arguments: &[&str], code: i32, words: &[&str]) {
    let (_directory, profile) = directory(yaml);
    let arguments: Vec<&str> = arguments
        .iter()
        .map(|word| if *word == "PROFILE" { profile.to_str().unwrap() } else { word })
        .collect();
    let output = output(&arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(words.iter().all(|word| errors.contains(word)), "{errors}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A loopback port on which nobody listens.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn what_cannot_run_says_why_and_exits_with_2() {
    let local = "http://127.0.0.1:9";
    let run = |more: &[&'static str]| [&["run", "PROFILE", "--target", local], more].concat();
    check(
        EXAMPLE,
        &["run", "no/such.yaml", "--target", local],
        2,
        &["error: cannot read profile `no/such.yaml`"],
    );
    let wrong = EXAMPLE.replace("weight: 0.625", "weight: 6.25");
    check(
        &wrong,
        &run(&[]),
        2,
        &["error: cannot use profile", "caused by: 1 problem", "/endpoints/0/weight"],
    );
    check("loadprint: 9", &run(&[]), 2, &["`loadprint: 9`", "`loadprint: 1`", "hint:"]);
    check(EXAMPLE, &run(&["--speedup", "0"]), 2, &["--speedup", "expected a number above 0"]);
    check(EXAMPLE, &run(&["--duration", "soon"]), 2, &["--duration", "found `soon`", "90s"]);
    check(EXAMPLE, &run(&["--window", "5pm"]), 2, &["--window", "17:00-19:00"]);
    check(EXAMPLE, &run(&["--window", "17:4294967295-18:00"]), 2, &["--window", "17:00-19:00"]);
    for (valid, wrong, place) in [
        ("gap_s: 1800.0", "gap_s: -1.0", "/source/session_rule/gap_s"),
        ("-196: 20000", "-196: 18446744073709551615", "/endpoints/0/service_time_s/histogram/bins"),
        ("/items/{slug}", "/items{", "/endpoints/1/route"),
        ("/items/{slug}", "/a b", "/endpoints/1/route"),
    ] {
        check(&EXAMPLE.replace(valid, wrong), &run(&["--dry-run"]), 2, &["cannot use profile", place]);
    }
    check(EXAMPLE, &run(&["--threads", "0"]), 2, &["--threads", "1 to 256"]);
    check(EXAMPLE, &run(&["--allow-method", "P@ST"]), 2, &["--allow-method", "`P@ST`"]);
    check(EXAMPLE, &run(&["--threshold", "error_rate < 5"]), 2, &["--threshold", "found `5/s`", "a share"]);
    check(
        EXAMPLE,
        &run(&["--threshold", "rate > 1 on gone"]),
        2,
        &["threshold `rate > 1/s on gone`", "`gone`"],
    );
    let threshold = format!("{EXAMPLE}\nthresholds: [\"p95(respons_time) < 1s\"]\n");
    check(&threshold, &run(&[]), 2, &["threshold `p95(respons_time) < 1s`", "character 5"]);
    check(EXAMPLE, &run(&["--sped", "2"]), 2, &["--speedup"]);
    check(EXAMPLE, &["run", "PROFILE"], 2, &["--target"]);
    check(EXAMPLE, &["run", "PROFILE", "--target", "ftp://127.0.0.1"], 2, &["`http://` or `https://`"]);
}

#[test]
fn a_target_where_nobody_answers_is_an_error_with_a_hint() {
    let url = closed_port();
    check(
        EXAMPLE,
        &["run", "PROFILE", "--target", &url],
        2,
        &["cannot connect", "127.0.0.1", "refused", "hint:"],
    );
}

#[test]
fn a_target_that_hangs_up_on_every_request_does_not_look_fine() {
    let address = server(|mut stream| drop(request_head(&mut stream)));
    let (_directory, profile) = directory(&hurried());
    let target = format!("http://{address}");
    let arguments = ["run", profile.to_str().unwrap(), "--target", &target, "--duration", "500ms"];
    let text = String::from_utf8(output(&[&arguments[..], &["--scale", "200"]].concat()).stdout).unwrap();
    let second = text.lines().nth(1).unwrap();
    assert!(second.starts_with("NOTHING WAS ANSWERED: all"), "{text}");
    assert!(text.contains("closed: ") && !text.contains("p50 x"), "{text}");
}

#[test]
fn other_machines_are_refused_before_anything_is_sent() {
    // Addresses of TEST-NET-3, which belong to nobody: were one contacted, this would take until a timeout.
    for host in ["203.0.113.7", "[2001:db8::1]"] {
        let url = format!("http://{host}:8080");
        let arguments = ["run", "PROFILE", "--target", &url, "--dry-run"];
        check(EXAMPLE, &arguments, 2, &["another machine", "loopback", &format!("--allow-target {host}")]);
        check(EXAMPLE, &[&arguments[..], &["--allow-target", host]].concat(), 0, &["sessions"]);
    }
    let nobody = ["run", "PROFILE", "--target", "http://0.0.0.0:8080", "--allow-target", "0.0.0.0"];
    check(EXAMPLE, &nobody, 2, &["no machine's address", "127.0.0.1"]);
    let arguments = ["target", "PROFILE", "--listen", "0.0.0.0:0"];
    check(EXAMPLE, &arguments, 2, &["--listen", "loopback", "--allow-listen"]);
}

#[test]
fn a_dry_run_shows_the_plan_and_sends_nothing() {
    check(EXAMPLE, &["run", "PROFILE", "--target", &closed_port(), "--dry-run"], 0, &["mon 15:55", "seed"]);
}

#[test]
fn plans_that_make_no_sense_say_what_would() {
    let plan = |more: &[&'static str]| [&["plan", "PROFILE"], more].concat();
    for (arguments, words) in [
        (["--scenario", "pek"], ["`--scenario`", "`pek`, expected one of `baseline`"]),
        (["--speedup", "20000"], ["`--speedup`", "hint: sessions last as long as ever"]),
        (["--class", "al=0.5"], ["`--class`", "found `al`"]),
        (["--class", "all"], ["--class", "`browse=0.5`"]),
        (["--busy", "p95"], ["`--busy`", "`day_level_cv`"]),
        (["--busy", "p100"], ["--busy", "`p95`"]),
        (["--shard", "4/4"], ["--shard", "counted from 0"]),
    ] {
        check(EXAMPLE, &plan(&arguments), 2, &words);
    }
    let target = closed_port();
    let past = ["run", "PROFILE", "--target", &target, "--start-at", "2026-01-01T00:00:00Z"];
    check(EXAMPLE, &past, 2, &["`--start-at`: found a moment", "s ago", "`--join-late`"]);
    let huge = ["run", "PROFILE", "--target", &target, "--dry-run", "--scale", "900000"];
    check(EXAMPLE, &huge, 2, &["this machine cannot send that", "cores", "hint: lower `--scale` to"]);
}

#[test]
fn what_is_artificial_says_what_it_hides() {
    let run = |more: &[&'static str]| {
        let (_directory, profile) = directory(EXAMPLE);
        let target = closed_port();
        let run = ["run", profile.to_str().unwrap(), "--target", &target, "--dry-run"];
        let output = output(&[&run[..], more].concat());
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (flags, words) in [
        (&["--constant-rate", "3"][..], "a constant rate hides"),
        (&["--scenario", "stress", "--instant-step"], "an instant step hides"),
        (&["--one-class", "all"], "one class only hides"),
        (&["--think-time", "zero"], "without think time"),
    ] {
        let (code, text) = run(flags);
        assert!(code == Some(0) && text.contains(&format!("warning: {words}")), "{text}");
    }
    let (_, plain) = run(&["--scenario", "peak"]);
    assert!(!plain.contains("warning") && plain.contains("scenario   peak"), "{plain}");
    let (_, warm) = run(&["--scale", "1000"]);
    assert!(warm.contains("sessions are under way at the start"), "{warm}");
    let (_, cold) = run(&["--scale", "1000", "--warm-start", "off"]);
    assert!(!cold.contains("under way"), "{cold}");
}

#[test]
fn shards_add_up_to_the_plan_and_one_that_comes_late_says_what_it_missed() {
    let (_directory, profile) = directory(&hurried());
    let target = TargetProcess::start(&profile, &[]);
    let schedule = ["--scale", "500", "--duration", "2s", "--seed", "11"];
    let plan = output(&[&["plan", profile.to_str().unwrap(), "--format", "json"], &schedule[..]].concat());
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    let number = |of: &serde_json::Value, path: &str| of.pointer(path).unwrap().as_u64().unwrap();
    let digest = |of: &serde_json::Value| u64::from_str_radix(of["digest"].as_str().unwrap(), 16).unwrap();
    // One second ago: of two seconds, the second half is left.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let began = format!("{:.3}", now.as_secs_f64() - 1.0);
    let mut sums = [0; 3];
    for (shard, late) in [("0/2", false), ("1/2", true)] {
        let mut more = vec!["--shard", shard, "--drain", "20s"];
        if late {
            more.extend(["--start-at", &began, "--join-late"]);
        }
        let (_, report) = run(&profile, &target.url, &[&schedule[..], &more].concat());
        let [lost, lost_requests] = ["/sessions/lost", "/requests/lost"].map(|path| number(&report, path));
        assert_eq!((lost > 0, lost_requests > 0), (late, late), "{report:#}");
        let sent = number(&report, "/requests/sent");
        let figures = [number(&report, "/sessions/planned"), number(&report, "/requests/planned")];
        assert_eq!(sent + lost_requests, figures[1], "{report:#}");
        sums[0] += figures[0];
        sums[1] += figures[1];
        sums[2] = digest(&report).wrapping_add(sums[2]);
    }
    assert_eq!(sums, [number(&plan, "/sessions"), number(&plan, "/requests"), digest(&plan)]);
    assert_eq!(target.stop(), Some(0));
}

#[test]
fn a_trace_is_played_as_it_was() {
    let (directory, profile) = directory(&hurried());
    let target = TargetProcess::start(&profile, &[]);
    let events = directory.path().join("shop.events.csv");
    let mut table =
        "started_at,ended_at,duration_s,client,method,route,endpoint,status,bytes_out,kind,weight\n"
            .to_owned();
    for request in 0..60 {
        let (client, half) = (request % 7, 500 * (request % 2));
        table.push_str(&format!(
            "2026-11-02T08:00:0{}.{half:03}000000Z,,,c{client},GET,/items/{{id}},get_item,200,1,pages,\n",
            request / 20
        ));
    }
    fs_err::write(&events, table).unwrap();
    let plan = output(&["plan", events.to_str().unwrap(), "--trace", "--format", "json"]);
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    let (_, report) = run(&events, &target.url, &["--trace"]);
    assert_eq!((&report["digest"], &report["requests"]["completed"]), (&plan["digest"], &60.into()));
    assert_eq!(
        report["statuses"]["200"].as_u64().unwrap() + report["statuses"]["404"].as_u64().unwrap_or(0),
        60
    );
    assert_eq!(target.stop(), Some(0));
    check(EXAMPLE, &["plan", "PROFILE", "--trace"], 2, &["`.csv` or `.ndjson`", "analyzer events"]);
    check(EXAMPLE, &["plan", "PROFILE", "--trace", "--scale", "2"], 2, &["--scale", "--trace"]);
}

#[test]
fn what_is_not_replayed_is_said_in_one_line() {
    let yaml = EXAMPLE.replacen("  chain:", "  pace: -0.2\n  chain:", 1);
    let arguments = ["run", "PROFILE", "--target", &closed_port(), "--dry-run", "--quiet"];
    check(&yaml, &arguments, 0, &["warning: this version does not replay", "`pace below 0`"]);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let (_directory, profile) = directory(EXAMPLE);
    // More than a pipe holds, so that writing meets the closed end.
    let flags = ["--scale", "200", "--sessions", "10000"];
    let mut plan = replayer(&["plan", profile.to_str().unwrap()]);
    let mut child = plan.args(flags).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn run_does_what_plan_shows() {
    let (directory, profile) = directory(&hurried());
    let target = TargetProcess::start(&profile, &[]);
    let schedule = ["--scale", "500", "--duration", "1500ms", "--seed", "11"];
    let plan = output(&[&["plan", profile.to_str().unwrap(), "--format", "json"], &schedule[..]].concat());
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    let out = directory.path().join("new/results");
    for threads in ["1", "2"] {
        let more = ["--drain", "20s", "--threads", threads, "--out", out.to_str().unwrap()];
        let (code, report) = run(&profile, &target.url, &[&schedule[..], &more].concat());
        // 3 is a machine too busy for the plan; the plan is the same all the same.
        assert!(matches!(code, Some(0 | 3)), "{code:?} {report:#}");
        assert_eq!(report["digest"], plan["digest"]);
        assert_eq!(report["sessions"]["planned"], plan["sessions"]);
        assert_eq!(report["requests"]["completed"], plan["requests"]);
        let kept = fs_err::read_to_string(out.join("results.json")).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&kept).unwrap(), report);
    }
    assert_eq!(target.stop(), Some(0));
}

#[test]
fn the_text_fits_80_columns() {
    let yaml = hurried().replace("get_item", "get_an_item_with_a_very_long_name");
    let (_directory, profile) = directory(&yaml);
    let target = TargetProcess::start(&profile, &[]);
    let arguments = ["run", profile.to_str().unwrap(), "--target", &target.url, "--duration", "500ms"];
    let text = String::from_utf8(output(&[&arguments[..], &["--scale", "800"]].concat()).stdout).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for word in
        ["planned", "sent", "completed", "p99", "get_home", "statuses", "against production", "Send delay is"]
    {
        assert!(text.contains(word), "no `{word}` in\n{text}");
    }
}
