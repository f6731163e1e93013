//! What can keep the analyzer from doing its work.

use std::path::PathBuf;

use crate::part::PartError;

/// Why the analyzer could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An input cannot be opened or read.
    #[error("cannot read `{input}`")]
    Read {
        /// The input's name.
        input: String,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A file that is no database of countries.
    #[error(
        "cannot tell countries by `{path}`\n  found: {found}\n  expected: a whole database of countries or cities in MaxMind's format\n  hint: GeoLite2-Country.mmdb of MaxMind and dbip-country-lite.mmdb of DB-IP are such", path = path.display()
    )]
    Countries {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// A directory or pattern without a single log.
    #[error("found no access log in `{path}`\n  expected: at least one file in a known log format\n  hint: name the files, or give their format with --log-format", path = path.display())]
    NoLogs {
        /// The directory or pattern.
        path: PathBuf,
    },
    /// A pattern that names no file.
    #[error(
        "cannot use the pattern `{pattern}`: {problem}\n  expected: a file, a directory, or a pattern such as 'logs/**/access.log*', in quotes"
    )]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Several files packed into one.
    #[error(
        "cannot read `{input}`\n  found: {found}\n  expected: a log, plain or compressed with gzip, zstd, bzip2, xz or lz4\n  hint: {unpack} {input} | analyzer profile -"
    )]
    Archive {
        /// The input's name.
        input: String,
        /// What its first bytes look like.
        found: &'static str,
        /// A command that prints the files in it.
        unpack: &'static str,
    },
    /// An object store, without the means to read it.
    #[error(
        "cannot read `{url}`: this build does not read object stores\n  hint: build it with `cargo build --release --features object-store`, or copy the objects and name the copies"
    )]
    NoObjectStore {
        /// The input.
        url: String,
    },
    /// An object store that cannot be used.
    #[error("cannot read `{url}`: {problem}\n  hint: {hint}")]
    ObjectStore {
        /// The input.
        url: String,
        /// What the store says.
        problem: String,
        /// What to do.
        hint: &'static str,
    },
    /// An input without a single line.
    #[error("`{input}` is empty\n  expected: an access log with at least one line")]
    Empty {
        /// The input's name.
        input: String,
    },
    /// An input in no known format.
    #[error(
        "cannot tell the format of `{input}`\n  found: {found}\n  expected: an access log or an export of traces in one of the formats of docs/formats.md\n  hint: point --from at the server's configuration, or paste its format after --log-format; of JSON, LTSV, logfmt and columns, --map says what the fields mean"
    )]
    UnknownFormat {
        /// The input's name.
        input: String,
        /// What its first bytes look like.
        found: &'static str,
    },
    /// Clients are to be told apart by a field that is not there.
    #[error(
        "--identity {identity}: found `{input}` in the format `{format}`, which has no such field\n  expected: a format with the field in it\n  hint: combined and common logs hold only address and user agent; --log-format and --from say what else a log holds"
    )]
    NoIdentity {
        /// The input's name.
        input: String,
        /// What was asked for.
        identity: String,
        /// What was found.
        format: String,
    },
    /// A rule about a field that is not there.
    #[error(
        "--map: the format `{format}` has no field `{field}`\n  found: {fields}\n  expected: one of these in front of the `=`\n  hint: write the field as it stands in the format or in the header of the log"
    )]
    MapField {
        /// The field of the rule.
        field: String,
        /// The format.
        format: String,
        /// The fields it has.
        fields: String,
    },
    /// Rules for a format whose fields have no names.
    #[error(
        "--map: found the format `{format}`, which says itself what its fields are\n  expected: no --map beside it, or a format string after --log-format\n  hint: paste the format string of the server, with the fields in it that --map names"
    )]
    MapFixed {
        /// The format.
        format: String,
    },
    /// A format given by hand that cannot be used.
    #[error("the log format {problem}\n  hint: {hint}")]
    LogFormat {
        /// What is wrong.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// No format in a configuration.
    #[error("no log format in `{path}`: {problem}\n  hint: --from FILE:NAME picks a format by its name", path = path.display())]
    Configuration {
        /// The configuration.
        path: PathBuf,
        /// What was found and expected.
        problem: String,
    },
    /// A route hint that is no route.
    #[error("--route `{route}`: expected a path such as `/users/{{id}}`")]
    Route {
        /// The hint.
        route: String,
    },
    /// A file with routes that holds none.
    #[error("cannot take routes from `{path}`: {problem}", path = path.display())]
    Routes {
        /// The file.
        path: PathBuf,
        /// What was found and expected.
        problem: String,
    },
    /// No zone of that name.
    #[error("--tz `{name}`: found no such time zone\n  expected: a name such as `Europe/Berlin` or `UTC`")]
    TimeZone {
        /// The name.
        name: String,
    },
    /// Lines, but no request among them.
    #[error(
        "understood none of {lines} lines{reasons}\n  expected: requests in the format `{format}`\n  hint: `analyzer inspect` shows where lines stop matching"
    )]
    NothingUnderstood {
        /// Lines read.
        lines: u64,
        /// Reasons and counts.
        reasons: String,
        /// The format that was tried.
        format: String,
    },
    /// A document without a request.
    #[error("no request in `{input}`\n  found: {found}\n  expected: in `{format}` at least one {request}")]
    NoRequests {
        /// The input's name.
        input: String,
        /// What is in it.
        found: String,
        /// What it was read as.
        format: String,
        /// What a request is called in it.
        request: &'static str,
    },
    /// Requests, but too few people behind them to publish anything.
    #[error("too little traffic to publish: {sessions} sessions of {clients} clients, and no endpoint that {k} clients used{left_out}\n  hint: {}", if *sessions == 0 { "--keep takes in what was left out" } else { "analyze a longer log, or lower --k for a profile that stays with you" })]
    TooLittle {
        /// Sessions found.
        sessions: u64,
        /// Clients behind them.
        clients: u64,
        /// The threshold.
        k: u64,
        /// What was left out, and how much of it; empty, or on a line of its own.
        left_out: String,
    },
    /// A key file that holds no key.
    #[error("cannot use the key in `{path}`\n  found: something else\n  expected: 32 bytes, or 64 hexadecimal digits\n  hint: head -c 32 /dev/urandom > FILE && chmod 600 FILE", path = path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
    },
    /// An endpoint that the profile does not name.
    #[error("found no one endpoint `{wanted}` among the {endpoints} of the profile\n  expected: an id, a route, or a method and a route, such as `GET /`\n  hint: {}", if nearest.is_empty() { "without an endpoint, `analyzer explain` lists them".to_owned() } else { format!("did you mean {nearest}?") })]
    NoEndpoint {
        /// What was asked for.
        wanted: String,
        /// How many there are.
        endpoints: usize,
        /// The nearest ids, in backticks.
        nearest: String,
    },
    /// No random bytes for the key.
    #[error("the system gave no random bytes for the key of this run")]
    Random,
    /// The temporary file for events that did not fit in memory.
    #[error("cannot use a temporary file for requests that do not fit in memory\n  hint: make room in {directory}, name another directory in TMPDIR, or allow more with --memory", directory = std::env::temp_dir().display())]
    Spill {
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The worker threads could not be started.
    #[error("cannot start {threads} threads")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// The system's reason.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
    /// A part of a tally.
    #[error(transparent)]
    Part(#[from] PartError),
    /// The profile.
    #[error(transparent)]
    Profile(#[from] shared::Error),
}
