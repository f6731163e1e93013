//! Lines that say how the lines after them are to be read: the directives of W3C extended logs (`#Fields: …`) and
//! of Zeek (`#fields …`).
//!
//! They may come again anywhere, and blocks are read in any order, so each block carries those in force at its start.

use std::sync::Arc;

/// The directives that matter, without regard to case.
const NAMES: [&str; 5] = ["fields", "software", "date", "separator", "unset_field"];

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The last line of each directive.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeaderLines {
    lines: [Option<Box<[u8]>>; NAMES.len()],
}

impl HeaderLines {
    /// Lines that [`HeaderLines::joined`] put together.
    pub(crate) fn from_joined(joined: &[u8]) -> Self {
        let mut lines = Self::default();
        for line in joined.split(|byte| *byte == b'\n') {
            lines.note(line);
        }
        lines
    }

    /// Takes a line that begins with `#`; whether it is one that matters.
    pub(crate) fn note(&mut self, line: &[u8]) -> bool {
        let Some((at, _)) = directive(line) else { return false };
        self.lines[at] = Some(line.into());
        true
    }

    /// What follows the name of directive `name`.
    pub(crate) fn value(&self, name: &str) -> Option<&[u8]> {
        let at = NAMES.iter().position(|known| *known == name)?;
        directive(self.lines[at].as_ref()?).map(|(_, value)| value)
    }

    fn joined(&self) -> Option<Arc<[u8]>> {
        let lines: Vec<&[u8]> = self.lines.iter().flatten().map(|line| &**line).collect();
        (!lines.is_empty()).then(|| lines.join(&b'\n').into())
    }
}

/// The number of the directive of a line such as `#Fields: date time`, and what follows its name.
fn directive(line: &[u8]) -> Option<(usize, &[u8])> {
    let text = line.strip_prefix(b"#")?;
    let end = text.iter().position(|byte| matches!(byte, b':' | b' ' | b'\t')).unwrap_or(text.len());
    let at = NAMES.iter().position(|name| text[..end].eq_ignore_ascii_case(name.as_bytes()))?;
    Some((at, text.get(end + 1..).unwrap_or_default()))
}

/// Follows an input from block to block.
#[derive(Debug, Default)]
pub(super) struct Follower {
    lines: HeaderLines,
    joined: Option<Arc<[u8]>>,
}

impl Follower {
    /// The header lines in force at the start of the next block, one per line.
    pub(super) fn in_force(&self) -> Option<Arc<[u8]>> {
        self.joined.clone()
    }

    /// Takes note of the header lines in `bytes`, which start at a line. Longer lines than `line_limit` are not read.
    pub(super) fn pass(&mut self, bytes: &[u8], line_limit: usize) {
        let mut changed = false;
        for at in memchr::memchr_iter(b'#', bytes) {
            let before = &bytes[..at];
            let before = before.strip_suffix(BYTE_ORDER_MARK).unwrap_or(before);
            if !before.is_empty() && !before.ends_with(b"\n") {
                continue;
            }
            let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
            let line = &bytes[at..end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            changed |= line.len() + (at - before.len()) <= line_limit && self.lines.note(line);
        }
        if changed {
            self.joined = self.lines.joined();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_each_directive_is_in_force() {
        let mut follower = Follower::default();
        assert_eq!(follower.in_force(), None);
        follower.pass(b"\xef\xbb\xbf#Software: one\r\n#Fields: a b\nx # y\n", 100);
        assert_eq!(follower.in_force().as_deref(), Some(&b"#Fields: a b\n#Software: one"[..]));
        follower.pass(b"a\n#note\n#Fields: much too long for a line\n", 20);
        follower.pass(b"#fields c\n", 100);
        let joined = follower.in_force().unwrap();
        let lines = HeaderLines::from_joined(&joined);
        assert_eq!(lines.value("fields"), Some(&b"c"[..]));
        assert_eq!(lines.value("software"), Some(&b" one"[..]));
        assert_eq!(lines.value("date"), None);
    }
}
