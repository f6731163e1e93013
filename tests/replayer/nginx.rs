//! A real nginx as the target, over HTTP/1.1, TLS and HTTP/2: its own log says what the report says.
//!
//! Without nginx on the machine (`tests/run.sh` installs it) there is nothing to test, and the test says so.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use replayer::Settings;
use replayer::config::{Schedule, WireSettings};
use replayer::report::RunReport;
use shared::io::from_yaml;
use tempfile::TempDir;

use crate::authority::Authority;
use crate::support::hurried;

struct Nginx {
    child: Child,
    ports: [u16; 3],
    directory: TempDir,
}

/// Its ports, by what is spoken there.
const PLAIN: usize = 0;
const TLS: usize = 1;
const HTTP2: usize = 2;

impl Nginx {
    /// An nginx that answers 200, but to items, of which it has none; `None` where it is not installed.
    fn start(authority: &Authority) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().display();
        // The ports are free when asked; if somebody else takes one meanwhile, the next ones are tried.
        for _ in 0..5 {
            let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
            let ports = listeners.map(|listener| listener.local_addr().unwrap().port());
            let server = |(port, tls): (u16, &str)| {
                format!(
                    "server {{ listen 127.0.0.1:{port}{tls}; ssl_certificate {}; ssl_certificate_key {};\n\
                     location / {{ return 200 'ok'; }} location /items/ {{ return 404 'none'; }} }}\n",
                    authority.file("server.pem").display(),
                    authority.file("server.key").display(),
                )
            };
            let servers: String = ports.into_iter().zip(["", " ssl", " ssl http2"]).map(server).collect();
            let configuration = format!(
                "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n\
                 events {{}}\n\
                 http {{\n\
                 log_format seen '$server_port $server_protocol $status $request_method $http_x_loadprint_session';\n\
                 access_log {folder}/access.log seen; keepalive_requests 7;\n\
                 client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};\n\
                 uwsgi_temp_path {folder}; scgi_temp_path {folder};\n{servers}}}\n"
            );
            fs_err::write(directory.path().join("nginx.conf"), configuration).unwrap();
            let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
            let mut child = Command::new("nginx")
                .env("PATH", path)
                .args(["-p", directory.path().to_str().unwrap(), "-e", "error.log", "-c", "nginx.conf"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .ok()?;
            // Ready when it answers; gone when a port was taken.
            while child.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", ports[HTTP2])).is_ok() {
                    return Some(Self { child, ports, directory });
                }
                thread::yield_now();
            }
        }
        panic!("nginx does not start: {}", lines(&directory.path().join("error.log")).join("\n"));
    }

    /// The words of each line of its log, once there are as many as answers were read: a line is written after those.
    fn log(&self, answers: u64) -> Vec<Vec<String>> {
        loop {
            let lines = lines(&self.directory.path().join("access.log"));
            if lines.len() as u64 >= answers {
                return lines.iter().map(|line| line.split(' ').map(str::to_owned).collect()).collect();
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(file: &Path) -> Vec<String> {
    fs_err::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Some 100 sessions in a second.
#[track_caller]
fn run(target: &str, wire: WireSettings) -> RunReport {
    let schedule = Schedule { scale: 1250.0, duration: Some(Duration::from_secs(1)), ..Schedule::default() };
    let settings = Settings { target: target.to_owned(), schedule, wire, ..Settings::default() };
    let report = replayer::run(&from_yaml(&hurried()).unwrap(), &settings, &mut ()).unwrap();
    let requests = report.requests;
    let accounted =
        requests.completed + requests.failed + requests.timed_out + requests.dropped + requests.cut;
    assert_eq!((requests.planned, requests.unfinished), (accounted, 0), "{report:#?}");
    report
}

/// Everything that was sent to this port was answered, and stands in the log as it does in the report.
#[track_caller]
fn check(nginx: &Nginx, spoken: usize, protocol: &str, wire: WireSettings) {
    let port = nginx.ports[spoken];
    let scheme = if spoken == PLAIN { "http" } else { "https" };
    let before = nginx.log(0).len() as u64;
    let report = run(&format!("{scheme}://127.0.0.1:{port}"), wire);
    let requests = report.requests;
    assert!(requests.sent > 100 && requests.completed == requests.sent, "{report:#?}");

    let log = nginx.log(before + requests.completed).split_off(before as usize);
    let mut statuses: BTreeMap<String, u64> = BTreeMap::new();
    let mut sessions = BTreeSet::new();
    for line in &log {
        let [at, spoke, status, method, session] = &line[..] else { panic!("{line:?}: expected five words") };
        assert_eq!([at.as_str(), spoke, method], [port.to_string().as_str(), protocol, "GET"], "{line:?}");
        *statuses.entry(status.clone()).or_default() += 1;
        sessions.insert(session.clone());
    }
    assert_eq!(log.len() as u64, requests.completed);
    assert_eq!(statuses, report.statuses, "{report:#?}");
    assert!(statuses["200"] > 0 && statuses["404"] > 0, "{statuses:?}");
    assert!(sessions.len() as u64 <= report.sessions.planned && sessions.len() > 30, "{report:#?}");
}

#[test]
fn the_log_of_a_real_nginx_says_what_the_report_says() {
    let authority = Authority::new();
    let Some(nginx) = Nginx::start(&authority) else {
        eprintln!("skipped: there is no nginx on this machine");
        return;
    };
    let trusting = WireSettings { ca: vec![authority.file("ca.pem")], ..WireSettings::default() };
    check(&nginx, PLAIN, "HTTP/1.1", WireSettings::default());
    check(&nginx, TLS, "HTTP/1.1", trusting.clone());
    check(&nginx, HTTP2, "HTTP/2.0", WireSettings { http2: true, ..trusting });
}

#[test]
fn a_real_nginx_that_is_killed_refuses_the_rest() {
    let authority = Authority::new();
    let Some(mut nginx) = Nginx::start(&authority) else {
        eprintln!("skipped: there is no nginx on this machine");
        return;
    };
    let target = format!("http://127.0.0.1:{}", nginx.ports[PLAIN]);
    let replay = thread::spawn(move || run(&target, WireSettings::default()));
    // Some are answered, and then nobody is there.
    nginx.log(60);
    nginx.child.kill().unwrap();
    nginx.child.wait().unwrap();
    let report = replay.join().unwrap();
    let requests = report.requests;
    assert!(report.failures["refused"] > 10, "{report:#?}");
    // nginx writes a line once the answer is on its way, which only those under way at the kill miss.
    let logged = nginx.log(0).len() as u64;
    assert!(requests.completed >= 50 && requests.completed.abs_diff(logged) <= 10, "{logged}: {report:#?}");
    assert_eq!(requests.completed + requests.failed, requests.sent, "{report:#?}");
}
