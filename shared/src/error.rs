//! What can be wrong with a profile.

use std::fmt;
use std::path::PathBuf;

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read or written.
    #[error("cannot {action} profile `{path}`", path = path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The text is not YAML, or not of a profile's types.
    #[error("not a profile: {message}")]
    Syntax {
        /// What the parser says, with line and column.
        message: String,
    },
    /// Another version of the format.
    #[error(
        "found `loadprint: {found}`, expected `loadprint: {expected}`\n  hint: make the profile again with this version's `analyzer`"
    )]
    Version {
        /// The file's version.
        found: String,
        /// The version this build reads.
        expected: u32,
    },
    /// The profile was read, and is wrong.
    #[error("{}", list(violations))]
    Invalid {
        /// Everything that is wrong.
        violations: Vec<Violation>,
    },
}

fn list(violations: &[Violation]) -> String {
    let count = violations.len();
    let heading = format!("{count} problem{} in the profile", if count == 1 { "" } else { "s" });
    violations.iter().fold(heading, |text, violation| format!("{text}\n  {violation}"))
}

/// One thing that is wrong with a profile.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// JSON pointer of the place, such as `/endpoints/3/weight`.
    pub place: String,
    /// What stands there.
    pub found: String,
    /// What should.
    pub expected: String,
    /// What to do about it, where there is one thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Violation {
    /// A violation without a hint.
    pub fn new(place: impl Into<String>, found: impl fmt::Display, expected: impl Into<String>) -> Self {
        Self { place: place.into(), found: found.to_string(), expected: expected.into(), hint: None }
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: found {}, expected {}", self.place, self.found, self.expected)?;
        self.hint.iter().try_for_each(|hint| write!(f, "\n    hint: {hint}"))
    }
}

/// The candidate closest to `word` by edit distance, when it is close enough to be a slip of the hand.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1) + 1;
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions and substitutions that turn `a` into `b` (Wagner & Fischer 1974).
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_only_when_near() {
        assert_eq!(nearest("endpoint", ["endpoints", "classes"]), Some("endpoints"));
        assert_eq!(nearest("wieght", ["weight", "requests"]), Some("weight"));
        assert_eq!(nearest("colour", ["endpoints", "classes"]), None);
    }
}
