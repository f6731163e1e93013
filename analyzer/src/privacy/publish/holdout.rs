//! How well models of one part of the clients foretell the sessions of the others.

use super::classes::{CONTEXT_VISITS, SEED, UNNAMED, with_states};
use crate::Counted;
use crate::model::flow::contexts::Admission;
use crate::model::flow::mixture::Search;
use crate::model::flow::perplexity::{self, Perplexity};
use crate::model::sample::Walk;
use crate::model::seed::{mix, uniform};
use crate::privacy::gate::Gate;
use crate::tally::RouteNumber;

/// Perplexities of the sessions of `share` (0..=1) of the clients, under models of those of the others; `None` where
/// either part has too little. Five averages over all held-out steps, nothing of which is anybody's.
pub(crate) fn hold_out(counted: &Counted, share: f64, gate: Gate) -> Option<Perplexity> {
    let named = gate.routes(&counted.tally, &counted.routes);
    let state = |route: RouteNumber| if named.contains(&route) { route } else { UNNAMED };
    let walks = with_states(&counted.walks, &state);
    let is_held_out = |walk: &Walk| uniform(mix(u64::from(walk.client))) < share;
    let (held_out, training): (Vec<Walk>, Vec<Walk>) = walks.into_iter().partition(is_held_out);
    let admission = Admission { visits: CONTEXT_VISITS, clients: gate.k() };
    let least_clients = usize::try_from(gate.k()).unwrap_or(usize::MAX);
    perplexity::held_out(&training, &held_out, admission, Search::new(least_clients, SEED))
}
