//! Gathers what the verdict rests on while the run goes on, in memory that grows with it by two numbers per second.

use std::collections::BTreeMap;

use super::dispersion::{Counter, Dispersion};
use super::law::{BLOCK, BlockTest, Course, MOST_PER_S};
use super::mix::Walks;
use super::pauses::Ranks;
use super::rate::{Tally, WINDOW_S};
use crate::clock::{SECOND_NS, to_s};
use crate::plan::Plan;
use crate::random::{Key, Purpose, Stream};
use crate::record::{Note, Sample, Waiting};

/// What a verdict rests on.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    pub(crate) windows: Vec<Tally>,
    pub(crate) blocks: Vec<BlockTest>,
    pub(crate) course: Course,
    pub(crate) dispersion: Vec<Dispersion>,
    /// None where the profile's chains do not say how often each endpoint is visited.
    pub(crate) walks: Option<Walks>,
    pub(crate) ranks: Ranks,
}

/// Reads notes, and keeps what they prove.
#[derive(Debug)]
pub(crate) struct Witness<'a> {
    plan: &'a Plan,
    windows: Vec<Tally>,
    /// None where the profile's chains do not say how often each endpoint is visited.
    walks: Option<Walks>,
    ranks: Ranks,
    dispersion: Counter,
    /// Starts of seconds that are not settled yet.
    open: BTreeMap<u64, Second>,
    /// The first second that is not settled.
    next: u64,
    /// Rescaled time at the start of that second, and of the last start that was tested.
    rescaled: f64,
    last: f64,
    gaps: Vec<f64>,
    blocks: Vec<BlockTest>,
    course: Course,
    tested: u64,
    thinning: Stream,
}

/// Planned and real starts of one second, in nanoseconds of run time.
#[derive(Debug, Default)]
struct Second {
    planned: Vec<u64>,
    released: Vec<u64>,
}

/// A second is settled this long after it is over: who was taken up later was very late, and that shows elsewhere.
const LAG_NS: u64 = 2 * SECOND_NS;

impl<'a> Witness<'a> {
    /// Knows nothing yet of a run of `plan`.
    pub(crate) fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            windows: Vec::new(),
            walks: plan.expected_visits().map(Walks::new),
            ranks: Ranks::default(),
            dispersion: Counter::default(),
            open: BTreeMap::new(),
            next: 0,
            rescaled: 0.0,
            last: 0.0,
            gaps: Vec::new(),
            blocks: Vec::new(),
            course: Course::default(),
            tested: 0,
            thinning: Stream::new(Key { seed: 0, block: 0, index: 0 }, Purpose::Thinning),
        }
    }

    /// Takes in `note`.
    pub(crate) fn note(&mut self, note: &Note) {
        match note {
            Note::Session { is_under_way: true, .. } => {}
            Note::Session { starts_at, released_at, planned, .. } => {
                self.walks.iter_mut().for_each(|walks| walks.add(planned));
                self.open.entry(starts_at / SECOND_NS).or_default().planned.push(*starts_at);
                self.open.entry(released_at / SECOND_NS).or_default().released.push(*released_at);
                self.window(*released_at).sessions += 1;
            }
            Note::Dropped { at, .. } => self.window(*at).due += 1,
            Note::Ended(Sample { scheduled_at, released_at, .. }) => {
                self.window(*scheduled_at).due += 1;
                self.window(*released_at).sent += 1;
            }
            Note::Unfinished { waiting: Waiting { scheduled_at, .. }, .. } => {
                self.window(*scheduled_at).due += 1;
                self.window(*scheduled_at).sent += 1;
            }
            Note::Paused { rank } => self.ranks.add(*rank),
            Note::SessionLost { .. }
            | Note::Planned { .. }
            | Note::Redirected { .. }
            | Note::SessionDropped
            | Note::Cut { .. }
            | Note::Sent(_) => {}
        }
    }

    /// All event loops have told everything that happened before `until`.
    pub(crate) fn settle(&mut self, until: u64) {
        let end = until.saturating_sub(LAG_NS).min(self.plan.end_ns()) / SECOND_NS;
        while self.next < end {
            self.settle_second();
        }
    }

    /// What the verdict rests on.
    pub(crate) fn finish(mut self) -> Evidence {
        // The last second is a part of one, whose other part would look like a pause.
        self.blocks.extend(BlockTest::of(&self.gaps));
        Evidence {
            windows: self.windows,
            blocks: self.blocks,
            course: self.course,
            dispersion: self.dispersion.indices(),
            walks: self.walks,
            ranks: self.ranks,
        }
    }

    fn window(&mut self, at: u64) -> &mut Tally {
        let number = (at / SECOND_NS / WINDOW_S) as usize;
        if self.windows.len() <= number {
            self.windows.resize(number + 1, Tally::default());
        }
        &mut self.windows[number]
    }

    fn settle_second(&mut self) {
        let block = self.next;
        self.next += 1;
        let expected = self.plan.expected_starts(block, 1.0);
        self.window(block * SECOND_NS).sessions_expected += expected;
        if !self.plan.starts_are_poisson() {
            return;
        }
        // Whoever comes too late for a second that is settled stays in the map; it is emptied up to here each time.
        let later = self.open.split_off(&(block + 1));
        let Second { planned, mut released } =
            std::mem::replace(&mut self.open, later).remove(&block).unwrap_or_default();
        released.sort_unstable();
        let within = |at: &u64| to_s(at - block * SECOND_NS);
        let moments = |starts: &[u64]| starts.iter().map(within).collect::<Vec<_>>();
        self.dispersion.second(&moments(&planned), &moments(&released), expected);
        let kept = (MOST_PER_S / expected.max(MOST_PER_S)).min(1.0);
        for at in &released {
            if kept < 1.0 && self.thinning.uniform() > kept {
                continue;
            }
            let rescaled = self.rescaled + kept * self.plan.expected_starts(block, within(at));
            self.gaps.push((rescaled - self.last).max(0.0));
            self.last = rescaled;
            self.tested += 1;
            if self.gaps.len() == BLOCK {
                self.blocks.extend(BlockTest::of(&self.gaps));
                self.gaps.clear();
            }
        }
        self.rescaled += kept * expected;
        self.course.second(self.rescaled, self.tested);
    }
}
