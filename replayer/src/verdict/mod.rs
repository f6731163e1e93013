//! Was the load the one that was planned? Nobody who measures a target can know without having measured the generator.
//!
//! Each check is a pure function of what was noted, in a file of its own, and says what is wrong in words. `VALID`:
//! the plan was kept. `DEGRADED`: it was not quite, and the reason says in what. `INVALID`: the figures are of another
//! load than the one asked for, and say nothing about the target under that one.

mod account;
#[cfg(test)]
mod controls;
mod dispersion;
mod lateness;
mod law;
mod machine;
mod mix;
mod pauses;
mod rate;
mod saturation;
mod witness;

use schemars::JsonSchema;
use serde::Serialize;

pub use dispersion::Dispersion;
pub use lateness::Lateness;
pub use law::Starts;
pub use machine::Machine;
pub(crate) use machine::Meter;
pub use mix::Mix;
pub use pauses::Pauses;
pub use rate::{Rate, Window};
pub(crate) use witness::{Evidence, Witness};

use crate::record::Snapshot;

/// How far the load was the one that was planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It was.
    Valid,
    /// Not quite.
    Degraded,
    /// It was another one.
    Invalid,
}

impl Level {
    /// Its name in text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "VALID",
            Self::Degraded => "DEGRADED",
            Self::Invalid => "INVALID",
        }
    }
}

/// Whose doing it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The generator, or the machine it runs on, could not keep up.
    Generator,
    /// The target could not: so many requests waited that no more were sent.
    Target,
}

/// Something that was not as planned.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Finding {
    /// How bad that is.
    pub level: Level,
    /// Whose doing it was.
    pub cause: Cause,
    /// What was not as planned, in words.
    pub reason: String,
}

impl Finding {
    /// A finding about the generator; none at [`Level::Valid`].
    fn of_generator(level: Level, reason: impl FnOnce() -> String) -> Option<Self> {
        (level > Level::Valid).then(|| Self { level, cause: Cause::Generator, reason: reason() })
    }
}

/// The worst of all findings.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Verdict {
    /// How far the load was the one that was planned.
    pub level: Level,
    /// It was, or nearly.
    pub valid: bool,
    /// Whose doing it was, if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What was not as planned, the worst first.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// The verdict that follows from `findings`.
    fn of(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        let worst = findings.first();
        let level = worst.map_or(Level::Valid, |worst| worst.level);
        Self { level, valid: level < Level::Invalid, cause: worst.map(|worst| worst.cause), findings }
    }
}

/// What the generator found about itself.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SelfCheck {
    /// How late requests were sent.
    pub lateness: Lateness,
    /// Requests sent against requests due.
    pub rate: Rate,
    /// Whether sessions started as the planned process does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts: Option<Starts>,
    /// How bursty starts were at several time scales, against the plan.
    pub dispersion: Vec<Dispersion>,
    /// Whether sessions go where the profile says; none for too few.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mix: Option<Mix>,
    /// Whether sessions paused as planned; none where no pause could be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pauses: Option<Pauses>,
    /// What the machine had to do; none where the system does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
}

/// What a verdict needs to know besides what was noted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) ids: &'a [&'a str],
    pub(crate) max_in_flight: usize,
    /// Somebody cut the run: what was under way then was neither answered nor counted as cut.
    pub(crate) cut_short: bool,
    pub(crate) machine: Option<Machine>,
}

/// Checks a run.
pub(crate) fn check(counted: &Snapshot, evidence: &Evidence, context: Context<'_>) -> (Verdict, SelfCheck) {
    let checked = SelfCheck {
        lateness: Lateness::of(&counted.all_times(|endpoint| &endpoint.send_delay)),
        rate: Rate::of(&evidence.windows),
        starts: Starts::of(&evidence.blocks, &evidence.course),
        dispersion: evidence.dispersion.clone(),
        mix: evidence.walks.as_ref().and_then(|walks| Mix::of(walks, context.ids)),
        pauses: Pauses::of(&evidence.ranks),
        machine: context.machine,
    };
    let findings = [
        saturation::finding(&counted.requests, &checked.lateness, context.max_in_flight),
        checked.lateness.finding(),
        checked.rate.finding(),
        checked.starts.as_ref().and_then(Starts::finding),
        checked.dispersion.iter().find_map(Dispersion::finding),
        account::finding(&counted.endpoints, context.ids).filter(|_| !context.cut_short),
        checked.mix.as_ref().and_then(Mix::finding),
        checked.pauses.as_ref().and_then(Pauses::finding).filter(|_| !context.cut_short),
        checked.machine.as_ref().and_then(Machine::finding),
    ];
    (Verdict::of(findings.into_iter().flatten().collect()), checked)
}
