//! How likely a gap is under a law, given how it was stamped.
//!
//! Whole seconds: both stamps are cut to seconds, each at a uniform phase. With `c` the logged duration between them
//! and `d` their difference, `x = d - c` under a gap with distribution function F has a triangular kernel:
//!
//! ```text
//! P(x) = H(x+1) - 2 H(x) + H(x-1),   H(x) = ∫₀ˣ F(u) du,   H(x) = 0 for x <= 0
//! ```
//!
//! Treating `d` as a gap, or as an interval [d, d+1), shifts the median of short gaps by tens of percent; this does
//! not. The closed forms of H follow from integrating by parts: `H(x) = x F(x) - ∫₀ˣ u f(u) du`.

use shared::distribution::{Law, normal_cdf};
use statrs::function::gamma::{gamma_lr, ln_gamma};

/// Beyond this gap in seconds, the density stands for the kernel: they differ by less than one in a thousand.
pub(super) const DENSITY_FROM_S: f64 = 30.0;

/// The integral of the distribution function from 0 to `x` seconds, in seconds; 0 for `x <= 0`.
pub fn integrated_cdf(law: &Law, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    match law {
        Law::Lognormal { mu, sigma } => lognormal_integrated_cdf(*mu, *sigma, x),
        // P(k+1, y) = P(k, y) - y^k e^-y / Γ(k+1) saves the second incomplete gamma function.
        Law::Gamma { shape, scale } => {
            let (y, mean) = (x / scale, shape * scale);
            let last = (shape * y.ln() - y - ln_gamma(shape + 1.0)).exp();
            (x - mean) * incomplete_gamma(*shape, y) + mean * last
        }
        Law::Weibull { shape, scale } => {
            let (y, a) = ((x / scale).powf(*shape), 1.0 + 1.0 / shape);
            -x * (-y).exp_m1() - scale * ln_gamma(a).exp() * incomplete_gamma(a, y)
        }
        Law::Exponential { rate } => x + (-rate * x).exp_m1() / rate,
        Law::LognormalMixture { components } => {
            components.iter().map(|c| c.weight * lognormal_integrated_cdf(c.mu, c.sigma, x)).sum()
        }
    }
}

/// Probability density of a gap of `x` seconds between whole-second stamps, the duration between them taken off.
///
/// Where durations are whole seconds too, or not known, `x` is whole and this is a probability. From 30 s on, the
/// density of the law itself.
pub fn triangular(law: &Law, x: f64) -> f64 {
    if x > DENSITY_FROM_S {
        return log_density(law, x.ln()) / x;
    }
    if x <= -1.0 {
        return 0.0;
    }
    let h = |x| integrated_cdf(law, x);
    (h(x + 1.0) - 2.0 * h(x) + h(x - 1.0)).max(0.0)
}

/// Probability density of the logarithm of a gap at `y = ln x`.
pub fn log_density(law: &Law, y: f64) -> f64 {
    let normal = |mu: f64, sigma: f64| {
        let z = (y - mu) / sigma;
        (-0.5 * z * z).exp() / (sigma * (2.0 * std::f64::consts::PI).sqrt())
    };
    match law {
        Law::Lognormal { mu, sigma } => normal(*mu, *sigma),
        Law::Gamma { shape, scale } => {
            let log_ratio = y - scale.ln();
            (shape * log_ratio - log_ratio.exp() - ln_gamma(*shape)).exp()
        }
        Law::Weibull { shape, scale } => {
            let log_ratio = shape * (y - scale.ln());
            shape * (log_ratio - log_ratio.exp()).exp()
        }
        Law::Exponential { rate } => {
            let log_ratio = y + rate.ln();
            (log_ratio - log_ratio.exp()).exp()
        }
        Law::LognormalMixture { components } => {
            components.iter().map(|c| c.weight * normal(c.mu, c.sigma)).sum()
        }
    }
}

/// What a law is called, as in the profile.
pub fn name(law: &Law) -> &'static str {
    match law {
        Law::Lognormal { .. } => "lognormal",
        Law::Gamma { .. } => "gamma",
        Law::Weibull { .. } => "weibull",
        Law::Exponential { .. } => "exponential",
        Law::LognormalMixture { .. } => "lognormal_mixture",
    }
}

