//! Which `log-format` a configuration of HAProxy uses, and what its captured headers are.
//!
//! Source: HAProxy `src/tools.c` (`parse_line`) and chapters 2.2, 4 and 8.2 of its configuration manual.

use super::haproxy_format::{CLF, HTTPLOG, HTTPSLOG};

/// What a section of the configuration logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Name of the section.
    pub(crate) name: String,
    pub(crate) format: String,
    /// The request headers in the order that `%hr` prints them; empty text where it is none.
    pub(crate) captured: Vec<String>,
}

#[derive(Debug, Clone, Default)]
struct Section {
    kind: String,
    name: String,
    logged: Option<Logged>,
    captured: Vec<String>,
}

#[derive(Debug, Clone)]
enum Logged {
    Http(String),
    Tcp,
}

/// Whether `text` is a configuration of HAProxy.
pub(super) fn recognise(text: &str) -> bool {
    sections(text).iter().any(|section| section.logged.is_some() || section.kind == "frontend")
}

/// What the configuration logs in the section called `wanted`, else in its first frontend that logs HTTP.
///
/// # Errors
/// A sentence that says what was found and expected.
pub(crate) fn find(configuration: &str, wanted: Option<&str>) -> Result<Found, String> {
    let sections = sections(configuration);
    let logs_http = |section: &&Section| matches!(section.logged, Some(Logged::Http(_)));
    let serves = |section: &&Section| section.kind == "frontend" || section.kind == "listen";
    let section = match wanted {
        Some(name) => sections.iter().find(|section| section.name == name).ok_or_else(|| {
            let names: Vec<&str> = sections
                .iter()
                .filter(serves)
                .filter(|section| !section.name.is_empty())
                .map(|section| section.name.as_str())
                .collect();
            format!("found the frontends {}, expected `{name}` among them", names.join(", "))
        })?,
        None => sections
            .iter()
            .filter(serves)
            .find(logs_http)
            .or_else(|| sections.iter().find(logs_http))
            .or_else(|| sections.iter().find(|section| section.logged.is_some()))
            .ok_or("found neither `log-format` nor `option httplog`")?,
    };
    match &section.logged {
        Some(Logged::Http(format)) => Ok(Found {
            name: section.name.clone(),
            format: format.clone(),
            captured: section.captured.clone(),
        }),
        Some(Logged::Tcp) => Err(format!(
            "found `option tcplog` in `{}`, expected `option httplog` or `log-format`",
            section.name
        )),
        None => {
            Err(format!("found no `log-format` in `{}`, expected one there or in its defaults", section.name))
        }
    }
}

/// The format string when `text` is a whole `log-format` directive.
pub(crate) fn log_format_directive(text: &str) -> Option<String> {
    let text = text.trim();
    text.strip_prefix("log-format")?.starts_with(char::is_whitespace).then_some(())?;
    words(text).into_iter().nth(1)
}

fn sections(configuration: &str) -> Vec<Section> {
    const KINDS: [&str; 5] = ["global", "defaults", "frontend", "backend", "listen"];
    let mut sections: Vec<Section> = Vec::new();
    for line in configuration.lines() {
        let words = words(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            [kind, rest @ ..] if KINDS.contains(kind) && !line.starts_with(char::is_whitespace) => {
                let inherited = match rest.iter().position(|word| *word == "from") {
                    Some(at) => {
                        sections.iter().rfind(|section| Some(&section.name.as_str()) == rest.get(at + 1))
                    }
                    None => sections.iter().rfind(|section| section.kind == "defaults"),
                };
                let inherited = inherited.filter(|section| section.kind == "defaults");
                let logged = match *kind {
                    "frontend" | "listen" => inherited.and_then(|section| section.logged.clone()),
                    _ => None,
                };
                let name = rest.first().map_or_else(|| (*kind).to_owned(), |name| (*name).to_owned());
                sections.push(Section { kind: (*kind).to_owned(), name, logged, captured: Vec::new() });
            }
            directive => {
                if let Some(section) = sections.last_mut() {
                    section.read(directive);
                }
            }
        }
    }
    sections
}

