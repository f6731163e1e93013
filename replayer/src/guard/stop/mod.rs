//! When to stop by what is measured: samples in, decision out. No clock, no network.
//!
//! A rule is a condition over a window that slides, such as `error_rate > 5% for 30s`. Every condition on a share or a
//! quantile is one on a share: `p99(response_time) > 2s` holds when more than 1 % took longer than 2 s. So it can be said
//! how sure that is, and a run is stopped only for what is true with 95 % confidence: one error among the first ten
//! requests is no 10 %.

mod expected;
mod share;
mod window;

use std::collections::BTreeMap;

use shared::Profile;
use shared::status::Status;

use expected::Answers;
pub(crate) use expected::Expected;
use window::{Count, Window};

use crate::clock;
use crate::condition::{self, Comparison, Condition, Metric, Timing, Value};
use crate::error::Error;
use crate::record::{Outcome, Sample};

/// The window of a rule that names none.
const DEFAULT_WINDOW_NS: u64 = 30 * clock::SECOND_NS;

/// All rules of a run.
#[derive(Debug)]
pub(crate) struct StopRules {
    rules: Vec<Rule>,
    expected: Expected,
}

/// A rule that has come true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reached {
    /// The rule as it was given.
    pub(crate) rule: String,
    /// What was found.
    pub(crate) found: String,
}

#[derive(Debug)]
struct Rule {
    condition: Condition,
    endpoint: Option<usize>,
    measure: Measure,
    window: Window<Tally>,
}

/// What is counted for a rule, and where its limit is.
#[derive(Debug)]
enum Measure {
    /// Requests whose time is above that of their endpoint, where there is one: their share has the limit.
    Slower { timing: Timing, longest_ns: Vec<Option<u64>>, limit: f64 },
    /// Errors: their share has the limit.
    Errors { limit: f64 },
    /// Answers with this status: their share of all requests has the limit.
    Status { status: Status, limit: f64 },
    /// The mean of a time has the limit, in seconds.
    Mean { timing: Timing, limit_s: f64 },
}

/// What a window counts.
#[derive(Debug, Default)]
struct Tally {
    n: u64,
    /// Too slow, without an answer, or of the status: what the rule is about, and needs no comparison with production.
    bad: u64,
    sum_ns: u128,
    answers: BTreeMap<usize, Answers>,
}

impl StopRules {
    /// The rules that `texts` spell, over the endpoints of `profile`.
    ///
    /// # Errors
    /// [`Error::StopRule`] for the first that is none.
    pub(crate) fn new(texts: &[String], profile: &Profile, expected: Expected) -> Result<Self, Error> {
        let rules = texts.iter().map(|text| Rule::new(text, profile)).collect::<Result<_, Error>>()?;
        Ok(Self { rules, expected })
    }

    /// Whether there is any rule, and so anything to be told.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Takes in a request that has ended.
    pub(crate) fn observe(&mut self, sample: &Sample) {
        for rule in &mut self.rules {
            if rule.endpoint.is_none_or(|endpoint| endpoint == sample.endpoint)
                && let Some(tally) = rule.measure.of(sample)
            {
                rule.window.add(sample.completed_at, &tally);
            }
        }
    }

    /// The first rule that is true at `now_ns` of run time, if one is. No rule is before its window has passed once.
    pub(crate) fn reached(&mut self, now_ns: u64) -> Option<Reached> {
        let Self { rules, expected } = self;
        rules.iter_mut().find_map(|rule| rule.reached(now_ns, expected))
    }
}

impl Rule {
    fn new(text: &str, profile: &Profile) -> Result<Self, Error> {
        let wrong = |found: String, expected: &str| Error::StopRule {
            rule: text.to_owned(),
            found,
            expected: expected.to_owned(),
        };
        let condition = condition::parse(text).map_err(|malformed| Error::StopRule {
            rule: text.to_owned(),
            found: format!("{} at character {}", malformed.found, malformed.at),
            expected: malformed.expected,
        })?;
        let endpoint = condition.endpoint.as_ref().map(|id| {
            let at = profile.endpoints.iter().position(|endpoint| endpoint.id == *id);
            at.ok_or_else(|| wrong(format!("`{id}`"), "the id of an endpoint of the profile"))
        });
        let measure = Measure::new(&condition, profile).ok_or_else(|| {
            wrong(
                format!("`{}`", condition.metric),
                "a time, `error_rate` or `status(…)`: how many are sent is planned",
            )
        })?;
        let window_ns = condition.window.map_or(DEFAULT_WINDOW_NS, clock::to_ns);
        Ok(Self { endpoint: endpoint.transpose()?, measure, window: Window::new(window_ns), condition })
    }

