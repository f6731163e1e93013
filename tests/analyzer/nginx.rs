//! A real nginx writes the log: what was sent must come out of the analyzer, escapes and durations included.
//!
//! Without nginx on the machine (`tests/run.sh` installs it) there is nothing to test, and the test says so.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use analyzer::format::{Cache, Options, configuration, nginx_format};
use analyzer::request::Request;
use analyzer::session::identity::Identity;
use proptest::prelude::*;
use serde_json::Value;

const LOG_FORMAT: &str = r#"'$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
        '"$http_referer" "$http_user_agent" rt=$request_time at=$msec cookie="$cookie_sid"'"#;

pub(crate) struct Nginx {
    child: Child,
    port: u16,
}

impl Nginx {
    /// Sends `request` and waits for the whole answer.
    pub(crate) fn send(&self, request: &[u8]) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-QUIT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

/// Starts nginx on a free port, with its configuration and one log per format in `directory`; `None` where there is no
/// nginx. A format is a name and what stands after it in its directive.
pub(crate) fn start(directory: &Path, formats: &[(&str, &str)]) -> Option<Nginx> {
    let mut logs = String::new();
    for (name, format) in formats {
        if *name != "combined" {
            writeln!(logs, "    log_format {name} {format};").unwrap();
        }
        writeln!(logs, "    access_log {}/{name}.log {name};", directory.display()).unwrap();
    }
    // The port is free when asked; if somebody else takes it meanwhile, the next one is tried.
    for _ in 0..5 {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = directory.display();
        let configuration = format!(
            "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n\
             events {{}}\n\
             http {{\n{logs}    large_client_header_buffers 4 32k; \
             client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};\n    \
             uwsgi_temp_path {folder}; scgi_temp_path {folder};\n    \
             server {{ listen 127.0.0.1:{port}; location / {{ return 200 'ok'; }} }}\n}}\n"
        );
        fs_err::write(directory.join("nginx.conf"), configuration).unwrap();
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        let mut child = Command::new("nginx")
            .env("PATH", path)
            .args(["-p", directory.to_str().unwrap(), "-e", "error.log", "-c", "nginx.conf"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        // Ready when it answers; gone when the port was taken.
        while child.try_wait().unwrap().is_none() {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(Nginx { child, port });
            }
            std::thread::yield_now();
        }
    }
    panic!(
        "nginx does not start: {}",
        fs_err::read_to_string(directory.join("error.log")).unwrap_or_default()
    );
}

/// An answer is read before its line is written: nginx logs when it lets go of the request.
pub(crate) fn wait_for_lines(log: &Path, count: usize) {
    let lines = || fs_err::read(log).map_or(0, |log| log.split(|byte| *byte == b'\n').count() - 1);
    while lines() < count {
        std::thread::yield_now();
    }
}

#[test]
fn what_nginx_was_sent_comes_out_of_its_log() {
    let directory = tempfile::tempdir().unwrap();
    let Some(nginx) = start(directory.path(), &[("probe", LOG_FORMAT)]) else {
        eprintln!("skipped: there is no nginx on this machine");
        return;
    };
    let agents = [r#"plain/1.0"#, r#"quoted "agent" \ slash"#, "ünïcode/2.0", "tab\tinside"];
    for (i, agent) in agents.iter().enumerate() {
        let mut request = String::new();
        write!(request, "GET /item/{i}?q=a%20b HTTP/1.1\r\nHost: x\r\nUser-Agent: {agent}\r\n").unwrap();
        write!(request, "Referer: http://x/\"r\"\r\nCookie: sid=s{i}; other=1\r\nConnection: close\r\n\r\n")
            .unwrap();
        nginx.send(request.as_bytes());
    }
    nginx.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n");
    wait_for_lines(&directory.path().join("probe.log"), agents.len() + 1);
    drop(nginx);

    let log = directory.path().join("probe.log");
    let output = Command::new(env!("CARGO_BIN_EXE_analyzer"))
        .args([
            "inspect",
            log.to_str().unwrap(),
            "--from",
            directory.path().join("nginx.conf").to_str().unwrap(),
        ])
        .args([
            "--identity",
            "cookie:sid",
            "--records",
            "10",
            "--raw",
            "--stats",
            "--keep",
            "all",
            "--format",
            "json",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let inspection: Value = serde_json::from_slice(&output.stdout).unwrap();
    let input = &inspection["inputs"][0];
    assert_eq!((&input["format"], &input["rejected"]), (&"nginx:probe".into(), &0.into()), "{input:#}");
    let records = input["records"].as_array().unwrap();
    assert_eq!(records.len(), agents.len() + 1);
    for (i, (record, agent)) in records.iter().zip(agents).enumerate() {
        assert_eq!(record["path"], format!("/item/{i}"));
        assert_eq!(record["query"], "q=a%20b");
        assert_eq!(record["user_agent"], agent);
        assert_eq!(record["referer"], "http://x/\"r\"");
        assert_eq!((record["status"].as_u64(), record["bytes_out"].as_u64()), (Some(200), Some(2)));
        assert!(record["duration_s"].as_f64().is_some() && record["started_at"].is_string());
    }
    let noise = &records[agents.len()];
    assert_eq!((&noise["method"], noise["status"].as_u64()), (&Value::Null, Some(400)), "{noise:#}");
    // Four cookies, and the noise by its address.
    assert_eq!(inspection["stats"]["clients"], 5);
}

/// Ten formats: the escapings, adjacent variables, lists, unquoted text at the end, and the fields that not all have.
const FORMATS: [(&str, &str); 10] = [
    ("combined", ""),
    (
        "json",
        r#"escape=json '{"t":"$time_iso8601","c":"$remote_addr","r":"$request","s":$status,'
        '"rt":$request_time,"up":$upstream_response_time,"a":"$http_user_agent","f":"$http_referer"}'"#,
    ),
    (
        "none",
        r#"escape=none '$remote_addr [$time_local] "$request" $status "$http_referer" "$http_user_agent"'"#,
    ),
    (
        "parts",
        r#"'$msec $remote_addr "$request_method $scheme://$http_host$request_uri $server_protocol" $status '
        '"$http_user_agent" "$http_referer"'"#,
    ),
    (
        "tabs",
        r#"'time:$time_iso8601\tclient:$remote_addr\tmethod:$request_method\turi:$request_uri\tstatus:$status'
        '\tua:$http_user_agent\treferer:$http_referer\ttaken:$request_time'"#,
    ),
    (
        "pipes",
        r#"'$time_iso8601|$remote_addr|$request_method|$uri$is_args$args|$status|$http_user_agent|$http_referer'"#,
    ),
    (
        "ports",
        r#"'${remote_addr}:$remote_port [$time_local] "$request" $status $upstream_addr $upstream_status '
        '$upstream_response_time "$http_user_agent" "$http_referer" $connection:$connection_requests'"#,
    ),
    ("open", r#"'$remote_addr $msec "$request" $status "$http_referer" $http_user_agent'"#),
    (
        "chain",
        r#"'$http_x_forwarded_for - $remote_user [$time_local] "$request" $status $body_bytes_sent '
        '"$http_referer" "$http_user_agent" $request_id'"#,
    ),
    (
        "split",
        r#"'[$time_local] $remote_addr $request_method "$uri" "$args" $status "$http_cookie" "$http_user_agent" '
        '"$http_referer" $bytes_sent $request_length $pipe'"#,
    ),
];

/// What a client can put into a request line or a header and nginx lets pass.
fn hostile() -> Vec<Vec<u8>> {
    let controls: Vec<u8> = (1..=31).chain([127]).filter(|byte| !b"\t\n\r".contains(byte)).collect();
    vec![
        b"plain".to_vec(),
        br#"quo"ted"and'more'"#.to_vec(),
        br"back\slash\x22\\twice\".to_vec(),
        "\u{fc}n\u{ef}c\u{f6}de\u{1f600}".as_bytes().to_vec(),
        vec![0x80, 0xff, 0xc3, b'x', 0xa9],
        [b"controls".as_slice(), &controls].concat(),
        b"x".repeat(9_000),
        br#"{"json":"\u0041","n":[1,2]}"#.to_vec(),
        b"$request_uri%20${x}".to_vec(),
    ]
}

#[test]
fn every_format_gives_back_what_was_sent() {
    let directory = tempfile::tempdir().unwrap();
    let Some(nginx) = start(directory.path(), &FORMATS) else {
        eprintln!("skipped: there is no nginx on this machine");
        return;
    };
    let values = hostile();
    // nginx answers 400 to a control in the request line; headers may hold some.
    let in_line = |value: &[u8]| value.iter().all(|byte| *byte > b' ' && *byte != 0x7f);
    let mut sent: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for value in &values {
        let name = if in_line(value) { value.clone() } else { b"name".to_vec() };
        for query in [&b""[..], b"?", b"?q="] {
            let ending = if query.ends_with(b"=") { name.as_slice() } else { b"" };
            // `$uri` is decoded and normalised: a path without percent signs, question marks and dots stays as it is.
            let path = name.iter().filter(|byte| !b"%?#".contains(byte)).copied().collect::<Vec<u8>>();
            let target = [b"/item/".as_slice(), &path, query, ending].concat();
            sent.push((target, value.clone()));
        }
    }
    for (target, agent) in &sent {
        let request = [
            b"GET ".as_slice(),
            target,
            b" HTTP/1.1\r\nHost: www.example.com\r\nX-Forwarded-For: 203.0.113.9, 10.0.0.1\r\nUser-Agent: ",
            agent,
            b"\r\nReferer: http://www.example.com/",
            agent,
            b"\r\nConnection: close\r\n\r\n",
        ];
        nginx.send(&request.concat());
    }
    let (last, _) = FORMATS[FORMATS.len() - 1];
    wait_for_lines(&directory.path().join(format!("{last}.log")), sent.len());
    drop(nginx);

    let conf = directory.path().join("nginx.conf");
    for (name, _) in FORMATS {
        let format =
            configuration::format(&format!("{}:{name}", conf.display()), &Options::default()).unwrap();
        let log = fs_err::read(directory.path().join(format!("{name}.log"))).unwrap();
        let lines: Vec<&[u8]> = log.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n').collect();
        assert_eq!(lines.len(), sent.len(), "{name}");
        let mut cache = Cache::default();
        for (line, (target, agent)) in lines.into_iter().zip(&sent) {
            let shown = String::from_utf8_lossy(line).into_owned();
            let request =
                format.parse(line, &mut cache).unwrap_or_else(|reject| panic!("{name}: {reject:?}: {shown}"));
            assert_eq!(request.status, 200, "{name}: {shown}");
            assert_eq!(request.method, Some(&b"GET"[..]), "{name}: {shown}");
            let expected = match name {
                // A question mark with nothing after it leaves no trace in `$args`.
                "split" | "pipes" => target.strip_suffix(b"?").unwrap_or(target),
                _ => target.as_slice(),
            };
            // With the host in the target where the format puts it there.
            let found = [request.path(), &request.query().map_or(Vec::new(), |query| [b"?", query].concat())]
                .concat();
            assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(expected), "{name}: {shown}");
            assert_eq!(request.user_agent, Some(agent.as_slice()), "{name}: {shown}");
            let referer = [b"http://www.example.com/".as_slice(), agent].concat();
            assert_eq!(request.referer, Some(referer.as_slice()), "{name}: {shown}");
            let client: &[u8] = if name == "chain" { b"203.0.113.9" } else { b"127.0.0.1" };
            assert_eq!(request.client, client, "{name}: {shown}");
        }
    }
}

/// As `ngx_http_log_escape` prints a value with `escape=default`.
fn escaped(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in value {
        match byte {
            b'"' | b'\\' | 0..0x20 | 0x7f.. => write!(out, "\\x{byte:02X}").unwrap(),
            plain => out.push(*plain),
        }
    }
    out
}

/// As `ngx_escape_json` prints it.
fn escaped_json(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in value {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', *byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x08 => out.extend(b"\\b"),
            0x0c => out.extend(b"\\f"),
            0..0x20 => write!(out, "\\u{byte:04X}").unwrap(),
            plain => out.push(*plain),
        }
    }
    out
}

const ROUND_TRIP: &str = concat!(
    r#"log_format x escape=ESCAPE '$remote_addr "$remote_user" [$time_local] "$request_method" "$request_uri" $status "#,
    r#""$http_referer" "$http_user_agent" "$cookie_sid"';"#
);

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20_000) })]

    #[test]
    fn any_bytes_survive_the_escapes(
        values in proptest::array::uniform5(proptest::collection::vec(any::<u8>(), 0..40)),
        json in any::<bool>(),
    ) {
        thread_local! {
            static COMPILED: [analyzer::format::Format; 2] = ["default", "json"].map(|escape| {
                let identity = Identity::Cookie("sid".to_owned());
                nginx_format::compile(&ROUND_TRIP.replace("ESCAPE", escape), &identity.into()).unwrap()
            });
        }
        let print = if json { escaped_json } else { escaped };
        let [user, target, referer, agent, cookie] = values.each_ref().map(|value| print(value));
        let line = [
            b"192.0.2.1 \"", user.as_slice(), b"\" [02/Nov/2026:10:05:03 +0100] \"GET\" \"", &target, b"\" 200 \"",
            &referer, b"\" \"", &agent, b"\" \"", &cookie, b"\"",
        ].concat();
        COMPILED.with(|formats| {
            let mut cache = Cache::default();
            let request: Request<'_> = formats[usize::from(json)].parse(&line, &mut cache).unwrap();
            let found = [request.user, Some(request.target), request.referer, request.user_agent, request.identity];
            for (found, sent) in found.into_iter().zip(&values) {
                // nginx prints what is missing as `-` or as nothing: one cannot be told from the other.
                let sent = Some(sent.as_slice()).filter(|sent| !matches!(sent, [] | [b'-']));
                assert_eq!(found.filter(|found| !found.is_empty()), sent);
            }
        });
    }
}
