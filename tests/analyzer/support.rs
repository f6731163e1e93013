//! What the tests share: the sample, the corpus, the binary, and an independent reading of raw lines.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use analyzer::Settings;
use analyzer::format::Options;
use analyzer::settings::{ReadSettings, given_format};
use shared::Profile;

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(path)
}

/// The compressed sample.
pub(crate) fn sample_gz() -> PathBuf {
    repository("samples/shop.access.log.gz")
}

/// The configuration that says how the sample is written.
pub(crate) fn sample_conf() -> PathBuf {
    repository("samples/nginx.conf")
}

/// The sample's text.
pub(crate) fn sample() -> Vec<u8> {
    log_text(&sample_gz())
}

/// What the sample was drawn from.
pub(crate) fn truth() -> serde_json::Value {
    serde_json::from_slice(&fs_err::read(repository("samples/shop.truth.json")).unwrap()).unwrap()
}

/// A log's text, decompressed where needed.
pub(crate) fn log_text(path: &Path) -> Vec<u8> {
    let bytes = fs_err::read(path).unwrap();
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return bytes;
    }
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut text).unwrap();
    text
}

pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

type Compress = fn(&[u8]) -> Vec<u8>;

/// The compressions that logs come in, with what makes a member of each, checksums as the command-line tools write them.
pub(crate) const COMPRESSIONS: [(&str, Compress); 5] = [
    ("gzip", gzip),
    ("zstd", |text| {
        let mut out = zstd::Encoder::new(Vec::new(), 1).unwrap();
        out.include_checksum(true).unwrap();
        out.write_all(text).unwrap();
        out.finish().unwrap()
    }),
    ("bzip2", |text| {
        // Small blocks, so that a short text has several of them.
        let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(1));
        out.write_all(text).unwrap();
        out.finish().unwrap()
    }),
    ("xz", |text| {
        let mut out = liblzma::write::XzEncoder::new(Vec::new(), 0);
        out.write_all(text).unwrap();
        out.finish().unwrap()
    }),
    ("lz4", |text| {
        let info = lz4_flex::frame::FrameInfo::new().content_checksum(true);
        let mut out = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
        out.write_all(text).unwrap();
        out.finish().unwrap()
    }),
];

/// A file or directory of the corpus of real logs; `None`, with a notice, when there is no corpus.
pub(crate) fn corpus(path: &str) -> Option<PathBuf> {
    let found = std::env::var_os("LOADPRINT_CORPUS").map(|root| PathBuf::from(root).join(path));
    if found.is_none() {
        eprintln!("skipped: LOADPRINT_CORPUS does not name the directory of real logs ({path})");
    }
    found
}

/// The names of the corpus's files that end with `ending`, sorted.
pub(crate) fn corpus_files(directory: &str, ending: &str) -> Vec<PathBuf> {
    let Some(directory) = corpus(directory) else { return Vec::new() };
    let mut files: Vec<PathBuf> = fs_err::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && path.to_string_lossy().ends_with(ending))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "the corpus holds no `*{ending}`");
    files
}

/// How a run of the binary ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap()
    }

    /// The result of a run that must succeed.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self
    }
}

/// A command that runs the binary, outside any directory that tests write to.
pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_analyzer"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the binary without input.
pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Run {
    finish(command(arguments).spawn().unwrap())
}

/// Runs the binary with `input` on its standard input.
pub(crate) fn run_with<S: AsRef<std::ffi::OsStr>>(arguments: &[S], input: &[u8]) -> Run {
    let mut child = command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // A program that stops early closes its input; that is its own affair.
        scope.spawn(move || drop(stdin.write_all(input)));
        finish(child)
    })
}

fn finish(child: std::process::Child) -> Run {
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Settings that read `inputs` in the sample's format.
pub(crate) fn sample_settings(inputs: Vec<PathBuf>) -> Settings {
    let format = given_format(None, sample_conf().to_str(), &Options::default()).unwrap();
    Settings { read: ReadSettings { inputs, format, ..ReadSettings::default() }, ..Settings::default() }
}

pub(crate) fn analyze(settings: &Settings) -> Profile {
    analyzer::analyze(settings, &|_| {}).unwrap().profile
}

/// The fields of a line in *combined* or *common*, cut by hand: an oracle that shares no code with the analyzer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawLine<'a> {
    pub(crate) client: &'a str,
    /// What stands between the client and the stamp: user names, mostly `- -`.
    pub(crate) user: &'a str,
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) status: &'a str,
    pub(crate) referer: &'a str,
    pub(crate) user_agent: &'a str,
    /// What follows the user agent.
    pub(crate) rest: &'a str,
}

impl<'a> RawLine<'a> {
    /// `None` for lines that are not HTTP, and for those that need more than cutting.
    pub(crate) fn new(line: &'a str) -> Option<Self> {
        let (front, rest) = line.split_once(" [")?;
        let (client, user) = front.split_once(' ')?;
        let (_, rest) = rest.split_once("] \"")?;
        let (request, rest) = quoted(rest)?;
        let (method, target) = request.split_once(' ')?;
        if !method.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return None;
        }
        let target = target.rsplit_once(" HTTP/").map_or(target, |(target, _)| target);
        let mut words = rest.trim_start().splitn(3, ' ');
        let (status, _bytes) = (words.next()?, words.next()?);
        let after = words.next().unwrap_or_default();
        let (referer, after) = after.strip_prefix('"').and_then(quoted).unwrap_or(("-", ""));
        let (user_agent, rest) = after.strip_prefix(" \"").and_then(quoted).unwrap_or(("-", ""));
        Some(Self { client, user, method, target, status, referer, user_agent, rest })
    }

    /// The path, without scheme and host.
    pub(crate) fn path(&self) -> &'a str {
        let target = match self.target.split_once("://") {
            Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
                rest.find('/').map_or("/", |at| &rest[at..])
            }
            _ => self.target,
        };
        &target[..target.find(['?', '#']).unwrap_or(target.len())]
    }

    pub(crate) fn query(&self) -> Option<&'a str> {
        self.target.split_once('?').map(|(_, query)| query)
    }
}

/// The text up to the closing quote, and what follows the quote.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'"' => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
        at += 1;
    }
    None
}
