//! Meaning: everything in a well-formed profile that contradicts itself, at once.

use std::collections::{BTreeMap, BTreeSet};

use crate::arrivals::{Arrivals, Burstiness, DAY_S};
use crate::clients::{ClientShare, Clients, is_country};
use crate::distribution::LogHistogram;
use crate::endpoint::{Endpoint, Summary};
use crate::error::{Violation, nearest};
use crate::profile::Profile;
use crate::request::{Extract, Login, RequestTemplate};
use crate::session::{Class, END, LEADS_TO, OTHER};
use crate::status::{self, Status};
use crate::units::Weekday;

/// How far probabilities that should add up to 1 may be off: they are published rounded, and edited by hand.
const SUM_TOLERANCE: f64 = 0.005;
/// The most values that a histogram may hold: up to here, every count is exact as a float too.
const MOST_VALUES: u64 = 1 << f64::MANTISSA_DIGITS;

/// Everything that is wrong with `profile`; empty when it can be executed.
pub fn validate(profile: &Profile) -> Vec<Violation> {
    let mut check = Check::default();
    check.not_negative("/source/session_rule/gap_s", profile.source.session_rule.gap_s);
    if let Some(sampling) = &profile.source.sampling {
        if !(sampling.weight_mean.is_finite() && sampling.weight_mean >= 1.0) {
            check.wrong("/source/sampling/weight_mean", sampling.weight_mean, "a number >= 1");
        }
        check.share("/source/sampling/unknown_share", sampling.unknown_share);
    }
    if let Some(share) = profile.source.shared_clients_share {
        check.share("/source/shared_clients_share", share);
    }
    if profile.source.hosts.as_ref().is_some_and(|hosts| !hosts.is_proper()) {
        check.wrong(
            "/source/hosts",
            "other text",
            "a salt of 32 and hashes of 12 hexadecimal digits, in lower case",
        );
    }
    if let Some(routes) = &profile.source.routes {
        let shares = [("given", routes.given), ("export", routes.export), ("inferred", routes.inferred)];
        shares.iter().for_each(|(way, share)| check.share(&format!("/source/routes/{way}"), *share));
        check.sum("/source/routes", "the shares of all ways", shares.iter().map(|(_, share)| *share));
    }
    let ids: BTreeSet<&str> = profile.endpoints.iter().map(|endpoint| endpoint.id.as_str()).collect();
    check.endpoints(&profile.endpoints, &ids);
    if let Some(sessions) = &profile.sessions {
        check.not_negative("/sessions/requests/mean", sessions.requests.mean);
        check.summary("/sessions/duration_s", &sessions.duration_s);
    }
    profile.clients.iter().for_each(|clients| check.clients(clients));
    let think_times: BTreeSet<&str> = profile.think_times.keys().map(String::as_str).collect();
    if profile.classes.is_empty() {
        check.wrong("/classes", "an empty list", "at least one class");
    }
    check.sum("/classes", "the weights of all classes", profile.classes.iter().map(|class| class.weight));
    for (i, class) in profile.classes.iter().enumerate() {
        check.class(&format!("/classes/{i}"), class, &ids, &think_times);
    }
    for (name, think_time) in &profile.think_times {
        let place = format!("/think_times/{name}");
        match (&think_time.law, &think_time.histogram) {
            (None, None) => check.wrong(&place, "neither `law` nor `histogram`", "one of them"),
            (Some(law), _) if !law.is_proper() => {
                check.wrong(
                    &format!("{place}/law"),
                    "parameters out of range",
                    "finite numbers, scales above 0",
                );
            }
            _ => {}
        }
        think_time
            .histogram
            .iter()
            .for_each(|histogram| check.histogram(&format!("{place}/histogram"), histogram));
    }
    check.arrivals(&profile.arrivals);
    if let Some(login) = &profile.login {
        check.login(login, &ids);
    }
    for name in profile.feeds.keys().filter(|name| !is_name(name)) {
        check.wrong(&format!("/feeds/{name}"), format!("`{name}`"), NAME);
    }
    for (i, background) in profile.background.iter().enumerate() {
        let place = format!("/background/{i}");
        check.reference(&format!("{place}/endpoint"), &background.endpoint, &ids, "endpoint");
        check.positive(&format!("{place}/period_s"), background.period_s);
        if background.clients == 0 {
            check.wrong(&format!("{place}/clients"), 0, "at least 1");
        }
    }
    check.violations
}

