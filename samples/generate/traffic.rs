//! Sessions under way, of many clients at once: the lines of all come out in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

use crate::arrivals::{DAY_S, RateCurve};
use crate::clients::private_address;
use crate::corpus::Settings;
use crate::files;
use crate::line::{Line, SECOND_US, Writer};
use crate::page::{ORIGIN, Page, Pages, Visitor, mixed};
use crate::random::{LogNormal, Random, Stream};
use crate::site::{Site, THINK_TIMES, think_time_after};
use crate::user_agents::browsers;

/// Browser releases in use; times twelve browsers.
const VERSIONS: u32 = 30;
/// Pace of the new clients over that of the sessions.
const CLIENTS_AHEAD: f64 = 1.01;
/// Bytes gathered before they are handed on.
const BLOCK_BYTES: usize = 1 << 18;

/// What was made.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    pub(crate) clients: u32,
    pub(crate) sessions: u64,
}

/// A session that is under way; only those are held in memory.
struct Session {
    address: String,
    agent: usize,
    visitor: Visitor,
    /// The page looked at.
    page: Page,
    /// The page before, whose URL is the referer.
    previous: Option<Page>,
    next_line: NextLine,
    started_us: u64,
    ended_us: u64,
    files_left: Vec<usize>,
}

/// What a session writes next.
enum NextLine {
    Page,
    File(usize),
}

/// All sessions, on their way to a log.
pub(crate) struct Traffic<'a> {
    settings: &'a Settings,
    random: Random,
    site: Site,
    pages: Pages,
    agents: Vec<String>,
    curve: RateCurve,
    expected_sessions: f64,
    writer: Writer,
    written: Written,
    sessions: Vec<Session>,
    /// Places in `sessions` that are free.
    free: Vec<usize>,
    /// The instant of each open session's next line, and its place.
    due: BinaryHeap<Reverse<(u64, usize)>>,
    /// Kept to save its allocation.
    request: Vec<u8>,
    /// Kept to save its allocation.
    referer: Vec<u8>,
}

impl<'a> Traffic<'a> {
    /// Returns the beginning of a log with about `sessions` sessions in the days asked for.
    pub(crate) fn new(settings: &'a Settings, stream: Stream, sessions: f64) -> Self {
        Self {
            settings,
            random: Random::new(settings.seed, stream),
            site: Site::new(),
            pages: Pages::new(),
            agents: browsers(VERSIONS),
            curve: RateCurve::week(sessions, settings.days),
            expected_sessions: sessions,
            writer: Writer::new(settings.format),
            written: Written::default(),
            sessions: Vec::new(),
            free: Vec::new(),
            due: BinaryHeap::new(),
            request: Vec::new(),
            referer: Vec::new(),
        }
    }

    /// Writes the days asked for, and further until there are bytes and clients enough; open sessions come to their end.
    pub(crate) fn run(mut self, out: &mut impl Write) -> io::Result<Written> {
        let span_s = f64::from(self.settings.days) * f64::from(DAY_S);
        let mut block = Vec::with_capacity(BLOCK_BYTES + (1 << 12));
        let mut arrival_s = 0.0;
        loop {
            arrival_s = self.curve.next_after(arrival_s, &mut self.random);
            let arrival_us = (arrival_s * SECOND_US as f64) as u64;
            self.write_until(arrival_us, &mut block, out)?;
            let enough = self.written.bytes + block.len() as u64 >= self.settings.bytes
                && self.written.clients >= self.settings.clients;
            if arrival_s >= span_s && enough {
                break;
            }
            self.begin(arrival_us);
        }
        self.write_until(u64::MAX, &mut block, out)?;
        self.hand_on(&mut block, out)?;
        Ok(self.written)
    }

    /// Writes all lines that are due before `now_us`.
    fn write_until(&mut self, now_us: u64, block: &mut Vec<u8>, out: &mut impl Write) -> io::Result<()> {
        while let Some(&Reverse((due_us, place))) = self.due.peek()
            && due_us < now_us
        {
            self.due.pop();
            self.write_line(place, block);
            if self.advance(place) {
                self.due.push(Reverse((self.sessions[place].ended_us, place)));
            } else {
                self.free.push(place);
            }
            if block.len() >= BLOCK_BYTES {
                self.hand_on(block, out)?;
            }
        }
        Ok(())
    }

    fn hand_on(&mut self, block: &mut Vec<u8>, out: &mut impl Write) -> io::Result<()> {
        self.written.bytes += block.len() as u64;
        out.write_all(block)?;
        block.clear();
        Ok(())
    }

