//! One endpoint: what it is asked, what it answers, where people come from and go to.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use shared::Profile;
use shared::endpoint::{Endpoint, Parameter, Popularity, QueryParameter, Summary};
use shared::error::nearest;
use shared::profile::Background;
use shared::session::{Class, Context, END};

use super::classes::likeliest;
use super::endpoints::errors;
use super::histogram::{self, Bar};
use super::lengths::Course;
use super::page::{Page, bytes, plural, word};
use super::pauses::PauseRow;
use crate::report::{grouped, percent, seconds};

/// Neighbours shown.
const NEIGHBOURS: usize = 8;
/// Where sessions come from.
const START: &str = "START";

/// One endpoint, explained.
#[derive(Debug, Serialize)]
pub struct EndpointExplanation {
    /// Everything that was measured on it.
    #[serde(flatten)]
    endpoint: Endpoint,
    /// Share of answers with a status of 400 or more.
    errors: f64,
    service_time_bars: Vec<Bar>,
    classes: Vec<InClass>,
    /// Pages that fetch it, and how often they do.
    companion_of: BTreeMap<String, f64>,
    background: Vec<Background>,
}

/// An endpoint among those of one kind of user.
#[derive(Debug, Serialize)]
struct InClass {
    class: String,
    /// Visits per session.
    visits_per_session: f64,
    /// Share of its visits by where people were before, `START` for nowhere.
    from: BTreeMap<String, f64>,
    /// Share of its visits by where they go, `END` for nowhere.
    to: BTreeMap<String, f64>,
    /// The pause after it.
    pause: Option<PauseRow>,
    /// Longer memories that end in it.
    contexts: Vec<Context>,
}

/// The endpoint of `profile` that `wanted` names.
pub(super) fn find<'p>(profile: &'p Profile, wanted: &str) -> Result<&'p Endpoint, Vec<String>> {
    if let Some(endpoint) = profile.endpoint(wanted) {
        return Ok(endpoint);
    }
    let is_wanted = |endpoint: &&Endpoint| {
        endpoint.route == wanted || format!("{} {}", endpoint.method, endpoint.route) == wanted
    };
    let of_route: Vec<&Endpoint> = profile.endpoints.iter().filter(is_wanted).collect();
    match of_route.as_slice() {
        [] => Err(nearest_ids(profile, wanted)),
        [endpoint] => Ok(*endpoint),
        several => Err(several.iter().map(|endpoint| endpoint.id.clone()).collect()),
    }
}

/// Up to five ids: first those that a slip of the hand explains, then those with `wanted` in them.
fn nearest_ids(profile: &Profile, wanted: &str) -> Vec<String> {
    const MOST: usize = 5;
    let mut left: BTreeSet<&str> = profile.endpoints.iter().map(|endpoint| endpoint.id.as_str()).collect();
    let mut found = Vec::new();
    while let Some(near) = nearest(wanted, left.iter().copied()) {
        left.remove(near);
        found.push(near.to_owned());
    }
    let wanted = wanted.trim_matches('/').to_lowercase();
    let related = profile.endpoints.iter().filter(|endpoint| left.contains(endpoint.id.as_str()));
    let related = related.filter(|endpoint| {
        let holds = |text: &str| text.to_lowercase().contains(&wanted);
        !wanted.is_empty() && (holds(&endpoint.id) || holds(&endpoint.route))
    });
    found.extend(related.map(|endpoint| endpoint.id.clone()));
    found.truncate(MOST);
    found
}

impl EndpointExplanation {
    pub(super) fn of(endpoint: &Endpoint, profile: &Profile) -> Self {
        let id = endpoint.id.as_str();
        let companion_of = profile.endpoints.iter().flat_map(|page| {
            let brings = page.companions.iter().filter(|companion| companion.endpoint == id);
            brings.map(|companion| (page.id.clone(), companion.probability))
        });
        Self {
            errors: errors(endpoint),
            service_time_bars: endpoint
                .service_time_s
                .as_ref()
                .map_or_else(Vec::new, |summary| histogram::bars(&summary.histogram)),
            classes: profile.classes.iter().filter_map(|class| InClass::of(id, class, profile)).collect(),
            companion_of: companion_of.collect(),
            background: profile.background.iter().filter(|caller| caller.endpoint == id).cloned().collect(),
            endpoint: endpoint.clone(),
        }
    }

    /// The explanation for people, at most 80 columns wide.
    pub fn text(&self, style: super::Style) -> String {
        let mut page = Page::new(style);
        let endpoint = &self.endpoint;
        page.heading(&format!("{} {} ({})", endpoint.method, endpoint.route, endpoint.id));
        page.row("requests", &format!("{}, {} of all", grouped(endpoint.requests), percent(endpoint.weight)));
        for (name, parameter) in &endpoint.parameters {
            page.row("parameter", &format!("{{{name}}}: {}", of_parameter(parameter)));
        }
        for parameter in &endpoint.query {
            page.row("query", &of_query(parameter));
        }
        let mut statuses: Vec<(&String, f64)> =
            endpoint.status.iter().map(|(c, share)| (c, *share)).collect();
        statuses.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(other.0)));
        let statuses: Vec<String> =
            statuses.iter().map(|(code, share)| format!("{code}: {}", percent(*share))).collect();
        page.row("statuses", &format!("{} (errors: {})", statuses.join(", "), percent(self.errors)));
        page.row("size", &of_summary(endpoint.response_bytes.as_ref(), bytes));
        page.row("time", &of_summary(endpoint.service_time_s.as_ref(), seconds));
        for companion in &endpoint.companions {
            let at = companion.offset_s.get("p50").map(|at_s| format!(", {} later", seconds(*at_s)));
            let (brought, share) = (&companion.endpoint, percent(companion.probability));
            page.row("brings", &format!("{brought}, {share} of the time{}", at.unwrap_or_default()));
        }
        for (by, probability) in &self.companion_of {
            page.row("brought by", &format!("{by}, {} of the time", percent(*probability)));
        }
        for caller in &self.background {
            let (clients, period) = (plural(caller.clients, "client"), seconds(caller.period_s));
            page.row("polled", &format!("by {clients}, each every {period}"));
        }
        if !self.service_time_bars.is_empty() {
            page.heading("Service time");
            histogram::print(&self.service_time_bars, seconds, &mut page);
        }
        let several = self.classes.len() > 1;
        self.classes.iter().for_each(|class| class.print(several, &mut page));
        page.finish()
    }
}

