//! What pages fetch besides themselves: files and calls for data, in parallel, decided by the page and not by a person.

use std::collections::BTreeMap;

use shared::Profile;
use shared::distribution::normal_quantile;
use shared::endpoint::Companion;

use crate::clock;
use crate::random::Stream;

/// A request that a page makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedCompanion {
    /// Position of its endpoint in the profile.
    pub endpoint: usize,
    /// When it is due, in nanoseconds after the page was due.
    pub offset_ns: u64,
}

/// How one endpoint comes along with a page.
#[derive(Debug, Clone, Copy)]
struct Law {
    endpoint: usize,
    probability: f64,
    /// How often, where it does; at least 1.
    count: f64,
    offset: Offset,
}

/// Seconds from the page's request: log-normal between its quantiles.
#[derive(Debug, Clone, Copy)]
struct Offset {
    median_s: f64,
    sigma: f64,
    longest_s: f64,
}

/// Normal score of the 95th percentile.
const SCORE_95: f64 = 1.644_853_626_951_472_2;
/// Multiple of the 95th percentile beyond which nothing comes along: what is later is the next page's.
const LONGEST: f64 = 4.0;
/// A median of less says no more than that it was at once; in seconds.
const AT_ONCE_S: f64 = 1e-3;

impl Offset {
    fn of(companion: &Companion) -> Self {
        let quantile = |name| companion.offset_s.get(name).copied();
        let median_s = quantile("p50").unwrap_or(0.0);
        match quantile("p95").filter(|p95_s| *p95_s > median_s) {
            None => Self { median_s, sigma: 0.0, longest_s: median_s },
            Some(p95_s) => {
                let median_s = median_s.clamp(AT_ONCE_S.min(p95_s), p95_s);
                let sigma = (p95_s / median_s).ln() / SCORE_95;
                Self { median_s, sigma, longest_s: LONGEST * p95_s }
            }
        }
    }

    fn at(self, u: f64) -> f64 {
        if self.sigma > 0.0 {
            (self.median_s * (self.sigma * normal_quantile(u)).exp()).min(self.longest_s)
        } else {
            self.median_s
        }
    }
}

/// What each page fetches, by the page's position in the profile.
#[derive(Debug, Clone)]
pub(super) struct Companions(Vec<Vec<Law>>);

impl Companions {
    /// Those of `profile`, as far as their endpoints are `allowed`.
    pub(super) fn of(profile: &Profile, allowed: impl Fn(usize) -> bool) -> Option<Self> {
        let ids = profile.endpoints.iter().enumerate();
        let positions: BTreeMap<&str, usize> = ids.map(|(at, endpoint)| (endpoint.id.as_str(), at)).collect();
        let of_page = profile.endpoints.iter().map(|page| {
            let laws = page.companions.iter().map(|companion| {
                Some(Law {
                    endpoint: *positions.get(companion.endpoint.as_str())?,
                    probability: companion.probability,
                    count: companion.count.unwrap_or(1.0),
                    offset: Offset::of(companion),
                })
            });
            let laws: Vec<Law> = laws.collect::<Option<_>>()?;
            Some(laws.into_iter().filter(|law| allowed(law.endpoint)).collect())
        });
        Some(Self(of_page.collect::<Option<_>>()?))
    }

    /// What a visit of `page` fetches, the earliest first.
    pub(super) fn draw(&self, page: usize, stream: &mut Stream) -> Vec<PlannedCompanion> {
        let mut drawn = Vec::new();
        for law in &self.0[page] {
            if stream.uniform() >= law.probability {
                continue;
            }
            // A mean between two whole numbers is now the one, now the other.
            let more = u64::from(stream.uniform() < law.count.fract());
            for _ in 0..law.count as u64 + more {
                let offset_ns = clock::from_s(law.offset.at(stream.uniform()));
                drawn.push(PlannedCompanion { endpoint: law.endpoint, offset_ns });
            }
        }
        drawn.sort_by_key(|companion| (companion.offset_ns, companion.endpoint));
        drawn
    }

    /// Requests that a visit of `page` brings along, in the mean.
    pub(super) fn mean(&self, page: usize) -> f64 {
        self.0[page].iter().map(|law| law.probability * law.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Purpose};
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;

    fn companion(probability: f64, count: Option<f64>, quantiles: &[(&str, f64)]) -> Companion {
        Companion {
            endpoint: "get_item".to_owned(),
            probability,
            count,
            offset_s: quantiles.iter().map(|(name, offset_s)| ((*name).to_owned(), *offset_s)).collect(),
        }
    }

    #[test]
    fn companions_come_as_often_and_as_late_as_they_did() {
        let mut profile = from_yaml(EXAMPLE).unwrap();
        profile.endpoints[0].companions = vec![companion(0.6, Some(2.5), &[("p50", 0.1), ("p95", 0.8)])];
        let companions = Companions::of(&profile, |_| true).unwrap();
        let mut stream = Stream::new(Key { seed: 1, block: 0, index: 0 }, Purpose::Companions);
        let pages = 10_000;
        let visits: Vec<Vec<PlannedCompanion>> =
            (0..pages).map(|_| companions.draw(0, &mut stream)).collect();
        let mut offsets_s: Vec<f64> = visits.iter().flatten().map(|c| c.offset_ns as f64 / 1e9).collect();
        let per_page = offsets_s.len() as f64 / f64::from(pages);
        assert!((per_page - companions.mean(0)).abs() < 0.05 && (companions.mean(0) - 1.5).abs() < 1e-12);
        assert!(visits.iter().all(|visit| visit.is_empty() || (2..=3).contains(&visit.len())));
        assert!(visits.iter().all(|visit| visit.is_sorted_by_key(|companion| companion.offset_ns)));
        offsets_s.sort_by(f64::total_cmp);
        let quantile = |q: f64| offsets_s[(q * offsets_s.len() as f64) as usize];
        assert!((quantile(0.5) / 0.1 - 1.0).abs() < 0.06, "{}", quantile(0.5));
        assert!((quantile(0.95) / 0.8 - 1.0).abs() < 0.1, "{}", quantile(0.95));
        assert!(quantile(0.999_9) <= 3.2);
        assert!(companions.draw(1, &mut stream).is_empty());
        assert!(Companions::of(&profile, |at| at == 0).unwrap().draw(0, &mut stream).is_empty());
    }

    #[test]
    fn offsets_with_half_their_quantiles_or_none() {
        let at = |quantiles: &[(&str, f64)], u| Offset::of(&companion(1.0, None, quantiles)).at(u);
        assert!(at(&[], 0.99) <= 0.0);
        assert!((at(&[("p50", 0.3)], 0.99) - 0.3).abs() < 1e-12);
        let early = at(&[("p50", 0.0), ("p95", 0.2)], 0.95);
        assert!((early - 0.2).abs() < 1e-9, "{early}");
        assert!((at(&[("p50", 0.3), ("p95", 0.3)], 0.99) - 0.3).abs() < 1e-12);
    }
}
