//! Which words at one position of a route are values: evidence, in bits.
//!
//! A position is a parameter where words keep coming, look like names, and lead to the same places; it is a choice
//! between pages where the words are few, are such as routes are made of, and each leads elsewhere. Each kind of
//! evidence is the logarithm of a likelihood ratio, rounded, from what holds for interfaces in general; they are added
//! up as if they were independent, and therefore each is held within bounds.

use std::collections::{BTreeMap, BTreeSet};

use super::vocabulary::Form;

/// A word that stands at a position.
#[derive(Debug, Clone)]
pub(crate) struct Candidate<'a> {
    pub(crate) word: &'a str,
    pub(crate) form: Form,
    pub(crate) count: u64,
    /// Segments that follow it, and `""` where the path ends.
    pub(crate) next: BTreeSet<&'a str>,
    /// Segments that follow those.
    pub(crate) after_next: BTreeSet<&'a str>,
}

/// What is known of a position besides its words.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Position {
    /// The word before names many of something.
    pub(crate) after_plural: bool,
    /// The segment before is a parameter.
    pub(crate) after_parameter: bool,
    /// The first position of all.
    pub(crate) first: bool,
    /// Numbers and the like stand here as well: a parameter, but not one of words.
    pub(crate) exact_values: bool,
    /// Long random text stands here as well, of which a few may look like words.
    pub(crate) random_values: bool,
    /// Text that is no word stands here as well.
    pub(crate) text_values: bool,
}

/// What was found at a position, in bits for a parameter.
#[derive(Debug, Clone, Default)]
pub(crate) struct Finding {
    /// Of each candidate: whether it is a value.
    pub(crate) is_value: Vec<bool>,
    /// How the words are made, and where they lead.
    pub(crate) words: f64,
    /// How many there are, and how many of them are new.
    pub(crate) open: f64,
    /// What stands before and beside them.
    pub(crate) place: f64,
}

impl Finding {
    pub(crate) fn bits(&self) -> f64 {
        self.words + self.open + self.place
    }
}

