//! Burstiness: by how much counts vary more than Poisson counts of the same curve, on each time scale.
//!
//! `φ(τ) = Σ (N - Λ)² / Σ Λ` over bins of τ seconds is 1 for a Poisson process. Under a rate that a stationary factor
//! of mean 1 and covariance `Σ v exp(-|t|/c)` modulates, with λ the rate that a start sees on average,
//!
//! ```text
//! φ(τ) = 1 + Σ_c 2 λ v c (1 - (1 - exp(-τ/c)) c/τ)
//! ```
//!
//! which is linear in the variances v: they are found by non-negative least squares on a fixed grid of c.
//!
//! The expected Λ is fitted to the same counts, each day at its own level, and so is too near to them: even Poisson
//! counts then show less than 1, and slow factors lose more. How much is found by drawing logs of the fitted curve and
//! variances, fitting each in the same way, and comparing with what it shows around the curve that it was drawn from.

use rayon::prelude::*;

use super::expectation::Expectation;
use super::exposure::{BINS_PER_WEEK, Coverage, Starts, bin_of_week};
use super::rate::{self, Curve};
use crate::model::seed::SplitMix;
use crate::statistic::nnls;
use crate::tally::ARRIVAL_BIN_S;
use crate::tally::civil::CivilClock;

/// Bin widths in seconds.
pub const TAUS_S: [i64; 7] = [1, 10, 30, 60, 300, 900, 3600];
/// Time constants c in seconds.
pub const TIME_CONSTANTS_S: [f64; 4] = [3.0, 30.0, 300.0, 3000.0];
/// Logs that are drawn. As each is compared with itself under the true curve, few are enough.
const DRAWS: usize = 12;
/// Times that variances are corrected for what fitting takes from them: each changes little of the one before.
const PASSES: usize = 3;
/// Steps of a drawn factor in seconds; variances with time constants below that are drawn as one of a bin's mean.
const STEP_S: f64 = 30.0;
/// What must be left of Poisson variance after fitting, for a time scale to tell anything.
const LEAST_LEFT: f64 = 0.25;
/// How well four time constants can describe a spectrum, relative.
const MODEL_ERROR: f64 = 0.02;
/// Squared standard errors by which a variance must improve the fit: three and a half of them.
const PRICE: f64 = 12.25;

/// The dispersion on one time scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Width of the bins in seconds.
    pub tau_s: f64,
    /// Variance over mean; 1 for a Poisson process.
    pub phi: f64,
    /// Standard deviation of `phi` for a Poisson process.
    pub sd: f64,
    /// Starts per second that a start sees on average.
    pub rate_per_s: f64,
}

/// Dispersion of `starts` around `curve`, by time scale, the shortest first; and the
/// variances of the rate at each of [`TIME_CONSTANTS_S`], relative to the squared rate, that explain it.
///
/// Days that are unlike the others must be left out of `coverage`, or they show as variance on the scale of hours.
/// Time scales on which the curve follows the counts too closely to tell are left out: hours in a log of one day.
/// A variance is 0 unless it improves the fit by three and a half standard errors, so that chance makes no bursts.
pub fn fit(
    starts: &Starts,
    clock: &CivilClock,
    coverage: &Coverage,
    curve: &Curve,
) -> (Vec<Point>, Variances) {
    let bins = Bins::new(clock, coverage);
    let counts = coverage.sums(starts.by_second());
    let (means, levels) = bins.means(&counts, curve);
    let of_day = |day: i64| bins.days.binary_search(&day).map_or(1.0, |at| levels[at]);
    let expectation = Expectation::new(&curve.week(), clock, coverage, of_day);
    let observed = TAUS_S.map(|tau_s| {
        if tau_s < ARRIVAL_BIN_S {
            fine(starts, coverage, &expectation, tau_s)
        } else {
            bins.sums(&counts, &means, tau_s)
        }
    });
    let seed = SplitMix::of(starts.by_second().flat_map(|(second, count)| [second, count as i64]));
    let mut variances = Variances::default();
    let mut spectrum = Vec::new();
    for _ in 0..PASSES {
        let left = bins.left_by_fitting(&means, curve, &variances, seed.clone());
        spectrum = corrected(&observed, &left);
        variances = explained(&spectrum);
        if variances.iter().all(|v| *v <= 0.0) {
            break;
        }
    }
    (spectrum, variances)
}