/// Headers that follow from the connection, the target and the run.
const OWN_HEADERS: [&str; 9] = [
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Upgrade",
    "TE",
    "User-Agent",
    "X-Load-Run",
    "X-Loadprint-Session",
];

/// What a name in a template may be.
const NAME: &str = "a name of letters, digits and `_` that begins with a letter";

/// Can templates use it as a name?
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Is it a token of HTTP (RFC 9110, 5.6.2)?
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}

#[derive(Default)]
struct Check {
    violations: Vec<Violation>,
}

impl Check {
    fn endpoints(&mut self, endpoints: &[Endpoint], ids: &BTreeSet<&str>) {
        if endpoints.is_empty() {
            self.wrong("/endpoints", "an empty list", "at least one endpoint");
        }
        let mut seen = BTreeSet::new();
        for (i, endpoint) in endpoints.iter().enumerate() {
            let place = format!("/endpoints/{i}");
            if !seen.insert(endpoint.id.as_str()) {
                self.wrong(
                    &format!("{place}/id"),
                    format!("`{}` a second time", endpoint.id),
                    "ids used once",
                );
            }
            let reserved = endpoint.id == END || endpoint.id == OTHER || endpoint.id.contains(LEADS_TO);
            if reserved || endpoint.id.is_empty() {
                self.wrong(
                    &format!("{place}/id"),
                    format!("`{}`", endpoint.id),
                    "a name other than `END` and `other`, without ` > `",
                );
            }
            if let Some(expected) = wrong_route(&endpoint.route) {
                self.wrong(
                    &format!("{place}/route"),
                    format!("`{}`", endpoint.route.escape_debug()),
                    expected,
                );
            }
            if !is_token(&endpoint.method) {
                self.wrong(&format!("{place}/method"), format!("`{}`", endpoint.method), "an HTTP method");
            }
            self.share(&format!("{place}/weight"), endpoint.weight);
            self.status(&format!("{place}/status"), &endpoint.status);
            for (name, summary) in
                [("response_bytes", &endpoint.response_bytes), ("service_time_s", &endpoint.service_time_s)]
            {
                summary.iter().for_each(|summary| self.summary(&format!("{place}/{name}"), summary));
            }
            if let Some(request) = &endpoint.request {
                self.request(&format!("{place}/request"), request, endpoint);
            }
            for (j, companion) in endpoint.companions.iter().enumerate() {
                let here = format!("{place}/companions/{j}");
                self.reference(&format!("{here}/endpoint"), &companion.endpoint, ids, "endpoint");
                self.share(&format!("{here}/probability"), companion.probability);
                if endpoint.companions[..j].iter().any(|before| before.endpoint == companion.endpoint) {
                    let found = format!("`{}` a second time", companion.endpoint);
                    self.wrong(&format!("{here}/endpoint"), found, "companions named once");
                }
                if let Some(count) = companion.count.filter(|count| !(count.is_finite() && *count >= 1.0)) {
                    self.wrong(&format!("{here}/count"), count, "a number >= 1");
                }
                for (quantile, offset_s) in &companion.offset_s {
                    let here = format!("{here}/offset_s/{quantile}");
                    self.not_negative(&here, *offset_s);
                    if !matches!(quantile.as_str(), "p50" | "p95") {
                        self.wrong(&here, format!("`{quantile}`"), "`p50` or `p95`");
                    }
                }
            }
        }
    }

