//! Ways to the target: TLS, HTTP/2, sockets in the file system, proxies, source addresses; cookies and redirects.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, Version};
use replayer::config::{Schedule, WireSettings};
use replayer::report::RunReport;
use replayer::{Error, Settings};
use shared::io::from_yaml;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::authority::Authority;
use crate::support::{answer, hurried, request_head, serve_http2, server};

/// Half a second of some fifty sessions.
#[track_caller]
fn run(target: &str, wire: WireSettings) -> Result<RunReport, Error> {
    let schedule =
        Schedule { scale: 1250.0, duration: Some(Duration::from_millis(500)), ..Schedule::default() };
    let settings = Settings { target: target.to_owned(), schedule, wire, ..Settings::default() };
    replayer::run(&from_yaml(&hurried()).unwrap(), &settings, &mut ())
}

/// The same, and all was answered.
#[track_caller]
fn check(target: &str, wire: WireSettings) -> RunReport {
    let report = run(target, wire).unwrap();
    assert!(report.requests.sent > 20, "{report:#?}");
    assert_eq!(report.requests.sent, report.requests.completed, "{report:#?}");
    report
}

/// What was seen, from any thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn note(&self, what: impl ToString) {
        self.0.lock().unwrap().push(what.to_string());
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// The value of a header in a request's head.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .find_map(|line| line.split_once(": ").filter(|(found, _)| *found == name))
        .map(|(_, value)| value)
}

/// Answers all requests on `stream`, and notes what each calls the target.
fn serve(stream: &mut (impl Read + Write), seen: &Seen) {
    while let Some(head) = request_head(stream) {
        seen.note(header(&head, "host").unwrap_or_default());
        answer(stream);
    }
}

pub(crate) fn tls_server(config: Arc<ServerConfig>, seen: &Seen) -> SocketAddr {
    let seen = seen.clone();
    server(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        serve(&mut StreamOwned::new(connection, stream), &seen);
    })
}

#[test]
fn tls_with_an_authority_of_ones_own() {
    let (authority, seen) = (Authority::new(), Seen::default());
    let address = tls_server(authority.server(false, b"http/1.1"), &seen);
    let target = format!("https://{address}");
    let trusting = WireSettings { ca: vec![authority.file("ca.pem")], ..WireSettings::default() };
    assert!(!check(&target, trusting.clone()).insecure);
    // The name is that of `--host`, and the certificate is for it.
    seen.0.lock().unwrap().clear();
    check(&target, WireSettings { host: Some("shop.test".to_owned()), ..trusting.clone() });
    assert!(seen.all().iter().all(|host| host == "shop.test"), "{:?}", seen.all());
    let other = run(&target, WireSettings { host: Some("other.test".to_owned()), ..trusting }).unwrap();
    assert_eq!((other.requests.completed, other.failures["tls"]), (0, other.requests.sent));
    // Nobody vouches for it; whoever does not mind says so, and so does the report.
    let strict = run(&target, WireSettings::default()).unwrap();
    assert_eq!((strict.requests.completed, strict.insecure), (0, false));
    let lenient = check(&target, WireSettings { insecure: true, ..WireSettings::default() });
    assert!(lenient.insecure && replayer::report::text(&lenient).contains("INSECURE"));
}

#[test]
fn a_certificate_is_shown_to_who_asks() {
    let (authority, seen) = (Authority::new(), Seen::default());
    let target = format!("https://{}", tls_server(authority.server(true, b"http/1.1"), &seen));
    let nobody = WireSettings { ca: vec![authority.file("ca.pem")], ..WireSettings::default() };
    assert_eq!(run(&target, nobody.clone()).unwrap().requests.completed, 0);
    let known = WireSettings {
        certificate: Some(authority.file("client.pem")),
        key: Some(authority.file("client.key")),
        ..nobody.clone()
    };
    check(&target, known.clone());
    let wrong = run(&target, WireSettings { key: Some(authority.file("ca.pem")), ..known }).unwrap_err();
    assert!(wrong.to_string().contains("ca.pem"), "{wrong}");
    let missing = run(&target, WireSettings { ca: vec!["no/such.pem".into()], ..nobody }).unwrap_err();
    assert!(missing.to_string().contains("no/such.pem"), "{missing}");
}

/// A server of HTTP/2, over TLS or not, that notes the version and authority of each request, and its connections.
fn http2_server(config: Option<Arc<ServerConfig>>, seen: &Seen, connections: &Seen) -> SocketAddr {
    let (seen, connections) = (seen.clone(), connections.clone());
    server(move |stream| {
        connections.note("one");
        let seen = seen.clone();
        let answer = move |request: Request<_>| {
            let version = if request.version() == Version::HTTP_2 { "2" } else { "1" };
            seen.note(format!("{version} {}", request.uri().authority().unwrap()));
            async { Response::new(Full::new(Bytes::from_static(b"hello"))) }
        };
        serve_http2(stream, config.clone(), answer);
    })
}