/// Variances at each of [`TIME_CONSTANTS_S`].
pub type Variances = [f64; TIME_CONSTANTS_S.len()];

/// What would be seen around the true curve, where `left` of it, by width of bins, is left around the fitted one.
fn corrected(observed: &[Sums; TAUS_S.len()], left: &[f64; TAUS_S.len()]) -> Vec<Point> {
    let phi = |at: usize| observed[at].squares / observed[at].mean;
    let bin = TAUS_S.iter().position(|tau_s| *tau_s == ARRIVAL_BIN_S).unwrap_or(0);
    let taken = phi(bin) / left[bin] - phi(bin);
    let point = |(at, tau_s): (usize, &i64)| {
        let sums = observed[at];
        let tau_s = *tau_s as f64;
        // What fitting takes from a bin of five minutes is spread evenly over its parts.
        let part = tau_s / ARRIVAL_BIN_S as f64;
        let phi = if part < 1.0 { phi(at) + part * taken } else { phi(at) / left[at] };
        let sd = (sums.mean + 2.0 * sums.squared_mean).sqrt() / sums.mean;
        (sums.mean > 0.0 && left[at.max(bin)] >= LEAST_LEFT).then(|| Point {
            tau_s,
            phi,
            sd: if part < 1.0 { sd } else { sd / left[at] },
            rate_per_s: sums.squared_mean / sums.mean / tau_s,
        })
    };
    TAUS_S.iter().enumerate().filter_map(point).collect()
}

/// The variances that explain a spectrum.
fn explained(spectrum: &[Point]) -> Variances {
    let weight = |point: &Point| {
        let phi = point.phi.max(1.0);
        1.0 / (phi * point.sd).hypot(MODEL_ERROR * (phi - 1.0))
    };
    let row = |point: &Point| TIME_CONSTANTS_S.map(|c| weight(point) * gain(point, c));
    let rows: Vec<Variances> = spectrum.iter().map(row).collect();
    let above: Vec<f64> = spectrum.iter().map(|point| weight(point) * (point.phi - 1.0)).collect();
    nnls::solve(&rows, &above, PRICE)
}

/// The dispersion that variances say, at a time scale and rate.
pub fn modelled(point: &Point, variances: &Variances) -> f64 {
    1.0 + TIME_CONSTANTS_S.iter().zip(variances).map(|(c, v)| v * gain(point, *c)).sum::<f64>()
}

/// What a variance of 1 with time constant `c` adds to φ.
fn gain(point: &Point, c: f64) -> f64 {
    let x = point.tau_s / c;
    2.0 * point.rate_per_s * c * (1.0 + (-x).exp_m1() / x)
}

/// Sums over bins of one width.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    /// Σ (N - Λ)².
    squares: f64,
    /// Σ Λ.
    mean: f64,
    /// Σ Λ².
    squared_mean: f64,
}

impl Sums {
    fn add(&mut self, count: f64, mean: f64) {
        self.squares += (count - mean).powi(2);
        self.mean += mean;
        self.squared_mean += mean * mean;
    }
}

/// Sums over bins narrower than five minutes, without a step for bins that hold nothing.
fn fine(starts: &Starts, coverage: &Coverage, expectation: &Expectation, tau_s: i64) -> Sums {
    let mut sums = Sums::default();
    let tau = tau_s as f64;
    let mut covered = coverage.covered(starts).flat_map(|(_, seconds)| seconds).peekable();
    for piece in expectation.pieces() {
        let parts = (ARRIVAL_BIN_S / tau_s) as f64;
        let mean = |part: f64| tau * (piece.rate_per_s + piece.slope_per_s2 * (part + 0.5) * tau);
        if piece.is_whole() {
            sums.mean += piece.expected();
            // Means of the parts rise in equal steps, whose squares have a closed sum.
            let step = piece.slope_per_s2 * tau * tau;
            let squared =
                piece.expected().powi(2) / parts + step * step * parts * (parts * parts - 1.0) / 12.0;
            sums.squared_mean += squared;
            sums.squares += squared;
        }
        while let Some((first_s, mut count)) = covered.next_if(|(second, _)| *second < piece.to_s) {
            let part = (first_s - piece.from_s) / tau_s;
            let end_s = (piece.from_s + (part + 1) * tau_s).min(piece.to_s);
            while let Some((_, more)) = covered.next_if(|(second, _)| *second < end_s) {
                count += more;
            }
            if piece.is_whole() {
                sums.squares += count * count - 2.0 * count * mean(part as f64);
            }
        }
    }
    sums
}