    fn request(&mut self, place: &str, request: &RequestTemplate, endpoint: &Endpoint) {
        for name in request.headers.keys() {
            let here = format!("{place}/headers/{name}");
            let found = || format!("`{}`", name.escape_debug());
            if !is_token(name) {
                self.wrong(&here, found(), "the name of a header");
            } else if OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
                self.wrong(&here, found(), "a header that the replayer does not write itself");
            }
        }
        let bodies = [
            ("`body`", request.body.is_some()),
            ("`graphql`", request.graphql.is_some()),
            ("`grpc`", request.grpc.is_some()),
        ];
        let bodies: Vec<&str> =
            bodies.into_iter().filter_map(|(name, is_there)| is_there.then_some(name)).collect();
        if bodies.len() > 1 {
            self.wrong(place, bodies.join(" and "), "one of them");
        }
        if let Some(graphql) = &request.graphql
            && !graphql.document.contains(graphql.operation.as_str())
        {
            let found = format!("`{}`", graphql.operation);
            self.wrong(&format!("{place}/graphql/operation"), found, "an operation of the document");
        }
        if let Some(grpc) = &request.grpc {
            let here = format!("{place}/grpc");
            if endpoint.method != "POST" {
                self.wrong(
                    &here,
                    format!("a call by `{}`", endpoint.method),
                    "the method `POST`, as all calls of gRPC have",
                );
            }
            match (&grpc.method, grpc.called(&endpoint.route)) {
                (_, Some(_)) => {}
                (Some(method), None) => {
                    let found = format!("`{}`", method.escape_debug());
                    self.wrong(
                        &format!("{here}/method"),
                        found,
                        "service and method such as `shop.Catalog/GetProduct`",
                    );
                }
                (None, None) => {
                    let expected =
                        "`method`, since the route does not end with the names of a service and a method";
                    self.wrong(&here, "no `method`", expected);
                }
            }
        }
    }

    fn login(&mut self, login: &Login, ids: &BTreeSet<&str>) {
        self.reference("/login/endpoint", &login.endpoint, ids, "endpoint");
        for (name, extract) in &login.extract {
            let here = format!("/login/extract/{name}");
            if !is_name(name) {
                self.wrong(&here, format!("`{name}`"), NAME);
            }
            match extract {
                Extract::Json(pointer) if !pointer.is_empty() && !pointer.starts_with('/') => {
                    self.wrong(&here, format!("`{pointer}`"), "a JSON pointer such as `/data/token`");
                }
                Extract::Header(header) | Extract::Cookie(header) if !is_token(header) => {
                    self.wrong(
                        &here,
                        format!("`{}`", header.escape_debug()),
                        "the name of a header or cookie",
                    );
                }
                Extract::Json(_) | Extract::Regex(_) | Extract::Header(_) | Extract::Cookie(_) => {}
            }
        }
    }

    fn status(&mut self, place: &str, status: &BTreeMap<String, f64>) {
        for code in status.keys() {
            if code.parse::<Status>().is_err() {
                self.wrong(&format!("{place}/{code}"), format!("`{code}`"), status::EXPECTED);
            }
        }
        self.sum(place, "the shares of all status codes", status.values().copied());
    }

    fn summary(&mut self, place: &str, summary: &Summary) {
        for (name, value) in [("p50", Some(summary.p50)), ("p95", summary.p95), ("p99", summary.p99)] {
            value.into_iter().for_each(|value| self.not_negative(&format!("{place}/{name}"), value));
        }
        self.histogram(&format!("{place}/histogram"), &summary.histogram);
    }

    fn histogram(&mut self, place: &str, histogram: &LogHistogram) {
        let error = histogram.relative_error;
        if !(error > 0.0 && error < 0.5) {
            self.wrong(&format!("{place}/relative_error"), error, "a number above 0 and below 0.5");
        }
        match histogram.count() {
            0 => self.wrong(&format!("{place}/bins"), "no values", "at least one bin with a count"),
            1..=MOST_VALUES => {}
            count => {
                let found = format!("{count} values or more");
                self.wrong(&format!("{place}/bins"), found, format!("at most {MOST_VALUES}"));
            }
        }
    }

    fn clients(&mut self, clients: &Clients) {
        let Clients { browsers, devices, systems, countries } = clients;
        let named = |(name, share): (&'static str, &ClientShare)| (name.to_owned(), *share);
        self.client_shares("browsers", browsers.iter().map(|(is, share)| named((is.name(), share))));
        self.client_shares("devices", devices.iter().map(|(is, share)| named((is.name(), share))));
        self.client_shares("systems", systems.iter().map(|(is, share)| named((is.name(), share))));
        self.client_shares("countries", countries.iter().map(|(code, share)| (code.clone(), *share)));
        for code in countries.keys().filter(|code| !is_country(code)) {
            let found = format!("`{}`", code.escape_debug());
            let expected = "two capital letters, `unknown` or `other`";
            self.wrong(&format!("/clients/countries/{code}"), found, expected);
        }
    }

    fn client_shares(&mut self, by: &str, shares: impl Iterator<Item = (String, ClientShare)>) {
        let shares: Vec<(String, ClientShare)> = shares.collect();
        if shares.is_empty() {
            return;
        }
        for (name, share) in &shares {
            self.share(&format!("/clients/{by}/{name}/sessions"), share.sessions);
            self.share(&format!("/clients/{by}/{name}/requests"), share.requests);
        }
        let place = format!("/clients/{by}");
        self.sum(&place, "the shares of sessions", shares.iter().map(|(_, share)| share.sessions));
        self.sum(&place, "the shares of requests", shares.iter().map(|(_, share)| share.requests));
    }

    fn class(&mut self, place: &str, class: &Class, ids: &BTreeSet<&str>, think_times: &BTreeSet<&str>) {
        self.share(&format!("{place}/weight"), class.weight);
        self.row(&format!("{place}/start"), &class.start, class, ids);
        for (id, state) in &class.chain {
            if id != OTHER {
                self.reference(&format!("{place}/chain/{id}"), id, ids, "endpoint");
            }
            self.row(&format!("{place}/chain/{id}/next"), &state.next, class, ids);
        }
        for (i, context) in class.contexts.iter().enumerate() {
            let here = format!("{place}/contexts/{i}");
            for id in &context.after {
                self.reference(&format!("{here}/after"), id, ids, "endpoint");
            }
            self.row(&format!("{here}/next"), &context.next, class, ids);
        }
        self.reference(
            &format!("{place}/think_time/default"),
            &class.think_time.default,
            think_times,
            "think time",
        );
        for (id, name) in &class.think_time.on {
            let here = format!("{place}/think_time/on/{id}");
            let (from, to) =
                id.split_once(LEADS_TO).map_or((id.as_str(), None), |(from, to)| (from, Some(to)));
            for id in std::iter::once(from).chain(to).filter(|id| *id != OTHER) {
                self.reference(&here, id, ids, "endpoint");
            }
            self.reference(&here, name, think_times, "think time");
        }
        if let Some(pace) = class.pace.filter(|pace| !(-1.0..=1.0).contains(pace)) {
            self.wrong(&format!("{place}/pace"), pace, "a correlation from -1 to 1");
        }
        for id in endless(class) {
            self.violations.push(
                Violation::new(
                    format!("{place}/chain/{id}"),
                    "a state that never reaches `END`",
                    "a way to `END`",
                )
                .hint("a session that comes here would never end; give `END` a share in one of the rows"),
            );
        }
    }

    /// A row of probabilities: known targets, each with a row of its own, adding up to 1.
    fn row(&mut self, place: &str, row: &BTreeMap<String, f64>, class: &Class, ids: &BTreeSet<&str>) {
        for (id, probability) in row {
            let here = format!("{place}/{id}");
            self.share(&here, *probability);
            if id == END {
                continue;
            }
            if id != OTHER {
                self.reference(&here, id, ids, "endpoint");
            }
            let known = id == OTHER || ids.contains(id.as_str());
            if known && !class.chain.contains_key(id) {
                self.wrong(&here, format!("`{id}`, which has no row in `chain`"), "a state that leads on");
            }
        }
        self.sum(place, "the probabilities of the row", row.values().copied());
    }

    fn arrivals(&mut self, arrivals: &Arrivals) {
        let place = "/arrivals";
        let every = arrivals.knots_every_s;
        if every == 0 || !DAY_S.is_multiple_of(every) {
            self.wrong(&format!("{place}/knots_every_s"), every, "a divisor of 86400, such as 1800");
            return;
        }
        let expected = (DAY_S / every) as usize;
        for day in Weekday::ALL {
            let knots = arrivals.week.day(day);
            let here = format!("{place}/week/{}", day.name());
            if knots.len() != expected {
                let needed = format!("{expected} of them, one every {every} s");
                self.wrong(&here, format!("{} knots", knots.len()), needed);
            }
            for (i, rate) in knots.iter().enumerate().filter(|(_, rate)| !rate.is_finite() || **rate < 0.0) {
                self.wrong(&format!("{here}/{i}"), rate, "a rate >= 0");
            }
        }
        if arrivals.knots().iter().all(|rate| *rate <= 0.0) {
            self.wrong(&format!("{place}/week"), "a rate of 0 all week", "some sessions");
        }
        if let Some(cv) = arrivals.day_level_cv {
            self.not_negative(&format!("{place}/day_level_cv"), cv);
        }
        if let Some(weeks) = &arrivals.weeks {
            for (i, level) in weeks.levels.iter().enumerate() {
                self.not_negative(&format!("{place}/weeks/levels/{i}"), *level);
            }
            self.not_negative(&format!("{place}/weeks/next"), weeks.next);
        }
        arrivals.burstiness.iter().for_each(|burstiness| self.burstiness(burstiness));
        for (i, date) in arrivals.outlier_days.iter().enumerate() {
            if !is_date(date) {
                let here = format!("{place}/outlier_days/{i}");
                self.wrong(&here, format!("`{date}`"), "a date such as `2026-12-24`");
            }
        }
        // Dates in this form sort as they follow each other.
        if !arrivals.outlier_days.is_sorted_by(|one, next| one < next) {
            self.wrong(
                &format!("{place}/outlier_days"),
                "dates out of order",
                "each once, the earliest first",
            );
        }
    }

    fn burstiness(&mut self, burstiness: &Burstiness) {
        let place = "/arrivals/burstiness";
        let (constants, variances) = (&burstiness.time_constants_s, &burstiness.variances);
        if constants.len() != variances.len() {
            let needed = format!("{} of them, one for each time constant", constants.len());
            self.wrong(&format!("{place}/variances"), format!("{} variances", variances.len()), needed);
        }
        for (i, seconds) in constants.iter().enumerate() {
            self.positive(&format!("{place}/time_constants_s/{i}"), *seconds);
        }
        for (i, variance) in variances.iter().enumerate() {
            self.not_negative(&format!("{place}/variances/{i}"), *variance);
        }
    }

    fn reference(&mut self, place: &str, name: &str, known: &BTreeSet<&str>, what: &str) {
        if !known.contains(name) {
            let violation = Violation::new(place, format!("`{name}`"), format!("the name of a known {what}"));
            self.violations.push(match nearest(name, known.iter().copied()) {
                Some(close) => violation.hint(format!("did you mean `{close}`?")),
                None => violation,
            });
        }
    }

    fn share(&mut self, place: &str, share: f64) {
        if !(0.0..=1.0).contains(&share) {
            self.wrong(place, share, "a share from 0 to 1");
        }
    }

    fn not_negative(&mut self, place: &str, x: f64) {
        if !(x.is_finite() && x >= 0.0) {
            self.wrong(place, x, "a number >= 0");
        }
    }

    fn positive(&mut self, place: &str, x: f64) {
        if !(x.is_finite() && x > 0.0) {
            self.wrong(place, x, "a number above 0");
        }
    }

    fn sum(&mut self, place: &str, what: &str, shares: impl Iterator<Item = f64>) {
        let sum: f64 = shares.sum();
        if sum.is_nan() || (sum - 1.0).abs() > SUM_TOLERANCE {
            self.wrong(place, format!("{sum:.4} as the sum of {what}"), "1");
        }
    }

    fn wrong(&mut self, place: &str, found: impl std::fmt::Display, expected: impl Into<String>) {
        self.violations.push(Violation::new(place, found, expected));
    }
}

