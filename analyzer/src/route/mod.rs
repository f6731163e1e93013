//! From paths to routes: hints first, then inference over all shapes at once.
//!
//! Pure functions of what was counted, so that no order of reading shows in the result.

use std::collections::{BTreeMap, BTreeSet};

use shared::endpoint::ValueKind;

use crate::resource::Resource;
use crate::tally::Requested;

pub(crate) mod dump;
mod evidence;
pub(crate) mod explain;
pub(crate) mod given;
pub(crate) mod known;
mod name;
pub(crate) mod openapi;
pub(crate) mod rules;
pub(crate) mod segment;
mod trie;
mod vocabulary;

use segment::parse_placeholder;

/// A route that is known beforehand, such as `/users/{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    template: String,
    segments: Vec<HintSegment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HintSegment {
    /// `shape` is what stands for it in shapes: `{int}` for `2024`.
    Literal {
        text: String,
        shape: String,
    },
    Parameter,
}

impl std::str::FromStr for Hint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = text
            .strip_prefix('/')
            .ok_or_else(|| format!("found `{text}`, expected a path such as `/users/{{id}}`"))?;
        if let Some(wrong) =
            path.chars().find(|c| c.is_whitespace() || c.is_control() || "?#:\\".contains(*c))
        {
            return Err(format!(
                "found `{text}` with `{}` in it, expected a path such as `/users/{{id}}`",
                wrong.escape_default()
            ));
        }
        let parameter = |segment: &str| segment.starts_with('{');
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let name = |segment: &&str| {
            segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(segment).to_owned()
        };
        if segments.iter().map(name).any(|name| name.is_empty() || name.contains(['{', '}'])) {
            return Err(format!(
                "found `{text}`, expected braces only around the name of a whole segment, such as `/users/{{id}}`"
            ));
        }
        // Shaped in its place, because what follows `/reset/` is no word. A parameter stands there as any word, with a
        // capital, because it may be the method of a service.
        let words: String = segments
            .iter()
            .map(|segment| format!("/{}", if parameter(segment) { "X" } else { segment }))
            .collect();
        let shape = shape_of(&words);
        let shapes = shape.split('/').filter(|segment| !segment.is_empty());
        let segments = segments
            .iter()
            .zip(shapes)
            .map(|(segment, shape)| match parameter(segment) {
                true => HintSegment::Parameter,
                false => HintSegment::Literal { text: (*segment).to_owned(), shape: shape.to_owned() },
            })
            .collect();
        Ok(Self { template: text.to_owned(), segments })
    }
}

impl std::fmt::Display for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.template)
    }
}

impl HintSegment {
    /// What the segment of a path must be, in the shape of the path or, without `templates`, as it is in the log.
    fn literal(&self, templates: bool) -> Option<&str> {
        match self {
            Self::Literal { shape, .. } if templates => Some(shape),
            Self::Literal { text, .. } => Some(text),
            Self::Parameter => None,
        }
    }
}

impl Hint {
    /// The segments of a shape that stand where the hint has parameters; `None` when the shape is of another route.
    fn matches<'s>(&self, shape: &'s str, templates: bool) -> Option<Vec<&'s str>> {
        let mut values = Vec::new();
        let mut segments = shape.split('/').filter(|segment| !segment.is_empty());
        for expected in &self.segments {
            let segment = segments.next()?;
            match expected.literal(templates) {
                Some(literal) if literal == segment => {}
                Some(_) => return None,
                None => values.push(segment),
            }
        }
        segments.next().is_none().then_some(values)
    }

    /// Segments that tell its paths from others. A `2024` does not where shapes have `{int}` for any number.
    fn literal_count(&self, templates: bool) -> usize {
        let literals = self.segments.iter().filter_map(|segment| segment.literal(templates));
        literals.filter(|literal| !literal.starts_with('{')).count()
    }
}

/// A route: what endpoints are named by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    pub(crate) template: String,
    pub(crate) method: String,
    /// Placeholders in the order of the template, with the kind that most of their values have.
    pub(crate) parameters: Vec<(String, Kind)>,
    /// Name of the endpoint, unique among all routes.
    pub(crate) id: String,
    /// Whether the route is made of words and placeholders alone. A raw path may be anything, and is for its owner's eyes.
    pub(crate) publishable: bool,
    /// Whether only files that pages bring along are there.
    pub(crate) is_file: bool,
}

