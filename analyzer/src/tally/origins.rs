//! What the clients in the model are: sessions and requests by program, device, system and country.
//!
//! Each name knows its clients by a set that saturates at k, not by a number: what few clients have is put together
//! later, and a client may be there under several names, where people share an address or a cookie moves between
//! browsers.

use shared::clients::{Browser, Device, System};

use super::cell::Bin;
use crate::event::Event;
use crate::kind::AgentClass;
use crate::privacy::country::Country;
use crate::privacy::pseudonym::{Origin, Pseudonym};

/// What the clients of one name did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Used {
    /// Sessions that began under the name.
    pub(crate) sessions: Bin,
    /// Steps.
    pub(crate) requests: Bin,
}

/// What the clients in the model are, by the numbers of the names.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    pub(crate) browsers: [Used; Browser::ALL.len()],
    pub(crate) devices: [Used; Device::ALL.len()],
    pub(crate) systems: [Used; System::ALL.len()],
    /// Empty where nobody looked for countries.
    pub(crate) countries: Vec<Used>,
}

/// What the clients in the model are, while they are counted: by what an event holds of it, so that a session is counted
/// once and not under each of its names.
#[derive(Debug)]
pub(super) struct OriginCounter {
    /// By the bits of the class of the user agent.
    agents: Box<[Used]>,
    /// By the bits of the country; empty where nobody looked for countries.
    countries: Vec<Used>,
}

impl Default for OriginCounter {
    fn default() -> Self {
        Self { agents: vec![Used::default(); 1 << u8::BITS].into(), countries: Vec::new() }
    }
}

impl OriginCounter {
    /// Counts a session that stands for `mass`, by its first request.
    #[inline]
    pub(super) fn add_session(&mut self, first: &Event, mass: u64, k: u64) {
        let client = first.client();
        self.each(first.origin(), |used| used.sessions.add(client, mass, k));
    }

    /// Counts the steps of a session, which mostly are of one origin.
    #[inline]
    pub(super) fn add_requests<'e>(&mut self, mut steps: impl Iterator<Item = &'e Event>, k: u64) {
        let Some(first) = steps.next() else { return };
        let (client, mut origin, mut count, mut mass) = (first.client(), first.origin(), 1, first.mass());
        for step in steps {
            if step.origin() != origin {
                self.add_run(client, origin, count, mass, k);
                (origin, count, mass) = (step.origin(), 0, 0);
            }
            count += 1;
            mass += step.mass();
        }
        self.add_run(client, origin, count, mass, k);
    }

    #[inline]
    fn add_run(&mut self, client: Pseudonym, origin: Origin, count: u64, mass: u64, k: u64) {
        self.each(origin, |used| used.requests.add_all(client, count, mass, k));
    }

    /// Everything that counts clients of an origin.
    #[inline]
    fn each(&mut self, origin: Origin, add: impl Fn(&mut Used)) {
        add(&mut self.agents[usize::from(origin.agent.bits())]);
        if origin.country != Country::default() {
            if self.countries.is_empty() {
                self.countries.resize_with(Country::COUNT, Used::default);
            }
            add(&mut self.countries[usize::from(origin.country.bits()).min(Country::COUNT - 1)]);
        }
    }

    /// What was counted, under each of its names.
    pub(super) fn finish(self, k: u64) -> Origins {
        let mut origins = Origins { countries: self.countries, ..Origins::default() };
        for (bits, used) in (0..=u8::MAX).zip(&self.agents).filter(|(_, used)| used.requests.count > 0) {
            let agent = AgentClass::from_bits(bits);
            origins.browsers[agent.browser() as usize].merge(used, k);
            origins.devices[agent.device() as usize].merge(used, k);
            origins.systems[agent.system() as usize].merge(used, k);
        }
        origins
    }
}

impl Origins {
    /// Adds those of other clients.
    pub(super) fn merge(&mut self, other: Self, k: u64) {
        merge(&mut self.browsers, &other.browsers, k);
        merge(&mut self.devices, &other.devices, k);
        merge(&mut self.systems, &other.systems, k);
        match self.countries.is_empty() {
            true => self.countries = other.countries,
            false => merge(&mut self.countries, &other.countries, k),
        }
    }
}

fn merge(into: &mut [Used], from: &[Used], k: u64) {
    for (used, other) in into.iter_mut().zip(from) {
        used.merge(other, k);
    }
}

impl Used {
    pub(crate) fn merge(&mut self, other: &Self, k: u64) {
        self.sessions.merge(&other.sessions, k);
        self.requests.merge(&other.requests, k);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use crate::request::Request;
    use crate::weight::REQUEST;

    const CHROME: &[u8] = b"Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/154.0 Safari/537.36";
    const FIREFOX: &[u8] = b"Mozilla/5.0 (Android 14; Mobile; rv:152.0) Gecko/152.0 Firefox/152.0";

    fn step(client: u64, agent: &[u8], country: u8) -> Event {
        let origin =
            Origin { agent: AgentClass::of(agent, Kind::Page), country: Country::from_bits(country) };
        Event::new(&Request::default(), client, 0, Kind::Page).of(origin)
    }

    #[test]
    fn a_client_of_two_names_is_one_client_and_its_requests_are_counted_under_each() {
        let mut counter = OriginCounter::default();
        for client in [1, 2] {
            let steps = [step(client, CHROME, 0), step(client, CHROME, 0), step(client, FIREFOX, 0)];
            counter.add_session(&steps[0], REQUEST, 2);
            counter.add_requests(steps.iter(), 2);
        }
        let tally = counter.finish(2);
        let requests = |browser: Browser| tally.browsers[browser as usize].requests.count;
        assert_eq!([requests(Browser::Chrome), requests(Browser::Firefox)], [4, 2]);
        assert_eq!(tally.browsers[Browser::Chrome as usize].sessions.count, 2);
        assert_eq!(tally.browsers[Browser::Firefox as usize].sessions.count, 0);
        let mut both = tally.browsers[Browser::Chrome as usize].requests.clone();
        both.merge(&tally.browsers[Browser::Firefox as usize].requests, 2);
        assert!(both.has_enough() && tally.countries.is_empty());
    }

    #[test]
    fn counts_of_other_clients_add_up_in_any_order() {
        let counted = |clients: std::ops::Range<u64>, country| {
            let mut counter = OriginCounter::default();
            for client in clients {
                let first = step(client, CHROME, country);
                counter.add_session(&first, REQUEST, 3);
                counter.add_requests(std::iter::once(&first), 3);
            }
            counter.finish(3)
        };
        let text = |order: [usize; 3]| {
            let parts = || [counted(0..2, 0), counted(2..4, 7), counted(4..5, 9)];
            let mut sum = Origins::default();
            for at in order {
                sum.merge(parts().into_iter().nth(at).unwrap(), 3);
            }
            format!("{sum:?}")
        };
        let expected = text([0, 1, 2]);
        assert!([[2, 1, 0], [1, 0, 2], [1, 2, 0]].into_iter().all(|order| text(order) == expected));
    }
}
