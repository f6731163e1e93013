//! The files that a configuration includes by a pattern such as `conf.d/*.conf`.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

/// Reads included files, each once: a configuration that includes itself ends.
#[derive(Debug)]
pub(super) struct Includes {
    /// Where relative patterns start; the first that has files for a pattern counts.
    roots: Vec<PathBuf>,
    seen: HashSet<PathBuf>,
    /// Patterns without wildcards that no file could be read for.
    pub(super) missing: Vec<String>,
}

impl Includes {
    pub(super) fn new(main: &Path, roots: Vec<PathBuf>) -> Self {
        let seen = fs_err::canonicalize(main).into_iter().collect();
        Self { roots, seen, missing: Vec::new() }
    }

    /// The texts of the files that `pattern` stands for, in the order of their names.
    pub(super) fn read(&mut self, pattern: &str) -> Vec<String> {
        let found = self.roots.iter().map(|root| expand(&root.join(pattern))).find(|found| !found.is_empty());
        let mut texts = Vec::new();
        for path in found.unwrap_or_default() {
            if fs_err::canonicalize(&path).is_ok_and(|whole| !self.seen.insert(whole)) {
                continue;
            }
            match fs_err::read(&path) {
                Ok(bytes) => texts.push(String::from_utf8_lossy(&bytes).into_owned()),
                Err(_) => self.missing.push(path.display().to_string()),
            }
        }
        texts
    }
}

/// The paths that exist for a pattern, sorted; a pattern without wildcards stands for itself. A directory stands for
/// the files below it, as it does in Apache.
fn expand(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let name = component.as_os_str().to_string_lossy();
        let has_wildcard = matches!(component, Component::Normal(_)) && name.contains(['*', '?', '[']);
        found = match has_wildcard {
            false => found.into_iter().map(|path| path.join(component)).collect(),
            true => found.iter().flat_map(|path| matching(path, &name)).collect(),
        };
    }
    found.into_iter().flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

fn matching(directory: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs_err::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| matches(pattern.as_bytes(), entry.file_name().to_string_lossy().as_bytes()))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = matching(directory, "*");
    entries.into_iter().filter(|path| path.is_file()).collect()
}

/// Whether `name` is one that a shell's `pattern` stands for. Names that begin with a dot are not, unless it does too.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    let mut here = (pattern, name);
    // Where the last `*` can take one byte more.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        let step = match here {
            ([], []) => return true,
            ([b'*', after @ ..], name) => {
                retry = name.split_first().map(|(_, rest)| (here.0, rest));
                Some((after, name))
            }
            ([b'?', after @ ..], [_, rest @ ..]) => Some((after, rest)),
            ([b'[', set @ ..], [byte, rest @ ..]) => one_of(set, *byte).map(|after| (after, rest)),
            ([wanted, after @ ..], [byte, rest @ ..]) if wanted == byte => Some((after, rest)),
            _ => None,
        };
        match step.or_else(|| retry.take()) {
            Some(next) => here = next,
            None => return false,
        }
    }
}

/// What follows the set, when `byte` is in it: `a-z]`, `!0-9]`.
fn one_of(set: &[u8], byte: u8) -> Option<&[u8]> {
    let end = set.iter().skip(1).position(|byte| *byte == b']')? + 1;
    let (members, after) = (&set[..end], &set[end + 1..]);
    let (negated, members) = match members {
        [b'!' | b'^', rest @ ..] => (true, rest),
        all => (false, all),
    };
    let mut inside = false;
    let mut rest = members;
    while let [first, tail @ ..] = rest {
        let (last, next) = match tail {
            [b'-', last, next @ ..] => (last, next),
            _ => (first, tail),
        };
        inside |= (*first..=*last).contains(&byte);
        rest = next;
    }
    (inside != negated).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf.bak", false),
            ("*.conf", ".hidden.conf", false),
            ("*", "anything", true),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXbX", false),
            ("0?-[a-c]*", "01-b.conf", true),
            ("0?-[a-c]*", "01-x.conf", false),
            ("[!0-9]", "a", true),
            ("[!0-9]", "7", false),
            ("[", "[", false),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
