//! Conditions that a run must meet: those of the profile, and those of the command line.

use schemars::JsonSchema;
use serde::Serialize;
use shared::Profile;
use shared::endpoint::Endpoint;
use shared::status::Status;

use crate::condition::{self, Condition, Metric, Timing, Value};
use crate::error::Error;
use crate::record::{EndpointSnapshot, Snapshot, Times, Waits};

/// A condition, and whether the run met it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Threshold {
    /// The condition as it reads.
    pub condition: String,
    /// Whether it was met. What was not measured is not met.
    pub met: bool,
    /// What was measured, in the condition's own words; of several endpoints, that of the worst.
    pub found: String,
}

/// Answers below which an endpoint's quantiles are chance, unless somebody asks for it by name.
const FEWEST_ANSWERS: u64 = 20;

/// The conditions of `profile`, and `more`.
///
/// # Errors
/// [`Error::Threshold`] for one that is malformed, names an endpoint that the profile has not, asks for a baseline that it
/// does not know, or has a window, which a whole run has not.
pub(crate) fn of(profile: &Profile, more: &[Condition]) -> Result<Vec<Condition>, Error> {
    let wrong =
        |threshold: &str, problem: String| Error::Threshold { threshold: threshold.to_owned(), problem };
    let parsed = profile.thresholds.iter().map(|text| {
        condition::parse(text).map_err(|malformed| {
            wrong(
                text,
                format!(
                    "found {} at character {}, expected {}",
                    malformed.found, malformed.at, malformed.expected
                ),
            )
        })
    });
    let all = parsed.chain(more.iter().cloned().map(Ok)).collect::<Result<Vec<Condition>, Error>>()?;
    for condition in &all {
        let text = condition.to_string();
        if let Some(id) = condition.endpoint.as_ref().filter(|id| profile.endpoint(id).is_none()) {
            return Err(wrong(&text, format!("found endpoint `{id}`, expected one of the profile's")));
        }
        if condition.window.is_some() {
            let expected = "expected a condition on the whole run; windows are for stop rules";
            return Err(wrong(&text, format!("found a window, {expected}")));
        }
        let knows = |endpoint: &Endpoint| endpoint.service_time_s.is_some() && meant(condition, endpoint);
        if matches!(condition.value, Value::TimesBaseline(_)) && !profile.endpoints.iter().any(knows) {
            return Err(wrong(
                &text,
                "found no service time in the profile, expected one to compare with".to_owned(),
            ));
        }
    }
    Ok(all)
}

/// Which conditions a run of `profile` met in `elapsed_s` seconds.
pub(crate) fn judge(
    conditions: &[Condition],
    profile: &Profile,
    counted: &Snapshot,
    elapsed_s: f64,
) -> Vec<Threshold> {
    conditions.iter().map(|condition| judge_one(condition, profile, counted, elapsed_s)).collect()
}

/// Is `endpoint` one that `condition` speaks of?
fn meant(condition: &Condition, endpoint: &Endpoint) -> bool {
    condition.endpoint.as_ref().is_none_or(|id| *id == endpoint.id)
}

fn judge_one(condition: &Condition, profile: &Profile, counted: &Snapshot, elapsed_s: f64) -> Threshold {
    let both = profile.endpoints.iter().zip(&counted.endpoints);
    let meant: Vec<(&Endpoint, &EndpointSnapshot)> =
        both.filter(|(endpoint, _)| meant(condition, endpoint)).collect();
    // A multiple of production is one of each endpoint's own; everything else is of all of them together.
    let found = match (condition.metric, condition.value) {
        (Metric::Quantile(q, timing), Value::TimesBaseline(factor)) => {
            let named = condition.endpoint.is_some();
            let compared = meant.iter().filter_map(|(endpoint, counted)| {
                let production_s = production(endpoint, q)?;
                let enough = named || counted.statuses.values().sum::<u64>() >= FEWEST_ANSWERS;
                let found = quantile(&[counted], q, timing).filter(|_| enough)?;
                Some((found / production_s, endpoint.id.as_str()))
            });
            let holds = |(ratio, _): &(f64, &str)| condition.comparison.holds(*ratio, factor);
            let compared: Vec<(f64, &str)> = compared.collect();
            let worst = compared.iter().find(|found| !holds(found)).or(compared.first());
            worst.map(|(ratio, id)| (compared.iter().all(holds), multiple(*ratio, id)))
        }
        (metric, value) => {
            let limit = match value {
                Value::Seconds(limit)
                | Value::Share(limit)
                | Value::PerSecond(limit)
                | Value::TimesBaseline(limit) => limit,
            };
            let found = measured(metric, &meant, elapsed_s);
            found.map(|found| (condition.comparison.holds(found, limit), in_words(found, value)))
        }
    };
    let (met, found) = found.unwrap_or((false, "nothing measured".to_owned()));
    Threshold { condition: condition.to_string(), met, found }
}

