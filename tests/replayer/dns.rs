//! The target's name during a run: it is resolved once, and what was found is kept, whatever becomes of the name.
//!
//! The system's resolver asks at port 53 of whom `/etc/resolv.conf` names. So each test runs once more in namespaces of
//! its own, where it may listen there and say that, without rights on the machine around.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs as _, UdpSocket};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::{answer, directory, hurried, output, replayer, request_head, serve};

/// The name that the target has.
const NAME: &str = "staging.test";
/// Where it leads at first, and where later.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Set for the process inside.
const INSIDE: &str = "LOADPRINT_NAMESPACE";

/// Runs `test`, the one called `name`, where names are asked of 127.0.0.53; or gives the reason why the system has no
/// namespaces for it.
#[track_caller]
fn in_namespaces(name: &str, test: fn()) -> Result<(), String> {
    if std::env::var_os(INSIDE).is_some() {
        test();
        return Ok(());
    }
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs_err::write(directory.path().join(name), text).unwrap();
    write("resolv.conf", "nameserver 127.0.0.53\noptions timeout:1 attempts:1\n");
    write("nsswitch.conf", "hosts: files dns\n");
    let inside = |arguments: &[&str]| -> Output {
        let script = "set -e; PATH=$PATH:/usr/sbin:/sbin; ip link set lo up; \
                      mount --bind \"$0/resolv.conf\" /etc/resolv.conf; \
                      if [ -e /etc/nsswitch.conf ]; then mount --bind \"$0/nsswitch.conf\" /etc/nsswitch.conf; fi; \
                      exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "--net", "sh", "-c", script]).arg(directory.path());
        command.args(arguments).env(INSIDE, "yes").stdin(Stdio::null()).output().unwrap()
    };
    let possible = inside(&["true"]);
    if !possible.status.success() {
        return Err(String::from_utf8_lossy(&possible.stderr).trim().to_owned());
    }
    let this = std::env::current_exe().unwrap();
    let output = inside(&[this.to_str().unwrap(), "--exact", name, "--nocapture", "--test-threads", "1"]);
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{errors}");
    Ok(())
}

/// A name server that knows one name, until it falls silent.
struct NameServer {
    /// What it says; 0 when it says nothing.
    address: Arc<AtomicU32>,
    asked: Arc<AtomicU64>,
}

