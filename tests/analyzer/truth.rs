//! Recovery: the sample gives back what it was drawn from (`samples/shop.truth.json`).
//!
//! A single log has sampling error, and no estimator can take it away. Where a figure is compared with the law that the
//! log was drawn from, the bound is what a right estimator keeps with a probability of 0.999 ([`Z`] standard errors);
//! where it is compared with what was drawn, the bound is what the profile's own rounding leaves.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;
use shared::Profile;
use shared::arrivals::WeekCurve;
use shared::distribution::{Law, normal_cdf};
use shared::endpoint::Endpoint;
use shared::session::END;
use shared::think::{GapKind, ThinkTime};
use shared::units::{Weekday, round_count};

use crate::support::{RawLine, analyze, sample, sample_gz, sample_settings, truth};

/// Standard errors that a normal estimate exceeds once in a thousand times, on either side.
const Z: f64 = 3.29;

static TRUTH: LazyLock<Value> = LazyLock::new(truth);
/// The categories are one state of the true chain, but twelve words in the log.
static PROFILE: LazyLock<Profile> = LazyLock::new(|| {
    let mut settings = sample_settings(vec![sample_gz()]);
    settings.model.routes = vec!["/c/{category}".parse().unwrap()];
    analyze(&settings)
});

fn count(path: &str) -> u64 {
    TRUTH.pointer(path).unwrap().as_u64().unwrap()
}

fn float(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// Every state of the true chain, such as `GET /cart`, with the endpoint that was found for it.
fn endpoints() -> Vec<(String, &'static Endpoint)> {
    let states = TRUTH["endpoints"].as_array().unwrap().iter();
    states
        .map(|state| {
            let (method, route) = (state["method"].as_str().unwrap(), state["route"].as_str().unwrap());
            let found = PROFILE.endpoints.iter().find(|found| found.method == method && found.route == route);
            (format!("{method} {route}"), found.unwrap_or_else(|| panic!("no endpoint {method} {route}")))
        })
        .collect()
}

fn true_endpoint(name: &str) -> &'static Value {
    let states = TRUTH["endpoints"].as_array().unwrap();
    let named = |state: &&Value| {
        format!("{} {}", state["method"].as_str().unwrap(), state["route"].as_str().unwrap()) == name
    };
    states.iter().find(named).unwrap()
}

/// Pages that were broken into the log and still have the form of the format: three of Latin-1 letters, two far too
/// long searches. They are requests, and no session of the truth has them.
fn strays(endpoint: &str) -> u64 {
    match endpoint {
        "GET /" => count("/counts/broken_lines_by_kind/invalid_utf8"),
        "GET /search" => count("/counts/broken_lines_by_kind/overlong"),
        _ => 0,
    }
}

#[test]
fn every_line_is_accounted_for() {
    let source = &PROFILE.source;
    let of = |path: &str| count(&format!("/counts/{path}"));
    assert_eq!(source.lines, of("lines"));
    assert_eq!(source.excluded["static"], of("static_files"));
    assert_eq!(source.excluded["bots"], of("bots") + of("scanner"));
    assert_eq!(source.excluded["health_checks"], of("health_checks"));
    let broken = |kind: &str| of(&format!("broken_lines_by_kind/{kind}"));
    let rejected = |reason: &str| source.rejected.get(reason).copied().unwrap_or(0);
    assert_eq!(rejected("blank"), broken("empty"));
    assert_eq!(rejected("binary"), broken("nul_bytes"));
    // Somebody who sends something else than HTTP has an answer, and so is a request, if none of a page.
    assert_eq!(source.excluded["unreadable"], broken("binary_request") + broken("no_request"));
    // A line that is cut inside its stamp does not look like the format at all.
    assert_eq!(rejected("truncated"), broken("cut_in_request"));
    assert_eq!(rejected("other_format"), broken("error_log") + broken("cut_in_stamp"));
    let reasons = source.rejected.iter().filter(|(reason, _)| *reason != "total");
    assert_eq!(reasons.map(|(_, n)| n).sum::<u64>(), source.rejected["total"]);
    assert_eq!(source.requests + source.rejected["total"], source.lines);
    let pages =
        of("human_pages") + of("mail_links") + of("tools") + broken("invalid_utf8") + broken("overlong");
    assert_eq!(source.requests - source.excluded.values().sum::<u64>(), pages);
}

