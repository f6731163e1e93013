//! The shop itself: its endpoints, the chain that leads from one to the next, and the pauses between them.
//!
//! Everything here is the truth a reader of the logs tries to find.

use crate::random::{LogNormal, Random, Weighted};

/// A page of the shop: one state of the chain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Home,
    Category,
    Product,
    Search,
    Cart,
    AddToCart,
    Checkout,
    PlaceOrder,
    Order,
    Account,
}

/// Number of states.
pub(crate) const STATES: usize = 10;

impl State {
    /// All states, in the order of [`ENDPOINTS`] and [`CHAIN`].
    pub(crate) const ALL: [Self; STATES] = [
        Self::Home,
        Self::Category,
        Self::Product,
        Self::Search,
        Self::Cart,
        Self::AddToCart,
        Self::Checkout,
        Self::PlaceOrder,
        Self::Order,
        Self::Account,
    ];

    /// Returns the endpoint behind this state.
    pub(crate) fn endpoint(self) -> &'static Endpoint {
        &ENDPOINTS[self as usize]
    }
}

/// What is drawn for each request of one endpoint.
pub(crate) struct Endpoint {
    pub(crate) method: &'static str,
    pub(crate) route: &'static str,
    pub(crate) service_time_s: LogNormal,
    /// Of every response, whatever its status.
    pub(crate) response_bytes: LogNormal,
    /// Status codes and their probabilities.
    pub(crate) statuses: &'static [(u16, f64)],
}

/// The endpoints, in the order of [`State::ALL`].
#[rustfmt::skip]
pub(crate) const ENDPOINTS: [Endpoint; STATES] = [
    endpoint("GET", "/", (0.012, 0.5), (14_200.0, 0.10), &[(200, 0.998), (500, 0.002)]),
    endpoint("GET", "/c/{category}", (0.031, 0.5), (22_800.0, 0.25), &[(200, 0.997), (404, 0.002), (500, 0.001)]),
    endpoint("GET", "/p/{slug}", (0.024, 0.5), (18_400.0, 0.30), &[(200, 0.987), (404, 0.012), (500, 0.001)]),
    endpoint("GET", "/search", (0.085, 0.5), (16_900.0, 0.45), &[(200, 0.990), (404, 0.006), (500, 0.004)]),
    endpoint("GET", "/cart", (0.016, 0.5), (9_300.0, 0.35), &[(200, 0.998), (500, 0.002)]),
    endpoint("POST", "/cart/items", (0.021, 0.5), (640.0, 0.20), &[(200, 0.890), (302, 0.105), (500, 0.005)]),
    endpoint("GET", "/checkout", (0.042, 0.5), (12_700.0, 0.20), &[(200, 0.972), (302, 0.025), (500, 0.003)]),
    endpoint("POST", "/orders", (0.180, 0.5), (910.0, 0.30), &[(302, 0.940), (200, 0.050), (500, 0.010)]),
    endpoint("GET", "/orders/{int}", (0.019, 0.5), (8_100.0, 0.30), &[(200, 0.985), (404, 0.014), (500, 0.001)]),
    endpoint("GET", "/account/{uuid}", (0.008, 0.5), (6_200.0, 0.25), &[(200, 0.975), (302, 0.024), (500, 0.001)]),
];

const fn endpoint(
    method: &'static str,
    route: &'static str,
    (median_s, time_sigma): (f64, f64),
    (median_bytes, bytes_sigma): (f64, f64),
    statuses: &'static [(u16, f64)],
) -> Endpoint {
    Endpoint {
        method,
        route,
        service_time_s: LogNormal { median: median_s, sigma: time_sigma },
        response_bytes: LogNormal { median: median_bytes, sigma: bytes_sigma },
        statuses,
    }
}

/// First-order chain: a row for START and for each state, a column for each state and for END; rows sum to 1.
#[rustfmt::skip]
pub(crate) const CHAIN: [[f64; STATES + 1]; STATES + 1] = [
    //  home  categ produ searc cart  add   check place order accou END
    [   0.38, 0.15, 0.26, 0.08, 0.02, 0.0,  0.0,  0.0,  0.05, 0.06, 0.0  ], // START
    [   0.0,  0.38, 0.17, 0.22, 0.03, 0.0,  0.0,  0.0,  0.0,  0.07, 0.13 ], // home
    [   0.05, 0.16, 0.56, 0.07, 0.0,  0.0,  0.0,  0.0,  0.0,  0.0,  0.16 ], // category
    [   0.04, 0.17, 0.18, 0.09, 0.04, 0.24, 0.0,  0.0,  0.0,  0.0,  0.24 ], // product
    [   0.03, 0.09, 0.52, 0.21, 0.0,  0.0,  0.0,  0.0,  0.0,  0.0,  0.15 ], // search
    [   0.04, 0.10, 0.12, 0.0,  0.0,  0.0,  0.52, 0.0,  0.0,  0.0,  0.22 ], // cart
    [   0.0,  0.13, 0.17, 0.0,  0.60, 0.0,  0.0,  0.0,  0.0,  0.0,  0.10 ], // add to cart
    [   0.0,  0.0,  0.0,  0.0,  0.16, 0.0,  0.0,  0.64, 0.0,  0.0,  0.20 ], // checkout
    [   0.08, 0.0,  0.0,  0.0,  0.0,  0.0,  0.0,  0.0,  0.84, 0.0,  0.08 ], // place order
    [   0.18, 0.0,  0.0,  0.0,  0.0,  0.0,  0.0,  0.0,  0.0,  0.22, 0.60 ], // order
    [   0.18, 0.12, 0.0,  0.0,  0.0,  0.0,  0.0,  0.0,  0.28, 0.0,  0.42 ], // account
];

/// Think time: from the end of a page's response to the start of the next page request, in seconds.
pub(crate) struct ThinkTime {
    pub(crate) name: &'static str,
    pub(crate) law_s: LogNormal,
}

/// After most pages, and after the checkout form, which takes longer to fill in.
pub(crate) const THINK_TIMES: [ThinkTime; 2] = [
    ThinkTime { name: "browsing", law_s: LogNormal { median: 1.3, sigma: 0.8 } },
    ThinkTime { name: "checkout form", law_s: LogNormal { median: 4.0, sigma: 0.7 } },
];

/// Returns the place in [`THINK_TIMES`] of the pause after `state`.
pub(crate) fn think_time_after(state: State) -> usize {
    usize::from(state == State::Checkout)
}

/// The tables above, ready to be drawn from.
pub(crate) struct Site {
    rows: Vec<Weighted>,
    statuses: Vec<Weighted>,
}

impl Site {
    /// Prepares the tables.
    pub(crate) fn new() -> Self {
        Self {
            rows: CHAIN.iter().map(|row| Weighted::new(row.iter().copied())).collect(),
            statuses: ENDPOINTS
                .iter()
                .map(|endpoint| Weighted::new(endpoint.statuses.iter().map(|&(_, probability)| probability)))
                .collect(),
        }
    }

    /// Returns the state after `from` (None = START), or None for END.
    pub(crate) fn next(&self, from: Option<State>, random: &mut Random) -> Option<State> {
        let row = from.map_or(0, |state| state as usize + 1);
        State::ALL.get(self.rows[row].draw(random)).copied()
    }

    /// Returns the status of one response.
    pub(crate) fn status(&self, state: State, random: &mut Random) -> u16 {
        let index = self.statuses[state as usize].draw(random);
        state.endpoint().statuses[index].0
    }
}
