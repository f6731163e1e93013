//! How far what was found is from what was expected, in one currency: the share of traffic that would have to move.
//!
//! Each distance comes with what chance alone makes of a sample of that size, because a raw distance says nothing:
//! two hundred requests drawn from the very profile are some percent away from it.

use std::collections::BTreeMap;

use shared::Profile;
use shared::distribution::Sampler;
use shared::session::{Class, END, OTHER};

/// A distance, and what chance alone gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distance {
    /// Total variation: the share that would have to move, 0..=1.
    pub share: f64,
    /// Expected from chance alone in a sample of `n`.
    pub by_chance: f64,
    /// Sample size.
    pub n: u64,
}

impl Distance {
    /// What is left when chance is taken off; never negative.
    pub fn beyond_chance(&self) -> f64 {
        (self.share - self.by_chance).max(0.0)
    }
}

/// Distance of `counts` from the shares `expected`, which are of the same things and need not add up to 1.
///
/// Chance: `E[TVD] = Σ sqrt(p (1 - p) / (2 π n))`, the mean absolute deviation of a binomial, halved.
pub fn of_counts(expected: &[f64], counts: &[f64]) -> Distance {
    let (total, n): (f64, f64) = (expected.iter().sum(), counts.iter().sum());
    let mut distance = Distance { share: 0.0, by_chance: 0.0, n: n.round() as u64 };
    if total <= 0.0 || n <= 0.0 {
        return distance;
    }
    for (expected, count) in expected.iter().zip(counts) {
        let p = expected / total;
        distance.share += 0.5 * (p - count / n).abs();
        distance.by_chance += (p * (1.0 - p) / (2.0 * std::f64::consts::PI * n)).sqrt();
    }
    distance
}

/// How far the traffic of `found` is from the profile `expected`, of which it should be a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Fidelity {
    /// Share of steps at other endpoints.
    pub endpoint_mix: Distance,
    /// Share of steps that continue differently.
    pub flows: Distance,
    /// Share of gaps in other tenths of the distribution.
    pub think_time: Distance,
    /// Median gap found, relative to the median expected.
    pub think_time_ratio: f64,
}

/// Compares a profile with one made from a replay of it, under the same endpoint ids.
///
/// Both are single-class. `other` is no part of it: a replay does not send what has no name.
pub fn fidelity(expected: &Profile, found: &Profile) -> Option<Fidelity> {
    let (class, found_class) = (expected.classes.first()?, found.classes.first()?);
    // Weights are shares of steps: what comes along with a page has none, in neither of the two.
    let mix: BTreeMap<&str, f64> = expected.endpoints.iter().map(|e| (e.id.as_str(), e.weight)).collect();
    let steps: u64 =
        found.classes.iter().flat_map(|class| class.chain.values()).map(|state| state.visits).sum();
    let steps: BTreeMap<&str, f64> =
        found.endpoints.iter().map(|e| (e.id.as_str(), e.weight * steps as f64)).collect();
    let (gaps, found_gaps) = (Gaps::of(expected)?, Gaps::of(found)?);
    Some(Fidelity {
        endpoint_mix: of_maps(&mix, &steps),
        flows: flows(class, found_class),
        think_time: think_time(&gaps, &found_gaps),
        think_time_ratio: found_gaps.quantile(0.5) / gaps.quantile(0.5),
    })
}

fn of_maps(expected: &BTreeMap<&str, f64>, found: &BTreeMap<&str, f64>) -> Distance {
    let keys: std::collections::BTreeSet<&str> = expected.keys().chain(found.keys()).copied().collect();
    let of = |map: &BTreeMap<&str, f64>| {
        keys.iter().map(|key| map.get(key).copied().unwrap_or(0.0)).collect::<Vec<_>>()
    };
    of_counts(&of(expected), &of(found))
}

/// Distances of all rows, weighted by the steps found in each.
fn flows(expected: &Class, found: &Class) -> Distance {
    let mut all = Distance { share: 0.0, by_chance: 0.0, n: 0 };
    let mut weight = 0.0;
    for (id, row) in found.chain.iter().filter(|(id, _)| *id != OTHER) {
        let Some(expected_row) = expected.chain.get(id) else { continue };
        let distance = of_maps(&named(&expected_row.next, 1.0), &named(&row.next, row.visits as f64));
        all.share += distance.share * distance.n as f64;
        all.by_chance += distance.by_chance * distance.n as f64;
        all.n += distance.n;
        weight += distance.n as f64;
    }
    Distance {
        share: all.share / f64::max(weight, 1.0),
        by_chance: all.by_chance / f64::max(weight, 1.0),
        n: all.n,
    }
}

