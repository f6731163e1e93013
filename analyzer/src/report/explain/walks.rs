//! The most probable ways through a class, from the first request to the end.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use serde::Serialize;
use shared::session::{Class, END};

/// A whole session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Walk {
    /// Endpoint ids in order.
    pub(super) steps: Vec<String>,
    /// Share of the sessions of the class that go exactly so.
    pub(super) share: f64,
}

/// Ways rarer than this tell nothing.
const LEAST_SHARE: f64 = 1e-4;

/// The `most` most probable sessions of `class`, the most probable first.
///
/// Best-first: the likeliest beginning is continued until it is complete. No session that begins like another is
/// likelier than that beginning, so the first to be complete are the likeliest. Longer memories apply where the class
/// has them.
pub(super) fn most_usual(class: &Class, most: usize) -> Vec<Walk> {
    let mut found = Vec::new();
    let mut open: BinaryHeap<Beginning> = class
        .start
        .iter()
        .map(|(id, share)| Beginning { share: *share, steps: vec![id.as_str()] })
        .filter(|beginning| beginning.share >= LEAST_SHARE)
        .collect();
    while let Some(beginning) = open.pop() {
        if beginning.steps.last() == Some(&END) {
            let steps = &beginning.steps[..beginning.steps.len() - 1];
            found.push(Walk {
                steps: steps.iter().map(ToString::to_string).collect(),
                share: beginning.share,
            });
            if found.len() == most {
                break;
            }
            continue;
        }
        for (to, probability) in next(class, &beginning.steps) {
            let share = beginning.share * probability;
            if share >= LEAST_SHARE {
                let steps = beginning.steps.iter().copied().chain([to]).collect();
                open.push(Beginning { share, steps });
            }
        }
    }
    found
}

/// Where `class` goes after `steps`: by the longest memory that fits.
fn next<'c>(class: &'c Class, steps: &[&str]) -> impl Iterator<Item = (&'c str, f64)> {
    let fits = class.contexts.iter().filter(|context| {
        let tail = steps.len().checked_sub(context.after.len()).map(|from| &steps[from..]);
        tail.is_some_and(|tail| tail.iter().eq(context.after.iter()))
    });
    let longest = fits.max_by_key(|context| context.after.len()).map(|context| &context.next);
    let row = || steps.last().and_then(|last| class.chain.get(*last)).map(|state| &state.next);
    longest.or_else(row).into_iter().flatten().map(|(to, probability)| (to.as_str(), *probability))
}

struct Beginning<'c> {
    share: f64,
    steps: Vec<&'c str>,
}

/// Likelier first, then by name, so that equal ones come in the same order every time.
impl Ord for Beginning<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.share.total_cmp(&other.share).then_with(|| other.steps.cmp(&self.steps))
    }
}

impl PartialOrd for Beginning<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Beginning<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Beginning<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::session::Context;
    use std::collections::BTreeMap;

    fn example() -> Class {
        shared::io::from_yaml(shared::profile::EXAMPLE).unwrap().classes.remove(0)
    }

    #[track_caller]
    fn check(class: &Class, expected: &[(&str, f64)]) {
        let walks = most_usual(class, expected.len());
        let found: Vec<(String, f64)> =
            walks.iter().map(|walk| (walk.steps.join(" "), (walk.share * 1e6).round() / 1e6)).collect();
        let expected: Vec<(String, f64)> =
            expected.iter().map(|(steps, share)| ((*steps).to_owned(), *share)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_likeliest_sessions_come_first() {
        let class = example();
        check(
            &class,
            &[
                ("get_home", 0.3),
                ("get_home get_item", 0.20001),
                ("get_item", 0.166675),
                ("get_home get_home", 0.06),
            ],
        );
    }

    #[test]
    fn a_longer_memory_overrides_the_chain() {
        let mut class = example();
        class.contexts = vec![Context {
            after: vec!["get_home".to_owned(), "get_item".to_owned()],
            visits: 100,
            next: BTreeMap::from([("get_home".to_owned(), 1.0)]),
        }];
        check(&class, &[("get_home", 0.3), ("get_item", 0.166675), ("get_home get_item get_home", 0.12)]);
    }
}