/// What `metric` came to; infinite where only a lower bound is known, and none where nothing was measured.
fn measured(metric: Metric, endpoints: &[(&Endpoint, &EndpointSnapshot)], elapsed_s: f64) -> Option<f64> {
    let counted: Vec<&EndpointSnapshot> = endpoints.iter().map(|(_, counted)| *counted).collect();
    let total = |count: fn(&EndpointSnapshot) -> u64| {
        counted.iter().map(|endpoint| count(endpoint)).sum::<u64>() as f64
    };
    let share = |part: u64, whole: f64| (whole > 0.0).then(|| part as f64 / whole);
    match metric {
        Metric::Quantile(q, timing) => quantile(&counted, q, timing),
        Metric::Mean(timing) => {
            let waits = together(&counted, timing);
            let known = if waits.unended.count() > 0 { f64::INFINITY } else { waits.mean_s() };
            (waits.count() > 0).then_some(known)
        }
        Metric::Max(timing) => quantile(&counted, 1.0, timing),
        Metric::ErrorRate => {
            let errors = endpoints.iter().map(|(endpoint, counted)| errors(endpoint, counted)).sum();
            share(errors, total(|endpoint| endpoint.sent + endpoint.dropped))
        }
        Metric::Status(status) => {
            let with = counted.iter().filter_map(|endpoint| endpoint.statuses.get(&status)).sum();
            share(with, total(|endpoint| endpoint.statuses.values().sum()))
        }
        Metric::Rate => (elapsed_s > 0.0).then(|| total(|endpoint| endpoint.sent) / elapsed_s),
    }
}

/// The `q`-quantile of the service time in production: as published where it is, else of the histogram.
fn production(endpoint: &Endpoint, q: f64) -> Option<f64> {
    let summary = endpoint.service_time_s.as_ref()?;
    let published = [(0.5, Some(summary.p50)), (0.95, summary.p95), (0.99, summary.p99)];
    let found = published.into_iter().find(|(at, _)| (at - q).abs() < 1e-9).and_then(|(_, found)| found);
    found.or_else(|| summary.histogram.quantile(q)).filter(|s| *s > 0.0)
}

fn quantile(counted: &[&EndpointSnapshot], q: f64, timing: Timing) -> Option<f64> {
    let curve = together(counted, timing).curve();
    let bound = curve.quantile(q);
    (curve.n > 0).then_some(if bound.at_least { f64::INFINITY } else { bound.s })
}

/// The times of several endpoints together.
fn together(counted: &[&EndpointSnapshot], timing: Timing) -> Waits {
    let mut all = Waits::default();
    for endpoint in counted {
        let ended = |times: &Times| Waits { ended: times.clone(), unended: Times::default() };
        match timing {
            Timing::Response => all.merge(&endpoint.response),
            Timing::Service => all.merge(&endpoint.service),
            Timing::Chain => all.merge(&endpoint.chain),
            Timing::SendDelay => all.merge(&ended(&endpoint.send_delay)),
            Timing::Connect => all.merge(&ended(&endpoint.connecting)),
            Timing::FirstByte => all.merge(&ended(&endpoint.first_byte)),
        }
    }
    all
}

/// Requests without an answer that the profile expects of `endpoint`.
pub(crate) fn errors(endpoint: &Endpoint, counted: &EndpointSnapshot) -> u64 {
    let unexpected = |status: Status| {
        let code = status.as_http();
        code >= 500 || (code >= 400 && !endpoint.status.contains_key(&status.to_string()))
    };
    let answers = counted.statuses.iter().filter(|(status, _)| unexpected(**status)).map(|(_, n)| n);
    counted.failed + counted.timed_out + counted.dropped + answers.sum::<u64>()
}

fn multiple(ratio: f64, id: &str) -> String {
    if ratio.is_finite() {
        format!("{ratio:.2} x baseline on {id}")
    } else {
        format!("more than was waited for on {id}")
    }
}

