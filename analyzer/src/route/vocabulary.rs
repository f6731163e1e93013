//! Whether a word is one that routes are made of, such as `settings`, or could be anything, such as `karoti`.
//!
//! A list of words of the web and of its interfaces, written down without any one service in mind; `words.txt` holds
//! their singular. It never decides alone: values may be such words, and a service may speak another language.

use std::sync::LazyLock;

use foldhash::fast::FixedState;
use hashbrown::HashSet;

/// The shortest word that a longer one may be put together of, as `playlist` is.
const SHORTEST_PART: usize = 3;
/// The shortest word that tells something of the run of letters that it stands in; shorter ones stand there by chance.
const SHORTEST_TELLING: usize = 4;
/// Letters of a run of which one at least is of such words. Of runs of 16 letters drawn by lot 1 in 10,000 has as many,
/// and of first names and surnames in one 2 in 100; of long names of programs 7 in 10.
const TELLING_SHARE: usize = 3;
/// Letters and digits from which on a run that holds no known word looks made up by a machine.
const MACHINE_MADE: usize = 14;

/// The list, and its words in all numbers and tenses.
static WORDS: LazyLock<HashSet<String, FixedState>> = LazyLock::new(|| {
    let endings =
        |word: &str| ["", "s", "es", "ies", "ed", "ing", "er", "ly"].map(|ending| format!("{word}{ending}"));
    let mut words = HashSet::default();
    for word in include_str!("words.txt").lines() {
        words.extend(endings(word).into_iter().filter(|form| form == word || word.len() > 1));
        if let Some(stem) = word.strip_suffix('e').filter(|stem| stem.len() > 1) {
            words.extend(["ed", "ing", "er"].map(|ending| format!("{stem}{ending}")));
        }
        if let Some(stem) = word.strip_suffix('y').filter(|stem| stem.len() > 1) {
            words.insert(format!("{stem}ies"));
        }
    }
    words
});
/// Letters of the longest of them, at most.
const LONGEST: usize = 17;

/// How a word is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    /// One or two words that routes are made of, or a version such as `v2`.
    Route,
    /// Three or more of them.
    Phrase,
    /// Some of them and others.
    Partly,
    /// Words that are not on the list.
    Unknown,
    /// With a number in it.
    Numbered,
    /// Long, and nothing in it is known: as machines make names.
    Machine,
}

impl Form {
    /// Whether all its words are on the list.
    pub(crate) fn is_of_routes(self) -> bool {
        matches!(self, Self::Route | Self::Phrase)
    }

    /// The form of `word`, a segment without its extension.
    pub(crate) fn of(word: &str) -> Self {
        if is_version(word) {
            return Self::Route;
        }
        let parts = parts(word);
        let known = parts.iter().filter(|part| is_known(part)).count();
        // Single letters between capitals are words by chance.
        let known_letters: usize =
            parts.iter().filter(|part| part.len() > 2 && is_known(part)).map(String::len).sum();
        let longest = parts.iter().map(String::len).max().unwrap_or(0);
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        match (known, parts.len()) {
            (known, all) if known == all && all <= 2 => Self::Route,
            (known, all) if known == all => Self::Phrase,
            _ if word.len() >= MACHINE_MADE
                && known_letters * 4 < word.len()
                && (digits > 0
                    || mixed_case(word)
                    || longest >= MACHINE_MADE && !holds_words(word.as_bytes())) =>
            {
                Self::Machine
            }
            (_, _) if digits > 0 => Self::Numbered,
            (0, _) => Self::Unknown,
            _ => Self::Partly,
        }
    }
}

/// `v1`, `v1beta2`, `v1.0`, `2.0`.
pub(crate) fn is_version(word: &str) -> bool {
    let Some(rest) = word.strip_prefix(['v', 'V']) else { return false };
    rest.starts_with(|c: char| c.is_ascii_digit())
        && ["", "alpha", "beta", "rc", "p"]
            .contains(&rest.trim_matches(|c: char| c.is_ascii_digit() || c == '.'))
}