/// Numbers that a fit is free to choose.
pub fn parameters(law: &Law) -> usize {
    match law {
        Law::Lognormal { .. } | Law::Gamma { .. } | Law::Weibull { .. } => 2,
        Law::Exponential { .. } => 1,
        Law::LognormalMixture { components } => 3 * components.len() - 1,
    }
}

/// `x Φ(z) - exp(μ + σ²/2) Φ(z - σ)`, `z = (ln x - μ)/σ`.
fn lognormal_integrated_cdf(mu: f64, sigma: f64, x: f64) -> f64 {
    let z = (x.ln() - mu) / sigma;
    x * normal_cdf(z) - (mu + 0.5 * sigma * sigma).exp() * normal_cdf(z - sigma)
}

/// The regularised lower incomplete gamma function, also where a search for parameters strays: from 0 to infinity.
fn incomplete_gamma(a: f64, y: f64) -> f64 {
    if y <= 0.0 {
        0.0
    } else if y.is_finite() {
        gamma_lr(a, y)
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::distribution::LognormalComponent;

    fn laws() -> Vec<Law> {
        let component = |weight, mu, sigma| LognormalComponent { weight, mu, sigma };
        vec![
            Law::Lognormal { mu: 0.7, sigma: 0.9 },
            Law::Gamma { shape: 0.7, scale: 3.0 },
            Law::Gamma { shape: 4.0, scale: 0.6 },
            Law::Weibull { shape: 0.8, scale: 3.0 },
            Law::Weibull { shape: 2.5, scale: 1.2 },
            Law::Exponential { rate: 0.4 },
            Law::LognormalMixture { components: vec![component(0.3, -1.0, 0.5), component(0.7, 1.5, 0.8)] },
        ]
    }

    /// The reference values of the kernel's derivation, for μ = 0 and σ = 1.
    #[test]
    fn the_kernel_has_the_reference_values() {
        let unit = Law::Lognormal { mu: 0.0, sigma: 1.0 };
        for (x, expected) in
            [0.238_421_708_13, 0.409_286_434_57, 0.169_138_815_69, 0.076_598_699_47].into_iter().enumerate()
        {
            assert!((triangular(&unit, x as f64) - expected).abs() < 1e-9, "{x}");
        }
        assert!((integrated_cdf(&unit, 2.0) - 0.886_129_850_84).abs() < 1e-9);
    }

    #[test]
    fn the_closed_forms_are_the_integrals_of_what_they_integrate() {
        for law in laws() {
            for x in [0.05, 0.5, 1.0, 3.0, 12.0] {
                // Composite midpoints in u = v², because some densities have a pole at 0.
                let steps = 20_000;
                let width = f64::sqrt(x) / f64::from(steps);
                let area: f64 = (0..steps)
                    .map(|i| (f64::from(i) + 0.5) * width)
                    .map(|v| 2.0 * v * width * law.cdf(v * v))
                    .sum();
                assert!((integrated_cdf(&law, x) - area).abs() < 1e-6 * x, "{law:?} at {x}");
                let step = 1e-4;
                let slope = (law.cdf(x * f64::exp(step)) - law.cdf(x * f64::exp(-step))) / (2.0 * step);
                assert!((log_density(&law, x.ln()) - slope).abs() < 1e-5, "{law:?} at {x}");
            }
        }
    }

    #[test]
    fn probabilities_of_whole_gaps_add_up_to_one_at_any_phase() {
        for law in laws() {
            for phase in [0.0, 0.25, 0.7] {
                // Beyond 30 s the density stands in; the mass there is that of the tail.
                let below: f64 = (0..=30).map(|d| triangular(&law, f64::from(d) - phase)).sum();
                let tail = 1.0 - (integrated_cdf(&law, 31.0 - phase) - integrated_cdf(&law, 30.0 - phase));
                assert!((below + tail - 1.0).abs() < 1e-9, "{law:?} at {phase}: {below}");
            }
        }
    }
}
