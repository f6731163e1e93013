//! People in the shop: one session is a walk along the chain, each page with the files it needs.

use std::collections::BTreeMap;

use crate::clients::{Clients, FIRST_ORDER, OLD_ORDERS};
use crate::files;
use crate::line::{Line, SECOND_US};
use crate::log::{Class, Log};
use crate::page::{CATEGORIES, ORIGIN, Page, Pages, category_of};
use crate::random::{LogNormal, Random, Stream};
use crate::secrets::{Carrier, Secrets};
use crate::site::{STATES, Site, State, THINK_TIMES, think_time_after};

/// Where first pages are reached from, most often from nowhere.
const ENTRANCES: [&str; 8] = [
    "",
    "",
    "",
    "",
    "https://www.google.com/",
    "https://www.google.com/",
    "https://www.bing.com/",
    "https://deals.example/today",
];
/// Share of sessions over HTTP/2.
const HTTP2_SHARE: f64 = 0.85;

/// What really happened, counted while it was made.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) sessions: u64,
    pub(crate) returning_sessions: u64,
    pub(crate) sessions_by_day: [u64; 7],
    pub(crate) requests: [u64; STATES],
    pub(crate) statuses: [BTreeMap<u16, u64>; STATES],
    /// As in [`crate::site::CHAIN`].
    pub(crate) transitions: [[u64; STATES + 1]; STATES + 1],
    pub(crate) categories: [u64; CATEGORIES.len()],
    /// As in [`THINK_TIMES`].
    pub(crate) think_times: [ThinkTimes; THINK_TIMES.len()],
}

/// The pauses of one kind, in seconds.
#[derive(Default)]
pub(crate) struct ThinkTimes {
    /// From the end of the page's response to the next page request.
    pub(crate) after_page_s: Vec<f64>,
    /// From the end of the last response, files included; negative when a file was still coming.
    pub(crate) after_files_s: Vec<f64>,
}

/// Everything a session touches.
pub(crate) struct Visits<'a> {
    random: Random,
    last_order: u64,
    tally: Tally,
    site: Site,
    pages: &'a Pages,
    clients: &'a mut Clients,
    secrets: &'a mut Secrets,
    log: &'a mut Log,
}

/// What stays the same through one session.
struct Browser {
    address: String,
    agent: String,
    protocol: &'static str,
}

impl<'a> Visits<'a> {
    /// Returns the shop before its first visitor.
    pub(crate) fn new(
        seed: u64,
        pages: &'a Pages,
        clients: &'a mut Clients,
        secrets: &'a mut Secrets,
        log: &'a mut Log,
    ) -> Self {
        Self {
            random: Random::new(seed, Stream::Visits),
            last_order: FIRST_ORDER + OLD_ORDERS as u64,
            tally: Tally::default(),
            site: Site::new(),
            pages,
            clients,
            secrets,
            log,
        }
    }

    /// Returns what has happened.
    pub(crate) fn into_tally(self) -> Tally {
        self.tally
    }

    /// Logs one session that begins at `start_us`.
    pub(crate) fn visit(&mut self, start_us: u64) {
        let (id, returning) = self.clients.arrive(start_us);
        let client = self.clients.get(id);
        let mut visitor = client.visitor;
        let browser = Browser {
            address: client.address.clone(),
            agent: client.agent.clone(),
            protocol: if self.random.chance(HTTP2_SHARE) { "HTTP/2.0" } else { "HTTP/1.1" },
        };
        self.tally.sessions += 1;
        self.tally.returning_sessions += u64::from(returning);
        self.tally.sessions_by_day[(start_us / SECOND_US / 86_400) as usize] += 1;

        let mut referer = self.random.pick(&ENTRANCES).as_bytes().to_vec();
        let mut request_us = start_us;
        let mut first = true;
        let mut next = self.next(None);
        while let Some(state) = next {
            if state == State::PlaceOrder {
                self.last_order += 1;
                visitor.order = self.last_order;
            }
            let page = self.pages.draw(state, visitor, &mut self.random);
            let page_end_us = self.fetch_page(page, &browser, request_us, &mut referer);
            let files_end_us = self.fetch_files(page, &browser, page_end_us, &referer, first);
            next = self.next(Some(state));
            request_us = match next {
                Some(_) => self.think(state, page_end_us, files_end_us),
                None => files_end_us,
            };
            first = false;
        }
        self.clients.leave(id, request_us, visitor.order);
    }

