//! A real nginx writes the log: what was sent must come out of the analyzer, escapes and durations included.
//!
//! Without nginx on the machine (`tests/run.sh` installs it) there is nothing to test, and the test says so.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

const LOG_FORMAT: &str = r#"'$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
        '"$http_referer" "$http_user_agent" rt=$request_time at=$msec cookie="$cookie_sid"'"#;

struct Nginx {
    child: Child,
    port: u16,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-QUIT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

/// Starts nginx on a free port, with its configuration and log in `directory`; `None` where there is no nginx.
fn start(directory: &Path) -> Option<Nginx> {
    // The port is free when asked; if somebody else takes it meanwhile, the next one is tried.
    for _ in 0..5 {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = directory.display();
        let configuration = format!(
            "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n\
             events {{}}\n\
             http {{\n    log_format probe {LOG_FORMAT};\n    access_log {folder}/access.log probe;\n    \
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

fn send(port: u16, request: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
}

#[test]
fn what_nginx_was_sent_comes_out_of_its_log() {
    let directory = tempfile::tempdir().unwrap();
    let Some(nginx) = start(directory.path()) else {
        eprintln!("skipped: there is no nginx on this machine");
        return;
    };
    let agents = [r#"plain/1.0"#, r#"quoted "agent" \ slash"#, "ünïcode/2.0", "tab\tinside"];
    for (i, agent) in agents.iter().enumerate() {
        let mut request = String::new();
        write!(request, "GET /item/{i}?q=a%20b HTTP/1.1\r\nHost: x\r\nUser-Agent: {agent}\r\n").unwrap();
        write!(request, "Referer: http://x/\"r\"\r\nCookie: sid=s{i}; other=1\r\nConnection: close\r\n\r\n")
            .unwrap();
        send(nginx.port, request.as_bytes());
    }
    send(nginx.port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n");
    // An answer is read before its line is written: nginx logs when it lets go of the request.
    let lines = || {
        fs_err::read(directory.path().join("access.log"))
            .map_or(0, |log| log.split(|byte| *byte == b'\n').count() - 1)
    };
    while lines() <= agents.len() {
        std::thread::yield_now();
    }
    drop(nginx);

    let log = directory.path().join("access.log");
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
