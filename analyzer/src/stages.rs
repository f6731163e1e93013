//! Single stages of the pipeline, for the benches: where a run became slower shows in one of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::Error;
use crate::format::marks::Marks;
use crate::model::em;
use crate::read::Reading;
use crate::request::Request;
use crate::resource::{Interner, Resource};
use crate::route::given::{GivenRoute, GivenRoutes};
use crate::settings::Settings;
use crate::store::PARTITIONS;
use crate::tally::Requested;
use crate::{Counted, route};

/// Finds the lines of `bytes` and the marks in them; gives how many lines there are.
pub fn lines(bytes: &[u8]) -> usize {
    let mut count = 0;
    Marks::default().each_line(bytes, |_, _, _| count += 1);
    count
}

/// The numbers of resources, as one thread gives them.
#[derive(Debug)]
pub struct Resources(Interner);

impl Default for Resources {
    fn default() -> Self {
        Self(Interner::new(true, Arc::default()))
    }
}

impl Resources {
    /// The number of the resource that `request` asks for.
    pub fn number(&mut self, request: &Request<'_>) -> u32 {
        self.0.asked(request, request.path()).resource
    }
}

/// Appends the shape of `path` to `out`: what a path costs that was not seen lately.
pub fn shape(path: &[u8], out: &mut Vec<u8>) {
    route::segment::shape(path, out);
}

/// The template of each of `paths`, all of which were answered; `given` are the routes known beforehand.
pub fn templates(paths: &[String], given: &[String]) -> Vec<String> {
    let given = given.iter().map(|template| GivenRoute { template: template.clone(), methods: Vec::new() });
    let given = GivenRoutes::new(given, false);
    let resources: Vec<Resource> = paths
        .iter()
        .map(|path| {
            let request =
                Request { method: Some(&b"GET"[..]), target: path.as_bytes(), ..Request::default() };
            Resource::of(&request, true, &given)
        })
        .collect();
    let mut counts: BTreeMap<&Resource, u64> = BTreeMap::new();
    resources.iter().for_each(|resource| *counts.entry(resource).or_default() += 1);
    let distinct: Vec<Resource> = counts.keys().map(|resource| (*resource).clone()).collect();
    let requested: Vec<Requested> =
        counts.values().map(|count| Requested { requests: *count, answered: *count }).collect();
    let found = route::find(&distinct, &requested, &requested, &[], true);
    let template = |resource| {
        let at = distinct.binary_search(resource).ok()?;
        Some(found.routes[found.of_resource[at]? as usize].template.clone())
    };
    resources.iter().map(|resource| template(resource).unwrap_or_default()).collect()
}

/// Sorts all events by client and time; gives how many there are.
///
/// # Errors
/// [`Error::Spill`].
pub fn sort(reading: &Reading) -> Result<usize, Error> {
    (0..PARTITIONS).map(|partition| Ok(reading.partition(partition)?.len())).sum()
}

/// Finds routes, sorts events and counts sessions; gives how many there are.
///
/// # Errors
/// [`Error::Spill`].
pub fn tally(reading: &Reading, settings: &Settings) -> Result<u64, Error> {
    Ok(Counted::new(reading, settings)?.tally.sessions.count)
}

/// Fits a piecewise linear rate with `knots` knots to counts in bins.
pub fn rates(counts: &[f64], knots: usize) -> Vec<f64> {
    let rows: Vec<em::Row> = (0..counts.len())
        .map(|bin| {
            let at = bin as f64 * knots as f64 / counts.len() as f64;
            let (knot, beyond) = (at as usize, at.fract());
            [(knot, 1.0 - beyond), ((knot + 1) % knots, beyond)]
        })
        .collect();
    em::fit(&rows, counts, knots)
}
