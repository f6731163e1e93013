//! How well a model foretells sessions that it has not seen.
//!
//! The perplexity is the number of equally likely next steps that would be as hard to guess:
//! `exp(-mean ln P(next | what went before))` over every request after the first and the end. Probabilities are smoothed
//! after Witten & Bell (1991): a row seen `n` times with `t` different successors gives `(n_c + t · parent) / (n + t)`,
//! its parent being the shorter context, then what follows anywhere, then all endpoints alike with one place for what
//! was never seen. Nothing that is replayed is smoothed.

use std::collections::BTreeMap;

use super::END;
use super::contexts::{Admission, Rows, select};
use super::counts::{Cell, Context, Counts};
use super::mixture::{Class, Search, fit};
use crate::model::sample::{Step, Walk};

/// Perplexities per step of the same sessions under models of growing detail; lower is better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Perplexity {
    /// Steps that were foretold.
    pub steps: u64,
    /// Without memory.
    pub unigram: f64,
    /// With the last endpoint.
    pub first_order: f64,
    /// With longer contexts where they pay.
    pub variable_order: f64,
    /// With classes, each a chain; what went before tells the class.
    pub mixture: f64,
    /// With both.
    pub mixture_and_contexts: f64,
}

/// Fits to `training` and foretells `held_out`, which should be other clients' sessions.
///
/// Sampled sessions count as one each. `None` when `training` has no transition, or `held_out` none to foretell.
pub fn held_out(
    training: &[Walk],
    held_out: &[Walk],
    admission: Admission,
    search: Search,
) -> Option<Perplexity> {
    let all = Foreteller::of_all(training, admission)?;
    let mixture = fit(training, search);
    let parts = mixture.partition(training);
    // One class is all sessions, and must not be smoothed by itself.
    let classes: Vec<Foreteller<'_>> = match &mixture.classes[..] {
        [_] => Vec::new(),
        classes => {
            classes.iter().zip(&parts).map(|(class, part)| all.class(class, part, admission)).collect()
        }
    };
    let mut foretold = Foretold::default();
    for walk in held_out {
        let mut chains = Posterior::begin(&mixture.classes, &classes, walk);
        let mut longer = chains.clone();
        let end = walk.ended.then_some(END);
        for (at, next) in walk.steps.iter().skip(1).map(|step| step.endpoint).chain(end).enumerate() {
            let history = &walk.steps[..=at];
            let (first, variable) = (all.first_order(history, next), all.variable_order(history, next));
            foretold.add([
                all.anywhere(next),
                first,
                variable,
                chains.foretell(&classes, |class| class.first_order(history, next)).unwrap_or(first),
                longer.foretell(&classes, |class| class.variable_order(history, next)).unwrap_or(variable),
            ]);
        }
    }
    foretold.perplexity()
}

/// Sums of logarithms, model by model.
#[derive(Default)]
struct Foretold {
    steps: u64,
    logs: [f64; 5],
}

impl Foretold {
    fn add(&mut self, probabilities: [f64; 5]) {
        self.steps += 1;
        self.logs.iter_mut().zip(probabilities).for_each(|(log, probability)| *log += probability.ln());
    }

    fn perplexity(&self) -> Option<Perplexity> {
        let [unigram, first_order, variable_order, mixture, mixture_and_contexts] =
            self.logs.map(|log| (-log / self.steps as f64).exp());
        let steps = self.steps;
        (steps > 0).then_some(Perplexity {
            steps,
            unigram,
            first_order,
            variable_order,
            mixture,
            mixture_and_contexts,
        })
    }
}

/// How probable each class is after what a session has done so far.
#[derive(Clone)]
struct Posterior {
    shares: Vec<f64>,
}