/// Covered time in bins of five minutes, with what is needed to fit a curve to counts in them.
struct Bins {
    /// Seconds since 1970, and seconds covered.
    at: Vec<(i64, i64)>,
    /// Bin of the civil week.
    of_week: Vec<usize>,
    /// Which of `days` it is on.
    on: Vec<usize>,
    /// Numbers of the civil days, in order.
    days: Vec<i64>,
    exposure_s: Vec<f64>,
}

impl Bins {
    fn new(clock: &CivilClock, coverage: &Coverage) -> Self {
        let at: Vec<(i64, i64)> =
            coverage.pieces().map(|piece| (piece.start, piece.end - piece.start)).collect();
        let numbers: Vec<i64> = at.iter().map(|(from_s, _)| clock.day(*from_s)).collect();
        let mut days = numbers.clone();
        days.sort_unstable();
        days.dedup();
        Self {
            of_week: at.iter().map(|(from_s, _)| bin_of_week(clock, *from_s)).collect(),
            on: numbers.iter().map(|day| days.partition_point(|known| known < day)).collect(),
            at,
            days,
            exposure_s: coverage.week(clock),
        }
    }

    /// What `curve` expects in each bin when each day has the level that `counts` give it; and the levels.
    fn means(&self, counts: &[f64], curve: &Curve) -> (Vec<f64>, Vec<f64>) {
        let per_s = rate::expected(&curve.week(), &[1.0; BINS_PER_WEEK]);
        let mut means: Vec<f64> = self
            .of_week
            .iter()
            .zip(&self.at)
            .map(|(bin, (_, length_s))| per_s[*bin] * *length_s as f64)
            .collect();
        let (mut found, mut expected) = (vec![0.0; self.days.len()], vec![0.0; self.days.len()]);
        for ((day, count), mean) in self.on.iter().zip(counts).zip(&means) {
            found[*day] += count;
            expected[*day] += mean;
        }
        let level = |(found, expected): (f64, f64)| if expected > 0.0 { found / expected } else { 1.0 };
        let levels: Vec<f64> = found.into_iter().zip(expected).map(level).collect();
        means.iter_mut().zip(&self.on).for_each(|(mean, day)| *mean *= levels[*day]);
        (means, levels)
    }

    /// Sums over whole bins of `tau_s`, a multiple of five minutes.
    fn sums(&self, counts: &[f64], means: &[f64], tau_s: i64) -> Sums {
        let mut sums = Sums::default();
        let mut first = 0;
        for together in
            self.at.chunk_by(|(one, _), (next, _)| one.div_euclid(tau_s) == next.div_euclid(tau_s))
        {
            let bins = first..first + together.len();
            first = bins.end;
            if together.iter().map(|(_, length_s)| length_s).sum::<i64>() == tau_s {
                sums.add(counts[bins.clone()].iter().sum(), means[bins].iter().sum());
            }
        }
        sums
    }

    /// The share of variance that is left around a curve fitted to the counts themselves, by width of bins; 1 for
    /// widths below a bin. Counts are drawn with `variances` around `means`.
    fn left_by_fitting(
        &self,
        means: &[f64],
        curve: &Curve,
        variances: &Variances,
        mut random: SplitMix,
    ) -> [f64; TAUS_S.len()] {
        let seeds: Vec<SplitMix> = (0..DRAWS).map(|_| SplitMix(random.bits())).collect();
        let draw = |mut random: SplitMix| {
            let mut factor = Factor::new(variances, &mut random);
            let mut draw = |mean: &f64| {
                let mean = mean * factor.next(&mut random);
                random.poisson(mean)
            };
            let counts: Vec<f64> = means.iter().map(&mut draw).collect();
            let mut of_week = vec![0.0; BINS_PER_WEEK];
            self.of_week.iter().zip(&counts).for_each(|(bin, count)| of_week[*bin] += count);
            let (refitted, _) = self.means(&counts, &curve.refit(&of_week, &self.exposure_s));
            TAUS_S.map(|tau_s| match tau_s < ARRIVAL_BIN_S {
                true => (0.0, 0.0),
                false => {
                    let squares = |means: &[f64]| self.sums(&counts, means, tau_s).squares;
                    (squares(&refitted), squares(means))
                }
            })
        };
        // In the order of the draws, because sums of fractions depend on it.
        let draws: Vec<_> = seeds.into_par_iter().map(draw).collect();
        let (mut fitted, mut known) = ([0.0; TAUS_S.len()], [0.0; TAUS_S.len()]);
        for (at, (around_fitted, around_known)) in draws.iter().flat_map(|draw| draw.iter().enumerate()) {
            fitted[at] += around_fitted;
            known[at] += around_known;
        }
        let left = |at: usize| if known[at] > 0.0 { (fitted[at] / known[at]).min(1.0) } else { 0.0 };
        std::array::from_fn(|at| if TAUS_S[at] < ARRIVAL_BIN_S { 1.0 } else { left(at) })
    }
}

