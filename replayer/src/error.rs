//! Why a run cannot happen.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Why a run, a plan or a target cannot happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting that makes no sense.
    #[error("`{name}`: found {found}, expected {expected}")]
    Setting {
        /// The setting, as the command line spells it.
        name: &'static str,
        /// What it was set to.
        found: String,
        /// What it can be.
        expected: &'static str,
    },
    /// A name that the profile does not have.
    #[error("`{name}`: found `{found}`, expected one of `{known}`")]
    UnknownName {
        /// The setting, as the command line spells it.
        name: &'static str,
        /// What it was set to.
        found: String,
        /// The names that there are.
        known: String,
    },
    /// A scenario of the profile that makes no sense.
    #[error("`{place}`: found `{found}`, expected {expected}")]
    Scenario {
        /// JSON pointer of the place in the profile.
        place: String,
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// A table of events that cannot be replayed. What stands in it is not repeated: it may be somebody's.
    #[error("{place}: found {found}, expected {expected}")]
    Events {
        /// Where in it.
        place: EventsPlace,
        /// What is there.
        found: String,
        /// What should be.
        expected: &'static str,
    },
    /// The curve would be followed so fast that sessions blur it.
    #[error(
        "`--speedup`: found {speedup}, at which the requests keep {kept:.2} of the day's swing, expected at least {least}"
    )]
    Flattened {
        /// How many times faster than the clock.
        speedup: f64,
        /// Share of the swing that is kept.
        kept: f64,
        /// The least that counts as the same day.
        least: f64,
        /// The speedup that keeps as much.
        at_most: f64,
    },
    /// A profile that was not read and checked by `shared::io`.
    #[error("the profile contradicts itself; `shared::validate` says where")]
    Profile,
    /// The target is not a URL that this version can send to.
    #[error("`--target`: found `{found}`, expected {expected}")]
    TargetUrl {
        /// The text given.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The target's name has no address.
    #[error("cannot resolve target host `{host}`")]
    Resolve {
        /// The host in the URL.
        host: String,
        /// The resolver's reason.
        #[source]
        source: io::Error,
    },
    /// The target may not be loaded.
    #[error("target `{host}`: {refusal}")]
    TargetRefused {
        /// The host in the URL.
        host: String,
        /// Why.
        refusal: Refusal,
    },
    /// A stop rule that is none.
    #[error("`--stop {rule}`: found {found}, expected {expected}")]
    StopRule {
        /// The rule as it was given.
        rule: String,
        /// What is wrong with it.
        found: String,
        /// What could stand there.
        expected: String,
    },
    /// What should watch the target does not see it.
    #[error("`{name}`: found {found}, expected {expected}")]
    Probe {
        /// The flag with its URL.
        name: &'static str,
        /// What it answered.
        found: String,
        /// What it should.
        expected: &'static str,
    },
    /// More load than production ever saw.
    #[error(
        "found {found:.3} sessions/s at the peak, expected at most {factor} x {peak:.3}, the peak of the profile"
    )]
    Ceiling {
        /// Sessions expected in the busiest second of the plan.
        found: f64,
        /// The same of the profile.
        peak: f64,
        /// How many times the profile's peak is allowed.
        factor: f64,
    },
    /// Nothing accepts connections at the target.
    #[error("cannot connect to target `{host}` at {address}")]
    Unreachable {
        /// The host in the URL.
        host: String,
        /// The address tried last.
        address: SocketAddr,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Nothing accepts connections at the socket in the file system.
    #[error("cannot connect to target `{path}`", path = path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A file with certificates or a key cannot be used.
    #[error("cannot use `{path}` for TLS", path = path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS")]
    Tls {
        /// The reason.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The address that the embedded target should listen on can be reached from other machines.
    #[error("`--listen`: found {address}, expected a loopback address such as 127.0.0.1:0")]
    ListenNotAllowed {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The embedded target cannot listen.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read `{path}`", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A file of values that cannot be used.
    #[error("`{path}`{line}: found {found}, expected {expected}", path = path.display(), line = at_line(*line))]
    Feed {
        /// The file.
        path: PathBuf,
        /// The line, where it is one.
        line: Option<u64>,
        /// What is there, without a word of it.
        found: String,
        /// What should be.
        expected: &'static str,
    },
    /// A template of the profile that cannot be filled in.
    #[error("`{place}`{line}: found {found}, expected a template that can be filled in", line = at_line(line.map(|line| line as u64)))]
    Template {
        /// JSON pointer of the place in the profile.
        place: String,
        /// The line of the template, where it is one.
        line: Option<usize>,
        /// What is wrong, without a word of any value.
        found: String,
    },
    /// A call of gRPC that cannot be made as the profile has it.
    #[error("`{place}`: found {found}, expected {expected}")]
    Grpc {
        /// JSON pointer of the place in the profile.
        place: String,
        /// What stands there.
        found: String,
        /// What should.
        expected: String,
    },
    /// A call of gRPC in a run over HTTP/1.1.
    #[error("`{place}`: found a call of gRPC, expected none without HTTP/2, over which they go")]
    Http2Needed {
        /// JSON pointer of the place in the profile.
        place: String,
    },
    /// A file that should describe services of gRPC.
    #[error("cannot read services of gRPC from `{path}`", path = path.display())]
    Proto {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, or with what it imports.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A secret that is not there.
    #[error("`{place}`: found {found} for the secret `{name}`, expected {expected}")]
    Secret {
        /// JSON pointer of the place in the profile.
        place: String,
        /// Its name, as the profile spells it.
        name: String,
        /// What was found.
        found: &'static str,
        /// What was looked for.
        expected: &'static str,
    },
    /// A file cannot be written.
    #[error("cannot write `{path}`", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The moment to start at is over.
    #[error("`--start-at`: found a moment {ago_s:.1} s ago, expected one to come")]
    StartIsOver {
        /// For how many seconds.
        ago_s: f64,
    },
    /// A file is no interval log.
    #[error("`{path}`: found another kind of file, expected an interval log of a run", path = path.display())]
    IntervalLog {
        /// The file.
        path: PathBuf,
    },
    /// Interval logs that are not those of one run.
    #[error(
        "`{path}`: found the log of shard {shard} of run {run}, expected that of another shard of run {expected}\n  \
         hint: give the results of one run, each of its shards once",
        path = path.display()
    )]
    OtherRun {
        /// The log that does not fit to the first.
        path: PathBuf,
        /// Its shard.
        shard: u64,
        /// Its run.
        run: String,
        /// The run of the first.
        expected: String,
    },
    /// A threshold that the grammar does not know, or that nothing of this profile can be compared with.
    #[error("threshold `{threshold}`: {problem}")]
    Threshold {
        /// As it was written.
        threshold: String,
        /// What was found and expected.
        problem: String,
    },
    /// The system gives no event loop: out of descriptors, threads or memory.
    #[error("cannot start an event loop")]
    EventLoop {
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

/// A place in a table of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventsPlace {
    /// A line of text, counted from 1.
    #[error("line {0} of the events")]
    Line(u64),
    /// A row of a file that has no lines, counted from 1.
    #[error("row {0} of the events")]
    Row(u64),
    /// A column, by name.
    #[error("column `{0}` of the events")]
    Column(&'static str),
    /// All of it.
    #[error("the events")]
    All,
}

/// Why a target may not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is another machine, and nobody said that this is meant.
    #[error("found {address}, an address of another machine, expected loopback")]
    NotAllowed {
        /// The first address that is not loopback.
        address: SocketAddr,
    },
    /// No service under test can be there, whatever is allowed.
    #[error("found {address}, {why}, expected a service under test")]
    Never {
        /// The address.
        address: IpAddr,
        /// What is there.
        why: &'static str,
    },
    /// The profile was made from its traffic.
    #[error(
        "found production: the profile was made from `{host}` or a host around it, expected a service under test"
    )]
    Production {
        /// The host that was recognised, which may be what the target's name is an alias of.
        host: String,
    },
    /// The host was named, but it is an alias of another that was not.
    #[error("found an alias of `{of}`, expected a host of its own")]
    Alias {
        /// The name at the end of the aliases.
        of: String,
    },
}

