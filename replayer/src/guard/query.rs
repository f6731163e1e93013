//! Stop rules over what Prometheus knows of the target: `query(node_load1 / 4) > 0.9 for 30s`.

use std::time::Duration;

use serde::Deserialize;
use shared::units::parse_duration;

use crate::clock;
use crate::condition::Comparison;
use crate::error::Error;

/// A question to Prometheus, and how long which answer may last.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    text: String,
    expression: String,
    comparison: Comparison,
    limit: f64,
    window: Duration,
    /// Since when every answer has been beyond the limit.
    beyond_since_ns: Option<u64>,
    /// Since when there has been no answer.
    blind_since_ns: Option<u64>,
}

/// What follows from an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    GoOn,
    /// To stop, because of this.
    Stop(String),
}

/// How long there may be no answer: a guard that sees nothing for longer ends the run.
const LONGEST_BLIND: Duration = Duration::from_secs(60);
/// The window of a rule that names none.
const DEFAULT_WINDOW: Duration = Duration::from_secs(30);

impl Query {
    /// The rule that `text` spells; none if it is no rule of this kind.
    ///
    /// # Errors
    /// [`Error::StopRule`] when it begins like one and is none.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, Error> {
        let Some(rest) = text.trim().strip_prefix("query(") else { return Ok(None) };
        let wrong = |found: &str, expected: &str| Error::StopRule {
            rule: text.to_owned(),
            found: format!("`{}`", found.trim()),
            expected: expected.to_owned(),
        };
        // The expression has brackets and comparisons of its own; the last bracket is the one that closes it.
        let (expression, rest) =
            rest.rsplit_once(')').ok_or_else(|| wrong(rest, "`)` behind the expression"))?;
        let rest = rest.trim_start();
        const COMPARISONS: [(&str, Comparison); 4] = [
            (">=", Comparison::AtLeast),
            ("<=", Comparison::AtMost),
            (">", Comparison::Above),
            ("<", Comparison::Below),
        ];
        let comparison =
            COMPARISONS.iter().find_map(|(sign, comparison)| Some((rest.strip_prefix(sign)?, comparison)));
        let (rest, comparison) = comparison.ok_or_else(|| wrong(rest, "`>`, `>=`, `<` or `<=`"))?;
        let (number, window) = match rest.split_once(" for ") {
            Some((number, window)) => (
                number,
                parse_duration(window.trim()).map_err(|_| wrong(window, "a duration such as `30s`"))?,
            ),
            None => (rest, DEFAULT_WINDOW),
        };
        let limit = number.trim().parse().ok().filter(|limit: &f64| limit.is_finite());
        Ok(Some(Self {
            text: text.trim().to_owned(),
            expression: expression.to_owned(),
            comparison: *comparison,
            limit: limit.ok_or_else(|| wrong(number, "a number"))?,
            window,
            beyond_since_ns: None,
            blind_since_ns: None,
        }))
    }

    /// The rule as it was given.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What Prometheus is asked.
    pub(crate) fn expression(&self) -> &str {
        &self.expression
    }

    /// How often it is worth asking: several times per window, but Prometheus itself looks every few seconds only.
    pub(crate) fn every(&self) -> Duration {
        (self.window / 5).clamp(Duration::from_millis(500), Duration::from_secs(5))
    }

    /// Takes an answer, which none is if Prometheus gave none: it must be beyond the limit for the whole window. Of
    /// several values, one beyond it is enough.
    pub(crate) fn judge(&mut self, now_ns: u64, values: Option<&[f64]>) -> Verdict {
        let Some(values) = values else {
            let since_ns = *self.blind_since_ns.get_or_insert(now_ns);
            let blind_ns = now_ns.saturating_sub(since_ns);
            return match blind_ns >= clock::to_ns(self.window.max(LONGEST_BLIND)) {
                true => {
                    Verdict::Stop(format!("no answer from Prometheus for {:.0} s", clock::to_s(blind_ns)))
                }
                false => Verdict::GoOn,
            };
        };
        self.blind_since_ns = None;
        let Some(beyond) = values.iter().find(|value| self.comparison.holds(**value, self.limit)) else {
            self.beyond_since_ns = None;
            return Verdict::GoOn;
        };
        let since_ns = *self.beyond_since_ns.get_or_insert(now_ns);
        match now_ns.saturating_sub(since_ns) >= clock::to_ns(self.window) {
            true => Verdict::Stop(format!("{beyond} for {:.0} s", clock::to_s(now_ns - since_ns))),
            false => Verdict::GoOn,
        }
    }
}

