//! Is a share above a limit, or is it only chance?

/// The quantile of the normal law that one-sided confidence of 95 % needs.
const Z: f64 = 1.644_853_626_951_472_7;

/// Bounds that a share lies above and below with 95 % confidence each, when `bad` of `n` were seen (Wilson 1927).
///
/// `n` = 0 says nothing: 0 and 1. `bad` may be a fraction, and is at most `n`.
pub(super) fn bounds(bad: f64, n: f64) -> (f64, f64) {
    if n <= 0.0 {
        return (0.0, 1.0);
    }
    let share = (bad / n).clamp(0.0, 1.0);
    let z2 = Z * Z;
    let middle = share + z2 / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    (((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bounds_as_the_formula_gives_them_by_hand() {
        let close = |found: (f64, f64), expected: (f64, f64)| {
            assert!((found.0 - expected.0).abs() < 1e-4 && (found.1 - expected.1).abs() < 1e-4, "{found:?}");
        };
        // All of 6: 1/(1 + z^2/6) = 0.6892. None of 6: the mirror image.
        close(bounds(6.0, 6.0), (0.6892, 1.0));
        close(bounds(0.0, 6.0), (0.0, 0.3108));
        close(bounds(0.0, 0.0), (0.0, 1.0));
    }

    proptest! {
        #[test]
        fn the_share_lies_between_its_bounds_and_more_evidence_narrows_them(n in 1..10_000_u64, part in 0.0..=1.0_f64) {
            let bad = (part * n as f64).floor();
            let (low, high) = bounds(bad, n as f64);
            let share = bad / n as f64;
            prop_assert!((0.0..=1.0).contains(&low) && low <= share + 1e-12 && share <= high + 1e-12 && high <= 1.0);
            let (closer, nearer) = bounds(10.0 * bad, 10.0 * n as f64);
            prop_assert!(closer >= low - 1e-12 && nearer <= high + 1e-12);
        }
    }
}
