//! Which `log_format` a server's configuration uses.

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take_while, take_while1};
use nom::character::complete::{anychar, char, multispace1};
use nom::combinator::{map, recognize, value};
use nom::multi::{many0, many1};
use nom::sequence::{delimited, pair, preceded};
use nom::{IResult, Parser as _};

use super::builtin::COMBINED;
use super::escape::Escape;
use super::nginx_format::{self, LogFormat};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Mark(char),
    Nothing,
}

/// The text is a configuration of nginx: it holds one of the directives that matter here, ended as nginx ends them.
pub(super) fn recognise(text: &str) -> bool {
    directives(text).iter().any(|words| match words.as_slice() {
        [name, _, ..] => {
            matches!(name.as_str(), "log_format" | "access_log" | "include" | "listen" | "server_name")
        }
        [name] => matches!(name.as_str(), "http" | "events" | "server"),
        [] => false,
    })
}

/// The text with the files that it includes in their places; `read` gives what a pattern such as `conf.d/*.conf`
/// stands for.
pub(super) fn included(text: &str, read: &mut dyn FnMut(&str) -> Vec<String>) -> String {
    let mut all = text.to_owned();
    for words in directives(text) {
        if let [name, pattern] = words.as_slice()
            && name == "include"
        {
            for file in read(pattern) {
                // What is included may use formats of the main file and the other way round: order does not matter,
                // except between `access_log` directives, where the main file goes first.
                all.push('\n');
                all.push_str(&included(&file, read));
            }
        }
    }
    all
}

/// The format that `configuration` uses: the one called `wanted`, else the one of its first `access_log`,
/// else its only one.
///
/// # Errors
/// A sentence that says what was found and expected.
pub fn find(configuration: &str, wanted: Option<&str>) -> Result<LogFormat, String> {
    let directives = directives(configuration);
    let formats: Vec<LogFormat> = directives.iter().filter_map(|words| as_log_format(words)).collect();
    let used = directives
        .iter()
        .filter(|words| words.first().is_some_and(|word| word == "access_log"))
        .filter(|words| words.get(1).is_none_or(|path| path != "off"))
        .map(|words| words.get(2).filter(|word| !word.contains('=')).map_or("combined", String::as_str))
        .next();
    let names: Vec<&str> = formats.iter().map(|format| format.name.as_str()).collect();
    let name = match (wanted, used, names.as_slice()) {
        (Some(name), _, _) | (None, Some(name), _) => name,
        (None, None, [name]) => *name,
        (None, None, []) => return Err("found neither `log_format` nor `access_log`".to_owned()),
        (None, None, _) => {
            return Err(format!("found the formats {}, expected one name after `:`", names.join(", ")));
        }
    };
    match formats.iter().find(|format| format.name == name) {
        Some(found) => Ok(found.clone()),
        None if name == "combined" => {
            Ok(LogFormat { name: name.to_owned(), format: COMBINED.to_owned(), escape: Escape::Backslash })
        }
        None if names.is_empty() => Err(format!("found no `log_format {name}`")),
        None => Err(format!("found the formats {}, expected `{name}` among them", names.join(", "))),
    }
}

/// The directive when `text` is a whole `log_format`.
pub(crate) fn log_format_directive(text: &str) -> Option<LogFormat> {
    let text = text.trim();
    text.strip_prefix("log_format")?.starts_with(char::is_whitespace).then_some(())?;
    directives(&format!("{text};")).iter().find_map(|words| as_log_format(words))
}

fn as_log_format(words: &[String]) -> Option<LogFormat> {
    let [directive, name, strings @ ..] = words else { return None };
    let escape = strings.first().and_then(|first| nginx_format::escape(first.strip_prefix("escape=")?));
    let strings = &strings[usize::from(escape.is_some())..];
    (directive == "log_format").then(|| LogFormat {
        name: name.clone(),
        format: strings.concat(),
        escape: escape.unwrap_or(Escape::Backslash),
    })
}

/// All simple directives, wherever they stand; blocks only group them.
fn directives(configuration: &str) -> Vec<Vec<String>> {
    let tokens = tokens(configuration).map(|(_, tokens)| tokens).unwrap_or_default();
    let mut found = Vec::new();
    let mut words = Vec::new();
    for token in tokens {
        match token {
            Token::Word(word) => words.push(word),
            Token::Mark(_) => found.push(std::mem::take(&mut words)),
            Token::Nothing => {}
        }
    }
    found.retain(|words| !words.is_empty());
    found
}

fn tokens(text: &str) -> IResult<&str, Vec<Token>> {
    let braced =
        || recognize((tag("${"), take_while1(|c: char| c.is_ascii_alphanumeric() || c == '_'), tag("}")));
    let plain = || take_while1(|c: char| !c.is_whitespace() && !"{};'\"$".contains(c));
    many0(alt((
        value(Token::Nothing, multispace1),
        value(Token::Nothing, pair(char('#'), take_while(|c| c != '\n'))),
        map(alt((tag("{"), tag("}"), tag(";"))), |mark: &str| {
            Token::Mark(mark.chars().next().unwrap_or(';'))
        }),
        map(quoted('\''), Token::Word),
        map(quoted('"'), Token::Word),
        map(recognize(many1(alt((braced(), plain(), tag("$"))))), |word: &str| Token::Word(word.to_owned())),
        // A stray quote: no directive that matters here holds one.
        value(Token::Nothing, anychar),
    )))
    .parse(text)
}

/// A quoted string. nginx undoes `\"`, `\'`, `\\`, `\t`, `\r`, `\n`; any other backslash stays in the string.
fn quoted<'a>(quote: char) -> impl nom::Parser<&'a str, Output = String, Error = nom::error::Error<&'a str>> {
    let stops = if quote == '"' { "\"\\" } else { "'\\" };
    let escape = preceded(char('\\'), anychar).map(|c| match c {
        't' => "\t".to_owned(),
        'n' => "\n".to_owned(),
        'r' => "\r".to_owned(),
        '"' | '\'' | '\\' => c.to_string(),
        other => format!("\\{other}"),
    });
    let plain = is_not(stops).map(str::to_owned);
    delimited(char(quote), many0(alt((plain, escape))).map(|parts| parts.concat()), char(quote))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATION: &str = r#"
        # log_format commented '$nothing';
        http {
            log_format main '$remote_addr - $remote_user [$time_local] '
                            '"$request" $status';   # the usual
            log_format json escape=json '{"t":"$msec"}';
            server { access_log /var/log/nginx/access.log main; }
        }
    "#;

    #[test]
    fn the_format_in_use_is_found_and_strings_are_joined() {
        let found = find(CONFIGURATION, None).unwrap();
        assert_eq!(found.name, "main");
        assert_eq!(found.format, r#"$remote_addr - $remote_user [$time_local] "$request" $status"#);
        let json = find(CONFIGURATION, Some("json")).unwrap();
        assert_eq!((json.format.as_str(), json.escape), (r#"{"t":"$msec"}"#, Escape::Json));
    }

    #[test]
    fn what_is_not_there_is_said_with_what_is() {
        assert!(find(CONFIGURATION, Some("other")).unwrap_err().contains("main, json"));
        assert!(find("events {}", None).is_err());
        assert_eq!(find("access_log logs/a.log;", None).unwrap().name, "combined");
    }
}
