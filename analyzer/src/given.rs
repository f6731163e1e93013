//! What people say about their logs because the lines do not: zone, stamp, sampling.

use shared::profile::Stamp;

use crate::local::{LocalClock, Understood};
use crate::request::Request;
use crate::settings::ReadSettings;

/// What completes the requests of a log. One per thread.
#[derive(Debug)]
pub(crate) struct Given {
    stamp: Option<Stamp>,
    weight: Option<f64>,
    clock: Option<LocalClock>,
}

impl Given {
    pub(crate) fn new(settings: &ReadSettings) -> Self {
        Self {
            stamp: settings.stamp,
            weight: settings.sample_rate.map(|rate| 1.0 / rate),
            clock: settings.time_zone.clone().map(LocalClock::new),
        }
    }

    /// Fills in what `request` leaves open. Says how its stamp was understood, where that had no zone.
    ///
    /// Without a zone from anybody, local time is read as UTC.
    // Always inlined: it is hardly longer than a call of it.
    #[inline(always)]
    pub(crate) fn complete(&mut self, request: &mut Request<'_>) -> Option<Understood> {
        request.stamp = self.stamp.unwrap_or(request.stamp);
        request.weight = request.weight.or(self.weight);
        match (request.zone_printed, &mut self.clock) {
            (true, _) => None,
            (false, None) => Some(Understood::Sure),
            (false, Some(clock)) => Some(clock.place(request)),
        }
    }
}