/// What `route` should have been, unless it is a path as a request target can carry it (RFC 3986, 3.3), with names in
/// braces where values will stand.
fn wrong_route(route: &str) -> Option<&'static str> {
    if !route.starts_with('/') {
        return Some("a path that starts with `/`");
    }
    let (mut literal, mut rest) = (String::new(), route);
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { return Some("a `}` for every `{`") };
        if name.is_empty() || name.contains(['/', '{']) || !is_path(name) {
            return Some("a name such as `id` in every pair of braces");
        }
        // The value that will stand here separates what is around it: `%{id}20` holds no escape.
        literal.push_str(before);
        literal.push('/');
        rest = after;
    }
    literal.push_str(rest);
    (!is_path(&literal))
        .then_some("letters, digits, `/-._~!$&'()*+,;=:@`, `{names}`, and escapes such as `%20`")
}

/// Whether `text` has only the characters of a path, and two hexadecimal digits after every `%`.
fn is_path(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&byte);
    let is_escape = |after: &str| {
        after.as_bytes().first_chunk::<2>().is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    text.bytes().all(plain) && text.split('%').skip(1).all(is_escape)
}

/// States from which `END` cannot be reached.
fn endless(class: &Class) -> Vec<&str> {
    let mut ending: BTreeSet<&str> = BTreeSet::from([END]);
    loop {
        let before = ending.len();
        for (id, state) in &class.chain {
            if state.next.iter().any(|(to, probability)| *probability > 0.0 && ending.contains(to.as_str())) {
                ending.insert(id);
            }
        }
        if ending.len() == before {
            return class.chain.keys().map(String::as_str).filter(|id| !ending.contains(id)).collect();
        }
    }
}

