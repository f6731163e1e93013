//! How many requests one line of a sampled log stands for, in sixteen bits.
//!
//! A weight is 1 / sampling probability. Counts of weights are integers, in thousandths of a request, so that they
//! add up to the same over any split.

/// What one request weighs in counts, where every request was logged.
pub(crate) const REQUEST: u64 = 1000;

/// A weight from 1 to 2^32 as a floating-point number: five bits of exponent, eleven of mantissa.
///
/// Integers up to 4,096 are exact; any other weight is off by at most 0.025 %. Zero is the weight 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Weight(pub(crate) u16);

const MANTISSA_BITS: u32 = 11;
const MANTISSA: f64 = (1 << MANTISSA_BITS) as f64;

impl Weight {
    /// The nearest weight; 1 where the log does not say, and for less, which no sampling gives.
    pub(crate) fn nearest(weight: Option<f64>) -> Self {
        let Some(weight) = weight.filter(|weight| *weight > 1.0) else { return Self(0) };
        let exponent = weight.log2().floor().min(31.0);
        let mantissa = ((weight / exponent.exp2() - 1.0) * MANTISSA).round().max(0.0);
        // Rounding up to the next power of two carries into the exponent, which is what the sum of both does.
        Self(((exponent * MANTISSA + mantissa) as u64).min(u64::from(u16::MAX)) as u16)
    }

    /// The weight in thousandths of a request.
    pub(crate) fn mass(self) -> u64 {
        if self.0 == 0 {
            return REQUEST;
        }
        let (exponent, mantissa) = (self.0 >> MANTISSA_BITS, self.0 & ((1 << MANTISSA_BITS) - 1));
        let scaled = (REQUEST * ((1 << MANTISSA_BITS) + u64::from(mantissa))) << exponent;
        (scaled + (1 << (MANTISSA_BITS - 1))) >> MANTISSA_BITS
    }
}

/// Whole requests of a count in thousandths.
pub(crate) fn requests(mass: u64) -> u64 {
    (mass + REQUEST / 2) / REQUEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_weights_are_exact_and_others_close() {
        for weight in [1, 2, 3, 7, 10, 100, 1000, 4095, 4096, 1 << 20] {
            assert_eq!(Weight::nearest(Some(f64::from(weight))).mass(), weight as u64 * REQUEST, "{weight}");
        }
        for (weight, expected) in
            [(None, 1.0), (Some(0.5), 1.0), (Some(f64::NAN), 1.0), (Some(f64::INFINITY), 4_293_918_720.0)]
        {
            assert_eq!(Weight::nearest(weight).mass(), (expected * 1000.0) as u64, "{weight:?}");
        }
        for i in 1..10_000 {
            let weight = 1.0 + f64::from(i) * 0.123;
            let found = Weight::nearest(Some(weight)).mass() as f64 / REQUEST as f64;
            assert!((found / weight - 1.0).abs() < 3e-4, "{weight}: {found}");
        }
    }
}
