//! The grammar of conditions.
//!
//! ```text
//! condition  = metric comparison value { "on" endpoint | "for" duration }
//! metric     = ( "p" number | "mean" | "max" ) "(" time ")" | "status(" status ")" | "error_rate" | "rate"
//! status     = number | name of a code of gRPC
//! comparison = "<" | "<=" | ">" | ">="
//! value      = number "%" | duration | number "/s" | number "x baseline" | number
//! ```

use std::time::Duration;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::{char, multispace0};
use nom::combinator::{all_consuming, cut, map_opt, map_res, value};
use nom::error::{ContextError, ErrorKind, FromExternalError, ParseError, context};
use nom::multi::many0;
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};
use shared::status::Status;
use shared::units::parse_duration;

use super::{Comparison, Condition, Metric, Timing, Value};

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: found {found} at character {at}, expected {expected}")]
pub struct Malformed {
    /// The whole text.
    pub text: String,
    /// What stands where the condition goes wrong.
    pub found: String,
    /// Where that is, counted in characters from 1.
    pub at: usize,
    /// What could stand there.
    pub expected: String,
}

/// The condition that `text` means.
///
/// # Errors
/// [`Malformed`] for the first place at which no condition can go on.
pub fn parse(text: &str) -> Result<Condition, Malformed> {
    match all_consuming(delimited(multispace0, condition, multispace0)).parse(text) {
        Ok((_, condition)) => check(text, condition),
        Err(nom::Err::Error(wrong) | nom::Err::Failure(wrong)) => {
            let rest = wrong.rest.trim_start();
            let expected = if wrong.expected.is_empty() {
                vec!["`on ENDPOINT`, `for TIME` or nothing"]
            } else {
                wrong.expected
            };
            Err(Malformed::new(text, rest, &expected.join(" or ")))
        }
        Err(nom::Err::Incomplete(_)) => Err(Malformed::new(text, "", "a whole condition")),
    }
}

impl Malformed {
    /// For a `text` that goes wrong where `rest` begins, which is a part of it.
    fn new(text: &str, rest: &str, expected: &str) -> Self {
        let before = &text[..text.len() - rest.len()];
        let word: String = rest.chars().take_while(|c| !c.is_whitespace()).collect();
        Self {
            text: text.to_owned(),
            found: if word.is_empty() { "nothing".to_owned() } else { format!("`{word}`") },
            at: before.chars().count() + 1,
            expected: expected.to_owned(),
        }
    }
}

/// A value must be of the kind that its metric is of: a share of seconds says nothing.
fn check(text: &str, mut condition: Condition) -> Result<Condition, Malformed> {
    let wrong = |expected| {
        Err(Malformed { found: format!("`{}`", condition.value), ..Malformed::new(text, text, expected) })
    };
    match (condition.metric, condition.value) {
        (Metric::Quantile(..) | Metric::Mean(_) | Metric::Max(_), Value::Seconds(_))
        | (
            Metric::Quantile(_, Timing::Response | Timing::Service | Timing::Chain),
            Value::TimesBaseline(_),
        )
        | (Metric::Rate, Value::PerSecond(_))
        | (Metric::ErrorRate | Metric::Status(_), Value::Share(_)) => {}
        // A bare number is a rate as it stands, and as a share it is one of 0..=1.
        (Metric::ErrorRate | Metric::Status(_), Value::PerSecond(share)) if share <= 1.0 => {
            condition.value = Value::Share(share);
        }
        (Metric::Quantile(..), _) => {
            return wrong("a time such as `800ms`, or `2 x baseline` of a response, service or chain time");
        }
        (Metric::Mean(_) | Metric::Max(_), _) => return wrong("a time such as `800ms`"),
        (Metric::ErrorRate | Metric::Status(_), _) => return wrong("a share such as `1%`"),
        (Metric::Rate, _) => return wrong("a rate such as `100/s`"),
    }
    Ok(condition)
}

/// Where a text goes wrong, and what could have stood there.
#[derive(Debug)]
struct Wrong<'a> {
    rest: &'a str,
    expected: Vec<&'static str>,
}

impl<'a> ParseError<&'a str> for Wrong<'a> {
    fn from_error_kind(rest: &'a str, _: ErrorKind) -> Self {
        Self { rest, expected: Vec::new() }
    }

    fn append(_: &'a str, _: ErrorKind, inner: Self) -> Self {
        inner
    }

    /// Whoever came further knew better what was meant.
    fn or(mut self, other: Self) -> Self {
        match self.rest.len().cmp(&other.rest.len()) {
            std::cmp::Ordering::Less => self,
            std::cmp::Ordering::Greater => other,
            std::cmp::Ordering::Equal => {
                self.expected.extend(other.expected);
                self
            }
        }
    }
}

