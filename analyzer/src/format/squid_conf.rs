//! Which `logformat` a configuration of Squid uses.
//!
//! Source: Squid `src/cf.data.pre` (`logformat`, `access_log`, `log_mime_hdrs`).

use super::program::Tail;
use super::squid_format::{COMBINED, COMMON, NATIVE};

/// What the configuration logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) format: String,
    /// `log_mime_hdrs` adds two blocks of headers at the end.
    pub(crate) tail: Tail,
}

/// Whether `text` is a configuration of Squid.
pub(super) fn recognise(text: &str) -> bool {
    directives(text).iter().any(|line| as_logformat(line).is_some() || line.starts_with("http_port "))
}

/// The format that `configuration` uses: the one called `wanted`, else the one of its first `access_log`, else the
/// one that Squid uses where nothing is said.
///
/// # Errors
/// A sentence that says what was found and expected.
pub(crate) fn find(configuration: &str, wanted: Option<&str>) -> Result<Found, String> {
    let directives = directives(configuration);
    let formats: Vec<(String, String)> = directives.iter().filter_map(|line| as_logformat(line)).collect();
    let is_known = |name: &str| builtin(name).is_some() || formats.iter().any(|(known, _)| known == name);
    let used = directives.iter().find_map(|line| used_by(line, &is_known));
    let name = wanted.or(used.as_deref()).unwrap_or("squid");
    let own = formats.iter().find(|(known, _)| known == name).map(|(_, format)| format.as_str());
    let Some(format) = own.or_else(|| builtin(name)) else {
        let names: Vec<&str> = formats.iter().map(|(name, _)| name.as_str()).collect();
        return Err(match names.as_slice() {
            [] => format!("found no `logformat {name}`"),
            names => format!("found the formats {}, expected `{name}` among them", names.join(", ")),
        });
    };
    let adds_headers = directives.iter().any(|line| line.split_whitespace().eq(["log_mime_hdrs", "on"]));
    let tail = if adds_headers { Tail::Anything } else { Tail::Nothing };
    Ok(Found { name: name.to_owned(), format: format.to_owned(), tail })
}

fn builtin(name: &str) -> Option<&'static str> {
    match name {
        "squid" => Some(NATIVE),
        "common" => Some(COMMON),
        "combined" => Some(COMBINED),
        _ => None,
    }
}

/// Name and format string when `text` is a whole `logformat` directive.
pub(crate) fn logformat_directive(text: &str) -> Option<(String, String)> {
    directives(text).iter().find_map(|line| as_logformat(line))
}

/// Lines that say something; a backslash at the end of a line continues it on the next.
fn directives(configuration: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut continues = false;
    for line in configuration.lines() {
        let (line, goes_on) = match line.strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| continues) {
            Some(before) => before.push_str(line.trim_start()),
            None => lines.push(line.trim_start().to_owned()),
        }
        continues = goes_on;
    }
    lines.retain(|line| !line.is_empty() && !line.starts_with('#'));
    lines
}

fn as_logformat(line: &str) -> Option<(String, String)> {
    let rest = line.strip_prefix("logformat")?.strip_prefix([' ', '\t'])?.trim();
    // Apache's directive of that name has the format first, in quotes.
    let (name, format) = rest.split_once([' ', '\t']).filter(|(name, _)| !name.starts_with('"'))?;
    Some((name.to_owned(), format.trim_start().to_owned()))
}

/// The name in `access_log PLACE [NAME | logformat=NAME] [options] [acl …]`.
fn used_by(line: &str, is_known: &dyn Fn(&str) -> bool) -> Option<String> {
    let mut words = line.split_whitespace();
    if words.next() != Some("access_log") || words.next() == Some("none") {
        return None;
    }
    let mut name = "squid";
    for (at, word) in words.enumerate() {
        match word.split_once('=') {
            Some(("logformat", named)) => name = named,
            Some(_) => {}
            // What is no format is an `acl`.
            None if at == 0 && is_known(word) => name = word,
            None => {}
        }
    }
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATION: &str = r#"
# logformat commented %nothing
logformat timed %ts.%03tu %6tr %>a \
    %>Hs %rm %ru
logformat   other "%>a" %tl
log_mime_hdrs on
access_log none local
access_log daemon:/var/log/squid/access.log logformat=timed rotate=3 all
"#;

    #[test]
    fn the_format_in_use_is_found() {
        let found = find(CONFIGURATION, None).unwrap();
        assert_eq!((found.name.as_str(), found.tail), ("timed", Tail::Anything));
        assert_eq!(found.format, "%ts.%03tu %6tr %>a %>Hs %rm %ru");
        assert_eq!(find(CONFIGURATION, Some("other")).unwrap().format, r#""%>a" %tl"#);
        assert_eq!(find(CONFIGURATION, Some("combined")).unwrap().format, COMBINED);
        for (configuration, expected) in [
            ("access_log /var/log/a.log common all\n", COMMON),
            ("access_log stdio:/var/log/a.log local_clients\n", NATIVE),
            ("http_port 3128\n", NATIVE),
        ] {
            let found = find(configuration, None).unwrap();
            assert_eq!((found.format.as_str(), found.tail), (expected, Tail::Nothing), "{configuration}");
        }
    }

    #[test]
    fn what_is_not_there_is_said_with_what_is() {
        assert!(find(CONFIGURATION, Some("mine")).unwrap_err().contains("timed, other"));
        assert!(find("access_log /a logformat=mine\n", None).unwrap_err().contains("no `logformat mine`"));
    }

    #[test]
    fn a_whole_directive_may_be_pasted() {
        let (name, format) = logformat_directive("logformat x %>a %tl").unwrap();
        assert_eq!((name.as_str(), format.as_str()), ("x", "%>a %tl"));
        assert_eq!(logformat_directive("%>a %tl"), None);
    }
}