#[test]
fn sessions_are_those_that_were_drawn() {
    let (found, drawn) = (PROFILE.source.sessions as f64, count("/counts/sessions") as f64);
    assert!((found / drawn - 1.0).abs() < 0.02, "{found} {drawn}");
}

#[test]
fn endpoints_have_the_requests_weights_and_statuses_that_were_drawn() {
    let drawn_pages: f64 = count("/counts/human_pages") as f64;
    for (name, endpoint) in endpoints() {
        let state = true_endpoint(&name);
        let requests = state["requests"].as_u64().unwrap() + strays(&name);
        assert_eq!(endpoint.requests, round_count(requests), "{name}");
        // The whole also holds mail links and strays: less than one request in five hundred.
        let weight = requests as f64 / drawn_pages;
        assert!(
            (endpoint.weight / weight - 1.0).abs() < 0.002 + 1e-4 / weight,
            "{name}: {}",
            endpoint.weight
        );
        // A code behind which there are fewer than k clients may be missing, and the others then share what it had.
        let drawn = state["status_counts"].as_object().unwrap();
        let published = || drawn.iter().filter(|(code, _)| endpoint.status.contains_key(*code));
        let total: f64 = published().map(|(_, n)| float(n)).sum();
        for (code, n) in published() {
            let (found, share) = (endpoint.status[code], float(n) / total);
            assert!((found - share).abs() < 5e-4, "{name} {code}: {found} {share}");
        }
        for (code, n) in drawn.iter().filter(|(code, _)| !endpoint.status.contains_key(*code)) {
            assert!(float(n) < 12.0, "{name} {code} is missing");
        }
    }
}

/// Wilson score interval of a share of `n` at 95 %.
fn wilson(p: f64, n: f64) -> (f64, f64) {
    let z = 1.959_963_984_540_054;
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    (centre - half, centre + half)
}

#[test]
fn wilson_has_the_reference_value() {
    let (low, high) = wilson(30.0 / 200.0, 200.0);
    assert!((low - 0.107_135_936).abs() < 1e-8 && (high - 0.206_055_793).abs() < 1e-8, "{low} {high}");
}

/// A start or a step.
struct Cell {
    from: String,
    to: String,
    /// Its true probability.
    p: f64,
    /// How often it was drawn.
    drawn: f64,
    /// How often anything was drawn from there.
    row: f64,
    /// The probability found.
    found: f64,
}

fn cells() -> Vec<Cell> {
    let class = &PROFILE.classes[0];
    let mut ids: BTreeMap<String, &str> =
        endpoints().into_iter().map(|(name, found)| (name, found.id.as_str())).collect();
    ids.insert(END.to_owned(), END);
    let chain = &TRUTH["chain"];
    let mut rows =
        vec![("START".to_owned(), &chain["start"], &chain["counts"]["start"], class.start.clone())];
    for (from, next) in chain["next"].as_object().unwrap() {
        rows.push((from.clone(), next, &chain["counts"]["next"][from], class.chain[ids[from]].next.clone()));
    }
    let mut cells = Vec::new();
    for (from, probabilities, counts, found) in rows {
        let row: f64 = counts.as_object().unwrap().values().map(float).sum();
        // Mail links, tools and strays begin sessions too, but not on the chain: shares are of those that do.
        let in_chain: f64 = match from.as_str() {
            "START" => ids.values().filter_map(|id| found.get(*id)).sum(),
            _ => 1.0,
        };
        for (to, p) in probabilities.as_object().unwrap() {
            let drawn = counts.get(to).map_or(0.0, float);
            let found = found.get(ids[to]).copied().unwrap_or(0.0) / in_chain;
            cells.push(Cell { from: from.clone(), to: to.clone(), p: float(p), drawn, row, found });
        }
    }
    cells
}