impl NameServer {
    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.53:53").unwrap();
        let server = Self { address: Arc::new(AtomicU32::new(FIRST.to_bits())), asked: Arc::default() };
        let (address, asked) = (Arc::clone(&server.address), Arc::clone(&server.asked));
        thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut query) {
                asked.fetch_add(1, Ordering::SeqCst);
                let address = address.load(Ordering::SeqCst);
                if address != 0 {
                    let _ = socket.send_to(&reply(&query[..length], address), from);
                }
            }
        });
        server
    }

    /// From now on the name leads to `address`, or nowhere.
    fn say(&self, address: Option<Ipv4Addr>) {
        self.address.store(address.map_or(0, Ipv4Addr::to_bits), Ordering::SeqCst);
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

/// The answer to `query` (RFC 1035, 4.1): one address that may not be kept to a question for such, and none to others.
fn reply(query: &[u8], address: u32) -> Vec<u8> {
    const HEAD: usize = 12;
    let name = query[HEAD..].iter().position(|byte| *byte == 0).unwrap() + 1;
    let question = &query[HEAD..HEAD + name + 4];
    let is_for_an_address = question[name..name + 2] == [0, 1];
    let mut reply = query[..2].to_vec();
    reply.extend([0x85, 0x80, 0, 1, 0, u8::from(is_for_an_address), 0, 0, 0, 0]);
    reply.extend(question);
    if is_for_an_address {
        reply.extend([0xc0, HEAD as u8, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        reply.extend(address.to_be_bytes());
    }
    reply
}

/// What the system's resolver says of the name.
fn resolved() -> Option<Vec<SocketAddr>> {
    Some((NAME, 80).to_socket_addrs().ok()?.collect())
}

/// Connections and requests of one server.
#[derive(Default)]
struct Counts {
    connections: AtomicU64,
    requests: AtomicU64,
}

fn counted(listener: TcpListener) -> Arc<Counts> {
    let counts = Arc::<Counts>::default();
    let noted = Arc::clone(&counts);
    serve(listener, move |mut stream| {
        noted.connections.fetch_add(1, Ordering::SeqCst);
        while request_head(&mut stream).is_some() {
            noted.requests.fetch_add(1, Ordering::SeqCst);
            answer(&mut stream);
        }
    });
    counts
}

/// Six seconds of some 90 requests per second to the name, of which `happens` is done to its server after the
/// hundredth: all go to the first address, over new connections too, none is lost, and nobody asks for the name again.
#[track_caller]
fn check(happens: fn(&NameServer)) -> String {
    let names = NameServer::start();
    let listener = TcpListener::bind((FIRST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let second = counted(TcpListener::bind((SECOND, port)).unwrap());
    let first = counted(listener);
    let count = |of: &AtomicU64| of.load(Ordering::SeqCst);

    let (_directory, profile) = directory(&hurried());
    let url = format!("http://{NAME}:{port}");
    let mut run = replayer(&["run", profile.to_str().unwrap(), "--target", &url, "--format", "json"]);
    run.args(["--scale", "600", "--duration", "6s", "--quiet"]);
    let child = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while count(&first.requests) < 100 {
        thread::sleep(Duration::from_millis(10));
    }
    // One question for each kind of address.
    assert!((1..=2).contains(&names.asked()), "{}", names.asked());
    happens(&names);
    let (asked, [connections, requests]) = (names.asked(), [&first.connections, &first.requests].map(count));

    let output = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |name: &str| report["requests"][name].as_u64().unwrap();
    assert_eq!(report["address"], format!("{FIRST}:{port}"));
    assert_eq!([of("sent"), of("completed")], [count(&first.requests); 2], "{report:#}");
    assert_eq!(of("planned"), of("completed") + of("cut"), "{report:#}");
    assert_eq!(["failed", "timed_out", "unfinished", "dropped"].map(of), [0; 4], "{report:#}");
    assert_eq!([&second.connections, &second.requests].map(count), [0, 0]);
    assert!(count(&first.requests) > requests + 100 && count(&first.connections) > connections + 20);
    assert_eq!(names.asked(), asked);
    // What becomes of a name makes no other load; that the machine is busy may.
    let is_late = report["self_check"]["lateness"]["p99_s"].as_f64().unwrap() > 0.002;
    assert!(report["verdict"]["valid"] == true || is_late, "{report:#}");
    url
}

#[test]
fn a_name_that_leads_elsewhere_in_mid_run_takes_no_request_with_it() {
    let ran = in_namespaces("dns::a_name_that_leads_elsewhere_in_mid_run_takes_no_request_with_it", || {
        check(|names| {
            names.say(Some(SECOND));
            assert_eq!(resolved(), Some(vec![(SECOND, 80).into()]));
        });
    });
    ran.unwrap_or_else(|reason| eprintln!("skipped: there are no namespaces here: {reason}"));
}

#[test]
fn a_name_server_that_falls_silent_in_mid_run_loses_nothing() {
    let ran = in_namespaces("dns::a_name_server_that_falls_silent_in_mid_run_loses_nothing", || {
        let url = check(|names| {
            names.say(None);
            assert_eq!(resolved(), None);
        });
        // It is still silent, and a run that would begin now cannot.
        let (_directory, profile) = directory(&hurried());
        let output = output(&["run", profile.to_str().unwrap(), "--target", &url]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains("cannot resolve target host `staging.test`"), "{errors}");
    });
    ran.unwrap_or_else(|reason| eprintln!("skipped: there are no namespaces here: {reason}"));
}
