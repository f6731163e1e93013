//! When sessions start: a piecewise-linear rate over the week, in civil time.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flow;
use crate::units::Weekday;

/// Seconds in a day.
pub const DAY_S: u32 = 86_400;
/// Seconds in a week.
pub const WEEK_S: u32 = 7 * DAY_S;

/// The rate of session starts over the week: an open model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arrivals {
    /// Seconds from knot to knot; divides the day.
    pub knots_every_s: u32,
    /// Sessions per second at each knot from 00:00, linear in between, from day to day without a seam.
    pub week: Week,
    /// Which days were measured together because they are alike.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", serialize_with = "flow::map")]
    pub shared_shape: BTreeMap<String, bool>,
    /// Variance of the rate around the curve, by time scale.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "flow::map")]
    pub burstiness: Option<Burstiness>,
    /// Coefficient of variation from one day to the same weekday of another week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_level_cv: Option<f64>,
    /// How the weeks of the log went up and down, where it has two or more.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "flow::map")]
    pub weeks: Option<Weeks>,
    /// Civil dates, ascending, that are left out of the curve because they were unlike other days of their kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "flow::list")]
    pub outlier_days: Vec<String>,
    /// The top of the curve.
    #[serde(serialize_with = "flow::map")]
    pub peak: Peak,
    /// What the curve means in requests.
    #[serde(serialize_with = "flow::map")]
    pub requests_per_s: RequestsPerSecond,
}

/// Levels of weeks: what a week had for each session that the curve gives it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Weeks {
    /// Of each week, counted back from the end of the log, the oldest first. Their mean is 1.
    pub levels: Vec<f64>,
    /// Expected of the week after the log: the level of the last, carried on where growth went on before. A replay of
    /// next week's traffic is one at this scale.
    pub next: f64,
}

/// One list of knots per day.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Week {
    /// Monday.
    #[serde(serialize_with = "flow::list")]
    pub mon: Vec<f64>,
    /// Tuesday.
    #[serde(serialize_with = "flow::list")]
    pub tue: Vec<f64>,
    /// Wednesday.
    #[serde(serialize_with = "flow::list")]
    pub wed: Vec<f64>,
    /// Thursday.
    #[serde(serialize_with = "flow::list")]
    pub thu: Vec<f64>,
    /// Friday.
    #[serde(serialize_with = "flow::list")]
    pub fri: Vec<f64>,
    /// Saturday.
    #[serde(serialize_with = "flow::list")]
    pub sat: Vec<f64>,
    /// Sunday.
    #[serde(serialize_with = "flow::list")]
    pub sun: Vec<f64>,
}

impl Week {
    /// The knots of `day`.
    pub fn day(&self, day: Weekday) -> &[f64] {
        match day {
            Weekday::Mon => &self.mon,
            Weekday::Tue => &self.tue,
            Weekday::Wed => &self.wed,
            Weekday::Thu => &self.thu,
            Weekday::Fri => &self.fri,
            Weekday::Sat => &self.sat,
            Weekday::Sun => &self.sun,
        }
    }

    /// A week of seven lists, Monday first.
    pub fn from_days([mon, tue, wed, thu, fri, sat, sun]: [Vec<f64>; 7]) -> Self {
        Self { mon, tue, wed, thu, fri, sat, sun }
    }
}

/// Variance of the rate around the curve, by time scale (a sum of exponentials).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Burstiness {
    /// Time constants in seconds.
    #[serde(serialize_with = "flow::list")]
    pub time_constants_s: Vec<f64>,
    /// Variance at each, relative to the squared rate.
    #[serde(serialize_with = "flow::list")]
    pub variances: Vec<f64>,
}

/// The top of the curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Peak {
    /// Sessions per second.
    pub rate_per_s: f64,
    /// Day and civil time, such as `tue 20:30`.
    pub at: String,
}

/// What the curve means in requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestsPerSecond {
    /// Over the week.
    pub mean: f64,
    /// At the top of the curve.
    pub peak: f64,
}

impl Arrivals {
    /// All knots from Monday 00:00, one per `knots_every_s`.
    pub fn knots(&self) -> Vec<f64> {
        Weekday::ALL.iter().flat_map(|day| self.week.day(*day).iter().copied()).collect()
    }

    /// The curve as something to evaluate and integrate; `None` when the knots do not fill the week.
    pub fn curve(&self) -> Option<WeekCurve> {
        WeekCurve::new(f64::from(self.knots_every_s), self.knots())
    }
}