#[test]
fn http2_with_and_without_tls_over_one_connection_per_session() {
    let authority = Authority::new();
    for tls in [true, false] {
        let (seen, connections) = (Seen::default(), Seen::default());
        let config = tls.then(|| authority.server(false, b"h2"));
        let address = http2_server(config, &seen, &connections);
        let target = format!("{}://{address}", if tls { "https" } else { "http" });
        let wire =
            WireSettings { http2: true, ca: vec![authority.file("ca.pem")], ..WireSettings::default() };
        let report = check(&target, wire);
        assert_eq!(report.body_bytes, 5 * report.requests.completed);
        assert!(seen.all().iter().all(|request| *request == format!("2 {address}")), "{:?}", seen.all());
        // The first one asked whether anybody is there, and said nothing.
        let opened = connections.all().len() as u64 - 1;
        assert!((1..=report.sessions.planned).contains(&opened), "{opened}");
    }
    // A server that does not agree to it.
    let seen = Seen::default();
    let address = tls_server(authority.server(false, b"http/1.1"), &seen);
    let wire = WireSettings { http2: true, insecure: true, ..WireSettings::default() };
    assert_eq!(run(&format!("https://{address}"), wire).unwrap().requests.completed, 0);
}

#[cfg(unix)]
#[test]
fn a_socket_in_the_file_system() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let target = format!("unix:{}", path.display());
    let nobody = run(&target, WireSettings::default()).unwrap_err();
    assert!(nobody.to_string().contains("app.sock"), "{nobody}");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let seen = Seen::default();
    let hosts = seen.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let hosts = hosts.clone();
            thread::spawn(move || serve(&mut stream, &hosts));
        }
    });
    assert_eq!(check(&target, WireSettings::default()).address, target);
    assert!(seen.all().iter().all(|host| host == "localhost"));
}

#[cfg(target_os = "linux")]
#[test]
fn source_addresses_take_turns() {
    let seen = Seen::default();
    let sources = seen.clone();
    let address = server(move |mut stream| {
        let source = stream.peer_addr().unwrap().ip();
        while request_head(&mut stream).is_some() {
            sources.note(source);
            answer(&mut stream);
        }
    });
    let addresses: Vec<IpAddr> = ["127.0.0.2", "127.0.0.3"].map(|ip| ip.parse().unwrap()).into();
    let wire = WireSettings { source_addresses: addresses, ..WireSettings::default() };
    check(&format!("http://{address}"), wire);
    for source in ["127.0.0.2", "127.0.0.3"] {
        assert!(seen.all().iter().filter(|seen| *seen == source).count() > 5, "{source}");
    }
    assert!(!seen.all().iter().any(|source| source == "127.0.0.1"));
    let other = WireSettings { source_addresses: vec!["::1".parse().unwrap()], ..WireSettings::default() };
    let wrong = run(&format!("http://{address}"), other).unwrap_err().to_string();
    assert!(wrong.contains("--source-address"), "{wrong}");
}

/// Moves bytes both ways until one end closes.
fn join(one: &TcpStream, other: &TcpStream) {
    let way = |from: &TcpStream, to: &TcpStream| {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Write);
        })
    };
    let ways = [way(one, other), way(other, one)];
    ways.into_iter().for_each(|way| way.join().unwrap());
}

#[test]
fn a_proxy_is_told_whole_urls_or_asked_to_connect() {
    let seen = Seen::default();
    let lines = seen.clone();
    let proxy = server(move |mut stream| {
        while let Some(head) = request_head(&mut stream) {
            let first = head.lines().next().unwrap().to_owned();
            lines.note(&first);
            let Some(target) = first.strip_prefix("CONNECT ").and_then(|rest| rest.strip_suffix(" HTTP/1.1"))
            else {
                answer(&mut stream);
                continue;
            };
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            join(&stream, &TcpStream::connect(target).unwrap());
            return;
        }
    });
    let through = WireSettings { proxy: Some(format!("http://{proxy}")), ..WireSettings::default() };
    // Nobody listens there: it is the proxy that is asked.
    check("http://127.0.0.1:9", through.clone());
    let all = seen.all();
    assert!(all.iter().all(|line| line.starts_with("GET http://127.0.0.1:9/")), "{all:?}");
    seen.0.lock().unwrap().clear();
    let authority = Authority::new();
    let address = tls_server(authority.server(false, b"http/1.1"), &Seen::default());
    let report =
        check(&format!("https://{address}"), WireSettings { ca: vec![authority.file("ca.pem")], ..through });
    assert_eq!(report.address, proxy.to_string());
    assert!(seen.all().iter().all(|line| *line == format!("CONNECT {address} HTTP/1.1")), "{:?}", seen.all());
}