/// [`ValueKind`] with an order, so that routes can be sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind(pub(crate) ValueKind);

impl Ord for Kind {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0 as u8).cmp(&(other.0 as u8))
    }
}

impl PartialOrd for Kind {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// All routes, by template and method, and the route of each resource.
#[derive(Debug, Clone, Default)]
pub(crate) struct Routes {
    pub(crate) routes: Vec<Route>,
    /// `None` for resources that were never requested.
    pub(crate) of_resource: Vec<Option<u32>>,
    pub(crate) sources: Sources,
    /// What the inferred ones were inferred from.
    pub(crate) inferred: trie::Trie,
}

/// The routes behind `resources`, of which each was requested `counts` times; and behind those that were not, but
/// brought along by pages, `files` times. How many files there are changes no route and no id of a page.
///
/// Routes are inferred from paths that were answered: what scanners guess at is no route. Paths that were not take
/// the route that they fit.
///
/// Shapes that match one of `hints` take its template, the one with most literals first. After the hints come the
/// routes that the producers of the logs know: those of the resources themselves, and of others that match them. Without
/// `templates` every shape is a route of its own, and publishable only when nothing in it would become a placeholder.
pub(crate) fn find(
    resources: &[Resource],
    counts: &[Requested],
    files: &[Requested],
    hints: &[Hint],
    templates: bool,
) -> Routes {
    let mut hints: Vec<&Hint> = hints.iter().collect();
    hints.sort_by_key(|hint| std::cmp::Reverse(hint.literal_count(templates)));
    let known = Known::of_resources(resources);
    let is_file = |i: usize| counts[i].requests == 0;
    let (mut answered, mut unanswered) = (Vec::new(), Vec::new());
    let mut template_of: Vec<Option<String>> = vec![None; resources.len()];
    // Of each hinted template and parameter: how often which kind of value stood there.
    let mut hinted_kinds: BTreeMap<(&str, usize), BTreeMap<Kind, u64>> = BTreeMap::new();
    let mut sources = Sources::default();
    for (i, resource) in resources.iter().enumerate() {
        let count = if is_file(i) { files[i] } else { counts[i] };
        if count.requests == 0 {
            continue;
        }
        let shape = &resource.shape;
        let given = || {
            let template = resource.route.as_deref().filter(|_| resource.given)?;
            Some((template, shape.split('/').filter(|value| !value.is_empty()).collect()))
        };
        let hinted =
            || hints.iter().find_map(|hint| Some((hint.template.as_str(), hint.matches(shape, templates)?)));
        let given = given().or_else(hinted);
        let is_given = given.is_some();
        let named = given.or_else(|| known.of(resource));
        let source = match &named {
            Some(_) if is_given => &mut sources.given,
            Some(_) => &mut sources.export,
            None => &mut sources.inferred,
        };
        *source += counts[i].requests;
        match named {
            Some((template, values)) => {
                template_of[i] = Some(template.to_owned());
                for (at, value) in values.into_iter().enumerate() {
                    let kind = parse_placeholder(value).map_or(ValueKind::Word, |(kind, _)| kind);
                    *hinted_kinds.entry((template, at)).or_default().entry(Kind(kind)).or_insert(0) +=
                        count.requests;
                }
            }
            None if templates && count.answered > 0 => {
                answered.push((resource.shape.as_str(), i, count.answered))
            }
            None if templates => unanswered.push(i),
            // A target such as `./a` or `*` is no path, but every route of a profile must be one.
            None if !resource.shape.starts_with('/') => template_of[i] = Some(format!("/{}", resource.shape)),
            None => template_of[i] = Some(resource.shape.clone()),
        }
    }
    // One of pages and one of files.
    let tries = [false, true]
        .map(|files| trie::infer(answered.iter().copied().filter(|(_, i, _)| is_file(*i) == files)));
    for trie in &tries {
        for (i, template) in trie.templates() {
            template_of[i] = Some(template);
        }
    }
    for i in unanswered {
        template_of[i] = Some(tries[usize::from(is_file(i))].resolve(&resources[i].shape));
    }
    let parameters = |template: &str| -> Vec<(String, Kind)> {
        let names = name::placeholders(template);
        let usual = |at: usize, name: &str| {
            let counted = hinted_kinds
                .get(&(template, at))
                .and_then(|kinds| kinds.iter().max_by_key(|(_, count)| **count));
            counted.map_or_else(|| Kind(name::kind_of_placeholder(name)), |(kind, _)| *kind)
        };
        names.iter().enumerate().map(|(at, name)| ((*name).to_owned(), usual(at, name))).collect()
    };
    let key =
        |i: usize| template_of[i].as_ref().map(|template| (template.clone(), resources[i].method.clone()));
    let mut keys: Vec<(String, String)> = (0..resources.len()).filter_map(key).collect();
    keys.sort_unstable();
    keys.dedup();
    let of_resource: Vec<Option<u32>> =
        (0..resources.len()).map(|i| keys.binary_search(&key(i)?).ok().map(|at| at as u32)).collect();
    // Files count for nothing, so that of a page and a file with the same words the page has them to itself.
    let mut requests = vec![0; keys.len()];
    for (route, count) in of_resource.iter().zip(counts) {
        if let Some(route) = route {
            requests[*route as usize] += count.requests;
        }
    }
    let ids = name::ids(&keys, &requests);
    let hinted = |template: &str| hints.iter().any(|hint| hint.template == template);
    let routes = keys
        .into_iter()
        .zip(ids)
        .zip(&requests)
        .map(|(((template, method), id), requests)| Route {
            is_file: *requests == 0,
            parameters: if templates { parameters(&template) } else { Vec::new() },
            publishable: templates || hinted(&template) || shape_of(&template) == template,
            template,
            method,
            id,
        })
        .collect();
    let [inferred, _] = tries;
    Routes { routes, of_resource, sources, inferred }
}

/// Requests by how their route was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sources {
    /// It was given beforehand.
    pub(crate) given: u64,
    /// The producers of the logs know it.
    pub(crate) export: u64,
    /// It was inferred from all paths.
    pub(crate) inferred: u64,
}

