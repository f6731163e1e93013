//! What the clients are and how long sessions are, from what the gate lets through.

use shared::clients::{Browser, Clients, Device, OTHER, System, UNKNOWN};
use shared::distribution::Unit;
use shared::session::Sessions;

use crate::privacy::country::Country;
use crate::privacy::gate::Gate;
use crate::tally::cell::logged;
use crate::tally::origins::{Origins, Used};
use crate::tally::whole::WholeSessions;
use crate::tally::{DURATION_RELATIVE_ERROR, Tally};

/// Which programs the clients are, on what they run, and where they are; `None` where the log tells nothing of it.
pub(super) fn clients(tally: &Tally, gate: Gate) -> Option<Clients> {
    let Origins { browsers, devices, systems, countries } = &tally.origins;
    let country = |(bits, used): (usize, &Used)| {
        let name = Country::from_bits(u8::try_from(bits).ok()?).name()?;
        Some((name.to_owned(), used.clone()))
    };
    let countries = countries.iter().enumerate().filter_map(country);
    let mut clients = Clients {
        browsers: gate.client_shares(named(Browser::ALL, browsers), Browser::Other),
        devices: gate.client_shares(named(Device::ALL, devices), Device::Other),
        systems: gate.client_shares(named(System::ALL, systems), System::Other),
        countries: gate.client_shares(countries, OTHER.to_owned()),
    };
    // A log without user agents says nothing of them; whoever gave a database wants to know that it knows nobody.
    let says_nothing = |names: Vec<&str>| names.iter().all(|name| *name == UNKNOWN);
    if says_nothing(clients.browsers.keys().map(|browser| browser.name()).collect()) {
        let countries = std::mem::take(&mut clients.countries);
        clients = Clients { countries, ..Clients::default() };
    }
    (!clients.is_empty()).then_some(clients)
}

fn named<N: Copy, const COUNT: usize>(
    names: [N; COUNT],
    used: &[Used; COUNT],
) -> impl Iterator<Item = (N, Used)> {
    names.into_iter().zip(used.iter().cloned())
}

/// How long the sessions are that the log has as a whole; `None` where they are fewer than k clients'.
pub(super) fn sessions(whole: &WholeSessions, gate: Gate) -> Option<Sessions> {
    let durations = gate.histogram(&whole.durations, DURATION_RELATIVE_ERROR, Unit::S)?;
    Some(Sessions {
        requests: gate.quantiles(&whole.requests)?,
        duration_s: gate.summary(durations, logged(&whole.durations))?,
    })
}