    fn reached(&mut self, now_ns: u64, expected: &Expected) -> Option<Reached> {
        let length_s = self.window.length_s();
        let tally = self.window.at(now_ns).filter(|tally| tally.n > 0)?;
        let n = tally.n as f64;
        let comparison = self.condition.comparison;
        let (holds, found) = match &self.measure {
            Measure::Mean { limit_s, .. } => {
                let mean_s = tally.sum_ns as f64 / 1e9 / n;
                (comparison.holds(mean_s, *limit_s), format!("{mean_s:.3} s in the mean"))
            }
            Measure::Errors { limit } => {
                let refused =
                    tally.answers.iter().map(|(endpoint, answers)| expected.errors(*endpoint, answers));
                let bad = tally.bad as f64 + refused.sum::<f64>();
                (surely(comparison, bad, n, *limit), format!("{:.0} errors in {} requests", bad, tally.n))
            }
            Measure::Slower { limit, .. } => (
                surely(comparison, tally.bad as f64, n, *limit),
                format!("{} of {} requests above", tally.bad, tally.n),
            ),
            Measure::Status { limit, .. } => (
                surely(comparison, tally.bad as f64, n, *limit),
                format!("{} of {} requests", tally.bad, tally.n),
            ),
        };
        holds.then(|| Reached { rule: self.condition.to_string(), found: format!("{found} in {length_s} s") })
    }
}

/// Does the share that showed as `bad` of `n` compare so with `limit`, with 95 % confidence? A limit of 0 is exceeded by
/// the first, and kept by none.
fn surely(comparison: Comparison, bad: f64, n: f64, limit: f64) -> bool {
    let (low, high) = share::bounds(bad, n);
    match comparison {
        Comparison::Above | Comparison::AtLeast if limit <= 0.0 => bad > 0.0,
        Comparison::Below | Comparison::AtMost if limit <= 0.0 => bad <= 0.0,
        Comparison::Above | Comparison::AtLeast => low > limit,
        Comparison::Below | Comparison::AtMost => high < limit,
    }
}

impl Measure {
    /// What `condition` is about; none for what says nothing about the target.
    fn new(condition: &Condition, profile: &Profile) -> Option<Self> {
        let longest = |q: Option<f64>| -> Vec<Option<u64>> {
            let of = |endpoint: &shared::endpoint::Endpoint| match (condition.value, q) {
                (Value::Seconds(seconds), _) => Some(clock::from_s(seconds)),
                (Value::TimesBaseline(factor), Some(q)) => {
                    let baseline_s = endpoint.service_time_s.as_ref()?.histogram.quantile(q)?;
                    Some(clock::from_s(factor * baseline_s))
                }
                _ => None,
            };
            profile.endpoints.iter().map(of).collect()
        };
        match (condition.metric, condition.value) {
            (Metric::Quantile(q, timing), _) => {
                Some(Self::Slower { timing, longest_ns: longest(Some(q)), limit: 1.0 - q })
            }
            (Metric::Max(timing), _) => Some(Self::Slower { timing, longest_ns: longest(None), limit: 0.0 }),
            (Metric::Mean(timing), Value::Seconds(limit_s)) => Some(Self::Mean { timing, limit_s }),
            (Metric::ErrorRate, Value::Share(limit)) => Some(Self::Errors { limit }),
            (Metric::Status(status), Value::Share(limit)) => Some(Self::Status { status, limit }),
            _ => None,
        }
    }

    /// What `sample` adds; none where it is not counted.
    fn of(&self, sample: &Sample) -> Option<Tally> {
        let mut tally = Tally { n: 1, ..Tally::default() };
        match self {
            Self::Slower { timing, longest_ns, .. } => {
                let longest_ns = longest_ns.get(sample.endpoint).copied().flatten()?;
                tally.bad = u64::from(time_ns(sample, *timing)? > longest_ns);
            }
            Self::Mean { timing, .. } => tally.sum_ns = u128::from(time_ns(sample, *timing)?),
            Self::Status { status, .. } => {
                let is_it =
                    matches!(sample.outcome, Outcome::Completed { status: found, .. } if found == *status);
                tally.bad = u64::from(is_it);
            }
            Self::Errors { .. } => match sample.outcome {
                Outcome::Completed { status, .. } => {
                    let refused = (status.as_http() >= 400).then_some((status, 1)).into_iter().collect();
                    tally.answers.insert(sample.endpoint, Answers { answered: 1, refused });
                }
                Outcome::Failed(_) | Outcome::TimedOut => tally.bad = 1,
            },
        }
        Some(tally)
    }
}

