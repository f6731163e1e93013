//! Sessions that are one to a mixture: the same start and the same transitions, in whatever order.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::END;
use crate::model::sample::Walk;

/// What a mixture is fitted to. The same for any order of walks, but for `of_walk`.
#[derive(Debug)]
pub(super) struct Pool {
    /// First endpoints, ascending.
    pub(super) starts: Vec<u32>,
    /// Transitions seen, by (from, to) ascending; those of a row are neighbours.
    pub(super) cells: Vec<(u32, u32)>,
    /// Share of each start among all.
    pub(super) start_share: Vec<f64>,
    /// Share of each transition in its row.
    pub(super) cell_share: Vec<f64>,
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
    /// Index of the start.
    pub(super) start: usize,
    /// Where its transitions are.
    pub(super) steps: Range<usize>,
    /// Sessions of the sample, the heavier ones counting more where the log was sampled unevenly; the mean is one.
    pub(super) sessions: f64,
    /// What they stand for, in thousandths.
    pub(super) mass: u64,
}

impl Pool {
    /// `walks` must have a step each.
    pub(super) fn of(walks: &[Walk]) -> Self {
        let mut cells: Vec<(u32, u32)> = walks.iter().flat_map(transitions).collect();
        let mut starts: Vec<u32> = walks.iter().map(|walk| walk.steps[0].endpoint).collect();
        cells.sort_unstable();
        cells.dedup();
        starts.sort_unstable();
        starts.dedup();
        let keys: Vec<Key> = walks.iter().map(|walk| key(walk, &starts, &cells)).collect();
        let mut order: Vec<usize> = (0..walks.len()).collect();
        order.sort_unstable_by(|one, other| keys[*one].cmp(&keys[*other]));

        let total: u64 = walks.iter().map(|walk| walk.mass).sum();
        let mean = total as f64 / walks.len() as f64;
        let (mut patterns, mut steps) = (Vec::new(), Vec::new());
        let mut of_walk = vec![0; walks.len()];
        for same in order.chunk_by(|one, other| keys[*one] == keys[*other]) {
            let (start, of_key) = &keys[same[0]];
            let from = steps.len();
            steps.extend(of_key.iter().map(|(cell, count)| (*cell, f64::from(*count))));
            let mass = same.iter().map(|walk| walks[*walk].mass).sum();
            same.iter().for_each(|walk| of_walk[*walk] = patterns.len());
            let sessions = mass as f64 / mean;
            patterns.push(Pattern { start: *start, steps: from..steps.len(), sessions, mass });
        }
        let mut rows = Vec::new();
        for row in cells.chunk_by(|one, other| one.0 == other.0) {
            let from = rows.last().map_or(0, |row: &Range<usize>| row.end);
            rows.push(from..from + row.len());
        }
        let (mut start_share, mut cell_share) = (vec![0.0; starts.len()], vec![0.0; cells.len()]);
        for pattern in &patterns {
            start_share[pattern.start] += pattern.sessions;
            for (cell, count) in &steps[pattern.steps.clone()] {
                cell_share[*cell as usize] += count * pattern.sessions;
            }
        }
        normalise(&mut start_share);
        rows.iter().for_each(|row| normalise(&mut cell_share[row.clone()]));
        Self { starts, cells, start_share, cell_share, rows, steps, patterns, of_walk }
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

/// The start, and the transitions with how often each was made.
type Key = (usize, Vec<(u32, u32)>);

fn key(walk: &Walk, starts: &[u32], cells: &[(u32, u32)]) -> Key {
    let mut counts = BTreeMap::new();
    for step in transitions(walk) {
        *counts.entry(cells.partition_point(|cell| *cell < step) as u32).or_insert(0) += 1;
    }
    let start = starts.partition_point(|start| *start < walk.steps[0].endpoint);
    (start, counts.into_iter().collect())
}

fn transitions(walk: &Walk) -> impl Iterator<Item = (u32, u32)> {
    let end = walk.ended.then_some(END);
    let next = walk.steps.iter().skip(1).map(|step| step.endpoint).chain(end);
    walk.steps.iter().map(|step| step.endpoint).zip(next)
}

fn normalise(counts: &mut [f64]) {
    let total: f64 = counts.iter().sum();
    counts.iter_mut().for_each(|count| *count /= total);
}