    /// Draws and counts the next state.
    fn next(&mut self, from: Option<State>) -> Option<State> {
        let next = self.site.next(from, &mut self.random);
        let row = from.map_or(0, |state| state as usize + 1);
        self.tally.transitions[row][next.map_or(STATES, |state| state as usize)] += 1;
        next
    }

    /// Logs a page, leaves its URL in `referer`, and returns when its response ended.
    fn fetch_page(&mut self, page: Page, browser: &Browser, started_us: u64, referer: &mut Vec<u8>) -> u64 {
        let endpoint = page.state.endpoint();
        let mut target = Vec::new();
        self.pages.write_target(page, &mut target);
        let mut user = None;
        self.secrets.plant(page.state, Carrier { target: &mut target, referer, user: &mut user });

        let status = self.site.status(page.state, &mut self.random);
        let ended_us = started_us + self.duration_us(endpoint.service_time_s);
        let request = [endpoint.method.as_bytes(), b" ", &target, b" ", browser.protocol.as_bytes()].concat();
        let line = Line {
            address: &browser.address,
            user: user.as_deref(),
            started_us,
            ended_us,
            request: &request,
            status,
            body_bytes: self.random.log_normal(endpoint.response_bytes).round() as u64,
            referer,
            agent: browser.agent.as_bytes(),
        };
        self.log.push(Class::Page, &line);

        let state = page.state as usize;
        self.tally.requests[state] += 1;
        *self.tally.statuses[state].entry(status).or_default() += 1;
        if page.state == State::Category {
            self.tally.categories[category_of(page)] += 1;
        }
        *referer = [ORIGIN.as_bytes(), &target].concat();
        ended_us
    }

    /// Logs the one to three files a page asks for, and returns when the last had come.
    fn fetch_files(
        &mut self,
        page: Page,
        browser: &Browser,
        page_end_us: u64,
        url: &[u8],
        first: bool,
    ) -> u64 {
        let mut last_us = page_end_us;
        for number in files::wanted(&mut self.random) {
            let mut request = b"GET ".to_vec();
            let size_bytes = files::write_target(page, number, &mut request);
            request.push(b' ');
            request.extend_from_slice(browser.protocol.as_bytes());

            let delay_s = self.random.between(files::DELAY_S.0, files::DELAY_S.1);
            let started_us = page_end_us + (delay_s * 1e6) as u64;
            let ended_us = started_us + self.duration_us(files::SERVICE_TIME_S);
            let unchanged = !first && self.random.chance(files::UNCHANGED_SHARE);
            let line = Line {
                address: &browser.address,
                user: None,
                started_us,
                ended_us,
                request: &request,
                status: if unchanged { 304 } else { 200 },
                body_bytes: if unchanged { 0 } else { size_bytes },
                referer: url,
                agent: browser.agent.as_bytes(),
            };
            self.log.push(Class::Static, &line);
            last_us = last_us.max(ended_us);
        }
        last_us
    }

    /// Returns when the visitor acts again, and counts the pause.
    fn think(&mut self, state: State, page_end_us: u64, files_end_us: u64) -> u64 {
        let kind = think_time_after(state);
        let request_us = page_end_us + self.duration_us(THINK_TIMES[kind].law_s);
        let since_s = |end_us: u64| (request_us as f64 - end_us as f64) / SECOND_US as f64;
        self.tally.think_times[kind].after_page_s.push(since_s(page_end_us));
        self.tally.think_times[kind].after_files_s.push(since_s(files_end_us));
        request_us
    }

    fn duration_us(&mut self, law_s: LogNormal) -> u64 {
        (self.random.log_normal(law_s) * 1e6).round() as u64
    }
}
