//! What the tests share: profiles, the replayer's binary, and a server that does as it is told.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::thread;

use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use shared::profile::EXAMPLE;
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// The example profile with pauses of about 50 ms, so that whole sessions fit into a test.
pub(crate) fn hurried() -> String {
    EXAMPLE.replace("mu: 0.7, sigma: 0.9", "mu: -3.0, sigma: 0.5")
}

/// A directory with `yaml` in `profile.yaml`.
pub(crate) fn directory(yaml: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("profile.yaml");
    fs_err::write(&profile, yaml).unwrap();
    (directory, profile)
}

/// The replayer's binary with these arguments.
pub(crate) fn replayer(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_replayer"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub(crate) fn output(arguments: &[&str]) -> Output {
    replayer(arguments).output().unwrap()
}

/// `replayer run` to its end, with its result.
#[track_caller]
pub(crate) fn run(profile: &Path, target: &str, more: &[&str]) -> (Option<i32>, Value) {
    let mut arguments = vec!["run", profile.to_str().unwrap(), "--target", target, "--format", "json"];
    arguments.extend(more);
    let output = output(&arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}\n{errors}"));
    (output.status.code(), report)
}

/// `replayer target` in a process of its own, which ends with this value.
pub(crate) struct TargetProcess {
    child: Child,
    /// Its URL.
    pub(crate) url: String,
}

impl TargetProcess {
    pub(crate) fn start(profile: &Path, more: &[&str]) -> Self {
        let mut command = replayer(&["target", profile.to_str().unwrap()]);
        let mut child = command.args(more).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
        Self { child, url: url.trim().to_owned() }
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) -> Option<i32> {
        interrupt(&self.child);
        self.child.wait().unwrap().code()
    }
}

impl Drop for TargetProcess {
    fn drop(&mut self) {
        // Already gone if it was stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ctrl-C, as a terminal sends it.
pub(crate) fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Listens on a free port and gives each connection to `serve` on a thread of its own.
pub(crate) fn server(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    self::serve(listener, serve);
    address
}

/// The same on a port of the caller's choice.
pub(crate) fn serve(listener: TcpListener, serve: impl Fn(TcpStream) + Clone + Send + 'static) {
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
}

/// Speaks HTTP/2 on `stream`, over TLS if there is a `config` for it, until the client leaves.
pub(crate) fn serve_http2<F, B>(
    stream: TcpStream,
    config: Option<Arc<ServerConfig>>,
    answer: impl Fn(Request<Incoming>) -> F,
) where
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let answer = service_fn(|request| {
        let answer = answer(request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        stream.set_nonblocking(true).unwrap();
        let stream = tokio::net::TcpStream::from_std(stream).unwrap();
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        // How the connection ends is the client's affair.
        match config {
            Some(config) => {
                let Ok(stream) = TlsAcceptor::from(config).accept(stream).await else { return };
                drop(builder.serve_connection(TokioIo::new(stream), answer).await);
            }
            None => drop(builder.serve_connection(TokioIo::new(stream), answer).await),
        }
    });
}

/// Reads the head of a request; none when the client has closed the connection.
pub(crate) fn request_head(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// Writes an answer without a body.
pub(crate) fn answer(stream: &mut impl Write) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
}