impl InClass {
    /// `None` when people of `class` never come by.
    fn of(id: &str, class: &Class, profile: &Profile) -> Option<Self> {
        let state = class.chain.get(id)?;
        let per_session = Course::of(class).visits;
        let visits = per_session.get(id).copied().filter(|visits| *visits > 0.0)?;
        let step = |before: &str| class.chain.get(before).and_then(|state| state.next.get(id)).copied();
        let steps =
            per_session.iter().map(|(before, visits)| (*before, visits * step(before).unwrap_or(0.0)));
        let starts = [(START, class.start.get(id).copied().unwrap_or(0.0))];
        let from = starts.into_iter().chain(steps).filter(|(_, visits)| *visits > 0.0);
        let from = from.map(|(before, share)| (before.to_owned(), share / visits)).collect();
        let name = class.think_time.after(id);
        let pause = profile.think_times.get(name).map(|pause| PauseRow::of(name, pause, profile));
        Some(Self {
            class: class.id.clone(),
            visits_per_session: visits,
            from,
            to: state.next.clone(),
            // Where everybody leaves, nobody pauses.
            pause: pause.filter(|_| state.next.get(END).copied().unwrap_or(0.0) < 1.0),
            contexts: class
                .contexts
                .iter()
                .filter(|context| context.after.last().is_some_and(|last| last == id))
                .cloned()
                .collect(),
        })
    }

    fn print(&self, several: bool, page: &mut Page) {
        let of_class = if several { format!(", class `{}`", self.class) } else { String::new() };
        page.heading(&format!("Where people come from and go to{of_class}"));
        page.row("visits", &format!("{:.2} per session", self.visits_per_session));
        if let Some(pause) = &self.pause {
            page.row("pause after", &pause.line());
        }
        let (from, to) = (ranked(&self.from), ranked(&self.to));
        page.line(&format!("  {:<38}{}", "from", "to"));
        for at in 0..from.len().max(to.len()) {
            let cell = |rows: &[(String, String)]| {
                let cell =
                    rows.get(at).map(|(share, name)| format!("{share:>8}  {}", super::page::cut(name, 27)));
                cell.unwrap_or_default()
            };
            page.line(&format!("{:<39}{}", cell(&from), cell(&to)));
        }
        for context in &self.contexts {
            let after = context.after.join(" → ");
            page.wrapped("  ", &format!("after {after}: {}", likeliest(&context.next, NEIGHBOURS)));
        }
    }
}

/// Shares and names, the largest first; what does not fit together in the last.
fn ranked(row: &BTreeMap<String, f64>) -> Vec<(String, String)> {
    let mut sorted: Vec<(&str, f64)> = row.iter().map(|(name, share)| (name.as_str(), *share)).collect();
    sorted.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(other.0)));
    let rest = sorted.split_off(NEIGHBOURS.min(sorted.len()));
    let mut rows: Vec<(String, String)> =
        sorted.into_iter().map(|(name, share)| (percent(share), name.to_owned())).collect();
    if !rest.is_empty() {
        let share = rest.iter().map(|(_, share)| share).sum();
        rows.push((percent(share), format!("{} more", rest.len())));
    }
    rows
}

fn of_parameter(parameter: &Parameter) -> String {
    let mut parts = vec![word(parameter.kind)];
    parts.extend(parameter.cardinality.map(|cardinality| format!("{} values", word(cardinality))));
    parts.extend(parameter.distinct.map(|distinct| format!("{} distinct", grouped(distinct))));
    parts.extend(parameter.popularity.as_ref().map(|popularity| match popularity {
        Popularity::Zipf { exponent } => format!("popularity like rank^-{exponent} (Zipf)"),
    }));
    let lengths = parameter.length.iter().map(|(quantile, length)| format!("{quantile} {length}"));
    let lengths: Vec<String> = lengths.collect();
    parts.extend((!lengths.is_empty()).then(|| format!("length {}", lengths.join(", "))));
    parts.join(", ")
}

fn of_query(parameter: &QueryParameter) -> String {
    let cardinality = parameter.cardinality.map(|cardinality| format!(", {} values", word(cardinality)));
    format!(
        "{}: {}{}, in {} of requests",
        parameter.name,
        word(parameter.kind),
        cardinality.unwrap_or_default(),
        percent(parameter.presence)
    )
}

fn of_summary(summary: Option<&Summary>, name: fn(f64) -> String) -> String {
    let Some(summary) = summary else { return "not in the log".to_owned() };
    let further = [("p95", summary.p95), ("p99", summary.p99)];
    let further = further.iter().filter_map(|(label, value)| Some(format!(", {label} {}", name((*value)?))));
    format!("p50 {}{}", name(summary.p50), further.collect::<String>())
}
