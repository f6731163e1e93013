//! Which `LogFormat` a configuration of Apache uses.
//!
//! Source: Apache `mod_log_config` (`LogFormat`, `CustomLog`, `TransferLog`) and `ap_getword_conf` for the quoting.

use std::collections::HashMap;

/// What `TransferLog` writes when no `LogFormat` without a name says otherwise; also known as `CLF`.
const CLF: &str = r#"%h %l %u %t "%r" %>s %b"#;

/// The text is a configuration of Apache.
pub(super) fn recognise(text: &str) -> bool {
    directives(text).iter().any(|(line, words)| {
        let known = ["logformat", "customlog", "transferlog", "serverroot", "include", "includeoptional"];
        let block = |name: &str| name.starts_with("<virtualhost") || name.starts_with("<ifmodule");
        words.first().is_some_and(|name| {
            let name = name.to_ascii_lowercase();
            (known.contains(&name.as_str()) || block(&name)) && !line.ends_with([';', '{'])
        })
    })
}

/// Where relative paths start, where the configuration says.
pub(super) fn server_root(text: &str) -> Option<String> {
    directives(text).into_iter().find_map(|(_, words)| match words.as_slice() {
        [name, root] if name.eq_ignore_ascii_case("serverroot") => Some(root.clone()),
        _ => None,
    })
}

/// The text with the files that it includes after it; `read` gives what a pattern such as `conf.d/*.conf` stands for.
pub(super) fn included(text: &str, read: &mut dyn FnMut(&str) -> Vec<String>) -> String {
    let mut all = text.to_owned();
    let mut defined: HashMap<String, String> = HashMap::new();
    for (_, words) in directives(text) {
        let name = words[0].to_ascii_lowercase();
        match (name.as_str(), &words[1..]) {
            ("define", [variable, value]) => drop(defined.insert(format!("${{{variable}}}"), value.clone())),
            ("include" | "includeoptional", [pattern]) => {
                let pattern =
                    defined.iter().fold(pattern.clone(), |text, (name, value)| text.replace(name, value));
                for file in read(&pattern) {
                    all.push('\n');
                    all.push_str(&included(&file, read));
                }
            }
            _ => {}
        }
    }
    all
}

/// Name and format string of the format that `configuration` uses: the one called `wanted`, else the one that its
/// logs agree on, else its only one.
///
/// # Errors
/// A sentence that says what was found and expected.
pub(super) fn find(configuration: &str, wanted: Option<&str>) -> Result<(String, String), String> {
    let mut named: Vec<(String, String)> = Vec::new();
    let mut unnamed = CLF.to_owned();
    let mut used: Vec<(String, Option<String>)> = Vec::new();
    for (_, words) in directives(configuration) {
        match (words[0].to_ascii_lowercase().as_str(), &words[1..]) {
            ("logformat", [format, name]) => named.push((name.clone(), format.clone())),
            ("logformat", [format]) => unnamed.clone_from(format),
            ("customlog" | "globallog", [_, format, ..]) if format.contains('%') => {
                used.push(("CustomLog".to_owned(), Some(format.clone())));
            }
            ("customlog" | "globallog", [_, name, ..]) => used.push((name.clone(), None)),
            ("transferlog", [_]) => used.push(("TransferLog".to_owned(), Some(unnamed.clone()))),
            _ => {}
        }
    }
    let names = || named.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    // A later definition of a name replaces an earlier one.
    let known = |name: &str| match named.iter().rev().find(|(known, _)| known == name) {
        Some((name, format)) => Ok((name.clone(), format.clone())),
        None if name.eq_ignore_ascii_case("clf") => Ok((name.to_owned(), CLF.to_owned())),
        None if named.is_empty() => Err(format!("found no `LogFormat … {name}`")),
        None => Err(format!("found the formats {}, expected `{name}` among them", names())),
    };
    if let Some(name) = wanted {
        return known(name);
    }
    used.dedup();
    match (used.as_slice(), named.as_slice()) {
        ([(name, Some(format))], _) => Ok((name.clone(), format.clone())),
        ([(name, None)], _) => known(name),
        ([first, ..], _) if used.iter().all(|other| other == first) => {
            first.1.clone().map_or_else(|| known(&first.0), |format| Ok((first.0.clone(), format)))
        }
        ([], [only]) => Ok(only.clone()),
        ([], []) => Err("found neither `LogFormat` nor `CustomLog`".to_owned()),
        ([], _) => Err(format!("found the formats {}, expected one name after `:`", names())),
        (several, _) => {
            let mut names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            Err(format!("found logs in the formats {}, expected one name after `:`", names.join(", ")))
        }
    }
}