impl Posterior {
    fn begin(classes: &[Class], foretellers: &[Foreteller<'_>], walk: &Walk) -> Self {
        let share = |(class, foreteller): (&Class, &Foreteller<'_>)| {
            class.weight * walk.steps.first().map_or(1.0, |step| foreteller.start(step.endpoint))
        };
        Self { shares: classes.iter().zip(foretellers).map(share).collect() }
    }

    /// The probability of a step, that of each class being `probability`; what the step tells of the class is learned.
    ///
    /// `None` without classes.
    fn foretell<'f>(
        &mut self,
        classes: &'f [Foreteller<'f>],
        probability: impl Fn(&'f Foreteller<'f>) -> f64,
    ) -> Option<f64> {
        let before: f64 = self.shares.iter().sum();
        self.shares.iter_mut().zip(classes).for_each(|(share, class)| *share *= probability(class));
        let after: f64 = self.shares.iter().sum();
        // Kept near one, so that long sessions do not run out of digits.
        self.shares.iter_mut().for_each(|share| *share /= after);
        (!classes.is_empty()).then(|| after / before)
    }
}

/// What foretells a step: all sessions together, or one class of them.
struct Foreteller<'a> {
    starts: Row,
    rows: BTreeMap<u32, Row>,
    longer: Rows,
    longer_rows: BTreeMap<Context, Row>,
    parent: Parent<'a>,
}

/// What a row is smoothed by.
enum Parent<'a> {
    /// What followed anywhere, itself smoothed by a place for each endpoint, the end and all that is not known.
    Anywhere { next: Row, places: f64 },
    /// The same row of all sessions.
    All(&'a Foreteller<'a>),
}

impl<'a> Foreteller<'a> {
    /// `None` when nothing followed anything.
    fn of_all(walks: &[Walk], admission: Admission) -> Option<Self> {
        let counts = Counts::of(walks);
        let mut next: BTreeMap<u32, f64> = BTreeMap::new();
        for (to, cell) in counts.rows.values().flat_map(|row| &row.next) {
            *next.entry(*to).or_insert(0.0) += cell.count as f64;
        }
        let mut known: Vec<u32> =
            counts.starts.keys().chain(counts.rows.keys()).chain(next.keys()).copied().chain([END]).collect();
        known.sort_unstable();
        known.dedup();
        let starts = Row::of_cells(&counts.starts);
        let rows = counts.rows.iter().map(|(from, row)| (*from, Row::of_cells(&row.next))).collect();
        let parent = Parent::Anywhere { next: Row::of(next), places: (known.len() + 1) as f64 };
        (!counts.rows.is_empty()).then(|| Self::new(starts, rows, select(walks, admission), parent))
    }

    /// A class of these sessions, of which `walks` are.
    fn class(&'a self, class: &Class, walks: &[Walk], admission: Admission) -> Self {
        let rows = class.rows.iter().map(|(from, row)| (*from, Row::of(row.clone()))).collect();
        Self::new(Row::of(class.starts.clone()), rows, select(walks, admission), Parent::All(self))
    }

    fn new(starts: Row, rows: BTreeMap<u32, Row>, longer: Rows, parent: Parent<'a>) -> Self {
        let longer_rows =
            longer.rows.iter().map(|(context, row)| (*context, Row::of_cells(&row.next))).collect();
        Self { starts, rows, longer, longer_rows, parent }
    }

    fn start(&self, endpoint: u32) -> f64 {
        self.starts.smoothed(
            endpoint,
            match &self.parent {
                Parent::Anywhere { places, .. } => 1.0 / places,
                Parent::All(all) => all.start(endpoint),
            },
        )
    }

    fn anywhere(&self, to: u32) -> f64 {
        match &self.parent {
            Parent::Anywhere { next, places } => next.smoothed(to, 1.0 / places),
            Parent::All(all) => all.anywhere(to),
        }
    }

    fn first_order(&self, history: &[Step], next: u32) -> f64 {
        let parent = match &self.parent {
            Parent::Anywhere { .. } => self.anywhere(next),
            Parent::All(all) => all.first_order(history, next),
        };
        let row = history.last().and_then(|last| self.rows.get(&last.endpoint));
        row.map_or(parent, |row| row.smoothed(next, parent))
    }

    /// By the longest context that was kept, smoothed by the one before it and the shortest by the last endpoint.
    fn variable_order(&self, history: &[Step], next: u32) -> f64 {
        let first = self.first_order(history, next);
        let Some((context, _)) = self.longer.at(history) else { return first };
        if !self.longer.has_longer(context.last()) {
            return first;
        }
        let between = context.parent().filter(|parent| parent.depth() > 1);
        let between = between.and_then(|parent| self.longer_rows.get(&parent));
        let between = between.map_or(first, |row| row.smoothed(next, first));
        self.longer_rows.get(&context).map_or(between, |row| row.smoothed(next, between))
    }
}