impl<'a> ContextError<&'a str> for Wrong<'a> {
    fn add_context(rest: &'a str, expected: &'static str, inner: Self) -> Self {
        if inner.rest.len() < rest.len() && !inner.expected.is_empty() {
            inner
        } else {
            Self { rest, expected: vec![expected] }
        }
    }
}

impl<'a, E> FromExternalError<&'a str, E> for Wrong<'a> {
    fn from_external_error(rest: &'a str, _: ErrorKind, _: E) -> Self {
        Self { rest, expected: Vec::new() }
    }
}

type Read<'a, T> = IResult<&'a str, T, Wrong<'a>>;

/// A sign, with whatever space stands before it.
fn sign<'a>(sign: char) -> impl Parser<&'a str, Output = char, Error = Wrong<'a>> {
    preceded(multispace0, char(sign))
}

/// Letters, digits and `_`: names of metrics, times and endpoints.
fn name(text: &str) -> Read<'_, &str> {
    preceded(multispace0, take_while1(|c: char| c.is_ascii_alphanumeric() || c == '_')).parse(text)
}

/// A number that is not negative and has an end.
fn number(text: &str) -> Read<'_, f64> {
    let digits = take_while1(|c: char| c.is_ascii_digit() || c == '.');
    map_res(preceded(multispace0, digits), str::parse).parse(text)
}

fn condition(text: &str) -> Read<'_, Condition> {
    let (text, metric) = metric(text)?;
    let (text, comparison) = comparison(text)?;
    let (text, value) = limit(text)?;
    let (text, additions) = many0(addition).parse(text)?;
    let mut condition = Condition { metric, comparison, value, endpoint: None, window: None };
    for addition in additions {
        match addition {
            Addition::Endpoint(endpoint) => condition.endpoint = Some(endpoint),
            Addition::Window(window) => condition.window = Some(window),
        }
    }
    Ok((text, condition))
}

fn metric(text: &str) -> Read<'_, Metric> {
    let quantile = |text| {
        let percent = preceded(preceded(multispace0, char('p')), number);
        let q = map_opt(percent, |percent| (percent > 0.0 && percent < 100.0).then_some(percent / 100.0));
        (q, of_timing).map(|(q, timing)| Metric::Quantile(q, timing)).parse(text)
    };
    let word = |word| preceded(multispace0, tag(word));
    let status = map_res(name, str::parse::<Status>);
    let status = context("a status such as `503`, or of gRPC `UNAVAILABLE`", status);
    context(
        "a metric such as `p95(response_time)`, `mean(response_time)`, `error_rate`, `status(503)` or `rate`",
        alt((
            quantile,
            preceded(word("mean"), of_timing).map(Metric::Mean),
            preceded(word("max"), of_timing).map(Metric::Max),
            preceded(word("status"), delimited(sign('('), status, sign(')'))).map(Metric::Status),
            value(Metric::ErrorRate, word("error_rate")),
            value(Metric::Rate, word("rate")),
        )),
    )
    .parse(text)
}

/// The time that a statistic is of, in brackets.
fn of_timing(text: &str) -> Read<'_, Timing> {
    const TIMES: &str =
        "`response_time`, `service_time`, `chain_time`, `send_delay`, `connect_time` or `first_byte_time`";
    let timing = map_opt(name, |name| Timing::ALL.into_iter().find(|timing| timing.name() == name));
    delimited(sign('('), context(TIMES, timing), context("`)`", sign(')'))).parse(text)
}

fn comparison(text: &str) -> Read<'_, Comparison> {
    let signs = alt((
        value(Comparison::AtMost, tag("<=")),
        value(Comparison::AtLeast, tag(">=")),
        value(Comparison::Below, tag("<")),
        value(Comparison::Above, tag(">")),
    ));
    context("`<`, `<=`, `>` or `>=`", preceded(multispace0, signs)).parse(text)
}

fn limit(text: &str) -> Read<'_, Value> {
    let behind = |sign| preceded(multispace0, tag(sign));
    let per_second = terminated(number, behind("/s")).map(Value::PerSecond);
    let baseline = (behind("x"), behind("baseline"));
    context(
        "a value such as `800ms`, `1%`, `100/s` or `2 x baseline`",
        alt((
            terminated(number, sign('%')).map(|percent| Value::Share(percent / 100.0)),
            per_second,
            terminated(number, baseline).map(Value::TimesBaseline),
            duration.map(|duration| Value::Seconds(duration.as_secs_f64())),
            number.map(Value::PerSecond),
        )),
    )
    .parse(text)
}

