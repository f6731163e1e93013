//! The pauses of a sample of sessions, as tests and fits want them.

use std::collections::BTreeMap;

use crate::model::sample::{Gap, Walk};
use crate::model::seed::{mix, uniform};
use crate::tally::{GAP_RELATIVE_ERROR, GapTally};

/// One pause.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    /// Position of its session in the sample.
    pub(super) session: usize,
    pub(super) client: u32,
    pub(super) class: u32,
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) gap: Gap,
    pub(super) mass: u64,
    /// Bin of its logarithm, from 0.
    pub(super) bin: usize,
    /// Orders the pauses of a session as if at random, whatever their lengths are.
    pub(super) lot: u64,
    /// Taken for a return, and left out of tests.
    pub(super) is_return: bool,
}

/// Width of the bins that tests use, as a difference of logarithms.
pub(super) const TEST_LOG_WIDTH: f64 = 0.02;
/// Gaps shorter than this cannot be told apart between whole-second stamps, in milliseconds.
const SHORTEST_WHOLE_MS: f64 = 500.0;

/// Whether most pauses of `walks` are between whole-second stamps.
pub(super) fn are_coarse(walks: &[Walk]) -> bool {
    let gaps = || walks.iter().flat_map(|walk| walk.steps.iter().filter_map(|step| step.gap));
    2 * gaps().filter(|gap| gap.coarse).count() > gaps().count()
}

/// The pauses of `walks` that are `coarse` or are not, client by client, and the number of bins they fill.
///
/// `class_of` gives the class of the walk at a position.
pub(super) fn pauses(walks: &[Walk], coarse: bool, class_of: impl Fn(usize) -> u32) -> (Vec<Pause>, usize) {
    let mut found = Vec::new();
    for (session, walk) in walks.iter().enumerate() {
        let begun = mix(walk.start_s as u64);
        let content = walk.steps.iter().fold(begun, |hash, step| mix(hash ^ u64::from(step.endpoint)));
        for (at, pair) in walk.steps.windows(2).enumerate() {
            let Some(gap) = pair[1].gap.filter(|gap| gap.coarse == coarse) else { continue };
            let lot = mix(content.wrapping_add(at as u64));
            found.push((
                logarithm(gap, lot),
                Pause {
                    session,
                    client: walk.client,
                    class: class_of(session),
                    from: pair[0].endpoint,
                    to: pair[1].endpoint,
                    gap,
                    mass: walk.mass,
                    bin: 0,
                    lot,
                    is_return: false,
                },
            ));
        }
    }
    let lowest = found.iter().map(|(log, _)| *log).fold(f64::INFINITY, f64::min);
    let mut pauses: Vec<Pause> = found
        .into_iter()
        .map(|(log, pause)| Pause { bin: ((log - lowest) / TEST_LOG_WIDTH) as usize, ..pause })
        .collect();
    pauses.sort_by_key(|pause| pause.client);
    let bins = pauses.iter().map(|pause| pause.bin + 1).max().unwrap_or(0);
    (pauses, bins)
}

/// Takes as many pauses for returns as are expected, by transition and length: `background` is their share of the
/// transition's pauses, spread evenly up to `longest_s`. Which of them, the lot decides.
pub(super) fn mark_returns(pauses: &mut [Pause], background: &BTreeMap<(u32, u32), f64>, longest_s: f64) {
    /// Bins per factor e of length: wide, so that each holds enough to compare with what is expected.
    const PER_LOG: f64 = 2.0;
    let bin = |pause: &Pause| ((pause.gap.ms as f64).max(SHORTEST_WHOLE_MS).ln() * PER_LOG).floor() as i32;
    let mut seen: BTreeMap<((u32, u32), i32), u64> = BTreeMap::new();
    let mut of_step: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    for pause in pauses.iter().filter(|pause| background.contains_key(&(pause.from, pause.to))) {
        let step = (pause.from, pause.to);
        *seen.entry((step, bin(pause))).or_insert(0) += 1;
        *of_step.entry(step).or_insert(0) += 1;
    }
    let edge_s = |bin: i32| ((f64::from(bin) / PER_LOG).exp() / 1000.0).min(longest_s);
    for pause in pauses {
        let step = (pause.from, pause.to);
        let Some(share) = background.get(&step) else { continue };
        let at = bin(pause);
        let expected = share * of_step[&step] as f64 * (edge_s(at + 1) - edge_s(at)) / longest_s;
        pause.is_return = uniform(mix(!pause.lot)) * (seen[&(step, at)] as f64) < expected;
    }
}

/// The logarithm of a gap as tests compare it.
///
/// Whole-second stamps leave gaps on a lattice, shifted by the duration between them: endpoints that answer at different
/// speeds would look different for that alone. Noise as wide as the kernel, the same for everyone, blurs the lattice.
fn logarithm(gap: Gap, lot: u64) -> f64 {
    if !gap.coarse {
        return (gap.ms as f64).max(1.0).ln();
    }
    let (one, other) = (uniform(mix(lot)), uniform(mix(lot ^ 0x5555_5555_5555_5555)));
    (gap.ms as f64 + 1000.0 * (one + other - 1.0)).max(SHORTEST_WHOLE_MS).ln()
}

/// Counts of pauses, which come client by client; each bin of exact gaps tells at most `k` clients apart.
pub(super) fn count<'p>(pauses: impl Iterator<Item = &'p Pause>, k: u64) -> GapTally {
    let log_width = shared::distribution::log_width(GAP_RELATIVE_ERROR);
    let mut tally = GapTally::default();
    let mut coarse: BTreeMap<i64, u64> = BTreeMap::new();
    for pause in pauses {
        let (client, gap) = (u64::from(pause.client), pause.gap);
        tally.gaps.add(client, pause.mass);
        tally.paced += u64::from(gap.paced);
        if gap.coarse {
            *coarse.entry(gap.ms).or_insert(0) += pause.mass;
            tally.coarse_gaps += 1;
        } else {
            let seconds = gap.ms as f64 * 1e-3;
            let bin = (gap.ms > 0).then(|| shared::distribution::bin_index(seconds, log_width));
            tally.fine.entry(bin).or_default().add(client, pause.mass, k);
        }
    }
    tally.coarse = coarse;
    tally
}