/// The evidence at a position for each of `candidates`.
pub(crate) fn weigh(candidates: &[Candidate<'_>], beside_next: &BTreeSet<&str>, position: Position) -> Finding {
    let mut by_count: Vec<usize> = (0..candidates.len()).collect();
    by_count.sort_by_key(|at| (std::cmp::Reverse(candidates[*at].count), candidates[*at].word));
    let mut rank = vec![0; candidates.len()];
    by_count.iter().enumerate().for_each(|(at, candidate)| rank[*candidate] = at);
    let mut is_value = vec![true; candidates.len()];
    let mut bits = vec![0.0; candidates.len()];
    let is_name = |candidate: &&Candidate<'_>| !matches!(candidate.form, Form::Route | Form::Phrase);
    let names = candidates.iter().filter(is_name).count();
    // Beside random text, of which nothing is known but how much there is, no word is too popular.
    let unlike = |rank| if position.random_values { 0.0 } else { outlier(rank, &by_count, candidates) };
    let mut fits_now = Vec::new();
    for _ in 0..4 {
        let fits = fits(candidates, &is_value, beside_next);
        fits_now.clone_from(&fits);
        let ends = ends(candidates, &is_value, beside_next);
        let pages = is_value.iter().filter(|is_value| !**is_value).count() as f64;
        let mut next = is_value.clone();
        for (at, candidate) in candidates.iter().enumerate() {
            bits[at] = form_bits(candidate.form) + fits[at] + ends[at];
            next[at] = bits[at] + prior(rank[at], pages, names, position) + unlike(rank[at]) > 0.0;
        }
        if next == is_value { break }
        is_value = next;
    }
    let values: Vec<usize> = (0..candidates.len()).filter(|at| is_value[*at]).collect();
    let n = values.len() as f64;
    let words = forms(values.iter().map(|at| candidates[*at].form));
    let fit: f64 = values.iter().map(|at| fits_now[*at]).sum::<f64>().clamp(-12.0, 3.0);
    let words = words + fit;
    let total: u64 = values.iter().map(|at| candidates[*at].count).sum();
    let rare = values.iter().filter(|at| candidates[**at].count <= 2).count() as f64;
    let seen = 1.0 - (-(total as f64 / n.max(1.0)) / 4.0).exp();
    let unseen = if n > 1.0 { (4.0 * (rare / n - 0.2) * n.log2() * seen).clamp(-6.0, 8.0) } else { 0.0 };
    let many = if position.text_values || position.random_values { 0.0 } else { 3.0 * (n.max(0.5) / 8.0).log2() };
    let few = if position.text_values || position.random_values { 0.0 } else { -(total as f64 / n.max(1.0) / 8.0).max(1.0).log2().min(6.0) };
    let exact = |candidate: &&Candidate<'_>| candidate.next.iter().any(|s| ["{int}", "{uuid}", "{token}", "{hex}"].contains(s));
    let before_exact = candidates.iter().filter(exact).count() * 2 > candidates.len();
    let place = if before_exact { -4.0 } else { 0.0 } + if position.after_plural { 2.0 } else { -1.0 }
        + if position.after_parameter { -4.0 } else { 0.0 }
        + if position.first { -10.0 } else { 0.0 }
        + if position.exact_values { -6.0 } else { 0.0 }
        + if position.random_values { 20.0 } else if position.text_values { 4.0 } else { 0.0 };
    Finding { is_value, words, open: many + few + unseen, place }
}

/// Shares of the forms among words, in the order of [`Form`].
type Shares = [f64; 6];
/// What values are: names mostly, and at some positions words as routes have them, such as tags.
const VALUES: [(f64, Shares); 2] =
    [(0.85, [0.10, 0.03, 0.22, 0.40, 0.22, 0.03]), (0.15, [0.60, 0.10, 0.14, 0.14, 0.01, 0.01])];
/// What words of routes are: on the list mostly, and at some positions of a field or a language of their own.
const PAGES: [(f64, Shares); 2] =
    [(0.90, [0.70, 0.10, 0.12, 0.065, 0.01, 0.005]), (0.10, [0.20, 0.04, 0.24, 0.46, 0.055, 0.005])];

/// How much more likely values are of these forms than words of routes.
fn forms(found: impl Iterator<Item = Form> + Clone) -> f64 {
    let log_likelihood = |kinds: [(f64, Shares); 2]| {
        let of = kinds.map(|(share, forms)| {
            share.log2() + found.clone().map(|form| forms[form as usize].log2()).sum::<f64>()
        });
        let most = of[0].max(of[1]);
        most + of.iter().map(|bits| (bits - most).exp2()).sum::<f64>().log2()
    };
    log_likelihood(VALUES) - log_likelihood(PAGES)
}

/// How much more likely a value is of this form than a word of a route.
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

/// How much more likely a value is than a page among the words seen most, when there are `pages` pages.
fn prior(rank: usize, pages: f64, names: usize, position: Position) -> f64 {
    if position.random_values {
        return -4.0;
    }
    if position.exact_values {
        // Where names keep coming beside numbers, names are values as well.
        return (names as f64).max(1.0).log2() - 4.0;
    }
    let expected = 0.4 + pages;
    let of_rank = if rank == 0 { 1.0 / 0.6 } else { (rank + 1) as f64 * 7.0 };
    (of_rank / expected).log2().max(0.0)
}

/// Where values are as popular as Zipf's law has it, the next one is half as popular.
fn outlier(rank: usize, by_count: &[usize], candidates: &[Candidate<'_>]) -> f64 {
    let count = |rank: usize| by_count.get(rank).map_or(1.0, |at| candidates[*at].count as f64);
    let expected = (rank + 2) as f64 / (rank + 1) as f64 * count(rank + 1);
    (-1.5 * (count(rank) / expected).log2()).clamp(-6.0, 0.0)
}

/// Of each candidate: how much better it agrees with the others in whether anything follows.
fn ends(candidates: &[Candidate<'_>], is_value: &[bool], beside_next: &BTreeSet<&str>) -> Vec<f64> {
    if !beside_next.is_empty() { return vec![0.0; candidates.len()]; }
    let is_end = |candidate: &Candidate<'_>| candidate.next.iter().all(|segment| segment.is_empty());
    let mut sorted: Vec<(u64, bool)> = candidates.iter().zip(is_value).filter(|(_, v)| **v).map(|(c, _)| (c.count, is_end(c))).collect();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    let mut until = Vec::with_capacity(sorted.len() + 1);
    until.push(0_u32);
    for (_, end) in &sorted { until.push(until[until.len() - 1] + u32::from(*end)); }
    candidates.iter().zip(is_value).map(|(candidate, is_value)| {
        // Of the others, those that were seen at least half as often.
        let n = sorted.partition_point(|(count, _)| *count * 2 >= candidate.count);
        let end = is_end(candidate);
        let own = u32::from(*is_value);
        let others = (n as u32 - own.min(n as u32)) as f64;
        let ending = f64::from(until[n]) - f64::from(own * u32::from(end));
        let agreeing = if end { ending } else { others - ending };
        let of_page = if end { 0.6 } else { 0.4 };
        ((agreeing + 1.0) / (others + 2.0) / of_page).log2().clamp(-6.0, 1.0)
    }).collect()
}

/// Of each candidate: how much better what follows it fits what follows the others than a page of its own would.
fn fits(candidates: &[Candidate<'_>], is_value: &[bool], beside_next: &BTreeSet<&str>) -> Vec<f64> {
    type Following<'a> = fn(&'a Candidate<'a>) -> &'a BTreeSet<&'a str>;
    let depths: [Following<'_>; 2] = [|candidate| &candidate.next, |candidate| &candidate.after_next];
    let at_depth = depths.map(|following| {
        let mut shared: BTreeMap<&str, u32> = BTreeMap::new();
        let values = candidates.iter().zip(is_value).filter(|(_, is_value)| **is_value);
        for segment in values.flat_map(|(candidate, _)| following(candidate)) {
            *shared.entry(segment).or_default() += 1;
        }
        let (mut agreeing, mut all) = (0.0, 0.0);
        let bits = candidates.iter().zip(is_value).map(|(candidate, is_value)| {
            let (mut bits, mut edges) = (0.0, 0.0_f64);
            for segment in following(candidate).iter().filter(|segment| !segment.is_empty()) {
                let others = shared.get(segment).copied().unwrap_or(0) - u32::from(*is_value);
                let found = others > 0 || beside_next.contains(segment);
                if !segment.starts_with('{') {
                    let is_page = matches!(Form::of(segment), Form::Route | Form::Phrase);
                    edges += 1.0;
                    all += 1.0;
                    agreeing += f64::from(u8::from(found));
                    bits += match (found, is_page) {
                        (true, true) => 1.2,
                        (true, false) => 0.6,
                        (false, true) => -2.0,
                        (false, false) => -0.3,
                    };
                } else if !found {
                    bits -= 1.0;
                }
            }
            // What follows heavy words is seen in full, and says no more than a few would.
            bits / (edges / MOST_EDGES).max(1.0)
        });
        let bits: Vec<f64> = bits.collect();
        (if all > 0.0 { agreeing / all } else { 0.0 }, bits)
    });
    let [next, after] = at_depth;
    if after.0 > next.0 { after.1 } else { next.1 }
}

const MOST_EDGES: f64 = 4.0;