/// An answer of Prometheus' `/api/v1/query`.
#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Scalar((f64, String)),
    Vector(Vec<Series>),
}

#[derive(Deserialize)]
struct Series {
    value: (f64, String),
}

/// The values in an answer of Prometheus, which writes them as text; none if it is no such answer. No series is no
/// value, and so never beyond a limit.
pub(crate) fn values(body: &[u8]) -> Option<Vec<f64>> {
    match serde_json::from_slice::<Answer>(body).ok()?.data {
        Data::Scalar((_, value)) => Some(vec![value.parse().ok()?]),
        Data::Vector(series) => series.iter().map(|series| series.value.1.parse().ok()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND_NS;

    #[test]
    fn queries_are_read_and_others_left_alone() {
        let query = Query::parse(" query(max(rate(cpu[1m])) > bool 0) >= 0.9 for 20s ").unwrap().unwrap();
        assert_eq!(query.expression(), "max(rate(cpu[1m])) > bool 0");
        assert_eq!((query.comparison, query.window.as_secs()), (Comparison::AtLeast, 20));
        assert_eq!(query.every(), Duration::from_secs(4));
        assert_eq!(Query::parse("error_rate > 5%").unwrap(), None);
        for (wrong, expected) in [
            ("query(up", "`)` behind"),
            ("query(up) = 1", "`>`"),
            ("query(up) < one", "a number"),
            ("query(up) < NaN", "a number"),
            ("query(up) < 1 for ever", "a duration"),
        ] {
            let message = Query::parse(wrong).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn answers_of_prometheus() {
        let vector = br#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"cpu":"0"},"value":[1.5,"0.5"]},{"metric":{},"value":[1.5,"NaN"]}]}}"#;
        let found = values(vector).unwrap();
        assert!(found.len() == 2 && (found[0] - 0.5).abs() < 1e-12 && found[1].is_nan());
        assert_eq!(values(br#"{"data":{"resultType":"scalar","result":[1,"3"]}}"#), Some(vec![3.0]));
        assert_eq!(values(br#"{"data":{"resultType":"vector","result":[]}}"#), Some(vec![]));
        for wrong in [&b"<html>"[..], b"{}", br#"{"data":{"resultType":"matrix","result":[]}}"#] {
            assert_eq!(values(wrong), None);
        }
    }

    #[test]
    fn a_limit_must_be_passed_for_the_whole_window() {
        let mut query = Query::parse("query(load) > 0.9 for 10s").unwrap().unwrap();
        let mut at = |second: u64, values: Option<&[f64]>| query.judge(second * SECOND_NS, values);
        assert_eq!(at(0, Some(&[1.0])), Verdict::GoOn);
        assert_eq!(at(9, Some(&[0.95, 0.1])), Verdict::GoOn);
        assert_eq!(at(10, Some(&[0.5])), Verdict::GoOn);
        assert_eq!(at(12, Some(&[0.95])), Verdict::GoOn);
        assert_eq!(at(15, None), Verdict::GoOn);
        assert_eq!(at(22, Some(&[0.95])), Verdict::Stop("0.95 for 10 s".to_owned()));
        assert_eq!(at(30, Some(&[])), Verdict::GoOn);
        assert_eq!(at(40, None), Verdict::GoOn);
        assert_eq!(at(99, None), Verdict::GoOn);
        assert_eq!(at(100, None), Verdict::Stop("no answer from Prometheus for 60 s".to_owned()));
    }
}
