//! Numbers that look random and are a function of what was counted: the same log gives the same profile.

/// SplitMix64's output function (Steele, Lea & Flood 2014): every bit of the result depends on every bit of `x`.
pub fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(STEP);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// One number of `parts`, in their order.
pub fn hash(parts: impl IntoIterator<Item = u64>) -> u64 {
    parts.into_iter().fold(0, |state, part| mix(state ^ part))
}

/// A number in (0, 1) of the upper 53 bits.
pub fn uniform(bits: u64) -> f64 {
    ((bits >> 11) as f64 + 0.5) / (1_u64 << f64::MANTISSA_DIGITS) as f64
}

/// What the state of SplitMix64 grows by.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The generator SplitMix64 (Steele, Lea & Flood 2014), from its state.
#[derive(Debug, Clone)]
pub struct SplitMix(pub u64);

impl SplitMix {
    /// A generator of which the seed is the content of `numbers`, in their order.
    pub fn of(numbers: impl IntoIterator<Item = i64>) -> Self {
        let mut state = Self(0);
        for number in numbers {
            state.0 ^= number as u64;
            state.0 = state.bits();
        }
        state
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        let bits = mix(self.0);
        self.0 = self.0.wrapping_add(STEP);
        bits
    }

    /// Uniform in 0..1, 0 excluded.
    pub fn uniform(&mut self) -> f64 {
        uniform(self.bits())
    }

    /// Standard normal (Box & Muller 1958).
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// A Poisson count. From a mean of 30 on it is normal with the same mean and variance, and no whole number.
    pub fn poisson(&mut self, mean: f64) -> f64 {
        if mean >= 30.0 {
            return (mean + mean.sqrt() * self.normal()).max(0.0);
        }
        let (mut count, mut rest) = (0.0, self.uniform());
        let mut probability = (-mean).exp();
        while rest > probability && count < 200.0 {
            rest -= probability;
            count += 1.0;
            probability *= mean / count;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_the_mean_and_variance_of_a_poisson_law() {
        for mean in [0.3, 7.0, 29.0, 31.0, 400.0] {
            let mut random = SplitMix::of([1, 2, 3]);
            let n = 20_000;
            let counts: Vec<f64> = (0..n).map(|_| random.poisson(mean)).collect();
            let found = counts.iter().sum::<f64>() / f64::from(n);
            let variance = counts.iter().map(|count| (count - found).powi(2)).sum::<f64>() / f64::from(n);
            let error = (mean / f64::from(n)).sqrt();
            assert!((found - mean).abs() < 4.0 * error, "{found} {mean}");
            assert!((variance / mean - 1.0).abs() < 0.06, "{variance} {mean}");
        }
    }
}
