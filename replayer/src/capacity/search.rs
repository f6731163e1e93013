//! Which load to try next, and when enough is known: a pure function of what the trials so far have shown.
//!
//! Loads are rungs of a [`Ladder`], each the same factor above the one before, so that nothing is asked finer than the
//! resolution. Chance is met on both sides: a load that held once is the answer only when it holds several times more, and
//! one that failed once bounds the answer only when it fails again, or has failed to be confirmed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// The loads that may be tried, as scales: rung 0 is the lowest, the last one the highest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ladder {
    from: f64,
    to: f64,
    pub(crate) top: u32,
}

impl Ladder {
    /// From scale `from` to `to`, in equal ratios of `1 + resolution` at most. `0 < from <= to`, `0 < resolution`.
    pub(crate) fn new(from: f64, to: f64, resolution: f64) -> Self {
        // The last digits of a logarithm make no rung.
        let rungs = ((to / from).ln() / resolution.ln_1p() - 1e-9).ceil();
        Self { from, to, top: rungs.max(0.0) as u32 }
    }

    /// The scale of `rung`.
    pub(crate) fn scale(&self, rung: u32) -> f64 {
        match rung {
            0 => self.from,
            rung if rung >= self.top => self.to,
            rung => self.from * (self.to / self.from).powf(f64::from(rung) / f64::from(self.top)),
        }
    }

    /// How many rungs make a factor of `factor`, at least one.
    fn stride(&self, factor: f64) -> u32 {
        let per_rung = (self.to / self.from).ln() / f64::from(self.top.max(1));
        if per_rung > 0.0 { ((factor.ln() / per_rung).round() as u32).max(1) } else { 1 }
    }
}

/// What a trial said about its load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All conditions held.
    Held,
    /// One did not.
    Failed,
    /// Nothing: the load was not the one that was planned, by the generator's doing.
    NotValid,
}

/// Trials at one load that counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) held: u32,
    pub(crate) failed: u32,
}

/// What a trial is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To find a load that fails.
    Climb,
    /// To narrow down where between two loads it begins to.
    Bisect,
    /// To see whether a load holds again.
    Confirm,
    /// To see whether a load fails again.
    Doubt,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Try this rung.
    Try(u32, Purpose),
    /// Nothing more.
    End(End),
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// One rung was confirmed, and the next one failed.
    Found {
        /// The rung that held.
        held: u32,
    },
    /// The highest rung that could be tried was confirmed.
    NeverFailed {
        /// That rung.
        held: u32,
    },
    /// Not even the lowest rung was confirmed.
    NeverHeld,
    /// The generator was the limit; what held below it is not confirmed, if anything held.
    NotValid,
    /// The target is never twice the same.
    TooManyTrials,
}

/// How much higher the next load is while nothing has failed.
const CLIMB: f64 = 2.0;
/// Trials at one load in a row that say nothing before the generator counts as the limit: one may be somebody else's doing.
const MOST_NOT_VALID: u32 = 3;
/// Trials after which a search ends whatever it knows; it rarely takes more than 25.
pub(crate) const MOST_TRIALS: u32 = 100;

/// A search that is under way.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    top: u32,
    climb: u32,
    confirmations: u32,
    /// What was seen at each rung.
    tallies: BTreeMap<u32, Tally>,
    /// Rungs that had held, and then did not hold again.
    stepped_down: Vec<u32>,
    /// The highest rung that is taken to hold, and the lowest above it that is taken to fail.
    held: Option<u32>,
    failed: Option<u32>,
    /// The highest rung that held as often as asked.
    confirmed: Option<u32>,
    phase: Phase,
    not_valid: u32,
    trials: u32,
    is_limited: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Up from what held, by so many rungs.
    Climb(u32),
    Bisect,
    /// What is taken to hold has held again so often.
    Confirm(u32),
    /// What had failed has held so often since.
    Doubt(u32),
    End(End),
}

impl Search {
    /// A search of `ladder` for the highest rung that holds `confirmations` times in a row, once it was found.
    pub(crate) fn new(ladder: &Ladder, confirmations: u32) -> Self {
        let climb = ladder.stride(CLIMB);
        Self {
            top: ladder.top,
            climb,
            confirmations: confirmations.max(1),
            tallies: BTreeMap::new(),
            stepped_down: Vec::new(),
            held: None,
            failed: None,
            confirmed: None,
            phase: Phase::Climb(climb),
            not_valid: 0,
            trials: 0,
            is_limited: false,
        }
    }