fn in_words(found: f64, unit: Value) -> String {
    let rounded = shared::units::round_significant(found, 3);
    if found.is_infinite() {
        return "more than was waited for".to_owned();
    }
    match unit {
        Value::Seconds(_) => Value::Seconds(rounded).to_string(),
        Value::Share(_) => Value::Share(rounded).to_string(),
        Value::PerSecond(_) | Value::TimesBaseline(_) => Value::PerSecond(rounded).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;
    use shared::status::GrpcCode;

    /// 100 answers of `get_home` in 1 to 100 ms, of which two are 503; 30 of `get_item` sent, of which 15 not answered.
    fn counted() -> Snapshot {
        let mut counted = Snapshot::new(2);
        let home = &mut counted.endpoints[0];
        (home.sent, home.planned) = (100, 100);
        home.statuses = [(Status::Http(200), 98), (Status::Http(503), 2)].into();
        (1..=100).for_each(|ms| home.response.ended.add(ms * 1_000_000));
        let item = &mut counted.endpoints[1];
        (item.sent, item.planned, item.timed_out) = (30, 30, 15);
        item.statuses = [(Status::Http(200), 10), (Status::Http(404), 5)].into();
        (1..=15).for_each(|ms| item.response.ended.add(ms * 1_000_000));
        (1..=15).for_each(|_| item.response.unended.add(1_000_000_000));
        counted
    }

    #[test]
    fn conditions_are_met_or_not_and_say_what_was_found() {
        #[track_caller]
        fn check(text: &str, met: bool, found: &str) {
            let profile = from_yaml(EXAMPLE).unwrap();
            let conditions = of(&profile, &[condition::parse(text).unwrap()]).unwrap();
            let threshold = judge(&conditions, &profile, &counted(), 10.0).remove(0);
            assert_eq!((threshold.met, threshold.found.as_str()), (met, found), "{text}");
        }
        check("p50(response_time) < 60ms on get_home", true, "50ms");
        check("p50(response_time) < 40ms on get_home", false, "50ms");
        check("max(response_time) < 200ms on get_home", true, "100ms");
        // Among those that got no answer: longer than anything that can be promised.
        check("p95(response_time) < 10s on get_item", false, "more than was waited for");
        check("mean(response_time) < 10s on get_item", false, "more than was waited for");
        // A 404 is in the profile of `get_item`; 503 is in nobody's.
        check("error_rate <= 2% on get_home", true, "2%");
        check("error_rate < 50% on get_item", false, "50%");
        check("error_rate < 20%", true, "13.1%");
        check("status(503) < 2%", true, "1.74%");
        check("rate > 12", true, "13/s");
        check("p50(response_time) < 3 x baseline", true, "2.50 x baseline on get_home");
        check("p50(response_time) < 2 x baseline on get_home", false, "2.50 x baseline on get_home");
        check("p50(service_time) < 1h", false, "nothing measured");
    }

    #[test]
    fn calls_that_went_wrong_are_errors_unless_production_has_them_too() {
        let profile = from_yaml(EXAMPLE).unwrap();
        let mut endpoint = profile.endpoints[0].clone();
        let grpc = |code: GrpcCode, n: u64| (Status::Grpc(code), n);
        let statuses = [grpc(GrpcCode::Ok, 90), grpc(GrpcCode::NotFound, 7), grpc(GrpcCode::Internal, 3)];
        let counted = EndpointSnapshot { statuses: statuses.into(), ..EndpointSnapshot::default() };
        assert_eq!(errors(&endpoint, &counted), 10);
        endpoint.status =
            [("OK".to_owned(), 0.9), ("NOT_FOUND".to_owned(), 0.05), ("INTERNAL".to_owned(), 0.05)].into();
        // As with 500 and above, that production had them too is no excuse for what is the server's fault.
        assert_eq!(errors(&endpoint, &counted), 3);
    }

    #[test]
    fn conditions_that_cannot_be_judged_are_refused() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let mut profile = from_yaml(EXAMPLE).unwrap();
            profile.thresholds = vec![text.to_owned()];
            let message = of(&profile, &[]).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        check("p95(response_tim) < 1s", "`response_tim)` at character 5");
        check("error_rate < 1% on nowhere", "endpoint `nowhere`");
        check("error_rate < 1% for 30s", "a window");
        check("p95(response_time) < 2 x baseline on get_item", "no service time");
    }
}
