//! What `analyzer explain` shows: a profile in words and tables, from the profile alone.
//!
//! Every part is a value that other programs can read, and knows how to print itself for a terminal of 80 columns.

mod classes;
mod clients;
mod endpoint;
mod endpoints;
mod histogram;
mod lengths;
mod others;
mod overview;
mod page;
mod pauses;
mod walks;
mod week;

use serde::Serialize;
use shared::Profile;

use classes::ClassRow;
use clients::People;
pub use endpoint::EndpointExplanation;
use endpoints::EndpointRow;
use others::Others;
use overview::Overview;
use page::Page;
pub use page::Style;
use pauses::PauseRow;
use week::WeekShape;

/// A whole profile, explained.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The log, and what was left out of it.
    overview: Overview,
    /// How long sessions are, and what makes them.
    #[serde(flatten)]
    people: People,
    /// Endpoints, heaviest first.
    endpoints: Vec<EndpointRow>,
    /// Kinds of user, heaviest first.
    classes: Vec<ClassRow>,
    /// Pauses between requests, by name.
    think_times: Vec<PauseRow>,
    /// When sessions start.
    arrivals: WeekShape,
    /// What only some profiles have.
    #[serde(flatten)]
    others: Others,
}

/// Explains `profile`.
pub fn explanation(profile: &Profile) -> Explanation {
    Explanation {
        overview: Overview::of(profile),
        people: People::of(profile),
        endpoints: profile.endpoints.iter().map(EndpointRow::of).collect(),
        classes: profile.classes.iter().map(|class| ClassRow::of(class, profile)).collect(),
        think_times: pauses::rows(profile),
        arrivals: WeekShape::of(&profile.arrivals),
        others: Others::of(profile),
    }
}

impl Explanation {
    /// The explanation for people, at most 80 columns wide; at most `top` endpoints in the table.
    pub fn text(&self, style: Style, top: usize) -> String {
        let mut page = Page::new(style);
        self.overview.print(&mut page);
        self.people.print(&mut page);
        endpoints::print(&self.endpoints, top, &mut page);
        self.classes.iter().for_each(|class| class.print(&mut page));
        pauses::print(&self.think_times, &mut page);
        self.arrivals.print(&mut page);
        self.others.print(&mut page);
        page.finish()
    }
}

/// Explains the endpoint of `profile` that `wanted` names: by its id, by its route, or by method and route.
///
/// # Errors
/// The ids nearest to what was wanted, when there is no such endpoint or more than one.
pub fn endpoint_explanation(profile: &Profile, wanted: &str) -> Result<EndpointExplanation, Vec<String>> {
    endpoint::find(profile, wanted).map(|endpoint| EndpointExplanation::of(endpoint, profile))
}