/// A random factor of mean 1, averaged over bins of five minutes; gaps between bins are passed over.
struct Factor {
    /// Normal states of slow parts: what a step keeps, variance of the logarithm, state.
    slow: Vec<(f64, f64, f64)>,
    /// Variance of the logarithm of a bin's mean of the fast parts.
    fast: f64,
}

impl Factor {
    fn new(variances: &Variances, random: &mut SplitMix) -> Self {
        let (mut slow, mut fast) = (Vec::new(), 0.0);
        for (c, v) in TIME_CONSTANTS_S.into_iter().zip(variances).filter(|(_, v)| **v > 0.0) {
            if c > STEP_S {
                slow.push(((-STEP_S / c).exp(), v.ln_1p(), random.normal()));
            } else {
                // Bins much longer than c average it out to this.
                fast += (v * 2.0 * c / ARRIVAL_BIN_S as f64).ln_1p();
            }
        }
        Self { slow, fast }
    }

    fn next(&mut self, random: &mut SplitMix) -> f64 {
        let lognormal = |variance: f64, z: f64| (variance.sqrt() * z - 0.5 * variance).exp();
        let steps = if self.slow.is_empty() { 0 } else { ARRIVAL_BIN_S / STEP_S as i64 };
        let mut sum = 0.0;
        for _ in 0..steps {
            let mut factor = 1.0;
            for (kept, variance, z) in &mut self.slow {
                *z = *kept * *z + (1.0 - *kept * *kept).sqrt() * random.normal();
                factor *= lognormal(*variance, *z);
            }
            sum += factor;
        }
        let slow = if steps == 0 { 1.0 } else { sum / steps as f64 };
        if self.fast > 0.0 { slow * lognormal(self.fast, random.normal()) } else { slow }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variances_come_back_from_their_own_spectrum() {
        let point = |tau_s: i64| Point { tau_s: tau_s as f64, phi: 1.0, sd: 0.01, rate_per_s: 5.0 };
        let planted = [0.2, 0.0, 0.1, 0.05];
        let spectrum: Vec<Point> = TAUS_S
            .map(point)
            .into_iter()
            .map(|point| Point { phi: modelled(&point, &planted), ..point })
            .collect();
        for (found, planted) in explained(&spectrum).iter().zip(planted) {
            assert!((found - planted).abs() < 1e-6, "{found} {planted}");
        }
        assert!(explained(&[]).iter().all(|v| *v <= 0.0));
    }

    #[test]
    fn fine_bins_are_summed_as_if_one_by_one() {
        let clock = CivilClock::of_log(&std::collections::BTreeMap::from([(0, 0)]));
        let curve =
            shared::arrivals::WeekCurve::new(86_400.0, vec![0.1, 0.9, 0.1, 0.9, 0.1, 0.9, 0.5]).unwrap();
        let coverage = Coverage::new(100, 10_000, &[], 0);
        let expectation = Expectation::new(&curve, &clock, &coverage, |_| 1.0);
        let starts: Vec<i64> =
            (0..3000).map(|i| i * i % 9973).collect::<std::collections::BTreeSet<_>>().into_iter().collect();
        let found = fine(&Starts::of(starts.iter().copied()), &coverage, &expectation, 60);
        let mut sums = Sums::default();
        for from in (300..9900).step_by(60) {
            let count = starts.iter().filter(|start| (from..from + 60).contains(*start)).count();
            sums.add(count as f64, expectation.before((from + 60) as f64) - expectation.before(from as f64));
        }
        for (one, other) in
            [(found.squares, sums.squares), (found.mean, sums.mean), (found.squared_mean, sums.squared_mean)]
        {
            assert!((one / other - 1.0).abs() < 1e-9, "{found:?} {sums:?}");
        }
    }
}
