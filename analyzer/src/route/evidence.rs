//! Which words at one position of a route are values: evidence, in bits.
//!
//! A position is a parameter where words keep coming, look like names, and lead to the same places; it is a choice
//! between pages where the words are few, are such as routes are made of, and each leads elsewhere. Each kind of
//! evidence is the logarithm to base 2 of how much more likely a parameter makes what was seen. The kinds are added up
//! as if they were independent. What holds for all words of a position alike, because one person chose them together,
//! is bounded: pages may be alike by design, and a service may speak a language that is on no list.
//!
//! Nothing here grows with traffic alone, so that more of the same log does not change what was found.

use std::cmp::Reverse;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::vocabulary::{self, Form};

/// A word that stands at a position.
#[derive(Debug, Clone)]
pub(crate) struct Candidate<'a> {
    pub(crate) word: &'a str,
    pub(crate) form: Form,
    pub(crate) count: u64,
    /// Segments that follow it, each once, in order; the empty one where a path ends with a slash.
    pub(crate) next: Vec<&'a str>,
    /// Segments that follow those, each once, in order.
    pub(crate) after_next: Vec<&'a str>,
}

/// What is known of a position besides its words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The word before names many of something.
    pub(crate) after_plural: bool,
    /// The segment before is a parameter.
    pub(crate) after_parameter: bool,
    /// The first position, but for such as `api` and `v1`.
    pub(crate) first: bool,
    /// Numbers and the like stand here: a parameter, but not one of words.
    pub(crate) exact_values: bool,
    /// Long random text stands here, of which some may look like words.
    pub(crate) random_values: bool,
    /// Requests for those that are made of letters of both sizes and digits.
    pub(crate) random_requests: u64,
    /// Text that is no word stands here.
    pub(crate) text_values: bool,
}

/// What was found at a position.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Finding {
    /// Of each candidate: whether it is a value, if anything here is.
    pub(crate) is_value: Vec<bool>,
    /// Bits for a parameter: how the words are made.
    pub(crate) forms: f64,
    /// Where they lead.
    pub(crate) structure: f64,
    /// How many there are, how many of them were hardly seen, and how often the others were.
    pub(crate) open: f64,
    /// What stands before and beside them.
    pub(crate) place: f64,
}

impl Finding {
    /// All evidence for a parameter, in bits.
    pub(crate) fn bits(&self) -> f64 {
        self.forms + self.structure + self.open + self.place
    }

    /// Whether some of the candidates are values of a parameter.
    pub(crate) fn is_parameter(&self) -> bool {
        self.bits() > 0.0 && self.is_value.contains(&true)
    }
}

/// Times that values and pages are told apart by what the others do, at most; it settles after two or three.
const ROUNDS: usize = 4;