/// Routes that the producers of the logs know, as hints; those with most literals first.
struct Known {
    by_literals: BTreeMap<(std::cmp::Reverse<usize>, String), Hint>,
    by_template: BTreeMap<String, Hint>,
}

impl Known {
    /// Only where paths are shapes do resources have routes.
    const TEMPLATES: bool = true;

    fn of_resources(resources: &[Resource]) -> Self {
        let routes = resources
            .iter()
            .filter(|resource| !resource.given)
            .filter_map(|resource| resource.route.as_ref());
        let routes: BTreeSet<&String> = routes.collect();
        let hints: Vec<Hint> = routes.into_iter().filter_map(|route| route.parse().ok()).collect();
        let key =
            |hint: &Hint| (std::cmp::Reverse(hint.literal_count(Self::TEMPLATES)), hint.template.clone());
        Self {
            by_literals: hints.iter().map(|hint| (key(hint), hint.clone())).collect(),
            by_template: hints.into_iter().map(|hint| (hint.template.clone(), hint)).collect(),
        }
    }

    /// The route of `resource` and what stands in its placeholders: its own, else one that it matches.
    ///
    /// What has no literal would match anything, and says nothing of paths that came without it.
    fn of<'r>(&'r self, resource: &'r Resource) -> Option<(&'r str, Vec<&'r str>)> {
        let values = |hint: &Hint| hint.matches(&resource.shape, Self::TEMPLATES);
        match &resource.route {
            Some(route) => {
                let hint = self.by_template.get(route);
                Some((route, hint.and_then(values).unwrap_or_default()))
            }
            None => {
                let named = self.by_literals.iter().filter(|((literals, _), _)| literals.0 > 0);
                named.map(|(_, hint)| hint).find_map(|hint| Some((hint.template.as_str(), values(hint)?)))
            }
        }
    }
}