/// The cells whose true probability lies outside the 95 % interval of `share`.
fn missed(cells: &[Cell], share: impl Fn(&Cell) -> f64) -> Vec<String> {
    let outside = |cell: &&Cell| {
        let (low, high) = wilson(share(cell), cell.row);
        !(low..=high).contains(&cell.p)
    };
    let shown = |cell: &Cell| format!("{} -> {}: true {}, found {}", cell.from, cell.to, cell.p, cell.found);
    cells.iter().filter(outside).map(shown).collect()
}

/// Goal 1 of the method: true probabilities lie in the 95 % interval of what was found, in 93 % of the cells at least.
///
/// That is a goal for many logs. In one log of some fifty cells even an estimator that sees all that was drawn has less
/// than 93 % every fourth time, so where the draws themselves fall short, what was found may fall as short as they do;
/// but never short of 0.84, which chance alone reaches once in a thousand times.
#[test]
fn the_chain_comes_back() {
    let cells: Vec<Cell> = cells().into_iter().filter(|cell| cell.row >= 30.0).collect();
    let by_chance = missed(&cells, |cell| cell.drawn / cell.row).len();
    let missed = missed(&cells, |cell| cell.found);
    let covered = 1.0 - missed.len() as f64 / cells.len() as f64;
    assert!(cells.len() > 40 && covered >= 0.84, "{covered:.3} of {}\n{}", cells.len(), missed.join("\n"));
    assert!(
        covered >= 0.93 || missed.len() <= by_chance,
        "{} missed, {by_chance} by chance:\n{}",
        missed.len(),
        missed.join("\n")
    );
}

/// Against what was drawn there is no sampling error left: the difference is what reading a log loses, which is the
/// order of pages inside a second and sessions of one address that run into each other.
#[test]
fn little_of_the_chain_is_lost_on_the_way_through_the_log() {
    for Cell { from, to, drawn, row, found, .. } in cells() {
        let share = drawn / row;
        assert!((found - share).abs() < 0.005, "{from} -> {to}: drawn {share:.4}, found {found}");
    }
}

/// Steps that nobody can make do not come out of the log either.
#[test]
fn steps_that_were_impossible_stay_rare() {
    let class = &PROFILE.classes[0];
    let ids: BTreeMap<String, &str> =
        endpoints().into_iter().map(|(name, found)| (name, found.id.as_str())).collect();
    for (from, next) in TRUTH["chain"]["next"].as_object().unwrap() {
        for (to, id) in &ids {
            let found = class.chain[ids[from]].next.get(*id).copied().unwrap_or(0.0);
            assert!(next.get(to).is_some() || found < 0.01, "{from} -> {to}: {found}");
        }
    }
}

/// Standard errors of the log-median and of sigma for a log-normal seen through whole-second stamps, by the Fisher
/// information of the triangular kernel: no unbiased estimator does better (Cramér and Rao).
fn standard_errors(mu: f64, sigma: f64, n: f64) -> (f64, f64) {
    let density = |mu: f64, sigma: f64, x: f64| {
        let integrated = |x: f64| {
            if x <= 0.0 {
                return 0.0;
            }
            let z = (x.ln() - mu) / sigma;
            x * normal_cdf(z) - (mu + 0.5 * sigma * sigma).exp() * normal_cdf(z - sigma)
        };
        integrated(x + 1.0) - 2.0 * integrated(x) + integrated(x - 1.0)
    };
    let (step, nudge) = (0.01, 1e-4);
    let (mut mm, mut ms, mut ss) = (0.0, 0.0, 0.0);
    for i in 0..20_000 {
        let x = -1.0 + (f64::from(i) + 0.5) * step;
        let p = density(mu, sigma, x);
        if p < 1e-9 {
            continue;
        }
        let by_mu = (density(mu + nudge, sigma, x) - density(mu - nudge, sigma, x)) / (2.0 * nudge);
        let by_sigma = (density(mu, sigma + nudge, x) - density(mu, sigma - nudge, x)) / (2.0 * nudge);
        mm += by_mu * by_mu / p * step;
        ms += by_mu * by_sigma / p * step;
        ss += by_sigma * by_sigma / p * step;
    }
    let determinant = mm * ss - ms * ms;
    ((ss / determinant / n).sqrt(), (mm / determinant / n).sqrt())
}