    /// Returns a new client, or one seen before when there are more sessions than clients.
    ///
    /// New ones come at an even pace, a little ahead of the sessions so that none is missing at the end.
    fn choose_client(&mut self) -> u32 {
        let known = self.written.clients;
        let share = CLIENTS_AHEAD * (self.written.sessions + 1) as f64 / self.expected_sessions;
        if known < self.settings.clients && f64::from(known) < share * f64::from(self.settings.clients) {
            self.written.clients += 1;
            known
        } else {
            self.random.below(known as usize) as u32
        }
    }

    /// Opens a session.
    fn begin(&mut self, now_us: u64) {
        let id = self.choose_client();
        self.written.sessions += 1;

        let number = mixed(u64::from(id));
        // The square favours the front of the list: newer releases are more common.
        let popularity = (number >> 11) as f64 / (1_u64 << 53) as f64;
        let visitor = Visitor { account: number, order: 10_000 + number % 90_000 };
        let state = self.site.next(None, &mut self.random).expect("no session ends before its first page");
        let page = self.pages.draw(state, visitor, &mut self.random);
        let session = Session {
            address: private_address(id + 1),
            agent: (popularity * popularity * self.agents.len() as f64) as usize,
            visitor,
            page,
            previous: None,
            next_line: NextLine::Page,
            started_us: now_us,
            ended_us: now_us + duration_us(state.endpoint().service_time_s, &mut self.random),
            files_left: match self.settings.brief {
                true => Vec::new(),
                false => files::wanted(&mut self.random).collect(),
            },
        };
        let ended_us = session.ended_us;
        let place = match self.free.pop() {
            Some(place) => {
                self.sessions[place] = session;
                place
            }
            None => {
                self.sessions.push(session);
                self.sessions.len() - 1
            }
        };
        self.due.push(Reverse((ended_us, place)));
    }

    /// Writes the line that is due in the session at `place`.
    fn write_line(&mut self, place: usize, block: &mut Vec<u8>) {
        let session = &self.sessions[place];
        let endpoint = session.page.state.endpoint();
        self.request.clear();
        self.referer.clear();
        let (status, body_bytes, referer) = match session.next_line {
            NextLine::Page => {
                self.request.extend_from_slice(endpoint.method.as_bytes());
                self.request.push(b' ');
                self.pages.write_target(session.page, &mut self.request);
                let status = self.site.status(session.page.state, &mut self.random);
                let bytes = self.random.log_normal(endpoint.response_bytes) as u64;
                (status, bytes, session.previous)
            }
            NextLine::File(number) => {
                self.request.extend_from_slice(b"GET ");
                let size_bytes = files::write_target(session.page, number, &mut self.request);
                let unchanged = session.previous.is_some() && self.random.chance(files::UNCHANGED_SHARE);
                if unchanged { (304, 0, Some(session.page)) } else { (200, size_bytes, Some(session.page)) }
            }
        };
        self.request.extend_from_slice(b" HTTP/2.0");
        if let Some(page) = referer {
            self.referer.extend_from_slice(ORIGIN.as_bytes());
            self.pages.write_target(page, &mut self.referer);
        }
        let line = Line {
            address: &session.address,
            user: None,
            started_us: session.started_us,
            ended_us: session.ended_us,
            request: &self.request,
            status,
            body_bytes,
            referer: &self.referer,
            agent: self.agents[session.agent].as_bytes(),
        };
        self.writer.write(&line, block);
        self.written.lines += 1;
    }

    /// Prepares the next line of the session at `place`; returns false when there is none.
    fn advance(&mut self, place: usize) -> bool {
        let session = &mut self.sessions[place];
        if let Some(number) = session.files_left.pop() {
            session.next_line = NextLine::File(number);
            session.started_us = session.ended_us;
            session.ended_us += duration_us(files::SERVICE_TIME_S, &mut self.random);
            return true;
        }
        if self.settings.brief {
            return false;
        }
        let left = session.page.state;
        let Some(state) = self.site.next(Some(left), &mut self.random) else { return false };
        session.previous = Some(session.page);
        session.page = self.pages.draw(state, session.visitor, &mut self.random);
        session.next_line = NextLine::Page;
        session.started_us =
            session.ended_us + duration_us(THINK_TIMES[think_time_after(left)].law_s, &mut self.random);
        session.ended_us =
            session.started_us + duration_us(state.endpoint().service_time_s, &mut self.random);
        session.files_left.extend(files::wanted(&mut self.random));
        true
    }
}

fn duration_us(law_s: LogNormal, random: &mut Random) -> u64 {
    (random.log_normal(law_s) * SECOND_US as f64) as u64
}