/// Whether `segment` stands before all routes, as `api` and `v1` do.
pub(crate) fn is_prefix(segment: &str) -> bool {
    ["api", "apis", "rest", "service", "services"].contains(&segment)
        || is_version(segment)
        || !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Whether `run` is put together of words of routes.
pub(crate) fn is_made_of_words(run: &[u8]) -> bool {
    std::str::from_utf8(run).is_ok_and(|run| {
        run.bytes().all(|byte| byte.is_ascii_alphabetic() || b"-_".contains(&byte))
            && parts(run).iter().all(|part| is_known(part))
    })
}

/// Whether the letters of `run` are those of words of routes in good part, as those of `mutatingadmissionpolicies` are.
pub(crate) fn holds_words(run: &[u8]) -> bool {
    let run = String::from_utf8_lossy(run).to_ascii_lowercase();
    // Of each place: how many of the letters before it are of words on the list, at most.
    let mut listed = vec![0; run.len() + 1];
    for until in 1..=run.len() {
        let word = |from: &usize| run.get(*from..until).is_some_and(is_listed);
        let starts = until.saturating_sub(LONGEST)..(until + 1).saturating_sub(SHORTEST_TELLING);
        let with_word = starts.filter(word).map(|from| listed[from] + until - from).max();
        listed[until] = listed[until - 1].max(with_word.unwrap_or(0));
    }
    listed[run.len()] * TELLING_SHARE >= run.len()
}

/// Whether `word` has the form of a random text of letters and digits that happens to look like words.
pub(crate) fn may_be_random(word: &str) -> bool {
    word.len() >= MACHINE_MADE
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && (mixed_case(word) || word.bytes().any(|byte| byte.is_ascii_digit()))
}

fn mixed_case(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_lowercase()) && word.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// The words that `word` joins by hyphens, underscores and capitals, in lower case.
fn parts(word: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before = '-';
    for c in word.chars() {
        let joint = !c.is_alphanumeric();
        if (joint || c.is_uppercase() && before.is_lowercase())
            && parts.last().is_some_and(|part| !part.is_empty())
        {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut().filter(|_| !joint) {
            part.extend(c.to_lowercase());
        }
        before = c;
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Whether `part`, in lower case, is on the list, in any number or tense, or several of the list in one.
fn is_known(part: &str) -> bool {
    if is_listed(part) {
        return true;
    }
    // Of each place: whether words of the list fill what is before it.
    let mut reached = vec![false; part.len() + 1];
    reached[0] = true;
    for until in SHORTEST_PART..=part.len() {
        reached[until] = (0..=until - SHORTEST_PART)
            .any(|from| reached[from] && part.get(from..until).is_some_and(is_listed));
    }
    reached[part.len()]
}

fn is_listed(part: &str) -> bool {
    part.len() <= LONGEST && WORDS.contains(part)
}

/// Whether `word` names many of something, as `users` does.
pub(crate) fn is_plural(word: &str) -> bool {
    parts(word).last().is_some_and(|last| {
        last.len() > 3
            && last.ends_with('s')
            && !["ss", "us", "is"].iter().any(|ending| last.ends_with(ending))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_of_words_of_routes_are_told_from_names_of_people_and_from_chance() {
        for run in ["validatingadmissionpolicies", "customerordersummaries", "PAYMENTMETHODHANDLERS"] {
            assert!(holds_words(run.as_bytes()), "{run}");
            assert_ne!(Form::of(run), Form::Machine, "{run}");
        }
        for run in ["christopherjohnson", "maximilianhoffmann", "qwjzvkxnbrtlmpdf", "karotimipadorokanu"] {
            assert!(!holds_words(run.as_bytes()), "{run}");
        }
    }

    #[test]
    fn words_of_routes_are_told_from_names() {
        for (word, form) in [
            ("settings", Form::Route),
            ("InstantSearch", Form::Route),
            ("public-key", Form::Route),
            ("playlists", Form::Route),
            ("v1beta2", Form::Route),
            ("request_password_reset", Form::Phrase),
            ("karoti", Form::Unknown),
            ("blue-key", Form::Partly),
            ("karoti42", Form::Numbered),
            ("XkqTzvBnRwLpMd", Form::Machine),
        ] {
            assert_eq!(Form::of(word), form, "{word}");
        }
        assert_eq!(WORDS.iter().map(String::len).max(), Some(LONGEST));
        assert!(WORDS.len() > 1000 && is_plural("user_groups") && !is_plural("status"));
    }
}