impl Section {
    fn read(&mut self, directive: &[&str]) {
        match directive {
            ["log-format", format, ..] => self.logged = Some(Logged::Http((*format).to_owned())),
            ["option", "httplog", "clf", ..] => self.logged = Some(Logged::Http(CLF.to_owned())),
            ["option", "httplog", ..] => self.logged = Some(Logged::Http(HTTPLOG.to_owned())),
            ["option", "httpslog", ..] => self.logged = Some(Logged::Http(HTTPSLOG.to_owned())),
            ["option", "tcplog", ..] => self.logged = Some(Logged::Tcp),
            ["capture", "request", "header", name, ..] => self.captured.push((*name).to_owned()),
            ["declare", "capture", "request", ..] => self.captured.push(String::new()),
            ["http-request", "capture", sample, ..] => {
                let header = sample.split_once("hdr(").and_then(|(_, name)| name.strip_suffix(')'));
                self.captured.push(header.unwrap_or_default().to_owned());
            }
            _ => {}
        }
    }
}

/// The words of a line, without its comment. Outside quotes a backslash takes the next character as it is; inside
/// `"…"` it does so for `"`, `\` and `$`; inside `'…'` it is one of the text.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, '#') => break,
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (None, '\\') => {
                let escaped = match chars.next() {
                    Some('t') => '\t',
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some(other) => other,
                    None => break,
                };
                word.get_or_insert_default().push(escaped);
            }
            (Some('"'), '\\') if chars.peek().is_some_and(|next| matches!(next, '"' | '\\' | '$')) => {
                word.get_or_insert_default().extend(chars.next());
            }
            (None | Some('"'), '$') => {
                word.get_or_insert_default().push_str(&environment(&mut chars));
            }
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// What stands for `$NAME` or `${NAME}`: HAProxy itself sets the names of its formats.
fn environment(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let braced = chars.next_if_eq(&'{').is_some();
    let mut name = String::new();
    while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
        name.push(c);
    }
    if braced {
        chars.find(|c| *c == '}');
    }
    match name.as_str() {
        "HAPROXY_HTTP_LOG_FMT" => HTTPLOG.to_owned(),
        "HAPROXY_HTTPS_LOG_FMT" => HTTPSLOG.to_owned(),
        "HAPROXY_HTTP_CLF_LOG_FMT" => CLF.to_owned(),
        _ => format!("${name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATION: &str = r#"
global
    log /dev/log local0   # log-format "%nothing"

defaults plain
    mode http
    option httplog

defaults
    mode http
    log-format "%ci [%tr] %ST \"%r\""

frontend tcp-in
    option tcplog

frontend web
    capture request header Host len 64
    http-request capture req.hdr(User-Agent) len 128
    http-request capture var(txn.x) len 10

frontend escaped
    log-format %ci\ [%tr]\ %ST\ %{+Q}r

frontend single
    log-format '%ci "%r" \ '

frontend old from plain

frontend own
    log-format "${HAPROXY_HTTP_LOG_FMT} %ID"
backend app
    server s1 192.0.2.1:80
"#;

    #[test]
    fn formats_are_found_in_their_sections() {
        let of = |name| find(CONFIGURATION, name).unwrap().format;
        assert_eq!(of(Some("web")), r#"%ci [%tr] %ST "%r""#);
        assert_eq!(of(Some("escaped")), "%ci [%tr] %ST %{+Q}r");
        assert_eq!(of(Some("single")), r#"%ci "%r" \ "#);
        assert_eq!(of(Some("old")), HTTPLOG);
        assert_eq!(of(Some("own")), format!("{HTTPLOG} %ID"));
        let first = find(CONFIGURATION, None).unwrap();
        assert_eq!(first.name, "web");
        assert_eq!(first.captured, ["Host", "User-Agent", ""]);
    }

    #[test]
    fn defaults_alone_are_enough() {
        let found = find("defaults\n option httpslog\n", None).unwrap();
        assert_eq!((found.name.as_str(), found.format.as_str()), ("defaults", HTTPSLOG));
    }

    #[test]
    fn what_is_not_there_is_said_with_what_is() {
        for (configuration, wanted, expected) in [
            (CONFIGURATION, Some("other"), "tcp-in, web"),
            (CONFIGURATION, Some("tcp-in"), "option tcplog"),
            (CONFIGURATION, Some("app"), "found no `log-format` in `app`"),
            ("global\n daemon\n", None, "found neither"),
            ("", None, "found neither"),
        ] {
            let problem = find(configuration, wanted).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn a_whole_directive_may_be_pasted() {
        assert_eq!(log_format_directive(r#" log-format "%ci %r" "#).as_deref(), Some("%ci %r"));
        assert_eq!(log_format_directive("log-format-sd %ci"), None);
    }
}
