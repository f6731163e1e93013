//! Which row a replay takes where a class has too few visits for one of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::END;
use super::counts::{Counts, Row};

/// Visits of the sample from which on a class has its own row: an even chance is then known to ± 18 points.
pub const ENOUGH_VISITS: u64 = 30;

/// The rows that a replay of `class` needs: its own where it has at least `enough` visits, else those of `pooled`, all
/// classes together.
///
/// Of every endpoint that its sessions can come to by them. No row gets a transition that was never seen: there is no
/// step further back, because what follows other endpoints would lead where nothing leads. So a row of `pooled` is taken
/// however few visits it has.
pub fn rows<'c>(class: &'c Counts, pooled: &'c Counts, enough: u64) -> BTreeMap<u32, &'c Row> {
    let of = |endpoint: &u32| -> Option<&'c Row> {
        let own = class.rows.get(endpoint);
        own.filter(|row| row.visits.count >= enough).or_else(|| pooled.rows.get(endpoint)).or(own)
    };
    let mut rows = BTreeMap::new();
    let mut open: BTreeSet<u32> = class.starts.keys().copied().collect();
    while let Some(endpoint) = open.pop_first() {
        if let Some(row) = of(&endpoint) {
            rows.insert(endpoint, row);
            open.extend(row.next.keys().filter(|next| **next != END && !rows.contains_key(next)));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{Step, Walk};

    fn counts(paths: &[(&[u32], u32)]) -> Counts {
        let sessions = paths.iter().flat_map(|(path, count)| (0..*count).map(move |client| (*path, client)));
        let walk = |(path, client): (&[u32], u32)| Walk {
            start_s: 0,
            steps: path.iter().map(|endpoint| Step { endpoint: *endpoint, gap: None }).collect(),
            ended: true,
            mass: 1000,
            client,
        };
        Counts::of(&sessions.map(walk).collect::<Vec<_>>())
    }

    #[test]
    fn thin_rows_are_pooled_and_what_they_lead_to_comes_with_them() {
        let class = counts(&[(&[1, 2], 29), (&[1], 10)]);
        let pooled = counts(&[(&[1, 2], 29), (&[1], 10), (&[2, 3], 50), (&[3, 3], 5), (&[9], 5)]);
        let found = rows(&class, &pooled, ENOUGH_VISITS);
        assert_eq!(found.keys().collect::<Vec<_>>(), [&1, &2, &3], "9 is out of reach");
        assert_eq!(found[&1], &class.rows[&1]);
        assert_eq!(found[&2], &pooled.rows[&2]);
        assert_eq!(rows(&class, &pooled, 29).keys().collect::<Vec<_>>(), [&1, &2]);
    }
}
