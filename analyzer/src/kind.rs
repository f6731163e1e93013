//! What a request is part of: people's use of pages, or something that a model of people must leave out.
//! Everything left out is counted, nothing is lost silently.

use serde::Serialize;

use crate::request::Request;
use crate::route::segment::split_extension;

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
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Page, Self::Static, Self::Bot, Self::HealthCheck, Self::Unreadable];

    /// The name used in files, flags and outputs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Page => "pages",
            Self::Static => "static",
            Self::Bot => "bots",
            Self::HealthCheck => "health_checks",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Programs that probe whether a service is alive, by the start of their user agent.
const PROBES: [&str; 9] = [
    "kube-probe/",
    "elb-healthchecker/",
    "googlehc/",
    "amazon-route53-health-check",
    "pingdom",
    "uptimerobot",
    "consul health check",
    "blackbox exporter",
    "haproxy",
];

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

/// Words that crawlers, scanners and monitors put into their user agents.
///
/// Programs that people use (curl, python-requests, okhttp) are not among them: they are API clients.
const BOT_WORDS: [&str; 27] = [
    "bot",
    "crawl",
    "spider",
    "slurp",
    "archiver",
    "mediapartners",
    "facebookexternalhit",
    "bingpreview",
    "scrapy",
    "zgrab",
    "masscan",
    "nikto",
    "sqlmap",
    "nmap",
    "nessus",
    "wpscan",
    "dirbuster",
    "gobuster",
    "nuclei",
    "scanner",
    "feedfetcher",
    "monitor",
    "statuscake",
    "lighthouse",
    "headlesschrome",
    "ia_archiver",
    "censysinspect",
];

/// Makes of phones whose names hold one of the words.
const NOT_BOTS: [&str; 1] = ["cubot"];

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

/// What a user agent alone says.
pub fn of_user_agent(text: &[u8]) -> Kind {
    let text = String::from_utf8_lossy(text).to_ascii_lowercase();
    if PROBES.iter().any(|probe| text.starts_with(probe)) {
        return Kind::HealthCheck;
    }
    let text = NOT_BOTS.iter().fold(text, |text, name| text.replace(name, ""));
    if BOT_WORDS.iter().any(|word| text.contains(word)) { Kind::Bot } else { Kind::Page }
}

/// What a path says of the request for it, whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum PathKind {
    #[default]
    Page,
    Static,
    /// One of [`HEALTH_PATHS`], none of which is a static file.
    Health,
}

impl PathKind {
    pub(crate) fn of(path: &[u8]) -> Self {
        match path.strip_suffix(b"/").unwrap_or(path) {
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
    if user_agent != Kind::Page {
        return user_agent;
    }
    // A failed probe is left to the model: it may be a person who looks for the page.
    let probes = || matches!(request.method, Some(b"GET" | b"HEAD")) && (200..300).contains(&request.status);
    match path {
        PathKind::Health if probes() => Kind::HealthCheck,
        PathKind::Static => Kind::Static,
        PathKind::Health | PathKind::Page => Kind::Page,
    }
}

fn is_static(path: &[u8]) -> bool {
    let segment = &path[memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1)..];
    if segment == b"robots.txt" {
        return true;
    }
    let Some(dot) = memchr::memrchr(b'.', split_extension(segment).1) else { return false };
    let extension = split_extension(segment).1[dot + 1..].to_ascii_lowercase();
    STATIC_EXTENSIONS.contains(&extension.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_agents() {
        for (text, expected) in [
            ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", Kind::Bot),
            ("Mozilla/5.0 (Linux; Android 9; CUBOT X19) Chrome/120.0", Kind::Page),
            ("curl/8.5.0", Kind::Page),
            ("kube-probe/1.31", Kind::HealthCheck),
            ("-", Kind::Page),
        ] {
            assert_eq!(of_user_agent(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn static_files_by_extension() {
        for (path, expected) in [
            ("/a/app.4f2a.css", true),
            ("/favicon.ICO", true),
            ("/robots.txt", true),
            ("/report.pdf", false),
            ("/a.b/c", false),
        ] {
            assert_eq!(is_static(path.as_bytes()), expected, "{path}");
        }
    }
}
