//! Think times, from what the gate lets through: one for each class, and one of their own for what differs.

use std::collections::BTreeMap;

use shared::distribution::{Law, LognormalComponent, Unit};
use shared::session::{ThinkTimes, transition};
use shared::think::{GapKind, ThinkTime};
use shared::units::{round_count, round_probability, round_shares, round_significant};

use super::classes::{Kinds, Pauses};
use crate::model::think::fit;
use crate::model::think::gaps::{Gaps, Window};
use crate::model::think::pace;
use crate::model::think::pooling::{self, Place};
use crate::model::think::sideband::Corrected;
use crate::privacy::gate::Gate;
use crate::tally::cell::logged;
use crate::tally::{GAP_RELATIVE_ERROR, GapTally, RouteNumber};

/// Name of the think time of the heaviest class, where no other applies.
const DEFAULT: &str = "default";

/// All think times by name, and how each of `kinds` pauses. `returns` says which share of pauses are none.
pub(super) fn think_times<'n>(
    kinds: &Kinds,
    returns: &Corrected,
    gap_s: f64,
    id: &impl Fn(RouteNumber) -> &'n str,
    gate: Gate,
) -> (BTreeMap<String, ThinkTime>, Vec<Pauses>) {
    let class_of = |at: usize| kinds.of_walk[at] as u32;
    let pooling = pooling::pool(&kinds.walks, class_of, &returns.background, gap_s, gate.k());
    let mut name_of: Vec<Option<String>> = vec![None; pooling.groups.len()];
    for (class, places) in &pooling.places {
        for (place, group) in places {
            let name = match place {
                Place::Anywhere if *class == 0 => DEFAULT.to_owned(),
                Place::Anywhere => format!("{DEFAULT}_{}", kinds.names[*class as usize]),
                Place::After(from) => format!("after_{}", id(*from)),
                Place::Between(from, to) => format!("{}_to_{}", id(*from), id(*to)),
            };
            name_of[*group].get_or_insert(name);
        }
    }
    let fitted: Vec<Option<ThinkTime>> = pooling
        .groups
        .iter()
        .map(|group| {
            let background = group.background(&returns.background);
            think_time(&group.gaps, Window { longest_s: gap_s, background, ..Window::OPEN }, gate)
        })
        .collect();
    let laws: Vec<Option<Law>> =
        fitted.iter().map(|fitted| fitted.as_ref().and_then(|time| time.law.clone())).collect();
    let paces = pace::of_classes(&kinds.walks, class_of, &pooling, &laws);
    let mut times: BTreeMap<String, ThinkTime> = BTreeMap::new();
    // Two classes may pause differently at one place: what comes later gets a number.
    let names: Vec<Option<String>> = fitted
        .iter()
        .zip(name_of)
        .map(|(time, name)| {
            let (time, name) = (time.as_ref()?, name?);
            let numbered = (2..).map(|number| format!("{name}_{number}"));
            let free =
                std::iter::once(name.clone()).chain(numbered).find(|name| !times.contains_key(name))?;
            times.insert(free.clone(), time.clone());
            Some(free)
        })
        .collect();
    let usual = names.iter().flatten().next().cloned().unwrap_or_else(|| DEFAULT.to_owned());
    let pauses = (0..kinds.names.len()).map(|class| {
        let places = pooling.places.get(&(class as u32));
        let name = |group: &usize| names[*group].clone();
        let default = places.and_then(|places| places.get(&Place::Anywhere)).and_then(name);
        let mut on = BTreeMap::new();
        for (place, group) in places.into_iter().flatten() {
            let at = match place {
                Place::Anywhere => continue,
                Place::After(from) => id(*from).to_owned(),
                Place::Between(from, to) => transition(id(*from), id(*to)),
            };
            on.extend(name(group).map(|name| (at, name)));
        }
        let pace = paces.get(&(class as u32)).map(|pace| round_probability(pace.rho));
        (ThinkTimes { default: default.unwrap_or_else(|| usual.clone()), on }, pace)
    });
    let pauses = pauses.collect();
    times.entry(usual).or_insert_with(never);
    (times, pauses)
}

/// Where there are too few pauses to publish, or sessions have one request: the pause that is written down never happens,
/// or is short.
fn never() -> ThinkTime {
    ThinkTime { kind: GapKind::Pacing, n: 0, law: Some(Law::Exponential { rate: 1.0 }), histogram: None }
}

fn think_time(gaps: &GapTally, window: Window, gate: Gate) -> Option<ThinkTime> {
    gate.admit(gaps.gaps)?;
    let n = gaps.gaps.count;
    let kind = if 2 * gaps.paced > n { GapKind::Pacing } else { GapKind::Think };
    let (law, histogram) = if 2 * gaps.coarse_gaps > n {
        (Some(best_law(&Gaps::whole(&as_logged(gaps), window)?)), None)
    } else {
        let histogram = gate.histogram(&gaps.fine, GAP_RELATIVE_ERROR, Unit::S)?;
        // The law is a label here, but one for what was seen, not for what the gate makes of it.
        let counts = gaps.fine.iter().map(|(bin, of)| (*bin, of.count)).collect();
        let law = Gaps::exact(&counts, histogram.log_width(), window).map(|gaps| best_law(&gaps));
        (law, gate.summary(histogram, logged(&gaps.fine)).map(|summary| summary.histogram))
    };
    Some(ThinkTime { kind, n: round_count(n), law: law.map(round_law), histogram })
}

fn best_law(gaps: &Gaps) -> Law {
    fit::families(gaps).swap_remove(0).law
}

/// The whole-second gaps by length, spread as what they stand for, but no more of them than were logged: how sure a
/// fit may be depends on what was seen.
fn as_logged(gaps: &GapTally) -> BTreeMap<i64, u64> {
    let mass = gaps.coarse.values().map(|mass| u128::from(*mass)).sum::<u128>().max(1);
    let share = |of: u64| (u128::from(of) * u128::from(gaps.coarse_gaps) + mass / 2) / mass;
    gaps.coarse.iter().map(|(gap_ms, of)| (*gap_ms, share(*of) as u64)).collect()
}

/// Parameters to four significant digits: finer than any fit knows them.
fn round_law(law: Law) -> Law {
    let round = |x: f64| round_significant(x, 4);
    match law {
        Law::Lognormal { mu, sigma } => Law::Lognormal { mu: round(mu), sigma: round(sigma) },
        Law::Gamma { shape, scale } => Law::Gamma { shape: round(shape), scale: round(scale) },
        Law::Weibull { shape, scale } => Law::Weibull { shape: round(shape), scale: round(scale) },
        Law::Exponential { rate } => Law::Exponential { rate: round(rate) },
        Law::LognormalMixture { components } => {
            let weights = round_shares(&components.iter().map(|c| c.weight).collect::<Vec<_>>());
            let rounded = components.iter().zip(weights).map(|(c, weight)| LognormalComponent {
                weight,
                mu: round(c.mu),
                sigma: round(c.sigma),
            });
            Law::LognormalMixture { components: rounded.collect() }
        }
    }
}