/// One of the times of `sample`; none where it never came to that.
fn time_ns(sample: &Sample, timing: Timing) -> Option<u64> {
    match timing {
        Timing::Response => Some(sample.response_time()),
        Timing::Service => sample.service_time(),
        Timing::Chain => Some(sample.chain_time()),
        Timing::SendDelay => Some(sample.send_delay()),
        Timing::Connect => sample.connecting,
        Timing::FirstByte => sample.first_byte_time(),
    }
}

impl Count for Tally {
    fn add(&mut self, other: &Self) {
        self.n += other.n;
        self.bad += other.bad;
        self.sum_ns += other.sum_ns;
        for (endpoint, answers) in &other.answers {
            let own = self.answers.entry(*endpoint).or_default();
            own.answered += answers.answered;
            answers.refused.iter().for_each(|(status, n)| *own.refused.entry(*status).or_default() += n);
        }
    }

    fn subtract(&mut self, other: &Self) {
        self.n -= other.n;
        self.bad -= other.bad;
        self.sum_ns -= other.sum_ns;
        for (endpoint, answers) in &other.answers {
            let own = self.answers.entry(*endpoint).or_default();
            own.answered -= answers.answered;
            answers.refused.iter().for_each(|(status, n)| *own.refused.entry(*status).or_default() -= n);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND_NS;
    use crate::record::Failure;
    use proptest::prelude::*;
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;
    use shared::status::GrpcCode;

    fn rules(text: &str) -> Result<StopRules, Error> {
        let profile = from_yaml(EXAMPLE).unwrap();
        StopRules::new(&[text.to_owned()], &profile, Expected::of(&profile, |_| false))
    }

    fn grpc(code: u16) -> Status {
        GrpcCode::from_number(u64::from(code)).map(Status::Grpc).unwrap()
    }

    /// A request to `endpoint` that took `took_s` and ended at `at_s` with `status`, below 100 one of gRPC; 0 is no answer.
    fn sample(endpoint: usize, at_s: f64, took_s: f64, status: u16) -> Sample {
        let [completed_at, took_ns] = [at_s, took_s].map(clock::from_s);
        let began = completed_at.saturating_sub(took_ns);
        Sample {
            endpoint,
            scheduled_at: began,
            chain_due_at: began,
            released_at: began,
            sent_at: Some(began),
            connecting: None,
            first_byte_at: Some(completed_at),
            completed_at,
            outcome: match status {
                0 => Outcome::Failed(Failure::Broken),
                code @ ..100 => Outcome::Completed { status: grpc(code), body_bytes: 0 },
                code => Outcome::Completed { status: Status::Http(code), body_bytes: 0 },
            },
        }
    }

    /// The second at which `rule` stops a run of ten requests a second, if it does within 100 s.
    fn stops_at(rule: &str, request: impl Fn(u64, f64) -> Sample) -> Option<f64> {
        let mut rules = rules(rule).unwrap();
        (1..=1000).find_map(|number| {
            let at_s = number as f64 / 10.0;
            rules.observe(&request(number, at_s));
            rules.reached(clock::from_s(at_s)).map(|_| at_s)
        })
    }

    #[test]
    fn a_rule_stops_when_its_window_says_so_and_not_before() {
        #[track_caller]
        fn check(rule: &str, request: impl Fn(u64, f64) -> Sample, from_s: f64, to_s: f64) {
            let at_s = stops_at(rule, request).unwrap_or(f64::INFINITY);
            assert!((from_s..=to_s).contains(&at_s), "{rule}: {at_s}");
        }
        let never = (f64::INFINITY, f64::INFINITY);
        let fine = |_, at_s| sample(0, at_s, 0.1, 200);
        let broken_from = |from_s: f64, status| {
            move |_, at_s: f64| sample(0, at_s, 0.1, if at_s < from_s { 200 } else { status })
        };
        check("error_rate > 5% for 30s", fine, never.0, never.1);
        check("error_rate > 5% for 30s", broken_from(0.0, 500), 30.0, 30.3);
        check("error_rate > 5% for 30s", broken_from(0.0, 0), 30.0, 30.3);
        // Of 300 requests in the window, more than 5 % with confidence are 22: 2.2 s after it began.
        check("error_rate > 5% for 30s", broken_from(40.0, 503), 41.9, 42.6);
        check("error_rate > 5% for 30s", broken_from(40.0, 302), never.0, never.1);
        check("status(503) > 50% for 10s", broken_from(40.0, 503), 44.9, 46.5);
        check("status(503) > 50% for 10s", broken_from(40.0, 500), never.0, never.1);
        check("error_rate > 5% for 30s", broken_from(40.0, GrpcCode::Aborted as u16), 41.9, 42.6);
        check(
            "status(UNAVAILABLE) > 50% for 10s",
            broken_from(40.0, GrpcCode::Unavailable as u16),
            44.9,
            46.5,
        );
        check("status(UNAVAILABLE) > 50% for 10s", broken_from(40.0, 503), never.0, never.1);
        // Every fiftieth takes 3 s: 2 % are more than 1 %, and of 600 requests that is 12 against 11.3 for certain.
        check(
            "p99(response_time) > 2s for 60s",
            |i, at_s| sample(0, at_s, if i % 50 == 0 { 3.0 } else { 0.1 }, 200),
            60.0,
            100.0,
        );
        check(
            "p99(response_time) > 2s for 60s",
            |i, at_s| sample(0, at_s, if i % 200 == 0 { 3.0 } else { 0.1 }, 200),
            never.0,
            never.1,
        );
        check("p50(service_time) > 50ms for 5s on get_home", fine, 5.0, 5.3);
        check("p50(service_time) > 50ms for 5s on get_item", fine, never.0, never.1);
        check("mean(response_time) > 99ms for 5s", fine, 5.0, 5.3);
        check("mean(response_time) > 101ms for 5s", fine, never.0, never.1);
        check("max(response_time) > 90ms for 5s", fine, 5.0, 5.3);
        // In production, half of the home page's answers took 20 ms.
        check("p50(service_time) > 4 x baseline for 5s", fine, 5.0, 5.3);
        check("p50(service_time) > 6 x baseline for 5s", fine, never.0, never.1);
        // One request tells nothing of a share.
        check(
            "error_rate > 50% for 5s",
            |i, at_s| sample(0, at_s, 0.1, if i == 1 { 500 } else { 200 }),
            never.0,
            never.1,
        );
    }

    #[test]
    fn what_is_no_rule_is_an_error_that_says_where() {
        #[track_caller]
        fn check(text: &str, words: &[&str]) {
            let message = rules(text).unwrap_err().to_string();
            assert!(words.iter().all(|word| message.contains(word)), "{message}");
        }
        check("error_rate >", &["error_rate >"]);
        check("errors > 5%", &["errors > 5%", "error_rate"]);
        check("error_rate > 5% for 30s on get_nothing", &["`get_nothing`", "id of an endpoint"]);
        check("rate < 100/s for 30s", &["`rate`", "planned"]);
    }

    proptest! {
        /// Whatever was true of a run is true of one that went worse.
        #[test]
        fn a_worse_run_is_stopped_no_later(statuses in prop::collection::vec(prop::sample::select(vec![0_u16, 200, 404, 500]), 50..200), worse in prop::collection::vec(any::<bool>(), 200)) {
            let status_of = |i: u64| statuses[i as usize % statuses.len()];
            let rule = "error_rate > 20% for 10s";
            let good = stops_at(rule, |i, at_s| sample(0, at_s, 0.1, status_of(i)));
            let bad = stops_at(rule, |i, at_s| {
                sample(0, at_s, 0.1, if worse[i as usize % worse.len()] { 0 } else { status_of(i) })
            });
            if let Some(good) = good {
                prop_assert!(bad.is_some_and(|bad| bad <= good), "{:?} {:?}", good, bad);
            }
        }

        /// Neither the order inside a step nor samples of other endpoints change anything.
        #[test]
        fn the_order_of_samples_does_not_matter(mut took_ms in prop::collection::vec(1..5_000_u64, 20..100)) {
            let decide = |took_ms: &[u64]| {
                let mut rules = rules("p90(response_time) > 2s for 1s on get_home").unwrap();
                for took in took_ms {
                    rules.observe(&sample(0, 1.1, *took as f64 / 1e3, 200));
                    rules.observe(&sample(1, 1.1, 100.0, 500));
                }
                rules.reached(clock::from_s(1.1) + SECOND_NS / 10)
            };
            let before = decide(&took_ms);
            took_ms.reverse();
            prop_assert_eq!(before, decide(&took_ms));
        }
    }
}