/// Name and format string when `text` is a whole `LogFormat` or `CustomLog` directive.
pub(super) fn log_format_directive(text: &str) -> Option<(Option<String>, String)> {
    let (_, words) = directives(text.trim()).into_iter().next()?;
    match (words[0].to_ascii_lowercase().as_str(), &words[1..]) {
        ("logformat", [format, name @ ..]) => Some((name.first().cloned(), format.clone())),
        ("customlog" | "globallog", [_, format, ..]) if format.contains('%') => Some((None, format.clone())),
        _ => None,
    }
}

/// Lines and their words; a backslash at the end of a line joins it to the next.
fn directives(text: &str) -> Vec<(String, Vec<String>)> {
    let text = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines.map(|line| (line.to_owned(), words(line))).filter(|(_, words)| !words.is_empty()).collect()
}

/// Words between blanks, or between quotes; a backslash in front of a quote or a backslash is undone inside quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let mut word = String::new();
        let mut characters = rest.char_indices().peekable();
        let quote = Some(first).filter(|first| matches!(first, '"' | '\''));
        if quote.is_some() {
            characters.next();
        }
        let mut end = rest.len();
        while let Some((at, character)) = characters.next() {
            match (character, quote, characters.peek()) {
                ('\\', Some(quote), Some((_, next))) if *next == quote || *next == '\\' => {
                    word.push(*next);
                    characters.next();
                }
                (character, Some(quote), _) if character == quote => {
                    end = at + 1;
                    break;
                }
                (character, None, _) if character.is_whitespace() => {
                    end = at;
                    break;
                }
                _ => word.push(character),
            }
        }
        words.push(word);
        rest = rest[end..].trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATION: &str = r#"
        ServerRoot "/etc/httpd"
        # LogFormat "%h" commented
        <IfModule log_config_module>
            LogFormat "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"" combined
            LogFormat "%h %l %u %t \
                \"%r\" %>s %b" common
            CustomLog "logs/access_log" combined env=!quiet
        </IfModule>
    "#;

    #[test]
    fn the_format_in_use_is_found() {
        let (name, format) = find(CONFIGURATION, None).unwrap();
        assert_eq!(name, "combined");
        assert_eq!(format, r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#);
        assert!(find(CONFIGURATION, Some("common")).unwrap().1.ends_with(r#""%r" %>s %b"#));
        assert!(recognise(CONFIGURATION) && !recognise("http { include a; }\nlog_format x '$a';"));
        assert_eq!(server_root(CONFIGURATION).as_deref(), Some("/etc/httpd"));
        for (text, name, format) in [
            (r#"CustomLog a.log "%t %r %s""#, "CustomLog", "%t %r %s"),
            ("TransferLog a.log", "TransferLog", CLF),
            ("LogFormat \"%t\"\nTransferLog a.log", "TransferLog", "%t"),
            ("CustomLog a.log CLF", "CLF", CLF),
        ] {
            assert_eq!(find(text, None).unwrap(), (name.to_owned(), format.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_not_there_is_said_with_what_is() {
        assert!(find(CONFIGURATION, Some("other")).unwrap_err().contains("combined, common"));
        assert!(find("Listen 80", None).unwrap_err().contains("neither"));
        let two = format!("{CONFIGURATION}\nCustomLog b.log common");
        assert!(find(&two, None).unwrap_err().contains("combined, common, expected one name"));
    }

    #[test]
    fn included_files_are_read_by_their_pattern() {
        let mut asked = Vec::new();
        let all = included("Define D conf.d\nInclude ${D}/*.conf\nCustomLog a b", &mut |pattern| {
            asked.push(pattern.to_owned());
            vec!["LogFormat \"%t\" b".to_owned()]
        });
        assert_eq!(asked, ["conf.d/*.conf"]);
        assert_eq!(find(&all, None).unwrap(), ("b".to_owned(), "%t".to_owned()));
    }
}
