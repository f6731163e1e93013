//! Numbers that look random and are a function of what they are for: no generator, no state, no order.

use crate::model::sample::Walk;

/// SplitMix64's output function (Steele, Lea & Flood 2014): every bit of the result depends on every bit of `x`.
pub(super) fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// One number of `parts`, in their order.
pub(super) fn hash(parts: impl IntoIterator<Item = u64>) -> u64 {
    parts.into_iter().fold(0, |state, part| mix(state ^ part))
}

/// A number in (0, 1), uniform over 2^53 places.
pub(super) fn uniform(bits: u64) -> f64 {
    ((bits >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// A number of what a walk is, not of whose it is.
pub(super) fn of_walk(walk: &Walk, seed: u64) -> u64 {
    let steps = walk.steps.iter().flat_map(|step| {
        let gap = step.gap.map_or(u64::MAX, |gap| gap.ms as u64 ^ u64::from(gap.coarse) << 63);
        [u64::from(step.endpoint), gap]
    });
    hash([seed, walk.start_s as u64, walk.mass, u64::from(walk.ended)].into_iter().chain(steps))
}
