//! What a request is part of: people's use of pages, or something that a model of people must leave out.
//! Everything left out is counted, nothing is lost silently.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use serde::Serialize;

use crate::request::Request;
use crate::route::segment::split_extension;

mod agent;
mod user_agent;

pub use agent::AgentClass;
pub use user_agent::of_user_agent;

/// What a request is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Kind {
    /// A page or an API call of a person or their program.
    Page = 0,
    /// A file that pages bring along.
    Static = 1,
    /// A crawler, scanner or monitor.
    Bot = 2,
    /// A load balancer's or orchestrator's probe.
    HealthCheck = 3,
    /// Something other than an HTTP request sent to the port: a TLS handshake, noise, or nothing at all.
    Unreadable = 4,
    /// A program that calls an interface for somebody: curl, an HTTP library.
    ApiClient = 5,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Page, Self::Static, Self::Bot, Self::HealthCheck, Self::Unreadable, Self::ApiClient];

    /// The name used in files, flags and outputs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Page => "pages",
            Self::Static => "static",
            Self::Bot => "bots",
            Self::HealthCheck => "health_checks",
            Self::Unreadable => "unreadable",
            Self::ApiClient => "api_clients",
        }
    }
}

/// Paths that exist to be probed.
const HEALTH_PATHS: [&[u8]; 14] = [
    b"/health",
    b"/healthz",
    b"/health_check",
    b"/healthcheck",
    b"/livez",
    b"/readyz",
    b"/ready",
    b"/live",
    b"/ping",
    b"/status",
    b"/metrics",
    b"/actuator/health",
    b"/nginx_status",
    b"/server-status",
];

/// What only programs that look for holes ask for, in lower case; a service that has one of them answers.
const SCANNED: [&str; 38] = [
    "/.env",
    "/.git",
    "/.aws/",
    "/.svn/",
    "/.hg/",
    "/.ssh/",
    "/.vscode/",
    "/.ds_store",
    "/.htpasswd",
    "wp-login.php",
    "/wp-admin",
    "/wp-content/",
    "/wp-includes/",
    "/xmlrpc.php",
    "phpmyadmin",
    "/pma/",
    "/phpinfo",
    "/cgi-bin/",
    "/vendor/phpunit",
    "eval-stdin.php",
    "/boaform",
    "/hnap1",
    "/manager/html",
    "/solr/admin",
    "/actuator/",
    "/owa/auth",
    "/autodiscover",
    "/_ignition",
    "/jmx-console",
    "/invoker/",
    "/setup.cgi",
    "/w00tw00t",
    "/muieblackcat",
    "/fckeditor",
    "/administrator/index.php",
    "/etc/passwd",
    "/win.ini",
    "/server-status",
];

/// Extensions of files that pages bring along.
const STATIC_EXTENSIONS: [&[u8]; 27] = [
    b"css",
    b"js",
    b"mjs",
    b"map",
    b"png",
    b"jpg",
    b"jpeg",
    b"gif",
    b"svg",
    b"ico",
    b"webp",
    b"avif",
    b"bmp",
    b"woff",
    b"woff2",
    b"ttf",
    b"otf",
    b"eot",
    b"mp3",
    b"mp4",
    b"webm",
    b"ogg",
    b"swf",
    b"cur",
    b"webmanifest",
    b"ts",
    b"m3u8",
];

/// What a path says of the request for it, whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum PathKind {
    #[default]
    Page,
    Static,
    /// One of [`HEALTH_PATHS`], none of which is a static file.
    Health,
    /// One of [`SCANNED`], which may be a health path as well.
    Scanned,
    /// The file that is there for crawlers.
    Robots,
}

impl PathKind {
    pub(crate) fn of(path: &[u8]) -> Self {
        match path.strip_suffix(b"/").unwrap_or(path) {
            b"/robots.txt" => Self::Robots,
            path if SCANNER.is_match(path) => Self::Scanned,
            probed if HEALTH_PATHS.contains(&probed) => Self::Health,
            _ if is_static(path) => Self::Static,
            _ => Self::Page,
        }
    }
}

/// What `request` is part of, given what its user agent says.
pub fn of_request(request: &Request<'_>, path: &[u8], user_agent: Kind) -> Kind {
    of_known_path(request, PathKind::of(path), user_agent)
}

/// [`of_request`], given what is known of its path.
pub(crate) fn of_known_path(request: &Request<'_>, path: PathKind, user_agent: Kind) -> Kind {
    if request.method.is_none() || request.target.is_empty() {
        return Kind::Unreadable;
    }
    if !matches!(user_agent, Kind::Page | Kind::ApiClient) {
        return user_agent;
    }
    // A failed probe is left to the model: it may be a person who looks for the page.
    let probes = || matches!(request.method, Some(b"GET" | b"HEAD")) && (200..300).contains(&request.status);
    match path {
        PathKind::Robots => Kind::Bot,
        PathKind::Scanned if request.status >= 400 => Kind::Bot,
        PathKind::Health if probes() => Kind::HealthCheck,
        PathKind::Static => Kind::Static,
        PathKind::Scanned | PathKind::Health | PathKind::Page => user_agent,
    }
}

/// [`SCANNED`], compiled.
static SCANNER: LazyLock<AhoCorasick> = LazyLock::new(|| user_agent::automaton(SCANNED.iter()));

fn is_static(path: &[u8]) -> bool {
    let segment = &path[memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1)..];
    let Some(dot) = memchr::memrchr(b'.', split_extension(segment).1) else { return false };
    let extension = &split_extension(segment).1[dot + 1..];
    STATIC_EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_machines_ask_for_is_theirs_when_it_is_refused() {
        for (path, status, expected) in [
            ("/.env", 404, Kind::Bot),
            ("/blog/wp-login.php", 404, Kind::Bot),
            ("/wp-login.php", 200, Kind::Page),
            ("/.Git/config", 403, Kind::Bot),
            ("/robots.txt", 200, Kind::Bot),
            ("/about", 404, Kind::Page),
            ("/environment", 404, Kind::Page),
        ] {
            let request =
                Request { method: Some(b"GET"), target: path.as_bytes(), status, ..Request::default() };
            assert_eq!(of_request(&request, path.as_bytes(), Kind::Page), expected, "{path} {status}");
        }
    }

    #[test]
    fn static_files_by_extension() {
        for (path, expected) in
            [("/a/app.4f2a.css", true), ("/favicon.ICO", true), ("/report.pdf", false), ("/a.b/c", false)]
        {
            assert_eq!(is_static(path.as_bytes()), expected, "{path}");
        }
    }
}