/// The evidence at a position for each of `candidates`. `beside` are the segments that follow values at the position
/// which are no words, in order.
pub(crate) fn weigh(candidates: &[Candidate<'_>], beside: &[&str], position: &Position) -> Finding {
    let ranking = Ranking::new(candidates);
    let structure = Structure::new(candidates, beside);
    let names = candidates.iter().filter(|candidate| !candidate.form.is_of_routes()).count();
    let mut is_value = vec![true; candidates.len()];
    let mut fits = Vec::new();
    for _ in 0..ROUNDS {
        fits = structure.fits(&is_value);
        let ends = if beside.is_empty() { ends(candidates, &is_value) } else { vec![0.0; candidates.len()] };
        let pages = is_value.iter().filter(|is_value| !**is_value).count();
        let next: Vec<bool> = (0..candidates.len())
            .map(|at| {
                let rank = ranking.of[at];
                // Beside random text, of which nothing is known but how much there is, no word is too popular.
                let popular = if position.random_values { 0.0 } else { ranking.too_popular(rank) };
                let own = form_bits(candidates[at].form) + fits[at] + ends[at];
                own + prior(&candidates[at], rank, pages, names, position) + popular > 0.0
            })
            .collect();
        if next == is_value {
            break;
        }
        is_value = next;
    }
    let values: Vec<usize> = (0..candidates.len()).filter(|at| is_value[*at]).collect();
    Finding {
        forms: forms(values.iter().map(|at| candidates[*at].form)),
        structure: values.iter().map(|at| fits[*at]).sum::<f64>().clamp(LEAST_STRUCTURE, MOST_STRUCTURE),
        open: open(candidates, &values, position),
        place: place(candidates, position),
        is_value,
    }
}

/// Pages of one kind lead to the same places in about one position of eight: three bits.
const MOST_STRUCTURE: f64 = 3.0;
/// Values that lead to different places are rarer, but some do.
const LEAST_STRUCTURE: f64 = -12.0;

/// Shares of the forms among words, in the order of [`Form`].
type Shares = [f64; 6];
/// Words all made alike: single words, such as names of users, words joined, such as titles, words with numbers.
const ALIKE: [Shares; 3] = [
    [0.03, 0.02, 0.06, 0.85, 0.03, 0.01],
    [0.06, 0.08, 0.70, 0.08, 0.07, 0.01],
    [0.01, 0.01, 0.05, 0.05, 0.85, 0.03],
];
/// Words on the list mostly.
const LISTED: Shares = [0.70, 0.10, 0.12, 0.065, 0.01, 0.005];
/// Words of a trade, or of another language.
const UNLISTED: Shares = [0.20, 0.04, 0.24, 0.46, 0.055, 0.005];
/// Names of all sorts.
const NAMES: Shares = [0.10, 0.03, 0.22, 0.40, 0.22, 0.03];
/// What values are, by kinds of positions. Every kind of pages is one of values as well: tags are words on the list.
/// How many words there are therefore never adds up to evidence for pages.
const VALUES: [(f64, Shares); 6] =
    [(0.50, NAMES), (0.12, LISTED), (0.08, UNLISTED), (0.10, ALIKE[0]), (0.10, ALIKE[1]), (0.10, ALIKE[2])];
/// What pages are, by kinds of positions.
const PAGES: [(f64, Shares); 6] =
    [(0.00, NAMES), (0.90, LISTED), (0.06, UNLISTED), (0.02, ALIKE[0]), (0.015, ALIKE[1]), (0.005, ALIKE[2])];

/// How much more likely values are of these forms than pages, all together.
fn forms(found: impl Iterator<Item = Form> + Clone) -> f64 {
    let log_likelihood = |kinds: [(f64, Shares); 6]| {
        let of = kinds.map(|(share, forms)| {
            share.log2() + found.clone().map(|form| forms[form as usize].log2()).sum::<f64>()
        });
        let most = of.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        most + of.iter().map(|bits| (bits - most).exp2()).sum::<f64>().log2()
    };
    log_likelihood(VALUES) - log_likelihood(PAGES)
}

/// How much more likely one value is of this form than one page: the first of each of the shares above, rounded.
fn form_bits(form: Form) -> f64 {
    match form {
        Form::Route => -2.6,
        Form::Phrase => -1.5,
        Form::Partly => 0.5,
        Form::Unknown => 1.5,
        Form::Numbered => 3.0,
        Form::Machine => 5.0,
    }
}

/// Words at which a position is as likely a parameter as not: of positions of pages one in ten has more than five.
const USUAL_WORDS: f64 = 8.0;
/// Bits that each doubling of them counts.
const BITS_PER_DOUBLING: f64 = 3.0;
/// Requests per word up to which hardly any was seen often by chance.
const FEW_EACH: f64 = 8.0;
/// Share of words seen at most twice that pages have as well, those that nobody wants.
const UNPOPULAR: f64 = 0.2;

/// Bits for a set that is open: many words, some of them new however many requests there were.
fn open(candidates: &[Candidate<'_>], values: &[usize], position: &Position) -> f64 {
    let n = values.len() as f64;
    let requests: u64 = values.iter().map(|at| candidates[*at].count).sum();
    let each = requests as f64 / n.max(1.0);
    let rare = values.iter().filter(|at| candidates[**at].count <= 2).count() as f64;
    // By Good and Turing, the share of words seen once is that of words not seen yet; it says little of a short log.
    let seen = 1.0 - (-each / 4.0).exp();
    let unseen =
        if n > 1.0 { (4.0 * (rare / n - UNPOPULAR) * n.log2() * seen).clamp(-6.0, 8.0) } else { 0.0 };
    if position.text_values || position.random_values {
        // The set is open anyway, and the words are few of it.
        return unseen;
    }
    let many = BITS_PER_DOUBLING * (n.max(0.5) / USUAL_WORDS).log2();
    unseen + many - (each / FEW_EACH).max(1.0).log2().min(6.0)
}

/// Bits for a parameter by what stands before and beside it.
fn place(candidates: &[Candidate<'_>], position: &Position) -> f64 {
    const EXACT: [&str; 4] = ["{int}", "{uuid}", "{token}", "{hex}"];
    let before_id = |candidate: &&Candidate<'_>| candidate.next.iter().any(|segment| EXACT.contains(segment));
    let mostly_before_ids = candidates.iter().filter(before_id).count() * 2 > candidates.len();
    let bits = [
        // `/users/{}`, not `/user/{}`.
        if position.after_plural { 2.0 } else { -1.0 },
        // One parameter after the other is rare, and so is one of text before one of numbers.
        if position.after_parameter { -4.0 } else { 0.0 },
        if mostly_before_ids { -4.0 } else { 0.0 },
        // Hardly any service has its users or pages at the root.
        if position.first { -10.0 } else { 0.0 },
        // A parameter of numbers is there: another is not needed.
        if position.exact_values { -6.0 } else { 0.0 },
        // A parameter of text is there: these words may be of it.
        if position.random_values {
            20.0
        } else if position.text_values {
            4.0
        } else {
            0.0
        },
    ];
    bits.iter().sum()
}

/// Share of random texts of twenty letters and digits that look like words to [`super::segment`]: counted in 400,000.
const WORDLIKE: f64 = 0.003;
/// Pages beside a parameter, in the mean of real services.
const PAGES_BESIDE: f64 = 0.4;

/// How much more likely the candidate of this rank is a value than a page, by how often it was seen alone.
///
/// A page is as popular as it is, whatever the values are: it is among the most popular of them in six cases of ten, and
/// at any other rank r with a probability of about 1 / 7r.
fn prior(candidate: &Candidate<'_>, rank: usize, pages: usize, names: usize, position: &Position) -> f64 {
    if position.random_values {
        if candidate.form.is_of_routes() || !vocabulary::may_be_random(candidate.word) {
            return -4.0;
        }
        // Of so many random texts a few look like words by chance, and hardly any page is asked for so seldom.
        let texts_for_each = position.random_requests as f64 / candidate.count.max(1) as f64;
        return (texts_for_each * WORDLIKE / PAGES_BESIDE).log2().clamp(-4.0, 4.0);
    }
    if position.exact_values {
        // Where names keep coming beside numbers, names are values as well.
        return (names.max(1) as f64).log2() - 4.0;
    }
    let of_rank = if rank == 0 { 1.0 / 0.6 } else { 7.0 * (rank + 1) as f64 };
    (of_rank / (PAGES_BESIDE + pages as f64)).log2().max(0.0)
}

/// Candidates by how often they were seen.
struct Ranking {
    /// Of each candidate: how many were seen more often.
    of: Vec<usize>,
    /// Counts by rank.
    counts: Vec<u64>,
}

impl Ranking {
    fn new(candidates: &[Candidate<'_>]) -> Self {
        let mut by_count: Vec<usize> = (0..candidates.len()).collect();
        by_count.sort_by_key(|at| (Reverse(candidates[*at].count), candidates[*at].word));
        let mut of = vec![0; candidates.len()];
        by_count.iter().enumerate().for_each(|(rank, at)| of[*at] = rank);
        Self { of, counts: by_count.iter().map(|at| candidates[*at].count).collect() }
    }

    /// Bits against a value that is more popular than the next one by more than Zipf's law has it.
    fn too_popular(&self, rank: usize) -> f64 {
        let count = |rank: usize| self.counts.get(rank).map_or(1.0, |count| *count as f64);
        let expected = (rank + 2) as f64 / (rank + 1) as f64 * count(rank + 1);
        (-1.5 * (count(rank) / expected).log2()).clamp(-6.0, 0.0)
    }
}

/// What follows each candidate, one and two segments later.
struct Structure {
    depths: [Depth; 2],
}

/// What follows, as numbers of distinct segments.
struct Depth {
    of_candidate: Vec<Vec<u32>>,
    segments: Vec<Follower>,
}

#[derive(Debug, Clone, Copy)]
struct Follower {
    /// It is a placeholder, which may follow anything.
    is_value: bool,
    /// It is a word that routes are made of; others may be values of the next position.
    is_of_routes: bool,
    /// It follows values that are no words.
    follows_others: bool,
}

/// Segments that follow a word and count in full; of more, their mean counts.
const MOST_FOLLOWERS: f64 = 4.0;

impl Structure {
    fn new(candidates: &[Candidate<'_>], beside: &[&str]) -> Self {
        let depth = |following: for<'c, 'a> fn(&'c Candidate<'a>) -> &'c [&'a str]| {
            let mut numbers: HashMap<&str, u32, FixedState> = HashMap::default();
            let mut segments = Vec::new();
            let mut number = |segment| {
                *numbers.entry(segment).or_insert_with(|| {
                    segments.push(Follower {
                        is_value: segment.starts_with('{'),
                        is_of_routes: Form::of(segment).is_of_routes(),
                        follows_others: beside.binary_search(&segment).is_ok(),
                    });
                    segments.len() as u32 - 1
                })
            };
            let mut of_candidate = Vec::with_capacity(candidates.len());
            for candidate in candidates {
                let followers = following(candidate).iter().filter(|segment| !segment.is_empty());
                of_candidate.push(followers.map(|segment| number(*segment)).collect());
            }
            Depth { of_candidate, segments }
        };
        Self { depths: [depth(|candidate| &candidate.next), depth(|candidate| &candidate.after_next)] }
    }

    /// Of each candidate: how much better what follows it agrees with what follows the values than a page's would.
    ///
    /// By the segments after next where those agree better: the next may be a parameter, as in `/{owner}/{name}/issues`.
    fn fits(&self, is_value: &[bool]) -> Vec<f64> {
        let [(agreeing, next), (agreeing_later, later)] =
            self.depths.each_ref().map(|depth| depth.fits(is_value));
        if agreeing_later > agreeing { later } else { next }
    }
}

impl Depth {
    /// The share of words that agree, and the bits of each candidate.
    fn fits(&self, is_value: &[bool]) -> (f64, Vec<f64>) {
        let mut shared = vec![0_u32; self.segments.len()];
        let values = self.of_candidate.iter().zip(is_value).filter(|(_, is_value)| **is_value);
        values.flat_map(|(followers, _)| followers).for_each(|follower| shared[*follower as usize] += 1);
        let (mut agreeing, mut all) = (0_u64, 0_u64);
        let bits = self.of_candidate.iter().zip(is_value).map(|(followers, is_value)| {
            let (mut bits, mut words) = (0.0, 0_u32);
            for follower in followers {
                let segment = self.segments[*follower as usize];
                let found = shared[*follower as usize] > u32::from(*is_value) || segment.follows_others;
                bits += match (segment.is_value, segment.is_of_routes, found) {
                    (true, _, true) => 0.0,
                    (true, _, false) => -1.0,
                    (false, true, true) => 1.2,
                    (false, true, false) => -2.0,
                    (false, false, true) => 0.6,
                    (false, false, false) => -0.3,
                };
                words += u32::from(!segment.is_value);
                agreeing += u64::from(!segment.is_value && found);
            }
            all += u64::from(words);
            bits / (f64::from(words) / MOST_FOLLOWERS).max(1.0)
        });
        let bits = bits.collect();
        (agreeing as f64 / all.max(1) as f64, bits)
    }
}

/// Share of pages that nothing follows.
const ENDING: f64 = 0.6;

/// Of each candidate: how much better it agrees with the values in whether anything follows.
///
/// A word that was seen more rarely than the candidate has shown that part of what follows it, and counts as that part
/// of a word: so many words of which nothing follows say it of the most popular one as well.
fn ends(candidates: &[Candidate<'_>], is_value: &[bool]) -> Vec<f64> {
    let is_end = |candidate: &Candidate<'_>| candidate.next.iter().all(|segment| segment.is_empty());
    let values = candidates.iter().zip(is_value).filter(|(_, is_value)| **is_value);
    let mut sorted: Vec<(u64, bool)> =
        values.map(|(candidate, _)| (candidate.count, is_end(candidate))).collect();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    // Of the words up to each place, how many there are, and requests for them: of all, and of those that end.
    let mut until = vec![[(0_u64, 0_u64); 2]];
    for (count, end) in &sorted {
        let [(words, requests), (ending, of_ending)] = until[until.len() - 1];
        let one = u64::from(*end);
        until.push([(words + 1, requests + count), (ending + one, of_ending + one * count)]);
    }
    let all = until[until.len() - 1];
    let bits = candidates.iter().zip(is_value).map(|(candidate, is_value)| {
        let before = until[sorted.partition_point(|(count, _)| *count >= candidate.count)];
        let [known, ending] = [0, 1].map(|which| {
            let ((words, requests), (_, all)) = (before[which], all[which]);
            words as f64 + (all - requests) as f64 / candidate.count.max(1) as f64
        });
        let (end, own) = (is_end(candidate), f64::from(u32::from(*is_value)));
        let others = known - own;
        let ending = ending - if end { own } else { 0.0 };
        let (agreeing, of_page) = if end { (ending, ENDING) } else { (others - ending, 1.0 - ENDING) };
        ((agreeing + 1.0) / (others + 2.0) / of_page).log2().clamp(-6.0, 1.0)
    });
    bits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates<'a>(words: &[(&'a str, u64, &[&'a str])]) -> Vec<Candidate<'a>> {
        words
            .iter()
            .map(|(word, count, next)| Candidate {
                word,
                form: Form::of(word),
                count: *count,
                next: next.to_vec(),
                after_next: Vec::new(),
            })
            .collect()
    }

    #[track_caller]
    fn check(words: &[(&str, u64, &[&str])], position: &Position, values: &[&str]) {
        let finding = weigh(&candidates(words), &[], position);
        let found = words.iter().zip(&finding.is_value).filter(|(_, is_value)| **is_value);
        let found: Vec<&str> = found.map(|((word, ..), _)| *word).collect();
        assert_eq!(if finding.is_parameter() { found } else { Vec::new() }, values, "{finding:?}");
    }

    const NAMES: [(&str, u64, &[&str]); 10] = [
        ("karoti", 40, &["issues", "pulls"]),
        ("bluewen", 22, &["issues"]),
        ("lumen42", 13, &["issues", "wiki"]),
        ("tabori", 10, &["pulls"]),
        ("vesu", 8, &["issues"]),
        ("mipado7", 6, &["issues"]),
        ("rokan", 5, &["wiki"]),
        ("zeluf", 2, &["issues"]),
        ("dobira", 1, &["pulls"]),
        ("gunasi", 1, &["issues"]),
    ];

    #[test]
    fn names_that_lead_to_the_same_places_are_values() {
        let after_plural = Position { after_plural: true, ..Position::default() };
        check(&NAMES, &after_plural, &NAMES.map(|(name, ..)| name));
    }

    #[test]
    fn a_page_among_names_leads_elsewhere() {
        let mut words = NAMES.to_vec();
        words.push(("search", 70, &["advanced", "results"]));
        let after_plural = Position { after_plural: true, ..Position::default() };
        check(&words, &after_plural, &NAMES.map(|(name, ..)| name));
    }

    #[test]
    fn few_words_of_routes_are_pages_however_often_they_are_seen() {
        for times in [1, 100, 10_000] {
            let words = [("settings", 9), ("members", 7), ("search", 3), ("billing", 2), ("labels", 1)];
            let words = words.map(|(word, count)| (word, count * times, &[][..]));
            check(&words, &Position::default(), &[]);
        }
    }

    #[test]
    fn the_most_popular_of_names_that_lead_nowhere_is_one_of_them_however_often_they_are_seen() {
        let rare: Vec<String> = (0..200).map(|i| format!("vesu-{i}")).collect();
        for times in [1, 10, 1000] {
            let popular = [("config", 66), ("api", 40), ("karoti-shop", 37), ("data", 22), ("lumen", 17)];
            let rare = rare.iter().enumerate().map(|(at, word)| (word.as_str(), 1 + at as u64 % 5));
            let words: Vec<(&str, u64, &[&str])> =
                popular.into_iter().chain(rare).map(|(word, count)| (word, count * times, &[][..])).collect();
            let values: Vec<&str> = words.iter().map(|(word, ..)| *word).collect();
            check(&words, &Position { after_plural: true, ..Position::default() }, &values);
            // A page of the same form that something follows is none of them.
            let mut with_page = words.clone();
            with_page[0].2 = &["advanced", "results"];
            check(&with_page, &Position { after_plural: true, ..Position::default() }, &values[1..]);
        }
    }

    #[test]
    fn a_rare_word_among_random_texts_is_one_of_them_by_chance() {
        let beside = |requests| Position {
            after_plural: true,
            random_values: requests > 0,
            random_requests: requests,
            ..Position::default()
        };
        let chance = ("veTanoRimelUkesoDapi", 1, &["keys"][..]);
        for (words, requests, values) in [
            (vec![chance], 5_000, vec![chance.0]),
            // Few texts: none of them looks like words.
            (vec![chance], 5, vec![]),
            // Asked for as often as a page.
            (vec![(chance.0, 900, chance.2)], 5_000, vec![]),
            // No random text looks like these.
            (vec![("karotiverwaltung", 1, &["keys"][..])], 5_000, vec![]),
            (vec![("SearchSettingsByName", 1, &["keys"][..])], 5_000, vec![]),
        ] {
            check(&words, &beside(requests), &values);
        }
    }

    #[test]
    fn evidence_of_one_decision_is_bounded() {
        let many = |form: Form, n: usize| forms(std::iter::repeat_n(form, n));
        assert!(
            many(Form::Route, 1000) < 0.0 && many(Form::Route, 1000) > -4.0 && many(Form::Unknown, 3) < 6.0
        );
        // Names that are all made alike may be those of a trade: their number decides.
        assert!(many(Form::Unknown, 1000) > 0.0 && many(Form::Numbered, 1000) < 6.0);
    }
}