/// Counts of what came next, expected ones included.
struct Row {
    counts: BTreeMap<u32, f64>,
    all: f64,
    /// Different ones, an expected count below one counting as that part of one.
    kinds: f64,
}

impl Row {
    fn of(counts: BTreeMap<u32, f64>) -> Self {
        let kinds = counts.values().map(|count| count.min(1.0)).sum();
        Self { all: counts.values().sum(), kinds, counts }
    }

    fn of_cells(cells: &BTreeMap<u32, Cell>) -> Self {
        Self::of(cells.iter().map(|(next, cell)| (*next, cell.count as f64)).collect())
    }

    fn smoothed(&self, next: u32, parent: f64) -> f64 {
        if self.all <= 0.0 {
            return parent;
        }
        let count = self.counts.get(&next).copied().unwrap_or(0.0);
        (count + self.kinds * parent) / (self.all + self.kinds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: Admission = Admission { visits: 10, clients: 1 };

    fn walks(paths: &[(&[u32], u32)]) -> Vec<Walk> {
        let sessions = paths.iter().flat_map(|(path, count)| (0..*count).map(move |_| *path));
        let walk = |(client, path): (usize, &[u32])| Walk {
            start_s: client as i64,
            steps: path.iter().map(|endpoint| Step { endpoint: *endpoint, gap: None }).collect(),
            ended: true,
            mass: 1000,
            client: client as u32,
        };
        sessions.enumerate().map(walk).collect()
    }

    #[test]
    fn probabilities_add_up_to_one_with_the_unknown() {
        let training = walks(&[(&[1, 2, 3], 30), (&[4, 2, 5], 30), (&[6, 7, 6, 7, 6, 7], 40)]);
        let all = Foreteller::of_all(&training, SOME).unwrap();
        assert!(all.longer.longer().count() > 0);
        let mixture = fit(&training, Search::new(10, 1));
        assert!(mixture.classes.len() > 1);
        let class = all.class(&mixture.classes[0], &training, SOME);
        for history in [&[1, 2][..], &[4, 2], &[7], &[99], &[6, 7, 6]] {
            let history = walks(&[(history, 1)]).remove(0).steps;
            for foreteller in [&all, &class] {
                let sum =
                    |of: &dyn Fn(u32) -> f64| [1, 2, 3, 4, 5, 6, 7, END, 99].map(of).iter().sum::<f64>();
                for total in [
                    sum(&|next| foreteller.anywhere(next)),
                    sum(&|next| foreteller.first_order(&history, next)),
                    sum(&|next| foreteller.variable_order(&history, next)),
                    sum(&|next| foreteller.start(next)),
                ] {
                    assert!((total - 1.0).abs() < 1e-9, "{total}");
                }
            }
        }
    }

    #[test]
    fn memory_and_classes_foretell_what_one_step_cannot() {
        let sessions = [(&[1, 3, 4][..], 200), (&[2, 3, 5], 200), (&[6, 7, 6, 7], 100), (&[6, 6, 7, 7], 100)];
        let found = held_out(&walks(&sessions), &walks(&sessions), SOME, Search::new(10, 1)).unwrap();
        assert_eq!(found.steps, 400 * 3 + 200 * 4);
        assert!(found.first_order < 0.5 * found.unigram, "{found:?}");
        assert!(found.variable_order < 0.9 * found.first_order, "{found:?}");
        assert!(found.mixture < 0.9 * found.first_order, "{found:?}");
    }

    #[test]
    fn one_kind_of_user_without_memory_is_a_chain() {
        let same = walks(&[(&[1, 2, 2, 2], 200), (&[1, 2, 2], 100), (&[1, 2], 50)]);
        let found =
            held_out(&same, &same, Admission { visits: u64::MAX, clients: 1 }, Search::new(1000, 1)).unwrap();
        assert!((found.mixture - found.first_order).abs() < 1e-12);
        assert!((found.mixture_and_contexts - found.first_order).abs() < 1e-12);
        assert_eq!(held_out(&same, &[], SOME, Search::new(1, 1)), None);
        assert_eq!(held_out(&[], &same, SOME, Search::new(1, 1)), None);
    }
}