/// Four digits, two and two, of a month and a day that there are.
fn is_date(text: &str) -> bool {
    let number = |part: &str, digits: usize| {
        (part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<u16>().ok())
            .flatten()
    };
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let month_and_day = number(month, 2).zip(number(day, 2));
    number(year, 4).is_some()
        && month_and_day.is_some_and(|(month, day)| (1..=12).contains(&month) && (1..=31).contains(&day))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrivals::Weeks;
    use crate::clients::{Browser, Device};
    use crate::endpoint::Companion;
    use crate::io::from_yaml;
    use crate::profile::{Background, EXAMPLE, Sampling};

    #[track_caller]
    fn check(edit: impl Fn(&mut Profile), expected: &str) {
        let mut profile = from_yaml(EXAMPLE).unwrap();
        edit(&mut profile);
        let found: Vec<String> = validate(&profile).iter().map(ToString::to_string).collect();
        assert!(found.iter().any(|violation| violation.contains(expected)), "{found:#?}");
    }

    #[test]
    fn each_contradiction_is_named_with_its_place() {
        check(|p| p.endpoints.clear(), "`/endpoints`: found an empty list");
        check(|p| p.endpoints[1].id = "get_home".into(), "`/endpoints/1/id`: found `get_home` a second time");
        check(|p| p.endpoints[0].weight = 1.5, "`/endpoints/0/weight`: found 1.5");
        check(|p| p.classes[0].start.extend([("END".into(), 0.5)]), "1.5000 as the sum");
        check(|p| p.classes[0].think_time.default = "brows".into(), "did you mean `browse`?");
        check(
            |p| {
                p.classes[0].think_time.on.insert("get_home > get_itme".into(), "browse".into());
            },
            "`/classes/0/think_time/on/get_home > get_itme`: found `get_itme`",
        );
        check(|p| p.endpoints[0].id = "a > b".into(), "without ` > `");
        check(|p| drop(p.classes[0].chain.remove("get_home")), "which has no row in `chain`");
        check(|p| p.arrivals.knots_every_s = 7000, "a divisor of 86400");
        check(|p| p.arrivals.week.tue[3] = -2.0, "`/arrivals/week/tue/3`: found -2");
        check(|p| p.arrivals.day_level_cv = Some(-0.1), "`/arrivals/day_level_cv`: found -0.1");
        check(
            |p| p.arrivals.weeks = Some(Weeks { levels: vec![1.0, -1.0], next: 1.0 }),
            "`/arrivals/weeks/levels/1`",
        );
        check(|p| p.arrivals.outlier_days = vec!["2026-13-01".into()], "`/arrivals/outlier_days/0`");
        check(
            |p| p.arrivals.outlier_days = vec!["2026-12-24".into(), "2026-12-24".into()],
            "`/arrivals/outlier_days`: found dates out of order",
        );
        let burstiness = |time_constants_s: &[f64], variances: &[f64]| {
            let burstiness =
                Burstiness { time_constants_s: time_constants_s.into(), variances: variances.into() };
            move |p: &mut Profile| p.arrivals.burstiness = Some(burstiness.clone())
        };
        check(burstiness(&[3.0], &[]), "`/arrivals/burstiness/variances`: found 0 variances");
        check(burstiness(&[0.0], &[0.1]), "`/arrivals/burstiness/time_constants_s/0`: found 0");
        check(burstiness(&[3.0], &[-0.1]), "`/arrivals/burstiness/variances/0`: found -0.1");
        check(
            |p| {
                let row = p.classes[0].chain.values_mut();
                row.for_each(|state| state.next = BTreeMap::from([("get_home".into(), 1.0)]));
            },
            "never reaches `END`",
        );
    }

    #[test]
    fn shares_of_clients_add_up_and_countries_are_codes() {
        let clients = |edit: fn(&mut Clients)| move |p: &mut Profile| edit(p.clients.as_mut().unwrap());
        const fn share(sessions: f64, requests: f64) -> ClientShare {
            ClientShare { sessions, requests }
        }
        check(
            clients(|clients| _ = clients.devices.remove(&Device::Mobile)),
            "`/clients/devices`: found 0.5800 as the sum of the shares of sessions",
        );
        check(
            clients(|clients| _ = clients.browsers.insert(Browser::Edge, share(-0.1, 0.0))),
            "`/clients/browsers/edge/sessions`: found -0.1",
        );
        check(
            clients(|clients| _ = clients.countries.insert("Norway".into(), share(1.0, 1.0))),
            "`/clients/countries/Norway`: found `Norway`",
        );
        check(
            |p| p.sessions.as_mut().unwrap().requests.mean = f64::NAN,
            "`/sessions/requests/mean`: found NaN",
        );
    }

    #[test]
    fn a_sample_stands_for_more_than_itself() {
        let sampled = |weight_mean, unknown_share| {
            move |p: &mut Profile| p.source.sampling = Some(Sampling { weight_mean, unknown_share })
        };
        for weight_mean in [0.5, f64::NAN, f64::INFINITY] {
            check(sampled(weight_mean, 0.0), "`/source/sampling/weight_mean`: found");
        }
        check(sampled(10.0, 1.5), "`/source/sampling/unknown_share`: found 1.5");
    }

    #[test]
    fn what_a_replay_could_not_run_is_refused() {
        for gap_s in [-1.0, f64::NAN, f64::INFINITY] {
            check(
                |p| p.source.session_rule.gap_s = gap_s,
                &format!("`/source/session_rule/gap_s`: found {gap_s}, expected a number >= 0"),
            );
        }
        for counts in [[u64::MAX, 5], [1 << 53, 1]] {
            check(
                |p| {
                    let histogram = &mut p.endpoints[0].service_time_s.as_mut().unwrap().histogram;
                    histogram.bins = (0..).zip(counts).collect();
                },
                "`/endpoints/0/service_time_s/histogram/bins`: found",
            );
        }
        let companion = |endpoint: &str, probability| Companion {
            endpoint: endpoint.into(),
            probability,
            count: None,
            offset_s: BTreeMap::new(),
        };
        check(
            |p| p.endpoints[0].companions = vec![companion("get_itme", 1.0)],
            "`/endpoints/0/companions/0/endpoint`: found `get_itme`",
        );
        check(
            |p| p.endpoints[0].companions = vec![companion("get_item", 1.5)],
            "`/endpoints/0/companions/0/probability`: found 1.5",
        );
        check(
            |p| p.endpoints[0].companions = vec![companion("get_item", 0.5), companion("get_item", 0.5)],
            "`/endpoints/0/companions/1/endpoint`: found `get_item` a second time",
        );
        for count in [0.5, f64::NAN] {
            check(
                |p| {
                    p.endpoints[0].companions =
                        vec![Companion { count: Some(count), ..companion("get_item", 0.5) }]
                },
                "`/endpoints/0/companions/0/count`: found",
            );
        }
        for (quantile, offset_s) in [("p50", -0.1), ("p50", f64::INFINITY), ("median", 0.1)] {
            let offset_s = BTreeMap::from([(quantile.to_owned(), offset_s)]);
            check(
                |p| {
                    let wrong = Companion { offset_s: offset_s.clone(), ..companion("get_item", 0.5) };
                    p.endpoints[0].companions = vec![wrong];
                },
                "`/endpoints/0/companions/0/offset_s/",
            );
        }
        check(|p| p.source.shared_clients_share = Some(1.5), "`/source/shared_clients_share`: found 1.5");
        check(
            |p| p.background = vec![Background { endpoint: "get_item".into(), period_s: 60.0, clients: 0 }],
            "`/background/0/clients`: found 0",
        );
        let background = Background { endpoint: "get_itme".into(), period_s: 60.0, clients: 1 };
        check(|p| p.background = vec![background.clone()], "`/background/0/endpoint`: found `get_itme`");
    }

    #[test]
    fn routes_are_what_a_request_line_can_carry() {
        let wrong = [
            "", "about", "/a b", "/x?y", "/x#z", "/x?y#z", "/a\n", "/a\u{7f}", "/é", "/a|b", "/a\"b",
            "/a\\b", "/50%", "/%2", "/%zz", "/%é", "/about{", "/about}", "/{}", "/{a", "/{a}}", "/{{a}}",
            "/{a{b}", "/{a b}", "/{a/b}", "/}{", "/%{id}20",
        ];
        for route in wrong {
            check(|p| p.endpoints[1].route = route.into(), "`/endpoints/1/route`: found `");
        }
        for route in
            ["/", "/a/", "//", "/*", "/./a", "/a%20b%C3%A9", "/{id}.json", "/{a}-{b}", "/~u/@me;v=1,2"]
        {
            let mut profile = from_yaml(EXAMPLE).unwrap();
            profile.endpoints[1].route = route.into();
            assert!(validate(&profile).is_empty(), "{route}");
        }
    }

    #[test]
    fn what_people_add_is_checked_as_well() {
        use crate::request::{Extract, GraphqlOperation, GrpcCall, Login, RequestTemplate};
        let request = |edit: fn(&mut RequestTemplate)| {
            move |p: &mut Profile| edit(p.endpoints[0].request.get_or_insert_default())
        };
        let header = |name: &'static str| {
            move |p: &mut Profile| {
                let request = p.endpoints[0].request.get_or_insert_default();
                request.headers.insert(name.to_owned(), "x".to_owned());
            }
        };
        check(header("X Y"), "/endpoints/0/request/headers/X Y`: found `X Y`");
        check(header("content-length"), "does not write itself");
        check(
            request(|r| {
                r.body = Some(String::new());
                let document = "query Home { a }".to_owned();
                r.graphql =
                    Some(GraphqlOperation { operation: "Item".to_owned(), document, variables: None });
            }),
            "`body` and `graphql`",
        );
        let graphql = |r: &mut RequestTemplate| {
            let (operation, document) = ("Item".to_owned(), "query Home { a }".to_owned());
            r.graphql = Some(GraphqlOperation { operation, document, variables: None });
        };
        check(request(graphql), "an operation of the document");
        let grpc = |method: &'static str, route: &'static str, named: Option<&str>| {
            let method_name = named.map(str::to_owned);
            move |p: &mut Profile| {
                (p.endpoints[0].method, p.endpoints[0].route) = (method.to_owned(), route.to_owned());
                let (proto, method) = ("shop.proto".into(), method_name.clone());
                let call = GrpcCall { proto, include: Vec::new(), method, message: None };
                p.endpoints[0].request.get_or_insert_default().grpc = Some(call);
            }
        };
        check(grpc("GET", "/shop.Catalog/Get", None), "/endpoints/0/request/grpc`: found a call by `GET`");
        check(grpc("POST", "/shop.Catalog/{word}", None), "/endpoints/0/request/grpc`: found no `method`");
        check(
            grpc("POST", "/shop.Catalog/{word}", Some("Get")),
            "/endpoints/0/request/grpc/method`: found `Get`",
        );
        let both = |p: &mut Profile| {
            grpc("POST", "/shop.Catalog/Get", None)(p);
            p.endpoints[0].request.get_or_insert_default().body = Some(String::new());
        };
        check(both, "`body` and `grpc`");
        let mut fine = from_yaml(EXAMPLE).unwrap();
        grpc("POST", "/{word}/{slug}", Some("shop.Catalog/Get"))(&mut fine);
        fine.endpoints[0].status = [("200".to_owned(), 0.97), ("NOT_FOUND".to_owned(), 0.03)].into();
        assert_eq!(validate(&fine), []);
        let login = |extract: Extract| {
            move |p: &mut Profile| {
                let extract = [("token".to_owned(), extract.clone())].into();
                p.login = Some(Login { endpoint: "get_home".to_owned(), extract });
            }
        };
        check(login(Extract::Json("token".to_owned())), "a JSON pointer");
        check(login(Extract::Cookie("a b".to_owned())), "a header or cookie");
        check(|p| drop(p.feeds.insert("1st".to_owned(), "a.csv".to_owned())), "/feeds/1st");
        let nowhere = Login { endpoint: "get_nothing".to_owned(), extract: Default::default() };
        check(move |p| p.login = Some(nowhere.clone()), "/login/endpoint");
        let hosts = crate::hosts::Hosts { salt: "x".to_owned(), hashes: vec![] };
        check(move |p| p.source.hosts = Some(hosts.clone()), "/source/hosts");
    }

    #[test]
    fn all_problems_come_at_once() {
        let mut profile = from_yaml(EXAMPLE).unwrap();
        profile.endpoints[0].weight = -1.0;
        profile.endpoints[1].route = "items".into();
        profile.arrivals.week.sun.pop();
        assert_eq!(validate(&profile).len(), 3);
    }
}
