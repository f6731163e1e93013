//! Secrets in templates: `${NAME}` from the environment, `${file:PATH}` from a file. They are looked up once, handed to
//! the template as values, and never part of its text, so that no error about the text can show one.

use std::ffi::OsString;
use std::path::Path;

/// What a template's text becomes when its secrets are taken out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parted {
    /// The text, with `{{ secrets[3] }}` where the fourth secret stood.
    pub(super) text: String,
    /// Whether there was any.
    pub(super) has_secrets: bool,
}

/// A secret that is not there: its name, and what was looked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) name: String,
    pub(super) found: &'static str,
    pub(super) expected: &'static str,
}

/// Takes the secrets out of `text` and adds them to `secrets`. `variable` looks into the environment.
pub(super) fn part(
    text: &str,
    secrets: &mut Vec<String>,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Parted, Missing> {
    let (mut parted, mut rest) = (Parted { text: String::new(), has_secrets: false }, text);
    while let Some((before, after)) = rest.split_once("${") {
        let missing = |name: &str, found, expected| Missing { name: name.to_owned(), found, expected };
        let (name, behind) = after
            .split_once('}')
            .ok_or_else(|| missing("", "a `${` without its `}`", "`${NAME}` or `${file:PATH}`"))?;
        let secret = match name.strip_prefix("file:") {
            Some(path) => {
                let read = fs_err::read_to_string(Path::new(path));
                let text = read.map_err(|_| missing(name, "a file that cannot be read", "a file of text"))?;
                text.strip_suffix('\n')
                    .map(|text| text.strip_suffix('\r').unwrap_or(text))
                    .unwrap_or(&text)
                    .to_owned()
            }
            None => {
                let value = variable(name)
                    .ok_or_else(|| missing(name, "nothing", "a variable of the environment"))?;
                value.into_string().map_err(|_| missing(name, "bytes that are not UTF-8", "text"))?
            }
        };
        parted.text.push_str(before);
        parted.text.push_str(&format!("{{{{ secrets[{}] }}}}", secrets.len()));
        parted.has_secrets = true;
        secrets.push(secret);
        rest = behind;
    }
    parted.text.push_str(rest);
    Ok(parted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<OsString> {
        (name == "TOKEN").then(|| "s3{{ x }}cret".into())
    }

    #[test]
    fn secrets_are_values_and_no_text() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs_err::write(&path, "from file\r\n").unwrap();
        let mut secrets = Vec::new();
        let text = format!("a ${{TOKEN}} $b {{{{ c }}}} ${{file:{}}}$", path.display());
        let parted = part(&text, &mut secrets, &environment).unwrap();
        assert_eq!(parted.text, "a {{ secrets[0] }} $b {{ c }} {{ secrets[1] }}$");
        assert_eq!(secrets, ["s3{{ x }}cret", "from file"]);
        assert!(parted.has_secrets && !part("plain $x", &mut secrets, &environment).unwrap().has_secrets);
    }

    #[test]
    fn a_secret_that_is_not_there_is_named() {
        for (text, name) in [("${OTHER}", "OTHER"), ("${file:/no/such}", "file:/no/such"), ("${TOKEN", "")] {
            assert_eq!(part(text, &mut Vec::new(), &environment).unwrap_err().name, name);
        }
    }
}