/// `, line 3`, or nothing.
fn at_line(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(", line {line}"))
}

impl Error {
    /// The one thing to do about it, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::TargetRefused { host, refusal: Refusal::NotAllowed { .. } } => Some(format!(
                "if you are responsible for that machine and it may be loaded, add `--allow-target {host}`"
            )),
            Self::TargetRefused { refusal: Refusal::Production { host }, .. } => Some(format!(
                "load a copy of it; if you answer for what happens to its users, type `--i-own-this-production {host}`"
            )),
            Self::TargetRefused { refusal: Refusal::Alias { of }, .. } => {
                Some(format!("if that may be loaded as well, add `--allow-target {of}`"))
            }
            Self::Ceiling { found, peak, .. } => Some(format!(
                "lower `--scale`, or add `--raise-ceiling {:.0}` if the target is meant to see that",
                (found / peak).ceil()
            )),
            Self::Probe { .. } => Some("nothing was sent; a guard that sees nothing is none".to_owned()),
            Self::Unreachable { .. } | Self::Socket { .. } => Some(
                "start the service first, or `replayer target PROFILE` as a stand-in; nothing was sent"
                    .to_owned(),
            ),
            Self::Http2Needed { .. } => Some(
                "add `--http2`: agreed on in TLS, or taken as known without".to_owned(),
            ),
            Self::ListenNotAllowed { .. } => {
                Some("add `--allow-listen` if other machines shall reach the target".to_owned())
            }
            Self::StartIsOver { .. } => Some(
                "with `--join-late` it joins the others where they are, and counts what it missed as lost; if it is not \
                 late, its clock is wrong"
                    .to_owned(),
            ),
            Self::Flattened { at_most, .. } => Some(format!(
                "sessions last as long as ever, so a faster day blurs: take `--speedup {at_most:.0}` or less, or add \
                 `--allow-flattening`"
            )),
            _ => None,
        }
    }
}