/// A periodic piecewise-linear rate per second over the week.
#[derive(Debug, Clone)]
pub struct WeekCurve {
    spacing_s: f64,
    knots: Vec<f64>,
    /// Integral from Monday 00:00 to each knot; one longer than `knots`.
    integral: Vec<f64>,
}

impl WeekCurve {
    /// A curve through `knots`, `spacing_s` apart, that closes on itself after a week.
    ///
    /// `None` unless the knots fill the week exactly and are finite and not negative.
    pub fn new(spacing_s: f64, knots: Vec<f64>) -> Option<Self> {
        let fills = (spacing_s * knots.len() as f64 - f64::from(WEEK_S)).abs() < 1e-6;
        if !fills || !knots.iter().all(|rate| rate.is_finite() && *rate >= 0.0) {
            return None;
        }
        let mut integral = vec![0.0];
        for (i, rate) in knots.iter().enumerate() {
            let next = knots[(i + 1) % knots.len()];
            integral.push(integral[i] + 0.5 * (rate + next) * spacing_s);
        }
        Some(Self { spacing_s, knots, integral })
    }

    /// Rate per second at `t_s` seconds after Monday 00:00; any `t_s`, the week repeats.
    pub fn rate_per_s(&self, t_s: f64) -> f64 {
        let (at, into) = self.locate(t_s.rem_euclid(f64::from(WEEK_S)));
        let next = self.knots[(at + 1) % self.knots.len()];
        self.knots[at] + (next - self.knots[at]) * into / self.spacing_s
    }

    /// Expected arrivals from Monday 00:00 to `t_s`; grows over any number of weeks, negative before.
    pub fn cumulative(&self, t_s: f64) -> f64 {
        let weeks = (t_s / f64::from(WEEK_S)).floor();
        let (at, into) = self.locate(t_s - weeks * f64::from(WEEK_S));
        let next = self.knots[(at + 1) % self.knots.len()];
        let slope = (next - self.knots[at]) / self.spacing_s;
        weeks * self.per_week() + self.integral[at] + into * (self.knots[at] + 0.5 * slope * into)
    }

    /// Expected arrivals in a week.
    pub fn per_week(&self) -> f64 {
        self.integral[self.knots.len()]
    }

    /// The largest rate and its time in seconds after Monday 00:00; the first of several.
    pub fn peak(&self) -> (f64, f64) {
        let mut best = 0;
        for (i, rate) in self.knots.iter().enumerate() {
            if *rate > self.knots[best] {
                best = i;
            }
        }
        (self.knots[best], best as f64 * self.spacing_s)
    }

    /// Seconds from knot to knot.
    pub fn spacing_s(&self) -> f64 {
        self.spacing_s
    }

    fn locate(&self, t_s: f64) -> (usize, f64) {
        let at = ((t_s / self.spacing_s) as usize).min(self.knots.len() - 1);
        (at, t_s - at as f64 * self.spacing_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> WeekCurve {
        let knots = (0..168).map(|hour| f64::from(hour % 24)).collect();
        WeekCurve::new(3600.0, knots).unwrap()
    }

    #[test]
    fn the_curve_is_linear_between_knots_and_closes_over_the_week() {
        let curve = ramp();
        assert!((curve.rate_per_s(1800.0) - 0.5).abs() < 1e-12);
        assert!((curve.rate_per_s(f64::from(WEEK_S) - 1800.0) - 11.5).abs() < 1e-12);
        assert!((curve.rate_per_s(-1800.0) - 11.5).abs() < 1e-12);
    }

    #[test]
    fn the_integral_agrees_with_a_fine_sum() {
        let curve = ramp();
        let (from, to, steps) = (50_000.0, 300_000.0, 250_000);
        let width = (to - from) / f64::from(steps);
        let sum: f64 =
            (0..steps).map(|i| curve.rate_per_s(from + (f64::from(i) + 0.5) * width) * width).sum();
        let exact = curve.cumulative(to) - curve.cumulative(from);
        assert!((sum / exact - 1.0).abs() < 1e-9, "{sum} {exact}");
        let week = curve.cumulative(2.5 * f64::from(WEEK_S)) - curve.cumulative(1.5 * f64::from(WEEK_S));
        assert!((week - curve.per_week()).abs() < 1e-6);
    }
}