    /// What to do next.
    pub(crate) fn next(&self) -> Step {
        let below = self.held.unwrap_or(0);
        let above = self.failed.unwrap_or(self.top);
        match self.phase {
            Phase::Climb(stride) => {
                let rung = self.held.map_or(0, |held| held.saturating_add(stride).min(self.top));
                Step::Try(rung, Purpose::Climb)
            }
            Phase::Bisect => Step::Try(below + (above - below) / 2, Purpose::Bisect),
            Phase::Confirm(_) => Step::Try(below, Purpose::Confirm),
            Phase::Doubt(_) => Step::Try(above, Purpose::Doubt),
            Phase::End(end) => Step::End(end),
        }
    }

    /// Takes in what the trial that [`Self::next`] asked for came to.
    pub(crate) fn observe(&mut self, outcome: Outcome) {
        let Step::Try(rung, _) = self.next() else { return };
        self.trials += 1;
        let holds = match outcome {
            Outcome::NotValid => {
                self.not_valid += 1;
                if self.not_valid >= MOST_NOT_VALID {
                    self.limit();
                }
                return self.give_up();
            }
            outcome => outcome == Outcome::Held,
        };
        self.not_valid = 0;
        let tally = self.tallies.entry(rung).or_default();
        *if holds { &mut tally.held } else { &mut tally.failed } += 1;
        match (self.phase, holds) {
            (Phase::Climb(stride), true) => {
                self.held = Some(rung);
                self.phase = Phase::Climb(stride.saturating_mul(2).min(self.climb));
                if rung >= self.top {
                    self.narrow();
                }
            }
            (Phase::Bisect, true) => {
                self.held = Some(rung);
                self.narrow();
            }
            (Phase::Climb(_) | Phase::Bisect, false) => {
                self.failed = Some(rung);
                self.narrow();
            }
            (Phase::Confirm(again), true) => self.held_again(rung, again + 1),
            (Phase::Confirm(_), false) => {
                self.stepped_down.push(rung);
                self.failed = Some(rung);
                self.held = rung.checked_sub(1);
                self.narrow();
            }
            (Phase::Doubt(again), true) if again + 1 < self.confirmations => {
                self.phase = Phase::Doubt(again + 1);
            }
            (Phase::Doubt(_), true) => {
                (self.held, self.confirmed, self.failed) = (Some(rung), Some(rung), None);
                self.phase = if rung >= self.top {
                    Phase::End(End::NeverFailed { held: rung })
                } else {
                    Phase::Climb(1)
                };
            }
            (Phase::Doubt(_), false) => self.narrow(),
            (Phase::End(_), _) => {}
        }
        self.give_up();
    }

    /// No other load can be tried than what held so far: all that is left to do is to confirm that.
    pub(crate) fn limit(&mut self) {
        self.is_limited = true;
        self.not_valid = 0;
        if self.held.is_none() || matches!(self.phase, Phase::Confirm(_)) {
            // Not even that can be tried.
            let Some(confirmed) = self.confirmed else {
                self.phase = Phase::End(End::NotValid);
                return;
            };
            self.held = Some(confirmed);
        }
        self.narrow();
    }

    /// Was the generator, or the machine that it runs on, what kept the search from going higher?
    pub(crate) fn is_limited(&self) -> bool {
        self.is_limited
    }

    /// The highest rung that is taken to hold, and the lowest above it that is taken to fail.
    pub(crate) fn bracket(&self) -> [Option<u32>; 2] {
        [self.held.filter(|held| self.tally(*held).held > 0), self.failed]
    }

