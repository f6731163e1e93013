//! What can keep the analyzer from doing its work.

use std::path::PathBuf;

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
    /// A directory without a single log.
    #[error("found no access log in the directory `{path}`\n  expected: at least one file in a known log format\n  hint: name the files, or give their format with --log-format", path = path.display())]
    NoLogs {
        /// The directory.
        path: PathBuf,
    },
    /// An input without a single line.
    #[error("`{input}` is empty\n  expected: an access log with at least one line")]
    Empty {
        /// The input's name.
        input: String,
    },
    /// An input in no known format.
    #[error(
        "cannot tell the format of `{input}`\n  found: {found}\n  expected: lines in combined or common format (nginx, Apache), or a format given by --log-format or --from\n  hint: paste the server's `log_format` after --log-format, or point --from at its configuration"
    )]
    UnknownFormat {
        /// The input's name.
        input: String,
        /// What its first bytes look like.
        found: &'static str,
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
    #[error("no log format in `{path}`: {problem}\n  hint: --from FILE:NAME picks a `log_format` by its name", path = path.display())]
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
    /// No random bytes for the key.
    #[error("the system gave no random bytes for the key of this run")]
    Random,
    /// The worker threads could not be started.
    #[error("cannot start {threads} threads")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// The system's reason.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
    /// The profile.
    #[error(transparent)]
    Profile(#[from] shared::Error),
}