/// A row without `other`, times `scale`.
fn named(row: &BTreeMap<String, f64>, scale: f64) -> BTreeMap<&str, f64> {
    row.iter().filter(|(to, _)| *to != OTHER).map(|(to, share)| (to.as_str(), share * scale)).collect()
}

/// Gaps counted in tenths of the expected distribution.
fn think_time(expected: &Gaps, found: &Gaps) -> Distance {
    let edges: Vec<f64> = (1..10).map(|tenth| expected.quantile(f64::from(tenth) / 10.0)).collect();
    let cumulative: Vec<f64> = edges.iter().map(|edge| found.cdf(*edge)).chain([1.0]).collect();
    let n = found.n as f64;
    let counts: Vec<f64> =
        (0..10).map(|i| (cumulative[i] - if i == 0 { 0.0 } else { cumulative[i - 1] }) * n).collect();
    of_counts(&[0.1; 10], &counts)
}

/// All gaps of a class: each think time, by how often a session comes to it.
struct Gaps {
    parts: Vec<(f64, Sampler)>,
    n: u64,
}

impl Gaps {
    fn of(profile: &Profile) -> Option<Self> {
        let class = profile.classes.first()?;
        let mut gaps: BTreeMap<&str, f64> = BTreeMap::new();
        for (id, state) in &class.chain {
            for (to, probability) in state.next.iter().filter(|(to, _)| *to != END) {
                *gaps.entry(class.think_time.between(id, to)).or_insert(0.0) +=
                    state.visits as f64 * probability;
            }
        }
        let n: f64 = gaps.values().sum();
        let parts = gaps
            .into_iter()
            .map(|(name, of_name)| Some((of_name / n, profile.think_times.get(name)?.sampler()?)));
        let parts = parts.collect::<Option<Vec<_>>>()?;
        (n > 0.0).then_some(Self { parts, n: n.round() as u64 })
    }

    fn cdf(&self, x: f64) -> f64 {
        self.parts.iter().map(|(weight, sampler)| weight * sampler.cdf(x)).sum()
    }

    fn quantile(&self, q: f64) -> f64 {
        // In the logarithm: gaps lie between a microsecond and a day.
        let (mut low, mut high) = (1e-6_f64.ln(), 86_400_f64.ln());
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.cdf(middle.exp()) < q { low = middle } else { high = middle }
        }
        low.exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Profile {
        shared::io::from_yaml(shared::profile::EXAMPLE).unwrap()
    }

    #[test]
    fn a_profile_is_at_no_distance_from_itself() {
        let fidelity = fidelity(&example(), &example()).unwrap();
        for distance in [fidelity.endpoint_mix, fidelity.flows, fidelity.think_time] {
            assert!(distance.share < 1e-3 && distance.n > 1000, "{distance:?}");
        }
        assert!((fidelity.think_time_ratio - 1.0).abs() < 1e-9);
    }

    #[test]
    fn each_change_shows_in_its_own_dimension() {
        let mut slower = example();
        slower.think_times.get_mut("browse").unwrap().law =
            Some(shared::distribution::Law::Lognormal { mu: 1.2, sigma: 0.9 });
        let found = fidelity(&example(), &slower).unwrap();
        assert!(found.think_time.beyond_chance() > 0.15 && found.flows.beyond_chance() < 0.01, "{found:?}");
        assert!((found.think_time_ratio - 0.5_f64.exp()).abs() < 0.01);
        let mut other_mix = example();
        (other_mix.endpoints[0].weight, other_mix.endpoints[1].weight) = (0.375, 0.625);
        // Requests that are no steps are none of a mix of steps.
        other_mix.endpoints[0].requests *= 9;
        assert!((fidelity(&example(), &other_mix).unwrap().endpoint_mix.share - 0.25).abs() < 1e-9);
    }

    #[test]
    fn chance_is_what_a_fair_sample_shows() {
        // Two equal halves, 100 draws: E|X/n - 1/2| = sqrt(1/(2 π n)).
        let distance = of_counts(&[0.5, 0.5], &[50.0, 50.0]);
        assert!((distance.by_chance - 0.0399).abs() < 1e-3, "{distance:?}");
    }
}
