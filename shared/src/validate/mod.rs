//! Meaning: everything in a well-formed profile that contradicts itself, at once.

mod arrivals;
mod endpoints;
mod sessions;

use std::collections::BTreeSet;

use endpoints::{NAME, is_name};

use crate::distribution::LogHistogram;
use crate::endpoint::Summary;
use crate::error::{Violation, nearest};
use crate::profile::Profile;

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

/// What was found wrong so far. Each part of a profile has a file with its checks; here is what they have in common.
#[derive(Default)]
struct Check {
    violations: Vec<Violation>,
}

impl Check {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::arrivals::{Burstiness, Weeks};
    use crate::clients::{Browser, ClientShare, Clients, Device};
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
