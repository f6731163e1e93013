//! What people give a run: rows of files, templates, secrets, a login.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use crate::support::{directory, hurried, output, replayer, request_head, run, server};

/// One request as the target saw it.
#[derive(Debug)]
struct Seen {
    head: String,
    body: String,
}

/// A target that answers with what `answer` makes of a request, and tells of all of them.
fn target(answer: impl Fn(&Seen) -> String + Clone + Send + 'static) -> (String, Receiver<Seen>) {
    let (tell, told) = channel();
    let tell = Arc::new(Mutex::new(tell));
    let address = server(move |mut stream| {
        while let Some(seen) = read(&mut stream) {
            let _ = stream.write_all(answer(&seen).as_bytes());
            let _ = tell.lock().unwrap().send(seen);
        }
    });
    (format!("http://{address}"), told)
}

fn read(stream: &mut TcpStream) -> Option<Seen> {
    let head = request_head(stream)?.to_ascii_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Seen { head, body: String::from_utf8(body).unwrap() })
}

fn fine(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

const SCHEDULE: [&str; 6] = ["--duration", "1s", "--scale", "600", "--drain", "10s"];

/// The hurried example in which the home page is a login, and items need what it gives.
fn with_login(extract: &str) -> String {
    let request = r#"
  request:
    headers: {Content-Type: application/json}
    body: '{"name": {{ feed.users.name|tojson }}}'"#;
    let yaml = hurried()
        .replacen("method: GET", &format!("method: POST{request}"), 1)
        .replace(
            "  parameters:\n    slug:",
            "  request: {headers: {Authorization: \"Bearer {{ vars.token }}\", X-Key: \"${LOADPRINT_TEST_KEY}\"}}\n  parameters:\n    slug:",
        );
    format!(
        "{yaml}\nfeeds: {{users: users.csv}}\nlogin: {{endpoint: get_home, extract: {{token: {extract}}}}}\n"
    )
}

#[test]
fn paths_hold_the_rows_of_a_feed() {
    let (url, told) = target(|_| fine(""));
    let (directory, profile) = directory(&hurried());
    let feed = directory.path().join("items.csv");
    fs_err::write(&feed, "slug,note\nblue-mug,1\nred mug,2\n").unwrap();
    let feed = ["--feed", feed.to_str().unwrap()];
    run(&profile, &url, &[&SCHEDULE[..], &feed].concat());
    let asked: BTreeSet<String> = told
        .try_iter()
        .filter_map(|seen| seen.head.split(' ').nth(1)?.strip_prefix("/items/").map(str::to_owned))
        .collect();
    assert_eq!(asked, ["blue-mug".to_owned(), "red%20mug".to_owned()].into());
    // The plan shows the same.
    let plan = ["plan", profile.to_str().unwrap(), "--sessions", "200"];
    let shown = output(&[&plan[..], &SCHEDULE[..4], &feed].concat());
    let shown = String::from_utf8(shown.stdout).unwrap();
    let [all, blue, red] =
        ["/items/", "/items/blue-mug", "/items/red%20mug"].map(|path| shown.matches(path).count());
    assert!(blue > 0 && red > 0 && blue + red == all, "{shown}");
}

#[test]
fn a_session_logs_in_first_and_stays_who_it_is() {
    let (url, told) = target(|seen| {
        let name = seen.body.strip_prefix("{\"name\": \"").and_then(|rest| rest.strip_suffix("\"}"));
        name.map_or_else(|| fine(""), |name| fine(&format!("{{\"token\": \"t-{name}\"}}")))
    });
    let (directory, profile) = directory(&with_login("{json: /token}"));
    let rows: String = (0..40).map(|i| format!("user{i}\n")).collect();
    fs_err::write(directory.path().join("users.csv"), format!("name\n{rows}")).unwrap();
    let mut command = replayer(&["run", profile.to_str().unwrap(), "--target", &url, "--format", "json"]);
    command.args(SCHEDULE).args(["--allow-method", "POST:get_home"]).env("LOADPRINT_TEST_KEY", "k3y");
    let output = command.output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["logins_failed"], serde_json::Value::Null);
    assert_eq!(report["requests"]["planned"], report["requests"]["completed"], "{report:#}");
    let mut sessions: std::collections::BTreeMap<String, Vec<Seen>> = Default::default();
    for seen in told.try_iter() {
        let name = seen.head.lines().find_map(|line| line.strip_prefix("x-loadprint-session: ")).unwrap();
        sessions.entry(name.to_owned()).or_default().push(seen);
    }
    let (mut users, mut items) = (BTreeSet::new(), 0);
    for requests in sessions.values() {
        let first = &requests[0];
        assert!(first.head.starts_with("post / ") && first.head.contains("content-type: application/json"));
        let user = first.body.strip_prefix("{\"name\": \"").unwrap().strip_suffix("\"}").unwrap();
        users.insert(user);
        for request in requests {
            if request.head.starts_with("get /items/") {
                items += 1;
                assert!(request.head.contains(&format!("authorization: bearer t-{user}\r\n")), "{request:?}");
                assert!(request.head.contains("x-key: k3y\r\n"));
            } else {
                assert_eq!(request.body, first.body);
            }
        }
    }
    assert!(users.len() > 10 && items > 10, "{users:?} {items}");
    let shown =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!shown.contains("k3y"), "{shown}");
}