/// Without the stamps in the way, the errors are those of a normal sample, a little smaller.
#[test]
fn standard_errors_are_near_those_of_exact_gaps_when_gaps_are_long() {
    let (of_median, of_sigma) = standard_errors(f64::ln(30.0), 0.5, 10_000.0);
    assert!((of_median / 0.005 - 1.0).abs() < 0.02, "{of_median}");
    assert!((of_sigma / (0.5 / 20_000_f64.sqrt()) - 1.0).abs() < 0.05, "{of_sigma}");
}

/// Half the distance in logarithms between the quantiles at one standard deviation below and above the median: sigma
/// of a log-normal, whatever the family that was fitted.
fn spread(law: &Law) -> f64 {
    (law.quantile(normal_cdf(1.0)) / law.quantile(normal_cdf(-1.0))).ln() / 2.0
}

#[track_caller]
fn check_think_time(found: &ThinkTime, truth: &Value) {
    let (mu, sigma, n) = (float(&truth["mu"]), float(&truth["sigma"]), float(&truth["pauses"]));
    let law = found.law.as_ref().unwrap();
    let (of_median, of_sigma) = standard_errors(mu, sigma, n);
    let (median, spread) = (law.quantile(0.5).ln() - mu, spread(law) - sigma);
    assert_eq!(found.kind, GapKind::Think);
    // Goal 4: a bias of 1 % and 2 % at most, on top of what chance does.
    assert!(median.abs() < 0.01 + Z * of_median, "median off by {median:.4}, se {of_median:.4}: {law:?}");
    assert!(
        spread.abs() < sigma * 0.02 + Z * of_sigma,
        "sigma off by {spread:.4}, se {of_sigma:.4}: {law:?}"
    );
}

#[test]
fn think_times_come_back_and_the_checkout_form_has_its_own() {
    let class = &PROFILE.classes[0];
    let [browsing, checkout] = TRUTH["think_times"].as_array().unwrap().as_slice() else { panic!() };
    for (name, endpoint) in endpoints() {
        let think_time = class.think_time.after(&endpoint.id);
        if name == "GET /checkout" {
            assert_ne!(think_time, class.think_time.default);
            check_think_time(&PROFILE.think_times[think_time], checkout);
        } else {
            assert_eq!(think_time, class.think_time.default, "{name} is like the others");
        }
    }
    check_think_time(&PROFILE.think_times[&class.think_time.default], browsing);
}

/// Goal 10: the error of the curve is at most twice what Poisson counts alone make of it.
#[test]
fn the_arrival_curve_comes_back() {
    let arrivals = &TRUTH["arrivals"];
    let spacing_s = float(&arrivals["knots_every_s"]);
    let knots = Weekday::ALL.iter().flat_map(|day| {
        arrivals["week"][day.name()].as_array().unwrap().iter().map(float).collect::<Vec<f64>>()
    });
    let expected = WeekCurve::new(spacing_s, knots.collect()).unwrap();
    let found = PROFILE.arrivals.curve().unwrap();
    // Days that share a shape are counted together, and the floor is lower by that.
    let shared_by = |key: &str| PROFILE.arrivals.shared_shape.get(key) == Some(&true);
    let days_together =
        |at_s: f64| match (shared_by("all_days"), shared_by("weekdays"), at_s < 5.0 * 86_400.0) {
            (true, ..) => 7.0,
            (_, true, true) => 5.0,
            (_, true, false) => 2.0,
            _ => 1.0,
        };
    let (mut squared_error, mut floor) = (0.0, 0.0);
    let mut at_s = 0.0;
    while at_s < 604_800.0 {
        let rate = expected.rate_per_s(at_s);
        squared_error += (found.rate_per_s(at_s) - rate).powi(2);
        // Variance of a rate counted from one knot to the next.
        floor += rate / spacing_s / days_together(at_s);
        at_s += spacing_s;
    }
    let ratio = (squared_error / floor).sqrt();
    assert!(ratio < 2.0, "{ratio:.2} times the Poisson floor");
    // The level: extra sessions are mail links, tools and strays.
    let level = found.per_week() / expected.per_week();
    let chance = Z / expected.per_week().sqrt();
    assert!((level - 1.0).abs() < 0.02 + chance, "{level:.4}");
    // The largest of many uncertain rates is more than the largest rate: one standard error of a knot is 6 % here.
    let (peak_per_s, at_s) = expected.peak();
    assert!((PROFILE.arrivals.peak.rate_per_s / peak_per_s - 1.0).abs() < 0.2, "{peak_per_s} at {at_s}");
}