#[test]
fn a_session_remembers_its_cookies_and_no_other_session_has_them() {
    let seen = Seen::default();
    let requests = seen.clone();
    let address = server(move |mut stream| {
        while let Some(head) = request_head(&mut stream) {
            let session = header(&head, "x-loadprint-session").unwrap();
            requests.note(format!("{session} {}", header(&head, "cookie").unwrap_or("none")));
            let set =
                format!("HTTP/1.1 200 OK\r\nset-cookie: id={session}; Path=/\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(set.as_bytes()).unwrap();
        }
    });
    let report = check(&format!("http://{address}"), WireSettings::default());
    let (without, with): (Vec<String>, Vec<String>) =
        seen.all().into_iter().partition(|request| request.ends_with(" none"));
    // The first request of each session had none yet, and all others their own.
    assert_eq!(without.len() as u64, report.sessions.planned);
    assert!(
        with.len() > 10
            && with.iter().all(|request| {
                request.split_once(' ').is_some_and(|(session, cookie)| cookie == format!("id={session}"))
            })
    );
}

#[test]
fn redirects_are_followed_on_the_same_site_if_that_is_asked_for() {
    let seen = Seen::default();
    let requests = seen.clone();
    let address = server(move |mut stream| {
        while let Some(head) = request_head(&mut stream) {
            let path = head.split(' ').nth(1).unwrap().to_owned();
            requests.note(&path);
            let location = match path.as_str() {
                "/" => "/landing",
                "/landing" => {
                    answer(&mut stream);
                    continue;
                }
                _ => "http://203.0.113.9/elsewhere",
            };
            let found = format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(found.as_bytes()).unwrap();
        }
    });
    let target = format!("http://{address}");
    let plain = check(&target, WireSettings::default());
    assert_eq!((plain.redirects, plain.statuses["302"]), (0, plain.requests.completed));
    seen.0.lock().unwrap().clear();
    let followed = check(&target, WireSettings { follow_redirects: true, ..WireSettings::default() });
    let landed = seen.all().iter().filter(|path| *path == "/landing").count() as u64;
    // Those that lead to another site end there, and are answers.
    assert_eq!((followed.redirects, followed.statuses["200"]), (landed, landed));
    assert_eq!(followed.statuses["302"] + landed, followed.requests.completed);
    assert_eq!(seen.all().len() as u64, followed.requests.sent + followed.redirects);
}

/// All that is refused as a target, as what an answer leads to: nobody goes there.
#[test]
fn redirects_to_targets_that_are_refused_are_answers() {
    const CASES: &str = include_str!("refused_targets.txt");
    let refused =
        CASES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).filter_map(|line| {
            let (expected, rest) = line.split_once(' ')?;
            let url = rest.split_whitespace().next()?;
            (expected != "allowed" && url.contains("//")).then_some(url)
        });
    let refused: Arc<Vec<&str>> = Arc::new(refused.collect());
    let (seen, cases) = (Seen::default(), Arc::clone(&refused));
    let requests = seen.clone();
    let address = server(move |mut stream| {
        while let Some(head) = request_head(&mut stream) {
            let number = {
                let mut seen = requests.0.lock().unwrap();
                seen.push(head);
                seen.len() - 1
            };
            let location = cases[number % cases.len()];
            let found = format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(found.as_bytes()).unwrap();
        }
    });
    let schedule = Schedule { scale: 4000.0, duration: Some(Duration::from_secs(2)), ..Schedule::default() };
    let settings = Settings {
        target: format!("http://{address}"),
        schedule,
        wire: WireSettings { follow_redirects: true, ..WireSettings::default() },
        ..Settings::default()
    };
    let report = replayer::run(&from_yaml(&hurried()).unwrap(), &settings, &mut ()).unwrap();
    assert!(refused.len() >= 200 && report.requests.sent as usize > refused.len(), "{report:#?}");
    let RunReport { redirects, requests, statuses, .. } = &report;
    assert_eq!((*redirects, requests.completed, statuses["302"]), (0, requests.sent, requests.sent));
    assert_eq!(seen.all().len() as u64, requests.sent);
}

#[test]
fn idle_connections_are_closed_after_the_keep_alive() {
    let connections = Seen::default();
    let opened = connections.clone();
    let address = server(move |mut stream| {
        opened.note("one");
        while request_head(&mut stream).is_some() {
            answer(&mut stream);
        }
    });
    let target = format!("http://{address}");
    let wire = WireSettings { keep_alive: Duration::from_millis(1), ..WireSettings::default() };
    let report = check(&target, wire);
    // Pauses are some 50 ms: each request takes a connection of its own, and one asked whether anybody is there.
    let opened = connections.all().len() as u64;
    assert!(opened + 2 >= report.requests.sent && opened <= report.requests.sent + 1, "{opened} {report:#?}");
}
