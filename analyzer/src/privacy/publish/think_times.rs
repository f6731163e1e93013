//! Think times, from what the gate lets through: one for all, and one of their own for states that differ.

use std::collections::BTreeMap;

use shared::distribution::{Law, LognormalComponent, Unit};
use shared::session::{OTHER, ThinkTimes};
use shared::think::{GapKind, ThinkTime};
use shared::units::{round_count, round_shares, round_significant};

use crate::model::think::fit;
use crate::model::think::gaps::{Gaps, Window};
use crate::privacy::gate::Gate;
use crate::tally::cell::logged;
use crate::tally::{GAP_RELATIVE_ERROR, GapTally, RouteNumber, Tally};

/// Name of the think time that applies where no other does.
const DEFAULT_THINK: &str = "default";
/// Gaps from which on an endpoint has a think time of its own, where it differs.
const OWN_THINK_GAPS: u64 = 200;
/// How far the median must be off the common one for that: ten percent.
const OWN_THINK_EFFECT: f64 = 0.1;

/// The think times of all states, by name, and which applies where.
pub(super) fn think_times<'n>(
    tally: &Tally,
    id: &impl Fn(RouteNumber) -> &'n str,
    gate: Gate,
) -> (BTreeMap<String, ThinkTime>, ThinkTimes) {
    let mut by_name: BTreeMap<&str, GapTally> = BTreeMap::new();
    let mut all = GapTally::default();
    for (route, gaps) in &tally.gaps {
        by_name.entry(id(*route)).or_default().join(gaps.clone(), gate.k());
        all.join(gaps.clone(), gate.k());
    }
    let common = think_time(&all, gate);
    let mut times = BTreeMap::new();
    let mut on = BTreeMap::new();
    let mut rest = GapTally::default();
    for (name, gaps) in by_name {
        let own =
            (name != OTHER && gaps.gaps.count >= OWN_THINK_GAPS).then(|| think_time(&gaps, gate)).flatten();
        let differs = |own: &ThinkTime| common.as_ref().is_some_and(|common| differs(own, common));
        match own.filter(differs) {
            Some(own) => {
                times.insert(format!("after_{name}"), own);
                on.insert(name.to_owned(), format!("after_{name}"));
            }
            None => rest.join(gaps, gate.k()),
        }
    }
    // Where too few gaps are left to publish, the common law stands in; where there is none at all, sessions
    // have one request, and the pause that is written down never happens.
    let never = || ThinkTime {
        kind: GapKind::Pacing,
        n: 0,
        law: Some(Law::Exponential { rate: 1.0 }),
        histogram: None,
    };
    let default = think_time(&rest, gate).or(common).unwrap_or_else(never);
    times.insert(DEFAULT_THINK.to_owned(), default);
    (times, ThinkTimes { default: DEFAULT_THINK.to_owned(), on })
}

/// Whether the median of `own` is off the common one by more than chance and ten percent.
fn differs(own: &ThinkTime, common: &ThinkTime) -> bool {
    let quantile =
        |think: &ThinkTime, q| think.sampler().map_or(f64::NAN, |sampler| sampler.quantile(q).ln());
    let spread = 0.5 * (quantile(own, 0.84) - quantile(own, 0.16));
    // The median of n normal values has a standard error of sqrt(π/2) σ/√n.
    let standard_error = (std::f64::consts::FRAC_PI_2 / own.n.max(1) as f64).sqrt() * spread;
    (quantile(own, 0.5) - quantile(common, 0.5)).abs() > OWN_THINK_EFFECT + 1.96 * standard_error
}

fn think_time(gaps: &GapTally, gate: Gate) -> Option<ThinkTime> {
    gate.admit(gaps.gaps)?;
    let n = gaps.gaps.count;
    let kind = if 2 * gaps.paced > n { GapKind::Pacing } else { GapKind::Think };
    let (law, histogram) = if 2 * gaps.coarse_gaps > n {
        (Some(best_law(&Gaps::whole(&as_logged(gaps), Window::OPEN)?)), None)
    } else {
        let histogram = gate.histogram(&gaps.fine, GAP_RELATIVE_ERROR, Unit::S)?;
        // The law is a label here, but one for what was seen, not for what the gate makes of it.
        let counts = gaps.fine.iter().map(|(bin, of)| (*bin, of.count)).collect();
        let law = Gaps::exact(&counts, histogram.log_width(), Window::OPEN).map(|gaps| best_law(&gaps));
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