/// The durations of the raw lines, cut out of them by hand.
fn durations_s() -> BTreeMap<String, Vec<f64>> {
    let names: Vec<String> = endpoints().into_iter().map(|(name, _)| name).collect();
    let mut found: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for line in sample().split(|byte| *byte == b'\n') {
        let Ok(line) = std::str::from_utf8(line) else { continue };
        let Some(raw) = RawLine::new(line) else { continue };
        if raw.user_agent.contains("bot") || raw.user_agent.contains("zgrab") {
            continue;
        }
        let path = raw.path().split(';').next().unwrap_or_default();
        let route = match path.rsplit_once('/').unwrap_or_default() {
            ("/c", _) => "/c/{category}",
            ("/p", _) => "/p/{slug}",
            ("/orders", _) => "/orders/{int}",
            ("/account", _) => "/account/{uuid}",
            _ => path,
        };
        let name = format!("{} {route}", raw.method);
        if names.contains(&name)
            && let Ok(duration_s) = raw.rest.trim().parse()
        {
            found.entry(name).or_default().push(duration_s);
        }
    }
    found
}

#[test]
fn service_times_are_those_of_the_lines_and_of_the_law() {
    let mut durations_s = durations_s();
    for (name, endpoint) in endpoints() {
        let found = endpoint.service_time_s.as_ref().unwrap();
        let drawn = durations_s.get_mut(&name).unwrap();
        drawn.sort_by(f64::total_cmp);
        // Two percent for the bins of the histogram, half a percent for the three digits that are published.
        for (q, quantile) in [(0.5, Some(found.p50)), (0.95, found.p95), (0.99, found.p99)] {
            let Some(quantile) = quantile else { continue };
            let exact = drawn[(q * drawn.len() as f64) as usize];
            // Far out, bins are put together until k clients stand behind them, which takes a few percent of the
            // values of the smallest endpoint.
            let bound = [0.025, 0.05, 0.12][usize::from(q > 0.5) + usize::from(q > 0.95)];
            assert!((quantile / exact - 1.0).abs() < bound, "{name} {q}: {quantile} {exact}");
        }
        let law = &true_endpoint(&name)["service_time_s"];
        let (median, sigma) = (float(&law["median"]), float(&law["sigma"]));
        // The median of a log-normal sample has the standard error σ √(π/2n); a millisecond is the grain of the log.
        let error = sigma * (std::f64::consts::PI / 2.0 / drawn.len() as f64).sqrt();
        let bound = 0.025 + Z * error + 0.0005 / median;
        assert!((found.p50 / median - 1.0).abs() < bound, "{name}: {} {median}", found.p50);
    }
}

#[test]
fn sizes_come_back() {
    for (name, endpoint) in endpoints() {
        let found = endpoint.response_bytes.as_ref().unwrap();
        let law = &true_endpoint(&name)["response_bytes"];
        let (median, sigma) = (float(&law["median"]), float(&law["sigma"]));
        let n = true_endpoint(&name)["requests"].as_f64().unwrap();
        let bound = 0.025 + Z * sigma * (std::f64::consts::PI / 2.0 / n).sqrt();
        assert!((found.p50 / median - 1.0).abs() < bound, "{name}: {} {median}", found.p50);
    }
}