/// A duration with its unit: a bare number could be of anything.
fn duration(text: &str) -> Read<'_, Duration> {
    let written = take_while1(|c: char| c.is_ascii_alphanumeric() || c == '.');
    let with_unit = |text: &str| text.ends_with(|c: char| c.is_ascii_alphabetic());
    map_opt(preceded(multispace0, written), |text: &str| {
        parse_duration(text).ok().filter(|_| with_unit(text))
    })
    .parse(text)
}

/// What may stand behind a comparison.
enum Addition {
    Endpoint(String),
    Window(Duration),
}

fn addition(text: &str) -> Read<'_, Addition> {
    let endpoint =
        cut(context("the id of an endpoint", name)).map(|id: &str| Addition::Endpoint(id.to_owned()));
    let long_enough = map_opt(duration, |window| (!window.is_zero()).then_some(window));
    let window = cut(context("a time such as `30s`", long_enough)).map(Addition::Window);
    let behind = |word| preceded(multispace0, tag(word));
    alt((preceded(behind("on "), endpoint), preceded(behind("for "), window))).parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_as_people_write_them() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let condition = parse(text).unwrap_or_else(|wrong| panic!("{wrong}"));
            assert_eq!(condition.to_string(), expected);
            assert_eq!(parse(expected).as_ref(), Ok(&condition), "what is printed means the same");
        }
        check("p95(response_time) < 2 x baseline", "p95(response_time) < 2 x baseline");
        check("p99.9( service_time )<=1.5s", "p99.9(service_time) <= 1.5s");
        check("p99(response_time) < 800ms on get_item", "p99(response_time) < 800ms on get_item");
        check("error_rate < 1 %", "error_rate < 1%");
        check("error_rate<0.01", "error_rate < 1%");
        check("error_rate > 5% for 30s", "error_rate > 5% for 30s");
        check("p99(response_time) > 2s for 60s on get_item", "p99(response_time) > 2s on get_item for 1m");
        check("status(503) > 10% for 90s", "status(503) > 10% for 1m30s");
        check("status( NOT_FOUND ) < 2%", "status(NOT_FOUND) < 2%");
        check("rate > 95", "rate > 95/s");
        check("rate >= 95.5 /s on get_item", "rate >= 95.5/s on get_item");
        check("mean(chain_time) < 20ms", "mean(chain_time) < 20ms");
        check(" max(send_delay) < 5ms ", "max(send_delay) < 5ms");
        check("p50(chain_time) < 1.5x baseline on a", "p50(chain_time) < 1.5 x baseline on a");
    }

    #[test]
    fn what_is_no_condition_is_named_where_it_goes_wrong() {
        #[track_caller]
        fn check(text: &str, found: &str, at: usize, expected: &str) {
            let wrong = parse(text).unwrap_err();
            assert_eq!((wrong.found.as_str(), wrong.at), (found, at), "{wrong}");
            assert!(wrong.expected.contains(expected), "{wrong}");
        }
        check("", "nothing", 1, "a metric");
        check("p95(respons_time) < 1s", "`respons_time)`", 5, "`response_time`");
        check("p100(response_time) < 1s", "`p100(response_time)`", 1, "a metric");
        check("p95(response_time) = 1s", "`=`", 20, "`<`");
        check("p95(response_time) < fast", "`fast`", 22, "a value");
        check("error_rate < 1% for a while", "`a`", 21, "a time");
        check("error_rate < 1% or so", "`or`", 17, "`for TIME`");
        check("error_rate < 1% on", "`on`", 17, "`on ENDPOINT`");
        check("error_rate < 1% for 0s", "`0s`", 21, "a time");
        check("error_rate < 1s", "`1s`", 1, "a share");
        check("error_rate < 5", "`5/s`", 1, "a share");
        check("rate > 5%", "`5%`", 1, "a rate");
        check("p95(response_time) < 800", "`800/s`", 1, "a time");
        check("max(response_time) < 2 x baseline", "`2 x baseline`", 1, "a time");
        check("p95(send_delay) < 2 x baseline", "`2 x baseline`", 1, "a time");
        check("status(99) > 1%", "`99)`", 8, "a status");
        check("status(NOT_FOND) > 1%", "`NOT_FOND)`", 8, "a status");
    }

    #[test]
    fn no_text_panics() {
        for text in
            ["é < 1", "p(", "p.(response_time) < 1", "rate > ...", "p95(response_time) < é", "rate > 1 on é"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn comparisons_hold_or_not() {
        let holds = |sign: &str, left| parse(&format!("rate {sign} 2")).unwrap().comparison.holds(left, 2.0);
        let table = [
            ("<", [true, false, false]),
            ("<=", [true, true, false]),
            (">", [false, false, true]),
            (">=", [false, true, true]),
        ];
        for (sign, expected) in table {
            assert_eq!([1.0, 2.0, 3.0].map(|left| holds(sign, left)), expected, "{sign}");
        }
    }
}