#[test]
fn a_session_without_its_login_ends() {
    let (url, told) = target(|_| fine("{}"));
    let (directory, profile) = directory(&with_login("{json: /token}"));
    fs_err::write(directory.path().join("users.csv"), "name\nme\n").unwrap();
    let mut command = replayer(&["run", profile.to_str().unwrap(), "--target", &url, "--format", "json"]);
    command.args(SCHEDULE).args(["--allow-method", "POST"]).env("LOADPRINT_TEST_KEY", "k3y");
    let report: serde_json::Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    assert_eq!(report["logins_failed"], report["sessions"]["planned"], "{report:#}");
    assert!(told.try_iter().all(|seen| seen.head.starts_with("post / ")));
}

#[test]
fn what_is_missing_is_found_before_the_run() {
    let refused = |yaml: &str, more: &[&str]| {
        let (directory, profile) = directory(yaml);
        fs_err::write(directory.path().join("users.csv"), "name\nme\n").unwrap();
        let arguments = ["run", profile.to_str().unwrap(), "--target", "http://127.0.0.1:9", "--dry-run"];
        let output = output(&[&arguments[..], more].concat());
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    };
    let login = with_login("{json: /token}");
    assert!(refused(&login, &["--allow-method", "POST"]).contains("secret `LOADPRINT_TEST_KEY`"));
    assert!(refused(&login, &[]).contains("--allow-method"));
    let misspelt = login.replace("${LOADPRINT_TEST_KEY}", "{{ vars.tokn }}");
    assert!(
        refused(&misspelt, &["--allow-method", "POST"])
            .contains("`/endpoints/1/request/headers/X-Key`, line 1")
    );
    let elsewhere = login.replace("users.csv", "nobody.csv");
    assert!(refused(&elsewhere, &["--allow-method", "POST"]).contains("nobody.csv"));
    let wrong = with_login("{regex: \"(\"}");
    assert!(refused(&wrong, &["--allow-method", "POST"]).contains("/login/extract/token"));
}

/// A session waits the second that each answer asks for in these lines of its head.
#[track_caller]
fn check_wait(lines: &'static str) {
    let began: Arc<Mutex<Vec<(String, std::time::SystemTime)>>> = Arc::default();
    let noted = Arc::clone(&began);
    let (url, told) = target(move |seen| {
        let session = seen.head.lines().find_map(|line| line.strip_prefix("x-loadprint-session: ")).unwrap();
        noted.lock().unwrap().push((session.to_owned(), std::time::SystemTime::now()));
        format!("HTTP/1.1 503 Busy\r\n{lines}\r\ncontent-length: 0\r\n\r\n")
    });
    let (_directory, profile) = directory(&hurried());
    run(&profile, &url, &["--duration", "500ms", "--scale", "600", "--drain", "2s"]);
    assert!(told.try_iter().count() > 20);
    let began = began.lock().unwrap();
    let mut pairs = 0;
    for (at, (session, time)) in began.iter().enumerate() {
        if let Some((_, next)) = began[at + 1..].iter().find(|(other, _)| other == session) {
            pairs += 1;
            assert!(next.duration_since(*time).unwrap().as_secs_f64() >= 0.99, "{session}");
        }
    }
    assert!(pairs > 5, "{pairs}");
}

#[test]
fn a_target_that_asks_for_time_gets_it() {
    check_wait("retry-after: 1");
    // A date is one of the target's clock, which here is some thirty years behind.
    check_wait("retry-after: Sun, 06 Nov 1994 08:49:38 GMT\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT");
}