/// The shape of one path.
fn shape_of(path: &str) -> String {
    let mut shape = Vec::new();
    segment::shape(path.as_bytes(), &mut shape);
    String::from_utf8_lossy(&shape).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(shape: &str, route: Option<&str>) -> Resource {
        Resource {
            method: "GET".into(),
            shape: shape.to_owned(),
            route: route.map(str::to_owned),
            given: false,
        }
    }

    /// A count that stands for requests that all failed.
    const NEVER_ANSWERED: u64 = 7;

    fn found(shapes: &[(&str, u64)], hints: &[&str], templates: bool) -> Vec<Route> {
        let mut resources: Vec<(Resource, u64)> =
            shapes.iter().map(|(shape, count)| (resource(shape, None), *count)).collect();
        resources.sort_by(|a, b| a.0.cmp(&b.0));
        let requested =
            |count| Requested { requests: count, answered: if count == NEVER_ANSWERED { 0 } else { count } };
        let (resources, counts): (Vec<_>, Vec<_>) =
            resources.into_iter().map(|(resource, count)| (resource, requested(count))).unzip();
        let hints: Vec<Hint> = hints.iter().map(|hint| hint.parse().unwrap()).collect();
        let files = vec![Requested::default(); resources.len()];
        find(&resources, &counts, &files, &hints, templates).routes
    }

    #[track_caller]
    fn check(shapes: &[(&str, u64)], hints: &[&str], expected: &[(&str, &str)]) {
        let routes = found(shapes, hints, true);
        assert!(routes.iter().all(|route| route.publishable));
        let found: Vec<(&str, &str)> = routes.iter().map(|r| (r.template.as_str(), r.id.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[track_caller]
    fn check_raw(paths: &[&str], hints: &[&str], expected: &[(&str, bool)]) {
        let paths: Vec<(&str, u64)> = paths.iter().map(|path| (*path, 1)).collect();
        let routes = found(&paths, hints, false);
        let found: Vec<(&str, bool)> = routes.iter().map(|r| (r.template.as_str(), r.publishable)).collect();
        assert_eq!(found, expected);
    }

    #[track_caller]
    fn check_refused(hint: &str, expected: &str) {
        let refused = hint.parse::<Hint>().unwrap_err();
        assert!(refused.starts_with(&format!("found `{hint}`, expected {expected}")), "{refused}");
    }

    #[test]
    fn an_open_set_becomes_a_slug_and_a_closed_one_stays() {
        let slugs: Vec<String> = (0..40).map(|i| format!("/products/blue-mug-{i}")).collect();
        let mut shapes: Vec<(&str, u64)> = slugs.iter().map(|slug| (slug.as_str(), 1)).collect();
        shapes.extend([
            ("/products", 90),
            ("/products/new", 50),
            ("/settings/mail", 70),
            ("/settings/keys", 30),
        ]);
        check(
            &shapes,
            &[],
            &[
                ("/products", "get_products"),
                ("/products/new", "get_products_new"),
                ("/products/{slug}", "get_product"),
                ("/settings/keys", "get_settings_keys"),
                ("/settings/mail", "get_settings_mail"),
            ],
        );
    }

    #[test]
    fn a_word_of_the_services_own_is_one_wherever_values_stand_beside_it() {
        let names = |before: &str, after: &str| -> Vec<(String, u64)> {
            let name = |i: u64| (format!("{before}/karo-{}{after}", (b'a' + i as u8) as char), 1 + i % 4);
            let lint = [(format!("{before}/lint"), 30)];
            (0..26).map(name).chain(lint).collect()
        };
        let templates = |paths: &[(String, u64)]| -> BTreeSet<String> {
            let paths: Vec<(&str, u64)> = paths.iter().map(|(path, count)| (path.as_str(), *count)).collect();
            found(&paths, &[], true).into_iter().map(|route| route.template).collect()
        };
        let alone = names("/templates", "");
        assert_eq!(templates(&alone), BTreeSet::from(["/templates/{slug}".to_owned()]));
        let others = ["/flows", "/schedules"].map(|before| names(before, "/suspend"));
        let all: Vec<(String, u64)> = others.into_iter().flatten().chain(alone).collect();
        let expected = [
            "/flows/lint",
            "/flows/{slug}/suspend",
            "/schedules/lint",
            "/schedules/{slug}/suspend",
            "/templates/lint",
            "/templates/{slug}",
        ];
        assert_eq!(templates(&all), BTreeSet::from(expected.map(str::to_owned)));
    }

    #[test]
    fn services_of_packages_are_routes_unless_they_are_an_open_set() {
        let few = [
            ("/acme.cart.v1.CartService/AddItem", 40),
            ("/acme.cart.v1.CartService/EmptyCart", 9),
            ("/acme.orders.v1.OrderService/CreateOrder", 12),
            ("/acme.orders.v1.OrderService/ListOrders", 30),
            ("/acme.shipping.v1.ShippingService/GetQuote", 21),
            ("/grpc.health.v1.Health/Check", 300),
        ];
        let templates = |shapes: &[(&str, u64)]| -> Vec<String> {
            found(shapes, &[], true).into_iter().map(|route| route.template).collect()
        };
        assert_eq!(templates(&few), few.map(|(path, _)| path));
        let many: Vec<String> = (0..60).map(|i| format!("/rpc/tenant{i}.orders.OrderService/List")).collect();
        let many: Vec<(&str, u64)> = many.iter().map(|path| (path.as_str(), 1)).collect();
        assert_eq!(templates(&many), ["/rpc/{slug}/List"]);
        let hinted = found(&few, &["/grpc.health.v1.Health/{method}"], true);
        assert!(hinted.iter().any(|route| route.template == "/grpc.health.v1.Health/{method}"), "{hinted:?}");
    }

    #[test]
    fn domains_of_customers_are_never_named_however_few_and_popular_they_are() {
        let shops = [
            "karoti", "lumen", "garden", "market", "data", "orders", "api", "vesu", "shop", "cloud",
            "tabori", "docs",
        ];
        // With what follows groups of an interface and services of packages.
        let paths = shops.iter().flat_map(|shop| {
            [
                format!("/tenants/{shop}.example/v1/orders"),
                format!("/tenants/api.{shop}.example"),
                format!("/proxy/{shop}.example/Orders"),
                format!("/proxy/www.{shop}.com/v1beta1/Orders"),
            ]
        });
        let shapes: Vec<String> = paths.map(|path| shape_of(&path)).collect();
        let shapes: Vec<(&str, u64)> = shapes.iter().map(|shape| (shape.as_str(), 1000)).collect();
        let templates: BTreeSet<String> =
            found(&shapes, &[], true).into_iter().map(|route| route.template).collect();
        let expected = [
            "/proxy/{opaque}/Orders",
            "/proxy/{opaque}/v1beta1/Orders",
            "/tenants/{opaque}",
            "/tenants/{opaque}/v1/orders",
        ];
        assert_eq!(templates, BTreeSet::from(expected.map(str::to_owned)));
    }

    #[test]
    fn what_was_never_answered_makes_no_route_but_fits_into_one() {
        let slugs: Vec<String> = (0..40).map(|i| format!("/p/red-mug-{i}")).collect();
        let guesses: Vec<String> = (0..90).map(|i| format!("/admin{i}.php")).collect();
        let mut shapes: Vec<(&str, u64)> = slugs.iter().map(|slug| (slug.as_str(), 1)).collect();
        shapes.extend(guesses.iter().map(|guess| (guess.as_str(), NEVER_ANSWERED)));
        shapes.extend([("/index.php", 50), ("/p/gone-mug", NEVER_ANSWERED)]);
        let mut expected: Vec<(String, String)> = guesses
            .iter()
            .map(|guess| (guess.clone(), format!("get_{}_php", &guess[1..guess.len() - 4])))
            .collect();
        expected.extend([
            ("/index.php".into(), "get_index_php".into()),
            ("/p/{slug}".into(), "get_p_slug".into()),
        ]);
        expected.sort();
        let expected: Vec<(&str, &str)> = expected.iter().map(|(t, id)| (t.as_str(), id.as_str())).collect();
        check(&shapes, &[], &expected);
    }

    #[test]
    fn hints_win_and_their_parameters_keep_their_names() {
        let shapes = [("/users/{int}", 5), ("/users/me", 9), ("/users/{int}/posts/{int}", 2)];
        check(
            &shapes,
            &["/users/{id}", "/users/me"],
            &[
                ("/users/me", "get_users_me"),
                ("/users/{id}", "get_user"),
                ("/users/{int}/posts/{int_2}", "get_users_post"),
            ],
        );
    }

    #[test]
    fn routes_of_the_producer_come_after_hints_and_before_inference() {
        let resources = [
            resource("/a/{int}", Some("/a/{key}")),
            resource("/a/{int}/b", None),
            resource("/a/{uuid}", None),
            resource("/c", Some("/{page}")),
            resource("/d", None),
            resource("/{int}.json", Some("/{int}.json")),
            resource("/u/{int}", Some("/u/{id}")),
        ];
        let counts = [3, 3, 1, 3, 3, 3, 3].map(|requests| Requested { requests, answered: requests });
        let files = [Requested::default(); 7];
        let found = find(&resources, &counts, &files, &["/u/{user}".parse().unwrap()], true);
        let template = |at: usize| found.routes[found.of_resource[at].unwrap() as usize].template.as_str();
        let templates: Vec<&str> = (0..7).map(template).collect();
        let expected = ["/a/{key}", "/a/{int}/b", "/a/{key}", "/{page}", "/d", "/{int}.json", "/u/{user}"];
        assert_eq!(templates, expected);
        let key = found.routes.iter().find(|route| route.template == "/a/{key}").unwrap();
        assert_eq!(key.parameters, [("key".to_owned(), Kind(ValueKind::Int))]);
    }

    #[test]
    fn ids_are_unique_and_plain() {
        check(
            &[("/", 1), ("/Rates.html", 1), ("/rates.html", 2), ("/p/{slug}", 1), ("/a/", 1), ("/a", 1)],
            &[],
            &[
                ("/", "get_home"),
                ("/Rates.html", "get_rates_html_2"),
                ("/a", "get_a"),
                ("/a/", "get_a_2"),
                ("/p/{slug}", "get_p_slug"),
                ("/rates.html", "get_rates_html"),
            ],
        );
    }

    #[test]
    fn a_rare_route_changes_no_other_routes_id() {
        check(&[("/rates.html", 9)], &[], &[("/rates.html", "get_rates_html")]);
        check(
            &[("/Rates.html", 1), ("/rates.html", 9)],
            &[],
            &[("/Rates.html", "get_rates_html_2"), ("/rates.html", "get_rates_html")],
        );
        check(
            &[("/A", 50), ("/a", 90), ("/a-2", 10)],
            &[],
            &[("/A", "get_a_3"), ("/a", "get_a"), ("/a-2", "get_a_2")],
        );
    }

    #[test]
    fn raw_paths_are_publishable_when_they_are_words_alone() {
        check_raw(
            &["*", "/u/alice.smith", "/reset/now", "/orders", "/orders/4711", "//orders", "about", "/a/7/b"],
            &["/a/7/{part}"],
            &[
                ("/*", false),
                ("//orders", false),
                ("/a/7/{part}", true),
                ("/about", true),
                ("/orders", true),
                ("/orders/4711", false),
                ("/reset/now", false),
                ("/u/alice.smith", false),
            ],
        );
    }

    #[test]
    fn literals_of_hints_are_shaped_as_paths_are() {
        check(
            &[("/v/{int}/x", 5), ("/reset/{token}", 5), ("/v/x/x", 5)],
            &["/v/2024/{r}", "/reset/now"],
            &[("/reset/now", "get_reset_now"), ("/v/2024/{r}", "get_v_2024_r"), ("/v/x/x", "get_v_x_x")],
        );
        // Years are one and the same in shapes, so that the hint that says so comes first.
        check(&[("/{int}/x", 5)], &["/{year}/x", "/2024/x"], &[("/{year}/x", "get_x")]);
    }

    #[test]
    fn hints_that_are_no_routes() {
        check_refused("users", "a path such as `/users/{id}`");
        for hint in ["/files/{name}.json", "/users/{id", "/users/id}", "/users/{}", "/users/{a}{b}"] {
            check_refused(hint, "braces only around the name of a whole segment, such as `/users/{id}`");
        }
    }
}
