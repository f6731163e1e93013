//! Who visits: clients told apart by address and user agent, some of which come back.

use std::collections::VecDeque;

use crate::line::SECOND_US;
use crate::page::{Visitor, mixed};
use crate::random::{Random, Stream, Weighted};
use crate::user_agents::browsers;

/// Share of the sessions begun by a client that was there before.
pub(crate) const RETURNING_SHARE: f64 = 0.08;
/// Least rest between two sessions of one client: longer than any sensible inactivity timeout.
pub(crate) const REST_S: u64 = 2 * 3_600;

/// Share of new clients that sit behind a shared address.
const NAT_SHARE: f64 = 0.02;
/// Shared addresses.
const NATS: usize = 12;
/// Share of new clients that come over IPv6.
const IPV6_SHARE: f64 = 0.06;
/// Browser releases in use; times twelve browsers.
const VERSIONS: u32 = 5;
/// Exponent of the popularity of user agents.
const AGENTS_ZIPF: f64 = 0.6;
/// Orders placed before the log begins; their numbers are those of old customers' orders.
pub(crate) const OLD_ORDERS: usize = 31_000;
/// The first order's number.
pub(crate) const FIRST_ORDER: u64 = 10_000;

/// One client: no two share both address and user agent.
pub(crate) struct Client {
    pub(crate) address: String,
    pub(crate) agent: String,
    pub(crate) visitor: Visitor,
}

/// All clients so far.
pub(crate) struct Clients {
    random: Random,
    agents: Vec<String>,
    popularity: Weighted,
    all: Vec<Client>,
    /// Clients that have left and the instant, roughly in order of it.
    resting: VecDeque<(u64, usize)>,
    /// Clients that may come back.
    rested: Vec<usize>,
    behind_nat: [usize; NATS],
    over_ipv6: u64,
}

impl Clients {
    /// Returns a world without clients.
    pub(crate) fn new(seed: u64) -> Self {
        let agents = browsers(VERSIONS);
        Self {
            random: Random::new(seed, Stream::Clients),
            popularity: Weighted::zipf(agents.len(), AGENTS_ZIPF),
            agents,
            all: Vec::new(),
            resting: VecDeque::new(),
            rested: Vec::new(),
            behind_nat: [0; NATS],
            over_ipv6: 0,
        }
    }

    /// Returns the client of a session that begins now, and whether it was there before.
    pub(crate) fn arrive(&mut self, now_us: u64) -> (usize, bool) {
        while let Some(&(left_us, id)) = self.resting.front()
            && left_us + REST_S * SECOND_US <= now_us
        {
            self.resting.pop_front();
            self.rested.push(id);
        }
        if self.random.chance(RETURNING_SHARE) && !self.rested.is_empty() {
            let place = self.random.below(self.rested.len());
            (self.rested.swap_remove(place), true)
        } else {
            (self.add(), false)
        }
    }

    /// Notes that a session has ended, and the last order its client has seen.
    pub(crate) fn leave(&mut self, id: usize, now_us: u64, order: u64) {
        self.all[id].visitor.order = order;
        self.resting.push_back((now_us, id));
    }

    /// Adds a new client and returns its place.
    pub(crate) fn add(&mut self) -> usize {
        let id = self.all.len();
        let nat = self.random.below(NATS);
        let (address, agent) = if self.random.chance(NAT_SHARE) && self.behind_nat[nat] < self.agents.len() {
            // Every agent once per shared address, so that address and agent together stay unique.
            self.behind_nat[nat] += 1;
            (format!("203.0.113.{}", nat + 1), self.behind_nat[nat] - 1)
        } else if self.random.chance(IPV6_SHARE) {
            self.over_ipv6 += 1;
            (ipv6_address(self.over_ipv6), self.popularity.draw(&mut self.random))
        } else {
            (private_address(id as u32 + 1), self.popularity.draw(&mut self.random))
        };
        let order = FIRST_ORDER + self.random.below(OLD_ORDERS) as u64;
        let visitor = Visitor { account: self.random.bits(), order };
        self.all.push(Client { address, agent: self.agents[agent].clone(), visitor });
        id
    }

    /// Returns a client.
    pub(crate) fn get(&self, id: usize) -> &Client {
        &self.all[id]
    }

    /// Returns how many of the clients sit behind a shared address.
    pub(crate) fn behind_nat(&self) -> usize {
        self.behind_nat.iter().sum()
    }

    /// Returns how many of the clients come over IPv6.
    pub(crate) fn over_ipv6(&self) -> u64 {
        self.over_ipv6
    }
}

/// Returns an address of 10.0.0.0/8, a different one for each index below 2^24.
pub(crate) fn private_address(index: u32) -> String {
    // An odd factor is invertible modulo 2^24; it scatters neighbours.
    let host = index.wrapping_mul(0x9e_3779) & 0xff_ffff;
    format!("10.{}.{}.{}", host >> 16, (host >> 8) & 0xff, host & 0xff)
}

/// Returns an address of 2001:db8::/32 as nginx writes it, a different one for each index from 1 to 65,535.
fn ipv6_address(index: u64) -> String {
    let scattered = mixed(index);
    format!("2001:db8:{:x}:{index:x}::{:x}", (scattered & 0xffff) | 0x1000, ((scattered >> 16) & 0xff) | 1)
}
