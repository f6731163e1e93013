//! Pauses between the requests of each client, before anything is known of sessions: what says where those end.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rayon::prelude::*;

use super::counter::time_bin;
use super::{GAP_RELATIVE_ERROR, ordered};
use crate::error::Error;
use crate::event::Event;
use crate::model::think::session_gap;
use crate::read::Reading;
use crate::session::by_client;
use crate::settings::ModelSettings;
use crate::store::PARTITIONS;

/// Pauses that count of one client: one that calls by the clock all day must not outvote hundreds of people.
const MOST_OF_ONE: usize = 200;

/// Bins of a log-histogram of seconds by number; `None` is zero.
type Bins = HashMap<Option<i32>, u64, FixedState>;

/// The session gap, in milliseconds, that the pauses of `reading` ask for.
///
/// # Errors
/// [`Error::Spill`].
pub(crate) fn session_gap_ms(reading: &Reading, settings: &ModelSettings) -> Result<i64, Error> {
    let add = |mut bins: Bins, partition| -> Result<Bins, Error> {
        let events = reading.partition(partition)?;
        by_client(&events).for_each(|client| add(&mut bins, client, settings));
        Ok(bins)
    };
    let merge = |mut one: Bins, other: Bins| -> Result<Bins, Error> {
        other.into_iter().for_each(|(bin, count)| *one.entry(bin).or_insert(0) += count);
        Ok(one)
    };
    let bins =
        (0..PARTITIONS).into_par_iter().try_fold(Bins::default, add).try_reduce(Bins::default, merge)?;
    let pauses: BTreeMap<Option<i32>, u64> = ordered(bins);
    let found = session_gap::find(&pauses, shared::distribution::log_width(GAP_RELATIVE_ERROR));
    // To the second, as people would set it.
    Ok(found.gap_s.round() as i64 * 1000)
}

fn add(bins: &mut Bins, client: &[Event], settings: &ModelSettings) {
    let mut end_ms: Option<i64> = None;
    for event in client.iter().filter(|event| settings.models(event.kind())).take(MOST_OF_ONE) {
        if let Some(end_ms) = end_ms {
            let pause_s = (event.start_ms() - end_ms).max(0) as f64 / 1000.0;
            *bins.entry(time_bin(pause_s, GAP_RELATIVE_ERROR)).or_insert(0) += 1;
        }
        end_ms = Some(end_ms.map_or(event.end_ms(), |end_ms| end_ms.max(event.end_ms())));
    }
}
