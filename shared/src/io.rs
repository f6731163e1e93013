//! Reading and writing profiles: the one place in this crate that touches files.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use crate::error::Error;
use crate::profile::{Profile, VERSION};
use crate::{shape, validate};

/// First line of every file written, for editors with a YAML language server.
const SCHEMA_LINE: &str = "# yaml-language-server: $schema=schemas/profile.schema.json";

/// Reads, checks and returns the profile in the file at `path`.
///
/// # Errors
/// [`Error::Io`], or what [`from_yaml`] gives.
pub fn read(path: &Path) -> Result<Profile, Error> {
    let text = fs_err::read_to_string(path).map_err(|source| Error::Io {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    from_yaml(&text)
}

/// The profile in `text` (YAML, hence also JSON), checked.
///
/// # Errors
/// [`Error::Syntax`] when it is no YAML, [`Error::Version`] when it is of another version,
/// [`Error::Invalid`] with everything that is wrong otherwise.
pub fn from_yaml(text: &str) -> Result<Profile, Error> {
    let options = || {
        serde_yaml::options! {
            // `no` and `on` are words in a profile (an endpoint id, a key), not booleans.
            strict_booleans: true,
            // The default budget stops at profiles of about 12 MB, which large services reach.
            budget: serde_yaml::budget! { max_nodes: 20_000_000, max_events: 60_000_000 },
        }
    };
    let syntax = |error: serde_yaml::Error| Error::Syntax { message: first_line(&error.to_string()) };
    let untyped: serde_json::Value = serde_yaml::from_str_with_options(text, options()).map_err(syntax)?;
    match untyped.get("loadprint") {
        Some(version) if version.as_f64() == Some(f64::from(VERSION)) => {}
        Some(version) => return Err(Error::Version { found: version.to_string(), expected: VERSION }),
        None => {
            return Err(Error::Syntax { message: "found no key `loadprint` with the version".to_owned() });
        }
    }
    let typed: Result<Profile, _> = serde_yaml::from_str_with_options(text, options());
    let violations = match &typed {
        Ok(profile) => validate::validate(profile),
        Err(_) => shape::check(&untyped),
    };
    if violations.is_empty() { typed.map_err(syntax) } else { Err(Error::Invalid { violations }) }
}

/// The profile as YAML: the same profile gives the same bytes.
pub fn to_yaml(profile: &Profile) -> String {
    let options = serde_yaml::ser_options! { prefer_block_scalars: false };
    let mut text = format!("{SCHEMA_LINE}\n");
    serde_yaml::to_fmt_writer_with_options(&mut text, profile, options)
        .expect("a profile holds only maps with string or integer keys, lists, numbers and strings");
    text
}

/// Writes `text` to `path` as [`replace`] does.
///
/// # Errors
/// [`Error::Io`].
pub fn write_atomically(path: &Path, text: &str) -> Result<(), Error> {
    let written = replace(path, |file| file.write_all(text.as_bytes()));
    written.map_err(|source| Error::Io { action: "write", path: path.to_owned(), source })
}

/// Lets `write` fill `path` so that no reader ever sees half of it: in a file beside it, then renamed.
///
/// A symbolic link stays, and what it points at is replaced. What is no regular file (a device, a pipe) is written
/// to as it is: replacing it would take it away from everybody else. After a failure nothing is left behind.
///
/// # Errors
/// What `write` gives, or what the system says.
pub fn replace<T, E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<T, E> {
    replace_with(path, |path| fs_err::File::create(path), write)
}

/// As [`replace`], into a file that only its owner can read.
///
/// # Errors
/// What `write` gives, or what the system says.
pub fn replace_private<T, E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<T, E> {
    let create = |path: &Path| {
        let mut options = fs_err::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use fs_err::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        options.open(path)
    };
    replace_with(path, create, write)
}

fn replace_with<T, E: From<io::Error>>(
    path: &Path,
    create: impl FnOnce(&Path) -> io::Result<fs_err::File>,
    write: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<T, E> {
    let path = fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let fill = |file: fs_err::File| {
        let mut file = io::BufWriter::new(file);
        let result = write(&mut file)?;
        file.flush()?;
        Ok(result)
    };
    if fs_err::metadata(&path).is_ok_and(|existing| !existing.is_file()) {
        return fill(fs_err::OpenOptions::new().write(true).open(&path)?);
    }
    let mut partial = OsString::from(".");
    partial.push(path.file_name().ok_or(io::Error::from(io::ErrorKind::InvalidInput))?);
    partial.push(format!(".{}.partial", std::process::id()));
    let partial = path.with_file_name(partial);
    let filled = fill(create(&partial)?);
    let result = filled.and_then(|result| Ok(fs_err::rename(&partial, &path).map(|()| result)?));
    result.inspect_err(|_| drop(fs_err::remove_file(&partial)))
}

fn first_line(message: &str) -> String {
    // The parser's messages begin with a word that belongs to whoever prints them.
    let line = message.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::EXAMPLE;

    #[test]
    fn writing_and_reading_give_back_the_same_profile() {
        let profile = from_yaml(EXAMPLE).unwrap();
        let text = to_yaml(&profile);
        assert_eq!(from_yaml(&text).unwrap(), profile, "{text}");
        assert_eq!(to_yaml(&from_yaml(&text).unwrap()), text);
    }

    #[test]
    fn another_version_names_both() {
        let message = from_yaml("loadprint: 7\n").unwrap_err().to_string();
        assert!(message.contains("`loadprint: 7`") && message.contains("`loadprint: 1`"), "{message}");
    }

    #[test]
    fn misspelt_keys_are_all_named_with_the_nearest_known_one() {
        let text = EXAMPLE.replace("endpoints:", "endpoint:").replace("knots_every_s", "knot_every_s");
        let text = text.replace("    firefox:", "    fire_fox:");
        let message = from_yaml(&text).unwrap_err().to_string();
        assert!(message.contains("did you mean `endpoints`"), "{message}");
        assert!(message.contains("did you mean `knots_every_s`"), "{message}");
        assert!(message.contains("did you mean `firefox`"), "{message}");
    }

    #[test]
    fn what_is_not_yaml_is_an_error_and_no_panic() {
        for text in ["", "{", "- 1", "loadprint: [", "\0", "loadprint: {}", "a: b: c"] {
            assert!(from_yaml(text).is_err(), "{text:?}");
        }
    }
}
