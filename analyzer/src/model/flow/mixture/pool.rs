//! Sessions that are one to a mixture: the same start and the same transitions, in whatever order.
//!
//! Transitions that were hardly ever made are one to it as well, those from one endpoint together: nothing can be
//! learned of how a class makes each of them, and a class for every few of them would look like knowledge. Where only one
//! is left that can be made, it tells nothing and is left out.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::END;
use crate::model::sample::Walk;

/// A start or transition made less often than this is not looked at by itself.
const RARE: u32 = 10;

/// What a mixture is fitted to. The same for any order of walks, but for `of_walk`.
#[derive(Debug)]
pub(super) struct Pool {
    /// What a session can start as: shares among all that start so.
    pub(super) starts: Vec<f64>,
    /// What can follow, those of one endpoint neighbours: shares of their row.
    pub(super) cells: Vec<f64>,
    /// The cells of each row.
    pub(super) rows: Vec<Range<usize>>,
    /// Transitions of the patterns: cell, and how often.
    pub(super) steps: Vec<(u32, f64)>,
    pub(super) patterns: Vec<Pattern>,
    /// The pattern of each walk.
    pub(super) of_walk: Vec<usize>,
}

/// Sessions with the same start and the same transitions.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    /// Number of the start; none where there is but one.
    pub(super) start: Option<usize>,
    /// Where its transitions are.
    pub(super) steps: Range<usize>,
    /// Sessions of the sample, the heavier ones counting more where the log was sampled unevenly; the mean is one.
    pub(super) sessions: f64,
    /// What they did, endpoint by endpoint.
    pub(super) did: Did,
    /// What they stand for, in thousandths.
    pub(super) mass: u64,
}

/// The first endpoint, and how often each transition was made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Did {
    pub(super) start: u32,
    pub(super) steps: Vec<((u32, u32), u32)>,
}

impl Pool {
    /// `walks` must have a step each.
    pub(super) fn of(walks: &[Walk]) -> Self {
        let did: Vec<Did> = walks.iter().map(Did::by).collect();
        let starts = Places::of(did.iter().map(|did| ((0, did.start), 1)));
        let cells = Places::of(did.iter().flat_map(|did| did.steps.iter().copied()));
        let mut order: Vec<usize> = (0..walks.len()).collect();
        order.sort_unstable_by(|one, other| did[*one].cmp(&did[*other]));

        let total: u64 = walks.iter().map(|walk| walk.mass).sum();
        let mean = total as f64 / walks.len() as f64;
        let (mut patterns, mut steps) = (Vec::new(), Vec::new());
        let mut of_walk = vec![0; walks.len()];
        for same in order.chunk_by(|one, other| did[*one] == did[*other]) {
            let did = &did[same[0]];
            let mut counts = BTreeMap::new();
            for (step, count) in &did.steps {
                if let Some(place) = cells.place(*step) {
                    *counts.entry(place).or_insert(0.0) += f64::from(*count);
                }
            }
            let from = steps.len();
            steps.extend(counts);
            let mass = same.iter().map(|walk| walks[*walk].mass).sum();
            same.iter().for_each(|walk| of_walk[*walk] = patterns.len());
            patterns.push(Pattern {
                start: starts.place((0, did.start)).map(|start| start as usize),
                steps: from..steps.len(),
                sessions: mass as f64 / mean,
                did: did.clone(),
                mass,
            });
        }
        let mut start_shares = vec![0.0; starts.len()];
        let mut shares = vec![0.0; cells.len()];
        for pattern in &patterns {
            if let Some(start) = pattern.start {
                start_shares[start] += pattern.sessions;
            }
            for (cell, count) in &steps[pattern.steps.clone()] {
                shares[*cell as usize] += count * pattern.sessions;
            }
        }
        normalise(&mut start_shares);
        cells.rows.iter().for_each(|row| normalise(&mut shares[row.clone()]));
        Self { starts: start_shares, cells: shares, rows: cells.rows, steps, patterns, of_walk }
    }

    /// About `most` sessions at even distances through the patterns, for the first steps of a search.
    pub(super) fn thinned(&self, most: usize) -> Vec<Pattern> {
        let all: f64 = self.patterns.iter().map(|pattern| pattern.sessions).sum();
        let every = all / most as f64;
        if every <= 1.0 {
            return self.patterns.clone();
        }
        let mut passed = 0.0;
        let mut thin = Vec::new();
        for pattern in &self.patterns {
            let before = (passed / every + 0.5).floor();
            passed += pattern.sessions;
            let sessions = (passed / every + 0.5).floor() - before;
            if sessions > 0.0 {
                thin.push(Pattern { sessions, ..pattern.clone() });
            }
        }
        thin
    }
}

impl Did {
    fn by(walk: &Walk) -> Self {
        let end = walk.ended.then_some(END);
        let next = walk.steps.iter().skip(1).map(|step| step.endpoint).chain(end);
        let mut steps: Vec<(u32, u32)> = walk.steps.iter().map(|step| step.endpoint).zip(next).collect();
        steps.sort_unstable();
        let counts = steps.chunk_by(|one, other| one == other).map(|same| (same[0], same.len() as u32));
        Self { start: walk.steps[0].endpoint, steps: counts.collect() }
    }
}

/// The places of cells in a table: each its own, the rare ones of a row one together, none where that is all of a row.
struct Places {
    cells: Vec<((u32, u32), Option<u32>)>,
    rows: Vec<Range<usize>>,
}

impl Places {
    fn of(seen: impl Iterator<Item = ((u32, u32), u32)>) -> Self {
        let mut seen: Vec<((u32, u32), u32)> = seen.collect();
        seen.sort_unstable();
        let count = |same: &[((u32, u32), u32)]| same.iter().map(|(_, count)| *count).sum();
        let counts: Vec<((u32, u32), u32)> =
            seen.chunk_by(|one, other| one.0 == other.0).map(|same| (same[0].0, count(same))).collect();
        let (mut cells, mut rows) = (Vec::with_capacity(counts.len()), Vec::new());
        let mut first = 0;
        for row in counts.chunk_by(|one, other| one.0.0 == other.0.0) {
            let often = row.iter().filter(|(_, count)| *count >= RARE).count();
            let places = often + usize::from(often < row.len());
            if places < 2 {
                cells.extend(row.iter().map(|(cell, _)| (*cell, None)));
                continue;
            }
            // The rare ones come last.
            let (mut own, rare) = (first.., first + places - 1);
            for (cell, count) in row {
                let place = if *count >= RARE { own.next() } else { None };
                cells.push((*cell, Some(place.unwrap_or(rare) as u32)));
            }
            rows.push(first..first + places);
            first += places;
        }
        Self { cells, rows }
    }

    fn len(&self) -> usize {
        self.rows.last().map_or(0, |row| row.end)
    }

    /// The place of a cell that was seen.
    fn place(&self, cell: (u32, u32)) -> Option<u32> {
        self.cells[self.cells.partition_point(|(known, _)| *known < cell)].1
    }
}

fn normalise(counts: &mut [f64]) {
    let total: f64 = counts.iter().sum();
    counts.iter_mut().for_each(|count| *count /= total);
}