    /// Whether the highest rung that is taken to hold has held as often as asked.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.confirmed.is_some() && self.confirmed == self.held
    }

    /// Trials at `rung` that counted.
    pub(crate) fn tally(&self, rung: u32) -> Tally {
        self.tallies.get(&rung).copied().unwrap_or_default()
    }

    /// Rungs that had held, and then did not hold again, in the order in which that was found.
    pub(crate) fn stepped_down(&self) -> &[u32] {
        &self.stepped_down
    }

    /// What there is to do between what holds and what fails.
    fn narrow(&mut self) {
        self.phase = match (self.held, self.failed) {
            (Some(held), Some(failed)) if failed - held > 1 && !self.is_limited => Phase::Bisect,
            (Some(held), _) if self.confirmed != Some(held) => Phase::Confirm(0),
            (Some(held), None) => Phase::End(End::NeverFailed { held }),
            (held, Some(failed)) => {
                let is_certain = self.tally(failed).failed > 1 || self.stepped_down.contains(&failed);
                match held {
                    _ if !is_certain && !self.is_limited => Phase::Doubt(0),
                    Some(held) => Phase::End(End::Found { held }),
                    None => Phase::End(End::NeverHeld),
                }
            }
            (None, None) => Phase::Climb(self.climb),
        };
    }

    /// What is taken to hold has held `again` times more.
    fn held_again(&mut self, rung: u32, again: u32) {
        self.phase = Phase::Confirm(again);
        if again >= self.confirmations {
            self.confirmed = Some(rung);
            self.narrow();
        }
    }

    fn give_up(&mut self) {
        if self.trials >= MOST_TRIALS && !matches!(self.phase, Phase::End(_)) {
            self.phase = Phase::End(End::TooManyTrials);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Purpose as RandomPurpose, Stream};
    use proptest::prelude::*;

    const CONFIRMATIONS: u32 = 3;

    /// A search to its end: the scales of the bracket, how it ended, and how many trials that took.
    fn search(
        ladder: Ladder,
        mut target: impl FnMut(f64, Purpose) -> Outcome,
    ) -> ([Option<f64>; 2], End, u32) {
        let mut search = Search::new(&ladder, CONFIRMATIONS);
        loop {
            match search.next() {
                Step::Try(rung, purpose) => {
                    assert!(rung <= ladder.top);
                    let outcome = target(ladder.scale(rung), purpose);
                    search.observe(outcome);
                }
                Step::End(end) => {
                    let bracket = search.bracket().map(|rung| rung.map(|rung| ladder.scale(rung)));
                    return (bracket, end, search.trials);
                }
            }
        }
    }

    fn holds_below(capacity: f64) -> impl Fn(f64, Purpose) -> Outcome {
        move |scale, _| if scale <= capacity { Outcome::Held } else { Outcome::Failed }
    }

    #[test]
    fn a_ladder_has_both_ends_and_equal_rungs() {
        #[track_caller]
        fn check(from: f64, to: f64, resolution: f64, top: u32) {
            let ladder = Ladder::new(from, to, resolution);
            assert_eq!(ladder.top, top);
            let ends = [ladder.scale(0), ladder.scale(top)].map(f64::to_bits);
            assert_eq!(ends, [from, if top == 0 { from } else { to }].map(f64::to_bits));
            for rung in 0..top {
                let ratio = ladder.scale(rung + 1) / ladder.scale(rung);
                assert!(ratio > 1.0 && ratio <= (1.0 + resolution) * (1.0 + 1e-9), "{rung}: {ratio}");
            }
        }
        check(1.0, 1.0, 0.05, 0);
        check(1.0, 1.05, 0.05, 1);
        check(1.0, 2.0, 0.05, 15);
        check(0.1, 2.0, 0.05, 62);
        check(0.1, 1e6, 0.01, 1620);
    }

    proptest! {
        /// A target that is never in doubt: the bracket is around its capacity, one rung wide, in as many trials as it
        /// takes to climb, to halve what one step of the climb covers, to confirm, and to see the edge fail again.
        #[test]
        fn a_target_that_is_always_the_same_is_found(
            capacity in 0.01..1e4_f64, from in 0.01..1.0_f64, resolution in 0.01..0.3_f64,
        ) {
            let ladder = Ladder::new(from, 1e4, resolution);
            let ([held, failed], end, trials) = search(ladder, holds_below(capacity));
            if capacity < from {
                prop_assert_eq!((end, held, trials), (End::NeverHeld, None, 2));
                return Ok(());
            }
            let (held, failed) = (held.unwrap(), failed.unwrap_or(f64::INFINITY));
            prop_assert!(held <= capacity && capacity < failed, "{} {} {}", held, capacity, failed);
            prop_assert!(failed / held <= (1.0 + resolution) * (1.0 + 1e-9));
            let climbed = (capacity / from).log2() / 0.75 + 2.0;
            let halved = (2.5_f64.ln() / resolution.ln_1p()).log2().max(0.0) + 2.0;
            prop_assert!(f64::from(trials) <= climbed + halved + f64::from(CONFIRMATIONS) + 1.0, "{}", trials);
        }

        /// Whatever a target does, the search ends, and says nothing that was not seen.
        #[test]
        fn no_target_is_searched_for_ever(outcomes in prop::collection::vec(0..8_u8, 1..300), to in 1.0..50.0_f64) {
            let mut at = 0;
            let mut seen: Vec<(u64, Outcome)> = Vec::new();
            let ([held, failed], end, trials) = search(Ladder::new(1.0, to, 0.05), |scale, _| {
                let outcome = match outcomes[at % outcomes.len()] {
                    0 => Outcome::NotValid,
                    1..=3 => Outcome::Failed,
                    _ => Outcome::Held,
                };
                at += 1;
                seen.push((scale.to_bits(), outcome));
                outcome
            });
            prop_assert!(trials <= MOST_TRIALS);
            let count = |scale: f64, outcome| {
                seen.iter().filter(|seen| **seen == (scale.to_bits(), outcome)).count()
            };
            let [of_held, of_failed] =
                [(held, Outcome::Held), (failed, Outcome::Failed)].map(|(scale, outcome)| scale.map(|scale| count(scale, outcome)));
            match end {
                End::Found { .. } => {
                    prop_assert!(held < failed && of_failed >= Some(1));
                    // All that is not the last word on a load came before it held three times in a row.
                    prop_assert!(of_held >= Some(3));
                }
                End::NeverFailed { .. } => prop_assert!(failed.is_none() && of_held >= Some(3)),
                End::NeverHeld => prop_assert!(failed.is_some_and(|failed| (failed - 1.0).abs() < 1e-12)),
                End::NotValid | End::TooManyTrials => {}
            }
        }
    }

    /// Of `seeds` searches of a target, in how many the load found is within `off` rungs of its capacity of 3.3, and the most
    /// trials that one took.
    fn shares(seeds: u64, off: f64, fails: impl Fn(f64) -> f64) -> (f64, u32) {
        let resolution = 0.05_f64;
        let ladder = Ladder::new(0.1, 1e6, resolution);
        let (mut near, mut most) = (0, 0);
        for seed in 0..seeds {
            let mut stream = Stream::new(Key { seed, block: 0, index: 0 }, RandomPurpose::Trial);
            let ([held, _], end, trials) = search(ladder, |scale, _| {
                if stream.uniform() < fails((scale / 3.3).ln() / resolution.ln_1p()) {
                    Outcome::Failed
                } else {
                    Outcome::Held
                }
            });
            assert!(!matches!(end, End::TooManyTrials | End::NotValid), "{end:?}");
            let rungs = held.map_or(f64::INFINITY, |held| ((held / 3.3).ln() / resolution.ln_1p()).abs());
            near += u64::from(rungs <= off);
            most = most.max(trials);
        }
        (near as f64 / seeds as f64, most)
    }

    /// Near its limit a target holds or fails by chance, more likely to fail the higher the load.
    #[test]
    fn a_target_that_wavers_near_its_limit_is_found_within_what_it_wavers() {
        // One chance in two at the capacity; one in twelve a resolution away from it, and nearly none at two.
        let steep = |rungs: f64| 1.0 / (1.0 + (-2.4 * rungs).exp());
        let (near, most) = shares(1000, 2.0, steep);
        println!("steep: {near} within two rungs, at most {most} trials");
        // Over five rungs: whoever must hold three times in a row is below the middle.
        let flat = |rungs: f64| 1.0 / (1.0 + (-0.8 * rungs).exp());
        let (wide, more) = shares(1000, 5.0, flat);
        println!("flat: {wide} within five rungs, at most {more} trials");
        assert!(near >= 0.95 && most <= 40, "{near} {most}");
        assert!(wide >= 0.95 && more <= 50, "{wide} {more}");
    }

    /// Something else on the machine makes one trial in 50 fail, whatever the load.
    #[test]
    fn one_hiccup_does_not_lower_the_answer() {
        let hiccups = |rungs: f64| if rungs > 0.0 { 1.0 } else { 0.02 };
        let (near, most) = shares(1000, 2.0, hiccups);
        println!("hiccups: {near} within two rungs, at most {most} trials");
        assert!(near >= 0.95 && most <= 60, "{near} {most}");
    }

    /// What each trial is for, and what it came to.
    fn course(outcomes: &[Outcome], top: u32) -> (Vec<(u32, Purpose)>, Search) {
        // Rungs of a factor of two: one climbs from each to the next.
        let ladder = Ladder::new(1.0, 2.0_f64.powi(top as i32), 1.0);
        let mut search = Search::new(&ladder, CONFIRMATIONS);
        let tried = outcomes.iter().map_while(|outcome| {
            let Step::Try(rung, purpose) = search.next() else { return None };
            search.observe(*outcome);
            Some((rung, purpose))
        });
        (tried.collect(), search)
    }

    #[test]
    fn each_way_to_end_is_told_apart() {
        use Outcome::{Failed, Held, NotValid};
        #[track_caller]
        fn check(outcomes: &[Outcome], tried: &[u32], end: End, bracket: [Option<u32>; 2]) {
            let (found, search) = course(outcomes, 3);
            assert_eq!(found.iter().map(|(rung, _)| *rung).collect::<Vec<_>>(), tried);
            assert_eq!((search.next(), search.bracket()), (Step::End(end), bracket));
        }
        let found = |held| End::Found { held };
        let never_failed = |held| End::NeverFailed { held };
        // Up to what fails, confirmed, and failed again.
        let all = [Held, Held, Failed, Held, Held, Held, Failed];
        check(&all, &[0, 1, 2, 1, 1, 1, 2], found(1), [Some(1), Some(2)]);
        check(&[Held; 7], &[0, 1, 2, 3, 3, 3, 3], never_failed(3), [Some(3), None]);
        check(&[Failed, Failed], &[0, 0], End::NeverHeld, [None, Some(0)]);
        // It failed once, and then held as often as asked: on it goes.
        let doubted = [Held, Held, Failed, Held, Held, Held, Held, Held, Held, Failed, Failed];
        check(&doubted, &[0, 1, 2, 1, 1, 1, 2, 2, 2, 3, 3], found(2), [Some(2), Some(3)]);
        // What held does not hold again: a step down, which is confirmed as well; what failed to be confirmed is the edge.
        let down = [Held, Held, Failed, Held, Failed, Held, Held, Held];
        check(&down, &[0, 1, 2, 1, 1, 0, 0, 0], found(0), [Some(0), Some(1)]);
        assert_eq!(course(&down, 3).1.stepped_down(), [1]);
        check(&[Held, Failed, Failed], &[0, 1, 0], End::NeverHeld, [None, Some(0)]);
        // The generator's own trouble is tried again, counts for nobody, and is the limit at last.
        let once = [Held, NotValid, NotValid, Failed, Held, Held, Held, Failed];
        check(&once, &[0, 1, 1, 1, 0, 0, 0, 1], found(0), [Some(0), Some(1)]);
        let limit = [Held, Held, NotValid, NotValid, NotValid, Held, Held, Held];
        check(&limit, &[0, 1, 2, 2, 2, 1, 1, 1], never_failed(1), [Some(1), None]);
        assert!(course(&limit, 3).1.is_limited() && !course(&once, 3).1.is_limited());
        check(&[NotValid; 3], &[0, 0, 0], End::NotValid, [None, None]);
        let worse = [Held, NotValid, NotValid, NotValid, NotValid, NotValid, NotValid];
        check(&worse, &[0, 1, 1, 1, 0, 0, 0], End::NotValid, [Some(0), None]);
    }

    #[test]
    fn trials_say_what_they_are_for() {
        use Outcome::{Failed, Held};
        let (tried, _) = course(&[Held, Failed, Held, Held, Held, Failed], 3);
        let purposes: Vec<Purpose> = tried.into_iter().map(|(_, purpose)| purpose).collect();
        let expected = [Purpose::Climb; 2].into_iter().chain([Purpose::Confirm; 3]).chain([Purpose::Doubt]);
        assert_eq!(purposes, expected.collect::<Vec<_>>());
    }
}
